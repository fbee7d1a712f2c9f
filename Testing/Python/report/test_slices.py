"""Which way up slices are, which are chosen, and what is cut out of them."""

from __future__ import annotations

from itertools import permutations, product
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ALSMotorCortexLib.cortex.grid import Grid, Image
from ALSMotorCortexLib.report import slices

SIZES = {0: 9, 1: 11, 2: 7}  # voxels along R, A, S
STEPS = {0: 0.5, 1: 0.25, 2: 2.0}
TOWARD = {"R": (0, 1), "L": (0, -1), "A": (1, 1), "P": (1, -1), "S": (2, 1), "I": (2, -1)}
EXPECTED = {
    "axial": {"left": "R", "right": "L", "top": "A", "bottom": "P"},
    "coronal": {"left": "R", "right": "L", "top": "S", "bottom": "I"},
    "sagittal": {"left": "A", "right": "P", "top": "S", "bottom": "I"},
}


def grid_of(order, signs) -> Grid:
    """A grid whose i, j, k axes run along these RAS axes, forwards or backwards."""
    matrix = np.eye(4)
    matrix[:3, :3] = 0
    for column, (axis, sign) in enumerate(zip(order, signs, strict=True)):
        matrix[axis, column] = sign * STEPS[axis]
    return Grid(tuple(SIZES[a] for a in order[::-1]), matrix)


GRIDS = [grid_of(o, s) for o in permutations(range(3)) for s in product((1, -1), repeat=3)]


def fake(grid: Grid, mask) -> SimpleNamespace:
    return SimpleNamespace(grid=grid, voxels=np.flatnonzero(mask))


@pytest.mark.parametrize("plane", EXPECTED)
def test_letters_hold_for_every_permutation_and_mirror(plane):
    for grid in GRIDS:
        check_letters(grid, plane)


def check_letters(grid, plane):
    """The letter at a side is where RAS grows or falls toward that side, read off the picture."""
    view = slices.view_of(grid, plane)
    assert view.plane == plane
    assert view.letters() == EXPECTED[plane]
    ras = grid.ras(np.argwhere(np.ones(grid.shape)))
    for axis in range(3):
        volume = Image(ras[:, axis].reshape(grid.shape), grid)
        window = slices.Window(0, 0, *view.shape, (0, 0, *map(float, view.shape)))
        picture = slices.slice_values(volume, view, 0, window)
        for (first, last), (low, high) in {
            ("left", "right"): (picture[0, 0], picture[0, -1]),
            ("top", "bottom"): (picture[0, 0], picture[-1, 0]),
        }.items():
            along, sign = TOWARD[view.letters()[last]]
            assert np.sign(high - low) == (sign if along == axis else 0)
            assert view.letters()[first] != view.letters()[last]


@pytest.mark.parametrize("plane", EXPECTED)
def test_a_marked_voxel_appears_at_its_row_and_column(plane):
    for grid in GRIDS:
        check_marked_voxel(grid, plane)


def check_marked_voxel(grid, plane):
    """A voxel near R, A and S lies near the sides with these letters."""
    view = slices.view_of(grid, plane)
    ras = grid.ras(np.argwhere(np.ones(grid.shape)))
    corner = np.argmax(ras @ [1.0, 1.0, 1.0])
    labels = np.zeros(grid.shape, np.uint8)
    labels.reshape(-1)[corner] = 5
    index = int(np.unravel_index(corner, grid.shape)[view.axis])
    window = slices.Window(0, 0, *view.shape, (0, 0, *map(float, view.shape)))
    picture = slices.slice_labels(Image(labels, grid), view, index, window)
    row, column = np.argwhere(picture == 5)[0]
    letters = view.letters()
    assert row == (0 if letters["top"] in "RAS" else view.shape[0] - 1)
    assert column == (0 if letters["left"] in "RAS" else view.shape[1] - 1)
    (part,) = slices.ribbon_slices(fake(grid, labels > 0), view)
    assert part.index == index
    assert (part.paint(np.array([5])) == picture).all()


def test_oblique_axes_get_two_letters():
    c = np.sqrt(0.5)
    matrix = np.eye(4)
    matrix[:3, :3] = [[c, -c, 0], [c, c, 0], [0, 0, 1]]
    letters = slices.view_of(Grid((4, 5, 6), matrix), "axial").letters()
    assert all(len(text) == 2 for text in letters.values())
    assert {frozenset(t) for t in letters.values()} == {
        frozenset(t) for t in ("RA", "LP", "RP", "LA")
    }


