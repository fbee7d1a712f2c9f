"""What can be read as an input: files that have an end."""

from __future__ import annotations

import os
import stat

from ..cortex.errors import InputError


def check_regular(path: str | os.PathLike) -> None:
    """Refuses what is there but is neither a file nor a folder.

    Reading a pipe waits for whoever writes to it, maybe for ever, and some devices never end.

    Raises:
        InputError: a pipe, a device or a socket.
    """
    try:
        mode = os.stat(path).st_mode
    except (OSError, ValueError):
        return  # whoever reads it says what is wrong
    if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
        raise InputError(
            f"{os.fspath(path)} is a pipe or a device, not a file. Save what it gives as a file, "
            "and name that."
        )
