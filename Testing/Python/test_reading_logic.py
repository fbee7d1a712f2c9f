"""The reading module's logic on a real scene, without a window."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

slicer = pytest.importorskip("slicer")

from ALSMotorCortexLib.cortex.errors import InputError  # noqa: E402
from ALSMotorCortexLib.cortex.grid import Grid, Image  # noqa: E402
from ALSMotorCortexLib.reading_logic import ReadingLogic, default_folder  # noqa: E402
from ALSMotorCortexLib.scene import layout, results  # noqa: E402
from ALSMotorCortexLib.scene.volumes import add_volume  # noqa: E402
from ALSMotorCortexLib.study.nifti import write_nifti  # noqa: E402
from ALSMotorCortexLib.study.readings import HEMISPHERES, ITEMS, read_readings  # noqa: E402

VALUES = {"smith": 1.0, "jones": 2.0, "brown": 3.0, "white": 4.0}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Four images, each of one value."""
    cases = tmp_path / "cases"
    cases.mkdir()
    for name, value in VALUES.items():
        array = np.full((3, 8, 9), value, np.float32)
        write_nifti(Image(array, Grid(array.shape, np.eye(4))), cases / f"{name}.nii.gz")
    return tmp_path


@pytest.fixture
def logic() -> ReadingLogic:
    return ReadingLogic(results.new_scene())


def start(logic: ReadingLogic, folder: Path, reader: str = "Anna") -> str:
    return logic.start(str(folder / "cases"), reader, str(folder / "readings"))


def shown(logic: ReadingLogic) -> float:
    return float(slicer.util.arrayFromVolume(logic.node).mean())


def rate_side(logic: ReadingLogic) -> None:
    for item, answers in ITEMS.items():
        logic.rate(item, answers[0])


def test_each_case_is_shown_in_the_readers_order(logic: ReadingLogic, folder: Path) -> None:
    assert start(logic, folder) == ""
    for name in logic.session.order:
        assert shown(logic) == VALUES[name]
        logic.move(1)
    assert logic.session.number == len(VALUES) and logic.move(1) == ""


def test_keys_rate_one_hemisphere_and_then_the_other(logic: ReadingLogic, folder: Path) -> None:
    start(logic, folder)
    first = logic.hemisphere
    rate_side(logic)
    assert logic.hemisphere != first and not logic.session.left_over(first)
    logic.rate("thinning", 1, first)
    assert logic.hemisphere == first, "who clicks into a hemisphere goes on there"
    logic.switch()
    rate_side(logic)
    assert logic.session.is_done() and "next" in logic.status()
    logic.move(1)
    logic.skip()
    logic.skip()
    assert all(logic.session.is_skipped(side) for side in HEMISPHERES)


def test_a_session_goes_on_in_another_window(logic: ReadingLogic, folder: Path) -> None:
    start(logic, folder)
    for _side in HEMISPHERES:
        rate_side(logic)
    logic.move(1)
    logic.rate("confidence", 4)
    name = logic.session.case.case_id
    again = ReadingLogic(results.new_scene())
    assert "1 of 4" in start(again, folder)
    assert again.session.case.case_id == name and shown(again) == VALUES[name]
    assert again.session.ratings("left") == {"confidence": 4}


def test_undo_shows_the_case_it_changes(logic: ReadingLogic, folder: Path) -> None:
    start(logic, folder)
    assert "no rating" in logic.undo()
    logic.switch("right")
    logic.rate("thinning", 1)
    logic.move(2)
    logic.undo()
    assert logic.session.number == 1 and logic.hemisphere == "right"
    assert shown(logic) == VALUES[logic.session.case.case_id]
    assert read_readings(logic.session.table) == []


def test_ending_leaves_the_scene_as_it_was(logic: ReadingLogic, folder: Path) -> None:
    layout.arrange(logic.scene, layout.DRAWING)
    start(logic, folder)
    assert layout.arrangement(logic.scene) == layout.READING
    logic.end()
    logic.end()
    assert layout.arrangement(logic.scene) == layout.DRAWING
    assert logic.scene.GetNumberOfNodesByClass("vtkMRMLScalarVolumeNode") == 0
    assert logic.status() == "" and logic.node is None


def test_a_case_that_cannot_be_read_is_told_without_its_name(
    logic: ReadingLogic, folder: Path
) -> None:
    start(logic, folder)
    second = logic.session.order[1]
    (folder / "cases" / f"{second}.nii.gz").write_bytes(b"x")
    told = logic.move(1)
    assert "Case 2 cannot be read" in told and second not in told
    assert logic.node is None and "cannot be rated" in logic.status()
    logic.rate("thinning", 1)
    logic.skip()
    assert not logic.session.table.exists()
    key = json.loads(logic.session.key.read_text("utf-8"))
    assert second in key["unreadable"]
    assert logic.move(1) == "" and shown(logic) == VALUES[logic.session.order[2]]


def test_all_cases_are_done_when_the_rest_cannot_be_read(logic: ReadingLogic, folder: Path) -> None:
    start(logic, folder)
    (folder / "cases" / f"{logic.session.order[3]}.nii.gz").write_bytes(b"x")
    for _case in range(3):
        for _side in HEMISPHERES:
            rate_side(logic)
        logic.move(1)
    logic.move(-1)
    assert "All cases are done" in logic.status()


def test_files_that_are_gone_are_counted(logic: ReadingLogic, folder: Path) -> None:
    rows = ["path", *(f"cases/{name}.nii.gz" for name in (*VALUES, "green"))]
    (folder / "list.tsv").write_text("\n".join(rows))
    told = logic.start(str(folder / "list.tsv"), "Anna", str(folder / "readings"))
    assert "left out: 1" in told and "green" not in told


def test_no_session_starts_beside_other_data(logic: ReadingLogic, folder: Path) -> None:
    add_volume(logic.scene, Image(np.ones((2, 2, 2)), Grid((2, 2, 2), np.eye(4))), "Smith")
    with pytest.raises(InputError, match="Close the scene first"):
        start(logic, folder)
    assert logic.session is None and not (folder / "readings").exists()


def test_what_is_missing_is_said_in_turn(logic: ReadingLogic) -> None:
    reasons = [logic.reason(*given) for given in (("", "", ""), ("c", " ", ""), ("c", "A", ""))]
    assert len(set(reasons)) == 3 and all(reasons)
    assert logic.reason("c", "A", "f") == ""


def test_readings_go_beside_the_cases_by_default(tmp_path: Path) -> None:
    assert default_folder(str(tmp_path / "cases")) == str(tmp_path / "readings")
    assert default_folder("") == ""
