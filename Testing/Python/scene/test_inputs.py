"""What to measure, told from real nodes."""

from __future__ import annotations

import numpy as np
import pytest

from ALSMotorCortexLib.cortex.errors import InputError
from ALSMotorCortexLib.cortex.grid import Grid, Image
from ALSMotorCortexLib.cortex.settings import PRIORITY

slicer = pytest.importorskip("slicer")
vtk = pytest.importorskip("vtk")
from ALSMotorCortexLib.scene.inputs import (  # noqa: E402
    LABELS,
    Inputs,
    collect,
    iron_to_ask,
    missing,
    recall,
    remember,
    suggest,
    suggest_segments,
)
from ALSMotorCortexLib.scene.markups import coded  # noqa: E402
from ALSMotorCortexLib.scene.results import RESULT, new_scene  # noqa: E402
from ALSMotorCortexLib.scene.segmentations import Segment, add_segmentation  # noqa: E402
from ALSMotorCortexLib.scene.volumes import IRON, add_volume  # noqa: E402
from drawn_scene import dividers, drawn_scene, layered, paint  # noqa: E402

MASTER = "Segmentation category and type - DICOM master list~SCT^123037004^Anatomical Structure"


def chosen(segmentation, ids):
    return [segmentation.GetSegmentation().GetSegment(i).GetName() for i in ids]


def segmentation_of(names, codes=()):
    labels = layered()
    segments = [
        Segment((n,), name, (0, 0, 0), f"{MASTER}~{code}~^^~~^^~^^" if code else "")
        for n, (name, code) in enumerate(zip(names, codes or [""] * len(names), strict=True), 1)
    ]
    return add_segmentation(new_scene(), labels, segments, "s")


# Preselection ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("names", "roles"),
    [
        (["GM", "WM", "CSF"], {"gray": ["GM"], "white": ["WM"], "csf": ["CSF"]}),
        (
            ["grey matter", "White Matter", "cerebrospinal fluid", "opposite bank"],
            {
                "gray": ["grey matter"],
                "white": ["White Matter"],
                "csf": ["cerebrospinal fluid"],
                "other_bank": ["opposite bank"],
            },
        ),
        (
            ["M1", "Gray matter", "S1", "wm", "m1_hand", "Left"],
            {
                "gray": ["M1"],
                "other_bank": ["S1", "Gray matter"],
                "white": ["wm"],
                "regions": ["m1_hand", "Left"],
            },
        ),
        (["Left gray matter", "Segment_4"], {"gray": ["Left gray matter"]}),
    ],
)
def test_segments_are_told_by_their_names(names, roles):
    node = segmentation_of(names)
    found = suggest_segments(node)
    assert {role: chosen(node, ids) for role, ids in found.items() if ids} == roles


def test_segments_without_telling_names_are_told_by_their_terminology():
    codes = ["SCT^389080008^White Matter", "SCT^389081007^Gray Matter", "SCT^65216001^CSF"]
    node = segmentation_of(["Segment_1", "Segment_2", "Segment_3"], codes)
    found = suggest_segments(node)
    assert chosen(node, found["white"]) == ["Segment_1"]
    assert chosen(node, found["gray"]) == ["Segment_2"]
    assert chosen(node, found["csf"]) == ["Segment_3"]


def test_the_segmentation_and_the_maps_are_preselected():
    scene, volume, segmentation = drawn_scene()
    paint(segmentation, "M1 hand", layered(), layered().array == 3)
    add_volume(
        scene, Image(np.zeros((2, 2, 2), np.float32), Grid((2, 2, 2), np.eye(4))), "localiser"
    )
    result = add_volume(scene, Image(np.zeros((2, 2, 2)), Grid((2, 2, 2), np.eye(4))), "T2star too")
    result.SetAttribute(RESULT, "thickness")
    scene.AddNewNodeByClass("vtkMRMLSegmentationNode", "empty")
    points = dividers(scene)
    found = suggest(scene)
    assert found.segmentation is segmentation
    assert found.volumes == [volume]
    assert found.dividers is points
    assert chosen(segmentation, found.gray) == ["Gray matter"]
    assert chosen(segmentation, found.regions) == ["M1 hand"]
    assert missing(found) == "" or "second dividing" in missing(found)


def test_phase_images_are_not_preselected():
    scene = new_scene()
    mag, _ = (add_volume(scene, layered(), f"sub-1_part-{p}_MEGRE") for p in ("mag", "phase"))
    assert suggest(scene).volumes == [mag]


def test_an_empty_scene_suggests_nothing():
    assert suggest(new_scene()) == Inputs()


# What is missing ------------------------------------------------------------------------


def ready():
    scene, _, _ = drawn_scene()
    return scene, suggest(scene)


