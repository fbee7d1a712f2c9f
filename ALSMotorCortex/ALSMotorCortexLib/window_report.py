"""The report page of what was measured in Slicer's window."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping
from pathlib import Path

from .cortex.errors import InputError
from .cortex.result import Measurement
from .report.page import write_report
from .scene.inputs import Collected
from .study import provenance


def save_report(
    path: str | os.PathLike,
    collected: Collected,
    measurement: Measurement,
    pictures: Mapping[str, bytes],
    title: str = "Motor cortex thickness and laminar profile",
) -> None:
    """Writes the same page as the command line, with pictures of the views.

    The file is written aside and moved into place, so a failure keeps an earlier one.

    Args:
        path: of the HTML file.
        collected: what was measured.
        measurement: what was found.
        pictures: PNG files of the views by their caption.
        title: heading of the page.

    Raises:
        InputError: the file cannot be written.
    """
    path = Path(path)
    record = {
        "started": collected.started,
        **provenance.build((), measurement.settings, collected.sources, measurement.findings),
    }
    try:
        with tempfile.TemporaryDirectory(prefix=".report-", dir=path.parent) as aside:
            draft = Path(aside) / path.name
            write_report(
                measurement, draft, collected.labels, collected.maps, title, record, pictures
            )
            os.replace(draft, path)
    except OSError as error:
        raise InputError(
            f"The report {path} cannot be written ({error.strerror or error}). Choose another "
            "folder or free some space."
        ) from error
