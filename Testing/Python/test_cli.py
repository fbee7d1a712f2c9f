"""The command line: every bad input gets a sentence, and nothing is lost."""

from __future__ import annotations

import gzip
import json
import os
import signal
import struct
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import SimpleITK as sitk

from ALSMotorCortexLib import __version__, cli
from ALSMotorCortexLib.cortex.grid import Grid, Image
from ALSMotorCortexLib.cortex.phantoms import Slab, make
from ALSMotorCortexLib.scene_process import has_slicer
from ALSMotorCortexLib.study.nifti import write_nifti

MAIN = "from ALSMotorCortexLib import cli; cli.run_and_leave()"
TISSUES = ["--gm", "3", "--wm", "2", "--csf", "1"]
FAST = ["--no-report", "--no-scene"]
LIBRARY = Path(cli.__file__).parent


@pytest.fixture(scope="module")
def slab() -> Image:
    """Gray matter (3) 2.5 mm thick between white matter (2) and CSF (1)."""
    shape = Slab(2.5, 3.0, 3.0)
    return make(shape, (0.5, 0.5, 0.5), np.random.default_rng(0), np.eye(3)).labels


class Case:
    """A folder of inputs with older results beside them."""

    def __init__(self, folder: Path, slab: Image) -> None:
        self.folder = folder
        self.slab = slab
        self.labels = self.save("labels.nii.gz", slab.array)
        self.map = self.save("map.nii.gz", np.full(slab.array.shape, 30, np.float32))
        self.out = folder / "results"
        self.out.mkdir()
        (self.out / "measures.tsv").write_text("old")
        (self.out / "notes.txt").write_text("mine")

    def save(self, name: str, array: np.ndarray, grid: Grid | None = None) -> Path:
        write_nifti(Image(array, grid or self.slab.grid), self.folder / name)
        return self.folder / name

    def echoes(self) -> list[Path]:
        """Two, the second half as bright."""
        start = np.linspace(50, 150, self.slab.array.size, dtype=np.float32)
        start = start.reshape(self.slab.array.shape)
        return [self.save(f"e{n}.nii.gz", start / 2**n) for n in range(2)]

    def edit(self, path: Path, form: str, offset: int, *values: float) -> Path:
        raw = bytearray(gzip.decompress(path.read_bytes()))
        struct.pack_into("<" + form, raw, offset, *values)
        path.write_bytes(gzip.compress(bytes(raw)))
        return path

    def arguments(self, *more: str, labels: Path | None = None) -> list[str]:
        return [
            "analyze", "--labels", str(labels or self.labels), "--out", str(self.out),
            *TISSUES, *FAST, *more,
        ]  # fmt: skip

    def untouched(self) -> bool:
        files = {p.name: p.read_text() for p in self.out.iterdir()}
        hidden = [p for p in self.folder.iterdir() if p.name.startswith(".")]
        return files == {"measures.tsv": "old", "notes.txt": "mine"} and not hidden


@pytest.fixture
def case(tmp_path, slab) -> Case:
    return Case(tmp_path, slab)


def refused(case: Case, capfd, arguments: list[str]) -> str:
    """Runs it; asserts exit 2, one line on standard error and nothing touched."""
    status = cli.main(["--quiet", *arguments] if arguments[:1] != ["analyze"] else
                      [*arguments, "--quiet"])  # fmt: skip
    out, err = capfd.readouterr()
    assert status == cli.EXIT_INPUT, err
    assert out == ""
    assert err.startswith("Error: ") and err.count("\n") == 1 and err.rstrip().endswith(".")
    assert "Traceback" not in err
    assert case.untouched()
    return err


# What works -----------------------------------------------------------------------------


def test_analyze(case, capfd):
    region = case.save("region.nii.gz", (case.slab.array == 3).astype(np.uint8))
    status = cli.main(
        case.arguments(
            "--map", f"T2star={case.map}", "--unit", "T2star=ms", "--region", f"all={region}:1"
        )  # fmt: skip
    )
    out, err = capfd.readouterr()
    assert status == 0, err
    assert "Open" in out
    assert err.splitlines()[0].endswith("reading") and "100 %" in err
    assert (case.out / "notes.txt").read_text() == "mine"
    text = (case.out / "measures.tsv").read_text()
    assert text.startswith("region\tmap\tmeasure\tvalue\tunit\n")
    assert "T2star" in text and "all\t" in text


