"""A simulated scan as files: a BIDS dataset with its labels and its truth as derivatives.

Forms and names are those of the BIDS specification 1.9: multi-echo gradient echo as
``_echo-N_part-mag_MEGRE``, labels as ``_dseg`` with a table of names, participants and sessions
as tables.
"""

from __future__ import annotations

import contextlib
import json
import os
import time
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import __version__
from ..cortex.errors import InputError
from ..cortex.grid import Image
from ..cortex.simulation import LABELS, Simulation
from ..cortex.subject import BEST_ALSFRS, LIMBS, MONTH_DAYS, Subject
from ..cortex.true_measures import true_maps, true_measures
from . import tables
from .bids_dataset import read_json, read_tsv
from .bids_names import Unit
from .nifti import write_nifti
from .outputs import OutputFolder

NAME = "ALSMotorCortex phantom"
EPOCH = date(2021, 1, 4)
"""Day 0 of the simulated studies."""

LABEL_SET, TRUTH_SET = Path("derivatives") / "labels", Path("derivatives") / "truth"

MOST_MAGNITUDE = 32767

_COLUMNS = {
    "participant_id": "Label of the simulated participant.",
    "group": "control or patient.",
    "age": "Years at the first exam.",
    "sex": "F or M.",
    "umn_score": "Sum of the limbs' upper-motor-neuron scores, 0 to 16, at the first exam.",
    **{
        f"umn_score_{limb}": f"Upper-motor-neuron score of the {limb.replace('_', ' ')}, 0 to 4."
        for limb in LIMBS
    },
    "alsfrs_r": "ALSFRS-R, 48 (well) to 0, at the first exam.",
    "onset_date": "Day of the first symptom.",
    "exam_date": "Day of the first exam.",
    "disease_progression_rate": "(48 - ALSFRS-R) / months from onset to the first exam.",
}

_MAPS = {
    "T2star": ("truth", "T2starmap", "ms", "T2* of the tissue at each voxel's centre"),
    "R2star": ("truth", "R2starmap", "1/s", "R2* of the tissue at each voxel's centre"),
    "susceptibility": ("truth", "Chimap", "ppb", "Susceptibility, mean over each voxel; CSF is 0"),
    "thickness": ("thickness", "map", "mm", "Thickness of M1; 0 outside"),
    "depth_equidistant": ("equidistant", "map", "1", "Depth in M1, 0 pial to 1 white; 0 outside"),
    "depth_equivolume": ("equivolume", "map", "1", "Depth in M1, 0 pial to 1 white; 0 outside"),
    "field_hz": ("field", "map", "Hz", "Field at each voxel"),
    "vein": ("vein", "mask", "", "1 where a voxel's centre lies in a vein"),
}


def write_simulation(simulation: Simulation, out: str | os.PathLike) -> Path:
    """Writes a scan into a BIDS dataset, which is made if it is not there and grows otherwise.

    A subject's and session's earlier files are replaced. The files appear together at the end.

    Args:
        simulation: the scan.
        out: the dataset's folder.

    Returns:
        The scan's ``anat`` folder.

    Raises:
        InputError: the folder holds something else, or cannot be written.
    """
    out, unit = Path(out), Unit(simulation.parameters.subject, simulation.parameters.session)
    _claim(out)
    anat = unit.folder / "anat"
    leaves = (TRUTH_SET / anat, LABEL_SET / anat, anat)
    writers = (_write_truth, _write_labels, _write_echoes)
    with contextlib.ExitStack() as stack:
        folders = [stack.enter_context(OutputFolder(out / leaf)) for leaf in leaves]
        for folder, write in zip(folders, writers, strict=True):
            write(simulation, unit, folder)
        for folder in folders:
            folder.publish(_earlier_echoes(folder.folder, unit))
    for part, kind in ((TRUTH_SET, "truth"), (LABEL_SET, "labels")):
        _describe(out / part, f"{NAME}: {kind}", "derivative")
    with alone(out):
        _add_to_tables(out, unit, simulation.subject)
    return out / anat


# The dataset ------------------------------------------------------------------------------


def check_folder(out: Path) -> None:
    """Refuses a folder that simulated scans cannot go to. It is not made.

    Raises:
        InputError: it is a file, or there is another dataset in it.
    """
    if out.exists() and not out.is_dir():
        raise InputError(
            f"{out} is a file, so no dataset can be put into it. Choose another --out."
        )
    known = read_json(out / "dataset_description.json")
    if any(out.glob("sub-*")) if known is None else known.get("Name") != NAME:
        raise InputError(
            f"{out} holds another dataset, and simulated subjects must not get among real "
            "ones. Choose another --out."
        )


