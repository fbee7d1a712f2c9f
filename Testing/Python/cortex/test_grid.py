"""Where voxels lie: matrices, spacings, anatomical planes, and headers that make no sense."""

from __future__ import annotations

from itertools import permutations, product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from ALSMotorCortexLib.cortex.errors import InputError
from ALSMotorCortexLib.cortex.grid import Grid, Image
from known_ribbons import rearranged, turned

angles = st.tuples(*[st.floats(-180, 180)] * 3)
shifts = st.tuples(*[st.floats(-200, 200)] * 3)
spacings = st.tuples(*[st.floats(0.05, 5)] * 3)


def test_spacing_is_given_and_read_along_k_j_i() -> None:
    grid = Grid.from_spacing((3, 4, 5), (1.5, 0.25, 0.2))
    assert grid.spacing == (1.5, 0.25, 0.2)
    assert grid.voxel_volume == pytest.approx(0.075)
    # One voxel on along i is one step to the right, along k one up.
    assert_allclose(grid.ras([[0, 0, 1], [0, 1, 0], [1, 0, 0]]), np.diag([0.2, 0.25, 1.5]))


@given(angles, shifts, spacings)
def test_turning_and_shifting_keeps_spacing_and_distances(angles, shift, spacing) -> None:
    upright = Grid.from_spacing((3, 4, 5), spacing)
    grid = turned(upright, angles, shift)
    assert_allclose(grid.spacing, spacing, rtol=1e-9)
    points = np.array([[0, 0, 0], [2, 3, 4.5], [-1, 0.5, 0]])
    for one, other in ((0, 1), (1, 2)):
        expected = np.linalg.norm((points[one] - points[other]) * spacing)
        measured = np.linalg.norm(grid.ras(points)[one] - grid.ras(points)[other])
        assert measured == pytest.approx(expected)


@given(angles, shifts, spacings, st.sets(st.integers(0, 2)))
def test_index_points_come_back_from_ras(angles, shift, spacing, flips) -> None:
    upright = Image(np.zeros((3, 4, 5)), Grid.from_spacing((3, 4, 5), spacing))
    grid = turned(rearranged(upright, (0, 1, 2), tuple(flips)).grid, angles, shift)
    points = np.array([[0, 0, 0], [2, 3, 4], [0.5, -1.25, 7]])
    assert_allclose(grid.kji(grid.ras(points)), points, atol=1e-6)


def test_grids_are_the_same_only_when_every_corner_is() -> None:
    grid = Grid.from_spacing((101, 4, 5), (1, 1, 1))
    assert grid.same_as(turned(grid, (0, 0, 0), (5e-4, 0, 0)))
    assert not grid.same_as(turned(grid, (0, 0, 0), (2e-3, 0, 0)))
    assert grid.same_as(turned(grid, (0, 0, 0), (2e-3, 0, 0)), tolerance_mm=0.01)
    # A turn that leaves the first voxel where it was moves the last slice.
    assert not grid.same_as(turned(grid, (0.01, 0, 0), (0, 0, 0)))
    assert not grid.same_as(Grid.from_spacing((101, 4, 6), (1, 1, 1)))


@pytest.mark.parametrize("order", list(permutations(range(3))))
@pytest.mark.parametrize("flips", [(), (0,), (1, 2), (0, 1, 2)])
def test_planes_are_found_however_the_axes_are_stored(order, flips) -> None:
    upright = Image(np.zeros((3, 4, 5)), Grid.from_spacing((3, 4, 5), (1, 2, 3)))
    grid = rearranged(upright, order, flips).grid
    # The upright grid has its slices across k = inferior-superior, j = posterior-anterior.
    for plane, axis in (("axial", 0), ("coronal", 1), ("sagittal", 2)):
        assert grid.plane_axis(plane) == order.index(axis)


@given(st.tuples(*[st.floats(-20, 20)] * 3))
def test_planes_are_those_nearest_to_a_tilted_grid(tilt) -> None:
    grid = turned(Grid.from_spacing((3, 4, 5), (3, 0.2, 0.2)), tilt, (0, 0, 0))
    assert [grid.plane_axis(p) for p in ("axial", "coronal", "sagittal")] == [0, 1, 2]


@pytest.mark.parametrize("column, axis", list(enumerate("ijk")))
def test_spacing_of_zero_names_its_axis(column: int, axis: str) -> None:
    matrix = np.eye(4)
    matrix[column, column] = 0
    with pytest.raises(InputError, match=f"zero along axis {axis}"):
        Grid((3, 4, 5), matrix)


@pytest.mark.parametrize("place", list(product((0, 2), (0, 3))))
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_matrix_of_no_numbers_is_refused(place, value) -> None:
    matrix = np.eye(4)
    matrix[place] = value
    with pytest.raises(InputError, match="not numbers"):
        Grid((3, 4, 5), matrix)


@pytest.mark.parametrize("degrees", [60.0, 89.0, 100.0])
def test_skewed_axes_are_refused_with_their_angle(degrees: float) -> None:
    matrix = np.diag([0.2, 0.3, 2.0, 1.0])
    matrix[:2, 1] = 0.3 * np.array([np.cos(np.radians(degrees)), np.sin(np.radians(degrees))])
    acute = min(degrees, 180 - degrees)
    with pytest.raises(InputError, match=f"meet at {acute:.1f} degrees"):
        Grid((3, 4, 5), matrix)


def test_rounding_of_a_stored_matrix_is_not_skew() -> None:
    matrix = turned(Grid.from_spacing((3, 4, 5), (2, 0.2, 0.2)), (31, 17, 57), (0, 0, 0))
    rounded = np.round(matrix.ijk_to_ras, 5).astype(np.float32)
    assert_allclose(Grid((3, 4, 5), rounded).spacing, (2, 0.2, 0.2), rtol=1e-3)


def test_programming_errors_are_not_shown_as_user_errors() -> None:
    with pytest.raises(ValueError, match="4 x 4"):
        Grid((3, 4, 5), np.eye(3))
    with pytest.raises(ValueError, match=r"array is \(3, 4, 6\)"):
        Image(np.zeros((3, 4, 6)), Grid.from_spacing((3, 4, 5), (1, 1, 1)))
