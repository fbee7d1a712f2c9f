"""The one exception that a user can cause."""

from __future__ import annotations


class InputError(Exception):
    """Input that cannot be measured.

    The message is one or two sentences for the user: what is wrong, where, what to do.
    The command line prints it and exits with 2; the widget shows it; neither shows a
    traceback.
    """


class Cancelled(Exception):
    """The caller's progress function asked to stop; nothing was written."""
