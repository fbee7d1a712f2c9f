"""Markups files, as Slicer's storage node writes them and as others might."""

from __future__ import annotations

import json

import numpy as np
import pytest

from ALSMotorCortexLib.cortex.drawn import RECORD
from ALSMotorCortexLib.cortex.errors import InputError
from ALSMotorCortexLib.study.markups import read_curves, read_lines, read_markups

POINTS = np.array([[1.0, -2.0, 3.0], [1 / 3, 5.0, -7.0], [10.0, 20.0, 30.0]])


def markup(points, system="LPS", **more):
    signs = {"LPS": [-1, -1, 1]}.get(system, [1, 1, 1])
    controls = [
        {"position": list(p), "positionStatus": "defined"} for p in np.asarray(points) * signs
    ]
    return {"type": "Curve", "coordinateSystem": system, "controlPoints": controls, **more}


def written(tmp_path, *markups, name="drawn.mrk.json"):
    path = tmp_path / name
    path.write_text(json.dumps({"@schema": "markups-schema-v1.0.3", "markups": list(markups)}))
    return path


@pytest.mark.parametrize("system", ["LPS", "RAS"])
@pytest.mark.parametrize(
    ("units", "scale"),
    [("mm", 1), ("cm", 10), (["um", "UCUM", "micrometer"], 1e-3), ("", 1), (None, 1)],
)
def test_points_are_ras_in_mm_whatever_the_file_says(tmp_path, system, units, scale):
    path = written(tmp_path, markup(POINTS / scale, system, coordinateUnits=units))
    (found,) = read_curves(path)
    assert found.points == pytest.approx(POINTS)
    assert found.name == "drawn"


def test_a_file_without_a_coordinate_system_is_lps(tmp_path):
    plain = markup(POINTS)
    del plain["coordinateSystem"]
    assert read_curves(written(tmp_path, plain))[0].points == pytest.approx(POINTS)


def test_points_that_are_not_placed_are_left_out(tmp_path):
    item = markup(POINTS)
    item["controlPoints"].insert(1, {"position": "", "positionStatus": "undefined"})
    item["controlPoints"].append({"position": [1, 2, 3], "positionStatus": "preview"})
    assert read_curves(written(tmp_path, item))[0].points == pytest.approx(POINTS)


def test_several_markups_of_a_file_get_numbers(tmp_path):
    path = written(tmp_path, markup(POINTS), markup(POINTS[::-1]))
    assert [m.name for m in read_curves(path)] == ["drawn_1", "drawn_2"]


def test_the_record_is_found_among_the_measurements(tmp_path):
    measurements = [
        {"name": "length", "value": 3.0},
        {"name": RECORD, "enabled": False, "description": '{"pial_side": "left"}'},
    ]
    path = written(tmp_path, markup(POINTS, measurements=measurements))
    assert json.loads(read_markups(path)[0].record) == {"pial_side": "left"}


def test_a_wrong_type_is_named(tmp_path):
    with pytest.raises(InputError, match="of type Curve, not a line"):
        read_lines(written(tmp_path, markup(POINTS)))


@pytest.mark.parametrize(
    "text",
    ["", "not JSON", "[]", "{}", '{"markups": []}', '{"markups": [1]}',
     '{"markups": [{"type": "Curve", "controlPoints": [1]}]}',
     '{"markups": [{"type": "Curve", "controlPoints": [{"position": ["a", 1, 2]}]}]}',
     '{"markups": [{"type": "Curve", "controlPoints": [{"position": [1, 2]}]}]}'],
)  # fmt: skip
def test_what_is_no_markups_file_is_said(tmp_path, text):
    path = tmp_path / "wrong.mrk.json"
    path.write_text(text)
    with pytest.raises(InputError, match="is not a markups file"):
        read_markups(path)


def test_missing_file_unknown_system_and_unit_are_said(tmp_path):
    with pytest.raises(InputError, match="There is no file"):
        read_markups(tmp_path / "none.mrk.json")
    with pytest.raises(InputError, match="neither LPS nor RAS"):
        read_markups(written(tmp_path, markup(POINTS, "IJK")))
    with pytest.raises(InputError, match="in the unit inch"):
        read_markups(written(tmp_path, markup(POINTS, coordinateUnits="inch")))
    with pytest.raises(InputError, match="without a position in numbers"):
        read_markups(written(tmp_path, markup(POINTS * [1, np.nan, 1])))
