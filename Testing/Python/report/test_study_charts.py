"""The study's figures: well-formed, every participant in them, and numbers where they belong."""

from __future__ import annotations

import re
from xml.etree import ElementTree

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ALSMotorCortexLib.group import GroupOptions, GroupStudy, analyse
from ALSMotorCortexLib.report import study_charts as charts
from ALSMotorCortexLib.study.statistics.interval import UNKNOWN, Estimate
from simulated_study import SimulatedStudy


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> GroupStudy:
    folder = SimulatedStudy().write(tmp_path_factory.mktemp("study"))
    return analyse(
        [folder / "measures.tsv"], folder / "participants.tsv", folder, GroupOptions(),
        [folder / "profiles.tsv"], lambda step, fraction: None,
    )  # fmt: skip


def svg_of(html: str) -> ElementTree.Element:
    return ElementTree.fromstring(re.search(r"<svg class='chart'.*?</svg>", html, re.DOTALL)[0])


def test_boxes_have_a_point_for_each_participant_and_quartiles_in_place(found: GroupStudy) -> None:
    row = found.comparisons[0]
    svg = svg_of(charts.boxes([row], "mm", ["ribbon"]))
    discs = svg.findall("circle")
    squares = [p for p in svg.findall("path") if p.get("stroke") == "#fff"]
    assert (len(discs), len(squares)) == (12, 9)
    heights = sorted(float(c.get("cy")) for c in discs)
    box = svg.findall("rect")[0]
    top, tall = float(box.get("y")), float(box.get("height"))
    inside = sum(top - 0.1 <= h <= top + tall + 0.1 for h in heights)
    assert inside == 6, "half of the patients are in the box"
    texts = [t.text for t in svg.findall("text")]
    assert "n = 12 | 9" in texts and "ribbon" in texts


@given(st.lists(st.floats(0, 200), min_size=1, max_size=40))
def test_points_do_not_cover_one_another_while_there_is_room(heights: list[float]) -> None:
    y = np.array(heights)
    x = charts.spread(y, half=22, size=6)
    assert (np.abs(x) <= 22).all()
    near = (np.abs(y[:, None] - y) < 6).sum(1).max()
    if near <= 4:
        apart = (np.abs(x[:, None] - x) >= 6 - 1e-6) | (np.abs(y[:, None] - y) >= 6)
        assert (apart | np.eye(len(y), dtype=bool)).all()


def test_roc_ends_in_the_corners_and_marks_both_accuracies(found: GroupStudy) -> None:
    row = found.comparisons[0]
    html = charts.roc([row], ["Thickness"], found.combined)
    svg = svg_of(html)
    paths = [p.get("d") for p in svg.findall("path")]
    assert len(paths) == 2, "the measure and the combination"
    frame = charts.Axes((0, 1), (0, 1), 330, 340, left=46, bottom=44)
    ends = [f"{frame.px(v):.1f} {frame.py(v):.1f}" for v in (0, 1)]
    for path in paths:
        assert path.startswith(f"M{ends[0]}") and path.endswith(ends[1])
    filled = [c for c in svg.findall("circle") if c.get("fill") != "#fff"]
    assert len(filled) == 2 and len(svg.findall("circle")) == 3
    crossed = row.diagnosis.crossed
    assert float(filled[0].get("cy")) == pytest.approx(
        frame.py(crossed.sensitivity.value), abs=0.06
    )
    assert "cross-validated" in html


def test_scatter_has_every_patient_and_its_band_holds_the_line(found: GroupStudy) -> None:
    row = found.correlations[0]
    svg = svg_of(charts.scatter(row, "score", "mm"))
    assert len(svg.findall("circle")) == row.pearson.n
    line, half = charts.fitted_line(row.x, row.y, row.x)
    slope, start = np.polyfit(row.x, row.y, 1)
    np.testing.assert_allclose(line, start + slope * row.x)
    assert (half > 0).all()


def test_profile_has_both_groups_and_marks_where_they_differ(found: GroupStudy) -> None:
    row = next(r for r in found.profiles if r.region == "ribbon")
    svg = svg_of(charts.profile(row, "ms"))
    bars = [el for el in svg.findall("line") if el.get("stroke-width") == "4"]
    assert len(bars) == (row.p <= 0.05).sum() > 0
    tips = [t.text for t in svg.iter("title")]
    assert len(tips) == 5 and "n = 12" in tips[0] and "n = 9" in tips[0]


def test_effects_put_each_interval_in_its_row() -> None:
    groups = [("A", [("left", Estimate(-1, -1.5, -0.5)), ("right", UNKNOWN)]),
              ("B", [("left", Estimate(0.2, -0.3, 0.7))])]  # fmt: skip
    (chart,) = charts.effects(groups)
    svg = svg_of(chart)
    squares = svg.findall("rect")
    assert len(squares) == 2
    assert squares[0].get("fill") != squares[1].get("fill"), "gray where the interval holds 0"
    assert charts.effects([("A", [("left", UNKNOWN)])]) == []


def test_parts_of_a_long_chart_fit_on_a_page() -> None:
    groups = [(name, list(range(n))) for name, n in (("A", 9), ("B", 9), ("C", 30), ("D", 2))]
    parts = charts.on_pages(groups, 20)
    assert [[name for name, _ in part] for part in parts] == [["A", "B"], ["C"], ["D"]]
    assert [group for part in parts for group in part] == groups


@pytest.mark.parametrize(
    ("p", "text"), [(0.0004, "< 0.001"), (0.04999, "0.050"), (1, "1.000"), (float("nan"), "–")]
)
def test_p_values(p: float, text: str) -> None:
    assert charts.p_text(p) == text


def test_numbers_have_the_decimals_of_their_spread() -> None:
    assert charts.decimals(0.137) == 3 and charts.decimals(15.2) == 1 and charts.decimals(152) == 0
    assert charts.interval(Estimate(-0.0839, -0.1813, 0.0137), 3) == "−0.084 (−0.181 to 0.014)"
    assert charts.interval(UNKNOWN, 2) == "–"
    assert charts.share(Estimate(0.5, 0.25, 0.75)) == "0.50 (0.25 to 0.75)"
    assert charts.percent(Estimate(0.5, 0.25, 0.75)) == "50 % (25 to 75)"


def test_names_with_angle_brackets_stay_text(found: GroupStudy) -> None:
    html = charts.boxes([found.comparisons[0]], "<script>", ["<b>"])
    assert "<script>" not in html and "<b>" not in html
