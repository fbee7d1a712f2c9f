"""From a node's voxels and parent transforms to an image in the world."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from vtkmodules.util.numpy_support import numpy_to_vtk, vtk_to_numpy
from vtkmodules.vtkCommonCore import vtkPoints
from vtkmodules.vtkCommonDataModel import vtkImageData
from vtkmodules.vtkCommonMath import vtkMatrix4x4
from vtkmodules.vtkCommonTransforms import vtkGeneralTransform
from vtkmodules.vtkImagingCore import vtkImageReslice

from ..cortex.errors import InputError
from ..cortex.grid import ORTHOGONAL_TOLERANCE, Grid, Image
from ..cortex.result import Finding

# Points along each axis at which a non-linear transform is looked at to place the new grid.
PROBES = 9
# A resampled image may have this many times the voxels of the original.
MAX_GROWTH = 8


def voxels(data: vtkImageData, component: int = 0) -> NDArray:
    """One component of the scalars of VTK image data as an array (k, j, i). No copy."""
    shape = data.GetDimensions()[::-1]
    scalars = vtk_to_numpy(data.GetPointData().GetScalars())
    return (scalars[:, component] if scalars.ndim > 1 else scalars).reshape(shape)


def to_vtk(matrix: NDArray) -> vtkMatrix4x4:
    """A (4, 4) array as a VTK matrix. ``slicer.util`` has the like, but it loads all of VTK, which
    takes long."""
    made = vtkMatrix4x4()
    made.DeepCopy(np.ravel(matrix).tolist())
    return made


def from_vtk(matrix: vtkMatrix4x4) -> NDArray[np.float64]:
    """A VTK matrix as a (4, 4) array of its own."""
    return np.array([[matrix.GetElement(row, column) for column in range(4)] for row in range(4)])


def image_data(array: NDArray) -> vtkImageData:
    """A copy of an array (k, j, i) as VTK image data with unit spacing and origin 0."""
    data = vtkImageData()
    data.SetDimensions(array.shape[::-1])
    data.GetPointData().SetScalars(numpy_to_vtk(np.ravel(array), deep=True))
    return data


def place_in_world(image: Image, parent: Any, labels: bool) -> tuple[Image, tuple[Finding, ...]]:
    """An image of a node's own space as it lies in the world.

    A linear transform that keeps the axes at right angles only changes the grid; the voxels
    are the same array. Any other is resampled onto a straight grid of the same voxel size,
    with nearest neighbours for labels and linearly, with NaN outside, for the rest. The
    scene is left as it is.

    Args:
        image: with its grid in the node's own space.
        parent: the node's parent vtkMRMLTransformNode, or None.
        labels: whether the values are labels.

    Raises:
        InputError: the transform flattens or tears the image.
    """
    if parent is None:
        return image, ()
    if not parent.IsTransformToWorldLinear():
        return _resample(image, parent, labels, "a non-linear transform")
    to_world = vtkMatrix4x4()
    parent.GetMatrixTransformToWorld(to_world)
    matrix = from_vtk(to_world)
    if np.array_equal(matrix, np.eye(4)):
        return image, ()
    if abs(np.linalg.det(matrix[:3, :3])) < 1e-9:
        raise InputError(
            f"The transform {parent.GetName()} flattens {image.name} to zero volume. "
            "Correct the transform or take the image out of it."
        )
    placed = matrix @ image.grid.ijk_to_ras
    if not _right_angles(placed):
        return _resample(image, parent, labels, "a transform that shears it")
    finding = Finding(
        "transform_applied",
        f"{image.name} is under the transform {parent.GetName()}; it was measured where the "
        "transform puts it.",
    )
    return Image(image.array, Grid(image.grid.shape, placed), image.name), (finding,)


def _right_angles(matrix: NDArray) -> bool:
    axes = matrix[:3, :3] / np.linalg.norm(matrix[:3, :3], axis=0)
    return bool(np.abs(axes.T @ axes - np.eye(3)).max() <= ORTHOGONAL_TOLERANCE)


def _resample(
    image: Image, parent: Any, labels: bool, why: str
) -> tuple[Image, tuple[Finding, ...]]:
    grid = _straight_grid(image, parent)
    from_world = vtkGeneralTransform()
    parent.GetTransformFromWorld(from_world)
    index_to_index = vtkGeneralTransform()
    index_to_index.PostMultiply()
    index_to_index.Concatenate(to_vtk(grid.ijk_to_ras))
    index_to_index.Concatenate(from_world)
    index_to_index.Concatenate(to_vtk(np.linalg.inv(image.grid.ijk_to_ras)))
    array = image.array if labels else image.array.astype(np.float32)
    reslice = vtkImageReslice()
    reslice.SetInputData(image_data(array))
    reslice.SetResliceTransform(index_to_index)
    reslice.SetOutputOrigin(0, 0, 0)
    reslice.SetOutputSpacing(1, 1, 1)
    k, j, i = grid.shape
    reslice.SetOutputExtent(0, i - 1, 0, j - 1, 0, k - 1)
    reslice.SetBackgroundLevel(0 if labels else float("nan"))
    if labels:
        reslice.SetInterpolationModeToNearestNeighbor()
    else:
        reslice.SetInterpolationModeToLinear()
    reslice.Update()
    size = " x ".join(f"{mm:.3g}" for mm in grid.spacing[::-1])
    finding = Finding(
        "resampled",
        f"{image.name} is under {why} ({parent.GetName()}); a copy was resampled onto a "
        f"straight grid of {size} mm, {'nearest neighbour' if labels else 'linear'}. "
        "The scene keeps the original.",
        warning=True,
    )
    return Image(voxels(reslice.GetOutput()).copy(), grid, image.name), (finding,)


def _straight_grid(image: Image, parent: Any) -> Grid:
    """The grid at right angles that best follows the transformed image and holds all of it."""
    edges = [np.linspace(-0.5, n - 0.5, PROBES) for n in image.grid.shape]
    kji = np.stack(np.meshgrid(*edges, indexing="ij"), axis=-1).reshape(-1, 3)
    to_world = vtkGeneralTransform()
    parent.GetTransformToWorld(to_world)
    local, world = vtkPoints(), vtkPoints()
    for points in (local, world):
        points.SetDataTypeToDouble()
    local.SetData(numpy_to_vtk(image.grid.ras(kji), deep=True))
    to_world.TransformPoints(local, world)
    ras = vtk_to_numpy(world.GetData())
    ijk1 = np.column_stack([kji[:, ::-1], np.ones(len(kji))])
    columns = np.linalg.lstsq(ijk1, ras, rcond=None)[0][:3].T
    spacing = np.linalg.norm(columns, axis=0)
    u, _, v = np.linalg.svd(columns / spacing)
    axes = (u @ v) * spacing
    index = ras @ np.linalg.inv(axes).T
    low, high = index.min(axis=0), index.max(axis=0)
    size = np.maximum(np.ceil(high - low - 1e-6), 1).astype(int)
    if not np.isfinite(index).all() or size.prod() > MAX_GROWTH * image.array.size:
        raise InputError(
            f"The transform {parent.GetName()} tears {image.name} apart, so that it cannot be "
            "resampled. Correct the transform or take the image out of it."
        )
    matrix = np.eye(4)
    matrix[:3, :3] = axes
    matrix[:3, 3] = axes @ ((low + high - size + 1) / 2)
    i, j, k = (int(n) for n in size)
    return Grid((k, j, i), matrix)
