"""Table and plot nodes of a measurement's numbers."""

from __future__ import annotations

import math

import numpy as np
import pytest

from ALSMotorCortexLib.cortex.grid import Grid
from ALSMotorCortexLib.cortex.result import Measure, Measurement, ProfileBin
from ALSMotorCortexLib.cortex.settings import Settings

slicer = pytest.importorskip("slicer")
pytest.importorskip("vtk")

from ALSMotorCortexLib.scene.tables import (  # noqa: E402
    PLACE,
    add_bands_table,
    add_charts,
    add_measures_table,
    add_profiles_table,
    profile_column,
)

MEASURES = (
    Measure("ribbon", "", "thickness_mean", 2.5, "mm"),
    Measure("ribbon", "", "mid_area", 40.0, "mm2"),
    Measure("ribbon", "T2star", "layer_mean_1", 31.0, "map"),
    Measure("ribbon", "T2star", "slope", 3.0, "map/mm"),
    Measure("ribbon", "QSM", "deep_hypointensity", 0.25, "1"),
    Measure("ribbon", "QSM", "layer_mean_1", -0.5, "map"),
    Measure("hand", "", "thickness_mean", math.nan, "mm"),
    Measure("hand", "T2star", "layer_mean_1", 29.0, "map"),
)


def profile(region, map_name, start):
    return tuple(
        ProfileBin(region, map_name, n + 1, n / 4, (n + 1) / 4, 10 + n, *(start + n + np.arange(7)))
        for n in range(4)
    )


def measurement(profiles=None, measures=MEASURES):
    """A measurement with numbers and no voxels."""
    none = np.zeros(0, np.float32)
    if profiles is None:
        profiles = (
            profile("ribbon", "T2star", 30.0)
            + profile("hand", "T2star", 40.0)
            + profile("ribbon", "QSM", -3.0)
        )
    return Measurement(
        grid=Grid((1, 1, 1), np.eye(4)),
        settings=Settings(gm=(3,), wm=(2,), csf=(1,), confidence=0.9),
        voxels=np.zeros(0, np.int64),
        thickness=none,
        depth_equidistant=none,
        depth_equivolume=none,
        layers=np.zeros(0, np.uint8),
        columns=np.zeros(0, np.int32),
        normals=np.zeros((0, 3), np.float32),
        near_cut=np.zeros(0, bool),
        values={},
        units={"T2star": "ms", "QSM": ""},
        regions={"ribbon": np.zeros(0, bool)},
        measures=measures,
        profiles=profiles,
        findings=(),
    )


def column(table, name):
    return slicer.util.arrayFromTableColumn(table, name)


def test_measures_have_a_row_for_each_region_and_a_column_for_each_measure():
    table = add_measures_table(slicer.vtkMRMLScene(), measurement(), "Measures")
    assert [table.GetCellText(row, 0) for row in range(2)] == ["ribbon", "hand"]
    names = [table.GetColumnName(c) for c in range(table.GetNumberOfColumns())]
    assert names == [
        "region",
        "thickness_mean",
        "mid_area",
        "T2star.layer_mean_1",
        "T2star.slope",
        "QSM.deep_hypointensity",
        "QSM.layer_mean_1",
        *PLACE,
    ]
    for m in MEASURES:
        name = f"{m.map}.{m.measure}" if m.map else m.measure
        row = ["ribbon", "hand"].index(m.region)
        assert column(table, name)[row] == pytest.approx(m.value, nan_ok=True)
    assert np.isnan(column(table, "QSM.layer_mean_1")[1])


@pytest.mark.parametrize(
    ("name", "shown", "code"),
    [
        ("thickness_mean", "mm", "mm"),
        ("mid_area", "mm2", "mm2"),
        ("T2star.layer_mean_1", "ms", ""),
        ("T2star.slope", "ms/mm", ""),
        ("QSM.deep_hypointensity", "", "1"),
        ("QSM.layer_mean_1", "", ""),
    ],
)
def test_measures_carry_their_units(name, shown, code):
    table = add_measures_table(slicer.vtkMRMLScene(), measurement(), "Measures")
    assert table.GetColumnUnitLabel(name) == shown
    assert table.GetColumnProperty(name, "unitCodeValue") == code
    assert table.GetColumnProperty(name, "unitCodingSchemeDesignator") == ("UCUM" if code else "")
    assert name.split(".")[-1] in table.GetColumnDescription(name)


