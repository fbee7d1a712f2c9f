"""A real line node across a cortex of known thickness measures as it is moved."""

from __future__ import annotations

import gc
from time import perf_counter

import numpy as np
import pytest

from ALSMotorCortexLib.cortex.caliper import measure_caliper

slicer = pytest.importorskip("slicer")
vtk = pytest.importorskip("vtk")

from ALSMotorCortexLib.cortex.grid import Grid, Image  # noqa: E402
from ALSMotorCortexLib.scene.caliper import CaliperLogic  # noqa: E402
from ALSMotorCortexLib.scene.drawn import DRAWN  # noqa: E402
from ALSMotorCortexLib.scene.markups import points_of  # noqa: E402
from ALSMotorCortexLib.scene.volumes import add_volume, read_volume, set_image  # noqa: E402
from drawn_markups import RING, across, add_cortex, put, reopened, under_transform, value  # noqa: E402

THICKNESS = "Cortical thickness"
RATIO = "Signal-hypointensity-to-thickness"
TITLES = (THICKNESS, "Deep hypointensity", RATIO)


@pytest.fixture
def logic(scene):
    logic = CaliperLogic(scene)
    yield logic
    logic.close()


@pytest.fixture
def line(logic, volume):
    line = logic.add(volume)
    put(line, across())
    return line


def between_borders(start, end):
    """The length of a line's part that lies in the cortex, from the ring's geometry."""
    at = np.linspace(start, end, 20001)
    depth = RING.depth(at)
    return np.linalg.norm(end - start) * ((depth > 0) & (depth < RING.thickness)).mean()


def test_the_lines_own_measurements_hold_the_numbers_of_the_core(line, volume):
    found = measure_caliper(read_volume(volume)[0], *across())
    assert value(line) == pytest.approx(found.thickness, rel=1e-12)
    assert value(line) == pytest.approx(RING.thickness, abs=0.15)
    assert value(line, "Deep hypointensity") == pytest.approx(found.deep_hypointensity)
    assert value(line, RATIO) == pytest.approx(found.hypointensity_to_thickness)


def test_measurements_carry_units_and_codes_and_show_in_the_views(line):
    units = {t: line.GetMeasurement(t).GetUnitsCode().GetCodeValue() for t in TITLES}
    assert units == dict(zip(TITLES, ("mm", "1", "/mm"), strict=True))
    assert all(line.GetMeasurement(t).GetQuantityCode().GetCodeMeaning() for t in TITLES)
    assert f"{THICKNESS}: {value(line):.2f} mm" in line.GetPropertiesLabelText()
    assert "length" not in line.GetPropertiesLabelText()


def test_moving_a_point_of_the_line_moves_the_numbers(logic, line, volume):
    calls = []
    logic.on_change = calls.append
    slanted = RING.point(1.5, 5.0, 1.0)
    line.SetNthControlPointPositionWorld(1, slanted)
    assert calls == [line]
    true = between_borders(across()[0], slanted)
    assert true > RING.thickness + 0.2
    assert value(line) == pytest.approx(true, abs=0.1)


def test_borders_are_marked_on_the_line(logic, line):
    found = logic.result(line)
    marks = points_of(logic.nodes(line)["borders"])
    assert marks == pytest.approx(np.array([found.pial_ras, found.white_ras]))
    start, end = across()
    off = np.cross(marks - start, (end - start) / np.linalg.norm(end - start))
    assert np.abs(off).max() < 1e-6
    assert logic.nodes(line)["borders"].GetLocked()


def test_profile_is_drawn_and_updated_in_place(logic, line):
    nodes = logic.nodes(line)
    table = slicer.util.arrayFromTableColumn
    line.SetNthControlPointPositionWorld(1, RING.point(1.02, 4.0, 1.0))
    assert logic.nodes(line) == nodes
    found = logic.result(line)
    assert table(nodes["table"], "position") == pytest.approx(found.positions)
    assert table(nodes["table"], "intensity") == pytest.approx(found.profile)
    uprights = table(nodes["table"], "border_position")
    assert set(uprights[np.isfinite(uprights)]) == {found.pial, found.white}
    assert nodes["chart"].GetNumberOfPlotSeriesNodes() == 2
    assert nodes["chart"].GetNthPlotSeriesNode(0).GetTableNode() is nodes["table"]


