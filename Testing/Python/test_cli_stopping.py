"""The command line: stopped, unread, or at fault, it says so in a sentence and loses nothing."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys

import pytest

from ALSMotorCortexLib import cli
from ALSMotorCortexLib.scene_process import has_slicer
from cli_case import LIBRARY, MAIN, refused, run_process

# Measures for as long as it takes to be stopped.
STOPPED = """
import sys, time
from ALSMotorCortexLib import analyze, cli
def measure(*arguments, **more):
    arguments[-1]("measuring", 0.5)
    time.sleep(60)
analyze.measure = measure
sys.exit(cli.main(sys.argv[1:]))
"""


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such signals between processes")
@pytest.mark.parametrize(
    "program, step, scene",
    [
        (STOPPED, "measuring", False),
        (STOPPED, "measuring", True),
        ("from ALSMotorCortexLib import cli; exit(cli.main())", "writing the scene", True),
    ],
)
@pytest.mark.parametrize(
    "kind, status, word",
    [(signal.SIGINT, 2, "Interrupted"), (signal.SIGTERM, 143, "Terminated")],
)
def test_interruption(case, kind, status, word, program, step, scene):
    """Ctrl-C goes to all processes of a terminal, so also to the one that writes the scene."""
    if scene and not has_slicer():
        pytest.skip("slicer-core is not installed")
    arguments = [a for a in case.arguments() if not (scene and a == "--no-scene")]
    process = subprocess.Popen(
        [sys.executable, "-c", program, *arguments],
        env={**os.environ, "PYTHONPATH": str(LIBRARY.parent)},
        stderr=subprocess.PIPE,
        text=True,
        # A test run in the background has Ctrl-C ignored, and its children inherit that.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        start_new_session=True,
    )
    assert process.stderr is not None
    lines = iter(process.stderr.readline, "")
    assert any(step in line for line in lines)
    assert any(p.name.endswith(".partial") for p in case.folder.iterdir())
    os.killpg(process.pid, kind)
    rest = process.communicate(timeout=30)[1]
    assert process.returncode == status
    assert rest == f"{word}. No results were changed.\n"
    assert case.untouched()


# Ctrl-C comes while a library loads, which says that it cannot be loaded.
LOADING = """
import os, signal
from ALSMotorCortexLib import analyze_command, cli
def run(*arguments):
    try:
        os.kill(os.getpid(), signal.{kind})
        signal.pause()
    except BaseException:
        pass
    raise ImportError("IMPORTANT: PLEASE READ THIS")
analyze_command.run = run
cli.run_and_leave()
"""


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such signals between processes")
@pytest.mark.parametrize(
    "kind, status, text", [("SIGINT", 2, "Interrupted"), ("SIGTERM", 143, "Terminated")]
)
def test_an_interruption_that_a_library_makes_an_error_of(case, kind, status, text):
    done = run_process(LOADING.format(kind=kind), *case.arguments())
    assert done.returncode == status
    assert done.stderr == f"{text}. No results were changed.\n"


# Ctrl-C comes while the command line is being loaded.
STARTING = """
import os, signal, sys
class Finder:
    def find_spec(name, path=None, target=None):
        if name == "ALSMotorCortexLib.demo_command":
            os.kill(os.getpid(), signal.SIGINT)
sys.meta_path.insert(0, Finder)
from ALSMotorCortexLib.__main__ import run
run()
"""


# Ctrl-C comes while code from a string runs, of which Python makes an end of its own.
IN_A_STRING = """
import os, signal
from ALSMotorCortexLib import analyze_command, cli
def run(*arguments):
    exec("os.kill(os.getpid(), signal.SIGINT)\\nfor _ in range(1000): pass")
analyze_command.run = run
cli.run_and_leave()
"""


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such signals between processes")
def test_an_interruption_keeps_its_status_wherever_it_comes(case):
    (case.folder / "in_a_string.py").write_text(IN_A_STRING, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "in_a_string", *case.arguments()],
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(case.folder), str(LIBRARY.parent)])},
        stderr=subprocess.PIPE,
        text=True,
        timeout=60,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    assert (done.returncode, done.stderr) == (2, "Interrupted. No results were changed.\n")


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such signals between processes")
def test_an_interruption_while_the_command_line_loads(case):
    done = run_process(STARTING, *case.arguments())
    assert (done.returncode, done.stderr) == (2, "Interrupted. No results were changed.\n")
    assert case.untouched()


# Signals come when the results are there: before it says so, then, and while Python ends.
LATE = """
import atexit, os, signal
from ALSMotorCortexLib import analyze_command, cli
def both():
    for kind in (signal.SIGINT, signal.SIGTERM):
        os.kill(os.getpid(), kind)
before = analyze_command.closing
def closing(*arguments):
    both()
    return before(*arguments)
