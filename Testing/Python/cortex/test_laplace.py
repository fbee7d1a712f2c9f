"""The potential in the ribbon: bounds, exact solutions, cut faces, lost pieces."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import ndimage

from ALSMotorCortexLib.cortex import phantoms, shapes
from ALSMotorCortexLib.cortex.errors import Cancelled, InputError
from ALSMotorCortexLib.cortex.grid import Image
from ALSMotorCortexLib.cortex.laplace import make_domain, solve_potential
from ALSMotorCortexLib.cortex.ribbon import PIAL, WHITE, make_ribbon
from ALSMotorCortexLib.cortex.settings import Settings
from ALSMotorCortexLib.cortex.shapes import CSF, GM, UNLABELLED, WM
from known_ribbons import AXIAL, RIM, SETTINGS, UPRIGHT, flat, hidden, scrambled, tube

ISO = (0.25, 0.25, 0.25)


def potential_of(labels: Image, settings: Settings = SETTINGS) -> NDArray:
    """(k, j, i) potential on the label grid, NaN where there is none."""
    ribbon = make_ribbon(labels, settings)
    domain = make_domain(ribbon)
    painted = np.full(labels.grid.shape, np.nan)
    painted.reshape(-1)[ribbon.grid_indices(domain.box_voxels())] = solve_potential(domain)
    return painted


def test_a_flat_sheet_has_a_straight_potential() -> None:
    labels = flat((6, 24, 6), 8, 8)
    potential = potential_of(labels)
    # The borders run between voxels, so values lie half a step from them.
    expected = np.where(labels.array == GM, (np.arange(24)[:, None] - 7.5) / 8, np.nan)
    np.testing.assert_allclose(potential, expected, atol=0.003)


@pytest.mark.parametrize("wm_inside", [True, False])
def test_between_cylinders_it_goes_with_the_logarithm_of_the_radius(wm_inside: bool) -> None:
    labels, radius = tube(8, ISO)
    potential = potential_of(
        labels, SETTINGS if wm_inside else replace(SETTINGS, wm=(CSF,), csf=(WM,))
    )
    expected = np.log(radius / 4) / np.log(6.5 / 4)
    error = (potential - (expected if wm_inside else 1 - expected))[labels.array == GM]
    # Slices along the axis are alike and do not average the staircase: allow a tenth of a voxel.
    assert np.abs(error.mean()) < 0.1 * ISO[0] / 2.5
    assert np.abs(error).mean() < 0.1 * ISO[0] / 2.5


@pytest.mark.parametrize("spacing", [ISO, (0.32, 0.2, 0.2)], ids=["iso", "anisotropic"])
@pytest.mark.parametrize(
    "shape",
    [shapes.Slab(2.5, 3.5, 3.5), shapes.Sphere(4.0, 6.5, False, 0.8)],
    ids=["slab", "sphere"],
)
def test_the_borders_count_at_their_sub_voxel_place(shape: shapes.Shape, spacing) -> None:
    found = []
    for seed in range(2):
        phantom = phantoms.make(shape, spacing, np.random.default_rng(seed), margin_mm=0.8)
        error = potential_of(phantom.labels) - phantom.potential
        found.append(np.abs(error[phantom.interior]).mean())
    # With the borders half-way between voxels it would be 0.003 to 0.005.
    assert np.mean(found) < 0.0025


def test_the_error_falls_as_voxels_get_smaller() -> None:
    shape = shapes.Sphere(4.0, 6.5, True, 0.9)
    found = []
    for spacing in (0.8, 0.4, 0.2):
        phantom = phantoms.make(shape, (spacing,) * 3, np.random.default_rng(0), UPRIGHT)
        error = potential_of(phantom.labels) - phantom.potential
        found.append(np.nanmean(np.abs(error[phantom.interior])))
    assert found[1] < 0.7 * found[0] and found[2] < 0.7 * found[1]


@pytest.mark.parametrize("settings_", [SETTINGS, AXIAL], ids=["3D", "axial"])
def test_swapping_the_borders_turns_the_potential_round(settings_: Settings) -> None:
    phantom = phantoms.make(shapes.Sphere(3, 5, True, 0.7), ISO, np.random.default_rng(1))
    one = potential_of(phantom.labels, settings_)
    other = potential_of(phantom.labels, replace(settings_, wm=(CSF,), csf=(WM,)))
    np.testing.assert_allclose(other, 1 - one, atol=1e-3)


def test_nothing_flows_through_cut_faces() -> None:
    labels, _ = tube(8, ISO)
    whole = potential_of(labels)
    half = np.zeros(labels.array.shape, bool)
    half[:, :, : labels.array.shape[2] // 2] = True
    cut = potential_of(hidden(labels, half))
    inside = np.isfinite(cut)
    assert inside.sum() > 0.45 * np.isfinite(whole).sum()
    assert np.abs(cut - whole)[inside].mean() < 0.003
    # With CSF beyond the cut, the potential there would rise to one all along it.
    wrong = potential_of(hidden(labels, half, CSF))
    beside = inside & ndimage.binary_dilation(half, iterations=2)
    assert np.abs(cut - whole)[beside].mean() < 0.02
    assert np.abs(wrong - whole)[beside].mean() > 0.2


def test_a_piece_that_reaches_one_border_only_has_no_potential() -> None:
    labels = flat((6, 30, 10), 8, 8)
    array = labels.array.copy()
    array[:, 22:26], array[:, 26:] = GM, UNLABELLED
    array[:, 20:22, 5] = WM
    settings_ = SETTINGS.with_values({"drop_islands_mm3": 0})
    potential = potential_of(Image(array, labels.grid), settings_)
    assert np.isnan(potential[array != GM]).all()
    joined = np.zeros(array.shape, bool)
    joined[:, 8:16] = True
    assert np.isfinite(potential[joined]).all()
    array[:, 20:22, 5] = CSF
    potential = potential_of(Image(array, labels.grid), settings_)
    assert np.isnan(potential[~joined]).all()
    expected = np.broadcast_to((np.arange(30)[:, None] - 7.5) / 8, array.shape)
    np.testing.assert_allclose(potential[joined], expected[joined], atol=0.003)


@settings(max_examples=15)
@given(st.integers(0, 10**6), st.floats(0.5, 2), st.sampled_from(["none", "axial"]))
def test_no_potential_leaves_its_bounds(seed: int, smooth: float, plane: str) -> None:
    labels = scrambled(seed, smooth)
    unrepaired = {"plane": plane, "fill_holes_mm3": 0, "drop_islands_mm3": 0}
    try:
        potential = potential_of(labels, SETTINGS.with_values(unrepaired))
    except InputError:
        return
    known = np.isfinite(potential)
    assert ((potential[known] >= 0) & (potential[known] <= 1)).all()
    # Gray matter that touches both borders has a potential.
    element = ndimage.generate_binary_structure(3, 1)
    if plane == "axial":
        element[[0, 2]] = False
    white, pial = (ndimage.binary_dilation(labels.array == t, element) for t in (WM, CSF))
    assert known[(labels.array == GM) & white & pial].all()


def test_rim_and_tissue_style_agree_on_where_the_borders_are() -> None:
    labels, radius = tube(8, ISO)
    # Lines of one voxel whose middle is the true border.
    array = np.zeros_like(labels.array)
    array[np.abs(radius - 4) < 0.6 * ISO[0]] = WM
    array[np.abs(radius - 6.5) < 0.6 * ISO[0]] = CSF
    between = (radius > 4) & (radius < 6.5) & (array == 0)
    array[between] = GM
    potential = potential_of(Image(array, labels.grid), RIM)
    expected = np.log(radius / 4) / np.log(6.5 / 4)
    error = (potential - expected)[between]
    assert np.abs(error.mean()) < 0.005
    assert np.abs(error).mean() < 0.012


def test_slices_do_not_feel_each_other_in_plane_mode() -> None:
    labels, _ = tube(6, ISO)
    array = labels.array.copy()
    array[3] = np.roll(array[3], 5, axis=0)
    one, other = (potential_of(Image(a, labels.grid), AXIAL) for a in (labels.array, array))
    rest = np.arange(6) != 3
    np.testing.assert_allclose(one[rest], other[rest], atol=1e-4)
    one, other = (potential_of(Image(a, labels.grid)) for a in (labels.array, array))
    assert np.nanmax(np.abs(one[rest] - other[rest])) > 0.02


def test_the_domain_knows_its_voxels_and_cut_faces() -> None:
    labels = flat((6, 24, 10), 8, 8)
    labels = hidden(labels, np.indices(labels.array.shape)[2] < 2)
    ribbon = make_ribbon(labels, SETTINGS)
    domain = make_domain(ribbon)
    voxels = ribbon.grid_indices(domain.box_voxels())
    np.testing.assert_array_equal(voxels, np.flatnonzero(labels.array == GM))
    assert domain.labelled.all()
    k, _, i = np.unravel_index(voxels, labels.grid.shape)
    # Cut are the unlabelled side and the volume's edges.
    expected = (k == 0) | (k == 5) | (i == 2) | (i == 9)
    np.testing.assert_array_equal(domain.touches_cut(), expected)
    white = domain.distances[WHITE][: domain.inside]
    pial = domain.distances[PIAL][: domain.inside]
    j = np.unravel_index(voxels, labels.grid.shape)[1]
    np.testing.assert_allclose(white[j == 8], 0.5, atol=0.03)
    np.testing.assert_allclose(pial[j == 15], 0.5, atol=0.03)


def test_progress_rises_and_can_stop_the_solver() -> None:
    labels, _ = tube(6, ISO)
    domain = make_domain(make_ribbon(labels, SETTINGS))
    seen: list[float] = []
    solve_potential(domain, seen.append)
    assert len(seen) > 3
    assert all(0 < a < b <= 1 for a, b in zip(seen, seen[1:], strict=False))

    def stop(fraction: float) -> None:
        if fraction > seen[1]:
            raise Cancelled

    with pytest.raises(Cancelled):
        solve_potential(domain, stop)
