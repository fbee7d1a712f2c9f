"""Where a border runs between voxels.

A label map is a staircase. The border that it was sampled from is found again by blurring the
labels with Gaussians of growing width. For a flat border, the blurred label G at distance d is
the normal distribution function of d / sigma, so d = sigma * Phi^-1(G). A curved border shows
at d + sigma^2 / 2 * (sum of curvatures) + O(sigma^4): three widths that double in variance
cancel the two leading terms (Richardson extrapolation). Wide kernels average the staircase
away, narrow ones follow strong curvature and fine structure, so each place uses the widest
kernel within which there is nothing but this one, gently curved border.

The wide kernels work on every second voxel. The rest of the work is done in parts of the box, cut
so that they hold little else than what lies near the border; narrow kernels, which need all voxels,
are worked out only in those parts whose border asks for them.

In thick slices, the staircase is found again in another way: see :mod:`.arcs`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.special import ndtri

from .arcs import follow_arcs
from .cells import Cells
from .known import Known
from .masks import bounding_box, grown
from .scale import EVEN, HALVING, Scale, every_voxel, halved, thick_axes, with_ends

VARIANCES = (0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0)
"""Variances of the Gaussians, in squared voxels of the finest measured axis."""

COARSE_FROM = 4
"""Which of the variances is the first that every second voxel is enough for."""

NEAR = 2.5
"""How far from a border, in voxels of the finest axis, its distance is worked out."""

CUTOFF = 3.0
"""Widths at which Gaussians are cut off."""

PART = 250_000
"""Voxels of a part of the box: few enough to stay in cache."""

RICHARDSON = (8 / 3, -2.0, 1 / 3)
"""Weights on three variances v, 2 v, 4 v that cancel errors of order v and v^2."""

TOP = len(VARIANCES) - len(RICHARDSON)
"""The widest level: its estimate takes the last three variances."""

LONE_BORDER = 0.13
"""How far the gradient of the distance may be from one, at the widest of three kernels, for the
border to be taken as alone and gently curved. Chosen on the shapes of Testing/Benchmark: less
lets in more staircase, more lets in bias where the cortex folds tightly."""

MAX_CURVATURE = 0.5
"""Sum of curvatures, in 1/voxel, beyond which a number is staircase and not shape."""

TOLERANCE = 0.35
"""How far, in voxels, a border may contradict a voxel's label before a narrower kernel is
taken. A voxel's label speaks for its centre, the border passes within half a voxel."""

CLEARANCE = 0.02
"""Distance in voxels that a border keeps from every voxel centre."""

SMOOTHING = 2.0
"""Width in voxels of the Gaussian that the choice of kernels is averaged with."""

SAME = 1e-4
"""How far an average of levels may be from the widest by rounding alone."""


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
    scale = Scale(spacing, axes, inside.shape)
    if wanted is None:
        wanted = np.ones(inside.shape, bool)
    if known is not None:
        wanted = wanted & known.mask
    distance = np.full(inside.shape, np.nan, np.float32)
    curvature = np.full(inside.shape, np.nan, np.float32)
    parts = [part for part in _parts(inside, known, wanted, scale) if len(part.near)]
    if parts:
        kernels = _Kernels(inside, known, scale)
        pieces = [_Piece(kernels, part, scale) for part in parts]
        voxels = np.concatenate([part.voxels for part in parts])
        found, bend = _distance_and_bend(pieces, Cells(voxels, inside.shape, scale.halved), scale)
        distance.reshape(-1)[voxels] = found * scale.unit
        curvature.reshape(-1)[voxels] = bend / scale.unit
    thick = thick_axes(spacing, axes)
    if len(thick) == 1:
        distance = _along_arcs(distance, inside, thick[0], scale)
    _face_thick_slices(distance, inside, scale, wanted)
    return Border(distance, curvature)


@dataclass(frozen=True)
class _Part:
    """A part of the box, and what lies near the border there.

    Attributes:
        box: the part, a voxel wider than what is wanted of it, so that gradients can be taken.
        near: (n,) flat indices into the part.
        voxels: (n,) the same as flat indices into the whole box.
        label: (n,) the label there.
    """

    box: tuple[slice, slice, slice]
    near: NDArray[np.int64]
    voxels: NDArray[np.int64]
    label: NDArray[np.float32]


