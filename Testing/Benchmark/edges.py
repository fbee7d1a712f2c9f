"""Thickness where the picture's edge cuts the cortex obliquely."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from accuracy import size_of
from core import measure_core
from numpy.typing import NDArray
from peers import has_pyezzi, pyezzi_thickness
from tables import Detail, table

from ALSMotorCortexLib.cortex.folded_sheet import FoldedSheet
from ALSMotorCortexLib.cortex.phantoms import Phantom, make
from ALSMotorCortexLib.cortex.shapes import Cylinder, Shape, Slab, Sphere

SEED = 20175
KEEP = (0.6, 0.8)
"""Shares of the grid around a shape that are the picture."""

SPACINGS = ((0.25, 0.25, 0.25), (0.32, 0.2, 0.2), (0.5, 0.5, 0.5))
SIDE_MM = 1.0
"""How far voxels keep from the shape's own sides."""

SHAPES: tuple[Shape, ...] = (
    Slab(3.0, 5.0, 5.0),
    Cylinder(5, 8, True, 3.0),
    Cylinder(5, 8, False, 3.0),
    Cylinder(3, 6, True, 3.0),
    Sphere(3, 6, True),
    FoldedSheet(),
)

BANDS = {
    "stays by over 1": (1.0, np.inf),
    "stays by 0.5 to 1": (0.5, 1.0),
    "stays by up to 0.5": (0.0, 0.5),
    "leaves by up to 0.5": (-0.5, 0.0),
    "leaves by 0.5 to 1": (-1.0, -0.5),
    "leaves by over 1": (-np.inf, -1.0),
}

EXPLANATION = f"""## The picture's edge

Slab, cylinders, sphere and folded sheet, 3 mm thick, in a picture that holds only the middle
{" or ".join(f"{keep:.0%}" for keep in KEEP)} of them along each axis, at random orientations: its
edge cuts the cortex at all angles. Voxels are told apart by how far, in mm, their true column (its
ends and the voxel) stays within the picture or leaves it; those within {SIDE_MM:g} mm of a shape's
own sides do not count. A column that leaves has a true thickness that the picture does not show.
Given are the share of voxels that get a thickness, and its mean error and mean absolute error in mm
for these, likewise by pyEzzi, which gives every voxel one."""


def report(quick: bool) -> Iterator[str]:
    """One table for each voxel size, the first as the summary."""
    tables = []
    for spacing in SPACINGS:
        rng = np.random.default_rng(SEED)
        rows = [
            errors(make(shape, spacing, rng, keep=keep))
            for shape in SHAPES[: 2 if quick else None]
            for keep in KEEP
        ]
        ours, theirs, edge = (np.concatenate(column) for column in zip(*rows, strict=True))
        tables.append(f"### {size_of(spacing)} mm\n\n" + edge_table(ours, theirs, edge))
    yield EXPLANATION + "\n\n" + tables[0]
    for text in tables[1:]:
        yield Detail(text)


def errors(phantom: Phantom) -> tuple[NDArray, NDArray, NDArray]:
    """(n,) errors of our thickness and of pyEzzi's, NaN where there is none, and how many mm the
    true column stays away from the picture's edge."""
    core = measure_core(phantom.labels, "tissue")
    found = np.full(phantom.labels.array.size, np.nan)
    found[core.voxels] = core.thickness
    nothing = np.full(phantom.grid.shape, np.nan)
    theirs = pyezzi_thickness(phantom.labels) if has_pyezzi() else nothing
    chosen = phantom.side_mm > SIDE_MM
    true = phantom.thickness[chosen]
    ours = found.reshape(phantom.grid.shape)[chosen]
    return ours - true, theirs[chosen] - true, phantom.edge_mm[chosen]


def edge_table(ours: NDArray, theirs: NDArray, edge: NDArray) -> str:
    """Errors by where columns end."""
    rows = []
    for name, (low, high) in BANDS.items():
        here = (edge >= low) & (edge < high)
        if not here.any():
            continue
        known = ours[here][np.isfinite(ours[here])]
        other = theirs[here][np.isfinite(theirs[here])]
        rows.append(
            (
                name,
                f"{here.sum():,}",
                f"{len(known) / here.sum():.1%}",
                *_mean_errors(known),
                *_mean_errors(other),
            )
        )
    head = ("column", "voxels", "measured", "bias", "error", "pyEzzi bias", "error")
    return table(head, rows)


def _mean_errors(values: NDArray) -> tuple[str, str]:
    if not len(values):
        return "", ""
    return f"{values.mean():+.3f}", f"{np.abs(values).mean():.3f}"