def _claim(out: Path) -> None:
    """Makes the dataset, or finds it to be ours.

    Raises:
        InputError: there is another dataset already, or the folder cannot be written.
    """
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _cannot_be_written(out, error) from None
    with alone(out):
        check_folder(out)
        _describe(out, NAME, "raw")


def _cannot_be_written(folder: Path, error: OSError) -> InputError:
    return InputError(f"{folder} cannot be written ({error.strerror}). Choose another --out.")


def _describe(folder: Path, name: str, kind: str) -> None:
    """Writes ``dataset_description.json`` if there is none."""
    if not (folder / "dataset_description.json").exists():
        with OutputFolder(folder) as staging:
            _write_json(
                {
                    "Name": name,
                    "BIDSVersion": "1.9.0",
                    "DatasetType": kind,
                    "License": "CC0",
                    "GeneratedBy": [{"Name": "ALSMotorCortex", "Version": __version__}],
                },
                staging.path("dataset_description.json"),
            )
            staging.publish()


def _add_to_tables(out: Path, unit: Unit, subject: Subject) -> None:
    """Puts the subject into ``participants.tsv``, and the session into ``sessions.tsv``."""
    with OutputFolder(out) as folder:
        rows = _with_row(out / "participants.tsv", _participant(unit, subject))
        _write_table(rows, folder.path("participants.tsv"))
        columns = {name: {"Description": text} for name, text in _COLUMNS.items()}
        before = read_json(out / "participants.json") or {}  # with columns that a user added
        _write_json({**before, **columns}, folder.path("participants.json"))
        if not (out / "README").exists():
            folder.path("README").write_text(
                "Simulated scans of the motor cortex, made with als-motor-cortex phantom. No "
                "person was scanned.\nLabels and truth are under derivatives/.\n",
                encoding="utf-8",
            )
        folder.publish()
    if unit.session:
        name = f"sub-{unit.participant}_sessions.tsv"
        with OutputFolder(out / f"sub-{unit.participant}") as folder:
            rows = _with_row(out / f"sub-{unit.participant}" / name, _session(unit, subject))
            _write_table(rows, folder.path(name))
            folder.publish()


def _participant(unit: Unit, subject: Subject) -> dict[str, object]:
    """The row of ``participants.tsv``, which tells of the first exam."""
    row: dict[str, object] = dict.fromkeys(_COLUMNS, tables.MISSING)
    row |= {"participant_id": f"sub-{unit.participant}", "group": subject.group}
    row |= {"age": subject.age, "sex": subject.sex, "exam_date": _day(subject, 0)}
    if subject.group == "patient":
        clinic = subject.clinic
        row |= {f"umn_score_{limb}": score for limb, score in clinic.umn.items()}
        row |= {"umn_score": sum(clinic.umn.values()), "alsfrs_r": clinic.alsfrs_r(0)}
        row["onset_date"] = _day(subject, -clinic.onset_days)
        row["disease_progression_rate"] = _rate(subject, 0)
    return row


def _session(unit: Unit, subject: Subject) -> dict[str, object]:
    patient = subject.group == "patient"
    return {
        "session_id": f"ses-{unit.session}",
        "days": subject.days,
        "exam_date": _day(subject, subject.days),
        "alsfrs_r": subject.clinic.alsfrs_r(subject.days) if patient else tables.MISSING,
        "disease_progression_rate": _rate(subject, subject.days) if patient else tables.MISSING,
    }


def _day(subject: Subject, days: int) -> str:
    return (EPOCH + timedelta(days=subject.exam + days)).isoformat()


def _rate(subject: Subject, days: int) -> str:
    """Points of the ALSFRS-R lost each month from onset."""
    months = (subject.clinic.onset_days + days) / MONTH_DAYS
    return f"{(BEST_ALSFRS - subject.clinic.alsfrs_r(days)) / months:.3f}"


def _with_row(path: Path, row: Mapping[str, object]) -> list[Mapping[str, object]]:
    """A table's rows with one put in by its first column, in order. Other columns stay."""
    key = next(iter(row))
    before: list[dict[str, str]] = read_tsv(path) if path.exists() else []
    if any(not other.get(key) for other in before):
        raise InputError(f"{path} has no column {key}, or it is empty. Correct or remove the file.")
    kept = {other[key]: other for other in before}
    merged: dict[str, Mapping[str, object]] = {**kept}
    merged[str(row[key])] = {**kept.get(str(row[key]), {}), **row}
    return [merged[name] for name in sorted(merged)]


def _write_table(rows: list[Mapping[str, object]], path: Path) -> None:
    names = list(dict.fromkeys(name for row in rows for name in row))
    cells = (tuple(row.get(name, tables.MISSING) for name in names) for row in rows)
    tables.write_rows(names, cells, path)


