"""When each session was: dates or days, from the tables of measures or of sessions.

In BIDS, sessions stand in ``sub-XX/sub-XX_sessions.tsv`` with ``session_id`` and ``acq_time``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date
from pathlib import Path

from ..cortex.errors import InputError
from .measures import find_files
from .statistics.clinical import DAYS_PER_MONTH
from .table_reading import Row, Table, is_missing, number_in, plain_id, read_table

SESSION_FILES = ("*_sessions.tsv", "sessions.tsv")

DATES = ("exam_date", "acq_time", "date")
NUMBERS = {"days": 1 / DAYS_PER_MONTH, "months": 1.0, "years": 12.0}
"""Columns that say when, and what their numbers are in months."""

Who = tuple[str, str]


def read_dates(paths: Iterable[Path]) -> dict[Who, float]:
    """When each session was, in months, by (participant, session).

    Months count from an arbitrary day, so only their differences within a participant mean
    something.

    Args:
        paths: tables with ``session_id`` and a column of :data:`DATES` or :data:`NUMBERS`, or
            folders that hold ``*_sessions.tsv``. The participant stands in ``participant_id`` or,
            as in BIDS, in the file's name.

    Raises:
        InputError: such columns are absent, a cell is no date or number, or a session has two
            dates.
    """
    found: dict[Who, float] = {}
    origin: dict[Who, str] = {}
    for path in find_files(paths, SESSION_FILES, "sessions"):
        table = read_table(path)
        for who, months, place in _rows(table):
            if who in found and abs(found[who] - months) > 1e-9:
                raise InputError(
                    f"Session {who[1]} of participant {who[0]} has two dates, in {origin[who]} "
                    f"and {place}. Keep one of them."
                )
            found[who], origin[who] = months, place
    return found


def dates_in(paths: Iterable[Path], patterns: tuple[str, ...]) -> dict[Who, float]:
    """Likewise from the tables of measures themselves, as far as they have such columns."""
    found: dict[Who, float] = {}
    for path in find_files(paths, patterns, "measures"):
        table = read_table(path)
        if {"participant_id", "session_id"} <= set(table.columns) and when_column(table):
            for who, months, place in _rows(table):
                if who in found and abs(found[who] - months) > 1e-9:
                    raise InputError(
                        f"Session {who[1]} of participant {who[0]} has two dates; see {place}. "
                        "Give all rows of a session the same."
                    )
                found[who] = months
    return found


def when_column(table: Table) -> str:
    """The column that says when; empty where there is none."""
    return next((name for name in (*DATES, *NUMBERS) if name in table.columns), "")


def _rows(table: Table) -> Iterable[tuple[Who, float, str]]:
    """Who, when in months, and where that stands; without rows that do not say when."""
    table.require(["session_id"])
    column = when_column(table)
    if not column:
        raise InputError(
            f"{table.path} does not say when the sessions were. It needs a column "
            f"{', '.join(DATES)}, {' or '.join(NUMBERS)}."
        )
    named = "" if "participant_id" in table.columns else _participant(table.path)
    for row in table.rows:
        if is_missing(row.cells[column]):
            continue
        label = named or plain_id(row.cells["participant_id"])
        months = _months(table, row, column)
        yield (label, plain_id(row.cells["session_id"])), months, table.place(row)


def _participant(path: Path) -> str:
    first = path.name.split("_")[0]
    if not first.startswith("sub-"):
        raise InputError(
            f"{path} has no column participant_id, and its name does not begin with sub-."
        )
    return plain_id(first)


def _months(table: Table, row: Row, column: str) -> float:
    if column in NUMBERS:
        return number_in(table, row, column) * NUMBERS[column]
    return date_in(row.cells[column], f"column {column}, {table.place(row)}") / DAYS_PER_MONTH


def date_in(text: str, where: str) -> int:
    """A date, 2024-05-31 with or without a time behind, as days from an arbitrary one.

    Raises:
        InputError: it is none.
    """
    try:
        return date.fromisoformat(text.strip()[:10]).toordinal()
    except ValueError:
        raise InputError(f"{text!r} in {where} is not a date. Write it as 2024-05-31.") from None


def without_date(sessions: Iterable[Who], dates: Mapping[Who, float]) -> list[Who]:
    """Sessions that have no date."""
    return [who for who in sessions if who not in dates]
