"""Thickness, depth and the mid-surface in colours, each with its scale and legend."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import slicer
from numpy.typing import NDArray
from vtkmodules.vtkFiltersCore import vtkAssignAttribute

from ..cortex.grid import Image
from .geometry import voxels
from .surface import THICKNESS
from .volumes import set_image

# Title of the legend, UCUM code of the unit and what it means.
OVERLAYS = {
    "thickness": ("Thickness\n(mm)", "mm", "millimeter"),
    "thickness_corrected": ("Thickness\ncorrected (mm)", "mm", "millimeter"),
    "angle": ("Angle\n(degrees)", "deg", "degree"),
    "depth_equivolume": ("Depth\nequivolume", "1", "no units"),
    "depth_equidistant": ("Depth\nequidistant", "1", "no units"),
}

# Range and step of the colour legends.
_DEGREES, _FRACTION = (0.0, 60.0, 10.0), (0.0, 1.0, 0.2)

# Share of the view's width and height that a legend takes.
_LEGEND_SIZE = (0.1, 0.3)


@dataclass(frozen=True)
class Scale:
    """How values are coloured unless the user chooses otherwise.

    Attributes:
        low, high: of the colours.
        numbers: on the legend.
        lowest, highest: of the values.
    """

    low: float
    high: float
    numbers: int
    lowest: float
    highest: float

    @classmethod
    def of(cls, key: str, values: NDArray) -> Scale:
        """The scale of an overlay's values."""
        if key.startswith("thickness"):
            low, high, step = _millimetres(values)
        else:
            low, high, step = _DEGREES if key == "angle" else _FRACTION
        finite = values[np.isfinite(values)]
        ends = (float(finite.min()), float(finite.max())) if finite.size else (low, high)
        return cls(low, high, round((high - low) / step) + 1, *ends)


Scales = tuple[Scale | None, Scale]
"""How the values before, if any, and those now are coloured by default."""


def put_overlay(scene: Any, key: str, image: Image, colors: Any, scales: Scales, old: Any) -> Any:
    """Thickness or depth as a coloured overlay with a legend."""
    title, unit, meaning = OVERLAYS[key]
    before, after = scales
    node = old
    if node is None:
        name = key.replace("_", ", ").capitalize()
        node = scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", name)
    node.CreateDefaultDisplayNodes()
    display = node.GetDisplayNode()
    if old is None:
        # Before there are voxels, else it would look for a window first, which takes long.
        display.SetAutoWindowLevel(False)
        display.SetAndObserveColorNodeID(colors.GetID())
        # Interpolation would spread the NaN around the ribbon into it.
        display.SetInterpolate(False)
        display.SetAutoThreshold(False)
        display.SetApplyThreshold(True)
        _add_legend(node, title)
        code = slicer.vtkCodedEntry()
        code.SetValueSchemeMeaning(unit, "UCUM", meaning)
        node.SetVoxelValueUnits(code)
    set_image(node, image)
    _renumber(node, before, after)
    window = (display.GetWindowLevelMin(), display.GetWindowLevelMax())
    if _untouched(window, before and (before.low, before.high)):
        set_window(display, after.low, after.high)
    # NaN lies in no range, so that a threshold around all values leaves it transparent.
    shown = (display.GetLowerThreshold(), display.GetUpperThreshold())
    if _untouched(shown, before and (before.lowest, before.highest)):
        display.SetThreshold(after.lowest, after.highest)
    return node


def _untouched(now: tuple[float, float], default: tuple[float, float] | None) -> bool:
    """Whether a range is what it was set to, or was never set. Files round numbers."""
    return default is None or np.allclose(now, default, rtol=1e-4, atol=1e-6)


def _renumber(node: Any, before: Scale | None, after: Scale) -> None:
    """Gives a node's legend the numbers of a new scale."""
    legend = slicer.vtkSlicerColorLogic.GetColorLegendDisplayNode(node)
    if legend and (before is None or legend.GetNumberOfLabels() == before.numbers):
        legend.SetNumberOfLabels(after.numbers)


def values_of(node: Any) -> NDArray:
    """The voxels of a volume node, or none."""
    data = node.GetImageData()
    return voxels(data) if data and data.GetNumberOfPoints() else np.zeros(0, np.float32)


def put_surface(scene: Any, surface: Any, colors: Any, scales: Scales, old: Any) -> Any:
    """The mid-cortex surface with the colours of thickness."""
    before, after = scales
    node = old or scene.AddNewNodeByClass("vtkMRMLModelNode", "Mid-cortex surface")
    node.SetAndObservePolyData(surface)
    node.CreateDefaultDisplayNodes()
    display = node.GetDisplayNode()
    if old is None:
        display.SetAndObserveColorNodeID(colors.GetID())
        display.SetActiveScalar(THICKNESS, vtkAssignAttribute.POINT_DATA)
        display.SetScalarVisibility(True)
        display.SetScalarRangeFlag(slicer.vtkMRMLDisplayNode.UseManualScalarRange)
        # The slices have the legend of the overlay.
        _add_legend(node, OVERLAYS["thickness"][0]).SetVisibility2D(False)
    _renumber(node, before, after)
    if old is None or _untouched(display.GetScalarRange(), before and (before.low, before.high)):
        display.SetScalarRange(after.low, after.high)
    return node


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


def set_window(display: Any, low: float, high: float) -> None:
    display.SetAutoWindowLevel(False)
    display.SetWindowLevelMinMax(low, high)


def _add_legend(node: Any, title: str) -> Any:
    legend = slicer.vtkSlicerColorLogic.AddDefaultColorLegendDisplayNode(node)
    legend.SetTitleText(title)
    legend.SetLabelFormat("%.1f")
    # Its letters grow with it, so that Slicer's own size hides a part of a large view.
    legend.SetSize(*_LEGEND_SIZE)
    return legend
