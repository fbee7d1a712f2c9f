"""The module as Slicer loads it: what the window shows and what its buttons call."""

from __future__ import annotations

import enum
import html
import logging
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, get_type_hints

import ctk
import qt
import slicer
import vtk
from slicer import (
    vtkMRMLMarkupsCurveNode,
    vtkMRMLMarkupsFiducialNode,
    vtkMRMLMarkupsLineNode,
    vtkMRMLScalarVolumeNode,
    vtkMRMLSegmentationNode,
)
from slicer.i18n import tr as _
from slicer.i18n import translate
from slicer.parameterNodeWrapper import WithinRange, parameterNodeWrapper
from slicer.ScriptedLoadableModule import (
    ScriptedLoadableModule,
    ScriptedLoadableModuleLogic,
    ScriptedLoadableModuleTest,
    ScriptedLoadableModuleWidget,
)
from slicer.util import VTKObservationMixin

from ALSMotorCortexLib import sample_data
from ALSMotorCortexLib.cortex.errors import Cancelled, InputError
from ALSMotorCortexLib.hooks import shortcuts
from ALSMotorCortexLib.hooks.register import register
from ALSMotorCortexLib.scene import inputs as scene_inputs
from ALSMotorCortexLib.scene import layout, results, runner, tables, views
from ALSMotorCortexLib.scene.caliper import CaliperLogic
from ALSMotorCortexLib.scene.trace import TraceLogic
from ALSMotorCortexLib.window_report import save_report

README = Path(__file__).resolve().parents[1] / "README.md"
SAMPLE_CATEGORY = "ALS Motor Cortex"
SAMPLES = {"patient": "SyntheticPatient", "control": "SyntheticControl"}

# Pause between two looks at a run, for the window; each look lets the run work for 30 ms.
POLL_MS = 10


class ALSMotorCortex(ScriptedLoadableModule):
    """What the module is called and where it is found."""

    def __init__(self, parent: Any) -> None:
        ScriptedLoadableModule.__init__(self, parent)
        self.parent.title = _("ALS Motor Cortex")
        self.parent.categories = [translate("qSlicerAbstractCoreModule", "Quantification")]
        self.parent.dependencies = ["Markups", "Segmentations", "SubjectHierarchy", "Tables"]
        self.parent.contributors = ["The ALSMotorCortex contributors"]
        self.parent.helpText = _(
            "Measures the thickness and the laminar signal of the primary motor cortex on "
            "high-resolution MRI: in a segmentation, with a caliper, or along a traced curve. "
            "For research only; not a medical device. "
            'How to use it and how it measures: <a href="{readme}">README</a>.'
        ).format(readme=README.as_uri())
        self.parent.acknowledgementText = _(
            "The measure follows Cosottini et al., AJNR 2016, 37:455. The methods behind each "
            "number are named in the README."
        )
        slicer.app.connect("startupCompleted()", registerExtras)


def registerExtras() -> None:
    """Adds the sample case to Sample Data and the module's layouts to the layout menu."""
    import SampleData

    icons = Path(__file__).parent / "Resources" / "Icons"
    for group, name in SAMPLES.items():
        SampleData.SampleDataLogic.registerCustomSampleDataSource(
            category=SAMPLE_CATEGORY,
            sampleName=name,
            # Nothing is downloaded: the case is computed here.
            uris="",
            fileNames=name,
            nodeNames=name,
            thumbnailFileName=str(icons / f"{name}.png"),
            customDownloader=lambda source, group=group: loadSampleCase(group),
        )
    layout.register(slicer.mrmlScene)
    if hasattr(slicer.modules, "subjecthierarchy"):
        register()


def loadSampleCase(group: str = "patient") -> dict[str, Any]:
    """Makes a sample case, of a ``patient`` or a ``control``, with a message, and shows it."""
    slicer.util.showStatusMessage(_("Making the synthetic motor cortex..."))
    with slicer.util.WaitCursor():
        slicer.app.processEvents()
        nodes = sample_data.add_sample(slicer.mrmlScene, sample_data.sample_case(group))
    layout.show_image(slicer.mrmlScene, nodes["T2star"])
    slicer.util.showStatusMessage(_("The synthetic motor cortex is loaded."), 3000)
    return nodes


# Settings ---------------------------------------------------------------------------------


class Choice(enum.Enum):
    """A setting with a few values. Its value is what the library calls it."""

    def label(self) -> str:
        """As shown in a combo box."""
        return _LABELS[self]


class Plane(Choice):
    NONE = "none"
    AXIAL = "axial"
    CORONAL = "coronal"
    SAGITTAL = "sagittal"


class LayerDepth(Choice):
    EQUIVOLUME = "equivolume"
    EQUIDISTANT = "equidistant"


class Reference(Choice):
    NONE = "none"
    WHITE_MATTER = "white_matter"
    CSF = "csf"


class LabelStyle(Choice):
    TISSUE = "tissue"
    RIM = "rim"


class Rerun(Choice):
    UPDATE = "update"
    ADD = "add"


class Overlay(Choice):
    THICKNESS = "thickness"
    DEPTH_EQUIVOLUME = "depth_equivolume"
    DEPTH_EQUIDISTANT = "depth_equidistant"
    NOTHING = ""


_LABELS: dict[Choice, str] = {
    Plane.NONE: _("in 3D"),
    Plane.AXIAL: _("within axial slices"),
    Plane.CORONAL: _("within coronal slices"),
    Plane.SAGITTAL: _("within sagittal slices"),
    LayerDepth.EQUIVOLUME: _("equivolume"),
    LayerDepth.EQUIDISTANT: _("equidistant"),
    Reference.NONE: _("nothing"),
    Reference.WHITE_MATTER: _("adjacent white matter"),
    Reference.CSF: _("adjacent CSF"),
    LabelStyle.TISSUE: _("tissue"),
    LabelStyle.RIM: _("border lines (rim)"),
    Rerun.UPDATE: _("updates the results"),
    Rerun.ADD: _("adds results"),
    Overlay.THICKNESS: _("thickness"),
    Overlay.DEPTH_EQUIVOLUME: _("depth, equivolume"),
    Overlay.DEPTH_EQUIDISTANT: _("depth, equidistant"),
    Overlay.NOTHING: _("none"),
}

# What a segment can be: as kept in the parameter node, and as shown.
ROLES = {
    "": _("not used"),
    "gray": _("gray matter"),
    "white": _("white matter"),
    "csf": _("CSF"),
    "other_bank": _("opposite bank"),
    "regions": _("region"),
}


