"""Foot, hand and face parts by two points along a gyrus."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import ndimage

from ALSMotorCortexLib.cortex.errors import InputError
from ALSMotorCortexLib.cortex.grid import Grid, Image
from ALSMotorCortexLib.cortex.motor_cortex import synthetic_motor_cortex
from ALSMotorCortexLib.cortex.parts import gyrus_parts, hemispheres


def bar(start=-60.0, length=40, side_mm=1.0):
    """A straight bar of gray matter along R, 6 x 4 voxels wide, from R = start on."""
    shape = (6, 4, length)
    matrix = np.diag([side_mm, 1.0, 1.0, 1.0])
    matrix[:3, 3] = (start, 0, 50)
    return Image(np.ones(shape, np.uint8), Grid(shape, matrix), "bar")


def point(r, name=""):
    return (name or f"P{r:g}", np.array([r, 1.5, 52.0]))


@given(st.integers(8, 20), st.integers(26, 34), st.booleans())
def test_a_straight_bar_is_parted_at_the_points(first, second, swapped):
    image = bar()
    points = [point(-60.0 + second), point(-60.0 + first)]
    parts = gyrus_parts(image, points[::-1] if swapped else points)
    assert list(parts) == ["left_foot", "left_hand", "left_face"]
    i = np.arange(40)
    truth = {"left_face": i < first, "left_hand": (i >= first) & (i < second)}
    truth["left_foot"] = i >= second
    assert np.array_equal(sum(p.array for p in parts.values()), image.array)
    for name, columns in truth.items():
        # Distances through voxels are rounded a little, so the cuts may lean by a voxel.
        wrong = parts[name].array.astype(bool) != columns
        assert not wrong[:, :, [c for c in i if abs(c - first) > 1 and abs(c - second) > 1]].any()


def test_parts_of_the_synthetic_motor_cortex_are_its_own():
    """The truth parts the cortex across a strip in which the gyrus is straight."""
    case = synthetic_motor_cortex(shape=(8, 160, 160))
    grid = case.labels.grid
    true = {name.removeprefix("m1_"): r.array > 0 for name, r in case.regions.items()}
    gray = Image((case.labels.array == 3).astype(np.uint8), grid, "gray")
    points = []
    for end in ("foot", "face"):
        gap = ndimage.distance_transform_edt(~true["hand"], grid.spacing)
        meeting = np.argwhere(true[end] & (gap < 0.6))
        points.append((end, grid.ras(meeting.mean(axis=0)[None])[0]))
    parts = gyrus_parts(gray, points)
    for name, mask in true.items():
        own = parts[f"left_{name}"].array > 0
        assert 2 * (own & mask).sum() / (own.sum() + mask.sum()) > 0.93


def test_a_folded_bar_is_parted_along_the_fold_and_not_by_a_plane():
    """A horseshoe whose both ends lie side by side: only the way along it tells them apart."""
    shape = (4, 30, 24)
    array = np.zeros(shape, np.uint8)
    array[:, :, :6] = array[:, :, 18:] = array[:, 24:, :] = 1
    matrix = np.eye(4)
    matrix[:3, 3] = (20, 0, 40)
    grid = Grid(shape, matrix)
    parts = gyrus_parts(
        Image(array, grid, "u"), [("a", np.array([22.5, 12, 42])), ("b", np.array([41.5, 12, 42]))]
    )
    foot, hand, face = (parts[f"right_{n}"].array > 0 for n in ("foot", "hand", "face"))
    assert foot[:, :10, :6].all() and not foot[:, :, 6:].any()
    assert face[:, :10, 18:].all() and not face[:, :, :18].any()
    assert hand[:, 24:, 8:16].all()


def test_hemispheres_are_told_by_position():
    left, right = bar(-60), bar(21)
    both = np.concatenate([g.grid.ras(np.argwhere(g.array)) for g in (left, right)])
    assert {n: m.sum() for n, m in hemispheres(both).items()} == {"left": 960, "right": 960}
    assert list(hemispheres(left.grid.ras(np.argwhere(left.array)) + [30, 0, 0])) == ["left"]
    one = bar(-60, length=120)
    one.array[:, :, 40:81] = 0
    points = [point(-50), point(-30), point(30), point(50)]
    parts = gyrus_parts(one, points)
    assert len(parts) == 6
    for name, image in parts.items():
        r = one.grid.ras(np.argwhere(image.array))[:, 0]
        assert (r < 0).all() if name.startswith("left") else (r > 0).all()
    foot = one.grid.ras(np.argwhere(parts["right_foot"].array))[:, 0]
    assert foot.max() <= 31
    assert list(gyrus_parts(one, points[:2])) == ["left_foot", "left_hand", "left_face"]


def test_a_loose_piece_goes_with_the_nearest_part():
    image = bar()
    image.array[:, :, 37] = 0
    parts = gyrus_parts(image, [point(-50), point(-30)])
    assert parts["left_foot"].array[:, :, 38:].all()


@pytest.mark.parametrize(
    ("points", "message"),
    [
        ([point(-50)], "There is 1 dividing point"),
        ([point(-50), point(-40), point(-30)], "There are 3 dividing points"),
        ([point(-50), point(30, "lost")], "point lost lies 51 mm away"),
    ],
)
def test_wrong_points_are_refused(points, message):
    with pytest.raises(InputError, match=message):
        gyrus_parts(bar(), points)


def test_hemispheres_that_run_together_cannot_be_parted():
    with pytest.raises(InputError, match="4 dividing points, on both sides of the midplane"):
        gyrus_parts(bar(-20), [point(-15), point(-10), point(10), point(15)])


def test_gray_matter_that_is_interrupted_between_the_points_is_refused():
    image = bar()
    image.array[:, :, 20] = 0
    with pytest.raises(InputError, match="interrupted between the dividing points one and two"):
        gyrus_parts(image, [point(-50, "two"), point(-30, "one")])


def test_nothing_is_parted_without_points_or_gray_matter():
    assert gyrus_parts(bar(), []) == {}
    empty = bar()
    empty.array[:] = 0
    assert gyrus_parts(empty, [point(-50), point(-30)]) == {}
