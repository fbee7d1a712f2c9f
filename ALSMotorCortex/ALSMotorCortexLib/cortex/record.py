"""A measurement with its label map as bytes, to be kept with a scene.

Everything is kept as it is, so a report made from the record is the report that would have been
made at once. The bytes are a NumPy ``.npz`` file: one array a field, and the rest as JSON.
"""

from __future__ import annotations

import io
import json
import zlib
from collections.abc import Mapping
from dataclasses import MISSING, asdict, fields, is_dataclass
from typing import Any, get_args, get_type_hints

import numpy as np
from numpy.typing import NDArray

from .errors import InputError
from .grid import Grid, Image
from .result import Measurement
from .settings import Settings

FORMAT = 1
"""Raised when older versions could no longer read what is written."""

# The rest of the fields, and arrays that are no fields, by name in the file.
_REST, _LABELS, _MATRIX = "rest.json", "labels", "ijk_to_ras"


def to_bytes(measurement: Measurement, labels: Image) -> bytes:
    """A measurement and what was measured, in a compact form.

    Args:
        labels: the label map, on the measurement's grid.
    """
    arrays: dict[str, NDArray] = {
        _LABELS: labels.array,
        _MATRIX: measurement.grid.ijk_to_ras,
    }
    rest: dict[str, Any] = {}
    for name in _names():
        value = getattr(measurement, name)
        if isinstance(value, np.ndarray):
            arrays[name] = value
        elif isinstance(value, Mapping) and any(isinstance(v, np.ndarray) for v in value.values()):
            # The names of maps and regions are the user's, so they cannot name the arrays.
            rest[name] = {"arrays": list(value)}
            arrays |= {f"{name}.{n}": array for n, array in enumerate(value.values())}
        elif isinstance(value, Settings):
            rest[name] = asdict(value)
        elif isinstance(value, tuple):
            rest[name] = [asdict(item) for item in value]
        else:
            rest[name] = value
    text = json.dumps({"format": FORMAT, **rest}, default=lambda number: number.item())
    arrays[_REST] = np.frombuffer(text.encode(), np.uint8)
    file = io.BytesIO()
    np.savez(file, **arrays)  # type: ignore[arg-type]  # no name is that of its own argument
    return zlib.compress(file.getvalue(), 1)


def from_bytes(data: bytes) -> tuple[Measurement, Image]:
    """What :func:`to_bytes` was given.

    Raises:
        InputError: the bytes are damaged, or of another version.
    """
    try:
        with np.load(io.BytesIO(zlib.decompress(data)), allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
        rest = json.loads(arrays.pop(_REST).tobytes())
        if rest["format"] != FORMAT:
            raise ValueError(rest["format"])
        return _measurement(arrays, rest)
    except InputError:
        raise
    except Exception as error:
        raise InputError(
            "What was kept of this measurement cannot be read: it is damaged, or another version "
            "wrote it. Measure again."
        ) from error


def _measurement(
    arrays: Mapping[str, NDArray], rest: Mapping[str, Any]
) -> tuple[Measurement, Image]:
    labels = arrays[_LABELS]
    grid = Grid(labels.shape, arrays[_MATRIX])
    kinds = get_type_hints(Measurement)
    values: dict[str, Any] = {"grid": grid}
    for f in fields(Measurement):
        if f.name in arrays:
            values[f.name] = arrays[f.name]
        elif f.name in rest:
            values[f.name] = _value(f.name, kinds[f.name], rest[f.name], arrays)
        elif f.name != "grid" and f.default is MISSING and f.default_factory is MISSING:
            raise ValueError(f.name)
    return Measurement(**values), Image(labels, grid, "labels")


def _value(name: str, kind: Any, kept: Any, arrays: Mapping[str, NDArray]) -> Any:
    """The value of a field that is no array."""
    if kind is Settings:
        known = {f.name for f in fields(Settings)}
        settings = Settings(gm=(), wm=(), csf=())
        return settings.with_values({k: v for k, v in kept.items() if k in known})
    if isinstance(kept, dict) and isinstance(kept.get("arrays"), list):
        return {key: arrays[f"{name}.{n}"] for n, key in enumerate(kept["arrays"])}
    if isinstance(kept, list):
        item = get_args(kind)[0]
        return tuple(_item(item, v) for v in kept) if is_dataclass(item) else tuple(kept)
    return kept


def _item(kind: Any, kept: Mapping[str, Any]) -> Any:
    """One entry of a table: places are tuples, which JSON does not know."""
    return kind(**{k: tuple(v) if isinstance(v, list) else v for k, v in kept.items()})


def _names() -> list[str]:
    return [f.name for f in fields(Measurement) if f.name != "grid"]
