"""Maps from echoes in the window: real nodes, the real fit, and sentences for bad input."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

slicer = pytest.importorskip("slicer")

from ALSMotorCortexLib.cortex.errors import Cancelled, InputError  # noqa: E402
from ALSMotorCortexLib.cortex.grid import Grid, Image  # noqa: E402
from ALSMotorCortexLib.maps import MapOptions, make_maps  # noqa: E402
from ALSMotorCortexLib.scene.echo_maps import FIT  # noqa: E402
from ALSMotorCortexLib.scene.echoes import Frame  # noqa: E402
from ALSMotorCortexLib.scene.inputs import Inputs, collect  # noqa: E402
from ALSMotorCortexLib.scene.segmentations import Segment, add_segmentation  # noqa: E402
from ALSMotorCortexLib.scene.volumes import add_volume, read_volume  # noqa: E402
from ALSMotorCortexLib.study.images import read_image  # noqa: E402
from ALSMotorCortexLib.study.nifti import write_nifti  # noqa: E402
from ALSMotorCortexLib.window_echoes import (  # noqa: E402
    MapsRun,
    frames_of,
    in_window_words,
    publish,
    start,
)

TIMES = (4.0, 12.0, 20.0)
SHAPE = (4, 24, 30)
GRID = Grid.from_spacing(SHAPE, (1.5, 0.4, 0.3))
T2STAR, SIGMA = 28.0, 3.0


def magnitude(time: float) -> Image:
    """A block of tissue in noisy air."""
    rng = np.random.default_rng(int(time))
    signal = np.zeros(SHAPE)
    signal[:, 6:-6, 6:-6] = 300 * np.exp(-time / T2STAR)
    parts = rng.normal(0, SIGMA, (2, *SHAPE))
    return Image(np.hypot(signal + parts[0], parts[1]).astype(np.float32), GRID, f"GRE TE{time:g}")


def volumes(scene) -> list:
    return [add_volume(scene, magnitude(time)) for time in TIMES]


def begun(frames: list[Frame], options: MapOptions) -> MapsRun:
    run = MapsRun(frames, options)
    run.start()
    return run


def finished(run: MapsRun) -> MapsRun:
    while not run.done:
        run.poll()
    return run


@pytest.fixture
def scene():
    return slicer.vtkMRMLScene()


def test_volumes_become_maps_with_units_in_a_folder(scene) -> None:
    nodes = volumes(scene)
    made, findings = finished(begun(frames_of(nodes), MapOptions())).publish(scene)
    assert set(made) == {"combined_snr", "T2star", "R2star", "S0", "fit_residual"}
    t2star = slicer.util.arrayFromVolume(made["T2star"])
    assert np.median(t2star[:, 6:-6, 6:-6]) == pytest.approx(T2STAR, rel=0.02)
    assert np.isnan(t2star[:, :4]).mean() > 0.95
    assert read_volume(made["T2star"])[0].grid.same_as(GRID)
    assert made["T2star"].GetVoxelValueUnits().GetCodeValue() == "ms"
    assert made["R2star"].GetVoxelValueUnits().GetCodeValue() == "/s"
    window = made["T2star"].GetDisplayNode()
    assert window.GetWindowLevelMin() < T2STAR < window.GetWindowLevelMax()
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(scene)
    folders = {hierarchy.GetItemParent(hierarchy.GetItemByDataNode(n)) for n in made.values()}
    assert [hierarchy.GetItemName(folder) for folder in folders] == ["Maps of GRE TE4"]
    assert "3 echoes at 4, 12, 20 ms." in [f.message for f in findings]


def test_the_command_line_makes_the_same_maps(scene, tmp_path: Path) -> None:
    paths = [tmp_path / f"e{n}.nii.gz" for n in range(3)]
    for path, time in zip(paths, TIMES, strict=True):
        write_nifti(magnitude(time), path)
    make_maps(paths, tmp_path / "maps", MapOptions(times=TIMES))
    made, _ = finished(begun(frames_of(volumes(scene)), MapOptions())).publish(scene)
    trust = read_image(tmp_path / "maps" / "trust.nii.gz").image.array > 0
    for name in ("T2star", "R2star"):
        expected = read_image(tmp_path / "maps" / f"{name}.nii.gz").image.array
        found = slicer.util.arrayFromVolume(made[name])
        assert np.array_equal(found, np.where(trust, expected, np.nan), equal_nan=True)


def test_making_maps_again_fills_the_same_nodes(scene) -> None:
    nodes = volumes(scene)
    first, _ = finished(begun(frames_of(nodes), MapOptions())).publish(scene)
    first["T2star"].SetName("mine")
    before = slicer.util.arrayFromVolume(first["T2star"]).copy()
    again, _ = finished(begun(frames_of(nodes), MapOptions(fit="loglinear"))).publish(scene)
    assert {n: v.GetID() for n, v in again.items()} == {n: v.GetID() for n, v in first.items()}
    assert again["T2star"].GetName() == "mine"
    after = slicer.util.arrayFromVolume(again["T2star"])
    assert not np.array_equal(after, before, equal_nan=True)
    other, _ = finished(begun(frames_of(nodes[:2]), MapOptions())).publish(scene)
    assert not {v.GetID() for v in other.values()} & {v.GetID() for v in first.values()}


def test_the_scene_may_change_while_maps_are_made(scene) -> None:
    nodes = volumes(scene)
    run = begun(frames_of(nodes), MapOptions())
    for node in nodes:
        slicer.util.arrayFromVolume(node)[:] = 0
        scene.RemoveNode(node)
    made, _ = finished(run).publish(scene)
    values = slicer.util.arrayFromVolume(made["T2star"])
    assert np.nanmedian(values) == pytest.approx(T2STAR, rel=0.02)


def test_a_map_can_be_measured_with_its_unit(scene) -> None:
    made, _ = finished(begun(frames_of(volumes(scene)), MapOptions())).publish(scene)
    labels = np.zeros(SHAPE, np.uint8)
    names = ("csf", "gray", "white")
    for label, row in enumerate((4, 8, 12), 1):
        labels[:, row : row + 4] = label
    segments = [Segment((n,), name, (0.5, 0.5, 0.5)) for n, name in enumerate(names, 1)]
    segmentation = add_segmentation(scene, Image(labels, GRID), segments)
    ids = {name: f"Segment_{n}" for n, name in enumerate(names, 1)}
    chosen = {name: [segment] for name, segment in ids.items()}
    found = collect(Inputs([made["T2star"], made["R2star"]], segmentation, **chosen))
    assert found.units == {"T2star": "ms", "R2star": "1/s"}


def test_cancelling_leaves_the_scene_as_it_was(scene) -> None:
    nodes = volumes(scene)
    count = scene.GetNumberOfNodes()
    run = MapsRun(frames_of(nodes), MapOptions())
    run.cancel()
    run.start()
    with pytest.raises(Cancelled, match="maps were cancelled"):
        finished(run).publish(scene)
    assert scene.GetNumberOfNodes() == count


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda a: a * 0, r"Echo 2 \(GRE TE12\) is zero everywhere"),
        (lambda a: a - 200, r"looks like a phase image.* Choose magnitude images"),
        (lambda a: a[:3], r"the option Move echoes onto the first brings them back"),
    ],
)
def test_bad_echoes_are_sentences_for_the_window(scene, change, words: str) -> None:
    images = [magnitude(time) for time in TIMES]
    array = change(images[1].array)
    images[1] = Image(array, Grid.from_spacing(array.shape, (1.5, 0.4, 0.3)), images[1].name)
    nodes = [add_volume(scene, image) for image in images]
    with pytest.raises(InputError, match=words) as caught:
        finished(begun(frames_of(nodes), MapOptions())).result()
    assert "--" not in str(caught.value)


def test_no_message_of_the_fit_names_an_option_of_the_command_line() -> None:
    """Of all sentences that mention an option and that echoes in memory can bring about."""
    for text in (
        "The echo times 4, 8 are too long for ms. Give them in ms, for example --te 4 8 12.",
        "No voxel can be fitted: none stands above the noise, or the mask is empty. "
        "Check --noise and --mask.",
        "Noise level 2, from the finest structure; if you know it, give it with --noise.",
        "noise in the tissue. Give it with --noise, in the unit of the images.",
        "N4. Leave out --bias.",
    ):
        assert "--" not in in_window_words(text)


def parameters(**more):
    """The fields of the module's parameter node that echoes use."""
    options = {"echoNoise": 0.0, "echoRegister": False, "echoBias": False, "echoDephasing": False}
    return SimpleNamespace(**{"image": None, "maps": [], "echoes": [], **options, **more})


