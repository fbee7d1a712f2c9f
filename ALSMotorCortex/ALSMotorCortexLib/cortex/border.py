"""Where a border runs between voxels.

A label map is a staircase. The border that it was sampled from is found again by blurring the
labels with Gaussians of growing width. For a flat border, the blurred label G at distance d is
the normal distribution function of d / sigma, so d = sigma * Phi^-1(G). A curved border shows
at d + sigma^2 / 2 * (sum of curvatures) + O(sigma^4): three widths that double in variance
cancel the two leading terms (Richardson extrapolation). Wide kernels average the staircase
away, narrow ones follow strong curvature and fine structure, so each place uses the widest
kernel within which there is nothing but this one, gently curved border.

The wide kernels work on every second voxel. The narrow ones, which need them all, are worked
out only where the border asks for them, and in the part of the box that it runs through.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage, sparse
from scipy.special import ndtri

from .cells import Cells
from .masks import bounding_box, grown

VARIANCES = (0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0)
"""Variances of the Gaussians, in squared voxels of the finest measured axis. The widest is for
thick slices only: there a kernel averages over a line of the border and not over a patch."""

COARSE_FROM = 4
"""Which of the variances is the first that every second voxel is enough for."""

NEAR = 2.5
"""How far from a border, in voxels of the finest axis, its distance is worked out."""

REACH = 6
"""Voxels around the wanted ones that the narrow kernels see; even, so that every second voxel
of the part is every second voxel of the whole."""

RICHARDSON = (8 / 3, -2.0, 1 / 3)
"""Weights on three variances v, 2 v, 4 v that cancel errors of order v and v^2."""

LONE_BORDER = 0.13
"""How far the gradient of the distance may be from one, at the widest of three kernels, for the
border to be taken as alone and gently curved. Chosen on the shapes of Testing/Benchmark: less
lets in more staircase, more lets in bias where the cortex folds tightly."""

BETWEEN = np.array([3, -25, 150, 150, -25, 3]) / 256
"""Weights of six values in a row on the place in their middle, exact for polynomials of degree
five."""

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

BEFORE_HALVING = np.array([1, 4, 6, 4, 1]) / 16
"""Weights of a voxel and its neighbours in the average that every second voxel is kept of. Sums
over every second voxel of products with polynomials up to degree three are then the same
whichever ones are kept, so a border is not drawn towards them."""

HALVING = 1.0
"""Variance of these weights in squared voxels."""

EDGE = 4.0
"""Width in voxels of the Gaussian that the edge of what is known is averaged with."""

ASIDE = 6.0
"""How many voxels aside of the nearest known place a border may be continued from."""

WITHIN = 1.0
"""How many voxels inside the edge of what is known that is."""

PASSES = 2
"""How often values are continued: interpolation near the edge takes part in what the first time
gave."""

SMOOTHING = 2.0
"""Width in voxels of the Gaussian that the choice of kernels is averaged with."""


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
    known: Known | None = None,
) -> Border:
    """Where the border of a label runs between voxels.

    Args:
        inside: (k, j, i) 1 inside, 0 outside, 0.5 where the border runs through the voxel.
            Values in between lean to one side: the voxel's centre is kept on that side.
        spacing: mm along (k, j, i).
        axes: axes to work along; others are separate slices.
        wanted: (k, j, i) where the border is asked for; everywhere by default.
        known: where ``inside`` says anything; everywhere by default. The border goes on past
            what is known as it came, and is not asked for there.

    Returns:
        The border. The distance's sign agrees with every voxel but those of 0.5: the border never
        jumps over a voxel centre, so it stays within a voxel of the staircase and a one-voxel
        sulcus stays open.
    """
    scale = _Scale(spacing, axes, inside.shape)
    if wanted is None:
        wanted = np.ones(inside.shape, bool)
    if known is not None:
        wanted = wanted & known.mask
    distance = np.full(inside.shape, np.nan, np.float32)
    curvature = np.full(inside.shape, np.nan, np.float32)
    if wanted.any():
        part = _around(wanted, scale)
        kernels = _Kernels(inside, known, part, scale)
        near = np.flatnonzero(_crossed(kernels.inside, kernels.known, scale) & wanted[part])
        found, bend = _distance_and_bend(kernels, near, scale)
        for whole, values in ((distance, found * scale.unit), (curvature, bend / scale.unit)):
            box = np.full(kernels.shape, np.nan, np.float32)
            box.reshape(-1)[near] = values
            whole[part] = box
    _face_thick_slices(distance, inside, scale, wanted)
    return Border(distance, curvature)


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
        thick = has_thick_slices(spacing, axes)
        self.variances = VARIANCES if thick else VARIANCES[:-1]
        self.top = len(self.variances) - len(RICHARDSON)
        """The widest level: its estimate takes the last three variances."""

    def sigmas(self, variance: float) -> list[float]:
        """Widths along (k, j, i) in voxels of each axis."""
        width = np.sqrt(variance)
        return [width / s if a in self.axes else 0.0 for a, s in enumerate(self.steps)]

    def reach(self, axis: int) -> int:
        """Voxels within ``NEAR``."""
        return int(NEAR / self.steps[axis]) if axis in self.axes else 0


def _crossed(
    inside: NDArray[np.float32], known: NDArray[np.bool_], scale: _Scale
) -> NDArray[np.bool_]:
    """Voxels with both sides of the border near them."""
    reach = tuple(scale.reach(axis) for axis in range(3))
    return grown((inside > 0.48) & known, reach) & grown((inside < 0.52) & known, reach)


def _around(wanted: NDArray[np.bool_], scale: _Scale) -> tuple[slice, ...]:
    """The part of the box that holds what is wanted and what the narrow kernels see of it."""
    margin = [REACH if axis in scale.axes else 0 for axis in range(3)]
    return tuple(slice(s.start - s.start % 2, s.stop) for s in bounding_box(wanted, margin))


class Known:
    """Where a label map says anything, and how its borders go on elsewhere.

    A place with too little known around it takes the value of the nearest that has enough. Such
    values are averages over voxels, which say where between the voxels a border runs, so the
    border goes on as it came.

    Args:
        mask: (k, j, i) what is known.
        spacing: mm along (k, j, i).
        axes: measured axes.
    """

    def __init__(
        self,
        mask: NDArray[np.bool_],
        spacing: tuple[float, float, float],
        axes: tuple[int, ...],
    ) -> None:
        self.mask = mask
        self._scale = scale = _Scale(spacing, axes, mask.shape)
        self._weight = np.maximum(_halved(mask.astype(np.float32), scale), np.float32(0.5))
        enough = self._weight > 0.5
        self._lacking: tuple[NDArray, ...] = ()
        if not enough.all() and enough.any():
            self._lacking = np.nonzero(~enough)
            self._nearest, source = _way_back(enough, self._lacking, scale)
            self._interpolation = _trilinear(source, enough.shape)

    def every_second(self, inside: NDArray[np.float32]) -> NDArray[np.float32]:
        """A label at every second voxel, averaged with its neighbours, continued everywhere."""
        value = _halved(np.where(self.mask, inside, np.float32(0)), self._scale)
        value /= self._weight
        if len(self._lacking):
            value[self._lacking] = value[self._nearest]
            for _ in range(PASSES):
                value[self._lacking] = self._interpolation @ value.reshape(-1)
        return value


def _way_back(
    enough: NDArray[np.bool_], lacking: tuple[NDArray, ...], scale: _Scale
) -> tuple[tuple[NDArray, ...], NDArray[np.float32]]:
    """For places that lack something: the nearest that does not, and (3, n) the point that they
    are continued from.

    The nearest place lies a little aside, as places are few. The point is moved along the edge
    of what is known until it lies straight in front, and in from the edge.
    """
    # Slices that are measured one by one are continued one by one.
    apart = 1e3 * max(scale.steps) * max(enough.shape)
    lengths = [2 * s if a in scale.halved else s for a, s in enumerate(scale.steps)]
    sampling = [
        length if a in scale.axes else apart
        for a, length in enumerate(np.round(lengths, 6))  # so that ties do not hang on rounding
    ]
    field = ndimage.distance_transform_edt(
        ~enough, sampling, return_distances=False, return_indices=True
    )
    nearest = tuple(along[lacking] for along in field)
    normal = _normals(enough, nearest, lengths, scale)
    aside = np.empty((3, len(lacking[0])), np.float32)
    for axis, length in enumerate(lengths):
        aside[axis] = (lacking[axis] - nearest[axis]) * np.float32(length)
    aside -= normal * np.einsum("an,an->n", aside, normal)
    # At the corners of what is known, nothing lies straight in front.
    far = np.sqrt(np.einsum("an,an->n", aside, aside)) / np.float32(ASIDE)
    away = (aside / np.maximum(far, 1) - np.float32(WITHIN) * normal).T / np.array(
        lengths, np.float32
    )
    return nearest, np.array(nearest, np.float32) + away.T


def _normals(
    mask: NDArray[np.bool_], places: tuple[NDArray, ...], lengths: list[float], scale: _Scale
) -> NDArray[np.float32]:
    """(3, n) unit vectors out of a mask at some places on its edge."""
    sigma = [EDGE / n if a in scale.axes else 0.0 for a, n in enumerate(lengths)]
    blurred = ndimage.gaussian_filter(mask.astype(np.float32), sigma, truncate=2, mode="nearest")
    normal = np.zeros((3, len(places[0])), np.float32)
    for axis in scale.axes:
        ahead, behind = (
            tuple(
                np.clip(p + step * (a == axis), 0, mask.shape[a] - 1) for a, p in enumerate(places)
            )
            for step in (1, -1)
        )
        normal[axis] = (blurred[behind] - blurred[ahead]) / np.float32(lengths[axis])
    return normal / np.maximum(np.sqrt(np.einsum("an,an->n", normal, normal)), np.float32(1e-6))


def _trilinear(points: NDArray[np.float32], shape: tuple[int, ...]) -> sparse.csr_array:
    """The matrix (n, k * j * i) that interpolates an array at index points (3, n)."""
    index = np.zeros((points.shape[1], 1), np.int32)
    weight = np.ones((points.shape[1], 1), np.float32)
    for along, size in zip(points, shape, strict=True):
        place = np.clip(along, 0, size - 1)
        low = np.minimum(place.astype(np.int32), max(size - 2, 0))
        part = (place - low)[:, None]
        up = np.array([0, min(1, size - 1)], np.int32)
        index = ((index * size + low[:, None])[..., None] + up).reshape(len(low), -1)
        weight = np.stack([weight * (1 - part), weight * part], axis=-1).reshape(len(low), -1)
    ends = np.arange(0, index.size + 1, index.shape[1], dtype=np.int32)
    return sparse.csr_array(
        (weight.reshape(-1), index.reshape(-1), ends), shape=(len(index), int(np.prod(shape)))
    )


class _Kernels:
    """A label blurred to all variances in part of a box, the narrow ones only when asked for.

    Attributes:
        inside: (k, j, i) the label there.
        known: (k, j, i) where it says anything.
    """

    def __init__(
        self,
        inside: NDArray[np.float32],
        known: Known | None,
        part: tuple[slice, ...],
        scale: _Scale,
    ) -> None:
        self._scale, self._part = scale, part
        self._coarse = known.every_second(inside) if known else _halved(inside, scale)
        self.inside = inside[part]
        self.known = known.mask[part] if known else np.ones(self.inside.shape, bool)
        self._blurred: dict[int, NDArray[np.float32]] = {}
        self._blur_coarse(self._coarse)

    @property
    def shape(self) -> tuple[int, ...]:
        """Of the part."""
        return self.inside.shape

    def __getitem__(self, number: int) -> NDArray[np.float32]:
        """(k, j, i) the label blurred to one of the variances."""
        if number not in self._blurred:
            sigma = self._scale.sigmas(self._scale.variances[number])
            self._blurred[number] = ndimage.gaussian_filter(
                self._continued, sigma, truncate=3.0, mode="nearest"
            )
        return self._blurred[number]

    @cached_property
    def _continued(self) -> NDArray[np.float32]:
        """(k, j, i) the label, continued into what is not known."""
        if self.known.all():
            return self.inside
        return np.where(
            self.known, self.inside, _every_voxel(self._coarse, self._part, self._scale)
        )

    def _blur_coarse(self, coarse: NDArray[np.float32]) -> None:
        scale = self._scale
        done = np.zeros(3)
        done[scale.halved] = HALVING  # of what was left out and of its own voxels
        for number in range(COARSE_FROM, len(scale.variances)):
            goal = np.square(scale.sigmas(scale.variances[number]))
            sigma = np.sqrt(goal - done)
            sigma[scale.halved] /= 2
            coarse = ndimage.gaussian_filter(coarse, sigma, truncate=3.0, mode="nearest")
            self._blurred[number] = _every_voxel(coarse, self._part, scale)
            done = goal


def _halved(array: NDArray[np.float32], scale: _Scale) -> NDArray[np.float32]:
    """Every second voxel along the fine axes, averaged with its neighbours."""
    for axis in scale.halved:
        mean = ndimage.correlate1d(array, BEFORE_HALVING, axis, mode="nearest")
        array = mean[tuple(slice(None, None, 1 + (a == axis)) for a in range(3))]
    return np.ascontiguousarray(array)


def _every_voxel(
    coarse: NDArray[np.float32], part: tuple[slice, ...], scale: _Scale
) -> NDArray[np.float32]:
    """What is known at every second voxel, interpolated at all voxels of a part of the box."""
    fine = coarse[
        tuple(
            slice(s.start // 2, -(-s.stop // 2)) if a in scale.halved else s
            for a, s in enumerate(part)
        )
    ]
    for axis in reversed(scale.halved):
        fine = _doubled(fine, axis, part[axis].stop - part[axis].start)
    return fine


def _doubled(array: NDArray[np.float32], axis: int, size: int) -> NDArray[np.float32]:
    """Voxels between the given ones along an axis by six-point interpolation, ``size`` in all."""
    between = ndimage.correlate1d(array, BETWEEN, axis, mode="nearest", origin=-1)
    shape = [size if a == axis else n for a, n in enumerate(array.shape)]
    result = np.empty(shape, np.float32)
    along = np.moveaxis(result, axis, 0)
    along[::2] = np.moveaxis(array, axis, 0)
    along[1::2] = np.moveaxis(between, axis, 0)[: size // 2]
    return result


def _distance_and_bend(
    kernels: _Kernels, near: NDArray[np.int64], scale: _Scale
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """(n,) signed distance in voxels and sum of curvatures in 1/voxel at some voxels."""
    label = kernels.inside.reshape(-1)[near]
    shifts = _Shifts(kernels, near, scale)
    cells = Cells(near, kernels.shape, scale.halved)
    level = _level(shifts, label, cells, scale)
    if (level == scale.top).all():
        distance, bend = shifts.estimate(scale.top), shifts.curvature(COARSE_FROM)
    else:
        smooth = _smoothed(level, cells, scale)
        lowest = min(int(smooth.min()), scale.top - 1)
        estimates = [shifts.estimate(i) for i in range(lowest, scale.top + 1)]
        distance = _interpolate(estimates, smooth - lowest)
        narrow, wide = (shifts.curvature(i) for i in (COARSE_FROM - 1, COARSE_FROM))
        bend = np.where(smooth > scale.top - 0.5, wide, narrow)
    distance = np.where(label > 0.5, np.maximum(distance, CLEARANCE), distance)
    distance = np.where(label < 0.5, np.minimum(distance, -CLEARANCE), distance)
    # Where a border runs through a voxel's centre, the matrix would have an endless entry.
    distance = np.where(np.abs(distance) < CLEARANCE, np.copysign(CLEARANCE, distance), distance)
    return distance, np.clip(bend, -MAX_CURVATURE, MAX_CURVATURE)


class _Shifts:
    """Where each kernel alone would put the border, at some voxels."""

    def __init__(self, kernels: _Kernels, near: NDArray[np.int64], scale: _Scale) -> None:
        self._kernels, self._near, self._scale = kernels, near, scale
        self._distances: dict[int, NDArray[np.float32]] = {}
        self._estimates: dict[int, NDArray[np.float32]] = {}

    def distance(self, number: int) -> NDArray[np.float32]:
        """(n,) distance in voxels by one kernel, as if the border were flat."""
        if number not in self._distances:
            blurred = self._kernels[number].reshape(-1)[self._near]
            width = np.float32(np.sqrt(self._scale.variances[number]))
            flat = ndtri(np.clip(blurred, np.float32(1e-6), np.float32(1 - 1e-6)))
            self._distances[number] = (width * flat).astype(np.float32, copy=False)
        return self._distances[number]

    def estimate(self, level: int) -> NDArray[np.float32]:
        """(n,) distance in voxels by three kernels, from number ``level`` on."""
        if level not in self._estimates:
            first, second, third = (np.float32(weight) for weight in RICHARDSON)
            self._estimates[level] = (
                self.distance(level) * first
                + self.distance(level + 1) * second
                + self.distance(level + 2) * third
            )
        return self._estimates[level]

    def curvature(self, number: int) -> NDArray[np.float32]:
        """(n,) sum of curvatures in 1/voxel, from how far the border moves as a kernel widens."""
        moved = self.distance(number + 1) - self.distance(number)
        return moved * np.float32(2 / self._scale.variances[number])

    def is_lone(self, level: int, places: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Whether the kernels of a level meet nothing but this border, at some of the voxels.

        Near a lone flat border the distance has a gradient of length one. Curvature changes
        that, and so does a second border in the kernel's reach, such as the other side of a
        sulcus.
        """
        widest = level + len(RICHARDSON) - 1
        sigma = np.sqrt(self._scale.variances[widest])
        density = np.exp(-0.5 * (self.distance(widest)[places] / sigma) ** 2) / np.sqrt(2 * np.pi)
        slope = _gradient(self._kernels[widest], self._near[places], self._scale)
        return np.abs(sigma * slope / density - 1) <= LONE_BORDER


