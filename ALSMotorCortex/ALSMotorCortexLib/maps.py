"""From the scanner's echoes to maps: read, fit, write. What ``maps`` and ``analyze`` call."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .cortex import dephasing
from .cortex.bias import bias_field
from .cortex.combine import COMBINATIONS, combine, weights
from .cortex.errors import InputError
from .cortex.grid import Grid, Image
from .cortex.noise import Noise, noise_level
from .cortex.relaxometry import METHODS, Decay, fit_decay
from .cortex.result import Finding
from .study import provenance
from .study.echoes import Echoes, read_echoes
from .study.images import read_image
from .study.nifti import NiftiGeometry, write_nifti
from .study.outputs import OutputFolder
from .study.privacy import Redaction

Progress = Callable[[str, float], None]

DEPHASING = ("none", "phase", "magnitude")

# Without a mask, voxels are fitted whose first echo stands this many sigma high.
SIGNAL_ABOVE = 5.0

UNITS = {"T2star": "ms", "R2star": "1/s"}
"""Units of the maps that have one; the others are in the unit of the images, or counts."""

MEASURED = ("combined_snr", "T2star", "R2star")
"""Maps that are measured unless others are asked for."""

MEASURABLE = ("combined_snr", "combined_rss", "combined_mean", "T2star", "R2star", "S0")
"""All maps that are contrasts, and not about the fit."""

_DESCRIPTIONS = {
    "combined_rss": "Root of the sum of squares of the echoes",
    "combined_mean": "Mean of the echoes",
    "combined_snr": "Mean of the echoes, weighted for signal to noise",
    "T2star": "T2* in ms; NaN = no fit",
    "R2star": "R2* in 1/s; NaN = no fit",
    "S0": "Signal at echo time 0; NaN = no fit",
    "fit_residual": "RMS residual of the fit, in the unit of the images; NaN = no fit",
    "trust": "1 where the fit is to be trusted, else 0",
    "echoes_used": "Number of echoes above the noise floor; 0 = not fitted",
}


@dataclass(frozen=True)
class MapOptions:
    """How to make maps. The defaults correct nothing.

    Attributes:
        times: echo times in the order of the files, in ms or s; None takes them from
            sidecars or headers.
        phase: phase images of the same echoes.
        series: which DICOM series, by number or description.
        register: bring echoes onto the first by a rigid movement.
        mask: image whose voxels above zero are fitted.
        noise: sigma in the images' unit; None estimates it.
        fit: ``rician`` or ``loglinear``.
        bias: divide the combined images and S0 by their N4 bias field.
        dephasing: ``none``, or where the field across the slice is taken from.
        slice_thickness: mm; None takes it from the headers, else the distance of slices.
    """

    times: Sequence[float] | None = None
    phase: Sequence[Path] = ()
    series: str = ""
    register: bool = False
    mask: Path | None = None
    noise: float | None = None
    fit: str = "rician"
    bias: bool = False
    dephasing: str = "none"
    slice_thickness: float | None = None

    def check(self) -> None:
        """Raises:
        InputError: an option that cannot be used, with the reason.
        """
        if self.fit not in METHODS:
            raise InputError(f"--fit must be one of: {', '.join(METHODS)}.")
        if self.dephasing not in DEPHASING:
            raise InputError(f"--dephasing must be one of: {', '.join(DEPHASING)}.")
        for option, value in (("noise", self.noise), ("slice-thickness", self.slice_thickness)):
            if value is not None and not (np.isfinite(value) and value > 0):
                raise InputError(f"--{option} must be above zero, not {value:g}.")


@dataclass(frozen=True)
class MapSet:
    """Maps made from echoes.

    Attributes:
        images: maps by name, all on one grid: ``combined_rss``, ``combined_mean``,
            ``combined_snr``, ``T2star``, ``R2star``, ``S0``, ``fit_residual``, ``trust``,
            ``echoes_used``.
        findings: what the user should know.
        details: numbers behind the maps, for the provenance.
        sources: the input files, likewise.
        geometry: NIfTI header fields to copy, or None.
    """

    images: Mapping[str, Image]
    findings: tuple[Finding, ...]
    details: Mapping[str, Any]
    sources: tuple[Mapping[str, Any], ...]
    geometry: NiftiGeometry | None = field(default=None, repr=False)

    def to_measure(self, names: Sequence[str] = MEASURABLE) -> dict[str, Image]:
        """The contrast maps for :func:`.cortex.measure.measure`; NaN where not trusted.

        Args:
            names: which, and in which order.

        Raises:
            InputError: a name that is not in :data:`MEASURABLE`.
        """
        if unknown := [name for name in names if name not in MEASURABLE]:
            raise InputError(
                f"No map {unknown[0]} is made from echoes to be measured. There are: "
                f"{', '.join(MEASURABLE)}."
            )
        trust = self.images["trust"].array > 0
        return {name: self._trusted(name, trust) for name in names}

    def _trusted(self, name: str, trust: NDArray[np.bool_]) -> Image:
        image = self.images[name]
        if name.startswith("combined"):
            return image
        return Image(np.where(trust, image.array, np.float32(np.nan)), image.grid, name)


@dataclass(frozen=True)
class EchoSource:
    """Echoes that contrast maps are made from, to be measured.

    Attributes:
        paths: see :func:`make_maps`.
        options: how the maps are made.
        names: which of :data:`MEASURABLE` are measured, in this order.
    """

    paths: tuple[Path, ...]
    options: MapOptions = MapOptions()
    names: tuple[str, ...] = MEASURED

    @property
    def files(self) -> list[Path]:
        """All that is read, be it files or a folder."""
        return _files(self.paths, self.options)

    def record(self, maps: MapSet) -> dict[str, Any]:
        """How the maps were made, for the provenance."""
        return plain({"settings": asdict(self.options), "maps": dict(maps.details)})


def make_maps(
    paths: Sequence[Path],
    out: str | os.PathLike,
    options: MapOptions,
    progress: Progress | None = None,
    *,
    command: Iterable[str] = (),
    called: Mapping[Path, str] | None = None,
) -> MapSet:
    """Makes maps from echoes and writes them, with ``provenance.json``, into a folder.

    Args:
        paths: the echoes: files, one 4D file, or one folder of DICOM or BIDS.
        out: the folder; made if it is not there. Other files in it stay.
        options: how.
        progress: gets a step's name and the fraction done; may raise to stop.
        command: the command line, for the provenance.
        called: what the provenance calls the input files, whose paths may hold a patient's name;
            without it they stand as they are given.

    Raises:
        InputError: the input cannot be used or the maps cannot be written. The folder is
            then as it was.
    """
    started, clock = provenance.now(), time.perf_counter()
    tell = progress or (lambda step, fraction: None)
    with OutputFolder(out) as folder:
        written = [f"{name}.nii.gz" for name in _DESCRIPTIONS]
        provenance.keep_inputs(folder, _files(paths, options), written)
        maps = compute_maps(paths, options, lambda step, done: tell(step, 0.8 * done))
        tell("writing", 0.8)
        write_images(folder, maps.images, maps.geometry)
        record: dict[str, Any] = {
            "started": started,
            "software": "ALSMotorCortex",
            "command": list(command),
            "settings": asdict(options),
            "inputs": list(maps.sources),
            "maps": dict(maps.details),
            "versions": provenance.versions(),
            "findings": [asdict(finding) for finding in maps.findings],
        }
        record["outputs"] = provenance.describe_outputs(folder)
        record["seconds"] = {"total": round(time.perf_counter() - clock, 3)}
        record["peak_memory_mib"] = provenance.peak_memory_mib()
        record["finished"] = provenance.now()
        if called is not None:
            record = Redaction(called).plain(record)
        provenance.publish(folder, plain(record))
    tell("done", 1.0)
    return maps


def _files(paths: Sequence[Path], options: MapOptions) -> list[Path]:
    return [*paths, *options.phase, *([options.mask] if options.mask else [])]


def compute_maps(
    paths: Sequence[Path], options: MapOptions, progress: Progress | None = None
) -> MapSet:
    """Reads echoes and makes maps, without writing any.

    Args:
        paths: see :func:`make_maps`.
        options: how.
        progress: gets a step's name and the fraction done; may raise to stop.

    Raises:
        InputError: the echoes or options cannot be used.
    """
    options.check()
    tell = progress or (lambda step, fraction: None)
    tell("reading", 0.0)
    echoes = read_echoes(
        paths,
        options.times,
        options.phase,
        options.series,
        options.register,
        lambda done: tell("reading", 0.4 * done),
    )
    mask = _mask_file(options.mask, echoes.grid) if options.mask else None
    return fit_maps(echoes, options, mask, lambda step, done: tell(step, 0.4 + 0.6 * done))


def fit_maps(
    echoes: Echoes,
    options: MapOptions,
    mask: NDArray[np.bool_] | None = None,
    progress: Progress | None = None,
) -> MapSet:
    """Maps from echoes in memory, for example from Slicer.

    Args:
        echoes: read and checked.
        options: how; what concerns files is not used.
        mask: (k, j, i), voxels to fit; those with signal if None.
        progress: gets a step's name and the fraction done; may raise to stop.

    Raises:
        InputError: options that these echoes do not allow, or nothing to fit.
    """
    options.check()
    tell = progress or (lambda step, fraction: None)
    tell("estimating the noise", 0.0)
    noise = Noise(options.noise, "given") if options.noise else noise_level(echoes.magnitude)
    where = _signal(echoes.magnitude[0], noise.sigma) if mask is None else mask
    if not where.any():
        raise InputError(
            "No voxel can be fitted: none stands above the noise, or the mask is empty. "
            "Check --noise and --mask."
        )
    tell("correcting for dephasing" if options.dephasing != "none" else "fitting", 0.1)
    turns = _turns(echoes, options, noise.sigma, where)
    decay = fit_decay(
        echoes.magnitude,
        echoes.times_ms,
        noise.sigma,
        where,
        turns,
        options.fit,
        progress=lambda done: tell("fitting", 0.2 + 0.5 * done),
    )
    tell("combining the echoes", 0.7)
    arrays: dict[str, NDArray] = {
        f"combined_{how}": combine(echoes.magnitude, how, where) for how in COMBINATIONS
    }
    arrays |= {"T2star": decay.t2star, "R2star": decay.r2star, "S0": decay.s0}
    arrays |= {"fit_residual": decay.residual, "echoes_used": decay.echoes_used}
    arrays["trust"] = decay.trusted.astype(np.uint8)
    if options.bias:
        tell("correcting the bias field", 0.8)
        _correct_bias(arrays, echoes.grid, where)
    tell("fitted", 1.0)
    return MapSet(
        images={name: Image(arrays[name], echoes.grid, name) for name in _DESCRIPTIONS},
        findings=(*echoes.findings, *_findings(echoes, noise, decay, options)),
        details=_details(echoes, noise, decay, options, turns, where),
        sources=echoes.sources,
        geometry=echoes.geometry,
    )


def _mask_file(path: Path, grid: Grid) -> NDArray[np.bool_]:
    image = read_image(path).image
    if not image.grid.same_as(grid, 0.01 * min(grid.spacing)):
        raise InputError(
            f"The mask {path} lies on another grid than the echoes. Resample it onto the grid "
            "of the first echo, with nearest-neighbour interpolation."
        )
    return image.array > 0


def _signal(echo: NDArray, sigma: float) -> NDArray[np.bool_]:
    return np.isfinite(echo) & (echo > SIGNAL_ABOVE * sigma)


def _turns(
    echoes: Echoes, options: MapOptions, sigma: float, mask: NDArray[np.bool_]
) -> NDArray[np.float32] | None:
    """How fast the phase spreads across the slice, for the dephasing correction."""
    if options.dephasing == "none":
        return None
    axis = dephasing.slice_axis(echoes.grid)
    if options.dephasing == "magnitude":
        return dephasing.turns_from_decay(echoes.magnitude, echoes.times_ms, sigma, mask, axis)
    if not echoes.phase:
        raise InputError(
            "--dephasing phase needs the phase images, and there are none. Give them with "
            "--phase, or use --dephasing magnitude."
        )
    share = _thickness(echoes, options) / echoes.grid.spacing[axis]
    return dephasing.turns_from_phase(echoes.magnitude, echoes.phase, echoes.times_ms, axis, share)


def _thickness(echoes: Echoes, options: MapOptions) -> float:
    """Slice thickness in mm, which is less than the distance of slices where there are gaps."""
    distance = echoes.grid.spacing[dephasing.slice_axis(echoes.grid)]
    return options.slice_thickness or echoes.thickness_mm or distance


def _correct_bias(arrays: dict[str, NDArray], grid: Grid, mask: NDArray[np.bool_]) -> None:
    """Divides what carries the coil's shading by one field, in place."""
    field_ = bias_field(Image(arrays["combined_rss"], grid, "combined_rss"), mask)
    for name, array in arrays.items():
        if name.startswith("combined") or name in ("S0", "fit_residual"):
            arrays[name] = array / field_


