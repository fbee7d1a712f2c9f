"""Painting per-voxel values back onto the grid, and looking numbers up."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from ALSMotorCortexLib.cortex.grid import Grid
from ALSMotorCortexLib.cortex.result import RIBBON, Measure, Measurement
from known_ribbons import SETTINGS

SHAPE = (2, 3, 4)


def result_of(mask: np.ndarray, measures: tuple[Measure, ...] = ()) -> Measurement:
    """A measurement of the voxels in a mask, with nothing measured but ``measures``."""
    voxels = np.flatnonzero(mask)
    numbers = np.zeros(len(voxels), np.float32)
    return Measurement(
        grid=Grid.from_spacing(SHAPE, (1, 1, 1)),
        settings=SETTINGS,
        voxels=voxels,
        thickness=numbers,
        depth_equidistant=numbers,
        depth_equivolume=numbers,
        layers=numbers.astype(np.uint8),
        columns=numbers.astype(np.int32),
        normals=np.zeros((len(voxels), 3), np.float32),
        near_cut=np.zeros(len(voxels), bool),
        values={},
        units={},
        regions={RIBBON: np.ones(len(voxels), bool)},
        measures=measures,
        profiles=(),
        findings=(),
    )


@given(hnp.arrays(bool, SHAPE), st.sampled_from([np.float32, np.uint8]), st.integers(0, 9))
def test_paint_puts_each_value_in_its_voxel_and_one_value_elsewhere(mask, kind, outside) -> None:
    result = result_of(mask)
    values = (10 + np.arange(mask.sum())).astype(kind)
    painted = result.paint(values, outside=outside)
    assert painted.shape == SHAPE and painted.dtype == kind
    np.testing.assert_array_equal(painted[mask], values)
    assert (painted[~mask] == outside).all()


def test_paint_takes_nan_for_outside() -> None:
    mask = np.zeros(SHAPE, bool)
    mask[1, 1, 1] = True
    painted = result_of(mask).paint(np.ones(1, np.float32), outside=np.nan)
    assert np.isnan(painted[~mask]).all() and painted[1, 1, 1] == 1


def test_value_tells_regions_and_maps_apart() -> None:
    rows = (
        Measure(RIBBON, "", "thickness_mean", 2.0, "mm"),
        Measure("foot", "", "thickness_mean", 3.0, "mm"),
        Measure("foot", "r2star", "mean", 20.0, "1/s"),
        Measure("foot", "t2star", "mean", 30.0, "ms"),
    )
    result = result_of(np.ones(SHAPE, bool), rows)
    assert result.value("thickness_mean") == 2.0
    assert result.value("thickness_mean", region="foot") == 3.0
    assert result.value("mean", region="foot", map="t2star") == 30.0
    with pytest.raises(KeyError, match="mean"):
        result.value("mean", map="t2star")
