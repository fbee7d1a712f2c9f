"""Whoever the patient is, no result tells it unless it is asked to."""

from __future__ import annotations

import gzip
import importlib.util
import io
import json
import struct
import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, generate_uid

from ALSMotorCortexLib import cli
from ALSMotorCortexLib.cortex.grid import Grid, Image
from ALSMotorCortexLib.cortex.result import Finding
from ALSMotorCortexLib.study.nifti import write_nifti
from ALSMotorCortexLib.study.privacy import Redaction, called, telling
from bids_study import QUICK, SHAPE, TIMES_S, Study, labels, regions

IDENTITY = {
    "PatientName": "Quixotic^Zebedee^Marmaduke",
    "PatientID": "PID-778899",
    "PatientBirthDate": "19460713",
    "PatientBirthTime": "031415",
    "PatientAddress": "7 Wobbleton Crescent",
    "PatientTelephoneNumbers": "555-778899",
    "OtherPatientNames": "Quixotic^Zeb",
    "PatientMotherBirthName": "Featherstonehaugh",
    "AccessionNumber": "ACC-665544",
    "StudyID": "STUDY-332211",
    "StudyDescription": "Quixotic brain",
    "SeriesDescription": "t2star of Zebedee",
    "ProtocolName": "for Quixotic",
    "InstitutionName": "Wobbleton Infirmary",
    "ReferringPhysicianName": "Grimpenmire^Aloysius",
    "OperatorsName": "Grimpenmire^Bob",
    "StudyInstanceUID": generate_uid(),
    "SeriesInstanceUID": generate_uid(),
    "FrameOfReferenceUID": generate_uid(),
}
# Parts of the identity that must not be found, in whatever order and spelling they stand.
NEEDLES = (
    "Quixotic", "Zebedee", "Marmaduke", "778899", "19460713", "1946-07-13", "13.07.1946",
    "Wobbleton", "Featherstonehaugh", "665544", "332211", "Grimpenmire",
    *(value for key, value in IDENTITY.items() if key.endswith("UID")),
)  # fmt: skip
FOLDER = "Quixotic_Zebedee_19460713"


def contents(path: Path) -> Iterator[tuple[str, bytes]]:
    """Every file's name and bytes, with those inside archives and compressed files."""
    for file in sorted(path.rglob("*")):
        yield f"name of {file}", file.relative_to(path).as_posix().encode()
        if file.is_file():
            yield from unpacked(str(file), file.read_bytes())


def unpacked(name: str, data: bytes) -> Iterator[tuple[str, bytes]]:
    yield name, data
    if data[:2] == b"\x1f\x8b":
        yield from unpacked(f"{name}, unpacked", gzip.decompress(data))
    elif data[:4] == b"PK\x03\x04":
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            for inner in archive.namelist():
                yield f"name in {name}", inner.encode()
                yield from unpacked(f"{name}: {inner}", archive.read(inner))


def found_in(path: Path) -> set[tuple[str, str]]:
    """Which needles are where, in single bytes or two bytes a letter, in any case."""
    found = set()
    for name, data in contents(path):
        plain = data.lower()
        for needle in NEEDLES:
            low = needle.lower()
            if any(low.encode(code) in plain for code in ("ascii", "utf-16-le", "utf-16-be")):
                found.add((needle, name))
    return found


@pytest.fixture
def home(tmp_path) -> Path:
    """A folder that is called by the patient's name."""
    (tmp_path / FOLDER).mkdir()
    return tmp_path / FOLDER


