"""Single numbers per region and map.

=============================  ======  ==================================================
measure                        unit    formula
=============================  ======  ==================================================
thickness_mean, _median, _sd   mm      over the region's gray-matter voxels
thickness_p05, _p95            mm      5th and 95th percentile over the same voxels
thickness_per_area             mm      mean over mid-cortical area: each voxel weighs
                                       1 / thickness, so thick columns count no more than
                                       thin ones
ribbon_volume                  mm3     measured voxels times voxel volume
mid_surface_area               mm2     area of the surface at equidistant depth 0.5
measured_share                 1       voxels with a thickness / all voxels
thickness_corrected_mean, ...  mm      likewise of thickness with the slice's angle allowed
                                       for, where it is measured within slices
angle_mean, _max               deg     angle between the cortex's normal and the slices
left_out_share                 1       measured voxels in columns too steep for the means /
                                       all measured voxels
mean                           map     mean over the region's measured voxels
layer_K_mean                   map     mean over layer K; 1 is superficial
deep_minus_superficial         map     deepest layer's mean - most superficial's
deep_hypointensity             1       the same / size of the most superficial's, with the
                                       sign turned where iron is dark: 1 - deep / superficial
                                       there, deep / superficial - 1 where iron is bright
signal_thickness_ratio         1/mm    deep_hypointensity / thickness_mean
profile_minimum, _maximum      map     lowest value of the laminar profile where iron is dark,
                                       highest where it is bright
profile_minimum_depth,         1       depth at which it lies
profile_maximum_depth
minus_white_matter             map     mean - median of adjacent white matter
minus_csf                      map     mean - median of adjacent CSF
asymmetry_...                  1       (left - right) / half their sum, for region pairs
=============================  ======  ==================================================

``signal_thickness_ratio`` follows the signal hypointensity-to-thickness ratio of Donatelli et
al., AJNR 2018, 39:63, with the hypointensity measured within the cortex. The differences from
white matter and CSF follow the relative motor-cortex susceptibility of Schweitzer et al., AJR
2015, 204:1086. In which maps iron is dark and in which bright, :mod:`.iron` says; so
``deep_hypointensity`` is above zero in all maps where the deep layer looks richer in iron.

Where thickness is measured within slices, thickness and maps leave out the voxels of columns that
the slice cuts too obliquely; volume, area, share and angle do not. The area allows for the angle:
a slice cuts a strip of 1 / cos(angle) times the slice's own height out of the mid-surface.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .iron import BRIGHT, DARK
from .profiles import depth_bins
from .result import Measure, ProfileBin

PAIRED = ("thickness_mean", "thickness_corrected_mean", "mean", "deep_hypointensity")
"""Measures that left and right regions are compared by."""

MIDDLE_BAND = 1 / 3
"""Share of the depth range over which the mid-surface area is taken: a third of the thickness
keeps the area of a strongly curved sphere within 2 % of that of its middle."""


@dataclass(frozen=True)
class Voxels:
    """What the indices are computed from, all (n,) over the ribbon's voxels.

    Attributes:
        thickness: mm, NaN where not measured.
        depth_equidistant: 0 pial to 1 white matter.
        layers: 1 superficial to N deep, 0 where not measured.
        voxel_volume: mm3.
        layer_count: N.
        angle: degrees between the cortex's normal and the slices, NaN where not known; None
            where it is not asked for.
        corrected: mm, thickness with the angle allowed for, NaN likewise.
        steep: whether a voxel is left out of means.
    """

    thickness: NDArray[np.float32]
    depth_equidistant: NDArray[np.float32]
    layers: NDArray[np.uint8]
    voxel_volume: float
    layer_count: int
    angle: NDArray[np.float32] | None = None
    corrected: NDArray[np.float32] | None = None
    steep: NDArray[np.bool_] | None = None

    def counted(self) -> NDArray[np.bool_]:
        """(n,) whether a voxel has a thickness that means take in."""
        known = np.isfinite(self.thickness)
        return known if self.steep is None else known & ~self.steep


def geometry_measures(voxels: Voxels, regions: Mapping[str, NDArray[np.bool_]]) -> list[Measure]:
    """Thickness, volume, area and angle of every region."""
    known, counted = np.isfinite(voxels.thickness), voxels.counted()
    straight = voxels.thickness.astype(np.float64)
    if voxels.corrected is not None:
        straight = np.where(np.isfinite(voxels.corrected), voxels.corrected, straight)
    band = known & (np.abs(voxels.depth_equidistant - 0.5) < MIDDLE_BAND / 2)
    rows = []
    for region, inside in regions.items():
        measured = int((inside & known).sum())
        area = voxels.voxel_volume * (1 / straight[inside & band]).sum() / MIDDLE_BAND
        numbers = {
            **_thickness_numbers("thickness", voxels.thickness[inside & counted]),
            "ribbon_volume": (measured * voxels.voxel_volume, "mm3"),
            "mid_surface_area": (area, "mm2"),
            "measured_share": (_mean(known[inside]), "1"),
        }
        if voxels.corrected is not None:
            corrected = voxels.corrected[inside & counted]
            numbers |= _thickness_numbers("thickness_corrected", corrected)
        if voxels.angle is not None:
            angle = voxels.angle[inside & known]
            angle = angle[np.isfinite(angle)]
            numbers["angle_mean"] = (_mean(angle), "deg")
            numbers["angle_max"] = (angle.max() if len(angle) else np.nan, "deg")
        if voxels.steep is not None:
            numbers["left_out_share"] = (_mean(voxels.steep[inside & known]), "1")
        rows += [Measure(region, "", n, float(v), u) for n, (v, u) in numbers.items()]
    return rows


def _thickness_numbers(name: str, thickness: NDArray) -> dict[str, tuple[float, str]]:
    """Value and unit of each statistic of thickness, by the measure's name."""
    known = thickness[np.isfinite(thickness)].astype(np.float64)
    p05, median, p95 = _quantiles(known, [0.05, 0.5, 0.95])
    numbers = {
        "mean": _mean(known),
        "median": median,
        "sd": float(known.std(ddof=1)) if len(known) > 1 else np.nan,
        "p05": p05,
        "p95": p95,
        "per_area": 1 / _mean(1 / known),
    }
    return {f"{name}_{statistic}": (value, "mm") for statistic, value in numbers.items()}


