"""Where the voxels of an array lie in the world."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from .errors import InputError

# Direction cosines whose dot product exceeds this are not at right angles. Rounding in
# NIfTI quaternions and float32 sforms stays below 1e-4.
ORTHOGONAL_TOLERANCE = 1e-3


@dataclass(frozen=True)
class Grid:
    """A regular grid of voxels with orthogonal axes.

    Attributes:
        shape: voxels along (k, j, i).
        ijk_to_ras: (4, 4) matrix from homogeneous (i, j, k) to RAS in mm. Mirrored
            (left-handed) matrices are allowed.

    Raises:
        InputError: an axis of length zero or not finite, or axes not at right angles.
    """

    shape: tuple[int, int, int]
    ijk_to_ras: NDArray[np.float64] = field(repr=False)

    def __post_init__(self) -> None:
        matrix = np.array(self.ijk_to_ras, dtype=np.float64)
        if matrix.shape != (4, 4):
            raise ValueError(f"ijk_to_ras must be 4 x 4, not {matrix.shape}")
        object.__setattr__(self, "shape", tuple(int(n) for n in self.shape))
        object.__setattr__(self, "ijk_to_ras", matrix)
        if not np.isfinite(matrix).all():
            raise InputError(
                "The image's geometry holds values that are not numbers. "
                "Save it again from the program that made it."
            )
        lengths = np.linalg.norm(matrix[:3, :3], axis=0)
        if (lengths < 1e-6).any():
            raise InputError(
                "The image has a voxel spacing of zero along axis "
                f"{'ijk'[int(np.argmin(lengths))]}. "
                "Correct the header with the true spacing in mm."
            )
        cosines = matrix[:3, :3] / lengths
        skew = np.abs(cosines.T @ cosines - np.eye(3)).max()
        if skew > ORTHOGONAL_TOLERANCE:
            angle = np.degrees(np.arccos(min(skew, 1.0)))
            raise InputError(
                f"The image's axes are not at right angles (two of them meet at {angle:.1f} "
                "degrees). Resample it onto an orthogonal grid first, for example with "
                "Slicer's module Resample Scalar/Vector/DWI Volume."
            )

    @classmethod
    def from_spacing(cls, shape: tuple[int, int, int], spacing: tuple[float, float, float]) -> Grid:
        """A grid with RAS-aligned axes and its first voxel at the origin.

        Args:
            shape: voxels along (k, j, i).
            spacing: mm along (k, j, i).
        """
        return cls(shape, np.diag([*spacing[::-1], 1.0]))

    @property
    def spacing(self) -> tuple[float, float, float]:
        """Distance between voxel centres along (k, j, i), in mm."""
        i, j, k = np.linalg.norm(self.ijk_to_ras[:3, :3], axis=0)
        return float(k), float(j), float(i)

    @property
    def voxel_volume(self) -> float:
        """Volume of a voxel in mm3."""
        return float(np.prod(self.spacing))

    def ras(self, kji: NDArray) -> NDArray[np.float64]:
        """RAS coordinates in mm, (n, 3), of index points (n, 3) in (k, j, i)."""
        return _turned(kji, self.ijk_to_ras[:3, 2::-1]) + self.ijk_to_ras[:3, 3]

    def kji(self, ras: NDArray) -> NDArray[np.float64]:
        """Index points (n, 3) in (k, j, i), fractional, of RAS points (n, 3) in mm."""
        offset = np.asarray(ras, dtype=np.float64) - self.ijk_to_ras[:3, 3]
        return _turned(offset, np.linalg.inv(self.ijk_to_ras[:3, 2::-1]))

    def same_as(self, other: Grid, tolerance_mm: float = 1e-3) -> bool:
        """Whether both grids have their corner voxels within ``tolerance_mm``."""
        if self.shape != other.shape:
            return False
        corners = np.array(np.meshgrid(*[(0, n - 1) for n in self.shape])).reshape(3, -1).T
        return bool(np.abs(self.ras(corners) - other.ras(corners)).max() <= tolerance_mm)

    def plane_axis(self, plane: str) -> int:
        """The array axis (0 = k, 1 = j, 2 = i) that runs across an anatomical plane.

        Args:
            plane: ``axial``, ``coronal`` or ``sagittal``.
        """
        across = {"sagittal": 0, "coronal": 1, "axial": 2}[plane]
        cosines = np.abs(self.ijk_to_ras[across, :3]) / np.linalg.norm(
            self.ijk_to_ras[:3, :3], axis=0
        )
        return 2 - int(np.argmax(cosines))


def _turned(points: NDArray, matrix: NDArray) -> NDArray[np.float64]:
    """Points (n, 3) multiplied by a 3 x 3 matrix."""
    # Not a matrix product: libraries for those are slow on matrices this narrow.
    return np.einsum("...a,ba->...b", np.asarray(points, dtype=np.float64), matrix)


@dataclass(frozen=True)
class Image:
    """An array with its grid.

    Attributes:
        array: (k, j, i) values.
        grid: where they lie.
        name: what to call it in messages.
    """

    array: NDArray
    grid: Grid
    name: str = "image"

    def __post_init__(self) -> None:
        if self.array.shape != self.grid.shape:
            raise ValueError(f"array is {self.array.shape}, grid is {self.grid.shape}")
