"""Folders of the subject hierarchy."""

from __future__ import annotations

from typing import Any

import slicer
import vtk

# The plugin that shows each class in the subject hierarchy.
_PLUGINS = {
    "vtkMRMLMarkupsLineNode": "Markups",
    "vtkMRMLMarkupsCurveNode": "Markups",
    "vtkMRMLMarkupsFiducialNode": "Markups",
    "vtkMRMLScalarVolumeNode": "Volumes",
    "vtkMRMLTableNode": "Tables",
    "vtkMRMLPlotChartNode": "Plots",
    "vtkMRMLPlotSeriesNode": "Plots",
    "vtkMRMLSegmentationNode": "Segmentations",
}


def file_together(scene: Any, name: str, nodes: list[Any]) -> int:
    """Puts nodes into the subject-hierarchy folder of a name, made where missing.

    A node that the user has put into a folder of his own stays there.

    Returns:
        the folder's item ID.
    """
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(scene)
    root = hierarchy.GetSceneItemID()
    folder = _folder(hierarchy, name) or hierarchy.CreateFolderItem(root, name)
    for node in nodes:
        item = hierarchy.GetItemByDataNode(node)
        if not item and (plugin := _PLUGINS.get(node.GetClassName())):
            hierarchy.CreateItem(folder, node, plugin)
        elif item and hierarchy.GetItemParent(item) == root:
            hierarchy.SetItemParent(item, folder)
    return folder


def _folder(hierarchy: Any, name: str) -> int:
    """The folder item of a name at the top of the hierarchy, 0 where there is none."""
    children = vtk.vtkIdList()
    hierarchy.GetItemChildren(hierarchy.GetSceneItemID(), children)
    items = [children.GetId(n) for n in range(children.GetNumberOfIds())]
    return next(
        (
            item
            for item in items
            if hierarchy.GetItemName(item) == name
            and hierarchy.GetItemLevel(item)
            == slicer.vtkMRMLSubjectHierarchyConstants.GetSubjectHierarchyLevelFolder()
        ),
        0,
    )


def remove_empty_folder(scene: Any, node: Any) -> None:
    """Removes the folder that a markup was in, if it holds nothing else."""
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(scene)
    folder = _folder(hierarchy, node.GetName())
    if not folder:
        return
    children = vtk.vtkIdList()
    hierarchy.GetItemChildren(folder, children)
    items = [children.GetId(n) for n in range(children.GetNumberOfIds())]
    # Items of removed nodes may stay: without the application until the scene is saved.
    nodes = [hierarchy.GetItemDataNode(item) for item in items]
    if not any(hierarchy.GetItemLevel(item) for item in items) and not any(
        other is not None and scene.IsNodePresent(other) for other in nodes
    ):
        for item in (*items, folder):
            hierarchy.RemoveItem(item, False, False)
