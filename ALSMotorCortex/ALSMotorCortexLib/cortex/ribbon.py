"""From a label map to the ribbon: gray matter with every face of its border named.

A face of a gray-matter voxel is *white* (towards white matter), *pial* (towards CSF, or the
opposite bank of a sulcus) or *cut* (towards the volume's edge or an unlabelled voxel, where
the region simply ends). Cut faces are nobody's border: no field line ends there.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from .errors import InputError
from .grid import Grid, Image
from .masks import bounding_box, carries, grown_by_faces
from .result import Finding
from .settings import Settings

CUT, PIAL, WHITE, GRAY = 0, 1, 2, 3
"""Tissue codes of a ribbon's box. ``CUT`` is everything that is no known tissue."""

MARGIN = 12
"""Voxels kept around the gray matter, so that its borders can be smoothed undisturbed."""

SAMPLED = 4000
"""Voxels of each side that the label style is judged by; far more than a share needs."""

LINE, SOLID = 0.75, 0.25
"""Share of the voxels beside gray matter that have nothing behind them from which on a side is a
line, and share of voxels amid their own kind from which on it is none."""


@dataclass(frozen=True)
class Ribbon:
    """Gray matter and its surroundings, in the bounding box of the gray matter.

    Attributes:
        grid: the whole label grid.
        start: (k, j, i) index of the box's first voxel in that grid.
        tissue: (k, j, i) uint8 tissue codes of the box. In ``rim`` style the one-voxel
            lines are ``PIAL`` and ``WHITE``, and the background behind them too.
        line: (k, j, i) bool, the voxels of rim lines; None in ``tissue`` style.
        axes: array axes the measurement runs along: all three, or the two of the plane.
        findings: what was repaired or noticed.
    """

    grid: Grid
    start: tuple[int, int, int]
    tissue: NDArray[np.uint8]
    line: NDArray[np.bool_] | None
    axes: tuple[int, ...]
    findings: tuple[Finding, ...]

    def ras(self, kji: NDArray) -> NDArray[np.float64]:
        """RAS in mm of index points (n, 3) of the box."""
        return self.grid.ras(np.asarray(kji) + np.array(self.start))

    def open_sides(self) -> list[tuple[int, int]]:
        """(axis, -1 or 1) of the sides where the box ends because the volume does."""
        sides = []
        for axis in self.axes:
            if self.start[axis] == 0:
                sides.append((axis, -1))
            if self.start[axis] + self.tissue.shape[axis] == self.grid.shape[axis]:
                sides.append((axis, 1))
        return sides

    def grid_indices(self, box_indices: NDArray[np.int64]) -> NDArray[np.int64]:
        """Flat indices into the label grid of flat indices (n,) into the box."""
        kji = np.unravel_index(box_indices, self.tissue.shape)
        moved = tuple(a + s for a, s in zip(kji, self.start, strict=True))
        return np.ravel_multi_index(moved, self.grid.shape).astype(np.int64)


def make_ribbon(labels: Image, settings: Settings) -> Ribbon:
    """The ribbon that the settings pick out of a label map.

    Args:
        labels: integer labels (k, j, i).
        settings: which labels are which tissue, the label style, what to repair.

    Raises:
        InputError: no gray matter, or gray matter that touches no white matter or no pial
            border.
    """
    settings.check()
    axes = measured_axes(labels.grid, settings.plane)
    tissue, start = _boxed_tissue(labels, settings)
    findings: list[Finding] = []
    with ThreadPoolExecutor(1) as pool:
        # Seldom there is a hole to fill, so both can be looked for at the same time.
        meanwhile = pool.submit(_gray_pieces, tissue, axes)
        tissue, found = _fill_holes(tissue, labels.grid, settings.fill_holes_mm3, axes)
    pieces = _gray_pieces(tissue, axes) if found else meanwhile.result()
    findings += found
    tissue, found = _drop_islands(tissue, pieces, labels.grid, settings.drop_islands_mm3)
    findings += found
    if not (tissue == GRAY).any():
        raise InputError(
            "All gray matter lies in pieces that are too small to measure. Lower "
            "drop_islands_mm3, or check the label map."
        )
    findings += _style_findings(tissue, settings, axes)
    line = None
    if settings.label_style == "rim":
        line = (tissue == PIAL) | (tissue == WHITE)
        tissue = spread(tissue, steps=MARGIN, onto=CUT, blocked_by=GRAY)
    _need_both_borders(tissue, axes, settings)
    findings += _contacts(tissue, labels, settings, start, axes)
    return Ribbon(labels.grid, start, tissue, line, axes, tuple(findings))


