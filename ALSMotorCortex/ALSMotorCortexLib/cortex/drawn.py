"""What is drawn by hand, calipers and traces, wherever it is kept.

The window and the command line measure a caliper or a trace by the functions here, from
the same points and the same options, so their numbers agree. The options travel with the
points: the scene keeps them as text in a measurement of the markup, named
:data:`RECORD`, which Slicer writes into the ``.mrk.json`` file.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from .caliper import Caliper, measure_caliper
from .errors import InputError
from .grid import Grid, Image
from .iron import BRIGHT, iron_contrast, is_susceptibility
from .result import Finding
from .trace import BORDERS, Pin, Trace, trace_cortex, trace_from_borders

RECORD = "ALS Motor Cortex"
"""Name of the measurement whose description holds the options."""

# Points of one slice lie this near to a plane, in voxels across it.
ON_PLANE_VOXELS = 0.25
MOST_OFF_PLANE_VOXELS = 1.0
# A curve that bends less than this within its plane does not tell which plane it is.
LEAST_BEND_MM = 0.5


@dataclass(frozen=True)
class CaliperOptions:
    """How to measure a caliper; see :func:`.caliper.measure_caliper`."""

    width_mm: float = 1.0
    pial_end: str = "auto"


@dataclass(frozen=True)
class TraceOptions:
    """How to follow a trace; see :func:`.trace.trace_cortex`.

    Pins are in the same coordinate system as the markup's points.
    """

    pial_side: str = "auto"
    pins: tuple[Pin, ...] = ()


@dataclass(frozen=True)
class Reading:
    """One number of a caliper or a trace.

    Attributes:
        title: as shown.
        measure: short name for tables.
        value: NaN where there is none.
        unit: mm, 1/mm or 1 for a ratio.
    """

    title: str
    measure: str
    value: float
    unit: str


def readings(found: Caliper | Trace) -> tuple[Reading, ...]:
    """The numbers that the window shows for a caliper or a trace, in its order."""
    is_trace = isinstance(found, Trace)
    thickness = found.mean_thickness if isinstance(found, Trace) else found.thickness
    name = "thickness_mean" if is_trace else "thickness"
    ratio = found.hypointensity_to_thickness
    return (
        Reading("Cortical thickness", name, thickness, "mm"),
        Reading("Deep hypointensity", "deep_hypointensity", found.deep_hypointensity, "1"),
        Reading("Signal-hypointensity-to-thickness", "signal_thickness_ratio", ratio, "1/mm"),
    )


_Found = TypeVar("_Found", Caliper, Trace)


def _following_iron(found: _Found, name: str, iron: str) -> _Found:
    """The deep hypointensity with the sign that :mod:`.indices` gives it.

    Args:
        found: measured as where iron is dark.
        name: of the map.
        iron: how it shows, where the user said so.
    """
    contrast = np.nan
    findings: tuple[Finding, ...] = found.findings
    if is_susceptibility(name) and not iron:
        text = (
            f"{name} looks like a susceptibility map. Whether iron is bright or dark in it has to "
            "be said before there is a deep hypointensity."
        )
        findings = (*findings, Finding("iron_unknown", text, warning=True))
    else:
        superficial, _, deep = found.layer_means
        bright = (iron or iron_contrast(name)) == BRIGHT
        difference = deep - superficial if bright else superficial - deep
        contrast = difference / abs(superficial) if superficial else np.nan
    thickness = found.mean_thickness if isinstance(found, Trace) else found.thickness
    return replace(
        found,
        deep_hypointensity=contrast,
        hypointensity_to_thickness=contrast / thickness,
        findings=findings,
    )


def caliper(
    image: Image, points: NDArray, options: CaliperOptions, iron: str | None = None
) -> Caliper:
    """Measures a drawn line.

    Args:
        image: one map.
        points: (2, 3) RAS mm.
        iron: ``bright`` or ``dark`` where the user said how it shows in the map.

    Raises:
        InputError: see :func:`.caliper.measure_caliper`; also where an end is missing.
    """
    if len(points) != 2:
        raise InputError("Place both ends of the caliper: one in CSF, one in white matter.")
    found = measure_caliper(image, points[0], points[1], options.width_mm, options.pial_end)
    return _following_iron(found, image.name, iron or "")


def trace(image: Image, points: NDArray, options: TraceOptions, iron: str | None = None) -> Trace:
    """Follows the cortex along a drawn curve.

    Args:
        image: one map.
        points: (n, 3) RAS mm, control points on one slice.
        iron: see :func:`caliper`.

    Raises:
        InputError: see :func:`.trace.trace_cortex` and :func:`plane_normal`.
    """
    normal = plane_normal(image.grid, points, "trace")
    found = trace_cortex(image, points, normal, options.pial_side, options.pins)
    return _following_iron(found, image.name, iron or "")


def trace_borders(image: Image, pial: NDArray, white: NDArray, iron: str | None = None) -> Trace:
    """The same from both borders drawn by hand.

    Args:
        image: one map.
        pial, white: (n, 3) and (m, 3) RAS mm, control points on one slice.
        iron: see :func:`caliper`.

    Raises:
        InputError: see :func:`.trace.trace_from_borders` and :func:`plane_normal`.
    """
    for points, name in ((pial, "pial border"), (white, "white-matter border")):
        if len(points) < 3:
            raise InputError(
                f"The {name} has {len(points)} point{'' if len(points) == 1 else 's'}. "
                "Place at least three along the motor cortex."
            )
    normal = plane_normal(image.grid, np.concatenate([pial, white]), "pair of borders")
    found = trace_from_borders(image, pial, white, normal)
    return _following_iron(found, image.name, iron or "")


def plane_normal(grid: Grid, points: NDArray, name: str) -> NDArray[np.float64]:
    """The normal of the slice that points were drawn on.

    It is the image axis along which they hardly differ; among several, the one with the
    largest spacing. Points on an oblique slice get the plane through them.

    Args:
        grid: of the image.
        points: (n, 3) RAS mm.
        name: what they are, for the message.

    Returns:
        (3,) unit RAS vector.

    Raises:
        InputError: the points lie on several slices.
    """
    axes = grid.ijk_to_ras[:3, :3].T
    spacing = np.linalg.norm(axes, axis=1)
    axes = axes / spacing[:, None]
    off = np.asarray(points, dtype=float).reshape(-1, 3)
    off = off - off.mean(axis=0) if len(off) else off
    spread = np.ptp(off @ axes.T, axis=0) / spacing if len(off) else np.zeros(3)
    flat = spread <= ON_PLANE_VOXELS
    if flat.any():
        return axes[int(np.argmax(np.where(flat, spacing, 0)))]
    _, lengths, directions = np.linalg.svd(off, full_matrices=True)
    if len(off) < 3 or lengths[1] < LEAST_BEND_MM:
        # Any plane through a straight line would do: take the one nearest to an axis.
        across = axes - np.outer(axes @ directions[0], directions[0])
        best = across[int(np.argmax(np.linalg.norm(across, axis=1)))]
        return best / np.linalg.norm(best)
    normal = directions[2]
    voxel = 1 / np.linalg.norm((axes @ normal) / spacing)
    away = float(np.abs(off @ normal).max())
    if away > MOST_OFF_PLANE_VOXELS * voxel:
        raise InputError(
            f"The points of the {name} lie up to {away:.1f} mm off one plane. "
            "Draw it on a single slice."
        )
    return normal


# The record --------------------------------------------------------------------------------


def to_text(options: CaliperOptions | TraceOptions) -> str:
    """Options as text, for the measurement named :data:`RECORD`."""
    return json.dumps(asdict(options), sort_keys=True)


def caliper_options(text: str) -> CaliperOptions:
    """Options of a caliper from text. What is missing or unusable is the default."""
    values = _values(text)
    default = CaliperOptions()
    width = values.get("width_mm")
    end = values.get("pial_end")
    return CaliperOptions(
        float(width) if isinstance(width, int | float) else default.width_mm,
        end if isinstance(end, str) else default.pial_end,
    )


def trace_options(text: str) -> TraceOptions:
    """Options of a trace from text. What is missing or unusable is the default."""
    values = _values(text)
    side = values.get("pial_side")
    pins = values.get("pins")
    return TraceOptions(
        side if isinstance(side, str) else TraceOptions().pial_side,
        tuple(p for item in (pins if isinstance(pins, list) else []) if (p := _pin(item))),
    )


def _values(text: str) -> dict[str, Any]:
    try:
        values = json.loads(text or "{}")
    except ValueError:
        return {}
    return values if isinstance(values, dict) else {}


def _pin(item: Any) -> Pin | None:
    try:
        r, a, s = (float(v) for v in item["ras"])
        border = item["border"]
    except (KeyError, TypeError, ValueError):
        return None
    return Pin(border, (r, a, s)) if border in BORDERS and np.isfinite([r, a, s]).all() else None
