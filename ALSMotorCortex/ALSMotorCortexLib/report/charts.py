"""Charts as inline SVG: the thickness histogram and the laminar profiles.

They are drawn here and not by matplotlib: Slicer does not bundle matplotlib, importing it takes
as long as all of this page, and SVG keeps the page's own type, stays sharp in print and shows
each bin's numbers under the pointer.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from html import escape
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..cortex.result import RIBBON, Measurement, ProfileBin
from . import words
from .raster import SERIES

FONT = "font-family='inherit'"
INK, QUIET, FAINT = "#22303a", "#5b6873", "#dfe4e8"
DASHES = ("", "7 3", "2 3", "9 3 2 3")
WIDTH, HEIGHT = 680, 320
LEFT, RIGHT, TOP, BOTTOM = 74, 16, 26, 46
CURVE = 2.2
"""Width of a profile's line."""


def nice_ticks(low: float, high: float, most: int = 7) -> NDArray:
    """Round numbers (1, 2 or 5 times a power of ten apart) from low to high."""
    step = nice_step((high - low) / max(most - 1, 1))
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return np.arange(first, last + 1) * step


def nice_step(raw: float) -> float:
    """The smallest of 1, 2 and 5 times a power of ten that is not below ``raw``."""
    power = 10.0 ** math.floor(math.log10(raw)) if raw > 0 else 1.0
    return next(m * power for m in (1, 2, 5, 10) if m * power >= raw * (1 - 1e-9))


class Axes:
    """A frame with scales; collects SVG elements.

    Attributes:
        x, y: the values at both ends of each axis.
        width, height: of the whole chart, in CSS pixels.
        left, right, top, bottom: the edges of the frame within it.
    """

    def __init__(
        self,
        x: tuple[float, float],
        y: tuple[float, float],
        width: int = WIDTH,
        height: int = HEIGHT,
        left: int = LEFT,
        bottom: int = BOTTOM,
    ) -> None:
        self.x, self.y = x, y
        self.width, self.height = width, height
        self.left, self.right = left, width - RIGHT
        self.top, self.bottom = TOP, height - bottom
        self.parts: list[str] = []

    def px(self, x: Any) -> Any:
        return self.left + (x - self.x[0]) / (self.x[1] - self.x[0]) * (self.right - self.left)

    def py(self, y: Any) -> Any:
        share = (y - self.y[0]) / (self.y[1] - self.y[0])
        return self.bottom - share * (self.bottom - self.top)

    def frame(self, x_label: str, y_label: str) -> None:
        self.x_axis(x_label)
        self.y_axis(y_label)

    def x_axis(self, label: str, most: int = 7) -> None:
        ticks = nice_ticks(*self.x, most)
        for value, text in zip(ticks, tick_texts(ticks), strict=True):
            at = self.px(value)
            self.line(at, self.bottom, at, self.bottom + 4, QUIET)
            self.text(at, self.bottom + 17, text)
        self.line(self.left, self.bottom, self.right, self.bottom, QUIET)
        self.text((self.left + self.right) / 2, self.height - 8, label, colour=INK)

    def y_axis(self, label: str, most: int = 6) -> None:
        ticks = nice_ticks(*self.y, most)
        for value, text in zip(ticks, tick_texts(ticks), strict=True):
            at = self.py(value)
            self.line(self.left, at, self.right, at, FAINT)
            self.text(self.left - 7, at + 4, text, "end")
        self.line(self.left, self.bottom, self.right, self.bottom, QUIET)
        self.text(4, 14, shorten(label, 70), "start", INK)

    def line(
        self, x0: float, y0: float, x1: float, y1: float, colour: str, dash: str = "",
        width: float = 1,
    ) -> None:  # fmt: skip
        dashes = f" stroke-dasharray='{dash}'" if dash else ""
        self.parts.append(
            f"<line x1='{x0:.1f}' y1='{y0:.1f}' x2='{x1:.1f}' y2='{y1:.1f}' "
            f"stroke='{colour}' stroke-width='{width:g}'{dashes}/>"
        )

    def text(
        self, x: float, y: float, text: str, anchor: str = "middle", colour: str = QUIET
    ) -> None:
        self.parts.append(
            f"<text x='{x:.1f}' y='{y:.1f}' text-anchor='{anchor}' fill='{colour}' "
            f"font-size='12'>{escape(text)}</text>"
        )

    def path(self, points: str, **style: str | float) -> None:
        attributes = " ".join(f"{k.replace('_', '-')}='{v}'" for k, v in style.items())
        self.parts.append(f"<path d='{points}' {attributes}/>")

    def svg(self, label: str) -> str:
        return (
            f"<svg class='chart' viewBox='0 0 {self.width} {self.height}' role='img' "
            f"aria-label='{escape(label, quote=True)}' {FONT}>{''.join(self.parts)}</svg>"
        )


