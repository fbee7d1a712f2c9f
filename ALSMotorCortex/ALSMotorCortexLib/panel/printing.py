"""A page as PDF by the browser engine that Slicer has in it (Qt WebEngine)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import qt
import slicer
from slicer.i18n import tr as _

MOST_MS = 120_000
"""The longest to wait for the page."""


def has_engine() -> bool:
    """Whether this Slicer was built with one."""
    return hasattr(slicer, "qSlicerWebWidget")


def print_page(page: Path, pdf: Path) -> str:
    """Prints an HTML file, and waits until it is done; the window stays alive meanwhile.

    Args:
        page: the HTML file.
        pdf: the file to write.

    Returns:
        What went wrong; empty where the PDF is there.
    """
    # Loading and printing both return at once and tell by a signal when they are done.
    widget, loop = slicer.qSlicerWebWidget(), qt.QEventLoop()
    came: list[bool] = []

    def ended(success: bool) -> None:
        came.append(success)
        loop.quit()

    def loaded(success: bool) -> None:
        if success:
            widget.printToPdf(str(pdf))
        else:
            ended(False)

    def printed(path: Any, success: bool) -> None:
        ended(success)

    widget.connect("loadFinished(bool)", loaded)
    widget.connect("pdfPrintingFinished(QString,bool)", printed)
    timer = qt.QTimer()
    timer.singleShot = True
    timer.connect("timeout()", loop.quit)
    timer.start(MOST_MS)
    widget.url = qt.QUrl.fromLocalFile(str(page)).toString()
    if not came:
        loop.exec()
    timer.stop()
    widget.deleteLater()
    if came and came[0] and pdf.is_file():
        return ""
    return _("No PDF is written: Slicer's browser could not print the page. Open {page} in any "
             "browser and print it to PDF.").format(page=page.name)  # fmt: skip
