"""Shapes whose cortical thickness and depth are known exactly.

A shape answers, for any point in its own coordinates, which tissue is there and, within
gray matter, how long the field line through the point is and how deep the point lies on
it. :func:`place` puts a shape on a voxel grid at a random sub-voxel place and orientation,
:func:`make` samples it there.

A shape's own coordinates are ``(axis, up, across)`` in mm with the shape around the
origin. Unrotated, they run along the array axes (k, j, i). Shapes end at *sides* that
field lines run along, so that nothing is lost there; beyond the sides voxels carry no
label. Unrolled shapes end at both ends of their axis as well.

The truth is that of the Laplace potential, 0 at the white matter and 1 at the pial
surface (Jones et al., Hum Brain Mapp 2000, 11:12), not that of a nearest distance.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from itertools import product
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage as ndi
from scipy.spatial import cKDTree
from scipy.spatial.transform import Rotation

from .grid import Grid, Image

UNLABELLED, CSF, WM, GM = 0, 1, 2, 3
"""Label values of every phantom, in both styles."""

Floats = NDArray[np.floating[Any]]
Complexes = NDArray[np.complexfloating[Any, Any]]

# How much white matter and CSF is shown around a shape, in mm.
SURROUND_MM = 1.5
# How much unlabelled room is shown beyond its sides, in mm.
ENDS_MM = 0.5
# Points sampled at once: bounds the memory of a large phantom.
BLOCK_POINTS = 1_000_000


@dataclass(frozen=True)
class Truth:
    """What a shape holds at n points.

    Attributes:
        tissue: (n,) uint8 label, 0 beyond the shape's sides.
        potential: (n,) 0 at the white matter to 1 at the pial surface; NaN outside gray
            matter, as all that follow.
        thickness: (n,) mm, length of the field line through the point.
        depth_equidistant: (n,) share of that length on the pial side of the point.
        depth_equivolume: (n,) share of the column's volume on the pial side of the point.
        ends: (n, 2, 3) mm, the field line's ends: at the white matter, at the pial surface.
        side_mm: (n,) mm, nearest distance of the field line to a side of the shape.
    """

    tissue: NDArray[np.uint8]
    potential: Floats
    thickness: Floats
    depth_equidistant: Floats
    depth_equivolume: Floats
    ends: Floats
    side_mm: Floats


class Shape(Protocol):
    """What :func:`place` and :func:`make` need to know of a shape."""

    @property
    def box(self) -> Floats:
        """(2, 3) mm, two corners of a box around the shape and some tissue around it."""

    def tissue(self, points: Floats) -> NDArray[np.uint8]:
        """(n,) labels at points (n, 3) in the shape's own coordinates, mm."""

    def sample(self, points: Floats) -> Truth:
        """The truth at points (n, 3) in the shape's own coordinates, mm."""


@dataclass(frozen=True)
class Slab:
    """A flat sheet of even thickness.

    Attributes:
        height: thickness in mm.
        half_length: along the axis, mm.
        half_width: across, mm.
    """

    height: float = 3.0
    half_length: float = 8.0
    half_width: float = 8.0

    @property
    def box(self) -> Floats:
        size = [self.half_length + ENDS_MM, self.height / 2 + SURROUND_MM]
        return np.outer([-1, 1], [*size, self.half_width + ENDS_MM])

    def tissue(self, points: Floats) -> NDArray[np.uint8]:
        return _tissue(points[:, 1] / self.height + 0.5, self._side(points) < 0)

    def sample(self, points: Floats) -> Truth:
        potential = points[:, 1] / self.height + 0.5
        ends = np.repeat(points[:, None], 2, axis=1)
        ends[:, :, 1] = np.array([-0.5, 0.5]) * self.height
        return _within_gray_matter(
            self.tissue(points),
            potential,
            np.full(len(points), self.height),
            1 - potential,
            1 - potential,
            ends,
            self._side(points),
        )

    def _side(self, points: Floats) -> Floats:
        return np.minimum(
            self.half_length - np.abs(points[:, 0]), self.half_width - np.abs(points[:, 2])
        )


