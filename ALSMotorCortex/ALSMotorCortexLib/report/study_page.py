"""A study's report: one HTML file with its figures inside, for the screen and for A4 paper."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from html import escape
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

from . import study_charts as charts
from . import words
from .html import DISCLAIMER, byline, document, pairs, tabulate
from .study_charts import decimals, fixed, interval, p_text, percent, share, two
from .study_methods import methods
from .study_words import key_name, measure_name, score_name, unit_of
from .style import STYLE, TABLES_STYLE

if TYPE_CHECKING:
    from ..group import GroupStudy
    from ..study.group_comparison import Comparison
    from ..study.group_correlation import ScoreCorrelation
    from ..study.statistics.descriptive import Description

REGIONS = 9
"""Regions in one figure of boxes."""

SCATTERS = 12
"""Pairs of score and measure that are drawn; the table has all."""

CURVES = 6
"""ROC curves in one figure."""


def write_study_report(found: GroupStudy, path: Path, provenance: Mapping[str, Any]) -> None:
    """Writes the page.

    Args:
        found: the study's results.
        path: the file to write.
        provenance: ``command``, ``inputs``, ``versions``, ``started``.
    """
    path.write_text(page(found, provenance), encoding="utf-8", newline="\n")


def page(found: GroupStudy, provenance: Mapping[str, Any]) -> str:
    """The report as HTML; arguments as for :func:`write_study_report`."""
    sections = [
        ("summary", "Summary", summary(found)),
        ("participants", "Participants", participants(found)),
        ("differences", "Patients and controls", differences(found)),
        ("profiles", "Laminar profiles", profiles(found)),
        ("accuracy", "Diagnostic accuracy", accuracy(found)),
        ("correlations", "Correlations with clinical scores", correlations(found)),
        ("omissions", "What is missing or left out", omissions(found)),
        ("methods", "Methods", f"<div class='methods'>{methods(found)}</div>"),
        ("provenance", "How it was computed", computed(provenance)),
    ]
    title = "Motor cortex: group study"
    return document(title, byline(provenance, "computed"), sections, STYLE + TABLES_STYLE)


# Summary --------------------------------------------------------------------------------


def summary(found: GroupStudy) -> str:
    """Key numbers, and what the user should know before reading on."""
    cards = "".join(
        f"<div class='card'><h3>{escape(name)}</h3><p class='big'>{escape(value)}</p>"
        f"<p>{escape(note)}</p></div>"
        for name, value, note in _cards(found)
    )
    warnings = [f.message for f in found.findings if f.warning]
    items = "".join(f"<li>{escape(text)}</li>" for text in warnings)
    alert = f"<h3 class='alert'>Left out</h3><ul class='findings warning'>{items}</ul>"
    return (
        f"<div class='box'><div class='cards'>{cards}</div>{alert if warnings else ''}</div>"
        f"<p class='plain'>{DISCLAIMER}</p>"
    )


def _cards(found: GroupStudy) -> Iterator[tuple[str, str, str]]:
    for group in found.groups:
        yield group.role.capitalize(), str(group.n), f"group {group.name}"
    rows = [row.difference for row in found.comparisons if row.difference]
    if rows:
        clear = sum(d.mann_whitney_q <= 0.05 for d in rows)
        note = f"of {len(rows)} measures; Mann-Whitney, q ≤ 0.05"
        yield "Measures that differ", str(clear), note
    if found.combined:
        result = found.combined.result
        yield (
            "Accuracy, measures combined",
            f"{100 * result.crossed.accuracy.value:.0f} %",
            f"leave one out, {percent(result.crossed.accuracy).split('%', 1)[1].strip(' ()')} %; "
            f"apparent {100 * result.apparent.accuracy.value:.0f} %",
        )
    if found.correlations:
        clear = sum(row.spearman_q <= 0.05 for row in found.correlations)
        note = f"of {len(found.correlations)} pairs with scores; Spearman, q ≤ 0.05"
        yield "Correlations", str(clear), note


def participants(found: GroupStudy) -> str:
    """Age, sex and scores of the groups."""
    heads = ["", *(f"{g.role.capitalize()} ({g.name})" for g in found.groups)]
    rows = [["Participants", *(str(g.n) for g in found.groups)]]
    rows.append(["Age (years)", *(_spread(g.age) for g in found.groups)])
    sexes = ", ".join(dict.fromkeys(s or "missing" for g in found.groups for s in g.sexes))
    counts = [
        " / ".join(str(g.sexes.get("" if s == "missing" else s, 0)) for s in sexes.split(", "))
        for g in found.groups
    ]
    rows.append([f"Sex ({escape(sexes.replace(', ', ' / '))})", *counts])
    for score in found.groups[0].scores if found.groups else ():
        cells = [_spread(g.scores[score]) for g in found.groups]
        rows.append([escape(score_name(score)), *cells])
    numbers = range(1, len(heads))
    table = tabulate(heads, rows, "", numbers, "narrow")
    return f"<p>Mean ± SD, range, and how many have a value.</p>{table}"


def _spread(d: Description) -> str:
    if not d.n:
        return "–"
    sd = f" ± {d.sd:.3g}" if math.isfinite(d.sd) else ""
    numbers = f"{d.mean.value:.3g}{sd}, {d.minimum:.3g} to {d.maximum:.3g}"
    return f"{words.minus(numbers)} <span class='faint'>(n = {d.n})</span>"


# Differences ----------------------------------------------------------------------------


def differences(found: GroupStudy) -> str:
    """Effect sizes, boxes and tables."""
    if not any(row.difference for row in found.comparisons):
        return _described_only(found)
    groups = by_measure(found.comparisons)
    effects = charts.effects(
        [
            (name, [(r.key.region, r.difference.hedges_g) for r in rows if r.difference])
            for name, rows in groups
        ]
    )
    forest = "<h3>Effect sizes with 95 % intervals</h3>" + "".join(
        f"<figure class='forest'>{chart}</figure>" for chart in effects
    )
    legend = charts.group_legend(found.data.names)
    return (
        "<p>Negative: patients have the lower values. Gray: the interval holds 0. "
        f"{_held(found)}</p>"
        f"{forest}<h3>Every participant</h3>"
        "<p>Boxes reach from the 25th to the 75th percentile with the median; whiskers to the "
        "farthest value within 1.5 times the box; each point is a participant; n of patients | "
        f"controls.</p>{legend}<div class='wholes'>{''.join(_boxes(groups))}</div>"
        f"{_tests_table(groups)}{_effects_table(found, groups)}"
    )


def _held(found: GroupStudy) -> str:
    return (
        f"Adjusted differences hold {' and '.join(found.adjusted)} constant."
        if found.adjusted
        else ""
    )


def _described_only(found: GroupStudy) -> str:
    if not found.comparisons:
        return ""
    groups = by_measure(found.comparisons)
    legend = charts.group_legend(found.data.names)
    return (
        "<p>The groups are not compared; see what is left out.</p>"
        f"{legend}<div class='wholes'>{''.join(_boxes(groups))}</div>{_tests_table(groups)}"
    )


def by_measure(rows: Sequence[Comparison]) -> list[tuple[str, list[Comparison]]]:
    """Comparisons by map and measure, named with their unit, in order of appearance."""
    found: dict[str, list[Comparison]] = {}
    for row in rows:
        found.setdefault(measure_name(row), []).append(row)
    return list(found.items())


def _boxes(groups: Sequence[tuple[str, Sequence[Comparison]]]) -> Iterator[str]:
    for name, rows in groups:
        for i in range(0, len(rows), REGIONS):
            part = rows[i : i + REGIONS]
            drawn = charts.boxes(part, unit_of(part[0]), [r.key.region for r in part])
            if drawn:
                width = min(100, round(100 * (80 + 110 * len(part)) / 960))
                yield (
                    f"<figure style='width:max({width}%,min(100%,330px))'>"
                    f"<figcaption>{escape(name)}</figcaption>{drawn}</figure>"
                )


def _tests_table(groups: Sequence[tuple[str, Sequence[Comparison]]]) -> str:
    heads = ["Region", "Patients", "Controls", "Difference (95 % interval)", "Welch p", "q",
             "Mann-Whitney p", "q"]  # fmt: skip
    rows: list[list[str]] = []
    for name, part in groups:
        rows.append([escape(name)])
        places = _places(part)
        for r in part:
            d = r.difference
            tests = (
                [interval(d.welch.difference, places), p_text(d.welch.p), p_text(d.welch_q),
                 p_text(d.mann_whitney.p), p_text(d.mann_whitney_q)]
                if d else ["–"] * 5
            )  # fmt: skip
            rows.append(
                [_region(r), _mean_sd(r.patients, places), _mean_sd(r.controls, places), *tests]
            )
    caption = "Means ± SD (n) and tests"
    return _dense(heads, rows, caption)


def _effects_table(found: GroupStudy, groups: Sequence[tuple[str, Sequence[Comparison]]]) -> str:
    heads = ["Region", "Hedges’ g", "Cliff’s delta", "n adjusted", "Adjusted difference", "p", "q",
             "Equal slopes p"]  # fmt: skip
    rows: list[list[str]] = []
    for name, part in groups:
        rows.append([escape(name)])
        places = _places(part)
        for r in part:
            d = r.difference
            if d is None:
                rows.append([_region(r), *["–"] * 7])
                continue
            a = d.ancova
            adjusted = (
                [str(a.n), interval(a.difference, places), p_text(a.p), p_text(d.ancova_q),
                 p_text(a.slopes_p)]
                if a else ["–"] * 5
            )  # fmt: skip
            rows.append([_region(r), share(d.hedges_g), share(d.cliffs_delta), *adjusted])
    held = f", and the difference at equal {' and '.join(found.adjusted)}" if found.adjusted else ""
    return _dense(heads, rows, f"Effect sizes{held} (95 % intervals)")


def _region(row: Comparison) -> str:
    return escape(row.key.region)


def _mean_sd(d: Description, places: int) -> str:
    if not d.n:
        return "– (0)"
    sd = f" ± {fixed(d.sd, places)}" if math.isfinite(d.sd) else ""
    return f"{fixed(d.mean.value, places)}{sd} <span class='faint'>({d.n})</span>"


def _places(rows: Sequence[Comparison]) -> int:
    """Decimals for all numbers of a measure."""
    spreads = [d.sd for r in rows for d in (r.patients, r.controls) if d.sd > 0]
    return decimals(max(spreads)) if spreads else 3


def _dense(heads: Sequence[str], rows: Sequence[Sequence[str]], caption: str) -> str:
    """A table whose rows of a single cell head the rows below them."""
    return tabulate(heads, rows, caption, range(1, len(heads)), "dense")


# Profiles -------------------------------------------------------------------------------


def profiles(found: GroupStudy) -> str:
    """Both groups' laminar profiles, two side by side."""
    figures = []
    for row in found.profiles:
        unit = words.unit_name(row.unit)
        drawn = charts.profile(row, unit or row.map)
        if drawn:
            n = " | ".join(str(k) for k in row.n)
            figures.append(
                f"<figure><figcaption>{escape(row.map)}, {escape(row.region)}</figcaption>{drawn}"
                f"<p class='under'>n = {n} patients | controls</p></figure>"
            )
    if not figures:
        return ""
    return f"{charts.profile_key(found.data.names)}<div class='couple'>{''.join(figures)}</div>"


