"""Borders within thick slices, as arcs.

In thick slices the staircase of a border is a line and not a surface, so a blurred label
(:mod:`.border`) averages over few steps. All that is known of such a border are the labels of the
voxels along it, so these are asked directly: along a stretch of the border, seen through a
Gaussian window, which arc of a circle makes the labels on its two sides likeliest? This is local
likelihood (Fan, Heckman and Wand, J Am Stat Assoc 1995, 90:141) with a logistic link. The circle
is written as a (x^2 + y^2) + b x + y + d = 0, x along the border and y across it (Pratt, Comput
Graph 1987, 21:145), so that the labels' log-odds are linear in a, b and d, and the place, the
direction and the curvature of the arc come out together.

Each place takes the widest window whose arc leaves hardly a voxel on its wrong side.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree
from scipy.special import expit

WINDOWS = (12.0, 8.0, 5.6, 4.0)
"""Widths in voxels of the Gaussian windows, widest first. Through narrower ones an arc follows the
noise of labels that were drawn by hand; the blurred label does better there."""

STEPS = 3.0
"""Steps of the staircase on either side of a place that are looked at, in widths of the window:
there are about 1.3 steps on a voxel's length of border."""

SOFTNESS = (0.1, 0.03)
"""How far, in voxels, a voxel's centre lies on its side of the border for its label to be likely;
the search begins with soft labels and hardens them."""

ITERATIONS = 2
"""Newton steps at each softness."""

LONGEST = 0.15
"""Of a Newton step, in voxels."""

DAMPING = 0.1
"""Added to the likelihood's curvature: keeps steps short where hardly a label is in doubt."""

CHORD = 4
"""Steps of the staircase on either side of a place that its tangent is taken from."""

RIDGE = 1e-3
"""Pull towards the least-squares arc, for windows in which no label is in doubt."""

MISFIT = 1e-3
"""Voxels by which labels may lie on the wrong side of an arc, averaged over its window."""

OFFSET = 0.5
"""Voxels that an arc may lie away from where the blurred label puts the border."""

REACH = 3.5
"""Voxels from a border within which its arcs tell the distance."""

NEXT_SLICE = 8.0
"""Voxels by which a border may move from one slice to the next for its slope to be known."""

LINE = 0.45
"""About half the width of a rim line, in voxels."""

SHORTEST = 0.05
"""Voxels between a pair's two distances, at the least."""

TIES = 3
"""Arcs that may be equally near."""

ROUNDING = 1e-6
"""Voxels by which equal lengths may differ."""

PRODUCTS = np.array([[0, 1, 2], [1, 3, 4], [2, 4, 5]])
"""Where, among the terms of :class:`_Seen`, each product of 1, x and q is."""

CHUNK = 512
"""Places worked on at a time: few enough to stay in cache."""


def follow_arcs(
    distance: NDArray[np.float32],
    inside: NDArray[np.float32],
    steps: Sequence[float],
    slices: int,
    measured: bool,
) -> NDArray[np.float32]:
    """Signed distance to a border in thick slices.

    Args:
        distance: (k, j, i) what is known of the signed distance, in voxels of the finest axis,
            positive inside; NaN away from the border and where nothing is known.
        inside: (k, j, i) 1 inside, 0 outside, 0.5 where the border runs through the voxel: where
            it passes between the voxel's centre and the middle of one of its faces. Voxels of
            other values are not asked.
        steps: (k, j, i) spacing in voxels of the finest axis.
        slices: axis across the thick slices.
        measured: whether distances are in space, or only within slices.

    Returns:
        (k, j, i) float32 distance in voxels of the finest axis, as given where no arc follows
        the border.
    """
    plane = [steps[axis] for axis in range(3) if axis != slices]
    known, label = (np.moveaxis(a, slices, 0) for a in (distance, inside))
    step = steps[slices] if measured else None
    found = np.mean([_follow(known, s, plane, step) for s in _staircases(known, label, plane)], 0)
    return np.moveaxis(np.where(np.isnan(found), known, found), 0, slices).astype(np.float32)


