"""Tissue next to the ribbon."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from ALSMotorCortexLib.cortex.adjacent import NEEDED, adjacent_medians, adjacent_voxels
from ALSMotorCortexLib.cortex.grid import Grid, Image
from ALSMotorCortexLib.cortex.ribbon import make_ribbon
from ALSMotorCortexLib.cortex.settings import Settings
from ALSMotorCortexLib.cortex.shapes import CSF, GM, WM
from known_ribbons import AXIAL, RIM, SETTINGS, flat, turned

SPACING = (0.5, 0.5, 0.5)
# White matter up to 9, gray matter up to 15, CSF from 16 on. More than a voxel and up to 2 mm
# from gray matter.
LABELS = flat((8, 26, 8), 10, 6, SPACING)
WHITE_ROWS, CSF_ROWS = [6, 7, 8], [17, 18, 19]


def beside(labels: Image, settings: Settings = SETTINGS) -> dict[str, np.ndarray]:
    return adjacent_voxels(make_ribbon(labels, settings), labels, settings)


def rows(voxels: np.ndarray, shape: tuple[int, int, int]) -> list[int]:
    """Which j the voxels have; all of every row, or none."""
    mask = np.zeros(shape, bool)
    mask.reshape(-1)[voxels] = True
    assert_array_equal(mask, np.broadcast_to(mask[:1, :, :1], shape))
    return [int(j) for j in np.flatnonzero(mask[0, :, 0])]


def test_adjacent_tissue_is_beside_the_ribbon_but_not_at_it() -> None:
    found = beside(LABELS)
    assert rows(found["white_matter"], LABELS.grid.shape) == WHITE_ROWS
    assert rows(found["csf"], LABELS.grid.shape) == CSF_ROWS


def test_lines_of_a_rim_are_not_tissue() -> None:
    array = np.zeros_like(LABELS.array)
    array[:, 8:10], array[:, 10:16], array[:, 16:18] = WM, GM, CSF
    found = beside(Image(array, LABELS.grid), RIM)
    assert rows(found["white_matter"], array.shape) == [6, 7]
    assert rows(found["csf"], array.shape) == [18, 19]


def test_in_plane_mode_neighbouring_slices_are_not_beside() -> None:
    array = LABELS.array.copy()
    array[4:][array[4:] == GM] = WM
    labels = Image(array, LABELS.grid)
    found = beside(labels, AXIAL)["white_matter"]
    assert np.unravel_index(found, array.shape)[0].max() == 3
    found = beside(labels)["white_matter"]
    assert np.unravel_index(found, array.shape)[0].max() > 4


def test_medians_are_of_the_adjacent_voxels_alone() -> None:
    ramp = np.broadcast_to(np.arange(26.0)[:, None], LABELS.array.shape).copy()
    bad = ramp.copy()
    bad[:, 7], bad[:, 18] = np.nan, np.inf
    grid = turned(LABELS.grid, (10, 20, 30), (4, 5, 6))
    # The same field in space, on a grid of half the spacing that begins at the same voxel.
    fine = np.linspace(0, 25, 51)[:, None] * np.ones((15, 1, 15))
    matrix = grid.ijk_to_ras.copy()
    matrix[:3, :3] /= 2
    maps = {
        "ramp": Image(ramp, grid),
        "bad": Image(bad, grid),
        "fine": Image(np.ascontiguousarray(fine), Grid((15, 51, 15), matrix)),
        "nothing": Image(np.full_like(ramp, np.nan), grid),
        "elsewhere": Image(ramp, turned(grid, (0, 0, 0), (500, 0, 0))),
    }
    labels = Image(LABELS.array, grid)
    ribbon = make_ribbon(labels, SETTINGS)
    medians = adjacent_medians(ribbon, labels, SETTINGS, maps)
    assert medians["ramp"] == {"white_matter": 7.0, "csf": 18.0}
    assert medians["bad"] == {"white_matter": 7.0, "csf": 18.0}
    assert medians["fine"] == pytest.approx({"white_matter": 7.0, "csf": 18.0}, rel=1e-5)
    assert medians["nothing"] == medians["elsewhere"] == {}
    assert adjacent_medians(ribbon, labels, SETTINGS, {}) == {}


@pytest.mark.parametrize("voxels, given", [(NEEDED, True), (NEEDED - 1, False)])
def test_too_few_voxels_give_no_median(voxels: int, given: bool) -> None:
    array = LABELS.array.copy()
    white = np.flatnonzero(np.isin(np.indices(array.shape)[1], WHITE_ROWS))
    array.reshape(-1)[white[voxels:]] = 0
    labels = Image(array, LABELS.grid)
    assert ("white_matter" in beside(labels)) == given
    value = Image(np.ones(array.shape), LABELS.grid)
    medians = adjacent_medians(make_ribbon(labels, SETTINGS), labels, SETTINGS, {"m": value})
    assert ("white_matter" in medians["m"]) == given


def test_the_opposite_bank_is_no_csf() -> None:
    array = LABELS.array.copy()
    array[:, :, 4:][array[:, :, 4:] == CSF] = 7
    both = SETTINGS.with_values({"other_bank": (7,)})
    found = beside(Image(array, LABELS.grid), both)["csf"]
    assert set(np.unravel_index(found, array.shape)[2]) == set(range(4))
    bank = SETTINGS.with_values({"csf": (), "other_bank": (CSF,)})
    assert set(beside(LABELS, bank)) == {"white_matter"}
