"""A measurement as nodes of a scene, and as a scene file."""

from __future__ import annotations

import os
import tempfile
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import slicer
from vtkmodules.vtkCommonCore import vtkIdList

from ..cortex.errors import InputError
from ..cortex.grid import Image
from ..cortex.result import Measurement
from .colors import layer_colors, viridis
from .overlays import OVERLAYS, Scale, put_overlay, put_surface, set_window, values_of
from .ribbon import Ribbon
from .segmentations import Segment, add_segmentation
from .surface import mid_surface
from .tables import (
    add_bands_table,
    add_charts,
    add_measures_table,
    add_profiles_table,
    complete_charts,
)
from .tissues import TISSUES, tissue_segment
from .views import show
from .volumes import add_volume, crop

RESULT = "ALSMotorCortex.Result"
"""Node attribute that says what a node of a result is; see :func:`find_results`."""

PART_OF = "ALSMotorCortex.PartOf"
"""Role of the node reference from each node of a result to its settings node."""

# Kept of each map around the ribbon in a scene file, in mm.
MAP_MARGIN_MM = 20.0

# The plugin that shows each class in the subject hierarchy. The application finds it by
# itself for a new node, but trusts a scene file to name it.
_PLUGINS = {
    "vtkMRMLScalarVolumeNode": "Volumes",
    "vtkMRMLSegmentationNode": "Segmentations",
    "vtkMRMLModelNode": "Models",
    "vtkMRMLTableNode": "Tables",
    "vtkMRMLPlotChartNode": "Plots",
    "vtkMRMLPlotSeriesNode": "Plots",
    "vtkMRMLTextNode": "Texts",
}


def new_scene() -> Any:
    """An empty scene that takes every node of a result, on ``slicer-core`` as well."""
    scene = slicer.vtkMRMLScene()
    # The core library knows all other classes; this one comes with the Colors module.
    scene.RegisterNodeClass(slicer.vtkMRMLColorLegendDisplayNode())
    colors = slicer.vtkMRMLColorLogic()
    colors.SetMRMLScene(scene)
    colors.SetMRMLScene(None)
    return scene


def add_results(
    scene: Any,
    measurement: Measurement,
    labels: Image,
    maps: Mapping[str, Image | Any],
    name: str = "ALS Motor Cortex",
    segmentation: Any = None,
    surface: Any = None,
    ribbon: Ribbon | None = None,
) -> dict[str, Any]:
    """Adds a measurement to a scene and shows it. A failure leaves the scene as it was.

    Args:
        scene: the application's, or :func:`new_scene`.
        labels: the label map that was measured.
        maps: each contrast map, an Image or the vtkMRMLVolumeNode it came from. Nodes of
            the user's are neither copied nor moved.
        name: of the subject-hierarchy folder that gets all new nodes.
        segmentation: the vtkMRMLSegmentationNode that the labels came from; without it the
            labels become a new one.
        surface: of :func:`.surface.mid_surface`, where it was made before.
        ribbon: of the measurement, where it was found before.

    Returns:
        What each node is to the node: ``thickness``, ``depth_equivolume``,
        ``depth_equidistant``, where they were measured ``thickness_corrected`` and ``angle``,
        ``surface``, ``tissue``, ``layers``, ``measures``,
        ``profiles``, ``bands``, ``settings``, ``colors``, and for each map ``map:MAP``,
        ``chart:MAP``, ``series:MAP:REGION`` and ``band:MAP``. Volumes are NaN outside the
        ribbon and where nothing could be measured.
    """
    if ribbon is None:
        ribbon = Ribbon.of(measurement)
    if surface is None:
        surface = mid_surface(measurement, labels)
    with _undone_on_failure(scene):
        new = {
            f"map:{key}": _add_map(scene, image, key)
            for key, image in maps.items()
            if isinstance(image, Image)
        }
        if segmentation is None:
            new["tissue"] = _add_tissue(scene, measurement, labels)
        new |= _put(scene, measurement, ribbon, surface, {})
        _file(scene, new, _new_folder(scene, name), new["settings"])
        nodes = new | {"colors": viridis(scene)}
        nodes |= {f"map:{key}": n for key, n in maps.items() if not isinstance(n, Image)}
        nodes |= {"tissue": segmentation} if segmentation else {}
        show(scene, nodes, ribbon)
    return nodes


