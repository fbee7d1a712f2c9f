"""What lies in a dataset, and what its sidecars say."""

from __future__ import annotations

import pytest

from ALSMotorCortexLib.cortex.errors import InputError
from ALSMotorCortexLib.study.bids_dataset import Dataset, label_names, read_json, read_tsv
from ALSMotorCortexLib.study.bids_names import Unit
from bids_study import Study


@pytest.fixture
def study(tmp_path) -> Study:
    return Study(tmp_path / "raw")


def test_units_are_participants_or_their_sessions(study):
    study.with_map("02", "b")
    study.with_map("02", "a")
    study.with_map("01")
    (study.root / "sub-03").mkdir()
    raw = Dataset(study.root, "raw")
    assert raw.units() == [Unit("01"), Unit("02", "a"), Unit("02", "b"), Unit("03")]
    assert raw.units(["sub-02"]) == [Unit("02", "a"), Unit("02", "b")]
    assert raw.units(sessions=["ses-b"]) == [Unit("02", "b")]
    with pytest.raises(InputError, match=r"no participant 04, 07 .* There is: 01, 02, 03"):
        raw.units(["07", "04"])
    with pytest.raises(InputError, match=r"no session c .* There is: a, b"):
        raw.units(["02"], ["c"])


def test_a_folder_without_participants(study):
    with pytest.raises(InputError, match="holds no participants"):
        Dataset(study.root, "raw").units()
    with pytest.raises(InputError, match="There is no folder"):
        Dataset(study.root / "nowhere", "raw")


def test_the_closest_sidecar_wins(study):
    study.with_echoes("01", "a")
    raw = Dataset(study.root, "raw")
    (file,) = [f for f in raw.images(Unit("01", "a")) if f.name.entities["echo"] == "2"]
    study.json(study.root / "MEGRE.json", {"EchoTime": 9, "SliceThickness": 1, "Far": 1})
    study.json(study.root / "echo-2_MEGRE.json", {"SliceThickness": 2})
    study.json(study.root / "sub-01" / "sub-01_MEGRE.json", {"Middle": 3})
    study.json(study.root / "echo-1_MEGRE.json", {"Other": 1})
    assert raw.metadata(file) == {
        "EchoTime": 0.012, "MagneticFieldStrength": 7, "SliceThickness": 2, "Far": 1, "Middle": 3,
    }  # fmt: skip
    assert raw.uri(file.path).startswith("bids:raw:sub-01/ses-a/anat/sub-01_ses-a_echo-2")


def test_label_names(study):
    study.label("01")
    derivative = Dataset(study.labels, "labels")
    file = next(f for f in derivative.images(Unit("01")) if f.name.entities["desc"] == "cortex")
    names, tables = label_names(derivative, file)
    assert names == {1: "csf", 2: "white_matter", 3: "gray_matter"}
    tables[0].unlink()
    assert label_names(derivative, file) == ({}, [])
    everywhere = study.labels / "desc-cortex_dseg.tsv"
    everywhere.write_text("index\tname\tcolor\n7\tM1\t#fff\n")
    assert label_names(derivative, file) == ({7: "M1"}, [everywhere])
    everywhere.write_text("index\tlabel\n7\tM1\n")
    with pytest.raises(InputError, match="columns index and name"):
        label_names(derivative, file)


def test_damaged_tables_and_json(tmp_path):
    path = tmp_path / "x"
    assert read_json(path) is None
    for text, words in {"{": "not valid JSON", "[1]": "names and values"}.items():
        path.write_text(text)
        with pytest.raises(InputError, match=words):
            read_json(path)
    path.write_text("a\tb\n1\t2\n1\n")
    with pytest.raises(InputError, match="line 3"):
        read_tsv(path)
    path.write_text("\ufeffa\tb\r\n1\t2\r\n")
    assert read_tsv(path) == [{"a": "1", "b": "2"}]
    with pytest.raises(InputError, match="no table"):
        read_tsv(tmp_path / "none")
