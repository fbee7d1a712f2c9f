"""Sheets bent by a conformal map: gyri and sulci whose thickness and depth are known exactly."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from .shapes import ENDS_MM, GM, SURROUND_MM, Floats, Truth, spread, tissue_of

Complexes = NDArray[np.complexfloating[Any, Any]]


class Strip:
    """A strip bent in the plane by a conformal map, with its exact inverse.

    The map f takes w = x + iy, |x| <= half_length, |y| <= height / 2, to z = across + i up.
    A conformal map carries harmonic functions over, so the Laplace potential of the bent
    strip is that of the straight one: it rises linearly with y, field lines are the images
    of x = const, and a step dy on one is |f'| dy long. The column around it is |f'| dx wide
    there, so its area grows by |f'|^2 dx dy.

    f is given by the logarithm of its derivative, which never vanishes then: the real part
    says how much the map stretches and the imaginary part which way it turns. f(0) is given.

    Attributes:
        half_length: of the strip in x, mm.
        height: of the strip in y, mm. White matter below, pial surface above.
    """

    # Table spacing and nodes of the Gauss-Legendre rules. With a log derivative that varies
    # over some mm, both rules are exact to rounding.
    STEP_MM = 0.1
    SHORT = np.polynomial.legendre.leggauss(6)
    LONG = np.polynomial.legendre.leggauss(16)
    # Newton's method squares how far off a place is: from here, its next step is exact to rounding.
    CLOSE_MM = 1e-8
    # The table goes on beyond the ends, so that points there are told from those within.
    BEYOND_MM = 1.0

    def __init__(
        self,
        log_derivative: Callable[[Complexes], Complexes],
        half_length: float,
        height: float,
        origin: complex = 0,
    ) -> None:
        self.log_derivative = log_derivative
        self.half_length = half_length
        self.height = height
        reach = half_length + self.BEYOND_MM
        columns = int(np.ceil(reach / self.STEP_MM))
        rows = int(np.ceil(height / 2 / self.STEP_MM))
        x = np.linspace(-reach, reach, 2 * columns + 1)
        y = np.linspace(-height / 2, height / 2, 2 * rows + 1)
        nodes = x[:, None] + 1j * y
        images = np.empty_like(nodes)
        midline = np.concatenate([[0], np.cumsum(self._integral(x[:-1] + 0j, x[1:] + 0j))])
        images[:, rows] = midline - midline[columns] + origin
        up = self._integral(nodes[:, :-1], nodes[:, 1:])
        images[:, rows + 1 :] = images[:, [rows]] + np.cumsum(up[:, rows:], axis=1)
        down = np.cumsum(up[:, :rows][:, ::-1], axis=1)[:, ::-1]
        images[:, :rows] = images[:, [rows]] - down
        self._x, self._y = x, y
        self._nodes = nodes.ravel()
        self._images = images.ravel()
        self._tree = cKDTree(_plane(self._images))
        edge = np.ones(nodes.shape, dtype=bool)
        edge[1:-1, 1:-1] = False
        self._edge = np.flatnonzero(edge)
        self._edge_tree = cKDTree(_plane(self._images[self._edge]))
        self._derivatives = self.derivative(self._nodes)
        # Nodes lie at most this far from any point of the strip.
        self._near_mm = self.STEP_MM * float(np.abs(self._derivatives).max())

    def __call__(self, w: Complexes) -> Complexes:
        """f at points (n,) of the straight strip."""
        w = np.asarray(w, dtype=np.complex128)
        column, row = (
            np.clip(np.rint((place - at[0]) / (at[1] - at[0])).astype(int), 0, len(at) - 1)
            for place, at in ((w.real, self._x), (w.imag, self._y))
        )
        start = column * len(self._y) + row
        return self._images[start] + self._integral(self._nodes[start], w)

    def derivative(self, w: Complexes) -> Complexes:
        """f' at points of the straight strip."""
        return np.exp(self.log_derivative(w))

    @property
    def outline(self) -> tuple[Complexes, Complexes]:
        """The bent strip's lower and upper border as points along x."""
        inside = np.abs(self._nodes.real) <= self.half_length
        half = self.height / 2
        low, high = (np.isclose(self._nodes.imag, y) & inside for y in (-half, half))
        return self._images[low], self._images[high]

    def inverse(self, z: Complexes) -> Complexes:
        """The points (n,) of the straight strip that f takes to z.

        Beyond the strip, to more than a table step, the answer is a first-order estimate:
        good enough to tell above from below and within the ends from beyond.
        """
        places = _plane(z)
        distance, start = self._tree.query(places, distance_upper_bound=self._near_mm)
        # Far points start from the edge, a tree so small that it is searched fast.
        found = np.isfinite(distance)
        start = np.asarray(start)
        start[~found] = self._edge[self._edge_tree.query(places[~found])[1]]
        node, image = self._nodes[start], self._images[start]
        w = node + (z - image) / self._derivatives[start]
        near = np.flatnonzero(found)
        for _ in range(8):
            root = w[near]
            miss = image[near] + self._integral(node[near], root) - z[near]
            w[near] = root - miss / self.derivative(root)
            near = near[np.abs(miss) > self.CLOSE_MM]
            if not len(near):
                break
        return w

    def lengths(self, x: Floats, low: Floats, high: Floats) -> tuple[Floats, Floats]:
        """Length of the field lines x from y = low to high, mm, and area of their columns.

        All (n,). They are the integrals of |f'| and of |f'|^2 over y: the area is that per dx.
        """
        places, weights = self.LONG
        half = (high - low) / 2
        length, area = np.zeros(len(x)), np.zeros(len(x))
        for place, weight in zip(places, weights, strict=True):
            stretch = np.exp(self.log_derivative(x + 1j * (low + half * (1 + place))).real)
            length += weight * stretch
            area += weight * stretch**2
        return length * half, area * half

    def _integral(self, start: Complexes, end: Complexes) -> Complexes:
        """Integral of f' along straight lines from start to end."""
        places, weights = self.SHORT
        half = (end - start) / 2
        total = np.zeros_like(half)
        for place, weight in zip(places, weights, strict=True):
            total += weight * self.derivative(start + half * (1 + place))
        return total * half


