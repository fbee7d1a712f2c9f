"""Cross-validated accuracy by hand, by brute force, on noise; its intervals by resampling."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ALSMotorCortexLib.study.statistics import crossed, roc
from ALSMotorCortexLib.study.statistics.proportions import wilson


def test_leave_one_out_by_hand() -> None:
    """Without the patient at 4.5 the threshold is half-way from 3 to 9, which misses it."""
    p, c = np.array([4.5, 9, 10, 11]), np.array([0.0, 1, 2, 3])
    assert roc.apparent(p, c).accuracy.value == 1
    got = crossed.leave_one_out(p, c)
    assert (got.true_positive, got.false_negative) == (3, 1)
    assert (got.true_negative, got.false_positive) == (4, 0)


def test_leaving_out_is_honest_on_noise() -> None:
    """Without any difference, the apparent accuracy promises one and the crossed does not."""
    rng = np.random.default_rng(5)
    is_patient = np.arange(30) < 15
    apparent, honest, area, area_honest = [], [], [], []
    for _ in range(150):
        values = rng.normal(size=30)
        p, c = values[is_patient], values[~is_patient]
        apparent.append(roc.apparent(p, c).accuracy.value)
        called = crossed.left_out_calls(values, is_patient, np.ones((1, 30)))[0]
        honest.append((called == is_patient).mean())
        area.append(max(a := roc.auc(p, c).value, 1 - a))
        area_honest.append(crossed.leave_pair_out(p, c).value)
    assert np.mean(apparent) > 0.62 and np.mean(area) > 0.57
    assert abs(np.mean(honest) - 0.5) < 0.04 and abs(np.mean(area_honest) - 0.5) < 0.04


def test_leave_pair_out_by_brute_force() -> None:
    for seed in range(6):
        rng = np.random.default_rng(seed)
        p, c = rng.normal(0.1, 1, 6), np.round(rng.normal(0, 1, 5), 1)
        hits = []
        for i in range(len(p)):
            for j in range(len(c)):
                sign = 1 if roc.auc(np.delete(p, i), np.delete(c, j)).value >= 0.5 else -1
                hits.append((np.sign(sign * (p[i] - c[j])) + 1) / 2)
        assert crossed.leave_pair_out(p, c).value == pytest.approx(np.mean(hits), abs=1e-12)


def test_leave_one_out_by_brute_force() -> None:
    for seed in range(10):
        rng = np.random.default_rng(seed)
        p, c = rng.normal(0.7, 1, 11), np.round(rng.normal(0, 1, 8), 1)
        found = [roc.youden(np.delete(p, i), c).calls(p[i : i + 1])[0] for i in range(11)]
        wrong = [roc.youden(p, np.delete(c, i)).calls(c[i : i + 1])[0] for i in range(8)]
        got = crossed.leave_one_out(p, c)
        assert (got.true_positive, got.false_positive) == (sum(found), sum(wrong))


def test_a_participant_drawn_twice_is_left_out_as_a_whole() -> None:
    """The calls for doubled participants are those for the values without their doubles."""
    rng = np.random.default_rng(4)
    values, is_patient = rng.normal(size=12), np.arange(12) < 7
    weights = np.ones((1, 12))
    weights[0, [2, 9]] = 2
    got = crossed.left_out_calls(values, is_patient, weights)[0]
    for i in range(12):
        counts = np.where(np.arange(12) == i, 0, weights[0]).astype(int)
        p = np.repeat(values[is_patient], counts[is_patient])
        c = np.repeat(values[~is_patient], counts[~is_patient])
        assert got[i] == roc.youden(p, c).calls(values[i : i + 1])[0]


def test_intervals_are_never_shorter_than_for_independent_answers() -> None:
    rng = np.random.default_rng(6)
    for shift in (0.0, 0.5, 1.5):
        got = crossed.leave_one_out(rng.normal(shift, 1, 22), rng.normal(0, 1, 14))
        plain = wilson(got.true_positive, 22)
        assert got.sensitivity.low <= plain.low and got.sensitivity.high >= plain.high
        assert all(factor >= 1 for factor in got.inflation)


def test_draws_keep_the_groups_sizes_and_two_different_participants() -> None:
    is_patient = np.arange(9) < 6
    weights = crossed.draws(is_patient, seed=1, times=500)
    assert (weights[:, is_patient].sum(1) == 6).all() and (
        weights[:, ~is_patient].sum(1) == 3
    ).all()
    assert ((weights[:, ~is_patient] > 0).sum(1) >= 2).all()
    np.testing.assert_array_equal(weights, crossed.draws(is_patient, seed=1, times=500))


def test_large_work_is_done_in_pieces_that_add_up() -> None:
    weights = np.arange(200.0 * 300).reshape(200, 300)
    parts = crossed.pieces(weights, 300)
    assert max(part.size * 300 for part in parts) <= crossed.LARGEST
    np.testing.assert_array_equal(np.concatenate(parts), weights)


@settings(max_examples=20)
@given(st.integers(0, 10_000))
def test_the_unit_does_not_matter(seed: int) -> None:
    rng = np.random.default_rng(seed)
    p, c = rng.normal(1, 1, 7), rng.normal(0, 1, 6)
    assert crossed.leave_one_out(8 * p + 1, 8 * c + 1) == crossed.leave_one_out(p, c)
    assert crossed.leave_pair_out(8 * p + 1, 8 * c + 1) == crossed.leave_pair_out(p, c)
