"""Echoes found in files, 4D files, BIDS and DICOM folders, and everything wrong with them."""

from __future__ import annotations

import gzip
import json
import struct
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pydicom
import pytest
import SimpleITK as sitk
from numpy.typing import NDArray
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, generate_uid

from ALSMotorCortexLib.cortex.errors import InputError
from ALSMotorCortexLib.cortex.grid import Grid, Image
from ALSMotorCortexLib.study.echoes import from_images, read_echoes
from ALSMotorCortexLib.study.nifti import write_nifti

TIMES = (4.0, 8.0, 12.0)
SHAPE = (5, 24, 20)
GRID = Grid.from_spacing(SHAPE, (1.5, 0.5, 0.4))


def magnitude(time: float) -> NDArray[np.float32]:
    k, j, i = np.mgrid[: SHAPE[0], : SHAPE[1], : SHAPE[2]]
    smooth = 200 + 60 * np.sin(j / 6) + 40 * np.cos(i / 5) + 5 * k
    noise = np.random.default_rng(int(time)).normal(0, 2, SHAPE)
    return (smooth * np.exp(-time / 30) + noise).astype(np.float32)


def phase(time: float) -> NDArray[np.float32]:
    _, j, i = np.mgrid[: SHAPE[0], : SHAPE[1], : SHAPE[2]]
    return np.angle(np.exp(1j * (j + i) * time / 10)).astype(np.float32)


def write_echo(
    path: Path,
    array: NDArray,
    sidecar: float | None = None,
    header: float | None = None,
    grid: Grid = GRID,
    **fields: float,
) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    description = "" if header is None else f"TE={header:g};Time=101010.000"
    write_nifti(Image(array, grid), path, description)
    if sidecar is not None:
        text = json.dumps({"EchoTime": sidecar, **fields})
        path.with_name(path.name.replace(".nii.gz", ".json")).write_text(text)
    return path


def write_all(folder: Path, seconds: bool = True, **options: float) -> list[Path]:
    return [
        write_echo(folder / f"e{n}.nii.gz", magnitude(t), t / 1000 if seconds else None, **options)
        for n, t in enumerate(TIMES, 1)
    ]


def write_4d(path: Path, arrays: Sequence[NDArray]) -> Path:
    """A 4D file on the same grid as :func:`write_echo`'s, made by ITK."""
    volumes = []
    for array in arrays:
        volume = sitk.GetImageFromArray(array)
        volume.SetSpacing(GRID.spacing[::-1])
        volume.SetDirection(np.diag([-1.0, -1.0, 1.0]).ravel())
        volumes.append(volume)
    sitk.WriteImage(sitk.JoinSeries(volumes), str(path))
    return path


# --- where echoes come from --------------------------------------------------------------


def check(found, times: Sequence[float] = TIMES) -> None:  # type: ignore[no-untyped-def]
    if found.times_ms != pytest.approx(tuple(times)):
        pytest.fail(f"times are {found.times_ms}")
    for array, time in zip(found.magnitude, times, strict=True):
        assert np.allclose(array, magnitude(time), atol=1e-3)
    assert found.grid.same_as(GRID)


def test_files_with_sidecars(tmp_path: Path) -> None:
    found = read_echoes(write_all(tmp_path, SliceThickness=1.2))
    check(found)
    assert found.thickness_mm == 1.2
    assert found.phase == ()
    assert len(found.sources) == 3 and all(len(s["sha256"]) == 64 for s in found.sources)


def test_files_in_any_order_are_sorted_by_their_sidecars(tmp_path: Path) -> None:
    one, two, three = write_all(tmp_path)
    check(read_echoes([three, one, two]))


def test_files_with_typed_times(tmp_path: Path) -> None:
    check(read_echoes(write_all(tmp_path, seconds=False), [4, 8, 12]))


def test_times_from_the_header_that_dcm2niix_writes(tmp_path: Path) -> None:
    paths = [write_echo(tmp_path / f"e{t:g}.nii.gz", magnitude(t), header=t) for t in TIMES]
    check(read_echoes(paths[::-1]))


@pytest.mark.parametrize("name", ["all.nii.gz", "all.nii"])
def test_one_4d_file(tmp_path: Path, name: str) -> None:
    path = write_4d(tmp_path / name, [magnitude(t) for t in TIMES])
    check(read_echoes([path], [4, 8, 12]))
    (tmp_path / "all.json").write_text(json.dumps({"EchoTime": [0.004, 0.008, 0.012]}))
    check(read_echoes([path]))


