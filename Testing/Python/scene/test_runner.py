"""Measuring in a thread, and what it leaves in the scene."""

from __future__ import annotations

import time
from dataclasses import replace

import numpy as np
import pytest

from ALSMotorCortexLib.cortex.errors import Cancelled, InputError

slicer = pytest.importorskip("slicer")
vtk = pytest.importorskip("vtk")
from ALSMotorCortexLib.scene import results, runner  # noqa: E402
from ALSMotorCortexLib.scene.geometry import voxels  # noqa: E402
from ALSMotorCortexLib.scene.inputs import collect, recall, suggest  # noqa: E402
from ALSMotorCortexLib.scene.tables import place_of  # noqa: E402
from ALSMotorCortexLib.scene.views import jump  # noqa: E402
from drawn_scene import THICKNESS, dividers, drawn_scene, empty_scene, layered, paint  # noqa: E402


def content(scene):
    """The scene as it would be saved."""
    scene.SetSaveToXMLString(1)
    scene.Commit()
    return scene.GetSceneXMLString()


def measured(inputs):
    collected = collect(inputs)
    run = runner.Run(collected)
    run.start()
    return collected, run.result()


def published(scene, inputs, update=False):
    collected, measurement = measured(inputs)
    return runner.publish(scene, inputs, collected, measurement, update)


@pytest.fixture
def case():
    """A scene, its inputs with parts, and the segmentation."""
    scene, _, segmentation = drawn_scene()
    inputs = suggest(scene)
    inputs.dividers = dividers(scene, (-20, -14, 52), (-30, -14, 52))
    return scene, inputs, segmentation


# Running --------------------------------------------------------------------------------


def test_a_run_measures_and_tells_how_far_it_is(case):
    scene, inputs, _ = case
    before = content(scene)
    run = runner.Run(collect(inputs))
    assert not run.done
    run.start()
    seen = [run.poll()]
    while not run.done:
        seen.append(run.poll())
    fractions = [fraction for _, fraction in [*seen, run.poll()]]
    assert fractions == sorted(fractions) and fractions[-1] == 1
    measurement = run.result()
    assert measurement.value("thickness_mean") == pytest.approx(THICKNESS, abs=0.02)
    assert measurement.value("thickness_mean", "left_hand") == pytest.approx(THICKNESS, abs=0.02)
    assert content(scene) == before


def test_a_cancelled_run_ends_soon_and_leaves_the_scene(case):
    scene, inputs, _ = case
    before = content(scene)
    run = runner.Run(collect(inputs))
    run.cancel()
    start = time.perf_counter()
    run.start()
    with pytest.raises(Cancelled, match="scene is as it was"):
        run.result()
    assert run.done and time.perf_counter() - start < 5
    assert content(scene) == before


def test_the_scene_may_be_closed_during_a_run(case):
    scene, inputs, _ = case
    run = runner.Run(collect(inputs))
    run.start()
    scene.Clear(True)
    assert np.isfinite(run.result().thickness).any()


def test_a_run_that_cannot_measure_says_why_in_words_of_the_window(case):
    _, inputs, segmentation = case
    labels = layered()
    far = np.zeros(labels.grid.shape, bool)
    far[:, -1] = True
    inputs.csf = [paint(segmentation, "far", labels, far)]
    inputs.dividers = None
    with pytest.raises(InputError, match="touches no pial border") as caught:
        measured(inputs)
    assert "--" not in str(caught.value) and "label 1" not in str(caught.value)
    assert "Check the segments of CSF" in str(caught.value)


def test_command_line_options_and_labels_become_tissues():
    told = runner.in_window_words("Check --other-bank: label 1, 4 are beside label 3, --gm.")
    assert told == (
        "Check the segments of opposite bank: CSF, opposite bank are beside gray matter, "
        "the segments of gray matter."
    )


def test_a_fault_is_raised_where_the_result_is_asked_for(case):
    _, inputs, _ = case
    collected = collect(inputs)
    run = runner.Run(collected)
    collected.maps["T2star"] = None
    run.start()
    with pytest.raises(AttributeError):
        run.result()


# Adding ---------------------------------------------------------------------------------


def test_results_lie_in_one_folder_and_name_what_made_them(case):
    scene, inputs, segmentation = case
    nodes = published(scene, inputs)
    ((folder, found),) = results.find_results(scene).items()
    assert {k: v for k, v in nodes.items() if k in found} == found
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(scene)
    assert all(
        hierarchy.GetItemParent(hierarchy.GetItemByDataNode(n)) == folder for n in found.values()
    )
    assert recall(nodes["settings"]) == inputs
    assert nodes["tissue"] is segmentation
    assert scene.GetNumberOfNodesByClass("vtkMRMLSegmentationNode") == 2


