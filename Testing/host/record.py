"""Record the facts about Slicer that the host and its tests keep to. Run inside Slicer:

    Slicer --no-main-window --no-splash --python-script Testing/host/record.py FOLDER

FOLDER is ``Testing/host`` for the files in the repository. Two files are written:

``signatures.json``
    The public names of Slicer's Python modules that the host stands in for: functions and classes
    with their parameters, and base classes. Read from the application's own Python files.

``widgets.json``
    The Qt, CTK and Slicer classes that a module's window may use: base class, signals, slots and
    properties from Qt's own description of the class (what its header declares), and every
    name that Python can reach on it, less those of its base class.

Both hold names only. Unlike a search through header files this sees what PythonQt really offers.
"""

from __future__ import annotations

import ast
import json
import sys
from pathlib import Path
from typing import Any

# Modules that the host supplies, with the part of Slicer's Python that each lies in.
MODULES = (
    "slicer.i18n",
    "slicer.ScriptedLoadableModule",
    "slicer.parameterNodeWrapper",
    "SampleData",
)

# Names of classes, separated by blanks.
QT = """
QAbstractButton QAbstractItemView QAction QActionGroup QApplication QBoxLayout QButtonGroup
QCheckBox QColor QComboBox QCoreApplication QCursor QDialog QDoubleSpinBox QEvent QEventLoop
QFileDialog QFont QFormLayout QFrame QGridLayout QGroupBox QHBoxLayout QHeaderView QIcon
QKeySequence QLabel QLayout QLineEdit QListWidget QListWidgetItem QMainWindow QMenu QMessageBox
QObject QPixmap QPlainTextEdit QPoint QPointF QProgressBar QProgressDialog QPushButton QRadioButton
QScrollArea QSettings QSize QSizePolicy QSlider QSpacerItem QSpinBox QSplitter QStackedWidget
QStandardItem QStandardItemModel QTabWidget QTableView QTableWidget QTableWidgetItem QTextBrowser
QTextEdit QTimer QToolBar QToolButton QTreeWidget QUrl QVBoxLayout QWidget Qt QDesktopServices
QAbstractItemModel QItemSelectionModel QModelIndex QThread QAbstractSpinBox QAbstractSlider
QKeyEvent QMouseEvent
"""
CTK = """
ctkAxesWidget ctkCheckBox ctkCheckableComboBox ctkCheckablePushButton ctkCollapsibleButton
ctkCollapsibleGroupBox ctkColorPickerButton ctkComboBox ctkCoordinatesWidget ctkDirectoryButton
ctkDoubleRangeSlider ctkDoubleSlider ctkDoubleSpinBox ctkExpandButton ctkExpandableWidget
ctkMenuButton ctkMessageBox ctkPathLineEdit ctkPopupWidget ctkRangeSlider ctkRangeWidget
ctkSearchBox ctkSliderWidget ctkWidgetsUtils
"""
SLICER = """
qMRMLCheckableNodeComboBox qMRMLCollapsibleButton qMRMLColorPickerWidget qMRMLColorTableComboBox
qMRMLLayoutManager qMRMLMarkupsToolBar qMRMLNodeAttributeTableView qMRMLNodeAttributeTableWidget
qMRMLNodeComboBox qMRMLPlotView qMRMLPlotViewControllerWidget qMRMLPlotWidget qMRMLRangeWidget
qMRMLSegmentEditorWidget qMRMLSegmentSelectorWidget qMRMLSegmentationGeometryWidget
qMRMLSegmentsTableView qMRMLSliceControllerWidget qMRMLSliceView qMRMLSliceWidget qMRMLSliderWidget
qMRMLSpinBox qMRMLSubjectHierarchyComboBox qMRMLSubjectHierarchyTreeView qMRMLTableView
qMRMLThreeDView qMRMLThreeDWidget qMRMLTreeView qMRMLVolumeThresholdWidget
qMRMLWidget qMRMLWindowLevelWidget qSlicerApplication
qSlicerCoreIOManager qSlicerIOManager qSlicerLayoutManager qSlicerMarkupsPlaceWidget
qSlicerModuleManager qSlicerScriptedLoadableModule qSlicerSimpleMarkupsWidget
qSlicerSubjectHierarchyAbstractPlugin qSlicerSubjectHierarchyPluginHandler
qSlicerSegmentEditorAbstractEffect qSlicerSegmentEditorScriptedEffect
qSlicerSubjectHierarchyScriptedPlugin qSlicerWidget qSlicerScriptedLoadableModuleWidget
qSlicerAbstractModule qSlicerAbstractModuleWidget
"""
# Classes that not every Slicer has, as their header declares them. A Slicer without Qt WebEngine
# lacks this one (Base/QTGUI/qSlicerWebWidget.h); what asks for it must look whether it is there.
DECLARED: dict[str, dict[str, Any]] = {
    "qSlicerWebWidget": {
        "module": "slicer",
        "base": "QWidget",
        "signals": [
            "evalResult(QString,QString)",
            "loadFinished(bool)",
            "loadProgress(int)",
            "loadStarted()",
            "pdfPrintingFinished(QString,bool)",
        ],
        "slots": ["printToPdf(QString)", "printToPdf(QString,QPageLayout)", "setUrl(QString)"],
        "properties": [
            "handleExternalUrlWithDesktopService",
            "internalHosts",
            "javaScriptConsoleMessageLoggingEnabled",
            "url",
        ],
        "names": ["evalJS", "setHtml", "webView"],
    },
}
# Arguments without which no object of a class can be made.
MADE_FROM = {
    "QBoxLayout": lambda qt: (qt.QBoxLayout.TopToBottom,),
    "QHeaderView": lambda qt: (qt.Qt.Horizontal,),
    "QActionGroup": lambda qt: (qt.QCoreApplication.instance(),),
}


