"""Maps made from echoes, as volumes in a scene."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import slicer
from numpy.typing import NDArray

from ..cortex.grid import Image
from .inputs import all_nodes, in_scene
from .markups import coded
from .translation import tr as _
from .volumes import add_volume

MAP = "ALSMotorCortex.EchoMap"
"""Attribute of a volume that was made from echoes: which map it is."""

FIT = "ALSMotorCortex.EchoFit"
"""Attribute of such a volume: how it was made, as JSON."""

ECHOES = "ALSMotorCortex.Echoes"
"""Role of the references from such a volume to the nodes it was made from."""

_UNITS = {
    "ms": ("ms", "UCUM", "millisecond"),
    "1/s": ("/s", "UCUM", "per second"),
}


def publish(
    scene: Any,
    maps: Mapping[str, Image],
    units: Mapping[str, str],
    echoes: Sequence[Any],
    record: str,
) -> dict[str, Any]:
    """Puts maps into the scene, in a folder of the subject hierarchy: on the main thread only.

    Maps that were made from the same nodes before are filled anew, so that whatever uses them
    uses the new ones; they keep their names, displays and places.

    Args:
        maps: by name.
        units: of the maps that have one: ms or 1/s.
        echoes: nodes that they were made from; those that are gone are passed over.
        record: how they were made, as JSON.

    Returns:
        The vtkMRMLScalarVolumeNode of each map.
    """
    echoes = [node for node in echoes if in_scene(node)]
    old = find_maps(scene, echoes)
    folder = _folder_of(scene, old.values())
    nodes = {}
    for name, image in maps.items():
        node = add_volume(scene, image, name, into=old.get(name))
        node.SetAttribute(MAP, name)
        node.SetAttribute(FIT, record)
        node.RemoveNodeReferenceIDs(ECHOES)
        for echo in echoes:
            node.AddNodeReferenceID(ECHOES, echo.GetID())
        if name in units:
            node.SetVoxelValueUnits(coded(*_UNITS[units[name]]))
        if name not in old:
            folder = folder or _new_folder(scene, echoes)
            _file(scene, node, folder)
            _window(node.GetDisplayNode(), image.array)
        nodes[name] = node
    return nodes


def find_maps(scene: Any, echoes: Sequence[Any]) -> dict[str, Any]:
    """The maps in a scene that were made from these nodes, by name."""
    wanted = {node.GetID() for node in echoes}
    found = {}
    for node in all_nodes(scene, "vtkMRMLScalarVolumeNode"):
        count = node.GetNumberOfNodeReferences(ECHOES)
        made_from = {node.GetNthNodeReferenceID(ECHOES, n) for n in range(count)}
        if node.GetAttribute(MAP) and wanted and made_from == wanted:
            found[node.GetAttribute(MAP)] = node
    return found


def _folder_of(scene: Any, nodes: Iterable[Any]) -> int:
    """The subject-hierarchy folder of the first node, or 0."""
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(scene)
    for node in nodes:
        parent = hierarchy.GetItemParent(hierarchy.GetItemByDataNode(node))
        return 0 if parent == hierarchy.GetSceneItemID() else int(parent)
    return 0


def _new_folder(scene: Any, echoes: Sequence[Any]) -> int:
    """A folder beside the first of the echoes."""
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(scene)
    item = hierarchy.GetItemByDataNode(echoes[0]) if echoes else 0
    parent = hierarchy.GetItemParent(item) if item else hierarchy.GetSceneItemID()
    name = _("Maps of {name}").format(name=echoes[0].GetName() if echoes else _("echoes"))
    return int(hierarchy.CreateFolderItem(parent, hierarchy.GenerateUniqueItemName(name)))


def _file(scene: Any, node: Any, folder: int) -> None:
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(scene)
    item = hierarchy.GetItemByDataNode(node)
    if item:
        hierarchy.SetItemParent(item, folder)
    else:
        hierarchy.CreateItem(folder, node, "Volumes")


def _window(display: Any, array: NDArray) -> None:
    """Gray levels for cortex and white matter; CSF lies far above them, and NaN, where nothing
    is fitted, would leave Slicer's own choice without any."""
    finite = array[np.isfinite(array)]
    if finite.size:
        low, high = (float(v) for v in np.percentile(finite, (0.5, 90)))
        display.SetAutoWindowLevel(False)
        display.SetWindowLevelMinMax(low, max(high + 0.6 * (high - low), low + 1e-6))
