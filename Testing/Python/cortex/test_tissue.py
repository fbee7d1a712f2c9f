"""The tissues against the numbers of the papers that they are taken from."""

from __future__ import annotations

import numpy as np
import pytest

from ALSMotorCortexLib.cortex.motor_cortex import OTHER_BANK
from ALSMotorCortexLib.cortex.shapes import CSF, GM, WM
from ALSMotorCortexLib.cortex.tissue import (
    M1_LAYERS,
    OTHER_LAYERS,
    VEIN,
    Layer,
    Local,
    Tissues,
    static_dephasing,
)

DEPTH = (np.arange(400) + 0.5) / 400


def within(label: int, tissues: Tissues, along: float = 0.0) -> Local:
    """From the pial surface to the white matter."""
    return tissues.at(np.full(400, label), np.full(400, along), DEPTH, DEPTH)


@pytest.mark.parametrize(("tesla", "gray", "white"), [(7, 33.2, 26.8), (3, 66.0, 53.2)])
def test_t2star_of_gray_and_white_matter(tesla: float, gray: float, white: float) -> None:
    """Peters et al. 2007; sensorimotor cortex a little below (Cohen-Adad et al. 2012)."""
    tissues = Tissues(tesla=tesla)
    assert 1000 / within(WM, tissues).r2star[0] == pytest.approx(white, rel=0.01)
    for label in (GM, OTHER_BANK):
        mean = 1000 / within(label, tissues).r2star.mean()
        assert 0.95 * gray < mean < 1.0 * gray


def test_motor_cortex_stands_above_white_matter_as_published() -> None:
    """35 ppb in controls and 11 more in patients, over the whole cortex (Schweitzer 2015)."""
    white = within(WM, Tissues()).susceptibility[0]
    control, patient = (
        within(GM, Tissues(iron=iron)).susceptibility.mean() - white for iron in (0.0, 30.0)
    )
    assert control == pytest.approx(35, abs=1.5)
    assert patient - control == pytest.approx(11, abs=1)


def test_iron_lies_in_the_deep_half_and_darkens_by_static_dephasing() -> None:
    plain, iron = within(GM, Tissues()), within(GM, Tissues(iron=20.0))
    added = iron.susceptibility - plain.susceptibility
    assert added.max() == pytest.approx(20, rel=0.001)
    assert added[DEPTH > 0.5].sum() == pytest.approx(0.9 * added.sum(), rel=0.03)
    np.testing.assert_allclose(iron.r2star - plain.r2star, static_dephasing(7.0) * added)
    # 2 pi / (9 sqrt 3) x 2 pi x 42.577 MHz/T x 7 T x 1e-9, by hand.
    assert static_dephasing(7.0) == pytest.approx(0.755, abs=0.001)
    # Darkest in the deep half, darker there than white matter.
    white = within(WM, Tissues()).r2star[0]
    assert iron.r2star.max() > white > plain.r2star.max()


def test_parts_have_iron_of_their_own() -> None:
    tissues = Tissues(iron=10.0, involvement=(0.0, 1.0, 2.0))
    most = [tissues.iron_at(np.full(400, x), DEPTH).max() for x in (-30, -18, 0, 9, 18, 30)]
    np.testing.assert_allclose(most, [0, 0, 10, 15, 20, 20], atol=1e-2)


def test_own_factor_leaves_csf_alone() -> None:
    for label, factor in ((WM, 1.1), (GM, 1.1), (OTHER_BANK, 1.1), (VEIN, 1.1), (CSF, 1.0)):
        usual, own = (within(label, Tissues(r2star_factor=f)).r2star for f in (1.0, 1.1))
        np.testing.assert_allclose(own, factor * usual)


@pytest.mark.parametrize("layers", [M1_LAYERS, OTHER_LAYERS])
def test_layers_are_told_apart(layers: tuple[Layer, ...]) -> None:
    """In the middle of each layer there is its own R2*."""
    label = GM if layers is M1_LAYERS else OTHER_BANK
    found = within(label, Tissues()).r2star
    top = 0.0
    for layer in layers:
        middle = found[np.argmin(np.abs(DEPTH - (top + layer.depth_to) / 2))]
        assert middle == pytest.approx(layer.r2star, abs=0.4)
        top = layer.depth_to
    assert top == 1


def test_venous_blood() -> None:
    """0.27 ppm (cgs) fully deoxygenated, hematocrit 0.42, 64.7 % oxygenated."""
    vein = within(VEIN, Tissues())
    expected = 0.27e3 * 4 * np.pi * 0.42 * (1 - 0.647)
    assert vein.susceptibility[0] == pytest.approx(expected, rel=0.01)
    assert 1000 / vein.r2star[0] < 20
