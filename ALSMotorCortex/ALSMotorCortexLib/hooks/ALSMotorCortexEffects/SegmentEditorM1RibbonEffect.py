"""The Segment Editor effect "M1 ribbon".

Slicer loads this file by its path, as part of a module named like its folder, and finds the class
by the file's name.
"""

from __future__ import annotations

from pathlib import Path

import qt
import slicer
from SegmentEditorEffects import AbstractScriptedSegmentEditorEffect
from slicer.i18n import tr as _

from ALSMotorCortexLib.cortex.errors import InputError
from ALSMotorCortexLib.hooks.ribbon_paint import grid_of, paint, ribbon_of
from ALSMotorCortexLib.scene.drawn import DRAWN
from ALSMotorCortexLib.scene.geometry import voxels

ICON = Path(__file__).parents[3] / "Resources" / "Icons" / "M1Ribbon.png"
CURVES = "M1Ribbon.Curve"
"""Role of the node references, in the Segment Editor's node, to the curves to paint."""


class SegmentEditorM1RibbonEffect(AbstractScriptedSegmentEditorEffect):
    """Paints the traced motor cortex, or a band beside it, into the selected segment."""

    def __init__(self, scriptedEffect):
        scriptedEffect.name = "M1 ribbon"  # not translated: modules find effects by it
        scriptedEffect.title = _("M1 ribbon")
        scriptedEffect.showEffectCursorInSliceView = False
        AbstractScriptedSegmentEditorEffect.__init__(self, scriptedEffect)

    def clone(self):
        import qSlicerSegmentationsEditorEffectsPythonQt as effects

        clone = effects.qSlicerSegmentEditorScriptedEffect(None)
        clone.setPythonSource(Path(__file__).as_posix())
        return clone

    def icon(self):
        return qt.QIcon(str(ICON))

    def helpText(self):
        return "<html>" + _(
            "Paint the traced motor cortex into the selected segment<br>."
            "<p>Draw one or more traces in the module <b>ALS Motor Cortex</b>. Traces on several "
            "slices are joined into one ribbon. Masking and undo work as for every effect.</p>"
        )

    def setupOptionsFrame(self):
        self.curveSelector = slicer.qMRMLCheckableNodeComboBox()
        self.curveSelector.nodeTypes = ["vtkMRMLMarkupsCurveNode"]
        self.curveSelector.addAttribute("vtkMRMLMarkupsCurveNode", DRAWN)
        self.curveSelector.addEnabled = False
        self.curveSelector.removeEnabled = False
        self.curveSelector.noneEnabled = False
        self.curveSelector.showChildNodeTypes = False
        self.curveSelector.setMRMLScene(slicer.mrmlScene)
        self.curveSelector.setToolTip(_("The traces to paint, joined into one ribbon."))
        self.scriptedEffect.addLabeledOptionsWidget(_("Traces:"), self.curveSelector)

        self.partSelector = qt.QComboBox()
        self.partSelector.addItem(_("Ribbon (gray matter)"), "ribbon")
        self.partSelector.addItem(_("White-matter side"), "white")
        self.partSelector.addItem(_("CSF side"), "csf")
        self.partSelector.setToolTip(
            _("What to paint: the cortex between its borders, or the 1 mm beside it.")
        )
        self.scriptedEffect.addLabeledOptionsWidget(_("Part:"), self.partSelector)

        self.replaceCheckBox = qt.QCheckBox(_("Replace what the segment holds"))
        self.replaceCheckBox.setToolTip(
            _("Clear the segment first, for example to paint again after a trace was changed.")
        )
        self.scriptedEffect.addOptionsWidget(self.replaceCheckBox)

        self.applyButton = qt.QPushButton(_("Apply"))
        self.applyButton.objectName = self.__class__.__name__ + "Apply"
        self.applyButton.setToolTip(_("Paint into the selected segment."))
        self.scriptedEffect.addOptionsWidget(self.applyButton)

        self.messageLabel = qt.QLabel()
        self.messageLabel.wordWrap = True
        self.scriptedEffect.addOptionsWidget(self.messageLabel)

        self.curveSelector.connect("checkedNodesChanged()", self.updateMRMLFromGUI)
        self.partSelector.connect("currentIndexChanged(int)", self.updateMRMLFromGUI)
        self.replaceCheckBox.connect("toggled(bool)", self.updateMRMLFromGUI)
        self.applyButton.connect("clicked()", self.on_apply)

    def cleanup(self):
        self.curveSelector.disconnect("checkedNodesChanged()", self.updateMRMLFromGUI)
        self.partSelector.disconnect("currentIndexChanged(int)", self.updateMRMLFromGUI)
        self.replaceCheckBox.disconnect("toggled(bool)", self.updateMRMLFromGUI)
        self.applyButton.disconnect("clicked()", self.on_apply)

    def activate(self):
        """Checks all traces where none was picked before."""
        if not self.curves():
            self.set_curves(self.traces())
        self.updateGUIFromMRML()

    def deactivate(self):
        self.messageLabel.text = ""

    def setMRMLDefaults(self):
        self.scriptedEffect.setParameterDefault("Part", "ribbon")
        self.scriptedEffect.setParameterDefault("Replace", 0)

    def updateGUIFromMRML(self):
        widgets = (self.curveSelector, self.partSelector, self.replaceCheckBox)
        blocked = [widget.blockSignals(True) for widget in widgets]
        chosen = self.curves()
        for node in self.traces():
            state = qt.Qt.Checked if node in chosen else qt.Qt.Unchecked
            self.curveSelector.setCheckState(node, state)
        part = self.scriptedEffect.parameter("Part")
        self.partSelector.currentIndex = max(self.partSelector.findData(part), 0)
        self.replaceCheckBox.checked = self.scriptedEffect.integerParameter("Replace") != 0
        for widget, before in zip(widgets, blocked, strict=True):
            widget.blockSignals(before)
        self.applyButton.enabled = bool(chosen)
        if not chosen:
            self.messageLabel.text = (
                _("Choose the traces to paint.")
                if self.traces()
                else _("There is no trace yet. Draw one in the module ALS Motor Cortex.")
            )

    def updateMRMLFromGUI(self):
        # While a scene is closed or loaded the list is rebuilt; that is not the user's choice.
        if not self.scriptedEffect.active() or slicer.mrmlScene.IsBatchProcessing():
            return
        self.messageLabel.text = ""
        self.set_curves(list(self.curveSelector.checkedNodes()))
        self.scriptedEffect.setParameter("Part", self.partSelector.currentData)
        self.scriptedEffect.setParameter("Replace", int(self.replaceCheckBox.checked))
        self.updateGUIFromMRML()

    def traces(self):
        """All trace curves of the scene."""
        curves = slicer.util.getNodesByClass("vtkMRMLMarkupsCurveNode")
        return [curve for curve in curves if curve.GetAttribute(DRAWN) is not None]

    def curves(self):
        """The curves to paint."""
        node = self.scriptedEffect.parameterSetNode()
        if node is None:
            return []
        count = node.GetNumberOfNodeReferences(CURVES)
        found = [node.GetNthNodeReference(CURVES, n) for n in range(count)]
        return [curve for curve in found if curve is not None]

    def set_curves(self, curves):
        node = self.scriptedEffect.parameterSetNode()
        if node is None or curves == self.curves():
            return
        modifying = node.StartModify()
        node.RemoveNodeReferenceIDs(CURVES)
        for curve in curves:
            node.AddNodeReferenceID(CURVES, curve.GetID())
        node.EndModify(modifying)

    def on_apply(self):
        if not self.scriptedEffect.confirmCurrentSegmentVisible():
            return
        try:
            self.messageLabel.text = self.paint_curves()
        except InputError as error:
            self.messageLabel.text = str(error)

    def paint_curves(self):
        """Paints, and returns what to say about it. Raises InputError; nothing is changed then."""
        segmentation = self.scriptedEffect.parameterSetNode().GetSegmentationNode()
        modifier = self.scriptedEffect.defaultModifierLabelmap()
        if modifier is None:
            raise InputError(
                _("The segmentation has no geometry yet. Choose its source volume above.")
            )
        labels = ribbon_of(slicer.mrmlScene, self.curves())
        part = self.scriptedEffect.parameter("Part")
        mask = paint(labels, part, grid_of(modifier, segmentation))
        self.scriptedEffect.saveStateForUndo()
        voxels(modifier)[:] = mask
        modifier.GetPointData().GetScalars().Modified()
        modes = slicer.qSlicerSegmentEditorAbstractEffect
        replace = self.scriptedEffect.integerParameter("Replace") != 0
        mode = modes.ModificationModeSet if replace else modes.ModificationModeAdd
        self.scriptedEffect.modifySelectedSegmentByLabelmap(modifier, mode)
        names = ", ".join(curve.GetName() for curve in self.curves())
        return _("Painted from {names}.").format(names=names)
