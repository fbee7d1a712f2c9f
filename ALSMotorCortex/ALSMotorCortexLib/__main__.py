"""The program: ``als-motor-cortex`` and ``python -m ALSMotorCortexLib``.

It is a file of its own so that Ctrl-C is quiet also while the command line is being loaded, and so
that the processes that it starts need not load that again.
"""

from __future__ import annotations

import os
import sys


def run() -> None:
    """Runs the command of this process and ends it."""
    try:
        from ALSMotorCortexLib import cli
    except KeyboardInterrupt:
        print("Interrupted. No results were changed.", file=sys.stderr, flush=True)
        os._exit(2)  # see .stopping.end, which may not be loaded
    cli.run_and_leave()


if __name__ == "__main__":
    run()
