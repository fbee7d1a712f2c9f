"""From label maps to ribbons: which face is which border, what is repaired, what is refused."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from ALSMotorCortexLib.cortex import folded_sheet, phantoms, shapes
from ALSMotorCortexLib.cortex.errors import InputError
from ALSMotorCortexLib.cortex.grid import Grid, Image
from ALSMotorCortexLib.cortex.ribbon import CUT, GRAY, PIAL, WHITE, Ribbon, make_ribbon
from ALSMotorCortexLib.cortex.shapes import CSF, GM, UNLABELLED, WM
from known_ribbons import AXIAL, RIM, SETTINGS, flat, hidden, turned


def changed(labels: Image, value: int, *voxels: tuple) -> Image:
    """The labels with ``value`` at some voxels or slices."""
    array = labels.array.copy()
    for voxel in voxels:
        array[voxel] = value
    return Image(array, labels.grid, labels.name)


def found(ribbon: Ribbon, code: str) -> list:
    return [f for f in ribbon.findings if f.code == code]


def test_every_label_becomes_its_tissue() -> None:
    labels = changed(flat(), 7, np.s_[:, 11:, :4])
    settings = SETTINGS.with_values({"other_bank": (7,), "wm": (WM, 9)})
    labels = changed(labels, 9, np.s_[:, :5, 4:])
    labels = changed(labels, UNLABELLED, np.s_[0])
    ribbon = make_ribbon(labels, settings)
    expected = np.array([CUT, PIAL, WHITE, GRAY, 0, 0, 0, PIAL, 0, WHITE])[labels.array]
    start = tuple(slice(s, s + n) for s, n in zip(ribbon.start, ribbon.tissue.shape, strict=True))
    assert_array_equal(ribbon.tissue, expected[start])
    assert ribbon.line is None and ribbon.axes == (0, 1, 2) and ribbon.findings == ()


def test_the_box_knows_where_it_lies() -> None:
    shape = (40, 60, 50)
    array = np.zeros(shape, np.uint8)
    array[20:24, 29:31, 20:24], array[20:24, 31:35, 20:24] = WM, GM
    array[20:24, 35:37, 20:24] = CSF
    grid = turned(Grid.from_spacing(shape, (0.5, 0.2, 0.3)), (10, 20, 30), (4, 5, 6))
    ribbon = make_ribbon(Image(array, grid), SETTINGS)
    assert ribbon.tissue.size < array.size / 2
    gray = np.flatnonzero(ribbon.tissue == GRAY)
    assert_array_equal(ribbon.grid_indices(gray), np.flatnonzero(array == GM))
    assert_allclose(
        ribbon.ras(np.argwhere(ribbon.tissue == GRAY)), grid.ras(np.argwhere(array == GM))
    )


@pytest.mark.parametrize(
    "plane, axes", [("axial", (1, 2)), ("coronal", (0, 2)), ("none", (0, 1, 2))]
)
def test_a_plane_leaves_out_the_axis_across_it(plane, axes) -> None:
    labels = Image(flat((9, 16, 9)).array, Grid.from_spacing((9, 16, 9), (1, 1, 1)))
    if plane == "coronal":
        labels = Image(
            np.ascontiguousarray(labels.array.swapaxes(1, 2)),
            Grid.from_spacing((9, 9, 16), (1, 1, 1)),
        )
    assert make_ribbon(labels, SETTINGS.with_values({"plane": plane})).axes == axes


def test_rim_lines_and_what_lies_behind_them() -> None:
    labels = flat((9, 24, 9), 10, 6)
    array = np.zeros_like(labels.array)
    array[:, 9], array[:, 10:16], array[:, 16] = WM, GM, CSF
    ribbon = make_ribbon(Image(array, labels.grid), RIM)
    assert ribbon.line is not None
    line = np.zeros(array.shape, bool)
    line[:, [9, 16]] = True
    assert_array_equal(ribbon.line, line)
    # What lies behind a line is of its tissue, as in tissue style.
    tissue = make_ribbon(labels, SETTINGS).tissue
    assert_array_equal(ribbon.tissue, tissue)


# Repairs


@pytest.mark.parametrize("kind", [UNLABELLED, 9])
def test_holes_up_to_the_stated_volume_are_filled_and_counted(kind: int) -> None:
    spacing = (0.5, 0.5, 0.5)
    labels = flat((12, 24, 12), 5, 12, spacing)
    small = [np.s_[5, 8, 5], np.s_[8, 13, 8]]
    large = np.s_[2:5, 10:13, 2:4]
    holed = changed(labels, kind, *small, large)
    # Voxels have 0.125 mm3, the large hole 18 of them.
    for limit, filled in ((0.125, 2), (2.24, 2), (2.25, 3)):
        ribbon = make_ribbon(holed, SETTINGS.with_values({"fill_holes_mm3": limit}))
        (finding,) = found(ribbon, "holes_filled")
        volume = 0.25 + 2.25 * (filled == 3)
        assert finding.message.startswith(f"{filled} holes in the gray matter")
        assert f"({volume:.2f} mm3 together)" in finding.message
        expected = labels if filled == 3 else changed(labels, UNLABELLED, large)
        assert_array_equal(
            ribbon.tissue == GRAY, (expected.array == GM)[:, : ribbon.tissue.shape[1]]
        )


def test_nothing_is_filled_or_dropped_when_told_so() -> None:
    settings = SETTINGS.with_values({"fill_holes_mm3": 0, "drop_islands_mm3": 0})
    labels = changed(flat((9, 20, 9), 5, 9), UNLABELLED, np.s_[4, 9, 4])
    labels = changed(labels, GM, np.s_[4, 17, 4])
    ribbon = make_ribbon(labels, settings)
    assert ribbon.findings == ()
    assert np.count_nonzero(ribbon.tissue == GRAY) == np.count_nonzero(labels.array == GM)


def test_the_corner_of_a_region_is_not_a_hole_but_a_hole_cut_by_the_last_slice_is() -> None:
    labels = flat((8, 20, 8), 5, 9)
    settings = SETTINGS.with_values({"fill_holes_mm3": 100.0})
    corner = np.s_[:2, 8:10, :2]
    ribbon = make_ribbon(changed(labels, UNLABELLED, corner), settings)
    assert ribbon.findings == () and (ribbon.tissue[corner] == CUT).all()
    side = np.s_[:2, 8:10, 3:5]
    ribbon = make_ribbon(changed(labels, UNLABELLED, side), settings)
    assert found(ribbon, "holes_filled") and (ribbon.tissue[side] == GRAY).all()


def test_a_hole_that_is_one_in_its_slice_is_filled_in_plane_mode() -> None:
    labels = changed(flat((5, 20, 9), 5, 9), UNLABELLED, np.s_[:, 9, 4])
    drilled = make_ribbon(labels, SETTINGS.with_values({"fill_holes_mm3": 1.0}))
    assert not (drilled.tissue == GRAY)[:, 9, 4].any()
    (finding,) = found(make_ribbon(labels, AXIAL), "holes_filled")
    assert finding.message.startswith("5 holes")


def test_islands_up_to_the_stated_volume_are_dropped_and_counted() -> None:
    labels = flat((12, 26, 12), 5, 8, (0.5, 0.5, 0.5))
    # They touch by edges only, which is not enough for one piece.
    islands = changed(labels, GM, np.s_[2, 20, 2], np.s_[3, 21, 2], np.s_[6:9, 18:21, 6:8])
    for limit, dropped in ((0.125, 2), (2.24, 2), (2.25, 3)):
        ribbon = make_ribbon(islands, SETTINGS.with_values({"drop_islands_mm3": limit}))
        (finding,) = found(ribbon, "islands_dropped")
        assert finding.message.startswith(f"{dropped} loose pieces of gray matter")
        expected = np.count_nonzero(labels.array == GM) + (18 if dropped == 2 else 0)
        assert np.count_nonzero(ribbon.tissue == GRAY) == expected
        assert ribbon.tissue[2, 20 - ribbon.start[1], 2] == CUT


@pytest.mark.parametrize("angles", [(0, 0, 0), (25, -40, 100)])
def test_csf_touching_white_matter_is_found_with_its_place(angles) -> None:
    labels = flat((15, 30, 15), 12, 6)
    # The gray matter is broken in a channel of 2 x 2 voxels, filled with CSF. It lies far from
    # the first voxel, so the box around it starts elsewhere.
    array = np.pad(changed(labels, CSF, np.s_[6:8, 12:18, 8:10]).array, 20)
    grid = turned(Grid.from_spacing(array.shape, (0.5, 0.4, 0.3)), angles, (10, -20, 30))
    (finding,) = found(make_ribbon(Image(array, grid), SETTINGS), "csf_touches_white_matter")
    assert finding.warning
    assert "at 4 faces" in finding.message
    # It is the middle of one of the faces between the channel's floor and the white matter.
    floor = grid.ras(20 + np.array([[k, 11.5, i] for k in (6, 7) for i in (8, 9)]))
    assert finding.ras is not None
    assert np.abs(floor - finding.ras).max(axis=1).min() < 1e-6
    place = ", ".join(f"{x:.1f}" for x in finding.ras)
    assert f"RAS {place} mm" in finding.message


def test_an_opposite_bank_that_touches_white_matter_hints_at_swapped_sides() -> None:
    # CSF fills the sulcus's mouth; the opposite bank lies deeper. With the sides swapped the
    # label of CSF is called white matter and meets the opposite bank beside the gray matter.
    labels = changed(flat((9, 30, 9), 12, 6), 4, np.s_[:, 18:, :5])
    right = replace(SETTINGS, other_bank=(4,))
    assert make_ribbon(labels, right).findings == ()
    swapped = replace(right, wm=SETTINGS.csf, csf=SETTINGS.wm)
    ribbon = make_ribbon(labels, swapped)
    (finding,) = found(ribbon, "other_bank_touches_white_matter")
    assert finding.warning and "--wm and --csf are swapped" in finding.message
    assert not found(ribbon, "csf_touches_white_matter")


def test_contact_far_from_the_gray_matter_is_not_mentioned() -> None:
    labels = changed(flat((9, 30, 9), 12, 6), CSF, np.s_[:, :6])
    assert not make_ribbon(labels, SETTINGS).findings


# Refused


def test_gray_matter_that_is_not_there_lists_the_labels_that_are() -> None:
    with pytest.raises(
        InputError, match=r"gray-matter label 8\. The labels in drawn are: 1, 2, 3\."
    ):
        make_ribbon(flat(), SETTINGS.with_values({"gm": (8,)}))


@pytest.mark.parametrize(
    "tissue, says", [(WM, "no white-matter border.*--wm"), (CSF, "no pial border.*--csf")]
)
def test_gray_matter_without_one_of_its_borders(tissue: int, says: str) -> None:
    labels = flat()
    with pytest.raises(InputError, match=says):
        make_ribbon(hidden(labels, labels.array == tissue), SETTINGS)


def test_tissue_that_is_there_but_apart_is_no_border() -> None:
    labels = flat((9, 24, 9), 6, 8)
    with pytest.raises(InputError, match="no pial border: none of its voxels lies next to label 1"):
        make_ribbon(changed(labels, UNLABELLED, np.s_[:, 14]), SETTINGS)


def test_in_plane_mode_a_border_across_the_slices_does_not_count() -> None:
    labels = flat()
    stacked = Image(
        np.ascontiguousarray(labels.array.transpose(1, 0, 2)),
        Grid.from_spacing((16, 8, 8), (1, 1, 1)),
    )
    make_ribbon(stacked, SETTINGS)
    with pytest.raises(InputError, match="no white-matter border"):
        make_ribbon(stacked, AXIAL)


def test_nothing_but_islands() -> None:
    array = np.full((9, 9, 9), CSF, np.uint8)
    array[4, 4, 4:6] = WM, GM
    labels = Image(array, Grid.from_spacing(array.shape, (1, 1, 1)))
    array[1, 1, 1] = GM
    with pytest.raises(InputError, match="too small to measure.*drop_islands_mm3"):
        make_ribbon(labels, SETTINGS)


def test_settings_are_checked_first() -> None:
    with pytest.raises(InputError, match="layers must be"):
        make_ribbon(flat(), SETTINGS.with_values({"layers": 0}))


SHAPES = {
    "slab": shapes.Slab(2.5, 3.5, 3.5),
    "gyral cylinder": shapes.Cylinder(4.0, 6.5, True, 3.5, 1.5),
    "sulcal sphere": shapes.Sphere(4.0, 6.5, False, 0.8),
    "folded sheet": folded_sheet.FoldedSheet(half_depth=2.2),
}


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
def test_the_wrong_label_style_is_mentioned_and_the_right_one_not(shape) -> None:
    phantom = phantoms.make(shape, (0.32, 0.2, 0.2), np.random.default_rng(0))
    for labels, style, wrong in (
        (phantom.labels, SETTINGS, False),
        (phantom.labels, RIM, True),
        (phantom.rim(), SETTINGS, True),
        (phantom.rim(), RIM, False),
    ):
        told = found(make_ribbon(labels, style), "label_style_unlikely")
        assert [f.warning for f in told] == [True] * wrong
        assert all("--label-style rim" in f.message for f in told)


THIN = {
    "two voxels on each side": np.s_[:, 4:16],
    "one voxel on each side, up to the volume's edge": np.s_[:, 5:15],
    "one labelled slice": np.s_[4:5],
    "a column": np.s_[4:6, :, 4:6],
}


@pytest.mark.parametrize("kept", THIN.values(), ids=THIN)
@pytest.mark.parametrize("cropped", [False, True])
def test_thin_and_cut_tissue_is_not_taken_for_lines(kept, cropped: bool) -> None:
    labels = flat((9, 20, 9), 6, 8).array
    array = np.zeros_like(labels)
    array[kept] = labels[kept]
    if cropped or kept == THIN["one voxel on each side, up to the volume's edge"]:
        array = np.ascontiguousarray(labels[kept])
    ribbon = make_ribbon(Image(array, Grid.from_spacing(array.shape, (1, 1, 1))), SETTINGS)
    assert not found(ribbon, "label_style_unlikely")
