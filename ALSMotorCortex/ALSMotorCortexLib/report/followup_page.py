"""The page of a follow-up: one HTML file with its figures inside, for the screen and for paper."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from . import words
from .charts import INK, QUIET, Axes, box_swatch, legend, line_swatch, series_style
from .html import DISCLAIMER, alerts, byline, cards, document, tabulate
from .study_charts import decimals, fixed, interval, p_text
from .study_page import computed
from .style import STYLE, TABLES_STYLE

if TYPE_CHECKING:
    from ..followup import Followed as Found
    from ..study.followed import Followed, FollowUp
    from ..study.measures import Key
    from ..study.statistics.change import Repeatability

FIGURES = 24
"""Measures that are drawn; the tables have all."""

PEOPLE = 8
"""Participants that have a colour of their own; more are all gray."""

SOURCES = {
    "error": "Bland and Altman, BMJ 1996, 313:744",
    "detectable": "Bland and Altman, Stat Methods Med Res 1999, 8:135",
}


def write_followup_report(found: Found, path: Path, provenance: Mapping[str, Any]) -> None:
    """Writes the page.

    Args:
        found: the follow-up.
        path: the file to write.
        provenance: ``command``, ``inputs``, ``versions``, ``started``.
    """
    path.write_text(page(found, provenance), encoding="utf-8", newline="\n")


def page(found: Found, provenance: Mapping[str, Any]) -> str:
    """The page as HTML; arguments as for :func:`write_followup_report`."""
    result = found.result
    sections = [
        ("summary", "Summary", summary(found)),
        ("courses", "Courses", courses(result)),
        ("changes", "Change per month", changes(result)),
        ("rates", "Groups", rates(result)),
        ("error", "Error of measurement", errors(result)),
        ("methods", "Methods", f"<div class='methods'>{methods(result)}</div>"),
        ("omissions", "What is missing or left out", omissions(result)),
        ("provenance", "How it was computed", computed(provenance)),
    ]
    title = "Motor cortex: follow-up"
    return document(title, byline(provenance, "computed"), sections, STYLE + TABLES_STYLE)


def summary(found: Found) -> str:
    """Key numbers, and what the reader should know before reading on."""
    warnings = [f.message for f in found.findings if f.warning]
    return (
        f"<div class='box'><div class='cards'>{cards(_cards(found.result))}</div>"
        f"{alerts(warnings, 'Mind')}</div><p class='plain'>{DISCLAIMER}</p>"
    )


def _cards(found: FollowUp) -> Iterator[tuple[str, str, str]]:
    people = {row.participant for row in found.rows}
    exams = [row.change.n for row in found.rows]
    spans = [row.change.months for row in found.rows]
    yield "Participants", str(len(people)), f"{_span(exams, 0)} exams"
    yield "Time", f"{_span(spans, 1)} months", "from the first exam to the last"
    known = [row for row in found.rows if row.change.beyond_error is not None]
    if known:
        clear = sum(bool(row.change.beyond_error) for row in known)
        yield "Beyond error", str(clear), f"of {len(known)} changes; 95 %"
    else:
        yield "Beyond error", "unknown", "no test and retest were given"


def _span(values: Sequence[float], places: int) -> str:
    low, high = (f"{v:.{places}f}" for v in (min(values), max(values)))
    return low if low == high else f"{low} to {high}"


def _by_key(found: FollowUp) -> dict[Key, list[Followed]]:
    rows: dict[Key, list[Followed]] = {}
    for row in found.rows:
        rows.setdefault(row.key, []).append(row)
    return rows


def _title(key: Key, unit: str) -> str:
    name = words.term(key.measure).name
    name = f"{key.map}: {name[0].lower()}{name[1:]}" if key.map else name
    shown = words.unit_name(unit)
    return f"{name} ({shown})" if shown else name


# Courses --------------------------------------------------------------------------------


def courses(found: FollowUp) -> str:
    """Every participant's values over time, a figure for each measure."""
    grouped = list(_by_key(found).items())
    people = list(dict.fromkeys(row.participant for row in found.rows))
    figures = []
    for key, rows in grouped[:FIGURES]:
        title = f"{_title(key, rows[0].unit)}, {key.region}"
        chart = course(rows, people, found.error_of(key))
        figures.append(f"<figure><figcaption>{escape(title)}</figcaption>{chart}</figure>")
    more = (
        f"<p>Drawn are the first {FIGURES} of {len(grouped)} measures; the table has all.</p>"
        if len(grouped) > FIGURES
        else ""
    )
    return f"{more}{_course_key(found, people)}<div class='three'>{''.join(figures)}</div>"


