"""Cortical thickness and laminar measures of single segments, with their DICOM codes.

What the Segment Statistics plugin computes, without Qt. The segments' tissues are told apart as
the module's own panel does; one run of :func:`..cortex.measure.measure` serves all segments of a
segmentation.

Codes are those of the context groups of DICOM PS3.16 (checked in pydicom's copy of them,
``pydicom.sr``): CID 7151 and 7192 for cerebral cortex, CID 7460 to 7462 and 7181 for units, CID
7464 and 7465 for mean, median, standard deviation and percentiles, CID 7470 to 7472 for length,
area and volume, CID 7474 for the sum of voxels. They have no general code for thickness, so it is
a "length", as for calipers and traces (:mod:`..scene.drawn`). Ratios and indices of the cortical
layers have no code and get none. ``/mm`` follows UCUM's grammar, as DICOM's own ``/cm`` does.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import numpy as np
import slicer
import vtk

from ..cortex.errors import InputError
from ..cortex.grid import Image
from ..cortex.measure import Progress, measure
from ..cortex.resample import label_values
from ..cortex.result import RIBBON
from ..scene.inputs import Inputs, collect, suggest_segments
from ..scene.runner import in_window_words
from ..scene.segmentations import has_voxels, read_labels

try:
    from slicer.i18n import tr as _
except ImportError:  # slicer-core has no translations

    def _(text: str) -> str:
        return text


LAYERS = 3


@dataclass(frozen=True)
class Code:
    """A coded concept."""

    value: str
    scheme: str
    meaning: str

    def __str__(self) -> str:
        entry = slicer.vtkCodedEntry()
        entry.SetValueSchemeMeaning(self.value, self.scheme, self.meaning)
        return entry.GetAsString()


CORTEX = Code("40146001", "SCT", "Cerebral cortex")
LENGTH = Code("410668003", "SCT", "Length")
AREA = Code("42798000", "SCT", "Area")
VOLUME = Code("118565006", "SCT", "Volume")
MEAN = Code("373098007", "SCT", "Mean")
MEDIAN = Code("373099004", "SCT", "Median")
DEVIATION = Code("386136009", "SCT", "Standard Deviation")
PERCENTILE_05 = Code("371888009", "SCT", "5th Percentile Value of population")
PERCENTILE_95 = Code("371889001", "SCT", "95th Percentile Value of population")
VOXEL_SUM = Code("126030", "DCM", "Sum of segmented voxel method for volume")
UNITS = {
    "mm": Code("mm", "UCUM", "millimeter"),
    "mm2": Code("mm2", "UCUM", "square millimeter"),
    "mm3": Code("mm3", "UCUM", "cubic millimeter"),
    "1": Code("1", "UCUM", "no units"),
    "1/mm": Code("/mm", "UCUM", "per millimeter"),
}


@dataclass(frozen=True)
class Quantity:
    """One column of the table.

    Attributes:
        title: column header.
        description: its tool tip.
        unit: a key of :data:`UNITS`, or ``map`` for that of the scalar volume.
        code, derivation, method: DICOM codes of what is measured, of the statistic, and of how.
    """

    title: str
    description: str
    unit: str
    code: Code | None = None
    derivation: Code | None = None
    method: Code | None = None


def _thickness(title: str, description: str, derivation: Code | None) -> Quantity:
    return Quantity(title, description, "mm", LENGTH, derivation)


QUANTITIES: Mapping[str, Quantity] = {
    "thickness_mean": _thickness(
        _("Mean thickness"),
        _("Mean cortical thickness of the segment, along the field lines of the Laplace equation."),
        MEAN,
    ),
    "thickness_median": _thickness(
        _("Median thickness"), _("Median cortical thickness of the segment's voxels."), MEDIAN
    ),
    "thickness_sd": _thickness(
        _("Thickness SD"),
        _("Standard deviation of the cortical thickness of the segment's voxels."),
        DEVIATION,
    ),
    "thickness_p05": _thickness(
        _("Thickness 5th percentile"),
        _("5th percentile of the cortical thickness of the segment's voxels."),
        PERCENTILE_05,
    ),
    "thickness_p95": _thickness(
        _("Thickness 95th percentile"),
        _("95th percentile of the cortical thickness of the segment's voxels."),
        PERCENTILE_95,
    ),
    "thickness_per_area": _thickness(
        _("Thickness by area"),
        _("Mean cortical thickness over the mid-cortical area, where thin parts count as much."),
        None,
    ),
    "ribbon_volume": Quantity(
        _("Ribbon volume"),
        _("Volume of the segment's voxels whose thickness could be measured."),
        "mm3",
        VOLUME,
        method=VOXEL_SUM,
    ),
    "mid_surface_area": Quantity(
        _("Mid-surface area"),
        _("Area of the surface half-way between the white matter and the pial surface."),
        "mm2",
        AREA,
    ),
    "measured_share": Quantity(
        _("Measured share"), _("Share of the segment's voxels that have a thickness."), "1"
    ),
    "mean": Quantity(
        _("Cortical mean"),
        _("Mean of the scalar volume over the segment's measured voxels."),
        "map",
        derivation=MEAN,
    ),
    "layer_1_mean": Quantity(
        _("Superficial layer mean"),
        _("Mean of the scalar volume over the superficial third of the cortex (equal volume)."),
        "map",
        derivation=MEAN,
    ),
    "layer_2_mean": Quantity(
        _("Middle layer mean"),
        _("Mean of the scalar volume over the middle third of the cortex (equal volume)."),
        "map",
        derivation=MEAN,
    ),
    "layer_3_mean": Quantity(
        _("Deep layer mean"),
        _("Mean of the scalar volume over the deep third of the cortex (equal volume)."),
        "map",
        derivation=MEAN,
    ),
    "deep_hypointensity": Quantity(
        _("Deep hypointensity"),
        _(
            "1 - deep layer's mean / superficial layer's mean; deep / superficial - 1 where iron "
            "is bright."
        ),
        "1",
    ),
    "deep_minus_superficial": Quantity(
        _("Deep minus superficial"), _("Deep layer's mean - superficial layer's mean."), "map"
    ),
    "signal_thickness_ratio": Quantity(
        _("Signal hypointensity to thickness"), _("Deep hypointensity / mean thickness."), "1/mm"
    ),
    "profile_minimum": Quantity(
        _("Profile minimum"), _("Lowest value of the segment's laminar profile."), "map"
    ),
    "profile_minimum_depth": Quantity(
        _("Depth of profile minimum"),
        _("Cortical depth of the lowest value: 0 at the pial surface, 1 at the white matter."),
        "1",
    ),
    "profile_maximum": Quantity(
        _("Profile maximum"),
        _("Highest value of the segment's laminar profile, where iron is bright."),
        "map",
    ),
    "profile_maximum_depth": Quantity(
        _("Depth of profile maximum"),
        _("Cortical depth of the highest value: 0 at the pial surface, 1 at the white matter."),
        "1",
    ),
    "minus_white_matter": Quantity(
        _("Cortex minus white matter"),
        _("Mean over the segment minus the median of the adjacent white matter."),
        "map",
    ),
    "minus_csf": Quantity(
        _("Cortex minus CSF"),
        _("Mean over the segment minus the median of the adjacent CSF."),
        "map",
    ),
}
"""By the names of measures.tsv, in the order of the table's columns."""