def test_one_4d_file_of_big_endian_scaled_integers(tmp_path: Path) -> None:
    path = tmp_path / "all.nii"
    stored = np.stack([np.rint(magnitude(t)) for t in TIMES]).astype(">i2")
    raw = write_4d(tmp_path / "small.nii", [magnitude(t) for t in TIMES]).read_bytes()
    head = bytearray(352)
    struct.pack_into(">i", head, 0, 348)
    struct.pack_into(">8h", head, 40, *struct.unpack_from("<8h", raw, 40))
    struct.pack_into(">2h", head, 70, 4, 16)
    struct.pack_into(">8f", head, 76, *struct.unpack_from("<8f", raw, 76))
    struct.pack_into(">3f", head, 108, 352, 0.5, 3)
    struct.pack_into(">2h6f12f", head, 252, *struct.unpack_from("<2h6f12f", raw, 252))
    head[123], head[344:348] = 2, b"n+1\0"
    path.write_bytes(bytes(head) + stored.tobytes())
    found = read_echoes([path], TIMES)
    for array, values in zip(found.magnitude, stored, strict=True):
        assert np.allclose(array, 0.5 * values + 3)
    assert found.grid.same_as(GRID)


def test_a_sequence_saved_by_slicer(tmp_path: Path) -> None:
    """Slicer writes a volume sequence as NRRD with a list axis in front."""
    path = tmp_path / "echoes.seq.nrrd"
    header = (
        "NRRD0004\ntype: float\ndimension: 4\nspace: left-posterior-superior\n"
        f"sizes: {len(TIMES)} {SHAPE[2]} {SHAPE[1]} {SHAPE[0]}\n"
        "space directions: none (-0.4,0,0) (0,-0.5,0) (0,0,1.5)\n"
        "kinds: list domain domain domain\nendian: little\nencoding: raw\n"
        "space origin: (0,0,0)\n\n"
    )
    values = np.stack([magnitude(t) for t in TIMES], axis=-1).astype("<f4")
    path.write_bytes(header.encode() + values.tobytes())
    check(read_echoes([path], [4, 8, 12]))


def test_bids_folder(tmp_path: Path) -> None:
    anat = tmp_path / "sub-01" / "anat"
    for n, t in enumerate(TIMES, 1):
        stem = f"sub-01_acq-slab_run-1_echo-{n}_part-"
        write_echo(anat / f"{stem}mag_MEGRE.nii.gz", magnitude(t), t / 1000)
        write_echo(anat / f"{stem}phase_MEGRE.nii.gz", phase(t), t / 1000)
    write_echo(anat / "sub-01_T1w.nii.gz", magnitude(1))
    for folder in (anat, tmp_path / "sub-01", tmp_path):
        found = read_echoes([folder])
        check(found)
        for array, time in zip(found.phase, TIMES, strict=True):
            assert np.allclose(array, phase(time), atol=1e-4)


def test_bids_folder_without_parts_and_of_more_than_nine_echoes(tmp_path: Path) -> None:
    times = [3.0 * n for n in range(1, 12)]
    for n, t in enumerate(times, 1):
        write_echo(tmp_path / f"sub-02_echo-{n}_MEGRE.nii.gz", magnitude(t), t / 1000)
    check(read_echoes([tmp_path]), times)


def test_bids_folder_of_several_scans_lists_them(tmp_path: Path) -> None:
    for subject in ("01", "02"):
        for n, t in enumerate(TIMES, 1):
            name = f"sub-{subject}_echo-{n}_MEGRE.nii.gz"
            write_echo(tmp_path / f"sub-{subject}" / name, magnitude(t), t / 1000)
    with pytest.raises(InputError, match=r"2 multi-echo scans.*sub-01.*sub-02"):
        read_echoes([tmp_path])
    check(read_echoes([tmp_path / "sub-02"]))


