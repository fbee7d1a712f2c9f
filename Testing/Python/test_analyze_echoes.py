"""``analyze`` with echoes in place of maps, in every form that they come in."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pydicom
import pytest
import SimpleITK as sitk
from numpy.typing import NDArray
from pydicom.uid import ExplicitVRLittleEndian, generate_uid

from ALSMotorCortexLib import cli
from ALSMotorCortexLib.analyze import AnalyzeInputs, analyze
from ALSMotorCortexLib.cortex.errors import InputError
from ALSMotorCortexLib.cortex.grid import Grid, Image
from ALSMotorCortexLib.cortex.phantoms import make
from ALSMotorCortexLib.cortex.shapes import CSF, GM, WM, Slab
from ALSMotorCortexLib.maps import MEASURED, EchoSource, MapOptions
from ALSMotorCortexLib.study.images import read_image
from ALSMotorCortexLib.study.nifti import write_nifti
from ALSMotorCortexLib.study.provenance import sha256

TISSUES = {"gm": GM, "wm": WM, "csf": CSF}
TIMES = (4.0, 12.0, 20.0, 28.0)
SPACING = (0.5, 0.5, 0.5)
PIAL, DEEP = 40.0, 24.0  # T2* in ms at both ends of the cortex
SIGMA = 2.0


def phantom_depth() -> tuple[Image, NDArray[np.float32]]:
    """Labels, and the depth of every voxel; NaN outside the cortex."""
    phantom = make(Slab(3.0, 3.0, 3.0), SPACING, np.random.default_rng(0), np.eye(3))
    grid = Grid.from_spacing(phantom.grid.shape, SPACING)
    return Image(phantom.labels.array, grid), phantom.depth_equivolume


def true_t2star(depth: NDArray) -> NDArray:
    return PIAL + (DEEP - PIAL) * depth


def mean_t2star() -> float:
    return float(np.nanmean(true_t2star(phantom_depth()[1])))


@pytest.fixture(scope="module")
def slab() -> tuple[Image, list[NDArray]]:
    """Labels, and echoes of a cortex whose T2* falls evenly from the pial surface inwards."""
    labels, depth = phantom_depth()
    grid = labels.grid
    t2star = true_t2star(np.nan_to_num(depth, nan=0.5))
    rng = np.random.default_rng(1)
    echoes = []
    for time in TIMES:
        parts = [rng.normal(part, SIGMA, grid.shape) for part in (400 * np.exp(-time / t2star), 0)]
        echoes.append(np.hypot(*parts).astype(np.float32))
    return labels, echoes


# --- forms that echoes come in -----------------------------------------------------------


def files(folder: Path, grid: Grid, echoes: list[NDArray]) -> list[str]:
    paths = [folder / f"e{n}.nii.gz" for n in range(len(echoes))]
    for path, array in zip(paths, echoes, strict=True):
        write_nifti(Image(array, grid), path)
    return [*map(str, paths), "--te", *(f"{t:g}" for t in TIMES)]


def four_dimensions(folder: Path, grid: Grid, echoes: list[NDArray]) -> list[str]:
    volumes = []
    for array in echoes:
        volume = sitk.GetImageFromArray(array)
        volume.SetSpacing(SPACING)
        volume.SetDirection(np.diag([-1.0, -1.0, 1.0]).ravel())
        origin = grid.ijk_to_ras[:3, 3] * [-1, -1, 1]
        volume.SetOrigin(origin.tolist())
        volumes.append(volume)
    sitk.WriteImage(sitk.JoinSeries(volumes), str(folder / "all.nii.gz"))
    return [str(folder / "all.nii.gz"), "--te", *(f"{t / 1000:g}" for t in TIMES)]


def bids(folder: Path, grid: Grid, echoes: list[NDArray]) -> list[str]:
    anat = folder / "sub-01" / "anat"
    anat.mkdir(parents=True)
    for n, (time, array) in enumerate(zip(TIMES, echoes, strict=True), 1):
        name = f"sub-01_echo-{n}_part-mag_MEGRE"
        write_nifti(Image(array, grid), anat / f"{name}.nii.gz")
        (anat / f"{name}.json").write_text(json.dumps({"EchoTime": time / 1000}))
    return [str(folder / "sub-01")]


def dicom(folder: Path, grid: Grid, echoes: list[NDArray]) -> list[str]:
    series = generate_uid()
    (folder / "dicom").mkdir()
    lps = np.diag([-1.0, -1.0, 1.0, 1.0]) @ grid.ijk_to_ras
    for time, array in zip(TIMES, echoes, strict=True):
        for k, pixels in enumerate(array):
            ds = pydicom.Dataset()
            ds.SOPClassUID = "1.2.840.10008.5.1.4.1.1.4"
            ds.SOPInstanceUID = generate_uid()
            ds.Modality, ds.SeriesInstanceUID, ds.EchoTime = "MR", series, time
            ds.ImageType = ["ORIGINAL", "PRIMARY", "M"]
            ds.PixelSpacing, ds.SliceThickness = [0.5, 0.5], 0.5
            ds.ImagePositionPatient = (lps @ [0, 0, k, 1])[:3].tolist()
            ds.ImageOrientationPatient = (lps[:3, :2] / 0.5).T.ravel().tolist()
            ds.Rows, ds.Columns = pixels.shape
            ds.SamplesPerPixel, ds.PhotometricInterpretation = 1, "MONOCHROME2"
            ds.BitsAllocated = ds.BitsStored = 16
            ds.HighBit, ds.PixelRepresentation = 15, 0
            ds.RescaleSlope, ds.RescaleIntercept = 0.01, 0
            ds.PixelData = np.rint(pixels * 100).astype(np.uint16).tobytes()
            ds.file_meta = pydicom.dataset.FileMetaDataset()
            ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
            ds.file_meta.MediaStorageSOPClassUID = ds.SOPClassUID
            path = folder / "dicom" / f"{ds.SOPInstanceUID}.dcm"
            ds.save_as(path, enforce_file_format=True)
    return [str(folder / "dicom")]


@pytest.fixture
def labels(tmp_path: Path, slab: tuple[Image, list[NDArray]]) -> Path:
    write_nifti(slab[0], tmp_path / "labels.nii.gz")
    return tmp_path / "labels.nii.gz"


def arguments(labels: Path, *more: str) -> list[str]:
    own = ["--labels", str(labels), "--gm", str(GM), "--wm", str(WM), "--csf", str(CSF)]
    out = labels.parent / "out"
    return ["analyze", *own, "--out", str(out), "--no-report", "--no-scene", *more]


def value(out: Path, name: str, measure: str) -> tuple[float, str]:
    """Value and unit of one measure of the whole ribbon."""
    for line in (out / "measures.tsv").read_text().splitlines():
        region, map_name, found, number, unit = line.split("\t")
        if (region, map_name, found) == ("ribbon", name, measure):
            return float(number), unit
    raise KeyError((name, measure))


@pytest.mark.parametrize("form", [files, four_dimensions, bids, dicom])
def test_every_form_is_measured(
    labels: Path,
    slab: tuple[Image, list[NDArray]],
    capfd: pytest.CaptureFixture[str],
    form: Callable[[Path, Grid, list[NDArray]], list[str]],
) -> None:
    given = form(labels.parent, slab[0].grid, slab[1])
    assert cli.main(arguments(labels, "--echoes", *given)) == 0
    out = labels.parent / "out"
    _, depth = phantom_depth()
    for layer in (1, 2, 3):
        inside = (depth > (layer - 1) / 3) & (depth < layer / 3)
        true = true_t2star(depth[inside])
        measured, unit = value(out, "T2star", f"layer_{layer}_mean")
        assert unit == "ms"
        assert measured == pytest.approx(true.mean(), rel=0.015)
        rate = value(out, "R2star", f"layer_{layer}_mean")[0]
        assert rate == pytest.approx((1000 / true).mean(), rel=0.015)
    assert value(out, "R2star", "mean")[1] == "1/s"
    assert value(out, "combined_snr", "mean")[0] > 0
    assert "4 echoes at 4, 12, 20, 28 ms." in capfd.readouterr().err


def test_provenance_names_the_echoes_and_how_they_were_fitted(
    labels: Path, slab: tuple[Image, list[NDArray]]
) -> None:
    given = files(labels.parent, slab[0].grid, slab[1])
    more = ["--noise", str(SIGMA), "--fit", "loglinear", "--echo-maps", "R2star, T2star"]
    assert cli.main(arguments(labels, "--echoes", *given, *more)) == 0
    out = labels.parent / "out"
    record = json.loads((out / "provenance.json").read_text())
    sources = {source["role"]: source for source in record["inputs"]}
    for n in range(4):
        source = sources[f"echo {n + 1}"]
        assert source["path"] == f"echo-{n + 1}.nii.gz"
        assert source["sha256"] == sha256(given[n])
    assert record["echoes"]["settings"]["fit"] == "loglinear"
    assert record["echoes"]["settings"]["times"] == list(TIMES)
    assert record["echoes"]["maps"]["noise_sigma"] == SIGMA
    assert record["echoes"]["maps"]["echo_times_ms"] == list(TIMES)
    # The maps that were asked for are there to be looked at, and no others.
    written = {name for name in record["outputs"] if "star" in name or "combined" in name}
    assert written == {"T2star.nii.gz", "R2star.nii.gz"}
    with pytest.raises(KeyError):
        value(out, "combined_snr", "mean")


def test_maps_from_files_and_from_echoes_are_measured_together(
    labels: Path, slab: tuple[Image, list[NDArray]]
) -> None:
    given = files(labels.parent, slab[0].grid, slab[1])
    write_nifti(Image(np.full(slab[0].grid.shape, 7, np.float32), slab[0].grid),
                labels.parent / "mtr.nii.gz")  # fmt: skip
    more = ["--map", f"MTR={labels.parent / 'mtr.nii.gz'}", "--unit", "R2star=Hz"]
    assert cli.main(arguments(labels, "--echoes", *given, *more)) == 0
    out = labels.parent / "out"
    assert value(out, "MTR", "mean")[0] == pytest.approx(7)
    assert value(out, "T2star", "mean")[0] == pytest.approx(mean_t2star(), rel=0.01)
    assert value(out, "R2star", "mean")[1] == "Hz"
    written = read_image(out / "T2star.nii.gz").image
    assert written.grid.same_as(slab[0].grid)


def test_values_that_are_not_trusted_are_not_measured(
    labels: Path, slab: tuple[Image, list[NDArray]]
) -> None:
    """Half of the cortex without signal: the other half gives the numbers."""
    dark = [echo.copy() for echo in slab[1]]
    half = slab[0].grid.shape[2] // 2
    for echo in dark:
        noise = np.random.default_rng(3).normal(0, SIGMA, (2, *echo[:, :, :half].shape))
        echo[:, :, :half] = np.hypot(*noise)
    given = files(labels.parent, slab[0].grid, dark)
    assert cli.main(arguments(labels, "--echoes", *given, "--noise", str(SIGMA))) == 0
    out = labels.parent / "out"
    assert value(out, "T2star", "mean")[0] == pytest.approx(mean_t2star(), rel=0.01)
    missing = np.isnan(read_image(out / "T2star.nii.gz").image.array)
    assert missing[:, :, :half].mean() > 0.95 and missing[:, :, half:].mean() < 0.05


def test_a_caliper_is_measured_on_a_map_made_from_echoes(
    labels: Path, slab: tuple[Image, list[NDArray]]
) -> None:
    kji = (np.array(slab[0].grid.shape) - 1) / 2
    ends = [(slab[0].grid.ras(kji) + [0, y, 0]).tolist() for y in (-2.2, 2.2)]
    points = [{"position": p, "positionStatus": "defined"} for p in ends]
    line = {"type": "Line", "coordinateSystem": "RAS", "controlPoints": points}
    path = labels.parent / "line.mrk.json"
    path.write_text(json.dumps({"markups": [line]}))
    # CSF brighter and white matter darker than the cortex, so that there are edges to find.
    factor = np.ones(slab[0].array.shape)
    factor[slab[0].array == CSF], factor[slab[0].array == WM] = 2.0, 0.5
    echoes = [(echo * factor).astype(np.float32) for echo in slab[1]]
    given = files(labels.parent, slab[0].grid, echoes)
    out = labels.parent / "out"
    words = ["--caliper", str(path), "--echoes", *given, "--drawn-on", "combined_rss"]
    words += ["--echo-maps", "T2star,combined_rss", "--out", str(out)]
    assert cli.main(["analyze", *words]) == 0
    table = [row.split("\t") for row in (out / "markups.tsv").read_text().splitlines()]
    found = {row[2]: row[3] for row in table if row[1] == "combined_rss"}
    assert float(found["thickness"]) == pytest.approx(3.0, abs=0.2)
    record = json.loads((out / "provenance.json").read_text())
    assert record["echoes"]["maps"]["echo_times_ms"] == list(TIMES)
    assert {"T2star.nii.gz", "combined_rss.nii.gz"} <= set(record["outputs"])


@pytest.mark.parametrize(
    ("more", "words"),
    [
        (["--te", "4"], "4 echoes and 1 echo times"),
        (["--te", "4", "12", "8", "28"], "do not ascend"),
        (["--unit", "QSM=ppm"], "A unit is given for QSM"),
        (["--echo-maps", "T2"], "No map T2 is made from echoes"),
        (["--fit", "magic"], "--fit must be one of"),
        (["--map", "T2star=labels.nii.gz"], "T2star is made from the echoes and also given"),
    ],
)
def test_bad_echoes_are_said_and_nothing_is_lost(
    labels: Path,
    slab: tuple[Image, list[NDArray]],
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    more: list[str],
    words: str,
) -> None:
    monkeypatch.chdir(labels.parent)
    out = labels.parent / "out"
    out.mkdir()
    (out / "measures.tsv").write_text("old")
    given = files(labels.parent, slab[0].grid, slab[1])
    assert cli.main(arguments(labels, "--echoes", *given, *more)) == 2
    error = capfd.readouterr().err.splitlines()
    assert words in error[-1] and error[-1].startswith("Error: ")
    assert [p.name for p in out.iterdir()] == ["measures.tsv"]
    assert (out / "measures.tsv").read_text() == "old"


def test_a_fit_that_is_trusted_nowhere_is_said_with_its_cause(
    labels: Path, slab: tuple[Image, list[NDArray]], capfd: pytest.CaptureFixture[str]
) -> None:
    given = files(labels.parent, slab[0].grid, slab[1][::-1])
    assert cli.main(arguments(labels, "--echoes", *given)) == 2
    said = capfd.readouterr().err.splitlines()[-1]
    assert "trusted in no voxel. The signal grows from the echo at 4 ms" in said


@pytest.mark.parametrize("option", [["--te", "4", "8"], ["--bias"], ["--echo-maps", "S0"]])
def test_options_of_echoes_without_echoes(
    labels: Path, capfd: pytest.CaptureFixture[str], option: list[str]
) -> None:
    assert cli.main(arguments(labels, *option)) == 2
    assert f"{option[0]} is given, but no echoes." in capfd.readouterr().err


def test_progress_never_goes_back(labels: Path, slab: tuple[Image, list[NDArray]]) -> None:
    paths = tuple(Path(p) for p in files(labels.parent, slab[0].grid, slab[1])[:4])
    source = EchoSource(paths, MapOptions(times=TIMES))
    assert source.names == MEASURED
    seen: list[float] = []
    inputs = AnalyzeInputs(labels, echoes=source)
    analyze(inputs, labels.parent / "out", TISSUES, lambda step, done: seen.append(done),
            report=False, scene=False)  # fmt: skip
    assert seen == sorted(seen) and seen[-1] == 1


def test_stopping_while_fitting_leaves_old_results(
    labels: Path, slab: tuple[Image, list[NDArray]]
) -> None:
    paths = tuple(Path(p) for p in files(labels.parent, slab[0].grid, slab[1])[:4])

    def stop(step: str, done: float) -> None:
        if step == "fitting":
            raise InputError("stopped")

    inputs = AnalyzeInputs(labels, echoes=EchoSource(paths, MapOptions(times=TIMES)))
    with pytest.raises(InputError, match="stopped"):
        analyze(inputs, labels.parent / "out", TISSUES, stop, report=False, scene=False)
    assert not (labels.parent / "out").exists()
