"""The command line: results go where they may, and take the place of no input."""

from __future__ import annotations

import os

import numpy as np
import pytest

from ALSMotorCortexLib import cli
from cli_case import refused
from small_disk import small_disk


def test_output_that_is_a_file(case, capfd):
    (case.folder / "file").write_text("mine")
    arguments = case.arguments("--out", str(case.folder / "file"))
    assert "is a file" in refused(case, capfd, arguments)
    arguments = case.arguments("--out", str(case.folder / "file" / "deeper"))
    assert "cannot be written" in refused(case, capfd, arguments)


def test_output_whose_name_is_too_long(case, capfd):
    arguments = case.arguments("--out", str(case.folder / ("x" * 300)))
    assert "cannot be written" in refused(case, capfd, arguments)


def test_output_is_checked_before_the_work(case, capfd, monkeypatch):
    """Even labels that cannot be read are not looked at."""
    arguments = case.arguments("--out", str(case.labels), labels=case.folder / "none.nii.gz")
    assert "is a file" in refused(case, capfd, arguments)


@pytest.mark.parametrize("role", ["labels", "map", "region", "settings", "mask"])
@pytest.mark.parametrize("linked", [False, True])
def test_an_input_in_the_output_folder_is_kept(case, capfd, role, linked):
    """Whether it is named there, or elsewhere through a link."""
    if role == "settings":
        data, name = b"{}", "provenance.json"
    else:
        array = case.slab.array if role == "labels" else np.ones(case.slab.array.shape, np.uint8)
        data, name = case.save("x.nii.gz", array).read_bytes(), "layers.nii.gz"
    if role == "mask":
        name = "T2star.nii.gz"
    path = given = case.out / name
    path.write_bytes(data)
    if linked:
        given = case.folder / f"link-{name}"
        try:
            given.symlink_to(path)
        except OSError:
            pytest.skip("this system makes no links")
    echoes = ["maps", "--echoes", str(case.map), str(case.labels), "--te", "1", "2"]
    arguments = {
        "labels": case.arguments(labels=given),
        "map": case.arguments("--map", f"thickness={given}"),
        "region": case.arguments("--region", f"hand={given}"),
        "settings": case.arguments("--settings", str(given)),
        "mask": [*echoes, "--mask", str(given), "--out", str(case.out)],
    }[role]
    before = {p.name: p.read_bytes() for p in case.out.iterdir()}
    assert cli.main([*arguments, "--quiet"]) == cli.EXIT_INPUT
    err = capfd.readouterr().err
    assert f"{given} is an input" in err and "Choose another output folder." in err
    assert {p.name: p.read_bytes() for p in case.out.iterdir()} == before


def test_maps_that_an_earlier_run_left_there_are_not_taken_away(case, capfd):
    """A run takes away what an earlier one wrote, which here is what it measures."""
    echoes = case.echoes()
    maps = ["maps", "--echoes", *map(str, echoes), "--te", "10", "20", "--noise", "0.1"]
    assert cli.main([*maps, "--out", str(case.out), "--quiet"]) == 0
    path = case.out / "T2star.nii.gz"
    before = path.read_bytes()
    assert cli.main(case.arguments("--map", f"T2star={path}", "--quiet")) == cli.EXIT_INPUT
    assert f"{path} is an input" in capfd.readouterr().err
    assert path.read_bytes() == before


def test_inputs_that_no_result_is_called_by_may_lie_in_the_output_folder(case, capfd):
    arguments = case.arguments("--out", str(case.folder), "--map", f"T2={case.map}", "--quiet")
    assert cli.main(arguments) == 0, capfd.readouterr().err
    assert case.labels.exists() and case.map.exists()


@pytest.mark.parametrize("scene", [False, True])
def test_full_disk(case, tmp_path_factory, capfd, scene):
    if scene:
        pytest.importorskip("slicer", reason="slicer-core is not installed")
    with small_disk(tmp_path_factory.mktemp("disk"), "128k") as disk:
        out = disk / "results"
        out.mkdir()
        (out / "measures.tsv").write_text("old")
        (disk / "filler").write_bytes(bytes(112 << 10))
        arguments = case.arguments("--out", str(out))
        err = refused(case, capfd, [a for a in arguments if not (scene and a == "--no-scene")])
        assert "disk is full" in err
        assert {p.name: p.read_text() for p in out.iterdir()} == {"measures.tsv": "old"}
        assert sorted(os.listdir(disk)) == ["filler", "results"]
