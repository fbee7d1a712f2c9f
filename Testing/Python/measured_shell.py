"""A measured cortex around a cylinder, its scene file read back, and what is in the scene."""

from __future__ import annotations

import numpy as np
import slicer
from scipy.spatial.transform import Rotation

from ALSMotorCortexLib.cortex.grid import Grid, Image
from ALSMotorCortexLib.cortex.result import Finding, Measure, Measurement, ProfileBin
from ALSMotorCortexLib.cortex.settings import Settings
from ALSMotorCortexLib.scene import results, volumes

INNER, OUTER, LAYERS, BINS = 4.0, 6.5, 3, 5
MATRIX = np.eye(4)
MATRIX[:3, :3] = Rotation.from_euler("xyz", (8, -12, 20), degrees=True).as_matrix()
MATRIX[:3, :3] = MATRIX[:3, :3] @ np.diag([-0.25, 0.25, 0.5])
MATRIX[:3, 3] = (30, -20, 60)


def shell():
    """A cylinder shell whose thickness varies around it, on an oblique mirrored grid.

    Returns labels (1 CSF, 2 white matter, 3 gray matter), depth and thickness images.
    """
    shape = (6, 80, 80)
    _, j, i = np.indices(shape)
    x, y = 0.25 * (i - 40), 0.25 * (j - 40)
    radius = np.hypot(x, y)
    outer = OUTER + 0.5 * np.cos(np.arctan2(y, x))
    labels = np.full(shape, 1, np.uint8)
    labels[radius < outer] = 3
    labels[radius < INNER] = 2
    labels[radius > 8.5] = 0
    thickness = outer - INNER
    return labels, (outer - radius) / thickness, thickness


def bins(region, start):
    return tuple(
        ProfileBin(region, "T2star", n + 1, n / BINS, (n + 1) / BINS, 50, *([start - n] * 5),
                   start - n - 1, start - n + 1)
        for n in range(BINS)
    )  # fmt: skip


def shell_measurement():
    labels, depth, thickness = shell()
    grid = Grid(labels.shape, MATRIX)
    voxels = np.flatnonzero(labels == 3)
    n = len(voxels)
    at_depth = depth.reshape(-1)[voxels].astype(np.float32)
    at_thickness = thickness.reshape(-1)[voxels].astype(np.float32)
    layers = np.clip(np.ceil(at_depth * LAYERS), 1, LAYERS).astype(np.uint8)
    # Some voxels could not be measured.
    for values, nothing in ((at_depth, np.nan), (at_thickness, np.nan), (layers, 0)):
        values[::50] = nothing
    return Measurement(
        grid=grid,
        settings=Settings(gm=(3,), wm=(2,), csf=(1,), layers=LAYERS, bins=BINS),
        voxels=voxels,
        thickness=at_thickness,
        depth_equidistant=at_depth,
        depth_equivolume=at_depth**2,
        layers=layers,
        columns=np.zeros(n, np.int32),
        normals=np.zeros((n, 3), np.float32),
        near_cut=np.zeros(n, bool),
        values={},
        units={"T2star": "ms"},
        regions={"ribbon": np.ones(n, bool)},
        measures=(
            Measure("ribbon", "", "thickness_mean", 2.5, "mm"),
            Measure("hand", "", "thickness_mean", 2.4, "mm"),
            Measure("ribbon", "T2star", "deep_hypointensity", float("nan"), "1"),
        ),
        profiles=bins("ribbon", 30.0) + bins("hand", 40.0),
        findings=(Finding("holes_filled", "2 holes were filled."),),
        seconds={"laplace": 1.25},
    )


def shell_labels():
    return Image(shell()[0], Grid(shell()[0].shape, MATRIX), "labels")


def shell_map():
    """A map on a coarser grid of its own, far larger than the shell."""
    matrix = np.diag([1.0, 1.0, 1.0, 1.0])
    matrix[:3, 3] = (-60, -110, 0)
    grid = Grid((130, 150, 160), matrix)
    values = np.arange(np.prod(grid.shape), dtype=np.float32).reshape(grid.shape) % 997
    return Image(values, grid, "T2star")


def only_result(scene):
    """The nodes of the scene's only result."""
    ((folder, nodes),) = results.find_results(scene).items()
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(scene)
    assert hierarchy.GetItemName(folder) == "ALS Motor Cortex"
    return nodes


def read_back(path, folder):
    """A new scene read from a bundle as vtkMRMLScene::ReadFromMRB does: unpack, connect."""
    folder.mkdir(exist_ok=True)
    scene = results.new_scene()
    mrml = slicer.vtkMRMLScene.UnpackSlicerDataBundle(str(path), str(folder))
    assert mrml.endswith(".mrml")
    scene.SetURL(mrml)
    messages = slicer.vtkMRMLMessageCollection()
    assert scene.Connect(messages)
    assert messages.GetNumberOfMessages() == 0, messages.GetAllMessagesAsString()
    return scene


def found_in(node, grid):
    """A volume node's image, and for each of its voxels the index into a larger grid.

    Slicer's reader turns left-handed grids into right-handed ones, so that only the place
    in the world says which voxel is which.
    """
    image, _ = volumes.read_volume(node)
    kji = grid.kji(image.grid.ras(np.stack(np.indices(image.grid.shape), axis=-1)))
    nearest = np.rint(kji).astype(int)
    assert np.abs(kji - nearest).max() < 1e-3
    return image, tuple(np.moveaxis(nearest, -1, 0))
