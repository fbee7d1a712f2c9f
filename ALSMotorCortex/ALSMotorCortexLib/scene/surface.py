"""The surface half-way through the cortex, coloured by thickness."""

from __future__ import annotations

from itertools import product

import numpy as np
import slicer
import vtk
from numpy.typing import NDArray
from scipy import ndimage
from vtk.util.numpy_support import numpy_to_vtk, vtk_to_numpy

from ..cortex.grid import Image
from ..cortex.result import Measurement
from .geometry import image_data
from .ribbon import Ribbon

THICKNESS = "Thickness (mm)"
"""Name of the surface's point scalars."""

MIDDLE = 0.5
"""Equidistant depth of the surface: half-way between both borders, as ``mid_surface_area``."""

# Voxels that depth is continued beyond the ribbon, and the margin that holds them.
_RINGS = 2
_MARGIN = _RINGS + 1
_OFFSETS = np.array([o for o in product((-1, 0, 1), repeat=3) if any(o)])


def mid_surface(measurement: Measurement, labels: Image) -> vtk.vtkPolyData:
    """The surface at equidistant depth 0.5 as triangles in RAS mm.

    It is an isosurface of depth, so it runs between voxel centres. Depth is continued beyond
    the ribbon along its gradient, which is the normal over the thickness; the surface is then
    clipped where the ribbon ends sideways or could not be measured, half-way to the first
    voxel that is none of the tissues. So it stays open at a cut.

    Args:
        measurement: what was measured.
        labels: the label map that was measured, on the measurement's grid.

    Returns:
        Triangles whose normals point to the pial side, with the point scalars
        :data:`THICKNESS`; no triangle where nothing was measured.
    """
    ribbon = Ribbon.of(measurement)
    low = ribbon.low - _MARGIN
    shape = tuple(int(n) for n in ribbon.high - low + 1 + _MARGIN)
    known = np.isfinite(measurement.thickness) & np.isfinite(measurement.depth_equidistant)
    box = _Box(shape)
    box.set(
        np.ravel_multi_index(tuple((ribbon.kji[known] - low).T), shape),
        measurement.depth_equidistant[known],
        measurement.thickness[known],
        measurement.normals[known] * measurement.grid.spacing,
    )
    keep = box.filled() | (_tissue(labels, measurement, low, shape) & _next_to(box.filled()))
    for _ in range(_RINGS):
        box.grow()
    return _surface(box, keep.astype(np.float32), measurement, low)


class _Box:
    """Depth, thickness and the gradient of depth at some voxels of a box."""

    def __init__(self, shape: tuple[int, ...]) -> None:
        self.shape = shape
        self.depth = np.full(shape, np.nan, np.float32)
        self.thickness = np.zeros(shape, np.float32)
        self._slope = np.zeros((*shape, 3), np.float32)

    def set(
        self, places: NDArray[np.int64], depth: NDArray, thickness: NDArray, normals: NDArray
    ) -> None:
        """Sets voxels, given as flat indices; ``normals`` are mm per step of the index."""
        self.depth.reshape(-1)[places] = depth
        self.thickness.reshape(-1)[places] = thickness
        self._slope.reshape(-1, 3)[places] = normals / np.maximum(thickness, 1e-3)[:, None]

    def filled(self) -> NDArray[np.bool_]:
        """(k, j, i) which voxels have a depth."""
        return np.isfinite(self.depth)

    def grow(self) -> None:
        """Continues all into the voxels next to those that have a depth.

        Each of a voxel's neighbours foretells its depth along a straight line; near ones
        count more.
        """
        new = np.flatnonzero(_next_to(self.filled()))
        strides = np.array([self.shape[1] * self.shape[2], self.shape[2], 1])
        total = np.zeros((len(new), 5), np.float32)
        weights = np.zeros((len(new), 1), np.float32)
        for offset in _OFFSETS:
            beside = new + offset @ strides
            depth = self.depth.reshape(-1)[beside]
            weight = (np.isfinite(depth) / float(offset @ offset)).astype(np.float32)[:, None]
            slope = self._slope.reshape(-1, 3)[beside]
            foretold = np.nan_to_num(depth) - slope @ offset.astype(np.float32)
            thickness = self.thickness.reshape(-1)[beside]
            total += weight * np.column_stack([foretold, thickness, slope])
            weights += weight
        total /= weights
        self.depth.reshape(-1)[new] = total[:, 0]
        self.thickness.reshape(-1)[new] = total[:, 1]
        self._slope.reshape(-1, 3)[new] = total[:, 2:]


