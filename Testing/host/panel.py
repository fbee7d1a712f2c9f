"""Reads a module's .ui file and its source, and finds what Slicer's classes do not have.

Every function that starts with ``find_`` returns sentences, one for each thing that is wrong. What
the classes have is what record.py has recorded.
"""

from __future__ import annotations

import ast
import enum
import pathlib
import re
import typing
import xml.etree.ElementTree as ET
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .strict import attributes, facts, recorded

PARAMETER = "SlicerParameterName"

# What slicer.parameterNodeWrapper connects to a widget of exactly this class: "node" and "enum"
# stand for all such types. Facts read from Slicer's parameterNodeWrapper/guiConnectors.py.
CONNECTED: dict[str, tuple[Any, ...]] = {
    "QCheckBox": (bool,),
    "ctkCheckBox": (bool,),
    "QPushButton": (bool,),
    "ctkCheckablePushButton": (bool,),
    "QSlider": (int,),
    "QSpinBox": (int,),
    "QDoubleSpinBox": (float, int),
    "ctkDoubleSpinBox": (float, int),
    "ctkDoubleSlider": (float, int),
    "ctkSliderWidget": (float, int),
    "qMRMLSliderWidget": (float, int),
    "qMRMLSpinBox": (float, int),
    "QComboBox": (int, float, str, bool, "enum"),
    "ctkComboBox": (int, float, str, bool, "enum"),
    "QLineEdit": (str,),
    "QLabel": (str,),
    "QTextEdit": (str,),
    "ctkPathLineEdit": (pathlib.Path, pathlib.PurePath),
    "ctkDirectoryButton": (pathlib.Path, pathlib.PurePath),
    "qMRMLNodeComboBox": ("node",),
}
# Classes that need a lower and an upper bound, or for plain values a list of choices.
NEED_RANGE = {"QSlider", "ctkSliderWidget", "qMRMLSliderWidget"}
NEED_CHOICE = {"QComboBox", "ctkComboBox"}

# A control is what the user acts on: any of these classes, or one that derives from it.
CONTROLS = {
    "QAbstractButton",
    "QAbstractItemView",
    "QAbstractSlider",
    "QAbstractSpinBox",
    "QComboBox",
    "QLineEdit",
    "QPlainTextEdit",
    "QTextEdit",
    "ctkDirectoryButton",
    "ctkDoubleRangeSlider",
    "ctkDoubleSlider",
    "ctkDoubleSpinBox",
    "ctkPathLineEdit",
    "ctkRangeWidget",
    "ctkSliderWidget",
    "qMRMLNodeComboBox",
    "qMRMLSegmentSelectorWidget",
    "qMRMLSegmentsTableView",
    "qSlicerMarkupsPlaceWidget",
    "qSlicerSimpleMarkupsWidget",
}


# --- the .ui file ------------------------------------------------------------------------


@dataclass
class Widget:
    """One widget, layout or action of a .ui file."""

    name: str
    kind: str
    properties: dict[str, str] = field(default_factory=dict)
    dynamic: dict[str, str] = field(default_factory=dict)
    """Properties that are not the class's own, such as SlicerParameterName."""

    def is_a(self, kinds: set[str]) -> bool:
        """Whether the widget's class is one of these or derives from one."""
        at: str | None = self.kind
        while at:
            if at in kinds:
                return True
            at = recorded("widgets")[at].get("base") if at in recorded("widgets") else None
        return False


@dataclass
class Panel:
    """A .ui file."""

    widgets: dict[str, Widget]
    connections: list[tuple[str, str, str, str]]
    """Sender, signal, receiver, slot."""
    repeated: list[str]
    """Names that more than one object has."""
    root: str
    """Name of the outermost widget."""


