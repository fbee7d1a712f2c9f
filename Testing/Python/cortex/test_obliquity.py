"""The angle between cortex and slices, and thickness within slices corrected for it."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from numpy.typing import NDArray

from ALSMotorCortexLib.cortex import folded_sheet, shapes
from ALSMotorCortexLib.cortex.errors import InputError
from ALSMotorCortexLib.cortex.grid import Grid, Image
from ALSMotorCortexLib.cortex.measure import measure
from ALSMotorCortexLib.cortex.obliquity import STEEPEST, slice_axis
from ALSMotorCortexLib.cortex.result import RIBBON, Measurement
from ALSMotorCortexLib.cortex.shapes import CSF, GM, WM
from ALSMotorCortexLib.cortex.slice_phantoms import SlicePhantom, make_slices
from known_ribbons import AXIAL, SETTINGS, hidden, rearranged, scrambled, tube, turned

FINE, COARSE = (1.5, 0.25, 0.25), (2.0, 0.5, 0.5)
ALL = AXIAL.with_values({"max_angle": 60.0})
SHAPES: dict[str, shapes.Shape] = {
    "slab": shapes.Slab(2.9, 30.0, 30.0),
    "gyral cylinder": shapes.Cylinder(5.0, 7.9, True, 30.0),
    "sulcal cylinder": shapes.Cylinder(3.0, 5.9, False, 30.0),
    "folded sheet": folded_sheet.FoldedSheet(2.9, half_length=12.0, half_depth=20.0),
}


def at_interior(measured: Measurement, phantom: SlicePhantom) -> NDArray[np.bool_]:
    return phantom.interior.reshape(-1)[measured.voxels]


@pytest.mark.parametrize(
    "spacing, slices, phantoms_",
    [(FINE, 7, 1), (COARSE, 3, 2)],
    ids=["7 of 0.25x1.5", "3 of 0.5x2"],
)
@pytest.mark.parametrize("degrees", [0, 15, 30, 45])
@pytest.mark.parametrize("name", SHAPES)
def test_corrected_thickness_is_within_3_percent(name, degrees, spacing, slices, phantoms_) -> None:
    """Three coarse slices hold so few steps of a border that one phantom's place in the grid
    decides on a part of that: the mean of two is taken."""
    ratios = [
        corrected_over_true(SHAPES[name], spacing, degrees, slices, degrees + 100 * number)
        for number in range(phantoms_)
    ]
    assert np.mean(ratios) == pytest.approx(1, abs=0.03)


def corrected_over_true(shape, spacing, degrees, slices, seed) -> float:
    """Mean ratio of corrected to true thickness in a phantom, otherwise checked, too."""
    phantom = make_slices(shape, spacing, degrees, slices, np.random.default_rng(seed), 19)
    measured = measure(phantom.labels, ALL)
    inside = at_interior(measured, phantom) & ~measured.steep
    # The picture's edge may cut off a column that bends at its side.
    lost = np.isnan(measured.thickness)
    assert np.mean(lost[inside]) < 0.001
    inside &= ~lost
    true = phantom.thickness.reshape(-1)[measured.voxels][inside]
    assert len(true) > 100
    corrected = measured.thickness_corrected[inside]
    assert np.isfinite(corrected).all()
    # In the first and last slice there is a neighbour on one side only.
    k = np.unravel_index(measured.voxels[inside], phantom.labels.grid.shape)[0]
    for outermost in (0, slices - 1):
        here = k == outermost
        assert np.mean(corrected[here] / true[here]) == pytest.approx(1, abs=0.05)
    angle = measured.angle[inside] - phantom.angle.reshape(-1)[measured.voxels][inside]
    assert np.median(np.abs(angle)) < 3
    if degrees == 45:
        # Without the correction it would be far off.
        assert np.mean(measured.thickness[inside] / true) > 1.1
    return float(np.mean(corrected / true))


@pytest.mark.parametrize("degrees", [0, 30, 45])
@pytest.mark.parametrize("name", ["slab", "gyral cylinder"])
def test_area_volume_and_depth_are_right_whatever_the_angle(name, degrees) -> None:
    phantom = make_slices(SHAPES[name], FINE, degrees, 9, np.random.default_rng(1))
    measured = measure(phantom.labels, ALL)
    whole = np.isfinite(measured.thickness).sum()
    assert whole > 0.9 * (phantom.labels.array == GM).sum()
    volume = whole * phantom.labels.grid.voxel_volume
    assert measured.value("ribbon_volume") == pytest.approx(volume)
    # Of a slab or between concentric cylinders, the mid-surface's area is volume / thickness.
    assert measured.value("mid_surface_area") == pytest.approx(volume / 2.9, rel=0.03)
    inside = at_interior(measured, phantom)
    for kind, limit in (("equidistant", 0.007), ("equivolume", 0.02)):
        true = getattr(phantom, f"depth_{kind}").reshape(-1)[measured.voxels]
        error = getattr(measured, f"depth_{kind}") - true
        assert np.nanmean(np.abs(error[inside])) < limit


def test_adjacent_tissue_is_that_of_the_slice() -> None:
    phantom = make_slices(SHAPES["slab"], FINE, 45, 9, np.random.default_rng(1))
    maps = {"m": Image(phantom.signal, phantom.labels.grid, "m")}
    measured = measure(phantom.labels, ALL, maps)
    mean = measured.value("mean", map="m")
    # Slices blur the borders over 1.5 mm here; the median beside the ribbon holds.
    assert mean - measured.value("minus_white_matter", map="m") == pytest.approx(25, abs=0.5)
    assert mean - measured.value("minus_csf", map="m") == pytest.approx(60, abs=0.5)


# Leaving out


@lru_cache
def folded() -> tuple[SlicePhantom, Image]:
    """A folded sheet with angles from 0 to 35 degrees, and a map of where the angle is steep."""
    phantom = make_slices(SHAPES["folded sheet"], FINE, 35, 5, np.random.default_rng(2), 24)
    return phantom, Image(phantom.signal, phantom.labels.grid, "m")


def test_columns_steeper_than_the_limit_are_left_out_of_all_means_and_counted() -> None:
    phantom, signal = folded()
    limit = AXIAL.with_values({"max_angle": 20.0, "bins": 4})
    measured = measure(phantom.labels, limit, {"m": signal})
    known, steep = np.isfinite(measured.thickness), measured.angle > 20
    assert_array_equal(measured.steep, steep)
    assert 0.2 < steep.mean() < 0.8
    used = known & ~steep
    value = measured.values["m"]
    for name, expected in (
        ("thickness_mean", measured.thickness[used].mean()),
        ("thickness_median", np.median(measured.thickness[used])),
        ("thickness_corrected_mean", measured.thickness_corrected[used].mean()),
        ("ribbon_volume", known.sum() * phantom.labels.grid.voxel_volume),
        ("angle_mean", measured.angle[known].mean()),
        ("angle_max", measured.angle[known].max()),
        ("left_out_share", steep[known].mean()),
    ):
        assert measured.value(name) == pytest.approx(expected, rel=1e-5), name
    for layer in (1, 3):
        mean = value[used & (measured.layers == layer)].mean()
        assert measured.value(f"layer_{layer}_mean", map="m") == pytest.approx(mean, rel=1e-5)
    assert sum(p.n for p in measured.profiles) == used.sum()
    (finding,) = [f for f in measured.findings if f.code == "slices_oblique"]
    assert f"{100 * steep[known].mean():.1f} % of the voxels" in finding.message
    assert finding.warning and "--max-angle" in finding.message


def test_nothing_is_left_out_where_nothing_is_steep() -> None:
    labels, _ = tube(5, FINE)
    measured = measure(labels, AXIAL)
    assert not measured.steep.any()
    assert measured.angle.max() < 1
    assert_allclose(measured.thickness_corrected, measured.thickness, rtol=2e-4)
    (finding,) = [f for f in measured.findings if f.code == "slices_oblique"]
    assert not finding.warning and "the means take in all" in finding.message


def test_a_sheet_that_all_but_faces_the_slices_is_left_out() -> None:
    phantom = make_slices(SHAPES["slab"], FINE, 78, 9, np.random.default_rng(0), 45.0)
    measured = measure(phantom.labels, ALL)
    known = np.isfinite(measured.angle) & at_interior(measured, phantom)
    assert known.any()
    # A lone voxel at an end of the region may tell another.
    assert np.mean(measured.angle[known] > STEEPEST - 1) > 0.99
    assert measured.value("left_out_share") > 0.9


def test_each_region_has_its_own_angle() -> None:
    phantom, _ = folded()
    steep = (phantom.angle > 20) & (phantom.labels.array == GM)
    regions = {
        "steep": Image(steep.astype(np.uint8), phantom.labels.grid),
        "rest": Image((~steep).astype(np.uint8), phantom.labels.grid),
    }
    measured = measure(phantom.labels, ALL, regions=regions)
    assert measured.value("angle_mean", "steep") > measured.value("angle_mean", "rest") + 10
    pair = {m.measure for m in measured.measures if m.region == "steep"}
    assert {"angle_max", "left_out_share", "thickness_corrected_p95"} <= pair


# Where it is told, and where it cannot be


@pytest.mark.parametrize("slices", [1, 2])
def test_one_slice_tells_no_angle_and_two_do(slices: int) -> None:
    phantom = make_slices(SHAPES["slab"], FINE, 25, slices, np.random.default_rng(3))
    measured = measure(phantom.labels, AXIAL)
    if slices == 1:
        assert np.isnan(measured.angle).all() and np.isnan(measured.thickness_corrected).all()
        assert not measured.steep.any()
        assert np.isfinite(measured.value("thickness_mean"))
        assert np.isnan(measured.value("thickness_corrected_mean"))
        (finding,) = [f for f in measured.findings if f.code == "angle_unknown"]
        assert finding.warning
    else:
        inside = at_interior(measured, phantom)
        assert np.abs(measured.angle[inside] - 25).mean() < 1
        assert measured.thickness_corrected[inside].mean() == pytest.approx(2.9, rel=0.03)


def test_slices_without_cortex_between_do_not_mislead() -> None:
    labels = make_slices(SHAPES["slab"], FINE, 30, 5, np.random.default_rng(3)).labels
    lone = np.zeros(labels.array.shape, bool)
    lone[[0, 1, 3, 4]] = True
    measured = measure(hidden(labels, lone), AXIAL)
    assert len(measured.voxels) > 500
    assert np.isnan(measured.angle).all()
    assert measured.value("left_out_share") == 0


def test_in_3d_the_angle_is_told_where_slices_are_thick() -> None:
    phantom = make_slices(SHAPES["slab"], FINE, 30, 9, np.random.default_rng(3))
    measured = measure(phantom.labels, SETTINGS)
    inside = at_interior(measured, phantom)
    assert np.median(np.abs(measured.angle[inside] - 30)) < 1
    assert measured.thickness_corrected is None and not measured.steep.any()
    names = {m.measure for m in measured.measures}
    assert {"angle_mean", "angle_max"} <= names
    assert not names & {"left_out_share", "thickness_corrected_mean"}
    (finding,) = [f for f in measured.findings if f.code == "slices_oblique"]
    assert not finding.warning and "3D" in finding.message


def test_in_3d_on_nearly_isotropic_voxels_no_angle_is_asked_for() -> None:
    labels, _ = tube(5, (0.32, 0.2, 0.2))
    measured = measure(labels, SETTINGS)
    assert measured.angle is None and measured.thickness_corrected is None
    assert not {"angle_mean", "left_out_share"} & {m.measure for m in measured.measures}


@pytest.mark.parametrize(
    "spacing, plane, axis",
    [
        ((1.5, 0.25, 0.25), "none", 0),
        ((0.3, 0.3, 1.0), "none", 2),
        ((0.5, 0.25, 0.25), "none", None),
        ((0.5, 0.25, 0.25), "coronal", 1),
        ((0.5, 0.25, 0.25), "sagittal", 2),
    ],
)
def test_which_axis_runs_across_the_slices(spacing, plane, axis) -> None:
    assert slice_axis(Grid.from_spacing((4, 4, 4), spacing), plane) == axis


def test_thin_slices_are_compared_at_a_distance() -> None:
    phantom = make_slices(SHAPES["gyral cylinder"], (0.25,) * 3, 30, 24, np.random.default_rng(5))
    measured = measure(phantom.labels, ALL)
    inside = at_interior(measured, phantom)
    error = measured.angle[inside] - phantom.angle.reshape(-1)[measured.voxels][inside]
    assert np.abs(error).mean() < 2
    true = phantom.thickness.reshape(-1)[measured.voxels][inside]
    assert np.mean(measured.thickness_corrected[inside] / true) == pytest.approx(1, abs=0.02)


# Invariances


@lru_cache
def gyrus() -> tuple[Image, Measurement]:
    labels = make_slices(SHAPES["gyral cylinder"], FINE, 30, 5, np.random.default_rng(7)).labels
    return labels, measure(labels, AXIAL)


PER_VOXEL = ("thickness", "thickness_corrected", "angle", "depth_equidistant", "depth_equivolume")
LIMITS = {"thickness": 0.01, "thickness_corrected": 0.01, "angle": 0.3}


def same(measured: Measurement, expected: dict[str, NDArray]) -> None:
    """Whether each voxel measures alike on the whole; a tie of labels may turn on a digit."""
    for name, values in expected.items():
        change = np.abs(getattr(measured, name) - values)
        assert np.isfinite(change).all()
        assert change.mean() < LIMITS.get(name, 0.003), name


@settings(max_examples=12, deadline=None)
@given(
    order=st.permutations([0, 1, 2]).map(tuple),
    flips=st.sets(st.sampled_from([0, 1, 2])).map(sorted).map(tuple),
)
def test_how_axes_are_stored_does_not_matter_in_plane(order, flips) -> None:
    labels, base = gyrus()
    stored = rearranged(labels, order, flips)
    measured = measure(stored, AXIAL)
    painted = {
        name: rearranged(Image(base.paint(getattr(base, name), np.nan), labels.grid), order, flips)
        for name in PER_VOXEL
    }
    same(measured, {n: i.array.reshape(-1)[measured.voxels] for n, i in painted.items()})
    for name in ("thickness_mean", "thickness_corrected_mean", "mid_surface_area", "angle_mean"):
        assert measured.value(name) == pytest.approx(base.value(name), rel=0.005)


@settings(max_examples=8, deadline=None)
@given(
    angles=st.tuples(*[st.floats(-40, 40)] * 2, st.floats(-180, 180)),
    shift=st.tuples(*[st.floats(-80, 80)] * 3),
)
def test_turning_the_world_does_not_matter_in_plane(angles, shift) -> None:
    labels, base = gyrus()
    grid = turned(labels.grid, angles, shift)
    plane = {0: "axial", 1: "coronal", 2: "sagittal"}
    chosen = next(p for p in plane.values() if grid.plane_axis(p) == 0)
    measured = measure(Image(labels.array, grid), replace(AXIAL, plane=chosen))
    same(measured, {name: getattr(base, name) for name in PER_VOXEL})


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_mirroring_the_matrix_does_not_matter_in_plane(axis: int) -> None:
    labels, base = gyrus()
    mirror = np.eye(4)
    mirror[axis, axis] = -1
    grid = Grid(labels.grid.shape, labels.grid.ijk_to_ras @ mirror)
    measured = measure(Image(labels.array, grid), AXIAL)
    same(measured, {name: getattr(base, name) for name in PER_VOXEL})


def test_swapping_wm_and_csf_keeps_the_angle() -> None:
    labels, base = gyrus()
    swapped = measure(labels, replace(AXIAL, wm=(CSF,), csf=(WM,)))
    assert np.abs(swapped.angle - base.angle).mean() < 0.3
    assert np.abs(swapped.thickness_corrected - base.thickness_corrected).mean() < 0.01


def test_scaling_scales_corrected_thickness_and_keeps_the_angle() -> None:
    labels, base = gyrus()
    grid = Grid.from_spacing(labels.grid.shape, tuple(1.5 * s for s in FINE))
    measured = measure(Image(labels.array, grid), AXIAL)
    assert np.abs(measured.thickness_corrected / 1.5 - base.thickness_corrected).mean() < 0.02
    assert np.abs(measured.angle - base.angle).mean() < 0.7


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 500),
    thick=st.sampled_from([0, 1, 2]),
    plane=st.sampled_from(["none", "axial", "coronal", "sagittal"]),
    style=st.sampled_from(["tissue", "rim"]),
)
def test_whatever_the_labels_angles_lie_in_range_and_correction_never_thickens(
    seed, thick, plane, style
) -> None:
    blobs = scrambled(seed, 1.2).array
    spacing = tuple(1.8 if axis == thick else 0.3 for axis in range(3))
    chosen = SETTINGS.with_values({"plane": plane, "label_style": style})
    try:
        measured = measure(Image(blobs, Grid.from_spacing(blobs.shape, spacing)), chosen)
    except InputError:
        return
    angle = measured.angle[np.isfinite(measured.angle)]
    assert ((angle >= 0) & (angle < STEEPEST + 0.01)).all()
    if plane != "none":
        corrected, thickness = measured.thickness_corrected, measured.thickness
        known = np.isfinite(corrected)
        assert (corrected[known] <= 1.0001 * thickness[known]).all()
        assert not measured.steep[np.isnan(measured.angle)].any()


# The volume's edge


def test_the_edge_of_the_picture_cuts_without_thickening_in_plane() -> None:
    # A sheet that leaves each slice at both ends of j, 30 degrees from square, and leans over k.
    tilt = np.radians(30)
    k, j, i = np.indices((5, 24, 60)) * np.array(FINE).reshape(3, 1, 1, 1)
    across = (i - 7.4) * np.cos(tilt) + (j - 3) * np.sin(tilt) + 0.3 * (k - 3)
    array = np.where(across < -1.2, WM, np.where(across > 1.2, CSF, GM)).astype(np.uint8)
    measured = measure(Image(array, Grid.from_spacing(array.shape, FINE)), AXIAL)
    row = np.unravel_index(measured.voxels, array.shape)[1]
    beside = (row < 2) | (row > 21)
    # Where its column leaves the picture, a voxel gets the thickness beside it, or none.
    depth = across.reshape(-1)[measured.voxels]
    ends = row * 0.25 - np.sin(tilt) * (depth + np.array([[-1.2], [1.2]]))
    leaves = ((ends < -0.25) | (ends > 23.5 * 0.25)).any(axis=0)
    known = np.isfinite(measured.thickness)
    assert known[~leaves].all() and known.mean() > 0.95
    assert measured.thickness[beside & known].mean() == pytest.approx(2.4, rel=0.05)
    assert measured.thickness[~beside & known].mean() == pytest.approx(2.4, rel=0.02)
    # The first and last slice end the volume, too, but no field line runs across slices.
    slices = np.unravel_index(measured.voxels, array.shape)[0]
    for end in (0, 4):
        assert np.nanmean(measured.thickness[slices == end]) == pytest.approx(2.4, rel=0.03)
    lean = np.degrees(np.arctan(0.3))
    assert np.abs(measured.angle[known] - lean).mean() < 1.5
    corrected = measured.value("thickness_corrected_mean")
    assert corrected == pytest.approx(2.4 * np.cos(np.radians(lean)), rel=0.02)


def test_faces_between_slices_are_no_cut_faces_in_plane() -> None:
    labels, _ = tube(5, FINE)
    in_plane, in_3d = measure(labels, AXIAL), measure(labels, SETTINGS)
    assert not in_plane.near_cut.any()
    assert in_3d.near_cut.any()
    assert RIBBON in in_plane.regions
