"""Field lines of the potential: thickness and depth of every voxel.

From each voxel the field line is followed to the white-matter border and to the pial border.
Its two lengths are L0 and L1 of Yezzi and Prince (IEEE TMI 2003, 22:1332); their sum is the
thickness. Following the lines instead of solving the two transport equations on the grid
spares the first-order smearing of upwind differences.

The flux of a harmonic field through a narrow tube around a field line is the same all along,
so the tube's cross-section A is proportional to 1 / |grad u|, which is what
d(ln A)/ds = div(grad u / |grad u|) integrates to. The tube's volume between two places is the
integral of ds / |grad u|, and its share between the pial surface and the voxel is the
equivolume depth (Waehnert et al., NeuroImage 2014, 93:210; Leprince et al., ISBI 2015).
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from .completion import Beside, complete_lines
from .cut_off import columns_cut_off
from .field import continued_field, places_around
from .laplace import BORDERS, Domain
from .ribbon import PIAL, WHITE
from .workers import WORKERS

STEPS_ACROSS = 6
STEP_VOXELS = (1.0, 2.5)
"""Steps across the cortex, each within this range of voxels of the finest axis. On the shapes of
Testing/Benchmark, steps of half the length change mean errors by under 0.0003 mm."""

MAX_STEPS = 120
"""Steps after which a field line is given up."""

STALLED = 0.02
"""Share of the expected rise in potential below which a field line has stalled."""

MAX_BEYOND = 1.0
"""How far a line is continued past the volume's edge, in usual thicknesses of the cortex."""

DEAD = 1e-3
"""Slope of the potential, in 1/mm, that is none but for the solver's tolerance: the cortex would be
a metre thick."""

CHUNK = 120_000
"""Voxels followed together: few enough to stay in cache and in memory."""


@dataclass(frozen=True)
class Streamlines:
    """What the field lines through the voxels measure; all NaN where a line ends nowhere or its
    column is cut off.

    Attributes:
        to_white, to_pial: (n,) float32 mm, length of the line to either border.
        volume_to_white, volume_to_pial: (n,) float32, volume of a thin tube around the line,
            relative to its flux.
        ends: for either border (n, 3) float32, the box index point (k, j, i) where the line
            meets it.
        normals: (n, 3) float32 unit vectors (k, j, i) in world lengths, from the pial
            surface towards the white matter.
        cut_off: (n,) bool, whether the column leaves what is labelled (:mod:`.cut_off`).
    """

    to_white: NDArray[np.float32]
    to_pial: NDArray[np.float32]
    volume_to_white: NDArray[np.float32]
    volume_to_pial: NDArray[np.float32]
    ends: dict[int, NDArray[np.float32]]
    normals: NDArray[np.float32]
    cut_off: NDArray[np.bool_]

    @property
    def thickness(self) -> NDArray[np.float32]:
        """(n,) mm."""
        return self.to_white + self.to_pial