@parameterNodeWrapper
class ALSMotorCortexParameterNode:
    """All choices of the panel; they are saved with the scene.

    Attributes:
        image: measured first, and what calipers and traces are placed on.
        maps: further maps.
        segmentation: holds the tissues.
        roles: for each segment ID a key of :data:`ROLES`.
        dividers: two points that part foot, hand and face.
        caliper, trace: the line and the curve that the panel shows.
        pialCurve, whiteCurve: borders drawn by hand.
        plane, layers, layerDepth, bins, reference, labelStyle, fillHoles, dropIslands,
        columnWidth: see the library's settings.
        rerun: what a second run does.
        overlay, overlayOpacity, showLayers, showSurface: what the views show.
    """

    image: vtkMRMLScalarVolumeNode
    maps: list[vtkMRMLScalarVolumeNode]
    segmentation: vtkMRMLSegmentationNode
    roles: dict[str, str]
    dividers: vtkMRMLMarkupsFiducialNode
    caliper: vtkMRMLMarkupsLineNode
    trace: vtkMRMLMarkupsCurveNode
    pialCurve: vtkMRMLMarkupsCurveNode
    whiteCurve: vtkMRMLMarkupsCurveNode
    plane: Plane = Plane.NONE
    layers: Annotated[int, WithinRange(1, 20)] = 3
    layerDepth: LayerDepth = LayerDepth.EQUIVOLUME
    bins: Annotated[int, WithinRange(2, 100)] = 20
    reference: Reference = Reference.NONE
    labelStyle: LabelStyle = LabelStyle.TISSUE
    fillHoles: Annotated[float, WithinRange(0, 100)] = 1.0
    dropIslands: Annotated[float, WithinRange(0, 100)] = 1.0
    columnWidth: Annotated[float, WithinRange(0.1, 10)] = 1.0
    rerun: Rerun = Rerun.UPDATE
    overlay: Overlay = Overlay.THICKNESS
    overlayOpacity: Annotated[float, WithinRange(0, 1)] = 1.0
    showLayers: bool = False
    showSurface: bool = True


# Panel ------------------------------------------------------------------------------------


