"""The command compare: numbers against the formulas, and a sentence for every bad input."""

from __future__ import annotations

import json
import math
import re
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from ALSMotorCortexLib import cli
from placed_study import Clinic, rows_of, table


@pytest.fixture
def clinic(tmp_path: Path) -> Clinic:
    return Clinic(tmp_path).write()


def refused(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    """The sentence that a command ends with."""
    assert cli.main(arguments) == cli.EXIT_INPUT
    text = capsys.readouterr().err.splitlines()[-1]
    assert text.startswith("Error: ")
    return text


def test_measures_are_placed_among_controls_only(clinic: Clinic) -> None:
    assert cli.main(clinic.arguments("--quiet")) == 0
    rows = {row["measure"]: row for row in rows_of(clinic.folder / "out" / "comparison.tsv")}
    assert set(rows) == {"thickness_mean", "mean"}
    row, controls = rows["thickness_mean"], clinic.values("thickness_mean")
    z = (2.6 - controls.mean()) / controls.std(ddof=1)
    t = z / math.sqrt(15 / 14)
    assert float(row["z"]) == pytest.approx(z, rel=1e-7)
    assert (float(row["t"]), row["df"]) == (pytest.approx(t, rel=1e-7), "13")
    assert float(row["p"]) == pytest.approx(2 * stats.t.cdf(t, 13), rel=1e-6)
    assert float(row["below"]) == pytest.approx(stats.t.cdf(t, 13), rel=1e-6)
    assert row["controls_lower"] == "0"
    assert row["adjusted_z"] == "n/a"  # neither age nor sex of the patient is known


def test_given_age_is_held_equal(clinic: Clinic) -> None:
    """At 80 a thinner cortex is expected than at 60."""
    clinic.people[1][2] = 85  # so that 80 is within the controls' ages
    clinic.write()
    found = {}
    for age in ("60", "80"):
        assert cli.main(clinic.arguments("--age", age, "--quiet")) == 0
        rows = rows_of(clinic.folder / "out" / "comparison.tsv")
        found[age] = next(row for row in rows if row["measure"] == "thickness_mean")
    slope, start = np.polyfit(clinic.ages(), clinic.values("thickness_mean"), 1)
    for age, row in found.items():
        assert float(row["adjusted_expected"]) == pytest.approx(start + slope * int(age), rel=1e-6)
        assert row["adjusted_df"] == "12"
    assert found["60"]["z"] == found["80"]["z"]


def test_age_and_sex_are_looked_up_by_the_patient_s_id(clinic: Clinic) -> None:
    clinic.people.append(["sub-Z9", "ALS", 66, "F"])
    clinic.write()
    assert cli.main(clinic.arguments("--patient-id", "Z9", "--quiet")) == 0
    page = (clinic.folder / "out" / "report.html").read_text(encoding="utf-8")
    assert "66 years, F" in page and "Z9 among controls" in page
    record = json.loads((clinic.folder / "out" / "provenance.json").read_text())
    assert record["settings"]["held"] == ["age", "sex"]


def test_a_participant_of_the_same_table_is_not_among_their_own_controls(clinic: Clinic) -> None:
    patient = clinic.folder / "group_measures.tsv"
    arguments = clinic.arguments("--patient-id", "sub-C03", "--quiet")
    arguments[2] = str(patient)
    assert cli.main(arguments) == 0
    rows = rows_of(clinic.folder / "out" / "comparison.tsv")
    assert {row["n"] for row in rows} == {"13"}
    omissions = rows_of(clinic.folder / "out" / "omissions.tsv")
    assert any(row["item"] == "the patient" for row in omissions)


def test_profiles_lie_over_the_controls_band(clinic: Clinic) -> None:
    assert cli.main(clinic.arguments("--quiet")) == 0
    rows = rows_of(clinic.folder / "out" / "profile_comparison.tsv")
    assert [float(row["value"]) for row in rows] == [30, 28, 26, 24, 22]
    own = np.array([row[6] for row in clinic.profiles[1:] if row[0].startswith("C")], float)
    column = own.reshape(14, 5)[:, 4]
    half = stats.t.ppf(0.975, 13) * column.std(ddof=1) * math.sqrt(15 / 14)
    last = rows[-1]
    assert float(last["range_low"]) == pytest.approx(column.mean() - half, rel=1e-6)
    assert float(last["value"]) < float(last["range_low"])


def test_every_column_is_explained(clinic: Clinic) -> None:
    assert cli.main(clinic.arguments("--quiet")) == 0
    for path in (clinic.folder / "out").glob("*.tsv"):
        head = path.read_text(encoding="utf-8").splitlines()[0].split("\t")
        told = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
        assert list(told) == ["Description", *head]
        assert all(told[name]["Description"] for name in head)


def test_outputs_do_not_name_the_patient_s_folder(clinic: Clinic) -> None:
    named = clinic.folder / "Jane_Doe_1950"
    (clinic.folder / "patient").rename(named)
    arguments = [str(named) if a.endswith("/patient") else a for a in clinic.arguments("--quiet")]
    assert cli.main(arguments) == 0
    for path in (clinic.folder / "out").iterdir():
        assert b"Doe" not in path.read_bytes(), path.name
    assert cli.main([*arguments, "--keep-patient-identity"]) == 0
    assert b"Doe" in (clinic.folder / "out" / "provenance.json").read_bytes()


def test_a_refusal_leaves_old_results_whole(clinic: Clinic, capsys) -> None:
    assert cli.main(clinic.arguments("--quiet")) == 0
    before = {p.name: p.read_bytes() for p in (clinic.folder / "out").iterdir()}
    clinic.people = [row for row in clinic.people if row[1] != "HC"]
    clinic.write()
    refused(clinic.arguments(), capsys)
    assert before == {p.name: p.read_bytes() for p in (clinic.folder / "out").iterdir()}


def test_bad_input_gets_a_sentence(clinic: Clinic, capsys, tmp_path: Path) -> None:
    def said(pattern: str, *more: str) -> None:
        assert re.search(pattern, refused(clinic.arguments(*more), capsys))

    said("no measure in common|No measure fits", "--measure", "nothing")
    said("not between 0 and 120", "--age", "400")
    said("no group 'nobody'", "--control-group", "nobody")
    arguments = clinic.arguments()
    arguments[2] = str(clinic.folder / "group_measures.tsv")
    assert "--patient-id" in refused(arguments, capsys)
    assert "No participant X" in refused([*arguments, "--patient-id", "X"], capsys)
    arguments[2] = str(tmp_path / "gone")
    assert "does not exist" in refused(arguments, capsys)
    few = Clinic(tmp_path / "few", controls=2).write()
    assert "only 2 controls" in refused(few.arguments(), capsys)
    clinic.measures[1][4] = "3,1"  # a decimal comma is read
    clinic.write()
    assert cli.main(clinic.arguments("--quiet")) == 0
    clinic.measures[1][4] = "thick"
    clinic.write()
    said("'thick' in column value")


def test_what_cannot_be_compared_is_stated(clinic: Clinic, capsys) -> None:
    for row in clinic.measures[1:]:
        if row[3] == "mean":
            row[4] = 30  # constant
    clinic.measures[1][4] = "n/a"
    clinic.patient[3][4] = "cm3"
    clinic.write()
    wanted = ["--measure", "thickness_mean", "mean", "ribbon_volume"]
    assert cli.main(clinic.arguments(*wanted)) == 0
    told = capsys.readouterr().err
    assert "left_hand/T2star:mean: All controls have the same value." in told
    assert "The patient's unit is cm3 and the controls' mm3." in told
    rows = rows_of(clinic.folder / "out" / "comparison.tsv")
    assert [(row["measure"], row["n"], row["controls_missing"]) for row in rows] == [
        ("thickness_mean", "13", "1")
    ]


def test_too_few_for_a_regression_is_stated(tmp_path: Path) -> None:
    small = Clinic(tmp_path, controls=4).write()
    assert cli.main(small.arguments("--age", "60", "--sex", "F", "--quiet")) == 0
    rows = rows_of(tmp_path / "out" / "comparison.tsv")
    assert {row["adjusted_z"] for row in rows} == {"n/a"}
    reasons = [row["reason"] for row in rows_of(tmp_path / "out" / "omissions.tsv")]
    assert any("too few to hold them equal" in reason for reason in reasons)


def test_other_depth_bins_are_stated(clinic: Clinic) -> None:
    clinic.curve = [clinic.curve[0], ["ribbon", "T2star", 1, 0, 1, 30]]
    clinic.write()
    assert cli.main(clinic.arguments("--quiet")) == 0
    assert not (clinic.folder / "out" / "profile_comparison.tsv").exists()
    reasons = [row["reason"] for row in rows_of(clinic.folder / "out" / "omissions.tsv")]
    assert any("1 depth bins and the controls 5" in reason for reason in reasons)


def test_without_participants_all_are_controls_and_that_is_said(clinic: Clinic, capsys) -> None:
    arguments = clinic.arguments()
    at = arguments.index("--participants")
    assert cli.main(arguments[:at] + arguments[at + 2 :]) == 0
    assert "All 17 participants" in capsys.readouterr().err


def test_unknown_table_form(clinic: Clinic, capsys) -> None:
    table(clinic.folder / "group_measures.tsv", [["id", "thickness"], ["1", "2"]])
    assert "no column 'region'" in refused(clinic.arguments(), capsys)
