"""How obliquely slices cut the cortex, and how thick it is without that.

A slice that the cortex's normal leaves at an angle shows the cortex 1 / cos(angle) too thick. The
angle is found from the neighbouring slices: the level of the potential that a column has at some
depth is sought along the same straight line in the slice above and in the slice below. The three
places lie on the surface of that depth, and the tangent there is that of the circle through them.
Where there is a slice on one side only, at the end of the volume or of the region, the angle is
that of the chord to it, turned on by as much as it still turns from the chord to that slice's own
tangent, as on a circle. Slices that are closer than ``REACH_MM`` are passed over: on so short a
way the staircase of the labels tells no angle.

Within a slice the correction is more than a cosine. Let r be the distance from the white matter
in 3D. Between borders that run parallel, r rises by the thickness along any path from one to the
other. So the thickness is the integral, along the field line in the slice, of the cosine between
that line and the cortex's normal, for flat and for curved cortex alike. It is taken by Simpson's
rule from the angles at the white matter, at mid-depth and at the pial surface.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from .grid import Grid
from .laplace import Domain
from .result import Finding
from .ribbon import GRAY, PIAL, WHITE, Ribbon
from .settings import Settings
from .streamlines import Streamlines

ANISOTROPIC = 2.0
"""Ratio of the longest to the shortest voxel side above which the longest runs across slices."""

REACH_MM = 1.0
"""Least distance from a slice to those it is compared with, where there are so many slices."""

STEEPEST = 70.0
"""Angle in degrees up to which neighbouring slices are searched; it stands for steeper ones."""

SEARCH_MM = 0.5
"""Step of that search; the level's place is then refined within one step."""

SMOOTH_MM = 0.3
"""Width of the Gaussian that takes the staircase out of the potential within slices."""

SPREAD_MM = 0.5
"""Width of the Gaussian that averages angles along the cortex within slices."""

LEAST_VOXELS = 0.6
"""Least width of either Gaussian, in voxels."""

BORROW_MM = 3.0
"""How far along its slice a column may take the angle of another where no slice tells its own."""

SAME_COLUMN_MM = 1.0
"""How far from where a level was met the nearest column of that slice may lie."""

CENTRAL_VOXELS = 0.75
"""How far from mid-depth a voxel may lie that stands for its column."""

MANY_LEFT_OUT = 0.25
"""Share of voxels left out of the means from which on the user is warned."""

SIMPSON = {WHITE: 1 / 6, GRAY: 4 / 6, PIAL: 1 / 6}
"""Weights of the cosines at the white matter, at mid-depth and at the pial surface."""


@dataclass(frozen=True)
class Obliquity:
    """How slices cut the columns of the ribbon's voxels.

    Attributes:
        angle: (n,) float32 degrees between the cortex's normal at mid-depth and the slice: 0
            where the slice cuts straight across the cortex, ``STEEPEST`` where it is that or
            more; NaN where it cannot be told.
        cosine: (n,) float32, what thickness within the slice is multiplied by; NaN where the
            angle is not told or ``STEEPEST``.
    """

    angle: NDArray[np.float32]
    cosine: NDArray[np.float32]


def slice_axis(grid: Grid, plane: str) -> int | None:
    """The array axis across the slices: that of the plane, else that of the longest voxel side
    where it is more than ``ANISOTROPIC`` times the shortest, else None.
    """
    if plane != "none":
        return grid.plane_axis(plane)
    spacing = grid.spacing
    longest = int(np.argmax(spacing))
    return longest if spacing[longest] > ANISOTROPIC * min(spacing) else None


def find_obliquity(
    ribbon: Ribbon,
    domain: Domain,
    potential: NDArray[np.float32],
    lines: Streamlines,
    axis: int,
) -> Obliquity:
    """The angle between the cortex's normal and the slices, for every voxel's column.

    Args:
        ribbon, domain, potential, lines: of the measurement.
        axis: array axis across the slices.
    """
    slices = _Slices(ribbon, domain, potential, axis)
    ends = {code: slices.ordered(end) for code, end in lines.ends.items()}
    middle = (ends[WHITE] + ends[PIAL]) * np.float32(0.5)
    known = np.flatnonzero(np.isfinite(middle).all(axis=1))
    # A voxel across the cortex stands for its column.
    off_middle = np.abs(lines.to_white - lines.to_pial)[known] / 2
    central = known[off_middle < CENTRAL_VOXELS * slices.voxel]
    places = {GRAY: middle[central]}
    if axis not in domain.axes:
        # In 3D field lines leave the slice, and there is nothing to correct.
        places |= {code: end[central] for code, end in ends.items()}
    slopes = slices.slopes(places)
    weight = sum(SIMPSON[code] for code in slopes)
    cosine = np.zeros(len(central), np.float32)
    for code, slope in slopes.items():
        cosine += SIMPSON[code] / weight * np.cos(slope)
    values = np.full((2, len(middle)), np.nan, np.float32)
    values[:, known] = slices.spread(places[GRAY], (slopes[GRAY], cosine), middle[known])
    angle = np.degrees(np.abs(values[0]))
    return Obliquity(angle, np.where(angle < STEEPEST - 0.5, values[1], np.float32(np.nan)))


