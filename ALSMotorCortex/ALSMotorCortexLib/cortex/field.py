"""The potential and its gradient at the ribbon's voxels, and how both go on around it."""

from __future__ import annotations

from concurrent.futures import Executor

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from .laplace import BORDERS, Domain, neighbourhood


def continued_field(
    domain: Domain, potential: NDArray[np.float32], pool: Executor
) -> NDArray[np.float32]:
    """(n, 4) potential and its gradient (1/mm) at the domain's voxels and all around them.

    Past the white and pial borders the potential goes on in proportion to the distance from the
    border, and the gradient stays as it is. Past cut faces both are mirrored, so that nothing
    flows through; past the volume's edge both go on straight.
    """
    n, m = domain.inside, domain.bordered
    field = np.zeros((len(domain.voxels), 4), np.float32)
    known = np.concatenate([potential, np.zeros(m - n, np.float32)])
    solved = np.isfinite(potential)
    rims = list(pool.map(lambda border: _Rim(domain, solved, *border), BORDERS))
    for rim in rims:
        known[rim.voxels] = rim.potential(potential)
    slopes = pool.map(lambda axis: _slope(domain, known, axis), domain.axes)
    for axis, slope in zip(domain.axes, slopes, strict=True):
        field[:n, 1 + axis] = slope
    gradients = pool.map(lambda rim: rim.gradient(field[:n, 1:]), rims)
    for rim, gradient in zip(rims, gradients, strict=True):
        field[rim.voxels, 1:] = gradient
    field[:m, 0] = known
    field[m:] = _mirrored(domain, field[:m])
    _continue_straight(domain, field)
    return field


def _continue_straight(domain: Domain, field: NDArray[np.float32]) -> None:
    """Give the voxels past the volume's edge a field that goes on as it came, in place."""
    m = domain.bordered
    for axis in domain.axes:
        edge = np.flatnonzero(domain.straight == axis)
        for side in (-1, 1) if len(edge) else ():
            past = domain.neighbour(axis, side)[edge]
            cut = past >= m
            here, past = edge[cut], past[cut]
            field[past, 1:] = field[here, 1:]
            field[past, 0] = field[here, 0] + side * domain.spacing[axis] * field[here, 1 + axis]


def _slope(domain: Domain, potential: NDArray[np.float32], axis: int) -> NDArray[np.float32]:
    """(inside,) derivative of the potential (bordered,) along an axis, in 1/mm.

    Five-point differences where two voxels on either side are known, which are exact for
    polynomials up to degree four; else three-point ones. Cut faces mirror the potential, the
    volume's edge continues it.
    """
    n, m = domain.inside, domain.bordered
    own = potential[:n]
    low, high = (domain.neighbour(axis, side) for side in (-1, 1))
    near = np.where(high < m, potential.take(high, mode="clip"), own)
    near -= np.where(low < m, potential.take(low, mode="clip"), own)
    inner = np.flatnonzero((low < n) & (high < n))
    lower, higher = low.take(low.take(inner)), high.take(high.take(inner))
    known = np.flatnonzero((lower < m) & (higher < m))
    inner, lower, higher = inner.take(known), lower.take(known), higher.take(known)
    slope = near / 2
    edge = domain.straight == axis
    slope[edge & ((low >= m) != (high >= m))] *= 2
    far = potential.take(higher) - potential.take(lower)
    slope[inner] = near.take(inner) * np.float32(2 / 3) - far / 12
    return (slope / domain.spacing[axis]).astype(np.float32, copy=False)


class _Rim:
    """Continues fields from the inside voxels to the voxels beyond one border.

    Attributes:
        voxels: (rim,) their places in the domain.
    """

    def __init__(self, domain: Domain, solved: NDArray[np.bool_], code: int, value: float) -> None:
        n, m = domain.inside, domain.bordered
        self.voxels = n + np.flatnonzero(domain.beyond[n:m] == code)
        self._value = np.float32(value)
        self._inside = np.nan_to_num(domain.distances[code][:n])
        self._outside = np.nan_to_num(domain.distances[code][self.voxels])
        self._bend = np.nan_to_num(domain.curvatures[code][self.voxels])
        around = neighbourhood(domain.axes)
        place = places_around(domain, domain.voxels[self.voxels])
        usable = np.zeros(len(domain.voxels) + 1, bool)  # the last is for none, which is -1
        usable[:n] = solved
        found = usable[place]
        ends = np.concatenate([[0], np.cumsum(np.count_nonzero(found, axis=1))]).astype(np.int32)
        pairs = np.flatnonzero(found)
        weight = 1 / np.sum((np.array(around) * domain.spacing) ** 2, axis=1)
        data = weight.astype(np.float32)[pairs % len(around)]
        # How much each inside voxel counts for each rim voxel beside it.
        self._weights = sparse.csr_array(
            (data, place.reshape(-1)[pairs], ends), shape=(len(self.voxels), n)
        )

    def potential(self, potential: NDArray[np.float32]) -> NDArray[np.float32]:
        """(rim,) the potential, from inside (inside,).

        Across a border of curvature c the potential of a harmonic field goes as d - c d^2 / 2
        with the distance d; its slope is taken from the inside.
        """
        inside = np.maximum(self._inside, 0)
        rise = np.where(inside > 0, potential - self._value, 0)
        rise, run, square = (self._weights @ np.stack([rise, inside, inside**2], axis=1)).T
        slope = rise / np.maximum(run - self._bend / 2 * square, np.float32(1e-12))
        return self._value + slope * (self._outside - self._bend / 2 * self._outside**2)

    def gradient(self, gradient: NDArray[np.float32]) -> NDArray[np.float32]:
        """(rim, 3) the gradient, from inside (inside, 3).

        Its length falls with the distance d as exp(-c d), the flux being the same all along.
        """
        weights = self._weights
        count = np.diff(weights.indptr)
        apart = np.repeat(self._outside, count) - self._inside[weights.indices]
        fallen = weights.copy()
        fallen.data *= np.exp(-np.repeat(self._bend, count) * apart)
        total = np.maximum(weights @ np.ones(weights.shape[1], np.float32), np.float32(1e-12))
        return ((fallen @ gradient) / total[:, None]).astype(np.float32, copy=False)


def _mirrored(domain: Domain, field: NDArray[np.float32]) -> NDArray[np.float64]:
    """(cut, 4) field at the cut voxels: the mirror image of their face neighbours."""
    cut = domain.voxels[domain.bordered :]
    total = np.zeros((len(cut), 4))
    weight = np.zeros(len(cut))
    for axis in domain.axes:
        sign = np.ones(4)
        sign[1 + axis] = -1
        for side in (-1, 1):
            offset = [0, 0, 0]
            offset[axis] = side
            place = domain.neighbours_of(cut, offset)
            row = np.flatnonzero((place >= 0) & (place < domain.bordered))
            share = 1 / domain.spacing[axis] ** 2
            total[row] += share * sign * field[place[row]]
            weight[row] += share
    return total / np.maximum(weight, 1e-12)[:, None]


def places_around(domain: Domain, voxels: NDArray[np.int64]) -> NDArray[np.int32]:
    """(n, m) places of the voxels around some, in the order of :func:`.laplace.neighbourhood`;
    -1 for none."""
    around = neighbourhood(domain.axes)
    return np.stack([domain.neighbours_of(voxels, offset) for offset in around], axis=1)
