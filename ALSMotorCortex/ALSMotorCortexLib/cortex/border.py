"""Where a border runs between voxels.

A label map is a staircase. The border that it was sampled from is found again by blurring the
labels with Gaussians of growing width. For a flat border, the blurred label G at distance d is
the normal distribution function of d / sigma, so d = sigma * Phi^-1(G). A curved border shows
at d + sigma^2 / 2 * (sum of curvatures) + O(sigma^4): three widths that double in variance
cancel the two leading terms (Richardson extrapolation). Wide kernels average the staircase
away, narrow ones follow strong curvature, so each place uses the widest kernel that its own
curvature and its own labels allow.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.special import ndtri

VARIANCES = (0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0)
"""Variances of the Gaussians, in squared voxels of the finest measured axis."""

RICHARDSON = (8 / 3, -2.0, 1 / 3)
"""Weights on three variances v, 2 v, 4 v that cancel errors of order v and v^2."""

WIDTH_PER_CURVATURE = 0.8
"""Kernel width in voxels allowed at a sum of curvatures c (1/voxel): this times c^-3/4.

The error left after extrapolation grows with width and curvature as sigma^4 c^3 (so does the
next order, in these ranges); the factor was chosen on spheres and cylinders of 4 to 24 voxels
radius, see Testing/Benchmark.
"""

CURVATURE_LEVEL = 3
"""Which of the variances the curvature is judged at."""

TOLERANCE = 0.35
"""How far, in voxels, a border may contradict a voxel's label before a narrower kernel is
taken. A voxel's label speaks for its centre, the border passes within half a voxel."""

CLEARANCE = 0.02
"""Distance in voxels that a border keeps from every voxel centre."""


def border_distance(
    inside: NDArray[np.float32],
    spacing: tuple[float, float, float],
    axes: tuple[int, ...] = (0, 1, 2),
) -> NDArray[np.float32]:
    """Signed distance to the border of a label, near that border.

    Args:
        inside: (k, j, i) 1 inside, 0 outside, 0.5 where the border runs through the voxel.
        spacing: mm along (k, j, i).
        axes: axes to work along; others are separate slices.

    Returns:
        (k, j, i) float32 mm, positive inside, NaN beyond about three voxels from the
        border. Its sign agrees with every voxel that is 0 or 1: the border never
        jumps over a voxel centre, so it stays within a voxel of the staircase and a
        one-voxel sulcus stays open.
    """
    unit = min(spacing[a] for a in axes)
    blurred = _blur(inside, spacing, axes, unit)
    near = np.flatnonzero((blurred[1] > 1e-4) & (blurred[1] < 1 - 1e-4))
    label = inside.reshape(-1)[near]
    distances = [
        np.sqrt(v) * ndtri(np.clip(g.reshape(-1)[near], 1e-6, 1 - 1e-6))
        for v, g in zip(VARIANCES, blurred, strict=True)
    ]
    estimates = [
        sum(w * d for w, d in zip(RICHARDSON, distances[i : i + 3], strict=True))
        for i in range(len(VARIANCES) - 2)
    ]
    level = _allowed_by_curvature(distances, len(estimates))
    level = _allowed_by_labels(level, estimates, label, near, inside.shape, axes)
    level = _smoothed(level, near, inside.shape, spacing, axes, unit)
    distance = _interpolate(estimates, level)
    distance = np.where(label == 1, np.maximum(distance, CLEARANCE), distance)
    distance = np.where(label == 0, np.minimum(distance, -CLEARANCE), distance)
    result = np.full(inside.shape, np.nan, np.float32)
    result.reshape(-1)[near] = distance * unit
    return result


def _blur(
    inside: NDArray[np.float32],
    spacing: tuple[float, float, float],
    axes: tuple[int, ...],
    unit: float,
) -> list[NDArray[np.float32]]:
    """The label blurred to each of the variances, each from the one before."""
    blurred, previous, done = [], inside, 0.0
    for variance in VARIANCES:
        sigma = _sigmas(np.sqrt(variance - done), spacing, axes, unit)
        previous = ndimage.gaussian_filter(previous, sigma, truncate=3.5, mode="nearest")
        blurred.append(previous)
        done = variance
    return blurred


def _sigmas(
    voxels: float, spacing: tuple[float, float, float], axes: tuple[int, ...], unit: float
) -> list[float]:
    return [voxels * unit / s if a in axes else 0.0 for a, s in enumerate(spacing)]


def _allowed_by_curvature(distances: list[NDArray], levels: int) -> NDArray[np.float64]:
    """The widest level (fractional) that each place's curvature allows."""
    i = CURVATURE_LEVEL
    curvature = np.abs(2 * (distances[i] - distances[i + 1]) / VARIANCES[i])
    sigma = WIDTH_PER_CURVATURE * np.maximum(curvature, 1e-3) ** -0.75
    return np.clip(np.log2(sigma**2 / VARIANCES[0]), 0, levels - 1)


def _allowed_by_labels(
    level: NDArray[np.float64],
    estimates: list[NDArray],
    label: NDArray[np.float32],
    near: NDArray[np.int64],
    shape: tuple[int, ...],
    axes: tuple[int, ...],
) -> NDArray[np.float64]:
    """The level lowered where its border would run on the wrong side of voxel centres."""
    reach = [5 if a in axes else 1 for a in range(3)]
    for i in range(len(estimates) - 1, 0, -1):
        wrong = (estimates[i] > TOLERANCE) & (label == 0)
        wrong |= (estimates[i] < -TOLERANCE) & (label == 1)
        if wrong.any():
            mask = np.zeros(shape, np.uint8)
            mask.reshape(-1)[near[wrong]] = 1
            hit = ndimage.maximum_filter(mask, reach).reshape(-1)[near] > 0
            level = np.where(hit, np.minimum(level, i - 1), level)
    return level


def _smoothed(
    level: NDArray[np.float64],
    near: NDArray[np.int64],
    shape: tuple[int, ...],
    spacing: tuple[float, float, float],
    axes: tuple[int, ...],
    unit: float,
) -> NDArray[np.float64]:
    """The level averaged along the border, so that the border has no steps."""
    sigma = _sigmas(2.0, spacing, axes, unit)
    total = np.zeros(shape, np.float32)
    count = np.zeros(shape, np.float32)
    total.reshape(-1)[near] = level
    count.reshape(-1)[near] = 1
    total = ndimage.gaussian_filter(total, sigma, truncate=3)
    count = ndimage.gaussian_filter(count, sigma, truncate=3)
    return (total.reshape(-1)[near] / np.maximum(count.reshape(-1)[near], 1e-6)).astype(float)


def _interpolate(estimates: list[NDArray], level: NDArray[np.float64]) -> NDArray[np.float64]:
    """Estimates at fractional levels."""
    stack = np.array(estimates)
    low = np.minimum(level.astype(int), len(estimates) - 2)
    place = np.arange(len(level))
    part = level - low
    return stack[low, place] * (1 - part) + stack[low + 1, place] * part
