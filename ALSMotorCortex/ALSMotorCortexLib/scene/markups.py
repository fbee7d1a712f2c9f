"""A markup's own points, measurements and options."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import slicer
from numpy.typing import NDArray

from ..cortex.drawn import RECORD, Reading

_PRIVATE = "99ALSMC"
# DICOM has no code for cortical thickness; "Length" is what it is in the standard's terms
# (PS3.16, context group 7470). The ratios are this project's own.
_QUANTITIES = {
    "thickness": ("410668003", "SCT", "Length"),
    "thickness_mean": ("410668003", "SCT", "Length"),
    "deep_hypointensity": ("deep_hypointensity", _PRIVATE, "Deep hypointensity"),
    "signal_thickness_ratio": (
        "signal_thickness_ratio",
        _PRIVATE,
        "Signal-hypointensity-to-thickness",
    ),
}
_UNITS = {
    "mm": ("mm", "UCUM", "millimeter"),
    "1": ("1", "UCUM", "no units"),
    "1/mm": ("/mm", "UCUM", "per millimeter"),
}


def points_of(node: Any, preview: bool = False) -> NDArray[np.float64]:
    """(n, 3) world RAS mm of a markup's points that are placed.

    Args:
        preview: whether the point that follows the mouse counts too.
    """
    kept = {node.PositionDefined} | ({node.PositionPreview} if preview else set())
    return np.array(
        [
            node.GetNthControlPointPositionWorld(n)
            for n in range(node.GetNumberOfControlPoints())
            if node.GetNthControlPointPositionStatus(n) in kept
        ],
        dtype=float,
    ).reshape(-1, 3)


def record_of(node: Any) -> str:
    """The options that a markup keeps, as text; empty where it has none."""
    measurement = node.GetMeasurement(RECORD)
    return measurement.GetDescription() if measurement else ""


def keep_record(node: Any, text: str) -> None:
    """Keeps options with a markup; they are saved in its ``.mrk.json``."""
    measurement = node.GetMeasurement(RECORD)
    if measurement is None:
        measurement = slicer.vtkMRMLStaticMeasurement()
        measurement.SetName(RECORD)
        measurement.SetEnabled(False)
        node.AddMeasurement(measurement)
    if measurement.GetDescription() != text:
        measurement.SetDescription(text)
        node.StorableModified()


def set_readings(node: Any, values: Mapping[str, Reading], known: bool) -> None:
    """Puts numbers into a markup's own measurements.

    They show in the Markups module and in the views, and are saved in its ``.mrk.json``.

    Args:
        values: by title.
        known: False to say that there are none now.
    """
    for title, reading in values.items():
        measurement = node.GetMeasurement(title) or _new_measurement(node, reading)
        if known and np.isfinite(reading.value):
            measurement.SetDisplayValue(reading.value)
        else:
            measurement.ClearValue(slicer.vtkMRMLMeasurement.InsufficientInput)
    node.UpdateAllMeasurements()


def _new_measurement(node: Any, reading: Reading) -> Any:
    measurement = slicer.vtkMRMLStaticMeasurement()
    measurement.SetName(reading.title)
    measurement.SetUnits("" if reading.unit == "1" else reading.unit)
    measurement.SetPrintFormat({"mm": "%.2f %s", "1/mm": "%.3f %s"}.get(reading.unit, "%.2f"))
    measurement.SetQuantityCode(coded(*_QUANTITIES[reading.measure]))
    measurement.SetUnitsCode(coded(*_UNITS[reading.unit]))
    if reading.measure == "thickness_mean":
        measurement.SetDerivationCode(coded("373098007", "SCT", "Mean"))
    node.AddMeasurement(measurement)
    return measurement


def coded(value: str, scheme: str, meaning: str) -> Any:
    """A vtkCodedEntry."""
    entry = slicer.vtkCodedEntry()
    entry.SetValueSchemeMeaning(value, scheme, meaning)
    return entry
