"""Where the two borders of the cortex lie in an intensity profile across it.

The model of a profile y(s), from the CSF side to the white-matter side, is a row of
plateaus joined by blurred steps:

    y(s) = v + d_o F(s - e_o) + d_a F(s - a) + d_m F_m(s - m) + d_b F(s - b) + d_w F(s - e_w)

with F the integral of a Gaussian (the step blurred by the point spread), ``a`` the pial
border, ``b`` the white-matter border, ``m`` between them the start of the deep layers,
``e_o`` before ``a`` the far side of a narrow sulcus, and ``e_w`` behind ``b`` the far side
of a narrow blade of white matter. The step at ``m`` is what
keeps a dark deep layer, as in ALS, from being taken for the white-matter border: both
edges are in the model at once, and ``b`` is the one behind which the profile stays.
The signs of the steps are free, so that any contrast will do.

What the data leave open is settled by weak priors, each a pseudo-observation: the deep
layers start at 0.65 +- 0.12 of the depth (they are the deep third of the measurement),
the step at ``m`` is 0.25 +- 0.5 of the drop from gray to white matter, and the blur is
near that of a voxel. Some shapes are penalised because they are not cortex:

* a white-matter border whose own step is under 35 % of that drop: ``b`` would sit on
  noise in the white matter;
* far sides beyond which the intensity does not come back: ``e_o`` would be the pial
  border, or ``e_w`` the white-matter border;
* a trough between the borders that is deep, or from which the intensity rises again by
  over 60 %: a sulcus, or a blade of white matter.

These values are choices, checked on phantoms with and without a dark deep layer and on one
7 T T1-weighted image. The fit with the best evidence is taken; the others enter its
uncertainty.

All profiles of one call share their sample positions and are fitted together.
Intensities come in and go out in the map's unit.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

A, LOG_T, F, LOG_S, LOG_W, LOG_U, V, D_O, D_A, D_M, D_B, D_W = range(12)
"""Order of the parameters: a, ln thickness, (m - a)/thickness, ln blur, ln width of the
sulcus, ln width of the blade of white matter, first level, and the steps at e_o, a, m, b
and e_w."""

DEEP_START, DEEP_START_SD = 0.65, 0.12
DIP, DIP_SD = 0.25, 0.5
BLUR_VOXELS, BLUR_SD = 0.45, 0.35
SULCUS_MM, SULCUS_SD = 1.4, 0.5
BLADE_MM, BLADE_SD = 3.0, 0.25
LEAST_STEP, LEAST_STEP_PENALTY = 0.35, 40.0
SAME_SIGN = 0.05
MOST_RETURN = 1.5
MOST_BACK, BACK_PENALTY = 0.35, 100.0
MOST_HUMP, HUMP_PENALTY = 0.1, 5.0
NEVER = 1e4
SLACK_MM = 0.3
MOST_TROUGH, LEAST_RISE, MOST_RISE = 0.7, 0.15, 0.6
PARTIAL_PENALTY = 30.0
ABSENT = 1e-2
SPREAD_COUNTS = 4.0
ORDER_POWER = 40.0
# The dip is reckoned by the drop to white matter, or by this share of the pial step.
PIAL_SHARE = 0.4
# The change towards the deep layers is gradual: SD as a share of the thickness.
DEEP_BLUR = 0.05
ITERATIONS = 30
# A fit is done when a step lowers chi-square by less than this: a tenth of an SD.
SETTLED = 0.01
COARSE_MM = 0.2
HYPOTHESES = 4
APART_MM = 0.35


@dataclass(frozen=True)
class Fit:
    """One fitted profile.

    Attributes:
        parameters: (12,) in the order of this module's constants, levels in map units.
        covariance: (12, 12) of them, from the curvature of the posterior.
        score: minus twice the log evidence, up to a constant of the data.
        pial_sd, white_sd, thickness_sd: mm, with the spread over rival fits of the same
            profile where there is more than one.
        noise: SD of the residual, in map units.
        gain: how much better in chi-square than a straight line.
    """

    parameters: NDArray[np.float64]
    covariance: NDArray[np.float64]
    score: float
    pial_sd: float
    white_sd: float
    thickness_sd: float
    noise: float
    gain: float

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


def model(
    parameters: NDArray, positions: NDArray, jacobian: bool = False
) -> tuple[NDArray, NDArray]:
    """Profiles of the model, and their derivatives by the parameters.

    Args:
        parameters: (batch, 12).
        positions: (n,) mm.
        jacobian: whether to work out the derivatives too.

    Returns:
        (batch, n) values, and (batch, 12, n) derivatives, empty unless asked for.
    """
    a, log_t, f, log_s, log_w, log_u, v, d_o, d_a, d_m, d_b, d_w = parameters.T[:, :, None]
    thickness, blur, width, blade = (np.exp(x) for x in (log_t, log_s, log_w, log_u))
    deep_blur = np.hypot(blur, DEEP_BLUR * thickness)
    z_o = (positions - a + width) / blur
    z_a = (positions - a) / blur
    z_m = (positions - a - f * thickness) / deep_blur
    z_b = (positions - a - thickness) / blur
    z_w = z_b - blade / blur
    sizes, distances = (d_o, d_a, d_m, d_b, d_w), (z_o, z_a, z_m, z_b, z_w)
    steps = [ndtr(z) for z in distances]
    values = v + sum(d * step for d, step in zip(sizes, steps, strict=True))
    if not jacobian:
        return values, np.empty(0)
    g_o, g_a, g_m, g_b, g_w = (
        d * np.exp(-0.5 * z * z) / np.sqrt(2 * np.pi) for d, z in zip(sizes, distances, strict=True)
    )
    m_share = (blur / deep_blur) ** 2
    slopes = np.empty((len(values), 12, len(positions)))
    for index, slope in enumerate([
        -(g_o + g_a + g_b + g_w) / blur - g_m / deep_blur,
        -(g_b + g_w) * thickness / blur - g_m * (f * thickness / deep_blur + z_m * (1 - m_share)),
        -g_m * thickness / deep_blur,
        -g_o * z_o - g_a * z_a - g_b * z_b - g_w * z_w - g_m * z_m * m_share,
        g_o * width / blur,
        -g_w * blade / blur,
        1.0,
        *steps,
    ]):  # fmt: skip
        slopes[:, index] = slope
    return values, slopes


def _prior_rows(
    start: NDArray, voxel: float, drop: NDArray, contrast: NDArray
) -> tuple[NDArray, NDArray]:
    """Pseudo-observations: rows (batch, 11, 12) and targets (batch, 11), in SDs.

    Args:
        start: (batch, 12) parameters; a far side without a step there stays without.
        voxel: mm along the profile.
        drop: (batch,) size of the change from gray to white matter.
        contrast: (batch,) size of the largest step.
    """
    rows, targets = np.zeros((len(drop), 11, 12)), np.zeros((len(drop), 11))
    for row, (index, mean, sd) in enumerate(
        [
            (F, DEEP_START, DEEP_START_SD),
            (LOG_S, np.log(BLUR_VOXELS * voxel), BLUR_SD),
            (LOG_W, np.log(SULCUS_MM), SULCUS_SD),
            (LOG_U, np.log(BLADE_MM), BLADE_SD),
            # Wide, for when the data say nothing.
            (LOG_T, np.log(2.7), 1.0),
        ]
    ):
        rows[:, row, index], targets[:, row] = 1 / sd, mean / sd
    for row, index in enumerate((V, D_A, D_B), start=5):
        rows[:, row, index] = 1 / (20 * contrast)
    for row, index in enumerate((D_O, D_W), start=8):
        present = np.abs(start[:, index]) > ABSENT * contrast
        rows[:, row, index] = 1 / (np.where(present, 2, ABSENT / 10) * contrast)
    rows[:, 10, D_M] = (1 - DIP) / (DIP_SD * drop)
    rows[:, 10, D_B] = -DIP / (DIP_SD * drop)
    return rows, targets


def refine(
    start: NDArray,
    positions: NDArray,
    values: NDArray,
    weights: NDArray,
    noise: NDArray,
    voxel: float,
) -> tuple[NDArray, NDArray, NDArray]:
    """Maximum a posteriori parameters from a start near them (Levenberg-Marquardt).

    Args:
        start: (batch, 12) parameters.
        positions: (n,) mm.
        values: (batch, n) profiles.
        weights: (n,) or (batch, n) independent observations that each sample stands for.
        noise: (batch,) SD of an independent observation.
        voxel: mm along the profile.

    Returns:
        (batch, 12) parameters, (batch, 12, 12) inverse covariance, (batch,) chi-square
        with the priors in it.
    """
    drop = np.abs(start[:, D_M] + start[:, D_B])
    contrast = np.maximum(np.abs(start[:, D_A]), drop) + 1e-12
    size = np.maximum(drop, PIAL_SHARE * np.abs(start[:, D_A]))
    rows, targets = _prior_rows(start, voxel, np.maximum(size, 0.05 * contrast), contrast)
    precision = np.broadcast_to(weights, values.shape) / noise[:, None] ** 2
    problem = _Problem(positions, values, precision, rows, targets)
    best = problem.at(start, np.arange(len(start)))
    current, damping = start.copy(), np.full(len(start), 1e-2)
    active = np.arange(len(start))
    for _ in range(ITERATIONS):
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
        moving = np.where(better, drop_of_chi > SETTLED, damping[active] < 1e4)
        active = active[moving]
        if not len(active):
            break
    return current, best.curvature, best.chi


@dataclass(frozen=True)
class _State:
    """Chi-square (b,), its downhill direction (b, 12) and curvature (b, 12, 12)."""

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
    rows: NDArray
    targets: NDArray

    def at(self, parameters: NDArray, which: NDArray) -> _State:
        """The state of some of the profiles at their parameters."""
        fitted, slopes = model(parameters, self.positions, jacobian=True)
        rows, precision = self.rows[which], self.precision[which]
        left = self.values[which] - fitted
        off = self.targets[which] - np.einsum("brp,bp->br", rows, parameters)
        weighted = slopes * precision[:, None, :]
        across = rows.transpose(0, 2, 1)
        return _State(
            (precision * left**2).sum(axis=1) + (off**2).sum(axis=1),
            (weighted @ left[..., None] + across @ off[..., None])[..., 0],
            weighted @ slopes.transpose(0, 2, 1) + across @ rows,
        )


@dataclass(frozen=True)
class _Candidates:
    """Every coarse place of the borders that the samples allow.

    Attributes:
        places: (c, 5) mm of e_o, a, m, b, e_w; NaN where there is no far side.
        columns: (c, 6) which columns of ``basis`` make up the candidate.
        basis: (n, e) blurred steps at all coarse places, a constant and an empty column.
        gram, inverse: (c, 6, 6) weighted products of those columns, and the inverse.
    """

    places: NDArray
    columns: NDArray
    basis: NDArray
    gram: NDArray
    inverse: NDArray


@lru_cache(maxsize=8)
def _candidates(
    count: int, spacing: float, weights: bytes, voxel: float, thickness: tuple[float, float]
) -> _Candidates:
    """Cached, since both directions and most steps of a drag ask for the same."""
    positions, weight = np.arange(count) * spacing, np.frombuffer(weights)[:, None]
    step = max(COARSE_MM, voxel / 2)
    places = np.arange(voxel / 2, positions[-1] - voxel / 2, step)
    a, t, w, u = np.meshgrid(
        np.arange(len(places)),
        np.arange(max(2, round(thickness[0] / step)), round(thickness[1] / step) + 1),
        (round(0.8 / step), round(1.6 / step), len(places)),
        (round(2.2 / step), len(places)),
        indexing="ij",
    )
    keep = a + t < len(places)
    a, t, w, u = a[keep], t[keep], w[keep], u[keep]
    deep = a + np.rint(DEEP_START * t).astype(int)
    edges = np.stack([a - w, a, deep, a + t, a + t + u], axis=1)
    # A far side beyond the samples is none: it gets the empty column, which the ridge
    # switches off.
    constant, empty = len(places), len(places) + 1
    edges = np.where((edges < 0) | (edges >= len(places)), empty, edges)
    columns = np.unique(np.insert(edges, 0, constant, axis=1), axis=0)
    blur = np.hypot(BLUR_VOXELS * voxel, step / 2)
    basis = np.concatenate(
        [
            ndtr((positions[:, None] - places) / blur),
            np.ones((count, 1)),
            np.zeros((count, 1)),
        ],
        axis=1,
    )
    full = basis.T @ (weight * basis)
    gram = full[columns[:, :, None], columns[:, None, :]]
    ridge = 1e-3 * weight.sum() * np.diag([0, 0.3, 0.1, 1, 0.1, 0.3]) + 1e-9 * np.eye(6)
    where = np.concatenate([places, [np.nan, np.nan]])[columns[:, 1:]]
    return _Candidates(where, columns, basis, gram, np.linalg.inv(gram + ridge))


def _penalty(steps: NDArray, rule: str) -> NDArray:
    """What makes a fit implausible, in units of chi-square.

    Args:
        steps: (c, 5) at e_o, a, m, b and e_w.
        rule: as in :func:`search`.
    """
    d_o, d_a, d_m, d_b, d_w = steps.T
    drop = np.abs(d_m + d_b) + 1e-12
    share = np.abs(d_b) / np.maximum(drop, np.abs(d_m)) / LEAST_STEP
    penalty = LEAST_STEP_PENALTY * np.maximum(0, 1 - share) ** 2
    # Across a sulcus the intensity comes back; else e_o is the pial border and a is not.
    # Likewise across a blade of white matter.
    for far, near in ((d_o, d_a), (d_w, d_m + d_b)):
        ratio = -far / np.where(near == 0, 1e-12, near)
        penalty += (np.maximum(0, -ratio) / SAME_SIGN) ** 2
        penalty += (np.maximum(0, ratio - MOST_RETURN) / SAME_SIGN) ** 2
    # From CSF through gray to white matter the intensity goes one way; only where iron makes
    # the cortex darker than white matter does it turn back, and then by less than it came.
    back = np.where(d_a * (d_m + d_b) < 0, drop / (np.abs(d_a) + 1e-12) - MOST_BACK, 0)
    penalty += BACK_PENALTY * np.clip(back, 0, 2)
    # A dark deep layer is a shallow trough. A deep one is a sulcus or a blade of white matter.
    turns = d_a * d_b < 0
    pial = np.abs(d_a) + 1e-12
    depth = np.where(turns, np.abs(d_m) / pial - MOST_TROUGH, 0)
    rise = np.where(turns, np.abs(d_b) / (np.abs(d_m) + 1e-12) - MOST_RISE, 0)
    # Where CSF is far brighter, as in T2* maps, the blur of its border looks like a deep layer
    # that turns back towards CSF. None does by more than a little.
    hump = np.where(d_a * d_m < 0, HUMP_PENALTY * (np.abs(d_m) / pial - MOST_HUMP), 0)
    penalty += BACK_PENALTY * sum(np.clip(excess, 0, 1) for excess in (depth, rise, hump))
    # What rises again by less than that is a deep layer, not a blade.
    risen = np.abs(d_w) / drop
    penalty += PARTIAL_PENALTY * np.clip(
        np.minimum(risen - LEAST_RISE, MOST_RISE - risen) * 6, 0, 1
    )
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
    profiles: NDArray,
    weights: NDArray,
    voxel: float,
    thickness: tuple[float, float],
    centre_sd: float | None = None,
    rule: str = "known",
    spread: float | None = None,
) -> list[Fit]:
    """The best fit of each profile, found without a start.

    Args:
        positions: (n,) mm, ascending, evenly spaced, from the CSF side on.
        profiles: (batch, n) values in any unit.
        weights: (n,) independent observations that each sample stands for.
        voxel: mm between voxels along the profile.
        thickness: least and greatest thickness in mm to look for.
        centre_sd: SD in mm by which the middle of the cortex may lie off position 0;
            None for anywhere.
        rule: what tells the pial border: ``known``, nothing to tell; ``larger``, its step is
            the larger one; ``falling`` or ``rising``, the intensity does so from CSF inwards.
        spread: noise of an independent observation as known from elsewhere, in map
            units; it counts as much as four observations.
    """
    spacing = round(float(positions[1] - positions[0]), 9)
    candidates = _candidates(
        len(positions), spacing, np.ascontiguousarray(weights, float).tobytes(), voxel, thickness
    )
    if not len(candidates.places):
        return []
    fits = []
    for profile in profiles:
        low, high = np.min(profile), np.max(profile)
        span = float(high - low) or 1.0
        fits.append(
            _scaled(
                _search_one(
                    positions, (profile - low) / span, weights, voxel, candidates,
                    centre_sd, rule, None if spread is None else spread / span,
                ),
                float(low),
                span,
            )
        )  # fmt: skip
    return fits


def _scaled(fit: Fit, low: float, span: float) -> Fit:
    scale = np.ones(12)
    scale[V:] = span
    parameters = fit.parameters * scale
    parameters[V] += low
    covariance = fit.covariance * np.outer(scale, scale)
    return Fit(
        parameters, covariance, fit.score, fit.pial_sd, fit.white_sd, fit.thickness_sd,
        fit.noise * span, fit.gain,
    )  # fmt: skip


def _search_one(
    positions: NDArray,
    profile: NDArray,
    weights: NDArray,
    voxel: float,
    candidates: _Candidates,
    centre_sd: float | None,
    rule: str,
    spread: float | None,
) -> Fit:
    places = candidates.places + positions[0]
    moments = (candidates.basis.T @ (weights * profile))[candidates.columns]
    levels = np.einsum("cij,cj->ci", candidates.inverse, moments)
    squares = (
        (weights * profile**2).sum()
        - 2 * (levels * moments).sum(axis=1)
        + np.einsum("ci,cij,cj->c", levels, candidates.gram, levels)
    )
    effective = weights.sum()
    noise = _noise(max(squares.min(), 0), effective, spread)
    scores = squares / noise**2 + _penalty(levels[:, 1:], rule)
    drop = levels[:, 3] + levels[:, 4]
    size = np.maximum(np.abs(drop), np.maximum(PIAL_SHARE * np.abs(levels[:, 2]), 0.05))
    scores += ((levels[:, 3] - DIP * drop) / (DIP_SD * size)) ** 2
    if centre_sd:
        scores += (places[:, [1, 3]].mean(axis=1) / centre_sd) ** 2
    chosen = _distinct(places, scores)
    start = _start(places[chosen], levels[chosen], voxel)
    batch = np.broadcast_to(profile, (len(chosen), len(profile)))
    for _ in range(2):
        start, curvature, chi = refine(
            start, positions, batch, weights, np.full(len(chosen), noise), voxel
        )
        residual = (weights * (batch - model(start, positions)[0]) ** 2).sum(axis=1)
        noise = _noise(residual.min(), effective, spread)
    # The last term makes scores of different noise comparable.
    scores = effective * np.log(noise**2)
    scores += chi + _penalty(start[:, D_O:], rule)
    # The white-matter border must lie among the samples, and so must the pial one.
    ends = np.stack([start[:, A], start[:, A] + np.exp(start[:, LOG_T])], axis=1)
    outside = (ends[:, 0] < positions[0]) | (ends[:, 1] > positions[-1])
    thickness, tried = np.diff(ends)[:, 0], places[:, 3] - places[:, 1]
    outside |= (thickness < tried.min() - SLACK_MM) | (thickness > tried.max() + SLACK_MM)
    scores += np.where(outside, NEVER, 0)
    if centre_sd:
        scores += (ends.mean(axis=1) / centre_sd) ** 2
    scores += np.linalg.slogdet(curvature)[1]
    covariance = np.linalg.inv(curvature)
    line = np.polynomial.Polynomial.fit(positions, profile, 1, w=np.sqrt(weights))
    straight = (weights * (profile - line(positions)) ** 2).sum() / noise**2
    return _best(start, covariance, scores, ends, noise, straight - residual / noise**2)


def _noise(squares: float, effective: float, spread: float | None) -> float:
    """SD of an independent observation, from what a fit of seven parameters leaves."""
    if spread is None:
        return float(np.sqrt(squares / max(effective - 7, effective / 4))) + 1e-4
    known = SPREAD_COUNTS * spread**2
    return float(np.sqrt((squares + known) / (max(effective - 7, 0) + SPREAD_COUNTS))) + 1e-4


def _distinct(places: NDArray, scores: NDArray) -> NDArray:
    """Indices of the best candidates that differ from each other in a border."""
    order = np.argsort(scores)[:400]
    chosen = [int(order[0])]
    for index in order[1:]:
        gaps = np.abs(places[chosen][:, [1, 3]] - places[index, [1, 3]]).max(axis=1)
        if gaps.min() > APART_MM:
            chosen.append(int(index))
        if len(chosen) == HYPOTHESES or scores[index] > scores[order[0]] + 30:
            break
    return np.array(chosen)


def _start(places: NDArray, levels: NDArray, voxel: float) -> NDArray:
    start = np.empty((len(places), 12))
    thickness = places[:, 3] - places[:, 1]
    start[:, A], start[:, LOG_T] = places[:, 1], np.log(thickness)
    start[:, F] = (places[:, 2] - places[:, 1]) / thickness
    start[:, LOG_S] = np.log(BLUR_VOXELS * voxel)
    width = np.where(np.isnan(places[:, 0]), 2 * SULCUS_MM, places[:, 1] - places[:, 0])
    start[:, LOG_W] = np.log(width)
    start[:, LOG_U] = np.log(
        np.where(np.isnan(places[:, 4]), BLADE_MM, places[:, 4] - places[:, 3])
    )
    start[:, V:] = levels
    return start


def _best(
    parameters: NDArray,
    covariance: NDArray,
    scores: NDArray,
    ends: NDArray,
    noise: float,
    gain: NDArray,
) -> Fit:
    """The likeliest fit; its uncertainty counts how far off the others are."""
    best = int(np.argmin(scores))
    odds = np.exp(-0.5 * (scores - scores[best]))
    odds /= odds.sum()
    variances = border_variances(parameters, covariance)
    numbers = np.concatenate([ends, ends[:, 1:] - ends[:, :1]], axis=1)
    spread = odds @ (variances + (numbers - numbers[best]) ** 2)
    pial, white, thickness = np.sqrt(np.maximum(spread, 0)).tolist()
    return Fit(
        parameters[best], covariance[best], float(scores[best]), pial, white, thickness,
        noise, float(gain[best]),
    )  # fmt: skip


def border_variances(parameters: NDArray, covariance: NDArray) -> NDArray[np.float64]:
    """Variances (b, 3) in mm2 of the pial border, the white-matter border and the thickness.

    Args:
        parameters: (b, 12).
        covariance: (b, 12, 12).
    """
    thickness = np.exp(parameters[:, LOG_T])
    pial, both = covariance[:, A, A], thickness * covariance[:, A, LOG_T]
    of_thickness = thickness**2 * covariance[:, LOG_T, LOG_T]
    return np.stack([pial, pial + 2 * both + of_thickness, of_thickness], axis=1)
