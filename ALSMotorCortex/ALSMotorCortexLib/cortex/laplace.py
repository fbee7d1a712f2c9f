"""Laplace potential in the ribbon: 0 at the white matter, 1 at the pial surface.

Jones, Buchbinder and Aharon, Hum Brain Mapp 2000, 11:12. The borders lie between voxel
centres, at the places that :mod:`.border` finds; a difference across a border is taken over
the part of the voxel distance that lies inside (Gibou et al., J Comput Phys 2002, 176:205,
eq. 16), which keeps the matrix symmetric and the potential second-order accurate. Cut faces
carry no flux, except at the volume's edge, where the field goes on straight: see
:mod:`.volume_edge`. Lines that would have to cross them are sorted out in :mod:`.cut_off`.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from itertools import product

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage, sparse
from scipy.sparse.linalg import LinearOperator, cg

from .border import Border, find_border
from .known import Known
from .masks import grown, grown_by_faces
from .ribbon import CUT, GRAY, PIAL, WHITE, Ribbon, chess_fields, connectivity
from .sides import sides_of
from .volume_edge import straight_edges
from .workers import WORKERS

BORDERS = ((WHITE, 0.0), (PIAL, 1.0))
"""The two borders and the potential on them."""

MAX_ITERATIONS = 20_000
"""Of the solver; a ribbon of 20 voxels takes about a hundred."""

ALONE = 100_000
"""Rows up to which one thread is done with a matrix before another would have started."""

TOLERANCE = 1e-5
"""Relative residual at which the potential is taken as solved. On the shapes of
Testing/Benchmark, ten times less changes thickness by under 1e-5 mm on average."""


@dataclass(frozen=True)
class Domain:
    """Voxels of the ribbon and of its rim, as flat lists.

    The first ``inside`` entries of the lists are the voxels within both borders, in ascending
    order. After them come white and pial voxels that touch those by a face, edge or corner, and
    last the cut voxels that touch any of these by a face. They hold the potential's
    continuation, so that it can be interpolated up to its borders.

    Attributes:
        shape: of the box.
        spacing: mm along (k, j, i).
        axes: measured axes.
        voxels: (n,) int64 flat indices into the box.
        inside: how many of them lie within the ribbon.
        bordered: how many come before the cut voxels.
        lookup: (k * j * i,) int32, place of each box voxel in ``voxels``, -1 where none.
        distances: signed distance in mm to the white and to the pial border at each of
            ``voxels``, two (n,) arrays, positive on the gray-matter side, NaN away from it.
        curvatures: likewise the divergence of the distance's gradient, in 1/mm.
        beyond: (n,) uint8, ``GRAY`` inside, else ``WHITE``, ``PIAL`` or ``CUT``.
        labelled: (inside,) bool, whether the label map calls the voxel gray matter.
        tissue: (k, j, i) uint8, tissue codes of the box.
        straight: (inside,) int8, axis along which the field goes on straight past the volume's
            edge, -1 for all other voxels.
    """

    shape: tuple[int, int, int]
    spacing: tuple[float, float, float]
    axes: tuple[int, ...]
    voxels: NDArray[np.int64]
    inside: int
    bordered: int
    lookup: NDArray[np.int32]
    distances: dict[int, NDArray[np.float32]]
    curvatures: dict[int, NDArray[np.float32]]
    beyond: NDArray[np.uint8]
    labelled: NDArray[np.bool_]
    tissue: NDArray[np.uint8]
    straight: NDArray[np.int8] = field(default_factory=lambda: np.empty(0, np.int8))

    def neighbour(self, axis: int, side: int) -> NDArray[np.int32]:
        """(inside,) place in ``voxels`` of each inside voxel's neighbour."""
        offset = [0, 0, 0]
        offset[axis] = side
        return self.neighbours_of(self.voxels[: self.inside], offset)

    def neighbours_of(self, voxels: NDArray[np.int64], offset: list[int]) -> NDArray[np.int32]:
        """Place in ``voxels`` of the voxels at ``offset`` (k, j, i) from some of ``voxels``,
        -1 for none.
        """
        _, nj, ni = self.shape
        place = voxels + (offset[0] * nj + offset[1]) * ni + offset[2]
        # The box keeps an empty layer, so only voxels in that layer can look past its end, where
        # nothing is listed but other cut voxels.
        return self.lookup.take(place, mode="clip")

    def box_voxels(self) -> NDArray[np.int64]:
        """(inside,) flat indices of the inside voxels into the ribbon's box, which lacks the
        empty layer around this one."""
        return _unpadded(self.voxels[: self.inside], self.shape)

    def touches_cut(self) -> NDArray[np.bool_]:
        """(inside,) whether a voxel has a cut face."""
        cut = np.zeros(self.inside, bool)
        for axis, side in product(self.axes, (-1, 1)):
            cut |= self.beyond[self.neighbour(axis, side)] == CUT
        return cut