def update_results(
    scene: Any,
    old: Mapping[str, Any],
    measurement: Measurement,
    labels: Image,
    segmentation: Any = None,
) -> dict[str, Any]:
    """Puts a new measurement into the nodes of an earlier one.

    Nodes keep their IDs, names and places in the subject hierarchy, and all that was chosen
    about their display; where nothing was, colour ranges follow the new values. Nodes that
    the user deleted come back; those of regions and maps that are gone go. Views stay.

    Args:
        old: one of :func:`find_results`.
        labels: the label map that was measured.
        segmentation: as for :func:`add_results`; it is left alone.

    Returns:
        As :func:`add_results`, without the user's own nodes.
    """
    ribbon = Ribbon.of(measurement)
    surface = mid_surface(measurement, labels)
    with _undone_on_failure(scene):
        nodes = _put(scene, measurement, ribbon, surface, old)
        if "record" in old:
            nodes["record"] = old["record"]
        if "tissue" in old and segmentation is None:
            nodes["tissue"] = _add_tissue(scene, measurement, labels, old["tissue"])
        hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(scene)
        folder = hierarchy.GetItemParent(hierarchy.GetItemByDataNode(old["settings"]))
        added = {key: node for key, node in nodes.items() if key not in old}
        _file(scene, added, folder, old["settings"])
    for key, node in old.items():
        gone = key in OVERLAYS or key.startswith(("chart:", "series:", "band:"))
        if key not in nodes and gone:
            scene.RemoveNode(node)
    return nodes | {"colors": viridis(scene)}


def put_record(scene: Any, nodes: Mapping[str, Any], text: str) -> Any:
    """Puts a text into the node ``record`` of a result, made where it is missing.

    Args:
        nodes: of :func:`add_results` or :func:`update_results`.
    """
    node = nodes.get("record")
    if node is None:
        hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(scene)
        folder = hierarchy.GetItemParent(hierarchy.GetItemByDataNode(nodes["settings"]))
        node = scene.AddNewNodeByClass("vtkMRMLTextNode", "Report data")
        _file(scene, {"record": node}, folder, nodes["settings"])
    node.SetText(text)
    return node


def find_results(scene: Any) -> dict[int, dict[str, Any]]:
    """The results in a scene, also one that was saved and read again.

    Returns:
        For each folder's subject-hierarchy item ID what :func:`add_results` returned for it,
        without the user's own nodes and the colour table. Oldest first. A node that was
        moved to another folder is still part of its result; one without its settings node
        is no result any more.
    """
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(scene)
    found: dict[int, dict[str, Any]] = {}
    for n in range(scene.GetNumberOfNodes()):
        node = scene.GetNthNode(n)
        key = node.GetAttribute(RESULT)
        head = node if key == "settings" else node.GetNodeReference(PART_OF)
        item = hierarchy.GetItemByDataNode(head) if key and head else 0
        if item:
            found.setdefault(hierarchy.GetItemParent(item), {})[key] = node
    return found


def after_reading(scene: Any) -> None:
    """Call when a scene was read: mends what Slicer's views did to the results in it."""
    for nodes in find_results(scene).values():
        complete_charts(nodes)


