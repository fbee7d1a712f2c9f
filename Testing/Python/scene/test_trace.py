"""A real curve node along a cortex of known thickness, its borders, and its ribbon."""

from __future__ import annotations

from time import perf_counter

import numpy as np
import pytest

from ALSMotorCortexLib.cortex.drawn import TraceOptions, trace
from ALSMotorCortexLib.cortex.errors import InputError
from ALSMotorCortexLib.cortex.grid import Grid, Image
from ALSMotorCortexLib.cortex.measure import measure
from ALSMotorCortexLib.cortex.settings import Settings

slicer = pytest.importorskip("slicer")
vtk = pytest.importorskip("vtk")

from ALSMotorCortexLib.scene.markups import points_of  # noqa: E402
from ALSMotorCortexLib.scene.segmentations import read_labels  # noqa: E402
from ALSMotorCortexLib.scene.trace import TraceLogic  # noqa: E402
from ALSMotorCortexLib.scene.volumes import add_volume, read_volume  # noqa: E402
from drawn_markups import RING, along, put, reopened, under_transform, value  # noqa: E402

THICKNESS = "Cortical thickness"


@pytest.fixture
def logic(scene):
    logic = TraceLogic(scene)
    yield logic
    logic.close()


@pytest.fixture
def curve(logic, volume):
    curve = logic.add(volume)
    put(curve, along())
    return curve


def outwards(point, by):
    """A point moved by some mm away from the ring's centre."""
    off = point[:2] - np.array(RING.centre)
    return point + np.append(off / np.linalg.norm(off) * by, 0)


def test_the_curves_own_measurements_hold_the_numbers_of_the_core(curve, volume):
    found = trace(read_volume(volume)[0], along(), TraceOptions())
    assert value(curve) == pytest.approx(found.mean_thickness, rel=1e-12)
    assert value(curve) == pytest.approx(RING.thickness, abs=0.05)
    assert value(curve, "Deep hypointensity") == pytest.approx(found.deep_hypointensity)
    assert f"{THICKNESS}: {value(curve):.2f} mm" in curve.GetPropertiesLabelText()


def test_borders_are_curves_on_the_true_borders(logic, curve):
    nodes = logic.nodes(curve)
    for border, depth in (("pial", 0.0), ("white", RING.thickness)):
        drawn = slicer.util.arrayFromMarkupsCurvePoints(nodes[border], world=True)
        assert np.abs(RING.depth(drawn) - depth).max() < 0.2
        assert not nodes[border].GetLocked()


# Along right and up in Slicer's views of each plane, in RAS.
ON_SCREEN = {
    "axial": ((-1, 0, 0), (0, 1, 0)),
    "coronal": ((-1, 0, 0), (0, 0, 1)),
    "sagittal": ((0, -1, 0), (0, 0, 1)),
}


@pytest.mark.parametrize("plane", ON_SCREEN)
def test_left_and_right_are_those_of_the_slice_view(scene, logic, plane):
    """The side that the view shows CSF on is the one that the options take."""
    right, up = (np.array(axis, float) for axis in ON_SCREEN[plane])
    turn = np.stack([right, up, np.cross(right, up)], axis=1)  # the ring's plane onto the view's
    image = RING.image(noise=3.0, slices=3)
    matrix = np.eye(4)
    matrix[:3, :3] = turn
    turned = Image(image.array, Grid(image.grid.shape, matrix @ image.grid.ijk_to_ras))
    curve = logic.add(add_volume(scene, turned, plane))
    put(curve, along() @ turn.T)
    # The points run counter-clockwise around the white matter, so CSF lies to their right.
    side = "right"
    logic.configure(curve, pial_side=logic.as_seen(curve, side))
    assert logic.as_seen(curve, logic.options(curve).pial_side) == side
    assert value(curve) == pytest.approx(RING.thickness, abs=0.05)
    pial = points_of(logic.nodes(curve)["pial"]) @ turn
    assert np.abs(RING.depth(pial)).max() < 0.3


