"""The section *Measure*: settings, and one run at a time with progress and cancel."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import slicer
from slicer.i18n import tr as _

from ..scene import chosen
from .choices import Plane
from .section import Section

# Pause between two looks at a run, for the window; each look lets the run work for 30 ms.
POLL_MS = 10


class MeasureSection(Section):
    """Starts a measurement and follows it."""

    name = "measure"

    def setup(self) -> None:
        self._run: Any = None
        self._pollTimer = self.panel.timer(POLL_MS, self.on_poll)
        self.ui.measureButton.connect("clicked()", self.on_measure)
        self.ui.cancelButton.connect("clicked()", self.on_cancel)

    def refresh(self) -> None:
        running = self._run is not None
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

    def closing(self) -> None:
        """Stops a run and forgets it: its nodes are about to go."""
        self._pollTimer.stop()
        if self._run is not None:
            self._run.cancel()
            self._run = None
            self.say(_("The scene was closed, so the measurement was stopped."))

    # What the user does -------------------------------------------------------------------

    def on_measure(self) -> None:
        """Starts a measurement; :meth:`on_poll` follows it."""
        if self._run is not None:
            return
        self.say("")
        with self.message():
            self._run = self.logic.start_run(self.parameters)
            self._pollTimer.start()
        self.refresh()

    def on_cancel(self) -> None:
        if self._run is not None:
            self._run.cancel()
            self.ui.progressBar.setFormat(_("stopping..."))

    def on_poll(self) -> None:
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
        with self.message(), slicer.util.WaitCursor():
            self.say("")
            before = [nodes["settings"] for _name, nodes in self.logic.results()]
            nodes = self.logic.publish(self.parameters, run)
            self.panel["results"].show_new(nodes, nodes["settings"] not in before)
            self.say(self.logic.summary(nodes))
        self.panel.refresh_later()
