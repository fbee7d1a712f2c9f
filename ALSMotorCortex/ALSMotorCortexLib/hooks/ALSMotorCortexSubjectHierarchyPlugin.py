"""The action "Measure cortical thickness" in the context menu of a segmentation.

Slicer loads this file by its path and finds the class by the file's name.
"""

from __future__ import annotations

import qt
import slicer
from AbstractScriptedSubjectHierarchyPlugin import AbstractScriptedSubjectHierarchyPlugin
from slicer.i18n import tr as _

MODULE = "ALSMotorCortex"


class ALSMotorCortexSubjectHierarchyPlugin(AbstractScriptedSubjectHierarchyPlugin):
    """Opens the module with the segmentation selected and measures it if nothing is missing.

    It owns no items: it only adds the action, as Segment Statistics' plugin does.
    """

    def __init__(self, scriptedPlugin):
        scriptedPlugin.name = MODULE
        AbstractScriptedSubjectHierarchyPlugin.__init__(self, scriptedPlugin)
        self.action = qt.QAction(_("Measure cortical thickness"), scriptedPlugin)
        self.action.objectName = "MeasureCorticalThicknessAction"
        self.action.toolTip = _("Opens ALS Motor Cortex with this segmentation and measures it.")
        self.action.connect("triggered()", self.on_measure)

    def canAddNodeToSubjectHierarchy(self, node, parentItemID):
        return 0.0

    def canOwnSubjectHierarchyItem(self, itemID):
        return 0.0

    def roleForPlugin(self):
        return "N/A"

    def itemContextMenuActions(self):
        return [self.action]

    def showContextMenuActionsForItem(self, itemID):
        self.action.visible = segmentation_at(itemID) is not None

    def on_measure(self):
        handler = slicer.qSlicerSubjectHierarchyPluginHandler.instance()
        segmentation = segmentation_at(handler.currentItem())
        if segmentation is None:
            return
        handler.pluginByName("Default").switchToModule(MODULE)
        slicer.util.getModuleWidget(MODULE).measureSegmentation(segmentation)


def segmentation_at(item_id):
    """The segmentation node of a subject-hierarchy item, or None."""
    if not item_id:
        return None
    handler = slicer.qSlicerSubjectHierarchyPluginHandler.instance()
    node = handler.subjectHierarchyNode().GetItemDataNode(item_id)
    return node if node is not None and node.IsA("vtkMRMLSegmentationNode") else None
