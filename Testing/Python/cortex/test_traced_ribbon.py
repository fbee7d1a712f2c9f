"""The ribbon made from traces: its area, its sides, its slices, and what it measures."""

from __future__ import annotations

import numpy as np
import pytest

from ALSMotorCortexLib.cortex.errors import InputError
from ALSMotorCortexLib.cortex.grid import Grid, Image
from ALSMotorCortexLib.cortex.measure import measure
from ALSMotorCortexLib.cortex.settings import Settings
from ALSMotorCortexLib.cortex.trace import Trace, trace_from_borders
from ALSMotorCortexLib.cortex.traced_ribbon import CSF, GM, WM, fill, onto, ribbon_labels
from drawn_cortex import Ring

UP = np.array([0, 0, 1.0])
ANGLES = np.linspace(0.3, 5.5, 60)


def blank(slices: int, voxel: float = 0.25, size: float = 34.0) -> Image:
    """Borders drawn by hand do not need to show in the image."""
    shape = (slices, round(size / voxel), round(size / voxel))
    return Image(np.ones(shape), Grid.from_spacing(shape, (1.0, voxel, voxel)))


def drawn(ring: Ring, height: float = 0.0, slices: int = 6, angles=ANGLES) -> tuple[Trace, Image]:
    image = blank(slices)
    pial, white = (
        np.array([ring.point(a, d, height) for a in angles]) for d in (0.0, ring.thickness)
    )
    return trace_from_borders(image, pial, white, UP), image


def places(labels: Image, label: int) -> np.ndarray:
    return labels.grid.ras(np.argwhere(labels.array == label))


def area(ring: Ring) -> float:
    inner = ring.radius + ring.inwards * ring.thickness
    return abs(ring.radius**2 - inner**2) / 2 * float(np.ptp(ANGLES))


@pytest.mark.parametrize("gyrus", [True, False])
def test_area_and_sides(gyrus: bool) -> None:
    ring = Ring(10.0 if gyrus else 7.0, gyrus=gyrus)
    trace, image = drawn(ring, height=2.0)
    labels = ribbon_labels([trace], image.grid)
    _, dj, di = labels.grid.spacing
    np.testing.assert_allclose((labels.array == GM).sum() * dj * di, area(ring), rtol=0.01)
    assert np.allclose(places(labels, GM)[:, 2], 2.0)
    assert ring.depth(places(labels, CSF)).max() < di
    assert ring.depth(places(labels, WM)).min() > ring.thickness - di
    assert ring.depth(places(labels, CSF)).min() < -0.8
    assert ring.depth(places(labels, WM)).max() > ring.thickness + 0.8


def test_both_ends_are_cut_faces() -> None:
    ring = Ring()
    trace, image = drawn(ring)
    labels = ribbon_labels([trace], image.grid)
    for angle in (0.22, 5.58):
        for depth in (0.3, 1.5, 2.7):
            k, j, i = np.rint(labels.grid.kji(ring.point(angle, depth))).astype(int)
            assert labels.array[k, j, i] == 0


def test_measure_agrees_with_the_trace() -> None:
    ring = Ring()
    trace, image = drawn(ring)
    labels = ribbon_labels([trace], image.grid)
    result = measure(labels, Settings(gm=(GM,), wm=(WM,), csf=(CSF,), plane="axial"))
    thickness = result.thickness[~result.near_cut & np.isfinite(result.thickness)]
    assert abs(np.median(thickness) - ring.thickness) < 0.02
    assert abs(np.median(thickness) - np.median(trace.thickness)) < 0.02


def test_slices_between_traces_are_filled() -> None:
    narrow, wide = Ring(thickness=2.4), Ring(thickness=3.6)
    first, image = drawn(narrow, height=1.0)
    last, _ = drawn(wide, height=5.0)
    labels = ribbon_labels([last, first], image.grid)
    assert labels.array.shape[0] == 5
    np.testing.assert_allclose(labels.grid.ras(np.array([0, 0, 0.0]))[2], 1.0)
    _, dj, di = labels.grid.spacing
    areas = (labels.array == GM).sum(axis=(1, 2)) * dj * di
    assert (np.diff(areas) > 0).all()
    np.testing.assert_allclose(areas[2], area(Ring(thickness=3.0)), rtol=0.02)