@dataclass(frozen=True)
class FoldedSheet:
    """A sheet folded into gyri and sulci, even along its axis.

    Its middle is a curve whose direction swings as a sine of arc length, as a river's
    meander does, bent by the conformal map of :class:`Strip`. Where the fold is convex
    towards the pial surface (a gyral crown) the sheet is thicker than in a sulcus.

    Attributes:
        height: thickness in mm where the sheet is straight.
        swing: greatest direction of the middle against ``across``, radians.
        wavelength: arc length of one fold, mm.
        contrast: half the difference in the logarithm of thickness between crown and sulcus.
        half_length: of the middle's arc, mm.
        half_depth: along the axis, mm.
    """

    height: float = 2.6
    swing: float = 1.15
    wavelength: float = 24.0
    contrast: float = 0.12
    half_length: float = 15.0
    half_depth: float = 4.0

    @property
    def box(self) -> Floats:
        """(2, 3) mm; see :class:`.shapes.Shape`."""
        outline = _plane(np.concatenate(self.strip.outline))[:, ::-1]
        room = np.array([SURROUND_MM, ENDS_MM])
        low, high = outline.min(axis=0) - room, outline.max(axis=0) + room
        axis = self.half_depth + ENDS_MM
        return np.array([[-axis, *low], [axis, *high]])

    @cached_property
    def strip(self) -> Strip:
        """The conformal map behind the sheet."""
        k = 2 * np.pi / self.wavelength

        def log_derivative(w: Complexes) -> Complexes:
            return 1j * self.swing * np.sin(k * w) - self.contrast * np.cos(k * w)

        return Strip(log_derivative, self.half_length, self.height)

    def tissue(self, points: Floats) -> NDArray[np.uint8]:
        """(n,) labels; see :class:`.shapes.Shape`."""
        return self._label(self._straight(points))

    def sample(self, points: Floats) -> Truth:
        """The truth; see :class:`.shapes.Shape`."""
        w = self._straight(points)
        return strip_truth(self.strip, points, w, self._label(w), self.half_depth)

    def _straight(self, points: Floats) -> Complexes:
        """Places (n,) on the straight strip; infinitely far beyond the axis's ends."""
        w = np.full(len(points), np.inf + 0j)
        within = np.abs(points[:, 0]) <= self.half_depth
        w[within] = self.strip.inverse(points[within, 2] + 1j * points[within, 1])
        return w

    def _label(self, w: Complexes) -> NDArray[np.uint8]:
        return tissue_of(w.imag / self.height + 0.5, np.abs(w.real) > self.half_length)


def strip_truth(
    strip: Strip, points: Floats, w: Complexes, tissue: NDArray[np.uint8], half_depth: float
) -> Truth:
    """The truth of a sheet that is a bent strip drawn out along its axis.

    Args:
        strip: the bent strip.
        points: (n, 3) own coordinates (axis, up, across), mm.
        w: (n,) their places on the straight strip.
        tissue: (n,) their labels.
        half_depth: where the sheet ends along its axis, mm; may be infinite.
    """
    gray = np.flatnonzero(tissue == GM)
    x, y, top = w[gray].real, w[gray].imag, strip.height / 2
    pial, white = np.full_like(y, top), np.full_like(y, -top)
    outer, outer_area = strip.lengths(x, y, pial)
    inner, inner_area = strip.lengths(x, white, y)
    ends = np.empty((len(gray), 2, 3))
    for end, height in enumerate((-top, top)):
        image = strip(x + 1j * height)
        ends[:, end] = np.stack([points[gray, 0], image.imag, image.real], axis=1)
    narrowest = np.abs(strip.derivative(x + 1j * np.array([[-top], [0], [top]]))).min(axis=0)
    side = np.minimum(
        half_depth - np.abs(points[gray, 0]), narrowest * (strip.half_length - np.abs(x))
    )
    values = (
        y / strip.height + 0.5,
        outer + inner,
        outer / (outer + inner),
        outer_area / (outer_area + inner_area),
        ends,
        side,
    )
    return Truth(tissue, *(spread(v, gray, len(points)) for v in values))


def _plane(z: Complexes) -> Floats:
    return np.stack([z.real, z.imag], axis=-1)
