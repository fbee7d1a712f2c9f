"""A session of reading by eye: blinded cases in random order, rated and written one by one.

Nothing in here shows anything. Two files hold a reader's session in the folder of readings:
``reading_NAME.tsv`` with the ratings (:mod:`.readings`), and ``reading_NAME.json`` with the seed
and the order of the cases, which is the key from a case's number to its name.
"""

from __future__ import annotations

import hashlib
import json
import os
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..cortex.errors import InputError
from .provenance import now
from .readings import (
    HEMISPHERES,
    ITEMS,
    Reading,
    read_readings,
    read_table,
    readings_text,
    replace_file,
)

SCENES = (".mrb", ".mrml")
IMAGES = (".nii.gz", ".nii", ".nrrd", ".nhdr", ".mha", ".mhd")
# Ends of file names that say that an image is no picture of anything (Slicer's, BIDS').
_LABELS = (".seg.nrrd", "_dseg.nii.gz", "_mask.nii.gz", "_dseg.nii", "_mask.nii")


@dataclass(frozen=True)
class Case:
    """What is read: a name that all readers' tables share, and a scene or an image."""

    case_id: str
    path: Path

    @property
    def is_scene(self) -> bool:
        """Whether the file is a scene of Slicer's."""
        return self.path.name.lower().endswith(SCENES)


def find_cases(source: str | os.PathLike) -> list[Case]:
    """The cases in a folder or a list.

    Args:
        source: a folder of scenes and images, whose names without suffix become the cases'
            names; or a table (.tsv) with the column ``path``, relative to the table, and where
            wanted ``case_id``. Its other columns are not looked at.

    Raises:
        InputError: there are none, two have the same name, or the list is no table.
    """
    source = Path(source)
    if source.is_dir():
        cases = [Case(_stem(file), file) for file in sorted(source.iterdir()) if _is_case(file)]
    elif source.suffix.lower() == ".tsv":
        cases = _listed(source)
    elif _is_case(source):
        cases = [Case(_stem(source), source)]
    else:
        raise InputError(
            f"{source} is neither a folder nor a list. Choose a folder of scenes (.mrb) or "
            "images (.nrrd, .nii.gz), or a table (.tsv) with the column path."
        )
    if not cases:
        raise InputError(
            f"There is nothing to read in {source}. Scenes end in .mrb, images in .nrrd, "
            ".nii.gz, .nii or .mha."
        )
    known: dict[str, Case] = {}
    for case in cases:
        if not case.case_id.isprintable():
            raise InputError(f"The name {case.case_id!r} cannot stand in a table. Rename the case.")
        if case.case_id in known:
            raise InputError(
                f"Two cases are called {case.case_id} ({known[case.case_id].path.name} and "
                f"{case.path.name}). Rename one, or list the cases in a table with case_id."
            )
        known[case.case_id] = case
    return cases


def _listed(source: Path) -> list[Case]:
    names, rows = read_table(source)
    if "path" not in names:
        raise InputError(f"{source} has no column path, so it does not say what to read.")
    cases = []
    for number, cells in rows:
        path = Path(source.parent, cells["path"])
        name = cells.get("case_id", "") or _stem(path)
        if not cells["path"]:
            raise InputError(f"{source}, line {number}: path is empty.")
        cases.append(Case(name, path))
    return cases


def _is_case(file: Path) -> bool:
    name = file.name.lower()
    return (
        file.is_file()
        and name.endswith((*SCENES, *IMAGES))
        and not name.endswith(_LABELS)
        and not name.startswith(".")
    )


def _stem(file: Path) -> str:
    name = file.name
    ends = [end for end in (*SCENES, *IMAGES) if name.lower().endswith(end)]
    return name[: -len(ends[0])] if ends else name


def file_stem(reader: str) -> str:
    """What a reader's files are called, without suffix: the name in small letters and dashes.

    Raises:
        InputError: the name has no letter or digit, or cannot stand in a table.
    """
    words = "".join(c if c.isalnum() else " " for c in reader.casefold()).split()
    if not words or not reader.isprintable():
        raise InputError("Type the reader's name or initials, with at least one letter.")
    return "reading_" + "-".join(words)


