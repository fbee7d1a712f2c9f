"""Result nodes in a scene file, read back by Slicer's own reader."""

from __future__ import annotations

import zipfile

import numpy as np
import pytest

slicer = pytest.importorskip("slicer")
vtk = pytest.importorskip("vtk")

from ALSMotorCortexLib.scene import overlays, results  # noqa: E402
from ALSMotorCortexLib.scene.segmentations import read_labels  # noqa: E402
from measured_shell import (  # noqa: E402
    BINS,
    found_in,
    only_result,
    read_back,
    shell,
    shell_labels,
    shell_map,
    shell_measurement,
)


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """The path of a scene file of the shell."""
    path = tmp_path_factory.mktemp("results") / "scene.mrb"
    results.write_scene(shell_measurement(), path, shell_labels(), {"T2star": shell_map()})
    return path


@pytest.fixture(scope="module")
def scene(saved, tmp_path_factory):
    return read_back(saved, tmp_path_factory.mktemp("unpacked"))


@pytest.fixture(scope="module")
def nodes(scene):
    return only_result(scene)


@pytest.mark.parametrize("field", ["thickness", "depth_equivolume", "depth_equidistant"])
def test_result_volumes_hold_exactly_the_measured_values(nodes, field):
    m = shell_measurement()
    image, place = found_in(nodes[field], m.grid)
    full = m.paint(getattr(m, field), np.nan)
    assert image.array.dtype == np.float32
    assert np.array_equal(image.array, full[place], equal_nan=True)
    edge = [image.array[:, [0, -1]], image.array[:, :, [0, -1]]]
    assert all(np.isnan(e).all() for e in edge)
    full[place] = np.nan
    assert np.isnan(full).all()


@pytest.mark.parametrize(
    ("field", "name", "title", "unit", "low", "high", "numbers"),
    [
        ("thickness", "Thickness", "Thickness\n(mm)", "mm", 2.0, 3.0, 3),
        ("depth_equivolume", "Depth, equivolume", "Depth\nequivolume", "1", 0.0, 1.0, 6),
        ("depth_equidistant", "Depth, equidistant", "Depth\nequidistant", "1", 0.0, 1.0, 6),
    ],
)
def test_result_volumes_are_coloured_overlays_with_a_legend(
    nodes, field, name, title, unit, low, high, numbers
):
    node = nodes[field]
    display = node.GetScalarVolumeDisplayNode()
    assert display.GetColorNode().GetNumberOfColors() == 256
    assert display.GetColorNode().GetName().startswith("Viridis")
    assert not display.GetAutoWindowLevel()
    assert (display.GetWindowLevelMin(), display.GetWindowLevelMax()) == pytest.approx((low, high))
    assert display.GetApplyThreshold() and not display.GetInterpolate()
    legend = slicer.vtkSlicerColorLogic.GetColorLegendDisplayNode(node)
    assert node.GetName() == name
    assert legend.GetTitleText() == title
    assert legend.GetNumberOfLabels() == numbers
    assert legend.GetPrimaryDisplayNode() is display
    assert node.GetVoxelValueUnits().GetCodeValue() == unit
    assert node.GetVoxelValueUnits().GetCodingSchemeDesignator() == "UCUM"


@pytest.mark.parametrize(
    ("thickness", "scale"),
    [
        ([2.2, 2.8], (2, 3, 0.5)),
        ([2.5, 2.5], (2, 3, 0.5)),
        ([1.2, 4.7], (1, 5, 1)),
        ([3.0, 3.0], (3, 4, 0.5)),
        ([0.5, 9.5], (0, 10, 2)),
        ([0.5, 16.5], (1, 17, 2)),
        ([np.nan, np.nan], (0, 5, 1)),
    ],
)
def test_the_legend_of_thickness_has_whole_numbers(thickness, scale):
    low, high, step = overlays._millimetres(np.array(thickness, np.float32))
    assert (low, high, step) == scale
    assert (high - low) / step == round((high - low) / step)


