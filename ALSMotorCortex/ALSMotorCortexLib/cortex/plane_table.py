"""Means over voxels of what is even along an axis, by looking it up in the plane across it.

A voxel's signal is an integral over its volume. Along the axis nothing changes, so that values
are needed in one plane only; they are tabulated there once and summed over many points of every
voxel.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import product

import numpy as np
from numpy.typing import NDArray

from .phantoms import Placement
from .shapes import Floats

TABLE_MM = 0.08
"""Spacing of the table. A border comes out at most half of this off its place, to either side
as often, so that over the points of a voxel it cancels."""


@dataclass(frozen=True)
class PlaneTable:
    """Places at which to tabulate values.

    Attributes:
        placement: the voxels, and the anatomy's own coordinates.
        low: (2,) mm, own coordinates (up, across) of the first place.
        shape: places along (up, across).
    """

    placement: Placement
    low: Floats = field(repr=False)
    shape: tuple[int, int]

    @classmethod
    def around(cls, placement: Placement, offsets: Floats) -> PlaneTable:
        """A table that holds every voxel of a placement.

        Args:
            placement: what to cover.
            offsets: (m, 3) mm along (k, j, i), the points of a voxel around its centre.
        """
        last = (np.array(placement.grid.shape) - 1) * placement.grid.spacing
        first, beyond = offsets.min(axis=0), last + offsets.max(axis=0)
        corners = np.array(list(product(*zip(first, beyond, strict=True))))
        reach = placement.own(corners)[:, 1:]
        low, high = reach.min(axis=0), reach.max(axis=0)
        up, across = np.ceil((high - low) / TABLE_MM).astype(int) + 1
        return cls(placement, low, (int(up), int(across)))

    @property
    def points(self) -> Floats:
        """(n, 3) own coordinates of the places, mm."""
        up, across = (self.low[a] + TABLE_MM * np.arange(self.shape[a]) for a in (0, 1))
        return np.stack(np.meshgrid(0.0, up, across, indexing="ij"), axis=-1).reshape(-1, 3)

    def means(self, values: NDArray, offsets: Floats, weights: NDArray | None = None) -> NDArray:
        """Weighted means over every voxel, (voxels, columns).

        Args:
            values: (n, columns) at :attr:`points`.
            offsets: (m, 3) mm along (k, j, i), the points of a voxel around its centre.
            weights: (m, columns), real or complex; 1 / m each if None.
        """
        columns = values.shape[1]
        shares = np.full((len(offsets), columns), 1 / len(offsets)) if weights is None else weights
        kind = np.result_type(values.dtype, np.complex64 if np.iscomplexobj(shares) else np.float32)
        shares = shares.astype(kind)
        total = np.zeros((int(np.prod(self.placement.grid.shape)), columns), kind)
        shifts = (offsets @ self.placement.rotation.T)[:, 1:] / TABLE_MM
        for block, own in self.placement.points():
            place = (own[:, 1:] - self.low) / TABLE_MM
            for shift, share in zip(shifts, shares, strict=True):
                at = np.rint(place + shift).astype(np.intp)
                total[block] += share * values[at[:, 0] * self.shape[1] + at[:, 1]]
        return total
