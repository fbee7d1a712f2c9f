"""The pages of one patient among controls and of a follow-up: whole, offline, and printable."""

from __future__ import annotations

import re
from xml.etree import ElementTree

import pytest

from ALSMotorCortexLib import cli
from ALSMotorCortexLib.report.compare_page import percent
from placed_study import Clinic, table


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Both pages as text."""
    folder = tmp_path_factory.mktemp("pages")
    clinic = Clinic(folder).write()
    assert cli.main(clinic.arguments("--age", "61", "--sex", "F", "--quiet")) == 0
    rows = [["participant_id", "session_id", "days", "region", "map", "measure", "value", "unit"]]
    for session, days, value in ((1, 0, 3.1), (2, 90, 3.0), (3, 180, 2.95)):
        rows.append(["<A>", session, days, "ribbon", "n/a", "thickness_mean", value, "mm"])
    table(folder / "exams.tsv", rows)
    arguments = ["followup", "--measures", str(folder / "exams.tsv"), "--test-retest",
                 str(folder / "exams.tsv"), "--out", str(folder / "change")]  # fmt: skip
    assert cli.main([*arguments, "--quiet"]) == 0
    return {
        "compare": (folder / "out" / "report.html").read_text(encoding="utf-8"),
        "followup": (folder / "change" / "report.html").read_text(encoding="utf-8"),
    }


@pytest.mark.parametrize("name", ["compare", "followup"])
def test_a_page_is_whole_and_asks_for_nothing(pages: dict[str, str], name: str) -> None:
    text = pages[name]
    assert "default-src 'none'" in text
    assert not re.search(r"(?:src|href)='(?!#|data:)", text)
    for link in re.findall(r"href='#(\w+)'", text):
        assert f"id='{link}'" in text
    for svg in re.findall(r"<svg.*?</svg>", text, flags=re.S):
        ElementTree.fromstring(svg)
        assert "nan" not in svg
    assert "not a medical device" in text


@pytest.mark.parametrize("name", ["compare", "followup"])
def test_a_page_prints(pages: dict[str, str], name: str) -> None:
    style = re.search(r"<style>(.*?)</style>", pages[name], flags=re.S)
    assert style
    printed = style[1].split("@media print", 1)[1]
    for rule in ("thead{display:table-header-group}", "tr{break-inside:avoid}",
                 "tr:has(>.part)"):  # fmt: skip
        assert rule in printed
    assert "background:#000" not in style[1]


def test_names_in_tables_are_escaped(pages: dict[str, str]) -> None:
    assert "<A>" not in pages["followup"] and "&lt;A&gt;" in pages["followup"]


def test_a_single_participant_has_the_band_of_error(pages: dict[str, str]) -> None:
    assert "change from the first exam within error of measurement" in pages["followup"]


def test_both_tables_and_the_band_are_shown(pages: dict[str, str]) -> None:
    text = pages["compare"]
    assert "The patient among controls at equal age and sex" in text
    assert "The same among controls of any age and sex" in text
    assert "holds one more control in 95 % of cases, each depth alone" in text
    assert text.count("<svg class='chart'") == 2


@pytest.mark.parametrize(
    ("share", "text"),
    [(0.0, "< 0.1"), (0.004, "0.4"), (0.05, "5.0"), (0.5, "50"), (0.957, "95.7"),
     (0.9996, "> 99.9"), (float("nan"), "–")],
)  # fmt: skip
def test_shares_in_percent(share: float, text: str) -> None:
    assert percent(share) == text