def _level(
    shifts: _Shifts,
    label: NDArray[np.float32],
    cells: Cells,
    scale: _Scale,
) -> NDArray[np.int64]:
    """(n,) the widest level whose kernels meet nothing but this border, and less around places
    where its border would run on the wrong side of voxel centres."""
    level = np.full(len(label), scale.top)
    for i in range(scale.top, 0, -1):
        at = np.flatnonzero(level == i)
        if not len(at):
            break
        level[at[~shifts.is_lone(i, at)]] -= 1
    allowed = level.copy()
    for i in range(scale.top, 0, -1):
        at = np.flatnonzero(allowed == i)
        if len(at):
            found, side = shifts.estimate(i)[at], label[at] - np.float32(0.5)
            allowed[at[(found * np.sign(side) < -TOLERANCE)]] -= 1
    wrong = np.flatnonzero(allowed < level)
    if not len(wrong):
        return level
    limit = cells.lowest(wrong, allowed[wrong], scale.top)
    reach = [3 if a in scale.axes else 1 for a in range(3)]
    return np.minimum(level, cells.read(ndimage.minimum_filter(limit, reach)))


def _smoothed(level: NDArray[np.int64], cells: Cells, scale: _Scale) -> NDArray[np.float32]:
    """The level averaged along the border, so that the border has no steps."""
    width = scale.sigmas(SMOOTHING**2)
    total = cells.blurred(level.astype(np.float32), width)
    count = cells.blurred(np.ones(len(level), np.float32), width)
    return (total / np.maximum(count, np.float32(1e-6))).astype(np.float32, copy=False)


def _interpolate(
    estimates: list[NDArray[np.float32]], level: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Estimates at fractional levels."""
    stack = np.array(estimates)
    low = np.clip(level.astype(int), 0, len(estimates) - 2)
    place = np.arange(len(level))
    part = level - low
    return stack[low, place] * (1 - part) + stack[low + 1, place] * part


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


def _face_thick_slices(
    distance: NDArray[np.float32],
    inside: NDArray[np.float32],
    scale: _Scale,
    wanted: NDArray[np.bool_],
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
        there = np.moveaxis(wanted, axis, 0)
        crossed &= there[1:] & there[:-1]
        along = np.moveaxis(distance, axis, 0)
        for side, sign in ((along[1:], 1), (along[:-1], -1)):
            lacking = crossed & np.isnan(side)
            side[lacking] = sign * half * np.sign(step[lacking])
