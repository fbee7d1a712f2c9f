"""Figures of one patient among controls, as inline SVG."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from html import escape
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from . import words
from .charts import INK, Axes, box_swatch, legend, line_swatch, shorten
from .raster import BLUE, VERMILLION
from .study_charts import on_pages

if TYPE_CHECKING:
    from ..study.placed import Placed, PlacedProfile

PATIENT, CONTROLS = f"#{VERMILLION}", f"#{BLUE}"

FARTHEST = 8.0
"""z at which the axis ends; who lies beyond is drawn at its end as a triangle."""

STEP = 22

LINES = 30
"""Lines of one chart, so that it fits on a page; a measure's regions stay together."""


def z_charts(groups: Sequence[tuple[str, Sequence[Placed]]]) -> list[str]:
    """Every measure's z with its interval, over the controls' own; several charts of one scale.

    Args:
        groups: measures by name, each with its rows, one for each region.
    """
    rows = [row for _, own in groups for row in own]
    ends = [abs(v) for row in rows for v in (row.told.z.low, row.told.z.high)]
    ends += [float(np.abs(_standard(row)).max()) for row in rows]
    reach = min(max([3.0, *(e for e in ends if math.isfinite(e))]) * 1.05, FARTHEST)
    return [_z_chart(part, reach) for part in on_pages(groups, LINES)]


def _z_chart(groups: Sequence[tuple[str, Sequence[Placed]]], reach: float) -> str:
    count = sum(1 + len(own) for _, own in groups)
    axes = Axes((-reach, reach), (count, 0), 760, 40 + STEP * count + 44, left=250, bottom=44)
    axes.x_axis("z: distance from what is expected, in the controls’ standard deviations", 9)
    axes.line(axes.px(0), axes.top, axes.px(0), axes.bottom, "#9aa5ad")
    at = 0.5
    for name, own in groups:
        axes.text(4, axes.py(at) + 4, shorten(name, 44), "start", INK)
        at += 1
        for row in own:
            _row(axes, at, row)
            at += 1
    return axes.svg("The patient among the controls")


def _standard(row: Placed) -> NDArray[np.float64]:
    """(n,) the controls' own z."""
    return (row.controls - row.plain.expected.value) / row.plain.sd


def _row(axes: Axes, at: float, row: Placed) -> None:
    y, case = axes.py(at), row.told
    axes.text(20, y + 4, shorten(row.key.region, 32), "start")
    half = (case.expected.high - case.expected.value) / case.sd
    left, right = _x(axes, -half), _x(axes, half)
    axes.parts.append(
        f"<rect x='{left:.1f}' y='{y - 8:.1f}' width='{right - left:.1f}' height='16' "
        f"fill='{CONTROLS}' fill-opacity='0.14'/>"
    )
    for z in _standard(row):
        axes.parts.append(
            f"<circle cx='{_x(axes, float(z)):.1f}' cy='{y:.1f}' r='2.4' fill='{CONTROLS}' "
            "fill-opacity='0.75'/>"
        )
    if math.isfinite(case.z.low):
        axes.line(_x(axes, case.z.low), y, _x(axes, case.z.high), y, PATIENT, width=1.6)
    tip = escape(f"{row.key}: z {case.z.value:.2f} ({case.z.low:.2f} to {case.z.high:.2f})")
    axes.parts.append(_patient(axes, case.z.value, y, tip))


def _x(axes: Axes, z: float) -> float:
    return float(axes.px(min(max(z, axes.x[0]), axes.x[1])))


def _patient(axes: Axes, z: float, y: float, tip: str) -> str:
    """The patient's mark: a disc, or a triangle at the end of the axis that it lies beyond."""
    x, style = _x(axes, z), f"fill='{PATIENT}' stroke='#fff' stroke-width='1'"
    if axes.x[0] <= z <= axes.x[1]:
        return f"<circle cx='{x:.1f}' cy='{y:.1f}' r='5' {style}><title>{tip}</title></circle>"
    back = 9 if z < 0 else -9
    return (
        f"<path d='M{x:.1f} {y:.1f}L{x + back:.1f} {y - 5:.1f}L{x + back:.1f} {y + 5:.1f}Z' "
        f"{style}><title>{tip}</title></path>"
    )


