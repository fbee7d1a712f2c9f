"""The second module as Slicer loads it: reading by eye. Its work is in ``ALSMotorCortexLib``."""

from __future__ import annotations

import html
import logging
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import qt
import slicer
import vtk
from slicer.i18n import tr as _
from slicer.i18n import translate
from slicer.parameterNodeWrapper import parameterNodeWrapper
from slicer.ScriptedLoadableModule import (
    ScriptedLoadableModule,
    ScriptedLoadableModuleLogic,
    ScriptedLoadableModuleTest,
    ScriptedLoadableModuleWidget,
)
from slicer.util import VTKObservationMixin

from ALSMotorCortexLib import sample_data
from ALSMotorCortexLib.cortex.errors import InputError
from ALSMotorCortexLib.cortex.grid import Image
from ALSMotorCortexLib.hooks import shortcuts
from ALSMotorCortexLib.reading_logic import ReadingLogic, default_folder
from ALSMotorCortexLib.scene import layout
from ALSMotorCortexLib.study.nifti import write_nifti
from ALSMotorCortexLib.study.readings import HEMISPHERES, ITEMS, read_readings

README = Path(__file__).resolve().parents[1] / "README.md"

# Letters that Slicer's views (B, F, G, R, T, V, arrows) and main window leave free; Z is undo in
# the Segment Editor too. Yes is above no on the keyboard.
KEYS: dict[tuple[str, int], str] = {
    ("deep_hypointensity", 1): "Q",
    ("deep_hypointensity", 0): "A",
    ("thinning", 1): "W",
    ("thinning", 0): "S",
    ("pathologic", 1): "E",
    ("pathologic", 0): "D",
    ("motor_band_foot", 1): "U",
    ("motor_band_foot", 0): "J",
    ("motor_band_hand", 1): "I",
    ("motor_band_hand", 0): "K",
    ("motor_band_face", 1): "O",
    ("motor_band_face", 0): "L",
    **{("confidence", n): str(n) for n in ITEMS["confidence"]},
}
ACTIONS = {"switch": "H", "skip": "X", "undo": "Z", "previous": "P", "next": "N"}


class ALSMotorCortexReading(ScriptedLoadableModule):
    """What the module is called and where it is found."""

    def __init__(self, parent: Any) -> None:
        ScriptedLoadableModule.__init__(self, parent)
        self.parent.title = _("ALS Motor Cortex Reading")
        self.parent.categories = [translate("qSlicerAbstractCoreModule", "Quantification")]
        self.parent.dependencies = []
        self.parent.contributors = ["The ALSMotorCortex contributors"]
        self.parent.helpText = _(
            "Reading of the motor cortex by eye: cases come blinded and in random order, and each "
            "hemisphere is rated with one key a rating. A session can be left at any time and goes "
            "on where it stopped. For research only; not a medical device. "
            'How to use it: <a href="{readme}">README</a>.'
        ).format(readme=README.as_uri())
        self.parent.acknowledgementText = _(
            "What is rated follows Cosottini et al., AJNR 2016, 37:455, with the motor band sign "
            "added."
        )


@parameterNodeWrapper
class ALSMotorCortexReadingParameterNode:
    """What the reader typed; it is saved with the scene.

    Attributes:
        cases: folder, or list, of the cases.
        reader: who reads.
        folder: for the readings.
    """

    cases: str
    reader: str
    folder: str