# --- signatures --------------------------------------------------------------------------


def signatures(sources: list[Path]) -> dict[str, Any]:
    """Public names of a module that is made of these files, whichever way they are spread."""
    found: dict[str, Any] = {"all": [], "functions": {}, "classes": {}, "names": []}
    for source in sources:
        for node in ast.parse(source.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.FunctionDef) and not node.name.startswith("_"):
                found["functions"][node.name] = parameters(node)
            elif isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                found["classes"][node.name] = class_facts(node)
            elif isinstance(node, ast.Assign):
                names = [t.id for t in node.targets if isinstance(t, ast.Name)]
                if names == ["__all__"]:
                    found["all"] += ast.literal_eval(node.value)
                found["names"] += [n for n in names if n[0] != "_"]
            elif isinstance(node, ast.ImportFrom) and source.name == "__init__.py":
                found["all"] += [a.name for a in node.names if a.name != "*"]
    return {kind: sorted(v) if isinstance(v, list) else v for kind, v in found.items()}


def class_facts(node: ast.ClassDef) -> dict[str, Any]:
    """Base classes of a class, and the parameters of its methods."""
    methods = [n for n in node.body if isinstance(n, ast.FunctionDef)]
    return {
        "bases": [ast.unparse(b) for b in node.bases],
        "methods": {
            m.name: parameters(m) for m in methods if m.name[0] != "_" or m.name == "__init__"
        },
    }


def parameters(node: ast.FunctionDef) -> list[str]:
    """A function's parameters, in order: ``a``, ``b=``, ``*c``, ``d=``, ``**e``."""
    spec = node.args
    plain = [*spec.posonlyargs, *spec.args]
    required = len(plain) - len(spec.defaults)
    names = [a.arg + ("=" if n >= required else "") for n, a in enumerate(plain)]
    if spec.vararg or spec.kwonlyargs:
        names.append("*" + (spec.vararg.arg if spec.vararg else ""))
    pairs = zip(spec.kwonlyargs, spec.kw_defaults, strict=True)
    names += [a.arg + ("=" if default else "") for a, default in pairs]
    return names + (["**" + spec.kwarg.arg] if spec.kwarg else [])


def files_of(name: str) -> list[Path]:
    """The Python files of a module or package."""
    import importlib

    file = Path(importlib.import_module(name).__file__)
    return sorted(file.parent.glob("*.py")) if file.name == "__init__.py" else [file]


# --- widgets -----------------------------------------------------------------------------


def widgets() -> dict[str, Any]:
    """Facts of the classes listed above and of all their base classes."""
    import ctk
    import qt
    import slicer

    found: dict[str, Any] = {}
    for module, names in ((qt, QT), (ctk, CTK), (slicer, SLICER)):
        for name in names.split():
            kind = class_named(name)
            meta = description(kind)
            if meta is None and name not in found:
                found[name] = facts(module.__name__, None, kind)
            while meta:
                known, module_of = meta.getClassName(), home(meta.getClassName())
                found[known] = facts(module_of, meta, class_named(known))
                meta = meta.superClass()
    reduce_names(found)
    return dict(sorted({**DECLARED, **found}.items()))


