"""How the results were made: ``provenance.json``."""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import os
import platform
import sys
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import numpy as np
import scipy
import SimpleITK as sitk

from .. import __version__
from ..cortex.result import Finding
from ..cortex.settings import Settings
from .images import ImageFile
from .outputs import OutputFolder

FILE = "provenance.json"


def describe_input(role: str, file: ImageFile) -> dict[str, Any]:
    """One input: what it was used as, its path as given, size in bytes and checksum."""
    return {
        "role": role,
        "path": str(file.path),
        "bytes": file.size,
        "sha256": file.sha256,
    }


def describe_output(path: Path) -> dict[str, Any]:
    """One output file's size in bytes and checksum."""
    return {"bytes": path.stat().st_size, "sha256": sha256(path)}


def describe_table(role: str, path: Path) -> dict[str, Any]:
    """One input that is no image, as :func:`describe_input` does."""
    return {"role": role, "path": str(path), **describe_output(path)}


def build(
    command: Iterable[str],
    settings: Settings,
    inputs: Iterable[Mapping[str, Any]],
    findings: Iterable[Finding],
) -> dict[str, Any]:
    """The record of a measurement, see :func:`record`."""
    return record(command, asdict(settings), inputs, findings, outside_the_ribbon=0)


def record(
    command: Iterable[str],
    settings: Mapping[str, Any],
    inputs: Iterable[Mapping[str, Any]],
    findings: Iterable[Finding],
    **more: Any,
) -> dict[str, Any]:
    """What is known before anything is written. Paths stand as the user gave them.

    Neither the user's nor the computer's name is recorded.
    """
    return {
        "software": "ALSMotorCortex",
        "command": list(command),
        "settings": dict(settings),
        "inputs": list(inputs),
        **more,
        "versions": versions(),
        "platform": platform.platform(),
        "findings": [asdict(finding) for finding in findings],
    }


def describe_outputs(folder: OutputFolder) -> dict[str, dict[str, Any]]:
    """All files that stand ready in a folder, by name."""
    return {path.name: describe_output(path) for path in sorted(folder.path("").iterdir())}


def keep_inputs(folder: OutputFolder, inputs: Iterable[Path], names: Iterable[str]) -> None:
    """Refuses to replace an input, before a long computation.

    Args:
        folder: gets the inputs.
        inputs: files that are read.
        names: of all files that may be written beside the provenance.

    Raises:
        InputError: see :meth:`.outputs.OutputFolder.keep_inputs`.
    """
    folder.inputs.extend(inputs)
    folder.keep_inputs({FILE, *names, *earlier_outputs(folder.folder)})


def publish(folder: OutputFolder, record: Mapping[str, Any]) -> None:
    """Writes the record and moves everything into place, instead of what an earlier run wrote."""
    write(record, folder.path(FILE))
    folder.publish(earlier_outputs(folder.folder), last=FILE)


def versions() -> dict[str, str | None]:
    """The versions of this software and of what it computes with; None where absent."""
    return {
        "ALSMotorCortex": __version__,
        "python": platform.python_version(),
        "numpy": np.__version__,
        "scipy": scipy.__version__,
        "SimpleITK": sitk.Version.VersionString(),
        "slicer": _slicer_version(),
    }


def write(record: Mapping[str, Any], path: Path) -> None:
    """Writes the record as JSON. Its order is that of the record."""
    text = json.dumps(record, indent=2, ensure_ascii=False, default=_plain)
    path.write_text(text + "\n", encoding="utf-8")


def earlier_outputs(folder: Path) -> tuple[str, ...]:
    """Names of the files in a folder that an earlier run wrote and nobody changed since.

    Empty where the folder holds no ``provenance.json`` of ours.
    """
    try:
        record = json.loads((folder / FILE).read_text(encoding="utf-8"))
        outputs = record["outputs"] if record["software"] == "ALSMotorCortex" else {}
        known = {n: o["sha256"] for n, o in outputs.items() if Path(n).name == n}
        return tuple(n for n in known if sha256(folder / n) == known[n])
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return ()


def now() -> str:
    """The time in UTC, ISO 8601, to the second."""
    return datetime.now(timezone.utc).isoformat(timespec="seconds")


def peak_memory_mib() -> float | None:
    """The most memory this process has held, in MiB; None where the system does not tell."""
    try:
        import resource  # not on Windows
    except ImportError:
        return None
    used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return round(used / (1 << 20 if sys.platform == "darwin" else 1 << 10), 1)


def sha256(path: str | os.PathLike) -> str:
    """The SHA-256 checksum of a file; empty if there is no such file."""
    total = hashlib.sha256()
    try:
        with open(path, "rb") as stream:
            while block := stream.read(1 << 20):
                total.update(block)
    except FileNotFoundError:
        return ""
    return total.hexdigest()


def _installed(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def _slicer_version() -> str | None:
    """The application's version inside Slicer, else that of slicer-core."""
    app = getattr(sys.modules.get("slicer"), "app", None)
    return app.applicationVersion if app is not None else _installed("slicer-core")


def _plain(value: Any) -> Any:
    if isinstance(value, np.generic):
        return value.item()
    raise TypeError(f"{type(value).__name__} cannot be written as JSON")
