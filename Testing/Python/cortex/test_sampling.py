"""Sampling against images whose values between voxels are known."""

from __future__ import annotations

import numpy as np
import pytest

from ALSMotorCortexLib.cortex.grid import Grid, Image
from ALSMotorCortexLib.cortex.sampling import inside, sample, sample_usual, voxel_along


def wave(shape=(9, 40, 50), spacing=(1.5, 0.4, 0.3)) -> Image:
    grid = Grid.from_spacing(shape, spacing)
    kji = np.stack(np.meshgrid(*[np.arange(n) for n in shape], indexing="ij"), axis=-1)
    return Image(field(grid.ras(kji)), grid)


def field(ras: np.ndarray) -> np.ndarray:
    return np.sin(ras[..., 0]) + 0.5 * np.cos(1.3 * ras[..., 1]) + 0.2 * ras[..., 2]


def points(number: int = 200, low=(3, 3, 2.5), high=(11, 12, 9)) -> np.ndarray:
    return np.random.default_rng(0).uniform(low, high, (number, 3))


def test_between_voxels_it_follows_a_smooth_field() -> None:
    # Away from the first and last slices, beyond which the field has to be guessed.
    at = points(low=(3, 3, 4.5), high=(11, 12, 7.5))
    assert np.abs(sample(wave(), at) - field(at)).max() < 3e-3


def test_at_voxel_centres_it_gives_the_voxel() -> None:
    image = wave()
    kji = np.random.default_rng(1).integers(0, image.array.shape, (100, 3))
    np.testing.assert_allclose(
        sample(image, image.grid.ras(kji)), image.array[tuple(kji.T)], atol=1e-6
    )


def test_points_on_one_slice_need_only_that_slice() -> None:
    image = wave()
    at = points()
    at[:, 2] = image.grid.ras(np.array([4.0, 0, 0]))[2]
    lone = np.full_like(image.array, 1e6)
    lone[4] = image.array[4]
    np.testing.assert_allclose(sample(Image(lone, image.grid), at), sample(image, at))


def test_a_single_slice_has_a_thickness() -> None:
    image = wave((1, 40, 50))
    at = points(low=(3, 3, -0.7), high=(11, 12, 0.7))
    assert np.isfinite(sample(image, at)).all()
    assert np.isnan(sample(image, at + [0, 0, 2])).all()


def test_outside_is_nan_and_shape_is_kept() -> None:
    values = sample(wave(), np.array([[[5, 5, 5], [90, 5, 5]], [[5, -3, 5], [5, 5, 6.0]]]))
    np.testing.assert_array_equal(np.isnan(values), [[False, True], [True, False]])


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_missing_voxels_stay_missing_and_do_not_spread(bad: float) -> None:
    image = wave()
    array = image.array.copy()
    array[4, 20, 25] = bad
    at = image.grid.ras(np.array([[4, 20, 25.2], [4, 20, 28], [4, 24, 25], [6, 20, 25]]))
    values = sample(Image(array, image.grid), at)
    assert np.isnan(values[0])
    np.testing.assert_allclose(values[1:], sample(image, at)[1:], atol=0.02)


def test_voxel_along() -> None:
    grid = Grid.from_spacing((4, 4, 4), (1.5, 0.4, 0.3))
    np.testing.assert_allclose(voxel_along(grid, np.array([2.0, 0, 0])), 0.3)
    np.testing.assert_allclose(voxel_along(grid, np.array([0, 0, -1.0])), 1.5)
    assert 0.3 < voxel_along(grid, np.array([1.0, 1.0, 0])) < 0.4


def test_inside_reaches_to_the_voxels_face() -> None:
    grid = Grid.from_spacing((2, 3, 4), (1.0, 1.0, 1.0))
    at = np.array([[3.49, 0, 0], [3.52, 0, 0], [-0.49, 2.49, 1.49], [0, 0, -0.6]])
    np.testing.assert_array_equal(inside(grid, at), [True, False, True, False])


def test_borders_in_a_map_of_rates_are_sought_in_the_times() -> None:
    rng = np.random.default_rng(3)
    grid = Grid.from_spacing((6, 14, 15), (0.5, 0.25, 0.25))
    times = rng.uniform(20, 45, grid.shape)
    times[:, :, :3] = 900.0  # CSF, far out of the ordinary
    points = grid.ras(rng.uniform(1, 4, (200, 3)) * [1, 3, 3])
    t2star, r2star = Image(times, grid, "T2star"), Image(1000 / times, grid, "Case 3 R2star")
    found = [
        sample_usual(image, points, sample(image, points), points[None])
        for image in (t2star, r2star)
    ]
    np.testing.assert_allclose(1000 * found[1], found[0], rtol=1e-6)
    # Noise takes the rate of CSF to nothing: the border must not hang on it.
    noisy = Image(np.where(times > 800, rng.normal(0, 2, grid.shape), 1000 / times), grid, "R2star")
    values = sample_usual(noisy, points, sample(noisy, points), points[None])
    assert np.isfinite(values).all() and values.max() < 3 * 0.45
