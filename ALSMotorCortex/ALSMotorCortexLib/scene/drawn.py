"""What calipers and traces share: a markup that is followed, and the nodes that show its result.

The markup refers to these nodes by role (``SetNodeReferenceID``) and keeps its options in
a measurement of its own, so both come back with the scene.
"""

from __future__ import annotations

import logging
import sys
import weakref
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import slicer
import vtk
from numpy.typing import NDArray
from vtk.util.numpy_support import numpy_to_vtk

from ..cortex.drawn import RECORD
from ..cortex.errors import InputError
from ..cortex.grid import Image
from ..cortex.result import Finding
from .folders import file_together, remove_empty_folder
from .translation import tr as _
from .volumes import IRON, read_volume

DRAWN = "ALSMotorCortex.Drawn"
"""Node attribute that says what a markup is: ``caliper``, ``trace`` or ``borders``."""


@dataclass
class Followed:
    """A markup that is being followed.

    Attributes:
        node: the markup.
        result: what was found last, or None.
        message: what to tell the user.
        busy: whether its nodes are being written, so that their events are its own.
        seen: what the result was computed from, to leave out repeats.
        made: role to ID of the nodes made for it.
        fresh: whether one of them was made since this was last set to False.
        needs: IDs of the nodes that it is measured from.
        tags: observed objects with the observers' tags.
    """

    node: Any
    result: Any = None
    message: str = ""
    busy: bool = False
    seen: Any = None
    made: dict[str, str] = field(default_factory=dict)
    fresh: bool = False
    needs: set[str] = field(default_factory=set)
    tags: list[tuple[Any, int]] = field(default_factory=list)


