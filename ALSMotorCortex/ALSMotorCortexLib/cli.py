"""The command line: ``als-motor-cortex analyze`` and its like.

Also runs as a file, inside Slicer too, which passes on the arguments it does not know::

    Slicer --no-main-window --python-script .../ALSMotorCortexLib/cli.py analyze ...

To add a command, write a function that adds its arguments and one that runs it, and list
both in :data:`COMMANDS`. Nothing but the standard library is imported until a command runs,
so that ``--help`` answers at once.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import threading
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn, TextIO

if not __package__:  # run as a file: make the package that it lies in importable
    sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

from ALSMotorCortexLib import __version__
from ALSMotorCortexLib.cortex.errors import InputError

PROGRAM = "als-motor-cortex"
DISCLAIMER = "Research software. It is not a medical device and not for diagnosis."

EXIT_OK, EXIT_FAULT, EXIT_INPUT = 0, 1, 2
EXIT_INTERRUPTED, EXIT_TERMINATED = 130, 143  # 128 + signal, as shells count


class Terminated(KeyboardInterrupt):
    """The process was asked to end (SIGTERM)."""


@dataclass(frozen=True)
class Command:
    """One command: its line in the help, its arguments, and what it does."""

    help: str
    add_arguments: Callable[[argparse.ArgumentParser], None]
    run: Callable[[argparse.Namespace, Sequence[str]], None]
    examples: str = ""


def main(argv: Sequence[str] | None = None) -> int:
    """Runs a command and returns the exit status.

    0 done; 2 input that cannot be used, told in a sentence on standard error; 130 and 143
    interrupted and terminated; 1 a fault in this software.
    """
    argv = list(sys.argv[1:] if argv is None else argv)
    debug = "--debug" in argv
    try:
        with _termination_raises():
            arguments = _parser().parse_args(argv)
            if arguments.command is None:
                raise InputError(f"Name a command: {', '.join(COMMANDS)}. See {PROGRAM} --help.")
            COMMANDS[arguments.command].run(arguments, argv)
    except SystemExit as leaving:  # --help and --version
        return int(leaving.code or 0)
    except InputError as error:
        return _failed(f"Error: {error}", EXIT_INPUT)
    except Terminated:
        return _failed("Terminated. No results were changed.", EXIT_TERMINATED)
    except KeyboardInterrupt:
        return _failed("Interrupted. No results were changed.", EXIT_INTERRUPTED)
    except MemoryError:
        return _failed(
            "Error: There is not enough memory for an image of this size. Crop the images to "
            "the motor cortex, or run on a machine with more.",
            EXIT_INPUT,
        )
    except Exception as error:
        if debug:
            raise
        place = traceback.extract_tb(error.__traceback__)[-1]
        return _failed(
            f"Fault in {PROGRAM} {__version__} at {Path(place.filename).name}:{place.lineno}: "
            f"{type(error).__name__}: {error}. No results were changed. "
            "Please report it, with what --debug prints.",
            EXIT_FAULT,
        )
    return EXIT_OK


def _failed(text: str, status: int) -> int:
    print(text, file=sys.stderr)
    return status


# analyze --------------------------------------------------------------------------------

# Command-line options that are settings, by field name.
_SETTING_OPTIONS = (
    "gm", "wm", "csf", "other_bank", "label_style", "plane", "layers", "bins", "layer_depth",
    "reference",
)  # fmt: skip

ANALYZE_EXAMPLES = f"""examples:
  Tissue labels and one map:
    {PROGRAM} analyze --map T2star=t2star.nii.gz --unit T2star=ms \\
        --labels seg.nii.gz --gm 3 --wm 2 --csf 1 --out results/
  A segmentation from Slicer, by segment name, with a region:
    {PROGRAM} analyze --map R2star=r2star.nrrd --labels m1.seg.nrrd \\
        --gm "Gray matter" --wm "White matter" --csf CSF \\
        --region hand=m1.seg.nrrd:Hand --out results/
  LayNii's rim file:
    {PROGRAM} analyze --labels rim.nii.gz --label-style rim \\
        --gm 3 --wm 2 --csf 1 --out results/
