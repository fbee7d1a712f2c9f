"""Results added to a scene, with and without what else they may come with."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from ALSMotorCortexLib.cortex.errors import InputError

slicer = pytest.importorskip("slicer")
vtk = pytest.importorskip("vtk")

from ALSMotorCortexLib.scene import results, volumes  # noqa: E402
from ALSMotorCortexLib.scene.geometry import voxels  # noqa: E402
from measured_shell import (  # noqa: E402
    found_in,
    only_result,
    read_back,
    shell_labels,
    shell_map,
    shell_measurement,
)


def test_results_can_be_added_to_a_scene_with_the_users_nodes():
    scene = results.new_scene()
    own_map = volumes.add_volume(scene, shell_map(), "mine")
    own_labels = scene.AddNewNodeByClass("vtkMRMLSegmentationNode", "drawn")
    first = results.add_results(
        scene, shell_measurement(), shell_labels(), {"T2star": own_map}, segmentation=own_labels
    )
    assert first["map:T2star"] is own_map
    assert first["tissue"] is own_labels
    assert own_map.GetAttribute(results.RESULT) is None
    composite = scene.GetNodeByID("vtkMRMLSliceCompositeNodeRed")
    assert composite.GetBackgroundVolumeID() == own_map.GetID()
    views = scene.GetNumberOfNodesByClass("vtkMRMLSliceNode")
    second = results.add_results(
        scene, shell_measurement(), shell_labels(), {"T2star": own_map}, segmentation=own_labels
    )
    assert scene.GetNumberOfNodesByClass("vtkMRMLSliceNode") == views
    assert first["thickness"] is not second["thickness"]
    found = results.find_results(scene)
    assert len(found) == 2
    assert [f["thickness"] for f in found.values()] == [first["thickness"], second["thickness"]]


def test_items_that_the_application_made_are_moved_into_the_folder():
    """The application gives each new node an item of its own, at the top of the hierarchy."""
    scene = results.new_scene()
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(scene)

    @vtk.calldata_type(vtk.VTK_OBJECT)
    def give_item(caller, event, node):
        if node.IsA("vtkMRMLTableNode"):
            hierarchy.CreateItem(hierarchy.GetSceneItemID(), node, "Tables")

    scene.AddObserver(slicer.vtkMRMLScene.NodeAddedEvent, give_item)
    nodes = results.add_results(scene, shell_measurement(), shell_labels(), {})
    folder = hierarchy.GetItemByName("ALS Motor Cortex")
    for key in ("measures", "profiles", "thickness"):
        assert hierarchy.GetItemParent(hierarchy.GetItemByDataNode(nodes[key])) == folder
    names = vtk.vtkIdList()
    hierarchy.GetItemsByName("Measures", names)
    assert names.GetNumberOfIds() == 1


def test_without_maps_the_thickness_is_shown_alone(tmp_path):
    m = replace(shell_measurement(), profiles=(), units={})
    path = tmp_path / "scene.mrb"
    results.write_scene(m, path, shell_labels(), {})
    scene = read_back(path, tmp_path / "unpacked")
    nodes = only_result(scene)
    composite = scene.GetNodeByID("vtkMRMLSliceCompositeNodeRed")
    assert composite.GetBackgroundVolumeID() is None
    assert composite.GetForegroundVolumeID() == nodes["thickness"].GetID()
    assert not [key for key in nodes if key.startswith("chart:")]


def test_rim_lines_are_named_as_lines():
    m = shell_measurement()
    m = replace(m, settings=replace(m.settings, label_style="rim", layers=1))
    m = replace(m, layers=np.minimum(m.layers, 1))
    nodes = results.add_results(results.new_scene(), m, shell_labels(), {})
    tissue, layers = nodes["tissue"].GetSegmentation(), nodes["layers"].GetSegmentation()
    assert [tissue.GetNthSegment(n).GetName() for n in range(3)] == [
        "Gray matter",
        "White matter border line",
        "CSF border line",
    ]
    assert layers.GetNthSegment(0).GetName() == "Layer 1"


def test_angle_and_corrected_thickness_come_and_go_with_the_measurement():
    m = shell_measurement()
    angle = np.linspace(0, 40, len(m.voxels), dtype=np.float32)
    oblique = replace(m, angle=angle, thickness_corrected=m.thickness * np.float32(0.9))
    scene = results.new_scene()
    nodes = results.add_results(scene, oblique, shell_labels(), {})
    for key, name, unit in (
        ("angle", "Angle", "deg"),
        ("thickness_corrected", "Thickness, corrected", "mm"),
    ):
        node = nodes[key]
        assert node.GetName() == name
        assert node.GetVoxelValueUnits().GetCodeValue() == unit
        image, place = found_in(node, m.grid)
        expected = m.paint(getattr(oblique, key), np.nan)[place]
        assert np.array_equal(image.array, expected, equal_nan=True)
    display = nodes["angle"].GetDisplayNode()
    assert (display.GetWindowLevelMin(), display.GetWindowLevelMax()) == (0, 60)
    (old,) = results.find_results(scene).values()
    again = results.update_results(scene, old, m, shell_labels())
    assert not {"angle", "thickness_corrected"} & set(again)
    assert scene.GetFirstNodeByName("Angle") is None


def test_nothing_measured_still_makes_a_scene():
    m = shell_measurement()
    nothing = np.full(len(m.voxels), np.nan, np.float32)
    m = replace(m, thickness=nothing, depth_equivolume=nothing, depth_equidistant=nothing)
    nodes = results.add_results(results.new_scene(), m, shell_labels(), {})
    assert np.isnan(voxels(nodes["thickness"].GetImageData())).all()


def test_a_failed_write_keeps_the_old_file(tmp_path):
    path = tmp_path / "scene.mrb"
    path.mkdir()
    (path / "kept").write_text("old")
    with pytest.raises(InputError, match=r"scene\.mrb cannot be written"):
        results.write_scene(shell_measurement(), path, shell_labels(), {})
    assert [p.name for p in tmp_path.rglob("*")] == ["scene.mrb", "kept"]
    with pytest.raises(InputError, match="cannot be written"):
        results.write_scene(shell_measurement(), tmp_path / "no" / "s.mrb", shell_labels(), {})
