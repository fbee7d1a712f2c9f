"""The echoes of a gradient echo, read from wherever they lie, checked and on one grid."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..cortex.errors import InputError
from ..cortex.grid import Grid, Image
from ..cortex.motion import Motion
from ..cortex.motion import register as register_image
from ..cortex.result import Finding
from .echo_checks import check_phase, check_values, growing
from .echo_sources import Found, find_echoes, unequal_numbers, with_phase
from .echo_times import Echo, in_order
from .nifti import NiftiGeometry

# A movement smaller than this cannot be told from none, and undoing it would only blur.
_STILL_VOXELS = 0.75


@dataclass(frozen=True)
class Echoes:
    """A multi-echo gradient echo, read and checked.

    Attributes:
        magnitude: one array (k, j, i) per echo.
        times_ms: echo times in ms, ascending.
        grid: where all of them lie.
        phase: one array (k, j, i) in radians per echo, or empty.
        thickness_mm: slice thickness, where a header or sidecar states it.
        geometry: NIfTI header fields to copy into maps, for NIfTI input.
        sources: the input files for the provenance.
        findings: what the user should know.
    """

    magnitude: tuple[NDArray, ...]
    times_ms: tuple[float, ...]
    grid: Grid
    phase: tuple[NDArray, ...] = ()
    thickness_mm: float | None = None
    geometry: NiftiGeometry | None = None
    sources: tuple[dict[str, Any], ...] = ()
    findings: tuple[Finding, ...] = ()


def read_echoes(
    paths: Sequence[Path],
    times: Sequence[float] | None = None,
    phase: Sequence[Path] = (),
    series: str = "",
    register: bool = False,
    progress: Callable[[float], None] | None = None,
) -> Echoes:
    """Find, read and check the echoes.

    Args:
        paths: one file per echo; or one 4D file; or one folder, of DICOM or BIDS.
        times: echo times in the order of the files, in ms or s (told by their size). If None
            they come from the JSON sidecars, the NIfTI description that dcm2niix writes, or
            the DICOM headers.
        phase: the phase of the same echoes, in any of these ways but folders.
        series: which DICOM series, by number or description, where there are several.
        register: bring echoes onto the first by a rigid movement.
        progress: gets the fraction done.

    Raises:
        InputError: echoes or times that cannot be used; the message says which and why.
    """
    tell = progress or (lambda fraction: None)
    found = find_echoes(paths, series)
    tell(0.5)
    if phase:
        found = with_phase(found, phase)
    return _assemble(found, times, register, tell)


def from_images(
    magnitude: Sequence[Image],
    times: Sequence[float],
    phase: Sequence[Image] = (),
    register: bool = False,
    progress: Callable[[float], None] | None = None,
) -> Echoes:
    """Check echoes that are in memory already, for example in Slicer.

    Args:
        magnitude: one image per echo.
        times: their echo times, in ms or s (told by their size), ascending.
        phase: phase of the same echoes, in any scale.
        register: bring echoes onto the first by a rigid movement.
        progress: gets the fraction done; may raise to stop.

    Raises:
        InputError: as :func:`read_echoes`.
    """
    if phase and len(phase) != len(magnitude):
        raise unequal_numbers(len(magnitude), len(phase))
    found = Found(
        [Echo(image, Path(image.name)) for image in magnitude],
        [Echo(image, Path(image.name)) for image in phase],
    )
    return _assemble(found, times, register, progress or (lambda fraction: None))


def _assemble(
    found: Found,
    times: Sequence[float] | None,
    register: bool,
    tell: Callable[[float], None],
) -> Echoes:
    """Orders, checks and brings together what was found."""
    echoes, times_ms, time_findings = in_order(found.echoes, times)
    order = [next(i for i, e in enumerate(found.echoes) if e is echo) for echo in echoes]
    phases = [found.phase[i] for i in order] if found.phase else []
    check_values(echoes)
    if register and phases:
        raise InputError(
            "Phase images cannot be used together with --register: phase must not be "
            "interpolated. Leave one of the two out."
        )
    pictures, moved = _on_one_grid(echoes, register, tell)
    grid = pictures[0].grid
    for echo in phases:
        check_phase(echo, grid)
    tell(1.0)
    return Echoes(
        magnitude=tuple(picture.array for picture in pictures),
        times_ms=times_ms,
        grid=grid,
        phase=_radians([echo.image.array for echo in phases]),
        thickness_mm=found.thickness_mm,
        geometry=found.geometry,
        sources=found.sources,
        findings=(*found.findings, *time_findings, *moved, *growing(pictures, times_ms)),
    )


def _radians(phases: Sequence[NDArray]) -> tuple[NDArray[np.float32], ...]:
    """Phase scaled by its range over all echoes to a full turn, unless it is in radians already.

    Scanners store phase in many scales (0 to 4095, -4096 to 4094, with or without a slope),
    but over whole images it fills its range.
    """
    if not phases:
        return ()
    extent = float(max(p.max() for p in phases)) - float(min(p.min() for p in phases))
    turn = 2 * np.pi
    scale = np.float32(1 if 0.9 * turn < extent < 1.02 * turn else turn / extent)
    return tuple(phase.astype(np.float32) * scale for phase in phases)


def _on_one_grid(
    echoes: Sequence[Echo], register: bool, tell: Callable[[float], None]
) -> tuple[list[Image], list[Finding]]:
    """All echoes on the grid of the first."""
    first = echoes[0].image
    pictures, findings = [first], []
    for n, echo in enumerate(echoes[1:], 2):
        same = first.grid.same_as(echo.image.grid, 0.01 * min(first.grid.spacing))
        if register:
            picture, motion = register_image(echo.image, first)
            still = same and motion.voxels < _STILL_VOXELS
            picture = echo.image if still else picture
            findings.append(_moved(n, motion, still))
        elif same:
            picture = echo.image
        else:
            raise InputError(
                f"Echo {n} ({echo.image.name}) lies on another grid than echo 1 "
                f"({first.name}): {_difference(echo.image.grid, first.grid)}. If the echoes were "
                "scanned one by one and the head moved, --register brings them together."
            )
        pictures.append(picture)
        tell(0.5 + 0.5 * n / len(echoes))
    return pictures, findings


def _moved(n: int, motion: Motion, still: bool) -> Finding:
    if still:
        text = (
            f"Echo {n} lies where echo 1 does to within {_STILL_VOXELS:g} voxels and is left as "
            "it is."
        )
        return Finding("echo_still", text)
    text = (
        f"Echo {n} was moved onto echo 1 by {motion.shift_mm:.2f} mm and {motion.angle_deg:.2f} "
        "degrees, and interpolated."
    )
    return Finding("echo_registered", text)


def _difference(grid: Grid, other: Grid) -> str:
    """How two grids differ, in words."""
    if grid.shape != other.shape:
        a, b = (" x ".join(str(n) for n in g.shape[::-1]) for g in (grid, other))
        return f"{a} voxels, not {b}"
    corners = np.array(np.meshgrid(*[(0, n - 1) for n in grid.shape])).reshape(3, -1).T
    apart = np.linalg.norm(grid.ras(corners) - other.ras(corners), axis=1).max()
    return f"its corners are up to {apart:.2f} mm away"
