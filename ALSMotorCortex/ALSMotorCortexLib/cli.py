"""The command line: ``als-motor-cortex analyze`` and its like.

Also runs as a file, inside Slicer too, which passes on the arguments it does not know::

    Slicer --no-main-window --python-script .../ALSMotorCortexLib/cli.py analyze ...

A command is a module of its own with ``HELP`` and ``EXAMPLES``, ``add_arguments(parser)``,
``run(arguments, command, progress)``, whose result has ``findings``, and, where there is more to
tell at the end than the folder, ``closing(arguments, result)``. It is listed in
:data:`COMMANDS`. Nothing but the standard library is imported until a command runs, so that
``--help`` answers at once.
"""

from __future__ import annotations

import argparse
import errno
import gc
import os
import sys
import threading
import traceback
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NoReturn, TextIO

if not __package__:  # run as a file: make the package that it lies in importable
    sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

from ALSMotorCortexLib import (
    __version__,
    agreement_command,
    analyze_command,
    bids_command,
    compare_command,
    demo_command,
    followup_command,
    group_command,
    maps_command,
    phantom_command,
    stopping,
)
from ALSMotorCortexLib.cortex.errors import InputError
from ALSMotorCortexLib.study import outputs

PROGRAM = "als-motor-cortex"
DISCLAIMER = "Research software. It is not a medical device and not for diagnosis."

EXIT_OK, EXIT_FAULT, EXIT_INPUT = 0, 1, 2
EXIT_INTERRUPTED = 2  # Ctrl-C: the user stopped it, as with input that stops it
EXIT_TERMINATED = 143  # 128 + SIGTERM, as shells count
STATUSES = """exit status:
  0    done
  2    input that cannot be used, told in a sentence on standard error; or stopped with Ctrl-C
  143  terminated (SIGTERM)
  1    a fault in this software
"""


COMMANDS: dict[str, Any] = {
    "agreement": agreement_command,
    "analyze": analyze_command,
    "bids": bids_command,
    "compare": compare_command,
    "demo": demo_command,
    "followup": followup_command,
    "group": group_command,
    "maps": maps_command,
    "phantom": phantom_command,
}


def main(argv: Sequence[str] | None = None) -> int:
    """Runs a command and returns the exit status.

    See :data:`STATUSES`.
    """
    hearing = stopping.hear()
    try:
        return _status(list(sys.argv[1:] if argv is None else argv), hearing)
    finally:
        hearing.end()


def run_and_leave() -> None:
    """Runs the command of this process and ends it. Signals stay ignored once results are there."""
    if "--debug" not in sys.argv:
        warnings.simplefilter("ignore", RuntimeWarning)  # numpy's, of numbers that are too large
    hearing = stopping.hear()
    _leave(_status(sys.argv[1:], hearing), bool(hearing.heard))


def _status(argv: Sequence[str], hearing: stopping.Hearing) -> int:
    debug = "--debug" in argv
    already = len(outputs.published)
    try:
        try:
            _check_names(argv)
            arguments = _parser().parse_args(argv)
            if arguments.command is None:
                raise InputError(f"Name a command: {', '.join(COMMANDS)}. See {PROGRAM} --help.")
            _run(arguments, argv)
        except Exception as error:
            # Some libraries make an error of their own of an interruption while they load.
            if hearing.heard:
                raise hearing.heard[-1] from error
            raise
    except SystemExit as leaving:  # --help and --version
        with suppress(OSError):
            _to_stdout("")
        return int(leaving.code or 0)
    except InputError as error:
        return _failed(f"Error: {error}", EXIT_INPUT)
    except stopping.Terminated as stop:
        stopping.ignore()
        return _failed(str(stop) or f"Terminated. {_changed(already)}", EXIT_TERMINATED)
    except KeyboardInterrupt as stop:
        stopping.ignore()
        return _failed(str(stop) or f"Interrupted. {_changed(already)}", EXIT_INTERRUPTED)
    except MemoryError:
        return _failed(
            "Error: There is not enough memory for an image of this size. Crop the images to "
            "the motor cortex, or run on a machine with more.",
            EXIT_INPUT,
        )
    except OSError as error:
        if debug:
            raise
        return _failed(f"Error: {outputs.told(error)} {_changed(already)}", EXIT_INPUT)
    except Exception as error:
        if debug:
            raise
        place = traceback.extract_tb(error.__traceback__)[-1]
        return _failed(
            f"Fault in {PROGRAM} {__version__} at {Path(place.filename).name}:{place.lineno}: "
            f"{type(error).__name__} {' '.join(str(error).split())}. {_changed(already)} "
            "Please report it, with what --debug prints.",
            EXIT_FAULT,
        )
    return EXIT_OK


