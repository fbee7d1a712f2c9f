"""What to measure: told from a scene, checked, and read out of it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import numpy as np
import slicer
import vtk

from ..cortex.errors import InputError
from ..cortex.grid import Image
from ..cortex.iron import is_susceptibility
from ..cortex.parts import gyrus_parts, hemispheres
from ..cortex.result import RIBBON, Finding
from ..cortex.settings import PRIORITY, Settings
from .results import RESULT
from .segmentations import has_voxels, read_labels
from .translation import tr as _
from .volumes import IRON, read_volume

LABELS = {"csf": 1, "wm": 2, "gm": 3, "other_bank": 4}
"""The value that each tissue's segments get in the label map that is measured."""

VOLUME, SEGMENTATION, DIVIDERS = (
    f"ALSMotorCortex.{role}" for role in ("Volume", "Segmentation", "Dividers")
)
"""Roles of the node references from a result's settings node to what it was made from."""

CHOICES = "ALSMotorCortex.Inputs"
"""Attribute of that node: segments and options, as JSON."""

# Words in segments' names, in the order in which they decide.
_WORDS = (
    ("regions", {"foot", "leg", "hand", "arm", "knob", "face", "tongue", "bulbar"}),
    ("other_bank", {"opposite", "bank", "s1", "postcentral", "somatosensory", "sensory"}),
    ("white", {"white", "wm"}),
    ("csf", {"csf", "cerebrospinal", "fluid"}),
    ("gray", {"gray", "grey", "gm", "cortex", "cortical", "ribbon", "m1", "precentral", "motor"}),
    ("regions", {"left", "right"}),
)
# Words of the gray matter that is measured where there is other gray matter too.
_MOTOR = {"m1", "precentral", "motor"}
# SNOMED CT codes in segments' terminology: gray matter, white matter, cerebrospinal fluid,
# and, for the cortex, cerebral cortex and precentral gyrus.
_CODES = {
    "389081007": "gray",
    "389080008": "white",
    "65216001": "csf",
    "40146001": "gray",
    "21297008": "gray",
}
_MAP_WORDS = ("t2star", "r2star", "t2s", "r2s", "qsm", "chi", "mtr", "swi", "flair", "gre")

_PHASE = re.compile(r"(?<![a-z])(ph|pha|phase|phs)(?![a-z])", re.IGNORECASE)

_FIELDS = {"gray": "gm", "white": "wm", "csf": "csf", "other_bank": "other_bank"}


@dataclass
class Inputs:
    """Nodes and segments to measure.

    Attributes:
        volumes: contrast maps, vtkMRMLScalarVolumeNode.
        segmentation: vtkMRMLSegmentationNode, or None.
        gray, white, csf, other_bank: IDs of the segments of each tissue.
        regions: IDs of segments to measure apart.
        dividers: vtkMRMLMarkupsFiducialNode with two points in a hemisphere, or None.
        options: fields of :class:`~..cortex.settings.Settings` other than the labels.
    """

    volumes: list[Any] = field(default_factory=list)
    segmentation: Any = None
    gray: list[str] = field(default_factory=list)
    white: list[str] = field(default_factory=list)
    csf: list[str] = field(default_factory=list)
    other_bank: list[str] = field(default_factory=list)
    regions: list[str] = field(default_factory=list)
    dividers: Any = None
    options: dict[str, Any] = field(default_factory=dict)

    def tissues(self) -> dict[str, list[str]]:
        """Segment IDs by tissue, as in the settings, in the order of :data:`PRIORITY`."""
        own = {name: getattr(self, ours) for ours, name in _FIELDS.items()}
        return {name: own[name] for name in PRIORITY}


def _now() -> str:
    return datetime.now(timezone.utc).isoformat(timespec="seconds")


@dataclass(frozen=True)
class Collected:
    """What was read out of the scene. Nothing in it changes when the scene does.

    Attributes:
        labels, maps, regions, units, settings: as :func:`~..cortex.measure.measure` takes.
        findings: what was noticed on the way.
        volumes: the node of each map.
        sources: role and name, or file without its folder, of each node, for the report.
        started: when it was read, in UTC as ISO 8601.
    """

    labels: Image
    maps: Mapping[str, Image]
    regions: Mapping[str, Image]
    units: Mapping[str, str]
    settings: Settings
    findings: tuple[Finding, ...] = ()
    volumes: Mapping[str, Any] = field(default_factory=dict)
    sources: tuple[Mapping[str, str], ...] = ()
    started: str = field(default_factory=_now)


