"""Multi-echo gradient echo from DICOM files, classic or enhanced multi-frame.

Attributes and their meaning: DICOM PS3.3, Image Plane Module (C.7.6.2), MR Image Module
(C.8.3.1) and Enhanced MR Image (C.8.13); ``ComplexImageComponent`` is C.8.13.3.1.1. Positions
there are LPS; everything leaves here as RAS.
"""

from __future__ import annotations

import hashlib
import warnings
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import SimpleITK as sitk
from numpy.typing import NDArray
from pydicom.errors import InvalidDicomError

from ..cortex.errors import InputError
from ..cortex.grid import Grid, Image

MAGNITUDE, PHASE, OTHER = "magnitude", "phase", "other"

_COMPONENTS = {
    "MAGNITUDE": MAGNITUDE, "M": MAGNITUDE, "M_FFE": MAGNITUDE,
    "PHASE": PHASE, "PHASE MAP": PHASE, "P": PHASE,
    "REAL": OTHER, "R": OTHER, "IMAGINARY": OTHER, "I": OTHER,
}  # fmt: skip
# Storage classes (PS3.4, B.5): MR Image, Enhanced MR Image and the latter made from the former.
_MR_IMAGES = {
    "1.2.840.10008.5.1.4.1.1.4",
    "1.2.840.10008.5.1.4.1.1.4.1",
    "1.2.840.10008.5.1.4.1.1.4.4",
}
_DIRECTORY = "1.2.840.10008.1.3.10"
_GE_COMPONENT = (0x0043, 0x102F)
_GE_KINDS = {0: MAGNITUDE, 1: PHASE, 2: OTHER, 3: OTHER}

# Positions along the slice normal may be rounded in the header by this share of the spacing.
_UNEVEN = 0.05


@dataclass(frozen=True)
class Volume:
    """One echo's volume.

    Attributes:
        image: its values (k, j, i), float32, and grid.
        time_ms: echo time.
    """

    image: Image
    time_ms: float


@dataclass(frozen=True)
class DicomEchoes:
    """A multi-echo series.

    Attributes:
        magnitude, phase: volumes by ascending echo time; phase may be empty.
        thickness_mm: slice thickness, or None where it is not stated.
        series: its number and description.
        files: how many files it came from, their size in bytes, and one checksum over all.
    """

    magnitude: tuple[Volume, ...]
    phase: tuple[Volume, ...]
    thickness_mm: float | None
    series: str
    files: tuple[int, int, str]


@dataclass(frozen=True)
class _Frame:
    """One slice: where it lies, what it is, and where its pixels are."""

    path: Path
    index: int | None
    series_uid: str
    number: int
    description: str
    kind: str
    time_ms: float
    position: tuple[float, ...]
    orientation: tuple[float, ...]
    spacing: tuple[float, float]
    size: tuple[int, int]
    thickness: float | None
    between: float | None
    slope: float
    intercept: float

    @property
    def along_normal(self) -> float:
        rows, columns = np.array(self.orientation).reshape(2, 3)
        return float(np.dot(self.position, np.cross(rows, columns)))


_Stacks = dict[tuple[str, float], list[_Frame]]


def is_dicom(path: Path) -> bool:
    """Whether a file starts as DICOM files do."""
    if not path.is_file():  # a pipe could keep us waiting
        return False
    try:
        with open(path, "rb") as stream:
            return stream.read(132)[128:] == b"DICM"
    except OSError:
        return False


def read_dicom(paths: Iterable[Path], series: str = "") -> DicomEchoes:
    """The multi-echo magnitude, and its phase where there is one, from DICOM files.

    Args:
        paths: files; those that are not MR images are passed over.
        series: number, or part of the description, of the series to take where there are
            several.

    Raises:
        InputError: no or several multi-echo series, a missing slice, repeated images, or a
            file that is truncated or cannot be decoded.
    """
    frames = [frame for path in sorted(paths) for frame in _frames(path)]
    if not frames:
        raise InputError(
            "No MR images in DICOM format were found there. Check the folder, or give the "
            "echoes as NIfTI files."
        )
    by_series = _by_series(frames)
    chosen = _choose(by_series, series)
    stacks = by_series[chosen]
    times = sorted(time for kind, time in stacks if kind == MAGNITUDE)
    label = _label(next(iter(stacks.values()))[0])
    pixels = _Pixels()
    magnitude = tuple(_volume(stacks[MAGNITUDE, time], pixels) for time in times)
    found = _phase_stacks(by_series, chosen, times, magnitude[0].image.grid)
    phase = tuple(_volume(found[time], pixels) for time in times) if found else ()
    used = [stacks[MAGNITUDE, time] for time in times] + [found[time] for time in found]
    return DicomEchoes(
        magnitude,
        phase,
        stacks[MAGNITUDE, times[0]][0].thickness,
        label,
        _digest({frame.path for stack in used for frame in stack}),
    )


