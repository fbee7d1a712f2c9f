"""Single numbers: each formula against numpy on voxels of known truth."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ALSMotorCortexLib.cortex.indices import (
    Voxels,
    asymmetry_measures,
    geometry_measures,
    layer_map,
    map_measures,
    profile_peak,
)
from ALSMotorCortexLib.cortex.profiles import laminar_profiles
from ALSMotorCortexLib.cortex.result import RIBBON, Measure, ProfileBin
from known_ribbons import SETTINGS

N = 600


def voxels(seed: int = 0, missing: int = 40) -> tuple[Voxels, np.ndarray]:
    """Random voxels, some without a field line, and their depth."""
    rng = np.random.default_rng(seed)
    thickness = rng.uniform(1.5, 4, N).astype(np.float32)
    depth = rng.uniform(0, 1, N).astype(np.float32)
    thickness[:missing], depth[:missing] = np.nan, np.nan
    return Voxels(thickness, depth, layer_map(depth, 3), 0.03, 3), depth


def table(measures: list[Measure], region: str = RIBBON) -> dict[str, float]:
    return {m.measure: m.value for m in measures if m.region == region}


def halves() -> dict[str, np.ndarray]:
    return {RIBBON: np.ones(N, bool), "foot": np.arange(N) % 2 == 0}


def test_thickness_numbers() -> None:
    shape, _ = voxels()
    regions = halves()
    measures = geometry_measures(shape, regions)
    for region, inside in regions.items():
        thickness = shape.thickness[inside].astype(float)
        known = thickness[np.isfinite(thickness)]
        found = table(measures, region)
        assert found["thickness_mean"] == pytest.approx(known.mean())
        assert found["thickness_median"] == pytest.approx(np.median(known))
        assert found["thickness_sd"] == pytest.approx(known.std(ddof=1))
        assert found["thickness_p05"] == pytest.approx(np.quantile(known, 0.05))
        assert found["thickness_p95"] == pytest.approx(np.quantile(known, 0.95))
        assert found["thickness_per_area"] == pytest.approx(len(known) / (1 / known).sum())
        assert found["ribbon_volume"] == pytest.approx(0.03 * len(known))
        assert found["measured_share"] == pytest.approx(len(known) / inside.sum())


def test_units_are_given_with_every_number() -> None:
    shape, depth = voxels()
    regions = {RIBBON: np.ones(N, bool)}
    units = {m.measure: m.unit for m in geometry_measures(shape, regions)}
    assert units.pop("measured_share") == "1"
    assert units.pop("ribbon_volume") == "mm3"
    assert units.pop("mid_surface_area") == "mm2"
    assert set(units.values()) == {"mm"}
    neighbours = {"m": {"white_matter": 3.0, "csf": 9.0}}
    rows = map_measures(shape, regions, {"m": depth}, {"m": "ms"}, [], neighbours)
    units = {m.measure: m.unit for m in rows}
    ratios = {k for k, u in units.items() if u == "1"}
    assert ratios == {"deep_hypointensity", "profile_minimum_depth"}
    assert units["signal_thickness_ratio"] == "1/mm"
    assert all(u == "ms" for k, u in units.items() if k not in ratios | {"signal_thickness_ratio"})


def columns_of_two_thicknesses() -> Voxels:
    """A sheet of 50 mm2 that is 2 mm thick and one of 30 mm2 that is 4 mm thick."""
    step, patch = 0.1, 1.0
    depths, thickness = [], []
    for count, height in ((50, 2.0), (30, 4.0)):
        through = np.arange(round(height / step))
        depths.append(np.tile((through + 0.5) * step / height, count))
        thickness.append(np.full(count * len(through), height))
    depth = np.concatenate(depths).astype(np.float32)
    return Voxels(np.concatenate(thickness), depth, layer_map(depth, 3), patch * step, 3)


def test_area_and_the_mean_over_area_of_a_sheet_of_two_thicknesses() -> None:
    sheet = columns_of_two_thicknesses()
    found = table(geometry_measures(sheet, {RIBBON: np.ones(len(sheet.thickness), bool)}))
    assert found["ribbon_volume"] == pytest.approx(50 * 2 + 30 * 4)
    # Bins of depth hold whole voxels: 6 or 8 of 20 and 12 or 14 of 40 for a third.
    assert found["mid_surface_area"] == pytest.approx(80, rel=0.12)
    assert found["thickness_per_area"] == pytest.approx((50 * 2 + 30 * 4) / 80)
    # The mean over voxels counts thick columns more.
    assert found["thickness_mean"] == pytest.approx((100 * 2 + 120 * 4) / 220)


@pytest.mark.parametrize("inner, outer", [(5.0, 8.0), (3.0, 5.5)])
def test_area_of_a_sphere_is_that_of_its_middle(inner: float, outer: float) -> None:
    rng = np.random.default_rng(0)
    radius = np.linalg.norm(rng.uniform(-outer, outer, (400_000, 3)), axis=1)
    radius = radius[(radius > inner) & (radius < outer)]
    depth = ((outer - radius) / (outer - inner)).astype(np.float32)
    shell = Voxels(
        np.full(len(depth), outer - inner),
        depth,
        layer_map(depth, 3),
        (2 * outer) ** 3 / 400_000,
        3,
    )
    found = table(geometry_measures(shell, {RIBBON: np.ones(len(depth), bool)}))
    assert found["mid_surface_area"] == pytest.approx(np.pi * (inner + outer) ** 2, rel=0.02)
    assert found["ribbon_volume"] == pytest.approx(4 / 3 * np.pi * (outer**3 - inner**3), rel=0.01)


def test_a_region_without_any_measured_voxel_has_no_numbers() -> None:
    shape, depth = voxels(missing=10)
    regions = {"lost": np.arange(N) < 10}
    found = table(geometry_measures(shape, regions), "lost")
    assert found.pop("measured_share") == 0
    assert found.pop("ribbon_volume") == found.pop("mid_surface_area") == 0
    assert np.isnan(list(found.values())).all()
    found = table(map_measures(shape, regions, {"m": depth}, {}, [], {}), "lost")
    assert np.isnan(list(found.values())).all()


def test_map_numbers() -> None:
    shape, depth = voxels()
    value = np.random.default_rng(1).uniform(10, 50, N).astype(np.float32)
    value[100:150] = np.nan
    regions = halves()
    settings = SETTINGS.with_values({"bins": 10, "bootstrap": 0})
    columns = np.zeros(N, np.int32)
    rows = laminar_profiles(depth, columns, {"m": value}, regions, settings)
    neighbours = {"m": {"white_matter": 12.0, "csf": 70.0}}
    measures = map_measures(shape, regions, {"m": value}, {"m": "ms"}, rows, neighbours)
    for region, inside in regions.items():
        used = inside & np.isfinite(value) & np.isfinite(depth)
        means = [
            value[used & (depth >= k / 3) & (depth < (k + 1) / 3)].astype(float).mean()
            for k in range(3)
        ]
        found = table(measures, region)
        assert found["mean"] == pytest.approx(value[used].astype(float).mean())
        assert [found[f"layer_{k}_mean"] for k in (1, 2, 3)] == pytest.approx(means)
        deep = 1 - means[2] / means[0]
        assert found["deep_hypointensity"] == pytest.approx(deep)
        known = inside & np.isfinite(shape.thickness)
        thickness = shape.thickness[known].astype(float).mean()
        assert found["signal_thickness_ratio"] == pytest.approx(
            (1 - means[2] / means[0]) / thickness
        )
        assert found["minus_white_matter"] == pytest.approx(found["mean"] - 12)
        assert found["minus_csf"] == pytest.approx(found["mean"] - 70)
        own = [r for r in rows if r.region == region]
        assert (found["profile_minimum"], found["profile_minimum_depth"]) == profile_peak(own)


def test_there_is_no_difference_from_tissue_that_is_not_there() -> None:
    shape, depth = voxels()
    rows = map_measures(shape, halves(), {"m": depth}, {}, [], {"m": {"csf": 1.0}})
    assert "minus_csf" in table(rows) and "minus_white_matter" not in table(rows)


def test_a_dark_deep_layer_is_hypointense() -> None:
    shape, _ = voxels()
    value = np.array([np.nan, 40, 35, 30], np.float32)[shape.layers]
    found = table(map_measures(shape, {RIBBON: np.ones(N, bool)}, {"m": value}, {}, [], {}))
    assert found["deep_hypointensity"] == pytest.approx(0.25)
    value[shape.layers == 1] = 0
    found = table(map_measures(shape, {RIBBON: np.ones(N, bool)}, {"m": value}, {}, [], {}))
    assert np.isnan(found["deep_hypointensity"]) and np.isnan(found["signal_thickness_ratio"])


def test_where_iron_is_bright_a_bright_deep_layer_counts_as_hypointense() -> None:
    """R2* is the reciprocal of T2*: the same iron gives both indices the same sign."""
    shape, _ = voxels()
    inside = {RIBBON: np.ones(N, bool)}
    t2star = np.array([np.nan, 40, 35, 30], np.float32)[shape.layers]
    bins = [profile([40.0, 35, 30, 33]), profile([25.0, 28.6, 33.3, 30.3])]
    both = {"dark": t2star, "bright": 1000 / t2star}
    rows = [ProfileBin(**{**vars(b), "map": n}) for n, own in zip(both, bins, strict=True)
            for b in own]  # fmt: skip
    units = {"dark": "ms", "bright": "1/s"}
    measures = map_measures(shape, inside, both, units, rows, {}, {"bright": "bright"})
    found = {n: {m.measure: m for m in measures if m.map == n} for n in both}
    deep = {n: found[n]["deep_hypointensity"].value for n in both}
    assert deep["dark"] == pytest.approx(1 - 30 / 40)
    assert deep["bright"] == pytest.approx(40 / 30 - 1)
    difference = found["bright"]["deep_minus_superficial"]
    assert difference.value == pytest.approx(1000 / 30 - 1000 / 40) and difference.unit == "1/s"
    assert found["dark"]["deep_minus_superficial"].value == pytest.approx(-10)
    assert "profile_minimum" not in found["bright"] and "profile_maximum" not in found["dark"]
    # The peak of iron lies at about the same depth in both.
    peaks = [found["dark"]["profile_minimum_depth"], found["bright"]["profile_maximum_depth"]]
    assert peaks[0].value == pytest.approx(peaks[1].value, abs=0.02)
    assert found["bright"]["profile_maximum"].value > 33.3
    assert found["bright"]["profile_maximum"].unit == "1/s"


@given(
    st.floats(-0.1, 0.1).filter(lambda v: abs(v) > 1e-3),
    st.floats(-0.1, 0.1),
)
def test_the_sign_of_deep_hypointensity_does_not_depend_on_the_zero_of_a_map(
    superficial: float, deep: float
) -> None:
    """More iron deep is above zero for values on either side of zero, in maps of either sign."""
    shape, _ = voxels(missing=0)
    value = np.array([np.nan, superficial, 0.0, deep], np.float32)[shape.layers]
    inside = {RIBBON: np.ones(N, bool)}
    both = {"bright": value, "dark": -value}
    rows = map_measures(shape, inside, both, {}, [], {}, {"bright": "bright", "dark": "dark"})
    found = {m.map: m.value for m in rows if m.measure == "deep_hypointensity"}
    assert found["bright"] == found["dark"]
    assert np.sign(found["bright"]) == np.sign(np.float32(deep) - np.float32(superficial))


def profile(means: list[float]) -> list[ProfileBin]:
    n = len(means)
    return [
        ProfileBin(RIBBON, "m", b + 1, b / n, (b + 1) / n, 9, m, m, 1, m, m, m, m)
        for b, m in enumerate(means)
    ]


@given(st.floats(0.12, 0.88), st.floats(-50, 50), st.floats(0.1, 30))
def test_the_minimum_of_a_parabola_is_its_vertex(depth: float, value: float, bend: float) -> None:
    middles = (np.arange(20) + 0.5) / 20
    lowest, where = profile_peak(profile(list(value + bend * (middles - depth) ** 2)))
    assert where == pytest.approx(depth, abs=1e-6)
    assert lowest == pytest.approx(value, abs=1e-6)
    highest, where = profile_peak(profile(list(value - bend * (middles - depth) ** 2)), bright=True)
    assert where == pytest.approx(depth, abs=1e-6)
    assert highest == pytest.approx(value, abs=1e-6)


@pytest.mark.parametrize(
    "means, expected",
    [
        ([1.0, 2, 3, 4], (1.0, 0.125)),
        ([4.0, 3, 2, 1], (1.0, 0.875)),
        ([4.0, np.nan, 2, 3], (2.0, 0.625)),
        ([5.0, 5, 5, 5], (5.0, 0.125)),
        ([2.0, 1, 1, 2], (0.875, 0.5)),
    ],
)
def test_the_minimum_at_an_end_or_beside_an_empty_bin_is_the_bin(means, expected) -> None:
    assert profile_peak(profile(means)) == pytest.approx(expected)


def test_no_profile_no_minimum() -> None:
    assert np.isnan(profile_peak(profile([np.nan] * 3))).all()
    assert np.isnan(profile_peak([])).all()


def test_asymmetry_of_pairs_by_name() -> None:
    def rows(region: str, mean: float, map_name: str = "") -> list[Measure]:
        name = "mean" if map_name else "thickness_mean"
        return [Measure(region, map_name, name, mean, "mm")]

    found = asymmetry_measures(
        rows("left", 3.0)
        + rows("right", 2.0)
        + rows("m1_left_hand", 2.0)
        + rows("m1_right_hand", 2.5)
        + rows("left", 30.0, "t2star")
        + rows("right", 20.0, "t2star")
        + rows("left-foot", 3.0)
        + rows("cleft", 1.0)
        + rows("cright", 2.0)
    )
    values = {(m.region, m.map, m.measure): m.value for m in found}
    assert values == pytest.approx(
        {
            ("left - right", "", "asymmetry_thickness_mean"): 1 / 2.5,
            ("left - right", "t2star", "asymmetry_mean"): 10 / 25,
            ("m1_left_hand - m1_right_hand", "", "asymmetry_thickness_mean"): -0.5 / 2.25,
        }
    )
    assert {m.unit for m in found} == {"1"}


def test_swapping_the_sides_turns_the_asymmetry_round() -> None:
    def asymmetry(left: float, right: float) -> float:
        sides = (("left", left), ("right", right))
        rows = [Measure(s, "", "thickness_mean", v, "mm") for s, v in sides]
        return asymmetry_measures(rows)[0].value

    assert asymmetry(3.0, 2.0) == pytest.approx(-asymmetry(2.0, 3.0))
    assert np.isnan(asymmetry(np.nan, 2.0))


@given(st.integers(1, 250), st.floats(0, 1, width=32))
def test_layers_are_counted_from_the_pial_surface(layers: int, depth: float) -> None:
    (found,) = layer_map(np.array([depth], np.float32), layers)
    assert found.dtype == np.uint8
    assert (found - 1) / layers <= depth + 1e-6 and depth <= found / layers + 1e-6
