"""Correlations: patients only, limbs with the opposite hemisphere."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from ALSMotorCortexLib.study.group_correlation import ScoreCorrelation, correlate
from ALSMotorCortexLib.study.group_data import GroupData, join
from ALSMotorCortexLib.study.measures import Key, read_measures
from ALSMotorCortexLib.study.participants import read_participants
from simulated_study import SimulatedStudy


def correlated(
    folder: Path, study: SimulatedStudy
) -> tuple[GroupData, dict[tuple[str, Key], ScoreCorrelation]]:
    study.write(folder)
    measures = read_measures([folder / "measures.tsv"])
    data = join(measures, read_participants(folder / "participants.tsv"), measures.keys())
    return data, {(row.score, row.key): row for row in correlate(data)}


def test_a_limb_goes_with_the_opposite_side_and_its_truth_is_found(tmp_path: Path) -> None:
    _, rows = correlated(tmp_path, SimulatedStudy(patients=20))
    regions = {
        score: {key.region for s, key in rows if s == score} for score in {s for s, _ in rows}
    }
    assert regions["umn_score_left_arm"] == {"right_hand"}
    assert regions["umn_score_right_arm"] == {"left_hand"}
    assert regions["umn_score"] == {"ribbon", "left_hand", "right_hand"}
    for limb, region in (("left", "right_hand"), ("right", "left_hand")):
        row = rows[f"umn_score_{limb}_arm", Key(region, "", "thickness_mean")]
        assert row.spearman.r.value < -0.6, "the simulated score thins the opposite hand area"


def test_only_patients_count_and_missing_ones_are_counted(tmp_path: Path) -> None:
    study = SimulatedStudy()
    for label in study.labels:
        study.set(label, "alsfrs_r", 30 + len(label) + study.labels.index(label) % 7)
    study.set("P05", "alsfrs_r", "n/a")
    _, rows = correlated(tmp_path, study)
    row = rows["alsfrs_r", Key("ribbon", "", "thickness_mean")]
    assert (row.pearson.n, row.missing, len(row.x)) == (11, 1, 11)
    own = [r for r in study.measures if r[1] == "ribbon" and r[5] == "mm" and r[0][0] == "P"]
    scores = [r[7] for r in study.participants[1:] if r[0][0] == "P"]
    kept = [i for i, s in enumerate(scores) if s != "n/a"]
    expected = stats.spearmanr([scores[i] for i in kept], [own[i][4] for i in kept])
    assert row.spearman.r.value == pytest.approx(expected.statistic)
    assert row.partial is not None and row.held == ("age", "sex")


def test_constant_and_rare_scores_are_told(tmp_path: Path) -> None:
    study = SimulatedStudy()
    for i in range(12):
        study.set(f"P{i:02d}", "alsfrs_r", 40)
        study.set(f"P{i:02d}", "umn_score", "n/a" if i > 2 else i)
        study.set(f"P{i:02d}", "onset_date", "n/a")
    data, rows = correlated(tmp_path, study)
    assert not {s for s, _ in rows} & {"alsfrs_r", "umn_score"}
    reasons = [o.reason for o in data.omissions if o.kind == "correlation"]
    assert "alsfrs_r is the same in all patients who have both." in reasons
    assert "3 patients have both; 4 are needed." in reasons


def test_limb_scores_without_a_region_for_them_are_told(tmp_path: Path) -> None:
    study = SimulatedStudy()
    study.measures = [r for r in study.measures if r[1] in ("region", "ribbon")]
    data, rows = correlated(tmp_path, study)
    assert not any(score.startswith("umn_score_") for score, _ in rows)
    told = {o.item for o in data.omissions if "side of M1" in o.reason}
    assert told == {"umn_score_left_arm", "umn_score_right_arm"}


def test_controls_alone_have_no_correlations(tmp_path: Path) -> None:
    _, rows = correlated(tmp_path, SimulatedStudy(patients=0))
    assert not rows


def test_q_are_over_all_pairs(tmp_path: Path) -> None:
    _, rows = correlated(tmp_path, SimulatedStudy())
    p = np.array([row.spearman.p for row in rows.values()])
    expected = stats.false_discovery_control(p)
    assert [row.spearman_q for row in rows.values()] == pytest.approx(expected)
