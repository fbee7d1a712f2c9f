"""Inputs for the command line, with older results beside them, and what runs it on them."""

from __future__ import annotations

import gzip
import os
import signal
import struct
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np

from ALSMotorCortexLib import cli
from ALSMotorCortexLib.cortex.grid import Grid, Image
from ALSMotorCortexLib.cortex.phantoms import make
from ALSMotorCortexLib.cortex.shapes import Slab
from ALSMotorCortexLib.study.nifti import write_nifti

MAIN = "from ALSMotorCortexLib import cli; cli.run_and_leave()"
TISSUES = ["--gm", "3", "--wm", "2", "--csf", "1"]
FAST = ["--no-report", "--no-scene"]
LIBRARY = Path(cli.__file__).parent


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
