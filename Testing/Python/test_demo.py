"""The demonstration: what it prints is what is true."""

from __future__ import annotations

import json
import os

import numpy as np
import pytest

from ALSMotorCortexLib import demo_command
from ALSMotorCortexLib.cortex.motor_cortex import MotorCortexCase, synthetic_motor_cortex
from ALSMotorCortexLib.demo import INPUTS, Comparison, Demo, compare, demo, table
from ALSMotorCortexLib.study.images import read_image


@pytest.fixture(scope="module")
def case() -> MotorCortexCase:
    """The patient, seen through a smaller window around the knob."""
    return synthetic_motor_cortex(shape=(8, 120, 120))


@pytest.fixture(scope="module")
def done(case, tmp_path_factory) -> tuple[str, Demo]:
    out = tmp_path_factory.mktemp("demo") / "out"
    return str(out), demo(out, case=case, report=False, scene=False)


def test_the_measurement_is_close_to_the_truth(done):
    rows = {row.name: row for row in compare(done[1])}
    for name, row in rows.items():
        if name.startswith("thickness, mean,"):
            assert row.measured == pytest.approx(row.true, abs=0.05), name
        elif "absolute error" in name:
            assert row.measured < 0.05, name
    for layer in (1, 2, 3):
        row = rows[f"T2*, layer {layer} of 3, mean"]
        assert row.measured == pytest.approx(row.true, rel=0.05)
    # The patient's deep layers are dark.
    deep = rows["T2*, deep hypointensity"]
    assert deep.true > 0.2
    assert deep.measured == pytest.approx(deep.true, abs=0.03)


def test_the_truth_is_the_cases_own(done, case):
    """The true mean over the ribbon, from the label map and the case alone."""
    row = next(row for row in compare(done[1]) if row.name == "thickness, mean, ribbon")
    true = case.truth.thickness[case.labels.array == 3]
    assert row.true == pytest.approx(true.mean(), abs=0.01)


def test_the_images_are_written_beside_the_results(done, case):
    out, result = done
    assert {"measures.tsv", "thickness.nii.gz", INPUTS} <= set(os.listdir(out))
    labels = read_image(os.path.join(out, INPUTS, "labels.nii.gz")).image
    assert np.array_equal(labels.array, case.labels.array)
    assert labels.grid.same_as(case.labels.grid, 1e-4)
    record = json.loads(read_text(out, "provenance.json"))
    assert {source["role"] for source in record["inputs"]} == {
        "labels",
        *(f"map {name}" for name in case.maps),
        *(f"region {name}" for name in case.regions),
    }
    assert set(case.regions) <= set(result.measurement.regions)


def read_text(*parts: str) -> str:
    with open(os.path.join(*parts), encoding="utf-8") as stream:
        return stream.read()


def test_a_second_run_replaces_the_first(done, case):
    out, first = done
    before = read_text(out, "measures.tsv")
    second = demo(out, case=case, report=False, scene=False)
    assert read_text(out, "measures.tsv") == before
    assert np.array_equal(first.measurement.thickness, second.measurement.thickness, True)


def test_the_table_has_aligned_columns():
    rows = [Comparison("short", "mm", 1.23456, 1.0), Comparison("a longer name", "1", 10, 20.5)]
    assert table(rows).splitlines() == [
        "               unit  measured    true  difference",
        "short          mm       1.235   1.000      +0.235",
        "a longer name  1       10.000  20.500     -10.500",
    ]


def test_the_closing_names_only_what_was_written(done):
    out, result = done

    class Arguments:
        pass

    Arguments.out = out
    text = demo_command.closing(Arguments, result)
    assert text.endswith(f"Results are in {out}.")
    assert "thickness, mean, ribbon" in text