def in_scene(node: Any) -> bool:
    """Whether a node is there, and not one that was deleted."""
    return node is not None and node.GetScene() is not None


# Preselection ---------------------------------------------------------------------------


def suggest(scene: Any) -> Inputs:
    """Sensible choices, by names and terminology; results of this module are no inputs."""
    inputs = Inputs()
    segmentations = [n for n in all_nodes(scene, "vtkMRMLSegmentationNode") if is_input(n)]
    for node in segmentations:
        found = suggest_segments(node)
        known = sum(bool(found[tissue]) for tissue in _FIELDS)
        if inputs.segmentation is None or known > sum(bool(getattr(inputs, t)) for t in _FIELDS):
            inputs = Inputs(segmentation=node, **found)
    inputs.volumes = _suggested_volumes(scene, inputs.segmentation)
    points = [
        n
        for n in all_nodes(scene, "vtkMRMLMarkupsFiducialNode")
        if re.search(r"foot|hand|face|divid", n.GetName() or "", re.IGNORECASE)
    ]
    inputs.dividers = points[0] if points else None
    return inputs


def suggest_segments(segmentation: Any) -> dict[str, list[str]]:
    """Segment IDs for ``gray``, ``white``, ``csf``, ``other_bank`` and ``regions``."""
    found: dict[str, list[str]] = {name: [] for name in (*_FIELDS, "regions")}
    words: dict[str, set[str]] = {}
    for segment_id in segmentation.GetSegmentation().GetSegmentIDs():
        segment = segmentation.GetSegmentation().GetSegment(segment_id)
        words[segment_id] = set(re.findall(r"[a-z]+1?", (segment.GetName() or "").casefold()))
        role = _role(words[segment_id]) or _coded_role(segment)
        if role:
            found[role].append(segment_id)
    motor = [i for i in found["gray"] if words[i] & _MOTOR]
    if motor and len(motor) < len(found["gray"]):
        found["other_bank"] += [i for i in found["gray"] if i not in motor]
        found["gray"] = motor
    return found


def _role(words: set[str]) -> str:
    return next((role for role, known in _WORDS if words & known), "")


def _coded_role(segment: Any) -> str:
    """By the type code of a segment's terminology, ``...~SCT^CODE^Meaning~...``."""
    entry = vtk.reference("")
    if not segment.GetTag(slicer.vtkSegment.GetTerminologyEntryTagName(), entry):
        return ""
    codes = re.findall(r"SCT\^(\d+)\^", str(entry))
    return next((_CODES[code] for code in codes if code in _CODES), "")


def _suggested_volumes(scene: Any, segmentation: Any) -> list[Any]:
    """Volumes with the name of a contrast; else the one that was segmented, or the only one."""
    volumes = [n for n in all_nodes(scene, "vtkMRMLScalarVolumeNode") if _is_map(n)]
    named = [n for n in volumes if _is_contrast(n.GetName() or "")]
    if named:
        return named
    role = slicer.vtkMRMLSegmentationNode.GetReferenceImageGeometryReferenceRole()
    drawn_on = segmentation.GetNodeReference(role) if segmentation else None
    if drawn_on in volumes:
        return [drawn_on]
    return volumes if len(volumes) == 1 else []


def _is_contrast(name: str) -> bool:
    plain = re.sub(r"[^a-z0-9]", "", name.casefold().replace("*", "star"))
    return any(word in plain for word in _MAP_WORDS)


def _is_map(node: Any) -> bool:
    data = node.GetImageData()
    return (
        is_input(node)
        and not is_phase(node)
        and not node.IsA("vtkMRMLLabelMapVolumeNode")
        and data is not None
        and data.GetNumberOfScalarComponents() == 1
    )


def is_phase(node: Any) -> bool:
    """Whether the name of a node says that it is a phase image."""
    return bool(_PHASE.search(node.GetName() or ""))


def is_input(node: Any) -> bool:
    """Whether a node may be measured: not hidden, and no result but its maps and tissues."""
    result = node.GetAttribute(RESULT) or ""
    return not node.GetHideFromEditors() and (
        not result or result == "tissue" or result.startswith("map:")
    )


