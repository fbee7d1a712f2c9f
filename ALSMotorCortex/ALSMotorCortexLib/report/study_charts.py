"""The figures of a study, as inline SVG: boxes, ROC curves, scatter, profiles and effect sizes.

Patients and controls differ in colour and in shape, so the figures also hold in gray and for
colour-blind readers.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from html import escape
from typing import TYPE_CHECKING, TypeVar

import numpy as np
from numpy.typing import NDArray

from . import words
from .charts import (
    INK,
    QUIET,
    Axes,
    box_swatch,
    legend,
    line_swatch,
    series_style,
    shorten,
)
from .raster import BLUE, VERMILLION

if TYPE_CHECKING:
    from ..study.group_comparison import Combined, Comparison
    from ..study.group_correlation import ScoreCorrelation
    from ..study.group_profiles import GroupProfile
    from ..study.statistics.interval import Estimate

PATIENTS, CONTROLS = f"#{VERMILLION}", f"#{BLUE}"
COLOURS = (PATIENTS, CONTROLS)

SIGNIFICANT = 0.05
"""Depths whose corrected p is at or below this are marked."""


def group_legend(names: tuple[str, str]) -> str:
    """Which colour and shape is which group."""
    entries = [
        (_point(13, 6, which) + box_swatch(COLOURS[which], 0.18), text)
        for which, text in enumerate((f"patients ({names[0]})", f"controls ({names[1]})"))
        if names[which]
    ]
    return legend(entries)


def boxes(rows: Sequence[Comparison], title: str, labels: Sequence[str]) -> str:
    """Box and points of both groups, one pair of boxes for each row.

    A box reaches from the 25th to the 75th percentile, its line is the median; the whiskers reach
    to the farthest value within 1.5 times the box's height (Tukey); every participant is a point.

    Args:
        rows: comparisons of the same measure, for example in several regions.
        title: name of the value axis, with its unit.
        labels: what each row is called.
    """
    every = np.concatenate([v for row in rows for v in row.values])
    if not len(every):
        return ""
    width = max(330, 80 + 110 * len(rows))
    axes = Axes((0, len(rows)), _range(every, 0.08), width, 300, left=58, bottom=40)
    axes.y_axis(title)
    for i, (row, label) in enumerate(zip(rows, labels, strict=True)):
        if i:
            axes.line(axes.px(i), axes.top, axes.px(i), axes.bottom, "#e9edf0")
        axes.text(axes.px(i + 0.5), axes.bottom + 16, shorten(label, 18), colour=INK)
        counts = f"n = {len(row.values[0])} | {len(row.values[1])}"
        axes.text(axes.px(i + 0.5), axes.bottom + 31, counts)
        for which, values in enumerate(row.values):
            _box(axes, i + (0.3, 0.7)[which], values, which)
    return axes.svg(f"Box plots: {title}")


def _box(axes: Axes, middle: float, values: NDArray[np.float64], which: int) -> None:
    if not len(values):
        return
    colour, x = COLOURS[which], axes.px(middle)
    half = min(22.0, (axes.px(0.3) - axes.px(0)) * 0.55)
    if len(values) >= 3:
        q25, median, q75 = np.quantile(values, [0.25, 0.5, 0.75])
        reach = 1.5 * (q75 - q25)
        low = values[values >= q25 - reach].min()
        high = values[values <= q75 + reach].max()
        top, bottom = axes.py(q75), axes.py(q25)
        axes.line(x, axes.py(high), x, top, colour, width=1.2)
        axes.line(x, bottom, x, axes.py(low), colour, width=1.2)
        axes.parts.append(
            f"<rect x='{x - half:.1f}' y='{top:.1f}' width='{2 * half:.1f}' "
            f"height='{max(bottom - top, 0.5):.1f}' fill='{colour}' fill-opacity='0.18' "
            f"stroke='{colour}' stroke-width='1.2'/>"
        )
        axes.line(x - half, axes.py(median), x + half, axes.py(median), colour, width=2.6)
    for value, shift in zip(values, spread(axes.py(values), half), strict=True):
        axes.parts.append(_point(x + shift, axes.py(float(value)), which, 0.85))


def spread(heights: NDArray[np.float64], half: float, size: float = 6.0) -> NDArray[np.float64]:
    """(n,) sideways shifts that keep points (n,) at these heights from covering one another.

    Points of neighbouring heights take turns left and right of the middle, within ``half``.
    """
    shifts = np.zeros(len(heights))
    order = np.argsort(heights, kind="stable")
    placed: list[tuple[float, float]] = []
    steps = [0.0] + [s * k * size for k in range(1, int(half // size) + 1) for s in (1, -1)]
    for i in order:
        near = [x for y, x in placed if abs(y - heights[i]) < size]
        free = [s for s in steps if all(abs(s - x) >= size - 1e-9 for x in near)]
        shifts[i] = free[0] if free else steps[len(near) % len(steps)]
        placed.append((float(heights[i]), float(shifts[i])))
    return shifts


def _point(x: float, y: float, which: int, opacity: float = 1.0) -> str:
    """A participant: patients are discs, controls squares on their corner."""
    style = f"fill='{COLOURS[which]}' fill-opacity='{opacity:g}' stroke='#fff' stroke-width='0.7'"
    if which == 0:
        return f"<circle cx='{x:.1f}' cy='{y:.1f}' r='3.2' {style}/>"
    return (
        f"<path d='M{x:.1f} {y - 3.9:.1f}L{x + 3.9:.1f} {y:.1f}L{x:.1f} {y + 3.9:.1f}"
        f"L{x - 3.9:.1f} {y:.1f}Z' {style}/>"
    )


def roc(rows: Sequence[Comparison], names: Sequence[str], combined: Combined | None = None) -> str:
    """ROC curves of measures of one region, with Youden's point and the cross-validated one.

    Args:
        rows: comparisons that have a diagnosis.
        names: what the measures are called.
        combined: several measures together; drawn from each participant's probability by all
            others.
    """
    axes = Axes((0, 1), (0, 1), 330, 340, left=46, bottom=44)
    axes.x_axis("1 − specificity", 5)
    axes.y_axis("Sensitivity", 5)
    axes.line(axes.px(0), axes.py(0), axes.px(1), axes.py(1), "#9aa5ad", "3 3")
    entries = []
    for i, (row, name) in enumerate(zip(rows, names, strict=True)):
        found = row.diagnosis
        if found is None:
            continue
        colour, dash = series_style(i)
        _curve(axes, found.curve, colour, dash)
        apparent, crossed = found.apparent, found.crossed
        _mark(axes, 1 - apparent.specificity.value, apparent.sensitivity.value, colour, False)
        _mark(axes, 1 - crossed.specificity.value, crossed.sensitivity.value, colour, True)
        entries.append((line_swatch(colour, dash), _areas(name, found.auc, found.crossed_auc)))
    if combined is not None:
        order = len(entries)
        colour, dash = series_style(order)
        p = combined.result.probabilities
        _curve(axes, _rates(p[combined.patient], p[~combined.patient]), colour, dash)
        crossed = combined.result.crossed
        _mark(axes, 1 - crossed.specificity.value, crossed.sensitivity.value, colour, True)
        areas = _areas("combined", combined.result.apparent_auc, combined.result.crossed_auc)
        entries.append((line_swatch(colour, dash), areas))
    return axes.svg("ROC curves") + legend(entries)


def roc_key() -> str:
    """What the marks on ROC curves mean."""

    def mark(filled: bool) -> str:
        axes = Axes((0, 26), (12, 0), 26, 12)
        _mark_at(axes, 13, 6, QUIET, filled)
        return axes.parts[0]

    return legend(
        [
            (mark(False), "at Youden’s threshold, chosen on the same participants"),
            (mark(True), "leaving one out"),
        ]
    )


def _areas(name: str, apparent: Estimate, crossed: Estimate) -> str:
    return f"{name}: AUC {two(apparent.value)}, cross-validated {two(crossed.value)}"


def _curve(
    axes: Axes, curve: tuple[NDArray[np.float64], NDArray[np.float64]], colour: str, dash: str
) -> None:
    points = (f"{axes.px(x):.1f} {axes.py(y):.1f}" for x, y in zip(*curve, strict=True))
    axes.path("M" + "L".join(points), fill="none", stroke=colour, stroke_width=2,
              stroke_linejoin="round", stroke_dasharray=dash or "none")  # fmt: skip


def _rates(
    patients: NDArray[np.float64], controls: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """False- and true-positive rates as the threshold falls."""
    cuts = np.unique(np.concatenate([patients, controls]))[::-1, None]
    false, true = ((group >= cuts).mean(1) for group in (controls, patients))
    return np.insert(false, 0, 0.0), np.insert(true, 0, 0.0)


def _mark(axes: Axes, x: float, y: float, colour: str, filled: bool) -> None:
    if math.isfinite(x) and math.isfinite(y):
        _mark_at(axes, axes.px(x), axes.py(y), colour, filled)


def _mark_at(axes: Axes, x: float, y: float, colour: str, filled: bool) -> None:
    axes.parts.append(
        f"<circle cx='{x:.1f}' cy='{y:.1f}' r='4.6' fill='{colour if filled else '#fff'}' "
        f"stroke='{colour}' stroke-width='1.8'/>"
    )


def scatter(row: ScoreCorrelation, x_title: str, y_title: str) -> str:
    """A measure against a score, with the least-squares line and its 95 % interval."""
    x, y = row.x, row.y
    at = np.linspace(x.min(), x.max(), 60)
    line, half = fitted_line(x, y, at)
    # The band may reach beyond the points, but a very wide one must not flatten them.
    room = 0.3 * np.ptp(y)
    reach = np.clip(np.concatenate([line - half, line + half]), y.min() - room, y.max() + room)
    axes = Axes(_range(x, 0.06), _range(np.concatenate([y, reach]), 0.06), 330, 300, 58, 44)
    axes.x_axis(x_title, 6)
    axes.y_axis(shorten(y_title, 44))
    over = [
        f"{axes.px(a):.1f} {_inside(axes, b):.1f}" for a, b in zip(at, line + half, strict=True)
    ]
    under = [
        f"{axes.px(a):.1f} {_inside(axes, b):.1f}" for a, b in zip(at, line - half, strict=True)
    ]
    axes.path("M" + "L".join(over + under[::-1]) + "Z", fill=QUIET, fill_opacity=0.16)
    ends = [f"{axes.px(at[i]):.1f} {_inside(axes, line[i]):.1f}" for i in (0, -1)]
    axes.path("M" + "L".join(ends), fill="none", stroke=INK, stroke_width=1.6)
    axes.parts += [_point(axes.px(a), axes.py(b), 0, 0.9) for a, b in zip(x, y, strict=True)]
    return axes.svg(f"{y_title} against {x_title}")


def fitted_line(
    x: NDArray[np.float64], y: NDArray[np.float64], at: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The least-squares line at some places, and half the 95 % interval of its height there.

    t s sqrt(1 / n + (at - mean x)^2 / sum (x - mean x)^2), s the residuals' SD with n - 2.
    """
    from scipy import special

    n, away = len(x), x - x.mean()
    slope = float(away @ (y - y.mean()) / (away @ away))
    line = y.mean() + slope * (at - x.mean())
    residuals = y - y.mean() - slope * away
    s = math.sqrt(residuals @ residuals / (n - 2))
    t = float(special.stdtrit(n - 2, 0.975))
    return line, t * s * np.sqrt(1 / n + (at - x.mean()) ** 2 / (away @ away))