def z_key() -> str:
    """What the marks of :func:`z_charts` mean."""
    disc = f"<circle cx='13' cy='6' r='5' fill='{PATIENT}'/>"
    dot = f"<circle cx='13' cy='6' r='2.4' fill='{CONTROLS}'/>"
    return legend(
        [
            (line_swatch(PATIENT, "", 1.6) + disc, "patient with 95 % interval"),
            (dot, "each control"),
            (box_swatch(CONTROLS, 0.2), "holds one more control in 95 % of cases"),
        ]
    )


def profile(row: PlacedProfile, title: str) -> str:
    """The patient's laminar profile over the controls' band."""
    middles = (row.edges[:-1] + row.edges[1:]) / 2
    known = [i for i, case in enumerate(row.bins) if case is not None]
    if not known:
        return ""
    cases = {i: case for i, case in enumerate(row.bins) if case is not None}
    ends = np.array([v for c in cases.values() for v in (c.expected.low, c.expected.high, c.value)])
    room = 0.07 * float(np.ptp(ends)) or 1.0
    low, high = float(ends.min()) - room, float(ends.max()) + room
    axes = Axes((0, 1), (low, high), 500, 310, left=58, bottom=46)
    axes.x_axis("Cortical depth")
    axes.y_axis(title)
    axes.text(axes.left, axes.height - 8, "pial", "start")
    axes.text(axes.right, axes.height - 8, "white matter", "end")
    for run in _runs(known):
        over = [f"{axes.px(middles[i]):.1f} {axes.py(cases[i].expected.high):.1f}" for i in run]
        under = [f"{axes.px(middles[i]):.1f} {axes.py(cases[i].expected.low):.1f}" for i in run]
        axes.path("M" + "L".join(over + under[::-1]) + "Z", fill=CONTROLS, fill_opacity=0.16)
        mean = [f"{axes.px(middles[i]):.1f} {axes.py(cases[i].expected.value):.1f}" for i in run]
        axes.path("M" + "L".join(mean), fill="none", stroke=CONTROLS, stroke_width=2.2,
                  stroke_dasharray="7 3")  # fmt: skip
        own = [f"{axes.px(middles[i]):.1f} {axes.py(cases[i].value):.1f}" for i in run]
        axes.path("M" + "L".join(own), fill="none", stroke=PATIENT, stroke_width=2.6,
                  stroke_linejoin="round")  # fmt: skip
    axes.parts += _hover(axes, row)
    return axes.svg(f"Laminar profile over the controls' band: {title}")


def _runs(known: Sequence[int]) -> list[list[int]]:
    """Stretches of neighbouring bins."""
    runs: list[list[int]] = []
    for i in known:
        if runs and runs[-1][-1] == i - 1:
            runs[-1].append(i)
        else:
            runs.append([i])
    return [run for run in runs if len(run) > 1]


def _hover(axes: Axes, row: PlacedProfile) -> Iterable[str]:
    for a, b, case in zip(row.edges[:-1], row.edges[1:], row.bins, strict=True):
        if case is None:
            continue
        text = "\n".join(
            [
                f"depth {a:.2f} to {b:.2f}",
                f"patient: {words.with_unit(case.value, row.unit)}",
                f"controls: {words.with_unit(case.expected.value, row.unit)}, n = {case.n}",
                f"z {case.z.value:.2f}; {100 * case.below.value:.1f} % below",
            ]
        )
        yield (
            f"<rect x='{axes.px(a):.1f}' y='{axes.top}' width='{axes.px(b) - axes.px(a):.1f}' "
            f"height='{axes.bottom - axes.top}' fill='transparent'><title>{escape(text)}</title>"
            "</rect>"
        )


def profile_key(n: int) -> str:
    """What lines and band of :func:`profile` mean."""
    return legend(
        [
            (line_swatch(PATIENT), "patient"),
            (line_swatch(CONTROLS, "7 3"), f"mean of the controls (n = {n})"),
            (
                box_swatch(CONTROLS, 0.2),
                "holds one more control in 95 % of cases, each depth alone",
            ),
        ]
    )
