"""A measurement as nodes of a scene, and as a scene file."""

from __future__ import annotations

import os
import tempfile
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import slicer
from numpy.typing import NDArray

from ..cortex.errors import InputError
from ..cortex.grid import Image
from ..cortex.result import Measurement
from .colors import layer_colors, viridis
from .ribbon import Ribbon
from .segmentations import Segment, add_segmentation
from .tables import add_bands_table, add_charts, add_measures_table, add_profiles_table
from .views import show
from .volumes import add_volume, crop

RESULT = "ALSMotorCortex.Result"
"""Node attribute that says what a node of a result is; see :func:`find_results`."""

# Kept of each map around the ribbon in a scene file, in mm.
MAP_MARGIN_MM = 20.0

# The plugin that shows each class in the subject hierarchy. The application finds it by
# itself for a new node, but trusts a scene file to name it.
_PLUGINS = {
    "vtkMRMLScalarVolumeNode": "Volumes",
    "vtkMRMLSegmentationNode": "Segmentations",
    "vtkMRMLTableNode": "Tables",
    "vtkMRMLPlotChartNode": "Plots",
    "vtkMRMLPlotSeriesNode": "Plots",
    "vtkMRMLTextNode": "Texts",
}

# Colours and codes as in Slicer's terminology "SegmentationCategoryTypeModifier-DICOM-Master".
_CATEGORY = "Segmentation category and type - DICOM master list~SCT^123037004^Anatomical Structure"
_TISSUES = (
    ("gm", "Gray matter", (200, 200, 235), "SCT^389081007^Gray Matter"),
    ("wm", "White matter", (250, 250, 210), "SCT^389080008^White Matter"),
    ("csf", "CSF", (85, 188, 255), "SCT^65216001^Cerebrospinal Fluid"),
    ("other_bank", "Opposite bank", (204, 121, 167), "SCT^389081007^Gray Matter"),
)


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
    labels: Image | Any,
    maps: Mapping[str, Image | Any],
    name: str = "ALS Motor Cortex",
) -> dict[str, Any]:
    """Adds a measurement to a scene and shows it.

    Args:
        scene: the application's, or :func:`new_scene`.
        labels: what was measured, an Image or the vtkMRMLSegmentationNode it came from.
        maps: each contrast map, an Image or the vtkMRMLVolumeNode it came from. Nodes of
            the user's are neither copied nor moved.
        name: of the subject-hierarchy folder that gets all new nodes.

    Returns:
        What each node is to the node: ``thickness``, ``depth_equivolume``,
        ``depth_equidistant``, ``tissue``, ``layers``, ``measures``, ``profiles``,
        ``bands``, ``settings``, ``colors``, and for each map ``map:MAP``, ``chart:MAP``,
        ``series:MAP:REGION`` and ``band:MAP``. Volumes are NaN outside the ribbon and where
        nothing could be measured.
    """
    ribbon = Ribbon.of(measurement)
    given = {f"map:{key}": m for key, m in maps.items()} | {"tissue": labels}
    nodes = {key: node for key, node in given.items() if not isinstance(node, Image)}
    new: dict[str, Any] = {}
    for key, image in maps.items():
        if isinstance(image, Image):
            new[f"map:{key}"] = _add_map(scene, image, key)
    new["colors"] = viridis(scene)
    new |= _add_volumes(scene, measurement, ribbon, new["colors"])
    if isinstance(labels, Image):
        new["tissue"] = _add_tissue(scene, measurement, labels)
    new["layers"] = _add_layers(scene, measurement, ribbon)
    new["measures"] = add_measures_table(scene, measurement, "Measures")
    new["profiles"] = add_profiles_table(scene, measurement, "Profiles")
    new["bands"] = add_bands_table(scene, measurement, "Profile bands")
    new |= add_charts(scene, measurement, new["profiles"], new["bands"], "Profile")
    new["settings"] = _add_settings(scene, measurement)
    _file(scene, new, name)
    nodes |= new
    show(scene, nodes, ribbon)
    return nodes


