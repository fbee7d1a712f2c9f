"""Thickness within thick slices that cut the cortex at an angle."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import astuple, dataclass

import numpy as np
from accuracy import size_of
from tables import Detail, table

from ALSMotorCortexLib.cortex.folded_sheet import FoldedSheet
from ALSMotorCortexLib.cortex.grid import Image
from ALSMotorCortexLib.cortex.measure import measure
from ALSMotorCortexLib.cortex.settings import Settings
from ALSMotorCortexLib.cortex.shapes import CSF, GM, WM, Cylinder, Shape, Slab
from ALSMotorCortexLib.cortex.slice_phantoms import make_slices

SEED = 20174
DEGREES = (0, 15, 30, 45)
SLICES = (9, 3)
SPACINGS = ((1.5, 0.25, 0.25), (2.0, 0.5, 0.5))
LIMIT_DEG = 60.0
"""Columns steeper than this do not count: at 45 degrees all but a few of a fold do."""

SHAPES: dict[str, Shape] = {
    "slab": Slab(2.9, 30, 30),
    "cylinder, radius 5 mm, gyrus": Cylinder(5, 7.9, True, 30),
    "cylinder, radius 3 mm, sulcus": Cylinder(3, 5.9, False, 30),
    "folded sheet": FoldedSheet(2.9, half_length=12, half_depth=20),
}

EXPLANATION = f"""## Oblique slices

Phantoms of known thickness, their axis tilted against {SLICES[1]} or {SLICES[0]} slices that are as
thick as they lie apart. A voxel is labelled by the tissue that fills most of it through the slice.
*In slice* is the thickness within the slice (`--plane`), *corrected* the same with the angle
allowed for, *3D* the thickness without `--plane`: mean errors over all voxels away from the
shape's sides, in the first and last slice, too. *End slices*: the corrected thickness in those
two alone. *Angle*: mean absolute error in degrees. *Layers*: deep hypointensity that an even
cortex (signal 20, white matter 25, CSF 60) shows because slices blur its borders; 0 would be right.
Columns steeper than {LIMIT_DEG:g} degrees do not count. Numbers over all shapes are means of the
errors' sizes."""


@dataclass(frozen=True)
class Score:
    """Relative errors of thickness, degrees, and the hypointensity that is not there."""

    in_slice: float
    corrected: float
    end_slices: float
    in_3d: float
    angle: float
    hypointensity: float


def report(quick: bool) -> Iterator[str]:
    """The tables, over all shapes and for each."""
    scores = {
        (spacing, slices, degrees, name): [
            score(shape, spacing, slices, degrees, np.random.default_rng([SEED, repeat]))
            for repeat in range(1 if quick else 4)
        ]
        for spacing in SPACINGS
        for slices in SLICES
        for degrees in DEGREES
        for name, shape in SHAPES.items()
    }
    means = {
        key: Score(*np.mean([astuple(s) for s in found], axis=0)) for key, found in scores.items()
    }
    yield EXPLANATION + "\n\n" + table(
        ["voxel (mm)", "slices", "tilt", "in slice", "corrected", "worst shape", "end slices",
         "3D", "angle", "layers"],
        (_summary_row(means, spacing, slices, degrees)
         for spacing in SPACINGS for slices in SLICES for degrees in DEGREES),
    )  # fmt: skip
    head = ["voxel (mm), slices, shape", "tilt", "in slice", "corrected", "end slices", "3D",
            "angle", "layers"]  # fmt: skip
    rows = (
        [f"{size_of(spacing)}, {slices}, {name}", f"{degrees}°", *_numbers(mean)]
        for (spacing, slices, degrees, name), mean in means.items()
    )
    yield Detail("### Oblique labels, by shape\n\n" + table(head, rows))


def score(
    shape: Shape,
    spacing: tuple[float, float, float],
    slices: int,
    degrees: float,
    rng: np.random.Generator,
) -> Score:
    """One phantom, measured within its slices and in 3D."""
    phantom = make_slices(shape, spacing, degrees, slices, rng, 24)
    maps = {"signal": Image(phantom.signal, phantom.labels.grid, "signal")}
    tissues = Settings(gm=(GM,), wm=(WM,), csf=(CSF,), bootstrap=0)
    in_plane = measure(
        phantom.labels, tissues.with_values({"plane": "axial", "max_angle": LIMIT_DEG}), maps
    )
    in_3d = measure(phantom.labels, tissues)
    assert in_plane.angle is not None and in_plane.thickness_corrected is not None
    voxels = in_plane.voxels
    inside = phantom.interior.reshape(-1)[voxels] & ~in_plane.steep
    true = phantom.thickness.reshape(-1)[voxels]
    k = np.unravel_index(voxels, phantom.labels.grid.shape)[0]
    ends = inside & ((k == 0) | (k == slices - 1))
    angle = np.abs(in_plane.angle - phantom.angle.reshape(-1)[voxels])
    thickness_3d = in_3d.paint(in_3d.thickness, np.nan).reshape(-1)[voxels]
    return Score(
        in_slice=_error(in_plane.thickness[inside], true[inside]),
        corrected=_error(in_plane.thickness_corrected[inside], true[inside]),
        end_slices=_error(in_plane.thickness_corrected[ends], true[ends]),
        in_3d=_error(thickness_3d[inside], true[inside]),
        angle=float(np.nanmean(angle[inside])),
        hypointensity=in_plane.value("deep_hypointensity", map="signal"),
    )


def _error(measured: np.ndarray, true: np.ndarray) -> float:
    return float(np.nanmean(measured / true)) - 1


def _summary_row(
    means: dict[tuple, Score], spacing: tuple[float, float, float], slices: int, degrees: float
) -> list[str]:
    """Means over the shapes of the errors' sizes, and the worst corrected one."""
    mine = [m for key, m in means.items() if key[:3] == (spacing, slices, degrees)]
    mean = Score(*np.mean(np.abs([astuple(m) for m in mine]), axis=0))
    worst = max((m.corrected for m in mine), key=abs)
    numbers = [text.lstrip("+") for text in _numbers(mean)]
    numbers.insert(2, f"{100 * worst:+.1f} %")
    return [size_of(spacing), str(slices), f"{degrees}°", *numbers]


def _numbers(score: Score) -> list[str]:
    percents = (score.in_slice, score.corrected, score.end_slices, score.in_3d)
    return [
        *(f"{100 * value:+.1f} %" for value in percents),
        f"{score.angle:.1f}",
        f"{score.hypointensity:.2f}",
    ]
