"""Table nodes and plots of a measurement's numbers."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import slicer
import vtk
from numpy.typing import NDArray
from vtk.util.numpy_support import numpy_to_vtk

from ..cortex.result import Measurement, ProfileBin
from .colors import series_color

DEPTH_TITLE = "Cortical depth (0 pial surface, 1 white matter)"

# Codes of the Unified Code for Units of Measure for the units a measure can have.
_UCUM = {"mm": "mm", "mm2": "mm2", "mm3": "mm3", "1": "1", "1/mm": "/mm"}

# Parts of measures' names that read badly as they are.
_WORDS = {
    "sd": "SD",
    "csf": "CSF",
    "p05": "5th percentile",
    "p95": "95th percentile",
    "ci": "interval",
    "q25": "25th percentile",
    "q75": "75th percentile",
}

_STATISTICS = ("mean", "ci_low", "ci_high", "median", "sd", "q25", "q75", "n")


def add_measures_table(scene: Any, measurement: Measurement, name: str) -> Any:
    """A new vtkMRMLTableNode: a row for each region, a column for each measure and map.

    A column's name is ``measure`` or ``map.measure`` with the names of ``measures.tsv``. Its
    properties hold the title, the unit as shown, and the unit's UCUM code where it has one.
    A measure that a region lacks is NaN.
    """
    table = scene.AddNewNodeByClass("vtkMRMLTableNode", name)
    regions = list(dict.fromkeys(m.region for m in measurement.measures))
    columns: dict[tuple[str, str, str], NDArray[np.float64]] = {}
    for m in measurement.measures:
        key = (m.map, m.measure, m.unit)
        column = columns.setdefault(key, np.full(len(regions), np.nan))
        column[regions.index(m.region)] = m.value
    _add_text_column(table, "region", regions)
    _describe(table, "region", "Region", "", "Part of the ribbon that was measured.")
    for (map_name, measure, unit), values in columns.items():
        column_name = f"{map_name}.{measure}" if map_name else measure
        title = _words(measure)
        _add_column(table, column_name, values)
        _describe(
            table,
            column_name,
            f"{map_name}: {title}" if map_name else title,
            unit_label(measurement, map_name, unit),
            f"{measure} of {map_name or 'the ribbon'} in measures.tsv",
        )
        if unit in _UCUM:
            table.SetColumnProperty(column_name, "unitCodeValue", _UCUM[unit])
            table.SetColumnProperty(column_name, "unitCodingSchemeDesignator", "UCUM")
    return _finish(table)


def add_profiles_table(scene: Any, measurement: Measurement, name: str) -> Any:
    """A new vtkMRMLTableNode: a row for each depth bin, columns for each region and map.

    Columns are ``bin``, ``depth`` (the bin's middle), ``depth_from``, ``depth_to`` and, by
    :func:`profile_column`, the statistics of each profile.
    """
    table = scene.AddNewNodeByClass("vtkMRMLTableNode", name)
    profiles = _profiles(measurement)
    first = next(iter(profiles.values()), [])
    edges = np.array([(b.depth_from, b.depth_to) for b in first]).reshape(-1, 2)
    fractions = {"depth": edges.mean(axis=1), "depth_from": edges[:, 0], "depth_to": edges[:, 1]}
    _add_column(table, "bin", np.array([b.bin for b in first], dtype=np.int32))
    _describe(table, "bin", "Bin", "", "1 at the pial surface, last at the white matter.")
    for column_name, values in fractions.items():
        _add_column(table, column_name, values)
        _describe(table, column_name, _words(column_name), "", DEPTH_TITLE)
    for (region, map_name), bins in profiles.items():
        for statistic in _STATISTICS:
            values = np.array([getattr(b, statistic) for b in bins], dtype=np.float64)
            column_name = profile_column(region, map_name, statistic)
            _add_column(table, column_name, values)
            _describe(
                table,
                column_name,
                f"{region}, {map_name}: {_words(statistic)}",
                "" if statistic == "n" else measurement.units.get(map_name, ""),
                f"{statistic} of {map_name} in {region} in profiles.tsv",
            )
    return _finish(table)


def add_bands_table(scene: Any, measurement: Measurement, name: str) -> Any:
    """A new vtkMRMLTableNode: for each map the outlines of all regions' confidence bands.

    Columns are ``MAP.depth`` and ``MAP.value``. An outline runs along the lower edge from
    the pial surface to the white matter and back along the upper; NaN parts two outlines.
    One curve for all of them takes one line of a chart's legend, where one for each edge of
    each region would hide the chart.
    """
    table = scene.AddNewNodeByClass("vtkMRMLTableNode", name)
    profiles = _profiles(measurement)
    for map_name, regions in _by_map(profiles).items():
        outlines = [_outline(profiles[region, map_name]) for region in regions]
        for column, values in zip(("depth", "value"), np.vstack(outlines).T, strict=True):
            _add_column(table, f"{map_name}.{column}", np.ascontiguousarray(values))
            unit = measurement.units.get(map_name, "") if column == "value" else ""
            _describe(table, f"{map_name}.{column}", f"{map_name}: {column}", unit, DEPTH_TITLE)
    return _finish(table)


def _outline(bins: list[ProfileBin]) -> NDArray[np.float64]:
    lower = [((b.depth_from + b.depth_to) / 2, b.ci_low) for b in bins]
    upper = [((b.depth_from + b.depth_to) / 2, b.ci_high) for b in bins]
    return np.array([*lower, *upper[::-1], lower[0], (np.nan, np.nan)])


def add_charts(
    scene: Any, measurement: Measurement, table: Any, bands: Any, name: str
) -> dict[str, Any]:
    """A new chart for each map, with each region's mean and the confidence bands.

    Args:
        table: the node of :func:`add_profiles_table`.
        bands: the node of :func:`add_bands_table`.
        name: that the charts' names start with.

    Returns:
        ``chart:MAP`` to vtkMRMLPlotChartNode, ``series:MAP:REGION`` and ``band:MAP`` to
        vtkMRMLPlotSeriesNode.
    """
    nodes: dict[str, Any] = {}
    interval = f"{100 * measurement.settings.confidence:.3g} % interval"
    for map_name, regions in _by_map(_profiles(measurement)).items():
        chart = scene.AddNewNodeByClass("vtkMRMLPlotChartNode", f"{name}: {map_name}")
        chart.SetTitle(f"Laminar profile of {map_name}")
        chart.SetXAxisTitle(DEPTH_TITLE)
        unit = measurement.units.get(map_name, "")
        chart.SetYAxisTitle(f"{map_name} ({unit})" if unit else map_name)
        chart.SetLegendFontSize(12)
        nodes[f"chart:{map_name}"] = chart
        for index, region in enumerate(regions):
            column = profile_column(region, map_name, "mean")
            series = _series(scene, region, table, "depth", column)
            series.SetColor(*series_color(index))
            series.SetLineWidth(3)
            nodes[f"series:{map_name}:{region}"] = series
            chart.AddAndObservePlotSeriesNodeID(series.GetID())
        band = _series(scene, interval, bands, f"{map_name}.depth", f"{map_name}.value")
        band.SetColor(0.5, 0.5, 0.5)
        band.SetLineWidth(1)
        nodes[f"band:{map_name}"] = band
        chart.AddAndObservePlotSeriesNodeID(band.GetID())
    return nodes


def _series(scene: Any, name: str, table: Any, x: str, y: str) -> Any:
    series = scene.AddNewNodeByClass("vtkMRMLPlotSeriesNode", name)
    series.SetAndObserveTableNodeID(table.GetID())
    series.SetPlotType(slicer.vtkMRMLPlotSeriesNode.PlotTypeScatter)
    series.SetXColumnName(x)
    series.SetYColumnName(y)
    series.SetMarkerStyle(slicer.vtkMRMLPlotSeriesNode.MarkerStyleNone)
    return series


def profile_column(region: str, map_name: str, statistic: str) -> str:
    """The name of a column in the table of profiles."""
    return f"{region}.{map_name}.{statistic}"


def unit_label(measurement: Measurement, map_name: str, unit: str) -> str:
    """A measure's unit as shown: the map's own where it has one, empty for a ratio."""
    own = measurement.units.get(map_name, "")
    return {"1": "", "map": own, "map/mm": f"{own}/mm" if own else ""}.get(unit, unit)


def _profiles(measurement: Measurement) -> dict[tuple[str, str], list[ProfileBin]]:
    profiles: dict[tuple[str, str], list[ProfileBin]] = {}
    for b in measurement.profiles:
        profiles.setdefault((b.region, b.map), []).append(b)
    return profiles


def _by_map(keys: Iterable[tuple[str, str]]) -> dict[str, list[str]]:
    regions: dict[str, list[str]] = {}
    for region, map_name in keys:
        regions.setdefault(map_name, []).append(region)
    return regions


def _add_text_column(table: Any, name: str, values: list[str]) -> None:
    column = vtk.vtkStringArray()
    column.SetName(name)
    for value in values:
        column.InsertNextValue(value)
    table.AddColumn(column)


def _add_column(table: Any, name: str, values: NDArray) -> None:
    column = numpy_to_vtk(values, deep=True)
    column.SetName(name)
    table.AddColumn(column)


def _describe(table: Any, column: str, title: str, unit: str, description: str) -> None:
    table.SetColumnTitle(column, title)
    table.SetColumnDescription(column, description)
    if unit:
        table.SetColumnUnitLabel(column, unit)


def _finish(table: Any) -> Any:
    table.SetUseColumnTitleAsColumnHeader(True)
    table.SetLocked(True)
    return table


def _words(name: str) -> str:
    words = [_WORDS.get(word, word) for word in name.split("_")]
    return " ".join([words[0][:1].upper() + words[0][1:], *words[1:]])
