"""Agreement, consensus and accuracy of tables of readings whose truth is known."""

from __future__ import annotations

import math

import numpy as np
import pytest

from ALSMotorCortexLib.cortex.errors import InputError
from ALSMotorCortexLib.study import agreement as study
from ALSMotorCortexLib.study.readings import HEMISPHERES, ITEMS, YES_NO, Reading
from ALSMotorCortexLib.study.statistics.kappa import CONSTANT, cohen_kappa, fleiss_kappa

FULL = {item: answers[-1] for item, answers in ITEMS.items()}


def made(reader: str, answers: dict[tuple[str, str], dict[str, int]]) -> list[Reading]:
    return [Reading(reader, *place, ratings) for place, ratings in answers.items()]


def random_readings(readers: str = "ABC", cases: int = 20, seed: int = 0) -> list[Reading]:
    rng = np.random.default_rng(seed)
    return [
        Reading(r, f"c{n}", side, {i: int(rng.choice(a)) for i, a in ITEMS.items()})
        for r in readers
        for n in range(cases)
        for side in HEMISPHERES
    ]


def rows_of(rows: list[study.Row], **wanted: str) -> list[study.Row]:
    return [r for r in rows if all(getattr(r, k) == v for k, v in wanted.items())]


def column(readings: list[Reading], reader: str, item: str, side: str) -> np.ndarray:
    found = {o.case_id: o.ratings[item] for o in readings
             if o.reader == reader and o.hemisphere == side}  # fmt: skip
    return np.array([found[case] for case in sorted(found)])


def test_rows_hold_the_kappas_of_each_pair_and_of_all() -> None:
    readings = random_readings()
    rows = study.agreement(readings)
    assert len(rows) == len(ITEMS) * 3 * 4 * 2
    a, b, c = (column(readings, r, "thinning", "left") for r in "ABC")
    (row,) = rows_of(rows, readers="A, B", item="thinning", hemisphere="left",
                     measure="cohen_kappa")  # fmt: skip
    expected = cohen_kappa(a, b, 2).estimate
    assert (row.value, row.low, row.high) == (expected.value, expected.low, expected.high)
    (row,) = rows_of(rows, readers="A, B, C", item="thinning", hemisphere="left",
                     measure="fleiss_kappa")  # fmt: skip
    assert row.value == pytest.approx(fleiss_kappa(np.c_[a, b, c], 2).estimate.value)
    a, b = (column(readings, r, "confidence", "right") - 1 for r in "AB")
    for weights in ("quadratic", "linear"):
        (row,) = rows_of(study.agreement(readings, weights), readers="A, B", item="confidence",
                         hemisphere="right", measure=f"cohen_kappa_{weights}")  # fmt: skip
        assert row.value == pytest.approx(cohen_kappa(a, b, 5, weights).estimate.value)


def test_pooled_hemispheres_count_persons_in_the_interval() -> None:
    """Hemispheres that are the same tell no more than one of them."""
    left = [r for r in random_readings("AB", 30) if r.hemisphere == "left"]
    right = [Reading(r.reader, r.case_id, "right", r.ratings) for r in left]
    rows = study.agreement(left + right)
    for measure in ("cohen_kappa", "agreement"):
        one, both = (rows_of(rows, item="thinning", hemisphere=side, measure=measure)[0]
                     for side in ("left", "both"))  # fmt: skip
        assert both.value == pytest.approx(one.value) and both.n == 2 * one.n
        if measure == "agreement":
            assert math.isnan(both.low) and both.note == study.NO_INTERVAL
        else:
            assert (both.low, both.high) == pytest.approx((one.low, one.high))


def test_only_what_the_readers_compared_both_rated_counts() -> None:
    readings = random_readings("AB", 10)
    readings[3] = Reading("A", *place(readings[3]), {})
    readings[5].ratings.pop("thinning")  # type: ignore[attr-defined]
    readings = [r for r in readings if not (r.reader == "B" and r.case_id == "c9")]
    rows = rows_of(study.agreement(readings), measure="cohen_kappa", hemisphere="both")
    counts = {row.item: row.n for row in rows}
    assert counts["thinning"] == 20 - 2 - 2 and counts["pathologic"] == 20 - 1 - 2
    found = {f.code: f for f in study.coverage(readings)}
    assert "B did not read 1 of 10 cases: c9" in found["cases_not_read"].message
    assert "of A" in found["not_rated"].message and found["not_rated"].message.endswith("1.")
    assert "A could not assess 1 of 20" in found["not_assessed"].message
    assert "9 of 10 cases" in found["cases_shared"].message


def place(reading: Reading) -> tuple[str, str]:
    return reading.case_id, reading.hemisphere


def test_complete_readings_give_no_finding() -> None:
    assert list(study.coverage(random_readings())) == []