def test_headers_are_words():
    table = add_measures_table(slicer.vtkMRMLScene(), measurement(), "Measures")
    assert table.GetUseColumnTitleAsColumnHeader()
    assert table.GetColumnTitle("thickness_mean") == "Thickness mean"
    assert table.GetColumnTitle("T2star.layer_mean_1") == "T2star: Layer mean 1"
    profiles = add_profiles_table(slicer.vtkMRMLScene(), measurement(), "Profiles")
    assert profiles.GetColumnTitle("hand.T2star.sd") == "hand, T2star: SD"


def test_profiles_have_a_row_for_each_bin():
    m = measurement()
    table = add_profiles_table(slicer.vtkMRMLScene(), m, "Profiles")
    assert list(column(table, "bin")) == [1, 2, 3, 4]
    assert column(table, "depth") == pytest.approx([0.125, 0.375, 0.625, 0.875])
    for statistic in ("mean", "median", "sd", "q25", "q75", "ci_low", "ci_high", "n"):
        for b in m.profiles:
            name = profile_column(b.region, b.map, statistic)
            assert column(table, name)[b.bin - 1] == getattr(b, statistic)
            unit = "ms" if b.map == "T2star" and statistic != "n" else ""
            assert table.GetColumnUnitLabel(name) == unit


def charts_of(scene, m):
    table = add_profiles_table(scene, m, "Profiles")
    bands = add_bands_table(scene, m, "Bands")
    return table, bands, add_charts(scene, m, table, bands, "Profile")


def test_each_map_has_a_chart_with_all_regions_and_their_bands():
    scene = slicer.vtkMRMLScene()
    table, bands, nodes = charts_of(scene, measurement())
    charts = {key: node for key, node in nodes.items() if key.startswith("chart:")}
    assert list(charts) == ["chart:T2star", "chart:QSM"]
    assert charts["chart:T2star"].GetYAxisTitle() == "T2star (ms)"
    assert charts["chart:QSM"].GetYAxisTitle() == "QSM"
    drawn = {
        key: [node.GetNthPlotSeriesNode(n) for n in range(node.GetNumberOfPlotSeriesNodes())]
        for key, node in charts.items()
    }
    t2star = [nodes[k] for k in ("band:T2star", "series:T2star:ribbon", "series:T2star:hand")]
    assert drawn["chart:T2star"] == t2star
    assert drawn["chart:QSM"] == [nodes["band:QSM"], nodes["series:QSM:ribbon"]]
    assert [s.GetName() for s in t2star] == ["90 % interval", "ribbon", "hand"]
    assert len({s.GetColor() for s in t2star}) == 3
    for series in t2star:
        assert series.GetTableNode() is (bands if series is t2star[0] else table)
        assert series.GetPlotType() == slicer.vtkMRMLPlotSeriesNode.PlotTypeScatter
    assert list(column(table, t2star[2].GetYColumnName())) == [40, 41, 42, 43]
    assert list(column(table, t2star[2].GetXColumnName())) == [0.125, 0.375, 0.625, 0.875]


def test_bands_run_down_the_lower_edge_and_up_the_upper():
    m = measurement()
    scene = slicer.vtkMRMLScene()
    _, bands, nodes = charts_of(scene, m)
    series = nodes["band:T2star"]
    depth = column(bands, series.GetXColumnName())
    value = column(bands, series.GetYColumnName())
    assert len(depth) == 2 * (4 + 4 + 1 + 1)
    assert list(np.flatnonzero(np.isnan(depth))) == list(np.flatnonzero(np.isnan(value))) == [9, 19]
    hand = [b for b in m.profiles if (b.region, b.map) == ("hand", "T2star")]
    assert list(value[10:14]) == [b.ci_low for b in hand]
    assert list(value[14:18]) == [b.ci_high for b in hand][::-1]
    assert list(depth[10:18]) == [0.125, 0.375, 0.625, 0.875, 0.875, 0.625, 0.375, 0.125]
    assert (depth[18], value[18]) == (depth[10], value[10])


def test_a_measurement_without_maps_has_no_chart():
    table, bands, nodes = charts_of(slicer.vtkMRMLScene(), measurement(profiles=()))
    assert table.GetNumberOfRows() == bands.GetNumberOfRows() == 0
    assert nodes == {}