def measured_axes(grid: Grid, plane: str) -> tuple[int, ...]:
    """Array axes that field lines may run along: all, or those within a slice plane."""
    across = None if plane == "none" else grid.plane_axis(plane)
    return tuple(a for a in range(3) if a != across)


def faces(shape: tuple[int, ...], axis: int) -> tuple[tuple[slice, ...], tuple[slice, ...]]:
    """Slices that pair each voxel of an array with its next one along ``axis``."""
    near = [slice(None)] * len(shape)
    far = [slice(None)] * len(shape)
    near[axis], far[axis] = slice(0, -1), slice(1, None)
    return tuple(near), tuple(far)


def connectivity(axes: tuple[int, ...]) -> NDArray[np.bool_]:
    """(3, 3, 3) structuring element of the face neighbours along some axes."""
    element = np.zeros((3, 3, 3), bool)
    element[1, 1, 1] = True
    for axis in axes:
        for side in (0, 2):
            place = [1, 1, 1]
            place[axis] = side
            element[tuple(place)] = True
    return element


def spread(
    tissue: NDArray[np.uint8], steps: int, onto: int, blocked_by: int | None = None
) -> NDArray[np.uint8]:
    """Grow tissue codes into the voxels that hold ``onto``, one face neighbour a step.

    Args:
        tissue: (k, j, i) codes; not changed.
        steps: how many voxels far.
        onto: the code that is overwritten.
        blocked_by: a code that grows like the others but leaves no trace: what it reaches
            first stays ``onto``.

    Returns:
        (k, j, i) codes.
    """
    padded = np.pad(tissue, 1, constant_values=255)
    flat = padded.reshape(-1)
    strides = np.array(padded.strides) // padded.itemsize
    offsets = [int(s) for stride in strides for s in (-stride, stride)]
    wall = blocked_by if blocked_by is not None else 254
    inner = padded[1:-1, 1:-1, 1:-1]
    empty = grown_by_faces(inner == onto, (0, 1, 2))
    front = np.flatnonzero(np.pad(empty & (inner != onto), 1))
    # What the blocking code reaches is marked 253 while growing and given back at the end.
    codes = np.where(flat[front] == wall, 253, flat[front]).astype(np.uint8)
    fields = chess_fields(front, padded.shape)
    for _ in range(steps):
        if not len(front):
            break
        reached, on = [], []
        # A voxel that several codes reach at once goes to the lowest of them or to the highest,
        # as on a chessboard: neither the order of the axes has a say then, nor does one code
        # gain on another. Blocked ground comes first.
        rising = sorted(set(codes.tolist()), key=lambda c: (c != 253, c))
        falling = sorted(set(codes.tolist()), key=lambda c: (c != 253, -c))
        for pair in zip(rising, falling, strict=True):
            for field, code in enumerate(pair):
                # A step leads to the other colour.
                mine = front[(codes == code) & (fields != field)]
                for offset in offsets:
                    to = mine + offset
                    to = to[flat[to] == onto]
                    flat[to] = code
                    reached.append(to)
                    on.append(np.full(len(to), field, np.uint8))
        # Claimed ground is no longer free, so no voxel is reached twice.
        front, fields = np.concatenate(reached), np.concatenate(on)
        codes = flat[front]
    flat[flat == 253] = onto
    return np.ascontiguousarray(inner)


