"""The trace against cortices of known borders."""

from __future__ import annotations

import numpy as np
import pytest

from ALSMotorCortexLib.cortex.errors import InputError
from ALSMotorCortexLib.cortex.grid import Grid, Image
from ALSMotorCortexLib.cortex.trace import Pin, Trace, trace_cortex, trace_from_borders
from drawn_cortex import (
    CONTRASTS,
    FADING_RAMP,
    T2STAR,
    T2STAR_ALS,
    T2STAR_BAND,
    T2STAR_FADING,
    Ring,
)

UP = np.array([0, 0, 1.0])


def border_errors(ring: Ring, trace: Trace) -> tuple[np.ndarray, np.ndarray]:
    """mm by which the borders lie too deep."""
    return ring.depth(trace.pial), ring.depth(trace.white) - ring.thickness


@pytest.fixture(scope="module")
def ring() -> Ring:
    return Ring()


@pytest.fixture(scope="module")
def image(ring: Ring) -> Image:
    return ring.image(0.25, T2STAR_ALS, noise=5)


@pytest.fixture(scope="module")
def traced(ring: Ring, image: Image) -> Trace:
    return trace_cortex(image, ring.curve(), UP)


@pytest.mark.parametrize("contrast", CONTRASTS)
@pytest.mark.parametrize("gyrus", [True, False])
@pytest.mark.parametrize("voxel, limit", [(0.2, 0.03), (0.25, 0.045)])
def test_borders_at_snr_20(voxel: float, limit: float, gyrus: bool, contrast: str) -> None:
    ring, levels = Ring(10.0 if gyrus else 7.0, 3.0, gyrus), CONTRASTS[contrast]
    image = ring.image(voxel, levels, noise=levels[1] / 20)
    side = "dark" if contrast == "t1w" else "bright"
    trace = trace_cortex(image, ring.curve(), UP, side)
    pial, white = border_errors(ring, trace)
    assert abs(pial.mean()) < 0.01
    assert abs(white.mean()) < limit
    assert np.abs(white).mean() < 1.5 * limit
    assert abs(trace.mean_thickness - ring.thickness) < limit
    assert not trace.findings


@pytest.mark.parametrize("contrast", ["t2star", "als", "t1w"])
def test_borders_at_half_a_millimetre(contrast: str) -> None:
    ring, levels = Ring(thickness=3.3), CONTRASTS[contrast]
    image = ring.image(0.5, levels, noise=levels[1] / 20)
    side = "dark" if contrast == "t1w" else "bright"
    pial, white = border_errors(ring, trace_cortex(image, ring.curve(), UP, side))
    assert abs(pial.mean()) < 0.03
    assert abs(white.mean()) < 0.06


def test_dark_band_is_not_the_border(ring: Ring) -> None:
    trace = trace_cortex(ring.image(0.25, T2STAR_BAND, noise=5), ring.curve(), UP, "auto")
    _, white = border_errors(ring, trace)
    # The band begins 1 mm above the border.
    assert np.abs(white).max() < 0.3


def fading(seed: int, **shape) -> Ring:
    """A cortex with a band of its own strength, depth and width that fades away."""
    rng = np.random.default_rng(seed)
    band = (-rng.uniform(22, 40), rng.uniform(0.63, 0.75), rng.uniform(0.13, 0.18))
    return Ring(thickness=rng.uniform(2.6, 3.5), band=band, ramp=FADING_RAMP, **shape)


def shaken(ring: Ring, seed: int, mm: float) -> np.ndarray:
    """A curve whose points a hand put down with a standard error in mm across the cortex."""
    off = np.random.default_rng(seed).normal(scale=mm, size=24).clip(-1, 1)
    angles = np.linspace(0.3, 5.5, 24)
    return np.array(
        [ring.point(a, ring.thickness / 2 + d) for a, d in zip(angles, off, strict=True)]
    )


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("shake", [0.0, 0.4])
def test_border_behind_a_band_that_fades_is_found(seed: int, shake: float) -> None:
    ring = fading(seed, gyrus=seed % 2 == 0, sulcus=1.0)
    image = ring.image(0.25, T2STAR_FADING, noise=5, seed=seed)
    trace = trace_cortex(image, shaken(ring, seed, shake), UP, "bright")
    pial, white = border_errors(ring, trace)
    assert np.median(np.abs(pial)) < 0.1
    assert np.median(np.abs(white)) < 0.3
    error = trace.mean_thickness - ring.thickness
    assert abs(error) < 0.25
    assert abs(error) < 2.6 * trace.mean_thickness_sd
    # The interval is no excuse.
    assert trace.mean_thickness_sd < 0.35