@dataclass(frozen=True)
class Cylinder:
    """A shell between two concentric cylinders around the axis.

    Attributes:
        inner, outer: radii in mm.
        wm_inside: white matter within the inner radius (a gyrus) or beyond the outer (a
            sulcus).
        half_length: along the axis, mm.
        half_angle: the shell covers this angle to both sides of ``across``, radians; pi is
            the whole shell.
    """

    inner: float = 5.0
    outer: float = 8.0
    wm_inside: bool = True
    half_length: float = 4.0
    half_angle: float = np.pi

    @property
    def box(self) -> Floats:
        up, across = _sector_box(self)
        axis = self.half_length + ENDS_MM
        return np.array([[-axis, -up, across[0]], [axis, up, across[1]]])

    def tissue(self, points: Floats) -> NDArray[np.uint8]:
        radius = np.hypot(points[:, 1], points[:, 2])
        return _tissue(self._potential(radius), self._side(points, radius) < 0)

    def sample(self, points: Floats) -> Truth:
        radius = np.hypot(points[:, 1], points[:, 2])
        foot = points * [1, 0, 0]
        return _shell_truth(
            self,
            2,
            self.tissue(points),
            self._potential(radius),
            points - foot,
            foot,
            self._side(points, np.full(len(points), self.inner)),
        )

    def _potential(self, radius: Floats) -> Floats:
        share = np.log(np.maximum(radius, 1e-9) / self.inner) / np.log(self.outer / self.inner)
        return share if self.wm_inside else 1 - share

    def _side(self, points: Floats, radius: Floats) -> Floats:
        axial = self.half_length - np.abs(points[:, 0])
        if self.half_angle >= np.pi:
            return axial
        left = self.half_angle - np.abs(np.arctan2(points[:, 1], points[:, 2]))
        return np.minimum(axial, radius * np.sin(np.clip(left, -np.pi / 2, np.pi / 2)))


@dataclass(frozen=True)
class Sphere:
    """A shell between two concentric spheres, or the part of it within a cone.

    Attributes:
        inner, outer: radii in mm.
        wm_inside: white matter within the inner radius or beyond the outer.
        half_angle: the cone's angle from the axis, radians; pi is the whole shell.
    """

    inner: float = 5.0
    outer: float = 8.0
    wm_inside: bool = True
    half_angle: float = np.pi

    @property
    def box(self) -> Floats:
        up, axis = _sector_box(self)
        return np.array([[axis[0], -up, -up], [axis[1], up, up]])

    def tissue(self, points: Floats) -> NDArray[np.uint8]:
        radius = np.linalg.norm(points, axis=1)
        return _tissue(self._potential(radius), self._side(points, radius) < 0)

    def sample(self, points: Floats) -> Truth:
        radius = np.linalg.norm(points, axis=1)
        return _shell_truth(
            self,
            3,
            self.tissue(points),
            self._potential(radius),
            points,
            np.zeros_like(points),
            self._side(points, np.full(len(points), self.inner)),
        )

    def _potential(self, radius: Floats) -> Floats:
        share = (1 / self.inner - 1 / np.maximum(radius, 1e-9)) / (1 / self.inner - 1 / self.outer)
        return share if self.wm_inside else 1 - share

    def _side(self, points: Floats, radius: Floats) -> Floats:
        if self.half_angle >= np.pi:
            return np.full(len(points), np.inf)
        polar = np.arctan2(np.hypot(points[:, 1], points[:, 2]), points[:, 0])
        left = np.clip(self.half_angle - polar, -np.pi / 2, np.pi / 2)
        return radius * np.sin(left)


