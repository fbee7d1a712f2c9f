"""All participants' tables in one, and the comparison of their groups."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..cortex.errors import InputError
from ..cortex.result import Finding
from ..study.bids_dataset import Dataset, read_tsv
from ..study.bids_names import Unit
from ..study.privacy import Redaction
from ..study.tables import MISSING
from . import derivative
from .participant import error_log, record_path

Progress = Callable[[str, float], Any]

MEASURES, PROFILES = "group_measures.tsv", "group_profiles.tsv"
TABLES = (MEASURES, PROFILES)
STUDY = "study"


@dataclass(frozen=True)
class GroupResult:
    """What was collected.

    Attributes:
        units: participants and sessions in the tables.
        findings: who is not in them and why, and what the comparison noticed.
        compared: whether groups were compared.
    """

    units: tuple[Unit, ...]
    findings: tuple[Finding, ...]
    compared: bool

    def closing(self, out: Path) -> str:
        """What to tell when it is done."""
        text = f"{len(self.units)} collected into {out / MEASURES} and {out / PROFILES}."
        return text + (f" The comparison is in {out / STUDY}." if self.compared else "")


def collect(
    raw: Dataset,
    out: Path,
    progress: Progress | None = None,
    command: Sequence[str] = (),
    keep_identity: bool = False,
    pdf: bool = False,
) -> GroupResult:
    """Writes the tables of all participants, and compares groups where there are some.

    Args:
        raw: the input dataset, with ``participants.tsv`` where there are groups.
        out: the results of the participants.
        progress: gets a step's name and the fraction done.
        command: the command line, for the provenance of the comparison.
        keep_identity: whether paths stand in the comparison's results as they are.
        pdf: whether to print the comparison's report to PDF, too.

    Raises:
        InputError: no participant is measured, or a table cannot be used.
    """
    tell = progress or (lambda step, fraction: None)
    tell("collecting", 0.0)
    every = raw.units()
    whole = [u for u in every if record_path(out, u).is_file() and not error_log(out, u).is_file()]
    if not whole:
        raise InputError(
            f"No participant of {raw.root} is measured in {out}. Run the same command with "
            "participant in place of group first."
        )
    sessions = any(unit.session for unit in whole)
    for name, suffix, desc in (
        (MEASURES, "measures", "cortical"),
        (PROFILES, "profile", "laminar"),
    ):
        tables = [(u, out / u.folder / "anat" / u.file(suffix, ".tsv", desc=desc)) for u in whole]
        derivative.write_whole(out / name, _joined(tables, sessions))
    for name, sidecar in (
        (MEASURES, derivative.measures_sidecar),
        (PROFILES, derivative.profiles_sidecar),
    ):
        path = out / name
        text = derivative.to_json(sidecar(path, identified=True))
        derivative.write_whole(path.with_suffix(".json"), text)
    findings = [*_absent(out, every, whole), *_units_differ(out / MEASURES)]
    compared = False
    if _groups(raw.root / "participants.tsv"):
        if not keep_identity:
            command = Redaction({raw.root: "raw", out: "results"}).plain(list(command))

        def comparing(step: str, done: float) -> None:
            tell(step, 0.2 + 0.8 * done)

        try:
            findings += _compare(raw, out, comparing, command, keep_identity, pdf)
            compared = True
        except InputError as error:  # the tables stand all the same
            text = f"The groups are not compared. {error}"
            findings.append(Finding("not_compared", text, warning=True))
    tell("done", 1.0)
    return GroupResult(tuple(whole), tuple(findings), compared)


def _joined(tables: Iterable[tuple[Unit, Path]], sessions: bool) -> str:
    """Tables below each other, participant and session in front of every row."""
    lines: list[str] = []
    for unit, path in tables:
        head, *rows = path.read_text(encoding="utf-8").splitlines()
        own = [f"sub-{unit.participant}"]
        if sessions:
            own.append(f"ses-{unit.session}" if unit.session else MISSING)
        first = "\t".join(["participant_id", *(["session_id"] if sessions else []), head])
        lines = lines or [first]
        if first != lines[0]:
            raise InputError(
                f"The table of {unit} has other columns than the tables before it; it is from "
                "another version. Measure all participants with the same one."
            )
        lines += ["\t".join([*own, row]) for row in rows]
    return "\n".join(lines) + "\n"


def _absent(out: Path, every: Sequence[Unit], whole: Sequence[Unit]) -> list[Finding]:
    """A warning for participants that are not in the tables."""
    missing = [unit for unit in every if unit not in whole]
    if not missing:
        return []
    failed = sum(error_log(out, unit).is_file() for unit in missing)
    names = ", ".join(str(unit) for unit in missing[:10])
    more = f" and {len(missing) - 10} more" if len(missing) > 10 else ""
    text = (
        f"{len(missing)} of {len(every)} are not in the tables: {names}{more}. {failed} of them "
        f"failed; {out / 'logs'} says why."
    )
    return [Finding("not_collected", text, warning=True)]


def _units_differ(path: Path) -> list[Finding]:
    """A warning where a measure does not have the same unit in all participants."""
    units: dict[tuple[str, str], set[str]] = {}
    for row in read_tsv(path):
        units.setdefault((row["map"], row["measure"]), set()).add(row["unit"])
    odd = [(key, found) for key, found in units.items() if len(found) > 1]
    if not odd:
        return []
    (map_name, measure), found = odd[0]
    text = (
        f"{measure} of map {map_name} has different units: {', '.join(sorted(found))}. State the "
        "unit in the sidecars of the maps (Units), so that values can be compared."
    )
    return [Finding("units_differ", text, warning=True)]


def _groups(participants: Path) -> bool:
    """Whether a table of participants names two groups or more."""
    if not participants.is_file():
        return False
    named = {row.get("group", "").strip() for row in read_tsv(participants)}
    return len(named - {"", MISSING}) > 1


def _compare(
    raw: Dataset,
    out: Path,
    progress: Progress,
    command: Sequence[str],
    keep_identity: bool,
    pdf: bool,
) -> tuple[Finding, ...]:
    from ..group import study

    compared = study(
        [out / MEASURES],
        raw.root / "participants.tsv",
        out / STUDY,
        profiles=[out / PROFILES],
        progress=progress,
        command=command,
        keep_identity=keep_identity,
        pdf=pdf,
    )
    return compared.findings
