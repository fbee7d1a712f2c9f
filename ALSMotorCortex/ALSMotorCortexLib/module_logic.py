"""What the module's buttons do, without the window: parameter node in, scene changed.

A parameter node is any object with the fields of ``ALSMotorCortexParameterNode``.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import slicer

from . import window_echoes
from .pdf import write_pdf
from .scene import chosen, kept, layout, results, runner, tables, views
from .scene.caliper import CaliperLogic
from .scene.echoes import Frame
from .scene.inputs import Collected, Inputs, collect, in_scene
from .scene.trace import TraceLogic
from .scene.translation import tr as _
from .window_report import save_report


class Started(runner.Run):
    """A run that remembers what it measures."""

    def __init__(self, inputs: Inputs, collected: Collected) -> None:
        super().__init__(collected)
        self.inputs = inputs
        self.collected = collected


class ModuleLogic:
    """Measures, and follows calipers and traces.

    Attributes:
        scene: the vtkMRMLScene that it works in.
        calipers, traces: follow the scene's lines and curves.
    """

    def __init__(self, scene: Any) -> None:
        self.scene = scene
        self.calipers = CaliperLogic(scene)
        self.traces = TraceLogic(scene)
        # What was saved with a scene that is open already.
        self.calipers.restore()
        self.traces.restore()

    def close(self) -> None:
        """Stops following calipers and traces."""
        self.calipers.close()
        self.traces.close()

    # Maps from echoes ---------------------------------------------------------------------

    def suggest_echoes(self) -> list[Any]:
        """Nodes of the scene that hold the echoes of one scan."""
        return window_echoes.suggest(self.scene)

    def echoes(self, p: Any) -> list[Frame]:
        """The chosen echoes in the order of their times."""
        return window_echoes.frames_of(list(p.echoes))

    def start_maps(self, p: Any) -> window_echoes.MapsRun:
        """Starts to make maps of the chosen echoes in the background.

        Raises:
            InputError: echoes that cannot be read.
        """
        return window_echoes.start(p)

    def publish_maps(self, p: Any, run: window_echoes.MapsRun) -> str:
        """Puts maps into the scene, chooses them as inputs, and says what was found.

        Raises:
            InputError: maps could not be made.
            Cancelled: the run was cancelled.
        """
        return window_echoes.publish(self.scene, p, run)

    # Measuring ----------------------------------------------------------------------------

    def start_run(self, p: Any) -> Started:
        """Starts to measure in the background.

        Raises:
            InputError: the input cannot be measured.
        """
        inputs = chosen.inputs_of(p)
        started = Started(inputs, collect(inputs))
        started.start()
        return started

    def publish(self, p: Any, run: Started) -> dict[str, Any]:
        """Puts the result of a run that is done into the scene.

        Raises:
            InputError: the input could not be measured.
            Cancelled: the run was cancelled.
        """
        found = run.result()
        update = p.rerun.value == "update"
        return runner.publish(self.scene, run.inputs, run.collected, found, update)

    def measure(self, p: Any) -> dict[str, Any]:
        """Measures at once: for tests and scripts.

        Raises:
            InputError: the input cannot be measured.
        """
        run = self.start_run(p)
        while not run.done:
            run.poll()
        return self.publish(p, run)

    # Results ------------------------------------------------------------------------------

    def results(self) -> list[tuple[str, dict[str, Any]]]:
        """Name and nodes of each result in the scene, oldest first."""
        hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(self.scene)
        found = results.find_results(self.scene)
        return [(hierarchy.GetItemName(folder), nodes) for folder, nodes in found.items()]

    def own_volumes(self) -> list[Any]:
        """Volumes that the module made: thickness, depth, straightened cortex."""
        nodes = [nodes.get(key) for _name, nodes in self.results() for key in layout.OVERLAYS]
        nodes += [self.traces.nodes(curve).get("straightened") for curve in self.traces.attached()]
        return [node for node in nodes if node is not None]

    def findings(self, nodes: Mapping[str, Any]) -> str:
        """What was noticed in the input of a result."""
        text = nodes["settings"].GetText() if "settings" in nodes else ""
        return text.partition("Findings\n")[2].partition("\n\n")[0]

    def summary(self, nodes: Mapping[str, Any]) -> str:
        """The main number of a result, in a sentence."""
        table = nodes["measures"].GetTable()

        def number(measure: str) -> float:
            column = table.GetColumnByName(measure)
            return column.GetValue(0) if column is not None else math.nan

        mean, corrected = number("thickness_mean"), number("thickness_corrected_mean")
        if math.isnan(mean):
            return _("There is no mean thickness. The findings below say why.")
        text = _("Mean cortical thickness {mean:.2f} mm (SD {sd:.2f} mm).").format(
            mean=mean, sd=number("thickness_sd")
        )
        if math.isnan(corrected):
            return text
        return (
            text
            + " "
            + _("With the angle of the slices allowed for {mean:.2f} mm.").format(mean=corrected)
        )

    def show_place(self, nodes: Mapping[str, Any], row: int) -> None:
        """Shows where the region of a row of the measures' table lies."""
        place = tables.place_of(nodes["measures"], row)
        if place is not None:
            views.jump(self.scene, place)

    def report_reason(self, nodes: Mapping[str, Any]) -> str:
        """Why there is no report of a result; empty when there is one."""
        if not nodes:
            return _("Measure first.")
        if not kept.is_kept(nodes):
            return _("The data of this result's report is not in the scene. Measure again.")
        return ""

    def save_report(
        self, nodes: Mapping[str, Any], path: str, pictures: Mapping[str, bytes]
    ) -> None:
        """Writes the report page of a result with pictures of the views.

        Raises:
            InputError: the file cannot be written, or the report's data not be read.
        """
        save_report(path, *kept.recall(nodes), pictures)

    def print_report(self, page: Path, pdf: Path) -> str:
        """Prints a report page to PDF with a browser of this machine; says why not, or nothing."""
        return " ".join(finding.message for finding in write_pdf(page, pdf))

    # Calipers and traces --------------------------------------------------------------------

    def own_curves(self) -> list[Any]:
        """Curves that the module made for traces."""
        made = [self.traces.nodes(curve).values() for curve in self.traces.attached()]
        return [node for nodes in made for node in nodes if node.IsA("vtkMRMLMarkupsCurveNode")]

    def measure_drawn_again(self) -> None:
        """Brings calipers and traces up to date with what was said about their volumes."""
        for followed in (self.calipers, self.traces):
            for node in followed.attached():
                followed.update(node)

    def traces_of(self, image: Any) -> list[Any]:
        """The traces on an image that have a result."""
        curves = [c for c in self.traces.attached() if self.traces.volume(c) is image]
        return [curve for curve in curves if self.traces.result(curve) is not None]

    def choose_drawn(self, markup: Any, image: Any) -> None:
        """A line or curve was chosen: shows it, and measures it on an image if it is new.

        So a markup that came from a file, or was drawn in the Markups module, becomes a
        caliper or trace.
        """
        if not in_scene(markup):
            return
        line = markup.IsA("vtkMRMLMarkupsLineNode")
        drawn = self.calipers if line else self.traces
        if markup not in drawn.attached() and image is not None:
            drawn.attach(markup, image)
        if layout.is_drawing(self.scene) and markup.GetNumberOfDefinedControlPoints():
            layout.show_slice_of(self.scene, markup)

    def show_drawn(self, markup: Any) -> bool:
        """Shows the profile of a caliper or trace, in the layout to draw in.

        Returns:
            whether it is shown.
        """
        if not in_scene(markup) or not layout.is_drawing(self.scene):
            return False
        followed = self.calipers if markup in self.calipers.attached() else self.traces
        nodes = followed.nodes(markup)
        if "straightened" in nodes:
            layout.show_straight(self.scene, nodes["straightened"])
            self.traces.show_straight_borders(markup)
        if "chart" in nodes:
            layout.show_chart(self.scene, nodes["chart"])
        return "chart" in nodes

    def ribbon_reason(self, p: Any) -> str:
        """Why no ribbon can be made from traces; empty when one can."""
        if p.image is None:
            return _("Choose an image first.")
        return "" if self.traces_of(p.image) else _("Draw a trace first.")

    def make_ribbon(self, p: Any) -> Any:
        """Turns all traces of the image into segments and chooses them to be measured."""
        earlier = self._traced_segmentation()
        gray, white, csf = self.traces.make_ribbon(self.traces_of(p.image), earlier)
        p.segmentation = earlier or self._traced_segmentation()
        p.roles = {gray: "gray", white: "white", csf: "csf"}
        return p.segmentation

    def _traced_segmentation(self) -> Any:
        """The segmentation that holds a traced ribbon, or None."""
        for n in range(self.scene.GetNumberOfNodesByClass("vtkMRMLSegmentationNode")):
            node = self.scene.GetNthNodeByClass(n, "vtkMRMLSegmentationNode")
            if node.GetSegmentation().GetSegment("ALSMotorCortex.gm") is not None:
                return node
        return None
