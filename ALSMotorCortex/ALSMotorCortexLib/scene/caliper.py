"""The caliper in the scene: a markups line across the cortex that measures as it is dragged."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import slicer
from numpy.typing import NDArray

from ..cortex.caliper import Caliper
from ..cortex.drawn import (
    CaliperOptions,
    Reading,
    caliper,
    caliper_options,
    readings,
    to_text,
)
from ..cortex.grid import Image
from .colors import series_color
from .drawn import DrawnLogic, Followed
from .markups import keep_record, points_of, record_of, set_readings
from .translation import tr as _

_EMPTY = {
    title: Reading(title, measure, float("nan"), unit)
    for title, measure, unit in (
        ("Cortical thickness", "thickness", "mm"),
        ("Deep hypointensity", "deep_hypointensity", "1"),
        ("Signal-hypointensity-to-thickness", "signal_thickness_ratio", "1/mm"),
    )
}


class CaliperLogic(DrawnLogic):
    """Follows markups lines across the cortex.

    Every change of a line or of its volume finds both borders anew. The numbers become the
    line's own measurements; the nodes of :meth:`nodes` are updated in place: ``table``
    (profile along the line and the borders in it), ``chart``, ``borders`` (two points on the
    line).
    """

    kinds = ("caliper",)
    class_name = "vtkMRMLMarkupsLineNode"
    title = "Caliper"

    def options(self, line: Any) -> CaliperOptions:
        """How a line is measured."""
        return caliper_options(record_of(line))

    def configure(self, line: Any, **values: Any) -> None:
        """Changes fields of :class:`.cortex.drawn.CaliperOptions` and measures again."""
        keep_record(line, to_text(replace(self.options(line), **values)))
        self.update(line)

    def _new(self, node: Any) -> None:
        # The line's own length is easily taken for the thickness.
        node.GetMeasurement("length").SetEnabled(False)
        display = node.GetDisplayNode()
        display.SetTextScale(2.5)
        display.SetGlyphScale(1.5)

    def _measurements(self) -> set[str]:
        return set(_EMPTY)

    def _inputs(self, followed: Followed) -> Any:
        line = followed.node
        return points_of(line, preview=True).tobytes(), record_of(line), self.iron(line)

    def _measure(self, followed: Followed, image: Image) -> Caliper:
        line = followed.node
        if not record_of(line):
            keep_record(line, to_text(CaliperOptions()))
        return caliper(image, points_of(line, preview=True), self.options(line), self.iron(line))

    def _words(self, followed: Followed) -> str:
        found: Caliper = followed.result
        if not found.found:
            return ""
        low, high = found.thickness_interval
        return _(
            "Cortical thickness {mm:.2f} mm (95\u00a0% interval {low:.2f} to {high:.2f} mm)."
        ).format(mm=found.thickness, low=low, high=high)

    def _show(self, followed: Followed) -> None:
        found: Caliper | None = followed.result
        known = found is not None and found.found
        values = {r.title: r for r in readings(found)} if found else _EMPTY
        set_readings(followed.node, values, known)
        if found is None and not followed.made:
            return
        followed.fresh = False
        table = self._table(followed, "table", "profile", _columns(found))
        self._chart(
            followed,
            "chart",
            _("intensity profile"),
            (_("Position along the caliper (mm)"), _("Intensity")),
            {
                _("Profile"): (table, "position", "intensity", series_color(0)),
                _("Borders"): (table, "border_position", "border_intensity", series_color(5)),
            },
        )
        self._mark(followed, found if known else None)
        if followed.fresh:
            self._file(followed)

    def _mark(self, followed: Followed, found: Caliper | None) -> None:
        """Both borders as points on the line."""
        marks, new = self._made(followed, "borders", "vtkMRMLMarkupsFiducialNode", "borders")
        if new:
            marks.CreateDefaultDisplayNodes()
            marks.SetLocked(True)
            display = marks.GetDisplayNode()
            display.SetGlyphType(slicer.vtkMRMLMarkupsDisplayNode.Diamond2D)
            display.SetGlyphScale(1.5)
            display.SetPointLabelsVisibility(False)
            display.SetSelectedColor(*series_color(5))
        places = np.array([found.pial_ras, found.white_ras]) if found else np.empty((0, 3))
        slicer.util.updateMarkupsControlPointsFromArray(marks, places, world=True)
        for n in range(marks.GetNumberOfControlPoints()):
            marks.SetNthControlPointLabel(n, ("pial border", "white-matter border")[n])


def _columns(found: Caliper | None) -> dict[str, tuple[NDArray, str]]:
    """The profile, and in the first rows of two more columns an upright for each border."""
    positions = found.positions if found else np.empty(0)
    profile = found.profile if found else np.empty(0)
    at, height = np.full(len(positions), np.nan), np.full(len(positions), np.nan)
    if found and found.found:
        low, high = np.nanmin(profile), np.nanmax(profile)
        at[[0, 1, 3, 4]] = found.pial, found.pial, found.white, found.white
        height[[0, 1, 3, 4]] = low, high, low, high
    return {
        "position": (positions, "mm"),
        "intensity": (profile, ""),
        "border_position": (at, "mm"),
        "border_intensity": (height, ""),
    }
