"""Field lines: their lengths, ends, directions and the volume around them."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache

import numpy as np
import pytest
from numpy.testing import assert_allclose
from numpy.typing import NDArray

from ALSMotorCortexLib.cortex.errors import Cancelled
from ALSMotorCortexLib.cortex.grid import Grid, Image
from ALSMotorCortexLib.cortex.laplace import Domain, make_domain, solve_potential
from ALSMotorCortexLib.cortex.ribbon import PIAL, WHITE, Ribbon, make_ribbon
from ALSMotorCortexLib.cortex.settings import Settings
from ALSMotorCortexLib.cortex.shapes import CSF, GM, UNLABELLED, WM
from ALSMotorCortexLib.cortex.streamlines import Streamlines, follow_streamlines
from known_ribbons import SETTINGS, flat, hidden, scrambled, tube

INNER, OUTER = 4.0, 6.5
SPACING = (0.25, 0.25, 0.25)


def lines_of(labels: Image, chosen: Settings = SETTINGS) -> tuple[Ribbon, Domain, Streamlines]:
    ribbon = make_ribbon(labels, chosen)
    domain = make_domain(ribbon)
    return ribbon, domain, follow_streamlines(domain, solve_potential(domain))


@lru_cache
def shell() -> tuple[NDArray, NDArray, Streamlines]:
    """Radius (n,) and index points (n, 3) of a tube's voxels, and their lines."""
    labels, radius = tube(8, SPACING, INNER, OUTER)
    ribbon, domain, lines = lines_of(labels)
    voxels = ribbon.grid_indices(domain.box_voxels())
    points = np.stack(np.unravel_index(voxels, labels.grid.shape), axis=1)
    return radius.reshape(-1)[voxels], points, lines


def from_axis(points: NDArray) -> NDArray:
    """(n, 3) mm from the tube's axis of index points."""
    size = int(np.ceil(2 * (OUTER + 1.5) / SPACING[1]))
    return (points - [0, size / 2 - 0.3, size / 2]) * SPACING * np.array([0, 1, 1])


# Slices along the axis are alike and do not average the staircase.
PLACE_MM = 0.2 * SPACING[0]


def test_lengths_to_both_borders() -> None:
    radius, _, lines = shell()
    for length, truth in ((lines.to_white, radius - INNER), (lines.to_pial, OUTER - radius)):
        assert np.abs(np.mean(length - truth)) < 0.01
        assert np.abs(length - truth).mean() < PLACE_MM
    assert_allclose(lines.thickness, lines.to_white + lines.to_pial)


@pytest.mark.parametrize("seed", range(4))
def test_no_length_is_negative(seed: int) -> None:
    _, _, lines = lines_of(scrambled(seed, 1.0))
    known = np.isfinite(lines.thickness)
    assert (lines.to_white[known] >= 0).all() and (lines.to_pial[known] >= 0).all()
    assert (lines.volume_to_white[known] >= 0).all() and (lines.volume_to_pial[known] >= 0).all()


def test_lines_point_and_end_where_radii_do() -> None:
    radius, points, lines = shell()
    outward = from_axis(points) / radius[:, None]
    assert_allclose(np.linalg.norm(lines.normals, axis=1), 1, rtol=1e-5)
    # From the pial surface towards the white matter, so inward here.
    assert (lines.normals * -outward).sum(axis=1).mean() > 0.999
    for code, at in ((WHITE, INNER), (PIAL, OUTER)):
        end = from_axis(lines.ends[code] + box_start())
        assert np.abs(np.linalg.norm(end, axis=1) - at).mean() < PLACE_MM
        turned = (end * outward).sum(axis=1) / np.linalg.norm(end, axis=1)
        assert turned.mean() > 0.9999
        assert_allclose(lines.ends[code][:, 0], points[:, 0], atol=0.02)


def box_start() -> NDArray:
    labels, _ = tube(8, SPACING, INNER, OUTER)
    return np.array(make_ribbon(labels, SETTINGS).start)