# Scanning -------------------------------------------------------------------------------


def _frames(path: Path) -> list[_Frame]:
    """The slices in a file; none if it is not an MR image."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            ds = pydicom.dcmread(path, stop_before_pixels=True)
    except InvalidDicomError:
        return []
    except OSError as error:
        raise InputError(
            f"{path} cannot be read ({error.strerror}). Check its permissions."
        ) from None
    except Exception:  # pydicom raises many kinds on a damaged header
        raise _damaged(path) from None
    kind = ds.file_meta.get("MediaStorageSOPClassUID") or ds.get("SOPClassUID", "")
    if "Modality" not in ds and kind != _DIRECTORY:
        raise _damaged(path)
    if ds.get("Modality") != "MR" or kind not in _MR_IMAGES:
        return []
    try:
        if "PerFrameFunctionalGroupsSequence" in ds:
            return [
                _enhanced_frame(path, ds, n)
                for n in range(len(ds.PerFrameFunctionalGroupsSequence))
            ]
        return [_classic_frame(path, ds)]
    except (AttributeError, KeyError, IndexError, TypeError, ValueError):
        raise InputError(
            f"{path} lacks what an MR slice must state: echo time, position, orientation or "
            "pixel spacing. It may be truncated; export it from the scanner or PACS again."
        ) from None


def _classic_frame(path: Path, ds: pydicom.Dataset) -> _Frame:
    return _frame(
        path, None, ds, ds, _kind(ds, ds.get("ImageType", ())), ds.EchoTime,
        ds.ImagePositionPatient, ds.ImageOrientationPatient, ds, ds,
    )  # fmt: skip


def _enhanced_frame(path: Path, ds: pydicom.Dataset, index: int) -> _Frame:
    own = ds.PerFrameFunctionalGroupsSequence[index]
    shared = ds.get("SharedFunctionalGroupsSequence", [pydicom.Dataset()])[0]

    def group(name: str) -> pydicom.Dataset:
        found = own.get(name) or shared.get(name)
        return found[0] if found else pydicom.Dataset()

    kind = group("MRImageFrameTypeSequence")
    return _frame(
        path,
        index,
        ds,
        ds,
        _kind(kind, kind.get("FrameType", ds.get("ImageType", ()))),
        group("MREchoSequence").EffectiveEchoTime,
        group("PlanePositionSequence").ImagePositionPatient,
        group("PlaneOrientationSequence").ImageOrientationPatient,
        group("PixelMeasuresSequence"),
        group("PixelValueTransformationSequence"),
    )


def _frame(
    path: Path,
    index: int | None,
    series: pydicom.Dataset,
    matrix: pydicom.Dataset,
    kind: str,
    time: Any,
    position: Any,
    orientation: Any,
    measures: pydicom.Dataset,
    scaling: pydicom.Dataset,
) -> _Frame:
    row, column = (float(v) for v in measures.PixelSpacing)
    return _Frame(
        path=path,
        index=index,
        series_uid=str(series.SeriesInstanceUID),
        number=int(series.get("SeriesNumber") or 0),
        description=str(series.get("SeriesDescription") or ""),
        kind=kind,
        time_ms=round(float(time), 3),
        position=tuple(float(v) for v in position),
        orientation=tuple(round(float(v), 6) for v in orientation),
        spacing=(row, column),
        size=(int(matrix.Rows), int(matrix.Columns)),
        thickness=_number(measures.get("SliceThickness")),
        between=_number(measures.get("SpacingBetweenSlices")),
        slope=float(scaling.get("RescaleSlope", 1) or 1),
        intercept=float(scaling.get("RescaleIntercept", 0) or 0),
    )


def _number(value: Any) -> float | None:
    return float(value) if value not in (None, "") else None


def _kind(ds: pydicom.Dataset, image_type: Sequence[str]) -> str:
    """Magnitude, phase or other. What does not say is taken for magnitude."""
    component = _COMPONENTS.get(str(ds.get("ComplexImageComponent", "")).upper())
    if component:
        return component
    if _GE_COMPONENT in ds:
        value = ds[_GE_COMPONENT].value
        if isinstance(value, int) and value in _GE_KINDS:
            return _GE_KINDS[value]
    named = [_COMPONENTS[str(v).upper()] for v in image_type[2:] if str(v).upper() in _COMPONENTS]
    return named[0] if named else MAGNITUDE


# Choosing -------------------------------------------------------------------------------


def _by_series(frames: Iterable[_Frame]) -> dict[str, _Stacks]:
    """Frames by series, then by kind and echo time.

    Some scanners store every echo as a series of its own: series of one echo that share their
    description and plane are put together.
    """
    series: dict[str, _Stacks] = defaultdict(lambda: defaultdict(list))
    for frame in frames:
        series[frame.series_uid][frame.kind, frame.time_ms].append(frame)
    single: dict[tuple, list[str]] = defaultdict(list)
    for uid, stacks in series.items():
        if len(stacks) == 1:
            (kind, _), (first, *_) = next(iter(stacks.items()))
            single[kind, first.description, first.orientation, first.size, first.spacing].append(
                uid
            )
    for uids in single.values():
        keys = [key for uid in uids for key in series[uid]]
        if len(uids) > 1 and len(set(keys)) == len(keys):
            for uid in uids[1:]:
                series[uids[0]].update(series.pop(uid))
    return dict(series)


def _choose(by_series: Mapping[str, _Stacks], wanted: str) -> str:
    """The one series with several magnitude echoes, or the one that is asked for."""

    def echoes(stacks: _Stacks) -> int:
        return sum(kind == MAGNITUDE for kind, _ in stacks)

    several = [uid for uid, stacks in by_series.items() if echoes(stacks) > 1]
    first = {uid: next(iter(stacks.values()))[0] for uid, stacks in by_series.items()}
    if wanted:
        matching = [
            uid
            for uid in several
            if wanted == str(first[uid].number) or wanted.lower() in first[uid].description.lower()
        ]
        if not matching:
            raise InputError(
                f"There is no multi-echo magnitude series {wanted!r}. There is: "
                f"{_listed(by_series, several or list(by_series))}."
            )
        several = matching
    if not several:
        raise InputError(
            "The DICOM files hold no series with two or more magnitude echoes, only "
            f"{_listed(by_series, list(by_series))}. T2* needs at least two echo times."
        )
    if len(several) > 1:
        raise InputError(
            f"The DICOM files hold {len(several)} multi-echo series: "
            f"{_listed(by_series, several)}. Choose one with --series NUMBER."
        )
    return several[0]


def _listed(by_series: Mapping[str, _Stacks], uids: Sequence[str]) -> str:
    """Series in words, at most eight."""
    words = []
    for uid in sorted(uids, key=lambda u: next(iter(by_series[u].values()))[0].number)[:8]:
        stacks = by_series[uid]
        kinds = sorted({kind for kind, _ in stacks})
        first = next(iter(stacks.values()))[0]
        echoes = len({time for _, time in stacks})
        words.append(
            f"{_label(first)}, {'/'.join(kinds)}, {echoes} {'echo' if echoes == 1 else 'echoes'}"
        )
    more = len(uids) - len(words)
    return "; ".join(words) + (f"; and {more} more" if more > 0 else "")


def _label(frame: _Frame) -> str:
    return f"series {frame.number}" + (f" ({frame.description})" if frame.description else "")


def _phase_stacks(
    by_series: Mapping[str, _Stacks], chosen: str, times: Sequence[float], grid: Grid
) -> dict[float, list[_Frame]]:
    """Phase of the same echo times and place: of the same series, else of the nearest number."""
    number = next(iter(by_series[chosen].values()))[0].number
    order = sorted(
        by_series,
        key=lambda uid: (
            uid != chosen,
            abs(next(iter(by_series[uid].values()))[0].number - number),
        ),
    )
    for uid in order:
        stacks = by_series[uid]
        found = {time: stacks[PHASE, time] for time in times if (PHASE, time) in stacks}
        if len(found) == len(times) and _grid(_sorted(found[times[0]])).same_as(grid, 0.01):
            return found
    return {}


# Building volumes -----------------------------------------------------------------------


class _Pixels:
    """Decoded pixels of the file read last: an enhanced file holds all frames."""

    def __init__(self) -> None:
        self._path: Path | None = None
        self._array: NDArray = np.zeros(0)

    def of(self, frame: _Frame) -> NDArray[np.float32]:
        if frame.path != self._path:
            self._array, self._path = _decode(frame.path), frame.path
        values = self._array if frame.index is None else self._array[frame.index]
        if values.shape != frame.size:
            raise _damaged(frame.path)
        return values.astype(np.float32) * np.float32(frame.slope) + np.float32(frame.intercept)


def _decode(path: Path) -> NDArray:
    """Stored pixel values (rows, columns) or (frames, rows, columns), not rescaled."""
    compressed = False
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            ds = pydicom.dcmread(path)
            compressed = ds.file_meta.TransferSyntaxUID.is_compressed
            if "PixelData" not in ds:
                raise _damaged(path)
            array = ds.pixel_array
        except (RuntimeError, NotImplementedError):
            if not compressed:
                raise _damaged(path) from None
            return _decode_with_itk(path, ds)
        except InputError:
            raise
        except Exception:
            raise _damaged(path) from None
    frames = int(ds.get("NumberOfFrames") or 1)
    return array.reshape(frames, *array.shape[-2:]) if "NumberOfFrames" in ds else array


def _decode_with_itk(path: Path, ds: pydicom.Dataset) -> NDArray:
    """GDCM, inside SimpleITK, knows more compressions; it applies the rescaling itself."""
    reader = sitk.ImageFileReader()
    reader.SetFileName(str(path))
    reader.SetImageIO("GDCMImageIO")
    try:
        array = sitk.GetArrayFromImage(reader.Execute())
    except RuntimeError:
        raise InputError(
            f"{path} is compressed in a way that cannot be decoded here. Decompress the files "
            "first, for example with gdcmconv --raw or dcm2niix."
        ) from None
    if "NumberOfFrames" in ds:
        return array
    slope = float(ds.get("RescaleSlope", 1) or 1)
    return (array[0] - float(ds.get("RescaleIntercept", 0) or 0)) / slope


def _sorted(stack: Sequence[_Frame]) -> list[_Frame]:
    return sorted(stack, key=lambda frame: frame.along_normal)


def _volume(stack: Sequence[_Frame], pixels: _Pixels) -> Volume:
    """One echo's slices as a volume.

    Raises:
        InputError: slices that repeat, are missing, or do not fit together.
    """
    frames = _sorted(stack)
    grid = _grid(frames)
    array = np.empty(grid.shape, np.float32)
    for k, frame in enumerate(frames):
        array[k] = pixels.of(frame)
    first = frames[0]
    name = f"{_label(first)}, {first.kind} at {first.time_ms:g} ms"
    return Volume(Image(array, grid, name), first.time_ms)


def _grid(frames: Sequence[_Frame]) -> Grid:
    """The grid of slices in order."""
    first, last = frames[0], frames[-1]
    what = f"{_label(first)}, echo time {first.time_ms:g} ms"
    if len({(f.orientation, f.size, f.spacing) for f in frames}) > 1:
        raise InputError(
            f"The slices of {what} differ in orientation, size or pixel spacing. "
            "Keep the files of one scan only."
        )
    step = _slice_step(frames, what)
    rows, columns = np.array(first.orientation).reshape(2, 3)
    matrix = np.eye(4)
    matrix[:3, 0] = rows * first.spacing[1]
    matrix[:3, 1] = columns * first.spacing[0]
    matrix[:3, 2] = (
        np.subtract(last.position, first.position) / (len(frames) - 1)
        if len(frames) > 1
        else np.cross(rows, columns) * step
    )
    matrix[:3, 3] = first.position
    return Grid((len(frames), *first.size), np.diag([-1.0, -1.0, 1.0, 1.0]) @ matrix)


def _slice_step(frames: Sequence[_Frame], what: str) -> float:
    """Distance between slices in mm."""
    if len(frames) == 1:
        return frames[0].between or frames[0].thickness or 1.0
    gaps = np.diff([frame.along_normal for frame in frames])
    usual = float(np.median(gaps))
    if (gaps < 1e-3).any():
        raise InputError(
            f"The files hold several images of {what} at one place: repeated measurements, "
            "receive channels, or copies. Keep one set of them."
        )
    if (np.abs(gaps - usual) > _UNEVEN * usual).any():
        worst = int(np.argmax(np.abs(gaps - usual)))
        raise InputError(
            f"The slices of {what} are not evenly spaced: {gaps[worst]:.2f} mm between slices "
            f"{worst + 1} and {worst + 2}, {usual:.2f} mm elsewhere. A file is probably missing; "
            "export the series again."
        )
    return usual


def _damaged(path: Path) -> InputError:
    return InputError(
        f"{path} is a truncated or damaged DICOM file. Export it from the scanner or PACS again."
    )


def _digest(paths: Iterable[Path]) -> tuple[int, int, str]:
    """Number of files, their bytes, and one SHA-256 over all in order of their names."""
    total, size, ordered = hashlib.sha256(), 0, sorted(paths)
    for path in ordered:
        data = path.read_bytes()
        size += len(data)
        total.update(data)
    return len(ordered), size, total.hexdigest()
