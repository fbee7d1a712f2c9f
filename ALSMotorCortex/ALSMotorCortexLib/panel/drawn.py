"""What the sections for calipers and traces share."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from typing import Any

import slicer

from ..scene import layout


def measurements_text(markup: Any) -> str:
    """The numbers of a markups node, a line for each."""
    if markup is None:
        return ""
    lines = []
    for n in range(markup.GetNumberOfMeasurements()):
        measurement = markup.GetNthMeasurement(n)
        if measurement.GetEnabled() and measurement.GetValueDefined():
            value = measurement.GetValueWithUnitsAsPrintableString()
            lines.append(f"<b>{html.escape(value)}</b> {html.escape(measurement.GetName())}")
    return "<br>".join(lines)


def choose(box: Any, labels: Mapping[str, str], key: str) -> None:
    """Shows a choice in a combo box that lists the labels in their order."""
    if key in labels:
        box.currentIndex = list(labels).index(key)


def hide(selector: Any, nodes: Sequence[Any]) -> None:
    """Leaves nodes out of the list of a node selector."""
    model = selector.sortFilterProxyModel()
    hidden = [node.GetID() for node in nodes]
    if list(model.hiddenNodeIDs) != hidden:
        model.hiddenNodeIDs = hidden


def show_image_to_draw_on(scene: Any, image: Any) -> None:
    """Clears the views for the image to draw on."""
    if not layout.is_drawing(scene):
        layout.arrange(scene, layout.DRAWING)
        layout.show_result(scene, {}, "", 0, False, False)
        # The views take their new size first.
        slicer.app.processEvents()
        layout.show_image(scene, image)
        layout.fit_slices(scene, image)
    layout.show_image(scene, image)
