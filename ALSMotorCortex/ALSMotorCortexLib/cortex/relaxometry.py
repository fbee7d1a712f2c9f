"""The decay of a multi-echo gradient echo: T2*, R2*, S0, and where to trust them.

Model: a voxel's signal at echo time t is ``S0 exp(-R2* t)``, times a known dephasing factor
where one is given (see :mod:`.dephasing`). A magnitude image shows it with Rician noise
(Gudbjartsson and Patz, Magn Reson Med 1995, 34:910).

Two fits. ``loglinear`` is a straight line through the logarithms, weighted by the squared
signal because the logarithm's variance is ``(sigma / signal)^2``: fast, but noise alone holds
up the late echoes, so T2* comes out too long. ``rician`` starts there and maximises the Rician
likelihood (Sijbers et al., IEEE Trans Med Imaging 1998, 17:357) by Fisher scoring.

The reciprocal of a noisy R2* is too long on average, by the share ``v = var(R2*) / R2*^2`` to
second order. T2* is therefore ``1 / (R2* (1 + v))``, with v from the Fisher information. At an
SNR of 20 at the first of seven echoes this turns a bias of 1 to 3 percent at 60 ms into a few
tenths of a percent (``Testing/Benchmark/relaxometry.py`` prints it). R2* itself is the plain
estimate, so T2* times R2* is a little under one where noise is high.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .errors import InputError
from .workers import WORKERS

Floats = NDArray[np.float32]

METHODS = ("rician", "loglinear")

NOISE_FLOOR = float(np.sqrt(np.pi / 2))
"""Mean magnitude where there is no signal, in units of sigma (Rayleigh distribution)."""

LONGEST_T2STAR_MS = 1000.0
"""R2* is not fitted below the reciprocal of this: such a decay cannot be told from none."""

STEEPEST_DROP = 5.0
"""R2* is not fitted above this over the shortest echo spacing, a drop by a factor of 150."""

TRUSTED_SIGNAL = 3.0
"""A voxel is trusted if two echoes have a fitted signal of this many sigma: pure noise seldom
reaches it (once in a hundred), while the noise floor it passes every other time."""

TRUSTED_ERROR = 0.5
"""... and the standard error of R2* is under this share of R2*."""

TRUSTED_RESIDUAL = (3.0, 0.05)
"""... and the residual is under the larger of 3 sigma and 5 percent of S0."""

MOST_TURNS = 0.75
"""Where the phase spreads over more turns than this across the slice, less than a third of the
signal is left and the sinc nears its first zero: such an echo is left out, and a voxel whose
last echo is one is not trusted."""

_SCORING_STEPS = 6
_CHUNK = 16384


@dataclass(frozen=True)
class Decay:
    """Maps (k, j, i) of the fitted decay; NaN (or 0 in the counts) where there is no fit.

    Attributes:
        t2star: ms, float32.
        r2star: 1/s, float32.
        s0: signal at echo time zero in the images' unit, float32.
        residual: root mean square of measured minus expected magnitude over the echoes used,
            with ``echoes - 2`` degrees of freedom, in the images' unit, float32. Near zero by
            construction where only two echoes are used.
        echoes_used: how many echoes stand above the noise floor, uint8.
        trusted: two echoes of :data:`TRUSTED_SIGNAL`, R2* inside the range that can be fitted
            and known to within :data:`TRUSTED_ERROR`, residual under
            :data:`TRUSTED_RESIDUAL`, and dephasing, where it is corrected, under
            :data:`MOST_TURNS` at the last echo. bool.
        fitted: which voxels were tried, bool.
    """

    t2star: Floats
    r2star: Floats
    s0: Floats
    residual: Floats
    echoes_used: NDArray[np.uint8]
    trusted: NDArray[np.bool_]
    fitted: NDArray[np.bool_]


def check_times(times_ms: Sequence[float]) -> Floats:
    """The echo times as an array.

    Raises:
        InputError: fewer than two, or not above zero and ascending.
    """
    times = np.asarray(times_ms, dtype=np.float32)
    if times.size < 2:
        raise InputError(
            "There is only one echo. T2* needs at least two echo times; give the other echoes too."
        )
    if not (np.isfinite(times).all() and times[0] > 0 and (np.diff(times) > 0).all()):
        listed = ", ".join(f"{t:g}" for t in times)
        raise InputError(
            f"The echo times are {listed} ms. They must be above zero and ascend: list the "
            "echoes and their times from the shortest to the longest."
        )
    return times


def fit_decay(
    echoes: Sequence[NDArray],
    times_ms: Sequence[float],
    sigma: float,
    mask: NDArray[np.bool_] | None = None,
    turns_per_ms: NDArray | None = None,
    method: str = "rician",
    threads: int = WORKERS,
    progress: Callable[[float], None] | None = None,
) -> Decay:
    """Fit the decay of every voxel.

    Echoes whose fitted signal lies under the noise floor, ``sqrt(pi / 2) sigma``, are left out
    and the voxel is fitted again. The fitted, not the measured signal decides, since dropping
    the echoes that happen to be low would bias what is left.

    Args:
        echoes: one magnitude array (k, j, i) per echo, all of one shape.
        times_ms: their echo times in ms, ascending.
        sigma: standard deviation of the noise in the real (or imaginary) part, in the images'
            unit.
        mask: (k, j, i), the voxels to fit; all if None.
        turns_per_ms: (k, j, i), how fast the phase spreads across the slice, in turns per ms,
            for the sinc correction of :mod:`.dephasing`; none if None.
        method: ``rician`` or ``loglinear``.
        threads: chunks fitted at once.
        progress: gets the fraction done, in the caller's thread; may raise
            :class:`.errors.Cancelled`.

    Raises:
        InputError: echo times that do not ascend, fewer than two echoes, or a noise level that
            is not above zero.
    """
    times = check_times(times_ms)
    if not (np.isfinite(sigma) and sigma > 0):
        raise InputError(
            f"The noise level is {sigma:g}. It must be above zero, in the unit of the images."
        )
    if len(echoes) != times.size:
        raise ValueError(f"{len(echoes)} echoes, {times.size} echo times")
    if method not in METHODS:
        raise ValueError(f"unknown method {method!r}")
    flat = [echo.reshape(-1) for echo in echoes]
    spread = None if turns_per_ms is None else turns_per_ms.reshape(-1)
    decay = _empty(echoes[0].shape)
    where = np.flatnonzero(np.ones(flat[0].size, bool) if mask is None else mask)
    chunks = [where[i : i + _CHUNK] for i in range(0, where.size, _CHUNK)]

    def work(voxels: NDArray[np.intp]) -> None:
        magnitude = np.stack([echo[voxels] for echo in flat]).astype(np.float32)
        np.maximum(magnitude, 0, out=magnitude)  # resampling may leave values below zero
        turns = None if spread is None else spread[voxels]
        fit = _fit_voxels(magnitude, times, float(sigma), turns, method)
        _store(decay, voxels, fit)

    with ThreadPoolExecutor(max(1, threads)) as pool:
        try:
            for done, _ in enumerate(pool.map(work, chunks), 1):
                if progress:
                    progress(done / len(chunks))
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
    return decay


def dephasing_factor(turns_per_ms: NDArray, times_ms: Floats) -> Floats:
    """Signal left, (echoes, n), when the phase spreads evenly across a rectangular slice.

    ``|sinc(turns)|`` with ``sinc(x) = sin(pi x) / (pi x)`` (Fernandez-Seara and Wehrli, Magn
    Reson Med 2000, 44:358).
    """
    turns = np.multiply.outer(times_ms, np.asarray(turns_per_ms, dtype=np.float32))
    return np.abs(np.sinc(turns)).astype(np.float32)


def rician_information(snr: NDArray) -> NDArray:
    """Fisher information of one magnitude about its signal, in units of ``1 / sigma^2``.

    A rational approximation in the signal-to-noise ratio with the exact limits, ``snr^2`` and
    ``1 - 1 / (2 snr^2)``; within 0.01 of the integral (Karlsen et al., Magn Reson Med 1999,
    41:614) everywhere.

    Args:
        snr: signal over sigma, any shape.
    """
    square = snr * snr
    quartic = 0.2859 * square * square
    return (square + quartic) / (1 + 1.14295 * square + quartic)


def cramer_rao(times_ms: Sequence[float], t2star_ms: float, first_snr: float) -> float:
    """Smallest relative standard deviation an unbiased T2* can have on Rician data.

    Args:
        times_ms: echo times in ms.
        t2star_ms: true T2* in ms.
        first_snr: signal over sigma at the first echo.
    """
    times = np.asarray(times_ms, dtype=np.float64)
    snr = first_snr * np.exp(-(times - times[0]) / t2star_ms)
    weight = snr**2 * rician_information(snr)
    centred = times - (weight * times).sum() / weight.sum()
    return float(t2star_ms / np.sqrt((weight * centred**2).sum()))


@dataclass(frozen=True)
class _Line:
    """A fitted line per voxel: log S0 over sigma, and R2* in 1/ms. (n,) each."""

    log_s0: Floats
    rate: Floats


@dataclass(frozen=True)
class _Fit:
    """A chunk's fit in units of sigma.

    Attributes:
        line: (n,).
        variance: of the rate, (n,).
        residual: (n,).
        used: which echoes, (echoes, n).
        sound: enough signal, rate inside its limits, dephasing within what can be
            corrected, (n,).
        sigma: the unit.
    """

    line: _Line
    variance: Floats
    residual: Floats
    used: NDArray[np.bool_]
    sound: NDArray[np.bool_]
    sigma: float


def _empty(shape: tuple[int, ...]) -> Decay:
    t2star, r2star, s0, residual = (np.full(shape, np.nan, np.float32) for _ in range(4))
    count = np.zeros(shape, np.uint8)
    trusted, fitted = np.zeros(shape, bool), np.zeros(shape, bool)
    return Decay(t2star, r2star, s0, residual, count, trusted, fitted)


def _fit_voxels(
    magnitude: Floats, times: Floats, sigma: float, turns_per_ms: NDArray | None, method: str
) -> _Fit:
    """Fit magnitudes (echoes, n)."""
    # Noise far under float32's resolution of the signal would only bring overflow.
    sigma = max(sigma, 1e-6 * float(np.nanmax(magnitude, initial=0)), float(np.finfo("f4").tiny))
    m = magnitude / np.float32(sigma)
    t = times[:, None]
    limits = (1 / LONGEST_T2STAR_MS, STEEPEST_DROP / float(np.diff(times).min()))
    f, clear = np.ones_like(m), np.ones(m.shape, bool)
    if turns_per_ms is not None:
        f, clear = dephasing_factor(turns_per_ms, times), turns_per_ms * t < MOST_TURNS
    with np.errstate(all="ignore"):
        line = _estimate(m, t, f, clear, limits, method)
        used = clear & (f * np.exp(line.log_s0 - line.rate * t) >= NOISE_FLOOR)
        again = np.flatnonzero((used != clear).any(axis=0) & (used.sum(axis=0) >= 2))
        if again.size:
            second = _estimate(m[:, again], t, f[:, again], used[:, again], limits, method)
            line.log_s0[again] = second.log_s0
            line.rate[again] = second.rate
        signal = f * np.exp(line.log_s0 - line.rate * t)
        _, variance = _centre(signal**2 * rician_information(signal) * used, t)
        # The mean of a Rician magnitude of signal A is close to sqrt(A^2 + 1).
        misfit = np.where(used, m - np.sqrt(signal**2 + 1), 0)
        residual = np.sqrt((misfit**2).sum(axis=0) / np.maximum(used.sum(axis=0) - 2, 1))
        sound = (line.rate > 1.001 * limits[0]) & (line.rate < 0.999 * limits[1]) & clear[-1]
        sound &= (used & (signal >= TRUSTED_SIGNAL)).sum(axis=0) >= 2
    return _Fit(line, variance, residual, used, sound, sigma)


def _estimate(
    m: Floats,
    t: Floats,
    f: Floats,
    used: NDArray[np.bool_],
    limits: tuple[float, float],
    method: str,
) -> _Line:
    line = _log_linear(m, t, f, used, limits)
    return _score(m, t, f, used, limits, line) if method == "rician" else line


def _centre(weight: Floats, t: Floats) -> tuple[Floats, Floats]:
    """Weighted mean time, and variance of a weighted line's slope, (n,) each."""
    total = weight.sum(axis=0)
    centre = (weight * t).sum(axis=0) / total
    return centre, 1 / (weight * (t - centre) ** 2).sum(axis=0)


