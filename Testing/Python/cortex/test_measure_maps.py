"""Layers, columns, regions and maps of the whole measurement."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from ALSMotorCortexLib.cortex.grid import Grid, Image
from ALSMotorCortexLib.cortex.measure import measure
from ALSMotorCortexLib.cortex.result import RIBBON
from ALSMotorCortexLib.cortex.shapes import GM, WM
from known_ribbons import (
    COARSE,
    ISO,
    SETTINGS,
    cap,
    flat,
    ramp_on,
    rearranged,
    tube,
    turned,
)


@pytest.mark.parametrize("kind", ["equivolume", "equidistant"])
def test_layers_and_profiles_follow_the_chosen_depth(kind: str) -> None:
    phantom, base = cap()
    painted = np.nan_to_num(getattr(phantom, f"depth_{kind}"), nan=-9.0)
    chosen = SETTINGS.with_values({"layer_depth": kind, "layers": 4, "bins": 5, "bootstrap": 50})
    measured = measure(phantom.labels, chosen, maps={"d": Image(painted, phantom.grid)})
    depth = getattr(measured, f"depth_{kind}")
    assert_array_equal(measured.layers, np.minimum((depth * 4).astype(int), 3) + 1)
    rows = [r for r in measured.profiles if r.map == "d"]
    assert sum(r.n for r in rows) == len(measured.voxels)
    middles = [(r.depth_from + r.depth_to) / 2 for r in rows]
    assert_allclose([r.mean for r in rows], middles, atol=0.03)
    assert all(r.ci_low <= r.mean <= r.ci_high for r in rows)
    assert_array_equal(base.thickness, measured.thickness)


def test_columns_span_the_cortex_and_are_as_wide_as_asked() -> None:
    labels, _ = tube(12, ISO)
    measured = measure(labels, SETTINGS.with_values({"column_mm": 1.0}))
    assert measured.columns.min() == 0
    depth = measured.depth_equidistant
    spans = [np.ptp(depth[measured.columns == c]) for c in range(measured.columns.max() + 1)]
    assert np.median(spans) > 0.7
    area = measured.value("mid_surface_area")
    assert 0.5 * area < measured.columns.max() + 1 < 2.5 * area


def test_maps_on_other_grids_are_brought_along_and_said_so() -> None:
    phantom, _ = cap()
    grid = turned(phantom.grid, (15, 5, -20), (3, 4, 5))
    labels = Image(phantom.labels.array, grid)
    wide = turned(Grid.from_spacing((40, 50, 60), (0.7, 0.6, 0.5)), (40, 0, 0), (0, 0, 0))
    middle = grid.ras((np.array([grid.shape]) - 1) / 2)[0]
    wide = turned(wide, (0, 0, 0), tuple(middle - wide.ras(np.array([[19.5, 24.5, 29.5]]))[0]))
    maps = {"same": ramp_on(grid), "other": ramp_on(wide)}
    measured = measure(labels, SETTINGS, maps=maps, units={"same": "ms"})
    truth = ramp_on(grid).array.reshape(-1)[measured.voxels]
    assert_allclose(measured.values["same"], truth, rtol=1e-6)
    assert_allclose(measured.values["other"], truth, rtol=1e-5)
    (finding,) = [f for f in measured.findings if f.code == "map_resampled"]
    assert "Map other (0.5 x 0.6 x 0.7 mm)" in finding.message
    assert "linear interpolation" in finding.message
    assert {m.unit for m in measured.measures if (m.map, m.measure) == ("same", "mean")} == {"ms"}


def test_missing_map_values_are_left_out_and_counted() -> None:
    phantom, base = cap()
    field = ramp_on(phantom.grid)
    bad = base.voxels[::10]
    field.array.reshape(-1)[bad[::2]], field.array.reshape(-1)[bad[1::2]] = np.nan, np.inf
    measured = measure(phantom.labels, SETTINGS, maps={"ramp": field})
    (finding,) = [f for f in measured.findings if f.code == "map_without_values"]
    assert f"{len(bad)} of {len(base.voxels)} gray-matter voxels" in finding.message
    assert finding.warning
    good = np.delete(np.arange(len(base.voxels)), np.s_[::10])
    assert sum(r.n for r in measured.profiles) == len(good)
    truth = ramp_on(phantom.grid).array.reshape(-1)[base.voxels[good]].mean()
    assert measured.value("mean", map="ramp") == pytest.approx(truth, rel=1e-5)


def test_regions_on_other_grids_and_their_own_numbers() -> None:
    phantom, base = cap()
    middle = phantom.grid.shape[2] // 2
    half = np.zeros(phantom.grid.shape, np.uint8)
    half[:, :, :middle] = 7
    stored = rearranged(Image(half, phantom.grid), (2, 0, 1), (0,))
    field = ramp_on(phantom.grid)
    measured = measure(phantom.labels, SETTINGS, {"ramp": field}, {"foot": stored})
    inside = np.unravel_index(base.voxels, phantom.grid.shape)[2] < middle
    assert_array_equal(measured.regions["foot"], inside)
    assert measured.regions[RIBBON].all()
    mean = base.thickness[inside].astype(float).mean()
    assert measured.value("thickness_mean", "foot") == pytest.approx(mean, rel=1e-6)
    rows = [r for r in measured.profiles if r.region == "foot"]
    assert sum(r.n for r in rows) == inside.sum()


def test_hemispheres_are_told_by_their_side_of_the_midline() -> None:
    one = flat((6, 24, 10), 8, 8).array
    gap = np.zeros((6, 24, 12), np.uint8)
    array = np.concatenate([one, gap, one[:, :, :6]], axis=2)
    grid = Grid.from_spacing(array.shape, (1, 1, 1))
    centred = turned(grid, (0, 0, 0), (-15.5, 0, 0))
    field = np.where(np.arange(28) < 14, 30.0, 20.0) * np.ones(array.shape)
    measured = measure(Image(array, centred), SETTINGS, {"m": Image(field, centred)})
    x = np.unravel_index(measured.voxels, array.shape)[2] - 15.5
    assert_array_equal(measured.regions["left"], x < 0)
    assert_array_equal(measured.regions["right"], x > 0)
    found = measured.value("asymmetry_mean", "left - right", "m")
    assert found == pytest.approx((30 - 20) / 25, rel=1e-6)
    # One that lies all on one side, or crosses the midline, is one.
    for shift in (0.0, -5.0):
        moved = Image(array, turned(grid, (0, 0, 0), (shift, 0, 0)))
        assert set(measure(moved, SETTINGS).regions) == {RIBBON}
    # The user's own region of that name goes first.
    own = Image((array > 0).astype(np.uint8), centred)
    named = measure(Image(array, centred), SETTINGS, regions={"left": own})
    assert set(named.regions) == {RIBBON, "left"} and named.regions["left"].all()


def test_references_divide_every_value() -> None:
    labels = flat((8, 26, 8), 10, 6, COARSE)
    field = np.select([labels.array == WM, labels.array == GM], [20.0, 50.0], 80.0)
    maps = {"t2star": Image(field, labels.grid)}
    mask = Image((np.indices(field.shape)[0] < 4).astype(np.uint8), labels.grid)
    for reference, scale in (("none", 1), ("white_matter", 20), ("csf", 80), ("region:a", 50)):
        chosen = SETTINGS.with_values({"reference": reference})
        measured = measure(labels, chosen, maps, {"a": mask}, {"t2star": "ms"})
        assert measured.value("mean", map="t2star") == pytest.approx(50 / scale)
        assert measured.value("minus_csf", map="t2star") == pytest.approx(-30 / scale)
        means = [r.mean for r in measured.profiles if r.n]
        assert means == pytest.approx([50 / scale] * len(means))
        assert measured.units["t2star"] == ("ms" if reference == "none" else "1")
