"""The plane of a drawing and the options that travel with it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from ALSMotorCortexLib.cortex.caliper import Caliper
from ALSMotorCortexLib.cortex.drawn import (
    CaliperOptions,
    TraceOptions,
    caliper,
    caliper_options,
    plane_normal,
    to_text,
    trace_options,
)
from ALSMotorCortexLib.cortex.errors import InputError
from ALSMotorCortexLib.cortex.grid import Grid, Image
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


def layered_cortex(name: str) -> Image:
    """CSF, 3 mm of cortex and white matter along j; T2* falls through the cortex, R2* rises."""
    grid = Grid.from_spacing((3, 80, 40), (1.0, 0.2, 0.2))
    y = np.arange(80)[None, :, None] * 0.2 + np.zeros(grid.shape)
    t2star = np.select([y < 6, y < 9], [60.0, 40 - 4 * (y - 6)], 22.0)
    chi = np.select([y < 6, y < 9], [0.0, 0.02 + 0.01 * (y - 6)], 0.09)
    values = {"T2star": t2star, "R2star": 1000 / t2star, "QSM": chi}
    return Image(values[name].astype(np.float32), grid, name)


def measured(name: str, iron: str | None = None) -> Caliper:
    image = layered_cortex(name)
    ends = image.grid.ras(np.array([[1, 15, 20], [1, 60, 20]]))
    return caliper(image, ends, CaliperOptions(pial_end="first"), iron)


def test_the_deep_hypointensity_of_a_caliper_follows_iron() -> None:
    dark, bright = measured("T2star"), measured("R2star")
    for found, sign in ((dark, -1), (bright, 1)):
        superficial, _, deep = found.layer_means
        assert found.deep_hypointensity == pytest.approx(sign * (deep / superficial - 1))
        assert found.deep_hypointensity > 0.1
        ratio = found.deep_hypointensity / found.thickness
        assert found.hypointensity_to_thickness == pytest.approx(ratio)
    # Said otherwise, the sign turns.
    turned = measured("R2star", "dark").deep_hypointensity
    assert turned == pytest.approx(-bright.deep_hypointensity)


def test_a_caliper_on_a_susceptibility_map_asks_how_iron_shows() -> None:
    asked, said = measured("QSM"), measured("QSM", "bright")
    assert asked.thickness == said.thickness == pytest.approx(3, abs=0.2)
    assert np.isnan(asked.deep_hypointensity) and np.isnan(asked.hypointensity_to_thickness)
    assert "iron_unknown" in [f.code for f in asked.findings]
    assert said.deep_hypointensity > 0.1
    assert "iron_unknown" not in [f.code for f in said.findings]
    assert measured("QSM", "dark").deep_hypointensity == pytest.approx(-said.deep_hypointensity)


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
