"""Field lines that got lost, from those of neighbouring voxels."""

from __future__ import annotations

from concurrent.futures import Executor

import numpy as np
from numpy.typing import NDArray

from .field import places_around
from .laplace import Domain, neighbourhood
from .masks import grown
from .ribbon import PIAL, WHITE

COMPLETED_VOXELS = 3
"""How many voxels far lost lines are completed from their neighbours."""


class Beside:
    """Which lines run through neighbouring voxels.

    Args:
        domain: voxels.
        starts: (n,) places in ``domain.voxels`` that the lines run through.

    Attributes:
        away: (neighbours, 3) mm along (k, j, i) to each neighbour.
    """

    def __init__(self, domain: Domain, starts: NDArray[np.int64]) -> None:
        self._domain, self._starts = domain, starts
        self._line = np.full(len(domain.voxels) + 1, -1, np.int32)  # the last is for none
        self._line[starts] = np.arange(len(starts), dtype=np.int32)
        self.away = np.array(neighbourhood(domain.axes)) * domain.spacing

    def around(self, lines: NDArray[np.bool_]) -> NDArray[np.int64]:
        """The lines around some lines (n,), without these."""
        domain, voxels = self._domain, self._domain.voxels[self._starts]
        box = np.zeros(domain.shape, bool)
        box.reshape(-1)[voxels[lines]] = True
        near = grown(box, [int(axis in domain.axes) for axis in range(3)])
        return np.flatnonzero(near.reshape(-1)[voxels] & ~lines)

    def of(self, lines: NDArray[np.int64]) -> NDArray[np.int32]:
        """(m, neighbours) the lines around some lines (m,); -1 for none."""
        voxels = self._domain.voxels[self._starts[lines]]
        return self._line[places_around(self._domain, voxels)]


def complete_lines(
    measured: dict[int, list[NDArray[np.float32]]],
    normals: NDArray[np.float32],
    beside: Beside,
    pool: Executor,
) -> None:
    """Give lost lines what the whole lines of neighbouring voxels say, in place.

    A line that runs into the edge of a cut face stalls there, and one whose column is cut off
    bends aside. Its voxel takes the mean length of its neighbours' lines, each corrected by how
    much closer to the border that neighbour lies; the tube's volume is corrected in proportion.

    Args:
        measured: length, volume and end of each voxel's line to either border.
        normals: (n, 3) unit vectors (k, j, i) towards the white matter.
        beside: neighbours of each line.
        pool: threads to use.
    """
    whole = np.isfinite(measured[WHITE][0] + measured[PIAL][0])
    lost = np.flatnonzero(~whole & np.isfinite(normals).all(axis=1))
    around = beside.of(lost)
    whole = np.append(whole, False)  # the last is for none
    for _ in range(COMPLETED_VOXELS):
        known = whole.take(around)
        reached = known.any(axis=1)
        row, column = np.nonzero(known[reached])
        if not len(row):
            return
        here, other = lost[reached], around[reached][row, column]
        ahead = np.einsum("na,na->n", normals[here[row]], beside.away[column])
        sides = [
            pool.submit(_take_means, measured[code], here, row, other, closer)
            for code, closer in ((WHITE, ahead), (PIAL, -ahead))
        ]
        for side in sides:
            side.result()
        whole[here] = True
        lost, around = lost[~reached], around[~reached]


def _take_means(
    measured: list[NDArray[np.float32]],
    lost: NDArray[np.int64],
    row: NDArray[np.int64],
    other: NDArray[np.int32],
    ahead: NDArray[np.float64],
) -> None:
    """Give lines that lack one end what their neighbours' say, in place.

    Args:
        measured: length, volume and end of each line to a border.
        lost: (m,) the lines, each with at least one such neighbour.
        row, other, ahead: (pairs,) for each neighbour which of ``lost`` it is beside, its line,
            and how many mm closer to the border it lies.
    """
    length, volume, ends = measured
    count = np.bincount(row, minlength=len(lost))
    found = np.flatnonzero(~np.isfinite(length[lost]))
    own = np.maximum(length[other] + ahead, 0)
    relative = np.where(length[other] > 0, own / np.maximum(length[other], 1e-6), 1)
    length[lost[found]], volume[lost[found]], *end = (
        (np.bincount(row, weights=values) / count)[found]
        for values in (own, volume[other] * relative, *ends[other].T)
    )
    ends[lost[found]] = np.stack(end, axis=1)
