"""A simulated dataset on disk: names, tables, growth, and that nothing is lost or mixed up."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from ALSMotorCortexLib.cortex.errors import InputError
from ALSMotorCortexLib.cortex.simulation import LABELS, Parameters, Simulation, simulate
from ALSMotorCortexLib.cortex.true_measures import true_measures
from ALSMotorCortexLib.study import phantom
from ALSMotorCortexLib.study.bids_dataset import read_tsv
from ALSMotorCortexLib.study.bids_names import BidsName
from ALSMotorCortexLib.study.echoes import read_echoes
from ALSMotorCortexLib.study.images import read_image, whole_numbers

TINY = Parameters.small(extent=(1.0, 14.0, 14.0), group="patient", times_ms=(4.0, 11.0, 23.0))


@cache
def scan(
    subject: str = "01", session: str = "", group: str = "patient", days: int = 0
) -> Simulation:
    return simulate(replace(TINY, subject=subject, session=session, group=group, days=days))


def files(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def test_echoes_come_back_as_they_were_simulated(tmp_path: Path) -> None:
    s = scan()
    anat = phantom.write_simulation(s, tmp_path / "study")
    assert anat == tmp_path / "study" / "sub-01" / "anat"
    echoes = read_echoes([anat])
    assert echoes.times_ms == pytest.approx(TINY.times_ms)
    assert echoes.grid.same_as(s.grid)
    assert echoes.thickness_mm == TINY.thickness_mm
    for found, image in zip(echoes.magnitude, s.magnitude, strict=True):
        assert np.abs(found - image.array).max() <= 0.5
    for found, image in zip(echoes.phase, s.phase, strict=True):
        apart = np.angle(np.exp(1j * (found - image.array)))
        assert np.abs(apart).max() < 0.01
    sidecar = json.loads((anat / "sub-01_echo-2_part-phase_MEGRE.json").read_text("utf-8"))
    assert sidecar["EchoTime"] == 0.011 and sidecar["Units"] == "rad"
    assert sidecar["MagneticFieldStrength"] == 7


def test_labels_and_regions_with_their_names(tmp_path: Path) -> None:
    s = scan()
    phantom.write_simulation(s, tmp_path)
    folder = tmp_path / "derivatives" / "labels" / "sub-01" / "anat"
    labels = whole_numbers(read_image(folder / "sub-01_desc-cortex_dseg.nii.gz").image)
    np.testing.assert_array_equal(labels.array, s.labels.array)
    names = {
        row["name"]: int(row["index"]) for row in read_tsv(folder / "sub-01_desc-cortex_dseg.tsv")
    }
    assert names == {name: index for index, name in LABELS.items()}
    regions = whole_numbers(read_image(folder / "sub-01_desc-regions_dseg.nii.gz").image)
    for row in read_tsv(folder / "sub-01_desc-regions_dseg.tsv"):
        inside = s.regions[row["name"]].array > 0
        np.testing.assert_array_equal(regions.array == int(row["index"]), inside)


def test_truth_is_written_with_units(tmp_path: Path) -> None:
    s = scan()
    phantom.write_simulation(s, tmp_path)
    folder = tmp_path / "derivatives" / "truth" / "sub-01" / "anat"
    t2star = read_image(folder / "sub-01_desc-truth_T2starmap.nii.gz").image
    np.testing.assert_allclose(t2star.array, s.truth.t2star)
    said = json.loads((folder / "sub-01_desc-truth_Chimap.json").read_text("utf-8"))
    assert said["Units"] == "ppb"
    thickness = read_image(folder / "sub-01_desc-thickness_map.nii.gz").image.array
    np.testing.assert_array_equal(thickness, np.nan_to_num(s.truth.thickness))
    rows = read_tsv(folder / "sub-01_desc-truth_measures.tsv")
    for row, true in zip(rows, true_measures(s), strict=True):
        assert (row["region"], row["measure"]) == (true.region, true.measure)
        assert float(row["value"]) == pytest.approx(true.value)
    record = json.loads((folder / "sub-01_desc-truth_parameters.json").read_text("utf-8"))
    assert record["parameters"]["snr"] == TINY.snr and record["noise_sigma"] == s.sigma


def test_every_name_is_one_of_bids(tmp_path: Path) -> None:
    """Entities are known and in order, and every image has its sidecar and its subject's label."""
    phantom.write_simulation(scan(session="b"), tmp_path)
    images = list(tmp_path.rglob("*.nii.gz"))
    assert len(images) == 2 * 3 + 2 + 8
    for path in images:
        name = BidsName.parse(path.name)
        assert name is not None and str(name) == path.name
        assert name.entities["sub"] == "01" and name.entities["ses"] == "b"
        assert path.with_name(path.name.replace(".nii.gz", ".json")).is_file()
    for folder, kind in ((".", "raw"), ("derivatives/labels", "derivative")):
        described = json.loads((tmp_path / folder / "dataset_description.json").read_text("utf-8"))
        assert described["DatasetType"] == kind and described["BIDSVersion"]


