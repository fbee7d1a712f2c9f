"""The synthetic motor cortex: what it claims to know, and that it looks as it should."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import ndimage as ndi

from ALSMotorCortexLib.cortex import motor_cortex
from ALSMotorCortexLib.cortex.motor_cortex import OTHER_BANK, CentralSulcus, Relaxation
from ALSMotorCortexLib.cortex.shapes import CSF, GM, WM

SMALL = {"shape": (6, 150, 150), "spacing": (1.0, 1 / 3, 1 / 3)}


@cache
def case(group: str = "patient", hemisphere: str = "left") -> motor_cortex.MotorCortexCase:
    return motor_cortex.synthetic_motor_cortex(3, group, hemisphere, **SMALL)


def labels(group: str = "patient", hemisphere: str = "left") -> NDArray[np.uint8]:
    return case(group, hemisphere).labels.array


def touching(first: NDArray[np.bool_], second: NDArray[np.bool_]) -> int:
    """Number of faces between two sets of voxels."""
    count = 0
    for axis in range(3):
        a, b = np.moveaxis(first, axis, 0), np.moveaxis(second, axis, 0)
        count += int((a[1:] & b[:-1]).sum() + (a[:-1] & b[1:]).sum())
    return count


def test_map_of_m1_is_one_to_one() -> None:
    """Every place in M1 comes back from its image, for several subjects."""
    for seed in range(5):
        rng = np.random.default_rng(seed)
        anatomy = motor_cortex.vary(CentralSulcus(), rng)
        x = rng.uniform(-40, 40, 4000)
        w = x + 0.5j * anatomy.thickness * rng.uniform(-1, 1, 4000)
        np.testing.assert_allclose(anatomy.strip.inverse(anatomy.strip(w)), w, atol=1e-9)


def test_depth_falls_along_field_lines_from_white_matter_to_csf() -> None:
    """The truth of neighbouring points agrees with the field line's own ends."""
    anatomy = CentralSulcus()
    points = np.random.default_rng(0).uniform(-20, 20, (40_000, 3))
    truth = anatomy.sample(points)
    gray = truth.tissue == GM
    assert gray.sum() > 2000
    line = truth.ends[gray]
    chord = np.linalg.norm(line[:, 1] - line[:, 0], axis=1)
    assert (truth.thickness[gray] >= chord - 1e-9).all()
    assert (truth.thickness[gray] < 1.03 * chord).all()
    to_pial = np.linalg.norm(points[gray] - line[:, 1], axis=1) / truth.thickness[gray]
    np.testing.assert_allclose(truth.depth_equidistant[gray], to_pial, atol=0.02)


@pytest.mark.parametrize("group", motor_cortex.GROUPS)
def test_tissues_lie_as_in_a_brain(group: str) -> None:
    tissue = labels(group)
    assert set(np.unique(tissue)) == {CSF, WM, GM, OTHER_BANK}
    m1 = tissue == GM
    parts, count = ndi.label(m1)
    assert count == 1 and parts.max() == 1
    faces = {t: touching(m1, tissue == t) for t in (CSF, WM, OTHER_BANK)}
    # White matter on one side; on the other CSF, and the other bank where it touches.
    assert faces[WM] > 1000
    pial = faces[CSF] + faces[OTHER_BANK]
    assert 0.8 < pial / faces[WM] < 1.3
    assert 0.05 < faces[OTHER_BANK] / pial < 0.5
    # Nowhere is cortex missing between CSF and white matter by more than a stray voxel.
    assert touching(tissue == CSF, tissue == WM) < 0.01 * pial


def test_thickness_of_both_groups() -> None:
    means = {}
    for group in motor_cortex.GROUPS:
        thickness = case(group).truth.thickness
        means[group] = np.nanmean(thickness)
        assert np.nanmin(thickness) > 2.5 and np.nanmax(thickness) < 4.2
    assert means["control"] - means["patient"] == pytest.approx(0.4, abs=0.05)


def test_the_sulcus_runs_round_the_knob_as_an_omega() -> None:
    """Seen from above, the middle of M1 turns back on itself by more than 60 degrees to either
    side of its course, round a knob about 14 mm wide (Yousry et al. 1997) that points
    backwards."""
    anatomy = CentralSulcus()
    x = np.linspace(-25, 25, 1001)
    turn = np.angle(anatomy.strip.derivative(x + 0j)) + anatomy.sulcal_angle
    assert turn.max() > np.radians(60) and turn.min() < -np.radians(60)
    medial, lateral = x[np.argmax(turn)], x[np.argmin(turn)]
    assert medial < 0 < lateral
    image = anatomy.strip(np.array([medial, 0, lateral], dtype=complex))
    assert 9 < abs(image[2] - image[0]) < 17
    assert image[1].imag > image[[0, 2]].imag.mean() + 1.5


@pytest.mark.parametrize("hemisphere", motor_cortex.HEMISPHERES)
def test_it_lies_in_its_hemisphere(hemisphere: str) -> None:
    """M1 in front of S1, foot medial of hand medial of face; the left side at negative R."""
    subject = case("patient", hemisphere)
    side = -1 if hemisphere == "left" else 1

    def centre(mask: NDArray) -> NDArray:
        return subject.labels.grid.ras(np.argwhere(mask)).mean(axis=0)

    lateral = [
        side * centre(subject.regions[name].array)[0] for name in ("m1_foot", "m1_hand", "m1_face")
    ]
    assert 0 < lateral[0] < lateral[1] < lateral[2]
    tissue = subject.labels.array
    # Through the middle of the knob: behind M1 is the sulcus, in front of it white matter.
    hand = np.argwhere(subject.regions["m1_hand"].array)
    k, _, i = np.median(hand, axis=0).astype(int)
    column = np.flatnonzero(tissue[k, :, i] == GM)
    assert tissue[k, column[0] - 1, i] in (CSF, OTHER_BANK)
    assert tissue[k, column[-1] + 1, i] == WM