def course(rows: Sequence[Followed], people: Sequence[str], error: Repeatability | None) -> str:
    """Values of one measure over the months, joined for each participant.

    Args:
        rows: of all participants.
        people: all of them, in the order of their colours.
        error: of measurement; each value gets a bar of one within-subject standard deviation to
            either side, and a single participant the band outside of which a change from the
            first exam is more than error.
    """
    ends = np.concatenate([row.values for row in rows])
    reach = error.detectable if error and len(rows) == 1 else error.sd.value if error else 0.0
    low, high = float(ends.min()) - reach, float(ends.max()) + reach
    room = 0.06 * (high - low) or 0.05 * abs(high) or 1.0
    last = max(float(row.months[-1]) for row in rows)
    axes = Axes((-0.04 * last, 1.04 * last), (low - room, high + room), 330, 290, 58, 44)
    axes.x_axis("Months since the first exam", 6)
    axes.y_axis("ratio" if rows[0].unit == "1" else words.unit_name(rows[0].unit) or "no unit")
    if error and len(rows) == 1:
        _band(axes, rows[0].change.first, error.detectable)
    for row in rows:
        colour, dash = _style(people, row.participant)
        x, y = axes.px(row.months), axes.py(row.values)
        points = "L".join(f"{a:.1f} {b:.1f}" for a, b in zip(x, y, strict=True))
        axes.path(f"M{points}", fill="none", stroke=colour, stroke_width=1.6,
                  stroke_dasharray=dash or "none")  # fmt: skip
        for a, b, value, session in zip(x, y, row.values, row.sessions, strict=True):
            if error:
                half = abs(axes.py(0) - axes.py(error.sd.value))
                axes.line(a, b - half, a, b + half, colour)
            tip = escape(f"{row.participant}, {session}: {words.with_unit(value, row.unit)}")
            axes.parts.append(
                f"<circle cx='{a:.1f}' cy='{b:.1f}' r='3.2' fill='{colour}' stroke='#fff' "
                f"stroke-width='0.7'><title>{tip}</title></circle>"
            )
    return axes.svg(f"{rows[0].key} over time")


def _band(axes: Axes, first: float, detectable: float) -> None:
    top, bottom = axes.py(first + detectable), axes.py(first - detectable)
    axes.parts.append(
        f"<rect x='{axes.left}' y='{top:.1f}' width='{axes.right - axes.left}' "
        f"height='{bottom - top:.1f}' fill='{QUIET}' fill-opacity='0.14'/>"
    )


def _style(people: Sequence[str], participant: str) -> tuple[str, str]:
    return series_style(people.index(participant)) if len(people) <= PEOPLE else (QUIET, "")


def _course_key(found: FollowUp, people: Sequence[str]) -> str:
    entries = [
        (line_swatch(*_style(people, name), 1.6), name) for name in people if len(people) <= PEOPLE
    ]
    if any(e.found for e in found.errors):
        entries.append(
            (f"<line x1='13' y1='0' x2='13' y2='12' stroke='{INK}'/>", "± within-subject SD")
        )
        if len(people) == 1:
            text = "change from the first exam within error of measurement"
            entries.append((box_swatch(QUIET, 0.2), text))
    return legend(entries) if entries else ""


# Tables ---------------------------------------------------------------------------------


def changes(found: FollowUp) -> str:
    """Every participant's change of every measure."""
    known = any(e.found for e in found.errors)
    heads = ["Region", "Participant", "Exams", "Months", "First", "Last", "Change per month",
             "p"]  # fmt: skip
    heads += ["95 % from error", "Detectable", "Beyond error"] if known else []
    lines: list[list[str]] = []
    heading = ""
    for key, rows in _by_key(found).items():
        title = _title(key, rows[0].unit)
        if title != heading:
            lines.append([escape(title)])
            heading = title
        spread = float(np.concatenate([row.values for row in rows]).std())
        places = decimals(spread) if spread else 3
        for row in rows:
            lines.append(_change_cells(row, places, known))
    caption = "Change per month (95 % intervals from the scatter of three exams or more)"
    return tabulate(heads, lines, caption, range(2, len(heads)), "dense")


