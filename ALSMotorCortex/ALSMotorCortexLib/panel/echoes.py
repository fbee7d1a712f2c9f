"""The section *Maps from echoes*: which echoes, their times, and one fit at a time."""

from __future__ import annotations

from typing import Any

import qt
from slicer.i18n import tr as _

from ..scene import layout
from ..scene.echoes import keep_times, missing, type_time
from .run_section import RunSection

_TIME_COLUMN = 1

SOURCES = {
    "typed": _("typed"),
    "sequence": _("sequence"),
    "multi-volume": _("multi-volume"),
    "node": _("volume"),
    "DICOM": _("DICOM"),
    "file": _("file"),
    "kept": _("scene"),
    "name": _("name"),
    "": "",
}
"""Where an echo time was found, in words."""


class EchoesSection(RunSection):
    """Chooses echoes, shows their times, and makes maps of them."""

    name = "echoes"
    bar = "echoesProgressBar"

    def setup(self) -> None:
        super().setup()
        self._frames: list[Any] = []
        ui = self.ui
        ui.echoesSelector.setMinimumWidth(80)
        table = ui.echoesTable
        table.columnCount = 3
        table.setHorizontalHeaderLabels([_("Echo"), _("Time (ms)"), _("Found in")])
        table.setWordWrap(False)
        header = table.horizontalHeader()
        header.setSectionResizeMode(qt.QHeaderView.ResizeToContents)
        header.setSectionResizeMode(0, qt.QHeaderView.Stretch)
        table.verticalHeader().hide()
        ui.echoesSelector.connect("checkedNodesChanged()", self.on_checked)
        table.connect("cellChanged(int,int)", self.on_time)
        ui.makeMapsButton.connect("clicked()", self.on_start)
        ui.cancelMapsButton.connect("clicked()", self.on_cancel)

    def fill_in(self) -> None:
        """Chooses echoes where there are some and none is chosen."""
        with self.message():
            if not list(self.parameters.echoes) and (found := self.logic.suggest_echoes()):
                self.parameters.echoes = found
                self.open()

    def refresh(self) -> None:
        running = self.running
        self._show_choice()
        if not running:
            self._frames = self.logic.echoes(self.parameters)
            keep_times(self._frames)
            self._show_times()
        reason = "" if running else missing(self._frames)
        ui = self.ui
        ui.makeMapsButton.enabled = not running and not reason
        ui.cancelMapsButton.enabled = running
        ui.echoesProgressBar.visible = running
        ui.echoesReasonLabel.text = reason

    def closing(self) -> None:
        """Forgets the echoes, too: their nodes are about to go."""
        self._frames = []
        self.say("")
        super().closing()

    # What it shows ------------------------------------------------------------------------

    def _show_choice(self) -> None:
        chosen = list(self.parameters.echoes)
        selector = self.ui.echoesSelector
        blocked = selector.blockSignals(True)
        for node in [*selector.checkedNodes(), *selector.uncheckedNodes()]:
            state = qt.Qt.Checked if node in chosen else qt.Qt.Unchecked
            if selector.checkState(node) != state:
                selector.setCheckState(node, state)
        selector.blockSignals(blocked)

    def _show_times(self) -> None:
        table = self.ui.echoesTable
        blocked = table.blockSignals(True)
        table.visible = bool(self._frames)
        table.rowCount = len(self._frames)
        for row, frame in enumerate(self._frames):
            time = "" if frame.time_ms is None else f"{frame.time_ms:g}"
            for column, text in enumerate((frame.name, time, SOURCES[frame.source])):
                item = qt.QTableWidgetItem(text)
                if column != _TIME_COLUMN:
                    item.setFlags(qt.Qt.ItemIsEnabled)
                table.setItem(row, column, item)
        table.resizeRowsToContents()
        rows = min(len(self._frames), 8)
        height = sum(table.rowHeight(n) for n in range(rows)) + table.horizontalHeader().height
        table.setFixedHeight(height + 4)
        table.blockSignals(blocked)

    # What the user does -------------------------------------------------------------------

    def on_checked(self) -> None:
        if self.parameters is not None:
            self.parameters.echoes = list(self.ui.echoesSelector.checkedNodes())

    def on_time(self, row: int, column: int) -> None:
        """A time was typed into the table."""
        if column == _TIME_COLUMN:
            with self.message():
                self.say("")
                type_time(self._frames[row], self.ui.echoesTable.item(row, 1).text())
            self.panel.refresh_later()

    # A run --------------------------------------------------------------------------------

    def started(self) -> Any:
        return self.logic.start_maps(self.parameters)

    def stopped(self) -> str:
        return _("The scene was closed, so the maps were stopped.")

    def finished(self, run: Any) -> None:
        self.say(self.logic.publish_maps(self.parameters, run))
        layout.show_image(self.scene, self.parameters.image)
        layout.fit_slices(self.scene, self.parameters.image)
