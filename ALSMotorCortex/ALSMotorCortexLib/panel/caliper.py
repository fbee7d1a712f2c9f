"""The section *Caliper*: a line across the cortex."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..scene import layout
from .choices import PIAL_END_LABELS
from .drawn import choose, measurements_text, show_image_to_draw_on
from .section import Section


class CaliperSection(Section):
    """Places a caliper and shows its numbers."""

    name = "caliper"

    def setup(self) -> None:
        ui = self.ui
        ui.caliperEndComboBox.addItems(list(PIAL_END_LABELS.values()))
        ui.newCaliperButton.connect("clicked()", self.on_new)
        ui.caliperSelector.connect("currentNodeChanged(vtkMRMLNode*)", self.on_chosen)
        ui.caliperEndComboBox.connect("activated(int)", self.on_end)
        ui.caliperWidthSpinBox.connect("valueChanged(double)", self.on_width)

    def refresh(self) -> None:
        line, ui = self.parameters.caliper, self.ui
        ui.newCaliperButton.enabled = self.parameters.image is not None
        followed = line is not None and line in self.logic.calipers.attached()
        ui.caliperEndComboBox.enabled = ui.caliperWidthSpinBox.enabled = followed
        if followed:
            options = self.logic.calipers.options(line)
            choose(ui.caliperEndComboBox, PIAL_END_LABELS, options.pial_end)
            blocked = ui.caliperWidthSpinBox.blockSignals(True)
            ui.caliperWidthSpinBox.value = options.width_mm
            ui.caliperWidthSpinBox.blockSignals(blocked)
        ui.caliperNumbersLabel.text = measurements_text(line)
        self.say(self.logic.calipers.message(line) if line else "")

    def shortcuts(self) -> Mapping[str, Any]:
        return {"caliper": self.ui.newCaliperButton}

    # What the user does -------------------------------------------------------------------

    def on_new(self) -> None:
        with self.message():
            line = self.logic.calipers.add(self.parameters.image)
            self.parameters.caliper = line
            show_image_to_draw_on(self.scene, self.parameters.image)
            self.reveal()
            layout.start_placing(self.scene, line, persistent=False)

    def on_chosen(self, node: Any) -> None:
        if node is not None and self.parameters is not None:
            with self.message():
                self.logic.choose_drawn(node, self.parameters.image)
                self.panel.on_drawn(node)

    def on_end(self, index: int) -> None:
        with self.message():
            end = list(PIAL_END_LABELS)[index]
            self.logic.calipers.configure(self.parameters.caliper, pial_end=end)

    def on_width(self, width: float) -> None:
        if self.parameters is not None:
            with self.message():
                self.logic.calipers.configure(self.parameters.caliper, width_mm=width)
