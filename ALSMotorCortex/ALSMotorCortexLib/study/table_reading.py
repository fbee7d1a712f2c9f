"""Reading tables that people have edited: decimal commas, spreadsheets' marks, missing values."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from ..cortex.errors import InputError
from .regular import check_regular

MISSING_WORDS = {"", "n/a", "na", "nan", "none", "null", "#n/a", "-"}

_DECIMAL = re.compile(r"[+-]?(\d+([.,]\d*)?|[.,]\d+)([eE][+-]?\d+)?")


@dataclass(frozen=True)
class Row:
    """One line of a table: its number in the file, and its cells by column."""

    line: int
    cells: dict[str, str]


@dataclass(frozen=True)
class Table:
    """A table as text.

    Attributes:
        path: where it was read.
        columns: their names.
        rows: without empty lines.
    """

    path: Path
    columns: tuple[str, ...]
    rows: tuple[Row, ...]

    def require(self, names: Iterable[str]) -> None:
        """Raises InputError where one of these columns is absent."""
        absent = [name for name in names if name not in self.columns]
        if absent:
            raise InputError(
                f"{self.path} has no column {absent[0]!r}. Its columns are "
                f"{', '.join(self.columns)}."
            )

    def place(self, row: Row) -> str:
        """Where a row stands, for messages."""
        return f"line {row.line} of {self.path}"


def read_table(path: Path) -> Table:
    """Reads a table whose first line names the columns.

    Cells are parted by tabs; in a file without tabs by semicolons, else by commas. Column names
    come back in lower case.

    Raises:
        InputError: not a file, not text, empty, a column name twice, or a line that is too long
            or too short.
    """
    lines = _lines(path)
    head = next(lines, None)
    if head is None:
        raise InputError(f"{path} is empty. Its first line must name the columns.")
    mark = next((m for m in "\t;," if m in head[1]), "\t")
    columns = tuple(_plain(cell).lower() for cell in head[1].split(mark))
    twice = next((c for i, c in enumerate(columns) if c in columns[:i]), None)
    if twice is not None:
        raise InputError(f"{path} has two columns {twice!r}. Rename or remove one of them.")
    rows = []
    for number, line in lines:
        cells = [_plain(cell) for cell in line.split(mark)]
        if len(cells) != len(columns):
            raise InputError(
                f"Line {number} of {path} has {len(cells)} cells, and the first line names "
                f"{len(columns)} columns. Give every line the same number; n/a stands for a "
                "missing value."
            )
        rows.append(Row(number, dict(zip(columns, cells, strict=True))))
    return Table(path, columns, tuple(rows))


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    """Lines that are not empty, with their numbers."""
    check_regular(path)
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise InputError(
            f"{path} is not text in UTF-8. Save it as text with tabs, in UTF-8."
        ) from None
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror}).") from None
    for number, line in enumerate(text.splitlines(), start=1):
        if line.strip():
            yield number, line


def _plain(cell: str) -> str:
    return cell.strip().strip('"').strip()


def is_missing(text: str) -> bool:
    """Whether a cell stands for no value."""
    return text.strip().lower() in MISSING_WORDS


def parse_number(text: str) -> float | None:
    """A cell as a number, with a decimal point or comma; NaN where missing, None where neither."""
    if is_missing(text):
        return math.nan
    if not _DECIMAL.fullmatch(text.strip()):
        return None
    return float(text.strip().replace(",", "."))


def number_in(table: Table, row: Row, column: str) -> float:
    """A row's number in a column; NaN where it is missing or there is no such column.

    Raises:
        InputError: the cell is neither a number nor missing.
    """
    text = row.cells.get(column, "")
    value = parse_number(text)
    if value is None:
        raise InputError(
            f"{text!r} in column {column}, {table.place(row)}, is not a number. Correct it, or "
            "write n/a where there is none."
        )
    return value


def plain_id(text: str) -> str:
    """A participant's or session's label without ``sub-`` or ``ses-``."""
    return re.sub(r"^(sub|ses)-", "", text.strip())
