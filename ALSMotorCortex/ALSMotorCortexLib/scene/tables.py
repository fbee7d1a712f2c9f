"""Table nodes and plots of a measurement's numbers."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import slicer
from numpy.typing import NDArray
from vtkmodules.util.numpy_support import numpy_to_vtk
from vtkmodules.vtkCommonCore import vtkStringArray

from ..cortex.result import Measurement, ProfileBin
from .colors import Color, series_color

DEPTH_TITLE = "Cortical depth (0 pial surface, 1 white matter)"

# Codes of the Unified Code for Units of Measure for the units a measure can have.
_UCUM = {"mm": "mm", "mm2": "mm2", "mm3": "mm3", "1": "1", "1/mm": "/mm", "deg": "deg"}

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

PLACE = ("place_r", "place_a", "place_s")
"""The columns of the measures' table that say where a row's region is, in RAS mm."""

_STATISTICS = ("mean", "ci_low", "ci_high", "median", "sd", "q25", "q75", "n")


def add_measures_table(scene: Any, measurement: Measurement, name: str, into: Any = None) -> Any:
    """A vtkMRMLTableNode: a row for each region, a column for each measure and map.

    A column's name is ``measure`` or ``map.measure`` with the names of ``measures.tsv``. Its
    properties hold the title, the unit as shown, and the unit's UCUM code where it has one.
    A measure that a region lacks is NaN. The last three columns, :data:`PLACE`, say where a
    region is.

    Args:
        into: a node to fill instead of a new one.
    """
    table = slicer.vtkMRMLTableNode()
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
    place_of_region = {region: _place(measurement, region) for region in set(regions)}
    places = np.array([place_of_region[region] for region in regions]).reshape(-1, 3)
    for column_name, values in zip(PLACE, places.T, strict=True):
        _add_column(table, column_name, np.ascontiguousarray(values))
        axis = column_name[-1].upper()
        _describe(table, column_name, f"Place {axis}", "mm", "A voxel amid the region, in RAS.")
    return _put(scene, table, name, into)


def place_of(table: Any, row: int) -> tuple[float, float, float] | None:
    """RAS in mm of what a row of :func:`add_measures_table` measures; None where unknown."""
    ras = [float(table.GetTable().GetValueByName(row, name).ToDouble()) for name in PLACE]
    return (ras[0], ras[1], ras[2]) if np.isfinite(ras).all() else None


def _place(measurement: Measurement, region: str) -> NDArray[np.float64]:
    """RAS of the voxel nearest to the middle of a region; of a pair's first region."""
    inside = measurement.regions.get(region.split(" - ")[0])
    if inside is None or not inside.any():
        return np.full(3, np.nan)
    grid = measurement.grid
    axes = np.unravel_index(measurement.voxels[inside], grid.shape)
    away = sum(
        ((index - index.mean()) * length) ** 2
        for index, length in zip(axes, grid.spacing, strict=True)
    )
    nearest = np.argmin(away)
    return grid.ras(np.array([[index[nearest] for index in axes]]))[0]


def add_profiles_table(scene: Any, measurement: Measurement, name: str, into: Any = None) -> Any:
    """A vtkMRMLTableNode: a row for each depth bin, columns for each region and map.

    Columns are ``bin``, ``depth`` (the bin's middle), ``depth_from``, ``depth_to`` and, by
    :func:`profile_column`, the statistics of each profile.

    Args:
        into: a node to fill instead of a new one.
    """
    table = slicer.vtkMRMLTableNode()
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
    return _put(scene, table, name, into)


def add_bands_table(scene: Any, measurement: Measurement, name: str, into: Any = None) -> Any:
    """A vtkMRMLTableNode: for each map the outlines of all regions' confidence bands.

    Columns are ``MAP.depth`` and ``MAP.value``. An outline runs along the lower edge from
    the pial surface to the white matter and back along the upper; NaN parts two outlines.
    One curve for all of them takes one line of a chart's legend, where one for each edge of
    each region would hide the chart.

    Args:
        into: a node to fill instead of a new one.
    """
    table = slicer.vtkMRMLTableNode()
    profiles = _profiles(measurement)
    for map_name, regions in _by_map(profiles).items():
        outlines = [_outline(profiles[region, map_name]) for region in regions]
        for column, values in zip(("depth", "value"), np.vstack(outlines).T, strict=True):
            _add_column(table, f"{map_name}.{column}", np.ascontiguousarray(values))
            unit = measurement.units.get(map_name, "") if column == "value" else ""
            _describe(table, f"{map_name}.{column}", f"{map_name}: {column}", unit, DEPTH_TITLE)
    return _put(scene, table, name, into)


def _outline(bins: list[ProfileBin]) -> NDArray[np.float64]:
    lower = [((b.depth_from + b.depth_to) / 2, b.ci_low) for b in bins]
    upper = [((b.depth_from + b.depth_to) / 2, b.ci_high) for b in bins]
    return np.array([*lower, *upper[::-1], lower[0], (np.nan, np.nan)])