def reduce_names(found: dict[str, Any]) -> None:
    """Leave of each class's names what neither its facts nor its base classes have."""
    reachable = {name: set(entry["names"]) for name, entry in found.items()}
    for entry in found.values():
        kinds = (entry.get(k, []) for k in ("signals", "slots", "properties"))
        known = {text.split("(")[0] for texts in kinds for text in texts}
        base = entry.get("base")
        while base:
            known |= reachable[base]
            base = found[base].get("base")
        entry["names"] = sorted(set(entry["names"]) - known)


def home(name: str) -> str:
    """The Python module that a class belongs to; the application's own are in ``slicer``."""
    import ctk
    import qt

    return next((m.__name__ for m in (qt, ctk) if hasattr(m, name)), "slicer")


def class_named(name: str) -> Any:
    """A class by its name; None when Python cannot reach it."""
    import ctk
    import qt
    import slicer

    if name == "qSlicerApplication":  # it has no class in Python, only the one object
        return type(slicer.app)
    return next((getattr(m, name) for m in (qt, ctk, slicer) if hasattr(m, name)), None)


def description(kind: Any) -> Any:
    """Qt's description of a class, taken from an object of it; None when it has none.

    Abstract classes give none either; they are found as bases of others.
    """
    import qt
    import slicer

    single = {
        type(slicer.app): slicer.app,
        slicer.qSlicerIOManager: slicer.app.ioManager(),
        slicer.qSlicerModuleManager: slicer.app.moduleManager(),
    }
    if kind in single:
        return single[kind].metaObject()
    if not hasattr(kind, "metaObject") or kind in (qt.QApplication, qt.QCoreApplication):
        return None
    try:
        return kind(*MADE_FROM.get(kind.__name__, lambda qt: ())(qt)).metaObject()
    except (TypeError, ValueError, RuntimeError) as error:
        print(f"no object of {kind.__name__}: {error}")
        return None


def facts(module: str, meta: Any, kind: Any) -> dict[str, Any]:
    """What is recorded of one class; signals, slots and properties are its own only."""
    entry: dict[str, Any] = {"module": module}
    if meta:
        methods = [meta.method(n) for n in range(meta.methodOffset(), meta.methodCount())]
        public = [m for m in methods if int(m.access()) == int(m.Public)]
        entry["base"] = meta.superClass().getClassName() if meta.superClass() else None
        entry["signals"] = [m for m in public if int(m.methodType()) == int(m.Signal)]
        entry["slots"] = [m for m in public if int(m.methodType()) == int(m.Slot)]
        for kind_of in ("signals", "slots"):
            texts = {m.methodSignature().data().decode() for m in entry[kind_of]}
            entry[kind_of] = sorted(texts)
        entry["properties"] = sorted(
            meta.property(n).name() for n in range(meta.propertyOffset(), meta.propertyCount())
        )
    entry["names"] = [n for n in dir(kind) if n[0] != "_"] if kind is not None else []
    return entry


def everything() -> dict[str, list[str]]:
    """All names of the Qt and CTK modules, and of Slicer's own Qt classes."""
    import ctk
    import qt
    import slicer

    return {
        "qt": sorted(n for n in dir(qt) if n[0] != "_"),
        "ctk": sorted(n for n in dir(ctk) if n[0] != "_"),
        "slicer": sorted(
            {*DECLARED, *(n for n in dir(slicer) if n.startswith(("qMRML", "qSlicer")))}
        ),
    }


# --- both --------------------------------------------------------------------------------


def write(folder: Path) -> None:
    """Write both files."""
    import slicer

    version = f"{slicer.app.applicationVersion} ({slicer.app.repositoryRevision})"
    both = {
        "signatures": {name: signatures(files_of(name)) for name in MODULES},
        "widgets": {"modules": everything(), **widgets()},
    }
    for name, content in both.items():
        lines = [f"{json.dumps(k)}: {json.dumps(v)}" for k, v in content.items()]
        text = ",\n".join([json.dumps({"recorded in": f"Slicer {version}"})[1:-1], *lines])
        (folder / f"{name}.json").write_text("{\n" + text + "\n}\n", encoding="utf-8")


if __name__ == "__main__":
    import traceback

    import slicer

    try:
        write(Path(sys.argv[-1]))
        status = 0
    except Exception:  # at the prompt it would only be printed, and the application stay open
        traceback.print_exc()
        status = 1
    slicer.util.exit(status)
