"""Volume nodes to images and back, with real MRML nodes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from ALSMotorCortexLib.cortex.errors import InputError
from ALSMotorCortexLib.cortex.grid import Grid, Image

slicer = pytest.importorskip("slicer")
vtk = pytest.importorskip("vtk")

from ALSMotorCortexLib.scene.volumes import add_volume, crop, read_volume, set_image  # noqa: E402


def matrix_of(angles, spacing, origin, mirrored):
    """IJK to RAS from Euler angles in degrees, spacing (i, j, k), origin and handedness."""
    matrix = np.eye(4)
    flip = np.diag([-1.0 if mirrored else 1.0, 1.0, 1.0])
    matrix[:3, :3] = Rotation.from_euler("xyz", angles, degrees=True).as_matrix() @ flip
    matrix[:3, :3] *= spacing
    matrix[:3, 3] = origin
    return matrix


matrices = st.builds(
    matrix_of,
    st.tuples(*[st.floats(-180, 180)] * 3),
    st.tuples(*[st.floats(0.1, 3)] * 3),
    st.tuples(*[st.floats(-200, 200)] * 3),
    st.booleans(),
)

OBLIQUE = matrix_of((10, 20, 30), (0.2, 0.3, 1.5), (10, -20, 30), mirrored=True)


def ramp(matrix, shape=(9, 10, 11)):
    """An image whose value is a linear function of its own RAS, and that function."""
    slope, offset = np.array([3.0, -2.0, 5.0]), 100.0
    grid = Grid(shape, matrix)
    kji = np.stack(np.indices(shape), axis=-1).reshape(-1, 3)
    values = grid.ras(kji) @ slope + offset
    return Image(values.reshape(shape), grid, "ramp"), lambda ras: ras @ slope + offset


def under(scene, node, matrix, parent=None):
    """Puts a node under a new linear transform."""
    transform = scene.AddNewNodeByClass("vtkMRMLLinearTransformNode", "moved")
    slicer.util.updateTransformMatrixFromArray(transform, matrix)
    if parent is not None:
        transform.SetAndObserveTransformNodeID(parent.GetID())
    node.SetAndObserveTransformNodeID(transform.GetID())
    return transform


def bend():
    """A smooth invertible transform that is not linear."""
    spline = vtk.vtkThinPlateSplineTransform()
    source, target = vtk.vtkPoints(), vtk.vtkPoints()
    for n, point in enumerate(np.ndindex(3, 3, 3)):
        at = 20.0 * (np.array(point) - 1) + (10, -20, 30)
        source.InsertNextPoint(at)
        target.InsertNextPoint(at + (0.4 * (n % 3), -0.3 * (n % 2), 0.2 * (n % 5)))
    spline.SetBasisToR()
    spline.SetSourceLandmarks(source)
    spline.SetTargetLandmarks(target)
    return spline


@settings(deadline=None, max_examples=60)
@given(matrices, st.tuples(*[st.integers(1, 5)] * 3))
def test_round_trip_keeps_grid_and_values(matrix, shape):
    image = Image(np.arange(np.prod(shape), dtype=np.float32).reshape(shape), Grid(shape, matrix))
    back, findings = read_volume(add_volume(slicer.vtkMRMLScene(), image, "map"))
    assert np.abs(back.grid.ijk_to_ras - matrix).max() < 1e-6
    assert np.array_equal(back.array, image.array)
    assert (back.name, findings) == ("map", ())


@pytest.mark.parametrize(
    ("stored", "read"),
    [
        ("uint8", "uint8"),
        ("int16", "int16"),
        ("uint16", "uint16"),
        ("float64", "float64"),
        ("bool", "uint8"),
        ("float16", "float32"),
        ("int64", "int32"),
        (">f4", "float32"),
        (">i2", "int16"),
    ],
)
def test_values_survive_in_every_type(stored, read):
    array = (np.arange(24).reshape(2, 3, 4) % 2).astype(stored)
    node = add_volume(slicer.vtkMRMLScene(), Image(array, Grid(array.shape, OBLIQUE)))
    back, _ = read_volume(node)
    assert back.array.dtype == np.dtype(read)
    assert np.array_equal(back.array, array)


def test_large_integers_become_float64():
    array = np.full((1, 2, 3), 2**40, dtype=np.int64)
    back, _ = read_volume(add_volume(slicer.vtkMRMLScene(), Image(array, Grid((1, 2, 3), OBLIQUE))))
    assert np.array_equal(back.array, array)


def test_the_node_keeps_a_copy():
    image = Image(np.zeros((2, 3, 4), np.float32), Grid((2, 3, 4), OBLIQUE))
    node = add_volume(slicer.vtkMRMLScene(), image)
    image.array[:] = 1
    assert not read_volume(node)[0].array.any()


def test_set_image_replaces_grid_and_values():
    scene = slicer.vtkMRMLScene()
    node = add_volume(scene, Image(np.zeros((2, 3, 4)), Grid((2, 3, 4), np.eye(4))), "map")
    set_image(node, Image(np.ones((5, 6, 7), np.int16), Grid((5, 6, 7), OBLIQUE)))
    back, _ = read_volume(node)
    assert back.grid.same_as(Grid((5, 6, 7), OBLIQUE))
    assert (back.array == 1).all()


@settings(deadline=None, max_examples=30)
@given(matrices, st.booleans())
def test_rigid_transforms_move_the_grid_like_hardening(matrix, two):
    scene = slicer.vtkMRMLScene()
    image, _ = ramp(OBLIQUE, (3, 4, 5))
    node = add_volume(scene, image, "map")
    rigid = matrix.copy()
    rigid[2, 3] += 300  # so that it moves something
    rigid[:3, :3] /= np.linalg.norm(rigid[:3, :3], axis=0)
    parent = under(scene, node, rigid)
    if two:
        under(scene, node, matrix_of((5, 0, 0), (1, 1, 1), (1, 2, 3), False), parent)
    moved, findings = read_volume(node)
    assert [f.code for f in findings] == ["transform_applied"]
    assert np.array_equal(moved.array, image.array)
    node.HardenTransform()
    hardened, findings = read_volume(node)
    assert findings == ()
    assert np.abs(moved.grid.ijk_to_ras - hardened.grid.ijk_to_ras).max() < 1e-6


def test_scaling_along_the_image_axes_stays_on_its_voxels():
    scene = slicer.vtkMRMLScene()
    image, _ = ramp(np.diag([0.5, 0.5, 1, 1]))
    node = add_volume(scene, image)
    under(scene, node, np.diag([2.0, 1.0, -3.0, 1.0]))
    moved, findings = read_volume(node)
    assert [f.code for f in findings] == ["transform_applied"]
    assert moved.grid.spacing == pytest.approx((3, 0.5, 1))


def test_an_identity_transform_is_not_worth_a_word():
    scene = slicer.vtkMRMLScene()
    image, _ = ramp(OBLIQUE)
    node = add_volume(scene, image)
    under(scene, node, np.eye(4))
    assert read_volume(node)[1] == ()


def assert_resampled(moved, findings, image, value_of, world_to_local, local_to_world):
    """Every value lies where the transform puts it, and no voxel centre is lost."""
    assert [f.code for f in findings] == ["resampled"]
    assert findings[0].warning
    kji = np.stack(np.indices(moved.grid.shape), axis=-1).reshape(-1, 3)
    local = world_to_local(moved.grid.ras(kji))
    at = image.grid.kji(local)
    inside = ((at > 1e-3) & (at < np.array(image.grid.shape) - 1.001)).all(axis=1)
    assert inside.sum() > 100
    values = moved.array.reshape(-1)
    assert np.abs(values[inside] - value_of(local)[inside]).max() < 0.02
    far = ((at < -1) | (at > np.array(image.grid.shape))).any(axis=1)
    assert np.isnan(values[far]).all()
    centres = np.stack(np.indices(image.grid.shape), axis=-1).reshape(-1, 3)
    there = moved.grid.kji(local_to_world(image.grid.ras(centres)))
    assert (there > -0.5).all()
    assert (there < np.array(moved.grid.shape) - 0.5).all()


def test_a_shear_is_resampled_in_place():
    scene = slicer.vtkMRMLScene()
    image, value_of = ramp(OBLIQUE)
    node = add_volume(scene, image, "map")
    shear = np.eye(4)
    shear[0, 1], shear[:3, 3] = 0.3, (1, 2, 3)
    under(scene, node, shear)
    before = scene.GetNumberOfNodes()
    moved, findings = read_volume(node)
    assert scene.GetNumberOfNodes() == before
    assert node.GetParentTransformNode() is not None
    inverse = np.linalg.inv(shear)
    assert_resampled(
        moved,
        findings,
        image,
        value_of,
        lambda ras: ras @ inverse[:3, :3].T + inverse[:3, 3],
        lambda ras: ras @ shear[:3, :3].T + shear[:3, 3],
    )


def test_a_non_linear_transform_is_resampled_in_place():
    scene = slicer.vtkMRMLScene()
    image, value_of = ramp(OBLIQUE)
    node = add_volume(scene, image, "map")
    transform = scene.AddNewNodeByClass("vtkMRMLTransformNode", "bent")
    transform.SetAndObserveTransformToParent(bend())
    node.SetAndObserveTransformNodeID(transform.GetID())
    moved, findings = read_volume(node)
    assert "bent" in findings[0].message
    forth, back = bend(), bend()
    back.Inverse()
    assert_resampled(
        moved,
        findings,
        image,
        value_of,
        lambda ras: np.array([back.TransformPoint(p) for p in ras]),
        lambda ras: np.array([forth.TransformPoint(p) for p in ras]),
    )


def test_labels_are_resampled_without_mixing():
    scene = slicer.vtkMRMLScene()
    node = scene.AddNewNodeByClass("vtkMRMLLabelMapVolumeNode", "labels")
    array = np.zeros((9, 10, 11), np.uint8)
    array[2:7, 2:8, 2:9] = 7
    set_image(node, Image(array, Grid(array.shape, OBLIQUE)))
    shear = np.eye(4)
    shear[1, 2] = 0.2
    under(scene, node, shear)
    moved, _ = read_volume(node)
    assert moved.array.dtype == np.uint8
    assert set(np.unique(moved.array)) == {0, 7}
    volume = (moved.array == 7).sum() * moved.grid.voxel_volume
    assert volume == pytest.approx((array == 7).sum() * np.prod((0.2, 0.3, 1.5)), rel=0.15)


def test_what_cannot_be_read_is_said():
    scene = slicer.vtkMRMLScene()
    with pytest.raises(InputError, match="deleted"):
        read_volume(None)
    with pytest.raises(InputError, match="empty has no voxels"):
        read_volume(scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "empty"))
    vector = scene.AddNewNodeByClass("vtkMRMLVectorVolumeNode", "rgb")
    slicer.util.updateVolumeFromArray(vector, np.zeros((2, 3, 4, 3), np.uint8))
    with pytest.raises(InputError, match="3 values per voxel"):
        read_volume(vector)
    image, _ = ramp(OBLIQUE)
    node = add_volume(scene, image, "map")
    under(scene, node, np.diag([1.0, 1.0, 0.0, 1.0]))
    with pytest.raises(InputError, match="flattens map"):
        read_volume(node)


@settings(deadline=None, max_examples=60)
@given(matrices, st.floats(0, 5))
def test_crop_keeps_every_voxel_in_its_place(matrix, margin):
    image, value_of = ramp(matrix)
    points = image.grid.ras(np.array([[3, 4, 5], [4, 6, 5]]))
    cropped = crop(image, points, margin)
    kji = np.stack(np.indices(cropped.grid.shape), axis=-1).reshape(-1, 3)
    assert np.allclose(cropped.array.reshape(-1), value_of(cropped.grid.ras(kji)), atol=1e-6)
    nearest = cropped.grid.kji(points)
    assert (nearest > -1e-6).all()
    assert (nearest < np.array(cropped.grid.shape) - 1 + 1e-6).all()


def test_crop_around_points_elsewhere_keeps_all():
    image, _ = ramp(np.eye(4))
    assert crop(image, np.array([[500.0, 500, 500]]), 1.0).array.shape == image.array.shape
