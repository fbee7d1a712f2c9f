"""An output folder that holds either the old results or the new ones, whole."""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import shutil
import signal
import threading
from collections.abc import Iterable, Iterator
from pathlib import Path
from types import TracebackType

from ..cortex.errors import InputError

# What a full disk, a used-up quota and a file-size limit say.
FULL = {errno.ENOSPC, errno.EFBIG, getattr(errno, "EDQUOT", errno.ENOSPC)}

published: list[Path] = []
"""Folders that this process has moved files into, as they were given, in that order. Whoever is
stopped can say by it what was written."""


class OutputFolder:
    """Files are written aside, and moved into the folder together when all are ready.

    Used as a context. Files go to :meth:`path`; :meth:`publish` moves them in. Leaving
    without it, on an error or an interruption, removes them and leaves the folder as it was.
    Files that are not replaced by name stay.

    The files are written into a hidden folder beside the output folder, or inside it where
    that is another disk or may not be written. If the process is killed outright, that
    hidden folder (its name ends in ``.partial``) stays and can be deleted.

    Attributes:
        inputs: files that the results are made from, to be filled by whoever reads them; a
            result never takes the place of one.
    """

    def __init__(self, folder: str | os.PathLike) -> None:
        self.given = Path(folder)
        self.inputs: list[Path] = []
        self.folder = Path(os.path.realpath(folder))
        self._staging: Path | None = None
        self._made: list[Path] = []

    def __enter__(self) -> OutputFolder:
        """Raises: InputError: the folder cannot be made or written."""
        try:
            if self.folder.exists() and not self.folder.is_dir():
                raise InputError(
                    f"{self.given} is a file, so results cannot be put into it. Choose another "
                    "output folder."
                )
            with signals_held():
                self._make_parents()
                self._staging = self._make_staging()
        except OSError as error:
            self._clean()
            raise self._sentence(error) from None
        except KeyboardInterrupt:  # that was held; nobody calls __exit__ now
            self._clean()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with signals_held():
            self._clean()
        if isinstance(error, OSError):
            raise self._sentence(error) from None

    def path(self, name: str) -> Path:
        """Where to write the file that will be called ``name`` in the folder."""
        assert self._staging is not None, "the folder is used outside its context"
        return self._staging / name

    def keep_inputs(self, names: Iterable[str]) -> None:
        """Refuses to go on where a result would take the place of an input.

        Called early with all names that a run may write, it saves a long computation.

        Args:
            names: of files that are written to the folder or taken away from it.

        Raises:
            InputError: one of them is an input, maybe through a link.
        """
        keep_apart(self.inputs, (self.folder / name for name in sorted(set(names))), self.given)

    def publish(self, stale: Iterable[str] = (), last: str = "") -> None:
        """Moves the files into place; on an error what was there is put back.

        Ctrl-C and termination that come meanwhile are too late and do nothing. A file named
        ``last`` is taken away first and put in last, so that its presence tells that the
        others are whole.

        Args:
            stale: names of older files to take away, if they are there.
            last: see above.

        Raises:
            InputError: the folder cannot be written.
        """
        assert self._staging is not None, "the folder is used outside its context"
        names = sorted((p.name for p in self._staging.iterdir()), key=lambda n: (n == last, n))
        stale = set(stale)
        self.keep_inputs({*names, *stale})
        for name in names:
            _flush(self._staging / name)
        with signals_held() as came:
            try:
                if self.folder.exists():
                    self._move_in(names, stale - set(names), last)
                else:
                    os.rename(self._staging, self.folder)
                self._made.clear()
                published.append(self.given)
                came.clear()  # the work is done; there is nothing left to stop
            except OSError as error:
                raise self._sentence(error) from None

    def _move_in(self, names: list[str], stale: set[str], last: str) -> None:
        assert self._staging is not None
        for name in names:
            if (self.folder / name).is_dir():
                raise InputError(
                    f"{self.given / name} is a folder, and a result has the same name. "
                    "Rename it or choose another output folder."
                )
        old = self._staging / ".old"
        old.mkdir()
        done: list[tuple[Path, Path]] = []

        def move(source: Path, target: Path) -> None:
            os.replace(source, target)
            done.append((source, target))

        leaving = [n for n in [*names, *stale] if (self.folder / n).is_file()]
        try:
            if last in leaving:
                leaving.remove(last)
                move(self.folder / last, old / last)
            for name in [*stale & set(leaving), *names]:
                if name in leaving:
                    move(self.folder / name, old / name)
                if name in names:
                    move(self._staging / name, self.folder / name)
        except BaseException:
            for source, target in reversed(done):
                os.replace(target, source)
            raise

    def _make_parents(self) -> None:
        missing = []
        parent = self.folder.parent
        while not parent.exists():
            missing.append(parent)
            parent = parent.parent
        for folder in reversed(missing):
            folder.mkdir(exist_ok=True)
            self._made.append(folder)

    def _make_staging(self) -> Path:
        parent = self.folder.parent
        if self.folder.exists():
            # Refused here, before a long computation, rather than when the files are moved.
            probe = self.folder / f".{secrets.token_hex(4)}.partial"
            probe.touch(exist_ok=False)
            probe.unlink()
            same_disk = os.stat(self.folder).st_dev == os.stat(parent).st_dev
            if not (same_disk and os.access(parent, os.W_OK | os.X_OK)):
                parent = self.folder
        staging = parent / f".{self.folder.name}.{secrets.token_hex(4)}.partial"
        staging.mkdir()
        return staging

    def _clean(self) -> None:
        if self._staging is not None:
            shutil.rmtree(self._staging, ignore_errors=True)
            self._staging = None
        for folder in reversed(self._made):
            with contextlib.suppress(OSError):  # someone else has put a file there
                folder.rmdir()
        self._made.clear()

    def _sentence(self, error: OSError) -> InputError:
        if error.errno in FULL:
            return InputError(
                f"The disk is full, so the results could not be written to {self.given}. "
                "Nothing in it was changed; make room or choose another output folder."
            )
        reason = error.strerror or str(error)
        return InputError(
            f"The results cannot be written to {self.given} ({reason}). "
            "Check its permissions or choose another output folder."
        )


