"""The command ``followup``: its arguments and what it runs.

Nothing but the standard library is imported until it runs.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from . import maps_command, pdf
from .cortex.errors import InputError

if TYPE_CHECKING:
    from .followup import Followed

HELP = "tell change per month from repeated exams, with its error of measurement"

EXAMPLES = """examples:
  All participants of a batch, with the sessions' dates from the BIDS dataset:
    als-motor-cortex followup --measures out/group_measures.tsv --sessions study/ \\
        --test-retest retest/group_measures.tsv --out change/
  Two exams of one patient, each in a folder of its own (ses-1, ses-2):
    als-motor-cortex followup --measures results/sub-07/ --date 1=2024-01-15 \\
        --date 2=2024-07-20 --out change/

Tables of sessions have session_id, participant_id (or sub-... in the file's name), and exam_date,
acq_time, days, months or years. Test and retest are people scanned twice within a time in which
nothing changes, as tables of measures with session_id. Without them the error of measurement is
not known, and the report says so.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """All options of ``followup`` but ``--quiet`` and ``--debug``, which all commands share."""
    add = parser.add_argument
    add("--measures", nargs="+", required=True, metavar="PATH",
        help="tables of measures with session_id, or folders of sessions (ses-...)")  # fmt: skip
    add("--sessions", nargs="+", default=[], metavar="PATH",
        help="tables that say when the sessions were, or a BIDS dataset with *_sessions.tsv; not "
        "needed where the tables of measures have such a column")  # fmt: skip
    add("--date", action="append", default=[], metavar="SESSION=DATE",
        help="when a session was, as 2=2024-05-31; may be given several times")  # fmt: skip
    add("--test-retest", nargs="+", default=[], metavar="PATH",
        help="tables of measures of people measured twice without a change")  # fmt: skip
    add("--participants", metavar="FILE",
        help="table with participant_id and group, for the change per month of groups")  # fmt: skip
    add("--measure", nargs="+", default=[], metavar="PATTERN",
        help="measures, [REGION/][MAP:]MEASURE with * and ?; without it thickness_mean, "
        "deep_hypointensity and signal_thickness_ratio of all regions and maps, and mean of the "
        "maps that have a unit")  # fmt: skip
    add("--out", required=True, metavar="FOLDER", help="folder for the results")
    pdf.add_pdf_argument(parser)
    maps_command.add_identity_argument(parser)


def run(
    arguments: argparse.Namespace,
    command: Sequence[str] = (),
    progress: Callable[[str, float], Any] | None = None,
) -> Followed:
    """Computes the changes that the arguments ask for.

    Args:
        arguments: parsed.
        command: the command line, for the provenance.
        progress: gets a step's name and the fraction done.

    Raises:
        InputError: see :func:`.followup.follow_up`.
    """
    from .followup import FollowUpInputs, follow_up

    inputs = FollowUpInputs(
        measures=tuple(Path(path) for path in arguments.measures),
        dates=tuple(Path(path) for path in arguments.sessions),
        named_dates=named_dates(arguments.date),
        retest=tuple(Path(path) for path in arguments.test_retest),
        participants=Path(arguments.participants) if arguments.participants else None,
        patterns=tuple(arguments.measure),
    )
    return follow_up(
        inputs,
        Path(arguments.out),
        progress,
        command,
        arguments.keep_patient_identity,
        arguments.pdf,
    )


def named_dates(texts: Sequence[str]) -> dict[str, float]:
    """Months by session label.

    Raises:
        InputError: a text that is not SESSION=DATE, or a session twice.
    """
    from .study.exam_dates import date_in
    from .study.statistics.clinical import DAYS_PER_MONTH
    from .study.table_reading import plain_id

    found: dict[str, float] = {}
    for text in texts:
        label, equals, day = text.partition("=")
        label = plain_id(label)
        if not (equals and label and day.strip()):
            raise InputError(f"--date {text!r} should read --date SESSION=2024-05-31.")
        if label in found:
            raise InputError(f"--date names the session {label} twice. Give each one date.")
        found[label] = date_in(day, f"--date {text}") / DAYS_PER_MONTH
    return found


def closing(arguments: argparse.Namespace, result: Followed) -> str:
    """What to open."""
    return f"Results are in {arguments.out}. Open {Path(arguments.out) / 'report.html'}."
