"""Progression rate by hand, and which limb goes with which region."""

from __future__ import annotations

import math
from datetime import date

import pytest

from ALSMotorCortexLib.study.statistics import clinical


def test_progression_rate_by_hand() -> None:
    """Twelve points in 487 days, which are 16 months of 365.25 / 12 days."""
    rate = clinical.progression_rate(36, date(2020, 1, 1), date(2021, 5, 2))
    assert (date(2021, 5, 2) - date(2020, 1, 1)).days == 487
    assert rate == pytest.approx(12 / 16)
    assert math.isnan(clinical.progression_rate(36, date(2020, 1, 1), date(2020, 1, 1)))


@pytest.mark.parametrize(
    ("region", "limb", "expected"),
    [
        ("left_hand", "right_arm", True),
        ("left_hand", "left_arm", False),
        ("left_hand", "right_leg", False),
        ("right_foot", "left_leg", True),
        ("right_face", "left_leg", False),
        ("M1-left", "right_leg", True),
        ("Left M1", "right_arm", True),
        ("ribbon", "right_arm", False),
        ("leftover", "right_arm", False),
        ("left_hand - right_hand", "right_arm", False),
    ],
)
def test_a_limb_goes_with_the_other_hemisphere(region: str, limb: str, expected: bool) -> None:
    assert clinical.moves(region, limb) is expected
