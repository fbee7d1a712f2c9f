"""Volume nodes to images and back."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from vtkmodules.vtkCommonMath import vtkMatrix4x4

from ..cortex.errors import InputError
from ..cortex.grid import Grid, Image
from ..cortex.result import Finding
from .geometry import from_vtk, image_data, place_in_world, to_vtk, voxels
from .translation import tr as _

IRON = "ALSMotorCortex.Iron"
"""Attribute of a volume: whether iron is ``bright`` or ``dark`` in it, where the user said so."""


def read_volume(
    node: Any, component: int | None = None, parent: Any = None
) -> tuple[Image, tuple[Finding, ...]]:
    """The voxels of a volume node where they lie in the world.

    Args:
        node: a vtkMRMLScalarVolumeNode or vtkMRMLLabelMapVolumeNode; with ``component`` any
            vtkMRMLVolumeNode.
        component: which of several values per voxel; None where there must be one.
        parent: a vtkMRMLTransformNode that places a node without a transform of its own.

    Returns:
        The image, array (k, j, i), and what was done about parent transforms. Unless it had
        to be resampled, the array is the node's own memory: do not write to it.

    Raises:
        InputError: no node, no voxels, more than one value per voxel, axes not at right
            angles, or a transform that cannot be applied.
    """
    if node is None:
        raise InputError(_("No volume is selected, or it was deleted. Select a volume."))
    data = node.GetImageData()
    if data is None or data.GetNumberOfPoints() == 0:
        text = _("The volume {name} has no voxels. Select another volume.")
        raise InputError(text.format(name=node.GetName()))
    if component is None and data.GetNumberOfScalarComponents() != 1:
        text = _(
            "The volume {name} has {count} values per voxel. Select a volume with one, or extract "
            "a component first."
        )
        raise InputError(text.format(name=node.GetName(), count=data.GetNumberOfScalarComponents()))
    matrix = vtkMatrix4x4()
    node.GetIJKToRASMatrix(matrix)
    array = voxels(data, component or 0)
    grid = Grid(array.shape, from_vtk(matrix))
    image = Image(array, grid, node.GetName())
    parent = node.GetParentTransformNode() or parent
    return place_in_world(image, parent, node.IsA("vtkMRMLLabelMapVolumeNode"))


def add_volume(scene: Any, image: Image, name: str = "", into: Any = None) -> Any:
    """A vtkMRMLScalarVolumeNode that holds a copy of an image.

    Args:
        name: of the node; the image's own when empty.
        into: a node to fill instead of a new one; it keeps its name and its display.

    Returns:
        The node, in the scene, with a display node.
    """
    node = into or scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", name or image.name)
    set_image(node, image)
    node.CreateDefaultDisplayNodes()
    return node


def set_image(node: Any, image: Image) -> None:
    """Puts a copy of an image into a volume node, in place of what it held."""
    node.SetIJKToRASMatrix(to_vtk(image.grid.ijk_to_ras))
    node.SetAndObserveImageData(image_data(_supported(image.array)))


def crop(image: Image, points_ras: NDArray, margin_mm: float) -> Image:
    """The part of an image around some points. Its voxels stay where they are.

    Args:
        points_ras: (n, 3) in RAS mm.
        margin_mm: kept around the points' bounding box along the image's axes.

    Returns:
        The cropped image; all of it where no point lies inside.
    """
    kji = image.grid.kji(points_ras)
    margin = margin_mm / np.array(image.grid.spacing)
    low = np.clip(np.floor(kji.min(axis=0) - margin), 0, image.grid.shape).astype(int)
    high = np.clip(np.ceil(kji.max(axis=0) + margin) + 1, 0, image.grid.shape).astype(int)
    if (low >= high).any():
        return image
    matrix = image.grid.ijk_to_ras.copy()
    matrix[:3, 3] = image.grid.ras(low)
    box = tuple(slice(a, b) for a, b in zip(low, high, strict=True))
    array = image.array[box]
    return Image(array, Grid(array.shape, matrix), image.name)


def _supported(array: NDArray) -> NDArray:
    """The array in a type that Slicer shows: it refuses 64-bit integers and has no bool."""
    if array.dtype == np.bool_:
        return array.astype(np.uint8)
    if array.dtype == np.float16:
        return array.astype(np.float32)
    if array.dtype.kind in "iu" and array.dtype.itemsize == 8:
        small = array.size == 0 or np.abs(array).max() <= np.iinfo(np.int32).max
        return array.astype(np.int32 if small else np.float64)
    return array.astype(array.dtype.newbyteorder("="), copy=False)
