"""The command line: what works, usage, and how far it is."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import numpy as np
import pytest
import SimpleITK as sitk

from ALSMotorCortexLib import __version__, cli
from cli_case import FAST, LIBRARY, TISSUES, refused

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
    values = json.dumps({"layers": 5, "bins": 7, "gm": "9", "bootstrap": 10})
    file.write_text(values, encoding="utf-8-sig")  # as Windows' editor does
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
    assert "stopped with Ctrl-C 143 terminated" in text


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
        (["analyze", "--labels", "a", "--out", "b", "--map", "../x=c"], "without slashes"),
        (["analyze", "--labels", "a", "--out", "b", "--region", "a\nb=c"], "without slashes"),
        (["analyze", "--labels", "a", "--out", "b", "--unit", "x=m\ts"], "without tabs"),
        (["analyze", "--labels", "a", "--out", "b", "--layers", "0"], "--layers 0 cannot"),
        (["analyze", "--labels", "a", "--out", "b", "--plane", "up"], "--plane up cannot"),
        (["analyze", "--labels", "a", "--out", "b", "--max-angle", "nan"], "--max-angle nan"),
        (["analyze", "--labels", "a", "--out", "b", "--iron", "x=red"], "--iron x=red cannot"),
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
        ("{}", "is not text in UTF-8"),
        ("[3]", "should hold settings by name"),
        ('{"colour": 3}', "Unknown setting colour"),
        ('{"layers": "x"}', 'Setting layers is "x", but should be a whole number'),
        ('{"layers": true}', "should be a whole number"),
        ('{"column_mm": null}', "Setting column_mm is null, but should be a number"),
        ('{"plane": ["axial"]}', "should be a text"),
        ('{"iron": "x"}', "should be names with values"),
        ('{"plane": "up"}', "plane must be one of"),
    ],
)
def test_bad_settings_file(case, capfd, text, message):
    file = case.folder / "settings.json"
    if text is not None:
        file.write_text(text, encoding="utf-16" if text == "{}" else "utf-8")
    err = refused(case, capfd, case.arguments("--settings", str(file)))
    assert message in err and str(file) in err


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
