"""The place of a border between voxels: exact where it can be, never far from the labels."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from numpy.typing import NDArray
from scipy import ndimage

from ALSMotorCortexLib.cortex import border as border_module
from ALSMotorCortexLib.cortex import scale
from ALSMotorCortexLib.cortex.border import find_border
from ALSMotorCortexLib.cortex.known import Known

ISO = (0.25, 0.25, 0.25)
SPACINGS = {"iso": ISO, "0.2 x 0.2 x 0.32": (0.32, 0.2, 0.2), "thick": (1.5, 0.25, 0.25)}
every_spacing = pytest.mark.parametrize("spacing", SPACINGS.values(), ids=SPACINGS)


@pytest.fixture(autouse=True, params=[0, scale.WHOLE], ids=["every second", "every voxel"])
def voxels_worked_on(request, monkeypatch: pytest.MonkeyPatch) -> None:
    """The boxes here are small: work on them as on large ones, too."""
    monkeypatch.setattr(scale, "WHOLE", request.param)


def positions(shape: tuple[int, int, int], spacing: tuple[float, float, float]) -> NDArray:
    """(k, j, i, 3) mm of every voxel centre from the middle of the box."""
    middle = (np.array(shape) - 1) / 2
    return (np.moveaxis(np.indices(shape), 0, -1) - middle) * spacing


def core(array: NDArray, margin: int = 8) -> NDArray:
    """The part away from the box's edge."""
    return array[
        tuple(slice(margin, -margin) if n > 2 * margin else slice(None) for n in array.shape)
    ]


@pytest.mark.parametrize("axis", range(3))
@pytest.mark.parametrize("name", SPACINGS)
def test_a_flat_border_along_an_axis_runs_half_way(name: str, axis: int) -> None:
    spacing = SPACINGS[name]
    voxel = np.arange(24).reshape([-1 if a == axis else 1 for a in range(3)])
    shape = tuple(24 if a == axis else 20 for a in range(3))
    truth = np.broadcast_to((voxel - 11.5) * spacing[axis], shape)
    distance = find_border((truth > 0).astype(np.float32), spacing).distance
    beside = np.abs(truth) < spacing[axis]
    assert_allclose(distance[beside], truth[beside], atol=0.1 * spacing[axis])


@pytest.mark.parametrize("seed", range(3))
def test_an_oblique_plane_is_found_to_a_small_part_of_a_voxel(seed: int) -> None:
    rng = np.random.default_rng(seed)
    normal = rng.normal(size=3)
    normal /= np.linalg.norm(normal)
    shape = (40, 40, 40)
    truth = positions(shape, ISO) @ normal + rng.uniform(-0.1, 0.1)
    border = find_border((truth > 0).astype(np.float32), ISO)
    near = core(np.abs(truth) < 0.5)
    error = (core(border.distance) - core(truth))[near]
    assert np.abs(error.mean()) < 0.01 * ISO[0]
    assert np.abs(error).mean() < 0.06 * ISO[0]
    assert np.abs(core(border.curvature)[near]).mean() < 0.1


@pytest.mark.parametrize("outward", [True, False])
def test_a_sphere_has_its_distance_and_curvature(outward: bool) -> None:
    radius = 4.1
    r = np.linalg.norm(positions((46, 46, 46), ISO) + 0.07, axis=-1)
    truth = (r - radius) * (1 if outward else -1)
    border = find_border((truth > 0).astype(np.float32), ISO)
    near = np.abs(truth) < 0.3
    error = (border.distance - truth)[near]
    assert np.abs(error.mean()) < 0.03 * ISO[0]
    assert np.abs(error).mean() < 0.1 * ISO[0]
    # The inside widens away from the border of a ball cut out of it: 2 / r.
    expected = (1 if outward else -1) * 2 / radius
    assert np.mean(border.curvature[near]) == pytest.approx(expected, rel=0.15)


