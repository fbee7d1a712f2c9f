"""Accuracy and speed of the maps from echoes.

python relaxometry.py FOLDER

makes maps of the echoes in a folder and prints how long the fit alone took.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import processes
from numpy.typing import NDArray
from tables import Detail, table

from ALSMotorCortexLib.cortex.dephasing import turns_from_decay, turns_from_phase
from ALSMotorCortexLib.cortex.grid import Grid, Image
from ALSMotorCortexLib.cortex.relaxometry import (
    METHODS,
    NOISE_FLOOR,
    Decay,
    cramer_rao,
    fit_decay,
)
from ALSMotorCortexLib.maps import MapOptions, compute_maps, make_maps
from ALSMotorCortexLib.study.nifti import write_nifti

SNR = 20.0
"""Signal over sigma at the first echo."""

TIMES = np.arange(1, 8) * 5.0
"""Echo times in ms."""

ACCURACY = f"""## Maps from echoes

Simulated voxels with Rician noise, SNR {SNR:g} at the first echo. *Bias* is the mean over voxels
less the truth; *spread* the standard deviation over the Cramer-Rao bound of an unbiased T2*
(1.00: no fit can be better). Aims: bias under 1 %, spread within 10 % of the bound."""

TWO = """Two echoes, 5 and 25 ms. Where the second lies under the noise floor there is no fit, and
the other voxels are a selection."""

FLOOR = """Echoes under the noise floor, the mean magnitude of noise alone, are left out and
counted. The truth is the number of echoes whose noiseless signal is above it."""

DEPHASING = """True T2* 30 ms, SNR 50, where the field steps between slices and the slice profile
is a rectangle: T2* found without correction and with it, in ms."""

SPEED = """Time and memory of the command `maps` in a process of its own, with gzipped NIfTI files
of 16 bits read and nine maps written. The fit alone is timed within it, on two threads."""

REAL = """The 7 T gradient echo (`gre_7t`: echoes at 4, 8, 12 ms, 0.5 mm in plane): T2* found."""


def report(quick: bool, shared: Path) -> Iterator[str]:
    """All tables, each as soon as it is known."""
    count = 10_000 if quick else 200_000
    yield ACCURACY
    yield f"Seven echoes, 5 to 35 ms, {count:,} voxels each:\n\n" + _accuracy(TIMES, count)
    yield Detail("Seven echoes, 4 to 28 ms:\n\n" + _accuracy(0.8 * TIMES, count))
    yield Detail(TWO + "\n\n" + _accuracy(TIMES[[0, 4]], count))
    yield Detail(FLOOR + "\n\n" + _floor(count))
    yield Detail(DEPHASING + "\n\n" + _dephasing())
    yield SPEED + "\n\n" + _speed((10, 256, 256) if quick else (40, 512, 512))
    if (shared / "gre_7t").is_dir():
        yield Detail(REAL + "\n\n" + _real(shared / "gre_7t"))


def rician(signal: NDArray, rng: np.random.Generator) -> NDArray[np.float32]:
    """Magnitude of a signal with noise of SD 1 in both parts."""
    noise = rng.standard_normal((2, *signal.shape), dtype=np.float32)
    return np.hypot(signal + noise[0], noise[1]).astype(np.float32)


def simulated(times: Sequence[float] | NDArray, t2star: float, count: int) -> list[NDArray]:
    """Echoes of voxels that are all alike but for their noise."""
    rng = np.random.default_rng(round(t2star))
    signals = [SNR * np.exp(-(t - times[0]) / t2star) for t in times]
    return [rician(np.full((1, 1, count), signal), rng) for signal in signals]


def _accuracy(times: NDArray, count: int) -> str:
    rows = []
    for t2star in (10, 15, 20, 30, 45, 60):
        echoes = simulated(times, t2star, count)
        bound = cramer_rao(times, t2star, SNR)
        for method in METHODS:
            decay = fit_decay(echoes, times, 1.0, method=method)
            rows.append(
                [f"{t2star} ms", method, f"{100 * bound:.1f}", *_errors(decay, t2star, bound)]
            )
    head = ["T2*", "fit", "bound (%)", "bias of T2* (%)", "bias of R2* (%)", "spread / bound"]
    return table([*head, "no fit (%)"], rows)


def _errors(decay: Decay, t2star: float, bound: float) -> list[str]:
    found = decay.t2star[np.isfinite(decay.t2star)].astype(float)
    rate = float(np.nanmean(decay.r2star)) * t2star / 1000 - 1
    return [
        f"{100 * (found.mean() / t2star - 1):+.2f}",
        f"{100 * rate:+.2f}",
        f"{found.std() / t2star / bound:.2f}",
        f"{100 * (1 - found.size / decay.t2star.size):.2f}",
    ]


def _floor(count: int) -> str:
    rows = []
    for t2star in (3, 5, 8, 10, 15):
        signal = SNR * np.exp(-(TIMES - TIMES[0]) / t2star)
        decay = fit_decay(simulated(TIMES, t2star, count), TIMES, 1.0)
        used, median = decay.echoes_used, np.nanmedian(decay.t2star)
        rows.append([
            f"{t2star} ms", f"{(signal >= NOISE_FLOOR).sum()}", f"{used.mean():.2f}",
            f"{median:.2f}", f"{100 * decay.trusted.mean():.1f}",
        ])  # fmt: skip
    head = ["T2*", "echoes above the floor", "echoes used, mean", "T2* found, median (ms)"]
    return table([*head, "trusted (%)"], rows)


def _dephasing() -> str:
    rng = np.random.default_rng(0)
    shape, t2star, snr = (8, 64, 64), 30.0, 50.0
    k = np.arange(8)[:, None, None]
    place = k + np.linspace(-0.5, 0.5, 401)[:-1] + 0.5 / 400
    rows = []
    for hertz in (0, 5, 10, 15, 20, 25):
        magnitude, phase = [], []
        for t in TIMES:
            slices = np.exp(2j * np.pi * hertz * place * t / 1000).mean(axis=2, keepdims=True)
            signal = snr * np.exp(-(t - TIMES[0]) / t2star) * np.broadcast_to(slices, shape)
            noisy = signal + rng.standard_normal(shape) + 1j * rng.standard_normal(shape)
            magnitude.append(np.abs(noisy).astype(np.float32))
            phase.append(np.angle(noisy).astype(np.float32))
        found = (
            None,
            turns_from_phase(magnitude, phase, TIMES, 0),
            turns_from_decay(magnitude, TIMES, 1.0, np.ones(shape, bool), 0),
        )
        fits = [fit_decay(magnitude, TIMES, 1.0, turns_per_ms=turns) for turns in found]
        means = [f"{np.nanmean(fit.t2star):.1f}" for fit in fits]
        rows.append([f"{hertz} Hz", *means, f"{100 * fits[2].trusted.mean():.0f}"])
    return table(["step", "uncorrected", "from phase", "from magnitude", "trusted (%)"], rows)


def _speed(shape: tuple[int, int, int]) -> str:
    """A head that fills 3 of the slab's 10 million voxels, with air around it."""
    rng = np.random.default_rng(0)
    k, j, i = np.ogrid[: shape[0], : shape[1], : shape[2]]
    middle = np.hypot((j / shape[1] - 0.5) / 0.352, (i / shape[2] - 0.5) / 0.264) + 0 * k
    mask, grid = middle < 1, Grid.from_spacing(shape, (1.5, 0.4, 0.4))
    t2star = (30 + 15 * np.sin(j / 20) * np.cos(i / 15) + 0 * k).astype(np.float32)
    with tempfile.TemporaryDirectory() as folder:
        for n, t in enumerate(TIMES, 1):
            signal = np.where(mask, SNR * np.exp(-(t - TIMES[0]) / t2star), 0).astype(np.float32)
            stored = np.rint(20 * rician(signal, rng)).astype(np.int16)
            write_nifti(Image(stored, grid), Path(folder) / f"e{n}.nii.gz")
        write_nifti(Image(mask.astype(np.uint8), grid), Path(folder) / "mask.nii.gz")
        run = processes.run([sys.executable, __file__, folder])
    fit = json.loads(run.output)["fit"]
    size = f"{mask.sum():,} of {shape[2]} x {shape[1]} x {shape[0]}, {len(TIMES)} echoes"
    row = [size, f"{fit:.1f}", f"{run.seconds:.1f}", f"{run.cores:.1f}", f"{run.peak_mib:.0f}"]
    head = ["voxels fitted", "fit (s)", "all (s)", "processor (s)", "memory (MiB)"]
    return table(head, [row])