def read_panel(text: str) -> Panel:
    """Read the text of a .ui file."""
    tree = ET.fromstring(text)
    widgets: dict[str, Widget] = {}
    repeated = []
    for element in tree.iter():
        if element.tag in ("widget", "action", "layout") and element.get("name"):
            kind = "QAction" if element.tag == "action" else element.get("class", "")
            made = Widget(element.get("name", ""), kind)
            for prop in element.findall("property"):
                target = made.dynamic if prop.get("stdset") == "0" else made.properties
                target[prop.get("name", "")] = "".join(prop.itertext()).strip()
            if made.name in widgets:
                repeated.append(made.name)
            widgets[made.name] = made
    parts = ("sender", "signal", "receiver", "slot")
    connections = [
        tuple(c.findtext(part, "").strip() for part in parts) for c in tree.iter("connection")
    ]
    root = tree.find("widget")
    return Panel(widgets, connections, repeated, "" if root is None else root.get("name", ""))


def panels(module: Path) -> dict[Path, Panel]:
    """The .ui files of the module's panel: each section's, and the frame around them."""
    folder = module / "Resources" / "UI"
    files = [folder / f"{module.name}.ui", *sorted((folder / "Sections").glob("*.ui"))]
    return {file: read_panel(file.read_text(encoding="utf-8")) for file in files}


def of_module(module: Path, name: str) -> Panel:
    """The panel of a module that has one .ui file, called as the module."""
    return read_panel((module / "Resources" / "UI" / f"{name}.ui").read_text(encoding="utf-8"))


def whole(parts: Iterable[Panel]) -> Panel:
    """All widgets of several .ui files, as the frame of the panel sees them."""
    widgets: dict[str, Widget] = {}
    repeated = []
    for part in parts:
        repeated += [name for name in part.widgets if name in widgets]
        widgets |= part.widgets
    return Panel(widgets, [], repeated, "")


def sources(module: Path) -> dict[Path, Panel]:
    """The files of the panel's code, each with the widgets that its ``self.ui`` has."""
    parts = panels(module)
    sections = {file.stem.lower(): part for file, part in parts.items() if file.parent.name != "UI"}
    code = module / f"{module.name}Lib" / "panel"
    found = {file: sections.pop(file.stem, whole(parts.values())) for file in code.glob("*.py")}
    if sections:
        raise FileNotFoundError(f"No file in {code} has the code of {sorted(sections)}")
    return found


def find_wrong_classes(panel: Panel) -> Iterator[str]:
    """Classes that are not recorded, properties that a class does not have, repeated names."""
    for name in panel.repeated:
        yield f"{name}: two objects have this name"
    for widget in panel.widgets.values():
        if widget.kind not in recorded("widgets"):
            yield f"{widget.name}: {widget.kind} is not among the recorded classes"
            continue
        for name in sorted(set(widget.properties) - facts(widget.kind, "properties")):
            # A layout's margins are no properties of its class; Qt's reader knows their names.
            if not (widget.is_a({"QLayout"}) and re.fullmatch(r"\w+(Margin|Spacing)", name)):
                yield f"{widget.name}: {widget.kind} has no property {name}"


def find_wrong_connections(panel: Panel) -> Iterator[str]:
    """Connections between objects, signals or slots that do not exist, and missing ones."""
    for sender, signal, receiver, slot in panel.connections:
        for name, text, kinds in (
            (sender, signal, ("signals",)),
            (receiver, slot, ("slots", "signals")),
        ):
            if name not in panel.widgets:
                yield f"a connection names {name}, which is not in the file"
            elif text not in known_facts(panel.widgets[name].kind, *kinds):
                yield f"{name}: {panel.widgets[name].kind} has no {kinds[0][:-1]} {text}"
    scene = "setMRMLScene(vtkMRMLScene*)"
    given = {receiver for _, _, receiver, slot in panel.connections if slot == scene}
    for widget in panel.widgets.values():
        takes = scene in known_facts(widget.kind, "slots")
        if takes and widget.name not in given | {panel.root}:
            yield f"{widget.name}: it is never given the scene"


