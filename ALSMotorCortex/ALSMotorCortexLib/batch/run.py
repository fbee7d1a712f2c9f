"""Many participants: on this machine in processes of their own, or on a dask cluster.

A participant that fails, or whose process is killed, does not stop the others.
"""

from __future__ import annotations

import multiprocessing
import os
import sys
import threading
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing, nullcontext, suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Any, cast

from ..child_process import interruption_kept_back
from ..cortex.errors import InputError
from ..cortex.result import Finding
from ..study.bids_names import Unit
from .job import DONE, FAILED, UNCHANGED, Job, Outcome
from .worker import work

Progress = Callable[[str, float], None]
Outcomes = Generator[tuple[Unit, Outcome], None, None]

# A participant is started again this often when its process was killed: the machine may have
# been short of memory, or a node of a cluster gone.
RETRIES = 1
CLUSTER_RETRIES = 3

# Seconds to wait for a scheduler to answer.
CONNECT_S = 20.0

_SCENES = threading.Lock()


@dataclass(frozen=True)
class BatchResult:
    """What came of a run: of each participant, and what else was noticed."""

    outcomes: tuple[Outcome, ...]
    noticed: tuple[Finding, ...] = ()

    def closing(self, out: Path) -> str:
        """What to tell when it is done."""
        text = f"{self.count(DONE)} measured"
        if unchanged := self.count(UNCHANGED):
            text += f", {unchanged} unchanged since they were finished before"
        return f"{text}. Results are in {out}."

    def count(self, status: str) -> int:
        """Participants of one status."""
        return sum(outcome.status == status for outcome in self.outcomes)

    @property
    def findings(self) -> tuple[Finding, ...]:
        """For the command line: whose reports have warnings."""
        warned = [o.name for o in self.outcomes if o.warnings]
        if warned:
            some = ", ".join(warned[:5]) + (
                f" and {len(warned) - 5} more" if len(warned) > 5 else ""
            )
            text = f"The reports of {some} have warnings. Look at them before you use the numbers."
            return (*self.noticed, Finding("warnings", text, warning=True))
        return self.noticed


class SomeFailed(InputError):
    """Some participants failed; the message lists them with their reasons."""

    def __init__(self, outcomes: Sequence[Outcome]) -> None:
        failed = [o for o in outcomes if o.status == FAILED]
        lines = [f"  {o.name}: {o.reason}" for o in failed]
        many = f"{len(failed)} of {len(outcomes)} failed"
        super().__init__("\n".join([f"{many}; the others are done.", *lines]))


def run_batch(
    job: Job,
    units: Sequence[Unit],
    jobs: int = 1,
    scheduler: str = "",
    progress: Progress | None = None,
) -> BatchResult:
    """Measures participants.

    Args:
        job: what to do.
        units: of whom.
        jobs: how many at a time on this machine.
        scheduler: address of a dask scheduler to run them on instead.
        progress: gets what was finished last and the fraction done.

    Raises:
        SomeFailed: at the end, if any failed.
        InputError: no such scheduler, or dask is not installed.
    """
    tell = _Counter(len(units), progress or (lambda step, fraction: None))
    outcomes: dict[Unit, Outcome] = {}
    found = on_cluster(job, units, scheduler) if scheduler else _locally(job, units, jobs, tell)
    try:
        with closing(found):
            for unit, outcome in found:
                outcomes[unit] = outcome
                tell.finished(outcome)
    except KeyboardInterrupt as stop:
        done = f"{len(outcomes)} of {len(units)} were finished. Run the same command to go on."
        raise type(stop)(f"Stopped. {done}") from None
    ordered = tuple(outcomes[unit] for unit in units)
    if any(outcome.status == FAILED for outcome in ordered):
        raise SomeFailed(ordered)
    return BatchResult(ordered)


class _Counter:
    """Progress over participants, and within those that are under way."""

    def __init__(self, total: int, tell: Progress) -> None:
        self._total, self._tell = total, tell
        self._done = 0
        self._within: dict[Unit, float] = {}

    def finished(self, outcome: Outcome) -> None:
        self._done += 1
        self._within.pop(Unit(outcome.participant, outcome.session), None)
        words = {DONE: "measured", UNCHANGED: "unchanged", FAILED: "failed"}
        text = f"{self._done} of {self._total}: {outcome.name} {words[outcome.status]}"
        self._tell(text, self._share())

    def within(self, unit: Unit, step: str, fraction: float) -> None:
        self._within[unit] = fraction
        self._tell(f"{self._done} of {self._total} done; {unit}: {step}", self._share())

    def _share(self) -> float:
        return (self._done + sum(self._within.values())) / max(self._total, 1)


# On this machine --------------------------------------------------------------------------


