"""Echoes and their times, found in volumes, sequences and multi-volumes."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

slicer = pytest.importorskip("slicer")

from ALSMotorCortexLib.cortex.errors import InputError  # noqa: E402
from ALSMotorCortexLib.cortex.grid import Grid, Image  # noqa: E402
from ALSMotorCortexLib.scene.echoes import (  # noqa: E402
    frames_of,
    keep_times,
    missing,
    read_frames,
    suggest,
    type_time,
)
from ALSMotorCortexLib.scene.results import RESULT  # noqa: E402
from ALSMotorCortexLib.scene.volumes import add_volume, set_image  # noqa: E402
from ALSMotorCortexLib.study.echo_files import times_beside  # noqa: E402

SHAPE = (3, 5, 6)
GRID = Grid.from_spacing(SHAPE, (1.5, 0.5, 0.4))


@pytest.fixture
def scene():
    return slicer.vtkMRMLScene()


def image(value: float, name: str = "image") -> Image:
    return Image(np.full(SHAPE, value, np.float32), GRID, name)


def volume(scene, name: str, value: float = 1):
    return add_volume(scene, image(value), name)


def sequence(scene, values: list[str], index: str, unit: str):
    node = scene.AddNewNodeByClass("vtkMRMLSequenceNode", "GRE")
    node.SetIndexName(index)
    node.SetIndexUnit(unit)
    for n, value in enumerate(values):
        part = slicer.vtkMRMLScalarVolumeNode()
        set_image(part, image(10 * (n + 1)))
        part.SetName(f"frame{n}")
        node.SetDataNodeAtValue(part, value)
    return node


def multi_volume(scene, count: int = 3, **attributes: str):
    """A node with several values per voxel and the attributes that MultiVolumeExplorer sets.

    Its class, vtkMRMLMultiVolumeNode, is not part of slicer-core; it is a volume node too.
    """
    node = scene.AddNewNodeByClass("vtkMRMLVectorVolumeNode", "GRE multi")
    array = np.stack([np.full(SHAPE, 10.0 * (n + 1), np.float32) for n in range(count)], axis=-1)
    slicer.util.updateVolumeFromArray(node, array)
    node.SetIJKToRASMatrix(slicer.util.vtkMatrixFromArray(GRID.ijk_to_ras))
    for name, value in attributes.items():
        node.SetAttribute(f"MultiVolume.{name}", value)
    return node


def no_files(path: Path, count: int) -> list[float | None]:
    return [None] * count


def found(nodes, beside=no_files) -> list[tuple[float | None, str]]:
    return [(frame.time_ms, frame.source) for frame in frames_of(nodes, beside)]


def echo_labels(labels: str, unit: str = "ms", tag: str = "EchoTime") -> dict[str, str]:
    return {
        "FrameIdentifyingDICOMTagName": tag,
        "FrameIdentifyingDICOMTagUnits": unit,
        "FrameLabels": labels,
    }


# --- where times are found ---------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "time"),
    [
        ("gre_TE4", 4), ("TE 12.5 ms", 12.5), ("t2s te=7p5", 7.5), ("x_te-20_y", 20),
        ("echo-2", None), ("plate4", None), ("TE0", None), ("GRE", None),
    ],
)  # fmt: skip
def test_times_in_names(scene, name: str, time: float | None) -> None:
    assert found([volume(scene, name)]) == [(time, "name" if time else "")]


@pytest.mark.parametrize(
    ("index", "unit", "values", "times"),
    [
        ("EchoTime", "ms", ["4", "8", "12"], [4, 8, 12]),
        ("Echo time", "s", ["0.004", "0.008", "0.012"], [4, 8, 12]),
        ("TE", "", ["0.004", "0.008"], [4, 8]),
        ("time", "s", ["0", "1", "2"], [None] * 3),
    ],
)
def test_times_of_a_sequence_are_its_index(scene, index, unit, values, times) -> None:
    node = sequence(scene, values, index, unit)
    assert [time for time, _ in found([node])] == pytest.approx(times)


def test_times_of_a_multi_volume_are_its_frame_labels(scene) -> None:
    assert found([multi_volume(scene, **echo_labels("4,8.5,13"))]) == [
        (time, "multi-volume") for time in (4, 8.5, 13)
    ]
    assert (
        found([multi_volume(scene, **echo_labels("1,2,3", "s", "TriggerTime"))]) == [(None, "")] * 3
    )
    # Fewer labels than frames say nothing.
    assert found([multi_volume(scene, **echo_labels("4,8"))]) == [(None, "")] * 3


def test_times_of_a_file_lie_beside_it(scene, tmp_path: Path) -> None:
    node = volume(scene, "echo")
    storage = scene.AddNewNodeByClass("vtkMRMLVolumeArchetypeStorageNode")
    storage.SetFileName(str(tmp_path / "sub-1_echo-1_MEGRE.nii.gz"))
    node.SetAndObserveStorageNodeID(storage.GetID())
    assert found([node], times_beside) == [(None, "")]
    sidecar = tmp_path / "sub-1_echo-1_MEGRE.json"
    sidecar.write_text(json.dumps({"EchoTime": 0.0061}))
    assert found([node], times_beside) == [(pytest.approx(6.1), "file")]
    sidecar.write_text("not JSON")
    assert found([node], times_beside) == [(None, "")]


def test_times_in_the_dicom_database(scene, monkeypatch: pytest.MonkeyPatch) -> None:
    values = {("1.2", "0018,0081"): "9.2", ("1.3", "0018,0081"): ""}
    database = SimpleNamespace(instanceValue=lambda uid, tag: values.get((uid, tag), ""))
    monkeypatch.setattr(slicer, "dicomDatabase", database, raising=False)
    known, unknown = volume(scene, "a"), volume(scene, "b")
    known.SetAttribute("DICOM.instanceUIDs", "1.2 1.9")
    unknown.SetAttribute("DICOM.instanceUIDs", "1.3")
    assert found([known, unknown]) == [(9.2, "DICOM"), (None, "")]


def test_times_that_were_found_are_kept_with_the_scene(scene, tmp_path: Path) -> None:
    """A saved scene lies apart from the sidecars and the database that the times were found in."""
    nodes = [volume(scene, "first"), sequence(scene, ["4", "8"], "EchoTime", "ms")]

    def beside(path: Path, count: int) -> list[float | None]:
        return [6.1] * count

    storage = scene.AddNewNodeByClass("vtkMRMLVolumeArchetypeStorageNode")
    storage.SetFileName("somewhere.nii.gz")
    nodes[0].SetAndObserveStorageNodeID(storage.GetID())
    keep_times(frames_of(nodes, beside))
    assert found(nodes) == [(4, "sequence"), (6.1, "kept"), (8, "sequence")]
    assert nodes[1].GetAttribute("ALSMotorCortex.FoundEchoTimes") is None
    # What is found again wins over what was kept, and what is typed over both.
    assert found(nodes[:1], lambda path, count: [7.0]) == [(7, "file")]
    type_time(frames_of(nodes[:1], no_files)[0], "9")
    assert found(nodes[:1], beside) == [(9, "typed")]


def test_times_in_attributes_of_volumes(scene) -> None:
    node = volume(scene, "TE99")
    node.SetAttribute("MultiVolume.DICOM.EchoTime", "3.5")
    assert found([node]) == [(3.5, "node")]


def test_typed_times_win_and_are_kept_on_the_node(scene) -> None:
    node = sequence(scene, ["4", "8", "12"], "EchoTime", "ms")
    frames = frames_of([node], no_files)
    type_time(frames[1], "9.0")
    assert found([node]) == [(4, "sequence"), (9, "typed"), (12, "sequence")]
    type_time(frames[1], "")
    assert found([node]) == [(t, "sequence") for t in (4, 8, 12)]
    assert node.GetAttribute("ALSMotorCortex.EchoTimes") is None


@pytest.mark.parametrize("text", ["four", "0", "-3", "nan", "501", "4 8"])
def test_what_is_no_time_is_refused(scene, text: str) -> None:
    node = volume(scene, "TE4")
    with pytest.raises(InputError, match=f"{text} is no echo time"):
        type_time(frames_of([node], no_files)[0], text)
    assert found([node]) == [(4, "name")]


def test_echoes_are_in_the_order_of_their_times(scene) -> None:
    nodes = [volume(scene, name) for name in ("TE12", "unknown", "TE4")]
    assert [f.name for f in frames_of(nodes, no_files)] == ["TE4", "TE12", "unknown"]


# --- what is suggested -------------------------------------------------------------------


def test_volumes_of_one_size_with_times_are_suggested(scene) -> None:
    echoes = [volume(scene, f"gre TE{t}") for t in (8, 4)]
    volume(scene, "gre phase TE4")
    volume(scene, "anatomy")
    result = volume(scene, "result TE5")
    result.SetAttribute(RESULT, "thickness")
    small = Image(np.ones((2, 2, 2), np.float32), Grid.from_spacing((2, 2, 2), (1, 1, 1)))
    add_volume(scene, small, "other TE7")
    assert suggest(scene, no_files) == echoes[::-1]


def test_a_sequence_or_multi_volume_is_suggested_alone(scene) -> None:
    volume(scene, "gre TE4")
    volume(scene, "gre TE8")
    node = multi_volume(scene, **echo_labels("4,8,12"))
    assert suggest(scene, no_files) == [node]
    scene.RemoveNode(node)
    node = sequence(scene, ["4", "8"], "EchoTime", "ms")
    assert suggest(scene, no_files) == [node]


def test_nothing_is_suggested_without_times(scene) -> None:
    volume(scene, "a")
    volume(scene, "TE4")
    sequence(scene, ["0", "1"], "time", "s")
    multi_volume(scene)
    assert suggest(scene, no_files) == []


def test_phase_is_told_by_its_dicom_image_type(scene, monkeypatch: pytest.MonkeyPatch) -> None:
    kind = {"1": "ORIGINAL\\PRIMARY\\M\\ND", "2": "ORIGINAL\\PRIMARY\\P\\ND"}
    tags = {"0008,0008": kind, "0018,0081": {"1": "4", "2": "8"}}
    database = SimpleNamespace(instanceValue=lambda uid, tag: tags[tag][uid])
    monkeypatch.setattr(slicer, "dicomDatabase", database, raising=False)
    nodes = [volume(scene, f"7: gre {n}") for n in (1, 2)]
    for n, node in enumerate(nodes, 1):
        node.SetAttribute("DICOM.instanceUIDs", str(n))
    assert suggest(scene, no_files) == []
    kind["2"] = kind["1"]
    assert suggest(scene, no_files) == nodes


# --- reading -----------------------------------------------------------------------------


def test_every_kind_of_node_is_read_where_it_lies(scene) -> None:
    volumes = [volume(scene, f"TE{4 * n}", 10.0 * n) for n in (1, 2, 3)]
    for nodes in (
        volumes,
        [sequence(scene, ["4", "8", "12"], "EchoTime", "ms")],
        [multi_volume(scene, **echo_labels("4,8,12"))],
    ):
        images, findings = read_frames(frames_of(nodes, no_files))
        assert [float(i.array.mean()) for i in images] == [10, 20, 30]
        assert all(i.grid.same_as(GRID) for i in images)
        assert findings == []


def test_a_sequence_lies_where_the_node_that_shows_it_is_moved_to(scene) -> None:
    node = sequence(scene, ["4", "8"], "EchoTime", "ms")
    proxy = volume(scene, "shown TE4")
    browser = scene.AddNode(slicer.vtkMRMLSequenceBrowserNode())
    browser.AddSynchronizedSequenceNode(node)
    browser.AddProxyNode(proxy, node, False)
    transform = scene.AddNewNodeByClass("vtkMRMLTransformNode")
    shift = np.eye(4)
    shift[:3, 3] = [1, 2, 3]
    transform.SetMatrixTransformToParent(slicer.util.vtkMatrixFromArray(shift))
    proxy.SetAndObserveTransformNodeID(transform.GetID())
    images, _ = read_frames(frames_of([node], no_files))
    moved = Grid(SHAPE, shift @ GRID.ijk_to_ras)
    assert all(i.grid.same_as(moved) for i in images)
    # The shown frame is no echo of its own.
    volume(scene, "TE8")
    assert suggest(scene, no_files) == [node]


def test_what_is_missing_is_said(scene) -> None:
    assert missing([]) == "Choose the magnitude images of at least two echoes."
    nodes = [volume(scene, "TE4"), volume(scene, "second")]
    assert missing(frames_of(nodes[:1], no_files)).startswith("Choose the magnitude")
    frames = frames_of(nodes, no_files)
    assert missing(frames) == ("No echo time is known for second. Type it into the table, in ms.")
    with pytest.raises(InputError, match="No echo time is known for second"):
        read_frames(frames)
    type_time(frames[1], "4")
    assert "have the same echo time, 4 ms" in missing(frames_of(nodes, no_files))
    type_time(frames[1], " 8,5 ")
    assert missing(frames_of(nodes, no_files)) == ""


def test_a_sequence_of_other_things_is_refused(scene) -> None:
    node = scene.AddNewNodeByClass("vtkMRMLSequenceNode", "lines")
    node.SetIndexName("TE")
    for value in ("4", "8"):
        node.SetDataNodeAtValue(slicer.vtkMRMLTextNode(), value)
    with pytest.raises(InputError, match=r"lines \(1\) is not a volume"):
        read_frames(frames_of([node], no_files))


def test_nodes_that_were_deleted_are_passed_over(scene) -> None:
    nodes = [volume(scene, "TE4"), volume(scene, "TE8")]
    scene.RemoveNode(nodes[0])
    assert [f.name for f in frames_of([*nodes, None], no_files)] == ["TE8"]
