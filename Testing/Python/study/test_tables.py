"""Tables are read back as they were written."""

from __future__ import annotations

import csv
import math
from dataclasses import astuple, fields

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ALSMotorCortexLib.cortex.result import Measure, ProfileBin
from ALSMotorCortexLib.study.tables import cell, write_measures, write_profiles

MEASURES = (
    Measure("ribbon", "", "thickness_mean", 3.0512345678, "mm"),
    Measure("hand knob", "T2*", "deep_hypointensity", math.nan, "1"),
    Measure("ribbon", "", "volume", 1234567.25, "mm3"),
)
PROFILES = (
    ProfileBin("ribbon", "T2*", 1, 0.0, 0.05, 120, 31.5, 31.25, 2.5, 30.0, 33.0, 31.0, 32.0),
    ProfileBin("ribbon", "T2*", 2, 0.05, 0.1, 0, *[math.nan] * 7),
)


def read(path) -> list[dict[str, str]]:
    with open(path, encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream, delimiter="\t"))


@pytest.mark.parametrize("write, rows", [(write_measures, MEASURES), (write_profiles, PROFILES)])
def test_round_trip(tmp_path, write, rows):
    path = tmp_path / "table.tsv"
    write(rows, path)
    read_rows = read(path)
    assert list(read_rows[0]) == [f.name for f in fields(rows[0])]
    for row, texts in zip(rows, read_rows, strict=True):
        for value, text in zip(astuple(row), texts.values(), strict=True):
            if value == "" or value != value:
                assert text == "n/a"
            elif isinstance(value, float):
                assert float(text) == pytest.approx(value, rel=1e-8)
            else:
                assert text == str(value)


def test_an_empty_table_has_its_head(tmp_path):
    write_measures([], tmp_path / "table.tsv")
    assert (tmp_path / "table.tsv").read_text() == "region\tmap\tmeasure\tvalue\tunit\n"


@given(st.floats(width=32, allow_nan=False, allow_infinity=False))
def test_single_precision_is_kept_exactly(value):
    assert np.float32(cell(value)) == np.float32(value)


@pytest.mark.parametrize("value", [math.inf, -math.inf, math.nan])
def test_what_is_no_number_is_missing(value):
    assert cell(value) == "n/a"


def test_numbers_are_not_longer_than_they_need_to_be():
    assert cell(0.15000000000000002) == "0.15"
    assert cell(np.float64(2.0)) == "2"
    assert cell(7) == "7"