def test_nothing_is_missing_when_all_is_there():
    _, inputs = ready()
    assert missing(inputs) == ""


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda i: setattr(i, "gray", []), "Choose the segment of the gray matter."),
        (lambda i: setattr(i, "white", []), "Choose the segment of the white matter."),
        (lambda i: setattr(i, "csf", []), "of the CSF, or of the opposite bank"),
        (lambda i: setattr(i, "gray", i.white), "White matter is chosen for two tissues"),
        (lambda i: setattr(i, "gray", ["gone"]), "no longer in Segmentation"),
        (lambda i: setattr(i, "segmentation", None), "Choose a segmentation"),
        (
            lambda i: i.segmentation.GetSegmentation().RemoveSegment(i.gray[0]),
            "no longer in Segmentation",
        ),
        (lambda i: i.segmentation.GetScene().RemoveNode(i.segmentation), "Choose a segmentation"),
        (
            lambda i: i.gray.append(i.segmentation.GetSegmentation().AddEmptySegment("", "new")),
            "Nothing is drawn in new of Segmentation",
        ),
    ],
)
def test_what_is_missing_is_said_and_reading_refused(change, message):
    _, inputs = ready()
    change(inputs)
    assert message in missing(inputs)
    with pytest.raises(InputError, match=message.split(".")[0]):
        collect(inputs)


# Reading --------------------------------------------------------------------------------


def test_all_is_read_as_it_was_drawn():
    _, inputs = ready()
    inputs.options = {"layers": 5, "plane": "axial"}
    c = collect(inputs)
    assert np.array_equal(c.labels.array, layered().array)
    assert c.labels.grid.same_as(layered().grid)
    assert (c.settings.gm, c.settings.wm, c.settings.csf) == ((3,), (2,), (1,))
    assert (c.settings.layers, c.settings.plane) == (5, "axial")
    assert list(c.maps) == ["T2star"] and c.units == {"T2star": "ms"}
    assert c.findings == () and c.regions == {}
    volume = c.volumes["T2star"]
    slicer.util.arrayFromVolume(volume)[:] = 0
    assert c.maps["T2star"].array.min() == 20


def test_an_option_that_is_no_setting_is_refused():
    _, inputs = ready()
    inputs.options = {"colour": 1}
    with pytest.raises(InputError, match="Unknown setting colour"):
        collect(inputs)


def test_where_segments_overlap_the_same_tissue_wins_as_on_the_command_line():
    """White matter over CSF over gray matter over the opposite bank."""
    _, inputs = ready()
    labels = layered()
    everything = np.ones(labels.grid.shape, bool)
    segmentation = inputs.segmentation
    for tissue in ("other_bank", "gray", "csf", "white"):
        mask = everything.copy()
        mask[:, :, : {"other_bank": 0, "gray": 15, "csf": 30, "white": 45}[tissue]] = False
        setattr(inputs, tissue, [paint(segmentation, f"own {tissue}", labels, mask)])
    c = collect(inputs)
    order = [LABELS[name] for name in PRIORITY]
    assert np.array_equal(c.labels.array[0, 0], np.repeat(order, 15))
    assert [f.code for f in c.findings] == ["segments_overlap"] * 3
    assert all(f.warning and f.ras for f in c.findings)


def test_volumes_of_the_same_name_stay_apart():
    scene, inputs = ready()
    second = add_volume(scene, layered(), "T2star")
    inputs.volumes.append(second)
    c = collect(inputs)
    assert list(c.maps) == ["T2star", "T2star (2)"]
    assert c.volumes["T2star (2)"] is second


def test_how_iron_shows_in_a_susceptibility_map_is_asked_and_kept_on_the_volume():
    scene, inputs = ready()
    image = Image(np.ones(layered().grid.shape, np.float32), layered().grid)
    chi, swi = add_volume(scene, image, "QSM"), add_volume(scene, image, "SWI")
    field = add_volume(scene, image, "field")
    field.SetVoxelValueUnits(coded("ppm", "UCUM", "parts per million"))
    inputs.volumes = [swi, chi, field]
    assert iron_to_ask(inputs.volumes) == [chi, field]
    for node, how in ((chi, "bright"), (field, "dark")):
        asked = f"Choose whether iron is bright or dark in {node.GetName()}."
        assert missing(inputs) == asked
        with pytest.raises(InputError, match=asked):
            collect(inputs)
        node.SetAttribute(IRON, how)
    assert missing(inputs) == ""
    assert collect(inputs).settings.iron == {"QSM": "bright", "field": "dark"}


def test_a_deleted_volume_is_told():
    scene, inputs = ready()
    scene.RemoveNode(inputs.volumes[0])
    with pytest.raises(InputError, match="No volume is selected, or it was deleted"):
        collect(inputs)


