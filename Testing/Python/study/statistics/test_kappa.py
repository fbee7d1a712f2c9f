"""Kappa against statsmodels and scikit-learn, against irrCAC, and what must hold."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn import metrics
from statsmodels.stats import inter_rater

from ALSMotorCortexLib.study.statistics import kappa

WEIGHTS = ["none", "linear", "quadratic"]

# Ten cases, four readers, five answers.
FOUR = np.array(
    [[0, 0, 1, 0], [1, 1, 1, 1], [2, 1, 2, 3], [4, 4, 3, 4], [0, 1, 0, 0],
     [3, 3, 3, 2], [2, 2, 2, 2], [4, 4, 4, 4], [1, 0, 1, 2], [3, 4, 3, 4]]
)  # fmt: skip
# What the package irrCAC 0.4.4 for Python gives for FOUR (CAC(..., digits=9).fleiss()); it has
# Gwet's variance, which statsmodels does not, and cannot be installed beside its newer pandas.
GWET = {
    "none": (0.456635319, 0.171127835, 0.742142802),
    "quadratic": (0.866499791, 0.748222038, 0.984777545),
}


def two_readers(seed: int, n: int = 80) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    a = rng.integers(0, 5, n)
    return a, np.clip(a + rng.integers(-2, 3, n), 0, 4)


@pytest.mark.parametrize("weights", WEIGHTS)
@pytest.mark.parametrize("seed", range(5))
def test_cohen_kappa_is_that_of_statsmodels_and_scikit_learn(weights: str, seed: int) -> None:
    a, b = two_readers(seed)
    found = kappa.cohen_kappa(a, b, 5, weights).estimate
    named = None if weights == "none" else weights
    table = inter_rater.to_table(np.column_stack([a, b]), 5)[0]
    peer = inter_rater.cohens_kappa(table, wt=named)
    assert found.value == pytest.approx(peer.kappa, abs=1e-9)
    assert found.low == pytest.approx(peer.kappa_low, abs=1e-9)
    assert found.high == pytest.approx(peer.kappa_upp, abs=1e-9)
    peer = metrics.cohen_kappa_score(a, b, labels=range(5), weights=named)
    assert found.value == pytest.approx(peer, abs=1e-9)


@pytest.mark.parametrize("seed", range(5))
def test_fleiss_kappa_is_that_of_statsmodels(seed: int) -> None:
    a, b = two_readers(seed)
    table = np.column_stack([a, b, two_readers(seed + 100)[0]])
    peer = inter_rater.fleiss_kappa(inter_rater.aggregate_raters(table, 5)[0])
    assert kappa.fleiss_kappa(table, 5).estimate.value == pytest.approx(peer, abs=1e-9)


@pytest.mark.parametrize("weights", GWET)
def test_fleiss_kappa_and_its_interval_are_those_of_irrcac(weights: str) -> None:
    found = kappa.fleiss_kappa(FOUR, 5, weights).estimate
    assert (found.value, found.low, found.high) == pytest.approx(GWET[weights], abs=1e-6)


@given(arrays(int, st.tuples(st.integers(1, 12), st.integers(2, 4)), elements=st.integers(0, 2)))
def test_order_of_cases_and_of_readers_does_not_matter(table: np.ndarray) -> None:
    before = kappa.fleiss_kappa(table, 3)
    after = kappa.fleiss_kappa(table[::-1, ::-1], 3)
    assert after.n == before.n and after.reason == before.reason
    parts = ("value", "low", "high")
    ours, theirs = ([getattr(k.estimate, p) for p in parts] for k in (before, after))
    assert ours == pytest.approx(theirs, abs=1e-9, nan_ok=True)
    if before.estimate.known:
        assert -1 <= before.estimate.value <= 1


@given(arrays(int, (10, 2), elements=st.integers(0, 1)))
def test_weights_change_nothing_between_two_answers(table: np.ndarray) -> None:
    found = [kappa.cohen_kappa(*table.T, 2, w).estimate.value for w in WEIGHTS]
    assert found == pytest.approx([found[0]] * 3, nan_ok=True)


@pytest.mark.parametrize("weights", WEIGHTS)
def test_persons_with_one_rating_each_change_nothing(weights: str) -> None:
    a, b = two_readers(3)
    people = np.random.default_rng(0).permutation(len(a))
    alone, together = (
        [kappa.cohen_kappa(a, b, 5, weights, p), kappa.fleiss_kappa(np.c_[a, b], 5, weights, p)]
        for p in (None, people)
    )
    for one, other in zip(alone, together, strict=True):
        assert one.estimate.low == pytest.approx(other.estimate.low, abs=1e-12)
        assert one.estimate.high == pytest.approx(other.estimate.high, abs=1e-12)


def test_a_case_counted_twice_gives_no_narrower_interval() -> None:
    """Two copies of each rating of the same persons are no more than one."""
    a, b = two_readers(4)
    people = np.arange(len(a))
    once = kappa.cohen_kappa(a, b, 5).estimate
    naive = kappa.cohen_kappa(np.r_[a, a], np.r_[b, b], 5).estimate
    twice = kappa.cohen_kappa(np.r_[a, a], np.r_[b, b], 5, persons=np.r_[people, people]).estimate
    assert (twice.low, twice.high) == pytest.approx((once.low, once.high), abs=1e-9)
    assert naive.high - naive.low < 0.75 * (once.high - once.low)


def test_intervals_hold_the_truth_as_often_as_they_claim() -> None:
    """Two hemispheres of one person are alike; intervals over persons must still cover."""
    rng = np.random.default_rng(7)
    persons, repeats, noise = 60, 600, 0.15
    truth = (1 - 2 * noise) ** 2  # of two readers who err independently, with even answers
    people = np.repeat(np.arange(persons), 2)
    covered = {"persons": 0, "ratings": 0}
    for _ in range(repeats):
        # Both hemispheres have the same answer, and readers err on both or on none.
        answer = np.repeat(rng.integers(0, 2, persons), 2)
        a, b = (answer ^ np.repeat(rng.random(persons) < noise, 2) for _ in range(2))
        for name, who in (("persons", people), ("ratings", None)):
            found = kappa.cohen_kappa(a, b, 2, persons=who).estimate
            covered[name] += found.low <= truth <= found.high
    sd = math.sqrt(0.95 * 0.05 / repeats)
    # Large-sample intervals of 60 persons may fall a little short of what they claim.
    assert abs(covered["persons"] / repeats - 0.95) < 3 * sd + 0.01
    assert covered["ratings"] / repeats < 0.9


@pytest.mark.parametrize("weights", WEIGHTS)
def test_what_cannot_be_told_is_said(weights: str) -> None:
    none = np.empty((0, 3), int)
    assert kappa.fleiss_kappa(none, 2, weights).reason == kappa.NO_RATINGS
    assert kappa.cohen_kappa(*none.T[:2], 2, weights).reason == kappa.NO_RATINGS
    assert kappa.percent_agreement(none).reason == kappa.NO_RATINGS
    same = np.ones((8, 3), int)
    for found in (kappa.fleiss_kappa(same, 2, weights), kappa.cohen_kappa(*same.T[:2], 2, weights)):
        assert found.reason == kappa.CONSTANT and found.n == 8 and not found.estimate.known
    perfect = np.arange(8).repeat(3).reshape(8, 3) % 2
    for found in (
        kappa.fleiss_kappa(perfect, 2, weights),
        kappa.cohen_kappa(*perfect.T[:2], 2, weights),
    ):
        assert found.reason == kappa.IDENTICAL
        assert found.estimate.value == pytest.approx(1) and math.isnan(found.estimate.low)
    one = kappa.fleiss_kappa(np.array([[0, 1, 1]]), 2, weights)
    assert one.reason == kappa.ONE_PERSON and one.estimate.known


def test_percent_agreement_counts_pairs_of_readers() -> None:
    assert kappa.percent_agreement(np.array([[0, 0], [1, 0]])).estimate.value == 0.5
    three = kappa.percent_agreement(np.array([[0, 0, 1], [1, 1, 1]]))
    assert three.estimate.value == pytest.approx((1 / 3 + 1) / 2)
