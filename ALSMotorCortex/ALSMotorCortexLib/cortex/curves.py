"""Plane curves: splines through points, normals, distances and crossings.

A curve on a slice is worked on in the slice's plane: points are (u, v) in mm in a
:class:`Plane`, and come back as RAS at the end.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d

PER_SEGMENT = 10


@dataclass(frozen=True)
class Plane:
    """A plane in the world with in-plane axes.

    Attributes:
        origin: (3,) RAS mm.
        axes: (3, 3) unit RAS vectors: u, v and the normal, right-handed.
    """

    origin: NDArray[np.float64]
    axes: NDArray[np.float64]

    @classmethod
    def through(cls, points: NDArray, normal: NDArray) -> Plane:
        """The plane at right angles to ``normal`` through the middle of RAS points."""
        unit = np.asarray(normal, dtype=float) / np.linalg.norm(normal)
        # The world axis that lies most in the plane, so that u does not depend on the points.
        helper = np.eye(3)[int(np.argmin(np.abs(unit)))]
        u = helper - unit * (helper @ unit)
        u /= np.linalg.norm(u)
        return cls(np.mean(points, axis=0), np.stack([u, np.cross(unit, u), unit]))

    @property
    def normal(self) -> NDArray[np.float64]:
        """(3,) unit RAS vector."""
        return self.axes[2]

    def flat(self, ras: NDArray) -> NDArray[np.float64]:
        """(..., 2) mm in the plane, of RAS points (..., 3) dropped onto it."""
        return (np.asarray(ras, dtype=float) - self.origin) @ self.axes[:2].T

    def height(self, ras: NDArray) -> NDArray[np.float64]:
        """(...) mm of RAS points (..., 3) above the plane."""
        return (np.asarray(ras, dtype=float) - self.origin) @ self.axes[2]

    def ras(self, flat: NDArray) -> NDArray[np.float64]:
        """RAS points (..., 3) of plane points (..., 2)."""
        return self.origin + np.asarray(flat) @ self.axes[:2]


def spline(points: NDArray) -> NDArray[np.float64]:
    """The curve that Slicer draws through control points, as a dense polyline.

    ``vtkMRMLMarkupsCurveNode`` by default interpolates with a cubic spline over the
    point's number whose derivative is zero at both ends, ten steps between points; this
    gives the same points.

    Args:
        points: (n, d) with n > 1; repeated points are dropped.
    """
    points = np.asarray(points, dtype=float)
    moved = np.linalg.norm(np.diff(points, axis=0), axis=1) > 1e-6
    points = points[np.concatenate([[True], moved])]
    number = len(points)
    at = np.linspace(0, number - 1, (number - 1) * PER_SEGMENT + 1)
    from scipy.interpolate import CubicSpline  # takes long to import; measuring needs none of it

    return CubicSpline(np.arange(number), points, bc_type="clamped")(at)


def lengths(points: NDArray) -> NDArray[np.float64]:
    """Arc length (n,) from the first point of a polyline (n, d) to each."""
    return np.concatenate([[0], np.cumsum(np.linalg.norm(np.diff(points, axis=0), axis=1))])


def resample(points: NDArray, step: float, even: bool = False) -> NDArray[np.float64]:
    """A polyline (n, d) at even arc length, as near to ``step`` mm as the length allows.

    Args:
        points: (n, d).
        step: mm.
        even: whether the number of pieces must be even.
    """
    s = lengths(points)
    factor = 2 if even else 1
    pieces = factor * max(int(np.rint(s[-1] / step / factor)), 1)
    return evenly(points, pieces + 1)


def evenly(points: NDArray, number: int) -> NDArray[np.float64]:
    """``number`` points at even arc length along a polyline (n, d)."""
    s = lengths(points)
    at = np.linspace(0, s[-1], number)
    return np.stack([np.interp(at, s, column) for column in points.T], axis=1)


def normals(points: NDArray, smooth: float = 0.0) -> NDArray[np.float64]:
    """Unit normals (n, 2) to the left of an evenly sampled polyline (n, 2).

    Args:
        points: (n, 2).
        smooth: SD, in points, over which directions are averaged.
    """
    tangents = np.gradient(points, axis=0)
    if smooth:
        tangents = gaussian_filter1d(tangents, smooth, axis=0, mode="nearest")
    left = np.stack([-tangents[:, 1], tangents[:, 0]], axis=1)
    return left / np.linalg.norm(left, axis=1, keepdims=True)


def crossing(first: NDArray, second: NDArray | None = None) -> NDArray[np.float64] | None:
    """A point (2,) where a polyline crosses itself, or another, or None.

    Args:
        first: (n, 2).
        second: (m, 2); None for ``first`` itself.
    """
    other = first if second is None else second
    a, b = first[:-1, None], np.diff(first, axis=0)[:, None]
    c, d = other[None, :-1], np.diff(other, axis=0)[None]
    area = _cross(b, d)
    with np.errstate(divide="ignore", invalid="ignore"):
        along = _cross(c - a, d) / area
        beside = _cross(c - a, b) / area
    hit = (along >= 0) & (along <= 1) & (beside >= 0) & (beside <= 1)
    if second is None:
        # Neighbouring pieces share a point.
        hit &= np.abs(np.subtract.outer(np.arange(len(b)), np.arange(len(b)))) > 1
    if not hit.any():
        return None
    i, j = np.argwhere(hit)[0]
    return first[i] + along[i, j] * (first[i + 1] - first[i])


def _cross(a: NDArray, b: NDArray) -> NDArray:
    return a[..., 0] * b[..., 1] - a[..., 1] * b[..., 0]


def distance(points: NDArray, polyline: NDArray) -> NDArray[np.float64]:
    """Distance (n,) in mm from points (n, 2) to a polyline (m, 2)."""
    from scipy.spatial import cKDTree  # takes long to import, too

    nearest = cKDTree(polyline).query(points)[1]
    best = np.full(len(points), np.inf)
    for start in (nearest - 1, nearest):
        start = np.clip(start, 0, len(polyline) - 2)
        piece = polyline[start + 1] - polyline[start]
        off = points - polyline[start]
        share = (off * piece).sum(axis=1) / np.maximum((piece**2).sum(axis=1), 1e-12)
        foot = np.clip(share, 0, 1)[:, None] * piece
        best = np.minimum(best, np.linalg.norm(off - foot, axis=1))
    return best


def offsets_along(points: NDArray, directions: NDArray, polyline: NDArray) -> NDArray[np.float64]:
    """How far (n,) to go from points along directions to meet a polyline.

    Args:
        points, directions: (n, 2), directions of length 1.
        polyline: (m, 2).

    Returns:
        signed mm of the nearest meeting point; NaN where there is none.
    """
    off = polyline[None] - points[:, None]
    beside = _cross(directions[:, None], off)
    ahead = (directions[:, None] * off).sum(axis=2)
    a, b = beside[:, :-1], beside[:, 1:]
    with np.errstate(divide="ignore", invalid="ignore"):
        share = a / (a - b)
    met = np.where((a * b <= 0) & (a != b), ahead[:, :-1] + share * np.diff(ahead), np.inf)
    nearest = met[np.arange(len(points)), np.abs(met).argmin(axis=1)]
    return np.where(np.isfinite(nearest), nearest, np.nan)
