"""Signals: each is heard once, none is lost, and Python itself says nothing."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import pytest

from ALSMotorCortexLib import stopping
from cli_case import LIBRARY

pytestmark = pytest.mark.skipif(os.name == "nt", reason="Windows has no such signals")


def test_each_kind_raises_its_own_and_the_callers_handlers_come_back():
    before = {kind: signal.getsignal(kind) for kind in stopping.KINDS}
    signal.signal(signal.SIGINT, signal.default_int_handler)
    hook = sys.unraisablehook
    try:
        for kind, error in zip(
            stopping.KINDS, (KeyboardInterrupt, stopping.Terminated), strict=True
        ):
            hearing = stopping.hear()
            with pytest.raises(KeyboardInterrupt) as raised:
                signal.raise_signal(kind)
            assert raised.type is error
            assert list(hearing.heard) == [error]
            hearing.end()
            assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
            assert sys.unraisablehook is hook
    finally:
        for kind, handler in before.items():
            signal.signal(kind, handler)


def test_a_second_one_at_once_does_nothing_and_a_later_one_does(monkeypatch):
    hearing = stopping.hear((signal.SIGTERM,))
    try:
        with pytest.raises(stopping.Terminated):
            signal.raise_signal(signal.SIGTERM)
        signal.raise_signal(signal.SIGTERM)
        assert len(hearing.heard) == 1
        late = time.monotonic() + stopping.TIDYING_S
        monkeypatch.setattr(stopping.time, "monotonic", lambda: late)
        with pytest.raises(stopping.Terminated):
            signal.raise_signal(signal.SIGTERM)
    finally:
        monkeypatch.undo()
        hearing.end()


# Ctrl-C comes while an object is tidied away: Python prints what is raised there, and goes on.
LOST = """
import os, signal, time
from ALSMotorCortexLib import stopping
signal.signal(signal.SIGINT, signal.default_int_handler)
stopping.hear()
class Tidied:
    def __del__(self):
        os.kill(os.getpid(), signal.{kind})
        for _ in range(1000):
            pass
try:
    Tidied()
    time.sleep(20)
except {error}:
    print("stopped")
"""


@pytest.mark.parametrize(
    "kind, error", [("SIGINT", "KeyboardInterrupt"), ("SIGTERM", "stopping.Terminated")]
)
def test_one_that_python_would_lose_comes_again(kind, error):
    done = subprocess.run(
        [sys.executable, "-c", LOST.format(kind=kind, error=error)],
        env={**os.environ, "PYTHONPATH": str(LIBRARY.parent)},
        capture_output=True,
        text=True,
        timeout=15,
    )
    assert (done.stdout, done.stderr) == ("stopped\n", "")


def test_what_is_lost_for_another_reason_is_still_told(monkeypatch):
    told: list = []
    monkeypatch.setattr(sys, "unraisablehook", told.append)
    hearing = stopping.hear()

    class Broken:
        def __del__(self) -> None:
            raise ValueError

    try:
        Broken()
    finally:
        hearing.end()
    assert [type(one.exc_value) for one in told] == [ValueError]