def test_a_trace_drawn_backwards_joins_the_others() -> None:
    ring = Ring()
    first, image = drawn(ring, height=1.0)
    last, _ = drawn(ring, height=3.0, angles=ANGLES[::-1])
    labels = ribbon_labels([first, last], image.grid)
    np.testing.assert_array_equal(labels.array[0] == GM, labels.array[1] == GM)


def test_traces_far_apart_stay_two_pieces() -> None:
    left, right = (Ring(8.0, centre=(c, 20.0)) for c in (12.0, 48.0))
    traces = []
    for ring in (left, right):
        image = blank(6, 0.5, 60.0)
        pial, white = (
            np.array([ring.point(a, d, z) for a in ANGLES]) for d, z in ((0.0, 2.0), (3.0, 2.0))
        )
        traces.append(trace_from_borders(image, pial, white, UP))
    labels = ribbon_labels(traces, image.grid)
    gray = places(labels, GM)
    nearest = np.minimum(np.abs(left.depth(gray) - 1.5), np.abs(right.depth(gray) - 1.5))
    assert nearest.max() < 1.8
    assert (gray[:, 0] < 25).any()
    assert (gray[:, 0] > 35).any()


def test_painting_onto_the_image_grid() -> None:
    ring = Ring()
    trace, image = drawn(ring, height=2.0)
    painted = onto(ribbon_labels([trace], image.grid), image.grid)
    assert painted.shape == image.array.shape
    assert set(np.flatnonzero((painted > 0).any(axis=(1, 2)))) == {2}
    np.testing.assert_allclose((painted == GM).sum() * 0.25**2, area(ring), rtol=0.02)
    depth = ring.depth(image.grid.ras(np.argwhere(painted == GM)))
    assert depth.min() > -0.1
    assert depth.max() < ring.thickness + 0.1


def test_an_oblique_plane_keeps_the_area() -> None:
    ring = Ring()
    _, image = drawn(ring)
    c, s = np.cos(0.6), np.sin(0.6)
    turn = np.array([[1, 0, 0], [0, c, -s], [0, s, c]])
    matrix = np.eye(4)
    matrix[:3, :3] = turn @ image.grid.ijk_to_ras[:3, :3]
    turned = Image(image.array, Grid(image.grid.shape, matrix))
    pial, white = (np.array([ring.point(a, d) for a in ANGLES]) @ turn.T for d in (0.0, 3.0))
    labels = ribbon_labels([trace_from_borders(turned, pial, white, turn @ UP)], turned.grid)
    _, dj, di = labels.grid.spacing
    np.testing.assert_allclose((labels.array == GM).sum() * dj * di, area(ring), rtol=0.01)


def test_fill_counts_pixel_centres() -> None:
    square = np.array([[1.5, 2.5], [1.5, 6.5], [5.5, 6.5], [5.5, 2.5]])
    expected = np.zeros((8, 9), dtype=bool)
    expected[2:6, 3:7] = True
    np.testing.assert_array_equal(fill(square, (8, 9)), expected)
    np.testing.assert_array_equal(fill(square[::-1], (8, 9)), expected)
    assert fill(square - 3, (8, 9)).sum() == 3 * 4
    assert not fill(square + 20, (8, 9)).any()


def test_bad_input_is_named() -> None:
    ring = Ring()
    trace, image = drawn(ring)
    with pytest.raises(InputError, match="no trace"):
        ribbon_labels([], image.grid)
    side = np.array([ring.point(a, 0)[[0, 2, 1]] + [0, 2.0, 0] for a in ANGLES[:8]])
    deep = np.array([ring.point(a, 2)[[0, 2, 1]] + [0, 2.0, 0] for a in ANGLES[:8]])
    tall = Image(np.zeros((40, 10, 60)), Grid.from_spacing((40, 10, 60), (1.0, 1.0, 0.5)))
    other = trace_from_borders(tall, side, deep, np.array([0, 1.0, 0]))
    with pytest.raises(InputError, match="90 degrees"):
        ribbon_labels([trace, other], image.grid)