def _change_cells(row: Followed, places: int, known: bool) -> list[str]:
    c = row.change
    cells = [escape(row.key.region), escape(row.participant), str(c.n), f"{c.months:.1f}",
             fixed(c.first, places), fixed(c.last, places),
             interval(c.slope, min(places + 1, 6)), p_text(c.p)]  # fmt: skip
    if known:
        told = {True: "yes", False: "no", None: "unknown"}[c.beyond_error]
        ends = (
            f"{fixed(c.measured.low, places + 1)} to {fixed(c.measured.high, places + 1)}"
            if c.measured.known
            else "–"
        )
        cells += [ends, fixed(c.detectable, places), told]
    return cells


def rates(found: FollowUp) -> str:
    """Mean change per month of each group."""
    rows = [rate for rate in found.rates if rate.n > 1]
    if not rows:
        return ""
    lines: list[list[str]] = []
    heading = ""
    for rate in rows:
        title = _title(rate.key, rate.unit)
        if title != heading:
            lines.append([escape(title)])
            heading = title
        places = decimals(rate.sd) if rate.sd > 0 else 4
        lines.append([escape(rate.key.region), escape(rate.group), str(rate.n),
                      interval(rate.slope, places), fixed(rate.sd, places)])  # fmt: skip
    heads = ["Region", "Group", "n", "Change per month", "SD between participants"]
    return tabulate(heads, lines, "Mean change per month (95 % intervals)", (2, 3, 4), "dense")


def errors(found: FollowUp) -> str:
    """The error of measurement of each measure."""
    if not found.errors:
        return (
            "<p>Unknown. Without people who were measured twice while nothing changed, it cannot "
            "be told whether a change is more than error of measurement.</p>"
        )
    lines = []
    for e in found.errors:
        name = [escape(_title(e.key, e.unit)), escape(e.key.region)]
        if e.found is None:
            lines.append([*name, *["–"] * 4])
            continue
        places = decimals(e.found.sd.value)
        lines.append([*name, str(e.found.subjects), interval(e.found.sd, places),
                      fixed(e.found.detectable, places),
                      interval(e.found.bias, places)])  # fmt: skip
    heads = ["Measure", "Region", "Subjects", "Within-subject SD", "Minimal detectable change",
             "Retest minus test"]  # fmt: skip
    return tabulate(heads, lines, "From test and retest (95 % intervals)", range(2, 6), "dense")


def methods(found: FollowUp) -> str:
    """What was done, in sentences with their sources."""
    most = max(row.change.n for row in found.rows)
    text = "Change per month is the difference of two exams over the time between them"
    if most > 2:
        text += (
            "; with three exams or more it is the least-squares slope, whose interval comes from "
            "the scatter of the exams around the line (Student’s t with n − 2 degrees of freedom)"
        )
    text += ". A month has 365.25 / 12 days."
    known = [e.found for e in found.errors if e.found]
    if known:
        low, high = min(e.df for e in known), max(e.df for e in known)
        df = str(low) if low == high else f"{low} to {high}"
        text += (
            " The error of measurement is the within-subject standard deviation of test and "
            f"retest ({SOURCES['error']}). A change is beyond error where it is more than two "
            "measurements of someone unchanged differ in 95 % of cases: t √2 within-subject SD "
            f"for two exams ({SOURCES['detectable']}), with Student’s t ({df} degrees of freedom) "
            "in place of 1.96 because the standard deviation is known from few people. It holds "
            "for exams as alike as test and retest were."
        )
    else:
        text += " The error of measurement is not known."
    text += " Many measures were looked at; p values are not adjusted for their number."
    return f"<p>{escape(text)}</p>"


def omissions(found: FollowUp) -> str:
    """All that is missing or left out."""
    rows = [[escape(o.kind), escape(o.item), str(o.n), escape(o.reason)] for o in found.omissions]
    if not rows:
        return "<p>Nothing is missing, and nothing was left out.</p>"
    return tabulate(["Kind", "What", "n", "Why"], rows, "", (2,))
