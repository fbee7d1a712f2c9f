"""Printing a page: with engines that are made up, and with the one that is here."""

from __future__ import annotations

import json
import os
import re
import shutil
import stat
from pathlib import Path

import pytest

from ALSMotorCortexLib import cli, pdf
from placed_study import Clinic

needs_a_shell = pytest.mark.skipif(os.name == "nt", reason="the made-up engines are shell scripts")


@pytest.fixture
def nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine without any engine: the folder that is all of its PATH."""
    monkeypatch.setattr(pdf, "_ELSEWHERE", ())
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", str(folder))
    return folder


def engine(folder: Path, name: str, script: str) -> None:
    """Puts a program on the PATH; ``$pdf`` is where it is told to print to."""
    path = folder / name
    last = (
        'for pdf in "$@"; do case "$pdf" in --print-to-pdf=*) pdf="${pdf#*=}"; break;; esac; done'
    )
    path.write_text(f"#!/bin/sh\n{last}\n{script}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)


@pytest.fixture
def page(tmp_path: Path) -> Path:
    path = tmp_path / "report of today.html"
    path.write_text("<!DOCTYPE html><title>x</title><p>words</p>", encoding="utf-8")
    return path


def test_without_an_engine_a_sentence_says_so(nowhere: Path, page: Path, tmp_path: Path) -> None:
    (found,) = pdf.write_pdf(page, tmp_path / "report.pdf")
    assert found.warning and found.message.startswith("No PDF is written: there is no Chromium")
    assert not (tmp_path / "report.pdf").exists()


@needs_a_shell
@pytest.mark.parametrize("name", ["chromium", "google-chrome", "weasyprint", "wkhtmltopdf"])
def test_an_engine_on_the_path_prints(nowhere: Path, page: Path, tmp_path: Path, name: str) -> None:
    engine(nowhere, name, 'echo "%PDF-1.4 $*" > "$pdf"')
    assert pdf.write_pdf(page, tmp_path / "report.pdf") == ()
    told = (tmp_path / "report.pdf").read_text()
    assert "report%20of%20today.html" in told or "report of today.html" in told


@needs_a_shell
@pytest.mark.parametrize(
    ("script", "reason"),
    [
        ("exit 3", "it failed with status 3"),
        ("exit 0", "it ended without writing one"),
        ('echo "<html>" > "$pdf"', "it ended without writing one"),
        ("while :; do :; done", "it did not end within 0.5 seconds"),
    ],
)
def test_an_engine_that_fails_leaves_the_old_file(
    nowhere: Path,
    page: Path,
    tmp_path: Path,
    script: str,
    reason: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(pdf, "SECONDS", 0.5)
    engine(nowhere, "chromium", script)
    (tmp_path / "report.pdf").write_bytes(b"old")
    (found,) = pdf.write_pdf(page, tmp_path / "report.pdf")
    assert found.warning and f"chromium was asked to print the page, and {reason}" in found.message
    assert (tmp_path / "report.pdf").read_bytes() == b"old"


def test_the_engine_that_is_here_prints_all_pages(page: Path, tmp_path: Path) -> None:
    found = pdf.find_engine()
    if found is None:
        pytest.skip("no engine is on this machine")
    breaks = "<p style='break-before:page'>next</p>" * 2
    page.write_text(f"<!DOCTYPE html><title>x</title><p>words</p>{breaks}", encoding="utf-8")
    assert pdf.write_pdf(page, tmp_path / "report.pdf") == ()
    data = (tmp_path / "report.pdf").read_bytes()
    assert data.startswith(b"%PDF-")
    counts = [int(n) for n in re.findall(rb"/Count (\d+)", data)]
    if counts:  # some engines compress what says so
        assert max(counts) == 3
    assert not list(tmp_path.glob("*profile*"))
    assert shutil.which(found.program)


@pytest.mark.parametrize("name", ["compare", "group"])
def test_commands_write_the_pdf_or_say_why_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys, name: str
) -> None:
    """With the page whole in both cases, and a PDF listed among the outputs."""
    clinic = Clinic(tmp_path).write()
    arguments = clinic.arguments()
    if name == "group":
        arguments = [
            "group", "--measures", str(tmp_path / "group_measures.tsv"),
            "--participants", str(tmp_path / "participants.tsv"), "--out", str(tmp_path / "out"),
        ]  # fmt: skip
    monkeypatch.setattr(pdf, "find_engine", lambda: None)
    assert cli.main([*arguments, "--pdf"]) == 0
    assert "No PDF is written" in capsys.readouterr().err
    assert (tmp_path / "out" / "report.html").is_file()
    assert not (tmp_path / "out" / "report.pdf").exists()

    def printed(engine: object, page: Path, target: Path, own: Path) -> str:
        assert page.is_file()
        target.write_bytes(b"%PDF-1.4")
        return ""

    monkeypatch.setattr(pdf, "find_engine", lambda: pdf.Engine("x", lambda *paths: []))
    monkeypatch.setattr(pdf, "_run", printed)
    assert cli.main([*arguments, "--pdf", "--quiet"]) == 0
    assert (tmp_path / "out" / "report.pdf").read_bytes() == b"%PDF-1.4"
    record = json.loads((tmp_path / "out" / "provenance.json").read_text(encoding="utf-8"))
    assert "report.pdf" in record["outputs"]