def _inside(axes: Axes, value: float) -> float:
    """A height kept within the frame."""
    return min(max(axes.py(value), axes.top), axes.bottom)


def profile(row: GroupProfile, title: str) -> str:
    """Both groups' laminar profiles with bands, and the depths at which they differ."""
    groups = [(w, m) for w, m in enumerate((row.patients, row.controls)) if row.n[w]]
    ends = np.array([v for _, m in groups for e in m for v in (e.value, e.low, e.high)])
    ends = ends[np.isfinite(ends)]
    if not len(ends):
        return ""
    axes = Axes((0, 1), _range(ends, 0.07), 500, 310, left=58, bottom=46)
    axes.x_axis("Cortical depth")
    axes.y_axis(title)
    axes.text(axes.left, axes.height - 8, "pial", "start")
    axes.text(axes.right, axes.height - 8, "white matter", "end")
    middles = (row.edges[:-1] + row.edges[1:]) / 2
    for which, means in groups:
        colour = COLOURS[which]
        for run in _runs(means):
            over = [f"{axes.px(middles[i]):.1f} {axes.py(means[i].high):.1f}" for i in run]
            under = [f"{axes.px(middles[i]):.1f} {axes.py(means[i].low):.1f}" for i in run]
            axes.path("M" + "L".join(over + under[::-1]) + "Z", fill=colour, fill_opacity=0.18)
        line = [
            f"{axes.px(m):.1f} {axes.py(e.value):.1f}"
            for m, e in zip(middles, means, strict=True)
            if e.known
        ]
        dash = "none" if which == 0 else "7 3"
        axes.path("M" + "L".join(line), fill="none", stroke=colour, stroke_width=2.4,
                  stroke_linejoin="round", stroke_dasharray=dash)  # fmt: skip
    for a, b, p in zip(row.edges[:-1], row.edges[1:], row.p, strict=True):
        if p <= SIGNIFICANT:
            axes.line(axes.px(a), axes.bottom - 3, axes.px(b), axes.bottom - 3, INK, width=4)
    axes.parts += _hover(axes, row)
    return axes.svg(f"Laminar profiles: {title}")


