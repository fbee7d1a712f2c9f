"""What a participant's results are called in a BIDS derivative dataset, and what explains them.

The names of :mod:`.analyze` become BIDS names: ``sub-01_space-orig_desc-thickness_map.nii.gz``.
BIDS 1.11 has no suffix for some of them (``map``, ``measures``, ``profile``); ``.bidsignore``
lists these, as BIDS wants it for files that it does not cover yet.
"""

from __future__ import annotations

import json
import os
import re
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from .. import __version__
from ..cortex.result import Measure, ProfileBin
from ..report.words import term
from ..study.bids_dataset import Dataset, read_json, read_tsv
from ..study.bids_names import Unit

BIDS_VERSION = "1.11.1"
SOFTWARE = "ALSMotorCortex"

IGNORED = (
    "*.html", "*.pdf", "*_map.nii.gz", "*_map.json", "*_measures.tsv", "*_measures.json",
    "*_profile.tsv", "*_profile.json", "*_provenance.json", "*_scene.mrb", "group_*", "study",
)  # fmt: skip
"""Files that BIDS has no rule for, as ``.bidsignore`` lists them."""

USUAL_FOLDERS = {
    "..", "bids", "raw", "rawbids", "rawdata", "derivatives", "labels", "segmentations",
}  # fmt: skip
"""Folder names that tell nothing of a patient."""

DESCRIBING = ("dataset_description.json", ".bidsignore", "README.md")
"""Files that :func:`write_dataset` writes."""

README = """# Thickness and laminar signal of the motor cortex

Made by ALSMotorCortex from a BIDS dataset. This is research software and not a medical device.

Each `sub-<label>/[ses-<label>/]anat/` holds, on the grid of the label map:

- `*_desc-thickness_map.nii.gz`: cortical thickness in mm
- `*_desc-depthEquivolume_map.nii.gz`, `*_desc-depthEquidistant_map.nii.gz`: depth, 0 pial to 1
  white matter; exactly 0 is no value
- `*_desc-layers_dseg.nii.gz`: layers, 1 is superficial
- for thick slices `*_desc-angle_map.nii.gz`: degrees between the cortex's normal and the slices;
  where it was measured within them `*_desc-correctedThickness_map.nii.gz`: mm
- `*_desc-cortical_measures.tsv`: all single numbers; `*_desc-laminar_profile.tsv`: profiles
- `*_desc-cortical_provenance.json`: inputs, settings, versions, checksums; its presence tells
  that the participant's results are whole
- maps that were made from echoes, under their BIDS suffix

`sub-*.html` is a report on each. `logs/` tells why a participant failed. `group_measures.tsv` and
`group_profiles.tsv` hold all participants' tables.
"""


@dataclass(frozen=True)
class Result:
    """How a result of :mod:`.analyze` is called in BIDS.

    Attributes:
        suffix, desc: of the name.
        description: what it is.
        units: of its values, for the sidecar.
    """

    suffix: str
    desc: str
    description: str
    units: str = ""


RESULTS = {
    "thickness": Result(
        "map", "thickness", "Cortical thickness; 0 outside the ribbon and where not measured.", "mm"
    ),
    "depth_equidistant": Result(
        "map", "depthEquidistant",
        "Equidistant cortical depth, above 0 at the pial surface to 1 at the white matter; "
        "exactly 0 is no value.", "1",
    ),
    "depth_equivolume": Result(
        "map", "depthEquivolume",
        "Equivolume cortical depth, above 0 at the pial surface to 1 at the white matter; "
        "exactly 0 is no value.", "1",
    ),
    "corrected_thickness": Result(
        "map", "correctedThickness",
        "Thickness within slices with their angle to the cortex allowed for; 0 is no value.", "mm",
    ),
    "angle": Result(
        "map", "angle",
        "Angle between the cortex's normal and the slices, 70 for 70 or more; exactly 0 is no "
        "value.", "degree",
    ),
    "layers": Result(
        "dseg", "layers", "Layers of equal depth range, 1 at the pial surface; 0 is outside."
    ),
    "T2star": Result("T2starmap", "fit", "T2* fitted to the echoes; NaN is no fit.", "s"),
    "R2star": Result("R2starmap", "fit", "R2* fitted to the echoes; NaN is no fit.", "1/s"),
    "S0": Result("S0map", "fit", "Signal at echo time 0; NaN is no fit.", "arbitrary"),
    "measures": Result("measures", "cortical", ""),
    "profiles": Result("profile", "laminar", ""),
    "scene": Result("scene", "cortical", ""),
}  # fmt: skip

