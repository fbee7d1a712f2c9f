"""Pieces of HTML."""

from __future__ import annotations

from ALSMotorCortexLib.report.html import byline, pairs, tabulate


def test_table_marks_numbers_and_lets_single_cells_head_the_rows_below() -> None:
    html = tabulate(["A <b>", "B"], [["part"], ["x", "1"]], "Title & more", numbers=[1])
    assert "<caption>Title &amp; more</caption>" in html
    assert "<th>A &lt;b&gt;</th><th class='number'>B</th>" in html
    assert "<td class='part' colspan='2'>part</td>" in html
    assert "<td>x</td><td class='number'>1</td>" in html
    assert "colspan" not in tabulate(["A"], [["one"]], "")


def test_pairs_and_byline_escape_what_they_show() -> None:
    assert pairs("None", []) == ""
    assert "<dt>a&amp;b</dt><dd>&lt;c&gt;</dd>" in pairs("Some", [("a&b", "<c>")])
    line = byline({"versions": {"ALSMotorCortex": "1<2"}, "started": "2026-01-02T03:04:05+00:00"})
    assert line == "ALSMotorCortex 1&lt;2 · measured 2026-01-02 03:04:05 UTC"
    assert byline({}, "computed") == "ALSMotorCortex"
