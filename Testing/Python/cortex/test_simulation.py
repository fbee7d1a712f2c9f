"""Simulated scans: that labels, truth and echoes tell the same story."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from ALSMotorCortexLib.cortex.errors import InputError
from ALSMotorCortexLib.cortex.grid import Grid
from ALSMotorCortexLib.cortex.motor_cortex import OTHER_BANK, places_on_m1
from ALSMotorCortexLib.cortex.relaxometry import fit_decay
from ALSMotorCortexLib.cortex.shapes import CSF, GM, WM
from ALSMotorCortexLib.cortex.simulation import (
    BRIGHTNESS,
    Parameters,
    Simulation,
    simulate,
    voxel_sums,
)
from ALSMotorCortexLib.cortex.tissue import Tissues

TINY = Parameters.small(extent=(2.0, 22.0, 22.0), subject="07", group="patient")
CLEAN = replace(TINY, snr=1e6, shading=0.0)


@cache
def scan(parameters: Parameters = TINY) -> Simulation:
    return simulate(parameters)


def core(simulation: Simulation, label: int) -> NDArray[np.bool_]:
    """Voxels whose neighbours in the slice have their label too, far from veins."""
    labels = simulation.labels.array
    same = np.ones(labels.shape, bool)
    for axis in (1, 2):
        for step in (-1, 1):
            same &= np.roll(labels, step, axis) == labels
    same[:, [0, -1]] = same[:, :, [0, -1]] = False
    return same & (labels == label) & (np.abs(simulation.truth.susceptibility) < 60)


def test_the_same_parameters_give_the_same_scan() -> None:
    again = simulate(TINY)
    for one, other in zip(scan().signal, again.signal, strict=True):
        np.testing.assert_array_equal(one, other)
    assert again.subject == scan().subject


@pytest.mark.parametrize("change", [{"seed": 5}, {"subject": "08"}])
def test_another_seed_or_label_is_another_person(change: dict[str, Any]) -> None:
    other = scan(replace(TINY, **change)).subject
    assert other.hemispheres != scan().subject.hemispheres and other.iron != scan().subject.iron


def test_a_second_session_is_the_same_person_placed_anew() -> None:
    one, other = scan(replace(TINY, session="a")), scan(replace(TINY, session="b"))
    assert one.subject == other.subject
    assert (one.labels.array != other.labels.array).any()
    assert np.nanmean(one.truth.thickness) == pytest.approx(
        np.nanmean(other.truth.thickness), abs=0.03
    )


def test_truth_is_where_the_labels_say_m1_is() -> None:
    s = scan()
    m1 = s.labels.array == GM
    for name in ("thickness", "depth_equidistant", "depth_equivolume"):
        np.testing.assert_array_equal(np.isfinite(getattr(s.truth, name)), m1)
    assert set(np.unique(s.labels.array)) == {CSF, WM, GM, OTHER_BANK}
    shared = sum(region.array.astype(int) for region in s.regions.values())
    np.testing.assert_array_equal(shared, m1)
    assert set(s.regions) == {"left_foot", "left_hand", "left_face"}
    np.testing.assert_allclose(s.truth.t2star * s.truth.r2star, 1000, rtol=1e-5)
    assert s.truth.vein.any() and set(s.labels.array[s.truth.vein]) == {CSF}


def test_places_on_m1_are_on_their_slice_and_at_their_depth() -> None:
    """Looked up again, they are where they were said to be."""
    s = scan()
    placement = s.placements["left"]
    along = np.linspace(-6, 6, 30)
    for k, depth in ((0, 0.5), (1, 0.1)):
        kji = placement.grid.kji(places_on_m1(placement, along, depth, k))
        np.testing.assert_allclose(kji[:, 0], k, atol=1e-9)
        w, tissue, _ = placement.shape.look(placement.own(kji * placement.grid.spacing))
        np.testing.assert_allclose(w.real, along, atol=1e-9)
        np.testing.assert_allclose(0.5 - w.imag / placement.shape.thickness, depth, atol=1e-9)
        assert set(tissue) == {GM}


@pytest.mark.parametrize("label", [WM, CSF])
def test_away_from_borders_the_signal_decays_with_the_true_t2star(label: int) -> None:
    s = scan(CLEAN)
    inner = core(s, label)
    assert inner.sum() > 20
    first, last = (np.abs(s.signal[n])[inner].astype(float) for n in (0, -1))
    times = s.parameters.times_ms
    t2star = (times[-1] - times[0]) / np.log(first / last)
    np.testing.assert_allclose(np.median(t2star), np.median(s.truth.t2star[inner]), rtol=0.01)


def test_snr_is_what_was_asked_for() -> None:
    s = scan(replace(TINY, shading=0.0))
    clean = scan(CLEAN)
    noise = (s.signal[0] - clean.signal[0])[s.labels.array > 0]
    assert s.sigma == pytest.approx(BRIGHTNESS / TINY.snr)
    assert noise.real.std() == pytest.approx(s.sigma, rel=0.03)
    assert noise.imag.std() == pytest.approx(s.sigma, rel=0.03)
    m1 = s.labels.array == GM
    assert np.abs(clean.signal[0])[m1].mean() == pytest.approx(BRIGHTNESS, rel=0.001)


def test_a_voxel_holds_the_mean_of_the_fine_voxels_in_it() -> None:
    """Partial volume is an integral: large voxels against eight of half their size each, without
    noise and with rectangular slices."""
    base = replace(CLEAN, ramp=0.0, times_ms=(5.0, 25.0), extent=(4.0, 16.0, 16.0))
    large = scan(replace(base, spacing=(1.0, 0.8, 0.8)))
    coarse = large.placements["left"]
    own = large.subject.hemispheres["left"]
    tissues = Tissues(large.subject.iron, own.involvement, large.subject.r2star_factor)
    # The same place, in voxels of half the size: the first lies a quarter of a voxel before.
    fine = replace(
        coarse,
        grid=Grid.from_spacing((8, 40, 40), (0.5, 0.4, 0.4)),
        centre=coarse.centre + np.array([0.25, 0.2, 0.2]),
    )
    sums = {}
    for name, placement, spacing in (
        ("coarse", coarse, (1.0, 0.8, 0.8)),
        ("fine", fine, (0.5, 0.4, 0.4)),
    ):
        found = voxel_sums(replace(base, spacing=spacing), own, tissues, placement)
        sums[name] = np.abs(found[0][:, 1]).reshape(placement.grid.shape)
    mean = sums["fine"].reshape(4, 2, 20, 2, 20, 2).mean(axis=(1, 3, 5))
    contrast = sums["fine"].std()
    assert contrast > 0.03
    assert np.abs(sums["coarse"] - mean).mean() < 0.02 * contrast
    assert abs((sums["coarse"] - mean).mean()) < 0.002 * contrast


def test_phase_follows_the_field() -> None:
    s = scan(CLEAN)
    times = np.array(s.parameters.times_ms) / 1000
    turn = np.angle(s.signal[1] * np.conj(s.signal[0]))
    expected = 2 * np.pi * s.truth.field_hz * (times[1] - times[0])
    apart = np.angle(np.exp(1j * (turn - expected)))
    assert np.abs(apart).max() < 1e-3
    assert s.phase[0].array.min() >= -np.pi - 1e-6 and s.phase[0].array.max() <= np.pi + 1e-6


def test_a_gradient_across_thick_slices_shortens_t2star() -> None:
    """By as much as the sinc says, that is, not at all where the fit knows of it."""
    base = replace(CLEAN, spacing=(2.0, 0.5, 0.5), ramp=0.0, extent=(4.0, 22.0, 22.0))
    gradient = 6.0
    plain, dephased = scan(base), scan(replace(base, gradient=gradient))
    white = core(plain, WM)
    turns = np.full(white.shape, gradient * 2.0 / 1000)

    def t2star(simulation: Simulation, turns: NDArray | None = None) -> float:
        echoes = [image.array for image in simulation.magnitude]
        fit = fit_decay(echoes, base.times_ms, simulation.sigma, white, turns)
        return float(np.median(fit.t2star[white]))

    true = float(np.median(plain.truth.t2star[white]))
    assert t2star(plain) == pytest.approx(true, rel=0.005)
    assert t2star(dephased) < 0.85 * true
    assert t2star(dephased, turns) == pytest.approx(true, rel=0.01)


def test_tilt_leans_the_cortex_out_of_the_slices() -> None:
    """Cut obliquely, M1 covers more of each slice: by 1 / cos of the angle where it faces
    backwards. Its true thickness stays, but for which part of it there is more to see."""
    upright, tilted = (scan(replace(TINY, tilt=tilt)) for tilt in (0.0, 45.0))
    apart = np.nanmean(tilted.truth.thickness) - np.nanmean(upright.truth.thickness)
    assert abs(apart) < 0.06
    area = [int((s.labels.array == GM).sum()) for s in (upright, tilted)]
    assert 1.1 < area[1] / area[0] < np.sqrt(2)


def test_atrophy_thins_and_iron_darkens() -> None:
    base = replace(TINY, iron=0.0, atrophy=0.0)
    plain, thin, dark = (
        scan(base),
        scan(replace(base, atrophy=0.6)),
        scan(replace(base, iron=30.0)),
    )
    means = [np.nanmean(s.truth.thickness) for s in (plain, thin, dark)]
    # A little more than 0.6 mm in the knob, where M1 is thicker than elsewhere.
    assert means[0] - means[1] == pytest.approx(0.62, abs=0.05)
    assert means[0] == pytest.approx(means[2])
    deep = (plain.truth.depth_equivolume > 0.6) & (plain.truth.depth_equivolume < 0.8)
    assert dark.truth.t2star[deep].mean() < 0.7 * plain.truth.t2star[deep].mean()
    first, late = (
        np.abs(dark.signal[n])[deep].mean() / np.abs(plain.signal[n])[deep].mean() for n in (0, -1)
    )
    assert late < first < 1.0


def test_both_hemispheres_lie_side_by_side() -> None:
    p = replace(TINY, hemisphere="both", extent=(1.0, 30.0, 30.0))
    s = scan(p)
    assert s.grid.shape[2] == 2 * p.shape[2]
    assert {name.split("_")[0] for name in s.regions} == {"left", "right"}
    for name, region in s.regions.items():
        x = s.grid.ras(np.argwhere(region.array))[:, 0]
        assert (np.sign(x) == (-1 if name.startswith("left") else 1)).all()
    x = s.grid.ras(np.argwhere(s.labels.array == GM))[:, 0]
    assert np.abs(x).min() > 2 and (x < 0).any() and (x > 0).any()
    # Foot next to the midline, on both sides.
    for side in ("left", "right"):
        foot, face = (
            np.abs(s.grid.ras(np.argwhere(s.regions[f"{side}_{part}"].array))[:, 0]).mean()
            for part in ("foot", "face")
        )
        assert foot < face


def test_shading_changes_the_image_and_not_the_decay() -> None:
    shaded, even = scan(replace(CLEAN, shading=0.5)), scan(CLEAN)
    ratio = np.abs(shaded.signal[0]) / np.abs(even.signal[0])
    assert 1.15 < ratio.max() / ratio.min() < 4
    again = np.abs(shaded.signal[-1]) / np.abs(even.signal[-1])
    np.testing.assert_allclose(again, ratio, rtol=1e-3)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"subject": "0 1"}, "letters and digits"),
        ({"subject": ""}, "letters and digits"),
        ({"session": "ä"}, "letters and digits"),
        ({"group": "ill"}, "control, patient"),
        ({"hemisphere": "top"}, "left, right, both"),
        ({"snr": 0.0}, "snr"),
        ({"snr": float("nan")}, "snr"),
        ({"iron": -1.0}, "iron"),
        ({"atrophy": 3.0}, "atrophy"),
        ({"tilt": 80.0}, "tilt"),
        ({"days": -1}, "days"),
        ({"spacing": (0.0, 0.3, 0.3)}, "spacing"),
        ({"spacing": (0.5, 0.05, 0.05), "extent": (50.0, 60.0, 60.0)}, "million"),
        ({"extent": (5.0, 4.0, 30.0)}, "field of view"),
        ({"extent": (5.0, 300.0, 30.0)}, "field of view"),
        ({"times_ms": (5.0,)}, "two or more"),
        ({"times_ms": (5.0, 5.0)}, "ascend"),
        ({"times_ms": (0.0, 5.0)}, "above zero"),
        ({"times_ms": (5.0, float("nan"))}, "ascend"),
        ({"slice_thickness": 0.0}, "slice thickness"),
        ({"tesla": 70.0}, "field strength"),
    ],
)
def test_bad_parameters_are_told(change: dict[str, Any], words: str) -> None:
    with pytest.raises(InputError, match=words):
        simulate(replace(TINY, **change))
