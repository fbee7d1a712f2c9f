"""One patient among controls: from tables of measures to tables and a page.

:func:`compare_patient` is what the command ``compare`` calls; :func:`read_controls` and
:func:`placed` are its parts that ``analyze`` uses for its report.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from .cortex.errors import InputError
from .cortex.result import Finding, Measure, ProfileBin
from .group import USUAL
from .pdf import write_pdf
from .study import placed_tables, provenance
from .study.measures import (
    MEASURE_FILES,
    PROFILE_FILES,
    Key,
    Measures,
    Profiles,
    find_files,
    read_measures,
    read_profiles,
    select,
)
from .study.outputs import OutputFolder
from .study.participants import Participants, listed, read_participants
from .study.placed import Comparison, Controls, Person, choose_controls, place
from .study.privacy import Redaction, called, numbered
from .study.table_reading import plain_id

Progress = Callable[[str, float], Any]

NOBODY = Profiles({}, {}, ())


@dataclass(frozen=True)
class ControlSource:
    """The controls, and what is known of the patient.

    Attributes:
        measures, profiles: tables or folders of them.
        participants: table with groups, ages and sexes, or None.
        group: the controls' name in it; empty to find it.
        session: of the controls; empty for each one's first.
        patterns: of the measures to compare; empty for the usual ones.
        age: of the patient, NaN to look it up.
        sex: of the patient; empty to look it up.
    """

    measures: tuple[Path, ...]
    profiles: tuple[Path, ...] = ()
    participants: Path | None = None
    group: str = ""
    session: str = ""
    patterns: tuple[str, ...] = ()
    age: float = math.nan
    sex: str = ""

    @property
    def files(self) -> list[Path]:
        """All tables that are read."""
        found = find_files(self.measures, MEASURE_FILES, "measures")
        if self.profiles:
            found += find_files(self.profiles, PROFILE_FILES, "profiles")
        return [*found, *([self.participants] if self.participants else [])]


@dataclass(frozen=True)
class Compared:
    """What :func:`compare_patient` gives back.

    Attributes:
        comparison: the numbers.
        findings: what was noticed, for the user.
    """

    comparison: Comparison
    findings: tuple[Finding, ...]


def compare_patient(
    patient: Path,
    source: ControlSource,
    out: Path,
    label: str = "",
    patient_session: str = "",
    progress: Progress | None = None,
    command: Sequence[str] = (),
    keep_identity: bool = False,
    pdf: bool = False,
) -> Compared:
    """Places one patient among controls and writes tables and a page.

    Args:
        patient: folder with the results of ``analyze`` or of a BIDS participant, or a table.
        source: the controls.
        out: folder for the results.
        label: the patient's participant_id; needed where ``patient`` holds several, and what the
            outputs call the patient.
        patient_session: which session of the patient; empty for the first.
        progress: gets a step's name and the fraction done.
        command: the command line, for the provenance.
        keep_identity: whether the patient's path stands in the outputs as it is.
        pdf: whether to write ``report.pdf``, too, where there is something to print it.

    Raises:
        InputError: a table cannot be used, the patient is not found, or there are too few
            controls.
    """
    from .report.compare_page import write_compare_report

    started = provenance.now()
    tell = progress or (lambda step, fraction: None)
    with OutputFolder(out) as folder:
        tell("reading", 0.0)
        person, own = read_patient(patient, plain_id(label), patient_session)
        read = read_controls(source)
        files = [("patient", path) for path in _patient_files(patient)]
        files += [("controls", path) for path in source.files]
        folder.inputs.extend(path for _, path in files)
        tell("comparing", 0.3)
        found = placed(person, read, own)
        tell("writing", 0.7)
        placed_tables.write_placed(folder.path, found.comparison)
        settings = {
            **asdict(source),
            "age": _known(found.comparison.person.age),
            "sex": found.comparison.person.sex,
            "held": found.comparison.held,
        }
        inputs = [provenance.describe_table(role, path) for role, path in files]
        record = {
            "started": started,
            **provenance.record(command, _texts(settings), inputs, found.findings),
        }
        if not keep_identity:
            given = [*source.measures, *source.profiles]
            names = numbered(source.files, given, out).called
            own_files = {path: called("patient", path) for path in _patient_files(patient)}
            own_folder = {patient: "patient"} if patient.is_dir() else {}
            record = Redaction({**names, **own_folder, **own_files}).plain(record)
        write_compare_report(found, folder.path("report.html"), record)
        if pdf:
            lacking = write_pdf(folder.path("report.html"), folder.path("report.pdf"))
            found = replace(found, findings=(*found.findings, *lacking))
        record["outputs"] = provenance.describe_outputs(folder)
        provenance.publish(folder, record)
    tell("done", 1.0)
    return found


@dataclass(frozen=True)
class ReadControls:
    """The tables of a :class:`ControlSource`, read."""

    source: ControlSource
    measures: Measures
    profiles: Profiles
    people: Participants | None


def read_controls(source: ControlSource) -> ReadControls:
    """Reads the controls' tables.

    Raises:
        InputError: a table cannot be used.
    """
    return ReadControls(
        source,
        read_measures(source.measures, source.session),
        read_profiles(source.profiles, source.session) if source.profiles else NOBODY,
        read_participants(source.participants) if source.participants else None,
    )


def placed(person: Person, read: ReadControls, own: str = "") -> Compared:
    """Places the patient among the controls.

    Args:
        person: the patient; age and sex are looked up where they are not known.
        read: the controls.
        own: the patient's label in the tables, so that the patient is not compared with
            themselves.

    Raises:
        InputError: there are too few controls, or nothing can be compared.
    """
    person = _described(person, read.source, read.people, own)
    controls = choose_controls(read.measures, read.profiles, read.people, read.source.group, own)
    keys = _keys(person, controls, read.source.patterns)
    comparison = place(person, controls, keys)
    return Compared(comparison, tuple(_findings(comparison, read.source)))


def measured_person(
    measures: Iterable[Measure], profiles: Iterable[ProfileBin], name: str = "patient"
) -> Person:
    """A patient from what was just measured."""
    values, units = {}, {}
    for m in measures:
        key = Key(m.region, m.map, m.measure)
        units[key] = m.unit
        if math.isfinite(m.value):
            values[key] = float(m.value)
    bins: dict[tuple[str, str], list[ProfileBin]] = {}
    for p in profiles:
        bins.setdefault((p.region, p.map), []).append(p)
    curves = {
        key: (
            np.array([own[0].depth_from, *(p.depth_to for p in own)], dtype=float),
            np.array([p.mean for p in own], dtype=float),
        )
        for key, own in bins.items()
    }
    return Person(values, units, curves, name=name)


def read_patient(path: Path, label: str = "", session: str = "") -> tuple[Person, str]:
    """A patient from tables, and the label that the tables have.

    Raises:
        InputError: there is no table, the label is not in it, or it holds several participants
            and no label says which.
    """
    measures = read_measures([path], session)
    own = _chosen(measures, path, label)
    curves = {}
    if path.is_dir() and _has_profiles(path):
        profiles = read_profiles([path], session)
        curves = {
            key: (profiles.edges[key], found[own])
            for key, found in profiles.curves.items()
            if own in found
        }
    name = label or "patient"
    return Person(measures.values[own], measures.units, curves, name=name), own


def _chosen(measures: Measures, path: Path, label: str) -> str:
    there = list(measures.values)
    if label:
        if label in there:
            return label
        if len(there) > 1:
            raise InputError(f"No participant {label} is in {path}. There are {listed(there)}.")
        return there[0]
    if len(there) > 1:
        raise InputError(
            f"{path} holds {len(there)} participants. Say with --patient-id which one is meant, "
            f"for example {there[0]}."
        )
    return there[0]


def _has_profiles(path: Path) -> bool:
    try:
        return bool(find_files([path], PROFILE_FILES, "profiles"))
    except InputError:
        return False


def _patient_files(path: Path) -> list[Path]:
    files = find_files([path], MEASURE_FILES, "measures")
    if path.is_dir() and _has_profiles(path):
        files += find_files([path], PROFILE_FILES, "profiles")
    return files


def _described(
    person: Person, source: ControlSource, people: Participants | None, own: str
) -> Person:
    """The patient with age and sex: as given, else as in the table of participants."""
    labels = {own, person.name}
    listed_ = next((p for p in people.people if p.id in labels), None) if people else None
    age, sex = source.age, source.sex
    if listed_ is not None:
        age = listed_.age if math.isnan(age) else age
        sex = sex or listed_.sex
    return replace(person, age=age, sex=sex)


def _keys(person: Person, controls: Controls, patterns: Sequence[str]) -> list[Key]:
    """The measures to compare, in the order of the controls' table."""
    theirs = controls.measures.keys()
    both = [key for key in theirs if key in person.units]
    if not both:
        raise InputError(
            "The patient and the controls have no measure in common. Measure both with the same "
            "regions and map names."
        )
    if patterns:
        return select(both, patterns)
    return usual_measures(both, controls.measures.units)