class ALSMotorCortexWidget(ScriptedLoadableModuleWidget, VTKObservationMixin):
    """Connects the panel to the logic; it decides nothing by itself."""

    def __init__(self, parent: Any = None) -> None:
        ScriptedLoadableModuleWidget.__init__(self, parent)
        VTKObservationMixin.__init__(self)
        self.logic: ALSMotorCortexLogic | None = None
        self._parameters: Any = None
        self._guiTag: Any = None
        self._run: Any = None
        self._observed: list[Any] = []
        self._shown: Any = None
        self._newNodes = False
        self._drawn: Any = None
        self._tables: list[tuple[Any, Any]] = []
        self._shortcuts: list[Any] = []

    # Life of the panel --------------------------------------------------------------------

    def setup(self) -> None:
        """Builds the panel when the user first opens the module."""
        ScriptedLoadableModuleWidget.setup(self)
        panel = slicer.util.loadUI(self.resourcePath("UI/ALSMotorCortex.ui"))
        self.layout.addWidget(panel)
        self.ui = slicer.util.childWidgetVariables(panel)
        panel.setMRMLScene(slicer.mrmlScene)
        self.logic = ALSMotorCortexLogic()
        self._refreshTimer = self._timer(0, self.refresh, single=True)
        self._drawnTimer = self._timer(0, self._showDrawn, single=True)
        self._pollTimer = self._timer(POLL_MS, self.onPoll)
        for drawn in (self.logic.calipers, self.logic.traces):
            drawn.on_change = self.onDrawn
        self._prepareTables()
        self._connectButtons()
        scene = slicer.mrmlScene
        self.addObserver(scene, scene.StartCloseEvent, self.onSceneStartClose)
        self.addObserver(scene, scene.EndCloseEvent, self.onSceneEndClose)
        self.addObserver(scene, scene.StartImportEvent, self.onSceneStartImport)
        self.addObserver(scene, scene.EndImportEvent, self.onSceneEndImport)
        self.addObserver(scene, scene.NodeAddedEvent, self.onNodeAdded)
        self.addObserver(scene, scene.NodeRemovedEvent, self.refreshLater)
        self.initializeParameterNode()

    def _timer(self, milliseconds: int, call: Callable[[], None], single: bool = False) -> Any:
        timer = qt.QTimer(self.parent)
        timer.interval = milliseconds
        timer.setSingleShot(single)
        timer.connect("timeout()", call)
        return timer

    def _prepareTables(self) -> None:
        table = self.ui.segmentsTable
        table.columnCount = 2
        table.setHorizontalHeaderLabels([_("Segment"), _("What it is")])
        table.horizontalHeader().setSectionResizeMode(qt.QHeaderView.Stretch)
        table.verticalHeader().hide()
        self.ui.measuresTableView.setMinimumHeight(110)
        for name in ("image", "maps", "segmentation", "dividers"):
            # A long node name must not widen the panel.
            selector = getattr(self.ui, f"{name}Selector")
            selector.setMinimumWidth(80)

    def _connectButtons(self) -> None:
        ui = self.ui
        clicks = {
            "sampleDataButton": self.onSampleData,
            "segmentEditorButton": self.onSegmentEditor,
            "placeDividersButton": self.onPlaceDividers,
            "measureButton": self.onMeasure,
            "cancelButton": self.onCancel,
            "arrangeButton": self.onArrange,
            "newCaliperButton": self.onNewCaliper,
            "newTraceButton": self.onNewTrace,
            "makeRibbonButton": self.onMakeRibbon,
            "attachBordersButton": self.onAttachBorders,
            "saveReportButton": self.onSaveReport,
        }
        for name, call in clicks.items():
            getattr(ui, name).connect("clicked()", call)
        ui.guideLabel.connect("linkActivated(QString)", self.onGuide)
        ui.mapsSelector.connect("checkedNodesChanged()", self.onMapsChecked)
        ui.segmentationSelector.connect(
            "currentNodeChanged(vtkMRMLNode*)", self.onSegmentationChosen
        )
        ui.resultComboBox.connect("activated(int)", self.onResultChosen)
        ui.chartComboBox.connect("activated(int)", self.onChartChosen)
        ui.measuresTableView.connect("selectionChanged()", self.onRowSelected)
        for name in ("measure", "caliper", "trace", "layout", "report"):
            key = shortcuts.SHORTCUTS[name]
            button = getattr(ui, _BUTTON_OF_SHORTCUT[name])
            button.toolTip = f"{button.toolTip} ({key})"

    def cleanup(self) -> None:
        """The application closes or the module is reloaded."""
        self._dropRun()
        self.setParameterNode(None)
        self._observe([])
        self.removeObservers()
        shortcuts.uninstall(self._shortcuts)
        self._shortcuts = []
        for view, call in self._tables:
            view.disconnect("selectionChanged()", call)
        self._tables = []
        if self.logic is not None:
            self.logic.close()

    def enter(self) -> None:
        """The user opens the module."""
        self.initializeParameterNode()
        actions = {name: getattr(self.ui, b).click for name, b in _BUTTON_OF_SHORTCUT.items()}
        shortcuts.uninstall(self._shortcuts)
        self._shortcuts = shortcuts.install(slicer.util.mainWindow(), actions)

    def exit(self) -> None:
        """The user opens another module."""
        shortcuts.uninstall(self._shortcuts)
        self._shortcuts = []

    def onSceneStartClose(self, caller: Any, event: Any) -> None:
        running = self._run is not None
        self._dropRun()
        self.logic.measured.clear()
        self.setParameterNode(None)
        self._observe([])
        if running:
            self._say("measure", _("The scene was closed, so the measurement was stopped."))

    def onSceneEndClose(self, caller: Any, event: Any) -> None:
        self.initializeParameterNode()

    def onSceneStartImport(self, caller: Any, event: Any) -> None:
        # The file may hold settings that this version cannot read; they are looked at afterwards.
        self.setParameterNode(None)

    def onSceneEndImport(self, caller: Any, event: Any) -> None:
        self.initializeParameterNode()

    def initializeParameterNode(self) -> None:
        """Observes the scene's parameter node and fills in what can be told by itself."""
        self._newNodes = True
        self._drawn = None
        self.setParameterNode(self.logic.getParameterNode())

    @vtk.calldata_type(vtk.VTK_OBJECT)
    def onNodeAdded(self, caller: Any, event: Any, node: Any) -> None:
        # Choices are filled in when something to choose appears, not whenever one is empty:
        # the user may have emptied it.
        kinds = ("vtkMRMLScalarVolumeNode", "vtkMRMLSegmentationNode", "vtkMRMLMarkupsFiducialNode")
        self._newNodes = self._newNodes or any(node.IsA(kind) for kind in kinds)
        self.refreshLater()

    def setParameterNode(self, parameters: Any) -> None:
        """Connects the panel to a parameter node, or to none."""
        if self._parameters is not None:
            self._parameters.disconnectGui(self._guiTag)
            self.removeObserver(
                self._parameters.parameterNode, vtk.vtkCommand.ModifiedEvent, self.refreshLater
            )
        self._parameters = parameters
        self._shown = None
        if parameters is not None:
            self._guiTag = parameters.connectGui(self.ui)
            # The node, not its wrapper: what was observed once is kept, and a wrapper that is kept
            # goes on reading the node.
            self.addObserver(
                parameters.parameterNode, vtk.vtkCommand.ModifiedEvent, self.refreshLater
            )
            self.refreshLater()

    # What the panel shows -----------------------------------------------------------------

    def refreshLater(self, caller: Any = None, event: Any = None) -> None:
        """Brings the panel up to date once the present events are over."""
        self._refreshTimer.start()

    def refresh(self) -> None:
        """Brings the panel up to date with the scene."""
        if self._parameters is None or slicer.mrmlScene.IsBatchProcessing():
            return
        with self._message("measure"):
            if self._newNodes:
                self._newNodes = False
                self.logic.suggest(self._parameters)
                self._leadOn()
            if self._parameters.dividers is not None:
                self.logic.finishDividers(self._parameters.dividers)
            self._hideResultVolumes()
            self._showMaps()
            self._showSegments()
            self._showReady()
            self._showResults()
        self._showDrawn()
        self._observe(self._watched())

    def onDrawn(self, node: Any) -> None:
        """A caliper or trace was measured anew."""
        self._drawn = node
        self._drawnTimer.start()

    def _showDrawn(self) -> None:
        """Shows what the caliper and the trace say; called at every drag."""
        if self._parameters is None:
            return
        with self._message("caliper"):
            self._showCaliper()
        with self._message("trace"):
            self._showTrace()
            if self._drawn is not None:
                self.logic.showDrawn(self._drawn)
                self._fitPlots()
            self._drawn = None

    def _fitPlots(self) -> None:
        """A plot keeps its range when its table changes; what is drawn anew should be seen."""
        manager = slicer.app.layoutManager()
        if manager is not None and layout.is_drawing(slicer.mrmlScene):
            for n in range(manager.plotViewCount):
                manager.plotWidget(n).plotView().fitToContent()

    def _watched(self) -> list[Any]:
        """Nodes whose changes bear on what can be measured."""
        nodes = [self._parameters.segmentation, self._parameters.dividers]
        return [node for node in nodes if node is not None]

    def _observe(self, nodes: list[Any]) -> None:
        if nodes == self._observed:
            return
        for node in self._observed:
            for event in _events_of(node):
                self.removeObserver(node, event, self.refreshLater)
        for node in nodes:
            for event in _events_of(node):
                self.addObserver(node, event, self.refreshLater)
        self._observed = nodes

    def _hideResultVolumes(self) -> None:
        """Keeps thickness and depth out of the lists of images to measure."""
        hidden = [node.GetID() for node in self.logic.ownVolumes()]
        for selector in (self.ui.imageSelector, self.ui.mapsSelector):
            model = selector.sortFilterProxyModel()
            if list(model.hiddenNodeIDs) != hidden:
                model.hiddenNodeIDs = hidden

    def _showMaps(self) -> None:
        chosen = list(self._parameters.maps)
        selector = self.ui.mapsSelector
        blocked = selector.blockSignals(True)
        for node in [*selector.checkedNodes(), *selector.uncheckedNodes()]:
            state = qt.Qt.Checked if node in chosen else qt.Qt.Unchecked
            if selector.checkState(node) != state:
                selector.setCheckState(node, state)
        selector.blockSignals(blocked)

    def _showSegments(self) -> None:
        table = self.ui.segmentsTable
        segments = self.logic.segments(self._parameters)
        table.visible = bool(segments)
        names = [(key, name) for key, name, _color in segments]
        shown = [
            (table.item(n, 0).data(qt.Qt.UserRole), table.item(n, 0).text())
            for n in range(table.rowCount)
        ]
        if names != shown:
            self._fillSegments(segments)
        roles = dict(self._parameters.roles)
        for row, (key, _name) in enumerate(names):
            box = table.cellWidget(row, 1)
            box.currentIndex = list(ROLES).index(roles.get(key, ""))

    def _fillSegments(self, segments: list[tuple[str, str, Any]]) -> None:
        table = self.ui.segmentsTable
        table.rowCount = len(segments)
        for row, (key, name, color) in enumerate(segments):
            item = qt.QTableWidgetItem(name)
            item.setData(qt.Qt.UserRole, key)
            swatch = qt.QPixmap(12, 12)
            swatch.fill(qt.QColor.fromRgbF(*color))
            item.setIcon(qt.QIcon(swatch))
            table.setItem(row, 0, item)
            box = qt.QComboBox()
            box.toolTip = table.toolTip
            for text in ROLES.values():
                box.addItem(text)
            box.connect("activated(int)", lambda index, key=key: self.onRole(key, index))
            table.setCellWidget(row, 1, box)
        table.resizeRowsToContents()
        rows = min(len(segments), 8)
        height = sum(table.rowHeight(n) for n in range(rows)) + table.horizontalHeader().height
        table.setFixedHeight(height + 4)

    def _showReady(self) -> None:
        running = self._run is not None
        reason = self.logic.reason(self._parameters)
        ui = self.ui
        ui.measureButton.enabled = not running and not reason
        ui.cancelButton.enabled = running
        ui.progressBar.visible = running
        ui.reasonLabel.text = "" if running else reason
        ui.sampleDataButton.visible = self._parameters.image is None
        ui.guideLabel.text = self._guide()
        ui.guideLabel.visible = bool(ui.guideLabel.text)
        ui.newCaliperButton.enabled = ui.newTraceButton.enabled = self._parameters.image is not None

    def _leadOn(self) -> None:
        """Opens the section to go on with: without a segmentation that is Trace."""
        p = self._parameters
        tracing = p.image is not None and p.segmentation is None
        self.ui.measureCollapsibleButton.collapsed = tracing
        if tracing:
            self._open("trace")

    def _guide(self) -> str:
        """What to do next, in a sentence with a link."""
        p = self._parameters
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

    def _showResults(self) -> None:
        box = self.ui.resultComboBox
        found = self.logic.results()
        names = [name for name, nodes in found]
        if [box.itemText(n) for n in range(box.count)] != names:
            box.clear()
            box.addItems(names)
            box.currentIndex = len(names) - 1
        nodes = self._resultNodes()
        reason = self.logic.reportReason(nodes)
        self.ui.saveReportButton.enabled = not reason
        self.ui.reportReasonLabel.text = reason
        for widget in (box, self.ui.overlayComboBox, self.ui.chartComboBox, self.ui.arrangeButton):
            widget.enabled = bool(nodes)
        maps = [key.removeprefix("chart:") for key in nodes if key.startswith("chart:")]
        chart = self.ui.chartComboBox
        if [chart.itemText(n) for n in range(chart.count)] != maps:
            chart.clear()
            chart.addItems(maps)
            shown = layout.shown_chart(slicer.mrmlScene)
            charts = [nodes[f"chart:{name}"] for name in maps]
            if shown in charts:
                chart.currentIndex = charts.index(shown)
        table = nodes.get("measures")
        if self.ui.measuresTableView.mrmlTableNode() is not table:
            self.ui.measuresTableView.setMRMLTableNode(table)
        self.ui.measuresTableView.visible = table is not None
        self.ui.findingsLabel.text = self.logic.findings(nodes)
        self._applyView(nodes)

    def _resultNodes(self) -> dict[str, Any]:
        found = self.logic.results()
        index = self.ui.resultComboBox.currentIndex
        return found[index][1] if 0 <= index < len(found) else {}

    def _applyView(self, nodes: dict[str, Any]) -> None:
        """Shows what the panel says, once it says something new."""
        p = self._parameters
        volume = nodes.get("thickness")
        wanted = (
            volume.GetID() if volume else "",
            p.overlay,
            p.overlayOpacity,
            p.showLayers,
            p.showSurface,
        )
        # What the user set up by other means stays until the panel is changed.
        if self._shown not in (None, wanted):
            self._showResult(nodes)
        self._shown = wanted

    def _showCaliper(self) -> None:
        line = self._parameters.caliper
        self.ui.caliperNumbersLabel.text = measurements_text(line)
        self._say("caliper", self.logic.calipers.message(line) if line else "")

    def _showTrace(self) -> None:
        p = self._parameters
        self.ui.traceNumbersLabel.text = measurements_text(p.trace)
        self._say("trace", self.logic.traces.message(p.trace) if p.trace else "")
        reason = self.logic.ribbonReason(p)
        self.ui.makeRibbonButton.enabled = not reason
        self.ui.ribbonReasonLabel.text = reason
        self.ui.attachBordersButton.enabled = bool(p.pialCurve and p.whiteCurve and p.image)

    @contextmanager
    def _message(self, section: str) -> Iterator[None]:
        """Says what went wrong in a section of the panel, and never with a traceback."""
        try:
            yield
        except (InputError, Cancelled) as error:
            self._say(section, str(error), problem=True)
        except Exception as error:
            logging.error("ALS Motor Cortex: %s: %s", type(error).__name__, error)
            logging.debug("ALS Motor Cortex", exc_info=True)
            self._say(
                section,
                _(
                    "This did not work because of an error in the module ({error}). Nothing in "
                    "the scene was removed. Save the scene and report the error log."
                ).format(error=error),
                problem=True,
            )

    def _say(self, section: str, text: str, problem: bool = False) -> None:
        label = getattr(self.ui, f"{section}MessageLabel")
        label.text = f"<b>⚠</b> {html.escape(text)}" if problem and text else html.escape(text)
        label.visible = bool(text)

    # What the user does -------------------------------------------------------------------

    def onGuide(self, link: str) -> None:
        """A link in the line that says what to do next."""
        {"sample": self.onSampleData, "trace": self.onNewTrace}[link]()

    def onSampleData(self) -> None:
        with self._message("measure"):
            nodes = loadSampleCase()
            with slicer.util.NodeModify(self._parameters):
                self._parameters.image = nodes["T2star"]
                self._parameters.maps = [nodes["R2star"]]
                self._parameters.segmentation = nodes["segmentation"]
                self._parameters.dividers = nodes["dividers"]
            self._open("inputs", "measure")

    def onMapsChecked(self) -> None:
        if self._parameters is not None:
            self._parameters.maps = list(self.ui.mapsSelector.checkedNodes())

    def onSegmentationChosen(self, node: Any) -> None:
        """Another segmentation: what was said of the other one's segments is void."""
        if self._parameters is not None and self.logic is not None:
            with self._message("measure"):
                self.logic.suggestRoles(self._parameters)

    def onRole(self, segmentId: str, index: int) -> None:
        self._parameters.roles[segmentId] = list(ROLES)[index]

    def onSegmentEditor(self) -> None:
        """Opens the Segment Editor with the panel's image and segmentation set."""
        with self._message("measure"):
            node = self.logic.segmentationToEdit(self._parameters)
            image = self._parameters.image
            slicer.util.selectModule("SegmentEditor")
            editor = slicer.modules.SegmentEditorWidget.editor
            editor.setSegmentationNode(node)
            if image is not None:
                editor.setSourceVolumeNode(image)

    def onPlaceDividers(self) -> None:
        """Places the two points that part foot, hand and face."""
        p = self._parameters
        if p.dividers is None:
            p.dividers = self.logic.addDividers()
        layout.start_placing(slicer.mrmlScene, p.dividers, persistent=True)

    def measureSegmentation(self, segmentation: Any) -> None:
        """Chooses a segmentation and measures it when nothing is missing."""
        self.initializeParameterNode()
        self._parameters.segmentation = segmentation
        self.refresh()
        self._open("inputs", "measure")
        if self.ui.measureButton.enabled:
            self.onMeasure()

    def onMeasure(self) -> None:
        """Starts a measurement; :meth:`onPoll` follows it."""
        if self._run is not None:
            return
        self._say("measure", "")
        with self._message("measure"):
            self._run = self.logic.startRun(self._parameters)
            self._pollTimer.start()
        self.refresh()

    def onCancel(self) -> None:
        if self._run is not None:
            self._run.cancel()
            self.ui.progressBar.setFormat(_("stopping..."))

    def onPoll(self) -> None:
        """Shows the progress of the run, and its result once it is done."""
        run = self._run
        if run is None:
            self._pollTimer.stop()
            return
        step, fraction = run.poll()
        self.ui.progressBar.value = round(100 * fraction)
        self.ui.progressBar.setFormat(f"{step} %p%")
        if not run.done:
            return
        self._pollTimer.stop()
        self._run = None
        with self._message("measure"), slicer.util.WaitCursor():
            self._say("measure", "")
            before = [nodes["settings"] for _name, nodes in self.logic.results()]
            nodes = self.logic.publish(self._parameters, run)
            self._showNew(nodes, nodes["settings"] not in before)
        self.refreshLater()

    def _showNew(self, nodes: dict[str, Any], isNew: bool) -> None:
        scene = slicer.mrmlScene
        if isNew or layout.is_drawing(scene):
            layout.arrange(scene, layout.RESULTS)
            # The views take their new size first.
            slicer.app.processEvents()
            layout.fit_slices(scene, nodes["thickness"])
            self._followTables()
        self._showResult(nodes)
        self.ui.resultComboBox.clear()
        self._say("measure", self.logic.summary(nodes))
        self._open("results")

    def _dropRun(self) -> None:
        """Stops a run and forgets it: its nodes are about to go."""
        self._pollTimer.stop()
        if self._run is not None:
            self._run.cancel()
            self._run = None

    def onArrange(self) -> None:
        with self._message("measure"):
            layout.arrange(slicer.mrmlScene, layout.RESULTS)
            self._followTables()
            self._showResult(self._resultNodes())

    def onResultChosen(self, index: int) -> None:
        with self._message("measure"):
            self._showResult(self._resultNodes())
        self.refreshLater()

    def _showResult(self, nodes: dict[str, Any]) -> None:
        p = self._parameters
        layout.show_result(
            slicer.mrmlScene,
            nodes,
            p.overlay.value,
            p.overlayOpacity,
            p.showLayers,
            p.showSurface,
        )

    def onChartChosen(self, index: int) -> None:
        chart = self._resultNodes().get(f"chart:{self.ui.chartComboBox.currentText}")
        if chart is not None:
            layout.show_chart(slicer.mrmlScene, chart)

    def onRowSelected(self) -> None:
        """Shows where the selected region lies."""
        rows = self.ui.measuresTableView.selectionModel().selectedRows()
        if rows:
            with self._message("report"):
                # The user may have sorted the table.
                row = self.ui.measuresTableView.sortFilterProxyModel().mapToSource(rows[0]).row()
                self.logic.showPlace(self._resultNodes(), row)

    def _followTables(self) -> None:
        """A row selected in the layout's table shows its place like one in the panel's."""
        manager = slicer.app.layoutManager()
        for n in range(manager.tableViewCount if manager is not None else 0):
            view = manager.tableWidget(n).tableView()
            if view not in [known for known, _call in self._tables]:

                def selected(view: Any = view) -> None:
                    self.onLayoutRow(view)

                view.connect("selectionChanged()", selected)
                self._tables.append((view, selected))

    def onLayoutRow(self, view: Any) -> None:
        own = self.ui.measuresTableView
        index = view.currentIndex()
        if index.isValid() and view.mrmlTableNode() is own.mrmlTableNode():
            own.selectRow(index.row())

    def onNewCaliper(self) -> None:
        with self._message("caliper"):
            line = self.logic.calipers.add(self._parameters.image)
            self._parameters.caliper = line
            self._draw("caliper")
            layout.start_placing(slicer.mrmlScene, line, persistent=False)

    def onNewTrace(self) -> None:
        with self._message("trace"):
            curve = self.logic.traces.add(self._parameters.image)
            self._parameters.trace = curve
            self._draw("trace")
            layout.start_placing(slicer.mrmlScene, curve, persistent=True)

    def _draw(self, section: str) -> None:
        """Clears the views for the image to draw on."""
        scene, image = slicer.mrmlScene, self._parameters.image
        if not layout.is_drawing(scene):
            layout.arrange(scene, layout.DRAWING)
            layout.show_result(scene, {}, "", 0, False, False)
            # The views take their new size first.
            slicer.app.processEvents()
            layout.show_image(scene, image)
            layout.fit_slices(scene, image)
        layout.show_image(scene, image)
        self._open(section)

    def onAttachBorders(self) -> None:
        with self._message("trace"):
            p = self._parameters
            p.trace = self.logic.traces.attach_borders(p.pialCurve, p.whiteCurve, p.image)

    def onMakeRibbon(self) -> None:
        """Turns the traces into segments and chooses them to be measured."""
        with self._message("trace"), slicer.util.WaitCursor():
            self.logic.makeRibbon(self._parameters)
            self._open("measure")

    def onSaveReport(self) -> None:
        path = self.ui.reportPathLineEdit
        if not path.currentPath:
            path.browse()
        if not path.currentPath:
            return
        with self._message("report"), slicer.util.WaitCursor():
            self.logic.saveReport(self._resultNodes(), path.currentPath, screenshots())
            self._say("report", _("Saved as {file}.").format(file=path.currentPath))

    def _open(self, *sections: str) -> None:
        for section in sections:
            getattr(self.ui, f"{section}CollapsibleButton").collapsed = False