MEASURE_COLUMNS = {
    "region": "Part of the motor cortex; ribbon is the whole of it.",
    "map": "Contrast map that the value comes from; n/a for geometry.",
    "measure": "Name of the measure.",
    "value": "The number; n/a where it could not be measured.",
    "unit": "Unit of the value; 1 is a ratio.",
}

PROFILE_COLUMNS = {
    "region": "Part of the motor cortex; ribbon is the whole of it.",
    "map": "Contrast map.",
    "bin": "Depth bin, 1 at the pial surface.",
    "depth_from": "Lower end of the bin's depth range; 0 is the pial surface.",
    "depth_to": "Upper end of the bin's depth range; 1 is the white-matter border.",
    "n": "Voxels with a value.",
    "mean": "Mean over these voxels, in the map's unit.",
    "median": "Median over these voxels, in the map's unit.",
    "sd": "Standard deviation over these voxels, in the map's unit.",
    "q25": "25th percentile over these voxels, in the map's unit.",
    "q75": "75th percentile over these voxels, in the map's unit.",
    "ci_low": "Lower end of the mean's bootstrap interval over columns, in the map's unit.",
    "ci_high": "Upper end of the mean's bootstrap interval over columns, in the map's unit.",
}

UNIT_COLUMNS = {
    "participant_id": "Participant.",
    "session_id": "Session of the participant.",
}


def result_of(stem: str) -> Result:
    """The BIDS name of a result; one that is not known here becomes a ``map`` with its name."""
    if stem in RESULTS:
        return RESULTS[stem]
    first, *rest = re.split(r"[^A-Za-z0-9]+", stem)
    desc = first + "".join(word[:1].upper() + word[1:] for word in rest)
    if first == "combined":
        return Result("T2starw", desc, "Echoes of a gradient echo, combined.", "arbitrary")
    return Result("map", desc, f"{stem.replace('_', ' ').capitalize()}.")


def file_name(unit: Unit, result: Result, extension: str, space: str) -> str:
    """The name of a result in the unit's folder; only images are in a space."""
    where = {"space": space} if extension.startswith(".nii") else {}
    return unit.file(result.suffix, extension, desc=result.desc, **where)


def image_sidecar(result: Result, sources: Iterable[str], reference: str) -> dict[str, Any]:
    """The JSON of an image.

    Args:
        result: what it is.
        sources: BIDS URIs of what it was made from.
        reference: BIDS URI of the image on whose grid it lies.
    """
    sidecar = {
        "Description": result.description,
        "Sources": sorted(sources),
        "SpatialReference": reference,
    }
    if result.suffix == "dseg":
        return {**sidecar, "Manual": False}
    return {**sidecar, "SkullStripped": False, **({"Units": result.units} if result.units else {})}


def layer_table(layers: int) -> list[tuple[int, str]]:
    """The rows of the layers' ``dseg.tsv``."""
    names = {1: "superficial", layers: "deep"} if layers > 1 else {}
    return [(n, names.get(n, f"layer_{n}")) for n in range(1, layers + 1)]


def measures_sidecar(path: Path, identified: bool = False) -> dict[str, Any]:
    """What explains every column of a table of measures, and every measure in it.

    Args:
        path: of the table.
        identified: whether it has the columns of participant and session.
    """
    rows = read_tsv(path)
    measured = dict.fromkeys(row["measure"] for row in rows)
    levels = {name: f"{term(name).name}. {term(name).meaning}".strip() for name in measured}
    columns = _columns(MEASURE_COLUMNS, Measure, rows, identified)
    columns["measure"]["Levels"] = levels
    return columns


