"""The right files are found, and what is missing or could be several is said."""

from __future__ import annotations

import shutil

import numpy as np
import pytest
import SimpleITK as sitk

from ALSMotorCortexLib.cortex.errors import InputError
from ALSMotorCortexLib.study.bids_dataset import Dataset
from ALSMotorCortexLib.study.bids_inputs import Wanted, find_case
from ALSMotorCortexLib.study.bids_names import Unit
from bids_study import SHAPE, TIMES_S, Study, labels

MADE = ("combined_snr", "T2star", "R2star")


@pytest.fixture
def study(tmp_path) -> Study:
    return Study(tmp_path / "raw")


def find(study, wanted=None, unit=None, others=()):
    datasets = [Dataset(study.labels, "seg"), *(Dataset(p, p.name) for p in others)]
    wanted = wanted or Wanted(from_echoes=MADE)
    return find_case(Dataset(study.root, "raw"), datasets, unit or Unit("01"), wanted)


def test_echoes_labels_and_regions(study):
    echoes = study.with_echoes("01", "a")
    case = find(study, unit=Unit("01", "a"))
    assert case.echoes and case.echoes.magnitude == tuple(echoes)
    assert case.echoes.times_s == TIMES_S
    assert case.made == MADE and not case.maps
    assert case.tissues == {"gm": (3,), "wm": (2,), "csf": (1,)}
    assert {name: label for name, (_, label) in case.regions.items()} == {
        "left_hand": 1, "left_face": 2,
    }  # fmt: skip
    ends = {uri.rsplit("_", 1)[1] for uri in case.uris.values()}
    assert ends == {"MEGRE.nii.gz", "MEGRE.json", "dseg.nii.gz", "dseg.tsv"}
    assert case.space == "orig"


def test_echo_ten_comes_after_echo_two(study):
    echoes = study.with_echoes("01")
    for end in ("nii.gz", "json"):
        old = echoes[2].parent / f"sub-01_echo-3_part-mag_MEGRE.{end}"
        old.rename(old.with_name(f"sub-01_echo-10_part-mag_MEGRE.{end}"))
    case = find(study)
    assert case.echoes and [p.name[12:14] for p in case.echoes.magnitude] == ["1_", "2_", "10"]


def test_maps_that_are_there_are_taken_instead_of_echoes(study, tmp_path):
    study.with_echoes("01")
    ready = study.with_map("01")
    case = find(study)
    assert {n: f.path for n, f in case.maps.items()} == {"T2star": ready}
    assert case.made == ("combined_snr", "R2star")
    # A derivative dataset goes before the raw one.
    other = tmp_path / "maps" / "sub-01" / "anat"
    other.mkdir(parents=True)
    better = shutil.copy(ready, other / "sub-01_desc-x_T2starmap.nii.gz")
    assert find(study, others=[tmp_path / "maps"]).maps["T2star"].path == better
    case = find(study, Wanted(maps=("T2star",), from_echoes=("T2star",)))
    assert case.echoes is None and case.made == ()


def test_units_are_those_of_the_sidecar_or_of_bids(study):
    path = study.with_map("01")
    assert (find(study).maps["T2star"].unit, find(study).maps["T2star"].stated) == ("ms", "")
    study.json(path.with_name("sub-01_T2starmap.json"), {"Units": "s"})
    assert (find(study).maps["T2star"].unit, find(study).maps["T2star"].stated) == ("ms", "s")
    chi = study.image(path.with_name("sub-01_Chimap.nii.gz"), np.zeros(SHAPE, np.float32))
    assert find(study).maps["Chi"].unit == "ppm"
    study.json(chi.with_name("sub-01_Chimap.json"), {"Units": "ppb"})
    assert find(study).maps["Chi"].unit == "ppb"


def test_nothing_to_measure(study):
    study.label("01")
    (study.root / "sub-01").mkdir()
    with pytest.raises(InputError, match="sub-01 has nothing to measure"):
        find(study)
    with pytest.raises(InputError, match="no multi-echo scan .* to make T2star"):
        find(study, Wanted(maps=("T2star",), from_echoes=("T2star",)))
    with pytest.raises(InputError, match="sub-01 has no map T1"):
        find(study, Wanted(maps=("T1",)))


def test_no_label_map(study):
    study.with_map("01")
    shutil.rmtree(study.labels / "sub-01")
    with pytest.raises(InputError, match=r"no label map.*dseg"):
        find(study)


def test_several_scans_and_how_to_choose(study):
    study.with_echoes("01", scan="_acq-lo")
    study.with_echoes("01", scan="_acq-hi")
    with pytest.raises(InputError, match="2 multi-echo scans.*--select"):
        find(study)
    case = find(study, Wanted(from_echoes=MADE, select={"acq": "hi"}))
    assert case.echoes and all("acq-hi" in p.name for p in case.echoes.magnitude)


def test_several_label_maps_and_how_to_choose(study):
    study.with_map("01")
    folder = study.labels / "sub-01" / "anat"
    study.image(folder / "sub-01_desc-mine_dseg.nii.gz", labels())
    assert find(study).labels.name == "sub-01_desc-cortex_dseg.nii.gz"
    mine = Wanted(labels="mine", tissues={"gm": "3", "wm": 2, "csf": [1]})
    case = find(study, mine)
    assert case.labels.name == "sub-01_desc-mine_dseg.nii.gz"
    assert case.tissues == {"gm": (3,), "wm": (2,), "csf": (1,)}
    with pytest.raises(InputError, match="2 label maps.*--labels-desc"):
        find(study, Wanted(labels="other"))


def test_tissues_by_name(study):
    study.with_map("01")
    case = find(study, Wanted(tissues={"gm": "Gray-Matter", "csf": "csf, white_matter"}))
    assert case.tissues == {"gm": (3,), "wm": (2,), "csf": (1, 2)}
    with pytest.raises(InputError, match=r"no label 'M1', given with --gm.*gray_matter \(3\)"):
        find(study, Wanted(tissues={"gm": "M1"}))
    with pytest.raises(InputError, match="no label '9'"):
        find(study, Wanted(tissues={"other_bank": "9"}))


def test_two_regions_of_one_name(study):
    study.with_map("01")
    path = study.labels / "sub-01" / "anat" / "sub-01_desc-regions_dseg.tsv"
    path.write_text("index\tname\n1\thand\n2\thand\n")
    with pytest.raises(InputError, match="two regions called hand"):
        find(study)


def test_segments_of_slicer_are_taken_by_name(study):
    path = study.with_map("01")
    folder = study.labels / "sub-01" / "anat"
    shutil.rmtree(folder)
    folder.mkdir()
    picture = sitk.GetImageFromArray(labels())
    picture.SetSpacing([0.5] * 3)
    for n, (value, name) in enumerate({1: "CSF", 2: "White matter", 3: "M1, left"}.items()):
        for key, text in {"ID": f"s{n}", "Name": name, "LabelValue": value, "Layer": 0}.items():
            picture.SetMetaData(f"Segment{n}_{key}", str(text))
    sitk.WriteImage(picture, str(folder / "sub-01_dseg.seg.nrrd"))
    case = find(study, Wanted(tissues={"gm": "M1, left"}))
    assert case.tissues == {"gm": ("M1, left",), "wm": ("White matter",), "csf": ("CSF",)}
    assert path in case.uris and not case.regions
    with pytest.raises(InputError, match=r"no label 'GM'.*M1, left"):
        find(study, Wanted(tissues={"gm": "GM"}))
