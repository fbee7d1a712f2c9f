"""Labels by number and by name, in label maps and in segmentations that Slicer wrote."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from ALSMotorCortexLib.cortex.errors import InputError
from ALSMotorCortexLib.cortex.grid import Grid, Image
from ALSMotorCortexLib.study.nifti import write_nifti
from ALSMotorCortexLib.study.segmentations import read_labels, split_labels

SHAPE = (4, 5, 6)
TISSUES = {"gm": "Gray", "wm": "White", "csf": "CSF"}


def mask(k_from: int, k_to: int) -> np.ndarray:
    array = np.zeros(SHAPE, np.uint8)
    array[k_from:k_to] = 1
    return array


def label_map(tmp_path: Path) -> Path:
    path = tmp_path / "labels.nii.gz"
    array = mask(0, 1) + 2 * mask(1, 2) + 3 * mask(2, 3)
    write_nifti(Image(array, Grid.from_spacing(SHAPE, (1, 1, 1))), path)
    return path


def seg_nrrd(path: Path, *layers: np.ndarray, **fields: str) -> Path:
    """A ``.seg.nrrd`` as Slicer lays it out; ``fields`` are header keys."""
    image = sitk.GetImageFromArray(np.stack(layers, -1) if len(layers) > 1 else layers[0],
                                   isVector=len(layers) > 1)  # fmt: skip
    for key, value in fields.items():
        image.SetMetaData(key, value)
    sitk.WriteImage(image, str(path), True)
    return path


def fields(*segments: tuple[str, int, int]) -> dict[str, str]:
    """Header keys of segments (name, layer, value)."""
    keys = {}
    for index, (name, layer, value) in enumerate(segments):
        keys |= {
            f"Segment{index}_ID": f"Segment_{index + 1}",
            f"Segment{index}_Name": name,
            f"Segment{index}_Layer": str(layer),
            f"Segment{index}_LabelValue": str(value),
        }
    return keys


@pytest.fixture
def one_layer(tmp_path: Path) -> Path:
    return seg_nrrd(
        tmp_path / "one.seg.nrrd",
        mask(0, 1) + 2 * mask(1, 2) + 3 * mask(2, 3),
        **fields(("CSF", 0, 1), ("Gray", 0, 2), ("White", 0, 3), ("Empty", 0, 4)),
    )


@pytest.fixture
def layered(tmp_path: Path) -> Path:
    """Gray matter drawn as everything but the last slice, over which all others lie."""
    return seg_nrrd(
        tmp_path / "layered.seg.nrrd",
        mask(0, 3),
        mask(0, 1) + 2 * mask(2, 4),
        **fields(("Gray", 0, 1), ("CSF", 1, 1), ("White", 1, 2)),
    )


@pytest.mark.parametrize("wanted", ["3", 3, [3], " 3 "])
def test_numbers(tmp_path, wanted):
    (found,) = read_labels(label_map(tmp_path)).find(wanted, "--gm")
    assert (found.layer, found.value) == (0, 3)


def test_several_labels(tmp_path):
    image, values, findings = read_labels(label_map(tmp_path)).tissues(
        {"gm": "2, 3", "csf": [0, "1"]}
    )
    assert values == {"gm": (2, 3), "csf": (0, 1)}
    assert image.array.dtype == np.uint8
    assert findings == ()


@pytest.mark.parametrize(
    "wanted, message",
    [
        ("7", "Label 7, given with --gm, is not in .*The file has: 0, 1, 2, 3."),
        ("3,8", "Label 8"),
        ("-3", "Label -3"),
        ("Gray", "no segment names. It has the labels: 0, 1, 2, 3"),
        ("3,", "--gm 3, has an empty entry after its last comma"),
        ("3,,1003", "--gm 3,,1003 has an empty entry between two commas"),
        (", 3", "--gm , 3 has an empty entry before its first comma"),
        ("2.5", "not a whole number"),
        (2.0, "not a whole number"),
        ("", "not a whole number"),
    ],
)
def test_labels_that_are_not_there(tmp_path, wanted, message):
    with pytest.raises(InputError, match=message):
        read_labels(label_map(tmp_path)).find(wanted, "--gm")


def test_many_and_negative_labels_are_listed(tmp_path):
    array = mask(0, 1).astype(np.int32) * 100_000 - mask(2, 3)
    path = tmp_path / "wide.nii.gz"
    write_nifti(Image(array, Grid.from_spacing(SHAPE, (1, 1, 1))), path)
    assert read_labels(path).values == ((-1, 0, 100_000),)


@pytest.mark.parametrize("wanted", ["Gray", "gray", "GRAY", "Segment_2", "2", 2])
def test_segments_by_name_id_and_number(one_layer, wanted):
    (found,) = read_labels(one_layer).find(wanted, "--gm")
    assert (found.name, found.value) == ("Gray", 2)


def test_one_layer_keeps_its_values(one_layer):
    image, values, _ = read_labels(one_layer).tissues(TISSUES)
    assert values == {"gm": (2,), "wm": (3,), "csf": (1,)}
    assert np.array_equal(image.array, mask(0, 1) + 2 * mask(1, 2) + 3 * mask(2, 3))


@pytest.mark.parametrize(
    "wanted, message",
    [
        ("Grey", r"There is no segment 'Grey', given with --gm.*CSF \(1\), Gray \(2\), White"),
        ("9", r"Label 9, given with --gm.*CSF \(1\)"),
        ("Empty", "The segment Empty, given with --gm, is empty"),
    ],
)
def test_segments_that_are_not_there(one_layer, wanted, message):
    with pytest.raises(InputError, match=message):
        read_labels(one_layer).find(wanted, "--gm")


def test_one_label_for_two_tissues(one_layer):
    with pytest.raises(InputError, match="Gray is given as both gray matter and white matter"):
        read_labels(one_layer).tissues({"gm": "Gray", "wm": "2"})


def test_a_name_with_a_comma(tmp_path):
    path = seg_nrrd(tmp_path / "a.seg.nrrd", mask(0, 1), **fields(("M1, left", 0, 1)))
    (found,) = read_labels(path).find("M1, left", "--gm")
    assert found.value == 1


def test_equal_names(tmp_path):
    path = seg_nrrd(
        tmp_path / "a.seg.nrrd", mask(0, 1) + 2 * mask(1, 2), **fields(("A", 0, 1), ("A", 0, 2))
    )
    with pytest.raises(InputError, match="--gm A could be 2 segments"):
        read_labels(path).find("A", "--gm")
    assert read_labels(path).find("Segment_2", "--gm")[0].value == 2


def test_overlapping_segments_are_put_together(layered):
    image, values, (finding,) = read_labels(layered).tissues(TISSUES)
    tissue = {label: name for name, labels in values.items() for label in labels}
    assert [tissue[int(v)] for v in image.array[:, 0, 0]] == ["csf", "gm", "wm", "wm"]
    # Gray matter lies under CSF in slice 0 and under white matter in slice 2.
    assert f"overlap in {2 * 5 * 6} voxels" in finding.message
    assert finding.warning
    assert finding.ras == (0.0, 0.0, 0.0)


def test_the_same_number_in_two_layers(layered):
    with pytest.raises(InputError, match=r"--gm 1 could be 2 segments.*Gray.*CSF"):
        read_labels(layered).find("1", "--gm")
    assert read_labels(layered).find("2", "--wm")[0].name == "White"


def test_regions(layered, tmp_path):
    file = read_labels(layered)
    assert np.array_equal(file.region("Gray,White", "--region r").array, mask(0, 4))
    assert np.array_equal(file.region("", "--region r").array, mask(0, 4))
    assert np.array_equal(read_labels(label_map(tmp_path)).region("", "r").array, mask(0, 3))
    assert np.array_equal(read_labels(label_map(tmp_path)).region("1,2", "r").array, mask(0, 2))


def test_an_empty_region(tmp_path):
    path = seg_nrrd(tmp_path / "none.nrrd", mask(0, 0))
    with pytest.raises(InputError, match="--region r, has no labelled voxel"):
        read_labels(path).region("", "--region r")


def test_layers_without_segments(tmp_path):
    path = seg_nrrd(tmp_path / "rgb.nrrd", mask(0, 1), mask(1, 2))
    with pytest.raises(InputError, match="2 values per voxel but names no segments"):
        read_labels(path)


@pytest.mark.parametrize("key, text", [("LabelValue", "abc"), ("Layer", "1.5")])
def test_values_that_are_no_numbers(tmp_path, key, text):
    changed = {**fields(("A", 0, 1)), f"Segment0_{key}": text}
    path = seg_nrrd(tmp_path / "a.seg.nrrd", mask(0, 1), **changed)
    with pytest.raises(InputError, match="of the segment A is no whole number"):
        read_labels(path)


def test_layers_that_are_not_there(tmp_path):
    path = seg_nrrd(tmp_path / "a.seg.nrrd", mask(0, 1), **fields(("A", 3, 1)))
    with pytest.raises(InputError, match="layers that it does not hold"):
        read_labels(path)


def test_what_slicer_itself_writes(tmp_path):
    """Two segments that overlap and one that does not, through Slicer's own storage node."""
    slicer = pytest.importorskip("slicer", reason="slicer-core is not installed")
    import vtk
    from vtk.util.numpy_support import numpy_to_vtk

    drawn = {"Gray": mask(0, 3), "White": mask(2, 4), "CSF": mask(3, 4)}
    matrix = np.diag([-0.2, 0.25, 1.5, 1.0])
    matrix[:3, 3] = [30, -20, 10]
    vtk_matrix = vtk.vtkMatrix4x4()
    vtk_matrix.DeepCopy(matrix.ravel())
    scene = slicer.vtkMRMLScene()
    node = scene.AddNewNodeByClass("vtkMRMLSegmentationNode")
    for name, array in drawn.items():
        image = slicer.vtkOrientedImageData()
        image.SetDimensions(SHAPE[::-1])
        image.GetPointData().SetScalars(numpy_to_vtk(array.ravel(), deep=True))
        image.SetImageToWorldMatrix(vtk_matrix)
        segment = slicer.vtkSegment()
        segment.SetName(name)
        segment.AddRepresentation("Binary labelmap", image)
        node.GetSegmentation().AddSegment(segment)
    storage = slicer.vtkMRMLSegmentationStorageNode()
    path = tmp_path / "slicer.seg.nrrd"
    storage.SetFileName(str(path))
    assert storage.WriteData(node)

    file = read_labels(path)
    assert [s.name for s in file.segments] == list(drawn)
    whole = np.argwhere(np.ones(SHAPE))
    truth = Grid(SHAPE, matrix).ras(whole)
    for name, array in drawn.items():
        region = file.region(name, "--region")
        kji = np.rint(region.grid.kji(truth)).astype(int)
        inside = ((kji >= 0) & (kji < region.array.shape)).all(axis=1)
        values = np.zeros(len(whole), np.uint8)
        values[inside] = region.array[tuple(kji[inside].T)]
        assert np.array_equal(values.reshape(SHAPE), array)


@pytest.mark.parametrize(
    "text, expected",
    [
        ("a.nii.gz:1", ("a.nii.gz", "1")),
        ("a.nii.gz:1,2", ("a.nii.gz", "1,2")),
        ("a.nii.gz", ("a.nii.gz", "")),
        ("a.nii.gz:", ("a.nii.gz", "")),
        ("C:\\data\\a.nii.gz", ("C:\\data\\a.nii.gz", "")),
        ("C:/data/a.nii.gz:3", ("C:/data/a.nii.gz", "3")),
        ("a.seg.nrrd:Hand knob", ("a.seg.nrrd", "Hand knob")),
    ],
)
def test_split_labels_of_files_that_are_not_there(text, expected):
    assert split_labels(text) == expected


@pytest.mark.parametrize("name", ["a:1.nii.gz", "a=b:c.seg.nrrd", "plain.nrrd"])
@pytest.mark.parametrize("labels", ["", "1", "Hand: left", "1,2"])
def test_split_labels_of_existing_files(tmp_path, name, labels):
    path = tmp_path / name
    path.touch()
    text = f"{path}:{labels}" if labels else str(path)
    assert split_labels(text) == (str(path), labels)
