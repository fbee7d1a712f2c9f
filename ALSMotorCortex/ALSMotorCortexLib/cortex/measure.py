"""The one measuring function that every front end calls."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from time import perf_counter

import numpy as np
from numpy.typing import NDArray

from .adjacent import adjacent_medians
from .depth import equidistant_depth, equivolume_depth
from .errors import InputError
from .grid import Grid, Image
from .indices import (
    Voxels,
    asymmetry_measures,
    geometry_measures,
    layer_map,
    map_measures,
)
from .iron import BRIGHT, iron_contrast, is_susceptibility
from .laplace import Domain, make_domain, solve_potential
from .obliquity import find_obliquity, obliquity_findings, slice_axis
from .parts import two_hemispheres
from .profiles import find_columns, laminar_profiles
from .resample import INTERPOLATION, label_values, map_values
from .result import RIBBON, Finding, Measure, Measurement, Shape
from .ribbon import PIAL, WHITE, Ribbon, make_ribbon
from .settings import Settings
from .streamlines import Streamlines, follow_streamlines

Progress = Callable[[str, float], None]

STEPS = {"ribbon": 0.05, "borders": 0.3, "potential": 0.5, "field lines": 0.85, "profiles": 1.0}
"""The steps, and the share of the whole that is done at the end of each."""

SWAP_BEND = -0.03
"""Mean of equivolume minus equidistant depth below which the cortex bends the wrong way."""

SIGNED = 0.05
"""Share of the gray matter with values below zero (or above) from which on a map is signed."""

BRIGHT_CSF = ("t2star", "t2w", "t2")
DARK_CSF = ("r2star", "r2", "t1w", "mtr")


def measure(
    labels: Image,
    settings: Settings,
    maps: Mapping[str, Image] | None = None,
    regions: Mapping[str, Image] | None = None,
    units: Mapping[str, str] | None = None,
    progress: Progress | None = None,
    shaped: Callable[[Shape], None] | None = None,
) -> Measurement:
    """Measure thickness, depth, layers and laminar profiles of a cortical ribbon.

    Args:
        labels: label map (k, j, i), integers.
        settings: which labels are which tissue, and how to measure.
        maps: contrast maps on any grids, by name.
        regions: masks on any grids (nonzero inside), by name.
        units: unit of each map, by name.
        progress: called with the step's name and the fraction of the whole that is done; may
            raise :class:`.errors.Cancelled`.
        shaped: called with what the field lines tell as soon as they are followed.

    Raises:
        InputError: the input cannot be measured; the message says why and what to do.
    """
    maps, regions, units = dict(maps or {}), dict(regions or {}), dict(units or {})
    iron = {name: iron_contrast(name, units.get(name, ""), settings.iron) for name in maps}
    clock = _Clock(progress)
    ribbon = make_ribbon(labels, settings)
    clock.ends("ribbon")
    domain = make_domain(ribbon)
    clock.ends("borders")
    voxels = ribbon.grid_indices(domain.box_voxels()[domain.labelled])
    with ThreadPoolExecutor(1) as pool:
        # Beside the next steps, which leave a processor idle now and then.
        read = pool.submit(_read_maps, ribbon, labels, settings, maps, voxels)
        potential = solve_potential(domain, clock.within("potential"))
        clock.ends("potential")
        lines = follow_streamlines(domain, potential, clock.within("field lines"))
        clock.ends("field lines")
        traced = _traced(labels.grid, settings, voxels, lines)
        if shaped:
            shaped(traced)
        shape = _with_depth(traced, ribbon, domain, potential, lines)
        inside = {**shape.regions, **_region_masks(regions, labels.grid, voxels)}
        inside |= _hemispheres(labels.grid, voxels, regions)
        values, neighbours, found = read.result()
    findings = [*shape.findings, *found, *_iron_findings(values, units, iron)]
    findings += _unchecked_sides(findings, neighbours)
    values, units, neighbours = _normalised(values, units, neighbours, inside, settings)

    steep = shape.steep if shape.thickness_corrected is not None else None
    depth = _layer_depth(shape.depth_equidistant, shape.depth_equivolume, settings)
    counted = depth if steep is None else np.where(steep, np.float32(np.nan), depth)
    profiles = laminar_profiles(counted, shape.columns, values, inside, settings)
    each = Voxels(
        thickness=shape.thickness,
        depth_equidistant=shape.depth_equidistant,
        layers=shape.layers,
        voxel_volume=labels.grid.voxel_volume,
        layer_count=settings.layers,
        angle=shape.angle,
        corrected=shape.thickness_corrected,
        steep=steep,
    )
    measures: list[Measure] = geometry_measures(each, inside)
    measures += map_measures(each, inside, values, units, profiles, neighbours, iron)
    measures += asymmetry_measures(measures)
    clock.ends("profiles")
    return replace(
        shape,
        values=values,
        units=units,
        regions=inside,
        measures=tuple(measures),
        profiles=tuple(profiles),
        findings=tuple(findings),
        seconds=clock.seconds,
    )


def _traced(grid: Grid, settings: Settings, voxels: NDArray[np.int64], lines: Streamlines) -> Shape:
    """What the field lines tell."""
    if not np.isfinite(lines.thickness).any() and lines.cut_off.any():
        raise InputError(
            "No column of the cortex lies within the labels from border to border: all run into "
            "the edge of the volume or into unlabelled voxels. Label white matter, gray matter "
            "and CSF in a larger part."
        )
    if not np.isfinite(lines.thickness).any():
        raise InputError(
            "No field line joins the white matter to the pial surface: no piece of the gray "
            "matter touches both. Check the labels given to --wm and --csf."
        )
    return Shape(grid, settings, voxels, lines.thickness, equidistant_depth(lines), lines.normals)


def _with_depth(
    shape: Shape,
    ribbon: Ribbon,
    domain: Domain,
    potential: NDArray[np.float32],
    lines: Streamlines,
) -> Measurement:
    """All that the ribbon's shape tells, without maps, regions and measures."""
    settings, equidistant = shape.settings, shape.depth_equidistant
    equivolume = equivolume_depth(domain, lines)
    findings = [*ribbon.findings, *_geometry_findings(lines, equivolume - equidistant)]
    angle = corrected = steep = None
    if (axis := slice_axis(ribbon.grid, settings.plane)) is not None:
        oblique = find_obliquity(ribbon, domain, potential, lines, axis)
        angle = oblique.angle
        if settings.plane != "none":
            corrected, steep = lines.thickness * oblique.cosine, angle > settings.max_angle
        findings += obliquity_findings(angle, np.isfinite(lines.thickness), steep, settings)
    return Measurement(
        **vars(shape),
        depth_equivolume=equivolume,
        layers=layer_map(_layer_depth(equidistant, equivolume, settings), settings.layers),
        columns=find_columns(_middles_mm(lines, domain), settings.column_mm),
        near_cut=domain.touches_cut()[domain.labelled],
        values={},
        units={},
        regions={RIBBON: np.ones(len(shape.voxels), bool)},
        measures=(),
        profiles=(),
        findings=tuple(findings),
        angle=angle,
        thickness_corrected=corrected,
    )


