"""How far readers agree, what they agree on, and how often they are right."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from ..cortex.errors import InputError
from ..cortex.result import Finding
from .readings import HEMISPHERES, ITEMS, YES_NO, Reading
from .statistics.interval import Estimate
from .statistics.kappa import Kappa, Weights, cohen_kappa, fleiss_kappa, percent_agreement
from .statistics.proportions import Accuracy

BOTH, EITHER = "both", "either"
CONSENSUS = "consensus"
NO_INTERVAL = "two hemispheres of one person are not independent, so no interval"

# A case's name, and left, right or either.
Place = tuple[str, str]


@dataclass(frozen=True)
class Row:
    """One number of ``agreement.tsv`` or ``accuracy.tsv``.

    Attributes:
        readers: whose; names joined by ``, ``.
        item: of :data:`~.readings.ITEMS`.
        hemisphere: left, right, ``both`` (pooled), or ``either`` (yes if one of them is).
        measure: what the number is.
        value, low, high: with its 95 % interval; NaN where there is none.
        n: ratings that were compared.
        note: why there is no number, or no interval.
    """

    readers: str
    item: str
    hemisphere: str
    measure: str
    value: float
    low: float
    high: float
    n: int
    note: str


@dataclass(frozen=True)
class Tie:
    """An item on which there is no majority: ``votes`` says who answered what."""

    case_id: str
    hemisphere: str
    item: str
    votes: str


def readers_of(readings: Iterable[Reading]) -> list[str]:
    """Names of the readers, in the order of the tables."""
    return list(dict.fromkeys(one.reader for one in readings))


def coverage(readings: Sequence[Reading]) -> Iterator[Finding]:
    """What is missing: cases that not all readers read, items not rated, not assessed."""
    readers = readers_of(readings)
    cases = {r: {one.case_id for one in readings if one.reader == r} for r in readers}
    everything = set().union(*cases.values())
    shared = everything.intersection(*cases.values())
    for reader in readers:
        own = [one for one in readings if one.reader == reader]
        if lacking := sorted(everything - cases[reader]):
            yield Finding(
                "cases_not_read",
                f"{reader} did not read {len(lacking)} of {len(everything)} cases: "
                f"{_listed(lacking)}.",
                warning=True,
            )
        if gaps := sum(len(one.missing) for one in own):
            yield Finding(
                "not_rated", f"Open ratings of {reader}, which are left out: {gaps}.", warning=True
            )
        if skipped := sum(not one.ratings for one in own):
            yield Finding(
                "not_assessed", f"{reader} could not assess {skipped} of {len(own)} hemispheres."
            )
    if len(shared) < len(everything):
        yield Finding(
            "cases_shared",
            f"{len(shared)} of {len(everything)} cases were read by all {len(readers)} readers. "
            "Agreement is over what the readers compared both rated.",
        )


def _listed(names: Sequence[str], most: int = 10) -> str:
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


# Agreement --------------------------------------------------------------------------------


def agreement(readings: Sequence[Reading], weights: Weights = "quadratic") -> list[Row]:
    """Agreement of each pair of readers, and of all where there are more than two.

    Confidence is compared with weights, all other items without. For both hemispheres pooled,
    intervals of kappa count persons (see :mod:`.statistics.kappa`).

    Raises:
        InputError: there are fewer than two readers.
    """
    readers = readers_of(readings)
    if len(readers) < 2:
        raise InputError(
            f"There are readings of {' and '.join(readers) or 'nobody'} only. "
            "Agreement needs two readers or more."
        )
    groups = list(combinations(readers, 2)) + ([tuple(readers)] if len(readers) > 2 else [])
    sides = [*((side, (side,)) for side in HEMISPHERES), (BOTH, HEMISPHERES)]
    rows = []
    for item in ITEMS:
        for name, hemispheres in sides:
            for group in groups:
                codes, persons = _codes(readings, group, item, hemispheres)
                for measure, kappa in _compared(codes, persons, item, name, weights):
                    rows.append(_row(", ".join(group), item, name, measure, kappa))
    return rows


def _codes(
    readings: Sequence[Reading], group: Sequence[str], item: str, hemispheres: Sequence[str]
) -> tuple[NDArray[np.int_], NDArray]:
    """What all of a group rated: codes (n, readers), and each row's case (n,)."""
    answers = {r: {(o.case_id, o.hemisphere): o.ratings.get(item) for o in readings
                   if o.reader == r and o.hemisphere in hemispheres} for r in group}  # fmt: skip
    places = [
        place
        for place in answers[group[0]]
        if all(answers[reader].get(place) is not None for reader in group)
    ]
    codes = [[ITEMS[item].index(answers[r][place] or 0) for r in group] for place in places]
    table = np.array(codes, dtype=int).reshape(len(places), len(group))
    return table, np.array([case for case, _side in places])