def test_dataset_grows_and_its_tables_with_it(tmp_path: Path) -> None:
    phantom.write_simulation(scan("02", group="control"), tmp_path)
    (tmp_path / "participants.tsv").write_text(
        (tmp_path / "participants.tsv").read_text("utf-8").replace("sex", "handedness", 1), "utf-8"
    )
    before = files(tmp_path / "sub-02")
    phantom.write_simulation(scan("01"), tmp_path)
    assert files(tmp_path / "sub-02") == before
    rows = read_tsv(tmp_path / "participants.tsv")
    assert [row["participant_id"] for row in rows] == ["sub-01", "sub-02"]
    patient, control = rows
    # A column of the user's own stays.
    assert control["handedness"] in ("F", "M") and patient["handedness"] == "n/a"
    assert control["group"] == "control" and control["alsfrs_r"] == "n/a"
    assert patient["group"] == "patient" and patient["sex"] in ("F", "M")
    limbs = [int(patient[f"umn_score_{limb}"]) for limb in ("left_arm", "right_arm")]
    limbs += [int(patient[f"umn_score_{limb}"]) for limb in ("left_leg", "right_leg")]
    assert int(patient["umn_score"]) == sum(limbs)
    described = json.loads((tmp_path / "participants.json").read_text("utf-8"))
    assert set(described) <= set(patient) | {"sex"}


def test_progression_rate_follows_from_score_and_dates(tmp_path: Path) -> None:
    """(48 - ALSFRS-R) over the months from onset to exam."""
    phantom.write_simulation(scan("01"), tmp_path)
    row = read_tsv(tmp_path / "participants.tsv")[0]
    days = np.datetime64(row["exam_date"]) - np.datetime64(row["onset_date"])
    months = days.astype(int) / 30.4375
    expected = (48 - int(row["alsfrs_r"])) / months
    assert float(row["disease_progression_rate"]) == pytest.approx(expected, abs=0.002)


def test_sessions_are_listed(tmp_path: Path) -> None:
    phantom.write_simulation(scan(session="1"), tmp_path)
    phantom.write_simulation(scan(session="2", days=300), tmp_path)
    rows = read_tsv(tmp_path / "sub-01" / "sub-01_sessions.tsv")
    assert [row["session_id"] for row in rows] == ["ses-1", "ses-2"]
    apart = np.datetime64(rows[1]["exam_date"]) - np.datetime64(rows[0]["exam_date"])
    assert apart.astype(int) == 300
    assert int(rows[1]["alsfrs_r"]) <= int(rows[0]["alsfrs_r"])
    # The participants' table goes on telling of the first exam.
    assert read_tsv(tmp_path / "participants.tsv")[0]["exam_date"] == rows[0]["exam_date"]


def test_a_scan_replaces_its_earlier_files_and_no_others(tmp_path: Path) -> None:
    anat = phantom.write_simulation(scan(), tmp_path)
    labels = tmp_path / "derivatives" / "labels" / anat.relative_to(tmp_path)
    mine = [
        anat / "notes.txt",
        labels / f"{anat.parent.name}_desc-manual_dseg.nii.gz",
        tmp_path / "README",
    ]
    for path in mine:
        path.write_text("mine", "utf-8")
    columns = tmp_path / "participants.json"
    columns.write_text('{"handedness": {"Description": "mine"}}', "utf-8")
    fewer = simulate(replace(TINY, times_ms=(4.0, 11.0)))
    phantom.write_simulation(fewer, tmp_path)
    assert len(list(anat.glob("*_MEGRE.nii.gz"))) == 4
    assert [path.read_text("utf-8") for path in mine] == ["mine"] * 3
    assert {"handedness", "group"} <= set(json.loads(columns.read_text("utf-8")))


def test_writing_is_the_same_again(tmp_path: Path) -> None:
    for name in ("a", "b"):
        phantom.write_simulation(scan(), tmp_path / name)
    assert files(tmp_path / "a") == files(tmp_path / "b")


def test_many_at_once_lose_no_participant(tmp_path: Path) -> None:
    scans = [scan(f"{n:02d}", group="control") for n in range(6)]
    with ThreadPoolExecutor(6) as pool:
        list(pool.map(lambda one: phantom.write_simulation(one, tmp_path), scans))
    rows = read_tsv(tmp_path / "participants.tsv")
    assert [row["participant_id"] for row in rows] == [f"sub-{n:02d}" for n in range(6)]
    assert not list(tmp_path.glob(".*"))


def test_a_forgotten_lock_is_told(tmp_path: Path) -> None:
    (tmp_path / ".participants.lock").touch()
    with pytest.raises(InputError, match="delete it"), phantom.alone(tmp_path, patience=0.1):
        pass


@pytest.mark.parametrize("described", [True, False])
def test_simulated_subjects_do_not_get_among_real_ones(tmp_path: Path, described: bool) -> None:
    (tmp_path / "sub-real" / "anat").mkdir(parents=True)
    if described:
        (tmp_path / "dataset_description.json").write_text('{"Name": "Clinic"}', "utf-8")
    before = files(tmp_path)
    with pytest.raises(InputError, match="another dataset"):
        phantom.write_simulation(scan(), tmp_path)
    assert files(tmp_path) == before


def test_an_interruption_leaves_what_was_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    phantom.write_simulation(scan(), tmp_path)
    before = files(tmp_path)

    def interrupted(*arguments: object, **more: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(phantom.tables, "write_measures", interrupted)
    with pytest.raises(KeyboardInterrupt):
        phantom.write_simulation(simulate(replace(TINY, snr=3.0)), tmp_path)
    assert files(tmp_path) == before