class Strip:
    """A strip bent in the plane by a conformal map, with its exact inverse.

    The map f takes w = x + iy, |x| <= half_length, |y| <= height / 2, to z = across + i up.
    A conformal map carries harmonic functions over, so the Laplace potential of the bent
    strip is that of the straight one: it rises linearly with y, field lines are the images
    of x = const, and a step dy on one is |f'| dy long. The column around it is |f'| dx wide
    there, so its area grows by |f'|^2 dx dy.

    f is given by the logarithm of its derivative, which never vanishes then: the real part
    says how much the map stretches and the imaginary part which way it turns. f(0) is given.

    Attributes:
        half_length: of the strip in x, mm.
        height: of the strip in y, mm. White matter below, pial surface above.
    """

    # Table spacing and nodes of the Gauss-Legendre rules. With a log derivative that varies
    # over some mm, both rules are exact to rounding.
    STEP_MM = 0.1
    SHORT = np.polynomial.legendre.leggauss(6)
    LONG = np.polynomial.legendre.leggauss(16)
    # The table goes on beyond the ends, so that points there are told from those within.
    BEYOND_MM = 1.0

    def __init__(
        self,
        log_derivative: Callable[[Complexes], Complexes],
        half_length: float,
        height: float,
        origin: complex = 0,
    ) -> None:
        self.log_derivative = log_derivative
        self.half_length = half_length
        self.height = height
        reach = half_length + self.BEYOND_MM
        columns = int(np.ceil(reach / self.STEP_MM))
        rows = int(np.ceil(height / 2 / self.STEP_MM))
        x = np.linspace(-reach, reach, 2 * columns + 1)
        y = np.linspace(-height / 2, height / 2, 2 * rows + 1)
        nodes = x[:, None] + 1j * y
        images = np.empty_like(nodes)
        midline = np.concatenate([[0], np.cumsum(self._integral(x[:-1] + 0j, x[1:] + 0j))])
        images[:, rows] = midline - midline[columns] + origin
        up = self._integral(nodes[:, :-1], nodes[:, 1:])
        images[:, rows + 1 :] = images[:, [rows]] + np.cumsum(up[:, rows:], axis=1)
        down = np.cumsum(up[:, :rows][:, ::-1], axis=1)[:, ::-1]
        images[:, :rows] = images[:, [rows]] - down
        self._x, self._y = x, y
        self._nodes = nodes.ravel()
        self._images = images.ravel()
        self._tree = cKDTree(_plane(self._images))
        edge = np.ones(nodes.shape, dtype=bool)
        edge[1:-1, 1:-1] = False
        self._edge = np.flatnonzero(edge)
        self._edge_tree = cKDTree(_plane(self._images[self._edge]))
        self._derivatives = self.derivative(self._nodes)
        # Nodes lie at most this far from any point of the strip.
        self._near_mm = self.STEP_MM * float(np.abs(self._derivatives).max())

    def __call__(self, w: Complexes) -> Complexes:
        """f at points (n,) of the straight strip."""
        w = np.asarray(w, dtype=np.complex128)
        column, row = (
            np.clip(np.rint((place - at[0]) / (at[1] - at[0])).astype(int), 0, len(at) - 1)
            for place, at in ((w.real, self._x), (w.imag, self._y))
        )
        start = column * len(self._y) + row
        return self._images[start] + self._integral(self._nodes[start], w)

    def derivative(self, w: Complexes) -> Complexes:
        """f' at points of the straight strip."""
        return np.exp(self.log_derivative(w))

    @property
    def outline(self) -> tuple[Complexes, Complexes]:
        """The bent strip's lower and upper border as points along x."""
        inside = np.abs(self._nodes.real) <= self.half_length
        half = self.height / 2
        low, high = (np.isclose(self._nodes.imag, y) & inside for y in (-half, half))
        return self._images[low], self._images[high]

    def inverse(self, z: Complexes) -> Complexes:
        """The points (n,) of the straight strip that f takes to z.

        Beyond the strip, to more than a table step, the answer is a first-order estimate:
        good enough to tell above from below and within the ends from beyond.
        """
        places = _plane(z)
        distance, start = self._tree.query(places, distance_upper_bound=self._near_mm)
        # Far points start from the edge, a tree so small that it is searched fast.
        found = np.isfinite(distance)
        start = np.asarray(start)
        start[~found] = self._edge[self._edge_tree.query(places[~found])[1]]
        node, image = self._nodes[start], self._images[start]
        w = node + (z - image) / self._derivatives[start]
        near = np.flatnonzero(found)
        target, node, image, root = z[near], node[near], image[near], w[near]
        for _ in range(8):
            miss = image + self._integral(node, root) - target
            root -= miss / self.derivative(root)
            if np.abs(miss).max(initial=0) < 1e-12:
                break
        w[near] = root
        return w

    def lengths(self, x: Floats, low: Floats, high: Floats) -> tuple[Floats, Floats]:
        """Length of the field lines x from y = low to high, mm, and area of their columns.

        All (n,). They are the integrals of |f'| and of |f'|^2 over y: the area is that per dx.
        """
        places, weights = self.LONG
        half = (high - low) / 2
        length, area = np.zeros(len(x)), np.zeros(len(x))
        for place, weight in zip(places, weights, strict=True):
            stretch = np.exp(self.log_derivative(x + 1j * (low + half * (1 + place))).real)
            length += weight * stretch
            area += weight * stretch**2
        return length * half, area * half

    def _integral(self, start: Complexes, end: Complexes) -> Complexes:
        """Integral of f' along straight lines from start to end."""
        places, weights = self.SHORT
        half = (end - start) / 2
        total = np.zeros_like(half)
        for place, weight in zip(places, weights, strict=True):
            total += weight * self.derivative(start + half * (1 + place))
        return total * half