class ALSMotorCortexReadingWidget(ScriptedLoadableModuleWidget, VTKObservationMixin):
    """Connects the panel's buttons and keys to the logic."""

    def __init__(self, parent: Any = None) -> None:
        ScriptedLoadableModuleWidget.__init__(self, parent)
        VTKObservationMixin.__init__(self)
        self.logic: ALSMotorCortexReadingLogic | None = None
        self._parameters: Any = None
        self._guiTag: Any = None
        self._shortcuts: list[Any] = []
        self._annotated: bool | None = None
        self._typed: dict[str, str] = {}
        self._buttons: dict[tuple[str, str, int], Any] = {}

    # Life of the panel --------------------------------------------------------------------

    def setup(self) -> None:
        """Builds the panel when the user first opens the module."""
        ScriptedLoadableModuleWidget.setup(self)
        panel = slicer.util.loadUI(self.resourcePath("UI/ALSMotorCortexReading.ui"))
        self.layout.addWidget(panel)
        self.ui = slicer.util.childWidgetVariables(panel)
        panel.setMRMLScene(slicer.mrmlScene)
        self.logic = ALSMotorCortexReadingLogic()
        self._fitTimer = qt.QTimer(self.parent)
        self._fitTimer.setSingleShot(True)
        self._fitTimer.interval = 100
        self._fitTimer.connect("timeout()", self.onFit)
        self._connect()
        scene = slicer.mrmlScene
        self.addObserver(scene, scene.StartCloseEvent, self.onSceneStartClose)
        self.addObserver(scene, scene.EndCloseEvent, self.onSceneEndClose)
        self.addObserver(scene, scene.EndImportEvent, self.onSceneEndClose)
        self.addObserver(scene, scene.NodeAddedEvent, self.onNodes)
        self.addObserver(scene, scene.NodeRemovedEvent, self.onNodes)
        self.setParameterNode(self.logic.getParameterNode())

    def _connect(self) -> None:
        ui = self.ui
        for side in HEMISPHERES:
            for item, answers in ITEMS.items():
                for answer in answers:
                    button = vars(ui)[buttonName(side, item, answer)]
                    button.setFocusPolicy(qt.Qt.NoFocus)
                    button.connect(
                        "clicked()", lambda s=side, i=item, a=answer: self.onRate(i, a, s)
                    )
                    self._buttons[side, item, answer] = button
        for button, side in ((ui.leftButton, "left"), (ui.rightButton, "right")):
            button.connect("clicked()", lambda s=side: self.onSwitch(s))
        for button, side in ((ui.leftSkipButton, "left"), (ui.rightSkipButton, "right")):
            button.connect("clicked()", lambda s=side: self.onSkip(s))
        ui.startButton.connect("clicked()", self.onStart)
        ui.endButton.connect("clicked()", self.onEnd)
        ui.previousButton.connect("clicked()", self.onPrevious)
        ui.nextButton.connect("clicked()", self.onNext)
        ui.undoButton.connect("clicked()", self.onUndo)
        ui.casesFolderButton.connect("clicked()", self.onCasesFolder)
        ui.casesListButton.connect("clicked()", self.onCasesList)
        ui.readingsFolderButton.connect("clicked()", self.onReadingsFolder)

    def cleanup(self) -> None:
        """The application closes or the module is reloaded."""
        self.onEnd()
        self.setParameterNode(None)
        self.removeObservers()

    def enter(self) -> None:
        """The user opens the module."""
        self._setKeys()
        self.refresh()

    def exit(self) -> None:
        """The user opens another module: keys rest, the session goes on."""
        self._dropKeys()

    def setParameterNode(self, parameters: Any) -> None:
        """Connects the panel to a parameter node, or to none."""
        if self._parameters is not None:
            self._parameters.disconnectGui(self._guiTag)
            self.removeObserver(
                self._parameters.parameterNode, vtk.vtkCommand.ModifiedEvent, self.onNodes
            )
        self._parameters = parameters
        if parameters is not None:
            self._guiTag = parameters.connectGui(self.ui)
            self.addObserver(parameters.parameterNode, vtk.vtkCommand.ModifiedEvent, self.onNodes)
            self.refresh()

    def onSceneStartClose(self, caller: Any, event: Any) -> None:
        if self.logic.session is not None:
            self._end()
            self._say(_("The scene was closed, so the session ended. All ratings are written."))
        self._typed = self._values()
        self.setParameterNode(None)

    def onSceneEndClose(self, caller: Any, event: Any) -> None:
        # What the reader typed stays: a session begins with a scene that was just closed.
        parameters = self.logic.getParameterNode()
        for name, value in self._typed.items():
            if value and not getattr(parameters, name):
                setattr(parameters, name, value)
        self.setParameterNode(parameters)

    @vtk.calldata_type(vtk.VTK_OBJECT)
    def onNodes(self, caller: Any, event: Any, node: Any = None) -> None:
        if not slicer.mrmlScene.IsBatchProcessing():
            self.refresh()

    def _values(self) -> dict[str, str]:
        names = ("cases", "reader", "folder")
        return {name: getattr(self._parameters, name) for name in names if self._parameters}

    # What the panel shows -----------------------------------------------------------------

    def refresh(self) -> None:
        """Brings the panel up to date."""
        if self._parameters is None:
            return
        ui, session = self.ui, self.logic.session
        reading = session is not None
        reason = "" if reading else self.logic.reason(**self._values())
        ui.startButton.enabled = not reading and not reason
        ui.endButton.enabled = reading
        ui.reasonLabel.text = reason
        ui.inputsWidget.enabled = not reading
        ui.ratingCollapsibleButton.enabled = reading
        ui.statusLabel.text = self.logic.status()
        if session is None:
            ui.caseLabel.text = ""
            ui.progressBar.value = 0
        else:
            ui.caseLabel.text = _("Case {number} of {count}").format(
                number=session.number, count=session.count
            )
            ui.progressBar.maximum = session.count
            ui.progressBar.value = session.finished
        self._showRatings()

    def _showRatings(self) -> None:
        ui, logic = self.ui, self.logic
        rated = {
            side: dict(logic.session.ratings(side)) if logic.session else {} for side in HEMISPHERES
        }
        for (side, item, answer), button in self._buttons.items():
            active = side == logic.hemisphere
            button.text = buttonText(item, answer, active)
            button.checked = rated[side].get(item) == answer
            button.enabled = logic.readable
        for side, button, skip in (
            ("left", ui.leftButton, ui.leftSkipButton),
            ("right", ui.rightButton, ui.rightSkipButton),
        ):
            active = side == logic.hemisphere
            button.checked = active
            skip.checked = logic.session is not None and logic.session.is_skipped(side)
            skip.enabled = logic.readable
            key = f" ({ACTIONS['skip']})" if active else ""
            skip.text = _("Not assessable") + key
            name = _("Left") if side == "left" else _("Right")
            button.text = name if active else f"{name} ({ACTIONS['switch']})"

    def _say(self, text: str, problem: bool = False) -> None:
        label = self.ui.messageLabel
        label.text = f"<b>⚠</b> {html.escape(text)}" if problem and text else html.escape(text)
        label.visible = bool(text)

    @contextmanager
    def _message(self) -> Iterator[None]:
        """Says what went wrong in the block, never with a traceback, and shows what is so."""
        self._say("")
        try:
            yield
        except InputError as error:
            self._say(str(error), problem=True)
        except Exception as error:
            logging.error("ALS Motor Cortex Reading: %s: %s", type(error).__name__, error)
            logging.debug("ALS Motor Cortex Reading", exc_info=True)
            self._say(
                _(
                    "This did not work because of an error in the module ({error}). Ratings "
                    "written so far are safe. Please report the error log."
                ).format(error=type(error).__name__),
                problem=True,
            )
        self.refresh()

    # What the reader does -----------------------------------------------------------------

    def onCasesFolder(self) -> None:
        self._choose(qt.QFileDialog.getExistingDirectory(None, _("Folder of cases")))

    def onCasesList(self) -> None:
        kinds = _("List of cases") + " (*.tsv)"
        self._choose(qt.QFileDialog.getOpenFileName(None, _("List of cases"), "", kinds))

    def _choose(self, cases: str) -> None:
        if cases:
            self._parameters.cases = cases
            self._parameters.folder = self._parameters.folder or default_folder(cases)

    def onReadingsFolder(self) -> None:
        folder = qt.QFileDialog.getExistingDirectory(None, _("Folder for the readings"))
        if folder:
            self._parameters.folder = folder

    def onStart(self) -> None:
        with self._message(), slicer.util.WaitCursor():
            self._setAnnotations(False)
            told = self.logic.start(**self._values())
            self._say(told, problem=not self.logic.readable)
            self.ui.sessionCollapsibleButton.collapsed = True
            self.ui.ratingCollapsibleButton.collapsed = False
            self._setKeys()
            self._fitTimer.start()
        if self.logic.session is None:
            self._restoreAnnotations()

    def onFit(self) -> None:
        """The views have taken the size of their new arrangement."""
        if self.logic.node is not None:
            layout.fit_slices(slicer.mrmlScene, self.logic.node)

    def onEnd(self) -> None:
        if self.logic is None or self.logic.session is None:
            return
        with self._message():
            self._end()
            self._say(_("The session ended. All ratings are written; start again to go on."))

    def _end(self) -> None:
        self._dropKeys()
        self.logic.end()
        self._restoreAnnotations()
        self.ui.sessionCollapsibleButton.collapsed = False

    def onRate(self, item: str, answer: int, hemisphere: str = "") -> None:
        with self._message():
            self.logic.rate(item, answer, hemisphere)

    def onSkip(self, hemisphere: str = "") -> None:
        with self._message():
            self.logic.skip(hemisphere)

    def onSwitch(self, hemisphere: str = "") -> None:
        with self._message():
            self.logic.switch(hemisphere)

    def onUndo(self) -> None:
        with self._message():
            self._say(self.logic.undo())

    def onNext(self) -> None:
        self._move(1)

    def onPrevious(self) -> None:
        self._move(-1)

    def _move(self, steps: int) -> None:
        with self._message(), slicer.util.WaitCursor():
            self._say(self.logic.move(steps), problem=True)

    # Keys and annotations -----------------------------------------------------------------

    def _setKeys(self) -> None:
        """Makes the keys work while there is a session."""
        self._dropKeys()
        if self.logic.session is None:
            return
        actions = {
            key: (lambda i=item, a=answer: self.onRate(i, a))
            for (item, answer), key in KEYS.items()
        }
        actions |= {
            ACTIONS["switch"]: self.onSwitch,
            ACTIONS["skip"]: self.onSkip,
            ACTIONS["undo"]: self.onUndo,
            ACTIONS["previous"]: self.onPrevious,
            ACTIONS["next"]: self.onNext,
        }
        keys = {key: key for key in actions}
        self._shortcuts = shortcuts.install(slicer.util.mainWindow(), actions, keys)

    def _dropKeys(self) -> None:
        shortcuts.uninstall(self._shortcuts)
        self._shortcuts = []

    def _setAnnotations(self, shown: bool) -> None:
        """Shows or hides the texts in the corners of the slice views."""
        probe = getattr(slicer.modules, "DataProbeInstance", None)
        annotations = getattr(getattr(probe, "infoWidget", None), "sliceAnnotations", None)
        if annotations is None:
            return
        if self._annotated is None:
            self._annotated = bool(annotations.sliceViewAnnotationsEnabled)
        # Its own switch forgets to follow the views again once it is on.
        annotations.sliceViewAnnotationsEnabled = int(shown)
        manager = slicer.app.layoutManager()
        for name in manager.sliceViewNames():
            view = manager.sliceWidget(name).sliceView()
            view.cornerAnnotation().ClearAllTexts()
            view.scheduleRender()
        if shown:
            annotations.updateSliceViewFromGUI()

    def _restoreAnnotations(self) -> None:
        if self._annotated is not None:
            self._setAnnotations(self._annotated)
        self._annotated = None


