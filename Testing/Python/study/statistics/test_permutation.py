"""The largest-t permutation test: against all shuffles, and on noise."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from scipy import stats

from ALSMotorCortexLib.study.statistics.permutation import largest_t


def test_p_is_that_of_all_shuffles() -> None:
    rng = np.random.default_rng(0)
    curves = rng.normal(size=(9, 4)) + 1e3
    first = np.arange(9) < 4
    curves[first, 2] += 2.0

    def t(chosen: tuple[int, ...]) -> np.ndarray:
        inside = np.isin(np.arange(9), chosen)
        return np.abs(stats.ttest_ind(curves[inside], curves[~inside], equal_var=False).statistic)

    real = t((0, 1, 2, 3))
    largest = np.array([t(c).max() for c in combinations(range(9), 4)])
    exact = (largest[:, None] >= real[None, :] - 1e-12).mean(0)
    got = largest_t(curves, first, seed=1, times=20_000)
    assert got == pytest.approx(exact, abs=4 * 0.5 / np.sqrt(20_000))


def test_noise_is_seldom_called_a_difference_anywhere() -> None:
    rng = np.random.default_rng(2)
    first = np.arange(20) < 12
    smallest = [
        largest_t(np.cumsum(rng.normal(size=(20, 15)), axis=1), first, seed, 200).min()
        for seed in range(200)
    ]
    calls = (np.array(smallest) <= 0.05).mean()
    assert calls <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / 200)


def test_seed_repeats_and_constant_places_have_no_p() -> None:
    rng = np.random.default_rng(3)
    curves, first = rng.normal(size=(12, 5)), np.arange(12) < 6
    curves[:, 1] = 4.0
    one, two = largest_t(curves, first, 7, 500), largest_t(curves, first, 7, 500)
    np.testing.assert_array_equal(one, two)
    assert np.isnan(one[1]) and np.isfinite(np.delete(one, 1)).all()
