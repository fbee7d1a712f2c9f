"""A simulated study of patients and controls, from echoes to the study report, beside its truth.

    PYTHONPATH=ALSMotorCortex python Testing/Benchmark/simulated_study.py OUT [--jobs 2]

simulates every participant's scan, measures all with ``bids participant``, compares the groups
with ``bids group``, places the worst patient among the controls with ``compare``, and prints what
was found beside what is true. Then it asks whether the study's intervals hold the truth as often
as they claim, over many studies drawn like this one. Run again with the same folder, it goes on
where it was stopped.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass, replace
from multiprocessing import get_context
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parents[1] / "ALSMotorCortex")]

import numpy as np  # noqa: E402
from numpy.typing import NDArray  # noqa: E402
from study_coverage import coverage_table  # noqa: E402
from tables import machine, table  # noqa: E402

from ALSMotorCortexLib import cli  # noqa: E402
from ALSMotorCortexLib.phantom import Parameters, write_subject  # noqa: E402
from ALSMotorCortexLib.study.measures import Key, Measures, read_measures  # noqa: E402
from ALSMotorCortexLib.study.participants import Participants, read_participants  # noqa: E402

RESULTS = Path("derivatives") / "als-motor-cortex"

SHOWN = (
    Key("ribbon", "", "thickness_mean"),
    Key("left_hand", "", "thickness_mean"),
    Key("ribbon", "T2star", "mean"),
    Key("ribbon", "T2star", "deep_hypointensity"),
    Key("left_hand", "T2star", "deep_hypointensity"),
    Key("ribbon", "T2star", "signal_thickness_ratio"),
    Key("ribbon", "R2star", "mean"),
)
"""Measures of the tables, as far as the study has them."""

TRIED = (SHOWN[0], SHOWN[2], SHOWN[3])
"""Measures whose intervals are tried."""


@dataclass(frozen=True)
class Plan:
    """What to simulate.

    Attributes:
        patients, controls: how many.
        base: all that is the same for every participant.
    """

    patients: int = 22
    controls: int = 14
    base: Parameters = Parameters.small(snr=20.0, hemisphere="both")

    def scans(self) -> list[Parameters]:
        """One for each participant; their labels say the group."""
        return [
            replace(self.base, subject=f"{letter}{i:02d}", group=group)
            for letter, group, count in (
                ("P", "patient", self.patients),
                ("C", "control", self.controls),
            )
            for i in range(1, count + 1)
        ]


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    add = parser.add_argument
    add("out", type=Path, metavar="OUT", help="folder of the simulated dataset")
    add("--patients", type=int, default=Plan.patients, help="(default %(default)s)")
    add("--controls", type=int, default=Plan.controls, help="(default %(default)s)")
    add("--jobs", type=int, default=2, help="processes (default %(default)s)")
    add("--seed", type=int, default=0, help="decides all that is drawn (default %(default)s)")
    add("--repeats", type=int, default=1000, help="studies drawn for the coverage (%(default)s)")
    add("--write", type=Path, metavar="FILE", help="write the summary there, too")
    options = parser.parse_args()
    plan = Plan(options.patients, options.controls)
    plan = replace(plan, base=replace(plan.base, seed=options.seed))
    text = run(options.out, plan, options.jobs, options.repeats)
    print(text)
    if options.write:
        options.write.write_text(text + "\n", encoding="utf-8")
    return 0


def run(out: Path, plan: Plan, jobs: int, repeats: int) -> str:
    """Simulates, measures, compares, and returns the summary as markdown.

    Args:
        out: the dataset's folder; results go into its derivatives.
        plan: what to simulate.
        jobs: processes.
        repeats: studies drawn for the coverage; 0 for none.
    """
    marks = [time.monotonic()]
    simulate(out, plan, jobs)
    marks.append(time.monotonic())
    command(["bids", str(out), str(out / RESULTS), "participant", "--jobs", str(jobs)])
    marks.append(time.monotonic())
    command(["bids", str(out), str(out / RESULTS), "group"])
    marks.append(time.monotonic())
    people = read_participants(out / "participants.tsv")
    found = read_measures([out / RESULTS / "group_measures.tsv"])
    compare_worst(out, people)
    seconds = np.diff(marks)
    parts = [
        "# A simulated study",
        machine(),
        about(plan, jobs, seconds),
        "## Measured and true\n\n" + truth_table(found, true_values(out), people),
        "## Patients and controls\n\n" + "\n\n".join(study_tables(out / RESULTS / "study")),
    ]
    if repeats:
        parts += ["## Do the intervals hold the truth?\n\n" + coverage_of(found, people, repeats)]
    return "\n\n".join(parts)


# Making it --------------------------------------------------------------------------------


def simulate(out: Path, plan: Plan, jobs: int) -> None:
    """Writes all scans that are not there yet."""
    todo = [p for p in plan.scans() if not simulated(out, p)]
    if not todo:
        return
    write_subject(out, todo[0])  # makes the dataset, so that the others only add to it
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as pool:
        for _ in pool.map(write_subject, [out] * (len(todo) - 1), todo[1:]):
            pass


def simulated(out: Path, parameters: Parameters) -> bool:
    """Whether a scan with these parameters is there already."""
    anat = out / "derivatives" / "truth" / f"sub-{parameters.subject}" / "anat"
    files = list(anat.glob("*_parameters.json"))
    if not files:
        return False
    there = json.loads(files[0].read_text(encoding="utf-8"))["parameters"]
    return bool(there == json.loads(json.dumps(asdict(parameters))))


def command(arguments: Sequence[str]) -> None:
    """Runs a command of the command line, and stops where it fails."""
    status = cli.main([*arguments, "--quiet"])
    if status:
        raise SystemExit(status)


def compare_worst(out: Path, people: Participants) -> None:
    """Places the patient with the highest UMN score among the controls, with ``compare``."""
    patients = [p for p in people.people if p.group == "patient"]
    worst = max(patients, key=lambda p: (p.scores["umn_score"], p.id))
    results = out / RESULTS
    command(
        ["compare", "--patient", str(results / f"sub-{worst.id}" / "anat"),
         "--controls", str(results / "group_measures.tsv"),
         "--profiles", str(results / "group_profiles.tsv"),
         "--participants", str(out / "participants.tsv"), "--out", str(results / "compare")]
    )  # fmt: skip


# Telling it -------------------------------------------------------------------------------


def about(plan: Plan, jobs: int, seconds: NDArray[np.float64]) -> str:
    p = plan.base
    shape = " x ".join(str(n) for n in p.shape[::-1])
    voxel = " x ".join(f"{mm:g}" for mm in p.spacing[::-1])
    sides = "both hemispheres" if p.hemisphere == "both" else f"the {p.hemisphere} hemisphere"
    steps = " min, ".join(
        f"{name} {s / 60:.1f}"
        for name, s in zip(("simulated in", "measured in", "compared in"), seconds, strict=True)
    )
    return (
        f"{plan.patients} patients and {plan.controls} controls, {sides}, {len(p.times_ms)} echoes "
        f"of {shape} voxels a side of {voxel} mm, SNR {p.snr:g} at the first echo, {p.tesla:g} T, "
        f"seed {p.seed}. From the echoes' files on all is done by `bids participant` and `bids "
        f"group`, with true labels and default options, in {jobs} processes: {steps} min."
    )


def true_values(out: Path) -> Measures:
    """What a perfect measurement would give of every participant."""
    return read_measures([out / "derivatives" / "truth"])


def truth_table(found: Measures, true: Measures, people: Participants) -> str:
    """Means of both groups, measured and true, and the error of single participants."""
    rows = []
    for key in SHOWN:
        if key not in found.units or key not in true.units:
            continue
        for group in ("patient", "control"):
            ids = [p.id for p in people.people if p.group == group]
            a, b = found.vector(key, ids), true.vector(key, ids)
            error = a - b
            r = float(np.corrcoef(a, b)[0, 1]) if len(ids) > 2 else np.nan
            rows.append(
                [f"{key}{_unit(found.units[key])}", f"{group}s",
                 *(f"{x:.4g}" for x in (a.mean(), b.mean(), error.mean(), error.std(ddof=1))),
                 f"{r:.3f}"]
            )  # fmt: skip
    head = ("measure", "group", "measured", "true", "mean error", "SD of error", "r over group")
    return table(head, rows)


def _unit(unit: str) -> str:
    return f" ({unit})" if unit not in ("", "1") else ""


def study_tables(study: Path) -> Iterator[str]:
    """The main numbers of the study report."""
    comparisons = _by_key(study / "comparisons.tsv")
    areas = _by_key(study / "roc.tsv")
    rows = []
    for key in [k for k in SHOWN if k in comparisons]:
        c, a = comparisons[key], areas.get(key, {})
        rows.append(
            [str(key), _interval(c, "difference"), _interval(c, "ancova_difference"),
             _interval(c, "hedges_g"), f"{_number(c, 'mann_whitney_q'):.2g}",
             _interval(a, "cross_validated_auc"), _interval(a, "cross_validated_accuracy")]
        )  # fmt: skip
    head = ("measure", "difference", "at equal age and sex", "Hedges' g", "q",
            "AUC, cross-validated", "accuracy, cross-validated")  # fmt: skip
    yield table(head, rows)
    wanted = ("umn_score", "disease_progression_rate")
    rows = [
        [row["score"], _key(row), _interval(row, "pearson_r"), _interval(row, "spearman_r"),
         f"{_number(row, 'spearman_q'):.2g}"]
        for row in _rows(study / "correlations.tsv")
        if row["score"] in wanted and _key(row) in SHOWN
    ]  # fmt: skip
    yield table(("score", "measure", "Pearson's r", "Spearman's rho", "q"), rows)
    rows = [
        [row["validation"], row["quantity"], _interval(row, "", "value")]
        for row in _rows(study / "combination.tsv")
    ]
    yield table(("measures combined", "", "value"), rows)


def _rows(path: Path) -> list[dict[str, str]]:
    head, *lines = path.read_text(encoding="utf-8").splitlines()
    return [dict(zip(head.split("\t"), line.split("\t"), strict=True)) for line in lines]


def _key(row: dict[str, str]) -> Key:
    return Key(row["region"], row["map"].replace("n/a", ""), row["measure"])


def _by_key(path: Path) -> dict[Key, dict[str, str]]:
    return {_key(row): row for row in _rows(path)}


def _number(row: dict[str, str], name: str) -> float:
    text = row.get(name, "n/a")
    return np.nan if text == "n/a" else float(text)


def _interval(row: dict[str, str], name: str, value: str = "") -> str:
    low, high = (f"{name}_{end}" if name else end for end in ("low", "high"))
    numbers = [_number(row, n) for n in (value or name, low, high)]
    return "{:.3g} ({:.3g} to {:.3g})".format(*numbers)


# Coverage ---------------------------------------------------------------------------------


def coverage_of(found: Measures, people: Participants, repeats: int) -> str:
    """The coverage table, with this study's means and covariances as the model."""
    groups: list[Any] = []
    keys = [key for key in TRIED if key in found.units]
    for group in ("patient", "control"):
        own = [p for p in people.people if p.group == group]
        columns = [found.vector(key, [p.id for p in own]) for key in keys]
        age = np.array([p.age for p in own])
        score = np.array([p.scores.get("umn_score", 0.0) for p in own])
        groups.append(np.column_stack([*columns, age, np.nan_to_num(score)]))
    return coverage_table([str(key) for key in keys], groups[0], groups[1], repeats)


if __name__ == "__main__":
    raise SystemExit(main())
