"""Means over voxels against means that are known."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from ALSMotorCortexLib.cortex.grid import Grid
from ALSMotorCortexLib.cortex.phantoms import Placement
from ALSMotorCortexLib.cortex.plane_table import TABLE_MM, PlaneTable
from ALSMotorCortexLib.cortex.shapes import Slab

SPACING = (0.8, 0.4, 0.3)


@dataclass(frozen=True)
class Case:
    placement: Placement
    offsets: NDArray
    table: PlaneTable


@pytest.fixture
def case() -> Case:
    """A small grid, turned at random against the axis along which nothing changes."""
    rng = np.random.default_rng(2)
    grid = Grid.from_spacing((4, 9, 11), SPACING)
    rotation = Rotation.from_rotvec(rng.normal(size=3) * 0.4).as_matrix()
    placement = Placement(Slab(), grid, rotation, rng.uniform(0, 2, 3))
    offsets = rng.uniform(-0.5, 0.5, (400, 3)) * SPACING
    return Case(placement, offsets, PlaneTable.around(placement, offsets))


def centres(placement: Placement) -> NDArray:
    return np.concatenate([own for _, own in placement.points()])


def test_table_holds_every_point_of_every_voxel(case: Case) -> None:
    own = centres(case.placement)[:, None] + case.offsets @ case.placement.rotation.T
    places = case.table.points
    assert (own[..., 1:].min(axis=(0, 1)) >= places[:, 1:].min(axis=0) - 1e-9).all()
    assert (own[..., 1:].max(axis=(0, 1)) <= places[:, 1:].max(axis=0) + 1e-9).all()


def test_mean_of_a_linear_function_is_its_value_at_the_mean_point(case: Case) -> None:
    slopes = np.array([0.7, -1.3])
    values = case.table.points[:, 1:] @ slopes
    means = case.table.means(values[:, None], case.offsets)[:, 0]
    middle = centres(case.placement) + case.offsets.mean(axis=0) @ case.placement.rotation.T
    # The nearest place of the table is off by up to half its spacing, to either side.
    error = means - middle[:, 1:] @ slopes
    assert np.abs(error).max() < TABLE_MM / 4
    assert abs(error.mean()) < TABLE_MM / 20


def test_weights_pick_out_points(case: Case) -> None:
    """Each column has weights of its own, and they may be complex."""
    values = np.column_stack([case.table.points[:, 1], case.table.points[:, 2]])
    weights = np.zeros((len(case.offsets), 2), complex)
    weights[7, 0], weights[11, 1] = 1.0, 2j
    means = case.table.means(values, case.offsets, weights)
    turned = centres(case.placement)[:, None] + case.offsets @ case.placement.rotation.T
    np.testing.assert_allclose(means[:, 0], turned[:, 7, 1], atol=0.51 * TABLE_MM)
    np.testing.assert_allclose(means[:, 1], 2j * turned[:, 11, 2], atol=1.02 * TABLE_MM)