def test_interval_is_wide_where_there_is_no_edge() -> None:
    """Gray matter that passes into white matter over more than a millimetre."""
    ring = Ring(thickness=3.0, ramp=-26.0)
    plain = Ring(thickness=3.0)
    images = [ring.image(0.25, (170, 100, 100, 73), noise=10), plain.image(0.25, T2STAR, noise=10)]
    unclear, clear = (
        trace_cortex(image, ring.curve(), UP, "bright").mean_thickness_sd for image in images
    )
    assert unclear > 1.5 * clear


@pytest.mark.parametrize("gain, offset, side", [(37, -900, "bright"), (-2, 500, "dark")])
def test_intensity_scale_does_not_matter_with_a_band(gain, offset, side) -> None:
    ring = fading(1)
    image = ring.image(0.25, T2STAR_FADING, noise=5)
    one = trace_cortex(image, ring.curve(), UP, "bright")
    other = trace_cortex(Image(image.array * gain + offset, image.grid), ring.curve(), UP, side)
    np.testing.assert_allclose(other.white, one.white, atol=1e-4)
    np.testing.assert_allclose(other.mean_thickness_sd, one.mean_thickness_sd, rtol=1e-3)


def test_same_from_either_end_and_mirrored_with_a_band() -> None:
    ring = fading(2)
    image = ring.image(0.25, T2STAR_FADING, noise=5)
    one = trace_cortex(image, ring.curve(), UP, "bright")
    back = trace_cortex(image, ring.curve()[::-1], UP, "bright")
    np.testing.assert_allclose(back.white[::-1], one.white, atol=1e-4)
    mirror = np.diag([-1.0, 1, 1, 1])
    grid = Grid(image.grid.shape, mirror @ image.grid.ijk_to_ras)
    mirrored = trace_cortex(Image(image.array, grid), ring.curve() * [-1, 1, 1], UP, "bright")
    np.testing.assert_allclose(mirrored.white * [-1, 1, 1], one.white, atol=1e-4)


@pytest.mark.parametrize("noise", [0, 1, 4])
def test_even_cortex_of_any_thickness_is_traced(noise: float) -> None:
    for number, thickness in enumerate((2.2, 2.8, 3.4, 3.8, 4.2, 4.4)):
        ring = Ring(8.0, thickness, number % 2 == 0, (16.05, 16.0))
        image = ring.image(0.25, T2STAR, noise, number, size=32)
        trace = trace_cortex(image, ring.curve(angles=(0.3, 2.8)), UP, "bright")
        pial, white = border_errors(ring, trace)
        assert np.median(np.abs(pial)) < 0.04
        assert np.median(np.abs(white)) < 0.06
        error = trace.mean_thickness - thickness
        assert abs(error) < 0.05
        assert abs(error) < 2.6 * trace.mean_thickness_sd


def test_values_of_csf_may_be_wild() -> None:
    """T2* of CSF is fitted badly: what it is does not matter as long as it is long."""
    ring = fading(3)
    image = ring.image(0.25, T2STAR_FADING, noise=4)
    rng = np.random.default_rng(0)
    csf = image.array > 150
    wild = np.where(csf, rng.uniform(300, 2000, image.array.shape), image.array)
    trace = trace_cortex(Image(wild, image.grid), ring.curve(), UP, "bright")
    pial, white = border_errors(ring, trace)
    assert np.abs(pial).max() < 0.25
    assert np.median(np.abs(white)) < 0.2


def test_interval_of_the_mean_is_stated(ring, traced) -> None:
    low, high = traced.mean_thickness_interval
    assert low < ring.thickness < high
    assert 0.5 * (low + high) == pytest.approx(traced.mean_thickness)
    assert high - low == pytest.approx(3.92 * traced.mean_thickness_sd)


def test_stated_uncertainty_is_that_of_the_errors(ring: Ring, traced: Trace) -> None:
    pial, white = border_errors(ring, traced)
    for error, sd in ((pial, traced.pial_sd), (white, traced.white_sd)):
        assert 0.3 < np.sqrt(((error / sd) ** 2).mean()) < 1.8


def test_other_banks_near_by_do_not_disturb() -> None:
    ring = Ring(sulcus=1.0, blade=2.2)
    trace = trace_cortex(ring.image(0.25, T2STAR_ALS, noise=4), ring.curve(0.2), UP, "bright")
    pial, white = border_errors(ring, trace)
    assert np.abs(pial).max() < 0.15
    assert np.abs(white).max() < 0.35


