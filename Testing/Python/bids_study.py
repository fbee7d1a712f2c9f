"""A small BIDS dataset whose participants are slabs of gray matter, each measured in no time."""

from __future__ import annotations

import json
import multiprocessing
import os
import signal
from pathlib import Path

import numpy as np

from ALSMotorCortexLib.cortex.grid import Grid, Image
from ALSMotorCortexLib.study.nifti import write_nifti

SPACING = 0.5
THICKNESS = 3.0
SHAPE = (10, 10, 18)
TIMES_S = (0.005, 0.012, 0.02)
T2STAR_MS = 30.0
# With these a measurement takes a fraction of a second.
QUICK = {"bins": 5, "bootstrap": 0}


def labels() -> np.ndarray:
    """Along i: 6 voxels of white matter (2), 6 of gray matter (3), 6 of CSF (1)."""
    array = np.repeat([2, 3, 1], 6).astype(np.uint8)
    return np.ascontiguousarray(np.broadcast_to(array, SHAPE))


def regions() -> np.ndarray:
    """The lower half (1) and the upper half (2)."""
    array = np.ones(SHAPE, np.uint8)
    array[SHAPE[0] // 2 :] = 2
    return array


class Study:
    """A dataset in a folder, with label maps in its derivatives."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.labels = root / "derivatives" / "labels"
        for folder, name, kind in ((root, "Slabs", "raw"), (self.labels, "Labels", "derivative")):
            folder.mkdir(parents=True, exist_ok=True)
            text = {"Name": name, "BIDSVersion": "1.11.1", "DatasetType": kind, "Authors": ["A B"]}
            if kind == "derivative":
                text["GeneratedBy"] = [{"Name": "by hand"}]
            self.json(folder / "dataset_description.json", text)
        (root / "README").write_text("Slabs of gray matter, made for a test. " * 5)

    def json(self, path: Path, values: dict) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(values))
        return path

    def image(self, path: Path, array: np.ndarray) -> Path:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_nifti(Image(array, Grid.from_spacing(SHAPE, (SPACING,) * 3)), path)
        return path

    def folder(self, root: Path, participant: str, session: str = "") -> tuple[Path, str]:
        """The anat folder and the beginning of every name in it."""
        parts = [f"sub-{participant}", *([f"ses-{session}"] if session else [])]
        return root.joinpath(*parts, "anat"), "_".join(parts)

    def label(self, participant: str, session: str = "") -> Path:
        """Writes the label map and the regions; returns the label map."""
        folder, prefix = self.folder(self.labels, participant, session)
        for desc, array, names in (
            ("cortex", labels(), {1: "csf", 2: "white_matter", 3: "gray_matter"}),
            ("regions", regions(), {1: "left_hand", 2: "left_face"}),
        ):
            path = self.image(folder / f"{prefix}_desc-{desc}_dseg.nii.gz", array)
            self.json(
                path.with_name(f"{prefix}_desc-{desc}_dseg.json"),
                {"Manual": True, "SpatialReference": "orig"},
            )
            rows = "".join(f"{index}\t{name}\n" for index, name in names.items())
            path.with_name(f"{prefix}_desc-{desc}_dseg.tsv").write_text("index\tname\n" + rows)
        return folder / f"{prefix}_desc-cortex_dseg.nii.gz"

    def with_map(self, participant: str, session: str = "") -> Path:
        """A participant with label maps and a T2* map in s, as BIDS has it; returns the map."""
        self.label(participant, session)
        folder, prefix = self.folder(self.root, participant, session)
        rng = np.random.default_rng(1)
        values = (T2STAR_MS + rng.normal(scale=0.5, size=SHAPE)) / 1000
        return self.image(folder / f"{prefix}_T2starmap.nii.gz", values.astype(np.float32))

    def with_echoes(self, participant: str, session: str = "", scan: str = "") -> list[Path]:
        """A participant with label maps and a multi-echo scan; returns the echoes."""
        self.label(participant, session)
        folder, prefix = self.folder(self.root, participant, session)
        rng, paths = np.random.default_rng(2), []
        for number, time in enumerate(TIMES_S, 1):
            signal = 1000 * np.exp(-1000 * time / T2STAR_MS) + rng.normal(scale=2, size=SHAPE)
            name = f"{prefix}{scan}_echo-{number}_part-mag_MEGRE"
            paths.append(self.image(folder / f"{name}.nii.gz", signal.astype(np.float32)))
            self.json(folder / f"{name}.json", {"EchoTime": time, "MagneticFieldStrength": 7})
        return paths


def snapshot(folder: Path) -> dict[str, tuple[int, bytes]]:
    """When each file in a folder was written, and its content, but for locks."""
    files = (path for path in folder.rglob("*") if path.is_file())
    return {
        path.relative_to(folder).as_posix(): (path.stat().st_mtime_ns, path.read_bytes())
        for path in files
        if ".locks" not in path.parts
    }


# In processes of their own ------------------------------------------------------------------

# A process that has used ITK's threads cannot be forked; this server has only imported it.
PROCESSES = multiprocessing.get_context("forkserver" if os.name != "nt" else "spawn")
if os.name != "nt":
    PROCESSES.set_forkserver_preload(["ALSMotorCortexLib.batch.participant", "bids_study"])


def measure_and_die(job, unit, moves: int = -1, steps: int = -1) -> None:
    """Measures a participant, and kills itself with SIGKILL, which no process can heed.

    Args:
        job, unit: what and whom.
        moves: after so many files were moved, in place of the next.
        steps: when so many steps of the measurement were told.
    """
    from ALSMotorCortexLib.batch.participant import measure_unit

    replace = os.replace

    def count(left: int) -> int:
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return left - 1

    def moving(source, target) -> None:
        nonlocal moves
        moves = count(moves)
        replace(source, target)

    def tell(step: str, fraction: float) -> None:
        nonlocal steps
        steps = count(steps)

    os.replace = moving
    measure_unit(job, unit, tell)
