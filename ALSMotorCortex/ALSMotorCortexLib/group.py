"""A study: group comparison, diagnostic accuracy and correlations from tables of measures.

One call, :func:`study`, reads the tables, computes, and writes the results into a folder.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .cortex.errors import InputError
from .cortex.result import Finding


@dataclass(frozen=True)
class GroupOptions:
    """What to compare.

    Attributes:
        patients, controls: names of both groups in ``participants.tsv``; empty to take the
            names that are known, such as ``ALS`` and ``control``.
        measures: patterns of the measures to compare; empty for the usual ones.
        session: the session to take where there are several; empty for each participant's first.
        seed: of the permutations.
    """

    patients: str = ""
    controls: str = ""
    measures: tuple[str, ...] = ()
    session: str = ""
    seed: int = 0


@dataclass(frozen=True)
class GroupStudy:
    """What :func:`study` gives back: what was noticed, and the folder that was written."""

    findings: tuple[Finding, ...]
    folder: Path


def study(
    measures: Iterable[Path],
    participants: Path,
    out: Path,
    options: GroupOptions | None = None,
    profiles: Iterable[Path] = (),
    progress: Callable[[str, float], Any] | None = None,
    command: Sequence[str] = (),
) -> GroupStudy:
    """Compares patients with controls and writes the study's tables and report.

    Args:
        measures: ``measures.tsv`` files, or folders to look for them in.
        participants: ``participants.tsv``.
        out: folder for the results.
        options: what to compare; the defaults where None.
        profiles: ``profiles.tsv`` files or folders; those in the folders of ``measures`` are
            found without.
        progress: gets a step's name and the fraction done.
        command: the command line, for the provenance.

    Raises:
        InputError: a table that cannot be used, see :mod:`.study.participants` and
            :mod:`.study.measures`; or a folder that cannot be written.
    """
    raise InputError("The group statistics are not finished yet.")