def tick_texts(ticks: NDArray[np.float64]) -> list[str]:
    """Ticks with as many digits as their distance needs."""
    if not len(ticks):
        return []
    step = float(ticks[1] - ticks[0]) if len(ticks) > 1 else abs(float(ticks[0])) or 1.0
    largest = float(np.abs(ticks).max())
    if largest >= 1e7 or step < 1e-5:
        return [words.number(float(t)) if t else "0" for t in ticks]
    decimals = max(0, -math.floor(math.log10(step) + 1e-9))
    return [words.minus(f"{t + 0.0:,.{decimals}f}".replace(",", words.NARROW_SPACE)) for t in ticks]


def shorten(text: str, most: int) -> str:
    """A long name cut in its middle."""
    half = (most - 1) // 2
    return text if len(text) <= most else f"{text[:half]}…{text[-half:]}"


def legend(entries: Sequence[tuple[str, str]]) -> str:
    """A legend that wraps; entries are (SVG of a 26 x 12 swatch, text)."""
    items = "".join(
        f"<li><svg viewBox='0 0 26 12' width='26' height='12' aria-hidden='true'>{swatch}</svg>"
        f"<span>{escape(text)}</span></li>"
        for swatch, text in entries
    )
    return f"<ul class='legend'>{items}</ul>"


def line_swatch(colour: str, dash: str = "", width: float = 2.5) -> str:
    """A piece of line for :func:`legend`."""
    dashes = f" stroke-dasharray='{dash}'" if dash else ""
    return (
        f"<line x1='1' y1='6' x2='25' y2='6' stroke='{colour}' stroke-width='{width:g}'{dashes}/>"
    )


def box_swatch(colour: str, opacity: float = 1.0) -> str:
    """A filled box for :func:`legend`."""
    return (
        f"<rect x='5' y='1' width='16' height='10' rx='2' fill='{colour}' "
        f"fill-opacity='{opacity:g}'/>"
    )


def thickness_histogram(measurement: Measurement) -> str:
    """Share of voxels by thickness, whole ribbon as bars and regions as lines.

    Voxels in columns too steep for the means do not count.

    Returns:
        an SVG with its legend; empty where no voxel has a thickness.
    """
    everything = measurement.thickness[np.isfinite(measurement.thickness) & ~measurement.steep]
    if not len(everything):
        return ""
    edges = _histogram_edges(everything)
    names = [RIBBON, *(n for n in measurement.regions if n != RIBBON)]
    shares = {name: _shares(measurement, name, edges) for name in names}
    tallest = max(float(s.max()) for s, _, _ in shares.values()) or 1.0
    axes = Axes((float(edges[0]), float(edges[-1])), (0.0, 1.08 * tallest))
    low, middle, high = (float(v) for v in np.quantile(everything, [0.05, 0.5, 0.95]))
    axes.frame("Thickness (mm)", "Share of the region’s voxels (%)")
    share, _, beyond = shares[RIBBON]
    for a, b, s in zip(edges[:-1], edges[1:], share, strict=True):
        inside = (a + b) / 2 >= low and (a + b) / 2 <= high
        x, y = axes.px(float(a)), axes.py(float(s))
        axes.parts.append(
            f"<rect x='{x + 0.4:.1f}' y='{y:.1f}' width='{axes.px(float(b)) - x - 0.8:.1f}' "
            f"height='{HEIGHT - BOTTOM - y:.1f}' fill='{'#7fb3d5' if inside else '#c9d9e4'}'>"
            f"<title>{words.number(float(a), 'mm')} to {words.with_unit(float(b), 'mm')}: "
            f"{s:.1f} %</title></rect>"
        )
    axes.line(axes.px(middle), TOP, axes.px(middle), HEIGHT - BOTTOM, INK, "", 1.5)
    entries = [
        (box_swatch("#7fb3d5"), f"{RIBBON}, 5th to 95th percentile"),
        (box_swatch("#c9d9e4"), "outside these"),
        (line_swatch(INK, "", 1.5), f"median {words.with_unit(middle, 'mm')}"),
    ]
    for name in names[1:]:
        colour, dash = series_style(list(measurement.regions).index(name))
        axes.path(_steps(axes, edges, shares[name][0]), fill="none", stroke=colour,
                  stroke_width=2, stroke_dasharray=dash or "none")  # fmt: skip
        n = words.count(shares[name][1])
        entries.append((line_swatch(colour, dash, 2), f"{name} (n = {n})"))
    note = f"n = {words.count(len(everything))} voxels"
    if beyond:
        note += f"; {words.count(beyond)} lie beyond the axis"
    axes.text(WIDTH - RIGHT, 14, note, "end")
    return axes.svg("Histogram of thickness") + legend(entries)


