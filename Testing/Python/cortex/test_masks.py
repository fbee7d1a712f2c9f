"""Masks that grow by whole voxels, against a general dilation."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import ndimage

from ALSMotorCortexLib.cortex.masks import bounding_box, grown, grown_by_faces
from ALSMotorCortexLib.cortex.ribbon import connectivity

masks = st.builds(
    lambda seed, share: np.random.default_rng(seed).random((5, 6, 7)) < share,
    st.integers(0, 10**6),
    st.floats(0, 0.3),
)


@given(masks, st.tuples(*[st.integers(0, 8)] * 3))
def test_a_box_of_any_reach(mask, reach) -> None:
    box = np.ones([2 * r + 1 for r in reach], bool)
    before = mask.copy()
    np.testing.assert_array_equal(grown(mask, reach), ndimage.binary_dilation(mask, box))
    np.testing.assert_array_equal(mask, before)


@pytest.mark.parametrize("axes", [(0, 1, 2), (1, 2), (0,)])
@given(mask=masks)
def test_faces_along_some_axes(mask, axes) -> None:
    expected = ndimage.binary_dilation(mask, connectivity(axes))
    np.testing.assert_array_equal(grown_by_faces(mask, axes), expected)


@given(masks, st.tuples(*[st.integers(0, 3)] * 3))
def test_the_bounding_box_holds_all_and_no_more(mask, margin) -> None:
    mask[2, 3, 4] = True
    box = bounding_box(mask, margin)
    assert mask[box].sum() == mask.sum()
    for axis, (part, wide) in enumerate(zip(box, margin, strict=True)):
        used = np.argwhere(mask)[:, axis]
        assert part.start == max(used.min() - wide, 0)
        assert part.stop == min(used.max() + 1 + wide, mask.shape[axis])
