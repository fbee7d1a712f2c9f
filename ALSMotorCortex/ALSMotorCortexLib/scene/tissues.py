"""How tissues look as segments: names, colours and codes."""

from __future__ import annotations

from collections.abc import Iterable

from .segmentations import Segment

# Colours and codes as in Slicer's terminology "SegmentationCategoryTypeModifier-DICOM-Master".
_CATEGORY = "Segmentation category and type - DICOM master list~SCT^123037004^Anatomical Structure"
_ANATOMY = "Anatomic codes - DICOM master list~^^~^^"
_LOOKS = {
    "gm": ("Gray matter", (200, 200, 235), "SCT^389081007^Gray Matter"),
    "wm": ("White matter", (250, 250, 210), "SCT^389080008^White Matter"),
    "csf": ("CSF", (85, 188, 255), "SCT^65216001^Cerebrospinal Fluid"),
    "other_bank": ("Opposite bank", (204, 121, 167), "SCT^389081007^Gray Matter"),
}

TISSUES = tuple(_LOOKS)
"""The settings' names of tissues, in the order in which they are listed."""


def tissue_segment(tissue: str, labels: Iterable[int], name: str = "") -> Segment:
    """A tissue as a segment.

    Args:
        tissue: one of :data:`TISSUES`.
        labels: of the label map.
        name: instead of the tissue's own.
    """
    own, (r, g, b), code = _LOOKS[tissue]
    terminology = f"{_CATEGORY}~{code}~^^~{_ANATOMY}"
    return Segment(tuple(labels), name or own, (r / 255, g / 255, b / 255), terminology)
