"""What files are called in outputs, so that none tells who the patient is.

File and folder names often hold a patient's name or number, and so do some DICOM texts. Unless
the user asks for them, an output calls every input by what it is used as.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ..cortex.result import Finding

PRIVATE_KEYS = {"series_description"}
"""Keys of a record whose values were typed at the scanner."""

TELLING = {
    "t1", "t2", "t2s", "t2star", "r1", "r2", "r2s", "r2star", "t1w", "t2w", "t2starw", "pd", "chi",
    "qsm", "swi", "mtr", "mtsat", "flair", "combined", "snr", "rss", "mean", "magnitude", "phase",
    "map", "t1map", "t2map", "t2starmap", "r1map", "r2map", "r2starmap", "chimap", "s0",
    "left", "right", "lh", "rh", "m1", "s1", "hand", "foot", "leg", "arm", "face", "gyrus",
    "precentral", "postcentral", "region",
}  # fmt: skip
"""Words of a file's name that say what is in it, and nothing of the patient."""

_EXTENSION = re.compile(r"((\.(seg|mrk))?\.[A-Za-z0-9]+(\.gz)?)$")


@dataclass(frozen=True)
class Redaction:
    """Says of every input what it is called in outputs.

    Attributes:
        called: what stands for a file or folder, by its path as it was given.
    """

    called: Mapping[Path, str]

    def text(self, text: str) -> str:
        """A text in which every path of an input, and every file's name, is what it is called."""
        return _replaced(text, self._texts())

    def plain(self, value: Any) -> Any:
        """A record likewise, without what :data:`PRIVATE_KEYS` lists; paths become text."""
        return _plain(value, self._texts())

    def findings(self, findings: Iterable[Finding]) -> tuple[Finding, ...]:
        """Findings likewise."""
        texts = self._texts()
        return tuple(replace(f, message=_replaced(f.message, texts)) for f in findings)

    def _texts(self) -> dict[str, str]:
        """What to replace by what: paths in every form in which they may appear."""
        texts: dict[str, str] = {}
        parents: dict[str, str] = {}
        for path, name in self.called.items():
            for form in (str(path), os.path.abspath(path), os.path.realpath(path)):
                texts.setdefault(form, name)
                parents.setdefault(os.path.dirname(form), "input")
            if path.suffix and not path.is_dir():
                texts.setdefault(path.name, name)
        return {text: to for text, to in {**parents, **texts}.items() if len(text) > 2}


def numbered(files: Sequence[Path], given: Sequence[Path], out: Path) -> Redaction:
    """Calls tables by numbers, since the folders above them may be named by a patient.

    Args:
        files: the tables.
        given: paths as the user gave them; folders among them count.
        out: the folder for the results.
    """
    names = {path: called(f"table-{n}", path) for n, path in enumerate(files, 1)}
    folders = {path: "tables" for path in given if path.is_dir()}
    return Redaction({**folders, **names, out: "results"})


def called(role: str, path: Path) -> str:
    """A name for an input: what it is used as, with the extension of its file."""
    plain = re.sub(r"[^\w.+-]+", "_", role)
    found = _EXTENSION.search(path.name)
    return plain + (found[1] if found and not path.is_dir() else "")


def telling(stem: str, role: str, taken: Iterable[str] = ()) -> str:
    """A name for what a file holds, from those words of its own name that tell only that.

    Args:
        stem: the file's name without extension.
        role: the name where there is no such word.
        taken: names that are in use; a number keeps them apart.
    """
    words = [w for w in re.split(r"[^A-Za-z0-9]+", stem) if w.lower() in TELLING]
    name = "_".join(words) or role
    used, number, unused = set(taken), 1, name
    while unused in used:
        number += 1
        unused = f"{name}_{number}"
    return unused


def _plain(value: Any, texts: Mapping[str, str]) -> Any:
    if isinstance(value, Path):
        value = str(value)
    if isinstance(value, str):
        return _replaced(value, texts)
    if isinstance(value, Mapping):
        kept = {k: v for k, v in value.items() if k not in PRIVATE_KEYS}
        return {key: _plain(item, texts) for key, item in kept.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item, texts) for item in value]
    return value


def _replaced(text: str, texts: Mapping[str, str]) -> str:
    if not texts:
        return text
    longest = sorted(texts, key=len, reverse=True)
    # Not within a longer name: "a.nii" is not in "extra.nii".
    found = "|".join(re.escape(old) for old in longest)
    return re.sub(rf"(?<![\w.-])(?:{found})(?![\w-])", lambda match: texts[match[0]], text)
