"""Echoes that do not lie on one grid: rigid registration onto the first."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray

from .errors import InputError
from .grid import Grid, Image

_LPS = np.diag([-1.0, -1.0, 1.0, 1.0])

# Voxels that the metric looks at, at places within them that hang on the seed.
_SAMPLES, _SEED = 50_000, 1
# With a last step of 1e-3 mm the angle found still hangs on the seed by some tenths of a degree,
# with this one by 0.02 degrees.
_FIRST_STEP_MM, _LAST_STEP_MM, _MOST_STEPS = 0.5, 1e-4, 200


@dataclass(frozen=True)
class Motion:
    """A rigid movement.

    Attributes:
        shift_mm: how far the centre of the image moves.
        angle_deg: how far it turns.
        voxels: how far the corner of the image that moves most does along an axis, in voxels.
    """

    shift_mm: float
    angle_deg: float
    voxels: float


def register(moving: Image, fixed: Image) -> tuple[Image, Motion]:
    """``moving`` on the grid of ``fixed``, after a rigid movement.

    Mattes mutual information in three resolutions, starting from the positions the headers
    state; interpolated with a cubic B-spline, 0 where ``moving`` has no values.

    Args:
        moving: the image to bring over.
        fixed: where to.

    Raises:
        InputError: the two do not overlap, or no movement is found.
    """
    still, mover = _itk(fixed), _itk(moving)
    centre = still.TransformContinuousIndexToPhysicalPoint([(n - 1) / 2 for n in still.GetSize()])
    start = sitk.Euler3DTransform(centre)
    method = sitk.ImageRegistrationMethod()
    method.SetMetricAsMattesMutualInformation(50)
    method.SetMetricSamplingStrategy(method.REGULAR)
    method.SetMetricSamplingPercentage(min(1.0, _SAMPLES / fixed.array.size), _SEED)
    method.SetOptimizerAsRegularStepGradientDescent(
        _FIRST_STEP_MM, _LAST_STEP_MM, _MOST_STEPS, gradientMagnitudeTolerance=1e-8
    )
    method.SetOptimizerScalesFromPhysicalShift()
    method.SetShrinkFactorsPerLevel([4, 2, 1])
    # Where both lie on one grid, a shift by half a voxel averages noise away and so looks like a
    # better match. Blurring both by a voxel first halves the movement that noise alone feigns.
    method.SetSmoothingSigmasPerLevel([2, 1, 1])
    method.SmoothingSigmasAreSpecifiedInPhysicalUnitsOff()
    method.SetInterpolator(sitk.sitkLinear)
    method.SetInitialTransform(start, inPlace=True)
    try:
        method.Execute(still, mover)
    except RuntimeError:
        raise InputError(
            f"{moving.name} could not be registered to {fixed.name}: they do not overlap in "
            "space, or one of them holds no structure. Check that both show the same head."
        ) from None
    moved = sitk.Resample(mover, still, start, sitk.sitkBSpline, 0.0)
    array = np.maximum(sitk.GetArrayFromImage(moved), 0)
    return Image(array, fixed.grid, moving.name), _motion(start, fixed.grid)


def _motion(transform: sitk.Euler3DTransform, grid: Grid) -> Motion:
    matrix = np.array(transform.GetMatrix()).reshape(3, 3)
    angle = np.degrees(np.arccos(np.clip((np.trace(matrix) - 1) / 2, -1, 1)))
    corners = np.array(np.meshgrid(*[(0, n - 1) for n in grid.shape])).reshape(3, -1).T
    lps = grid.ras(corners) @ _LPS[:3, :3]
    moved = np.array([transform.TransformPoint(point.tolist()) for point in lps])
    voxels = np.abs(grid.kji(moved @ _LPS[:3, :3]) - corners).max()
    return Motion(float(np.linalg.norm(transform.GetTranslation())), float(angle), float(voxels))


def _itk(image: Image) -> sitk.Image:
    """SimpleITK image in LPS from one in RAS."""
    matrix: NDArray[np.float64] = _LPS @ image.grid.ijk_to_ras
    spacing = np.array(image.grid.spacing[::-1])
    itk = sitk.GetImageFromArray(np.nan_to_num(image.array.astype(np.float32)))
    itk.SetSpacing(spacing.tolist())
    itk.SetDirection((matrix[:3, :3] / spacing).ravel().tolist())
    itk.SetOrigin(matrix[:3, 3].tolist())
    return itk
