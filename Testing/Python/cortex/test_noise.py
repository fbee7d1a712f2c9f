"""Noise levels against simulated truth."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from ALSMotorCortexLib.cortex.errors import InputError
from ALSMotorCortexLib.cortex.noise import background_sigma, noise_level, tissue_sigma

TIMES = (5.0, 10.0, 20.0)


def head(air: float, sigma: float, echoes: int = 3, seed: int = 0) -> list[NDArray]:
    """Slices whose right-hand share ``air`` is empty and whose rest is smooth tissue."""
    rng = np.random.default_rng(seed)
    shape = (12, 96, 96)
    k, j, i = np.ogrid[:12, :96, :96]
    tissue = (1 + 0.3 * np.cos(j / 15) + 0.2 * np.sin(i / 12)) * 25 * sigma * (i < 96 * (1 - air))
    made = []
    for time in TIMES[:echoes]:
        signal = tissue * np.exp(-time / 40) + 0 * k
        noise = rng.standard_normal((2, *shape)) * sigma
        made.append(np.hypot(signal + noise[0], noise[1]))
    return made


@pytest.mark.parametrize("echoes", [1, 2, 3])
@pytest.mark.parametrize("air", [0.8, 0.5, 0.15, 0.03])
def test_sigma_from_the_background(air: float, echoes: int) -> None:
    assert background_sigma(head(air, 7.0, echoes)) == pytest.approx(7.0, rel=0.02)


@pytest.mark.parametrize("echoes", [2, 3])
def test_tissue_alone_is_not_taken_for_background(echoes: int) -> None:
    made = head(0.0, 7.0, echoes)
    assert background_sigma(made) is None
    noise = noise_level(made)
    assert noise.source == "tissue"
    assert noise.sigma == pytest.approx(7.0, rel=0.05)


def test_a_blanked_background_is_not_noise() -> None:
    made = [np.where(echo > 60, echo, 0) for echo in head(0.5, 7.0)]
    assert background_sigma(made) is None
    assert noise_level(made).sigma == pytest.approx(7.0, rel=0.1)


def test_rounding_to_whole_numbers_hardly_matters() -> None:
    made = [np.rint(echo).astype(np.int16) for echo in head(0.5, 4.0)]
    assert background_sigma(made) == pytest.approx(4.0, rel=0.03)


def test_sigma_scales_with_the_image() -> None:
    made = head(0.4, 5.0)
    assert noise_level([1e-6 * e for e in made]).sigma == pytest.approx(
        1e-6 * noise_level(made).sigma, rel=1e-6
    )


def test_images_without_noise_ask_for_it() -> None:
    made = [np.full((3, 20, 20), 100.0) for _ in range(2)]
    assert tissue_sigma(made[0]) is None
    with pytest.raises(InputError, match="--noise"):
        noise_level(made)
