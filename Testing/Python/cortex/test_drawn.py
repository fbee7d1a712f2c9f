"""The plane of a drawing and the options that travel with it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from ALSMotorCortexLib.cortex.drawn import (
    CaliperOptions,
    TraceOptions,
    caliper_options,
    plane_normal,
    to_text,
    trace_options,
)
from ALSMotorCortexLib.cortex.errors import InputError
from ALSMotorCortexLib.cortex.grid import Grid
from ALSMotorCortexLib.cortex.trace import Pin

THICK = Grid.from_spacing((40, 100, 100), (1.5, 0.25, 0.25))
ARC = np.array([[20 * np.cos(a), 20 * np.sin(a), 0] for a in np.linspace(0, 2, 9)])


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_points_of_one_slice_give_that_slices_normal(axis):
    points = np.roll(ARC, axis, axis=1) + [30, 40, 20]
    normal = plane_normal(THICK, points, "trace")
    assert np.abs(normal) == pytest.approx(np.roll([0, 0, 1], axis))


@given(st.tuples(*[st.floats(-180, 180)] * 3))
def test_points_of_an_oblique_plane_give_its_normal(angles):
    turn = Rotation.from_euler("xyz", angles, degrees=True).as_matrix()
    normal = plane_normal(THICK, ARC @ turn.T, "trace")
    # Within a quarter of a voxel of a slice the slice counts: 0.375 mm over 20 mm or more.
    assert abs(normal @ turn[:, 2]) > np.cos(np.radians(2.5))


def test_a_straight_line_across_is_taken_for_drawn_on_the_thick_slices():
    points = np.array([[0, 0, 5], [3, 4, 5], [6, 8, 5.0]])
    assert np.abs(plane_normal(THICK, points, "trace")) == pytest.approx([0, 0, 1])


def test_a_straight_line_within_no_slice_gets_a_plane_along_it():
    points = np.array([[0, 0, 0], [1, 2, 3], [2, 4, 6.0], [4, 8, 12]])
    assert plane_normal(THICK, points, "trace") @ points[1] == pytest.approx(0, abs=1e-9)


def test_points_on_several_slices_are_refused():
    points = ARC.copy()
    points[4, 2] = 6
    with pytest.raises(InputError, match="Draw it on a single slice"):
        plane_normal(THICK, points, "trace")


options = st.builds(
    TraceOptions,
    st.sampled_from(["auto", "left", "bright"]),
    st.lists(
        st.builds(Pin, st.sampled_from(["pial", "white"]), st.tuples(*[st.floats(-1e3, 1e3)] * 3))
    ).map(tuple),
)


@given(options)
def test_trace_options_come_back_from_text(given_options):
    assert trace_options(to_text(given_options)) == given_options


@given(st.builds(CaliperOptions, st.floats(0, 5), st.sampled_from(["auto", "first"])))
def test_caliper_options_come_back_from_text(given_options):
    assert caliper_options(to_text(given_options)) == given_options


@pytest.mark.parametrize(
    "text",
    ["", "no JSON", "[1]", '{"pins": 3, "pial_side": 4, "width_mm": "x", "pial_end": null}',
     '{"pins": [{"border": "pial"}, {"border": "no", "ras": [1, 2, 3]}, 7]}'],
)  # fmt: skip
def test_text_of_another_version_gives_the_defaults(text):
    assert trace_options(text) == TraceOptions()
    assert caliper_options(text) == CaliperOptions()
