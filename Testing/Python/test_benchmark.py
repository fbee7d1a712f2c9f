"""The benchmark's own program, and parts of it that take seconds. The tests of phantoms and of
intervals run the trials of ``recovery`` and ``coverage`` to their limits."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path

import benchmark
import interval_coverage
import processes
import pytest
import recovery
from recovery import Recovered, recovery_table
from tables import Detail

from ALSMotorCortexLib.phantom import Parameters

README = f"# Title\n\nBefore.\n\n{benchmark.MARKERS[0]}\nold\n{benchmark.MARKERS[1]}\n\nAfter.\n"


def test_readme_gets_summaries_between_its_markers() -> None:
    texts = ["# Benchmark\n\n- a machine", "## Part\n\nsummary", Detail("### All\n\ndetails")]
    made = benchmark.with_tables(README, texts)
    before, after = README.split("old")
    assert made == f"{before}\n- a machine\n\n#### Part\n\nsummary\n\n{after.lstrip()}"


def test_a_file_without_markers_is_left_alone() -> None:
    with pytest.raises(SystemExit, match="benchmark: start"):
        benchmark.with_tables("# Title\n", ["text"])


def test_parts_run_in_their_order(monkeypatch: pytest.MonkeyPatch) -> None:
    def part(name: str) -> benchmark.Part:
        def run(options: argparse.Namespace, laynii: object) -> Iterator[str]:
            yield name

        return run

    monkeypatch.setattr(benchmark, "PARTS", {name: part(name) for name in benchmark.PARTS})
    every = list(benchmark.PARTS)
    assert every.index("speed") == 0 and {"recovery", "coverage"} <= set(every)
    for asked in (every, ["coverage", "tilt"]):
        _, *texts = benchmark.sections(argparse.Namespace(parts=asked), None)
        assert texts == [name for name in every if name in asked]


def test_recovery_tells_errors_in_the_units_of_its_rows() -> None:
    layers = ((33.0, 30.0), (30.0, 30.0), (24.0, 25.0))
    one = Recovered((2.52, 2.5), layers, (0.273, 0.167))
    other = Recovered((2.56, 2.6), layers, (0.273, 0.233))
    rows = [
        [cell.strip() for cell in line.split("|")[1:-1]]
        for line in recovery_table({"controls": [one, other]}).splitlines()[2:]
    ]
    assert rows == [
        ["thickness, true (mm)", "2.50 to 2.60"],
        ["thickness, error (mm)", "-0.01 (-0.04 to +0.02)"],
        ["T2*, superficial layer, error (%)", "+10.0 (+10.0 to +10.0)"],
        ["T2*, middle layer, error (%)", "+0.0 (+0.0 to +0.0)"],
        ["T2*, deep layer, error (%)", "-4.0 (-4.0 to -4.0)"],
        ["deep hypointensity, true", "0.17 to 0.23"],
        ["deep hypointensity, error", "+0.073 (+0.040 to +0.106)"],
    ]


def test_recovery_of_a_small_scan(monkeypatch: pytest.MonkeyPatch) -> None:
    small = Parameters.small(extent=(6.0, 34.0, 34.0))
    monkeypatch.setattr(recovery, "scans", lambda count: [small])
    summary, elsewhere = recovery.report(True)
    assert not isinstance(summary, Detail) and isinstance(elsewhere, Detail)
    assert "|  | controls, true labels | controls, traced |" in summary
    assert "| T2star, controls |" in elsewhere and "| R2star, controls |" in elsewhere
    assert "nan" not in summary


def test_coverage_has_a_row_for_each_kind_of_interval(monkeypatch: pytest.MonkeyPatch) -> None:
    tried = list(interval_coverage.used(20, 4, 2))
    table = interval_coverage.coverage_table(tried)
    names = {one.name for one in tried}
    assert len(table.splitlines()) == 2 + len(names)
    for text in ("(t)", "Welch", "ANCOVA", "Hedges' g", "DeLong", "Wilson", "Pearson", "combined"):
        assert any(text in name for name in names)
    monkeypatch.setattr(interval_coverage, "used", lambda *repeats: iter(tried))
    summary, rest, unused = interval_coverage.report(True)
    assert "sensitivity" not in summary and "sensitivity" in rest
    assert isinstance(rest, Detail) and isinstance(unused, Detail)


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="this system has no /proc")
def test_memory_is_that_of_a_process_and_those_that_it_starts() -> None:
    alone = "import time; held = bytearray(100 << 20); time.sleep(0.3)"
    command = [sys.executable, "-c"]
    both = f"import subprocess; held = bytearray(50 << 20); subprocess.run({[*command, alone]})"
    assert 100 < processes.run([*command, alone]).peak_mib < 140
    assert 150 < processes.run([*command, both]).peak_mib < 200
