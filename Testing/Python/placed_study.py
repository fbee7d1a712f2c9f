"""Tables of controls and a patient, written for tests of the commands compare and followup."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

BINS = 5


def table(path: Path, rows: Iterable[Sequence[object]]) -> Path:
    """Writes rows, the first of which names the columns."""
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = ["\t".join(map(str, row)) for row in rows]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


class Clinic:
    """Controls whose thickness falls by 0.01 mm a year, and a patient beside them.

    Attributes:
        people, measures, profiles: rows of the tables, which a test may change.
        folder: where :meth:`write` puts them: ``participants.tsv``, ``group_measures.tsv``,
            ``group_profiles.tsv``, and the patient's own tables in ``patient/``.
    """

    def __init__(self, folder: Path, controls: int = 14, patients: int = 3, seed: int = 0) -> None:
        rng = np.random.default_rng(seed)
        self.folder = folder
        self.people = [["participant_id", "group", "age", "sex"]]
        self.measures = [["participant_id", "region", "map", "measure", "value", "unit"]]
        self.profiles = [
            ["participant_id", "region", "map", "bin", "depth_from", "depth_to", "mean"]
        ]
        self.patient: list[list[object]] = [["region", "map", "measure", "value", "unit"]]
        self.curve: list[list[object]] = [
            ["region", "map", "bin", "depth_from", "depth_to", "mean"]
        ]
        labels = [f"C{i:02d}" for i in range(controls)] + [f"P{i:02d}" for i in range(patients)]
        for i, label in enumerate(labels):
            age = round(float(rng.normal(60, 9)), 1)
            group = "HC" if i < controls else "ALS"
            self.people.append([label, group, age, "MF"[i % 2]])
            thickness = 3.2 - 0.01 * (age - 60) + rng.normal(0, 0.1)
            self.measures += [
                [label, "ribbon", "n/a", "thickness_mean", round(thickness, 5), "mm"],
                [label, "left_hand", "T2star", "mean", round(30 + rng.normal(0, 2), 4), "ms"],
                [label, "ribbon", "n/a", "ribbon_volume", round(900 + rng.normal(0, 50), 2), "mm3"],
            ]
            for k in range(BINS):
                mean = round(30 + rng.normal(0, 1), 4)
                self.profiles.append(
                    [label, "ribbon", "T2star", k + 1, k / BINS, (k + 1) / BINS, mean]
                )
        self.patient += [
            ["ribbon", "n/a", "thickness_mean", 2.6, "mm"],
            ["left_hand", "T2star", "mean", 21.0, "ms"],
            ["ribbon", "n/a", "ribbon_volume", 700.0, "mm3"],
        ]
        for k in range(BINS):
            self.curve.append(["ribbon", "T2star", k + 1, k / BINS, (k + 1) / BINS, 30.0 - 2 * k])

    def values(self, measure: str, group: str = "HC") -> np.ndarray:
        """A measure of a group, in the order of the table."""
        own = {row[0] for row in self.people[1:] if row[1] == group}
        rows = [row for row in self.measures[1:] if row[0] in own and row[3] == measure]
        return np.array([row[4] for row in rows], float)

    def ages(self, group: str = "HC") -> np.ndarray:
        """Ages of a group."""
        return np.array([row[2] for row in self.people[1:] if row[1] == group], float)

    def write(self) -> Clinic:
        """Writes all tables."""
        table(self.folder / "participants.tsv", self.people)
        table(self.folder / "group_measures.tsv", self.measures)
        table(self.folder / "group_profiles.tsv", self.profiles)
        table(self.folder / "patient" / "measures.tsv", self.patient)
        table(self.folder / "patient" / "profiles.tsv", self.curve)
        return self

    def arguments(self, *more: str) -> list[str]:
        """Of the command compare, with everything there is."""
        return [
            "compare", "--patient", str(self.folder / "patient"),
            "--controls", str(self.folder / "group_measures.tsv"),
            "--profiles", str(self.folder / "group_profiles.tsv"),
            "--participants", str(self.folder / "participants.tsv"),
            "--out", str(self.folder / "out"), *more,
        ]  # fmt: skip


def rows_of(path: Path) -> list[dict[str, str]]:
    """A table's rows by column."""
    head, *lines = path.read_text(encoding="utf-8").splitlines()
    return [dict(zip(head.split("\t"), line.split("\t"), strict=True)) for line in lines]
