"""The command ``compare``: its arguments and what it runs.

Nothing but the standard library is imported until it runs.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from . import maps_command, pdf
from .cortex.errors import InputError

if TYPE_CHECKING:
    from .compare import Compared, ControlSource

HELP = "place one patient among controls"

EXAMPLES = """examples:
  The results of analyze, among the controls of a batch:
    als-motor-cortex compare --patient results/ --controls out/group_measures.tsv \\
        --profiles out/group_profiles.tsv --participants study/participants.tsv \\
        --age 61 --sex F --out placed/
  A participant of the same batch, whose age and sex are in participants.tsv:
    als-motor-cortex compare --patient out/sub-07 --controls out/group_measures.tsv \\
        --participants study/participants.tsv --out placed/

Each measure gets z, the Crawford-Howell test for small control groups, and the percentage of
controls expected below with its interval; where ages and sexes are known also at equal age and
sex. The same regions and map names must have been measured in the patient and the controls.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """All options of ``compare`` but ``--quiet`` and ``--debug``, which all commands share."""
    add = parser.add_argument
    add("--patient", required=True, metavar="FOLDER",
        help="results of analyze or of a participant of bids; or a table of measures")  # fmt: skip
    add("--patient-id", default="", metavar="LABEL",
        help="the patient's participant_id, to find age and sex, or where --patient holds several "
        "participants; outputs call the patient so, and otherwise just patient")  # fmt: skip
    add("--patient-session", default="", metavar="LABEL",
        help="the patient's session (default: the first)")  # fmt: skip
    add_control_arguments(parser, required=True)
    add("--measure", nargs="+", default=[], metavar="PATTERN",
        help="measures to compare, [REGION/][MAP:]MEASURE with * and ?; without it thickness_mean, "
        "deep_hypointensity and signal_thickness_ratio of all regions and maps, and mean of the "
        "maps that have a unit")  # fmt: skip
    add("--out", required=True, metavar="FOLDER", help="folder for the results")
    pdf.add_pdf_argument(parser)
    maps_command.add_identity_argument(parser)


def add_control_arguments(parser: Any, required: bool = False) -> None:
    """The options that say who the controls are, for every command that compares with them."""
    add = parser.add_argument
    add("--controls", nargs="+", required=required, default=[], metavar="PATH",
        help="tables of the controls' measures, as group_measures.tsv, or folders")  # fmt: skip
    add("--profiles", nargs="+", default=[], metavar="PATH",
        help="tables of the controls' laminar profiles, such as group_profiles.tsv, or "
        "folders")  # fmt: skip
    add("--participants", metavar="FILE",
        help="table with the columns participant_id and group, and age and sex; without it all "
        "of --controls are controls")  # fmt: skip
    add("--control-group", default="", metavar="NAME",
        help="name of the controls' group in --participants")  # fmt: skip
    add("--session", default="", metavar="LABEL",
        help="session of the controls (default: each one's first)")  # fmt: skip
    add("--age", type=float, metavar="YEARS", help="the patient's age")
    add("--sex", default="", metavar="SEX", help="the patient's sex, as in --participants")


def source_of(arguments: argparse.Namespace) -> ControlSource:
    """The controls that the arguments name.

    Raises:
        InputError: an age that cannot be.
    """
    from .compare import ControlSource
    from .study.participants import OLDEST, plain_sex

    age = math.nan if arguments.age is None else arguments.age
    if arguments.age is not None and not 0 <= age <= OLDEST:
        raise InputError(f"--age {age:g} is not between 0 and {OLDEST}.")
    return ControlSource(
        measures=tuple(Path(path) for path in arguments.controls),
        profiles=tuple(Path(path) for path in arguments.profiles),
        participants=Path(arguments.participants) if arguments.participants else None,
        group=arguments.control_group,
        session=arguments.session,
        patterns=tuple(getattr(arguments, "measure", ())),
        age=age,
        sex=plain_sex(arguments.sex) if arguments.sex else "",
    )


def run(
    arguments: argparse.Namespace,
    command: Sequence[str] = (),
    progress: Callable[[str, float], Any] | None = None,
) -> Compared:
    """Compares the patient that the arguments name.

    Args:
        arguments: parsed.
        command: the command line, for the provenance.
        progress: gets a step's name and the fraction done.

    Raises:
        InputError: see :func:`.compare.compare_patient`.
    """
    from .compare import compare_patient

    return compare_patient(
        Path(arguments.patient),
        source_of(arguments),
        Path(arguments.out),
        arguments.patient_id,
        arguments.patient_session,
        progress,
        command,
        arguments.keep_patient_identity,
        arguments.pdf,
    )


def closing(arguments: argparse.Namespace, result: Compared) -> str:
    """What to open."""
    return f"Results are in {arguments.out}. Open {Path(arguments.out) / 'report.html'}."
