"""Measures in a thread of its own, and puts the result into the scene."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from ..cortex.measure import measure
from ..cortex.result import Measurement
from ..cortex.settings import TISSUES
from .background import Background
from .inputs import LABELS, SEGMENTATION, Collected, Inputs, in_scene, remember
from .kept import keep
from .results import add_results, find_results, update_results
from .translation import tr as _


class Run(Background):
    """One measurement. It touches no node."""

    def __init__(self, collected: Collected) -> None:
        super().__init__(
            self._measure,
            in_window_words,
            _("The measurement was cancelled. The scene is as it was."),
            _(
                "There is not enough memory to measure this. Crop the segmentation to the "
                "region, or use larger voxels."
            ),
        )
        self._collected = collected

    def _measure(self, progress: Callable[[str, float], None]) -> Measurement:
        c = self._collected
        found = measure(c.labels, c.settings, c.maps, c.regions, c.units, progress)
        told = (replace(f, message=in_window_words(f.message)) for f in found.findings)
        return replace(found, findings=(*c.findings, *told))


def in_window_words(message: str) -> str:
    """A message of the measurement with tissues' names for command-line options and labels."""
    for tissue, name in TISSUES.items():
        option = "--" + tissue.replace("_", "-")
        message = re.sub(rf"{option}\b", f"the segments of {name}", message)
    names = {str(value): TISSUES[tissue] for tissue, value in LABELS.items()}

    def named(match: re.Match[str]) -> str:
        return ", ".join(names.get(value, value) for value in match[1].split(", "))

    return re.sub(r"\blabels? (\d+(?:, \d+)*)\b", named, message)


def publish(
    scene: Any, inputs: Inputs, collected: Collected, measurement: Measurement, update: bool
) -> dict[str, Any]:
    """Puts a measurement into the scene: on the main thread only.

    Args:
        inputs: what it was made from; noted with the result.
        collected: what was measured.
        update: whether it replaces the contents of the latest result of the same
            segmentation, or else of the latest at all, instead of being added.

    Returns:
        What each node is to the node, as :func:`.results.add_results`, and ``record``: what
        :mod:`.kept` keeps for the report.
    """
    segmentation = inputs.segmentation if in_scene(inputs.segmentation) else None
    old = _latest(scene, segmentation) if update else None
    if old:
        nodes = update_results(scene, old, measurement, collected.labels, segmentation)
    else:
        maps = {
            name: node if in_scene(node) else collected.maps[name]
            for name, node in collected.volumes.items()
        }
        nodes = add_results(scene, measurement, collected.labels, maps, segmentation=segmentation)
    remember(nodes["settings"], inputs)
    keep(scene, nodes, collected, measurement)
    return nodes


def _latest(scene: Any, segmentation: Any) -> Mapping[str, Any] | None:
    results = list(find_results(scene).values())
    same = [r for r in results if r["settings"].GetNodeReference(SEGMENTATION) is segmentation]
    return (same or results or [None])[-1]
