"""Tables of a follow-up, each with a JSON sidecar that explains its columns."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from .followed import Followed, FollowUp
from .group_tables import WHICH, Cell, Column, estimate_columns, write_omissions, write_table

OWN, RATE = "of the measure", "of the measure per month"

PERSON = (
    Column("participant_id", "Participant.", "participant"),
    Column("group", "Group, where participants.tsv was given.", "group"),
)

CHANGES = (
    *PERSON,
    *WHICH,
    Column("exams", "Exams with a value and a date.", "change.n"),
    Column("months", "From the first of them to the last, in months of 365.25 / 12 days.",
           "change.months", "months"),
    Column("first", "Value at the first.", "change.first", OWN),
    Column("last", "Value at the last.", "change.last", OWN),
    *estimate_columns("change_per_month", "Least-squares slope; with two exams their difference "
                      "over the time.", "change.slope",
                      "from the scatter of three exams or more around the line", RATE),
    Column("p", "Two-sided p of a slope as far from 0, from that scatter.", "change.p"),
    Column("error_low", "Lower end of the 95 % interval of the same change from the error of "
           "measurement; n/a where that is not known.", "change.measured.low", RATE),
    Column("error_high", "Upper end of that interval.", "change.measured.high", RATE),
    Column("error_p", "Two-sided p of a change as large from error of measurement alone.",
           "change.measured_p"),
    Column("detectable", "Least change over the whole time that is beyond error of measurement "
           "(95 %); n/a where that is not known.", "change.detectable", OWN),
    Column("beyond_error", "1 where the change is beyond it, 0 where not, n/a where the error is "
           "not known.", "change.beyond_error"),
)  # fmt: skip

VALUES = (
    *PERSON,
    *WHICH,
    Column("session_id", "Exam.", "session"),
    Column("months", "Since the participant's first exam.", "months", "months"),
    Column("value", "The number.", "value", OWN),
)

ERRORS = (
    *WHICH,
    Column("subjects", "Subjects measured twice or more.", "found.subjects"),
    *estimate_columns("within_subject_sd", "Standard deviation of measurements of the same "
                      "unchanged person.", "found.sd", "chi squared", OWN),
    Column("df", "Its degrees of freedom.", "found.df"),
    Column("detectable", "Minimal detectable change between two exams: t sqrt(2) "
           "within_subject_sd.", "found.detectable", OWN),
    *estimate_columns("bias", "Mean of the second measurement minus the first.", "found.bias",
                      "Student's t", OWN),
)  # fmt: skip

RATES = (
    *WHICH,
    Column("group", "Group; all where participants.tsv was not given.", "group"),
    Column("n", "Participants with two exams or more.", "n"),
    *estimate_columns("change_per_month", "Mean of the participants' change per month.", "slope",
                      "Student's t over participants", RATE),
    Column("sd", "Standard deviation of the participants' change per month.", "sd", RATE),
)  # fmt: skip


@dataclass(frozen=True)
class _Exam:
    """One value."""

    row: Followed
    session: str
    months: float
    value: float

    def __getattr__(self, name: str) -> Cell:
        return getattr(self.row, name)  # type: ignore[no-any-return]


def write_followed(folder: Callable[[str], Path], found: FollowUp) -> None:
    """Writes ``changes``, ``rates``, ``exams``, ``measurement_error`` and ``omissions``."""
    about = "Change of every participant and measure over the exams."
    write_table(folder, "changes", CHANGES, found.rows, about)
    about = "Mean change per month over the participants of each group."
    write_table(folder, "rates", RATES, found.rates, about)
    exams = [
        _Exam(row, session, float(months), float(value))
        for row in found.rows
        for session, months, value in zip(row.sessions, row.months, row.values, strict=True)
    ]
    write_table(folder, "exams", VALUES, exams, "The values that changes come from.")
    if found.errors:
        about = "Error of measurement from test and retest."
        write_table(folder, "measurement_error", ERRORS, found.errors, about)
    write_omissions(folder, found.omissions)