def known_facts(kind: str, *kinds: str) -> set[str]:
    """As :func:`~host.strict.facts`, empty for a class that is not recorded."""
    return facts(kind, *kinds) if kind in recorded("widgets") else set()


def find_missing_tool_tips(panel: Panel) -> Iterator[str]:
    """Controls without a tool tip."""
    for widget in panel.widgets.values():
        # A section's title explains itself and covers its contents.
        section = widget.is_a({"ctkCollapsibleButton", "ctkCollapsibleGroupBox"})
        if widget.is_a(CONTROLS) and not section and not widget.properties.get("toolTip"):
            yield f"{widget.name}: this {widget.kind} has no tool tip"


def find_wrong_parameters(panel: Panel, parameter_class: Any) -> Iterator[str]:
    """SlicerParameterNames that are no fields of the class, or of a type that does not fit."""
    seen: dict[str, str] = {}
    for widget in panel.widgets.values():
        if PARAMETER in widget.properties:
            yield f"{widget.name}: {PARAMETER} needs stdset=0"
        name = widget.dynamic.get(PARAMETER)
        if name is None:
            continue
        if name in seen:
            yield f"{widget.name}: {seen[name]} has the field {name} already"
        seen[name] = widget.name
        if name not in parameter_class.allParameters:
            yield f"{widget.name}: there is no field {name}"
        else:
            reason = misfit(widget, parameter_class.dataType(name))
            if reason:
                yield f"{widget.name}: {name} {reason}"


def misfit(widget: Widget, datatype: Any) -> str:
    """Why a widget cannot show a field of a type; empty when it can."""
    bare, annotations = datatype, ()
    if typing.get_origin(datatype) is typing.Annotated:
        bare, *annotations = typing.get_args(datatype)
    if kind_of(bare) not in CONNECTED.get(widget.kind, ()):
        return f"is a {getattr(bare, '__name__', bare)}, which no {widget.kind} shows"
    marks = {type(a).__name__ for a in annotations}
    if widget.kind in NEED_RANGE and not (
        "WithinRange" in marks or marks >= {"Minimum", "Maximum"}
    ):
        return f"has no range, which a {widget.kind} needs"
    if widget.kind in NEED_CHOICE and kind_of(bare) != "enum" and "Choice" not in marks:
        return f"has no choices, which a {widget.kind} needs"
    return ""


def kind_of(bare: Any) -> Any:
    """``enum``, ``node``, or the type itself."""
    parts = [t for t in typing.get_args(bare) if t is not type(None)] or [bare]
    if all(isinstance(t, type) and t.__name__.startswith("vtkMRML") for t in parts):
        return "node"
    return "enum" if isinstance(bare, type) and issubclass(bare, enum.Enum) else bare


# --- the source --------------------------------------------------------------------------


