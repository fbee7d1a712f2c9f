"""The report: one HTML file with its pictures inside, for the screen and for A4 paper."""

from __future__ import annotations

import math
import os
import re
from base64 import b64encode
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from html import escape
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..cortex.grid import Image
from ..cortex.result import RIBBON, Finding, Measure, Measurement, ProfileBin
from . import charts, figures, words
from .html import DISCLAIMER, Section, byline, document, pairs, tabulate
from .raster import CIVIDIS, VIRIDIS
from .slices import LETTERS, View, ribbon_slices, view_of, window_around
from .style import STYLE, TABLES_STYLE

LARGE, SMALL = 480, 280
"""Width of a picture in CSS pixels: of the slice shown large and of the others."""

COLUMNS = 4
"""Regions side by side in a table of measures."""

CURVES = 4
"""Regions in one chart of profiles."""

SETTINGS = {
    "gm": "Gray-matter labels",
    "wm": "White-matter labels",
    "csf": "CSF labels",
    "other_bank": "Opposite-bank labels",
    "label_style": "Label style",
    "plane": "Measured within plane",
    "max_angle": "Left out of means if steeper than (°)",
    "layers": "Layers",
    "bins": "Profile bins",
    "layer_depth": "Depth of layers and profiles",
    "fill_holes_mm3": "Holes filled up to (mm³)",
    "drop_islands_mm3": "Islands dropped up to (mm³)",
    "reference": "Map values divided by",
    "iron": "Iron is",
    "confidence": "Confidence level",
    "bootstrap": "Bootstrap resamplings",
    "column_mm": "Column width (mm)",
    "seed": "Random seed",
}


def write_report(
    measurement: Measurement,
    path: str | os.PathLike,
    labels: Image,
    maps: Mapping[str, Image],
    title: str,
    provenance: Mapping[str, Any],
    pictures: Mapping[str, bytes] | None = None,
    more: Sequence[Section] = (),
) -> None:
    """Writes the report page.

    Args:
        measurement: what to report.
        path: the file to write.
        labels: the label map that was measured, on the measurement's grid.
        maps: contrast maps by name, on any grid; the first lies below the overlays.
        title: heading of the page.
        provenance: how the results were made. Known keys are ``started``, ``command`` (words),
            ``inputs`` (list of ``role``, ``path``, ``bytes``, ``sha256``), ``versions``,
            ``seconds`` (by step) and ``platform``; other plain values are listed as they are.
        pictures: PNG files of views by their caption.
        more: sections that follow the summary, such as the comparison with controls.
    """
    text = page(measurement, labels, maps, title, provenance, pictures, more)
    Path(path).write_text(text, encoding="utf-8", newline="\n")


def page(
    measurement: Measurement,
    labels: Image,
    maps: Mapping[str, Image],
    title: str,
    provenance: Mapping[str, Any],
    pictures: Mapping[str, bytes] | None = None,
    more: Sequence[Section] = (),
) -> str:
    """The report as HTML; arguments as for :func:`write_report`."""
    sections = [
        ("summary", "Summary", summary(measurement)),
        *more,
        ("slices", "Slices through the ribbon", slices(measurement, labels, maps)),
        ("views", "Views", views(pictures or {})),
        ("thickness", "Thickness", thickness(measurement)),
        ("angle", "Angle of the slices", angle(measurement)),
        ("profiles", "Laminar profiles", profiles(measurement)),
        ("measures", "Measures", measures(measurement)),
        ("bins", "Profile values", profile_tables(measurement)),
        ("method", "How it was measured", method(measurement, provenance)),
        ("glossary", "What the measures mean", glossary(measurement)),
    ]
    return document(title, byline(provenance), sections, STYLE + (TABLES_STYLE if more else ""))


# Summary --------------------------------------------------------------------------------


def summary(measurement: Measurement) -> str:
    """Key numbers of the whole ribbon and what was found in the input."""
    cards = "".join(
        f"<div class='card'><h3>{escape(name)}</h3><p class='big'>{escape(value)}</p>"
        f"<p>{escape(note)}</p></div>"
        for name, value, note in _cards(measurement)
    )
    return (
        f"<div class='box'><div class='cards'>{cards}</div>{_findings(measurement.findings)}</div>"
        f"<p class='plain'>{DISCLAIMER}</p>"
    )


