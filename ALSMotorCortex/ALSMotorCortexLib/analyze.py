"""From files to files: read, measure, write. What every front end without a window calls."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from .analyze_beside import Beside, ReadBeside
from .analyze_writing import RESULTS, Clock, Writing, write_images, write_tables
from .cortex.errors import InputError
from .cortex.grid import Image
from .cortex.measure import measure
from .cortex.result import RIBBON, Finding, Measurement
from .cortex.settings import Settings
from .drawings import TISSUES as TRACED
from .drawings import Drawings, Drawn, measure_drawings
from .pdf import write_pdf
from .scene_process import SceneWriter, WriterHere, has_slicer
from .study import provenance
from .study.images import ImageFile, read_image
from .study.nifti import NiftiGeometry
from .study.outputs import OutputFolder
from .study.privacy import Redaction
from .study.segmentations import LabelFile, read_labels

if TYPE_CHECKING:
    from .maps import EchoSource

Progress = Callable[[str, float], None]

TISSUES = ("gm", "wm", "csf", "other_bank")

NO_SCENE = Finding(
    "scene_skipped",
    "scene.mrb is not written because slicer-core is not installed. "
    "Install it with: pip install slicer-core",
    warning=True,
)

# How far the whole is when files are read, when echoes are fitted too, and when all is measured.
_READ, _FITTED, _MEASURED = 0.03, 0.3, 0.7


@dataclass(frozen=True)
class RegionSource:
    """A region: a label file and the labels in it that make it up, all if none is named."""

    path: Path
    labels: str = ""


@dataclass(frozen=True)
class AnalyzeInputs:
    """The files to measure.

    Attributes:
        labels: label map or Slicer segmentation; None where traces make the label map.
        maps: contrast maps by name.
        regions: regions by name.
        units: units of the maps' values by name, where known.
        scales: what maps' values are multiplied by on reading, by name, to get that unit.
        drawings: calipers and traces.
        echoes: what more maps are made from, or None.
    """

    labels: Path | None
    maps: Mapping[str, Path] = field(default_factory=dict)
    regions: Mapping[str, RegionSource] = field(default_factory=dict)
    units: Mapping[str, str] = field(default_factory=dict)
    scales: Mapping[str, float] = field(default_factory=dict)
    drawings: Drawings = Drawings()
    echoes: EchoSource | None = None

    @property
    def files(self) -> list[Path]:
        """All that is read, folders of echoes too."""
        regions = [source.path for source in self.regions.values()]
        echoes = self.echoes.files if self.echoes else []
        labels = [self.labels] if self.labels else []
        return [*labels, *self.maps.values(), *regions, *self.drawings.files, *echoes]

    def written(self) -> list[str]:
        """Names of all files that the results may have, but for the provenance."""
        made = self.echoes.names if self.echoes else ()
        return [*RESULTS, *(f"{name}.nii.gz" for name in made)]


def analyze(
    inputs: AnalyzeInputs,
    out: str | os.PathLike,
    settings: Mapping[str, Any],
    progress: Progress | None = None,
    *,
    command: Iterable[str] = (),
    title: str = "Motor cortex thickness and laminar profile",
    report: bool = True,
    scene: bool = True,
    called: Mapping[Path, str] | None = None,
    beside: Beside | None = None,
    pdf: bool = False,
    writer: SceneWriter | None = None,
    files: Iterable[Path] = (),
) -> Measurement:
    """Measures one case and writes all results into a folder, or none.

    Args:
        inputs: what to measure.
        out: the folder; made if it is not there. Other files in it stay.
        settings: fields of :class:`.cortex.settings.Settings` by name. The tissues ``gm``,
            ``wm``, ``csf`` and ``other_bank`` may be segment names as well as numbers.
        progress: gets a step's name and the fraction done, 0 to 1; may raise to stop.
        command: the command line, for the provenance.
        title: of the report.
        report, scene: whether to write ``report.html`` and ``scene.mrb``.
        called: what the results call the input files, whose paths may hold a patient's name;
            without it they stand as they are given.
        beside: what the report shows beside the measurement.
        pdf: whether to write ``report.pdf``, too, where there is something to print it.
        writer: what writes the scene; see :mod:`.scene_process`.
        files: others that the settings come from, and which the results must not replace.

    Returns:
        the measurement, with what was found on reading and the time of every step. Its
        findings name files as they were given, also where ``called`` hides that in the results.

    Raises:
        InputError: the input cannot be measured or the results cannot be written. The
            folder is then as it was.
    """
    started, clock = provenance.now(), Clock()
    tell = progress or (lambda step, fraction: None)
    findings = ()
    if scene and not has_slicer():
        scene, findings = False, (NO_SCENE,)
    # The scene takes longest of all files. A process that writes it needs a processor for itself.
    others = 1 if scene else 2
    with OutputFolder(out) as folder, ThreadPoolExecutor(others) as pool:
        every_file = [*inputs.files, *(beside.files if beside else ()), *files]
        provenance.keep_inputs(folder, every_file, inputs.written())
        tell("reading", 0.0)
        with clock.step("reading"):
            read = _FITTED if inputs.echoes else _READ
            also = (beside or Beside()).read()
            case = _read(inputs, settings, lambda step, done: tell(step, read * done))

        def measuring(step: str, fraction: float) -> None:
            tell(step, read + (_MEASURED - read) * fraction)

        writing = Writing(folder, pool, clock)
        writer = (writer or WriterHere()) if scene else None

        if writer:
            writer.start(case.labels)
        result = measure(
            case.labels,
            case.settings,
            case.maps,
            case.regions,
            case.units,
            measuring,
            shaped=writer.prepare if writer else None,
        )
        also = also.with_measurement(result)
        every = (*case.findings, *findings, *result.findings, *also.findings)
        result = replace(result, findings=_redacted(every, called))
        clock.seconds.update(result.seconds)
        record = {
            "started": started,
            **provenance.build(
                command, case.settings, [*case.sources, *also.sources], result.findings
            ),
            **case.contrasts.record,
        }
        if called is not None:
            record = Redaction(called).plain(record)
        tell("writing", _MEASURED)
        _start_files(writing, result, case)
        also.write(folder)
        if report:
            known = {**record, "seconds": dict(clock.seconds)}
            writing.start("report", _write_report, result, case, also, title, known)
        if writer:
            tell("writing the scene", 0.75)
            writing.scene(writer, result, case.maps)
        writing.finish()
        if pdf and report:
            tell("printing", 0.93)
            with clock.step("pdf"):
                lacking = write_pdf(folder.path("report.html"), folder.path("report.pdf"))
            every = (*every, *lacking)
        tell("finishing", 0.97)
        _finish(folder, record, clock)
        tell("done", 1.0)
    # Written results call files what stands for them; who ran this knows them by their names.
    return replace(result, seconds=clock.seconds, findings=every)


def analyze_calipers(
    inputs: AnalyzeInputs,
    out: str | os.PathLike,
    iron: Mapping[str, str] | None = None,
    progress: Progress | None = None,
    *,
    command: Iterable[str] = (),
    called: Mapping[Path, str] | None = None,
    files: Iterable[Path] = (),
) -> Drawn:
    """Measures calipers alone and writes ``markups.tsv`` into a folder.

    Args:
        inputs: with calipers and a map, without labels or traces.
        iron: as in :class:`.cortex.settings.Settings`.
        out, progress, command, called, files: see :func:`analyze`.

    Raises:
        InputError: see :func:`analyze`.
    """
    started, clock = provenance.now(), Clock()
    tell = progress or (lambda step, fraction: None)
    with OutputFolder(out) as folder:
        provenance.keep_inputs(folder, [*inputs.files, *files], inputs.written())
        tell("reading", 0.0)
        with clock.step("reading"):
            contrasts = _contrasts(inputs, lambda step, done: tell(step, 0.5 * done))
        tell("calipers", 0.5)
        with clock.step("calipers"):
            settings = Settings(gm=(), wm=(), csf=()).with_values({"iron": iron or {}})
            drawn = measure_drawings(inputs.drawings, contrasts.maps, settings.iron)
        drawn = replace(drawn, extra=_redacted(contrasts.findings, called))
        drawn.write(folder)
        _write_maps(folder, contrasts)
        every = [*contrasts.sources, *drawn.sources]
        record = provenance.build(command, settings, every, drawn.findings) | contrasts.record
        if called is not None:
            record = Redaction(called).plain(record)
        _finish(folder, {"started": started, **record}, clock)
    tell("done", 1.0)
    return drawn


def _redacted(
    findings: tuple[Finding, ...], called: Mapping[Path, str] | None
) -> tuple[Finding, ...]:
    return findings if called is None else Redaction(called).findings(findings)


# Reading --------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Contrasts:
    """The contrast maps, read from files or made from echoes.

    Attributes:
        maps, units: by name.
        sources: a record of each file, for the provenance.
        findings: what was noticed.
        made: those made from echoes.
        geometry: NIfTI header fields for them, or None.
        record: how they were made, for the provenance.
    """

    maps: Mapping[str, Image]
    units: Mapping[str, str]
    sources: list[dict[str, Any]]
    findings: tuple[Finding, ...]
    made: Mapping[str, Image] = field(default_factory=dict)
    geometry: NiftiGeometry | None = None
    record: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class _Case:
    """The inputs as they were read."""

    labels: Image
    settings: Settings
    contrasts: _Contrasts
    regions: Mapping[str, Image]
    geometry: NiftiGeometry | None
    sources: list[dict[str, Any]]
    findings: tuple[Finding, ...]
    drawn: Drawn | None

    @property
    def maps(self) -> Mapping[str, Image]:
        return self.contrasts.maps

    @property
    def units(self) -> Mapping[str, str]:
        return self.contrasts.units


def _read(inputs: AnalyzeInputs, values: Mapping[str, Any], tell: Progress) -> _Case:
    others = {name: value for name, value in values.items() if name not in TISSUES}
    settings = Settings(gm=(), wm=(), csf=()).with_values(others)
    given = {name: values[name] for name in TISSUES if values.get(name) not in (None, "", [], ())}
    if inputs.labels is None:
        given = dict(TRACED)
    replace(settings, **{n: (i + 1,) for i, n in enumerate(TISSUES) if n in given}).check()

    label_files: dict[str, LabelFile] = {}
    main = _label_file(inputs.labels, label_files) if inputs.labels else None
    if RIBBON in inputs.regions:
        raise InputError(
            f"A region cannot be called {RIBBON}: that is the name of the whole. Choose another."
        )
    regions = {
        name: _label_file(source.path, label_files).region(source.labels, f"--region {name}")
        for name, source in inputs.regions.items()
    }
    contrasts = _contrasts(inputs, tell)
    drawn = (
        measure_drawings(inputs.drawings, contrasts.maps, settings.iron)
        if inputs.drawings
        else None
    )
    labels, tissues, findings = main.tissues(given) if main else _traced(drawn)
    settings = settings.with_values(tissues)
    settings.check()

    used: dict[str, ImageFile] = {"labels": main.file} if main else {}
    used |= {f"region {n}": _label_file(s.path, label_files).file
             for n, s in inputs.regions.items()}  # fmt: skip
    found = {f.message: f for file in used.values() for f in file.findings}
    sources = [provenance.describe_input(role, file) for role, file in used.items()]
    return _Case(
        labels=labels,
        settings=settings,
        contrasts=contrasts,
        regions=regions,
        geometry=main.file.geometry if main else None,
        sources=[*sources, *contrasts.sources, *(drawn.sources if drawn else ())],
        findings=(
            *dict.fromkeys((*found.values(), *contrasts.findings)),
            *findings,
            *(drawn.findings if drawn else ()),
        ),
        drawn=drawn,
    )


def _contrasts(inputs: AnalyzeInputs, tell: Progress) -> _Contrasts:
    """Reads the maps and makes those that come from echoes, which follow in order."""
    files = {name: read_image(path) for name, path in inputs.maps.items()}
    names = inputs.echoes.names if inputs.echoes else ()
    if twice := [name for name in names if name in files]:
        raise InputError(
            f"The map {twice[0]} is made from the echoes and also given with --map. Give the "
            "file another name, or leave one of the two out."
        )
    if unknown := sorted(set(inputs.units) - {*files, *names}):
        raise InputError(f"A unit is given for {unknown[0]}, but no map has that name.")
    read = _Contrasts(
        {name: _scaled(file.image, name, inputs.scales) for name, file in files.items()},
        inputs.units,
        [provenance.describe_input(f"map {name}", file) for name, file in files.items()],
        tuple(dict.fromkeys(f for file in files.values() for f in file.findings)),
    )
    if inputs.echoes is None:
        return read
    from .maps import UNITS, compute_maps  # brings the fits, which take a while

    maps = compute_maps(inputs.echoes.paths, inputs.echoes.options, tell)
    if not maps.images["trust"].array.any():
        grows = [f.message for f in maps.findings if f.code == "echo_grows"]
        advice = grows[0] if grows else "Check the images, the echo times and --noise."
        raise InputError(f"The fit of the echoes is trusted in no voxel. {advice}")
    made = maps.to_measure(names)
    return _Contrasts(
        {**read.maps, **made},
        {**{name: unit for name, unit in UNITS.items() if name in names}, **inputs.units},
        [*read.sources, *maps.sources],
        (*read.findings, *maps.findings),
        made,
        maps.geometry,
        {"echoes": inputs.echoes.record(maps)},
    )


def _scaled(image: Image, name: str, scales: Mapping[str, float]) -> Image:
    if name not in scales:
        return replace(image, name=name)
    return Image(image.array.astype(np.float32) * np.float32(scales[name]), image.grid, name)


def _traced(drawn: Drawn | None) -> tuple[Image, dict[str, Any], tuple[Finding, ...]]:
    """The label map of the traces, its tissues as settings, and no findings."""
    if drawn is None or not drawn.traces:
        raise InputError(
            "There is nothing to measure. Name a label map with --labels, or a curve along the "
            "cortex with --trace."
        )
    return drawn.labels(), dict(TRACED), ()


def _label_file(path: Path, known: dict[str, LabelFile]) -> LabelFile:
    """The file, read once however often it is named."""
    key = os.path.realpath(path)
    if key not in known:
        known[key] = read_labels(path)
    return known[key]


# Writing --------------------------------------------------------------------------------


def _start_files(writing: Writing, result: Measurement, case: _Case) -> None:
    """Starts all files but report, scene and provenance."""
    writing.start("images", write_images, result, case.geometry)
    writing.start("tables", write_tables, result)
    if case.contrasts.made:
        writing.start("maps", _write_maps, case.contrasts)
    if case.drawn:
        writing.start("markups", case.drawn.write)


def _write_maps(folder: OutputFolder, contrasts: _Contrasts) -> None:
    """Writes the maps that were made from echoes."""
    from .maps import write_images

    write_images(folder, contrasts.made, contrasts.geometry)


def _write_report(
    folder: OutputFolder,
    result: Measurement,
    case: _Case,
    also: ReadBeside,
    title: str,
    record: Mapping[str, Any],
) -> None:
    from .report.page import write_report

    write_report(
        result,
        folder.path("report.html"),
        case.labels,
        case.maps,
        title,
        dict(record),
        more=also.sections(),
    )


def _finish(folder: OutputFolder, record: dict[str, Any], clock: Clock) -> None:
    """Writes the provenance and moves everything into place."""
    with clock.step("checksums"):
        record["outputs"] = provenance.describe_outputs(folder)
    clock.seconds["total"] = clock.total()
    record["seconds"] = {step: round(value, 4) for step, value in clock.seconds.items()}
    record["peak_memory_mib"] = provenance.peak_memory_mib()
    record["finished"] = provenance.now()
    provenance.publish(folder, record)