def test_the_colour_table_is_the_one_that_was_saved(nodes):
    fresh = results.viridis(slicer.vtkMRMLScene())
    reread = nodes["thickness"].GetDisplayNode().GetColorNode()
    assert not reread.GetHideFromEditors()
    one, other = [0.0] * 4, [0.0] * 4
    for entry in range(256):
        fresh.GetColor(entry, one)
        reread.GetColor(entry, other)
        assert np.allclose(one, other, atol=1 / 255)


def test_tissue_is_the_label_map(nodes):
    labels = shell_labels()
    segmentation = nodes["tissue"].GetSegmentation()
    names = {segmentation.GetSegment(i).GetName(): i for i in segmentation.GetSegmentIDs()}
    assert list(names) == ["Gray matter", "White matter", "CSF"]
    values = {names["Gray matter"]: 3, names["White matter"]: 2, names["CSF"]: 1}
    image, findings = read_labels(nodes["tissue"], values)
    assert findings == ()
    assert image.grid.same_as(labels.grid, 1e-4)
    assert np.array_equal(image.array, labels.array)
    gray = segmentation.GetSegment(names["Gray matter"])
    entry = vtk.reference("")
    assert gray.GetTag(slicer.vtkSegment.GetTerminologyEntryTagName(), entry)
    assert "SCT^389081007^Gray Matter" in str(entry)


def test_layers_are_segments(nodes):
    m = shell_measurement()
    segmentation = nodes["layers"].GetSegmentation()
    ids = segmentation.GetSegmentIDs()
    assert [segmentation.GetSegment(i).GetName() for i in ids] == [
        "Layer 1 (superficial)",
        "Layer 2 (middle)",
        "Layer 3 (deep)",
    ]
    image, _ = read_labels(nodes["layers"], {i: n for n, i in enumerate(ids, start=1)})
    drawn = image.grid.ras(np.argwhere(image.array))
    painted = m.paint(m.layers)
    assert np.allclose(drawn, m.grid.ras(np.argwhere(painted)), atol=1e-4)
    assert np.array_equal(image.array[image.array > 0], painted[painted > 0])
    assert nodes["layers"].CreateClosedSurfaceRepresentation()


def test_the_map_keeps_its_voxels_near_the_ribbon(nodes):
    original = shell_map()
    image, place = found_in(nodes["map:T2star"], original.grid)
    assert np.array_equal(image.array, original.array[place])
    assert image.array.size < original.array.size / 4
    ribbon = original.grid.kji(shell_labels().grid.ras(np.argwhere(shell()[0] == 3)))
    for axis, index in enumerate(place):
        assert ribbon[:, axis].min() - index.min() > 19
        assert index.max() - ribbon[:, axis].max() > 19


def test_tables_survive_with_values_units_and_titles(nodes):
    m = shell_measurement()
    table = nodes["measures"]
    assert [table.GetCellText(row, 0) for row in range(2)] == ["ribbon", "hand"]
    assert list(slicer.util.arrayFromTableColumn(table, "thickness_mean")) == [2.5, 2.4]
    assert np.isnan(slicer.util.arrayFromTableColumn(table, "T2star.deep_hypointensity")).all()
    assert table.GetColumnUnitLabel("thickness_mean") == "mm"
    assert table.GetColumnProperty("thickness_mean", "unitCodeValue") == "mm"
    assert table.GetColumnTitle("thickness_mean") == "Thickness mean"
    profiles = nodes["profiles"]
    mean = slicer.util.arrayFromTableColumn(profiles, "hand.T2star.mean")
    assert list(mean) == [b.mean for b in m.profiles if b.region == "hand"]
    assert profiles.GetColumnUnitLabel("hand.T2star.mean") == "ms"


