"""Several echoes as one image."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

COMBINATIONS = ("rss", "mean", "snr")


def weights(
    echoes: Sequence[NDArray], how: str, mask: NDArray[np.bool_] | None = None
) -> NDArray[np.float64]:
    """The echoes' weights, summing to 1; ``rss`` has none and gives equal shares.

    ``snr`` weights each echo by its mean signal. With the same noise in every echo this gives
    the average tissue the highest signal-to-noise ratio of all linear combinations (matched
    filter: by the Cauchy-Schwarz inequality, ``sum(w S) / sqrt(sum(w^2))`` peaks at w = S).
    The weights are the same in every voxel, so the contrast stays that of a plain image.

    Args:
        echoes: one array (k, j, i) per echo.
        how: one of :data:`COMBINATIONS`.
        mask: (k, j, i), where the mean signal is taken; everywhere if None.
    """
    if how not in COMBINATIONS:
        raise ValueError(f"unknown combination {how!r}")
    if how != "snr":
        return np.full(len(echoes), 1 / len(echoes))
    where = slice(None) if mask is None or not mask.any() else mask.reshape(-1)
    signal = [float(np.nanmean(echo.reshape(-1)[where], dtype=np.float64)) for echo in echoes]
    return np.array(signal) / sum(signal)


def combine(
    echoes: Sequence[NDArray], how: str, mask: NDArray[np.bool_] | None = None
) -> NDArray[np.float32]:
    """One image (k, j, i) from the echoes.

    ``rss`` is the root of the sum of squares, ``mean`` the plain average, ``snr`` the average
    weighted for the highest signal-to-noise ratio (:func:`weights`).

    Args:
        echoes: one array (k, j, i) per echo.
        how: one of :data:`COMBINATIONS`.
        mask: (k, j, i), tissue, for the weights of ``snr``.
    """
    shares = weights(echoes, how, mask)
    total = np.zeros(echoes[0].shape, np.float32)
    for echo, share in zip(echoes, shares, strict=True):
        values = echo.astype(np.float32, copy=False)
        total += values * values if how == "rss" else np.float32(share) * values
    return np.sqrt(total, out=total) if how == "rss" else total