def profiles_sidecar(path: Path, identified: bool = False) -> dict[str, Any]:
    """What explains every column of a table of laminar profiles; see :func:`measures_sidecar`."""
    return _columns(PROFILE_COLUMNS, ProfileBin, read_tsv(path), identified)


def _columns(
    known: Mapping[str, str], row_type: type, rows: list[dict[str, str]], identified: bool
) -> dict[str, Any]:
    every = {**UNIT_COLUMNS, **known} if identified else known
    names = list(rows[0]) if rows else [f.name for f in fields(row_type)]
    return {n: {"Description": every.get(n, n.replace("_", " ").capitalize() + ".")} for n in names}


# The dataset ------------------------------------------------------------------------------


def check_folder(out: Path, raw: Path) -> None:
    """Raises:
    InputError: the output folder is the input, or holds another dataset.
    """
    from ..cortex.errors import InputError

    if out.resolve() == raw.resolve():
        raise InputError(
            f"Results cannot be written into the input dataset {raw} itself. Choose another "
            f"folder, for example {raw / 'derivatives' / 'als-motor-cortex'}."
        )
    description = read_json(out / "dataset_description.json")
    if description is None:
        return
    makers = description.get("GeneratedBy")
    names = [m.get("Name") for m in makers if isinstance(m, dict)] if makers else []
    if SOFTWARE not in names:
        raise InputError(f"{out} holds another dataset, which would be mixed up with the results. "
                         "Choose another folder.")  # fmt: skip


def write_dataset(out: Path, raw: Dataset, others: Iterable[Dataset], whole_paths: bool) -> None:
    """Writes what describes the dataset, where it is not there or differs.

    Args:
        out: folder of the dataset; made if it is not there.
        raw, others: the datasets that BIDS URIs point into.
        whole_paths: whether to say where they lie even if that names folders above them.
    """
    out.mkdir(parents=True, exist_ok=True)
    links = {d.link: _link(out, d.root, whole_paths) for d in (raw, *others)}
    doi = raw.description.get("DatasetDOI")
    description = {
        "Name": "Thickness and laminar signal of the motor cortex",
        "BIDSVersion": BIDS_VERSION,
        "DatasetType": "derivative",
        "GeneratedBy": [{"Name": SOFTWARE, "Version": __version__}],
        "SourceDatasets": [{"DOI": doi}] if doi else [{"URL": "bids:raw:"}],
        "DatasetLinks": {name: link for name, link in links.items() if link},
    }
    write_whole(out / "dataset_description.json", to_json(description))
    ignored = _lines(out / ".bidsignore")
    write_whole(out / ".bidsignore", "\n".join(dict.fromkeys([*ignored, *IGNORED])) + "\n")
    own = README.splitlines()[:1]
    if _lines(out / "README.md")[:1] in ([], own):  # else somebody has written another
        write_whole(out / "README.md", README)


def _lines(path: Path) -> list[str]:
    """A text's lines; none where there is no such file."""
    if not path.is_file():
        return []
    return path.read_text(encoding="utf-8", errors="replace").splitlines()


def _link(out: Path, root: Path, whole_paths: bool) -> str:
    """Where a dataset lies as seen from ``out``; empty where that would name a folder by a word
    that may be a patient's name."""
    relative = os.path.relpath(root.resolve(), out.resolve()).replace(os.sep, "/")
    return relative if whole_paths or USUAL_FOLDERS.issuperset(relative.split("/")) else ""


def to_json(values: Mapping[str, Any]) -> str:
    """JSON as all sidecars have it."""
    return json.dumps(values, indent=2, ensure_ascii=False) + "\n"


def write_whole(path: Path, text: str) -> None:
    """Writes a file so that nobody ever sees half of it; one that is the same is left alone."""
    data = text.encode("utf-8")
    if path.is_file() and path.read_bytes() == data:
        return
    aside = path.with_name(f".{path.name}.{secrets.token_hex(4)}.partial")
    aside.write_bytes(data)
    os.replace(aside, path)
