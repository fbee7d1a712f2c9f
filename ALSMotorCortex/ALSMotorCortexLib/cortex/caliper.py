"""The caliper: both borders of the cortex on one straight line across it.

The image is sampled along the line and averaged over a small width beside it; the
borders are the two edges of the model in :mod:`.edges`, fitted to that profile. The
thickness is the distance between them *along the line*, as with a caliper on film.

Which end lies in the CSF is told by the pattern: the intensity steps more between CSF
and gray matter than between gray and white matter in most contrasts. The two are nearly equal
in T1-weighted images; there the caller says that CSF is the dark end, or names the end.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d

from .adjust import unmodelled
from .edges import Fit, search
from .errors import InputError
from .grid import Grid, Image
from .laminar import D_A, D_B, INSIDE, H
from .result import Finding
from .sampling import inside, sample, sample_usual, voxel_along

ENDS = ("auto", "bright", "dark", "first", "last")
RULES = {"auto": "larger", "bright": "falling", "dark": "rising"}
THICKNESS_MM = (0.8, 6.0)
SHORTEST_MM = 1.0
BEYOND_MM = 0.75
SAMPLES_PER_VOXEL = 3
# Beside the line far enough to see a border's tilt.
TILT_HALF_WIDTH_MM = 1.0
NOISE_SAMPLES = 6
LEAST_GAIN = 25.0
LEAST_STEP_SDS = 2.0
LEAST_CHANGE_SDS = 3.0
MOST_SD_MM = 0.3
MOST_TILT_DEG = 30.0
CLEAR_RATIO = 1.6
NORMAL_95 = 1.96
# On synthetic cortices of controls and patients the 95 % interval of a fit holds the truth in
# 88 % of calipers; so much wider it holds it about as often as it should.
WIDER = 1.3


@dataclass(frozen=True)
class Caliper:
    """What a caliper found.

    Positions are in mm along the line from its first point; a border may lie up to
    0.75 mm beyond an end. Where no border was found, numbers and points are NaN.

    Attributes:
        positions, profile: (n,) mm and map values, averaged over the width.
        pial, white: position of the pial and the white-matter border.
        pial_sd, white_sd: their standard errors in mm, from the curvature of the fit and
            the spread over rival fits, with and without a band of iron.
        pial_ras, white_ras: (3,) the borders in RAS mm.
        thickness: mm between the borders, along the line.
        thickness_sd: its standard error in mm.
        tilt: degrees between the line and the normal of the pial border, seen in the
            plane of the averaging. NaN where there is no border.
        layer_means: superficial, middle and deep third of the cortex, map units. Half a
            voxel beside each border is left out, where neighbouring tissue mixes in.
        deep_hypointensity: 1 - deep / superficial; :func:`.drawn.caliper` turns it where iron is
            bright.
        hypointensity_to_thickness: deep hypointensity over thickness, in 1/mm.
        findings: what the user should know; those that are warnings say why the numbers
            may be wrong and what to do.
    """

    positions: NDArray[np.float64]
    profile: NDArray[np.float64]
    pial: float
    white: float
    pial_sd: float
    white_sd: float
    pial_ras: NDArray[np.float64]
    white_ras: NDArray[np.float64]
    thickness: float
    thickness_sd: float
    tilt: float
    layer_means: tuple[float, float, float]
    deep_hypointensity: float
    hypointensity_to_thickness: float
    findings: tuple[Finding, ...]

    @property
    def found(self) -> bool:
        """Whether both borders were found."""
        return bool(np.isfinite(self.thickness))

    @property
    def thickness_interval(self) -> tuple[float, float]:
        """95 % interval of the thickness in mm."""
        return interval(self.thickness, self.thickness_sd)


def interval(thickness: float, sd: float) -> tuple[float, float]:
    """The 95 % interval of a thickness with a standard error, both in mm, none below 0."""
    return max(thickness - NORMAL_95 * sd, 0.0), thickness + NORMAL_95 * sd


def measure_caliper(
    image: Image,
    first: NDArray,
    last: NDArray,
    width_mm: float = 1.0,
    pial_end: str = "auto",
    plane_normal: NDArray | None = None,
) -> Caliper:
    """Find both borders of the cortex on a line across it.

    Args:
        image: one map, any contrast.
        first, last: (3,) RAS mm, the ends of the line, one in CSF and one in white matter.
        width_mm: how wide to average, within the slice plane; 0 for the line alone.
        pial_end: which end lies in CSF: ``first``, ``last``, the ``bright`` one (T2*-weighted
            images, T1 and T2* maps), the ``dark`` one (R2* maps, T1-weighted images), or
            ``auto``: the one with the larger step of intensity.
        plane_normal: (3,) RAS normal of the slice plane that the line was drawn on; by
            default the image axis with the largest spacing that runs across the line.

    Raises:
        InputError: an end outside the volume, a line under 1 mm, a negative width or an
            unknown end.

    Signal hypointensity to thickness is named after Donatelli et al., AJNR 2018, 39:63,
    who divide the hypointensity of the motor cortex by its thickness. Here hypointensity
    is 1 - deep / superficial of the same cortex, so that no other region is needed.
    """
    first, last = np.asarray(first, dtype=float), np.asarray(last, dtype=float)
    _check(image.grid, first, last, width_mm, pial_end)
    length = float(np.linalg.norm(last - first))
    along = (last - first) / length
    beside = lateral(image.grid, along, plane_normal)
    voxel = voxel_along(image.grid, along)
    positions, offsets, patch, usual = _patch(image, first, along, beside, length, voxel, width_mm)
    profile = _average(patch, offsets, width_mm)
    known = np.isfinite(profile)
    if known.sum() < 8:
        return _nothing(positions, profile, "no_values", (
            "The image holds no values along the caliper. Place it on another part of the image."
        ), first + along * length / 2)  # fmt: skip
    # A gap in the values is bridged so that samples stay even; it counts for nothing.
    filled = np.interp(positions, positions[known], profile[known])
    clear = _average(usual, offsets, width_mm)
    clear = np.interp(positions, positions[known], clear[known])
    beside_voxel = voxel_along(image.grid, beside)
    spread = _spread(usual, offsets, width_mm, beside_voxel)
    if spread is not None:
        spread = np.sqrt(spread**2 + unmodelled(clear, positions[1] - positions[0], voxel))
    fit, flipped = _fit(positions, clear, known, voxel, pial_end, spread)
    if fit is None or (reason := _no_border(fit, positions, flipped)):
        text = reason if fit is not None else "The caliper is too short to show two borders."
        return _nothing(positions, profile, "no_border", (
            f"{text} Draw it from CSF straight across the cortex into white matter."
        ), first + along * length / 2)  # fmt: skip
    sign = -1 if flipped else 1
    pial, white = sign * fit.pial, sign * fit.white
    tilt = _tilt(patch, positions, offsets, pial, voxel)
    layers = _layer_means(positions, filled, pial, white, voxel)
    hypointensity = 1 - layers[2] / layers[0] if layers[0] else np.nan
    return Caliper(
        positions, profile, pial, white, fit.pial_sd, fit.white_sd,
        first + along * pial, first + along * white,
        fit.thickness, fit.thickness_sd, tilt, layers, hypointensity,
        hypointensity / fit.thickness,
        tuple(_findings(fit, tilt, pial_end, first + along * (pial + white) / 2)),
    )  # fmt: skip


def lateral(grid: Grid, along: NDArray, plane_normal: NDArray | None) -> NDArray[np.float64]:
    """Unit RAS vector at right angles to a line, in the slice plane."""
    if plane_normal is None:
        axes = grid.ijk_to_ras[:3, :3].T
        across = np.linalg.norm(np.cross(axes, along), axis=1)
        plane_normal = axes[int(np.argmax(across))]
    beside = np.cross(plane_normal, along)
    if np.linalg.norm(beside) < 1e-3 * np.linalg.norm(plane_normal):
        raise InputError(
            "The caliper runs straight through the slice plane. Draw it within the plane."
        )
    return beside / np.linalg.norm(beside)


def _check(grid: Grid, first: NDArray, last: NDArray, width_mm: float, pial_end: str) -> None:
    if pial_end not in ENDS:
        raise InputError(f"The pial end must be one of: {', '.join(ENDS)}.")
    if not (np.isfinite(width_mm) and width_mm >= 0):
        raise InputError("The caliper's width cannot be negative.")
    for point in (first, last):
        if not inside(grid, point):
            raise InputError(
                f"The caliper's end at R {point[0]:.1f}, A {point[1]:.1f}, S {point[2]:.1f} mm "
                "lies outside the volume. Move it into the image or choose another volume."
            )
    if (length := np.linalg.norm(last - first)) < SHORTEST_MM:
        raise InputError(
            f"The caliper is {length:.1f} mm long. Draw it from CSF across the cortex into "
            "white matter."
        )


def _patch(
    image: Image,
    first: NDArray,
    along: NDArray,
    beside: NDArray,
    length: float,
    voxel: float,
    width_mm: float,
) -> tuple[NDArray, NDArray, NDArray, NDArray]:
    """Positions (n,), lateral offsets (m,) in mm and the samples (m, n) there.

    The last are these samples again, with values out of the ordinary drawn near.
    """
    step = voxel / SAMPLES_PER_VOXEL
    count = max(int(np.rint((length + 2 * BEYOND_MM) / step)), 12) + 1
    positions = (np.arange(count) - (count - 1) / 2) * step + length / 2
    half = max(width_mm / 2, TILT_HALF_WIDTH_MM)
    across = voxel_along(image.grid, beside) / 2
    number = int(np.ceil(half / across))
    offsets = np.linspace(-half, half, 2 * number + 1)
    points = first + positions[:, None] * along + offsets[:, None, None] * beside
    values = sample(image, points)
    return positions, offsets, values, sample_usual(image, points, values, points)


def _average(patch: NDArray, offsets: NDArray, width_mm: float) -> NDArray[np.float64]:
    """The mean over the width; NaN where no sample is known."""
    weights = (np.abs(offsets) <= width_mm / 2 + 1e-9)[:, None] * np.isfinite(patch)
    total = weights.sum(axis=0)
    mean = (weights * np.nan_to_num(patch)).sum(axis=0) / np.maximum(total, 1)
    return np.where(total > 0, mean, np.nan)


def _spread(patch: NDArray, offsets: NDArray, width_mm: float, voxel: float) -> NDArray | None:
    """Noise (n,) of the averaged profile, from how the samples beside the line scatter."""
    if not np.isfinite(patch).all():
        return None
    line = np.stack([np.ones_like(offsets), offsets], axis=1)
    left = patch - line @ np.linalg.lstsq(line, patch, rcond=None)[0]
    independent = np.ptp(offsets) / voxel + 1
    variance = (left**2).mean(axis=0) * independent / max(independent - 2, 1)
    # So few samples tell the noise of one place badly; neighbours help, and the whole line does.
    local = gaussian_filter1d(variance, NOISE_SAMPLES, mode="nearest")
    return np.sqrt((local + np.median(variance)) / 2 / (width_mm / voxel + 1))


def _fit(
    positions: NDArray,
    profile: NDArray,
    known: NDArray,
    voxel: float,
    pial_end: str,
    spread: NDArray | None,
) -> tuple[Fit | None, bool]:
    """The better of both directions, and whether it is the one from the last point."""
    weights = known * (positions[1] - positions[0]) / voxel
    longest = min(THICKNESS_MM[1], positions[-1] - positions[0])
    rule = RULES.get(pial_end, "known")
    ways = []
    if pial_end != "last":
        ways.append((False, positions, profile, weights, spread))
    if pial_end != "first":
        back = spread if spread is None else spread[::-1]
        ways.append((True, -positions[::-1], profile[::-1], weights[::-1], back))
    fits = [
        (fit, flipped)
        for flipped, s, y, w, sd in ways
        if (fit := search(s, y, w, voxel, (THICKNESS_MM[0], longest), rule=rule, spread=sd))
    ]
    best, flipped = min(fits, key=lambda pair: pair[0].score, default=(None, False))
    return (_widened(best) if best else None), flipped


def _widened(fit: Fit) -> Fit:
    """With the standard errors that the errors of calipers bear out."""
    return replace(
        fit,
        pial_sd=WIDER * fit.pial_sd,
        white_sd=WIDER * fit.white_sd,
        thickness_sd=WIDER * fit.thickness_sd,
    )


def _no_border(fit: Fit, positions: NDArray, flipped: bool) -> str:
    """Why the fit shows no cortex, or an empty text."""
    low, high = sorted((-positions[0], -positions[-1]) if flipped else positions[[0, -1]])
    errors = np.sqrt(np.diag(fit.covariance))
    if fit.gain < LEAST_GAIN:
        return "No border shows along the caliper."
    if np.abs(fit.parameters[D_A]) < LEAST_STEP_SDS * errors[D_A] or fit.pial < low:
        return "No pial border shows along the caliper."
    # Where a band fades into white matter its border is known by the band.
    seen = [i for i in (D_B, H) if np.abs(fit.parameters[i]) > LEAST_STEP_SDS * errors[i]]
    if not (seen or _white_matter_differs(fit)) or fit.white > high:
        return "No white-matter border shows along the caliper."
    if not THICKNESS_MM[0] / 2 < fit.thickness < THICKNESS_MM[1] + 0.5:
        return f"No two borders within {THICKNESS_MM[1]:.0f} mm show along the caliper."
    return ""


def _white_matter_differs(fit: Fit) -> bool:
    """Whether white matter surely differs from the cortex's surface."""
    inside = list(INSIDE)
    error = np.sqrt(fit.covariance[np.ix_(inside, inside)].sum())
    return bool(abs(fit.parameters[inside].sum()) > LEAST_CHANGE_SDS * error)