def _follow(
    known: NDArray[np.float32], stairs: _Staircase, steps: list[float], step: float | None
) -> NDArray[np.float64]:
    """(slice, j, i) distance by the arcs of a staircase, NaN where none follows the border."""
    result = np.full(known.shape, np.nan)
    arcs = _fit(stairs)
    if len(arcs.slices):
        level = np.ones(len(arcs.slices)) if step is None else arcs.level(step)
        s, j, i = np.nonzero(np.isfinite(known))
        points = np.stack([j * steps[0], i * steps[1]], axis=1)
        near, nearest = arcs.nearest(s, points, REACH)
        found = arcs.distance(nearest, points[near]) * level[nearest]
        place = s[near], j[near], i[near]
        agrees = np.abs(found - known[place]) < OFFSET
        result[tuple(p[agrees] for p in place)] = found[agrees]
    return result


@dataclass(frozen=True)
class _Staircase:
    """Pairs of neighbouring voxels on either side of a border, in order along it.

    Attributes:
        inner: (n + 1, 2) centres of the voxels inside, in voxels of the finest axis; zeros last.
        outer: likewise outside.
        crossing: likewise where the border crosses between them.
        slices: (n,) slice of each pair.
        onward: (2 n + 1,) the walk along the staircase. Number 2 p + s is pair p when it is left
            by its side s; what stands there is the next pair, and the side by which that is left
            in turn. 2 n is where the staircase ends.
    """

    inner: NDArray[np.float32]
    outer: NDArray[np.float32]
    crossing: NDArray[np.float32]
    slices: NDArray[np.int64]
    onward: NDArray[np.int64]

    def along(self, places: NDArray[np.int64], count: int) -> NDArray[np.int64]:
        """(m, 2 count + 1) pairs at some places, then those after and those before them; n where
        the staircase has ended."""
        found = [places]
        for side in (0, 1):
            state = 2 * places + side
            for _ in range(count):
                state = self.onward[state]
                found.append(state // 2)
        return np.stack(found, axis=1)


def _staircases(
    known: NDArray[np.float32], inside: NDArray[np.float32], steps: list[float]
) -> list[_Staircase]:
    """Staircases of a border in (slice, j, i) arrays: one, or those of a rim line's two edges,
    both moved to the line's middle."""
    usable = np.isfinite(known) & (2 * inside == np.round(2 * inside))
    if not (usable & (inside == 0.5)).any():
        return [_staircase(known, inside > 0.5, usable, steps, 0.0)]
    return [
        _moved(_staircase(known, inside > 0.5 + side / 4, usable, steps, side * LINE), side, steps)
        for side in (1, -1)
    ]


def _staircase(
    known: NDArray[np.float32],
    label: NDArray[np.bool_],
    usable: NDArray[np.bool_],
    steps: list[float],
    level: float,
) -> _Staircase:
    """Where a label begins, about where a distance has a level, in (slice, j, i) arrays."""
    across, one, other = _pairs(label, usable, 2, 0)
    down, upper, lower = _pairs(label, usable, 1, len(one))
    first, second = np.concatenate([one, upper]), np.concatenate([other, lower])
    first_in = label.reshape(-1)[first]
    inner, outer = np.where(first_in, first, second), np.where(first_in, second, first)

    def places(voxels: NDArray[np.int64]) -> NDArray[np.float64]:
        _, j, i = np.unravel_index(voxels, known.shape)
        return np.stack([np.multiply(j, steps[0]), np.multiply(i, steps[1])], axis=1)

    height, depth = (known.reshape(-1)[v].astype(float) for v in (inner, outer))
    part = np.clip((height - level) / np.maximum(height - depth, SHORTEST), 0, 1)[:, None]
    crossing = places(inner) * (1 - part) + places(outer) * part
    return _Staircase(
        inner=_listed(places(inner)),
        outer=_listed(places(outer)),
        crossing=_listed(crossing),
        slices=first // (known.shape[1] * known.shape[2]),
        onward=_onward(across, down, _joined_at_corners(known, label), len(first)),
    )


def _listed(points: NDArray[np.float64]) -> NDArray[np.float32]:
    """(n + 1, 2) points and zeros."""
    return np.concatenate([points, np.zeros((1, 2))]).astype(np.float32)


def _moved(edge: _Staircase, side: int, steps: list[float]) -> _Staircase:
    """The edge of a rim line, moved to the line's middle.

    A line is drawn where the border passes within half a step of a voxel's centre, along either
    axis. Should lines be drawn otherwise, the errors of the two edges cancel.
    """
    pairs = edge.along(np.arange(len(edge.slices)), CHORD)
    _, normal = _frame(edge, pairs, pairs < len(edge.slices))
    half = (np.abs(normal) * steps).max(axis=1, initial=0) / 2
    move = _listed(-side * half[:, None] * normal)
    return replace(
        edge, inner=edge.inner + move, outer=edge.outer + move, crossing=edge.crossing + move
    )


def _pairs(
    label: NDArray[np.bool_], usable: NDArray[np.bool_], axis: int, start: int
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
    """Neighbours along an axis on either side of the border: an array with their numbers from
    ``start`` on at the first voxel of each, -1 elsewhere, and flat indices of both voxels."""
    before, after = (_part(axis, s) for s in (slice(None, -1), slice(1, None)))
    crossed = (label[before] != label[after]) & usable[before] & usable[after]
    flat = np.arange(label.size).reshape(label.shape)
    first, second = flat[before][crossed], flat[after][crossed]
    numbers = np.full(label.shape, -1)
    numbers[before][crossed] = start + np.arange(len(first))
    return numbers, first, second


def _part(axis: int, along: slice) -> tuple[slice, ...]:
    """A part of an array along one axis, all of it along the others."""
    return tuple(along if a == axis else slice(None) for a in range(3))


def _joined_at_corners(known: NDArray[np.float32], label: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Whether, at each corner of four voxels, the first and the last of them lie on one side of the
    border, should both other voxels lie on the other: the side on which the corner itself is."""
    middle = known[:, :-1, :-1] + known[:, 1:, :-1] + known[:, :-1, 1:] + known[:, 1:, 1:]
    return label[:, :-1, :-1] == (middle > 0)


def _onward(
    across: NDArray[np.int64], down: NDArray[np.int64], joined: NDArray[np.bool_], count: int
) -> NDArray[np.int64]:
    """The walk along staircases: see :class:`_Staircase`.

    Four voxels that meet at a corner have four pairs among them. The border crosses none of
    these, or two, which it joins, or all four, where two corners of the label touch: there it
    cuts off the two voxels that are on the other side than the corner.
    """
    # Above, below, left and right of the corner.
    around = np.stack(
        [across[:, :-1, :-1], across[:, 1:, :-1], down[:, :-1, :-1], down[:, :-1, 1:]], axis=-1
    ).reshape(-1, 4)
    side = np.array([1, 0, 1, 0])  # of each pair, the one on which this corner lies
    crossed = around >= 0
    two = np.flatnonzero(crossed.sum(axis=1) == 2)
    four = np.flatnonzero(crossed.all(axis=1))
    ends = np.argsort(~crossed[two], axis=1, kind="stable")[:, :2]
    beside = np.where(joined.reshape(-1)[four], 3, 2)  # of the pair above
    onward = np.full(2 * count + 1, 2 * count)
    for corners, a, b in (
        (two, ends[:, 0], ends[:, 1]),
        (four, np.zeros_like(beside), beside),
        (four, np.ones_like(beside), 5 - beside),
    ):
        for come, go in ((a, b), (b, a)):
            left = 2 * around[corners, come] + side[come]
            onward[left] = 2 * around[corners, go] + 1 - side[go]
    return onward


@dataclass(frozen=True)
class _Arcs:
    """Arcs of circles that a border follows.

    Attributes:
        slices: (n,) slice of each.
        origin: (n, 2) point near the border, in voxels of the finest axis.
        tangent: (n, 2) unit vector along the border there.
        normal: (n, 2) unit vector across it, inwards.
        circle: (n, 3) d, b and a of the circle in the frame of these.
    """

    slices: NDArray[np.int64]
    origin: NDArray[np.float64]
    tangent: NDArray[np.float64]
    normal: NDArray[np.float64]
    circle: NDArray[np.float64]

    @cached_property
    def _tree(self) -> cKDTree:
        return cKDTree(_apart(self.slices, self.origin))

    def nearest(
        self, slices: NDArray[np.int64], points: NDArray[np.float64], reach: float
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Which of some points are within reach of an arc of a slice, and the nearest arc; of
        those that are equally near, the first."""
        found = self._tree.query(_apart(slices, points), TIES, distance_upper_bound=reach)
        length, arc = np.asarray(found[0]), np.asarray(found[1])
        near = np.flatnonzero(np.isfinite(length[:, 0]))
        tied = length[near] < length[near, :1] + ROUNDING
        return near, np.where(tied, arc[near], len(self.slices)).min(axis=1)

    def distance(self, arc: NDArray[np.int64], points: NDArray[np.float64]) -> NDArray[np.float64]:
        """(m,) signed distance of (m, 2) points to an arc each, within the slice."""
        x, y = _in_frame(points - self.origin[arc], self.tangent[arc], self.normal[arc])
        d, b, a = self.circle[arc].T
        value = a * (x * x + y * y) + b * x + y + d
        at_border = b * b + 1 - 4 * a * d
        slope = np.sqrt(np.maximum(at_border, 1e-6))
        return 2 * value / (slope + np.sqrt(np.maximum(at_border + 4 * a * value, 0)))

    def level(self, step: float) -> NDArray[np.float64]:
        """(n,) distance in space over distance within the slice: the cosine of the border's
        slope through slices that are ``step`` apart."""
        arcs = np.arange(len(self.slices))
        here = self.distance(arcs, self.origin)
        rise, count = np.zeros(len(arcs)), np.zeros(len(arcs))
        for side in (-1, 1):
            near, nearest = self.nearest(self.slices + side, self.origin, NEXT_SLICE)
            there = self.distance(nearest, self.origin[near])
            rise[near] += side * (there - here[near]) / step
            count[near] += 1
        return 1 / np.hypot(1, rise / np.maximum(count, 1))


def _apart(slices: NDArray[np.int64], points: NDArray[np.float64]) -> NDArray[np.float64]:
    """(n, 3) points such that those of different slices are far from each other."""
    return np.column_stack([slices * 1e3, points])


def _in_frame(offset: NDArray, tangent: NDArray, normal: NDArray) -> tuple[NDArray, NDArray]:
    """Offsets (..., 2) along the border and across it."""
    along, across = (
        offset[..., 0] * unit[..., 0] + offset[..., 1] * unit[..., 1] for unit in (tangent, normal)
    )
    return along, across


def _fit(stairs: _Staircase) -> _Arcs:
    """Arcs along staircases, for the places of them that an arc suits."""
    todo = np.arange(len(stairs.slices))
    found = []
    for window in WINDOWS:
        unsuited = [np.empty(0, np.int64)]
        for start in range(0, max(len(todo), 1), CHUNK):
            places = todo[start : start + CHUNK]
            arcs, suits = _fit_window(stairs, places, window)
            found.append(arcs)
            unsuited.append(places[~suits])
        todo = np.concatenate(unsuited)
    return _joined(found)


def _joined(arcs: list[_Arcs]) -> _Arcs:
    fields = ((a.slices, a.origin, a.tangent, a.normal, a.circle) for a in arcs)
    return _Arcs(*(np.concatenate(parts) for parts in zip(*fields, strict=True)))


def _fit_window(
    stairs: _Staircase, places: NDArray[np.int64], window: float
) -> tuple[_Arcs, NDArray[np.bool_]]:
    """Arcs at some places through one window, and which of the places they suit."""
    pairs = stairs.along(places, int(STEPS * window))
    there = pairs < len(stairs.slices)
    origin = stairs.crossing[places]
    tangent, normal = _frame(stairs, pairs, there)

    def seen(*points: NDArray[np.float32]) -> _Seen:
        offsets = [some.take(pairs, axis=0) - origin[:, None] for some in points]
        return _see(offsets, tangent, normal, window)

    view = seen(stairs.inner, stairs.outer)
    # A pair's two voxels have opposite labels.
    side = np.repeat(np.array([1, -1], np.float32), pairs.shape[1])
    weight = np.where(np.concatenate([there, there], axis=1), view.weight, np.float32(0))
    start = _least_squares(seen(stairs.crossing), there)
    circle = _likeliest(view, weight, side, start)
    misfit = (weight * np.maximum(-side * view.offset(circle), 0)).sum(axis=1) / weight.sum(axis=1)
    suits = (misfit < MISFIT) & (np.abs(circle[:, 0]) < OFFSET)
    scaled = circle / np.array([1, window, window**2])
    arcs = (stairs.slices[places], origin.astype(float), tangent, normal, scaled)
    return _Arcs(*(values[suits] for values in arcs)), suits


@dataclass(frozen=True)
class _Seen:
    """Points seen from some places through a window.

    Attributes:
        across: (m, n) float32 offset across the border in voxels.
        terms: (m, 6, n) float32 what multiplies d, b and a of a circle, q being x^2 + y^2: 1, x
            and q, and their products x x, x q and q q. Here x and y are in widths of the window.
        weight: (m, n) float32 in the window.
    """

    across: NDArray[np.float32]
    terms: NDArray[np.float32]
    weight: NDArray[np.float32]

    def offset(self, circle: NDArray[np.float64]) -> NDArray[np.float32]:
        """(m, n) distances in voxels from circles (m, 3), good close to them."""
        by_circle = circle.astype(np.float32)[:, None] @ self.terms[:, :3]
        by_circle[:, 0] += self.across
        return by_circle[:, 0]

    def sums(self, weight: NDArray[np.float32], count: int) -> NDArray[np.float64]:
        """(m, count) weighted sums of the first terms."""
        return (self.terms[:, :count] @ weight[..., None])[..., 0].astype(float)

    def products(self, weight: NDArray[np.float32]) -> NDArray[np.float64]:
        """(m, 3, 3) weighted sums of the products of 1, x and q."""
        return self.sums(weight, 6)[:, PRODUCTS]


def _see(
    points: list[NDArray[np.float32]],
    tangent: NDArray[np.float64],
    normal: NDArray[np.float64],
    window: float,
) -> _Seen:
    """Offsets (m, n, 2) in voxels, one array after the other, in the frame of each place."""
    offset = np.concatenate(points, axis=1)
    frame = ((unit / window).astype(np.float32)[:, None] for unit in (tangent, normal))
    x, y = _in_frame(offset, *frame)
    square = x * x + y * y
    terms = np.empty((x.shape[0], 6, x.shape[1]), np.float32)
    terms[:, 0], terms[:, 1], terms[:, 2] = 1, x, square
    terms[:, 3], terms[:, 4], terms[:, 5] = x * x, x * square, square * square
    return _Seen(y * np.float32(window), terms, np.exp(np.float32(-0.5) * square))


def _frame(
    stairs: _Staircase, pairs: NDArray[np.int64], there: NDArray[np.bool_]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(m, 2) unit vectors along the staircase and across it, inwards."""
    count = pairs.shape[1] // 2
    step = min(CHORD, count)
    ends = [
        np.where(there[:, column], pairs[:, column], pairs[:, 0]) for column in (step, count + step)
    ]
    chord = (stairs.crossing[ends[0]] - stairs.crossing[ends[1]]).astype(float)
    inwards = (stairs.inner[pairs[:, 0]] - stairs.outer[pairs[:, 0]]).astype(float)
    normal = np.stack([-chord[:, 1], chord[:, 0]], axis=1)
    agree = (normal * inwards).sum(axis=1)
    # A place alone, or on a bend so tight that the chord runs along the pair.
    normal = np.where((agree == 0)[:, None], inwards, normal * np.sign(agree)[:, None])
    normal /= np.hypot(normal[:, 0], normal[:, 1])[:, None]
    return np.stack([normal[:, 1], -normal[:, 0]], axis=1), normal


def _least_squares(view: _Seen, there: NDArray[np.bool_]) -> NDArray[np.float64]:
    """(m, 3) circles through the points that are there."""
    weight = view.weight * there
    normal = view.products(weight) + RIDGE * np.eye(3)
    right = view.sums(weight * view.across, 3)
    return -np.linalg.solve(normal, right[..., None])[..., 0].astype(np.float64, copy=False)


def _likeliest(
    view: _Seen, weight: NDArray[np.float32], side: NDArray[np.float32], start: NDArray[np.float64]
) -> NDArray[np.float64]:
    """(m, 3) circles that leave voxels on the sides that their labels say.

    Args:
        view: of the voxels.
        weight: (m, n) of each.
        side: (n,) 1 for those inside, -1 outside.
        start: (m, 3) where the search begins.
    """
    circle: NDArray[np.float64] = start
    for softness in SOFTNESS:
        for _ in range(ITERATIONS):
            doubt: NDArray[np.float32] = expit(view.offset(circle) * side / np.float32(-softness))
            pull = weight * doubt
            uphill = view.sums(pull * side, 3) / softness - RIDGE * (circle - start)
            bend = view.products(pull * (1 - doubt)) / softness**2
            step = np.linalg.solve(bend + (RIDGE + DAMPING) * np.eye(3), uphill[..., None])[..., 0]
            step *= np.minimum(1, LONGEST / np.maximum(np.abs(step).max(axis=1), 1e-9))[:, None]
            circle = circle + step
    return circle
