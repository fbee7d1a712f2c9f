"""Runs commands as processes of their own and tells what they took (Linux and macOS)."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import threading
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
        peak_mib: the most memory that it and the processes it started held together, MiB. What
            they share counts for each; where the system does not list them, it is the largest's.
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
    loads nothing else starts it and waits for it. Python may keep what it compiles, as it does
    unless told otherwise.

    Raises:
        RuntimeError: it failed; the message ends in what it printed on standard error.
    """
    kept = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    done = subprocess.run(
        [sys.executable, "-I", "-S", str(Path(__file__).resolve()), *command],
        capture_output=True,
        text=True,
        env={**kept, "PYTHONPATH": str(LIBRARY)},
    )
    if done.returncode:
        raise RuntimeError(f"{command[0]} failed: {done.stderr.strip()[-2000:]}")
    return Run(**json.loads(done.stdout))


def _wait(command: list[str]) -> int:
    started = time.perf_counter()
    child = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert child.stdout
    together = _Together(child.pid)
    together.start()
    output = child.stdout.read()
    _, status, used = os.wait4(child.pid, 0)
    seconds = time.perf_counter() - started
    together.join()
    scale = 1 << 20 if sys.platform == "darwin" else 1 << 10
    record = {
        "seconds": seconds,
        "cores": used.ru_utime + used.ru_stime,
        "peak_mib": max(used.ru_maxrss / scale, together.peak_mib),
        "output": output,
    }
    print(json.dumps(record))
    return os.waitstatus_to_exitcode(status) and 1


class _Together(threading.Thread):
    """Looks again and again at the memory of a process and of all that it started (Linux).

    Attributes:
        peak_mib: the most so far, MiB.
    """

    EVERY_S = 0.03

    def __init__(self, pid: int) -> None:
        super().__init__(daemon=True)
        self._pid = pid
        self.peak_mib = 0.0

    def run(self) -> None:
        while pages := _pages(_family(self._pid)):
            self.peak_mib = max(self.peak_mib, pages * os.sysconf("SC_PAGE_SIZE") / (1 << 20))
            time.sleep(self.EVERY_S)


def _family(pid: int) -> list[int]:
    """A process, those that it started, and so on."""
    found = [pid]
    for parent in found:
        for listed in Path(f"/proc/{parent}/task").glob("*/children"):
            with contextlib.suppress(OSError):  # it has ended
                found += [int(child) for child in listed.read_text().split()]
    return found


def _pages(pids: list[int]) -> int:
    """Pages of memory that processes hold together; 0 once they have ended."""
    held = set()
    for pid in pids:
        with contextlib.suppress(OSError):  # it has ended
            held.add(Path(f"/proc/{pid}/statm").read_text())
    # A new process has its parent's memory, to the page, until it loads its own program.
    return sum(int(one.split()[1]) for one in held)


if __name__ == "__main__":
    sys.exit(_wait(sys.argv[1:]))
