"""Follow-up: change per month of participants measured more than once, from tables to a page."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from .compare import usual_measures
from .cortex.errors import InputError
from .cortex.result import Finding
from .pdf import write_pdf
from .study import followed_tables, provenance
from .study.exam_dates import SESSION_FILES, Who, dates_in, read_dates
from .study.followed import FollowUp, follow
from .study.measures import MEASURE_FILES, Key, Sessions, find_files, read_sessions, select
from .study.outputs import OutputFolder
from .study.participants import read_participants
from .study.privacy import numbered

Progress = Callable[[str, float], Any]


@dataclass(frozen=True)
class FollowUpInputs:
    """What to read.

    Attributes:
        measures: tables of measures with ``session_id``, or folders of sessions.
        dates: tables of sessions, or folders that hold them; none where the tables of measures
            say when.
        named_dates: month of sessions by label, of whoever has them.
        retest: tables of test and retest; none where the error is not known.
        participants: table with groups, or None.
        patterns: of the measures; empty for the usual ones.
    """

    measures: tuple[Path, ...]
    dates: tuple[Path, ...] = ()
    named_dates: Mapping[str, float] | None = None
    retest: tuple[Path, ...] = ()
    participants: Path | None = None
    patterns: tuple[str, ...] = ()

    @property
    def files(self) -> list[Path]:
        """All tables that are read."""
        found = find_files(self.measures, MEASURE_FILES, "measures")
        found += find_files(self.dates, SESSION_FILES, "sessions") if self.dates else []
        found += find_files(self.retest, MEASURE_FILES, "measures") if self.retest else []
        return [*found, *([self.participants] if self.participants else [])]


@dataclass(frozen=True)
class Followed:
    """What :func:`follow_up` gives back: the numbers, and what was noticed."""

    result: FollowUp
    findings: tuple[Finding, ...]


def follow_up(
    inputs: FollowUpInputs,
    out: Path,
    progress: Progress | None = None,
    command: Sequence[str] = (),
    keep_identity: bool = False,
    pdf: bool = False,
) -> Followed:
    """Computes change per month, and writes tables and a page.

    Args:
        inputs: what to read.
        out: folder for the results.
        progress: gets a step's name and the fraction done.
        command: the command line, for the provenance.
        keep_identity: whether the paths of tables, which may hold names, stand in the results.
        pdf: whether to write ``report.pdf``, too, where there is something to print it.

    Raises:
        InputError: a table cannot be used, no session has a date, or nobody has two exams.
    """
    from .report.followup_page import write_followup_report

    started = provenance.now()
    tell = progress or (lambda step, fraction: None)
    with OutputFolder(out) as folder:
        tell("reading", 0.0)
        folder.inputs.extend(inputs.files)
        found = _followed(inputs)
        tell("writing", 0.7)
        followed_tables.write_followed(folder.path, found.result)
        settings = {"measures": list(inputs.patterns)}
        tables = [provenance.describe_table("table", path) for path in inputs.files]
        record = {
            "started": started,
            **provenance.record(command, settings, tables, found.findings),
        }
        if not keep_identity:
            given = [*inputs.measures, *inputs.dates, *inputs.retest]
            record = numbered(inputs.files, given, out).plain(record)
        write_followup_report(found, folder.path("report.html"), record)
        if pdf:
            lacking = write_pdf(folder.path("report.html"), folder.path("report.pdf"))
            found = replace(found, findings=(*found.findings, *lacking))
        record["outputs"] = provenance.describe_outputs(folder)
        provenance.publish(folder, record)
    tell("done", 1.0)
    return found


def _followed(inputs: FollowUpInputs) -> Followed:
    sessions = read_sessions(inputs.measures)
    dates = _dates(inputs, sessions)
    keys = _keys(sessions, inputs.patterns)
    groups: dict[str, str] = {}
    if inputs.participants:
        groups = {p.id: p.group for p in read_participants(inputs.participants).people}
    retest = read_sessions(inputs.retest) if inputs.retest else None
    if retest is not None and len(retest.values) == len({who[0] for who in retest.values}):
        raise InputError(
            "Nobody stands twice in the table of test and retest. It needs a column session_id "
            "(or one table for each session) and two rows for each participant and measure."
        )
    found = follow(sessions, keys, dates, groups, retest)
    if not found.rows:
        why = " ".join(o.reason for o in found.omissions)
        raise InputError(f"Nobody has two dated exams with the same measure. {why}".strip())
    return Followed(found, tuple(_findings(found)))


def _dates(inputs: FollowUpInputs, sessions: Sessions) -> dict[Who, float]:
    """When each session was; from the option, else tables of sessions, else the measures'."""
    dates = dates_in(inputs.measures, MEASURE_FILES)
    if inputs.dates:
        dates |= read_dates(inputs.dates)
    if inputs.named_dates:
        labels = {session for _, session in sessions.values}
        if unknown := sorted(set(inputs.named_dates) - labels):
            raise InputError(
                f"--date names the session {unknown[0]}, which no table of measures has. There "
                f"are {', '.join(sorted(s or 'none' for s in labels))}."
            )
        for who in sessions.values:
            if who[1] in inputs.named_dates:
                dates[who] = inputs.named_dates[who[1]]
    if not set(dates) & set(sessions.values):
        raise InputError(
            "It is not known when the sessions were. Give --sessions (a table with participant_id, "
            "session_id and exam_date or days, or the BIDS dataset), or --date SESSION=2024-05-31 "
            "for each session."
        )
    return dates


def _keys(sessions: Sessions, patterns: Sequence[str]) -> list[Key]:
    units, _ = sessions.same_units()
    keys = list(units)
    if not keys:
        raise InputError("The tables hold no measures that all participants have in one unit.")
    if patterns:
        return select(keys, patterns)
    return usual_measures(keys, units)


def _findings(found: FollowUp) -> Iterable[Finding]:
    people = {row.participant for row in found.rows}
    measures = {row.key for row in found.rows}
    text = f"{len(people)} participants with two exams or more; {len(measures)} measures."
    yield Finding("followed", text)
    if not found.errors:
        text = (
            "The error of measurement is unknown, so it cannot be told whether a change is more "
            "than error. Give measurements of people who were scanned twice with --test-retest."
        )
        yield Finding("error_unknown", text, warning=True)
    for omission in found.omissions:
        if omission.kind in ("participant", "session", "error"):
            yield Finding("left_out", omission.reason, warning=True)