def shifted(scene, linear, *nodes):
    transform = scene.AddNewNodeByClass("vtkMRMLTransformNode", "moved")
    if linear:
        matrix = vtk.vtkMatrix4x4()
        matrix.SetElement(0, 3, 5.0)
        transform.SetMatrixTransformToParent(matrix)
    else:
        spline = vtk.vtkThinPlateSplineTransform()
        spline.SetBasisToR()
        source, target = vtk.vtkPoints(), vtk.vtkPoints()
        for r in (-60.0, 10.0):
            for a in (-40.0, 10.0):
                for s in (30.0, 80.0):
                    source.InsertNextPoint(r, a, s)
                    target.InsertNextPoint(r + 5 + 0.5 * (s > 50), a, s)
        spline.SetSourceLandmarks(source)
        spline.SetTargetLandmarks(target)
        transform.SetAndObserveTransformToParent(spline)
    for node in nodes:
        node.SetAndObserveTransformNodeID(transform.GetID())


@pytest.mark.parametrize("linear", [True, False])
def test_nodes_under_a_transform_are_measured_where_it_puts_them(linear):
    scene, inputs = ready()
    shifted(scene, linear, inputs.segmentation, inputs.volumes[0])
    before = [scene.GetNthNode(n) for n in range(scene.GetNumberOfNodes())]
    c = collect(inputs)
    assert [scene.GetNthNode(n) for n in range(scene.GetNumberOfNodes())] == before
    gray = c.labels.grid.ras(np.argwhere(c.labels.array == 3))
    drawn = layered()
    expected = drawn.grid.ras(np.argwhere(drawn.array == 3)).mean(axis=0) + [
        5.25 - 0.25 * linear,
        0,
        0,
    ]
    assert gray.mean(axis=0) == pytest.approx(expected, abs=0.3)
    codes = {f.code for f in c.findings}
    assert codes == ({"transform_applied"} if linear else {"resampled"})
    assert all("moved" in f.message for f in c.findings)


# Regions --------------------------------------------------------------------------------


def test_two_points_part_the_gyrus():
    scene, inputs = ready()
    inputs.dividers = dividers(scene, (-20, -14, 52), (-30, -14, 52))
    c = collect(inputs)
    assert list(c.regions) == ["left_foot", "left_hand", "left_face"]
    hand = c.regions["left_hand"]
    r = hand.grid.ras(np.argwhere(hand.array))[:, 0]
    assert (r.min(), r.max()) == pytest.approx((-30, -20), abs=1.1)


def test_one_point_is_not_enough():
    scene, inputs = ready()
    inputs.dividers = dividers(scene, (-20, -14, 52))
    assert "second dividing point" in missing(inputs)
    inputs.dividers.AddControlPoint(-22, -14, 52)
    assert missing(inputs) == ""
    inputs.dividers.AddControlPoint(-24, -14, 52)
    with pytest.raises(InputError, match="There are 3 dividing points"):
        collect(inputs)


def test_points_that_were_deleted_part_nothing():
    scene, inputs = ready()
    inputs.dividers = dividers(scene, (-20, -14, 52))
    scene.RemoveNode(inputs.dividers)
    assert collect(inputs).regions == {}


def test_a_region_on_both_sides_is_measured_on_each():
    labels = layered(first_r=-15.0, gap=True)
    scene, _, segmentation = drawn_scene(labels)
    inputs = suggest(scene)
    inputs.regions = [paint(segmentation, "hand", labels, labels.array == 3)]
    regions = collect(inputs).regions
    assert list(regions) == ["left_hand", "right_hand"]
    for name, sign in (("left_hand", -1), ("right_hand", 1)):
        image = regions[name]
        assert (sign * image.grid.ras(np.argwhere(image.array))[:, 0] > 4).all()
    inputs.options = {"reference": "region:hand"}
    assert list(collect(inputs).regions) == ["hand", "left_hand", "right_hand"]


def test_region_names_are_made_unique():
    _, inputs = ready()
    mask = layered().array == 3
    inputs.regions = [
        paint(inputs.segmentation, name, layered(), mask) for name in ("hand", "hand", "ribbon")
    ]
    assert list(collect(inputs).regions) == ["hand", "hand (2)", "ribbon (2)"]


# What made a result ---------------------------------------------------------------------


def test_inputs_are_remembered():
    scene, inputs = ready()
    inputs.dividers = dividers(scene, (-20, -14, 52), (-30, -14, 52))
    inputs.options = {"layers": 4}
    node = scene.AddNewNodeByClass("vtkMRMLTextNode")
    remember(node, inputs)
    remember(node, inputs)
    assert recall(node) == inputs
    scene.RemoveNode(inputs.volumes[0])
    assert recall(node).volumes == []
    assert recall(scene.AddNewNodeByClass("vtkMRMLTextNode")) == Inputs()
