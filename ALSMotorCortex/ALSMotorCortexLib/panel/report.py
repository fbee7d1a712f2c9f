"""The section *Report*: saves the page of a result."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import slicer
from slicer.i18n import tr as _

from . import printing
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
            self.say(self._save(Path(path.currentPath)))

    def _save(self, path: Path) -> str:
        """Saves the page, and prints it where the file is to be a PDF; says what came of it."""
        printed = path.suffix.lower() == ".pdf"
        page = path.with_suffix(".html") if printed else path
        nodes = self.panel["results"].nodes()
        self.logic.save_report(nodes, str(page), screenshots())
        if printed:
            reason = (
                printing.print_page(page, path)
                if printing.has_engine()
                else self.logic.print_report(page, path)
            )
            if reason:
                return _("Saved as {file}.").format(file=page) + " " + reason
        return _("Saved as {file}.").format(file=path)
