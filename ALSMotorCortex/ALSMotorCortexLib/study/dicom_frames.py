"""The slices of DICOM files, classic or enhanced multi-frame: what each is and where it lies.

Attributes and their meaning: DICOM PS3.3, Image Plane Module (C.7.6.2), MR Image Module
(C.8.3.1) and Enhanced MR Image (C.8.13); ``ComplexImageComponent`` is C.8.13.3.1.1.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
from pydicom.errors import InvalidDicomError

from ..cortex.errors import InputError

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


@dataclass(frozen=True)
class Frame:
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


def frames_of(path: Path) -> list[Frame]:
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
        raise damaged(path) from None
    kind = ds.file_meta.get("MediaStorageSOPClassUID") or ds.get("SOPClassUID", "")
    if "Modality" not in ds and kind != _DIRECTORY:
        raise damaged(path)
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


def _classic_frame(path: Path, ds: pydicom.Dataset) -> Frame:
    return _frame(
        path, None, ds, ds, _kind(ds, ds.get("ImageType", ())), ds.EchoTime,
        ds.ImagePositionPatient, ds.ImageOrientationPatient, ds, ds,
    )  # fmt: skip


def _enhanced_frame(path: Path, ds: pydicom.Dataset, index: int) -> Frame:
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
) -> Frame:
    row, column = (float(v) for v in measures.PixelSpacing)
    return Frame(
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


def label_of(frame: Frame) -> str:
    """What a frame's series is called in a message."""
    return f"series {frame.number}" + (f" ({frame.description})" if frame.description else "")


def damaged(path: Path) -> InputError:
    """What to say of a file that cannot be read to its end."""
    return InputError(
        f"{path} is a truncated or damaged DICOM file. Export it from the scanner or PACS again."
    )