# Accuracy -------------------------------------------------------------------------------


def accuracy(found: GroupStudy) -> str:
    """ROC curves by region, and the tables."""
    rows = [row for row in found.comparisons if row.diagnosis]
    if not rows:
        return ""
    figures = []
    whole = rows[0].key.region
    for region, part in groupby(
        sorted(rows, key=lambda r: _order(rows, r)), lambda r: r.key.region
    ):
        own = list(part)
        for i in range(0, len(own), CURVES):
            names = [measure_name(r, with_unit=False) for r in own[i : i + CURVES]]
            combined = found.combined if region == whole and i == 0 else None
            drawn = charts.roc(own[i : i + CURVES], names, combined)
            figures.append(f"<figure><figcaption>{escape(region)}</figcaption>{drawn}</figure>")
    return (
        "<p>Cross-validated numbers are the ones to quote. The apparent ones, in gray, come from "
        "the participants that the threshold was chosen on.</p>"
        f"{charts.roc_key()}<div class='three'>{''.join(figures)}</div>"
        f"{_areas_table(rows)}{_accuracy_table(rows)}{_combination(found)}"
    )


def _order(rows: Sequence[Comparison], row: Comparison) -> int:
    return list(dict.fromkeys(r.key.region for r in rows)).index(row.key.region)


