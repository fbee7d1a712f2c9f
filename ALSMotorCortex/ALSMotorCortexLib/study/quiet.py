"""Keeps libraries from printing what is told otherwise. It loads nothing, so that it is quick."""

from __future__ import annotations

import contextlib
import os
import sys
import threading
from collections.abc import Iterator

_redirecting = threading.Lock()


@contextlib.contextmanager
def quiet_stderr() -> Iterator[None]:
    """Sends what C and C++ libraries print to standard error nowhere.

    MetaIO, HDF5, ITK and VTK print there what is also raised or found otherwise.
    """
    with _redirecting:
        try:
            sys.stderr.flush()
            kept = os.dup(2)
        except (OSError, AttributeError):  # no standard error, as in a Windows application
            yield
            return
        nowhere = os.open(os.devnull, os.O_WRONLY)
        try:
            os.dup2(nowhere, 2)
            yield
        finally:
            os.dup2(kept, 2)
            os.close(kept)
            os.close(nowhere)