def _cards(measurement: Measurement) -> Iterator[tuple[str, str, str]]:
    """(name, number, small print) of each key number."""

    def text(measure: str, map: str = "") -> str:
        for m in measurement.measures:
            if (m.region, m.map, m.measure) == (RIBBON, map, measure):
                return words.with_unit(m.value, m.unit)
        return words.NOT_MEASURED

    total = len(measurement.voxels)
    known = int(np.isfinite(measurement.thickness).sum())
    spread = f"5th to 95th percentile {text('thickness_p05')} to {text('thickness_p95')}"
    yield "Median thickness", text("thickness_median"), spread if known else "no voxel measured"
    sd = f"SD {text('thickness_sd')} over voxels" if known else "no voxel measured"
    yield "Mean thickness", text("thickness_mean"), sd
    if measurement.thickness_corrected is not None:
        yield (
            "Corrected mean thickness",
            text("thickness_corrected_mean"),
            f"angle of the slices allowed for; mean {text('angle_mean')}",
        )
    yield "Ribbon volume", text("ribbon_volume"), f"mid-surface area {text('mid_surface_area')}"
    yield (
        "Voxels measured",
        words.count(known),
        (f"of {words.count(total)}; {words.count(total - known)} without a value"),
    )
    for name in list(measurement.values)[:4]:
        n = int(_used(measurement, name).sum())
        bright = any((m.map, m.measure) == (name, "profile_maximum") for m in measurement.measures)
        formula = "deep / superficial − 1 (iron is bright)" if bright else "1 − deep / superficial"
        yield (
            f"Deep hypointensity, {name}",
            text("deep_hypointensity", name),
            f"{formula}; {words.count(n)} voxels",
        )


def _findings(findings: Sequence[Finding]) -> str:
    warnings = [f for f in findings if f.warning]
    notes = [f for f in findings if not f.warning]
    head = {0: "No warnings", 1: "1 warning"}.get(len(warnings), f"{len(warnings)} warnings")
    parts = [f"<h3 class='{'alert' if warnings else 'calm'}'>{head}</h3>"]
    for kind, group in (("warning", warnings), ("note", notes)):
        if group and kind == "note":
            parts.append("<h3>Notes on the input</h3>")
        if group:
            items = "".join(f"<li>{escape(f.message)}{_place(f)}</li>" for f in group)
            parts.append(f"<ul class='findings {kind}'>{items}</ul>")
    return "".join(parts)


def _place(finding: Finding) -> str:
    if finding.ras is None:
        return ""
    at = ", ".join(
        f"{pair[0 if mm >= 0 else 1]} {abs(mm):.1f}"
        for mm, pair in zip(finding.ras, LETTERS, strict=True)
    )
    return f" <span class='place'>At {at} mm.</span>"


# Pictures -------------------------------------------------------------------------------


def slices(measurement: Measurement, labels: Image, maps: Mapping[str, Image]) -> str:
    """One slice large, the others smaller, each with all its pictures."""
    if not len(measurement.voxels):
        return ""
    view = view_of(measurement.grid, measurement.settings.plane)
    parts = ribbon_slices(measurement, view)
    window = window_around(parts)
    key = max(parts, key=lambda part: len(part.where))
    below = f"map {next(iter(maps))}" if maps else "the labels as shades of gray"
    html = [
        f"<p>{_convention(view)} Gray below the overlays: {escape(below)}. Positions are RAS "
        "coordinates of the slice’s middle.</p>"
    ]
    for part in [key, *(p for p in parts if p is not key)]:
        large = part is key
        pictures = figures.SlicePictures(
            measurement, labels, maps, part, window, LARGE if large else SMALL
        )
        area = len(part.where) * float(np.prod(view.spacing))
        html.append(
            f"<h3>{view.plane.capitalize()} slice {part.index + 1} of "
            f"{view.grid.shape[view.axis]}, {view.position(part.index)}"
            f"<span class='aside'>ribbon {words.with_unit(area, 'mm2')}</span></h3>"
            f"<div class='pictures {'large' if large else 'small'}'>"
            f"{''.join(_pictures(pictures, large))}</div>"
        )
    return "".join(html)


