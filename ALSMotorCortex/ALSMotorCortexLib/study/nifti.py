"""NIfTI files, decoded and encoded.

ITK's reader passes over what must not be passed over: it returns a truncated ``.nii.gz``
filled up with whatever is in memory, replaces a spacing of zero by 1 mm, replaces NaN by 0,
and drops a sheared sform without an error when there is a qform (seen with SimpleITK 2.5,
ITK 5.4). So the header is checked and the voxels are decoded here. Only the choice between
qform and sform is left to ITK (see :mod:`.images`), so that images lie where 3D Slicer
shows them; ITK does not read NIfTI-2, of which the sform is taken first.

Header fields and offsets: nifti1.h and nifti2.h, https://nifti.nimh.nih.gov.
"""

from __future__ import annotations

import gzip
import os
import struct
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..cortex.errors import InputError
from ..cortex.grid import ORTHOGONAL_TOLERANCE, Grid, Image
from ..cortex.result import Finding

# NIfTI data type codes that hold one real number per voxel.
TYPES = {
    2: "u1", 4: "i2", 8: "i4", 16: "f4", 64: "f8",
    256: "i1", 512: "u2", 768: "u4", 1024: "i8", 1280: "u8",
}  # fmt: skip

# The header may state the spacing twice, in pixdim and in the sform. Rounded headers
# differ by parts per thousand; above this share the two cannot both be meant.
SPACING_DISAGREEMENT = 0.01


@dataclass(frozen=True)
class NiftiGeometry:
    """The fields of a NIfTI-1 header that place it, as little-endian bytes.

    Attributes:
        pixdim: ``pixdim[0..3]``, 16 bytes.
        units: ``xyzt_units``, without the unit of time.
        orientation: ``qform_code`` to ``srow_z``, 76 bytes.
    """

    pixdim: bytes
    units: int
    orientation: bytes


@dataclass(frozen=True)
class Header:
    """What is used of a NIfTI-1 or NIfTI-2 header.

    Attributes:
        order: byte order, ``<`` or ``>``.
        dim: number of dimensions, then the sizes along i, j, k and on.
        pixdim: spacing along i, j, k.
        offset: where the voxels start, in bytes.
        units: ``xyzt_units``.
        qform, sform: (3, 4), index (i, j, k) to RAS.
        The rest as in nifti1.h.
    """

    order: str
    version: int
    dim: tuple[int, ...]
    datatype: int
    pixdim: tuple[float, ...]
    offset: int
    slope: float
    inter: float
    units: int
    qform_code: int
    sform_code: int
    qform: NDArray[np.float64]
    sform: NDArray[np.float64]


def decode(path: Path, data: bytes) -> tuple[NDArray, Header, NiftiGeometry | None]:
    """Voxels (k, j, i), header, and the geometry to copy where it is a NIfTI-1 file.

    Args:
        path: for messages.
        data: the file's bytes, gzipped or not.

    Raises:
        InputError: truncated, damaged, not a NIfTI file, not a scalar 3D volume, or a
            geometry that cannot be measured in.
    """
    raw = _unpacked(path, data)
    header = _parse_header(path, raw)
    _check_header(path, header)
    return _voxels(path, raw, header), header, _copied_geometry(raw, header)


def preferred_matrix(header: Header) -> NDArray[np.float64]:
    """The (4, 4) matrix from (i, j, k) to RAS in mm: sform, else qform, else the spacing."""
    matrix = np.eye(4)
    if header.sform_code > 0:
        matrix[:3] = header.sform
    elif header.qform_code > 0:
        matrix[:3] = header.qform
    else:
        matrix[:3, :3] = np.diag(np.abs(header.pixdim))
    matrix[:3] *= {1: 1e3, 3: 1e-3}.get(header.units & 7, 1.0)  # from metres, micrometres
    return matrix


def orientation_findings(path: Path, header: Header, grid: Grid) -> tuple[Finding, ...]:
    """Warns where the header says nothing of orientation, or two things.

    Args:
        grid: where ITK puts the image.
    """
    if header.qform_code <= 0 and header.sform_code <= 0:
        return (
            Finding(
                "no_orientation",
                f"{path} does not say how it lies in the head (qform_code and sform_code "
                "are 0). Left, right and slice planes may be wrong.",
                warning=True,
            ),
        )
    # Unit codes 0 (unknown) and 2 (mm); in other units the matrices are not in mm.
    if header.sform_code <= 0 or header.qform_code <= 0 or header.units & 7 not in (0, 2):
        return ()
    corners = np.array(np.meshgrid(*[(0, n - 1) for n in grid.shape])).reshape(3, -1).T
    placed = {
        name: corners[:, ::-1] @ matrix[:, :3].T + matrix[:, 3]
        for name, matrix in (("qform", header.qform), ("sform", header.sform))
    }
    apart = float(np.linalg.norm(placed["qform"] - placed["sform"], axis=1).max())
    if apart <= 0.1 * min(grid.spacing):
        return ()
    used = min(placed, key=lambda name: float(np.abs(placed[name] - grid.ras(corners)).max()))
    return (
        Finding(
            "two_orientations",
            f"{path} states two orientations (qform and sform), up to {apart:.2f} mm apart. "
            f"The {used} is used, as ITK and Slicer do.",
            warning=True,
        ),
    )


