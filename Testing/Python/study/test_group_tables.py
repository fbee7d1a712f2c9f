"""The written tables: every column explained, and the numbers those of the results."""

from __future__ import annotations

import csv
import json
import math
from pathlib import Path

import pytest

from ALSMotorCortexLib.group import GroupStudy, study
from simulated_study import SimulatedStudy

TABLES = ("groups", "comparisons", "roc", "combination", "combination_coefficients",
          "correlations", "profile_bands", "omissions")  # fmt: skip


def rows_of(path: Path) -> list[dict[str, str]]:
    with open(path, encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream, delimiter="\t"))


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> GroupStudy:
    folder = tmp_path_factory.mktemp("study")
    simulated = SimulatedStudy()
    simulated.measures[1][4] = "n/a"
    simulated.write(folder)
    return study([folder], folder / "participants.tsv", folder / "out")


@pytest.mark.parametrize("name", TABLES)
def test_each_column_is_explained_and_none_else(found: GroupStudy, name: str) -> None:
    sidecar = json.loads((found.folder / f"{name}.json").read_text(encoding="utf-8"))
    assert len(sidecar.pop("Description")) > 10
    with open(found.folder / f"{name}.tsv", encoding="utf-8") as stream:
        columns = stream.readline().rstrip("\n").split("\t")
    assert list(sidecar) == columns
    assert all(entry["Description"].endswith(".") for entry in sidecar.values())
    assert rows_of(found.folder / f"{name}.tsv"), "no rows"


def test_numbers_are_those_of_the_results(found: GroupStudy) -> None:
    rows = rows_of(found.folder / "comparisons.tsv")
    assert len(rows) == len(found.comparisons)
    for row, result in zip(rows, found.comparisons, strict=True):
        d = result.difference
        assert d is not None and d.ancova is not None
        assert row["region"] == result.key.region and row["measure"] == result.key.measure
        assert int(row["patients_n"]) == result.patients.n
        for column, value in (
            ("difference_low", d.welch.difference.low),
            ("welch_q", d.welch_q),
            ("mann_whitney_u", d.mann_whitney.u),
            ("hedges_g_high", d.hedges_g.high),
            ("ancova_difference", d.ancova.difference.value),
            ("ancova_patients_mean", d.ancova.first.value),
        ):
            assert float(row[column]) == pytest.approx(value, rel=1e-8)
    assert rows[0]["map"] == "n/a" and rows[0]["patients_missing"] == "1"


def test_no_accuracy_without_its_cross_validated_twin(found: GroupStudy) -> None:
    for row in rows_of(found.folder / "roc.tsv"):
        assert int(row["patients_n"]) > 0 and int(row["controls_n"]) > 0
        for quantity in ("sensitivity", "specificity", "accuracy"):
            for prefix in ("apparent", "cross_validated"):
                low, value, high = (
                    float(row[f"{prefix}_{quantity}{end}"]) for end in ("_low", "", "_high")
                )
                assert 0 <= low <= value <= high <= 1
        assert math.isfinite(float(row["cross_validated_auc"]))
    kinds = [r["validation"] for r in rows_of(found.folder / "combination.tsv")]
    assert kinds.count("apparent") == kinds.count("cross-validated") == 4


def test_no_p_without_n(found: GroupStudy) -> None:
    for row in rows_of(found.folder / "correlations.tsv"):
        for name in ("pearson", "spearman", "partial"):
            assert (row[f"{name}_p"] == "n/a") or int(row[f"{name}_n"]) >= 4
    for row in rows_of(found.folder / "comparisons.tsv"):
        assert row["welch_p"] == "n/a" or int(row["controls_n"]) >= 3
        assert row["ancova_p"] == "n/a" or int(row["ancova_n"]) >= 6
