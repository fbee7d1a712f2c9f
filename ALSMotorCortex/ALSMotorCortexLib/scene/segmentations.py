"""Segmentation nodes to label maps and back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import slicer
from numpy.typing import NDArray
from vtkmodules.vtkCommonCore import vtkStringArray
from vtkmodules.vtkCommonDataModel import vtkDataObject
from vtkmodules.vtkCommonMath import vtkMatrix4x4

from ..cortex.errors import InputError
from ..cortex.grid import Grid, Image
from ..cortex.masks import bounding_box, carries
from ..cortex.result import Finding
from .geometry import from_vtk, image_data, place_in_world, to_vtk, voxels

Color = tuple[float, float, float]


@dataclass(frozen=True)
class Segment:
    """One segment to make from a label map.

    Attributes:
        labels: the label values that become this segment.
        name: as shown.
        color: red, green, blue, each 0 to 1.
        terminology: Slicer's terminology entry, empty for none.
    """

    labels: tuple[int, ...]
    name: str
    color: Color
    terminology: str = ""


def read_labels(node: Any, labels: Mapping[str, int]) -> tuple[Image, tuple[Finding, ...]]:
    """Some segments of a segmentation node as one label map.

    The grid is the segmentation's reference geometry, at the resolution of its finest label
    map and grown where a segment reaches beyond it. Where two segments overlap, the one
    that comes later in ``labels`` wins; a finding counts those voxels.

    Args:
        node: a vtkMRMLSegmentationNode.
        labels: for each segment ID its label value, 1 to 65535. Segments may share a value.

    Returns:
        The label map, uint8 or uint16 (k, j, i), 0 where no segment is, and the findings.

    Raises:
        InputError: no node, a segment that is not there or is empty, a representation that
            cannot become a label map, or a transform that cannot be applied.
    """
    if node is None:
        raise InputError("No segmentation is selected, or it was deleted. Select one.")
    if not labels:
        raise InputError(f"No segment of {node.GetName()} is chosen. Choose the segments.")
    segmentation, findings = _as_label_maps(node, labels)
    reference = _reference(segmentation, node.GetName(), labels)
    matrix = vtkMatrix4x4()
    reference.GetImageToWorldMatrix(matrix)
    grid = _grid(from_vtk(matrix), reference.GetExtent())
    array = np.zeros(grid.shape, np.uint8 if max(labels.values()) < 256 else np.uint16)
    layers: dict[Any, NDArray] = {}
    for segment_id, label in labels.items():
        mask = _mask(segmentation, segment_id, reference, layers)
        overlap = mask & (array != 0) & (array != label)
        if overlap.any():
            findings += (_overlap(segmentation, labels, segment_id, array, overlap, grid),)
        array[mask] = label
    image, moved = place_in_world(
        Image(array, grid, node.GetName()), node.GetParentTransformNode(), labels=True
    )
    return image, findings + moved


def has_voxels(node: Any, segment_id: str) -> bool:
    """Whether anything is drawn in a segment."""
    segmentation = node.GetSegmentation()
    if segmentation.ContainsRepresentation(_binary()):
        return _drawn(segmentation, segment_id)
    source = segmentation.GetSourceRepresentationName()
    data = segmentation.GetSegment(segment_id).GetRepresentation(source)
    return data is not None and data.GetNumberOfElements(vtkDataObject.POINT) > 0


def add_segmentation(
    scene: Any, image: Image, segments: Sequence[Segment], name: str = "", into: Any = None
) -> Any:
    """A vtkMRMLSegmentationNode from a label map.

    The image's grid becomes the reference geometry; only the labelled part is stored.
    Closed surfaces can be made from it. Segments without a voxel are added empty.

    Args:
        image: labels (k, j, i); each label in at most one segment.
        segments: in the order to list them. Their IDs are ``Segment_1``, ``Segment_2``, ...
        name: of the node; the image's own when empty.
        into: a node of an earlier call to fill instead of a new one. Its display, and the
            names and colours of segments that stay, are kept; surfaces are made anew.

    Returns:
        The node, in the scene, with a display node.
    """
    register_conversions()
    node = into or scene.AddNewNodeByClass("vtkMRMLSegmentationNode", name or image.name)
    node.CreateDefaultDisplayNodes()
    segmentation = node.GetSegmentation()
    surfaces = segmentation.ContainsRepresentation(_closed())
    segmentation.SetConversionParameter(
        slicer.vtkSegmentationConverter.GetReferenceImageGeometryParameterName(),
        serialized_geometry(image.grid),
    )
    shared = shared_labels(image, segments)
    if surfaces:
        segmentation.RemoveRepresentation(_closed())
    for value, segment in enumerate(segments, start=1):
        add_segment(segmentation, f"Segment_{value}", segment, value, shared)
    number = len(segments) + 1
    while segmentation.GetSegment(f"Segment_{number}"):
        segmentation.RemoveSegment(f"Segment_{number}")
        number += 1
    if surfaces:
        node.CreateClosedSurfaceRepresentation()
    return node


def add_segment(
    segmentation: Any, segment_id: str, segment: Segment, value: int, shared: Any
) -> None:
    """Adds a segment, or gives the one with this ID its new voxels.

    Args:
        segmentation: vtkSegmentation.
        value: of its voxels in ``shared``.
        shared: of :func:`shared_labels`.
    """
    part = segmentation.GetSegment(segment_id)
    if part is not None:
        part.SetLabelValue(value)
        part.AddRepresentation(_binary(), shared)
        return
    part = slicer.vtkSegment()
    part.SetName(segment.name)
    part.SetColor(*segment.color)
    part.SetLabelValue(value)
    if segment.terminology:
        part.SetTag(slicer.vtkSegment.GetTerminologyEntryTagName(), segment.terminology)
    part.AddRepresentation(_binary(), shared)
    segmentation.AddSegment(part, segment_id)


@cache
def register_conversions() -> None:
    """Makes label maps and surfaces convertible to each other.

    The application's Segmentations module does it at its start; on ``slicer-core`` nothing
    does until that module's logic meets a scene.
    """
    if not hasattr(slicer, "modules"):
        slicer.vtkSlicerSegmentationsModuleLogic().SetMRMLScene(slicer.vtkMRMLScene())


def _binary() -> str:
    return slicer.vtkSegmentationConverter.GetSegmentationBinaryLabelmapRepresentationName()


def _closed() -> str:
    return slicer.vtkSegmentationConverter.GetSegmentationClosedSurfaceRepresentationName()


def _as_label_maps(node: Any, labels: Mapping[str, int]) -> tuple[Any, tuple[Finding, ...]]:
    """The node's segmentation, or a converted copy where it holds no label maps."""
    segmentation = node.GetSegmentation()
    missing = [i for i in labels if segmentation.GetSegment(i) is None]
    if missing:
        raise InputError(
            f"{node.GetName()} has no segment with the ID {', '.join(missing)}; it may have "
            "been deleted. Choose the segments again."
        )
    if segmentation.ContainsRepresentation(_binary()):
        return segmentation, ()
    register_conversions()
    copy = slicer.vtkSegmentation()
    copy.DeepCopy(segmentation)
    if not copy.CreateRepresentation(_binary()):
        raise InputError(
            f"The segments of {node.GetName()} cannot be turned into label maps. In the "
            "module Segmentations, create the representation Binary labelmap first."
        )
    finding = Finding(
        "segments_converted",
        f"{node.GetName()} holds surfaces and no label maps; a copy was turned into label "
        "maps on its reference geometry.",
        warning=True,
    )
    return copy, (finding,)