def _log_linear(
    m: Floats,
    t: Floats,
    f: Floats,
    used: NDArray[np.bool_],
    limits: tuple[float, float],
) -> _Line:
    """The weighted straight line through log(magnitude / f)."""
    weight = m * m * used
    logs = np.log(np.maximum(m, 1e-2) / np.maximum(f, np.float32(1e-2)))
    centre, variance = _centre(weight, t)
    level = (weight * logs).sum(axis=0) / weight.sum(axis=0)
    rate = -(weight * (t - centre) * logs).sum(axis=0) * variance
    rate = np.clip(rate, *limits)
    return _Line(level + rate * centre, rate)


def _score(
    m: Floats,
    t: Floats,
    f: Floats,
    used: NDArray[np.bool_],
    limits: tuple[float, float],
    line: _Line,
) -> _Line:
    """Fisher scoring of the Rician likelihood from a first answer.

    With A the signal in units of sigma, the score about A is ``m I1(m A) / I0(m A) - A`` and
    the information :func:`rician_information`. Steps are limited so that a voxel that does
    not follow the model cannot run away.
    """
    log_s0, rate = line.log_s0, line.rate
    longest_step = np.float32(1 / float(t[-1, 0] - t[0, 0]))
    for _ in range(_SCORING_STEPS):
        signal = f * np.exp(log_s0 - rate * t)
        score = signal * (m - signal) - _bessel_shortfall(m * signal)
        score *= used
        weight = signal * signal * rician_information(signal) * used
        total = weight.sum(axis=0)
        centre, variance = _centre(weight, t)
        step = -(score * (t - centre)).sum(axis=0) * variance
        stepped = np.clip(rate + np.clip(step, -longest_step, longest_step), *limits)
        level_step = np.clip(score.sum(axis=0) / total, -1, 1)
        log_s0 = log_s0 + level_step + (stepped - rate) * centre
        rate = stepped
    return _Line(log_s0, rate)


