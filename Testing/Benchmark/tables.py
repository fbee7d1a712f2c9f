"""Markdown tables, and what the numbers were measured on."""

from __future__ import annotations

import importlib.metadata
import os
import platform
from collections.abc import Iterable, Sequence
from datetime import datetime, timezone
from pathlib import Path


class Detail(str):
    """A text for the results' own file, and not for the README, which has the summaries."""


PACKAGES = ("numpy", "scipy", "SimpleITK", "slicer-core", "pyezzi")


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A markdown table; the first column is text, all others are numbers or verdicts."""
    lines = [list(head), ["---", *["---:"] * (len(head) - 1)], *rows]
    return "\n".join("| " + " | ".join(str(cell) for cell in line) + " |" for line in lines)


def machine() -> str:
    """When and on what this runs. Names neither the user nor the computer."""
    load = f"{os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else "unknown"
    versions = [f"{name} {version}" for name in PACKAGES if (version := installed(name))]
    return "\n".join(
        (
            f"- {datetime.now(timezone.utc):%Y-%m-%d %H:%M} UTC",
            f"- {_processor()}, {_cores()} cores, {_memory()} memory, load {load} at the start",
            f"- {_system()}, Python {platform.python_version()}, {', '.join(versions)}",
        )
    )


def installed(package: str) -> str | None:
    """The version of a package, or None where it is not installed."""
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def _cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    if info.exists():
        for line in info.read_text(errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _memory() -> str:
    try:
        return f"{os.sysconf('SC_PHYS_PAGES') * os.sysconf('SC_PAGE_SIZE') / (1 << 30):.0f} GiB"
    except (AttributeError, OSError, ValueError):
        return "unknown"


def _system() -> str:
    try:
        return platform.freedesktop_os_release()["PRETTY_NAME"]
    except (OSError, KeyError):
        return f"{platform.system()} {platform.release()}"
