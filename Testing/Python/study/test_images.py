"""Image files of every kind: read in place, or refused with a sentence."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from ALSMotorCortexLib.cortex.errors import InputError
from ALSMotorCortexLib.cortex.grid import Grid, Image
from ALSMotorCortexLib.study.images import named_file, read_image, read_layers, whole_numbers
from ALSMotorCortexLib.study.nifti import write_nifti

# Left-handed, oblique: ITK direction cosines (LPS).
DIRECTION = np.array([[0.8, 0.6, 0.0], [-0.6, 0.8, 0.0], [0.0, 0.0, -1.0]])


def itk_image(vector: bool = False) -> sitk.Image:
    array = np.arange(4 * 5 * 6, dtype=np.float32).reshape(4, 5, 6)
    if vector:
        array = np.stack([array, -array], axis=-1)
    image = sitk.GetImageFromArray(array, isVector=vector)
    image.SetSpacing((0.2, 0.25, 1.5))
    image.SetOrigin((10.0, -20.0, 30.0))
    image.SetDirection(DIRECTION.ravel())
    return image


@pytest.mark.parametrize("suffix", [".nrrd", ".mha", ".nii", ".nii.gz", ".mhd"])
def test_every_format_gives_the_same_image(tmp_path, suffix):
    path = tmp_path / f"image{suffix}"
    source = itk_image()
    sitk.WriteImage(source, str(path))
    file = read_image(path)
    assert np.array_equal(file.image.array, sitk.GetArrayFromImage(source))
    for kji in [(0, 0, 0), (3, 0, 0), (0, 4, 0), (0, 0, 5)]:
        lps = np.array(source.TransformIndexToPhysicalPoint([int(n) for n in kji[::-1]]))
        assert file.image.grid.ras(np.array(kji)) == pytest.approx(lps * [-1, -1, 1], abs=1e-4)
    assert file.size == path.stat().st_size
    assert file.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()


def test_vectors_are_layers_and_no_scalar_image(tmp_path):
    path = tmp_path / "vector.nrrd"
    sitk.WriteImage(itk_image(vector=True), str(path))
    first, second = read_layers(path).layers
    assert np.array_equal(first, -second)
    with pytest.raises(InputError, match="2 values per voxel"):
        read_image(path)


def test_missing(tmp_path):
    with pytest.raises(InputError, match="There is no file"):
        read_image(tmp_path / "none.nii.gz")


def test_folder(tmp_path):
    with pytest.raises(InputError, match="is a folder"):
        read_image(tmp_path)


@pytest.mark.parametrize("name", ["a.nii.gz", "a.nii", "a.nrrd", "a.mha", "a"])
def test_empty(tmp_path, name):
    (tmp_path / name).touch()
    with pytest.raises(InputError, match="is empty"):
        read_image(tmp_path / name)


@pytest.mark.parametrize("name", ["a.nii.gz", "a.nii", "a.nrrd", "a.mha", "a.txt", "a"])
@pytest.mark.parametrize("content", [b"hello", b"\0" * 5000, b"NRRD0004\n", b"\x1f\x8b\x08"])
def test_not_an_image(tmp_path, capfd, name, content):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError) as caught:
        read_image(tmp_path / name)
    assert str(tmp_path / name) in str(caught.value)
    assert "\n" not in str(caught.value)
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("suffix", [".nrrd", ".mha", ".nii", ".nii.gz"])
@pytest.mark.parametrize("compressed", [False, True])
def test_truncated(tmp_path, capfd, suffix, compressed):
    path = tmp_path / f"image{suffix}"
    sitk.WriteImage(itk_image(), str(path), compressed)
    path.write_bytes(path.read_bytes()[:-60])
    with pytest.raises(InputError, match="truncated"):
        read_image(path)
    assert capfd.readouterr().err == ""


NRRD_VECTOR = b"space directions: (0.16000000000000003,-0.12,0)"


@pytest.mark.parametrize(
    "vector, message",
    [
        (b"(0,0,0)", "spacing of zero"),
        (b"(nan,nan,nan)", "spacing of zero, or none"),
        (b"none", "spacing of zero, or none"),
        (b"(0.2,0.1,0)", "not at right angles"),
    ],
)
def test_nrrd_geometry_that_itk_passes_over(tmp_path, capfd, vector, message):
    path = tmp_path / "image.nrrd"
    sitk.WriteImage(itk_image(), str(path))
    data = path.read_bytes()
    assert NRRD_VECTOR in data
    path.write_bytes(data.replace(NRRD_VECTOR, b"space directions: " + vector))
    with pytest.raises(InputError, match=message):
        read_image(path)
    assert capfd.readouterr().err == ""


def test_nrrd_of_negative_spacing(tmp_path, capfd):
    path = tmp_path / "image.nrrd"
    head = b"NRRD0004\ntype: uint8\ndimension: 3\nsizes: 4 3 2\nspacings: 1 -0.5 2\nencoding: raw"
    path.write_bytes(head + b"\n\n" + bytes(24))
    with pytest.raises(InputError, match="negative voxel spacing, -0.5 mm"):
        read_image(path)
    assert capfd.readouterr().err == ""


def test_nrrd_that_ends_within_its_header(tmp_path, capfd):
    path = tmp_path / "image.nrrd"
    sitk.WriteImage(itk_image(), str(path))
    data = path.read_bytes()
    whole = data.index(b"\n\n")
    for length in (8, 30, whole // 2, whole):
        path.write_bytes(data[:length])
        with pytest.raises(InputError, match="damaged or cut short: it ends within its header"):
            read_image(path)
    assert capfd.readouterr().err == ""


def test_metaimage_of_zero_spacing(tmp_path, capfd):
    path = tmp_path / "image.mha"
    sitk.WriteImage(itk_image(), str(path))
    data = path.read_bytes()
    assert b"ElementSpacing = 0.2" in data
    head, tail = data.split(b"ElementSpacing = ", 1)
    path.write_bytes(head + b"ElementSpacing = 0 0.25 1.5\n" + tail.split(b"\n", 1)[1])
    with pytest.raises(InputError, match="spacing of zero"):
        read_image(path)
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize(
    "line, message",
    [
        (b"ElementSpacing = 0.2 -0.25 1.5", "negative voxel spacing, -0.25 mm"),
        (b"ElementSize = 0.2 -0.25 1.5", "negative voxel spacing, -0.25 mm"),
        (b"ElementSpacing = 0.2 nan 1.5", "spacing of zero, or none"),
        (b"ElementSpacing = wide", "spacing of zero, or none"),
        (b"Comment = none", "spacing of zero, or none"),
    ],
)
@pytest.mark.parametrize("suffix", [".mha", ".mhd"])
def test_metaimage_spacing_that_itk_passes_over(tmp_path, capfd, suffix, line, message):
    path = tmp_path / f"image{suffix}"
    sitk.WriteImage(itk_image(), str(path))
    head, tail = path.read_bytes().split(b"ElementSpacing = ", 1)
    path.write_bytes(head + line + b"\n" + tail.split(b"\n", 1)[1])
    with pytest.raises(InputError, match=message):
        read_image(path)
    assert capfd.readouterr().err == ""


def test_nrrd_without_spacing(tmp_path):
    path = tmp_path / "image.nrrd"
    head = b"NRRD0004\ntype: uint8\ndimension: 3\nsizes: 4 3 2\nencoding: raw"
    path.write_bytes(head + b"\n\n" + bytes(24))
    with pytest.raises(InputError, match="spacing of zero, or none"):
        read_image(path)


@pytest.mark.parametrize("suffix", [".nrrd", ".mha", ".nii.gz"])
def test_a_slice_is_no_volume(tmp_path, suffix):
    path = tmp_path / f"slice{suffix}"
    sitk.WriteImage(itk_image()[:, :, 0], str(path))
    with pytest.raises(InputError, match=r"has 2 dimensions \(\d x \d\)"):
        read_image(path)


@pytest.mark.parametrize("suffix", [".nrrd", ".mha", ".nii.gz"])
def test_colours(tmp_path, suffix):
    path = tmp_path / f"colours{suffix}"
    sitk.WriteImage(sitk.GetImageFromArray(np.zeros((2, 3, 4, 3), np.uint8), True), str(path))
    with pytest.raises(InputError, match="has 3 values per voxel"):
        read_image(path)


@pytest.mark.parametrize(
    "name, message",
    [("a.tif", "is a picture"), ("a.img", "in two files"), ("a.hdr", "in two files")],
)
def test_formats_that_are_not_taken(tmp_path, name, message):
    path = tmp_path / name
    sitk.WriteImage(sitk.GetImageFromArray(np.zeros((2, 3, 4), np.uint8)), str(path))
    with pytest.raises(InputError, match=message):
        read_image(path)


@pytest.mark.parametrize("suffix", [".nhdr", ".mhd"])
def test_voxels_that_are_not_beside_their_header(tmp_path, suffix):
    path = tmp_path / f"image{suffix}"
    sitk.WriteImage(itk_image(), str(path))
    (tmp_path / "image.raw").unlink()
    with pytest.raises(InputError, match="holds its voxels is not beside it"):
        read_image(path)


def test_four_dimensions(tmp_path):
    path = tmp_path / "four.nrrd"
    sitk.WriteImage(sitk.GetImageFromArray(np.zeros((3, 4, 5, 6), np.uint8), False), str(path))
    with pytest.raises(InputError, match="4 dimensions .6 x 5 x 4 x 3.: 3 volumes"):
        read_image(path)


def test_real_four_dimensions(shared_data):
    with pytest.raises(InputError, match="51 x 51 x 41 x 3.: 3 volumes along dimension 4"):
        read_image(shared_data / "gre_7t" / "magnitude.nii.gz")


def test_real_rim(shared_data):
    """The mirrored axes and values that the data's own description states."""
    image = read_image(shared_data / "hand_knob_7t" / "rim.nii.gz").image
    assert image.array.shape == (15, 648, 648)
    assert np.count_nonzero(image.array == 3) == 838_044
    assert image.grid.spacing == pytest.approx((0.32, 0.2006, 0.2006), abs=1e-4)
    assert np.linalg.det(image.grid.ijk_to_ras[:3, :3]) < 0