# What is told ---------------------------------------------------------------------------


def _findings(echoes: Echoes, noise: Noise, decay: Decay, options: MapOptions) -> Iterable[Finding]:
    times = ", ".join(f"{t:g}" for t in echoes.times_ms)
    yield Finding("echo_times", f"{len(echoes.times_ms)} echoes at {times} ms.")
    yield _noise_finding(noise)
    yield from _left_out(decay, len(echoes.times_ms))
    fitted, trusted = int(decay.fitted.sum()), int(decay.trusted.sum())
    share = 100 * trusted / fitted
    text = f"The fit is trusted in {trusted} of {fitted} voxels ({share:.1f} %)."
    if trusted:
        text += f" Median T2* there: {float(np.median(decay.t2star[decay.trusted])):.1f} ms."
    yield Finding("trusted", text, warning=share < 50)
    if options.dephasing != "none":
        yield Finding(
            "dephasing_corrected",
            "T2* and R2* are corrected for dephasing across slices of "
            f"{_thickness(echoes, options):g} mm, with the field gradient taken from the "
            f"{options.dephasing}.",
        )
    if options.bias:
        text = "The combined images, S0 and fit_residual are divided by a bias field (N4)."
        yield Finding("bias_corrected", text)


def _noise_finding(noise: Noise) -> Finding:
    level = f"Noise level {noise.sigma:.4g}"
    if noise.source == "tissue":
        return Finding(
            "noise_level",
            f"{level}, from the finest structure in the last echo, because the images have no "
            "noisy background. Fine anatomy raises it and interpolation lowers it; if you know it, "
            "give it with --noise.",
            warning=True,
        )
    source = "as given" if noise.source == "given" else "from the background"
    return Finding("noise_level", f"{level}, {source}.")


