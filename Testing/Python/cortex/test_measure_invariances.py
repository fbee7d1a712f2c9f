"""What the measurement does not depend on: how axes are stored, place, direction, scale."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from numpy.typing import NDArray

from ALSMotorCortexLib.cortex import folded_sheet, phantoms
from ALSMotorCortexLib.cortex.grid import Grid, Image
from ALSMotorCortexLib.cortex.measure import measure
from ALSMotorCortexLib.cortex.result import RIBBON
from ALSMotorCortexLib.cortex.shapes import CSF, WM
from known_ribbons import (
    PER_VOXEL,
    SETTINGS,
    SEVEN_TESLA,
    cap,
    rearranged,
    turned,
)

ORDERS = [(0, 1, 2), (2, 0, 1), (1, 0, 2)]
rearrangements = pytest.mark.parametrize(
    "order, flips", [((0, 1, 2), (0,)), ((0, 1, 2), (0, 1, 2)), ((2, 0, 1), ()), ((1, 0, 2), (1,))]
)


def changes(order: tuple[int, int, int], flips: tuple[int, ...]) -> tuple[NDArray, NDArray]:
    """By how much thickness differs at every voxel after a rearrangement, and which voxels are
    away from the sides."""
    phantom, base = cap()
    labels = rearranged(phantom.labels, order, flips)
    measured = measure(labels, SETTINGS)
    expected = Image(base.paint(base.thickness, np.nan), phantom.grid)
    there = rearranged(expected, order, flips).array.reshape(-1)[measured.voxels]
    interior = rearranged(Image(phantom.interior, phantom.grid), order, flips).array
    return np.abs(measured.thickness - there), interior.reshape(-1)[measured.voxels]


@rearrangements
def test_thickness_does_not_depend_on_how_axes_are_stored(order, flips) -> None:
    change, interior = changes(order, flips)
    assert np.isfinite(change).all()
    assert change[interior].mean() < 0.006
    assert change[interior].max() < 0.03


@pytest.mark.parametrize("order", ORDERS[1:])
def test_nor_does_it_at_the_cut_sides(order) -> None:
    change, _ = changes(order, ())
    # Of several labels equally near to a voxel beyond the side, one is taken.
    assert np.quantile(change, 0.99) < 0.03


def test_turning_and_shifting_in_space_changes_nothing() -> None:
    phantom, base = cap()
    grid = turned(phantom.grid, (20, -50, 130), (30, -40, 55))
    measured = measure(Image(phantom.labels.array, grid), SETTINGS)
    for name in PER_VOXEL:
        assert_allclose(getattr(measured, name), getattr(base, name), atol=5e-3)
    # Left and right may come in where the ribbon lands.
    own = [m for m in measured.measures if m.region == RIBBON]
    assert_allclose([m.value for m in own], [m.value for m in base.measures], rtol=1e-3)


def test_mirroring_the_matrix_changes_nothing() -> None:
    phantom, base = cap()
    matrix = phantom.grid.ijk_to_ras @ np.diag([-1.0, 1, 1, 1])
    measured = measure(Image(phantom.labels.array, Grid(phantom.grid.shape, matrix)), SETTINGS)
    for name in PER_VOXEL:
        assert_allclose(getattr(measured, name), getattr(base, name), atol=1e-4)


def test_scaling_the_spacing_scales_lengths_areas_and_volumes() -> None:
    phantom, base = cap()
    grid = Grid.from_spacing(phantom.grid.shape, tuple(3 * s for s in SEVEN_TESLA))
    measured = measure(Image(phantom.labels.array, grid), SETTINGS)
    interior = phantom.interior.reshape(-1)[base.voxels]
    for name, factor in (("thickness", 3), ("depth_equidistant", 1), ("depth_equivolume", 1)):
        change = np.abs(getattr(measured, name) / factor - getattr(base, name))
        # Steps along field lines are chosen in mm, which is felt most at the cut sides.
        assert change[interior].mean() < 0.002 and change.mean() < 0.015
    for name, power in (("thickness_mean", 1), ("mid_surface_area", 2), ("ribbon_volume", 3)):
        assert measured.value(name) == pytest.approx(3**power * base.value(name), rel=5e-3)


def test_swapping_wm_and_csf_keeps_thickness_and_turns_depth_round() -> None:
    phantom, base = cap()
    swapped = measure(phantom.labels, replace(SETTINGS, wm=(CSF,), csf=(WM,)))
    assert np.abs(swapped.thickness - base.thickness).mean() < 0.001
    for name in PER_VOXEL[1:]:
        change = getattr(swapped, name) - (1 - getattr(base, name))
        # Whether a line that runs into a cut side stalls can turn on a last digit.
        assert np.abs(change).mean() < 0.0001 and np.quantile(np.abs(change), 0.999) < 0.001
    assert (swapped.normals * base.normals).sum(axis=1).max() < -0.999


def test_room_around_the_labels_does_not_matter() -> None:
    phantom, base = cap()
    wide = np.pad(phantom.labels.array, ((20, 3), (5, 30), (0, 17)))
    measured = measure(Image(wide, Grid.from_spacing(wide.shape, SEVEN_TESLA)), SETTINGS)
    assert len(measured.voxels) == len(base.voxels)
    inner = phantom.interior.reshape(-1)[base.voxels]
    assert_allclose(measured.thickness[inner], base.thickness[inner], atol=0.005)


def test_measuring_twice_gives_the_same_numbers() -> None:
    phantom, base = cap()
    again = measure(phantom.labels, SETTINGS)
    assert again.measures == base.measures
    assert_array_equal(again.thickness, base.thickness)


# Where the volume cuts


@pytest.fixture(scope="module")
def cut_by_the_volume() -> tuple[Image, NDArray]:
    """A fold that all sides of the volume cut, and its thickness (k, j, i)."""
    rng = np.random.default_rng(3)
    placed = phantoms.place(folded_sheet.FoldedSheet(height=2.4), SEVEN_TESLA, rng, keep=0.5)
    labels = placed.tissue_labels()
    return labels, thickness_of(labels.array, SEVEN_TESLA)


def thickness_of(array: NDArray, spacing: tuple[float, ...]) -> NDArray:
    measured = measure(Image(array, Grid.from_spacing(array.shape, spacing)), SETTINGS)
    thickness = np.full(array.size, np.nan)
    thickness[measured.voxels] = measured.thickness
    return thickness.reshape(array.shape)


def share_that_differs(one: NDArray, other: NDArray) -> float:
    """Of the measured voxels, by more than 0.01 mm; a line that all but grazes a side may tip."""
    assert_array_equal(np.isnan(one), np.isnan(other))
    return np.count_nonzero(np.abs(one - other) > 0.01) / np.count_nonzero(np.isfinite(one))


@pytest.mark.parametrize("order", [(0, 2, 1), (1, 2, 0), (2, 1, 0)])
def test_axes_may_come_in_any_order_where_the_volume_cuts(cut_by_the_volume, order) -> None:
    labels, expected = cut_by_the_volume
    turned = np.ascontiguousarray(labels.array.transpose(order))
    found = thickness_of(turned, tuple(SEVEN_TESLA[a] for a in order))
    assert share_that_differs(found.transpose(np.argsort(order)), expected) < 0.002


@pytest.mark.parametrize("scale", [0.3, 2.0])
def test_thickness_scales_where_the_volume_cuts(cut_by_the_volume, scale) -> None:
    labels, expected = cut_by_the_volume
    found = thickness_of(labels.array, tuple(scale * s for s in SEVEN_TESLA))
    assert share_that_differs(found / scale, expected) < 0.002
