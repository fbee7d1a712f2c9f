"""Where the echoes of a gradient echo lie: in files, a 4D file, a folder of DICOM or of BIDS."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from ..cortex.errors import InputError
from ..cortex.result import Finding
from . import provenance
from .echo_files import NIFTI, echoes_of, positive, read_volumes, sidecar_of
from .echo_times import Echo, agree
from .nifti import NiftiGeometry

_BIDS = re.compile(r"_echo-(\d+)(_\w+-\w+)*_(MEGRE|GRE|T2starw)\.nii(\.gz)?$")


@dataclass(frozen=True)
class Found:
    """Echoes as they were found, before anything is checked.

    Attributes:
        echoes: the magnitude, in the order found.
        phase: that of the same echoes, in the same order, or empty.
        thickness_mm, geometry, sources, findings: as in :class:`.echoes.Echoes`.
    """

    echoes: list[Echo]
    phase: list[Echo] = field(default_factory=list)
    thickness_mm: float | None = None
    geometry: NiftiGeometry | None = None
    sources: tuple[dict[str, Any], ...] = ()
    findings: tuple[Finding, ...] = ()


def find_echoes(paths: Sequence[Path], series: str) -> Found:
    """The echoes at given paths; arguments as for :func:`.echoes.read_echoes`.

    Raises:
        InputError: no paths, a folder among files, or no echoes, or several sets, in a folder.
    """
    if not paths:
        raise InputError("No echoes are given. Name the files or the folder with --echoes.")
    folders = [path for path in paths if path.is_dir()]
    if folders and len(paths) > 1:
        raise InputError(
            f"{folders[0]} is a folder, and other paths are given beside it. Give one folder, or "
            "the files of the echoes."
        )
    if folders:
        return _find_in_folder(folders[0], series)
    from .dicom import is_dicom

    if all(is_dicom(path) for path in paths):
        return _from_dicom(list(paths), paths[0].parent, series)
    return _from_files(paths)


def _find_in_folder(folder: Path, series: str) -> Found:
    files = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    sets = _bids_sets(files)
    if sets:
        return _from_bids(folder, sets)
    if any(NIFTI.search(path.name) for path in files):
        raise InputError(
            f"{folder} holds NIfTI files, but none named as BIDS names echoes "
            "(_echo-N_part-mag_MEGRE.nii.gz). Give the files of the echoes themselves."
        )
    if not files:
        raise InputError(f"The folder {folder} is empty. Give the folder that holds the echoes.")
    return _from_dicom(files, folder, series)


def _from_dicom(files: Sequence[Path], folder: Path, series: str) -> Found:
    from .dicom import read_dicom
    from .dicom_volumes import Volume

    found = read_dicom(files, series)

    def echo(volume: Volume) -> Echo:
        return Echo(volume.image, folder, header=volume.time_ms)

    number, size, checksum = found.files
    # The description is typed at the scanner and may hold anything, a patient's name too.
    series_number, _, description = found.series.partition(" (")
    source = {
        "role": f"echoes, DICOM {series_number}, {number} files",
        "series_description": description.removesuffix(")"),
        "path": str(folder),
        "bytes": size,
        "sha256": checksum,
    }
    text = f"Echoes of DICOM {series_number}: {len(found.magnitude)} magnitude"
    text += f" and {len(found.phase)} phase images." if found.phase else " images, no phase."
    return Found(
        [echo(v) for v in found.magnitude],
        [echo(v) for v in found.phase],
        found.thickness_mm,
        None,
        (source,),
        (Finding("echoes_read", text),),
    )


def _bids_sets(files: Iterable[Path]) -> dict[str, list[Path]]:
    """Echo files by what they have in common: folder and name without echo and part."""
    sets: dict[str, list[Path]] = defaultdict(list)
    for path in files:
        if _BIDS.search(path.name):
            common = re.sub(r"_(echo|part)-[A-Za-z0-9]+", "", path.name)
            sets[str(path.with_name(common))].append(path)
    return dict(sets)


def _from_bids(folder: Path, sets: dict[str, list[Path]]) -> Found:
    if len(sets) > 1:
        names = ", ".join(Path(name).name for name in sorted(sets)[:5])
        more = f" and {len(sets) - 5} more" if len(sets) > 5 else ""
        raise InputError(
            f"{folder} holds {len(sets)} multi-echo scans: {names}{more}. Give the folder of one "
            "subject, or the files of one scan."
        )
    files = sorted(next(iter(sets.values())), key=_echo_number)
    parts = {p: [f for f in files if f"_part-{p}_" in f.name] for p in ("phase", "real", "imag")}
    magnitude = [f for f in files if not any(f in part for part in parts.values())]
    if not magnitude:
        raise InputError(
            f"{folder} holds no magnitude images, only phase, real or imaginary parts. "
            "T2* needs the magnitude (_part-mag)."
        )
    found = _from_files(magnitude)
    return with_phase(found, parts["phase"]) if parts["phase"] else found


def _echo_number(path: Path) -> int:
    match = _BIDS.search(path.name)
    return int(match[1]) if match else 0


def _from_files(paths: Sequence[Path]) -> Found:
    if len({path.resolve() for path in paths}) < len(paths):
        raise InputError("A file is given twice among the echoes. Give each echo once.")
    files = [read_volumes(path) for path in paths]
    if len(files) > 1:
        for file in files:
            if len(file.layers) > 1:
                raise InputError(
                    f"{file.path} holds {len(file.layers)} volumes. Give one 3D file per echo, "
                    "or a single 4D file."
                )
    echoes = [echo for file in files for echo in echoes_of(file)]
    sidecars = [sidecar_of(path) for path in paths]
    stated = [positive(s.get("SliceThickness")) for s in sidecars]
    return Found(
        echoes,
        thickness_mm=next((value for value in stated if value), None),
        geometry=files[0].geometry,
        sources=tuple(
            provenance.describe_input(f"echo {n}" if len(files) > 1 else "echoes", file)
            for n, file in enumerate(files, 1)
        ),
        findings=tuple({f.message: f for file in files for f in file.findings}.values()),
    )


def with_phase(found: Found, paths: Sequence[Path]) -> Found:
    """``found`` with the phase images, told apart by nothing but their order."""
    other = _from_files(paths)
    known = {source["sha256"] for source in found.sources}
    for source in other.sources:
        if source["sha256"] in known:
            raise InputError(
                f"{source['path']} is given as phase and is the same as a magnitude image. Give "
                "the phase images to --phase."
            )
    if len(other.echoes) != len(found.echoes):
        raise unequal_numbers(len(found.echoes), len(other.echoes))
    for echo, phase in zip(found.echoes, other.echoes, strict=True):
        if echo.sidecar and phase.sidecar and not agree(echo.sidecar, phase.sidecar):
            raise InputError(
                f"{phase.image.name} has an echo time of {phase.sidecar:g} and "
                f"{echo.image.name}, which it belongs to by order, {echo.sidecar:g}. Give phase "
                "and magnitude in the same order."
            )
    sources = [{**source, "role": f"phase, {source['role']}"} for source in other.sources]
    return replace(found, phase=other.echoes, sources=(*found.sources, *sources))


def unequal_numbers(magnitude: int, phase: int) -> InputError:
    """What to say of so many magnitude and so many phase images."""
    return InputError(
        f"There are {magnitude} magnitude and {phase} phase images. "
        "Give the phase of every echo, in the same order."
    )
