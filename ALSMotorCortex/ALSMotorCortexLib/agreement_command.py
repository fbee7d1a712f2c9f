"""The command ``agreement``: its arguments and what it runs.

Nothing but the standard library is imported until it runs.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from glob import glob
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .cortex.errors import InputError
from .maps_command import add_identity_argument

if TYPE_CHECKING:
    from .cortex.result import Finding
    from .study.agreement import Row, Tie
    from .study.readings import Reading

HELP = "compare readings by eye: agreement, consensus and accuracy"

EXAMPLES = """examples:
  als-motor-cortex agreement readings/*.tsv --out agreement/
  Against the groups in a table with the columns participant_id (or case_id) and group:
    als-motor-cortex agreement readings/*.tsv --truth participants.tsv --out agreement/
  Groups that are called something else, or another column:
    als-motor-cortex agreement readings/*.tsv --truth diagnoses.tsv --truth-column diagnosis \\
        --patients ALS PLS --out agreement/
"""

# What groups are commonly called, in small letters.
PATIENTS = {"patient", "patients", "als", "case", "pathologic", "yes", "true", "1"}
CONTROLS = {
    "control", "controls", "healthy", "healthy control", "healthy_control", "healthy controls",
    "hc", "hv", "normal", "no", "false", "0",
}  # fmt: skip


@dataclass(frozen=True)
class Compared:
    """What the command found.

    Attributes:
        readers: their names.
        agreement: empty for a single reader.
        consensus, ties: likewise.
        accuracy: of each reader and the consensus; empty without truth.
        findings: what was noticed.
    """

    readers: list[str]
    agreement: list[Row]
    consensus: list[Reading]
    ties: list[Tie]
    accuracy: list[Row]
    findings: list[Finding]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """All options of ``agreement`` but ``--quiet`` and ``--debug``, which all commands share."""
    add = parser.add_argument
    add(
        "readings",
        nargs="+",
        metavar="READINGS.tsv",
        help="tables of readings, of any readers; or a folder with those of sessions in Slicer",
    )
    add(
        "--weights",
        default="quadratic",
        metavar="KIND",
        help="for the kappa of confidence: quadratic (default), linear or none",
    )
    add(
        "--truth",
        metavar="FILE",
        help="table with case_id or participant_id and a column that tells patients from controls",
    )
    add(
        "--truth-column",
        default="group",
        metavar="NAME",
        help="the column of --truth to compare with; default group",
    )
    add(
        "--patients",
        nargs="+",
        default=[],
        metavar="VALUE",
        help="which values of that column are patients; all others are controls then",
    )
    add("--out", required=True, metavar="FOLDER", help="folder for the results")
    add_identity_argument(parser)


def run(
    arguments: argparse.Namespace,
    command: Sequence[str] = (),
    progress: Callable[[str, float], Any] | None = None,
) -> Compared:
    """Compares the readings and writes the tables.

    Args:
        arguments: parsed.
        command: the command line, for the provenance.
        progress: gets a step's name and the fraction done.

    Raises:
        InputError: a table cannot be used, or there is nothing to compare.
    """
    if arguments.weights not in ("quadratic", "linear", "none"):
        raise InputError(f"--weights is {arguments.weights}; it is quadratic, linear or none.")
    from .study.readings import read_readings, refuse_repeated

    arguments.readings = [path for text in arguments.readings for path in tables_of(text)]
    readings = [one for path in arguments.readings for one in read_readings(path)]
    if not readings:
        raise InputError("The tables hold no reading yet.")
    refuse_repeated(readings)
    truth = read_truth(arguments) if arguments.truth else {}
    found = compare(readings, truth, arguments.weights)
    _write(found, arguments, command)
    return found


def tables_of(text: str) -> list[Path]:
    """The tables that an argument names: itself, a folder's, or those that fit a pattern.

    Raises:
        InputError: a folder without tables of readings.
    """
    path = Path(text)
    if path.is_dir():
        if tables := sorted(path.glob("reading_*.tsv")):
            return tables
        raise InputError(f"{path} has no readings in it (reading_*.tsv).")
    # Not every shell replaces patterns.
    return [Path(found) for found in sorted(glob(text))] or [path]


def compare(readings: Sequence[Reading], truth: dict[str, bool], weights: Any) -> Compared:
    """Agreement and consensus of two readers or more, and accuracy where the truth is known.

    Raises:
        InputError: one reader and no truth, or no case of the truth was read.
    """
    from .cortex.result import Finding
    from .study import agreement as study

    readers = study.readers_of(readings)
    findings = list(study.coverage(readings))
    rows: list[Row] = []
    agreed: list[Reading] = []
    ties: list[Tie] = []
    if len(readers) > 1 or not truth:
        rows = study.agreement(readings, weights)
        agreed, ties = study.consensus(readings)
    else:
        text = f"{readers[0]} is the only reader, so there is no agreement to measure."
        findings.append(Finding("one_reader", text, warning=True))
    judged: list[Row] = []
    if truth:
        judged = study.accuracy([*readings, *agreed], truth)
        findings += _unmatched(readings, truth)
        if ties:
            text = "Accuracy of the consensus leaves out what has no majority (ties.tsv)."
            findings.append(Finding("no_majority", text, warning=True))
    return Compared(readers, rows, agreed, ties, judged, findings)


def _unmatched(readings: Sequence[Reading], truth: dict[str, bool]) -> list[Finding]:
    """Cases that were read and have no truth, and the other way round."""
    from .cortex.result import Finding
    from .study.agreement import bare

    read = {bare(one.case_id) for one in readings}
    known = {bare(case) for case in truth}
    if not read & known:
        raise InputError(
            "No case that was read is in the table of --truth. Its case_id or participant_id must "
            f"be the readings' case_id, for example {min(read)}."
        )
    found = []
    for code, names, text in (
        ("no_truth", read - known, "Cases that were read and that --truth does not have"),
        ("not_read", known - read, "Cases of --truth that were not read"),
    ):
        if names:
            listed = ", ".join(sorted(names)[:10]) + (" ..." if len(names) > 10 else "")
            found.append(Finding(code, f"{text}: {len(names)} ({listed}).", warning=True))
    return found


def read_truth(arguments: argparse.Namespace) -> dict[str, bool]:
    """For each case of ``--truth`` whether it is a patient; those with ``n/a`` are left out.

    Raises:
        InputError: the table cannot be used, names a case twice, or has groups that nobody knows.
    """
    from .study.agreement import bare
    from .study.readings import read_table

    path, column = arguments.truth, arguments.truth_column
    names, rows = read_table(path)
    key = next((name for name in ("case_id", "participant_id") if name in names), None)
    if key is None or column not in names:
        raise InputError(
            f"{path} needs the column {key and column or 'case_id or participant_id'}. "
            f"It has {', '.join(names)}."
        )
    truth: dict[str, bool] = {}
    seen: set[str] = set()
    for number, cells in rows:
        if bare(cells[key]) in seen:
            raise InputError(f"{path}, line {number}: {cells[key]} is there twice.")
        seen.add(bare(cells[key]))
        if cells[column].lower() not in ("", "n/a"):
            truth[cells[key]] = _is_patient(arguments, number, cells[column])
    return truth


def _is_patient(arguments: argparse.Namespace, line: int, value: str) -> bool:
    if arguments.patients:
        return value in arguments.patients
    if value.lower() in PATIENTS | CONTROLS:
        return value.lower() in PATIENTS
    raise InputError(
        f"{arguments.truth}, line {line}: {arguments.truth_column} is {value!r}, which does not "
        "tell a patient from a control. Name the patients' values with --patients."
    )


def _write(found: Compared, arguments: argparse.Namespace, command: Sequence[str]) -> None:
    from dataclasses import asdict, astuple, fields

    from .study import provenance
    from .study.agreement import Row, Tie
    from .study.outputs import OutputFolder
    from .study.privacy import Redaction, called
    from .study.readings import write_readings
    from .study.tables import write_rows

    tables = {"agreement.tsv": found.agreement, "accuracy.tsv": found.accuracy}
    inputs = [("readings", path) for path in arguments.readings]
    inputs += [("truth", arguments.truth)] if arguments.truth else []
    record = {
        "software": "ALSMotorCortex",
        "command": list(command),
        "inputs": [
            {"role": role, "path": str(path), "sha256": provenance.sha256(path)}
            for role, path in inputs
        ],
        "readers": found.readers,
        "versions": provenance.versions(),
        "findings": [asdict(finding) for finding in found.findings],
    }
    if not arguments.keep_patient_identity:
        names = {Path(path): called(f"{role}-{n}", Path(path)) for n, (role, path) in
                 enumerate(inputs, 1)}  # fmt: skip
        record = Redaction({**names, Path(arguments.out): "results"}).plain(record)
    with OutputFolder(arguments.out) as folder:
        folder.inputs.extend(Path(path) for _, path in inputs)
        for name, rows in tables.items():
            if rows:
                write_rows([f.name for f in fields(Row)], map(astuple, rows), folder.path(name))
        if found.agreement:
            write_readings(found.consensus, folder.path("consensus.tsv"))
            columns = [f.name for f in fields(Tie)]
            write_rows(columns, map(astuple, found.ties), folder.path("ties.tsv"))
        record["outputs"] = provenance.describe_outputs(folder)
        provenance.publish(folder, record)


def closing(arguments: argparse.Namespace, result: Compared) -> str:
    """The main numbers, and where the rest is."""
    lines = [f"Readers: {', '.join(result.readers)}."]
    everyone = ", ".join(result.readers)
    for row in result.agreement:
        if row.readers == everyone and row.hemisphere == "both":
            lines.append(f"  {row.item:<20} {row.measure:<24} {_number(row)}")
    if result.agreement:
        lines.append(f"Ratings that need a joint reading: {len(result.ties)} (ties.tsv).")
    for row in result.accuracy:
        if row.item == "pathologic" and row.hemisphere == "either":
            lines.append(f"  {row.readers:<20} {row.measure:<24} {_number(row)}")
    return "\n".join([*lines, f"Results are in {arguments.out}."])


def _number(row: Row) -> str:
    if row.value != row.value:
        return f"n/a ({row.note})"
    interval = f" ({row.low:.2f} to {row.high:.2f})" if row.low == row.low else ""
    return f"{row.value:.2f}{interval}, n = {row.n}"