"""


def _analyze_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add(
        "--labels",
        required=True,
        metavar="FILE",
        help="label map (NIfTI, NRRD) or Slicer segmentation (.seg.nrrd)",
    )
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
    add(
        "--map",
        action="append",
        default=[],
        metavar="NAME=FILE",
        dest="maps",
        help="contrast map on any grid; may be given several times",
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
    add(
        "--plane",
        metavar="PLANE",
        help="measure within axial, coronal or sagittal slices; none (default) measures in 3D",
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
        "--settings",
        metavar="FILE",
        help="JSON file with settings by name; options on the command line win",
    )
    add("--out", required=True, metavar="FOLDER", help="folder for the results")
    add("--no-report", action="store_true", help="do not write report.html")
    add("--no-scene", action="store_true", help="do not write scene.mrb")
    _common_arguments(parser)


def _common_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--quiet", action="store_true", help="print warnings and errors only")
    parser.add_argument(
        "--debug", action="store_true", help="show the traceback of a fault in this software"
    )


def _run_analyze(arguments: argparse.Namespace, argv: Sequence[str]) -> None:
    from ALSMotorCortexLib.analyze import AnalyzeInputs, RegionSource, analyze
    from ALSMotorCortexLib.study.images import named_file
    from ALSMotorCortexLib.study.segmentations import split_labels

    maps = _unique([named_file(text, "--map") for text in arguments.maps], "--map")
    regions = _unique([named_file(text, "--region") for text in arguments.regions], "--region")
    sources = {}
    for name, text in regions.items():
        file, labels = split_labels(text)
        sources[name] = RegionSource(Path(file), labels)
    units = _unique([_pair(text, "--unit", "UNIT") for text in arguments.units], "--unit")
    inputs = AnalyzeInputs(
        labels=Path(arguments.labels),
        maps={name: Path(file) for name, file in maps.items()},
        regions=sources,
        units=units,
    )
    settings = _settings_file(arguments.settings) if arguments.settings else {}
    for name in _SETTING_OPTIONS:
        if (value := getattr(arguments, name)) is not None:
            settings[name] = value
    with _progress(arguments.quiet) as progress:
        result = analyze(
            inputs,
            arguments.out,
            settings,
            progress,
            command=[PROGRAM, *argv],
            report=not arguments.no_report,
            scene=not arguments.no_scene,
        )
    tell_findings(result.findings, arguments.quiet)
    if not arguments.quiet:
        page = "measures.tsv" if arguments.no_report else "report.html"
        print(f"Results are in {arguments.out}. Open {Path(arguments.out) / page}.")


def tell_findings(findings: Sequence[Any], quiet: bool) -> None:
    """Prints findings to standard error; with ``quiet``, warnings only."""
    for finding in findings:
        if finding.warning or not quiet:
            kind = "Warning" if finding.warning else "Note"
            print(f"{kind}: {finding.message}", file=sys.stderr)


def _pair(text: str, option: str, what: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not (equals and name.strip() and value.strip()):
        raise InputError(f"{option} {text!r} should read {option} NAME={what}.")
    return name.strip(), value.strip()


def _unique(pairs: Sequence[tuple[str, str]], option: str) -> dict[str, str]:
    names = [name for name, _ in pairs]
    for name in names:
        if names.count(name) > 1:
            raise InputError(f"{option} {name} is given {names.count(name)} times. Use each name "
                             "once, as NAME=FILE.")  # fmt: skip
    return dict(pairs)


def _settings_file(path: str) -> dict[str, Any]:
    try:
        values = json.loads(Path(path).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError(f"There is no settings file {path}. Check its name.") from None
    except OSError as error:
        raise InputError(f"The settings file {path} cannot be read ({error.strerror}).") from None
    except ValueError as error:
        raise InputError(f"The settings file {path} is not valid JSON: {error}.") from None
    if not isinstance(values, dict):
        raise InputError(
            f'The settings file {path} should hold settings by name, as in {{"layers": 3}}.'
        )
    return values


# demo -----------------------------------------------------------------------------------


def _demo_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--out", required=True, metavar="FOLDER", help="folder for the results")
    _common_arguments(parser)


def _run_demo(arguments: argparse.Namespace, argv: Sequence[str]) -> None:
    from ALSMotorCortexLib.demo import demo, table

    with _progress(arguments.quiet) as progress:
        result, truth = demo(arguments.out, progress, command=[PROGRAM, *argv])
    tell_findings(result.findings, arguments.quiet)
    print(table(result, truth))
    if not arguments.quiet:
        print(f"Results are in {arguments.out}. Open {Path(arguments.out) / 'report.html'}.")


COMMANDS: dict[str, Command] = {
    "analyze": Command(
        "measure thickness and laminar profile of one case",
        _analyze_arguments,
        _run_analyze,
        ANALYZE_EXAMPLES,
    ),
    "demo": Command(
        "make a synthetic 7 T motor cortex, measure it, and compare with the truth",
        _demo_arguments,
        _run_demo,
        f"example:\n  {PROGRAM} demo --out demo\n",
    ),
}


# The parser, the signals, the progress --------------------------------------------------


class _Parser(argparse.ArgumentParser):
    """Says what is wrong in a sentence, without the usage in front."""

    def error(self, message: str) -> NoReturn:
        text = message[:1].upper() + message[1:]
        raise InputError(f"{text.rstrip('.')}. See {self.prog} --help.")


def _parser() -> _Parser:
    def make(add: Callable[..., Any], *names: str, **options: Any) -> Any:
        return add(
            *names,
            formatter_class=argparse.RawDescriptionHelpFormatter,
            allow_abbrev=False,
            **options,
        )

    parser = make(
        _Parser,
        prog=PROGRAM,
        description="Thickness and laminar signal of the motor cortex.\n" + DISCLAIMER,
    )
    parser.add_argument("--version", action="version", version=f"{PROGRAM} {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND")
    for name, command in COMMANDS.items():
        text = command.help[0].upper() + command.help[1:]
        command.add_arguments(
            make(
                commands.add_parser,
                name,
                help=command.help,
                description=f"{text}.\n{DISCLAIMER}",
                epilog=command.examples,
            )
        )
    return parser


@contextmanager
def _termination_raises() -> Iterator[None]:
    """SIGTERM raises within the block, so that temporary files are removed."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def stop(number: int, frame: Any) -> None:
        raise Terminated

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before if before is not None else signal.SIG_DFL)


