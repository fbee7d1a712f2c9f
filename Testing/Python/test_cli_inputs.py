"""The command line: every input that is bad gets a sentence, and nothing is lost."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from ALSMotorCortexLib import cli
from ALSMotorCortexLib.cortex.errors import InputError
from ALSMotorCortexLib.cortex.grid import Grid
from ALSMotorCortexLib.study.images import read_image
from cli_case import MAIN, Case, refused, run_process

# Bad files ------------------------------------------------------------------------------


def missing(case: Case) -> Path:
    return case.folder / "none.nii.gz"


def empty(case: Case) -> Path:
    path = case.folder / "empty.nii.gz"
    path.touch()
    return path


def truncated(case: Case) -> Path:
    path = case.folder / "cut.nii.gz"
    data = case.labels.read_bytes()
    path.write_bytes(data[: len(data) // 2])
    return path


def text_file(case: Case) -> Path:
    path = case.folder / "text.nii.gz"
    path.write_text("hello")
    return path


def other_file(case: Case) -> Path:
    path = case.folder / "data.xyz"
    path.write_bytes(os.urandom(5000))
    return path


def folder(case: Case) -> Path:
    return case.folder


def four_dimensions(case: Case) -> Path:
    path = case.folder / "four.nii.gz"
    sitk.WriteImage(sitk.GetImageFromArray(np.zeros((3, 4, 5, 6), np.uint8), False), str(path))
    return path


def zero_spacing(case: Case) -> Path:
    return case.edit(case.save("zero.nii.gz", case.slab.array), "f", 84, 0.0)


def sheared(case: Case) -> Path:
    return case.edit(case.save("sheared.nii.gz", case.slab.array), "f", 284, 0.1)


BAD_FILES = {
    missing: "There is no file",
    empty: "is empty",
    truncated: "truncated",
    text_file: "not a NIfTI image",
    other_file: "not an image",
    folder: "is a folder",
    four_dimensions: "4 dimensions (6 x 5 x 4 x 3)",
    zero_spacing: "spacing of zero",
    sheared: "not at right angles",
}


@pytest.mark.parametrize("make_file, message", BAD_FILES.items(), ids=lambda x: str(x)[:20])
@pytest.mark.parametrize("role", ["labels", "map", "region"])
def test_bad_files(case, capfd, role, make_file, message):
    path = make_file(case)
    arguments = {
        "labels": case.arguments(labels=path),
        "map": case.arguments("--map", f"T2star={path}"),
        "region": case.arguments("--region", f"hand={path}:1"),
    }[role]
    err = refused(case, capfd, arguments)
    assert message in err and str(path) in err


@pytest.mark.skipif(os.name == "nt", reason="Windows has no names in bytes")
@pytest.mark.parametrize("suffix", [".nii.gz", ".nrrd"])
def test_names_that_are_not_utf_8(case, suffix):
    """ITK would end the process."""
    path = os.fsencode(case.folder / "l") + b"\xff" + suffix.encode()
    name = os.fsdecode(path)
    sitk.WriteImage(sitk.ReadImage(str(case.labels)), str(case.folder / f"l{suffix}"))
    os.rename(case.folder / f"l{suffix}", path)
    done = run_process(MAIN, *case.arguments(labels=Path(name)), "--quiet")
    assert done.returncode == cli.EXIT_INPUT
    assert done.stderr.count("\n") == 1 and "is not in UTF-8" in done.stderr
    with pytest.raises(InputError, match="not in UTF-8"):
        read_image(name)
    assert case.untouched()


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
@pytest.mark.parametrize(
    "role", ["labels", "map", "region", "settings", "trace", "reading", "echoes", "mask"]
)
def test_a_pipe_is_not_waited_for(case, role):
    """Nobody writes into it, so reading it would never end."""
    pipe = case.folder / "pipe.nii.gz"
    os.mkfifo(pipe)
    echo, later = case.echoes()
    maps = ["maps", "--te", "1", "2", "--out", str(case.out), "--echoes", str(echo)]
    arguments = {
        "labels": case.arguments(labels=pipe),
        "map": case.arguments("--map", f"T2star={pipe}"),
        "region": case.arguments("--region", f"hand={pipe}:1"),
        "settings": case.arguments("--settings", str(pipe)),
        "trace": case.arguments("--map", f"T2star={case.map}", "--trace", str(pipe)),
        "reading": case.arguments("--reading", str(pipe), "--case", "7"),
        "echoes": [*maps, str(pipe)],
        "mask": [*maps, str(later), "--mask", str(pipe)],
    }[role]
    done = run_process(MAIN, *arguments, "--quiet")
    assert done.returncode == cli.EXIT_INPUT
    assert done.stderr.count("\n") == 1 and f"{pipe} is a pipe or a device" in done.stderr
    assert case.untouched()


@pytest.mark.parametrize("value, message", [(np.nan, "NaN"), (np.inf, "infinite"), (2.4, "2.4")])
def test_labels_that_are_no_labels(case, capfd, value, message):
    array = case.slab.array.astype(np.float32)
    array[0, 0, 0] = value
    path = case.save("float.nii.gz", array)
    assert message in refused(case, capfd, case.arguments(labels=path))


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["--gm", "7"], "Label 7, given with --gm, is not in"),
        (["--other-bank", "7"], "Label 7, given with --other-bank, is not in"),
        (["--gm", "Gray"], "no segment names"),
        (["--wm", "3"], "given as both"),
    ],
)
def test_bad_labels(case, capfd, arguments, message):
    err = refused(case, capfd, case.arguments(*arguments))
    assert message in err
    if "not in" in message:
        assert "0, 1, 2, 3" in err


def test_bad_region_label(case, capfd):
    arguments = case.arguments("--region", f"hand={case.labels}:9")
    assert "Label 9, given with --region hand" in refused(case, capfd, arguments)


# Input that the measurement refuses or warns of -------------------------------------------


def without(case: Case, label: int) -> Path:
    """The label map with one tissue taken away but for a corner voxel far from the ribbon."""
    array = case.slab.array.copy()
    array[array == label] = 0
    array[0, 0 if label == 2 else -1, 0] = label
    return case.save("without.nii.gz", array)


@pytest.mark.parametrize("label, word", [(2, "white"), (1, "pial")])
def test_no_face(case, capfd, label, word):
    err = refused(case, capfd, case.arguments(labels=without(case, label)))
    assert word in err.lower()


def test_map_without_overlap(case, capfd):
    grid = Grid(case.slab.grid.shape, case.slab.grid.ijk_to_ras.copy())
    grid.ijk_to_ras[:3, 3] += 500
    path = case.save("far.nii.gz", np.ones(grid.shape, np.float32), grid)
    err = refused(case, capfd, case.arguments("--map", f"T2star={path}"))
    assert "T2star" in err and "overlap" in err


def test_map_on_another_grid_is_resampled_and_told(case, capfd):
    grid = Grid.from_spacing((9, 9, 9), (1.0, 1.0, 1.0))
    path = case.save("coarse.nii.gz", np.full(grid.shape, 30, np.float32), grid)
    assert cli.main(case.arguments("--map", f"T2star={path}")) == 0
    err = capfd.readouterr().err
    assert "T2star" in err and "linear" in err


def test_nan_in_a_map(case, capfd):
    array = np.full(case.slab.array.shape, 30, np.float32)
    array[::3] = np.nan
    array[1::3] = np.inf
    path = case.save("nan.nii.gz", array)
    assert cli.main(case.arguments("--map", f"T2star={path}")) == 0
    assert "T2star" in capfd.readouterr().err
    means = [line.split("\t") for line in (case.out / "profiles.tsv").read_text().splitlines()]
    values = {float(row[6]) for row in means[1:] if row[6] != "n/a"}
    assert values == {30.0}


def test_numbers_that_are_too_large_to_add_up_bring_no_warnings_of_numpy(case):
    path = case.save("large.nii.gz", np.full(case.slab.array.shape, 3e38, np.float32))
    done = run_process(MAIN, *case.arguments("--map", f"T2star={path}", "--quiet"))
    assert done.returncode == 0
    assert [line.split(":")[0] for line in done.stderr.splitlines()] == ["Warning"]


def test_map_of_nothing_but_nan(case, capfd):
    path = case.save("nan.nii.gz", np.full(case.slab.array.shape, np.nan, np.float32))
    status = cli.main(case.arguments("--map", f"T2star={path}"))
    err = capfd.readouterr().err
    assert "T2star" in err and "Traceback" not in err
    assert status == 2 and case.untouched()


def test_region_outside_the_ribbon(case, capfd):
    array = np.zeros(case.slab.array.shape, np.uint8)
    array[case.slab.array == 2] = 1
    path = case.save("region.nii.gz", array)
    err = refused(case, capfd, case.arguments("--region", f"hand={path}"))
    assert "hand" in err


def test_islands_are_told(case, capfd):
    array = case.slab.array.copy()
    array[0, 0, 0] = 3
    assert cli.main(case.arguments(labels=case.save("island.nii.gz", array))) == 0
    assert "1 loose piece of gray matter" in capfd.readouterr().err
