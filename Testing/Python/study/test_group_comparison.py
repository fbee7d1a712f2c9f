"""The comparison: which numbers go where, and what is refused."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.multitest import multipletests

from ALSMotorCortexLib.study.group_comparison import (
    Comparison,
    combine_measures,
    compare,
    for_comparison,
)
from ALSMotorCortexLib.study.group_data import GroupData, join
from ALSMotorCortexLib.study.measures import Key, read_measures
from ALSMotorCortexLib.study.participants import read_participants
from simulated_study import SimulatedStudy

RIBBON = Key("ribbon", "", "thickness_mean")


def joined(folder: Path, study: SimulatedStudy) -> GroupData:
    study.write(folder)
    measures = read_measures([folder / "measures.tsv"])
    people = read_participants(folder / "participants.tsv")
    return join(measures, people, measures.keys())


def compared(folder: Path, study: SimulatedStudy) -> tuple[GroupData, dict[Key, Comparison]]:
    data = joined(folder, study)
    return data, {row.key: row for row in compare(data, for_comparison(data), seed=0)}


def value_of(study: SimulatedStudy, label: str, region: str, measure: str) -> list:
    return next(r for r in study.measures if r[:2] == [label, region] and r[3] == measure)


def test_patients_minus_controls_and_families_over_all_measures(tmp_path: Path) -> None:
    study = SimulatedStudy()
    _, rows = compared(tmp_path, study)
    a, b = (
        np.array(
            [r[4] for r in study.measures if r[0][0] == g and r[1] == "ribbon" and r[5] == "mm"]
        )
        for g in "PC"
    )
    row = rows[RIBBON]
    assert (row.patients.n, row.controls.n, row.unit) == (12, 9, "mm")
    assert row.difference is not None and row.diagnosis is not None
    assert row.difference.welch.difference.value == pytest.approx(a.mean() - b.mean())
    assert a.mean() < b.mean()
    assert row.difference.mann_whitney.p == pytest.approx(
        stats.mannwhitneyu(a, b, method="exact").pvalue
    )
    assert row.difference.hedges_g.value < 0 and row.difference.cliffs_delta.value < 0
    assert row.diagnosis.patients_are == "lower" and row.diagnosis.auc.value > 0.5
    differences = [r.difference for r in rows.values()]
    p = [d.welch.p for d in differences if d]
    assert [d.welch_q for d in differences if d] == pytest.approx(
        multipletests(p, method="fdr_bh")[1]
    )


def test_missing_values_leave_only_their_own_measure(tmp_path: Path) -> None:
    study = SimulatedStudy()
    value_of(study, "P04", "ribbon", "thickness_mean")[4] = "n/a"
    study.set("C01", "age", "n/a")
    data, rows = compared(tmp_path, study)
    row = rows[RIBBON]
    assert (row.patients.n, row.patients.missing, row.controls.n) == (11, 1, 9)
    assert row.difference and row.difference.ancova and row.difference.ancova.n == 19
    other = rows[Key("left_hand", "", "thickness_mean")]
    assert other.patients.n == 12 and other.difference and other.difference.ancova
    assert other.difference.ancova.n == 20
    assert any(o.item == str(RIBBON) and "P04" in o.reason for o in data.omissions)


def test_a_constant_measure_is_left_out_and_told(tmp_path: Path) -> None:
    study = SimulatedStudy()
    for row in study.measures[1:]:
        if row[1] == "ribbon" and row[3] == "thickness_mean":
            row[4] = 2.5
        if row[1] == "left_hand" and row[3] == "thickness_mean":
            row[4] = 2.5 if row[0][0] == "P" else 3
    data, rows = compared(tmp_path, study)
    told = {o.item: o.reason for o in data.omissions if o.kind == "comparison"}
    for key, reason in (
        (RIBBON, "All participants have the same value."),
        (Key("left_hand", "", "thickness_mean"), "The values do not vary within either group."),
    ):
        assert rows[key].difference is None and rows[key].diagnosis is None
        assert rows[key].patients.n == 12, "still described"
        assert told[str(key)] == reason
    assert rows[Key("ribbon", "T2star", "mean")].difference is not None


@pytest.mark.parametrize("controls", [1, 2])
def test_fewer_than_three_are_not_compared(tmp_path: Path, controls: int) -> None:
    data, rows = compared(tmp_path, SimulatedStudy(controls=controls))
    assert all(row.difference is None and row.diagnosis is None for row in rows.values())
    reasons = {o.reason for o in data.omissions if o.kind == "comparison"}
    assert reasons == {f"12 patients and {controls} controls have a value; each group needs 3."}
    assert combine_measures(data, data.keys, 0) is None


def test_three_a_group_are_compared(tmp_path: Path) -> None:
    study = SimulatedStudy(patients=3, controls=3)
    _, rows = compared(tmp_path, study)
    row = rows[RIBBON]
    assert row.difference and row.diagnosis
    assert math.isfinite(row.difference.welch.p) and math.isfinite(row.difference.hedges_g.low)
    assert 0 <= row.diagnosis.crossed.accuracy.low <= row.diagnosis.crossed.accuracy.high <= 1


def test_one_group_is_described_and_not_compared(tmp_path: Path) -> None:
    data, rows = compared(tmp_path, SimulatedStudy(controls=0))
    assert rows[RIBBON].patients.n == 12 and rows[RIBBON].controls.n == 0
    assert rows[RIBBON].difference is None
    assert combine_measures(data, data.keys, 0) is None


def test_age_that_goes_with_the_group_is_told(tmp_path: Path) -> None:
    study = SimulatedStudy()
    for label in study.labels:
        study.set(label, "age", 60 if label[0] == "P" else 50)
        study.set(label, "sex", "n/a")
    data, rows = compared(tmp_path, study)
    difference = rows[RIBBON].difference
    assert difference is not None and difference.ancova is None
    assert any("cannot be told from the group" in o.reason for o in data.omissions)


def test_combination_rests_on_those_who_have_everything(tmp_path: Path) -> None:
    study = SimulatedStudy()
    value_of(study, "P04", "ribbon", "mean")[4] = "n/a"
    for row in study.measures[1:]:
        if row[1] == "ribbon" and row[3] == "deep_hypointensity":
            row[4] = 0.2
    data = joined(tmp_path, study)
    keys = [key for key in data.keys if key.region == "ribbon"]
    got = combine_measures(data, keys, 0)
    assert got is not None
    assert [key.measure for key in got.keys] == ["thickness_mean", "mean"]
    assert (got.patient.sum(), (~got.patient).sum()) == (11, 9)
    assert any(o.kind == "combination" and o.n == 1 for o in data.omissions)
    assert combine_measures(data, keys[:1], 0) is None