def follow_streamlines(
    domain: Domain,
    potential: NDArray[np.float32],
    progress: Callable[[float], None] | None = None,
) -> Streamlines:
    """Follow the field line of every voxel to both borders.

    Args:
        domain: voxels and borders.
        potential: (inside,) from :func:`.laplace.solve_potential`.
        progress: called with the fraction done; may raise to stop.
    """
    # Only what the label map calls gray matter is measured; rim lines just carry the field.
    starts = np.flatnonzero(domain.labelled)
    chunks = np.array_split(starts, max(1, -(-len(starts) // CHUNK)))
    jobs = [(code, value, chunk) for chunk in chunks for code, value in BORDERS]
    parts: dict[int, list[tuple[NDArray, ...]]] = {code: [] for code, _ in BORDERS}
    with ThreadPoolExecutor(WORKERS) as pool:
        field = continued_field(domain, potential, pool)
        tracer = _Tracer(domain, field)
        normals_found = pool.submit(_normals, domain, field, starts)
        done = pool.map(lambda job: tracer.follow(job[2], job[1]), jobs)
        try:
            for number, (job, result) in enumerate(zip(jobs, done, strict=True)):
                parts[job[0]].append(result)
                if progress:
                    progress((number + 1) / len(jobs))
        except BaseException:
            pool.shutdown(wait=True, cancel_futures=True)
            raise
        joined = {
            code: [np.concatenate(p) for p in zip(*results, strict=True)]
            for code, results in parts.items()
        }
        beside = Beside(domain, starts)
        ends, headings = ({code: joined[code][n] for code in joined} for n in (2, 3))
        thickness = joined[WHITE][0] + joined[PIAL][0]
        cut_off = columns_cut_off(domain, beside, ends, headings, thickness, tracer.usual, pool)
        normals = normals_found.result()
        measured = {code: results[:3] for code, results in joined.items()}
        _forget(measured, cut_off)
        complete_lines(measured, normals, beside, pool)
    thickness = measured[WHITE][0] + measured[PIAL][0]
    # No thickness at all: a lone voxel between two borders that all but touch.
    _forget(measured, thickness <= 0)
    return Streamlines(
        to_white=measured[WHITE][0],
        to_pial=measured[PIAL][0],
        volume_to_white=measured[WHITE][1],
        volume_to_pial=measured[PIAL][1],
        ends=ends,
        normals=normals,
        cut_off=cut_off & ~np.isfinite(thickness),
    )


def _forget(measured: dict[int, list[NDArray[np.float32]]], lines: NDArray[np.bool_]) -> None:
    for results in measured.values():
        for values in results:
            values[lines] = np.nan


def _normals(
    domain: Domain, field: NDArray[np.float32], starts: NDArray[np.int64]
) -> NDArray[np.float32]:
    """(n, 3) unit vectors down the potential; NaN where there is none."""
    gradient = field[starts, 1:]
    length = np.linalg.norm(gradient, axis=1)
    dead = np.flatnonzero(length < DEAD)
    if len(dead):
        # Nothing flows in a dead end between cut faces: it points where its neighbours do.
        place = places_around(domain, domain.voxels[starts[dead]])
        inside = (place >= 0) & (place < domain.inside)
        beside = np.where(inside[:, :, None], field[place, 1:], np.float32(0))
        gradient[dead] = np.nan_to_num(beside).sum(axis=1)
        length[dead] = np.linalg.norm(gradient[dead], axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        return (-gradient / length[:, None]).astype(np.float32, copy=False)


def _usual_thickness(field: NDArray[np.float32]) -> float:
    """mm, from the slope (n, 4) of a potential that rises by one from border to border."""
    squared = np.einsum("na,na->n", field[:, 1:], field[:, 1:])
    rising = squared[squared > DEAD**2]  # not where there is none
    return float(1 / np.sqrt(np.median(rising))) if len(rising) else 0.0


class _Tracer:
    """Follows field lines through an interpolated field."""

    def __init__(self, domain: Domain, field: NDArray[np.float32]) -> None:
        self._domain = domain
        self._field = field
        self._lookup = domain.lookup
        finite = np.isfinite(field)
        if not finite.all():
            # Pieces without a potential do not count, even where they touch by a corner.
            self._lookup = domain.lookup.copy()
            self._lookup[domain.voxels[~finite.all(axis=1)]] = -1
        self._per_mm = np.array(
            [[1 / s if a in domain.axes else 0] for a, s in enumerate(domain.spacing)], np.float32
        )
        unit = min(domain.spacing[a] for a in domain.axes)
        shortest, longest = (unit * v for v in STEP_VOXELS)
        self.usual = usual = _usual_thickness(field[: domain.inside])
        self._step = np.float32(min(max(usual / STEPS_ACROSS, shortest), longest))
        self._beyond = np.float32(usual * MAX_BEYOND)
        _, nj, ni = domain.shape
        corners = np.array([0])
        for axis, stride in enumerate((nj * ni, ni, 1)):
            if axis in domain.axes:
                corners = (corners[:, None] + [0, stride]).reshape(-1)
        self._corners = corners

    def follow(
        self, starts: NDArray[np.int64], target: float
    ) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32], NDArray[np.float16]]:
        """Length, tube volume, end and final direction of the lines from ``starts`` to the
        ``target`` potential.

        The direction of each step but the first is extrapolated from the last two (Adams-Bashforth
        of order 2): field lines are nearly straight over a step. Volumes are integrated with the
        trapezoid rule corrected by the same history (Adams-Moulton of order 3). The last step
        goes to where the potential's slope puts the border, and is corrected once with the slope
        found there.
        """
        count = len(starts)
        length = np.full(count, np.nan, np.float32)
        volume = np.full(count, np.nan, np.float32)
        ends = np.full((3, count), np.nan, np.float32)
        headings = np.full((3, count), np.nan, np.float16)
        way = np.float32(-1 if target == 0 else 1)
        active = np.flatnonzero(np.isfinite(self._field[starts, 0]))
        place = np.array(
            np.unravel_index(self._domain.voxels[starts[active]], self._domain.shape), np.float32
        )
        here = _Slope(self._field[starts[active]].T.copy(), target, way)
        before: _Slope | None = None
        so_far = np.zeros((2, len(active)), np.float32)
        for _ in range(MAX_STEPS):
            last = here.remaining < 1.25 * self._step
            step = np.where(last, np.maximum(here.remaining, 0), self._step)
            ahead = self._advance(place, here, before, step)
            outside = self._outside(ahead)
            on_field = ~outside
            there = _Slope(self._interpolate(ahead, on_field), target, way)
            so_far[0] += step
            so_far[1] += step * _mean_between(
                here, there, before, (step / self._step).astype(np.float32)
            )
            left = np.flatnonzero(outside & (here.remaining < self._beyond))
            if len(left):
                # Lines that leave the volume are continued with the slope they left with.
                more = here.remaining[left] - step[left]
                index = active[left]
                length[index] = np.maximum(so_far[0, left] + more, 0)
                volume[index] = np.maximum(so_far[1, left] + more * here.per_slope[left], 0)
                way_out = here.remaining[left] * here.direction[:, left]
                ends[:, index] = place[:, left] + way_out * self._per_mm
                headings[:, index] = here.direction[:, left]
            # Places are taken by index throughout: masks would be searched again and again.
            done = np.flatnonzero(last & on_field)
            index = active[done]
            arrived = there.at(done)
            # A correction of more than a step means that the slope could not be trusted.
            rest = np.where(np.abs(arrived.remaining) <= self._step, arrived.remaining, np.nan)
            length[index] = np.maximum(so_far[0].take(done) + rest, 0)
            volume[index] = np.maximum(so_far[1].take(done) + rest * arrived.per_slope, 0)
            ends[:, index] = ahead.take(done, 1) + rest * arrived.direction * self._per_mm
            headings[:, index] = arrived.direction
            rise = (there.potential - here.potential) * way
            going = np.flatnonzero(~last & on_field & (rise * here.per_slope > STALLED * step))
            if not len(going):
                break
            place, active = ahead.take(going, 1), active[going]
            so_far = so_far.take(going, 1)
            before, here = here.at(going), there.at(going)
        return length, volume, ends.T - 1, headings.T

    def _advance(
        self,
        place: NDArray[np.float32],
        here: _Slope,
        before: _Slope | None,
        step: NDArray[np.float32],
    ) -> NDArray[np.float32]:
        """Points one step on."""
        direction = here.direction
        if before is not None:
            bend = 0.5 * step / self._step
            direction = direction + bend * (direction - before.direction)
        return place + step * direction * self._per_mm

    def _outside(self, place: NDArray[np.float32]) -> NDArray[np.bool_]:
        """Whether points lie beyond the centres of the box's outermost voxels."""
        inside = np.ones(place.shape[1], bool)
        for along, size in zip(place, self._domain.shape, strict=True):
            inside &= (along >= 0) & (along <= size - 1)
        return ~inside

    def _interpolate(
        self, place: NDArray[np.float32], on_field: NDArray[np.bool_]
    ) -> NDArray[np.float32]:
        """(4, m) trilinear field at box points (3, m); corners that are cut do not count.

        Clears ``on_field`` where no corner is on the field.
        """
        shape = self._domain.shape
        base = np.zeros(place.shape[1], np.int64)
        weights = [np.ones(1, np.float32)]
        for axis, (along, size) in enumerate(zip(place, shape, strict=True)):
            low = np.clip(along, 0, size - 2).astype(np.int64)
            base = base * size + low
            if axis in self._domain.axes:
                part = np.clip(along - low.astype(np.float32), 0, 1)
                weights = [w * side for w in weights for side in (1 - part, part)]
        index = np.empty((len(base), len(weights)), np.int32)
        weight = np.empty(index.shape, np.float32)
        for corner, (offset, w) in enumerate(zip(self._corners, weights, strict=True)):
            index[:, corner] = self._lookup.take(base + offset)
            weight[:, corner] = w
        missing = np.flatnonzero(index.reshape(-1) < 0)
        weight.reshape(-1)[missing] = 0
        index.reshape(-1)[missing] = 0
        pointers = np.arange(0, index.size + 1, index.shape[1], dtype=np.int32)
        rows = sparse.csr_array(
            (weight.reshape(-1), index.reshape(-1), pointers),
            shape=(len(index), len(self._field)),
        )
        values = np.asarray(rows @ self._field)
        touched = np.zeros(len(index), bool)
        touched[missing // index.shape[1]] = True
        partial = np.flatnonzero(touched)
        total = weight[partial].sum(axis=1)
        on_field[partial[total < 1e-3]] = False
        values[partial] /= np.maximum(total, 1e-3)[:, None]
        return values.T.copy()


class _Slope:
    """The field (4, n) at some points: where it leads and how steeply."""

    def __init__(self, field: NDArray[np.float32], target: float, way: np.float32) -> None:
        self.way = way
        self.potential, gradient = field[0], field[1:]
        slope = np.sqrt(np.einsum("ij,ij->j", gradient, gradient))
        self.per_slope = 1 / np.maximum(slope, np.float32(1e-6))
        self.direction = gradient * (way * self.per_slope)
        self.remaining = (np.float32(target) - self.potential) * way * self.per_slope

    def at(self, index: NDArray[np.int64]) -> _Slope:
        """Only the points at some places."""
        part = object.__new__(_Slope)
        part.way = self.way
        part.potential = self.potential.take(index)
        part.per_slope = self.per_slope.take(index)
        part.direction = self.direction.take(index, axis=1)
        part.remaining = self.remaining.take(index)
        return part


def _mean_between(
    here: _Slope, there: _Slope, before: _Slope | None, ratio: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Mean of 1 / slope over a step, from its ends and the step before.

    The parabola through the three values, whose earlier step was full and whose present one
    is ``ratio`` of that.
    """
    mean = (here.per_slope + there.per_slope) / 2
    if before is None:
        return mean
    bend = (there.per_slope - here.per_slope) - ratio * (here.per_slope - before.per_slope)
    return mean - bend * ratio / (6 * (1 + ratio))
