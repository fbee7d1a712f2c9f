"""What a subject's report shows beside the measurement: controls, and readings by eye."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .cortex.errors import InputError
from .cortex.result import Finding, Measurement
from .study import provenance
from .study.readings import Reading, read_readings

if TYPE_CHECKING:
    from .compare import Compared, ControlSource, ReadControls
    from .report.html import Section
    from .study.outputs import OutputFolder


@dataclass(frozen=True)
class Beside:
    """What to show beside the measurement.

    Attributes:
        controls: whom to compare with, or None.
        readings: tables of readings.
        case: the case's name in them.
    """

    controls: ControlSource | None = None
    readings: tuple[Path, ...] = ()
    case: str = ""

    @property
    def files(self) -> dict[Path, str]:
        """All files that are read, by what they are used as."""
        found: dict[Path, str] = {}
        if self.controls is not None:
            found = dict.fromkeys(self.controls.files, "controls")
        return {**found, **dict.fromkeys(self.readings, "reading")}

    def called(self) -> dict[Path, str]:
        """What outputs call these files, and the case, whose name may be a patient's."""
        counts: dict[str, int] = {}
        names: dict[Path, str] = {}
        for path, role in self.files.items():
            counts[role] = counts.get(role, 0) + 1
            names[path] = f"{role}-{counts[role]}{path.suffix}"
        return {**names, **({Path(self.case): "case"} if self.case else {})}

    def read(self) -> ReadBeside:
        """Reads it, before a long measurement.

        Raises:
            InputError: a table cannot be used, or the case is not in the readings.
        """
        controls = None
        if self.controls is not None:
            from .compare import read_controls  # brings scipy.stats, which takes a while

            controls = read_controls(self.controls)
        every = [one for path in self.readings for one in read_readings(path)]
        own = tuple(one for one in every if _bare(one.case_id) == _bare(self.case))
        if self.readings and not own:
            cases = list(dict.fromkeys(one.case_id for one in every))
            some = ", ".join(cases[:8]) + (" ..." if len(cases) > 8 else "")
            raise InputError(
                f"No reading of the case {self.case!r} is in --reading. There are readings of "
                f"{some or 'nobody'}. Name one with --case."
            )
        sources = [provenance.describe_table(role, path) for path, role in self.files.items()]
        return ReadBeside(controls, own, sources)


@dataclass(frozen=True)
class ReadBeside:
    """:class:`Beside`, read.

    Attributes:
        controls: their tables, or None.
        readings: of this case.
        sources: a record of each file, for the provenance.
        compared: the patient among the controls, once there is a measurement.
        findings: what was noticed then.
    """

    controls: ReadControls | None
    readings: tuple[Reading, ...]
    sources: list[dict[str, Any]]
    compared: Compared | None = None
    findings: tuple[Finding, ...] = ()

    def with_measurement(self, result: Measurement) -> ReadBeside:
        """With the comparison. One that cannot be made is a warning: the measurement stands."""
        if self.controls is None:
            return self
        from .compare import measured_person, placed

        try:
            found = placed(measured_person(result.measures, result.profiles), self.controls)
        except InputError as error:
            text = f"The comparison with controls is left out. {error}"
            return replace(self, findings=(Finding("not_compared", text, warning=True),))
        return replace(self, compared=found, findings=found.findings)

    def sections(self) -> list[Section]:
        """For the report."""
        shown: list[Section] = []
        if self.readings:
            from .report.reading_section import reading_section

            shown.append(reading_section(self.readings))
        if self.compared is not None:
            from .report.compare_page import comparison_sections

            shown += comparison_sections(self.compared.comparison)
        return shown

    def write(self, folder: OutputFolder) -> None:
        """Writes the comparison's tables, where there is one."""
        if self.compared is not None:
            from .study.placed_tables import write_placed

            write_placed(folder.path, self.compared.comparison)


def _bare(case: str) -> str:
    return case.removeprefix("sub-")