def test_borders_are_smooth(traced: Trace) -> None:
    step = traced.positions[1]
    for depth in (traced.pial_depth, traced.white_depth):
        assert np.abs(np.diff(depth, 2)).max() / step**2 < 1.0
        assert np.abs(np.diff(depth, 3)).max() / step**3 < 4.0


def test_same_from_either_end_and_either_side_of_the_plane(ring, image, traced) -> None:
    back = trace_cortex(image, ring.curve()[::-1], UP)
    np.testing.assert_allclose(back.white[::-1], traced.white, atol=1e-6)
    np.testing.assert_allclose(back.thickness[::-1], traced.thickness, atol=1e-6)
    below = trace_cortex(image, ring.curve(), -UP)
    np.testing.assert_allclose(below.white, traced.white, atol=1e-6)


def test_sides_by_name(ring, image, traced) -> None:
    # Drawn anticlockwise seen from above, a gyrus has its CSF to the right.
    right = trace_cortex(image, ring.curve(), UP, "right")
    np.testing.assert_allclose(right.pial, traced.pial, atol=1e-6)
    from_below = trace_cortex(image, ring.curve(), -UP, "left")
    np.testing.assert_allclose(from_below.pial, traced.pial, atol=1e-6)


@pytest.mark.parametrize("gain, offset, side", [(37, -900, "auto"), (-2, 500, "dark")])
def test_intensity_scale_does_not_matter(ring, image, traced, gain, offset, side) -> None:
    other = Image(image.array * gain + offset, image.grid)
    again = trace_cortex(other, ring.curve(), UP, side)
    np.testing.assert_allclose(again.white, traced.white, atol=1e-4)


def test_orientation_of_the_image_does_not_matter(ring, image, traced) -> None:
    c, s = np.cos(0.5), np.sin(0.5)
    move = np.array([[c, 0, s, 5], [0, 1, 0, -7], [-s, 0, c, 30], [0, 0, 0, 1.0]])
    mirror = np.eye(4)
    mirror[0, 0], mirror[0, 3] = -1, image.array.shape[2] - 1
    grid = Grid(image.grid.shape, move @ image.grid.ijk_to_ras @ mirror)
    points = ring.curve() @ move[:3, :3].T + move[:3, 3]
    again = trace_cortex(Image(image.array[:, :, ::-1], grid), points, move[:3, :3] @ UP)
    np.testing.assert_allclose(again.thickness, traced.thickness, atol=1e-5)
    np.testing.assert_allclose(again.white, traced.white @ move[:3, :3].T + move[:3, 3], atol=1e-5)


def test_a_pin_is_met_and_its_surroundings_follow(ring, image, traced) -> None:
    column = len(traced.positions) // 3
    inwards = (traced.white - traced.pial)[column] / traced.thickness[column]
    pin = Pin("white", tuple(traced.white[column] + 0.6 * inwards))
    again = trace_cortex(image, ring.curve(), UP, pins=[pin])
    moved = np.linalg.norm(again.white - traced.white, axis=1)
    away = np.abs(traced.positions - traced.positions[column])
    assert np.linalg.norm(again.white - pin.ras, axis=1).min() < 0.05
    assert moved[away < 1].min() > 0.2
    assert moved[away > 5].max() < 0.05
    np.testing.assert_allclose(again.pial, traced.pial, atol=0.02)
    assert again.thickness[column] > traced.thickness[column] + 0.4


def test_pins_settle_what_the_image_leaves_open(ring) -> None:
    """Where a vessel hides the pial border, two pins bring it back."""
    image = ring.image(0.25, T2STAR_ALS, noise=5)
    grid = image.grid
    kji = np.stack(np.meshgrid(*[np.arange(n) for n in grid.shape], indexing="ij"), axis=-1)
    vessel = np.linalg.norm(grid.ras(kji) - ring.point(1.5, -0.2), axis=-1) < 1.0
    hidden = Image(np.where(vessel, 20, image.array), grid)
    pins = [Pin("pial", tuple(ring.point(a, 0.0))) for a in (1.42, 1.5, 1.58)]
    trace = trace_cortex(hidden, ring.curve(), UP, "bright", pins)
    pial, _ = border_errors(ring, trace)
    near = np.linalg.norm(trace.pial - ring.point(1.5, 0.0), axis=1) < 1.0
    assert np.abs(pial[near]).max() < 0.1