def write_dicom(folder: Path, drop: int | None = None) -> list[Path]:
    """A classic series; ``drop`` leaves out the last slice of that echo."""
    folder.mkdir()
    uid, paths = generate_uid(), []
    for n, time in enumerate(TIMES):
        for k in range(SHAPE[0] - (n == drop)):
            path = folder / f"{n}_{k}"
            meta = FileMetaDataset()
            meta.TransferSyntaxUID = ExplicitVRLittleEndian
            meta.MediaStorageSOPClassUID = "1.2.840.10008.5.1.4.1.1.4"
            meta.MediaStorageSOPInstanceUID = generate_uid()
            ds = FileDataset(str(path), {}, file_meta=meta, preamble=b"\0" * 128)
            ds.SOPClassUID = meta.MediaStorageSOPClassUID
            ds.SOPInstanceUID = meta.MediaStorageSOPInstanceUID
            ds.Modality, ds.SeriesInstanceUID, ds.SeriesNumber = "MR", uid, 2
            ds.ImageType, ds.EchoTime = ["ORIGINAL", "PRIMARY", "M"], time
            ds.Rows, ds.Columns = SHAPE[1:]
            ds.PixelSpacing, ds.SliceThickness = [0.5, 0.4], 1.5
            ds.ImageOrientationPatient = [-1, 0, 0, 0, -1, 0]
            ds.ImagePositionPatient = [0, 0, 1.5 * k]
            ds.SamplesPerPixel, ds.PhotometricInterpretation = 1, "MONOCHROME2"
            ds.BitsAllocated = ds.BitsStored = 16
            ds.HighBit, ds.PixelRepresentation = 15, 0
            ds.PixelData = np.rint(magnitude(time)[k]).astype("<u2").tobytes()
            ds.save_as(path, enforce_file_format=True)
            paths.append(path)
    return paths


def test_dicom_folder_and_dicom_files(tmp_path: Path) -> None:
    paths = write_dicom(tmp_path / "d")
    for given in ([tmp_path / "d"], paths):
        found = read_echoes(given)
        assert found.times_ms == TIMES
        assert found.grid.same_as(GRID)
        for array, time in zip(found.magnitude, TIMES, strict=True):
            assert np.array_equal(array, np.rint(magnitude(time)))
        assert any("series 2" in f.message for f in found.findings)


def test_a_slice_missing_at_the_end_of_one_dicom_echo_is_said(tmp_path: Path) -> None:
    write_dicom(tmp_path / "d", drop=1)
    with pytest.raises(InputError, match=r"Echo 2 .*another grid.*20 x 24 x 4 voxels"):
        read_echoes([tmp_path / "d"])


def test_images_in_memory_pass_the_same_checks() -> None:
    images = [Image(magnitude(t), GRID, f"volume {n}") for n, t in enumerate(TIMES, 1)]
    phases = [Image(phase(t), GRID, "phase") for t in TIMES]
    found = from_images(images, [0.004, 0.008, 0.012], phases)
    check(found)
    assert np.allclose(found.phase[2], phase(12), atol=1e-3)
    with pytest.raises(InputError, match="only one echo"):
        from_images(images[:1], [4])
    with pytest.raises(InputError, match=r"Echo 2 \(volume 2\).*another grid"):
        from_images([images[0], Image(magnitude(8), shifted(1), "volume 2")], [4, 8])
    with pytest.raises(InputError, match="3 magnitude and 2 phase"):
        from_images(images, TIMES, phases[:2])


# --- echo times --------------------------------------------------------------------------


def test_seconds_are_told_by_their_size_and_said(tmp_path: Path) -> None:
    found = read_echoes(write_all(tmp_path, seconds=False), [0.004, 0.008, 0.012])
    check(found)
    assert any("seconds" in f.message for f in found.findings)
    assert not read_echoes(write_all(tmp_path)).findings


def test_sidecars_in_ms_against_bids_are_said(tmp_path: Path) -> None:
    paths = [write_echo(tmp_path / f"e{t:g}.nii.gz", magnitude(t), t) for t in TIMES]
    found = read_echoes(paths)
    check(found)
    assert any("BIDS wants seconds" in f.message for f in found.findings)


def test_given_times_win_over_sidecars_and_it_is_said(tmp_path: Path) -> None:
    found = read_echoes(write_all(tmp_path), [4, 8, 13])
    assert found.times_ms == (4, 8, 13)
    assert any(f.code == "echo_times_differ" and f.warning for f in found.findings)


# --- phase -------------------------------------------------------------------------------


@pytest.mark.parametrize(("scale", "offset"), [(1, 0), (4095 / (2 * np.pi), 2048), (1e-3, 0)])
def test_phase_in_any_scale_becomes_radians(tmp_path: Path, scale: float, offset: float) -> None:
    paths = write_all(tmp_path)
    stored = [scale * phase(t) + offset for t in TIMES]
    phases = [
        write_echo(tmp_path / f"p{n}.nii.gz", p.astype(np.float32)) for n, p in enumerate(stored)
    ]
    found = read_echoes(paths, phase=phases)
    for array, time in zip(found.phase, TIMES, strict=True):
        # Up to a constant, and to the share of a turn that the range falls short of a whole one.
        turned = np.exp(1j * (array - phase(time)))
        assert np.abs(np.angle(turned * np.conj(turned.mean()))).max() < 0.1


