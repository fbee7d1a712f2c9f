"""The arrangements of views and what they show, on real nodes."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from typing import Any

import numpy as np
import pytest

slicer = pytest.importorskip("slicer")

from ALSMotorCortexLib.cortex.grid import Grid, Image  # noqa: E402
from ALSMotorCortexLib.scene import layout  # noqa: E402
from ALSMotorCortexLib.scene.results import add_results, find_results, new_scene  # noqa: E402
from ALSMotorCortexLib.scene.views import _singleton  # noqa: E402
from ALSMotorCortexLib.scene.volumes import add_volume  # noqa: E402
from measured_cylinder import cylinder  # noqa: E402


@pytest.fixture
def scene() -> Any:
    return new_scene()


def volume(scene: Any, sides: tuple[float, float, float], axes: tuple[int, int, int]) -> Any:
    """A volume whose i, j, k axes run along these of R, A, S, with these sides in mm."""
    matrix = np.eye(4)
    matrix[:3, :3] = 0
    for n, axis in enumerate(axes):
        matrix[axis, n] = sides[n]
    return add_volume(scene, Image(np.zeros((4, 5, 6), np.float32), Grid((4, 5, 6), matrix)))


def add_slice_view(scene: Any, tag: str) -> tuple[Any, Any]:
    composite = _singleton(scene, "vtkMRMLSliceCompositeNode", tag)
    composite.SetLayoutName(tag)
    view = _singleton(scene, "vtkMRMLSliceNode", tag)
    view.SetLayoutName(tag)
    view.SetDimensions(300, 200, 1)
    return composite, view


def test_descriptions_are_known_and_well_formed(scene: Any) -> None:
    layout.arrange(scene, layout.DRAWING)
    assert layout.is_drawing(scene)
    layout.arrange(scene, layout.RESULTS)
    assert not layout.is_drawing(scene)
    node = scene.GetSingletonNode("vtkMRMLLayoutNode", "vtkMRMLLayoutNode")
    shown = {}
    for number in (layout.RESULTS, layout.DRAWING):
        root = ET.fromstring(node.GetLayoutDescription(number))
        shown[number] = [(v.get("class"), v.get("singletontag")) for v in root.iter("view")]
        assert len(set(shown[number])) == len(shown[number])
    kinds = {kind for kind, _ in shown[layout.RESULTS]}
    assert kinds == {
        "vtkMRMLSliceNode",
        "vtkMRMLViewNode",
        "vtkMRMLPlotViewNode",
        "vtkMRMLTableViewNode",
    }
    assert ("vtkMRMLSliceNode", layout.STRAIGHT) in shown[layout.DRAWING]


def test_registering_twice_changes_nothing(scene: Any) -> None:
    layout.register(scene)
    node = scene.GetSingletonNode("vtkMRMLLayoutNode", "vtkMRMLLayoutNode")
    before = node.GetLayoutDescription(layout.RESULTS)
    layout.register(scene)
    assert node.GetLayoutDescription(layout.RESULTS) == before


@pytest.mark.parametrize(
    ("sides", "axes", "plane"),
    [
        ((0.2, 0.2, 2.0), (0, 1, 2), "Axial"),
        ((0.2, 0.2, 2.0), (0, 2, 1), "Coronal"),
        ((0.2, 0.2, 2.0), (1, 2, 0), "Sagittal"),
        ((2.0, 0.2, 0.2), (0, 1, 2), "Sagittal"),
        ((0.5, 0.5, 0.5), (0, 2, 1), "Coronal"),
    ],
)
def test_images_are_drawn_on_across_their_thick_side(
    scene: Any, sides: tuple[float, float, float], axes: tuple[int, int, int], plane: str
) -> None:
    assert layout.drawing_plane(volume(scene, sides, axes)) == plane


def test_image_is_shown_whole_and_the_straight_view_left_alone(scene: Any) -> None:
    red, view = add_slice_view(scene, "Red")
    straight, _ = add_slice_view(scene, layout.STRAIGHT)
    image = volume(scene, (0.5, 0.5, 3.0), (0, 1, 2))
    layout.show_image(scene, image)
    assert red.GetBackgroundVolumeID() == image.GetID()
    assert straight.GetBackgroundVolumeID() is None
    bounds = np.zeros(6)
    image.GetRASBounds(bounds)
    width, height = np.diff(bounds)[[0, 2]]
    assert (np.array(view.GetFieldOfView()[:2]) >= (width, height)).all()
    middle = np.array(view.GetSliceToRAS().MultiplyPoint((0, 0, 0, 1))[:3])
    np.testing.assert_allclose(middle[:2], [bounds[:2].mean(), bounds[2:4].mean()], atol=1e-6)


def test_zooming_keeps_the_slice(scene: Any) -> None:
    _, view = add_slice_view(scene, "Red")
    image = volume(scene, (0.5, 0.5, 3.0), (0, 1, 2))
    layout.show_image(scene, image)
    view.SetSliceOffset(2.0)
    layout.fit_slices(scene, image)
    assert view.GetSliceOffset() == pytest.approx(2.0)


def test_straight_view_stays_while_the_picture_changes_a_little(scene: Any) -> None:
    composite, view = add_slice_view(scene, layout.STRAIGHT)
    picture = volume(scene, (1.0, 1.0, 1.0), (0, 1, 2))
    layout.show_straight(scene, picture)
    assert composite.GetBackgroundVolumeID() == picture.GetID()
    before = view.GetFieldOfView()
    picture.SetSpacing(1.01, 1.0, 1.0)
    layout.show_straight(scene, picture)
    assert view.GetFieldOfView() == before
    picture.SetSpacing(3.0, 1.0, 1.0)
    layout.show_straight(scene, picture)
    assert view.GetFieldOfView() != before


def test_one_result_is_shown_at_a_time(scene: Any) -> None:
    composite, _ = add_slice_view(scene, "Red")
    for _ in range(2):
        add_results(scene, *cylinder())
    first, second = find_results(scene).values()

    def visible(result: Any, key: str) -> bool:
        return bool(result[key].GetDisplayNode().GetVisibility())

    layout.show_result(scene, first, "depth_equivolume", 0.5, layers=True, surface=True)
    assert composite.GetForegroundVolumeID() == first["depth_equivolume"].GetID()
    assert composite.GetForegroundOpacity() == pytest.approx(0.5)
    assert [visible(r, key) for r in (first, second) for key in ("layers", "surface")] == [
        True,
        True,
        False,
        False,
    ]
    surface = slicer.vtkSegmentationConverter.GetSegmentationClosedSurfaceRepresentationName()
    assert first["layers"].GetSegmentation().ContainsRepresentation(surface)
    layout.show_result(scene, second, "", 1.0, layers=False, surface=True)
    assert composite.GetForegroundVolumeID() is None
    assert [visible(r, "surface") for r in (first, second)] == [False, True]
    assert layout.shown_chart(scene) in second.values()
