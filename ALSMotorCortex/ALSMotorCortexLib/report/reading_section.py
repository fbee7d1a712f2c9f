"""What readers saw by eye, as a section of the subject's report."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import TYPE_CHECKING

from .html import Section, tabulate

if TYPE_CHECKING:
    from ..study.readings import Reading

NAMES = {
    "deep_hypointensity": "Deep-layer hypointensity",
    "thinning": "Thinning",
    "pathologic": "Pathologic",
    "confidence": "Confidence (1 to 5)",
    "motor_band_foot": "Motor band sign, foot",
    "motor_band_hand": "Motor band sign, hand",
    "motor_band_face": "Motor band sign, face",
}
"""What the items of a reading are called."""


def reading_section(readings: Sequence[Reading]) -> Section:
    """A table with a column for each hemisphere that a reader rated.

    Args:
        readings: of this case.
    """
    heads = ["", *(f"{one.hemisphere.capitalize()}, {one.reader}" for one in readings)]
    rows = [[escape(name), *(_answer(one, item) for one in readings)]
            for item, name in NAMES.items()]  # fmt: skip
    table = tabulate(heads, rows, "", (), "narrow")
    text = "Rated by eye. The ratings do not enter any measure on this page."
    return ("reading", "Reading by eye", f"<p>{text}</p>{table}")


def _answer(one: Reading, item: str) -> str:
    if not one.ratings:
        return "<span class='missing'>could not be assessed</span>"
    if item not in one.ratings:
        return "<span class='missing'>not rated</span>"
    value = one.ratings[item]
    return str(value) if item == "confidence" else ("no", "yes")[value]
