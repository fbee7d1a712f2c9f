"""The sample cases: in Sample Data, and behind the panel's button."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import slicer
from slicer.i18n import tr as _

from .. import sample_data
from ..scene import layout

CATEGORY = "ALS Motor Cortex"
SAMPLES = {"patient": "SyntheticPatient", "control": "SyntheticControl"}


def register_samples(icons: Path) -> None:
    """Adds the sample cases to Sample Data.

    Args:
        icons: folder with a picture of each.
    """
    import SampleData

    for group, name in SAMPLES.items():
        SampleData.SampleDataLogic.registerCustomSampleDataSource(
            category=CATEGORY,
            sampleName=name,
            # Nothing is downloaded: the case is computed here.
            uris="",
            fileNames=name,
            nodeNames=name,
            thumbnailFileName=str(icons / f"{name}.png"),
            customDownloader=lambda source, group=group: load_sample_case(group),
        )


def load_sample_case(group: str = "patient") -> dict[str, Any]:
    """Makes a sample case, of a ``patient`` or a ``control``, with a message, and shows it."""
    slicer.util.showStatusMessage(_("Making the synthetic motor cortex..."))
    with slicer.util.WaitCursor():
        slicer.app.processEvents()
        nodes = sample_data.add_sample(slicer.mrmlScene, sample_data.sample_case(group))
    layout.show_image(slicer.mrmlScene, nodes["T2star"])
    slicer.util.showStatusMessage(_("The synthetic motor cortex is loaded."), 3000)
    return nodes
