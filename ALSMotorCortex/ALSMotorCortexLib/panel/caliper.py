"""The section *Caliper*: a line across the cortex."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..scene import layout
from .drawn import measurements_text, show_image_to_draw_on
from .section import Section


class CaliperSection(Section):
    """Places a caliper and shows its numbers."""

    name = "caliper"

    def setup(self) -> None:
        self.ui.newCaliperButton.connect("clicked()", self.on_new)

    def refresh(self) -> None:
        line = self.parameters.caliper
        self.ui.newCaliperButton.enabled = self.parameters.image is not None
        self.ui.caliperNumbersLabel.text = measurements_text(line)
        self.say(self.logic.calipers.message(line) if line else "")

    def shortcuts(self) -> Mapping[str, Any]:
        return {"caliper": self.ui.newCaliperButton}

    def on_new(self) -> None:
        with self.message():
            line = self.logic.calipers.add(self.parameters.image)
            self.parameters.caliper = line
            show_image_to_draw_on(self.scene, self.parameters.image)
            self.open()
            layout.start_placing(self.scene, line, persistent=False)
