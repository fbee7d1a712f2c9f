"""DICOM slices put together into volumes. Positions there are LPS; everything leaves as RAS."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pydicom
import SimpleITK as sitk
from numpy.typing import NDArray

from ..cortex.errors import InputError
from ..cortex.grid import Grid, Image
from .dicom_frames import Frame, damaged, label_of

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


class Pixels:
    """Decoded pixels of the file read last: an enhanced file holds all frames."""

    def __init__(self) -> None:
        self._path: Path | None = None
        self._array: NDArray = np.zeros(0)

    def of(self, frame: Frame) -> NDArray[np.float32]:
        if frame.path != self._path:
            self._array, self._path = _decode(frame.path), frame.path
        values = self._array if frame.index is None else self._array[frame.index]
        if values.shape != frame.size:
            raise damaged(frame.path)
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
                raise damaged(path)
            array = ds.pixel_array
        except (RuntimeError, NotImplementedError):
            if not compressed:
                raise damaged(path) from None
            return _decode_with_itk(path, ds)
        except InputError:
            raise
        except Exception:
            raise damaged(path) from None
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


def grid_of(stack: Sequence[Frame]) -> Grid:
    """The grid of one echo's slices, in any order; raises as :func:`volume_of`."""
    return _grid(_sorted(stack))


def _sorted(stack: Sequence[Frame]) -> list[Frame]:
    return sorted(stack, key=lambda frame: frame.along_normal)


def volume_of(stack: Sequence[Frame], pixels: Pixels) -> Volume:
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
    name = f"{label_of(first)}, {first.kind} at {first.time_ms:g} ms"
    return Volume(Image(array, grid, name), first.time_ms)


def _grid(frames: Sequence[Frame]) -> Grid:
    """The grid of slices in order."""
    first, last = frames[0], frames[-1]
    what = f"{label_of(first)}, echo time {first.time_ms:g} ms"
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


def _slice_step(frames: Sequence[Frame], what: str) -> float:
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
