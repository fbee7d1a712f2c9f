"""Shapes of known thickness and depth on a voxel grid.

:func:`place` puts a shape (:mod:`.shapes`, :mod:`.folded_sheet`) on a grid at a random sub-voxel
place and orientation, :func:`make` samples it there.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import product

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage as ndi
from scipy.spatial.transform import Rotation

from .grid import Grid, Image
from .shapes import CSF, GM, UNLABELLED, WM, Floats, Shape

# Points sampled at once: bounds the memory of a large phantom.
BLOCK_POINTS = 1_000_000


@dataclass(frozen=True)
class Placement:
    """A shape on a voxel grid.

    Attributes:
        shape: the shape.
        grid: RAS-aligned, first voxel at the origin.
        rotation: (3, 3), from mm along (k, j, i) to the shape's own coordinates.
        centre: (3,) mm along (k, j, i), where the shape's origin lies.
    """

    shape: Shape
    grid: Grid
    rotation: Floats
    centre: Floats

    def own(self, mm: Floats) -> Floats:
        """Own coordinates of points (n, 3) in mm along (k, j, i)."""
        return (mm - self.centre) @ self.rotation.T

    def tissue_labels(self) -> Image:
        """uint8 labels, that of each voxel's centre."""
        labels = np.empty(int(np.prod(self.grid.shape)), dtype=np.uint8)
        for block, own in self.points():
            labels[block] = self.shape.tissue(own)
        return Image(labels.reshape(self.grid.shape), self.grid, "phantom")

    def rim_labels(self) -> Image:
        """uint8 labels in LayNii's style: 1 and 2 are one-voxel lines, 3 is between them.

        A voxel is on a line where the true border passes between its centre and one of its
        six face centres. So the border runs through the middle of the line, and every
        step from a voxel to its face neighbour that crosses the border has a line voxel at
        one end: the line has no gap. All else is 0.
        """
        centre = self.tissue_labels().array
        labels = np.where(centre == GM, GM, UNLABELLED).astype(np.uint8)
        gray = (centre == GM).view(np.uint8)
        border = np.flatnonzero(ndi.maximum_filter(gray, 3) != ndi.minimum_filter(gray, 3))
        index = np.stack(np.unravel_index(border, self.grid.shape), axis=1)
        here = centre.reshape(-1)[border]
        for axis in range(3):
            for step in (-0.5, 0.5):
                face = (index + step * np.eye(3)[axis]) * self.grid.spacing
                there = self.shape.tissue(self.own(face))
                for tissue in (CSF, WM):
                    crossed = (here == GM) & (there == tissue)
                    crossed |= (here == tissue) & (there == GM)
                    labels.reshape(-1)[border[crossed]] = tissue
        return Image(labels, self.grid, "phantom rim")

    def points(self) -> Iterator[tuple[slice, Floats]]:
        """Own coordinates of the voxel centres, in blocks of the flattened grid."""
        step = self.grid.shape[1] * self.grid.shape[2]
        rows = max(1, BLOCK_POINTS // step)
        for first in range(0, self.grid.shape[0], rows):
            last = min(first + rows, self.grid.shape[0])
            index = np.indices((last - first, *self.grid.shape[1:])).reshape(3, -1).T
            mm = (index + [first, 0, 0]) * self.grid.spacing
            yield slice(first * step, last * step), self.own(mm)

    def edge_mm(self, own: Floats) -> Floats:
        """Distance of points (n, 3) in own coordinates to the volume's edge, mm."""
        mm = own @ self.rotation + self.centre
        spacing = np.array(self.grid.spacing)
        last = (np.array(self.grid.shape) - 0.5) * spacing
        return np.minimum(mm + spacing / 2, last - mm).min(axis=1)


@dataclass(frozen=True)
class Phantom:
    """A shape on a grid, with the truth of every voxel.

    Attributes:
        placement: where the shape lies.
        labels: uint8, 1 CSF, 2 white matter, 3 gray matter, 0 beyond the shape's sides.
        thickness: (k, j, i) mm, NaN outside gray matter, as all that follow.
        depth_equidistant, depth_equivolume: (k, j, i), 0 pial to 1 white matter.
        potential: (k, j, i), 0 white matter to 1 pial.
        side_mm: (k, j, i), from the field line to the nearest of the shape's sides.
        edge_mm: (k, j, i), from the field line to the volume's edge, below 0 where it leaves.
        interior: (k, j, i) bool, gray matter whose field line keeps away from the shape's
            sides and from the volume's edge.
    """

    placement: Placement
    labels: Image
    thickness: Floats = field(repr=False)
    depth_equidistant: Floats = field(repr=False)
    depth_equivolume: Floats = field(repr=False)
    potential: Floats = field(repr=False)
    side_mm: Floats = field(repr=False)
    edge_mm: Floats = field(repr=False)
    interior: NDArray[np.bool_] = field(repr=False)

    @property
    def grid(self) -> Grid:
        """The grid of all arrays."""
        return self.labels.grid

    def rim(self) -> Image:
        """The same shape in rim style; see :meth:`Placement.rim_labels`."""
        return self.placement.rim_labels()


def place(
    shape: Shape,
    spacing: tuple[float, float, float],
    rng: np.random.Generator,
    rotation: Floats | None = None,
    keep: float = 1.0,
) -> Placement:
    """Put a shape on a grid that just holds it, at a random sub-voxel offset.

    Args:
        shape: the shape.
        spacing: mm along (k, j, i).
        rng: draws the offset, up to half a voxel each way, and the orientation.
        rotation: (3, 3) orientation instead of a random one; the identity lays the shape's
            axis along k.
        keep: share of the grid to keep along each array axis, around its middle. Below 1
            the volume's edge cuts the shape, obliquely to its field lines.
    """
    offset = rng.uniform(-0.5, 0.5, 3) * spacing
    if rotation is None:
        rotation = Rotation.from_quat(rng.normal(size=4)).as_matrix()
    corners = np.array(list(product(*shape.box.T))) @ rotation
    middle = (corners.min(axis=0) + corners.max(axis=0)) / 2
    k, j, i = np.ceil(np.ptp(corners, axis=0) * keep / spacing).astype(int) + 1
    grid = Grid.from_spacing((int(k), int(j), int(i)), spacing)
    centre = (np.array(grid.shape) - 1) / 2 * spacing - middle + offset
    return Placement(shape, grid, rotation, centre)


def make(
    shape: Shape,
    spacing: tuple[float, float, float],
    rng: np.random.Generator,
    rotation: Floats | None = None,
    keep: float = 1.0,
    margin_mm: float = 1.0,
) -> Phantom:
    """A shape on a grid, sampled at the voxel centres; arguments as :func:`place`.

    Args:
        margin_mm: how far the field lines of ``interior`` voxels stay from the shape's
            sides. From the volume's edge, which may cut field lines obliquely and bend
            those nearby, they stay their own length or this, whichever is more.
    """
    return sample_placed(place(shape, spacing, rng, rotation, keep), margin_mm)


def sample_placed(placement: Placement, margin_mm: float = 1.0) -> Phantom:
    """The truth of every voxel of a placed shape; ``margin_mm`` as in :func:`make`."""
    shape, grid = placement.shape, placement.grid
    size = int(np.prod(grid.shape))
    labels = np.empty(size, dtype=np.uint8)
    names = ("thickness", "depth_equidistant", "depth_equivolume", "potential", "side_mm")
    maps = {name: np.empty(size) for name in names}
    edge = np.full(size, np.nan)
    for block, own in placement.points():
        truth = shape.sample(own)
        labels[block] = truth.tissue
        for name, values in maps.items():
            values[block] = getattr(truth, name)
        gray = truth.tissue == GM
        line = np.concatenate([truth.ends[gray], own[gray, None]], axis=1)
        edge[block][gray] = placement.edge_mm(line.reshape(-1, 3)).reshape(-1, 3).min(axis=1)
    interior = maps["side_mm"] > margin_mm
    interior &= edge > np.maximum(margin_mm, maps["thickness"])
    return Phantom(
        placement,
        Image(labels.reshape(grid.shape), grid, "phantom"),
        **{name: values.reshape(grid.shape) for name, values in maps.items()},
        edge_mm=edge.reshape(grid.shape),
        interior=interior.reshape(grid.shape),
    )