@pytest.mark.parametrize(
    ("points", "says"),
    [
        (np.empty((0, 3)), "Place both ends"),
        (across()[:1], "Place both ends"),
        (across() + [100, 0, 0], "outside the volume"),
        (across()[:1] + [[0, 0, 0], [0.2, 0, 0]], "mm long"),
        (np.array([RING.point(a, 1.5, 1.0) for a in (1.0, 1.3)]), "border shows along"),
    ],
)
def test_what_cannot_be_measured_is_said_and_leaves_no_number(logic, line, points, says):
    if len(points) < len(points_of(line)):
        line.RemoveAllControlPoints()
    put(line, points)
    assert says in logic.message(line)
    assert [value(line, title) for title in TITLES] == [None] * 3
    assert len(points_of(logic.nodes(line)["borders"])) == 0
    put(line, across())
    assert value(line) == pytest.approx(RING.thickness, abs=0.15)
    assert logic.message(line).startswith("Cortical thickness 3.")


def test_numbers_are_in_world_space(logic, line, volume):
    """Volume and line under different transforms that bring them together: same numbers."""
    before = value(line)
    transform, matrix = under_transform(volume)
    assert value(line) != before
    line.SetAndObserveTransformNodeID(transform.GetID())
    assert value(line) == pytest.approx(before)
    assert "under the transform" in logic.message(line)
    # Twice the size: the transform itself changes.
    slicer.util.updateTransformMatrixFromArray(transform, np.diag([2.0, 2, 2, 1]) @ matrix)
    assert value(line) == pytest.approx(2 * before, rel=0.05)


def test_a_volume_under_a_bend_is_resampled_once_and_that_is_said(scene, logic, line, volume):
    grid = vtk.vtkThinPlateSplineTransform()
    here, there = vtk.vtkPoints(), vtk.vtkPoints()
    for corner in np.ndindex(2, 2, 2):
        here.InsertNextPoint(np.array(corner) * 34.0)
        there.InsertNextPoint(np.array(corner) * 34.0 + (0.5 * corner[1] * corner[0], 0, 0))
    grid.SetBasisToR()
    grid.SetSourceLandmarks(here)
    grid.SetTargetLandmarks(there)
    node = scene.AddNewNodeByClass("vtkMRMLTransformNode")
    node.SetAndObserveTransformToParent(grid)
    volume.SetAndObserveTransformNodeID(node.GetID())
    assert value(line) == pytest.approx(RING.thickness, abs=0.3)
    assert "non-linear" in logic.message(line)
    image = logic._images[volume.GetID()][0]
    line.SetNthControlPointPositionWorld(1, RING.point(1.01, 5.0, 1.0))
    assert logic._images[volume.GetID()][0] is image


def test_new_voxels_are_measured(logic, line, volume):
    thicker = RING.__class__(thickness=4.0).image(noise=3, slices=3)
    set_image(volume, thicker)
    assert value(line) == pytest.approx(4.0, abs=0.15)


def test_options_change_the_measurement_and_are_kept(logic, line):
    logic.configure(line, width_mm=3.0)
    assert logic.options(line).width_mm == 3.0
    wide = logic.result(line)
    assert not np.array_equal(wide.profile, measure_caliper(logic._image(line)[0], *across()))
    logic.configure(line, pial_end="nowhere")
    assert "pial end" in logic.message(line)
    assert value(line) is None


def test_deleted_volume_is_said_and_another_can_be_chosen(scene, logic, line, volume):
    scene.RemoveNode(volume)
    assert "Choose a volume" in logic.message(line)
    assert value(line) is None
    logic.attach(line, add_cortex(scene))
    assert value(line) == pytest.approx(RING.thickness, abs=0.15)


