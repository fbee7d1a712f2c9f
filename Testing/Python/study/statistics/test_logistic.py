"""The combination against scikit-learn, fold by fold."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import LeaveOneOut, cross_val_predict
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from ALSMotorCortexLib.study.statistics.logistic import (
    combine,
    fit,
    left_out,
    left_pairs,
    log_odds,
)
from ALSMotorCortexLib.study.statistics.roc import auc


def study(shift: float = 0.8, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    patient = np.arange(36) < 22
    x = rng.normal(size=(36, 3)) * [1, 50, 1e-3] + [3, 0, 1]
    x[patient, 0] += shift
    return x, patient


def theirs() -> object:
    solver = LogisticRegression(class_weight="balanced", C=1.0, tol=1e-14, max_iter=100_000)
    return make_pipeline(StandardScaler(), solver)


def test_coefficients_and_probabilities_against_scikit_learn() -> None:
    x, patient = study()
    got = combine(x, patient)
    model = theirs().fit(x, patient)
    assert got.coefficients == pytest.approx(model[-1].coef_[0], abs=1e-6)
    assert got.intercept == pytest.approx(model[-1].intercept_[0], abs=1e-6)
    folds = cross_val_predict(theirs(), x, patient, cv=LeaveOneOut(), method="predict_proba")
    assert got.probabilities == pytest.approx(folds[:, 1], abs=1e-6)
    area = roc_auc_score(patient, model.predict_proba(x)[:, 1])
    assert got.apparent_auc.value == pytest.approx(area, abs=1e-9)
    called = folds[:, 1] >= 0.5
    assert got.crossed.true_positive == (called & patient).sum()
    assert got.crossed.true_negative == (~called & ~patient).sum()


def test_each_pair_s_fold_against_scikit_learn() -> None:
    x, patient = study()
    x, patient = x[14:30], patient[14:30]
    hits = []
    for i in np.flatnonzero(patient):
        for j in np.flatnonzero(~patient):
            rest = np.delete(np.arange(len(x)), [i, j])
            model = theirs().fit(x[rest], patient[rest])
            a, b = model.decision_function(x[[i, j]])
            hits.append((np.sign(a - b) + 1) / 2)
    assert combine(x, patient).crossed_auc.value == pytest.approx(np.mean(hits), abs=1e-12)


def test_separated_groups_have_finite_coefficients() -> None:
    x, patient = study(shift=40)
    got = combine(x, patient)
    assert np.isfinite(got.coefficients).all()
    assert got.crossed.accuracy.value == 1
    model = theirs().fit(x, patient)
    assert got.coefficients == pytest.approx(model[-1].coef_[0], abs=1e-6)


def test_the_unit_of_a_measure_does_not_matter() -> None:
    x, patient = study()
    one, other = combine(x, patient), combine(x * [25.4, 1e-6, 7] + [1, 2, 3], patient)
    assert other.probabilities == pytest.approx(one.probabilities, abs=1e-8)


def test_a_measure_that_does_not_vary_is_left_unused() -> None:
    x, patient = study()
    more = np.column_stack([x, np.full(36, 7.7)])
    got = combine(more, patient)
    assert got.coefficients[3] == 0
    assert got.probabilities == pytest.approx(combine(x, patient).probabilities, abs=1e-9)


def test_a_weight_of_two_is_a_participant_twice() -> None:
    x, patient = study()
    weights = np.ones(36)
    weights[[3, 30]] = 2
    doubled = np.append(np.arange(36), [3, 30])
    twice = fit(x[doubled], patient[doubled], np.ones((1, 38)))
    assert fit(x, patient, weights[None]) == pytest.approx(twice, abs=1e-8)


def test_many_fits_at_once_are_those_one_by_one() -> None:
    x, patient = study()
    used = np.random.default_rng(1).poisson(1.5, (20, 36)).astype(float)
    alone = np.concatenate([fit(x, patient, u[None]) for u in used])
    assert fit(x, patient, used) == pytest.approx(alone, abs=1e-8)


def test_cross_validation_finds_nothing_in_noise() -> None:
    """Pooled predictions that leave one out would come out clearly below one half here."""
    rng = np.random.default_rng(3)
    patient = np.arange(30) < 18
    apparent, area, right = [], [], []
    for _ in range(60):
        x = rng.normal(size=(30, 3))
        odds = log_odds(x, patient, np.ones((1, 30)))[0]
        apparent.append(auc(odds[patient], odds[~patient]).value)
        area.append(left_pairs(x, patient).mean())
        right.append(((left_out(x, patient, np.ones((1, 30)))[0] >= 0) == patient).mean())
    assert np.mean(apparent) > 0.65
    assert abs(np.mean(area) - 0.5) < 0.05
    assert abs(np.mean(right) - 0.5) < 0.05
