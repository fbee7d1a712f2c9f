"""The model of a profile: its levels far away, and its derivatives."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ALSMotorCortexLib.cortex.laminar import (
    D_A,
    D_B,
    D_M,
    D_O,
    D_R,
    D_W,
    LOG_B,
    LOG_S,
    LOG_T,
    LOG_U,
    LOG_W,
    PARAMETERS,
    A,
    C,
    F,
    H,
    V,
    border_variances,
    model,
    slopes,
)

POSITIONS = np.linspace(-4, 9, 90)


def parameters(seed: int) -> np.ndarray:
    """(1, 16) of a cortex somewhat unlike the usual one."""
    usual = np.zeros(PARAMETERS)
    usual[[A, LOG_T, F, C]] = 0.2, np.log(3), 0.65, 0.7
    usual[[LOG_S, LOG_W, LOG_U, LOG_B]] = np.log([0.15, 1.2, 2.5, 0.15])
    usual[[V, D_O, D_A, D_R, D_M, H, D_B, D_W]] = 1, 2, -2, -0.5, -0.3, -0.6, 0.2, 0.3
    return (usual + np.random.default_rng(seed).normal(scale=0.1, size=PARAMETERS))[None]


@settings(max_examples=15, deadline=None, derandomize=True)
@given(seed=st.integers(0, 10_000))
def test_slopes_are_the_derivatives(seed: int) -> None:
    at = parameters(seed)
    values, by = slopes(at, POSITIONS)
    np.testing.assert_allclose(values, model(at, POSITIONS))
    for index in range(PARAMETERS):
        step = np.zeros(PARAMETERS)
        step[index] = 1e-5
        numeric = (model(at + step, POSITIONS) - model(at - step, POSITIONS)) / 2e-5
        np.testing.assert_allclose(by[:, index], numeric, atol=2e-7)


def test_levels_far_from_every_edge_are_sums_of_steps() -> None:
    at = parameters(1)
    first, last = model(at, np.array([-40.0, 60.0]))[0]
    assert first == pytest.approx(at[0, V])
    steps = [V, D_O, D_A, D_R, D_M, D_B, D_W]
    assert last == pytest.approx(at[0, steps].sum())


def test_band_ends_where_white_matter_begins() -> None:
    with_band = parameters(2)
    without = with_band.copy()
    without[0, H] = 0
    band = (model(with_band, POSITIONS) - model(without, POSITIONS))[0] / with_band[0, H]
    share = (POSITIONS - with_band[0, A]) / np.exp(with_band[0, LOG_T])
    assert np.abs(band[share > 1.3]).max() < 1e-3
    assert share[np.argmax(band)] == pytest.approx(with_band[0, C], abs=0.06)


def test_border_variances_are_those_of_draws() -> None:
    rng = np.random.default_rng(0)
    root = np.zeros((PARAMETERS, PARAMETERS))
    root[[A, A, LOG_T], [A, LOG_T, LOG_T]] = 0.02, 0.01, 0.015
    at = parameters(3)
    stated = border_variances(at, (root @ root.T)[None])[0]
    draws = at + rng.normal(size=(20_000, PARAMETERS)) @ root.T
    thickness = np.exp(draws[:, LOG_T])
    drawn = [draws[:, A].var(), (draws[:, A] + thickness).var(), thickness.var()]
    np.testing.assert_allclose(stated, drawn, rtol=0.05)
