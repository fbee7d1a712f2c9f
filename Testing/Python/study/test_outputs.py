"""The output folder holds the old results or the new ones, whole, whatever happens."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from ALSMotorCortexLib.cortex.errors import InputError
from ALSMotorCortexLib.study.outputs import OutputFolder, signals_held
from small_disk import small_disk

OLD = {"a.tsv": "old a", "b.tsv": "old b", "foreign.txt": "mine", "record.json": "old"}
NEW = {"a.tsv": "new a", "b.tsv": "new b", "c.tsv": "new c", "record.json": "new"}


def contents(folder: Path) -> dict[str, str]:
    return {p.name: p.read_text() for p in folder.iterdir()}


def fill(folder: OutputFolder, files: dict[str, str] = NEW) -> None:
    for name, text in files.items():
        folder.path(name).write_text(text)


@pytest.fixture
def out(tmp_path: Path) -> Path:
    folder = tmp_path / "results"
    folder.mkdir()
    for name, text in OLD.items():
        (folder / name).write_text(text)
    return folder


def test_new_folder_with_its_parents(tmp_path):
    out = tmp_path / "study" / "case" / "results"
    with OutputFolder(out) as folder:
        fill(folder)
        assert not out.exists()
        folder.publish()
    assert contents(out) == NEW
    assert os.listdir(out.parent) == ["results"]


def test_new_files_replace_old_ones_of_the_same_name(out):
    with OutputFolder(out) as folder:
        fill(folder)
        assert contents(out) == OLD
        folder.publish(last="record.json")
    assert contents(out) == {**OLD, **NEW}
    assert os.listdir(out.parent) == ["results"]


def test_stale_files_go(out):
    with OutputFolder(out) as folder:
        fill(folder, {"a.tsv": "new a"})
        folder.publish(stale=["a.tsv", "b.tsv", "not there"])
    assert set(contents(out)) == {"a.tsv", "foreign.txt", "record.json"}
    assert (out / "a.tsv").read_text() == "new a"


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit, InputError])
def test_a_failure_leaves_everything_as_it_was(out, error):
    with pytest.raises(error), OutputFolder(out) as folder:
        fill(folder)
        raise error
    assert contents(out) == OLD
    assert os.listdir(out.parent) == ["results"]


def test_a_failure_leaves_no_empty_parents(tmp_path):
    with pytest.raises(ValueError), OutputFolder(tmp_path / "study" / "results"):
        raise ValueError
    assert os.listdir(tmp_path) == []


def test_what_someone_else_put_into_a_new_parent_stays(tmp_path):
    with pytest.raises(ValueError), OutputFolder(tmp_path / "study" / "results"):
        (tmp_path / "study" / "other").touch()
        raise ValueError
    assert os.listdir(tmp_path / "study") == ["other"]


@pytest.mark.parametrize("name", ["a.tsv", "b.tsv", "foreign.txt"])
def test_an_input_is_neither_replaced_nor_taken_away(out, tmp_path, name):
    link = tmp_path / "link"
    try:
        link.symlink_to(out / name)
    except OSError:
        pytest.skip("this system makes no links")
    with OutputFolder(out) as folder:
        folder.inputs.append(link)
        fill(folder, {"a.tsv": "new a"})
        if name == "foreign.txt":
            folder.publish(stale=["b.tsv"])
        else:
            with pytest.raises(InputError, match="link is an input"):
                folder.publish(stale=["b.tsv"])
            assert contents(out) == OLD
    assert (out / name).read_text() == OLD[name]


@pytest.mark.parametrize("failing", range(7))
def test_a_failure_while_moving_puts_all_back(out, monkeypatch, failing):
    """Four new files and three old ones: each of the seven moves fails once."""
    real, calls = os.replace, []

    def replace(source, target):
        calls.append(source)
        if len(calls) == failing + 1:
            raise OSError(errno.ENOSPC, "No space left on device")
        real(source, target)

    with pytest.raises(InputError, match="disk is full"), OutputFolder(out) as folder:
        fill(folder)
        monkeypatch.setattr(os, "replace", replace)
        folder.publish(last="record.json")
    assert contents(out) == OLD
    assert os.listdir(out.parent) == ["results"]


def test_the_record_goes_first_and_comes_last(out, monkeypatch):
    """A process killed between two moves leaves no record that claims whole results."""
    real, seen = os.replace, []

    def replace(source, target):
        real(source, target)
        seen.append("record.json" in os.listdir(out))

    monkeypatch.setattr(os, "replace", replace)
    with OutputFolder(out) as folder:
        fill(folder)
        folder.publish(last="record.json")
    assert seen == [False] * (len(seen) - 1) + [True]


def test_a_file_in_the_way(tmp_path):
    (tmp_path / "results").write_text("mine")
    with pytest.raises(InputError, match="is a file"), OutputFolder(tmp_path / "results"):
        pass
    with pytest.raises(InputError, match="cannot be written"):
        OutputFolder(tmp_path / "results" / "deeper").__enter__()
    assert (tmp_path / "results").read_text() == "mine"


def test_a_folder_with_a_result_name(out):
    (out / "c.tsv").mkdir()
    with pytest.raises(InputError, match="c.tsv is a folder"), OutputFolder(out) as folder:
        fill(folder)
        folder.publish()
    assert (out / "c.tsv").is_dir()
    assert (out / "a.tsv").read_text() == "old a"


def test_a_folder_that_may_not_be_written(out):
    out.chmod(0o555)
    try:
        if os.access(out, os.W_OK):
            pytest.skip("this user may write everywhere")
        with pytest.raises(InputError, match="Permission denied"), OutputFolder(out):
            pass
    finally:
        out.chmod(0o755)


@pytest.mark.parametrize("kind", [errno.EACCES, errno.EROFS, errno.ENOSPC])
def test_a_folder_that_cannot_be_written_is_told_at_once(out, monkeypatch, kind):
    def touch(self, *args, **kwargs):
        raise OSError(kind, os.strerror(kind))

    monkeypatch.setattr(Path, "touch", touch)
    with pytest.raises(InputError) as caught, OutputFolder(out):
        pytest.fail("the block must not run")
    assert str(out) in str(caught.value)
    assert contents(out) == OLD


def test_written_inside_where_the_parent_may_not_be(out, monkeypatch):
    """As with a folder mounted into a container."""
    monkeypatch.setattr(os, "access", lambda path, mode: Path(path) != out.parent)
    with OutputFolder(out) as folder:
        assert folder.path("x").parent.parent == out
        fill(folder)
        folder.publish()
    assert contents(out) == {**OLD, **NEW}


def test_a_link_to_a_folder_stays_a_link(out, tmp_path):
    link = tmp_path / "link"
    try:
        link.symlink_to(out)
    except OSError:
        pytest.skip("this system makes no links")
    with OutputFolder(link) as folder:
        fill(folder)
        folder.publish()
    assert link.is_symlink()
    assert contents(out) == {**OLD, **NEW}


FULL_DISK = """
import sys
from ALSMotorCortexLib.cortex.errors import InputError
from ALSMotorCortexLib.study.outputs import OutputFolder
try:
    with OutputFolder(sys.argv[1]) as folder:
        folder.path("a.tsv").write_text("new a")
        folder.path("big").write_bytes(bytes(4 << 20))
        folder.publish()
