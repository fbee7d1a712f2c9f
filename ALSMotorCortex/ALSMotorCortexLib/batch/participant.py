"""One participant or session of a batch: found, measured, and put into place whole."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import time
import traceback
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from .. import __version__
from ..analyze import AnalyzeInputs, RegionSource, analyze
from ..cortex.errors import InputError
from ..cortex.grid import Image
from ..cortex.result import Measurement
from ..maps import MEASURABLE, MEASURED, EchoSource, MapOptions
from ..study import provenance
from ..study.bids_dataset import Dataset
from ..study.bids_inputs import CaseFiles, MapFile, Wanted, find_case
from ..study.bids_names import Unit
from ..study.echo_times import SECONDS_BELOW
from ..study.images import read_image
from ..study.nifti import write_nifti
from ..study.outputs import OutputFolder, keep_apart, told
from ..study.tables import write_rows
from . import derivative
from .job import DONE, FAILED, UNCHANGED, Job, Outcome

Progress = Callable[[str, float], None]

TISSUES = ("gm", "wm", "csf", "other_bank")
TITLE = "Motor cortex thickness and laminar profile"
LOCKS, LOGS = ".locks", "logs"
PAGES = ("html", "pdf")


def measure_unit(job: Job, unit: Unit, tell: Progress = lambda step, fraction: None) -> Outcome:
    """Measures one participant or session unless its results are there and up to date.

    The results appear together at the end, the provenance last. Two runs that come to the same
    unit take turns.

    Args:
        job: what to do.
        unit: of whom.
        tell: gets a step's name and the fraction done; may raise to stop.
    """
    with unit_lock(job.out, unit):
        remove_leftovers(job.out, unit)
        try:
            outcome = _measured(job, unit, tell)
        except InputError as error:
            outcome = _outcome(unit, FAILED, _within(job, str(error)))
        except MemoryError:
            text = "There is not enough memory. Run fewer jobs at once, or crop the images."
            outcome = _outcome(unit, FAILED, text)
        except OSError as error:
            outcome = _outcome(unit, FAILED, _within(job, told(error)))
        except Exception as error:
            place = traceback.extract_tb(error.__traceback__)[-1]
            text = (
                f"Fault in ALSMotorCortex {__version__} at {Path(place.filename).name}:"
                f"{place.lineno}: {type(error).__name__} {' '.join(str(error).split())}."
            )
            outcome = _outcome(unit, FAILED, _within(job, text))
        log = error_log(job.out, unit)
        if outcome.status == FAILED:
            tell("failed", 1.0)  # ends here where what failed was only stopped
            log.parent.mkdir(parents=True, exist_ok=True)
            derivative.write_whole(log, outcome.reason + "\n")
        else:
            log.unlink(missing_ok=True)
    return outcome


def _outcome(unit: Unit, status: str, reason: str = "", warnings: int = 0) -> Outcome:
    return Outcome(unit.participant, unit.session, status, reason, warnings)


def _within(job: Job, text: str) -> str:
    """A reason with paths as they are within the datasets."""
    roots = sorted({str(job.raw), str(job.out), *map(str, job.others)}, key=len, reverse=True)
    for root in roots:
        text = text.replace(root + os.sep, "")
    return text


def error_log(out: Path, unit: Unit) -> Path:
    """Where it stands why a unit failed, until it no longer does."""
    return out / LOGS / f"{unit.prefix}_error.txt"


def record_path(out: Path, unit: Unit) -> Path:
    """The file whose presence tells that a unit's results are whole."""
    name = unit.file("provenance", ".json", desc="cortical")
    return out / unit.folder / "anat" / name


# What is to be done -----------------------------------------------------------------------


def _measured(job: Job, unit: Unit, tell: Progress) -> Outcome:
    tell("looking for files", 0.0)
    raw = Dataset(job.raw, "raw")
    others = [Dataset(path, name) for path, name in zip(job.others, link_names(job), strict=True)]
    files = find_case(raw, others, unit, _wanted(job))
    sums = {uri: provenance.sha256(path) for path, uri in files.uris.items()}
    print_ = fingerprint(job, sums)
    if finished(job.out, unit, print_):
        return _outcome(unit, UNCHANGED)
    with OutputFolder(job.out / unit.folder / "anat") as folder:
        folder.inputs.extend(files.uris)
        folder.keep_inputs([record_path(job.out, unit).name, *_stale(job.out, unit)])
        pages = [job.out / f"{unit.prefix}.{kind}" for kind in PAGES]
        keep_apart(folder.inputs, pages, job.out)
        result = _write(job, files, folder, print_, tell)
    return _outcome(unit, DONE, warnings=sum(f.warning for f in result.findings))