def test_charts_survive_with_their_series_and_tables(nodes):
    chart = nodes["chart:T2star"]
    assert chart.GetTitle() == "Laminar profile of T2star"
    curves = [nodes[k] for k in ("band:T2star", "series:T2star:ribbon", "series:T2star:hand")]
    assert [chart.GetNthPlotSeriesNode(n) for n in range(3)] == curves
    for curve in curves:
        table = nodes["bands"] if curve is curves[0] else nodes["profiles"]
        assert curve.GetTableNode() is table
        x, y = (
            slicer.util.arrayFromTableColumn(table, name)
            for name in (curve.GetXColumnName(), curve.GetYColumnName())
        )
        assert np.isnan(x).sum() == np.isnan(y).sum() == (2 if table is nodes["bands"] else 0)
        assert np.nanmin(x) == 0.5 / BINS and np.nanmax(x) == 1 - 0.5 / BINS


def test_all_of_it_is_in_one_folder(scene, nodes):
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(scene)
    folder = hierarchy.GetItemByName("ALS Motor Cortex")
    plugins = {
        node.GetClassName(): hierarchy.GetItemOwnerPluginName(hierarchy.GetItemByDataNode(node))
        for node in nodes.values()
    }
    assert set(plugins) == set(results._PLUGINS)
    assert plugins == results._PLUGINS
    children = vtk.vtkIdList()
    hierarchy.GetItemChildren(folder, children)
    assert children.GetNumberOfIds() == len(nodes)
    assert set(nodes) >= {"thickness", "tissue", "layers", "measures", "profiles", "settings"}


def test_the_text_says_settings_and_findings(nodes):
    text = nodes["settings"].GetText()
    assert shell_measurement().settings.to_json() in text
    assert "2 holes were filled." in text
    assert "laplace: 1.25 s" in text


def test_the_views_show_map_thickness_chart_and_measures(scene, nodes):
    layout = scene.GetFirstNodeByClass("vtkMRMLLayoutNode")
    arrangement = slicer.vtkMRMLLayoutNode.SlicerLayoutFourUpPlotTableView
    assert layout.GetViewArrangement() == arrangement
    assert layout.GetID() == "vtkMRMLLayoutNodevtkMRMLLayoutNode"
    for tag in ("Red", "Green", "Yellow"):
        composite = scene.GetNodeByID(f"vtkMRMLSliceCompositeNode{tag}")
        assert composite.GetBackgroundVolumeID() == nodes["map:T2star"].GetID()
        assert composite.GetForegroundVolumeID() == nodes["thickness"].GetID()
        assert composite.GetForegroundOpacity() == 1
    plot = scene.GetNodeByID("vtkMRMLPlotViewNodePlotView1")
    table = scene.GetNodeByID("vtkMRMLTableViewNodeTableView1")
    assert plot.GetPlotChartNode() is nodes["chart:T2star"]
    assert table.GetTableNode() is nodes["measures"]
    selection = scene.GetFirstNodeByClass("vtkMRMLSelectionNode")
    assert selection.GetActivePlotChartID() == nodes["chart:T2star"].GetID()
    assert selection.GetActiveTableID() == nodes["measures"].GetID()


def test_a_scene_file_can_be_opened_beside_other_results(saved, tmp_path):
    """Opening a second file into a scene gives new IDs; views and charts must follow them."""
    scene = read_back(saved, tmp_path)
    before = only_result(scene)
    scene.SetURL(slicer.vtkMRMLScene.UnpackSlicerDataBundle(str(saved), str(tmp_path)))
    assert scene.Import()
    volume = scene.GetNodeByID(
        scene.GetNodeByID("vtkMRMLSliceCompositeNodeRed").GetForegroundVolumeID()
    )
    assert volume is not before["thickness"]
    assert volume.GetAttribute(results.RESULT) == "thickness"
    chart = scene.GetNodeByID("vtkMRMLPlotViewNodePlotView1").GetPlotChartNode()
    assert chart is not before["chart:T2star"]
    assert chart.GetNthPlotSeriesNode(0).GetTableNode() is not before["profiles"]
    first, second = results.find_results(scene).values()
    assert first == before
    assert set(second) == set(before)
    assert second["thickness"] is volume


