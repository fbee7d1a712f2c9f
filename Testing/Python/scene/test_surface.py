"""The mid-cortex surface of ribbons whose middle is known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from ALSMotorCortexLib.cortex.folded_sheet import FoldedSheet
from ALSMotorCortexLib.cortex.grid import Grid, Image
from ALSMotorCortexLib.cortex.measure import measure
from ALSMotorCortexLib.cortex.phantoms import make
from ALSMotorCortexLib.cortex.shapes import Cylinder, Slab, Sphere
from known_ribbons import AXIAL, RIM, SETTINGS, UPRIGHT, turned

pytest.importorskip("slicer")
vtk = pytest.importorskip("vtk")
from vtk.util.numpy_support import vtk_to_numpy  # noqa: E402

from ALSMotorCortexLib.scene.surface import THICKNESS, mid_surface  # noqa: E402

COARSE = (1.0, 0.4, 0.4)


def area(surface):
    properties = vtk.vtkMassProperties()
    properties.SetInputData(surface)
    return properties.GetSurfaceArea()


def points(surface):
    return vtk_to_numpy(surface.GetPoints().GetData())


def edges(surface):
    """Where a surface ends."""
    found = vtk.vtkFeatureEdges()
    found.SetInputData(surface)
    found.FeatureEdgesOff()
    found.NonManifoldEdgesOff()
    found.ManifoldEdgesOff()
    found.Update()
    return found.GetOutput()


def phantom(shape, spacing=(0.5, 0.5, 0.5), seed=0, rotation=None):
    return make(shape, spacing, np.random.default_rng(seed), rotation)


@pytest.mark.parametrize("spacing", [(0.5, 0.5, 0.5), COARSE])
@pytest.mark.parametrize("shape", [Slab(), Cylinder(), Sphere(), FoldedSheet()])
def test_the_area_is_that_of_the_measures(shape, spacing):
    labels = phantom(shape, spacing).labels
    m = measure(labels, SETTINGS)
    assert area(mid_surface(m, labels)) == pytest.approx(m.value("mid_surface_area"), rel=0.04)


def test_a_slab_has_a_flat_surface_in_its_middle_that_ends_where_it_ends():
    slab = Slab()
    made = phantom(slab)
    surface = mid_surface(measure(made.labels, SETTINGS), made.labels)
    own = made.placement.own(made.grid.kji(points(surface)) * made.grid.spacing)
    assert np.abs(own[:, 1]).max() < 0.25
    assert area(surface) == pytest.approx(4 * slab.half_length * slab.half_width, rel=0.02)
    rim = made.placement.own(made.grid.kji(points(edges(surface))) * made.grid.spacing)
    # All of its rim lies at the slab's sides: it has no hole, and closes over no cut.
    aside = np.maximum(np.abs(rim[:, 0]) - slab.half_length, np.abs(rim[:, 2]) - slab.half_width)
    assert np.abs(aside).max() < 0.5
    assert edges(surface).GetNumberOfPoints() > 50


def test_at_the_edge_of_the_volume_the_surface_ends_with_the_voxels():
    labels = np.full((6, 14, 7), 1, np.uint8)
    labels[:, :10] = 3
    labels[:, :4] = 2
    image = Image(labels, Grid.from_spacing(labels.shape, (1.0, 0.5, 0.5)))
    surface = mid_surface(measure(image, SETTINGS), image)
    kji = image.grid.kji(points(surface))
    assert kji[:, 1] == pytest.approx(6.5, abs=0.02)
    assert kji.min(axis=0)[[0, 2]] == pytest.approx(-0.5, abs=0.01)
    assert kji.max(axis=0)[[0, 2]] == pytest.approx((5.5, 6.5), abs=0.01)
    assert area(surface) == pytest.approx(6 * 7 * 0.5, rel=0.01)


def test_no_wall_stands_along_a_cut_of_a_cortex_of_many_voxels():
    labels = np.full((6, 30, 8), 1, np.uint8)
    labels[:, :25] = 3
    labels[:, :5] = 2
    labels[:, :, 6:] = 0
    image = Image(labels, Grid.from_spacing(labels.shape, (0.2, 0.2, 0.2)))
    surface = mid_surface(measure(image, SETTINGS), image)
    assert image.grid.kji(points(surface))[:, 1] == pytest.approx(14.5, abs=0.05)
    assert area(surface) == pytest.approx(6 * 6 * 0.2**2, rel=0.01)


@pytest.mark.parametrize("mirrored", [False, True])
def test_normals_point_to_the_pial_side_in_the_world(mirrored):
    made = phantom(Sphere(), rotation=UPRIGHT)
    grid = turned(made.grid, (20, -35, 50), (10, -60, 30))
    array = made.labels.array
    if mirrored:
        flip = np.diag([-1.0, 1, 1, 1])
        flip[0, 3] = grid.shape[2] - 1
        grid, array = Grid(grid.shape, grid.ijk_to_ras @ flip), array[:, :, ::-1]
    labels = Image(np.ascontiguousarray(array), grid)
    surface = mid_surface(measure(labels, SETTINGS), labels)
    centre = grid.ras((np.array(grid.shape) - 1)[None] / 2)[0]
    outwards = points(surface) - centre
    normals = vtk_to_numpy(surface.GetPointData().GetNormals())
    cosine = np.einsum("na,na->n", outwards, normals) / np.linalg.norm(outwards, axis=1)
    assert np.percentile(cosine, 2) > 0.9


def test_it_is_coloured_by_the_thickness_nearby():
    made = phantom(FoldedSheet())
    m = measure(made.labels, SETTINGS)
    surface = mid_surface(m, made.labels)
    assert surface.GetPointData().GetScalars().GetName() == THICKNESS
    kji = np.rint(m.grid.kji(points(surface))).astype(int)
    inside = m.paint(m.thickness, np.nan)[tuple(kji.T)]
    known = np.isfinite(inside)
    assert known.mean() > 0.85
    colours = vtk_to_numpy(surface.GetPointData().GetScalars())
    assert np.abs(colours - inside)[known].max() < 0.4
    assert np.abs(colours - inside)[known].mean() < 0.05


@pytest.mark.parametrize("settings", [RIM, AXIAL])
def test_rim_labels_and_slices_have_one_too(settings):
    made = phantom(Cylinder(), rotation=UPRIGHT)
    labels = made.rim() if settings is RIM else made.labels
    m = measure(labels, settings)
    surface = mid_surface(m, labels)
    assert area(surface) == pytest.approx(m.value("mid_surface_area"), rel=0.04)


def test_where_nothing_was_measured_there_is_no_surface():
    made = phantom(Slab())
    m = measure(made.labels, SETTINGS)
    half = m.voxels % m.grid.shape[2] < m.grid.shape[2] // 2
    some = replace(m, thickness=np.where(half, m.thickness, np.nan))
    part = mid_surface(some, made.labels)
    assert m.grid.kji(points(part))[:, 2].max() < m.grid.shape[2] // 2
    assert 0.2 < area(part) / area(mid_surface(m, made.labels)) < 0.8
    none = replace(m, thickness=np.full_like(m.thickness, np.nan))
    assert mid_surface(none, made.labels).GetNumberOfCells() == 0
