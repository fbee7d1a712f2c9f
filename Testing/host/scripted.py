"""Stands in for ``slicer.ScriptedLoadableModule``: the base classes of a module file."""

from __future__ import annotations

import importlib
import logging
import os
import unittest
from typing import Any

import slicer

from .strict import NotOnHost, StrictObject

__all__ = [
    "ScriptedLoadableModule",
    "ScriptedLoadableModuleLogic",
    "ScriptedLoadableModuleTest",
    "ScriptedLoadableModuleWidget",
]

TEXTS = ("title", "helpText", "acknowledgementText")
LISTS = ("categories", "dependencies", "contributors", "associatedNodeTypes")


class ModuleParent(StrictObject):
    """Slicer's own object of the module, which its Python class describes."""

    kind = "qSlicerScriptedLoadableModule"

    def __init__(self, path: str) -> None:
        self.__dict__.update(path=path, hidden=False, index=-1)

    def __setattr__(self, name: str, value: Any) -> None:
        if name not in (*TEXTS, *LISTS, "hidden", "index"):
            raise AttributeError(f"a module's parent takes no {name} on the host")
        if name in TEXTS and not isinstance(value, str):
            raise TypeError(f"{name} is a text, not {value!r}")
        texts = isinstance(value, list) and all(isinstance(v, str) for v in value)
        if name in LISTS and not texts:
            raise TypeError(f"{name} is a list of texts, not {value!r}")
        self.__dict__[name] = value


class ScriptedLoadableModule:
    """The module's description."""

    def __init__(self, parent: Any) -> None:
        super().__init__()
        self.parent = parent
        self.moduleName = type(self).__name__
        for name in TEXTS:
            setattr(parent, name, "")
        for name in LISTS[:3]:
            setattr(parent, name, [])
        slicer.selfTests[self.moduleName] = self.runTest

    def resourcePath(self, filename: str) -> str:
        """The path of a file under the module's ``Resources``."""
        return os.path.join(os.path.dirname(self.parent.path), "Resources", filename)

    def getDefaultModuleDocumentationLink(self, docPage: str | None = None) -> str:
        raise NotOnHost("online documentation")

    def runTest(self, msec: int = 100, **kwargs: Any) -> None:
        """Run the test class that is called as the module with ``Test`` behind."""
        name = f"{self.moduleName}Test"
        kind = getattr(importlib.import_module(type(self).__module__), name, None)
        if kind is None:
            raise AssertionError(f"the module file has no class {name}")
        case = kind()
        case.messageDelay = msec
        case.runTest(**kwargs)


class ScriptedLoadableModuleWidget:
    """The panel's base class: it can be derived from, but the host has no window to fill."""

    def __init__(self, parent: Any = None) -> None:
        raise NotOnHost("window, and so no panel")

    def resourcePath(self, filename: str) -> str:
        raise NotOnHost("panel")

    def cleanup(self) -> None:
        pass

    def setupDeveloperSection(self) -> None:
        raise NotOnHost("panel")

    def setup(self) -> None:
        raise NotOnHost("panel")

    def onReload(self) -> None:
        raise NotOnHost("panel")

    def onTest(self, **kwargs: Any) -> None:
        raise NotOnHost("panel")

    def onReloadAndTest(self, **kwargs: Any) -> None:
        raise NotOnHost("panel")

    def onEditSource(self) -> None:
        raise NotOnHost("panel")


class ScriptedLoadableModuleLogic:
    """Finds or makes the module's parameter node."""

    def __init__(self, parent: Any = None) -> None:
        super().__init__()
        self.moduleName = type(self).__name__.removesuffix("Logic")
        self.isSingletonParameterNode = True

    def getParameterNode(self) -> Any:
        """The scene's first parameter node of this module, made if there is none."""
        if self.isSingletonParameterNode:
            kind = "vtkMRMLScriptedModuleNode"
            node = slicer.mrmlScene.GetSingletonNode(self.moduleName, kind)
            if node is not None:
                # Closing the scene may take the attribute away.
                if node.GetAttribute("ModuleName") != self.moduleName:
                    node.SetAttribute("ModuleName", self.moduleName)
                return node
        else:
            nodes = self.getAllParameterNodes()
            if nodes:
                return nodes[0]
        return slicer.mrmlScene.AddNode(self.createParameterNode())

    def getAllParameterNodes(self) -> list[Any]:
        """All of the scene's parameter nodes of this module."""
        nodes = slicer.util.getNodesByClass("vtkMRMLScriptedModuleNode")
        return [n for n in nodes if n.GetAttribute("ModuleName") == self.moduleName]

    def createParameterNode(self) -> Any:
        """A new parameter node, not yet in the scene."""
        if slicer.mrmlScene is None:
            return None
        node = slicer.mrmlScene.CreateNodeByClass("vtkMRMLScriptedModuleNode")
        node.UnRegister(None)
        if self.isSingletonParameterNode:
            node.SetSingletonTag(self.moduleName)
        node.SetAttribute("ModuleName", self.moduleName)
        node.SetName(slicer.mrmlScene.GenerateUniqueName(self.moduleName))
        return node


class ScriptedLoadableModuleTest(unittest.TestCase):
    """Base class of the module's self-test."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.moduleTestNames: list[str] = []
        super().__init__(*args, **kwargs)
        self.enableScreenshots = False
        self.screenshotScaleFactor = 1.0
        names = self.moduleTestNames or [n for n in dir(self) if "test" in n]
        self.moduleTestNames = [n for n in names if callable(getattr(self, n))]

    def delayDisplay(
        self, message: str, requestedDelay: int | None = None, msec: int | None = None
    ) -> None:
        """Log a message; the host shows nothing, so nothing waits."""
        slicer.util.delayDisplay(message, 0)

    def takeScreenshot(self, name: str, description: str, type: int = -1) -> None:
        """Log the description; Slicer too takes no picture unless it is asked to."""
        self.delayDisplay(description)
        if self.enableScreenshots:
            raise NotOnHost("window to take a picture of")

    def runTest(self) -> None:
        """Run all methods with ``test`` in their name."""
        if not self.moduleTestNames:
            logging.warning("No test is defined in %s", type(self).__name__)
        self.setUpClass()
        for name in self.moduleTestNames:
            self.setUp()
            logging.info("Running %s", name)
            getattr(self, name)()
            self.tearDown()
        self.tearDownClass()