def _pictures(pictures: figures.SlicePictures, large: bool) -> Iterator[str]:
    """The figures of a slice. Only those of the large one have legends: they hold for all."""
    settings = pictures.measurement.settings
    low, high = figures.thickness_range(pictures.measurement)
    lost = not np.isfinite(pictures.measurement.thickness).all()
    unmeasured = figures.not_measured_legend() if lost else ""
    scale = figures.colour_bar(VIRIDIS, low, high, "mm", "Thickness", clipped=True) + unmeasured
    depth = figures.colour_bar(CIVIDIS, 0, 1, "", "0 pial, 1 white matter") + unmeasured
    yield _figure(
        "Labels and measured borders", pictures.labelled(), figures.label_legend(settings), large
    )
    if large:
        for name in pictures.maps:
            legend = pictures.map_scale(name) + figures.border_legend()
            yield _figure(f"Map {name}", pictures.map(name), legend, large)
    yield _figure("Thickness", pictures.thickness(low, high), scale, large)
    yield _figure(f"Depth, {settings.layer_depth}", pictures.depth(), depth, large)
    layers = figures.layer_legend(settings.layers) + unmeasured
    yield _figure("Layers", pictures.layers(), layers, large)
    if pictures.measurement.angle is not None:
        steps = figures.colour_bar(CIVIDIS, 0, figures.ANGLE_DEG, "°", "Angle", clipped=True)
        yield _figure("Angle to the slices", pictures.angle(), steps + unmeasured, large)


def _figure(title: str, picture: str, legend: str, large: bool) -> str:
    return (
        f"<figure><figcaption>{escape(title)}</figcaption>{picture}{legend if large else ''}"
        "</figure>"
    )


def views(pictures: Mapping[str, bytes]) -> str:
    """Pictures of Slicer's views as they were when the report was saved."""
    shown = "".join(
        f"<figure><figcaption>{escape(caption)}</figcaption>"
        f"<img style='width:100%' alt='{escape(caption, quote=True)}' "
        f"src='data:image/png;base64,{b64encode(png).decode('ascii')}'></figure>"
        for caption, png in pictures.items()
    )
    return f"<div class='pictures large'>{shown}</div>" if shown else ""


def _convention(view: View) -> str:
    if view.plane == "sagittal":
        return "The front of the head is on the left of each picture."
    return "Radiological convention: the patient’s right side (R) is on the left of each picture."


# Charts ---------------------------------------------------------------------------------


def thickness(measurement: Measurement) -> str:
    """The histogram and what it counts."""
    chart = charts.thickness_histogram(measurement)
    if not chart:
        return "<p>No voxel has a thickness, so there is no histogram.</p>"
    cut = int(measurement.near_cut.sum())
    beside = (
        f" {words.count(cut)} of {words.count(len(measurement.voxels))} voxels lie beside a cut "
        "face, where the region ends sideways; thickness is less certain there."
        if cut
        else ""
    )
    return (
        "<p>Distribution over gray-matter voxels. Thick places hold more voxels than thin ones "
        f"and so count more.{beside}</p><div class='one'>{chart}</div>"
    )


def angle(measurement: Measurement) -> str:
    """How obliquely the slices cut the cortex, and what was done about it."""
    if measurement.angle is None:
        return ""
    known = measurement.angle[np.isfinite(measurement.angle)]
    if not len(known):
        return (
            "<p>The angle between cortex and slices cannot be told, because no neighbouring slice "
            "shows the same cortex. Where a slice cuts the cortex obliquely, it looks thicker.</p>"
        )
    middle, high = (words.with_unit(float(q), "deg") for q in np.quantile(known, [0.5, 0.95]))
    text = (
        "The angle is that between the cortex’s normal and the slices, found from the neighbouring "
        "slices. At 0 a slice cuts straight across the cortex; at an angle the cortex looks 1 / "
        f"cos(angle) times as thick in it. Half of the voxels lie below {middle}, 95 % below "
        f"{high}."
    )
    if measurement.thickness_corrected is None:
        return f"<p>{text} Thickness was measured in 3D, so it does not depend on the angle.</p>"
    limit = words.with_unit(measurement.settings.max_angle, "deg")
    steep = int((measurement.steep & np.isfinite(measurement.thickness)).sum())
    return (
        f"<p>{text}</p><p>Thickness was measured within the slices. {words.count(steep)} of "
        f"{words.count(len(measurement.voxels))} voxels lie in columns steeper than {limit}; they "
        "are left out of the means of thickness and maps, of profiles and of the histogram above. "
        "Corrected thickness allows for the angle; the mid-surface area does, too.</p>"
    )


