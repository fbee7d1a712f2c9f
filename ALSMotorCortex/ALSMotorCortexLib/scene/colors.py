"""Colours that colour-blind readers can tell apart."""

from __future__ import annotations

from typing import Any

import numpy as np

Color = tuple[float, float, float]

VIRIDIS = "Viridis (saved with the scene)"
"""Name of the colour table of :func:`viridis`."""

# Every fifteenth of the 256 colours of viridis (S. van der Walt and N. Smith, 2015, CC0).
# Linear interpolation between them stays within 0.02 of the others.
_VIRIDIS = (
    "440154", "481769", "472a7a", "433d84", "3d4e8a", "355e8d", "2e6d8e", "297b8e", "23898e",
    "1f978b", "21a585", "2eb37c", "46c06f", "65cb5e", "89d548", "b0dd2f", "d8e219", "fde725",
)  # fmt: skip

# The palette of Okabe and Ito, Color Universal Design, 2008, in an order that keeps
# neighbours apart: blue, orange, green, purple, sky blue, vermillion, black, yellow.
_OKABE_ITO = ("0072b2", "e69f00", "009e73", "cc79a7", "56b4e9", "d55e00", "000000", "f0e442")

# From superficial to deep: sky blue, yellow, vermillion of the same palette.
_LAYERS = ("56b4e9", "f0e442", "d55e00")


def layer_colors(layers: int) -> list[Color]:
    """One colour for each layer, superficial first."""
    return _ramp(_LAYERS, layers)


def series_color(index: int) -> Color:
    """The colour of the n-th curve of a chart; repeats after eight."""
    return _rgb(_OKABE_ITO[index % len(_OKABE_ITO)])


def viridis(scene: Any) -> Any:
    """The scene's vtkMRMLColorTableNode with 256 colours of viridis; made where missing.

    The application has one of its own, but ``slicer-core`` does not, and a scene must look
    the same wherever it is opened.
    """
    node = scene.GetFirstNode(VIRIDIS, "vtkMRMLColorTableNode", None, True)
    if node is not None:
        return node
    node = scene.AddNewNodeByClass("vtkMRMLColorTableNode", VIRIDIS)
    # Slicer hides colour tables by default, and not every version saves hidden nodes.
    node.SetHideFromEditors(False)
    node.SetTypeToUser()
    node.SetNumberOfColors(256)
    for entry, color in enumerate(_ramp(_VIRIDIS, 256)):
        node.SetColor(entry, str(entry), *color, 1.0)
    return node


def _ramp(anchors: tuple[str, ...], n: int) -> list[Color]:
    rgb = np.array([_rgb(a) for a in anchors])
    at = np.linspace(0, 1, len(anchors))
    where = np.linspace(0, 1, n) if n > 1 else np.zeros(1)
    columns = [np.interp(where, at, rgb[:, c]) for c in range(3)]
    return [(float(r), float(g), float(b)) for r, g, b in zip(*columns, strict=True)]


def _rgb(code: str) -> Color:
    r, g, b = (int(code[n : n + 2], 16) / 255 for n in (0, 2, 4))
    return r, g, b
