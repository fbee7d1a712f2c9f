"""``participants.tsv``: who took part, in which group, with which scores.

Columns follow BIDS (tabular files of the specification): ``participant_id``, ``group``, ``age``,
``sex``, ``umn_score``, ``umn_score_<limb>``, ``alsfrs_r``, ``onset_date``, ``exam_date``,
``disease_progression_rate``.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from ..cortex.errors import InputError
from .statistics.clinical import FULL_SCORE, LIMBS, progression_rate
from .table_reading import Row, Table, is_missing, number_in, plain_id, read_table

RATE = "disease_progression_rate"
LIMB_SCORES = {f"umn_score_{limb}": limb for limb in LIMBS}
SCORES = ("umn_score", *LIMB_SCORES, "alsfrs_r", RATE)
"""Clinical scores that measures are correlated with."""

PATIENTS = {"patient", "patients", "als", "mnd", "case", "cases", "pat"}
CONTROLS = {"control", "controls", "hc", "healthy", "healthy_control", "healthy control",
            "healthy_controls", "healthy controls", "con", "ctrl", "hv", "normal"}  # fmt: skip

OLDEST = 120


@dataclass(frozen=True)
class Omission:
    """Something that is left out, or not known, and why.

    Attributes:
        kind: participant, value, measure, covariate, comparison, accuracy, combination,
            correlation or profile.
        item: what it is.
        n: how many participants or values it concerns.
        reason: a sentence.
    """

    kind: str
    item: str
    n: int
    reason: str


@dataclass(frozen=True)
class Participant:
    """One participant.

    Attributes:
        id: without ``sub-``.
        group: as in the table; empty where it is missing.
        age: years, NaN where missing.
        sex: M, F or another word; empty where missing.
        scores: clinical scores by column, NaN where missing.
    """

    id: str
    group: str
    age: float
    sex: str
    scores: Mapping[str, float]


@dataclass(frozen=True)
class Participants:
    """All participants of a table.

    Attributes:
        path: of the table.
        people: in its order.
        omissions: values that are missing or could not be computed.
        rates_computed: progression rates that were computed from dates.
    """

    path: Path
    people: tuple[Participant, ...]
    omissions: tuple[Omission, ...]
    rates_computed: int

    def groups(self) -> dict[str, int]:
        """How many participants each group has, in order of first appearance."""
        counts: dict[str, int] = {}
        for person in self.people:
            if person.group:
                counts[person.group] = counts.get(person.group, 0) + 1
        return counts


def read_participants(path: Path) -> Participants:
    """Reads the table.

    Raises:
        InputError: no column ``participant_id`` or ``group``, no rows, an id twice, a cell that
            is no number or date, or an age or ALSFRS-R out of range.
    """
    table = read_table(path)
    table.require(["participant_id", "group"])
    if not table.rows:
        raise InputError(f"{path} names no participants.")
    people, unknown, reversed_dates = [], 0, []
    computed = 0
    lines: dict[str, Row] = {}
    for row in table.rows:
        label = plain_id(row.cells["participant_id"])
        if is_missing(label):
            raise InputError(f"The participant_id is missing in {table.place(row)}.")
        if label in lines:
            raise InputError(
                f"Participant {label} stands twice in {path}, in lines {lines[label].line} and "
                f"{row.line}. Keep one line for each; sub- in front makes no difference."
            )
        lines[label] = row
        person, how = _participant(table, row, label)
        people.append(person)
        computed += how == "computed"
        unknown += how == "unknown"
        reversed_dates += [label] if how == "reversed" else []
    return Participants(path, tuple(people), tuple(_omissions(people, reversed_dates)), computed)


def _participant(table: Table, row: Row, label: str) -> tuple[Participant, str]:
    """A participant, and how the progression rate came about."""
    group = row.cells["group"]
    sex = row.cells.get("sex", "")
    scores = {name: number_in(table, row, name) for name in SCORES if name in table.columns}
    age = number_in(table, row, "age")
    for name, value, most in (
        ("age", age, OLDEST),
        ("alsfrs_r", scores.get("alsfrs_r", 0), FULL_SCORE),
    ):
        if math.isfinite(value) and not 0 <= value <= most:
            raise InputError(f"{name} {value:g} in {table.place(row)} is not between 0 and {most}.")
    onset, exam = (_date(table, row, name) for name in ("onset_date", "exam_date"))
    how = "given"
    if math.isnan(scores.get(RATE, math.nan)):
        how = "unknown"
        points = scores.get("alsfrs_r", math.nan)
        if onset and exam and math.isfinite(points):
            scores[RATE] = progression_rate(points, onset, exam)
            how = "computed" if math.isfinite(scores[RATE]) else "reversed"
    return Participant(
        id=label,
        group="" if is_missing(group) else group,
        age=age,
        sex="" if is_missing(sex) else plain_sex(sex),
        scores=scores,
    ), how


def plain_sex(text: str) -> str:
    """M and F for what stands for them, in any case; other words in capitals."""
    return {"male": "M", "m": "M", "female": "F", "f": "F"}.get(text.lower(), text.upper())


def _date(table: Table, row: Row, column: str) -> date | None:
    text = row.cells.get(column, "")
    if is_missing(text):
        return None
    try:
        return date.fromisoformat(text[:10])
    except ValueError:
        raise InputError(
            f"{text!r} in column {column}, {table.place(row)}, is not a date. Write it as "
            "2024-05-31."
        ) from None


def _omissions(people: Sequence[Participant], reversed_dates: Sequence[str]) -> Iterable[Omission]:
    if reversed_dates:
        yield Omission(
            "value", RATE, len(reversed_dates),
            f"The exam is not after the onset: {listed(reversed_dates)}. No progression rate.",
        )  # fmt: skip
    missing = {
        "group": [p.id for p in people if not p.group],
        "age": [p.id for p in people if math.isnan(p.age)],
        "sex": [p.id for p in people if not p.sex],
    }
    for column, ids in missing.items():
        if ids:
            yield Omission("value", column, len(ids), f"Missing for {listed(ids)}.")


def listed(names: Iterable[str], most: int = 8) -> str:
    """Names in words, the first few of many."""
    every = list(names)
    more = len(every) - most
    return ", ".join(every[:most]) + (f" and {more} more" if more > 0 else "")


def choose_groups(people: Participants, patients: str = "", controls: str = "") -> tuple[str, str]:
    """Which groups are the patients and the controls; one of them may be absent, then empty.

    A name that is given must be in the table. One that is not given is found among the names
    that are usual, whatever their case; where only two groups exist and one is known, the other
    is the rest.

    Raises:
        InputError: an unknown name, or no telling which group is which.
    """
    names = people.groups()
    if not names:
        raise InputError(f"No participant in {people.path} has a group.")
    there = ", ".join(f"{name} ({n})" for name, n in names.items())
    found = [_given(given, names, there, people.path) for given in (patients, controls)]
    if found[0] and found[0] == found[1]:
        raise InputError(f"Patients and controls are both called {found[0]}. Name two groups.")
    for i, known in enumerate((PATIENTS, CONTROLS)):
        if not found[i]:
            usual = [n for n in names if n.lower() in known and n != found[1 - i]]
            if len(usual) > 1:
                raise InputError(
                    f"{people.path} has several groups that may be the "
                    f"{('patients', 'controls')[i]}: {', '.join(usual)}. Choose one with "
                    f"--{('patients', 'controls')[i]}."
                )
            found[i] = usual[0] if usual else ""
    rest = [name for name in names if name not in found]
    for i in (0, 1):
        if not found[i] and found[1 - i] and len(rest) == 1:
            found[i] = rest[0]
    if not any(found):
        raise InputError(
            f"The groups in {people.path} are {there}, and none is known as patients or controls. "
            "Name them with --patients and --controls."
        )
    return found[0], found[1]


def _given(name: str, names: Mapping[str, int], there: str, path: Path) -> str:
    if not name:
        return ""
    same = [n for n in names if n == name] or [n for n in names if n.lower() == name.lower()]
    if not same:
        raise InputError(f"There is no group {name!r} in {path}. Its groups are {there}.")
    return same[0]