class Source:
    """A module file, and what its code says about the panel."""

    def __init__(self, text: str) -> None:
        self.tree = ast.parse(text)
        self.parents = {c: p for p in ast.walk(self.tree) for c in ast.iter_child_nodes(p)}
        self._assignments: dict[ast.AST, list[ast.Assign]] = {}

    @classmethod
    def of(cls, file: Path) -> Source:
        return cls(file.read_text(encoding="utf-8"))

    def around(self, node: ast.AST, *kinds: type[ast.AST]) -> ast.AST | None:
        """The innermost construct of these kinds that a node is inside of."""
        at = self.parents.get(node)
        while at is not None and not isinstance(at, kinds):
            at = self.parents.get(at)
        return at

    def function(self, node: ast.AST) -> ast.AST:
        """The function that a node is in, or the whole file."""
        return self.around(node, ast.FunctionDef, ast.Lambda) or self.tree

    # What a name may stand for.

    def is_ui(self, node: ast.AST) -> bool:
        """``self.ui``, or a name that was set to it in the same function."""
        if isinstance(node, ast.Attribute):
            return node.attr == "ui" and isinstance(node.value, ast.Name)
        return isinstance(node, ast.Name) and any(
            self.is_ui(value) for value in self.assigned(node) if not isinstance(value, ast.Name)
        )

    def assigned(self, name: ast.Name) -> list[ast.expr]:
        """What is assigned to a local name."""
        function = self.function(name)
        if isinstance(function, ast.Lambda):
            function = self.function(function)
        return [
            node.value
            for node in self.assignments(function)
            if any(isinstance(t, ast.Name) and t.id == name.id for t in node.targets)
        ]

    def assignments(self, within: ast.AST) -> list[ast.Assign]:
        """All assignments in a function, or in the whole file."""
        if within not in self._assignments:
            found = [node for node in ast.walk(within) if isinstance(node, ast.Assign)]
            self._assignments[within] = found
        return self._assignments[within]

    def texts(self, node: ast.expr) -> set[str] | None:
        """All texts that an expression can be, as far as they stand in the file; None if not."""
        if isinstance(node, ast.Constant):
            return {node.value} if isinstance(node.value, str) else None
        if isinstance(node, ast.JoinedStr):
            found = {""}
            for part in node.values:
                inner = part.value if isinstance(part, ast.FormattedValue) else part
                more = self.texts(inner)
                if more is None:
                    return None
                found = {a + b for a in found for b in more}
            return found
        if isinstance(node, ast.Subscript) and isinstance(node.value, ast.Name):
            constant = self.constant(node.value.id)
            return None if constant is None else literal_texts(constant, values=True)
        if isinstance(node, ast.Name):
            return self.loop_texts(node) or self.argument_texts(node)
        return None

    def constant(self, name: str) -> ast.expr | None:
        """What a name of the file itself, or a local name, is set to."""
        for node in ast.walk(self.tree):
            if isinstance(node, ast.Assign | ast.AnnAssign):
                targets = node.targets if isinstance(node, ast.Assign) else [node.target]
                if any(isinstance(t, ast.Name) and t.id == name for t in targets):
                    return node.value
        return None

    def loop_texts(self, name: ast.Name) -> set[str] | None:
        """The texts that a loop or comprehension gives a name."""
        at: ast.AST | None = name
        while at is not None:
            loops = [at] if isinstance(at, ast.For) else getattr(at, "generators", [])
            for loop in loops:
                found = self.loop_values(loop.target, loop.iter, name.id)
                over = loop.iter
                if (
                    found is None
                    and isinstance(loop.target, ast.Name)
                    and isinstance(over, ast.Name)
                ):
                    found = self.argument_texts(over) if loop.target.id == name.id else None
                if found is not None:
                    return found
            at = self.parents.get(at)
        return None

    def loop_values(self, target: ast.expr, over: ast.expr, name: str) -> set[str] | None:
        values = False
        if isinstance(target, ast.Tuple):
            names = [t.id if isinstance(t, ast.Name) else "" for t in target.elts]
            if name not in names:
                return None
            values = names.index(name) == 1
        elif not isinstance(target, ast.Name) or target.id != name:
            return None
        if isinstance(over, ast.Call) and isinstance(over.func, ast.Attribute):
            values = values or over.func.attr == "values"
            over = over.func.value  # items(), keys() or values() of a dictionary
        if isinstance(over, ast.Name):
            over = self.constant(over.id)
        return None if over is None else literal_texts(over, values)

    def argument_texts(self, name: ast.Name) -> set[str] | None:
        """The texts that calls in the file give an argument, with or without ``*``."""
        function = self.around(name, ast.FunctionDef)
        if not isinstance(function, ast.FunctionDef):
            return None
        names = [a.arg for a in function.args.args if a.arg != "self"]
        many = function.args.vararg
        found: set[str] = set()
        for call in ast.walk(self.tree):
            if not (isinstance(call, ast.Call) and called(call) == function.name):
                continue
            given = call.args[len(names) :] if many and many.arg == name.id else []
            if name.id in names and names.index(name.id) < len(call.args):
                given = [call.args[names.index(name.id)]]
            given += [k.value for k in call.keywords if k.arg == name.id]
            for argument in given:
                more = self.texts(argument)
                if more is None:
                    return None
                found |= more
        return found or None

    # What the source does with widgets.

    def widgets_of(self, node: ast.AST, panel: Panel) -> set[str] | None:
        """The names of the widgets that an expression can be; None when it is no widget.

        ``self.ui.x``, ``getattr(self.ui, "x")``, and local names that were set to one of them.
        """
        if isinstance(node, ast.Attribute) and self.is_ui(node.value):
            return {node.attr}
        if (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Name)
            and node.func.id == "getattr"
            and self.is_ui(node.args[0])
        ):
            return self.texts(node.args[1])
        if isinstance(node, ast.Name):
            found = [self.widgets_of(v, panel) for v in self.assigned(node) if v is not node]
            if len(found) == 1:
                return found[0]
        return None


