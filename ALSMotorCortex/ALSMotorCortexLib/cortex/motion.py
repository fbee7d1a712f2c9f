"""Echoes that do not lie on one grid: rigid registration onto the first."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray

from .errors import InputError
from .grid import Image

_LPS = np.diag([-1.0, -1.0, 1.0, 1.0])

# Voxels that the metric looks at; with four times as many the movement found is the same to
# 0.01 mm, and takes six times as long.
_SAMPLES = 50_000
_FIRST_STEP_MM, _LAST_STEP_MM, _MOST_STEPS = 0.5, 1e-3, 100


@dataclass(frozen=True)
class Motion:
    """A rigid movement.

    Attributes:
        shift_mm: how far the centre of the image moves.
        angle_deg: how far it turns.
    """

    shift_mm: float
    angle_deg: float


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
    method.SetMetricSamplingPercentage(min(1.0, _SAMPLES / fixed.array.size))
    method.SetOptimizerAsRegularStepGradientDescent(
        _FIRST_STEP_MM, _LAST_STEP_MM, _MOST_STEPS, gradientMagnitudeTolerance=1e-8
    )
    method.SetOptimizerScalesFromPhysicalShift()
    method.SetShrinkFactorsPerLevel([4, 2, 1])
    method.SetSmoothingSigmasPerLevel([2, 1, 0])
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
    return Image(array, fixed.grid, moving.name), _motion(start)


def _motion(transform: sitk.Euler3DTransform) -> Motion:
    matrix = np.array(transform.GetMatrix()).reshape(3, 3)
    angle = np.degrees(np.arccos(np.clip((np.trace(matrix) - 1) / 2, -1, 1)))
    return Motion(float(np.linalg.norm(transform.GetTranslation())), float(angle))


def _itk(image: Image) -> sitk.Image:
    """SimpleITK image in LPS from one in RAS."""
    matrix: NDArray[np.float64] = _LPS @ image.grid.ijk_to_ras
    spacing = np.array(image.grid.spacing[::-1])
    itk = sitk.GetImageFromArray(np.nan_to_num(image.array.astype(np.float32)))
    itk.SetSpacing(spacing.tolist())
    itk.SetDirection((matrix[:3, :3] / spacing).ravel().tolist())
    itk.SetOrigin(matrix[:3, 3].tolist())
    return itk
