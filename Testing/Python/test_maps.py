"""From echo files to map files."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from ALSMotorCortexLib.cortex.errors import Cancelled, InputError
from ALSMotorCortexLib.cortex.grid import Grid, Image
from ALSMotorCortexLib.maps import UNITS, MapOptions, compute_maps, make_maps
from ALSMotorCortexLib.study.images import read_image
from ALSMotorCortexLib.study.nifti import write_nifti

TIMES = (5.0, 10.0, 15.0, 20.0, 25.0, 30.0)
SHAPE = (6, 48, 48)
GRID = Grid.from_spacing(SHAPE, (1.5, 0.4, 0.4))
SIGMA = 4.0
FILES = {
    "combined_rss", "combined_mean", "combined_snr", "T2star", "R2star", "S0", "fit_residual",
    "trust", "echoes_used",
}  # fmt: skip


def truth() -> tuple[NDArray, NDArray]:
    """T2* and S0 of a disc of two tissues with air around it."""
    _, j, i = np.mgrid[: SHAPE[0], : SHAPE[1], : SHAPE[2]]
    disc = np.hypot(j - 24, i - 24) < 19
    return np.where(i < 24, 25.0, 40.0), np.where(disc, 50 * SIGMA, 0.0)


def write_echoes(
    folder: Path, hertz: float = 0.0, shading: NDArray | float = 1.0
) -> tuple[list[Path], list[Path]]:
    """Magnitude and phase files, with sidecars, of a field that steps between slices."""
    rng = np.random.default_rng(0)
    t2star, s0 = truth()
    paths: tuple[list[Path], list[Path]] = ([], [])
    k = np.arange(SHAPE[0])[:, None, None]
    for n, time in enumerate(TIMES, 1):
        turns = hertz * time / 1000
        signal = shading * s0 * np.exp(-time / t2star) * np.sinc(turns)
        signal = signal * np.exp(2j * np.pi * turns * k)
        noisy = signal + SIGMA * (rng.standard_normal(SHAPE) + 1j * rng.standard_normal(SHAPE))
        for part, array, made in (("mag", np.abs(noisy), 0), ("phase", np.angle(noisy), 1)):
            path = folder / f"sub-1_echo-{n}_part-{part}_MEGRE.nii.gz"
            folder.mkdir(parents=True, exist_ok=True)
            write_nifti(Image(array.astype(np.float32), GRID), path)
            path.with_name(path.name.replace(".nii.gz", ".json")).write_text(
                json.dumps({"EchoTime": time / 1000})
            )
            paths[made].append(path)
    return paths


@pytest.fixture
def echoes(tmp_path: Path) -> list[Path]:
    return write_echoes(tmp_path / "in")[0]


def tissues() -> dict[float, NDArray[np.bool_]]:
    t2star, s0 = truth()
    return {value: (t2star == value) & (s0 > 0) for value in (25.0, 40.0)}


def test_maps_are_written_and_true(echoes: list[Path], tmp_path: Path) -> None:
    seen: list[tuple[str, float]] = []
    out = tmp_path / "maps"
    made = make_maps(echoes, out, MapOptions(), lambda s, f: seen.append((s, f)), command=["x"])
    assert {p.name for p in out.iterdir()} == {f"{f}.nii.gz" for f in FILES} | {"provenance.json"}
    images = {name: read_image(out / f"{name}.nii.gz").image for name in FILES}
    for name, image in images.items():
        assert image.grid.same_as(GRID)
        assert np.array_equal(image.array, made.images[name].array, equal_nan=True)
    for value, where in tissues().items():
        assert images["T2star"].array[where].mean() == pytest.approx(value, rel=0.01)
        assert images["R2star"].array[where].mean() == pytest.approx(1000 / value, rel=0.01)
        assert images["S0"].array[where].mean() == pytest.approx(50 * SIGMA, rel=0.01)
        assert images["trust"].array[where].mean() > 0.99
        expected = sum(np.exp(-2 * t / value) for t in TIMES) ** 0.5 * 50 * SIGMA
        assert images["combined_rss"].array[where].mean() == pytest.approx(expected, rel=0.01)
    air = ~sum(tissues().values()).astype(bool)
    assert np.isnan(images["T2star"].array[air]).mean() > 0.99
    assert not images["trust"].array[air].any()
    fractions = [f for _, f in seen]
    assert fractions == sorted(fractions) and fractions[-1] == 1
    assert UNITS["T2star"] == "ms"


def test_provenance_states_what_was_done(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    write_echoes(folder)
    options = MapOptions(bias=True, dephasing="phase", slice_thickness=1.5)
    make_maps([folder], tmp_path / "maps", options, command=["als-motor-cortex", "maps"])
    record = json.loads((tmp_path / "maps" / "provenance.json").read_text())
    assert record["settings"]["bias"] is True and record["settings"]["fit"] == "rician"
    assert record["maps"]["bias_correction"] == "N4"
    assert record["maps"]["dephasing_correction"] == "phase"
    assert record["maps"]["slice_thickness_mm"] == 1.5
    assert record["maps"]["echo_times_ms"] == list(TIMES)
    assert record["maps"]["noise_source"] == "background"
    assert record["maps"]["noise_sigma"] == pytest.approx(SIGMA, rel=0.03)
    assert len(record["inputs"]) == 12
    assert set(record["outputs"]) == {f"{f}.nii.gz" for f in FILES}
    plain = compute_maps([folder], MapOptions())
    assert plain.details["bias_correction"] == "none"
    assert plain.details["dephasing_correction"] == "none"


@pytest.mark.parametrize("source", ["phase", "magnitude"])
def test_dephasing_is_corrected_when_asked_for(tmp_path: Path, source: str) -> None:
    write_echoes(tmp_path, hertz=15.0)
    where = tissues()[40.0]
    plain = compute_maps([tmp_path], MapOptions())
    assert plain.images["T2star"].array[where].mean() < 32
    made = compute_maps([tmp_path], MapOptions(dephasing=source))
    within = 0.015 if source == "phase" else 0.05
    assert made.images["T2star"].array[where].mean() == pytest.approx(40, rel=within)


def test_bias_field_is_taken_out_of_the_combined_images_only(tmp_path: Path) -> None:
    _, j, i = np.mgrid[: SHAPE[0], : SHAPE[1], : SHAPE[2]]
    write_echoes(tmp_path, shading=1 + 0.4 * np.sin((i + j - 48) / 25))
    plain = compute_maps([tmp_path], MapOptions())
    made = compute_maps([tmp_path], MapOptions(bias=True))
    for where in tissues().values():
        for name in ("combined_snr", "S0"):
            spread = [m.images[name].array[where] for m in (plain, made)]
            relative = [s.std() / s.mean() for s in spread]
            assert relative[1] < 0.6 * relative[0]
    for name in ("T2star", "R2star", "trust", "echoes_used"):
        same = np.array_equal(made.images[name].array, plain.images[name].array, equal_nan=True)
        assert same, name


def test_the_loglinear_fit_and_a_given_noise_level(echoes: list[Path]) -> None:
    made = compute_maps(echoes, MapOptions(fit="loglinear", noise=SIGMA))
    assert made.details["noise_source"] == "given"
    assert made.details["fit"] == "loglinear"
    where = tissues()[25.0]
    assert made.images["T2star"].array[where].mean() == pytest.approx(25, rel=0.03)


def test_a_mask_limits_the_fit(echoes: list[Path], tmp_path: Path) -> None:
    mask = np.zeros(SHAPE, np.uint8)
    mask[2:4, 20:30, 20:30] = 1
    write_nifti(Image(mask, GRID), tmp_path / "mask.nii.gz")
    made = compute_maps(echoes, MapOptions(mask=tmp_path / "mask.nii.gz"))
    assert np.array_equal(np.isfinite(made.images["T2star"].array), mask > 0)
    assert made.details["voxels_fitted"] == mask.sum()
    write_nifti(Image(mask[:3], Grid.from_spacing((3, 48, 48), (1.5, 0.4, 0.4))),
                tmp_path / "other.nii.gz")  # fmt: skip
    with pytest.raises(InputError, match=r"other\.nii\.gz lies on another grid"):
        compute_maps(echoes, MapOptions(mask=tmp_path / "other.nii.gz"))
    write_nifti(Image(0 * mask, GRID), tmp_path / "none.nii.gz")
    with pytest.raises(InputError, match="No voxel can be fitted"):
        compute_maps(echoes, MapOptions(mask=tmp_path / "none.nii.gz"))


def test_echoes_left_out_are_counted(echoes: list[Path], tmp_path: Path) -> None:
    tissue = sum(tissues().values()).astype(np.uint8)
    write_nifti(Image(tissue, GRID), tmp_path / "mask.nii.gz")
    # A high noise level puts the floor in the middle of the decay.
    made = compute_maps(echoes, MapOptions(noise=15 * SIGMA, mask=tmp_path / "mask.nii.gz"))
    used = made.images["echoes_used"].array
    assert 2 <= np.median(used[tissues()[25.0]]) < np.median(used[tissues()[40.0]]) < 6
    assert made.details["voxels_without_echo"] == [
        int((used[tissue > 0] < n).sum()) for n in range(1, 7)
    ]
    (said,) = [f.message for f in made.findings if f.code == "echoes_left_out"]
    assert f"echo 6 in {made.details['voxels_without_echo'][-1]}" in said


def test_maps_to_measure_have_no_untrusted_value(echoes: list[Path]) -> None:
    made = compute_maps(echoes, MapOptions())
    maps = made.to_measure()
    trust = made.images["trust"].array > 0
    assert set(maps) == {"combined_rss", "combined_mean", "combined_snr", "T2star", "R2star", "S0"}
    assert np.array_equal(np.isfinite(maps["T2star"].array), trust)
    assert np.isfinite(maps["combined_rss"].array).all()


def test_two_echoes_are_enough(echoes: list[Path]) -> None:
    made = compute_maps([echoes[0], echoes[4]], MapOptions())
    for value, where in tissues().items():
        assert made.images["T2star"].array[where].mean() == pytest.approx(value, rel=0.02)


def test_echoes_in_another_format_on_an_oblique_grid(tmp_path: Path) -> None:
    """NRRD has no NIfTI header to copy; the maps must lie where the echoes lie all the same."""
    rng = np.random.default_rng(0)
    cosines = Rotation.from_euler("xyz", [20, -10, 30], degrees=True).as_matrix()
    paths = []
    for time in TIMES[:3]:
        image = sitk.GetImageFromArray(rng.normal(900 * np.exp(-time / 30), 6, (4, 20, 24)))
        image.SetSpacing((0.4, 0.5, 1.5))
        image.SetDirection(cosines.ravel())
        image.SetOrigin((12.0, -30.0, 45.0))
        paths.append(tmp_path / f"e{time:g}.nrrd")
        sitk.WriteImage(image, str(paths[-1]))
    make_maps(paths, tmp_path / "maps", MapOptions(times=TIMES[:3]))
    written = read_image(tmp_path / "maps" / "T2star.nii.gz").image
    assert written.grid.same_as(read_image(paths[0]).image.grid)
    assert np.nanmean(written.array) == pytest.approx(30, rel=0.02)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (MapOptions(fit="magic"), "--fit must be one of: rician, loglinear"),
        (MapOptions(dephasing="guess"), "--dephasing must be one of"),
        (MapOptions(noise=-1.0), "--noise must be above zero"),
        (MapOptions(slice_thickness=0.0), "--slice-thickness must be above zero"),
        (MapOptions(dephasing="phase"), "needs the phase images"),
        (MapOptions(noise=1e6), "No voxel can be fitted"),
        (MapOptions(times=[8.0, 4.0]), "6 echoes and 2 echo times"),
    ],
)
def test_options_that_cannot_be_used(echoes: list[Path], options: MapOptions, words: str) -> None:
    with pytest.raises(InputError, match=words):
        compute_maps(echoes, options)


def test_old_maps_stay_whole_when_a_run_fails_or_is_stopped(
    echoes: list[Path], tmp_path: Path
) -> None:
    out = tmp_path / "maps"
    make_maps(echoes, out, MapOptions())
    (out / "mine.txt").write_text("notes")
    before = {p.name: p.read_bytes() for p in out.iterdir()}

    def stop(step: str, fraction: float) -> None:
        if step == "fitting":
            raise Cancelled

    with pytest.raises(Cancelled):
        make_maps(echoes, out, MapOptions(), stop)
    with pytest.raises(InputError):
        make_maps(echoes[:1], out, MapOptions())
    assert {p.name: p.read_bytes() for p in out.iterdir()} == before
    assert [p.name for p in tmp_path.iterdir() if p.name.endswith(".partial")] == []
    make_maps(echoes, out, MapOptions(fit="loglinear"))
    assert (out / "mine.txt").read_text() == "notes"
    assert (out / "T2star.nii.gz").read_bytes() != before["T2star.nii.gz"]


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_cannot_be_written(echoes: list[Path], tmp_path: Path) -> None:
    locked = tmp_path / "locked"
    locked.mkdir(mode=0o500)
    with pytest.raises(InputError, match="cannot be written"):
        make_maps(echoes, locked / "maps", MapOptions())


def test_real_data(shared_data: Path) -> None:
    """Three echoes of a 7 T crop about the midline, with a vein along the edge of the falx.

    The literature has 32.2 ms for the cortex at 7 T (Cohen-Adad et al., NeuroImage 2012,
    60:1006); white matter is shorter, venous blood much shorter.
    """
    folder = shared_data / "gre_7t"
    options = MapOptions(times=[4, 8, 12], phase=[folder / "phase.nii.gz"], dephasing="phase")
    made = compute_maps([folder / "magnitude.nii.gz"], options)
    t2star, trust = made.images["T2star"].array, made.images["trust"].array > 0
    assert made.details["noise_source"] == "tissue"
    assert 24 < made.details["median_t2star_ms"] < 36
    tissue, vein = (slice(8, 15), slice(8, 43), slice(6, 19)), (slice(17, 21), slice(None), 23)
    white = np.median(t2star[tissue][trust[tissue]])
    assert 20 < white < 32
    assert np.median(t2star[vein][trust[vein]]) < 0.6 * white
    # 1 mm slices hardly dephase by 12 ms.
    plain = compute_maps([folder / "magnitude.nii.gz"], MapOptions(times=[4, 8, 12]))
    median = plain.details["median_t2star_ms"]
    assert median == pytest.approx(made.details["median_t2star_ms"], rel=0.03)
    with pytest.raises(InputError, match="phase"):
        compute_maps([folder / "phase.nii.gz"], MapOptions(times=[4, 8, 12]))
