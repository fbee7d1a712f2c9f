"""Masks grown by whole voxels: shifts of the whole array, which cost far less than a general
dilation."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
from numpy.typing import NDArray


def grown(mask: NDArray[np.bool_], reach: Collection[int]) -> NDArray[np.bool_]:
    """A mask with all voxels up to ``reach`` (k, j, i) voxels from it along every axis: by faces,
    edges and corners."""
    for axis, steps in enumerate(reach):
        for _ in range(steps):
            more = mask.copy()
            _join_neighbours(more, mask, axis)
            mask = more
    return mask


def grown_by_faces(mask: NDArray[np.bool_], axes: Collection[int]) -> NDArray[np.bool_]:
    """A mask with the face neighbours of its voxels along some axes."""
    more = mask.copy()
    for axis in axes:
        _join_neighbours(more, mask, axis)
    return more


def _join_neighbours(more: NDArray[np.bool_], mask: NDArray[np.bool_], axis: int) -> None:
    """Adds the neighbours of a mask along an axis, in place."""
    source, target = np.moveaxis(mask, axis, 0), np.moveaxis(more, axis, 0)
    target[1:] |= source[:-1]
    target[:-1] |= source[1:]