def test_profile_and_thickness_are_drawn_and_updated_in_place(logic, curve):
    nodes = logic.nodes(curve)
    column = slicer.util.arrayFromTableColumn
    moved = along()
    moved[5] = outwards(moved[5], 0.3)
    put(curve, moved)
    assert logic.nodes(curve) == nodes
    found = logic.result(curve)
    assert column(nodes["table"], "mean") == pytest.approx(found.profile)
    assert column(nodes["thickness_table"], "thickness") == pytest.approx(found.thickness)
    assert nodes["chart"].GetNthPlotSeriesNode(0).GetTableNode() is nodes["table"]
    assert nodes["thickness_chart"].GetNumberOfPlotSeriesNodes() == 1


def test_straightened_cortex_has_csf_on_top_and_true_spacing(logic, curve):
    found = logic.result(curve)
    image, _ = read_volume(logic.nodes(curve)["straightened"])
    assert image.array[0] == pytest.approx(found.straightened.T.astype(np.float32), nan_ok=True)
    top = image.grid.kji(np.array([[0.0, found.depths[-1], 0.0]]))[0, 1]
    assert image.grid.ras(np.array([[0, 0, 0]]))[0, 1] > image.grid.ras(np.array([[0, 9, 0]]))[0, 1]
    assert top < len(found.depths)
    assert image.grid.spacing[2] == pytest.approx(found.positions[1], rel=1e-3)
    assert image.array[0, 0].mean() > image.array[0, -1].mean(), "CSF is bright, and on top"


def test_borders_lie_on_the_straightened_cortex_and_show_in_its_view_only(logic, curve):
    nodes, found = logic.nodes(curve), logic.result(curve)
    image, _ = read_volume(nodes["straightened"])
    for role, depth in (("straight_pial", found.pial_depth), ("straight_white", found.white_depth)):
        kji = image.grid.kji(points_of(nodes[role]))
        columns = np.rint(kji[:, 2]).astype(int)
        rows = np.interp(depth[columns], found.depths, np.arange(len(found.depths)))
        assert kji[:, 1] == pytest.approx(rows, abs=0.05)
        assert kji[:, 0] == pytest.approx(0, abs=1e-6)
        display = nodes[role].GetDisplayNode()
        assert display.IsDisplayableInView("vtkMRMLSliceNodeStraight")
        assert not display.IsDisplayableInView("vtkMRMLSliceNodeRed")


def test_a_dragged_border_stays_where_it_was_put_and_the_numbers_follow(logic, curve):
    white = logic.nodes(curve)["white"]
    before, places = value(curve), points_of(white)
    target = outwards(places[7], -0.6)
    white.SetNthControlPointPositionWorld(7, target)
    (pin,) = logic.options(curve).pins
    assert (pin.border, pin.ras) == ("white", pytest.approx(tuple(target)))
    assert points_of(white)[7] == pytest.approx(target)
    assert value(curve) > before
    nearest = np.linalg.norm(logic.result(curve).white - target, axis=1).min()
    assert nearest < 0.1
    far = np.linalg.norm(points_of(white) - places, axis=1)
    assert far[[0, -1]].max() < 0.05, "only the surroundings follow"
    chosen = [white.GetNthControlPointSelected(n) for n in range(len(places))]
    assert [n for n, selected in enumerate(chosen) if selected] == [7]


def test_a_drag_in_many_steps_leaves_one_pin_at_its_end(logic, curve):
    pial = logic.nodes(curve)["pial"]
    start = points_of(pial)[4]
    for by in np.linspace(0.05, 0.5, 10):
        pial.SetNthControlPointPositionWorld(4, outwards(start, by))
    (pin,) = logic.options(curve).pins
    assert pin.ras == pytest.approx(tuple(outwards(start, 0.5)))


def test_moving_the_trace_keeps_pins_and_deleting_the_point_lets_go(logic, curve):
    white = logic.nodes(curve)["white"]
    before = value(curve)
    target = outwards(points_of(white)[7], -0.6)
    white.SetNthControlPointPositionWorld(7, target)
    longer = np.vstack([along(), [RING.point(5.8, 1.5, 1.0)]])
    put(curve, longer)
    places = points_of(white)
    pinned = int(np.argmin(np.linalg.norm(places - target, axis=1)))
    assert places[pinned] == pytest.approx(target)
    put(curve, along())
    places = points_of(white)
    white.RemoveNthControlPoint(int(np.argmin(np.linalg.norm(places - target, axis=1))))
    assert logic.options(curve).pins == ()
    assert len(points_of(white)) == len(places)
    assert value(curve) == pytest.approx(before)


