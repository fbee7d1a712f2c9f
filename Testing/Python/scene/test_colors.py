"""Colours that must be told apart, also by colour-blind readers."""

from __future__ import annotations

import numpy as np
import pytest

slicer = pytest.importorskip("slicer")

from ALSMotorCortexLib.scene.colors import layer_colors, series_color, viridis  # noqa: E402

# RGB to what a reader without long- or medium-wavelength cones sees: Vienot, Brettel and
# Mollon, Color Res Appl 1999, 24:243, for linear RGB.
BLIND = {
    "protan": [[0.11238, 0.88762, 0], [0.11238, 0.88762, 0], [0.00401, -0.00401, 1]],
    "deutan": [[0.29275, 0.70725, 0], [0.29275, 0.70725, 0], [-0.02234, 0.02234, 1]],
}


def seen(colors, kind):
    linear = np.array(colors) ** 2.2 @ np.array(BLIND[kind]).T
    return np.clip(linear, 0, 1) ** (1 / 2.2)


def nearest_pair(colors):
    away = np.linalg.norm(np.array(colors)[:, None] - np.array(colors)[None], axis=-1)
    return away[~np.eye(len(colors), dtype=bool)].min()


@pytest.mark.parametrize("kind", BLIND)
def test_neighbouring_curves_can_be_told_apart(kind):
    for n in range(7):
        assert nearest_pair(seen([series_color(n), series_color(n + 1)], kind)) > 0.2


@pytest.mark.parametrize("kind", BLIND)
def test_three_layers_can_be_told_apart(kind):
    assert nearest_pair(seen(layer_colors(3), kind)) > 0.2


@pytest.mark.parametrize("layers", [1, 2, 3, 20, 250])
def test_every_layer_has_its_own_colour(layers):
    colors = layer_colors(layers)
    assert len(set(colors)) == len(colors) == layers
    assert all(0 <= c <= 1 for color in colors for c in color)


def test_curves_repeat_after_eight():
    assert len({series_color(n) for n in range(8)}) == 8
    assert series_color(8) == series_color(0)


def test_viridis_is_viridis():
    matplotlib = pytest.importorskip("matplotlib")
    scene = slicer.vtkMRMLScene()
    node = viridis(scene)
    assert viridis(scene) is node
    assert node.GetNumberOfColors() == 256
    rgba = [0.0] * 4
    for entry, truth in enumerate(matplotlib.colormaps["viridis"](np.arange(256))):
        node.GetColor(entry, rgba)
        assert np.abs(np.array(rgba) - truth).max() < 0.021