def test_volumes_are_those_of_a_wedge() -> None:
    radius, _, lines = shell()
    share = lines.volume_to_pial / (lines.volume_to_pial + lines.volume_to_white)
    truth = (OUTER**2 - radius**2) / (OUTER**2 - INNER**2)
    assert np.abs(share - truth).mean() < 0.015
    # A plain share of the length would be off by more.
    assert np.abs((OUTER - radius) / (OUTER - INNER) - truth).mean() > 0.02


def test_true_spacing_counts_along_every_axis() -> None:
    for axis, spacing in enumerate([(0.4, 0.25, 0.2), (0.25, 0.4, 0.2), (0.2, 0.25, 0.4)]):
        layers = flat((20, 20, 20), 6, 8).array
        array = np.ascontiguousarray(np.moveaxis(layers, 1, axis))
        _, _, lines = lines_of(Image(array, Grid.from_spacing((20, 20, 20), spacing)))
        assert_allclose(lines.thickness, 8 * spacing[axis], rtol=0.02)
        assert_allclose(np.abs(lines.normals[:, axis]), 1, atol=1e-3)


def test_lines_beside_a_cut_run_along_it() -> None:
    labels = flat((9, 26, 14), 8, 10)
    cut = hidden(labels, np.indices(labels.array.shape)[2] < 5)
    for part in (labels, cut):
        _, _, lines = lines_of(part)
        assert np.isfinite(lines.thickness).all()
        assert_allclose(lines.thickness, 10, atol=0.05)


def test_pieces_without_both_borders_have_no_line() -> None:
    labels = flat((6, 30, 10), 8, 8)
    array = labels.array.copy()
    array[:, 22:26], array[:, 26:] = GM, UNLABELLED
    keep = SETTINGS.with_values({"drop_islands_mm3": 0})
    ribbon, domain, lines = lines_of(Image(array, labels.grid), keep)
    j = np.unravel_index(ribbon.grid_indices(domain.box_voxels()), array.shape)[1]
    loose = j >= 22
    assert loose.any() and not loose.all()
    for values in (lines.thickness, lines.volume_to_pial, lines.ends[WHITE][:, 0]):
        assert np.isnan(values[loose]).all() and np.isfinite(values[~loose]).all()


def test_swapping_the_borders_swaps_the_lengths() -> None:
    labels, _ = tube(8, SPACING, INNER, OUTER)
    _, _, swapped = lines_of(labels, replace(SETTINGS, wm=(CSF,), csf=(WM,)))
    _, _, lines = shell()
    assert_allclose(swapped.to_white, lines.to_pial, atol=0.003)
    assert_allclose(swapped.to_pial, lines.to_white, atol=0.003)
    assert (swapped.normals * lines.normals).sum(axis=1).max() < -0.999


def test_progress_rises_to_one_and_can_stop_the_lines() -> None:
    labels, _ = tube(6, SPACING)
    domain = make_domain(make_ribbon(labels, SETTINGS))
    potential = solve_potential(domain)
    seen: list[float] = []
    follow_streamlines(domain, potential, seen.append)
    assert seen == sorted(set(seen)) and seen[-1] == 1

    def stop(_: float) -> None:
        raise Cancelled

    with pytest.raises(Cancelled):
        follow_streamlines(domain, potential, stop)


def test_a_dead_end_is_measured_like_its_neighbours() -> None:
    codes = np.full((24, 24, 24), UNLABELLED, np.uint8)
    codes[4:20, :8, 4:20], codes[4:20, 8:16, 4:20], codes[4:20, 16:, 4:20] = WM, GM, CSF
    codes[12, 12, 20] = GM  # hangs by one face; nothing can flow through it
    labels = Image(codes, Grid.from_spacing(codes.shape, SPACING))
    ribbon, domain, lines = lines_of(labels)
    voxels = ribbon.grid_indices(domain.box_voxels())
    spur = np.flatnonzero(voxels == np.ravel_multi_index((12, 12, 20), codes.shape))
    assert_allclose(lines.thickness[spur], 2.0, atol=0.05)
    assert_allclose(lines.normals[spur], [[0, -1, 0]], atol=0.05)