def make_domain(ribbon: Ribbon) -> Domain:
    """Find the sub-voxel borders and list the voxels between and just beyond them."""
    reach = tuple(2 if a in ribbon.axes else 0 for a in range(3))
    wanted = grown(ribbon.tissue == GRAY, reach)
    sides = sides_of(ribbon)
    spacing, axes = ribbon.grid.spacing, ribbon.axes
    codes = [code for code, _ in BORDERS]
    with ThreadPoolExecutor(len(codes) + 2) as pool:
        known = Known(sides.known, spacing, axes, wanted, pool)

        def border(code: int) -> Border:
            return find_border(sides.inside_of(code), spacing, axes, wanted, known)

        borders = dict(zip(codes, pool.map(border, codes), strict=True))
    tissue = ribbon.tissue
    if ribbon.line is not None:
        between = ribbon.line.copy()
        for found in borders.values():
            # Far from a border there is no distance; a line voxel there is beyond the other.
            between &= ~(found.distance <= 0)
        tissue = np.where(between, np.uint8(GRAY), tissue)
    domain = _listed_domain(ribbon, tissue, borders)
    straight = straight_edges(domain, ribbon.open_sides(), tuple(codes))
    return replace(domain, straight=straight)


def _listed_domain(ribbon: Ribbon, tissue: NDArray[np.uint8], borders: dict[int, Border]) -> Domain:
    """The domain's flat lists. The box gets an empty layer so that neighbours exist."""
    padded = np.pad(tissue, 1)
    flat = padded.reshape(-1)
    shape = padded.shape
    inside = padded == GRAY
    touching = grown(inside, [int(axis in ribbon.axes) for axis in range(3)])
    rim = touching & ((padded == WHITE) | (padded == PIAL))
    cut = grown_by_faces(inside | rim, ribbon.axes) & (padded == CUT)
    gray, beyond, outside = (np.flatnonzero(mask) for mask in (inside, rim, cut))
    known = np.concatenate([gray, beyond])
    voxels = np.concatenate([known, outside])
    lookup = np.full(flat.size, -1, np.int32)
    lookup[voxels] = np.arange(len(voxels), dtype=np.int32)
    in_box = _unpadded(voxels, shape)
    near_border = flat[voxels] != CUT

    def listed(values: NDArray[np.float32]) -> NDArray[np.float32]:
        taken = values.reshape(-1).take(in_box, mode="clip")
        return np.where(near_border, taken, np.float32(np.nan))

    return Domain(
        shape=(shape[0], shape[1], shape[2]),
        spacing=ribbon.grid.spacing,
        axes=ribbon.axes,
        voxels=voxels,
        inside=len(gray),
        bordered=len(known),
        lookup=lookup,
        distances={code: listed(found.distance) for code, found in borders.items()},
        curvatures={code: listed(found.curvature) for code, found in borders.items()},
        beyond=flat[voxels],
        labelled=ribbon.tissue.reshape(-1)[in_box[: len(gray)]] == GRAY,
        tissue=padded,
    )


def _unpadded(voxels: NDArray[np.int64], shape: tuple[int, ...]) -> NDArray[np.int64]:
    """Flat indices into the box without its empty layer."""
    _, nj, ni = shape
    row = voxels // ni
    # Each row loses its two ends, and each slice its first and last row. In place: new memory
    # costs more than the arithmetic.
    kept = row // nj
    kept *= -2
    kept += row
    kept -= nj - 1
    kept *= ni - 2
    row *= -ni
    kept += row
    kept += voxels
    kept -= 1
    return kept


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
    with ThreadPoolExecutor(1) as pool:
        pieces = pool.submit(_pieces, domain)
        equations = _equations(domain)
        joined = _joined_to_both(pieces.result(), equations.reaches)
    field = chess_fields(domain.voxels[: domain.inside], domain.shape) == 1
    potential = np.full(domain.inside, np.nan, np.float32)
    free = joined.copy()
    for axis in domain.axes:
        # Past the volume's edge the field goes on straight: its outermost layer stands alone.
        layer = np.flatnonzero(joined & (domain.straight == axis))
        if len(layer):
            potential[layer] = _solve(equations.within(layer), field[layer], None)
            free[layer] = False
    rest = np.flatnonzero(free)
    known = np.where(joined & ~free, potential, np.float32(0))
    potential[rest] = _solve(equations.around(rest, known), field[rest], _reporter(progress))
    return potential