def test_thickness_is_that_between_the_circles(ring: Ring) -> None:
    angles = np.linspace(0.3, 5.5, 40)
    pial, white = (np.array([ring.point(a, d) for a in angles]) for d in (0.0, ring.thickness))
    image = ring.image(0.25, T2STAR)
    trace = trace_from_borders(image, pial, white[::-1], UP)
    inner = slice(8, -8)
    np.testing.assert_allclose(trace.thickness[inner], ring.thickness, atol=0.01)
    assert np.abs(ring.depth(trace.pial)[inner]).max() < 0.01


def test_profile_is_by_area(ring: Ring) -> None:
    """In an image whose value is the radius, each depth bin shows where its area lies."""
    image = ring.image(0.25)
    j, i = np.meshgrid(*[np.arange(n) for n in image.array.shape[1:]], indexing="ij")
    ras = image.grid.ras(np.stack([np.zeros_like(j), j, i], axis=-1))
    radius = np.linalg.norm(ras[..., :2] - np.array(ring.centre), axis=-1)[None]
    angles = np.linspace(0.3, 5.5, 60)
    pial, white = (np.array([ring.point(a, d) for a in angles]) for d in (0.0, ring.thickness))
    trace = trace_from_borders(Image(radius, image.grid), pial, white, UP)
    outer, inner = ring.radius**2, (ring.radius - ring.thickness) ** 2
    expected = np.sqrt(outer - trace.profile_depth * (outer - inner))
    np.testing.assert_allclose(trace.profile, expected, atol=0.02)


def test_layers_show_the_dark_deep_layer(traced: Trace) -> None:
    assert 0.12 < traced.deep_hypointensity < 0.25
    np.testing.assert_allclose(
        traced.hypointensity_to_thickness, traced.deep_hypointensity / traced.mean_thickness
    )


def test_straightened_image_and_borders_share_their_frame(traced: Trace) -> None:
    assert traced.straightened.shape == (len(traced.positions), len(traced.depths))
    across = traced.white - traced.pial
    across /= np.linalg.norm(across, axis=1, keepdims=True)
    np.testing.assert_allclose(
        traced.curve + traced.white_depth[:, None] * across, traced.white, atol=1e-9
    )


def test_values_missing_from_a_slice_are_left_out(ring, image) -> None:
    array = image.array.copy()
    array[:, 60:64] = np.nan
    trace = trace_cortex(Image(array, image.grid), ring.curve(), UP)
    assert abs(trace.mean_thickness - ring.thickness) < 0.1


def bad_traces(ring: Ring) -> dict[str, tuple[np.ndarray, dict]]:
    curve = ring.curve()
    loop = np.concatenate([curve[:8], curve[2:5] + [-2, 6, 0]])
    return {
        "has 2 points": (curve[:2], {}),
        "has 1 point": (np.repeat(curve[:1], 4, axis=0), {}),
        "crosses itself": (loop, {}),
        "leaves the volume": (curve + [12, 0, 0], {}),
        "mm long": (curve[0] + np.arange(3)[:, None] * [0.3, 0, 0], {}),
        "one of": (curve, {"pial_side": "top"}),
        "belongs to one of": (curve, {"pins": [Pin("middle", (0, 0, 0))]}),
    }


@pytest.mark.parametrize("words", bad_traces(Ring()))
def test_bad_traces_are_named(ring, image, words) -> None:
    points, options = bad_traces(ring)[words]
    with pytest.raises(InputError, match=words):
        trace_cortex(image, points, UP, **options)


def test_images_without_borders_are_named(ring, image) -> None:
    noise = np.random.default_rng(0).normal(size=image.array.shape)
    for array, words in (
        (np.ones(image.array.shape), "No border"),
        (noise, "No border"),
        (np.full(image.array.shape, np.nan), "no values"),
    ):
        with pytest.raises(InputError, match=words):
            trace_cortex(Image(array, image.grid), ring.curve(), UP)


def test_hand_drawn_borders_that_cross_or_lie_apart_are_named(ring, image, traced) -> None:
    mixed = np.concatenate([traced.white[:60:10], (2 * traced.pial - traced.white)[60::10]])
    with pytest.raises(InputError, match="cross near"):
        trace_from_borders(image, traced.pial[::10], mixed, UP)
    with pytest.raises(InputError, match="side by side"):
        trace_from_borders(image, traced.pial[:30:5], traced.white[-30::5], UP)
