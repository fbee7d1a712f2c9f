"""What a measurement gives back, for every front end."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from .grid import Grid
from .settings import Settings

RIBBON = "ribbon"
"""Name of the region that is the whole ribbon."""


@dataclass(frozen=True)
class Measure:
    """One number.

    Attributes:
        region: region it was measured in; ``ribbon`` is the whole of it.
        map: contrast map it comes from; empty for geometry.
        measure: its name, for example ``thickness_mean``.
        value: the number; NaN where it could not be measured.
        unit: mm, mm2, mm3, deg, 1 (a ratio) or the map's own unit as ``map`` or ``map/mm``.
    """

    region: str
    map: str
    measure: str
    value: float
    unit: str


@dataclass(frozen=True)
class ProfileBin:
    """One depth bin of a laminar profile.

    Attributes:
        region, map: where and of what.
        bin: 1 at the pial surface to N at the white matter.
        depth_from, depth_to: the bin's depth range, 0 pial to 1 white matter.
        n: voxels with a value.
        mean, median, sd, q25, q75: over those voxels, in the map's unit.
        ci_low, ci_high: bootstrap interval of the mean, over columns.
    """

    region: str
    map: str
    bin: int
    depth_from: float
    depth_to: float
    n: int
    mean: float
    median: float
    sd: float
    q25: float
    q75: float
    ci_low: float
    ci_high: float


@dataclass(frozen=True)
class Finding:
    """Something about the input that the user should know.

    Attributes:
        code: short stable name, for example ``holes_filled``.
        message: a sentence with the numbers in it.
        warning: whether it may change how the numbers are read.
        ras: place in RAS mm, where there is one.
    """

    code: str
    message: str
    warning: bool = False
    ras: tuple[float, float, float] | None = None


@dataclass(frozen=True)
class Shape:
    """A ribbon's voxels and what the field lines through them tell.

    The voxels are listed once, as flat indices into the label grid; all per-voxel arrays run
    along that list (n voxels).

    Attributes:
        grid: the label grid.
        settings: what it was measured with.
        voxels: (n,) int64 flat indices into ``grid.shape``, ascending.
        thickness: (n,) float32 mm, NaN where no field line joins both borders or the column is
            cut off.
        depth_equidistant: (n,) float32, 0 pial to 1 white matter, NaN likewise.
        normals: (n, 3) float32 unit vectors (k, j, i), from pial to white matter.
    """

    grid: Grid
    settings: Settings
    voxels: NDArray[np.int64]
    thickness: NDArray[np.float32]
    depth_equidistant: NDArray[np.float32]
    normals: NDArray[np.float32]

    def paint(self, values: NDArray, outside: float = 0) -> NDArray:
        """An array (k, j, i) on the label grid with ``values`` (n,) at the voxels.

        Args:
            values: one per voxel of the ribbon.
            outside: what all other voxels get.
        """
        array = np.full(self.grid.shape, outside, dtype=values.dtype)
        array.reshape(-1)[self.voxels] = values
        return array


@dataclass(frozen=True)
class Measurement(Shape):
    """The result of :func:`.measure.measure`, with all that its :class:`Shape` has.

    Attributes:
        depth_equivolume: (n,) float32, 0 pial to 1 white matter, NaN as the other depth.
        layers: (n,) uint8, 1 superficial to N deep, 0 where depth is NaN.
        columns: (n,) int32, the column each voxel belongs to, -1 where none.
        near_cut: (n,) bool, whether the voxel has a cut face.
        values: for each map its values at the voxels, (n,) float32, NaN where it has none.
        units: for each map its unit, empty where none is known.
        regions: for each region which voxels it has, (n,) bool. Always has ``ribbon``.
        measures: all single numbers, tidy.
        profiles: all laminar profiles, tidy.
        findings: what was noticed or repaired in the input.
        seconds: time each step took.
        angle: (n,) float32 degrees between the cortex's normal and the slices, by column, NaN
            where it cannot be told; None where voxels are nearly isotropic and ``plane`` is none.
        thickness_corrected: (n,) float32 mm, thickness with that angle allowed for, NaN likewise;
            None where ``plane`` is none.
    """

    depth_equivolume: NDArray[np.float32]
    layers: NDArray[np.uint8]
    columns: NDArray[np.int32]
    near_cut: NDArray[np.bool_]
    values: Mapping[str, NDArray[np.float32]]
    units: Mapping[str, str]
    regions: Mapping[str, NDArray[np.bool_]]
    measures: tuple[Measure, ...]
    profiles: tuple[ProfileBin, ...]
    findings: tuple[Finding, ...]
    seconds: Mapping[str, float] = field(default_factory=dict)
    angle: NDArray[np.float32] | None = None
    thickness_corrected: NDArray[np.float32] | None = None

    @property
    def steep(self) -> NDArray[np.bool_]:
        """(n,) whether a voxel's column is left out of the means: the slice is measured in its
        plane and cuts the column at more than ``max_angle`` degrees."""
        if self.thickness_corrected is None or self.angle is None:
            return np.zeros(len(self.voxels), bool)
        return self.angle > self.settings.max_angle

    def value(self, measure: str, region: str = RIBBON, map: str = "") -> float:
        """The value of one measure.

        Raises:
            KeyError: there is no such measure.
        """
        for m in self.measures:
            if (m.measure, m.region, m.map) == (measure, region, map):
                return m.value
        raise KeyError(f"no measure {measure!r} of region {region!r} and map {map!r}")
