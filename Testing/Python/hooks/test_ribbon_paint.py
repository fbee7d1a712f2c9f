"""What the effect "M1 ribbon" paints, on grids of real oriented image data and transform nodes."""

from __future__ import annotations

import numpy as np
import pytest

from ALSMotorCortexLib.cortex.errors import InputError
from ALSMotorCortexLib.cortex.grid import Grid, Image
from ALSMotorCortexLib.cortex.traced_ribbon import CSF, GM, WM

slicer = pytest.importorskip("slicer")
vtk = pytest.importorskip("vtk")

from ALSMotorCortexLib.hooks.ribbon_paint import PARTS, grid_of, paint, ribbon_of  # noqa: E402
from ALSMotorCortexLib.scene.markups import points_of  # noqa: E402
from ALSMotorCortexLib.scene.trace import TraceLogic  # noqa: E402
from drawn_markups import add_cortex, along, put, scene_with_markups  # noqa: E402


def layers() -> Image:
    """5 mm of white matter, 3 mm of cortex and 4 mm of CSF along anterior, voxels of 0.5 mm."""
    array = np.repeat(np.array([WM] * 10 + [GM] * 6 + [CSF] * 8, np.uint8), 4)
    array = np.broadcast_to(array.reshape(1, 24, 4), (2, 24, 4)).copy()
    return Image(array, Grid.from_spacing(array.shape, (1.0, 0.5, 0.5)), "traced ribbon")


def geometry(grid: Grid, first=(0, 0, 0)):
    """Oriented image data on a grid; ``first`` is the index (i, j, k) of its first voxel."""
    data = slicer.vtkOrientedImageData()
    k, j, i = grid.shape
    sizes = zip(first, (i, j, k), strict=True)
    data.SetExtent([n for low, size in sizes for n in (low, low + size - 1)])
    matrix = grid.ijk_to_ras.copy()
    matrix[:3, 3] -= matrix[:3, :3] @ first
    data.SetGeometryFromImageToWorldMatrix(slicer.util.vtkMatrixFromArray(matrix))
    return data


def under(scene, transform):
    node = scene.AddNewNodeByClass("vtkMRMLSegmentationNode", "Seg")
    if transform is not None:
        parent = scene.AddNewNodeByClass("vtkMRMLTransformNode", "Moved")
        parent.SetAndObserveTransformToParent(transform)
        node.SetAndObserveTransformNodeID(parent.GetID())
    return node


@pytest.mark.parametrize(("part", "millimetres"), [("ribbon", 3), ("white", 5), ("csf", 4)])
@pytest.mark.parametrize("spacing", [(1.0, 0.5, 0.5), (1.0, 0.25, 0.25), (0.5, 1.0, 0.5)])
def test_each_part_fills_its_own_volume(part, millimetres, spacing) -> None:
    labels = layers()
    corner = labels.grid.ras(np.array([[-0.5, -0.5, -0.5]]))[0]
    shape = tuple(
        int(n * old / new)
        for n, old, new in zip(labels.array.shape, (1.0, 0.5, 0.5), spacing, strict=True)
    )
    matrix = np.diag([*spacing[::-1], 1.0])
    matrix[:3, 3] = corner + np.array(spacing[::-1]) / 2
    mask = paint(labels, part, Grid(shape, matrix))
    assert set(np.unique(mask)) <= {0, 1}
    assert mask.sum() * np.prod(spacing) == pytest.approx(millimetres * 2.0 * 2.0)


def test_traces_are_computed_without_touching_their_nodes() -> None:
    """Also where the user has set a border point, which another logic would take for moved."""
    scene = scene_with_markups()
    logic = TraceLogic(scene)
    curve = logic.add(add_cortex(scene))
    put(curve, along())
    pial = logic.nodes(curve)["pial"]
    points = points_of(pial)
    points[3] += (0.2, 0.1, 0)
    put(pial, points)
    expected, changed = logic.ribbon([curve]), curve.GetMTime()
    before = points_of(pial)
    found = ribbon_of(scene, [curve])
    assert found.grid.same_as(expected.grid)
    np.testing.assert_array_equal(found.array, expected.array)
    np.testing.assert_array_equal(points_of(pial), before)
    assert curve.GetMTime() == changed
    assert len(logic.options(curve).pins) == 1
    logic.close()


def test_without_a_trace_the_message_says_so() -> None:
    with pytest.raises(InputError, match="There is no trace"):
        ribbon_of(scene_with_markups(), [])


def test_parts_are_those_of_the_traced_ribbon() -> None:
    assert sorted(PARTS.values()) == sorted({CSF, WM, GM})


def test_a_ribbon_beside_the_segmentation_is_refused() -> None:
    away = np.eye(4)
    away[0, 3] = 500
    with pytest.raises(InputError, match="outside the segmentation's geometry"):
        paint(layers(), "ribbon", Grid((4, 4, 4), away))


@pytest.mark.parametrize("first", [(0, 0, 0), (3, -2, 7)])
def test_grid_of_an_extent(first) -> None:
    scene = slicer.vtkMRMLScene()
    grid = Grid(
        (3, 4, 5), np.array([[0, -0.5, 0, 9], [0.4, 0, 0, 8], [0, 0, 1.5, 7], [0, 0, 0, 1]])
    )
    assert grid_of(geometry(grid, first), under(scene, None)).same_as(grid)


def test_grid_under_a_linear_transform_lies_in_the_world() -> None:
    scene = slicer.vtkMRMLScene()
    turn = vtk.vtkTransform()
    turn.Translate(5, 6, 7)
    turn.RotateZ(30)
    grid = Grid.from_spacing((2, 3, 4), (1.0, 0.5, 0.25))
    found = grid_of(geometry(grid), under(scene, turn))
    centre = [1.0, 1.0, 1.0]
    expected = turn.TransformPoint(grid.ras(np.array([centre]))[0])
    np.testing.assert_allclose(found.ras(np.array([centre]))[0], expected, atol=1e-9)


def test_a_bending_transform_is_refused() -> None:
    scene = slicer.vtkMRMLScene()
    bend = vtk.vtkThinPlateSplineTransform()
    points = [vtk.vtkPoints(), vtk.vtkPoints()]
    for n, corner in enumerate([(0, 0, 0), (9, 0, 0), (0, 9, 0), (0, 0, 9), (9, 9, 9)]):
        points[0].InsertNextPoint(corner)
        points[1].InsertNextPoint(corner[0] + n * n / 5, corner[1], corner[2])
    bend.SetSourceLandmarks(points[0])
    bend.SetTargetLandmarks(points[1])
    bend.SetBasisToR()
    grid = Grid.from_spacing((2, 3, 4), (1.0, 0.5, 0.25))
    with pytest.raises(InputError, match="Harden the transform"):
        grid_of(geometry(grid), under(scene, bend))


def test_a_shearing_transform_is_refused() -> None:
    scene = slicer.vtkMRMLScene()
    shear = vtk.vtkTransform()
    shear.Concatenate([1, 0.4, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1])
    grid = Grid.from_spacing((2, 3, 4), (1.0, 0.5, 0.25))
    with pytest.raises(InputError, match="right angles"):
        grid_of(geometry(grid), under(scene, shear))