def _areas_table(rows: Sequence[Comparison]) -> str:
    heads = ["Region", "n", "Patients are", "AUC, cross-validated", "AUC, apparent", "Threshold"]
    lines: list[list[str]] = []
    for name, part in by_measure(rows):
        lines.append([escape(name)])
        places = _places(part)
        for r in part:
            d = r.diagnosis
            n = f"{r.patients.n} | {r.controls.n}"
            lines.append([_region(r), n, d.patients_are, share(d.crossed_auc), _faint(share(d.auc)),
                          fixed(d.rule.threshold, places)])  # fmt: skip
    return _dense(
        heads, lines, "Area under the ROC curve (95 % intervals; n of patients | controls)"
    )


def _accuracy_table(rows: Sequence[Comparison]) -> str:
    heads = ["Region", "n", "Sensitivity", "Specificity", "Accuracy",
             "Apparent: sens.", "spec.", "accuracy"]  # fmt: skip
    lines: list[list[str]] = []
    for name, part in by_measure(rows):
        lines.append([escape(name)])
        for r in part:
            c, a = r.diagnosis.crossed, r.diagnosis.apparent
            n = f"{r.patients.n} | {r.controls.n}"
            crossed = [percent(e) for e in (c.sensitivity, c.specificity, c.accuracy)]
            apparent = [_faint(percent(e)) for e in (a.sensitivity, a.specificity, a.accuracy)]
            lines.append([_region(r), n, *crossed, *apparent])
    caption = "At Youden’s threshold: leaving one out, and apparent (95 % intervals)"
    return _dense(heads, lines, caption)


