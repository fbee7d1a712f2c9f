"""The measurement without maps and files: from a label map to thickness and both depths.

    python core.py LABELS.nii.gz tissue|rim

measures a file with labels 1 CSF, 2 white matter, 3 gray matter and prints what it took.
"""

from __future__ import annotations

import json
import sys
import time
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ALSMotorCortexLib.cortex.depth import equidistant_depth, equivolume_depth
from ALSMotorCortexLib.cortex.grid import Grid, Image
from ALSMotorCortexLib.cortex.laplace import make_domain, solve_potential
from ALSMotorCortexLib.cortex.ribbon import make_ribbon
from ALSMotorCortexLib.cortex.settings import Settings
from ALSMotorCortexLib.cortex.streamlines import follow_streamlines


@dataclass(frozen=True)
class Core:
    """What the core measured.

    Attributes:
        voxels: (n,) flat indices into the label grid.
        thickness: (n,) mm.
        depth_equidistant, depth_equivolume: (n,).
        seconds: wall time of each step.
    """

    voxels: NDArray[np.int64]
    thickness: NDArray[np.float32]
    depth_equidistant: NDArray[np.float32]
    depth_equivolume: NDArray[np.float32]
    seconds: dict[str, float]


def measure_core(labels: Image, style: str) -> Core:
    """The steps of :func:`measure` up to the depths, in its order.

    Args:
        labels: 1 CSF, 2 white matter, 3 gray matter.
        style: ``tissue`` or ``rim``.
    """
    marks = [time.perf_counter()]
    ribbon = make_ribbon(labels, Settings(gm=(3,), wm=(2,), csf=(1,), label_style=style))
    marks.append(time.perf_counter())
    domain = make_domain(ribbon)
    marks.append(time.perf_counter())
    potential = solve_potential(domain)
    marks.append(time.perf_counter())
    lines = follow_streamlines(domain, potential)
    marks.append(time.perf_counter())
    equidistant = equidistant_depth(lines)
    equivolume = equivolume_depth(domain, lines)
    voxels = ribbon.grid_indices(domain.box_voxels()[domain.labelled])
    marks.append(time.perf_counter())
    names = ("ribbon", "borders", "potential", "field lines", "depths")
    return Core(
        voxels,
        lines.thickness,
        equidistant,
        equivolume,
        dict(zip(names, np.diff(marks).tolist(), strict=True)),
    )


def took(labels: Image, style: str) -> dict[str, Any]:
    """Seconds and memory of one call in a process that has done nothing else."""
    before, cores = peak_mib(), time.process_time()
    core = measure_core(labels, style)
    return {
        "voxels": len(core.voxels),
        "seconds": core.seconds,
        "cores": time.process_time() - cores,
        "before_mib": before,
        "peak_mib": peak_mib(),
        "median": float(np.nanmedian(core.thickness)),
        "range": np.nanpercentile(core.thickness, [5, 95]).tolist(),
        "lost": float(np.isnan(core.thickness).mean()),
    }


def peak_mib() -> float:
    """The most memory this process has held, in MiB."""
    import resource  # not on Windows, where these parts of the benchmark are left out

    used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return used / (1 << 20 if sys.platform == "darwin" else 1 << 10)


def read(path: str) -> Image:
    """A label file with axes along the grid; only its spacing matters here."""
    import SimpleITK as sitk

    image = sitk.ReadImage(path)
    array = sitk.GetArrayFromImage(image)
    return Image(array, Grid.from_spacing(array.shape, image.GetSpacing()[::-1]))


if __name__ == "__main__":
    print(json.dumps(took(read(sys.argv[1]), sys.argv[2])))