analyze_command.closing = closing
atexit.register(both)
cli.run_and_leave()
"""


# A signal comes when the results were moved into place and the command has not ended.
PUBLISHED = """
import os, signal
from ALSMotorCortexLib import analyze, cli
from ALSMotorCortexLib.study import provenance
publish = provenance.publish
def published(*arguments):
    publish(*arguments)
    os.kill(os.getpid(), signal.{kind})
provenance.publish = published
cli.run_and_leave()
"""


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such signals between processes")
@pytest.mark.parametrize(
    "kind, status, word", [("SIGINT", 2, "Interrupted"), ("SIGTERM", 143, "Terminated")]
)
def test_a_signal_that_comes_when_the_results_are_in_place_says_so(case, kind, status, word):
    done = run_process(PUBLISHED.format(kind=kind), *case.arguments(), "--quiet")
    assert done.returncode == status
    assert done.stderr == (
        f"{word}. What it writes to {case.out} had been written before that and is whole; "
        "nothing else was changed.\n"
    )
    assert (case.out / "provenance.json").exists()


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such signals between processes")
def test_signals_that_come_after_the_results_do_nothing(case):
    done = run_process(LATE, *case.arguments(), stdout=subprocess.PIPE)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("Results are in")
    assert "Traceback" not in done.stderr and "Interrupted" not in done.stderr


def test_the_callers_handlers_of_signals_are_set_again(case):
    before = {kind: signal.getsignal(kind) for kind in (signal.SIGINT, signal.SIGTERM)}
    assert cli.main([*case.arguments(), "--quiet"]) == 0
    assert {kind: signal.getsignal(kind) for kind in before} == before


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such pipes")
@pytest.mark.parametrize("arguments", [["--help"], ["analyze", "--help"], None])
def test_nobody_reads_what_is_printed(case, arguments):
    """As in ``als-motor-cortex analyze ... | true``."""
    ours, theirs = os.pipe()
    os.close(ours)
    try:
        done = run_process(MAIN, *(arguments or [*case.arguments()]), stdout=theirs)
    finally:
        os.close(theirs)
    assert done.returncode == 0
    assert "Error" not in done.stderr and "Broken" not in done.stderr
    assert arguments or (case.out / "provenance.json").exists()


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such pipes")
@pytest.mark.parametrize("option, status", [("--no-pdf-at-all", 2), ("--no-scene", 0)])
def test_nobody_reads_the_messages_either(case, option, status):
    """As in ``als-motor-cortex analyze ... 2>&1 | true``."""
    ours, theirs = os.pipe()
    os.close(ours)
    try:
        done = run_process(MAIN, *case.arguments(option), stdout=theirs, stderr=theirs)
    finally:
        os.close(theirs)
    assert done.returncode == status
    assert (case.out / "provenance.json").exists() == (status == 0)


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="this system has no full device")
def test_standard_output_that_is_full(case):
    with open("/dev/full", "w") as full:
        done = run_process(MAIN, *case.arguments(), stdout=full)
        assert done.returncode == 2
        last = done.stderr.splitlines()[-1]
        assert last.startswith(f"Error: Results are in {case.out} and complete, but")
        assert "No space left" in last
        assert run_process(MAIN, *case.arguments(), "--quiet", stdout=full).returncode == 0
    assert (case.out / "provenance.json").exists()


@pytest.mark.parametrize("error", [RuntimeError("odd"), ZeroDivisionError(), MemoryError()])
def test_a_fault_of_ours_is_a_sentence_too(case, capfd, monkeypatch, error):
    from ALSMotorCortexLib import analyze

    def measure(*arguments, **more):
        raise error

    monkeypatch.setattr(analyze, "measure", measure)
    status = cli.main([*case.arguments(), "--quiet"])
    err = capfd.readouterr().err
    assert status == (2 if isinstance(error, MemoryError) else 1)
    assert err.count("\n") == 1 and "Traceback" not in err
    assert case.untouched()


@pytest.mark.parametrize(
    "number, words",
    [(errno.EACCES, "/far/a.nii cannot be read or written ("), (errno.ENOSPC, "The disk is full")],
)
def test_what_the_system_refuses_is_a_sentence_too(case, capfd, monkeypatch, number, words):
    """Wherever it does: here, before the folder for the results is looked at."""
    from ALSMotorCortexLib import analyze

    def refuse(*arguments, **more):
        raise OSError(number, os.strerror(number), "/far/a.nii")

    monkeypatch.setattr(analyze, "OutputFolder", refuse)
    err = refused(case, capfd, case.arguments())
    assert err.startswith(f"Error: {words}") and "No results were changed" in err


def test_debug_shows_the_fault(case, monkeypatch):
    from ALSMotorCortexLib import analyze

    def measure(*arguments, **more):
        raise ZeroDivisionError

    monkeypatch.setattr(analyze, "measure", measure)
    with pytest.raises(ZeroDivisionError):
        cli.main([*case.arguments(), "--debug"])
