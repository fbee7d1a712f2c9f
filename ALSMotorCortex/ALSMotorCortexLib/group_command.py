"""The command ``group``: its arguments and what it runs.

Nothing but the standard library is imported until it runs.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from . import maps_command, pdf

if TYPE_CHECKING:
    from .group import GroupStudy

HELP = "compare patients with controls and correlate measures with clinical scores"

EXAMPLES = """examples:
  The results of many runs of analyze, each in a folder named by its participant:
    als-motor-cortex group --measures results/ --participants participants.tsv --out study/
  One table of a whole study, and other measures than the usual ones:
    als-motor-cortex group --measures measures.tsv --profiles profiles.tsv \\
        --participants participants.tsv --patients ALS --controls HC \\
        --measure 'ribbon/thickness_median' 'left_*/T2star:layer_3_mean' --out study/

A measure is [REGION/][MAP:]MEASURE, with * and ? as wildcards.
participants.tsv has the columns participant_id and group, and as far as they are known age, sex,
umn_score, umn_score_left_arm (_right_arm, _left_leg, _right_leg), alsfrs_r, onset_date, exam_date
and disease_progression_rate. n/a stands for a missing value.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """All options of ``group`` but ``--quiet`` and ``--debug``, which all commands share."""
    add = parser.add_argument
    add(
        "--measures",
        nargs="+",
        required=True,
        metavar="PATH",
        help="tables of measures, or folders that hold them",
    )
    add("--participants", required=True, metavar="FILE", help="table of participants")
    add("--out", required=True, metavar="FOLDER", help="folder for the results")
    add(
        "--profiles",
        nargs="+",
        default=[],
        metavar="PATH",
        help="tables of laminar profiles, or folders; without it, those in the folders of "
        "--measures",
    )
    add("--patients", default="", metavar="NAME", help="name of the patients' group")
    add("--controls", default="", metavar="NAME", help="name of the controls' group")
    add(
        "--measure",
        nargs="+",
        default=[],
        metavar="PATTERN",
        help="measures to compare; without it thickness_mean, mean, deep_hypointensity and "
        "signal_thickness_ratio of all regions and maps",
    )
    add(
        "--combine",
        nargs="+",
        default=[],
        metavar="PATTERN",
        help="measures to combine into one decision; without it those that are compared and are "
        "of the whole ribbon",
    )
    add(
        "--session",
        default="",
        metavar="LABEL",
        help="session to take; without it each participant's first",
    )
    add(
        "--seed",
        type=int,
        default=0,
        metavar="N",
        help="start of the random numbers for intervals and permutations (default 0)",
    )
    pdf.add_pdf_argument(parser)
    maps_command.add_identity_argument(parser)


def run(
    arguments: argparse.Namespace,
    command: Sequence[str] = (),
    progress: Callable[[str, float], Any] | None = None,
) -> GroupStudy:
    """Compares the groups that the arguments name.

    Args:
        arguments: parsed.
        command: the command line, for the provenance.
        progress: gets a step's name and the fraction done.

    Raises:
        InputError: see :func:`.group.study`; or a negative seed.
    """
    from .cortex.errors import InputError
    from .group import GroupOptions, study

    if arguments.seed < 0:
        raise InputError(f"--seed {arguments.seed} is negative. Give 0 or more.")
    options = GroupOptions(
        patients=arguments.patients,
        controls=arguments.controls,
        measures=tuple(arguments.measure),
        combine=tuple(arguments.combine),
        session=arguments.session,
        seed=arguments.seed,
    )
    return study(
        [Path(path) for path in arguments.measures],
        Path(arguments.participants),
        Path(arguments.out),
        options,
        [Path(path) for path in arguments.profiles],
        progress,
        command,
        arguments.keep_patient_identity,
        arguments.pdf,
    )


def closing(arguments: argparse.Namespace, result: GroupStudy) -> str:
    """What to open."""
    return f"Results are in {arguments.out}. Open {Path(arguments.out) / 'report.html'}."
