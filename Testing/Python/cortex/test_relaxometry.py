"""The decay fit against simulated truth and the Cramer-Rao bound."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.special import i0e, i1e

from ALSMotorCortexLib.cortex import relaxometry
from ALSMotorCortexLib.cortex.errors import Cancelled, InputError
from ALSMotorCortexLib.cortex.relaxometry import cramer_rao, fit_decay

TRAINS = {"5 to 35 ms": np.arange(1, 8) * 5.0, "4 to 28 ms": np.arange(1, 8) * 4.0}


def signals(times: NDArray, t2star: NDArray | float, first: NDArray | float) -> list[NDArray]:
    """Noise-free echoes of voxels in a row, (1, 1, n), with ``first`` at the first echo."""
    t2star, first = np.broadcast_arrays(np.atleast_1d(t2star), np.atleast_1d(first))
    return [(first * np.exp(-(t - times[0]) / t2star))[None, None] for t in times]


def rician(echoes: list[NDArray], seed: int, sigma: float = 1.0) -> list[NDArray]:
    rng = np.random.default_rng(seed)
    return [
        np.hypot(e + sigma * rng.standard_normal(e.shape), sigma * rng.standard_normal(e.shape))
        for e in echoes
    ]


def exact_information(snr: float) -> float:
    """Fisher information of a Rician magnitude by numerical integration."""
    m = np.linspace(max(1e-6, snr - 9), snr + 9, 8001)
    density = m * np.exp(-((m - snr) ** 2) / 2) * i0e(m * snr)
    score = m * i1e(m * snr) / i0e(m * snr) - snr
    return float(np.trapezoid(density * score**2, m) / np.trapezoid(density, m))


def exact_bound(times: NDArray, t2star: float, first: float) -> float:
    """Relative Cramer-Rao bound of T2* from the 2 x 2 information matrix."""
    snr = first * np.exp(-(times - times[0]) / t2star)
    gradient = np.stack([snr, -(times - times[0]) * snr])
    information = (gradient * [exact_information(s) for s in snr]) @ gradient.T
    return float(t2star * np.sqrt(np.linalg.inv(information)[1, 1]))


@pytest.mark.parametrize("train", TRAINS)
@pytest.mark.parametrize("t2star", [10.0, 15.0, 20.0, 30.0, 45.0, 60.0])
def test_bias_and_spread_at_snr_20(train: str, t2star: float) -> None:
    times = TRAINS[train]
    echoes = rician(signals(times, np.full(60_000, t2star), 20.0), seed=int(t2star))
    decay = fit_decay(echoes, times, sigma=1.0)
    assert np.isfinite(decay.t2star).all()
    assert decay.t2star.mean() == pytest.approx(t2star, rel=0.01)
    assert (1000 / decay.r2star).mean() >= decay.t2star.mean()
    bound = exact_bound(times, t2star, 20.0)
    assert decay.t2star.std() / t2star == pytest.approx(bound, rel=0.1)
    assert decay.r2star.mean() == pytest.approx(1000 / t2star, rel=0.01)
    assert decay.trusted.mean() > 0.99


def test_rician_fit_removes_the_bias_that_the_loglinear_fit_has() -> None:
    times = TRAINS["5 to 35 ms"]
    echoes = rician(signals(times, np.full(20_000, 10.0), 20.0), seed=1)
    bias = {m: fit_decay(echoes, times, 1.0, method=m).t2star.mean() / 10 - 1
            for m in relaxometry.METHODS}  # fmt: skip
    assert bias["loglinear"] > 0.05
    assert abs(bias["rician"]) < 0.01


@pytest.mark.parametrize("t2star", [15.0, 25.0])
def test_two_echoes_work(t2star: float) -> None:
    times = np.array([5.0, 25.0])
    echoes = rician(signals(times, np.full(60_000, t2star), 40.0), seed=2)
    decay = fit_decay(echoes, times, 1.0)
    assert decay.t2star.mean() == pytest.approx(t2star, rel=0.01)
    bound = exact_bound(times, t2star, 40.0)
    assert decay.t2star.std() / t2star == pytest.approx(bound, rel=0.1)


@given(
    t2star=st.floats(4.0, 200.0),
    s0=st.floats(1e-3, 1e5),
    count=st.integers(2, 9),
    start=st.floats(1.0, 6.0),
    step=st.floats(1.0, 8.0),
    method=st.sampled_from(relaxometry.METHODS),
)
def test_noise_free_decay_is_recovered(
    t2star: float, s0: float, count: int, start: float, step: float, method: str
) -> None:
    times = start + step * np.arange(count)
    echoes = [np.full((1, 1, 3), s0 * np.exp(-t / t2star)) for t in times]
    decay = fit_decay(echoes, times, sigma=1e-4 * float(echoes[0][0, 0, 0]), method=method)
    # What lies under the noise floor is left out, so two echoes must stand above it.
    if float(echoes[1][0, 0, 0]) > 1e-2 * float(echoes[0][0, 0, 0]):
        assert decay.t2star[0, 0, 0] == pytest.approx(t2star, rel=5e-3)
        assert decay.s0[0, 0, 0] == pytest.approx(s0, rel=5e-3)


@given(scale=st.floats(1e-4, 1e4), stretch=st.floats(0.5, 2.0))
def test_unit_of_signal_and_of_time_do_not_matter(scale: float, stretch: float) -> None:
    times = TRAINS["4 to 28 ms"]
    echoes = rician(signals(times, np.linspace(10, 60, 200), 30.0), seed=3)
    plain = fit_decay(echoes, times, 1.0)
    other = fit_decay([scale * e for e in echoes], stretch * times, scale)
    assert np.allclose(other.t2star, stretch * plain.t2star, rtol=1e-3)
    assert np.allclose(other.s0, scale * plain.s0, rtol=1e-3)
    assert np.allclose(other.residual, scale * plain.residual, rtol=1e-2, atol=1e-2 * scale)
    assert (other.trusted == plain.trusted).all()


def test_chunks_and_mask_do_not_change_a_voxel() -> None:
    times = TRAINS["4 to 28 ms"]
    count = 2 * relaxometry._CHUNK + 77
    echoes = rician(signals(times, np.linspace(8, 70, count), 20.0), seed=4)
    whole = fit_decay(echoes, times, 1.0)
    mask = np.zeros((1, 1, count), bool)
    mask[..., 5::3] = True
    part = fit_decay(echoes, times, 1.0, mask, threads=1)
    assert np.allclose(part.t2star[mask], whole.t2star[mask], rtol=1e-5)
    assert np.isnan(part.t2star[~mask]).all()
    assert not part.trusted[~mask].any()
    assert (part.fitted == mask).all()
    assert (part.echoes_used[~mask] == 0).all()


def test_echoes_below_the_noise_floor_are_left_out_and_counted() -> None:
    times = np.array([5.0, 10.0, 15.0, 20.0])
    # Signals of 20, 5, 0.3 and 0.02 sigma: with steep decay only two echoes hold signal.
    steep = rician(signals(times, np.full(2000, 1.8), 100.0), seed=5)
    decay = fit_decay(steep, times, 1.0)
    assert np.median(decay.echoes_used) == 2
    assert decay.r2star.mean() == pytest.approx(1000 / 1.8, rel=0.02)
    flat = fit_decay(rician(signals(times, np.full(500, 40.0), 30.0), seed=6), times, 1.0)
    assert (flat.echoes_used == 4).all()


def test_a_voxel_with_one_echo_above_the_floor_has_no_fit() -> None:
    times = np.array([5.0, 30.0])
    decay = fit_decay(rician(signals(times, np.full(300, 3.0), 50.0), seed=7), times, 1.0)
    alone = decay.echoes_used < 2
    assert alone.mean() > 0.7
    assert np.isnan(decay.t2star[alone]).all()
    # Noise passes the floor now and then, but not for a signal to be trusted.
    assert decay.trusted.mean() < 0.03


def test_what_is_not_to_be_trusted() -> None:
    times = TRAINS["5 to 35 ms"]
    tissue = signals(times, 30.0, 50.0)
    csf = signals(times, 5000.0, 50.0)
    noise = signals(times, 30.0, 0.0)
    beating = [e * abs(np.cos(0.2 * t)) for e, t in zip(tissue, times, strict=True)]
    cases = [
        np.concatenate(parts, axis=2) for parts in zip(tissue, csf, noise, beating, strict=True)
    ]
    echoes = rician([np.repeat(c, 500, axis=2) for c in cases], seed=8)
    echoes[2][0, 0, 0] = np.nan
    decay = fit_decay(echoes, times, 1.0)
    assert np.isnan(decay.t2star[0, 0, 0]) and not decay.trusted[0, 0, 0]
    shares = decay.trusted.reshape(4, 500).mean(axis=1)
    assert shares[0] > 0.99
    assert (shares[1:] < 0.1).all()


def test_residual_is_the_noise_where_the_model_holds() -> None:
    times = TRAINS["5 to 35 ms"]
    echoes = rician(signals(times, np.full(5000, 30.0), 300.0), seed=9, sigma=3.0)
    residual = fit_decay(echoes, times, 3.0).residual
    assert np.sqrt((residual**2).mean()) == pytest.approx(3.0, rel=0.02)


def test_a_noise_level_far_too_small_does_no_harm() -> None:
    times = TRAINS["5 to 35 ms"]
    echoes = signals(times, np.array([10.0, 30.0, 60.0]), 1000.0)
    decay = fit_decay(echoes, times, sigma=1e-30)
    assert np.allclose(decay.t2star[0, 0], [10, 30, 60], rtol=1e-3)


def test_known_dephasing_is_part_of_the_model() -> None:
    times = TRAINS["5 to 35 ms"]
    turns = np.linspace(0, 0.02, 4000)[None, None]
    clean = signals(times, np.full(4000, 30.0), 60.0)
    echoes = rician([e * np.sinc(turns * t) for e, t in zip(clean, times, strict=True)], seed=10)
    plain, corrected = fit_decay(echoes, times, 1.0), fit_decay(echoes, times, 1.0, None, turns)
    far = turns > 0.015
    assert plain.t2star[far].mean() < 25
    assert corrected.t2star[far].mean() == pytest.approx(30, rel=0.01)
    beyond = fit_decay(echoes, times, 1.0, None, np.full_like(turns, 0.03))
    assert not beyond.trusted.any()
    assert (beyond.echoes_used <= 4).all()


def test_information_and_bessel_approximations() -> None:
    snr = np.array([0.01, 0.1, 0.5, 0.8, 1.0, 1.3, 1.7, 2.0, 2.5, 3.0, 4.0, 6.0, 10.0, 30.0])
    exact = [exact_information(s) for s in snr]
    assert np.abs(relaxometry.rician_information(snr) - exact).max() < 0.01
    x = np.geomspace(1e-3, 1e5, 3000)
    exact_shortfall = x * (1 - i1e(x) / i0e(x))
    approximate = relaxometry._bessel_shortfall(x.astype(np.float32))
    # Beyond x = 100 the quotient of i1e and i0e itself loses the digits of 1 - I1/I0.
    near = x < 100
    assert np.allclose(approximate[near], exact_shortfall[near], rtol=2e-3)
    assert np.allclose(approximate[~near], 0.5, atol=3e-3)


@pytest.mark.parametrize("t2star", [10.0, 60.0])
def test_bound_agrees_with_the_information_matrix(t2star: float) -> None:
    times = TRAINS["4 to 28 ms"]
    assert cramer_rao(times, t2star, 20) == pytest.approx(exact_bound(times, t2star, 20), rel=0.01)


@pytest.mark.parametrize(
    ("times", "sigma", "words"),
    [
        ([5.0], 1.0, "only one echo"),
        ([5.0, 5.0], 1.0, "ascend"),
        ([10.0, 5.0], 1.0, "ascend"),
        ([0.0, 5.0], 1.0, "above zero"),
        ([5.0, float("nan")], 1.0, "ascend"),
        ([5.0, 10.0], 0.0, "noise level"),
        ([5.0, 10.0], float("nan"), "noise level"),
    ],
)
def test_bad_input_is_a_sentence(times: list[float], sigma: float, words: str) -> None:
    with pytest.raises(InputError, match=words):
        fit_decay([np.ones((1, 1, 2))] * len(times), times, sigma)


def test_cancelling_stops_the_fit() -> None:
    times = TRAINS["5 to 35 ms"]
    echoes = signals(times, np.full(4 * relaxometry._CHUNK, 30.0), 20.0)
    seen: list[float] = []

    def stop(fraction: float) -> None:
        seen.append(fraction)
        raise Cancelled

    with pytest.raises(Cancelled):
        fit_decay(echoes, times, 1.0, threads=1, progress=stop)
    assert 0 < seen[0] < 1
