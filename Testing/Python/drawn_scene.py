"""A scene as a user has it before measuring: an image and a segmentation drawn on it."""

from __future__ import annotations

import numpy as np
import slicer

from ALSMotorCortexLib.cortex.grid import Grid, Image
from ALSMotorCortexLib.scene.segmentations import Segment, add_segmentation
from ALSMotorCortexLib.scene.volumes import add_volume
from drawn_markups import scene_with_markups

SPACING = (1.0, 0.5, 0.5)
NAMES = ("CSF", "White matter", "Gray matter")
THICKNESS = 3.0


def layered(first_r: float = -40.0, gap: bool = False) -> Image:
    """White matter, 3 mm of gray matter and CSF above each other along A, 30 mm wide along R.

    Args:
        first_r: where it begins, in mm.
        gap: whether its middle third along R is left without labels.
    """
    shape = (6, 20, 60)
    labels = np.full(shape, 1, np.uint8)
    labels[:, :13] = 3
    labels[:, :7] = 2
    if gap:
        labels[:, :, 20:40] = 0
    matrix = np.diag([*SPACING[::-1], 1.0])
    matrix[:3, 3] = (first_r, -20, 50)
    return Image(labels, Grid(shape, matrix), "drawn")


def empty_scene():
    """A scene that saves and reads markups, and has a folder tree, as the application's does."""
    scene = scene_with_markups()
    slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(scene)
    return scene


def drawn_scene(labels: Image | None = None):
    """The scene, a T2* volume that is brighter to the surface, and the segmentation."""
    labels = labels or layered()
    scene = empty_scene()
    values = np.broadcast_to(np.arange(20.0, 40.0)[None, :, None], labels.grid.shape)
    volume = add_volume(scene, Image(values.astype(np.float32), labels.grid, "T2star"))
    code = slicer.vtkCodedEntry()
    code.SetValueSchemeMeaning("ms", "UCUM", "millisecond")
    volume.SetVoxelValueUnits(code)
    segments = [Segment((n,), name, (0.3 * n, 0.5, 0.5)) for n, name in enumerate(NAMES, 1)]
    return scene, volume, add_segmentation(scene, labels, segments, "Segmentation")


def paint(segmentation, name: str, labels: Image, mask) -> str:
    """Adds a segment of a mask (k, j, i), in a layer of its own, and returns its ID."""
    drawn = Image(np.asarray(mask).astype(np.uint8), labels.grid, name)
    other = add_segmentation(segmentation.GetScene(), drawn, [Segment((1,), name, (1, 0, 0))])
    segment = slicer.vtkSegment()
    segment.DeepCopy(other.GetSegmentation().GetSegment("Segment_1"))
    key = segmentation.GetSegmentation().GenerateUniqueSegmentID(name)
    segmentation.GetSegmentation().AddSegment(segment, key)
    segmentation.GetScene().RemoveNode(other.GetDisplayNode())
    segmentation.GetScene().RemoveNode(other)
    return key


def dividers(scene, *places):
    """A node with points at RAS places."""
    node = scene.AddNewNodeByClass("vtkMRMLMarkupsFiducialNode", "Foot, hand, face")
    for place in places:
        node.AddControlPoint(*(float(mm) for mm in place))
    return node
