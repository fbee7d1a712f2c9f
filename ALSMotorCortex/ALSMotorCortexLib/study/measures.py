"""Tables of measures and laminar profiles of many participants.

Either one table of a whole study with a column ``participant_id``, and ``session_id`` where there
are sessions, or one table for each participant, as ``analyze`` writes them. The participant is
then told by ``sub-...`` in the file's name or folders, else by the folder it lies in.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..cortex.errors import InputError
from .participants import Omission, listed
from .table_reading import Row, Table, is_missing, number_in, plain_id, read_table

MEASURE_FILES = ("measures.tsv", "*_measures.tsv")
PROFILE_FILES = ("profiles.tsv", "*_profiles.tsv", "*_profile.tsv")
MEASURE_COLUMNS = ("region", "map", "measure", "value", "unit")
PROFILE_COLUMNS = ("region", "map", "bin", "depth_from", "depth_to", "mean")


class Key(NamedTuple):
    """Which measure: the region, the map (empty for geometry), and its name."""

    region: str
    map: str
    measure: str

    def __str__(self) -> str:
        return f"{self.region}/{self.map + ':' if self.map else ''}{self.measure}"


@dataclass(frozen=True)
class Measures:
    """Measures of many participants, one session each.

    Attributes:
        values: by participant, then measure; what is missing is not there.
        units: of each measure.
        omissions: sessions and measures that are left out.
    """

    values: Mapping[str, Mapping[Key, float]]
    units: Mapping[Key, str]
    omissions: tuple[Omission, ...]

    def keys(self) -> list[Key]:
        """All measures, in the order of the tables."""
        return list(self.units)

    def vector(self, key: Key, ids: Sequence[str]) -> NDArray[np.float64]:
        """(n,) a measure of these participants, NaN where missing."""
        return np.array([self.values.get(i, {}).get(key, math.nan) for i in ids], dtype=float)


@dataclass(frozen=True)
class Profiles:
    """Laminar profiles of many participants, one session each.

    Attributes:
        edges: by region and map the bins' depths (bins + 1,), 0 pial to 1 white matter.
        curves: by region and map, then participant, the means in the bins (bins,).
        omissions: what is left out.
    """

    edges: Mapping[tuple[str, str], NDArray[np.float64]]
    curves: Mapping[tuple[str, str], Mapping[str, NDArray[np.float64]]]
    omissions: tuple[Omission, ...]


def find_files(paths: Iterable[Path], patterns: Sequence[str], what: str) -> list[Path]:
    """The tables among files and folders; folders are searched with all they hold.

    Raises:
        InputError: a path that is not there, or a folder without such a table.
    """
    found: dict[Path, None] = {}
    for path in paths:
        if path.is_file():
            found[path] = None
        elif path.is_dir():
            inside = sorted(
                f
                for pattern in patterns
                for f in path.rglob(pattern)
                if not any(part.startswith(".") for part in f.relative_to(path).parts)
            )
            if not inside:
                raise InputError(
                    f"There is no table of {what} in {path} or its folders. Such a table is "
                    f"called {' or '.join(patterns)}."
                )
            found |= dict.fromkeys(inside)
        else:
            raise InputError(f"{path} does not exist. Give tables of {what} or their folders.")
    return list(found)


@dataclass(frozen=True)
class Sessions:
    """Measures of many participants with all their sessions.

    Attributes:
        values: by (participant, session), then measure; NaN where missing.
        units: of each measure, then who has it in that unit.
    """

    values: Mapping[tuple[str, str], Mapping[Key, float]]
    units: Mapping[Key, Mapping[str, set[str]]]

    def same_units(self) -> tuple[dict[Key, str], list[Omission]]:
        """Units of the measures; those that come in several units cannot be compared."""
        return _same_units(self.units)


def read_sessions(paths: Iterable[Path]) -> Sessions:
    """Reads all tables of measures.

    Args:
        paths: files or folders.

    Raises:
        InputError: see :func:`find_files`; a table without the columns of ``measures.tsv``, a
            value that is no number, or a measure twice with different values.
    """
    values: dict[tuple[str, str], dict[Key, float]] = {}
    units: dict[Key, dict[str, set[str]]] = {}
    origin: dict[tuple[str, str], Path] = {}
    for path in find_files(paths, MEASURE_FILES, "measures"):
        table = read_table(path)
        table.require(MEASURE_COLUMNS)
        who_of = _identifier(table)
        for row in table.rows:
            who = who_of(row)
            origin.setdefault(who, path)
            key = Key(row.cells["region"], _or_empty(row.cells["map"]), row.cells["measure"])
            value = number_in(table, row, "value")
            own = values.setdefault(who, {})
            if key in own and not _same(own[key], value):
                raise InputError(
                    f"{key} of participant {_named(who)} stands twice with different values, in "
                    f"{origin[who]} and in {table.place(row)}. Keep one of them."
                )
            own[key] = value
            unit = units.setdefault(key, {}).setdefault(_or_empty(row.cells["unit"]), set())
            unit.add(who[0])
    return Sessions(values, units)


def read_measures(paths: Iterable[Path], session: str = "") -> Measures:
    """Reads all tables of measures, one session of each participant.

    Args:
        paths: files or folders.
        session: the one to take; empty for each participant's first.

    Raises:
        InputError: see :func:`read_sessions`; or a session that nobody has.
    """
    every = read_sessions(paths)
    values = every.values
    chosen, omissions = _one_session(values, session)
    same, odd = every.same_units()
    return Measures(
        {
            label: {k: v for k, v in values[who].items() if k in same and math.isfinite(v)}
            for label, who in chosen.items()
        },
        same,
        (*omissions, *odd),
    )


def read_profiles(paths: Iterable[Path], session: str = "") -> Profiles:
    """Reads all tables of laminar profiles; arguments and errors as :func:`read_measures`."""
    bins: dict[tuple[str, str], dict[tuple[str, str], dict[tuple[float, float], float]]] = {}
    for path in find_files(paths, PROFILE_FILES, "profiles"):
        table = read_table(path)
        table.require(PROFILE_COLUMNS)
        who_of = _identifier(table)
        for row in table.rows:
            name = (row.cells["region"], _or_empty(row.cells["map"]))
            own = bins.setdefault(who_of(row), {}).setdefault(name, {})
            place = (number_in(table, row, "depth_from"), number_in(table, row, "depth_to"))
            value = number_in(table, row, "mean")
            if place in own and not _same(own[place], value):
                raise InputError(
                    f"The profile in {table.place(row)} stands twice with different values. "
                    "Keep one of them."
                )
            own[place] = value
    chosen, omissions = _one_session(bins, session)
    edges: dict[tuple[str, str], NDArray[np.float64]] = {}
    curves: dict[tuple[str, str], dict[str, NDArray[np.float64]]] = {}
    for name in dict.fromkeys(n for who in chosen.values() for n in bins[who]):
        kinds: dict[tuple[tuple[float, float], ...], list[str]] = {}
        for label, who in chosen.items():
            if name in bins[who]:
                kinds.setdefault(tuple(sorted(bins[who][name])), []).append(label)
        usual = max(kinds, key=lambda kind: len(kinds[kind]))
        edges[name] = np.array([usual[0][0], *(end for _, end in usual)])
        curves[name] = {
            label: np.array([bins[chosen[label]][name][place] for place in usual])
            for label in kinds[usual]
        }
        others = [label for kind, labels in kinds.items() if kind != usual for label in labels]
        if others:
            reason = f"Other depth bins than most: {listed(others)}."
            omissions.append(Omission("profile", " of ".join(name[::-1]), len(others), reason))
    return Profiles(edges, curves, tuple(omissions))


def select(keys: Sequence[Key], patterns: Sequence[str]) -> list[Key]:
    """The measures that one of the patterns fits, in the order of ``keys``.

    A pattern is ``[REGION/][MAP:]MEASURE``, each with the wildcards ``*`` and ``?``; a region or
    map that is not given may be any.

    Raises:
        InputError: a pattern fits nothing.
    """
    chosen: set[Key] = set()
    for pattern in patterns:
        region, rest = pattern.rsplit("/", 1) if "/" in pattern else ("*", pattern)
        map_name, measure = rest.rsplit(":", 1) if ":" in rest else ("*", rest)
        fitting = [
            k
            for k in keys
            if fnmatchcase(k.region, region)
            and fnmatchcase(k.map, map_name)
            and fnmatchcase(k.measure, measure)
        ]
        if not fitting:
            names = dict.fromkeys(k.measure for k in keys)
            raise InputError(
                f"No measure fits {pattern!r}. There are {listed(names, 30)}; in the regions "
                f"{listed(dict.fromkeys(k.region for k in keys), 20)}."
            )
        chosen |= set(fitting)
    return [k for k in keys if k in chosen]


def _identifier(table: Table) -> Callable[[Row], tuple[str, str]]:
    """What tells participant and session of a row."""
    if "participant_id" in table.columns:

        def of_row(row: Row) -> tuple[str, str]:
            label = plain_id(row.cells["participant_id"])
            if is_missing(label):
                raise InputError(f"The participant_id is missing in {table.place(row)}.")
            return label, _or_empty(plain_id(row.cells.get("session_id", "")))

        return of_row
    name, *folders = reversed(table.path.resolve().parts)
    # A subject's file lies at most three folders deep: sub-01/ses-1/anat.
    who = tuple(
        next(
            (
                found[1]
                for text in (name, *folders[:3])
                if (found := re.match(rf"(?:.*_)?{entity}-([A-Za-z0-9]+)(?:_|$)", text))
            ),
            "",
        )
        for entity in ("sub", "ses")
    )
    label = (who[0] or folders[0], who[1])
    return lambda row: label


def _one_session(
    tables: Mapping[tuple[str, str], object], session: str
) -> tuple[dict[str, tuple[str, str]], list[Omission]]:
    """For each participant the session to take, and who is left out or has more."""
    sessions: dict[str, list[str]] = {}
    for label, ses in tables:
        sessions.setdefault(label, []).append(ses)
    wanted = plain_id(session)
    chosen, without, others = {}, [], 0
    for label, own in sorted(sessions.items(), key=lambda item: _natural(item[0])):
        if wanted and wanted not in own:
            without.append(label)
            continue
        chosen[label] = (label, wanted or min(own, key=_natural))
        others += len(own) - 1
    if wanted and not chosen:
        raise InputError(
            f"Nobody has a session {session!r}. There are "
            f"{listed(sorted({s or 'none' for own in sessions.values() for s in own}))}."
        )
    omissions = []
    if without:
        reason = f"No session {wanted}: {listed(without)}."
        omissions.append(Omission("participant", "session", len(without), reason))
    if others:
        which = f"session {wanted}" if wanted else "each participant's first session"
        reason = f"Only {which} is compared; other sessions are left out."
        omissions.append(Omission("value", "session", others, reason))
    return chosen, omissions


def _same_units(
    units: Mapping[Key, Mapping[str, set[str]]],
) -> tuple[dict[Key, str], list[Omission]]:
    """Units of the measures; those that come in several units cannot be compared."""
    same, odd = {}, []
    for key, found in units.items():
        if len(found) == 1:
            same[key] = next(iter(found))
        else:
            words = ", ".join(f"{unit or 'none'} ({len(who)})" for unit, who in found.items())
            reason = f"Its unit is not the same in all participants: {words}."
            odd.append(Omission("measure", str(key), sum(map(len, found.values())), reason))
    return same, odd


def _same(a: float, b: float) -> bool:
    return a == b or (math.isnan(a) and math.isnan(b))


def _or_empty(text: str) -> str:
    return "" if is_missing(text) else text


def _named(who: tuple[str, str]) -> str:
    return f"{who[0]}, session {who[1]}" if who[1] else who[0]


def _natural(text: str) -> list[tuple[int, str]]:
    """Sorts 2 before 10."""
    return [(int(t), "") if t.isdigit() else (-1, t) for t in re.findall(r"\d+|\D+", text)]