def test_release_lets_both_borders_go(logic, curve):
    before = value(curve)
    for role in ("pial", "white"):
        node = logic.nodes(curve)[role]
        node.SetNthControlPointPositionWorld(5, outwards(points_of(node)[5], 0.4))
    assert len(logic.options(curve).pins) == 2
    logic.release_pins(curve)
    assert value(curve) == pytest.approx(before)
    node = logic.nodes(curve)["pial"]
    node.SetNthControlPointPositionWorld(3, outwards(points_of(node)[3], 0.4))
    assert len(logic.options(curve).pins) == 1


@pytest.mark.parametrize(
    ("points", "says"),
    [
        (along()[:2], "has 2 points"),
        (np.vstack([along()[:6], along()[:4][::-1] + [0.7, 1, 0]]), "crosses itself"),
        (along() + [100, 0, 0], "leaves the volume"),
        (along() + np.linspace(0, 2, 14)[:, None] ** 3 * [0, 0, 1], "single slice"),
    ],
)
def test_what_cannot_be_traced_is_said_and_nothing_is_lost(scene, logic, curve, points, says):
    nodes = logic.nodes(curve)
    put(curve, points)
    assert says in logic.message(curve)
    assert value(curve) is None
    assert not nodes["pial"].GetDisplayVisibility()
    assert all(scene.IsNodePresent(node) for node in nodes.values())
    assert len(points_of(curve)) == len(points)
    put(curve, along())
    assert value(curve) == pytest.approx(RING.thickness, abs=0.05)
    assert nodes["pial"].GetDisplayVisibility()


def test_numbers_and_pins_are_in_world_space(logic, curve, volume):
    white = logic.nodes(curve)["white"]
    white.SetNthControlPointPositionWorld(7, outwards(points_of(white)[7], -0.6))
    before, pin = value(curve), points_of(white)[7]
    transform, matrix = under_transform(volume)
    curve.SetAndObserveTransformNodeID(transform.GetID())
    assert value(curve) == pytest.approx(before, abs=1e-3)
    where = (matrix @ np.append(pin, 1))[:3]
    assert np.linalg.norm(points_of(white) - where, axis=1).min() < 1e-6


def test_borders_drawn_by_hand_are_measured(scene, logic, volume):
    angles = np.linspace(0.4, 4.0, 25)
    pial, white = (scene.AddNewNodeByClass("vtkMRMLMarkupsCurveNode") for _ in range(2))
    put(pial, [RING.point(a, 0.0, 1.0) for a in angles])
    pair = logic.attach_borders(pial, white, volume)
    assert "white-matter border has 0 points" in logic.message(pair)
    put(white, [RING.point(a, RING.thickness, 1.0) for a in angles])
    assert value(pair) == pytest.approx(RING.thickness, abs=0.02)
    put(white, [RING.point(a, RING.thickness - 0.5, 1.0) for a in angles])
    assert value(pair) == pytest.approx(RING.thickness - 0.5, abs=0.02)
    scene.RemoveNode(white)
    assert "white-matter border has 0 points" in logic.message(pair)


def test_one_curve_is_not_both_borders(logic, curve, volume):
    with pytest.raises(InputError, match="two curves"):
        logic.attach_borders(curve, curve, volume)


def test_the_straightened_cortex_shows_the_borders_of_one_trace(logic, curve, volume):
    other = logic.add(volume)
    put(other, along())
    logic.show_straight_borders(other)
    shown = {
        (node is other, role): logic.nodes(node)[role].GetDisplayNode().GetVisibility()
        for node in (curve, other)
        for role in ("straight_pial", "straight_white")
    }
    assert all(bool(visible) is of_other for (of_other, _), visible in shown.items())


