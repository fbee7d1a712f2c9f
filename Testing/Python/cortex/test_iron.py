"""How iron shows in a map: told by its name, or by the user."""

from __future__ import annotations

import numpy as np
import pytest

from ALSMotorCortexLib.cortex.errors import InputError
from ALSMotorCortexLib.cortex.grid import Image
from ALSMotorCortexLib.cortex.iron import BRIGHT, DARK, iron_contrast, is_susceptibility
from ALSMotorCortexLib.cortex.measure import measure
from ALSMotorCortexLib.cortex.phantoms import make
from ALSMotorCortexLib.cortex.shapes import Slab
from known_ribbons import SETTINGS


@pytest.mark.parametrize(
    "name", ["R2star", "R2*", "r2s", "sub-01_R2starmap", "R2* (2)", "R2prime", "r2"]
)
def test_iron_is_bright_in_relaxation_rates(name: str) -> None:
    assert iron_contrast(name) == BRIGHT


@pytest.mark.parametrize(
    "name",
    ["T2star", "T2*", "GRE", "SWI", "susceptibility weighted", "combined_snr", "S0", "MTR", "T1",
     "r2d2", "chimera", "image"],
)  # fmt: skip
def test_iron_is_dark_in_all_other_maps(name: str) -> None:
    assert iron_contrast(name) == DARK


@pytest.mark.parametrize(
    ("name", "unit"),
    [("QSM", ""), ("qsm_tgv", ""), ("chi", ""), ("sub-01_Chimap", ""), ("Susceptibility map", ""),
     ("x", "ppm"), ("x", " PPB ")],
)  # fmt: skip
def test_the_sign_of_a_susceptibility_map_is_asked_for(name: str, unit: str) -> None:
    assert is_susceptibility(name, unit)
    with pytest.raises(InputError, match=rf"--iron {name}=bright .* --iron {name}=dark"):
        iron_contrast(name, unit, {"other": BRIGHT})
    for said in (BRIGHT, DARK):
        assert iron_contrast(name, unit, {name: said}) == said


def test_what_the_user_says_wins_over_the_name() -> None:
    assert iron_contrast("R2star", "1/s", {"R2star": DARK}) == DARK
    assert iron_contrast("T2star", "ms", {"T2star": BRIGHT}) == BRIGHT


def measured(iron: dict[str, str], sign: float, offset: float, **more: object):  # type: ignore[no-untyped-def]
    """A slab whose susceptibility has its peak, 0.08 ppm above its lowest value, at depth 0.7."""
    phantom = make(Slab(3.0, 3.0, 3.0), (0.3, 0.3, 0.3), np.random.default_rng(0), np.eye(3))
    depth = np.nan_to_num(phantom.depth_equivolume, nan=0.5)
    chi = offset + 0.08 * np.exp(-(((depth - 0.7) / 0.2) ** 2))
    settings = SETTINGS.with_values({"iron": iron, "bootstrap": 0, "bins": 10, **more})
    image = Image((sign * chi).astype(np.float32), phantom.grid)
    return measure(phantom.labels, settings, {"QSM": image}, {}, {"QSM": "ppm"})


@pytest.mark.parametrize("offset", [0.02, -0.03])
def test_both_signs_of_a_map_give_the_same_indices(offset: float) -> None:
    bright = measured({"QSM": BRIGHT}, 1, offset)
    dark = measured({"QSM": DARK}, -1, offset)
    for name in ("deep_hypointensity", "signal_thickness_ratio"):
        value = bright.value(name, map="QSM")
        assert value > 0
        assert dark.value(name, map="QSM") == pytest.approx(value)
    assert bright.value("profile_maximum_depth", map="QSM") == pytest.approx(0.7, abs=0.03)
    assert dark.value("profile_minimum_depth", map="QSM") == pytest.approx(
        bright.value("profile_maximum_depth", map="QSM")
    )
    assert bright.value("profile_maximum", map="QSM") == pytest.approx(offset + 0.08, abs=0.003)
    layers = [bright.value(f"layer_{k}_mean", map="QSM") for k in (1, 3)]
    assert bright.value("deep_minus_superficial", map="QSM") == pytest.approx(layers[1] - layers[0])
    assert layers[1] - layers[0] > 0.03
    codes = {f.code: f for f in bright.findings}
    assert "iron_bright" in codes
    assert codes["zero_by_reference"].warning == (offset < 0)


def test_measuring_a_susceptibility_map_asks_for_its_sign() -> None:
    with pytest.raises(InputError, match="--iron QSM=bright"):
        measured({}, 1, 0.0)


def test_values_are_not_divided_by_a_reference_below_zero() -> None:
    """Outside the cortex the map is offset + 0.08 exp(-1) ppm, here -0.02."""
    with pytest.raises(InputError, match="divided only by one above zero"):
        measured({"QSM": BRIGHT}, 1, -0.05, reference="white_matter")
    assert measured({"QSM": BRIGHT}, 1, 0.05, reference="white_matter").units["QSM"] == "1"
