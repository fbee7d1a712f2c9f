"""Image values at points in the world, by cubic spline.

A cubic B-spline passes through the voxel values and blurs an edge less than linear
interpolation does; its noise hardly depends on where between voxels a point lies
(Thevenaz, Blu and Unser, IEEE TMI 2000, 19:739).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from .grid import Grid, Image

# The spline's coefficients depend on a voxel n steps away by 0.27 ** n.
PAD = 5
ON_SLICE = 1e-3


def voxel_along(grid: Grid, direction: NDArray) -> float:
    """Distance in mm between voxels met along a RAS direction (3,)."""
    unit = np.asarray(direction, dtype=float) / np.linalg.norm(direction)
    cosines = grid.ijk_to_ras[:3, :3] / np.linalg.norm(grid.ijk_to_ras[:3, :3], axis=0)
    return float(1 / np.linalg.norm((unit @ cosines)[::-1] / np.array(grid.spacing)))


def inside(grid: Grid, ras: NDArray) -> NDArray[np.bool_]:
    """Whether RAS points (..., 3) lie in a voxel of the grid."""
    kji = grid.kji(ras)
    shape = np.array(grid.shape)
    return np.all((kji >= -0.5 - ON_SLICE) & (kji <= shape - 0.5 + ON_SLICE), axis=-1)


def sample(image: Image, ras: NDArray) -> NDArray[np.float64]:
    """Values of an image at RAS points.

    Args:
        image: any grid; values that are not finite are left out.
        ras: (..., 3) mm.

    Returns:
        (...) values; NaN outside the volume and within voxels that hold no number.
    """
    points = np.asarray(ras, dtype=float)
    kji = image.grid.kji(points.reshape(-1, 3))
    known = inside(image.grid, points.reshape(-1, 3))
    values = np.full(len(kji), np.nan)
    if known.any():
        values[known] = _spline_values(image, kji[known])
    return values.reshape(points.shape[:-1])


def _spline_values(image: Image, kji: NDArray) -> NDArray[np.float64]:
    low, high = _box(kji, image.grid.shape)
    crop = image.array[tuple(slice(a, b) for a, b in zip(low, high, strict=True))]
    crop = crop.astype(np.float64)
    # Half a voxel at the volume's edge has no voxel centre beyond it.
    local = np.clip(kji - low, 0, np.array(crop.shape) - 1)
    bad = ~np.isfinite(crop)
    if bad.all():
        return np.full(len(kji), np.nan)
    if bad.any():
        nearest = ndimage.distance_transform_edt(
            bad, sampling=image.grid.spacing, return_distances=False, return_indices=True
        )
        crop = crop[tuple(nearest)]
    for axis in range(3):
        if crop.shape[axis] > 1:
            crop = ndimage.spline_filter1d(crop, order=3, axis=axis, mode="mirror")
    thick = [axis for axis in range(3) if crop.shape[axis] > 1]
    flat = crop.reshape([crop.shape[axis] for axis in thick] or [1])
    coordinates = local.T[thick] if thick else np.zeros((1, len(kji)))
    values = ndimage.map_coordinates(flat, coordinates, order=3, mode="mirror", prefilter=False)
    if not thick:
        values = np.full(len(kji), crop.flat[0])
    if bad.any():
        values[bad[tuple(np.rint(local).astype(int).T)]] = np.nan
    return values


def _box(kji: NDArray, shape: tuple[int, ...]) -> tuple[NDArray, NDArray]:
    """Index range to read: one slice where all points lie on it, else with a margin."""
    low, high = kji.min(axis=0), kji.max(axis=0)
    on_slice = (np.rint(low) == np.rint(high)) & (
        np.maximum(abs(low - np.rint(low)), abs(high - np.rint(high))) < ON_SLICE
    )
    first = np.where(on_slice, np.rint(low), np.floor(low) - PAD).astype(int)
    last = np.where(on_slice, np.rint(low), np.ceil(high) + PAD).astype(int)
    return np.clip(first, 0, np.array(shape) - 1), np.clip(last + 1, 1, shape)
