"""Blinded cases on real nodes: what is shown, and that nothing else comes along."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

slicer = pytest.importorskip("slicer")

from ALSMotorCortexLib.cortex.errors import InputError  # noqa: E402
from ALSMotorCortexLib.cortex.grid import Grid, Image  # noqa: E402
from ALSMotorCortexLib.scene import layout, reading, results, views  # noqa: E402
from ALSMotorCortexLib.scene.volumes import add_volume, read_volume  # noqa: E402

NAME = "Smith^John"


def image(value: float = 5, shape: tuple[int, int, int] = (6, 40, 50)) -> Image:
    """Noise around a value, on an oblique grid."""
    rng = np.random.default_rng(0)
    array = (value + rng.random(shape)).astype(np.float32)
    c, s = np.cos(0.3), np.sin(0.3)
    matrix = np.array([[0.3 * c, -0.3 * s, 0, 10], [0.3 * s, 0.3 * c, 0, -5], [0, 0, 2, 40.0]])
    return Image(array, Grid(shape, np.vstack([matrix, [0, 0, 0, 1]])), NAME)


@pytest.fixture
def scene():
    """A scene with its three slice views, each with a composite node."""
    made = results.new_scene()
    for view in views._SLICES:
        views._singleton(made, "vtkMRMLSliceCompositeNode", view[0]).SetLayoutName(view[0])
        node = views._slice_node(made, *view)
        node.SetLayoutName(view[0])
    return made


def everything_said(scene) -> str:
    nodes = [scene.GetNthNode(n) for n in range(scene.GetNumberOfNodes())]
    return "".join(str(node) for node in nodes)


# --- showing -----------------------------------------------------------------------------


def test_a_case_is_shown_under_its_number_alone(scene) -> None:
    shown = image()
    node = reading.show_case(scene, shown, 7)
    assert node.GetName() == "Case 7" and NAME not in everything_said(scene)
    assert node.GetStorageNode() is None
    back, _ = read_volume(node)
    assert np.array_equal(back.array, shown.array)
    assert np.allclose(back.grid.ijk_to_ras, shown.grid.ijk_to_ras)
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(scene)
    item = hierarchy.GetItemByDataNode(node)
    assert not item or hierarchy.GetItemName(item) == "Case 7"


def test_the_next_case_takes_the_place_of_the_one_before(scene) -> None:
    reading.show_case(scene, image(), 1)
    node = reading.show_case(scene, image(9), 2)
    assert scene.GetNumberOfNodesByClass("vtkMRMLScalarVolumeNode") == 1
    for name in ("Red", "Green", "Yellow"):
        composite = scene.GetSingletonNode(name, "vtkMRMLSliceCompositeNode")
        assert composite.GetBackgroundVolumeID() == node.GetID()
    reading.clear(scene)
    assert scene.GetNumberOfNodesByClass("vtkMRMLScalarVolumeNode") == 0


def test_the_views_lie_along_the_slices_and_are_centred(scene) -> None:
    shown = image()
    reading.show_case(scene, shown, 1)
    view = scene.GetSingletonNode("Red", "vtkMRMLSliceNode")
    to_ras = slicer.util.arrayFromVTKMatrix(view.GetSliceToRAS())
    middle = shown.grid.ras((np.array(shown.array.shape) - 1) / 2)
    assert np.allclose(to_ras[:3, 3], middle, atol=0.5)
    across = shown.grid.ijk_to_ras[:3, 2] / np.linalg.norm(shown.grid.ijk_to_ras[:3, 2])
    assert abs(across @ to_ras[:3, 2]) == pytest.approx(1)
    width = view.GetFieldOfView()[0]
    assert 50 * 0.3 <= width <= 4 * 50 * 0.3


def test_the_layout_has_the_three_views(scene) -> None:
    layout.arrange(scene, layout.READING)
    assert layout.arrangement(scene) == layout.READING
    node = scene.GetSingletonNode("vtkMRMLLayoutNode", "vtkMRMLLayoutNode")
    text = node.GetLayoutDescription(layout.READING)
    assert all(f'singletontag="{name}"' in text for name in ("Red", "Green", "Yellow"))


def test_views_are_marked_and_put_back(scene) -> None:
    views_of = [scene.GetSingletonNode(n, "vtkMRMLSliceNode") for n in ("Red", "Green", "Yellow")]
    views_of[0].SetRulerType(views_of[0].RulerTypeThick)
    before = reading.mark_views(scene)
    assert {v.GetOrientationMarkerType() for v in views_of} == {
        views_of[0].OrientationMarkerTypeAxes
    }
    reading.restore_views(scene, before)
    assert views_of[0].GetRulerType() == views_of[0].RulerTypeThick
    assert {v.GetOrientationMarkerType() for v in views_of} == {
        views_of[0].OrientationMarkerTypeNone
    }


# --- window ------------------------------------------------------------------------------


def tissue(scale: float = 1.0) -> np.ndarray:
    """White matter of 27, gray matter of 33 and 4 % CSF of 150, in an empty background."""
    rng = np.random.default_rng(1)
    array = np.zeros((20, 60, 60), np.float32)
    inside = array[5:15, 10:50, 10:50]
    kinds = rng.random(inside.shape)
    inside[:] = np.where(kinds < 0.04, 150, np.where(kinds < 0.4, 33, 27)) + rng.normal(
        size=inside.shape
    )
    return array * scale


def test_gray_and_white_matter_keep_their_contrast_beside_bright_csf() -> None:
    low, high = reading.window(tissue())
    assert low < 25 and 36 < high < 100
    assert (33 - 27) / (high - low) > 0.1


def test_the_window_scales_with_the_image() -> None:
    assert np.allclose(reading.window(tissue(0.001)), np.array(reading.window(tissue())) / 1000)


@pytest.mark.parametrize("array", [np.zeros((3, 4, 5)), np.full((3, 4, 5), np.nan)])
def test_an_empty_image_has_a_window_too(array: np.ndarray) -> None:
    assert reading.window(array) == (0, 1)


def test_a_constant_image_has_a_window_of_some_width() -> None:
    low, high = reading.window(np.full((1, 1, 1), 4, np.int16))
    assert low == 4 and high > low


# --- scenes ------------------------------------------------------------------------------


def saved(scene, path: Path) -> Path:
    """A bundle as Slicer writes it."""
    folder = path.parent / "bundle"
    folder.mkdir(exist_ok=True)
    results._save(scene, folder)
    results._zip(folder, path)
    return path


def test_the_image_of_a_scene_is_the_one_it_shows(scene, tmp_path: Path) -> None:
    add_volume(scene, image(100), "other")
    shown = add_volume(scene, image(5), NAME)
    composite = scene.GetSingletonNode("Red", "vtkMRMLSliceCompositeNode")
    composite.SetBackgroundVolumeID(shown.GetID())
    found = reading.image_of_scene(saved(scene, tmp_path / "a.mrb"))
    assert found.array.mean() == pytest.approx(image(5).array.mean())
    corners = {tuple(np.round(found.grid.ras(c), 2)) for c in corners_of(found)}
    assert corners == {tuple(np.round(image().grid.ras(c), 2)) for c in corners_of(image())}


def corners_of(one: Image) -> list[tuple[int, int, int]]:
    k, j, i = (n - 1 for n in one.array.shape)
    return [(a, b, c) for a in (0, k) for b in (0, j) for c in (0, i)]


def test_results_and_label_maps_are_no_images(scene, tmp_path: Path) -> None:
    thickness = add_volume(scene, image(2), "thickness")
    thickness.SetAttribute(results.RESULT, "thickness")
    composite = scene.GetSingletonNode("Red", "vtkMRMLSliceCompositeNode")
    composite.SetBackgroundVolumeID(thickness.GetID())
    with pytest.raises(InputError, match="no image"):
        reading.image_of_scene(saved(scene, tmp_path / "a.mrb"))
    kept = add_volume(scene, image(30), "T2star")
    kept.SetAttribute(results.RESULT, "map:T2star")
    found = reading.image_of_scene(saved(scene, tmp_path / "b.mrb"))
    assert found.array.mean() == pytest.approx(image(30).array.mean())


@pytest.mark.parametrize("name", ["a.mrb", "a.mrml"])
def test_a_damaged_scene_is_refused(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(b"this is no scene")
    with pytest.raises(InputError, match="cannot be read|no image"):
        reading.image_of_scene(tmp_path / name)


@pytest.mark.parametrize(
    "kind", ["vtkMRMLModelNode", "vtkMRMLSegmentationNode", "vtkMRMLTableNode", "vtkMRMLTextNode"]
)
def test_whatever_could_tell_a_case_is_in_the_way(kind: str, scene) -> None:
    assert not reading.in_the_way(scene)
    reading.show_case(scene, image(), 1)
    assert not reading.in_the_way(scene)
    node = scene.AddNewNodeByClass(kind, NAME)
    assert reading.in_the_way(scene)
    node.SetHideFromEditors(True)
    assert not reading.in_the_way(scene)
