"""Many participants: failures and killed processes stop nobody else, on one machine or on dask."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ALSMotorCortexLib.batch import run
from ALSMotorCortexLib.batch.job import DONE, UNCHANGED, Job
from ALSMotorCortexLib.batch.participant import measure_unit
from ALSMotorCortexLib.batch.run import SomeFailed, run_batch
from ALSMotorCortexLib.cortex.errors import InputError
from ALSMotorCortexLib.study.bids_names import Unit
from bids_study import QUICK, Study, snapshot

LIBRARY = Path(run.__file__).parents[2]
WAIT_S = 60.0


@pytest.fixture
def study(tmp_path) -> Study:
    return Study(tmp_path / "raw")


def job_of(study: Study) -> Job:
    return Job(study.root, study.root.parent / "out", (study.labels,), QUICK)


def with_maps(study: Study, *participants: str) -> list[Unit]:
    for participant in participants:
        study.with_map(participant)
    return [Unit(participant) for participant in participants]


def records(out: Path) -> set[str]:
    return {path.name[:6] for path in out.glob("sub-*/anat/*_provenance.json")}


def leftovers(out: Path) -> list[Path]:
    # Not rglob, which stumbles over folders that a running process takes away meanwhile.
    names = ((folder, name) for folder, *below in os.walk(out) for name in sum(below, []))
    return [Path(folder, name) for folder, name in names if name.endswith(".partial")]


def results(out: Path) -> dict[str, bytes]:
    """Content of all files that do not tell when they were made."""
    files = snapshot(out).items()
    return {n: data for n, (_, data) in files if not n.endswith((".html", "provenance.json"))}


def test_one_that_fails_does_not_stop_the_others(study):
    units = with_maps(study, "01", "02", "03")
    broken = study.root / "sub-02" / "anat" / "sub-02_T2starmap.nii.gz"
    good = broken.read_bytes()
    broken.write_bytes(good[:200])
    job, told = job_of(study), []
    with pytest.raises(SomeFailed) as failed:
        run_batch(job, units, jobs=2, progress=lambda step, share: told.append((step, share)))
    first, *rest = str(failed.value).splitlines()
    assert first == "1 of 3 failed; the others are done."
    assert len(rest) == 1 and re.match(r"  sub-02: .*truncated", rest[0])
    assert records(job.out) == {"sub-01", "sub-03"}

    finished = [step for step, _ in told if re.match(r"\d of 3: ", step)]
    assert len(finished) == 3 and finished[-1].startswith("3 of 3: ")
    shares = [share for _, share in told]
    assert shares == sorted(shares) and shares[-1] == pytest.approx(1)

    broken.write_bytes(good)
    outcome = run_batch(job, units, jobs=2)
    assert [o.status for o in outcome.outcomes] == [UNCHANGED, DONE, UNCHANGED]


def worker_of(pid: int) -> int:
    """The process that measures for a process, as Linux tells."""
    listed = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    spawned = [n for n in listed if b"spawn_main" in Path(f"/proc/{n}/cmdline").read_bytes()]
    return int(spawned[0])


@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="finds processes as Linux tells")
def test_a_killed_process_is_replaced_and_its_participant_measured(study):
    units = with_maps(study, "01", "02", "03")
    job, killed = job_of(study), []

    def kill_one(step: str, share: float) -> None:
        if not killed and "field lines" in step:
            os.kill(worker_of(os.getpid()), signal.SIGKILL)
            killed.append(step)

    outcome = run_batch(job, units, jobs=1, progress=kill_one)
    assert killed
    assert {o.status for o in outcome.outcomes} == {DONE}
    assert records(job.out) == {"sub-01", "sub-02", "sub-03"} and not leftovers(job.out)


def command(study: Study, *more: str) -> list[str]:
    settings = study.root.parent / "settings.json"
    settings.write_text(json.dumps(QUICK))
    return [
        sys.executable, "-m", "ALSMotorCortexLib", "bids", str(study.root),
        str(study.root.parent / "out"), "participant", "--settings", str(settings), *more,
    ]  # fmt: skip


def until(condition, process: subprocess.Popen) -> None:
    """Waits for something that a running process does."""
    started = time.monotonic()
    while not condition():
        assert process.poll() is None and time.monotonic() - started < WAIT_S
        time.sleep(0.01)


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGKILL")
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_batch_that_is_stopped_goes_on_where_it_was(study, number):
    with_maps(study, "01", "02", "03", "04")
    out = study.root.parent / "out"
    environment = {**os.environ, "PYTHONPATH": str(LIBRARY)}
    process = subprocess.Popen(
        command(study, "--jobs", "2"), env=environment, stderr=subprocess.PIPE, text=True
    )
    until(lambda: records(out), process)
    process.send_signal(number)
    _, errors = process.communicate(timeout=WAIT_S)
    first = records(out)
    assert 1 <= len(first) < 4
    if number == signal.SIGKILL:
        assert process.returncode == -number
    else:
        assert process.returncode == 128 + number
        assert re.search(r"Stopped\. \d of 4 were finished\. Run the same command", errors)
        assert not leftovers(out)

    again = subprocess.run(command(study), env=environment, capture_output=True, text=True)
    assert again.returncode == 0, again.stderr
    assert records(out) == {"sub-01", "sub-02", "sub-03", "sub-04"}
    assert not leftovers(out)
    # Those that one run finished were not measured by the next.
    unchanged = set(re.findall(r"(sub-\d\d) unchanged", again.stderr))
    assert first <= unchanged


# On dask ------------------------------------------------------------------------------------

with_dask = pytest.mark.skipif(
    importlib.util.find_spec("distributed") is None or os.name == "nt",
    reason="dask.distributed is not installed (pip install distributed)",
)


@pytest.fixture
def cluster(tmp_path):
    """A scheduler and two workers, each a process of its own that nobody starts again."""
    environment = {**os.environ, "PYTHONPATH": str(LIBRARY)}
    file = tmp_path / "scheduler.json"
    processes = []

    def start(*arguments: str) -> subprocess.Popen:
        log = open(tmp_path / f"dask{len(processes)}.log", "wb")  # noqa: SIM115
        processes.append(subprocess.Popen(
            [sys.executable, "-m", *arguments, "--scheduler-file", str(file)],
            env=environment, stdout=log, stderr=log, cwd=tmp_path,
        ))  # fmt: skip
        log.close()
        return processes[-1]

    scheduler = start("distributed.cli.dask_scheduler", "--host", "127.0.0.1", "--port", "0",
                      "--dashboard-address", "127.0.0.1:0")  # fmt: skip
    until(file.is_file, scheduler)
    workers = [
        start("distributed.cli.dask_worker", "--nthreads", "1", "--no-nanny", "--no-dashboard",
              "--local-directory", str(tmp_path))
        for _ in range(2)
    ]  # fmt: skip
    yield json.loads(file.read_text())["address"], workers
    for process in reversed(processes):
        process.kill()
        process.wait()


@with_dask
def test_a_cluster_loses_a_worker_and_nothing_else(study, cluster, tmp_path):
    from distributed import Client

    address, workers = cluster
    with Client(address, timeout=WAIT_S, set_as_default=False) as client:
        client.wait_for_workers(2, timeout=WAIT_S)
        pids = client.run(os.getpid)
    assert {worker.pid for worker in workers} == set(pids.values())
    units = with_maps(study, *(f"{n:02}" for n in range(1, 6)))
    job, told = job_of(study), []

    def kill_one(step: str, share: float) -> None:
        if len(told) == 1:
            until(lambda: len(leftovers(job.out)) == 2, workers[0])  # both are at work
            workers[0].kill()
        told.append(step)

    outcome = run_batch(job, units, scheduler=address, progress=kill_one)
    assert workers[0].wait() == -signal.SIGKILL and workers[1].poll() is None
    assert {o.status for o in outcome.outcomes} <= {DONE, UNCHANGED}
    assert len(told) == len(units) and not leftovers(job.out)
    # The same as without a cluster.
    alone = Job(job.raw, tmp_path / "alone", job.others, job.settings)
    for unit in units:
        assert measure_unit(job, unit).status == UNCHANGED
        assert measure_unit(alone, unit).status == DONE
    assert results(job.out) == results(alone.out)


@with_dask
def test_no_scheduler_at_the_address(study, monkeypatch):
    monkeypatch.setattr(run, "CONNECT_S", 0.5)
    units = with_maps(study, "01")
    with pytest.raises(InputError, match=r"No dask scheduler answers at tcp://127\.0\.0\.1:9"):
        run_batch(job_of(study), units, scheduler="tcp://127.0.0.1:9")


def test_without_dask_it_says_how_to_get_it(study, monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(InputError, match="needs dask.distributed"):
        run_batch(job_of(study), with_maps(study, "01"), scheduler="tcp://127.0.0.1:8786")