def _combination(found: GroupStudy) -> str:
    combined = found.combined
    if combined is None:
        return ""
    result, n = combined.result, len(combined.patient)
    cases = int(combined.patient.sum())
    rows = [
        [how, style(share(area)), style(percent(found_.sensitivity)),
         style(percent(found_.specificity)), style(percent(found_.accuracy))]
        for how, area, found_, style in (
            ("cross-validated", result.crossed_auc, result.crossed, str),
            ("apparent", result.apparent_auc, result.apparent, _faint),
        )
    ]  # fmt: skip
    caption = (
        f"Measures combined by logistic regression (n = {cases} patients | {n - cases} controls)"
    )
    heads = ["", "AUC", "Sensitivity", "Specificity", "Accuracy"]
    weights = [
        [escape(key.region), escape(key_name(key)), two(float(b))]
        for key, b in zip(combined.keys, result.coefficients, strict=True)
    ]
    return tabulate(heads, rows, caption, range(1, 5), "dense") + tabulate(
        ["Region", "Measure", "Log odds per SD"], weights, "Weights of the combined measures", (2,),
        "narrow",
    )  # fmt: skip


def _faint(html: str) -> str:
    return f"<span class='faint'>{html}</span>"


# Correlations ---------------------------------------------------------------------------


def correlations(found: GroupStudy) -> str:
    """Scatter of the strongest, and all in a table."""
    rows = found.correlations
    if not rows:
        return ""
    drawn = sorted(rows, key=lambda r: (r.spearman.p, -abs(r.spearman.r.value)))[:SCATTERS]
    which = (
        f"Drawn are the {len(drawn)} of {len(rows)} pairs with the smallest Spearman p; the table "
        "has all."
        if len(drawn) < len(rows)
        else "All pairs are drawn."
    )
    figures = "".join(_scatter(row) for row in drawn)
    return (
        f"<p>Within the patients. Line: least squares with its 95 % interval. {which}</p>"
        f"<div class='three'>{figures}</div>{_correlation_table(rows)}"
    )


