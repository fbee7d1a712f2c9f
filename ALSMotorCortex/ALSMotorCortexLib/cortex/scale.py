"""Lengths in voxels of the finest measured axis, and work on every second voxel of fine axes."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

THICK = 3.0
"""Spacing, in voxels of the finest axis, from which on an axis is that of thick slices."""

EVEN = 1.5
"""Spacing, likewise, up to which an axis can be blurred at every second voxel."""

WHOLE = 200_000
"""Voxels of a box up to which none is left out. Such boxes cost little, and in most of them the
cortex is so few voxels thick that it needs them all."""

HALVING = 1.0
"""Variance in squared voxels of the weights 1, 4, 6, 4, 1 of a voxel and its neighbours in the
average that every second voxel is kept of. Sums over every second voxel of products with
polynomials up to degree three are then the same whichever ones are kept, so a border is not drawn
towards them."""

BETWEEN = (150 / 256, -25 / 256, 3 / 256)
"""Weights of the nearest, second and third pair of values in a row on the place in their middle,
exact for polynomials of degree five."""

BESIDE = len(BETWEEN)
"""Values on either side that this takes."""


class Scale:
    """Lengths in voxels of the finest measured axis.

    Args:
        spacing: mm along (k, j, i).
        axes: measured axes.
        shape: (k, j, i) of the box.

    Attributes:
        axes: measured axes.
        unit: mm of a voxel of the finest of these.
        steps: spacing along (k, j, i) in such voxels.
        halved: axes along which every second voxel can be enough.
    """

    def __init__(
        self,
        spacing: tuple[float, float, float],
        axes: tuple[int, ...],
        shape: tuple[int, ...],
    ) -> None:
        self.axes = axes
        self.unit = min(spacing[a] for a in axes)
        self.steps = [s / self.unit for s in spacing]
        self.halved = [a for a in axes if self.steps[a] < EVEN and shape[a] > 3]
        if np.prod(shape) <= WHOLE:
            self.halved = []

    def sigmas(self, variance: float) -> list[float]:
        """Widths along (k, j, i) in voxels of each axis."""
        width = np.sqrt(variance)
        return [width / s if a in self.axes else 0.0 for a, s in enumerate(self.steps)]

    def voxels(self, length: float) -> list[int]:
        """Whole voxels along (k, j, i) within a length."""
        return [int(length / s) if a in self.axes else 0 for a, s in enumerate(self.steps)]


def thick_axes(spacing: tuple[float, float, float], axes: tuple[int, ...]) -> list[int]:
    """Axes along which the staircase of a border is not averaged, because their voxels are long
    or because they are not measured.

    Args:
        spacing: mm along (k, j, i).
        axes: measured axes.
    """
    unit = min(spacing[a] for a in axes)
    return [a for a, s in enumerate(spacing) if a not in axes or s >= THICK * unit]


def halved(array: NDArray[np.float32], axes: list[int]) -> NDArray[np.float32]:
    """Every second voxel along some axes, averaged with its neighbours, and one place more before
    the first and after the last.

    Beyond the ends of the array its values go on as they are. With a place there, that is so for
    the averages whichever voxels they are kept of.
    """
    for axis in axes:
        array = _halved_along(array, axis)
    return array


def _halved_along(array: NDArray[np.float32], axis: int) -> NDArray[np.float32]:
    along = np.moveaxis(array, axis, 0)
    even, odd = along[::2], along[1::2]
    result = np.empty(
        [len(even) + 2 if a == axis else n for a, n in enumerate(array.shape)], np.float32
    )
    whole = np.moveaxis(result, axis, 0)
    mean = whole[1:-1]
    np.multiply(even, 6, out=mean)
    beside = 4 * odd
    mean[: len(odd)] += beside
    mean[1:] += beside[: len(even) - 1]
    mean[:-1] += even[1:]
    mean[1:] += even[:-1]
    mean[0] += 5 * even[0]
    mean[-1] += odd[-1] if len(odd) == len(even) else 5 * even[-1]
    mean /= 16
    whole[0] = even[0]
    whole[-1] = (even[-1] + 15 * odd[-1]) / 16 if len(odd) == len(even) else even[-1]
    return result


def with_ends(coarse: NDArray[np.float32], axes: list[int]) -> NDArray[np.float32]:
    """Values from :func:`halved` along some axes of the last three, going on beyond the ends as
    :func:`every_voxel` needs them."""
    first, more = coarse.ndim - 3, BESIDE - 1
    return np.pad(coarse, [(more * (a - first in axes),) * 2 for a in range(coarse.ndim)], "edge")


def every_voxel(
    coarse: NDArray[np.float32], part: tuple[slice, ...], axes: list[int]
) -> NDArray[np.float32]:
    """What is known at every second voxel, interpolated at all voxels of a part of the box.

    Args:
        coarse: (..., k, j, i) values at every second voxel along ``axes``, :func:`with_ends`.
        part: of the box; starts at even voxels.
        axes: the halved ones.
    """
    k, j, i = (
        slice(s.start // 2, -(-s.stop // 2) + 2 * BESIDE) if a in axes else s
        for a, s in enumerate(part)
    )
    fine = coarse[..., k, j, i]
    for axis in reversed(axes):
        fine = _doubled(fine, axis - 3, part[axis].stop - part[axis].start)
    return fine


def _doubled(array: NDArray[np.float32], axis: int, size: int) -> NDArray[np.float32]:
    """Values at twice as many places along an axis, counted from the last, ``size`` in all,
    without the ``BESIDE`` given on either side."""
    given = np.moveaxis(array, axis, 0)
    count = len(given) - 2 * BESIDE
    between = np.zeros((count, *given.shape[1:]), np.float32)
    for away, weight in enumerate(BETWEEN):
        low, high = BESIDE - away, BESIDE + 1 + away
        pair = given[low : low + count] + given[high : high + count]
        pair *= np.float32(weight)
        between += pair
    sizes = [size if a == array.ndim + axis else n for a, n in enumerate(array.shape)]
    result = np.empty(sizes, np.float32)
    along = np.moveaxis(result, axis, 0)
    along[::2] = given[BESIDE : BESIDE + count]
    along[1::2] = between[: size // 2]
    return result
