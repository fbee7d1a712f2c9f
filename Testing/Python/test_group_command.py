"""The command ``group`` as a user types it."""

from __future__ import annotations

from pathlib import Path

import pytest

from ALSMotorCortexLib.cli import main
from simulated_study import SimulatedStudy


def typed(folder: Path, *more: str) -> list[str]:
    return [
        "group", "--measures", str(folder / "measures.tsv"),
        "--participants", str(folder / "participants.tsv"), "--out", str(folder / "out"), *more,
    ]  # fmt: skip


def test_a_study_runs_and_says_what_it_left_out(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    simulated = SimulatedStudy()
    simulated.drop("C03")
    simulated.write(tmp_path)
    profiles = str(tmp_path / "profiles.tsv")
    assert main(typed(tmp_path, "--profiles", profiles, "--seed", "5")) == 0
    out, err = capsys.readouterr()
    assert "report.html" in out
    assert "12 patients (ALS), 8 controls (HC)" in err
    assert "without measures: C03" in err
    assert (tmp_path / "out" / "profile_bands.tsv").read_text().count("\n") > 1


@pytest.mark.parametrize(
    ("more", "sentence"),
    [
        (["--patients", "MND"], "There is no group 'MND'"),
        (["--measure", "thicknes"], "No measure fits 'thicknes'"),
        (["--combine", "nothing"], "No measure fits 'nothing'"),
        (["--session", "2"], "Nobody has a session '2'"),
        (["--seed", "-1"], "--seed -1 is negative"),
        (["--seed", "x"], "invalid int value"),
        (["--profiles", "nowhere"], "nowhere does not exist"),
    ],
)
def test_bad_options_get_a_sentence_and_status_2(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], more: list[str], sentence: str
) -> None:
    SimulatedStudy().write(tmp_path)
    assert main(typed(tmp_path, *more)) == 2
    err = capsys.readouterr().err
    assert sentence in err and "Traceback" not in err
    assert not (tmp_path / "out").exists()


def test_groups_may_be_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    simulated = SimulatedStudy()
    for label in simulated.labels:
        simulated.set(label, "group", "case7" if label[0] == "P" else "site3")
    simulated.write(tmp_path)
    assert main(typed(tmp_path)) == 2
    assert "Name them with --patients and --controls" in capsys.readouterr().err
    assert main(typed(tmp_path, "--patients", "case7", "--controls", "SITE3", "--quiet")) == 0
    assert capsys.readouterr() == ("", "")
