"""Which slices to show, which way up, and what lies on them.

Pictures follow the radiological convention: the patient's right is on the left of an axial or
coronal picture and the front on the left of a sagittal one; the front or the head is on top.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import permutations

import numpy as np
from numpy.typing import NDArray

from ..cortex.errors import InputError
from ..cortex.grid import Grid, Image
from ..cortex.resample import map_values
from ..cortex.result import Measurement

ACROSS = ("sagittal", "coronal", "axial")
LETTERS = ("RL", "AP", "SI")

THICK = 1.2
"""Spacing along one axis over the smallest from which on slices are shown across that axis."""

OBLIQUE = 0.4
"""Direction cosine from which on an axis gets a second letter (it is off by 24 degrees)."""

MARGIN_MM = 3.0
TALLEST, WIDEST = 1.25, 2.4
"""Limits of a picture's height over width and width over height."""

SEEN_ON_EDGE = 0.35
"""Share of a border's normal that must lie in the slice for the border to be drawn there."""


@dataclass(frozen=True)
class View:
    """How slices across one array axis are shown.

    Attributes:
        grid: of the array.
        axis: array axis (0 = k, 1 = j, 2 = i) across the slices.
        rows, columns: array axes that run down and to the right.
        flip_rows, flip_columns: whether they run against their index.
        plane: ``axial``, ``coronal`` or ``sagittal``, whichever is nearest.
    """

    grid: Grid
    axis: int
    rows: int
    columns: int
    flip_rows: bool
    flip_columns: bool
    plane: str

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns of a whole slice."""
        return self.grid.shape[self.rows], self.grid.shape[self.columns]

    @property
    def spacing(self) -> tuple[float, float]:
        """Height and width of a voxel in mm."""
        return self.grid.spacing[self.rows], self.grid.spacing[self.columns]

    def place(self, kji: NDArray) -> tuple[NDArray, NDArray]:
        """Rows and columns of the picture at which index points (n, 3) lie."""
        row, column = kji[..., self.rows], kji[..., self.columns]
        if self.flip_rows:
            row = self.shape[0] - 1 - row
        if self.flip_columns:
            column = self.shape[1] - 1 - column
        return row, column

    def letters(self) -> dict[str, str]:
        """Where left, right, top and bottom of the picture lie in the patient."""
        right = _cosines(self.grid)[:, self.columns] * (-1 if self.flip_columns else 1)
        down = _cosines(self.grid)[:, self.rows] * (-1 if self.flip_rows else 1)
        return {
            "left": _letters(-right), "right": _letters(right),
            "top": _letters(-down), "bottom": _letters(down),
        }  # fmt: skip

    def position(self, index: int) -> str:
        """Where a slice's middle lies, for example ``S 12.3 mm``."""
        middle = (np.array(self.grid.shape) - 1) / 2
        middle[self.axis] = index
        across = ACROSS.index(self.plane)
        mm = self.grid.ras(middle[None])[0, across]
        return f"{LETTERS[across][0 if mm >= 0 else 1]} {abs(mm):.1f} mm"


@dataclass(frozen=True)
class Window:
    """The part of a slice that is shown, in rows and columns of the picture.

    Attributes:
        top, left, height, width: of the voxels that have a picture, whole numbers.
        frame: top, left, height and width of the frame around them, which may reach beyond
            the volume.
    """

    top: int
    left: int
    height: int
    width: int
    frame: tuple[float, float, float, float]

    def cut(self, picture: NDArray) -> NDArray:
        return picture[self.top : self.top + self.height, self.left : self.left + self.width]


@dataclass(frozen=True)
class RibbonSlice:
    """The ribbon's voxels in one slice.

    Attributes:
        view, index: which slice.
        where: their places in the measurement's list.
        rows, columns: their places in the picture.
    """

    view: View
    index: int
    where: NDArray[np.int64]
    rows: NDArray[np.int64]
    columns: NDArray[np.int64]

    def paint(self, values: NDArray, outside: float = 0) -> NDArray:
        """A whole picture with the voxels' ``values`` (one for each of the measurement)."""
        picture = np.full(self.view.shape, outside, dtype=values.dtype)
        picture[self.rows, self.columns] = values[self.where]
        return picture


def view_of(grid: Grid, plane: str = "none") -> View:
    """The view across a plane; with ``none`` across the thickest voxel axis, else axial."""
    axis = _axis_of(grid, plane)
    cosines = np.abs(_cosines(grid))
    order = max(permutations(range(3)), key=lambda p: sum(cosines[r, a] for r, a in enumerate(p)))
    across = order.index(axis)
    to_right, down = order[1 if across == 0 else 0], order[1 if across == 2 else 2]
    signs = _cosines(grid)
    return View(
        grid=grid,
        axis=axis,
        rows=down,
        columns=to_right,
        flip_rows=bool(signs[order.index(down), down] > 0),
        flip_columns=bool(signs[order.index(to_right), to_right] > 0),
        plane=ACROSS[across],
    )


def ribbon_slices(measurement: Measurement, view: View, most: int = 3) -> list[RibbonSlice]:
    """The slices to show, in order: each stands for an equal share of the ribbon's area.

    They lie at the middles of ``most`` equal parts of the area summed over the slices, so
    none shows a scrap while more of the ribbon lies elsewhere.
    """
    kji = np.stack(np.unravel_index(measurement.voxels, measurement.grid.shape), axis=1)
    area = np.bincount(kji[:, view.axis], minlength=measurement.grid.shape[view.axis])
    total = np.cumsum(area)
    wanted = (np.arange(most) + 0.5) / most * total[-1]
    chosen = sorted(set(np.searchsorted(total, wanted, side="left").tolist()))
    return [_ribbon_slice(kji, view, index) for index in chosen if area[index]]


