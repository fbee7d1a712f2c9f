"""Nearest places, against all distances."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from ALSMotorCortexLib.cortex.nearest import nearest_indices


@given(st.integers(0, 2**32 - 1), st.sampled_from([(0, 1, 2), (1, 2)]))
def test_nothing_is_nearer_than_the_nearest_place(seed, axes) -> None:
    rng = np.random.default_rng(seed)
    mask = rng.random((3, 5, 6)) < 0.3
    mask[:, 2, 2] = True  # something in every slice
    lengths = rng.uniform(0.2, 2, 3)
    found = nearest_indices(mask, lengths.tolist(), axes)
    here = np.indices(mask.shape)
    assert mask[tuple(found)].all()
    places = np.argwhere(mask)
    gaps = (here.reshape(3, -1).T[:, None] - places) * lengths
    apart = np.zeros(gaps.shape[:2], bool)
    for axis in {0, 1, 2} - set(axes):
        apart |= gaps[..., axis] != 0
    least = np.where(apart, np.inf, np.linalg.norm(gaps, axis=-1)).min(axis=1)
    length = np.linalg.norm((here - found).reshape(3, -1).T * lengths, axis=1)
    np.testing.assert_allclose(length, least, atol=1e-9)