def map_measures(
    voxels: Voxels,
    regions: Mapping[str, NDArray[np.bool_]],
    values: Mapping[str, NDArray[np.float32]],
    units: Mapping[str, str],
    profiles: Sequence[ProfileBin],
    neighbours: Mapping[str, Mapping[str, float]],
    iron: Mapping[str, str] | None = None,
) -> list[Measure]:
    """Layer means, deep hypointensity and relatives, of every map in every region.

    Args:
        voxels: geometry.
        regions: (n,) bool each.
        values: maps, (n,) each.
        units: unit of each map.
        profiles: all laminar profiles.
        neighbours: for each map the medians of adjacent tissue, keyed ``white_matter`` and
            ``csf``, in the map's unit.
        iron: for each map whether iron is ``bright`` or ``dark`` in it; dark if it is not there.
    """
    counted = voxels.counted()
    rows = []
    for region, inside in regions.items():
        thickness = _mean(voxels.thickness[inside & counted])
        for name, value in values.items():
            unit = units.get(name, "")
            used = inside & counted & np.isfinite(value) & (voxels.layers > 0)
            layer_means = [
                _mean(value[used & (voxels.layers == k)]) for k in range(1, voxels.layer_count + 1)
            ]
            bright = (iron or {}).get(name, DARK) == BRIGHT
            difference = layer_means[-1] - layer_means[0]
            deep = _ratio(difference if bright else -difference, abs(layer_means[0]))
            own = [p for p in profiles if p.region == region and p.map == name]
            peak = "profile_maximum" if bright else "profile_minimum"
            value_there, depth = profile_peak(own, bright)
            mean = _mean(value[used])
            numbers = {
                "mean": (mean, unit),
                **{f"layer_{k}_mean": (m, unit) for k, m in enumerate(layer_means, 1)},
                "deep_minus_superficial": (difference, unit),
                "deep_hypointensity": (deep, "1"),
                "signal_thickness_ratio": (_ratio(deep, thickness), "1/mm"),
                peak: (value_there, unit),
                f"{peak}_depth": (depth, "1"),
                **{f"minus_{t}": (mean - v, unit) for t, v in neighbours.get(name, {}).items()},
            }
            rows += [Measure(region, name, n, float(v), u) for n, (v, u) in numbers.items()]
    return rows


def asymmetry_measures(measures: Iterable[Measure]) -> list[Measure]:
    """Left-right asymmetry of regions that differ only by ``left`` and ``right`` in their name."""
    found = {(m.region, m.map, m.measure): m.value for m in measures if m.measure in PAIRED}
    rows = []
    for (region, name, measure), left in found.items():
        other = _mirror_name(region)
        right = found.get((other, name, measure)) if other else None
        if right is not None:
            pair = f"{region} - {other}"
            value = _ratio(left - right, (left + right) / 2)
            rows.append(Measure(pair, name, f"asymmetry_{measure}", value, "1"))
    return rows


def profile_peak(profile: Sequence[ProfileBin], bright: bool = False) -> tuple[float, float]:
    """Value and depth (0 to 1) of the peak of iron in a laminar profile.

    Between bins it is the vertex of the parabola through the extreme bin and its neighbours;
    at either end it is the bin itself.

    Args:
        profile: of one map in one region.
        bright: whether the peak is the profile's maximum, not its minimum.
    """
    means = np.array([p.mean for p in profile]) * (-1 if bright else 1)
    depths = np.array([(p.depth_from + p.depth_to) / 2 for p in profile])
    if not np.isfinite(means).any():
        return np.nan, np.nan
    i = int(np.nanargmin(means))
    value, shift = float(means[i]), 0.0
    around = means[max(i - 1, 0) : i + 2]
    if len(around) == 3 and np.isfinite(around).all():
        before, here, after = around
        bend = before - 2 * here + after
        shift = 0.5 * (before - after) / bend if bend > 0 else 0.0
        value = float(here - 0.25 * (before - after) * shift)
    depth = depths[i] + shift * (depths[1] - depths[0]) if shift else depths[i]
    return (-value if bright else value), float(depth)


def layer_map(depth: NDArray[np.float32], layers: int) -> NDArray[np.uint8]:
    """(n,) uint8 layers, 1 superficial to ``layers`` deep, 0 where depth is NaN."""
    return depth_bins(depth, layers).astype(np.uint8)


def _mirror_name(region: str) -> str | None:
    """The right-hand partner of a left-hand region's name, or None."""
    words = region.replace("-", "_").split("_")
    if "left" not in words:
        return None
    return region.replace("left", "right", 1)


def _mean(values: NDArray) -> float:
    return float(np.mean(values, dtype=np.float64)) if len(values) else np.nan


def _quantiles(values: NDArray, levels: list[float]) -> tuple[float, ...]:
    if not len(values):
        return (np.nan,) * len(levels)
    return tuple(float(v) for v in np.quantile(values, levels))


def _ratio(a: float, b: float) -> float:
    return float(a / b) if b else np.nan