def write_nifti(
    image: Image,
    path: str | os.PathLike,
    description: str = "",
    like: NiftiGeometry | None = None,
) -> None:
    """Writes a NIfTI-1 file, gzipped if its name ends in ``.gz``.

    The bytes depend only on the arguments; no time or file name is stored.

    Args:
        image: float32, or an integer type of up to 32 bits.
        path: name ending in ``.nii`` or ``.nii.gz``.
        description: for the header's ``descrip`` field, at most 79 ASCII characters.
        like: geometry to copy as it stands. Without it, qform and sform are both made from
            the grid, in float32 as the format has it.

    Raises:
        OSError: the file cannot be written.
    """
    array = np.ascontiguousarray(image.array)
    array = array.astype(array.dtype.newbyteorder("<"), copy=False)
    header = _encoded_header(array, like or _geometry_of(image.grid), description)
    with open(path, "wb") as stream:
        if str(path).lower().endswith(".gz"):
            # Runs of equal bytes are all there is to find here. Looking for those only takes half
            # as long as gzip's level 1 and packs better.
            pack = zlib.compressobj(1, zlib.DEFLATED, 31, zlib.DEF_MEM_LEVEL, zlib.Z_RLE)
            stream.write(pack.compress(header))
            stream.write(pack.compress(array.data.cast("B")))
            stream.write(pack.flush())
        else:
            stream.write(header)
            stream.write(array.data.cast("B"))


def check_dimensions(path: Path, shape: tuple[int, ...]) -> None:
    """Raises: InputError: sizes along (i, j, k, ...) are not those of a 3D volume."""
    text = " x ".join(str(n) for n in shape)
    extra = [(axis, n) for axis, n in enumerate(shape) if axis > 2 and n > 1]
    if extra and extra[0][0] == 4:  # NIfTI's axis for the components of a vector or colour
        raise several_values(path, extra[0][1])
    if extra:
        axis, number = extra[0]
        raise InputError(
            f"{path} has {len(shape)} dimensions ({text}): {number} volumes along dimension "
            f"{axis + 1}. Extract one volume first, for example the first with "
            "fslroi IN OUT 0 1, or in Slicer by saving one frame of the sequence."
        )
    if len(shape) < 3:
        raise InputError(
            f"{path} has {len(shape)} dimensions ({text}). Save the slice as a volume with one "
            "slice and its true thickness."
        )


def several_values(path: Path, number: int) -> InputError:
    """The error that a voxel has more than one value."""
    return InputError(
        f"{path} has {number} values per voxel (a vector, colour or time series image). Extract "
        "one of them first, and save it as a scalar volume."
    )


def no_spacing(path: Path, axis: str = "") -> InputError:
    """The error that an axis has no spacing."""
    along = f" along axis {axis}" if axis else ""
    return InputError(
        f"{path} has a voxel spacing of zero, or none,{along} in its header. "
        "Write the true spacing in mm into the header."
    )


def negative_spacing(path: Path, spacing: NDArray, axis: str = "") -> InputError:
    """The error that an axis has a spacing below zero.

    It cannot be known whether only the sign is wrong, or the axis is meant to be turned round.
    """
    along = f" along axis {axis}" if axis else ""
    return InputError(
        f"{path} has a negative voxel spacing, {float(np.min(spacing)):.4g} mm{along}, in its "
        "header. Write the true spacing, which is above zero, into the header; which way the "
        "axes run is for the orientation to say."
    )


def not_orthogonal(path: Path, detail: str = "") -> InputError:
    """The error that the axes are oblique to each other."""
    return InputError(
        f"{path} has axes that are not at right angles{detail}. Resample it onto an orthogonal "
        "grid first, for example with Slicer's module Resample Scalar/Vector/DWI Volume."
    )


def _unpacked(path: Path, data: bytes) -> bytes:
    if data[:2] != b"\x1f\x8b":
        return data
    try:
        return gzip.decompress(data)
    except EOFError:
        raise InputError(
            f"{path} is truncated: it ends before the end of its compressed data. "
            "Copy or export it again."
        ) from None
    except (OSError, zlib.error):
        raise InputError(
            f"{path} is damaged: its compressed data cannot be unpacked. Copy or export it again."
        ) from None


