"""What a perfect measurement of a simulated scan would say."""

from __future__ import annotations

import numpy as np

from .grid import Image
from .indices import Voxels, geometry_measures, layer_map, map_measures
from .iron import BRIGHT, DARK
from .result import RIBBON, Measure
from .shapes import GM
from .simulation import Simulation

UNITS = {"T2star": "ms", "R2star": "1/s", "susceptibility": "ppb"}
"""Of the true maps."""


def true_measures(simulation: Simulation, layers: int = 3) -> tuple[Measure, ...]:
    """The measures of :func:`.measure.measure`, from the truth of every voxel of M1.

    They are means over the same voxels, those whose centre lies in M1. T2* and R2* hold neither
    noise nor partial volume; the susceptibility is a mean over each voxel.

    Args:
        simulation: the scan.
        layers: number of equivolume layers.
    """
    truth, m1 = simulation.truth, simulation.labels.array == GM
    thickness, equidistant, equivolume = (
        array[m1].astype(np.float32)
        for array in (truth.thickness, truth.depth_equidistant, truth.depth_equivolume)
    )
    voxels = Voxels(
        thickness,
        equidistant,
        layer_map(equivolume, layers),
        simulation.grid.voxel_volume,
        layers,
    )
    regions = {RIBBON: np.ones(len(thickness), bool)}
    regions |= {name: image.array[m1] > 0 for name, image in simulation.regions.items()}
    values = {name: image.array[m1] for name, image in true_maps(simulation).items()}
    rows = geometry_measures(voxels, regions)
    iron = {name: DARK if name == "T2star" else BRIGHT for name in values}
    rows += map_measures(voxels, regions, values, UNITS, [], {}, iron)
    return tuple(row for row in rows if np.isfinite(row.value))


def true_maps(simulation: Simulation) -> dict[str, Image]:
    """T2*, R2* and susceptibility of every voxel, float32."""
    truth = simulation.truth
    arrays = {
        "T2star": truth.t2star,
        "R2star": truth.r2star,
        "susceptibility": truth.susceptibility,
    }
    return {
        name: Image(np.asarray(array, np.float32), simulation.grid, name)
        for name, array in arrays.items()
    }
