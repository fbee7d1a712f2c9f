"""Other software that measures the same, where it is installed."""

from __future__ import annotations

import importlib.util
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import processes
from numpy.typing import NDArray

from ALSMotorCortexLib.cortex.grid import Image
from ALSMotorCortexLib.cortex.shapes import GM, WM
from ALSMotorCortexLib.study.nifti import write_nifti


def has_pyezzi() -> bool:
    return importlib.util.find_spec("pyezzi") is not None


def pyezzi_thickness(labels: Image) -> NDArray[np.float32]:
    """(k, j, i) mm of a tissue label map, by pyEzzi with its default tolerances.

    pyEzzi knows an inside and an outside and no cut faces, so what is unlabelled is outside.
    """
    import pyezzi

    white = labels.array == WM
    domain = pyezzi.Domain(white, white | (labels.array == GM), labels.grid.spacing)
    return pyezzi.ThicknessSolver(domain).result.astype(np.float32)


@dataclass(frozen=True)
class LayNii:
    """LN2_LAYERS of LayNii (github.com/layerfMRI/LAYNII), built by the user.

    Attributes:
        program: path of the executable.
    """

    program: Path

    def command(self, rim: Path, base: Path) -> list[str]:
        """Layers, both depths and thickness of a rim file, written as ``base``_*.nii.gz."""
        options = ("-nr_layers", "3", "-equivol", "-thickness")
        return [str(self.program), "-rim", str(rim), *options, "-output", str(base)]

    def measure(self, rim: Image) -> tuple[NDArray, NDArray, NDArray]:
        """Thickness in mm and both depths, 0 pial to 1 white matter, of a rim label map.

        NaN where LN2_LAYERS gives none. Its own depth metric runs the other way.
        """
        with tempfile.TemporaryDirectory() as folder:
            path, base = Path(folder, "rim.nii.gz"), Path(folder, "out.nii.gz")
            write_nifti(rim, path)
            processes.run(self.command(path, base))
            thickness, equidistant, equivolume = (
                _read(Path(folder), f"out_{name}.nii.gz")
                for name in ("thickness", "metric_equidist", "metric_equivol")
            )
        known = (thickness > 0) & (rim.array == GM)
        return (
            np.where(known, thickness, np.nan),
            np.where(known, 1 - equidistant, np.nan),
            np.where(known, 1 - equivolume, np.nan),
        )


def find_laynii(path: str | None) -> LayNii | None:
    """LN2_LAYERS at the path that the user gave, or none.

    Raises:
        SystemExit: there is no program at that path.
    """
    if path is None:
        return None
    if not os.access(path, os.X_OK):
        raise SystemExit(f"There is no program {path}. Give the path of LN2_LAYERS itself.")
    return LayNii(Path(path).resolve())


def _read(folder: Path, name: str) -> NDArray[np.float32]:
    import SimpleITK as sitk

    return sitk.GetArrayFromImage(sitk.ReadImage(str(folder / name))).astype(np.float32)
