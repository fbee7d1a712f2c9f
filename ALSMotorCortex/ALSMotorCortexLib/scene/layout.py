"""The modules' arrangements of views, and what they show."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import slicer
import vtk

from .results import find_results
from .segmentations import register_conversions

# Layout numbers are shared by all modules; Slicer's own end below 1000.
RESULTS = 7031
DRAWING = 7032
READING = 7033

STRAIGHT = "Straight"
"""Tag of the slice view that shows the straightened cortex."""

_SLICE = """<view class="vtkMRMLSliceNode" singletontag="{tag}">
<property name="orientation" action="default">{orientation}</property>
<property name="viewlabel" action="default">{letter}</property>
<property name="viewcolor" action="default">{color}</property></view>"""
# Tags, letters and colours as in Slicer's own layouts.
_RED = _SLICE.format(tag="Red", orientation="Axial", letter="R", color="#F34A33")
_GREEN = _SLICE.format(tag="Green", orientation="Coronal", letter="G", color="#6EB04B")
_YELLOW = _SLICE.format(tag="Yellow", orientation="Sagittal", letter="Y", color="#EDD54C")
_STRAIGHT = _SLICE.format(tag=STRAIGHT, orientation="Axial", letter="S", color="#56B4E9")
_THREED = """<view class="vtkMRMLViewNode" singletontag="1">
<property name="viewlabel" action="default">1</property></view>"""
_PLOT = """<view class="vtkMRMLPlotViewNode" singletontag="PlotView1">
<property name="viewlabel" action="default">P</property></view>"""
_TABLE = """<view class="vtkMRMLTableViewNode" singletontag="TableView1">
<property name="viewlabel" action="default">T</property></view>"""


def _box(kind: str, *items: tuple[str, int]) -> str:
    """A ``horizontal`` or ``vertical`` row of views, each with its share of the room."""
    cells = "".join(f'<item splitSize="{share}">{view}</item>' for view, share in items)
    return f'<layout type="{kind}" split="true">{cells}</layout>'


_DESCRIPTIONS = {
    RESULTS: _box(
        "vertical",
        (
            _box(
                "horizontal",
                (_RED, 420),
                (_box("vertical", (_GREEN, 500), (_YELLOW, 500)), 200),
                (_THREED, 380),
            ),
            650,
        ),
        (_box("horizontal", (_PLOT, 500), (_TABLE, 500)), 350),
    ),
    DRAWING: _box(
        "horizontal", (_RED, 650), (_box("vertical", (_STRAIGHT, 500), (_PLOT, 500)), 350)
    ),
    READING: _box(
        "horizontal", (_RED, 700), (_box("vertical", (_GREEN, 500), (_YELLOW, 500)), 300)
    ),
}
OVERLAYS = (
    "thickness", "thickness_corrected", "angle", "depth_equivolume", "depth_equidistant",
)  # fmt: skip
"""Volumes of a result that can colour the slices."""

# Tag and class of the views that show a colour legend.
_LARGE = (("Red", "vtkMRMLSliceNode"), ("1", "vtkMRMLViewNode"))
# What the straight view was last fitted to.
_SHOWN = "ALSMotorCortex.Shown"
_PLANES = ("Sagittal", "Coronal", "Axial")


def register(scene: Any) -> None:
    """Makes the arrangements known to the scene's layout node."""
    node = _layout_node(scene)
    for number, description in _DESCRIPTIONS.items():
        if not node.IsLayoutDescription(number):
            node.AddLayoutDescription(number, description)


def arrange(scene: Any, number: int) -> None:
    """Switches to :data:`RESULTS`, :data:`DRAWING`, :data:`READING` or one of Slicer's own."""
    register(scene)
    _layout_node(scene).SetViewArrangement(number)


def arrangement(scene: Any) -> int:
    """The number of the present arrangement."""
    return int(_layout_node(scene).GetViewArrangement())


def is_drawing(scene: Any) -> bool:
    """Whether the views are arranged to draw in."""
    return _layout_node(scene).GetViewArrangement() == DRAWING