def find_results(scene: Any) -> dict[int, dict[str, Any]]:
    """The results in a scene, also one that was saved and read again.

    Returns:
        For each folder's subject-hierarchy item ID what :func:`add_results` returned for it,
        without the user's own nodes and the colour table. Oldest first.
    """
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(scene)
    found: dict[int, dict[str, Any]] = {}
    for n in range(scene.GetNumberOfNodes()):
        node = scene.GetNthNode(n)
        item = hierarchy.GetItemByDataNode(node)
        if node.GetAttribute(RESULT) and item:
            folder = hierarchy.GetItemParent(item)
            found.setdefault(folder, {})[node.GetAttribute(RESULT)] = node
    return found


def write_scene(
    measurement: Measurement, path: Path, labels: Image, maps: Mapping[str, Image]
) -> None:
    """Writes a scene file (.mrb) that opens in Slicer with the results shown.

    Maps are cropped to the ribbon's surroundings; their voxels keep their place. The file is
    written aside and moved into place.

    Args:
        path: of the file.
        labels: what was measured.
        maps: each contrast map by its name.

    Raises:
        InputError: the file cannot be written.
    """
    path = Path(path)
    around = measurement.grid.ras(Ribbon.of(measurement).corners)
    near = {key: crop(image, around, MAP_MARGIN_MM) for key, image in maps.items()}
    scene = new_scene()
    add_results(scene, measurement, labels, near)
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
        _window(node.GetDisplayNode(), float(low), float(max(high, low + 1e-6)))
    return node


def _add_volumes(
    scene: Any, measurement: Measurement, ribbon: Ribbon, colors: Any
) -> dict[str, Any]:
    """Thickness and both depths as coloured overlays with a legend."""
    overlays = (
        ("thickness", "Thickness\n(mm)", "mm", _millimetres(measurement.thickness)),
        ("depth_equivolume", "Depth\nequivolume", "1", (0.0, 1.0, 0.2)),
        ("depth_equidistant", "Depth\nequidistant", "1", (0.0, 1.0, 0.2)),
    )
    nodes = {}
    for field, title, unit, (low, high, step) in overlays:
        values = getattr(measurement, field)
        name = field.replace("_", ", ").capitalize()
        node = add_volume(scene, ribbon.paint(values, np.nan), name)
        _overlay(node, colors, low, high, values)
        _legend(node, title, round((high - low) / step) + 1)
        code = slicer.vtkCodedEntry()
        code.SetValueSchemeMeaning(unit, "UCUM", {"mm": "millimeter", "1": "no units"}[unit])
        node.SetVoxelValueUnits(code)
        nodes[field] = node
    return nodes


def _millimetres(thickness: NDArray) -> tuple[float, float, float]:
    """Range and step of the colour legend, so that every number on it is exact.

    The range holds the 5th to the 95th percentile and ends at whole millimetres.
    """
    finite = thickness[np.isfinite(thickness)]
    low, high = np.percentile(finite, (5, 95)) if finite.size else (0, 5)
    low = np.floor(low)
    span = max(np.ceil(high) - low, 1)
    step = 0.5 if span < 3 else np.ceil(span / 8)
    return float(low), float(low + step * np.ceil(span / step)), float(step)


def _overlay(node: Any, colors: Any, low: float, high: float, values: NDArray) -> None:
    display = node.GetDisplayNode()
    display.SetAndObserveColorNodeID(colors.GetID())
    _window(display, low, high)
    # Interpolation would spread the NaN around the ribbon into it.
    display.SetInterpolate(False)
    # NaN lies in no range, so that a threshold around all values leaves it transparent.
    finite = values[np.isfinite(values)]
    display.SetAutoThreshold(False)
    display.SetThreshold(
        float(finite.min()) if finite.size else low, float(finite.max()) if finite.size else high
    )
    display.SetApplyThreshold(True)


