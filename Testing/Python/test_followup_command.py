"""The command followup: change per month from tables, and a sentence for every bad input."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from ALSMotorCortexLib import cli
from ALSMotorCortexLib.study.statistics.clinical import DAYS_PER_MONTH
from placed_study import rows_of, table

DAYS = (0, 183, 366)


class Exams:
    """Two participants with three exams, and six measured twice."""

    def __init__(self, folder: Path) -> None:
        rng = np.random.default_rng(0)
        self.folder = folder
        self.measures = [["participant_id", "session_id", "region", "map", "measure", "value",
                          "unit"]]  # fmt: skip
        self.dates = [["participant_id", "session_id", "exam_date"]]
        self.retest = [list(self.measures[0])]
        for label, slope in (("P1", -0.03), ("C1", 0.0)):
            for session, (days, day) in enumerate(
                zip(DAYS, ("2024-01-01", "2024-07-02", "2025-01-01"), strict=True), 1
            ):
                value = round(3 + slope * days / DAYS_PER_MONTH + rng.normal(0, 0.01), 5)
                row = [label, f"ses-{session}", "ribbon", "n/a", "thickness_mean", value, "mm"]
                self.measures.append(row)
                self.dates.append([f"sub-{label}", str(session), day])
        for k in range(6):
            true = rng.normal(3, 0.2)
            for session in ("test", "retest"):
                value = round(true + rng.normal(0, 0.01), 5)
                row = [f"R{k}", session, "ribbon", "n/a", "thickness_mean", value, "mm"]
                self.retest.append(row)

    def write(self) -> Exams:
        table(self.folder / "measures.tsv", self.measures)
        table(self.folder / "sessions.tsv", self.dates)
        table(self.folder / "retest.tsv", self.retest)
        return self

    def arguments(self, *more: str, dates: bool = True, retest: bool = True) -> list[str]:
        arguments = ["followup", "--measures", str(self.folder / "measures.tsv")]
        arguments += ["--sessions", str(self.folder / "sessions.tsv")] if dates else []
        arguments += ["--test-retest", str(self.folder / "retest.tsv")] if retest else []
        return [*arguments, "--out", str(self.folder / "out"), *more]

    def values(self, label: str) -> np.ndarray:
        return np.array([row[5] for row in self.measures if row[0] == label], float)

    def changes(self) -> dict[str, dict[str, str]]:
        rows = rows_of(self.folder / "out" / "changes.tsv")
        return {row["participant_id"]: row for row in rows}


@pytest.fixture
def exams(tmp_path: Path) -> Exams:
    return Exams(tmp_path).write()


def refused(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    assert cli.main(arguments) == cli.EXIT_INPUT
    text = capsys.readouterr().err.splitlines()[-1]
    assert text.startswith("Error: ")
    return text


def test_slope_and_error_by_the_formulas(exams: Exams) -> None:
    assert cli.main(exams.arguments("--quiet")) == 0
    row = exams.changes()["P1"]
    found = stats.linregress(np.array(DAYS) / DAYS_PER_MONTH, exams.values("P1"))
    assert float(row["change_per_month"]) == pytest.approx(found.slope, rel=1e-6)
    half = stats.t.ppf(0.975, 1) * found.stderr
    assert float(row["change_per_month_high"]) == pytest.approx(found.slope + half, rel=1e-6)
    pairs = np.array([row[5] for row in exams.retest[1:]], float).reshape(6, 2)
    sd = math.sqrt((np.diff(pairs) ** 2).sum() / 12)
    x = np.array(DAYS) / DAYS_PER_MONTH
    half = stats.t.ppf(0.975, 6) * sd / math.sqrt(((x - x.mean()) ** 2).sum())
    assert float(row["error_low"]) == pytest.approx(found.slope - half, rel=1e-5)
    assert row["beyond_error"] == "1"
    error = rows_of(exams.folder / "out" / "measurement_error.tsv")[0]
    assert float(error["within_subject_sd"]) == pytest.approx(sd, rel=1e-6)
    assert float(error["detectable"]) == pytest.approx(
        stats.t.ppf(0.975, 6) * math.sqrt(2) * sd, rel=1e-6
    )


def test_without_test_and_retest_the_error_is_said_to_be_unknown(exams: Exams, capsys) -> None:
    assert cli.main(exams.arguments(retest=False)) == 0
    assert "The error of measurement is unknown" in capsys.readouterr().err
    assert {row["beyond_error"] for row in exams.changes().values()} == {"n/a"}
    assert not (exams.folder / "out" / "measurement_error.tsv").exists()
    page = (exams.folder / "out" / "report.html").read_text(encoding="utf-8")
    assert "Unknown. Without people who were measured twice" in page


def test_groups_have_a_mean_change(exams: Exams) -> None:
    people = [["participant_id", "group"], ["P1", "ALS"], ["C1", "HC"]]
    table(exams.folder / "participants.tsv", people)
    arguments = exams.arguments("--participants", str(exams.folder / "participants.tsv"))
    assert cli.main([*arguments, "--quiet"]) == 0
    rows = {row["group"]: row for row in rows_of(exams.folder / "out" / "rates.tsv")}
    assert rows["ALS"]["n"] == "1"
    slope = float(exams.changes()["P1"]["change_per_month"])
    assert float(rows["ALS"]["change_per_month"]) == pytest.approx(slope)


def test_days_in_the_files_of_a_bids_dataset(exams: Exams) -> None:
    for label in ("P1", "C1"):
        rows = [["session_id", "days"], *([f"ses-{i}", d] for i, d in enumerate(DAYS, 1))]
        table(exams.folder / "study" / f"sub-{label}" / f"sub-{label}_sessions.tsv", rows)
    arguments = exams.arguments("--sessions", str(exams.folder / "study"), dates=False)
    assert cli.main([*arguments, "--quiet"]) == 0
    assert float(exams.changes()["P1"]["months"]) == pytest.approx(366 / DAYS_PER_MONTH)


def test_folders_of_sessions_with_dates_on_the_command_line(exams: Exams) -> None:
    for session, value in (("1", 3.0), ("2", 2.9)):
        rows = [["region", "map", "measure", "value", "unit"],
                ["ribbon", "n/a", "thickness_mean", value, "mm"]]  # fmt: skip
        table(exams.folder / "sub-07" / f"ses-{session}" / "measures.tsv", rows)
    arguments = ["followup", "--measures", str(exams.folder / "sub-07"), "--date", "1=2024-01-01",
                 "--date", "ses-2=2024-05-31", "--out", str(exams.folder / "out")]  # fmt: skip
    assert cli.main([*arguments, "--quiet"]) == 0
    row = exams.changes()["07"]
    months = 151 / DAYS_PER_MONTH
    assert float(row["change_per_month"]) == pytest.approx(-0.1 / months, rel=1e-6)
    assert row["change_per_month_low"] == "n/a"


def test_a_column_of_days_in_the_measures(exams: Exams) -> None:
    exams.measures[0].append("days")
    for row in exams.measures[1:]:
        row.append(DAYS[int(row[1][-1]) - 1])
    exams.write()
    assert cli.main(exams.arguments("--quiet", dates=False)) == 0
    assert set(exams.changes()) == {"P1", "C1"}


def test_what_is_left_out_is_said(exams: Exams, capsys) -> None:
    exams.dates = [row for row in exams.dates if row[0] != "sub-C1" or row[1] == "1"]
    exams.measures[1][5] = "n/a"
    exams.write()
    assert cli.main(exams.arguments()) == 0
    told = capsys.readouterr().err
    assert "Sessions without a date: C1 2, C1 3." in told
    assert "Fewer than two exams at different times: C1." in told
    assert exams.changes()["P1"]["exams"] == "2"
    omissions = rows_of(exams.folder / "out" / "omissions.tsv")
    assert any("Not measured at 1 exams of P1" in row["reason"] for row in omissions)


def test_bad_input_gets_a_sentence(exams: Exams, capsys) -> None:
    assert "It is not known when" in refused(exams.arguments(dates=False), capsys)
    said = refused(exams.arguments("--date", "4=2024-01-01"), capsys)
    assert "names the session 4" in said
    assert "should read" in refused(exams.arguments("--date", "2024-01-01"), capsys)
    assert "is not a date" in refused(exams.arguments("--date", "1=31.5.2024"), capsys)
    twice = ["--date", "1=2024-01-01", "--date", "ses-1=2024-01-02"]
    assert "twice" in refused(exams.arguments(*twice), capsys)
    exams.retest = [row for row in exams.retest if row[1] != "retest"]
    exams.write()
    assert "Nobody stands twice" in refused(exams.arguments(), capsys)
    exams = Exams(exams.folder)
    exams.dates.append(["P1", "1", "2024-02-02"])
    exams.write()
    assert "has two dates" in refused(exams.arguments(), capsys)
    exams.dates = [["participant_id", "session_id"], ["P1", "1"]]
    exams.write()
    assert "does not say when" in refused(exams.arguments(), capsys)
    exams.dates = [["participant_id", "session_id", "exam_date"], ["P1", "1", "2024-01-01"]]
    exams.write()
    assert "Nobody has two dated exams" in refused(exams.arguments(), capsys)


def test_a_retest_in_another_unit_gives_no_error(exams: Exams, capsys) -> None:
    for row in exams.retest[1:]:
        row[6] = "cm"
    exams.write()
    assert cli.main(exams.arguments()) == 0
    assert "The unit of test and retest is another" in capsys.readouterr().err
    assert {row["beyond_error"] for row in exams.changes().values()} == {"n/a"}


def test_every_column_is_explained(exams: Exams) -> None:
    assert cli.main(exams.arguments("--quiet")) == 0
    tables = sorted((exams.folder / "out").glob("*.tsv"))
    assert len(tables) == 5
    for path in tables:
        head = path.read_text(encoding="utf-8").splitlines()[0].split("\t")
        told = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
        assert list(told) == ["Description", *head]