@contextlib.contextmanager
def signals_held() -> Iterator[list[int]]:
    """Ctrl-C and termination wait until the block is left; gives the list of those waiting.

    Only the main thread gets signals; in any other this does nothing.
    """
    came: list[int] = []
    if threading.current_thread() is not threading.main_thread():
        yield came
        return
    kinds = [signal.SIGINT, signal.SIGTERM]
    before = {kind: signal.getsignal(kind) for kind in kinds}
    for kind in kinds:
        signal.signal(kind, lambda number, frame: came.append(number))
    try:
        yield came
    finally:
        for kind, handler in before.items():
            # A handler that was not set from Python cannot be set again from it.
            signal.signal(kind, handler if handler is not None else signal.SIG_DFL)
        for number in came:
            signal.raise_signal(number)


def keep_apart(inputs: Iterable[Path], outputs: Iterable[Path], folder: Path) -> None:
    """Refuses to go on where an output would take the place of an input.

    Args:
        inputs: files that are read.
        outputs: files that are written or taken away.
        folder: of the outputs, for the message.

    Raises:
        InputError: one of them is an input, maybe through a link.
    """
    known = {_identity(path): path for path in inputs}
    for path in outputs:
        there = _identity(path)
        if there is not None and there in known:
            raise InputError(
                f"{known[there]} is an input, and the results in {folder} would replace it. "
                "Choose another output folder."
            )


def told(error: OSError) -> str:
    """What the system says of a file, as a sentence for the user."""
    name = error.filename if isinstance(error.filename, str) else "a file"
    if error.errno in FULL:
        return f"The disk is full, so {name} could not be written. Make room, and run this again."
    return (
        f"{name} cannot be read or written ({error.strerror or error}). Check its permissions, and "
        "that its disk is there."
    )


def _identity(path: Path) -> tuple[int, int] | None:
    """What is the same for all paths to a file; None where there is none."""
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _flush(path: Path) -> None:
    """Forces a file to the disk, where a full one may only show now."""
    with open(path, "rb+") as stream:
        os.fsync(stream.fileno())
