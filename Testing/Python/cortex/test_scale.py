"""Every second voxel: averaged before others are left out, and interpolated back."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy import ndimage

from ALSMotorCortexLib.cortex.scale import Scale, every_voxel, halved, with_ends

SHAPES = [(12, 13, 14), (4, 5, 7), (1, 8, 9)]


def axes_of(shape: tuple[int, ...]) -> list[int]:
    return [a for a, n in enumerate(shape) if n > 1]


@pytest.mark.parametrize("shape", SHAPES)
def test_halving_averages_with_binomial_weights(shape: tuple[int, int, int]) -> None:
    array = np.random.default_rng(1).random(shape).astype(np.float32)
    axes, weights = axes_of(shape), np.array([1, 4, 6, 4, 1]) / 16
    # One place more at either end, of an array that goes on as it is at its ends.
    more = [(2, 3) if a in axes else (0, 0) for a in range(3)]
    expected = np.pad(array.astype(float), more, "edge")
    for axis in axes:
        expected = ndimage.correlate1d(expected, weights, axis, mode="nearest")
        expected = expected.take(range(0, shape[axis] + shape[axis] % 2 + 3, 2), axis)
    assert_allclose(halved(array, axes_of(shape)), expected, rtol=1e-6)


def test_a_label_is_halved_without_rounding() -> None:
    mask = (np.random.default_rng(2).random((20, 21, 22)) > 0.5).astype(np.float32)
    whole = halved(mask, [0, 1, 2]) + halved(1 - mask, [0, 1, 2])
    np.testing.assert_array_equal(whole, 1)


@pytest.mark.parametrize("shape", [(26, 27, 28), (1, 30, 31)])
def test_values_between_are_exact_for_polynomials(shape: tuple[int, int, int]) -> None:
    axes = axes_of(shape)
    places = np.indices(shape) / 30 - 0.5
    truth = 1 + sum(places[a] ** (3 + a) - places[a] * places[axes[0]] for a in axes)
    coarse = truth[tuple(slice(None, None, 2 if a in axes else 1) for a in range(3))]
    coarse = np.pad(coarse, [(int(a in axes),) * 2 for a in range(3)], "edge")
    inner = tuple(slice(6, n - 6) if n > 1 else slice(None) for n in shape)
    part = tuple(slice(0, n) for n in shape)
    fine = every_voxel(with_ends(coarse.astype(np.float32), axes), part, axes)
    assert fine.shape == shape
    assert_allclose(fine[inner], truth[inner], atol=2e-6)


def test_a_part_is_a_part_of_the_whole() -> None:
    coarse = with_ends(np.random.default_rng(3).random((2, 12, 11, 14)).astype(np.float32), [0, 2])
    whole = every_voxel(coarse, (slice(0, 20), slice(0, 11), slice(0, 23)), [0, 2])
    part = (slice(4, 15), slice(3, 9), slice(0, 23))
    np.testing.assert_array_equal(every_voxel(coarse, part, [0, 2]), whole[(slice(None), *part)])


def test_only_fine_measured_axes_are_halved() -> None:
    assert Scale((1.5, 0.25, 0.25), (0, 1, 2), (90, 90, 90)).halved == [1, 2]
    assert Scale((0.25, 0.25, 0.25), (0, 2), (90, 90, 90)).halved == [0, 2]
    assert Scale((0.25, 0.25, 0.25), (0, 1, 2), (3, 900, 90)).halved == [1, 2]


def test_small_boxes_are_not_halved() -> None:
    assert Scale((0.25, 0.25, 0.25), (0, 1, 2), (40, 40, 40)).halved == []
