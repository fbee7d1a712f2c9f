"""What a subject's report shows beside the measurement: controls, readings, and a PDF."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest

from ALSMotorCortexLib import cli, pdf
from ALSMotorCortexLib.analyze_writing import RESULTS
from ALSMotorCortexLib.cortex.grid import Image
from ALSMotorCortexLib.cortex.phantoms import make
from ALSMotorCortexLib.cortex.shapes import Slab
from ALSMotorCortexLib.study.nifti import write_nifti
from ALSMotorCortexLib.study.readings import Reading, write_readings
from placed_study import rows_of, table

ANSWERS = {"deep_hypointensity": 1, "thinning": 0, "pathologic": 1, "confidence": 4}


class Case:
    """A slab with a map, controls a little thicker, and two readers."""

    def __init__(self, folder: Path) -> None:
        rng = np.random.default_rng(0)
        self.folder = folder
        slab = make(Slab(2.5, 3.0, 3.0), (0.5, 0.5, 0.5), rng, np.eye(3)).labels
        write_nifti(slab, folder / "labels.nii.gz")
        values = np.full(slab.array.shape, 30, np.float32)
        write_nifti(Image(values, slab.grid), folder / "map.nii.gz")
        rows = [["participant_id", "region", "map", "measure", "value", "unit"]]
        people = [["participant_id", "group", "age", "sex"]]
        for k in range(12):
            thickness = round(float(rng.normal(3.3, 0.1)), 4)
            rows.append([f"C{k}", "ribbon", "n/a", "thickness_mean", thickness, "mm"])
            people.append([f"C{k}", "control", 50 + 2 * k, "MF"[k % 2]])
        table(folder / "controls.tsv", rows)
        table(folder / "participants.tsv", people)
        write_readings(
            [
                Reading("AB", "sub-07", "left", ANSWERS),
                Reading("AB", "sub-07", "right", {}),
                Reading("AB", "sub-08", "left", dict.fromkeys(ANSWERS, 1)),
            ],
            folder / "reading.tsv",
        )

    def arguments(self, *more: str) -> list[str]:
        return [
            "analyze", "--labels", str(self.folder / "labels.nii.gz"), "--gm", "3", "--wm", "2",
            "--csf", "1", "--map", f"T2star={self.folder / 'map.nii.gz'}", "--no-scene",
            "--out", str(self.folder / "out"), *more,
        ]  # fmt: skip

    @property
    def controls(self) -> list[str]:
        return ["--controls", str(self.folder / "controls.tsv"),
                "--participants", str(self.folder / "participants.tsv")]  # fmt: skip

    @property
    def reading(self) -> list[str]:
        return ["--reading", str(self.folder / "reading.tsv"), "--case", "07"]

    def page(self) -> str:
        return (self.folder / "out" / "report.html").read_text(encoding="utf-8")


@pytest.fixture
def case(tmp_path: Path) -> Case:
    return Case(tmp_path)


def test_controls_and_readings_stand_in_the_report(case: Case) -> None:
    more = [*case.controls, "--age", "60", "--sex", "F", *case.reading]
    assert cli.main(case.arguments(*more, "--quiet")) == 0
    page = case.page()
    order = [page.index(f"<section id='{key}'>") for key in ("summary", "reading", "controls")]
    assert order == sorted(order)
    assert "12 controls at equal age and sex" in page
    row = rows_of(case.folder / "out" / "comparison.tsv")[0]
    assert {p.name for p in (case.folder / "out").iterdir()} <= {*RESULTS, "provenance.json"}
    measured = next(r for r in rows_of(case.folder / "out" / "measures.tsv")
                    if r["measure"] == "thickness_mean")  # fmt: skip
    assert float(row["value"]) == pytest.approx(float(measured["value"]))
    assert float(row["z"]) < -3
    section = page[page.index("<section id='reading'>") :].split("</section>")[0]
    assert "Left, AB" in section and "could not be assessed" in section
    assert re.search(r"Deep-layer hypointensity</td><td>yes", section)
    assert re.search(r"Thinning</td><td>no", section)
    assert re.search(r"Confidence \(1 to 5\)</td><td>4", section)


def test_maps_stand_in_the_report_with_their_scale(case: Case) -> None:
    values = np.linspace(20, 40, 1000, dtype=np.float32)
    shape = (10, 10, 10)
    labels = np.repeat([2, 3, 1], [3, 4, 3]).astype(np.uint8)
    from ALSMotorCortexLib.cortex.grid import Grid

    grid = Grid.from_spacing(shape, (0.5,) * 3)
    cube = np.ascontiguousarray(np.broadcast_to(labels, shape))
    write_nifti(Image(cube, grid), case.folder / "labels.nii.gz")
    write_nifti(Image(values.reshape(shape), grid), case.folder / "map.nii.gz")
    assert cli.main(case.arguments("--unit", "T2star=ms", "--quiet")) == 0
    page = case.page()
    assert "<figcaption>Map T2star</figcaption>" in page
    assert "<span>T2star (ms)</span>" in page


def test_a_comparison_that_cannot_be_made_is_a_warning(case: Case, capsys) -> None:
    table(case.folder / "controls.tsv", [
        ["participant_id", "region", "map", "measure", "value", "unit"],
        ["C1", "elsewhere", "n/a", "thickness_mean", 3, "mm"],
    ])  # fmt: skip
    assert cli.main(case.arguments(*case.controls)) == 0
    told = capsys.readouterr().err
    assert "Warning: The comparison with controls is left out. There are only 1 controls" in told
    assert "id='controls'" not in case.page()


def test_bad_input_gets_a_sentence_before_the_measurement(case: Case, capsys) -> None:
    def said(*more: str) -> str:
        assert cli.main(case.arguments(*more)) == cli.EXIT_INPUT
        assert not (case.folder / "out").exists()
        return capsys.readouterr().err.splitlines()[-1]

    assert "--age is given, but no controls" in said("--age", "60")
    assert "--case is given without --reading" in said("--case", "07")
    assert "No reading of the case '09'" in said(*case.reading[:2], "--case", "09")
    assert "--no-report" in said("--pdf", "--no-report")
    table(case.folder / "controls.tsv", [["a"], ["1"]])
    assert "no column 'region'" in said(*case.controls)


def test_outputs_name_neither_case_nor_tables(case: Case) -> None:
    secret = case.folder / "Jane_Doe"
    secret.mkdir()
    for name in ("controls.tsv", "participants.tsv", "reading.tsv"):
        text = (case.folder / name).read_text().replace("sub-07", "Doe07")
        (secret / name).write_text(text)
    more = ["--controls", str(secret / "controls.tsv"), "--reading", str(secret / "reading.tsv"),
            "--participants", str(secret / "participants.tsv"), "--case", "Doe07"]  # fmt: skip
    assert cli.main(case.arguments(*more, "--quiet")) == 0
    for path in (case.folder / "out").iterdir():
        assert b"Doe" not in path.read_bytes(), path.name
    record = json.loads((case.folder / "out" / "provenance.json").read_text())
    assert {"controls", "reading"} <= {source["role"] for source in record["inputs"]}


def test_without_an_engine_there_is_a_page_and_a_sentence(
    case: Case, monkeypatch: pytest.MonkeyPatch, capsys
) -> None:
    monkeypatch.setattr(pdf, "find_engine", lambda: None)
    assert cli.main(case.arguments("--pdf")) == 0
    assert "No PDF is written: there is no Chromium" in capsys.readouterr().err
    assert "<section id='summary'>" in case.page()
    assert not (case.folder / "out" / "report.pdf").exists()


def test_a_pdf_that_is_no_longer_made_is_taken_away(case: Case) -> None:
    if pdf.find_engine() is None:
        pytest.skip("no engine is on this machine")
    assert cli.main(case.arguments("--pdf", "--quiet")) == 0
    assert (case.folder / "out" / "report.pdf").read_bytes().startswith(b"%PDF-")
    assert cli.main(case.arguments("--quiet")) == 0
    assert not (case.folder / "out" / "report.pdf").exists()
