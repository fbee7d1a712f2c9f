"""Cortical depth of every voxel, 0 at the pial surface and 1 at the white matter."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from .border import has_thick_slices
from .laplace import Domain
from .streamlines import Streamlines

BEND_WIDTH = 3.0
BEND_WIDTH_THICK = 5.0
"""Width, in voxels of the finest axis, of the Gaussian that averages the bend of the cortex: wider
for thick slices, whose borders have longer bumps."""


def equidistant_depth(lines: Streamlines) -> NDArray[np.float32]:
    """(n,) share of the field line's length between the pial surface and the voxel.

    L1 / (L0 + L1) of Yezzi and Prince, IEEE TMI 2003, 22:1332; NaN where there is no line.
    """
    return lines.to_pial / (lines.to_white + lines.to_pial)


def equivolume_depth(domain: Domain, lines: Streamlines) -> NDArray[np.float32]:
    """(n,) share of the column's volume between the pial surface and the voxel.

    Bok 1929; Waehnert et al., NeuroImage 2014, 93:210. The volumes are those of thin tubes
    around the field lines, whose width follows the potential's slope. That slope is sensitive to
    small bumps of the border, so it is not taken voxel by voxel: equivolume depth v exceeds
    equidistant depth d by b d (1 - d), where the bend b of the cortex is even along a field line
    (exactly so between concentric cylinders) and varies slowly along the cortex. b is averaged
    over neighbouring voxels.
    """
    depth = equidistant_depth(lines)
    volume = lines.volume_to_pial / (lines.volume_to_white + lines.volume_to_pial)
    weight = np.clip(depth * (1 - depth), 0, 0.25)
    known = np.flatnonzero(np.isfinite(volume) & np.isfinite(depth))
    excess = ((volume - depth) * weight)[known]
    places = domain.voxels[: domain.inside][domain.labelled][known]
    total = _blurred(excess, places, domain)
    share = _blurred(weight[known] ** 2, places, domain)
    depth[known] += weight[known] * total / np.maximum(share, 1e-6)
    return np.clip(depth, 0, 1)


def _blurred(
    values: NDArray[np.float32], places: NDArray[np.int64], domain: Domain
) -> NDArray[np.float32]:
    """Values at some voxels, blurred over the box and read at the same voxels.

    Blurring is done on cells of two voxels along each fine axis: the Gaussian is wide enough.
    """
    unit = min(domain.spacing[a] for a in domain.axes)
    steps = [s / unit for s in domain.spacing]
    halved = [2 if a in domain.axes and steps[a] < 1.5 else 1 for a in range(3)]
    cells = [-(-n // h) for n, h in zip(domain.shape, halved, strict=True)]
    index = [p // h for p, h in zip(np.unravel_index(places, domain.shape), halved, strict=True)]
    cell = np.ravel_multi_index(index, cells)
    total = np.bincount(cell, weights=values, minlength=int(np.prod(cells)))
    thick = has_thick_slices(domain.spacing, domain.axes)
    width = BEND_WIDTH_THICK if thick else BEND_WIDTH
    sigma = [
        width / (s * h) if a in domain.axes else 0.0
        for a, (s, h) in enumerate(zip(steps, halved, strict=True))
    ]
    box = total.reshape(cells).astype(np.float32)
    return ndimage.gaussian_filter(box, sigma, truncate=3).reshape(-1)[cell]
