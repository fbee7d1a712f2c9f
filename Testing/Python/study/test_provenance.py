"""The record of how results were made."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest

from ALSMotorCortexLib.cortex.grid import Grid, Image
from ALSMotorCortexLib.cortex.result import Finding
from ALSMotorCortexLib.cortex.settings import Settings
from ALSMotorCortexLib.study import provenance
from ALSMotorCortexLib.study.images import read_image
from ALSMotorCortexLib.study.nifti import write_nifti

SETTINGS = Settings(gm=(3,), wm=(2,), csf=(1,))


def record(folder: Path, **outputs: bytes) -> None:
    """Outputs of a run, with the record of their checksums."""
    for name, content in outputs.items():
        (folder / name).write_bytes(content)
    content = provenance.build(["program"], SETTINGS, [], [])
    content["outputs"] = {name: provenance.describe_output(folder / name) for name in outputs}
    provenance.write(content, folder / provenance.FILE)


def test_inputs_are_described(tmp_path):
    path = tmp_path / "image.nii.gz"
    grid = Grid.from_spacing((2, 3, 4), (1, 1, 1))
    write_nifti(Image(np.zeros(grid.shape, np.uint8), grid), path)
    described = provenance.describe_input("labels", read_image(path))
    assert described == {
        "role": "labels",
        "path": str(path),
        "bytes": path.stat().st_size,
        "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
    }


def test_the_record_is_read_back(tmp_path):
    finding = Finding("gap", "A gap.", True, (np.float32(1.5), 2.0, 3.0))
    content = provenance.build(["program", "--gm", "3"], SETTINGS, [], [finding])
    provenance.write(content, tmp_path / "provenance.json")
    back = json.loads((tmp_path / "provenance.json").read_text(encoding="utf-8"))
    assert back["command"] == ["program", "--gm", "3"]
    assert back["settings"] == json.loads(SETTINGS.to_json())
    assert back["findings"][0]["ras"] == [1.5, 2.0, 3.0]
    assert back["versions"]["numpy"] == np.__version__


def test_the_record_depends_on_its_arguments_only():
    first, second = (provenance.build(["a"], SETTINGS, [], []) for _ in range(2))
    assert json.dumps(first) == json.dumps(second)


def test_earlier_outputs_are_those_nobody_changed(tmp_path):
    record(tmp_path, kept=b"1", changed=b"2", deleted=b"3")
    (tmp_path / "changed").write_bytes(b"by hand")
    (tmp_path / "deleted").unlink()
    (tmp_path / "foreign").write_bytes(b"4")
    assert provenance.earlier_outputs(tmp_path) == ("kept",)


@pytest.mark.parametrize(
    "text",
    ["", "[]", "{}", '{"software": "other", "outputs": {}}',
     '{"software": "ALSMotorCortex"}', '{"software": "ALSMotorCortex", "outputs": [1]}',
     '{"software": "ALSMotorCortex", "outputs": {"../x": {"sha256": ""}}}'],
)  # fmt: skip
def test_a_foreign_record_names_no_outputs(tmp_path, text):
    (tmp_path / provenance.FILE).write_text(text)
    assert provenance.earlier_outputs(tmp_path) == ()


def test_a_folder_without_a_record(tmp_path):
    assert provenance.earlier_outputs(tmp_path) == ()
    assert provenance.earlier_outputs(tmp_path / "none") == ()


def test_peak_memory_grows_with_what_is_held():
    pytest.importorskip("resource", reason="this system does not tell")
    before = provenance.peak_memory_mib()
    block = np.ones(400 << 17)  # 400 MiB
    after = provenance.peak_memory_mib()
    assert block.nbytes == 400 << 20
    assert after is not None and before is not None
    assert after >= max(before, 400)
