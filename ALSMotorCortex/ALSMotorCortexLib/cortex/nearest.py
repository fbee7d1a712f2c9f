"""Which place of a mask is nearest to each voxel."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage


def nearest_indices(
    mask: NDArray[np.bool_], lengths: Sequence[float], axes: Collection[int]
) -> NDArray[np.int32]:
    """(3, k, j, i) indices of the place in a mask that is nearest to each place.

    Args:
        mask: (k, j, i), with a place in every slice that is by itself.
        lengths: of a step along (k, j, i).
        axes: measured axes; places that lie apart along others are nearer to none.
    """
    apart = 1e3 * max(lengths) * max(mask.shape)
    sampling = [length if a in axes else apart for a, length in enumerate(lengths)]
    return ndimage.distance_transform_edt(
        ~mask, sampling, return_distances=False, return_indices=True
    )
