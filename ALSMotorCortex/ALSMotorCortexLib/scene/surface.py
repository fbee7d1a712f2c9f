"""The surface half-way through the cortex, coloured by thickness."""

from __future__ import annotations

from itertools import product

import numpy as np
from numpy.typing import NDArray
from vtkmodules.util.numpy_support import numpy_to_vtk, vtk_to_numpy
from vtkmodules.vtkCommonDataModel import vtkPolyData
from vtkmodules.vtkCommonTransforms import vtkTransform
from vtkmodules.vtkFiltersCore import (
    vtkClipPolyData,
    vtkFlyingEdges3D,
    vtkPolyDataNormals,
    vtkReverseSense,
    vtkTriangleFilter,
)
from vtkmodules.vtkFiltersGeneral import vtkTransformPolyDataFilter

from ..cortex.grid import Image
from ..cortex.masks import carries, grown
from ..cortex.result import Shape
from .geometry import image_data, to_vtk
from .ribbon import Ribbon

THICKNESS = "Thickness (mm)"
"""Name of the surface's point scalars."""

MIDDLE = 0.5
"""Equidistant depth of the surface: half-way between both borders, as ``mid_surface_area``."""

BEYOND = (-1.0, 2.0)
"""Depth of voxels that it is not continued to, on the pial side and in white matter."""

_CONTINUED_VOXELS = 2
# No neighbour of voxels that depth is continued to lies outside the box.
_MARGIN = _CONTINUED_VOXELS + 1
_OFFSETS = np.array([o for o in product((-1, 0, 1), repeat=3) if any(o)])
# How much a neighbour at each of them counts.
_WEIGHTS = (1 / (_OFFSETS**2).sum(axis=1)).astype(np.float32)
# Voxels that depth is continued to at a time, to save memory.
_TOGETHER = 100_000


def mid_surface(measured: Shape, labels: Image) -> vtkPolyData:
    """The surface at equidistant depth 0.5 as triangles in RAS mm.

    It is an isosurface of depth, so it runs between voxel centres. Where the surface comes near
    the ribbon's end, depth is continued beyond it along its gradient, which is the normal over
    the thickness; the surface is then clipped where the ribbon ends sideways or could not be
    measured, half-way to the first voxel that is none of the tissues. So it stays open at a cut.

    Args:
        measured: what was measured.
        labels: the label map that was measured, on the same grid.

    Returns:
        Triangles whose normals point to the pial side, with the point scalars
        :data:`THICKNESS`; no triangle where nothing was measured.
    """
    ribbon = Ribbon.of(measured)
    low = ribbon.low - _MARGIN
    shape = tuple(int(n) for n in ribbon.high - low + 1 + _MARGIN)
    known = np.isfinite(measured.thickness) & np.isfinite(measured.depth_equidistant)
    near = _Near(
        shape,
        np.ravel_multi_index(tuple((ribbon.kji[known] - low).T), shape),
        measured.depth_equidistant[known],
        measured.thickness[known],
        measured.normals[known] * np.array(measured.grid.spacing, np.float32),
    )
    settings = measured.settings
    white = _tissue(settings.wm, labels, low, shape)
    pial = _tissue((*settings.csf, *settings.other_bank), labels, low, shape)
    reach = _CONTINUED_VOXELS * float(np.linalg.norm(measured.grid.spacing))
    kept = np.ones(len(near.depth), bool)
    around = near.grow(np.abs(near.past_the_middle) <= reach)
    kept = np.concatenate([kept, (white | pial).reshape(-1)[around]])
    # Beyond what is clipped away nothing needs to be known.
    new = near.grow(kept & (np.abs(near.past_the_middle) <= reach))
    kept = np.concatenate([kept, np.zeros(len(new), bool)])
    # What lies past a deep voxel counts as deep, too: else a wall would stand between them.
    far = near.paint(kept & (near.past_the_middle > reach), np.zeros(shape, bool))
    deep = white | grown(far, (1, 1, 1))
    return _surface(near, kept.astype(np.float32), deep, measured, low)


