"""The bias field against one that is known."""

from __future__ import annotations

import numpy as np
import pytest

from ALSMotorCortexLib.cortex.bias import bias_field
from ALSMotorCortexLib.cortex.errors import InputError
from ALSMotorCortexLib.cortex.grid import Grid, Image


def test_a_smooth_field_is_found_and_the_tissues_stay() -> None:
    shape = (20, 64, 64)
    grid = Grid.from_spacing(shape, (2.0, 1.0, 1.0))
    k, j, i = np.mgrid[:20, :64, :64]
    mask = ((j - 32) ** 2 + (i - 32) ** 2) < 30**2
    blobs = np.sin(j / 3.0) * np.cos(i / 4.0) * np.sin(k / 2.0) > 0
    tissue = np.where(blobs, 100.0, 70.0) * mask
    truth = 1 + 0.35 * np.sin((i + j) / 40.0 - 0.8)
    truth = truth / truth[mask].mean()
    rng = np.random.default_rng(0)
    image = Image(tissue * truth + rng.normal(0, 1, shape) * mask, grid)
    found = bias_field(image, mask)
    assert found[mask].mean() == pytest.approx(1, abs=1e-4)
    before, after = np.std(truth[mask]), np.std((truth / found)[mask])
    assert after < 0.35 * before
    corrected = (image.array / found)[mask]
    ratio = corrected[blobs[mask]].mean() / corrected[~blobs[mask]].mean()
    assert ratio == pytest.approx(100 / 70, rel=0.03)


def test_an_empty_mask_is_said() -> None:
    image = Image(np.ones((8, 8, 8)), Grid.from_spacing((8, 8, 8), (1, 1, 1)))
    with pytest.raises(InputError, match="no voxel"):
        bias_field(image, np.zeros((8, 8, 8), bool))
