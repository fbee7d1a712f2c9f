"""What all tests share."""

from __future__ import annotations

import os

# Several processes test at once: the threads of BLAS would wait for a core by spinning on it. Set
# before numpy is loaded. Our own threads (cortex/workers.py) stay as they are for a user.
for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(_name, "1")
# A hundred commands are started: they are to find compiled code, as they do at a user's.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

from collections.abc import Iterator  # noqa: E402
from pathlib import Path  # noqa: E402

import pytest  # noqa: E402
from hypothesis import HealthCheck, settings  # noqa: E402

from ALSMotorCortexLib.cortex.grid import Image  # noqa: E402
from cli_case import Case, slab  # noqa: E402

ROOT = Path(__file__).resolve().parents[2]

# A slow or busy machine must not fail a test, and a failure must come back on the next run.
settings.register_profile(
    "project",
    deadline=None,
    derandomize=True,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("project")


@pytest.fixture(autouse=True)
def the_working_folder_stays() -> Iterator[None]:
    """No test, and nothing it calls, leaves the process in another folder."""
    before = os.getcwd()
    yield
    after = os.getcwd()
    os.chdir(before)
    assert after == before


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real data beside the clone; the test is skipped where it is absent."""
    folder = ROOT.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip(f"real data is not on this machine ({folder})")
    return folder


@pytest.fixture(scope="session")
def cli_slab() -> Image:
    """What the command line is tried on."""
    return slab()


@pytest.fixture
def case(tmp_path: Path, cli_slab: Image) -> Case:
    """Inputs for the command line, in a folder of their own."""
    return Case(tmp_path, cli_slab)
