"""Measures in a thread of its own, and puts the result into the scene."""

from __future__ import annotations

import re
import threading
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from ..cortex.errors import Cancelled, InputError
from ..cortex.measure import measure
from ..cortex.result import Measurement
from ..cortex.settings import TISSUES
from .inputs import LABELS, SEGMENTATION, Collected, Inputs, in_scene, remember
from .kept import keep
from .results import add_results, find_results, update_results

GIVEN_S = 0.03
"""How long each look at a run lets it work. Slicer's event loop holds Python's lock, so that
other threads hardly work while no Python code runs or waits on the main thread."""


class Run:
    """One measurement. Call :meth:`start`, then :meth:`poll` every 10 to 50 ms until ``done``.

    It touches no node, so the scene can be used, changed or closed while it runs.
    """

    def __init__(self, collected: Collected) -> None:
        self._collected = collected
        self._cancelled = threading.Event()
        self._thread = threading.Thread(target=self._work, name="cortex", daemon=True)
        self._progress: tuple[str, float] = ("", 0.0)
        self._measurement: Measurement | None = None
        self._error: BaseException | None = None

    def start(self) -> None:
        """Begins to measure."""
        self._thread.start()

    def poll(self) -> tuple[str, float]:
        """The step it is at and the fraction done. Lets it work for a moment first."""
        self._thread.join(GIVEN_S)
        return self._progress

    @property
    def done(self) -> bool:
        """Whether there is a result, or an error."""
        return not self._thread.is_alive() and self._thread.ident is not None

    def cancel(self) -> None:
        """Asks it to stop, which it does after the present step."""
        self._cancelled.set()

    def result(self) -> Measurement:
        """The measurement; waits for it if need be.

        Raises:
            InputError: the input cannot be measured.
            Cancelled: it was cancelled.
        """
        self._thread.join()
        if self._cancelled.is_set():
            raise Cancelled("The measurement was cancelled. The scene is as it was.")
        if self._error is not None:
            raise self._error
        assert self._measurement is not None
        return self._measurement

    def _work(self) -> None:
        c = self._collected
        try:
            found = measure(c.labels, c.settings, c.maps, c.regions, c.units, self._report)
            told = (replace(f, message=in_window_words(f.message)) for f in found.findings)
            self._measurement = replace(found, findings=(*c.findings, *told))
        except InputError as error:
            self._error = InputError(in_window_words(str(error)))
        except MemoryError:
            self._error = InputError(
                "There is not enough memory to measure this. Crop the segmentation to the "
                "region, or use larger voxels."
            )
        except Exception as error:  # raised again by result(), on the caller's thread
            self._error = error

    def _report(self, step: str, fraction: float) -> None:
        self._progress = (step, fraction)
        if self._cancelled.is_set():
            raise Cancelled


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
