"""Runs commands as processes of their own and tells what they took (Linux and macOS)."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

LIBRARY = Path(__file__).resolve().parents[2] / "ALSMotorCortex"


@dataclass(frozen=True)
class Run:
    """One finished process.

    Attributes:
        seconds: wall time from start to end.
        cores: processor time of all its threads, s.
        peak_mib: the most memory it held, MiB.
        output: what it printed.
    """

    seconds: float
    cores: float
    peak_mib: float
    output: str


def available() -> bool:
    """Whether this system tells what a process took."""
    return hasattr(os, "wait4")


def run(command: Sequence[str]) -> Run:
    """Run a command to its end.

    A process starts with the peak memory of the one that started it, so a small process that
    loads nothing else starts it and waits for it.

    Raises:
        RuntimeError: it failed; the message ends in what it printed on standard error.
    """
    done = subprocess.run(
        [sys.executable, "-I", "-S", str(Path(__file__).resolve()), *command],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(LIBRARY)},
    )
    if done.returncode:
        raise RuntimeError(f"{command[0]} failed: {done.stderr.strip()[-2000:]}")
    return Run(**json.loads(done.stdout))


def _wait(command: list[str]) -> int:
    started = time.perf_counter()
    child = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert child.stdout
    output = child.stdout.read()
    _, status, used = os.wait4(child.pid, 0)
    seconds = time.perf_counter() - started
    scale = 1 << 20 if sys.platform == "darwin" else 1 << 10
    record = {
        "seconds": seconds,
        "cores": used.ru_utime + used.ru_stime,
        "peak_mib": used.ru_maxrss / scale,
        "output": output,
    }
    print(json.dumps(record))
    return os.waitstatus_to_exitcode(status) and 1


if __name__ == "__main__":
    sys.exit(_wait(sys.argv[1:]))