def buttonName(side: str, item: str, answer: int) -> str:
    """What a rating's button is called in the panel."""
    words = "".join(word.capitalize() for word in item.split("_"))
    return f"{side}{words}{answer}Button"


def buttonText(item: str, answer: int, active: bool) -> str:
    """What a rating's button says; its key, where it is the one that the key rates."""
    if item == "confidence":
        return str(answer)
    text = _("Yes") if answer else _("No")
    return f"{text} ({KEYS[item, answer]})" if active else text


# Logic ------------------------------------------------------------------------------------


class ALSMotorCortexReadingLogic(ReadingLogic, ScriptedLoadableModuleLogic):
    """What the buttons do, in the application's scene."""

    def __init__(self) -> None:
        ScriptedLoadableModuleLogic.__init__(self)
        ReadingLogic.__init__(self, slicer.mrmlScene)

    def getParameterNode(self) -> ALSMotorCortexReadingParameterNode:
        return ALSMotorCortexReadingParameterNode(super().getParameterNode())


# Self-test --------------------------------------------------------------------------------


class ALSMotorCortexReadingTest(ScriptedLoadableModuleTest):
    """A session over three synthetic cases; runs with and without a window."""

    def setUp(self) -> None:
        slicer.mrmlScene.Clear()
        self.logic = ALSMotorCortexReadingLogic()
        self.temporary = tempfile.TemporaryDirectory()
        self.folder = Path(self.temporary.name)
        writeSampleCases(self.folder / "cases")

    def tearDown(self) -> None:
        self.logic.end()
        slicer.mrmlScene.Clear()
        self.temporary.cleanup()

    def runTest(self) -> None:
        """Called by the button Reload and Test."""
        for test in (self.test_session, self.test_blinded, self.test_badInput):
            self.delayDisplay(test.__name__)
            self.setUp()
            try:
                test()
            finally:
                self.tearDown()
        self.delayDisplay(_("Test passed."))

    def start(self) -> None:
        self.logic.start(str(self.folder / "cases"), "Anna", str(self.folder / "readings"))

    def test_session(self) -> None:
        """Rate a case and a half, stop, go on, finish."""
        self.start()
        for item, answers in [*ITEMS.items()] * 2:
            self.logic.rate(item, answers[-1])
        self.assertTrue(self.logic.session.is_done())
        self.logic.move(1)
        self.logic.rate("thinning", 0)
        self.logic.end()
        self.assertEqual(slicer.util.getNodesByClass("vtkMRMLScalarVolumeNode"), [])
        self.start()
        self.assertEqual((self.logic.session.number, self.logic.session.finished), (2, 1))
        self.assertEqual(dict(self.logic.session.ratings("left")), {"thinning": 0})
        self.logic.undo()
        for _n in range(2):
            self.logic.skip()
            self.logic.skip()
            self.logic.move(1)
        self.assertEqual(self.logic.session.finished, 3)
        self.assertEqual(len(read_readings(self.logic.session.table)), 6)

    def test_blinded(self) -> None:
        """Nothing in the scene tells which case is shown; every case is another one."""
        self.start()
        names = self.logic.session.order
        seen = []
        for number in range(1, 4):
            (node,) = slicer.util.getNodesByClass("vtkMRMLScalarVolumeNode")
            self.assertEqual(node.GetName(), f"Case {number}")
            seen.append(slicer.util.arrayFromVolume(node).copy())
            texts = [textOf(slicer.mrmlScene.GetNthNode(n))
                     for n in range(slicer.mrmlScene.GetNumberOfNodes())]  # fmt: skip
            self.assertFalse([name for name in names for text in texts if name in text])
            self.logic.move(1)
        self.assertEqual(sum((a == b).all() for a in seen for b in seen), 3)

    def test_badInput(self) -> None:
        """What is missing is said; a case that cannot be read can be passed over."""
        cases, readings = str(self.folder / "cases"), str(self.folder / "readings")
        for given in (("", "A", readings), (cases, " ", readings), (cases, "A", "")):
            self.assertTrue(self.logic.reason(*given))
            with self.assertRaises(InputError):
                self.logic.start(*given)
        for file in (self.folder / "cases").iterdir():
            file.write_bytes(b"no image")
        told = self.logic.start(cases, "A", readings)
        self.assertIn("Case 1 cannot be read", told)
        self.assertNotIn("patient", told)
        self.logic.rate("thinning", 1)
        self.assertIn("Case 2", self.logic.move(1))
        self.logic.end()
        slicer.mrmlScene.AddNewNodeByClass("vtkMRMLMarkupsFiducialNode", "patient")
        self.assertTrue(self.logic.reason(cases, "A", readings))


# Enough of the sample case for the self-test.
SHAPE = (4, 60, 60)


def writeSampleCases(folder: Path) -> None:
    """Three images to read, whose names tell what they are."""
    folder.mkdir()
    for n, group in enumerate(("patient", "control", "patient")):
        image = sample_data.sample_case(group, SHAPE).maps["T2star"]
        # Brighter or darker, so that each is another image.
        image = Image((image.array * (1 + n / 10)).astype("float32"), image.grid)
        write_nifti(image, folder / f"{group}_{n}.nii.gz")


def textOf(node: Any) -> str:
    """All that a node says of itself."""
    return f"{node.GetName()} {node}"
