"""Rigid registration of an echo that moved by a known amount."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter
from scipy.spatial.transform import Rotation

from ALSMotorCortexLib.cortex.errors import InputError
from ALSMotorCortexLib.cortex.grid import Grid, Image
from ALSMotorCortexLib.cortex.motion import register

SPACING = np.array((1.5, 1.0, 1.0))
SHAPE = (20, 48, 48)


def head(ras: np.ndarray) -> np.ndarray:
    """Brightness at RAS points: blobs inside an ellipsoid."""
    x, y, z = np.moveaxis(ras, -1, 0)
    inside = (x / 20) ** 2 + (y / 17) ** 2 + (z / 13) ** 2 < 1
    return inside * (60 + 25 * np.sin(x / 3) * np.cos(y / 4) + 15 * np.sin(z / 3 + x / 5))


def grid_at(turn: Rotation, shift: np.ndarray) -> Grid:
    """A grid about the head's centre whose axes and origin are turned and shifted."""
    matrix = np.eye(4)
    matrix[:3, :3] = turn.as_matrix() * SPACING[::-1]
    centre = np.array(SHAPE[::-1]) / 2 - 0.5
    matrix[:3, 3] = shift - matrix[:3, :3] @ centre
    return Grid(SHAPE, matrix)


def sampled(grid: Grid) -> np.ndarray:
    kji = np.stack(np.meshgrid(*[np.arange(n) for n in SHAPE], indexing="ij"), axis=-1)
    return gaussian_filter(head(grid.ras(kji.reshape(-1, 3))).reshape(SHAPE), 0.7)


def test_a_known_movement_is_undone() -> None:
    still = grid_at(Rotation.identity(), np.zeros(3))
    turn, shift = Rotation.from_euler("z", 4, degrees=True), np.array([2.0, -1.5, 1.0])
    rng = np.random.default_rng(0)
    fixed = Image(sampled(still) + rng.normal(0, 1, SHAPE), still, "echo 1")
    # The head moves; the header of the second echo knows nothing of it.
    moved = 0.7 * sampled(grid_at(turn, shift)) + rng.normal(0, 1, SHAPE)
    found, motion = register(Image(moved, still, "echo 2"), fixed)
    assert motion.angle_deg == pytest.approx(4, abs=0.1)
    assert motion.shift_mm == pytest.approx(np.linalg.norm(shift), abs=0.05)
    again, same = register(Image(moved, still, "echo 2"), fixed)
    assert again.array == pytest.approx(found.array, abs=1e-3)
    assert same.voxels == pytest.approx(motion.voxels)
    inner = sampled(still) > 20
    assert np.corrcoef(found.array[inner], fixed.array[inner])[0, 1] > 0.97
    assert np.corrcoef(moved[inner], fixed.array[inner])[0, 1] < 0.9
    assert found.grid.same_as(still)
    assert found.array.min() >= 0


def test_another_grid_of_the_same_head_is_resampled_without_movement() -> None:
    still, other = (grid_at(Rotation.from_euler("x", a, degrees=True), np.zeros(3)) for a in (0, 6))
    fixed, moving = (Image(sampled(g) + 1, g, "echo") for g in (still, other))
    found, motion = register(moving, fixed)
    assert motion.shift_mm < 0.15 and motion.angle_deg < 0.3
    assert motion.voxels < 0.3
    middle = (slice(4, -4), slice(8, -8), slice(8, -8))
    assert np.abs(found.array[middle] - fixed.array[middle]).mean() < 2.0


def test_noise_does_not_make_a_still_head_move() -> None:
    """Shifted by half a voxel, interpolation blurs noise away: that must not count as a match."""
    still = grid_at(Rotation.identity(), np.zeros(3))
    rng = np.random.default_rng(1)
    fixed, moving = (
        Image(scale * sampled(still) + rng.normal(0, 6, SHAPE), still, "echo")
        for scale in (1.0, 0.7)
    )
    assert register(moving, fixed)[1].voxels < 0.4


def test_images_that_do_not_overlap_are_said() -> None:
    here = grid_at(Rotation.identity(), np.zeros(3))
    there = grid_at(Rotation.identity(), np.array([900.0, 0, 0]))
    with pytest.raises(InputError, match=r"echo 2.*echo 1"):
        register(Image(sampled(here), there, "echo 2"), Image(sampled(here), here, "echo 1"))
