"""The plugin "M1 cortical thickness" of Slicer's module Segment Statistics."""

from __future__ import annotations

import logging
from contextlib import contextmanager

import qt
import slicer
from SegmentStatisticsPlugins import SegmentStatisticsPluginBase
from slicer.i18n import tr as _

from ..cortex.errors import Cancelled, InputError
from .thickness_measures import CORTEX, DEFAULT, QUANTITIES, SegmentMeasures, description_of

PROGRESS_AFTER_MS = 1000


class M1ThicknessSegmentStatisticsPlugin(SegmentStatisticsPluginBase):
    """Thickness and laminar measures of segments of gray matter.

    White matter and CSF are found among the segmentation's other segments by name and
    terminology. Segments that are not cortex get no values.
    """

    def __init__(self):
        super().__init__()
        self.name = "M1 cortical thickness"
        self.title = _("M1 cortical thickness")
        self.keys = list(QUANTITIES)
        self.defaultKeys = list(DEFAULT)
        self._measures = SegmentMeasures()

    def computeStatistics(self, segmentID):
        requested = self.getRequestedKeys()
        if not requested:
            return {}
        segmentation = self._node("Segmentation")
        try:
            with _progress() as report:
                found = self._measures.of(
                    segmentation, segmentID, self._node("ScalarVolume"), report
                )
        except InputError as error:
            _say(_("Cortical thickness was not measured. {reason}").format(reason=error))
            return {}
        except MemoryError:
            _say(_("There is not enough memory to measure cortical thickness."))
            return {}
        except Cancelled:
            _say(_("The measurement of cortical thickness was cancelled."))
            return {}
        return {key: found[key] for key in requested if key in found}

    def getMeasurementInfo(self, key):
        if key not in QUANTITIES:
            return None
        info = self.createMeasurementInfo(**description_of(key, self._node("ScalarVolume")))
        info["DICOM.FindingSiteCode"] = str(CORTEX)
        return info

    def _node(self, parameter):
        node_id = self.parameterNode.GetParameter(parameter) if self.parameterNode else ""
        return slicer.mrmlScene.GetNodeByID(node_id) if node_id else None


def _say(message):
    """Beside the log, in the status bar: a message box would stop the other plugins."""
    logging.warning(message)
    slicer.util.showStatusMessage(message, 10000)


@contextmanager
def _progress():
    """A progress function that shows a dialog with a Cancel button once it takes a while."""
    window = slicer.util.mainWindow()
    if window is None:
        yield None
        return
    dialog = qt.QProgressDialog(window)
    dialog.windowTitle = _("M1 cortical thickness")
    dialog.labelText = _("Measuring cortical thickness...")
    dialog.windowModality = qt.Qt.WindowModal
    dialog.minimumDuration = PROGRESS_AFTER_MS
    dialog.maximum = 100

    def report(step, fraction):
        dialog.setValue(int(99 * fraction))
        if dialog.wasCanceled:
            raise Cancelled

    try:
        yield report
    finally:
        dialog.reset()
        dialog.deleteLater()
