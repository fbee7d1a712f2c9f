"""The sample case in a scene: what a user gets, against the synthetic truth."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

slicer = pytest.importorskip("slicer")

from ALSMotorCortexLib import sample_data  # noqa: E402
from ALSMotorCortexLib.cortex.motor_cortex import OTHER_BANK  # noqa: E402
from ALSMotorCortexLib.cortex.shapes import CSF, GM, WM  # noqa: E402
from ALSMotorCortexLib.scene.inputs import collect, missing, suggest  # noqa: E402
from ALSMotorCortexLib.scene.results import new_scene  # noqa: E402

SHAPE = (6, 110, 110)
MIDDLE = 3


@pytest.fixture(scope="module")
def case() -> Any:
    return sample_data.sample_case(shape=SHAPE)


@pytest.fixture
def scene() -> Any:
    return new_scene()


def test_case_is_made_once(case: Any) -> None:
    assert sample_data.sample_case(shape=SHAPE) is case


def test_everything_is_told_from_names_and_can_be_measured(scene: Any, case: Any) -> None:
    nodes = sample_data.add_sample(scene, case)
    inputs = suggest(scene)
    assert missing(inputs) == ""
    assert inputs.volumes == [nodes["T2star"], nodes["R2star"]]
    assert inputs.segmentation is nodes["segmentation"]
    assert inputs.dividers is nodes["dividers"]
    collected = collect(inputs)
    tissue = {"gm": GM, "wm": WM, "csf": CSF, "other_bank": OTHER_BANK}
    for name, label in tissue.items():
        (value,) = getattr(collected.settings, name)
        assert ((collected.labels.array == value) == (case.labels.array == label)).all()
    assert collected.units == {"Patient T2star": "ms", "Patient R2star": "1/s"}


def test_dividers_part_the_true_regions(scene: Any, case: Any) -> None:
    sample_data.add_sample(scene, case)
    regions = collect(suggest(scene)).regions
    for part in ("foot", "hand", "face"):
        (name,) = (n for n in regions if part in n)
        found, true = regions[name].array > 0, case.regions[f"m1_{part}"].array > 0
        assert (found & true).sum() / (found | true).sum() > 0.9, part


@pytest.mark.parametrize(("depth", "labels"), [(-0.2, {CSF, OTHER_BANK}), (0.5, {GM}), (1.3, {WM})])
def test_places_on_m1_lie_in_their_tissue(case: Any, depth: float, labels: set[int]) -> None:
    ras = sample_data.on_m1(case, np.linspace(-8, 8, 9), depth, MIDDLE)
    kji = case.labels.grid.kji(ras)
    np.testing.assert_allclose(kji[:, 0], MIDDLE, atol=1e-6)
    assert {int(case.labels.array[tuple(i)]) for i in np.rint(kji).astype(int)} <= labels


def test_control_is_thicker_than_patient() -> None:
    control = sample_data.sample_case("control", SHAPE)
    patient = sample_data.sample_case("patient", SHAPE)
    assert control.anatomy.thickness > patient.anatomy.thickness
