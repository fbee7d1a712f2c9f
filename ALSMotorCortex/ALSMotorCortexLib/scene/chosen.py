"""What the module's parameter node says: as the library's inputs, and filled in by itself.

A parameter node is any object with the fields of ``ALSMotorCortexParameterNode``.
"""

from __future__ import annotations

from typing import Any

import slicer

from .inputs import Inputs, missing, suggest, suggest_segments
from .layout import stop_placing
from .translation import tr as _

ROLES = ("", "gray", "white", "csf", "other_bank", "regions")
"""What a segment can be, as kept in the parameter node; empty for one that is not used."""


def inputs_of(p: Any) -> Inputs:
    """What is chosen, as the library's inputs."""
    by_role: dict[str, list[str]] = {role: [] for role in ROLES}
    roles = dict(p.roles)
    for key, _name, _color in segments_of(p.segmentation):
        by_role[roles.get(key, "")].append(key)
    volumes = [node for node in [p.image, *p.maps] if node is not None]
    del by_role[""]
    return Inputs(
        volumes=list({node.GetID(): node for node in volumes}.values()),
        segmentation=p.segmentation,
        dividers=p.dividers,
        options=options_of(p),
        **by_role,
    )


def options_of(p: Any) -> dict[str, Any]:
    """The chosen settings by the names of :class:`~..cortex.settings.Settings`."""
    return {
        "plane": p.plane.value,
        "max_angle": p.maxAngle,
        "layers": p.layers,
        "layer_depth": p.layerDepth.value,
        "bins": p.bins,
        "reference": p.reference.value,
        "label_style": p.labelStyle.value,
        "fill_holes_mm3": p.fillHoles,
        "drop_islands_mm3": p.dropIslands,
        "column_mm": p.columnWidth,
    }


def segments_of(node: Any) -> list[tuple[str, str, Any]]:
    """ID, name and colour of each segment of a segmentation node, or of None."""
    if node is None:
        return []
    segmentation = node.GetSegmentation()
    keys = [segmentation.GetNthSegmentID(n) for n in range(segmentation.GetNumberOfSegments())]
    parts = [(key, segmentation.GetSegment(key)) for key in keys]
    return [(key, part.GetName(), part.GetColor()) for key, part in parts]


def reason(p: Any) -> str:
    """What is missing to measure, in a sentence; empty when nothing is."""
    return missing(inputs_of(p))


def fill_in(scene: Any, p: Any) -> None:
    """Chooses what is not chosen yet, by names and terminology."""
    hint = suggest(scene)
    with slicer.util.NodeModify(p.parameterNode):
        if p.image is None and hint.volumes:
            # Of echoes the first is enough to look at; maps are made of all.
            later = list(p.echoes)[1:]
            p.image, *p.maps = [node for node in hint.volumes if node not in later]
        if p.segmentation is None and hint.segmentation is not None:
            p.segmentation = hint.segmentation
            fill_in_roles(p)
        if p.dividers is None and hint.dividers is not None:
            p.dividers = hint.dividers


def fill_in_roles(p: Any) -> None:
    """Tells what each segment is by its name and terminology."""
    found = suggest_segments(p.segmentation) if p.segmentation else {}
    p.roles = {key: role for role, keys in found.items() for key in keys}


def add_dividers(scene: Any) -> Any:
    """A list of two points for the user to place along the gyrus."""
    node = scene.AddNewNodeByClass("vtkMRMLMarkupsFiducialNode", _("Foot, hand, face"))
    node.CreateDefaultDisplayNodes()
    node.SetMaximumNumberOfControlPoints(2)
    return node


def finish_dividers(scene: Any, node: Any) -> None:
    """Ends the placing once both points are there."""
    if node.GetNumberOfDefinedControlPoints() >= 2:
        stop_placing(scene, node)


def segmentation_to_edit(scene: Any, p: Any) -> Any:
    """The chosen segmentation; a new one with the usual segments where none is chosen."""
    if p.segmentation is not None:
        return p.segmentation
    node = scene.AddNewNodeByClass("vtkMRMLSegmentationNode", _("Cortex"))
    node.CreateDefaultDisplayNodes()
    if p.image is not None:
        node.SetReferenceImageGeometryParameterFromVolumeNode(p.image)
    names = {"gray": _("Gray matter"), "white": _("White matter"), "csf": _("CSF")}
    keys = {role: node.GetSegmentation().AddEmptySegment("", n) for role, n in names.items()}
    p.segmentation = node
    p.roles = {key: role for role, key in keys.items()}
    return node