def _layer_depth(
    equidistant: NDArray[np.float32], equivolume: NDArray[np.float32], settings: Settings
) -> NDArray[np.float32]:
    """The depth that layers and profiles go by."""
    return equidistant if settings.layer_depth == "equidistant" else equivolume


class _Clock:
    """Times the steps and tells the caller how far the whole is."""

    def __init__(self, progress: Progress | None) -> None:
        self._progress = progress
        self._done = 0.0
        self._since = perf_counter()
        self.seconds: dict[str, float] = {}
        self._report(next(iter(STEPS)), 0.0)

    def ends(self, step: str) -> None:
        now = perf_counter()
        self.seconds[step] = now - self._since
        self._since, self._done = now, STEPS[step]
        names = list(STEPS)
        self._report(names[min(names.index(step) + 1, len(names) - 1)], self._done)

    def within(self, step: str) -> Callable[[float], None]:
        """A function that takes the fraction of a step and reports that of the whole."""
        start, end = self._done, STEPS[step]
        return lambda fraction: self._report(step, start + (end - start) * fraction)

    def _report(self, step: str, fraction: float) -> None:
        if self._progress:
            self._progress(step, fraction)


def _middles_mm(lines: Streamlines, domain: Domain) -> NDArray[np.float32]:
    """(n, 3) mm from the box's corner, half-way between the ends of each field line."""
    middle = (lines.ends[WHITE] + lines.ends[PIAL]) / 2
    return (middle * np.array(domain.spacing)).astype(np.float32)


def _region_masks(
    regions: Mapping[str, Image], grid: Grid, voxels: NDArray[np.int64]
) -> dict[str, NDArray[np.bool_]]:
    masks = {}
    for name, image in regions.items():
        if name == RIBBON:
            raise InputError(f"A region cannot be called {RIBBON}: that is the whole ribbon.")
        masks[name] = label_values(image, grid, voxels) != 0
        if not masks[name].any():
            raise InputError(
                f"Region {name} has no voxel in the ribbon. Check that it was drawn on the same "
                "subject and that it covers gray matter."
            )
    return masks


