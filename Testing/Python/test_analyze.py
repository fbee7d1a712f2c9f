"""From files to files: everything is written, in place, and says where it comes from."""

from __future__ import annotations

import csv
import gzip
import hashlib
import json
import os
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from scipy.spatial.transform import Rotation

from ALSMotorCortexLib import analyze as analyze_module
from ALSMotorCortexLib.analyze import AnalyzeInputs, RegionSource, analyze
from ALSMotorCortexLib.analyze_writing import RESULTS, SMALLEST
from ALSMotorCortexLib.cortex.errors import InputError
from ALSMotorCortexLib.cortex.grid import Grid, Image
from ALSMotorCortexLib.cortex.measure import measure
from ALSMotorCortexLib.cortex.phantoms import make
from ALSMotorCortexLib.cortex.settings import Settings
from ALSMotorCortexLib.cortex.shapes import CSF, GM, WM, Slab
from ALSMotorCortexLib.study.images import read_image
from ALSMotorCortexLib.study.nifti import write_nifti

TISSUES = {"gm": GM, "wm": WM, "csf": CSF}
IMAGES = {
    "thickness.nii.gz": np.float32,
    "depth_equidistant.nii.gz": np.float32,
    "depth_equivolume.nii.gz": np.float32,
    "layers.nii.gz": np.uint8,
}
TABLES = {"measures.tsv", "profiles.tsv"}


def oblique_mirrored(shape: tuple[int, int, int], spacing: float) -> Grid:
    matrix = np.eye(4)
    matrix[:3, :3] = Rotation.from_euler("xyz", [20, -35, 50], degrees=True).as_matrix()
    matrix[:3, :3] *= [-spacing, spacing, spacing]
    matrix[:3, 3] = [-31.5, 12.25, 70]
    return Grid(shape, matrix)


def slab() -> tuple[Image, Image, Image]:
    """Labels, a map that grows with depth, and a region, on an oblique left-handed grid."""
    phantom = make(Slab(2.5, 3.0, 3.0), (0.5, 0.5, 0.5), np.random.default_rng(0), np.eye(3))
    grid = oblique_mirrored(phantom.grid.shape, 0.5)
    depth = np.nan_to_num(phantom.depth_equivolume, nan=0.5).astype(np.float32)
    region = np.zeros(grid.shape, np.uint8)
    region[: grid.shape[0] // 2] = 4
    return (
        Image(phantom.labels.array, grid),
        Image(20 + 10 * depth, grid),
        Image(region, grid),
    )


@pytest.fixture(scope="module")
def case(tmp_path_factory) -> AnalyzeInputs:
    folder = tmp_path_factory.mktemp("case")
    names = ("labels", "T2star", "half")
    for name, image in zip(names, slab(), strict=True):
        write_nifti(image, folder / f"{name}.nii.gz")
    return AnalyzeInputs(
        labels=folder / "labels.nii.gz",
        maps={"T2star": folder / "T2star.nii.gz"},
        regions={"half": RegionSource(folder / "half.nii.gz", "4")},
        units={"T2star": "ms"},
    )


@pytest.fixture(scope="module")
def run(case, tmp_path_factory):
    """The results of one run without report and scene."""
    out = tmp_path_factory.mktemp("run") / "results"
    result = analyze(case, out, TISSUES, command=["tool", "x"], report=False, scene=False)
    return out, result


def rows(path: Path) -> list[dict[str, str]]:
    with open(path, encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream, delimiter="\t"))


def test_all_files_and_no_others(run):
    out, _ = run
    assert set(os.listdir(out)) == {*IMAGES, *TABLES, "provenance.json"}
    assert os.listdir(out.parent) == ["results"]


def test_within_slices_angle_and_corrected_thickness_are_written_too(case, tmp_path):
    settings = {**TISSUES, "plane": "axial", "max_angle": 89.0}
    result = analyze(case, tmp_path / "out", settings, report=False, scene=False)
    extra = {"angle.nii.gz", "corrected_thickness.nii.gz"}
    assert set(os.listdir(tmp_path / "out")) == {*IMAGES, *TABLES, *extra, "provenance.json"}
    assert {*IMAGES, *TABLES, *extra} <= set(RESULTS)
    for name, values in (
        ("angle", result.angle),
        ("corrected_thickness", result.thickness_corrected),
    ):
        array = sitk.GetArrayFromImage(sitk.ReadImage(str(tmp_path / "out" / f"{name}.nii.gz")))
        assert array.dtype == np.float32
        inside = array.reshape(-1)[result.voxels]
        assert np.allclose(inside, np.nan_to_num(values), atol=2 * SMALLEST)
        assert (inside[np.isfinite(values)] > 0).all()
    measures = {
        r["measure"]: r for r in rows(tmp_path / "out" / "measures.tsv") if r["region"] == "half"
    }
    assert measures["angle_mean"]["unit"] == "deg"
    assert {"thickness_corrected_mean", "left_out_share"} <= set(measures)
    # Measured in 3D again, what belongs to slices goes.
    analyze(case, tmp_path / "out", TISSUES, report=False, scene=False)
    assert set(os.listdir(tmp_path / "out")) == {*IMAGES, *TABLES, "provenance.json"}