def test_traces_of_several_slices_become_one_ribbon_that_measures(scene, logic, volume):
    curves = []
    for height in (0.0, 1.0, 2.0):
        curves.append(logic.add(volume))
        put(curves[-1], along(height))
    node = scene.AddNewNodeByClass("vtkMRMLSegmentationNode", "mine")
    own = node.GetSegmentation().AddEmptySegment("", "kept")
    ids = logic.make_ribbon(curves, node)
    names = [node.GetSegmentation().GetSegment(i).GetName() for i in ids]
    assert names == ["Gray matter", "White matter", "CSF"]
    assert node.GetSegmentation().GetSegment(own) is not None
    labels, _ = read_labels(node, dict(zip(ids, (3, 2, 1), strict=True)))
    assert labels.grid.shape[0] == 3
    image, _ = read_volume(volume)
    found = measure(labels, Settings(gm=(3,), wm=(2,), csf=(1,)), {"T2star": image})
    assert found.value("thickness_mean") == pytest.approx(RING.thickness, abs=0.05)
    # Made again after a change: the same segments, new voxels.
    put(curves[0], along(0.0)[:9])
    assert logic.make_ribbon(curves[:1], node) == ids
    assert node.GetSegmentation().GetNumberOfSegments() == 4
    smaller, _ = read_labels(node, dict(zip(ids, (3, 2, 1), strict=True)))
    assert (smaller.array == 3).sum() < (labels.array == 3).sum() / 3


def test_a_ribbon_of_a_bad_trace_is_refused_by_name(logic, curve):
    put(curve, along() + [100, 0, 0])
    with pytest.raises(InputError, match=f"{curve.GetName()}: .*leaves the volume"):
        logic.make_ribbon([curve])
    with pytest.raises(InputError, match="no trace"):
        logic.make_ribbon([])


def test_deleted_border_comes_back(scene, logic, curve):
    scene.RemoveNode(logic.nodes(curve)["white"])
    moved = along()
    moved[5] = outwards(moved[5], 0.1)
    put(curve, moved)
    white = logic.nodes(curve)["white"]
    white.SetNthControlPointPositionWorld(3, outwards(points_of(white)[3], 0.3))
    assert len(logic.options(curve).pins) == 1


def test_saved_scene_is_followed_again_with_its_pins(scene, logic, curve, tmp_path):
    white = logic.nodes(curve)["white"]
    target = outwards(points_of(white)[7], -0.6)
    white.SetNthControlPointPositionWorld(7, target)
    fresh = reopened(scene, tmp_path / "saved")
    again = TraceLogic(fresh)
    assert fresh.Connect(slicer.vtkMRMLMessageCollection())
    (loaded,) = again.attached()
    assert value(loaded) == pytest.approx(value(curve), rel=1e-6)
    assert again.options(loaded) == logic.options(curve)
    assert set(again.nodes(loaded)) == set(logic.nodes(curve))
    white = again.nodes(loaded)["white"]
    before = value(loaded)
    white.SetNthControlPointPositionWorld(3, outwards(points_of(white)[3], -0.5))
    assert len(again.options(loaded).pins) == 2
    assert value(loaded) > before
    again.close()


def test_everything_lies_in_one_folder_and_goes_with_the_curve(scene, logic, curve):
    made = list(logic.nodes(curve).values())
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(scene)
    folders = {
        hierarchy.GetItemParent(hierarchy.GetItemByDataNode(node)) for node in (curve, *made)
    }
    assert [hierarchy.GetItemName(folder) for folder in folders] == [curve.GetName()]
    scene.RemoveNode(curve)
    assert not any(scene.IsNodePresent(node) for node in made)
    assert hierarchy.GetItemChildWithName(hierarchy.GetSceneItemID(), "Trace") == 0


def test_a_change_of_a_60_mm_curve_takes_a_fraction_of_a_second(scene, logic):
    """The goal is 100 ms; the limit leaves room for slow machines and still tells a fault."""
    ring = RING.__class__(radius=12.0, centre=(20.0, 20.0))
    shape = (5, 160, 160)
    drawn = ring.image(size=40.0).array.astype(np.float32)
    image = Image(np.broadcast_to(drawn, shape).copy(), Grid.from_spacing(shape, (1, 0.25, 0.25)))
    curve = logic.add(add_volume(scene, image, "ring"))
    put(curve, ring.curve(angles=(0.2, 5.85)) + [0, 0, 2])
    assert logic.result(curve).positions[-1] > 58
    white = logic.nodes(curve)["white"]
    start, place = perf_counter(), points_of(white)[6]
    for n in range(5):
        white.SetNthControlPointPositionWorld(6, place + [0.02 * n, 0, 0])
    assert (perf_counter() - start) / 5 < 1.0
