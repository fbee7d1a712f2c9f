"""The module's logic on real nodes, without the window."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

slicer = pytest.importorskip("slicer")

from ALSMotorCortexLib.cortex.errors import Cancelled, InputError  # noqa: E402
from ALSMotorCortexLib.module_logic import ModuleLogic  # noqa: E402
from ALSMotorCortexLib.scene import chosen  # noqa: E402
from ALSMotorCortexLib.scene.layout import DRAWING, arrange  # noqa: E402
from drawn_markups import RING, across, add_cortex, along, put, reopened, value  # noqa: E402
from drawn_markups import scene_with_markups as empty  # noqa: E402
from drawn_scene import drawn_scene  # noqa: E402
from host.application import load, running  # noqa: E402

FILE = Path(__file__).resolve().parents[2] / "ALSMotorCortex" / "ALSMotorCortex.py"


@pytest.fixture(scope="module")
def module():
    with running():
        yield load(FILE)


@pytest.fixture
def parameters(module):
    """Makes a parameter node in a scene."""

    def make(scene):
        return module.ALSMotorCortexParameterNode(
            scene.AddNewNodeByClass("vtkMRMLScriptedModuleNode")
        )

    return make


@pytest.fixture
def measured(parameters):
    scene, _, _ = drawn_scene()
    p = parameters(scene)
    chosen.fill_in(scene, p)
    logic = ModuleLogic(scene)
    yield scene, p, logic
    logic.close()


def test_what_is_chosen_by_itself_is_measured(measured):
    _, p, logic = measured
    assert chosen.reason(p) == ""
    nodes = logic.measure(p)
    assert "3.0" in logic.summary(nodes) and logic.report_reason(nodes) == ""
    assert [n["measures"] for _, n in logic.results()] == [nodes["measures"]]
    assert logic.measure(p)["measures"] is nodes["measures"], "a second run updates"


def test_within_slices_the_corrected_thickness_is_told_too(measured):
    _, p, logic = measured
    p.plane = next(plane for plane in type(p.plane) if plane.value == "axial")
    nodes = logic.measure(p)
    table = nodes["measures"].GetTable()
    corrected = table.GetColumnByName("thickness_corrected_mean").GetValue(0)
    assert np.isfinite(corrected) and "angle" in nodes
    assert f"allowed for {corrected:.2f} mm" in logic.summary(nodes)
    table.GetColumnByName("thickness_mean").SetValue(0, np.nan)
    assert "nan" not in logic.summary(nodes)
    p.plane = type(p.plane)("none")
    assert "allowed for" not in logic.summary(logic.measure(p))


def test_a_cancelled_run_leaves_the_scene_as_it_was(measured):
    scene, p, logic = measured
    before = scene.GetNumberOfNodes()
    run = logic.start_run(p)
    run.cancel()
    with pytest.raises(Cancelled):
        logic.publish(p, run)
    assert scene.GetNumberOfNodes() == before and logic.results() == []


def test_what_is_missing_is_said_and_not_measured(measured):
    _, p, logic = measured
    p.segmentation = None
    assert "segmentation" in chosen.reason(p)
    with pytest.raises(InputError, match="segmentation"):
        logic.start_run(p)
    assert logic.report_reason({}) != ""


def test_a_reopened_scene_is_followed_and_reported_at_once(measured, tmp_path):
    scene, p, logic = measured
    nodes = logic.measure(p)
    logic.save_report(nodes, str(tmp_path / "before.html"), {})
    fresh = reopened(scene, tmp_path / "saved")
    fresh.Import()
    other = ModuleLogic(fresh)
    ((_, again),) = other.results()
    other.save_report(again, str(tmp_path / "after.html"), {})
    texts = [(tmp_path / f"{n}.html").read_text(encoding="utf-8") for n in ("before", "after")]
    assert texts[0] == texts[1]
    other.close()


def test_markups_of_an_open_scene_are_followed_from_the_start():
    scene = empty()
    first = ModuleLogic(scene)
    volume = add_cortex(scene)
    line = first.calipers.add(volume)
    put(line, across())
    first.close()
    second = ModuleLogic(scene)
    assert second.calipers.attached() == [line]
    second.close()


def test_a_line_or_curve_that_is_chosen_becomes_a_caliper_or_trace(parameters):
    scene = empty()
    logic = ModuleLogic(scene)
    volume = add_cortex(scene)
    line = scene.AddNewNodeByClass("vtkMRMLMarkupsLineNode", "from a file")
    put(line, across())
    curve = scene.AddNewNodeByClass("vtkMRMLMarkupsCurveNode", "from a file")
    put(curve, along())
    logic.choose_drawn(line, None)
    assert line not in logic.calipers.attached(), "there is no image yet"
    for node in (line, curve):
        logic.choose_drawn(node, volume)
        assert value(node) == pytest.approx(RING.thickness, abs=0.15)
    assert curve not in logic.own_curves() and len(logic.own_curves()) == 4
    assert logic.show_drawn(line) is False, "the views are not arranged to draw in"
    arrange(scene, DRAWING)
    assert logic.show_drawn(line) is True
    p = parameters(scene)
    p.image = volume
    assert logic.ribbon_reason(p) == ""
    logic.make_ribbon(p)
    assert sorted(dict(p.roles).values()) == ["csf", "gray", "white"] and chosen.reason(p) == ""
    logic.close()