def _reference(segmentation: Any, name: str, labels: Mapping[str, int]) -> Any:
    """The common geometry of the chosen segments, without voxels."""
    empty = [i for i in labels if not _drawn(segmentation, i)]
    if empty:
        names = ", ".join(segmentation.GetSegment(i).GetName() for i in empty)
        raise InputError(f"Nothing is drawn in {names} of {name}. Draw it, or do not choose it.")
    ids = vtkStringArray()
    for segment_id in labels:
        ids.InsertNextValue(segment_id)
    reference = slicer.vtkOrientedImageData()
    slicer.vtkSegmentationConverter.DeserializeImageGeometry(
        segmentation.DetermineCommonLabelmapGeometry(
            slicer.vtkSegmentation.EXTENT_REFERENCE_GEOMETRY, ids
        ),
        reference,
        False,
    )
    drawn = [0] * 6
    segmentation.DetermineCommonLabelmapExtent(drawn, reference, ids, True, False)
    extent = np.array([reference.GetExtent(), drawn])
    low, high = extent[:, ::2].min(axis=0), extent[:, 1::2].max(axis=0)
    reference.SetExtent([int(n) for n in np.column_stack([low, high]).ravel()])
    return reference


def _drawn(segmentation: Any, segment_id: str) -> bool:
    segment = segmentation.GetSegment(segment_id)
    data = segment.GetRepresentation(_binary())
    if data is None or data.IsEmpty():
        return False
    return bool((voxels(data) == segment.GetLabelValue()).any())