def usual_measures(keys: Sequence[Key], units: Mapping[Key, str]) -> list[Key]:
    """The usual measures, or all where none of them is there.

    The mean of a map without a unit is not among them: the scale of an image's values changes
    from scan to scan.
    """
    usual = [k for k in keys if k.measure in USUAL and (units.get(k) or k.measure != "mean")]
    return usual or list(keys)


def _findings(found: Comparison, source: ControlSource) -> Iterable[Finding]:
    n = len(found.controls.ids)
    held = f" at equal {' and '.join(found.held)}" if found.held else ""
    yield Finding("compared", f"{len(found.rows)} measures are compared with {n} controls{held}.")
    if source.participants is None:
        text = (
            f"All {n} participants of the controls' table are taken as controls. Give "
            "--participants if some are not."
        )
        yield Finding("all_controls", text, warning=True)
    for omission in found.controls.omissions:
        serious = omission.kind in ("participant", "comparison", "extrapolation")
        if serious or omission.kind == "covariate":
            named = omission.kind == "comparison"
            text = f"{omission.item}: {omission.reason}" if named else omission.reason
            yield Finding("left_out", text, warning=serious)


def _known(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _texts(value: Any) -> Any:
    """Settings as JSON knows them."""
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, dict):
        return {key: _texts(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_texts(item) for item in value]
    return value
