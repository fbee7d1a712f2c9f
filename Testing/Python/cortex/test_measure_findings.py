"""What the measurement says of odd input, and what it refuses."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from ALSMotorCortexLib.cortex.errors import InputError
from ALSMotorCortexLib.cortex.grid import Grid, Image
from ALSMotorCortexLib.cortex.measure import measure
from ALSMotorCortexLib.cortex.result import Measurement
from ALSMotorCortexLib.cortex.shapes import CSF, GM, WM
from known_ribbons import (
    COARSE,
    ISO,
    PER_VOXEL,
    SETTINGS,
    flat,
    ramp_on,
    tube,
    turned,
)


def codes(measured: Measurement) -> set[str]:
    return {f.code for f in measured.findings}


@pytest.mark.parametrize("wm_inside", [True, False])
def test_a_cortex_that_curves_around_csf_is_mentioned(wm_inside: bool) -> None:
    labels, _ = tube(6, ISO)
    measured = measure(labels, SETTINGS if wm_inside else replace(SETTINGS, wm=(1,), csf=(2,)))
    assert ("curved_around_csf" in codes(measured)) == (not wm_inside)


@pytest.mark.parametrize(
    "name, white, csf, odd",
    [
        ("T2star", 20.0, 80.0, False),
        ("T2* (ms)", 80.0, 20.0, True),
        ("R2star", 20.0, 80.0, True),
        ("R2*", 80.0, 20.0, False),
        ("phase", 80.0, 20.0, False),
    ],
)
def test_swapped_labels_are_guessed_from_a_maps_contrast(name, white, csf, odd) -> None:
    labels = flat((8, 26, 8), 10, 6, COARSE)
    field = np.select([labels.array == WM, labels.array == GM], [white, 50.0], csf)
    measured = measure(labels, SETTINGS, {name: Image(field, labels.grid)})
    assert ("contrast_swapped" in codes(measured)) == odd
    assert ("sides_unchecked" in codes(measured)) == (name == "phase")


def test_sides_that_nothing_can_tell_are_mentioned() -> None:
    labels = flat((8, 26, 8), 10, 6, COARSE)
    for swapped in (False, True):
        settings_ = replace(SETTINGS, wm=(CSF,), csf=(WM,)) if swapped else SETTINGS
        (finding,) = measure(labels, settings_).findings
        assert finding.code == "sides_unchecked" and not finding.warning
        assert "--wm and --csf" in finding.message


def test_one_sentence_is_enough_where_the_curvature_speaks() -> None:
    labels, _ = tube(6, ISO)
    measured = measure(labels, replace(SETTINGS, wm=(CSF,), csf=(WM,)))
    assert codes(measured) == {"curved_around_csf"}


@pytest.mark.parametrize("value", [0.0, 7.0])
@pytest.mark.parametrize("holes", [False, True])
def test_a_map_of_one_value_is_mentioned(value: float, holes: bool) -> None:
    labels = flat((8, 26, 8), 10, 6, COARSE)
    field = np.where(labels.array == GM, value, 3.0)
    if holes:
        field[2] = np.nan
    measured = measure(labels, SETTINGS, {"T2star": Image(field, labels.grid)})
    (finding,) = [f for f in measured.findings if f.code == "map_constant"]
    assert finding.warning and f"{value:g}, throughout" in finding.message
    field[labels.array == GM] += np.linspace(0, 1e-3, np.count_nonzero(labels.array == GM))
    measured = measure(labels, SETTINGS, {"T2star": Image(field, labels.grid)})
    assert "map_constant" not in codes(measured)


def test_repairs_and_gaps_are_passed_on() -> None:
    array = flat((16, 30, 16), 10, 10, COARSE).array
    array[4, 14, 4], array[8, 26, 8] = 0, GM
    array[10:12, 10:20, 10:12] = CSF
    measured = measure(Image(array, Grid.from_spacing(array.shape, COARSE)), SETTINGS)
    repaired = {"holes_filled", "islands_dropped", "csf_touches_white_matter"}
    assert codes(measured) == {*repaired, "sides_unchecked"}
    painted = measured.paint(measured.thickness, np.nan)
    assert np.isfinite(painted[4, 14, 4]) and np.isnan(painted[8, 26, 8])


def test_voxels_without_both_borders_are_counted_and_have_nothing() -> None:
    array = flat((6, 30, 10), 8, 8).array
    array[:, 22:26], array[:, 26:] = GM, 0
    labels = Image(array, Grid.from_spacing(array.shape, (1, 1, 1)))
    measured = measure(labels, SETTINGS, {"ramp": ramp_on(labels.grid)})
    loose = np.unravel_index(measured.voxels, array.shape)[1] >= 22
    for name in PER_VOXEL:
        assert_array_equal(np.isnan(getattr(measured, name)), loose)
    assert_array_equal(measured.layers == 0, loose)
    assert_array_equal(measured.columns == -1, loose)
    (finding,) = [f for f in measured.findings if f.code == "voxels_without_thickness"]
    assert f"{loose.sum()} of {len(loose)}" in finding.message and finding.warning
    assert measured.value("measured_share") == pytest.approx(1 - loose.mean())
    assert sum(r.n for r in measured.profiles) == np.count_nonzero(~loose)


def far(grid: Grid) -> Image:
    return Image(np.ones(grid.shape), turned(grid, (0, 0, 0), (500, 0, 0)), "far.nii")


@pytest.mark.parametrize(
    "arguments, says",
    [
        (lambda g: {"maps": {"m": far(g)}}, "map far.nii and the labels do not overlap"),
        (lambda g: {"maps": {"m": Image(np.full(g.shape, np.nan), g)}}, "Map m holds no number"),
        (lambda g: {"regions": {"foot": far(g)}}, "Region foot has no voxel in the ribbon"),
        (lambda g: {"regions": {"ribbon": ramp_on(g)}}, "cannot be called ribbon"),
    ],
)
def test_maps_and_regions_that_cannot_be_used(arguments, says: str) -> None:
    labels = flat()
    with pytest.raises(InputError, match=says):
        measure(labels, SETTINGS, **arguments(labels.grid))


@pytest.mark.parametrize(
    "changed, says",
    [
        ({"reference": "region:knee"}, "reference region knee is not among the regions: ribbon"),
        ({"reference": "csf"}, "The reference csf is 0 in map m"),
        ({"gm": (9,)}, "No voxel carries the gray-matter label 9"),
        ({"plane": "slanted"}, "plane must be one of"),
    ],
)
def test_settings_that_cannot_be_met(changed, says: str) -> None:
    labels = flat((8, 16, 8))
    zero = Image(np.zeros(labels.grid.shape), labels.grid)
    with pytest.raises(InputError, match=says):
        measure(labels, SETTINGS.with_values(changed), {"m": zero})


def test_gray_matter_whose_pieces_reach_one_border_each() -> None:
    array = np.zeros((6, 30, 10), np.uint8)
    array[:, :4], array[:, 4:10], array[:, 20:26], array[:, 26:] = WM, GM, GM, CSF
    labels = Image(array, Grid.from_spacing(array.shape, (1, 1, 1)))
    with pytest.raises(InputError, match="No field line joins"):
        measure(labels, SETTINGS)