class DrawnLogic:
    """Follows markups of some kinds; each change measures anew and updates the nodes.

    Subclasses say what to measure and what to show. After every update ``on_change`` is
    called with the markup, so that a panel can show :meth:`message`.
    """

    kinds: tuple[str, ...] = ()
    class_name = ""
    title = ""

    def __init__(self, scene: Any) -> None:
        self.scene = scene
        self.on_change: Callable[[Any], None] | None = None
        self._followed: dict[str, Followed] = {}
        self._images: dict[str, tuple[Image, tuple[Finding, ...]]] = {}
        self._scene_tags = [
            self._observe(scene, slicer.vtkMRMLScene.NodeRemovedEvent, self._on_removed),
            self._observe(scene, slicer.vtkMRMLScene.EndImportEvent, self._on_imported),
            self._observe(scene, slicer.vtkMRMLScene.StartCloseEvent, self._on_closing),
        ]

    # For callers --------------------------------------------------------------------------

    def add(self, volume: Any) -> Any:
        """A new markup, without points, that is followed on a volume.

        Args:
            volume: a scalar volume node, or None to choose it later.
        """
        name = self.scene.GenerateUniqueName(self.title)
        node = self.scene.AddNewNodeByClass(self.class_name, name)
        node.CreateDefaultDisplayNodes()
        self._new(node)
        self.attach(node, volume)
        return node

    def attach(self, node: Any, volume: Any) -> None:
        """Follows a markup on a volume; also to change the volume."""
        self._attach(node, volume, self.kinds[0])

    def detach(self, node: Any) -> None:
        """Stops following a markup and removes its result from the scene. The markup stays."""
        followed = self._followed.pop(node.GetID(), None)
        if followed is None:
            return
        self._release(followed)
        node.RemoveAttribute(DRAWN)
        for role in [*followed.made, "volume"]:
            node.SetNodeReferenceID(_reference(role), None)
        for index in reversed(range(node.GetNumberOfMeasurements())):
            if node.GetNthMeasurement(index).GetName() in self._measurements() | {RECORD}:
                node.RemoveNthMeasurement(index)
        node.UpdateAllMeasurements()
        self._remove_made(followed)

    def restore(self) -> list[Any]:
        """Follows every markup of the scene that was followed when it was saved.

        It is called by itself after a scene is loaded.
        """
        mine = [node for node in drawn_in(self.scene) if node.GetAttribute(DRAWN) in self.kinds]
        for node in mine:
            if node.GetID() not in self._followed:
                self._follow(node)
                self.update(node)
        return mine

    def attached(self) -> list[Any]:
        """The markups that are followed, oldest first."""
        return [followed.node for followed in self._followed.values()]

    def volume(self, node: Any) -> Any:
        """The volume that a markup is measured on, or None."""
        return node.GetNodeReference(_reference("volume"))

    def iron(self, node: Any) -> str:
        """How iron shows in the volume of a markup, where the user said so; empty elsewhere."""
        volume = self.volume(node)
        return (volume.GetAttribute(IRON) or "") if volume else ""

    def message(self, node: Any) -> str:
        """What to tell the user about a markup, in sentences."""
        followed = self._followed.get(node.GetID()) if node else None
        if followed is None:
            return {
                "caliper": _("Choose or draw a caliper first."),
                "trace": _("Choose or draw a trace first."),
            }[self.kinds[0]]
        return followed.message

    def result(self, node: Any) -> Any:
        """What was found last, or None."""
        followed = self._followed.get(node.GetID())
        return followed.result if followed else None

    def nodes(self, node: Any) -> dict[str, Any]:
        """The nodes that show the result, by role, as far as they exist."""
        followed = self._followed.get(node.GetID())
        roles = followed.made if followed else {}
        found = {role: node.GetNodeReference(_reference(role)) for role in roles}
        return {role: other for role, other in found.items() if other is not None}

    def update(self, node: Any) -> Any:
        """Measures a markup now and brings its nodes up to date.

        Returns:
            the result, or None where there is none; :meth:`message` says why.
        """
        followed = self._followed.get(node.GetID())
        if followed is None or followed.busy or self._unsettled():
            return followed.result if followed else None
        followed.busy = True
        try:
            self._update(followed)
        finally:
            followed.busy = False
        if self.on_change is not None:
            self.on_change(node)
        return followed.result

    def close(self) -> None:
        """Stops following everything. The scene stays as it is."""
        for followed in self._followed.values():
            self._release(followed)
        self._followed.clear()
        self._images.clear()
        for target, tag in self._scene_tags:
            target.RemoveObserver(tag)
        self._scene_tags = []

    def __del__(self) -> None:
        if not sys.is_finalizing():
            self.close()

    # For subclasses -----------------------------------------------------------------------

    def _new(self, node: Any) -> None:
        """Sets up a markup made by :meth:`add`."""

    def _measure(self, followed: Followed, image: Image) -> Any:
        """The result; raises InputError where there is none."""
        raise NotImplementedError

    def _inputs(self, followed: Followed) -> Any:
        """Everything but the image that the result depends on; comparable."""
        raise NotImplementedError

    def _show(self, followed: Followed) -> None:
        """Brings the nodes up to date with ``followed.result``, which may be None."""
        raise NotImplementedError

    def _words(self, followed: Followed) -> str:
        """A sentence with the numbers of ``followed.result``."""
        raise NotImplementedError

    def _watched(self, followed: Followed) -> list[Any]:
        """The markups whose points matter."""
        return [followed.node]

    def _measurements(self) -> set[str]:
        """Titles of the measurements that the markup gets."""
        raise NotImplementedError

    # Following ----------------------------------------------------------------------------

    def _attach(self, node: Any, volume: Any, kind: str) -> None:
        node.SetAttribute(DRAWN, kind)
        node.SetNodeReferenceID(_reference("volume"), volume.GetID() if volume else None)
        self._follow(node)
        self.update(node)

    def _follow(self, node: Any) -> None:
        followed = self._followed.setdefault(node.GetID(), Followed(node))
        followed.seen = None
        self._watch(followed)

    def _watch(self, followed: Followed) -> None:
        """Observes the markups and the volume anew."""
        self._release(followed)
        key = followed.node.GetID()
        for markup in self._watched(followed):
            for event in (
                slicer.vtkMRMLMarkupsNode.PointModifiedEvent,
                slicer.vtkMRMLMarkupsNode.PointRemovedEvent,
                slicer.vtkMRMLTransformableNode.TransformModifiedEvent,
            ):
                followed.tags.append(self._observe(markup, event, self._on_changed, key))
        volume = self.volume(followed.node)
        used = [*self._watched(followed), *([volume] if volume else [])]
        followed.needs = {node.GetID() for node in used} - set(followed.made.values())
        if volume is None:
            return
        for event in (
            slicer.vtkMRMLVolumeNode.ImageDataModifiedEvent,
            slicer.vtkMRMLTransformableNode.TransformModifiedEvent,
            vtk.vtkCommand.ModifiedEvent,
        ):
            followed.tags.append(
                self._observe(volume, event, self._on_image_changed, key, volume.GetID())
            )

    def _on_changed(self, key: str) -> None:
        if (followed := self._followed.get(key)) is not None:
            self._guarded(followed, lambda: self.update(followed.node))

    def _on_image_changed(self, key: str, volume: str) -> None:
        self._images.pop(volume, None)
        if key in self._followed:
            self._followed[key].seen = None
        self._on_changed(key)

    def _guarded(self, followed: Followed, work: Callable[[], Any]) -> None:
        """Runs what an event asks for. A fault ends in the log and a sentence."""
        try:
            work()
        except Exception as error:
            logging.exception("%s could not be measured", followed.node.GetName())
            followed.message = _(
                "{name} could not be measured because of a fault in this software ({error}). "
                "Please report it with the log."
            ).format(name=followed.node.GetName(), error=type(error).__name__)
            if self.on_change is not None:
                self.on_change(followed.node)

    def _update(self, followed: Followed) -> None:
        # The result belongs to what it was computed from; a failure to the same.
        try:
            image, findings = self._image(followed.node)
            seen = (id(image), self._inputs(followed))
            if seen == followed.seen:
                return
            followed.seen = seen
            followed.result = self._measure(followed, image)
            notes = [f.message for f in (*followed.result.findings, *findings)]
            followed.message = " ".join([self._words(followed), *notes]).strip()
        except InputError as error:
            followed.result, followed.message = None, str(error)
        self._show(followed)

    def _image(self, node: Any) -> tuple[Image, tuple[Finding, ...]]:
        """The volume in the world; kept, since a transform may need it resampled."""
        volume = self.volume(node)
        if volume is None:
            text = _("No volume is chosen for {name}, or it was deleted. Choose a volume.")
            raise InputError(text.format(name=node.GetName()))
        if volume.GetID() not in self._images:
            self._images[volume.GetID()] = read_volume(volume)
        return self._images[volume.GetID()]

    def _unsettled(self) -> bool:
        return bool(self.scene.IsClosing() or self.scene.IsImporting())

    def _on_removed(self, removed: Any) -> None:
        if self.scene.IsClosing() or removed is None:
            return
        gone = removed.GetID()
        self._images.pop(gone, None)
        for key, followed in list(self._followed.items()):
            if key == gone or followed.node is removed:
                del self._followed[key]
                self._release(followed)
                self._remove_made(followed)
            elif gone in followed.needs:
                self._watch(followed)
                self._guarded(followed, lambda f=followed: self.update(f.node))

    def _on_imported(self) -> None:
        try:
            self.restore()
        except Exception:
            logging.exception("The scene's calipers and traces could not be followed")

    def _on_closing(self) -> None:
        for followed in self._followed.values():
            self._release(followed)
        self._followed.clear()
        self._images.clear()

    def _observe(
        self, target: Any, event: int, method: Callable[..., None], *given: str
    ) -> tuple[Any, int]:
        """Calls a method of this object after an event, as long as this object lives.

        A strong reference would close a circle through the scene, which Python's garbage
        collector may break where an event still finds a half of this object.

        Args:
            given: what the method is called with. Where that is nothing and the event has a
                node, the node.
        """
        weak = weakref.WeakMethod(method)

        def call(caller: Any, name: str, *node: Any) -> None:
            alive = weak()
            if alive is not None:
                alive(*(given or node))

        if event == slicer.vtkMRMLScene.NodeRemovedEvent:
            call.CallDataType = vtk.VTK_OBJECT
        return target, target.AddObserver(event, call)

    def _release(self, followed: Followed) -> None:
        for target, tag in followed.tags:
            target.RemoveObserver(tag)
        followed.tags = []

    def _remove_made(self, followed: Followed) -> None:
        for made in followed.made.values():
            if (node := self.scene.GetNodeByID(made)) is not None:
                self.scene.RemoveNode(node)
        if not self.scene.IsNodePresent(followed.node):
            remove_empty_folder(self.scene, followed.node)

    # Nodes --------------------------------------------------------------------------------

    def _made(self, followed: Followed, role: str, class_name: str, name: str) -> tuple[Any, bool]:
        """The node of a role, and whether it was made just now."""
        owner = followed.node
        node = owner.GetNodeReference(_reference(role))
        if node is not None:
            followed.made[role] = node.GetID()
            return node, False
        with _placing_goes_on(self.scene):
            node = self.scene.AddNewNodeByClass(class_name, f"{owner.GetName()}: {name}")
        owner.SetNodeReferenceID(_reference(role), node.GetID())
        followed.made[role] = node.GetID()
        followed.fresh = True
        return node, True

    def _table(
        self, followed: Followed, role: str, name: str, columns: Mapping[str, tuple[NDArray, str]]
    ) -> Any:
        """The table of a role, with columns of one length and their units."""
        table, new = self._made(followed, role, "vtkMRMLTableNode", name)
        if new:
            table.SetLocked(True)
            for column, (_values, unit) in columns.items():
                table.SetColumnUnitLabel(column, unit)
        set_columns(table, {column: values for column, (values, _unit) in columns.items()})
        return table

    def _chart(
        self,
        followed: Followed,
        role: str,
        name: str,
        axes: tuple[str, str],
        series: Mapping[str, tuple[Any, str, str, tuple[float, float, float]]],
    ) -> Any:
        """The chart of a role; series by name: table, x and y column, colour."""
        chart, new = self._made(followed, role, "vtkMRMLPlotChartNode", name)
        if new:
            chart.SetTitle(f"{followed.node.GetName()}: {name}")
            chart.SetXAxisTitle(axes[0])
            chart.SetYAxisTitle(axes[1])
            chart.SetLegendFontSize(12)
        for index, (label, (table, x, y, color)) in enumerate(series.items()):
            curve, curve_is_new = self._made(
                followed, f"{role}Series{index + 1}", "vtkMRMLPlotSeriesNode", label
            )
            if curve_is_new:
                curve.SetName(label)
                curve.SetPlotType(slicer.vtkMRMLPlotSeriesNode.PlotTypeScatter)
                curve.SetMarkerStyle(slicer.vtkMRMLPlotSeriesNode.MarkerStyleNone)
                curve.SetXColumnName(x)
                curve.SetYColumnName(y)
                curve.SetColor(*color)
                curve.SetLineWidth(3 if index == 0 else 2)
            curve.SetAndObserveTableNodeID(table.GetID())
            if not chart.HasPlotSeriesNodeID(curve.GetID()):
                chart.AddAndObservePlotSeriesNodeID(curve.GetID())
        return chart

    def _file(self, followed: Followed) -> None:
        """Puts the markup and its nodes into one subject-hierarchy folder."""
        others = [self.scene.GetNodeByID(i) for i in followed.made.values()]
        file_together(
            self.scene, followed.node.GetName(), [followed.node, *(o for o in others if o)]
        )


