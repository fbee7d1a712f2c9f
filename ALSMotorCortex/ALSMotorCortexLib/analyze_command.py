"""The command ``analyze``: its arguments and what it runs.

Nothing but the standard library is imported until it runs.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from . import compare_command, maps_command, pdf
from .cortex.errors import InputError
from .scene_process import SceneWriter, scene_writer
from .study.regular import check_regular

if TYPE_CHECKING:
    from .analyze import AnalyzeInputs
    from .analyze_beside import Beside
    from .cortex.result import Measurement
    from .drawings import Drawn
    from .maps import EchoSource

HELP = "measure thickness and laminar profile of one case"

# Command-line options that are settings, by field name.
_SETTING_OPTIONS = (
    "gm", "wm", "csf", "other_bank", "label_style", "plane", "max_angle", "layers", "bins",
    "layer_depth", "reference",
)  # fmt: skip

EXAMPLES = """examples:
  Tissue labels and one map:
    als-motor-cortex analyze --map T2star=t2star.nii.gz --unit T2star=ms \\
        --labels seg.nii.gz --gm 3 --wm 2 --csf 1 --out results/
  A segmentation from Slicer, by segment name, with a region:
    als-motor-cortex analyze --map R2star=r2star.nrrd --labels m1.seg.nrrd \\
        --gm "Gray matter" --wm "White matter" --csf CSF \\
        --region hand=m1.seg.nrrd:Hand --out results/
  No labels, but a curve drawn along the cortex in Slicer, and a caliper:
    als-motor-cortex analyze --map T2star=t2star.nii.gz --trace trace.mrk.json \\
        --caliper hand.mrk.json --out results/
  The scanner's echoes in place of a map, as for the command maps:
    als-motor-cortex analyze --echoes sub-01/anat/ \\
        --labels seg.nii.gz --gm 3 --wm 2 --csf 1 --out results/
  LayNii's rim file:
    als-motor-cortex analyze --labels rim.nii.gz --label-style rim \\
        --gm 3 --wm 2 --csf 1 --out results/
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """All options of ``analyze`` but ``--quiet`` and ``--debug``, which all commands share."""
    add = parser.add_argument
    add(
        "--labels",
        metavar="FILE",
        help="label map (NIfTI, NRRD) or Slicer segmentation (.seg.nrrd); not needed with --trace",
    )
    add(
        "--trace",
        action="append",
        default=[],
        metavar="FILE[,FILE...]",
        dest="traces",
        help="curves along the cortex (.mrk.json), one for each slice; without --labels they "
        "make the label map",
    )
    add(
        "--borders",
        action="append",
        default=[],
        metavar="PIAL,WHITE",
        help="both borders drawn by hand as two curves (.mrk.json), in place of a trace",
    )
    add(
        "--caliper",
        action="append",
        default=[],
        metavar="FILE[,FILE...]",
        dest="calipers",
        help="lines across the cortex (.mrk.json)",
    )
    add(
        "--drawn-on",
        default="",
        metavar="NAME",
        help="map that traces and calipers are measured on (default: the first)",
    )
    add_tissue_arguments(parser)
    add(
        "--map",
        action="append",
        default=[],
        metavar="NAME=FILE",
        dest="maps",
        help="contrast map on any grid; may be given several times. Without NAME= it is called by "
        "the contrast that its file's name tells, else map",
    )
    add(
        "--unit",
        action="append",
        default=[],
        metavar="NAME=UNIT",
        dest="units",
        help="unit of a map's values, for the tables and figures",
    )
    add(
        "--region",
        action="append",
        default=[],
        metavar="NAME=FILE[:LABELS]",
        dest="regions",
        help="part of the ribbon to measure on its own; without labels, all labelled voxels",
    )
    add_setting_arguments(parser)
    add("--out", required=True, metavar="FOLDER", help="folder for the results")
    add("--no-report", action="store_true", help="do not write report.html")
    pdf.add_pdf_argument(parser)
    add("--no-scene", action="store_true", help="do not write scene.mrb")
    maps_command.add_identity_argument(parser)
    _add_echo_arguments(parser)
    _add_beside_arguments(parser)


