"""What the views show: layout, slices, plot and table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import slicer
from vtkmodules.util.numpy_support import vtk_to_numpy

from .geometry import from_vtk, to_vtk
from .ribbon import Ribbon

# Name, orientation, letter and colour of the slice views, as in Slicer's own layouts.
_SLICES = (
    ("Red", "Axial", "R", (0xF3, 0x4A, 0x33)),
    ("Green", "Coronal", "G", (0x6E, 0xB0, 0x4B)),
    ("Yellow", "Sagittal", "Y", (0xED, 0xD5, 0x4C)),
)
# Layouts of modules have numbers from here on; the module in the window has one of its own.
_MODULES_LAYOUTS = 1000
# Tag of the first 3D view.
_THREED = "1"
# The ribbon fills this share of a slice view.
_FILL = 0.85


def show(scene: Any, nodes: Mapping[str, Any], ribbon: Ribbon) -> None:
    """Shows results: map, thickness overlay, surface, first chart and the measures.

    The slices lie along the grid's axes, through the middle of the ribbon, and are zoomed
    to it. View nodes that the scene lacks are made; the application has them already.

    Args:
        nodes: as :func:`.results.add_results` returns.
        ribbon: to zoom to.
    """
    background = next((n for key, n in nodes.items() if key.startswith("map:")), None)
    for view in _SLICES:
        composite = _singleton(scene, "vtkMRMLSliceCompositeNode", view[0])
        composite.SetBackgroundVolumeID(background.GetID() if background else None)
        composite.SetForegroundVolumeID(nodes["thickness"].GetID())
        composite.SetForegroundOpacity(1.0)
        _fit(_slice_node(scene, *view), nodes["thickness"], ribbon)
    # A view takes up the legend of a volume shown by a script only when the legend changes
    # (vtkMRMLColorLegendDisplayableManager, ProcessMRMLNodesEvents).
    slicer.vtkSlicerColorLogic.GetColorLegendDisplayNode(nodes["thickness"]).Modified()
    chart = next((n for key, n in nodes.items() if key.startswith("chart:")), None)
    _show_selection(scene, nodes["measures"], chart, background or nodes["thickness"])
    _aim(scene, nodes["surface"].GetPolyData())
    _show_layout(scene)


def jump(scene: Any, ras: Sequence[float]) -> None:
    """Puts a place into the middle of all slice views, and turns the 3D view around it.

    Args:
        ras: in mm.
    """
    node = slicer.vtkMRMLSliceNode
    node.JumpAllSlices(scene, *(float(mm) for mm in ras), node.CenteredJumpSlice)
    camera = scene.GetSingletonNode(_THREED, "vtkMRMLCameraNode")
    if camera is not None:
        shift = np.array(ras, float) - camera.GetFocalPoint()
        camera.SetPosition(*(shift + camera.GetPosition()))
        camera.SetFocalPoint(*(float(mm) for mm in ras))
        camera.ResetClippingRange()


def _aim(scene: Any, surface: Any) -> None:
    """Points the camera of the 3D view at a surface, from its pial side and somewhat above."""
    if not surface.GetNumberOfPoints():
        return
    _singleton(scene, "vtkMRMLViewNode", _THREED, _THREED)
    camera = _singleton(scene, "vtkMRMLCameraNode", _THREED)
    side = vtk_to_numpy(surface.GetPointData().GetNormals()).mean(axis=0)
    if np.linalg.norm(side) < 0.2:  # it bends all around
        side = np.array([0.0, 0.0, 1.0])
    side = side / np.linalg.norm(side) + [0.0, 0.0, 0.5]
    side = side / np.linalg.norm(side)
    middle = np.array(surface.GetCenter())
    # The view may be narrower than it is high, which no node says.
    away = 1.4 * surface.GetLength() / 2 / np.sin(np.radians(camera.GetViewAngle() / 2))
    up = (0.0, 0.0, 1.0) if abs(side[2]) < 0.9 else (0.0, 1.0, 0.0)
    camera.SetFocalPoint(*middle)
    camera.SetPosition(*(middle + away * side))
    camera.SetViewUp(*up)
    camera.ResetClippingRange()


def _show_layout(scene: Any) -> None:
    layout = _singleton(scene, "vtkMRMLLayoutNode", "vtkMRMLLayoutNode")
    if layout.GetViewArrangement() >= _MODULES_LAYOUTS:
        return
    arrangement = slicer.vtkMRMLLayoutNode.SlicerLayoutFourUpPlotTableView
    if not layout.IsLayoutDescription(arrangement):
        # Without the application nobody knows its layouts; only their number is saved.
        layout.AddLayoutDescription(arrangement, "<layout/>")
    layout.SetViewArrangement(arrangement)


def _show_selection(scene: Any, table: Any, chart: Any, volume: Any) -> None:
    selection = _singleton(scene, "vtkMRMLSelectionNode", "Singleton")
    selection.SetActiveVolumeID(volume.GetID())
    selection.SetActiveTableID(table.GetID())
    table_view = _singleton(scene, "vtkMRMLTableViewNode", "TableView1", "T")
    table_view.SetTableNodeID(table.GetID())
    if chart:
        selection.SetActivePlotChartID(chart.GetID())
        plot_view = _singleton(scene, "vtkMRMLPlotViewNode", "PlotView1", "P")
        plot_view.SetPlotChartNodeID(chart.GetID())


def _singleton(scene: Any, class_name: str, tag: str, letter: str = "") -> Any:
    node = scene.GetSingletonNode(tag, class_name)
    if node is None:
        node = scene.CreateNodeByClass(class_name)
        node.UnRegister(None)
        node.SetSingletonTag(tag)
        node.SetName(tag)
        if letter:
            node.SetLayoutLabel(letter)
        node = scene.AddNode(node)
    return node


def _slice_node(
    scene: Any, tag: str, orientation: str, letter: str, color: tuple[int, int, int]
) -> Any:
    """The slice node of a view, in its anatomical orientation."""
    if scene.GetSingletonNode(tag, "vtkMRMLSliceNode") is None:
        slicer.vtkMRMLSliceNode.AddDefaultSliceOrientationPresets(scene)
        node = _singleton(scene, "vtkMRMLSliceNode", tag, letter)
        node.SetLayoutColor(*(c / 255 for c in color))
        node.SetDimensions(256, 256, 1)
    node = _singleton(scene, "vtkMRMLSliceNode", tag)
    node.SetOrientation(orientation)
    return node


def _fit(node: Any, volume: Any, ribbon: Ribbon) -> None:
    """Puts a slice through the middle of the ribbon, along the grid, zoomed to the ribbon."""
    # A ribbon of one slice must not turn all views into that slice's plane.
    node.RotateToVolumePlane(volume, False)
    to_ras = from_vtk(node.GetSliceToRAS())
    axes = to_ras[:3, :3]
    box = ribbon.grid.ras(ribbon.corners) @ axes
    center = (box.min(axis=0) + box.max(axis=0)) / 2
    center[2] = (ribbon.grid.ras(ribbon.middle) @ axes)[2]
    to_ras[:3, 3] = axes @ center
    node.GetSliceToRAS().DeepCopy(to_vtk(to_ras))
    size = np.ptp(box, axis=0)[:2] / _FILL
    pixels = np.array(node.GetDimensions()[:2])
    per_pixel = max((size / pixels).max(), min(ribbon.grid.spacing) / 100)
    node.SetFieldOfView(*(per_pixel * pixels), node.GetFieldOfView()[2])
    node.UpdateMatrices()