def literal_texts(node: ast.expr, values: bool = False) -> set[str] | None:
    """The texts in a literal tuple, list or set, or a dictionary's keys or values."""
    parts: list[Any] = []
    if isinstance(node, ast.Tuple | ast.List | ast.Set):
        parts = list(node.elts)
        if parts and all(isinstance(p, ast.Tuple) for p in parts):
            parts = [p.elts[int(values)] for p in parts]
    elif isinstance(node, ast.Dict):
        parts = list(node.values if values else node.keys)
    texts = {p.value for p in parts if isinstance(p, ast.Constant) and isinstance(p.value, str)}
    return texts if parts and len(texts) == len({ast.dump(p) for p in parts}) else None


def called(call: ast.Call) -> str:
    """The last part of what is called: ``f`` in ``self.f()`` and in ``f()``."""
    if isinstance(call.func, ast.Attribute):
        return call.func.attr
    return call.func.id if isinstance(call.func, ast.Name) else ""


def find_wrong_uses(source: Source, panel: Panel) -> Iterator[str]:
    """Widgets that the source uses and the file has not, or uses as their class cannot be."""
    for node in ast.walk(source.tree):
        where = f"line {getattr(node, 'lineno', 0)}"
        if isinstance(node, ast.Attribute | ast.Call):
            for name in sorted(source.widgets_of(node, panel) or ()):
                if name not in panel.widgets:
                    yield f"{where}: there is no widget {name}"
        if isinstance(node, ast.Attribute):
            for name in sorted(source.widgets_of(node.value, panel) or ()):
                kind = panel.widgets[name].kind if name in panel.widgets else None
                if kind in recorded("widgets") and node.attr not in attributes(kind):
                    yield f"{where}: {name} is a {kind}, which has no {node.attr}"
        if isinstance(node, ast.Call) and called(node) in ("connect", "disconnect"):
            yield from (f"{where}: {text}" for text in wrong_signals(source, panel, node))


def wrong_signals(source: Source, panel: Panel, call: ast.Call) -> Iterator[str]:
    """What is wrong with ``x.connect("signal(...)", f)`` or ``x.signal.connect(f)``."""
    assert isinstance(call.func, ast.Attribute)
    target = call.func.value
    texts = source.texts(call.args[0]) if call.args else None
    for text in texts or ():
        known = any(text in entry.get("signals", ()) for entry in classes())
        if source.widgets_of(target, panel) is None and not known:
            yield f"no recorded class has the signal {text}"
        for name in source.widgets_of(target, panel) or ():
            kind = panel.widgets[name].kind if name in panel.widgets else ""
            if kind in recorded("widgets") and text not in facts(kind, "signals"):
                yield f"{name} is a {kind}, which has no signal {text}"
    if texts is None and isinstance(target, ast.Attribute):
        for name in source.widgets_of(target.value, panel) or ():
            kind = panel.widgets[name].kind if name in panel.widgets else ""
            signals = {t.split("(")[0] for t in known_facts(kind, "signals")}
            if kind in recorded("widgets") and target.attr not in signals:
                yield f"{name} is a {kind}, which has no signal {target.attr}"


