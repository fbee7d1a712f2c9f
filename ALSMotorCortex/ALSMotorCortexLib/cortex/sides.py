"""On which side of each border the voxels of a label map lie, and where that is known."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from .masks import grown
from .nearest import nearest_indices
from .ribbon import CUT, GRAY, Ribbon
from .scale import Scale

SHUT = 0.49
"""Inside value of rim-line voxels with nothing behind them: all but 0.5, leaning outside."""

EVIDENCE = 2.0
"""Width, in voxels of the finest measured axis, of the Gaussian through which what lies behind a
rim line sees on which side of a cut it is."""

GRAY_WEIGHT = 1.2
"""Weight of gray matter in that. It starts a line's breadth away, but what lies past the cut, where
no line is, starts half a voxel closer and would be seen more. Chosen on drawn lines at all angles,
so that errors to either side are equally many."""

PAST_WEIGHT = 0.8
"""Weight of what lies past the cut."""


@dataclass(frozen=True)
class Sides:
    """The sides of a ribbon's borders.

    Attributes:
        inside_of: gives, for a border's tissue, (k, j, i) 0 at that tissue, 1 elsewhere and 0.5
            where the border runs through the voxel.
        known: (k, j, i) where this is known.
    """

    inside_of: Callable[[int], NDArray[np.float32]]
    known: NDArray[np.bool_]


def sides_of(ribbon: Ribbon) -> Sides:
    """The sides that the voxels of a ribbon lie on."""
    return _tissue_sides(ribbon) if ribbon.line is None else _rim_sides(ribbon, ribbon.line)


def _tissue_sides(ribbon: Ribbon) -> Sides:
    """Every voxel carries its tissue."""
    return Sides(lambda code: (ribbon.tissue != code).astype(np.float32), ribbon.tissue != CUT)


def _rim_sides(ribbon: Ribbon, line: NDArray[np.bool_]) -> Sides:
    """The borders run through the middle of the rim lines' voxels: 0.5 there.

    Everything else lies where the nearest line or gray matter says. The tissue behind the lines
    does not count: it was grown from the lines itself.
    """
    labelled = line | (ribbon.tissue == GRAY)
    # Rounded, so that ties do not hang on the last digit of a turned matrix.
    spacing = np.round(ribbon.grid.spacing, 6).tolist()
    tissue = ribbon.tissue[tuple(nearest_indices(labelled, spacing, ribbon.axes))]

    def inside_of(code: int) -> NDArray[np.float32]:
        own = tissue == code
        inside = (~own).astype(np.float32)
        mine = line & own
        inside[mine] = 0.5
        # Where two lines, or one line, fill a narrow sulcus, there is nothing behind them to pull
        # the border through their middle: their centres are kept outside.
        behind = grown(own & ~mine, [int(a in ribbon.axes) for a in range(3)])
        inside[mine & ~behind] = SHUT
        return inside

    return Sides(inside_of, _known_sides(tissue, labelled, ribbon))


def _known_sides(
    tissue: NDArray[np.uint8], labelled: NDArray[np.bool_], ribbon: Ribbon
) -> NDArray[np.bool_]:
    """Where a rim says which side a voxel is on: not past a side where the ribbon is cut.

    What is nearest to gray matter is past a cut. What is nearest to a line is behind the line or
    past its end: past it, if what lies past the cut outweighs the gray matter around.
    """
    past = ~labelled & (tissue == GRAY)
    if not past.any():
        return np.ones(past.shape, bool)
    gray = ribbon.tissue == GRAY
    evidence = gray * np.float32(GRAY_WEIGHT) - past * np.float32(PAST_WEIGHT)
    sigma = Scale(ribbon.grid.spacing, ribbon.axes, past.shape).sigmas(EVIDENCE**2)
    evidence = ndimage.gaussian_filter(evidence, sigma, mode="nearest", truncate=3)
    return labelled | (~past & (evidence >= 0))
