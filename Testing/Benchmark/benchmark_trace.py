"""Traces and calipers on synthetic motor cortices whose borders are known, as markdown tables.

Every subject has its own anatomy, and every patient its own band of iron: how strong, how deep
and how wide. Curves and lines are drawn at random. A part of ``benchmark.py``; by itself:

    python3 Testing/Benchmark/benchmark_trace.py [--quick] [--repeats 18]
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import map_coordinates

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "ALSMotorCortex"))

from tables import Detail, table  # noqa: E402

from ALSMotorCortexLib.cortex.caliper import Caliper, measure_caliper  # noqa: E402
from ALSMotorCortexLib.cortex.curves import distance  # noqa: E402
from ALSMotorCortexLib.cortex.errors import InputError  # noqa: E402
from ALSMotorCortexLib.cortex.grid import Image  # noqa: E402
from ALSMotorCortexLib.cortex.motor_cortex import (  # noqa: E402
    GROUPS,
    MotorCortexCase,
    Relaxation,
    places_on_m1,
    synthetic_motor_cortex,
)
from ALSMotorCortexLib.cortex.trace import Trace, trace_cortex  # noqa: E402

UP = np.array([0, 0, 1.0])
SHAPE = (5, 200, 200)
SLICE = 2
SNRS = (40, 20, 10)
MAPS = ("T2star", "magnitude")
CURVES = ("smooth", "shaky", "off centre")
# Of calipers, mm.
WIDTHS = (1.0, 2.0)
# Echo time of the magnitude image, ms.
ECHO_MS = 20.0
# mm along M1 from the knob: where CSF shows in the sulcus.
ALONG = (-20.0, 15.0)


@dataclass(frozen=True)
class Subject:
    """A cortex and its noise-free R2*.

    Attributes:
        case: its anatomy.
        rate: (k, j, i) 1/s, mean over each voxel.
        pial, white: (n, 3) RAS mm on the slice.
        thickness: (n,) mm in 3D, at the same places.
        along: (n,) mm along M1.
    """

    case: MotorCortexCase
    rate: NDArray
    pial: NDArray
    white: NDArray
    thickness: NDArray
    along: NDArray

    def place(self, along: float, depth: float) -> NDArray:
        """(3,) RAS mm of a place in M1."""
        return places_on_m1(self.case.truth.placement, np.array([along]), depth, SLICE)[0]


@dataclass(frozen=True)
class Errors:
    """Errors of one trace or caliper, mm.

    Attributes:
        thickness: of its mean thickness, found less true.
        sd: what it states for that.
        pial, white: how much too deep each border lies, by column.
        pial_sd, white_sd: what it states for that.
        warned: whether it warned.
    """

    thickness: float
    sd: float
    pial: NDArray
    white: NDArray
    pial_sd: NDArray
    white_sd: NDArray
    warned: bool


@cache
def subject(group: str, seed: int) -> Subject:
    """Subjects of one seed differ in thickness and iron only."""
    rng = np.random.default_rng([11, seed])
    relaxation = Relaxation(
        iron=rng.uniform(8, 18) if group == "patient" else 0.0,
        iron_depth=rng.uniform(0.62, 0.76),
        iron_spread=rng.uniform(0.12, 0.19),
    )
    case = synthetic_motor_cortex(
        seed, group, ("left", "right")[seed % 2], shape=SHAPE, snr=np.inf, relaxation=relaxation
    )
    along = np.arange(-26.0, 24.0, 0.1)
    pial, middle, white = (
        places_on_m1(case.truth.placement, along, depth, SLICE) for depth in (0.0, 0.5, 1.0)
    )
    truth = np.nan_to_num(case.truth.thickness)
    kji = case.labels.grid.kji(middle).T
    known = map_coordinates((truth > 0).astype(float), kji, order=1)
    thickness = map_coordinates(truth, kji, order=1) / np.maximum(known, 1e-6)
    rate = case.maps["R2star"].array.astype(float)
    return Subject(case, rate, pial, white, thickness, along)


def noisy_map(who: Subject, kind: str, snr: float, rng: np.random.Generator) -> Image:
    """One map; the noise of gray matter is 1 / snr of its mean."""
    gray = who.case.relaxation
    mean = (gray.pial + gray.white) / 2
    grid = who.case.labels.grid
    if kind == "T2star":
        rate = who.rate + rng.normal(scale=mean / snr, size=who.rate.shape)
        return Image((1000 / np.maximum(rate, 1.0)).astype(np.float32), grid, kind)
    signal = 1000 * np.exp(-who.rate * ECHO_MS / 1000)
    sd = 1000 * np.exp(-mean * ECHO_MS / 1000) / snr
    noise = rng.normal(scale=sd, size=(2, *signal.shape))
    return Image(np.hypot(signal + noise[0], noise[1]).astype(np.float32), grid, kind)


def drawn_curve(who: Subject, kind: str, rng: np.random.Generator) -> tuple[NDArray, NDArray]:
    """Control points (n, 3) of a curve along M1, and where they lie along it in mm."""
    length = rng.uniform(15, 30)
    start = rng.uniform(ALONG[0], ALONG[1] - length)
    spacing = {"smooth": 3.0, "shaky": 2.0, "off centre": 3.0}[kind]
    along = np.linspace(start, start + length, round(length / spacing) + 1)
    thickness = who.case.anatomy.thickness
    wave = np.sin(2 * np.pi * along / rng.uniform(15, 30) + rng.uniform(0, 6.28))
    depth = rng.uniform(0.35, 0.65) * thickness + 0.2 * wave
    if kind == "shaky":
        depth = depth + rng.normal(scale=0.4, size=along.size)
    if kind == "off centre":
        depth = thickness / 2 + rng.choice([-1, 1]) * rng.uniform(0.6, 1.0) + 0.2 * wave
    points = [
        who.place(x, float(np.clip(d / thickness, -0.15, 1.15)))
        for x, d in zip(along, depth, strict=True)
    ]
    return np.array(points), along


def drawn_line(who: Subject, rng: np.random.Generator) -> tuple[NDArray, NDArray, float]:
    """Both ends of a caliper, CSF first, and where it lies along M1 in mm."""
    along = rng.uniform(*ALONG)
    before, behind = rng.uniform(0.5, 1.3), rng.uniform(1.0, 2.2)
    pial, white = (who.place(along, depth) for depth in (0.0, 1.0))
    across = (white - pial) / np.linalg.norm(white - pial)
    beside = np.cross(UP, across)
    tilt = np.tan(np.radians(rng.normal(scale=6)))
    first = pial - before * across - tilt * before * beside
    last = white + behind * across + tilt * behind * beside
    return first, last, along


def errors_of(who: Subject, found: Trace | Caliper, along: NDArray) -> Errors:
    """Compare with the truth between the ends of what was drawn."""
    near = (who.along >= along.min()) & (who.along <= along.max() + 0.1)
    true = float(who.thickness[near].mean())
    warned = any(f.warning for f in found.findings)
    if isinstance(found, Caliper):
        pial, white = found.pial_ras[None], found.white_ras[None]
        thickness, sd = found.thickness, found.thickness_sd
        sds = np.array([found.pial_sd]), np.array([found.white_sd])
    else:
        pial, white = found.pial, found.white
        thickness, sd = found.mean_thickness, found.mean_thickness_sd
        sds = found.pial_sd, found.white_sd
    return Errors(
        thickness - true, sd,
        deeper(pial, who.pial, who.white), deeper(white, who.white, who.pial) * -1,
        *sds, warned,
    )  # fmt: skip


def deeper(points: NDArray, border: NDArray, other: NDArray) -> NDArray:
    """Signed mm from points to a border, positive on the side of the other border."""
    away = distance(points[:, :2], border[:, :2])
    nearest = np.linalg.norm(points[:, None, :2] - border[None, :, :2], axis=2).argmin(axis=1)
    inward = other[nearest] - border[nearest]
    side = np.sign(((points - border[nearest])[:, :2] * inward[:, :2]).sum(axis=1))
    return away * side


def traces(group: str, kind: str, snr: float, curve: str, repeats: int) -> tuple[list[Errors], int]:
    """Errors of traces, and how many failed."""
    errors, failed = [], 0
    for seed in range(repeats):
        rng = np.random.default_rng([7, seed, GROUPS.index(group), MAPS.index(kind), int(snr)])
        who = subject(group, seed % SUBJECTS)
        image = noisy_map(who, kind, snr, rng)
        points, along = drawn_curve(who, curve, rng)
        try:
            found = trace_cortex(image, points, UP, "bright")
        except InputError:
            failed += 1
            continue
        errors.append(errors_of(who, found, along))
    return errors, failed


def calipers(
    group: str, kind: str, snr: float, width: float, repeats: int
) -> tuple[list[Errors], int]:
    """Errors of calipers, and how many failed."""
    errors, failed = [], 0
    for seed in range(repeats):
        rng = np.random.default_rng([9, seed, GROUPS.index(group), MAPS.index(kind), int(snr)])
        who = subject(group, seed % SUBJECTS)
        image = noisy_map(who, kind, snr, rng)
        for _ in range(4):
            first, last, along = drawn_line(who, rng)
            found = measure_caliper(image, first, last, width, "first", UP)
            if not found.found:
                failed += 1
                continue
            errors.append(errors_of(who, found, np.array([along])))
    return errors, failed


SUBJECTS = 6

HEAD = (
    "what", "n", "none", "thickness: bias", "median", "90 %", "in interval", "stated SD",
    "pial: median", "90 %", "white: bias", "median", "90 %", "in interval", "warned",
)  # fmt: skip


def row(name: str, errors: list[Errors], failed: int) -> list[object]:
    if not errors:
        return [name, 0, failed, *[""] * (len(HEAD) - 3)]
    thickness, sd = (np.array([getattr(e, f) for e in errors]) for f in ("thickness", "sd"))
    pial, white, white_sd = (
        np.concatenate([getattr(e, f) for e in errors]) for f in ("pial", "white", "white_sd")
    )
    inside = np.abs(thickness) < 1.96 * sd
    return [
        name, len(errors), failed, f"{np.median(thickness):+.2f}", *_typical(thickness),
        f"{inside.mean():.0%}", f"{np.median(sd):.2f}", *_typical(pial),
        f"{np.median(white):+.2f}", *_typical(white),
        f"{(np.abs(white) < 1.96 * white_sd).mean():.0%}",
        f"{np.mean([e.warned for e in errors]):.0%}",
    ]  # fmt: skip


def _typical(errors: NDArray) -> list[str]:
    return [f"{x:.2f}" for x in np.percentile(np.abs(errors), [50, 90])]


def report(quick: bool, repeats: int | None = None) -> Iterator[str]:
    """The tables."""
    repeats = repeats or (6 if quick else 18)
    yield EXPLANATION
    tried: dict[tuple[str, str, str, str], tuple[list[Errors], int]] = {}
    for group in GROUPS:
        for kind in MAPS:
            for snr in SNRS:
                for curve in CURVES:
                    found = traces(group, kind, snr, curve, repeats)
                    tried["traces", group, kind, f"SNR {snr}, {curve}"] = found
                for width in WIDTHS:
                    found = calipers(group, kind, snr, width, repeats)
                    tried["calipers", group, kind, f"SNR {snr}, {width:g} mm wide"] = found
    yield "Over all of the curves, or widths, and noise:\n\n" + table(HEAD, pooled(tried))
    for tool in ("traces", "calipers"):
        for group in GROUPS:
            rows = [
                row(f"{kind}, {how}", *found)
                for (*of, kind, how), found in tried.items()
                if of == [tool, group]
            ]
            yield Detail(f"### {tool.capitalize()}, {group}s\n\n" + table(HEAD, rows))


def pooled(
    tried: dict[tuple[str, str, str, str], tuple[list[Errors], int]],
) -> Iterator[list[object]]:
    """A row for each tool, group and map."""
    for which in dict.fromkeys(key[:3] for key in tried):
        own = [found for key, found in tried.items() if key[:3] == which]
        errors = [error for some, _ in own for error in some]
        tool, group, kind = which
        yield row(f"{tool}, {group}s, {kind}", errors, sum(failed for _, failed in own))


EXPLANATION = f"""## Traces and calipers

Synthetic motor cortices of 0.25 mm in plane, six subjects of each group, with noise of their own
in every repeat. Patients have 0.4 mm less cortex and a band of iron that adds 8 to 18 1/s at a
depth of 0.62 to 0.76, 0.12 to 0.19 wide (SD), all drawn at random. `T2star` is the T2* map,
`magnitude` a T2*-weighted image at an echo time of {ECHO_MS:g} ms. SNR is that of gray matter.

Traces are 15 to 30 mm long. *Smooth* curves keep near the middle of the cortex, *shaky* ones have
points 2 mm apart, off by 0.4 mm (SD), and *off centre* ones run 0.6 to 1.0 mm beside the middle.
Calipers are drawn across at random with an error of 6 degrees (SD).

Errors in mm, found less true, against the true thickness in 3D and the true borders. *None* counts
those without a result. *In interval* is the share of truths within the stated 95 % interval: of
thickness once for each trace, of the border at every column."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="fewer, for a look")
    parser.add_argument("--repeats", type=int)
    options = parser.parse_args()
    for text in report(options.quick, options.repeats):
        print(text, end="\n\n", flush=True)


if __name__ == "__main__":
    main()
