"""A synthetic motor cortex, measured as any other case and held against its truth."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from .analyze import AnalyzeInputs, RegionSource, analyze
from .cortex.grid import Image
from .cortex.motor_cortex import SETTINGS, UNITS, MotorCortexCase, synthetic_motor_cortex
from .cortex.profiles import depth_bins
from .cortex.result import RIBBON, Finding, Measurement
from .study.nifti import write_nifti
from .study.outputs import OutputFolder

INPUTS = "inputs"
"""Folder, within the results, that the synthetic images are written to."""

_SYNTHESIS = 0.6  # share of the progress that making the images takes


@dataclass(frozen=True)
class Comparison:
    """One row of the table: a measure, and what it is in truth.

    Attributes:
        name: what is measured and where.
        unit: of both.
        measured, true: the two; an error has a true value of 0.
    """

    name: str
    unit: str
    measured: float
    true: float


@dataclass(frozen=True)
class Demo:
    """What was made and measured."""

    case: MotorCortexCase
    measurement: Measurement

    @property
    def findings(self) -> tuple[Finding, ...]:
        """Of the measurement."""
        return self.measurement.findings


def demo(
    out: str | os.PathLike,
    progress: Callable[[str, float], None] | None = None,
    command: Iterable[str] = (),
    *,
    case: MotorCortexCase | None = None,
    report: bool = True,
    scene: bool = True,
) -> Demo:
    """Makes a synthetic patient, writes its images into ``out``, and measures them from there.

    Args:
        out: folder for the results; the images go to :data:`INPUTS` in it.
        progress: gets a step's name and the fraction done.
        command: the command line, for the provenance.
        case: another case than the patient.
        report, scene: whether to write ``report.html`` and ``scene.mrb``.

    Raises:
        InputError: the folder cannot be written.
    """
    tell = progress or (lambda step, fraction: None)
    tell("making the synthetic motor cortex", 0.0)
    folder = Path(out) / INPUTS
    with OutputFolder(folder) as staging:
        case = case or synthetic_motor_cortex()
        for name, image, text in _images(case):
            write_nifti(image, staging.path(f"{name}.nii.gz"), text)
        staging.publish()
    inputs = AnalyzeInputs(
        labels=folder / "labels.nii.gz",
        maps={name: folder / f"{name}.nii.gz" for name in case.maps},
        regions={name: RegionSource(folder / f"{name}.nii.gz") for name in case.regions},
        units=UNITS,
    )
    measurement = analyze(
        inputs,
        out,
        asdict(SETTINGS),
        lambda step, fraction: tell(step, _SYNTHESIS + (1 - _SYNTHESIS) * fraction),
        command=command,
        title="Synthetic motor cortex: thickness and laminar profile",
        report=report,
        scene=scene,
    )
    return Demo(case, measurement)


def _images(case: MotorCortexCase) -> Iterator[tuple[str, Image, str]]:
    """Name, image and description of every file of the case."""
    yield "labels", case.labels, "Synthetic: 1 CSF, 2 white matter, 3 M1, 4 other gray matter"
    for name, image in case.maps.items():
        yield name, image, f"Synthetic {name} in {UNITS[name]}"
    for name, image in case.regions.items():
        yield name, image, f"Synthetic region {name}"
    for name in ("thickness", "depth_equidistant", "depth_equivolume"):
        array = np.nan_to_num(getattr(case.truth, name)).astype(np.float32)
        yield f"true_{name}", Image(array, case.labels.grid), f"True {name}; 0 outside"


def compare(demo: Demo) -> list[Comparison]:
    """What was measured beside what is true.

    The truth of a mean is taken over the voxels that were measured, and of a layer over those
    that truly lie in it. Maps hold noise and partial volume; their truth holds neither.
    """
    m = demo.measurement
    truth = demo.case.truth
    true_thickness = truth.thickness.ravel()[m.voxels]
    known = np.isfinite(m.thickness) & np.isfinite(true_thickness)
    rows = []
    for region, inside in m.regions.items():
        measured, true = (_mean(v[inside & known]) for v in (m.thickness, true_thickness))
        rows.append(Comparison(f"thickness, mean, {region}", "mm", measured, true))
    for name, unit in (("thickness", "mm"), ("depth_equidistant", "1"), ("depth_equivolume", "1")):
        apart = np.abs(getattr(m, name) - getattr(truth, name).ravel()[m.voxels])
        title = f"{name.replace('_', ', ')}, mean absolute error"
        rows.append(Comparison(title, unit, _mean(apart[known]), 0.0))
    return rows + _layers(demo)


def _layers(demo: Demo) -> list[Comparison]:
    """Layer means of T2* and what they say of the deep layers."""
    m = demo.measurement
    count = m.settings.layers
    t2star = 1000 / demo.case.r2star.ravel()[m.voxels]
    depth = demo.case.truth.depth_equivolume.ravel()[m.voxels].astype(np.float32)
    layers = depth_bins(depth, count)
    true = [_mean(t2star[layers == k]) for k in range(1, count + 1)]
    measured = [m.value(f"layer_{k}_mean", RIBBON, "T2star") for k in range(1, count + 1)]
    rows = [
        Comparison(f"T2*, layer {k} of {count}, mean", UNITS["T2star"], *pair)
        for k, pair in enumerate(zip(measured, true, strict=True), 1)
    ]
    deep = m.value("deep_hypointensity", RIBBON, "T2star")
    return [*rows, Comparison("T2*, deep hypointensity", "1", deep, 1 - true[-1] / true[0])]


def table(rows: Iterable[Comparison]) -> str:
    """The comparison as text, one row a line."""
    cells = [("", "unit", "measured", "true", "difference")]
    for row in rows:
        difference = row.measured - row.true
        numbers = (f"{v:.3f}" for v in (row.measured, row.true))
        cells.append((row.name, row.unit, *numbers, f"{difference:+.3f}"))
    widths = [max(len(row[column]) for row in cells) for column in range(5)]
    return "\n".join(
        "  ".join(
            text.ljust(width) if column < 2 else text.rjust(width)
            for column, (text, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in cells
    )


def _mean(values: NDArray) -> float:
    return float(np.mean(values, dtype=np.float64)) if values.size else float("nan")
