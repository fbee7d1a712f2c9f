"""The command ``bids``: a BIDS App, for one participant or a thousand.

Nothing but the standard library is imported until it runs.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from . import analyze_command, maps_command, pdf
from .cortex.errors import InputError

if TYPE_CHECKING:
    from .batch.collect import GroupResult
    from .batch.job import Job
    from .batch.run import BatchResult

HELP = "measure the participants of a BIDS dataset and collect them (a BIDS App)"

EXAMPLES = """examples:
  All participants, two at a time, then the tables of all of them:
    als-motor-cortex bids study/ study/derivatives/als-motor-cortex participant --jobs 2
    als-motor-cortex bids study/ study/derivatives/als-motor-cortex group
  Two participants, one session, with label maps from another derivative dataset:
    als-motor-cortex bids study/ out/ participant --participant-label 01 02 \\
        --session-label baseline --segmentations study/derivatives/manual
  On a dask cluster whose scheduler runs already:
    als-motor-cortex bids study/ out/ participant --scheduler tcp://10.0.0.1:8786

A participant whose inputs, settings and version are as before is left alone, so the same
command goes on where it was stopped. Exit status 2 when any participant failed.
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """All options of ``bids`` but ``--quiet`` and ``--debug``, which all commands share."""
    add = parser.add_argument
    add("bids", metavar="IN", help="the BIDS dataset")
    add("out", metavar="OUT", help="folder for the results, a BIDS derivative dataset")
    add(
        "level",
        metavar="LEVEL",
        help="participant: measure; group: collect all participants' tables and, where "
        "participants.tsv has groups, compare them",
    )
    add("--participant-label", nargs="+", default=[], metavar="LABEL",
        help="participants, with or without sub-; without it, all")  # fmt: skip
    add("--session-label", nargs="+", default=[], metavar="LABEL",
        help="sessions, with or without ses-; without it, all")  # fmt: skip
    add(
        "--segmentations",
        nargs="+",
        default=[],
        metavar="DERIVATIVES",
        help="derivative datasets with the label maps (_dseg), and maps that are there already; "
        "a folder, or a name in IN/derivatives (default: labels)",
    )
    add("--labels-desc", default="cortex", metavar="DESC",
        help="desc- of the label map where there are several (default cortex)")  # fmt: skip
    add("--regions-desc", default="regions", metavar="DESC",
        help="desc- of the label map whose every label is a region (default regions)")  # fmt: skip
    add(
        "--map",
        metavar="NAMES",
        dest="maps",
        help="maps to measure, separated by commas: T2star, R2star, Chi, T1, MTR and others "
        "where their files are there; T2star, R2star, S0, combined_snr, combined_rss and "
        "combined_mean from a multi-echo scan (default: T2star, R2star, Chi, combined_snr, "
        "those there are)",
    )
    add("--select", nargs="+", default=[], metavar="ENTITY-LABEL",
        help="which of several scans, as in acq-hires run-1")  # fmt: skip
    add("--jobs", type=int, default=1, metavar="N",
        help="participants at a time on this machine (default 1)")  # fmt: skip
    add("--scheduler", default="", metavar="ADDRESS",
        help="run on the dask.distributed cluster of this scheduler, tcp://HOST:PORT")  # fmt: skip
    pdf.add_pdf_argument(parser)
    add("--scene", action="store_true", help="write a scene for Slicer of each participant")
    maps_command.add_identity_argument(parser)
    analyze_command.add_tissue_arguments(parser)
    analyze_command.add_setting_arguments(parser)
    maps_command.add_fit_arguments(
        parser.add_argument_group("echoes, where maps are made from a multi-echo scan")
    )


def run(
    arguments: argparse.Namespace,
    command: Sequence[str] = (),
    progress: Callable[[str, float], Any] | None = None,
) -> BatchResult | GroupResult:
    """Does what the arguments ask for.

    Args:
        arguments: parsed.
        command: the command line, for the provenance.
        progress: gets a step's name and the fraction done.

    Raises:
        InputError: the datasets or options cannot be used, or participants failed.
    """
    from .batch import derivative
    from .study.bids_dataset import Dataset

    if arguments.level not in ("participant", "group"):
        raise InputError(f"LEVEL must be participant or group, not {arguments.level}.")
    out = Path(arguments.out)
    raw = Dataset(Path(arguments.bids), "raw")
    derivative.check_folder(out, raw.root)
    _keep_inputs(arguments, raw, out)
    if arguments.level == "group":
        from .batch.collect import collect

        return collect(raw, out, progress, command, arguments.keep_patient_identity, arguments.pdf)
    return _participants(arguments, raw, out, command, progress)


