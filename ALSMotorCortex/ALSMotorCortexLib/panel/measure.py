"""The section *Measure*: settings, and one run at a time with progress and cancel."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import slicer
from slicer.i18n import tr as _

from ..scene import chosen
from .choices import Plane
from .run_section import RunSection


class MeasureSection(RunSection):
    """Starts a measurement and follows it."""

    name = "measure"
    bar = "progressBar"

    def setup(self) -> None:
        super().setup()
        self.ui.measureButton.connect("clicked()", self.on_start)
        self.ui.cancelButton.connect("clicked()", self.on_cancel)

    def refresh(self) -> None:
        running = self.running
        reason = chosen.reason(self.parameters)
        ui = self.ui
        ui.measureButton.enabled = not running and not reason
        ui.cancelButton.enabled = running
        ui.progressBar.visible = running
        ui.reasonLabel.text = "" if running else reason
        in_plane = self.parameters.plane is not Plane.NONE
        ui.angleLabel.visible = in_plane
        ui.angleSpinBox.visible = in_plane

    def shortcuts(self) -> Mapping[str, Any]:
        return {"measure": self.ui.measureButton}

    # A run --------------------------------------------------------------------------------

    def started(self) -> Any:
        return self.logic.start_run(self.parameters)

    def stopped(self) -> str:
        return _("The scene was closed, so the measurement was stopped.")

    def finished(self, run: Any) -> None:
        with slicer.util.WaitCursor():
            self.say("")
            before = [nodes["settings"] for _name, nodes in self.logic.results()]
            nodes = self.logic.publish(self.parameters, run)
            self.panel["results"].show_new(nodes, nodes["settings"] not in before)
            self.say(self.logic.summary(nodes))