def test_phase_follows_its_magnitude_when_sorted(tmp_path: Path) -> None:
    paths = write_all(tmp_path)
    phases = [write_echo(tmp_path / f"p{t:g}.nii.gz", phase(t), t / 1000) for t in TIMES]
    found = read_echoes(paths[::-1], phase=phases[::-1])
    for array, time in zip(found.phase, TIMES, strict=True):
        assert np.allclose(array, phase(time), atol=1e-3)
    with pytest.raises(InputError, match="same order"):
        read_echoes(paths, phase=phases[::-1])
    with pytest.raises(InputError, match="2 phase"):
        read_echoes(paths, phase=phases[:2])


@pytest.mark.parametrize(
    "spoil",
    [lambda p: p, lambda p: np.rint((p + np.pi) / (2 * np.pi) * 4095)],
    ids=["radians", "0 to 4095"],
)
def test_phase_given_as_magnitude_is_said(
    tmp_path: Path, spoil: Callable[[NDArray], NDArray]
) -> None:
    paths = write_all(tmp_path)
    noise = np.random.default_rng(0).uniform(-np.pi, np.pi, SHAPE)
    wrapped = np.where(np.mgrid[:5, :24, :20][1] > 16, noise, phase(8))
    write_echo(paths[1], spoil(wrapped).astype(np.float32), 0.008)
    with pytest.raises(InputError, match=r"Echo 2.*phase"):
        read_echoes(paths)


# --- different places --------------------------------------------------------------------


def shifted(mm: float) -> Grid:
    matrix = GRID.ijk_to_ras.copy()
    matrix[0, 3] += mm
    return Grid(SHAPE, matrix)


def test_echoes_of_different_grids_say_which_and_offer_registration(tmp_path: Path) -> None:
    paths = write_all(tmp_path)
    write_echo(paths[2], magnitude(12), 0.012, grid=shifted(0.8))
    with pytest.raises(InputError, match=r"Echo 3.*e3.*up to 0\.80 mm.*--register"):
        read_echoes(paths)


def test_a_rounded_header_is_the_same_grid(tmp_path: Path) -> None:
    paths = write_all(tmp_path)
    write_echo(paths[2], magnitude(12), 0.012, grid=shifted(0.002))
    check(read_echoes(paths))


def test_registration_brings_echoes_onto_the_first(tmp_path: Path) -> None:
    paths = write_all(tmp_path)
    write_echo(paths[2], magnitude(12), 0.012, grid=shifted(0.8))
    found = read_echoes(paths, register=True)
    codes = [f.code for f in found.findings]
    assert codes.count("echo_still") == 1 and codes.count("echo_registered") == 1
    assert np.array_equal(found.magnitude[1], magnitude(8))
    inner = (slice(1, -1), slice(4, -4), slice(4, -4))
    assert np.corrcoef(found.magnitude[2][inner].ravel(), magnitude(12)[inner].ravel())[0, 1] > 0.9
    turns = [write_echo(tmp_path / f"p{n}.nii.gz", phase(t)) for n, t in enumerate(TIMES)]
    with pytest.raises(InputError, match="--register"):
        read_echoes(paths, phase=turns, register=True)


# --- bad input ---------------------------------------------------------------------------


def test_missing_echo_times(tmp_path: Path) -> None:
    paths = write_all(tmp_path, seconds=False)
    with pytest.raises(InputError, match=r"No echo time.*e1\.nii\.gz and 2 more.*--te"):
        read_echoes(paths)
    (tmp_path / "e1.json").write_text("{broken")
    with pytest.raises(InputError, match="not valid JSON"):
        read_echoes(paths)


@pytest.mark.parametrize(
    ("times", "words"),
    [
        ([8.0, 4.0, 12.0], "do not ascend"),
        ([4.0, 4.0, 12.0], "do not ascend"),
        ([0.0, 4.0, 12.0], "above zero"),
        ([4.0, 8.0], "3 echoes and 2 echo times"),
        ([4.0, float("nan"), 12.0], "do not ascend"),
    ],
)
def test_typed_times_that_cannot_be(tmp_path: Path, times: list[float], words: str) -> None:
    with pytest.raises(InputError, match=words):
        read_echoes(write_all(tmp_path, seconds=False), times)


def test_sidecar_against_header(tmp_path: Path) -> None:
    paths = write_all(tmp_path)
    write_echo(paths[1], magnitude(8), 0.008, header=9)
    with pytest.raises(InputError, match=r"e2.*8 ms.*header 9 ms"):
        read_echoes(paths)
    check(read_echoes(paths, [4, 8, 12]))