def profile_key(names: tuple[str, str]) -> str:
    """What lines, bands and bars of the profiles mean."""
    entries = [
        (line_swatch(COLOURS[w], "" if w == 0 else "7 3"), f"mean of {role} ({names[w]})")
        for w, role in enumerate(("patients", "controls"))
        if names[w]
    ]
    entries.append((box_swatch(INK, 0.18), "95 % interval of each mean, depth by depth"))
    if all(names):
        bar = f"<rect x='1' y='4' width='24' height='4' fill='{INK}'/>"
        entries.append((bar, "p ≤ 0.05, corrected over all depths"))
    return legend(entries)


def _runs(means: Sequence[Estimate]) -> list[list[int]]:
    """Neighbouring bins that have an interval."""
    runs: list[list[int]] = [[]]
    for i, e in enumerate(means):
        if math.isfinite(e.low):
            runs[-1].append(i)
        elif runs[-1]:
            runs.append([])
    return [run for run in runs if len(run) > 1]


def _hover(axes: Axes, row: GroupProfile) -> Iterable[str]:
    places = decimals(abs(axes.y[1] - axes.y[0]) / 10)
    for i, (a, b) in enumerate(zip(row.edges[:-1], row.edges[1:], strict=True)):
        lines = [f"depth {a:.2f} to {b:.2f}"]
        for word, e, n in zip(
            ("patients", "controls"), (row.patients[i], row.controls[i]), row.counts[i], strict=True
        ):
            if n:
                lines.append(f"{word}: {interval(e, places)}, n = {n}")
        if math.isfinite(row.p[i]):
            lines.append(f"corrected p {p_text(row.p[i])}")
        text = "\n".join(lines)
        yield (
            f"<rect x='{axes.px(a):.1f}' y='{axes.top}' width='{axes.px(b) - axes.px(a):.1f}' "
            f"height='{axes.bottom - axes.top}' fill='transparent'><title>{escape(text)}</title>"
            "</rect>"
        )


