"""Ribbons of known thickness for the tests of the measurement, and what was got wrong on them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.spatial.transform import Rotation

from ALSMotorCortexLib.cortex.grid import Grid, Image
from ALSMotorCortexLib.cortex.measure import measure
from ALSMotorCortexLib.cortex.phantoms import Phantom, make
from ALSMotorCortexLib.cortex.result import Measurement
from ALSMotorCortexLib.cortex.settings import Settings
from ALSMotorCortexLib.cortex.shapes import CSF, GM, UNLABELLED, WM, Sphere

SETTINGS = Settings(gm=(GM,), wm=(WM,), csf=(CSF,))
RIM = SETTINGS.with_values({"label_style": "rim"})
AXIAL = SETTINGS.with_values({"plane": "axial"})
UPRIGHT = np.eye(3)

ISO = (0.25, 0.25, 0.25)
COARSE = (0.5, 0.5, 0.5)
SEVEN_TESLA = (0.32, 0.2, 0.2)
THICK = (1.5, 0.25, 0.25)

PER_VOXEL = ("thickness", "depth_equidistant", "depth_equivolume")


def flat(
    shape: tuple[int, int, int] = (8, 16, 8),
    white: int = 5,
    gray: int = 6,
    spacing: tuple[float, float, float] = (1.0, 1.0, 1.0),
) -> Image:
    """Layers along j: ``white`` voxels of white matter, ``gray`` of gray matter, then CSF."""
    labels = np.full(shape, CSF, np.uint8)
    labels[:, : white + gray] = GM
    labels[:, :white] = WM
    return Image(labels, Grid.from_spacing(shape, spacing), "drawn")


def tube(
    slices: int, spacing: tuple[float, float, float], inner: float = 4.0, outer: float = 6.5
) -> tuple[Image, NDArray]:
    """A cylindrical shell along k that goes on past both ends, and each voxel's radius in mm."""
    size = int(np.ceil(2 * (outer + 1.5) / spacing[1]))
    shape = (slices, size, size)
    j, i = (np.arange(size)[:, None] - size / 2 + 0.3) * spacing[1], np.arange(size) - size / 2
    radius = np.broadcast_to(np.hypot(j, i * spacing[2]), shape)
    labels = np.where(radius < inner, WM, np.where(radius > outer, CSF, GM)).astype(np.uint8)
    return Image(labels, Grid.from_spacing(shape, spacing), "tube"), radius


def scrambled(seed: int, smooth: float) -> Image:
    """Random label blobs of all tissues and of none, the larger the more ``smooth``."""
    rng = np.random.default_rng(seed)
    noise = ndimage.gaussian_filter(rng.normal(size=(10, 14, 14)), smooth)
    levels = np.quantile(noise, [0.25, 0.5, 0.7])
    array = np.array([WM, GM, CSF, UNLABELLED], np.uint8)[np.searchsorted(levels, noise)]
    return Image(array, Grid.from_spacing(array.shape, (0.4, 0.3, 0.3)), "blobs")


def hidden(labels: Image, mask: NDArray[np.bool_], value: int = UNLABELLED) -> Image:
    """The labels with ``value`` within a mask."""
    return Image(np.where(mask, value, labels.array).astype(np.uint8), labels.grid, labels.name)


def turned(
    grid: Grid, angles: tuple[float, float, float], shift: tuple[float, float, float]
) -> Grid:
    """The grid turned in RAS about the world's origin, then shifted in mm."""
    motion = np.eye(4)
    motion[:3, :3] = Rotation.from_euler("xyz", angles, degrees=True).as_matrix()
    motion[:3, 3] = shift
    return Grid(grid.shape, motion @ grid.ijk_to_ras)


def rearranged(image: Image, order: tuple[int, int, int], flips: tuple[int, ...]) -> Image:
    """The same image in space with its array axes permuted, then some of them reversed."""
    array = image.array.transpose(order)
    place = np.zeros((4, 4))
    place[3, 3] = 1
    for new, old in enumerate(order):
        sign = -1 if new in flips else 1
        place[2 - old, 2 - new] = sign
        place[2 - old, 3] = array.shape[new] - 1 if sign < 0 else 0
    array = np.ascontiguousarray(np.flip(array, flips))
    return Image(array, Grid(array.shape, image.grid.ijk_to_ras @ place), image.name)


@dataclass(frozen=True)
class Errors:
    """Measured minus true at the voxels of a phantom that lie away from its sides."""

    thickness: NDArray
    depth_equidistant: NDArray
    depth_equivolume: NDArray
    lost: int
    """Voxels there without a thickness or a depth."""


def errors(measurement: Measurement, phantom: Phantom) -> Errors:
    """How far a measurement of a phantom is from its truth."""
    inside = phantom.interior.reshape(-1)[measurement.voxels]
    names = ("thickness", "depth_equidistant", "depth_equivolume")
    found = [
        (getattr(measurement, n) - getattr(phantom, n).reshape(-1)[measurement.voxels])[inside]
        for n in names
    ]
    known = np.isfinite(found).all(axis=0)
    return Errors(*(f[known] for f in found), lost=int(np.count_nonzero(~known)))


@lru_cache
def cap() -> tuple[Phantom, Measurement]:
    """A part of a sphere on an anisotropic grid."""
    shape = Sphere(3.5, 6.0, True, 0.7)
    phantom = make(shape, SEVEN_TESLA, np.random.default_rng(2), margin_mm=0.6)
    return phantom, measure(phantom.labels, SETTINGS)


def ramp_on(grid: Grid) -> Image:
    """A field that rises by 1 per mm to the right and 2 per mm upwards, 100 at the origin."""
    ras = grid.ras(np.indices(grid.shape).reshape(3, -1).T)
    return Image((100 + ras @ [1, 0, 2]).reshape(grid.shape), grid, "ramp")