def _tilt(
    patch: NDArray, positions: NDArray, offsets: NDArray, border: float, voxel: float
) -> float:
    """Angle in degrees between the line and the intensity gradient at a border."""
    filled = np.nan_to_num(patch, nan=float(np.nanmean(patch)))
    by_offset, by_position = np.gradient(filled, offsets, positions)
    weights = np.exp(-0.5 * ((positions - border) / (0.8 * voxel)) ** 2)
    along, beside = (by_position @ weights).sum(), (by_offset @ weights).sum()
    return float(np.degrees(np.arctan2(abs(beside), abs(along))))


def _layer_means(
    positions: NDArray, profile: NDArray, pial: float, white: float, voxel: float
) -> tuple[float, float, float]:
    depths = (np.arange(300) + 0.5) / 300
    values = np.interp(pial + depths * (white - pial), positions, profile)
    margin = min(voxel / 2 / abs(white - pial), 1 / 6)
    inner = (depths > margin) & (depths < 1 - margin)
    superficial, middle, deep = (
        float(values[inner & (depths >= n / 3) & (depths < (n + 1) / 3)].mean()) for n in range(3)
    )
    return superficial, middle, deep


def _findings(fit: Fit, tilt: float, pial_end: str, middle: NDArray) -> list[Finding]:
    place = (float(middle[0]), float(middle[1]), float(middle[2]))
    findings = []
    if tilt > MOST_TILT_DEG:
        findings.append(Finding("caliper_oblique", (
            f"The caliper crosses the pial border at {tilt:.0f} degrees from straight across, so "
            "the cortex looks thicker than it is. Turn it across the cortex."
        ), True, place))  # fmt: skip
    for name, sd in (("pial", fit.pial_sd), ("white-matter", fit.white_sd)):
        if sd > MOST_SD_MM:
            findings.append(Finding("border_uncertain", (
                f"The {name} border is uncertain by {sd:.1f} mm. Widen the caliper or place it "
                "where the border is clearer."
            ), True, place))  # fmt: skip
    pial, inside_cortex = fit.steps
    if pial_end == "auto" and pial < CLEAR_RATIO * inside_cortex:
        findings.append(Finding("pial_end_uncertain", (
            "Both borders look alike, so the end in CSF may be taken for the one in white "
            "matter. Choose which end lies in CSF, or whether CSF is bright or dark."
        ), True, place))  # fmt: skip
    return findings


def _nothing(
    positions: NDArray, profile: NDArray, code: str, message: str, middle: NDArray
) -> Caliper:
    nowhere = np.full(3, np.nan)
    place = (float(middle[0]), float(middle[1]), float(middle[2]))
    return Caliper(
        positions, profile, np.nan, np.nan, np.nan, np.nan, nowhere, nowhere.copy(),
        np.nan, np.nan, np.nan, (np.nan, np.nan, np.nan), np.nan, np.nan,
        (Finding(code, message, True, place),),
    )  # fmt: skip
