"""The control points of a trace's borders: where they are put, and which the user has set."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ..cortex.trace import Trace

# Control points of a border are this far apart.
HANDLE_MM = 3.0
# A control point that the user has not touched moves by less than this in a round trip
# through the node's own coordinates.
SAME_MM = 1e-4


@dataclass
class BorderPoints:
    """The control points of one border.

    Attributes:
        written: (n, 3) RAS mm, where they were put; empty before.
        pinned: for each that the user has set the number of its pin among the border's.
    """

    written: NDArray = field(default_factory=lambda: np.empty((0, 3)))
    pinned: dict[int, int] = field(default_factory=dict)


def take_pins(handles: BorderPoints, pins: list[NDArray], places: NDArray) -> list[NDArray]:
    """Pins of a border, from where its control points are now.

    A point that was moved or added is a pin; a pin that was deleted is none any more.

    Args:
        handles: the control points; updated in place.
        pins: (3,) RAS mm each, as they were.
        places: (n, 3) RAS mm, where the control points are.

    Returns:
        the pins; the same list where nothing was done to the points.
    """
    written = handles.written
    if len(places) == len(written):
        moved = np.flatnonzero(np.linalg.norm(places - written, axis=1) > SAME_MM)
        if not len(moved):
            return pins
        pins = list(pins)
        for n in moved:
            if int(n) in handles.pinned:
                pins[handles.pinned[int(n)]] = places[n]
            else:
                handles.pinned[int(n)] = len(pins)
                pins.append(places[n])
        return pins
    # A point was added or deleted: their numbers are given anew.
    handles.written = np.empty((0, 3))
    if not len(places):
        return []
    far = np.linalg.norm(places[:, None] - written[None], axis=2)
    gone = {handles.pinned[n] for n in handles.pinned if far[:, n].min() > SAME_MM}
    added = [place for place, away in zip(places, far, strict=True) if away.min() > SAME_MM]
    return [pin for number, pin in enumerate(pins) if number not in gone] + added


def handle_places(
    found: Trace, border: str, handles: BorderPoints, pins: NDArray
) -> NDArray[np.float64]:
    """(n, 3) RAS mm for the control points of a border: evenly along it, and its pins.

    While a point is dragged it keeps its number; otherwise each pin takes the number of the
    even place that it is nearest to.

    Args:
        handles: ``pinned`` is updated in place.
        pins: (m, 3) RAS mm.
    """
    line = found.pial if border == "pial" else found.white
    number = max(3, round(float(found.positions[-1]) / HANDLE_MM) + 1)
    columns = np.linspace(0, len(line) - 1, number).round().astype(int)
    if len(handles.written) != number or len(handles.pinned) != len(pins):
        nearest = [int(np.argmin(np.linalg.norm(line - pin, axis=1))) for pin in pins]
        handles.pinned = {
            int(np.argmin(np.abs(columns - column))): n for n, column in enumerate(nearest)
        }
    places = line[columns].copy()
    for n, pin in handles.pinned.items():
        places[n] = pins[pin]
    return places
