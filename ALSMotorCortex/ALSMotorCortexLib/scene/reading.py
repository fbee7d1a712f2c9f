"""Cases to read by eye: shown so that nothing but the image tells which one it is.

A case comes into the scene as voxels and grid alone, under its number. What else its file says
(names, DICOM identifiers, where it was loaded from, results) stays outside.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import slicer
from numpy.typing import NDArray

from ..cortex.errors import InputError
from ..cortex.grid import Image
from . import inputs, layout
from .results import RESULT, new_scene
from .volumes import add_volume, read_volume

CASE = "ALSMotorCortex.Reading"
"""Attribute of the node that shows a case: its number."""

# Voxels that a window is told from, about; and its half width in interquartile ranges.
_ENOUGH = 1_000_000
_SPREAD = 6


def image_of_scene(path: Path) -> Image:
    """The image that a scene file shows, read apart from the application's scene.

    It is the one in the background of the red view, else the one that would be measured first.
    Where it lies in the world is kept; results of this module are not taken for images.

    Args:
        path: .mrb or .mrml.

    Raises:
        InputError: the file cannot be read, or has no image in it.
    """
    scene = new_scene()
    try:
        with tempfile.TemporaryDirectory() as folder:
            return _shown_image(scene, path, folder)
    finally:
        scene.Clear(1)


def _shown_image(scene: Any, path: Path, folder: str) -> Image:
    mrml = str(path)
    if path.suffix.lower() == ".mrb":
        mrml = _unpacked(path, folder)
    scene.SetURL(mrml or "")
    # A part of the scene that this program does not know is no reason to give up.
    if not mrml or not (scene.Connect(slicer.vtkMRMLMessageCollection()) or _volumes(scene)):
        raise InputError(f"{path} cannot be read as a scene. Save it again from Slicer.")
    node = _background(scene)
    suggested = [] if node else [*inputs.suggest(scene).volumes, *_volumes(scene)]
    if node is None and not suggested:
        raise InputError(f"{path} has no image in it. Save the scene with its volumes.")
    image = read_volume(node or suggested[0])[0]
    # The scene's memory goes with the scene.
    return Image(image.array.copy(), image.grid, image.name)


def _unpacked(path: Path, folder: str) -> str:
    """The scene file in a bundle, unpacked; empty where the bundle is damaged."""
    # Slicer unpacks in the folder itself, and stays in it where the bundle is damaged.
    here = os.getcwd()
    try:
        return slicer.vtkMRMLScene.UnpackSlicerDataBundle(str(path), folder)
    finally:
        os.chdir(here)


def _background(scene: Any) -> Any:
    """The image in the red view, or None."""
    count = scene.GetNumberOfNodesByClass("vtkMRMLSliceCompositeNode")
    for n in range(count):
        view = scene.GetNthNodeByClass(n, "vtkMRMLSliceCompositeNode")
        if view.GetLayoutName() == "Red" or view.GetSingletonTag() == "Red":
            node = scene.GetNodeByID(view.GetBackgroundVolumeID() or "")
            return node if node in _volumes(scene) else None
    return None


def _volumes(scene: Any) -> list[Any]:
    """Images in a scene that are no results; the maps that were measured are images too."""
    count = scene.GetNumberOfNodesByClass("vtkMRMLScalarVolumeNode")
    nodes = [scene.GetNthNodeByClass(n, "vtkMRMLScalarVolumeNode") for n in range(count)]
    return [
        node
        for node in nodes
        if not node.IsA("vtkMRMLLabelMapVolumeNode")
        and (node.GetAttribute(RESULT) or "map:").startswith("map:")
        and node.GetImageData() is not None
    ]


def in_the_way(scene: Any) -> bool:
    """Whether the scene holds anything that could tell a case, so that no session can start."""
    kinds = ("vtkMRMLDisplayableNode", "vtkMRMLTableNode", "vtkMRMLTextNode")
    nodes = [
        scene.GetNthNodeByClass(n, kind)
        for kind in kinds
        for n in range(scene.GetNumberOfNodesByClass(kind))
    ]
    return any(not n.GetHideFromEditors() and not n.GetAttribute(CASE) for n in nodes)


def show_case(scene: Any, image: Image, number: int) -> Any:
    """Shows an image under a case's number, in place of the case before.

    Window and level fit the image; the slice views lie along its slices and show all of it.

    Returns:
        The vtkMRMLScalarVolumeNode.
    """
    earlier = _cases(scene)
    node = add_volume(scene, image, f"Case {number}")
    node.SetAttribute(CASE, str(number))
    display = node.GetDisplayNode()
    display.SetAutoWindowLevel(False)
    low, high = window(image.array)
    display.SetWindowLevelMinMax(low, high)
    layout.show_image(scene, node)
    for one in earlier:
        scene.RemoveNode(one)
    return node


def clear(scene: Any) -> None:
    """Takes the case out of the scene."""
    for node in _cases(scene):
        scene.RemoveNode(node)


def _cases(scene: Any) -> list[Any]:
    count = scene.GetNumberOfNodesByClass("vtkMRMLScalarVolumeNode")
    nodes = [scene.GetNthNodeByClass(n, "vtkMRMLScalarVolumeNode") for n in range(count)]
    return [node for node in nodes if node.GetAttribute(CASE)]


def window(array: NDArray) -> tuple[float, float]:
    """The darkest and brightest value to show, from the tissue in the image's middle.

    Six interquartile ranges to both sides of the median, as far as there are values: gray and
    white matter keep their contrast where CSF is many times as bright. The empty background,
    exactly 0 or not finite, has no say.
    """
    middle = array[tuple(slice(n // 4, n - n // 4) for n in array.shape)]
    for part in (middle, array):
        values = part.ravel()
        values = values[:: max(1, values.size // _ENOUGH)]
        values = values[np.isfinite(values) & (values != 0)].astype(float)
        if values.size:
            break
    else:
        return 0.0, 1.0
    least, q1, median, q3, most = np.quantile(values, [0.005, 0.25, 0.5, 0.75, 0.995])
    low, high = max(least, median - _SPREAD * (q3 - q1)), min(most, median + _SPREAD * (q3 - q1))
    return float(low), float(high if high > low else low + 1)


def mark_views(scene: Any) -> dict[str, tuple[int, int]]:
    """Shows in each slice view where right and left are, and a ruler.

    Returns:
        What the views showed before, for :func:`restore_views`.
    """
    kind = slicer.vtkMRMLAbstractViewNode
    before = {}
    for view in _views(scene):
        before[view.GetID()] = (view.GetOrientationMarkerType(), view.GetRulerType())
        view.SetOrientationMarkerType(kind.OrientationMarkerTypeAxes)
        view.SetRulerType(kind.RulerTypeThin)
    return before


def restore_views(scene: Any, before: Mapping[str, tuple[int, int]]) -> None:
    """Undoes :func:`mark_views`."""
    for view in _views(scene):
        if view.GetID() in before:
            marker, ruler = before[view.GetID()]
            view.SetOrientationMarkerType(marker)
            view.SetRulerType(ruler)


def _views(scene: Any) -> list[Any]:
    count = scene.GetNumberOfNodesByClass("vtkMRMLSliceNode")
    return [scene.GetNthNodeByClass(n, "vtkMRMLSliceNode") for n in range(count)]
