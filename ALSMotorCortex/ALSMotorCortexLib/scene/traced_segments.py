"""A traced ribbon as segments of a segmentation that may hold others."""

from __future__ import annotations

from typing import Any

import slicer

from ..cortex.grid import Image
from ..cortex.traced_ribbon import CSF, GM, WM
from .results import _CATEGORY, _TISSUES
from .segmentations import (
    Segment,
    _binary,
    _geometry,
    _listed,
    _oriented,
    register_conversions,
)

_LABELS = {"gm": GM, "wm": WM, "csf": CSF}


def put_ribbon(segmentation: Any, labels: Image) -> list[str]:
    """Puts a traced ribbon into a segmentation node, in place of an earlier one.

    Other segments and, where there is one, the reference geometry stay as they are.

    Args:
        labels: of :func:`.cortex.traced_ribbon.ribbon_labels`.

    Returns:
        the segments' IDs: gray matter, white matter, CSF.
    """
    register_conversions()
    segmentation.CreateDefaultDisplayNodes()
    data = segmentation.GetSegmentation()
    reference = slicer.vtkSegmentationConverter.GetReferenceImageGeometryParameterName()
    # Asking for a parameter that is not there writes an error into the log.
    known = reference in data.SerializeAllConversionParameters()
    if not (known and data.GetConversionParameter(reference)):
        text = slicer.vtkSegmentationConverter.SerializeImageGeometry(_geometry(labels.grid))
        data.SetConversionParameter(reference, text)
    segments = _segments()
    shared = _oriented(*_listed(labels, list(segments.values())))
    for value, (segment_id, segment) in enumerate(segments.items(), start=1):
        _put(data, segment_id, segment, value, shared)
    segmentation.Modified()
    return list(segments)


def _put(data: Any, segment_id: str, segment: Segment, value: int, shared: Any) -> None:
    """Gives a segment its voxels; a new one its looks too."""
    part = data.GetSegment(segment_id)
    if part is None:
        part = slicer.vtkSegment()
        part.SetName(segment.name)
        part.SetColor(*segment.color)
        part.SetTag(slicer.vtkSegment.GetTerminologyEntryTagName(), segment.terminology)
        data.AddSegment(part, segment_id)
    part.SetLabelValue(value)
    part.AddRepresentation(_binary(), shared)


def _segments() -> dict[str, Segment]:
    looks = {tissue: (name, rgb, code) for tissue, name, rgb, code in _TISSUES}
    segments = {}
    for tissue, label in _LABELS.items():
        name, (r, g, b), code = looks[tissue]
        segments[f"ALSMotorCortex.{tissue}"] = Segment(
            (label,),
            name,
            (r / 255, g / 255, b / 255),
            f"{_CATEGORY}~{code}~^^~Anatomic codes - DICOM master list~^^~^^",
        )
    return segments
