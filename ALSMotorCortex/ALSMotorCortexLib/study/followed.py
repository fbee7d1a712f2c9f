"""Participants measured more than once: change per month, and its error of measurement."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from .exam_dates import Who, without_date
from .measures import Key, Sessions
from .participants import Omission, listed
from .statistics.change import Change, Repeatability, change, repeatability
from .statistics.descriptive import mean_interval
from .statistics.interval import Estimate


@dataclass(frozen=True)
class Followed:
    """One measure of one participant over the exams.

    Attributes:
        participant: without ``sub-``.
        group: empty where unknown.
        key, unit: which measure.
        sessions: labels of the exams with a value, in order of time.
        months: (n,) since the participant's first exam.
        values: (n,).
        change: what became of it.
    """

    participant: str
    group: str
    key: Key
    unit: str
    sessions: tuple[str, ...]
    months: NDArray[np.float64]
    values: NDArray[np.float64]
    change: Change


@dataclass(frozen=True)
class Rate:
    """Change per month of one measure over the participants of a group.

    Attributes:
        key, unit: which measure.
        group: ``all`` where groups are not known.
        n: participants.
        slope: mean over participants of each one's change per month, with the t interval.
        sd: of these changes.
    """

    key: Key
    unit: str
    group: str
    n: int
    slope: Estimate
    sd: float


@dataclass(frozen=True)
class Error:
    """The error of measurement of one measure.

    Attributes:
        key, unit: which measure.
        found: from test and retest; None where it is not known.
    """

    key: Key
    unit: str
    found: Repeatability | None


@dataclass(frozen=True)
class FollowUp:
    """A follow-up.

    Attributes:
        rows: one for each participant and measure.
        rates: one for each group and measure.
        errors: one for each measure; empty where no test and retest were given.
        omissions: who and what is left out.
    """

    rows: tuple[Followed, ...]
    rates: tuple[Rate, ...]
    errors: tuple[Error, ...]
    omissions: list[Omission] = field(default_factory=list)

    def error_of(self, key: Key) -> Repeatability | None:
        """The error of measurement of a measure, where it is known."""
        return next((e.found for e in self.errors if e.key == key), None)


def follow(
    sessions: Sessions,
    keys: Sequence[Key],
    dates: Mapping[Who, float],
    groups: Mapping[str, str],
    retest: Sessions | None = None,
) -> FollowUp:
    """Change per month of every participant with two dated exams or more.

    Args:
        sessions: all exams.
        keys: which measures.
        dates: of the exams in months, by (participant, session).
        groups: of participants, as far as known.
        retest: participants measured twice or more within a time in which nothing changes, or
            None.
    """
    omissions: list[Omission] = []
    units, odd = sessions.same_units()
    omissions += [o for o in odd if any(str(key) == o.item for key in keys)]
    found_errors = tuple(_errors(keys, units, retest, omissions)) if retest else ()
    errors = {e.key: e.found for e in found_errors}
    exams = _exams(sessions, dates, omissions)
    rows = []
    for label, own in exams.items():
        months = np.array([dates[label, session] for session in own])
        for key in (k for k in keys if k in units):
            values = np.array([sessions.values[label, s].get(key, math.nan) for s in own])
            known = np.isfinite(values)
            done = change(months[known], values[known], errors.get(key))
            if not known.all():
                text = f"Not measured at {int((~known).sum())} exams of {label}."
                omissions.append(Omission("value", str(key), int((~known).sum()), text))
            if done is None:
                continue
            rows.append(
                Followed(
                    label,
                    groups.get(label, ""),
                    key,
                    units[key],
                    tuple(s for s, there in zip(own, known, strict=True) if there),
                    months[known] - months.min(),
                    values[known],
                    done,
                )
            )
    return FollowUp(tuple(rows), tuple(_rates(rows)), found_errors, omissions)


def _exams(
    sessions: Sessions, dates: Mapping[Who, float], omissions: list[Omission]
) -> dict[str, list[str]]:
    """For each participant with two exams at different times the sessions, in order of time."""
    if undated := without_date(sessions.values, dates):
        names = listed(f"{label} {session}".strip() for label, session in undated)
        omissions.append(
            Omission("session", "no date", len(undated), f"Sessions without a date: {names}.")
        )
    exams: dict[str, list[str]] = {}
    for label, session in sessions.values:
        if (label, session) in dates:
            exams.setdefault(label, []).append(session)
    single = [label for label, own in exams.items() if len({dates[label, s] for s in own}) < 2]
    if single:
        text = f"Fewer than two exams at different times: {listed(single)}."
        omissions.append(Omission("participant", "one exam", len(single), text))
    return {
        label: sorted(own, key=lambda session: dates[label, session])
        for label, own in exams.items()
        if label not in single
    }


def _errors(
    keys: Sequence[Key],
    units: Mapping[Key, str],
    retest: Sessions,
    omissions: list[Omission],
) -> list[Error]:
    """The error of measurement of each measure."""
    theirs, _ = retest.same_units()
    subjects: dict[str, list[str]] = {}
    for label, session in retest.values:
        subjects.setdefault(label, []).append(session)
    errors = []
    for key in keys:
        repeats = []
        for label, own in subjects.items():
            values = [retest.values[label, s].get(key, math.nan) for s in sorted(own)]
            repeats.append(np.array([v for v in values if math.isfinite(v)]))
        found = repeatability(repeats) if units.get(key) == theirs.get(key) else None
        if found is None:
            why = (
                "The unit of test and retest is another."
                if key in theirs and units.get(key) != theirs[key]
                else "Nobody has it twice in test and retest, or all repeats are equal."
            )
            omissions.append(
                Omission("error", str(key), len(subjects), f"Its error is unknown: {why}")
            )
        errors.append(Error(key, units.get(key, ""), found))
    return errors


def _rates(rows: Sequence[Followed]) -> list[Rate]:
    """Mean change per month of groups of participants."""
    gathered: dict[tuple[Key, str], list[Followed]] = {}
    for row in rows:
        gathered.setdefault((row.key, row.group or "all"), []).append(row)
    rates = []
    for (key, group), own in gathered.items():
        slopes = np.array([row.change.slope.value for row in own])
        sd = float(slopes.std(ddof=1)) if len(slopes) > 1 else math.nan
        rates.append(Rate(key, own[0].unit, group, len(own), mean_interval(slopes), sd))
    return rates