@pytest.mark.parametrize("name", IMAGES)
def test_images_lie_exactly_where_the_labels_lie(run, case, name):
    out, _ = run
    labels, image = (gzip.decompress(p.read_bytes()) for p in (case.labels, out / name))
    assert image[40:56] == labels[40:56]
    assert image[76:92] == labels[76:92]
    assert image[252:328] == labels[252:328]


@pytest.mark.parametrize("name, dtype", IMAGES.items())
def test_images_hold_the_measurement(run, name, dtype):
    out, result = run
    array = sitk.GetArrayFromImage(sitk.ReadImage(str(out / name)))
    assert array.dtype == dtype
    values = getattr(result, name.removesuffix(".nii.gz"))
    inside = array.reshape(-1)[result.voxels]
    if name.startswith("depth"):
        # 0 means "no value" in the file, so the pial surface itself is written a little deeper.
        assert np.allclose(inside, np.nan_to_num(values), atol=2 * SMALLEST)
        assert np.array_equal(inside == 0, np.isnan(values))
    else:
        assert np.array_equal(inside, np.nan_to_num(values))
    array.reshape(-1)[result.voxels] = 0
    assert not array.any()


def test_images_say_what_outside_is(run):
    out, _ = run
    for name in IMAGES:
        text = sitk.ReadImage(str(out / name)).GetMetaData("descrip")
        assert "0 = " in text or "0 =" in text
        assert len(text) < 80 and text.split()[-1] in {"value", "outside"}


def test_the_known_thickness_is_found(run):
    _, result = run
    # A fifth of a voxel: how exact it is, the tests of the measurement say.
    assert result.value("thickness_mean") == pytest.approx(2.5, abs=0.1)
    assert set(result.regions) == {"ribbon", "half"}


def test_tables_hold_the_measurement(run):
    out, result = run
    for name, expected in (("measures", result.measures), ("profiles", result.profiles)):
        read = rows(out / f"{name}.tsv")
        assert len(read) == len(expected) > 0
        for row, item in zip(read, expected, strict=True):
            for column, text in row.items():
                value = getattr(item, column)
                if text == "n/a":
                    assert value == "" or np.isnan(value)
                elif isinstance(value, str):
                    assert text == value
                else:
                    assert float(text) == pytest.approx(float(value), rel=1e-8)


def test_provenance(run, case):
    out, result = run
    record = json.loads((out / "provenance.json").read_text(encoding="utf-8"))
    assert record["command"] == ["tool", "x"]
    assert record["settings"] == json.loads(result.settings.to_json())
    assert {source["role"] for source in record["inputs"]} == {
        "labels", "map T2star", "region half",
    }  # fmt: skip
    for source in record["inputs"]:
        assert source["sha256"] == hashlib.sha256(Path(source["path"]).read_bytes()).hexdigest()
    assert set(record["outputs"]) == {*IMAGES, *TABLES}
    for name, output in record["outputs"].items():
        assert output["sha256"] == hashlib.sha256((out / name).read_bytes()).hexdigest()
    assert {"reading", "images", "tables", "total"} <= set(record["seconds"])
    assert record["seconds"]["total"] >= record["seconds"]["reading"]


def test_the_same_input_gives_the_same_files(run, case, tmp_path):
    out, _ = run
    analyze(case, tmp_path / "again", TISSUES, command=["tool", "x"], report=False, scene=False)
    for name in [*IMAGES, *TABLES]:
        assert (tmp_path / "again" / name).read_bytes() == (out / name).read_bytes(), name
    first, second = (
        json.loads((f / "provenance.json").read_text()) for f in (out, tmp_path / "again")
    )
    changing = {"started", "finished", "seconds", "peak_memory_mib"}
    assert {k: v for k, v in first.items() if k not in changing} == {
        k: v for k, v in second.items() if k not in changing
    }


