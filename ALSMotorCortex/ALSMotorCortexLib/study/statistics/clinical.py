"""Clinical numbers of ALS, and which limb belongs to which hemisphere."""

from __future__ import annotations

import math
import re
from datetime import date

FULL_SCORE = 48
"""The best ALSFRS-R: twelve items of 0 to 4 (Cedarbaum et al., J Neurol Sci 1999, 169:13)."""

DAYS_PER_MONTH = 365.25 / 12

LIMBS = ("left_arm", "right_arm", "left_leg", "right_leg")

PARTS = {"arm": "hand", "leg": "foot"}
"""The part of M1 that moves a limb."""

OPPOSITE = {"left": "right", "right": "left"}


def months_between(start: date, end: date) -> float:
    """Time in months of 365.25 / 12 days."""
    return (end - start).days / DAYS_PER_MONTH


def progression_rate(alsfrs_r: float, onset: date, exam: date) -> float:
    """Points of ALSFRS-R lost each month since onset: (48 - ALSFRS-R) / months.

    Source: Kimura et al., Neurology 2006, 66:265 (there called delta FS, at diagnosis).

    Returns:
        NaN where the exam is not after the onset.
    """
    months = months_between(onset, exam)
    return (FULL_SCORE - alsfrs_r) / months if months > 0 else math.nan


def side_of(region: str) -> str:
    """``left`` or ``right`` where a region's name has one of these words, else empty."""
    found = [word for word in _words(region) if word in OPPOSITE]
    return found[0] if len(found) == 1 else ""


def part_of(region: str) -> str:
    """``foot``, ``hand`` or ``face`` where a region's name has one of these words, else empty."""
    found = [word for word in _words(region) if word in ("foot", "hand", "face")]
    return found[0] if len(found) == 1 else ""


def moves(region: str, limb: str) -> bool:
    """Whether a region of M1 may move a limb: it lies on the other side of the body.

    The tract crosses, so a right limb goes with the left M1. A region that is one part of M1
    goes with that part's limb only; one that is a whole side goes with both.

    Args:
        region: its name, for example ``left_hand`` or ``M1-left``.
        limb: one of :data:`LIMBS`.
    """
    side, kind = limb.split("_")
    return side_of(region) == OPPOSITE[side] and part_of(region) in ("", PARTS[kind])


def _words(name: str) -> list[str]:
    return re.split(r"[^a-z0-9]+", name.lower())