def add_charts(
    scene: Any,
    measurement: Measurement,
    table: Any,
    bands: Any,
    name: str,
    into: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """A chart for each map, with each region's mean and the confidence bands.

    Left and right of a region share a colour; the right one is dashed.

    Args:
        table: the node of :func:`add_profiles_table`.
        bands: the node of :func:`add_bands_table`.
        name: that the charts' names start with.
        into: what an earlier call returned; nodes in it that are still needed are used
            again and keep their names, colours and lines.

    Returns:
        ``chart:MAP`` to vtkMRMLPlotChartNode, ``series:MAP:REGION`` and ``band:MAP`` to
        vtkMRMLPlotSeriesNode.
    """
    old, nodes = into or {}, {}
    interval = f"{100 * measurement.settings.confidence:.3g} % interval"
    for map_name, regions in _by_map(_profiles(measurement)).items():
        chart = old.get(f"chart:{map_name}")
        if chart is None:
            chart = _add_chart(scene, map_name, f"{name}: {map_name}")
        unit = measurement.units.get(map_name, "")
        chart.SetYAxisTitle(f"{map_name} ({unit})" if unit else map_name)
        nodes[f"chart:{map_name}"] = chart
        # What is listed first is drawn below the rest.
        band = old.get(f"band:{map_name}") or _add_series(scene, interval, (0.5, 0.5, 0.5), 1)
        _read_from(band, bands, f"{map_name}.depth", f"{map_name}.value")
        series = {f"band:{map_name}": band}
        parts = list(dict.fromkeys(_part(region) for region in regions))
        for region in regions:
            key, column = f"series:{map_name}:{region}", profile_column(region, map_name, "mean")
            look = (series_color(parts.index(_part(region))), 3, _side(region) == "right")
            series[key] = old.get(key) or _add_series(scene, region.replace("_", " "), *look)
            _read_from(series[key], table, "depth", column)
        _set_series(chart, list(series.values()))
        nodes |= series
    return nodes


def _part(region: str) -> str:
    """A region's name without its side."""
    return re.sub(r"(^|[_ -])(left|right)(?=[_ -]|$)", "", region).strip("_ -")


def _side(region: str) -> str:
    words = re.split(r"[_ -]", region)
    return next((side for side in ("left", "right") if side in words), "")


def _add_chart(scene: Any, map_name: str, name: str) -> Any:
    chart = scene.AddNewNodeByClass("vtkMRMLPlotChartNode", name)
    chart.SetTitle(f"Laminar profile of {map_name}")
    chart.SetXAxisTitle(DEPTH_TITLE)
    chart.SetLegendFontSize(12)
    # The legend lies at the right, within the axes; beyond depth 1 it hides no curve.
    chart.SetXAxisRangeAuto(False)
    chart.SetXAxisRange(0.0, 1.35)
    return chart


def _add_series(scene: Any, name: str, color: Color, width: int, dashed: bool = False) -> Any:
    node = slicer.vtkMRMLPlotSeriesNode
    series = scene.AddNewNodeByClass("vtkMRMLPlotSeriesNode", name)
    series.SetPlotType(node.PlotTypeScatter)
    series.SetMarkerStyle(node.MarkerStyleNone)
    series.SetLineStyle(node.LineStyleDash if dashed else node.LineStyleSolid)
    series.SetLineWidth(width)
    series.SetColor(*color)
    return series


def _read_from(series: Any, table: Any, x: str, y: str) -> None:
    series.SetAndObserveTableNodeID(table.GetID())
    series.SetXColumnName(x)
    series.SetYColumnName(y)


def complete_charts(nodes: Mapping[str, Any]) -> None:
    """Puts back what charts lost while a scene was read.

    Where a scene is read after another one was closed, the plot view of Slicer takes those
    series out of a chart whose IDs it knew before (qMRMLPlotView, updateWidgetFromMRML).

    Args:
        nodes: as :func:`add_charts` returns, and others.
    """
    for key, chart in nodes.items():
        kind, _, map_name = key.partition(":")
        if kind == "chart":
            series = [n for k, n in nodes.items() if k.startswith(f"series:{map_name}:")]
            band = [nodes[k] for k in (f"band:{map_name}",) if k in nodes]
            _set_series(chart, band + series)


def _set_series(chart: Any, series: list[Any]) -> None:
    """Shows these series in a chart, and of the others only those that a user added."""
    listed = [chart.GetNthPlotSeriesNode(n) for n in range(chart.GetNumberOfPlotSeriesNodes())]
    if listed[: len(series)] == series:
        return
    chart.RemoveAllPlotSeriesNodeIDs()
    for node in series + [n for n in listed if n is not None and n not in series]:
        chart.AddAndObservePlotSeriesNodeID(node.GetID())


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
    column = vtkStringArray()
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


def _put(scene: Any, built: Any, name: str, into: Any) -> Any:
    """Puts a table that lies in no scene into a node at one go, so that no view sees a part."""
    node = into or scene.AddNewNodeByClass("vtkMRMLTableNode", name)
    modified = node.StartModify()
    node.SetAndObserveSchema(built.GetSchema())
    node.SetAndObserveTable(built.GetTable())
    if into is None:
        node.SetUseColumnTitleAsColumnHeader(True)
        node.SetLocked(True)
    node.EndModify(modified)
    return node


def _words(name: str) -> str:
    words = [_WORDS.get(word, word) for word in name.split("_")]
    return " ".join([words[0][:1].upper() + words[0][1:], *words[1:]])
