"""All participants' tables in one."""

from __future__ import annotations

import json
from types import SimpleNamespace

import pytest

from ALSMotorCortexLib import group
from ALSMotorCortexLib.batch.collect import MEASURES, PROFILES, STUDY, collect
from ALSMotorCortexLib.batch.derivative import write_whole
from ALSMotorCortexLib.batch.job import Job
from ALSMotorCortexLib.batch.participant import error_log, measure_unit, record_path
from ALSMotorCortexLib.cortex.errors import InputError
from ALSMotorCortexLib.cortex.result import Finding
from ALSMotorCortexLib.study.bids_dataset import Dataset, read_tsv
from ALSMotorCortexLib.study.bids_names import Unit
from bids_study import QUICK, Study


@pytest.fixture
def study(tmp_path) -> Study:
    return Study(tmp_path / "raw")


def measured(study: Study, *units: Unit) -> Job:
    job = Job(study.root, study.root.parent / "out", (study.labels,), QUICK)
    for unit in units:
        study.with_map(unit.participant, unit.session)
        measure_unit(job, unit)
    return job


def test_rows_are_those_of_every_participant_in_order(study):
    units = Unit("02"), Unit("01", "b"), Unit("01", "a")
    job = measured(study, *units)
    result = collect(Dataset(study.root, "raw"), job.out)
    assert result.units == tuple(sorted(units)) and not result.findings and not result.compared
    for name, suffix, desc in (
        (MEASURES, "measures", "cortical"),
        (PROFILES, "profile", "laminar"),
    ):
        rows = read_tsv(job.out / name)
        assert list(rows[0])[:2] == ["participant_id", "session_id"]
        expected = [
            {"participant_id": f"sub-{u.participant}",
             "session_id": f"ses-{u.session}" if u.session else "n/a", **row}
            for u in sorted(units)
            for row in read_tsv(job.out / u.folder / "anat" / u.file(suffix, ".tsv", desc=desc))
        ]  # fmt: skip
        assert rows == expected
        sidecar = json.loads((job.out / name).with_suffix(".json").read_text())
        assert list(sidecar) == list(rows[0])


def test_without_sessions_there_is_no_column_for_them(study):
    job = measured(study, Unit("01"))
    collect(Dataset(study.root, "raw"), job.out)
    assert "session_id" not in read_tsv(job.out / MEASURES)[0]


def test_those_that_failed_or_were_not_measured_are_named(study):
    job = measured(study, Unit("01"), Unit("02"), Unit("03"))
    record_path(job.out, Unit("02")).unlink()
    error_log(job.out, Unit("03")).parent.mkdir()
    write_whole(error_log(job.out, Unit("03")), "because\n")  # its results are old
    result = collect(Dataset(study.root, "raw"), job.out)
    (finding,) = result.findings
    assert finding.warning
    assert "2 of 3 are not in the tables: sub-02, sub-03. 1 of them failed" in finding.message
    assert {row["participant_id"] for row in read_tsv(job.out / MEASURES)} == {"sub-01"}


def test_nobody_is_measured(study):
    study.with_map("01")
    with pytest.raises(InputError, match="No participant .* is measured"):
        collect(Dataset(study.root, "raw"), study.root.parent / "out")


def test_units_that_differ_are_told(study):
    job = measured(study, Unit("01"), Unit("02"))
    path = job.out / "sub-02" / "anat" / "sub-02_desc-cortical_measures.tsv"
    path.write_text(path.read_text().replace("\tms\n", "\ts\n"))
    (finding,) = collect(Dataset(study.root, "raw"), job.out).findings
    assert "has different units: ms, s" in finding.message


def test_groups_are_compared_where_there_are_two(study, monkeypatch):
    job = measured(study, Unit("01"), Unit("02"))
    table = study.root / "participants.tsv"
    calls = []

    def compare(measures, participants, out, *, profiles, progress, command, keep_identity, pdf):
        calls.append((list(measures), participants, out, list(profiles)))
        return SimpleNamespace(findings=(Finding("x", "y"),))

    monkeypatch.setattr(group, "study", compare)
    raw = Dataset(study.root, "raw")
    for text, compared in (
        ("participant_id\tage\nsub-01\t3\n", False),
        ("participant_id\tgroup\nsub-01\tcontrol\nsub-02\tn/a\n", False),
        ("participant_id\tgroup\nsub-01\tcontrol\nsub-02\tALS\n", True),
    ):
        table.write_text(text)
        assert collect(raw, job.out).compared is compared
    assert calls == [([job.out / MEASURES], table, job.out / STUDY, [job.out / PROFILES])]


def test_groups_that_cannot_be_compared_leave_the_tables(study, monkeypatch):
    job = measured(study, Unit("01"), Unit("02"))
    (study.root / "participants.tsv").write_text(
        "participant_id\tgroup\nsub-01\tcontrol\nsub-02\tALS\n"
    )

    def refuse(*arguments, **named):
        raise InputError("There is one patient.")

    monkeypatch.setattr(group, "study", refuse)
    result = collect(Dataset(study.root, "raw"), job.out)
    assert [f.message for f in result.findings] == [
        "The groups are not compared. There is one patient."
    ]
    assert not result.compared and len(read_tsv(job.out / MEASURES)) > 10
