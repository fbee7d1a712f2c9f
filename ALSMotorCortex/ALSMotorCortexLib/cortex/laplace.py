"""Laplace potential in the ribbon: 0 at the white matter, 1 at the pial surface.

Jones, Buchbinder and Aharon, Hum Brain Mapp 2000, 11:12. The borders lie between voxel
centres, at the places that :mod:`.border` finds; a difference across a border is taken over
the part of the voxel distance that lies inside (Gibou et al., J Comput Phys 2002, 176:205,
eq. 16), which keeps the matrix symmetric and the potential second-order accurate. Cut faces
carry no flux.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.sparse.csgraph import connected_components
from scipy.sparse.linalg import cg

from .border import border_distance
from .ribbon import CUT, GRAY, PIAL, WHITE, Ribbon, spread

BORDERS = ((WHITE, 0.0), (PIAL, 1.0))
"""The two borders and the potential on them."""

TOLERANCE = 1e-5
"""Relative residual at which the potential is taken as solved. Ten times less changes no
thickness by more than 1e-4 mm."""


@dataclass(frozen=True)
class Domain:
    """Voxels of the ribbon and of its rim, as flat lists.

    The first ``inside`` entries of the lists are the voxels within both borders, in ascending
    order. After them comes the rim: voxels just beyond a border, which hold the potential's
    continuation so that it can be interpolated up to the border.

    Attributes:
        shape: of the box.
        spacing: mm along (k, j, i).
        axes: measured axes.
        voxels: (n,) int64 flat indices into the box.
        inside: how many of them lie within the ribbon.
        lookup: (k * j * i,) int32, place of each box voxel in ``voxels``, -1 where none.
        distances: signed distance in mm to the white and to the pial border at each of
            ``voxels``, two (n,) arrays, positive on the gray-matter side, NaN away from it.
        beyond: (n,) uint8, ``GRAY`` inside, else the tissue of the rim voxel.
        labelled: (inside,) bool, whether the label map calls the voxel gray matter.
    """

    shape: tuple[int, int, int]
    spacing: tuple[float, float, float]
    axes: tuple[int, ...]
    voxels: NDArray[np.int64]
    inside: int
    lookup: NDArray[np.int32]
    distances: dict[int, NDArray[np.float32]]
    beyond: NDArray[np.uint8]
    labelled: NDArray[np.bool_]

    def neighbour(self, axis: int, side: int) -> NDArray[np.int32]:
        """(inside,) place in ``voxels`` of each inside voxel's neighbour, -1 for none."""
        offset = [0, 0, 0]
        offset[axis] = side
        return self.neighbours_of(self.voxels[: self.inside], offset)

    def neighbours_of(self, voxels: NDArray[np.int64], offset: list[int]) -> NDArray[np.int32]:
        """Place in ``voxels`` of the voxels at ``offset`` (k, j, i) from others, -1 for none.

        The box keeps an empty layer around the domain, so no index leaves it.
        """
        _, nj, ni = self.shape
        return self.lookup[voxels + (offset[0] * nj + offset[1]) * ni + offset[2]]

    def box_voxels(self) -> NDArray[np.int64]:
        """(inside,) flat indices of the inside voxels into the ribbon's box, which lacks the
        empty layer around this one."""
        return _unpadded(self.voxels[: self.inside], self.shape)

    def touches_cut(self) -> NDArray[np.bool_]:
        """(inside,) whether a voxel has a cut face."""
        cut = np.zeros(self.inside, bool)
        for axis, side in product(self.axes, (-1, 1)):
            cut |= self.neighbour(axis, side) < 0
        return cut


def make_domain(ribbon: Ribbon) -> Domain:
    """Find the sub-voxel borders and list the voxels between and just beyond them."""
    spacing = ribbon.grid.spacing
    filled = spread(ribbon.tissue, max(ribbon.tissue.shape), onto=CUT)
    distances = {}
    for code, _ in BORDERS:
        inside = (filled != code).astype(np.float32)
        if ribbon.line is not None:
            inside[ribbon.line & (ribbon.tissue == code)] = 0.5
        distances[code] = border_distance(inside, spacing, ribbon.axes)
    tissue = ribbon.tissue
    if ribbon.line is not None:
        between = ribbon.line & (distances[WHITE] > 0) & (distances[PIAL] > 0)
        tissue = np.where(between, np.uint8(GRAY), tissue)
    return _listed_domain(ribbon, tissue, distances)


def _listed_domain(
    ribbon: Ribbon, tissue: NDArray[np.uint8], distances: dict[int, NDArray[np.float32]]
) -> Domain:
    """The domain's flat lists. The box gets an empty layer so that neighbours exist."""
    padded = np.pad(tissue, 1)
    flat = padded.reshape(-1)
    shape = padded.shape
    gray = np.flatnonzero(flat == GRAY)
    lookup = np.full(flat.size, -1, np.int32)
    lookup[gray] = np.arange(len(gray), dtype=np.int32)
    rim = _rim_voxels(flat, gray, shape, ribbon.axes)
    lookup[rim] = np.arange(len(gray), len(gray) + len(rim), dtype=np.int32)
    voxels = np.concatenate([gray, rim])
    in_box = _unpadded(voxels, shape)
    return Domain(
        shape=(shape[0], shape[1], shape[2]),
        spacing=ribbon.grid.spacing,
        axes=ribbon.axes,
        voxels=voxels,
        inside=len(gray),
        lookup=lookup,
        distances={code: d.reshape(-1)[in_box] for code, d in distances.items()},
        beyond=flat[voxels],
        labelled=ribbon.tissue.reshape(-1)[in_box[: len(gray)]] == GRAY,
    )


