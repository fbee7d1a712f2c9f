"""Values brought from one grid to the voxels of another."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from ALSMotorCortexLib.cortex.errors import InputError
from ALSMotorCortexLib.cortex.grid import Grid, Image
from ALSMotorCortexLib.cortex.resample import label_values, map_values
from known_ribbons import rearranged, turned

GRID = turned(Grid.from_spacing((5, 6, 7), (0.3, 0.2, 0.25)), (20, -30, 40), (5, -6, 7))
ALL = np.arange(5 * 6 * 7)
SLOPE, OFFSET = np.array([0.3, -0.7, 0.5]), 12.0


def centres(grid: Grid) -> np.ndarray:
    """(n, 3) RAS of every voxel centre."""
    return grid.ras(np.indices(grid.shape).reshape(3, -1).T)


def linear(grid: Grid) -> Image:
    """A field that rises linearly in RAS, sampled on a grid."""
    values = centres(grid) @ SLOPE + OFFSET
    return Image(values.reshape(grid.shape), grid, "field")


def around(centre: np.ndarray, spacing: tuple[float, float, float], angles) -> Grid:
    """A turned grid of 8 mm with its middle at a RAS place."""
    shape = tuple(int(np.ceil(8 / s)) for s in spacing)
    grid = turned(Grid.from_spacing(shape, spacing), angles, (0, 0, 0))
    middle = grid.ras((np.array([shape]) - 1) / 2)[0]
    return turned(grid, (0, 0, 0), tuple(centre - middle))


@given(st.tuples(*[st.floats(-180, 180)] * 3), st.tuples(*[st.floats(0.2, 1.5)] * 3))
def test_a_linear_field_comes_through_exactly(angles, spacing) -> None:
    other = around(centres(GRID).mean(axis=0), spacing, angles)
    expected = centres(GRID) @ SLOPE + OFFSET
    assert_allclose(map_values(linear(other), GRID, ALL), expected, rtol=1e-5)


def test_only_the_voxels_that_are_asked_for_come_back_in_their_order() -> None:
    voxels = np.array([200, 3, 77])
    expected = (centres(GRID) @ SLOPE + OFFSET)[voxels]
    assert_allclose(map_values(linear(GRID), GRID, voxels), expected, rtol=1e-6)
    mirrored = rearranged(linear(GRID), (2, 0, 1), (1,))
    assert_allclose(map_values(mirrored, GRID, voxels), expected, rtol=1e-5)


def test_on_the_same_grid_values_are_not_touched() -> None:
    noise = np.random.default_rng(0).normal(size=GRID.shape).astype(np.float32)
    assert_array_equal(map_values(Image(noise, GRID), GRID, ALL), noise.reshape(-1))


def test_outside_the_map_there_is_no_value() -> None:
    # The map ends in the middle of the labels, half a voxel beyond its last centre.
    grid = Grid.from_spacing((4, 4, 20), (1, 1, 1))
    short = turned(Grid.from_spacing((4, 4, 10), (1, 1, 1)), (0, 0, 0), (0.2, 0, 0))
    values = map_values(linear(short), grid, np.arange(20))
    reach = np.arange(20) <= 9.7
    assert_array_equal(np.isfinite(values), reach)
    inner = (np.arange(20) >= 0.2) & (np.arange(20) <= 9.2)
    assert_allclose(values[inner], (centres(grid)[:20] @ SLOPE + OFFSET)[inner], rtol=1e-5)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_what_is_not_a_number_stays_out(bad: float) -> None:
    field = linear(GRID)
    field.array[2, 3, 4] = bad
    here = int(np.ravel_multi_index((2, 3, 4), GRID.shape))
    values = map_values(field, GRID, ALL)
    assert np.isnan(values[here]) and np.isfinite(np.delete(values, here)).all()
    # On another grid it spoils what lies within a voxel of it, and nothing else.
    finer = Grid.from_spacing((9, 11, 13), (0.15, 0.1, 0.125))
    finer = turned(finer, (20, -30, 40), (5, -6, 7))
    values = map_values(field, finer, np.arange(9 * 11 * 13)).reshape(finer.shape)
    expected = (centres(finer) @ SLOPE + OFFSET).reshape(finer.shape)
    near = np.abs(np.indices(finer.shape).T / 2 - [2, 3, 4]).max(axis=-1).T < 1.01
    assert np.isnan(values[4, 6, 8])
    assert np.isfinite(values[~near]).all()
    assert_allclose(values[~near], expected[~near], rtol=1e-4)


def test_map_elsewhere_is_refused_by_name() -> None:
    far = linear(turned(GRID, (0, 0, 0), (100, 0, 0)))
    with pytest.raises(InputError, match="map field and the labels do not overlap"):
        map_values(far, GRID, ALL)


def test_labels_are_taken_from_the_nearest_voxel_and_are_zero_outside() -> None:
    grid = Grid.from_spacing((1, 1, 12), (1, 1, 0.5))
    coarse = turned(Grid.from_spacing((1, 1, 3), (1, 1, 1.5)), (0, 0, 0), (0.1, 0, 0))
    image = Image(np.array([[[7, 0, 9]]], np.uint8), coarse)
    found = label_values(image, grid, np.arange(12))
    x = 0.5 * np.arange(12)
    nearest = np.array([7, 0, 9])[np.abs(x[:, None] - [0.1, 1.6, 3.1]).argmin(axis=1)]
    assert_array_equal(found, np.where(x <= 3.85, nearest, 0))
    assert found.dtype == np.uint8


@given(st.permutations(range(3)), st.sets(st.integers(0, 2)))
def test_labels_are_found_however_their_axes_are_stored(order, flips) -> None:
    labels = Image(np.random.default_rng(1).integers(0, 9, GRID.shape), GRID)
    stored = rearranged(labels, tuple(order), tuple(flips))
    assert_array_equal(label_values(stored, GRID, ALL), labels.array.reshape(-1))
