"""The page of one patient among controls, and its sections for the subject's report."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

from . import compare_charts as charts
from . import words
from .html import DISCLAIMER, Section, alerts, byline, cards, document, tabulate
from .study_charts import decimals, fixed, p_text
from .study_page import computed
from .style import STYLE, TABLES_STYLE

if TYPE_CHECKING:
    from ..compare import Compared
    from ..study.placed import Comparison, Placed
    from ..study.statistics.interval import Estimate
    from ..study.statistics.single_case import SingleCase

SOURCES = {
    "howell": "Crawford and Howell, Clin Neuropsychol 1998, 12:482",
    "share": "Crawford and Garthwaite, Neuropsychologia 2002, 40:1196",
    "regression": "Crawford and Garthwaite, Neuropsychology 2006, 20:259",
    "hochberg": "Benjamini and Hochberg, J R Stat Soc B 1995, 57:289",
}


def write_compare_report(found: Compared, path: Path, provenance: Mapping[str, Any]) -> None:
    """Writes the page.

    Args:
        found: the patient among controls.
        path: the file to write.
        provenance: ``command``, ``inputs``, ``versions``, ``started``.
    """
    path.write_text(page(found, provenance), encoding="utf-8", newline="\n")


def page(found: Compared, provenance: Mapping[str, Any]) -> str:
    """The page as HTML; arguments as for :func:`write_compare_report`."""
    comparison = found.comparison
    sections = [
        ("summary", "Summary", summary(found)),
        *comparison_sections(comparison, whole=True),
        ("methods", "Methods", f"<div class='methods'>{methods(comparison)}</div>"),
        ("omissions", "What is missing or left out", omissions(comparison)),
        ("provenance", "How it was computed", computed(provenance)),
    ]
    title = f"Motor cortex: {comparison.person.name} among controls"
    return document(title, byline(provenance, "computed"), sections, STYLE + TABLES_STYLE)


def comparison_sections(found: Comparison, whole: bool = False) -> list[Section]:
    """Measures and profiles among the controls', as the subject's report shows them too.

    Args:
        found: the comparison.
        whole: whether to show beside age and sex held equal the same without.
    """
    return [
        ("controls", "Against controls", measures(found, whole)),
        ("bands", "Laminar profiles over the controls’ band", profiles(found)),
    ]


def summary(found: Compared) -> str:
    """Who is compared, and what is farthest from what is expected."""
    warnings = [f.message for f in found.findings if f.warning]
    box = f"<div class='cards'>{cards(_cards(found.comparison))}</div>"
    return (
        f"<div class='box'>{box}{alerts(warnings, 'Mind')}</div><p class='plain'>{DISCLAIMER}</p>"
    )


def _cards(found: Comparison) -> Iterator[tuple[str, str, str]]:
    person, n = found.person, len(found.controls.ids)
    known = [f"{person.age:g} years" if person.age == person.age else "", person.sex]
    yield "Patient", person.name, ", ".join(filter(None, known)) or "age and sex not known"
    held = f"held equal: {' and '.join(found.held)}" if found.held else "of any age and sex"
    yield "Controls", str(n), held
    clear = sum(row.q <= 0.05 for row in found.rows)
    yield "Unusual measures", str(clear), f"of {len(found.rows)}; q ≤ 0.05"
    for row in sorted(found.rows, key=lambda r: r.told.p)[:2]:
        note = f"{row.key.region}; z {words.minus(f'{row.told.z.value:.1f}')}"
        yield _name(row), f"{percent(row.told.below.value)} % below", note


def measures(found: Comparison, whole: bool) -> str:
    """The chart and table of all measures; ``whole`` also without age and sex held equal."""
    groups = _by_measure(found.rows)
    n, total = len(found.controls.ids), len(found.rows)
    held = f" at equal {' and '.join(found.held)}" if found.held else ""
    chance = (
        f" Of {total} measures about {max(1, round(total / 20))} lie outside the band by chance."
        if total > 5
        else ""
    )
    drawn = charts.z_charts(groups)
    figures = "".join(f"<figure class='forest'>{chart}</figure>" for chart in drawn)
    return (
        f"<p>The patient among {n} controls{held}. <em>Below</em> is the share of such controls "
        "expected to have a lower value; times 100 it is the percentile. With few controls its "
        f"interval is wide, and that is part of the result.{chance}</p>"
        f"{charts.z_key()}{figures}{_tables(found, groups, whole)}"
    )


def _by_measure(rows: Sequence[Placed]) -> list[tuple[str, list[Placed]]]:
    found: dict[str, list[Placed]] = {}
    for row in rows:
        unit = words.unit_name(row.unit)
        found.setdefault(f"{_name(row)} ({unit})" if unit else _name(row), []).append(row)
    return list(found.items())


def _name(row: Placed) -> str:
    name = words.term(row.key.measure).name
    return f"{row.key.map}: {name[0].lower()}{name[1:]}" if row.key.map else name


def _tables(found: Comparison, groups: Sequence[tuple[str, Sequence[Placed]]], whole: bool) -> str:
    held = " and ".join(found.held)
    told = f"The patient among controls{f' at equal {held}' if held else ''} (95 % intervals)"
    html = _table(told, groups, lambda row: row.told, True)
    if held and whole:
        plain = "The same among controls of any age and sex"
        html += _table(plain, groups, lambda row: row.plain, False)
    return html


def _table(
    caption: str,
    groups: Sequence[tuple[str, Sequence[Placed]]],
    case_of: Callable[[Placed], SingleCase],
    with_q: bool,
) -> str:
    heads = ["Region", "Patient", "Expected", "95 % of controls", "n", "z", "Below (%)", "p"]
    heads += ["q"] if with_q else []
    lines: list[list[str]] = []
    for name, rows in groups:
        lines.append([escape(name)])
        places = decimals(max(row.plain.sd for row in rows))
        for row in rows:
            case = case_of(row)
            e = case.expected
            lines.append(
                [
                    escape(row.key.region),
                    fixed(case.value, places),
                    fixed(e.value, places),
                    f"{fixed(e.low, places)} to {fixed(e.high, places)}",
                    str(case.n),
                    _z(case.z),
                    _share(case.below),
                    p_text(case.p),
                    *([p_text(row.q)] if with_q else []),
                ]
            )
    return tabulate(heads, lines, caption, range(1, len(heads)), "dense")


def _z(e: Estimate) -> str:
    ends = f" ({e.low:.2f} to {e.high:.2f})" if math.isfinite(e.low) else ""
    return words.minus(f"{e.value:.2f}{ends}")


def _share(e: Estimate) -> str:
    value, low, high = (percent(x) for x in (e.value, e.low, e.high))
    return value if value == low == high else f"{value} ({low} to {high})"


def percent(share: float) -> str:
    """A share in percent, with decimals near both ends."""
    value = 100 * share
    if not math.isfinite(value):
        return "–"
    if value < 0.1:
        return "< 0.1"
    if value > 99.9:
        return "> 99.9"
    return f"{value:.1f}" if value < 10 or value > 90 else f"{value:.0f}"


def profiles(found: Comparison) -> str:
    """The patient's laminar profiles over the controls' band, two side by side."""
    figures = []
    for row in found.profiles:
        drawn = charts.profile(row, words.unit_name(row.unit) or row.map)
        if drawn:
            title = f"{escape(row.map)}, {escape(row.region)}"
            figures.append(f"<figure><figcaption>{title}</figcaption>{drawn}</figure>")
    if not figures:
        return ""
    n = max(row.n for row in found.profiles)
    return f"{charts.profile_key(n)}<div class='couple'>{''.join(figures)}</div>"


def methods(found: Comparison) -> str:
    """What was done, in sentences with their sources."""
    n = len(found.controls.ids)
    text = (
        f"The patient was compared with {n} controls by Crawford and Howell’s t test "
        f"({SOURCES['howell']}), which takes the controls as a sample and not as the population. "
        "The share of controls below the patient is the one-sided p of this test; its interval "
        f"comes from the noncentral t distribution ({SOURCES['share']}). It takes the controls’ "
        "values as normally distributed. p values are two-sided."
    )
    if found.held:
        text += (
            f" Expected values at the patient’s {' and '.join(found.held)} come from the "
            "controls’ linear regression, with the same test and intervals on its residuals "
            f"({SOURCES['regression']})."
        )
    text += (
        f" q values are p values adjusted by Benjamini and Hochberg ({SOURCES['hochberg']}) over "
        f"all {len(found.rows)} measures compared."
    )
    if found.profiles:
        text += (
            " Bands of laminar profiles hold one more control in 95 % of cases at each depth "
            "alone; along a whole profile a control leaves the band somewhere more often. "
            "Profiles are not adjusted."
        )
    return f"<p>{escape(text)}</p>"


def omissions(found: Comparison) -> str:
    """All that is missing or left out."""
    rows = [
        [escape(o.kind), escape(o.item), str(o.n), escape(o.reason)]
        for o in found.controls.omissions
    ]
    if not rows:
        return "<p>Nothing is missing, and nothing was left out.</p>"
    return tabulate(["Kind", "What", "n", "Why"], rows, "", (2,))
