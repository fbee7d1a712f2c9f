"""Which side of its borders a ribbon's voxels lie on, and where a rim tells."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from scipy import ndimage

from ALSMotorCortexLib.cortex import phantoms, shapes
from ALSMotorCortexLib.cortex.grid import Grid, Image
from ALSMotorCortexLib.cortex.ribbon import CUT, GRAY, PIAL, WHITE, Ribbon, make_ribbon
from ALSMotorCortexLib.cortex.settings import Settings
from ALSMotorCortexLib.cortex.sides import SHUT, sides_of

TISSUE = Settings(gm=3, wm=2, csf=1)
RIM = Settings(gm=3, wm=2, csf=1, label_style="rim")
ISO = (0.25, 0.25, 0.25)


def ribbons(shape: shapes.Shape, seed: int) -> tuple[Ribbon, np.ndarray]:
    """The ribbon of a shape's rim, and (k, j, i) the true tissue labels in its box."""
    placed = phantoms.place(shape, ISO, np.random.default_rng(seed))
    ribbon = make_ribbon(placed.rim_labels(), RIM)
    voxels = ribbon.grid_indices(np.arange(ribbon.tissue.size))
    return ribbon, placed.tissue_labels().array.reshape(-1)[voxels].reshape(ribbon.tissue.shape)


def test_tissue_labels_tell_their_own_side() -> None:
    labels = phantoms.place(shapes.Slab(2.5, 3.0, 3.0), ISO, np.random.default_rng(0))
    ribbon = make_ribbon(labels.tissue_labels(), TISSUE)
    sides = sides_of(ribbon)
    for code in (WHITE, PIAL):
        assert_array_equal(sides.inside_of(code), ribbon.tissue != code)
    assert_array_equal(sides.known, ribbon.tissue != CUT)


@pytest.mark.parametrize("gyrus", [True, False])
def test_a_closed_rim_tells_everything(gyrus: bool) -> None:
    ribbon, tissue = ribbons(shapes.Sphere(3.0, 5.5, gyrus), 1)
    sides = sides_of(ribbon)
    assert sides.known.all()
    for code, label in ((WHITE, 2), (PIAL, 1)):
        inside = sides.inside_of(code)
        line = inside == 0.5
        assert line.any() and (ribbon.line[line]).all()
        # Off the lines, the side is the true one; voxels outside the phantom's box are not known.
        sure = ~line & ~ribbon.line & (tissue != 0)
        assert_array_equal(inside[sure], (tissue != label)[sure])


SHAPES = [
    shapes.Slab(3.0, 5.0, 5.0),
    shapes.Cylinder(5.0, 8.0, True, 3.0),
    shapes.Cylinder(5.0, 8.0, False, 3.0),
]


@pytest.mark.parametrize("shape", SHAPES, ids=["slab", "gyrus", "sulcus"])
def test_where_a_cut_rim_tells_is_where_the_tissue_was(shape: shapes.Shape) -> None:
    more = less = edge = 0
    for seed in range(4):
        ribbon, tissue = ribbons(shape, seed)
        known, true = sides_of(ribbon).known, tissue != 0
        assert known[(ribbon.tissue == GRAY) | ribbon.line].all()
        near = ndimage.distance_transform_edt(~ribbon.line) <= 3
        more += np.count_nonzero(near & known & ~true)
        less += np.count_nonzero(near & true & ~known)
        edge += np.count_nonzero(near & true & ndimage.binary_dilation(~true))
        # Never by more than the staircase of the cut.
        assert not (near & known & ~ndimage.binary_dilation(true, np.ones((3, 3, 3)))).any()
    assert more + less < edge
    assert abs(more - less) < 0.3 * edge


def test_a_line_with_nothing_behind_it_is_shut() -> None:
    array = np.zeros((12, 30, 12), np.uint8)
    array[2:10, 2:28, 2:10] = 3
    array[2:10, 2, 2:10] = array[2:10, 27, 2:10] = 2
    array[2:10, 14, 2:10] = 1  # one line for both banks of a sulcus
    ribbon = make_ribbon(Image(array, Grid.from_spacing(array.shape, ISO), "sulcus"), RIM)
    inside = sides_of(ribbon).inside_of(PIAL)
    values, count = np.unique(inside[ribbon.line & (ribbon.tissue == PIAL)], return_counts=True)
    # But where the sulcus ends there is something behind it: past the cut.
    assert_array_equal(values, np.float32([SHUT, 0.5]))
    assert count[0] == 6 * 6
