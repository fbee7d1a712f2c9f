"""Signal formation against what physics says in closed form."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ALSMotorCortexLib.cortex import scanner
from ALSMotorCortexLib.cortex.tissue import GYROMAGNETIC, Local

TIMES = (5.0, 10.0, 20.0)


@settings(max_examples=30, deadline=None)
@given(
    thickness=st.floats(0.2, 3),
    ramp=st.floats(0, 1),
    lean=st.floats(0, 1),
    spacing=st.tuples(*[st.floats(0.2, 2)] * 3),
)
def test_points_of_a_voxel(
    thickness: float, ramp: float, lean: float, spacing: tuple[float, float, float]
) -> None:
    """Whatever the voxel: even around its centre, inside its box in the slice, inside the profile
    across it, whose mean distance from the middle is that of a trapezium."""
    points = scanner.voxel_points(spacing, thickness, ramp, lean)
    assert points.weights.sum() == pytest.approx(1)
    np.testing.assert_allclose(points.weights @ points.offsets, 0, atol=1e-9)
    reach = np.abs(points.offsets).max(axis=0)
    assert (reach[1:] < np.array(spacing[1:]) / 2).all()
    assert reach[0] < thickness * (1 + ramp) / 2
    long, short = thickness * (1 + ramp) / 2, thickness * (1 - ramp) / 2
    expected = (long**2 + short**2 + long * short) / (3 * (long + short)) if ramp else long / 2
    found = points.weights @ np.abs(points.offsets[:, 0])
    assert found == pytest.approx(expected, rel=0.06)


@pytest.mark.parametrize(("ramp", "power"), [(0.0, 1), (1.0, 2)])
def test_a_gradient_across_the_slice_dephases_it_as_a_sinc(ramp: float, power: int) -> None:
    """A rectangle gives a sinc, and a triangle (a rectangle run over itself) its square."""
    points = scanner.voxel_points((2.0, 0.3, 0.3), 2.0, ramp, 0.0)
    gradient = 20.0
    left = scanner.slice_weights(points, TIMES, gradient).sum(axis=0)
    turns = gradient * 2.0 * np.array(TIMES) / 1000
    np.testing.assert_allclose(left, np.sinc(turns) ** power, atol=0.004)
    assert left[0].real > 0.85 and abs(left[-1]) < 0.5


def test_decay_of_a_tissue() -> None:
    local = Local(np.array([40.0, 10.0]), np.zeros(2), np.array([0.8, 1.0]))
    decays = scanner.decays(local, TIMES)
    np.testing.assert_allclose(decays[0], 0.8 * np.exp(-0.04 * np.array(TIMES)), rtol=1e-6)
    assert decays.shape == (2, 3)


@pytest.mark.parametrize(("along_b0", "share"), [(True, 1 / 3), (False, -2 / 3)])
def test_field_of_a_sheet_and_of_a_column(along_b0: bool, share: float) -> None:
    """A sheet across B0 has -2/3 of its susceptibility as field beside that outside it, a sheet
    along B0 +1/3 (Lorentz sphere and demagnetisation)."""
    chi = np.zeros((24, 30, 36))
    if along_b0:
        chi[:, 10:15] = 100.0
    else:
        chi[8:12] = 100.0
    found = scanner.susceptibility_field(chi, (1.0, 0.5, 0.5), 7.0)
    step = found[chi > 0].mean() - found[chi == 0].mean()
    assert step == pytest.approx(share * 100e-9 * 7 * GYROMAGNETIC, rel=0.01)
    # Outside a sheet the field is even.
    assert np.ptp(found[chi == 0]) < 0.01 * abs(step)


def test_field_of_a_sphere() -> None:
    """Inside none (beside the Lorentz sphere's, which is left out); outside a dipole's, which on
    the axis is twice that across it, and of the other sign."""
    k, j, i = (np.arange(n) - n // 2 for n in (64, 64, 64))
    radius = np.sqrt(k[:, None, None] ** 2 + j[:, None] ** 2 + i**2)
    chi = np.where(radius < 5, 100.0, 0.0)
    hz = scanner.susceptibility_field(chi, (1.0, 1.0, 1.0), 7.0)
    unit = 100e-9 * 7 * GYROMAGNETIC
    volume = (chi > 0).sum()
    expected = unit * volume / (4 * np.pi * 12**3)
    assert abs(hz[32, 32, 32]) < 0.02 * unit
    assert hz[44, 32, 32] == pytest.approx(2 * expected, rel=0.1)
    assert hz[32, 44, 32] == pytest.approx(-expected, rel=0.1)


def test_background_changes_evenly() -> None:
    field = scanner.background_field((4, 5, 6), (2.0, 0.5, 0.25), (3.0, 1.0, -2.0))
    for axis, step in enumerate((6.0, 0.5, -0.5)):
        np.testing.assert_allclose(np.diff(field, axis=axis), step, atol=1e-5)
    assert abs(field.mean()) < 1e-5


def test_coil_is_smooth_and_one_in_the_middle() -> None:
    coil = scanner.coil((9, 41, 41), 0.3, np.random.default_rng(1))
    assert abs(coil[4, 20, 20]) == pytest.approx(1)
    size = np.abs(coil)
    assert 1.1 < size.max() / size.min() < 2.5
    for axis in range(3):
        assert np.abs(np.diff(np.log(size), 2, axis=axis)).max() < 0.02
    even = scanner.coil((1, 5, 5), 0.0, np.random.default_rng(1))
    np.testing.assert_allclose(np.abs(even), 1, rtol=1e-6)


def test_noise_is_complex_and_makes_magnitudes_rician() -> None:
    """Without signal the magnitude has a Rayleigh distribution, with much its own spread; the
    phase turns with field and time."""
    rng = np.random.default_rng(0)
    shape = (20, 60, 60)
    zero, one = np.zeros(shape, np.complex64), np.ones(shape, np.complex64)
    field = np.full(shape, 10.0, np.float32)
    air = np.abs(scanner.received(zero, field, one, 5.0, 3.0, rng))
    assert air.mean() == pytest.approx(3 * np.sqrt(np.pi / 2), rel=0.01)
    bright = scanner.received(100 * one, field, one, 5.0, 3.0, rng)
    assert np.abs(bright).std() == pytest.approx(3, rel=0.02)
    assert np.angle(bright).mean() == pytest.approx(2 * np.pi * 10 * 0.005, abs=0.001)