def test_the_files_give_what_the_arrays_give(run):
    """Reading and writing change nothing: the same measurement without any file."""
    _, result = run
    labels, map_, region = slab()
    region = Image((region.array == 4).astype(np.uint8), region.grid)
    settings = Settings(gm=(GM,), wm=(WM,), csf=(CSF,))
    direct = measure(labels, settings, {"T2star": map_}, {"half": region}, {"T2star": "ms"})
    # The header holds the spacing in single precision.
    assert np.allclose(direct.thickness, result.thickness, rtol=1e-6, equal_nan=True)
    for ours, theirs in zip(direct.measures, result.measures, strict=True):
        assert ours.value == pytest.approx(theirs.value, rel=1e-4, nan_ok=True), ours


def test_progress_runs_from_0_to_1(case, tmp_path):
    steps: list[tuple[str, float]] = []
    analyze(case, tmp_path, TISSUES, lambda *step: steps.append(step), report=False, scene=False)
    fractions = [fraction for _, fraction in steps]
    assert fractions == sorted(fractions)
    assert (fractions[0], fractions[-1]) == (0, 1)


def test_a_progress_that_raises_stops_it(case, tmp_path):
    class StopNow(Exception):
        pass

    def stop(step: str, fraction: float) -> None:
        if fraction > 0.3:
            raise StopNow

    with pytest.raises(StopNow):
        analyze(case, tmp_path / "out", TISSUES, stop, report=False, scene=False)
    assert os.listdir(tmp_path) == []


def test_a_second_run_takes_away_what_it_does_not_write(case, tmp_path):
    """A report of an earlier run would otherwise stand beside the numbers of another."""
    (tmp_path / "notes.txt").write_text("mine")
    analyze(case, tmp_path, TISSUES, scene=False)
    assert (tmp_path / "report.html").exists()
    analyze(case, tmp_path, TISSUES, report=False, scene=False)
    assert not (tmp_path / "report.html").exists()
    assert (tmp_path / "notes.txt").read_text() == "mine"


def test_without_slicer_there_is_no_scene_and_it_is_said(case, tmp_path, monkeypatch):
    monkeypatch.setattr(analyze_module, "has_slicer", lambda: False)
    result = analyze(case, tmp_path, TISSUES)
    assert set(os.listdir(tmp_path)) == {*IMAGES, *TABLES, "provenance.json", "report.html"}
    said = [f.message for f in result.findings if f.code == "scene_skipped"]
    assert len(said) == 1 and "pip install slicer-core" in said[0]


def test_everything_is_written(case, tmp_path):
    pytest.importorskip("slicer", reason="slicer-core is not installed")
    result = analyze(case, tmp_path / "out", TISSUES)
    assert set(os.listdir(tmp_path / "out")) == {
        *IMAGES, *TABLES, "provenance.json", "report.html", "scene.mrb",
    }  # fmt: skip
    assert {"report", "scene"} <= set(result.seconds)


@pytest.mark.parametrize("name", IMAGES)
def test_slicer_reads_the_images_where_the_labels_lie(run, case, name):
    """Slicer reverses the slices of a mirrored image; it does so with labels and result alike."""
    out, _ = run
    image, matrix = slicer_volume(out / name)
    labels, labels_matrix = slicer_volume(case.labels)
    assert np.array_equal(matrix, labels_matrix)
    assert not image[labels != GM].any()
    assert np.count_nonzero(image) == np.count_nonzero(read_image(out / name).image.array) > 0


