"""Charts: their curves, bars and marks stand where the numbers say."""

from __future__ import annotations

import dataclasses
import re
import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ALSMotorCortexLib.report import charts
from measured_cylinder import cylinder


def coordinates(path: ElementTree.Element) -> np.ndarray:
    """(n, 2) points of an SVG path of straight lines."""
    numbers = re.findall(r"-?[\d.]+", path.get("d"))
    return np.array(numbers, float).reshape(-1, 2)


@given(st.floats(-1e6, 1e6), st.floats(1e-3, 1e6))
def test_ticks_are_inside_round_and_even(low, span):
    ticks = charts.nice_ticks(low, low + span)
    slack = 1e-6 * span + 1e-9 * abs(low)
    assert 2 <= len(ticks) <= 8
    assert ticks[0] >= low - slack and ticks[-1] <= low + span + slack
    assert len(set(charts.tick_texts(ticks))) == len(ticks)


def test_histogram_bars_are_the_shares():
    measurement, _, _ = cylinder()
    n = len(measurement.thickness)
    thickness = np.full(n, 2.05, np.float32)
    thickness[: n // 4] = 3.05
    svg = charts.thickness_histogram(dataclasses.replace(measurement, thickness=thickness))
    shares = {m[0]: float(m[1]) for m in re.findall(r"<title>(\S+) to .*?: (\S+) %</title>", svg)}
    filled = {start: share for start, share in shares.items() if share}
    assert sorted(filled.values()) == pytest.approx([25, 75], abs=0.1)
    heights = {float(h) for h in re.findall(r"height='(\S+)' fill='#(?:7fb3d5|c9d9e4)'", svg)} - {
        0.0
    }
    assert max(heights) / min(heights) == pytest.approx(3, rel=0.02)


def test_profile_runs_from_pial_left_to_white_matter_right():
    """The band surrounds the mean, layers are marked, and values stand at their bins' middles."""
    measurement, _, _ = cylinder()
    svg = charts.profile_chart(measurement, "T2star", ["ribbon"]).split("</svg>")[0] + "</svg>"
    root = ElementTree.fromstring(svg)
    curve = next(e for e in root.iter("path") if e.get("stroke-width") == "2.2")
    points = coordinates(curve)
    x0, x1 = charts.LEFT, charts.WIDTH - charts.RIGHT
    assert points[:, 0] == pytest.approx(x0 + (x1 - x0) * np.array([1, 3, 5, 7]) / 8, abs=0.1)
    assert (np.diff(points[:, 1]) < 0).all()  # the means grow, so the curve climbs
    dashed = [e for e in root.iter("line") if e.get("stroke-dasharray") == "3 3"]
    marks = [float(e.get("x1")) for e in dashed]
    assert marks == pytest.approx([x0 + (x1 - x0) * q / 3 for q in (1, 2)], abs=0.1)
    texts = {e.text: float(e.get("x")) for e in root.iter("text")}
    assert texts["pial surface"] < texts["superficial"] < texts["deep"] < texts["white matter"]
    band = next(e for e in root.iter("path") if e.get("fill-opacity") == "0.22")
    upper, lower = coordinates(band)[:4], coordinates(band)[4:][::-1]
    assert (upper[:, 1] < points[:, 1]).all() and (points[:, 1] < lower[:, 1]).all()


@pytest.mark.parametrize(
    "halves, words",
    [
        ([0.001] * 4, "95 % interval of the mean, narrower than the line"),
        ([0.001, 0.001, 9, 9], "95 % interval of the mean, in places narrower than the line"),
        ([0.001, 0.001, 0.001, 9], "95 % interval of the mean, mostly narrower than the line"),
        ([9] * 4, "95 % interval of the mean"),
        ([9, 9, 9, float("nan")], "95 % interval of the mean"),
    ],
)
def test_the_legend_says_where_a_band_is_hidden_by_its_line(halves, words):
    measurement, _, _ = cylinder()
    profiles = [p for p in measurement.profiles if (p.region, p.map) == ("ribbon", "T2star")]
    profiles = [
        dataclasses.replace(p, ci_low=p.mean - half, ci_high=p.mean + half)
        for p, half in zip(profiles, halves, strict=True)
    ]
    changed = dataclasses.replace(measurement, profiles=tuple(profiles))
    html = charts.profile_chart(changed, "T2star", ["ribbon"])
    assert f"<span>{words}</span>" in html


def test_regions_have_the_same_colour_in_both_charts():
    measurement, _, _ = cylinder(regions=("left", "right"))
    drawn = [
        charts.thickness_histogram(measurement),
        charts.profile_chart(measurement, "T2star", list(measurement.regions)),
    ]
    for region in ("left", "right"):
        pattern = rf"stroke='(#\w+)'[^>]*/></svg><span>[^<]*{region} \(n = "
        colours = [re.search(pattern, svg)[1] for svg in drawn]
        assert colours[0] == colours[1]


def test_long_names_are_cut_in_the_middle():
    text = charts.shorten("a" * 90 + "z", 21)
    assert text == "a" * 10 + "…" + "a" * 9 + "z"
    assert charts.shorten("T2*", 21) == "T2*"
