"""The tidy tables: one row per number, tab-separated, ``n/a`` where there is none.

Tabs and ``n/a`` as in BIDS (Brain Imaging Data Structure specification 1.9, tabular files).
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterable
from dataclasses import astuple, fields

from ..cortex.result import Measure, ProfileBin

MISSING = "n/a"


def cell(value: object) -> str:
    """A value as text: nine significant digits, which give every float32 back exactly."""
    if isinstance(value, float):
        return format(value, ".9g") if math.isfinite(value) else MISSING
    return str(value) if value != "" else MISSING


def write_measures(measures: Iterable[Measure], path: str | os.PathLike) -> None:
    """Writes ``measures.tsv``: region, map, measure, value, unit. Geometry has map ``n/a``."""
    write_rows([f.name for f in fields(Measure)], (astuple(m) for m in measures), path)


def write_profiles(profiles: Iterable[ProfileBin], path: str | os.PathLike) -> None:
    """Writes ``profiles.tsv``: one row per region, map and depth bin, pial to white matter."""
    write_rows([f.name for f in fields(ProfileBin)], (astuple(p) for p in profiles), path)


def write_rows(names: Iterable[str], rows: Iterable[tuple], path: str | os.PathLike) -> None:
    """Writes a table: its columns' names, then one line for each row."""
    lines = ["\t".join(names), *("\t".join(cell(value) for value in row) for row in rows)]
    with open(path, "w", encoding="utf-8", newline="\n") as stream:
        stream.write("\n".join(lines) + "\n")
