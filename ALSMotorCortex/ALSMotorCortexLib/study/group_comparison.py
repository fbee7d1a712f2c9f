"""Patients against controls, measure by measure: tests, effect sizes, ANCOVA, ROC."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from .group_data import FEWEST, Covariates, GroupData, covariates
from .measures import Key
from .statistics import crossed, roc
from .statistics.ancova import Ancova, ancova
from .statistics.descriptive import Description, describe
from .statistics.effect_sizes import cliffs_delta, hedges_g
from .statistics.interval import Estimate
from .statistics.logistic import Combination, combine
from .statistics.multiple import benjamini_hochberg
from .statistics.proportions import Accuracy
from .statistics.two_samples import MannWhitney, Welch, mann_whitney, welch

Step = Callable[[float], None]


@dataclass(frozen=True)
class Difference:
    """Both groups compared; the q are p adjusted over all measures of the study.

    Attributes:
        welch, mann_whitney: tests.
        hedges_g, cliffs_delta: effect sizes.
        ancova: at equal age and sex; None where it cannot be computed.
        welch_q, mann_whitney_q, ancova_q: Benjamini-Hochberg.
    """

    welch: Welch
    mann_whitney: MannWhitney
    hedges_g: Estimate
    cliffs_delta: Estimate
    ancova: Ancova | None
    welch_q: float = math.nan
    mann_whitney_q: float = math.nan
    ancova_q: float = math.nan


@dataclass(frozen=True)
class Diagnosis:
    """How well one measure tells patients from controls.

    Attributes:
        rule: Youden's threshold on all participants.
        auc: area in the direction of the rule.
        apparent: accuracy of the rule on the participants it was chosen on.
        crossed_auc, crossed: leaving out pairs, and one participant at a time.
        curve: false- and true-positive rates.
    """

    rule: roc.Rule
    auc: Estimate
    apparent: Accuracy
    crossed_auc: Estimate
    crossed: Accuracy
    curve: tuple[NDArray[np.float64], NDArray[np.float64]]

    @property
    def patients_are(self) -> str:
        """``higher`` or ``lower``."""
        return "higher" if self.rule.sign > 0 else "lower"


@dataclass(frozen=True)
class Comparison:
    """One measure.

    Attributes:
        key, unit: which.
        values: (patients, controls) as arrays, without missing ones.
        patients, controls: described.
        difference, diagnosis: None where a group has too few values, or none vary.
    """

    key: Key
    unit: str
    values: tuple[NDArray[np.float64], NDArray[np.float64]]
    patients: Description
    controls: Description
    difference: Difference | None
    diagnosis: Diagnosis | None


@dataclass(frozen=True)
class Combined:
    """Several measures in one decision.

    Attributes:
        keys: which.
        patient: (n,) who is one, of those who have all of them.
        result: the fit and its cross-validation.
    """

    keys: tuple[Key, ...]
    patient: NDArray[np.bool_]
    result: Combination


def compare(
    data: GroupData, adjusted: Covariates, seed: int, step: Step = lambda done: None
) -> list[Comparison]:
    """Compares every measure of the study.

    Args:
        data: both groups.
        adjusted: what the ANCOVA holds constant.
        seed: of the draws behind the cross-validated intervals.
        step: gets the fraction done.
    """
    rows = []
    for i, key in enumerate(data.keys):
        rows.append(_compare(data, adjusted, key, seed))
        step((i + 1) / len(data.keys))
    return _with_q(rows)


def _compare(data: GroupData, adjusted: Covariates, key: Key, seed: int) -> Comparison:
    values = data.values(key)
    groups = [values[data.patient], values[~data.patient]]
    known = [g[np.isfinite(g)] for g in groups]
    row = Comparison(
        key=key,
        unit=data.units[key],
        values=(known[0], known[1]),
        patients=describe(groups[0]),
        controls=describe(groups[1]),
        difference=None,
        diagnosis=None,
    )
    missing = len(values) - sum(map(len, known))
    if missing:
        ids = [i for i, v in zip(data.ids, values, strict=True) if not np.isfinite(v)]
        data.omit("value", str(key), missing, f"Not measured in {', '.join(ids[:8])}"
                  f"{' and more' if len(ids) > 8 else ''}.")  # fmt: skip
    if not all(data.names):
        return row
    if reason := _not_comparable(known[0], known[1]):
        data.omit("comparison", str(key), sum(map(len, known)), reason)
        return row
    return replace(
        row,
        difference=_difference(data, adjusted, key, known),
        diagnosis=diagnose(known[0], known[1], seed),
    )


def _not_comparable(patients: NDArray[np.float64], controls: NDArray[np.float64]) -> str:
    """Why two groups cannot be compared, or nothing."""
    if min(len(patients), len(controls)) < FEWEST:
        return (
            f"{len(patients)} patients and {len(controls)} controls have a value; each group "
            f"needs {FEWEST}."
        )
    if np.ptp(np.concatenate([patients, controls])) == 0:
        return "All participants have the same value."
    if not np.ptp(patients) and not np.ptp(controls):
        return "The values do not vary within either group."
    return ""


def _difference(
    data: GroupData, adjusted: Covariates, key: Key, known: Sequence[NDArray[np.float64]]
) -> Difference:
    a, b = known
    return Difference(
        welch=welch(a, b),
        mann_whitney=mann_whitney(a, b),
        hedges_g=hedges_g(a, b),
        cliffs_delta=cliffs_delta(a, b),
        ancova=_adjusted(data, adjusted, key) if adjusted.names else None,
    )


def _adjusted(data: GroupData, adjusted: Covariates, key: Key) -> Ancova | None:
    values = data.values(key)
    used = np.isfinite(values) & adjusted.known
    patient = data.patient[used]
    if min(int(patient.sum()), int((~patient).sum())) < FEWEST:
        reason = (
            f"Fewer than {FEWEST} in a group have {' and '.join(adjusted.names)}; not adjusted."
        )
        data.omit("comparison", str(key), int(used.sum()), reason)
        return None
    columns = adjusted.columns[used]
    columns = columns[:, np.ptp(columns, axis=0) > 0]
    found = ancova(values[used], patient, columns)
    if found is None:
        reason = f"{' and '.join(adjusted.names).capitalize()} cannot be told from the group."
        data.omit("comparison", str(key), int(used.sum()), reason)
    return found


def diagnose(patients: NDArray[np.float64], controls: NDArray[np.float64], seed: int) -> Diagnosis:
    """ROC of one measure, on all participants and cross-validated."""
    rule = roc.youden(patients, controls)
    area = roc.auc(rule.sign * patients, rule.sign * controls)
    return Diagnosis(
        rule=rule,
        auc=area,
        apparent=roc.apparent(patients, controls),
        crossed_auc=crossed.leave_pair_out(patients, controls, seed),
        crossed=crossed.leave_one_out(patients, controls, seed),
        curve=roc.curve(rule.sign * patients, rule.sign * controls),
    )


def _with_q(rows: Sequence[Comparison]) -> list[Comparison]:
    """Adds the adjusted p: each kind of test is a family over all measures."""
    found = [row.difference for row in rows]
    welch_q = _adjust([d.welch.p if d else math.nan for d in found])
    mann_whitney_q = _adjust([d.mann_whitney.p if d else math.nan for d in found])
    ancova_q = _adjust([d.ancova.p if d and d.ancova else math.nan for d in found])
    return [
        replace(row, difference=replace(d, welch_q=a, mann_whitney_q=b, ancova_q=c)) if d else row
        for row, d, a, b, c in zip(rows, found, welch_q, mann_whitney_q, ancova_q, strict=True)
    ]


def _adjust(p: Sequence[float]) -> list[float]:
    return [float(q) for q in benjamini_hochberg(np.array(p, dtype=float))]


def combine_measures(data: GroupData, keys: Sequence[Key], seed: int) -> Combined | None:
    """Combines measures over the participants who have all of them.

    Returns:
        None, with a note, where there are fewer than two measures that vary or too few
        participants.
    """
    if not all(data.names):
        return None
    x = np.column_stack([np.zeros((len(data.ids), 0)), *(data.values(k) for k in keys)])
    used = np.isfinite(x).all(axis=1)
    patient = data.patient[used]
    item = f"combination of {len(keys)} measures"
    if min(int(patient.sum()), int((~patient).sum())) < FEWEST:
        reason = f"Fewer than {FEWEST} in a group have all of the measures to combine."
        data.omit("combination", item, int(used.sum()), reason)
        return None
    varying = [i for i in range(len(keys)) if np.ptp(x[used, i]) > 0]
    if len(varying) < 2:
        data.omit("combination", item, int(used.sum()), "Fewer than two measures vary.")
        return None
    lost = len(data.ids) - int(used.sum())
    if lost:
        reason = "Lack one of the measures that are combined, and are not in the combination."
        data.omit("combination", item, lost, reason)
    return Combined(
        tuple(keys[i] for i in varying), patient, combine(x[used][:, varying], patient, seed)
    )


def for_comparison(data: GroupData) -> Covariates:
    """Age and sex for the ANCOVA; none where there is one group only."""
    if not all(data.names):
        return Covariates((), np.zeros((len(data.ids), 0)))
    return covariates(data, np.ones(len(data.ids), dtype=bool), "comparison")