def slicer_volume(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Voxels (k, j, i) and IJK-to-RAS matrix as Slicer's own reader gives them."""
    slicer = pytest.importorskip("slicer", reason="slicer-core is not installed")
    import vtk
    from vtk.util.numpy_support import vtk_to_numpy

    scene = slicer.vtkMRMLScene()
    node = scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode")
    storage = slicer.vtkMRMLVolumeArchetypeStorageNode()
    storage.SetFileName(str(path))
    assert storage.ReadData(node)
    matrix = vtk.vtkMatrix4x4()
    node.GetIJKToRASMatrix(matrix)
    data = node.GetImageData()
    array = vtk_to_numpy(data.GetPointData().GetScalars()).reshape(data.GetDimensions()[::-1])
    values = [matrix.GetElement(row, column) for row in range(4) for column in range(4)]
    return array.copy(), np.reshape(values, (4, 4))


@pytest.mark.parametrize("name", ["measures", "profiles"])
def test_slicer_reads_the_tables(run, name):
    slicer = pytest.importorskip("slicer", reason="slicer-core is not installed")
    out, _ = run
    scene = slicer.vtkMRMLScene()
    node = scene.AddNewNodeByClass("vtkMRMLTableNode")
    storage = slicer.vtkMRMLTableStorageNode()
    storage.SetFileName(str(out / f"{name}.tsv"))
    assert storage.ReadData(node)
    table = node.GetTable()
    expected = rows(out / f"{name}.tsv")
    assert table.GetNumberOfRows() == len(expected)
    assert [table.GetColumnName(c) for c in range(table.GetNumberOfColumns())] == [*expected[0]]
    for index, row in enumerate(expected):
        for column, text in row.items():
            assert table.GetValueByName(index, column).ToString() == text


def test_what_is_told_names_files_as_given_and_what_is_written_does_not(case, tmp_path):
    labels = tmp_path / "Quixotic.nii.gz"
    raw = bytearray(gzip.decompress(case.labels.read_bytes()))
    raw[252:256] = bytes(4)  # qform_code and sform_code
    labels.write_bytes(gzip.compress(bytes(raw)))
    inputs, out = AnalyzeInputs(labels=labels), tmp_path / "out"
    result = analyze(inputs, out, TISSUES, scene=False, called={labels: "labels.nii.gz"})
    (told,) = [f.message for f in result.findings if f.code == "no_orientation"]
    assert told.startswith(f"{labels} does not say")
    for name in ("report.html", "provenance.json"):
        text = (out / name).read_text()
        assert "labels.nii.gz does not say" in text and "Quixotic" not in text


def test_labels_of_another_format_give_the_same(case, run, tmp_path):
    """A grid that comes without NIfTI fields is written from its matrix."""
    out, _ = run
    path = tmp_path / "labels.nrrd"
    sitk.WriteImage(sitk.ReadImage(str(case.labels)), str(path))
    analyze(AnalyzeInputs(path), tmp_path / "out", TISSUES, report=False, scene=False)
    for name in IMAGES:
        ours, theirs = (read_image(f / name).image for f in (tmp_path / "out", out))
        assert np.allclose(ours.array, theirs.array, atol=1e-5)
        assert ours.grid.same_as(theirs.grid, 1e-4)


@pytest.mark.parametrize(
    "settings, message",
    [
        ({}, "No gray-matter label"),
        ({"gm": GM, "csf": CSF}, "No white-matter label"),
        ({"gm": GM, "wm": WM}, "No CSF or opposite-bank label"),
        ({**TISSUES, "gm": "GM"}, "no segment names"),
        ({**TISSUES, "gm": "3,2"}, "given as both gray matter and white matter"),
        ({**TISSUES, "layer": 3}, "Unknown setting layer"),
        ({**TISSUES, "layers": "many"}, 'layers is "many"'),
        ({**TISSUES, "layers": 0}, "layers must be between"),
        ({**TISSUES, "plane": "oblique"}, "plane must be one of"),
    ],
)
def test_settings_that_cannot_be_used(case, tmp_path, settings, message):
    with pytest.raises(InputError, match=message):
        analyze(case, tmp_path / "out", settings, report=False, scene=False)
    assert os.listdir(tmp_path) == []


def test_names_that_cannot_be_used(case, tmp_path):
    region = RegionSource(case.labels, "3")
    with pytest.raises(InputError, match="cannot be called ribbon"):
        analyze(AnalyzeInputs(case.labels, regions={"ribbon": region}), tmp_path, TISSUES)
    with pytest.raises(InputError, match="unit is given for T1"):
        analyze(AnalyzeInputs(case.labels, units={"T1": "ms"}), tmp_path, TISSUES)


def test_hand_knob(shared_data, tmp_path):
    """Real 7 T data, rim labels, a map on a coarser grid."""
    folder = shared_data / "hand_knob_7t"
    inputs = AnalyzeInputs(folder / "rim.nii.gz", {"T1": folder / "T1w_epi.nii.gz"})
    settings = {"gm": 3, "wm": 2, "csf": 1, "label_style": "rim"}
    result = analyze(inputs, tmp_path / "out", settings, report=False, scene=False)
    # Islands and holes up to 1 mm3 may change the number by as many voxels.
    assert len(result.voxels) == pytest.approx(838_044, rel=0.02)
    # LN2_LAYERS finds a median of 3.05 mm, with a border that is up to two voxels farther out.
    assert 2.4 < np.nanmedian(result.thickness) < 3.3
    assert np.isfinite(result.thickness).mean() > 0.9
    thickness = read_image(tmp_path / "out" / "thickness.nii.gz").image
    assert thickness.grid.same_as(read_image(inputs.labels).image.grid, 0)
