"""The table of participants: what it may look like, and what it must not."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from ALSMotorCortexLib.cortex.errors import InputError
from ALSMotorCortexLib.study.participants import (
    RATE,
    Participants,
    choose_groups,
    read_participants,
)


def read(folder: Path, *rows: str) -> Participants:
    path = folder / "participants.tsv"
    path.write_text("\n".join(rows).replace(" ", "\t") + "\n", encoding="utf-8")
    return read_participants(path)


def test_cells_as_people_write_them(tmp_path: Path) -> None:
    got = read(
        tmp_path,
        "participant_id group age sex umn_score",
        "sub-01 ALS 61,5 male 7",
        "02 HC n/a F n/a",
    )
    one, two = got.people
    assert (one.id, one.group, one.age, one.sex) == ("01", "ALS", 61.5, "M")
    assert one.scores["umn_score"] == 7
    assert (two.id, two.sex) == ("02", "F")
    assert math.isnan(two.age) and math.isnan(two.scores["umn_score"])
    assert [(o.item, o.n) for o in got.omissions] == [("age", 1)]
    assert "02" in got.omissions[0].reason


def test_progression_rate_is_computed_where_it_is_absent(tmp_path: Path) -> None:
    got = read(
        tmp_path,
        f"participant_id group alsfrs_r onset_date exam_date {RATE}",
        "a ALS 36 2020-01-01 2021-05-02 n/a",
        "b ALS 36 2020-01-01 2021-05-02 0,9",
        "c ALS 36 2021-05-02 2020-01-01 n/a",
        "d ALS n/a 2020-01-01 2021-05-02 n/a",
    )
    rates = [p.scores[RATE] for p in got.people]
    assert rates[:2] == pytest.approx([12 / 16, 0.9])
    assert math.isnan(rates[2]) and math.isnan(rates[3])
    assert got.rates_computed == 1
    assert any(o.item == RATE and o.n == 1 and "c" in o.reason for o in got.omissions)


@pytest.mark.parametrize(
    ("rows", "sentence"),
    [
        (["participant_id age", "a 60"], "no column 'group'"),
        (["participant_id group"], "names no participants"),
        (["participant_id group", "a ALS", "sub-a HC"], "Participant a stands twice .* 2 and 3"),
        (["participant_id group", "n/a ALS"], "participant_id is missing in line 2"),
        (["participant_id group age", "a ALS old"], "'old' in column age"),
        (["participant_id group age", "a ALS 610"], "age 610 .* not between 0 and 120"),
        (["participant_id group alsfrs_r", "a ALS 49"], "alsfrs_r 49 .* not between 0 and 48"),
        (["participant_id group exam_date", "a ALS 31.5.2024"], "is not a date"),
    ],
)
def test_bad_tables_are_told_in_a_sentence(tmp_path: Path, rows: list[str], sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        read(tmp_path, *rows)


def groups(folder: Path, *names: str) -> Participants:
    return read(folder, "participant_id group", *(f"{i} {name}" for i, name in enumerate(names)))


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (("ALS", "HC"), ("ALS", "HC")),
        (("Control", "Patient"), ("Patient", "Control")),
        (("FTD", "healthy"), ("FTD", "healthy")),
        (("ALS", "mimic", "HC"), ("ALS", "HC")),
        (("ALS", "ALS"), ("ALS", "")),
        (("HC", "n/a"), ("", "HC")),
    ],
)
def test_usual_names_are_known(
    tmp_path: Path, names: tuple[str, ...], expected: tuple[str, str]
) -> None:
    assert choose_groups(groups(tmp_path, *names)) == expected


def test_names_may_be_given_in_any_case(tmp_path: Path) -> None:
    people = groups(tmp_path, "one", "two", "three")
    assert choose_groups(people, "Two", "one") == ("two", "one")


@pytest.mark.parametrize(
    ("names", "given", "sentence"),
    [
        (("x", "y"), ("", ""), r"x \(1\), y \(1\), and none is known"),
        (("x", "y"), ("z", ""), r"no group 'z' .* Its groups are x \(1\), y \(1\)"),
        (("ALS", "MND", "HC"), ("", ""), "several groups that may be the patients: ALS, MND"),
        (("x", "y"), ("x", "x"), "both called x"),
        (("n/a", "n/a"), ("", ""), "No participant .* has a group"),
    ],
)
def test_unknown_groups_are_told_in_a_sentence(
    tmp_path: Path, names: tuple[str, ...], given: tuple[str, str], sentence: str
) -> None:
    with pytest.raises(InputError, match=sentence):
        choose_groups(groups(tmp_path, *names), *given)
