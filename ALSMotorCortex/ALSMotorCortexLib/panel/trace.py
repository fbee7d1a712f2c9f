"""The section *Trace*: a curve along the cortex, and the ribbon it gives."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import slicer

from ..scene import layout
from .choices import PIAL_SIDE_LABELS
from .drawn import choose, hide, measurements_text, show_image_to_draw_on
from .section import Section


class TraceSection(Section):
    """Draws traces, shows their numbers and turns them into a ribbon."""

    name = "trace"

    def setup(self) -> None:
        ui = self.ui
        ui.traceSideComboBox.addItems(list(PIAL_SIDE_LABELS.values()))
        ui.newTraceButton.connect("clicked()", self.on_new)
        ui.traceSelector.connect("currentNodeChanged(vtkMRMLNode*)", self.on_chosen)
        ui.traceSideComboBox.connect("activated(int)", self.on_side)
        ui.releaseBordersButton.connect("clicked()", self.on_release)
        ui.makeRibbonButton.connect("clicked()", self.on_make_ribbon)
        ui.attachBordersButton.connect("clicked()", self.on_attach_borders)

    def refresh(self) -> None:
        p, ui = self.parameters, self.ui
        ui.newTraceButton.enabled = p.image is not None
        hide(ui.traceSelector, self.logic.own_curves())
        self._show_options(p.trace)
        ui.traceNumbersLabel.text = measurements_text(p.trace)
        self.say(self.logic.traces.message(p.trace) if p.trace else "")
        reason = self.logic.ribbon_reason(p)
        ui.makeRibbonButton.enabled = not reason
        ui.ribbonReasonLabel.text = reason
        ui.attachBordersButton.enabled = bool(p.pialCurve and p.whiteCurve and p.image)

    def shortcuts(self) -> Mapping[str, Any]:
        return {"trace": self.ui.newTraceButton}

    def _show_options(self, curve: Any) -> None:
        finds_borders = curve is not None and self.logic.traces.finds_borders(curve)
        self.ui.traceSideComboBox.enabled = finds_borders
        options = self.logic.traces.options(curve) if finds_borders else None
        self.ui.releaseBordersButton.enabled = bool(options and options.pins)
        if options:
            side = self.logic.traces.as_seen(curve, options.pial_side)
            choose(self.ui.traceSideComboBox, PIAL_SIDE_LABELS, side)

    # What the user does -------------------------------------------------------------------

    def on_new(self) -> None:
        with self.message():
            curve = self.logic.traces.add(self.parameters.image)
            self.parameters.trace = curve
            show_image_to_draw_on(self.scene, self.parameters.image)
            self.reveal()
            layout.start_placing(self.scene, curve, persistent=True)

    def on_chosen(self, node: Any) -> None:
        if node is not None and self.parameters is not None:
            with self.message():
                self.logic.choose_drawn(node, self.parameters.image)
                self.panel.on_drawn(node)

    def on_side(self, index: int) -> None:
        with self.message():
            curve, side = self.parameters.trace, list(PIAL_SIDE_LABELS)[index]
            side = self.logic.traces.as_seen(curve, side)
            self.logic.traces.configure(curve, pial_side=side)

    def on_release(self) -> None:
        with self.message():
            self.logic.traces.release_pins(self.parameters.trace)

    def on_attach_borders(self) -> None:
        with self.message():
            p = self.parameters
            p.trace = self.logic.traces.attach_borders(p.pialCurve, p.whiteCurve, p.image)

    def on_make_ribbon(self) -> None:
        """Turns the traces into segments and chooses them to be measured."""
        with self.message(), slicer.util.WaitCursor():
            self.logic.make_ribbon(self.parameters)
            self.panel.open("measure")
