"""Simulated subjects: that they differ as people do, and that scores follow the disease."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest

from ALSMotorCortexLib.cortex.subject import (
    PATIENT_IRON,
    Subject,
    draw_subject,
)


def subject(group: str, seed: int = 0, **given: float) -> Subject:
    return draw_subject(group, np.random.default_rng(seed), **given)  # type: ignore[arg-type]


@cache
def many(group: str) -> tuple[Subject, ...]:
    return tuple(subject(group, seed) for seed in range(150))


def column(group: str, of) -> np.ndarray:  # type: ignore[no-untyped-def]
    return np.array([of(one) for one in many(group)], dtype=float)


def test_groups_differ_in_iron_and_thickness() -> None:
    thickness, iron = (
        {group: column(group, of) for group in ("control", "patient")}
        for of in (lambda s: s.hemispheres["left"].anatomy.thickness, lambda s: s.iron)
    )
    assert thickness["control"].mean() == pytest.approx(3.4, abs=0.05)
    assert thickness["control"].mean() - thickness["patient"].mean() == pytest.approx(
        0.25, abs=0.07
    )
    assert iron["patient"].mean() == pytest.approx(PATIENT_IRON, abs=3)
    for values in iron.values():
        assert values.min() >= 0


def test_iron_tells_patients_from_controls_as_well_as_published() -> None:
    """Area under the curve: 0.89 at 3 T, more at 7 T (Donatelli et al. 2018), not 1."""
    patients, controls = (column(group, lambda s: s.iron) for group in ("patient", "control"))
    area = (patients[:, None] > controls).mean()
    assert 0.88 < area < 0.96


def test_m1_over_s1_is_as_published_in_controls() -> None:
    """1.53 to 1.64 (Meyer et al. 1996)."""

    def ratio(one: Subject) -> float:
        anatomy = one.hemispheres["right"].anatomy
        return anatomy.thickness / anatomy.s1_thickness

    assert 1.53 < column("control", ratio).mean() < 1.64


def test_r2star_varies_by_four_percent() -> None:
    factors = column("control", lambda s: s.r2star_factor)
    assert factors.std() == pytest.approx(0.042, rel=0.2)
    assert factors.mean() == pytest.approx(1, abs=0.01)


def test_scores_follow_iron() -> None:
    iron = column("patient", lambda s: s.iron)
    umn = column("patient", lambda s: sum(s.clinic.umn.values()))
    rate = column("patient", lambda s: s.clinic.rate)
    assert 0.3 < np.corrcoef(iron, umn)[0, 1] < 0.95
    assert 0.3 < np.corrcoef(iron, rate)[0, 1] < 0.95
    assert umn.min() >= 0 and umn.max() <= 16 and len(set(umn)) > 5


def test_an_arm_is_moved_by_the_other_sides_hand() -> None:
    """Its score follows the iron there more than that of its own side."""
    iron = column("patient", lambda s: s.iron)
    left_arm = column("patient", lambda s: s.clinic.umn["left_arm"])
    other, own = (
        iron * column("patient", lambda s, side=side: s.hemispheres[side].involvement[1])
        for side in ("right", "left")
    )
    assert np.corrcoef(left_arm, other)[0, 1] > np.corrcoef(left_arm, own)[0, 1] + 0.05


def test_alsfrs_is_a_score_and_falls() -> None:
    for one in many("patient"):
        scores = [one.clinic.alsfrs_r(days) for days in (0, 180, 720)]
        assert all(0 <= score <= 48 for score in scores)
        assert scores == sorted(scores, reverse=True)
        assert scores[0] > 0
    assert subject("control").clinic.alsfrs_r(0) == 48


def test_what_is_given_changes_nothing_else() -> None:
    drawn, given = subject("patient"), subject("patient", iron=40.0)
    assert given.iron == 40 and given.atrophy == drawn.atrophy and given.age == drawn.age
    assert given.hemispheres == drawn.hemispheres
    thin = subject("patient", atrophy=0.8)
    for side in ("left", "right"):
        lost = drawn.hemispheres[side].anatomy.thickness - thin.hemispheres[side].anatomy.thickness
        assert lost == pytest.approx(0.8 - drawn.atrophy)
        # The sulcus gains what M1 loses.
        gained = thin.hemispheres[side].anatomy.gap - drawn.hemispheres[side].anatomy.gap
        assert gained == pytest.approx(lost)


def test_disease_grows_between_exams() -> None:
    first, later = subject("patient"), subject("patient", days=365)
    grown = 1 + 365 / first.clinic.onset_days
    assert later.iron == pytest.approx(grown * first.iron)
    assert later.hemispheres["left"].anatomy.thickness < first.hemispheres["left"].anatomy.thickness
    assert later.clinic == first.clinic
    well = subject("control")
    assert subject("control", days=365).iron == well.iron
    assert subject("control", days=365).hemispheres == well.hemispheres


def test_extreme_atrophy_leaves_some_cortex() -> None:
    assert subject("patient", atrophy=9.0).hemispheres["left"].anatomy.thickness > 1.2


def test_veins_fit_into_the_sulcus() -> None:
    for one in many("patient")[:30]:
        for side in one.hemispheres.values():
            for vein in side.veins:
                width = side.anatomy.gap_width(np.array([vein.along]))[0]
                assert 0.2 < vein.radius <= width / 2
