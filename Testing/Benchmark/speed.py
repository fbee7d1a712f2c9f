"""How long the measurement takes, beside other software on the same input."""

from __future__ import annotations

import gc
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import processes
from accuracy import size_of
from core import measure_core
from peers import LayNii, has_pyezzi, pyezzi_thickness
from tables import Detail, table

from ALSMotorCortexLib.cortex.folded_sheet import FoldedSheet
from ALSMotorCortexLib.cortex.grid import Image
from ALSMotorCortexLib.cortex.phantoms import place
from ALSMotorCortexLib.cortex.shapes import GM, Cylinder, Shape, Slab, Sphere

PHANTOMS: dict[str, tuple[Shape, tuple[float, float, float]]] = {
    "sphere 3 to 6 mm": (Sphere(3, 6, True), (0.25, 0.25, 0.25)),
    "cylinder 5 to 8 mm": (Cylinder(5, 8, True, 4.0), (0.25, 0.25, 0.25)),
    "folded sheet": (FoldedSheet(), (0.25, 0.25, 0.25)),
    "oblique slab": (Slab(), (0.32, 0.2, 0.2)),
    "cylinder 3 to 6 mm": (Cylinder(3, 6, False, 4.0), (0.32, 0.2, 0.2)),
}
"""Each of 40,000 to 70,000 gray-matter voxels, on (k, j, i) spacings in mm."""

EXPLANATION = """## Speed

Phantoms of 40,000 to 70,000 gray-matter voxels, tissue labels, all in memory. Ours: thickness and
both depths, from the label map. pyEzzi: thickness alone, with its default tolerances and threads.
Both run in turns; given are medians over the turns, and for the ratio the median of each turn's
ratio (below 1: ours is faster). *Processor* is the time of all threads together, which other
load on the machine disturbs less than wall time."""


def report_phantoms(quick: bool) -> Iterator[str]:
    """Tables of wall and processor time on phantoms."""
    yield EXPLANATION
    rows, steps = [], []
    for number, (name, (shape, spacing)) in enumerate(PHANTOMS.items()):
        labels = place(shape, spacing, np.random.default_rng([1, number])).tissue_labels()
        title = f"{name}, {size_of(spacing)} mm"
        ours, theirs, seconds = _in_turns(labels, 3 if quick else 9)
        rows.append([title, f"{(labels.array == GM).sum():,}", *_compared(ours, theirs)])
        steps.append([title, *(f"{statistics.median(s):.3f}" for s in zip(*seconds, strict=True))])
    head = ["phantom", "gray-matter voxels", "ours, wall (s)", "pyEzzi", "ratio"]
    yield table([*head, "ours, processor (s)", "pyEzzi", "ratio"], rows)
    names = ["phantom", "ribbon", "borders", "potential", "field lines", "depths"]
    yield Detail("Where the wall time goes, in seconds:\n\n" + table(names, steps))


Times = list[tuple[float, float]]
"""Wall and processor seconds of each turn."""


def _in_turns(labels: Image, turns: int) -> tuple[Times, Times, list[list[float]]]:
    """Times of ours, times of pyEzzi (empty where absent), and each turn's steps."""
    ours: Times = []
    theirs: Times = []
    steps: list[list[float]] = []

    def measure_ours() -> None:
        steps.append(list(measure_core(labels, "tissue").seconds.values()))

    for _ in range(turns + 1):
        if has_pyezzi():
            theirs.append(_timed(lambda: pyezzi_thickness(labels)))
        ours.append(_timed(measure_ours))
    # The first turn only warms up.
    return ours[1:], theirs[1:], steps[1:]


def _timed(action: Callable[[], object]) -> tuple[float, float]:
    gc.collect()
    start, cores = time.perf_counter(), time.process_time()
    action()
    return time.perf_counter() - start, time.process_time() - cores


def _compared(ours: Times, theirs: Times) -> list[str]:
    cells = []
    for kind in (0, 1):
        cells.append(f"{statistics.median(t[kind] for t in ours):.3f}")
        if theirs:
            ratios = [a[kind] / b[kind] for a, b in zip(ours, theirs, strict=True)]
            cells.append(f"{statistics.median(t[kind] for t in theirs):.3f}")
            cells.append(f"{statistics.median(ratios):.2f}")
        else:
            cells += ["not installed", ""]
    return cells


def report_hand_knob(quick: bool, shared: Path, laynii: LayNii | None) -> Iterator[str]:
    """A table of what the real 7 T ribbon takes, to memory and to files."""
    yield "## Real data: hand_knob_7t"
    folder = shared / "hand_knob_7t"
    rim, image = folder / "rim.nii.gz", folder / "T1w_epi.nii.gz"
    if not rim.exists():
        yield f"Left out: {rim} is not on this machine (`--shared` names its folder)."
        return
    if not processes.available():
        yield "Left out: this system does not tell what a process took."
        return
    here = str(Path(__file__).with_name("core.py"))
    with tempfile.TemporaryDirectory() as scratch:
        out = Path(scratch, "results")
        analyze = [sys.executable, "-m", "ALSMotorCortexLib", "analyze", "--labels", str(rim)]
        analyze += ["--gm", "3", "--wm", "2", "--csf", "1", "--label-style", "rim", "--quiet"]
        analyze += ["--out", str(out), "--map", f"T1w={image}"]
        images = [*analyze, "--no-report", "--no-scene"]
        commands = {
            "thickness and depths, to memory": [sys.executable, here, str(rim), "rim"],
            "`analyze` with one map, images and tables only": images,
            "`analyze` with one map, everything": analyze,
        }
        if laynii:
            name = "LN2_LAYERS, layers, both depths and thickness to files"
            commands[name] = laynii.command(rim, Path(scratch, "laynii.nii.gz"))
        runs: dict[str, list[processes.Run]] = {name: [] for name in commands}
        for _ in range(1 if quick else 3):
            for name, command in commands.items():
                runs[name].append(processes.run(command))
    in_memory = sorted(runs["thickness and depths, to memory"], key=lambda run: run.seconds)
    core = json.loads(in_memory[len(in_memory) // 2].output)
    low, high = core["range"]
    yield (
        f"{core['voxels']:,} gray-matter voxels, rim labels. Our median thickness is "
        f"{core['median']:.2f} mm, 5th to 95th percentile {low:.2f} to {high:.2f} mm; "
        f"{100 * core['lost']:.2f} % of the voxels get none. Whole processes with start and "
        "reading; medians over runs in turns, and the highest peak memory."
    )
    rows = [
        (
            name,
            f"{statistics.median(run.seconds for run in some):.1f}",
            f"{statistics.median(run.cores for run in some):.1f}",
            f"{max(run.peak_mib for run in some):,.0f}",
        )
        for name, some in runs.items()
    ]
    yield table(["what", "wall (s)", "processor (s)", "peak memory (MiB)"], rows)
    steps = ", ".join(f"{name} {seconds:.2f} s" for name, seconds in core["seconds"].items())
    yield Detail(f"Wall time by step of the first, in its median run: {steps}.")