DEFAULT = (
    "thickness_mean",
    "thickness_median",
    "thickness_sd",
    "mid_surface_area",
    "mean",
    "layer_1_mean",
    "layer_2_mean",
    "layer_3_mean",
    "deep_hypointensity",
    "signal_thickness_ratio",
)
"""What is computed unless the user picks otherwise."""


def description_of(key: str, volume: Any = None) -> dict[str, Any]:
    """What Slicer's ``SegmentStatisticsPluginBase.createMeasurementInfo`` takes.

    Args:
        key: of :data:`QUANTITIES`.
        volume: the vtkMRMLScalarVolumeNode, whose quantity and unit are used where it has them.
    """
    quantity = QUANTITIES[key]
    label = "" if quantity.unit == "1" else quantity.unit
    of_what, unit = _text(quantity.code), _text(UNITS.get(quantity.unit))
    if quantity.unit == "map":
        entry = volume.GetVoxelValueUnits() if volume else None
        label = (entry.GetCodeMeaning() or "") if entry else ""
        unit = _entry(entry)
        of_what = _entry(volume.GetVoxelValueQuantity() if volume else None)
    return {
        "name": f"Cortical {key.replace('_', ' ')}",
        "title": quantity.title,
        "description": quantity.description,
        "units": label,
        "quantityDicomCode": of_what,
        "unitsDicomCode": unit,
        "measurementMethodDicomCode": _text(quantity.method),
        "derivationDicomCode": _text(quantity.derivation),
    }


def _text(code: Code | None) -> str:
    return str(code) if code else ""


def _entry(entry: Any) -> str:
    """A vtkCodedEntry, or None, as text."""
    return entry.GetAsString() if entry else ""


