"""A saved scene has all that a result's report needs."""

from __future__ import annotations

from dataclasses import fields

import numpy as np
import pytest

slicer = pytest.importorskip("slicer")

from ALSMotorCortexLib.cortex.errors import InputError  # noqa: E402
from ALSMotorCortexLib.cortex.result import Measurement  # noqa: E402
from ALSMotorCortexLib.scene.inputs import collect, suggest  # noqa: E402
from ALSMotorCortexLib.scene.kept import is_kept, recall  # noqa: E402
from ALSMotorCortexLib.scene.results import find_results  # noqa: E402
from ALSMotorCortexLib.scene.runner import Run, publish  # noqa: E402
from drawn_markups import reopened  # noqa: E402
from drawn_scene import drawn_scene  # noqa: E402


def measured(scene, update=False, **options):
    inputs = suggest(scene)
    inputs.options = options
    collected = collect(inputs)
    run = Run(collected)
    run.start()
    return publish(scene, inputs, collected, run.result(), update), collected, run.result()


def alike(one: Measurement, other: Measurement) -> list[str]:
    """Fields that differ."""
    return [
        f.name
        for f in fields(Measurement)
        if f.name != "grid" and repr(getattr(one, f.name)) != repr(getattr(other, f.name))
    ]


def test_a_reopened_scene_gives_back_what_was_measured(tmp_path):
    scene, volume, _ = drawn_scene()
    _, collected, found = measured(scene)
    fresh = reopened(scene, tmp_path / "saved")
    assert fresh.Import()
    (nodes,) = find_results(fresh).values()
    assert is_kept(nodes)
    again, known = recall(nodes)
    assert alike(known, found) == []
    assert np.array_equal(known.thickness, found.thickness, equal_nan=True)
    assert np.array_equal(again.labels.array, collected.labels.array)
    assert (again.sources, again.started) == (collected.sources, collected.started)
    assert list(again.maps) == list(collected.maps) == [volume.GetName()]
    assert np.array_equal(again.maps["T2star"].array, collected.maps["T2star"].array)


def test_another_run_keeps_its_own_data_in_the_same_node():
    scene, _, _ = drawn_scene()
    first, _, _ = measured(scene)
    second, _, found = measured(scene, update=True, layers=5)
    assert second["record"] is first["record"]
    assert recall(second)[1].settings.layers == found.settings.layers == 5


def test_a_map_that_was_deleted_is_left_out():
    scene, volume, _ = drawn_scene()
    nodes, _, _ = measured(scene)
    scene.RemoveNode(volume)
    collected, found = recall(nodes)
    assert collected.maps == {} and list(found.values) == ["T2star"]


def test_without_the_data_there_is_no_report():
    scene, _, _ = drawn_scene()
    nodes, _, _ = measured(scene)
    nodes["record"].SetText("edited")
    with pytest.raises(InputError, match="Measure again"):
        recall(nodes)
    scene.RemoveNode(nodes["record"])
    (nodes,) = find_results(scene).values()
    assert not is_kept(nodes)
    with pytest.raises(InputError, match="Measure again"):
        recall(nodes)
    assert is_kept(measured(scene, update=True)[0])