def _hemispheres(
    grid: Grid, voxels: NDArray[np.int64], regions: Mapping[str, Image]
) -> dict[str, NDArray[np.bool_]]:
    """Left and right, where the ribbon lies on both sides of x = 0 with a gap between."""
    k, j, i = np.unravel_index(voxels, grid.shape)
    a, b, c, d = grid.ijk_to_ras[0]
    x = a * i + b * j + c * k + d
    return {} if {"left", "right"} & set(regions) else two_hemispheres(x)


def _read_maps(
    ribbon: Ribbon,
    labels: Image,
    settings: Settings,
    maps: Mapping[str, Image],
    voxels: NDArray[np.int64],
) -> tuple[dict[str, NDArray[np.float32]], dict[str, dict[str, float]], list[Finding]]:
    """Values at the ribbon's voxels, medians of the tissue beside it, and what was noticed."""
    values, findings = _map_values(maps, labels.grid, voxels)
    neighbours = adjacent_medians(ribbon, labels, settings, maps)
    return values, neighbours, findings + _contrast_findings(neighbours)


def _map_values(
    maps: Mapping[str, Image], grid: Grid, voxels: NDArray[np.int64]
) -> tuple[dict[str, NDArray[np.float32]], list[Finding]]:
    values, findings = {}, []
    for name, image in maps.items():
        values[name] = map_values(image, grid, voxels)
        if not image.grid.same_as(grid):
            spacing = " x ".join(f"{s:.3g}" for s in image.grid.spacing[::-1])
            findings.append(
                Finding(
                    "map_resampled",
                    f"Map {name} ({spacing} mm) lies on another grid than the labels. Its values "
                    f"at the label voxels were taken by {INTERPOLATION} in RAS space.",
                )
            )
        known = np.isfinite(values[name])
        missing = int(np.count_nonzero(~known))
        if missing == len(voxels):
            raise InputError(
                f"Map {name} holds no number anywhere in the gray matter. Check that it is the "
                "right image and covers the region."
            )
        if missing:
            findings.append(
                Finding(
                    "map_without_values",
                    f"Map {name} has no value (outside its field of view, or not a number) at "
                    f"{missing} of {len(voxels)} gray-matter voxels; they are left out.",
                    warning=missing > 0.01 * len(voxels),
                )
            )
        low = float(np.min(values[name], where=known, initial=np.inf))
        high = float(np.max(values[name], where=known, initial=-np.inf))
        if low == high:
            findings.append(
                Finding(
                    "map_constant",
                    f"Map {name} holds one value only, {low:.4g}, throughout the ribbon, so it "
                    "tells nothing of the cortex. Check that it is the right image.",
                    warning=True,
                )
            )
    return values, findings


def _normalised(
    values: dict[str, NDArray[np.float32]],
    units: dict[str, str],
    neighbours: dict[str, dict[str, float]],
    regions: Mapping[str, NDArray[np.bool_]],
    settings: Settings,
) -> tuple[dict[str, NDArray[np.float32]], dict[str, str], dict[str, dict[str, float]]]:
    """Values divided by the reference the settings name, with all that is compared to them."""
    if settings.reference == "none":
        return values, units, neighbours
    scales = {}
    for name, value in values.items():
        scale = _reference_value(name, value, neighbours[name], regions, settings.reference)
        if not np.isfinite(scale):
            raise InputError(
                f"The reference {settings.reference} has no usable value in map {name}. Choose "
                "another reference, or none."
            )
        if scale <= 0:
            raise InputError(
                f"The reference {settings.reference} is {scale:.4g} in map {name}, and values can "
                "be divided only by one above zero. Choose another reference, or none: differences "
                "from white matter and CSF are measured in any case."
            )
        scales[name] = scale
    return (
        {name: (v / scales[name]).astype(np.float32) for name, v in values.items()},
        dict.fromkeys(values, "1"),
        {n: {t: v / scales[n] for t, v in found.items()} for n, found in neighbours.items()},
    )


def _reference_value(
    name: str,
    value: NDArray[np.float32],
    neighbours: Mapping[str, float],
    regions: Mapping[str, NDArray[np.bool_]],
    reference: str,
) -> float:
    if not reference.startswith("region:"):
        return neighbours.get(reference, np.nan)
    region = reference.removeprefix("region:")
    if region not in regions:
        raise InputError(
            f"The reference region {region} is not among the regions: {', '.join(regions)}."
        )
    inside = value[regions[region]]
    inside = inside[np.isfinite(inside)]
    return float(np.median(inside)) if len(inside) else np.nan


