"""The command ``phantom``: its arguments and what it runs.

Nothing but the standard library is imported until it runs.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .phantom import Parameters, Written

HELP = "simulate a scan of the motor cortex whose truth is known, as a BIDS subject"

EXAMPLES = """examples:
  A patient at 7 T, and a control beside it in the same dataset:
    als-motor-cortex phantom --out study --subject 01 --group patient
    als-motor-cortex phantom --out study --subject 02 --group control
  Thick 2D slices, tilted by 30 degrees, with a background field that dephases them:
    als-motor-cortex phantom --out study --spacing 0.25 0.25 2 --tilt 30 --gradient 10
  A small, fast case, and the same subject a year later:
    als-motor-cortex phantom --out study --small --group patient --session 1
    als-motor-cortex phantom --out study --small --group patient --session 2 --days 365
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """All options of ``phantom`` but ``--quiet`` and ``--debug``, which all commands share."""
    add = parser.add_argument
    add("--out", required=True, metavar="FOLDER", help="the dataset; made, or added to")
    add(
        "--small",
        action="store_true",
        help="a small, fast case: fewer, larger voxels, four echoes and less noise. Other options "
        "win over it",
    )
    subject = parser.add_argument_group("the subject")
    add = subject.add_argument
    add("--subject", metavar="LABEL", help="letters and digits (01)")
    add("--session", metavar="LABEL", help="letters and digits; none without it")
    add("--days", type=int, metavar="N", help="days since the first exam (0)")
    add("--group", metavar="GROUP", help="control (default) or patient")
    add("--seed", type=int, metavar="N", help="decides, with the label, all that is drawn (0)")
    add("--hemisphere", metavar="SIDE", help="left (default), right or both")
    add(
        "--iron",
        type=float,
        metavar="PPB",
        help="susceptibility that iron adds at most in the deep half of M1; drawn without it, "
        "about 22 in a patient and 4 in a control. At 7 T, 20 ppb add 15 1/s to R2*",
    )
    add("--atrophy", type=float, metavar="MM", help="what M1 has lost; drawn without it")
    scan = parser.add_argument_group("the scan")
    add = scan.add_argument
    add("--snr", type=float, metavar="X", help="of gray matter at the first echo (20)")
    add("--tesla", type=float, metavar="T", help="field strength (7)")
    add("--te", type=float, nargs="+", metavar="MS", help="echo times (5 10 15 20 25 30 35)")
    add(
        "--spacing",
        type=float,
        nargs=3,
        metavar=("X", "Y", "Z"),
        help="mm from voxel to voxel, Z across the slices (0.25 0.25 0.5)",
    )
    add("--slice-thickness", type=float, metavar="MM", help="if not the distance of slices")
    add(
        "--ramp",
        type=float,
        metavar="SHARE",
        help="share of the slice thickness over which the slice profile rises (0.25); 0 is a "
        "rectangle, as in a 3D acquisition",
    )
    add(
        "--field-of-view",
        type=float,
        nargs=3,
        metavar=("X", "Y", "Z"),
        help="mm, of each hemisphere (50 50 12)",
    )
    add("--tilt", type=float, metavar="DEG", help="of the cortex out of the slices (drawn, 5-10)")
    add("--gradient", type=float, metavar="HZ/MM", help="of the field across the slices (0)")
    add("--shading", type=float, metavar="SHARE", help="of the coil, to the edge (0.3)")


def parameters_of(arguments: argparse.Namespace) -> Parameters:
    """What the arguments ask for."""
    from .phantom import Parameters

    given = {
        name: getattr(arguments, name)
        for name in (
            *("subject", "session", "days", "group", "seed", "hemisphere", "iron", "atrophy"),
            *("snr", "tesla", "slice_thickness", "ramp", "tilt", "gradient", "shading"),
        )
    }
    given["times_ms"] = tuple(arguments.te) if arguments.te else None
    # Typed as (x, y, z), kept as (k, j, i).
    given["spacing"] = tuple(arguments.spacing[::-1]) if arguments.spacing else None
    extent = arguments.field_of_view
    given["extent"] = tuple(extent[::-1]) if extent else None
    changes = {name: value for name, value in given.items() if value is not None}
    return Parameters.small(**changes) if arguments.small else Parameters(**changes)


def run(
    arguments: argparse.Namespace,
    command: Sequence[str] = (),
    progress: Callable[[str, float], Any] | None = None,
) -> Written:
    """Simulates and writes the scan.

    Args:
        arguments: parsed.
        command: the command line; not recorded, since the parameters are.
        progress: gets a step's name and the fraction done.

    Raises:
        InputError: see :func:`.phantom.write_subject`.
    """
    from .phantom import write

    return write(arguments.out, parameters_of(arguments), progress)


def closing(arguments: argparse.Namespace, result: Written) -> str:
    """What was simulated, and where it is."""
    subject, p = result.simulation.subject, result.simulation.parameters
    shape = " x ".join(str(n) for n in result.simulation.grid.shape[::-1])
    return (
        f"sub-{p.subject}: {subject.group}, {subject.iron:.1f} ppb of iron, {subject.atrophy:.2f} "
        f"mm of atrophy; {len(p.times_ms)} echoes of {shape} voxels, SNR {p.snr:g}.\n"
        f"Echoes are in {result.folder}, labels and truth under "
        f"{Path(arguments.out) / 'derivatives'}."
    )
