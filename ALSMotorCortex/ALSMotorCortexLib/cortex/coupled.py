"""The best pair of curves through a straightened image, by exact dynamic programming.

Both borders are sought at once: a state is a pair (outer, inner) of depths, and the cost of a
pair of curves is the sum of what the pair costs in each column and a price for each step from
column to column. The
minimum over all pairs of curves is found exactly; this is the two-dimensional case of the
coupled surfaces of Li, Wu, Chen and Sonka (IEEE TPAMI 2006, 28:119), where a chain of
columns needs no graph cut.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def coupled_paths(cost: NDArray, stiffness: float) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Depth indices of both borders in every column.

    Args:
        cost: (columns, depths, depths) of the outer border at the first and the inner one at
            the second depth; infinite where they may not lie so.
        stiffness: price of one depth step from a column to the next, for each border.
            A border moves by at most one step a column.

    Returns:
        (columns,) outer and (columns,) inner indices.
    """
    columns, depths, _ = cost.shape
    total = cost[0].copy()
    # Moves of the outer border at [outer, inner], of the inner one at [inner, outer].
    moves = np.zeros((columns, 2, depths, depths), dtype=np.int8)
    for column in range(1, columns):
        total = _step(total, stiffness, moves[column, 0])
        total = _step(total.T, stiffness, moves[column, 1]).T
        total = total + cost[column]
    path = np.empty((columns, 2), dtype=np.intp)
    path[-1] = np.unravel_index(int(np.argmin(total)), total.shape)
    for column in range(columns - 1, 0, -1):
        a, b = path[column]
        # Undo the moves in the reverse order: first the inner border's, then the outer's.
        b = b + moves[column, 1, b, a]
        a = a + moves[column, 0, a, b]
        path[column - 1] = a, b
    return path[:, 0], path[:, 1]


def _step(total: NDArray, stiffness: float, move: NDArray) -> NDArray:
    """Cheapest way to each row from the row itself or its neighbours; fills ``move``."""
    best = total.copy()
    below = total[:-1] + stiffness
    np.copyto(move[1:], -1, where=below < best[1:])
    np.minimum(best[1:], below, out=best[1:])
    above = total[1:] + stiffness
    np.copyto(move[:-1], 1, where=above < best[:-1])
    np.minimum(best[:-1], above, out=best[:-1])
    return best
