"""Arcs along the borders within thick slices: circles are found again from their labels."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from numpy.typing import NDArray

from ALSMotorCortexLib.cortex.arcs import follow_arcs

STEPS = (6.0, 1.0, 1.0)
NEAR = 2.5


def grid(shape: tuple[int, int, int], steps: tuple[float, float, float] = STEPS) -> NDArray:
    """(3, k, j, i) places of voxel centres in voxels of the finest axis, from the middle."""
    middle = (np.array(shape) - 1) / 2
    return (np.moveaxis(np.indices(shape), 0, -1) - middle) @ np.diag(steps)


def arcs_of(truth: NDArray, noise: float = 0.1, measured: bool = True, **given_as: NDArray):
    """Errors before and after, from labels of a signed distance and a guess of that distance."""
    rng = np.random.default_rng(0)
    guess = (truth + rng.normal(0, noise, truth.shape)).astype(np.float32)
    guess = np.where(truth > 0, np.maximum(guess, 0.02), np.minimum(guess, -0.02))
    guess[np.abs(truth) > NEAR] = np.nan
    inside = given_as.get("inside", (truth > 0)).astype(np.float32)
    found = follow_arcs(guess, inside, STEPS, 0, measured)
    near = np.isfinite(guess)
    return guess, found, near


def disc(radius: float, centre: tuple[float, float] = (0.31, -0.22), slices: int = 3) -> NDArray:
    size = int(2 * radius + 16)
    _, j, i = np.moveaxis(grid((slices, size, size)), -1, 0)
    return radius - np.hypot(j - centre[0], i - centre[1])


@pytest.mark.parametrize("radius", [9.0, 12.3, 20.0, 32.7])
@pytest.mark.parametrize("sign", [1, -1])
def test_a_circle_is_found_to_a_twentieth_of_a_voxel(radius: float, sign: int) -> None:
    rng = np.random.default_rng(5)
    errors = []
    for _ in range(5):
        size = radius + rng.uniform(-0.5, 0.5)
        truth = sign * disc(size, tuple(rng.uniform(-0.5, 0.5, 2)), slices=1)
        guess, found, near = arcs_of(truth)
        errors.append((found - truth)[near])
        assert errors[-1].std() < 0.6 * (guess - truth)[near].std()
    error = np.concatenate(errors)
    assert abs(error.mean()) < 0.02
    assert np.sqrt(np.mean(error**2)) < 0.05


# Along the lattice's own lines, 0 and 45 degrees for two, the labels leave more open.
@pytest.mark.parametrize("angle", [0.05, 0.42, 0.9, 1.16, 1.9, 2.63])
def test_a_straight_border_is_found(angle: float) -> None:
    _, j, i = np.moveaxis(grid((2, 60, 60)), -1, 0)
    truth = np.cos(angle) * j + np.sin(angle) * i + 0.13
    _, found, near = arcs_of(truth)
    away = near & (np.hypot(j, i) < 20)
    assert np.sqrt(np.mean((found - truth)[away] ** 2)) < 0.08


@pytest.mark.parametrize("slope", [0.2, 0.5])
def test_the_slope_through_the_slices_shortens_the_distance(slope: float) -> None:
    k, j, i = np.moveaxis(grid((5, 70, 70)), -1, 0)
    within = np.cos(0.4) * j + np.sin(0.4) * i + slope * k
    truth = within / np.hypot(1, slope)
    _, found, near = arcs_of(truth)
    middle = near & (np.hypot(j, i) < 22) & (np.abs(k) < 7)
    assert np.sqrt(np.mean((found - truth)[middle] ** 2)) < 0.06
    assert np.abs((found - within)[middle & (np.abs(truth) > 1.5)]).mean() > 0.01 * slope
    _, alone, near = arcs_of(within, measured=False)
    assert np.sqrt(np.mean((alone - within)[middle & near] ** 2)) < 0.06


def test_a_corner_is_left_as_it_was() -> None:
    _, j, i = np.moveaxis(grid((2, 40, 40)), -1, 0)
    truth = np.minimum(10.2 - np.abs(j), 10.2 - np.abs(i))
    guess, found, near = arcs_of(truth, noise=0.0)
    corner = near & (np.abs(j) > 8.5) & (np.abs(i) > 8.5)
    assert np.abs((found - guess)[corner]).max() < 0.5
    sides = near & (np.minimum(np.abs(j), np.abs(i)) < 3)
    assert np.abs((found - truth)[sides]).max() < 0.35  # a lattice line leaves half a voxel open


def rim_of(radius: float, centre: tuple[float, float]) -> tuple[NDArray, NDArray]:
    """A disc's signed distance and its rim-style label: 0.5 where the border passes between a
    voxel's centre and the middle of one of its edges."""
    truth = disc(radius, centre, slices=1)
    _, j, i = np.moveaxis(grid(truth.shape), -1, 0)
    inside = (truth > 0).astype(float)
    for dj, di in ((0.5, 0), (-0.5, 0), (0, 0.5), (0, -0.5)):
        edge = radius - np.hypot(j + dj - centre[0], i + di - centre[1])
        inside[(edge > 0) != (truth > 0)] = 0.5
    return truth, inside


