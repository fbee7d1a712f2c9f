"""Testing/headless.py, without a network and without installing anything."""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest

SCRIPT = Path(__file__).resolve().parents[1] / "headless.py"


@pytest.fixture
def headless() -> ModuleType:
    """The script, loaded afresh, so that a test may change its constants."""
    spec = importlib.util.spec_from_file_location("headless", SCRIPT)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class Workshop:
    """Stands in for venv and pip: records what is asked for and leaves what they would leave."""

    def __init__(self, module: ModuleType) -> None:
        self.module = module
        self.made = 0
        self.installed: list[str] = []
        self.fails_at: str | None = None

    def remake(self, folder: Path) -> None:
        for old in sorted(folder.rglob("*"), reverse=True):
            old.unlink() if old.is_file() else old.rmdir()
        python = self.module.interpreter(folder)
        python.parent.mkdir(parents=True)
        python.touch()
        self.made += 1

    def call(self, folder: Path, command: list[str]) -> None:
        if "-r" not in command:
            return
        layer = next(
            n
            for n, file in self.module.LAYERS.items()
            if str(file) == command[command.index("-r") + 1]
        )
        (folder / f"half-{layer}").touch()
        if layer == self.fails_at:
            raise self.module.SetupError("interrupted")
        self.installed.append(layer)


