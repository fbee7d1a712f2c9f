"""Tables of measures: of a whole study, of one participant each, of several sessions."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from ALSMotorCortexLib.cortex.errors import InputError
from ALSMotorCortexLib.study.measures import Key, read_measures, read_profiles, select

HEAD = "region map measure value unit"
THICKNESS = Key("ribbon", "", "thickness_mean")


def put(path: Path, *rows: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(rows).replace(" ", "\t") + "\n", encoding="utf-8")
    return path


def row(value: object, unit: str = "mm") -> str:
    return f"ribbon n/a thickness_mean {value} {unit}"


def test_a_table_of_a_whole_study(tmp_path: Path) -> None:
    path = put(
        tmp_path / "measures.tsv",
        f"participant_id {HEAD}",
        f"sub-01 {row('2,5')}",
        f"02 {row('n/a')}",
        "02 left_hand T2star mean 31.5 ms",
    )
    got = read_measures([path])
    assert got.keys() == [THICKNESS, Key("left_hand", "T2star", "mean")]
    assert got.units[THICKNESS] == "mm"
    values = got.vector(THICKNESS, ["02", "01", "nobody"])
    np.testing.assert_array_equal(values, [np.nan, 2.5, np.nan])


@pytest.mark.parametrize(
    ("file", "label"),
    [
        ("results/anna/measures.tsv", "anna"),
        ("sub-07/ses-2/anat/sub-07_ses-2_desc-cortical_measures.tsv", "07"),
        ("sub-07/measures.tsv", "07"),
        ("sub-07_run/measures.tsv", "07"),
    ],
)
def test_a_table_of_one_participant_is_named_by_its_place(
    tmp_path: Path, file: str, label: str
) -> None:
    put(tmp_path / file, HEAD, row(2.5))
    assert read_measures([tmp_path]).values == {label: {THICKNESS: 2.5}}


def test_the_same_numbers_in_two_tables_are_no_conflict(tmp_path: Path) -> None:
    put(tmp_path / "sub-1" / "measures.tsv", HEAD, row(2.5))
    put(tmp_path / "group_measures.tsv", f"participant_id {HEAD}", f"sub-1 {row('2.50')}")
    assert read_measures([tmp_path]).values == {"1": {THICKNESS: 2.5}}
    put(tmp_path / "group_measures.tsv", f"participant_id {HEAD}", f"sub-1 {row(2.6)}")
    with pytest.raises(InputError, match="participant 1 stands twice with different values"):
        read_measures([tmp_path])


def test_half_written_results_are_passed_over(tmp_path: Path) -> None:
    put(tmp_path / "sub-1" / "measures.tsv", HEAD, row(2.5))
    put(tmp_path / ".sub-2.abcd.partial" / "measures.tsv", HEAD, row(9))
    assert list(read_measures([tmp_path]).values) == ["1"]


def test_first_session_is_taken_and_others_are_counted(tmp_path: Path) -> None:
    rows = [f"a ses-10 {row(3)}", f"a ses-2 {row(2)}", f"b ses-10 {row(5)}"]
    path = put(tmp_path / "measures.tsv", f"participant_id session_id {HEAD}", *rows)
    first = read_measures([path])
    assert {k: v[THICKNESS] for k, v in first.values.items()} == {"a": 2, "b": 5}
    assert [(o.item, o.n) for o in first.omissions] == [("session", 1)]
    second = read_measures([path], session="ses-2")
    assert {k: v[THICKNESS] for k, v in second.values.items()} == {"a": 2}
    assert any("No session 2: b" in o.reason for o in second.omissions)
    with pytest.raises(InputError, match="Nobody has a session 'x'. There are 10, 2"):
        read_measures([path], session="x")


def test_a_measure_in_two_units_is_left_out(tmp_path: Path) -> None:
    rows = ["a ribbon T2 mean 30 ms", "b ribbon T2 mean 0.03 s", f"a {row(2)}", f"b {row(3)}"]
    got = read_measures([put(tmp_path / "m.tsv", f"participant_id {HEAD}", *rows)])
    assert got.keys() == [THICKNESS]
    (omission,) = got.omissions
    assert omission.n == 2 and "ms (1), s (1)" in omission.reason


@pytest.mark.parametrize(
    ("rows", "sentence"),
    [
        ([f"participant_id {HEAD}", f"a {row('thick')}"], "'thick' in column value"),
        ([f"participant_id {HEAD}", f"n/a {row(2)}"], "participant_id is missing in line 2"),
        (["participant_id region map measure value", "a r m x 1"], "no column 'unit'"),
        ([f"participant_id {HEAD}", f"a {row(2)}", f"sub-a {row(3)}"], "different values"),
    ],
)
def test_bad_tables_are_told_in_a_sentence(tmp_path: Path, rows: list[str], sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        read_measures([put(tmp_path / "measures.tsv", *rows)])


def test_nothing_to_read_is_told(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no table of measures in"):
        read_measures([tmp_path])
    with pytest.raises(InputError, match="does not exist"):
        read_measures([tmp_path / "nowhere"])


def test_measures_are_chosen_by_patterns() -> None:
    keys = [
        THICKNESS,
        Key("left_hand", "", "thickness_mean"),
        Key("ribbon", "T2star", "mean"),
        Key("ribbon", "R2star", "mean"),
        Key("ribbon", "T2star", "layer_3_mean"),
    ]
    assert select(keys, ["thickness_mean"]) == keys[:2]
    assert select(keys, ["ribbon/thickness_*"]) == keys[:1]
    assert select(keys, ["T2star:*"]) == [keys[2], keys[4]]
    assert select(keys, ["*_hand/*", "R2star:mean"]) == [keys[1], keys[3]]
    with pytest.raises(InputError, match="No measure fits 'QSM:mean'"):
        select(keys, ["QSM:mean"])


def test_profiles_with_other_bins_than_most_are_left_out(tmp_path: Path) -> None:
    head = "participant_id region map bin depth_from depth_to n mean"

    def curve(label: str, bins: int) -> list[str]:
        return [
            f"{label} ribbon T2 {i + 1} {i / bins} {(i + 1) / bins} 9 {10 * i + bins}"
            for i in reversed(range(bins))
        ]

    path = put(tmp_path / "profiles.tsv", head, *curve("a", 4), *curve("b", 4), *curve("c", 5))
    got = read_profiles([path])
    np.testing.assert_allclose(got.edges["ribbon", "T2"], [0, 0.25, 0.5, 0.75, 1])
    curves = got.curves["ribbon", "T2"]
    assert set(curves) == {"a", "b"}
    np.testing.assert_array_equal(curves["a"], [4, 14, 24, 34])
    assert [(o.kind, o.n) for o in got.omissions] == [("profile", 1)]
