"""Profiles of both groups: means, bands, and where they differ."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from ALSMotorCortexLib.study.group_data import GroupData, join
from ALSMotorCortexLib.study.group_profiles import GroupProfile, group_profiles
from ALSMotorCortexLib.study.measures import read_measures, read_profiles
from ALSMotorCortexLib.study.participants import read_participants
from simulated_study import SimulatedStudy


def profiled(folder: Path, study: SimulatedStudy) -> tuple[GroupData, dict[str, GroupProfile]]:
    study.write(folder)
    measures = read_measures([folder / "measures.tsv"])
    data = join(measures, read_participants(folder / "participants.tsv"), measures.keys())
    rows = group_profiles(data, read_profiles([folder / "profiles.tsv"]), seed=1)
    return data, {row.region: row for row in rows}


def test_bands_are_t_intervals_over_participants(tmp_path: Path) -> None:
    study = SimulatedStudy()
    _, rows = profiled(tmp_path, study)
    row = rows["ribbon"]
    assert (row.n, row.unit) == ((12, 9), "ms")
    np.testing.assert_allclose(row.edges, np.linspace(0, 1, 6))
    for which, group in enumerate("PC"):
        own = [r for r in study.profiles[1:] if r[0][0] == group and r[1] == "ribbon" and r[3] == 4]
        values = np.array([r[6] for r in own])
        got = (row.patients, row.controls)[which][3]
        interval = stats.ttest_1samp(values, 0).confidence_interval()
        assert got.value == pytest.approx(values.mean())
        assert (got.low, got.high) == pytest.approx((interval.low, interval.high))


def test_the_deep_difference_is_found_where_it_is(tmp_path: Path) -> None:
    """Simulated patients fall by 1.5 more each bin; the first bin does not differ."""
    _, rows = profiled(tmp_path, SimulatedStudy())
    assert rows["ribbon"].p[-1] < 0.001 < 0.05 < rows["ribbon"].p[0]


def test_missing_curves_and_bins_are_counted(tmp_path: Path) -> None:
    study = SimulatedStudy()
    study.profiles = [r for r in study.profiles if r[:2] != ["P00", "ribbon"]]
    next(r for r in study.profiles if r[:2] == ["P01", "ribbon"])[6] = "n/a"
    data, rows = profiled(tmp_path, study)
    row = rows["ribbon"]
    assert row.n == (11, 9) and row.counts[0] == (10, 9) and row.counts[1] == (11, 9)
    told = {(o.n, o.reason) for o in data.omissions if o.kind == "profile"}
    assert (1, "No profile of it.") in told
    assert any("Some depths are missing" in reason for _, reason in told)
    assert np.isfinite(row.p).all()


def test_one_group_has_bands_and_no_p(tmp_path: Path) -> None:
    _, rows = profiled(tmp_path, SimulatedStudy(controls=0))
    assert rows["ribbon"].n == (12, 0)
    assert np.isnan(rows["ribbon"].p).all() and rows["ribbon"].patients[0].known