def test_a_second_run_adds_a_second_folder(case):
    scene, inputs, _ = case
    first, second = published(scene, inputs), published(scene, inputs)
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(scene)
    names = [hierarchy.GetItemName(item) for item in results.find_results(scene)]
    assert len(set(names)) == 2 and all(name.startswith("ALS Motor Cortex") for name in names)
    own = set(first) - {"tissue", "colors", "map:T2star"}
    assert not {first[key].GetID() for key in own} & {second[key].GetID() for key in own}


def test_a_failure_while_adding_leaves_the_scene_as_it_was(case, monkeypatch):
    scene, inputs, _ = case
    collected, measurement = measured(inputs)
    before = content(scene)

    def fail(*args):
        raise RuntimeError("no chart")

    monkeypatch.setattr(results, "add_charts", fail)
    with pytest.raises(RuntimeError, match="no chart"):
        runner.publish(scene, inputs, collected, measurement, update=False)
    assert content(scene) == before


def test_nodes_deleted_during_the_run_are_replaced_by_copies(case):
    scene, inputs, segmentation = case
    collected, measurement = measured(inputs)
    scene.RemoveNode(segmentation)
    scene.RemoveNode(inputs.volumes[0])
    nodes = runner.publish(scene, inputs, collected, measurement, update=False)
    assert nodes["tissue"].GetSegmentation().GetNumberOfSegments() == 3
    assert np.array_equal(
        voxels(nodes["map:T2star"].GetImageData()), collected.maps["T2star"].array
    )


# Updating -------------------------------------------------------------------------------


def thicker(segmentation):
    """Draws the gray matter 1 mm thicker, into the CSF; the new segments' IDs."""
    labels = layered()
    labels.array[:, 13:15] = 3
    return tuple(
        [paint(segmentation, f"{name} 2", labels, labels.array == value)]
        for name, value in (("Gray matter", 3), ("CSF", 1))
    )


def ids(nodes):
    return {key: node.GetID() for key, node in nodes.items()}


def test_an_update_keeps_nodes_and_all_that_the_user_chose(case):
    scene, inputs, segmentation = case
    nodes = published(scene, inputs)
    before = ids(nodes)
    nodes["thickness"].SetName("my thickness")
    nodes["thickness"].GetDisplayNode().SetWindowLevelMinMax(1.25, 7.5)
    nodes["series:T2star:ribbon"].SetColor(1, 0, 0)
    nodes["surface"].GetDisplayNode().SetOpacity(0.5)
    layer = nodes["layers"].GetSegmentation().GetSegment("Segment_2")
    layer.SetName("mine")
    layer.SetColor(0, 1, 0)
    nodes["layers"].CreateClosedSurfaceRepresentation()
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(scene)
    aside = hierarchy.CreateFolderItem(hierarchy.GetSceneItemID(), "elsewhere")
    hierarchy.SetItemParent(hierarchy.GetItemByDataNode(nodes["surface"]), aside)
    count = scene.GetNumberOfNodes()

    inputs.gray, inputs.csf = thicker(segmentation)
    updated = published(scene, inputs, update=True)

    assert {key: i for key, i in ids(updated).items() if key in before} == {
        key: i for key, i in before.items() if key in updated
    }
    assert set(before) - set(updated) <= {"map:T2star", "tissue"}
    assert scene.GetNumberOfNodes() == count
    thickness = voxels(updated["thickness"].GetImageData())
    assert np.nanmedian(thickness) == pytest.approx(THICKNESS + 1, abs=0.05)
    display = updated["thickness"].GetDisplayNode()
    assert updated["thickness"].GetName() == "my thickness"
    assert (display.GetWindowLevelMin(), display.GetWindowLevelMax()) == pytest.approx((1.25, 7.5))
    # The threshold that hides NaN was not touched, so it follows the values.
    assert display.GetLowerThreshold() == pytest.approx(np.nanmin(thickness))
    assert display.GetUpperThreshold() == pytest.approx(np.nanmax(thickness))
    surface = updated["surface"].GetDisplayNode()
    assert surface.GetScalarRange() == pytest.approx((3.0, 5.0), abs=1.01)
    assert surface.GetOpacity() == 0.5
    assert updated["surface"].GetPolyData().GetPointData().GetScalars().GetRange()[1] > 3.8
    assert updated["series:T2star:ribbon"].GetColor() == (1, 0, 0)
    layer = updated["layers"].GetSegmentation().GetSegment("Segment_2")
    assert layer.GetName() == "mine" and layer.GetColor() == (0, 1, 0)
    closed = slicer.vtkSegmentationConverter.GetSegmentationClosedSurfaceRepresentationName()
    assert updated["layers"].GetSegmentation().ContainsRepresentation(closed)
    ((_, found),) = results.find_results(scene).items()
    assert ids(found) == {key: before[key] for key in found} and set(found) <= set(updated)
    assert {"measures", "profiles", "surface", "chart:T2star"} <= set(found)
    item = hierarchy.GetItemByDataNode(updated["surface"])
    assert hierarchy.GetItemParent(item) == aside
    assert recall(updated["settings"]) == inputs
    mean = updated["measures"].GetTable().GetValueByName(0, "thickness_mean").ToDouble()
    assert mean == pytest.approx(THICKNESS + 1, abs=0.05)