@dataclass(frozen=True)
class FoldedSheet:
    """A sheet folded into gyri and sulci, even along its axis.

    Its middle is a curve whose direction swings as a sine of arc length, as a river's
    meander does, bent by the conformal map of :class:`Strip`. Where the fold is convex
    towards the pial surface (a gyral crown) the sheet is thicker than in a sulcus.

    Attributes:
        height: thickness in mm where the sheet is straight.
        swing: greatest direction of the middle against ``across``, radians.
        wavelength: arc length of one fold, mm.
        contrast: half the difference in the logarithm of thickness between crown and sulcus.
        half_length: of the middle's arc, mm.
        half_depth: along the axis, mm.
    """

    height: float = 2.6
    swing: float = 1.15
    wavelength: float = 24.0
    contrast: float = 0.12
    half_length: float = 15.0
    half_depth: float = 4.0

    @property
    def box(self) -> Floats:
        outline = _plane(np.concatenate(self.strip.outline))[:, ::-1]
        room = np.array([SURROUND_MM, ENDS_MM])
        low, high = outline.min(axis=0) - room, outline.max(axis=0) + room
        axis = self.half_depth + ENDS_MM
        return np.array([[-axis, *low], [axis, *high]])

    @cached_property
    def strip(self) -> Strip:
        """The conformal map behind the sheet."""
        k = 2 * np.pi / self.wavelength

        def log_derivative(w: Complexes) -> Complexes:
            return 1j * self.swing * np.sin(k * w) - self.contrast * np.cos(k * w)

        return Strip(log_derivative, self.half_length, self.height)

    def tissue(self, points: Floats) -> NDArray[np.uint8]:
        return self._label(self._straight(points))

    def sample(self, points: Floats) -> Truth:
        w = self._straight(points)
        return strip_truth(self.strip, points, w, self._label(w), self.half_depth)

    def _straight(self, points: Floats) -> Complexes:
        """Places (n,) on the straight strip; infinitely far beyond the axis's ends."""
        w = np.full(len(points), np.inf + 0j)
        within = np.abs(points[:, 0]) <= self.half_depth
        w[within] = self.strip.inverse(points[within, 2] + 1j * points[within, 1])
        return w

    def _label(self, w: Complexes) -> NDArray[np.uint8]:
        return _tissue(w.imag / self.height + 0.5, np.abs(w.real) > self.half_length)


