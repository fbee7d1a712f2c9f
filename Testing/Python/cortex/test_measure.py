"""The whole measurement: known truths, cut faces, label styles, any labels, progress."""

from __future__ import annotations

from dataclasses import dataclass, replace
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
from ALSMotorCortexLib.cortex.shapes import CSF, GM, WM
from known_ribbons import (
    AXIAL,
    COARSE,
    ISO,
    PER_VOXEL,
    RIM,
    SETTINGS,
    SEVEN_TESLA,
    THICK,
    UPRIGHT,
    errors,
    flat,
    hidden,
    scrambled,
    tube,
)

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
