"""What a batch does and what came of it, in words that travel to other processes and machines.

Nothing but the standard library is imported here, so that a new process can limit its threads
before numpy is loaded.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

DONE, UNCHANGED, FAILED = "done", "unchanged", "failed"


@dataclass(frozen=True)
class Job:
    """What is the same for all participants of a run.

    Attributes:
        raw, out: folders of the input dataset and of the results.
        others: folders of derivative datasets with label maps and maps.
        settings: measuring settings by name, as for :func:`.analyze.analyze`.
        echo_options: fields of :class:`.maps.MapOptions` by name.
        maps: names of the maps to measure; none means the usual ones.
        labels_desc, regions_desc: the label ``desc-`` of the label map and of the regions.
        select: entities that tell which of several scans to take.
        scene: whether to write a scene for Slicer.
        pdf: whether to print the report to PDF, too.
        keep_identity: whether paths stand in the results as they are.
        command: the command line, for the provenance.
    """

    raw: Path
    out: Path
    others: tuple[Path, ...]
    settings: Mapping[str, Any] = field(default_factory=dict)
    echo_options: Mapping[str, Any] = field(default_factory=dict)
    maps: tuple[str, ...] = ()
    labels_desc: str = "cortex"
    regions_desc: str = "regions"
    select: Mapping[str, str] = field(default_factory=dict)
    scene: bool = False
    pdf: bool = False
    keep_identity: bool = False
    command: tuple[str, ...] = ()


@dataclass(frozen=True)
class Outcome:
    """What came of one participant or session.

    Attributes:
        participant, session: labels.
        status: :data:`DONE`, :data:`UNCHANGED` or :data:`FAILED`.
        reason: why it failed, in a sentence or two.
        warnings: how many warnings the report has.
    """

    participant: str
    session: str
    status: str
    reason: str = ""
    warnings: int = 0

    @property
    def name(self) -> str:
        """For messages."""
        return f"sub-{self.participant}" + (f" ses-{self.session}" if self.session else "")
