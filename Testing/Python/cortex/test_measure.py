"""The whole measurement: known truths, invariances, cut faces, label styles, maps, findings."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from numpy.typing import NDArray

from ALSMotorCortexLib.cortex import folded_sheet, phantoms, shapes
from ALSMotorCortexLib.cortex.errors import Cancelled, InputError
from ALSMotorCortexLib.cortex.grid import Grid, Image
from ALSMotorCortexLib.cortex.measure import measure
from ALSMotorCortexLib.cortex.phantoms import Phantom
from ALSMotorCortexLib.cortex.result import RIBBON, Measurement
from ALSMotorCortexLib.cortex.shapes import CSF, GM, WM
from known_ribbons import (
    AXIAL,
    RIM,
    SETTINGS,
    UPRIGHT,
    errors,
    flat,
    hidden,
    rearranged,
    scrambled,
    tube,
    turned,
)

ISO = (0.25, 0.25, 0.25)
COARSE = (0.5, 0.5, 0.5)
SEVEN_TESLA = (0.32, 0.2, 0.2)
THICK = (1.5, 0.25, 0.25)


# Known truths, against the table of what the product promises


@dataclass(frozen=True)
class Case:
    """A shape on a grid; three of them, each at a place and orientation of its own."""

    shape: shapes.Shape
    spacing: tuple[float, float, float]
    upright: bool = False

    def phantoms(self) -> list[Phantom]:
        rotation = UPRIGHT if self.upright else None
        return [
            phantoms.make(self.shape, self.spacing, np.random.default_rng(seed), rotation, 1.0, 0.8)
            for seed in range(3)
        ]


CASES = {
    "gyral cylinder, 0.25": Case(shapes.Cylinder(4.0, 6.5, True, 3.5, 1.5), ISO),
    "sulcal cylinder, 0.25": Case(shapes.Cylinder(4.0, 6.5, False, 3.5, 1.5), ISO),
    "folded sheet, 0.25": Case(folded_sheet.FoldedSheet(half_length=12.0, half_depth=2.2), ISO),
    "gyral sphere, 0.2 x 0.32": Case(shapes.Sphere(4.0, 6.5, True, 0.8), SEVEN_TESLA),
    "sulcal sphere, 0.2 x 0.32": Case(shapes.Sphere(4.0, 6.5, False, 0.8), SEVEN_TESLA),
    "oblique slab, 0.2 x 0.32": Case(shapes.Slab(2.5, 3.5, 3.5), SEVEN_TESLA),
    "cylinder along thick slices": Case(shapes.Cylinder(5.0, 8.0, True, 6.0), THICK, True),
    "folded sheet, 0.5": Case(folded_sheet.FoldedSheet(half_depth=3.0), COARSE),
    "sulcal sphere, 0.5": Case(shapes.Sphere(8.0, 11.0, False, 0.9), COARSE),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_thickness_and_depth_are_as_good_as_promised(case: Case) -> None:
    found = [errors(measure(p.labels, SETTINGS), p) for p in case.phantoms()]
    assert sum(len(f.thickness) for f in found) > 3000
    assert sum(f.lost for f in found) == 0
    fine = case.spacing != COARSE
    thickness = np.concatenate([f.thickness for f in found])
    assert np.abs(thickness.mean()) < (0.008 if fine else 0.015)
    assert np.abs(thickness).mean() < (0.02 if fine else 0.04)
    for name in ("depth_equidistant", "depth_equivolume"):
        depth = np.concatenate([getattr(f, name) for f in found])
        assert np.abs(depth).mean() < (0.006 if fine else 0.012)


def test_errors_fall_as_voxels_get_smaller() -> None:
    shape = shapes.Sphere(4.0, 6.5, True, 0.8)
    found = []
    for spacing in (0.8, 0.4, 0.2):
        phantom = phantoms.make(shape, (spacing,) * 3, np.random.default_rng(0))
        found.append(errors(measure(phantom.labels, SETTINGS), phantom))
    for name in ("thickness", "depth_equidistant", "depth_equivolume"):
        size = [np.abs(getattr(f, name)).mean() for f in found]
        assert size[1] < 0.7 * size[0] and size[2] < 0.7 * size[1]


@pytest.mark.parametrize("spacing", [SEVEN_TESLA, THICK])
def test_a_sheet_that_faces_the_slices_keeps_its_thickness(spacing) -> None:
    array = np.full((14, 20, 20), CSF, np.uint8)
    array[:9], array[:5] = GM, WM
    measured = measure(Image(array, Grid.from_spacing(array.shape, spacing)), SETTINGS)
    assert_allclose(measured.thickness, 4 * spacing[0], rtol=0.03)


# Invariances


@lru_cache
def cap() -> tuple[Phantom, Measurement]:
    """A part of a sphere on an anisotropic grid."""
    shape = shapes.Sphere(3.5, 6.0, True, 0.7)
    phantom = phantoms.make(shape, SEVEN_TESLA, np.random.default_rng(2), margin_mm=0.6)
    return phantom, measure(phantom.labels, SETTINGS)


PER_VOXEL = ("thickness", "depth_equidistant", "depth_equivolume")
ORDERS = [(0, 1, 2), (2, 0, 1), (1, 0, 2)]
rearrangements = pytest.mark.parametrize(
    "order, flips", [((0, 1, 2), (0,)), ((0, 1, 2), (0, 1, 2)), ((2, 0, 1), ()), ((1, 0, 2), (1,))]
)


def changes(order: tuple[int, int, int], flips: tuple[int, ...]) -> tuple[NDArray, NDArray]:
    """By how much thickness differs at every voxel after a rearrangement, and which voxels are
    away from the sides."""
    phantom, base = cap()
    labels = rearranged(phantom.labels, order, flips)
    measured = measure(labels, SETTINGS)
    expected = Image(base.paint(base.thickness, np.nan), phantom.grid)
    there = rearranged(expected, order, flips).array.reshape(-1)[measured.voxels]
    interior = rearranged(Image(phantom.interior, phantom.grid), order, flips).array
    return np.abs(measured.thickness - there), interior.reshape(-1)[measured.voxels]


@rearrangements
def test_thickness_does_not_depend_on_how_axes_are_stored(order, flips) -> None:
    change, interior = changes(order, flips)
    assert np.isfinite(change).all()
    assert change[interior].mean() < 0.006
    assert change[interior].max() < 0.03


@pytest.mark.parametrize("order", ORDERS[1:])
def test_nor_does_it_at_the_cut_sides(order) -> None:
    change, _ = changes(order, ())
    # Of several labels equally near to a voxel beyond the side, one is taken.
    assert np.quantile(change, 0.99) < 0.03


def test_turning_and_shifting_in_space_changes_nothing() -> None:
    phantom, base = cap()
    grid = turned(phantom.grid, (20, -50, 130), (30, -40, 55))
    measured = measure(Image(phantom.labels.array, grid), SETTINGS)
    for name in PER_VOXEL:
        assert_allclose(getattr(measured, name), getattr(base, name), atol=5e-3)
    # Left and right may come in where the ribbon lands.
    own = [m for m in measured.measures if m.region == RIBBON]
    assert_allclose([m.value for m in own], [m.value for m in base.measures], rtol=1e-3)


def test_mirroring_the_matrix_changes_nothing() -> None:
    phantom, base = cap()
    matrix = phantom.grid.ijk_to_ras @ np.diag([-1.0, 1, 1, 1])
    measured = measure(Image(phantom.labels.array, Grid(phantom.grid.shape, matrix)), SETTINGS)
    for name in PER_VOXEL:
        assert_allclose(getattr(measured, name), getattr(base, name), atol=1e-4)


def test_scaling_the_spacing_scales_lengths_areas_and_volumes() -> None:
    phantom, base = cap()
    grid = Grid.from_spacing(phantom.grid.shape, tuple(3 * s for s in SEVEN_TESLA))
    measured = measure(Image(phantom.labels.array, grid), SETTINGS)
    interior = phantom.interior.reshape(-1)[base.voxels]
    for name, factor in (("thickness", 3), ("depth_equidistant", 1), ("depth_equivolume", 1)):
        change = np.abs(getattr(measured, name) / factor - getattr(base, name))
        # Steps along field lines are chosen in mm, which is felt most at the cut sides.
        assert change[interior].mean() < 0.002 and change.mean() < 0.015
    for name, power in (("thickness_mean", 1), ("mid_surface_area", 2), ("ribbon_volume", 3)):
        assert measured.value(name) == pytest.approx(3**power * base.value(name), rel=5e-3)


def test_swapping_wm_and_csf_keeps_thickness_and_turns_depth_round() -> None:
    phantom, base = cap()
    swapped = measure(phantom.labels, replace(SETTINGS, wm=(CSF,), csf=(WM,)))
    assert np.abs(swapped.thickness - base.thickness).mean() < 0.001
    for name in PER_VOXEL[1:]:
        change = getattr(swapped, name) - (1 - getattr(base, name))
        # Whether a line that runs into a cut side stalls can turn on a last digit.
        assert np.abs(change).mean() < 0.0001 and np.quantile(np.abs(change), 0.999) < 0.001
    assert (swapped.normals * base.normals).sum(axis=1).max() < -0.999


def test_room_around_the_labels_does_not_matter() -> None:
    phantom, base = cap()
    wide = np.pad(phantom.labels.array, ((20, 3), (5, 30), (0, 17)))
    measured = measure(Image(wide, Grid.from_spacing(wide.shape, SEVEN_TESLA)), SETTINGS)
    assert len(measured.voxels) == len(base.voxels)
    inner = phantom.interior.reshape(-1)[base.voxels]
    assert_allclose(measured.thickness[inner], base.thickness[inner], atol=0.005)


# Cut faces


def test_a_cylinder_cut_sideways_is_as_thick_as_uncut() -> None:
    labels, _ = tube(10, ISO)
    whole = measure(labels, SETTINGS)
    i = np.indices(labels.array.shape)[2]
    side = i < labels.array.shape[2] // 2
    cut = measure(hidden(labels, side), SETTINGS)
    expected = whole.paint(whole.thickness, np.nan).reshape(-1)[cut.voxels]
    assert np.isfinite(cut.thickness).all()
    assert np.abs(cut.thickness - expected).mean() < 0.01
    beside = (i.reshape(-1)[cut.voxels] - labels.array.shape[2] // 2) < 4
    assert np.abs(cut.thickness - expected)[beside].mean() < 0.03
    # The volume's own edge is a cut as well.
    half = labels.array[:, :, labels.array.shape[2] // 2 :]
    cropped = measure(
        Image(np.ascontiguousarray(half), Grid.from_spacing(half.shape, ISO)), SETTINGS
    )
    assert np.abs(cropped.thickness - cut.thickness).mean() < 0.01
    # Were the cut taken for pial, thickness beside it would be far off.
    wrong = measure(hidden(labels, side, CSF), SETTINGS)
    assert np.abs(wrong.thickness - expected)[beside].mean() > 0.3


@pytest.mark.parametrize("degrees", [0, 10, 30])
def test_a_sheet_that_the_volumes_edge_cuts_obliquely_is_no_thicker_there(degrees: int) -> None:
    labels, _ = tilted_sheet(degrees)
    measured = measure(labels, SETTINGS)
    error = measured.thickness - 2.0
    k = np.unravel_index(measured.voxels, labels.grid.shape)[0]
    last = (k < 2) | (k > labels.grid.shape[0] - 3)
    assert np.abs(error).mean() < 0.08
    # Field lines that may not cross the edge would make the cortex 0.2 mm thicker at 30 degrees.
    assert np.abs(error[last].mean()) < 0.1


def tilted_sheet(degrees: float) -> tuple[Image, NDArray]:
    """A sheet 2 mm thick that leaves the volume at both ends of k, tilted against k, and where
    along k voxels are, from -1 to 1."""
    tilt = np.radians(degrees)
    k, j, _ = np.indices((24, 48, 8))
    height = 0.25 * ((j - 24.3) * np.cos(tilt) + (k - 12.2) * np.sin(tilt))
    array = np.where(height < -1, WM, np.where(height > 1, CSF, GM)).astype(np.uint8)
    return Image(array, Grid.from_spacing(array.shape, ISO)), (k - 11.5) / 11.5


def test_cut_voxels_are_marked() -> None:
    labels = flat((6, 24, 10), 8, 8)
    measured = measure(hidden(labels, np.indices(labels.array.shape)[2] < 2), SETTINGS)
    k, _, i = np.unravel_index(measured.voxels, labels.grid.shape)
    assert_array_equal(measured.near_cut, (k == 0) | (k == 5) | (i == 2) | (i == 9))


@pytest.mark.parametrize("axis", range(3))
def test_a_sulcus_of_one_voxel_stays_open(axis: int) -> None:
    # Two banks of 8 voxels with one voxel of CSF between, white matter on both sides.
    lines = np.array([WM] * 6 + [GM] * 8 + [CSF] + [GM] * 8 + [WM] * 6, np.uint8)
    array = np.broadcast_to(
        lines.reshape([-1 if a == axis else 1 for a in range(3)]),
        [29 if a == axis else 8 for a in range(3)],
    ).copy()
    measured = measure(Image(array, Grid.from_spacing(array.shape, ISO)), SETTINGS)
    assert_allclose(measured.thickness, 2.0, atol=0.13)
    # Depth is 0 at the sulcus on both banks.
    depth = measured.paint(measured.depth_equidistant, np.nan)
    beside = np.take(depth, [13, 15], axis=axis)
    assert (beside < 0.12).all()


def test_touching_banks_are_told_apart_by_the_label_of_the_opposite() -> None:
    array = flat((8, 30, 8), 8, 8, ISO).array
    array[array == CSF] = 4
    labels = Image(array, Grid.from_spacing(array.shape, ISO))
    settings_ = replace(SETTINGS, csf=(), other_bank=(4,))
    assert_allclose(measure(labels, settings_).thickness, 2.0, atol=0.05)


# Label styles and planes


def test_rim_and_tissue_style_give_the_same_on_the_same_shape() -> None:
    shape = shapes.Cylinder(4.0, 6.5, True, 3.5, 1.5)
    phantom = phantoms.make(shape, ISO, np.random.default_rng(0), margin_mm=0.8)
    tissue = errors(measure(phantom.labels, SETTINGS), phantom)
    rim = errors(measure(phantom.rim(), RIM), phantom)
    assert len(rim.thickness) > 3000
    # The line's middle is the border only to a part of a voxel: a tenth of one in the mean.
    assert np.abs(rim.thickness.mean() - tissue.thickness.mean()) < 0.1 * ISO[0]
    assert np.abs(rim.thickness).mean() < 0.1 * ISO[0]
    assert np.abs(rim.depth_equidistant).mean() < 0.006
    assert np.abs(rim.depth_equivolume).mean() < 0.006


def test_lines_of_a_rim_are_not_measured() -> None:
    phantom = phantoms.make(shapes.Slab(2.5, 3.0, 3.0), ISO, np.random.default_rng(1))
    rim = phantom.rim()
    measured = measure(rim, RIM)
    assert set(np.unique(rim.array.reshape(-1)[measured.voxels])) == {GM}


# In thick slices both ways follow the same arcs. In even voxels 3D blurs the tube's steps, which
# are alike in all slices here, and finds its borders less well.
@pytest.mark.parametrize(
    "spacing, mm, depth", [(ISO, 0.025, 0.012), (THICK, 0.002, 0.001)], ids=["iso", "thick"]
)
def test_in_plane_and_in_3d_a_tube_across_the_slices_is_the_same(spacing, mm, depth) -> None:
    labels, _ = tube(8, spacing)
    in_3d, in_plane = measure(labels, SETTINGS), measure(labels, AXIAL)
    assert_array_equal(in_3d.voxels, in_plane.voxels)
    for measured in (in_3d, in_plane):
        assert np.abs(measured.thickness.mean() - 2.5) < 0.008
    assert np.abs(in_3d.thickness - in_plane.thickness).mean() < mm
    assert np.abs(in_3d.depth_equivolume - in_plane.depth_equivolume).mean() < depth
    assert np.abs(in_plane.thickness - 2.5).mean() < 0.012
    assert (in_plane.normals[:, 0] == 0).all()


def test_in_plane_an_oblique_sheet_looks_thicker_by_its_tilt() -> None:
    labels, along = tilted_sheet(30)
    for settings_, expected in ((SETTINGS, 2.0), (AXIAL, 2.0 / np.cos(np.radians(30)))):
        measured = measure(labels, settings_)
        central = np.abs(along.reshape(-1)[measured.voxels]) < 0.4
        assert measured.thickness[central].mean() == pytest.approx(expected, abs=0.03)


def test_slices_are_independent_in_plane_mode() -> None:
    labels, _ = tube(6, THICK)
    array = labels.array.copy()
    array[3] = np.roll(array[3], 3, axis=1)
    one, other = (measure(Image(a, labels.grid), AXIAL) for a in (labels.array, array))
    for name in PER_VOXEL:
        first, second = (m.paint(getattr(m, name), np.nan) for m in (one, other))
        rest = np.arange(6) != 3
        assert_allclose(first[rest], second[rest], atol=1e-3)
        assert np.nanmean(np.abs(second[3] - np.roll(first[3], 3, axis=1))) < 0.005
    # Measured in 3D, the moved slice is felt by its neighbours.
    one, other = (measure(Image(a, labels.grid), SETTINGS) for a in (labels.array, array))
    first, second = (m.paint(m.depth_equidistant, np.nan) for m in (one, other))
    assert np.nanmean(np.abs(first[2] - second[2])) > 0.003


# Layers, columns, regions, maps


def ramp_on(grid: Grid) -> Image:
    """A field that rises by 1 per mm to the right and 2 per mm upwards, 100 at the origin."""
    ras = grid.ras(np.indices(grid.shape).reshape(3, -1).T)
    return Image((100 + ras @ [1, 0, 2]).reshape(grid.shape), grid, "ramp")


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


# Findings and refusals


def codes(measured: Measurement) -> set[str]:
    return {f.code for f in measured.findings}


@pytest.mark.parametrize("wm_inside", [True, False])
def test_a_cortex_that_curves_around_csf_is_mentioned(wm_inside: bool) -> None:
    labels, _ = tube(6, ISO)
    measured = measure(labels, SETTINGS if wm_inside else replace(SETTINGS, wm=(1,), csf=(2,)))
    assert ("curved_around_csf" in codes(measured)) == (not wm_inside)


@pytest.mark.parametrize(
    "name, white, csf, odd",
    [
        ("T2star", 20.0, 80.0, False),
        ("T2* (ms)", 80.0, 20.0, True),
        ("R2star", 20.0, 80.0, True),
        ("R2*", 80.0, 20.0, False),
        ("phase", 80.0, 20.0, False),
    ],
)
def test_swapped_labels_are_guessed_from_a_maps_contrast(name, white, csf, odd) -> None:
    labels = flat((8, 26, 8), 10, 6, COARSE)
    field = np.select([labels.array == WM, labels.array == GM], [white, 50.0], csf)
    measured = measure(labels, SETTINGS, {name: Image(field, labels.grid)})
    assert ("contrast_swapped" in codes(measured)) == odd
    assert ("sides_unchecked" in codes(measured)) == (name == "phase")


def test_sides_that_nothing_can_tell_are_mentioned() -> None:
    labels = flat((8, 26, 8), 10, 6, COARSE)
    for swapped in (False, True):
        settings_ = replace(SETTINGS, wm=(CSF,), csf=(WM,)) if swapped else SETTINGS
        (finding,) = measure(labels, settings_).findings
        assert finding.code == "sides_unchecked" and not finding.warning
        assert "--wm and --csf" in finding.message


def test_one_sentence_is_enough_where_the_curvature_speaks() -> None:
    labels, _ = tube(6, ISO)
    measured = measure(labels, replace(SETTINGS, wm=(CSF,), csf=(WM,)))
    assert codes(measured) == {"curved_around_csf"}


@pytest.mark.parametrize("value", [0.0, 7.0])
@pytest.mark.parametrize("holes", [False, True])
def test_a_map_of_one_value_is_mentioned(value: float, holes: bool) -> None:
    labels = flat((8, 26, 8), 10, 6, COARSE)
    field = np.where(labels.array == GM, value, 3.0)
    if holes:
        field[2] = np.nan
    measured = measure(labels, SETTINGS, {"T2star": Image(field, labels.grid)})
    (finding,) = [f for f in measured.findings if f.code == "map_constant"]
    assert finding.warning and f"{value:g}, throughout" in finding.message
    field[labels.array == GM] += np.linspace(0, 1e-3, np.count_nonzero(labels.array == GM))
    measured = measure(labels, SETTINGS, {"T2star": Image(field, labels.grid)})
    assert "map_constant" not in codes(measured)


def test_repairs_and_gaps_are_passed_on() -> None:
    array = flat((16, 30, 16), 10, 10, COARSE).array
    array[4, 14, 4], array[8, 26, 8] = 0, GM
    array[10:12, 10:20, 10:12] = CSF
    measured = measure(Image(array, Grid.from_spacing(array.shape, COARSE)), SETTINGS)
    repaired = {"holes_filled", "islands_dropped", "csf_touches_white_matter"}
    assert codes(measured) == {*repaired, "sides_unchecked"}
    painted = measured.paint(measured.thickness, np.nan)
    assert np.isfinite(painted[4, 14, 4]) and np.isnan(painted[8, 26, 8])


def test_voxels_without_both_borders_are_counted_and_have_nothing() -> None:
    array = flat((6, 30, 10), 8, 8).array
    array[:, 22:26], array[:, 26:] = GM, 0
    labels = Image(array, Grid.from_spacing(array.shape, (1, 1, 1)))
    measured = measure(labels, SETTINGS, {"ramp": ramp_on(labels.grid)})
    loose = np.unravel_index(measured.voxels, array.shape)[1] >= 22
    for name in PER_VOXEL:
        assert_array_equal(np.isnan(getattr(measured, name)), loose)
    assert_array_equal(measured.layers == 0, loose)
    assert_array_equal(measured.columns == -1, loose)
    (finding,) = [f for f in measured.findings if f.code == "voxels_without_thickness"]
    assert f"{loose.sum()} of {len(loose)}" in finding.message and finding.warning
    assert measured.value("measured_share") == pytest.approx(1 - loose.mean())
    assert sum(r.n for r in measured.profiles) == np.count_nonzero(~loose)


def far(grid: Grid) -> Image:
    return Image(np.ones(grid.shape), turned(grid, (0, 0, 0), (500, 0, 0)), "far.nii")


@pytest.mark.parametrize(
    "arguments, says",
    [
        (lambda g: {"maps": {"m": far(g)}}, "map far.nii and the labels do not overlap"),
        (lambda g: {"maps": {"m": Image(np.full(g.shape, np.nan), g)}}, "Map m holds no number"),
        (lambda g: {"regions": {"foot": far(g)}}, "Region foot has no voxel in the ribbon"),
        (lambda g: {"regions": {"ribbon": ramp_on(g)}}, "cannot be called ribbon"),
    ],
)
def test_maps_and_regions_that_cannot_be_used(arguments, says: str) -> None:
    labels = flat()
    with pytest.raises(InputError, match=says):
        measure(labels, SETTINGS, **arguments(labels.grid))


@pytest.mark.parametrize(
    "changed, says",
    [
        ({"reference": "region:knee"}, "reference region knee is not among the regions: ribbon"),
        ({"reference": "csf"}, "The reference csf is 0 in map m"),
        ({"gm": (9,)}, "No voxel carries the gray-matter label 9"),
        ({"plane": "slanted"}, "plane must be one of"),
    ],
)
def test_settings_that_cannot_be_met(changed, says: str) -> None:
    labels = flat((8, 16, 8))
    zero = Image(np.zeros(labels.grid.shape), labels.grid)
    with pytest.raises(InputError, match=says):
        measure(labels, SETTINGS.with_values(changed), {"m": zero})


def test_gray_matter_whose_pieces_reach_one_border_each() -> None:
    array = np.zeros((6, 30, 10), np.uint8)
    array[:, :4], array[:, 4:10], array[:, 20:26], array[:, 26:] = WM, GM, GM, CSF
    labels = Image(array, Grid.from_spacing(array.shape, (1, 1, 1)))
    with pytest.raises(InputError, match="No field line joins"):
        measure(labels, SETTINGS)


# Any labels at all


@settings(max_examples=20)
@given(st.integers(0, 10**6), st.floats(0.5, 2), st.sampled_from(["none", "axial"]))
def test_whatever_the_labels_the_numbers_fit_together(seed, smooth, plane) -> None:
    labels = scrambled(seed, smooth)
    try:
        measured = measure(labels, SETTINGS.with_values({"plane": plane, "bootstrap": 0}))
    except InputError:
        return
    known = np.isfinite(measured.thickness)
    assert (np.diff(measured.voxels) > 0).all()
    for name in PER_VOXEL[1:]:
        assert_array_equal(np.isfinite(getattr(measured, name)), known)
    deep = measured.depth_equivolume[known]
    assert ((deep >= 0) & (deep <= 1)).all()
    assert_array_equal(measured.layers > 0, known)
    assert measured.layers.max() <= 3
    assert_array_equal(measured.columns >= 0, known)
    assert_allclose(np.linalg.norm(measured.normals[known], axis=1), 1, rtol=1e-4)
    assert measured.value("measured_share") == pytest.approx(known.mean())


# Progress


def test_progress_rises_from_nothing_to_all_with_every_step_timed() -> None:
    labels, _ = tube(6, ISO)
    seen: list[tuple[str, float]] = []
    measured = measure(labels, SETTINGS, progress=lambda step, part: seen.append((step, part)))
    fractions = [part for _, part in seen]
    assert fractions[0] == 0 and fractions[-1] == 1
    assert all(a <= b for a, b in pairwise(fractions))
    steps = list(dict.fromkeys(step for step, _ in seen))
    assert steps == list(measured.seconds)
    assert all(s >= 0 for s in measured.seconds.values())
    assert len(seen) > len(steps) + 5


@pytest.mark.parametrize("step", ["ribbon", "borders", "potential", "field lines", "profiles"])
def test_any_step_can_be_cancelled(step: str) -> None:
    labels, _ = tube(6, ISO)
    after: list[str] = []

    def stop(name: str, _: float) -> None:
        after.append(name)
        if name == step:
            raise Cancelled

    with pytest.raises(Cancelled):
        measure(labels, SETTINGS, progress=stop)
    assert after.count(step) == 1


def test_measuring_twice_gives_the_same_numbers() -> None:
    phantom, base = cap()
    again = measure(phantom.labels, SETTINGS)
    assert again.measures == base.measures
    assert_array_equal(again.thickness, base.thickness)


@pytest.fixture(scope="module")
def cut_by_the_volume() -> tuple[Image, NDArray]:
    """A fold that all sides of the volume cut, and its thickness (k, j, i)."""
    rng = np.random.default_rng(3)
    placed = phantoms.place(folded_sheet.FoldedSheet(height=2.4), SEVEN_TESLA, rng, keep=0.5)
    labels = placed.tissue_labels()
    return labels, thickness_of(labels.array, SEVEN_TESLA)


def thickness_of(array: NDArray, spacing: tuple[float, ...]) -> NDArray:
    measured = measure(Image(array, Grid.from_spacing(array.shape, spacing)), SETTINGS)
    thickness = np.full(array.size, np.nan)
    thickness[measured.voxels] = measured.thickness
    return thickness.reshape(array.shape)


def share_that_differs(one: NDArray, other: NDArray) -> float:
    """Of the measured voxels, by more than 0.01 mm; a line that all but grazes a side may tip."""
    assert_array_equal(np.isnan(one), np.isnan(other))
    return np.count_nonzero(np.abs(one - other) > 0.01) / np.count_nonzero(np.isfinite(one))


@pytest.mark.parametrize("order", [(0, 2, 1), (1, 2, 0), (2, 1, 0)])
def test_axes_may_come_in_any_order_where_the_volume_cuts(cut_by_the_volume, order) -> None:
    labels, expected = cut_by_the_volume
    turned = np.ascontiguousarray(labels.array.transpose(order))
    found = thickness_of(turned, tuple(SEVEN_TESLA[a] for a in order))
    assert share_that_differs(found.transpose(np.argsort(order)), expected) < 0.002


@pytest.mark.parametrize("scale", [0.3, 2.0])
def test_thickness_scales_where_the_volume_cuts(cut_by_the_volume, scale) -> None:
    labels, expected = cut_by_the_volume
    found = thickness_of(labels.array, tuple(scale * s for s in SEVEN_TESLA))
    assert share_that_differs(found / scale, expected) < 0.002