def _mask(
    segmentation: Any, segment_id: str, reference: Any, layers: dict[Any, NDArray]
) -> NDArray:
    """Where a segment is, on the reference geometry. ``layers`` keeps shared label maps."""
    segment = segmentation.GetSegment(segment_id)
    layer = segment.GetRepresentation(_binary())
    if layer not in layers:
        resampled = slicer.vtkOrientedImageData()
        slicer.vtkOrientedImageDataResample.ResampleOrientedImageToReferenceOrientedImage(
            layer, reference, resampled
        )
        layers[layer] = voxels(resampled)
    return layers[layer] == segment.GetLabelValue()


def _overlap(
    segmentation: Any,
    labels: Mapping[str, int],
    segment_id: str,
    array: NDArray,
    overlap: NDArray,
    grid: Grid,
) -> Finding:
    """What to say of voxels that an earlier segment holds as well."""
    lost = np.unique(array[overlap])
    losers = [segmentation.GetSegment(i).GetName() for i, label in labels.items() if label in lost]
    winner = segmentation.GetSegment(segment_id).GetName()
    places = np.argwhere(overlap)
    r, a, s = grid.ras(places[len(places) // 2][None])[0]
    return Finding(
        "segments_overlap",
        f"{winner} overlaps {', '.join(losers)} in {len(places)} voxels; they count as "
        f"{winner}. One of them is near R {r:.1f}, A {a:.1f}, S {s:.1f} mm.",
        warning=True,
        ras=(float(r), float(a), float(s)),
    )


def _grid(matrix: NDArray, extent: Sequence[int]) -> Grid:
    """The grid of an extent, whose first voxel need not be 0, in an image-to-world frame."""
    low, high = np.array(extent[::2]), np.array(extent[1::2])
    placed = matrix.copy()
    placed[:3, 3] += matrix[:3, :3] @ low
    i, j, k = (int(n) for n in high - low + 1)
    return Grid((k, j, i), placed)


def serialized_geometry(grid: Grid) -> str:
    """A grid as a segmentation's reference geometry."""
    return slicer.vtkSegmentationConverter.SerializeImageGeometry(_geometry(grid))


def shared_labels(image: Image, segments: Sequence[Segment]) -> Any:
    """A vtkOrientedImageData that segments share, with values 1, 2, ... in their order."""
    return _oriented(*_listed(image, segments))


def _geometry(grid: Grid) -> Any:
    """A vtkOrientedImageData with a grid's geometry and no voxels."""
    geometry = slicer.vtkOrientedImageData()
    k, j, i = grid.shape
    geometry.SetExtent(0, i - 1, 0, j - 1, 0, k - 1)
    geometry.SetGeometryFromImageToWorldMatrix(to_vtk(grid.ijk_to_ras))
    return geometry


def _listed(image: Image, segments: Sequence[Segment]) -> tuple[NDArray, NDArray, Grid]:
    """Values 1, 2, ... of the segments in their bounding box, its first voxel, the grid."""
    wanted = carries(image.array, [label for s in segments for label in s.labels])
    part = bounding_box(wanted) if wanted.any() else (slice(0, 0),) * 3
    values = np.zeros(wanted[part].shape, np.uint8 if len(segments) < 256 else np.uint16)
    for value, segment in enumerate(segments, start=1):
        values[carries(image.array[part], segment.labels)] = value
    first = np.array([p.start for p in part])
    return values, first, image.grid


def _oriented(values: NDArray, first: NDArray, grid: Grid) -> Any:
    """A vtkOrientedImageData in a grid's frame whose first voxel has index ``first``."""
    oriented = slicer.vtkOrientedImageData()
    if values.size:
        oriented.ShallowCopy(image_data(values))
        low, high = first[::-1], first[::-1] + values.shape[::-1] - 1
        oriented.SetExtent([int(n) for n in np.column_stack([low, high]).ravel()])
    oriented.SetGeometryFromImageToWorldMatrix(to_vtk(grid.ijk_to_ras))
    return oriented
