"""Tissue next to the ribbon: what map values are compared with."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from .errors import InputError
from .grid import Image
from .resample import map_values
from .ribbon import GRAY, PIAL, WHITE, Ribbon
from .settings import Settings

NEAREST_VOXELS = 1
FARTHEST_MM = 2.0
"""Adjacent tissue lies more than a voxel (partial volume) and up to 2 mm from the ribbon."""

TISSUES = {"white_matter": WHITE, "csf": PIAL}

NEEDED = 20
"""Voxels below which a tissue's median is not given."""


def adjacent_voxels(
    ribbon: Ribbon, labels: Image, settings: Settings
) -> dict[str, NDArray[np.int64]]:
    """Flat indices into the label grid of the white matter and CSF beside the ribbon.

    Distances are measured along each axis. The opposite bank of a sulcus is no CSF.
    """
    gray = (ribbon.tissue == GRAY).astype(np.uint8)
    touching = [2 * NEAREST_VOXELS + 1 if a in ribbon.axes else 1 for a in range(3)]
    reach = [
        2 * max(NEAREST_VOXELS + 1, round(FARTHEST_MM / s)) + 1 if a in ribbon.axes else 1
        for a, s in enumerate(ribbon.grid.spacing)
    ]
    beside = ndimage.maximum_filter(gray, reach) > ndimage.maximum_filter(gray, touching)
    found = {}
    for name, code in TISSUES.items():
        voxels = np.flatnonzero(beside & (ribbon.tissue == code))
        places = ribbon.grid_indices(voxels)
        if ribbon.line is not None:
            places = places[~ribbon.line.reshape(-1)[voxels]]
        elif settings.other_bank:
            bank = np.isin(labels.array.reshape(-1)[places], settings.other_bank)
            places = places[~bank]
        if len(places) >= NEEDED:
            found[name] = places
    return found


def adjacent_medians(
    ribbon: Ribbon, labels: Image, settings: Settings, maps: Mapping[str, Image]
) -> dict[str, dict[str, float]]:
    """For each map the median over adjacent ``white_matter`` and ``csf``, where it has any."""
    medians: dict[str, dict[str, float]] = {name: {} for name in maps}
    if not maps:
        return medians
    for tissue, voxels in adjacent_voxels(ribbon, labels, settings).items():
        for name, image in maps.items():
            try:
                values = map_values(image, ribbon.grid, voxels)
            except InputError:
                continue
            values = values[np.isfinite(values)]
            if len(values) >= NEEDED:
                medians[name][tissue] = float(np.median(values))
    return medians