def test_a_half_voxel_puts_the_border_into_the_voxel() -> None:
    inside = np.zeros((20, 24, 20), np.float32)
    inside[:, 12], inside[:, 13:] = 0.5, 1
    distance = find_border(inside, ISO).distance
    assert_allclose(distance[:, 12], 0, atol=0.02)
    assert_allclose(distance[:, 13], 0.25, atol=0.02)


@pytest.mark.parametrize("axis", range(3))
def test_a_sulcus_of_one_voxel_stays_open(axis: int) -> None:
    inside = np.ones((20, 20, 20), np.float32)
    sulcus = tuple(10 if a == axis else slice(None) for a in range(3))
    inside[sulcus] = 0
    assert (find_border(inside, ISO).distance[sulcus] < 0).all()


def test_lengths_scale_with_the_spacing() -> None:
    rng = np.random.default_rng(0)
    inside = (ndimage.gaussian_filter(rng.normal(size=(16, 17, 18)), 2) > 0).astype(np.float32)
    small = find_border(inside, (0.3, 0.2, 0.2))
    # A factor that rounding knows nothing of: which kernel is taken can hang on the last digit.
    large = find_border(inside, (1.2, 0.8, 0.8))
    assert_allclose(large.distance, 4 * small.distance, rtol=1e-4, atol=1e-5)
    assert_allclose(large.curvature, small.curvature / 4, rtol=1e-4, atol=1e-5)


blobs = st.tuples(st.integers(0, 10**6), st.floats(0.3, 3), st.floats(-1, 1))


def blob(seed: int, smooth: float, level: float) -> NDArray[np.float32]:
    """A random label: noise of some smoothness above some level."""
    rng = np.random.default_rng(seed)
    noise = ndimage.gaussian_filter(rng.normal(size=(14, 15, 16)), smooth)
    return (noise > level * noise.std()).astype(np.float32)


@settings(max_examples=25)
@given(blobs, st.sampled_from(list(SPACINGS.values())), st.sampled_from([(0, 1, 2), (1, 2)]))
def test_the_border_never_jumps_over_a_voxel_centre(shape, spacing, axes) -> None:
    inside = blob(*shape)
    distance = find_border(inside, spacing, axes).distance
    known = np.isfinite(distance)
    assert (distance[known & (inside == 1)] > 0).all()
    assert (distance[known & (inside == 0)] < 0).all()
    # Between neighbours of different label it crosses zero, so it moves by less than a voxel.
    for axis in axes:
        if spacing[axis] < 1:
            step = np.diff(inside, axis=axis) != 0
            assert np.isfinite(np.diff(distance, axis=axis)[step]).all()


@settings(max_examples=10)
@given(blobs, st.sampled_from(list(SPACINGS.values())))
def test_inside_and_outside_are_treated_alike(shape, spacing) -> None:
    inside = blob(*shape)
    distance = find_border(inside, spacing).distance
    other = find_border(1 - inside, spacing).distance
    both = np.abs(distance + other) < np.inf
    both &= np.abs(distance) < min(spacing)
    assert both.any() or inside.min() == inside.max()
    # In noise, whether an arc suits may hang on the last digit at a voxel or two.
    differs = np.abs(other[both] + distance[both]) > 0.02 * min(spacing)
    assert np.count_nonzero(differs) <= 2 + 0.002 * differs.size


def test_slices_are_separate_when_measured_in_plane() -> None:
    inside = blob(3, 2.0, 0.0)
    changed = inside.copy()
    changed[7] = 1 - changed[7]
    one, other = (find_border(a, ISO, (1, 2)).distance for a in (inside, changed))
    rest = np.arange(len(inside)) != 7
    np.testing.assert_array_equal(one[rest], other[rest])
    # In 3D the neighbouring slices do feel it.
    one, other = (find_border(a, ISO).distance for a in (inside, changed))
    assert np.nanmax(np.abs(one[rest] - other[rest])) > 0.05


