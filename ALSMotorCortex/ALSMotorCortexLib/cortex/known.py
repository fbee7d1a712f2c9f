"""How the borders of a label map go on where it says nothing.

A place with too little known around it takes the value of the nearest that has enough. Such values
are averages over voxels, which say where between the voxels a border runs, so the border goes on
as it came.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from functools import cache, partial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage, sparse

from .masks import grown
from .nearest import nearest_indices
from .scale import Scale, halved

EDGE = 4.0
"""Width in voxels of the Gaussian that the edge of what is known is averaged with."""

ASIDE = 6.0
"""How many voxels aside of the nearest known place a border may be continued from."""

WITHIN = 1.0
"""How many voxels inside the edge of what is known that is."""

PASSES = 2
"""How often values are continued: interpolation near the edge takes part in what the first time
gave."""

FELT = 20.0
"""How many voxels far a continued value is felt: three times the width of the widest kernel. What
lies farther takes the nearest value as it is."""


class Known:
    """Where a label map says anything, and how its borders go on elsewhere.

    Args:
        mask: (k, j, i) what is known.
        spacing: mm along (k, j, i).
        axes: measured axes.
        wanted: (k, j, i) where borders are asked for; everywhere by default.
        pool: threads that may work out the continuation meanwhile; two of them for this.
    """

    def __init__(
        self,
        mask: NDArray[np.bool_],
        spacing: tuple[float, float, float],
        axes: tuple[int, ...],
        wanted: NDArray[np.bool_] | None = None,
        pool: Executor | None = None,
    ) -> None:
        self.mask = mask
        scale = Scale(spacing, axes, mask.shape)
        self._halved_axes = scale.halved
        work = cache(partial(_continuation, mask, wanted, scale, pool))
        self._continuation: Callable[[], _Continuation] = _meanwhile(pool, work)

    def every_second(self, inside: NDArray[np.float32]) -> NDArray[np.float32]:
        """A label at every second voxel, averaged with its neighbours, continued everywhere."""
        value = halved(inside * self.mask, self._halved_axes)
        self._continuation().apply(value)
        return value


@dataclass(frozen=True)
class _Continuation:
    """Which value each place takes at every second voxel.

    Attributes:
        weight: (k, j, i) how much is known around each place, at least a half.
        lacking: (n,) flat indices of the places that have less.
        nearest: (n,) of the nearest that has enough.
        felt: (m,) flat indices of lacking places whose value matters.
        interpolation: matrices of m rows and k * j * i columns together that give it.
    """

    weight: NDArray[np.float32]
    lacking: NDArray[np.int64]
    nearest: NDArray[np.int64]
    felt: NDArray[np.int64]
    interpolation: list[sparse.csr_array]

    def apply(self, value: NDArray[np.float32]) -> None:
        """Continues averages over what is known, in place."""
        value /= self.weight
        flat = value.reshape(-1)
        flat[self.lacking] = flat[self.nearest]
        if self.interpolation:
            for _ in range(PASSES):
                flat[self.felt] = np.concatenate([part @ flat for part in self.interpolation])


def _continuation(
    mask: NDArray[np.bool_],
    wanted: NDArray[np.bool_] | None,
    scale: Scale,
    pool: Executor | None,
) -> _Continuation:
    weight = np.maximum(halved(mask.astype(np.float32), scale.halved), np.float32(0.5))
    enough = weight > 0.5
    none = np.empty(0, np.int64)
    if enough.all() or not enough.any():
        return _Continuation(weight, none, none, none, [])
    # In voxels of the finest axis, and rounded so that ties do not hang on the last digit.
    lengths = [2 * s if a in scale.halved else s for a, s in enumerate(np.round(scale.steps, 6))]
    blurred = _meanwhile(pool, partial(_blurred_edge, enough, lengths, scale))
    # Slices that are measured one by one are continued one by one.
    nearest = nearest_indices(enough, lengths, scale.axes)
    lacking = np.flatnonzero(~enough)
    felt = lacking if wanted is None else np.flatnonzero(~enough & _felt(wanted, lengths, scale))
    places = np.array(np.unravel_index(felt, enough.shape))
    nearest = nearest.reshape(3, -1)
    own, edge = nearest[:, felt], blurred()

    def interpolation(part: slice) -> sparse.csr_array:
        sources = _sources(edge, places[:, part], own[:, part], lengths, scale)
        return _trilinear(sources, enough.shape)

    half = len(felt) // 2
    second = _meanwhile(pool, partial(interpolation, slice(half, None)))
    first = interpolation(slice(half))
    return _Continuation(
        weight,
        lacking,
        np.ravel_multi_index(tuple(nearest[:, lacking]), enough.shape),
        felt,
        [first, second()] if len(felt) else [],
    )


def _meanwhile(pool: Executor | None, work: Callable[[], Any]) -> Callable[[], Any]:
    """Gives the result of some work, which a pool does meanwhile."""
    return pool.submit(work).result if pool else work


def _felt(wanted: NDArray[np.bool_], lengths: Sequence[float], scale: Scale) -> NDArray[np.bool_]:
    """(k, j, i) what is near to anything wanted, at every second voxel."""
    for axis in scale.halved:
        along = np.moveaxis(wanted, axis, 0)
        pair = np.zeros((-(-len(along) // 2) + 2, *along.shape[1:]), bool)
        pair[1:-1] = along[::2]
        pair[1 : 1 + len(along) // 2] |= along[1::2]
        wanted = np.moveaxis(pair, 0, axis)
    reach = [int(FELT / n) if a in scale.axes else 0 for a, n in enumerate(lengths)]
    return grown(wanted, reach)


def _sources(
    edge: NDArray[np.float32],
    places: NDArray[np.int64],
    nearest: NDArray[np.int32],
    lengths: Sequence[float],
    scale: Scale,
) -> NDArray[np.float32]:
    """(3, n) the index points that places (3, n) are continued from.

    The nearest place (3, n) lies a little aside, as places are few. The point is moved along the
    edge of what is known until it lies straight in front, and in from the edge.
    """
    normal = _normals(edge, nearest, lengths, scale)
    per_voxel = np.array(lengths, np.float32)[:, None]
    aside = (places - nearest) * per_voxel
    aside -= normal * np.einsum("an,an->n", aside, normal)
    # At the corners of what is known, nothing lies straight in front.
    far = np.sqrt(np.einsum("an,an->n", aside, aside)) / np.float32(ASIDE)
    return nearest + (aside / np.maximum(far, 1) - np.float32(WITHIN) * normal) / per_voxel


def _blurred_edge(
    mask: NDArray[np.bool_], lengths: Sequence[float], scale: Scale
) -> NDArray[np.float32]:
    """(k, j, i) a mask whose edge falls off over ``EDGE`` voxels."""
    sigma = [EDGE / n if a in scale.axes else 0.0 for a, n in enumerate(lengths)]
    return ndimage.gaussian_filter(mask.astype(np.float32), sigma, truncate=2, mode="nearest")


def _normals(
    blurred: NDArray[np.float32], places: NDArray[np.int32], lengths: Sequence[float], scale: Scale
) -> NDArray[np.float32]:
    """(3, n) unit vectors out of a mask, given its :func:`_blurred_edge`, at some places (3, n)
    on its edge."""
    normal = np.zeros(places.shape, np.float32)
    for axis in scale.axes:
        ahead, behind = (
            tuple(
                np.clip(p + step, 0, blurred.shape[a] - 1) if a == axis else p
                for a, p in enumerate(places)
            )
            for step in (1, -1)
        )
        normal[axis] = (blurred[behind] - blurred[ahead]) / np.float32(lengths[axis])
    return normal / np.maximum(np.sqrt(np.einsum("an,an->n", normal, normal)), np.float32(1e-6))


def _trilinear(points: NDArray[np.float32], shape: tuple[int, ...]) -> sparse.csr_array:
    """The matrix (n, k * j * i) that interpolates an array at index points (3, n)."""
    count = points.shape[1]
    base = np.zeros(count, np.int32)
    corners = np.zeros(1, np.int32)
    weight = np.ones((count, 1), np.float32)
    for along, size in zip(points, shape, strict=True):
        place = np.clip(along, 0, size - 1)
        low = np.minimum(place.astype(np.int32), max(size - 2, 0))
        base = base * np.int32(size) + low
        corners = (corners[:, None] * size + np.array([0, min(1, size - 1)])).reshape(-1)
        part = place - low
        pair = np.stack([1 - part, part], axis=1, dtype=np.float32)
        weight = (weight[:, :, None] * pair[:, None, :]).reshape(count, len(corners))
    index = base[:, None] + corners.astype(np.int32)
    ends = np.arange(0, index.size + 1, index.shape[1], dtype=np.int32)
    return sparse.csr_array(
        (weight.reshape(-1), index.reshape(-1), ends), shape=(count, int(np.prod(shape)))
    )