def write_scene(
    measurement: Measurement,
    path: Path,
    labels: Image,
    maps: Mapping[str, Image],
    surface: Any = None,
) -> None:
    """Writes a scene file (.mrb) that opens in Slicer with the results shown.

    Maps are cropped to the ribbon's surroundings; their voxels keep their place. The file is
    written aside and moved into place.

    Args:
        path: of the file.
        labels: what was measured.
        maps: each contrast map by its name.
        surface: as for :func:`add_results`.

    Raises:
        InputError: the file cannot be written.
    """
    path = Path(path)
    ribbon = Ribbon.of(measurement)
    around = measurement.grid.ras(ribbon.corners)
    near = {key: crop(image, around, MAP_MARGIN_MM) for key, image in maps.items()}
    scene = new_scene()
    add_results(scene, measurement, labels, near, surface=surface, ribbon=ribbon)
    try:
        with tempfile.TemporaryDirectory(prefix=".scene-", dir=path.parent) as aside:
            folder = Path(aside) / path.stem
            folder.mkdir()
            _save(scene, folder)
            bundle = Path(aside) / path.name
            _zip(folder, bundle)
            os.replace(bundle, path)
    except OSError as error:
        raise InputError(
            f"The scene {path} cannot be written ({error.strerror or error}). "
            "Choose another folder or free some space."
        ) from error


def _add_map(scene: Any, image: Image, name: str) -> Any:
    node = add_volume(scene, image, name)
    finite = image.array[np.isfinite(image.array)]
    if finite.size:
        low, high = np.percentile(finite, (1, 99))
        set_window(node.GetDisplayNode(), float(low), float(max(high, low + 1e-6)))
    return node


def _put(
    scene: Any, measurement: Measurement, ribbon: Ribbon, surface: Any, old: Mapping[str, Any]
) -> dict[str, Any]:
    """The nodes that hold a measurement: those of ``old`` that are there, or new ones."""
    colors = viridis(scene)
    before = {key: Scale.of(key, values_of(old[key])) for key in OVERLAYS if key in old}
    nodes = {}
    for key in OVERLAYS:
        if (values := getattr(measurement, key)) is None:
            continue
        scales = (before.get(key), Scale.of(key, values))
        image = ribbon.paint(values, np.nan)
        nodes[key] = put_overlay(scene, key, image, colors, scales, old.get(key))
    scales = (before.get("thickness"), Scale.of("thickness", measurement.thickness))
    nodes["surface"] = put_surface(scene, surface, colors, scales, old.get("surface"))
    nodes["layers"] = _put_layers(scene, measurement, ribbon, old.get("layers"))
    for key, add, name in (
        ("measures", add_measures_table, "Measures"),
        ("profiles", add_profiles_table, "Profiles"),
        ("bands", add_bands_table, "Profile bands"),
    ):
        nodes[key] = add(scene, measurement, name, old.get(key))
    nodes |= add_charts(scene, measurement, nodes["profiles"], nodes["bands"], "Profile", old)
    nodes["settings"] = _put_settings(scene, measurement, old.get("settings"))
    return nodes


def _add_tissue(scene: Any, measurement: Measurement, labels: Image, old: Any = None) -> Any:
    rim = measurement.settings.label_style == "rim"
    segments = []
    for tissue in TISSUES:
        if own := getattr(measurement.settings, tissue):
            segment = tissue_segment(tissue, own)
            if rim and tissue in ("wm", "csf"):
                segment = tissue_segment(tissue, own, f"{segment.name} border line")
            segments.append(segment)
    node = add_segmentation(scene, labels, segments, "Tissue", old)
    if old is None:
        node.GetDisplayNode().SetVisibility(False)
    return node


def _put_layers(scene: Any, measurement: Measurement, ribbon: Ribbon, old: Any) -> Any:
    segments = _layer_segments(measurement.settings.layers)
    if old is None:
        node = add_segmentation(scene, ribbon.paint(measurement.layers, 0), segments, "Layers")
        # Filled layers would hide the thickness that the slices show first.
        node.GetDisplayNode().SetVisibility(False)
        return node
    # The middle layer of three is another one of five.
    segmentation = old.GetSegmentation()
    before = _layer_segments(segmentation.GetNumberOfSegments())
    for n, (was, now) in enumerate(zip(before, segments, strict=False)):
        part = segmentation.GetNthSegment(n)
        if part.GetName() == was.name:
            part.SetName(now.name)
        if np.allclose(part.GetColor(), was.color, atol=0.01):
            part.SetColor(*now.color)
    return add_segmentation(scene, ribbon.paint(measurement.layers, 0), segments, into=old)


