"""Columns that the picture's or the labels' edge cuts off, against the truth of phantoms."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import pytest
from numpy.typing import NDArray

from ALSMotorCortexLib.cortex import phantoms
from ALSMotorCortexLib.cortex.errors import InputError
from ALSMotorCortexLib.cortex.folded_sheet import FoldedSheet
from ALSMotorCortexLib.cortex.grid import Grid, Image
from ALSMotorCortexLib.cortex.measure import measure
from ALSMotorCortexLib.cortex.settings import Settings
from ALSMotorCortexLib.cortex.shapes import Cylinder

CSF, WM, GM = 1, 2, 3
SETTINGS = Settings(gm=(GM,), wm=(WM,), csf=(CSF,))
SPACING = (0.4, 0.4, 0.4)
# Shapes, and the share of the grid around them along each axis that is the picture.
SHAPES = {
    "gyrus": (Cylinder(5, 8, True, 4.0), 0.4),
    "sulcus": (Cylinder(3, 6, False, 4.0), 0.5),
    "folded sheet": (FoldedSheet(), 0.5),
}


@lru_cache
def measured(name: str, room: int) -> tuple[NDArray, NDArray]:
    """Error of thickness in mm, NaN where there is none, and how many mm away from the picture's
    edge the true field line stays, below 0 where it leaves, at the gray-matter voxels away from
    the shape's own sides.

    Args:
        name: of the shape, of whose grid the middle is the picture.
        room: unlabelled voxels around; then the labels end where the picture did.
    """
    shape, keep = SHAPES[name]
    phantom = phantoms.make(shape, SPACING, np.random.default_rng(5), keep=keep)
    labels = np.pad(phantom.labels.array, room)
    result = measure(Image(labels, Grid.from_spacing(labels.shape, SPACING)), SETTINGS)
    found = result.paint(result.thickness, np.nan)
    found = found[tuple(slice(room, n - room) for n in labels.shape)]
    chosen = phantom.side_mm > 1
    return (found - phantom.thickness)[chosen], phantom.edge_mm[chosen]


cases = pytest.mark.parametrize("name", SHAPES)
rooms = pytest.mark.parametrize("room", [0, 12], ids=["picture", "labels"])


@cases
@rooms
def test_whole_columns_are_measured(name, room) -> None:
    error, stays = measured(name, room)
    whole = stays > 0.4
    assert whole.sum() > 200
    assert np.isfinite(error[whole]).all()
    assert np.abs(error[whole]).mean() < 0.06


@cases
@rooms
def test_columns_that_leave_get_no_wrong_thickness(name, room) -> None:
    error, stays = measured(name, room)
    leaves = stays < -0.4
    assert leaves.sum() > 200
    # Some have whole columns nearby, and get what those say.
    assert np.nanmean(np.abs(error[leaves])) < 0.25


def test_what_is_far_from_whole_columns_gets_no_thickness() -> None:
    error, stays = measured("gyrus", 0)
    far = stays < -1.2
    assert far.sum() > 500
    assert np.isfinite(error[far]).mean() < 0.4


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_edges_square_to_the_cortex_cut_nothing_off(axis) -> None:
    layers = np.repeat([WM, GM, CSF], [6, 10, 6])
    labels = np.broadcast_to(layers, (14, 13, 22)).astype(np.uint8)
    labels = np.ascontiguousarray(np.moveaxis(labels, 2, axis))
    result = measure(Image(labels, Grid.from_spacing(labels.shape, (0.3, 0.25, 0.4))), SETTINGS)
    np.testing.assert_allclose(result.thickness, 10 * (0.3, 0.25, 0.4)[axis], rtol=0.01)
    assert "columns_cut_off" not in {f.code for f in result.findings}


def test_a_picture_without_a_whole_column_is_refused() -> None:
    """A sheet 3 mm thick, 10 degrees from lying along a picture 2 mm high."""
    k, _, i = np.indices((4, 12, 60)) * 0.5
    across = k * np.cos(np.radians(10)) + i * np.sin(np.radians(10)) - 1.8
    labels = np.where(across < 0, WM, np.where(across > 3, CSF, GM)).astype(np.uint8)
    with pytest.raises(InputError, match="No column"):
        measure(Image(labels, Grid.from_spacing(labels.shape, (0.5, 0.5, 0.5))), SETTINGS)
