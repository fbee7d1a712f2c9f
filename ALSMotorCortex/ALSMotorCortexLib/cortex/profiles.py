"""Layers, columns and laminar profiles."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from .result import ProfileBin
from .settings import Settings


def depth_bins(depth: NDArray[np.float32], bins: int) -> NDArray[np.int32]:
    """The bin, 1 (pial) to ``bins`` (white matter), of each depth; 0 where depth is NaN.

    Args:
        depth: (n,) 0 to 1.
        bins: number of equal bins.
    """
    known = np.isfinite(depth)
    number = np.minimum((np.where(known, depth, 0) * bins).astype(np.int32), bins - 1) + 1
    return np.where(known, np.maximum(number, 1), 0).astype(np.int32)


def find_columns(middles: NDArray[np.float32], width: float) -> NDArray[np.int32]:
    """Group voxels into cortical columns by where their field line crosses mid-cortex.

    The mid-cortical surface is cut into patches by cubes of ``width``, so a column is about
    that wide and spans the whole thickness.

    Args:
        middles: (n, 3) mm, the middle of each voxel's field line; NaN where it has none.
        width: mm.

    Returns:
        (n,) int32 column numbers from 0 on, -1 where there is no field line.
    """
    columns = np.full(len(middles), -1, np.int32)
    known = np.isfinite(middles[:, 0]) & np.isfinite(middles[:, 1]) & np.isfinite(middles[:, 2])
    if known.any():
        key = np.zeros(np.count_nonzero(known), np.int64)
        for axis in range(3):
            cell = np.floor(middles[known, axis] / width).astype(np.int64)
            cell -= cell.min()
            key = key * (cell.max() + 1) + cell
        # Sorting without the inverse, and looking up, takes half as long as both in one.
        columns[known] = np.searchsorted(np.unique(key), key)
    return columns


def laminar_profiles(
    depth: NDArray[np.float32],
    columns: NDArray[np.int32],
    values: Mapping[str, NDArray[np.float32]],
    regions: Mapping[str, NDArray[np.bool_]],
    settings: Settings,
) -> list[ProfileBin]:
    """Laminar profiles of every map in every region.

    The confidence interval is a percentile bootstrap of the bin's mean in which whole columns
    are drawn (Efron and Tibshirani 1993, ch. 13): neighbouring voxels of a column share noise
    and biology, so they are not independent. Neighbouring columns are taken as independent.

    Args:
        depth: (n,) 0 to 1.
        columns: (n,) from :func:`find_columns`.
        values: maps, (n,) each, NaN where unknown.
        regions: (n,) bool each.
        settings: ``bins``, ``bootstrap``, ``confidence``, ``seed``.
    """
    bins = depth_bins(depth, settings.bins)
    rows = []
    for region, inside in regions.items():
        for name, value in values.items():
            used = np.flatnonzero(inside & (bins > 0) & np.isfinite(value))
            rows += _profile(region, name, bins[used], columns[used], value[used], settings)
    return rows


def _profile(
    region: str,
    name: str,
    bins: NDArray[np.int32],
    columns: NDArray[np.int32],
    value: NDArray[np.float32],
    settings: Settings,
) -> list[ProfileBin]:
    count = settings.bins
    low, high = _bootstrap(bins, columns, value, settings)
    # Two-byte integers are sorted in linear time.
    order = np.argsort(bins.astype(np.uint16), kind="stable")
    edges = np.concatenate([[0], np.cumsum(np.bincount(bins, minlength=count + 1)[1:])])
    rows = []
    for b in range(count):
        part = value[order[edges[b] : edges[b + 1]]].astype(np.float64)
        n = len(part)
        q25, median, q75 = np.quantile(part, [0.25, 0.5, 0.75]) if n else (np.nan,) * 3
        rows.append(
            ProfileBin(
                region=region,
                map=name,
                bin=b + 1,
                depth_from=b / count,
                depth_to=(b + 1) / count,
                n=n,
                mean=float(part.mean()) if n else np.nan,
                median=float(median),
                sd=float(part.std(ddof=1)) if n > 1 else np.nan,
                q25=float(q25),
                q75=float(q75),
                ci_low=float(low[b]),
                ci_high=float(high[b]),
            )
        )
    return rows


def _bootstrap(
    bins: NDArray[np.int32],
    columns: NDArray[np.int32],
    value: NDArray[np.float32],
    settings: Settings,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Bounds of each bin's mean over resampled columns; NaN with under two columns."""
    nothing = np.full(settings.bins, np.nan)
    there = np.bincount(columns) > 0
    own = int(np.count_nonzero(there))
    if own < 2 or settings.bootstrap < 1:
        return nothing, nothing
    cell = (np.cumsum(there) - 1)[columns] * settings.bins + bins - 1
    size = own * settings.bins
    counts = np.bincount(cell, minlength=size).reshape(-1, settings.bins)
    sums = np.bincount(cell, weights=value, minlength=size).reshape(-1, settings.bins)
    rng = np.random.default_rng(settings.seed)
    # How often each column is drawn, one row a resampling. Values are taken from their mean, so
    # that single precision is enough for the sums.
    middle = sums.sum() / max(counts.sum(), 1)
    sums = (sums - middle * counts).astype(np.float32)
    counts = counts.astype(np.float32)
    picks = rng.integers(own, size=(settings.bootstrap, own), dtype=np.int32)
    drawn = np.empty(picks.shape, np.float32)
    for row, picked in zip(drawn, picks, strict=True):
        row[:] = np.bincount(picked, minlength=own)
    with np.errstate(invalid="ignore", divide="ignore"):
        means = middle + (drawn @ sums) / (drawn @ counts)
    tail = (1 - settings.confidence) / 2
    filled = counts.sum(axis=0) > 0
    low, high = nothing.copy(), nothing.copy()
    if filled.any():
        low[filled], high[filled] = np.nanquantile(means[:, filled], [tail, 1 - tail], axis=0)
    return low, high
