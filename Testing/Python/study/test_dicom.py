"""DICOM series written here with pydicom and read back."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pydicom
import pytest
import SimpleITK as sitk
from numpy.typing import NDArray
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, RLELossless, generate_uid

from ALSMotorCortexLib.cortex.errors import InputError
from ALSMotorCortexLib.study.dicom import is_dicom, read_dicom

TIMES = (4.0, 8.0, 12.0)
SHAPE = (5, 8, 6)  # slices, rows, columns
PIXEL = (0.5, 0.4)  # between rows, between columns
STEP = 1.5
# An oblique scan: rows run to the left and a little down, columns to the back.
ROWS = np.array([np.cos(0.3), 0, -np.sin(0.3)])
COLUMNS = np.array([0.0, 1.0, 0.0])
NORMAL = np.cross(ROWS, COLUMNS)
ORIGIN = np.array([-20.0, 15.0, 7.0])


def values(kind: str, time: float) -> NDArray[np.uint16]:
    """Stored pixels (k, j, i), every voxel different."""
    k, j, i = np.mgrid[:5, :8, :6]
    if kind == "phase":
        return ((700 * k + 90 * j + 17 * i + 200 * time) % 4096).astype(np.uint16)
    return np.rint((1000 + 100 * k + 10 * j + i) * np.exp(-time / 30)).astype(np.uint16)


def dataset(path: Path, sop: str, series: str, number: int, description: str) -> FileDataset:
    meta = FileMetaDataset()
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.MediaStorageSOPClassUID = sop
    meta.MediaStorageSOPInstanceUID = generate_uid()
    ds = FileDataset(str(path), {}, file_meta=meta, preamble=b"\0" * 128)
    ds.SOPClassUID, ds.SOPInstanceUID = sop, meta.MediaStorageSOPInstanceUID
    ds.Modality, ds.SeriesInstanceUID = "MR", series
    ds.SeriesNumber, ds.SeriesDescription = number, description
    ds.Rows, ds.Columns = SHAPE[1:]
    ds.SamplesPerPixel, ds.PhotometricInterpretation = 1, "MONOCHROME2"
    ds.BitsAllocated = ds.BitsStored = 16
    ds.HighBit, ds.PixelRepresentation = 15, 0
    return ds


def position(k: int) -> list[float]:
    return [float(v) for v in ORIGIN + STEP * k * NORMAL]


def classic(
    folder: Path,
    kind: str = "magnitude",
    times: tuple[float, ...] = TIMES,
    number: int = 3,
    description: str = "t2star_m1",
    series: str = "",
    slope: float = 1.0,
    vendor: str = "siemens",
) -> list[Path]:
    """One file per slice and echo, in an order that says nothing."""
    folder.mkdir(parents=True, exist_ok=True)
    series = series or generate_uid()
    paths = []
    for time in times:
        for k in reversed(range(SHAPE[0])):
            path = folder / f"{generate_uid()}.dcm"
            ds = dataset(path, "1.2.840.10008.5.1.4.1.1.4", series, number, description)
            if vendor == "ge":
                ds.ImageType = ["ORIGINAL", "PRIMARY", "OTHER"]
                ds.add_new((0x0043, 0x1001), "LO", "GEMS_PARM_01")
                ds.add_new((0x0043, 0x102F), "SS", {"magnitude": 0, "phase": 1}[kind])
            else:
                ds.ImageType = ["ORIGINAL", "PRIMARY", "M" if kind == "magnitude" else "P", "ND"]
            ds.EchoTime, ds.SliceThickness = time, 1.2
            ds.ImagePositionPatient = position(k)
            ds.ImageOrientationPatient = [*ROWS, *COLUMNS]
            ds.PixelSpacing = list(PIXEL)
            if slope != 1:
                ds.RescaleSlope, ds.RescaleIntercept = slope, -5
            ds.PixelData = values(kind, time)[k].tobytes()
            ds.save_as(path, enforce_file_format=True)
            paths.append(path)
    return paths


def enhanced(path: Path, kinds: tuple[str, ...] = ("magnitude",), number: int = 4) -> Path:
    """All slices and echoes in one multi-frame file, frames in mixed order."""
    path.parent.mkdir(parents=True, exist_ok=True)
    ds = dataset(path, "1.2.840.10008.5.1.4.1.1.4.1", generate_uid(), number, "enhanced")
    ds.ImageType = ["ORIGINAL", "PRIMARY", "T2_STAR", "NONE"]
    shared = Dataset()
    orientation = Dataset()
    orientation.ImageOrientationPatient = [*ROWS, *COLUMNS]
    shared.PlaneOrientationSequence = [orientation]
    ds.SharedFunctionalGroupsSequence = [shared]
    frames, pixels = [], []
    for k in reversed(range(SHAPE[0])):
        for kind in kinds:
            for time in TIMES:
                frame = Dataset()
                for name, attribute, value in (
                    ("MREchoSequence", "EffectiveEchoTime", time),
                    ("PlanePositionSequence", "ImagePositionPatient", position(k)),
                    ("MRImageFrameTypeSequence", "ComplexImageComponent", kind.upper()),
                ):
                    item = Dataset()
                    setattr(item, attribute, value)
                    setattr(frame, name, [item])
                measures, scaling = Dataset(), Dataset()
                measures.PixelSpacing, measures.SliceThickness = list(PIXEL), 1.2
                scaling.RescaleSlope, scaling.RescaleIntercept = (2, 1) if time == 8 else (1, 0)
                frame.PixelMeasuresSequence = [measures]
                frame.PixelValueTransformationSequence = [scaling]
                frames.append(frame)
                pixels.append(values(kind, time)[k])
    ds.PerFrameFunctionalGroupsSequence = frames
    ds.NumberOfFrames = len(frames)
    ds.PixelData = np.stack(pixels).tobytes()
    ds.save_as(path, enforce_file_format=True)
    return path


def check_place(grid) -> None:  # type: ignore[no-untyped-def]
    """Voxels lie where the DICOM headers put them (LPS there, RAS here)."""
    k, j, i = 3, 2, 4
    lps = ORIGIN + STEP * k * NORMAL + i * PIXEL[1] * ROWS + j * PIXEL[0] * COLUMNS
    index = np.array([[k, j, i]])
    if not np.allclose(grid.ras(index), lps * [-1, -1, 1], atol=1e-4):
        pytest.fail(f"{grid.ras(index)} is not {lps * [-1, -1, 1]}")


def test_classic_series_with_phase_in_another_series(tmp_path: Path) -> None:
    classic(tmp_path / "a", number=3)
    classic(tmp_path / "b", kind="phase", number=4)
    (tmp_path / "notes.txt").write_text("not an image")
    found = read_dicom([p for p in tmp_path.rglob("*") if p.is_file()])
    assert [v.time_ms for v in found.magnitude] == list(TIMES)
    assert [v.time_ms for v in found.phase] == list(TIMES)
    for volume in found.magnitude:
        assert np.array_equal(volume.image.array, values("magnitude", volume.time_ms))
        check_place(volume.image.grid)
    for volume in found.phase:
        assert np.array_equal(volume.image.array, values("phase", volume.time_ms))
    assert found.thickness_mm == 1.2
    assert found.files[0] == 30
    assert "t2star_m1" in found.series


def test_grid_agrees_with_gdcm(tmp_path: Path) -> None:
    """The same slices read by ITK's own DICOM reader lie in the same place."""
    classic(tmp_path, times=(4.0,))
    names = sitk.ImageSeriesReader.GetGDCMSeriesFileNames(str(tmp_path))
    itk = sitk.ReadImage(names)
    classic(tmp_path, times=(8.0,), series=pydicom.dcmread(names[0]).SeriesInstanceUID)
    volume = read_dicom(tmp_path.iterdir()).magnitude[0]
    assert np.array_equal(sitk.GetArrayFromImage(itk), volume.image.array)
    point = itk.TransformIndexToPhysicalPoint((4, 2, 3))
    ras = np.array(point) * [-1, -1, 1]
    assert np.allclose(volume.image.grid.ras(np.array([[3, 2, 4]])), ras, atol=1e-3)