@pytest.mark.parametrize("tilt", [0.0, 0.35, 0.7])
def test_a_border_goes_on_past_what_is_known_as_it_came(tilt: float) -> None:
    shape = (52, 56, 56)
    away = np.array([np.sin(tilt), np.cos(tilt), 0.2])
    away /= np.linalg.norm(away)
    along = np.cross(away, [0.0, 0.0, 1.0])
    place = positions(shape, ISO)
    truth = place @ away + 0.03
    mask = place @ along < 0
    inside = np.where(mask, truth > 0, 0.7).astype(np.float32)  # what is unknown says nothing
    distance = find_border(inside, ISO, known=Known(mask, ISO, (0, 1, 2))).distance
    assert np.isnan(distance[~mask]).all()
    beside = mask & (place @ along > -3 * ISO[0]) & (np.abs(truth) < ISO[0])
    error = core(np.where(beside, distance - truth, np.nan), 14)
    assert np.abs(np.nanmean(error)) < 0.04 * ISO[0]
    assert np.nanmean(np.abs(error)) < 0.12 * ISO[0]


def test_slices_measured_one_by_one_are_continued_one_by_one() -> None:
    inside = blob(5, 2.0, 0.0)
    mask = np.ones(inside.shape, bool)
    mask[:, 9:] = False
    mask[7] = False
    rest = np.arange(len(inside)) != 7
    found = find_border(inside, ISO, (1, 2), known=Known(mask, ISO, (1, 2))).distance
    mask[7, :9] = True
    other = find_border(inside, ISO, (1, 2), known=Known(mask, ISO, (1, 2))).distance
    np.testing.assert_array_equal(found[rest], other[rest])
    assert np.isnan(found[7]).all() and np.isfinite(other[7]).any()


@pytest.mark.parametrize("size", [40, 41])
def test_leaving_out_voxels_does_not_move_the_array_s_ends(
    size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A border that the ends cut obliquely, blurred at every second voxel and at all."""
    place = np.indices((size, size, size)) - (size - 1) / 2
    inside = (place[0] + 0.6 * place[1] + 0.3 * place[2] > 0.2).astype(np.float32)
    monkeypatch.setattr(scale, "WHOLE", 0)
    every_second = scale.Scale((1.0, 1.0, 1.0), (0, 1, 2), inside.shape)
    kernels = border_module._Kernels(inside, None, every_second)
    wide = border_module.VARIANCES[border_module.COARSE_FROM :]
    for blurred, variance in zip(kernels.wide((slice(0, size),) * 3), wide, strict=True):
        expected = ndimage.gaussian_filter(inside, np.sqrt(variance), mode="nearest", truncate=3)
        error = np.abs(blurred - expected)
        assert error.max() < 0.035 and error.mean() < 0.0015


def test_parts_of_the_box_do_not_show(monkeypatch: pytest.MonkeyPatch) -> None:
    inside = blob(3, 1.5, 0.0)  # fine enough to need narrow kernels, too
    mask = np.ones(inside.shape, bool)
    mask[:, :, 20:] = False
    known = Known(mask, ISO, (0, 1, 2))
    whole = find_border(inside, ISO, known=known)
    monkeypatch.setattr(border_module, "PART", 3000)
    parts = find_border(inside, ISO, known=known)
    assert_allclose(parts.distance, whole.distance, atol=1e-5)
    assert_allclose(parts.curvature, whole.curvature, atol=1e-3)


def test_borders_do_not_feel_what_is_far_from_where_they_are_wanted() -> None:
    inside = blob(7, 2.5, 0.0)
    mask = np.ones(inside.shape, bool)
    mask[:, 14:] = False
    wanted = np.zeros(inside.shape, bool)
    wanted[:, :5] = True
    found, other = (
        find_border(inside, ISO, wanted=wanted, known=Known(mask, ISO, (0, 1, 2), asked)).distance
        for asked in (None, wanted)
    )
    assert np.isfinite(found).any()
    assert_allclose(other, found, atol=1e-3 * ISO[0])
