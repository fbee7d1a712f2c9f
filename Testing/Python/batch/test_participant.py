"""One participant: whole or not at all, and only when something has changed."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest
import SimpleITK as sitk

import bids_study
from ALSMotorCortexLib.batch import participant
from ALSMotorCortexLib.batch.job import DONE, FAILED, UNCHANGED, Job
from ALSMotorCortexLib.batch.participant import error_log, measure_unit, record_path
from ALSMotorCortexLib.study import provenance
from ALSMotorCortexLib.study.bids_dataset import read_tsv
from ALSMotorCortexLib.study.bids_names import Unit
from ALSMotorCortexLib.study.images import read_image
from bids_study import (
    PROCESSES,
    QUICK,
    T2STAR_MS,
    THICKNESS,
    TIMES_S,
    Study,
    measure_and_die,
    snapshot,
)

UNIT = Unit("01")


@pytest.fixture
def study(tmp_path) -> Study:
    return Study(tmp_path / "raw")


def job_of(study: Study, **more) -> Job:
    return Job(study.root, study.root.parent / "out", (study.labels,), QUICK, **more)


def measures(job: Job, unit: Unit = UNIT) -> dict[tuple[str, str, str], tuple[float, str]]:
    path = job.out / unit.folder / "anat" / unit.file("measures", ".tsv", desc="cortical")
    return {
        (row["region"], row["map"], row["measure"]): (float(row["value"]), row["unit"])
        for row in read_tsv(path)
        if row["value"] != "n/a"
    }


def test_a_map_in_seconds_is_measured_in_ms(study):
    study.with_map("01")
    job = job_of(study)
    assert measure_unit(job, UNIT).status == DONE
    found = measures(job)
    assert found["ribbon", "n/a", "thickness_median"][0] == pytest.approx(THICKNESS, abs=0.05)
    assert found["ribbon", "T2star", "mean"] == (pytest.approx(T2STAR_MS, abs=0.1), "ms")
    assert ("left_hand", "T2star", "mean") in found


def test_a_map_in_ms_is_told_by_its_sidecar_or_its_values(study):
    path = study.with_map("01")
    seconds = read_image(path).image.array
    job = job_of(study)
    study.image(path, 1000 * seconds)
    measure_unit(job, UNIT)
    assert measures(job)["ribbon", "T2star", "mean"][0] == pytest.approx(T2STAR_MS, abs=0.1)
    study.json(path.with_name("sub-01_T2starmap.json"), {"Units": "ms"})
    study.image(path, seconds)  # whatever they look like, the sidecar says what they are
    measure_unit(job, UNIT)
    assert measures(job)["ribbon", "T2star", "mean"][0] == pytest.approx(T2STAR_MS / 1000, rel=0.01)


def test_echoes_become_maps_under_bids_names_and_units(study):
    study.with_echoes("01", "a")
    job, unit = job_of(study, scene=False), Unit("01", "a")
    outcome = measure_unit(job, unit)
    assert outcome.status == DONE, outcome.reason
    folder = job.out / unit.folder / "anat"
    t2star = read_image(folder / "sub-01_ses-a_space-orig_desc-fit_T2starmap.nii.gz").image.array
    assert float(np.nanmedian(t2star)) == pytest.approx(T2STAR_MS / 1000, rel=0.02)
    assert measures(job, unit)["ribbon", "T2star", "mean"] == (
        pytest.approx(T2STAR_MS, rel=0.02), "ms",
    )  # fmt: skip
    sidecar = json.loads((folder / "sub-01_ses-a_space-orig_desc-fit_T2starmap.json").read_text())
    assert sidecar["Units"] == "s" and len(sidecar["Sources"]) == 3
    assert (job.out / "sub-01_ses-a.html").is_file()


@pytest.mark.parametrize("per_second", [1, 1000])
def test_echo_times_in_seconds_or_ms_and_from_far_sidecars(study, per_second):
    for path, time in zip(study.with_echoes("01"), TIMES_S, strict=True):
        sidecar = path.with_name(path.name.replace(".nii.gz", ".json"))
        sidecar.unlink()
        echo = sidecar.name.split("_")[1]
        study.json(study.root / f"{echo}_MEGRE.json", {"EchoTime": per_second * time})
    job = job_of(study)
    assert measure_unit(job, UNIT).status == DONE
    assert measures(job)["ribbon", "T2star", "mean"][0] == pytest.approx(T2STAR_MS, rel=0.02)
    record = json.loads(record_path(job.out, UNIT).read_text())
    assert record["echoes"]["maps"]["echo_times_ms"] == [5, 12, 20]
    assert not [f for f in record["findings"] if f["code"] == "echo_time_unit"]


def test_a_segmentation_of_slicer_gives_the_same(study):
    study.with_map("01")
    job = job_of(study)
    measure_unit(job, UNIT)
    expected = measures(job)
    for path in (study.labels / "sub-01" / "anat").glob("*_dseg.nii.gz"):
        picture = sitk.ReadImage(str(path))
        table = read_tsv(path.with_name(path.name.replace(".nii.gz", ".tsv")))
        for n, row in enumerate(table):
            for key, text in {"ID": f"s{n}", "Name": row["name"], "LabelValue": row["index"],
                              "Layer": "0"}.items():  # fmt: skip
                picture.SetMetaData(f"Segment{n}_{key}", text)
        path.unlink()
        sitk.WriteImage(picture, str(path).replace(".nii.gz", ".seg.nrrd"))
    outcome = measure_unit(job, UNIT)
    assert outcome.status == DONE, outcome.reason
    found = measures(job)
    assert found.keys() == expected.keys()
    assert all(found[key][0] == pytest.approx(expected[key][0], rel=1e-5) for key in found)


def test_the_record_says_what_it_was_made_from_and_lists_every_file(study):
    source = study.with_map("01")
    job = job_of(study)
    measure_unit(job, UNIT)
    record = json.loads(record_path(job.out, UNIT).read_text())
    inputs = {entry["role"]: entry for entry in record["inputs"]}
    assert inputs["map T2star"]["path"] == "bids:raw:sub-01/anat/sub-01_T2starmap.nii.gz"
    assert inputs["map T2star"]["sha256"] == provenance.sha256(source)
    written = {path for path in snapshot(job.out) if not path.endswith("provenance.json")}
    assert set(record["outputs"]) == written
    for name, output in record["outputs"].items():
        assert provenance.sha256(job.out / name) == output["sha256"]


def test_every_file_has_its_columns_or_values_explained(study):
    study.with_map("01")
    job = job_of(study)
    measure_unit(job, UNIT)
    folder = job.out / "sub-01" / "anat"
    for table in folder.glob("*.tsv"):
        if "dseg" in table.name:
            continue
        sidecar = json.loads(table.with_suffix(".json").read_text())
        columns = table.read_text().splitlines()[0].split("\t")
        assert list(sidecar) == columns
        assert all(len(sidecar[column]["Description"]) > 8 for column in columns)
        if "measure" in columns:
            used = {row["measure"] for row in read_tsv(table)}
            assert set(sidecar["measure"]["Levels"]) == used
            assert all(sidecar["measure"]["Levels"].values())
    for image in folder.glob("*.nii.gz"):
        sidecar = json.loads(image.with_name(image.name[:-7] + ".json").read_text())
        assert sidecar["Description"] and sidecar["Sources"] and sidecar["SpatialReference"]


# Again --------------------------------------------------------------------------------------


def test_a_finished_participant_is_left_alone(study):
    study.with_map("01")
    job = job_of(study)
    measure_unit(job, UNIT)
    before = snapshot(job.out)
    assert measure_unit(job, UNIT).status == UNCHANGED
    # Neither does it matter where the datasets lie.
    moved = replace(job, raw=study.root.parent / "elsewhere", command=("other",))
    study.root.rename(moved.raw)
    moved = replace(moved, others=(moved.raw / "derivatives" / "labels",))
    assert measure_unit(moved, UNIT).status == UNCHANGED
    assert snapshot(job.out) == before


@pytest.mark.parametrize(
    "change",
    ["map", "labels", "names", "sidecar", "settings", "version", "echo options", "output gone",
     "output damaged", "report gone", "record damaged"],
)  # fmt: skip
def test_whatever_changed_is_measured_again(study, monkeypatch, change):
    path = study.with_map("01")
    job = job_of(study)
    measure_unit(job, UNIT)
    label = study.labels / "sub-01" / "anat" / "sub-01_desc-cortex_dseg.nii.gz"
    thickness = job.out / "sub-01/anat/sub-01_space-orig_desc-thickness_map.nii.gz"
    if change == "map":
        study.image(path, read_image(path).image.array * np.float32(1.01))
    elif change == "labels":
        array = read_image(label).image.array.copy()
        array[0, 0, 11] = 1
        study.image(label, array)
    elif change == "names":
        table = label.with_name("sub-01_desc-regions_dseg.tsv")
        table.write_text(table.read_text().replace("left_hand", "left_foot"))
    elif change == "sidecar":
        study.json(path.with_name("sub-01_T2starmap.json"), {"Units": "s"})
    elif change == "settings":
        job = replace(job, settings={**QUICK, "layers": 4})
    elif change == "version":
        monkeypatch.setattr(participant, "__version__", "9.9")
    elif change == "echo options":
        job = replace(job, echo_options={"fit": "loglinear"})
    elif change == "output gone":
        thickness.unlink()
    elif change == "output damaged":
        thickness.write_bytes(thickness.read_bytes()[:-5])
    elif change == "report gone":
        (job.out / "sub-01.html").unlink()
    else:
        record_path(job.out, UNIT).write_text("{")
    assert measure_unit(job, UNIT).status == DONE
    assert measure_unit(job, UNIT).status == UNCHANGED


def test_files_that_are_no_longer_made_go(study):
    echoes = study.with_echoes("01")
    job = job_of(study)
    measure_unit(job, UNIT)
    folder = job.out / "sub-01" / "anat"
    (folder / "notes.txt").write_text("mine")
    assert any("R2starmap" in path.name for path in folder.iterdir())
    for path in echoes:
        path.unlink()
    study.with_map("01")
    assert measure_unit(job, UNIT).status == DONE
    assert not any("R2starmap" in path.name for path in folder.iterdir())
    assert (folder / "notes.txt").read_text() == "mine"


def test_maps_of_an_earlier_run_are_not_taken_away_while_they_are_inputs(study):
    """They lie among the results, and a run takes away what it no longer makes."""
    study.with_echoes("01")
    job = job_of(study)
    assert measure_unit(job, UNIT).status == DONE
    for echo in (study.root / "sub-01" / "anat").iterdir():
        echo.unlink()
    before = snapshot(job.out)
    again = replace(job, others=(study.labels, job.out))
    outcome = measure_unit(again, UNIT)
    assert outcome.status == FAILED
    assert "is an input" in outcome.reason and "2starmap" in outcome.reason
    after = snapshot(job.out)
    assert {name: after[name] for name in before} == before


def test_a_label_map_that_is_called_as_a_result_is_kept(study):
    """Its name is only known to be one when all is measured; nothing is moved until then."""
    study.with_map("01")
    job = job_of(study, labels_desc="layers")
    folder = job.out / "sub-01" / "anat"
    folder.mkdir(parents=True)
    name = "sub-01_space-orig_desc-layers_dseg.nii.gz"
    labels = study.image(folder / name, bids_study.labels())
    for path in (study.labels / "sub-01" / "anat").glob("*_dseg.tsv"):
        path.rename(folder / "dseg.tsv")
    before = snapshot(job.out)
    tissues = {"gm": "3", "wm": "2", "csf": "1"}
    outcome = measure_unit(replace(job, others=(job.out,), settings=QUICK | tissues), UNIT)
    assert outcome.status == FAILED and f"{labels.name} is an input" in outcome.reason
    after = snapshot(job.out)
    assert {path: after[path] for path in before} == before


# Failing ------------------------------------------------------------------------------------


def test_a_failure_says_why_and_leaves_the_old_results(study):
    path = study.with_map("01")
    job = job_of(study)
    measure_unit(job, UNIT)
    before = snapshot(job.out)
    good = path.read_bytes()
    path.write_bytes(good[:100])
    outcome = measure_unit(job, UNIT)
    assert outcome.status == FAILED
    assert "sub-01/anat/sub-01_T2starmap.nii.gz is truncated" in outcome.reason
    assert str(study.root) not in outcome.reason
    log = error_log(job.out, UNIT)
    assert log.read_text() == outcome.reason + "\n"
    after = snapshot(job.out)
    assert {name: after[name] for name in before} == before
    path.write_bytes(good)
    assert measure_unit(job, UNIT).status == UNCHANGED
    assert not log.exists()


def test_a_fault_is_told_and_does_not_get_out(study, monkeypatch):
    study.with_map("01")

    def broken(*arguments, **named):
        raise ZeroDivisionError("oh")

    monkeypatch.setattr(participant, "analyze", broken)
    outcome = measure_unit(job_of(study), UNIT)
    assert outcome.status == FAILED
    assert outcome.reason.startswith("Fault in ALSMotorCortex") and "oh" in outcome.reason
    assert not record_path(study.root.parent / "out", UNIT).exists()


# Killed -------------------------------------------------------------------------------------


def start(job: Job, moves: int = -1, steps: int = -1):
    process = PROCESSES.Process(target=measure_and_die, args=(job, UNIT, moves, steps))
    process.start()
    return process


def test_killed_at_any_moment_the_next_run_is_whole(study):
    study.with_map("01")
    job = job_of(study)
    measure_unit(job, UNIT)
    whole = {name: data for name, (_, data) in snapshot(job.out).items()}
    steps = 0
    while True:
        shutil.rmtree(job.out)
        process = start(job, steps=steps)
        process.join()
        if process.exitcode == 0:
            break
        assert not record_path(job.out, UNIT).is_file()
        assert measure_unit(job, UNIT).status == DONE
        now = {name: data for name, (_, data) in snapshot(job.out).items()}
        assert set(now) == set(whole)
        same = [n for n in whole if not n.endswith((".html", "provenance.json"))]
        assert {n: now[n] for n in same} == {n: whole[n] for n in same}
        steps += 3
    assert steps > 9


def test_killed_while_new_files_are_moved_over_old_ones(study):
    """The most delicate moment: some files are new, some old, and the record is away."""
    path = study.with_map("01")
    job = job_of(study)
    measure_unit(job, UNIT)
    deaths, moves = 0, 0
    while True:
        study.image(path, read_image(path).image.array * np.float32(1.01))
        process = start(job, moves)
        process.join()
        if process.exitcode == 0:
            break
        deaths += 1
        assert measure_unit(job, UNIT).status == DONE, moves
        assert not [name for name in snapshot(job.out) if ".partial" in name]
        assert measure_unit(job, UNIT).status == UNCHANGED
        moves += 7
    assert deaths > 3


def test_two_runs_take_turns(study):
    study.with_map("01")
    job = job_of(study)
    with participant.unit_lock(job.out, UNIT):
        process = start(job)
        process.join(1.5)
        assert process.is_alive() and not record_path(job.out, UNIT).exists()
    process.join()
    assert record_path(job.out, UNIT).exists()
