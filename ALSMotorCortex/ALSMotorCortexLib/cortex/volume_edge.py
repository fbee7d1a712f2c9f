"""Where the volume's edge cuts the ribbon.

The scanner's slab ends where it ends, often obliquely to the cortex. A field that may not cross
that edge would have to run along it, and the cortex would seem as thick as the oblique cut
through it. So the field is taken to go on straight there: its second derivative across the edge
is zero, which leaves Laplace's equation within the outermost layer of voxels. The potential of a
flat cortex is then what it would be without the edge. The borders themselves are less certain
there, and thickness is too; but it is no longer too great on the whole. Where the cut runs along
the cortex, so that the layer's own piece of ribbon does not reach from border to border, the edge
is a cut face like others.
"""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.sparse.csgraph import connected_components

if TYPE_CHECKING:
    from .laplace import Domain

NONE = -1
"""Axis of a voxel that lies on no edge."""


def straight_edges(
    domain: Domain, open_sides: list[tuple[int, int]], codes: tuple[int, ...]
) -> NDArray[np.int8]:
    """(inside,) the axis along which the field goes on straight past each voxel, else -1.

    Args:
        domain: voxels and borders.
        open_sides: (axis, -1 or 1) of each side where the box ends with the volume.
        codes: tissue codes of the borders, all of which a layer's piece has to touch.
    """
    _, nj, ni = domain.shape
    layers = []
    for axis, side in open_sides:
        # The box keeps an empty layer around the ribbon's.
        outermost = 1 if side < 0 else domain.shape[axis] - 2
        if domain.shape[axis] > 3:
            along = domain.voxels[: domain.inside] // (nj * ni, ni, 1)[axis] % domain.shape[axis]
            layers.append((axis, np.flatnonzero(along == outermost)))
    # Where two sides meet, the larger piece of ribbon has the voxels, whatever the axes' order.
    largest = np.zeros(domain.inside, np.int64)
    claimed = np.full(domain.inside, NONE, np.int8)
    sizes = [_spanning(domain, layer, axis, codes) for axis, layer in layers]
    for (axis, layer), size in zip(layers, sizes, strict=True):
        larger = size > largest[layer]
        claimed[layer[larger]], largest[layer[larger]] = axis, size[larger]
    axis_of = np.full(domain.inside, NONE, np.int8)
    for (axis, layer), size in zip(layers, sizes, strict=True):
        own = claimed[layer] == axis
        lost = (size > 0) & ~own
        kept = layer[own]
        spans = _spanning(domain, kept, axis, codes) if lost.any() else size[own]
        axis_of[kept[spans > 0]] = axis
    return axis_of


def _spanning(
    domain: Domain, layer: NDArray[np.int64], axis: int, codes: tuple[int, ...]
) -> NDArray[np.int64]:
    """(layer,) voxels of each voxel's connected piece of the layer, 0 if it does not touch all
    borders."""
    if not len(layer):
        return np.empty(0, np.int64)
    place = np.full(len(domain.voxels), -1, np.int64)
    place[layer] = np.arange(len(layer))
    touches = np.zeros((len(codes), len(layer)), bool)
    pairs = []
    for other, side in product([a for a in domain.axes if a != axis], (-1, 1)):
        offset = [0, 0, 0]
        offset[other] = side
        neighbour = domain.neighbours_of(domain.voxels[layer], offset)
        touches |= domain.beyond[neighbour] == np.array(codes)[:, None]
        joined = np.flatnonzero(place[neighbour] >= 0)
        pairs.append((joined, place[neighbour[joined]]))
    rows, columns = (np.concatenate(p) for p in zip(*pairs, strict=True))
    size = len(layer)
    graph = sparse.coo_array((np.ones(len(rows), bool), (rows, columns)), shape=(size, size))
    count, piece = connected_components(graph, directed=False)
    voxels = np.bincount(piece, minlength=count)
    for touching in touches:
        voxels[np.bincount(piece, weights=touching, minlength=count) == 0] = 0
    return voxels[piece]
