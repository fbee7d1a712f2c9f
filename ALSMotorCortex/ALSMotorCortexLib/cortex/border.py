"""Where a border runs between voxels.

A label map is a staircase. The border that it was sampled from is found again by blurring the
labels with Gaussians of growing width. For a flat border, the blurred label G at distance d is
the normal distribution function of d / sigma, so d = sigma * Phi^-1(G). A curved border shows
at d + sigma^2 / 2 * (sum of curvatures) + O(sigma^4): three widths that double in variance
cancel the two leading terms (Richardson extrapolation). Wide kernels average the staircase
away, narrow ones follow strong curvature and fine structure, so each place uses the widest
kernel within which there is nothing but this one, gently curved border.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.special import ndtr, ndtri

VARIANCES = (0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0)
"""Variances of the Gaussians, in squared voxels of the finest measured axis. The widest is for
thick slices only: there a kernel averages over a line of the border and not over a patch."""

COARSE_FROM = 8.0
"""Variance from which on every second voxel is enough."""

NEAR = 2.5
"""How far from a border, in voxels of the finest axis, its distance is worked out."""

RICHARDSON = (8 / 3, -2.0, 1 / 3)
"""Weights on three variances v, 2 v, 4 v that cancel errors of order v and v^2."""

LONE_BORDER = 0.13
"""How far the gradient of the distance may be from one, at the widest of three kernels, for the
border to be taken as alone and gently curved. Chosen on the shapes of Testing/Benchmark: less
lets in more staircase, more lets in bias where the cortex folds tightly."""

CURVATURE_LEVEL = 3
"""Which of the variances the curvature is taken at."""

MAX_CURVATURE = 0.5
"""Sum of curvatures, in 1/voxel, beyond which a number is staircase and not shape."""

TOLERANCE = 0.35
"""How far, in voxels, a border may contradict a voxel's label before a narrower kernel is
taken. A voxel's label speaks for its centre, the border passes within half a voxel."""

THICK = 3.0
"""Spacing, in voxels of the finest axis, from which on an axis is that of thick slices."""

EVEN = 1.5
"""Spacing, likewise, up to which an axis can be blurred at every second voxel."""

CLEARANCE = 0.02
"""Distance in voxels that a border keeps from every voxel centre."""


@dataclass(frozen=True)
class Border:
    """A border between voxels.

    Attributes:
        distance: (k, j, i) float32 signed distance in mm, positive inside; NaN beyond about
            ``NEAR`` voxels from the border.
        curvature: (k, j, i) float32 divergence of the distance's gradient in 1/mm (the sum of
            the principal curvatures; positive where the inside widens away from the border);
            NaN likewise.
    """

    distance: NDArray[np.float32]
    curvature: NDArray[np.float32]


def find_border(
    inside: NDArray[np.float32],
    spacing: tuple[float, float, float],
    axes: tuple[int, ...] = (0, 1, 2),
    wanted: NDArray[np.bool_] | None = None,
) -> Border:
    """Where the border of a label runs between voxels.

    Args:
        inside: (k, j, i) 1 inside, 0 outside, 0.5 where the border runs through the voxel.
            Values in between lean to one side: the voxel's centre is kept on that side.
        spacing: mm along (k, j, i).
        axes: axes to work along; others are separate slices.
        wanted: (k, j, i) where the border is asked for; everywhere by default.

    Returns:
        The border. The distance's sign agrees with every voxel but those of 0.5: the border never
        jumps over a voxel centre, so it stays within a voxel of the staircase and a one-voxel
        sulcus stays open.
    """
    scale = _Scale(spacing, axes)
    variances = VARIANCES if scale.is_thick else VARIANCES[:-1]
    blurred = _blur(inside, scale, variances)
    least = ndtr(-NEAR / np.sqrt(variances[1]))
    close = (blurred[1] > least) & (blurred[1] < 1 - least)
    near = np.flatnonzero(close if wanted is None else close & wanted)
    label = inside.reshape(-1)[near]
    distances = [
        np.float32(np.sqrt(v)) * ndtri(np.clip(g.reshape(-1)[near], 1e-6, 1 - 1e-6))
        for v, g in zip(variances, blurred, strict=True)
    ]
    first, second, third = (np.float32(w) for w in RICHARDSON)
    estimates = [
        first * a + second * b + third * c
        for a, b, c in zip(distances, distances[1:], distances[2:], strict=False)
    ]
    level = _lone_level(blurred, distances, variances, near, scale)
    level = _allowed_by_labels(level, estimates, label, near, inside.shape, axes)
    distance = _interpolate(estimates, _smoothed(level, near, inside.shape, scale))
    distance = np.where(label > 0.5, np.maximum(distance, CLEARANCE), distance)
    distance = np.where(label < 0.5, np.minimum(distance, -CLEARANCE), distance)
    # Where a border runs through a voxel's centre, the matrix would have an endless entry.
    distance = np.where(np.abs(distance) < CLEARANCE, np.copysign(CLEARANCE, distance), distance)
    found = Border(
        _painted(distance * scale.unit, near, inside.shape),
        _painted(_curvature(distances) / scale.unit, near, inside.shape),
    )
    _face_thick_slices(found.distance, inside, scale, wanted)
    return found


