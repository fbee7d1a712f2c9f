"""Work in a thread of its own, while the scene can be used, changed or closed."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from ..cortex.errors import Cancelled, InputError

GIVEN_S = 0.03
"""How long each look at the work lets it go on. Slicer's event loop holds Python's lock, so that
other threads hardly work while no Python code runs or waits on the main thread."""


class Background:
    """One piece of work. Call :meth:`start`, then :meth:`poll` every 10 to 50 ms until ``done``."""

    def __init__(
        self,
        work: Callable[[Callable[[str, float], None]], Any],
        in_words: Callable[[str], str],
        cancelled: str,
        no_memory: str,
    ) -> None:
        """
        Args:
            work: touches no node. Gets a function that takes a step's name and the fraction
                done, and that raises to stop the work.
            in_words: turns a message for the command line into one for the window.
            cancelled, no_memory: what to say then.
        """
        self._do, self._in_words = work, in_words
        self._says = {"cancelled": cancelled, "no memory": no_memory}
        self._cancelled = threading.Event()
        self._thread = threading.Thread(target=self._work, name="cortex", daemon=True)
        self._progress: tuple[str, float] = ("", 0.0)
        self._result: Any = None
        self._error: BaseException | None = None

    def start(self) -> None:
        """Begins to work."""
        self._thread.start()

    def poll(self) -> tuple[str, float]:
        """The step it is at and the fraction done. Lets it work for a moment first."""
        self._thread.join(GIVEN_S)
        return self._progress

    @property
    def done(self) -> bool:
        """Whether there is a result, or an error."""
        return not self._thread.is_alive() and self._thread.ident is not None

    def cancel(self) -> None:
        """Asks it to stop, which it does after the present step."""
        self._cancelled.set()

    def result(self) -> Any:
        """What the work returned; waits for it if need be.

        Raises:
            InputError: from the work, in words for the window.
            Cancelled: it was cancelled.
        """
        self._thread.join()
        if self._cancelled.is_set():
            raise Cancelled(self._says["cancelled"])
        if self._error is not None:
            raise self._error
        return self._result

    def _work(self) -> None:
        try:
            self._result = self._do(self._report)
        except InputError as error:
            self._error = InputError(self._in_words(str(error)))
        except MemoryError:
            self._error = InputError(self._says["no memory"])
        except Exception as error:  # raised again by result(), on the caller's thread
            self._error = error

    def _report(self, step: str, fraction: float) -> None:
        self._progress = (step, fraction)
        if self._cancelled.is_set():
            raise Cancelled