_BUTTON_OF_SHORTCUT = {
    "measure": "measureButton",
    "caliper": "newCaliperButton",
    "trace": "newTraceButton",
    "layout": "arrangeButton",
    "report": "saveReportButton",
}


def _drop_unknown_choices(node: Any) -> None:
    """Takes choices out of a parameter node that this version does not know."""
    for name, kind in get_type_hints(ALSMotorCortexParameterNode).items():
        known = getattr(kind, "__members__", None)
        if known and node.HasParameter(name) and node.GetParameter(name) not in known:
            node.UnsetParameter(name)


def measurements_text(markup: Any) -> str:
    """The numbers of a markups node, a line for each."""
    if markup is None:
        return ""
    lines = []
    for n in range(markup.GetNumberOfMeasurements()):
        measurement = markup.GetNthMeasurement(n)
        if measurement.GetEnabled() and measurement.GetValueDefined():
            value = measurement.GetValueWithUnitsAsPrintableString()
            lines.append(f"<b>{html.escape(value)}</b> {html.escape(measurement.GetName())}")
    return "<br>".join(lines)


def screenshots() -> dict[str, bytes]:
    """PNG pictures of the views as they are now, by name."""
    manager = slicer.app.layoutManager()
    if manager is None:
        return {}
    slicer.util.forceRenderAllViews()
    views = {name: manager.sliceWidget(name) for name in manager.sliceViewNames()}
    views |= {
        _("3D {number}").format(number=n + 1): manager.threeDWidget(n)
        for n in range(manager.threeDViewCount)
    }
    return {name: _png(view) for name, view in views.items() if view and view.visible}