def _compared(
    codes: NDArray[np.int_], persons: NDArray, item: str, hemisphere: str, weights: Weights
) -> Iterator[tuple[str, Kappa]]:
    levels = len(ITEMS[item])
    pooled = persons if hemisphere == BOTH else None
    share = percent_agreement(codes)
    if pooled is not None and share.n:
        share = Kappa(Estimate(share.estimate.value, np.nan, np.nan), share.n, NO_INTERVAL)
    yield "agreement", share
    ordered: Weights = weights if levels > 2 else "none"
    weighted = f"_{ordered}" if ordered != "none" else ""
    if codes.shape[1] == 2:
        yield (
            f"cohen_kappa{weighted}",
            cohen_kappa(codes[:, 0], codes[:, 1], levels, ordered, pooled),
        )
    else:
        yield f"fleiss_kappa{weighted}", fleiss_kappa(codes, levels, ordered, pooled)


def _row(readers: str, item: str, hemisphere: str, measure: str, found: Kappa) -> Row:
    e = found.estimate
    return Row(readers, item, hemisphere, measure, e.value, e.low, e.high, found.n, found.reason)


# Consensus --------------------------------------------------------------------------------


def consensus(readings: Sequence[Reading]) -> tuple[list[Reading], list[Tie]]:
    """What most readers say of each hemisphere, and where there is no majority.

    A majority is more than half of those who rated the item, and at least two of them.
    Confidence is their median, rounded down. A hemisphere that more than half of its readers
    could not assess counts as not assessed. What is tied is left open in the reading.
    """
    by_place: dict[Place, list[Reading]] = {}
    for one in readings:
        by_place.setdefault((one.case_id, one.hemisphere), []).append(one)
    agreed, ties = [], []
    for (case_id, hemisphere), own in sorted(by_place.items()):
        rated = [one for one in own if one.ratings]
        found: dict[str, int] = {}
        if 2 * len(rated) >= len(own) and rated:
            for item in ITEMS:
                votes = {one.reader: one.ratings[item] for one in rated if item in one.ratings}
                answer = _majority(item, list(votes.values()))
                if answer is None:
                    text = ", ".join(f"{reader} {vote}" for reader, vote in votes.items())
                    ties.append(Tie(case_id, hemisphere, item, text or "nobody"))
                else:
                    found[item] = answer
            if not found:  # a row without ratings would mean that it could not be assessed
                continue
        agreed.append(Reading(CONSENSUS, case_id, hemisphere, found))
    return agreed, ties


def _majority(item: str, votes: list[int]) -> int | None:
    if len(votes) < 2:
        return None
    if ITEMS[item] != YES_NO:
        return int(np.median(votes))
    most = max(set(votes), key=votes.count)
    return most if 2 * votes.count(most) > len(votes) else None


# Against the truth ------------------------------------------------------------------------


def calls(readings: Iterable[Reading], reader: str, item: str) -> dict[Place, bool]:
    """A reader's yes or no for each hemisphere, and for ``either`` of a case's two.

    ``either`` is yes when a hemisphere is; no when all that could be assessed are rated no;
    left out otherwise.
    """
    own = [one for one in readings if one.reader == reader]
    found = {(o.case_id, o.hemisphere): bool(o.ratings[item]) for o in own if item in o.ratings}
    assessed: dict[str, list[bool | None]] = {}
    for one in own:
        if one.ratings:
            answer = found.get((one.case_id, one.hemisphere))
            assessed.setdefault(one.case_id, []).append(answer)
    for case, answers in assessed.items():
        if any(answers) or None not in answers:
            found[case, EITHER] = any(answers)
    return found


def accuracy(readings: Sequence[Reading], truth: Mapping[str, bool]) -> list[Row]:
    """Sensitivity, specificity and accuracy of each reader, with Wilson's intervals.

    Args:
        truth: for each case's name whether it is a patient.
    """
    known = {bare(case): patient for case, patient in truth.items()}
    items = [item for item, answers in ITEMS.items() if answers == YES_NO]
    rows: list[Row] = []
    for reader in readers_of(readings):
        for item in items:
            answers = calls(readings, reader, item)
            for side in (*HEMISPHERES, EITHER):
                pairs = [
                    (call, known[bare(case)])
                    for (case, where), call in answers.items()
                    if where == side and bare(case) in known
                ]
                rows += _accuracy_rows(reader, item, side, pairs)
    return rows


def _accuracy_rows(
    reader: str, item: str, side: str, pairs: Sequence[tuple[bool, bool]]
) -> Iterator[Row]:
    called, patient = np.array(pairs, dtype=bool).reshape(-1, 2).T
    found = Accuracy.of(called, patient)
    patients = int(patient.sum())
    sizes = {
        "sensitivity": (found.sensitivity, patients, "no patient was rated"),
        "specificity": (found.specificity, found.n - patients, "no control was rated"),
        "accuracy": (found.accuracy, found.n, "no case was rated"),
    }
    for measure, (e, n, why) in sizes.items():
        note = "" if n else why
        yield Row(reader, item, side, measure, e.value, e.low, e.high, n, note)


def bare(case_id: str) -> str:
    """A case's name without the ``sub-`` that BIDS puts in front."""
    return case_id.removeprefix("sub-")