def test_an_update_with_other_regions_changes_only_the_curves(case):
    scene, inputs, _ = case
    nodes = published(scene, inputs)
    chart = nodes["chart:T2star"]
    own = scene.AddNewNodeByClass("vtkMRMLPlotSeriesNode", "of the user")
    chart.AddAndObservePlotSeriesNodeID(own.GetID())
    inputs.dividers = None
    inputs.options = {"layers": 2}
    updated = published(scene, inputs, update=True)
    shown = [chart.GetNthPlotSeriesNode(n) for n in range(chart.GetNumberOfPlotSeriesNodes())]
    assert shown == [updated["band:T2star"], updated["series:T2star:ribbon"], own]
    assert scene.GetNumberOfNodesByClass("vtkMRMLPlotSeriesNode") == len(shown)
    assert updated["layers"].GetSegmentation().GetNumberOfSegments() == 2
    table = updated["measures"]
    assert table.GetNumberOfRows() == 1 and table.GetColumnUnitLabel("thickness_mean") == "mm"


def test_an_update_names_other_layers_anew(case):
    scene, inputs, _ = case
    layers = published(scene, inputs)["layers"].GetSegmentation()
    layers.GetNthSegment(0).SetName("mine")
    old_colors = [layers.GetNthSegment(n).GetColor() for n in range(3)]
    inputs.options = {"layers": 4}
    published(scene, inputs, update=True)
    names = [layers.GetNthSegment(n).GetName() for n in range(4)]
    assert names == ["mine", "Layer 2", "Layer 3", "Layer 4 (deep)"]
    colors = [layers.GetNthSegment(n).GetColor() for n in range(4)]
    assert colors[3] == pytest.approx(old_colors[2], abs=0.01)
    assert len(set(colors)) == 4


def test_deleted_results_come_back_with_an_update(case):
    scene, inputs, _ = case
    nodes = published(scene, inputs)
    scene.RemoveNode(nodes["surface"])
    scene.RemoveNode(nodes["bands"])
    updated = published(scene, inputs, update=True)
    ((_, found),) = results.find_results(scene).items()
    assert {"surface", "bands"} <= set(found)
    assert updated["band:T2star"].GetTableNode() is found["bands"]


def test_an_update_takes_the_latest_result_of_the_same_segmentation(case):
    scene, inputs, segmentation = case
    first = published(scene, inputs)
    other = scene.CopyNode(segmentation)
    second = published(scene, replace(inputs, segmentation=other))
    third = published(scene, inputs, update=True)
    assert third["thickness"] is first["thickness"]
    assert second["thickness"] is not first["thickness"]


def test_an_update_without_a_result_adds_one(case):
    scene, inputs, _ = case
    published(scene, inputs, update=True)
    assert len(results.find_results(scene)) == 1


# Afterwards -----------------------------------------------------------------------------


def test_curves_that_a_view_took_out_of_a_chart_come_back(case):
    scene, inputs, _ = case
    chart = published(scene, inputs)["chart:T2star"]
    shown = [chart.GetNthPlotSeriesNodeID(n) for n in range(chart.GetNumberOfPlotSeriesNodes())]
    chart.RemovePlotSeriesNodeID(shown[0])
    chart.RemovePlotSeriesNodeID(shown[2])
    results.after_reading(scene)
    assert shown == [chart.GetNthPlotSeriesNodeID(n) for n in range(len(shown))]