def _add_beside_arguments(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("what the report shows beside the measurement")
    compare_command.add_control_arguments(group)
    group.add_argument(
        "--reading",
        nargs="+",
        default=[],
        metavar="FILE",
        dest="readings",
        help="tables of readings by eye, one for each reader",
    )
    group.add_argument("--case", default="", metavar="ID", help="the case_id in --reading")


def _beside(arguments: argparse.Namespace) -> Beside:
    """What the report is to show beside the measurement.

    Raises:
        InputError: an option that needs another one.
    """
    from .analyze_beside import Beside

    for name in ("profiles", "participants", "control_group", "session", "age", "sex"):
        if not arguments.controls and getattr(arguments, name) not in (None, "", []):
            option = f"--{name.replace('_', '-')}"
            raise InputError(f"{option} is given, but no controls. Name them with --controls.")
    if bool(arguments.readings) != bool(arguments.case):
        given, other = ("--reading", "--case") if arguments.readings else ("--case", "--reading")
        raise InputError(f"{given} is given without {other}. Give both.")
    controls = compare_command.source_of(arguments) if arguments.controls else None
    return Beside(controls, tuple(Path(path) for path in arguments.readings), arguments.case)


def _add_echo_arguments(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group(
        "echoes, from which maps are made and measured, in place of --map or beside it"
    )
    maps_command.add_echo_arguments(group, required=False)
    group.add_argument(
        "--echo-maps",
        metavar="NAMES",
        help="which of the maps to measure, separated by commas: combined_snr, combined_rss, "
        "combined_mean, T2star, R2star, S0 (default combined_snr,T2star,R2star)",
    )


def add_tissue_arguments(parser: argparse.ArgumentParser) -> None:
    """The options that say which labels are which tissue, for every command that measures."""
    add = parser.add_argument
    for option, meaning in (
        ("--gm", "gray matter to measure"),
        ("--wm", "white matter; for rim labels the line on its side"),
        ("--csf", "CSF; for rim labels the line on its side"),
        ("--other-bank", "gray matter that is not measured but bounds it across a closed sulcus"),
    ):
        add(
            option,
            metavar="LABELS",
            help=f"labels of {meaning}; several are separated by commas; "
            "numbers, or segment names of a .seg.nrrd",
        )
    add(
        "--label-style",
        metavar="STYLE",
        help="tissue: borders run between voxels (default); rim: borders run through one-voxel "
        "lines, as in LayNii's rim files",
    )


def add_setting_arguments(parser: argparse.ArgumentParser) -> None:
    """The other options that :func:`settings_of` reads, for every command that measures."""
    add = parser.add_argument
    add(
        "--plane",
        metavar="PLANE",
        help="measure within axial, coronal or sagittal slices; none (default) measures in 3D",
    )
    add(
        "--max-angle",
        type=float,
        metavar="DEGREES",
        help="with --plane: leave columns out of all means that the slices cut at a steeper angle "
        "to the cortex's normal (default 30)",
    )
    add("--layers", type=int, metavar="N", help="layers of equal depth range (default 3)")
    add("--bins", type=int, metavar="N", help="depth bins of the laminar profile (default 20)")
    add(
        "--layer-depth",
        metavar="DEPTH",
        help="depth of layers and profiles: equivolume (default) or equidistant",
    )
    add(
        "--reference",
        metavar="WHAT",
        help="divide map values by the median of white_matter, csf or region:NAME; "
        "none (default) leaves them",
    )
    add(
        "--iron",
        action="append",
        default=[],
        metavar="NAME=HOW",
        help="whether iron is bright or dark in a map, which has to be said of susceptibility "
        "maps; without it, bright in R2* and dark in all others",
    )
    add(
        "--settings",
        metavar="FILE",
        help="JSON file with settings by name; options on the command line win",
    )


def run(
    arguments: argparse.Namespace,
    command: Sequence[str] = (),
    progress: Callable[[str, float], Any] | None = None,
) -> Measurement | Drawn:
    """Measures what the arguments ask for.

    Args:
        arguments: parsed.
        command: the command line, for the provenance.
        progress: gets a step's name and the fraction done.

    Raises:
        InputError: see :func:`.analyze.analyze`.
    """
    # Before anything heavy is imported, so that Slicer's core is loaded meanwhile.
    with scene_writer(not (arguments.no_scene or _calipers_only(arguments))) as writer:
        return _measure(arguments, command, progress, writer)


def _measure(
    arguments: argparse.Namespace,
    command: Sequence[str],
    progress: Callable[[str, float], Any] | None,
    writer: SceneWriter,
) -> Measurement | Drawn:
    from .analyze import analyze, analyze_calipers

    inputs = inputs_of(arguments)
    beside = _beside(arguments)
    if arguments.pdf and arguments.no_report:
        raise InputError("--pdf prints the report, which --no-report leaves out. Give one of them.")
    called = None
    if not arguments.keep_patient_identity:
        called = {**beside.called(), **_names(inputs, arguments)}
    settings = settings_of(arguments)
    made = inputs.echoes.names if inputs.echoes else ()
    if arguments.iron and (unknown := set(settings["iron"]) - {*inputs.maps, *made}):
        raise InputError(f"--iron names {min(unknown)}, but no map has that name.")
    files = [Path(arguments.settings)] if arguments.settings else []
    if _calipers_only(arguments):
        if beside.files or arguments.pdf:
            raise InputError(
                "Calipers alone make no report. Add --labels or --trace, or leave out --controls, "
                "--reading and --pdf."
            )
        return analyze_calipers(
            inputs,
            arguments.out,
            settings.get("iron"),
            progress,
            command=command,
            called=called,
            files=files,
        )
    return analyze(
        inputs,
        arguments.out,
        settings,
        progress,
        command=command,
        report=not arguments.no_report,
        scene=not arguments.no_scene,
        called=called,
        beside=beside,
        pdf=arguments.pdf,
        writer=writer,
        files=files,
    )


def _names(inputs: AnalyzeInputs, arguments: argparse.Namespace) -> dict[Path, str]:
    """What the results call each file: what it is used as, and never its path."""
    from .study.privacy import called

    roles: dict[Path, str] = {inputs.labels: "labels"} if inputs.labels else {}
    for name, region in inputs.regions.items():
        roles.setdefault(region.path, f"region-{name}")
    for name, path in inputs.maps.items():
        roles.setdefault(path, f"map-{name}")
    for n, path in enumerate(inputs.drawings.traces, 1):
        roles.setdefault(path, f"trace-{n}")
    for n, path in enumerate(inputs.drawings.calipers, 1):
        roles.setdefault(path, f"caliper-{n}")
    for n, (pial, white) in enumerate(inputs.drawings.borders, 1):
        roles |= {pial: f"pial-border-{n}", white: f"white-border-{n}"}
    names = {path: called(role, path) for path, role in roles.items()}
    if inputs.echoes:
        echoes = inputs.echoes
        names = {**maps_command.names_of(echoes.paths, echoes.options), **names}
    if arguments.settings:
        names.setdefault(Path(arguments.settings), "settings.json")
    return {**names, Path(arguments.out): "results"}


def closing(arguments: argparse.Namespace, result: Measurement | Drawn) -> str:
    """What to tell when it is done."""
    first = "measures.tsv" if arguments.no_report else "report.html"
    if _calipers_only(arguments):
        first = "markups.tsv"
    return f"Results are in {arguments.out}. Open {Path(arguments.out) / first}."


def _calipers_only(arguments: argparse.Namespace) -> bool:
    """Whether there are calipers and nothing that makes a ribbon."""
    ribbon = arguments.labels or arguments.traces or arguments.borders
    return bool(arguments.calipers) and not ribbon


def inputs_of(arguments: argparse.Namespace) -> AnalyzeInputs:
    """The files that the arguments name.

    Raises:
        InputError: an option that is not of the form NAME=FILE, or a name given twice.
    """
    from .analyze import AnalyzeInputs, RegionSource
    from .drawings import Drawings
    from .study.segmentations import split_labels

    keep = arguments.keep_patient_identity
    maps = _unique(_named(arguments.maps, "map", keep), "--map")
    regions = _unique(_named(arguments.regions, "region", keep), "--region")
    parts = {name: split_labels(text) for name, text in regions.items()}
    return AnalyzeInputs(
        labels=Path(arguments.labels) if arguments.labels else None,
        maps={name: Path(file) for name, file in maps.items()},
        regions={name: RegionSource(Path(file), labels) for name, (file, labels) in parts.items()},
        units=_unique([_unit(text) for text in arguments.units], "--unit"),
        drawings=Drawings(
            traces=_files(arguments.traces),
            borders=tuple(_pair(text) for text in arguments.borders),
            calipers=_files(arguments.calipers),
            map=arguments.drawn_on,
        ),
        echoes=_echoes(arguments),
    )


def _echoes(arguments: argparse.Namespace) -> EchoSource | None:
    if not arguments.echoes:
        given = maps_command.given_options(arguments)
        if arguments.echo_maps is not None:
            given.append("--echo-maps")
        if given:
            raise InputError(f"{given[0]} is given, but no echoes. Name them with --echoes.")
        return None
    from .maps import EchoSource

    source = EchoSource(
        tuple(Path(path) for path in arguments.echoes), maps_command.options_of(arguments)
    )
    if arguments.echo_maps is None:
        return source
    names = [name.strip() for name in arguments.echo_maps.split(",")]
    return replace(source, names=tuple(dict.fromkeys(filter(None, names))))


def settings_of(arguments: argparse.Namespace) -> dict[str, Any]:
    """Settings by name: those of the file, with the options of the command line over them.

    Raises:
        InputError: the settings file cannot be used.
    """
    settings = _settings_file(arguments.settings) if arguments.settings else {}
    _check_settings(settings, f"The settings file {arguments.settings}")
    for name in _SETTING_OPTIONS:
        if (value := getattr(arguments, name)) is not None:
            settings[name] = value
            _check_settings({name: value}, f"--{name.replace('_', '-')} {value}")
    form = "NAME=bright or NAME=dark"
    iron = _unique([_named_value(text, "--iron", form) for text in arguments.iron], "--iron")
    _check_settings({"iron": iron}, f"--iron {' --iron '.join(arguments.iron)}")
    return settings | ({"iron": iron} if iron else {})


def _check_settings(values: dict[str, Any], where: str) -> None:
    """Raises: InputError: they cannot be used; it says where they come from.

    Which labels are which tissue can only be checked where the label map is known.
    """
    from .cortex.settings import TISSUES, Settings

    others = {name: value for name, value in values.items() if name not in TISSUES}
    try:
        Settings(gm=(1,), wm=(2,), csf=(3,)).with_values(others).check()
    except InputError as error:
        raise InputError(f"{where} cannot be used. {error}") from None


def _named(texts: Sequence[str], role: str, keep: bool) -> list[tuple[str, str]]:
    """Names and files. A name that is not given is made from the file's own, which may hold a
    patient's name: then only the words are taken that tell what the image is."""
    from .study.images import named_file
    from .study.privacy import telling

    pairs: list[tuple[str, str]] = []
    for text in texts:
        name, file = named_file(text, f"--{role}")
        if file == text and not keep:
            name = telling(name, role, (taken for taken, _ in pairs))
        pairs.append((name, file))
    return pairs


def _files(texts: Sequence[str]) -> tuple[Path, ...]:
    """Paths of an option that takes several, separated by commas."""
    return tuple(Path(part.strip()) for text in texts for part in text.split(",") if part.strip())


def _pair(text: str) -> tuple[Path, Path]:
    files = _files([text])
    if len(files) != 2:
        raise InputError(
            f"--borders {text!r} should name two files: --borders PIAL.mrk.json,WHITE.mrk.json."
        )
    return files[0], files[1]


def _unit(text: str) -> tuple[str, str]:
    if not text.isprintable():
        raise InputError(f"--unit {text!r} cannot be used. Choose a unit without tabs and line "
                         "breaks.")  # fmt: skip
    return _named_value(text, "--unit", "NAME=UNIT")


def _named_value(text: str, option: str, form: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not (equals and name.strip() and value.strip()):
        raise InputError(f"{option} {text!r} should read {option} {form}.")
    return name.strip(), value.strip()


def _unique(pairs: Sequence[tuple[str, str]], option: str) -> dict[str, str]:
    names = [name for name, _ in pairs]
    for name in names:
        if names.count(name) > 1:
            raise InputError(f"{option} {name} is given {names.count(name)} times. Use each name "
                             "once.")  # fmt: skip
    return dict(pairs)


def _settings_file(path: str) -> dict[str, Any]:
    check_regular(path)
    try:
        values = json.loads(Path(path).read_text(encoding="utf-8-sig"))  # Windows writes the mark
    except FileNotFoundError:
        raise InputError(f"There is no settings file {path}. Check its name.") from None
    except OSError as error:
        raise InputError(f"The settings file {path} cannot be read ({error.strerror}).") from None
    except UnicodeDecodeError:
        raise InputError(
            f"The settings file {path} is not text in UTF-8. Save it again in that encoding."
        ) from None
    except ValueError as error:
        raise InputError(f"The settings file {path} is not valid JSON: {error}.") from None
    if not isinstance(values, dict):
        raise InputError(
            f'The settings file {path} should hold settings by name, as in {{"layers": 3}}.'
        )
    return values
