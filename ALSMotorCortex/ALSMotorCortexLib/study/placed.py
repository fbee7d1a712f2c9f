"""One patient among controls: every measure and laminar profile placed among theirs."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from ..cortex.errors import InputError
from .group_data import FEWEST
from .measures import Key, Measures, Profiles
from .participants import Omission, Participant, Participants, choose_groups, listed
from .statistics.ancova import indicator_columns
from .statistics.multiple import benjamini_hochberg
from .statistics.single_case import SingleCase, crawford_howell, regression_based

LEAST_DF = 3
"""Degrees of freedom that a regression on age and sex must leave, else it is not made."""


@dataclass(frozen=True)
class Person:
    """The patient.

    Attributes:
        values: measures that have a number.
        units: of all measures.
        curves: laminar profiles by region and map (bins,), with the bins' edges (bins + 1,).
        age: years, NaN where unknown.
        sex: empty where unknown.
        name: what outputs call the patient.
    """

    values: Mapping[Key, float]
    units: Mapping[Key, str]
    curves: Mapping[tuple[str, str], tuple[NDArray[np.float64], NDArray[np.float64]]]
    age: float = math.nan
    sex: str = ""
    name: str = "patient"


@dataclass(frozen=True)
class Controls:
    """The controls.

    Attributes:
        ids: of those who have measures.
        age: (n,) years, NaN where unknown.
        sex: empty where unknown.
        measures, profiles: theirs, and perhaps others'.
        omissions: who and what is left out; those who compute add to it.
    """

    ids: tuple[str, ...]
    age: NDArray[np.float64]
    sex: tuple[str, ...]
    measures: Measures
    profiles: Profiles
    omissions: list[Omission] = field(default_factory=list)

    def omit(self, kind: str, item: str, n: int, reason: str) -> None:
        """Notes that something is left out."""
        self.omissions.append(Omission(kind, item, n, reason))


@dataclass(frozen=True)
class Placed:
    """One measure of the patient among the controls'.

    Attributes:
        key, unit: which.
        controls: (n,) the controls' values, without missing ones.
        missing: controls without a value.
        lower: controls whose value is lower.
        plain: among all controls.
        adjusted: among controls of the patient's age and sex; None where that cannot be told.
        q: the two-sided p adjusted over all measures (Benjamini-Hochberg), of ``adjusted`` where
            there is one, else of ``plain``.
    """

    key: Key
    unit: str
    controls: NDArray[np.float64]
    missing: int
    lower: int
    plain: SingleCase
    adjusted: SingleCase | None
    q: float = math.nan

    @property
    def told(self) -> SingleCase:
        """The comparison to quote: at equal age and sex where there is one."""
        return self.adjusted or self.plain


@dataclass(frozen=True)
class PlacedProfile:
    """A laminar profile of the patient among the controls'.

    Attributes:
        region, map, unit: which.
        edges: (bins + 1,) depth, 0 pial to 1 white matter.
        values: (bins,) the patient's.
        bins: for each bin the patient among the controls; None where there are too few.
        n: controls with this profile.
    """

    region: str
    map: str
    unit: str
    edges: NDArray[np.float64]
    values: NDArray[np.float64]
    bins: tuple[SingleCase | None, ...]
    n: int


@dataclass(frozen=True)
class Comparison:
    """The patient among controls.

    Attributes:
        person, controls: who.
        held: what is held equal, ``age`` and ``sex``.
        rows: the measures.
        profiles: the laminar profiles.
    """

    person: Person
    controls: Controls
    held: tuple[str, ...]
    rows: tuple[Placed, ...]
    profiles: tuple[PlacedProfile, ...]


def choose_controls(
    measures: Measures,
    profiles: Profiles,
    people: Participants | None = None,
    name: str = "",
    patient: str = "",
) -> Controls:
    """Who of a table of measures is a control.

    Args:
        measures, profiles: of the controls, and perhaps of others too.
        people: the table of participants, whose group tells; None takes all as controls.
        name: of the controls' group; empty to find it among the usual names.
        patient: a participant who is none, even if a group says so.

    Raises:
        InputError: fewer than three controls have measures, or no telling who is one.
    """
    omissions = [*measures.omissions, *profiles.omissions]
    known: dict[str, Participant] = {p.id: p for p in people.people} if people else {}
    ids = [label for label in measures.values if measures.values[label]]
    if people is not None:
        group = choose_groups(people, controls=name)[1]
        if not group:
            raise InputError(
                f"{people.path} has no group of controls; its groups are "
                f"{listed(people.groups())}. Name it with --control-group."
            )
        strangers = [label for label in ids if label not in known]
        if strangers:
            text = f"Measured, but not in the table of participants: {listed(strangers)}."
            omissions.append(Omission("participant", "not listed", len(strangers), text))
        absent = [p.id for p in people.people if p.group == group and p.id not in ids]
        if absent:
            text = f"Controls without measures: {listed(absent)}."
            omissions.append(Omission("participant", "no measures", len(absent), text))
        ids = [label for label in ids if label in known and known[label].group == group]
    if patient in ids:
        ids.remove(patient)
        omissions.append(
            Omission("participant", "the patient", 1, "Is not compared with themselves.")
        )
    if len(ids) < FEWEST:
        found = "There is no control" if not ids else f"There are only {len(ids)} controls"
        raise InputError(
            f"{found} with measures, and a comparison needs {FEWEST}. Check --controls and the "
            "groups in --participants."
        )
    return Controls(
        tuple(ids),
        np.array([known[i].age if i in known else math.nan for i in ids], dtype=float),
        tuple(known[i].sex if i in known else "" for i in ids),
        measures,
        profiles,
        omissions,
    )


def place(person: Person, controls: Controls, keys: Sequence[Key]) -> Comparison:
    """Places measures and all laminar profiles of the patient among the controls'.

    Args:
        person, controls: who.
        keys: which measures.

    Raises:
        InputError: no measure of the patient can be compared.
    """
    held = _held(person, controls)
    rows = [row for key in keys if (row := _placed(person, controls, key, held)) is not None]
    if not rows:
        why = f" {controls.omissions[-1].reason}" if controls.omissions else ""
        raise InputError(f"No measure of the patient can be compared with the controls.{why}")
    q = benjamini_hochberg(np.array([row.told.p for row in rows]))
    return Comparison(
        person,
        controls,
        held,
        tuple(replace(row, q=float(value)) for row, value in zip(rows, q, strict=True)),
        tuple(_profiles(person, controls)),
    )


def _held(person: Person, controls: Controls) -> tuple[str, ...]:
    """Age and sex as far as they are known of the patient and differ among controls."""
    held = []
    ages = controls.age[np.isfinite(controls.age)]
    sexes = [s for s in controls.sex if s]
    for name, patient_has, known, differs in (
        ("age", math.isfinite(person.age), len(ages), len(set(ages)) > 1),
        ("sex", bool(person.sex), len(sexes), len(set(sexes)) > 1 and person.sex in sexes),
    ):
        if patient_has and differs:
            held.append(name)
            continue
        why = (
            "is not known of the patient" if not patient_has
            else "is not known of the controls" if not known
            else f"{person.sex} does not occur among the controls, or all of them have it"
            if name == "sex" else "is the same for all controls"
        )  # fmt: skip
        controls.omit("covariate", name, known, f"{name.capitalize()} {why}; not held equal.")
    if "age" in held and not ages.min() <= person.age <= ages.max():
        text = (
            f"The patient's age ({person.age:g}) lies outside the controls' ({ages.min():g} to "
            f"{ages.max():g}), so what is expected there is extrapolated."
        )
        controls.omit("extrapolation", "age", len(ages), text)
    return tuple(held)


def _placed(person: Person, controls: Controls, key: Key, held: Sequence[str]) -> Placed | None:
    """One measure; None, with a note, where it cannot be compared."""
    value = person.values.get(key, math.nan)
    every = controls.measures.vector(key, controls.ids)
    known = np.isfinite(every)
    own = every[known]
    ours, theirs = person.units.get(key), controls.measures.units.get(key)
    reason = ""
    if theirs is None:
        reason = "The controls do not have it, or not all in one unit."
    elif not math.isfinite(value):
        reason = "The patient has no value."
    elif ours != theirs:
        reason = f"The patient's unit is {ours or 'none'} and the controls' {theirs or 'none'}."
    elif len(own) < FEWEST:
        reason = f"{len(own)} controls have a value; {FEWEST} are needed."
    plain = None if reason else crawford_howell(value, own)
    if not reason and plain is None:
        reason = "All controls have the same value."
    if plain is None:
        controls.omit("comparison", str(key), len(own), reason)
        return None
    if missing := int((~known).sum()):
        absent = [i for i, there in zip(controls.ids, known, strict=True) if not there]
        controls.omit("value", str(key), missing, f"Controls without a value: {listed(absent)}.")
    return Placed(
        key=key,
        unit=theirs or "",
        controls=own,
        missing=missing,
        lower=int((own < value).sum()),
        plain=plain,
        adjusted=_adjusted(person, controls, str(key), value, every, held) if held else None,
    )


def _adjusted(
    person: Person,
    controls: Controls,
    item: str,
    value: float,
    every: NDArray[np.float64],
    held: Sequence[str],
) -> SingleCase | None:
    """The comparison at the patient's age and sex; None, with a note, where it is not made."""
    used = np.isfinite(every)
    if "age" in held:
        used &= np.isfinite(controls.age)
    if "sex" in held:
        used &= np.array([bool(s) for s in controls.sex])
    columns, at = [], []
    if "age" in held:
        columns.append(controls.age[used][:, None])
        at.append(person.age)
    if "sex" in held:
        sexes = [s for s, there in zip(controls.sex, used, strict=True) if there]
        coded = indicator_columns([*sexes, person.sex])
        columns.append(coded[:-1])
        at += list(coded[-1])
    covariates = np.column_stack([np.zeros((int(used.sum()), 0)), *columns])
    n, k = covariates.shape
    names = " and ".join(held)
    if n - k - 1 < LEAST_DF:
        reason = f"{n} controls with known {names} are too few to hold them equal."
        controls.omit("comparison", item, n, reason)
        return None
    found = regression_based(value, np.array(at), every[used], covariates)
    if found is None:
        controls.omit("comparison", item, n, f"The effect of {names} cannot be told apart.")
    return found