def test_two_echoes_of_one_time(tmp_path: Path) -> None:
    paths = write_all(tmp_path)
    write_echo(paths[1], magnitude(4), 0.004)
    with pytest.raises(InputError, match="same echo time"):
        read_echoes(paths)


def test_one_echo(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="only one echo"):
        read_echoes(write_all(tmp_path)[:1])


def test_the_same_file_twice(tmp_path: Path) -> None:
    paths = write_all(tmp_path)
    with pytest.raises(InputError, match="given twice"):
        read_echoes([paths[0], paths[0]])


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (0, "is zero everywhere"),
        (np.nan, "holds no numbers"),
        (7.5, "has the value 7.5 everywhere"),
    ],
)
def test_echoes_that_show_nothing(tmp_path: Path, value: float, words: str) -> None:
    paths = write_all(tmp_path)
    write_echo(paths[2], np.full(SHAPE, value, np.float32), 0.012)
    with pytest.raises(InputError, match=rf"Echo 3 .*{words}"):
        read_echoes(paths)


@pytest.mark.filterwarnings("error")
def test_an_echo_without_a_value_where_the_first_is_bright(tmp_path: Path) -> None:
    """Nothing can be said of growth then, and numpy must not say so."""
    paths = write_all(tmp_path)
    bright = magnitude(4) > magnitude(4).mean()
    write_echo(paths[1], np.where(bright, np.float32(np.nan), magnitude(8)), 0.008)
    assert not any(f.code == "echo_grows" for f in read_echoes(paths).findings)


def test_magnitude_given_as_phase_too(tmp_path: Path) -> None:
    paths = write_all(tmp_path)
    with pytest.raises(
        InputError, match=r"e1\.nii\.gz is given as phase and is the same as a magn"
    ):
        read_echoes(paths, phase=paths)


def test_swapped_files_grow_and_are_warned_of(tmp_path: Path) -> None:
    one, two, three = write_all(tmp_path, seconds=False)
    found = read_echoes([three, two, one], [4, 8, 12])
    assert any(f.code == "echo_grows" and f.warning for f in found.findings)
    assert not any(f.warning for f in read_echoes([one, two, three], [4, 8, 12]).findings)


def test_a_truncated_4d_file(tmp_path: Path) -> None:
    whole = write_4d(tmp_path / "all.nii.gz", [magnitude(t) for t in TIMES]).read_bytes()
    for name, data in (
        ("cut.nii.gz", whole[: len(whole) // 2]),
        ("short.nii.gz", gzip.compress(gzip.decompress(whole)[:-5000])),
        ("short.nii", gzip.decompress(whole)[:-5000]),
    ):
        (tmp_path / name).write_bytes(data)
        with pytest.raises(InputError, match=rf"{name} is truncated") as caught:
            read_echoes([tmp_path / name], TIMES)
        assert str(tmp_path / name) in str(caught.value)


def test_a_4d_file_among_others(tmp_path: Path) -> None:
    path = write_4d(tmp_path / "all.nii.gz", [magnitude(t) for t in TIMES])
    with pytest.raises(InputError, match="holds 3 volumes"):
        read_echoes([path, *write_all(tmp_path)])


def test_folders_that_cannot_be_used(tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(InputError, match="is empty"):
        read_echoes([empty])
    write_all(tmp_path / "plain")
    with pytest.raises(InputError, match="BIDS"):
        read_echoes([tmp_path / "plain"])
    with pytest.raises(InputError, match="one folder"):
        read_echoes([empty, tmp_path / "plain"])
    write_echo(tmp_path / "p" / "sub-1_echo-1_part-phase_MEGRE.nii.gz", phase(4), 0.004)
    with pytest.raises(InputError, match="no magnitude"):
        read_echoes([tmp_path / "p"])
    with pytest.raises(InputError, match="--echoes"):
        read_echoes([])


def test_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no file .*absent\.nii\.gz"):
        read_echoes([*write_all(tmp_path), tmp_path / "absent.nii.gz"])


def test_a_truncated_dicom_file_in_a_folder(tmp_path: Path) -> None:
    paths = write_dicom(tmp_path / "d")
    assert pydicom.dcmread(paths[3]).EchoTime == 4
    paths[3].write_bytes(paths[3].read_bytes()[:-40])
    with pytest.raises(InputError, match=r"0_3.*truncated"):
        read_echoes([tmp_path / "d"])
