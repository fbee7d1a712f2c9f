"""The host (Testing/host): as Slicer where it stands in for Slicer, and no more lenient."""

from __future__ import annotations

import importlib
import inspect
import sys
from dataclasses import is_dataclass
from pathlib import Path
from typing import Any

import pytest

slicer = pytest.importorskip("slicer")

from host import application, checks, parameters, sample_data, scripted, strict, translation  # noqa: E402
from host.application import load, running  # noqa: E402

STANDS_IN = {
    "slicer.i18n": translation,
    "slicer.ScriptedLoadableModule": scripted,
    "slicer.parameterNodeWrapper": parameters,
    "SampleData": sample_data,
}
NEW = ["qt", "ctk", "SampleData", "slicer.i18n", "slicer.modules", "slicer.parameterNodeWrapper"]


@pytest.fixture(scope="module")
def app():
    with running() as started:
        yield started


@pytest.fixture(autouse=True)
def _empty_scene(request) -> None:
    if "app" in request.fixturenames:
        slicer.mrmlScene.Clear(0)


# --- the same signatures -------------------------------------------------------------------


def spelled(function: Any) -> list[str]:
    """A function's parameters as record.py writes them."""
    marks = {inspect.Parameter.VAR_POSITIONAL: "*", inspect.Parameter.VAR_KEYWORD: "**"}
    spelling = []
    for p in inspect.signature(function).parameters.values():
        if p.kind is p.KEYWORD_ONLY and not any(s.startswith("*") for s in spelling):
            spelling.append("*")
        optional = "=" if p.default is not p.empty else ""
        spelling.append(marks.get(p.kind, "") + p.name + optional)
    return spelling


@pytest.mark.parametrize("name", STANDS_IN)
def test_public_names_have_slicers_parameters(name: str) -> None:
    facts, module = strict.recorded("signatures")[name], STANDS_IN[name]
    for public in module.__all__:
        thing = getattr(module, public)
        if inspect.isclass(thing):
            assert public in facts["classes"], public
            methods = [] if is_dataclass(thing) else inspect.getmembers(thing, inspect.isfunction)
            for method, function in methods:
                if method == "__init__" or method[0] != "_":
                    expected = facts["classes"][public]["methods"].get(method)
                    inherited = method not in vars(thing)
                    assert inherited or expected is not None, f"Slicer has no {public}.{method}"
                    assert inherited or spelled(function) == expected, f"{public}.{method}"
        elif callable(thing):
            assert spelled(thing) == facts["functions"][public], public
        else:
            assert public in facts["names"]


def test_the_base_classes_have_all_of_slicers_methods() -> None:
    facts = strict.recorded("signatures")["slicer.ScriptedLoadableModule"]
    assert set(scripted.__all__) == set(facts["all"])
    for name, entry in facts["classes"].items():
        assert set(entry["methods"]) <= set(dir(getattr(scripted, name))), name


@pytest.mark.parametrize(
    "kind", [application.Application, application.Files, scripted.ModuleParent]
)
def test_objects_have_only_names_that_slicer_has(kind: type[strict.StrictObject]) -> None:
    ours = {n for n in vars(kind) if n[0] != "_"} - {"kind", "connect", "emit"}
    assert ours <= strict.attributes(kind.kind)


# --- the same behaviour --------------------------------------------------------------------


@pytest.mark.parametrize("name", checks.all_checks())
def test_the_host_does_what_slicer_does(name: str, app, tmp_path: Path) -> None:
    """The same checks run in Slicer itself, by Testing/slicer_selftest.py."""
    check = checks.all_checks()[name]
    check(str(tmp_path)) if "folder" in check.__annotations__ else check()


# --- no more lenient -----------------------------------------------------------------------