def seed_of(reader: str) -> int:
    """The seed of a reader's order: another for each name, the same for the same name."""
    return int(hashlib.sha256(reader.strip().casefold().encode()).hexdigest()[:8], 16)


class Session:
    """One reader's way through the cases.

    Attributes:
        reader: the name, as typed the first time.
        seed: of the random order.
        table, key: the reader's two files.
        position: of the present case in the order, from 0.
        unreadable: by name, why a case could not be shown.
        missing: names of cases whose file is not there; they are left out.
    """

    def __init__(
        self,
        reader: str,
        cases: Sequence[Case],
        folder: str | os.PathLike,
        clock: Callable[[], str] = now,
    ) -> None:
        """Starts a session, or goes on with the one whose files are in the folder.

        Raises:
            InputError: no case is there, or the folder or the files cannot be used.
        """
        stem = file_stem(reader)
        self.reader = reader.strip()
        self.seed = seed_of(reader)
        self.table = Path(folder, f"{stem}.tsv")
        self.key = Path(folder, f"{stem}.json")
        self.unreadable: dict[str, str] = {}
        self.position = 0
        self._clock = clock
        self._cases = {case.case_id: case for case in cases if case.path.exists()}
        self.missing = [case.case_id for case in cases if not case.path.exists()]
        if not self._cases:
            raise InputError(
                f"None of the {len(cases)} cases is where the list says. "
                "Check that the disk is there and the list is right."
            )
        self._ratings: dict[tuple[str, str], Reading] = {}
        self._history: list[tuple[int, str, Reading | None]] = []
        self._written: str | None = None
        self.order = self._resume(folder)
        self.go_to_open()

    # Files --------------------------------------------------------------------------------

    def _resume(self, folder: str | os.PathLike) -> list[str]:
        """Reads what is there of an earlier session, and returns the order of cases."""
        try:
            Path(folder).mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise InputError(
                f"The folder {folder} cannot be made ({error.strerror}). Choose another."
            ) from None
        earlier = self._read_key()
        if self.table.exists():
            readings = read_readings(self.table)
            self._check_reader(*{one.reader for one in readings})
            self._ratings = {(one.case_id, one.hemisphere): one for one in readings}
            self._written = self.table.read_text(encoding="utf-8")
        order = earlier.get("order", [])
        self.seed = earlier.get("seed", self.seed)
        self._check_reader(*([earlier["reader"]] if "reader" in earlier else []))
        new = sorted(name for name in self._cases if name not in order)
        # Another seed than before, so that added cases are shuffled anew; the order is stored.
        random.Random(self.seed + len(order)).shuffle(new)
        self._whole_order = [*order, *new]
        replace_file(self.key, self._key_text())
        return [name for name in self._whole_order if name in self._cases]

    def _read_key(self) -> dict[str, Any]:
        if not self.key.exists():
            return {}
        try:
            found = json.loads(self.key.read_text(encoding="utf-8"))
            order, seed, reader = found["order"], found["seed"], found["reader"]
        except (OSError, ValueError, KeyError, TypeError):
            order = seed = reader = None
        named = isinstance(order, list) and all(isinstance(name, str) for name in order)
        if not (named and isinstance(seed, int) and isinstance(reader, str)):
            raise InputError(
                f"{self.key} is damaged, so the order of the cases is not known. Bring back a "
                "copy of it, or move it away to start in a new order; ratings are kept."
            )
        return {"order": order, "seed": seed, "reader": reader}

    def _check_reader(self, *names: str) -> None:
        """The files belong to this reader: other names may give the same file name."""
        for name in names:
            if name.casefold() != self.reader.casefold():
                raise InputError(
                    f"{self.table.name} belongs to the reader {name}. "
                    f"Type that name to go on, or another than {self.reader}."
                )
            self.reader = name

    def _key_text(self) -> str:
        record = {
            "reader": self.reader,
            "seed": self.seed,
            "order": self._whole_order,
            "unreadable": self.unreadable,
            "missing": self.missing,
        }
        return json.dumps(record, indent=1, ensure_ascii=False) + "\n"

    def save(self) -> None:
        """Writes the ratings. Called after each one, so that nothing is ever lost.

        Raises:
            InputError: the file cannot be written, or someone else has changed it.
        """
        rank = {name: n for n, name in enumerate(sorted({c for c, _side in self._ratings}))}
        readings = sorted(self._ratings.values(), key=lambda r: (rank[r.case_id], r.hemisphere))
        there = self.table.read_text(encoding="utf-8") if self.table.exists() else None
        if there != self._written:
            raise InputError(
                f"{self.table} was changed by someone else since the session began. "
                "End the session and start it again; the last rating was not written."
            )
        text = readings_text(readings)
        replace_file(self.table, text)
        self._written = text

    # Where one is -------------------------------------------------------------------------

    @property
    def case(self) -> Case:
        """The present case."""
        return self._cases[self.order[self.position]]

    @property
    def number(self) -> int:
        """Number of the present case, from 1: all that a reader learns of it."""
        return self.position + 1

    @property
    def count(self) -> int:
        """How many cases there are."""
        return len(self.order)

    def ratings(self, hemisphere: str) -> Mapping[str, int]:
        """The present case's answers in a hemisphere."""
        one = self._ratings.get((self.case.case_id, hemisphere))
        return one.ratings if one else {}

    def is_skipped(self, hemisphere: str) -> bool:
        """Whether the reader said that the present case's hemisphere cannot be assessed."""
        one = self._ratings.get((self.case.case_id, hemisphere))
        return one is not None and not one.ratings

    def left_over(self, hemisphere: str, case_id: str = "") -> list[str]:
        """Items still to be rated in a hemisphere of a case, by default the present one."""
        one = self._ratings.get((case_id or self.case.case_id, hemisphere))
        return list(ITEMS) if one is None else one.missing

    def is_done(self, case_id: str = "") -> bool:
        """Whether everything is rated in a case, by default the present one."""
        return not any(self.left_over(side, case_id) for side in HEMISPHERES)

    @property
    def finished(self) -> int:
        """How many cases are done."""
        return sum(self.is_done(name) for name in self.order)

    # What a reader does -------------------------------------------------------------------

    def rate(self, hemisphere: str, item: str, answer: int) -> None:
        """Rates an item of the present case, and writes it.

        Raises:
            InputError: see :meth:`save`. The rating is kept, and written with the next.
        """
        if answer not in ITEMS[item]:
            raise ValueError(f"{item} is none of {ITEMS[item]}: {answer}")
        self._put(hemisphere, {**self.ratings(hemisphere), item: answer})

    def skip(self, hemisphere: str) -> None:
        """Says that a hemisphere of the present case cannot be assessed; drops its ratings.

        Raises:
            InputError: see :meth:`save`.
        """
        self._put(hemisphere, {})

    def _put(self, hemisphere: str, ratings: Mapping[str, int]) -> None:
        key = (self.case.case_id, hemisphere)
        before = self._ratings.get(key)
        if before is None or before.ratings != ratings:
            self._history.append((self.position, hemisphere, before))
            self._ratings[key] = Reading(self.reader, *key, ratings, self._clock())
        self.save()

    def undo(self) -> str:
        """Takes the last rating of this session back, and goes to its case.

        Returns:
            The hemisphere; empty when there is nothing to take back.

        Raises:
            InputError: see :meth:`save`.
        """
        if not self._history:
            return ""
        self.position, hemisphere, before = self._history.pop()
        key = (self.case.case_id, hemisphere)
        if before is None:
            del self._ratings[key]
        else:
            self._ratings[key] = before
        self.save()
        return hemisphere

    def move(self, steps: int) -> bool:
        """Goes to a later or, below 0, an earlier case; False at the end of the list."""
        to = min(max(self.position + steps, 0), self.count - 1)
        moved, self.position = to != self.position, to
        return moved

    def go_to_open(self) -> bool:
        """Goes to the first case with something to rate; False when there is none."""
        open_ = [n for n, name in enumerate(self.order) if not self.is_done(name)]
        self.position = open_[0] if open_ else self.count - 1
        return bool(open_)

    def cannot_read(self, reason: str) -> None:
        """Keeps with the key why the present case cannot be shown; empty when it can.

        Raises:
            InputError: the file cannot be written.
        """
        name = self.case.case_id
        if self.unreadable.get(name, "") == reason:
            return
        self.unreadable.pop(name, None)
        if reason:
            self.unreadable[name] = reason
        replace_file(self.key, self._key_text())
