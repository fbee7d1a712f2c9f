"""The scene that a process of its own writes, and what comes of one that fails."""

from __future__ import annotations

import os
import pickle
import signal
import subprocess
import sys
import time
import zipfile
from collections.abc import Iterator
from dataclasses import fields, replace
from pathlib import Path

import pytest

from measured_cylinder import cylinder

pytest.importorskip("slicer", reason="slicer-core is not installed")

from ALSMotorCortexLib.cortex.errors import InputError
from ALSMotorCortexLib.cortex.result import Shape
from ALSMotorCortexLib.scene_process import WriterHere, WriterProcess, scene_writer

LIBRARY = Path(__file__).resolve().parents[2] / "ALSMotorCortex"

WHOLE, LABELS, MAPS = cylinder(regions=("left", "right"))


@pytest.fixture
def writer() -> Iterator[WriterProcess]:
    made = WriterProcess()
    yield made
    made.end()


def shape() -> Shape:
    """What is known before the maps are measured."""
    return Shape(**{field.name: getattr(WHOLE, field.name) for field in fields(Shape)})


def members(path: Path) -> dict[str, bytes]:
    """The files in a scene, without those that hold its name or random numbers."""
    with zipfile.ZipFile(path) as archive:
        return {n: archive.read(n) for n in archive.namelist() if not n.endswith(".mrml")}


def test_a_process_writes_what_is_written_here(writer, tmp_path):
    here = WriterHere()
    written = {}
    for name, used in {"process": writer, "here": here}.items():
        path = tmp_path / name / "scene.mrb"
        path.parent.mkdir()
        used.start(LABELS)
        used.prepare(shape())
        used.write(WHOLE, path, MAPS)
        written[name] = members(path)
    assert len(written["here"]) > 8
    assert written["process"] == written["here"]
    assert os.listdir(tmp_path / "process") == ["scene.mrb"]


def test_a_folder_that_cannot_be_written(writer, tmp_path):
    writer.start(LABELS)
    writer.prepare(shape())
    with pytest.raises(InputError, match="cannot be written"):
        writer.write(WHOLE, tmp_path / "no" / "scene.mrb", MAPS)


def test_a_fault_in_the_process_comes_with_its_place(writer, tmp_path):
    writer.start(LABELS)
    writer.prepare(shape())
    with pytest.raises(RuntimeError, match=r"results\.py"):
        writer.write(WHOLE, tmp_path / "scene.mrb", {"T2star": "no image"})


def test_a_fault_before_the_maps_are_measured_is_told_at_the_end(writer, tmp_path):
    writer.start(LABELS)
    writer.prepare(replace(shape(), grid=None))
    with pytest.raises(RuntimeError, match=r"surface\.py"):
        writer.write(WHOLE, tmp_path / "scene.mrb", MAPS)


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such signal")
@pytest.mark.parametrize("prepared", [False, True])
def test_a_killed_process_lacked_memory(writer, tmp_path, prepared):
    if prepared:
        writer.start(LABELS)
        writer.prepare(shape())
    os.kill(writer.pid, signal.SIGKILL)
    with pytest.raises(MemoryError):
        if not prepared:
            writer.start(LABELS)
            writer.prepare(shape())
        writer.write(WHOLE, tmp_path / "scene.mrb", MAPS)


LOADED = """
import pickle, sys
from ALSMotorCortexLib.scene_process import WriterHere
whole, labels, path, maps = pickle.load(sys.stdin.buffer)
writer = WriterHere()
writer.start(labels)
writer.prepare(whole)
writer.write(whole, path, maps)
print(*sorted({"scipy", "SimpleITK", "vtk"} & set(sys.modules)))
"""


def test_writing_loads_nothing_large_but_slicer(tmp_path):
    """All of VTK, for one, takes a third of a second, and much of it is never used."""
    done = subprocess.run(
        [sys.executable, "-c", LOADED],
        env={**os.environ, "PYTHONPATH": str(LIBRARY)},
        input=pickle.dumps((WHOLE, LABELS, tmp_path / "scene.mrb", MAPS)),
        stdout=subprocess.PIPE,
        check=True,
        timeout=60,
    )
    assert done.stdout.decode().split() == []


def test_with_slicer_loaded_there_is_no_process():
    with scene_writer(True) as writer:
        assert isinstance(writer, WriterHere)


# Says whether Ctrl-C and termination that come while a process starts are seen before its end.
KEPT_BACK = """
import os, signal
from multiprocessing import resource_tracker
from ALSMotorCortexLib.child_process import interruption_kept_back
try:
    with interruption_kept_back():
        resource_tracker.ensure_running()  # as a process does that starts another one
        blocked = signal.SIGINT in signal.pthread_sigmask(signal.SIG_BLOCK, ())
        os.kill(os.getpid(), signal.{kind})
        print(blocked, "whole", flush=True)
except KeyboardInterrupt:
    print("interrupted")
"""


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such signals between processes")
@pytest.mark.parametrize(
    "kind, rest, status", [("SIGINT", ["interrupted"], 0), ("SIGTERM", [], -15)]
)
def test_signals_wait_until_a_process_is_started(kind, rest, status):
    done = subprocess.run(
        [sys.executable, "-c", KEPT_BACK.format(kind=kind)],
        env={**os.environ, "PYTHONPATH": str(LIBRARY)},
        stdout=subprocess.PIPE,
        text=True,
        timeout=30,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    assert done.stdout.splitlines() == ["True whole", *rest]
    assert done.returncode == status


# Loads nothing of Slicer itself, and says which process does.
STARTED = """
import sys, time
from ALSMotorCortexLib.scene_process import scene_writer
with scene_writer(sys.argv[1] == "wanted") as writer:
    print(getattr(writer, "pid", 0), flush=True)
    {then}
"""


def started(wanted: str, then: str) -> subprocess.Popen:
    command = [sys.executable, "-c", STARTED.format(then=then), wanted]
    environment = {**os.environ, "PYTHONPATH": str(LIBRARY)}
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)


def is_there(pid: int) -> bool:
    """Whether a process runs. One that has ended, and that nobody waits for, does not."""
    try:
        status = Path(f"/proc/{pid}/stat").read_text()
    except FileNotFoundError:
        return False
    return status.rpartition(")")[2].split()[0] != "Z"


def test_no_process_for_no_scene():
    assert started("unwanted", "").communicate(timeout=30)[0] == "0\n"


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="this system has no /proc")
@pytest.mark.parametrize("then, kill", [("", False), ("1 / 0", False), ("time.sleep(60)", True)])
def test_the_process_ends_with_the_one_that_started_it(then, kill):
    with started("wanted", then) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        assert pid
        if kill:
            parent.kill()
    for _ in range(200):
        if not is_there(pid):
            return
        time.sleep(0.05)
    pytest.fail("the process is still there")