@pytest.mark.parametrize(
    "statement",
    [
        "from slicer.i18n import gettext",
        "from slicer.parameterNodeWrapper import WithinRanges",
        "from slicer.ScriptedLoadableModule import ScriptedLoadableModuleTests",
        "from qt import QTimmer",
        "import qt; qt.QMessageBox.Okay",
        "import ctk; ctk.ctkCollapsableButton",
        "import slicer; slicer.app.layoutManger()",
        "import slicer; slicer.modules.markup",
        "import slicer; slicer.app.noSuchSetting",
        # In Slicer, but only with a window; better refused than waved through.
        "import qt; qt.QTimer()",
        "import qt; qt.QTimer.singleShot(0, print)",
        "import slicer; slicer.app.settings()",
        "from slicer.parameterNodeWrapper import parameterPack",
        "from slicer.ScriptedLoadableModule import *; ScriptedLoadableModuleWidget()",
        "import slicer; slicer.app.connect('startUpCompleted()', print)",
        "import slicer; slicer.app.connect('startupCompleted()', 'print')",
    ],
)
def test_what_slicer_or_the_host_has_not_is_refused(statement: str, app) -> None:
    with pytest.raises((ImportError, AttributeError, NotImplementedError, ValueError, TypeError)):
        exec(statement, {})


@pytest.mark.parametrize(
    "statement",
    [
        "from slicer.ScriptedLoadableModule import *; ScriptedLoadableModuleLogic()",
        "import qt; qt.QMessageBox.Ok | qt.QMessageBox.Cancel",
        "import ctk; ctk.ctkCollapsibleButton",
        "import slicer; slicer.util.errorDisplay('as in testing mode')",
        "import slicer; assert slicer.util.mainWindow() is None",
        "import slicer; assert slicer.util.confirmYesNoDisplay('as in testing mode') is True or 1",
        "import slicer\nwith slicer.util.WaitCursor():\n    slicer.app.processEvents()",
        "import slicer; assert slicer.modules.markups.logic().GetMRMLScene() is slicer.mrmlScene",
    ],
)
def test_what_slicer_has_without_a_window_works(statement: str, app) -> None:
    exec(statement, {})


def test_a_misspelt_field_is_refused(app) -> None:
    """Slicer keeps it as an ordinary attribute, and forgets it with the scene."""
    with pytest.raises(AttributeError):
        checks.new_parameters().laiers = 4


@pytest.mark.parametrize(
    ("name", "value"),
    [("title", None), ("categories", "Quantification"), ("contributors", [1]), ("titel", "x")],
)
def test_a_module_describes_itself_in_slicers_terms(name: str, value: object, app) -> None:
    parent = scripted.ModuleParent("/nowhere/Module.py")
    with pytest.raises((TypeError, AttributeError)):
        setattr(parent, name, value)


MODULE = """
import qt
import slicer
from slicer.i18n import tr as _
from slicer.ScriptedLoadableModule import *

class Tiny(ScriptedLoadableModule):
    def __init__(self, parent):
        ScriptedLoadableModule.__init__(self, parent)
        self.parent.title = _("Tiny")
        slicer.app.connect("startupCompleted()", lambda: STARTED.append(1))

class TinyWidget(ScriptedLoadableModuleWidget):
    def setup(self):
        qt.QPushButton()

class TinyTest(ScriptedLoadableModuleTest):
    def test_one(self):
        STARTED.append(2)

STARTED = []
"""


def test_a_module_file_is_loaded_and_tested_as_in_slicer(tmp_path: Path) -> None:
    (tmp_path / "Tiny.py").write_text(MODULE, encoding="utf-8")
    with running():
        module = load(tmp_path / "Tiny.py")
        assert module.STARTED == [1]
        assert slicer.modules.TinyInstance.resourcePath("UI") == str(tmp_path / "Resources" / "UI")
        assert slicer.util.modulePath("Tiny") == str(tmp_path / "Tiny.py")
        slicer.selfTests["Tiny"](msec=0)
        assert module.STARTED == [1, 2]
        assert module.TinyTest().moduleTestNames == ["test_one"]


def test_the_host_leaves_nothing_behind(tmp_path: Path) -> None:
    (tmp_path / "Tiny.py").write_text(MODULE, encoding="utf-8")
    names, modules = set(vars(slicer)), {n: sys.modules.get(n) for n in NEW}
    with running():
        load(tmp_path / "Tiny.py")
        assert importlib.import_module("qt") and slicer.app
    assert set(vars(slicer)) == names
    assert {n: sys.modules.get(n) for n in NEW} == modules
    assert "Tiny" not in sys.modules