def _parse_header(path: Path, raw: bytes) -> Header:
    sizes = {order: struct.unpack_from(f"{order}i", raw.ljust(4, b"\0"))[0] for order in "<>"}
    order = next((o for o, size in sizes.items() if size in (348, 540)), "")
    version = {348: 1, 540: 2}.get(sizes.get(order, 0), 0)
    magic = raw[344:347] if version == 1 else raw[4:7]
    if not version or magic not in (b"n+1", b"n+2"):
        raise InputError(
            f"{path} is not a NIfTI image, though its name says so. Check that it is the right "
            "file and that it was saved as NIfTI."
        )
    if len(raw) < sizes[order]:
        raise InputError(
            f"{path} is truncated: it ends within its header. Copy or export it again."
        )

    def get(form: str, first: int, second: int) -> tuple:
        """Fields at their NIfTI-1 or NIfTI-2 offset, which widens their types."""
        if version == 2:
            form = form.replace("f", "d").replace("h", "q")
        return struct.unpack_from(order + form, raw, first if version == 1 else second)

    code = "hh" if version == 1 else "ii"
    qform, sform = struct.unpack_from(order + code, raw, 252 if version == 1 else 344)
    units = struct.unpack_from(*(("B", raw, 123) if version == 1 else (order + "i", raw, 500)))[0]
    offset = get("f", 108, 0)[0] if version == 1 else struct.unpack_from(order + "q", raw, 168)[0]
    return Header(
        order=order,
        version=version,
        dim=get("8h", 40, 16),
        datatype=struct.unpack_from(order + "h", raw, 70 if version == 1 else 12)[0],
        pixdim=get("8f", 76, 104)[1:4],
        offset=int(offset) if np.isfinite(offset) else 0,
        slope=get("f", 112, 176)[0],
        inter=get("f", 116, 184)[0],
        units=units,
        qform_code=qform,
        sform_code=sform,
        qform=_qform(get("8f", 76, 104), get("6f", 256, 352)),
        sform=np.array(get("12f", 280, 400), dtype=np.float64).reshape(3, 4),
    )


def _qform(pixdim: tuple[float, ...], fields: tuple[float, ...]) -> NDArray[np.float64]:
    """The (3, 4) matrix of ``pixdim`` and quatern_b to qoffset_z (nifti1.h, method 2)."""
    b, c, d, *offset = np.nan_to_num(fields)
    a = np.sqrt(max(1 - b * b - c * c - d * d, 0.0))
    qfac = -1.0 if pixdim[0] < 0 else 1.0
    rotation = np.array(
        [
            [a * a + b * b - c * c - d * d, 2 * (b * c - a * d), 2 * (b * d + a * c)],
            [2 * (b * c + a * d), a * a + c * c - b * b - d * d, 2 * (c * d - a * b)],
            [2 * (b * d - a * c), 2 * (c * d + a * b), a * a + d * d - b * b - c * c],
        ]
    )
    length = a * a + b * b + c * c + d * d  # above 1 where the header's numbers are rounded
    return np.column_stack([rotation / length * np.array(pixdim[1:4]) * [1, 1, qfac], offset])


def _check_header(path: Path, header: Header) -> None:
    """Refuses what ITK would pass over or what cannot be measured."""
    count = header.dim[0]
    shape = header.dim[1 : count + 1]
    if not 1 <= count <= 7 or min(shape, default=0) < 1:
        raise InputError(f"{path} has a damaged header: its dimensions are not valid.")
    check_dimensions(path, shape)
    if header.datatype not in TYPES:
        raise InputError(
            f"{path} does not hold one real number per voxel (NIfTI data type "
            f"{header.datatype}: complex, colour or binary). Convert it to a scalar image."
        )
    spacing = np.array(header.pixdim)
    if not (np.isfinite(spacing).all() and (np.abs(spacing) > 1e-6).all()):
        axis = "ijk"[int(np.argmax(~(np.isfinite(spacing) & (np.abs(spacing) > 1e-6))))]
        raise no_spacing(path, axis)
    if (spacing < 0).any():
        raise negative_spacing(path, spacing, "ijk"[int(np.argmin(spacing))])
    if header.sform_code > 0:
        _check_sform(path, header)


