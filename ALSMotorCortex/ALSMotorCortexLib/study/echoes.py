"""The echoes of a gradient echo, wherever they lie: files, a 4D file, DICOM, or BIDS."""

from __future__ import annotations

import gzip
import hashlib
import json
import re
import struct
import tempfile
import zlib
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..cortex.errors import InputError
from ..cortex.grid import Grid, Image
from ..cortex.motion import Motion
from ..cortex.motion import register as register_image
from ..cortex.result import Finding
from . import images, provenance
from .images import ImageFile
from .nifti import NiftiGeometry
from .regular import check_regular

# Gradient echoes lie between 0.03 ms (ultrashort) and about 100 ms, so a longest echo time
# under 0.5 is in seconds (BIDS), and one above 500 is in something else altogether.
SECONDS_BELOW = 0.5
LONGEST_MS = 500.0

# Echo times that agree to this share are the same: headers round.
_SAME_TIME = 0.01

# A movement smaller than this cannot be told from none, and undoing it would only blur.
_STILL_VOXELS = 0.75

_NIFTI = re.compile(r"\.nii(\.gz)?$", re.IGNORECASE)
_BIDS = re.compile(r"_echo-(\d+)(_\w+-\w+)*_(MEGRE|GRE|T2starw)\.nii(\.gz)?$")
_HEADER_TIME = re.compile(r"\bTE=([0-9.]+)")


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


@dataclass(frozen=True)
class _Echo:
    """One echo as it was found.

    ``sidecar`` and ``header`` are the echo time as each states it, in its own unit.
    """

    image: Image
    path: Path
    sidecar: float | None = None
    header: float | None = None


@dataclass(frozen=True)
class _Found:
    echoes: list[_Echo]
    phase: list[_Echo] = field(default_factory=list)
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
    found = _find(paths, series)
    tell(0.5)
    if phase:
        found = _with_phase(found, phase)
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
        raise _unequal(len(magnitude), len(phase))
    found = _Found(
        [_Echo(image, Path(image.name)) for image in magnitude],
        [_Echo(image, Path(image.name)) for image in phase],
    )
    return _assemble(found, times, register, progress or (lambda fraction: None))


def _assemble(
    found: _Found,
    times: Sequence[float] | None,
    register: bool,
    tell: Callable[[float], None],
) -> Echoes:
    """Orders, checks and brings together what was found."""
    echoes, times_ms, time_findings = _timed(found.echoes, times)
    order = [next(i for i, e in enumerate(found.echoes) if e is echo) for echo in echoes]
    phases = [found.phase[i] for i in order] if found.phase else []
    _check_values(echoes)
    if register and phases:
        raise InputError(
            "Phase images cannot be used together with --register: phase must not be "
            "interpolated. Leave one of the two out."
        )
    pictures, moved = _on_one_grid(echoes, register, tell)
    grid = pictures[0].grid
    for echo in phases:
        _check_phase(echo, grid)
    tell(1.0)
    return Echoes(
        magnitude=tuple(picture.array for picture in pictures),
        times_ms=times_ms,
        grid=grid,
        phase=_radians([echo.image.array for echo in phases]),
        thickness_mm=found.thickness_mm,
        geometry=found.geometry,
        sources=found.sources,
        findings=(*found.findings, *time_findings, *moved, *_growing(pictures, times_ms)),
    )


def parse_times(words: Sequence[str]) -> list[float] | None:
    """Echo times from the words after ``--te``; None for ``sidecars`` (or none at all).

    Raises:
        InputError: a word that is not a number.
    """
    if not words or [w.lower() for w in words] in (["sidecars"], ["from", "sidecars"]):
        return None
    try:
        return [float(v) for word in words for v in word.replace(",", " ").split()]
    except ValueError:
        raise InputError(
            f"--te {' '.join(words)} is not a list of echo times. Give one number per echo in "
            "ms, for example --te 4 8 12, or --te sidecars."
        ) from None


# Finding --------------------------------------------------------------------------------


def _find(paths: Sequence[Path], series: str) -> _Found:
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