def _face_thick_slices(
    distance: NDArray[np.float32],
    inside: NDArray[np.float32],
    scale: _Scale,
    wanted: NDArray[np.bool_] | None,
) -> None:
    """Put a border that faces thick slices half-way between two of them, in place.

    No kernel as narrow as the fine axes' voxels reaches from one thick slice to the next.
    """
    for axis in scale.axes:
        if scale.steps[axis] < EVEN:
            continue
        half = np.float32(scale.steps[axis] * scale.unit / 2)
        first = np.moveaxis(inside, axis, 0)
        step = first[1:] - first[:-1]
        crossed = np.abs(step) > 0.5
        if wanted is not None:
            there = np.moveaxis(wanted, axis, 0)
            crossed &= there[1:] | there[:-1]
        along = np.moveaxis(distance, axis, 0)
        for side, sign in ((along[1:], 1), (along[:-1], -1)):
            lacking = crossed & np.isnan(side)
            side[lacking] = sign * half * np.sign(step[lacking])


def _painted(
    values: NDArray[np.float64], voxels: NDArray[np.int64], shape: tuple[int, ...]
) -> NDArray[np.float32]:
    array = np.full(shape, np.nan, np.float32)
    array.reshape(-1)[voxels] = values
    return array


def has_thick_slices(spacing: tuple[float, float, float], axes: tuple[int, ...]) -> bool:
    """Whether the staircase of a border is one of lines, because at most two measured axes are
    fine enough to average it over a patch.

    Args:
        spacing: mm along (k, j, i).
        axes: measured axes.
    """
    unit = min(spacing[a] for a in axes)
    return sum(spacing[a] < THICK * unit for a in axes) < 3


class _Scale:
    """Lengths in voxels of the finest measured axis."""

    def __init__(self, spacing: tuple[float, float, float], axes: tuple[int, ...]) -> None:
        self.axes = axes
        self.unit = min(spacing[a] for a in axes)
        self.steps = [s / self.unit for s in spacing]
        self.is_thick = has_thick_slices(spacing, axes)

    def sigmas(self, width: float) -> list[float]:
        """Widths along (k, j, i) in voxels of each axis."""
        return [width / s if a in self.axes else 0.0 for a, s in enumerate(self.steps)]


def _blur(
    inside: NDArray[np.float32], scale: _Scale, variances: tuple[float, ...]
) -> list[NDArray[np.float32]]:
    """The label blurred to each of the variances, each from the one before.

    From ``COARSE_FROM`` on the blurred label is smooth enough to be kept at every second voxel:
    blurring there costs a small part, and interpolation brings it back.
    """
    blurred, previous, done = [], inside, 0.0
    halved = [a for a in scale.axes if scale.steps[a] < EVEN and inside.shape[a] > 3]
    for variance in variances:
        sigma = np.array(scale.sigmas(np.sqrt(variance - done)))
        if variance == COARSE_FROM:
            previous = previous[tuple(slice(None, None, 1 + (a in halved)) for a in range(3))]
        if variance >= COARSE_FROM:
            sigma[halved] /= 2
        previous = ndimage.gaussian_filter(previous, sigma, truncate=3.0, mode="nearest")
        fine = previous
        if variance >= COARSE_FROM:
            for axis in halved:
                fine = _doubled(fine, axis, inside.shape[axis])
        blurred.append(fine)
        done = variance
    return blurred