def all_nodes(scene: Any, class_name: str) -> list[Any]:
    """All nodes of a class, or of one derived from it."""
    count = scene.GetNumberOfNodesByClass(class_name)
    return [scene.GetNthNodeByClass(n, class_name) for n in range(count)]


# What is missing ------------------------------------------------------------------------


def missing(inputs: Inputs) -> str:
    """What has to be chosen or drawn before measuring, in a sentence; empty when nothing."""
    return next((text for text in _gaps(inputs) if text), "")


def _gaps(inputs: Inputs) -> Iterator[str]:
    if not in_scene(inputs.segmentation):
        yield _("Choose a segmentation, or draw one in the Segment Editor.")
        return
    segmentation = inputs.segmentation.GetSegmentation()
    name = inputs.segmentation.GetName()
    chosen = [i for ids in inputs.tissues().values() for i in ids]
    gone = [i for i in (*chosen, *inputs.regions) if segmentation.GetSegment(i) is None]
    if gone:
        yield _("A chosen segment is no longer in {name}. Choose the segments again.").format(
            name=name
        )
        return
    if not inputs.gray:
        yield _("Choose the segment of the gray matter.")
    if not inputs.white:
        yield _("Choose the segment of the white matter.")
    if not inputs.csf and not inputs.other_bank:
        yield _("Choose the segment of the CSF, or of the opposite bank.")
    twice = next((i for i in chosen if chosen.count(i) > 1), None)
    if twice is not None:
        yield _("{segment} is chosen for two tissues. Choose it for one.").format(
            segment=segmentation.GetSegment(twice).GetName()
        )
    for segment_id in (*chosen, *inputs.regions):
        if not has_voxels(inputs.segmentation, segment_id):
            yield _(
                "Nothing is drawn in {segment} of {name}. Draw it, or do not choose it."
            ).format(segment=segmentation.GetSegment(segment_id).GetName(), name=name)
    for node in iron_to_ask(inputs.volumes):
        if not node.GetAttribute(IRON):
            yield _("Choose whether iron is bright or dark in {name}.").format(name=node.GetName())
    if in_scene(inputs.dividers) and len(_points(inputs.dividers)) == 1:
        yield _(
            "Place a second dividing point: one between foot and hand, one between hand and face."
        )


def iron_to_ask(volumes: Iterable[Any]) -> list[Any]:
    """The susceptibility maps among volumes, of which the user says how iron shows."""
    present = [node for node in volumes if in_scene(node)]
    return [node for node in present if is_susceptibility(node.GetName() or "", _unit(node))]


# Reading --------------------------------------------------------------------------------


def collect(inputs: Inputs) -> Collected:
    """Reads the chosen nodes, each where it lies in the world. The scene is left as it is.

    Raises:
        InputError: something is missing or cannot be read; the message says what.
    """
    if text := missing(inputs):
        raise InputError(text)
    tissues = {name: ids for name, ids in inputs.tissues().items() if ids}
    values = {i: LABELS[name] for name, ids in tissues.items() for i in ids}
    labels, findings = read_labels(inputs.segmentation, values)
    own = {name: (LABELS[name],) if name in tissues else () for name in LABELS}
    settings = Settings(**own).with_values(inputs.options)
    maps, units, volumes, iron = {}, {}, {}, dict(settings.iron)
    for node in inputs.volumes:
        image, found = read_volume(node if in_scene(node) else None)
        name = _unique(node.GetName(), maps)
        # The measurement runs while the user may paint on or delete the volume.
        maps[name] = Image(image.array.copy(), image.grid, name)
        units[name], volumes[name] = _unit(node), node
        if node.GetAttribute(IRON):
            iron[name] = node.GetAttribute(IRON)
        findings += found
    settings = settings.with_values({"iron": iron})
    settings.check()
    gray = Image((labels.array == LABELS["gm"]).astype(np.uint8), labels.grid, "gray matter")
    regions = _segment_regions(inputs, gray, settings.reference)
    if in_scene(inputs.dividers):
        regions |= gyrus_parts(gray, _points(inputs.dividers))
    return Collected(
        labels=labels,
        maps=maps,
        regions=regions,
        units={name: unit for name, unit in units.items() if unit},
        settings=settings,
        findings=tuple(dict.fromkeys(findings)),
        volumes=volumes,
        sources=tuple(_sources(inputs, volumes)),
    )


