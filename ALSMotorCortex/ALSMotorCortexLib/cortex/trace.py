"""The trace: both borders of the cortex along a curve drawn on one slice.

1. The curve is sampled at even arc length and the image across it: the straightened
   cortex, columns by depth.
2. The mean profile over the curve is fitted with the two-edge model of :mod:`.edges`. It
   tells the levels of the tissues and which side lies in CSF.
3. From the model come two templates, what the image looks like around either border. The
   pair of curves whose surroundings match them best, under a limit on thickness and a
   price on steps, is found by exact dynamic programming (:mod:`.coupled`).
4. With the columns aligned to these curves the mean profile is sharper: steps 2 and 3
   are done once more with it.
5. Sub-voxel: the model is fitted to the columns of each place along the curve, averaged
   over 0.7 mm along it, all places together.
6. Each border becomes the cubic smoothing spline of its places (continuous second
   derivative), weighted by their uncertainty. It passes through the points that the user
   has set.

Thickness at a column is the mean of two distances: from the pial point to the
white-matter curve and from the white-matter point to the pial curve. For concentric or
parallel borders this is their distance, whatever the angle of the column.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import make_smoothing_spline
from scipy.ndimage import correlate1d, gaussian_filter1d, map_coordinates

from .caliper import CLEAR_RATIO, LEAST_GAIN, RULES
from .coupled import coupled_paths
from .curves import (
    Plane,
    crossing,
    distance,
    evenly,
    lengths,
    normals,
    offsets_along,
    resample,
    spline,
)
from .edges import D_A, D_B, D_M, D_O, LOG_T, LOG_W, A, Fit, V, border_variances, refine, search
from .edges import model as profile_model
from .errors import InputError
from .grid import Grid, Image
from .result import Finding
from .sampling import inside, sample, voxel_along

SIDES = ("auto", "bright", "dark", "left", "right")
BORDERS = ("pial", "white")
REACH_MM = 4.5
THICKNESS_MM = (0.8, 6.0)
SHORTEST_MM = 2.0
SAME_POINT_MM = 0.01
SAMPLES_PER_VOXEL = 3
CENTRE_SD_MM = 0.8
# Columns this far apart say something new about the tissues.
COHERENT_MM = 4.0
BINS = 20
# Dynamic programming: a border changes its distance from the curve by about this slope.
SLOPE_SD = 0.2
PATH_STEP_MM = 0.2
# How far a border strays from its mean distance to the curve, and how much that counts.
DRIFT_SD_MM = 0.8
DRIFT_PER_MM = 4.0
TEMPLATE_HALF_MM = 1.2
# The templates do not know how tissues vary along the curve, so they count for less, and
# misfits up to this share of the template's own contrast are no news.
TRUST = 0.4
MISFIT = 0.4
# An edge may be up to this much stronger than the template (CSF varies with the width of the
# sulcus); a weaker one costs this much more than its misfit.
STRONGEST = 1.6
WEAKNESS = 3.0
PIN_PRICE = 1e3
# Sub-voxel places: how far apart, and over how much of the curve each is averaged.
PLACE_MM = 1.0
PLACE_SD_MM = 0.7
PLACE_MARGIN_MM = 1.6
SMOOTH_MM = 0.8
PIN_REACH_MM = 1.5
NORMAL_SD_MM = 1.0
# Columns of a bent curve meet at its radius; borders stay short of that.
MOST_OF_RADIUS = 0.9
MOST_SD_MM = 0.3


@dataclass(frozen=True)
class Pin:
    """A border point that the user has set.

    Attributes:
        border: ``pial`` or ``white``.
        ras: (3,) mm.
    """

    border: str
    ras: tuple[float, float, float]


@dataclass(frozen=True)
class Trace:
    """What a trace found. Columns run along the curve, n of them.

    Attributes:
        plane: the slice plane.
        positions: (n,) mm along the curve.
        curve: (n, 3) RAS, the drawn curve at even arc length.
        depths: (m,) mm across the curve, 0 on it, rising from CSF to white matter.
        straightened: (n, m) map values at column and depth; NaN outside the volume.
        pial_depth, white_depth: (n,) mm, the borders in the straightened image.
        pial, white: (n, 3) RAS, the borders.
        pial_sd, white_sd: (n,) standard errors in mm; zero for borders drawn by hand.
        thickness: (n,) mm.
        profile_depth: (20,) middle of each equal-area depth bin, 0 pial to 1 white matter.
        profile, profile_sd: (20,) mean over the curve and SD between columns, map units.
        layer_means: superficial, middle and deep third by area, map units.
        deep_hypointensity: 1 - deep / superficial; :func:`.drawn.trace` turns it where iron is
            bright.
        hypointensity_to_thickness: deep hypointensity over mean thickness, 1/mm; see
            :func:`.caliper.measure_caliper` for its source.
        findings: what the user should know.
    """

    plane: Plane
    positions: NDArray[np.float64]
    curve: NDArray[np.float64]
    depths: NDArray[np.float64]
    straightened: NDArray[np.float64]
    pial_depth: NDArray[np.float64]
    white_depth: NDArray[np.float64]
    pial: NDArray[np.float64]
    white: NDArray[np.float64]
    pial_sd: NDArray[np.float64]
    white_sd: NDArray[np.float64]
    thickness: NDArray[np.float64]
    profile_depth: NDArray[np.float64]
    profile: NDArray[np.float64]
    profile_sd: NDArray[np.float64]
    layer_means: tuple[float, float, float]
    deep_hypointensity: float
    hypointensity_to_thickness: float
    findings: tuple[Finding, ...]

    @property
    def mean_thickness(self) -> float:
        """Mean over the curve in mm."""
        return float(self.thickness.mean())


@dataclass(frozen=True)
class _Strip:
    """The straightened image and where it lies.

    Attributes:
        plane: the slice plane.
        points, across: (n, 2) the curve and the unit direction of rising depth.
        depths: (m,) mm.
        values: (n, m), NaN outside the volume.
        filled: the same without gaps.
        voxel: mm, in the slice plane.
    """

    plane: Plane
    points: NDArray
    across: NDArray
    depths: NDArray
    values: NDArray
    filled: NDArray
    voxel: float

    @property
    def step(self) -> float:
        """mm between columns."""
        return float(lengths(self.points)[-1] / (len(self.points) - 1))

    @property
    def depth_step(self) -> float:
        """mm between depths."""
        return float(self.depths[1] - self.depths[0])

    def reversed(self) -> _Strip:
        """The same with depth counted from the other side."""
        return _Strip(
            self.plane, self.points, -self.across, -self.depths[::-1],
            self.values[:, ::-1], self.filled[:, ::-1], self.voxel,
        )  # fmt: skip

    def at(self, columns: NDArray, depths: NDArray) -> NDArray:
        """Values at columns and depths in mm, by linear interpolation."""
        rows = (depths - self.depths[0]) / self.depth_step
        where = np.stack(np.broadcast_arrays(columns.astype(float), rows))
        return map_coordinates(self.filled, where, order=1, mode="nearest")


def trace_cortex(
    image: Image,
    points: NDArray,
    plane_normal: NDArray,
    pial_side: str = "auto",
    pins: Sequence[Pin] = (),
) -> Trace:
    """Find both borders of the cortex along a curve.

    Args:
        image: one map, any contrast.
        points: (n, 3) RAS mm, n > 2: control points of an open curve, or any polyline.
            They are dropped onto the plane through their middle and joined as Slicer does.
        plane_normal: (3,) RAS normal of the slice plane.
        pial_side: on which side of the curve the CSF lies: ``left`` or ``right``, seen along
            it with the normal towards the viewer; the ``bright`` or the ``dark`` side; or
            ``auto``, the side with the larger step (see :mod:`.caliper`).
        pins: border points that the result must pass through.

    Raises:
        InputError: fewer than three points, a curve that crosses itself, lies outside the
            volume or is under 2 mm long, no borders along it, or an unknown side.
    """
    if pial_side not in SIDES:
        raise InputError(f"The pial side must be one of: {', '.join(SIDES)}.")
    strip = _straighten(image, points, plane_normal)
    strip, fit, clear = _oriented(strip, pial_side)
    pinned = _pinned(strip, pins)
    outer, inner = _follow(strip, fit, pinned, every=2)
    fit = _aligned_fit(strip, outer, inner, fit)
    outer, inner = _follow(strip, fit, pinned, every=1)
    places, found, errors = _sharpen(strip, outer, inner, fit)
    smooth = [
        _smooth(strip, places, found[:, n], errors[:, n], pinned[border])
        for n, border in enumerate(BORDERS)
    ]
    (outer, outer_sd), (inner, inner_sd) = smooth
    findings = [] if clear or pial_side != "auto" else [_unclear(strip)]
    outer, inner = _before_columns_meet(strip, outer, inner)
    return _result(strip, outer, inner, outer_sd, inner_sd, findings)


def trace_from_borders(
    image: Image, pial_points: NDArray, white_points: NDArray, plane_normal: NDArray
) -> Trace:
    """The same result from two borders drawn by hand.

    Args:
        image: the map to sample between them.
        pial_points, white_points: (n, 3) and (m, 3) RAS mm, control points of the two
            curves, in either direction.
        plane_normal: (3,) RAS normal of the slice plane.

    Raises:
        InputError: as for :func:`trace_cortex`, and borders that cross each other.
    """
    pial_points = _checked(pial_points, "pial border")
    white_points = _checked(white_points, "white-matter border")
    plane = Plane.through(pial_points, plane_normal)
    step = _in_plane_voxel(image.grid, plane)
    pial, white = (
        _curve(image.grid, plane, points, step, name)
        for points, name in ((pial_points, "pial border"), (white_points, "white-matter border"))
    )
    if (place := crossing(pial, white)) is not None:
        raise InputError(
            f"The pial and white-matter borders cross{_near(plane, place)}. Draw them side by side."
        )
    ends = np.linalg.norm(pial[[0, -1]] - white[[0, -1]], axis=1).sum()
    swapped = np.linalg.norm(pial[[0, -1]] - white[[-1, 0]], axis=1).sum()
    white = white[::-1] if swapped < ends else white
    number = max(len(pial), len(white))
    middle = (evenly(pial, number) + evenly(white, number)) / 2
    strip = _sampled(image, plane, resample(middle, step, even=True))
    to_white = evenly(white, len(strip.points)) - strip.points
    strip = strip if (to_white * strip.across).sum() > 0 else strip.reversed()
    outer, inner = (
        _bridged(offsets_along(strip.points, strip.across, border)) for border in (pial, white)
    )
    nothing = np.zeros(len(outer))
    return _result(strip, outer, inner, nothing, nothing, [])


def _bridged(values: NDArray) -> NDArray:
    """Gaps, where a column meets no border within reach, filled from beside them."""
    known = np.flatnonzero(np.abs(values) <= REACH_MM)
    if len(known) < len(values) / 2:
        raise InputError("The two borders do not lie side by side. Draw both along the cortex.")
    return np.interp(np.arange(len(values)), known, values[known])


def _checked(points: NDArray, name: str) -> NDArray:
    """Points (n, 3) without repeats, at least three of them."""
    points = np.asarray(points, dtype=float).reshape(-1, 3)
    moved = np.linalg.norm(np.diff(points, axis=0), axis=1) > SAME_POINT_MM
    points = points[np.concatenate([[True], moved])] if len(points) else points
    if len(points) < 3:
        raise InputError(
            f"The {name} has {len(points)} point{'' if len(points) == 1 else 's'}. "
            "Place at least three along the motor cortex."
        )
    return points


def _in_plane_voxel(grid: Grid, plane: Plane) -> float:
    return min(voxel_along(grid, axis) for axis in plane.axes[:2])


def _near(plane: Plane, place: NDArray) -> str:
    r, a, s = plane.ras(place)
    return f" near R {r:.1f}, A {a:.1f}, S {s:.1f} mm"


def _curve(grid: Grid, plane: Plane, points: NDArray, step: float, name: str) -> NDArray:
    """The drawn curve (n, 2) at even arc length, checked."""
    curve = resample(spline(plane.flat(points)), step, even=True)
    out = ~inside(grid, plane.ras(curve))
    if out.any():
        raise InputError(
            f"The {name} leaves the volume{_near(plane, curve[np.argmax(out)])}. "
            "Keep it within the image."
        )
    if (place := crossing(curve)) is not None:
        raise InputError(
            f"The {name} crosses itself{_near(plane, place)}. Move its points so that it runs "
            "along the cortex once."
        )
    if (length := lengths(curve)[-1]) < SHORTEST_MM:
        raise InputError(
            f"The {name} is {length:.1f} mm long. Draw at least {SHORTEST_MM:.0f} mm along the "
            "cortex."
        )
    return curve


def _straighten(image: Image, points: NDArray, plane_normal: NDArray) -> _Strip:
    points = _checked(points, "trace")
    plane = Plane.through(points, plane_normal)
    step = _in_plane_voxel(image.grid, plane)
    return _sampled(image, plane, _curve(image.grid, plane, points, step, "trace"))


def _sampled(image: Image, plane: Plane, curve: NDArray) -> _Strip:
    """The image across a curve; depth rises to its left."""
    voxel = _in_plane_voxel(image.grid, plane)
    step = float(lengths(curve)[-1] / (len(curve) - 1))
    across = normals(curve, smooth=NORMAL_SD_MM / step)
    half = int(np.ceil(REACH_MM / voxel * SAMPLES_PER_VOXEL))
    depths = np.arange(-half, half + 1) * (voxel / SAMPLES_PER_VOXEL)
    values = sample(image, plane.ras(curve[:, None] + depths[:, None] * across[:, None]))
    if not np.isfinite(values).any():
        raise InputError("The image holds no values along the trace. Choose another image.")
    return _Strip(plane, curve, across, depths, values, _filled(values), voxel)


def _filled(values: NDArray) -> NDArray:
    """Gaps in each column filled with its nearest known value, else the mean."""
    known = np.isfinite(values)
    if known.all():
        return values
    filled = np.where(known, values, np.nanmean(values))
    places = np.arange(values.shape[1])
    for column in np.flatnonzero(~known.all(axis=1) & known.any(axis=1)):
        filled[column] = np.interp(places, places[known[column]], values[column, known[column]])
    return filled


def _taper(depths: NDArray) -> NDArray:
    """Weight of a depth in the mean profile: what lies far from the curve is not its cortex."""
    return np.clip((REACH_MM - np.abs(depths)) / 1.0, 0.02, 1)


def _mean_fit(strip: _Strip, columns: NDArray, blur_voxel: float, rule: str) -> Fit:
    """The model fitted to the mean of columns (n, m)."""
    weights = _taper(strip.depths) * strip.depth_step / strip.voxel
    pieces = max(1.0, strip.step * len(columns) / COHERENT_MM)
    spread = float(np.median(columns.std(axis=0))) / np.sqrt(pieces)
    return search(
        strip.depths, columns.mean(axis=0)[None], weights, blur_voxel, THICKNESS_MM,
        centre_sd=CENTRE_SD_MM, rule=rule, spread=spread,
    )[0]  # fmt: skip


def _oriented(strip: _Strip, pial_side: str) -> tuple[_Strip, Fit, bool]:
    """The strip with CSF first, the fit of its mean profile, and whether that was clear."""
    # The curve does not keep to one depth, so the mean profile is blurred by more than a voxel.
    blurred = max(strip.voxel, 0.8)
    ways = {"left": [strip.reversed()], "right": [strip]}.get(pial_side, [strip, strip.reversed()])
    rule = RULES.get(pial_side, "known")
    fits = [_mean_fit(way, way.filled, blurred, rule) for way in ways]
    best = int(np.argmin([fit.score for fit in fits]))
    if fits[best].gain < LEAST_GAIN:
        raise InputError(
            "No border of the cortex shows along the trace. Draw it along the middle of the gray "
            "matter, or choose an image with more contrast."
        )
    steps = fits[best].parameters
    clear = np.abs(steps[D_A]) > CLEAR_RATIO * np.abs(steps[D_M] + steps[D_B])
    return ways[best], fits[best], bool(clear)


def _pinned(strip: _Strip, pins: Sequence[Pin]) -> dict[str, NDArray]:
    """For each border, (p, 2) rows of column number and depth in mm, at most one a column."""
    found: dict[str, dict[int, float]] = {border: {} for border in BORDERS}
    for pin in pins:
        if pin.border not in BORDERS:
            raise InputError(f"A border point belongs to one of: {', '.join(BORDERS)}.")
        off = strip.plane.flat(np.asarray(pin.ras, dtype=float)) - strip.points
        beside = np.abs(off[:, 0] * strip.across[:, 1] - off[:, 1] * strip.across[:, 0])
        column = int(np.argmin(beside + np.linalg.norm(off, axis=1) * 1e-2))
        depth = float(off[column] @ strip.across[column])
        found[pin.border][column] = float(np.clip(depth, strip.depths[0], strip.depths[-1]))
    return {
        border: np.array(sorted(rows.items()), dtype=float).reshape(-1, 2)
        for border, rows in found.items()
    }


def _follow(
    strip: _Strip, fit: Fit, pinned: dict[str, NDArray], every: int
) -> tuple[NDArray, NDArray]:
    """Both borders (n,) in mm by dynamic programming with the fit's templates.

    Args:
        every: use only every so many columns, for a first look.
    """
    rough = max(1, round(PATH_STEP_MM / strip.depth_step))
    depths, number = strip.depths[::rough], len(strip.points)
    step = rough * strip.depth_step
    noise = _noise(strip)
    outer, inner = (
        _mismatch(strip, template, noise)[:, ::rough]
        + strip.step * DRIFT_PER_MM * 0.5 * ((depths - place) / DRIFT_SD_MM) ** 2
        for template, place in zip(_templates(strip, fit), (fit.pial, fit.white), strict=True)
    )
    for cost, border in ((outer, "pial"), (inner, "white")):
        for column, depth in pinned[border]:
            used = int(column) // every * every
            cost[used] += PIN_PRICE * ((depths - depth) / step) ** 2
    stiffness = 0.5 * (step / (SLOPE_SD * strip.step * every)) ** 2
    least, most = round(THICKNESS_MM[0] / step), round(THICKNESS_MM[1] / step)
    paths = coupled_paths(every * outer[::every], every * inner[::every], least, most, stiffness)
    columns = np.arange(number)
    # The path moves in steps; its running mean does not.
    a, b = (
        gaussian_filter1d(
            np.interp(columns, columns[::every], depths[path]), 0.6 / strip.step, mode="nearest"
        )
        for path in paths
    )
    return a, b


def _noise(strip: _Strip) -> float:
    """SD of the noise, from neighbouring columns."""
    rough = np.diff(strip.filled, axis=0)
    return float(1.4826 * np.median(np.abs(rough)) / np.sqrt(2)) + 1e-3 * float(
        np.ptp(strip.filled)
    )


def _templates(strip: _Strip, fit: Fit) -> tuple[NDArray, NDArray]:
    """What the image looks like around the pial and the white-matter border."""
    half = round(TEMPLATE_HALF_MM / strip.depth_step)
    at = np.arange(-half, half + 1) * strip.depth_step
    pial, white = (
        profile_model(fit.parameters[None], at + place)[0][0] for place in (fit.pial, fit.white)
    )
    return pial, white


def _mismatch(strip: _Strip, template: NDArray, noise: float) -> NDArray:
    """Half the chi-square (n, m) of a template at each place.

    The local offset is free, and so within limits is the size of the edge.
    """
    number = len(template)
    shape = template - template.mean()
    ones = np.ones(number)
    squares = correlate1d(strip.filled**2, ones, axis=1, mode="nearest")
    sums = correlate1d(strip.filled, ones, axis=1, mode="nearest")
    product = correlate1d(strip.filled, shape, axis=1, mode="nearest")
    energy = float((shape**2).sum())
    size = np.clip(product / energy, 0, STRONGEST)
    chi = squares - sums**2 / number - 2 * size * product + size**2 * energy
    chi += WEAKNESS * energy * np.maximum(1 - size, 0) ** 2
    variance = noise**2 + MISFIT**2 * energy / number
    scale = TRUST * strip.depth_step / strip.voxel / (2 * variance)
    # A place that looks like no edge at all is as bad as any.
    worst = 1.5 * energy
    inner = slice(number // 2, -(number // 2))
    known = np.full_like(chi, worst)
    known[:, inner] = np.minimum(chi[:, inner], worst)
    return scale * known


def _aligned_fit(strip: _Strip, outer: NDArray, inner: NDArray, before: Fit) -> Fit:
    """The fit of the mean profile with every column stretched to the same borders."""
    a, b = float(outer.mean()), float(inner.mean())
    shift = _warp(strip.depths, a, b, outer - a, inner - b)
    columns = np.arange(len(outer))[:, None]
    aligned = strip.at(columns, strip.depths + shift)
    fit = _mean_fit(strip, aligned, strip.voxel, "known")
    # Had the second look lost the cortex, the first would still stand.
    lost = max(abs(fit.pial - a), abs(fit.white - b)) > 1.0
    return before if lost else fit


def _warp(
    depths: NDArray, a: NDArray | float, b: NDArray | float, da: NDArray, db: NDArray
) -> NDArray:
    """How far to shift depths so that borders a + da, b + db come to lie on a, b."""
    share = np.clip((depths - np.asarray(a)[..., None]) / np.asarray(b - a)[..., None], 0, 1)
    return da[..., None] * (1 - share) + db[..., None] * share


def _sharpen(
    strip: _Strip, outer: NDArray, inner: NDArray, fit: Fit
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
    start = np.repeat(fit.parameters[None], len(places), axis=0)
    start[:, A], start[:, LOG_T] = 0, np.log(b - a)
    span = float(np.ptp(profiles)) or 1.0
    start[:, V:] /= span
    start[:, V] = profiles[:, 0] / span - start[:, D_O] * (at[0] > -np.exp(start[:, LOG_W]))
    start, noise = _linear_start(start, at, profiles / span, used)
    parameters, curvature, _ = refine(start, at, profiles / span, used, noise, strip.voxel)
    variances = border_variances(parameters, np.linalg.inv(curvature))[:, :2]
    found = np.stack([parameters[:, A], np.exp(parameters[:, LOG_T]) + parameters[:, A]], axis=1)
    moved = found - np.stack([np.zeros_like(a), b - a], axis=1)
    # A place that ran away from the global optimum keeps the optimum and little weight.
    errors = np.sqrt(np.maximum(variances, 1e-8))
    astray = np.abs(moved) > np.maximum(0.6, 1.5 * strip.voxel)
    moved, errors = np.where(astray, 0, moved), np.where(astray, 1.0, errors)
    return places, np.stack([a, b], axis=1) + moved, np.hypot(errors, 0.01)


def _linear_start(
    start: NDArray, at: NDArray, profiles: NDArray, weights: NDArray
) -> tuple[NDArray, NDArray]:
    """Levels that suit each place with the edges where they are, and the noise there."""
    _, slopes = profile_model(start, at, jacobian=True)
    design = slopes[:, V:] * np.sqrt(weights)[:, None]
    ridge = np.diag([1e-6, 0.05, 1e-3, 1e-2, 1e-3, 0.05]) * weights.sum(axis=1).mean()
    normal = design @ design.transpose(0, 2, 1) + ridge
    off = (profiles - profile_model(start, at)[0]) * np.sqrt(weights)
    start = start.copy()
    start[:, V:] += np.linalg.solve(normal, design @ off[..., None])[..., 0]
    left = weights * (profiles - profile_model(start, at)[0]) ** 2
    noise = np.sqrt(left.sum(axis=1) / np.maximum(weights.sum(axis=1) - 6, 1)) + 1e-4
    return start, np.full(len(start), float(np.median(noise)))


def _smooth(
    strip: _Strip, places: NDArray, depths: NDArray, errors: NDArray, pins: NDArray
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
    curve = make_smoothing_spline(at, values, weights, lam=stiffness)
    return curve(columns * strip.step), sd


def _before_columns_meet(strip: _Strip, outer: NDArray, inner: NDArray) -> tuple[NDArray, NDArray]:
    """Borders (n,) in mm that neither cross each other nor fold back on themselves."""
    turn = np.gradient(strip.across, axis=0)
    along = np.gradient(strip.points, axis=0)
    curvature = -(turn * along).sum(axis=1) / (along**2).sum(axis=1)
    with np.errstate(divide="ignore"):
        radius = MOST_OF_RADIUS / curvature
    inner = np.where((curvature > 0) & (inner > radius), radius, inner)
    outer = np.where((curvature < 0) & (outer < radius), radius, outer)
    return outer, np.maximum(inner, outer + THICKNESS_MM[0] / 2)


def _unclear(strip: _Strip) -> Finding:
    r, a, s = strip.plane.ras(strip.points[len(strip.points) // 2])
    return Finding("pial_side_uncertain", (
        "Both borders look alike along the trace, so CSF and white matter may be taken for each "
        "other. Choose which side of the trace lies in CSF, or whether CSF is bright or dark."
    ), True, (float(r), float(a), float(s)))  # fmt: skip


def _result(
    strip: _Strip,
    outer: NDArray,
    inner: NDArray,
    outer_sd: NDArray,
    inner_sd: NDArray,
    findings: list[Finding],
) -> Trace:
    pial, white = (strip.points + d[:, None] * strip.across for d in (outer, inner))
    thickness = (distance(pial, white) + distance(white, pial)) / 2
    values, widths = _columns(strip, pial, white, outer, inner)
    mean = np.average(values, axis=0, weights=widths)
    spread = np.sqrt(np.average((values - mean) ** 2, axis=0, weights=widths))
    thirds = (np.arange(BINS) + 0.5) / BINS
    superficial, middle, deep = (
        float(mean[(thirds >= n / 3) & (thirds < (n + 1) / 3)].mean()) for n in range(3)
    )
    hypointensity = 1 - deep / superficial if superficial else np.nan
    return Trace(
        strip.plane, lengths(strip.points), strip.plane.ras(strip.points), strip.depths,
        strip.values, outer, inner, strip.plane.ras(pial), strip.plane.ras(white),
        outer_sd, inner_sd, thickness, thirds, mean, spread, (superficial, middle, deep),
        hypointensity, hypointensity / float(thickness.mean()),
        tuple(findings + _doubts(strip, outer_sd, inner_sd)),
    )  # fmt: skip


def _columns(
    strip: _Strip, pial: NDArray, white: NDArray, outer: NDArray, inner: NDArray
) -> tuple[NDArray, NDArray]:
    """Map values (n, 20) at equal-area depths of every column, and its width (n,) in mm.

    A column's width changes linearly from its share of the pial curve to its share of the
    white-matter curve, so the depth below which a given area lies solves a quadratic
    (Waehnert et al., NeuroImage 2014, 93:210, eq. 10, in two dimensions).
    """
    top, bottom = (
        np.maximum(np.linalg.norm(np.gradient(border, axis=0), axis=1), 1e-6)[:, None]
        for border in (pial, white)
    )
    area = (np.arange(BINS) + 0.5) / BINS
    depth = area * (top + bottom) / (top + np.sqrt(top**2 + area * (bottom**2 - top**2)))
    at = outer[:, None] + depth * (inner - outer)[:, None]
    values = strip.at(np.arange(len(outer))[:, None], at)
    return values, ((top + bottom) / 2)[:, 0]


def _doubts(strip: _Strip, outer_sd: NDArray, inner_sd: NDArray) -> list[Finding]:
    doubts = []
    for name, sd in (("pial", outer_sd), ("white-matter", inner_sd)):
        if (share := float((sd > MOST_SD_MM).mean())) > 0.1:
            r, a, s = strip.plane.ras(strip.points[int(np.argmax(sd))])
            doubts.append(Finding("border_uncertain", (
                f"The {name} border is uncertain by over {MOST_SD_MM} mm along {share:.0%} of the "
                "trace. Check it there, and drag it where it is wrong."
            ), True, (float(r), float(a), float(s))))  # fmt: skip
    return doubts
