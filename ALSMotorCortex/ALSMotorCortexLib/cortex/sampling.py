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
from .iron import is_rate

# The spline's coefficients depend on a voxel n steps away by 0.27 ** n.
PAD = 5
ON_SLICE = 1e-3
# Values this many widths off the shortest range that holds most voxels are out of the ordinary.
MOST_VALUES, MOST_WIDTHS = 0.75, 4.0


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


def nearest_voxels(image: Image, ras: NDArray) -> NDArray[np.float64]:
    """Values (...) of the voxels that RAS points (..., 3) lie in; NaN outside the volume."""
    known = inside(image.grid, ras)
    kji = np.rint(image.grid.kji(ras)).astype(int)
    kji = np.clip(kji, 0, np.array(image.grid.shape) - 1)
    values = image.array[tuple(np.moveaxis(kji, -1, 0))].astype(np.float64)
    return np.where(known, values, np.nan)


def sample(
    image: Image,
    ras: NDArray,
    limits: tuple[float, float] | None = None,
    as_times: bool = False,
) -> NDArray[np.float64]:
    """Values of an image at RAS points.

    Args:
        image: any grid; values that are not finite are left out.
        ras: (..., 3) mm.
        limits: least and greatest value; voxels beyond them count as if they had these. A
            spline overshoots beside a strong edge, and less so beside a weaker one.
        as_times: take the reciprocal of each voxel first, a relaxation time for a rate.

    Returns:
        (...) values; NaN outside the volume and within voxels that hold no number.
    """
    points = np.asarray(ras, dtype=float)
    kji = image.grid.kji(points.reshape(-1, 3))
    known = inside(image.grid, points.reshape(-1, 3))
    values = np.full(len(kji), np.nan)
    if known.any():
        values[known] = _spline_values(image, kji[known], limits, as_times)
    return values.reshape(points.shape[:-1])


def sample_usual(
    image: Image, ras: NDArray, values: NDArray, close: NDArray
) -> NDArray[np.float64]:
    """Values of an image at RAS points, as borders are best found in them.

    T2* of CSF is many times that of tissue, and so is its noise. For finding borders it is
    enough that it is large, so values out of the ordinary are drawn near. A map of rates (R2*)
    hides CSF beside tissue; there the borders are those of the times.

    Args:
        image: as for :func:`sample`; its name tells a map of rates.
        ras: (..., 3) mm.
        values: (...) from :func:`sample` there.
        close: (n, ..., 3) RAS mm, places whose voxels tell what is ordinary.
    """
    rates = is_rate(image.name)
    usual = nearest_voxels(image, close)
    usual = usual[np.isfinite(usual)]
    if not len(usual):
        return values
    usual = np.sort(_times(usual) if rates else usual)
    count = max(int(MOST_VALUES * len(usual)), 1)
    widths = usual[count - 1 :] - usual[: len(usual) - count + 1]
    first = int(np.argmin(widths))
    width, middle = widths[first], (usual[first] + usual[first + count - 1]) / 2
    low, high = middle - MOST_WIDTHS * width, middle + MOST_WIDTHS * width
    ordinary = width == 0 or not ((values < low).any() or (values > high).any())
    if ordinary and not rates:
        return values
    return sample(image, ras, (float(low), float(high)), rates)


def _times(rates: NDArray) -> NDArray:
    """Reciprocals; where noise took a rate to zero or below, that of a very small rate."""
    least = 1e-3 * float(np.nanmedian(np.abs(rates)))
    return 1 / np.maximum(rates, max(least, 1e-12))


def _spline_values(
    image: Image, kji: NDArray, limits: tuple[float, float] | None, as_times: bool
) -> NDArray[np.float64]:
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
    if as_times:
        crop = _times(crop)
    if limits is not None:
        crop = np.clip(crop, *limits)
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