@pytest.fixture
def workshop(headless: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Workshop:
    """The script with its cache and requirement files in ``tmp_path``."""
    monkeypatch.setattr(headless, "CACHE", tmp_path / "cache")
    files = {layer: tmp_path / f"{layer}.txt" for layer in headless.LAYERS}
    for layer, file in files.items():
        file.write_text(f"{layer}-package==1.0\n")
    monkeypatch.setattr(headless, "LAYERS", files)
    shop = Workshop(headless)
    monkeypatch.setattr(headless, "remake", shop.remake)
    monkeypatch.setattr(headless, "call", shop.call)
    return shop


# --- which environment -------------------------------------------------------------------


def test_same_pins_same_environment_other_pins_another(workshop: Workshop) -> None:
    make = workshop.module.environment
    first = make(["runtime"])
    assert make(["runtime"]) == first
    assert (workshop.made, workshop.installed) == (1, ["runtime"])

    workshop.module.LAYERS["runtime"].write_text("runtime-package==1.1\n")
    assert make(["runtime"]) != first
    assert (workshop.made, workshop.installed) == (2, ["runtime", "runtime"])


def test_key_names_the_python_and_does_not_depend_on_line_ends(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = list(workshop.module.LAYERS.values())
    key = workshop.module.key(files)
    assert key.startswith(f"py{sys.version_info[0]}.{sys.version_info[1]}-")
    files[0].write_bytes(files[0].read_bytes().replace(b"\n", b"\r\n"))
    assert workshop.module.key(files) == key
    monkeypatch.setattr(workshop.module.platform, "machine", lambda: "another")
    assert workshop.module.key(files) != key


def test_layers_are_added_to_the_same_environment_when_needed(workshop: Workshop) -> None:
    make = workshop.module.environment
    python = make(["runtime"])
    assert make(["runtime", "dev"]) == python
    assert (workshop.made, workshop.installed) == (1, ["runtime", "dev"])
    make(["runtime", "dev"])
    make(["runtime"])
    assert workshop.installed == ["runtime", "dev"]


# --- interruptions -----------------------------------------------------------------------


def test_a_half_made_environment_is_made_anew(workshop: Workshop) -> None:
    workshop.fails_at = "runtime"
    with pytest.raises(workshop.module.SetupError):
        workshop.module.environment(["runtime"])
    workshop.fails_at = None
    folder = workshop.module.environment(["runtime"]).parents[1]
    assert workshop.made == 2
    assert workshop.installed == ["runtime"]
    assert (folder / "runtime.complete").is_file()


def test_a_half_installed_layer_is_installed_again_and_the_rest_kept(workshop: Workshop) -> None:
    workshop.module.environment(["runtime"])
    workshop.fails_at = "dev"
    with pytest.raises(workshop.module.SetupError):
        workshop.module.environment(["runtime", "dev"])
    workshop.fails_at = None
    workshop.module.environment(["runtime", "dev"])
    assert (workshop.made, workshop.installed) == (1, ["runtime", "dev"])


def test_an_environment_whose_python_is_gone_is_made_anew(workshop: Workshop) -> None:
    workshop.module.environment(["runtime", "dev"]).unlink()
    workshop.module.environment(["runtime", "dev"])
    assert workshop.made == 2
    assert workshop.installed == ["runtime", "dev"] * 2


def test_a_second_run_waits_for_the_first_and_then_uses_its_work(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The other run holds the lock in its own process, and finishes while this one waits."""
    module = workshop.module
    folder = module.CACHE / module.key(module.LAYERS.values())
    folder.mkdir(parents=True)
    holder = subprocess.Popen(
        [
            sys.executable,
            "-c",
            "import sys, pathlib; sys.path.insert(0, sys.argv[1]); import headless as h\n"
            "h.CACHE = pathlib.Path(sys.argv[2]).parent\n"
            "with h.locked(pathlib.Path(sys.argv[2])): print('held', flush=True); input()",
            str(SCRIPT.parent),
            str(folder),
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert holder.stdout is not None
    assert holder.stdout.readline().strip() == b"held"

    def finish_the_other_run(seconds: float) -> None:
        workshop.remake(folder)
        module.mark(folder, "runtime").touch()
        holder.communicate(b"\n", timeout=30)

    clock = SimpleNamespace(sleep=finish_the_other_run, time=time.time)
    monkeypatch.setattr(module, "time", clock)
    module.environment(["runtime"])
    assert "Waiting for another run" in capsys.readouterr().err
    assert (workshop.made, workshop.installed) == (1, [])


# --- refusals ----------------------------------------------------------------------------


@pytest.mark.parametrize("version", [(3, 6), (3, 9), (3, 13), (4, 0)])
def test_a_python_without_pins_is_refused(headless: ModuleType, version: tuple[int, int]) -> None:
    with pytest.raises(headless.SetupError, match=rf"This is Python {version[0]}\.{version[1]},"):
        headless.refuse_python(version)


@pytest.mark.parametrize("version", [(3, 10), (3, 11), (3, 12)])
def test_a_python_with_pins_is_accepted(headless: ModuleType, version: tuple[int, int]) -> None:
    headless.refuse_python(version)


def test_refusal_is_one_sentence_and_exit_status_2(
    headless: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(headless.sys, "version_info", (3, 9, 1))
    assert headless.main(["demo"]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1
    assert "Python 3.10 to 3.12" in err


def test_an_unknown_command_is_refused_with_the_known_ones(
    workshop: Workshop, capsys: pytest.CaptureFixture[str]
) -> None:
    assert workshop.module.main(["analyse"]) == 2
    err = capsys.readouterr().err
    assert "'analyse'" in err
    assert all(name in err for name in ("demo", "analyze", "test"))
    assert workshop.made == 0


def test_a_python_without_ensurepip_says_what_to_install(
    headless: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    find = importlib.util.find_spec
    monkeypatch.setattr(
        headless.importlib.util,
        "find_spec",
        lambda name: None if name == "ensurepip" else find(name),
    )
    with pytest.raises(headless.SetupError, match=r"apt-get install python3\.\d+-venv"):
        headless.remake(tmp_path / "env")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("NewConnectionError(...): Failed to establish a new connection", "network"),
        ("OSError: [Errno 28] No space left on device", "disk is full"),
        ("ERROR: No matching distribution found for vtk==9.6.2", "no ready-made build"),
        ("something else", "The log is in"),
    ],
)
def test_a_failed_set_up_is_explained(
    headless: ModuleType, tmp_path: Path, text: str, told: str
) -> None:
    message = headless.reason(text, tmp_path / "setup.log")
    assert told in message
    assert "\n" not in message


def test_a_failed_step_keeps_its_output_in_the_log_that_the_message_names(
    headless: ModuleType, tmp_path: Path
) -> None:
    command = [sys.executable, "-c", "import sys; print('the details'); sys.exit(3)"]
    with pytest.raises(headless.SetupError, match=re.escape(str(tmp_path / "setup.log"))):
        headless.call(tmp_path, command)
    assert "the details" in (tmp_path / "setup.log").read_text()


def test_a_cache_that_cannot_be_made_is_explained(
    workshop: Workshop, capsys: pytest.CaptureFixture[str]
) -> None:
    workshop.module.CACHE.write_text("a file where the folder should be")
    assert workshop.module.main(["demo"]) == 2
    assert "cannot be made" in capsys.readouterr().err


# --- running -----------------------------------------------------------------------------


@pytest.fixture
def ran(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> Callable[[list[str]], list[tuple[list[str], str | None]]]:
    """Runs ``main`` and returns the commands that it would start, with their folders."""

    def start(arguments: list[str]) -> list[tuple[list[str], str | None]]:
        started: list[tuple[list[str], str | None]] = []
        monkeypatch.setattr(
            workshop.module, "execute", lambda c, folder: started.append((c[1:], folder)) or 0
        )
        assert workshop.module.main(arguments) == 0
        return started

    return start


def test_commands_of_the_command_line_get_all_arguments_and_keep_the_users_folder(ran) -> None:
    arguments = ["analyze", "--gm", "3", "--help", "a b"]
    assert ran(arguments) == [(["-m", "ALSMotorCortexLib", *arguments], None)]


def test_every_command_of_the_command_line_is_passed_on_with_its_help(headless: ModuleType) -> None:
    from ALSMotorCortexLib.cli import COMMANDS

    assert headless.cli_commands() == {name: c.HELP for name, c in COMMANDS.items()}
    for name in COMMANDS:
        assert name not in headless.OTHER
        assert headless.layers_of(name) == ["runtime"]
        assert headless.steps_of(name, ["--x"]) == [["-m", "ALSMotorCortexLib", name, "--x"]]
        assert re.search(rf"^ +{name} ", headless.usage(), re.MULTILINE)


def test_a_clone_without_the_library_is_told(
    headless: ModuleType,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(headless, "LIBRARY", tmp_path)
    assert headless.main(["demo"]) == 2
    assert "Clone the whole repository" in capsys.readouterr().err


def test_only_the_runtime_is_installed_for_a_demo(ran, workshop: Workshop) -> None:
    ran(["demo"])
    assert workshop.installed == ["runtime"]
    ran(["test"])
    assert workshop.installed == ["runtime", "dev"]


def test_tests_run_in_parallel_unless_told_otherwise(ran, headless: ModuleType) -> None:
    [(command, folder)] = ran(["test", "-k", "grid"])
    assert command[:3] == ["-m", "pytest", "-n"]
    assert command[-2:] == ["-k", "grid"]
    assert folder == str(headless.ROOT)
    [(command, _)] = ran(["test", "-n0"])
    assert command == ["-m", "pytest", "-n0"]


def test_lint_repairs_only_when_asked(ran) -> None:
    assert not any("--fix" in command for command, _ in ran(["lint"]))
    assert any("--check" in command for command, _ in ran(["lint"]))
    fixing = [command for command, _ in ran(["lint", "--fix"])]
    assert any("--fix" in command for command in fixing)
    assert not any("--check" in command for command in fixing)


def test_all_steps_run_and_the_first_failure_is_handed_on(
    headless: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    statuses = iter([0, 3, 1])
    monkeypatch.setattr(headless, "execute", lambda *_: next(statuses))
    assert headless.run(Path("python"), "lint", []) == 3
    assert list(statuses) == []


def test_ctrl_c_ends_the_steps_with_the_status_of_bad_input(headless: ModuleType) -> None:
    if os.name == "nt":
        pytest.skip("Windows has no such signals between processes")
    headless.steps_of = lambda *_: [
        ["-c", "import os, signal; signal.signal(2, signal.SIG_DFL); os.kill(os.getpid(), 2)"],
        ["-c", "raise SystemExit(5)"],
    ]
    assert headless.run(Path(sys.executable), "lint", []) == 2


@pytest.mark.parametrize(
    ("code", "status"),
    [("pass", 0), ("raise SystemExit(2)", 2), ("import os; os.abort()", 134)],
)
def test_exit_status_is_handed_on(headless: ModuleType, code: str, status: int) -> None:
    if os.name == "nt" and status > 128:
        pytest.skip("Windows has no signals to end a process")
    assert headless.execute([sys.executable, "-c", code], None) == status


def test_the_library_is_importable_and_the_users_own_packages_are_kept_out(
    headless: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "numpy.py").write_text("raise SystemExit(9)")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    code = "import numpy, ALSMotorCortexLib as a; assert a.__version__"
    assert headless.execute([sys.executable, "-c", code], str(tmp_path.parent)) == 0


# --- requirement files -------------------------------------------------------------------


@pytest.mark.parametrize("layer", ["runtime", "dev", "bench"])
def test_every_requirement_is_pinned_once_per_python(headless: ModuleType, layer: str) -> None:
    from packaging.requirements import Requirement

    lines = headless.LAYERS[layer].read_text().splitlines()
    wanted = [Requirement(line) for line in lines if line and not line.startswith("#")]
    assert all(str(r.specifier).startswith("==") for r in wanted)
    for minor in range(headless.OLDEST[1], headless.NEWEST[1] + 1):
        python = {"python_version": f"3.{minor}", "python_full_version": f"3.{minor}.1"}
        names = [r.name for r in wanted if r.marker is None or r.marker.evaluate(python)]
        assert len(names) == len(set(names))


def test_pins_satisfy_what_the_package_declares(headless: ModuleType) -> None:
    """pyproject.toml's ranges allow the pinned versions of this Python."""
    from packaging.requirements import Requirement

    text = (headless.ROOT / "pyproject.toml").read_text()
    block = re.search(r"^dependencies = \[(.*?)^\]", text, re.S | re.M)
    assert block
    declared = re.findall(r'"([A-Za-z][\w.-]*(?:[<>=!~]=?[\w.]+)?)(?:"|;)', block[1])
    pinned = {}
    for line in headless.LAYERS["runtime"].read_text().splitlines():
        if line and not line.startswith("#"):
            r = Requirement(line)
            if r.marker is None or r.marker.evaluate():
                pinned[r.name] = str(r.specifier).removeprefix("==")
    names = {Requirement(d).name.lower() for d in declared}
    assert {"numpy", "scipy", "simpleitk", "pydicom", "slicer-core"} <= names
    for requirement in map(Requirement, declared):
        version = pinned.get(requirement.name.lower())
        if version is None:
            assert requirement.name == "slicer-core", f"{requirement.name} is not pinned"
        else:
            assert requirement.specifier.contains(version)


def test_the_script_needs_the_standard_library_only() -> None:
    text = SCRIPT.read_text()
    names = set(re.findall(r"^\s*(?:import|from) (\w+)", text, re.M))
    assert names <= sys.stdlib_module_names


def test_environment_in_use_has_what_its_packages_need(headless: ModuleType) -> None:
    """Nothing that a pinned package requires was left out of the requirement files."""
    from packaging.requirements import Requirement

    lines = [line for file in headless.LAYERS.values() for line in file.read_text().splitlines()]
    listed = [Requirement(line) for line in lines if line and not line.startswith("#")]
    names = {r.name.lower() for r in listed if r.marker is None or r.marker.evaluate()}
    lost = []
    for name in names:
        try:
            requires = metadata.requires(name) or []
        except metadata.PackageNotFoundError:
            continue  # the bench layer is not installed for tests
        for need in map(Requirement, requires):
            if need.marker is None or need.marker.evaluate({"extra": ""}):
                needed = need.name.lower().replace("_", "-")
                if needed not in names:
                    lost.append(f"{name} needs {needed}")
    assert not lost