def profile_chart(measurement: Measurement, map_name: str, regions: Sequence[str]) -> str:
    """Laminar profiles of one map with their confidence bands.

    Args:
        measurement: has the profiles.
        map_name: which map.
        regions: which regions, each a curve.

    Returns:
        an SVG with its legend; empty where no bin has a value.
    """
    curves = {
        region: [p for p in measurement.profiles if (p.region, p.map) == (region, map_name)]
        for region in regions
    }
    curves = {r: c for r, c in curves.items() if any(math.isfinite(p.mean) for p in c)}
    if not curves:
        return ""
    alone = len(curves) == 1
    axes = Axes((0.0, 1.0), _value_range(list(curves.values()), alone))
    unit = words.unit_name(measurement.units.get(map_name, ""))
    axes.frame("Cortical depth", f"{shorten(map_name, 50)}{f' ({unit})' if unit else ''}")
    layers = measurement.settings.layers
    if layers <= 12:
        for k in range(1, layers):
            at = axes.px(k / layers)
            axes.line(at, TOP, at, HEIGHT - BOTTOM, "#9aa5ad", "3 3")
        for k in range(layers):
            axes.text(axes.px((k + 0.5) / layers), TOP + 12, _layer_name(k + 1, layers))
    axes.text(LEFT, HEIGHT - 8, "pial surface", "start")
    axes.text(WIDTH - RIGHT, HEIGHT - 8, "white matter", "end")
    level = f"{100 * measurement.settings.confidence:g} %"
    entries = []
    if alone and any(math.isfinite(p.q25) for p in next(iter(curves.values()))):
        entries.append((line_swatch("#7f8b94", "2 3", 1.5), "25th and 75th percentile of voxels"))
    for region, curve in curves.items():
        colour, dash = series_style(list(measurement.regions).index(region))
        if alone:
            for name in ("q25", "q75"):
                axes.path(_polyline(axes, curve, name), fill="none", stroke="#7f8b94",
                          stroke_width=1.3, stroke_dasharray="2 3")  # fmt: skip
        band = _band(axes, curve)
        if band:
            axes.path(band, fill=colour, fill_opacity=0.22, stroke="none")
        axes.path(_polyline(axes, curve, "mean"), fill="none", stroke=colour, stroke_width=CURVE,
                  stroke_linejoin="round", stroke_linecap="round",
                  stroke_dasharray=dash or "none")  # fmt: skip
        what = f"mean, {region} (n = {words.count(sum(p.n for p in curve))})"
        entries.append((line_swatch(colour, dash), what))
    if any(_band(axes, curve) for curve in curves.values()):
        colour = series_style(list(measurement.regions).index(next(iter(curves))))[0]
        shade = box_swatch(colour if alone else INK, 0.25)
        what = f"{level} interval of {'the mean' if alone else 'each mean'}"
        entries.append((shade, what + _hidden(axes, curves.values())))
    axes.parts += _hover(axes, curves, unit, level)
    return axes.svg(f"Laminar profile of {map_name}") + legend(entries)


