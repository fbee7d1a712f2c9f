"""Image files in, as arrays with their grid.

NIfTI is decoded by :mod:`.nifti`, which says why; every other format is read by SimpleITK.
Where an image lies is ITK's answer for all formats.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import SimpleITK as sitk
from numpy.typing import NDArray

from ..cortex.errors import InputError
from ..cortex.grid import Grid, Image
from ..cortex.result import Finding
from . import nifti
from .nifti import (
    NiftiGeometry,
    check_dimensions,
    negative_spacing,
    no_spacing,
    not_orthogonal,
    several_values,
)
from .quiet import quiet_stderr
from .regular import check_regular

_FLIP = np.diag([-1.0, -1.0, 1.0, 1.0])  # ITK's LPS to RAS

# ITK's readers of pictures. It gives their voxels 1 mm, or what was meant for a printer.
_PICTURES = ("BMPImageIO", "JPEGImageIO", "PNGImageIO", "TIFFImageIO")


@dataclass(frozen=True)
class ImageFile:
    """An image as it was read.

    Attributes:
        path: where from.
        image: its array (k, j, i) and grid.
        sha256: checksum of the file's bytes (of the header's, where voxels lie in a file of
            their own, as with ``.mhd`` and ``.nhdr``).
        size: of the file, in bytes.
        geometry: the bytes of a NIfTI-1 header that place the image, to be copied into
            images written on the same grid; None for other formats.
        metadata: text fields of the header (NRRD's key-value pairs).
        layers: all arrays (k, j, i), one for each value that a voxel has. The first is
            ``image.array``.
        findings: what the user should know about the file.
    """

    path: Path
    image: Image
    sha256: str
    size: int
    geometry: NiftiGeometry | None = None
    metadata: Mapping[str, str] = field(default_factory=dict, repr=False)
    layers: tuple[NDArray, ...] = field(default=(), repr=False)
    findings: tuple[Finding, ...] = ()


def read_image(path: str | os.PathLike) -> ImageFile:
    """Reads a scalar 3D image.

    Raises:
        InputError: the file is missing, empty, truncated, not an image, not 3D, has
            several values per voxel, or its geometry cannot be measured in.
    """
    file = read_layers(path)
    if len(file.layers) > 1:
        raise several_values(file.path, len(file.layers))
    return file


def read_layers(path: str | os.PathLike) -> ImageFile:
    """Reads a 3D image that may have several values per voxel, one array each.

    Raises:
        InputError: see :func:`read_image`.
    """
    path = Path(path)
    data = _bytes(path)
    checksum = hashlib.sha256(data).hexdigest()
    if re.search(r"\.nii(\.gz)?$", path.name, re.IGNORECASE):
        array, header, geometry = nifti.decode(path, data)
        two = header.version == 2
        matrix = nifti.preferred_matrix(header) if two else _ras(_itk(path, read=False))
        grid = _named_grid(path, array.shape, matrix)
        findings = nifti.orientation_findings(path, header, grid)
        image = Image(array, grid, path.name)
        return ImageFile(path, image, checksum, len(data), geometry, {}, (array,), findings)
    return _read_with_itk(path, data[:4096], checksum, len(data))


def whole_numbers(image: Image) -> Image:
    """The image with the smallest integer type that holds its label values.

    Raises:
        InputError: NaN, infinite or fractional values, or labels beyond 32 bits.
    """
    array = image.array
    if array.dtype.kind == "f":
        if bad := int(array.size - np.count_nonzero(np.isfinite(array))):
            raise InputError(
                f"{image.name} is used as a label map but {bad} of its voxels are NaN or "
                "infinite. Save it again with whole-number labels."
            )
        wrong = array != np.rint(array)
        if wrong.any():
            example = array[np.unravel_index(int(np.argmax(wrong)), array.shape)]
            raise InputError(
                f"{image.name} is used as a label map but has values between whole numbers, "
                f"for example {example:.4g}. Threshold it if it is a probability map; if it "
                "was resampled, resample it again with nearest-neighbour interpolation."
            )
    low, high = (int(array.min()), int(array.max())) if array.size else (0, 0)
    for dtype in (np.uint8, np.int16, np.int32):
        if np.iinfo(dtype).min <= low and high <= np.iinfo(dtype).max:
            return Image(array.astype(dtype, copy=False), image.grid, image.name)
    raise InputError(
        f"{image.name} is used as a label map but has the value {max(high, -low)}, too large "
        "for a label. Check that it is the right file."
    )


def named_file(text: str, option: str) -> tuple[str, str]:
    """Splits ``NAME=FILE``. Without a name, the file's stem is the name.

    A file name may hold ``=`` too: where all of ``text`` is an existing file, it is one.

    Args:
        text: what the user gave.
        option: for the message, for example ``--map``.

    Raises:
        InputError: no file, or a name that cannot stand in a table.
    """
    name, equals, file = text.partition("=")
    if not equals or os.path.exists(text):
        name, file = re.sub(r"(\.(seg|nii|gz|nrrd|nhdr|mha|mhd))+$", "", Path(text).name), text
    name = name.strip()
    if not file or not name:
        raise InputError(f"{option} {text!r} should read {option} NAME=FILE, with a name.")
    if not name.isprintable() or set(name) & set("/\\") or name in (".", ".."):
        raise InputError(
            f"The name {name!r}, given with {option}, cannot be used: tables and files are to "
            f"hold it. Choose one without slashes, tabs and line breaks: {option} NAME=FILE."
        )
    return name, file


def _bytes(path: Path) -> bytes:
    check_regular(path)
    try:
        if path.is_dir():
            raise InputError(f"{path} is a folder. Give the image file in it.")
        data = path.read_bytes()
    except FileNotFoundError:
        raise InputError(f"There is no file {path}. Check its name and folder.") from None
    except OSError as error:
        raise InputError(
            f"{path} cannot be read ({error.strerror}). Check its permissions."
        ) from None
    if not data:
        raise InputError(f"{path} is empty (0 bytes). Copy or export it again.")
    return data


def _read_with_itk(path: Path, head: bytes, checksum: str, size: int) -> ImageFile:
    if head.startswith(b"NRRD"):
        # A blank line ends the header, unless the voxels lie in a file of their own.
        ends = rb"\r?\n\r?\n|data ?file:"
        if size <= len(head) and not re.search(ends, head, re.IGNORECASE):
            raise InputError(
                f"{path} is damaged or cut short: it ends within its header. Copy or export it "
                "again."
            )
        _check_nrrd_header(path, head)
    elif re.search(rb"^ElementDataFile\s*=", head, re.MULTILINE):
        _check_meta_header(path, head)
    else:
        _check_format(path)
    image = _itk(path, read=True)
    check_dimensions(path, image.GetSize())
    array = sitk.GetArrayFromImage(image)
    components = image.GetNumberOfComponentsPerPixel()
    if np.iscomplexobj(array):
        raise InputError(f"{path} holds complex numbers. Save its magnitude or its phase.")
    shape = image.GetSize()[2::-1]
    array = array.reshape(*shape, components)
    layers = tuple(np.ascontiguousarray(array[..., c]) for c in range(components))
    grid = _named_grid(path, shape, _ras(image))
    metadata = {key: image.GetMetaData(key) for key in image.GetMetaDataKeys()}
    return ImageFile(
        path, Image(layers[0], grid, path.name), checksum, size, None, metadata, layers
    )


def _check_format(path: Path) -> None:
    """Refuses formats that do not tell what is needed, or that ITK reads without a check.

    NIfTI with a header of its own (``.hdr`` beside ``.img``) is one: ITK fills truncated files up.
    """
    reader = sitk.ImageFileReader.GetImageIOFromFileName(str(path))
    if reader in _PICTURES:
        raise InputError(
            f"{path} is a picture, which does not say how large its voxels are. Export the image "
            "as NIfTI (.nii.gz) or NRRD (.nrrd)."
        )
    if reader == "NiftiImageIO":
        raise InputError(
            f"{path} is a NIfTI or Analyze image in two files (.hdr and .img). Save it as one "
            "(.nii.gz)."
        )


def _check_nrrd_header(path: Path, head: bytes) -> None:
    """ITK reads NaN, ``none``, zero and absent spacings as 1 mm; refuse them.

    ``none`` stands for an axis that is not spatial; a volume has three that are.
    http://teem.sourceforge.net/nrrd/format.html, sections 5.8 and 6.
    """
    text = head.split(b"\n\n")[0].split(b"\r\n\r\n")[0].decode("latin-1")
    fields = dict(re.findall(r"^([a-z ]+):\s*(.*?)\s*$", text, re.MULTILINE))
    vectors = re.findall(r"\(([^)]*)\)", fields.get("space directions", ""))
    try:
        lengths = [float(np.linalg.norm([float(x) for x in v.split(",")])) for v in vectors]
        spacings = [float(x) for x in fields.get("spacings", "").split()[-3:]]
    except ValueError:
        return  # a damaged header, which ITK refuses
    if min(spacings, default=0) < 0:
        raise negative_spacing(path, np.array(spacings))
    lengths += [abs(x) for x in spacings]
    three_axes = fields.get("dimension", "") not in ("1", "2")
    too_few = three_axes and len(lengths) < 3
    if too_few or not all(np.isfinite(length) and length > 1e-6 for length in lengths):
        raise no_spacing(path)


def _check_meta_header(path: Path, head: bytes) -> None:
    """ITK turns an axis round whose spacing is negative, and reads an absent one as 1 mm.

    ``ElementSize`` stands in for ``ElementSpacing`` where that is absent, as in MetaIO.
    https://itk.org/Wiki/ITK/MetaIO/Documentation
    """
    text = head.split(b"ElementDataFile")[0].decode("latin-1")
    fields = dict(re.findall(r"^(\w+)\s*=\s*(.*?)\s*$", text, re.MULTILINE))
    stated = fields.get("ElementSpacing") or fields.get("ElementSize") or ""
    try:
        spacing = np.array([float(x) for x in stated.split()])
    except ValueError:
        raise no_spacing(path) from None
    if not spacing.size or not (np.isfinite(spacing) & (np.abs(spacing) > 1e-6)).all():
        raise no_spacing(path)
    if (spacing < 0).any():
        raise negative_spacing(path, spacing)


def _itk(path: Path, read: bool):  # type: ignore[no-untyped-def]
    """The image, or only its reader with the header read, without ITK's own messages."""
    reader = sitk.ImageFileReader()
    try:
        str(path).encode("utf-8")  # ITK ends the process where it cannot be
    except UnicodeEncodeError:
        raise InputError(f"The name of {path} is not in UTF-8. Rename the file.") from None
    reader.SetFileName(str(path))
    shown = sitk.ProcessObject.GetGlobalWarningDisplay()
    sitk.ProcessObject.SetGlobalWarningDisplay(False)
    try:
        with quiet_stderr():
            if read:
                return reader.Execute()
            reader.ReadImageInformation()
            return reader
    except RuntimeError as error:
        raise _readable(path, str(error)) from None
    finally:
        sitk.ProcessObject.SetGlobalWarningDisplay(shown)


def _readable(path: Path, text: str) -> InputError:
    """ITK's error as a sentence."""
    if "Zero-valued spacing" in text:
        return no_spacing(path)
    if "orthonormal" in text or "determinant" in text:
        return not_orthogonal(path)
    if re.search(r"expected \d+ bytes|not read completely|end of file|premature|truncat", text):
        return InputError(f"{path} is truncated or damaged. Copy or export it again.")
    if "Unable to determine ImageIO" in text:
        return InputError(
            f"{path} is not an image that can be read. Save it as NIfTI (.nii.gz) or NRRD (.nrrd)."
        )
    apart = path.suffix.lower() in (".nhdr", ".mhd")
    missing = ", or the file that holds its voxels is not beside it" if apart else ""
    return InputError(
        f"{path} cannot be read; it may be truncated or damaged{missing}. Copy or export it "
        "again, as NIfTI (.nii.gz) or NRRD (.nrrd)."
    )


def _ras(itk) -> NDArray[np.float64]:  # type: ignore[no-untyped-def]
    """The (4, 4) matrix from (i, j, k) to RAS that ITK's spacing, direction and origin make."""
    size = round(len(itk.GetDirection()) ** 0.5)
    direction = np.array(itk.GetDirection()).reshape(size, size)[:3, :3]
    matrix = np.eye(4)
    matrix[:3, :3] = direction * np.array(itk.GetSpacing())[:3]
    matrix[:3, 3] = itk.GetOrigin()[:3]
    return _FLIP @ matrix


def _named_grid(path: Path, shape: tuple[int, ...], matrix: NDArray[np.float64]) -> Grid:
    try:
        return Grid((shape[0], shape[1], shape[2]), matrix)
    except InputError as error:
        raise InputError(f"{path}: {error}") from None
