"""The caliper against cortices of known borders."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from ALSMotorCortexLib.cortex.caliper import Caliper, measure_caliper
from ALSMotorCortexLib.cortex.errors import InputError
from ALSMotorCortexLib.cortex.grid import Grid, Image
from drawn_cortex import CONTRASTS, FADING_RAMP, T1W, T2STAR, T2STAR_ALS, T2STAR_FADING, Ring


def across(ring: Ring, image: Image, angle: float, **options) -> Caliper:
    """A caliper from 1.7 mm outside to 1.8 mm inside the cortex."""
    options = {"pial_end": "first"} | options
    first, last = ring.point(angle, -1.7), ring.point(angle, ring.thickness + 1.8)
    return measure_caliper(image, first, last, **options)


def errors(ring: Ring, image: Image, number: int, **options) -> tuple[np.ndarray, np.ndarray]:
    """Thickness errors and their stated SDs of calipers all around."""
    found = [
        across(ring, image, angle, **options)
        for angle in np.linspace(0, 2 * np.pi, number, endpoint=False)
    ]
    assert all(c.found for c in found)
    return (
        np.array([c.thickness - ring.thickness for c in found]),
        np.array([c.thickness_sd for c in found]),
    )


@pytest.mark.parametrize("contrast", CONTRASTS)
@pytest.mark.parametrize("voxel", [0.2, 0.25])
def test_thickness_has_little_bias_at_snr_20(voxel: float, contrast: str) -> None:
    ring, levels = Ring(), CONTRASTS[contrast]
    error, _ = errors(ring, ring.image(voxel, levels, noise=levels[1] / 20), 24, width_mm=2.0)
    assert abs(error.mean()) < 0.03
    assert np.sqrt((error**2).mean()) < 0.08


@pytest.mark.parametrize("contrast", ["t2star", "als", "t1w"])
@pytest.mark.parametrize("voxel", [0.4, 0.5])
def test_thickness_has_little_bias_with_large_voxels(voxel: float, contrast: str) -> None:
    ring, levels = Ring(thickness=3.3), CONTRASTS[contrast]
    error, _ = errors(ring, ring.image(voxel, levels, noise=levels[1] / 20), 24, width_mm=2.0)
    assert abs(np.median(error)) < 0.05
    assert np.median(np.abs(error)) < 0.1


@pytest.mark.parametrize("depth, limit", [(0.64, 0.35), (0.7, 0.15), (0.75, 0.35)])
def test_border_behind_a_band_that_fades_is_found(depth: float, limit: float) -> None:
    """One line tells little of where a band ends: what is known of bands counts, and is said."""
    ring = Ring(thickness=3.1, band=(-32.0, depth, 0.15), ramp=FADING_RAMP)
    image = ring.image(0.25, T2STAR_FADING, noise=4)
    error, sd = errors(ring, image, 16, width_mm=2.0)
    assert abs(np.median(error)) < limit
    assert (np.abs(error) < 2.5 * sd).mean() > 0.8


def test_stated_uncertainty_is_that_of_the_errors() -> None:
    ring = Ring()
    image = ring.image(0.25, T2STAR_ALS, noise=5)
    for width in (1.0, 2.0):
        error, sd = errors(ring, image, 40, width_mm=width)
        assert 0.6 < np.sqrt(((error / sd) ** 2).mean()) < 1.6


def test_more_width_beats_noise() -> None:
    ring = Ring()
    image = ring.image(0.25, T2STAR_ALS, noise=5)
    narrow, wide = (across(ring, image, 1.0, width_mm=w).thickness_sd for w in (0.3, 2.0))
    assert wide < 0.7 * narrow


# Where the white border was missed once: a trifle within the cortex passed for it.
@example(thickness=3.47, angle=3.73, shift=(0.09, -0.09), contrast="t2star", gyrus=False)
@example(thickness=3.5, angle=3.04, shift=(0.1, -0.11), contrast="t2star", gyrus=True)
@example(thickness=3.84, angle=2.89, shift=(0.0, 0.08), contrast="t2star", gyrus=False)
@example(thickness=4.01, angle=1.5, shift=(0.1, -0.11), contrast="t2star", gyrus=True)
@example(thickness=4.22, angle=3.78, shift=(0.08, -0.08), contrast="t2star", gyrus=False)
# Where a dark deep layer would be taken for white matter if narrow blades of it were sought.
@example(thickness=4.3, angle=3.81, shift=(0.06, 0.01), contrast="band", gyrus=True)
@example(thickness=4.36, angle=0.6, shift=(-0.13, -0.05), contrast="band", gyrus=False)
@settings(max_examples=20, deadline=None, derandomize=True)
@given(
    thickness=st.floats(2.2, 4.5),
    angle=st.floats(0, 6.28),
    shift=st.tuples(st.floats(-0.13, 0.13), st.floats(-0.13, 0.13)),
    contrast=st.sampled_from(sorted(CONTRASTS)),
    gyrus=st.booleans(),
)
def test_noise_free_borders_are_sub_voxel(thickness, angle, shift, contrast, gyrus) -> None:
    ring = Ring(7.0 if gyrus else 5.0, thickness, gyrus, (13 + shift[0], 13 + shift[1]))
    image = ring.image(0.25, CONTRASTS[contrast], size=26)
    found = across(ring, image, angle, width_mm=0.5)
    # A sharp border along the voxel grid shows in one mixed voxel only, and a band of three
    # voxels darker than white matter is the hardest.
    limit = 0.09 if contrast == "band" else 0.07
    assert abs(found.thickness - thickness) < limit
    assert abs(ring.depth(found.pial_ras)) < 0.03


# CSF, cortex, white matter: T2* weighted with little and with much contrast, a T2* map with its
# long T2* of CSF, a map of R2* as its levels alone, and T1 weighted.
EVEN = {
    "weighted": (170.0, 100.0, 70.0),
    "flat": (170.0, 100.0, 88.0),
    "T2* map": (300.0, 100.0, 75.0),
    "rates": (6.0, 30.0, 42.0),
    "T1": (20.0, 60.0, 100.0),
}


def scan(levels: tuple[float, float, float], noise: float) -> tuple[np.ndarray, ...]:
    """Errors of thickness and of the white border and stated SDs; NaN where none was found.

    Calipers across even cortices 2.2 to 4.5 mm thick; ``noise`` as a share of gray matter.
    """
    csf, gray, white = levels
    rows = []
    for number, thickness in enumerate(np.linspace(2.2, 4.5, 12)):
        ring = Ring(7.0, thickness, True, (9.5 + 0.02 * (number % 5), 9.5))
        image = ring.image(0.25, (csf, gray, gray, white), noise * gray, number, size=19)
        for angle in (0.1, 0.8, 3.6):
            found = across(ring, image, angle + 0.03 * number, width_mm=1.0)
            depth = ring.depth(found.white_ras)
            rows.append((found.thickness - thickness, depth - thickness, found.thickness_sd))
    return tuple(np.array(rows).T)


@pytest.mark.parametrize("noise", [0, 0.01])
@pytest.mark.parametrize("levels", EVEN.values(), ids=EVEN)
def test_white_border_of_an_even_cortex_is_always_found(levels, noise) -> None:
    error, white, sd = scan(levels, noise)
    # Steps of 12 of 100 over 1 of noise tell a border to a quarter of a voxel.
    assert np.abs(white).max() < 0.07
    assert np.abs(error).max() < 0.09
    # Nor is another place thought possible.
    assert np.median(sd) < 0.05
    assert sd.max() < 0.3


@pytest.mark.parametrize("levels", [EVEN[name] for name in EVEN if name != "flat"])
def test_white_border_of_an_even_cortex_is_found_in_usual_noise(levels) -> None:
    error, white, sd = scan(levels, 0.04)
    assert np.isfinite(error).all()
    assert (np.abs(white) < 0.2).mean() >= 0.95
    assert (np.abs(error) < 1.96 * sd).mean() >= 0.92


@pytest.mark.parametrize("contrast", CONTRASTS)
def test_another_bank_near_by_does_not_disturb(contrast: str) -> None:
    ring = Ring(sulcus=0.9, blade=2.0)
    image = ring.image(0.25, CONTRASTS[contrast], noise=2)
    first, last = ring.point(0.4, -1.6), ring.point(0.4, ring.thickness + 2.4)
    found = measure_caliper(image, first, last, pial_end="first", width_mm=1.5)
    assert abs(ring.depth(found.pial_ras)) < 0.1
    assert abs(ring.depth(found.white_ras) - ring.thickness) < 0.15


def test_either_direction_gives_the_same() -> None:
    ring = Ring()
    image = ring.image(0.25, T2STAR_ALS, noise=5)
    first, last = ring.point(0.7, -1.7), ring.point(0.7, 4.8)
    one = measure_caliper(image, first, last, pial_end="auto")
    other = measure_caliper(image, last, first, pial_end="auto")
    length = np.linalg.norm(last - first)
    np.testing.assert_allclose(other.pial, length - one.pial, atol=1e-6)
    np.testing.assert_allclose(other.white_ras, one.white_ras, atol=1e-6)
    np.testing.assert_allclose(other.layer_means, one.layer_means, rtol=1e-3)


@pytest.mark.parametrize(
    "levels, ends", [(T2STAR_ALS, ("auto", "bright", "first")), (T1W, ("dark", "first"))]
)
def test_ways_to_name_the_pial_end_agree(levels, ends) -> None:
    ring = Ring()
    image = ring.image(0.25, levels, noise=3)
    found = [across(ring, image, 2.0, pial_end=end).pial for end in ends]
    np.testing.assert_allclose(found, found[0], atol=1e-6)


def test_equal_steps_are_reported() -> None:
    ring = Ring()
    codes = [f.code for f in across(ring, ring.image(0.25, T1W), 0, pial_end="auto").findings]
    assert "pial_end_uncertain" in codes


@pytest.mark.parametrize("gain, offset", [(37.0, -900.0), (0.002, 5.0), (-3.0, 100.0)])
def test_intensity_scale_does_not_matter(gain: float, offset: float) -> None:
    ring = Ring()
    image = ring.image(0.25, T2STAR_ALS, noise=5)
    scaled = Image(image.array * gain + offset, image.grid)
    one, other = across(ring, image, 0.2), across(ring, scaled, 0.2)
    np.testing.assert_allclose(
        [other.pial, other.white, other.white_sd], [one.pial, one.white, one.white_sd], atol=1e-5
    )


def test_orientation_of_the_image_does_not_matter() -> None:
    ring = Ring()
    image = ring.image(0.25, T2STAR_ALS, noise=5, slices=3)
    one = across(ring, image, 0.5, plane_normal=np.array([0, 0, 1.0]))
    mirror = np.eye(4)
    mirror[0, 0], mirror[0, 3] = -1, image.array.shape[2] - 1
    flipped = Image(image.array[:, :, ::-1], Grid(image.grid.shape, image.grid.ijk_to_ras @ mirror))
    swap = np.eye(4)[[1, 0, 2, 3]]
    turned = Image(
        image.array.transpose(0, 2, 1),
        Grid(tuple(np.array(image.grid.shape)[[0, 2, 1]]), image.grid.ijk_to_ras @ swap),
    )
    for other in (flipped, turned):
        again = across(ring, other, 0.5, plane_normal=np.array([0, 0, 1.0]))
        np.testing.assert_allclose([again.pial, again.white], [one.pial, one.white], atol=1e-6)


def test_a_rotated_scene_gives_the_same() -> None:
    ring = Ring()
    image = ring.image(0.25, T2STAR_ALS, noise=5)
    c, s = np.cos(0.4), np.sin(0.4)
    move = np.array([[1, 0, 0, 5], [0, c, -s, -7], [0, s, c, 30], [0, 0, 0, 1.0]])
    moved = Image(image.array, Grid(image.grid.shape, move @ image.grid.ijk_to_ras))
    first, last = ring.point(0.5, -1.7), ring.point(0.5, 4.8)
    one = measure_caliper(image, first, last)
    other = measure_caliper(moved, *((move @ np.append(p, 1))[:3] for p in (first, last)))
    np.testing.assert_allclose([other.pial, other.white], [one.pial, one.white], atol=1e-6)


def test_layers_and_indices() -> None:
    ring = Ring(thickness=3.6)
    found = across(ring, ring.image(0.2, T2STAR_ALS), 1.1)
    np.testing.assert_allclose(found.layer_means, (100, 100, 80), rtol=0.03)
    assert abs(found.deep_hypointensity - 0.2) < 0.03
    np.testing.assert_allclose(
        found.hypointensity_to_thickness, found.deep_hypointensity / found.thickness
    )


def test_an_oblique_line_is_longer_and_says_so() -> None:
    ring = Ring(radius=200.0, centre=(-183.0, 17.0))
    image = ring.image(0.25, T2STAR_ALS)
    tilt = np.radians(40)
    middle = ring.point(0, 1.5)
    along = np.array([-np.cos(tilt), np.sin(tilt), 0])
    found = measure_caliper(image, middle - 4 * along, middle + 4 * along, pial_end="first")
    assert abs(found.tilt - 40) < 4
    assert abs(found.thickness - ring.thickness / np.cos(tilt)) < 0.1
    assert "caliper_oblique" in [f.code for f in found.findings]
    straight = across(ring, image, 0)
    assert straight.tilt < 4
    assert not straight.findings


@pytest.mark.parametrize("depths, angles", [((4.5, 4.5), (0, 0.5)), ((1.2, 1.2), (0, 0.35))])
def test_no_border_is_said(depths, angles) -> None:
    ring = Ring()
    image = ring.image(0.25, T2STAR, noise=5)
    points = [ring.point(a, d) for a, d in zip(angles, depths, strict=True)]
    found = measure_caliper(image, *points)
    assert not found.found
    assert found.findings[0].code == "no_border"
    assert np.isnan(found.white_ras).all()
    assert np.isfinite(found.profile).all()


def test_a_flat_or_empty_image_has_no_border() -> None:
    ring = Ring()
    image = ring.image(0.25)
    flat = across(ring, Image(np.ones(image.array.shape), image.grid), 0)
    empty = across(ring, Image(np.full(image.array.shape, np.nan), image.grid), 0)
    assert flat.findings[0].code == "no_border"
    assert empty.findings[0].code == "no_values"


def test_gaps_in_the_values_are_left_out() -> None:
    ring = Ring()
    image = ring.image(0.25, T2STAR_ALS)
    array = image.array.copy()
    i = round((ring.point(0, 1.5)[0]) / 0.25)
    array[:, :, i] = np.nan
    found = across(ring, Image(array, image.grid), 0)
    assert abs(found.thickness - ring.thickness) < 0.15


@pytest.mark.parametrize(
    "change, words",
    [
        ({"last": [90.0, 17, 0]}, "outside the volume"),
        ({"last": [27.5, 17, 0]}, "mm long"),
        ({"pial_end": "top"}, "one of"),
        ({"width_mm": -1.0}, "negative"),
        ({"plane_normal": np.array([1.0, 0, 0])}, "slice plane"),
    ],
)
def test_bad_input_is_named(change, words) -> None:
    image = Ring().image(0.5)
    given = {"first": [28.0, 17, 0], "last": [20.0, 17, 0]} | change
    with pytest.raises(InputError, match=words):
        measure_caliper(image, **given)
