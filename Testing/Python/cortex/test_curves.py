"""Plane curves against shapes whose lengths, normals and distances are known."""

from __future__ import annotations

import numpy as np
import pytest

from ALSMotorCortexLib.cortex.curves import (
    Plane,
    crossing,
    distance,
    lengths,
    normals,
    offsets_along,
    resample,
    spline,
)


def circle(radius: float, number: int = 400, angle: float = 5.0) -> np.ndarray:
    t = np.linspace(0, angle, number)
    return radius * np.stack([np.cos(t), np.sin(t)], axis=1)


def test_spline_is_the_one_that_slicer_draws() -> None:
    slicer = pytest.importorskip("slicer")
    vtk = pytest.importorskip("vtk")
    from vtk.util.numpy_support import vtk_to_numpy

    points = np.array([[0, 0, 0], [10, 3, 1], [17, -4, 2], [25, 2, 0], [40, 5, 3.0]])
    node = slicer.vtkMRMLScene().AddNewNodeByClass("vtkMRMLMarkupsCurveNode")
    for point in points:
        node.AddControlPoint(vtk.vtkVector3d(*point))
    drawn = vtk_to_numpy(node.GetCurvePointsWorld().GetData())
    np.testing.assert_allclose(spline(points), drawn, atol=1e-4)


def test_spline_passes_through_its_points_once() -> None:
    points = np.array([[0, 0], [1, 2], [1, 2], [3, 1], [5, 5.0]])
    curve = spline(points)
    for point in points:
        assert np.linalg.norm(curve - point, axis=1).min() < 1e-9
    assert lengths(curve).min() == 0
    assert (np.diff(lengths(curve)) > 0).all()


@pytest.mark.parametrize("even", [True, False])
def test_resampling_is_even(even: bool) -> None:
    points = resample(circle(10), 0.3, even)
    pieces = np.linalg.norm(np.diff(points, axis=0), axis=1)
    np.testing.assert_allclose(pieces, pieces.mean(), rtol=1e-3)
    assert abs(pieces.mean() - 0.3) < 0.3 * 0.02
    assert not even or len(points) % 2 == 1


def test_normals_of_a_circle_point_to_its_middle() -> None:
    points = circle(8)
    # Anticlockwise, the left of the curve is inside.
    np.testing.assert_allclose(normals(points)[2:-2], -points[2:-2] / 8, atol=1e-3)


def test_distance_between_circles() -> None:
    inner, outer = circle(7), circle(10)
    np.testing.assert_allclose(distance(inner, outer), 3, atol=1e-3)
    np.testing.assert_allclose(distance(outer, inner), 3, atol=1e-3)


def test_offsets_to_a_line() -> None:
    points = np.array([[0, 0], [1, 0.5], [2, 1.0], [9, 0]])
    up = np.tile([0.0, 1.0], (4, 1))
    found = offsets_along(points, up, np.array([[-1, 2], [3, 4.0]]))
    np.testing.assert_allclose(found[:3], [2.5, 2.5, 2.5])
    assert np.isnan(found[3])


def test_crossings() -> None:
    loop = spline(np.array([[0, 0], [4, 0], [4, 4], [2, 4], [2, -3.0]]))
    place = crossing(loop)
    assert place is not None
    assert abs(place[0] - 2) < 1
    assert crossing(circle(5)) is None
    line = np.array([[-9, 0.5], [9, 0.5]])
    assert crossing(circle(5), line) is not None
    assert crossing(circle(5), line + [0, 20]) is None


@pytest.mark.parametrize("normal", [(0, 0, 1), (0, -1, 0), (1, 2, -0.5)])
def test_plane_and_back(normal) -> None:
    plane = Plane.through(np.array([[1, 2, 3.0], [4, 4, 4]]), np.array(normal))
    np.testing.assert_allclose(plane.axes @ plane.axes.T, np.eye(3), atol=1e-12)
    np.testing.assert_allclose(np.cross(plane.axes[0], plane.axes[1]), plane.normal, atol=1e-12)
    flat = np.array([[0.5, -2], [3, 3]])
    ras = plane.ras(flat)
    np.testing.assert_allclose(plane.flat(ras), flat, atol=1e-12)
    np.testing.assert_allclose(plane.height(ras + 2 * plane.normal), 2, atol=1e-12)