def strip_truth(
    strip: Strip, points: Floats, w: Complexes, tissue: NDArray[np.uint8], half_depth: float
) -> Truth:
    """The truth of a sheet that is a bent strip drawn out along its axis.

    Args:
        strip: the bent strip.
        points: (n, 3) own coordinates (axis, up, across), mm.
        w: (n,) their places on the straight strip.
        tissue: (n,) their labels.
        half_depth: where the sheet ends along its axis, mm; may be infinite.
    """
    gray = np.flatnonzero(tissue == GM)
    x, y, top = w[gray].real, w[gray].imag, strip.height / 2
    pial, white = np.full_like(y, top), np.full_like(y, -top)
    outer, outer_area = strip.lengths(x, y, pial)
    inner, inner_area = strip.lengths(x, white, y)
    ends = np.empty((len(gray), 2, 3))
    for end, height in enumerate((-top, top)):
        image = strip(x + 1j * height)
        ends[:, end] = np.stack([points[gray, 0], image.imag, image.real], axis=1)
    narrowest = np.abs(strip.derivative(x + 1j * np.array([[-top], [0], [top]]))).min(axis=0)
    side = np.minimum(
        half_depth - np.abs(points[gray, 0]), narrowest * (strip.half_length - np.abs(x))
    )
    values = (
        y / strip.height + 0.5,
        outer + inner,
        outer / (outer + inner),
        outer_area / (outer_area + inner_area),
        ends,
        side,
    )
    return Truth(tissue, *(_spread(v, gray, len(points)) for v in values))


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
        interior: (k, j, i) bool, gray matter whose field line keeps away from the shape's
            sides and from the volume's edge.
    """

    placement: Placement
    labels: Image
    thickness: Floats = field(repr=False)
    depth_equidistant: Floats = field(repr=False)
    depth_equivolume: Floats = field(repr=False)
    potential: Floats = field(repr=False)
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
    interior = np.zeros(size, dtype=bool)
    names = ("thickness", "depth_equidistant", "depth_equivolume", "potential")
    maps = {name: np.empty(size) for name in names}
    for block, own in placement.points():
        truth = shape.sample(own)
        labels[block] = truth.tissue
        for name, values in maps.items():
            values[block] = getattr(truth, name)
        gray = truth.tissue == GM
        line = np.concatenate([truth.ends[gray], own[gray, None]], axis=1)
        edge = placement.edge_mm(line.reshape(-1, 3)).reshape(-1, 3).min(axis=1)
        inside = np.zeros(len(own), dtype=bool)
        inside[gray] = truth.side_mm[gray] > margin_mm
        inside[gray] &= edge > np.maximum(margin_mm, truth.thickness[gray])
        interior[block] = inside
    return Phantom(
        placement,
        Image(labels.reshape(grid.shape), grid, "phantom"),
        **{name: values.reshape(grid.shape) for name, values in maps.items()},
        interior=interior.reshape(grid.shape),
    )


def _plane(z: Complexes) -> Floats:
    return np.stack([z.real, z.imag], axis=-1)


def _tissue(potential: Floats, beyond: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """Labels from the potential, continued past 0 and 1, and what lies beyond the sides."""
    labels = np.where(potential < 0, WM, np.where(potential > 1, CSF, GM))
    return np.where(beyond, UNLABELLED, labels).astype(np.uint8)


def _sector_box(shell: Cylinder | Sphere) -> tuple[float, tuple[float, float]]:
    """Half the breadth of a sector, and its extent along its middle, mm."""
    far = shell.outer + SURROUND_MM
    near = max(shell.inner - SURROUND_MM, 0)
    half = min(shell.half_angle, np.pi)
    back = min(radius * np.cos(half) for radius in (near, far))
    return far * np.sin(min(half, np.pi / 2)) + ENDS_MM, (back - ENDS_MM, far)


def _spread(values: Floats, where: NDArray[np.int64], count: int) -> Floats:
    """(count, ...) array with ``values`` at rows ``where``, NaN elsewhere."""
    out = np.full((count, *values.shape[1:]), np.nan)
    out[where] = values
    return out


def _within_gray_matter(tissue: NDArray[np.uint8], *values: Floats) -> Truth:
    """A truth whose values are NaN outside gray matter."""
    gray = np.flatnonzero(tissue == GM)
    return Truth(tissue, *(_spread(v[gray], gray, len(tissue)) for v in values))


def _shell_truth(
    shell: Cylinder | Sphere,
    dimension: int,
    tissue: NDArray[np.uint8],
    potential: Floats,
    arm: Floats,
    foot: Floats,
    side: Floats,
) -> Truth:
    """The truth between concentric circles (dimension 2) or spheres (3).

    Args:
        arm: (n, 3) from the axis or centre to the point.
        foot: (n, 3) where on the axis the arm starts.
        side: (n,) mm from the field line to the nearest side.
    """
    radius = np.linalg.norm(arm, axis=1)
    inner, outer = shell.inner, shell.outer
    outward = arm / np.maximum(radius, 1e-9)[:, None]
    length = (outer - radius) / (outer - inner)
    volume = (outer**dimension - radius**dimension) / (outer**dimension - inner**dimension)
    ends = np.stack([foot + inner * outward, foot + outer * outward], axis=1)
    if not shell.wm_inside:
        length, volume, ends = 1 - length, 1 - volume, ends[:, ::-1]
    thickness = np.full(len(radius), outer - inner)
    return _within_gray_matter(tissue, potential, thickness, length, volume, ends, side)
