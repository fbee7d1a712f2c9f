"""Masks: of labels, their bounding box, and growing by whole voxels.

Growing shifts the whole array, which costs far less than a general dilation. Nothing here needs
SciPy, as the process that writes a scene has none.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np
from numpy.typing import NDArray

FEW = 6
"""Labels up to which it is faster to compare with each of them than to look them up."""


def carries(labels: NDArray, values: Sequence[int]) -> NDArray[np.bool_]:
    """(k, j, i) whether a voxel carries one of some labels."""
    if len(values) > FEW:
        return np.isin(labels, values)
    found = np.zeros(labels.shape, bool)
    for value in values:
        found |= labels == value
    return found


def grown(mask: NDArray[np.bool_], reach: Collection[int]) -> NDArray[np.bool_]:
    """A mask with all voxels up to ``reach`` (k, j, i) voxels from it along every axis: by faces,
    edges and corners."""
    for axis, steps in enumerate(reach):
        done = 0
        while done < steps:
            # What has grown by some steps can be moved by one more without leaving gaps.
            step = min(done + 1, steps - done)
            more = mask.copy()
            _join_neighbours(more, mask, axis, step)
            mask, done = more, done + step
    return mask


def grown_by_faces(mask: NDArray[np.bool_], axes: Collection[int]) -> NDArray[np.bool_]:
    """A mask with the face neighbours of its voxels along some axes."""
    more = mask.copy()
    for axis in axes:
        _join_neighbours(more, mask, axis)
    return more


def _join_neighbours(
    more: NDArray[np.bool_], mask: NDArray[np.bool_], axis: int, step: int = 1
) -> None:
    """Adds what lies ``step`` voxels from a mask along an axis, in place."""
    source, target = np.moveaxis(mask, axis, 0), np.moveaxis(more, axis, 0)
    target[step:] |= source[:-step]
    target[:-step] |= source[step:]


def bounding_box(
    mask: NDArray[np.bool_], margin: Sequence[int] = (0, 0, 0)
) -> tuple[slice, slice, slice]:
    """The slices that hold all of a mask that is not empty, and ``margin`` (k, j, i) voxels around
    it, within the array."""
    plane = np.logical_or.reduce(mask, axis=0)  # whole slices at a time, which is fastest
    box = []
    for axis, along in enumerate((np.any(mask, (1, 2)), plane.any(axis=1), plane.any(axis=0))):
        wide, used = margin[axis], np.flatnonzero(along)
        low, high = int(used[0]) - wide, int(used[-1]) + wide + 1
        box.append(slice(max(low, 0), min(high, mask.shape[axis])))
    return box[0], box[1], box[2]