def _keep_inputs(arguments: argparse.Namespace, raw: Any, out: Path) -> None:
    """Raises: InputError: what describes the results would take the place of an input."""
    from .batch import collect, derivative
    from .study.outputs import keep_apart

    inputs = [raw.root / "dataset_description.json", raw.root / "participants.tsv"]
    inputs += [Path(arguments.settings)] if arguments.settings else []
    tables = [Path(name).with_suffix(s) for name in collect.TABLES for s in (".tsv", ".json")]
    keep_apart(inputs, [out / name for name in (*derivative.DESCRIBING, *tables)], out)


def _participants(
    arguments: argparse.Namespace,
    raw: Any,
    out: Path,
    command: Sequence[str],
    progress: Callable[[str, float], Any] | None,
) -> BatchResult:
    from .batch import derivative
    from .batch.participant import link_names
    from .batch.run import run_batch
    from .pdf import lacking
    from .study.bids_dataset import Dataset

    if arguments.jobs < 1:
        raise InputError(f"--jobs must be 1 or more, not {arguments.jobs}.")
    units = raw.units(arguments.participant_label, arguments.session_label)
    job = job_of(arguments, command)
    others = [Dataset(p, n) for p, n in zip(job.others, link_names(job), strict=True)]
    derivative.write_dataset(out, raw, others, job.keep_identity)
    missing = lacking() if job.pdf else ()  # said once, and not by every participant
    job = replace(job, pdf=job.pdf and not missing)
    result = run_batch(job, units, arguments.jobs, arguments.scheduler, progress)
    return replace(result, noticed=missing)


def job_of(arguments: argparse.Namespace, command: Sequence[str] = ()) -> Job:
    """What the arguments say of every participant.

    Raises:
        InputError: options that cannot be used.
    """
    from .batch.job import Job
    from .maps import MapOptions
    from .study.bids_names import selection
    from .study.privacy import Redaction

    echo_options = {
        name: getattr(arguments, name)
        for name in ("register", "noise", "fit", "bias", "dephasing", "slice_thickness")
    }
    MapOptions(**echo_options).check()
    names = [name.strip() for name in (arguments.maps or "").split(",")]
    others = _derivatives(arguments)
    if not arguments.keep_patient_identity:
        called = dict.fromkeys(others, "segmentations")
        called |= {Path(arguments.bids): "raw", Path(arguments.out): "results"}
        if arguments.settings:
            called[Path(arguments.settings)] = "settings.json"
        command = Redaction(called).plain(list(command))
    return Job(
        raw=Path(arguments.bids),
        out=Path(arguments.out),
        others=tuple(others),
        settings=analyze_command.settings_of(arguments),
        echo_options=echo_options,
        maps=tuple(dict.fromkeys(filter(None, names))),
        labels_desc=arguments.labels_desc,
        regions_desc=arguments.regions_desc,
        select=selection(arguments.select),
        scene=arguments.scene,
        pdf=arguments.pdf,
        keep_identity=arguments.keep_patient_identity,
        command=tuple(command),
    )


def _derivatives(arguments: argparse.Namespace) -> list[Path]:
    """The derivative datasets' folders.

    Raises:
        InputError: one that is not there.
    """
    inside = Path(arguments.bids) / "derivatives"
    found = []
    for text in arguments.segmentations or ["labels"]:
        path = Path(text)
        if not path.is_dir():
            path = inside / text
        if not path.is_dir():
            there = (
                sorted(p.name for p in inside.iterdir() if p.is_dir()) if inside.is_dir() else []
            )
            raise InputError(
                f"There is no derivative dataset {text} with label maps, neither as a folder nor "
                f"in {inside}, which has: {', '.join(there) or 'none'}. Name it with "
                "--segmentations."
            )
        found.append(path)
    return found


def closing(arguments: argparse.Namespace, result: BatchResult | GroupResult) -> str:
    """What to tell when it is done."""
    return result.closing(Path(arguments.out))