@dataclass(frozen=True)
class _System:
    """Equations of some voxels for the potential there.

    Attributes:
        voxels: (n,) their places in the domain.
        sides: as in :class:`_Equations`.
        diagonal: (n,) what the potential of each voxel is multiplied by.
        source: (n,) right-hand side.
        places: how many places the domain has.
    """

    voxels: NDArray[np.int64]
    sides: list[tuple[NDArray[np.int32], float]]
    diagonal: NDArray[np.float64]
    source: NDArray[np.float64]
    places: int


@dataclass(frozen=True)
class _Equations:
    """Laplace's equation at the voxels inside.

    Attributes:
        sides: for each side of a voxel (inside,) the place of its neighbour there, and what
            that one's potential is multiplied by. The sides are in the order of the places.
        borders: (inside,) what the borders add to the diagonal.
        source: (inside,) what they contribute themselves.
        reaches: for either border which voxels touch it.
        places: how many places the domain has.
    """

    sides: list[tuple[NDArray[np.int32], float]]
    borders: NDArray[np.float64]
    source: NDArray[np.float64]
    reaches: dict[int, NDArray[np.bool_]]
    places: int

    def within(self, voxels: NDArray[np.int64]) -> _System:
        """The equations of some voxels without flux to any others."""
        own = np.zeros(self.places, bool)
        own[voxels] = True
        diagonal = self.borders[voxels]
        for neighbour, weight in self.sides:
            diagonal += weight * own.take(neighbour.take(voxels))
        return _System(voxels, self.sides, diagonal, self.source[voxels], self.places)

    def around(self, voxels: NDArray[np.int64], known: NDArray[np.float32]) -> _System:
        """The equations of some voxels beside others whose potential is known.

        Args:
            voxels: their places.
            known: (inside,) the potential there; 0 at ``voxels``.
        """
        inside = len(known)
        others = np.flatnonzero(known)
        told = np.zeros(self.places if len(others) else 0)
        told[others] = known[others]
        diagonal, source = self.borders[voxels], self.source[voxels]
        for neighbour, weight in self.sides:
            beside = neighbour.take(voxels)
            diagonal += weight * (beside < inside)
            if len(others):
                source += weight * told.take(beside)
        return _System(voxels, self.sides, diagonal, source, self.places)


def _solve(
    system: _System,
    field: NDArray[np.bool_],
    callback: Callable[[NDArray], None] | None,
) -> NDArray[np.float32]:
    """Conjugate gradients on the system scaled to a unit diagonal, within 0 to 1.

    A voxel has its neighbours among those of the other colour only, so one colour is eliminated.
    What is left for the other, I - B B', takes half as many steps, each over half as many voxels
    (Reid, SIAM J Numer Anal 1972, 9:325).
    """
    own_scale = 1 / np.sqrt(np.maximum(system.diagonal, 1e-12))
    scale = np.zeros(system.places)
    scale[system.voxels] = own_scale
    colours = np.flatnonzero(~field), np.flatnonzero(field)
    place = np.full(system.places, -1, np.int32)
    for members in colours:
        place[system.voxels[members]] = np.arange(len(members), dtype=np.int32)
    scaled = (system.source * own_scale).astype(np.float32)
    kept, eliminated = (scaled[members] for members in colours)
    with ThreadPoolExecutor(WORKERS) as pool:

        def multiplied_by(rows: NDArray[np.int64], others: int) -> _Product:
            """A product with what voxels of the other colour contribute to some voxels."""
            count = WORKERS if len(rows) >= ALONE else 1
            blocks = [
                pool.submit(_coupling, system, part, place, scale, others)
                for part in np.array_split(system.voxels[rows], count)
            ]
            return _product([block.result() for block in blocks], pool)

        sizes = [len(members) for members in colours]
        from_other, to_other = (
            multiplied_by(members, others)
            for members, others in zip(colours, sizes[::-1], strict=True)
        )
        start = (0.5 / own_scale[colours[0]]).astype(np.float32)
        kept, _ = cg(
            LinearOperator(
                (len(start), len(start)),
                matvec=lambda vector: vector - from_other(to_other(vector)),
                dtype=np.float32,
            ),
            kept + from_other(eliminated),
            x0=start,
            rtol=0,
            atol=TOLERANCE * float(np.linalg.norm(scaled)),
            maxiter=MAX_ITERATIONS,
            callback=callback,
        )
        eliminated = eliminated + to_other(kept)
    solution = np.empty(len(field), np.float32)
    for members, values in zip(colours, (kept, eliminated), strict=True):
        solution[members] = values * own_scale[members]
    return np.clip(solution, 0, 1)


