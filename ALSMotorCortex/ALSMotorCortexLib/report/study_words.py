"""What measures and clinical scores are called in a study's report."""

from __future__ import annotations

from typing import TYPE_CHECKING

from . import words

if TYPE_CHECKING:
    from ..study.group_comparison import Comparison
    from ..study.group_correlation import ScoreCorrelation
    from ..study.measures import Key


def key_name(key: Key) -> str:
    """A measure in words, with its map, without its region."""
    name = words.term(key.measure).name
    return f"{key.map}: {name[0].lower()}{name[1:]}" if key.map else name


def measure_name(row: Comparison | ScoreCorrelation, with_unit: bool = True) -> str:
    """A measure in words, with its map and unit, without its region."""
    name = key_name(row.key)
    unit = words.unit_name(row.unit)
    return f"{name} ({unit})" if unit and with_unit else name


def unit_of(row: Comparison | ScoreCorrelation) -> str:
    """The unit of an axis; a ratio says so, and a map without a unit says nothing."""
    return "ratio" if row.unit == "1" else words.unit_name(row.unit)


def score_name(score: str) -> str:
    """A clinical score in words."""
    known = {
        "umn_score": "Upper-motor-neuron score",
        "alsfrs_r": "ALSFRS-R",
        "disease_progression_rate": "Progression rate (points/month)",
    }
    if score.startswith("umn_score_"):
        return f"UMN score ({score.removeprefix('umn_score_').replace('_', ' ')})"
    return known.get(score, score)