def window_around(slices: list[RibbonSlice]) -> Window:
    """One window for all slices: their ribbon with a margin, neither too tall nor too wide."""
    view = slices[0].view
    spacing, shape = np.array(view.spacing), np.array(view.shape)
    rows, columns = (np.concatenate([getattr(s, n) for s in slices]) for n in ("rows", "columns"))
    low = np.array([rows.min(), columns.min()], dtype=float)
    high = np.array([rows.max(), columns.max()], dtype=float) + 1
    margin = np.maximum(MARGIN_MM, 0.06 * ((high - low) * spacing).max()) / spacing
    low, high = np.maximum(low - margin, 0), np.minimum(high + margin, shape)
    size = (high - low) * spacing
    wanted = np.array([max(size[0], size[1] / WIDEST), max(size[1], size[0] / TALLEST)])
    grow = (wanted - size) / 2 / spacing
    low, high = low - grow, high + grow
    first = np.clip(np.floor(low), 0, shape - 1).astype(int)
    last = np.clip(np.ceil(high), first + 1, shape).astype(int)
    top, left, height, width = (int(v) for v in (*first, *(last - first)))
    frame = float(low[0]), float(low[1]), float(high[0] - low[0]), float(high[1] - low[1])
    return Window(top, left, height, width, frame)


def slice_values(image: Image, view: View, index: int, window: Window) -> NDArray[np.float32]:
    """A map's values on the window of a slice of the label grid; NaN where it has none."""
    voxels = _flat(view, index, window)
    try:
        return map_values(image, view.grid, voxels.reshape(-1)).reshape(voxels.shape)
    except InputError:  # the map does not reach this slice
        return np.full(voxels.shape, np.nan, np.float32)


def slice_labels(labels: Image, view: View, index: int, window: Window) -> NDArray:
    """The labels on the window of a slice."""
    return labels.array.reshape(-1)[_flat(view, index, window)]


def border_lines(measurement: Measurement, part: RibbonSlice) -> Iterator[NDArray[np.float64]]:
    """The measured pial and white-matter borders in a slice, as short tangent lines.

    Each voxel beside a border knows how far the border is (depth times thickness) and which
    way (its normal). The border's tangent plane there meets the slice in a line, of which a
    piece about as long as a voxel is returned.

    Returns:
        for the pial, then the white-matter border (m, 4): the rows and columns of both ends,
        where voxel (0, 0) reaches from 0 to 1.
    """
    view, w = part.view, part.where
    normal = measurement.normals[w].astype(float)
    down = normal[:, view.rows] * (-1 if view.flip_rows else 1)
    right = normal[:, view.columns] * (-1 if view.flip_columns else 1)
    in_plane = np.hypot(down, right)
    height, width = view.spacing
    # In rim style the border runs through a voxel beyond the outermost gray-matter voxel.
    far = 1.5 if measurement.settings.label_style == "rim" else 1.0
    with np.errstate(invalid="ignore", divide="ignore"):
        down, right = down / in_plane, right / in_plane
        reach = np.abs(down) * height + np.abs(right) * width
        pial = measurement.thickness[w] * measurement.depth_equidistant[w] / in_plane
        white = measurement.thickness[w] / in_plane - pial
        half = 0.7 * (np.abs(right) * height + np.abs(down) * width)
        for away, sign in ((pial, -1), (white, 1)):
            near = (away <= far * reach) & (in_plane >= SEEN_ON_EDGE)
            row = part.rows + 0.5 + sign * away * down / height
            column = part.columns + 0.5 + sign * away * right / width
            along = half * right / height, -half * down / width
            ends = row - along[0], column - along[1], row + along[0], column + along[1]
            yield np.stack(ends, axis=1)[near]


def _axis_of(grid: Grid, plane: str) -> int:
    if plane != "none":
        return grid.plane_axis(plane)
    if 1 in grid.shape:
        return grid.shape.index(1)
    spacing = np.array(grid.spacing)
    thick = spacing.max() > THICK * spacing.min() and np.sum(spacing > spacing.max() / THICK) == 1
    return int(spacing.argmax()) if thick else grid.plane_axis("axial")


def _cosines(grid: Grid) -> NDArray[np.float64]:
    """(3, 3): the RAS direction (rows) of each array axis (columns k, j, i)."""
    matrix = grid.ijk_to_ras[:3, :3]
    return (matrix / np.linalg.norm(matrix, axis=0))[:, ::-1]


def _letters(direction: NDArray[np.float64]) -> str:
    largest = np.argsort(-np.abs(direction))
    shown = [a for a in largest if abs(direction[a]) >= OBLIQUE] or [largest[0]]
    return "".join(LETTERS[a][0 if direction[a] > 0 else 1] for a in shown[:2])


def _ribbon_slice(kji: NDArray[np.int64], view: View, index: int) -> RibbonSlice:
    where = np.flatnonzero(kji[:, view.axis] == index)
    rows, columns = view.place(kji[where])
    return RibbonSlice(view, index, where, rows, columns)


def _flat(view: View, index: int, window: Window) -> NDArray[np.int64]:
    """Flat indices into the grid of a window's voxels, (height, width)."""
    rows = np.arange(window.top, window.top + window.height)[:, None]
    columns = np.arange(window.left, window.left + window.width)[None, :]
    place = {
        view.axis: np.full((1, 1), index),
        view.rows: view.shape[0] - 1 - rows if view.flip_rows else rows,
        view.columns: view.shape[1] - 1 - columns if view.flip_columns else columns,
    }
    kji = np.broadcast_arrays(*[place[a] for a in range(3)])
    return np.ravel_multi_index(tuple(kji), view.grid.shape)
