"""True measures against the truth's arrays and against a measurement of them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from ALSMotorCortexLib.cortex.measure import measure
from ALSMotorCortexLib.cortex.motor_cortex import SETTINGS
from ALSMotorCortexLib.cortex.shapes import GM
from ALSMotorCortexLib.cortex.simulation import Parameters, Simulation, simulate
from ALSMotorCortexLib.cortex.true_measures import UNITS, true_maps, true_measures

COMPARED = ("mean", "layer_3_mean", "deep_hypointensity")


@pytest.fixture(scope="module")
def scan() -> Simulation:
    return simulate(Parameters.small(extent=(4.0, 30.0, 30.0), group="patient"))


def test_values_are_means_of_the_truth(scan: Simulation) -> None:
    found = {(m.region, m.map, m.measure): m.value for m in true_measures(scan)}
    t = scan.truth
    m1 = scan.labels.array == GM
    assert found["ribbon", "", "thickness_mean"] == pytest.approx(np.nanmean(t.thickness), rel=1e-6)
    hand = scan.regions["left_hand"].array > 0
    assert found["left_hand", "T2star", "mean"] == pytest.approx(t.t2star[hand].mean(), rel=1e-6)
    layers = [m1 & (t.depth_equivolume < 1 / 3), m1 & (t.depth_equivolume >= 2 / 3)]
    superficial, deep = (t.t2star[layer].mean() for layer in layers)
    assert found["ribbon", "T2star", "deep_hypointensity"] == pytest.approx(
        1 - deep / superficial, rel=1e-5
    )
    chi = found["ribbon", "susceptibility", "layer_3_mean"]
    assert chi == pytest.approx(t.susceptibility[layers[1]].mean(), rel=1e-5)
    assert all(np.isfinite(m.value) for m in true_measures(scan))


def test_measuring_the_true_maps_gives_the_true_measures(scan: Simulation) -> None:
    """Names and units are those of a measurement; so are the values, within what the labels
    leave open."""
    maps = true_maps(scan)
    settings = replace(SETTINGS, iron={"susceptibility": "bright"})
    found = measure(scan.labels, settings, maps, scan.regions, UNITS)
    for true in true_measures(scan):
        if true.region == "left_hand" and true.measure in (
            "mean",
            "layer_3_mean",
            "deep_hypointensity",
        ):
            value = found.value(true.measure, true.region, true.map)
            assert value == pytest.approx(true.value, rel=0.03)
            assert true.unit == ("1" if true.measure == "deep_hypointensity" else UNITS[true.map])
    thickness = found.value("thickness_mean", "left_hand")
    true_thickness = next(
        m.value
        for m in true_measures(scan)
        if (m.region, m.measure) == ("left_hand", "thickness_mean")
    )
    tenth_of_a_voxel = 0.1 * min(scan.labels.grid.spacing)
    assert thickness == pytest.approx(true_thickness, abs=tenth_of_a_voxel)
