"""A BIDS dataset on disk: its participants, sessions, images and what their sidecars say."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from ..cortex.errors import InputError
from .bids_names import BidsName, Unit, label_of

IMAGES = (".nii.gz", ".nii", ".nrrd", ".seg.nrrd", ".nhdr", ".mha")
"""Extensions of images. BIDS itself knows the first two; segmentations come in the others."""


@dataclass(frozen=True)
class BidsFile:
    """A file of a dataset."""

    path: Path
    name: BidsName


@dataclass(frozen=True)
class Dataset:
    """A raw or derivative dataset.

    Attributes:
        root: its folder.
        link: what other datasets call it in BIDS URIs.
    """

    root: Path
    link: str

    def __post_init__(self) -> None:
        if not self.root.is_dir():
            raise InputError(f"There is no folder {self.root}. Check its name.")

    @cached_property
    def description(self) -> dict[str, Any]:
        """``dataset_description.json``; empty where there is none."""
        return read_json(self.root / "dataset_description.json") or {}

    def units(self, participants: Sequence[str] = (), sessions: Sequence[str] = ()) -> list[Unit]:
        """Participants and sessions, those that are asked for or all, in order.

        Raises:
            InputError: there are none, or one that is asked for is not there.
        """
        every = list(self._units())
        if not every:
            raise InputError(
                f"{self.root} holds no participants: a BIDS dataset has folders named sub-LABEL. "
                "Give the dataset's folder."
            )
        wanted = [label_of(text, "sub") for text in participants]
        _all_known(wanted, {unit.participant for unit in every}, "participant", self.root)
        chosen = [unit for unit in every if not wanted or unit.participant in wanted]
        wanted = [label_of(text, "ses") for text in sessions]
        _all_known(wanted, {unit.session for unit in chosen} - {""}, "session", self.root)
        return [unit for unit in chosen if not wanted or unit.session in wanted]

    def _units(self) -> Iterator[Unit]:
        for folder in _folders(self.root, "sub"):
            sessions = _folders(folder, "ses")
            if not sessions or (folder / "anat").is_dir():
                yield Unit(folder.name[4:])
            yield from (Unit(folder.name[4:], session.name[4:]) for session in sessions)

    def images(self, unit: Unit) -> list[BidsFile]:
        """The images in a unit's ``anat`` folder, by name."""
        return [file for file in self._files(unit) if file.name.extension in IMAGES]

    def _files(self, unit: Unit) -> Iterator[BidsFile]:
        for path in _listed(self.root / unit.folder / "anat"):
            name = BidsName.parse(path.name)
            if name and all(name.entities.get(k) == v for k, v in unit.entities.items()):
                yield BidsFile(path, name)

    def sidecars(self, file: BidsFile, extension: str) -> list[Path]:
        """The files of an extension that describe an image, the one that wins last.

        BIDS, "The Inheritance Principle": a sidecar may lie in any folder above too, with some
        of the image's entities; the closer one wins.
        """
        found = []
        folders = [f for f in [file.path.parent, *file.path.parent.parents] if self._within(f)]
        for folder in reversed(folders):
            named = [(path, BidsName.parse(path.name)) for path in _listed(folder)]
            own = [(p, n) for p, n in named
                   if n and n.extension == extension and n.belongs_to(file.name)]  # fmt: skip
            found += [path for path, name in sorted(own, key=lambda pair: len(pair[1].entities))]
        return found

    def metadata(self, file: BidsFile) -> dict[str, Any]:
        """What the JSON sidecars of an image say together."""
        merged: dict[str, Any] = {}
        for path in self.sidecars(file, ".json"):
            merged |= read_json(path) or {}
        return merged

    def uri(self, path: Path) -> str:
        """A file's BIDS URI."""
        return f"bids:{self.link}:{path.relative_to(self.root).as_posix()}"

    def _within(self, folder: Path) -> bool:
        return folder == self.root or self.root in folder.parents


def read_json(path: Path) -> dict[str, Any] | None:
    """The object in a JSON file; None where there is no such file.

    Raises:
        InputError: it is not JSON, or not an object.
    """
    try:
        values = json.loads(path.read_text(encoding="utf-8-sig"))
    except FileNotFoundError:
        return None
    except OSError as error:
        raise InputError(
            f"{path} cannot be read ({error.strerror}). Check its permissions."
        ) from None
    except ValueError:
        raise InputError(f"{path} is not valid JSON. Correct or remove it.") from None
    if not isinstance(values, dict):
        raise InputError(f"{path} should hold names and values in braces. Correct or remove it.")
    return values


def read_tsv(path: Path) -> list[dict[str, str]]:
    """The rows of a table, by column.

    Raises:
        InputError: it cannot be read, or a row has not as many cells as the first line.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise InputError(f"There is no table {path}. Check its name.") from None
    except (OSError, ValueError):
        raise InputError(f"{path} cannot be read as a table in UTF-8. Save it so.") from None
    lines = [line.split("\t") for line in text.splitlines() if line.strip()]
    heads, *rows = lines or [[]]
    if bad := [n for n, row in enumerate(rows, 2) if len(row) != len(heads)]:
        raise InputError(
            f"{path} has {len(heads)} columns, but line {bad[0]} has another number of cells. "
            "Separate cells by tabs."
        )
    return [dict(zip((h.strip() for h in heads), row, strict=True)) for row in rows]


def label_names(dataset: Dataset, file: BidsFile) -> tuple[dict[int, str], list[Path]]:
    """Names of a label map's values from its ``dseg.tsv``, and the table that says so.

    BIDS, "Common image-derived labels": columns ``index`` and ``name``.

    Raises:
        InputError: a table without these columns, or an index that is not a whole number.
    """
    tables = dataset.sidecars(file, ".tsv")[-1:]
    names: dict[int, str] = {}
    for path in tables:
        for row in read_tsv(path):
            index, name = row.get("index"), row.get("name")
            if not index or not name or not re.fullmatch(r"\d+", index.strip()):
                raise InputError(
                    f"{path} should have the columns index and name, and a whole number as each "
                    "index."
                )
            names[int(index)] = name.strip()
    return names, tables


def _folders(parent: Path, key: str) -> list[Path]:
    named = [path for path in _listed(parent) if path.is_dir()]
    return [path for path in named if re.fullmatch(rf"{key}-[a-zA-Z0-9]+", path.name)]


def _listed(folder: Path) -> list[Path]:
    return sorted(folder.iterdir()) if folder.is_dir() else []


def _all_known(wanted: Iterable[str], known: Iterable[str], what: str, root: Path) -> None:
    missing = sorted(set(wanted) - set(known))
    if missing:
        there = sorted(known)
        some = ", ".join(there[:10]) + (f" and {len(there) - 10} more" if len(there) > 10 else "")
        raise InputError(
            f"There is no {what} {', '.join(missing)} in {root}. There is: {some or 'none'}."
        )


def matching(files: Iterable[BidsFile], chosen: Mapping[str, str]) -> list[BidsFile]:
    """Files whose names do not contradict the chosen entities."""
    return [
        file
        for file in files
        if all(file.name.entities.get(key, label) == label for key, label in chosen.items())
    ]
