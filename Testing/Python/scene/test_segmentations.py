"""Segmentation nodes to label maps and back, with real MRML nodes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy.spatial.transform import Rotation

from ALSMotorCortexLib.cortex.errors import InputError
from ALSMotorCortexLib.cortex.grid import Grid, Image
from ALSMotorCortexLib.study import segmentations

slicer = pytest.importorskip("slicer")
vtk = pytest.importorskip("vtk")

from ALSMotorCortexLib.scene.geometry import image_data  # noqa: E402
from ALSMotorCortexLib.scene.segmentations import (  # noqa: E402
    Segment,
    add_segmentation,
    read_labels,
)

RED, GREEN = (1.0, 0.0, 0.0), (0.0, 1.0, 0.0)


def matrix_of(angles=(10, 20, 30), spacing=(0.2, 0.3, 1.5), mirrored=True):
    matrix = np.eye(4)
    flip = np.diag([-1.0 if mirrored else 1.0, 1.0, 1.0])
    matrix[:3, :3] = Rotation.from_euler("xyz", angles, degrees=True).as_matrix() @ flip
    matrix[:3, :3] *= spacing
    matrix[:3, 3] = (10, -20, 30)
    return matrix


def node_of(scene, array, matrix, labels=(1, 2)):
    segments = [Segment((n,), f"part {n}", RED) for n in labels]
    return add_segmentation(scene, Image(array, Grid(array.shape, matrix), "seg"), segments)


def add_part(node, name, array, first, matrix):
    """Adds a segment with a label map of its own, as the Segment Editor leaves it."""
    part = slicer.vtkOrientedImageData()
    part.ShallowCopy(image_data(array))
    low = first[::-1]
    high = [a + n - 1 for a, n in zip(low, array.shape[::-1], strict=True)]
    part.SetExtent(low[0], high[0], low[1], high[1], low[2], high[2])
    part.SetGeometryFromImageToWorldMatrix(slicer.util.vtkMatrixFromArray(matrix))
    node.AddSegmentFromBinaryLabelmapRepresentation(part, name, RED, name)


def empty_node(scene, grid):
    """A segmentation with a reference geometry and no segment."""
    node = add_segmentation(scene, Image(np.zeros(grid.shape, np.uint8), grid, "seg"), [])
    assert node.GetSegmentation().GetNumberOfSegments() == 0
    return node


def block(shape, box, value=1):
    array = np.zeros(shape, np.uint8)
    array[box] = value
    return array


@settings(deadline=None, max_examples=40)
@given(
    hnp.arrays(np.uint8, st.tuples(*[st.integers(1, 6)] * 3), elements=st.integers(0, 2)),
    st.tuples(*[st.floats(-180, 180)] * 3),
    st.tuples(*[st.floats(0.1, 3)] * 3),
    st.booleans(),
)
def test_round_trip_keeps_grid_and_labels(array, angles, spacing, mirrored):
    assume({1, 2} <= set(np.unique(array)))
    matrix = matrix_of(angles, spacing, mirrored)
    node = node_of(slicer.vtkMRMLScene(), array, matrix)
    back, findings = read_labels(node, {"Segment_1": 1, "Segment_2": 2})
    assert findings == ()
    assert np.abs(back.grid.ijk_to_ras - matrix).max() < 1e-6
    assert np.array_equal(back.array, array)


def test_segments_keep_names_colours_and_terminology():
    array = block((3, 4, 5), np.s_[1, 1:3, 1:4]).astype(np.int32) * 11123
    entry = "category~SCT^123037004^Anatomical Structure~SCT^389081007^Gray Matter~^^~~^^~^^"
    node = add_segmentation(
        slicer.vtkMRMLScene(),
        Image(array, Grid(array.shape, matrix_of())),
        [
            Segment((11123, 7), "Gray", (0.25, 0.5, 0.75), entry),
            Segment((9,), "None", GREEN),
        ],
        "Tissue",
    )
    segmentation = node.GetSegmentation()
    first = segmentation.GetSegment("Segment_1")
    assert (node.GetName(), first.GetName()) == ("Tissue", "Gray")
    assert first.GetColor() == (0.25, 0.5, 0.75)
    tag = vtk.reference("")
    assert first.GetTag(slicer.vtkSegment.GetTerminologyEntryTagName(), tag)
    assert tag == entry
    assert segmentation.GetNumberOfLayers() == 1
    back, _ = read_labels(node, {"Segment_1": 5})
    assert np.array_equal(back.array, np.where(array > 0, 5, 0))
    with pytest.raises(InputError, match="Nothing is drawn in None"):
        read_labels(node, {"Segment_1": 5, "Segment_2": 6})


def test_closed_surfaces_can_be_made():
    array = block((8, 9, 10), np.s_[2:6, 2:7, 2:8])
    array[2:6, 2:7, 5:8] = 2
    node = node_of(slicer.vtkMRMLScene(), array, np.diag([0.5, 0.5, 0.5, 1]))
    assert node.CreateClosedSurfaceRepresentation()
    surface = vtk.vtkPolyData()
    node.GetClosedSurfaceRepresentation("Segment_2", surface)
    assert surface.GetNumberOfCells() > 0


def test_segments_on_different_extents_meet_on_the_reference_geometry():
    matrix = matrix_of()
    grid = Grid((8, 9, 10), matrix)
    node = empty_node(slicer.vtkMRMLScene(), grid)
    add_part(node, "gm", np.ones((2, 3, 4), np.uint8), (1, 2, 3), matrix)
    add_part(node, "wm", np.ones((3, 1, 2), np.uint8), (4, 5, 6), matrix)
    assert node.GetSegmentation().GetNumberOfLayers() == 2
    expected = block(grid.shape, np.s_[1:3, 2:5, 3:7], 3) + block(
        grid.shape, np.s_[4:7, 5:6, 6:8], 2
    )
    image, findings = read_labels(node, {"gm": 3, "wm": 2})
    assert findings == ()
    assert image.grid.same_as(grid, 1e-6)
    assert np.array_equal(image.array, expected)


def test_a_segment_beyond_the_reference_geometry_grows_the_grid():
    matrix = matrix_of()
    grid = Grid((4, 4, 4), matrix)
    node = empty_node(slicer.vtkMRMLScene(), grid)
    add_part(node, "gm", np.ones((2, 2, 2), np.uint8), (-2, 1, 3), matrix)
    image, _ = read_labels(node, {"gm": 1})
    assert image.grid.shape == (6, 4, 5)
    drawn = image.grid.ras(np.argwhere(image.array))
    truth = grid.ras(np.argwhere(np.ones((2, 2, 2))) + (-2, 1, 3))
    assert np.allclose(drawn, truth, atol=1e-6)


def test_a_finer_segment_sets_the_resolution():
    matrix = np.diag([1.0, 1.0, 1.0, 1.0])
    node = empty_node(slicer.vtkMRMLScene(), Grid((4, 5, 6), matrix))
    fine = np.diag([0.5, 0.5, 0.5, 1.0])
    fine[:3, 3] = -0.25
    add_part(node, "gm", np.ones((4, 4, 4), np.uint8), (2, 2, 2), fine)
    image, _ = read_labels(node, {"gm": 1})
    assert image.grid.spacing == pytest.approx((0.5, 0.5, 0.5))
    assert image.grid.shape == (8, 10, 12)
    assert np.array_equal(image.array, block((8, 10, 12), np.s_[2:6, 2:6, 2:6]))


def test_where_segments_overlap_the_later_wins_and_it_is_said():
    matrix = matrix_of()
    grid = Grid((6, 6, 6), matrix)
    node = empty_node(slicer.vtkMRMLScene(), grid)
    add_part(node, "gm", np.ones((3, 3, 3), np.uint8), (0, 0, 0), matrix)
    add_part(node, "csf", np.ones((3, 3, 3), np.uint8), (2, 2, 0), matrix)
    first, second = block(grid.shape, np.s_[:3, :3, :3]), block(grid.shape, np.s_[2:5, 2:5, :3])
    image, findings = read_labels(node, {"gm": 3, "csf": 1})
    assert np.array_equal(image.array, np.where(second, 1, 3 * first))
    image, swapped = read_labels(node, {"csf": 1, "gm": 3})
    assert np.array_equal(image.array, np.where(first, 3, second))
    for finding, text in ((findings[0], "csf overlaps gm"), (swapped[0], "gm overlaps csf")):
        assert finding.code == "segments_overlap" and finding.warning
        assert f"{text} in 3 voxels" in finding.message
        where = np.rint(grid.kji(np.array([finding.ras]))[0]).astype(int)
        assert first[tuple(where)] and second[tuple(where)]
    image, findings = read_labels(node, {"gm": 3, "csf": 3})
    assert findings == ()
    assert np.array_equal(image.array > 0, (first | second) > 0)


def test_large_label_values_are_kept():
    array = block((3, 4, 5), np.s_[1, 1:3, 1:4])
    image, _ = read_labels(node_of(slicer.vtkMRMLScene(), array, matrix_of()), {"Segment_1": 11123})
    assert np.array_equal(image.array, array.astype(int) * 11123)


def test_a_rigid_parent_moves_the_grid():
    scene = slicer.vtkMRMLScene()
    array = block((5, 6, 7), np.s_[1:3, 2:5, 3:6])
    node = node_of(scene, array, matrix_of())
    rigid = np.eye(4)
    rigid[:3, :3] = Rotation.from_euler("y", 25, degrees=True).as_matrix()
    rigid[:3, 3] = (1, 2, 3)
    transform = scene.AddNewNodeByClass("vtkMRMLLinearTransformNode", "moved")
    slicer.util.updateTransformMatrixFromArray(transform, rigid)
    node.SetAndObserveTransformNodeID(transform.GetID())
    image, findings = read_labels(node, {"Segment_1": 1})
    assert [f.code for f in findings] == ["transform_applied"]
    assert np.array_equal(image.array, array)
    assert np.abs(image.grid.ijk_to_ras - rigid @ matrix_of()).max() < 1e-6


def test_a_shearing_parent_resamples_the_labels():
    scene = slicer.vtkMRMLScene()
    array = block((12, 12, 12), np.s_[2:10, 2:10, 2:10])
    node = node_of(scene, array, np.diag([0.5, 0.5, 0.5, 1]))
    shear = np.eye(4)
    shear[0, 2] = 0.5
    transform = scene.AddNewNodeByClass("vtkMRMLLinearTransformNode", "sheared")
    slicer.util.updateTransformMatrixFromArray(transform, shear)
    node.SetAndObserveTransformNodeID(transform.GetID())
    image, findings = read_labels(node, {"Segment_1": 4})
    assert [f.code for f in findings] == ["resampled"]
    assert set(np.unique(image.array)) == {0, 4}
    # A shear keeps the volume and moves the centre as it moves any point.
    drawn = image.grid.ras(np.argwhere(image.array))
    assert len(drawn) * image.grid.voxel_volume == pytest.approx(8**3 * 0.125, rel=0.05)
    centre = np.full(3, 2.75)
    assert np.allclose(drawn.mean(axis=0), shear[:3, :3] @ centre, atol=0.1)


def test_surfaces_become_labels_on_the_reference_geometry():
    scene = slicer.vtkMRMLScene()
    grid = Grid((24, 24, 24), np.diag([0.5, 0.5, 0.5, 1]))
    node = empty_node(scene, grid)
    node.GetSegmentation().SetSourceRepresentationName(
        slicer.vtkSegmentationConverter.GetSegmentationClosedSurfaceRepresentationName()
    )
    sphere = vtk.vtkSphereSource()
    sphere.SetCenter(6, 6, 6)
    sphere.SetRadius(4)
    sphere.SetThetaResolution(60)
    sphere.SetPhiResolution(60)
    sphere.Update()
    node.AddSegmentFromClosedSurfaceRepresentation(sphere.GetOutput(), "ball", RED, "ball")
    image, findings = read_labels(node, {"ball": 2})
    assert [f.code for f in findings] == ["segments_converted"]
    assert image.grid.same_as(grid)
    volume = (image.array == 2).sum() * grid.voxel_volume
    assert volume == pytest.approx(4 / 3 * np.pi * 4**3, rel=0.03)
    binary = slicer.vtkSegmentationConverter.GetSegmentationBinaryLabelmapRepresentationName()
    assert not node.GetSegmentation().ContainsRepresentation(binary)


def test_what_cannot_be_read_is_said():
    node = node_of(slicer.vtkMRMLScene(), block((3, 4, 5), np.s_[1, 1, 1]), matrix_of())
    with pytest.raises(InputError, match="deleted"):
        read_labels(None, {"a": 1})
    with pytest.raises(InputError, match="No segment of seg"):
        read_labels(node, {})
    with pytest.raises(InputError, match="no segment with the ID gone"):
        read_labels(node, {"gone": 1})
    node.GetSegmentation().AddEmptySegment("new", "Nothing yet")
    with pytest.raises(InputError, match="Nothing is drawn in Nothing yet of seg"):
        read_labels(node, {"Segment_1": 1, "new": 2})


@pytest.mark.parametrize("overlapping", [False, True])
def test_a_file_saved_by_slicer_reads_as_the_node_does(tmp_path, overlapping):
    """The window reads the node, the command line the .seg.nrrd: both must see the same."""
    scene = slicer.vtkMRMLScene()
    matrix = matrix_of()
    grid = Grid((8, 9, 10), matrix)
    node = empty_node(scene, grid)
    parts = {"gm": (1, 2, 3), "csf": (4, 2, 3), "wm": (1, 5, 3)}
    if overlapping:
        parts = {"gm": (1, 2, 3), "csf": (2, 3, 3), "wm": (3, 3, 4)}
    for name, first in parts.items():
        add_part(node, name, np.ones((3, 3, 4), np.uint8), first, matrix)
    path = tmp_path / "made.seg.nrrd"
    storage = scene.AddNewNodeByClass("vtkMRMLSegmentationStorageNode")
    storage.SetFileName(str(path))
    assert storage.WriteData(node)
    file = segmentations.read_labels(path)
    from_file, values, said = file.tissues({name: name for name in parts})
    # Its later tissues win, as later segments do here.
    order = [name for name in segmentations.PRIORITY if name in parts]
    labels = {name: n for n, name in enumerate(order, start=1)}
    from_node, findings = read_labels(node, labels)
    assert [f.code for f in said] == ["segments_overlap"] * overlapping
    assert {f.code for f in findings} == {f.code for f in said}
    for name, label in labels.items():
        one = from_file.grid.ras(np.argwhere(np.isin(from_file.array, values[name])))
        other = from_node.grid.ras(np.argwhere(from_node.array == label))
        assert len(one) == len(other) > 0
        assert np.allclose(one, other, atol=1e-4)
    again = scene.AddNewNodeByClass("vtkMRMLSegmentationNode", "again")
    assert storage.ReadData(again)
    reread, _ = read_labels(again, labels)
    assert reread.grid.same_as(from_node.grid, 1e-4)
    assert np.array_equal(reread.array, from_node.array)