def _check_names(argv: Sequence[str]) -> None:
    """Refuses what came in another encoding than UTF-8, which no table or report can hold."""
    for argument in argv:
        try:
            argument.encode("utf-8")
        except UnicodeEncodeError:
            raise InputError(
                f"{argument!a} is not in UTF-8. Rename the file or folder, or set the "
                "terminal to UTF-8."
            ) from None


def _changed(already: int) -> str:
    """What a command that did not come to its end has changed.

    Args:
        already: how many folders had been written before it began.
    """
    if not (written := dict.fromkeys(str(folder) for folder in outputs.published[already:])):
        return "No results were changed."
    return (
        f"What it writes to {', '.join(written)} had been written before that and is whole; "
        "nothing else was changed."
    )


def _run(arguments: argparse.Namespace, argv: Sequence[str]) -> None:
    command = COMMANDS[arguments.command]
    if not arguments.out.strip():
        raise InputError("The name of the output folder is empty. Name a folder for the results.")
    with _progress(arguments.quiet) as progress:
        result = command.run(arguments, [PROGRAM, *argv], progress)
    stopping.ignore()  # the results are in place; there is nothing left to stop
    with suppress(OSError):  # standard error is closed: there is nobody to tell
        _tell_findings(result.findings, arguments.quiet)
    if arguments.quiet:
        return
    closing = getattr(command, "closing", None)
    there = f"Results are in {arguments.out}"
    try:
        _to_stdout(closing(arguments, result) if closing else f"{there}.")
    except OSError as error:
        raise InputError(
            f"{there} and complete, but standard output cannot be written "
            f"({error.strerror or error}). With --quiet nothing is written to it."
        ) from None


def _to_stdout(text: str) -> None:
    """Prints a line, if any, and all that waits to be printed. A reader that has gone is no error.

    Raises:
        OSError: it cannot be written.
    """
    try:
        if text:
            print(text)
        if sys.stdout is not None:
            sys.stdout.flush()
    except OSError as error:
        # What could not be written is thrown away, for Python would try again at its end.
        with suppress(OSError, ValueError):
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, sys.stdout.fileno())
            os.close(nowhere)
        # Windows calls a closed pipe EINVAL.
        if not isinstance(error, BrokenPipeError) and error.errno != errno.EINVAL:
            raise


def _failed(text: str, status: int) -> int:
    with suppress(OSError):
        print(text, file=sys.stderr)
    return status


def _tell_findings(findings: Sequence[Any], quiet: bool) -> None:
    """Prints findings to standard error; with ``quiet``, warnings only."""
    for finding in findings:
        if finding.warning or not quiet:
            kind = "Warning" if finding.warning else "Note"
            print(f"{kind}: {finding.message}", file=sys.stderr)


class _Parser(argparse.ArgumentParser):
    """Says what is wrong in a sentence, without the usage in front."""

    def error(self, message: str) -> NoReturn:
        text = message[:1].upper() + message[1:]
        raise InputError(f"{text.rstrip('.')}. See {self.prog} --help.")

    def print_help(self, file: Any = None) -> None:
        with suppress(OSError):  # as Python does from 3.11
            super().print_help(file)


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
        epilog=STATUSES,
    )
    parser.add_argument("--version", action="version", version=f"{PROGRAM} {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND")
    for name, command in COMMANDS.items():
        own = make(
            commands.add_parser,
            name,
            help=command.HELP,
            description=f"{command.HELP[0].upper()}{command.HELP[1:]}.\n{DISCLAIMER}",
            epilog=f"{command.EXAMPLES}\n{STATUSES}",
        )
        command.add_arguments(own)
        own.add_argument("--quiet", action="store_true", help="print warnings and errors only")
        own.add_argument(
            "--debug", action="store_true", help="show the traceback of a fault in this software"
        )
    return parser


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
        # The work goes on where nobody reads how far it is.
        with self._lock, suppress(OSError):
            if self._live and text != self._shown:
                self._stream.write(f"\r\x1b[K{text}")
            elif not self._live and step != self._shown[7:]:
                self._stream.write(text + "\n")
            self._shown = text
            self._stream.flush()

    def close(self) -> None:
        """Clears the line on a terminal."""
        if self._live:
            with suppress(OSError):
                self._stream.write("\r\x1b[K")
                self._stream.flush()


def _leave(status: int, stopped: bool) -> None:
    """Ends the process; inside Slicer by its own exit, which keeps the status.

    Args:
        status: for whoever started it.
        stopped: whether it was interrupted or terminated. All is tidy then.
    """
    if getattr(sys.modules.get("slicer"), "app", None) is None:
        if stopped:
            stopping.end(status)
        gc.freeze()  # else Python looks once more through every object of NumPy's and SciPy's
        sys.exit(status)
    import slicer.util

    slicer.util.exit(status)


if __name__ == "__main__":
    run_and_leave()