def link_names(job: Job) -> list[str]:
    """What BIDS URIs call the derivative datasets: segmentations, segmentations2 and on."""
    return [f"segmentations{n if n > 1 else ''}" for n in range(1, len(job.others) + 1)]


def _wanted(job: Job) -> Wanted:
    makes = tuple(n for n in job.maps if n in MEASURABLE) if job.maps else MEASURED
    return Wanted(
        tissues={name: job.settings.get(name) for name in TISSUES},
        maps=job.maps,
        from_echoes=makes,
        labels=job.labels_desc,
        regions=job.regions_desc,
        select=job.select,
    )


def fingerprint(job: Job, sums: Mapping[str, str]) -> str:
    """A checksum over everything that the results follow from.

    Args:
        job: its settings count, where its folders lie does not.
        sums: checksum of every input file and sidecar by its BIDS URI.
    """
    followed = {
        "version": __version__,
        "settings": dict(job.settings),
        "echoes": dict(job.echo_options),
        "maps": list(job.maps),
        "chosen": [job.labels_desc, job.regions_desc, dict(job.select)],
        "written": [job.scene, job.keep_identity, job.pdf],
        "inputs": dict(sums),
    }
    text = json.dumps(followed, sort_keys=True, default=str)
    return hashlib.sha256(text.encode("utf-8")).hexdigest()


def finished(out: Path, unit: Unit, print_: str) -> bool:
    """Whether a unit's results are there, whole, and follow from the same."""
    record = read_record(out, unit)
    if record.get("fingerprint") != print_:
        return False
    outputs = record.get("outputs", {})
    return all(provenance.sha256(out / n) == o["sha256"] for n, o in outputs.items())


