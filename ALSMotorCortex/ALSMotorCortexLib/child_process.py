"""What a process that starts another one to help it does, and what that one does first."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.connection import wait

from .study.outputs import signals_held


def end_with_parent() -> None:
    """Ends this process when the one that started it ends, so that none works for nobody."""
    threading.Thread(target=_wait_and_end, daemon=True).start()


def _wait_and_end() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os._exit(1)


@contextmanager
def interruption_kept_back() -> Iterator[None]:
    """Ctrl-C waits until the block is left, and never comes to a process that starts within it.

    It would also come while that process loads Python, which says so at length. The process that
    started it gets Ctrl-C, too, and ends it. Termination waits as well, so that none is left half
    started.
    """
    if not hasattr(signal, "pthread_sigmask"):  # Windows
        yield
        return
    from multiprocessing import resource_tracker  # not on Windows

    with signals_held():
        resource_tracker.ensure_running()  # else the start does it, and lets Ctrl-C in again
        before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
        try:
            yield
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