def profiles(measurement: Measurement) -> str:
    """Charts of every map; beyond a few regions one chart for each group of them."""
    regions = list(measurement.regions)
    html = []
    for name in measurement.values:
        drawn = [
            charts.profile_chart(measurement, name, regions[i : i + CURVES])
            for i in range(0, len(regions), CURVES)
        ]
        found = [f"<div class='one'>{chart}</div>" for chart in drawn if chart]
        nothing = "<p>No voxel of the ribbon has a value in this map.</p>"
        html.append(f"<h3>{escape(name)}</h3>" + ("".join(found) or nothing))
    if not html:
        return ""
    s = measurement.settings
    band = (
        f"Bands are {100 * s.confidence:g} % bootstrap intervals of the mean. Whole columns about "
        f"{words.with_unit(s.column_mm, 'mm')} wide are drawn ({words.count(s.bootstrap)} times), "
        "because neighbouring voxels are not independent. "
        if s.bootstrap
        else "No confidence interval was asked for. "
    )
    return (
        f"<p>Mean in {words.count(s.bins)} equal bin{'s' * (s.bins > 1)} of {s.layer_depth} depth. "
        f"{band}Dashed upright lines separate the layers.</p>" + "".join(html)
    )


# Tables ---------------------------------------------------------------------------------


def measures(measurement: Measurement) -> str:
    """All measures: a table for the geometry, one for each map, one for pairs of regions."""
    regions = list(measurement.regions)
    single = [m for m in measurement.measures if m.region in measurement.regions]
    html = []
    for name in ["", *measurement.values]:
        own = [m for m in single if m.map == name]
        caption = f"Map {name}" if name else "Geometry"
        for i in range(0, len(regions), COLUMNS):
            part = regions[i : i + COLUMNS]
            if any(m.region in part for m in own):
                html.append(_measure_table(measurement, caption, own, name, part))
    others = [
        m
        for m in measurement.measures
        if m.region not in measurement.regions or (m.map and m.map not in measurement.values)
    ]
    if others:
        rows = (
            [escape(m.region), escape(m.map) or "–", _measure_name(m.measure),
             _value(m.value, m.unit), escape(words.unit_name(m.unit))]
            for m in others
        )  # fmt: skip
        heads = ["Regions", "Map", "Measure", "Value", "Unit"]
        html.append(tabulate(heads, rows, "Comparisons", numbers=(3,)))
    return "".join(html)


def _measure_table(
    measurement: Measurement,
    caption: str,
    own: Sequence[Measure],
    map_name: str,
    regions: Sequence[str],
) -> str:
    values = {(m.region, m.measure): m for m in own}
    listed = {m.measure: m.unit for m in own}  # in order of first appearance
    used = _used(measurement, map_name)
    counts = []
    for region in regions:
        inside = measurement.regions[region]
        n = int((inside & used).sum())
        counts.append(f"{words.count(n)} of {words.count(int(inside.sum()))}")
    rows = [["Voxels measured", *counts, ""]]
    for name, unit in listed.items():
        cells = [
            _value(values[region, name].value, unit) if (region, name) in values else "–"
            for region in regions
        ]
        rows.append([_measure_name(name), *cells, escape(words.unit_name(unit))])
    heads = ["Measure", *regions, "Unit"]
    return tabulate(heads, rows, caption, range(1, len(regions) + 1), "narrow")


def _used(measurement: Measurement, map_name: str) -> NDArray[np.bool_]:
    """(n,) the voxels that a map's measures, or without a map those of geometry, rest on."""
    if map_name:
        used = np.isfinite(measurement.values[map_name]) & (measurement.layers > 0)
        return used & ~measurement.steep
    return np.isfinite(measurement.thickness)


def _measure_name(measure: str) -> str:
    term = words.term(measure)
    tip = escape(f"{measure}: {term.meaning}" if term.meaning else measure, quote=True)
    return f"<abbr title='{tip}'>{escape(term.name)}</abbr>"


def _value(value: float, unit: str = "") -> str:
    text = escape(words.number(value, unit))
    return text if math.isfinite(value) else f"<span class='missing'>{text}</span>"


def profile_tables(measurement: Measurement) -> str:
    """One table for each profile, grouped by region and map."""
    return "".join(
        _profile_table(region, name, list(bins), measurement)
        for (region, name), bins in groupby(measurement.profiles, lambda p: (p.region, p.map))
    )


