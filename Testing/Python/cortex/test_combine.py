"""Combined echoes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ALSMotorCortexLib.cortex.combine import COMBINATIONS, combine, weights

SIGNALS = st.lists(st.floats(1.0, 100.0), min_size=2, max_size=8)


@given(signals=SIGNALS)
def test_definitions(signals: list[float]) -> None:
    echoes = [np.full((2, 3, 4), s) for s in signals]
    s = np.array(signals)
    assert np.allclose(combine(echoes, "rss"), np.sqrt((s**2).sum()), rtol=1e-5)
    assert np.allclose(combine(echoes, "mean"), s.mean(), rtol=1e-5)
    assert np.allclose(combine(echoes, "snr"), (s**2).sum() / s.sum(), rtol=1e-5)


@given(signals=SIGNALS, seed=st.integers(0, 1000))
def test_no_linear_combination_has_a_higher_signal_to_noise_ratio(
    signals: list[float], seed: int
) -> None:
    s = np.array(signals)
    best = weights([np.full((1, 1, 1), v) for v in signals], "snr")
    other = np.random.default_rng(seed).random(s.size)

    def ratio(w: np.ndarray) -> float:
        return float(w @ s / np.sqrt(w @ w))

    assert ratio(best) >= ratio(other) * (1 - 1e-9)
    assert best.sum() == pytest.approx(1)


def test_weights_come_from_the_tissue_in_the_mask() -> None:
    mask = np.zeros((1, 2, 2), bool)
    mask[0, 0, 0] = True
    echoes = [np.array([[[3.0, 50.0], [50.0, 50.0]]]), np.array([[[1.0, 90.0], [90.0, 90.0]]])]
    assert np.allclose(weights(echoes, "snr", mask), [0.75, 0.25])


def test_combinations_keep_the_grid_and_are_float32() -> None:
    echoes = [np.ones((2, 3, 4), np.int16), 2 * np.ones((2, 3, 4), np.int16)]
    for how in COMBINATIONS:
        made = combine(echoes, how)
        assert made.shape == (2, 3, 4) and made.dtype == np.float32
    with pytest.raises(ValueError, match="median"):
        combine(echoes, "median")
