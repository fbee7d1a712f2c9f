"""From traced borders to a label map that :func:`.measure.measure` takes.

The labels are in the ``tissue`` style: gray matter between the two borders, a band of CSF
outside the pial one and of white matter inside the other. Both ends of a trace, and the
first and last slice, have nothing beside them: they are cut faces.

Traces on several slices are joined into one ribbon: between two slices each border is
interpolated point by point along the curve. Traces far apart on one slice, as of the left
and the right hemisphere, stay two pieces.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import map_coordinates

from .curves import Plane
from .errors import InputError
from .grid import Grid, Image
from .sampling import voxel_along
from .trace import Trace

CSF, WM, GM = 1, 2, 3
PER_VOXEL = 2
MARGIN_MM = 1.0
MOST_ANGLE_DEG = 5.0
# Traces whose middles differ by more than this are not the same piece of cortex, nor are
# slices further apart than this many slice distances.
APART_MM = 12.0
GAP_SLICES = 4.5
POINTS = 400


@dataclass(frozen=True)
class _Section:
    """Both borders (400, 2), in mm in the common plane, at a height in mm."""

    height: float
    pial: NDArray
    white: NDArray

    def reversed(self) -> _Section:
        return _Section(self.height, self.pial[::-1], self.white[::-1])

    def towards(self, other: _Section, share: float) -> _Section:
        """The section a share of the way to another."""
        return _Section(
            (1 - share) * self.height + share * other.height,
            (1 - share) * self.pial + share * other.pial,
            (1 - share) * self.white + share * other.white,
        )


def ribbon_labels(
    traces: Sequence[Trace],
    grid: Grid,
    spacing_mm: float | None = None,
    margin_mm: float = MARGIN_MM,
) -> Image:
    """Labels 1 CSF, 2 white matter, 3 gray matter of one or more traces.

    The labels lie on a grid of their own, along the slice plane, finer than the image in
    plane, so that the traced borders keep their sub-voxel place.

    Args:
        traces: at least one, all on parallel planes.
        grid: of the image that was traced; sets the distance between slices.
        spacing_mm: in-plane spacing; half the image's by default.
        margin_mm: width of the CSF and the white-matter band.

    Raises:
        InputError: no trace, or traces on planes at an angle to each other.
    """
    if not traces:
        raise InputError("There is no trace. Draw a curve along the motor cortex first.")
    plane = traces[0].plane
    for trace in traces[1:]:
        cosine = min(1.0, abs(float(trace.plane.normal @ plane.normal)))
        if (angle := np.degrees(np.arccos(cosine))) > MOST_ANGLE_DEG:
            raise InputError(
                f"Two traces lie on planes {angle:.0f} degrees apart. "
                "Draw all traces of a ribbon on slices of one direction."
            )
    between = voxel_along(grid, plane.normal)
    spacing = spacing_mm or min(voxel_along(grid, axis) for axis in plane.axes[:2]) / PER_VOXEL
    pieces = _pieces([_section(trace, plane) for trace in traces], between)
    base = min(piece[0].height for piece in pieces)
    sections = [s for piece in pieces for s in _on_slices(piece, base, between)]
    target = _grid_around(sections, plane, spacing, between, margin_mm)
    labels = np.zeros(target.shape, dtype=np.uint8)
    for label in (CSF, WM, GM):
        for section in sections:
            level = int(np.rint(target.kji(plane.origin + section.height * plane.normal)[0]))
            outline = _outline(section, label, margin_mm)
            ji = target.kji(plane.ras(outline) + section.height * plane.normal)[:, 1:]
            labels[level][fill(ji, target.shape[1:])] = label
    return Image(labels, target, "traced ribbon")


def onto(labels: Image, grid: Grid) -> NDArray[np.uint8]:
    """Labels (k, j, i) on another grid: each voxel takes the label at its centre.

    Args:
        labels: from :func:`ribbon_labels`.
        grid: for example of the segmentation to paint into.
    """
    result = np.zeros(grid.shape, dtype=np.uint8)
    corners = np.array(np.meshgrid(*[(-0.5, n - 0.5) for n in labels.array.shape])).reshape(3, -1).T
    reach = grid.kji(labels.grid.ras(corners))
    low = np.clip(np.floor(reach.min(axis=0)), 0, grid.shape).astype(int)
    high = np.clip(np.ceil(reach.max(axis=0)) + 1, 0, grid.shape).astype(int)
    for k in range(low[0], high[0]):
        ji = np.stack(np.meshgrid(*[np.arange(low[a], high[a]) for a in (1, 2)], indexing="ij"), -1)
        kji = np.concatenate([np.full((*ji.shape[:2], 1), k), ji], axis=2)
        at = labels.grid.kji(grid.ras(kji.reshape(-1, 3)))
        values = map_coordinates(labels.array, at.T, order=0, mode="grid-constant", cval=0)
        result[k, low[1] : high[1], low[2] : high[2]] = values.reshape(ji.shape[:2])
    return result


def fill(outline: NDArray, shape: tuple[int, ...]) -> NDArray[np.bool_]:
    """Pixels whose centre lies within a closed outline (non-zero winding).

    Args:
        outline: (n, 2) corners in (row, column), fractional; the last joins the first.
        shape: rows and columns.
    """
    rows, columns = shape[:2]
    start, end = outline, np.roll(outline, -1, axis=0)
    first = np.ceil(np.minimum(start[:, 0], end[:, 0])).astype(int)
    beyond = np.ceil(np.maximum(start[:, 0], end[:, 0])).astype(int)
    first, beyond = np.clip(first, 0, rows), np.clip(beyond, 0, rows)
    number = beyond - first
    edge = np.repeat(np.arange(len(outline)), number)
    row = np.arange(number.sum()) - np.repeat(np.cumsum(number) - number, number) + first[edge]
    share = (row - start[edge, 0]) / (end[edge, 0] - start[edge, 0])
    column = start[edge, 1] + share * (end[edge, 1] - start[edge, 1])
    column = np.clip(np.ceil(column), 0, columns).astype(int)
    winding = np.zeros((rows, columns + 1), dtype=np.int32)
    np.add.at(winding, (row, column), np.sign(end[edge, 0] - start[edge, 0]).astype(np.int32))
    return np.cumsum(winding, axis=1)[:, :columns] != 0


def _section(trace: Trace, plane: Plane) -> _Section:
    columns = np.linspace(0, len(trace.pial) - 1, POINTS)
    pial, white = (
        np.stack([np.interp(columns, np.arange(len(b)), axis) for axis in plane.flat(b).T], axis=1)
        for b in (trace.pial, trace.white)
    )
    return _Section(float(plane.height(trace.curve).mean()), pial, white)


def _pieces(sections: list[_Section], between: float) -> list[list[_Section]]:
    """Sections that continue each other from slice to slice, all in the same direction."""
    pieces: list[list[_Section]] = []
    for section in sorted(sections, key=lambda s: s.height):
        best: tuple[float, list[_Section], _Section] | None = None
        for piece in pieces:
            last = piece[-1]
            gap = section.height - last.height
            if not 0.25 * between < gap < GAP_SLICES * between:
                continue
            for way in (section, section.reversed()):
                off = float(np.linalg.norm(way.pial - last.pial, axis=1).mean())
                if off < APART_MM and (best is None or off < best[0]):
                    best = (off, piece, way)
        if best:
            best[1].append(best[2])
        else:
            pieces.append([section])
    return pieces


def _on_slices(piece: list[_Section], base: float, between: float) -> list[_Section]:
    """A piece cut by the slices at ``base`` + n ``between``, from its first to its last."""
    heights = [section.height for section in piece]
    first, last = (round((height - base) / between) for height in (heights[0], heights[-1]))
    result = []
    for height in base + np.arange(first, last + 1) * between:
        after = int(np.clip(np.searchsorted(heights, height), 1, max(len(piece) - 1, 1)))
        one, other = piece[after - 1], piece[min(after, len(piece) - 1)]
        gap = other.height - one.height
        share = float(np.clip((height - one.height) / gap, 0, 1)) if gap else 0.0
        between_them = one.towards(other, share)
        result.append(_Section(float(height), between_them.pial, between_them.white))
    return result


def _outline(section: _Section, label: int, margin_mm: float) -> NDArray:
    if label == GM:
        return np.concatenate([section.pial, section.white[::-1]])
    outwards = section.pial - section.white
    outwards /= np.maximum(np.linalg.norm(outwards, axis=1, keepdims=True), 1e-9)
    if label == CSF:
        # From the middle of the cortex, so that no gap opens; gray matter is painted last.
        inner, outer = (section.pial + section.white) / 2, section.pial + margin_mm * outwards
    else:
        inner, outer = (section.pial + section.white) / 2, section.white - margin_mm * outwards
    return np.concatenate([inner, outer[::-1]])


def _grid_around(
    sections: list[_Section], plane: Plane, spacing: float, between: float, margin_mm: float
) -> Grid:
    flat = np.concatenate([np.concatenate([s.pial, s.white]) for s in sections])
    edge = margin_mm + 2 * spacing
    low, high = flat.min(axis=0) - edge, flat.max(axis=0) + edge
    heights = np.array([s.height for s in sections])
    shape = (
        round(float(np.ptp(heights)) / between) + 1,
        int(np.ceil((high[1] - low[1]) / spacing)) + 1,
        int(np.ceil((high[0] - low[0]) / spacing)) + 1,
    )
    matrix = np.eye(4)
    matrix[:3, :3] = plane.axes.T * [spacing, spacing, between]
    matrix[:3, 3] = plane.ras(low) + heights.min() * plane.normal
    return Grid(shape, matrix)