def test_constant_ratings_have_no_kappa_and_it_is_said() -> None:
    readings = [Reading(r, f"c{n}", s, FULL) for r in "AB" for n in range(5) for s in HEMISPHERES]
    rows = study.agreement(readings)
    for row in rows:
        if row.measure == "agreement":
            assert row.value == 1
        else:
            assert math.isnan(row.value) and row.note == CONSTANT


def test_one_reader_cannot_agree() -> None:
    with pytest.raises(InputError, match="two readers"):
        study.agreement(random_readings("A"))
    with pytest.raises(InputError, match="nobody"):
        study.agreement([])


# --- consensus ---------------------------------------------------------------------------


def test_the_majority_is_the_consensus_and_ties_are_listed() -> None:
    one = ("c1", "left")
    votes = [{**FULL, "thinning": t, "confidence": c} for t, c in ((1, 2), (0, 5), (1, 4))]
    readings = [Reading(r, *one, v) for r, v in zip("ABC", votes, strict=True)]
    agreed, ties = study.consensus(readings)
    assert ties == []
    assert agreed == [Reading("consensus", *one, {**FULL, "thinning": 1, "confidence": 4})]
    agreed, ties = study.consensus(readings[:2])
    assert ties == [study.Tie(*one, "thinning", "A 1, B 0")]
    assert agreed[0].missing == ["thinning"] and agreed[0].ratings["confidence"] == 3


def test_what_one_reader_alone_rated_is_no_consensus() -> None:
    one = ("c1", "left")
    readings = [Reading("A", *one, FULL), Reading("B", *one, {"thinning": 1})]
    agreed, ties = study.consensus(readings)
    assert agreed[0].ratings == {"thinning": 1}
    assert {tie.item for tie in ties} == set(ITEMS) - {"thinning"}
    agreed, ties = study.consensus(readings[:1])
    assert agreed == [] and len(ties) == len(ITEMS)


def test_a_hemisphere_that_most_could_not_assess_is_not_assessed() -> None:
    one = ("c1", "left")
    readings = [Reading("A", *one), Reading("B", *one), Reading("C", *one, FULL)]
    assert study.consensus(readings) == ([Reading("consensus", *one)], [])


def test_the_same_reading_by_all_is_the_consensus() -> None:
    own = random_readings("A")
    readings = own + [Reading(r, *place(o), o.ratings) for r in "BC" for o in own]
    agreed, ties = study.consensus(readings)
    assert ties == []
    assert {place(o): o.ratings for o in agreed} == {place(o): o.ratings for o in own}


# --- accuracy ----------------------------------------------------------------------------


def test_either_hemisphere_makes_the_case() -> None:
    sides = {
        "yes": (1, 0),
        "no": (0, 0),
        "half": (0, None),
        "half yes": (1, None),
        "blind": (0, "skipped"),
        "none": (None, None),
    }
    answers: dict[tuple[str, str], dict[str, int]] = {}
    for case, pair in sides.items():
        for side, answer in zip(HEMISPHERES, pair, strict=True):
            rated = {"confidence": 3} if answer is None else {"thinning": answer}
            answers[case, side] = {} if answer == "skipped" else rated  # type: ignore[dict-item]
    found = study.calls(made("A", answers), "A", "thinning")
    either = {case: call for (case, side), call in found.items() if side == study.EITHER}
    assert either == {"yes": True, "no": False, "blind": False, "half yes": True}


def test_accuracy_counts_against_the_truth() -> None:

    truth = {f"sub-{n}": n < 10 for n in range(16)}
    answers = {(str(n), side): {**FULL, "pathologic": int(n < 8 or n == 12)}
               for n in range(16) for side in HEMISPHERES}  # fmt: skip
    rows = study.accuracy(made("A", answers), truth)
    found = {r.measure: r for r in rows_of(rows, item="pathologic", hemisphere=study.EITHER)}
    assert (found["sensitivity"].value, found["sensitivity"].n) == (0.8, 10)
    assert (found["specificity"].value, found["specificity"].n) == (pytest.approx(5 / 6), 6)
    assert (found["accuracy"].value, found["accuracy"].n) == (13 / 16, 16)
    assert len(rows) == 3 * 3 * sum(a == YES_NO for a in ITEMS.values())


def test_accuracy_without_controls_says_so() -> None:
    rows = study.accuracy(made("A", {("c1", "left"): FULL}), {"c1": True, "c2": False})
    found = {r.measure: r for r in rows_of(rows, item="thinning", hemisphere="left")}
    assert found["sensitivity"].value == 1 and math.isnan(found["specificity"].value)
    assert found["specificity"].note == "no control was rated"
    right = rows_of(rows, item="thinning", hemisphere="right", measure="accuracy")[0]
    assert math.isnan(right.value) and right.n == 0
