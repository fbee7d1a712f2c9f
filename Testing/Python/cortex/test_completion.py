"""Lost field lines, completed from those around them, on a flat sheet where all are alike."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
from numpy.testing import assert_allclose
from numpy.typing import NDArray

from ALSMotorCortexLib.cortex.completion import COMPLETED_VOXELS, Beside, complete_lines
from ALSMotorCortexLib.cortex.grid import Grid, Image
from ALSMotorCortexLib.cortex.laplace import Domain, make_domain, solve_potential
from ALSMotorCortexLib.cortex.ribbon import PIAL, WHITE, make_ribbon
from ALSMotorCortexLib.cortex.settings import Settings
from ALSMotorCortexLib.cortex.streamlines import Streamlines, follow_streamlines

CSF, WM, GM = 1, 2, 3
SPACING = (0.3, 0.25, 0.4)


def sheet() -> tuple[Domain, Streamlines]:
    """Twelve voxels thick along j."""
    layers = np.repeat([WM, GM, CSF], [6, 12, 6]).astype(np.uint8)
    array = np.ascontiguousarray(np.broadcast_to(layers[:, None], (14, 24, 14)))
    ribbon = make_ribbon(
        Image(array, Grid.from_spacing(array.shape, SPACING)),
        Settings(gm=(GM,), wm=(WM,), csf=(CSF,)),
    )
    domain = make_domain(ribbon)
    return domain, follow_streamlines(domain, solve_potential(domain))


def completed(lost: NDArray[np.bool_], domain: Domain, lines: Streamlines) -> dict[int, list]:
    """Length, volume and end to either border once the lost lines (n,) are completed."""
    measured = {
        WHITE: [lines.to_white.copy(), lines.volume_to_white.copy(), lines.ends[WHITE].copy()],
        PIAL: [lines.to_pial.copy(), lines.volume_to_pial.copy(), lines.ends[PIAL].copy()],
    }
    for results in measured.values():
        for values in results:
            values[lost] = np.nan
    with ThreadPoolExecutor(2) as pool:
        complete_lines(
            measured, lines.normals, Beside(domain, np.flatnonzero(domain.labelled)), pool
        )
    return measured


def test_lines_amid_others_come_back_and_those_far_from_any_do_not() -> None:
    domain, lines = sheet()
    k, _, i = np.unravel_index(domain.voxels[: domain.inside], domain.shape)
    reach = COMPLETED_VOXELS
    inward = np.minimum(k - k.min(), i - i.min())  # of the edge, in voxels
    lost = inward > 1
    found = completed(lost, domain, lines)
    near = inward <= 1 + reach
    assert near.sum() > 500 and (~near).sum() > 100
    for code, length, volume in (
        (WHITE, lines.to_white, lines.volume_to_white),
        (PIAL, lines.to_pial, lines.volume_to_pial),
    ):
        assert np.isnan(found[code][0][~near]).all()
        assert_allclose(found[code][0][near], length[near], atol=1e-4)
        assert_allclose(found[code][1][near], volume[near], rtol=0.02, atol=1e-3)
        assert_allclose(found[code][2][near][:, 1], lines.ends[code][near][:, 1], atol=1e-3)


def test_whole_lines_stay_as_they_are() -> None:
    domain, lines = sheet()
    found = completed(np.zeros(len(lines.to_white), bool), domain, lines)
    np.testing.assert_array_equal(found[WHITE][0], lines.to_white)
    np.testing.assert_array_equal(found[PIAL][2], lines.ends[PIAL])