def _png(widget: Any) -> bytes:
    picture = ctk.ctkWidgetsUtils.grabWidget(widget)
    data = qt.QByteArray()
    buffer = qt.QBuffer(data)
    buffer.open(qt.QIODevice.WriteOnly)
    picture.save(buffer, "PNG")
    return bytes(data.data())


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


# Logic ------------------------------------------------------------------------------------


class Started(runner.Run):
    """A run that remembers what it measures."""

    def __init__(self, inputs: Any, collected: Any) -> None:
        super().__init__(collected)
        self.inputs = inputs
        self.collected = collected


class ALSMotorCortexLogic(ScriptedLoadableModuleLogic):
    """What the buttons do, without the window: parameter node in, scene changed.

    Attributes:
        calipers, traces: follow the scene's lines and curves.
        measured: of each run a node of its result, what was measured and what was found.
    """

    def __init__(self) -> None:
        ScriptedLoadableModuleLogic.__init__(self)
        self.calipers = CaliperLogic(slicer.mrmlScene)
        self.traces = TraceLogic(slicer.mrmlScene)
        self.measured: list[tuple[Any, Any, Any]] = []

    def close(self) -> None:
        """Stops following calipers and traces."""
        self.calipers.close()
        self.traces.close()

    def getParameterNode(self) -> ALSMotorCortexParameterNode:
        node = super().getParameterNode()
        _drop_unknown_choices(node)
        try:
            return ALSMotorCortexParameterNode(node)
        except (KeyError, TypeError, ValueError) as error:
            # The scene was saved by a version with other kinds of settings.
            logging.warning("ALS Motor Cortex starts from its defaults: %s", error)
            node.UnsetAllParameters()
            return ALSMotorCortexParameterNode(node)

    # Inputs -------------------------------------------------------------------------------

    def inputs(self, p: Any) -> Any:
        """The parameter node as the library's Inputs."""
        by_role: dict[str, list[str]] = {role: [] for role in ROLES}
        roles = dict(p.roles)
        known = [key for key, _name, _color in self.segments(p)]
        for key in known:
            by_role[roles.get(key, "")].append(key)
        volumes = [node for node in [p.image, *p.maps] if node is not None]
        return scene_inputs.Inputs(
            volumes=list({node.GetID(): node for node in volumes}.values()),
            segmentation=p.segmentation,
            gray=by_role["gray"],
            white=by_role["white"],
            csf=by_role["csf"],
            other_bank=by_role["other_bank"],
            regions=by_role["regions"],
            dividers=p.dividers,
            options=self.options(p),
        )

    def options(self, p: Any) -> dict[str, Any]:
        """The settings of the panel by the names of the library's settings."""
        return {
            "plane": p.plane.value,
            "layers": p.layers,
            "layer_depth": p.layerDepth.value,
            "bins": p.bins,
            "reference": p.reference.value,
            "label_style": p.labelStyle.value,
            "fill_holes_mm3": p.fillHoles,
            "drop_islands_mm3": p.dropIslands,
            "column_mm": p.columnWidth,
        }

    def segments(self, p: Any) -> list[tuple[str, str, Any]]:
        """ID, name and colour of each segment of the chosen segmentation."""
        if p.segmentation is None:
            return []
        segmentation = p.segmentation.GetSegmentation()
        keys = [segmentation.GetNthSegmentID(n) for n in range(segmentation.GetNumberOfSegments())]
        parts = [(key, segmentation.GetSegment(key)) for key in keys]
        return [(key, part.GetName(), part.GetColor()) for key, part in parts]

    def suggest(self, p: Any) -> None:
        """Chooses what is not chosen yet, by names and terminology."""
        hint = scene_inputs.suggest(slicer.mrmlScene)
        with slicer.util.NodeModify(p.parameterNode):
            if p.image is None and hint.volumes:
                p.image, *p.maps = hint.volumes
            if p.segmentation is None and hint.segmentation is not None:
                p.segmentation = hint.segmentation
                self.suggestRoles(p)
            if p.dividers is None and hint.dividers is not None:
                p.dividers = hint.dividers

    def suggestRoles(self, p: Any) -> None:
        """Tells what each segment is by its name and terminology."""
        found = scene_inputs.suggest_segments(p.segmentation) if p.segmentation else {}
        p.roles = {key: role for role, keys in found.items() for key in keys}

    def reason(self, p: Any) -> str:
        """What is missing to measure, in a sentence; empty when nothing is."""
        return scene_inputs.missing(self.inputs(p))

    def addDividers(self) -> Any:
        """A list of two points for the user to place along the gyrus."""
        node = slicer.mrmlScene.AddNewNodeByClass(
            "vtkMRMLMarkupsFiducialNode", _("Foot, hand, face")
        )
        node.CreateDefaultDisplayNodes()
        node.SetMaximumNumberOfControlPoints(2)
        return node

    def finishDividers(self, node: Any) -> None:
        """Ends the placing once both points are there."""
        if node.GetNumberOfDefinedControlPoints() >= 2:
            layout.stop_placing(slicer.mrmlScene, node)

    def segmentationToEdit(self, p: Any) -> Any:
        """The chosen segmentation; a new one with the usual segments where none is chosen."""
        if p.segmentation is not None:
            return p.segmentation
        node = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode", _("Cortex"))
        node.CreateDefaultDisplayNodes()
        if p.image is not None:
            node.SetReferenceImageGeometryParameterFromVolumeNode(p.image)
        roles = {"gray": _("Gray matter"), "white": _("White matter"), "csf": _("CSF")}
        for role, name in roles.items():
            roles[role] = node.GetSegmentation().AddEmptySegment("", name)
        p.segmentation = node
        p.roles = {key: role for role, key in roles.items()}
        return node

    # Measuring ----------------------------------------------------------------------------

    def startRun(self, p: Any) -> Started:
        """Starts to measure in the background.

        Raises:
            InputError: the input cannot be measured.
        """
        inputs = self.inputs(p)
        started = Started(inputs, scene_inputs.collect(inputs))
        started.start()
        return started

    def publish(self, p: Any, run: Started) -> dict[str, Any]:
        """Puts the result of a run that is done into the scene.

        Raises:
            InputError: the input could not be measured.
            Cancelled: the run was cancelled.
        """
        update = p.rerun is Rerun.UPDATE
        found = run.result()
        nodes = runner.publish(slicer.mrmlScene, run.inputs, run.collected, found, update)
        kept = [m for m in self.measured if m[0] is not nodes["settings"]]
        self.measured = [*kept, (nodes["settings"], run.collected, found)]
        return nodes

    def measure(self, p: Any) -> dict[str, Any]:
        """Measures at once: for tests and scripts.

        Raises:
            InputError: the input cannot be measured.
        """
        run = self.startRun(p)
        while not run.done:
            run.poll()
        return self.publish(p, run)

    # Results ------------------------------------------------------------------------------

    def results(self) -> list[tuple[str, dict[str, Any]]]:
        """Name and nodes of each result in the scene, oldest first."""
        hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(slicer.mrmlScene)
        found = results.find_results(slicer.mrmlScene)
        return [(hierarchy.GetItemName(folder), nodes) for folder, nodes in found.items()]

    def ownVolumes(self) -> list[Any]:
        """Volumes that the module made: thickness, depth, straightened cortex."""
        nodes = [nodes.get(key) for _name, nodes in self.results() for key in layout.OVERLAYS]
        nodes += [self.traces.nodes(curve).get("straightened") for curve in self.traces.attached()]
        return [node for node in nodes if node is not None]

    def findings(self, nodes: dict[str, Any]) -> str:
        """What was noticed in the input of a result."""
        text = nodes["settings"].GetText() if "settings" in nodes else ""
        return text.partition("Findings\n")[2].partition("\n\n")[0]

    def summary(self, nodes: dict[str, Any]) -> str:
        """The main number of a result, in a sentence."""
        table = nodes["measures"].GetTable()
        mean, sd = (table.GetColumnByName(n) for n in ("thickness_mean", "thickness_sd"))
        if mean is None or sd is None:
            return _("No thickness could be measured. The findings below say why.")
        return _("Mean cortical thickness {mean:.2f} mm (SD {sd:.2f} mm).").format(
            mean=mean.GetValue(0), sd=sd.GetValue(0)
        )

    def showPlace(self, nodes: dict[str, Any], row: int) -> None:
        """Shows where the region of a row of the measures' table lies."""
        place = tables.place_of(nodes["measures"], row)
        if place is not None:
            views.jump(slicer.mrmlScene, place)

    def reportReason(self, nodes: dict[str, Any]) -> str:
        """Why there is no report of a result; empty when there is one."""
        if not nodes:
            return _("Measure first.")
        if not self._measured(nodes):
            return _("This result was loaded with the scene. Measure again for a report.")
        return ""

    def saveReport(self, nodes: dict[str, Any], path: str, pictures: dict[str, bytes]) -> None:
        """Writes the report page of a result with pictures of the views.

        Raises:
            InputError: the file cannot be written.
        """
        collected, found = self._measured(nodes)
        save_report(path, collected, found, pictures)

    def _measured(self, nodes: dict[str, Any]) -> tuple[Any, ...]:
        """What was measured and found of a result; empty where it came with a scene file."""
        runs = (run[1:] for run in self.measured if run[0] is nodes["settings"])
        return next(runs, ())

    # Traces -------------------------------------------------------------------------------

    def tracesOf(self, image: Any) -> list[Any]:
        """The traces on an image that have a result."""
        curves = [c for c in self.traces.attached() if self.traces.volume(c) is image]
        return [curve for curve in curves if self.traces.result(curve) is not None]

    def showDrawn(self, markup: Any) -> None:
        """Shows the profile of a caliper or trace, in the layout to draw in."""
        scene = slicer.mrmlScene
        if not scene_inputs.in_scene(markup) or not layout.is_drawing(scene):
            return
        followed = self.calipers if markup in self.calipers.attached() else self.traces
        nodes = followed.nodes(markup)
        if "straightened" in nodes:
            layout.show_straight(scene, nodes["straightened"])
        if "chart" in nodes:
            layout.show_chart(scene, nodes["chart"])

    def ribbonReason(self, p: Any) -> str:
        """Why no ribbon can be made from traces; empty when one can."""
        if p.image is None:
            return _("Choose an image first.")
        return "" if self.tracesOf(p.image) else _("Draw a trace first.")

    def makeRibbon(self, p: Any) -> Any:
        """Turns all traces of the image into segments and chooses them to be measured."""
        earlier = self._tracedSegmentation()
        gray, white, csf = self.traces.make_ribbon(self.tracesOf(p.image), earlier)
        p.segmentation = earlier or self._tracedSegmentation()
        p.roles = {gray: "gray", white: "white", csf: "csf"}
        return p.segmentation

    def _tracedSegmentation(self) -> Any:
        """The segmentation that holds a traced ribbon, or None."""
        for n in range(slicer.mrmlScene.GetNumberOfNodesByClass("vtkMRMLSegmentationNode")):
            node = slicer.mrmlScene.GetNthNodeByClass(n, "vtkMRMLSegmentationNode")
            if node.GetSegmentation().GetSegment("ALSMotorCortex.gm") is not None:
                return node
        return None


