"""Slow shading of the receive coil."""

from __future__ import annotations

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray

from .errors import InputError
from .grid import Image

# N4 sees the image at about this voxel size: a coil's shading is smooth over centimetres,
# and the time grows with the number of voxels.
_WORKING_MM = 4.0
_ITERATIONS = (50, 50, 30)


def bias_field(image: Image, mask: NDArray[np.bool_]) -> NDArray[np.float32]:
    """The multiplicative bias field (k, j, i) of an image, with a mean of 1 inside the mask.

    N4, as SimpleITK has it (Tustison et al., IEEE Trans Med Imaging 2010, 29:1310). Divide the
    image by the field to correct it. T2* and R2* need no correction: the field is the same in
    every echo.

    Args:
        image: values above zero inside the mask.
        mask: (k, j, i), where there is tissue.

    Raises:
        InputError: the mask is empty, or N4 fails.
    """
    if not mask.any():
        raise InputError("The bias field cannot be estimated: no voxel stands above the noise.")
    values = np.where(mask & np.isfinite(image.array), image.array, 0).astype(np.float32)
    full = sitk.GetImageFromArray(values)
    full.SetSpacing(image.grid.spacing[::-1])
    inside = sitk.GetImageFromArray((mask & (values > 0)).astype(np.uint8))
    inside.CopyInformation(full)
    factors = [_shrink(n, mm) for n, mm in zip(full.GetSize(), full.GetSpacing(), strict=True)]
    corrector = sitk.N4BiasFieldCorrectionImageFilter()
    corrector.SetMaximumNumberOfIterations(_ITERATIONS)
    try:
        corrector.Execute(sitk.Shrink(full, factors), sitk.Shrink(inside, factors))
        logs = sitk.GetArrayFromImage(corrector.GetLogBiasFieldAsImage(full))
    except RuntimeError:
        raise InputError(
            "The bias field could not be estimated: the image is too small or too uniform for "
            "N4. Leave out --bias."
        ) from None
    field = np.exp(logs).astype(np.float32)
    return field / np.float32(field[mask].mean(dtype=np.float64))


def _shrink(voxels: int, spacing: float) -> int:
    """Shrink factor that reaches the working voxel size but leaves 8 voxels along an axis."""
    return max(1, min(int(_WORKING_MM / spacing), voxels // 8))
