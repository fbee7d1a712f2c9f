"""Where the scene is written: in this process, or in one of its own.

Loading Slicer's core takes about a second of one processor. A process of its own does so while
this one reads and finds borders, makes the mid-surface while this one measures maps, and then
writes the scene while this one writes all other files. Nothing but the standard library is
imported here until then.
"""

from __future__ import annotations

import importlib
import importlib.util
import multiprocessing
import pickle
import signal
import sys
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import replace
from multiprocessing.connection import Connection
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from .child_process import end_with_parent, interruption_kept_back
from .cortex.errors import InputError

if TYPE_CHECKING:
    from .cortex.grid import Image
    from .cortex.result import Measurement, Shape


def has_slicer() -> bool:
    """Whether the scene can be written: inside Slicer, or with slicer-core installed."""
    return importlib.util.find_spec("slicer") is not None


class SceneWriter(Protocol):
    """Writes one scene, in three steps."""

    def start(self, labels: Image) -> None:
        """Takes what is measured."""

    def prepare(self, shape: Shape) -> None:
        """Takes what is known before the maps are measured.

        Args:
            shape: as :func:`.cortex.measure.measure` gives it to ``shaped``.
        """

    def write(self, measurement: Measurement, path: Path, maps: Mapping[str, Image]) -> None:
        """Writes the scene.

        Args:
            measurement: the whole, of the same shape.
            path: of the file.
            maps: each contrast map by its name.

        Raises:
            InputError: the file cannot be written.
        """


class WriterHere:
    """Writes a scene in this process, without what VTK prints."""

    _surface: Any = None

    def start(self, labels: Image) -> None:
        """See :class:`SceneWriter`."""
        self._labels = labels

    def prepare(self, shape: Shape) -> None:
        """See :class:`SceneWriter`."""

    def write(self, measurement: Measurement, path: Path, maps: Mapping[str, Image]) -> None:
        """See :class:`SceneWriter`."""
        from .scene.results import write_scene
        from .study.quiet import quiet_stderr

        with quiet_stderr():
            write_scene(measurement, path, self._labels, maps, self._surface)


@contextmanager
def scene_writer(wanted: bool) -> Iterator[SceneWriter]:
    """What writes the scene, in a process of its own where that is faster.

    Use it early, and only where the main module may be imported again, as for the start method
    ``spawn`` of :mod:`multiprocessing`.

    Args:
        wanted: whether there will be a scene.
    """
    # Where Slicer is loaded already there is nothing to gain; its application is not Python.
    if not wanted or "slicer" in sys.modules or not has_slicer():
        yield WriterHere()
        return
    process = WriterProcess()
    try:
        yield process
    finally:
        process.end()


class WriterProcess:
    """A process that loads Slicer's core at once and writes one scene.

    Attributes:
        pid: its number.
    """

    def __init__(self) -> None:
        context = multiprocessing.get_context("spawn")
        self._connection, theirs = context.Pipe()
        self._process = context.Process(target=_work, args=(theirs,), daemon=True)
        with interruption_kept_back():
            self._process.start()
        self.pid = self._process.pid
        theirs.close()
        from concurrent.futures import ThreadPoolExecutor  # while the other one starts

        self._sender = ThreadPoolExecutor(1)

    def start(self, labels: Image) -> None:
        """See :class:`SceneWriter`. It is sent while this goes on, as what follows."""
        self._sender.submit(self._send, labels)

    def prepare(self, shape: Shape) -> None:
        """See :class:`SceneWriter`."""
        self._shape = shape
        self._sender.submit(self._send, shape)

    def _send(self, what: Any) -> None:
        """Arrays go by themselves, which spares copies of them."""
        buffers: list[pickle.PickleBuffer] = []
        data = pickle.dumps(what, protocol=5, buffer_callback=buffers.append)
        with self._dead_for_lack_of_memory():
            self._connection.send((data, len(buffers)))
            for buffer in buffers:
                self._connection.send_bytes(buffer.raw())

    def write(self, measurement: Measurement, path: Path, maps: Mapping[str, Image]) -> None:
        """See :class:`SceneWriter`."""
        none, no_cut = measurement.columns[:0], measurement.near_cut[:0]
        shown = replace(measurement, values={}, columns=none, near_cut=no_cut)
        known = vars(self._shape)
        more = {name: value for name, value in vars(shown).items() if value is not known.get(name)}
        try:
            self._sender.submit(self._send, (more, path, maps)).result()
            with self._dead_for_lack_of_memory():
                error = self._connection.recv()
        except BaseException:
            self.end()  # before the folder that it writes into is removed
            raise
        self._process.terminate()  # it takes a while, and nothing else is wanted of it
        if error is not None:
            raise error

    def end(self) -> None:
        """Ends the process, whatever it is doing."""
        self._process.terminate()
        self._process.join()
        self._sender.shutdown()

    @staticmethod
    @contextmanager
    def _dead_for_lack_of_memory() -> Iterator[None]:
        """Raises: MemoryError: the process is no more, most likely killed for taking too much."""
        try:
            yield
        except (EOFError, ConnectionError):
            raise MemoryError from None


class _WriterAhead(WriterHere):
    """Does all that it can before the maps are measured."""

    def prepare(self, shape: Shape) -> None:
        from .scene.surface import mid_surface

        self._surface = mid_surface(shape, self._labels)


def _work(connection: Connection) -> None:
    """What the process does."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # for Windows
    end_with_parent()
    with suppress(ImportError):  # raised again where it is used
        importlib.import_module(".scene.results", __package__)
    writer = _WriterAhead()
    writer.start(_received(connection))
    shape = _received(connection)
    error = _error_of(lambda: writer.prepare(shape))
    more, path, maps = _received(connection)
    connection.send(error or _error_of(lambda: writer.write(_whole(shape, more), path, maps)))


def _received(connection: Connection) -> Any:
    """What :class:`WriterProcess` sent."""
    data, count = connection.recv()
    # VTK takes no array that must not be written to.
    return pickle.loads(data, buffers=[bytearray(connection.recv_bytes()) for _ in range(count)])


def _whole(shape: Shape, more: Mapping[str, Any]) -> Measurement:
    """The measurement from its shape and all other fields."""
    from .cortex.result import Measurement

    return Measurement(**{**vars(shape), **more})


def _error_of(action: Callable[[], None]) -> Exception | None:
    """What an action raises, as something that can be sent."""
    try:
        action()
    except (InputError, OSError, MemoryError) as error:
        return error
    except Exception:
        return RuntimeError(traceback.format_exc())
    return None
