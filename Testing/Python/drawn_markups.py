"""A scene with a drawn cortex, for calipers and traces with real MRML nodes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import slicer
from numpy.typing import NDArray

from ALSMotorCortexLib.scene.results import new_scene
from ALSMotorCortexLib.scene.segmentations import register_conversions
from ALSMotorCortexLib.scene.volumes import add_volume
from drawn_cortex import Ring

RING = Ring()
SLICE = 1.0


def scene_with_markups() -> Any:
    """An empty scene that saves markups and converts segments, as the application's does."""
    register_conversions()
    scene = new_scene()
    if scene.GetNodeByID("vtkMRMLSelectionNodeSingleton") is None:
        selection = slicer.vtkMRMLSelectionNode()
        selection.SetSingletonTag("Singleton")
        scene.AddNode(selection)
    scene.markups = slicer.vtkSlicerMarkupsLogic()
    scene.markups.SetMRMLScene(scene)
    return scene


def add_cortex(scene: Any, noise: float = 3.0) -> Any:
    """A volume node with three slices through a ring of cortex, 3 mm thick."""
    return add_volume(scene, RING.image(noise=noise, slices=3), "T2star")


def across(angle: float = 1.0) -> NDArray[np.float64]:
    """(2, 3) the ends of a caliper straight across the cortex."""
    return np.array([RING.point(angle, depth, SLICE) for depth in (-2.0, 5.0)])


def along(height: float = SLICE) -> NDArray[np.float64]:
    """(14, 3) control points of a trace."""
    return RING.curve() + [0, 0, height]


def under_transform(volume: Any) -> tuple[Any, NDArray[np.float64]]:
    """The transform node that a volume is now under, and its matrix: a quarter turn and a shift."""
    matrix = np.eye(4)
    matrix[:3, :3] = [[0, -1, 0], [1, 0, 0], [0, 0, 1]]
    matrix[:3, 3] = 30, -20, 10
    transform = volume.GetScene().AddNewNodeByClass("vtkMRMLLinearTransformNode")
    slicer.util.updateTransformMatrixFromArray(transform, matrix)
    volume.SetAndObserveTransformNodeID(transform.GetID())
    return transform, matrix


def put(node: Any, points: NDArray) -> None:
    """Places a markup's control points at world positions."""
    slicer.util.updateMarkupsControlPointsFromArray(node, np.asarray(points), world=True)


def value(node: Any, title: str = "Cortical thickness") -> float | None:
    """One of a markup's own measurements; None where it has no value."""
    measurement = node.GetMeasurement(title)
    return measurement.GetValue() if measurement.GetValueDefined() else None


def save(node: Any, path: Path) -> Path:
    """Saves a markup by Slicer's own storage node."""
    node.AddDefaultStorageNode()
    storage = node.GetStorageNode()
    storage.SetFileName(str(path))
    assert storage.WriteData(node)
    return path


def reopened(scene: Any, folder: Path) -> Any:
    """A new scene, not yet read, whose URL is a copy of a scene saved in a folder."""
    folder.mkdir()
    assert scene.SaveSceneToSlicerDataBundleDirectory(
        str(folder), None, slicer.vtkMRMLMessageCollection()
    )
    fresh = scene_with_markups()
    fresh.SetURL(str(next(folder.glob("*.mrml"))))
    return fresh
