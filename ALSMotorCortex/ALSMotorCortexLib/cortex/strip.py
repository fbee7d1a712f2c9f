"""The cortex made straight: the image across a curve drawn on a slice, columns by depth."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import map_coordinates

from .curves import Plane, crossing, lengths, normals, resample, spline
from .errors import InputError
from .grid import Grid, Image
from .sampling import inside, sample, sample_usual, voxel_along

REACH_MM = 4.5
SHORTEST_MM = 2.0
SAME_POINT_MM = 0.01
SAMPLES_PER_VOXEL = 3
NORMAL_SD_MM = 1.0
# How far from the curve most values are those of cortex and white matter. Were it less, a thick
# cortex alone would tell what is ordinary, and CSF be drawn so near that its border shifts.
NEAR_MM = 3.0


@dataclass(frozen=True)
class Strip:
    """The straightened image and where it lies.

    Attributes:
        plane: the slice plane.
        points, across: (n, 2) the curve and the unit direction of rising depth.
        depths: (m,) mm.
        values: (n, m), NaN outside the volume.
        filled: the same without gaps, and with values far off those of cortex and white
            matter drawn near: what borders are sought in.
        voxel: mm, in the slice plane.
    """

    plane: Plane
    points: NDArray
    across: NDArray
    depths: NDArray
    values: NDArray
    filled: NDArray
    voxel: float

    @property
    def step(self) -> float:
        """mm between columns."""
        return float(lengths(self.points)[-1] / (len(self.points) - 1))

    @property
    def depth_step(self) -> float:
        """mm between depths."""
        return float(self.depths[1] - self.depths[0])

    def reversed(self) -> Strip:
        """The same with depth counted from the other side."""
        return replace(
            self,
            across=-self.across,
            depths=-self.depths[::-1],
            values=self.values[:, ::-1],
            filled=self.filled[:, ::-1],
        )

    def at(self, columns: NDArray, depths: NDArray) -> NDArray:
        """Values of ``filled`` at columns and depths in mm, by linear interpolation."""
        return self._interpolated(self.filled, columns, depths)

    def seen_at(self, columns: NDArray, depths: NDArray) -> NDArray:
        """Values of the image itself, gaps filled, at columns and depths in mm."""
        return self._interpolated(filled(self.values), columns, depths)

    def _interpolated(self, values: NDArray, columns: NDArray, depths: NDArray) -> NDArray:
        rows = (depths - self.depths[0]) / self.depth_step
        where = np.stack(np.broadcast_arrays(columns.astype(float), rows))
        return map_coordinates(values, where, order=1, mode="nearest")


def checked(points: NDArray, name: str) -> NDArray:
    """Points (n, 3) without repeats, at least three of them."""
    points = np.asarray(points, dtype=float).reshape(-1, 3)
    moved = np.linalg.norm(np.diff(points, axis=0), axis=1) > SAME_POINT_MM
    points = points[np.concatenate([[True], moved])] if len(points) else points
    if len(points) < 3:
        raise InputError(
            f"The {name} has {len(points)} point{'' if len(points) == 1 else 's'}. "
            "Place at least three along the motor cortex."
        )
    return points


def in_plane_voxel(grid: Grid, plane: Plane) -> float:
    """mm between voxels in a plane."""
    return min(voxel_along(grid, axis) for axis in plane.axes[:2])


def near(plane: Plane, place: NDArray) -> str:
    """Where a place (2,) of a plane lies, in words."""
    r, a, s = plane.ras(place)
    return f" near R {r:.1f}, A {a:.1f}, S {s:.1f} mm"


def flat_curve(grid: Grid, plane: Plane, points: NDArray, step: float, name: str) -> NDArray:
    """The drawn curve (n, 2) at even arc length, checked."""
    curve = resample(spline(plane.flat(points)), step, even=True)
    out = ~inside(grid, plane.ras(curve))
    if out.any():
        raise InputError(
            f"The {name} leaves the volume{near(plane, curve[np.argmax(out)])}. "
            "Keep it within the image."
        )
    if (place := crossing(curve)) is not None:
        raise InputError(
            f"The {name} crosses itself{near(plane, place)}. Move its points so that it runs "
            "along the cortex once."
        )
    if (length := lengths(curve)[-1]) < SHORTEST_MM:
        raise InputError(
            f"The {name} is {length:.1f} mm long. Draw at least {SHORTEST_MM:.0f} mm along the "
            "cortex."
        )
    return curve


def straighten(image: Image, points: NDArray, plane_normal: NDArray) -> Strip:
    """The image across a drawn curve; arguments and errors as for :func:`.trace.trace_cortex`."""
    points = checked(points, "trace")
    plane = Plane.through(points, plane_normal)
    step = in_plane_voxel(image.grid, plane)
    return sampled(image, plane, flat_curve(image.grid, plane, points, step, "trace"))


def sampled(image: Image, plane: Plane, curve: NDArray) -> Strip:
    """The image across a curve (n, 2) at even arc length; depth rises to its left."""
    voxel = in_plane_voxel(image.grid, plane)
    step = float(lengths(curve)[-1] / (len(curve) - 1))
    across = normals(curve, smooth=NORMAL_SD_MM / step)
    half = int(np.ceil(REACH_MM / voxel * SAMPLES_PER_VOXEL))
    depths = np.arange(-half, half + 1) * (voxel / SAMPLES_PER_VOXEL)
    places = plane.ras(curve[:, None] + depths[:, None] * across[:, None])
    values = sample(image, places)
    if not np.isfinite(values).any():
        raise InputError("The image holds no values along the trace. Choose another image.")
    close = places[:, np.abs(depths) < NEAR_MM][:, ::SAMPLES_PER_VOXEL]
    clear = sample_usual(image, places, values, close)
    return Strip(plane, curve, across, depths, values, filled(clear), voxel)


def filled(values: NDArray) -> NDArray:
    """Gaps in each column filled with its nearest known value, else the mean."""
    known = np.isfinite(values)
    if known.all():
        return values
    whole = np.where(known, values, np.nanmean(values))
    places = np.arange(values.shape[1])
    for column in np.flatnonzero(~known.all(axis=1) & known.any(axis=1)):
        whole[column] = np.interp(places, places[known[column]], values[column, known[column]])
    return whole
