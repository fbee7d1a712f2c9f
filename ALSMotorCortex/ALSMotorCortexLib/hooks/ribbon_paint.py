"""What the Segment Editor effect "M1 ribbon" paints, without Qt."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import slicer
import vtk
from numpy.typing import NDArray

from ..cortex.errors import InputError
from ..cortex.grid import Grid, Image
from ..cortex.traced_ribbon import CSF, GM, WM, onto
from ..scene.trace import TraceLogic

PARTS = {"ribbon": GM, "white": WM, "csf": CSF}
"""Parts of a traced cortex that can be painted: the gray matter, and a band on either side."""


def ribbon_of(scene: Any, curves: Sequence[Any]) -> Image:
    """The label map of trace curves, computed anew. Their nodes stay as they are.

    Raises:
        InputError: see :meth:`..scene.trace.TraceLogic.ribbon`.
    """
    logic = _Unseen(scene)
    try:
        logic.restore()
        return logic.ribbon(curves)
    finally:
        logic.close()


class _Unseen(TraceLogic):
    """Follows traces without showing them: that is for the module, which may follow them too."""

    def _show(self, followed: Any) -> None:
        pass


def paint(labels: Image, part: str, target: Grid) -> NDArray[np.uint8]:
    """A mask (k, j, i) of one part of the traced ribbon on the grid to paint into.

    Args:
        labels: from :func:`..cortex.traced_ribbon.ribbon_labels`.
        part: a key of :data:`PARTS`.
        target: where to paint; a voxel belongs to the part that its centre lies in.

    Raises:
        InputError: no voxel of ``target`` lies in the part.
    """
    mask = (onto(labels, target) == PARTS[part]).astype(np.uint8)
    if not mask.any():
        raise InputError(
            "The traces lie outside the segmentation's geometry, or between its voxels. Set the "
            "traced volume as its source geometry, or choose finer voxels."
        )
    return mask


def grid_of(geometry: Any, segmentation: Any) -> Grid:
    """The grid in the world of a vtkOrientedImageData of a segmentation node.

    Raises:
        InputError: the segmentation is under a transform that bends or shears it.
    """
    low = geometry.GetExtent()[::2]
    matrix = vtk.vtkMatrix4x4()
    geometry.GetImageToWorldMatrix(matrix)
    placed = slicer.util.arrayFromVTKMatrix(matrix)
    placed[:3, 3] += placed[:3, :3] @ low
    parent = segmentation.GetParentTransformNode()
    if parent is not None:
        if not parent.IsTransformToWorldLinear():
            raise InputError(
                f"{segmentation.GetName()} is under the non-linear transform {parent.GetName()}. "
                "Harden the transform, or take the segmentation out of it."
            )
        parent.GetMatrixTransformToWorld(matrix)
        placed = slicer.util.arrayFromVTKMatrix(matrix) @ placed
    i, j, k = geometry.GetDimensions()
    return Grid((k, j, i), placed)
