"""Accuracy and speed of the T2* fit, printed.

    python Testing/Benchmark/relaxometry.py [--quick]

1. Bias and spread of T2* on simulated Rician data, SNR 20 at the first of seven echoes,
   against the Cramer-Rao bound, for both fits.
2. T2* with and without the dephasing correction, over the step of the field between slices.
3. Time and memory for 3 million voxels of seven echoes: the fit alone, and ``maps`` from
   gzipped NIfTI files of a 512 x 512 x 40 slab to the files that it writes.
"""

from __future__ import annotations

import argparse
import platform
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "ALSMotorCortex"))

from ALSMotorCortexLib.cortex.dephasing import turns_from_decay, turns_from_phase  # noqa: E402
from ALSMotorCortexLib.cortex.grid import Grid, Image  # noqa: E402
from ALSMotorCortexLib.cortex.relaxometry import METHODS, cramer_rao, fit_decay  # noqa: E402
from ALSMotorCortexLib.maps import MapOptions, make_maps  # noqa: E402
from ALSMotorCortexLib.study.nifti import write_nifti  # noqa: E402
from ALSMotorCortexLib.study.provenance import peak_memory_mib  # noqa: E402

SNR = 20.0
TIMES = np.arange(1, 8) * 5.0


def rician(signal: NDArray, rng: np.random.Generator) -> NDArray[np.float32]:
    """Magnitude of a signal with noise of SD 1 in both parts."""
    noise = rng.standard_normal((2, *signal.shape), dtype=np.float32)
    return np.hypot(signal + noise[0], noise[1]).astype(np.float32)


def accuracy(count: int) -> None:
    rng = np.random.default_rng(0)
    print(f"T2* at SNR {SNR:g} at the first echo, {count} voxels each, echo times in ms")
    print("| echoes | T2* (ms) | bound (%) | fit | bias of T2* (%) | of R2* (%) | spread/bound |")
    print("|---|---|---|---|---|---|---|")
    for times in (TIMES, np.arange(1, 8) * 4.0):
        for t2star in (10, 15, 20, 30, 45, 60):
            echoes = [
                rician(np.full((1, 1, count), SNR * np.exp(-(t - times[0]) / t2star)), rng)
                for t in times
            ]
            bound = cramer_rao(times, t2star, SNR)
            for method in METHODS:
                decay = fit_decay(echoes, times, 1.0, method=method)
                bias = 100 * (np.nanmean(decay.t2star) / t2star - 1)
                rate = 100 * (np.nanmean(decay.r2star) * t2star / 1000 - 1)
                spread = np.nanstd(decay.t2star) / t2star / bound
                print(
                    f"| {times[0]:g} to {times[-1]:g} | {t2star} | {100 * bound:.1f} | {method} "
                    f"| {bias:+.2f} | {rate:+.2f} | {spread:.2f} |"
                )


def dephasing() -> None:
    rng = np.random.default_rng(0)
    shape, t2star, snr = (8, 64, 64), 30.0, 50.0
    k = np.arange(8)[:, None, None]
    place = k + np.linspace(-0.5, 0.5, 401)[:-1] + 0.5 / 400
    print(f"\nT2* (true {t2star:g} ms, SNR {snr:g}) where the field steps between slices")
    print("| step (Hz) | uncorrected | from phase | from magnitude | trusted (magnitude) |")
    print("|---|---|---|---|---|")
    for hertz in (0, 5, 10, 15, 20, 25):
        magnitude, phase = [], []
        for t in TIMES:
            slices = np.exp(2j * np.pi * hertz * place * t / 1000).mean(axis=2, keepdims=True)
            signal = snr * np.exp(-(t - TIMES[0]) / t2star) * np.broadcast_to(slices, shape)
            noisy = signal + rng.standard_normal(shape) + 1j * rng.standard_normal(shape)
            magnitude.append(np.abs(noisy).astype(np.float32))
            phase.append(np.angle(noisy).astype(np.float32))
        mask = np.ones(shape, bool)
        plain = fit_decay(magnitude, TIMES, 1.0)
        found = (
            turns_from_phase(magnitude, phase, TIMES, 0),
            turns_from_decay(magnitude, TIMES, 1.0, mask, 0),
        )
        fits = [plain, *(fit_decay(magnitude, TIMES, 1.0, turns_per_ms=t) for t in found)]
        means = " | ".join(f"{np.nanmean(fit.t2star):.1f}" for fit in fits)
        print(f"| {hertz} | {means} | {100 * fits[2].trusted.mean():.0f} % |")


@contextmanager
def timed(what: str) -> Iterator[None]:
    """Prints the time that passed and that of all cores together, which load leaves alone."""
    start, cores = time.perf_counter(), time.process_time()
    yield
    passed, spent = time.perf_counter() - start, time.process_time() - cores
    print(f"{what}: {passed:.1f} s ({spent:.1f} s of processor time)")


def speed(shape: tuple[int, int, int]) -> None:
    """A head that fills 3 of the slab's 10 million voxels, with air around it."""
    rng = np.random.default_rng(0)
    k, j, i = np.ogrid[: shape[0], : shape[1], : shape[2]]
    middle = np.hypot((j / shape[1] - 0.5) / 0.352, (i / shape[2] - 0.5) / 0.264) + 0 * k
    mask = middle < 1
    t2star = (30 + 15 * np.sin(j / 20) * np.cos(i / 15) + 0 * k).astype(np.float32)
    echoes = [
        rician(np.where(mask, SNR * np.exp(-(t - TIMES[0]) / t2star), 0).astype(np.float32), rng)
        for t in TIMES
    ]
    print(f"\n{mask.sum()} voxels of {shape[2]} x {shape[1]} x {shape[0]}, {TIMES.size} echoes")
    for method in METHODS:
        for threads in (1, 2):
            with timed(f"fit {method}, {threads} thread(s)"):
                fit_decay(echoes, TIMES, 1.0, mask, method=method, threads=threads)
    with tempfile.TemporaryDirectory() as folder:
        grid = Grid.from_spacing(shape, (1.5, 0.4, 0.4))
        paths = []
        for n, echo in enumerate(echoes, 1):
            paths.append(Path(folder) / f"e{n}.nii.gz")
            write_nifti(Image(np.rint(20 * echo).astype(np.int16), grid), paths[-1])
        del echoes
        with timed("maps, from files to files"):
            make_maps(paths, Path(folder) / "maps", MapOptions(times=TIMES.tolist()))
    print(f"peak memory of this benchmark: {peak_memory_mib()} MiB")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="fewer and smaller, for a look")
    quick = parser.parse_args().quick
    print(f"Python {platform.python_version()}, numpy {np.__version__}, {platform.machine()}\n")
    accuracy(10_000 if quick else 200_000)
    dephasing()
    speed((10, 256, 256) if quick else (40, 512, 512))


if __name__ == "__main__":
    main()
