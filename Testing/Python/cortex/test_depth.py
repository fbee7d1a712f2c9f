"""Cortical depth, equidistant and equivolume, against shells of known depth."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose

from ALSMotorCortexLib.cortex import phantoms, shapes
from ALSMotorCortexLib.cortex.depth import equidistant_depth, equivolume_depth
from ALSMotorCortexLib.cortex.laplace import make_domain, solve_potential
from ALSMotorCortexLib.cortex.ribbon import PIAL, WHITE, make_ribbon
from ALSMotorCortexLib.cortex.streamlines import Streamlines, follow_streamlines
from known_ribbons import SETTINGS, flat, scrambled

SHELLS = {
    "gyral cylinder": shapes.Cylinder(3.0, 5.5, True, 3.5),
    "sulcal cylinder": shapes.Cylinder(3.0, 5.5, False, 3.5),
    "gyral sphere": shapes.Sphere(3.0, 5.0, True, 0.8),
    "sulcal sphere": shapes.Sphere(3.0, 5.0, False, 0.8),
}


def test_equidistant_depth_is_the_pial_share_of_the_length() -> None:
    to_white = np.array([0, 1, 3, np.nan], np.float32)
    to_pial = np.array([2, 1, 1, np.nan], np.float32)
    points = np.zeros((4, 3), np.float32)
    lines = Streamlines(
        to_white,
        to_pial,
        to_white,
        to_pial,
        {WHITE: points, PIAL: points},
        points,
        ~np.isfinite(to_white),
    )
    assert_allclose(equidistant_depth(lines), [1, 0.5, 0.25, np.nan])


@pytest.mark.parametrize("shape", SHELLS.values(), ids=SHELLS)
def test_depth_of_shells(shape: shapes.Shape) -> None:
    phantom = phantoms.make(shape, (0.25,) * 3, np.random.default_rng(0), margin_mm=0.75)
    ribbon = make_ribbon(phantom.labels, SETTINGS)
    domain = make_domain(ribbon)
    lines = follow_streamlines(domain, solve_potential(domain))
    voxels = ribbon.grid_indices(domain.box_voxels())
    inside = phantom.interior.reshape(-1)[voxels]
    assert inside.sum() > 500
    measured = {
        "equidistant": equidistant_depth(lines),
        "equivolume": equivolume_depth(domain, lines),
    }
    truth = {name: getattr(phantom, f"depth_{name}").reshape(-1)[voxels] for name in measured}
    for name, depth in measured.items():
        assert np.abs(depth - truth[name])[inside].mean() < 0.006
    # The two differ by far more than either is wrong.
    assert np.abs(truth["equivolume"] - truth["equidistant"])[inside].mean() > 0.03


@pytest.mark.parametrize("kind", ["equidistant", "equivolume"])
def test_depth_lies_between_0_and_1(kind: str) -> None:
    for seed in range(8):
        domain = make_domain(make_ribbon(scrambled(seed, 1.0), SETTINGS))
        lines = follow_streamlines(domain, solve_potential(domain))
        equivolume = kind == "equivolume"
        depth = equivolume_depth(domain, lines) if equivolume else equidistant_depth(lines)
        assert np.nanmin(depth) >= 0 and np.nanmax(depth) <= 1
        np.testing.assert_array_equal(np.isfinite(depth), np.isfinite(lines.thickness))


def test_in_a_flat_sheet_both_depths_are_the_same() -> None:
    domain = make_domain(make_ribbon(flat((6, 30, 12), 8, 12), SETTINGS))
    lines = follow_streamlines(domain, solve_potential(domain))
    expected = np.broadcast_to(1 - (np.arange(12)[:, None] + 0.5) / 12, (6, 12, 12)).ravel()
    assert_allclose(equidistant_depth(lines), expected, atol=0.005)
    assert_allclose(equivolume_depth(domain, lines), expected, atol=0.005)
