"""NIfTI files: what is written is read back, here, by ITK and by Slicer; damage is refused."""

from __future__ import annotations

import gzip
import struct
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from ALSMotorCortexLib.cortex.errors import InputError
from ALSMotorCortexLib.cortex.grid import Grid, Image
from ALSMotorCortexLib.study.images import read_image
from ALSMotorCortexLib.study.nifti import write_nifti

FLIP = np.diag([-1.0, -1.0, 1.0])


def oblique_grid(
    angles=(20.0, -35.0, 50.0), mirror=False, spacing=(0.2, 0.25, 1.5), offset=(-31.5, 12.25, 70.0)
) -> Grid:
    """A rotated grid of 4 x 5 x 6 voxels (k, j, i), left-handed if mirrored."""
    axes = Rotation.from_euler("xyz", angles, degrees=True).as_matrix()
    if mirror:
        axes = axes * [-1, 1, 1]
    matrix = np.eye(4)
    matrix[:3, :3] = axes * spacing
    matrix[:3, 3] = offset
    return Grid((4, 5, 6), matrix)


def counting(grid: Grid, dtype=np.float32) -> Image:
    """Voxels that all differ, so that no permutation goes unseen."""
    return Image(np.arange(np.prod(grid.shape), dtype=dtype).reshape(grid.shape), grid)


def edited(path: Path, *edits: tuple[str, int, tuple]) -> Path:
    """The file with header fields replaced: struct format, offset, values."""
    raw = bytearray(gzip.decompress(path.read_bytes()))
    for form, offset, values in edits:
        struct.pack_into("<" + form, raw, offset, *values)
    path.write_bytes(gzip.compress(bytes(raw)))
    return path


@pytest.fixture
def written(tmp_path: Path) -> Path:
    path = tmp_path / "image.nii.gz"
    write_nifti(counting(oblique_grid()), path)
    return path


angle = st.floats(-180, 180)


@given(st.tuples(angle, angle, angle), st.booleans())
def test_any_orthogonal_grid_is_read_back(tmp_path_factory, angles, mirror):
    grid = oblique_grid(angles, mirror)
    path = tmp_path_factory.getbasetemp() / "any.nii.gz"
    write_nifti(counting(grid), path)
    image = read_image(path).image
    assert np.array_equal(image.array, counting(grid).array)
    # The header holds float32: 70 mm are kept to 4e-6 mm.
    assert image.grid.same_as(grid, tolerance_mm=1e-4)


@pytest.mark.parametrize("mirror", [False, True])
@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.int32, np.float32])
def test_itk_reads_the_same_voxels_in_the_same_place(tmp_path, mirror, dtype):
    grid = oblique_grid(mirror=mirror)
    path = tmp_path / "image.nii.gz"
    write_nifti(counting(grid, dtype), path)
    image = sitk.ReadImage(str(path))
    assert sitk.GetArrayFromImage(image).dtype == dtype
    assert np.array_equal(sitk.GetArrayFromImage(image), counting(grid, dtype).array)
    for kji in [(0, 0, 0), (3, 0, 0), (0, 4, 0), (0, 0, 5), (3, 4, 5)]:
        lps = image.TransformIndexToPhysicalPoint([int(n) for n in kji[::-1]])
        assert FLIP @ lps == pytest.approx(grid.ras(np.array(kji)), abs=1e-4)


@pytest.mark.parametrize("mirror", [False, True])
def test_slicer_reads_the_same_voxels_in_the_same_place(tmp_path, mirror):
    slicer = pytest.importorskip("slicer", reason="slicer-core is not installed")
    import vtk
    from vtk.util.numpy_support import vtk_to_numpy

    grid = oblique_grid(mirror=mirror)
    path = tmp_path / "image.nii.gz"
    write_nifti(counting(grid), path)
    scene = slicer.vtkMRMLScene()
    node = slicer.vtkMRMLScalarVolumeNode()
    scene.AddNode(node)
    storage = slicer.vtkMRMLVolumeArchetypeStorageNode()
    storage.SetFileName(str(path))
    assert storage.ReadData(node)
    matrix = vtk.vtkMatrix4x4()
    node.GetIJKToRASMatrix(matrix)
    values = [matrix.GetElement(row, column) for row in range(4) for column in range(4)]
    # Slicer turns a mirrored image into a right-handed one by reversing its slices, so voxels
    # are compared by where they lie.
    loaded = Grid(grid.shape, np.reshape(values, (4, 4)))
    array = vtk_to_numpy(node.GetImageData().GetPointData().GetScalars()).reshape(grid.shape)
    everywhere = np.argwhere(np.ones(grid.shape))
    found = loaded.kji(grid.ras(everywhere))
    assert np.abs(found - np.rint(found)).max() < 1e-3
    k, j, i = np.rint(found).astype(int).T
    assert np.array_equal(array[k, j, i], counting(grid).array.ravel())