def _window(display: Any, low: float, high: float) -> None:
    display.SetAutoWindowLevel(False)
    display.SetWindowLevelMinMax(low, high)


def _legend(node: Any, title: str, numbers: int) -> None:
    legend = slicer.vtkSlicerColorLogic.AddDefaultColorLegendDisplayNode(node)
    legend.SetTitleText(title)
    legend.SetLabelFormat("%.1f")
    legend.SetNumberOfLabels(numbers)


def _add_tissue(scene: Any, measurement: Measurement, labels: Image) -> Any:
    rim = measurement.settings.label_style == "rim"
    segments = [
        Segment(
            getattr(measurement.settings, field),
            f"{name} border line" if rim and field in ("wm", "csf") else name,
            (rgb[0] / 255, rgb[1] / 255, rgb[2] / 255),
            f"{_CATEGORY}~{code}~^^~Anatomic codes - DICOM master list~^^~^^",
        )
        for field, name, rgb, code in _TISSUES
        if getattr(measurement.settings, field)
    ]
    node = add_segmentation(scene, labels, segments, "Tissue")
    node.GetDisplayNode().SetVisibility(False)
    return node


def _add_layers(scene: Any, measurement: Measurement, ribbon: Ribbon) -> Any:
    layers = measurement.settings.layers
    ends = {1: " (superficial)", layers: " (deep)"} if layers > 1 else {}
    middle = {2: " (middle)"} if layers == 3 else {}
    names = ends | middle
    segments = [
        Segment((n,), f"Layer {n}{names.get(n, '')}", color)
        for n, color in enumerate(layer_colors(layers), start=1)
    ]
    image = ribbon.paint(measurement.layers, 0)
    node = add_segmentation(scene, image, segments, "Layers")
    # Filled layers would hide the thickness that the slices show first.
    node.GetDisplayNode().SetVisibility(False)
    return node


def _add_settings(scene: Any, measurement: Measurement) -> Any:
    node = scene.AddNewNodeByClass("vtkMRMLTextNode", "Settings and findings")
    findings = [f"- {f.message}" for f in measurement.findings] or ["- Nothing to report."]
    seconds = [f"- {step}: {s:.2f} s" for step, s in measurement.seconds.items()]
    text = ["Settings", measurement.settings.to_json(), "", "Findings", *findings]
    node.SetText("\n".join(text + (["", "Time of each step", *seconds] if seconds else [])))
    return node


def _file(scene: Any, nodes: Mapping[str, Any], name: str) -> None:
    """Puts nodes into a new subject-hierarchy folder and marks what each is."""
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(scene)
    folder = hierarchy.CreateFolderItem(
        hierarchy.GetSceneItemID(), hierarchy.GenerateUniqueItemName(name)
    )
    for key, node in nodes.items():
        node.SetAttribute(RESULT, key)
        plugin = _PLUGINS.get(node.GetClassName())
        if plugin is None:
            continue
        item = hierarchy.GetItemByDataNode(node)
        if item:
            hierarchy.SetItemParent(item, folder)
        else:
            hierarchy.CreateItem(folder, node, plugin)


def _save(scene: Any, folder: Path) -> None:
    messages = slicer.vtkMRMLMessageCollection()
    if not scene.SaveSceneToSlicerDataBundleDirectory(str(folder.resolve()), None, messages):
        raise OSError(messages.GetAllMessagesAsString() or "the nodes could not be saved")


def _zip(folder: Path, bundle: Path) -> None:
    with zipfile.ZipFile(bundle, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in sorted(folder.rglob("*")):
            # Slicer has compressed the voxels already.
            how = zipfile.ZIP_STORED if file.suffix == ".nrrd" else zipfile.ZIP_DEFLATED
            archive.write(file, file.relative_to(folder.parent), how)