def test_regions_share_out_m1() -> None:
    subject = case()
    total = sum(region.array.astype(int) for region in subject.regions.values())
    np.testing.assert_array_equal(total, subject.labels.array == GM)
    assert all(region.array.any() for region in subject.regions.values())


def test_anatomy_shifts_from_slice_to_slice() -> None:
    m1 = labels() == GM
    first, last = (np.argwhere(m1[k]).mean(axis=0) for k in (0, -1))
    shift = np.linalg.norm((last - first) * case().labels.grid.spacing[1:])
    assert 0.25 < shift < 1.5


@pytest.mark.parametrize("group", motor_cortex.GROUPS)
def test_maps_agree_with_the_truth(group: str) -> None:
    """Away from borders the map is truth plus noise of the stated size; overall too."""
    subject = case(group)
    rate, truth = subject.maps["R2star"].array, subject.r2star
    np.testing.assert_allclose(subject.maps["T2star"].array, 1000 / rate, rtol=1e-5)
    depth = subject.truth.depth_equivolume
    inner = (depth > 0.15) & (depth < 0.85)
    rest = (rate - truth)[inner]
    sd = 30.1 / 20
    assert abs(rest.mean()) < 0.15
    assert rest.std() == pytest.approx(sd, rel=0.15)
    expected = {CSF: subject.relaxation.csf, WM: subject.relaxation.white_matter}
    for tissue, value in expected.items():
        # Within a slice: a sulcus is too narrow for a core in 3D.
        deep = ndi.binary_erosion(subject.labels.array == tissue, np.ones((1, 3, 3)))
        assert deep.sum() > 50
        assert np.median(rate[deep]) == pytest.approx(value, rel=0.03)


def test_partial_volume_is_the_mean_over_the_voxel() -> None:
    """Across M1's borders voxels hold what lies between; a coarse voxel holds the mean of the
    fine voxels in it."""
    rng = np.random.default_rng(0)
    coarse = motor_cortex._place(CentralSulcus(), "left", (1.0, 0.5, 0.5), (2, 90, 90), rng)
    fine = replace(
        coarse,
        grid=replace(
            coarse.grid,
            shape=(4, 180, 180),
            ijk_to_ras=coarse.grid.ijk_to_ras @ np.diag([0.5, 0.5, 0.5, 1]),
        ),
        # The fine grid's first voxel lies a quarter of a coarse voxel before the coarse one's.
        centre=coarse.centre + np.array([0.25, 0.125, 0.125]),
    )
    one = motor_cortex._voxel_means(coarse, Relaxation(iron=14))
    eight = motor_cortex._voxel_means(fine, Relaxation(iron=14))
    mean = eight.reshape(2, 2, 90, 2, 90, 2).mean(axis=(1, 3, 5))
    assert np.abs(one - mean).mean() < 0.15
    assert abs((one - mean).mean()) < 0.01


def test_iron_darkens_the_deep_layers_of_patients_only() -> None:
    depth = np.linspace(0, 1, 101)
    control, patient = (case(g).relaxation for g in motor_cortex.GROUPS)
    added = patient.of_m1(depth) - control.of_m1(depth)
    assert control.iron == 0 and depth[np.argmax(added)] == pytest.approx(0.68)
    assert added[depth < 0.3].max() < 1.2
    # In patients the deep layer is darker than white matter, in controls it is not.
    assert patient.of_m1(depth).max() > patient.white_matter
    assert control.of_m1(depth).max() < control.white_matter
    # Gray matter has its published mean T2* (Peters et al. 2007).
    assert 1000 / control.of_m1(depth).mean() == pytest.approx(33.2, abs=0.5)
    assert 1000 / control.white_matter == pytest.approx(26.8, abs=0.3)


def test_seed_decides_everything() -> None:
    one, again, other = (
        motor_cortex.synthetic_motor_cortex(s, shape=(2, 36, 36), spacing=(1, 0.8, 0.8))
        for s in (1, 1, 2)
    )
    np.testing.assert_array_equal(one.maps["R2star"].array, again.maps["R2star"].array)
    assert (one.labels.array != other.labels.array).any()
    assert one.anatomy != other.anatomy


def test_snr_sets_the_noise() -> None:
    quiet, loud = (
        motor_cortex.synthetic_motor_cortex(1, shape=(2, 36, 36), spacing=(1, 0.8, 0.8), snr=snr)
        .maps["R2star"]
        .array
        for snr in (1e9, 10.0)
    )
    assert (loud - quiet).std() == pytest.approx(3.01, rel=0.05)


def test_unknown_group_or_hemisphere() -> None:
    with pytest.raises(ValueError, match="patient"):
        motor_cortex.synthetic_motor_cortex(group="ill")
    with pytest.raises(ValueError, match="left"):
        motor_cortex.synthetic_motor_cortex(hemisphere="both")