def test_what_is_chosen_in_the_window_is_what_is_done(scene) -> None:
    nodes = [*volumes(scene), add_volume(scene, magnitude(28.0))]
    p = parameters(echoes=nodes[::-1], echoNoise=SIGMA, echoDephasing=True)
    text = publish(scene, p, finished(start(p)))
    assert p.image.GetName() == "combined_snr"
    assert [node.GetName() for node in p.maps] == ["T2star", "R2star"]
    record = json.loads(p.image.GetAttribute(FIT))
    assert record["maps"]["echo_times_ms"] == [*TIMES, 28]
    assert record["maps"]["noise_source"] == "given"
    assert record["maps"]["dephasing_correction"] == "magnitude"
    assert "The fit is trusted in" in text and "Noise level" not in text


def test_dephasing_that_cannot_be_told_from_three_echoes_is_a_sentence(scene) -> None:
    p = parameters(echoes=volumes(scene), echoDephasing=True)
    with pytest.raises(InputError, match="Leave out the correction of dephasing"):
        publish(scene, p, finished(start(p)))


def test_maps_replace_echoes_among_the_inputs_and_nothing_else(scene) -> None:
    nodes = volumes(scene)
    anatomy, other = (add_volume(scene, magnitude(4.0), name) for name in ("T1", "MTR"))
    p = parameters(image=anatomy, maps=[nodes[1], other], echoes=nodes)
    publish(scene, p, finished(start(p)))
    assert p.image is anatomy
    assert [node.GetName() for node in p.maps] == ["MTR", "T2star", "R2star"]
    publish(scene, p, finished(start(p)))
    assert [node.GetName() for node in p.maps] == ["MTR", "T2star", "R2star"]
