"""Names in BIDS's form, there and back."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ALSMotorCortexLib.cortex.errors import InputError
from ALSMotorCortexLib.study.bids_names import ENTITIES, BidsName, Unit, label_of, selection

LABEL = st.text("abcXYZ019", min_size=1, max_size=5)


@given(
    st.dictionaries(st.sampled_from(ENTITIES), LABEL, min_size=1),
    st.sampled_from(["MEGRE", "dseg", "T2starmap"]),
    st.sampled_from([".nii.gz", ".json", ".tsv"]),
)
def test_a_name_comes_back_from_its_text(entities, suffix, extension):
    name = BidsName(entities, suffix, extension)
    assert BidsName.parse(str(name)) == name


@given(st.permutations(ENTITIES))
def test_entities_stand_in_one_order_however_they_are_given(order):
    text = str(BidsName(dict.fromkeys(order, "1"), "dseg", ".tsv"))
    assert [part.split("-")[0] for part in text.split("_")[:-1]] == list(ENTITIES)


@pytest.mark.parametrize(
    "text", ["README", "sub-01_T1w_x-1.nii", "sub-_T1w.nii", "sub-01_desc-a.b_.nii", ".nii.gz"]
)
def test_other_names_are_none(text):
    parsed = BidsName.parse(text)
    assert parsed is None or not parsed.entities


def test_sidecars_are_inherited_by_their_entities():
    image = BidsName.parse("sub-01_ses-2_echo-1_part-mag_MEGRE.nii.gz")
    assert image
    for text, belongs in {
        "MEGRE.json": True,
        "echo-1_MEGRE.json": True,
        "echo-2_MEGRE.json": False,
        "sub-01_MEGRE.json": True,
        "sub-01_ses-2_echo-1_part-mag_MEGRE.json": True,
        "sub-01_acq-x_MEGRE.json": False,
        "T1w.json": False,
    }.items():
        name = BidsName.parse(text)
        assert name and name.belongs_to(image) is belongs, text


def test_unit():
    assert Unit("01", "a").file("map", ".nii.gz", desc="x", space="orig") == (
        "sub-01_ses-a_space-orig_desc-x_map.nii.gz"
    )
    assert Unit("01").folder.as_posix() == "sub-01"
    assert Unit("01", "a").folder.as_posix() == "sub-01/ses-a"
    assert str(Unit("01", "a")) == "sub-01 ses-a"


def test_labels_with_and_without_their_key():
    assert label_of("sub-01", "sub") == label_of("01", "sub") == "01"
    with pytest.raises(InputError, match="letters and digits"):
        label_of("sub-01_x", "sub")


def test_selection():
    assert selection(["acq-7T", "run-1"]) == {"acq": "7T", "run": "1"}
    for wrong in ("acq", "nothing-1", "acq-"):
        with pytest.raises(InputError, match="ENTITY-LABEL"):
            selection([wrong])