LINES = 36
"""Lines of one chart of effects, so that it fits on a page."""

Group = TypeVar("Group")


def on_pages(
    groups: Sequence[tuple[str, Sequence[Group]]], most: int
) -> list[list[tuple[str, Sequence[Group]]]]:
    """Named groups of lines in parts of so many lines at most; a group stays together."""
    parts: list[list[tuple[str, Sequence[Group]]]] = [[]]
    lines = 0
    for group in groups:
        own = 1 + len(group[1])
        if parts[-1] and lines + own > most:
            parts.append([])
            lines = 0
        parts[-1].append(group)
        lines += own
    return parts


def effects(groups: Sequence[tuple[str, Sequence[tuple[str, Estimate]]]]) -> list[str]:
    """Hedges' g of all comparisons with intervals, in charts of one scale.

    Args:
        groups: measures, each with (region, g) of its rows.
    """
    every = [e for _, rows in groups for _, e in rows if e.known]
    if not every:
        return []
    ends = np.array([v for e in every for v in (e.low, e.high)] + [-1.0, 1.0])
    ends_of_axis = _range(ends[np.isfinite(ends)], 0.03)
    return [_effects(part, ends_of_axis) for part in on_pages(groups, LINES)]


def _effects(
    groups: Sequence[tuple[str, Sequence[tuple[str, Estimate]]]], ends: tuple[float, float]
) -> str:
    count = sum(1 + len(rows) for _, rows in groups)
    step = 19
    axes = Axes(ends, (count, 0), 760, 40 + step * count + 44, left=250, bottom=44)
    axes.x_axis("Hedges’ g (patients minus controls, in standard deviations)", 9)
    axes.line(axes.px(0), axes.top, axes.px(0), axes.bottom, "#9aa5ad")
    at = 0
    for name, rows in groups:
        axes.text(4, axes.py(at + 0.5) + 4, shorten(name, 44), "start", INK)
        at += 1
        for region, e in rows:
            y = axes.py(at + 0.5)
            axes.text(20, y + 4, shorten(region, 32), "start")
            if e.known:
                clear = e.low > 0 or e.high < 0
                colour = INK if clear else "#8b97a0"
                axes.line(axes.px(e.low), y, axes.px(e.high), y, colour, width=1.6)
                tip = escape(f"{name}, {region}: g {share(e)}")
                axes.parts.append(
                    f"<rect x='{axes.px(e.value) - 4:.1f}' y='{y - 4:.1f}' width='8' height='8' "
                    f"fill='{colour}'><title>{tip}</title></rect>"
                )
            at += 1
    return axes.svg("Effect sizes")


