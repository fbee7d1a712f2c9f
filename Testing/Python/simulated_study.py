"""A study made of random numbers whose truth is known: the tables that ``group`` reads."""

from __future__ import annotations

from pathlib import Path

import numpy as np

REGIONS = ("ribbon", "left_hand", "right_hand")
PATIENTS, CONTROLS = 12, 9


class SimulatedStudy:
    """Tables of participants, measures and profiles, as lists of rows that a test may change.

    Patients have the thinner cortex; the score of a patient's arm thins the opposite hand area.
    """

    def __init__(self, seed: int = 0, patients: int = PATIENTS, controls: int = CONTROLS) -> None:
        rng = np.random.default_rng(seed)
        self.participants = [
            ["participant_id", "group", "age", "sex", "umn_score", "umn_score_left_arm",
             "umn_score_right_arm", "alsfrs_r", "onset_date", "exam_date"]
        ]  # fmt: skip
        self.measures = [["participant_id", "region", "map", "measure", "value", "unit"]]
        self.profiles = [
            ["participant_id", "region", "map", "bin", "depth_from", "depth_to", "mean"]
        ]
        labels = [f"P{i:02d}" for i in range(patients)] + [f"C{i:02d}" for i in range(controls)]
        self.labels = labels
        for i, label in enumerate(labels):
            ill = i < patients
            arms = rng.integers(0, 5, 2)
            clinical = (
                [arms.sum(), *arms, 40 - arms.sum(), "2020-01-01", "2021-05-02"]
                if ill
                else ["n/a"] * 6
            )
            self.participants.append(
                [label, "ALS" if ill else "HC", round(rng.normal(60, 8)), "MF"[i % 2], *clinical]
            )
            for region in REGIONS:
                # left_arm is arms[0] and belongs to the right hand area.
                score = {"left_hand": arms[1], "right_hand": arms[0]}.get(region, arms.mean())
                thickness = 2.6 - ill * (0.15 + 0.1 * score) + rng.normal(0, 0.08)
                darkness = 0.1 + 0.1 * ill + rng.normal(0, 0.06)
                self.measures += [
                    [label, region, "n/a", "thickness_mean", round(thickness, 4), "mm"],
                    [label, region, "T2star", "mean", round(rng.normal(30, 2), 3), "ms"],
                    [label, region, "T2star", "deep_hypointensity", round(darkness, 5), "1"],
                ]
                for k in range(5):
                    value = 30 - ill * 1.5 * k + rng.normal(0, 1)
                    self.profiles.append(
                        [label, region, "T2star", k + 1, k / 5, (k + 1) / 5, round(value, 3)]
                    )

    def set(self, label: str, column: str, value: object) -> None:
        """Changes a participant's cell."""
        at = self.participants[0].index(column)
        next(row for row in self.participants[1:] if row[0] == label)[at] = value

    def drop(self, label: str) -> None:
        """Takes a participant's measures away."""
        self.measures = [row for row in self.measures if row[0] != label]

    def write(self, folder: Path) -> Path:
        """Writes the three tables."""
        folder.mkdir(parents=True, exist_ok=True)
        for name in ("participants", "measures", "profiles"):
            lines = ["\t".join(map(str, row)) for row in getattr(self, name)]
            (folder / f"{name}.tsv").write_text("\n".join(lines) + "\n", encoding="utf-8")
        return folder
