"""The module file on the host: what Slicer is told of it, and its own self-test class."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

import pytest

slicer = pytest.importorskip("slicer")

from host.application import load, running  # noqa: E402
from selftest import failures_of, names_of  # noqa: E402

MODULE = Path(__file__).resolve().parents[2] / "ALSMotorCortex"
FILE = MODULE / "ALSMotorCortex.py"


@pytest.fixture(scope="module")
def module() -> ModuleType:
    with running():
        yield load(FILE)


def test_the_module_describes_itself(module: ModuleType) -> None:
    parent = slicer.modules.ALSMotorCortexInstance.parent
    assert parent.title == "ALS Motor Cortex" and parent.categories == ["Quantification"]
    assert "README" in parent.helpText and parent.acknowledgementText and parent.contributors


def test_the_modules_icon_is_where_slicer_looks(module: ModuleType) -> None:
    found = [slicer.modules.ALSMotorCortexInstance.resourcePath(f"Icons/ALSMotorCortex.{end}")
             for end in ("svg", "png")]  # fmt: skip
    assert any(Path(file).is_file() for file in found)


def test_sample_cases_are_registered_once_slicer_has_started(
    module: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = module.sample_data.sample_case
    small = {"shape": module.TEST_SHAPE}  # as in the self-tests, which have made it
    monkeypatch.setattr(module.sample_data, "sample_case", lambda group: made(group, **small))
    sources = [s for group in slicer.modules.sampleDataSources.values() for s in group]
    assert sources and len({s.sampleName for s in sources}) == len(sources)
    assert all(s.uris == [""] for s in sources), "nothing is downloaded"
    assert [s.thumbnailFileName for s in sources if not Path(s.thumbnailFileName).is_file()] == []
    for source in sources:
        slicer.mrmlScene.Clear(0)
        source.customDownloader(source)  # as the button in Sample Data does
        assert slicer.util.getNodesByClass("vtkMRMLScalarVolumeNode"), source.sampleName
        assert slicer.util.getNodesByClass("vtkMRMLSegmentationNode"), source.sampleName


def test_the_parameter_node_is_kept_with_the_scene(module: ModuleType, tmp_path: Path) -> None:
    slicer.mrmlScene.Clear(0)
    logic = module.ALSMotorCortexLogic()
    parameters = logic.getParameterNode()
    fields = {n: parameters.getValue(n) for n in parameters.allParameters}
    for name, value in fields.items():
        if type(value) is bool:
            parameters.setValue(name, not value)
        elif type(value) is int:
            parameters.setValue(name, value + 1)
    changed = {n: parameters.getValue(n) for n in fields if type(fields[n]) in (bool, int)}
    assert len(changed) > 2 and all(changed[n] != fields[n] for n in changed)
    file = str(tmp_path / "scene.mrb")
    assert slicer.util.saveScene(file)
    slicer.mrmlScene.Clear(0)
    assert {n: logic.getParameterNode().getValue(n) for n in changed} != changed
    slicer.util.loadScene(file)
    assert {n: logic.getParameterNode().getValue(n) for n in changed} == changed


@pytest.mark.parametrize("name", names_of(FILE))
def test_self_test(name: str, module: ModuleType) -> None:
    """The same methods run in Slicer, by Testing/slicer_selftest.py."""
    assert failures_of(module, name) == []


def test_there_is_a_self_test() -> None:
    assert names_of(FILE)