def test_deleted_result_nodes_come_back_with_the_next_change(scene, logic, line):
    for node in logic.nodes(line).values():
        scene.RemoveNode(node)
    assert logic.nodes(line) == {}
    line.SetNthControlPointPositionWorld(1, RING.point(1.02, 5.0, 1.0))
    assert {"table", "chart", "borders"} <= set(logic.nodes(line))


def test_deleting_the_line_takes_its_nodes_and_nothing_else(scene, logic, line, volume):
    other = logic.add(volume)
    put(other, across(2.0))
    kept = set(logic.nodes(other).values())
    gone = list(logic.nodes(line).values())
    scene.RemoveNode(line)
    assert not any(scene.IsNodePresent(node) for node in gone)
    assert all(scene.IsNodePresent(node) for node in (*kept, other, volume))
    assert logic.attached() == [other]


def test_detach_leaves_a_plain_line(scene, logic, line):
    made = list(logic.nodes(line).values())
    logic.detach(line)
    assert not any(scene.IsNodePresent(node) for node in made)
    assert [line.GetNthMeasurement(n).GetName() for n in range(line.GetNumberOfMeasurements())] == [
        "length"
    ]
    assert line.GetAttribute(DRAWN) is None
    put(line, across(2.0))
    assert logic.attached() == []


def test_everything_lies_in_one_folder(scene, logic, line):
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(scene)
    items = [hierarchy.GetItemByDataNode(n) for n in (line, *logic.nodes(line).values())]
    folders = {hierarchy.GetItemParent(item) for item in items}
    assert [hierarchy.GetItemName(folder) for folder in folders] == [line.GetName()]


def test_saved_scene_is_followed_again(scene, logic, line, tmp_path):
    logic.configure(line, width_mm=1.5)
    names = {r: n.GetName() for r, n in logic.nodes(line).items()}
    fresh = reopened(scene, tmp_path / "saved")
    again = CaliperLogic(fresh)
    assert fresh.Connect(slicer.vtkMRMLMessageCollection())
    (loaded,) = again.attached()
    assert again.options(loaded).width_mm == 1.5
    assert value(loaded) == pytest.approx(value(line), rel=1e-6)
    assert {r: n.GetName() for r, n in again.nodes(loaded).items()} == names
    table = again.nodes(loaded)["table"]
    slanted = RING.point(1.5, 5.0, 1.0)
    loaded.SetNthControlPointPositionWorld(1, slanted)
    assert value(loaded) == pytest.approx(between_borders(across()[0], slanted), abs=0.1)
    assert again.nodes(loaded)["table"] is table
    again.close()


def test_closed_scene_is_forgotten(scene, logic, line):
    scene.Clear(False)
    assert logic.attached() == []
    line = logic.add(add_cortex(scene))
    put(line, across())
    assert value(line) == pytest.approx(RING.thickness, abs=0.15)


def test_a_logic_that_nobody_closed_goes_quietly(scene, volume, capfd):
    """Its scene may outlive it, be closed or go with it."""
    logic = CaliperLogic(scene)
    line = logic.add(volume)
    put(line, across())
    measured = value(line)
    del logic
    gc.collect()
    put(line, across(2.0))
    assert value(line) == measured, "nobody follows it any more"
    scene.Clear(0)
    assert capfd.readouterr().err == ""


def test_a_drag_on_a_large_volume_takes_a_fraction_of_the_goal(scene, logic):
    """The goal is 50 ms; the limit leaves room for slow machines and still tells a fault."""
    shape = (40, 512, 512)
    drawn = RING.image(size=128.0).array.astype(np.float32)
    image = Image(np.broadcast_to(drawn, shape).copy(), Grid.from_spacing(shape, (1, 0.25, 0.25)))
    line = logic.add(add_volume(scene, image, "large"))
    put(line, across())
    start = perf_counter()
    for n in range(10):
        line.SetNthControlPointPositionWorld(1, RING.point(1 + 0.01 * n, 5.0, 1.0))
    assert (perf_counter() - start) / 10 < 0.5
    assert value(line) == pytest.approx(RING.thickness, abs=0.2)
