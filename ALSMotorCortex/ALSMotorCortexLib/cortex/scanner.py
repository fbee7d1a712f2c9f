"""From tissue to the echoes of a scanner: complex signal of every voxel, with its flaws.

The signal of a voxel at echo time t is

    ``s(t) = sum over tissue of density exp(-R2* t) exp(2 pi i f t)``

over the voxel's breadth in the slice and, across the slice, over the slice profile. The field f
is that of the tissues' susceptibility (:func:`susceptibility_field`), taken at the voxel, and a
background that changes linearly, which across the slice is taken within the voxel too: that
dephases thick slices. A receive coil shades the image, and complex noise is added. The magnitude
is Rician then.

Left out: weighting by T1, the spread of a point by the sampling of k-space (a voxel is a box in
the slice), distortion, motion, and dephasing within a voxel by the tissues' own field.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import fft

from .shapes import Floats
from .tissue import GYROMAGNETIC, Local

Signal = NDArray[np.complex64]

SAMPLES_MM = 0.1
"""Points of a voxel are at most this far apart in the plane in which the anatomy varies."""

STEPS = (4, 3, 3)
"""... and there are at least this many along (k, j, i)."""

PROFILE_STEPS = 8
"""At least this many along k where the slice profile has ramps."""

FINE = 8
"""Between points along k the slice profile, and the phase across it, are taken this finely."""

RAMP = 0.25
"""Share of the slice thickness over which the profile of a 2D slice rises and falls."""


@dataclass(frozen=True)
class VoxelPoints:
    """The points that a voxel's signal is summed over, around its centre.

    Attributes:
        offsets: (m, 3) mm along (k, j, i).
        weights: (m,), with a sum of 1.
        across: (layers, fine) mm along k. The points lie in layers, the first m / layers in the
            first; each stands for a slab, over which the slice profile is known finely.
        profile: (layers, fine), with a sum of 1.
    """

    offsets: Floats
    weights: Floats
    across: Floats
    profile: Floats


def voxel_points(
    spacing: tuple[float, float, float], thickness: float, ramp: float, lean: float
) -> VoxelPoints:
    """Points over a voxel's box in the slice and over the slice profile, a trapezium.

    Args:
        spacing: mm along (k, j, i); k runs across the slices.
        thickness: of the slice at half the profile's height, mm.
        ramp: share of the thickness over which the profile rises; 0 is a rectangle.
        lean: radians between k and the line along which nothing varies.
    """
    across = thickness * (1 + ramp)
    axes = []
    varied = (across * np.sin(abs(lean)), *spacing[1:])
    fewest = (PROFILE_STEPS if ramp else STEPS[0], *STEPS[1:])
    for extent, seen, least in zip((across, *spacing[1:]), varied, fewest, strict=True):
        count = max(least, int(np.ceil(seen / SAMPLES_MM)))
        axes.append(((np.arange(count) + 0.5) / count - 0.5) * extent)
    slab, rise = across / len(axes[0]), ramp * thickness
    fine = axes[0][:, None] + slab * ((np.arange(FINE) + 0.5) / FINE - 0.5)
    from_end = across / 2 - np.abs(fine)
    profile = np.minimum(from_end, rise) if rise else np.ones_like(fine)
    profile = profile / profile.sum()
    offsets = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 3)
    layer = len(axes[1]) * len(axes[2])
    return VoxelPoints(offsets, np.repeat(profile.sum(axis=1) / layer, layer), fine, profile)


def decays(local: Local, times_ms: tuple[float, ...]) -> NDArray[np.float32]:
    """(n, echoes) signal of tissue at n places, before any field acts."""
    rate = -np.multiply.outer(local.r2star, np.array(times_ms) / 1000)
    return (local.density[:, None] * np.exp(rate)).astype(np.float32)


def slice_weights(
    points: VoxelPoints, times_ms: tuple[float, ...], gradient: float
) -> NDArray[np.complexfloating] | NDArray[np.floating]:
    """(m, echoes) weights of a voxel's points, turned by a field that changes across the slice.

    Args:
        points: of a voxel.
        times_ms: echo times.
        gradient: Hz/mm along k.
    """
    turns = gradient * np.array(times_ms) / 1000
    spread = np.multiply.outer(points.across, turns)
    phase = np.exp(2j * np.pi * spread) if gradient else np.ones_like(spread)
    layers = (points.profile[..., None] * phase).sum(axis=1)
    each = len(points.offsets) // len(layers)
    return np.repeat(layers / each, each, axis=0)


def susceptibility_field(
    susceptibility: NDArray, spacing: tuple[float, float, float], tesla: float
) -> NDArray[np.float32]:
    """Field in Hz (k, j, i) of a susceptibility map, B0 running along k.

    Convolution with the field of a dipole, ``1/3 - kz^2 / k^2`` in the frequencies k (Cheng et
    al., Phys Med Biol 2009, 54:1169). Beyond its edges the map is mirrored, so that a slab of
    few slices acts as if the anatomy went on.

    Args:
        susceptibility: (k, j, i) ppb.
        spacing: mm along (k, j, i).
        tesla: field strength.
    """
    shape = susceptibility.shape
    pads = [(n // 2, fft.next_fast_len(n + 2 * (n // 2), real=True) - n - n // 2) for n in shape]
    padded = np.pad(susceptibility.astype(np.float32), pads, mode="symmetric")
    z, y, x = (np.fft.fftfreq(n, mm) for n, mm in zip(padded.shape, spacing, strict=True))
    x = np.abs(x[: padded.shape[2] // 2 + 1])
    square = (z**2)[:, None, None] + (y**2)[None, :, None] + (x**2)[None, None, :]
    square[0, 0, 0] = 1.0
    kernel = (1 / 3 - (z**2)[:, None, None] / square).astype(np.float32)
    kernel[0, 0, 0] = 0.0
    shift = fft.irfftn(fft.rfftn(padded) * kernel, s=padded.shape)
    inside = tuple(slice(before, before + n) for (before, _), n in zip(pads, shape, strict=True))
    return (shift[inside] * GYROMAGNETIC * tesla * 1e-9).astype(np.float32)


def background_field(
    shape: tuple[int, ...], spacing: tuple[float, float, float], slopes: tuple[float, float, float]
) -> NDArray[np.float32]:
    """Field in Hz (k, j, i) that changes linearly by ``slopes`` in Hz/mm along (k, j, i)."""
    k, j, i = (
        slope * mm * (np.arange(n) - (n - 1) / 2)
        for slope, mm, n in zip(slopes, spacing, shape, strict=True)
    )
    return (k[:, None, None] + j[:, None] + i).astype(np.float32)


def coil(shape: tuple[int, ...], shading: float, rng: np.random.Generator) -> Signal:
    """Complex sensitivity (k, j, i) of the receive coil, 1 in magnitude in the middle.

    A smooth polynomial of second order in log magnitude and in phase.

    Args:
        shape: of the image.
        shading: about the largest relative change of magnitude from the middle to the edge.
        rng: draws its direction and form.
    """
    u, v, w = (np.linspace(-1, 1, n) if n > 1 else np.zeros(1) for n in shape)
    u, v, w = u[:, None, None], v[None, :, None], w[None, None, :]
    a, b, c, d = rng.uniform(-1, 1, 4)
    # Brighter towards the skull: the slab's top and one side.
    size = shading * (0.3 * u + 0.5 * a * v + 0.5 * b * w + 0.25 * c * (v**2 + w**2))
    phase = 1.5 * (b * v - a * w) + 0.8 * d * v * w + 2 * np.pi * rng.random()
    return np.exp(size + 1j * phase).astype(np.complex64)


def received(
    signal: Signal,
    field_hz: NDArray[np.float32],
    sensitivity: Signal,
    time_ms: float,
    sigma: float,
    rng: np.random.Generator,
) -> Signal:
    """An echo as the scanner gives it, (k, j, i).

    Args:
        signal: (k, j, i), summed over each voxel.
        field_hz: (k, j, i).
        sensitivity: of the coil.
        time_ms: echo time.
        sigma: standard deviation of the noise in the real and in the imaginary part.
        rng: draws the noise.
    """
    turned = signal * sensitivity * np.exp(2j * np.pi * field_hz * np.float32(time_ms / 1000))
    noise = rng.standard_normal((2, *signal.shape), dtype=np.float32) * np.float32(sigma)
    return (turned + noise[0] + 1j * noise[1]).astype(np.complex64)
