"""A study's tables, each with a JSON sidecar that explains its columns."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .group_comparison import Combined, Comparison
from .group_correlation import ScoreCorrelation
from .group_data import GroupData
from .group_profiles import GroupProfile
from .measures import Key
from .participants import Omission
from .statistics.descriptive import Description, describe
from .statistics.interval import Estimate
from .tables import write_rows

Cell = str | int | float


@dataclass(frozen=True)
class Column:
    """A column.

    Attributes:
        name, meaning: for the table and its sidecar.
        source: attributes that lead from a row's object to the value, joined by dots.
        unit: of the value.
    """

    name: str
    meaning: str
    source: str
    unit: str = ""

    def cell(self, row: Any) -> Cell:
        """The value; NaN where the row lacks the part that it comes from."""
        value = row
        for name in self.source.split("."):
            value = value[name] if isinstance(value, dict) else getattr(value, name)
            if value is None:
                return math.nan
        return int(value) if isinstance(value, bool) else value


WHICH = (
    Column("region", "Region of the motor cortex; ribbon is the whole.", "key.region"),
    Column("map", "Contrast map; n/a for geometry.", "key.map"),
    Column("measure", "Name of the measure, as in measures.tsv.", "key.measure"),
    Column("unit", "Unit of the measure; 1 is a ratio.", "unit"),
)
"""The columns that say which measure a row is about."""


def write_table(
    folder: Callable[[str], Path], name: str, columns: Sequence[Column], rows: Iterable[Any],
    about: str,
) -> None:  # fmt: skip
    """Writes ``name.tsv`` and ``name.json``.

    Args:
        folder: gives the path to write a file to.
        name: without extension.
        columns: what the table holds.
        rows: what the columns get their values from.
        about: what the whole table is, in a sentence.
    """
    cells = (tuple(c.cell(row) for c in columns) for row in rows)
    write_rows([c.name for c in columns], cells, folder(f"{name}.tsv"))
    sidecar: dict[str, Any] = {"Description": about}
    for c in columns:
        sidecar[c.name] = {"Description": c.meaning, **({"Units": c.unit} if c.unit else {})}
    text = json.dumps(sidecar, indent=2, ensure_ascii=False)
    folder(f"{name}.json").write_text(text + "\n", encoding="utf-8")


def estimate_columns(
    name: str, meaning: str, source: str, interval: str, unit: str = ""
) -> tuple[Column, ...]:
    """Three columns: the number, and the ends of its 95 % interval."""
    return (
        Column(name, meaning, f"{source}.value", unit),
        Column(f"{name}_low", f"Lower end of its 95 % interval; {interval}.",
               f"{source}.low", unit),
        Column(f"{name}_high", f"Upper end of its 95 % interval; {interval}.",
               f"{source}.high", unit),
    )  # fmt: skip


def _described(group: str, source: str) -> tuple[Column, ...]:
    own = "of the measure"
    return (
        Column(f"{group}_n", f"{group.capitalize()} with a value.", f"{source}.n"),
        Column(f"{group}_missing", f"{group.capitalize()} without one.", f"{source}.missing"),
        *estimate_columns(
            f"{group}_mean", f"Mean of the {group}.", f"{source}.mean", "Student's t", own
        ),
        Column(f"{group}_sd", "Standard deviation (n - 1).", f"{source}.sd", own),
        Column(f"{group}_median", "Median.", f"{source}.median", own),
        Column(f"{group}_q25", "25th percentile.", f"{source}.q25", own),
        Column(f"{group}_q75", "75th percentile.", f"{source}.q75", own),
        Column(f"{group}_minimum", "Lowest value.", f"{source}.minimum", own),
        Column(f"{group}_maximum", "Highest value.", f"{source}.maximum", own),
    )


Q = "adjusted by Benjamini-Hochberg over all measures of this table"

COMPARISONS = (
    *WHICH,
    *_described("patients", "patients"),
    *_described("controls", "controls"),
    *estimate_columns("difference", "Mean of patients minus mean of controls.",
                      "difference.welch.difference", "Welch", "of the measure"),
    Column("welch_t", "Welch's t.", "difference.welch.t"),
    Column("welch_df", "Its degrees of freedom (Satterthwaite).", "difference.welch.df"),
    Column("welch_p", "Its two-sided p.", "difference.welch.p"),
    Column("welch_q", f"welch_p {Q}.", "difference.welch_q"),
    Column("mann_whitney_u", "Pairs in which the patient's value is larger; ties count a half.",
           "difference.mann_whitney.u"),
    Column("mann_whitney_p", "Its two-sided p.", "difference.mann_whitney.p"),
    Column("mann_whitney_exact", "1 where p is exact, 0 where it is the normal approximation "
           "with corrections for ties and continuity.",
           "difference.mann_whitney.exact"),
    Column("mann_whitney_q", f"mann_whitney_p {Q}.", "difference.mann_whitney_q"),
    *estimate_columns("hedges_g", "Difference in pooled standard deviations, corrected for bias.",
                      "difference.hedges_g", "noncentral t"),
    *estimate_columns("cliffs_delta", "P(patient > control) - P(patient < control).",
                      "difference.cliffs_delta", "that of the AUC, see roc.json"),
    Column("ancova_n", "Participants with the measure and all covariates.",
           "difference.ancova.n"),
    *estimate_columns("ancova_difference", "Patients minus controls at equal covariates.",
                      "difference.ancova.difference", "Student's t", "of the measure"),
    Column("ancova_patients_mean", "Mean of the patients at the covariates' means.",
           "difference.ancova.first.value", "of the measure"),
    Column("ancova_controls_mean", "Mean of the controls at the covariates' means.",
           "difference.ancova.second.value", "of the measure"),
    Column("ancova_t", "t of the adjusted difference.", "difference.ancova.t"),
    Column("ancova_df", "Its degrees of freedom.", "difference.ancova.df"),
    Column("ancova_p", "Its two-sided p.", "difference.ancova.p"),
    Column("ancova_q", f"ancova_p {Q}.", "difference.ancova_q"),
    Column("ancova_partial_eta_squared", "Share of the variance that the covariates leave, which "
           "the group explains.", "difference.ancova.partial_eta_squared"),
    Column("ancova_slopes_p", "p of the F test that the covariates act alike in both groups, "
           "which the adjusted difference assumes.", "difference.ancova.slopes_p"),
)  # fmt: skip


def _accuracy(prefix: str, source: str, how: str) -> tuple[Column, ...]:
    counts = (("true_positive", "Patients called patients"), ("false_negative", "Patients missed"),
              ("true_negative", "Controls called controls"),
              ("false_positive", "Controls called patients"))  # fmt: skip
    shares = (("sensitivity", "Share of patients called patients"),
              ("specificity", "Share of controls called controls"),
              ("accuracy", "Share of all called rightly"))  # fmt: skip
    return (
        *(
            Column(f"{prefix}_{name}", f"{meaning}, {how}.", f"{source}.{name}")
            for name, meaning in counts
        ),
        *(
            column
            for name, meaning in shares
            for column in estimate_columns(
                f"{prefix}_{name}", f"{meaning}, {how}.", f"{source}.{name}",
                "Wilson, for a threshold fixed beforehand" if prefix == "apparent" else
                "Wilson, widened by the spread over redrawn participants",
            )
        ),
    )  # fmt: skip


APPARENT = "at the threshold chosen on the same participants, and so too good"
CROSSED = "each participant judged by a threshold from all others"

ROC = (
    *WHICH,
    Column("patients_n", "Patients with a value.", "patients.n"),
    Column("controls_n", "Controls with a value.", "controls.n"),
    Column("patients_are", "Whether patients have the higher or the lower values; told from the "
           "data.", "diagnosis.patients_are"),
    Column("threshold", "Youden's threshold; values from it on, in that direction, are called "
           "patient.", "diagnosis.rule.threshold", "of the measure"),
    *estimate_columns("auc", "Area under the ROC curve in that direction.",
                      "diagnosis.auc", "DeLong's variance on the logit scale"),
    *estimate_columns("cross_validated_auc", "The same leaving out each pair of a patient and a "
                      "control, with the direction from all others.", "diagnosis.crossed_auc",
                      "as auc, with the larger of DeLong's error and the spread over redrawn "
                      "participants"),
    *_accuracy("apparent", "diagnosis.apparent", APPARENT),
    *_accuracy("cross_validated", "diagnosis.crossed", CROSSED),
)  # fmt: skip

BOTH_Q = "adjusted by Benjamini-Hochberg over all pairs of score and measure of this table"


def _correlation(name: str, meaning: str, interval: str) -> tuple[Column, ...]:
    return (
        Column(f"{name}_n", "Patients it rests on.", f"{name}.n"),
        *estimate_columns(f"{name}_r", meaning, f"{name}.r", interval),
        Column(f"{name}_p", "Its two-sided p.", f"{name}.p"),
        Column(f"{name}_q", f"{name}_p {BOTH_Q}.", f"{name}_q"),
    )


CORRELATIONS = (
    Column("score", "Clinical score, as in participants.tsv.", "score"),
    *WHICH,
    Column("missing", "Patients who lack the score or the measure.", "missing"),
    *_correlation("pearson", "Pearson's r.", "Fisher's z"),
    *_correlation("spearman", "Spearman's rho.", "Fisher's z with Bonett and Wright's variance"),
    *_correlation("partial", "Pearson's r with covariates held constant.", "Fisher's z"),
    Column("held", "Covariates held constant.", "held_names"),
)

OMISSIONS = (
    Column("kind", "What sort of thing is left out or missing.", "kind"),
    Column("item", "What it is.", "item"),
    Column("n", "How many participants or values it concerns.", "n"),
    Column("reason", "Why.", "reason"),
)


@dataclass(frozen=True)
class _Line:
    """A row of a table that has no class of its own."""

    cells: dict[str, Cell]


def _plain(columns: Iterable[tuple[str, str]]) -> list[Column]:
    return [Column(name, meaning, f"cells.{name}") for name, meaning in columns]


def write_comparisons(folder: Callable[[str], Path], rows: Sequence[Comparison]) -> None:
    """Writes ``comparisons`` and ``roc``."""
    about = (
        "Patients against controls, one row for each measure. n/a where a group has too few "
        "values, see omissions.tsv. Each of welch_q, mann_whitney_q and ancova_q is a family of "
        "its own over all measures of this table."
    )
    write_table(folder, "comparisons", COMPARISONS, rows, about)
    about = (
        "How well each measure tells patients from controls. Columns named apparent come from "
        "the participants that the threshold was chosen on; those named cross_validated leave out "
        "whom they judge."
    )
    write_table(folder, "roc", ROC, [r for r in rows if r.diagnosis], about)


def write_correlations(folder: Callable[[str], Path], rows: Sequence[ScoreCorrelation]) -> None:
    """Writes ``correlations``."""
    about = (
        "Measures against clinical scores, within the patients. A limb's score stands with the "
        "opposite hemisphere only. Each of pearson_q, spearman_q and partial_q is a family of its "
        "own over all rows."
    )
    write_table(folder, "correlations", CORRELATIONS, rows, about)


def write_combination(folder: Callable[[str], Path], combined: Combined | None) -> None:
    """Writes ``combination`` and ``combination_coefficients``."""
    found: list[tuple[str, str, Estimate, int]] = []
    weights: list[tuple[Key, float]] = []
    if combined:
        result, n = combined.result, len(combined.patient)
        cases = int(combined.patient.sum())
        for how, area, accuracy in (
            ("apparent", result.apparent_auc, result.apparent),
            ("cross-validated", result.crossed_auc, result.crossed),
        ):
            found += [
                (how, "auc", area, n),
                (how, "sensitivity", accuracy.sensitivity, cases),
                (how, "specificity", accuracy.specificity, n - cases),
                (how, "accuracy", accuracy.accuracy, n),
            ]
        weights = list(zip(combined.keys, map(float, result.coefficients), strict=True))
    names = ("validation", "quantity", "value", "low", "high", "n")
    rows = [
        _Line(dict(zip(names, (how, name, e.value, e.low, e.high, n), strict=True)))
        for how, name, e, n in found
    ]
    meanings = (
        "apparent: on the participants that were fitted, and so too good; cross-validated: leaving "
        "out one participant (for the AUC one patient and one control) at a time.",
        "auc, sensitivity, specificity or accuracy, at a probability of one half.",
        "The number.",
        "Lower end of its 95 % interval.",
        "Upper end of its 95 % interval.",
        "Participants it rests on.",
    )
    about = "Measures combined by ridge logistic regression; empty where they could not be."
    write_table(folder, "combination", _plain(zip(names, meanings, strict=True)), rows, about)
    columns = [
        ("region", "Region."), ("map", "Contrast map; n/a for geometry."),
        ("measure", "Measure."),
        ("log_odds_per_sd", "Change of the log odds of being a patient for one standard deviation "
         "more of this measure, shrunk by the ridge."),
    ]  # fmt: skip
    lines = [
        _Line({"region": k.region, "map": k.map, "measure": k.measure, "log_odds_per_sd": w})
        for k, w in weights
    ]
    about = "Weights of the combined measures, from the fit to all participants."
    write_table(folder, "combination_coefficients", _plain(columns), lines, about)


def write_profiles(folder: Callable[[str], Path], rows: Sequence[GroupProfile]) -> None:
    """Writes ``profile_bands``."""
    columns = [
        ("region", "Region."), ("map", "Contrast map."), ("unit", "Unit of the means."),
        ("group", "patients or controls."), ("bin", "Depth bin, 1 at the pial surface."),
        ("depth_from", "Its shallow end; 0 is the pial surface."),
        ("depth_to", "Its deep end; 1 is the white-matter border."),
        ("n", "Participants with a value."),
        ("mean", "Mean over participants."),
        ("low", "Lower end of its 95 % interval; Student's t, for this depth alone."),
        ("high", "Upper end of its 95 % interval."),
        ("p", "p of the groups' difference at this depth, corrected over all depths of the "
         "profile by permutation of the largest Welch t."),
    ]  # fmt: skip
    lines = [
        _Line({
            "region": row.region, "map": row.map, "unit": row.unit, "group": group,
            "bin": i + 1, "depth_from": float(row.edges[i]), "depth_to": float(row.edges[i + 1]),
            "n": row.counts[i][which], "mean": e.value, "low": e.low, "high": e.high,
            "p": float(row.p[i]),
        })
        for row in rows
        for which, (group, means) in enumerate(
            (("patients", row.patients), ("controls", row.controls))
        )
        for i, e in enumerate(means)
        if row.n[which]
    ]  # fmt: skip
    about = "Laminar profiles of both groups, one row for each depth."
    write_table(folder, "profile_bands", _plain(columns), lines, about)


@dataclass(frozen=True)
class GroupSummary:
    """A group in numbers: its name and role, how many, ages, and how many of each sex."""

    name: str
    role: str
    n: int
    age: Description
    sexes: dict[str, int]
    scores: dict[str, Description]


def summarise(data: GroupData) -> list[GroupSummary]:
    """Both groups, or the one there is."""
    rows = []
    for name, role, inside in zip(
        data.names, ("patients", "controls"), (data.patient, ~data.patient), strict=True
    ):
        if name and inside.any():
            own = [s for s, i in zip(data.sex, inside, strict=True) if i]
            sexes = {s: own.count(s) for s in sorted(set(own))}
            scores = {score: describe(v[inside]) for score, v in data.scores.items()}
            rows.append(
                GroupSummary(
                    name, role, int(inside.sum()), describe(data.age[inside]), sexes, scores
                )
            )
    return rows


def write_groups(folder: Callable[[str], Path], rows: Sequence[GroupSummary]) -> None:
    """Writes ``groups``: age, sex and scores of each group."""
    names = (
        "group",
        "role",
        "variable",
        "n",
        "missing",
        "mean",
        "sd",
        "median",
        "minimum",
        "maximum",
    )
    meanings = (
        "Name in participants.tsv.", "patients or controls.",
        "age in years, a clinical score, or how many have a sex.",
        "Participants with a value.", "Participants without one.", "Mean.",
        "Standard deviation.", "Median.", "Lowest.", "Highest.",
    )  # fmt: skip
    lines = []
    for row in rows:
        for variable, d in {"age": row.age, **row.scores}.items():
            if d.n:
                cells = (row.name, row.role, variable, d.n, d.missing, d.mean.value, d.sd, d.median,
                         d.minimum, d.maximum)  # fmt: skip
                lines.append(_Line(dict(zip(names, cells, strict=True))))
        for sex, n in row.sexes.items():
            word = f"sex {sex}" if sex else "sex missing"
            cells = (row.name, row.role, word, n, 0, *(math.nan,) * 5)
            lines.append(_Line(dict(zip(names, cells, strict=True))))
    about = "Who is compared."
    write_table(folder, "groups", _plain(zip(names, meanings, strict=True)), lines, about)


def write_omissions(folder: Callable[[str], Path], rows: Sequence[Omission]) -> None:
    """Writes ``omissions``: what is missing or left out anywhere, and why."""
    about = "Everything that is missing or left out. Nothing is left out that does not stand here."
    write_table(folder, "omissions", OMISSIONS, rows, about)