def _segment_regions(inputs: Inputs, gray: Image, reference: str) -> dict[str, Image]:
    """A mask for each region segment; one that lies on both sides is parted in two."""
    sides = hemispheres(gray.grid.ras(np.argwhere(gray.array)))
    regions: dict[str, Image] = {}
    for segment_id in inputs.regions:
        image, _found = read_labels(inputs.segmentation, {segment_id: 1})
        segment = inputs.segmentation.GetSegmentation().GetSegment(segment_id)
        name = _unique(segment.GetName() or segment_id, (*regions, RIBBON))
        halves = _halves(image) if len(sides) == 2 else {}
        if len(halves) < 2 or reference == f"region:{name}":
            regions[name] = Image(image.array, image.grid, name)
        if len(halves) == 2:
            regions |= {f"{side}_{name}": half for side, half in halves.items()}
    return regions


def _halves(image: Image) -> dict[str, Image]:
    """The parts of a mask on each side of the midplane x = 0, those that have a voxel."""
    kji = np.argwhere(image.array)
    left = image.grid.ras(kji)[:, 0] < 0
    halves = {}
    for side, inside in (("left", left), ("right", ~left)):
        if inside.any():
            mask = np.zeros_like(image.array)
            mask[tuple(kji[inside].T)] = 1
            halves[side] = Image(mask, image.grid, side)
    return halves


def _points(node: Any) -> list[tuple[str, np.ndarray]]:
    """Name and RAS of each placed control point, in the world."""
    points = []
    for n in range(node.GetNumberOfControlPoints()):
        if node.GetNthControlPointPositionStatus(n) == node.PositionDefined:
            place = [0.0, 0.0, 0.0]
            node.GetNthControlPointPositionWorld(n, place)
            points.append((node.GetNthControlPointLabel(n) or str(n + 1), np.array(place)))
    return points


def _unique(name: str, taken: Iterable[str]) -> str:
    names = [name, *(f"{name} ({n})" for n in range(2, len(list(taken)) + 3))]
    return next(n for n in names if n not in taken)


def _unit(node: Any) -> str:
    """The unit of a volume's values as its node says, with 1/s for UCUM's /s."""
    code = node.GetVoxelValueUnits()
    text = (code.GetCodeValue() or "") if code else ""
    return re.sub(r"^/", "1/", "" if text in ("1", "no units") else text)


def _sources(inputs: Inputs, volumes: Mapping[str, Any]) -> Iterator[dict[str, str]]:
    given = {"labels": inputs.segmentation, **{f"map {n}": v for n, v in volumes.items()}}
    if in_scene(inputs.dividers):
        given["dividing points"] = inputs.dividers
    for role, node in given.items():
        storage = node.GetStorageNode()
        file = storage.GetFileName() if storage else None
        # The folders of a file often hold a patient's name, and reports are passed on.
        name = Path(file).name if file else f"{node.GetName()} (not saved in a file of its own)"
        yield {"role": role, "path": name}


# What made a result ---------------------------------------------------------------------


def remember(node: Any, inputs: Inputs) -> None:
    """Notes on a node what a result was made from, so that it is saved with the scene."""
    for role, nodes in (
        (VOLUME, inputs.volumes),
        (SEGMENTATION, [inputs.segmentation]),
        (DIVIDERS, [inputs.dividers]),
    ):
        node.RemoveNodeReferenceIDs(role)
        for given in filter(in_scene, nodes):
            node.AddNodeReferenceID(role, given.GetID())
    choices = {name: getattr(inputs, name) for name in (*_FIELDS, "regions", "options")}
    node.SetAttribute(CHOICES, json.dumps(choices, sort_keys=True))


def recall(node: Any) -> Inputs:
    """What :func:`remember` noted; nodes that were deleted are left out."""
    count = node.GetNumberOfNodeReferences(VOLUME)
    volumes = [node.GetNthNodeReference(VOLUME, n) for n in range(count)]
    inputs = Inputs(
        volumes=[v for v in volumes if v is not None],
        segmentation=node.GetNodeReference(SEGMENTATION),
        dividers=node.GetNodeReference(DIVIDERS),
    )
    return replace(inputs, **json.loads(node.GetAttribute(CHOICES) or "{}"))