class _Near:
    """Depth, thickness and the gradient of depth at listed voxels of a box."""

    def __init__(
        self,
        shape: tuple[int, ...],
        places: NDArray[np.int64],
        depth: NDArray[np.float32],
        thickness: NDArray[np.float32],
        normals: NDArray[np.float32],
    ) -> None:
        """Lists voxels by their flat indices; ``normals`` are mm per step of the index."""
        self.shape = shape
        self._places = places
        self._lookup = np.full(shape, -1, np.int32).reshape(-1)
        self._lookup[places] = np.arange(len(places))
        slope = normals / np.maximum(thickness, 1e-3)[:, None]
        # Columns: depth, thickness, slope along k, j, i.
        self._values = np.empty((len(places), 5), np.float32)
        self._values[:, 0], self._values[:, 1], self._values[:, 2:] = depth, thickness, slope
        self._steps = _OFFSETS @ [shape[1] * shape[2], shape[2], 1]

    @property
    def depth(self) -> NDArray[np.float32]:
        """(n,) of the listed voxels."""
        return self._values[:, 0]

    @property
    def thickness(self) -> NDArray[np.float32]:
        """(n,) of the listed voxels."""
        return self._values[:, 1]

    @property
    def past_the_middle(self) -> NDArray[np.float32]:
        """(n,) mm from :data:`MIDDLE` of the listed voxels, positive towards white matter."""
        return (self.depth - np.float32(MIDDLE)) * self.thickness

    def listed(self, places: NDArray[np.int64]) -> NDArray[np.int32]:
        """Which of the listed voxels lie at some flat indices; -1 for none."""
        return self._lookup.take(places)

    def paint(self, values: NDArray, box: NDArray) -> NDArray:
        """Puts ``values`` (n,) into ``box`` (k, j, i) at the listed voxels, and returns it."""
        box.reshape(-1)[self._places] = values
        return box

    def grow(self, among: NDArray[np.bool_]) -> NDArray[np.int64]:
        """Lists the voxels that touch some of the listed, and returns their flat indices.

        Each listed neighbour foretells a voxel's depth along a straight line; near ones
        count more.

        Args:
            among: (n,) which of the listed voxels to grow from.
        """
        front = self.paint(among, np.zeros(self.shape, bool))
        new = np.flatnonzero(grown(front, (1, 1, 1)).reshape(-1) & (self._lookup < 0))
        parts = np.array_split(new, -(-len(new) // _TOGETHER)) if len(new) else []
        values = [self._values, *(self._foretold(part) for part in parts)]
        self._lookup[new] = np.arange(len(self._places), len(self._places) + len(new))
        self._places = np.concatenate([self._places, new])
        self._values = np.concatenate(values)
        return new

    def _foretold(self, voxels: NDArray[np.int64]) -> NDArray[np.float32]:
        """(n, 5) columns as in ``_values``, of voxels that touch listed ones."""
        beside = self._lookup.take(voxels[:, None] + self._steps).reshape(-1)
        pairs = np.flatnonzero(beside >= 0)
        voxel, offset = np.divmod(pairs, len(_OFFSETS))
        told = self._values.take(beside.take(pairs), axis=0)
        told[:, 0] -= np.einsum("na,na->n", told[:, 2:], _OFFSETS.astype(np.float32)[offset])
        weight = _WEIGHTS[offset]
        told *= weight[:, None]
        first = np.flatnonzero(np.diff(voxel, prepend=-1))
        return np.add.reduceat(told, first) / np.add.reduceat(weight, first)[:, None]


def _tissue(
    codes: tuple[int, ...], labels: Image, low: NDArray, shape: tuple[int, ...]
) -> NDArray[np.bool_]:
    """(k, j, i) of the box: the voxels that carry any of some labels."""
    first, last = np.maximum(low, 0), np.minimum(low + shape, labels.grid.shape)
    part = labels.array[tuple(slice(a, b) for a, b in zip(first, last, strict=True))]
    tissue = np.zeros(shape, bool)
    inside = tuple(slice(a, b) for a, b in zip(first - low, last - low, strict=True))
    tissue[inside] = carries(part, codes)
    return tissue


def _surface(
    near: _Near,
    keep: NDArray[np.float32],
    deep: NDArray[np.bool_],
    measured: Shape,
    low: NDArray,
) -> vtkPolyData:
    """The isosurface of depth where ``keep`` (n,) is 0.5 or more.

    Args:
        near: depth and thickness.
        keep: of the listed voxels.
        deep: (k, j, i) which of the others are white matter or beside deep voxels.
        measured: what was measured.
        low: index of the box's first voxel.
    """
    # What closes the surface where depth is not known is clipped away.
    outside, inside = (np.float32(depth) for depth in BEYOND)
    edges = vtkFlyingEdges3D()
    edges.SetInputData(image_data(near.paint(near.depth, np.where(deep, inside, outside))))
    edges.SetValue(0, MIDDLE)
    edges.ComputeNormalsOff()
    edges.ComputeScalarsOff()
    edges.Update()
    raw = vtkPolyData()
    raw.ShallowCopy(edges.GetOutput())
    if not raw.GetNumberOfPoints():
        return raw
    between = _Between(vtk_to_numpy(raw.GetPoints().GetData())[:, ::-1], near)
    for name, values in ((THICKNESS, near.thickness), ("keep", keep)):
        _add_scalars(raw, name, between.values(values))
    raw.GetPointData().SetActiveScalars("keep")
    clip = vtkClipPolyData()
    clip.SetInputData(raw)
    clip.SetValue(0.5)
    matrix = measured.grid.ijk_to_ras.copy()
    matrix[:3, 3] = measured.grid.ras(low)
    place = vtkTransform()
    place.SetMatrix(to_vtk(matrix))
    world = vtkTransformPolyDataFilter()
    world.SetTransform(place)
    world.SetInputConnection(clip.GetOutputPort())
    # Clipping leaves polygons. VTK's triangles turn against rising depth, to the pial side,
    # until a mirrored grid turns them round.
    triangles = vtkTriangleFilter()
    triangles.SetInputConnection(world.GetOutputPort())
    turned = vtkReverseSense()
    turned.SetInputConnection(triangles.GetOutputPort())
    turned.SetReverseCells(bool(np.linalg.det(matrix[:3, :3]) < 0))
    normals = vtkPolyDataNormals()
    normals.SetInputConnection(turned.GetOutputPort())
    normals.SplittingOff()
    normals.ConsistencyOff()
    normals.Update()
    surface = vtkPolyData()
    surface.ShallowCopy(normals.GetOutput())
    surface.GetPointData().RemoveArray("keep")
    surface.GetPointData().SetActiveScalars(THICKNESS)
    return surface


class _Between:
    """Points each of which lies on a line between two neighbouring voxels, as those of an
    isosurface do."""

    def __init__(self, at: NDArray[np.float32], near: _Near) -> None:
        """Takes index points (n, 3) in the box of some listed voxels."""
        _, nj, ni = near.shape
        steps = np.array([nj * ni, ni, 1])
        low = np.floor(at)
        off = at - low
        first = np.einsum("na,a->n", low, steps.astype(float)).astype(np.int64)
        self._share = off.sum(axis=1)
        self._low, self._high = near.listed(first), near.listed(first + (off > 0) @ steps)

    def values(self, listed: NDArray[np.float32]) -> NDArray[np.float32]:
        """(n,) values at the points from those of the listed voxels, by linear interpolation.
        They are 0 at all others."""
        known = np.append(listed, np.float32(0))  # the last is for none, which is -1
        return (1 - self._share) * known[self._low] + self._share * known[self._high]


def _add_scalars(surface: vtkPolyData, name: str, values: NDArray) -> None:
    array = numpy_to_vtk(values.astype(np.float32), deep=True)
    array.SetName(name)
    surface.GetPointData().AddArray(array)
