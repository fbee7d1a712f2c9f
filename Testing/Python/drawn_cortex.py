"""Slices through a round cortex of known borders, for calipers and traces."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ALSMotorCortexLib.cortex.grid import Grid, Image

# CSF, superficial and middle layers, deep third, white matter.
T2STAR = (170.0, 100.0, 100.0, 70.0)
T2STAR_ALS = (170.0, 100.0, 80.0, 65.0)
T2STAR_BAND = (170.0, 100.0, 60.0, 75.0)
T1W = (20.0, 60.0, 60.0, 100.0)
# How finely a voxel is divided; its error, half a part, is 0.016 mm at 0.25 mm.
PARTS = 8
# A cortex whose dark band fades into white matter; see `Ring.band` and `Ring.ramp`. Nearly all
# that a plain step shows at the white-matter border is 3 of 100.
T2STAR_FADING = (170.0, 100.0, 100.0, 73.0)
FADING_RAMP = -24.0
CONTRASTS = {"t2star": T2STAR, "als": T2STAR_ALS, "band": T2STAR_BAND, "t1w": T1W}


@dataclass(frozen=True)
class Ring:
    """A cortex between two circles; ``radius`` of the pial one.

    Attributes:
        radius: mm of the pial circle.
        thickness: mm.
        gyrus: True where white matter is inside, False where CSF is.
        centre: mm along (right, anterior).
        sulcus: width in mm of the CSF before another bank of gray matter; infinite for none.
        blade: width in mm of the white matter before another bank; infinite for none.
        band: height, and depth and width over the thickness, of a band that is added within
            the cortex and fades into white matter; None for none.
        ramp: what is added at the white-matter border, less and less towards the pial one.
    """

    radius: float = 10.0
    thickness: float = 3.0
    gyrus: bool = True
    centre: tuple[float, float] = (17.1, 16.9)
    sulcus: float = np.inf
    blade: float = np.inf
    band: tuple[float, float, float] | None = None
    ramp: float = 0.0

    @property
    def inwards(self) -> int:
        return -1 if self.gyrus else 1

    def depth(self, ras: NDArray) -> NDArray:
        """mm from the pial border into the cortex, of RAS points."""
        return self._depth(ras[..., 0], ras[..., 1])

    def _depth(self, right: NDArray, anterior: NDArray) -> NDArray:
        x, y = self.centre
        return self.inwards * (np.hypot(right - x, anterior - y) - self.radius)

    def point(self, angle: float, depth: float, height: float = 0.0) -> NDArray:
        """(3,) RAS at an angle in radians and a depth in mm."""
        r = self.radius + self.inwards * depth
        x, y = self.centre
        return np.array([x + r * np.cos(angle), y + r * np.sin(angle), height])

    def curve(self, wobble: float = 0.3, angles: tuple[float, float] = (0.3, 5.5)) -> NDArray:
        """(14, 3) points near the middle of the cortex."""
        return np.array(
            [
                self.point(a, self.thickness / 2 + wobble * np.sin(3 * a + 1))
                for a in np.linspace(*angles, 14)
            ]
        )

    def image(
        self,
        voxel: float = 0.25,
        levels: tuple[float, ...] = T2STAR_ALS,
        noise: float = 0.0,
        seed: int = 0,
        slices: int = 1,
        size: float = 34.0,
    ) -> Image:
        """Voxels that average what they cover, with Gaussian noise."""
        number = round(size / voxel)
        grid = Grid.from_spacing((slices, number, number), (1.0, voxel, voxel))
        centre = voxel * np.arange(number)
        depth = self._depth(centre, centre[:, None])
        plane = self._tissue(depth, levels)
        # Only voxels that hold more than one value need be divided.
        y, x = np.nonzero(self._mixed(depth, voxel))
        part = voxel * ((np.arange(PARTS) + 0.5) / PARTS - 0.5)
        inside = self._depth(centre[x, None, None] + part, centre[y, None, None] + part[:, None])
        plane[y, x] = self._tissue(inside, levels).mean(axis=(1, 2))
        values = plane + np.random.default_rng(seed).normal(0, noise, grid.shape)
        return Image(values, grid, "drawn cortex")

    def _mixed(self, depth: NDArray, voxel: float) -> NDArray:
        """Where a voxel with its centre at a depth may hold more than one value."""
        half = voxel * np.sqrt(0.5)
        edges = np.array([-self.sulcus, 0, 2 / 3 * self.thickness, self.thickness,
                          self.thickness + self.blade])  # fmt: skip
        mixed = (np.abs(depth[..., None] - edges) <= half).any(axis=-1)
        if self.band or self.ramp:
            mixed |= (depth > 0) & (depth < self.thickness)
        return mixed

    def _tissue(self, depth: NDArray, levels: tuple[float, ...]) -> NDArray:
        csf, gray, deep, white = levels
        edges = np.array([0, 2 / 3, 1]) * self.thickness
        values = np.array([csf, gray, deep, white])[np.searchsorted(edges, depth)]
        share = depth / self.thickness
        inside = (share > 0) & (share < 1)
        values = values + np.where(inside, self.ramp * share, 0)
        if self.band:
            height, middle, width = self.band
            fading = height * np.exp(-(((share - middle) / width) ** 2) / 2)
            values = values + np.where(inside, fading, 0)
        values = np.where(depth < -self.sulcus, gray, values)
        return np.where(depth > self.thickness + self.blade, gray, values)
