"""``bids`` at the command line."""

from __future__ import annotations

import json
import os
import re

import pytest

from ALSMotorCortexLib import cli
from ALSMotorCortexLib.study.bids_dataset import read_tsv
from bids_study import QUICK, Study


@pytest.fixture
def study(tmp_path) -> Study:
    return Study(tmp_path / "raw")


def call(study: Study, *more: str, level: str = "participant") -> int:
    settings = study.root.parent / "settings.json"
    settings.write_text(json.dumps(QUICK))
    out = study.root.parent / "out"
    own = ["--settings", str(settings)] if level == "participant" else []
    return cli.main(["bids", str(study.root), str(out), level, *own, *more])


def test_from_participants_to_group(study, capfd):
    study.with_echoes("01", "a")
    study.with_echoes("01", "b")
    study.with_map("02")
    out = study.root.parent / "out"
    choice = ["--participant-label", "sub-01", "--session-label", "b"]
    assert call(study, *choice, "--map", "R2star", "--layers", "4") == 0
    printed, told = capfd.readouterr()
    assert printed.startswith("1 measured. Results are in") and "1 of 1: sub-01 ses-b" in told
    folder = out / "sub-01" / "ses-b" / "anat"
    rows = read_tsv(folder / "sub-01_ses-b_desc-cortical_measures.tsv")
    assert {row["map"] for row in rows} == {"n/a", "R2star"}
    assert "layer_4_mean" in {row["measure"] for row in rows}
    assert not (out / "sub-02").exists()

    assert call(study, level="group") == 0
    printed, told = capfd.readouterr()
    assert printed.startswith("1 collected into")
    assert "2 of 3 are not in the tables: sub-01 ses-a, sub-02" in told


def test_a_failure_is_listed_and_the_status_is_2(study, capfd):
    study.with_map("01")
    study.with_map("02")
    (study.root / "sub-02" / "anat" / "sub-02_T2starmap.nii.gz").write_bytes(b"no")
    assert call(study, "--quiet") == cli.EXIT_INPUT
    out, err = capfd.readouterr()
    first, second = err.splitlines()
    assert out == "" and first == "Error: 1 of 2 failed; the others are done."
    assert second.startswith("  sub-02: sub-02/anat/sub-02_T2starmap.nii.gz")


@pytest.mark.parametrize(
    "more, words",
    [
        (["--participant-label", "77"], "no participant 77"),
        (["--session-label", "x"], "no session x"),
        (["--segmentations", "nowhere"], "no derivative dataset nowhere .* which has: labels"),
        (["--jobs", "0"], "--jobs must be 1 or more"),
        (["--select", "foo-1"], "ENTITY-LABEL"),
        (["--layers", "0"], "layers must be between"),
        (["--plane", "tilted"], "plane must be one of"),
        (["--fit", "magic"], "--fit must be one of"),
    ],
)
def test_bad_options_are_refused_before_anything_is_written(study, capfd, more, words):
    study.with_map("01")
    assert call(study, *more) == cli.EXIT_INPUT
    err = capfd.readouterr().err
    assert err.startswith("Error: ") and err.count("\n") == 1
    assert re.search(words, err)
    assert not (study.root.parent / "out").exists()


def test_bad_folders_and_levels(study, capfd, tmp_path):
    study.with_map("01")
    for arguments, words in (
        ([str(study.root), str(study.root), "participant"], "itself"),
        ([str(study.root), str(study.labels), "participant"], "holds another dataset"),
        ([str(tmp_path / "none"), str(tmp_path / "out"), "participant"], "There is no folder"),
        ([str(study.root), str(tmp_path / "out"), "everything"], "participant or group"),
        ([str(study.root), str(tmp_path / "out"), "group"], "No participant"),
    ):
        assert cli.main(["bids", *arguments]) == cli.EXIT_INPUT
        assert words in capfd.readouterr().err


@pytest.mark.parametrize("level", ["participant", "group"])
@pytest.mark.parametrize("name", ["README.md", "group_measures.tsv"])
def test_inputs_are_not_replaced(study, capfd, tmp_path, level, name):
    study.with_map("01")
    out = tmp_path / "out"
    out.mkdir()
    (out / name).write_text("{}")
    arguments = [str(study.root), str(out), level, "--settings", str(out / name)]
    assert cli.main(["bids", *arguments, "--quiet"]) == cli.EXIT_INPUT
    assert f"{out / name} is an input" in capfd.readouterr().err
    assert [(path.name, path.read_text()) for path in out.iterdir()] == [(name, "{}")]


@pytest.mark.skipif(os.name == "nt", reason="the made-up engine is a shell script")
def test_reports_are_printed_where_asked_for(study, capfd, tmp_path, monkeypatch):
    """With an engine that is made up; without one a sentence says so once."""
    engine = tmp_path / "bin" / "weasyprint"
    engine.parent.mkdir()
    engine.write_text('#!/bin/sh\necho "%PDF-1.4" > "$2"\n')
    engine.chmod(0o755)
    monkeypatch.setenv("PATH", str(engine.parent))
    monkeypatch.setattr("ALSMotorCortexLib.pdf._ELSEWHERE", ())
    study.with_map("01")
    out = study.root.parent / "out"
    assert call(study, "--pdf", "--quiet") == 0
    assert (out / "sub-01.pdf").read_bytes() == b"%PDF-1.4\n"
    record = json.loads(next(out.rglob("*_provenance.json")).read_text(encoding="utf-8"))
    assert {"sub-01.html", "sub-01.pdf"} <= set(record["outputs"])
    engine.unlink()
    capfd.readouterr()
    assert call(study, "--pdf") == 0
    assert capfd.readouterr().err.count("No PDF is written") == 1
    assert (out / "sub-01.html").is_file() and not (out / "sub-01.pdf").exists()
