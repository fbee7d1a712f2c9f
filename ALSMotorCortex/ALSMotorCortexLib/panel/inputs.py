"""The section *Inputs*: image, maps, segmentation and its segments, dividing points."""

from __future__ import annotations

from typing import Any

import qt
import slicer
from slicer.i18n import tr as _

from ..scene import chosen, layout
from ..scene.inputs import iron_to_ask
from ..scene.volumes import IRON
from .choices import IRON_LABELS, ROLE_LABELS
from .drawn import choose, hide
from .samples import load_sample_case
from .section import Section


class InputsSection(Section):
    """What is measured."""

    name = "inputs"

    def setup(self) -> None:
        ui = self.ui
        table = ui.segmentsTable
        table.columnCount = 2
        table.setHorizontalHeaderLabels([_("Segment"), _("What it is")])
        table.horizontalHeader().setSectionResizeMode(qt.QHeaderView.Stretch)
        table.verticalHeader().hide()
        for name in ("image", "maps", "segmentation", "dividers"):
            # A long node name must not widen the panel.
            getattr(self.ui, f"{name}Selector").setMinimumWidth(80)
        ui.ironComboBox.addItems(list(IRON_LABELS.values()))
        ui.ironComboBox.connect("activated(int)", self.on_iron)
        ui.sampleDataButton.connect("clicked()", self.on_sample_data)
        ui.segmentEditorButton.connect("clicked()", self.on_segment_editor)
        ui.placeDividersButton.connect("clicked()", self.on_place_dividers)
        ui.mapsSelector.connect("checkedNodesChanged()", self.on_maps_checked)
        ui.segmentationSelector.connect(
            "currentNodeChanged(vtkMRMLNode*)", self.on_segmentation_chosen
        )

    def fill_in(self) -> None:
        """Chooses what can be told by itself."""
        with self.message():
            chosen.fill_in(self.scene, self.parameters)

    def refresh(self) -> None:
        p = self.parameters
        if p.dividers is not None:
            chosen.finish_dividers(self.scene, p.dividers)
        self._hide_result_volumes()
        self._show_maps()
        self._show_iron()
        self._show_segments()
        self.ui.sampleDataButton.visible = p.image is None

    def watched(self) -> list[Any]:
        return [self.parameters.segmentation, self.parameters.dividers]

    def _hide_result_volumes(self) -> None:
        """Keeps thickness and depth out of the lists of images to measure."""
        for selector in (self.ui.imageSelector, self.ui.mapsSelector):
            hide(selector, self.logic.own_volumes())

    def _show_maps(self) -> None:
        maps = list(self.parameters.maps)
        selector = self.ui.mapsSelector
        blocked = selector.blockSignals(True)
        for node in [*selector.checkedNodes(), *selector.uncheckedNodes()]:
            state = qt.Qt.Checked if node in maps else qt.Qt.Unchecked
            if selector.checkState(node) != state:
                selector.setCheckState(node, state)
        selector.blockSignals(blocked)

    def _show_iron(self) -> None:
        """Asks how iron shows in susceptibility maps, where there are some."""
        asked = self._susceptibility()
        self.ui.ironLabel.visible = self.ui.ironComboBox.visible = bool(asked)
        said = {node.GetAttribute(IRON) or "" for node in asked}
        choose(self.ui.ironComboBox, IRON_LABELS, said.pop() if len(said) == 1 else "")

    def _susceptibility(self) -> list[Any]:
        return iron_to_ask([self.parameters.image, *self.parameters.maps])

    def _show_segments(self) -> None:
        table = self.ui.segmentsTable
        segments = chosen.segments_of(self.parameters.segmentation)
        table.visible = bool(segments)
        names = [(key, name) for key, name, _color in segments]
        shown = [
            (table.item(n, 0).data(qt.Qt.UserRole), table.item(n, 0).text())
            for n in range(table.rowCount)
        ]
        if names != shown:
            self._fill_segments(segments)
        roles = dict(self.parameters.roles)
        for row, (key, _name) in enumerate(names):
            box = table.cellWidget(row, 1)
            box.currentIndex = chosen.ROLES.index(roles.get(key, ""))

    def _fill_segments(self, segments: list[tuple[str, str, Any]]) -> None:
        table = self.ui.segmentsTable
        table.rowCount = len(segments)
        for row, (key, name, color) in enumerate(segments):
            item = qt.QTableWidgetItem(name)
            item.setData(qt.Qt.UserRole, key)
            swatch = qt.QPixmap(12, 12)
            swatch.fill(qt.QColor.fromRgbF(*color))
            item.setIcon(qt.QIcon(swatch))
            table.setItem(row, 0, item)
            box = qt.QComboBox()
            box.toolTip = table.toolTip
            for role in chosen.ROLES:
                box.addItem(ROLE_LABELS[role])
            box.connect("activated(int)", lambda index, key=key: self.on_role(key, index))
            table.setCellWidget(row, 1, box)
        table.resizeRowsToContents()
        rows = min(len(segments), 8)
        height = sum(table.rowHeight(n) for n in range(rows)) + table.horizontalHeader().height
        table.setFixedHeight(height + 4)

    # What the user does -------------------------------------------------------------------

    def on_sample_data(self) -> None:
        with self.message():
            nodes = load_sample_case()
            with slicer.util.NodeModify(self.parameters):
                self.parameters.image = nodes["T2star"]
                self.parameters.maps = [nodes["R2star"]]
                self.parameters.segmentation = nodes["segmentation"]
                self.parameters.dividers = nodes["dividers"]
            self.panel.open("inputs", "measure")

    def on_maps_checked(self) -> None:
        if self.parameters is not None:
            self.parameters.maps = list(self.ui.mapsSelector.checkedNodes())

    def on_iron(self, index: int) -> None:
        for node in self._susceptibility():
            node.SetAttribute(IRON, list(IRON_LABELS)[index] or None)
        self.logic.measure_drawn_again()
        self.panel.refresh_later()

    def on_segmentation_chosen(self, node: Any) -> None:
        """Another segmentation: what was said of the other one's segments is void."""
        if self.parameters is not None:
            with self.message():
                chosen.fill_in_roles(self.parameters)

    def on_role(self, key: str, index: int) -> None:
        self.parameters.roles[key] = chosen.ROLES[index]

    def on_segment_editor(self) -> None:
        """Opens the Segment Editor with the panel's image and segmentation set."""
        with self.message():
            node = chosen.segmentation_to_edit(self.scene, self.parameters)
            image = self.parameters.image
            slicer.util.selectModule("SegmentEditor")
            editor = slicer.modules.SegmentEditorWidget.editor
            editor.setSegmentationNode(node)
            if image is not None:
                editor.setSourceVolumeNode(image)

    def on_place_dividers(self) -> None:
        """Places the two points that part foot, hand and face."""
        p = self.parameters
        if p.dividers is None:
            p.dividers = chosen.add_dividers(self.scene)
        layout.start_placing(self.scene, p.dividers, persistent=True)
