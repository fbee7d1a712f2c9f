"""Voxels in cells of two: sums, blurring and minima against the same on all voxels."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ALSMotorCortexLib.cortex.cells import Cells

SHAPE = (9, 10, 11)
VOXELS = np.random.default_rng(0).permutation(np.prod(SHAPE))[:300]


@given(st.integers(0, 10**6), st.sets(st.integers(0, 2)))
def test_lowest_is_that_of_the_voxels_in_each_cell(seed, halved) -> None:
    rng = np.random.default_rng(seed)
    cells = Cells(VOXELS, SHAPE, halved)
    places = rng.choice(len(VOXELS), 40)
    values = rng.integers(0, 5, 40)
    box = cells.lowest(places, values, 7)
    sizes = [2 if a in halved else 1 for a in range(3)]
    cell = np.stack(np.unravel_index(VOXELS[places], SHAPE), axis=1) // sizes
    expected = np.full([-(-n // s) for n, s in zip(SHAPE, sizes, strict=True)], 7)
    for at, value in zip(cell, values, strict=True):
        expected[tuple(at)] = min(expected[tuple(at)], value)
    np.testing.assert_array_equal(box, expected)
    assert (cells.read(box)[places] <= values).all()


@pytest.mark.parametrize("halved", [(), (0, 1, 2), (1, 2)])
def test_blurring_keeps_a_mean_and_spreads_to_neighbours(halved) -> None:
    every = np.arange(np.prod(SHAPE))
    cells = Cells(every, SHAPE, halved)
    ones = cells.blurred(np.ones(len(every)), (2.0, 2.0, 2.0))
    threes = cells.blurred(np.full(len(every), 3.0), (2.0, 2.0, 2.0))
    np.testing.assert_allclose(threes, 3 * ones, rtol=1e-5)
    spike = np.zeros(len(every))
    middle = np.ravel_multi_index((4, 4, 4), SHAPE)
    spike[middle] = 1
    spread = cells.blurred(spike, (2.0, 2.0, 2.0)).reshape(SHAPE)
    assert spread[4, 4, 4] == spread.max() > spread[4, 4, 8] > 0
