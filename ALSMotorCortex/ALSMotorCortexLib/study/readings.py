"""Readings by eye as a table: what is rated, and one file for each reader.

One row is one hemisphere of one case as one reader saw it. Answers are 0 (no) or 1 (yes),
confidence is 1 to 5, and ``n/a`` where nothing was rated. A row of ``n/a`` alone says that the
reader could not assess the hemisphere. What is rated follows Cosottini et al., AJNR 2016, 37:455,
with the motor band sign added.
"""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ..cortex.errors import InputError
from .outputs import FULL
from .regular import check_regular
from .tables import MISSING

HEMISPHERES = ("left", "right")

YES_NO = (0, 1)
ITEMS: dict[str, tuple[int, ...]] = {
    "deep_hypointensity": YES_NO,
    "thinning": YES_NO,
    "pathologic": YES_NO,
    "confidence": (1, 2, 3, 4, 5),
    "motor_band_foot": YES_NO,
    "motor_band_hand": YES_NO,
    "motor_band_face": YES_NO,
}
"""What is rated in each hemisphere, with the answers there are."""

COLUMNS = ("reader", "case_id", "hemisphere", *ITEMS, "time")


@dataclass(frozen=True)
class Reading:
    """One hemisphere of one case as one reader rated it.

    Attributes:
        reader, case_id: who, and which case.
        hemisphere: ``left`` or ``right``.
        ratings: answer to each item of :data:`ITEMS` that was rated. Empty where the reader
            could not assess the hemisphere.
        time: of the last rating, in UTC as ISO 8601; may be empty.
    """

    reader: str
    case_id: str
    hemisphere: str
    ratings: Mapping[str, int] = field(default_factory=dict)
    time: str = ""

    @property
    def missing(self) -> list[str]:
        """Items not rated; none in a hemisphere that could not be assessed."""
        return [item for item in ITEMS if item not in self.ratings] if self.ratings else []


def write_readings(readings: Iterable[Reading], path: Path) -> None:
    """Writes a table of readings; until it is whole, what was there stays.

    Raises:
        InputError: the file cannot be written.
    """
    replace_file(path, readings_text(readings))


def readings_text(readings: Iterable[Reading]) -> str:
    """The table as it stands in the file."""
    lines = ["\t".join(COLUMNS)]
    for one in readings:
        answers = (str(one.ratings.get(item, MISSING)) for item in ITEMS)
        row = [one.reader, one.case_id, one.hemisphere, *answers, one.time or MISSING]
        lines.append("\t".join(row))
    return "\n".join(lines) + "\n"


def replace_file(path: Path, text: str) -> None:
    """Writes a file aside and moves it into place.

    Raises:
        InputError: it cannot be written.
    """
    aside = path.with_name(f".{path.name}.{secrets.token_hex(4)}.partial")
    try:
        with open(aside, "w", encoding="utf-8", newline="\n") as stream:
            stream.write(text)
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(aside, path)
    except OSError as error:
        with contextlib.suppress(OSError):
            aside.unlink()
        reason = "the disk is full" if error.errno in FULL else error.strerror or str(error)
        raise InputError(
            f"{path} cannot be written ({reason}). What it held before is unchanged."
        ) from None


def read_table(path: str | os.PathLike) -> tuple[list[str], list[tuple[int, dict[str, str]]]]:
    """A tab-separated table as text.

    Returns:
        The names of the columns, and for each row its line number and its cells by column.

    Raises:
        InputError: the file is missing or empty, is no UTF-8 text, names a column twice, or has
            a row with another number of cells than the header.
    """
    path = Path(path)
    check_regular(path)
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise InputError(f"{path} is not a text table. Save it as UTF-8 text.") from None
    except OSError as error:
        reason = "there is no such file" if isinstance(error, FileNotFoundError) else error.strerror
        raise InputError(f"{path} cannot be read ({reason}).") from None
    lines = [(n, line) for n, line in enumerate(text.splitlines(), 1) if line.strip()]
    if not lines:
        raise InputError(f"{path} is empty.")
    names = [name.strip() for name in lines[0][1].split("\t")]
    if twice := {name for name in names if names.count(name) > 1}:
        raise InputError(f"{path} has the column {min(twice)!r} more than once.")
    rows = []
    for number, line in lines[1:]:
        cells = [cell.strip() for cell in line.split("\t")]
        if len(cells) != len(names):
            raise InputError(
                f"{path}, line {number}: {len(cells)} cells, but the header has {len(names)}. "
                "Columns are separated by tabs."
            )
        rows.append((number, dict(zip(names, cells, strict=True))))
    return names, rows


def read_readings(path: str | os.PathLike) -> list[Reading]:
    """Reads a table of readings.

    Raises:
        InputError: see :func:`read_table`; or a column is missing, an answer is none of those
            there are, a name is empty, or a hemisphere is there twice.
    """
    names, rows = read_table(path)
    if absent := [name for name in COLUMNS if name not in (*names, "time")]:
        raise InputError(
            f"{path} is no table of readings: it has no column {absent[0]}. "
            f"Columns are {', '.join(COLUMNS)}."
        )
    readings = [_reading(Path(path), number, cells) for number, cells in rows]
    lines = dict(zip((id(one) for one in readings), (n for n, _ in rows), strict=True))
    refuse_repeated(readings, lambda one: f"{path}, line {lines[id(one)]}")
    return readings


def refuse_repeated(readings: Sequence[Reading], place: object = None) -> None:
    """Raises InputError when a reader rated a hemisphere more than once.

    Args:
        place: a function that tells where a reading stands.
    """
    seen: dict[tuple[str, str, str], Reading] = {}
    for one in readings:
        key = (one.reader, one.case_id, one.hemisphere)
        if key in seen:
            where = f"{place(seen[key])} and {place(one)}: " if callable(place) else ""
            raise InputError(
                f"{where}{one.reader} rated the {one.hemisphere} hemisphere of {one.case_id} "
                "twice. Leave one of the rows out."
            )
        seen[key] = one


def _reading(path: Path, number: int, cells: Mapping[str, str]) -> Reading:
    where = f"{path}, line {number}"
    for name in ("reader", "case_id"):
        if cells[name] in ("", MISSING):
            raise InputError(f"{where}: {name} is empty.")
    hemisphere = cells["hemisphere"].lower()
    if hemisphere not in HEMISPHERES:
        raise InputError(f"{where}: hemisphere is {hemisphere!r}; it is left or right.")
    ratings = {
        item: _answer(where, item, cells[item])
        for item in ITEMS
        if cells[item] not in ("", MISSING)
    }
    time = cells.get("time", "")
    return Reading(
        cells["reader"], cells["case_id"], hemisphere, ratings, "" if time == MISSING else time
    )


def _answer(where: str, item: str, text: str) -> int:
    answers = ITEMS[item]
    if text not in map(str, answers):
        raise InputError(
            f"{where}: {item} is {text!r}; it is {answers[0]} to {answers[-1]}, or {MISSING}."
        )
    return int(text)
