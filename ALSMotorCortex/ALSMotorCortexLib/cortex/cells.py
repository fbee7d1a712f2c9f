"""Voxels gathered into cells of two along the fine axes, to average over neighbours at a low cost.

A Gaussian a few voxels wide needs no more than every second voxel.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

REACH = 3
"""Widths at which Gaussians are cut off."""


class Cells:
    """Some voxels of a box and the cells that they lie in.

    Args:
        voxels: (n,) flat indices into the box.
        shape: (k, j, i) of the box.
        halved: axes along which a cell holds two voxels; one along the others.
    """

    def __init__(
        self, voxels: NDArray[np.int64], shape: tuple[int, ...], halved: Collection[int]
    ) -> None:
        self._sizes = [2 if a in halved else 1 for a in range(3)]
        self._shape = [-(-n // s) for n, s in zip(shape, self._sizes, strict=True)]
        places = np.unravel_index(voxels, shape)
        cell = [p // s for p, s in zip(places, self._sizes, strict=True)]
        self._cell = np.ravel_multi_index(cell, self._shape)
        self._used = [(int(c.min()), int(c.max()) + 1) if len(c) else (0, 0) for c in cell]

    def blurred(self, values: NDArray[np.floating], width: Sequence[float]) -> NDArray[np.float32]:
        """(n,) sums of values (n,) around each voxel, weighted by a Gaussian.

        Args:
            values: of each voxel.
            width: of the Gaussian, in voxels along (k, j, i).
        """
        total = np.bincount(self._cell, weights=values, minlength=int(np.prod(self._shape)))
        sigma = [w / s for w, s in zip(width, self._sizes, strict=True)]
        box = total.reshape(self._shape).astype(np.float32)
        # What is farther from all voxels than the Gaussian reaches is empty and stays so.
        reach = [int(REACH * s + 0.5) for s in sigma]
        seen = tuple(
            slice(max(low - wide, 0), high + wide)
            for (low, high), wide in zip(self._used, reach, strict=True)
        )
        box[seen] = ndimage.gaussian_filter(box[seen], sigma, truncate=REACH)
        return self.read(box)

    def lowest(
        self, places: NDArray[np.int64], values: NDArray[np.integer], default: int
    ) -> NDArray[np.uint8]:
        """(k, j, i) for each cell the lowest of the values (m,) 0 to 255 at some of the voxels.

        Args:
            places: (m,) which of the voxels.
            values: at each of them.
            default: of cells that have none, and the highest of all.
        """
        box = np.full(self._shape, default, np.uint8)
        np.minimum.at(box.reshape(-1), self._cell[places], values.astype(np.uint8))
        return box

    def read(self, box: NDArray) -> NDArray:
        """(n,) each voxel's value in an array (k, j, i) of the cells."""
        return box.reshape(-1)[self._cell]