def obliquity_findings(
    angle: NDArray[np.float32],
    measured: NDArray[np.bool_],
    steep: NDArray[np.bool_] | None,
    settings: Settings,
) -> list[Finding]:
    """How obliquely the slices cut the cortex, in words.

    Args:
        angle: (n,) degrees, NaN where not known.
        measured: (n,) whether a voxel has a thickness.
        steep: (n,) whether its column is left out of the means; None where it is measured in 3D.
        settings: what it was measured with.
    """
    known = angle[measured & np.isfinite(angle)]
    total = int(measured.sum())
    if not len(known):
        message = (
            "The angle between cortex and slices cannot be told, because no neighbouring slice "
            "shows the same cortex. Where a slice cuts the cortex obliquely, it looks thicker."
        )
        return [Finding("angle_unknown", message, warning=steep is not None)]
    most = f"{known.max():.0f}" + (" or more" if known.max() > STEEPEST - 0.5 else "")
    message = (
        f"The cortex's normal leaves the slices by {known.mean():.0f} degrees in the mean and by "
        f"{most} at most."
    )
    if steep is None:
        message += " Thickness is measured in 3D and so does not depend on it."
        return [Finding("slices_oblique", message)]
    share = np.count_nonzero(steep & measured) / total
    limit = f"{settings.max_angle:g} degrees"
    message += (
        f" Columns steeper than {limit} ({100 * share:.1f} % of the voxels) are left out of all "
        "means."
        if share
        else f" No column is steeper than {limit}, so the means take in all."
    )
    message += " The corrected thickness allows for the angle."
    if len(known) < total:
        message += (
            f" For {100 * (1 - len(known) / total):.1f} % of the voxels no neighbouring slice "
            "tells the angle; they stay in the means."
        )
    many = bool(share > MANY_LEFT_OUT)
    if many:
        message += " Raise the limit (--max-angle), or measure in 3D (--plane none)."
    return [Finding("slices_oblique", message, warning=many)]