def test_geometry_is_copied_byte_for_byte(written, tmp_path):
    """Codes, quaternion and sform stay as they were, also where qform and sform differ."""
    edited(written, ("2h", 252, (2, 4)), ("f", 280 + 12, (99.0,)))
    file = read_image(written)
    copy = tmp_path / "copy.nii.gz"
    write_nifti(counting(file.image.grid, np.uint8), copy, like=file.geometry)
    old, new = (gzip.decompress(path.read_bytes()) for path in (written, copy))
    assert new[76:92] == old[76:92]
    assert new[252:328] == old[252:328]
    assert read_image(copy).image.grid.same_as(file.image.grid, tolerance_mm=0)


def test_bytes_depend_on_content_only(tmp_path):
    for name in ("a.nii.gz", "b.nii.gz"):
        write_nifti(counting(oblique_grid()), tmp_path / name, "text")
    assert (tmp_path / "a.nii.gz").read_bytes() == (tmp_path / "b.nii.gz").read_bytes()


def test_description_is_kept_and_cut_to_the_field(tmp_path):
    path = tmp_path / "image.nii"
    write_nifti(counting(oblique_grid()), path, "x" * 100)
    assert sitk.ReadImage(str(path)).GetMetaData("descrip") == "x" * 79


def test_nan_survives(tmp_path):
    """ITK's own reader turns NaN into 0."""
    image = counting(oblique_grid())
    image.array[0, 0, 0] = np.nan
    write_nifti(image, tmp_path / "nan.nii.gz")
    assert np.isnan(read_image(tmp_path / "nan.nii.gz").image.array[0, 0, 0])


@pytest.mark.parametrize("dtype", ["u1", "i2", "i4", "f4", "f8", "i1", "u2", "u4"])
def test_every_type_and_byte_order_is_read(tmp_path, dtype):
    from ALSMotorCortexLib.study.nifti import TYPES

    values = (np.arange(24) % 100).reshape(2, 3, 4)
    code = next(code for code, name in TYPES.items() if name == dtype)
    for order in "<>":
        header = bytearray(352)
        struct.pack_into(order + "i", header, 0, 348)
        struct.pack_into(order + "8h", header, 40, 3, 4, 3, 2, 1, 1, 1, 1)
        struct.pack_into(order + "2h", header, 70, code, np.dtype(dtype).itemsize * 8)
        struct.pack_into(order + "8f", header, 76, 1, 0.5, 0.5, 2, 1, 1, 1, 1)
        struct.pack_into(order + "3f", header, 108, 352, 0, 0)
        struct.pack_into(order + "2h", header, 252, 1, 0)
        header[344:348] = b"n+1\0"
        path = tmp_path / "typed.nii"
        path.write_bytes(bytes(header) + values.astype(order + dtype).tobytes())
        image = read_image(path).image
        assert np.array_equal(image.array, values)
        assert image.array.dtype == np.dtype(dtype)
        assert image.grid.spacing == (2.0, 0.5, 0.5)


def test_nifti_2_is_read(tmp_path):
    """Written by hand after nifti2.h; ITK does not read this version."""
    header = bytearray(544)
    struct.pack_into("<i8s", header, 0, 540, b"n+2\0\r\n\x1a\n")
    struct.pack_into("<2h", header, 12, 4, 16)
    struct.pack_into("<8q", header, 16, 3, 4, 3, 2, 1, 1, 1, 1)
    struct.pack_into("<8d", header, 104, -1, 0.5, 0.6, 2, 1, 1, 1, 1)
    struct.pack_into("<q2d", header, 168, 544, 2.0, 1.0)
    struct.pack_into("<2i", header, 344, 0, 1)
    struct.pack_into("<12d", header, 400, -0.5, 0, 0, 10, 0, 0.6, 0, -20, 0, 0, 2, 30)
    struct.pack_into("<i", header, 500, 2)
    values = np.arange(24, dtype="<i2").reshape(2, 3, 4)
    path = tmp_path / "two.nii"
    path.write_bytes(bytes(header) + values.tobytes())
    image = read_image(path).image
    assert np.array_equal(image.array, 2 * values + 1)
    assert image.grid.ras(np.array([1, 2, 3])) == pytest.approx([8.5, -18.8, 32], abs=1e-6)


def test_scaling_is_applied(written):
    edited(written, ("2f", 112, (0.5, -3.0)))
    array = read_image(written).image.array
    assert np.array_equal(array.ravel(), np.arange(array.size) * 0.5 - 3)