def _doubled(array: NDArray[np.float32], axis: int, size: int) -> NDArray[np.float32]:
    """Voxels between the given ones along an axis by six-point interpolation, ``size`` in all."""
    given = np.moveaxis(array, axis, 0)
    count = len(given)
    padded = given[np.clip(np.arange(-2, count + 3), 0, count - 1)]
    between = (padded[2:-3] + padded[3:-2]) * np.float32(150 / 256)
    between -= (padded[1:-4] + padded[4:-1]) * np.float32(25 / 256)
    between += (padded[:-5] + padded[5:]) * np.float32(3 / 256)
    result = np.empty((size, *given.shape[1:]), np.float32)
    result[::2] = given
    result[1::2] = between[: size // 2]
    return np.moveaxis(result, 0, axis)


def _curvature(distances: list[NDArray]) -> NDArray[np.float64]:
    """Sum of curvatures in 1/voxel, from how far the border moves as the kernel widens."""
    i = CURVATURE_LEVEL
    curvature = 2 * (distances[i + 1] - distances[i]) / VARIANCES[i]
    return np.clip(curvature, -MAX_CURVATURE, MAX_CURVATURE)


def _lone_level(
    blurred: list[NDArray[np.float32]],
    distances: list[NDArray],
    variances: tuple[float, ...],
    near: NDArray[np.int64],
    scale: _Scale,
) -> NDArray[np.float64]:
    """(n,) the widest level whose kernels meet nothing but this border.

    Near a lone flat border the distance has a gradient of length one. Curvature changes that,
    and so does a second border in the kernel's reach, such as the other side of a sulcus.
    """
    top = len(variances) - 3
    level = np.full(len(near), float(top))
    for i in range(top, 0, -1):
        sigma = np.sqrt(variances[i + 2])
        density = np.exp(-0.5 * (distances[i + 2] / sigma) ** 2) / np.sqrt(2 * np.pi)
        length = sigma * _gradient(blurred[i + 2], near, scale) / density
        level = np.where(np.abs(length - 1) > LONE_BORDER, np.minimum(level, i - 1), level)
    return level


def _gradient(
    array: NDArray[np.float32], voxels: NDArray[np.int64], scale: _Scale
) -> NDArray[np.float64]:
    """(n,) length of an array's gradient at some voxels, per voxel of the finest axis."""
    flat = np.ascontiguousarray(array).reshape(-1)
    kji = np.unravel_index(voxels, array.shape)
    squared = np.zeros(len(voxels))
    for axis in scale.axes:
        stride = int(np.prod(array.shape[axis + 1 :]))
        up = kji[axis] < array.shape[axis] - 1
        down = kji[axis] > 0
        steps = np.maximum(up.astype(int) + down, 1) * scale.steps[axis]
        squared += ((flat[voxels + stride * up] - flat[voxels - stride * down]) / steps) ** 2
    return np.sqrt(squared)


def _allowed_by_labels(
    level: NDArray[np.float64],
    estimates: list[NDArray],
    label: NDArray[np.float32],
    near: NDArray[np.int64],
    shape: tuple[int, ...],
    axes: tuple[int, ...],
) -> NDArray[np.float64]:
    """The level lowered where its border would run on the wrong side of voxel centres."""
    limit = np.full(len(near), len(estimates) - 1, np.uint8)
    for i in range(len(estimates) - 1, 0, -1):
        wrong = (estimates[i] > TOLERANCE) & (label < 0.5)
        wrong |= (estimates[i] < -TOLERANCE) & (label > 0.5)
        limit[wrong] = i - 1
    if (limit == len(estimates) - 1).all():
        return level
    box = np.full(shape, len(estimates) - 1, np.uint8)
    box.reshape(-1)[near] = limit
    reach = [5 if a in axes else 1 for a in range(3)]
    return np.minimum(level, ndimage.minimum_filter(box, reach).reshape(-1)[near])


def _smoothed(
    level: NDArray[np.float64], near: NDArray[np.int64], shape: tuple[int, ...], scale: _Scale
) -> NDArray[np.float64]:
    """The level averaged along the border, so that the border has no steps."""
    if (level == level[:1]).all():
        return level
    total = np.zeros(shape, np.float32)
    count = np.zeros(shape, np.float32)
    total.reshape(-1)[near] = level
    count.reshape(-1)[near] = 1
    total = ndimage.gaussian_filter(total, scale.sigmas(2.0), truncate=3)
    count = ndimage.gaussian_filter(count, scale.sigmas(2.0), truncate=3)
    return (total.reshape(-1)[near] / np.maximum(count.reshape(-1)[near], 1e-6)).astype(float)


def _interpolate(estimates: list[NDArray], level: NDArray[np.float64]) -> NDArray[np.float64]:
    """Estimates at fractional levels."""
    stack = np.array(estimates)
    low = np.minimum(level.astype(int), len(estimates) - 2)
    place = np.arange(len(level))
    part = level - low
    return stack[low, place] * (1 - part) + stack[low + 1, place] * part
