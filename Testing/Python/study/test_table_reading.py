"""Tables as people save them."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ALSMotorCortexLib.cortex.errors import InputError
from ALSMotorCortexLib.study.table_reading import (
    number_in,
    parse_number,
    plain_id,
    read_table,
)


def saved(folder: Path, text: str, encoding: str = "utf-8") -> Path:
    path = folder / "table.tsv"
    path.write_bytes(text.encode(encoding))
    return path


@pytest.mark.parametrize("mark", ["\t", ";", ","])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_spreadsheets_marks_quotes_and_empty_lines(tmp_path: Path, mark: str, end: str) -> None:
    lines = [mark.join(row) for row in (["ID", '"Group"'], ["a", '"ALS"'])]
    table = read_table(saved(tmp_path, end.join([*lines, "", ""]), "utf-8-sig"))
    assert table.columns == ("id", "group")
    assert [(row.line, row.cells) for row in table.rows] == [(2, {"id": "a", "group": "ALS"})]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "is empty"),
        ("a\tb\ta\n1\t2\t3\n", "two columns 'a'"),
        ("a\tb\n1\n", "Line 2 of .* has 1 cells, and the first line names 2 columns"),
        ("a\n\n1\t2\n", "Line 3 of"),
    ],
)
def test_a_table_that_cannot_be_read_is_told_in_a_sentence(
    tmp_path: Path, text: str, sentence: str
) -> None:
    with pytest.raises(InputError, match=sentence):
        read_table(saved(tmp_path, text))


def test_no_file_and_no_text_are_told(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read"):
        read_table(tmp_path / "none.tsv")
    with pytest.raises(InputError, match="not text in UTF-8"):
        read_table(saved(tmp_path, "name\nMüller\n", "latin-1"))


@pytest.mark.parametrize(
    ("text", "value"),
    [("1.5", 1.5), ("1,5", 1.5), ("-0,25", -0.25), ("3", 3), (" 2e-3 ", 0.002), ("1,5e2", 150)],
)
def test_decimal_points_and_commas(text: str, value: float) -> None:
    assert parse_number(text) == value


@pytest.mark.parametrize("text", ["", "n/a", "NA", "NaN", " N/A "])
def test_missing_values(text: str) -> None:
    found = parse_number(text)
    assert found is not None and math.isnan(found)


@pytest.mark.parametrize("text", ["abc", "1.234,5", "1,2,3", "12 kg", "inf", "--1"])
def test_what_is_no_number_is_not_guessed(text: str) -> None:
    assert parse_number(text) is None


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_any_number_comes_back_with_either_mark(value: float) -> None:
    assert parse_number(repr(value)) == value
    assert parse_number(repr(value).replace(".", ",")) == value


def test_a_bad_number_is_told_with_its_place(tmp_path: Path) -> None:
    table = read_table(saved(tmp_path, "id\tage\na\t60\nb\tsixty\n"))
    with pytest.raises(InputError, match=r"'sixty' in column age, line 3 of .*table\.tsv"):
        number_in(table, table.rows[1], "age")


def test_prefixes_make_no_difference() -> None:
    assert [plain_id(t) for t in ("sub-01", "01", " ses-A", "subject")] == [
        "01", "01", "A", "subject",
    ]  # fmt: skip
