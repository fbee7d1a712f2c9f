"""The foot, hand and face parts of the motor cortex, from two points along the gyrus.

A voxel's position along the gyrus is told by geodesic distance, the length of the shortest
way through the gray matter: the distance from the gyrus's medial end minus that from its
lateral end. Unlike a projection on a line it follows the gyrus round the hand knob. A plane
of equal position through each point parts the gray matter, about at right angles to the gyrus.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray
from scipy import ndimage

from .errors import InputError
from .grid import Grid, Image

PARTS = ("foot", "hand", "face")
"""From medial to lateral."""

MIDLINE_GAP_MM = 2.0
"""Gray matter that keeps this far from x = 0 on both sides has two hemispheres."""

FAR_MM = 10.0
"""A dividing point may lie this far from the gray matter."""


def two_hemispheres(x: NDArray) -> dict[str, NDArray[np.bool_]]:
    """Which of some places lie ``left`` and ``right``; nothing unless all keep away from the
    midplane and both sides have some.

    Args:
        x: (n,) RAS x in mm.
    """
    left = x < 0
    if (np.abs(x) > MIDLINE_GAP_MM).all() and left.any() and not left.all():
        return {"left": left, "right": ~left}
    return {}


def hemispheres(ras: NDArray) -> dict[str, NDArray[np.bool_]]:
    """(n,) which of the points (n, 3), RAS in mm, lie ``left`` and ``right``.

    Where there are not two hemispheres, all are on the side where most are.
    """
    x = np.asarray(ras)[:, 0]
    side = "left" if np.median(x) < 0 else "right"
    return two_hemispheres(x) or {side: np.ones(len(x), bool)}


def gyrus_parts(gray: Image, points: Sequence[tuple[str, NDArray]]) -> dict[str, Image]:
    """Masks of the parts of the gray matter in each hemisphere that has two points.

    The point nearer to the vertex of the head (higher and nearer to the midplane) parts foot
    from hand, the other hand from face.

    Args:
        gray: (k, j, i) gray matter, nonzero inside.
        points: name and RAS (3,) in mm of each; two in a hemisphere.

    Returns:
        ``left_foot``, ``left_hand``, ..., uint8 on the grid of ``gray``.

    Raises:
        InputError: not two points in a hemisphere, a point far from the gray matter, or gray
            matter that is interrupted between the points.
    """
    kji = np.argwhere(gray.array)
    if not len(kji) or not points:
        return {}
    sides = hemispheres(gray.grid.ras(kji))
    parts = {}
    for side, voxels in sides.items():
        own = [p for p in points if len(sides) == 1 or (p[1][0] < 0) == (side == "left")]
        if own:
            codes = _divide(gray.grid, kji[voxels], _two(own, side if len(sides) > 1 else ""))
            for code, name in enumerate(PARTS, start=1):
                mask = (codes == code).astype(np.uint8)
                parts[f"{side}_{name}"] = Image(mask, gray.grid, f"{side}_{name}")
    return parts


def _two(points: Sequence[tuple[str, NDArray]], side: str) -> list[tuple[str, NDArray]]:
    """The two points of a hemisphere, the one nearer to the vertex first."""
    if len(points) != 2:
        where = f"In the {side} hemisphere there" if side else "There"
        number = "is 1 dividing point" if len(points) == 1 else f"are {len(points)} dividing points"
        if len({bool(ras[0] < 0) for _, ras in points}) > 1:
            raise InputError(
                f"{where} {number}, on both sides of the midplane R = 0 mm, but the gray matter "
                f"does not keep {MIDLINE_GAP_MM:g} mm away from it, so that left and right cannot "
                "be told apart. Move the head to the middle, or draw the parts as segments."
            )
        raise InputError(
            f"{where} {number}. Place two along the gyrus: one between foot and hand, one "
            "between hand and face."
        )
    return sorted(points, key=lambda p: abs(p[1][0]) - p[1][2])


def _divide(grid: Grid, kji: NDArray, points: list[tuple[str, NDArray]]) -> NDArray[np.uint8]:
    """(k, j, i) 1 to 3 for the parts of some voxels (n, 3), 0 elsewhere."""
    low, high = kji.min(axis=0), kji.max(axis=0) + 1
    box = tuple(slice(a, b) for a, b in zip(low, high, strict=True))
    mask = np.zeros(high - low, bool)
    mask[tuple((kji - low).T)] = True
    seeds = [_seed(grid, kji, point) - low for point in points]
    medial, lateral = (_geodesic(mask, grid.spacing, seed) for seed in seeds)
    if not np.isfinite(medial[tuple(seeds[1])]):
        names = " and ".join(name for name, _ in points)
        raise InputError(
            f"The gray matter is interrupted between the dividing points {names}, so that "
            "nothing can be told to lie between them. Close the gap, or draw the parts as "
            "segments."
        )
    reached = np.isfinite(medial)
    # The end of the gyrus beyond a point is the farthest from the other point.
    ends = [
        np.unravel_index(np.argmax(np.where(reached & beyond, other, -1.0)), mask.shape)
        for beyond, other in ((medial <= lateral, lateral), (lateral <= medial, medial))
    ]
    from_medial, from_lateral = (_geodesic(mask, grid.spacing, np.array(end)) for end in ends)
    with np.errstate(invalid="ignore"):
        position = from_medial - from_lateral
    first, second = (position[tuple(seed)] for seed in seeds)
    codes = np.where(position < first, 1, np.where(position < second, 2, 3)).astype(np.uint8)
    if (mask & ~reached).any():
        # Pieces that hang together with nothing else go with the nearest voxel that does.
        nearest = ndimage.distance_transform_edt(
            ~reached, grid.spacing, return_distances=False, return_indices=True
        )
        codes = codes[tuple(nearest)]
    whole = np.zeros(grid.shape, np.uint8)
    whole[box] = np.where(mask, codes, 0)
    return whole


def _seed(grid: Grid, kji: NDArray, point: tuple[str, NDArray]) -> NDArray:
    """(3,) index of the voxel nearest to a point."""
    name, ras = point
    away = (kji - grid.kji(np.asarray(ras, float)[None])[0]) * grid.spacing
    squared = np.einsum("na,na->n", away, away)
    nearest = int(np.argmin(squared))
    if squared[nearest] > FAR_MM**2:
        raise InputError(
            f"The dividing point {name} lies {np.sqrt(squared[nearest]):.0f} mm away from the "
            "gray matter. Place it on the gyrus."
        )
    return kji[nearest]


def _geodesic(
    mask: NDArray[np.bool_], spacing: tuple[float, ...], seed: NDArray
) -> NDArray[np.float64]:
    """Distance in mm from a voxel through the mask; infinite where no way leads.

    By fast marching (Sethian, PNAS 1996, 93:1591).
    """
    speed = sitk.GetImageFromArray(mask.astype(np.float32))
    speed.SetSpacing(spacing[::-1])
    marched = sitk.FastMarching(speed, [[int(n) for n in seed[::-1]]])
    distance = sitk.GetArrayFromImage(marched).astype(np.float64)
    # Where it never came, the filter leaves a number too large for any distance.
    return np.where(mask & (distance < 1e6), distance, np.inf)
