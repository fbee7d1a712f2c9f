"""Who is compared: nobody is lost without a word."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from ALSMotorCortexLib.cortex.errors import InputError
from ALSMotorCortexLib.study.group_data import GroupData, covariates, join
from ALSMotorCortexLib.study.measures import read_measures
from ALSMotorCortexLib.study.participants import read_participants
from simulated_study import SimulatedStudy


def joined(folder: Path, study: SimulatedStudy, **groups: str) -> GroupData:
    study.write(folder)
    measures = read_measures([folder / "measures.tsv"])
    people = read_participants(folder / "participants.tsv")
    return join(measures, people, measures.keys(), **groups)


def test_everyone_is_compared_or_counted(tmp_path: Path) -> None:
    study = SimulatedStudy()
    study.drop("P00")
    study.set("P01", "group", "n/a")
    study.set("P02", "group", "mimic")
    study.participants = [row for row in study.participants if row[0] != "C00"]
    data = joined(tmp_path, study)
    left = {o.item: (o.n, o.reason) for o in data.omissions if o.kind == "participant"}
    assert set(left) == {"not in participants.tsv", "no group", "group mimic", "no measures"}
    assert all(n == 1 for n, _ in left.values())
    assert len(data.ids) + len(left) == len(study.labels)
    for item, label in (
        ("not in participants.tsv", "C00"),
        ("no group", "P01"),
        ("group mimic", "P02"),
        ("no measures", "P00"),
    ):
        assert label in left[item][1]
    assert data.patient.sum() == 9 and (~data.patient).sum() == 8


def test_values_stand_with_their_participants(tmp_path: Path) -> None:
    study = SimulatedStudy()
    study.participants[1:] = study.participants[:0:-1]
    data = joined(tmp_path, study)
    key = data.keys[0]
    for label, value in zip(data.ids, data.values(key), strict=True):
        (row,) = [r for r in study.measures if r[:2] == [label, "ribbon"] and r[3] == key.measure]
        assert value == row[4]
    assert data.patient.tolist() == [label[0] == "P" for label in data.ids]


def test_no_common_participant_is_told(tmp_path: Path) -> None:
    study = SimulatedStudy()
    for row in study.participants[1:]:
        row[0] = f"X{row[0]}"
    with pytest.raises(InputError, match="No participant with measures is among the groups"):
        joined(tmp_path, study)


def test_covariates_that_do_not_vary_are_left_out_and_told(tmp_path: Path) -> None:
    study = SimulatedStudy()
    for label in study.labels:
        study.set(label, "sex", "F")
    study.set("P03", "age", "n/a")
    data = joined(tmp_path, study)
    got = covariates(data, np.ones(len(data.ids), dtype=bool), "test")
    assert got.names == ("age",)
    assert got.columns.shape == (len(data.ids), 1)
    assert [data.ids[i] for i in np.flatnonzero(~got.known)] == ["P03"]
    assert [o.reason for o in data.omissions if o.kind == "covariate"] == [
        "Sex is the same for all."
    ]


def test_a_missing_sex_is_missing_and_not_a_category(tmp_path: Path) -> None:
    study = SimulatedStudy()
    study.set("P03", "sex", "n/a")
    data = joined(tmp_path, study)
    got = covariates(data, np.ones(len(data.ids), dtype=bool), "test")
    assert got.names == ("age", "sex") and got.columns.shape[1] == 2
    assert [data.ids[i] for i in np.flatnonzero(~got.known)] == ["P03"]
    male = [s == "M" for s, known in zip(data.sex, got.known, strict=True) if known]
    np.testing.assert_array_equal(got.columns[got.known, 1], male)
