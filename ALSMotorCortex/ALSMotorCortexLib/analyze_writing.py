"""Writes the files of one measurement, each as soon as what it holds is known."""

from __future__ import annotations

import time
import zipfile
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Executor, Future
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .cortex.errors import InputError
from .cortex.grid import Image
from .cortex.result import Measurement
from .scene_process import SceneWriter
from .study.nifti import NiftiGeometry, write_nifti
from .study.outputs import OutputFolder
from .study.tables import write_measures, write_profiles

# In the images of depth and angle 0 means "no value", because ITK (Slicer, ANTs, ITK-SNAP) reads
# NaN as 0 and 0 would then be the pial surface. A voxel at the pial surface gets this instead.
SMALLEST = 1e-6

# All files that a measurement may write, but for the maps that it makes and the provenance.
RESULTS = (
    "thickness.nii.gz", "corrected_thickness.nii.gz", "angle.nii.gz", "layers.nii.gz",
    "depth_equidistant.nii.gz", "depth_equivolume.nii.gz", "measures.tsv", "profiles.tsv",
    "markups.tsv", "trace_thickness.tsv", "trace_profiles.tsv", "comparison.tsv",
    "comparison.json", "profile_comparison.tsv", "profile_comparison.json", "omissions.tsv",
    "omissions.json", "report.html", "report.pdf", "scene.mrb",
)  # fmt: skip


class Clock:
    """Seconds per step."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._start = time.perf_counter()

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Times the block."""
        begin = time.perf_counter()
        yield
        self.seconds[name] = time.perf_counter() - begin

    def total(self) -> float:
        """Since the clock was made."""
        return time.perf_counter() - self._start


class Writing:
    """Writes in other threads, except for the scene. :meth:`finish` waits for them."""

    def __init__(self, folder: OutputFolder, pool: Executor, clock: Clock) -> None:
        """
        Args:
            folder: where to.
            pool: the threads.
            clock: gets the time of each step.
        """
        self._folder, self._pool, self._clock = folder, pool, clock
        self._jobs: list[Future] = []

    def start(self, step: str, write: Callable[..., Any], *arguments: Any) -> None:
        """Has a function called in another thread, with the folder before its arguments."""

        def timed() -> None:
            with self._clock.step(step):
                write(self._folder, *arguments)

        self._jobs.append(self._pool.submit(timed))

    def scene(self, writer: SceneWriter, result: Measurement, maps: Mapping[str, Image]) -> None:
        """Writes the scene, and returns when it is written.

        Args:
            writer: prepared for what was measured.
            result: of the measurement.
            maps: contrast maps by name.

        Raises:
            InputError: it could not be written.
        """
        path = self._folder.path("scene.mrb")
        failed = InputError(
            f"scene.mrb could not be written to {self._folder.given}, most likely because the disk "
            "is full. Nothing there was changed; make room, or leave the scene out with --no-scene."
        )
        with self._clock.step("scene"):
            try:
                writer.write(result, path, maps)
            except (InputError, OSError):
                raise failed from None
        # VTK may fail without an error; a zip file cut short has no directory at its end.
        if not (path.is_file() and zipfile.is_zipfile(path)):
            raise failed

    def finish(self) -> None:
        """Waits until all is written.

        Raises:
            Exception: from one of the functions.
        """
        for job in self._jobs:
            job.result()


def write_images(folder: OutputFolder, result: Measurement, geometry: NiftiGeometry | None) -> None:
    """Writes the images.

    Args:
        result: of the measurement.
        geometry: NIfTI header fields to copy, or None.
    """
    for name, (values, description) in _images(result).items():
        painted = Image(result.paint(values), result.grid, name)
        write_nifti(painted, folder.path(name), description, geometry)


def _images(result: Measurement) -> dict[str, tuple[NDArray, str]]:
    """What the images hold at the ribbon's voxels, and how they say so."""
    images = {
        "thickness.nii.gz": (
            np.nan_to_num(result.thickness, nan=0),
            "Cortical thickness in mm; 0 = outside the ribbon or no value",
        ),
        "depth_equidistant.nii.gz": (
            _above_zero(result.depth_equidistant),
            "Equidistant depth, pial 0 to white matter 1; exactly 0 = no value",
        ),
        "depth_equivolume.nii.gz": (
            _above_zero(result.depth_equivolume),
            "Equivolume depth, pial 0 to white matter 1; exactly 0 = no value",
        ),
        "layers.nii.gz": (
            result.layers,
            f"Layers, 1 superficial to {result.settings.layers} deep; 0 = outside",
        ),
    }
    if result.angle is not None:
        images["angle.nii.gz"] = (
            _above_zero(result.angle),
            "Degrees from cortex normal to slice, 70: 70 or more; exactly 0 = no value",
        )
    if result.thickness_corrected is not None:
        images["corrected_thickness.nii.gz"] = (
            np.nan_to_num(result.thickness_corrected, nan=0),
            "Thickness in mm with the slice angle allowed for; 0 = no value",
        )
    return images


def _above_zero(values: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.nan_to_num(np.maximum(values, np.float32(SMALLEST)), nan=0)


def write_tables(folder: OutputFolder, result: Measurement) -> None:
    """Writes the tables of measures and profiles."""
    write_measures(result.measures, folder.path("measures.tsv"))
    write_profiles(result.profiles, folder.path("profiles.tsv"))