class _Slices:
    """The potential on slices, 0 in white matter and 1 past the pial surface.

    Arrays and places have the slice axis first, then the two axes within slices.
    """

    def __init__(
        self, ribbon: Ribbon, domain: Domain, potential: NDArray[np.float32], axis: int
    ) -> None:
        self._order = [axis, *(a for a in range(3) if a != axis)]
        distance, *spacing = np.array(ribbon.grid.spacing)[self._order]
        self.spacing = np.array(spacing, np.float32)
        self.voxel = float(self.spacing.min())
        tissue = ribbon.tissue
        field = np.select([tissue == WHITE, tissue == PIAL], [0.0, 1.0], np.nan)
        field.reshape(-1)[domain.box_voxels()] = potential
        self._field = self._smoothed(field.transpose(self._order).astype(np.float32))
        self._gray = np.ascontiguousarray((tissue == GRAY).transpose(self._order))
        count = len(self._field)
        self._lag = min(max(1, round(REACH_MM / distance)), max(count - 1, 1))
        self._across = self._lag * float(distance)

    def ordered(self, places: NDArray[np.float32]) -> NDArray[np.float32]:
        """Box places (n, 3) with the slice axis first."""
        return places[:, self._order]

    def slopes(self, places: dict[int, NDArray[np.float32]]) -> dict[int, NDArray[np.float32]]:
        """Angles in radians by which the cortex leans over the slices, signed.

        Args:
            places: box places (m, 3) of each column at some depths; ``GRAY`` is mid-depth.

        Returns:
            For each depth (m,), NaN where no neighbouring slice tells.
        """
        ahead = {code: self._ahead(place) for code, place in places.items()}
        met = {
            (code, side): self._met(place, ahead[code], side)
            for code, place in places.items()
            for side in (-1, 1)
        }
        steep = np.zeros(len(places[GRAY]), bool)
        for side in (-1, 1):
            shift, passed = met[GRAY, side]
            steep |= passed
            # Beyond a border a level may be met where that slice has no cortex.
            lost = ~self._in_gray(places[GRAY], ahead[GRAY], shift, side)
            for code in places:
                met[code, side][0][lost] = np.nan
        found = {
            code: self._tangents(place, ahead[code], met[code, -1][0], met[code, 1][0])
            for code, place in places.items()
        }
        middle = found[GRAY]
        middle[np.isnan(middle) & steep] = np.radians(STEEPEST)
        # Where a border's own angle is not known, that of mid-depth stands in.
        return {c: np.where(np.isfinite(a), a, middle) for c, a in found.items()}

    def spread(
        self,
        columns: NDArray[np.float32],
        values: tuple[NDArray[np.float32], ...],
        places: NDArray[np.float32],
    ) -> NDArray[np.float32]:
        """Values of columns, averaged over their neighbours in the slice, at other places.

        Args:
            columns: (m, 3) box places of the columns.
            values: (m,) each, NaN where not known.
            places: (n, 3) box places.

        Returns:
            (len(values), n), NaN where no column is near.
        """
        sigma = [0, *np.maximum(SPREAD_MM / self.spacing, LEAST_VOXELS)]
        known = np.flatnonzero(np.isfinite(values).all(axis=0))
        cell = np.ravel_multi_index(
            tuple(np.rint(columns[known]).astype(int).T), self._field.shape, mode="clip"
        )

        def near(weights: NDArray[np.float32] | None) -> NDArray[np.float32]:
            total = np.bincount(cell, weights, minlength=self._field.size)
            box = total.reshape(self._field.shape).astype(np.float32)
            ndimage.gaussian_filter(box, sigma, output=box, truncate=3)
            return self._read(box, places)

        share = near(None)
        enough = share > 1e-3
        sums = np.array([near(value[known]) for value in values])
        result = np.where(enough, sums / np.where(enough, share, 1), np.nan).astype(np.float32)
        lacking = np.flatnonzero(~enough)
        for row, value in zip(result, values, strict=True):
            row[lacking] = self._nearest(places[lacking], columns, value, BORROW_MM)
        return result

    def _smoothed(self, field: NDArray[np.float32]) -> NDArray[np.float32]:
        """The field blurred within slices; voxels without a value do not count."""
        sigma = [0, *np.maximum(SMOOTH_MM / self.spacing, LEAST_VOXELS)]
        known = np.isfinite(field)
        total = ndimage.gaussian_filter(np.where(known, field, 0), sigma, truncate=3)
        share = ndimage.gaussian_filter(known.astype(np.float32), sigma, truncate=3)
        return np.where(share > 0.2, total / np.maximum(share, 0.2), np.nan).astype(np.float32)

    def _read(self, box: NDArray[np.float32], places: NDArray[np.float32]) -> NDArray[np.float32]:
        """(...) values at box places (..., 3), linearly within the nearest slice; NaN outside."""
        at = np.moveaxis(places, -1, 0).copy()
        np.rint(at[0], out=at[0])
        return ndimage.map_coordinates(box, at, order=1, mode="constant", cval=np.nan)

    def _ahead(self, place: NDArray[np.float32]) -> NDArray[np.float32]:
        """(m, 2) unit vectors within the slice, in mm, along which the potential rises."""
        slope = np.empty((len(place), 2), np.float32)
        for axis in (0, 1):
            step = np.zeros(3, np.float32)
            step[1 + axis] = 0.5
            rise = self._read(self._field, place + step) - self._read(self._field, place - step)
            slope[:, axis] = rise / self.spacing[axis]
        return slope / np.maximum(np.linalg.norm(slope, axis=1, keepdims=True), 1e-6)

    def _moved(
        self,
        place: NDArray[np.float32],
        ahead: NDArray[np.float32],
        shift: NDArray[np.float32],
        side: int,
    ) -> NDArray[np.float32]:
        """Box places (m, 3) moved ``shift`` mm ahead and to the neighbouring slice."""
        step = np.column_stack(
            [np.full(len(place), side * self._lag), shift[:, None] * ahead / self.spacing]
        )
        return (place + step).astype(np.float32)

    def _met(
        self, place: NDArray[np.float32], ahead: NDArray[np.float32], side: int
    ) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
        """(m,) mm, how far ahead each place's level is met in the neighbouring slice, NaN where
        it is not; and (m,) whether it is not although there is tissue all along the way."""
        level = self._read(self._field, place)

        def above(shift: NDArray[np.float32], which: NDArray[np.intp]) -> NDArray[np.float32]:
            moved = self._moved(place[which], ahead[which], shift, side)
            return self._read(self._field, moved) - level[which]

        met = np.full(len(place), np.nan, np.float32)
        every = np.arange(len(place))
        before = above(np.zeros(len(place), np.float32), every)
        # The potential rises ahead: below the level the way leads ahead, above it back.
        step = np.where(before < 0, SEARCH_MM, -SEARCH_MM).astype(np.float32)
        going = every[np.isfinite(before)]
        before = before[going]
        for n in range(int(np.ceil(self._across * np.tan(np.radians(STEEPEST)) / SEARCH_MM))):
            there = above((n + 1) * step[going], going)
            passed = np.flatnonzero((there < 0) != (before < 0))
            passed = passed[np.isfinite(there[passed])]
            which = going[passed]
            low, high = before[passed], there[passed]
            part = low / (low - high)
            miss = above((n + part) * step[which], which)
            # Once more, between there and the end of the step on the other side of the level.
            beyond = (miss < 0) != (low < 0)
            other = np.where(beyond, low, high)
            rest = np.where(beyond, 0, 1) - part
            change = np.where(miss == other, 1, miss - other)
            met[which] = (n + part + rest * miss / change) * step[which]
            keep = np.isfinite(there) & ((there < 0) == (before < 0))
            going, before = going[keep], there[keep]
        blank = np.zeros(len(place), bool)
        blank[going] = True
        return met, blank

    def _in_gray(
        self,
        place: NDArray[np.float32],
        ahead: NDArray[np.float32],
        shift: NDArray[np.float32],
        side: int,
    ) -> NDArray[np.bool_]:
        """(m,) whether mid-depth was met in gray matter."""
        met = np.isfinite(shift)
        moved = np.rint(self._moved(place[met], ahead[met], shift[met], side)).astype(int)
        inside = np.zeros(len(place), bool)
        inside[met] = self._gray[tuple(moved.T)]
        return inside

    def _tangents(
        self,
        place: NDArray[np.float32],
        ahead: NDArray[np.float32],
        below: NDArray[np.float32],
        above: NDArray[np.float32],
    ) -> NDArray[np.float32]:
        """(m,) angles of the tangents in radians.

        Args:
            place: box places (m, 3).
            ahead: (m, 2) unit vectors.
            below, above: (m,) mm, how far ahead the surface lies in the neighbouring slices.
        """
        down, up = self._across**2 + below**2, self._across**2 + above**2
        both = np.arctan2(above / up - below / down, self._across * (1 / up + 1 / down))
        angle = both.copy()
        for shift, side in ((below, -1), (above, 1)):
            lone = np.flatnonzero(np.isfinite(shift) & np.isnan(both))
            chord = np.arctan2(side * shift[lone], self._across)
            met = self._moved(place[lone], ahead[lone], shift[lone], side)
            there = self._nearest(met, place, both, SAME_COLUMN_MM)
            angle[lone] = np.where(np.isfinite(there), 2 * chord - there, chord)
        return np.clip(angle, -np.radians(STEEPEST), np.radians(STEEPEST))

    def _nearest(
        self,
        places: NDArray[np.float32],
        columns: NDArray[np.float32],
        values: NDArray[np.float32],
        reach: float,
    ) -> NDArray[np.float32]:
        """(p,) the value of the column nearest to each place in its slice, NaN where none is
        within ``reach`` mm."""
        if not len(places):
            return np.empty(0, np.float32)
        known = np.flatnonzero(np.isfinite(values))
        scale = np.array([10 * reach, *self.spacing])
        from scipy.spatial import cKDTree  # takes long to import; nearly cubic voxels need none

        tree = cKDTree(columns[known] * scale)
        at = places * scale
        at[:, 0] = np.rint(places[:, 0]) * scale[0]
        _, index = tree.query(at, distance_upper_bound=reach)
        return np.append(values[known], np.float32(np.nan))[index]