def _unpadded(voxels: NDArray[np.int64], shape: tuple[int, ...]) -> NDArray[np.int64]:
    """Flat indices into the box without its empty layer."""
    k, j, i = np.unravel_index(voxels, shape)
    return ((k - 1) * (shape[1] - 2) + (j - 1)) * (shape[2] - 2) + (i - 1)


def _rim_voxels(
    flat: NDArray[np.uint8], gray: NDArray[np.int64], shape: tuple[int, ...], axes: tuple[int, ...]
) -> NDArray[np.int64]:
    """White and pial voxels that touch gray matter by a face, edge or corner."""
    reached = np.zeros(flat.size, bool)
    for offset in neighbourhood(axes):
        reached[gray + (offset[0] * shape[1] + offset[1]) * shape[2] + offset[2]] = True
    reached &= (flat == WHITE) | (flat == PIAL)
    return np.flatnonzero(reached)


def neighbourhood(axes: tuple[int, ...]) -> list[list[int]]:
    """Offsets (k, j, i) of the voxels that share a face, edge or corner along ``axes``."""
    steps = [(-1, 0, 1) if a in axes else (0,) for a in range(3)]
    return [list(offset) for offset in product(*steps) if any(offset)]


def solve_potential(
    domain: Domain, progress: Callable[[float], None] | None = None
) -> NDArray[np.float32]:
    """Solve Laplace's equation by conjugate gradients.

    Args:
        domain: voxels and borders.
        progress: called with a fraction as the residual falls; may raise to stop.

    Returns:
        (inside,) float32 potential; NaN in pieces that reach only one of the borders.
    """
    matrix, source, reaches = _assemble(domain)
    solved = _joined_to_both(matrix, reaches)
    # Scaled to a unit diagonal. Pieces that reach no border have a singular block; a larger
    # diagonal keeps it harmless until it is discarded below.
    scale = 1 / np.sqrt(np.maximum(matrix.diagonal(), 1e-12))
    rows = np.repeat(np.arange(domain.inside), np.diff(matrix.indptr))
    matrix.data *= scale[rows] * scale[matrix.indices]
    matrix.data[(rows == matrix.indices) & ~solved[rows]] += 1
    system = matrix.astype(np.float32)
    start = (0.5 / scale).astype(np.float32)
    solution, _ = cg(
        system,
        (source * scale).astype(np.float32),
        x0=start,
        rtol=TOLERANCE,
        maxiter=20 * max(domain.shape),
        callback=_reporter(progress),
    )
    potential = np.clip(solution * scale, 0, 1).astype(np.float32)
    potential[~solved] = np.nan
    return potential


def _reporter(progress: Callable[[float], None] | None) -> Callable[[NDArray], None] | None:
    if progress is None:
        return None
    count = 0

    def report(_: NDArray) -> None:
        nonlocal count
        count += 1
        progress(1 - 0.96**count)

    return report


def _assemble(
    domain: Domain,
) -> tuple[sparse.csr_array, NDArray[np.float64], dict[int, NDArray[np.bool_]]]:
    """Matrix, right-hand side, and which voxels touch which border."""
    n = domain.inside
    diagonal = np.zeros(n)
    source = np.zeros(n)
    reaches = {code: np.zeros(n, bool) for code, _ in BORDERS}
    columns, weights = [], []
    # Columns ascend within a row when neighbours come in the order of their offsets.
    for axis, side in sorted(
        product(domain.axes, (-1, 1)), key=lambda s: s[1] * (3 - s[0])
    ):
        weight = 1 / domain.spacing[axis] ** 2
        neighbour = domain.neighbour(axis, side)
        within = (neighbour >= 0) & (neighbour < n)
        diagonal += weight * within
        columns.append(np.where(within, neighbour, 0))
        weights.append(np.where(within, -weight, 0.0))
        outside = np.flatnonzero(neighbour >= n)
        beyond = neighbour[outside]
        for code, value in BORDERS:
            mine = domain.beyond[beyond] == code
            here, there = outside[mine], beyond[mine]
            share = border_share(domain.distances[code], here, there)
            diagonal[here] += weight / share
            source[here] += value * weight / share
            reaches[code][here] = True
    half = len(columns) // 2
    columns.insert(half, np.arange(n, dtype=np.int32))
    weights.insert(half, diagonal)
    stored = np.stack(weights, axis=1)
    kept = stored != 0
    kept[:, half] = True
    pointers = np.concatenate([[0], np.cumsum(kept.sum(axis=1))]).astype(np.int32)
    matrix = sparse.csr_array(
        (stored[kept], np.stack(columns, axis=1)[kept], pointers), shape=(n, n)
    )
    return matrix, source, reaches


def border_share(
    distance: NDArray[np.float32], here: NDArray[np.int64], there: NDArray[np.int32]
) -> NDArray[np.float64]:
    """Which part of the way from a voxel to the next lies before the border, 0.02 to 1."""
    a, b = distance[here].astype(float), distance[there].astype(float)
    with np.errstate(invalid="ignore", divide="ignore"):
        share = a / (a - b)
    return np.clip(np.where(np.isfinite(share), share, 0.5), 0.02, 1)


def _joined_to_both(
    matrix: sparse.csr_array, reaches: dict[int, NDArray[np.bool_]]
) -> NDArray[np.bool_]:
    """(n,) whether a voxel's connected piece touches both borders."""
    count, piece = connected_components(matrix, directed=False)
    joined = np.ones(count, bool)
    for touching in reaches.values():
        joined &= np.bincount(piece, weights=touching, minlength=count) > 0
    return joined[piece]