def _parts(
    inside: NDArray[np.float32],
    known: Known | None,
    wanted: NDArray[np.bool_],
    scale: Scale,
) -> Iterator[_Part]:
    """What lies near the border, part by part."""
    shape = wanted.shape
    one = [int(axis in scale.axes) for axis in range(3)]
    for core in _tight_boxes(wanted, tuple(slice(0, n) for n in shape)):
        wide = _widened(core, scale.voxels(NEAR), shape)
        crossed = _crossed(inside[wide], None if known is None else known.mask[wide], scale)
        box = _widened(core, one, shape)
        mine = np.zeros([s.stop - s.start for s in box], bool)
        mine[_within(core, box)] = crossed[_within(core, wide)] & wanted[core]
        near = np.flatnonzero(mine)
        places = np.unravel_index(near, mine.shape)
        moved = tuple(p + s.start for p, s in zip(places, box, strict=True))
        voxels = np.ravel_multi_index(moved, shape)
        yield _Part(box, near, voxels, inside[moved])


def _tight_boxes(
    mask: NDArray[np.bool_], box: tuple[slice, ...]
) -> Iterator[tuple[slice, slice, slice]]:
    """Boxes of about ``PART`` voxels at most that together hold all of a mask."""
    if not mask[box].any():
        return
    inner = bounding_box(mask[box])
    k, j, i = (slice(b.start + s.start, b.start + s.stop) for b, s in zip(box, inner, strict=True))
    tight = k, j, i
    sizes = [s.stop - s.start for s in tight]
    if np.prod(sizes) <= PART:
        yield tight
        return
    axis = int(np.argmax(sizes))
    low, high = tight[axis].start, tight[axis].stop
    for half in (slice(low, (low + high) // 2), slice((low + high) // 2, high)):
        yield from _tight_boxes(mask, (*tight[:axis], half, *tight[axis + 1 :]))


def _widened(
    box: Sequence[slice], margin: Sequence[int], shape: tuple[int, ...]
) -> tuple[slice, slice, slice]:
    """A box and a margin around it, from an even voxel on, within an array."""
    low = [max(s.start - wide, 0) for s, wide in zip(box, margin, strict=True)]
    high = [min(s.stop + wide, n) for s, wide, n in zip(box, margin, shape, strict=True)]
    k, j, i = (slice(a - a % 2, b) for a, b in zip(low, high, strict=True))
    return k, j, i


def _within(box: Sequence[slice], wide: Sequence[slice]) -> tuple[slice, ...]:
    """Where a box lies in a wider one."""
    return tuple(slice(s.start - w.start, s.stop - w.start) for s, w in zip(box, wide, strict=True))


def _crossed(
    inside: NDArray[np.float32], known: NDArray[np.bool_] | None, scale: Scale
) -> NDArray[np.bool_]:
    """Voxels with both sides of the border near them."""
    reach = scale.voxels(NEAR)
    sides = [inside > 0.48, inside < 0.52]
    if known is not None:
        sides = [side & known for side in sides]
    return grown(sides[0], reach) & grown(sides[1], reach)


class _Kernels:
    """A label blurred to all variances, in any part of a box."""

    def __init__(self, inside: NDArray[np.float32], known: Known | None, scale: Scale) -> None:
        self._scale, self._inside = scale, inside
        self._unknown = None if known is None or known.mask.all() else ~known.mask
        coarse = known.every_second(inside) if known else halved(inside, scale.halved)
        self._coarse = with_ends(coarse, scale.halved)
        self._blurred = with_ends(np.stack(list(_blurred(coarse, scale))), scale.halved)

    def wide(self, box: tuple[slice, ...]) -> NDArray[np.float32]:
        """(n, k, j, i) the label blurred to the variances from ``COARSE_FROM`` on."""
        return every_voxel(self._blurred, box, self._scale.halved)

    def narrow(self, number: int, box: tuple[slice, ...]) -> NDArray[np.float32]:
        """(k, j, i) the label blurred to one of the other variances."""
        sigma = self._scale.sigmas(VARIANCES[number])
        reach = [int(CUTOFF * s + 0.5) for s in sigma]
        seen = _widened(box, reach, self._inside.shape)
        label = self._inside[seen]
        if self._unknown is not None and self._unknown[seen].any():
            continued = every_voxel(self._coarse, seen, self._scale.halved)
            label = np.where(self._unknown[seen], continued, label)
        blurred = ndimage.gaussian_filter(label, sigma, truncate=CUTOFF, mode="nearest")
        return np.ascontiguousarray(blurred[_within(box, seen)])


def _blurred(coarse: NDArray[np.float32], scale: Scale) -> Iterator[NDArray[np.float32]]:
    """A label at every second voxel, blurred to the variances from ``COARSE_FROM`` on."""
    done = np.zeros(3)
    done[scale.halved] = HALVING  # of what was left out and of its own voxels
    for variance in VARIANCES[COARSE_FROM:]:
        goal = np.square(scale.sigmas(variance))
        sigma = np.sqrt(goal - done)
        sigma[scale.halved] /= 2
        coarse = ndimage.gaussian_filter(coarse, sigma, truncate=CUTOFF, mode="nearest")
        yield coarse
        done = goal


def _distance_and_bend(
    pieces: list[_Piece], cells: Cells, scale: Scale
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """(n,) signed distance in voxels and sum of curvatures in 1/voxel near the border."""
    level, allowed = (np.concatenate(a) for a in zip(*(p.level() for p in pieces), strict=True))
    level = _narrowed(level, allowed, cells, scale)
    smooth = _smoothed(level, cells, scale)
    ends = np.cumsum([len(p.label) for p in pieces])[:-1]
    found = [p.found(part) for p, part in zip(pieces, np.split(smooth, ends), strict=True)]
    distance, bend = (np.concatenate(a) for a in zip(*found, strict=True))
    distance = _off_centres(distance, np.concatenate([p.label for p in pieces]))
    return distance, np.clip(bend, -MAX_CURVATURE, MAX_CURVATURE)


def _off_centres(distance: NDArray[np.float32], label: NDArray[np.float32]) -> NDArray[np.float32]:
    """Distances in voxels such that no border passes over a voxel's centre."""
    distance = np.where(label > 0.5, np.maximum(distance, CLEARANCE), distance)
    distance = np.where(label < 0.5, np.minimum(distance, -CLEARANCE), distance)
    # Where a border runs through a voxel's centre, the matrix would have an endless entry.
    return np.where(np.abs(distance) < CLEARANCE, np.copysign(CLEARANCE, distance), distance)


class _Piece:
    """Where the kernels put the border, in one part of the box."""

    def __init__(self, kernels: _Kernels, part: _Part, scale: Scale) -> None:
        self.label = part.label
        self._kernels, self._part, self._scale = kernels, part, scale
        self._arrays: dict[int, NDArray[np.float32]] = {}
        self._distances: dict[int, NDArray[np.float32]] = {}
        self._estimates: dict[int, NDArray[np.float32]] = {}

    def level(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """(n,) the widest level whose kernels meet nothing but this border, and (n,) the widest
        whose border runs on the right side of voxel centres."""
        self._arrays.update(enumerate(self._kernels.wide(self._part.box), COARSE_FROM))
        level = np.full(len(self.label), TOP)
        for i in range(TOP, 0, -1):
            at = np.flatnonzero(level == i)
            if not len(at):
                break
            level[at[~self._is_lone(i, at)]] -= 1
        allowed = level.copy()
        for i in range(TOP, 0, -1):
            at = np.flatnonzero(allowed == i)
            if len(at):
                found, side = self._estimate(i)[at], self.label[at] - np.float32(0.5)
                allowed[at[(found * np.sign(side) < -TOLERANCE)]] -= 1
        for number in range(int(level.min()), len(VARIANCES)):
            self._distance(number)
        self._arrays.clear()
        return level, allowed

    def found(self, level: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """(n,) signed distance in voxels and sum of curvatures in 1/voxel, at a level (n,) that
        may lie between two."""
        wide = self._curvature(COARSE_FROM)
        if level.min() > TOP - SAME:
            return self._estimate(TOP), wide
        lowest = int(level.min())
        estimates = [self._estimate(i) for i in range(lowest, TOP + 1)]
        bend = np.where(level > TOP - 0.5, wide, self._curvature(COARSE_FROM - 1))
        return _interpolate(estimates, level - lowest), bend

    def _array(self, number: int) -> NDArray[np.float32]:
        """(k, j, i) the label blurred to one of the variances."""
        if number not in self._arrays:
            self._arrays[number] = self._kernels.narrow(number, self._part.box)
        return self._arrays[number]

    def _distance(self, number: int) -> NDArray[np.float32]:
        """(n,) distance in voxels by one kernel, as if the border were flat."""
        if number not in self._distances:
            blurred = self._array(number).reshape(-1)[self._part.near]
            width = np.float32(np.sqrt(VARIANCES[number]))
            flat = ndtri(np.clip(blurred, np.float32(1e-6), np.float32(1 - 1e-6)))
            self._distances[number] = (width * flat).astype(np.float32, copy=False)
        return self._distances[number]

    def _estimate(self, level: int) -> NDArray[np.float32]:
        """(n,) distance in voxels by three kernels, from number ``level`` on."""
        if level not in self._estimates:
            first, second, third = (np.float32(weight) for weight in RICHARDSON)
            self._estimates[level] = (
                self._distance(level) * first
                + self._distance(level + 1) * second
                + self._distance(level + 2) * third
            )
        return self._estimates[level]

    def _curvature(self, number: int) -> NDArray[np.float32]:
        """(n,) sum of curvatures in 1/voxel, from how far the border moves as a kernel widens."""
        moved = self._distance(number + 1) - self._distance(number)
        return moved * np.float32(2 / VARIANCES[number])

    def _is_lone(self, level: int, places: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Whether the kernels of a level meet nothing but this border, at some of the voxels.

        Near a lone flat border the distance has a gradient of length one. Curvature changes
        that, and so does a second border in the kernel's reach, such as the other side of a
        sulcus.
        """
        widest = level + len(RICHARDSON) - 1
        sigma = np.sqrt(VARIANCES[widest])
        density = np.exp(-0.5 * (self._distance(widest)[places] / sigma) ** 2) / np.sqrt(2 * np.pi)
        slope = _gradient(self._array(widest), self._part.near[places], self._scale)
        return np.abs(sigma * slope / density - 1) <= LONE_BORDER


def _narrowed(
    level: NDArray[np.int64], allowed: NDArray[np.int64], cells: Cells, scale: Scale
) -> NDArray[np.int64]:
    """(n,) the level, and less around places that are allowed less."""
    wrong = np.flatnonzero(allowed < level)
    if not len(wrong):
        return level
    limit = cells.lowest(wrong, allowed[wrong], TOP)
    reach = [3 if a in scale.axes else 1 for a in range(3)]
    return np.minimum(level, cells.read(ndimage.minimum_filter(limit, reach)))


def _smoothed(level: NDArray[np.int64], cells: Cells, scale: Scale) -> NDArray[np.float32]:
    """The level averaged along the border, so that the border has no steps."""
    if (level == TOP).all():
        return level.astype(np.float32)
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
    array: NDArray[np.float32], voxels: NDArray[np.int64], scale: Scale
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


def _along_arcs(
    distance: NDArray[np.float32], inside: NDArray[np.float32], slices: int, scale: Scale
) -> NDArray[np.float32]:
    """Distance in mm where the border runs within thick slices, across the axis ``slices``."""
    found = follow_arcs(
        distance / np.float32(scale.unit), inside, scale.steps, slices, slices in scale.axes
    )
    return _off_centres(found, inside) * np.float32(scale.unit)


def _face_thick_slices(
    distance: NDArray[np.float32],
    inside: NDArray[np.float32],
    scale: Scale,
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