def _check_sform(path: Path, header: Header) -> None:
    columns = header.sform[:, :3]
    lengths = np.linalg.norm(columns, axis=0)
    if not np.isfinite(header.sform).all() or (lengths < 1e-6).any():
        raise InputError(
            f"{path} has an orientation matrix (sform) with empty or invalid columns. "
            "Export the image again, or set its sform_code to 0 to use the qform."
        )
    cosines = columns / lengths
    skew = float(np.abs(cosines.T @ cosines - np.eye(3)).max())
    if skew > ORTHOGONAL_TOLERANCE:
        angle = np.degrees(np.arccos(min(skew, 1.0)))
        raise not_orthogonal(path, f" (two of them meet at {angle:.1f} degrees in its sform)")
    spacing = np.abs(np.array(header.pixdim))
    if (np.abs(lengths / spacing - 1) > SPACING_DISAGREEMENT).any():
        raise InputError(
            f"{path} states two voxel spacings: {_mm(spacing)} mm in pixdim and "
            f"{_mm(lengths)} mm in its sform. Correct the header, for example by exporting the "
            "image again."
        )


def _mm(values: NDArray) -> str:
    return " x ".join(f"{v:.4g}" for v in values)


def _voxels(path: Path, raw: bytes, header: Header) -> NDArray:
    dtype = np.dtype(header.order + TYPES[header.datatype])
    shape = header.dim[3:0:-1]
    start = max(header.offset, 352 if header.version == 1 else 544)
    needed = int(np.prod(shape, dtype=np.int64)) * dtype.itemsize
    if len(raw) - start < needed:
        raise InputError(
            f"{path} is truncated: its header promises {needed} bytes of voxels and "
            f"{max(len(raw) - start, 0)} are there. Copy or export it again."
        )
    view = np.frombuffer(raw, dtype, needed // dtype.itemsize, start).reshape(shape)
    voxels: Any = view.astype(dtype.newbyteorder("="))  # writable, and ``raw`` can be freed
    slope, inter = header.slope, header.inter
    if np.isfinite([slope, inter]).all() and slope != 0 and (slope, inter) != (1, 0):
        exact_in_single = dtype.itemsize <= 2 or header.datatype == 16
        voxels = voxels.astype(np.float32 if exact_in_single else np.float64)
        with np.errstate(over="ignore", invalid="ignore"):  # told where the values are used
            voxels *= slope
            voxels += inter
    return voxels


def _copied_geometry(raw: bytes, header: Header) -> NiftiGeometry | None:
    if header.version != 1:
        return None

    def field(form: str, at: int) -> bytes:
        return struct.pack("<" + form, *struct.unpack_from(header.order + form, raw, at))

    orientation = field("2h", 252) + field("18f", 256)
    return NiftiGeometry(field("4f", 76), header.units & 7, orientation)


def _geometry_of(grid: Grid) -> NiftiGeometry:
    """qform and sform, both of code 1 (scanner), that place a grid.

    The quaternion holds a rotation; a mirrored grid has its third axis turned round and
    qfac = -1 (nifti1.h, method 2).
    """
    matrix = grid.ijk_to_ras
    spacing = np.linalg.norm(matrix[:3, :3], axis=0)
    cosines = matrix[:3, :3] / spacing
    qfac = 1.0 if np.linalg.det(cosines) > 0 else -1.0
    from scipy.spatial.transform import Rotation  # takes long to import; most copy a geometry

    b, c, d, a = Rotation.from_matrix(cosines * [1, 1, qfac]).as_quat()
    sign = -1.0 if a < 0 else 1.0
    orientation = struct.pack("<2h", 1, 1)
    orientation += struct.pack("<6f", sign * b, sign * c, sign * d, *matrix[:3, 3])
    orientation += struct.pack("<12f", *matrix[:3].ravel())
    return NiftiGeometry(struct.pack("<4f", qfac, *spacing), 2, orientation)


def _encoded_header(array: NDArray, geometry: NiftiGeometry, description: str) -> bytes:
    codes = {np.dtype(name): code for code, name in TYPES.items()}
    header = bytearray(352)
    struct.pack_into("<i", header, 0, 348)
    header[38:39] = b"r"
    struct.pack_into("<8h", header, 40, 3, *array.shape[::-1], 1, 1, 1, 1)
    code = codes[array.dtype.newbyteorder("=")]
    struct.pack_into("<2h", header, 70, code, 8 * array.dtype.itemsize)
    header[76:92] = geometry.pixdim
    struct.pack_into("<4f", header, 92, 1, 1, 1, 1)
    struct.pack_into("<3f", header, 108, 352, 1, 0)
    header[123] = geometry.units
    text = description.encode("ascii", "replace")[:79]
    header[148 : 148 + len(text)] = text
    header[252:328] = geometry.orientation
    header[344:348] = b"n+1\0"
    return bytes(header)
