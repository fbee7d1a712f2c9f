"""The trace: both borders of the cortex along a curve drawn on one slice.

The curve is sampled at even arc length and the image across it: the straightened cortex,
columns by depth (:mod:`.strip`). Both borders are followed through it (:mod:`.follow`).

Thickness at a column is the mean of two distances: from the pial point to the
white-matter curve and from the white-matter point to the pial curve. For concentric or
parallel borders this is their distance, whatever the angle of the column.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .caliper import interval
from .curves import Plane, crossing, distance, evenly, lengths, offsets_along, resample
from .errors import InputError
from .follow import THICKNESS_MM, Followed, borders, oriented
from .grid import Image
from .result import Finding
from .strip import REACH_MM, Strip, checked, flat_curve, in_plane_voxel, near, sampled, straighten

SIDES = ("auto", "bright", "dark", "left", "right")
BORDERS = ("pial", "white")
BINS = 20
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
        pial_sd, white_sd: (n,) standard errors in mm, with what holds for the whole curve in
            them; zero for borders drawn by hand.
        thickness: (n,) mm.
        mean_thickness_sd: standard error in mm of its mean; 0 for borders drawn by hand.
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
    mean_thickness_sd: float
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

    @property
    def mean_thickness_interval(self) -> tuple[float, float]:
        """95 % interval of the mean thickness in mm; both ends alike for borders by hand."""
        return interval(self.mean_thickness, self.mean_thickness_sd)


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
    strip, fit, clear = oriented(straighten(image, points, plane_normal), pial_side)
    found = borders(strip, fit, _pinned(strip, pins))
    findings = [] if clear or pial_side != "auto" else [_unclear(strip)]
    return _result(found, findings)


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
    pial_points = checked(pial_points, "pial border")
    white_points = checked(white_points, "white-matter border")
    plane = Plane.through(pial_points, plane_normal)
    step = in_plane_voxel(image.grid, plane)
    pial, white = (
        flat_curve(image.grid, plane, points, step, name)
        for points, name in ((pial_points, "pial border"), (white_points, "white-matter border"))
    )
    if (place := crossing(pial, white)) is not None:
        raise InputError(
            f"The pial and white-matter borders cross{near(plane, place)}. Draw them side by side."
        )
    ends = np.linalg.norm(pial[[0, -1]] - white[[0, -1]], axis=1).sum()
    swapped = np.linalg.norm(pial[[0, -1]] - white[[-1, 0]], axis=1).sum()
    white = white[::-1] if swapped < ends else white
    number = max(len(pial), len(white))
    middle = (evenly(pial, number) + evenly(white, number)) / 2
    strip = sampled(image, plane, resample(middle, step, even=True))
    to_white = evenly(white, len(strip.points)) - strip.points
    strip = strip if (to_white * strip.across).sum() > 0 else strip.reversed()
    outer, inner = (
        _bridged(offsets_along(strip.points, strip.across, border)) for border in (pial, white)
    )
    nothing = np.zeros(len(outer))
    return _result(Followed(strip, outer, inner, nothing, nothing, 0.0), [])


def _bridged(values: NDArray) -> NDArray:
    """Gaps, where a column meets no border within reach, filled from beside them."""
    known = np.flatnonzero(np.abs(values) <= REACH_MM)
    if len(known) < len(values) / 2:
        raise InputError("The two borders do not lie side by side. Draw both along the cortex.")
    return np.interp(np.arange(len(values)), known, values[known])


def _pinned(strip: Strip, pins: Sequence[Pin]) -> dict[str, NDArray]:
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


def _before_columns_meet(strip: Strip, outer: NDArray, inner: NDArray) -> tuple[NDArray, NDArray]:
    """Borders (n,) in mm that neither cross each other nor fold back on themselves."""
    turn = np.gradient(strip.across, axis=0)
    along = np.gradient(strip.points, axis=0)
    curvature = -(turn * along).sum(axis=1) / (along**2).sum(axis=1)
    with np.errstate(divide="ignore"):
        radius = MOST_OF_RADIUS / curvature
    inner = np.where((curvature > 0) & (inner > radius), radius, inner)
    outer = np.where((curvature < 0) & (outer < radius), radius, outer)
    return outer, np.maximum(inner, outer + THICKNESS_MM[0] / 2)


def _unclear(strip: Strip) -> Finding:
    r, a, s = strip.plane.ras(strip.points[len(strip.points) // 2])
    return Finding("pial_side_uncertain", (
        "Both borders look alike along the trace, so CSF and white matter may be taken for each "
        "other. Choose which side of the trace lies in CSF, or whether CSF is bright or dark."
    ), True, (float(r), float(a), float(s)))  # fmt: skip


def _result(found: Followed, findings: list[Finding]) -> Trace:
    strip, outer_sd, inner_sd = found.strip, found.outer_sd, found.inner_sd
    outer, inner = _before_columns_meet(strip, found.outer, found.inner)
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
        outer_sd, inner_sd, thickness, found.thickness_sd, thirds, mean, spread,
        (superficial, middle, deep), hypointensity, hypointensity / float(thickness.mean()),
        tuple(findings + _doubts(strip, outer_sd, inner_sd)),
    )  # fmt: skip


def _columns(
    strip: Strip, pial: NDArray, white: NDArray, outer: NDArray, inner: NDArray
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
    values = strip.seen_at(np.arange(len(outer))[:, None], at)
    return values, ((top + bottom) / 2)[:, 0]


def _doubts(strip: Strip, outer_sd: NDArray, inner_sd: NDArray) -> list[Finding]:
    doubts = []
    for name, sd in (("pial", outer_sd), ("white-matter", inner_sd)):
        if (share := float((sd > MOST_SD_MM).mean())) > 0.1:
            r, a, s = strip.plane.ras(strip.points[int(np.argmax(sd))])
            doubts.append(Finding("border_uncertain", (
                f"The {name} border is uncertain by over {MOST_SD_MM} mm along {share:.0%} of the "
                "trace. Check it there, and drag it where it is wrong."
            ), True, (float(r), float(a), float(s))))  # fmt: skip
    return doubts
