"""The trace in the scene: a markups curve along the cortex, its borders, and its ribbon."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import slicer
from numpy.typing import NDArray

from ..cortex import traced_ribbon
from ..cortex.drawn import (
    Reading,
    TraceOptions,
    plane_normal,
    readings,
    to_text,
    trace,
    trace_borders,
    trace_options,
)
from ..cortex.errors import InputError
from ..cortex.grid import Grid, Image
from ..cortex.trace import BORDERS, Pin, Trace
from .border_points import BorderPoints, handle_places, take_pins
from .colors import series_color
from .drawn import DRAWN, DrawnLogic, Followed
from .folders import file_together
from .layout import STRAIGHT
from .markups import keep_record, points_of, record_of, set_readings
from .traced_segments import put_ribbon
from .translation import tr as _
from .volumes import set_image

# Where Slicer's sagittal, coronal and axial views look from, along R, A and S.
_VIEWED_FROM = (-1, 1, -1)

_EMPTY = {
    title: Reading(title, measure, float("nan"), unit)
    for title, measure, unit in (
        ("Cortical thickness", "thickness_mean", "mm"),
        ("Deep hypointensity", "deep_hypointensity", "1"),
        ("Signal-hypointensity-to-thickness", "signal_thickness_ratio", "1/mm"),
    )
}
_NAMES = {"pial": "pial border", "white": "white-matter border"}
_COLORS = {"pial": series_color(4), "white": series_color(1)}


class TraceLogic(DrawnLogic):
    """Follows markups curves along the cortex.

    Every change of a curve, of its borders or of its volume finds the borders anew. The
    numbers become the curve's own measurements; the nodes of :meth:`nodes` are updated in
    place: ``pial`` and ``white`` (curves that the user can drag), ``straightened`` (the
    cortex made straight, pial side up; ``straight_pial`` and ``straight_white`` lie on it),
    ``table`` and ``chart`` (laminar profile),
    ``thickness_table`` and ``thickness_chart`` (thickness along the curve).

    A border point that the user drags stays where it was put: it is kept with the curve, and
    the rest of the border follows. Deleting it lets the border go again.
    """

    kinds = ("trace", "borders")
    class_name = "vtkMRMLMarkupsCurveNode"
    title = "Trace"

    def __init__(self, scene: Any) -> None:
        super().__init__(scene)
        self._handles: dict[str, dict[str, BorderPoints]] = {}

    def options(self, curve: Any) -> TraceOptions:
        """How a curve is followed. Border points are in the curve's own coordinates."""
        return trace_options(record_of(curve))

    def configure(self, curve: Any, **values: Any) -> None:
        """Changes fields of :class:`.cortex.drawn.TraceOptions` and follows the cortex again."""
        keep_record(curve, to_text(replace(self.options(curve), **values)))
        self._handles.pop(curve.GetID(), None)
        self.update(curve)

    def finds_borders(self, curve: Any) -> bool:
        """Whether a curve is followed and its borders are found, not drawn by hand."""
        followed = self._followed.get(curve.GetID())
        return followed is not None and not self._drawn_by_hand(followed)

    def as_seen(self, curve: Any, side: str) -> str:
        """A ``pial_side`` of the options in the terms of Slicer's slice views, and back.

        The options see a curve from where its plane's normal points to. The views look at
        axial slices from below, at coronal ones from the front and at sagittal ones from the
        left; so left and right may change places.
        """
        if side not in ("left", "right"):
            return side
        try:
            normal = plane_normal(self._image(curve)[0].grid, points_of(curve), "trace")
        except InputError:  # no image, or points on several slices: there is no plane
            return side
        axis = int(np.argmax(np.abs(normal)))
        if normal[axis] * _VIEWED_FROM[axis] > 0:
            return side
        return "left" if side == "right" else "right"

    def show_straight_borders(self, curve: Any) -> None:
        """Shows the borders on the straightened cortex of one trace, and of no other."""
        for other in self.attached():
            nodes = self.nodes(other)
            for role in ("straight_pial", "straight_white"):
                if role in nodes:
                    shown = other is curve and self.result(other) is not None
                    nodes[role].GetDisplayNode().SetVisibility(shown)

    def release_pins(self, curve: Any) -> None:
        """Lets both borders go: no point that the user has dragged counts any more."""
        self.configure(curve, pins=())

    def attach_borders(self, pial: Any, white: Any, volume: Any) -> Any:
        """Follows two border curves that were drawn by hand.

        Args:
            pial, white: vtkMRMLMarkupsCurveNodes on one slice.
            volume: to sample between them.

        Returns:
            the node that stands for the pair: ``pial``.

        Raises:
            InputError: both are the same curve.
        """
        if pial is white:
            raise InputError(_("Choose two curves: one along each border."))
        pial.SetNodeReferenceID("ALSMotorCortex.otherBorder", white.GetID())
        self._attach(pial, volume, "borders")
        return pial

    def make_ribbon(self, curves: Sequence[Any], segmentation: Any = None) -> list[str]:
        """Turns traces into segments: gray matter, and a band of white matter and of CSF.

        The segments take the place of those made before in the same segmentation.

        Args:
            curves: followed curves, on one or several slices of one direction.
            segmentation: the vtkMRMLSegmentationNode to put them into; None makes one.

        Returns:
            the segments' IDs: gray matter, white matter, CSF.

        Raises:
            InputError: no curve, one without a result, or planes at an angle.
        """
        labels = self.ribbon(curves)
        if segmentation is None:
            segmentation = self.scene.AddNewNodeByClass(
                "vtkMRMLSegmentationNode", self.scene.GenerateUniqueName("Traced ribbon")
            )
            segmentation.CreateDefaultDisplayNodes()
            file_together(self.scene, curves[0].GetName(), [segmentation])
        return put_ribbon(segmentation, labels)

    def ribbon(self, curves: Sequence[Any]) -> Image:
        """The label map of traces; see :func:`.cortex.traced_ribbon.ribbon_labels`.

        Raises:
            InputError: see :meth:`make_ribbon`.
        """
        traces = []
        for curve in curves:
            if (found := self.update(curve)) is None:
                raise InputError(f"{curve.GetName()}: {self.message(curve)}")
            traces.append(found)
        grid = self._image(curves[0])[0].grid if curves else Grid.from_spacing((1,) * 3, (1,) * 3)
        return traced_ribbon.ribbon_labels(traces, grid)

    # What is followed -----------------------------------------------------------------------

    def _new(self, node: Any) -> None:
        display = node.GetDisplayNode()
        display.SetTextScale(2.5)
        display.SetGlyphScale(1.2)

    def _measurements(self) -> set[str]:
        return set(_EMPTY)

    def _drawn_by_hand(self, followed: Followed) -> bool:
        return followed.node.GetAttribute(DRAWN) == "borders"

    def _watched(self, followed: Followed) -> list[Any]:
        curve = followed.node
        roles = ["otherBorder"] if self._drawn_by_hand(followed) else BORDERS
        others = [curve.GetNodeReference(f"ALSMotorCortex.{role}") for role in roles]
        return [curve, *(other for other in others if other is not None)]

    def _other(self, followed: Followed) -> NDArray:
        other = followed.node.GetNodeReference("ALSMotorCortex.otherBorder")
        return points_of(other) if other is not None else np.empty((0, 3))

    def _inputs(self, followed: Followed) -> Any:
        curve = followed.node
        if self._drawn_by_hand(followed):
            return points_of(curve).tobytes(), self._other(followed).tobytes(), self.iron(curve)
        self._take_pins(followed)
        return points_of(curve).tobytes(), record_of(curve), self.iron(curve)

    def _measure(self, followed: Followed, image: Image) -> Trace:
        curve = followed.node
        if curve.IsA("vtkMRMLMarkupsClosedCurveNode"):
            text = _("The trace is a closed curve. Draw an open curve along the cortex.")
            raise InputError(text)
        if self._drawn_by_hand(followed):
            return trace_borders(image, points_of(curve), self._other(followed), self.iron(curve))
        if not record_of(curve):
            keep_record(curve, to_text(TraceOptions()))
        world = tuple(pin for border in BORDERS for pin in self._pins(curve, border))
        options = replace(self.options(curve), pins=world)
        return trace(image, points_of(curve), options, self.iron(curve))

    def _words(self, followed: Followed) -> str:
        found: Trace = followed.result
        words = _("Cortical thickness {mm:.2f} mm on average over {length:.0f} mm.").format(
            mm=found.mean_thickness, length=found.positions[-1]
        )
        if not found.mean_thickness_sd:
            return words
        low, high = found.mean_thickness_interval
        return f"{words} " + _("The 95\u00a0% interval is {low:.2f} to {high:.2f} mm.").format(
            low=low, high=high
        )

    # What is shown --------------------------------------------------------------------------

    def _show(self, followed: Followed) -> None:
        found: Trace | None = followed.result
        values = {r.title: r for r in readings(found)} if found else _EMPTY
        set_readings(followed.node, values, found is not None)
        if found is None and not followed.made:
            return
        followed.fresh = False
        if not self._drawn_by_hand(followed):
            for border in BORDERS:
                self._show_border(followed, border)
        self._show_straightened(followed)
        self._show_profile(followed)
        self._show_thickness(followed)
        if followed.fresh:
            self._file(followed)
            self._watch(followed)

    def _show_border(self, followed: Followed, border: str) -> None:
        found: Trace | None = followed.result
        node, new = self._made(followed, border, "vtkMRMLMarkupsCurveNode", _NAMES[border])
        if new:
            _style_border(node, border)
        if found is None:
            node.GetDisplayNode().SetVisibility(False)
            return
        handles = self._handles_of(followed)[border]
        pins = np.array([p.ras for p in self._pins(followed.node, border)]).reshape(-1, 3)
        places = handle_places(found, border, handles, pins)
        modifying = node.StartModify()
        slicer.util.updateMarkupsControlPointsFromArray(node, places, world=True)
        for n in range(len(places)):
            # Points that the user has set are told from the others by their colour.
            if node.GetNthControlPointSelected(n) != (n in handles.pinned):
                node.SetNthControlPointSelected(n, n in handles.pinned)
        node.EndModify(modifying)
        handles.written = points_of(node)
        node.GetDisplayNode().SetVisibility(True)

    def _show_straightened(self, followed: Followed) -> None:
        found: Trace | None = followed.result
        if found is None:
            return
        node, new = self._made(
            followed, "straightened", "vtkMRMLScalarVolumeNode", "straightened cortex"
        )
        set_image(node, straightened_image(found))
        for border, depth in (("pial", found.pial_depth), ("white", found.white_depth)):
            self._show_straight_border(followed, border, straight_points(found, depth))
        if new:
            node.CreateDefaultDisplayNodes()
            source = self.volume(followed.node).GetDisplayNode()
            if source is not None:
                display = node.GetDisplayNode()
                display.SetAutoWindowLevel(False)
                display.SetWindowLevel(source.GetWindow(), source.GetLevel())

    def _show_straight_border(self, followed: Followed, border: str, places: NDArray) -> None:
        """A border in the straightened image, only to look at."""
        node, new = self._made(
            followed, f"straight_{border}", "vtkMRMLMarkupsCurveNode", f"straight {_NAMES[border]}"
        )
        if new:
            _style_border(node, border)
            node.SetLocked(True)
            display = node.GetDisplayNode()
            display.SetGlyphScale(0.1)
            display.SetCurveLineSizeMode(display.UseLineDiameter)
            display.SetLineDiameter(0.2)
            display.AddViewNodeID(f"vtkMRMLSliceNode{STRAIGHT}")
        slicer.util.updateMarkupsControlPointsFromArray(node, places, world=True)

    def _show_profile(self, followed: Followed) -> None:
        found: Trace | None = followed.result
        depth = found.profile_depth if found else np.empty(0)
        mean = found.profile if found else np.empty(0)
        sd = found.profile_sd if found else np.empty(0)
        columns = {
            "depth": (depth, ""),
            "mean": (mean, ""),
            "low": (mean - sd, ""),
            "high": (mean + sd, ""),
        }
        table = self._table(followed, "table", "laminar profile", columns)
        self._chart(
            followed,
            "chart",
            _("laminar profile"),
            (_("Cortical depth (0 pial surface, 1 white matter)"), _("Intensity")),
            {
                _("Mean"): (table, "depth", "mean", series_color(0)),
                _("Mean - SD"): (table, "depth", "low", (0.6, 0.6, 0.6)),
                _("Mean + SD"): (table, "depth", "high", (0.6, 0.6, 0.6)),
            },
        )

    def _show_thickness(self, followed: Followed) -> None:
        found: Trace | None = followed.result
        nothing = np.empty(0)
        columns = {
            "position": (found.positions if found else nothing, "mm"),
            "thickness": (found.thickness if found else nothing, "mm"),
            "pial_sd": (found.pial_sd if found else nothing, "mm"),
            "white_sd": (found.white_sd if found else nothing, "mm"),
        }
        table = self._table(followed, "thickness_table", "thickness", columns)
        self._chart(
            followed,
            "thickness_chart",
            _("thickness"),
            (_("Position along the trace (mm)"), _("Thickness (mm)")),
            {_("Thickness"): (table, "position", "thickness", series_color(0))},
        )

    # Border points that the user has set ------------------------------------------------------

    def _handles_of(self, followed: Followed) -> dict[str, BorderPoints]:
        return self._handles.setdefault(
            followed.node.GetID(), {border: BorderPoints() for border in BORDERS}
        )

    def _pins(self, curve: Any, border: str) -> list[Pin]:
        """The pins of one border, in RAS mm of the world."""
        pins = self.options(curve).pins
        return [Pin(border, _to_world(curve, pin.ras)) for pin in pins if pin.border == border]

    def _take_pins(self, followed: Followed) -> None:
        """Turns what the user did to the borders' control points into pins."""
        curve = followed.node
        kept: list[Pin] = []
        changed = False
        for border, handles in self._handles_of(followed).items():
            pins = [np.array(pin.ras) for pin in self._pins(curve, border)]
            node = curve.GetNodeReference(f"ALSMotorCortex.{border}")
            if node is not None and len(handles.written):
                after = take_pins(handles, pins, points_of(node))
                changed |= after is not pins
                pins = after
            kept += [Pin(border, _from_world(curve, place)) for place in pins]
        if changed:
            keep_record(curve, to_text(replace(self.options(curve), pins=tuple(kept))))


