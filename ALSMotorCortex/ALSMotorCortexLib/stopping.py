"""Ctrl-C and requests to terminate: heard once, never lost, and without Python's own words.

Nothing but the standard library is imported.
"""

from __future__ import annotations

import _thread
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, NoReturn

TIDYING_S = 5.0
"""A second signal that comes within this time of the first does nothing: it would meet the tidying
that the first has set off. People press Ctrl-C twice."""

_AGAIN_S = 0.05

KINDS = (signal.SIGINT, signal.SIGTERM)


class Terminated(KeyboardInterrupt):
    """The process was asked to end (SIGTERM)."""


@dataclass(frozen=True)
class Hearing:
    """What is heard since :func:`hear`.

    Attributes:
        heard: what was raised, in that order. Some libraries make an error of their own of it
            while they load.
        before: the handlers until then.
        hook: ``sys.unraisablehook`` until then.
    """

    heard: Sequence[type[KeyboardInterrupt]]
    before: Mapping[signal.Signals, Any]
    hook: Callable[[Any], Any]

    def end(self) -> None:
        """Sets everything as it was."""
        for kind, handler in self.before.items():
            # A handler that was not set from Python cannot be set again from it.
            signal.signal(kind, handler if handler is not None else signal.SIG_DFL)
        sys.unraisablehook = self.hook


def hear(kinds: Sequence[signal.Signals] = KINDS) -> Hearing:
    """SIGTERM raises :class:`Terminated` from now on, so that temporary files are removed, and
    Ctrl-C KeyboardInterrupt.

    Where Ctrl-C does something else than Python's usual, it still does. Only the main thread gets
    signals; in any other this does nothing.
    """
    heard: list[type[KeyboardInterrupt]] = []
    before: dict[signal.Signals, Any] = {}
    hearing = Hearing(heard, before, sys.unraisablehook)
    if threading.current_thread() is not threading.main_thread():
        return hearing
    last = [-TIDYING_S, 0]

    def stop(number: int, frame: Any) -> None:
        if time.monotonic() - last[0] < TIDYING_S:
            return
        last[:] = time.monotonic(), number
        heard.append(Terminated if number == signal.SIGTERM else KeyboardInterrupt)
        raise heard[-1]

    def lost(unraisable: Any) -> None:
        """It came while Python tidied an object away, which no exception gets out of."""
        if not heard or not isinstance(unraisable.exc_value, KeyboardInterrupt):
            hearing.hook(unraisable)
        elif not sys.is_finalizing():
            number = int(last[1])
            last[0] = -TIDYING_S
            again = threading.Timer(_AGAIN_S, _send, (number,))
            again.daemon = True
            again.start()

    for kind in kinds:
        known = signal.getsignal(kind)
        if kind == signal.SIGTERM or known is signal.default_int_handler:
            before[kind] = known
            signal.signal(kind, stop)
    sys.unraisablehook = lost
    return hearing


def ignore() -> None:
    """From now on both do nothing."""
    if threading.current_thread() is threading.main_thread():
        for kind in KINDS:
            signal.signal(kind, signal.SIG_IGN)


def end(status: int) -> NoReturn:
    """Ends this process at once, after what is to be printed.

    Python's own end would send the process its Ctrl-C again, and lose the status, where that had
    come while code from a string was running, as it does when a dataclass is made
    (``run_eval_code_obj`` in CPython's Python/pythonrun.c, ``exit_sigint`` in Modules/main.c).
    """
    for stream in (sys.stdout, sys.stderr):
        with suppress(AttributeError, OSError, ValueError):
            stream.flush()
    os._exit(status)


def _send(number: int) -> None:
    """Sends this process's main thread a signal, which wakes it where it waits."""
    if os.name == "nt":
        _thread.interrupt_main(number)
    else:
        signal.pthread_kill(threading.main_thread().ident or 0, number)
