"""How long a drag of the caliper and a change of the trace take, and how near they come.

Prints tables; asserts nothing. Run from the repository:

    python3 Testing/Benchmark/interactive.py [--repeats 20]
"""

from __future__ import annotations

import argparse
import platform
import sys
from collections.abc import Callable
from pathlib import Path
from time import perf_counter, process_time

import numpy as np

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "ALSMotorCortex"), str(ROOT / "Testing" / "Python")]

from ALSMotorCortexLib.cortex.caliper import measure_caliper  # noqa: E402
from ALSMotorCortexLib.cortex.grid import Grid, Image  # noqa: E402
from ALSMotorCortexLib.cortex.trace import Pin, trace_cortex  # noqa: E402
from ALSMotorCortexLib.cortex.traced_ribbon import ribbon_labels  # noqa: E402
from drawn_cortex import CONTRASTS, T2STAR_ALS, Ring  # noqa: E402

UP = np.array([0, 0, 1.0])
SLICE = 20


def volume(ring: Ring) -> Image:
    """512 x 512 x 40 voxels of 0.25 x 0.25 x 1 mm with the ring on every slice."""
    drawn = ring.image(0.25, T2STAR_ALS, noise=5, size=128)
    shape = (40, 512, 512)
    array = np.broadcast_to(drawn.array.astype(np.float32), shape).copy()
    array += np.random.default_rng(1).normal(0, 2, shape).astype(np.float32)
    return Image(array, Grid.from_spacing(shape, (1.0, 0.25, 0.25)))


def timed(name: str, work: Callable[[int], object], repeats: int) -> None:
    """One row: median and 95th percentile of the wall time, mean processor time."""
    work(0)
    wall, processor = [], process_time()
    for number in range(repeats):
        start = perf_counter()
        work(number)
        wall.append(perf_counter() - start)
    processor = (process_time() - processor) / repeats
    median, high = np.percentile(wall, [50, 95]) * 1e3
    print(f"{name:44s} {median:8.1f} {high:8.1f} {processor * 1e3:8.1f}")


def speed(repeats: int) -> None:
    ring = Ring(radius=12.0, centre=(64.1, 63.9))
    image = volume(ring)
    points = ring.curve(angles=(0.2, 5.85)) + [0, 0, SLICE]
    first, last = ring.point(1.0, -2.0, SLICE), ring.point(1.0, 5.0, SLICE)
    trace = trace_cortex(image, points, UP)
    column = len(trace.positions) // 2

    def nudge(number: int) -> np.ndarray:
        return np.array([0.05 * (number % 7), 0.03 * (number % 5), 0])

    def drag_pin(number: int) -> object:
        place = trace.white[column] + nudge(number)
        return trace_cortex(image, points, UP, pins=[Pin("white", tuple(place))])

    def move_point(number: int) -> object:
        moved = points.copy()
        moved[5] += nudge(number)
        return trace_cortex(image, moved, UP)

    print(f"512 x 512 x 40 voxels, trace of {trace.positions[-1]:.0f} mm, {repeats} repeats")
    print(f"{'ms':44s} {'median':>8s} {'95 %':>8s} {'cpu':>8s}")
    timed(
        "caliper, one drag (goal 50)",
        lambda n: measure_caliper(image, first + nudge(n), last),
        repeats,
    )
    timed(
        "caliper between slices, one drag (goal 50)",
        lambda n: measure_caliper(image, first + nudge(n) + [0, 0, 0.4], last + [0, 0, 0.4]),
        repeats,
    )
    timed("trace, a point moved (goal 100)", move_point, repeats)
    timed("trace, a border dragged (goal 100)", drag_pin, repeats)
    timed("ribbon labels of the trace", lambda n: ribbon_labels([trace], image.grid), repeats)


def accuracy() -> None:
    """Thickness of a 3.3 mm cortex at SNR 20: calipers all around, and one trace."""
    print()
    print("thickness of a 3.3 mm cortex at SNR 20, error in mm")
    print(
        f"{'voxel':>5s} {'contrast':>8s}  {'caliper bias':>12s} {'SD':>6s} {'stated':>6s}"
        f" {'wrong':>6s}  {'trace bias':>10s} {'SD':>6s}"
    )
    ring = Ring(thickness=3.3)
    for voxel in (0.2, 0.25, 0.4, 0.5):
        for contrast, levels in CONTRASTS.items():
            image = ring.image(voxel, levels, noise=levels[1] / 20)
            side = "dark" if contrast == "t1w" else "bright"
            found = [
                measure_caliper(
                    image, ring.point(a, -1.7), ring.point(a, 5.1), pial_end=side, width_mm=1.5
                )
                for a in np.linspace(0, 2 * np.pi, 48, endpoint=False)
            ]
            error = np.array([c.thickness for c in found]) - ring.thickness
            wrong = ~(np.abs(error) < 0.5)
            right, stated = error[~wrong], np.array([c.thickness_sd for c in found])[~wrong]
            trace = trace_cortex(image, ring.curve(), UP, side).thickness - ring.thickness
            print(
                f"{voxel:5.2f} {contrast:>8s}  {right.mean():12.3f} {right.std():6.3f}"
                f" {np.sqrt((stated**2).mean()):6.3f} {wrong.mean():6.0%}"
                f"  {trace.mean():10.3f} {trace.std():6.3f}"
            )
    print("wrong: no border found, or off by over 0.5 mm; left out of bias and SD.")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=20)
    arguments = parser.parse_args()
    print(f"{platform.processor() or platform.machine()}, Python {platform.python_version()}")
    speed(arguments.repeats)
    accuracy()


if __name__ == "__main__":
    main()