def drawing_plane(volume: Any) -> str:
    """The anatomical plane a volume's slices lie in: across its largest voxel side.

    Args:
        volume: a vtkMRMLVolumeNode.
    """
    spacing = np.array(volume.GetSpacing())
    matrix = vtk.vtkMatrix4x4()
    volume.GetIJKToRASDirectionMatrix(matrix)
    directions = slicer.util.arrayFromVTKMatrix(matrix)[:3, :3]
    # Equal sides leave the plane open; then it is the one the voxels are stored in.
    thick = 2 if np.ptp(spacing) < 1e-3 * spacing.max() else int(np.argmax(spacing))
    return _PLANES[int(np.argmax(np.abs(directions[:, thick])))]


def show_image(scene: Any, volume: Any) -> None:
    """Shows a volume to draw on: in the red view, along its own slices."""
    for composite in _nodes(scene, "vtkMRMLSliceCompositeNode"):
        if composite.GetLayoutName() == STRAIGHT or composite.GetBackgroundVolumeID() == (
            volume.GetID()
        ):
            continue
        composite.SetBackgroundVolumeID(volume.GetID())
        view = scene.GetSingletonNode(composite.GetLayoutName(), "vtkMRMLSliceNode")
        if view is not None:
            to_draw_on = composite.GetLayoutName() == "Red"
            if to_draw_on:
                view.SetOrientation(drawing_plane(volume))
            # An image of one slice must not turn all views into its plane.
            view.RotateToVolumePlane(volume, to_draw_on)
            _fit(view, volume)


def show_straight(scene: Any, volume: Any) -> None:
    """Shows the straightened cortex in the view of the drawing layout, as large as it fits.

    Args:
        volume: vtkMRMLScalarVolumeNode.
    """
    composite = next(
        (c for c in _nodes(scene, "vtkMRMLSliceCompositeNode") if c.GetLayoutName() == STRAIGHT),
        None,
    )
    view = scene.GetSingletonNode(STRAIGHT, "vtkMRMLSliceNode")
    if composite is None or view is None:
        return
    bounds = [0.0] * 6
    volume.GetRASBounds(bounds)
    # While a border is dragged the picture changes a little; the view then stays still.
    shown = view.GetAttribute(_SHOWN)
    wanted = f"{volume.GetID()} {[round(b / 2) for b in bounds]}"
    if shown != wanted:
        view.SetAttribute(_SHOWN, wanted)
        composite.SetBackgroundVolumeID(volume.GetID())
        view.SetOrientation("Axial")
        _fit(view, volume)


def show_slice_of(scene: Any, markup: Any) -> None:
    """Shows the slice that a markup was drawn on, in the view to draw in."""
    view = scene.GetSingletonNode("Red", "vtkMRMLSliceNode")
    if view is not None:
        view.JumpSlice(*markup.GetNthControlPointPositionWorld(0))


def show_chart(scene: Any, chart: Any) -> None:
    """Shows a vtkMRMLPlotChartNode in the plot view."""
    plot = scene.GetSingletonNode("PlotView1", "vtkMRMLPlotViewNode")
    if plot is not None and plot.GetPlotChartNodeID() != chart.GetID():
        plot.SetPlotChartNodeID(chart.GetID())


def shown_chart(scene: Any) -> Any:
    """The vtkMRMLPlotChartNode in the plot view, or None."""
    plot = scene.GetSingletonNode("PlotView1", "vtkMRMLPlotViewNode")
    return plot.GetPlotChartNode() if plot is not None else None


