"""Where the two borders of the cortex lie in an intensity profile across it.

The model of a profile is that of :mod:`.laminar`. Both edges are in it at once, and what lies
between them: a dark deep layer, or a band of iron that fades before white matter begins, is
not taken for the white-matter border. What is known beforehand is in :mod:`.adjust`.

Some shapes are penalised because they are not cortex:

* without a band, a white-matter border whose own step is under 20 % of the change from the
  cortex's surface to white matter: ``b`` would sit on noise in the white matter;
* far sides beyond which the intensity does not come back, or comes back by far more than it
  went: ``e_o`` would be the pial border, or ``e_w`` the white-matter border;
* a trough between the borders that is deep, or from which the intensity rises again by
  over 60 %: a sulcus, or a blade of white matter.

These values are choices, checked on phantoms with and without a dark deep layer and on one
7 T T1-weighted image. Of all fits the one with the best evidence is taken; the others, of
either kind of cortex, enter its uncertainty.

All profiles of one call share their sample positions and are fitted together.
Intensities come in and go out in the map's unit.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from .adjust import ITERATIONS, PIAL_SHARE, general_prior, refine
from .coarse import APART_MM, candidates, distinct_pials, laminar_starts, with_levels
from .laminar import (
    D_A,
    D_B,
    D_M,
    D_O,
    D_R,
    D_W,
    LOG_T,
    PARAMETERS,
    A,
    C,
    H,
    V,
    border_variances,
    model,
)

LEAST_STEP, LEAST_STEP_PENALTY = 0.2, 40.0
SAME_SIGN = 0.05
MOST_RETURN = 1.5
MOST_BACK, BACK_PENALTY = 0.35, 100.0
MOST_HUMP, HUMP_PENALTY = 0.1, 5.0
NEVER = 1e4
SLACK_MM = 0.3
# Motor cortex is hardly ever thicker than this.
THICK_MM, THICK_SD_MM = 4.5, 0.4
MOST_TROUGH, LEAST_RISE, MOST_RISE = 0.7, 0.15, 0.6
PARTIAL_PENALTY = 30.0
LEAST_TROUGH, NO_TROUGH_PENALTY = 0.2, 4.0
SPREAD_COUNTS = 4.0
ORDER_POWER = 40.0
OUTSIDE_SD_MM = 0.2
SAME_MM = 0.02
HYPOTHESES = 6
# Fits are tried this far first; those this much worse than the best are then given up.
FIRST_ITERATIONS, HOPE = 8, 40.0
LEAST_ODDS = 1e-3
FREE_PARAMETERS = 8


@dataclass(frozen=True)
class Fit:
    """One fitted profile.

    Attributes:
        parameters: (16,) in the order of :mod:`.laminar`, levels in map units.
        covariance: (16, 16) of them, from the curvature of the posterior.
        score: minus twice the log evidence, up to a constant of the data.
        pial_sd, white_sd, thickness_sd: mm, with the spread over rival fits of the same
            profile where there is more than one.
        noise: SD of the residual, as a factor of the spread, or in map units where none was given.
        gain: how much better in chi-square than a straight line.
        banded: whether a band of iron lies in the cortex.
        rivals, rivals_banded: (k, 16) parameters of all likely fits, this one among them, and
            whether each has a band.
    """

    parameters: NDArray[np.float64]
    covariance: NDArray[np.float64]
    score: float
    pial_sd: float
    white_sd: float
    thickness_sd: float
    noise: float
    gain: float
    banded: bool
    rivals: NDArray[np.float64]
    rivals_banded: NDArray[np.bool_]

    @property
    def pial(self) -> float:
        """Position of the pial border in mm."""
        return float(self.parameters[A])

    @property
    def white(self) -> float:
        """Position of the white-matter border in mm."""
        return float(self.parameters[A] + np.exp(self.parameters[LOG_T]))

    @property
    def thickness(self) -> float:
        """Their distance in mm."""
        return float(np.exp(self.parameters[LOG_T]))

    @property
    def steps(self) -> tuple[float, float]:
        """Size of the change at the pial border, and from there to white matter."""
        inside = self.parameters[D_R] + self.parameters[D_M] + self.parameters[D_B]
        return float(abs(self.parameters[D_A])), float(abs(inside))


def _penalty(parameters: NDArray, banded: NDArray, rule: str) -> NDArray:
    """What makes fits implausible, in units of chi-square.

    Args:
        parameters: (c, 16), of which the levels count and, with a band, its depth.
        banded: (c,) whether there is a band.
        rule: as in :func:`search`.
    """
    order = (D_O, D_A, D_R, D_M, H, D_B, D_W)
    d_o, d_a, ramp, d_m, height, d_b, d_w = (parameters[:, index] for index in order)
    drop = np.abs(ramp + d_m + d_b) + 1e-12
    share = np.abs(d_b) / np.maximum(drop, np.abs(d_m)) / LEAST_STEP
    penalty = np.where(banded, 0, LEAST_STEP_PENALTY * np.maximum(0, 1 - share) ** 2)
    # Across a sulcus the intensity comes back; else e_o is the pial border and a is not.
    # Likewise across a blade of white matter. It never comes back by much more than it went,
    # however little that was: else a trifle within the cortex would pass for white matter, and
    # the true border behind it for the far side.
    least = PIAL_SHARE * np.abs(d_a) + 1e-12
    for far, near in ((d_o, d_a), (d_w, ramp + d_m + d_b)):
        back, size = -far * np.sign(near), np.abs(near)
        excess = np.maximum(-back, 0) + np.maximum(back - MOST_RETURN * size, 0)
        penalty += (excess / np.maximum(size, least) / SAME_SIGN) ** 2
    # From CSF through gray to white matter the intensity goes one way; only where iron makes
    # the cortex darker than white matter does it turn back, and then by less than it came.
    back = np.where(d_a * (ramp + d_m + d_b) < 0, drop / (np.abs(d_a) + 1e-12) - MOST_BACK, 0)
    penalty += BACK_PENALTY * np.clip(back, 0, 2)
    # A dark deep layer is a shallow trough. A deep one is a sulcus or a blade of white matter.
    turns = d_a * d_b < 0
    pial = np.abs(d_a) + 1e-12
    depth = np.where(turns & ~banded, np.abs(d_m) / pial - MOST_TROUGH, 0)
    depth += np.where(banded, np.abs(height) / pial - MOST_TROUGH, 0)
    rise = np.where(turns & ~banded, np.abs(d_b) / (np.abs(d_m) + 1e-12) - MOST_RISE, 0)
    # Where CSF is far brighter, as in T2* maps, the blur of its border looks like a deep layer
    # that turns back towards CSF. None does by more than a little, and no band does.
    hump = np.where(d_a * d_m < 0, HUMP_PENALTY * (np.abs(d_m) / pial - MOST_HUMP), 0)
    hump += np.where(d_a * height < 0, HUMP_PENALTY * np.abs(height) / pial, 0)
    penalty += BACK_PENALTY * sum(np.clip(excess, 0, 1) for excess in (depth, rise, hump))
    # What rises again by less than that is a deep layer, not a blade.
    risen = np.abs(d_w) / drop
    penalty += PARTIAL_PENALTY * np.clip(
        np.minimum(risen - LEAST_RISE, MOST_RISE - risen) * 6, 0, 1
    )
    # A band is a trough: behind it the intensity comes back. Else it would only bend a ramp.
    comes_back = height - (1 - parameters[:, C]) * ramp - d_b
    share = comes_back / np.where(height == 0, 1e-12, height)
    shallow = np.clip((LEAST_TROUGH - share) / LEAST_TROUGH, 0, 1)
    penalty += np.where(banded, NO_TROUGH_PENALTY * shallow, 0)
    if rule == "larger":
        # CSF differs from gray matter more than white matter does, in T2*, R2*, T1 and
        # their weighted images alike.
        ratio = (np.abs(d_a) + 1e-6 * drop) / drop
        penalty += 2 * np.logaddexp(0, -ORDER_POWER * np.log(ratio))
    elif rule in ("falling", "rising"):
        penalty += np.where((d_a < 0) == (rule == "falling"), 0, NEVER)
    return penalty


def search(
    positions: NDArray,
    profile: NDArray,
    weights: NDArray,
    voxel: float,
    thickness: tuple[float, float],
    centre_sd: float | None = None,
    rule: str = "known",
    spread: NDArray | None = None,
    like: Fit | None = None,
    rough: bool = False,
) -> Fit | None:
    """The best fit of a profile, found without a start; None where nothing fits between.

    Args:
        positions: (n,) mm, ascending, evenly spaced, from the CSF side on.
        profile: (n,) values in any unit.
        weights: (n,) independent observations that each sample stands for.
        voxel: mm between voxels along the profile.
        thickness: least and greatest thickness in mm to look for.
        centre_sd: SD in mm by which the middle of the cortex may lie off position 0, which
            lies in the cortex or hardly outside; None for anywhere.
        rule: what tells the pial border: ``known``, nothing to tell; ``larger``, its step is
            the larger one; ``falling`` or ``rising``, the intensity does so from CSF inwards.
        spread: (n,) noise of an independent observation at each sample as known from
            elsewhere, in map units, up to a factor near 1: that it is 1 counts as much as four
            observations.
        like: a fit of a similar profile, to start from it and its rivals.
        rough: a first look will do.
    """
    low, span = float(np.min(profile)), float(np.ptp(profile)) or 1.0
    values = (profile - low) / span
    sd = np.ones(len(profile)) if spread is None else spread / span
    scaled = _Profile(
        positions,
        values,
        weights,
        sd,
        voxel,
        thickness,
        centre_sd,
        rule,
        spread is not None,
        rough,
    )
    scale, shift = np.ones(PARAMETERS), np.zeros(PARAMETERS)
    scale[V:], shift[V] = span, low
    if like is None:
        fit = scaled.search()
    else:
        fit = scaled.search_near((like.rivals - shift) / scale, like.rivals_banded)
    if fit is None:
        return None
    return replace(
        fit,
        parameters=fit.parameters * scale + shift,
        covariance=fit.covariance * np.outer(scale, scale),
        noise=fit.noise * (span if spread is None else 1),
        rivals=fit.rivals * scale + shift,
    )


@dataclass(frozen=True)
class _Profile:
    """What :func:`search` is given, with values from 0 to 1."""

    positions: NDArray
    values: NDArray
    counts: NDArray
    sd: NDArray
    voxel: float
    thickness: tuple[float, float]
    centre_sd: float | None
    rule: str
    sd_known: bool
    rough: bool

    @property
    def weights(self) -> NDArray:
        return self.counts / self.sd**2

    def search(self) -> Fit | None:
        places = self._pials()
        if not len(places):
            return None
        starts, banded = laminar_starts(places, self.positions, self.voxel, self.thickness)
        if not len(starts):
            return None
        starts, squares = with_levels(starts, self.positions, self.values, self.weights, banded)
        noise = self._noise(float(squares.min()))
        scores = squares / noise**2 + _penalty(starts, banded, self.rule)
        scores += self._off_centre(starts[:, A], starts[:, A] + np.exp(starts[:, LOG_T]))
        chosen = _distinct(starts, banded, scores)
        return self._fitted(starts[chosen], banded[chosen], noise)

    def search_near(self, starts: NDArray, banded: NDArray) -> Fit:
        """The best fit from some starts."""
        left = self.weights * (self.values - model(starts, self.positions)) ** 2
        return self._fitted(starts, banded, self._noise(float(left.sum(axis=1).min())))

    def _pials(self) -> NDArray:
        """(p, 5) mm, coarse places of the edges with pial borders that differ."""
        spacing = round(float(self.positions[1] - self.positions[0]), 9)
        tried = candidates(
            len(self.positions), spacing, np.ascontiguousarray(self.counts, float).tobytes(),
            self.voxel, self.thickness,
        )  # fmt: skip
        if not len(tried.places):
            return tried.places
        places = tried.places + self.positions[0]
        levels, squares = tried.fit(self.values, self.counts)
        parameters = np.zeros((len(levels), PARAMETERS))
        parameters[:, [V, D_O, D_A, D_M, D_B, D_W]] = levels
        left = self.counts.sum() - FREE_PARAMETERS
        scores = squares * max(left, self.counts.sum() / 4) / (max(squares.min(), 0) + 1e-6)
        scores += _penalty(parameters, np.zeros(len(levels), bool), self.rule)
        scores += self._off_centre(places[:, 1], places[:, 3])
        return places[distinct_pials(places, scores)]

    def _off_centre(self, pial: NDArray, white: NDArray) -> NDArray:
        if not self.centre_sd:
            return np.zeros(len(pial))
        outside = np.maximum(np.maximum(pial, -white), 0)
        middle = (pial + white) / 2
        return (middle / self.centre_sd) ** 2 + (outside / OUTSIDE_SD_MM) ** 2

    def _noise(self, squares: float) -> float:
        """Factor of the SD of an independent observation, from what a fit leaves."""
        effective = self.counts.sum()
        left = effective - FREE_PARAMETERS
        if not self.sd_known:
            return float(np.sqrt(squares / max(left, effective / 4))) + 1e-4
        return float(np.sqrt((squares + SPREAD_COUNTS) / (max(left, 0) + SPREAD_COUNTS)))

    def _fitted(self, start: NDArray, banded: NDArray, noise: float) -> Fit:
        """The best of fits from some starts; the hopeless ones are left half done."""
        fits, gain, noise = self._refined(start, banded, noise, FIRST_ITERATIONS)
        if self.rough:
            return _best(fits, banded, noise, gain)
        hope = fits.scores < fits.scores.min() + HOPE
        kept = np.flatnonzero(_differ(fits.ends, banded, fits.scores) & hope)
        banded = banded[kept]
        fits, gain, noise = self._refined(fits.parameters[kept], banded, noise, ITERATIONS)
        return _best(fits, banded, noise, gain)

    def _refined(
        self, start: NDArray, banded: NDArray, noise: float, iterations: int
    ) -> tuple[_Fits, NDArray, float]:
        """Fits from starts, by how much they beat a straight line, and the new noise factor."""
        values = np.broadcast_to(self.values, (len(start), len(self.values)))
        prior = general_prior(start, banded, self.voxel)
        parameters, curvature, chi = refine(
            start, self.positions, values, self.weights, np.full(len(start), noise), prior,
            iterations,
        )  # fmt: skip
        left = values - model(parameters, self.positions)
        residual = (self.weights * left**2).sum(axis=1)
        scores = chi + _penalty(parameters, banded, self.rule)
        scores += np.linalg.slogdet(curvature)[1] - prior.log_determinant()
        # This term makes scores of different noise comparable.
        scores += self.counts.sum() * np.log(noise**2)
        ends = np.stack([parameters[:, A], parameters[:, A] + np.exp(parameters[:, LOG_T])], axis=1)
        scores += self._out_of_place(*ends.T)
        line = np.polynomial.Polynomial.fit(self.positions, self.values, 1, w=np.sqrt(self.weights))
        straight = (self.weights * (self.values - line(self.positions)) ** 2).sum()
        gain = (straight - residual) / noise**2
        fits = _Fits(parameters, curvature, scores, ends)
        return fits, gain, self._noise(float(residual.min()))

    def _out_of_place(self, pial: NDArray, white: NDArray) -> NDArray:
        """Penalty for borders beyond the samples, a thick cortex, and one off the middle."""
        between = white - pial
        outside = (pial < self.positions[0]) | (white > self.positions[-1])
        outside |= between < self.thickness[0] - SLACK_MM
        outside |= between > self.thickness[1] + SLACK_MM
        thick = np.maximum(between - THICK_MM, 0) / THICK_SD_MM
        return np.where(outside, NEVER, 0) + thick**2 + self._off_centre(pial, white)


@dataclass(frozen=True)
class _Fits:
    """Fits of one profile: parameters (b, 16), curvature (b, 16, 16), scores (b,), ends (b, 2)."""

    parameters: NDArray
    curvature: NDArray
    scores: NDArray
    ends: NDArray


def _differ(ends: NDArray, banded: NDArray, scores: NDArray) -> NDArray[np.bool_]:
    """Whether each fit (b,) differs in a border or in kind from all better ones."""
    order = np.argsort(scores, kind="stable")
    new = np.ones(len(ends), dtype=bool)
    for n, index in enumerate(order):
        better = order[:n]
        same = np.abs(ends[better] - ends[index]).max(axis=1, initial=0) < SAME_MM
        new[index] = not (same & (banded[better] == banded[index])).any()
    return new


def _distinct(starts: NDArray, banded: NDArray, scores: NDArray) -> NDArray:
    """Indices of the best starts that differ in a border or in kind."""
    ends = np.stack([starts[:, A], starts[:, A] + np.exp(starts[:, LOG_T])], axis=1)
    order = np.argsort(scores)[:200]
    chosen = [int(order[0])]
    for index in order[1:]:
        gaps = np.abs(ends[chosen] - ends[index]).max(axis=1)
        gaps = np.where(banded[chosen] == banded[index], gaps, np.inf)
        if gaps.min() > APART_MM:
            chosen.append(int(index))
        if len(chosen) == HYPOTHESES:
            break
    return np.array(chosen)


def _best(fits: _Fits, banded: NDArray, noise: float, gain: NDArray) -> Fit:
    """The likeliest fit; its uncertainty counts how far off the others are."""
    best = int(np.argmin(fits.scores))
    odds = np.exp(-0.5 * (fits.scores - fits.scores[best]))
    # Starts that came to the same end are one hypothesis.
    odds *= _differ(fits.ends, banded, fits.scores)
    odds /= odds.sum()
    covariance = np.linalg.inv(fits.curvature)
    variances = border_variances(fits.parameters, covariance)
    numbers = np.concatenate([fits.ends, fits.ends[:, 1:] - fits.ends[:, :1]], axis=1)
    spread = odds @ (variances + (numbers - numbers[best]) ** 2)
    pial, white, thickness = np.sqrt(np.maximum(spread, 0)).tolist()
    likely = odds > LEAST_ODDS
    return Fit(
        fits.parameters[best], covariance[best], float(fits.scores[best]), pial, white,
        thickness, noise, float(gain[best]), bool(banded[best]), fits.parameters[likely],
        banded[likely],
    )  # fmt: skip
