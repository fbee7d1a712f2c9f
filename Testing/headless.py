#!/usr/bin/env python3
"""Run ALSMotorCortex on any machine with Python 3.10 to 3.12 and nothing else.

    python3 Testing/headless.py COMMAND [ARGUMENTS]

The first run makes a virtual environment with pinned versions under ``.venv-headless/`` in the
clone; later runs reuse it. The folder may be deleted at any time. The command then runs in that
environment with all its arguments, and its exit status is handed on. When the set-up itself
fails, one sentence on standard error says why, and the exit status is 2; Ctrl-C gives 2, too.

This file needs the standard library only. Its syntax stays old, so that an old Python gets as far
as saying that it is too old.
"""

import ast
import contextlib
import hashlib
import importlib.util
import os
import platform
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
TESTING = ROOT / "Testing"
CACHE = ROOT / ".venv-headless"
OLDEST, NEWEST = (3, 10), (3, 12)  # what the requirement files have pins for

# The environment grows in layers, each a requirement file, installed when first needed.
LAYERS = {
    "runtime": TESTING / "requirements.txt",
    "dev": TESTING / "requirements-dev.txt",
    "bench": TESTING / "requirements-bench.txt",
}

LIBRARY = ROOT / "ALSMotorCortex" / "ALSMotorCortexLib"

# Commands besides those of the library's own command line.
OTHER = {
    "test": "run the tests (arguments go to pytest)",
    "selftest": "run the module's self-test without Slicer's window",
    "lint": "check style, format and types; --fix repairs what can be repaired",
    "benchmark": "measure accuracy and speed, beside other software where it is installed",
}

NO_NETWORK = (
    "NewConnectionError",
    "NameResolutionError",
    "ConnectTimeoutError",
    "ReadTimeoutError",
    "ProxyError",
    "Network is unreachable",
    "Temporary failure in name resolution",
    "getaddrinfo failed",
)


class SetupError(Exception):
    """The environment cannot be made; the message tells the user why and what to do."""