def test_quiet(case, capfd):
    assert cli.main([*case.arguments(), "--quiet"]) == 0
    assert capfd.readouterr() == ("", "")


def test_options_win_over_the_settings_file(case, capfd):
    file = case.folder / "settings.json"
    file.write_text(json.dumps({"layers": 5, "bins": 7, "gm": "9", "bootstrap": 10}))
    assert cli.main(case.arguments("--settings", str(file), "--layers", "4", "--quiet")) == 0
    settings = json.loads((case.out / "provenance.json").read_text())["settings"]
    used = {name: settings[name] for name in ("layers", "bins", "gm", "bootstrap")}
    assert used == {"layers": 4, "bins": 7, "gm": [3], "bootstrap": 10}


def test_settings_may_name_segments(case, capfd):
    path = case.folder / "m1.seg.nrrd"
    image = sitk.ReadImage(str(case.labels))
    for index, (name, value) in enumerate([("CSF", 1), ("White", 2), ("Gray", 3)]):
        for key, text in (("ID", f"S{index}"), ("Name", name), ("LabelValue", str(value)),
                          ("Layer", "0")):  # fmt: skip
            image.SetMetaData(f"Segment{index}_{key}", text)
    sitk.WriteImage(image, str(path))
    file = case.folder / "settings.json"
    file.write_text(json.dumps({"gm": ["Gray"], "wm": "White", "csf": 1}))
    arguments = ["analyze", "--labels", str(path), "--settings", str(file), "--out",
                 str(case.out), "--region", f"half={path}:gray", "--quiet", *FAST]  # fmt: skip
    assert cli.main(arguments) == 0, capfd.readouterr()
    assert "half\t" in (case.out / "measures.tsv").read_text()


def test_names_with_colons_and_equals_signs(case, capfd):
    folder = case.folder / "te=4:a"
    folder.mkdir()
    labels = case.labels.rename(folder / "labels.nii.gz")
    map_ = case.map.rename(folder / "map.nii.gz")
    arguments = case.arguments("--map", f"T2={map_}", "--region", f"r={labels}:3", "--quiet",
                               labels=labels)  # fmt: skip
    assert cli.main(arguments) == 0, capfd.readouterr()


def test_help_names_every_option_and_what_it_is_not(capsys):
    assert cli.main(["analyze", "--help"]) == 0
    text = " ".join(capsys.readouterr().out.split())
    for option in ("--labels", "--gm", "--other-bank", "--region", "--plane", "--settings"):
        assert option in text
    assert "not a medical device" in text
    assert "examples:" in text


def test_the_measurement_loads_quickly():
    """These parts of SciPy take long to load, and few measurements use them."""
    slow = {"scipy.interpolate", "scipy.optimize", "scipy.stats"}
    code = f"import sys, ALSMotorCortexLib.analyze; print(*sorted({slow} & set(sys.modules)))"
    found = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": str(LIBRARY.parent)},
        stdout=subprocess.PIPE,
        check=True,
        text=True,
        timeout=60,
    )
    assert found.stdout.split() == []


def test_version(capsys):
    assert cli.main(["--version"]) == 0
    assert capsys.readouterr().out == f"als-motor-cortex {__version__}\n"


def test_maps(case, capfd):
    """Two echoes that fall by half in 10 ms: T2* = 10 / ln 2."""
    out = case.folder / "maps"
    arguments = [
        "maps",
        "--echoes",
        *map(str, case.echoes()),
        "--te",
        "10",
        "20",
        "--out",
        str(out),
    ]
    assert cli.main([*arguments, "--noise", "0.1"]) == 0
    assert capfd.readouterr().out == f"Results are in {out}.\n"
    t2star = sitk.GetArrayFromImage(sitk.ReadImage(str(out / "T2star.nii.gz")))
    assert np.allclose(t2star, 10 / np.log(2), rtol=1e-3)