def test_magnitude_and_phase_in_one_series(tmp_path: Path) -> None:
    uid = generate_uid()
    paths = classic(tmp_path, series=uid) + classic(tmp_path, kind="phase", series=uid)
    found = read_dicom(paths)
    assert len(found.magnitude) == len(found.phase) == 3
    assert np.array_equal(found.phase[1].image.array, values("phase", 8.0))


def test_ge_marks_phase_in_a_private_field(tmp_path: Path) -> None:
    uid = generate_uid()
    paths = classic(tmp_path, series=uid, vendor="ge")
    paths += classic(tmp_path, kind="phase", series=uid, vendor="ge")
    found = read_dicom(paths)
    assert np.array_equal(found.magnitude[2].image.array, values("magnitude", 12.0))
    assert np.array_equal(found.phase[0].image.array, values("phase", 4.0))


def test_every_echo_a_series_of_its_own(tmp_path: Path) -> None:
    paths = [p for n, t in enumerate(TIMES) for p in classic(tmp_path, times=(t,), number=5 + n)]
    assert [v.time_ms for v in read_dicom(paths).magnitude] == list(TIMES)


@pytest.mark.parametrize("kinds", [("magnitude",), ("magnitude", "phase")])
def test_enhanced_multi_frame(tmp_path: Path, kinds: tuple[str, ...]) -> None:
    found = read_dicom([enhanced(tmp_path / "all.dcm", kinds)])
    assert [v.time_ms for v in found.magnitude] == list(TIMES)
    expected = [values("magnitude", t) * (2.0 if t == 8 else 1.0) + (t == 8) for t in TIMES]
    for volume, truth in zip(found.magnitude, expected, strict=True):
        assert np.array_equal(volume.image.array, truth)
        check_place(volume.image.grid)
    assert len(found.phase) == (3 if "phase" in kinds else 0)
    assert found.thickness_mm == 1.2


