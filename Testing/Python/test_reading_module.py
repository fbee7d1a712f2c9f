"""The second module's file on the host: its self-test, its keys, and its panel."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

import pytest

slicer = pytest.importorskip("slicer")

from ALSMotorCortexLib.study.readings import HEMISPHERES, ITEMS  # noqa: E402
from host import panel  # noqa: E402
from host.application import load, running  # noqa: E402
from selftest import failures_of, names_of  # noqa: E402

MODULE = Path(__file__).resolve().parents[2] / "ALSMotorCortex"
FILE = MODULE / "ALSMotorCortexReading.py"
SOURCE = panel.Source.of(FILE)

# Keys of Slicer's slice and 3D views (vtkMRMLSliceIntersectionWidget, vtkMRMLCameraWidget).
OF_SLICER = set("BFGRTV[]{}")


@pytest.fixture(scope="module")
def module() -> ModuleType:
    with running():
        yield load(FILE)


@pytest.fixture(scope="module")
def own_panel() -> panel.Panel:
    return panel.of_module(MODULE, FILE.stem)


def test_the_module_describes_itself(module: ModuleType) -> None:
    instance = slicer.modules.ALSMotorCortexReadingInstance
    assert instance.parent.title == "ALS Motor Cortex Reading"
    assert instance.parent.categories == ["Quantification"]
    assert "README" in instance.parent.helpText
    for end in ("svg", "png"):
        assert Path(instance.resourcePath(f"Icons/{FILE.stem}.{end}")).is_file()


@pytest.mark.parametrize("name", names_of(FILE))
def test_self_test(name: str, module: ModuleType) -> None:
    """The same methods run in Slicer, by Testing/slicer_selftest.py."""
    assert failures_of(module, name) == []


def test_each_answer_has_a_key_of_its_own_that_slicers_views_leave_free(
    module: ModuleType,
) -> None:
    assert set(module.KEYS) == {(item, a) for item, answers in ITEMS.items() for a in answers}
    keys = [*module.KEYS.values(), *module.ACTIONS.values()]
    assert len(set(keys)) == len(keys) and not set(keys) & OF_SLICER
    assert all(len(key) == 1 and key.upper() == key for key in keys)


def test_each_answer_has_a_button_that_tells_its_key(
    module: ModuleType, own_panel: panel.Panel
) -> None:
    for side in HEMISPHERES:
        for (item, answer), key in module.KEYS.items():
            button = own_panel.widgets[module.buttonName(side, item, answer)]
            assert button.kind == "QPushButton" and button.properties["checkable"] == "true"
            tip = button.properties["toolTip"]
            assert f"(key {key})" in tip and f"the {side} hemisphere" in tip
    for name, key in module.ACTIONS.items():
        if name in ("undo", "previous", "next"):
            assert f"({key})" in own_panel.widgets[f"{name}Button"].properties["text"]


@pytest.mark.parametrize(
    "check",
    [panel.find_wrong_classes, panel.find_wrong_connections, panel.find_missing_tool_tips],
)
def test_the_panel_is_sound(check, own_panel: panel.Panel) -> None:
    assert len(own_panel.widgets) > 60
    assert list(check(own_panel)) == []


def test_the_panel_fits_the_parameter_node_and_the_source(
    module: ModuleType, own_panel: panel.Panel
) -> None:
    parameters = module.ALSMotorCortexReadingParameterNode
    assert list(panel.find_wrong_parameters(own_panel, parameters)) == []
    named = [w for w in own_panel.widgets.values() if panel.PARAMETER in w.dynamic]
    assert {w.dynamic[panel.PARAMETER] for w in named} == set(parameters.allParameters)
    assert list(panel.find_wrong_uses(SOURCE, own_panel)) == []
    assert panel.unread_widgets(SOURCE) == []


def test_the_source_names_only_what_slicer_has_and_its_texts_are_translated() -> None:
    assert list(panel.find_unknown_names(SOURCE, slicer)) == []
    assert list(panel.find_wrong_uses_of_made_objects(SOURCE)) == []
    assert list(panel.find_untranslated_texts(SOURCE)) == []