# Bad usage ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "arguments, message",
    [
        ([], f"Name a command: {', '.join(cli.COMMANDS)}. See"),
        (["analyse"], "invalid choice: 'analyse'"),
        (["analyze"], "required: --out"),
        (["analyze", "--labels", "a", "--out", ""], "output folder is empty"),
        (["maps", "--echoes", "a", "--out", " "], "output folder is empty"),
        (["bids", "a", "", "participant"], "output folder is empty"),
        (["analyze", "--labels", "a", "--out", "b", "--lables", "c"], "--lables"),
        (["analyze", "--labels", "a", "--out", "b", "--layers", "x"], "--layers"),
        (["analyze", "--labels", "a", "--out", "b", "--map", "x="], "--map NAME=FILE"),
        (["analyze", "--labels", "a", "--out", "b", "--unit", "x"], "--unit NAME=UNIT"),
        (
            ["analyze", "--labels", "a", "--out", "b", "--map", "x=1", "--map", "x=2"],
            "--map x is given 2 times",
        ),
        (
            ["analyze", "--labels", "a", "--out", "b", "--region", "x=1", "--region", "x=2"],
            "--region x is given 2 times",
        ),
    ],
)
def test_bad_usage(capsys, monkeypatch, tmp_path, arguments, message):
    monkeypatch.chdir(tmp_path)
    assert cli.main(arguments) == 2
    out, err = capsys.readouterr()
    assert out == "" and message in err and err.count("\n") == 1
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize(
    "text, message",
    [
        (None, "There is no settings file"),
        ("{", "not valid JSON"),
        ("[3]", "should hold settings by name"),
        ('{"colour": 3}', "Unknown setting colour"),
        ('{"layers": "x"}', "Setting layers is 'x'"),
        ('{"plane": "up"}', "plane must be one of"),
    ],
)
def test_bad_settings_file(case, capfd, text, message):
    file = case.folder / "settings.json"
    if text is not None:
        file.write_text(text)
    assert message in refused(case, capfd, case.arguments("--settings", str(file)))


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


# The output folder ------------------------------------------------------------------------


