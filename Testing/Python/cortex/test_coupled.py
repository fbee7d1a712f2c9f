"""The coupled optimum against every pair of paths there is."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from ALSMotorCortexLib.cortex.coupled import coupled_paths


def together(outer, inner, least, most) -> np.ndarray:
    """Cost (columns, depths, depths) of both borders, apart by no less and no more than that."""
    depths = np.arange(outer.shape[1])
    gap = depths[None] - depths[:, None]
    barred = np.where((gap < least) | (gap > most), np.inf, 0)
    return outer[:, :, None] + inner[:, None, :] + barred


def total(outer, inner, a, b, stiffness) -> float:
    columns = np.arange(len(outer))
    steps = (np.diff(a) ** 2).sum() + (np.diff(b) ** 2).sum()
    return outer[columns, a].sum() + inner[columns, b].sum() + stiffness * steps


def best_by_trying(outer, inner, least, most, stiffness) -> float:
    columns, depths = outer.shape
    states = [(a, b) for a, b in product(range(depths), repeat=2) if least <= b - a <= most]
    best = np.inf
    for path in product(states, repeat=columns):
        a, b = np.array(path).T
        if np.abs(np.diff(a)).max() <= 1 and np.abs(np.diff(b)).max() <= 1:
            best = min(best, total(outer, inner, a, b, stiffness))
    return best


@pytest.mark.parametrize("seed", range(6))
def test_is_the_global_optimum(seed: int) -> None:
    rng = np.random.default_rng(seed)
    outer, inner = rng.random((2, 4, 5))
    least, most, stiffness = [(1, 3, 0.1), (2, 4, 0.0), (0, 2, 0.4)][seed % 3]
    a, b = coupled_paths(together(outer, inner, least, most), stiffness)
    assert ((b - a >= least) & (b - a <= most)).all()
    np.testing.assert_allclose(
        total(outer, inner, a, b, stiffness), best_by_trying(outer, inner, least, most, stiffness)
    )


def test_limits_hold_where_both_borders_want_the_same_edge() -> None:
    cost = np.ones((30, 40))
    cost[:, 12] = 0
    a, b = coupled_paths(together(cost, cost, 7, 20), stiffness=1.0)
    assert (b - a >= 7).all()
    assert ((a == 12) | (b == 12)).all()


def test_one_column_that_shows_another_edge_does_not_lead_astray() -> None:
    outer, inner = np.ones((2, 31, 40))
    outer[:, 10] = inner[:, 25] = 0
    inner[15, 25], inner[15, 33] = 1, 0
    _, b = coupled_paths(together(outer, inner, 3, 30), stiffness=1.0)
    assert (b == 25).all()
