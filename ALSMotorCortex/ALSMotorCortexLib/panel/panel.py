"""The panel as a whole: its sections, and when they are brought up to date."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import qt
import slicer
import vtk
from slicer.i18n import tr as _
from slicer.util import VTKObservationMixin

from ..hooks import shortcuts
from .caliper import CaliperSection
from .echoes import EchoesSection
from .inputs import InputsSection
from .measure import MeasureSection
from .report import ReportSection
from .results import ResultsSection
from .section import Section
from .trace import TraceSection

SECTIONS: tuple[type[Section], ...] = (
    EchoesSection,
    InputsSection,
    MeasureSection,
    ResultsSection,
    CaliperSection,
    TraceSection,
    ReportSection,
)
"""In the order of the window."""

# A new node of these kinds may be something to choose.
_INPUTS = (
    "vtkMRMLScalarVolumeNode",
    "vtkMRMLSegmentationNode",
    "vtkMRMLSequenceNode",
    "vtkMRMLMarkupsFiducialNode",
)


class Panel(VTKObservationMixin):
    """Holds the sections and connects them to a parameter node.

    Attributes:
        scene: the vtkMRMLScene.
        logic: the module's logic.
        parameters: the parameter node that is shown; None while a scene is closed or read.
        sections: by name.
        ui: all widgets by name.
    """

    def __init__(self, folder: Path, logic: Any) -> None:
        """
        Args:
            folder: with the .ui files.
            logic: a :class:`..module_logic.ModuleLogic`.
        """
        VTKObservationMixin.__init__(self)
        self.scene = logic.scene
        self.logic = logic
        self.parameters: Any = None
        self.widget = slicer.util.loadUI(str(folder / "ALSMotorCortex.ui"))
        self.ui = SimpleNamespace(**vars(slicer.util.childWidgetVariables(self.widget)))
        self._guiTag: Any = None
        self._observed: list[Any] = []
        self._newNodes = False
        self._drawn: Any = None
        self._shortcuts: list[Any] = []
        self._refreshTimer = self.timer(0, self.refresh, single=True)
        self._drawnTimer = self.timer(0, self.refresh_drawn, single=True)
        self.sections = {kind.name: kind(self, folder / "Sections") for kind in SECTIONS}
        for section in self.sections.values():
            self.ui.sectionsWidget.layout().addWidget(section.widget)
            vars(self.ui).update(vars(section.ui))
            section.setup()
            for name, button in section.shortcuts().items():
                button.toolTip = f"{button.toolTip} ({shortcuts.SHORTCUTS[name]})"
        self.ui.guideLabel.connect("linkActivated(QString)", self.on_guide)
        for drawn in (logic.calipers, logic.traces):
            drawn.on_change = self.on_drawn

    def __getitem__(self, name: str) -> Any:
        return self.sections[name]

    def timer(self, milliseconds: int, call: Callable[[], None], single: bool = False) -> Any:
        """A QTimer that is not started yet."""
        timer = qt.QTimer(self.widget)
        timer.interval = milliseconds
        timer.setSingleShot(single)
        timer.connect("timeout()", call)
        return timer

    # Life of the panel --------------------------------------------------------------------

    def close(self) -> None:
        """The application closes or the module is reloaded."""
        self.leave_scene()
        self.removeObservers()
        self.remove_shortcuts()

    def add_shortcuts(self) -> None:
        """The user opens the module."""
        self.remove_shortcuts()
        parts = [section.shortcuts() for section in self.sections.values()]
        actions = {name: button.click for part in parts for name, button in part.items()}
        self._shortcuts = shortcuts.install(slicer.util.mainWindow(), actions)

    def remove_shortcuts(self) -> None:
        """The user opens another module."""
        shortcuts.uninstall(self._shortcuts)
        self._shortcuts = []

    def leave_scene(self) -> None:
        """The scene is about to be closed, or the panel: nothing is shown any more."""
        for section in self.sections.values():
            section.say("")  # What was said is of nodes that go.
            section.closing()
        self.show(None)
        self._observe([])

    def show(self, parameters: Any) -> None:
        """Connects the panel to a parameter node, or to none."""
        if self.parameters is not None:
            self.parameters.disconnectGui(self._guiTag)
            self.removeObserver(
                self.parameters.parameterNode, vtk.vtkCommand.ModifiedEvent, self.refresh_later
            )
        self.parameters = parameters
        for section in self.sections.values():
            section.connected()
        self._newNodes = True
        self._drawn = None
        if parameters is not None:
            self._guiTag = parameters.connectGui(self.ui)
            # The node, not its wrapper: what was observed once is kept, and a wrapper that is kept
            # goes on reading the node.
            self.addObserver(
                parameters.parameterNode, vtk.vtkCommand.ModifiedEvent, self.refresh_later
            )
            self.refresh_later()

    def node_added(self, node: Any) -> None:
        """A node came into the scene."""
        # Choices are filled in when something to choose appears, not whenever one is empty:
        # the user may have emptied it.
        self._newNodes = self._newNodes or any(node.IsA(kind) for kind in _INPUTS)
        self.refresh_later()

    def measure_segmentation(self, segmentation: Any) -> None:
        """Chooses a segmentation and measures it when nothing is missing."""
        self.parameters.segmentation = segmentation
        self.refresh()
        self.open("inputs", "measure")
        if self.ui.measureButton.enabled:
            self["measure"].on_start()

    # What the panel shows -----------------------------------------------------------------

    def open(self, *names: str) -> None:
        """Unfolds sections."""
        for name in names:
            self.sections[name].open()

    def refresh_later(self, caller: Any = None, event: Any = None) -> None:
        """Brings the panel up to date once the present events are over."""
        self._refreshTimer.start()

    def refresh(self) -> None:
        """Brings the panel up to date with the scene."""
        if self.parameters is None or self.scene.IsBatchProcessing():
            return
        if self._newNodes:
            self._newNodes = False
            self["echoes"].fill_in()
            self["inputs"].fill_in()
            self._lead_on()
        for section in self.sections.values():
            with section.message():
                section.refresh()
        self.ui.guideLabel.text = self._guide()
        self.ui.guideLabel.visible = bool(self.ui.guideLabel.text)
        watched = [node for part in self.sections.values() for node in part.watched()]
        self._observe([node for node in watched if node is not None])

    def _observe(self, nodes: list[Any]) -> None:
        if nodes == self._observed:
            return
        for node in self._observed:
            for event in _events_of(node):
                self.removeObserver(node, event, self.refresh_later)
        for node in nodes:
            for event in _events_of(node):
                self.addObserver(node, event, self.refresh_later)
        self._observed = nodes

    # Calipers and traces --------------------------------------------------------------------

    def on_drawn(self, node: Any) -> None:
        """A caliper or trace was measured anew."""
        self._drawn = node
        self._drawnTimer.start()

    def refresh_drawn(self) -> None:
        """Shows what the caliper and the trace say; called at every drag."""
        if self.parameters is None:
            return
        for name in ("caliper", "trace"):
            with self[name].message():
                self[name].refresh()
        drawn, self._drawn = self._drawn, None
        if drawn is not None:
            with self["trace"].message():
                if self.logic.show_drawn(drawn):
                    self["results"].fit_plots()

    # What to do next ------------------------------------------------------------------------

    def _lead_on(self) -> None:
        """Opens the section to go on with: without a segmentation that is Trace."""
        p = self.parameters
        tracing = p.image is not None and p.segmentation is None
        self.ui.measureCollapsibleButton.collapsed = tracing
        if tracing:
            self.open("trace")

    def _guide(self) -> str:
        """What to do next, in a sentence with a link."""
        p = self.parameters
        if p.image is None:
            return _(
                'Load an image of the motor cortex, or <a href="sample">make the sample case</a>.'
            )
        if p.segmentation is None:
            return _(
                "There is no segmentation, so start with a trace: "
                '<a href="trace">draw a curve along M1</a>. Both borders are found for you.'
            )
        return ""

    def on_guide(self, link: str) -> None:
        """A link in the line that says what to do next."""
        {"sample": self["inputs"].on_sample_data, "trace": self["trace"].on_new}[link]()


def _events_of(node: Any) -> tuple[Any, ...]:
    """Events of a node after which other things can be measured."""
    if node.IsA("vtkMRMLSegmentationNode"):
        return (
            slicer.vtkSegmentation.SegmentAdded,
            slicer.vtkSegmentation.SegmentRemoved,
            slicer.vtkSegmentation.SegmentModified,
            slicer.vtkSegmentation.SourceRepresentationModified,
        )
    return (
        slicer.vtkMRMLMarkupsNode.PointModifiedEvent,
        slicer.vtkMRMLMarkupsNode.PointPositionDefinedEvent,
        slicer.vtkMRMLMarkupsNode.PointRemovedEvent,
    )