@pytest.mark.parametrize("share", [0.02, 0.5, 0.99])
def test_truncated_gzip(written, share):
    data = written.read_bytes()
    written.write_bytes(data[: int(len(data) * share)])
    with pytest.raises(InputError, match="truncated"):
        read_image(written)


def test_truncated_without_compression(tmp_path):
    path = tmp_path / "image.nii"
    write_nifti(counting(oblique_grid()), path)
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(InputError, match="promises 480 bytes of voxels and 479 are there"):
        read_image(path)


def test_damaged_gzip(written):
    data = bytearray(written.read_bytes())
    data[len(data) // 2] ^= 0xFF
    written.write_bytes(bytes(data))
    with pytest.raises(InputError, match="damaged|truncated"):
        read_image(written)


SHEAR = 280 + 4  # srow_x[1]

BROKEN = {
    "zero spacing": ([("f", 80, (0.0,))], "spacing of zero, or none, along axis i"),
    "zero spacing along k": ([("f", 88, (0.0,))], "along axis k"),
    "spacing not a number": ([("f", 84, (np.nan,))], "along axis j"),
    "two spacings": ([("f", 80, (0.4,))], "states two voxel spacings"),
    "sheared sform": ([("f", SHEAR, (0.2,))], "not at right angles"),
    "sheared sform only": ([("f", SHEAR, (0.2,)), ("h", 252, (0,))], "not at right angles"),
    "empty sform": ([("4f", 280, (0,) * 4), ("4f", 296, (0,) * 4)], "empty or invalid columns"),
    "4D": ([("5h", 40, (4, 6, 5, 2, 2))], "4 dimensions .6 x 5 x 2 x 2.: 2 volumes"),
    "5D": ([("6h", 40, (5, 6, 5, 2, 1, 2))], "2 values per voxel"),
    "2D": ([("3h", 40, (2, 6, 5))], "2 dimensions .6 x 5."),
    "no dimensions": ([("h", 40, (0,))], "dimensions are not valid"),
    "negative spacing": ([("f", 80, (-0.2,))], "negative voxel spacing, -0.2 mm along axis i"),
    "negative size": ([("4h", 40, (3, 6, -5, 4))], "dimensions are not valid"),
    "more voxels than bytes": ([("4h", 40, (3, 6, 5, 40))], "promises 4800 bytes"),
    "colour": ([("h", 70, (128,))], "one real number per voxel"),
    "wrong magic": ([("4s", 344, (b"abcd",))], "is not a NIfTI image"),
}


@pytest.mark.parametrize("edits, message", BROKEN.values(), ids=BROKEN.keys())
def test_broken_headers_are_refused(tmp_path, capfd, edits, message):
    path = tmp_path / "broken.nii.gz"
    grid = Grid.from_spacing((4, 5, 6), (1.5, 0.25, 0.2))
    write_nifti(counting(grid), path)
    edited(path, *edits)
    with pytest.raises(InputError, match=message) as caught:
        read_image(path)
    assert str(path) in str(caught.value)
    assert capfd.readouterr().err == ""


def test_trailing_dimensions_of_one_are_no_harm(written):
    edited(written, ("6h", 40, (5, 6, 5, 4, 1, 1)))
    assert read_image(written).image.array.shape == (4, 5, 6)


def test_differing_orientations_are_told(written, capfd):
    assert read_image(written).findings == ()
    edited(written, ("f", 280 + 12, (-30.0,)))  # srow_x's offset, 1.5 mm away
    (finding,) = read_image(written).findings
    assert finding.warning and "1.50 mm apart" in finding.message
    assert finding.message.startswith(f"{written} states")
    x = read_image(written).image.grid.ijk_to_ras[0, 3]
    used = {"qform": -31.5, "sform": -30.0}[finding.message.split(". The ")[1].split()[0]]
    assert x == pytest.approx(used, abs=1e-4)
    assert capfd.readouterr().err == ""


def test_no_orientation_is_told(written):
    edited(written, ("2h", 252, (0, 0)))
    (finding,) = read_image(written).findings
    assert finding.code == "no_orientation" and finding.message.startswith(f"{written} does")


@given(st.lists(st.tuples(st.integers(0, 351), st.integers(0, 255)), min_size=1, max_size=6))
def test_any_damaged_header_is_read_or_refused(tmp_path_factory, damage):
    """No other error, whatever bytes are wrong."""
    path = tmp_path_factory.getbasetemp() / "damaged.nii"
    write_nifti(counting(oblique_grid(), np.uint8), path)
    raw = bytearray(path.read_bytes())
    for offset, value in damage:
        raw[offset] = value
    path.write_bytes(bytes(raw))
    try:
        read_image(path)
    except InputError as error:
        assert str(path) in str(error) and "\n" not in str(error)