def test_output_that_is_a_file(case, capfd):
    (case.folder / "file").write_text("mine")
    arguments = case.arguments("--out", str(case.folder / "file"))
    assert "is a file" in refused(case, capfd, arguments)
    arguments = case.arguments("--out", str(case.folder / "file" / "deeper"))
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
    assert f"{given} is an input" in err and "Choose another --out." in err
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
    """A real disk of 128 KiB where this user may mount one."""
    if scene:
        pytest.importorskip("slicer", reason="slicer-core is not installed")
    disk = tmp_path_factory.mktemp("disk")
    command = ["mount", "-t", "tmpfs", "-o", "size=128k", "tmpfs", str(disk)]
    try:
        subprocess.run(command, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("this user may not mount a small disk")
    try:
        out = disk / "results"
        out.mkdir()
        (out / "measures.tsv").write_text("old")
        (disk / "filler").write_bytes(bytes(112 << 10))
        arguments = case.arguments("--out", str(out))
        err = refused(case, capfd, [a for a in arguments if not (scene and a == "--no-scene")])
        assert "disk is full" in err
        assert {p.name: p.read_text() for p in out.iterdir()} == {"measures.tsv": "old"}
        assert sorted(os.listdir(disk)) == ["filler", "results"]
    finally:
        subprocess.run(["umount", str(disk)], check=True)


# Interruptions and faults -----------------------------------------------------------------

# Measures for as long as it takes to be stopped.
STOPPED = """
import sys, time
from ALSMotorCortexLib import analyze, cli
def measure(*arguments, **more):
    arguments[-1]("measuring", 0.5)
    time.sleep(60)
analyze.measure = measure
sys.exit(cli.main(sys.argv[1:]))
"""


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such signals between processes")
@pytest.mark.parametrize(
    "program, step, scene",
    [
        (STOPPED, "measuring", False),
        (STOPPED, "measuring", True),
        ("from ALSMotorCortexLib import cli; exit(cli.main())", "writing the scene", True),
    ],
)
@pytest.mark.parametrize(
    "kind, status, word",
    [(signal.SIGINT, 130, "Interrupted"), (signal.SIGTERM, 143, "Terminated")],
)
def test_interruption(case, kind, status, word, program, step, scene):
    """Ctrl-C goes to all processes of a terminal, so also to the one that writes the scene."""
    if scene and not has_slicer():
        pytest.skip("slicer-core is not installed")
    arguments = [a for a in case.arguments() if not (scene and a == "--no-scene")]
    process = subprocess.Popen(
        [sys.executable, "-c", program, *arguments],
        env={**os.environ, "PYTHONPATH": str(LIBRARY.parent)},
        stderr=subprocess.PIPE,
        text=True,
        # A test run in the background has Ctrl-C ignored, and its children inherit that.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        start_new_session=True,
    )
    assert process.stderr is not None
    lines = iter(process.stderr.readline, "")
    assert any(step in line for line in lines)
    assert any(p.name.endswith(".partial") for p in case.folder.iterdir())
    os.killpg(process.pid, kind)
    rest = process.communicate(timeout=30)[1]
    assert process.returncode == status
    assert word in rest and "Traceback" not in rest and rest.count("\n") == 1
    assert case.untouched()


def run_process(program: str, *arguments: str, **more: Any) -> subprocess.CompletedProcess:
    """Runs a program that can be interrupted."""
    return subprocess.run(
        [sys.executable, "-c", program, *arguments],
        env={**os.environ, "PYTHONPATH": str(LIBRARY.parent)},
        text=True,
        timeout=60,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        **{"stderr": subprocess.PIPE, **more},
    )


# Ctrl-C comes while a library loads, which says that it cannot be loaded.
LOADING = """
import os, signal
from ALSMotorCortexLib import analyze_command, cli
def run(*arguments):
    try:
        os.kill(os.getpid(), signal.{kind})
        signal.pause()
    except BaseException:
        pass
    raise ImportError("IMPORTANT: PLEASE READ THIS")
analyze_command.run = run
cli.run_and_leave()
"""


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such signals between processes")
@pytest.mark.parametrize(
    "kind, status, text", [("SIGINT", 130, "Interrupted"), ("SIGTERM", 143, "Terminated")]
)
def test_an_interruption_that_a_library_makes_an_error_of(case, kind, status, text):
    done = run_process(LOADING.format(kind=kind), *case.arguments())
    assert done.returncode == status
    assert done.stderr == f"{text}. No results were changed.\n"


# Signals come when the results are there: before it says so, then, and while Python ends.
LATE = """
import atexit, os, signal
from ALSMotorCortexLib import analyze_command, cli
def both():
    for kind in (signal.SIGINT, signal.SIGTERM):
        os.kill(os.getpid(), kind)
before = analyze_command.closing
def closing(*arguments):
    both()
    return before(*arguments)
analyze_command.closing = closing
atexit.register(both)
cli.run_and_leave()
"""


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such signals between processes")
def test_signals_that_come_after_the_results_do_nothing(case):
    done = run_process(LATE, *case.arguments(), stdout=subprocess.PIPE)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("Results are in")
    assert "Traceback" not in done.stderr and "Interrupted" not in done.stderr


def test_the_callers_handlers_of_signals_are_set_again(case):
    before = {kind: signal.getsignal(kind) for kind in (signal.SIGINT, signal.SIGTERM)}
    assert cli.main([*case.arguments(), "--quiet"]) == 0
    assert {kind: signal.getsignal(kind) for kind in before} == before


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such pipes")
@pytest.mark.parametrize("arguments", [["--help"], None])
def test_nobody_reads_what_is_printed(case, arguments):
    """As in ``als-motor-cortex analyze ... | true``."""
    ours, theirs = os.pipe()
    os.close(ours)
    try:
        done = run_process(MAIN, *(arguments or [*case.arguments()]), stdout=theirs)
    finally:
        os.close(theirs)
    assert done.returncode == 0
    assert "Error" not in done.stderr and "Broken" not in done.stderr
    assert arguments or (case.out / "provenance.json").exists()


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such pipes")
@pytest.mark.parametrize("option, status", [("--no-pdf-at-all", 2), ("--no-scene", 0)])
def test_nobody_reads_the_messages_either(case, option, status):
    """As in ``als-motor-cortex analyze ... 2>&1 | true``."""
    ours, theirs = os.pipe()
    os.close(ours)
    try:
        done = run_process(MAIN, *case.arguments(option), stdout=theirs, stderr=theirs)
    finally:
        os.close(theirs)
    assert done.returncode == status
    assert (case.out / "provenance.json").exists() == (status == 0)


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="this system has no full device")
def test_standard_output_that_is_full(case):
    with open("/dev/full", "w") as full:
        done = run_process(MAIN, *case.arguments(), stdout=full)
        assert done.returncode == 2
        last = done.stderr.splitlines()[-1]
        assert last.startswith(f"Error: Results are in {case.out} and complete, but")
        assert "No space left" in last
        assert run_process(MAIN, *case.arguments(), "--quiet", stdout=full).returncode == 0
    assert (case.out / "provenance.json").exists()


