"""Signal lost because the field changes across a thick slice.

A field that changes linearly by ``df`` (Hz) from one face of the slice to the other spreads the
phase by ``df t`` turns at echo time t. Over a rectangular slice profile the signal falls by
``|sinc(df t)|``, ``sinc(x) = sin(pi x) / (pi x)`` (Fernandez-Seara and Wehrli, Magn Reson Med
2000, 44:358), which an exponential fit takes for a shorter T2*. The two functions here find
``df``, from the phase or from the shape of the decay; :func:`.relaxometry.fit_decay` puts it in
the model. Real slice profiles are rounder than a rectangle, so part of the loss may stay or be
overcorrected (Balasubramanian and Mulkern, Proc ISMRM 2016, 2821).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from .errors import InputError
from .grid import Grid
from .relaxometry import check_times, dephasing_factor

# The search goes this far at the last echo, past what is trusted, so that what lies beyond
# comes out as beyond. The first zero of the sinc is at 1.
_MOST_TURNS = 0.9
_STEPS = 25
_CHUNK = 16384


def slice_axis(grid: Grid) -> int:
    """The array axis across the slices: the one with the largest spacing, the first of equals."""
    return int(np.argmax(np.round(grid.spacing, 3)))


def turns_from_phase(
    magnitude: Sequence[NDArray],
    phase: Sequence[NDArray],
    times_ms: Sequence[float],
    axis: int,
    thickness: float = 1.0,
) -> NDArray[np.float32]:
    """Turns per ms across the slice, (k, j, i), from the phase of neighbouring slices.

    The phase gained between two echoes is compared between neighbouring slices as a complex
    product, which needs no unwrapping while neighbours differ by less than half a turn per echo
    spacing. A smoothing over 3 x 3 voxels in the plane steadies it: the field is smooth.

    Args:
        magnitude: one array (k, j, i) per echo.
        phase: likewise, in radians.
        times_ms: echo times in ms, ascending.
        axis: the array axis across the slices.
        thickness: slice thickness over the distance between slices; under 1 with gaps.

    Raises:
        InputError: only one slice.
    """
    times = check_times(times_ms)
    if magnitude[0].shape[axis] < 2:
        raise InputError(
            "The dephasing correction compares neighbouring slices, and there is only one. "
            "Take it from the magnitude with --dephasing magnitude."
        )
    total = np.zeros(magnitude[0].shape, np.float32)
    weight = np.zeros_like(total)
    for e, spacing in enumerate(np.diff(times)):
        gained = magnitude[e] * magnitude[e + 1] * np.exp(1j * (phase[e + 1] - phase[e]))
        step = _slice_step(gained.astype(np.complex64), axis)
        strength = np.abs(step) * spacing**2
        total += strength * np.angle(step) / np.float32(2 * np.pi * spacing)
        weight += strength
    with np.errstate(invalid="ignore"):
        turns = np.abs(total / weight) * np.float32(thickness)
    return np.nan_to_num(turns)


def _slice_step(gained: NDArray[np.complex64], axis: int) -> NDArray[np.complex64]:
    """How the complex value turns from one slice to the next, around each slice, smoothed."""
    along = np.moveaxis(gained, axis, 0)
    between = np.conj(along[:-1]) * along[1:]
    step = np.zeros_like(along)
    step[:-1] += between
    step[1:] += between
    smooth = ndimage.uniform_filter(step.real, (1, 3, 3)) + 1j * ndimage.uniform_filter(
        step.imag, (1, 3, 3)
    )
    return np.moveaxis(smooth.astype(np.complex64), 0, axis)


def turns_from_decay(
    magnitude: Sequence[NDArray],
    times_ms: Sequence[float],
    sigma: float,
    mask: NDArray[np.bool_],
    axis: int,
) -> NDArray[np.float32]:
    """Turns per ms across the slice, (k, j, i), from the shape of the decay alone.

    Searches for the spread whose corrected signal fits an exponential best, as the paper does:
    a weighted log-linear fit at each of a row of spreads. One voxel says little (a sinc and a
    steeper exponential look alike over a few echoes), so the misfits are summed over a
    neighbourhood in the plane before the best is picked. It works up to
    :data:`.relaxometry.MOST_TURNS` at the last echo; beyond, the spread comes out too small.

    Args:
        magnitude: one array (k, j, i) per echo.
        times_ms: echo times in ms, ascending.
        sigma: noise level in the images' unit.
        mask: (k, j, i), voxels to look at.
        axis: the array axis across the slices.

    Raises:
        InputError: fewer than four echoes, too few to tell a sinc from an exponential.
    """
    times = check_times(times_ms)
    if times.size < 4:
        raise InputError(
            f"The dephasing correction from the magnitude needs four echoes or more, and there "
            f"are {times.size}. Give the phase images with --phase, or leave --dephasing out."
        )
    trials = np.linspace(0, _MOST_TURNS / times[-1], _STEPS, dtype=np.float32)
    width = [0.0 if a == axis else 2.0 for a in range(3)]
    costs = []
    for trial in trials:
        cost = np.zeros(mask.shape, np.float32)
        cost[mask] = _misfit(magnitude, times, sigma, mask, trial)
        costs.append(ndimage.gaussian_filter(cost, width))
    return np.where(mask, _lowest(trials, costs), 0).astype(np.float32)


def _misfit(
    magnitude: Sequence[NDArray],
    times: NDArray[np.float32],
    sigma: float,
    mask: NDArray[np.bool_],
    turns: float,
) -> NDArray[np.float32]:
    """Weighted squared residual of the log-linear fit after correction, per voxel of the mask.

    The noise's share of the power, ``2 sigma^2`` on average, is taken off first.
    """
    factor = dephasing_factor(np.array([turns]), times)
    where = np.flatnonzero(mask)
    result = np.empty(where.size, np.float32)
    flat = [echo.reshape(-1) for echo in magnitude]
    t = times[:, None]
    for start in range(0, where.size, _CHUNK):
        m = np.stack([echo[where[start : start + _CHUNK]] for echo in flat]).astype(np.float32)
        weight = np.maximum((m / np.float32(sigma)) ** 2 - 2, np.float32(1e-3))
        logs = 0.5 * np.log(weight) - np.log(factor)
        total = weight.sum(axis=0)
        x = t - (weight * t).sum(axis=0) / total
        y = logs - (weight * logs).sum(axis=0) / total
        slope = (weight * x * y).sum(axis=0) / (weight * x * x).sum(axis=0)
        result[start : start + _CHUNK] = (weight * (y - slope * x) ** 2).sum(axis=0)
    return np.nan_to_num(result)


def _lowest(trials: NDArray[np.float32], costs: list[NDArray[np.float32]]) -> NDArray[np.float32]:
    """The trial with the lowest cost, refined by a parabola through its neighbours."""
    stack = np.stack(costs)
    best = np.clip(np.argmin(stack, axis=0), 1, len(trials) - 2)[None]
    left, mid, right = (np.take_along_axis(stack, best + d, axis=0)[0] for d in (-1, 0, 1))
    curvature = left - 2 * mid + right
    with np.errstate(invalid="ignore", divide="ignore"):
        offset = np.where(curvature > 0, 0.5 * (left - right) / curvature, 0)
    return trials[best[0]] + np.clip(offset, -1, 1) * (trials[1] - trials[0])
