"""The phantoms' truth, checked against what it follows from."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import integrate
from scipy import ndimage as ndi
from scipy.spatial.transform import Rotation

from ALSMotorCortexLib.cortex import folded_sheet, phantoms, shapes
from ALSMotorCortexLib.cortex.shapes import CSF, GM, UNLABELLED, WM

SHAPES = {
    "slab": shapes.Slab(2.5, 3.0, 4.0),
    "gyral cylinder": shapes.Cylinder(3.0, 5.5, True, 2.0),
    "sulcal cylinder": shapes.Cylinder(3.0, 5.5, False, 2.0),
    "sector": shapes.Cylinder(4.0, 6.5, True, 2.0, 1.1),
    "gyral sphere": shapes.Sphere(3.0, 5.0, True),
    "sulcal sphere": shapes.Sphere(3.0, 5.0, False),
    "cone": shapes.Sphere(4.0, 6.5, False, 0.8),
    "folded sheet": folded_sheet.FoldedSheet(half_depth=2.0),
}
every_shape = pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)


def rng() -> np.random.Generator:
    return np.random.default_rng(7)


def gray_points(shape: shapes.Shape, count: int, margin: float = 0.1) -> NDArray:
    """Random points within gray matter, away from its borders and sides."""
    points = rng().uniform(*shape.box, size=(40 * count, 3))
    truth = shape.sample(points)
    depth = truth.depth_equidistant
    room = np.minimum(depth, 1 - depth) * truth.thickness
    return points[(truth.tissue == GM) & (room > margin) & (truth.side_mm > margin)][:count]


def gradient(shape: shapes.Shape, points: NDArray, step: float = 1e-4) -> NDArray:
    """Central differences of the potential, (n, 3)."""
    return np.stack(
        [
            (shape.sample(points + e).potential - shape.sample(points - e).potential) / (2 * step)
            for e in step * np.eye(3)
        ],
        axis=1,
    )


@every_shape
def test_potential_is_harmonic(shape: shapes.Shape) -> None:
    points = gray_points(shape, 300)
    step = 0.02
    around = sum(shape.sample(points + s * e).potential for e in step * np.eye(3) for s in (-1, 1))
    laplacian = (around - 6 * shape.sample(points).potential) / step**2
    # Against the second derivative the shape's curvature alone would give: the gradient
    # over a radius of some mm.
    assert np.abs(laplacian).max() < 2e-4
    assert np.linalg.norm(gradient(shape, points), axis=1).min() > 0.1


@every_shape
def test_thickness_and_depth_follow_from_the_potential(shape: shapes.Shape) -> None:
    """Trace field lines by Runge-Kutta steps of the potential's differences.

    In steps of potential, dx/du = grad u / |grad u|^2; arc length is summed on the way.
    """
    points = gray_points(shape, 60)
    truth = shape.sample(points)
    lengths = {}
    for end in (0.01, 0.99):
        steps = 20
        place, length = points.copy(), np.zeros(len(points))
        move = (end - truth.potential) / steps

        def speed(at: NDArray) -> NDArray:
            g = gradient(shape, at)
            return g / (g**2).sum(axis=1, keepdims=True)

        for _ in range(steps):
            half = speed(place + speed(place) * move[:, None] / 2)
            length += np.linalg.norm(half, axis=1) * np.abs(move)
            place = place + half * move[:, None]
        # The last hundredth of the potential by extrapolation along the end's gradient.
        rest = 0.01 / np.linalg.norm(gradient(shape, place), axis=1)
        lengths[end] = length + rest
        border = 0 if end < 0.5 else 1
        assert np.linalg.norm(place - truth.ends[:, border], axis=1).max() < 0.06
    total = lengths[0.01] + lengths[0.99]
    np.testing.assert_allclose(truth.thickness, total, atol=2e-3)
    np.testing.assert_allclose(truth.depth_equidistant, lengths[0.99] / total, atol=1e-3)


@every_shape
def test_equivolume_depth_grows_as_the_column_does(shape: shapes.Shape) -> None:
    """Per unit of length the depth gains the column's area A, and |grad u| A is constant
    along a field line: so d(depth)/ds times |grad u| is the same all along it."""
    points = gray_points(shape, 60, margin=0.3)
    truth = shape.sample(points)

    def invariant(at: NDArray) -> NDArray:
        slope = gradient(shape, at)
        size = np.linalg.norm(slope, axis=1)
        step = 1e-4 * slope / size[:, None]
        back, front = (shape.sample(at + s * step).depth_equivolume for s in (-1, 1))
        return (back - front) / 2e-4 * size

    size = np.linalg.norm(gradient(shape, points), axis=1)
    along = gradient(shape, points) / size[:, None]
    ahead = points + 0.1 * along
    np.testing.assert_allclose(invariant(ahead), invariant(points), rtol=0.02)
    assert truth.depth_equivolume.min() > 0


@every_shape
def test_volume_shares_by_counting_points(shape: shapes.Shape) -> None:
    """Equal bins of equivolume depth hold equal volume; equidistant bins do not when the
    shape is curved one way only."""
    truth = shape.sample(rng().uniform(*shape.box, size=(200_000, 3)))
    depth = truth.depth_equivolume[truth.tissue == GM]
    counts, _ = np.histogram(depth, 8, (0, 1))
    assert counts.sum() == len(depth) > 9_000
    expected = len(depth) / 8
    assert np.abs(counts - expected).max() < 4.5 * np.sqrt(expected)


@every_shape
def test_limits_at_the_borders(shape: shapes.Shape) -> None:
    truth = shape.sample(gray_points(shape, 100))
    for border, depth, beyond in ((0, 1, WM), (1, 0, CSF)):
        other = truth.ends[:, 1 - border]
        inward = other - truth.ends[:, border]
        inward /= np.linalg.norm(inward, axis=1, keepdims=True)
        within = shape.sample(truth.ends[:, border] + 1e-5 * inward)
        assert (within.tissue == GM).all()
        np.testing.assert_allclose(within.depth_equidistant, depth, atol=1e-4)
        np.testing.assert_allclose(within.depth_equivolume, depth, atol=1e-4)
        np.testing.assert_allclose(within.potential, 1 - depth, atol=1e-4)
        np.testing.assert_allclose(within.thickness, truth.thickness, atol=1e-4)
        outside = shape.tissue(truth.ends[:, border] - 1e-5 * inward)
        assert (outside == beyond).all()


def test_closed_forms() -> None:
    """The shares of a cylinder and of a sphere halfway, by hand."""
    middle = np.array([[0.0, 0.0, 4.0]])
    for wm_inside in (True, False):
        cylinder = shapes.Cylinder(3, 5, wm_inside).sample(middle)
        sphere = shapes.Sphere(3, 5, wm_inside).sample(middle)
        outer = [9 / 16, 61 / 98]
        expected = outer if wm_inside else [1 - share for share in outer]
        assert cylinder.depth_equivolume[0] == pytest.approx(expected[0])
        assert sphere.depth_equivolume[0] == pytest.approx(expected[1])
        assert cylinder.thickness[0] == sphere.thickness[0] == 2
        assert cylinder.depth_equidistant[0] == pytest.approx(0.5)


@settings(max_examples=20, deadline=None)
@given(
    swing=st.floats(0, 1.4),
    wavelength=st.floats(20, 30),
    contrast=st.floats(0, 0.2),
    height=st.floats(1, 3),
)
def test_strip_inverse_round_trip(
    swing: float, wavelength: float, contrast: float, height: float
) -> None:
    """Every point of the strip comes back from its image: the map is one-to-one."""
    sheet = folded_sheet.FoldedSheet(height, swing, wavelength, contrast)
    random = rng()
    w = random.uniform(-15, 15, 2000) + 1j * random.uniform(-0.5, 0.5, 2000) * height
    np.testing.assert_allclose(sheet.strip.inverse(sheet.strip(w)), w, atol=1e-9)


def test_strip_map_is_conformal() -> None:
    """Differences of the map in both directions agree with its derivative."""
    strip = SHAPES["folded sheet"].strip
    random = rng()
    w = random.uniform(-14, 14, 500) + 1j * random.uniform(-1.2, 1.2, 500)
    for step in (1e-4, 1e-4j):
        slope = (strip(w + step) - strip(w - step)) / (2 * step)
        np.testing.assert_allclose(slope, strip.derivative(w), rtol=1e-6)


def test_folded_sheet_is_folded() -> None:
    """It has a gyrus and a sulcus, thicker at the crown, with walls steeper than 45 degrees."""
    sheet = folded_sheet.FoldedSheet()
    x = np.linspace(-12, 12, 241)
    turn = np.angle(sheet.strip.derivative(x + 0j))
    assert turn.max() > np.pi / 4 and turn.min() < -np.pi / 4
    half = np.full_like(x, sheet.height / 2)
    thickness, _ = sheet.strip.lengths(x, -half, half)
    bend = np.gradient(turn, x)
    crown, sulcus = thickness[np.argmin(bend)], thickness[np.argmax(bend)]
    assert crown > 1.2 * sulcus


@every_shape
def test_phantom_agrees_with_its_shape(shape: shapes.Shape) -> None:
    phantom = phantoms.make(shape, (0.5, 0.4, 0.4), rng())
    labels = phantom.labels.array
    assert set(np.unique(labels)) >= {CSF, WM, GM}
    gray = labels == GM
    for truth in (phantom.thickness, phantom.depth_equivolume, phantom.potential):
        assert np.isfinite(truth[gray]).all() and np.isnan(truth[~gray]).all()
    assert phantom.interior[gray].mean() > 0.2 and not phantom.interior[~gray].any()
    assert not gray[[0, -1]].any() and not gray[:, [0, -1]].any()
    assert not gray[:, :, [0, -1]].any()
    np.testing.assert_array_equal(phantom.placement.tissue_labels().array, labels)


@every_shape
def test_interior_voxels_have_both_borders_in_view(shape: shapes.Shape) -> None:
    """With the volume's edge cutting the shape, too: the field line's ends are inside."""
    phantom = phantoms.make(shape, (0.4, 0.4, 0.4), rng(), keep=0.75)
    assert phantom.interior.any()
    index = np.argwhere(phantom.interior)
    placement = phantom.placement
    truth = shape.sample(placement.own(index * phantom.grid.spacing))
    ends = placement.edge_mm(truth.ends.reshape(-1, 3)).reshape(-1, 2)
    assert (ends > truth.thickness[:, None]).all()
    assert (truth.side_mm > 1).all()


def test_keep_cuts_the_shape_with_the_volume() -> None:
    gray = phantoms.make(SHAPES["slab"], (0.4, 0.4, 0.4), rng(), keep=0.6).labels.array == GM
    touching = sum(int(np.take(gray, e, axis=a).sum()) for a in range(3) for e in (0, -1))
    assert touching > 100


@every_shape
def test_rim_lines_have_no_gap_and_hold_the_border(shape: shapes.Shape) -> None:
    spacing = np.array([0.45, 0.3, 0.35])
    phantom = phantoms.make(shape, tuple(spacing), rng())
    tissue, rim = phantom.labels.array, phantom.rim().array
    assert set(np.unique(rim)) == {UNLABELLED, CSF, WM, GM}
    # No step between face neighbours leads past a line.
    for axis in range(3):
        first, second = np.moveaxis(tissue, axis, 0)[:-1], np.moveaxis(tissue, axis, 0)[1:]
        lined = np.moveaxis(np.isin(rim, (CSF, WM)), axis, 0)
        for other in (CSF, WM):
            border = (first == GM) & (second == other) | (first == other) & (second == GM)
            assert border.any()
            assert (lined[:-1] | lined[1:])[border].all()
    # Line voxels lie within half a voxel of the border, and about as many on either side.
    for border, line in ((0, WM), (1, CSF)):
        index = np.argwhere((rim == line) & (tissue == GM))
        truth = shape.sample(phantom.placement.own(index * spacing))
        away = truth.depth_equidistant if border else 1 - truth.depth_equidistant
        assert (away * truth.thickness).max() < spacing.max() / 2 + 1e-9
        share = len(index) / (rim == line).sum()
        assert 0.35 < share < 0.65
    assert (tissue[rim == GM] == GM).all()
    assert (tissue[rim != UNLABELLED] != UNLABELLED).all()


@every_shape
def test_cut_faces_exist_where_the_shape_ends(shape: shapes.Shape) -> None:
    labels = phantoms.make(shape, (0.4, 0.4, 0.4), rng()).labels.array
    beside_nothing = ndi.binary_dilation(labels == UNLABELLED) & (labels == GM)
    closed = isinstance(shape, shapes.Sphere) and shape.half_angle >= np.pi
    assert beside_nothing.any() != closed


@every_shape
def test_truth_turns_with_the_phantom(shape: shapes.Shape) -> None:
    """A point of the shape has the same truth wherever the shape is put, and the volume of
    gray matter and the mean thickness are the same at any spacing and orientation.

    No orientation is along the grid: there whole layers of voxels flip at a side."""
    turns = ([0.5, 0.7, -0.3], [-0.2, 0.4, 1.0])
    volumes, means = [], []
    for spacing in ((0.3, 0.3, 0.3), (0.5, 0.25, 0.25)):
        for turn in turns:
            rotation = Rotation.from_rotvec(turn).as_matrix()
            phantom = phantoms.make(shape, spacing, rng(), rotation=rotation)
            gray = phantom.labels.array == GM
            volumes.append(gray.sum() * phantom.grid.voxel_volume)
            means.append(phantom.thickness[gray].mean())
    assert np.ptp(volumes) < 0.02 * np.mean(volumes)
    assert np.ptp(means) < 2e-3 * np.mean(means)


def test_placement_is_random_and_repeatable() -> None:
    shape = SHAPES["sector"]
    first, again = (phantoms.make(shape, (0.5, 0.5, 0.5), rng()) for _ in range(2))
    np.testing.assert_array_equal(first.labels.array, again.labels.array)
    other = phantoms.place(shape, (0.5, 0.5, 0.5), np.random.default_rng(8))
    assert not np.allclose(other.rotation, first.placement.rotation)
    np.testing.assert_allclose(other.rotation @ other.rotation.T, np.eye(3), atol=1e-12)


def test_blocks_do_not_show(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = phantoms.make(SHAPES["sector"], (0.5, 0.5, 0.5), rng())
    monkeypatch.setattr(phantoms, "BLOCK_POINTS", 1)
    pieces = phantoms.make(SHAPES["sector"], (0.5, 0.5, 0.5), rng())
    np.testing.assert_array_equal(whole.depth_equivolume, pieces.depth_equivolume)
    np.testing.assert_array_equal(whole.labels.array, pieces.labels.array)


def test_strip_lengths_are_exact_to_rounding() -> None:
    """Against the trapezoid rule's error-free limit on a fine grid, extrapolated."""
    strip = SHAPES["folded sheet"].strip
    x, top = np.linspace(-12, 12, 41), strip.height / 2
    y = np.linspace(-top, top, 2049)
    stretch = np.abs(strip.derivative(x[:, None] + 1j * y))
    both = strip.lengths(x, np.full_like(x, -top), np.full_like(x, top))
    for power, integral in zip((1, 2), both, strict=True):
        fine, coarse = (
            integrate.trapezoid(stretch[:, ::s] ** power, y[::s], axis=1) for s in (1, 2)
        )
        np.testing.assert_allclose(integral, fine + (fine - coarse) / 3, rtol=1e-11)
