"""A report page as PDF, by whatever engine is there that prints HTML.

Nothing but the standard library is imported here until a page is printed.

Nothing is installed for it: an engine that is not there is not missed, the page prints from any
browser.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .cortex.result import Finding

SECONDS = 120.0
"""The longest that an engine may take; a browser that cannot start may wait for ever."""


@dataclass(frozen=True)
class Engine:
    """A program that prints HTML.

    Attributes:
        program: its path.
        arguments: what to call it with, from the page, the PDF, and a folder for its own files.
    """

    program: str
    arguments: Callable[[Path, Path, Path], list[str]]


def _chromium(page: Path, pdf: Path, own: Path) -> list[str]:
    # A profile of its own keeps it apart from a browser that is open. Without a sandbox, because
    # one cannot be made in many containers; the page is ours and may load nothing.
    return [
        "--headless", "--disable-gpu", "--no-sandbox", "--no-first-run",
        "--disable-dev-shm-usage", f"--user-data-dir={own}", "--no-pdf-header-footer",
        f"--print-to-pdf={pdf}", page.as_uri(),
    ]  # fmt: skip


def _wkhtmltopdf(page: Path, pdf: Path, own: Path) -> list[str]:
    return ["--quiet", "--print-media-type", "--page-size", "A4", str(page), str(pdf)]


def _weasyprint(page: Path, pdf: Path, own: Path) -> list[str]:
    return [str(page), str(pdf)]


# Firefox prints a page to PDF only by remote control, so it is not among them.
_KNOWN: tuple[tuple[tuple[str, ...], Callable[[Path, Path, Path], list[str]]], ...] = (
    (
        ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome",
         "microsoft-edge", "msedge"),
        _chromium,
    ),
    (("weasyprint",), _weasyprint),
    (("wkhtmltopdf",), _wkhtmltopdf),
)  # fmt: skip

# Where browsers are that installers do not put on the PATH.
_ELSEWHERE = (
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
    "/Applications/Microsoft Edge.app/Contents/MacOS/Microsoft Edge",
    r"C:\Program Files\Google\Chrome\Application\chrome.exe",
    r"C:\Program Files (x86)\Google\Chrome\Application\chrome.exe",
    r"C:\Program Files (x86)\Microsoft\Edge\Application\msedge.exe",
)

NO_ENGINE = (
    "there is no Chromium, Chrome, Edge, weasyprint or wkhtmltopdf on this machine to print it"
)


def find_engine() -> Engine | None:
    """The first known engine on the PATH, or where browsers usually are; None without any."""
    for names, arguments in _KNOWN:
        for name in names:
            if program := shutil.which(name):
                return Engine(program, arguments)
    for place in _ELSEWHERE:
        if os.access(place, os.X_OK):
            return Engine(place, _chromium)
    return None


def lacking() -> tuple[Finding, ...]:
    """A warning where there is no engine."""
    return () if find_engine() else _without(NO_ENGINE)


def write_pdf(page: Path, pdf: Path) -> tuple[Finding, ...]:
    """Prints a page to PDF.

    Args:
        page: the HTML file.
        pdf: the file to write; whatever was there stays where no PDF comes out.

    Returns:
        A warning that says why where there is no PDF; else nothing.
    """
    engine = find_engine()
    if engine is None:
        return _without(NO_ENGINE)
    with tempfile.TemporaryDirectory(
        prefix="als-motor-cortex-pdf-", ignore_cleanup_errors=True
    ) as own:
        aside = Path(own) / "page.pdf"
        reason = _run(engine, page.resolve(), aside, Path(own) / "profile")
        if not reason and not _is_pdf(aside):
            reason = "it ended without writing one"
        if not reason:
            shutil.move(aside, pdf)
            return ()
    program = Path(engine.program).name
    return _without(f"{program} was asked to print the page, and {reason}")


def _without(reason: str) -> tuple[Finding, ...]:
    """The warning that there is no PDF."""
    from .cortex.result import Finding  # brings numpy, which the list of commands does without

    text = f"No PDF is written: {reason}. Open report.html in any browser and print it to PDF."
    return (Finding("no_pdf", text, warning=True),)


def _run(engine: Engine, page: Path, pdf: Path, own: Path) -> str:
    """Calls an engine; says what went wrong, or nothing."""
    try:
        done = subprocess.run(
            [engine.program, *engine.arguments(page, pdf, own)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            timeout=SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return f"it did not end within {SECONDS:g} seconds"
    except OSError as error:
        return f"it cannot be started ({error.strerror})"
    return f"it failed with status {done.returncode}" if done.returncode else ""


def _is_pdf(path: Path) -> bool:
    try:
        with open(path, "rb") as stream:
            return stream.read(5) == b"%PDF-"
    except OSError:
        return False


def add_pdf_argument(parser: Any) -> None:
    """The option ``--pdf``, for every command that writes a page."""
    parser.add_argument(
        "--pdf",
        action="store_true",
        help="write report.pdf, too, where a Chromium-like browser, weasyprint or wkhtmltopdf is "
        "there to print it",
    )