def dicom(folder: Path) -> Path:
    """A multi-echo series of the slab; its header holds the whole identity."""
    folder.mkdir(parents=True)
    for echo, time in enumerate(TIMES_S):
        for k in range(SHAPE[0]):
            path = folder / f"{IDENTITY['PatientID']}_{echo}_{k}.dcm"
            meta = FileMetaDataset()
            meta.TransferSyntaxUID = ExplicitVRLittleEndian
            meta.MediaStorageSOPClassUID = "1.2.840.10008.5.1.4.1.1.4"
            meta.MediaStorageSOPInstanceUID = generate_uid()
            ds = FileDataset(str(path), {}, file_meta=meta, preamble=b"\0" * 128)
            for key, value in IDENTITY.items():
                setattr(ds, key, value)
            ds.SOPClassUID = meta.MediaStorageSOPClassUID
            ds.SOPInstanceUID = meta.MediaStorageSOPInstanceUID
            ds.Modality, ds.SeriesNumber, ds.EchoTime = "MR", 7, 1000 * time
            ds.ImageType = ["ORIGINAL", "PRIMARY", "M", "ND"]
            ds.Rows, ds.Columns = SHAPE[1:]
            ds.SamplesPerPixel, ds.PhotometricInterpretation = 1, "MONOCHROME2"
            ds.BitsAllocated = ds.BitsStored = 16
            ds.HighBit, ds.PixelRepresentation = 15, 0
            ds.ImagePositionPatient = [0.0, 0.0, 0.5 * k]
            ds.ImageOrientationPatient = [1.0, 0, 0, 0, 1, 0]
            ds.PixelSpacing, ds.SliceThickness = [0.5, 0.5], 0.5
            ds.PixelData = signal(echo)[k].astype(np.uint16).tobytes()
            ds.save_as(path, enforce_file_format=True)
    return folder


def signal(echo: int) -> np.ndarray:
    rng = np.random.default_rng(echo)
    return 1000 * np.exp(-TIMES_S[echo] / 0.03) + rng.normal(scale=2, size=SHAPE)


def image(path: Path, array: np.ndarray) -> Path:
    """A NIfTI file on the grid of the DICOM series, with a name in its header."""
    grid = Grid(SHAPE, np.diag([-0.5, -0.5, 0.5, 1]))
    write_nifti(Image(array, grid), path, "Quixotic^Zebedee")
    raw = bytearray(gzip.decompress(path.read_bytes()))
    struct.pack_into("<24s", raw, 228, b"Zebedee aux file")
    path.write_bytes(gzip.compress(bytes(raw)))
    return path


def settings(folder: Path) -> str:
    path = folder / "Quixotic settings.json"
    path.write_text(json.dumps(QUICK))
    return str(path)


def analyze(home: Path, out: Path, *more: str) -> list[str]:
    tissue = image(home / "Zebedee_labels.nii.gz", labels())
    part = image(home / "19460713 regions.nii.gz", regions())
    ready = image(home / "Quixotic_T1.nii.gz", np.full(SHAPE, 1500, np.float32))
    return [
        "analyze", "--labels", str(tissue), "--gm", "3", "--wm", "2", "--csf", "1",
        "--region", f"left_hand={part}:1", "--region", str(part), "--map", str(ready),
        "--out", str(out),
        "--settings", settings(home), "--echoes", str(dicom(home / "PID-778899")), *more,
    ]  # fmt: skip


def test_the_search_finds_what_the_inputs_hold(home):
    analyze(home, home / "results")
    found = {needle for needle, _ in found_in(home)}
    assert found >= {needle for needle in NEEDLES if "-07-" not in needle and ".07." not in needle}


def test_maps(home, capfd):
    out = home / "results"
    assert cli.main(["maps", "--echoes", str(dicom(home / "PID-778899")), "--out", str(out)]) == 0
    assert (out / "T2star.nii.gz").is_file()
    assert found_in(out) == set()


@pytest.mark.skipif(importlib.util.find_spec("slicer") is None, reason="needs slicer-core")
def test_analyze_with_scene_and_report(home, capfd):
    out = home / "results"
    assert cli.main(analyze(home, out)) == 0, capfd.readouterr().err
    assert {"scene.mrb", "report.html", "provenance.json"} <= {p.name for p in out.iterdir()}
    assert found_in(out) == set()


def test_relative_paths_too(home, capfd, monkeypatch):
    monkeypatch.chdir(home.parent)
    arguments = analyze(Path(FOLDER), Path(FOLDER) / "results", "--no-scene")
    assert cli.main(arguments) == 0
    assert found_in(home / "results") == set()


