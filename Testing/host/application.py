"""The application's part of the host: a scene, module logics, files, and loading the module."""

from __future__ import annotations

import importlib.util
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from types import ModuleType
from typing import Any

import slicer

from . import parameters, sample_data, scripted, translation
from .strict import NotOnHost, StrictModule, StrictObject, WindowModule, recorded

# The logics of Slicer's modules that the host has, under the names of the modules.
LOGICS = {
    "colors": "vtkSlicerColorLogic",
    "markups": "vtkSlicerMarkupsLogic",
    "models": "vtkSlicerModelsLogic",
    "plots": "vtkSlicerPlotsLogic",
    "segmentations": "vtkSlicerSegmentationsModuleLogic",
    "sequences": "vtkSlicerSequencesLogic",
    "subjecthierarchy": "vtkSlicerSubjectHierarchyModuleLogic",
    "tables": "vtkSlicerTablesLogic",
    "texts": "vtkSlicerTextsLogic",
    "transforms": "vtkSlicerTransformLogic",
    "units": "vtkSlicerUnitsLogic",
    "volumes": "vtkSlicerVolumesLogic",
}


class Files(StrictObject):
    """Reads and writes scenes."""

    kind = "qSlicerIOManager"

    def fileType(self, fileName: str) -> str:
        if str(fileName).endswith((".mrb", ".mrml")):
            return "SceneFile"
        raise NotOnHost(f"reader for {fileName}")

    def saveNodes(self, fileType: str, parameters: dict[str, Any], messages: Any = None) -> bool:
        path = Path(self._scene_file(fileType, parameters))
        scene = slicer.mrmlScene
        scene.SetURL(str(path))
        scene.SetRootDirectory(str(path.parent))
        return bool(scene.WriteToMRB(str(path), None, messages))

    def loadNodes(
        self, fileType: str, parameters: dict[str, Any], nodes: Any = None, messages: Any = None
    ) -> bool:
        path = self._scene_file(fileType, parameters)
        clear = bool(parameters.get("clear", False))
        return bool(slicer.mrmlScene.ReadFromMRB(path, clear, messages))

    @staticmethod
    def _scene_file(file_type: str, parameters: dict[str, Any]) -> str:
        name = parameters["fileName"]
        if not isinstance(name, str):
            raise TypeError(f"a file's name is a text, not {name!r}")
        if file_type != "SceneFile" or not name.endswith(".mrb"):
            raise NotOnHost(f"reader or writer for {name}")
        return name


class Application(StrictObject):
    """``slicer.app`` without a window, in testing mode: messages are logged, not shown."""

    kind = "qSlicerApplication"
    applicationName = "Slicer"
    applicationVersion = version("slicer-core")

    def __init__(self, temporary: str) -> None:
        self.temporaryPath = temporary
        self._files = Files()
        self._logic = slicer.vtkSlicerApplicationLogic()

    def applicationLogic(self) -> Any:
        return self._logic

    def mrmlScene(self) -> Any:
        return slicer.mrmlScene

    def testingEnabled(self) -> bool:
        return True

    def processEvents(self) -> None:
        pass

    def pauseRender(self) -> None:
        pass

    def resumeRender(self) -> None:
        pass

    def layoutManager(self) -> None:
        """None, as in Slicer when it runs with ``--no-main-window``."""

    def topLevelWidgets(self) -> list[Any]:
        return []

    def setOverrideCursor(self, cursor: Any) -> None:
        pass

    def restoreOverrideCursor(self) -> None:
        pass

    def translate(self, context: str, text: str) -> str:
        return translation.translate(context, text)

    def coreIOManager(self) -> Files:
        return self._files

    def ioManager(self) -> Files:
        return self._files


class ModuleObject:
    """One of Slicer's modules, as found in ``slicer.modules``."""

    def __init__(self, name: str, path: str, logic: Any = None) -> None:
        self.name, self.path, self._logic = name, path, logic

    def logic(self) -> Any:
        return self._logic


class Qt:
    """The few of Qt's names that ``slicer.util`` calls on its way, as they are without a window."""

    class QApplication:
        setOverrideCursor = staticmethod(lambda cursor: None)
        restoreOverrideCursor = staticmethod(lambda: None)
        overrideCursor = staticmethod(lambda: None)
        processEvents = staticmethod(lambda: None)
        instance = staticmethod(lambda: slicer.app)