def chess_fields(voxels: NDArray[np.int64], shape: tuple[int, ...]) -> NDArray[np.uint8]:
    """(n,) 0 or 1, the colour of each voxel if the box were a chessboard."""
    row = voxels // shape[2]
    return ((voxels % shape[2] + row % shape[1] + row // shape[1]) % 2).astype(np.uint8)


def _boxed_tissue(
    labels: Image, settings: Settings
) -> tuple[NDArray[np.uint8], tuple[int, int, int]]:
    """Tissue codes in the gray matter's bounding box with a margin, and where it starts."""
    gray = carries(labels.array, settings.gm)
    if not gray.any():
        raise InputError(
            f"No voxel carries the gray-matter label {_listed(settings.gm)}. "
            f"The labels in {labels.name} are: {_listed(np.unique(labels.array)[:30])}."
        )
    box = bounding_box(gray, (MARGIN,) * 3)
    part = labels.array[box]
    tissue = np.zeros(part.shape, np.uint8)
    tissue[carries(part, (*settings.csf, *settings.other_bank))] = PIAL
    tissue[carries(part, settings.wm)] = WHITE
    tissue[gray[box]] = GRAY
    return tissue, (box[0].start, box[1].start, box[2].start)


def _listed(values: NDArray | tuple[int, ...]) -> str:
    return ", ".join(str(int(v)) for v in values)


@dataclass(frozen=True)
class _Pieces:
    """The connected pieces of a mask in a box.

    Attributes:
        box: where its mask lies.
        number: of each voxel's piece, from 1 on; 0 outside the mask.
        count: how many there are.
    """

    box: tuple[slice, ...]
    number: NDArray[np.integer]
    count: int

    def sizes(self, grid: Grid) -> NDArray[np.floating]:
        """(1 + count,) volume of each piece in mm3; endless outside the mask."""
        sizes = np.bincount(self.number.reshape(-1), minlength=self.count + 1) * grid.voxel_volume
        sizes[0] = np.inf
        return sizes


def _gray_pieces(tissue: NDArray[np.uint8], axes: tuple[int, ...]) -> _Pieces:
    """The pieces of the gray matter."""
    gray = tissue == GRAY
    box = bounding_box(gray)
    return _Pieces(box, *ndimage.label(gray[box], connectivity(axes)))


def _fill_holes(
    tissue: NDArray[np.uint8], grid: Grid, limit: float, axes: tuple[int, ...]
) -> tuple[NDArray[np.uint8], list[Finding]]:
    """Fill small enclosed holes. A hole may lie open to one side of the volume at most:
    the first and last slice cut through holes, but a region across a corner is none."""
    # All there is outside the gray matter's bounding box belongs to the background.
    box = bounding_box(tissue == GRAY, (1, 1, 1))
    pieces = _Pieces(box, *ndimage.label(tissue[box] != GRAY, connectivity(axes)))
    if limit <= 0 or pieces.count < 2:
        return tissue, []
    sizes = pieces.sizes(grid)
    open_sides = np.zeros(len(sizes), int)
    for axis in range(3):
        for side in (0, -1):
            at_side = np.unique(np.take(pieces.number, side, axis=axis))
            open_sides[at_side] += axis in axes or pieces.number.shape[axis] == 1
    small = (sizes <= limit) & (open_sides <= 1)
    if not small.any():
        return tissue, []
    filled = tissue.copy()
    filled[box][small[pieces.number]] = GRAY
    message = (
        f"{_counted(int(small.sum()), 'hole')} in the gray matter of up to {limit:g} mm3 "
        f"({sizes[small].sum():.2f} mm3 together) filled."
    )
    return filled, [Finding("holes_filled", message)]


def _drop_islands(
    tissue: NDArray[np.uint8], pieces: _Pieces, grid: Grid, limit: float
) -> tuple[NDArray[np.uint8], list[Finding]]:
    """Drop small loose pieces of gray matter."""
    if limit <= 0 or pieces.count < 2:
        return tissue, []
    sizes = pieces.sizes(grid)
    small = sizes <= limit
    if not small.any():
        return tissue, []
    kept = tissue.copy()
    kept[pieces.box][small[pieces.number]] = CUT
    message = (
        f"{_counted(int(small.sum()), 'loose piece')} of gray matter of up to {limit:g} mm3 "
        f"({sizes[small].sum():.2f} mm3 together) dropped."
    )
    return kept, [Finding("islands_dropped", message)]


def _counted(n: int, noun: str) -> str:
    return f"{n} {noun}" + ("" if n == 1 else "s")


def _need_both_borders(
    tissue: NDArray[np.uint8], axes: tuple[int, ...], settings: Settings
) -> None:
    for code, name, option, chosen in (
        (WHITE, "white-matter", "--wm", settings.wm),
        (PIAL, "pial", "--csf", settings.csf + settings.other_bank),
    ):
        if not any(_touching(tissue, GRAY, code, axis).any() for axis in axes):
            raise InputError(
                f"The gray matter touches no {name} border: none of its voxels lies next to "
                f"label {_listed(chosen)}. Check {option}, or draw the missing tissue."
            )


def _touching(tissue: NDArray[np.uint8], a: int, b: int, axis: int) -> NDArray[np.bool_]:
    near, far = faces(tissue.shape, axis)
    first, second = tissue[near], tissue[far]
    return ((first == a) & (second == b)) | ((first == b) & (second == a))


def _style_findings(
    tissue: NDArray[np.uint8], settings: Settings, axes: tuple[int, ...]
) -> list[Finding]:
    """Whether the labels plainly are of the other style than they are said to be."""
    shares = [_line_and_solid(tissue, code, axes) for code in (WHITE, PIAL)]
    if settings.label_style == "tissue" and all(line >= LINE for line, _ in shares):
        message = (
            "White matter and CSF are lines one voxel thick with unlabelled voxels behind them, "
            "as in LayNii's rim files. If this is one, give --label-style rim: then the borders "
            "run through the middle of the lines, and the thickness is about one voxel greater."
        )
    elif settings.label_style == "rim" and all(solid >= SOLID for _, solid in shares):
        message = (
            "White matter and CSF are solid and no lines one voxel thick, which --label-style "
            "rim is for. Leave that option out: then borders run between the voxels."
        )
    else:
        return []
    return [Finding("label_style_unlikely", message, warning=True)]


def _line_and_solid(
    tissue: NDArray[np.uint8], code: int, axes: tuple[int, ...]
) -> tuple[float, float]:
    """Of a sample of one side's voxels: of those beside gray matter the share that has an
    unlabelled voxel opposite to it, and of all the share amid voxels of the same side."""
    mine = np.flatnonzero(tissue == code)
    mine = mine[:: max(1, len(mine) // SAMPLED)]
    if not len(mine):
        return 0.0, 0.0
    kji = np.array(np.unravel_index(mine, tissue.shape))
    beside, line = np.zeros(len(mine), bool), np.zeros(len(mine), bool)
    solid = np.ones(len(mine), bool)
    for axis in axes:
        sides = []
        for step in (-1, 1):
            place = kji.copy()
            place[axis] += step
            within = (place[axis] >= 0) & (place[axis] < tissue.shape[axis])
            place[axis] -= step * ~within
            # Beyond the volume's edge it goes on as it is at the edge.
            sides.append(tissue[tuple(place)])
        for near, far in (sides, sides[::-1]):
            beside |= near == GRAY
            line |= (near == GRAY) & (far == CUT)
            solid &= near == code
    # A handful of voxels is no share to judge by.
    return float(line.sum() / max(beside.sum(), 10)), float(solid.mean())


def _contacts(
    tissue: NDArray[np.uint8],
    labels: Image,
    settings: Settings,
    start: tuple[int, int, int],
    axes: tuple[int, ...],
) -> list[Finding]:
    """Where CSF or the opposite bank touches white matter close to the ribbon."""
    near_gray: NDArray[np.bool_] | None = None
    places, banks = [], 0
    for axis in axes:
        touching = _touching(tissue, PIAL, WHITE, axis)
        if not touching.any():
            continue
        if near_gray is None:
            near_gray = grown_by_faces(grown_by_faces(tissue == GRAY, axes), axes)
        near, _ = faces(tissue.shape, axis)
        first = np.argwhere(touching & near_gray[near])
        step = np.eye(3, dtype=int)[axis]
        for side in (first, first + step):
            found = labels.array[tuple((side + np.array(start)).T)]
            banks += int(np.isin(found, settings.other_bank).sum())
        places.append(first + 0.5 * step)
    gaps = np.concatenate(places) if places else np.empty((0, 3))
    if not len(gaps):
        return []
    # The gap point with most others around it stands for all.
    middle = gaps[np.argmin(np.abs(gaps - np.median(gaps, axis=0)).sum(axis=1))]
    r, a, s = (float(x) for x in labels.grid.ras(middle + np.array(start)))
    where = f"at {_counted(len(gaps), 'face')} around RAS {r:.1f}, {a:.1f}, {s:.1f} mm"
    if banks > 0.5 * len(gaps):
        message = (
            "The opposite bank touches white matter right beside the gray matter, "
            f"{where}. Thickness falls to zero there. It is so when --wm and --csf are swapped: "
            "check which label is which. Otherwise the gray matter has a gap there, or ends at "
            "the bottom of the sulcus."
        )
        return [Finding("other_bank_touches_white_matter", message, warning=True, ras=(r, a, s))]
    message = (
        f"CSF touches white matter through a gap in the gray matter, {where}. Thickness falls "
        "to zero there; close the gap in the label map if it is not real."
    )
    return [Finding("csf_touches_white_matter", message, warning=True, ras=(r, a, s))]