def _scatter(row: ScoreCorrelation) -> str:
    title = f"{measure_name(row, with_unit=False)}, {row.key.region}"
    drawn = charts.scatter(row, score_name(row.score), unit_of(row))
    under = (
        f"ρ = {share(row.spearman.r)}, p {_equals(row.spearman.p)}, q {_equals(row.spearman_q)}; "
        f"r = {share(row.pearson.r)}; n = {row.pearson.n}"
    )
    return (
        f"<figure><figcaption>{escape(title)}</figcaption>{drawn}"
        f"<p class='under'>{escape(under)}</p></figure>"
    )


def _equals(p: float) -> str:
    text = p_text(p)
    return text if text.startswith("<") else f"= {text}"


def _correlation_table(rows: Sequence[ScoreCorrelation]) -> str:
    heads = ["Measure and region", "n", "Spearman’s ρ", "p", "q", "Pearson’s r", "p", "q",
             "Partial r", "n", "p", "q"]  # fmt: skip
    lines: list[list[str]] = []
    for score, part in groupby(rows, key=lambda r: r.score):
        lines.append([escape(score_name(score))])
        for r in part:
            partial = (
                [share(r.partial.r), str(r.partial.n), p_text(r.partial.p), p_text(r.partial_q)]
                if r.partial else ["–"] * 4
            )  # fmt: skip
            lines.append(
                [f"{escape(measure_name(r, with_unit=False))}, {escape(r.key.region)}",
                 str(r.spearman.n), share(r.spearman.r), p_text(r.spearman.p), p_text(r.spearman_q),
                 share(r.pearson.r), p_text(r.pearson.p), p_text(r.pearson_q), *partial]
            )  # fmt: skip
    held = next((" and ".join(r.held) for r in rows if r.held), "")
    constant = f"; partial: {held} held constant" if held else ""
    return _dense(heads, lines, f"Correlations (95 % intervals{constant})")


# The rest -------------------------------------------------------------------------------


def omissions(found: GroupStudy) -> str:
    """All that is missing or left out."""
    rows = [
        [escape(o.kind), escape(o.item), str(o.n), escape(o.reason)] for o in found.data.omissions
    ]
    if not rows:
        return "<p>Nothing is missing, and nothing was left out.</p>"
    return tabulate(["Kind", "What", "n", "Why"], rows, "", (2,))


def computed(provenance: Mapping[str, Any]) -> str:
    """Versions, input files and the command."""
    versions = ((k, str(v)) for k, v in provenance.get("versions", {}).items() if v)
    inputs = [
        [f"<span class='file'>{escape(str(i['path']))}</span>", words.count(i["bytes"]),
         f"<code>{escape(str(i['sha256'])[:16])}…</code>"]
        for i in provenance.get("inputs", ())
    ]  # fmt: skip
    files = tabulate(["File", "Bytes", "SHA-256"], inputs[:20], "Input tables", (1,))
    more = f"<p>{len(inputs) - 20} more stand in provenance.json.</p>" if len(inputs) > 20 else ""
    line = " ".join(str(word) for word in provenance.get("command", ()))
    called = f"<h3>Command</h3><pre>{escape(line)}</pre>" if line else ""
    return f"<div class='two'>{pairs('Versions', versions)}</div>{files}{more}{called}"
