"""The section *Report*: saves the page of a result."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import slicer
from slicer.i18n import tr as _

from .pictures import screenshots
from .section import Section


class ReportSection(Section):
    """Saves the report page with pictures of the views."""

    name = "report"

    def setup(self) -> None:
        self.ui.saveReportButton.connect("clicked()", self.on_save)

    def refresh(self) -> None:
        reason = self.logic.report_reason(self.panel["results"].nodes())
        self.ui.saveReportButton.enabled = not reason
        self.ui.reportReasonLabel.text = reason

    def shortcuts(self) -> Mapping[str, Any]:
        return {"report": self.ui.saveReportButton}

    def on_save(self) -> None:
        path = self.ui.reportPathLineEdit
        if not path.currentPath:
            path.browse()
        if not path.currentPath:
            return
        with self.message(), slicer.util.WaitCursor():
            nodes = self.panel["results"].nodes()
            self.logic.save_report(nodes, path.currentPath, screenshots())
            self.say(_("Saved as {file}.").format(file=path.currentPath))