def _make(folder: Path) -> None:
    """Makes the maps that :func:`_speed` times, and prints how long the fit took."""
    at: dict[str, float] = {}
    options = MapOptions(times=TIMES.tolist(), mask=folder / "mask.nii.gz")
    paths = [folder / f"e{n}.nii.gz" for n in range(1, len(TIMES) + 1)]
    make_maps(
        paths,
        folder / "maps",
        options,
        lambda step, done: at.setdefault(step, time.perf_counter()) and None,
    )
    print(json.dumps({"fit": at["combining the echoes"] - at["fitting"]}))


def _real(folder: Path) -> str:
    """T2* in white and gray matter beside the midline, and in a vein on the falx."""
    tissue, vein = (slice(8, 15), slice(8, 43), slice(6, 19)), (slice(17, 21), slice(None), 23)
    rows = []
    for dephasing in ("none", "phase"):
        phase = (folder / "phase.nii.gz",) if dephasing == "phase" else ()
        options = MapOptions(times=[4, 8, 12], phase=phase, dephasing=dephasing)
        made = compute_maps([folder / "magnitude.nii.gz"], options)
        t2star, trust = made.images["T2star"].array, made.images["trust"].array > 0
        for name, place in (("everywhere", ...), ("tissue", tissue), ("vein", vein)):
            found = t2star[place][trust[place]]
            low, median, high = np.quantile(found, (0.25, 0.5, 0.75))
            share = 100 * trust[place].mean()
            numbers = [f"{median:.1f}", f"{low:.1f} to {high:.1f}", f"{share:.0f}"]
            rows.append([name, dephasing, *numbers])
    head = ["where", "dephasing correction", "median (ms)", "quartiles (ms)", "trusted (%)"]
    return table(head, rows)


if __name__ == "__main__":
    _make(Path(sys.argv[1]))
