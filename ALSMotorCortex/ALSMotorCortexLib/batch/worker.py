"""A process that measures participants. It imports nothing heavy before its threads are
limited, because numpy and ITK read the limits when they are loaded."""

from __future__ import annotations

import os
import signal
import warnings
from contextlib import suppress
from multiprocessing.connection import Connection
from typing import TYPE_CHECKING, Any

from .. import stopping
from ..child_process import end_with_parent

if TYPE_CHECKING:
    from ..study.bids_names import Unit
    from .job import Job

_LIMITS = (
    "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS",
    "ITK_GLOBAL_DEFAULT_NUMBER_OF_THREADS", "ALS_MOTOR_CORTEX_THREADS",
)  # fmt: skip


def work(job: Job, threads: int, connection: Connection) -> None:
    """Measures the participants that come over a connection, one after the other.

    Sends back each one's steps (name, fraction), then its outcome. The process ends with its
    parent, and quietly when it is asked to.
    """
    for name in _LIMITS:
        os.environ[name] = str(threads)
    warnings.simplefilter("ignore", RuntimeWarning)  # as in ..cli.run_and_leave
    end_with_parent()
    # Before and after the work there is nothing to tidy up: being asked to end just ends it.
    from .participant import measure_unit

    with suppress(KeyboardInterrupt):
        hearing = stopping.hear((signal.SIGTERM,))

        def tell(*step: Any) -> None:
            if hearing.heard:  # and a library has made an error of it
                raise hearing.heard[-1]
            connection.send(step)

        with suppress(EOFError, OSError):
            while True:
                unit: Unit = connection.recv()
                connection.send(measure_unit(job, unit, tell))
    stopping.ignore()
    stopping.end(0)  # without Python's own end, where much could still be printed
