"""File names of the Brain Imaging Data Structure (BIDS): entities, suffix, extension.

Order and form are those of the BIDS specification 1.11, appendix "Entities" and section "Common
principles": ``sub-01_ses-1_space-orig_desc-thickness_map.nii.gz``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from ..cortex.errors import InputError

ENTITIES = (
    "sub", "tpl", "ses", "cohort", "sample", "task", "tracksys", "acq", "nuc", "voi", "ce",
    "trc", "stain", "rec", "dir", "run", "mod", "echo", "flip", "inv", "mt", "part", "proc",
    "hemi", "space", "split", "recording", "chunk", "atlas", "seg", "scale", "res", "den",
    "label", "desc",
)  # fmt: skip
"""Keys in the order in which a file's name has them."""

_PART = re.compile(r"([a-zA-Z]+)-([a-zA-Z0-9+]+)")
_LABEL = re.compile(r"[a-zA-Z0-9]+")


@dataclass(frozen=True)
class BidsName:
    """A file's name, taken apart.

    Attributes:
        entities: label by key.
        suffix: what the file holds, for example ``MEGRE``.
        extension: with its dots.
    """

    entities: Mapping[str, str]
    suffix: str
    extension: str

    @classmethod
    def parse(cls, name: str) -> BidsName | None:
        """The parts of a file's name; None where it is not of this form."""
        stem, dot, extension = name.partition(".")
        *parts, suffix = stem.split("_")
        found = [_PART.fullmatch(part) for part in parts]
        if not _LABEL.fullmatch(suffix) or not all(found):
            return None
        entities = {match[1]: match[2] for match in found if match}
        return cls(entities, suffix, dot + extension)

    def __str__(self) -> str:
        """The name, its entities in BIDS's order."""
        ordered = sorted(self.entities, key=ENTITIES.index)
        return "_".join([*(f"{k}-{self.entities[k]}" for k in ordered), self.suffix]) + (
            self.extension
        )

    def belongs_to(self, other: BidsName) -> bool:
        """Whether what this sidecar says holds for ``other`` (the inheritance principle)."""
        same = all(other.entities.get(key) == label for key, label in self.entities.items())
        return self.suffix == other.suffix and same


@dataclass(frozen=True, order=True)
class Unit:
    """What is measured on its own: a participant, or one session of a participant.

    Attributes:
        participant, session: labels without ``sub-`` and ``ses-``; no session is empty.
    """

    participant: str
    session: str = ""

    @property
    def entities(self) -> dict[str, str]:
        """Of every file's name."""
        own = {"sub": self.participant}
        return {**own, "ses": self.session} if self.session else own

    @property
    def prefix(self) -> str:
        """``sub-01`` or ``sub-01_ses-1``."""
        return "_".join(f"{key}-{label}" for key, label in self.entities.items())

    @property
    def folder(self) -> Path:
        """Of the unit, within a dataset."""
        return Path(*(f"{key}-{label}" for key, label in self.entities.items()))

    def file(self, suffix: str, extension: str, **entities: str) -> str:
        """The name of a file of this unit."""
        return str(BidsName({**self.entities, **entities}, suffix, extension))

    def __str__(self) -> str:
        return self.prefix.replace("_", " ")


def label_of(text: str, key: str) -> str:
    """A label as it stands in names, given with or without its key (``sub-01`` or ``01``).

    Raises:
        InputError: characters that BIDS does not allow.
    """
    label = text.removeprefix(f"{key}-")
    if not _LABEL.fullmatch(label):
        raise InputError(
            f"{text!r} cannot be a label of {key}-: BIDS allows letters and digits only."
        )
    return label


def selection(texts: Iterable[str]) -> dict[str, str]:
    """Entities from words such as ``acq-7T``.

    Raises:
        InputError: a word of another form, or an entity that BIDS does not know.
    """
    chosen = {}
    for text in texts:
        key, _, label = text.partition("-")
        if key not in ENTITIES or not _LABEL.fullmatch(label):
            raise InputError(
                f"--select {text!r} should read ENTITY-LABEL, as in a file's name: acq-7T or run-1."
            )
        chosen[key] = label
    return chosen