def _bessel_shortfall(x: Floats) -> Floats:
    """``x (1 - I1(x) / I0(x))``, from 0 over a hump to 1/2, within 0.15 percent.

    A rational approximation fitted to the quotient of scipy's ``i1e`` and ``i0e``, which take
    ten times as long; it keeps the limits ``x`` at zero and 1/2 at infinity.
    """
    x = np.minimum(x, np.float32(1e6))
    top = x * (1 + x * (0.146423 + x * (0.0803275 + x * 0.0628893)))
    bottom = 1 + x * (0.646423 + x * (0.435222 + x * (0.120529 + x * 0.1257786)))
    return np.asarray(top / bottom, dtype=np.float32)


def _store(decay: Decay, voxels: NDArray[np.intp], fit: _Fit) -> None:
    """Write a chunk's fit into the maps."""
    rate, count = fit.line.rate, fit.used.sum(axis=0)
    s0 = np.exp(fit.line.log_s0) * np.float32(fit.sigma)
    residual = fit.residual * np.float32(fit.sigma)
    with np.errstate(all="ignore"):
        doubt = fit.variance / rate**2
        t2star = 1 / (rate * (1 + np.minimum(doubt, TRUSTED_ERROR**2)))
        allowed = np.maximum(TRUSTED_RESIDUAL[0] * fit.sigma, TRUSTED_RESIDUAL[1] * s0)
        trusted = fit.sound & (doubt < TRUSTED_ERROR**2) & (residual <= allowed)
    good = (count >= 2) & np.isfinite(rate) & np.isfinite(s0)
    maps = (decay.t2star, decay.r2star, decay.s0, decay.residual)
    for target, values in zip(maps, (t2star, 1000 * rate, s0, residual), strict=True):
        target.reshape(-1)[voxels] = np.where(good, values, np.nan)
    decay.echoes_used.reshape(-1)[voxels] = np.where(np.isfinite(rate), count, 0)
    decay.trusted.reshape(-1)[voxels] = good & trusted
    decay.fitted.reshape(-1)[voxels] = True
