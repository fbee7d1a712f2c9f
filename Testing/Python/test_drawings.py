"""Markups saved by Slicer's own storage node give ``analyze`` the window's numbers."""

from __future__ import annotations

import csv
import json

import numpy as np
import pytest

from ALSMotorCortexLib import cli
from ALSMotorCortexLib.analyze_writing import RESULTS
from ALSMotorCortexLib.cortex.errors import InputError
from ALSMotorCortexLib.drawings import Drawings, measure_drawings
from ALSMotorCortexLib.study.nifti import write_nifti

slicer = pytest.importorskip("slicer")

from ALSMotorCortexLib.scene.caliper import CaliperLogic  # noqa: E402
from ALSMotorCortexLib.scene.markups import points_of  # noqa: E402
from ALSMotorCortexLib.scene.trace import TraceLogic  # noqa: E402
from ALSMotorCortexLib.scene.volumes import read_volume  # noqa: E402
from drawn_markups import RING, across, add_cortex, along, put, save, scene_with_markups  # noqa: E402

TITLES = {
    "thickness": "Cortical thickness",
    "thickness_mean": "Cortical thickness",
    "deep_hypointensity": "Deep hypointensity",
    "signal_thickness_ratio": "Signal-hypointensity-to-thickness",
}


@pytest.fixture(scope="module")
def window(tmp_path_factory):
    """What a user leaves: an image file, saved markups, and the nodes with their numbers."""
    folder = tmp_path_factory.mktemp("window")
    scene = scene_with_markups()
    volume = add_cortex(scene)
    write_nifti(read_volume(volume)[0], folder / "image.nii.gz", "drawn cortex")
    calipers, traces = CaliperLogic(scene), TraceLogic(scene)
    line = calipers.add(volume)
    put(line, across())
    calipers.configure(line, width_mm=1.4)
    curves = [traces.add(volume) for _ in range(2)]
    for height, curve in enumerate(curves):
        put(curve, along(float(height)))
    white = traces.nodes(curves[0])["white"]
    white.SetNthControlPointPositionWorld(7, points_of(white)[7] + [0.3, -0.4, 0])
    traces.configure(curves[1], pial_side="bright")
    nodes = {"hand": line, "lower": curves[0], "upper": curves[1]}
    for name, node in nodes.items():
        save(node, folder / f"{name}.mrk.json")
    for role in ("pial", "white"):
        save(traces.nodes(curves[1])[role], folder / f"{role}.mrk.json")
    yield folder, nodes
    calipers.close()
    traces.close()


def run(window, out, *arguments):
    folder, _ = window
    where = [a.replace("@", f"{folder}/") for a in arguments]
    map_ = ["--map", f"T2star={folder}/image.nii.gz"]
    return cli.main(["analyze", *map_, *where, "--out", str(out), "--quiet"])


def rows(path):
    with open(path, encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream, delimiter="\t"))


def test_numbers_are_the_windows(window, tmp_path):
    """Also with a border that was dragged and with options other than the defaults."""
    assert run(window, tmp_path / "out", "--trace", "@lower.mrk.json,@upper.mrk.json",
               "--caliper", "@hand.mrk.json", "--no-report", "--no-scene") == 0  # fmt: skip
    found = [r for r in rows(tmp_path / "out" / "markups.tsv") if r["measure"] in TITLES]
    assert len(found) == 9
    for row in found:
        shown = window[1][row["markup"]].GetMeasurement(TITLES[row["measure"]])
        assert float(row["value"]) == pytest.approx(shown.GetValue(), rel=1e-6)


def test_traces_make_the_label_map(window, tmp_path):
    out = tmp_path / "out"
    assert run(window, out, "--trace", "@lower.mrk.json,@upper.mrk.json") == 0
    measures = {(r["region"], r["map"], r["measure"]): r["value"] for r in
                rows(out / "measures.tsv")}  # fmt: skip
    thickness = float(measures["ribbon", "n/a", "thickness_mean"])
    assert thickness == pytest.approx(RING.thickness, abs=0.1)
    assert {"report.html", "scene.mrb", "thickness.nii.gz"} <= {p.name for p in out.iterdir()}
    assert {p.name for p in out.iterdir()} <= {*RESULTS, "provenance.json"}
    along_it = rows(out / "trace_thickness.tsv")
    mean = np.mean([float(r["thickness"]) for r in along_it if r["markup"] == "upper"])
    shown = window[1]["upper"].GetMeasurement("Cortical thickness").GetValue()
    assert mean == pytest.approx(shown)
    assert len(rows(out / "trace_profiles.tsv")) == 40
    record = json.loads((out / "provenance.json").read_text())
    roles = {i["role"] for i in record["inputs"]}
    assert roles == {"map T2star", "trace lower", "trace upper"}
    assert record["settings"]["gm"] == [3]


def test_a_caliper_alone_needs_no_labels(window, tmp_path, capsys):
    out = tmp_path / "out"
    assert run(window, out, "--caliper", "@hand.mrk.json") == 0
    assert {p.name for p in out.iterdir()} == {"markups.tsv", "provenance.json"}


def test_borders_drawn_by_hand(window, tmp_path):
    out = tmp_path / "out"
    assert run(window, out, "--borders", "@pial.mrk.json,@white.mrk.json", "--no-scene") == 0
    (row,) = [r for r in rows(out / "markups.tsv") if r["measure"] == "thickness_mean"]
    assert float(row["value"]) == pytest.approx(RING.thickness, abs=0.1)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--caliper", "@lower.mrk.json"], "of type Curve, not a line"),
        (["--trace", "@hand.mrk.json"], "of type Line, not an open curve"),
        (["--trace", "@none.mrk.json"], "There is no file"),
        (["--trace", "@lower.mrk.json", "--drawn-on", "R2"], "--drawn-on names R2"),
        (["--borders", "@lower.mrk.json"], "should name two files"),
        ([], "nothing to measure"),
    ],
)
def test_what_cannot_be_used_is_said(window, tmp_path, capsys, arguments, says):
    assert run(window, tmp_path / "out", *arguments) == 2
    error = capsys.readouterr().err
    assert says in error
    assert "Traceback" not in error
    assert not (tmp_path / "out").exists()


def test_drawings_need_a_map(window):
    with pytest.raises(InputError, match="measured on an image"):
        measure_drawings(Drawings(calipers=(window[0] / "hand.mrk.json",)), {})