def _locally(job: Job, units: Sequence[Unit], jobs: int, tell: _Counter) -> Outcomes:
    if getattr(sys.modules.get("slicer"), "app", None) is not None:
        yield from _one_by_one(job, units, tell)  # Slicer's executable is not Python
        return
    threads = max(1, (os.cpu_count() or 1) // jobs)
    with _Processes(job, threads) as processes:
        waiting, tries = list(reversed(units)), dict.fromkeys(units, 0)
        while waiting or processes.running:
            while waiting and len(processes.running) < jobs:
                processes.start(waiting.pop())
            for unit, message in processes.messages():
                if isinstance(message, Outcome):
                    yield unit, message
                elif isinstance(message, tuple):
                    tell.within(unit, *message)
                elif tries[unit] < RETRIES:
                    tries[unit] += 1
                    waiting.append(unit)
                else:
                    yield unit, _killed(unit)


def _one_by_one(job: Job, units: Sequence[Unit], tell: _Counter) -> Outcomes:
    from .participant import measure_unit

    for unit in units:
        yield unit, measure_unit(job, unit, lambda *step, unit=unit: tell.within(unit, *step))


def _killed(unit: Unit) -> Outcome:
    text = (
        "Its process was killed, and killed again at a second try, most likely because there was "
        "not enough memory. Run fewer jobs at once, or crop the images."
    )
    return Outcome(unit.participant, unit.session, FAILED, text)


class _Processes:
    """Processes that measure one participant after the other. Leaving the context ends them.

    Attributes:
        running: the participant that is under way in each, by the connection to it.
    """

    def __init__(self, job: Job, threads: int) -> None:
        self._job, self._threads = job, threads
        self._context = multiprocessing.get_context("spawn")
        self._all: dict[Connection, Any] = {}
        self.running: dict[Connection, Unit] = {}

    def __enter__(self) -> _Processes:
        return self

    def __exit__(self, *error: object) -> None:
        for process in self._all.values():
            process.terminate()
        for process in self._all.values():
            process.join()

    def start(self, unit: Unit) -> None:
        """Gives a participant to a process that is idle, or to a new one."""
        idle = [connection for connection in self._all if connection not in self.running]
        connection = idle[0] if idle else self._new()
        self.running[connection] = unit
        with suppress(OSError):  # killed while idle: messages() finds it out
            connection.send(unit)

    def _new(self) -> Connection:
        ours, theirs = self._context.Pipe()
        arguments = (self._job, self._threads, theirs)
        process = self._context.Process(target=work, args=arguments, daemon=True)
        with interruption_kept_back():
            process.start()
        theirs.close()
        self._all[ours] = process
        return ours

    def messages(self) -> Iterator[tuple[Unit, Any]]:
        """What the processes say next: an outcome, a step (name, fraction), or None for the end
        of one that has not said its outcome."""
        for connection in cast("list[Connection]", wait(list(self.running))):
            unit = self.running[connection]
            try:
                message = connection.recv()
            except (EOFError, OSError):
                message = None
                connection.close()
                self._all.pop(connection).join()
            if message is None or isinstance(message, Outcome):
                del self.running[connection]
            yield unit, message


# On a cluster -----------------------------------------------------------------------------


def on_cluster(job: Job, units: Sequence[Unit], address: str) -> Outcomes:
    """Measures participants on an existing dask.distributed cluster, in the order they finish.

    Its workers need this package and the same folders under the same paths. Dask gives what a
    lost worker was doing to another one.

    Raises:
        InputError: dask is not installed, or nothing answers at the address.
    """
    try:
        from distributed import Client, as_completed
    except ImportError:
        raise InputError(
            "--scheduler needs dask.distributed. Install it with: pip install "
            "'als-motor-cortex[dask]'"
        ) from None
    here = Job(**{**vars(job), "raw": job.raw.resolve(), "out": job.out.resolve(),
                  "others": tuple(path.resolve() for path in job.others)})  # fmt: skip
    try:
        client = Client(address, timeout=CONNECT_S, set_as_default=False)
    except (OSError, ValueError) as error:
        raise InputError(
            f"No dask scheduler answers at {address} ({' '.join(str(error).split())}). Check the "
            "address that it printed at its start, as in tcp://10.0.0.1:8786."
        ) from None
    with client:
        futures = {
            client.submit(_on_worker, here, unit, pure=False, retries=CLUSTER_RETRIES): unit
            for unit in units
        }
        for future in as_completed(list(futures), loop=client.loop):
            yield futures[future], _settled(future, futures[future])


def _settled(future: Any, unit: Unit) -> Outcome:
    error = future.exception()
    if error is None:
        outcome = future.result()
        assert isinstance(outcome, Outcome)
        return outcome
    text = (
        f"The cluster could not run it: {type(error).__name__} {' '.join(str(error).split())}. "
        "Check that its workers have this package and enough memory."
    )
    return Outcome(unit.participant, unit.session, FAILED, text)


def _on_worker(job: Job, unit: Unit) -> Outcome:
    """What a dask worker does."""
    from .participant import measure_unit

    for path in (job.raw, *job.others):
        if not Path(path).is_dir():
            text = f"A worker of the cluster does not see the folder {path}. Put it on a disk "
            text += "that all machines share, under the same path."
            return Outcome(unit.participant, unit.session, FAILED, text)
    # Slicer's core, which writes scenes, does not bear several threads.
    with _SCENES if job.scene else nullcontext():
        return measure_unit(job, unit)