def module_of(name: str, source: ModuleType) -> StrictModule:
    """One of Slicer's Python modules, with the names that the host's file offers."""
    facts = recorded("signatures")[name]
    known = {*facts["all"], *facts["functions"], *facts["classes"], *facts["names"]}
    module = StrictModule(name, known, {n: getattr(source, n) for n in source.__all__})
    module.__dict__["__all__"] = facts["all"] or source.__all__
    return module


@contextmanager
def running() -> Iterator[Application]:
    """Slicer's Python names, complete enough for the module file, while the context lasts.

    ``slicer.mrmlScene`` is a new scene with the singletons and defaults that Slicer's module
    logics put into it. Afterwards everything is as it was, so that other tests are not touched.
    """
    modules = StrictModule("slicer.modules", set(), {})
    new_modules: dict[str, ModuleType] = {
        "qt": WindowModule("qt", {"QApplication": Qt.QApplication}),
        "ctk": WindowModule("ctk"),
        "slicer.i18n": module_of("slicer.i18n", translation),
        "slicer.ScriptedLoadableModule": module_of("slicer.ScriptedLoadableModule", scripted),
        "slicer.parameterNodeWrapper": module_of("slicer.parameterNodeWrapper", parameters),
        "slicer.modules": modules,
        "SampleData": module_of("SampleData", sample_data),
    }
    with tempfile.TemporaryDirectory() as temporary:
        app = Application(temporary)
        scene = slicer.vtkMRMLScene()
        names = {n.partition(".")[2]: m for n, m in new_modules.items() if n.startswith("slicer.")}
        names |= {"app": app, "mrmlScene": scene, "selfTests": {}}
        before_modules = {name: sys.modules.get(name) for name in new_modules}
        before_names = {name: getattr(slicer, name, None) for name in names}
        loaded = set(sys.modules)
        try:
            sys.modules.update(new_modules)
            for name, value in names.items():
                setattr(slicer, name, value)
            start(app, scene, modules, temporary)
            yield app
        finally:
            scene.Clear(1)
            scene.RemoveAllObservers()
            forget(loaded, modules)
            restore(before_modules, before_names)


def start(app: Application, scene: Any, modules: StrictModule, temporary: str) -> None:
    """Connect the scene to the application's logic and to the modules' logics."""
    cache, files = slicer.vtkCacheManager(), slicer.vtkDataIOManager()
    cache.SetRemoteCacheDirectory(temporary)
    files.SetCacheManager(cache)
    scene.SetCacheManager(cache)
    scene.SetDataIOManager(files)
    Path(temporary, "share", "ColorFiles").mkdir(parents=True)  # looked into, and left empty
    app.applicationLogic().SetTemporaryPath(temporary)
    app.applicationLogic().SetHomeDirectory(temporary)
    app.applicationLogic().SetShareDirectory("share")
    app.applicationLogic().SetMRMLScene(scene)
    for name, kind in LOGICS.items():
        logic = getattr(slicer, kind)()
        logic.SetMRMLApplicationLogic(app.applicationLogic())
        logic.SetMRMLScene(scene)
        setattr(modules, name, ModuleObject(name, "", logic))


def forget(loaded: set[str], modules: StrictModule) -> None:
    """Drop what was imported from the folders of loaded modules: it may hold the host's names."""
    objects = [m for m in vars(modules).values() if isinstance(m, ModuleObject) and m.path]
    folders = {str(Path(m.path).parent) for m in objects}
    for name in set(sys.modules) - loaded:
        file = getattr(sys.modules[name], "__file__", None) or ""
        if any(file.startswith(folder) for folder in folders):
            del sys.modules[name]


def restore(modules: dict[str, ModuleType | None], names: dict[str, Any]) -> None:
    """Put back what stood under the names before."""
    for name, module in modules.items():
        if module is None:
            del sys.modules[name]
        else:
            sys.modules[name] = module
    for name, value in names.items():
        if value is None:
            delattr(slicer, name)
        else:
            setattr(slicer, name, value)


def load(path: Path) -> ModuleType:
    """Load a module file as Slicer does, make its description, and finish the start-up.

    Call it while :func:`running`.
    """
    name = path.stem
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    parent = scripted.ModuleParent(str(path))
    instance = getattr(module, name)(parent)
    setattr(slicer.modules, name.lower(), ModuleObject(name, str(path)))
    setattr(slicer.modules, f"{name}Instance", instance)
    slicer.app.emit("startupCompleted()")
    return module
