"""The module as Slicer loads it. What it does is in ``ALSMotorCortexLib``."""

from __future__ import annotations

import logging
import tempfile
from pathlib import Path
from typing import Annotated, Any, get_type_hints

import numpy as np
import qt
import slicer
import vtk
from slicer import (
    vtkMRMLMarkupsCurveNode,
    vtkMRMLMarkupsFiducialNode,
    vtkMRMLMarkupsLineNode,
    vtkMRMLNode,
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
from ALSMotorCortexLib.hooks.register import register
from ALSMotorCortexLib.module_logic import ModuleLogic
from ALSMotorCortexLib.panel.choices import LabelStyle, LayerDepth, Overlay, Plane, Reference, Rerun
from ALSMotorCortexLib.panel.drawn import measurements_text
from ALSMotorCortexLib.panel.panel import Panel
from ALSMotorCortexLib.panel.pictures import screenshots
from ALSMotorCortexLib.panel.samples import register_samples
from ALSMotorCortexLib.scene import chosen, layout, results
from ALSMotorCortexLib.scene.drawn import drawn_in

README = Path(__file__).resolve().parents[1] / "README.md"


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
    """Adds the sample cases, the module's layouts and its hooks to Slicer."""
    register_samples(Path(__file__).parent / "Resources" / "Icons")
    layout.register(slicer.mrmlScene)
    if hasattr(slicer.modules, "subjecthierarchy"):
        register()
    scene = slicer.mrmlScene
    scene.AddObserver(scene.EndImportEvent, onSceneImported)


def onSceneImported(caller: Any, event: Any) -> None:
    """Mends results, and lets calipers and traces measure again, also in another module."""
    results.after_reading(slicer.mrmlScene)
    if slicer.util.mainWindow() is not None and drawn_in(slicer.mrmlScene):
        # The panel follows them from its setup on.
        qt.QTimer.singleShot(0, lambda: slicer.util.getModuleWidget("ALSMotorCortex"))


@parameterNodeWrapper
class ALSMotorCortexParameterNode:
    """All choices of the panel; they are saved with the scene.

    Attributes:
        echoes: volumes, sequences or multi-volumes that maps are made from.
        echoNoise: sigma of their noise, 0 to estimate it.
        echoRegister, echoBias, echoDephasing: what is corrected.
        image: measured first, and what calipers and traces are placed on.
        maps: further maps.
        segmentation: holds the tissues.
        roles: for each segment ID one of ``scene.chosen.ROLES``.
        dividers: two points that part foot, hand and face.
        caliper, trace: the line and the curve that the panel shows.
        pialCurve, whiteCurve: borders drawn by hand.
        plane, maxAngle, layers, layerDepth, bins, reference, labelStyle, fillHoles, dropIslands,
        columnWidth: see the library's settings.
        rerun: what a second run does.
        overlay, overlayOpacity, showLayers, showSurface: what the views show.
    """

    echoes: list[vtkMRMLNode]
    echoNoise: Annotated[float, WithinRange(0, 1e6)] = 0.0
    echoRegister: bool = False
    echoBias: bool = False
    echoDephasing: bool = False
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
    maxAngle: Annotated[float, WithinRange(1, 90)] = 30.0
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


class ALSMotorCortexWidget(ScriptedLoadableModuleWidget, VTKObservationMixin):
    """Tells the panel what happens to the module and to the scene."""

    def __init__(self, parent: Any = None) -> None:
        ScriptedLoadableModuleWidget.__init__(self, parent)
        VTKObservationMixin.__init__(self)
        self.logic: ALSMotorCortexLogic | None = None
        self.panel: Panel | None = None

    def setup(self) -> None:
        """Builds the panel when the user first opens the module."""
        ScriptedLoadableModuleWidget.setup(self)
        self.logic = ALSMotorCortexLogic()
        self.panel = Panel(Path(self.resourcePath("UI")), self.logic)
        self.layout.addWidget(self.panel.widget)
        self.ui = self.panel.ui
        scene = slicer.mrmlScene
        self.addObserver(scene, scene.StartCloseEvent, self.onSceneStartClose)
        self.addObserver(scene, scene.EndCloseEvent, self.onSceneEndClose)
        self.addObserver(scene, scene.StartImportEvent, self.onSceneStartImport)
        self.addObserver(scene, scene.EndImportEvent, self.onSceneEndImport)
        self.addObserver(scene, scene.NodeAddedEvent, self.onNodeAdded)
        self.addObserver(scene, scene.NodeRemovedEvent, self.panel.refresh_later)
        self.initializeParameterNode()

    def cleanup(self) -> None:
        """The application closes or the module is reloaded."""
        if self.panel is not None:
            self.panel.close()
            self.logic.close()
        self.removeObservers()

    def enter(self) -> None:
        """The user opens the module."""
        self.initializeParameterNode()
        self.panel.add_shortcuts()

    def exit(self) -> None:
        """The user opens another module."""
        self.panel.remove_shortcuts()

    def onSceneStartClose(self, caller: Any, event: Any) -> None:
        self.panel.leave_scene()

    def onSceneEndClose(self, caller: Any, event: Any) -> None:
        self.initializeParameterNode()

    def onSceneStartImport(self, caller: Any, event: Any) -> None:
        # The file may hold settings that this version cannot read; they are looked at afterwards.
        self.panel.show(None)

    def onSceneEndImport(self, caller: Any, event: Any) -> None:
        self.initializeParameterNode()

    @vtk.calldata_type(vtk.VTK_OBJECT)
    def onNodeAdded(self, caller: Any, event: Any, node: Any) -> None:
        self.panel.node_added(node)

    def initializeParameterNode(self) -> None:
        """Shows the scene's parameter node, unless it is shown already."""
        # Slicer 5.10 keeps observing for every wrapper that was once connected.
        if self.panel.parameters is None:
            self.panel.show(self.logic.getParameterNode())

    def measureSegmentation(self, segmentation: Any) -> None:
        """Chooses a segmentation and measures it when nothing is missing."""
        self.initializeParameterNode()
        self.panel.measure_segmentation(segmentation)


class ALSMotorCortexLogic(ModuleLogic, ScriptedLoadableModuleLogic):
    """The library's logic with the scene's parameter node."""

    def __init__(self) -> None:
        ScriptedLoadableModuleLogic.__init__(self)
        ModuleLogic.__init__(self, slicer.mrmlScene)

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


def _drop_unknown_choices(node: Any) -> None:
    """Takes choices out of a parameter node that this version does not know."""
    for name, kind in get_type_hints(ALSMotorCortexParameterNode).items():
        known = getattr(kind, "__members__", None)
        if known and node.HasParameter(name) and node.GetParameter(name) not in known:
            node.UnsetParameter(name)


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
        chosen.fill_in(slicer.mrmlScene, p)
        self.assertIs(p.image, self.nodes["T2star"])
        self.assertEqual([node.GetID() for node in p.maps], [self.nodes["R2star"].GetID()])
        self.assertIs(p.segmentation, self.nodes["segmentation"])
        self.assertEqual(sorted(dict(p.roles).values()), ["csf", "gray", "other_bank", "white"])
        self.assertEqual(chosen.reason(p), "")

    def test_measure(self) -> None:
        """The table holds the true thickness; a second run updates or adds."""
        p = self.parameters
        chosen.fill_in(slicer.mrmlScene, p)
        nodes = self.logic.measure(p)
        table = nodes["measures"].GetTable()
        mean = table.GetColumnByName("thickness_mean").GetValue(0)
        truth = self.case.truth.thickness[self.case.truth.labels.array == 3]
        self.assertAlmostEqual(mean, float(truth.mean()), delta=0.05)
        regions = [table.GetValueByName(n, "region").ToString() for n in range(4)]
        self.assertEqual(regions, ["ribbon", "left_foot", "left_hand", "left_face"])
        self.assertEqual(nodes["measures"].GetColumnUnitLabel("thickness_mean"), "mm")
        self.assertIn("mm", self.logic.summary(nodes))
        self.logic.show_place(nodes, 1)
        self.assertEqual(self.logic.report_reason(nodes), "")
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "report.html"
            self.logic.save_report(nodes, str(file), screenshots())
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
        self.assertTrue(self.logic.ribbon_reason(p))
        curve = self.logic.traces.add(p.image)
        for place in sample_data.on_m1(self.case, [-7, -3.5, 0, 3.5, 7], 0.5, MIDDLE):
            curve.AddControlPointWorld(*place)
        self.assertIsNotNone(self.logic.traces.result(curve), self.logic.traces.message(curve))
        self.assertIn("straightened", self.logic.traces.nodes(curve))
        self.assertEqual(self.logic.ribbon_reason(p), "")
        self.logic.make_ribbon(p)
        self.assertEqual(sorted(dict(p.roles).values()), ["csf", "gray", "white"])
        self.assertEqual(chosen.reason(p), "")
        nodes = self.logic.measure(p)
        traced = self.logic.traces.result(curve).mean_thickness
        middle = sample_data.on_m1(self.case, np.arange(-7, 7, 0.5), 0.5, MIDDLE)
        kji = np.rint(self.case.labels.grid.kji(middle)).astype(int)
        true = np.nanmean(self.case.truth.thickness[tuple(kji.T)])
        self.assertAlmostEqual(traced, true, delta=0.2)
        mean = nodes["measures"].GetTable().GetColumnByName("thickness_mean").GetValue(0)
        self.assertAlmostEqual(mean, traced, delta=0.2)

    def test_saveAndReload(self) -> None:
        """Settings, results and calipers come back with the scene."""
        p = self.parameters
        chosen.fill_in(slicer.mrmlScene, p)
        p.plane, p.maxAngle, p.layers = Plane.AXIAL, 50, 4
        nodes = self.logic.measure(p)
        self.assertLessEqual({"angle", "thickness_corrected"}, set(nodes))
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
        self.assertEqual((p.plane, p.maxAngle, p.layers), (Plane.AXIAL, 50, 4))
        self.assertEqual(p.image.GetName(), "Patient T2star")
        self.assertEqual(chosen.reason(p), "")
        (_name, nodes), *others = self.logic.results()
        self.assertEqual(others, [])
        self.assertIn("thickness", nodes)
        self.assertEqual(self.logic.report_reason(nodes), "")
        with tempfile.TemporaryDirectory() as folder:
            page = Path(folder) / "report.html"
            self.logic.save_report(nodes, str(page), {})
            self.assertIn(self.logic.summary(nodes).split()[3], page.read_text(encoding="utf-8"))
        self.assertAlmostEqual(self.logic.calipers.result(p.caliper).thickness, thickness, places=3)

    def test_badInput(self) -> None:
        """Whatever is missing or deleted is told in a sentence; the scene keeps what it has."""
        p = self.parameters
        self.assertTrue(chosen.reason(p))
        chosen.fill_in(slicer.mrmlScene, p)
        run = self.logic.start_run(p)
        run.cancel()
        count = slicer.mrmlScene.GetNumberOfNodes()
        while not run.done:
            run.poll()
        with self.assertRaises(Cancelled):
            self.logic.publish(p, run)
        self.assertEqual(slicer.mrmlScene.GetNumberOfNodes(), count)
        run = self.logic.start_run(p)
        slicer.mrmlScene.RemoveNode(self.nodes["R2star"])
        slicer.mrmlScene.RemoveNode(self.nodes["segmentation"])
        while not run.done:
            run.poll()
        self.assertIn("thickness", self.logic.publish(p, run))
        self.assertTrue(chosen.reason(p))
        with self.assertRaises(InputError):
            self.logic.start_run(p)

    def test_olderScene(self) -> None:
        """Settings of another version are left aside; nodes stay."""
        chosen.fill_in(slicer.mrmlScene, self.parameters)
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
