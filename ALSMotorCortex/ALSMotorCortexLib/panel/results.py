"""The section *Results*: which result the views show, and how."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import slicer

from ..scene import layout
from .choices import Overlay
from .section import Section


class ResultsSection(Section):
    """Shows the results of the scene, one at a time."""

    name = "results"

    def setup(self) -> None:
        # What the panel said when it was last brought up to date.
        self._shown: Any = None
        self._tables: list[tuple[Any, Any]] = []
        ui = self.ui
        ui.measuresTableView.setMinimumHeight(110)
        ui.arrangeButton.connect("clicked()", self.on_arrange)
        ui.resultComboBox.connect("activated(int)", self.on_result_chosen)
        ui.chartComboBox.connect("activated(int)", self.on_chart_chosen)
        ui.measuresTableView.connect("selectionChanged()", self.on_row_selected)

    def refresh(self) -> None:
        box = self.ui.resultComboBox
        names = [name for name, _nodes in self.logic.results()]
        if [box.itemText(n) for n in range(box.count)] != names:
            box.clear()
            box.addItems(names)
            box.currentIndex = len(names) - 1
        nodes = self.nodes()
        for widget in (box, self.ui.overlayComboBox, self.ui.chartComboBox, self.ui.arrangeButton):
            widget.enabled = bool(nodes)
        self._offer_overlays(nodes)
        self._show_charts(nodes)
        table = nodes.get("measures")
        if self.ui.measuresTableView.mrmlTableNode() is not table:
            self.ui.measuresTableView.setMRMLTableNode(table)
        self.ui.measuresTableView.visible = table is not None
        self.ui.findingsLabel.text = self.logic.findings(nodes)
        self._apply_view(nodes)

    def shortcuts(self) -> Mapping[str, Any]:
        return {"layout": self.ui.arrangeButton}

    def connected(self) -> None:
        self._shown = None

    def closing(self) -> None:
        for view, call in self._tables:
            view.disconnect("selectionChanged()", call)
        self._tables = []

    def nodes(self) -> dict[str, Any]:
        """The nodes of the chosen result; empty where there is none."""
        found = self.logic.results()
        index = self.ui.resultComboBox.currentIndex
        return found[index][1] if 0 <= index < len(found) else {}

    def show_new(self, nodes: dict[str, Any], is_new: bool) -> None:
        """Shows a result that was just measured."""
        if is_new or layout.is_drawing(self.scene):
            layout.arrange(self.scene, layout.RESULTS)
            # The views take their new size first.
            slicer.app.processEvents()
            layout.fit_slices(self.scene, nodes["thickness"])
            self._follow_tables()
        self._show(nodes)
        # The latest result is chosen when the list is filled anew.
        self.ui.resultComboBox.clear()
        self.open()

    def fit_plots(self) -> None:
        """A plot keeps its range when its table changes; what is drawn anew should be seen."""
        manager = slicer.app.layoutManager()
        if manager is not None and layout.is_drawing(self.scene):
            for n in range(manager.plotViewCount):
                manager.plotWidget(n).plotView().fitToContent()

    def _offer_overlays(self, nodes: dict[str, Any]) -> None:
        """Lets the user choose what the result has; not all have angles of slices."""
        listed = self.ui.overlayComboBox.view()
        for n, overlay in enumerate(Overlay):
            listed.setRowHidden(n, bool(overlay.value) and overlay.value not in nodes)
        if nodes and self.parameters.overlay.value not in {"", *nodes}:
            self.parameters.overlay = Overlay.THICKNESS

    def _show_charts(self, nodes: dict[str, Any]) -> None:
        maps = [key.removeprefix("chart:") for key in nodes if key.startswith("chart:")]
        box = self.ui.chartComboBox
        if [box.itemText(n) for n in range(box.count)] != maps:
            box.clear()
            box.addItems(maps)
            shown = layout.shown_chart(self.scene)
            charts = [nodes[f"chart:{name}"] for name in maps]
            if shown in charts:
                box.currentIndex = charts.index(shown)

    def _apply_view(self, nodes: dict[str, Any]) -> None:
        """Shows what the panel says, once it says something new."""
        p = self.parameters
        volume = nodes.get("thickness")
        wanted = (
            volume.GetID() if volume else "",
            p.overlay,
            p.overlayOpacity,
            p.showLayers,
            p.showSurface,
        )
        # What the user, or a scene file, set up by other means stays until the panel is changed.
        if self._shown not in (None, wanted):
            self._show(nodes)
        self._shown = wanted

    def _show(self, nodes: dict[str, Any]) -> None:
        p = self.parameters
        layout.show_result(
            self.scene, nodes, p.overlay.value, p.overlayOpacity, p.showLayers, p.showSurface
        )

    # What the user does -------------------------------------------------------------------

    def on_arrange(self) -> None:
        with self.message():
            layout.arrange(self.scene, layout.RESULTS)
            self._follow_tables()
            self._show(self.nodes())

    def on_result_chosen(self, index: int) -> None:
        with self.message():
            self._show(self.nodes())
        self.panel.refresh_later()

    def on_chart_chosen(self, index: int) -> None:
        chart = self.nodes().get(f"chart:{self.ui.chartComboBox.currentText}")
        if chart is not None:
            layout.show_chart(self.scene, chart)

    def on_row_selected(self) -> None:
        """Shows where the selected region lies."""
        rows = self.ui.measuresTableView.selectionModel().selectedRows()
        if rows:
            with self.message():
                # The user may have sorted the table.
                row = self.ui.measuresTableView.sortFilterProxyModel().mapToSource(rows[0]).row()
                self.logic.show_place(self.nodes(), row)

    def _follow_tables(self) -> None:
        """A row selected in the layout's table shows its place like one in the panel's."""
        manager = slicer.app.layoutManager()
        for n in range(manager.tableViewCount if manager is not None else 0):
            view = manager.tableWidget(n).tableView()
            if view not in [known for known, _call in self._tables]:

                def selected(view: Any = view) -> None:
                    self.on_layout_row(view)

                view.connect("selectionChanged()", selected)
                self._tables.append((view, selected))

    def on_layout_row(self, view: Any) -> None:
        own = self.ui.measuresTableView
        index = view.currentIndex()
        if index.isValid() and view.mrmlTableNode() is own.mrmlTableNode():
            own.selectRow(index.row())
