"""Cortical depth of every voxel, 0 at the pial surface and 1 at the white matter."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .cells import Cells
from .laplace import Domain
from .scale import thick_axes
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
    whole = lines.volume_to_white + lines.volume_to_pial
    whole[whole <= 0] = np.nan  # two borders that all but touch
    volume = lines.volume_to_pial / whole
    weight = np.clip(depth * (1 - depth), 0, 0.25)
    known = np.flatnonzero(np.isfinite(volume) & np.isfinite(depth))
    excess = ((volume - depth) * weight)[known]
    places = domain.voxels[: domain.inside][domain.labelled][known]
    width = _bend_width(domain)
    cells = Cells(places, domain.shape, [a for a, w in enumerate(width) if w > 2])
    total = cells.blurred(excess, width)
    share = cells.blurred(weight[known] ** 2, width)
    depth[known] += weight[known] * total / np.maximum(share, 1e-6)
    return np.clip(depth, 0, 1)


def _bend_width(domain: Domain) -> list[float]:
    """Width along (k, j, i), in voxels of each axis, that the bend is averaged over."""
    unit = min(domain.spacing[a] for a in domain.axes)
    width = BEND_WIDTH_THICK if thick_axes(domain.spacing, domain.axes) else BEND_WIDTH
    return [width * unit / s if a in domain.axes else 0.0 for a, s in enumerate(domain.spacing)]