@contextmanager
def _progress(quiet: bool) -> Iterator[Callable[[str, float], None]]:
    """A progress function: one line that changes on a terminal, else a line for each step."""
    if quiet:
        yield lambda step, fraction: None
        return
    line = ProgressLine(sys.stderr)
    try:
        yield line
    finally:
        line.close()


class ProgressLine:
    """Prints how far a command has come."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._live = bool(getattr(stream, "isatty", lambda: False)())
        self._shown = ""
        self._lock = threading.Lock()

    def __call__(self, step: str, fraction: float) -> None:
        text = f"{100 * min(max(fraction, 0), 1):3.0f} %  {step}"
        with self._lock:
            if self._live and text != self._shown:
                self._stream.write(f"\r\x1b[K{text}")
            elif not self._live and step != self._shown[7:]:
                self._stream.write(text + "\n")
            self._shown = text
            self._stream.flush()

    def close(self) -> None:
        """Clears the line on a terminal."""
        if self._live:
            self._stream.write("\r\x1b[K")
            self._stream.flush()


def _leave(status: int) -> None:
    """Ends the process; inside Slicer by its own exit, which keeps the status."""
    if getattr(sys.modules.get("slicer"), "app", None) is None:
        sys.exit(status)
    import slicer.util

    slicer.util.exit(status)


if __name__ == "__main__":
    _leave(main())
