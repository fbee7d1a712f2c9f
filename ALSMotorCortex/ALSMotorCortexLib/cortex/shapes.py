"""Shapes whose cortical thickness and depth are known exactly.

A shape answers, for any point in its own coordinates, which tissue is there and, within
gray matter, how long the field line through the point is and how deep the point lies on
it. :func:`.phantoms.place` puts a shape on a voxel grid.

A shape's own coordinates are ``(axis, up, across)`` in mm with the shape around the
origin. Unrotated, they run along the array axes (k, j, i). Shapes end at *sides* that
field lines run along, so that nothing is lost there; beyond the sides voxels carry no
label. Unrolled shapes end at both ends of their axis as well.

The truth is that of the Laplace potential, 0 at the white matter and 1 at the pial
surface (Jones et al., Hum Brain Mapp 2000, 11:12), not that of a nearest distance.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

UNLABELLED, CSF, WM, GM = 0, 1, 2, 3
"""Label values of every phantom, in both styles."""

Floats = NDArray[np.floating[Any]]

# How much white matter and CSF is shown around a shape, in mm.
SURROUND_MM = 1.5
# How much unlabelled room is shown beyond its sides, in mm.
ENDS_MM = 0.5


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
        return tissue_of(points[:, 1] / self.height + 0.5, self._side(points) < 0)

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
        return tissue_of(self._potential(radius), self._side(points, radius) < 0)

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
        return tissue_of(self._potential(radius), self._side(points, radius) < 0)

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


def tissue_of(potential: Floats, beyond: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """Labels from the potential, continued past 0 and 1, and what lies beyond the sides."""
    labels = np.where(potential < 0, WM, np.where(potential > 1, CSF, GM))
    return np.where(beyond, UNLABELLED, labels).astype(np.uint8)


def spread(values: Floats, where: NDArray[np.int64], count: int) -> Floats:
    """(count, ...) array with ``values`` at rows ``where``, NaN elsewhere."""
    out = np.full((count, *values.shape[1:]), np.nan)
    out[where] = values
    return out


def _sector_box(shell: Cylinder | Sphere) -> tuple[float, tuple[float, float]]:
    """Half the breadth of a sector, and its extent along its middle, mm."""
    far = shell.outer + SURROUND_MM
    near = max(shell.inner - SURROUND_MM, 0)
    half = min(shell.half_angle, np.pi)
    back = min(radius * np.cos(half) for radius in (near, far))
    return far * np.sin(min(half, np.pi / 2)) + ENDS_MM, (back - ENDS_MM, far)


def _within_gray_matter(tissue: NDArray[np.uint8], *values: Floats) -> Truth:
    """A truth whose values are NaN outside gray matter."""
    gray = np.flatnonzero(tissue == GM)
    return Truth(tissue, *(spread(v[gray], gray, len(tissue)) for v in values))


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
