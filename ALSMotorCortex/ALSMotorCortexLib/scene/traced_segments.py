"""A traced ribbon as segments of a segmentation that may hold others."""

from __future__ import annotations

from typing import Any

import slicer

from ..cortex.grid import Image
from ..cortex.traced_ribbon import CSF, GM, WM
from .segmentations import (
    Segment,
    add_segment,
    register_conversions,
    serialized_geometry,
    shared_labels,
)
from .tissues import tissue_segment

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
        data.SetConversionParameter(reference, serialized_geometry(labels.grid))
    segments = _segments()
    shared = shared_labels(labels, list(segments.values()))
    for value, (segment_id, segment) in enumerate(segments.items(), start=1):
        add_segment(data, segment_id, segment, value, shared)
    segmentation.Modified()
    return list(segments)


def _segments() -> dict[str, Segment]:
    return {f"ALSMotorCortex.{t}": tissue_segment(t, (label,)) for t, label in _LABELS.items()}
