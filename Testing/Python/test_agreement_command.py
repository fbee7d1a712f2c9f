"""The command ``agreement`` on tables in a folder, as a user calls it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from ALSMotorCortexLib import cli
from ALSMotorCortexLib.study.readings import (
    HEMISPHERES,
    ITEMS,
    YES_NO,
    Reading,
    read_readings,
    read_table,
    write_readings,
)

PATIENTS = 8
CASES = [f"sub-{n:02d}" for n in range(14)]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Readings of Anna, Ben and Cem, who are right nine times in ten, and the participants."""
    rng = np.random.default_rng(5)
    for reader in ("Anna", "Ben", "Cem"):
        readings = []
        for n, case in enumerate(CASES):
            for side in HEMISPHERES:
                right = rng.random(len(ITEMS)) < 0.9
                ratings = {
                    item: int((n < PATIENTS) == ok) if answers == YES_NO else 1 + n % 5
                    for (item, answers), ok in zip(ITEMS.items(), right, strict=True)
                }
                readings.append(Reading(reader, case, side, ratings))
        write_readings(readings, tmp_path / f"{reader}.tsv")
    rows = [f"{c[4:]}\t{'patient' if n < PATIENTS else 'control'}" for n, c in enumerate(CASES)]
    (tmp_path / "participants.tsv").write_text("participant_id\tgroup\n" + "\n".join(rows))
    return tmp_path


def run(folder: Path, *names: str, more: tuple[str, ...] = ()) -> int:
    files = [str(folder / f"{name}.tsv") for name in names]
    return cli.main(["agreement", *files, *more, "--out", str(folder / "out")])


def cells(path: Path) -> list[dict[str, str]]:
    return [row for _line, row in read_table(path)[1]]


def test_all_tables_are_written_and_tell_the_same(folder: Path, capsys) -> None:
    truth = ("--truth", str(folder / "participants.tsv"))
    assert run(folder, "Anna", "Ben", "Cem", more=truth) == 0
    told = capsys.readouterr().out
    out = folder / "out"
    names = ["accuracy.tsv", "agreement.tsv", "consensus.tsv", "provenance.json", "ties.tsv"]
    assert sorted(p.name for p in out.iterdir()) == names
    rows = cells(out / "agreement.tsv")
    assert {row["readers"] for row in rows} == {
        "Anna, Ben", "Anna, Cem", "Ben, Cem", "Anna, Ben, Cem"}  # fmt: skip
    (row,) = [r for r in rows if r["readers"] == "Anna, Ben, Cem" and r["item"] == "pathologic"
              and r["hemisphere"] == "both" and r["measure"] == "fleiss_kappa"]  # fmt: skip
    assert f"{float(row['value']):.2f}" in told and 0 < float(row["value"]) < 1
    assert float(row["low"]) < float(row["value"]) < float(row["high"])
    agreed = read_readings(out / "consensus.tsv")
    assert len(agreed) == 2 * len(CASES) and {one.reader for one in agreed} == {"consensus"}
    judged = cells(out / "accuracy.tsv")
    assert {row["readers"] for row in judged} == {"Anna", "Ben", "Cem", "consensus"}
    assert cells(out / "ties.tsv") == [], "three readers, none of whom left anything open"
    record = json.loads((out / "provenance.json").read_text("utf-8"))
    assert len(record["inputs"]) == 4 and all(entry["sha256"] for entry in record["inputs"])


def test_confidence_that_all_rate_alike_is_perfect(folder: Path) -> None:
    assert run(folder, "Anna", "Ben", more=("--weights", "linear")) == 0
    (row,) = [r for r in cells(folder / "out" / "agreement.tsv")
              if r["measure"] == "cohen_kappa_linear" and r["hemisphere"] == "left"]  # fmt: skip
    assert float(row["value"]) == pytest.approx(1) and row["low"] == "n/a"
    assert "never differ" in row["note"]


