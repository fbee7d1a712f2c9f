"""The results are a BIDS derivative dataset, as the BIDS validator itself judges."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from ALSMotorCortexLib.batch import derivative
from ALSMotorCortexLib.batch.collect import collect
from ALSMotorCortexLib.batch.derivative import check_folder, file_name, result_of, write_dataset
from ALSMotorCortexLib.batch.job import DONE, Job
from ALSMotorCortexLib.batch.participant import measure_unit
from ALSMotorCortexLib.cortex.errors import InputError
from ALSMotorCortexLib.study.bids_dataset import Dataset
from ALSMotorCortexLib.study.bids_names import BidsName, Unit
from bids_study import QUICK, Study

VALIDATOR = shutil.which("bids-validator-deno", path=os.path.dirname(sys.executable))
needs_validator = pytest.mark.skipif(
    VALIDATOR is None, reason="the BIDS validator is not installed (bids-validator-deno)"
)


@pytest.fixture(scope="module")
def dataset(tmp_path_factory) -> Path:
    """Results of a participant with sessions and echoes, and of one with a map."""
    study = Study(tmp_path_factory.mktemp("study") / "raw")
    study.with_echoes("01", "a")
    study.with_echoes("01", "b")
    study.with_map("02")
    out = study.root / "derivatives" / "als-motor-cortex"
    job = Job(study.root, out, (study.labels,), QUICK, scene=True)
    raw = Dataset(study.root, "raw")
    write_dataset(out, raw, [Dataset(study.labels, "segmentations")], False)
    for unit in raw.units():
        outcome = measure_unit(job, unit)
        assert outcome.status == DONE, outcome.reason
    collect(raw, out)
    (out / "study").mkdir()  # where groups are compared
    (out / "study" / "comparisons.tsv").write_text("a\tb\n1\t2\n")
    return out


def issues(folder: Path) -> dict[str, set[str]]:
    """What the validator finds, by severity."""
    assert VALIDATOR
    run = subprocess.run([VALIDATOR, str(folder), "--json"], capture_output=True, text=True)
    found: dict[str, set[str]] = {}
    for issue in json.loads(run.stdout)["issues"]["issues"]:
        text = f"{issue['code']} {issue.get('subCode', '')} {issue.get('location', '')}"
        found.setdefault(issue["severity"], set()).add(text)
    return found


@needs_validator
def test_the_validator_finds_no_error(dataset):
    found = issues(dataset)
    assert not found.get("error"), found
    assert found.get("warning", set()) <= {
        "NO_AUTHORS Authors /dataset_description.json",
        "TOO_FEW_AUTHORS  /dataset_description.json",
    }


@needs_validator
def test_the_validator_would_find_wrong_names(dataset, tmp_path):
    copy = shutil.copytree(dataset, tmp_path / "copy")
    folder = copy / "sub-02" / "anat"
    image = folder / "sub-02_space-orig_desc-layers_dseg.nii.gz"
    shutil.copy(image, folder / "sub-02_desc-layers_space-orig_dseg.nii.gz")  # order
    shutil.copy(image, folder / "sub-02_foo-1_dseg.nii.gz")  # no such entity
    (copy / ".bidsignore").unlink()
    codes = {text.split()[0] for text in issues(copy)["error"]}
    assert {"FILENAME_MISMATCH", "NOT_INCLUDED"} <= codes


def test_every_name_has_bids_form_and_ignored_are_only_those_without_a_rule(dataset):
    for path in dataset.rglob("sub-*"):
        if path.is_dir() or ".locks" in path.parts:
            continue
        name = BidsName.parse(path.name)
        if path.suffix == ".html":
            assert path.parent == dataset
            continue
        assert name and str(name) == path.name
        unit = Unit(name.entities["sub"], name.entities.get("ses", ""))
        assert path.parent == dataset / unit.folder / "anat"
    ignored = (dataset / ".bidsignore").read_text().split()
    assert not any(suffix in " ".join(ignored) for suffix in ("dseg", "T2star", "R2star", "S0"))


def test_the_description_names_maker_and_sources(dataset):
    description = json.loads((dataset / "dataset_description.json").read_text())
    assert description["DatasetType"] == "derivative"
    assert description["GeneratedBy"][0]["Name"] == "ALSMotorCortex"
    assert description["DatasetLinks"] == {"raw": "../..", "segmentations": "../labels"}
    for sidecar in dataset.rglob("*_map.json"):
        for uri in json.loads(sidecar.read_text())["Sources"]:
            _, link, path = uri.split(":")
            assert (dataset / description["DatasetLinks"][link] / path).is_file()


def test_links_name_no_folder_that_may_be_a_person(tmp_path):
    raw = Dataset(Study(tmp_path / "DOE_JOHN" / "raw").root, "raw")
    for out, link in {
        raw.root / "derivatives" / "x": "../..",
        tmp_path / "DOE_JOHN" / "out": "../raw",
        tmp_path / "out": None,
    }.items():
        write_dataset(out, raw, [], False)
        links = json.loads((out / "dataset_description.json").read_text())["DatasetLinks"]
        assert links.get("raw") == link
    write_dataset(tmp_path / "out", raw, [], True)
    assert "DOE_JOHN" in (tmp_path / "out" / "dataset_description.json").read_text()


def test_names_of_results():
    unit = Unit("01", "a")
    assert file_name(unit, result_of("thickness"), ".nii.gz", "orig") == (
        "sub-01_ses-a_space-orig_desc-thickness_map.nii.gz"
    )
    assert file_name(unit, result_of("profiles"), ".tsv", "orig") == (
        "sub-01_ses-a_desc-laminar_profile.tsv"
    )
    assert file_name(unit, result_of("combined_snr"), ".nii.gz", "T1w") == (
        "sub-01_ses-a_space-T1w_desc-combinedSnr_T2starw.nii.gz"
    )
    # What a later version adds has a name too.
    assert file_name(unit, result_of("new_image"), ".nii.gz", "orig") == (
        "sub-01_ses-a_space-orig_desc-newImage_map.nii.gz"
    )


def test_folders_that_would_mix_datasets_are_refused(tmp_path):
    study = Study(tmp_path / "raw")
    with pytest.raises(InputError, match="input dataset .* itself"):
        check_folder(study.root / ".", study.root)
    with pytest.raises(InputError, match="holds another dataset"):
        check_folder(study.labels, study.root)
    check_folder(tmp_path / "new", study.root)


def test_what_a_user_wrote_in_the_folder_stays(tmp_path):
    study, out = Study(tmp_path / "raw"), tmp_path / "out"
    out.mkdir()
    (out / "README.md").write_text("mine")
    (out / ".bidsignore").write_text("*.mine\n")
    for _ in range(2):
        derivative.write_dataset(out, Dataset(study.root, "raw"), [], whole_paths=True)
        assert (out / "README.md").read_text() == "mine"
        lines = (out / ".bidsignore").read_text().splitlines()
        assert lines == ["*.mine", *derivative.IGNORED]
    (out / "README.md").unlink()
    for _ in range(2):
        derivative.write_dataset(out, Dataset(study.root, "raw"), [], whole_paths=True)
        assert (out / "README.md").read_text() == derivative.README


def test_layers_have_names():
    assert derivative.layer_table(3) == [(1, "superficial"), (2, "layer_2"), (3, "deep")]
    assert derivative.layer_table(1) == [(1, "layer_1")]


def test_a_file_is_written_whole_or_left_alone(tmp_path):
    path = tmp_path / "x"
    derivative.write_whole(path, "a\n")
    before = path.stat().st_mtime_ns
    derivative.write_whole(path, "a\n")
    assert path.stat().st_mtime_ns == before
    derivative.write_whole(path, "b\n")
    assert path.read_text() == "b\n" and [p.name for p in tmp_path.iterdir()] == ["x"]
