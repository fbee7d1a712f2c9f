"""The report of what was measured in the window."""

from __future__ import annotations

import pytest

from ALSMotorCortexLib.cortex.errors import InputError

pytest.importorskip("slicer")
from ALSMotorCortexLib.cortex.measure import measure
from ALSMotorCortexLib.scene.inputs import collect, suggest
from ALSMotorCortexLib.window_report import save_report
from drawn_scene import drawn_scene


@pytest.fixture(scope="module")
def measured():
    scene, _, _ = drawn_scene()
    c = collect(suggest(scene))
    return c, measure(c.labels, c.settings, c.maps, c.regions, c.units)


def test_it_shows_numbers_views_and_what_was_measured(measured, tmp_path):
    path = tmp_path / "report.html"
    path.write_text("old")
    save_report(path, *measured, {"3D": b"png"})
    text = path.read_text(encoding="utf-8")
    assert "Median thickness" in text and "data:image/png;base64,cG5n" in text
    assert "Segmentation (not saved in a file of its own)" in text and "map T2star" in text
    assert [p.name for p in tmp_path.iterdir()] == ["report.html"]


def test_a_report_that_cannot_be_written_says_so_and_keeps_the_old_one(measured, tmp_path):
    path = tmp_path / "report.html"
    path.mkdir()
    (path / "kept").write_text("old")
    with pytest.raises(InputError, match=r"report\.html cannot be written"):
        save_report(path, *measured, {})
    assert (path / "kept").read_text() == "old"
    with pytest.raises(InputError, match="cannot be written"):
        save_report(tmp_path / "nowhere" / "report.html", *measured, {})