def _profile_table(
    region: str, name: str, bins: Sequence[ProfileBin], measurement: Measurement
) -> str:
    level = f"{100 * measurement.settings.confidence:g} %"
    unit = words.unit_name(measurement.units.get(name, ""))
    heads = ["Bin", "Depth", "n", "Mean", f"{level} interval of the mean", "Median", "SD",
             "Quartiles"]  # fmt: skip
    scale = max((abs(p.mean) for p in bins if math.isfinite(p.mean)), default=0.0)
    plain = 1e-3 <= scale < 1e7
    decimals = words.significant(scale) if plain else 0

    def text(value: float) -> str:
        """All numbers of a profile have the same decimals, so that they line up."""
        if not math.isfinite(value) or not plain:
            return _value(value)
        shown = f"{value + 0.0:,.{decimals}f}".replace(",", words.NARROW_SPACE)
        return words.minus(shown)

    def pair(low: float, high: float) -> str:
        if not (math.isfinite(low) and math.isfinite(high)):
            return _value(math.nan)
        return f"{text(low)} to {text(high)}"

    rows = (
        [str(p.bin), f"{p.depth_from:.2f} to {p.depth_to:.2f}", words.count(p.n), text(p.mean),
         pair(p.ci_low, p.ci_high), text(p.median), text(p.sd), pair(p.q25, p.q75)]
        for p in bins
    )  # fmt: skip
    caption = f"{name} in {region}" + (f" ({unit})" if unit else "")
    table = tabulate(heads, rows, "", numbers=range(8))
    return f"<details open><summary>{escape(caption)}</summary>{table}</details>"


# Method ---------------------------------------------------------------------------------


def method(measurement: Measurement, provenance: Mapping[str, Any]) -> str:
    """Settings, grid, input files, versions and time."""
    left = pairs("Settings", _settings(measurement))
    seconds = provenance.get("seconds") or measurement.seconds
    times = ((step, f"{float(value):.2f} s") for step, value in seconds.items())
    versions = (
        (name, str(value)) for name, value in provenance.get("versions", {}).items() if value
    )
    right = pairs("Label grid", _grid(measurement)) + pairs("Time per step", times)
    right += pairs("Versions", versions) + pairs("Also recorded", _other(provenance))
    inputs = [
        [escape(str(i.get("role", ""))), f"<span class='file'>{escape(str(i.get('path', '')))}"
         "</span>", _bytes(i.get("bytes")), f"<code>{escape(str(i.get('sha256', '')))}</code>"]
        for i in provenance.get("inputs", ())
    ]  # fmt: skip
    files = tabulate(["Used as", "File", "Bytes", "SHA-256"], inputs, "Input files", (2,))
    command = provenance.get("command", ())
    line = command if isinstance(command, str) else " ".join(str(word) for word in command)
    called = f"<h3>Command</h3><pre>{escape(line)}</pre>" if line else ""
    return (
        f"<div class='two'><div>{left}</div><div>{right}</div></div>"
        f"{files if inputs else ''}{called}"
    )


def _settings(measurement: Measurement) -> Iterator[tuple[str, str]]:
    for name, value in asdict(measurement.settings).items():
        if isinstance(value, (tuple, list)):
            value = ", ".join(str(v) for v in value) or "none"
        elif isinstance(value, dict):
            value = ", ".join(f"{v} in {k}" for k, v in value.items()) or "as the maps’ names say"
        elif name == "plane" and value == "none":
            value = "none, in 3D"
        yield SETTINGS.get(name, name), str(value).replace("_", " ")


def _grid(measurement: Measurement) -> Iterator[tuple[str, str]]:
    shape, spacing = measurement.grid.shape, measurement.grid.spacing
    yield "Voxels (i × j × k)", " × ".join(str(n) for n in shape[::-1])
    yield "Voxel size (mm)", " × ".join(f"{s:.4g}" for s in spacing[::-1])
    yield "Gray-matter voxels", words.count(len(measurement.voxels))


def _other(provenance: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Plain values of the provenance that have no place of their own."""
    known = {"command", "started", "inputs", "versions", "seconds", "settings", "findings",
             "outside_the_ribbon"}  # fmt: skip
    for name, value in provenance.items():
        if name not in known and isinstance(value, (str, int, float)):
            yield name.replace("_", " "), str(value)


def _bytes(value: Any) -> str:
    return words.count(value) if isinstance(value, int) else "–"


def glossary(measurement: Measurement) -> str:
    """Every measure on the page with its formula and its name in ``measures.tsv``."""
    names = (re.sub(r"layer_\d+_mean", "layer_K_mean", m.measure) for m in measurement.measures)
    items = "".join(
        f"<dt>{escape(words.term(name).name)}</dt><dd>{escape(words.term(name).meaning)} "
        f"<code>{escape(name)}</code></dd>"
        for name in dict.fromkeys(names)
    )
    return f"<dl class='glossary'>{items}</dl>" if items else ""