@pytest.mark.parametrize("radius", [9.0, 20.0])
def test_the_middle_of_a_rim_line_is_found(radius: float) -> None:
    rng = np.random.default_rng(6)
    errors = []
    for _ in range(5):
        truth, inside = rim_of(radius + rng.uniform(-0.5, 0.5), tuple(rng.uniform(-0.5, 0.5, 2)))
        _, found, near = arcs_of(truth, inside=inside)
        errors.append((found - truth)[near])
    error = np.concatenate(errors)
    assert abs(error.mean()) < 0.02
    assert np.sqrt(np.mean(error**2)) < 0.05


def test_a_thicker_rim_line_has_the_same_middle() -> None:
    truth = disc(20.0, slices=1)
    inside = np.where(np.abs(truth) < 0.9, 0.5, truth > 0)
    _, found, near = arcs_of(truth, inside=inside)
    error = (found - truth)[near]
    assert abs(error.mean()) < 0.05
    assert np.sqrt(np.mean(error**2)) < 0.1


def test_two_borders_close_to_each_other_do_not_mix() -> None:
    truth = np.minimum(disc(20.0), 2.6 - disc(20.0))  # a ring
    _, found, near = arcs_of(truth)
    error = (found - truth)[near & (np.abs(truth) < 1)]
    assert np.sqrt(np.mean(error**2)) < 0.06


@pytest.mark.parametrize("slices", range(3))
def test_the_slices_may_lie_along_any_axis(slices: int) -> None:
    truth = disc(12.3)
    guess = np.where(np.abs(truth) < NEAR, truth, np.nan).astype(np.float32)
    inside = (truth > 0).astype(np.float32)
    one = follow_arcs(guess, inside, STEPS, 0, True)
    turn = {0: (0, 1, 2), 1: (1, 0, 2), 2: (1, 2, 0)}[slices]
    steps = tuple(6.0 if a == slices else 1.0 for a in range(3))
    other = follow_arcs(guess.transpose(turn), inside.transpose(turn), steps, slices, True)
    assert_allclose(other, one.transpose(turn), atol=1e-5)


@pytest.mark.parametrize("axis", [1, 2])
def test_a_flip_flips_the_arcs(axis: int) -> None:
    truth = disc(12.3)
    guess = np.where(np.abs(truth) < NEAR, truth, np.nan).astype(np.float32)
    inside = (truth > 0).astype(np.float32)
    one = follow_arcs(guess, inside, STEPS, 0, True)
    other = follow_arcs(np.flip(guess, axis), np.flip(inside, axis), STEPS, 0, True)
    assert_allclose(np.flip(other, axis), one, atol=1e-5)


def test_swapping_the_sides_swaps_the_sign() -> None:
    truth = disc(12.3)
    guess = np.where(np.abs(truth) < NEAR, truth, np.nan).astype(np.float32)
    inside = (truth > 0).astype(np.float32)
    one = follow_arcs(guess, inside, STEPS, 0, True)
    assert_allclose(follow_arcs(-guess, 1 - inside, STEPS, 0, True), -one, atol=1e-3)


def test_what_is_not_known_is_not_asked() -> None:
    truth = disc(20.0)
    j = grid(truth.shape)[..., 1]
    known = np.abs(truth) < NEAR
    guess = np.where(known & (j > 0), truth, np.nan).astype(np.float32)
    inside = ((truth > 0) & (j > 0)).astype(np.float32)  # cut straight through
    found = follow_arcs(guess, inside, STEPS, 0, True)
    assert_array_equal(np.isnan(found), np.isnan(guess))
    left = np.isfinite(found)
    assert np.sqrt(np.mean((found - truth)[left] ** 2)) < 0.06


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_any_labels_are_answered_near_what_was_given(seed: int) -> None:
    rng = np.random.default_rng(seed)
    inside = (rng.random((3, 12, 12)) < rng.uniform(0.1, 0.9)).astype(np.float32)
    guess = np.where(inside > 0.5, 0.4, -0.4).astype(np.float32)
    guess[rng.random(guess.shape) < 0.2] = np.nan
    found = follow_arcs(guess, inside, STEPS, 0, bool(seed % 2))
    assert found.dtype == np.float32
    assert_array_equal(np.isnan(found), np.isnan(guess))
    assert np.nanmax(np.abs(found - guess), initial=0) < 0.5


def test_nothing_to_follow_is_given_back() -> None:
    guess = np.full((2, 5, 5), np.nan, np.float32)
    assert_array_equal(follow_arcs(guess, np.ones_like(guess), STEPS, 0, True), guess)