def _geometry_findings(lines: Streamlines, bend: NDArray[np.float32]) -> list[Finding]:
    findings = []
    known = np.isfinite(lines.thickness)
    cut_off = int(np.count_nonzero(lines.cut_off))
    lost = int(np.count_nonzero(~known)) - cut_off
    if lost:
        findings.append(
            Finding(
                "voxels_without_thickness",
                f"{lost} of {len(known)} gray-matter voxels have no field line to both borders "
                "(pieces that touch only one of them, or corners of cut faces); they have no "
                "thickness and no depth.",
                warning=lost > 0.02 * len(known),
            )
        )
    if cut_off:
        findings.append(
            Finding(
                "columns_cut_off",
                f"{cut_off} of {len(known)} gray-matter voxels lie in columns that run into the "
                "edge of the volume, or into unlabelled voxels, before they reach both borders; "
                "they have no thickness and no depth.",
                warning=cut_off > 0.05 * len(known),
            )
        )
    if np.mean(bend[known]) < SWAP_BEND:
        findings.append(
            Finding(
                "curved_around_csf",
                "On average the cortex curves around the CSF and not around the white matter. "
                "That is so at the bottom of a sulcus, or when --wm and --csf are swapped: "
                "check which label is which.",
                warning=True,
            )
        )
    return findings


def _contrast_findings(neighbours: Mapping[str, Mapping[str, float]]) -> list[Finding]:
    """Whether a map whose contrast is known by its name looks as if tissues were swapped."""
    findings = []
    for name, medians in neighbours.items():
        expected = _expected_contrast(name)
        if expected * _contrast(medians) < 0:
            findings.append(
                Finding(
                    "contrast_swapped",
                    f"In map {name} the white matter (median {medians['white_matter']:.4g}) is "
                    f"{'brighter' if expected > 0 else 'darker'} than the CSF (median "
                    f"{medians['csf']:.4g}), which is unusual. Check that --wm and --csf are not "
                    "swapped.",
                    warning=True,
                )
            )
    return findings


def _unchecked_sides(
    findings: Sequence[Finding], neighbours: Mapping[str, Mapping[str, float]]
) -> list[Finding]:
    """A note where neither a map nor the curvature tells whether the sides are swapped.

    A cortex that curves around what is called white matter proves nothing: so does the bottom
    of a sulcus whose sides are swapped. So only maps can show that the sides are right.
    """
    told = {"curved_around_csf", "contrast_swapped", "other_bank_touches_white_matter"}
    if told & {finding.code for finding in findings}:
        return []
    if any(_expected_contrast(name) * _contrast(known) > 0 for name, known in neighbours.items()):
        return []
    return [
        Finding(
            "sides_unchecked",
            "Whether --wm and --csf are swapped could not be checked: no map with a contrast "
            "known by its name (such as T2star, R2star, T1w) shows both tissues, and the shape of "
            "the cortex does not tell. If they are swapped, so are superficial and deep: check "
            "which label is which.",
        )
    ]


def _expected_contrast(name: str) -> int:
    """1 where CSF is brighter than white matter in a map of this name, -1 darker, 0 unknown."""
    plain = "".join(c for c in name.lower().replace("*", "star") if c.isalnum())
    return 1 if plain.startswith(BRIGHT_CSF) else -1 if plain.startswith(DARK_CSF) else 0


def _contrast(medians: Mapping[str, float]) -> float:
    """CSF minus white matter; 0 where one of the two is not known."""
    difference = medians.get("csf", np.nan) - medians.get("white_matter", np.nan)
    return difference if np.isfinite(difference) else 0.0


def _iron_findings(
    values: Mapping[str, NDArray[np.float32]], units: Mapping[str, str], iron: Mapping[str, str]
) -> list[Finding]:
    """In which maps iron is bright, and which have no zero to take ratios from."""
    findings = []
    for name, value in values.items():
        if iron[name] == BRIGHT:
            text = (
                f"In map {name} iron is bright: deep_hypointensity is deep / superficial - 1, and "
                "the profile's peak is its maximum."
            )
            findings.append(Finding("iron_bright", text))
        below = float(np.mean(value[np.isfinite(value)] < 0))
        signed = SIGNED < below < 1 - SIGNED
        if signed or is_susceptibility(name, units.get(name, "")):
            text = (
                f"The zero of map {name} is a matter of its reference, and {100 * below:.0f} % of "
                "the gray matter lies below it. So deep_hypointensity and signal_thickness_ratio, "
                "which are ratios, say little; compare deep_minus_superficial instead."
            )
            findings.append(Finding("zero_by_reference", text, warning=signed))
    return findings
