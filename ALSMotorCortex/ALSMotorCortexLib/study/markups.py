"""Slicer's markups files (``.mrk.json``) without Slicer: points in RAS and their options.

The format is Slicer's markups schema, version 1.0: a list of markups, each with its type,
``coordinateSystem`` (LPS where it is not said), ``coordinateUnits`` and control points.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..cortex.drawn import RECORD
from ..cortex.errors import InputError
from .regular import check_regular

# Slicer writes the number of an ITK coordinate system in old files: 0 is RAS, 1 is LPS.
_SYSTEMS = {"LPS": (-1, -1, 1), "RAS": (1, 1, 1), "0": (1, 1, 1), "1": (-1, -1, 1)}
_MILLIMETRES = {"mm": 1.0, "cm": 10.0, "um": 1e-3, "m": 1e3}
_LINES, _CURVES = ("Line",), ("Curve",)


@dataclass(frozen=True)
class Markup:
    """One markup of a file.

    Attributes:
        path: of the file.
        name: of the file, without its suffixes; with a number where it holds several.
        type: as in the file: ``Line``, ``Curve``, ``ClosedCurve``, ``Fiducial``, ...
        points: (n, 3) RAS mm, the points that are placed.
        record: the options that this software keeps with a markup, as text; empty where
            there are none.
        sha256: checksum of the file.
    """

    path: Path
    name: str
    type: str
    points: NDArray[np.float64]
    record: str
    sha256: str


def read_lines(path: str | os.PathLike) -> list[Markup]:
    """The lines of a file.

    Raises:
        InputError: see :func:`read_markups`; also where the file holds another type.
    """
    return _of_type(path, _LINES, "a line")


def read_curves(path: str | os.PathLike) -> list[Markup]:
    """The open curves of a file.

    Raises:
        InputError: see :func:`read_markups`; also where the file holds another type.
    """
    return _of_type(path, _CURVES, "an open curve")


def read_markups(path: str | os.PathLike) -> list[Markup]:
    """All markups of a file.

    Raises:
        InputError: the file is missing, cannot be read, or is not a markups file.
    """
    path = Path(path)
    check_regular(path)
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        raise InputError(f"There is no file {path}. Check its name.") from None
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror}).") from None
    try:
        content = json.loads(data.decode("utf-8"))
    except (ValueError, RecursionError):
        raise _not_markups(path) from None
    items = content.get("markups") if isinstance(content, dict) else None
    if not isinstance(items, list) or not items or not all(isinstance(i, dict) for i in items):
        raise _not_markups(path)
    checksum = hashlib.sha256(data).hexdigest()
    stem = path.name.split(".")[0]
    names = [stem if len(items) == 1 else f"{stem}_{n}" for n in range(1, len(items) + 1)]
    return [
        Markup(path, name, str(item.get("type", "")), _points(path, item), _record(item), checksum)
        for name, item in zip(names, items, strict=True)
    ]


def _of_type(path: str | os.PathLike, types: Sequence[str], wanted: str) -> list[Markup]:
    markups = read_markups(path)
    for markup in markups:
        if markup.type not in types:
            raise InputError(
                f"{path} holds a markup of type {markup.type or 'unknown'}, not {wanted}. "
                "Save the right one from Slicer's module Markups."
            )
    return markups


def _points(path: Path, item: dict[str, Any]) -> NDArray[np.float64]:
    signs = _SYSTEMS.get(str(item.get("coordinateSystem") or "LPS").upper())
    if signs is None:
        raise InputError(
            f"{path} is in the coordinate system {item['coordinateSystem']}, which is neither LPS "
            "nor RAS. Save it again from Slicer."
        )
    scale = _scale(path, item.get("coordinateUnits"))
    points = item.get("controlPoints") or []
    try:
        placed = [
            [float(v) for v in point["position"]]
            for point in points
            if point.get("positionStatus", "defined") == "defined" and point.get("position")
        ]
        array = np.array(placed, dtype=float).reshape(-1, 3)
    except (AttributeError, KeyError, TypeError, ValueError):
        raise _not_markups(path) from None
    if not np.isfinite(array).all():
        raise InputError(
            f"{path} has a control point without a position in numbers. "
            "Remove it in Slicer, or place it again."
        )
    return array * signs * scale


def _scale(path: Path, unit: Any) -> float:
    """Millimetres in a unit, given as text or as a code of UCUM."""
    if isinstance(unit, list):
        unit = unit[0] if unit else ""
    if isinstance(unit, dict):
        unit = unit.get("CodeValue") or unit.get("codeValue") or ""
    if not unit:
        return 1.0
    if str(unit) not in _MILLIMETRES:
        raise InputError(
            f"{path} has its points in the unit {unit}, which is not known here. "
            "Save it from a scene whose unit of length is mm."
        )
    return _MILLIMETRES[str(unit)]


def _record(item: dict[str, Any]) -> str:
    for measurement in item.get("measurements") or []:
        if isinstance(measurement, dict) and measurement.get("name") == RECORD:
            return str(measurement.get("description") or "")
    return ""


def _not_markups(path: Path) -> InputError:
    return InputError(
        f"{path} is not a markups file. Save the line or curve from Slicer as .mrk.json."
    )
