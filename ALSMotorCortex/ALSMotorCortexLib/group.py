"""A study: group comparison, diagnostic accuracy and correlations from tables of measures.

One call, :func:`study`, reads the tables, computes, and writes the results into a folder.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from .cortex.errors import InputError
from .cortex.result import Finding
from .pdf import write_pdf
from .study import group_tables, provenance
from .study.group_comparison import (
    Combined,
    Comparison,
    combine_measures,
    compare,
    for_comparison,
)
from .study.group_correlation import ScoreCorrelation, correlate
from .study.group_data import GroupData, join
from .study.group_profiles import GroupProfile, group_profiles
from .study.measures import (
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
from .study.participants import Omission, read_participants
from .study.privacy import numbered

USUAL = ("thickness_mean", "mean", "deep_hypointensity", "signal_thickness_ratio")
"""Measures that are compared unless others are asked for: few, because each more asks for a
stricter correction."""

NAMED = 3
"""How many measures that are left out for the same reason are named; omissions.tsv has all."""

WHOLE = "ribbon"

Progress = Callable[[str, float], Any]


@dataclass(frozen=True)
class GroupOptions:
    """What to compare.

    Attributes:
        patients, controls: names of both groups in ``participants.tsv``; empty to take the
            names that are known, such as ``ALS`` and ``control``.
        measures: patterns of the measures to compare, see :func:`.study.measures.select`; empty
            for :data:`USUAL`.
        combine: patterns of the measures to combine; empty for those of the whole ribbon among
            the compared ones, or all of these where the ribbon has none.
        session: the session to take where there are several; empty for each participant's first.
        seed: of the draws and permutations.
    """

    patients: str = ""
    controls: str = ""
    measures: tuple[str, ...] = ()
    combine: tuple[str, ...] = ()
    session: str = ""
    seed: int = 0


@dataclass(frozen=True)
class GroupStudy:
    """What :func:`study` gives back.

    Attributes:
        folder: where the results are.
        findings: what was noticed, for the user.
        data: who was compared, and all omissions.
        groups: both in numbers.
        adjusted: covariates of the ANCOVA.
        comparisons, combined, correlations, profiles: the results.
        options: what was asked for.
        rates_computed: disease progression rates that were computed from dates.
    """

    folder: Path
    findings: tuple[Finding, ...]
    data: GroupData
    groups: tuple[group_tables.GroupSummary, ...]
    adjusted: tuple[str, ...]
    comparisons: tuple[Comparison, ...]
    combined: Combined | None
    correlations: tuple[ScoreCorrelation, ...]
    profiles: tuple[GroupProfile, ...]
    options: GroupOptions
    rates_computed: int


def study(
    measures: Iterable[Path],
    participants: Path,
    out: Path,
    options: GroupOptions | None = None,
    profiles: Iterable[Path] = (),
    progress: Progress | None = None,
    command: Sequence[str] = (),
    keep_identity: bool = False,
    pdf: bool = False,
) -> GroupStudy:
    """Compares patients with controls and writes the study's tables and report.

    Args:
        measures: ``measures.tsv`` files, or folders to look for them in.
        participants: ``participants.tsv``.
        out: folder for the results.
        options: what to compare; the defaults where None.
        profiles: ``profiles.tsv`` files or folders; without, those in the folders of
            ``measures`` are taken where there are some.
        progress: gets a step's name and the fraction done.
        command: the command line, for the provenance.
        keep_identity: whether the paths of tables, which may hold names, stand in the results.
        pdf: whether to write ``report.pdf``, too, where there is something to print it.

    Raises:
        InputError: a table that cannot be used, see :mod:`.study.participants` and
            :mod:`.study.measures`; or a folder that cannot be written.
    """
    from .report.study_page import write_study_report

    started, clock = provenance.now(), time.perf_counter()
    tell = progress or (lambda step, fraction: None)
    options = options or GroupOptions()
    measures = [Path(path) for path in measures]
    with OutputFolder(out) as folder:
        tell("reading", 0.0)
        curves = [Path(path) for path in profiles] or _beside(measures)
        found = analyse(measures, Path(participants), Path(out), options, curves, tell)
        tell("writing", 0.9)
        _write_tables(folder.path, found)
        files = [*_files(measures, curves), Path(participants)]
        folder.inputs.extend(files)
        inputs = [provenance.describe_table("table", path) for path in files]
        record = {
            "started": started,
            **provenance.record(command, asdict(found.options), inputs, found.findings),
        }
        if not keep_identity:
            given = [*measures, *curves, Path(participants)]
            record = numbered(files, given, Path(out)).plain(record)
        write_study_report(found, folder.path("report.html"), record)
        if pdf:
            lacking = write_pdf(folder.path("report.html"), folder.path("report.pdf"))
            found = replace(found, findings=(*found.findings, *lacking))
        record["outputs"] = provenance.describe_outputs(folder)
        record["seconds"] = {"total": round(time.perf_counter() - clock, 3)}
        provenance.publish(folder, record)
    tell("done", 1.0)
    return found


def analyse(
    measures: Sequence[Path],
    participants: Path,
    out: Path,
    options: GroupOptions,
    profiles: Sequence[Path],
    tell: Progress,
) -> GroupStudy:
    """Reads and computes, without writing; arguments and errors as for :func:`study`."""
    people = read_participants(participants)
    table = read_measures(measures, options.session)
    keys = chosen_measures(table, options)
    curves = read_profiles(profiles, options.session) if profiles else Profiles({}, {}, ())
    data = join(table, people, keys, options.patients, options.controls)
    adjusted = for_comparison(data)
    if not all(data.names) or data.patient.all() or not data.patient.any():
        only = "patients" if data.patient.any() else "controls"
        reason = f"There are measures of {only} only, so nothing is compared."
        data.omit("comparison", "groups", len(data.ids), reason)
    tell("comparing", 0.1)
    comparisons = compare(
        data, adjusted, options.seed, lambda done: tell("comparing", 0.1 + 0.5 * done)
    )
    tell("combining", 0.6)
    combined = combine_measures(data, _to_combine(table, keys, options), options.seed)
    tell("correlating", 0.7)
    correlations = correlate(data)
    tell("comparing profiles", 0.8)
    bands = group_profiles(data, curves, options.seed)
    groups = tuple(group_tables.summarise(data))
    return GroupStudy(
        folder=out,
        findings=tuple(_findings(data, groups, people.rates_computed)),
        data=data,
        groups=groups,
        adjusted=adjusted.names,
        comparisons=tuple(comparisons),
        combined=combined,
        correlations=tuple(correlations),
        profiles=tuple(bands),
        options=options,
        rates_computed=people.rates_computed,
    )


def chosen_measures(table: Measures, options: GroupOptions) -> list[Key]:
    """The measures to compare.

    Raises:
        InputError: a pattern that fits none, or a table with no measures at all.
    """
    keys = table.keys()
    if not keys:
        raise InputError("The tables hold no measures that all participants have in one unit.")
    if options.measures:
        return select(keys, options.measures)
    usual = [key for key in keys if key.measure in USUAL]
    return usual or keys


def _to_combine(table: Measures, keys: Sequence[Key], options: GroupOptions) -> list[Key]:
    if options.combine:
        return select(table.keys(), options.combine)
    return [key for key in keys if key.region == WHOLE] or list(keys)


def _beside(measures: Sequence[Path]) -> list[Path]:
    """Folders among the measures that hold profiles too."""
    found = []
    for path in measures:
        if path.is_dir():
            try:
                find_files([path], PROFILE_FILES, "profiles")
            except InputError:
                continue
            found.append(path)
    return found


def _files(measures: Sequence[Path], profiles: Sequence[Path]) -> list[Path]:
    from .study.measures import MEASURE_FILES

    files = find_files(measures, MEASURE_FILES, "measures")
    return files + (find_files(profiles, PROFILE_FILES, "profiles") if profiles else [])


def _findings(
    data: GroupData, groups: Sequence[group_tables.GroupSummary], computed: int
) -> Iterable[Finding]:
    who = ", ".join(f"{g.n} {g.role} ({g.name})" for g in groups)
    yield Finding("participants", f"{who}; {len(data.keys)} measures.")
    if computed:
        text = f"{computed} disease progression rates were computed from ALSFRS-R and dates."
        yield Finding("rates_computed", text)
    serious = {"participant", "comparison", "combination"}
    for text in _sentences([o for o in data.omissions if o.kind in serious]):
        yield Finding("left_out", text, warning=True)
    rest = [o for o in data.omissions if o.kind not in serious]
    if rest:
        n = len(rest)
        text = f"{n} more {'omissions stand' if n > 1 else 'omission stands'} in omissions.tsv."
        yield Finding("omissions", text)


def _sentences(omissions: Sequence[Omission]) -> Iterable[str]:
    """Omissions as they are told: those of one kind and reason in one sentence."""
    alike: dict[tuple[str, str, int], list[str]] = {}
    for omission in omissions:
        if omission.kind == "participant":
            yield omission.reason
        else:
            alike.setdefault((omission.kind, omission.reason, omission.n), []).append(omission.item)
    for (_, reason, n), items in alike.items():
        named = items if len(items) <= NAMED else [*items[:NAMED], f"{len(items) - NAMED} more"]
        text = ", ".join(named)
        yield f"{text[0].upper()}{text[1:]} (n = {n}): {reason}"


def _write_tables(path: Callable[[str], Path], found: GroupStudy) -> None:
    group_tables.write_groups(path, found.groups)
    group_tables.write_comparisons(path, found.comparisons)
    group_tables.write_combination(path, found.combined)
    group_tables.write_correlations(path, found.correlations)
    group_tables.write_profiles(path, found.profiles)
    group_tables.write_omissions(path, found.data.omissions)
