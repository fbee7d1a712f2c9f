"""The echoes in one file: its volumes, and the echo times that its sidecar and header state."""

from __future__ import annotations

import gzip
import hashlib
import json
import re
import struct
import tempfile
import zlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from ..cortex.errors import InputError
from ..cortex.grid import Image
from . import images
from .echo_times import Echo, to_ms
from .images import ImageFile
from .regular import check_regular

NIFTI = re.compile(r"\.nii(\.gz)?$", re.IGNORECASE)
_HEADER_TIME = re.compile(r"\bTE=([0-9.]+)")


def read_volumes(path: Path) -> ImageFile:
    """An image file with one layer per volume; NIfTI may be 4D here.

    A 4D NIfTI-1 file is cut into 3D ones, which then pass all of :func:`.images.read_image`.
    """
    head = _nifti_head(path)
    order = _byte_order(head)
    shape = struct.unpack_from(f"{order}8h", head, 40) if order else (0,) * 8
    if shape[0] != 4 or shape[4] < 2:
        return images.read_layers(path)
    try:
        data = path.read_bytes()
        raw = gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data
    except (EOFError, OSError, zlib.error):
        raise InputError(
            f"{path} is truncated or damaged: its compressed data cannot be unpacked. "
            "Copy or export it again."
        ) from None
    volumes = [_cut_out(path, raw, order, n) for n in range(shape[4])]
    return replace(
        volumes[0],
        path=path,
        sha256=hashlib.sha256(data).hexdigest(),
        size=len(data),
        layers=tuple(volume.image.array for volume in volumes),
    )


def _cut_out(path: Path, raw: bytes, order: str, number: int) -> ImageFile:
    """One volume of a 4D NIfTI-1 file, read by way of a temporary 3D file."""
    shape = struct.unpack_from(f"{order}8h", raw, 40)
    bits = struct.unpack_from(f"{order}h", raw, 72)[0]
    offset = struct.unpack_from(f"{order}f", raw, 108)[0]
    start = max(int(offset), 352) if np.isfinite(offset) else 352
    size = int(np.prod(shape[1:4], dtype=np.int64)) * bits // 8
    head = bytearray(raw[:348]) + bytes(4)
    struct.pack_into(f"{order}8h", head, 40, 3, *shape[1:4], 1, 1, 1, 1)
    struct.pack_into(f"{order}f", head, 108, 352)
    with tempfile.TemporaryDirectory() as folder:
        part = Path(folder) / re.sub(r"\.gz$", "", path.name, flags=re.IGNORECASE)
        with open(part, "wb") as stream:
            stream.write(head)
            stream.write(memoryview(raw)[start + number * size : start + (number + 1) * size])
        try:
            return images.read_image(part)
        except InputError as error:
            raise InputError(str(error).replace(str(part), str(path))) from None


def _nifti_head(path: Path) -> bytes:
    """The 348 bytes of a NIfTI-1 header (nifti1.h); empty for anything else."""
    if not NIFTI.search(path.name):
        return b""
    check_regular(path)
    try:
        with open(path, "rb") as stream:
            packed = stream.read(2) == b"\x1f\x8b"
        with gzip.open(path, "rb") if packed else open(path, "rb") as opened:
            head = opened.read(348)
    except (OSError, EOFError, zlib.error):
        return b""  # whoever reads the image says what is wrong
    return head if len(head) == 348 and head[344:347] == b"n+1" else b""


def _byte_order(head: bytes) -> str:
    return next((o for o in "<>" if head and struct.unpack_from(f"{o}i", head)[0] == 348), "")


def echoes_of(file: ImageFile) -> list[Echo]:
    """The echoes in a file, each with the time that its sidecar and header state."""
    count = len(file.layers)
    listed, header = _times_of(file.path, count)
    return [
        Echo(
            Image(
                layer,
                file.image.grid,
                f"{file.path.name}, volume {n}" if count > 1 else str(file.path),
            ),
            file.path,
            time,
            header,
        )
        for n, (layer, time) in enumerate(zip(file.layers, listed, strict=True), 1)
    ]


def times_beside(path: Path, count: int) -> list[float | None]:
    """Echo times in ms that a file's sidecar or header states; None where they do not.

    Args:
        path: of an image file.
        count: how many volumes it holds.

    Raises:
        InputError: a sidecar that is not JSON or lists another number of times.
    """
    listed, header = _times_of(path, count)
    known = [time for time in listed if time]
    in_ms = dict(zip(known, to_ms(known)[0], strict=True)) if known else {}
    return [in_ms[time] if time else header for time in listed]


def _times_of(path: Path, count: int) -> tuple[list[float | None], float | None]:
    """What the sidecar states for each volume, in its own unit, and the header in ms."""
    stated = sidecar_of(path).get("EchoTime")
    listed = stated if isinstance(stated, list) else [stated] * count
    if len(listed) != count:
        raise InputError(
            f"The sidecar of {path} lists {len(listed)} echo times and the file holds "
            f"{count} volumes. Correct one of them, or give the times with --te."
        )
    if count > 1 and not isinstance(stated, list):
        listed = [None] * count  # one time cannot be that of all echoes
    return [positive(time) for time in listed], _header_time(path) if count == 1 else None


def sidecar_of(path: Path) -> dict[str, Any]:
    """The JSON file beside an image; empty where there is none.

    Raises:
        InputError: it is not JSON.
    """
    sidecar = path.with_name(re.sub(r"(\.nii(\.gz)?|\.[^.]+)$", "", path.name) + ".json")
    try:
        values = json.loads(sidecar.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError):
        raise InputError(
            f"The sidecar {sidecar} is not valid JSON. Correct or remove it, and give the echo "
            "times with --te."
        ) from None
    return values if isinstance(values, dict) else {}


def _header_time(path: Path) -> float | None:
    """The echo time in ms that dcm2niix writes into a NIfTI file's description."""
    match = _HEADER_TIME.search(_nifti_head(path)[148:228].decode("latin-1"))
    return positive(match[1]) if match else None


def positive(value: Any) -> float | None:
    """A finite number above zero; None for anything else."""
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    return number if np.isfinite(number) and number > 0 else None
