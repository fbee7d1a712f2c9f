"""The panel against Slicer's own classes: the .ui files, and what the source does with them.

The checks themselves (Testing/host/panel.py) are tested first, on small panels with one fault each.
"""

from __future__ import annotations

import enum
import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Annotated

import pytest

slicer = pytest.importorskip("slicer")

from host import panel  # noqa: E402
from host.application import load, running  # noqa: E402

MODULE = Path(__file__).resolve().parents[2] / "ALSMotorCortex"
MODULE_FILE = MODULE / "ALSMotorCortex.py"
LIBRARY = MODULE / "ALSMotorCortexLib"
PANELS = panel.panels(MODULE)
CODE = panel.sources(MODULE)
# What names qt, ctk or slicer.
SOURCES = [
    file
    for file in (MODULE_FILE, *sorted(LIBRARY.rglob("*.py")))
    if re.search(r"\b(qt|ctk|slicer)\b", file.read_text(encoding="utf-8"))
]
# The key that Sample Data files the case under; it is also the module's title, which is translated.
NAMES = {"ALS Motor Cortex"}


# --- small panels, one fault each ----------------------------------------------------------


def a_panel(*widgets: str, connections: str = "") -> panel.Panel:
    return panel.read_panel(
        '<ui version="4.0"><class>M</class><widget class="qMRMLWidget" name="M">'
        f'<layout class="QFormLayout" name="all">{"".join(widgets)}</layout></widget>'
        f"<connections>{connections}</connections></ui>"
    )


def widget(kind: str, name: str, **properties: str) -> str:
    made = "".join(f'<property name="{k}"><string>{v}</string></property>'
                   for k, v in properties.items() if k != "field")  # fmt: skip
    if "field" in properties:
        made += (
            '<property name="SlicerParameterName" stdset="0"><string notr="true">'
            f"{properties['field']}</string></property>"
        )
    return f'<item><widget class="{kind}" name="{name}">{made}</widget></item>'


def scene_to(name: str, signal: str = "mrmlSceneChanged(vtkMRMLScene*)") -> str:
    return (
        f"<connection><sender>M</sender><signal>{signal}</signal><receiver>{name}</receiver>"
        "<slot>setMRMLScene(vtkMRMLScene*)</slot></connection>"
    )


def test_a_sound_panel_has_no_faults() -> None:
    sound = a_panel(
        widget("QPushButton", "go", text="Go", toolTip="Goes"),
        widget("qMRMLNodeComboBox", "image", toolTip="Image", noneEnabled="true"),
        connections=scene_to("image"),
    )
    checks = (
        panel.find_wrong_classes,
        panel.find_wrong_connections,
        panel.find_missing_tool_tips,
    )
    assert [fault for check in checks for fault in check(sound)] == []


def test_unknown_classes_properties_and_repeated_names_are_found() -> None:
    faulty = a_panel(
        widget("QPushBotton", "a"), widget("QLabel", "b", txt="x"), widget("QLabel", "b")
    )
    faults = list(panel.find_wrong_classes(faulty))
    assert len(faults) == 2 and "two objects" in faults[0] and "QPushBotton" in faults[1]
    assert "no property txt" in next(
        panel.find_wrong_classes(a_panel(widget("QLabel", "b", txt="x")))
    )


def test_wrong_connections_are_found() -> None:
    image = widget("qMRMLNodeComboBox", "image")
    assert "never given the scene" in next(panel.find_wrong_connections(a_panel(image)))
    wrong = a_panel(image, connections=scene_to("image", "sceneChanged(vtkMRMLScene*)"))
    assert "no signal sceneChanged" in next(panel.find_wrong_connections(wrong))
    wrong = a_panel(image, connections=scene_to("image") + scene_to("nothing"))
    assert list(panel.find_wrong_connections(wrong)) == [
        "a connection names nothing, which is not in the file"
    ]


def test_controls_without_tool_tips_are_found() -> None:
    faulty = a_panel(widget("ctkDoubleSpinBox", "a"), widget("QLabel", "b"))
    assert [f.split(":")[0] for f in panel.find_missing_tool_tips(faulty)] == ["a"]


class Plane(enum.Enum):
    AXIAL = 1


class FakeParameters:
    """As a wrapper class tells of its fields."""

    allParameters = {  # noqa: N815
        "flag": bool,
        "name": str,
        "count": Annotated[int, "not a range"],
        "image": slicer.vtkMRMLScalarVolumeNode,
        "either": slicer.vtkMRMLModelNode | None,
        "plane": Plane,
    }

    @classmethod
    def dataType(cls, name: str) -> object:  # noqa: N802
        return cls.allParameters[name]