def _profiles(person: Person, controls: Controls) -> list[PlacedProfile]:
    """All profiles that the patient and enough controls have."""
    rows = []
    for (region, name), (edges, values) in person.curves.items():
        item = f"{name} in {region}"
        curves = controls.profiles.curves.get((region, name), {})
        own = [curves[i] for i in controls.ids if i in curves]
        if len(own) < FEWEST:
            if controls.profiles.curves:
                reason = f"{len(own)} controls have this profile; {FEWEST} are needed."
                controls.omit("profile", item, len(own), reason)
            continue
        theirs = controls.profiles.edges[region, name]
        if len(theirs) != len(edges) or not np.allclose(theirs, edges, atol=1e-6):
            reason = (
                f"The patient has {len(edges) - 1} depth bins and the controls {len(theirs) - 1}, "
                "or they lie elsewhere."
            )
            controls.omit("profile", item, len(own), reason)
            continue
        stack = np.array(own)
        bins = []
        for value, column in zip(values, stack.T, strict=True):
            known = column[np.isfinite(column)]
            enough = len(known) >= FEWEST and math.isfinite(value)
            bins.append(crawford_howell(float(value), known) if enough else None)
        unit = controls.measures.units.get(Key(region, name, "mean"), "")
        rows.append(PlacedProfile(region, name, unit, edges, values, tuple(bins), len(own)))
    return rows