def straightened_image(found: Trace) -> Image:
    """The straightened cortex as an image of one slice.

    In an axial slice view the trace runs from left to right, with CSF up.
    """
    array = np.ascontiguousarray(found.straightened.T[None], dtype=np.float32)
    along = float(found.positions[-1] / (len(found.positions) - 1))
    across = float(found.depths[1] - found.depths[0])
    matrix = np.diag([-along, -across, 1.0, 1.0])
    matrix[:2, 3] = found.positions[-1] / 2, -found.depths[0]
    return Image(array, Grid(array.shape, matrix), "straightened cortex")


def straight_points(found: Trace, depth: NDArray) -> NDArray[np.float64]:
    """(n, 3) RAS mm in :func:`straightened_image` of a border, about one for each mm.

    Args:
        depth: (n,) mm, of the border at each column.
    """
    columns = np.linspace(0, len(depth) - 1, max(3, round(float(found.positions[-1])))).astype(int)
    along = found.positions[-1] / 2 - found.positions[columns]
    return np.column_stack([along, -depth[columns], np.zeros(len(columns))])


def _style_border(node: Any, border: str) -> None:
    node.CreateDefaultDisplayNodes()
    display = node.GetDisplayNode()
    # Slicer draws curve and points in the "selected" colour; what is not selected in the other.
    display.SetSelectedColor(*_COLORS[border])
    display.SetColor(*_COLORS[border])
    display.SetGlyphType(slicer.vtkMRMLMarkupsDisplayNode.Circle2D)
    display.SetGlyphScale(1.2)
    display.SetLineThickness(0.4)
    display.SetPropertiesLabelVisibility(False)


def _to_world(curve: Any, place: Sequence[float]) -> tuple[float, float, float]:
    world = [0.0] * 3
    curve.TransformPointToWorld(list(place), world)
    return world[0], world[1], world[2]


def _from_world(curve: Any, place: Sequence[float]) -> tuple[float, float, float]:
    local = [0.0] * 3
    curve.TransformPointFromWorld([float(v) for v in place], local)
    return local[0], local[1], local[2]
