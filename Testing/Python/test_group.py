"""A whole study: from tables to results, and what stays whole when something goes wrong."""

from __future__ import annotations

import json
import warnings
from pathlib import Path

import numpy as np
import pytest

from ALSMotorCortexLib import group
from ALSMotorCortexLib.cortex.errors import InputError
from ALSMotorCortexLib.group import GroupOptions, GroupStudy, study
from simulated_study import SimulatedStudy

FILES = {
    *(f"{name}.{kind}" for kind in ("tsv", "json") for name in (
        "groups", "comparisons", "roc", "combination", "combination_coefficients", "correlations",
        "profile_bands", "omissions",
    )),
    "report.html", "provenance.json",
}  # fmt: skip


def run(folder: Path, simulated: SimulatedStudy, **options: object) -> GroupStudy:
    simulated.write(folder)
    chosen = GroupOptions(**options)  # type: ignore[arg-type]
    return study([folder], folder / "participants.tsv", folder / "out", chosen)


def test_all_files_are_written_and_recorded(tmp_path: Path) -> None:
    found = run(tmp_path, SimulatedStudy())
    out = tmp_path / "out"
    assert {p.name for p in out.iterdir()} == FILES
    record = json.loads((out / "provenance.json").read_text(encoding="utf-8"))
    assert set(record["outputs"]) == FILES - {"provenance.json"}
    assert len(record["inputs"]) == 3
    assert all(len(i["sha256"]) == 64 for i in record["inputs"])
    assert found.combined is not None and found.profiles and found.correlations
    assert {key.region for key in found.combined.keys} == {"ribbon"}


def test_a_second_run_gives_the_same_tables(tmp_path: Path) -> None:
    run(tmp_path, SimulatedStudy(), seed=3)
    tables = {p.name: p.read_bytes() for p in (tmp_path / "out").glob("*.tsv")}
    run(tmp_path, SimulatedStudy(), seed=3)
    assert {p.name: p.read_bytes() for p in (tmp_path / "out").glob("*.tsv")} == tables


def test_own_results_among_the_measures_are_not_taken_for_input(tmp_path: Path) -> None:
    """The results lie in the folder that is searched, as in a batch."""
    first = run(tmp_path, SimulatedStudy())
    second = run(tmp_path, SimulatedStudy())
    assert second.data.ids == first.data.ids


def test_one_table_for_each_participant_gives_the_same(tmp_path: Path) -> None:
    simulated = SimulatedStudy()
    whole = run(tmp_path / "whole", simulated)
    for label in simulated.labels:
        folder = tmp_path / "each" / f"sub-{label}"
        folder.mkdir(parents=True)
        for name in ("measures", "profiles"):
            head, *rows = getattr(simulated, name)
            lines = [head[1:], *(row[1:] for row in rows if row[0] == label)]
            text = "\n".join("\t".join(map(str, line)) for line in lines)
            (folder / f"{name}.tsv").write_text(text + "\n", encoding="utf-8")
    each = study(
        [tmp_path / "each"], tmp_path / "whole" / "participants.tsv", tmp_path / "each_out"
    )
    for name in ("comparisons", "profile_bands", "correlations"):
        ours = (each.folder / f"{name}.tsv").read_bytes()
        assert ours == (whole.folder / f"{name}.tsv").read_bytes()


@pytest.mark.parametrize(("patients", "controls"), [(0, 9), (12, 0), (2, 2), (1, 9)])
def test_what_cannot_be_compared_is_told_and_the_rest_is_there(
    tmp_path: Path, patients: int, controls: int
) -> None:
    found = run(tmp_path, SimulatedStudy(patients=patients, controls=controls))
    assert all(row.difference is None for row in found.comparisons)
    assert found.combined is None
    assert any(f.warning for f in found.findings)
    assert any(o.kind == "comparison" for o in found.data.omissions)
    assert bool(found.correlations) == (patients >= 4)
    page = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    assert "What is missing or left out" in page and len(found.comparisons) == 9


def test_measures_are_chosen_and_combined_as_asked(tmp_path: Path) -> None:
    found = run(
        tmp_path, SimulatedStudy(), measures=("thickness_mean",), combine=("*_hand/thickness_mean",)
    )
    assert {row.key.measure for row in found.comparisons} == {"thickness_mean"}
    assert found.combined is not None
    assert [key.region for key in found.combined.keys] == ["left_hand", "right_hand"]


def test_without_the_usual_measures_all_are_compared(tmp_path: Path) -> None:
    simulated = SimulatedStudy()
    for row in simulated.measures[1:]:
        row[3] = f"own_{row[3]}"
    assert len(run(tmp_path, simulated).comparisons) == 9


def test_bad_input_leaves_old_results_whole(tmp_path: Path) -> None:
    run(tmp_path, SimulatedStudy())
    before = {p.name: p.read_bytes() for p in (tmp_path / "out").iterdir()}
    simulated = SimulatedStudy()
    simulated.participants.append(simulated.participants[1])
    with pytest.raises(InputError, match="Participant P00 stands twice"):
        run(tmp_path, simulated)
    assert {p.name: p.read_bytes() for p in (tmp_path / "out").iterdir()} == before
    assert not list(tmp_path.glob(".*.partial"))


def test_stopping_midway_leaves_old_results_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(tmp_path, SimulatedStudy())
    before = {p.name: p.read_bytes() for p in (tmp_path / "out").iterdir()}

    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(group.group_tables, "write_correlations", stop)
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path, SimulatedStudy(seed=1))
    assert {p.name: p.read_bytes() for p in (tmp_path / "out").iterdir()} == before


def test_progress_only_rises_and_ends(tmp_path: Path) -> None:
    SimulatedStudy().write(tmp_path)
    told: list[float] = []
    study(
        [tmp_path / "measures.tsv"], tmp_path / "participants.tsv", tmp_path / "out",
        progress=lambda step, fraction: told.append(fraction),
    )  # fmt: skip
    assert told == sorted(told) and told[-1] == 1


@pytest.mark.parametrize("seed", range(12))
def test_tables_full_of_holes_are_never_a_fault(tmp_path: Path, seed: int) -> None:
    """Few participants, many missing values, ties and constants: results or a sentence."""
    rng = np.random.default_rng(seed)
    simulated = SimulatedStudy(seed, *(int(n) for n in rng.integers(0, 8, 2)))
    for row in simulated.measures[1:]:
        chance = rng.random()
        row[4] = "n/a" if chance < 0.2 else round(float(row[4]), 1 if chance < 0.5 else 4)
        row[4] = 2.0 if row[1] == "left_hand" and seed % 2 else row[4]
    for table, first in ((simulated.participants, 2), (simulated.profiles, 6)):
        for row in table[1:]:
            row[first:] = [v if rng.random() > 0.3 else "n/a" for v in row[first:]]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        try:
            found = run(tmp_path, simulated)
        except InputError:
            assert len(simulated.labels) == 0
            return
    counted = sum(row.patients.n + row.patients.missing for row in found.comparisons)
    assert counted == found.data.patient.sum() * len(found.comparisons)
