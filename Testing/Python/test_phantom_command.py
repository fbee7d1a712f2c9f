"""``phantom`` at the command line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ALSMotorCortexLib import cli, phantom_command
from ALSMotorCortexLib.cortex.simulation import Parameters
from ALSMotorCortexLib.study.images import read_image

FAST = ["--small", "--field-of-view", "14", "12", "2"]


def parsed(*words: str) -> Parameters:
    arguments = cli._parser().parse_args(["phantom", "--out", "x", *words])
    return phantom_command.parameters_of(arguments)


def test_without_options_the_defaults_hold() -> None:
    assert parsed() == Parameters()
    assert parsed("--small") == Parameters.small()


def test_every_option_reaches_its_parameter() -> None:
    """Spacing and field of view are typed as x, y, z and kept as k, j, i."""
    words = "--subject 7 --session b --days 30 --group patient --seed 3 --hemisphere both"
    words += " --iron 22 --atrophy 0.5 --snr 15 --tesla 3 --te 4 8 16 --spacing 0.3 0.4 2"
    words += " --slice-thickness 1.5 --ramp 0 --field-of-view 40 42 8 --tilt 20 --gradient 5"
    words += " --shading 0.1"
    assert parsed(*words.split()) == Parameters(
        subject="7",
        session="b",
        days=30,
        group="patient",
        seed=3,
        hemisphere="both",
        iron=22.0,
        atrophy=0.5,
        snr=15.0,
        tesla=3.0,
        times_ms=(4.0, 8.0, 16.0),
        spacing=(2.0, 0.4, 0.3),
        slice_thickness=1.5,
        ramp=0.0,
        extent=(8.0, 42.0, 40.0),
        tilt=20.0,
        gradient=5.0,
        shading=0.1,
    )


def test_options_win_over_small() -> None:
    assert parsed("--small", "--snr", "9") == Parameters.small(snr=9.0)
    assert parsed("--iron", "0").iron == 0


def test_it_writes_and_says_what(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "study"
    assert cli.main(["phantom", "--out", str(out), "--group", "patient", *FAST]) == 0
    told = capsys.readouterr().out
    assert "sub-01: patient" in told and str(out / "sub-01" / "anat") in told
    image = read_image(out / "sub-01" / "anat" / "sub-01_echo-1_part-mag_MEGRE.nii.gz").image
    assert image.grid.spacing == pytest.approx((1.0, 0.4, 0.4))
    assert image.array.shape == (2, 30, 35)


def test_a_subject_is_added(tmp_path: Path) -> None:
    for label in ("01", "02"):
        assert (
            cli.main(["phantom", "--out", str(tmp_path), "--subject", label, *FAST, "--quiet"]) == 0
        )
    described = json.loads((tmp_path / "dataset_description.json").read_text("utf-8"))
    assert described["Name"] == "ALSMotorCortex phantom"
    assert (tmp_path / "participants.tsv").read_text("utf-8").count("\nsub-") == 2


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--group", "ill"], "control, patient"),
        (["--subject", "a/b"], "letters and digits"),
        (["--te", "5"], "two or more echo times"),
        (["--te", "10", "5"], "ascend"),
        (["--snr", "-3"], "snr"),
        (["--spacing", "1", "2"], "expected 3 arguments"),
        (["--iron", "much"], "invalid float"),
    ],
)
def test_bad_input_is_one_sentence(
    words: list[str], said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "study"
    assert cli.main(["phantom", "--out", str(out), *words]) == 2
    assert said in capsys.readouterr().err
    assert not out.exists()


def test_a_file_is_no_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "study").write_text("mine", "utf-8")
    assert cli.main(["phantom", "--out", str(tmp_path / "study"), *FAST]) == 2
    assert "is a file" in capsys.readouterr().err