def series_style(order: int) -> tuple[str, str]:
    """Colour and dashes of the n-th curve; both change, for readers without colour."""
    return "#" + SERIES[order % len(SERIES)], DASHES[(order // 2) % len(DASHES)]


def _histogram_edges(values: NDArray[np.float32]) -> NDArray:
    low, high = (float(v) for v in np.quantile(values, [0.001, 0.995]))
    if high - low < 0.05:
        low, high = low - 0.1, high + 0.1
    step = nice_step((high - low) / min(60, max(12, round(len(values) ** (1 / 3)))))
    first = max(math.floor(low / step), 0)
    last = max(math.ceil(high / step), first + 2)
    return np.arange(first, last + 1) * step


def _shares(
    measurement: Measurement, region: str, edges: NDArray[np.float64]
) -> tuple[NDArray[np.float64], int, int]:
    """Percent of the region's measured voxels per bin, their number, and how many lie beyond."""
    values = measurement.thickness[measurement.regions[region] & ~measurement.steep]
    values = values[np.isfinite(values)]
    counts = np.histogram(values, edges)[0]
    return 100 * counts / max(len(values), 1), len(values), len(values) - int(counts.sum())


def _steps(axes: Axes, edges: NDArray, heights: NDArray) -> str:
    x, y = axes.px(np.repeat(edges, 2)[1:-1]), axes.py(np.repeat(heights, 2))
    return "M" + "L".join(f"{a:.1f} {b:.1f}" for a, b in zip(x, y, strict=True))


def _value_range(curves: Sequence[Sequence[ProfileBin]], quartiles: bool) -> tuple[float, float]:
    names = ("mean", "ci_low", "ci_high") + (("q25", "q75") if quartiles else ())
    values = np.array([getattr(p, n) for curve in curves for p in curve for n in names])
    values = values[np.isfinite(values)]
    low, high = float(values.min()), float(values.max())
    room = 0.06 * (high - low) or 0.05 * abs(high) or 1.0
    return low - room, high + 2.5 * room  # the layers' names stand on top


def _middle(p: ProfileBin) -> float:
    return (p.depth_from + p.depth_to) / 2


def _runs(curve: Sequence[ProfileBin], *names: str) -> list[list[ProfileBin]]:
    """Stretches of neighbouring bins that have these values."""
    runs: list[list[ProfileBin]] = [[]]
    for p in curve:
        if all(math.isfinite(getattr(p, n)) for n in names):
            runs[-1].append(p)
        elif runs[-1]:
            runs.append([])
    return [run for run in runs if run]


def _polyline(axes: Axes, curve: Sequence[ProfileBin], name: str) -> str:
    """The curve, broken where a bin has no value; a lone bin is a bar as wide as the bin."""
    parts = []
    for run in _runs(curve, name):
        points = [(_middle(p), getattr(p, name)) for p in run]
        if len(run) == 1:
            p, value = run[0], points[0][1]
            points = [(p.depth_from, value), (p.depth_to, value)]
        parts.append("M" + "L".join(f"{axes.px(x):.1f} {axes.py(y):.1f}" for x, y in points))
    return "".join(parts)


def _band(axes: Axes, curve: Sequence[ProfileBin]) -> str:
    parts = []
    for run in _runs(curve, "ci_low", "ci_high"):
        ends = [(_middle(p), p) for p in run]
        if len(run) == 1:
            ends = [(run[0].depth_from, run[0]), (run[0].depth_to, run[0])]
        over = [f"{axes.px(x):.1f} {axes.py(p.ci_high):.1f}" for x, p in ends]
        under = [f"{axes.px(x):.1f} {axes.py(p.ci_low):.1f}" for x, p in reversed(ends)]
        parts.append("M" + "L".join(over + under) + "Z")
    return "".join(parts)


def _hidden(axes: Axes, curves: Iterable[Sequence[ProfileBin]]) -> str:
    """Says where the lines of the means cover their own bands."""
    known = [p for curve in curves for p in curve if math.isfinite(p.ci_high - p.ci_low)]
    covered = sum(axes.py(p.ci_low) - axes.py(p.ci_high) <= CURVE for p in known)
    if not covered:
        return ""
    share = covered / len(known)
    where = "" if share == 1 else "mostly " if share > 0.5 else "in places "
    return f", {where}narrower than the line"


def _hover(axes: Axes, curves: dict[str, list[ProfileBin]], unit: str, level: str) -> list[str]:
    """Invisible strips, one per bin, that say the bin's numbers under the pointer."""
    strips = []
    for bins in zip(*curves.values(), strict=True):
        first = bins[0]
        lines = [f"depth {first.depth_from:.2f} to {first.depth_to:.2f}"]
        for p in bins:
            interval = ""
            if math.isfinite(p.ci_low) and math.isfinite(p.ci_high):
                interval = f" ({level} {words.number(p.ci_low)} to {words.number(p.ci_high)})"
            lines.append(f"{p.region}: {words.with_unit(p.mean, unit)}{interval}, n = {p.n}")
        x = axes.px(first.depth_from)
        strips.append(
            f"<rect x='{x:.1f}' y='{TOP}' width='{axes.px(first.depth_to) - x:.1f}' "
            f"height='{HEIGHT - TOP - BOTTOM}' fill='transparent'>"
            f"<title>{escape(chr(10).join(lines))}</title></rect>"
        )
    return strips


def _layer_name(k: int, layers: int) -> str:
    if layers == 3:
        return ("superficial", "middle", "deep")[k - 1]
    return f"layer {k}" if layers <= 8 else str(k)
