"""A section that lets something run in another thread, one at a time, and follows it."""

from __future__ import annotations

from typing import Any

from slicer.i18n import tr as _

from .section import Section

# Pause between two looks at a run, for the window; each look lets the run work for 30 ms.
POLL_MS = 10


class RunSection(Section):
    """Starts a run, shows its progress, and stops it.

    Attributes:
        bar: name of its progress bar.
    """

    bar = ""

    def setup(self) -> None:
        self._run: Any = None
        self._pollTimer = self.panel.timer(POLL_MS, self.on_poll)

    @property
    def running(self) -> bool:
        """Whether a run is under way."""
        return self._run is not None

    # For each section to say ----------------------------------------------------------------

    def started(self) -> Any:
        """A new run."""
        raise NotImplementedError

    def finished(self, run: Any) -> None:
        """Publishes and shows what a run came to; may raise what it failed with."""
        raise NotImplementedError

    def stopped(self) -> str:
        """What to say when a closed scene stopped a run."""
        raise NotImplementedError

    # What happens ---------------------------------------------------------------------------

    def closing(self) -> None:
        """Stops a run and forgets it: its nodes are about to go."""
        self._pollTimer.stop()
        if self._run is not None:
            self._run.cancel()
            self._run = None
            self.say(self.stopped())

    def on_start(self) -> None:
        """Starts a run; :meth:`on_poll` follows it."""
        if self._run is not None:
            return
        self.say("")
        with self.message():
            self._run = self.started()
            self._pollTimer.start()
        self.refresh()

    def on_cancel(self) -> None:
        if self._run is not None:
            self._run.cancel()
            vars(self.ui)[self.bar].setFormat(_("stopping..."))

    def on_poll(self) -> None:
        """Shows the progress of the run, and what it came to once it is done."""
        run = self._run
        if run is None:
            self._pollTimer.stop()
            return
        step, fraction = run.poll()
        bar = vars(self.ui)[self.bar]
        bar.value = round(100 * fraction)
        bar.setFormat(f"{step} %p%")
        if not run.done:
            return
        self._pollTimer.stop()
        self._run = None
        with self.message():
            self.finished(run)
        self.panel.refresh_later()
