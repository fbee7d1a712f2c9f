"""The arguments of the command ``maps``."""

from __future__ import annotations

import argparse
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from ALSMotorCortexLib import maps_command
from ALSMotorCortexLib.cortex.errors import InputError
from ALSMotorCortexLib.cortex.grid import Grid, Image
from ALSMotorCortexLib.maps import MapOptions
from ALSMotorCortexLib.study.nifti import write_nifti


def parse(*words: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    maps_command.add_arguments(parser)
    return parser.parse_args(["--out", "maps", *words])


def test_without_options_nothing_is_corrected() -> None:
    assert maps_command.options_of(parse("--echoes", "a", "b")) == MapOptions()


def test_every_option_arrives() -> None:
    words = (
        "--echoes a b --te 4 8 --phase p q --series 7 --register --mask m.nii --noise 2.5 "
        "--fit loglinear --bias --dephasing phase --slice-thickness 1.2"
    )
    options = maps_command.options_of(parse(*words.split()))
    assert options == MapOptions(
        [4.0, 8.0], (Path("p"), Path("q")), "7", True, Path("m.nii"), 2.5, "loglinear", True,
        "phase", 1.2,
    )  # fmt: skip


def test_echo_times_may_be_left_to_the_sidecars() -> None:
    for words in ([], ["--te", "sidecars"], ["--te", "from", "sidecars"]):
        assert maps_command.options_of(parse("--echoes", "a", *words)).times is None
    with pytest.raises(InputError, match="not a list of echo times"):
        maps_command.options_of(parse("--echoes", "a", "--te", "four"))


def test_running_writes_maps_and_reports_progress(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    shape, paths = (4, 20, 20), []
    for n, time in enumerate((5.0, 15.0)):
        path = tmp_path / f"e{n}.nii.gz"
        array = rng.normal(500 * np.exp(-time / 30), 5, shape).astype(np.float32)
        write_nifti(Image(array, Grid.from_spacing(shape, (1, 1, 1))), path)
        paths.append(str(path))
    arguments = parse("--echoes", *paths, "--te", "5", "15", "--out", str(tmp_path / "maps"))
    steps: list[str] = []
    made = maps_command.run(arguments, ["maps"], lambda step, fraction: steps.append(step))
    assert (tmp_path / "maps" / "T2star.nii.gz").is_file()
    assert made.details["median_t2star_ms"] == pytest.approx(30, rel=0.02)
    assert {"reading", "fitting", "writing"} <= set(steps)


def test_help_needs_no_numpy() -> None:
    """``--help`` answers at once, so the arguments may import only the standard library."""
    code = (
        "import sys, argparse; from ALSMotorCortexLib import maps_command as m; "
        "m.add_arguments(argparse.ArgumentParser()); sys.exit('numpy' in sys.modules)"
    )
    package = Path(maps_command.__file__).parents[1]
    assert subprocess.run([sys.executable, "-c", code], cwd=package).returncode == 0