def _left_out(decay: Decay, count: int) -> Iterable[Finding]:
    """How often each echo fell below the noise floor. Signal only falls, so the last ones do."""
    fitted = int(decay.fitted.sum())
    used = decay.echoes_used[decay.fitted]
    short = int((used < count).sum())
    if short:
        each = ", ".join(
            f"echo {n} in {missing}"
            for n in range(1, count + 1)
            if (missing := int((used < n).sum()))
        )
        text = (
            f"In {short} of {fitted} voxels ({100 * short / fitted:.1f} %) echoes below the noise "
            f"floor are left out: {each}."
        )
        yield Finding("echoes_left_out", text)


def _details(
    echoes: Echoes,
    noise: Noise,
    decay: Decay,
    options: MapOptions,
    turns: NDArray[np.float32] | None,
    mask: NDArray[np.bool_],
) -> dict[str, Any]:
    count = len(echoes.times_ms)
    used = decay.echoes_used[decay.fitted]
    trusted = decay.t2star[decay.trusted]
    details: dict[str, Any] = {
        "echo_times_ms": list(echoes.times_ms),
        "noise_sigma": noise.sigma,
        "noise_source": noise.source,
        "fit": options.fit,
        "combined_snr_weights": weights(echoes.magnitude, "snr", mask).tolist(),
        "voxels_fitted": int(decay.fitted.sum()),
        "voxels_trusted": int(decay.trusted.sum()),
        "voxels_without_echo": [int((used < n).sum()) for n in range(1, count + 1)],
        "median_t2star_ms": float(np.median(trusted)) if trusted.size else None,
        "bias_correction": "N4" if options.bias else "none",
        "dephasing_correction": options.dephasing,
        "units": UNITS,
        "no_value": "NaN",
    }
    if turns is not None:
        details["slice_thickness_mm"] = _thickness(echoes, options)
        details["median_field_step_hz"] = float(1000 * np.median(turns[mask]))
    return details


def plain(value: Any) -> Any:
    """Paths as text, for JSON."""
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, Mapping):
        return {key: plain(item) for key, item in value.items()}
    return [plain(item) for item in value] if isinstance(value, (list, tuple)) else value


def write_images(
    folder: OutputFolder, images: Mapping[str, Image], geometry: NiftiGeometry | None
) -> None:
    """Writes maps as ``NAME.nii.gz``.

    Args:
        images: maps of a :class:`MapSet` by name.
        geometry: NIfTI header fields to copy, or None.
    """

    def write(name: str) -> None:
        write_nifti(images[name], folder.path(f"{name}.nii.gz"), _DESCRIPTIONS[name], geometry)

    with ThreadPoolExecutor(2) as pool:
        list(pool.map(write, images))