def test_left_and_right_are_in_one_chart():
    labels = layered(first_r=-15.0, gap=True)
    scene, _, segmentation = drawn_scene(labels)
    inputs = suggest(scene)
    inputs.regions = [paint(segmentation, "hand", labels, labels.array == 3)]
    nodes = published(scene, inputs)
    curve = {r: nodes[f"series:T2star:{r}"] for r in ("left", "right", "left_hand", "right_hand")}
    chart = nodes["chart:T2star"]
    shown = [chart.GetNthPlotSeriesNode(n) for n in range(chart.GetNumberOfPlotSeriesNodes())]
    assert set(curve.values()) < set(shown)
    assert curve["left_hand"].GetColor() == curve["right_hand"].GetColor()
    assert curve["left_hand"].GetColor() != curve["left"].GetColor()
    solid, dash = (
        getattr(slicer.vtkMRMLPlotSeriesNode, f"LineStyle{n}") for n in ("Solid", "Dash")
    )
    assert [c.GetLineStyle() for c in curve.values()] == [solid, dash, solid, dash]
    assert [c.GetName() for c in curve.values()] == ["left", "right", "left hand", "right hand"]


def test_a_row_of_the_table_leads_to_its_place(case):
    scene, inputs, _ = case
    nodes = published(scene, inputs)
    table = nodes["measures"]
    rows = {table.GetCellText(n, 0): n for n in range(table.GetNumberOfRows())}
    labels = layered()
    for region, low, high in (("left_foot", -20, -10), ("left_hand", -30, -20)):
        place = place_of(table, rows[region])
        kji = np.rint(labels.grid.kji(np.array([place]))[0]).astype(int)
        assert labels.array[tuple(kji)] == 3
        assert low - 1 < place[0] < high + 1
        jump(scene, place)
        for tag in ("Red", "Green", "Yellow"):
            matrix = scene.GetNodeByID(f"vtkMRMLSliceNode{tag}").GetSliceToRAS()
            assert [matrix.GetElement(n, 3) for n in range(3)] == pytest.approx(place)
        camera = scene.GetSingletonNode("1", "vtkMRMLCameraNode")
        assert camera.GetFocalPoint() == pytest.approx(place)


def test_a_modules_own_layout_stays(case):
    scene, inputs, _ = case
    layout = slicer.vtkMRMLLayoutNode()
    layout.AddLayoutDescription(7031, "<layout/>")
    layout.SetViewArrangement(7031)
    layout = scene.AddNode(layout)
    published(scene, inputs)
    assert scene.GetFirstNodeByClass("vtkMRMLLayoutNode").GetViewArrangement() == 7031


def test_the_camera_looks_at_the_surface_from_its_pial_side(case):
    scene, inputs, _ = case
    nodes = published(scene, inputs)
    camera = scene.GetSingletonNode("1", "vtkMRMLCameraNode")
    middle = nodes["surface"].GetPolyData().GetCenter()
    assert camera.GetFocalPoint() == pytest.approx(middle)
    along = np.array(camera.GetPosition()) - middle
    assert along / np.linalg.norm(along) == pytest.approx((0, 0.89, 0.45), abs=0.1)


def test_results_survive_saving_and_an_update_after_it(case, tmp_path):
    scene, inputs, _ = case
    nodes = published(scene, inputs)
    area = nodes["surface"].GetPolyData().GetNumberOfPoints()
    bundle = tmp_path / "scene.mrb"
    folder = tmp_path / "saved"
    folder.mkdir()
    results._save(scene, folder)
    results._zip(folder, bundle)
    opened = empty_scene()
    opened.SetURL(slicer.vtkMRMLScene.UnpackSlicerDataBundle(str(bundle), str(tmp_path)))
    assert opened.Connect()
    ((_, found),) = results.find_results(opened).items()
    assert set(found) == set(nodes) - {"colors", "tissue", "map:T2star"}
    again = recall(found["settings"])
    assert again.segmentation.GetName() == "Segmentation"
    assert [v.GetName() for v in again.volumes] == ["T2star"]
    assert again.dividers.GetNumberOfControlPoints() == 2
    surface = found["surface"]
    assert surface.GetPolyData().GetNumberOfPoints() == area
    assert surface.GetDisplayNode().GetActiveScalarName() == "Thickness (mm)"
    assert (
        surface.GetDisplayNode().GetColorNode()
        is found["thickness"].GetDisplayNode().GetColorNode()
    )
    assert slicer.vtkSlicerColorLogic.GetColorLegendDisplayNode(surface).GetVisibility2D() == 0
    assert place_of(found["measures"], 0) == pytest.approx(place_of(nodes["measures"], 0))
    before = ids(found)
    # The threshold and colours in the file are rounded and still count as untouched.
    updated = published(opened, again, update=True)
    assert {key: i for key, i in ids(updated).items() if key in before} == before