class SegmentMeasures:
    """Measures of a segmentation's segments; keeps the last run until its input changes."""

    def __init__(self) -> None:
        self._state: tuple = ()
        self._measured: dict[str, dict[str, float]] | None = None
        self._asked: set[str] = set()

    def of(
        self,
        segmentation: Any,
        segment_id: str,
        volume: Any = None,
        progress: Progress | None = None,
    ) -> dict[str, float]:
        """Measures of one segment, by the names of :data:`QUANTITIES`.

        Empty for white matter, CSF and whatever is not cortex, and for a segmentation without
        cortex, as its names and terminology tell. A run that failed says so once; the same
        segmentation's other segments are then empty, until one is asked again.

        Args:
            segmentation: vtkMRMLSegmentationNode.
            segment_id: of the segment.
            volume: vtkMRMLScalarVolumeNode for the laminar measures, or None.
            progress: as in :func:`..cortex.measure.measure`.

        Raises:
            InputError, Cancelled: from the measurement.
        """
        state = _state(segmentation, volume)
        if state != self._state or (self._measured is None and segment_id in self._asked):
            self._state, self._measured, self._asked = state, None, {segment_id}
            self._measured = _measure(segmentation, volume, progress)
        self._asked.add(segment_id)
        return (self._measured or {}).get(segment_id, {})


def _state(segmentation: Any, volume: Any) -> tuple:
    """Changes whenever a new run could give other numbers. VTK never uses a time twice."""
    segments = segmentation.GetSegmentation()
    state: list[Any] = [segmentation.GetID()]
    for number in range(segments.GetNumberOfSegments()):
        segment = segments.GetNthSegment(number)
        shape = segment.GetRepresentation(segments.GetSourceRepresentationName())
        terminology = vtk.reference("")
        segment.GetTag(segment.GetTerminologyEntryTagName(), terminology)
        state += [segments.GetNthSegmentID(number), segment.GetName(), str(terminology)]
        state += [segment.GetLabelValue(), shape.GetMTime() if shape else 0]
    image = volume.GetImageData() if volume else None
    state += [volume.GetID(), volume.GetMTime()] if volume else []
    state += [image.GetMTime()] if image else []
    return tuple(state + _transform(segmentation) + _transform(volume))


def _transform(node: Any) -> list[Any]:
    """The transform that a node is under, with the time that it or one above it changed."""
    parent = node.GetParentTransformNode() if node else None
    return [parent.GetID(), parent.GetTransformToWorldMTime()] if parent else []


def _measure(
    segmentation: Any, volume: Any, progress: Progress | None
) -> dict[str, dict[str, float]]:
    """Measures of every segment of cortex, by segment ID."""
    found = suggest_segments(segmentation)
    for role, ids in found.items():
        found[role] = [i for i in ids if has_voxels(segmentation, i)]
    masks = _masks(segmentation, {*found["white"], *found["csf"], *found["other_bank"]})
    regions_only = found.pop("regions")
    found["gray"] = [i for i in found["gray"] or regions_only if i in masks]
    pial = found["csf"] or found["other_bank"]
    if not found["gray"] or not (found["white"] or pial):
        return {}
    if not (found["white"] and pial):
        raise InputError(
            f"{segmentation.GetName()} has no segment whose name says that it is "
            f"{'white matter' if pial else 'CSF or the opposite bank'}. Name it so, or draw it."
        )
    volumes = [volume] if volume else []
    collected = collect(Inputs(volumes=volumes, segmentation=segmentation, **found))
    labels, settings = collected.labels, collected.settings
    ribbon = np.flatnonzero(np.isin(labels.array, settings.gm))
    parts = {i: m for i, m in masks.items() if label_values(m, labels.grid, ribbon).any()}
    # The only one is the ribbon itself, with the holes that were filled.
    regions = {} if len(parts) == 1 else {f"{m.name} ({i})": m for i, m in parts.items()}
    settings = settings.with_values({"layers": LAYERS, "bootstrap": 0})
    try:
        result = measure(labels, settings, collected.maps, regions, collected.units, progress)
    except InputError as error:
        raise InputError(in_window_words(str(error))) from None
    for finding in (*collected.findings, *result.findings):
        if finding.warning:
            logging.warning(in_window_words(finding.message))
    names = dict(zip(parts, regions or [RIBBON], strict=True))
    return {
        segment_id: {
            m.measure: m.value
            for m in result.measures
            if m.region == name and m.measure in QUANTITIES and np.isfinite(m.value)
        }
        for segment_id, name in names.items()
    }


def _masks(segmentation: Any, tissues: set[str]) -> dict[str, Image]:
    """Where each segment is that is drawn and not of other tissue."""
    segments = segmentation.GetSegmentation()
    masks = {}
    for segment_id in segments.GetSegmentIDs():
        if segment_id not in tissues and has_voxels(segmentation, segment_id):
            with suppress(InputError):  # empty after all
                mask = read_labels(segmentation, {segment_id: 1})[0]
                name = segments.GetSegment(segment_id).GetName()
                masks[segment_id] = Image(mask.array, mask.grid, name)
    return masks