@pytest.mark.parametrize("scene", [[], ["--scene"]])
def test_bids(home, capfd, scene):
    if scene and importlib.util.find_spec("slicer") is None:
        pytest.skip("needs slicer-core")
    study = Study(home / "Quixotic raw")
    for path in study.with_echoes("01", "a"):
        sidecar = path.with_name(path.name.replace(".nii.gz", ".json"))
        sidecar.write_text(json.dumps({**json.loads(sidecar.read_text()), **IDENTITY}))
        raw = bytearray(gzip.decompress(path.read_bytes()))
        struct.pack_into("<20s", raw, 148, b"Zebedee Quixotic")
        path.write_bytes(gzip.compress(bytes(raw)))
    study.with_map("02")
    groups = "".join(f"sub-0{n}\t{'ALS' if n == 1 else 'control'}\n" for n in (1, 2, 3))
    (study.root / "participants.tsv").write_text("participant_id\tgroup\n" + groups)
    study.label("03")  # fails, and its reason is written
    (study.root / "sub-03").mkdir()
    out = home / "results"
    options = ["--settings", settings(home), "--jobs", "2", *scene]
    assert cli.main(["bids", str(study.root), str(out), "participant", *options]) == 2
    assert cli.main(["bids", str(study.root), str(out), "group"]) == 0
    assert (out / "sub-01_ses-a.html").is_file() and (out / "logs" / "sub-03_error.txt").is_file()
    assert bool(list(out.rglob("*.mrb"))) is bool(scene)
    assert found_in(out) == set()


def test_what_asking_for_it_adds(home, capfd):
    out = home / "results"
    assert cli.main(analyze(home, out, "--no-scene", "--keep-patient-identity")) == 0
    record = json.loads((out / "provenance.json").read_text())
    paths = {entry["role"].split(",")[0]: entry["path"] for entry in record["inputs"]}
    assert paths["labels"] == str(home / "Zebedee_labels.nii.gz")
    assert str(out) in record["command"]
    descriptions = [entry.get("series_description") for entry in record["inputs"]]
    assert IDENTITY["SeriesDescription"] in descriptions
    # What is nowhere needed is not written even then.
    assert {needle for needle, _ in found_in(out)} <= {
        "Quixotic", "Zebedee", "19460713", "778899",
    }  # fmt: skip


def test_texts_are_replaced_where_they_stand_alone():
    paths = {Path("/data/Doe/a.nii"): "labels.nii", Path("/data/Doe"): "raw"}
    redaction = Redaction(paths)
    for text, expected in {
        "/data/Doe/a.nii": "labels.nii",
        "T2=/data/Doe/a.nii:3": "T2=labels.nii:3",
        "In a.nii there is a hole.": "In labels.nii there is a hole.",
        "/data/Doe/b.nii": "raw/b.nii",
        "extra.nii a.nii2 /data/Doer": "extra.nii a.nii2 input/Doer",
        "Tissues a and b": "Tissues a and b",
    }.items():
        assert redaction.text(text) == expected
    (finding,) = redaction.findings([Finding("x", "See a.nii.", True)])
    assert finding == Finding("x", "See labels.nii.", True)
    record = redaction.plain({"path": Path("/data/Doe/a.nii"), "series_description": "Doe", "n": 3})
    assert record == {"path": "labels.nii", "n": 3}


def test_names_keep_extensions_and_nothing_else():
    for path, name in {
        "x/Doe.nii.gz": "map-T2_.nii.gz",
        "x/Doe.seg.nrrd": "map-T2_.seg.nrrd",
        "Doe.mrk.json": "map-T2_.mrk.json",
        "Doe": "map-T2_",
        "Doe.J.nii": "map-T2_.nii",
    }.items():
        assert called("map-T2*", Path(path)) == name


def test_names_from_files_hold_only_what_the_image_is():
    for stem, name in {
        "t2star": "t2star",
        "Doe_John_T2star": "T2star",
        "19460713_left_hand": "left_hand",
        "Doe": "map",
        "T2starDoe": "map",
        "Handley": "map",
    }.items():
        assert telling(stem, "map") == name
    assert telling("a", "map", ["map", "map_2"]) == "map_3"