def find_wrong_uses_of_made_objects(source: Source) -> Iterator[str]:
    """Names and signals that the class of a Qt object does not have, where the source made it.

    What ``a`` is, is told from ``a = qt.QPushButton()``: within the function for a local name,
    within the file for ``self.a``.
    """
    for node in ast.walk(source.tree):
        if not isinstance(node, ast.Attribute):
            continue
        kind = made_class(source, node.value)
        if kind is None:
            continue
        if node.attr not in attributes(kind):
            yield f"line {node.lineno}: {ast.unparse(node.value)} is a {kind}, without {node.attr}"
        call = source.parents.get(node)
        if isinstance(call, ast.Call) and call.func is node and node.attr == "connect":
            for text in source.texts(call.args[0]) or ():
                if text not in facts(kind, "signals"):
                    yield f"line {node.lineno}: {kind} has no signal {text}"


def made_class(source: Source, node: ast.expr) -> str | None:
    """The recorded class of an object that the source makes itself; None when not told."""
    if isinstance(node, ast.Name):
        values = source.assigned(node)
    elif isinstance(node, ast.Attribute) and dotted(node)[:1] == ["self"]:
        values = [
            n.value
            for n in source.assignments(source.tree)
            if any(dotted(t) == dotted(node) for t in n.targets)
        ]
    else:
        return None
    made = {dotted(v.func)[-1] if isinstance(v, ast.Call) and dotted(v.func)[:1] in ROOTS else ""
            for v in values}  # fmt: skip
    kind = made.pop() if len(made) == 1 else ""
    return kind if kind in recorded("widgets") else None


ROOTS = (["qt"], ["ctk"], ["slicer"])


def classes() -> Iterator[dict[str, Any]]:
    """Every recorded class."""
    return (v for k, v in recorded("widgets").items() if k not in ("recorded in", "modules"))


def unread_widgets(source: Source) -> list[str]:
    """Uses of ``getattr(self.ui, ...)`` whose names cannot be told from the source."""
    return [
        f"line {node.lineno}: {ast.unparse(node)}"
        for node in ast.walk(source.tree)
        if isinstance(node, ast.Call)
        and called(node) == "getattr"
        and source.is_ui(node.args[0])
        and source.texts(node.args[1]) is None
    ]


def find_unknown_names(source: Source, slicer: Any) -> Iterator[str]:
    """Names of ``qt``, ``ctk`` and ``slicer`` that do not exist."""
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Attribute):
            path = dotted(node)
        elif isinstance(node, ast.ImportFrom) and node.module in ("qt", "ctk", "slicer"):
            for alias in node.names:
                yield from (
                    f"line {node.lineno}: {text}"
                    for text in unknown([node.module, alias.name], slicer)
                )
            continue
        else:
            continue
        # Only the longest chain tells everything.
        if path and not isinstance(source.parents.get(node), ast.Attribute):
            yield from (f"line {node.lineno}: {text}" for text in unknown(path, slicer))


def dotted(node: ast.expr) -> list[str]:
    """``["slicer", "util", "getNode"]`` of ``slicer.util.getNode``; empty for other things."""
    if isinstance(node, ast.Name):
        return [node.id]
    if isinstance(node, ast.Attribute):
        start = dotted(node.value)
        return [*start, node.attr] if start else []
    return []