@pytest.mark.parametrize(
    ("kind", "field", "fault"),
    [
        ("QCheckBox", "flag", ""),
        ("QLineEdit", "name", ""),
        ("QSpinBox", "count", ""),
        ("QComboBox", "plane", ""),
        ("qMRMLNodeComboBox", "image", ""),
        ("qMRMLNodeComboBox", "either", ""),
        ("QCheckBox", "flagg", "no field"),
        ("QCheckBox", "name", "no QCheckBox shows"),
        ("QSlider", "count", "no range"),
        ("QComboBox", "name", "no choices"),
        ("QSpinBox", "flag", "no QSpinBox shows"),
        ("qMRMLCheckableNodeComboBox", "image", "no qMRMLCheckableNodeComboBox shows"),
    ],
)
def test_parameters_that_do_not_fit_are_found(kind: str, field: str, fault: str) -> None:
    faults = list(
        panel.find_wrong_parameters(a_panel(widget(kind, "a", field=field)), FakeParameters)
    )
    assert bool(faults) == bool(fault)
    assert not fault or fault in faults[0]


def test_two_widgets_on_one_field_are_found() -> None:
    both = a_panel(widget("QCheckBox", "a", field="flag"), widget("QCheckBox", "b", field="flag"))
    assert list(panel.find_wrong_parameters(both, FakeParameters)) == [
        "b: a has the field flag already"
    ]


BUTTON = a_panel(widget("QPushButton", "goButton"), widget("QLabel", "goLabel"))


@pytest.mark.parametrize(
    ("body", "fault"),
    [
        ("self.ui.goButton.enabled = True", ""),
        ("self.ui.goButton.connect('clicked()', self.go)", ""),
        ("self.ui.goButton.clicked.connect(self.go)", ""),
        ("for n in ('go',):\n   getattr(self.ui, f'{n}Button').click()", ""),
        ("self.ui.stopButton.enabled = True", "no widget stopButton"),
        ("ui = self.ui\n  ui.stopButton.enabled = True", "no widget stopButton"),
        ("getattr(self.ui, 'stopButton')", "no widget stopButton"),
        ("for n in ('go', 'stop'):\n   getattr(self.ui, f'{n}Button')", "no widget stopButton"),
        ("for n, f in {'stopButton': 1}.items():\n   getattr(self.ui, n)", "no widget stopButton"),
        ("self.ui.goButton.enable = True", "has no enable"),
        ("b = self.ui.goButton\n  b.enable = True", "has no enable"),
        ("self.ui.goLabel.checked", "has no checked"),
        ("self.ui.goButton.connect('clickd()', self.go)", "no signal clickd()"),
        ("self.ui.goLabel.connect('clicked()', self.go)", "no signal clicked()"),
        ("self.ui.goButton.setText.connect(self.go)", "no signal setText"),
        ("self.timer.connect('timeOut()', self.go)", "no recorded class has the signal timeOut()"),
    ],
)
def test_wrong_uses_of_widgets_are_found(body: str, fault: str) -> None:
    source = panel.Source(f"class MWidget:\n def setup(self):\n  {body}\n")
    faults = list(panel.find_wrong_uses(source, BUTTON))
    assert bool(faults) == bool(fault)
    assert not fault or fault in faults[0]
    assert not panel.unread_widgets(source)


def test_widgets_named_through_arguments_are_followed() -> None:
    text = (
        "class MWidget:\n def a(self):\n  self.b('go')\n  self.c('stop')\n"
        " def b(self, name):\n  getattr(self.ui, f'{name}Label').text = ''\n"
        " def c(self, *names):\n  for name in names:\n   getattr(self.ui, f'{name}Button')\n"
    )
    faults = list(panel.find_wrong_uses(panel.Source(text), BUTTON))
    assert faults == ["line 9: there is no widget stopButton"]


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("qt.QTimer.singleShot(0, f)", ""),
        ("slicer.app.layoutManager()", ""),
        ("slicer.util.getNode('a')", ""),
        ("slicer.vtkMRMLScene.NodeAddedEvent", ""),
        ("slicer.qMRMLSegmentEditorWidget()", ""),
        ("qt.QTimmer()", "qt.QTimmer"),
        ("qt.Qt.LeftBotton", "qt.Qt.LeftBotton"),
        ("from qt import QTimmer", "qt.QTimmer"),
        ("slicer.app.layoutManger()", "slicer.app.layoutManger"),
        ("slicer.util.getNodde('a')", "slicer.util.getNodde"),
        ("slicer.vtkMRMLSceen()", "slicer.vtkMRMLSceen"),
        ("slicer.vtkMRMLScene.NodeAdedEvent", "slicer.vtkMRMLScene.NodeAdedEvent"),
    ],
)
def test_unknown_names_are_found(text: str, fault: str) -> None:
    faults = list(panel.find_unknown_names(panel.Source(text), slicer))
    assert faults == ([f"line 1: Slicer has no {fault}"] if fault else [])


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("t = qt.QTimer()\n  t.connect('timeout()', f)\n  t.singleShot = True", ""),
        ("t = qt.QTimer()\n  t.connect('timeOut()', f)", "no signal timeOut()"),
        ("t = qt.QTimer(self)\n  t.intervall = 3", "without intervall"),
        ("self.b = ctk.ctkCollapsibleButton()\n  self.b.colapsed = 1", "without colapsed"),
        ("t = qt.QTimer()\n  t = other()\n  t.intervall = 3", ""),
    ],
)
def test_wrong_uses_of_objects_that_the_source_makes_are_found(text: str, fault: str) -> None:
    source = panel.Source(f"class M:\n def f(self):\n  {text}\n")
    faults = list(panel.find_wrong_uses_of_made_objects(source))
    assert bool(faults) == bool(fault)
    assert not fault or fault in faults[0]


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("label.text = _('Measure the cortex')", False),
        ("label.text = 'Measure'", True),
        ("label.text = '<b></b> %p%'", False),
        ("slicer.util.errorDisplay('Failed')", True),
        ("box.addItem('White matter')", True),
        ("message = 'Draw a curve along M1'", True),
        ("message = f'{n} segments overlap here'", True),
        ("logging.info('Draw a curve along M1')", False),
        ("button.connect('clicked()', f)", False),
        ("'''What the module does, in words.'''", False),
        ("class MTest:\n def f(self):\n  self.delayDisplay('Runs the test')", False),
        ("label.text = _(f'{n} segments')", True),
        ("label.text = _(message)", True),
    ],
)
def test_untranslated_texts_are_found(text: str, shown: bool) -> None:
    assert bool(list(panel.find_untranslated_texts(panel.Source(text)))) == shown