def show_result(
    scene: Any, nodes: Mapping[str, Any], overlay: str, opacity: float, layers: bool, surface: bool
) -> None:
    """Shows a result in the views as the user wants it.

    Args:
        nodes: of one of :func:`.results.find_results`.
        overlay: key of the volume that colours the slices; empty for none.
        opacity: of the overlay, 0 to 1.
        layers, surface: whether to show the layers and the coloured surface.
    """
    volume = nodes.get(overlay)
    for composite in _nodes(scene, "vtkMRMLSliceCompositeNode"):
        if composite.GetLayoutName() != STRAIGHT:
            composite.SetForegroundVolumeID(volume.GetID() if volume else None)
            composite.SetForegroundOpacity(opacity)
    views = [scene.GetSingletonNode(*view) for view in _LARGE]
    large = [view.GetID() for view in views if view is not None]
    for result in find_results(scene).values():
        for key, wanted in (("layers", layers), ("surface", surface)):
            if (node := result.get(key)) is not None:
                shown = wanted and node is nodes.get(key)
                if shown and key == "layers":
                    # 3D views show surfaces only.
                    register_conversions()
                    node.CreateClosedSurfaceRepresentation()
                node.GetDisplayNode().SetVisibility(shown)
        for key in OVERLAYS:
            if (node := result.get(key)) is not None:
                legend = slicer.vtkSlicerColorLogic.GetColorLegendDisplayNode(node)
                if legend is not None:
                    # The small views have no room for it.
                    legend.SetViewNodeIDs(large)
                    legend.SetVisibility(node is volume)
                    legend.Modified()
    if (table := nodes.get("measures")) is not None:
        for view in _nodes(scene, "vtkMRMLTableViewNode"):
            view.SetTableNodeID(table.GetID())
    charts = [node for key, node in nodes.items() if key.startswith("chart:")]
    if charts and shown_chart(scene) not in charts:
        show_chart(scene, charts[0])


def fit_slices(scene: Any, volume: Any) -> None:
    """Zooms the slice views to a volume; each stays at its slice."""
    for composite in _nodes(scene, "vtkMRMLSliceCompositeNode"):
        view = scene.GetSingletonNode(composite.GetLayoutName(), "vtkMRMLSliceNode")
        if view is not None and composite.GetLayoutName() != STRAIGHT:
            offset = view.GetSliceOffset()
            _fit(view, volume)
            view.SetSliceOffset(offset)


def start_placing(scene: Any, markup: Any, persistent: bool) -> None:
    """Lets the user place the points of a markups node with the mouse.

    Args:
        persistent: whether to go on after the first point.
    """
    selection = scene.GetNodeByID("vtkMRMLSelectionNodeSingleton")
    interaction = scene.GetNodeByID("vtkMRMLInteractionNodeSingleton")
    if selection is None or interaction is None:
        return
    selection.SetReferenceActivePlaceNodeClassName(markup.GetClassName())
    selection.SetReferenceActivePlaceNodeID(markup.GetID())
    interaction.SetPlaceModePersistence(int(persistent))
    interaction.SetCurrentInteractionMode(interaction.Place)


def stop_placing(scene: Any, markup: Any) -> None:
    """Ends the placing of a markups node that has all its points."""
    selection = scene.GetNodeByID("vtkMRMLSelectionNodeSingleton")
    interaction = scene.GetNodeByID("vtkMRMLInteractionNodeSingleton")
    if (
        interaction is not None
        and interaction.GetCurrentInteractionMode() == interaction.Place
        and selection.GetActivePlaceNodeID() == markup.GetID()
    ):
        interaction.SetCurrentInteractionMode(interaction.ViewTransform)


def _fit(view: Any, volume: Any) -> None:
    """Centres a slice view on a volume, as large as it fits."""
    bounds = [0.0] * 6
    volume.GetRASBounds(bounds)
    low, high = np.array(bounds[::2]), np.array(bounds[1::2])
    to_ras = slicer.util.arrayFromVTKMatrix(view.GetSliceToRAS())[:3, :3]
    size = np.abs(to_ras.T) @ (high - low)
    pixels = np.array(view.GetDimensions()[:2])
    per_pixel = 1.05 * float((size[:2] / pixels).max())
    view.SetFieldOfView(*(per_pixel * pixels), view.GetFieldOfView()[2])
    view.SetXYZOrigin(0, 0, 0)
    view.JumpSliceByCentering(*((low + high) / 2))
    view.UpdateMatrices()


def _nodes(scene: Any, class_name: str) -> list[Any]:
    count = scene.GetNumberOfNodesByClass(class_name)
    return [scene.GetNthNodeByClass(n, class_name) for n in range(count)]


def _layout_node(scene: Any) -> Any:
    node = scene.GetSingletonNode("vtkMRMLLayoutNode", "vtkMRMLLayoutNode")
    if node is None:
        node = slicer.vtkMRMLLayoutNode()
        node.SetSingletonTag("vtkMRMLLayoutNode")
        node = scene.AddNode(node)
    return node
