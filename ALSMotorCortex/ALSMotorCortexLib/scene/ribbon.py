"""The ribbon's voxels and the box around them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from ..cortex.grid import Grid, Image
from ..cortex.result import Shape

# Kept of result volumes around the ribbon, in voxels.
MARGIN = 2


@dataclass(frozen=True)
class Ribbon:
    """Where a measurement's voxels lie.

    Attributes:
        grid: the label grid.
        kji: (n, 3) int32 indices of the voxels.
        low, high: (3,) first and last index along (k, j, i).
    """

    grid: Grid
    kji: NDArray[np.int32]
    low: NDArray[np.int32]
    high: NDArray[np.int32]

    @classmethod
    def of(cls, measured: Shape) -> Ribbon:
        """The ribbon of what was measured, which has at least one voxel."""
        axes = np.unravel_index(measured.voxels, measured.grid.shape)
        low, high = (np.array([end(a) for a in axes], np.int32) for end in (np.min, np.max))
        kji = np.empty((len(measured.voxels), 3), np.int32)
        for axis, index in enumerate(axes):
            kji[:, axis] = index
        return cls(measured.grid, kji, low, high)

    @property
    def corners(self) -> NDArray[np.int32]:
        """(8, 3) indices of the voxels at the corners of the box."""
        ends = np.stack([self.low, self.high], axis=1)
        return np.stack(np.meshgrid(*ends), axis=-1).reshape(-1, 3)

    @cached_property
    def middle(self) -> NDArray[np.int32]:
        """(3,) index of the ribbon's voxel nearest to the box's middle."""
        away = (self.kji - (self.low + self.high) / 2) * self.grid.spacing
        return self.kji[np.argmin(np.einsum("na,na->n", away, away))]

    def paint(self, values: NDArray, outside: float) -> Image:
        """An image of the box and a small margin with ``values`` (n,) at the voxels."""
        low, shape, places = self._box
        array = np.full(shape, outside, dtype=values.dtype)
        array.reshape(-1)[places] = values
        matrix = self.grid.ijk_to_ras.copy()
        matrix[:3, 3] = self.grid.ras(low)
        return Image(array, Grid(array.shape, matrix))

    @cached_property
    def _box(self) -> tuple[NDArray[np.int32], tuple[int, int, int], NDArray[np.int64]]:
        """First index and shape of the box with its margin, and the voxels' flat indices in it."""
        low = np.maximum(self.low - MARGIN, 0)
        k, j, i = (int(n) for n in np.minimum(self.high + MARGIN + 1, self.grid.shape) - low)
        places = np.ravel_multi_index(tuple((self.kji - low).T), (k, j, i))
        return low, (k, j, i), places