def _next_to(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Voxels that are not in a mask but touch it by a face, edge or corner."""
    # The outermost layer would look past the end of the box.
    inner = np.zeros(mask.shape, bool)
    inner[1:-1, 1:-1, 1:-1] = True
    return ndimage.binary_dilation(mask, np.ones((3, 3, 3)), mask=inner) & ~mask


def _tissue(
    labels: Image, measurement: Measurement, low: NDArray, shape: tuple[int, ...]
) -> NDArray[np.bool_]:
    """(k, j, i) of the box: white matter, CSF and the opposite bank."""
    s = measurement.settings
    first, last = np.maximum(low, 0), np.minimum(low + shape, labels.grid.shape)
    part = labels.array[tuple(slice(a, b) for a, b in zip(first, last, strict=True))]
    tissue = np.zeros(shape, bool)
    inside = tuple(slice(a, b) for a, b in zip(first - low, last - low, strict=True))
    tissue[inside] = np.isin(part, (*s.wm, *s.csf, *s.other_bank))
    return tissue


def _surface(
    box: _Box, keep: NDArray[np.float32], measurement: Measurement, low: NDArray
) -> vtk.vtkPolyData:
    """The isosurface of a box's depth where ``keep`` is 0.5 or more."""
    # Beyond the rings the depth is that of nothing; what this closes is clipped away.
    edges = vtk.vtkFlyingEdges3D()
    edges.SetInputData(image_data(np.nan_to_num(box.depth, nan=-1.0)))
    edges.SetValue(0, MIDDLE)
    edges.ComputeNormalsOff()
    edges.ComputeScalarsOff()
    edges.Update()
    raw = vtk.vtkPolyData()
    raw.ShallowCopy(edges.GetOutput())
    if not raw.GetNumberOfPoints():
        return raw
    at = vtk_to_numpy(raw.GetPoints().GetData())[:, ::-1].T
    _add_scalars(raw, THICKNESS, ndimage.map_coordinates(box.thickness, at, order=1))
    _add_scalars(raw, "keep", ndimage.map_coordinates(keep, at, order=1))
    raw.GetPointData().SetActiveScalars("keep")
    clip = vtk.vtkClipPolyData()
    clip.SetInputData(raw)
    clip.SetValue(0.5)
    matrix = measurement.grid.ijk_to_ras.copy()
    matrix[:3, 3] = measurement.grid.ras(low)
    place = vtk.vtkTransform()
    place.SetMatrix(slicer.util.vtkMatrixFromArray(matrix))
    world = vtk.vtkTransformPolyDataFilter()
    world.SetTransform(place)
    world.SetInputConnection(clip.GetOutputPort())
    # Clipping leaves polygons. VTK's triangles turn against rising depth, to the pial side,
    # until a mirrored grid turns them round.
    triangles = vtk.vtkTriangleFilter()
    triangles.SetInputConnection(world.GetOutputPort())
    turned = vtk.vtkReverseSense()
    turned.SetInputConnection(triangles.GetOutputPort())
    turned.SetReverseCells(bool(np.linalg.det(matrix[:3, :3]) < 0))
    normals = vtk.vtkPolyDataNormals()
    normals.SetInputConnection(turned.GetOutputPort())
    normals.SplittingOff()
    normals.ConsistencyOff()
    normals.Update()
    surface = vtk.vtkPolyData()
    surface.ShallowCopy(normals.GetOutput())
    surface.GetPointData().RemoveArray("keep")
    surface.GetPointData().SetActiveScalars(THICKNESS)
    return surface


def _add_scalars(surface: vtk.vtkPolyData, name: str, values: NDArray) -> None:
    array = numpy_to_vtk(values.astype(np.float32), deep=True)
    array.SetName(name)
    surface.GetPointData().AddArray(array)
