"""Simulated subjects: in memory, and as files of a BIDS dataset.

:class:`Parameters` says what to simulate, :func:`simulate` returns echoes, labels, regions and
truth, and :func:`write_subject` puts them into a dataset. What ``phantom`` calls.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from .cortex.result import Finding
from .cortex.simulation import Parameters, Simulation, simulate
from .study.phantom import check_folder, write_simulation

__all__ = ["Parameters", "Simulation", "Written", "simulate", "write", "write_subject"]


@dataclass(frozen=True)
class Written:
    """A simulated scan and where it was written.

    Attributes:
        simulation: the scan.
        folder: its ``anat`` folder in the dataset.
        findings: none, so far; commands have them.
    """

    simulation: Simulation
    folder: Path
    findings: tuple[Finding, ...] = ()


def write_subject(
    out: str | os.PathLike,
    parameters: Parameters,
    progress: Callable[[str, float], None] | None = None,
) -> Path:
    """Simulates a scan and adds it to a BIDS dataset.

    Args:
        out: the dataset's folder; made if it is not there.
        parameters: what to simulate.
        progress: gets a step's name and the fraction done; may raise to stop.

    Returns:
        The scan's ``anat`` folder.

    Raises:
        InputError: parameters that cannot be used, a folder that holds another dataset, or one
            that cannot be written.
    """
    return write(out, parameters, progress).folder


def write(
    out: str | os.PathLike,
    parameters: Parameters,
    progress: Callable[[str, float], None] | None = None,
) -> Written:
    """As :func:`write_subject`, with the scan itself."""
    tell = progress or (lambda step, fraction: None)
    check_folder(Path(out))  # before a long computation
    tell("simulating the scan", 0.0)
    simulation = simulate(parameters)
    tell("writing", 0.7)
    folder = write_simulation(simulation, out)
    tell("done", 1.0)
    return Written(simulation, folder)
