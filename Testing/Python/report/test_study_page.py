"""The study's page: complete, self-contained, and honest about what was done."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from ALSMotorCortexLib.group import GroupOptions, GroupStudy, analyse, study
from ALSMotorCortexLib.report.html import DISCLAIMER
from ALSMotorCortexLib.report.study_methods import methods
from ALSMotorCortexLib.report.study_page import page
from ALSMotorCortexLib.report.study_words import measure_name, score_name
from simulated_study import SimulatedStudy

RECORD = {
    "command": ["als-motor-cortex", "group"],
    "versions": {"ALSMotorCortex": "0.1.0", "numpy": "2.0"},
    "inputs": [{"path": "measures.tsv", "bytes": 1234, "sha256": "ab" * 32}],
}


def analysed(folder: Path, simulated: SimulatedStudy, profiles: bool = True) -> GroupStudy:
    simulated.write(folder)
    return analyse(
        [folder / "measures.tsv"], folder / "participants.tsv", folder, GroupOptions(seed=11),
        [folder / "profiles.tsv"] if profiles else [], lambda step, fraction: None,
    )  # fmt: skip


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> GroupStudy:
    simulated = SimulatedStudy()
    simulated.drop("P03")
    return analysed(tmp_path_factory.mktemp("study"), simulated)


class Checker(HTMLParser):
    """Fails on tags that are not closed in order, and gathers ids, links and requests."""

    VOID = {"meta", "img", "br"}

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: set[str] = set()
        self.links: set[str] = set()
        self.requests: list[str] = []

    def handle_starttag(self, tag: str, attrs: list) -> None:
        own = dict(attrs)
        self.ids |= {own["id"]} if "id" in own else set()
        self.links |= {own["href"]} if tag == "a" else set()
        self.requests += [v for k, v in attrs if k in ("src", "href") and tag != "a"]
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list) -> None:
        pass

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_page_is_whole_and_asks_the_network_for_nothing(found: GroupStudy) -> None:
    html = page(found, RECORD)
    checker = Checker()
    checker.feed(html)
    assert not checker.open and not checker.requests
    assert checker.links == {f"#{name}" for name in checker.ids if name}
    assert "default-src 'none'" in html and DISCLAIMER in html
    assert not re.search(r"\bnan\b|None|Estimate\(", html)


def test_page_shows_each_measure_region_and_omission(found: GroupStudy) -> None:
    html = page(found, RECORD)
    for row in found.comparisons:
        assert measure_name(row) in html and row.key.region in html
    for omission in found.data.omissions:
        assert omission.reason in html
    for section in ("effect sizes", "Laminar profiles", "Diagnostic accuracy", "Methods"):
        assert section.lower() in html.lower()
    assert html.count("<svg class='chart'") >= 1 + 3 + 3 + 3 + 12


def test_accuracy_never_stands_alone(found: GroupStudy) -> None:
    html = page(found, RECORD)
    part = html[html.index("id='accuracy'") : html.index("id='correlations'")]
    assert part.count("cross-validated") >= 9 and "apparent" in part.lower()
    assert "leave one out" in html[: html.index("id='participants'")]


def test_methods_name_what_was_done_with_its_numbers(found: GroupStudy) -> None:
    text = methods(found)
    for words in (
        "11 patients (ALS) and 9 controls (HC)",
        "9 measures were compared",
        "three families, each of all 9 measures",
        "Youden",
        "leave one out",
        "seed 11",
        "age and sex",
        "3 measures of 11 patients and 9 controls",
        f"all {len(found.correlations)} pairs of score and measure",
        "right limbs with left M1",
        "shuffled 5000 times",
        "(48 - ALSFRS-R)",
    ):
        assert words in text, words


def test_methods_leave_out_what_was_not_done(tmp_path: Path) -> None:
    simulated = SimulatedStudy(controls=0)
    for label in simulated.labels:
        simulated.set(label, "age", "n/a")
        simulated.set(label, "sex", "n/a")
    text = methods(analysed(tmp_path, simulated, profiles=False))
    assert "correlated" in text and "12 patients" in text
    for words in ("Welch", "Youden", "logistic", "shuffled", "Partial", "three families"):
        assert words not in text, words


@pytest.mark.parametrize(("patients", "controls"), [(0, 9), (12, 0), (2, 2)])
def test_page_of_a_study_that_cannot_be_compared(
    tmp_path: Path, patients: int, controls: int
) -> None:
    html = page(analysed(tmp_path, SimulatedStudy(patients=patients, controls=controls)), RECORD)
    checker = Checker()
    checker.feed(html)
    assert not checker.open
    assert "The groups are not compared" in html and "Diagnostic accuracy" not in html


def test_names_from_the_tables_stay_text(tmp_path: Path) -> None:
    simulated = SimulatedStudy()
    for row in simulated.measures[1:] + simulated.profiles[1:]:
        row[1] = "<img src=x>" if row[1] == "ribbon" else row[1]
    for label in simulated.labels:
        simulated.set(label, "sex", "<b>")
    html = page(analysed(tmp_path, simulated), RECORD)
    assert "<img" not in html and "<b>" not in html.lower()


def test_scores_and_measures_in_words(found: GroupStudy) -> None:
    assert score_name("umn_score_left_arm") == "UMN score (left arm)"
    assert score_name("something_else") == "something_else"
    assert measure_name(found.comparisons[0]) == "Thickness, mean (mm)"
    assert measure_name(found.comparisons[1]) == "T2star: mean (ms)"


def test_written_page_is_utf8_with_unix_lines(tmp_path: Path) -> None:
    folder = SimulatedStudy().write(tmp_path)
    found = study([folder], folder / "participants.tsv", folder / "out")
    raw = (found.folder / "report.html").read_bytes()
    assert b"\r" not in raw and raw.decode("utf-8").startswith("<!DOCTYPE html>")
