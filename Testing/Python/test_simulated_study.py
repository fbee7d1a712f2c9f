"""A small simulated study, from echoes to the study report, with the benchmark's own program."""

from __future__ import annotations

import importlib.util
import sys
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from ALSMotorCortexLib.phantom import Parameters
from placed_study import rows_of

BENCHMARK = Path(__file__).resolve().parents[1] / "Benchmark"

SMALL = Parameters.small(
    times_ms=(5.0, 15.0, 30.0), spacing=(1.0, 0.5, 0.5), extent=(3.0, 24.0, 24.0), iron=30.0
)


@pytest.fixture(scope="module")
def program() -> ModuleType:
    """The benchmark's file, which is in no package and has its own neighbours."""
    path = BENCHMARK / "simulated_study.py"
    spec = importlib.util.spec_from_file_location("simulated_study_program", path)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    before = list(sys.path)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    sys.path[:] = before
    return module


@pytest.fixture(scope="module")
def study(program: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """Four patients and three controls, one after the other in this process; the summary."""
    out = tmp_path_factory.mktemp("simulated") / "study"
    scans = program.Plan(4, 3, SMALL).scans()
    # Patients differ from controls by what is given, so that so few of them do differ.
    known = {"patient": {"iron": 30.0, "atrophy": 0.4}, "control": {"iron": 2.0, "atrophy": 0.0}}
    for scan in scans:
        program.write_subject(out, replace(scan, **known[scan.group]))
    program.simulated = lambda folder, parameters: True
    return out, program.run(out, program.Plan(4, 3, SMALL), 1, 0)


def test_the_study_runs_from_echoes_to_its_report(
    program: ModuleType, study: tuple[Path, str]
) -> None:
    out, summary = study
    results = out / program.RESULTS
    assert (results / "study" / "report.html").stat().st_size > 20_000
    assert (results / "compare" / "report.html").is_file()
    rows = rows_of(results / "study" / "comparisons.tsv")
    found = {(r["region"], r["map"], r["measure"]): r for r in rows}
    thin = found["ribbon", "n/a", "thickness_mean"]
    dark = found["ribbon", "T2star", "deep_hypointensity"]
    assert (thin["patients_n"], thin["controls_n"]) == ("4", "3")
    assert float(thin["difference_high"]) < 0 < float(dark["difference_low"])
    for heading in ("## Measured and true", "## Patients and controls"):
        assert heading in summary


def test_what_is_measured_follows_the_truth(program: ModuleType, study: tuple[Path, str]) -> None:
    out, _ = study
    found = program.read_measures([out / program.RESULTS / "group_measures.tsv"])
    true = program.true_values(out)
    key, ids = program.SHOWN[0], sorted(found.values)
    assert len(ids) == 7
    # Three slices of 0.5 mm in plane leave a quarter of a voxel open.
    assert found.vector(key, ids) == pytest.approx(true.vector(key, ids), abs=0.125)


def test_coverage_finds_intervals_that_hold_too_little(program: ModuleType) -> None:
    """Intervals that agree are not called wrong, and wrong ones are."""
    coverage = sys.modules[program.coverage_table.__module__]
    rng = np.random.default_rng(0)
    patients, controls = rng.normal(size=(22, 3)) + [-1, 0, 0], rng.normal(size=(14, 3))
    said = program.coverage_table(["m"], patients, controls, 60)
    assert "All agree." in said
    narrow = coverage.welch
    try:
        coverage.welch = lambda x, y: narrow(x, y, 0.5)
        said = program.coverage_table(["m"], patients, controls, 60)
    finally:
        coverage.welch = narrow
    assert "Not in agreement, in bold: 1 of 15." in said
