"""A synthetic patient in the scene, to try the module on without any download."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .cortex.motor_cortex import (
    OTHER_BANK,
    MotorCortexCase,
    places_on_m1,
    synthetic_motor_cortex,
)
from .cortex.shapes import CSF, GM, WM
from .scene.markups import coded
from .scene.segmentations import add_segmentation
from .scene.tissues import tissue_segment
from .scene.volumes import add_volume

SHAPE = (16, 160, 160)
"""Voxels along (k, j, i) of 0.5 x 0.25 x 0.25 mm: the hand knob and its surroundings."""

# Label, tissue and name of each segment; an empty name is the tissue's own.
_SEGMENTS = (
    (GM, "gm", "M1 gray matter"),
    (WM, "wm", ""),
    (CSF, "csf", ""),
    (OTHER_BANK, "other_bank", ""),
)
_UNITS = {
    "T2star": ("ms", "UCUM", "millisecond"),
    "R2star": ("/s", "UCUM", "per second"),
}


@cache
def sample_case(group: str = "patient", shape: tuple[int, int, int] = SHAPE) -> MotorCortexCase:
    """A synthetic subject; made once and kept, since it takes some seconds.

    Args:
        group: ``patient`` or ``control``.
        shape: voxels along (k, j, i).
    """
    return synthetic_motor_cortex(group=group, shape=shape)


def add_sample(scene: Any, case: MotorCortexCase) -> dict[str, Any]:
    """Adds a synthetic subject to a scene.

    Returns:
        ``T2star``, ``R2star`` (vtkMRMLScalarVolumeNode), ``segmentation``
        (vtkMRMLSegmentationNode) and ``dividers`` (vtkMRMLMarkupsFiducialNode: where foot
        ends and hand begins, and where hand ends and face begins).
    """
    group = case.group
    nodes = {}
    for name, image in case.maps.items():
        nodes[name] = add_volume(scene, image, f"{group.capitalize()} {name}")
        _window(nodes[name].GetDisplayNode(), image.array)
        nodes[name].SetVoxelValueUnits(coded(*_UNITS[name]))
    segments = [tissue_segment(tissue, (label,), name) for label, tissue, name in _SEGMENTS]
    name = f"{group.capitalize()} segmentation"
    nodes["segmentation"] = add_segmentation(scene, case.labels, segments, name)
    nodes["segmentation"].GetDisplayNode().SetOpacity2DFill(0.25)
    nodes["dividers"] = _add_dividers(scene, case)
    return nodes


def _window(display: Any, values: NDArray) -> None:
    """Gray levels for cortex and white matter; T2* of CSF lies far above them."""
    display.SetAutoWindowLevel(False)
    low, high = (float(v) for v in np.percentile(values, (0.5, 90)))
    display.SetWindowLevelMinMax(low, high + 0.6 * (high - low))


def _add_dividers(scene: Any, case: MotorCortexCase) -> Any:
    node = scene.AddNewNodeByClass("vtkMRMLMarkupsFiducialNode", "Foot, hand, face")
    node.CreateDefaultDisplayNodes()
    node.SetMaximumNumberOfControlPoints(2)
    parts = {name: region.array > 0 for name, region in case.regions.items()}
    for end, label in (("m1_foot", "foot | hand"), ("m1_face", "hand | face")):
        place = _meeting(parts[end], parts["m1_hand"])
        node.AddControlPoint(*(float(v) for v in case.labels.grid.ras(place[None])[0]), label)
    return node


def on_m1(case: MotorCortexCase, along: NDArray, depth: float, k: int) -> NDArray[np.float64]:
    """(n, 3) RAS mm of true places in M1; see :func:`.cortex.motor_cortex.places_on_m1`."""
    return places_on_m1(case.truth.placement, along, depth, k)


def _meeting(a: NDArray[np.bool_], b: NDArray[np.bool_]) -> NDArray[np.float64]:
    """The (k, j, i) middle of where two parts touch in the middle slice."""
    k = a.shape[0] // 2
    touching = np.zeros(a.shape[1:], dtype=bool)
    for axis in (0, 1):
        first, second = (np.roll(b[k], shift, axis) for shift in (1, -1))
        touching |= a[k] & (first | second)
    return np.array([k, *np.argwhere(touching).mean(axis=0)])