@pytest.mark.parametrize("error", [RuntimeError("odd"), ZeroDivisionError(), MemoryError()])
def test_a_fault_of_ours_is_a_sentence_too(case, capfd, monkeypatch, error):
    from ALSMotorCortexLib import analyze

    def measure(*arguments, **more):
        raise error

    monkeypatch.setattr(analyze, "measure", measure)
    status = cli.main([*case.arguments(), "--quiet"])
    err = capfd.readouterr().err
    assert status == (2 if isinstance(error, MemoryError) else 1)
    assert err.count("\n") == 1 and "Traceback" not in err
    assert case.untouched()


def test_debug_shows_the_fault(case, monkeypatch):
    from ALSMotorCortexLib import analyze

    def measure(*arguments, **more):
        raise ZeroDivisionError

    monkeypatch.setattr(analyze, "measure", measure)
    with pytest.raises(ZeroDivisionError):
        cli.main([*case.arguments(), "--debug"])


# As Slicer runs it ------------------------------------------------------------------------


def run_file(*arguments: str, code: str = "") -> subprocess.CompletedProcess:
    path = str(LIBRARY / "cli.py")
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    command = [sys.executable, *(["-c", code] if code else []), path, *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, env=environment)


# ctkAbstractPythonManager::executeFile, with sys.argv as qSlicerCoreApplication sets it.
AS_SLICER = """
import sys
sys.argv = sys.argv[1:]
globals()["__file__"] = sys.argv[0]
exec(open(sys.argv[0]).read(), globals())
"""


@pytest.mark.parametrize("code", ["", AS_SLICER])
def test_runs_as_a_file(tmp_path, code):
    assert run_file("--version", code=code).stdout == f"als-motor-cortex {__version__}\n"
    missing = str(tmp_path / "none.nii.gz")
    arguments = ["--labels", missing, "--out", str(tmp_path / "out"), *TISSUES]
    done = run_file("analyze", *arguments, "--quiet", code=code)
    assert done.returncode == 2
    assert done.stderr == f"Error: There is no file {missing}. Check its name and folder.\n"


# Progress ---------------------------------------------------------------------------------


class Terminal:
    def __init__(self, live: bool) -> None:
        self.text = ""
        self.live = live

    def isatty(self) -> bool:
        return self.live

    def write(self, text: str) -> None:
        self.text += text

    def flush(self) -> None:
        pass


def test_progress_on_a_terminal_is_one_line():
    terminal = Terminal(live=True)
    line = cli.ProgressLine(terminal)
    line("reading", 0)
    line("solving", 0.456)
    line.close()
    assert terminal.text == "\r\x1b[K  0 %  reading\r\x1b[K 46 %  solving\r\x1b[K"


def test_progress_in_a_file_is_a_line_for_each_step():
    terminal = Terminal(live=False)
    line = cli.ProgressLine(terminal)
    for step, fraction in [("reading", 0), ("solving", 0.1), ("solving", 0.2), ("done", 1)]:
        line(step, fraction)
    line.close()
    assert terminal.text == "  0 %  reading\n 10 %  solving\n100 %  done\n"
