"""Depth bins, columns and laminar profiles with their confidence band."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.testing import assert_allclose, assert_array_equal
from numpy.typing import NDArray

from ALSMotorCortexLib.cortex.profiles import depth_bins, find_columns, laminar_profiles
from ALSMotorCortexLib.cortex.result import RIBBON, ProfileBin
from known_ribbons import SETTINGS

depths = hnp.arrays(
    np.float32,
    st.integers(1, 60),
    elements=st.one_of(st.floats(0, 1, width=32), st.just(np.float32(np.nan))),
)


@given(depths, st.integers(1, 40))
def test_every_known_depth_has_one_bin_that_holds_it(depth, bins: int) -> None:
    number = depth_bins(depth, bins)
    known = np.isfinite(depth)
    assert_array_equal(number > 0, known)
    assert number.max() <= bins
    inside = number[known]
    assert ((inside - 1) / bins <= depth[known] + 1e-6).all()
    assert (depth[known] <= inside / bins + 1e-6).all()
    order = np.argsort(depth[known])
    assert (np.diff(inside[order]) >= 0).all()


def test_the_ends_of_the_depth_range_are_in_the_end_bins() -> None:
    assert_array_equal(depth_bins(np.array([0, 0.5, 1, np.nan], np.float32), 4), [1, 3, 4, 0])


@given(
    hnp.arrays(
        np.float32, st.tuples(st.integers(1, 40), st.just(3)), elements=st.floats(-50, 50, width=32)
    ),
    st.sampled_from([0.5, 1.0, 2.5]),
)
def test_columns_hold_what_is_together_and_part_what_is_not(middles, width: float) -> None:
    columns = find_columns(middles, width)
    assert_array_equal(np.unique(columns), np.arange(columns.max() + 1))
    apart = np.abs(middles[:, None] - middles).max(axis=2)
    same = columns[:, None] == columns
    assert (apart[same] <= width * (1 + 1e-4)).all()
    assert same[(middles[:, None] == middles).all(axis=2)].all()


def test_voxels_without_a_field_line_have_no_column() -> None:
    middles = np.array([[0, 0, 0], [np.nan, 0, 0], [9, 9, 9]], np.float32)
    assert_array_equal(find_columns(middles, 1.0), [0, -1, 1])
    assert_array_equal(find_columns(middles[1:2], 1.0), [-1])


# Simulated cortex: columns that share a part of their noise, sampled at random depths.


def simulated(
    rng: np.random.Generator, columns: int = 60, voxels: int = 40, noise: float = 1.0
) -> tuple[NDArray, NDArray, NDArray]:
    """Depth, column and value of voxels whose value is :func:`law` of depth plus noise.

    Each column has an offset of its own, as large as the noise of its voxels.
    """
    column = np.repeat(np.arange(columns), voxels)
    depth = rng.uniform(0, 1, len(column)).astype(np.float32)
    own = noise * rng.normal(size=columns)[column]
    value = law(depth) + own + noise * rng.normal(size=len(column))
    return depth, column.astype(np.int32), value.astype(np.float32)


def law(depth: NDArray) -> NDArray:
    return 40 - 12 * depth + 6 * np.sin(4 * depth)


def true_mean(row: ProfileBin) -> float:
    """Mean of the law within a bin."""
    return float(law(np.linspace(row.depth_from, row.depth_to, 2001)).mean())


def profiles(depth, columns, values, regions=None, **changes) -> list[ProfileBin]:
    regions = regions or {RIBBON: np.ones(len(depth), bool)}
    return laminar_profiles(depth, columns, values, regions, SETTINGS.with_values(changes))


def test_a_known_function_of_depth_is_found_in_every_bin() -> None:
    depth, columns, value = simulated(np.random.default_rng(0), 200, 400, noise=0.0)
    rows = profiles(depth, columns, {"t2star": value}, bins=20)
    assert [r.bin for r in rows] == list(range(1, 21))
    assert_allclose([r.depth_from for r in rows], np.arange(20) / 20)
    assert_allclose([r.depth_to for r in rows], np.arange(1, 21) / 20)
    assert_allclose([r.mean for r in rows], [true_mean(r) for r in rows], atol=0.02)


def test_each_bins_numbers_are_those_of_its_voxels() -> None:
    rng = np.random.default_rng(1)
    depth, columns, value = simulated(rng)
    depth[::7], value[::5], value[3] = np.nan, np.nan, np.inf
    inside = rng.random(len(depth)) < 0.5
    rows = profiles(
        depth, columns, {"a": value, "b": -value}, {"foot": inside, "hand": ~inside}, bins=8
    )
    assert len(rows) == 2 * 2 * 8
    for row in rows:
        region = inside if row.region == "foot" else ~inside
        used = region & (depth >= row.depth_from) & (depth < row.depth_to) & np.isfinite(value)
        part = value[used].astype(float) * (1 if row.map == "a" else -1)
        assert row.n == len(part)
        assert row.mean == pytest.approx(part.mean())
        assert row.sd == pytest.approx(part.std(ddof=1))
        quartiles = np.quantile(part, [0.25, 0.5, 0.75])
        assert_allclose([row.q25, row.median, row.q75], quartiles, rtol=1e-6)
        assert row.ci_low < row.mean < row.ci_high
    counted = np.isfinite(depth) & np.isfinite(value)
    assert sum(r.n for r in rows if r.map == "a") == np.count_nonzero(counted)


def test_empty_bins_and_single_voxels_have_no_spread() -> None:
    depth = np.array([0.1, 0.15, 0.9], np.float32)
    columns = np.array([0, 1, 1], np.int32)
    value = np.array([1, 3, 7], np.float32)
    low, middle, high = profiles(depth, columns, {"m": value}, bins=3)
    assert (low.n, middle.n, high.n) == (2, 0, 1)
    assert (low.mean, high.mean, high.median) == (2, 7, 7)
    assert np.isnan([middle.mean, middle.median, middle.sd, middle.ci_low, high.sd]).all()


@pytest.mark.parametrize("changes, columns", [({"bootstrap": 0}, [0, 1]), ({}, [4, 4])])
def test_no_band_without_resampling_or_with_one_column(changes, columns) -> None:
    depth = np.array([0.1, 0.2], np.float32)
    (row,) = profiles(depth, np.array(columns, np.int32), {"m": depth}, bins=1, **changes)
    assert row.n == 2 and np.isnan([row.ci_low, row.ci_high]).all()


def test_the_band_is_the_same_for_the_same_seed_only() -> None:
    depth, columns, value = simulated(np.random.default_rng(2))
    one, again = (profiles(depth, columns, {"m": value}, seed=5) for _ in range(2))
    other = profiles(depth, columns, {"m": value}, seed=6)
    assert one == again
    assert all(a.mean == b.mean for a, b in zip(one, other, strict=True))
    assert any(a.ci_low != b.ci_low for a, b in zip(one, other, strict=True))


@pytest.mark.parametrize("confidence", [0.95, 0.7])
def test_the_band_covers_the_truth_about_as_often_as_it_says(confidence: float) -> None:
    rng = np.random.default_rng(3)
    trials, covered = 200, 0
    for _ in range(trials):
        depth, columns, value = simulated(rng)
        rows = profiles(depth, columns, {"m": value}, bins=4, bootstrap=300, confidence=confidence)
        covered += sum(r.ci_low <= true_mean(r) <= r.ci_high for r in rows)
    # Bins of one trial share their columns' offsets, so count trials, not bins: five standard
    # errors, and up to 2 % that a percentile bootstrap of 60 columns falls short by.
    error = 5 * np.sqrt(confidence * (1 - confidence) / trials)
    share = covered / (4 * trials)
    assert confidence - 0.02 - error < share < confidence + error


def test_drawing_voxels_as_if_independent_would_give_too_narrow_a_band() -> None:
    depth, columns, value = simulated(np.random.default_rng(4), noise=5.0)
    by_column = profiles(depth, columns, {"m": value}, bins=4)
    by_voxel = profiles(depth, np.arange(len(depth), dtype=np.int32), {"m": value}, bins=4)
    for wide, narrow in zip(by_column, by_voxel, strict=True):
        assert wide.ci_high - wide.ci_low > 1.5 * (narrow.ci_high - narrow.ci_low)


def test_the_band_widens_with_the_confidence() -> None:
    depth, columns, value = simulated(np.random.default_rng(5))
    wide = profiles(depth, columns, {"m": value}, bins=4, confidence=0.99)
    narrow = profiles(depth, columns, {"m": value}, bins=4, confidence=0.5)
    for w, n in zip(wide, narrow, strict=True):
        assert w.ci_low < n.ci_low < n.ci_high < w.ci_high