def test_results_of_another_call_do_not_stay(folder: Path) -> None:
    truth = ("--truth", str(folder / "participants.tsv"))
    assert run(folder, "Anna", "Ben", more=truth) == 0
    (folder / "out" / "mine.txt").touch()
    assert run(folder, "Anna", "Ben") == 0
    names = {p.name for p in (folder / "out").iterdir()}
    assert "accuracy.tsv" not in names and "mine.txt" in names


def test_one_reader_alone_is_judged_but_not_compared(folder: Path, capsys) -> None:
    assert run(folder, "Anna") == 2
    assert "two readers" in capsys.readouterr().err
    assert run(folder, "Anna", more=("--truth", str(folder / "participants.tsv"))) == 0
    assert "only reader" in capsys.readouterr().err
    assert not (folder / "out" / "agreement.tsv").exists()
    assert {row["readers"] for row in cells(folder / "out" / "accuracy.tsv")} == {"Anna"}


def test_other_names_of_groups_can_be_given(folder: Path, capsys) -> None:
    table = folder / "other.tsv"
    rows = [f"{c}\t{'PLS' if n < PATIENTS else 'mimic'}" for n, c in enumerate(CASES)]
    table.write_text("case_id\tdiagnosis\n" + "\n".join(rows))
    more = ("--truth", str(table), "--truth-column", "diagnosis")
    assert run(folder, "Anna", "Ben", more=more) == 2
    assert "'PLS'" in capsys.readouterr().err
    assert run(folder, "Anna", "Ben", more=(*more, "--patients", "PLS")) == 0
    found = cells(folder / "out" / "accuracy.tsv")
    assert {r["n"] for r in found if r["measure"] == "sensitivity" and r["readers"] == "Ben"} == {
        str(PATIENTS)
    }


def test_cases_without_truth_and_the_reverse_are_counted(folder: Path, capsys) -> None:
    rows = ["sub-00\tALS", "sub-01\tn/a", "sub-13\tHC", "sub-99\tHC"]
    (folder / "some.tsv").write_text("participant_id\tgroup\n" + "\n".join(rows))
    assert run(folder, "Anna", "Ben", more=("--truth", str(folder / "some.tsv"))) == 0
    told = capsys.readouterr().err
    assert "--truth does not have: 12" in told and "not read: 1 (99)" in told


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("participant_id\tgroup\nsub-50\tALS\n", "No case that was read"),
        ("participant_id\tage\nsub-00\t50\n", "needs the column group"),
        ("name\tgroup\nsub-00\tALS\n", "case_id or participant_id"),
        ("case_id\tgroup\n00\tALS\nsub-00\tHC\n", "twice"),
    ],
)
def test_a_truth_that_cannot_be_used_is_refused(text, part, folder: Path, capsys) -> None:
    (folder / "t.tsv").write_text(text)
    assert run(folder, "Anna", "Ben", more=("--truth", str(folder / "t.tsv"))) == 2
    assert part in capsys.readouterr().err
    assert not (folder / "out").exists()


def test_a_folder_or_a_pattern_stands_for_its_tables(folder: Path, capsys) -> None:
    for name in ("Anna", "Ben"):
        (folder / f"{name}.tsv").rename(folder / f"reading_{name}.tsv")
    for given in (folder, folder / "reading_*.tsv"):
        assert cli.main(["agreement", str(given), "--out", str(folder / "out")]) == 0
        assert "Readers: Anna, Ben." in capsys.readouterr().out
    assert cli.main(["agreement", str(folder / "out"), "--out", str(folder / "o")]) == 2
    assert "no readings in it" in capsys.readouterr().err


def test_wrong_input_is_refused_in_a_sentence(folder: Path, capsys) -> None:
    assert run(folder, "Nobody") == 2
    assert "no such file" in capsys.readouterr().err
    assert run(folder, "Anna", "Anna") == 2
    assert "twice" in capsys.readouterr().err
    assert run(folder, "Anna", "Ben", more=("--weights", "cubic")) == 2
    assert "cubic" in capsys.readouterr().err
    write_readings([], folder / "empty.tsv")
    assert run(folder, "empty") == 2
    assert "no reading yet" in capsys.readouterr().err
