"""How noisy magnitude images are, from the images themselves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import gammainc, gammaincinv

from .errors import InputError

_SAMPLES = 400_000
_FEWEST = 300


@dataclass(frozen=True)
class Noise:
    """A noise level and where it comes from.

    Attributes:
        sigma: standard deviation in the real (or imaginary) part, in the images' unit.
        source: ``background``, ``tissue`` or ``given``.
    """

    sigma: float
    source: str


def noise_level(echoes: Sequence[NDArray]) -> Noise:
    """The noise level of a multi-echo magnitude image.

    From the air around the head where there is enough of it (:func:`background_sigma`); else,
    as in a crop or a masked image, from the finest structure of the last echo
    (:func:`tissue_sigma`), which fine anatomy raises and interpolated voxels lower.

    Args:
        echoes: one array (k, j, i) per echo.

    Raises:
        InputError: no noise can be found, for example in a simulated image without any.
    """
    if sigma := background_sigma(echoes):
        return Noise(sigma, "background")
    if sigma := tissue_sigma(echoes[-1]):
        return Noise(sigma, "tissue")
    raise InputError(
        "The noise level cannot be estimated: the images have no noisy background and no "
        "noise in the tissue. Give it with --noise, in the unit of the images."
    )


def background_sigma(echoes: Sequence[NDArray]) -> float | None:
    """Sigma from voxels that hold noise only in every echo, or None where there are too few.

    Koay, Ozarslan and Pierpaoli, J Magn Reson 2009, 199:94: in K images of pure noise, the sum
    of ``M^2 / (2 sigma^2)`` follows a gamma distribution of shape K. Keep the voxels inside its
    central 95 percent, take sigma from them, repeat; of several starting points the one that
    ends with most voxels wins. Beyond the paper, the voxels found must look like noise (equally
    bright in every echo, with the quartiles that the gamma distribution has), since tissue
    alone would otherwise pass for it.

    Args:
        echoes: one array (k, j, i) per echo.
    """
    power = _sampled_power(echoes)
    if power.shape[1] < _FEWEST:
        return None
    count = power.shape[0]
    total = power.sum(axis=0)
    low, middle, high = (float(gammaincinv(count, p)) for p in (0.025, 0.5, 0.975))
    best, most = None, max(_FEWEST, 0.005 * total.size)
    for start in np.quantile(total, (0.01, 0.03, 0.1, 0.2, 0.35, 0.5, 0.65, 0.8)):
        variance = start / (2 * middle)
        for _ in range(30):
            inside = (total > 2 * variance * low) & (total < 2 * variance * high)
            if not inside.any():
                break
            before, variance = variance, np.median(total[inside]) / (2 * middle)
            if abs(variance - before) < 1e-5 * before:
                break
        if inside.sum() > most and _looks_like_noise(power[:, inside], variance):
            best, most = float(np.sqrt(variance)), inside.sum()
    return best


def _sampled_power(echoes: Sequence[NDArray]) -> NDArray[np.float64]:
    """Squared magnitudes (echoes, n) of evenly spread voxels that are not blanked out."""
    step = max(1, echoes[0].size // _SAMPLES)
    samples = np.stack([echo.reshape(-1)[::step] for echo in echoes]).astype(np.float64)
    return samples[:, (np.isfinite(samples) & (samples > 0)).all(axis=0)] ** 2


def _looks_like_noise(power: NDArray[np.float64], variance: float) -> bool:
    means = power.mean(axis=1)
    if means.max() > 1.15 * means.min():
        return False
    shares = gammainc(power.shape[0], power.sum(axis=0) / (2 * variance))
    quartiles = np.quantile(shares, (0.25, 0.5, 0.75))
    return bool(np.abs(quartiles - (0.2625, 0.5, 0.7375)).max() < 0.04)


def tissue_sigma(echo: NDArray) -> float | None:
    """Sigma from the finest in-plane structure of one image, or None where it has none.

    Immerkaer, Comput Vis Image Underst 1996, 64:300: the mask ``[[1, -2, 1], [-2, 4, -2],
    [1, -2, 1]]`` removes constant and linear parts and passes white noise with 6 sigma. The
    median of its absolute value, not the mean, so that edges weigh little; noise of a normal
    distribution has it at 0.6745 standard deviations.

    Args:
        echo: (k, j, i); the mask acts in the plane of j and i.
    """
    values = np.asarray(echo, dtype=np.float32)
    if min(values.shape[1:]) < 3:
        return None
    rows = values[:, :-2] - 2 * values[:, 1:-1] + values[:, 2:]
    both = rows[:, :, :-2] - 2 * rows[:, :, 1:-1] + rows[:, :, 2:]
    shown = values[values > 0]
    if not shown.size:
        return None
    inner = values[:, 1:-1, 1:-1] > 0.5 * shown.mean()
    spread = np.abs(both[inner & np.isfinite(both)])
    sigma = float(np.median(spread)) / 0.6745 / 6 if spread.size else 0.0
    return sigma if sigma > 0 else None
