"""Fits of the laminar model from a start near them, and what is known beforehand.

What the data leave open is settled by weak priors, each a pseudo-observation: a row of
numbers whose product with the parameters has a target, in standard deviations. Two kinds of
cortex have their own:

* *plain*: the intensity changes evenly with depth, or in a step where the deep layers begin
  (0.65 +- 0.12 of the depth; they are the deep third of the measurement);
* *banded*: it changes evenly, and a band of iron lies at 0.70 +- 0.07 of the depth.

The numbers are choices, checked on phantoms of both kinds and on one 7 T T1-weighted image.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .laminar import (
    D_A,
    D_M,
    D_O,
    D_R,
    D_W,
    INSIDE,
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
    slopes,
)

DEEP_START, DEEP_START_SD = 0.65, 0.12
BAND_DEPTH, BAND_DEPTH_SD = 0.70, 0.07
BAND_WIDTH, BAND_WIDTH_SD = 0.15, 0.25
THICKNESS_MM, THICKNESS_SD = 3.0, 0.3
BLUR_VOXELS, BLUR_SD = 0.45, 0.35
SULCUS_MM, SULCUS_SD = 1.4, 0.5
BLADE_MM, BLADE_SD = 3.0, 0.25
PLACE_SD_MM = 10.0
# Shares of the change from the cortex's surface to white matter.
RAMP, RAMP_SD = 0.3, 0.5
DIP, DIP_SD = 0.2, 0.35
BAND_SD = 1.0
# That change, or this share of the pial step, is what shares are taken of.
PIAL_SHARE, LEAST_SIZE = 0.4, 0.05
# Levels, as shares of the profile's range: of any size, and of what is absent; and by how much
# a far side differs from coming back to gray matter, as a share of the way there.
ANY, ABSENT, FAR = 20.0, 1e-3, 0.5
# What the model cannot know: a border's place and blur by this share of a voxel, and levels by
# this share of the range.
EDGE_SHARE, LEVEL_SHARE = 0.1, 0.01
ITERATIONS = 30
# A tenth of an SD.
SETTLED = 0.01


@dataclass(frozen=True)
class Prior:
    """Pseudo-observations: rows (batch, r, 16) and targets (batch, r), in SDs."""

    rows: NDArray[np.float64]
    targets: NDArray[np.float64]

    def log_determinant(self) -> NDArray[np.float64]:
        """(batch,) of the precision that the rows make together."""
        return np.linalg.slogdet(self.rows.transpose(0, 2, 1) @ self.rows)[1]


def unmodelled(profiles: NDArray, step: float, voxel: float) -> NDArray[np.float64]:
    """Variance of profiles (..., n) about the model that more data would not lower.

    Args:
        profiles: in any unit.
        step, voxel: mm between samples and between voxels along them.
    """
    edge = EDGE_SHARE * voxel * np.gradient(profiles, step, axis=-1)
    return edge**2 + (LEVEL_SHARE * np.ptp(profiles)) ** 2 + 1e-24


def around(centre: NDArray, sd: NDArray) -> Prior:
    """Every parameter by itself.

    Args:
        centre, sd: (batch, 16).
    """
    rows = np.zeros((*centre.shape, PARAMETERS))
    np.einsum("bpp->bp", rows)[:] = 1 / sd
    return Prior(rows, centre / sd)


def general_prior(start: NDArray, banded: NDArray, voxel: float) -> Prior:
    """What is known of any cortex whose profile ranges from 0 to 1.

    Args:
        start: (batch, 16) parameters; a far side without a step there stays without.
        banded: (batch,) which kind.
        voxel: mm along the profile.
    """
    centre, sd = np.zeros(start.shape), np.full(start.shape, ANY)
    for index, mean, width in (
        (LOG_T, np.log(THICKNESS_MM), THICKNESS_SD),
        (F, DEEP_START, DEEP_START_SD),
        (LOG_S, np.log(BLUR_VOXELS * voxel), BLUR_SD),
        (LOG_W, np.log(SULCUS_MM), SULCUS_SD),
        (LOG_U, np.log(BLADE_MM), BLADE_SD),
        (C, BAND_DEPTH, BAND_DEPTH_SD),
        (LOG_B, np.log(BAND_WIDTH), BAND_WIDTH_SD),
    ):
        centre[:, index], sd[:, index] = mean, width
    centre[:, A], sd[:, A] = start[:, A], PLACE_SD_MM
    for index in (D_O, D_W):
        sd[:, index] = ABSENT
    drop = np.abs(start[:, INSIDE].sum(axis=1))
    size = np.maximum(np.maximum(drop, PIAL_SHARE * np.abs(start[:, D_A])), LEAST_SIZE)
    sd[:, H] = np.where(banded, BAND_SD * size, ABSENT)
    prior = around(centre, sd)
    for index, share, width in ((D_R, RAMP, RAMP_SD), (D_M, DIP, DIP_SD)):
        row = prior.rows[:, index]
        row[:] = 0
        row[:, list(INSIDE)] = -share / (width * size)[:, None]
        row[:, index] += 1 / (width * size)
    # Beyond a sulcus, and beyond a blade of white matter, lies gray matter again.
    for index, near in ((D_O, [D_A]), (D_W, list(INSIDE))):
        row, scale = (
            prior.rows[:, index],
            np.where(
                start[:, index] == 0,
                0,
                1 / (FAR * (np.abs(start[:, D_A]) if index == D_O else size)),
            ),
        )
        row[:, index] = np.where(scale == 0, row[:, index], scale)
        row[:, near] += scale[:, None]
    prior.rows[banded, D_M] = 0
    prior.rows[banded, D_M, D_M] = 1 / ABSENT
    return prior


def refine(
    start: NDArray,
    positions: NDArray,
    values: NDArray,
    weights: NDArray,
    noise: NDArray,
    prior: Prior,
    iterations: int = ITERATIONS,
    settled: float = SETTLED,
) -> tuple[NDArray, NDArray, NDArray]:
    """Maximum a posteriori parameters from a start near them (Levenberg-Marquardt).

    Args:
        start: (batch, 16) parameters.
        positions: (n,) mm.
        values: (batch, n) profiles.
        weights: (n,) or (batch, n) independent observations that each sample stands for.
        noise: (batch,) SD of an independent observation.
        prior: of the batch.
        iterations: at most so many.
        settled: a fit is done when a step lowers chi-square by less than this.

    Returns:
        (batch, 16) parameters, (batch, 16, 16) inverse covariance, (batch,) chi-square
        with the prior in it.
    """
    precision = np.broadcast_to(weights, values.shape) / noise[:, None] ** 2
    problem = _Problem(positions, values, precision, prior)
    best = problem.at(start, np.arange(len(start)))
    current, damping = start.copy(), np.full(len(start), 1e-2)
    active = np.arange(len(start))
    for _ in range(iterations):
        damped = best.curvature[active]
        diagonal = np.einsum("bpp->bp", damped)
        diagonal *= 1 + damping[active, None]
        diagonal += 1e-12
        step = np.linalg.solve(damped, best.gradient[active][..., None])[..., 0]
        step[:, :V] = np.clip(step[:, :V], -0.3, 0.3)
        trial = problem.at(current[active] + step, active)
        drop_of_chi = best.chi[active] - trial.chi
        better = drop_of_chi >= 0
        taken = active[better]
        current[taken] += step[better]
        best.take(trial, taken, better)
        damping[active] = np.where(better, damping[active] * 0.1, damping[active] * 8)
        moving = np.where(better, drop_of_chi > settled, damping[active] < 1e4)
        active = active[moving]
        if not len(active):
            break
    return current, best.curvature, best.chi


@dataclass(frozen=True)
class _State:
    """Chi-square (b,), its downhill direction (b, 16) and curvature (b, 16, 16)."""

    chi: NDArray
    gradient: NDArray
    curvature: NDArray

    def take(self, other: _State, rows: NDArray, chosen: NDArray) -> None:
        """Overwrite rows with the chosen ones of another state."""
        self.chi[rows] = other.chi[chosen]
        self.gradient[rows] = other.gradient[chosen]
        self.curvature[rows] = other.curvature[chosen]


@dataclass(frozen=True)
class _Problem:
    """What :func:`refine` minimises; arrays as there, ``precision`` (batch, n)."""

    positions: NDArray
    values: NDArray
    precision: NDArray
    prior: Prior

    def at(self, parameters: NDArray, which: NDArray) -> _State:
        """The state of some of the profiles at their parameters."""
        fitted, by = slopes(parameters, self.positions)
        rows, precision = self.prior.rows[which], self.precision[which]
        left = self.values[which] - fitted
        off = self.prior.targets[which] - (rows @ parameters[..., None])[..., 0]
        weighted = by * precision[:, None, :]
        across = rows.transpose(0, 2, 1)
        return _State(
            (precision * left**2).sum(axis=1) + (off**2).sum(axis=1),
            (weighted @ left[..., None] + across @ off[..., None])[..., 0],
            weighted @ by.transpose(0, 2, 1) + across @ rows,
        )
