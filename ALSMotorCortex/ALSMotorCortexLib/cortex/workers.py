"""How many threads share the work on one ribbon."""

from __future__ import annotations

import os

VARIABLE = "ALS_MOTOR_CORTEX_THREADS"
"""Environment variable that says how many. A batch sets it, so that its processes together do not
run more threads than there are cores. It is read once, when this module is loaded."""

USUAL = 2
"""Without it. More gain little, because the longest steps wait for memory."""


def workers() -> int:
    """The number of threads, one or more."""
    text = os.environ.get(VARIABLE, "")
    return max(1, int(text)) if text.isdecimal() else USUAL


WORKERS = workers()
