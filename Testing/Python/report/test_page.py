"""The report page: what it says, that it stands alone, and that it is well-formed."""

from __future__ import annotations

import dataclasses
import math
import re
from base64 import b64decode
from html.parser import HTMLParser

import numpy as np
import pytest

from ALSMotorCortexLib.cortex.grid import Image
from ALSMotorCortexLib.cortex.result import RIBBON, Finding, Measure
from ALSMotorCortexLib.cortex.settings import Settings
from ALSMotorCortexLib.report import words
from ALSMotorCortexLib.report.page import DISCLAIMER, page, write_report
from measured_cylinder import cylinder

VOID = {"meta", "link", "br", "img", "hr", "input"}
NASTY = "<script>alert('1')</script> & \"QSM\""


class Page(HTMLParser):
    """Checks that tags close in order; collects attributes, text and tables."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.text: list[str] = []
        self.cells: list[str] = []
        self.feed(html)
        self.close()
        assert not self.open, f"never closed: {self.open}"

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)
        if tag == "td":
            self.cells.append("")

    def handle_startendtag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open and self.open[-1] == tag, f"</{tag}> closes {self.open[-3:]}"
        self.open.pop()

    def handle_data(self, data):
        if self.open and self.open[-1] not in ("style", "script"):
            self.text.append(data)
            if "td" in self.open:
                self.cells[-1] += data

    @property
    def words(self) -> str:
        return re.sub(r"[ \n]+", " ", " ".join(self.text))

    def with_tag(self, name: str) -> list[dict[str, str]]:
        return [attrs for tag, attrs in self.tags if tag == name]


def made(*args, title="A case", provenance=None, **changes) -> tuple[str, Page]:
    measurement, labels, maps = args or cylinder()
    html = page(dataclasses.replace(measurement, **changes), labels, maps, title, provenance or {})
    return html, Page(html)


CASES = {
    "one map": {},
    "no map": {"maps": ()},
    "two maps": {"maps": ("T2star", NASTY)},
    "regions": {"regions": ("left", "right", NASTY, "a" * 150, "e", "f")},
    "one slice": {"shape": (1, 40, 44)},
    "sagittal": {"settings": Settings(gm=(3,), wm=(2,), csf=(1,), plane="sagittal", bins=4)},
    "many layers": {"settings": Settings(gm=(3,), wm=(2,), csf=(1,), layers=250, bins=4)},
}


@pytest.mark.parametrize("case", CASES)
def test_well_formed_and_stands_alone(case):
    html, parsed = made(*cylinder(**CASES[case]))
    assert "script" not in {tag for tag, _ in parsed.tags}
    ids = [attrs["id"] for _, attrs in parsed.tags if "id" in attrs]
    assert len(ids) == len(set(ids))
    for tag, attrs in parsed.tags:
        for name in ("src", "href", "xlink:href", "data", "action", "srcset", "poster"):
            target = attrs.get(name, "#")
            inside = target[1:] in {"", *ids} if target[0] == "#" else target.startswith("data:")
            assert inside, f"{tag} loads {target[:60]}"
        assert not any(name.startswith("on") for name in attrs)
    assert "@import" not in html and "url(" not in html and "://" not in html
    assert all(not svg.get("viewBox", "0 0 1 1").endswith(" 0") for svg in parsed.with_tag("svg"))
    assert "nan" not in html.replace("nance", "").lower().split("data:image")[0]


@pytest.mark.parametrize("case", CASES)
def test_every_measure_and_profile_is_on_the_page(case):
    measurement, labels, maps = cylinder(**CASES[case])
    _, parsed = made(measurement, labels, maps)
    for m in measurement.measures:
        assert words.number(m.value, m.unit) in parsed.cells
        assert m.measure in parsed.words
    for region, name in {(p.region, p.map) for p in measurement.profiles}:
        assert any(f"{name} in {region} (ms)" in text for text in parsed.text)
    assert parsed.cells.count("0.25 to 0.50") == len(measurement.profiles) // 4
    for value in ("91.25", "90.50 to 92.50"):
        assert parsed.cells.count(value) == len(measurement.profiles) // 4


def test_user_text_is_escaped_everywhere():
    measurement, labels, maps = cylinder(maps=(NASTY,), regions=(NASTY,))
    provenance = {
        "command": [NASTY], "versions": {NASTY: NASTY}, "seconds": {NASTY: 1.0}, NASTY: NASTY,
        "inputs": [{"role": NASTY, "path": NASTY, "bytes": 3, "sha256": NASTY}],
    }  # fmt: skip
    html, parsed = made(
        measurement, labels, maps, title=NASTY, provenance=provenance,
        units={NASTY: NASTY}, findings=(Finding("x", NASTY, True),),
        measures=(*measurement.measures, Measure(NASTY, NASTY, NASTY, 1.0, NASTY)),
    )  # fmt: skip
    assert "<script" not in html
    assert parsed.words.count(NASTY) >= 10


def test_warnings_come_before_notes_with_their_place():
    _, parsed = made(
        findings=(
            Finding("n", "Two holes filled."),
            Finding("w", "CSF touches white matter.", True, (-12.34, 5.0, 60.06)),
        )
    )
    text = parsed.words
    assert "1 warning" in text
    assert text.index("CSF touches") < text.index("Two holes") < text.rindex("Slices through")
    assert "At L 12.3, A 5.0, S 60.1 mm." in text


def test_no_findings_says_so():
    assert "No warnings" in made()[1].words


def test_nothing_measured():
    measurement, labels, maps = cylinder()
    empty = np.full(len(measurement.voxels), np.nan, np.float32)
    nothing = dict.fromkeys(("mean", "median", "sd", "q25", "q75", "ci_low", "ci_high"), math.nan)
    _, parsed = made(
        measurement, labels, maps,
        thickness=empty, depth_equidistant=empty, depth_equivolume=empty,
        layers=np.zeros(len(empty), np.uint8), values={"T2star": empty},
        measures=tuple(dataclasses.replace(m, value=math.nan) for m in measurement.measures),
        profiles=tuple(dataclasses.replace(p, n=0, **nothing) for p in measurement.profiles),
    )  # fmt: skip
    assert "chart" not in [a.get("class") for a in parsed.with_tag("svg")]
    assert "No voxel has a thickness" in parsed.words
    assert parsed.cells.count(words.NOT_MEASURED) >= len(measurement.measures)
    assert f"0 of {words.count(len(empty))}" in parsed.words
    borders = [a["d"] for a in parsed.with_tag("path") if a.get("class") in ("pial", "white")]
    assert borders and not any(borders)


def test_counts_voxels_without_a_value():
    measurement, labels, maps = cylinder()
    thickness = measurement.thickness.copy()
    thickness[:7] = np.nan
    n = len(thickness)
    text = made(measurement, labels, maps, thickness=thickness)[1].words
    assert f"{words.count(n - 7)} of {words.count(n)}" in text
    assert "7 without a value" in text


def test_a_bin_without_values_breaks_the_curve():
    measurement, labels, maps = cylinder()
    profiles = list(measurement.profiles)
    profiles[1] = dataclasses.replace(profiles[1], n=0, mean=math.nan)
    _, parsed = made(measurement, labels, maps, profiles=tuple(profiles))
    curves = [a["d"] for a in parsed.with_tag("path") if a.get("stroke-width") == "2.2"]
    assert [d.count("M") for d in curves] == [2]


def test_huge_and_tiny_values_are_readable():
    measurement, labels, maps = cylinder()
    values = (3.2e12, -4.5e-9, 0.0, math.inf)
    measures = tuple(Measure(RIBBON, "T2star", f"m{q}", v, "ms") for q, v in enumerate(values))
    cells = made(measurement, labels, maps, measures=measures)[1].cells
    for text in ("3.200 × 10¹²", "−4.500 × 10⁻⁹", "0", words.NOT_MEASURED):
        assert text in cells


def test_constant_and_missing_maps_still_have_pictures():
    measurement, labels, _ = cylinder(maps=("a", "b"))
    grid = measurement.grid
    maps = {"a": Image(np.full(grid.shape, np.nan, np.float32), grid),
            "b": Image(np.full(grid.shape, 7, np.int16), grid)}  # fmt: skip
    _, parsed = made(measurement, labels, maps)
    assert len([a for a in parsed.with_tag("svg") if a.get("class") == "slice"]) == 4 + 2 + 8


def test_files_versions_times_and_disclaimer():
    provenance = {
        "inputs": [{"role": "labels", "path": "a/seg.nii.gz", "bytes": 1234, "sha256": "ab" * 32}],
        "versions": {"ALSMotorCortex": "9.8.7", "slicer": None},
        "seconds": {"borders": 1.234},
        "command": ["als-motor-cortex", "analyze"],
        "started": "2026-01-02T03:04:05+00:00",
    }
    text = made(provenance=provenance)[1].words
    for part in ("a/seg.nii.gz", "ab" * 32, "9.8.7", "1.23 s", "als-motor-cortex analyze",
                 "2026-01-02 03:04:05 UTC", words.count(1234)):  # fmt: skip
        assert part in text
    assert "None" not in text
    assert text.count(DISCLAIMER) == 2


def test_settings_are_listed():
    text = made()[1].words
    assert "Gray-matter labels 3" in text
    assert "Measured within plane none, in 3D" in text


def test_the_angle_of_slices_has_its_section():
    measurement, labels, maps = cylinder()
    n = len(measurement.voxels)
    angle = np.full(n, 10, np.float32)
    angle[: n // 4] = 47
    flat = (measurement, labels, maps)
    in_3d = made(*flat, angle=angle)[1].words
    assert "Angle of the slices" in in_3d and "measured in 3D, so" in in_3d
    in_plane = made(
        *flat,
        angle=angle,
        thickness_corrected=measurement.thickness * np.cos(np.radians(angle)),
        measures=(
            *measurement.measures,
            Measure(RIBBON, "", "thickness_corrected_mean", 2.22, "mm"),
        ),
    )[1].words
    assert f"{words.count(n // 4)} of {words.count(n)} voxels lie in columns steeper" in in_plane
    assert "Corrected mean thickness 2.22" in in_plane
    assert "Angle to the slices" in in_plane
    # The histogram leaves these voxels out.
    assert f"n = {words.count(n - n // 4)} voxels" in in_plane
    unknown = made(*flat, angle=np.full(n, np.nan, np.float32))[1].words
    assert "cannot be told" in unknown
    assert "Angle of the slices" not in made()[1].words


def test_pictures_of_views_are_in_the_page():
    png = b"\x89PNG\r\n\x1a\n" + bytes(range(256))
    measurement, labels, maps = cylinder()
    parsed = Page(page(measurement, labels, maps, "A case", {}, {"3D view": png, NASTY: b"x"}))
    shown = {attrs["alt"]: attrs["src"] for attrs in parsed.with_tag("img")}
    assert list(shown) == ["3D view", NASTY]
    assert b64decode(shown["3D view"].removeprefix("data:image/png;base64,")) == png
    assert "3D view" in parsed.words and "Views" in parsed.words
    assert "#views" in {attrs["href"] for attrs in parsed.with_tag("a")}
    assert "Views" not in made()[1].words


def test_writes_one_small_file(tmp_path):
    """Noise does not compress, so this is about the largest page a volume of its size makes."""
    shape = (3, 260, 260)
    measurement, labels, maps = cylinder(shape, (0.5, 0.06, 0.06))
    noise = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    maps = {"T2star": Image(noise, measurement.grid)}
    path = tmp_path / "report.html"
    write_report(measurement, path, labels, maps, "Größe", {})
    assert [p.name for p in tmp_path.iterdir()] == ["report.html"]
    assert "Größe" in path.read_text(encoding="utf-8")
    assert path.stat().st_size < 3e6