def _layer_segments(layers: int) -> list[Segment]:
    ends = {1: " (superficial)", layers: " (deep)"} if layers > 1 else {}
    middle = {2: " (middle)"} if layers == 3 else {}
    names = ends | middle
    return [
        Segment((n,), f"Layer {n}{names.get(n, '')}", color)
        for n, color in enumerate(layer_colors(layers), start=1)
    ]


def _put_settings(scene: Any, measurement: Measurement, old: Any) -> Any:
    node = old or scene.AddNewNodeByClass("vtkMRMLTextNode", "Settings and findings")
    findings = [f"- {f.message}" for f in measurement.findings] or ["- Nothing to report."]
    seconds = [f"- {step}: {s:.2f} s" for step, s in measurement.seconds.items()]
    text = ["Settings", measurement.settings.to_json(), "", "Findings", *findings]
    node.SetText("\n".join(text + (["", "Time of each step", *seconds] if seconds else [])))
    return node


def _new_folder(scene: Any, name: str) -> int:
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(scene)
    return hierarchy.CreateFolderItem(
        hierarchy.GetSceneItemID(), hierarchy.GenerateUniqueItemName(name)
    )


def _file(scene: Any, nodes: Mapping[str, Any], folder: int, settings: Any) -> None:
    """Puts nodes into a subject-hierarchy folder and marks what each is.

    Args:
        settings: the settings node of the result that they are part of.
    """
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(scene)
    for key, node in nodes.items():
        node.SetAttribute(RESULT, key)
        if key != "settings":
            node.SetNodeReferenceID(PART_OF, settings.GetID())
        item = hierarchy.GetItemByDataNode(node)
        if item:
            hierarchy.SetItemParent(item, folder)
        else:
            hierarchy.CreateItem(folder, node, _PLUGINS[node.GetClassName()])


@contextmanager
def _undone_on_failure(scene: Any) -> Iterator[None]:
    """Takes back out of a scene the nodes and folders that came in before a failure."""
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(scene)
    before, items = set(_node_ids(scene)), set(_folders(hierarchy))
    try:
        yield
    except BaseException:
        for node_id in reversed(_node_ids(scene)):
            if node_id not in before:
                scene.RemoveNode(scene.GetNodeByID(node_id))
        for item in set(_folders(hierarchy)) - items:
            hierarchy.RemoveItem(item)
        raise


def _node_ids(scene: Any) -> list[str]:
    return [scene.GetNthNode(n).GetID() for n in range(scene.GetNumberOfNodes())]


def _folders(hierarchy: Any) -> list[int]:
    """Items at the top of the subject hierarchy."""
    items = vtkIdList()
    hierarchy.GetItemChildren(hierarchy.GetSceneItemID(), items)
    return [items.GetId(n) for n in range(items.GetNumberOfIds())]


def _save(scene: Any, folder: Path) -> None:
    messages = slicer.vtkMRMLMessageCollection()
    if not scene.SaveSceneToSlicerDataBundleDirectory(str(folder.resolve()), None, messages):
        raise OSError(messages.GetAllMessagesAsString() or "the nodes could not be saved")


def _zip(folder: Path, bundle: Path) -> None:
    with zipfile.ZipFile(bundle, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for file in sorted(folder.rglob("*")):
            # Slicer has compressed the voxels already.
            how = zipfile.ZIP_STORED if file.suffix == ".nrrd" else zipfile.ZIP_DEFLATED
            archive.write(file, file.relative_to(folder.parent), how)