except InputError as error:
    sys.exit(str(error))
"""


def run(script: str, folder: Path, **options) -> subprocess.CompletedProcess:
    library = Path(sys.modules["ALSMotorCortexLib"].__file__).parents[1]
    return subprocess.run(
        [sys.executable, "-c", script, str(folder)],
        env={**os.environ, "PYTHONPATH": str(library)},
        capture_output=True,
        text=True,
        timeout=60,
        **options,
    )


def test_a_file_size_limit(out):
    resource = pytest.importorskip("resource", reason="this system has no such limit")
    limit = (1 << 20, 1 << 20)
    done = run(FULL_DISK, out, preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, limit))
    assert done.returncode == 1
    assert done.stderr.startswith("The disk is full")
    assert contents(out) == OLD


def test_a_full_disk(tmp_path):
    with small_disk(tmp_path, "1m") as disk:
        out = disk / "results"
        out.mkdir()
        (out / "a.tsv").write_text("old a")
        done = run(FULL_DISK, out)
        assert done.returncode == 1
        assert done.stderr.startswith("The disk is full")
        assert contents(out) == {"a.tsv": "old a"}
        assert os.listdir(disk) == ["results"]


@pytest.fixture
def interruptible():
    """Ctrl-C raises, also where the tests run in the background and ignore it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def test_signals_wait(interruptible):
    reached = []
    with pytest.raises(KeyboardInterrupt), signals_held():
        signal.raise_signal(signal.SIGINT)
        reached.append(True)
    assert reached
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


@pytest.mark.parametrize("name", ["touch", "unlink", "mkdir"])
def test_an_interruption_while_the_place_is_made_leaves_nothing(
    out, monkeypatch, interruptible, name
):
    original = getattr(Path, name)

    def interrupted(path, *arguments, **more):
        result = original(path, *arguments, **more)
        signal.raise_signal(signal.SIGINT)
        return result

    with monkeypatch.context() as patch:
        patch.setattr(Path, name, interrupted)
        with pytest.raises(KeyboardInterrupt), OutputFolder(out):
            pytest.fail("the interruption was lost")
    assert contents(out) == OLD
    assert os.listdir(out.parent) == ["results"]


def test_an_interruption_while_moving_comes_too_late(out, monkeypatch, interruptible):
    real = os.replace

    def replace(source, target):
        signal.raise_signal(signal.SIGINT)
        real(source, target)

    monkeypatch.setattr(os, "replace", replace)
    with OutputFolder(out) as folder:
        fill(folder)
        folder.publish()
    assert contents(out) == {**OLD, **NEW}