def read_record(out: Path, unit: Unit) -> dict[str, Any]:
    """A unit's provenance; empty where there is none that can be read."""
    try:
        record = json.loads(record_path(out, unit).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return record if isinstance(record, dict) else {}


# Measuring and writing --------------------------------------------------------------------


def _write(
    job: Job, files: CaseFiles, folder: OutputFolder, print_: str, tell: Progress
) -> Measurement:
    """Measures, and moves the results into the unit's folder under their BIDS names."""
    started = time.perf_counter()
    work = folder.path(".work")
    work.mkdir()
    result = analyze(
        _inputs(job, files),
        work / "results",
        {**job.settings, **files.tissues},
        lambda step, fraction: tell(step, 0.95 * fraction),
        command=job.command,
        title=f"{files.unit}: {TITLE[0].lower()}{TITLE[1:]}",
        scene=job.scene,
        pdf=job.pdf,
        called=None if job.keep_identity else _called(job, files),
    )
    tell("naming", 0.95)
    record = json.loads((work / "results" / provenance.FILE).read_text(encoding="utf-8"))
    _rename(work / "results", folder, files, result)
    pages = {f"{files.unit.prefix}{path.suffix}": path
             for path in sorted((work / "results").glob("report.*"))}  # fmt: skip
    outputs = {_placed(files.unit, path.name): provenance.describe_output(path)
               for path in sorted(folder.path("").iterdir()) if path != work}  # fmt: skip
    outputs |= {name: provenance.describe_output(path) for name, path in pages.items()}
    record |= {
        "participant": files.unit.participant,
        "session": files.unit.session,
        "fingerprint": print_,
        "outputs": outputs,
    }
    record["seconds"]["total"] = round(time.perf_counter() - started, 4)
    name = record_path(job.out, files.unit).name
    provenance.write(record, folder.path(name))
    folder.keep_inputs(path.name for path in folder.path("").iterdir())
    # The report lies outside the folder. Until the new record is there, the old one disowns it.
    for page, path in pages.items():
        os.replace(path, job.out / f".{page}.partial")
    shutil.rmtree(work)
    for page in pages:
        os.replace(job.out / f".{page}.partial", job.out / page)
    printed = f"{files.unit.prefix}.pdf"
    if printed not in pages:  # one of an earlier run
        (job.out / printed).unlink(missing_ok=True)
    folder.publish(_stale(job.out, files.unit), last=name)
    return result


def _placed(unit: Unit, name: str) -> str:
    """Where a file of the unit's folder lies in the dataset."""
    return (unit.folder / "anat" / name).as_posix()


def _stale(out: Path, unit: Unit) -> list[str]:
    """Files in the unit's folder that an earlier run wrote."""
    own = unit.folder / "anat"
    names = [Path(name) for name in read_record(out, unit).get("outputs", {})]
    return [path.name for path in names if path.parent == own]


def _inputs(job: Job, files: CaseFiles) -> AnalyzeInputs:
    scales = {name: scale for name, file in files.maps.items() if (scale := _to_ms(name, file))}
    echoes = files.echoes
    source = None
    if echoes and files.made:
        options = dict(job.echo_options)
        options["slice_thickness"] = options.get("slice_thickness") or echoes.thickness_mm
        in_ms = max(echoes.times_s, default=0) > SECONDS_BELOW  # against BIDS, but some do it
        times = [t if in_ms else round(1000 * t, 6) for t in echoes.times_s]
        options |= {"times": times or None, "phase": echoes.phase}
        source = EchoSource(echoes.magnitude, MapOptions(**options), files.made)
    return AnalyzeInputs(
        labels=files.labels,
        maps={name: file.path for name, file in files.maps.items()},
        regions={n: RegionSource(p, str(label)) for n, (p, label) in files.regions.items()},
        units={name: file.unit for name, file in files.maps.items() if file.unit},
        scales=scales,
        echoes=source,
    )


def _to_ms(name: str, file: MapFile) -> float | None:
    """What T2* is multiplied by to be in ms; BIDS has it in s, but not all software does."""
    if name != "T2star" or file.stated == "ms":
        return None
    if file.stated in ("s", "sec", "seconds"):
        return 1000.0
    values = read_image(file.path).image.array
    positive = values[np.isfinite(values) & (values > 0)]
    return 1000.0 if positive.size and float(np.median(positive)) < 1 else None


def _called(job: Job, files: CaseFiles) -> dict[Path, str]:
    """What results call each file and folder."""
    others = dict(zip(job.others, link_names(job), strict=True))
    return {job.raw: "raw", job.out: "results", **others, **files.uris}


def _rename(results: Path, folder: OutputFolder, files: CaseFiles, result: Measurement) -> None:
    """Moves everything but report and provenance, with a sidecar for each."""
    unit = files.unit
    echoes = [files.uris[path] for path in files.echoes.magnitude] if files.echoes else []
    every = [uri for uri in files.uris.values() if not uri.endswith((".json", ".tsv"))]
    for path in sorted(results.iterdir()):
        stem, _, extension = path.name.partition(".")
        if stem in ("report", "provenance"):
            continue
        named = derivative.result_of(stem)
        new = folder.path(derivative.file_name(unit, named, f".{extension}", files.space))
        os.replace(path, new)
        sidecar: dict[str, Any] = {}
        if stem in files.made:
            if stem == "T2star":
                _in_seconds(new)
            sidecar = derivative.image_sidecar(named, echoes, echoes[0])
        elif extension.startswith("nii"):
            sidecar = derivative.image_sidecar(named, every, files.uris[files.labels])
        elif stem == "measures":
            sidecar = derivative.measures_sidecar(new)
        elif stem == "profiles":
            sidecar = derivative.profiles_sidecar(new)
        if sidecar:
            beside = derivative.file_name(unit, named, ".json", "")
            if extension.startswith("nii"):
                beside = new.name.removesuffix(f".{extension}") + ".json"
            folder.path(beside).write_text(derivative.to_json(sidecar), encoding="utf-8")
        if stem == "layers":
            table = new.name.removesuffix(f".{extension}") + ".tsv"
            rows = derivative.layer_table(result.settings.layers)
            write_rows(("index", "name"), rows, folder.path(table))


def _in_seconds(path: Path) -> None:
    """T2* as BIDS wants it."""
    file = read_image(path)
    image = Image(file.image.array / np.float32(1000), file.image.grid, file.image.name)
    write_nifti(image, path, "T2* in s; NaN = no fit", file.geometry)


# Taking turns -----------------------------------------------------------------------------


@contextlib.contextmanager
def unit_lock(out: Path, unit: Unit) -> Iterator[None]:
    """Holds a unit for this process. The system frees it when the process is killed."""
    folder = out / LOCKS
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / f"{unit.prefix}.lock", "a+b") as file:
        while not _try_lock(file):
            time.sleep(0.5)
        yield


def _try_lock(file: Any) -> bool:
    """Takes the lock; False when another process holds it. No locks on this disk: True."""
    try:
        if os.name == "nt":
            import msvcrt

            file.seek(0)
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined]
        else:
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):
        return False
    except OSError:
        return True
    return True


def remove_leftovers(out: Path, unit: Unit) -> None:
    """Removes what a killed run left of a unit; the caller holds the lock."""
    folder = out / unit.folder
    for left in [*folder.glob(".anat.*.partial"), *folder.glob("anat/.*.partial")]:
        shutil.rmtree(left, ignore_errors=True)
    for kind in PAGES:
        (out / f".{unit.prefix}.{kind}.partial").unlink(missing_ok=True)
