"""A measurement whose every number is known: what the tests of the report show."""

from __future__ import annotations

import numpy as np

from ALSMotorCortexLib.cortex.grid import Grid, Image
from ALSMotorCortexLib.cortex.result import RIBBON, Measure, Measurement, ProfileBin
from ALSMotorCortexLib.cortex.settings import Settings

INNER, OUTER = 4.0, 6.5
"""Radius in mm of the white-matter and the pial border."""


def cylinder(
    shape=(8, 40, 44), spacing=(0.6, 0.4, 0.4), maps=("T2star",), settings=None, regions=()
) -> tuple[Measurement, Image, dict[str, Image]]:
    """A cylinder shell along k whose thickness, depth and normals are known exactly."""
    grid = Grid.from_spacing(shape, spacing)
    _, j, i = np.indices(shape)
    y, x = (j - (shape[1] - 1) / 2) * spacing[1], (i - (shape[2] - 1) / 2) * spacing[2]
    r = np.hypot(x, y)
    labels = np.where(r < INNER, 2, np.where(r < OUTER, 3, 1)).astype(np.uint8)
    voxels = np.flatnonzero(labels == 3)
    rv, yv, xv = (a.reshape(-1)[voxels] for a in (r, y, x))
    depth = ((OUTER - rv) / (OUTER - INNER)).astype(np.float32)
    n = len(voxels)
    values = {name: (100 * (q + 1) - 40 * depth).astype(np.float32) for q, name in enumerate(maps)}
    settings = settings or Settings(gm=(3,), wm=(2,), csf=(1,), bins=4, bootstrap=10)
    inside = {RIBBON: np.ones(n, bool)}
    inside |= {name: xv * (-1) ** q > 0 for q, name in enumerate(regions)}
    measures = [
        Measure(region, "", name, value + 0.001 * q, "mm")
        for q, region in enumerate(inside)
        for name, value in {"thickness_mean": 2.5, "thickness_median": 2.4321}.items()
    ]
    measures += [
        Measure(region, name, "deep_hypointensity", 0.1234 + q, "1")
        for q, region in enumerate(inside)
        for name in maps
    ]
    profiles = [
        ProfileBin(region, name, b + 1, b / 4, (b + 1) / 4, 10 + b, 90.25 + b, 91.0, 3.0, 88.0,
                   93.0, 89.5 + b, 91.5 + b)
        for region in inside for name in maps for b in range(4)
    ]  # fmt: skip
    measurement = Measurement(
        grid=grid, settings=settings, voxels=voxels,
        thickness=np.full(n, OUTER - INNER, np.float32),
        depth_equidistant=depth, depth_equivolume=depth,
        layers=np.clip(np.ceil(depth * settings.layers), 1, settings.layers).astype(np.uint8),
        columns=np.zeros(n, np.int32),
        normals=np.stack([0 * rv, -yv / rv, -xv / rv], axis=1).astype(np.float32),
        near_cut=np.zeros(n, bool), values=values, units=dict.fromkeys(maps, "ms"),
        regions=inside, measures=tuple(measures), profiles=tuple(profiles), findings=(),
        seconds={"ribbon": 0.25},
    )  # fmt: skip
    images = {name: Image((r * 10).astype(np.float32), grid, name) for name in maps}
    return measurement, Image(labels, grid, "labels"), images
