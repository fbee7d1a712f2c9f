"""Where borders may lie, by trying all coarse places.

Between plateaus the best levels are a linear problem, so that all places of the edges can be
tried. This tells the pial border and the far sides of sulcus and white matter. How the cortex
changes on its way to white matter is then tried for each (:func:`laminar_starts`).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from .adjust import (
    BAND_DEPTH,
    BAND_DEPTH_SD,
    BAND_WIDTH,
    BLADE_MM,
    BLUR_VOXELS,
    DEEP_START,
    SULCUS_MM,
)
from .laminar import (
    D_O,
    D_W,
    LOG_B,
    LOG_S,
    LOG_T,
    LOG_U,
    LOG_W,
    PARAMETERS,
    A,
    C,
    F,
    H,
    V,
    level_columns,
)

COARSE_MM = 0.2
THICKNESS_STEP_MM = 0.25
PIAL_PLACES = 3
APART_MM = 0.35
PLAUSIBLE = 30.0
# Widths of a sulcus and of a blade of white matter, besides none. A narrower blade looks like
# the dark deep third of a thick cortex: were it sought, such layers would be taken for blades.
COARSE_SULCI_MM, COARSE_BLADES_MM = (0.8, 1.6), (2.2,)
# A blade of white matter is at least this wide.
LEAST_BLADE_MM = 1.2
# Share of the profile's range that a level is drawn towards nothing by.
RIDGE = 1e-3


@dataclass(frozen=True)
class Candidates:
    """Every coarse place of the borders that the samples allow.

    Attributes:
        places: (c, 5) mm of e_o, a, m, b, e_w; NaN where there is no far side.
        columns: (c, 6) which columns of ``basis`` make up the candidate.
        basis: (n, e) blurred steps at all coarse places, a constant and an empty column.
        ridge: (6,) what draws levels towards nothing.
        inverse: (c, 6, 6) of the weighted products of those columns plus the ridge.
    """

    places: NDArray
    columns: NDArray
    basis: NDArray
    ridge: NDArray
    inverse: NDArray

    def fit(self, profile: NDArray, weights: NDArray) -> tuple[NDArray, NDArray]:
        """Levels (c, 6) that suit a profile (n,) best, and what they leave (c,) of its square."""
        moments = (self.basis.T @ (weights * profile))[self.columns]
        levels = (self.inverse @ moments[..., None])[..., 0]
        # The levels solve (gram + ridge) levels = moments, so their square needs no gram.
        squares = (weights * profile**2).sum() - (levels * moments).sum(axis=1)
        return levels, squares - levels**2 @ self.ridge


@lru_cache(maxsize=8)
def candidates(
    count: int, spacing: float, weights: bytes, voxel: float, thickness: tuple[float, float]
) -> Candidates:
    """Cached, since both directions and most steps of a drag ask for the same."""
    positions, weight = np.arange(count) * spacing, np.frombuffer(weights)[:, None]
    step = max(COARSE_MM, voxel / 2)
    places = np.arange(voxel / 2, positions[-1] - voxel / 2, step)
    a, t, w, u = np.meshgrid(
        np.arange(len(places)),
        np.arange(max(2, round(thickness[0] / step)), round(thickness[1] / step) + 1),
        [*(round(width / step) for width in COARSE_SULCI_MM), len(places)],
        [*(round(width / step) for width in COARSE_BLADES_MM), len(places)],
        indexing="ij",
    )
    keep = a + t < len(places)
    a, t, w, u = a[keep], t[keep], w[keep], u[keep]
    deep = a + np.rint(DEEP_START * t).astype(int)
    edges = np.stack([a - w, a, deep, a + t, a + t + u], axis=1)
    # A far side beyond the samples is none: it gets the empty column, which the ridge
    # switches off.
    constant, empty = len(places), len(places) + 1
    edges = np.where((edges < 0) | (edges >= len(places)), empty, edges)
    # As single numbers rows sort faster.
    digits = (empty + 1) ** np.arange(4, -1, -1, dtype=np.int64)
    edges = edges[np.unique(edges @ digits, return_index=True)[1]]
    columns = np.insert(edges, 0, constant, axis=1)
    blur = np.hypot(BLUR_VOXELS * voxel, step / 2)
    basis = np.concatenate(
        [
            ndtr((positions[:, None] - places) / blur),
            np.ones((count, 1)),
            np.zeros((count, 1)),
        ],
        axis=1,
    )
    full = basis.T @ (weight * basis)
    gram = full[columns[:, :, None], columns[:, None, :]]
    ridge = RIDGE * weight.sum() * np.array([0, 0.3, 0.1, 1, 0.1, 0.3]) + 1e-9
    where = np.concatenate([places, [np.nan, np.nan]])[columns[:, 1:]]
    return Candidates(where, columns, basis, ridge, np.linalg.inv(gram + np.diag(ridge)))


def distinct_pials(places: NDArray, scores: NDArray) -> NDArray[np.intp]:
    """Indices of the best candidates whose pial borders differ.

    Args:
        places: (c, 5) mm.
        scores: (c,), the lowest best.
    """
    order = np.argsort(scores)[:400]
    chosen = [int(order[0])]
    for index in order[1:]:
        if len(chosen) == PIAL_PLACES or scores[index] > scores[order[0]] + PLAUSIBLE:
            break
        if np.abs(places[chosen, 1] - places[index, 1]).min() > APART_MM:
            chosen.append(int(index))
    return np.array(chosen)


# Kinds of cortex to try: band or none, its depth and its width over thickness.
_KINDS = np.array(
    [(0, BAND_DEPTH, BAND_WIDTH)]
    + [(1, BAND_DEPTH + depth * BAND_DEPTH_SD, BAND_WIDTH) for depth in (-1.2, 0, 1.2)]
)


def laminar_starts(
    pials: NDArray,
    positions: NDArray,
    voxel: float,
    thickness: tuple[float, float],
) -> tuple[NDArray, NDArray]:
    """Parameters without levels for every kind of cortex and thickness at pial borders.

    Args:
        pials: (p, 5) mm, coarse candidates.
        positions: (n,) mm.
        voxel: mm along the profile.
        thickness: least and greatest in mm.

    Returns:
        (batch, 16) parameters, whose levels are 1 where they may be any and 0 where there
        is no such step, and (batch,) whether there is a band.
    """
    # A blade that the coarse look saw may be a deep layer that ends.
    without = pials.copy()
    without[:, 4] = np.nan
    pials = np.concatenate([pials, without[np.isfinite(pials[:, 4])]])
    tried = np.arange(thickness[0], thickness[1] + THICKNESS_STEP_MM / 2, THICKNESS_STEP_MM)
    which, t, kind = (
        x.ravel() for x in np.meshgrid(
            np.arange(len(pials)), tried, np.arange(len(_KINDS)), indexing="ij"
        )
    )  # fmt: skip
    far_outer, a, far_inner = pials[which, 0], pials[which, 1], pials[which, 4]
    start = np.ones((len(which), PARAMETERS))
    start[:, A], start[:, LOG_T], start[:, F] = a, np.log(t), DEEP_START
    start[:, LOG_S] = np.log(BLUR_VOXELS * voxel)
    start[:, C], start[:, LOG_B] = _KINDS[kind, 1], np.log(_KINDS[kind, 2])
    banded = _KINDS[kind, 0] > 0
    start[:, H] = banded
    start[:, D_O] = np.isfinite(far_outer)
    start[:, LOG_W] = np.log(np.where(start[:, D_O] > 0, a - far_outer, SULCUS_MM))
    blade = far_inner - a - t
    start[:, D_W] = blade > LEAST_BLADE_MM
    start[:, LOG_U] = np.log(np.where(start[:, D_W] > 0, blade, BLADE_MM))
    keep = a + t < positions[-1] - voxel / 2
    return start[keep], banded[keep]


def with_levels(
    start: NDArray, positions: NDArray, profile: NDArray, weights: NDArray, banded: NDArray
) -> tuple[NDArray, NDArray]:
    """Starts with the levels that suit a profile best, and what they leave of it.

    Args:
        start, banded: from :func:`laminar_starts`.
        positions, profile, weights: (n,).

    Returns:
        (batch, 16) parameters and (batch,) sums of squares.
    """
    columns = level_columns(start, positions)
    present = (start[:, V:] != 0).astype(float)
    present[:, 4] = ~banded
    columns = columns * present[:, :, None]
    weighted = columns * weights
    moments = weighted @ profile
    gram = weighted @ columns.transpose(0, 2, 1)
    ridge = RIDGE * weights.sum() * np.diag([0, 0.3, 0.1, 0.3, 0.3, 0.3, 0.1, 0.3])
    inner = gram + ridge + 1e-9 * np.eye(8)
    levels = np.linalg.solve(inner, moments[..., None])[..., 0] * present
    fitted = (levels[:, None] @ columns)[:, 0]
    start = start.copy()
    start[:, V:] = levels
    return start, (weights * (profile - fitted) ** 2).sum(axis=1)