_Product = Callable[[NDArray[np.float32]], NDArray[np.float32]]
"""Multiplies a vector by a matrix."""


def _coupling(
    system: _System,
    rows: NDArray[np.int64],
    place: NDArray[np.int32],
    scale: NDArray[np.float64],
    others: int,
) -> sparse.csr_array:
    """(rows, others) what the voxels of the other colour contribute to some rows of the system
    scaled to a unit diagonal.

    Every row has as many entries as a voxel has sides. Those to nowhere are 0, which costs less
    than leaving them out.

    Args:
        system: the whole.
        rows: (rows,) places in the domain.
        place: which row of its colour each place is, -1 for none.
        scale: at each place, 0 for none.
        others: how many voxels of the other colour there are.
    """
    columns = np.empty((len(rows), len(system.sides)), np.int32)
    data = np.empty(columns.shape, np.float32)
    own = scale[rows]
    for side, (neighbour, weight) in enumerate(system.sides):
        beside = neighbour.take(rows)
        columns[:, side] = np.maximum(place.take(beside), 0)
        data[:, side] = weight * own * scale.take(beside)
    ends = np.arange(0, columns.size + 1, len(system.sides), dtype=np.int32)
    return sparse.csr_array(
        (data.reshape(-1), columns.reshape(-1), ends), shape=(len(rows), others)
    )


def _product(blocks: list[sparse.csr_array], pool: ThreadPoolExecutor) -> _Product:
    """Multiplies by the rows of some matrices, side by side where there are several."""
    if len(blocks) == 1:
        return blocks[0].__matmul__
    return lambda vector: np.concatenate(list(pool.map(lambda block: block @ vector, blocks)))


def _reporter(progress: Callable[[float], None] | None) -> Callable[[NDArray], None] | None:
    if progress is None:
        return None
    count = 0

    def report(_: NDArray) -> None:
        nonlocal count
        count += 1
        progress(1 - 0.96**count)

    return report


def _equations(domain: Domain) -> _Equations:
    """Laplace's equation at the voxels inside."""
    n = domain.inside
    borders, source = np.zeros(n), np.zeros(n)
    reaches = {code: np.zeros(n, bool) for code, _ in BORDERS}
    sides = []
    for axis, side in sorted(product(domain.axes, (-1, 1)), key=lambda s: s[1] * (3 - s[0])):
        weight = 1 / domain.spacing[axis] ** 2
        neighbour = domain.neighbour(axis, side)
        sides.append((neighbour, weight))
        outside = np.flatnonzero(neighbour >= n)
        beyond = neighbour[outside]
        for code, value in BORDERS:
            mine = domain.beyond[beyond] == code
            here, there = outside[mine], beyond[mine]
            share = border_share(domain.distances[code], here, there)
            borders[here] += weight / share
            source[here] += value * weight / share
            reaches[code][here] = True
    return _Equations(sides, borders, source, reaches, len(domain.voxels))


def border_share(
    distance: NDArray[np.float32], here: NDArray[np.int64], there: NDArray[np.int32]
) -> NDArray[np.float64]:
    """Which part of the way from a voxel to the next lies before the border, 0.02 to 1."""
    a, b = distance[here].astype(float), distance[there].astype(float)
    with np.errstate(invalid="ignore", divide="ignore"):
        share = a / (a - b)
    return np.clip(np.where(np.isfinite(share), share, 0.5), 0.02, 1)


def _pieces(domain: Domain) -> NDArray[np.integer]:
    """(inside,) number of the connected piece that each voxel is in."""
    voxels = domain.voxels[: domain.inside]
    box = np.zeros(domain.shape, bool)
    box.reshape(-1)[voxels] = True
    pieces, _ = ndimage.label(box, connectivity(domain.axes))
    return pieces.reshape(-1)[voxels]


def _joined_to_both(
    piece: NDArray[np.integer], reaches: dict[int, NDArray[np.bool_]]
) -> NDArray[np.bool_]:
    """(inside,) whether a voxel's connected piece touches both borders."""
    joined = np.ones(int(piece.max(initial=0)) + 1, bool)
    for touching in reaches.values():
        touched = np.zeros(len(joined), bool)
        touched[piece[touching]] = True
        joined &= touched
    return joined[piece]