def _range(values: NDArray[np.float64], room: float) -> tuple[float, float]:
    low, high = float(values.min()), float(values.max())
    more = room * (high - low) or 0.05 * abs(high) or 1.0
    return low - more, high + more


# Numbers --------------------------------------------------------------------------------


def two(value: float) -> str:
    """A share or coefficient with two decimals."""
    return words.minus(f"{value + 0.0:.2f}") if math.isfinite(value) else "–"


def decimals(sd: float) -> int:
    """Decimals that show a standard deviation with three digits."""
    return words.significant(sd, 3) if math.isfinite(sd) else 3


def fixed(value: float, places: int) -> str:
    """A number with so many decimals."""
    if not math.isfinite(value):
        return "–"
    if places == 6 and 0 < abs(value) < 1e-3:
        return words.number(value)
    text = f"{value + 0.0:,.{places}f}".replace(",", words.NARROW_SPACE)
    return words.minus(text)


def interval(e: Estimate, places: int) -> str:
    """A number and its interval in brackets."""
    if not e.known:
        return "–"
    ends = f" ({fixed(e.low, places)} to {fixed(e.high, places)})" if math.isfinite(e.low) else ""
    return f"{fixed(e.value, places)}{ends}"


def share(e: Estimate) -> str:
    """A coefficient or share and its interval, two decimals."""
    if not e.known:
        return "–"
    ends = f" ({two(e.low)} to {two(e.high)})" if math.isfinite(e.low) else ""
    return f"{two(e.value)}{ends}"


def percent(e: Estimate) -> str:
    """A share and its interval as whole percents."""
    if not e.known:
        return "–"
    return f"{100 * e.value:.0f} % ({100 * e.low:.0f} to {100 * e.high:.0f})"


def p_text(p: float) -> str:
    """A p or q value with three decimals."""
    if not math.isfinite(p):
        return "–"
    return "< 0.001" if p < 0.001 else f"{p:.3f}"