def _find_in_folder(folder: Path, series: str) -> _Found:
    files = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    sets = _bids_sets(files)
    if sets:
        return _from_bids(folder, sets)
    if any(_NIFTI.search(path.name) for path in files):
        raise InputError(
            f"{folder} holds NIfTI files, but none named as BIDS names echoes "
            "(_echo-N_part-mag_MEGRE.nii.gz). Give the files of the echoes themselves."
        )
    if not files:
        raise InputError(f"The folder {folder} is empty. Give the folder that holds the echoes.")
    return _from_dicom(files, folder, series)


def _from_dicom(files: Sequence[Path], folder: Path, series: str) -> _Found:
    from .dicom import Volume, read_dicom

    found = read_dicom(files, series)

    def echo(volume: Volume) -> _Echo:
        return _Echo(volume.image, folder, header=volume.time_ms)

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
    return _Found(
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


def _from_bids(folder: Path, sets: dict[str, list[Path]]) -> _Found:
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
    return _with_phase(found, parts["phase"]) if parts["phase"] else found


def _echo_number(path: Path) -> int:
    match = _BIDS.search(path.name)
    return int(match[1]) if match else 0


def _from_files(paths: Sequence[Path]) -> _Found:
    if len({path.resolve() for path in paths}) < len(paths):
        raise InputError("A file is given twice among the echoes. Give each echo once.")
    files = [_read_volumes(path) for path in paths]
    if len(files) > 1:
        for file in files:
            if len(file.layers) > 1:
                raise InputError(
                    f"{file.path} holds {len(file.layers)} volumes. Give one 3D file per echo, "
                    "or a single 4D file."
                )
    echoes = [echo for file in files for echo in _echoes_of(file)]
    sidecars = [_sidecar(path) for path in paths]
    stated = [_positive(s.get("SliceThickness")) for s in sidecars]
    return _Found(
        echoes,
        thickness_mm=next((value for value in stated if value), None),
        geometry=files[0].geometry,
        sources=tuple(
            provenance.describe_input(f"echo {n}" if len(files) > 1 else "echoes", file)
            for n, file in enumerate(files, 1)
        ),
        findings=tuple({f.message: f for file in files for f in file.findings}.values()),
    )


def _with_phase(found: _Found, paths: Sequence[Path]) -> _Found:
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
        raise _unequal(len(found.echoes), len(other.echoes))
    for echo, phase in zip(found.echoes, other.echoes, strict=True):
        if echo.sidecar and phase.sidecar and not _agree(echo.sidecar, phase.sidecar):
            raise InputError(
                f"{phase.image.name} has an echo time of {phase.sidecar:g} and "
                f"{echo.image.name}, which it belongs to by order, {echo.sidecar:g}. Give phase "
                "and magnitude in the same order."
            )
    sources = [{**source, "role": f"phase, {source['role']}"} for source in other.sources]
    return replace(found, phase=other.echoes, sources=(*found.sources, *sources))


def _unequal(magnitude: int, phase: int) -> InputError:
    return InputError(
        f"There are {magnitude} magnitude and {phase} phase images. "
        "Give the phase of every echo, in the same order."
    )


# Files ----------------------------------------------------------------------------------


def _read_volumes(path: Path) -> ImageFile:
    """An image file with one layer per volume; NIfTI may be 4D here.

    A 4D NIfTI-1 file is cut into 3D ones, which then pass all of :func:`.images.read_image`.
    """
    head = _nifti_head(path)
    order = _byte_order(head)
    shape = struct.unpack_from(f"{order}8h", head, 40) if order else (0,) * 8
    if shape[0] != 4 or shape[4] < 2:
        return images.read_layers(path)
    try:
        data = path.read_bytes()
        raw = gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data
    except (EOFError, OSError, zlib.error):
        raise InputError(
            f"{path} is truncated or damaged: its compressed data cannot be unpacked. "
            "Copy or export it again."
        ) from None
    volumes = [_cut_out(path, raw, order, n) for n in range(shape[4])]
    return replace(
        volumes[0],
        path=path,
        sha256=hashlib.sha256(data).hexdigest(),
        size=len(data),
        layers=tuple(volume.image.array for volume in volumes),
    )


def _cut_out(path: Path, raw: bytes, order: str, number: int) -> ImageFile:
    """One volume of a 4D NIfTI-1 file, read by way of a temporary 3D file."""
    shape = struct.unpack_from(f"{order}8h", raw, 40)
    bits = struct.unpack_from(f"{order}h", raw, 72)[0]
    offset = struct.unpack_from(f"{order}f", raw, 108)[0]
    start = max(int(offset), 352) if np.isfinite(offset) else 352
    size = int(np.prod(shape[1:4], dtype=np.int64)) * bits // 8
    head = bytearray(raw[:348]) + bytes(4)
    struct.pack_into(f"{order}8h", head, 40, 3, *shape[1:4], 1, 1, 1, 1)
    struct.pack_into(f"{order}f", head, 108, 352)
    with tempfile.TemporaryDirectory() as folder:
        part = Path(folder) / re.sub(r"\.gz$", "", path.name, flags=re.IGNORECASE)
        with open(part, "wb") as stream:
            stream.write(head)
            stream.write(memoryview(raw)[start + number * size : start + (number + 1) * size])
        try:
            return images.read_image(part)
        except InputError as error:
            raise InputError(str(error).replace(str(part), str(path))) from None


def _nifti_head(path: Path) -> bytes:
    """The 348 bytes of a NIfTI-1 header (nifti1.h); empty for anything else."""
    if not _NIFTI.search(path.name):
        return b""
    check_regular(path)
    try:
        with open(path, "rb") as stream:
            packed = stream.read(2) == b"\x1f\x8b"
        with gzip.open(path, "rb") if packed else open(path, "rb") as opened:
            head = opened.read(348)
    except (OSError, EOFError, zlib.error):
        return b""  # whoever reads the image says what is wrong
    return head if len(head) == 348 and head[344:347] == b"n+1" else b""


def _byte_order(head: bytes) -> str:
    return next((o for o in "<>" if head and struct.unpack_from(f"{o}i", head)[0] == 348), "")


def _echoes_of(file: ImageFile) -> list[_Echo]:
    """The echoes in a file, each with the time that its sidecar and header state."""
    count = len(file.layers)
    listed, header = _times_of(file.path, count)
    return [
        _Echo(
            Image(
                layer,
                file.image.grid,
                f"{file.path.name}, volume {n}" if count > 1 else str(file.path),
            ),
            file.path,
            time,
            header,
        )
        for n, (layer, time) in enumerate(zip(file.layers, listed, strict=True), 1)
    ]


def times_beside(path: Path, count: int) -> list[float | None]:
    """Echo times in ms that a file's sidecar or header states; None where they do not.

    Args:
        path: of an image file.
        count: how many volumes it holds.

    Raises:
        InputError: a sidecar that is not JSON or lists another number of times.
    """
    listed, header = _times_of(path, count)
    known = [time for time in listed if time]
    in_ms = dict(zip(known, to_ms(known)[0], strict=True)) if known else {}
    return [in_ms[time] if time else header for time in listed]


def _times_of(path: Path, count: int) -> tuple[list[float | None], float | None]:
    """What the sidecar states for each volume, in its own unit, and the header in ms."""
    stated = _sidecar(path).get("EchoTime")
    listed = stated if isinstance(stated, list) else [stated] * count
    if len(listed) != count:
        raise InputError(
            f"The sidecar of {path} lists {len(listed)} echo times and the file holds "
            f"{count} volumes. Correct one of them, or give the times with --te."
        )
    if count > 1 and not isinstance(stated, list):
        listed = [None] * count  # one time cannot be that of all echoes
    return [_positive(time) for time in listed], _header_time(path) if count == 1 else None


def _sidecar(path: Path) -> dict[str, Any]:
    """The JSON file beside an image; empty where there is none.

    Raises:
        InputError: it is not JSON.
    """
    sidecar = path.with_name(re.sub(r"(\.nii(\.gz)?|\.[^.]+)$", "", path.name) + ".json")
    try:
        values = json.loads(sidecar.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError):
        raise InputError(
            f"The sidecar {sidecar} is not valid JSON. Correct or remove it, and give the echo "
            "times with --te."
        ) from None
    return values if isinstance(values, dict) else {}


def _header_time(path: Path) -> float | None:
    """The echo time in ms that dcm2niix writes into a NIfTI file's description."""
    match = _HEADER_TIME.search(_nifti_head(path)[148:228].decode("latin-1"))
    return _positive(match[1]) if match else None


def _positive(value: Any) -> float | None:
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    return number if np.isfinite(number) and number > 0 else None


# Times ----------------------------------------------------------------------------------


def _timed(
    echoes: Sequence[_Echo], given: Sequence[float] | None
) -> tuple[list[_Echo], tuple[float, ...], list[Finding]]:
    """The echoes in order of their times, the times in ms, and what was noticed."""
    if len(echoes) < 2:
        raise InputError(
            "There is only one echo. T2* needs at least two echo times; give the other echoes too."
        )
    if given is not None:
        return _given_times(echoes, given)
    times, findings = _stated_times(echoes)
    _check_headers(echoes, times)
    order = sorted(range(len(times)), key=lambda n: times[n])
    for a, b in zip(order, order[1:], strict=False):
        if _agree(times[a], times[b]):
            raise InputError(
                f"{echoes[a].image.name} and {echoes[b].image.name} have the same echo time, "
                f"{times[a]:g} ms. Give each echo once, or the right times with --te."
            )
    return [echoes[n] for n in order], tuple(times[n] for n in order), findings


def _given_times(
    echoes: Sequence[_Echo], given: Sequence[float]
) -> tuple[list[_Echo], tuple[float, ...], list[Finding]]:
    if len(given) != len(echoes):
        raise InputError(
            f"There are {len(echoes)} echoes and {len(given)} echo times. Give one time per echo, "
            "in the order of the echoes."
        )
    if not all(np.isfinite(given)) or min(given) <= 0 or (np.diff(given) <= 0).any():
        raise InputError(
            f"The echo times {_list(given)} do not ascend from above zero. List the echoes and "
            "their times from the shortest to the longest."
        )
    times, findings = to_ms(given)
    if all(_stated(echo) is not None for echo in echoes):
        other, _ = _stated_times(echoes)
        if not all(_agree(a, b) for a, b in zip(times, other, strict=True)):
            text = (
                f"The echo times given, {_list(times)} ms, differ from {_list(other)} ms in the "
                "sidecars or headers. Those given are used."
            )
            findings.append(Finding("echo_times_differ", text, warning=True))
    return list(echoes), tuple(times), findings


def _stated(echo: _Echo) -> float | None:
    return echo.sidecar or echo.header


def _stated_times(echoes: Sequence[_Echo]) -> tuple[list[float], list[Finding]]:
    """Times in ms from the sidecars (in s, by BIDS), or else the headers (in ms).

    Raises:
        InputError: an echo with neither.
    """
    missing = [echo.image.name for echo in echoes if _stated(echo) is None]
    if missing:
        raise InputError(
            f"No echo time is known for {missing[0]}"
            + (f" and {len(missing) - 1} more" if len(missing) > 1 else "")
            + ": there is no JSON sidecar with EchoTime beside it. Give the times in ms with --te."
        )
    sidecars = [echo.sidecar for echo in echoes if echo.sidecar]
    if not sidecars:
        return [echo.header or 0.0 for echo in echoes], []
    in_ms = dict(zip(sidecars, to_ms(sidecars)[0], strict=True))
    times = [in_ms[echo.sidecar] if echo.sidecar else echo.header or 0.0 for echo in echoes]
    if max(sidecars) < SECONDS_BELOW:
        return times, []  # as BIDS has it, so not worth a word
    text = (
        f"The sidecars' echo times, {_list(sidecars)}, are taken for ms because of their size; "
        "BIDS wants seconds."
    )
    return times, [Finding("echo_time_unit", text)]


def _check_headers(echoes: Sequence[_Echo], times: Sequence[float]) -> None:
    """Raises: InputError: a sidecar and the header of its image state different times."""
    for echo, time in zip(echoes, times, strict=True):
        if echo.header is not None and not _agree(time, echo.header):
            raise InputError(
                f"The sidecar of {echo.image.name} says an echo time of {time:g} ms and its "
                f"header {echo.header:g} ms. Correct one, or give the right times with --te."
            )


def to_ms(times: Sequence[float]) -> tuple[list[float], list[Finding]]:
    """Echo times in ms, and a finding where they were in seconds, which their size tells.

    Raises:
        InputError: times too long for ms, or of mixed units.
    """
    longest, shortest = max(times), min(times)
    if longest > LONGEST_MS:
        raise InputError(
            f"The echo times {_list(times)} are too long for ms. Give them in ms, for example "
            "--te 4 8 12."
        )
    if longest < SECONDS_BELOW:
        text = f"The echo times {_list(times)} are taken for seconds because of their size."
        return [round(1000 * t, 6) for t in times], [Finding("echo_time_unit", text)]
    if shortest < 0.02:
        raise InputError(
            f"The echo times {_list(times)} seem to mix seconds and ms. Give all of them in ms."
        )
    return [float(t) for t in times], []


def _agree(a: float, b: float) -> bool:
    return abs(a - b) <= _SAME_TIME * max(a, b)


def _list(values: Sequence[float]) -> str:
    return ", ".join(f"{v:g}" for v in values)


# Checks ---------------------------------------------------------------------------------


def _check_values(echoes: Sequence[_Echo]) -> None:
    for n, echo in enumerate(echoes, 1):
        if wrong := _emptiness(echo.image.array):
            raise InputError(
                f"Echo {n} ({echo.image.name}) {wrong}. Export it again, or leave that echo and "
                "its time out."
            )
        if looks_like_phase(echo.image.array):
            raise InputError(
                f"Echo {n} ({echo.image.name}) looks like a phase image: its values are negative "
                "or wrap. Give magnitude images to --echoes, and phase to --phase."
            )


def _emptiness(array: NDArray) -> str:
    """What is wrong with an image that shows nothing; empty for one that does."""
    finite = array[np.isfinite(array)]
    if not finite.size:
        return "holds no numbers"
    low, high = finite.min(), finite.max()
    if low < high:
        return ""
    return f"has the value {low:g} everywhere" if low else "is zero everywhere"


def looks_like_phase(array: NDArray) -> bool:
    """Whether values wrap, or are negative by far, as in a phase image and not a magnitude.

    Phase jumps from one end of its range to the other, in tissue along lines and in air
    everywhere, and has values all over its range; a magnitude does at most one of the two.
    Resampling leaves small negative values in a magnitude; those are let pass.

    Args:
        array: (k, j, i).
    """
    some = array[:: max(1, array.shape[0] // 8)].astype(np.float32)
    some = np.where(np.isfinite(some), some, 0)
    low, high = float(some.min()), float(some.max())
    if low < -0.1 * high:
        return True
    if low == high:
        return False
    jumps = [np.abs(np.diff(some, axis=axis)) > 0.8 * (high - low) for axis in (1, 2)]
    wraps = sum(int(j.sum()) for j in jumps) > 0.001 * sum(j.size for j in jumps)
    filled = np.histogram(some, 20, (low, high))[0].min() > 0.005 * some.size
    return wraps and bool(filled)


def _check_phase(echo: _Echo, grid: Grid) -> None:
    if not echo.image.grid.same_as(grid, 0.01 * min(grid.spacing)):
        raise InputError(
            f"The phase image {echo.image.name} lies on another grid than the magnitude. "
            "Give phase and magnitude of the same scan."
        )
    if not np.isfinite(echo.image.array).all() or np.ptp(echo.image.array) == 0:
        raise InputError(
            f"The phase image {echo.image.name} is constant or holds values that are not "
            "numbers. Export it again, or leave --phase out."
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
    echoes: Sequence[_Echo], register: bool, tell: Callable[[float], None]
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


def _growing(pictures: Sequence[Image], times: Sequence[float]) -> list[Finding]:
    """A warning where the signal grows from one echo to the next: swapped, most likely."""
    bright = pictures[0].array > np.nanmean(pictures[0].array)
    if not all(np.isfinite(p.array[bright]).any() for p in pictures):
        return []
    means = [float(np.nanmean(p.array[bright], dtype=np.float64)) for p in pictures]
    for n in range(1, len(means)):
        if means[n] > 1.02 * means[n - 1]:
            text = (
                f"The signal grows from the echo at {times[n - 1]:g} ms to the one at "
                f"{times[n]:g} ms. Check that files and echo times are in the same order."
            )
            return [Finding("echo_grows", text, warning=True)]
    return []