def labels(values) -> Image:
    array = np.array(values).reshape(1, 1, -1)
    return Image(array, Grid.from_spacing(array.shape, (1, 1, 1)), "seg.nii.gz")


@pytest.mark.parametrize(
    "values, dtype",
    [
        ([0.0, 3.0], np.uint8),
        (np.array([0, 255], np.int64), np.uint8),
        ([-1, 3], np.int16),
        ([0, 1024], np.int16),
        ([0, 40000], np.int32),
    ],
)
def test_whole_numbers_take_the_smallest_type(values, dtype):
    result = whole_numbers(labels(values)).array
    assert result.dtype == dtype
    assert np.array_equal(result.ravel(), values)


@pytest.mark.parametrize(
    "values, message",
    [
        ([0.0, np.nan], "1 of its voxels are NaN"),
        ([np.inf, -np.inf, np.nan], "3 of its voxels"),
        ([0.0, 1.0, 0.53], "for example 0.53"),
        ([0.0, 1e12], "too large for a label"),
    ],
)
def test_values_that_are_no_labels(values, message):
    with pytest.raises(InputError, match=message):
        whole_numbers(labels(values))


@pytest.mark.parametrize(
    "text, name, file",
    [
        ("T2star=t2star.nii.gz", "T2star", "t2star.nii.gz"),
        ("a=C:\\x=y\\b.nii", "a", "C:\\x=y\\b.nii"),
        ("folder/t2star.nii.gz", "t2star", "folder/t2star.nii.gz"),
        ("m1.seg.nrrd", "m1", "m1.seg.nrrd"),
    ],
)
def test_named_file(text, name, file):
    assert named_file(text, "--map") == (name, file)


def test_an_existing_file_with_an_equals_sign_needs_no_name(tmp_path: Path):
    path = tmp_path / "te=12.nii.gz"
    write_nifti(labels([0, 1]), path)
    assert named_file(str(path), "--map") == ("te=12", str(path))
    assert named_file(f"x={path}", "--map") == ("x", str(path))


@pytest.mark.parametrize("text", ["", "=a.nii", " =a.nii", "name="])
def test_named_file_wants_name_and_file(text):
    with pytest.raises(InputError, match="should read --map NAME=FILE"):
        named_file(text, "--map")


@pytest.mark.parametrize("name", ["../x", "a/b", "a\\b", "..", ".", "a\tb", "a\nb", "a\x7fb"])
def test_named_file_refuses_names_that_no_table_or_file_can_hold(name):
    with pytest.raises(InputError, match="cannot be used"):
        named_file(f"{name}=a.nii", "--map")
