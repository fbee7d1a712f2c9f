"""Shapes of known thickness in thick slices that cut them at an angle.

A slice shows the mean of the tissue through its thickness. A voxel is labelled by the tissue that
fills most of it, as a reader would, so that a border is where it is half-way through the slice.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from .grid import Grid, Image
from .phantoms import Placement, place
from .shapes import CSF, GM, UNLABELLED, WM, Floats, Shape

PLANES = 11
"""Places through a slice where the tissue is looked up. Odd, so that no two tissues tie."""

MARGIN_MM = 3.0
"""How far interior voxels stay from the shape's sides and the picture's edge: field lines within
a slice run along the shape's axis by their length times the sine of the tilt."""


@dataclass(frozen=True)
class SlicePhantom:
    """A shape in slices, with the truth at every voxel.

    Attributes:
        labels: uint8, 1 CSF, 2 white matter, 3 gray matter, 0 beyond the shape's sides.
        signal: (k, j, i) float32 mean over the slice of a signal that is even in each tissue.
        thickness: (k, j, i) mm, NaN where a voxel's centre is not gray matter, as all that follow.
        angle: (k, j, i) degrees between the field line and the slice.
        depth_equidistant, depth_equivolume: (k, j, i), 0 pial to 1 white matter.
        interior: (k, j, i) bool, gray matter away from sides and edges within the slice. First
            and last slices count.
    """

    labels: Image
    signal: NDArray[np.float32]
    thickness: Floats
    angle: Floats
    depth_equidistant: Floats
    depth_equivolume: Floats
    interior: NDArray[np.bool_]


def tilted(degrees: float, turn: float = 0.0) -> Floats:
    """(3, 3) from mm along (k, j, i) to a shape's own coordinates, for :func:`.phantoms.place`.

    Args:
        degrees: between the shape's axis and the array axis k, across the slices.
        turn: degrees by which the shape is turned within the slices before it is tilted.
    """
    a, t = np.radians([degrees, turn])
    turned = np.array([[1, 0, 0], [0, np.cos(t), -np.sin(t)], [0, np.sin(t), np.cos(t)]])
    return np.array([[np.cos(a), -np.sin(a), 0], [np.sin(a), np.cos(a), 0], [0, 0, 1]]) @ turned


def make_slices(
    shape: Shape,
    spacing: tuple[float, float, float],
    degrees: float,
    slices: int,
    rng: np.random.Generator,
    width_mm: float = 30.0,
    signals: tuple[float, float, float] = (60.0, 25.0, 20.0),
) -> SlicePhantom:
    """A shape in slices across k that leave it at both ends.

    Args:
        shape: long enough along its axis to reach through all slices.
        spacing: mm along (k, j, i); slices are as thick as they lie apart.
        degrees: between the shape's axis and k.
        slices: how many.
        rng: draws the turn within the slices and the sub-voxel offset.
        width_mm: of the slices, at most.
        signals: of CSF, white matter and gray matter.
    """
    placement = place(shape, spacing, rng, tilted(degrees, rng.uniform(0, 360)))
    placement = _middle_of(placement, slices, width_mm)
    own = np.concatenate([points for _, points in placement.points()])
    labels, signal = _through_slices(placement, own, signals)
    truth = shape.sample(own)
    line = (truth.ends[:, 1] - truth.ends[:, 0]) @ placement.rotation
    sine = np.abs(line[:, 0]) / np.maximum(np.linalg.norm(line, axis=1), 1e-9)
    with np.errstate(invalid="ignore"):
        interior = (truth.side_mm > MARGIN_MM) & (labels == GM) & (truth.tissue == GM)
    size = placement.grid.shape
    for axis in (1, 2):
        away = np.minimum(np.arange(size[axis]), np.arange(size[axis])[::-1]) * spacing[axis]
        far = np.expand_dims(away > MARGIN_MM, tuple({0, 1, 2} - {axis}))
        interior &= np.broadcast_to(far, size).reshape(-1)
    return SlicePhantom(
        Image(labels.reshape(size), placement.grid, "phantom slices"),
        signal.reshape(size),
        truth.thickness.reshape(size),
        np.degrees(np.arcsin(np.minimum(sine, 1))).reshape(size),
        truth.depth_equidistant.reshape(size),
        truth.depth_equivolume.reshape(size),
        interior.reshape(size),
    )


def _middle_of(placement: Placement, slices: int, width_mm: float) -> Placement:
    """The same place on a grid of the middle slices, not wider than ``width_mm``."""
    spacing = np.array(placement.grid.spacing)
    most = np.array([slices, *np.ceil(width_mm / spacing[1:]).astype(int)])
    size = np.minimum(placement.grid.shape, most)
    start = (np.array(placement.grid.shape) - size) // 2
    grid = Grid.from_spacing((int(size[0]), int(size[1]), int(size[2])), placement.grid.spacing)
    return replace(placement, grid=grid, centre=placement.centre - start * spacing)


def _through_slices(
    placement: Placement, own: Floats, signals: tuple[float, float, float]
) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """(n,) label and mean signal of each voxel, through its slice.

    Args:
        own: (n, 3) own coordinates of the voxels' centres.
        signals: of CSF, white matter and gray matter.
    """
    share = np.zeros((4, len(own)), np.uint8)
    across = placement.grid.spacing[0] * placement.rotation[:, 0]
    for plane in range(PLANES):
        tissue = placement.shape.tissue(own + ((plane + 0.5) / PLANES - 0.5) * across)
        for code in (UNLABELLED, CSF, WM, GM):
            share[code] += tissue == code
    signal = np.array([0, *signals], np.float32) @ share.astype(np.float32) / PLANES
    return share.argmax(axis=0).astype(np.uint8), signal.astype(np.float32)
