"""The command ``demo``: its arguments and what it runs.

Nothing but the standard library is imported until it runs.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .demo import Demo

HELP = "make a synthetic 7 T motor cortex, measure it, and compare with the truth"

EXAMPLES = """example:
  als-motor-cortex demo --out demo
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """All options of ``demo`` but ``--quiet`` and ``--debug``, which all commands share."""
    parser.add_argument("--out", required=True, metavar="FOLDER", help="folder for the results")


def run(
    arguments: argparse.Namespace,
    command: Sequence[str] = (),
    progress: Callable[[str, float], Any] | None = None,
) -> Demo:
    """Makes and measures the synthetic case.

    Args:
        arguments: parsed.
        command: the command line, for the provenance.
        progress: gets a step's name and the fraction done.

    Raises:
        InputError: the folder cannot be written.
    """
    from .demo import demo

    return demo(arguments.out, progress, command)


def closing(arguments: argparse.Namespace, result: Demo) -> str:
    """The table of measured against true, and what to open."""
    from .demo import compare, table

    out = Path(arguments.out)
    programs = {"report.html": "a browser", "scene.mrb": "3D Slicer"}
    shown = [
        f"{out / name} in {where}" for name, where in programs.items() if (out / name).exists()
    ]
    opening = f" Open {' or '.join(shown)}." if shown else ""
    return f"{table(compare(result))}\n\nResults are in {out}.{opening}"