# Self-test --------------------------------------------------------------------------------


class ALSMotorCortexTest(ScriptedLoadableModuleTest):
    """The whole way on the sample case, on Slicer's own nodes; runs with and without a window."""

    def setUp(self) -> None:
        slicer.mrmlScene.Clear()
        self.logic = ALSMotorCortexLogic()
        self.parameters = self.logic.getParameterNode()
        self.case = sample_data.sample_case(shape=TEST_SHAPE)
        self.nodes = sample_data.add_sample(slicer.mrmlScene, self.case)

    def tearDown(self) -> None:
        self.logic.close()
        slicer.mrmlScene.Clear()

    def runTest(self) -> None:
        """Called by the button Reload and Test."""
        for test in (
            self.test_inputs,
            self.test_measure,
            self.test_caliper,
            self.test_trace,
            self.test_saveAndReload,
            self.test_badInput,
            self.test_olderScene,
        ):
            self.delayDisplay(test.__name__)
            self.setUp()
            try:
                test()
            finally:
                self.tearDown()
        self.delayDisplay(_("Test passed."))

    def test_inputs(self) -> None:
        """What can be told from names and terminology is chosen, and nothing is missing."""
        p = self.parameters
        self.logic.suggest(p)
        self.assertIs(p.image, self.nodes["T2star"])
        self.assertEqual([node.GetID() for node in p.maps], [self.nodes["R2star"].GetID()])
        self.assertIs(p.segmentation, self.nodes["segmentation"])
        self.assertEqual(sorted(dict(p.roles).values()), ["csf", "gray", "other_bank", "white"])
        self.assertEqual(self.logic.reason(p), "")

    def test_measure(self) -> None:
        """The table holds the true thickness; a second run updates or adds."""
        p = self.parameters
        self.logic.suggest(p)
        nodes = self.logic.measure(p)
        table = nodes["measures"].GetTable()
        mean = table.GetColumnByName("thickness_mean").GetValue(0)
        truth = self.case.truth.thickness[self.case.truth.labels.array == 3]
        self.assertAlmostEqual(mean, float(truth.mean()), delta=0.05)
        regions = [table.GetValueByName(n, "region").ToString() for n in range(4)]
        self.assertEqual(regions, ["ribbon", "left_foot", "left_hand", "left_face"])
        self.assertEqual(nodes["measures"].GetColumnUnitLabel("thickness_mean"), "mm")
        self.assertIn("mm", self.logic.summary(nodes))
        self.logic.showPlace(nodes, 1)
        self.assertEqual(self.logic.reportReason(nodes), "")
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "report.html"
            self.logic.saveReport(nodes, str(file), screenshots())
            self.assertIn("not a medical device", file.read_text(encoding="utf-8"))
        p.layers = 5
        again = self.logic.measure(p)
        self.assertIs(again["measures"], nodes["measures"])
        self.assertEqual(again["layers"].GetSegmentation().GetNumberOfSegments(), 5)
        p.rerun = Rerun.ADD
        self.logic.measure(p)
        self.assertEqual(len(self.logic.results()), 2)

    def test_caliper(self) -> None:
        """A line across the knob measures the cortex, and follows when it is dragged."""
        line = self.logic.calipers.add(self.nodes["T2star"])
        for place in self.across(0.0):
            line.AddControlPointWorld(*place)
        first = self.logic.calipers.result(line)
        self.assertTrue(first.found, self.logic.calipers.message(line))
        self.assertAlmostEqual(first.thickness, self.case.anatomy.thickness, delta=0.6)
        self.assertIn("Cortical thickness", measurements_text(line))
        line.SetNthControlPointPositionWorld(1, *self.across(3.0)[1])
        self.assertNotEqual(self.logic.calipers.result(line).thickness, first.thickness)
        # Along the cortex, or outside of the image, there is a sentence and no number.
        line.SetNthControlPointPositionWorld(1, 500, 500, 500)
        self.assertIsNone(self.logic.calipers.result(line))
        self.assertTrue(self.logic.calipers.message(line))

    def test_trace(self) -> None:
        """A curve along M1 gives a ribbon that can be measured at once."""
        p = self.parameters
        self.case = sample_data.sample_case("control", TEST_SHAPE)
        p.image = sample_data.add_sample(slicer.mrmlScene, self.case)["T2star"]
        self.assertTrue(self.logic.ribbonReason(p))
        curve = self.logic.traces.add(p.image)
        for place in sample_data.on_m1(self.case, [-7, -3.5, 0, 3.5, 7], 0.5, MIDDLE):
            curve.AddControlPointWorld(*place)
        self.assertIsNotNone(self.logic.traces.result(curve), self.logic.traces.message(curve))
        self.assertIn("straightened", self.logic.traces.nodes(curve))
        self.assertEqual(self.logic.ribbonReason(p), "")
        self.logic.makeRibbon(p)
        self.assertEqual(sorted(dict(p.roles).values()), ["csf", "gray", "white"])
        self.assertEqual(self.logic.reason(p), "")
        nodes = self.logic.measure(p)
        traced = self.logic.traces.result(curve).mean_thickness
        self.assertAlmostEqual(traced, self.case.anatomy.thickness, delta=0.3)
        mean = nodes["measures"].GetTable().GetColumnByName("thickness_mean").GetValue(0)
        self.assertAlmostEqual(mean, traced, delta=0.2)

    def test_saveAndReload(self) -> None:
        """Settings, results and calipers come back with the scene."""
        p = self.parameters
        self.logic.suggest(p)
        p.plane, p.layers = Plane.AXIAL, 4
        self.logic.measure(p)
        line = self.logic.calipers.add(p.image)
        for place in self.across(0.0):
            line.AddControlPointWorld(*place)
        thickness = self.logic.calipers.result(line).thickness
        p.caliper = line
        with tempfile.TemporaryDirectory() as folder:
            file = str(Path(folder) / "scene.mrb")
            self.assertTrue(slicer.util.saveScene(file))
            slicer.mrmlScene.Clear()
            self.assertEqual(self.logic.results(), [])
            slicer.util.loadScene(file)
        p = self.logic.getParameterNode()
        self.assertEqual((p.plane, p.layers), (Plane.AXIAL, 4))
        self.assertEqual(p.image.GetName(), "Patient T2star")
        self.assertEqual(self.logic.reason(p), "")
        (_name, nodes), *others = self.logic.results()
        self.assertEqual(others, [])
        self.assertIn("thickness", nodes)
        self.assertTrue(self.logic.reportReason(nodes))
        self.assertAlmostEqual(self.logic.calipers.result(p.caliper).thickness, thickness, places=3)

    def test_badInput(self) -> None:
        """Whatever is missing or deleted is told in a sentence; the scene keeps what it has."""
        p = self.parameters
        self.assertTrue(self.logic.reason(p))
        self.logic.suggest(p)
        run = self.logic.startRun(p)
        run.cancel()
        count = slicer.mrmlScene.GetNumberOfNodes()
        while not run.done:
            run.poll()
        with self.assertRaises(Cancelled):
            self.logic.publish(p, run)
        self.assertEqual(slicer.mrmlScene.GetNumberOfNodes(), count)
        run = self.logic.startRun(p)
        slicer.mrmlScene.RemoveNode(self.nodes["R2star"])
        slicer.mrmlScene.RemoveNode(self.nodes["segmentation"])
        while not run.done:
            run.poll()
        self.assertIn("thickness", self.logic.publish(p, run))
        self.assertTrue(self.logic.reason(p))
        with self.assertRaises(InputError):
            self.logic.startRun(p)

    def test_olderScene(self) -> None:
        """Settings of another version are left aside; nodes stay."""
        self.logic.suggest(self.parameters)
        node = self.parameters.parameterNode
        self.parameters = None
        node.SetParameter("plane", "OBLIQUE")
        count = slicer.mrmlScene.GetNumberOfNodes()
        p = ALSMotorCortexLogic().getParameterNode()
        self.assertIs(p.plane, Plane.NONE)
        self.assertEqual(slicer.mrmlScene.GetNumberOfNodes(), count)

    def across(self, along: float) -> Any:
        """(2, 3) RAS of a line across M1, from CSF into white matter."""
        ends = [sample_data.on_m1(self.case, [along], depth, MIDDLE)[0] for depth in (-0.3, 1.4)]
        return [[float(mm) for mm in end] for end in ends]


# Enough of the sample case for the self-test, and the slice it draws on.
TEST_SHAPE = (8, 120, 120)
MIDDLE = 4