@contextlib.contextmanager
def alone(out: Path, patience: float = 60.0) -> Iterator[None]:
    """Only one process at a time: several may add subjects to one dataset."""
    lock, started = out / ".participants.lock", time.monotonic()
    while True:
        try:
            os.close(os.open(lock, os.O_CREAT | os.O_EXCL | os.O_WRONLY))
            break
        except FileExistsError:
            if time.monotonic() - started > patience:
                raise InputError(
                    f"{lock} has been there for a minute. If no other als-motor-cortex phantom "
                    "is running, delete it and run this again."
                ) from None
            time.sleep(0.05)
        except OSError as error:
            raise _cannot_be_written(out, error) from None
    try:
        yield
    finally:
        lock.unlink(missing_ok=True)


# One scan ---------------------------------------------------------------------------------


def _earlier_echoes(folder: Path, unit: Unit) -> list[str]:
    """Echoes of an earlier simulation of the same scan, which may have had more of them.

    All other files of a simulation always have the same names. What else is there is the user's.
    """
    return [path.name for path in folder.glob(f"{unit.prefix}_echo-*_part-*_MEGRE.*")]


def _write_echoes(simulation: Simulation, unit: Unit, folder: OutputFolder) -> None:
    p = simulation.parameters
    common = {
        "Modality": "MR",
        "MagneticFieldStrength": p.tesla,
        "PulseSequenceType": "Multi-echo gradient echo, simulated",
        "MRAcquisitionType": "2D" if p.ramp else "3D",
        "SliceThickness": p.thickness_mm,
        "SpacingBetweenSlices": p.spacing[0],
        "Manufacturer": NAME,
        "SoftwareVersions": __version__,
    }
    pairs = zip(p.times_ms, simulation.magnitude, simulation.phase, strict=True)
    for number, (time_ms, magnitude, phase) in enumerate(pairs, 1):
        whole = np.clip(np.rint(magnitude.array), 0, MOST_MAGNITUDE).astype(np.int16)
        for part, image, units in (
            ("mag", Image(whole, simulation.grid), "arbitrary"),
            ("phase", phase, "rad"),
        ):
            said = {"EchoTime": round(time_ms / 1000, 9), **common, "Units": units}
            _write_image(image, said, unit, folder, "MEGRE", echo=str(number), part=part)


def _write_labels(simulation: Simulation, unit: Unit, folder: OutputFolder) -> None:
    regions = np.zeros(simulation.grid.shape, np.uint8)
    names = dict(enumerate(simulation.regions, 1))
    for index, name in names.items():
        regions[simulation.regions[name].array > 0] = index
    said = {"Manual": False, "Description": "Label of the tissue at each voxel's centre"}
    for desc, array, labels in (
        ("cortex", simulation.labels.array, LABELS),
        ("regions", regions, names),
    ):
        _write_image(Image(array, simulation.grid), said, unit, folder, "dseg", desc=desc)
        table = folder.path(unit.file("dseg", ".tsv", desc=desc))
        tables.write_rows(("index", "name"), labels.items(), table)


def _write_truth(simulation: Simulation, unit: Unit, folder: OutputFolder) -> None:
    for name, array in _true_arrays(simulation).items():
        desc, suffix, units, text = _MAPS[name]
        said = {"Description": text, **({"Units": units} if units else {})}
        _write_image(Image(array, simulation.grid), said, unit, folder, suffix, desc=desc)
    tables.write_measures(
        true_measures(simulation), folder.path(unit.file("measures", ".tsv", desc="truth"))
    )
    record = {
        "software": "ALSMotorCortex",
        "version": __version__,
        "parameters": asdict(simulation.parameters),
        "noise_sigma": simulation.sigma,
        "subject": asdict(simulation.subject),
    }
    _write_json(record, folder.path(unit.file("parameters", ".json", desc="truth")))


def _true_arrays(simulation: Simulation) -> dict[str, NDArray]:
    truth = simulation.truth
    arrays: dict[str, NDArray] = {n: image.array for n, image in true_maps(simulation).items()}
    for name in ("thickness", "depth_equidistant", "depth_equivolume", "field_hz"):
        arrays[name] = np.nan_to_num(getattr(truth, name)).astype(np.float32)
    arrays["vein"] = truth.vein.astype(np.uint8)
    return arrays


def _write_image(
    image: Image,
    said: Mapping[str, Any],
    unit: Unit,
    folder: OutputFolder,
    suffix: str,
    **entities: str,
) -> None:
    """An image and its sidecar."""
    write_nifti(image, folder.path(unit.file(suffix, ".nii.gz", **entities)), "Simulated")
    _write_json(said, folder.path(unit.file(suffix, ".json", **entities)))


def _write_json(values: Mapping[str, Any], path: Path) -> None:
    path.write_text(json.dumps(values, indent=2) + "\n", encoding="utf-8")