def main(arguments: "list[str]") -> int:
    """Run one command and return its exit status."""
    try:
        refuse_python(sys.version_info[:2])
        if not arguments or arguments[0] in ("-h", "--help"):
            print(usage())
            return 0 if arguments else 2
        name, rest = arguments[0], arguments[1:]
        known = {**cli_commands(), **OTHER}
        if name not in known:
            raise SetupError("There is no command %r. Commands are: %s." % (name, ", ".join(known)))
        python = environment(layers_of(name))
        return run(python, name, rest)
    except SetupError as error:
        print(error, file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("Interrupted.", file=sys.stderr)
        return 2


def usage() -> str:
    """The help text."""
    rows = ["  %-10s %s" % row for row in [*cli_commands().items(), *OTHER.items()]]
    return (
        "usage: python3 Testing/headless.py COMMAND [ARGUMENTS]\n\n"
        + "\n".join(rows)
        + "\n\nCOMMAND --help tells more. The first run sets up an environment in\n%s." % CACHE
    )


def cli_commands() -> "dict[str, str]":
    """The commands of the library's own command line, each with its line of help.

    They are read from the source of its cli.py and of the commands' modules, because nothing
    that the library imports is installed yet.

    Raises SetupError when the library is not beside this file as in a clone.
    """
    try:
        table = assigned(LIBRARY / "cli.py", "COMMANDS")
        return {
            key.value: ast.literal_eval(assigned(LIBRARY / (module.id + ".py"), "HELP"))
            for key, module in zip(table.keys, table.values, strict=True)
        }
    except OSError as error:
        raise SetupError(
            "%s is missing or cannot be read. Clone the whole repository." % error.filename
        ) from None


def assigned(file: Path, name: str) -> "ast.expr":
    """The expression that a Python file assigns to a name at its top level."""
    for node in ast.parse(file.read_text(encoding="utf-8")).body:
        targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
        if any(isinstance(t, ast.Name) and t.id == name for t in targets):
            return node.value
    raise SetupError("%s does not say %s = ..." % (file, name))


def refuse_python(version: "tuple[int, int]") -> None:
    """Raises SetupError when the pins do not cover this version of Python."""
    if not OLDEST <= tuple(version) <= NEWEST:
        raise SetupError(
            "This is Python %d.%d, and ALSMotorCortex's pinned packages are for Python %d.%d to "
            "%d.%d. Run it with one of those, for example: python%d.%d Testing/headless.py"
            % (*version, *OLDEST, *NEWEST, *NEWEST)
        )


# --- commands ----------------------------------------------------------------------------


def layers_of(name: str) -> "list[str]":
    """The layers that a command needs, in the order in which they are installed."""
    return ["runtime", *{"test": ["dev"], "lint": ["dev"], "benchmark": ["bench"]}.get(name, [])]


def steps_of(name: str, arguments: "list[str]") -> "list[list[str]]":
    """The arguments of Python for each step of a command."""
    if name == "test":
        return [["-m", "pytest", *parallel(arguments), *arguments]]
    if name == "selftest":
        return [[str(TESTING / "selftest.py"), *arguments]]
    if name == "benchmark":
        return [[str(TESTING / "Benchmark" / "benchmark.py"), *arguments]]
    if name == "lint":
        fix = "--fix" in arguments
        return [
            ["-m", "ruff", "check", *(["--fix"] if fix else []), "."],
            ["-m", "ruff", "format", *([] if fix else ["--check"]), "."],
            ["-m", "mypy"],
        ]
    return [["-m", "ALSMotorCortexLib", name, *arguments]]


def parallel(arguments: "list[str]") -> "list[str]":
    """pytest's options to use two to four cores, unless the user chose otherwise.

    A test file stays on one core, so that what its tests share is made once.
    """
    chosen = ("-n", "--numprocesses", "-p", "--pdb", "-s", "--collect-only", "--co")
    if any(a.startswith("-n") or a.split("=")[0] in chosen for a in arguments):
        return []
    return ["-n", "auto", "--maxprocesses", "4", "--dist", "loadfile"]


def run(python: Path, name: str, arguments: "list[str]") -> int:
    """Run a command's steps and return the first exit status that is not 0, or 0."""
    # test and lint find their settings in pyproject.toml; the others keep the user's folder,
    # which relative paths refer to.
    folder = str(ROOT) if name in ("test", "lint") else None
    worst = 0
    for step in steps_of(name, arguments):
        status = execute([str(python), *step], folder)
        worst = worst or status
        if status > 128:  # ended by a signal
            break
    return 2 if worst == 128 + signal.SIGINT else worst  # as the library's command line ends


def execute(command: "list[str]", folder: "str | None") -> int:
    """Run one step and return its exit status, as a shell would give it.

    Ctrl-C reaches the step by itself; it is left to end in its own way, and a request to
    terminate is passed to it.
    """
    child = subprocess.Popen(command, cwd=folder, env=variables())
    signal.signal(signal.SIGTERM, lambda *_: child.terminate())
    while True:
        try:
            status = child.wait()
        except KeyboardInterrupt:
            continue
        return status if status >= 0 else 128 - status


def variables() -> "dict[str, str]":
    """Environment variables of a command, with the library importable."""
    return {**own_variables(), "PYTHONPATH": str(ROOT / "ALSMotorCortex")}


def own_variables() -> "dict[str, str]":
    """The user's environment variables without those that let other packages in."""
    return {k: v for k, v in os.environ.items() if k not in ("PYTHONHOME", "PYTHONPATH")}


# --- environment -------------------------------------------------------------------------


def environment(layers: "list[str]") -> Path:
    """Make what is missing of the environment, and return its Python.

    A virtual environment cannot be moved, so it is made in its place. What is finished is marked
    by a file that is written last: without its mark a layer counts as absent, and without the
    runtime layer's mark the whole folder is made anew. A lock keeps a second run waiting while
    one is at work.
    """
    folder = CACHE / key(LAYERS.values())
    try:
        if missing(folder, layers):
            with locked(folder):
                complete(folder, layers)
    except OSError as error:
        raise SetupError("The environment could not be set up: %s." % error) from None
    return interpreter(folder)


def complete(folder: Path, layers: "list[str]") -> None:
    """Install the layers that are missing; the caller holds the lock."""
    todo = missing(folder, layers)
    if not todo:  # another run did it while this one waited for the lock
        return
    started = time.time()
    say(
        "Setting up %s for Python %s (once, %s) ..."
        % (folder, platform.python_version(), expected(todo))
    )
    if "runtime" in todo:
        remake(folder)
    for layer in todo:
        install(folder, layer)
    say("Set up in %.0f s." % (time.time() - started))


def key(files: "list[Path]") -> str:
    """Folder name of an environment: another one for other pins, Python or machine."""
    digest = hashlib.sha256("-".join((sys.platform, platform.machine())).encode())
    for file in files:
        digest.update(file.read_bytes().replace(b"\r\n", b"\n"))
    return "py%d.%d-%s" % (*sys.version_info[:2], digest.hexdigest()[:10])


def interpreter(folder: Path) -> Path:
    """The environment's Python."""
    return folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def mark(folder: Path, layer: str) -> Path:
    """The file that says that a layer is complete."""
    return folder / ("%s.complete" % layer)


def missing(folder: Path, layers: "list[str]") -> "list[str]":
    """Those of the layers that are not complete; all when the base or its Python is gone."""
    if not interpreter(folder).exists() or not mark(folder, "runtime").exists():
        return list(layers)
    return [layer for layer in layers if not mark(folder, layer).exists()]


def expected(layers: "list[str]") -> str:
    """What the user has to wait for."""
    if "runtime" in layers:
        return "about 300 MB to download, one to three minutes"
    return "some seconds"


def remake(folder: Path) -> None:
    """An empty virtual environment, whatever was there before."""
    absent = [m for m in ("venv", "ensurepip") if importlib.util.find_spec(m) is None]
    if absent:
        raise SetupError(
            "%s cannot make a virtual environment, because its module %s is missing. On Debian "
            "and Ubuntu install it with: apt-get install python%d.%d-venv"
            % (sys.executable, " and ".join(absent), *sys.version_info[:2])
        )
    shutil.rmtree(str(folder), ignore_errors=True)
    call(folder, [sys.executable, "-m", "venv", "--clear", str(folder)])


def install(folder: Path, layer: str) -> None:
    """Install a layer and mark it complete.

    The requirement files name every package, so pip need not resolve; ``--ignore-installed``
    writes over what an interrupted run left behind.
    """
    python = str(interpreter(folder))
    pip = [python, "-m", "pip", "--disable-pip-version-check", "--no-input"]
    call(
        folder,
        [
            *pip,
            *("install", "--no-deps", "--ignore-installed", "--only-binary", ":all:"),
            *("--no-compile", "--progress-bar", "off", "--retries", "2"),
            *("-r", str(LAYERS[layer])),
        ],
    )
    call(folder, [*pip, "check"])
    mark(folder, layer).write_text("complete\n")


def call(folder: Path, command: "list[str]") -> None:
    """Run a step of the set-up with its output in the environment's log."""
    log = folder / "setup.log"
    folder.mkdir(parents=True, exist_ok=True)
    # venv --clear empties the folder, so the log is only put there once the step is over.
    done = subprocess.run(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        close_fds=False,  # it holds the lock too
        env={**own_variables(), "PIP_USER": "0"},
    )
    text = done.stdout.decode("utf-8", "replace")
    with log.open("a", encoding="utf-8") as file:
        file.write("$ %s\n%s\n" % (" ".join(command), text))
    if done.returncode:
        raise SetupError(reason(text, log))


def reason(text: str, log: Path) -> str:
    """Why a step of the set-up failed, told from its output, and what to do."""
    if any(sign in text for sign in NO_NETWORK):
        return (
            "The packages could not be downloaded, because the package index was not reached. "
            "Connect to the network and run this again. pip's log is in %s" % log
        )
    if "No space left on device" in text:
        return "The disk is full. Free 2 GB where %s is, and run this again." % CACHE
    if "No matching distribution found" in text:
        return (
            "A pinned package has no ready-made build for Python %s on %s %s. pip's log is in %s"
            % (platform.python_version(), platform.system(), platform.machine(), log)
        )
    return "The environment could not be set up. The log is in %s" % log


@contextlib.contextmanager
def locked(folder: Path):
    """Hold the environment's lock, which the system frees when this process is killed.

    pip inherits the lock, so that nobody else starts while a pip is left over from a killed run.
    """
    try:
        CACHE.mkdir(exist_ok=True)
        file = (CACHE / (folder.name + ".lock")).open("a+")
    except OSError as error:
        raise SetupError(
            "The environment cannot be made in %s (%s). Move the clone to a folder that you may "
            "write to." % (CACHE, error.strerror)
        ) from None
    with file:
        os.set_inheritable(file.fileno(), True)
        if not try_lock(file):
            say("Waiting for another run that is setting up the same environment ...")
            while not try_lock(file):
                time.sleep(0.5)
        yield


def try_lock(file) -> bool:
    """Take the lock on an open file; False when another process holds it."""
    try:
        if os.name == "nt":
            import msvcrt

            file.seek(0)
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):
        return False
    return True


def say(text: str) -> None:
    """Tell the user, apart from what the command itself prints."""
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
