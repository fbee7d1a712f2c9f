"""Laminar profiles of both groups."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .group_data import FEWEST, GroupData
from .measures import Profiles
from .statistics.descriptive import mean_interval
from .statistics.interval import Estimate
from .statistics.permutation import largest_t


@dataclass(frozen=True)
class GroupProfile:
    """One region and map.

    Attributes:
        region, map, unit: which.
        edges: (bins + 1,) depth, 0 pial to 1 white matter.
        n: (patients, controls) with this profile.
        patients, controls: per bin the mean over participants with its t interval.
        counts: per bin, (patients, controls) with a value there.
        p: per bin, corrected over all bins; NaN where the groups are not compared.
    """

    region: str
    map: str
    unit: str
    edges: NDArray[np.float64]
    n: tuple[int, int]
    patients: tuple[Estimate, ...]
    controls: tuple[Estimate, ...]
    counts: tuple[tuple[int, int], ...]
    p: NDArray[np.float64]


def group_profiles(data: GroupData, profiles: Profiles, seed: int) -> list[GroupProfile]:
    """Means and bands of all profiles that someone in the groups has."""
    data.omissions.extend(profiles.omissions)
    rows = []
    for (region, name), curves in profiles.curves.items():
        own = [i for i, label in enumerate(data.ids) if label in curves]
        if not own:
            continue
        stack = np.array([curves[data.ids[i]] for i in own])
        patient = data.patient[own]
        item = f"{name} in {region}"
        if len(own) < len(data.ids):
            data.omit("profile", item, len(data.ids) - len(own), "No profile of it.")
        rows.append(
            GroupProfile(
                region=region,
                map=name,
                unit=_unit(data, region, name),
                edges=profiles.edges[region, name],
                n=(int(patient.sum()), int((~patient).sum())),
                patients=_means(stack[patient]),
                controls=_means(stack[~patient]),
                counts=tuple(
                    (int(a), int(b))
                    for a, b in zip(
                        np.isfinite(stack[patient]).sum(0),
                        np.isfinite(stack[~patient]).sum(0),
                        strict=True,
                    )
                ),
                p=_compared(data, stack, patient, item, seed),
            )
        )
    return rows


def _unit(data: GroupData, region: str, name: str) -> str:
    """The map's unit, told by its mean."""
    return next((u for k, u in data.units.items() if k == (region, name, "mean")), "")


def _means(stack: NDArray[np.float64]) -> tuple[Estimate, ...]:
    return tuple(mean_interval(column[np.isfinite(column)]) for column in stack.T)


def _compared(
    data: GroupData,
    stack: NDArray[np.float64],
    patient: NDArray[np.bool_],
    item: str,
    seed: int,
) -> NDArray[np.float64]:
    """(bins,) p over those who have every bin that anyone has."""
    p = np.full(stack.shape[1], np.nan)
    if not all(data.names):
        return p
    bins = np.isfinite(stack).any(0)
    whole = np.isfinite(stack[:, bins]).all(1)
    if min(int((whole & patient).sum()), int((whole & ~patient).sum())) < FEWEST:
        reason = f"Fewer than {FEWEST} in a group have all depths; depths are not compared."
        data.omit("profile", item, int(whole.sum()), reason)
        return p
    if not whole.all():
        reason = "Some depths are missing; left out of the comparison of depths."
        data.omit("profile", item, int((~whole).sum()), reason)
    p[bins] = largest_t(stack[whole][:, bins], patient[whole], seed)
    return p
