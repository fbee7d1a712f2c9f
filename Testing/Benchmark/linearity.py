"""Whether cost grows in proportion to the ribbon.

    python linearity.py MILLIONS

measures one ribbon of that many million gray-matter voxels and prints what it took.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import processes
from core import took
from tables import Detail, table

from ALSMotorCortexLib.cortex.grid import Grid, Image
from ALSMotorCortexLib.cortex.shapes import CSF, GM, UNLABELLED, WM

MILLIONS = (0.03, 0.1, 0.3, 1.0, 3.0, 10.0)

INNER, OUTER, ROOM = 20.0, 32.0, 4
"""Radii of the tube and tissue around it, in voxels: 12 voxels thick."""

SWAY = 3.0
"""How far the tube's middle sways to each side along it, in voxels, so that no two slices are
alike. One sway is 100 slices long."""

EXPLANATION = """## Growth with size

A swaying tube of gray matter, 12 voxels thick (0.25 mm isotropic), ever longer; one process for
each size. Memory is what the measurement added to the process, its label map not counted."""


def tube(millions: float) -> Image:
    """Labels of a tube that holds about that many million gray-matter voxels."""
    area = np.pi * (OUTER**2 - INNER**2)
    half = int(OUTER + SWAY + ROOM)
    y, x = np.ogrid[-half : half + 1, -half : half + 1]
    slices = round(1e6 * millions / area)
    labels = np.full((slices + 4, *np.broadcast(y, x).shape), UNLABELLED, np.uint8)
    for k in range(slices):
        turn = 2 * np.pi * k / 100
        radius = np.hypot(y - SWAY * np.sin(turn), x - SWAY * np.sin(1.7 * turn))
        labels[k + 2] = np.where(radius < INNER, WM, np.where(radius > OUTER, CSF, GM))
    return Image(labels, Grid.from_spacing(labels.shape, (0.25, 0.25, 0.25)))


def report(quick: bool) -> Iterator[str]:
    """The table and the fitted exponents."""
    yield EXPLANATION
    if not processes.available():
        yield "Left out: this system does not tell what a process took."
        return
    sizes = [m for m in MILLIONS if m <= 1] if quick else MILLIONS
    records = []
    for millions in sizes:
        run = processes.run([sys.executable, str(Path(__file__).resolve()), str(millions)])
        records.append(json.loads(run.output))
    head = ("gray-matter voxels", "wall (s)", "processor (s)", "per million", "memory (MiB)")
    yield table([*head, "per million"], [_row(record) for record in records])
    steps = table(
        ["gray-matter voxels", *records[0]["seconds"]], [_steps_row(record) for record in records]
    )
    yield Detail("Wall seconds per million voxels, by step:\n\n" + steps)
    large = [r for r in records if r["voxels"] >= 90_000]
    counts = np.log([r["voxels"] for r in large])
    wall, cores, memory = (
        np.polyfit(counts, np.log(values), 1)[0]
        for values in (
            [sum(r["seconds"].values()) for r in large],
            [r["cores"] for r in large],
            [r["added"] for r in large],
        )
    )
    yield (
        f"From 100,000 voxels on, cost grows as voxels to the power of {wall:.2f} (wall time), "
        f"{cores:.2f} (processor time) and {memory:.2f} (memory); 1 is linear."
    )


def _row(record: dict) -> list[str]:
    millions = record["voxels"] / 1e6
    return [
        f"{record['voxels']:,}",
        f"{sum(record['seconds'].values()):.2f}",
        f"{record['cores']:.2f}",
        f"{record['cores'] / millions:.1f}",
        f"{record['added']:,.0f}",
        f"{record['added'] / millions:,.0f}",
    ]


def _steps_row(record: dict) -> list[str]:
    millions = record["voxels"] / 1e6
    return [f"{record['voxels']:,}", *(f"{s / millions:.2f}" for s in record["seconds"].values())]


if __name__ == "__main__":
    found = took(tube(float(sys.argv[1])), "tissue")
    found["added"] = found["peak_mib"] - found["before_mib"]
    print(json.dumps(found))
