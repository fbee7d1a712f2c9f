"""Which columns of the cortex are not wholly in the picture.

Where the volume ends, or the labels do, obliquely to the cortex or along it, field lines cannot
leave: they bend along the cut, and what they measure is longer than the cortex is thick. The
borders, though, still tell which way the cortex goes: a field line leaves them at a right angle. So
from both ends of each line a straight ray is sent back into the cortex, as long as the line. If the
ray comes to where nothing is labelled before it meets the other border, the column is cut off, and
the line tells nothing of the cortex's thickness.
"""

from __future__ import annotations

from concurrent.futures import Executor

import numpy as np
from numpy.typing import NDArray

from .completion import Beside
from .laplace import Domain
from .ribbon import CUT, PIAL, WHITE

REACH = 1.2
"""Length of a ray in usual thicknesses of the cortex, where the line got to one border only."""

MOST = 0.5
"""Share of the lines around one that are most of them."""

CHUNK = 120_000
"""Rays followed together."""


def columns_cut_off(
    domain: Domain,
    beside: Beside,
    ends: dict[int, NDArray[np.float32]],
    headings: dict[int, NDArray[np.float16]],
    thickness: NDArray[np.float32],
    usual: float,
    pool: Executor,
) -> NDArray[np.bool_]:
    """(n,) whether a field line's column leaves what is labelled.

    Args:
        domain: voxels and their tissue.
        beside: neighbours of each line.
        ends: of each line (n, 3) at the white matter and at the pial surface, box index points.
        headings: likewise (n, 3) unit vectors (k, j, i) in world lengths in which a line arrives
            there.
        thickness: (n,) mm, length of the line; NaN where it lacks an end.
        usual: mm, usual thickness.
        pool: threads to use.
    """
    cut_off = np.zeros(len(thickness), bool)
    # A line that got to one end only has no length.
    length = np.where(np.isfinite(thickness), thickness, np.float32(REACH * usual))
    rays = _Rays(domain)

    def work(first: int) -> None:
        part = slice(first, first + CHUNK)
        for near, far in ((WHITE, PIAL), (PIAL, WHITE)):
            cut_off[part] |= rays.leave(ends[near][part], headings[near][part], length[part], far)

    list(pool.map(work, range(0, len(thickness), CHUNK)))
    return cut_off | _amid(cut_off, beside)


def _amid(cut_off: NDArray[np.bool_], beside: Beside) -> NDArray[np.bool_]:
    """(n,) whether most lines around a line are cut off. Then it is, too: in a large region that
    is, a few lines happen to look as if they were not."""
    amid = np.zeros(len(cut_off), bool)
    near = beside.around(cut_off)
    others = beside.of(near)
    there = others >= 0
    count = np.count_nonzero(cut_off[others] & there, axis=1)
    amid[near] = count > MOST * np.count_nonzero(there, axis=1)
    return amid


class _Rays:
    """Follows straight rays through a label map."""

    def __init__(self, domain: Domain) -> None:
        # With a layer before the box's own empty one there are always voxels all around a point.
        tissue = np.pad(domain.tissue, ((1, 0),) * 3)
        nowhere = tissue == CUT
        for axis in domain.axes:
            along = np.moveaxis(nowhere, axis, 0)
            along[:-1] &= along[1:]
        # Whether each voxel and those after it, between which a point can lie, are unlabelled.
        self._nowhere = nowhere.reshape(-1)
        self._tissue = tissue.reshape(-1)
        self._last = [np.float32(size - 1) for size in tissue.shape]
        self._strides = [tissue.shape[1] * tissue.shape[2], tissue.shape[2], 1]
        self._step = min(domain.spacing[a] for a in domain.axes)
        self._per_mm = np.array(
            [[1 / s if a in domain.axes else 0] for a, s in enumerate(domain.spacing)], np.float32
        )

    def leave(
        self,
        ends: NDArray[np.float32],
        headings: NDArray[np.float16],
        length: NDArray[np.float32],
        far: int,
    ) -> NDArray[np.bool_]:
        """(n,) whether rays against the headings come to nowhere before they meet the tissue
        ``far``. Lines without an end have none."""
        # Both empty layers shift index points.
        start = ends.T + np.float32(2)
        way = -self._per_mm * headings.T
        # Most rays end in the cortex or beside it, and need not be followed.
        left = self._is_nowhere(start + way * length)
        left &= np.isfinite(ends[:, 0])
        doubtful = np.flatnonzero(left)
        left[doubtful] = self._leave_first(
            start.take(doubtful, 1), way.take(doubtful, 1), length.take(doubtful), far
        )
        return left

    def _leave_first(
        self,
        start: NDArray[np.float32],
        way: NDArray[np.float32],
        length: NDArray[np.float32],
        far: int,
    ) -> NDArray[np.bool_]:
        """(n,) whether rays that end nowhere get there before they meet the far tissue."""
        left = np.ones(len(length), bool)
        going = np.arange(len(length))
        for step in range(1, int(np.max(length, initial=0) / self._step) + 1):
            place = start.take(going, 1) + way.take(going, 1) * np.float32(step * self._step)
            met = self._tissue.take(self._index(place + np.float32(0.5))) == far
            left[going[met]] = False
            going = going[~met & ~self._is_nowhere(place)]
            going = going[length[going] > (step + 1) * self._step]
            if not len(going):
                break
        return left

    def _is_nowhere(self, place: NDArray[np.float32]) -> NDArray[np.bool_]:
        return self._nowhere.take(self._index(place))

    def _index(self, place: NDArray[np.float32]) -> NDArray[np.int32]:
        """Flat indices of the whole parts of index points (3, n), past the box's end of those
        at its end."""
        index = np.zeros(place.shape[1], np.int32)
        for along, last, stride in zip(place, self._last, self._strides, strict=True):
            whole = np.fmin(np.fmax(along, np.float32(0)), last).astype(np.int32)
            index += whole * np.int32(stride)
        return index
