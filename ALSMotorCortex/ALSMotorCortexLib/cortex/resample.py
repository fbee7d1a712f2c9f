"""Values of one image at the voxels of another grid, brought together in RAS space."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from .errors import InputError
from .grid import Grid, Image

INTERPOLATION = "linear interpolation"


def map_values(image: Image, grid: Grid, voxels: NDArray[np.int64]) -> NDArray[np.float32]:
    """A contrast map's values at some voxels of a grid.

    On the same grid the values are taken as they are, elsewhere by linear interpolation.

    Args:
        image: the map on any grid.
        grid: the grid that ``voxels`` count in.
        voxels: (n,) flat indices into ``grid.shape``.

    Returns:
        (n,) float32; NaN outside the map and wherever the map itself is not a number.

    Raises:
        InputError: none of the voxels lies within the map.
    """
    if image.grid.same_as(grid):
        values = image.array.reshape(-1)[voxels].astype(np.float32)
    else:
        place = _places(image.grid, grid, voxels)
        inside = _inside(place, image.grid.shape)
        if not inside.any():
            raise InputError(
                f"The map {image.name} and the labels do not overlap in space. Check that both "
                "come from the same session and that their headers place them alike."
            )
        array = image.array.astype(np.float32, copy=False)
        values = ndimage.map_coordinates(array, place, order=1, mode="nearest")
        values[~inside] = np.nan
    values[~np.isfinite(values)] = np.nan
    return values


def label_values(image: Image, grid: Grid, voxels: NDArray[np.int64]) -> NDArray:
    """A label map's values at some voxels of a grid, by nearest neighbour, 0 outside.

    Args:
        image: the label map on any grid.
        grid: the grid that ``voxels`` count in.
        voxels: (n,) flat indices into ``grid.shape``.
    """
    if image.grid.same_as(grid):
        return image.array.reshape(-1)[voxels]
    place = _places(image.grid, grid, voxels)
    inside = _inside(place, image.grid.shape)
    nearest = np.clip(np.rint(place).astype(int), 0, np.array(image.grid.shape)[:, None] - 1)
    return np.where(inside, image.array[tuple(nearest)], 0).astype(image.array.dtype)


def _places(source: Grid, grid: Grid, voxels: NDArray[np.int64]) -> NDArray[np.float64]:
    """(3, n) index points in ``source`` of voxels of ``grid``.

    Both grids are affine, so the way from one to the other is: it is worked out for one voxel
    and its three neighbours, and then applied to all.
    """
    corner, *steps = source.kji(grid.ras(np.concatenate([np.zeros((1, 3)), np.eye(3)])))
    kji = np.unravel_index(voxels, grid.shape)
    places = np.empty((3, len(voxels)))
    for axis in range(3):
        places[axis] = corner[axis]
        for index, step in zip(kji, steps, strict=True):
            if slope := step[axis] - corner[axis]:
                places[axis] += slope * index
    return places


def _inside(place: NDArray[np.float64], shape: tuple[int, ...]) -> NDArray[np.bool_]:
    """(n,) whether points lie in some voxel, whose extent is half a voxel each way."""
    inside = np.ones(place.shape[1], bool)
    for along, size in zip(place, shape, strict=True):
        inside &= (along >= -0.5) & (along <= size - 0.5)
    return inside
