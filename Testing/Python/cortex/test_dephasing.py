"""Through-plane dephasing: found from phase or decay, and corrected."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from ALSMotorCortexLib.cortex.dephasing import slice_axis, turns_from_decay, turns_from_phase
from ALSMotorCortexLib.cortex.errors import InputError
from ALSMotorCortexLib.cortex.grid import Grid
from ALSMotorCortexLib.cortex.relaxometry import fit_decay

TIMES = np.arange(1, 8) * 5.0
T2STAR = 30.0


def slices(hertz: float, snr: float, axis: int = 0) -> tuple[list[NDArray], list[NDArray]]:
    """Magnitude and phase of slices between which the field steps by ``hertz``.

    The slice profile is integrated, not taken from the sinc that the correction assumes.
    """
    rng = np.random.default_rng(int(abs(hertz) * 10 + snr))
    shape = (6, 40, 40)
    place = np.arange(6)[:, None, None] + np.linspace(-0.5, 0.5, 401)[:-1] + 0.5 / 400
    across = np.linspace(-20, 20, 40)  # a field gradient in the plane must not matter
    magnitude, phase = [], []
    for time in TIMES:
        dephased = np.exp(2j * np.pi * hertz * place * time / 1000).mean(axis=2, keepdims=True)
        signal = dephased * np.exp(2j * np.pi * across * time / 1000)
        signal = snr * np.exp(-(time - TIMES[0]) / T2STAR) * np.broadcast_to(signal, shape)
        noisy = signal + rng.standard_normal(shape) + 1j * rng.standard_normal(shape)
        noisy = np.moveaxis(noisy, 0, axis)
        magnitude.append(np.abs(noisy))
        phase.append(np.angle(noisy))
    return magnitude, phase


@pytest.mark.parametrize("axis", [0, 2])
@pytest.mark.parametrize("hertz", [0.0, 5.0, -12.0, 20.0])
def test_phase_tells_the_step_and_the_fit_is_corrected(hertz: float, axis: int) -> None:
    magnitude, phase = slices(hertz, 50.0, axis)
    turns = turns_from_phase(magnitude, phase, TIMES, axis)
    assert 1000 * turns.mean() == pytest.approx(abs(hertz), abs=0.2)
    decay = fit_decay(magnitude, TIMES, 1.0, turns_per_ms=turns)
    assert decay.t2star.mean() == pytest.approx(T2STAR, rel=0.01)
    if abs(hertz) > 10:
        assert fit_decay(magnitude, TIMES, 1.0).t2star.mean() < 0.85 * T2STAR


def test_a_gap_between_slices_makes_the_spread_smaller() -> None:
    magnitude, phase = slices(10.0, 50.0)
    full = turns_from_phase(magnitude, phase, TIMES, 0)
    assert np.allclose(turns_from_phase(magnitude, phase, TIMES, 0, 0.8), 0.8 * full)


@pytest.mark.parametrize(("hertz", "within"), [(0.0, 0.02), (10.0, 0.02), (20.0, 0.04)])
def test_decay_alone_tells_the_step_at_high_signal(hertz: float, within: float) -> None:
    magnitude, _ = slices(hertz, 50.0)
    mask = np.ones(magnitude[0].shape, bool)
    turns = turns_from_decay(magnitude, TIMES, 1.0, mask, 0)
    assert 1000 * turns.mean() == pytest.approx(hertz, abs=2)
    decay = fit_decay(magnitude, TIMES, 1.0, turns_per_ms=turns)
    assert np.nanmean(decay.t2star) == pytest.approx(T2STAR, rel=within)


def test_a_step_beyond_what_can_be_found_is_not_trusted() -> None:
    magnitude, _ = slices(30.0, 50.0)
    mask = np.ones(magnitude[0].shape, bool)
    turns = turns_from_decay(magnitude, TIMES, 1.0, mask, 0)
    assert fit_decay(magnitude, TIMES, 1.0, turns_per_ms=turns).trusted.mean() < 0.05


def test_the_slice_axis_is_the_thick_one() -> None:
    assert slice_axis(Grid.from_spacing((5, 5, 5), (0.3, 1.5, 0.3))) == 1
    assert slice_axis(Grid.from_spacing((5, 5, 5), (0.3, 0.3, 0.3000001))) == 0


def test_what_cannot_be_corrected_is_said() -> None:
    magnitude, phase = slices(5.0, 20.0)
    mask = np.ones(magnitude[0].shape, bool)
    with pytest.raises(InputError, match="four echoes"):
        turns_from_decay(magnitude[:3], TIMES[:3], 1.0, mask, 0)
    with pytest.raises(InputError, match="only one"):
        turns_from_phase([m[:1] for m in magnitude], [p[:1] for p in phase], TIMES, 0)
