"""Tables of readings: what is written comes back, and what is wrong is refused with its place."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ALSMotorCortexLib.cortex.errors import InputError
from ALSMotorCortexLib.study import readings
from ALSMotorCortexLib.study.readings import COLUMNS, HEMISPHERES, ITEMS, Reading

GOOD = Reading("A", "c1", "left", {"thinning": 1, "confidence": 5}, "2026-01-01T00:00:00+00:00")


def some_ratings() -> st.SearchStrategy[dict[str, int]]:
    return st.fixed_dictionaries(
        {}, optional={item: st.sampled_from(answers) for item, answers in ITEMS.items()}
    )


@given(
    st.dictionaries(
        st.tuples(*map(st.sampled_from, ("AB", ["c1", "c 2"], HEMISPHERES))), some_ratings()
    )
)
def test_what_is_written_comes_back(tmp_path_factory, rated) -> None:
    path = tmp_path_factory.mktemp("r") / "r.tsv"
    made = [Reading(*key, ratings) for key, ratings in rated.items()]
    readings.write_readings(made, path)
    assert readings.read_readings(path) == made


def test_the_table_has_the_agreed_form(tmp_path: Path) -> None:
    readings.write_readings([GOOD], tmp_path / "r.tsv")
    assert (tmp_path / "r.tsv").read_text(encoding="utf-8") == (
        "reader\tcase_id\themisphere\tdeep_hypointensity\tthinning\tpathologic\tconfidence\t"
        "motor_band_foot\tmotor_band_hand\tmotor_band_face\ttime\n"
        "A\tc1\tleft\tn/a\t1\tn/a\t5\tn/a\tn/a\tn/a\t2026-01-01T00:00:00+00:00\n"
    )


def test_a_table_from_a_spreadsheet_is_read(tmp_path: Path) -> None:
    """With a byte order mark, Windows' line ends, other columns, and empty cells."""
    text = readings.readings_text([GOOD]).replace("n/a", "").replace("\n", "\r\n")
    (tmp_path / "r.tsv").write_bytes(b"\xef\xbb\xbf" + text.encode() + b"\r\n")
    assert readings.read_readings(tmp_path / "r.tsv") == [GOOD]


def cells(**changed: str) -> dict[str, str]:
    usual = {"reader": "A", "case_id": "c1", "hemisphere": "left"}
    return dict.fromkeys(COLUMNS, "n/a") | usual | changed


@pytest.mark.parametrize(
    ("rows", "parts"),
    [
        ([cells(thinning="2")], ["line 2", "thinning", "0 to 1"]),
        ([cells(), cells(case_id="c2", confidence="4,5")], ["line 3", "confidence", "1 to 5"]),
        ([cells(confidence="0")], ["confidence"]),
        ([cells(hemisphere="both")], ["left or right"]),
        ([cells(reader="")], ["reader is empty"]),
        ([cells(case_id="n/a")], ["case_id is empty"]),
        ([cells(), cells(thinning="1")], ["line 2", "line 3", "twice"]),
    ],
)
def test_wrong_rows_are_refused_with_their_line(rows, parts, tmp_path: Path) -> None:
    lines = ["\t".join(COLUMNS), *("\t".join(row.values()) for row in rows)]
    (tmp_path / "r.tsv").write_text("\n".join(lines), encoding="utf-8")
    with pytest.raises(InputError) as refused:
        readings.read_readings(tmp_path / "r.tsv")
    assert all(part in str(refused.value) for part in parts), refused.value


@pytest.mark.parametrize(
    ("data", "part"),
    [
        (None, "no such file"),
        (b"", "empty"),
        (b"\xff\xfe\x00", "not a text"),
        (b"a\tb\n1\n", "1 cells"),
        (b"a\ta\n1\t2\n", "more than once"),
        (b"a\tb\n1\t2\n", "no column reader"),
    ],
)
def test_what_is_no_table_of_readings_is_refused(data, part: str, tmp_path: Path) -> None:
    path = tmp_path / "r.tsv"
    if data is not None:
        path.write_bytes(data)
    with pytest.raises(InputError, match=part):
        readings.read_readings(path)


def test_a_table_that_cannot_be_written_leaves_the_old_one(tmp_path: Path, monkeypatch) -> None:
    path = tmp_path / "r.tsv"
    readings.write_readings([GOOD], path)
    before = path.read_bytes()

    def full(*names: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(readings.os, "replace", full)
    with pytest.raises(InputError, match="disk is full"):
        readings.write_readings([GOOD, GOOD], path)
    assert path.read_bytes() == before and list(tmp_path.iterdir()) == [path]


def test_items_left_open_are_told_apart_from_a_hemisphere_not_assessed() -> None:
    assert Reading("A", "c", "left").missing == []
    assert GOOD.missing == [item for item in ITEMS if item not in ("thinning", "confidence")]