def unknown(path: list[str], slicer: Any) -> Iterator[str]:
    """What of a dotted name does not exist."""
    names = recorded("widgets")["modules"]
    root, first, *rest = [*path, ""] if len(path) == 1 else path
    if root not in ("qt", "ctk", "slicer"):
        return
    if first in names[root] or first == "app":
        kind = "qSlicerApplication" if first == "app" else first
        if rest and kind in recorded("widgets") and rest[0] not in attributes(kind):
            yield f"Slicer has no {root}.{first}.{rest[0]}"
    elif root != "slicer":
        yield f"Slicer has no {root}.{first}"
    elif first == "util":
        if rest and not hasattr(slicer.util, rest[0]):
            yield f"Slicer has no slicer.util.{rest[0]}"
    elif first not in ("modules", "mrmlScene", "i18n", "selfTests", "moduleNames"):
        known = hasattr(slicer, first) or f"slicer.{first}" in recorded("signatures")
        if not known:
            yield f"Slicer has no slicer.{first}"
        elif rest and first.startswith("vtk") and not hasattr(getattr(slicer, first), rest[0]):
            yield f"Slicer has no slicer.{first}.{rest[0]}"


# --- texts -------------------------------------------------------------------------------

# Calls whose texts nobody reads in the window, or that are not for translation.
SILENT = {"connect", "disconnect", "debug", "info", "warning", "error", "exception", "translate"}
# Properties and calls that show their text, even a single word.
SHOWN = {"text", "toolTip", "title", "windowTitle", "statusTip", "placeholderText", "helpText"}
SHOWING = {
    "addItem",
    "confirmOkCancelDisplay",
    "confirmYesNoDisplay",
    "errorDisplay",
    "infoDisplay",
    "setFormat",
    "setText",
    "setTitle",
    "setToolTip",
    "showStatusMessage",
    "warningDisplay",
}


def find_untranslated_texts(source: Source) -> Iterator[str]:
    """Texts for the user that do not go through ``_()``, and calls of ``_()`` that cannot work."""
    documents = {d for n in ast.walk(source.tree) for d in docstrings(n)}
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Call) and called(node) == "_":
            if len(node.args) != 1 or not isinstance(node.args[0], ast.Constant):
                yield f"line {node.lineno}: _() is given something else than one plain text"
        elif is_text(node) and node not in documents and for_user(source, node):
            yield f"line {node.lineno}: {node.value!r} does not go through _()"


def is_text(node: ast.AST) -> bool:
    return isinstance(node, ast.Constant) and isinstance(node.value, str)


def docstrings(node: ast.AST) -> list[ast.AST]:
    """The texts that stand alone in a body: a docstring, or one below an attribute."""
    body = getattr(node, "body", [])
    alone = [n for n in body if isinstance(n, ast.Expr)] if isinstance(body, list) else []
    return [n.value for n in alone if isinstance(n.value, ast.Constant)]


def for_user(source: Source, node: ast.Constant) -> bool:
    """Whether a text is shown: it is put where texts show, or it reads like a sentence."""
    text = re.sub(r"<[^>]*>|&\w+;|%p%", " ", node.value)
    if not re.search(r"[^\W\d_]{2}", text):
        return False
    at: ast.AST = node
    while (up := source.parents.get(at)) is not None:
        if isinstance(up, ast.Call) and called(up) in SILENT | {"_"}:
            return False
        if isinstance(up, ast.Call) and called(up) in SHOWING and at in up.args:
            return True
        if isinstance(up, ast.Assign):
            targets = {t.attr for t in up.targets if isinstance(t, ast.Attribute)}
            if targets & (SHOWN | {"contributors"}):
                return bool(targets & SHOWN)  # people's names stay as they are
        if isinstance(up, ast.ClassDef) and up.name.endswith("Test"):
            return False
        if isinstance(up, ast.Assert | ast.Subscript | ast.arg):
            return False
        at = up
    return sentence(text)


def sentence(text: str) -> bool:
    """Two words in a row."""
    return re.search(r"[^\W\d_]{2,}[,.:;]? [^\W\d_]+", text) is not None
