"""Tables joined: who is compared, with which numbers."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ..cortex.errors import InputError
from .measures import Key, Measures
from .participants import SCORES, Omission, Participant, Participants, choose_groups, listed
from .statistics.ancova import indicator_columns

FEWEST = 3
"""Values that each group needs before it is compared."""


@dataclass(frozen=True)
class GroupData:
    """Participants of both groups with their measures; all arrays (n,) in the same order.

    Attributes:
        names: of the patients' and the controls' group; one may be empty.
        ids: without ``sub-``.
        patient: who is one.
        age: years, NaN where missing.
        sex: empty where missing.
        scores: clinical scores that somebody has, NaN where missing.
        keys: the measures to compare.
        units: of all measures.
        measures: where they come from.
        omissions: what is left out; those who compute add to it.
    """

    names: tuple[str, str]
    ids: tuple[str, ...]
    patient: NDArray[np.bool_]
    age: NDArray[np.float64]
    sex: tuple[str, ...]
    scores: dict[str, NDArray[np.float64]]
    keys: tuple[Key, ...]
    units: dict[Key, str]
    measures: Measures
    omissions: list[Omission] = field(default_factory=list)

    def values(self, key: Key) -> NDArray[np.float64]:
        """(n,) a measure, NaN where missing."""
        return self.measures.vector(key, self.ids)

    def omit(self, kind: str, item: str, n: int, reason: str) -> None:
        """Notes that something is left out."""
        self.omissions.append(Omission(kind, item, n, reason))


@dataclass(frozen=True)
class Covariates:
    """What is held constant.

    Attributes:
        names: ``age`` and ``sex`` where they can be used.
        columns: (n, c) over all participants; NaN in rows where one is missing.
    """

    names: tuple[str, ...]
    columns: NDArray[np.float64]

    @property
    def known(self) -> NDArray[np.bool_]:
        """(n,) who has all of them."""
        known: NDArray[np.bool_] = np.logical_and.reduce(np.isfinite(self.columns), axis=1)
        return known


def join(
    measures: Measures,
    people: Participants,
    keys: Sequence[Key],
    patients: str = "",
    controls: str = "",
) -> GroupData:
    """Brings measures and participants together.

    Who has no measures, is not in the table of participants, has no group or one that is not
    compared is left out, and counted.

    Args:
        measures, people: the tables.
        keys: which measures to compare.
        patients, controls: groups' names, see :func:`.participants.choose_groups`.

    Raises:
        InputError: no participant with measures is in a group that is compared.
    """
    names = choose_groups(people, patients, controls)
    omissions = [*people.omissions, *measures.omissions]
    compared = _compared(measures, people, names, omissions)
    if not compared:
        raise InputError(
            f"No participant with measures is among the groups of {people.path}. Measured are "
            f"{listed(measures.values)}; listed are {listed(p.id for p in people.people)}."
        )
    scores = {
        name: values
        for name in SCORES
        if np.isfinite(values := np.array([p.scores.get(name, math.nan) for p in compared])).any()
    }
    return GroupData(
        names=names,
        ids=tuple(p.id for p in compared),
        patient=np.array([p.group == names[0] for p in compared]),
        age=np.array([p.age for p in compared], dtype=float),
        sex=tuple(p.sex for p in compared),
        scores=scores,
        keys=tuple(keys),
        units=dict(measures.units),
        measures=measures,
        omissions=omissions,
    )


def _compared(
    measures: Measures, people: Participants, names: tuple[str, str], omissions: list[Omission]
) -> list[Participant]:
    """Participants of the groups with measures; notes all others."""

    def leave(item: str, labels: Sequence[str], reason: str) -> None:
        if labels:
            omissions.append(
                Omission("participant", item, len(labels), f"{reason}: {listed(labels)}.")
            )

    table = {p.id for p in people.people}
    leave(
        "not in participants.tsv",
        [label for label in measures.values if label not in table],
        "Measured, but not in the table of participants",
    )
    groups = [n for n in names if n]
    inside = [p for p in people.people if p.group in groups]
    leave("no group", [p.id for p in people.people if not p.group], "No group is given")
    for other in people.groups():
        if other not in groups:
            members = [p.id for p in people.people if p.group == other]
            leave(f"group {other}", members, f"Group {other} is not compared")
    leave(
        "no measures",
        [p.id for p in inside if not measures.values.get(p.id)],
        "In the table of participants, but without measures",
    )
    return [p for p in inside if measures.values.get(p.id)]


def covariates(data: GroupData, among: NDArray[np.bool_], purpose: str) -> Covariates:
    """Age and sex as far as they vary among some participants.

    Args:
        data: has them.
        among: (n,) who counts.
        purpose: for what, in the note about one that cannot be used.
    """
    names: list[str] = []
    columns: list[NDArray[np.float64]] = []
    age = data.age[among]
    sexes = [s for s, inside in zip(data.sex, among, strict=True) if inside and s]
    for name, known, varies in (
        ("age", np.isfinite(age).sum(), len(set(age[np.isfinite(age)])) > 1),
        ("sex", len(sexes), len(set(sexes)) > 1),
    ):
        if not varies:
            why = "is missing for all" if not known else "is the same for all"
            data.omit("covariate", f"{name}, {purpose}", int(known), f"{name.capitalize()} {why}.")
            continue
        names.append(name)
        if name == "age":
            columns.append(data.age[:, None])
        else:
            coded = indicator_columns([s or min(sexes) for s in data.sex])
            coded[[not s for s in data.sex]] = math.nan
            columns.append(coded)
    empty = np.zeros((len(data.ids), 0))
    return Covariates(tuple(names), np.column_stack([empty, *columns]))