def test_rescale_slope_is_applied(tmp_path: Path) -> None:
    found = read_dicom(classic(tmp_path, slope=0.25))
    assert np.allclose(found.magnitude[0].image.array, 0.25 * values("magnitude", 4.0) - 5)


def test_a_compressed_series(tmp_path: Path) -> None:
    paths = classic(tmp_path)
    for path in paths:
        ds = pydicom.dcmread(path)
        ds.compress(RLELossless, generate_instance_uid=False)
        ds.save_as(path)
    found = read_dicom(paths)
    assert np.array_equal(found.magnitude[1].image.array, values("magnitude", 8.0))


def test_mixed_series_are_listed_and_one_is_chosen(tmp_path: Path) -> None:
    paths = classic(tmp_path, number=3, description="left") + classic(
        tmp_path, number=9, description="right", slope=2.0
    )
    paths += classic(tmp_path, times=(2.5,), number=1, description="localizer")
    with pytest.raises(InputError, match=r"2 multi-echo series.*left.*right.*--series"):
        read_dicom(paths)
    assert "right" in read_dicom(paths, "9").series
    assert "left" in read_dicom(paths, "left").series
    with pytest.raises(InputError, match="no multi-echo magnitude series '7'"):
        read_dicom(paths, "7")


def test_a_truncated_file_is_named(tmp_path: Path) -> None:
    paths = classic(tmp_path)
    data = paths[4].read_bytes()
    for keep in (len(data) - 30, len(data) // 2, 150):
        paths[4].write_bytes(data[:keep])
        with pytest.raises(InputError, match=rf"{paths[4].name}.*(truncated|lacks)"):
            read_dicom(paths)


def test_a_truncated_multi_frame_file_is_named(tmp_path: Path) -> None:
    path = enhanced(tmp_path / "all.dcm")
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(InputError, match=r"all\.dcm.*truncated"):
        read_dicom([path])


def test_a_missing_slice_is_said(tmp_path: Path) -> None:
    paths = classic(tmp_path)
    middle = [p for p in paths if np.allclose(pydicom.dcmread(p).ImagePositionPatient, position(2))]
    with pytest.raises(InputError, match=r"not evenly spaced.*3\.00 mm"):
        read_dicom([p for p in paths if p != middle[1]])


def test_repeated_images_are_said(tmp_path: Path) -> None:
    uid = generate_uid()
    paths = classic(tmp_path, series=uid) + classic(tmp_path, series=uid)
    with pytest.raises(InputError, match="at one place"):
        read_dicom(paths)


def test_one_echo_and_phase_only_are_said(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"two or more magnitude echoes.*t2star_m1"):
        read_dicom(classic(tmp_path / "one", times=(4.0,)))
    with pytest.raises(InputError, match="two or more magnitude echoes"):
        read_dicom(classic(tmp_path / "phase", kind="phase"))


def test_no_dicom_at_all(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("nothing here")
    assert not is_dicom(path)
    assert is_dicom(classic(tmp_path / "d")[0])
    assert not is_dicom(tmp_path / "absent")
    with pytest.raises(InputError, match="No MR images"):
        read_dicom([path])


def test_a_slice_without_position_is_named(tmp_path: Path) -> None:
    paths = classic(tmp_path)
    ds = pydicom.dcmread(paths[0])
    del ds.ImagePositionPatient
    ds.save_as(paths[0])
    with pytest.raises(InputError, match=rf"{paths[0].name} lacks"):
        read_dicom(paths)
