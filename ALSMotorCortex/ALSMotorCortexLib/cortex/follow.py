"""Both borders along the straightened cortex.

1. The mean profile over the curve is fitted with the model of :mod:`.laminar`. It tells the
   levels of the tissues, whether a band of iron lies in the cortex, and which side lies in CSF.
2. From the model come two templates, what the image looks like around either border. The
   pair of curves whose surroundings match them best, under a limit on thickness and a
   price on steps, is found by exact dynamic programming (:mod:`.coupled`).
3. With the columns aligned to these curves the mean profile is sharper: steps 1 and 2
   are done once more with it. What it says of the band holds along the whole curve.
4. Sub-voxel: the model is fitted to the columns of each place along the curve, averaged
   over 0.7 mm along it, all places together. Each place has its own borders and, within
   limits, its own levels; the rest is that of the mean profile.
5. Each border becomes the cubic smoothing spline of its places (continuous second
   derivative), weighted by their uncertainty. It passes through the points that the user
   has set.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d

from .adjust import around, refine, unmodelled
from .caliper import CLEAR_RATIO, LEAST_GAIN, RULES
from .coupled import coupled_paths
from .edges import FREE_PARAMETERS, Fit, search
from .errors import InputError
from .laminar import (
    D_A,
    D_B,
    D_M,
    D_O,
    D_R,
    D_W,
    LOG_B,
    LOG_S,
    LOG_T,
    LOG_U,
    LOG_W,
    A,
    C,
    F,
    H,
    V,
    border_variances,
    model,
)
from .strip import REACH_MM, Strip

THICKNESS_MM = (0.8, 6.0)
CENTRE_SD_MM = 0.8
BLURRED_MM = 0.8
# Columns this far apart say something new about the tissues.
COHERENT_MM = 4.0
# Neighbouring columns are a voxel apart; the spline between voxels makes their noise alike.
SPLINE_SHARE = 0.46
# Dynamic programming: a border changes its distance from the curve by about this slope.
SLOPE_SD = 0.2
PATH_STEP_MM = 0.2
# How far a border strays from its mean distance to the curve, and how much that counts.
DRIFT_SD_MM = 0.8
DRIFT_PER_MM = 4.0
# Likewise the thickness from that of the mean profile, in its logarithm.
THICKNESS_DRIFT = 0.15
PATH_EVERY_MM, PATH_MEAN_MM = 0.5, 0.3
COLUMNS_AT_ONCE = 3
# The model does not know all, so it counts for less.
TRUST = 0.5
# How much levels differ along the curve, as a share of their distance from that of gray matter
# and of the whole range, and how far off edges lie.
LEVEL_SD, LEVEL_FLOOR, PLACE_OFF_MM = 0.2, 0.05, 0.1
# How far behind the cortex there is white matter, or CSF before it where no other bank shows,
# and over which distance that becomes anything.
BEYOND_MM, FADE_MM = 1.5, 1.0
PIN_PRICE = 1e3
ALIGN_SD_MM = 6.0
LOST_MM = 1.0
# Sub-voxel places: how far apart, and over how much of the curve each is averaged.
PLACE_MM = 1.0
PLACE_SD_MM = 0.7
PLACE_MARGIN_MM = 1.6
PLACE_ITERATIONS, PLACE_SETTLED = 12, 0.05
SMOOTH_MM = 0.8
PIN_REACH_MM = 1.5
# How much a place may differ from the mean profile: in ln thickness, in the parameters of its
# shape, and in levels, as shares of the pial step or of the change to white matter.
LOCAL_SHAPE = {
    A: 0.6, LOG_T: 0.2, F: 0.05, LOG_S: 0.15, LOG_W: 0.3, LOG_U: 0.2, C: 0.03, LOG_B: 0.1,
}  # fmt: skip
LOCAL_PIAL = {V: 1.0, D_O: 1.0, D_A: 0.5, D_W: 0.5}
ABSENT_SHARE = 1e-2
LOCAL_INSIDE = {D_R: 0.2, D_M: 0.2, H: 0.25, D_B: 0.15}


@dataclass(frozen=True)
class Followed:
    """Both borders along a strip.

    Attributes:
        strip: with CSF first.
        outer, inner: (n,) mm, depth of the pial and of the white-matter border.
        outer_sd, inner_sd: (n,) mm, their standard errors.
        thickness_sd: mm, of the mean thickness.
    """

    strip: Strip
    outer: NDArray[np.float64]
    inner: NDArray[np.float64]
    outer_sd: NDArray[np.float64]
    inner_sd: NDArray[np.float64]
    thickness_sd: float


def oriented(strip: Strip, pial_side: str) -> tuple[Strip, Fit, bool]:
    """The strip with CSF first, the fit of its mean profile, and whether that was clear.

    Raises:
        InputError: no border shows.
    """
    # The curve does not keep to one depth, so the mean profile is blurred by more than a voxel.
    blurred = max(strip.voxel, BLURRED_MM)
    ways = {"left": [strip.reversed()], "right": [strip]}.get(pial_side, [strip, strip.reversed()])
    rule = RULES.get(pial_side, "known")
    fits = [_mean_fit(way, way.filled, blurred, rule, rough=True) for way in ways]
    best = int(np.argmin([fit.score for fit in fits]))
    if fits[best].gain < LEAST_GAIN:
        raise InputError(
            "No border of the cortex shows along the trace. Draw it along the middle of the gray "
            "matter, or choose an image with more contrast."
        )
    pial, inside = fits[best].steps
    return ways[best], fits[best], pial > CLEAR_RATIO * inside


def borders(strip: Strip, fit: Fit, pins: dict[str, NDArray]) -> Followed:
    """Both borders of a strip with CSF first.

    Args:
        strip, fit: from :func:`oriented`.
        pins: for each border, (p, 2) column numbers and depths in mm to pass through.
    """
    outer, _ = _paths(strip, fit, pins)
    # The pial border is the surer one. The curve keeps to no depth, and where one is blurred
    # the band's edge is easily taken for the white-matter border.
    fit = _aligned_fit(strip, outer, outer + fit.thickness, fit)
    outer, inner = _paths(strip, fit, pins)
    between = gaussian_filter1d(inner - outer, ALIGN_SD_MM / strip.step, mode="nearest")
    fit = _aligned_fit(strip, outer, outer + between, fit, like=fit)
    places, found, errors = _sharpen(strip, outer, inner, fit)
    curves = [
        _smooth(strip, places, found[:, n], errors[:, n], pins[border])
        for n, border in enumerate(("pial", "white"))
    ]
    (outer, outer_sd), (inner, inner_sd) = curves
    independent = max(1.0, len(outer) * strip.step / COHERENT_MM)
    local = np.mean(errors**2) * 2 / independent
    return Followed(
        strip, outer, inner, np.hypot(outer_sd, fit.pial_sd), np.hypot(inner_sd, fit.white_sd),
        float(np.sqrt(fit.thickness_sd**2 + local)),
    )  # fmt: skip


def _taper(depths: NDArray) -> NDArray:
    """Weight of a depth in the mean profile: what lies far from the curve is not its cortex."""
    return np.clip((REACH_MM - np.abs(depths)) / 1.0, 0.02, 1)


def _mean_fit(
    strip: Strip,
    columns: NDArray,
    blur_voxel: float,
    rule: str,
    like: Fit | None = None,
    rough: bool = False,
) -> Fit:
    """The model fitted to the mean of columns (n, m)."""
    weights = _taper(strip.depths) * strip.depth_step / strip.voxel
    fit = search(
        strip.depths, columns.mean(axis=0), weights, blur_voxel, THICKNESS_MM,
        centre_sd=CENTRE_SD_MM, rule=rule, spread=_spread(strip, columns), like=like,
        rough=rough,
    )  # fmt: skip
    if fit is None:
        raise InputError("No border of the cortex shows along the trace.")
    return fit


def _spread(strip: Strip, columns: NDArray) -> NDArray:
    """SD (m,) of the mean of columns (n, m).

    Noise differs from column to column; tissue does over some millimetres. The rest is what
    the model cannot know.
    """
    mean, between = columns.mean(axis=0), columns.var(axis=0)
    noise = np.median(np.diff(columns, axis=0) ** 2, axis=0) / SPLINE_SHARE / 2
    noise = np.minimum(noise, between)
    pieces = max(1.0, strip.step * len(columns) / COHERENT_MM)
    variance = noise / len(columns) + (between - noise) / pieces
    variance = gaussian_filter1d(variance, strip.voxel / strip.depth_step)
    return np.sqrt(variance + unmodelled(mean, strip.depth_step, strip.voxel))


def _paths(strip: Strip, fit: Fit, pins: dict[str, NDArray]) -> tuple[NDArray, NDArray]:
    """Both borders (n,) in mm by dynamic programming, the likeliest pair of curves."""
    rough = max(1, round(PATH_STEP_MM / strip.depth_step))
    every = max(1, round(PATH_EVERY_MM / strip.step))
    depths, number = strip.depths[::rough], len(strip.points)
    apart = strip.step * every
    # From the middle outwards, so that a reversed curve gives the same.
    used = _evenly_chosen(number, every)
    cost = _misfit(strip, fit, rough, used) * apart
    price = apart * DRIFT_PER_MM / 2
    for axis, place in ((2, fit.pial), (1, fit.white)):
        cost += np.expand_dims(price * ((depths - place) / DRIFT_SD_MM) ** 2, axis - 1)[None]
    gap = np.maximum(depths[None] - depths[:, None], THICKNESS_MM[0] / 2)
    cost += price * (np.log(gap / fit.thickness) / THICKNESS_DRIFT) ** 2
    for axis, border in ((2, "pial"), (1, "white")):
        for column, depth in pins[border]:
            nearest = int(np.argmin(np.abs(used - column)))
            pull = PIN_PRICE * ((depths - depth) / strip.depth_step / rough) ** 2
            cost[nearest] += np.expand_dims(pull, axis - 1)
    stiffness = 0.5 * (strip.depth_step * rough / (SLOPE_SD * apart)) ** 2
    paths = coupled_paths(cost, stiffness)
    # The path moves in steps; its running mean does not.
    a, b = (
        gaussian_filter1d(
            np.interp(np.arange(number), used, depths[path]), 0.6 / strip.step, mode="nearest"
        )
        for path in paths
    )
    return a, b


def _evenly_chosen(number: int, every: int) -> NDArray[np.intp]:
    """Every so many of a number of columns, alike from both ends."""
    half = np.arange((number - 1) // 2, -1, -every)
    return np.unique(np.concatenate([half, number - 1 - half]))


def _misfit(strip: Strip, fit: Fit, rough: int, used: NDArray) -> NDArray:
    """What a mm of curve has against borders at two depths: minus the log likelihood.

    Within the cortex and some way beyond both borders the image should look like the mean
    profile, stretched to the thickness; levels differ by a share of their distance from gray
    matter, and edges lie a little off. Further out anything may be.

    Args:
        rough: use every so many depths.
        used: (c,) columns.

    Returns:
        (c, d, d) for the pial border at the first and the white-matter border at the second
        depth; infinite where that is no cortex.
    """
    smooth = gaussian_filter1d(strip.filled, PATH_MEAN_MM / strip.step, axis=0, mode="nearest")
    values = smooth[used, ::rough]
    number, step = values.shape[1], strip.depth_step * rough
    rows = np.arange(number)
    outer, inner = np.meshgrid(rows, rows, indexing="ij")
    gaps = np.arange(round(THICKNESS_MM[0] / step), round(THICKNESS_MM[1] / step) + 1)
    possible = (inner - outer >= gaps[0]) & (inner - outer <= gaps[-1])
    mean, variance = _expected(strip, fit, gaps * step, step, number, values)
    # Profiles start at the pial border's row; slide them to every such row.
    slide = number - outer[possible], (inner - outer)[possible] - gaps[0]
    mean, precision = (
        sliding_window_view(x, number, axis=1)[slide[1], slide[0]] for x in (mean, 1 / variance)
    )
    weighted = mean * precision
    squares, products = values**2, 2 * values
    chi = np.empty((len(used), len(mean)))
    # A few columns at a time: larger products make the BLAS start threads, which takes longer
    # than the product itself where other programs run.
    for start in range(0, len(used), COLUMNS_AT_ONCE):
        few = slice(start, start + COLUMNS_AT_ONCE)
        chi[few] = squares[few] @ precision.T - products[few] @ weighted.T
    chi += (weighted * mean).sum(axis=1) - np.log(precision).sum(axis=1)
    cost = np.full((len(used), number, number), np.inf)
    independent = 2 * np.sqrt(np.pi) * PATH_MEAN_MM
    cost[:, possible] = chi * (TRUST * step / strip.voxel / independent / 2)
    return cost


def _expected(
    strip: Strip, fit: Fit, thicknesses: NDArray, step: float, number: int, values: NDArray
) -> tuple[NDArray, NDArray]:
    """Mean and variance (t, 2 number + 1) of profiles of some thicknesses (t,) in mm.

    Depth goes from number steps before the pial border to as many behind it.
    """
    at = np.arange(-number, number + 1) * step
    parameters = np.repeat(fit.parameters[None], len(thicknesses), axis=0)
    parameters[:, A], parameters[:, LOG_T] = 0, np.log(thicknesses)
    # The first mean profile is blurred because the curve keeps to no depth; a column is not.
    parameters[:, LOG_S] = min(fit.parameters[LOG_S], np.log(strip.voxel))
    mean = model(parameters, at)
    gray = parameters[0, [V, D_O, D_A]].sum() + parameters[0, D_R] / 2
    noise = _noise(strip) ** 2 / max(1.0, 2 * np.sqrt(np.pi) * PATH_MEAN_MM / strip.step)
    variance = noise + (LEVEL_SD * (mean - gray)) ** 2 + (LEVEL_FLOOR * np.ptp(mean)) ** 2
    variance += (PLACE_OFF_MM * np.gradient(mean, step, axis=1)) ** 2
    sulcus = np.exp(fit.parameters[LOG_W]) if fit.parameters[D_O] else BEYOND_MM
    beyond = np.maximum(-sulcus - at, at - thicknesses[:, None] - BEYOND_MM)
    share = np.clip(beyond / FADE_MM, 0, 1)
    anything = values.mean(), values.var()
    between = share * (1 - share) * (mean - anything[0]) ** 2
    mixed = (1 - share) * variance + share * anything[1] + between
    return (1 - share) * mean + share * anything[0], mixed


def _noise(strip: Strip) -> float:
    """SD of the noise, from neighbouring columns."""
    rough = np.diff(strip.filled, axis=0)
    return float(1.4826 * np.median(np.abs(rough)) / np.sqrt(2 * SPLINE_SHARE)) + 1e-3 * float(
        np.ptp(strip.filled)
    )


def _aligned_fit(
    strip: Strip, outer: NDArray, inner: NDArray, before: Fit, like: Fit | None = None
) -> Fit:
    """The fit of the mean profile with every column stretched to the same borders."""
    a, b = float(outer.mean()), float(inner.mean())
    shift = _warp(strip.depths, a, b, outer - a, inner - b)
    columns = np.arange(len(outer))[:, None]
    aligned = strip.at(columns, strip.depths + shift)
    fit = _mean_fit(strip, aligned, strip.voxel, "known", like)
    # Had the second look lost the cortex, the first would still stand.
    return before if abs(fit.pial - a) > LOST_MM else fit


def _warp(
    depths: NDArray, a: NDArray | float, b: NDArray | float, da: NDArray, db: NDArray
) -> NDArray:
    """How far to shift depths so that borders a + da, b + db come to lie on a, b."""
    share = np.clip((depths - np.asarray(a)[..., None]) / np.asarray(b - a)[..., None], 0, 1)
    return da[..., None] * (1 - share) + db[..., None] * share


def _sharpen(
    strip: Strip, outer: NDArray, inner: NDArray, fit: Fit
) -> tuple[NDArray, NDArray, NDArray]:
    """Sub-voxel borders at places along the curve.

    Returns:
        (p,) column numbers, (p, 2) pial and white-matter depths in mm, (p, 2) their SDs.
    """
    number = len(outer)
    every = max(1, round(PLACE_MM / strip.step))
    half = np.arange(0, (number + 1) // 2, every)
    # Alike from both ends, so that a reversed curve gives the same.
    places = np.unique(np.concatenate([half, number - 1 - half]))
    reach = int(np.ceil(2 * PLACE_SD_MM / strip.step))
    near = np.arange(-reach, reach + 1)
    # At the ends of the curve a place has fewer neighbours, not repeated ones.
    columns = places[:, None] + near
    share = np.exp(-0.5 * (near * strip.step / PLACE_SD_MM) ** 2) * (
        (columns >= 0) & (columns < number)
    )
    share /= share.sum(axis=1, keepdims=True)
    columns = np.clip(columns, 0, number - 1)
    a, b = outer[places], inner[places]
    at = np.arange(-PLACE_MARGIN_MM, (b - a).max() + PLACE_MARGIN_MM, strip.depth_step)
    shift = _warp(
        at[None, None] + a[:, None, None], a[:, None], b[:, None],
        outer[columns] - a[:, None], inner[columns] - b[:, None],
    )  # fmt: skip
    samples = strip.at(columns[..., None], at + a[:, None, None] + shift)
    profiles = np.einsum("pc,pcn->pn", share, samples)
    used = (at <= (b - a)[:, None] + PLACE_MARGIN_MM) * strip.depth_step / strip.voxel
    variance = _place_variance(strip, samples, share, profiles)
    start = np.repeat(fit.parameters[None], len(places), axis=0)
    start[:, A], start[:, LOG_T] = 0, np.log(b - a)
    prior = around(*_known_of_places(fit, start))
    parameters, curvature, _ = refine(
        start, at, profiles, used / variance, np.ones(len(places)), prior,
        PLACE_ITERATIONS, PLACE_SETTLED,
    )  # fmt: skip
    left = used * (profiles - model(parameters, at)) ** 2 / variance
    factor = np.median(left.sum(axis=1) / np.maximum(used.sum(axis=1) - FREE_PARAMETERS, 1))
    curvature = curvature / max(1.0, float(factor))
    variances = border_variances(parameters, np.linalg.inv(curvature))[:, :2]
    found = np.stack([parameters[:, A], np.exp(parameters[:, LOG_T]) + parameters[:, A]], axis=1)
    moved = found - np.stack([np.zeros_like(a), b - a], axis=1)
    # A place that ran away from the global optimum keeps the optimum and little weight.
    errors = np.sqrt(np.maximum(variances, 1e-8))
    astray = np.abs(moved) > np.maximum(0.6, 1.5 * strip.voxel)
    moved, errors = np.where(astray, 0, moved), np.where(astray, 1.0, errors)
    return places, np.stack([a, b], axis=1) + moved, np.hypot(errors, 0.01)


def _place_variance(strip: Strip, samples: NDArray, share: NDArray, profiles: NDArray) -> NDArray:
    """Variance (p, n) of the profiles (p, n) of places.

    Args:
        samples: (p, c, n) that they are the means of.
        share: (p, c) with which weights.
    """
    rough = np.diff(samples, axis=1) ** 2
    noise = np.median(rough.reshape(-1, rough.shape[-1]), axis=0) / SPLINE_SHARE / 2
    noise = gaussian_filter1d(noise, strip.voxel / strip.depth_step)
    known = unmodelled(profiles, strip.depth_step, strip.voxel)
    return noise * (share**2).sum(axis=1, keepdims=True) + known


def _known_of_places(fit: Fit, start: NDArray) -> tuple[NDArray, NDArray]:
    """What the mean profile says of each place: (p, 16) parameters and their SDs."""
    centre = start.copy()
    centre[:, LOG_T] = fit.parameters[LOG_T]
    pial, inside = fit.steps
    inside = max(inside, abs(float(fit.parameters[H])), 0.1 * pial)
    sd = np.empty(start.shape)
    for index, width in LOCAL_SHAPE.items():
        sd[:, index] = width
    for widths, size in ((LOCAL_PIAL, pial), (LOCAL_INSIDE, inside)):
        for index, width in widths.items():
            sd[:, index] = width * size
    for index in (D_O, D_W, D_M if fit.banded else H):
        if abs(fit.parameters[index]) < ABSENT_SHARE * pial:
            sd[:, index] = ABSENT_SHARE * pial
    return centre, sd


def _smooth(
    strip: Strip, places: NDArray, depths: NDArray, errors: NDArray, pins: NDArray
) -> tuple[NDArray, NDArray]:
    """One border (n,) in mm as a cubic smoothing spline, and its SD (n,)."""
    columns = np.arange(len(strip.points))
    at, weights = places * strip.step, 1 / errors**2
    values = depths
    if len(pins):
        near = np.abs(places[:, None] - pins[:, 0]).min(axis=1) * strip.step
        kept = near > PIN_REACH_MM
        at = np.concatenate([at[kept], pins[:, 0] * strip.step])
        values = np.concatenate([values[kept], pins[:, 1]])
        weights = np.concatenate([weights[kept], np.full(len(pins), 1e4 * weights.max())])
        order = np.argsort(at)
        at, values, weights = at[order], values[order], weights[order]
    sd = np.interp(columns, places, errors)
    if len(at) < 5:
        return np.interp(columns * strip.step, at, values), sd
    # Structure shorter than 2 pi SMOOTH_MM is damped to under half: smoothing by lam
    # multiplies a wave of frequency w by 1 / (1 + lam w^4 spacing / weight).
    stiffness = SMOOTH_MM**4 * np.median(1 / errors**2) / PLACE_MM
    from scipy.interpolate import make_smoothing_spline  # takes long to import

    curve = make_smoothing_spline(at, values, weights, lam=stiffness)
    return curve(columns * strip.step), sd