# --- the module's own panel ----------------------------------------------------------------


def name_of(file: Path) -> str:
    return file.relative_to(MODULE).as_posix()


@pytest.mark.parametrize(
    "check",
    [panel.find_wrong_classes, panel.find_wrong_connections, panel.find_missing_tool_tips],
)
@pytest.mark.parametrize("file", PANELS, ids=name_of)
def test_the_panel_is_sound(check, file: Path) -> None:
    assert list(check(PANELS[file])) == []


def test_each_widget_of_the_panel_has_a_name_of_its_own() -> None:
    together = panel.whole(PANELS.values())
    assert len(together.widgets) > 80 and together.repeated == []


@pytest.mark.parametrize("file", [f for f in PANELS if f.parent.name == "Sections"], ids=name_of)
def test_a_section_has_what_its_class_relies_on(file: Path) -> None:
    name, widgets = file.stem.lower(), PANELS[file].widgets
    assert widgets[PANELS[file].root].kind == "qMRMLWidget"
    assert widgets[f"{name}CollapsibleButton"].kind == "ctkCollapsibleButton"
    assert widgets[f"{name}MessageLabel"].kind == "QLabel"


def test_the_panels_parameters_are_fields_of_the_parameter_node() -> None:
    together = panel.whole(PANELS.values())
    with running():
        parameters = load(MODULE_FILE).ALSMotorCortexParameterNode
        assert list(panel.find_wrong_parameters(together, parameters)) == []
    named = [w for w in together.widgets.values() if panel.PARAMETER in w.dynamic]
    assert len(named) > 15


def test_all_sections_are_in_the_window() -> None:
    with running():
        load(MODULE_FILE)
        from ALSMotorCortexLib.panel.panel import SECTIONS

        names = [kind.name for kind in SECTIONS]
    files = [file.stem.lower() for file in PANELS if file.parent.name == "Sections"]
    assert sorted(names) == sorted(files)


def found_in(files: Iterable[Path], *finders: Callable[[panel.Source], Iterable[str]]) -> list[str]:
    """What is found in each of the files, with its name."""
    sources = [(file, panel.Source.of(file)) for file in files]
    assert sources
    return [
        f"{name_of(file)}, {fault}"
        for file, source in sources
        for finder in finders
        for fault in finder(source)
    ]


@pytest.mark.parametrize("file", CODE, ids=name_of)
def test_the_source_uses_widgets_that_exist_as_they_are(file: Path) -> None:
    source = panel.Source.of(file)
    assert list(panel.find_wrong_uses(source, CODE[file])) == []
    assert panel.unread_widgets(source) == [], "give the names where the check can read them"


def test_names_of_qt_and_slicer_exist() -> None:
    def unknown(source: panel.Source) -> Iterable[str]:
        return panel.find_unknown_names(source, slicer)

    assert found_in(SOURCES, unknown, panel.find_wrong_uses_of_made_objects) == []


# What the panel says besides its own texts.
SPOKEN = [LIBRARY / "module_logic.py", LIBRARY / "scene" / "chosen.py"]


def test_texts_of_the_panel_are_translated() -> None:
    faults = found_in([MODULE_FILE, *CODE, *SPOKEN], panel.find_untranslated_texts)
    assert [f for f in faults if not any(repr(name) in f for name in NAMES)] == []