def slice_picture(scene, tag, pixels=400):
    """What a slice view draws of its volumes, (row, column, RGBA), and its pixels' RAS."""
    node = scene.GetNodeByID(f"vtkMRMLSliceNode{tag}")
    node.SetDimensions(pixels, pixels, 1)
    node.UpdateMatrices()
    logic = slicer.vtkMRMLSliceLogic()
    logic.SetMRMLScene(scene)
    logic.SetSliceNode(node)
    logic.UpdatePipeline()
    producer = logic.GetImageDataConnection().GetProducer()
    producer.Update()
    data = producer.GetOutputDataObject(0)
    picture = vtk.util.numpy_support.vtk_to_numpy(data.GetPointData().GetScalars())
    y, x = np.mgrid[:pixels, :pixels]
    xyz1 = np.stack([x, y, 0 * x, 0 * x + 1], axis=-1).reshape(-1, 4)
    ras = xyz1 @ slicer.util.arrayFromVTKMatrix(node.GetXYToRAS()).T
    return picture.reshape(pixels * pixels, -1), ras[:, :3]


@pytest.mark.parametrize("tag", ["Red", "Green", "Yellow"])
def test_slices_draw_thickness_in_its_colours_and_nothing_around(scene, nodes, tag):
    m = shell_measurement()
    picture, ras = slice_picture(scene, tag)
    kji = np.rint(m.grid.kji(ras)).astype(int)
    inside = ((kji >= 0) & (kji < m.grid.shape)).all(axis=1)
    thickness = np.full(len(kji), np.nan)
    thickness[inside] = m.paint(m.thickness, np.nan)[tuple(kji[inside].T)]
    # Pixels next to a voxel's face may go to either voxel.
    clear = (np.abs(m.grid.kji(ras) - kji) < 0.45).all(axis=1)
    shown = clear & np.isfinite(thickness)
    assert shown.mean() > (0.15 if tag == "Red" else 0.01)
    display = nodes["thickness"].GetDisplayNode()
    low, high = display.GetWindowLevelMin(), display.GetWindowLevelMax()
    entry = np.clip((thickness[shown] - low) / (high - low) * 255, 0, 255).astype(int)
    table = np.array([color(display.GetColorNode(), n) for n in range(256)])
    assert np.abs(picture[shown, :3] / 255 - table[entry]).max() < 0.06
    empty = clear & inside & ~np.isfinite(thickness)
    gray = picture[empty, :3].astype(int)
    assert (np.ptp(gray, axis=1) == 0).mean() > 0.999


def color(node, entry):
    rgba = [0.0] * 4
    node.GetColor(entry, rgba)
    return rgba[:3]


def test_slices_hold_the_whole_ribbon(scene):
    m = shell_measurement()
    ribbon = m.grid.ras(np.argwhere(m.paint(np.ones(len(m.voxels)))))
    for tag in ("Red", "Green", "Yellow"):
        node = scene.GetNodeByID(f"vtkMRMLSliceNode{tag}")
        to_slice = np.linalg.inv(slicer.util.arrayFromVTKMatrix(node.GetSliceToRAS()))
        x, y, z = (ribbon @ to_slice[:3, :3].T + to_slice[:3, 3]).T
        half = np.array(node.GetFieldOfView()[:2]) / 2
        assert np.abs(x).max() < half[0] and np.abs(y).max() < half[1]
        assert max(np.abs(x).max() / half[0], np.abs(y).max() / half[1]) > 0.8
        assert z.min() - 0.5 < 0 < z.max() + 0.5


def test_voxels_stay_compressed_when_the_scene_is_saved_again(nodes):
    """Slicer stores the files of a bundle as they are: only their own compression counts."""
    for key in ("thickness", "depth_equivolume", "map:T2star", "tissue", "layers"):
        assert nodes[key].GetStorageNode().GetUseCompression()


def test_a_second_write_replaces_the_first(saved, tmp_path):
    path = tmp_path / "scene.mrb"
    path.write_bytes(b"old")
    results.write_scene(shell_measurement(), path, shell_labels(), {})
    assert zipfile.is_zipfile(path)
    assert list(tmp_path.iterdir()) == [path]