def drawn_in(scene: Any) -> list[Any]:
    """The calipers and traces of a scene, followed or not."""
    nodes = [scene.GetNthNode(n) for n in range(scene.GetNumberOfNodes())]
    return [node for node in nodes if node.GetAttribute(DRAWN)]


def set_columns(table: Any, columns: Mapping[str, NDArray]) -> None:
    """Replaces the values of a table node's columns, with one event."""
    modifying = table.StartModify()
    data = table.GetTable()
    for name, values in columns.items():
        array = numpy_to_vtk(np.ascontiguousarray(values, dtype=float), deep=True)
        column = data.GetColumnByName(name)
        if column is None:
            column = vtk.vtkDoubleArray()
            column.DeepCopy(array)
            column.SetName(name)
            data.GetRowData().AddArray(column)
        else:
            column.DeepCopy(array)
            column.SetName(name)
            column.Modified()
    data.Modified()
    table.Modified()
    table.EndModify(modifying)


@contextmanager
def _placing_goes_on(scene: Any) -> Iterator[None]:
    """Keeps the markup that the user is placing active.

    Slicer makes every new markup the one that the next click goes into
    (vtkSlicerMarkupsLogic::OnMRMLSceneNodeAdded).
    """
    selection = scene.GetNodeByID("vtkMRMLSelectionNodeSingleton")
    if selection is None or not selection.GetActivePlaceNodeID():
        yield
        return
    class_name, active = (
        selection.GetActivePlaceNodeClassName(),
        selection.GetActivePlaceNodeID(),
    )
    modifying = selection.StartModify()
    try:
        yield
        selection.SetReferenceActivePlaceNodeClassName(class_name)
        selection.SetReferenceActivePlaceNodeID(active)
    finally:
        selection.EndModify(modifying)


def _reference(role: str) -> str:
    """The node-reference role on the markup."""
    return f"ALSMotorCortex.{role}"