@pytest.mark.parametrize(
    ("shape", "spacing", "plane"),
    [
        ((30, 30, 30), (1, 1, 1), "axial"),
        ((30, 30, 30), (0.3, 2.0, 0.3), "coronal"),
        ((30, 30, 30), (0.3, 0.3, 2.0), "sagittal"),
        ((30, 1, 30), (1, 1, 1), "coronal"),
        ((30, 30, 30), (2, 2, 0.3), "axial"),
    ],
)
def test_plane_without_a_setting(shape, spacing, plane):
    assert slices.view_of(Grid.from_spacing(shape, spacing)).plane == plane


def test_slices_share_the_ribbon_area():
    """Nine slices of equal area and many empty ones: the middle of each third is shown."""
    mask = np.zeros((40, 6, 6), bool)
    mask[20:29, 2:4, 2:4] = True
    grid = Grid.from_spacing(mask.shape, (1, 1, 1))
    parts = slices.ribbon_slices(fake(grid, mask), slices.view_of(grid))
    assert [p.index for p in parts] == [21, 24, 27]


@given(st.lists(st.integers(0, 9), min_size=1, max_size=12).filter(any), st.integers(1, 4))
def test_no_slice_without_ribbon_is_shown(areas, most):
    mask = np.zeros((len(areas), 1, 9), bool)
    for k, area in enumerate(areas):
        mask[k, 0, :area] = True
    grid = Grid.from_spacing(mask.shape, (1, 1, 1))
    parts = slices.ribbon_slices(fake(grid, mask), slices.view_of(grid, "axial"), most)
    assert 1 <= len(parts) <= most
    assert all(areas[p.index] == len(p.where) > 0 for p in parts)
    assert len({p.index for p in parts}) == len(parts)


@given(
    st.tuples(st.integers(0, 39), st.integers(0, 59)),
    st.tuples(st.integers(1, 40), st.integers(1, 60)),
    st.tuples(st.floats(0.1, 3), st.floats(0.1, 3)),
)
def test_window_holds_the_ribbon_and_is_neither_tall_nor_wide(corner, size, spacing):
    mask = np.zeros((1, 40, 60), bool)
    mask[0, corner[0] : corner[0] + size[0], corner[1] : corner[1] + size[1]] = True
    grid = Grid.from_spacing(mask.shape, (1.0, *spacing))
    parts = slices.ribbon_slices(fake(grid, mask), slices.view_of(grid))
    window = slices.window_around(parts)
    picture = parts[0].paint(np.ones(mask.sum(), bool))
    assert window.cut(picture).sum() == mask.sum()
    assert window.cut(picture).shape == (window.height, window.width)
    top, left, height, width = window.frame
    assert top <= parts[0].rows.min() and top + height >= parts[0].rows.max() + 1
    assert left <= parts[0].columns.min() and left + width >= parts[0].columns.max() + 1
    tall, wide = height * spacing[0], width * spacing[1]
    assert tall <= slices.TALLEST * wide * (1 + 1e-6)
    assert wide <= slices.WIDEST * tall * (1 + 1e-6)


def test_map_on_another_grid_lands_at_its_place():
    """A map that holds its own RAS coordinate shows the labels' coordinate on their slice."""
    grid = grid_of((1, 0, 2), (-1, 1, 1))
    matrix = np.diag([0.9, -0.8, 1.1, 1.0])
    matrix[:3, 3] = [-3.0, 3.0, -2.0]
    other = Grid((20, 30, 30), matrix)
    ras = other.ras(np.argwhere(np.ones(other.shape)))
    view = slices.view_of(grid, "axial")
    window = slices.Window(1, 2, 5, 4, (1, 2, 5, 4))
    wanted = grid.ras(np.argwhere(np.ones(grid.shape)))
    for axis in range(3):
        image = Image(ras[:, axis].reshape(other.shape), other)
        here = Image(wanted[:, axis].reshape(grid.shape), grid)
        got = slices.slice_values(image, view, 3, window)
        assert got.shape == (5, 4)
        assert np.abs(got - slices.slice_values(here, view, 3, window)).max() < 1e-5


def test_map_that_misses_the_slice_is_nan():
    grid = Grid.from_spacing((4, 5, 6), (1, 1, 1))
    far = np.eye(4)
    far[:3, 3] = 100
    window = slices.Window(0, 0, 5, 6, (0, 0, 5, 6))
    picture = slices.slice_values(
        Image(np.ones((4, 5, 6)), Grid((4, 5, 6), far)), slices.view_of(grid), 1, window
    )
    assert np.isnan(picture).all()


def test_position_is_the_slice_in_ras():
    matrix = np.diag([1.0, 1.0, 2.5, 1.0])
    matrix[2, 3] = -10
    view = slices.view_of(Grid((9, 5, 5), matrix), "axial")
    assert view.position(0) == "I 10.0 mm"
    assert view.position(8) == "S 10.0 mm"
