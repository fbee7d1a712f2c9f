"""Whether iron makes a map bright or dark.

Iron shortens T2*: it darkens T2*-weighted images and T2* maps and brightens R2* maps. It is
paramagnetic: in a susceptibility map (QSM) it is bright by the usual sign (Langkammer et al.,
NeuroImage 2012, 62:1593), but maps of the opposite sign are about, and a map's name does not
tell which it is. So the user is asked.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from .errors import InputError

BRIGHT, DARK = "bright", "dark"
IRON = (BRIGHT, DARK)

_R2 = re.compile(r"r2(s|star|prime)?(w|map|maps)?")
_SUSCEPTIBILITY = re.compile(r"chi(map|s|sep)?|qsm.*|susc|.*susceptibility(map)?")
_UNITS = ("ppm", "ppb")


def is_susceptibility(name: str, unit: str = "") -> bool:
    """Whether a map is one of susceptibility, by its name or its unit."""
    words = _words(name)
    if {"swi", "weighted"} & set(words):  # a magnitude darkened by its phase
        return False
    return unit.strip().lower() in _UNITS or any(map(_SUSCEPTIBILITY.fullmatch, words))


def is_rate(name: str) -> bool:
    """Whether a map is one of relaxation rates (R2, R2*), by its name."""
    return any(map(_R2.fullmatch, _words(name)))


def iron_contrast(name: str, unit: str = "", given: Mapping[str, str] | None = None) -> str:
    """:data:`BRIGHT` or :data:`DARK`: how iron shows in a map.

    Dark where neither the user nor the name says otherwise, as in the images that the
    hypointensity of the motor cortex was first described in.

    Args:
        name: of the map.
        unit: of its values.
        given: what the user said, by the names of maps.

    Raises:
        InputError: a susceptibility map of which the user did not say it.
    """
    if given and name in given:
        return given[name]
    if is_rate(name):
        return BRIGHT
    if is_susceptibility(name, unit):
        raise InputError(
            f"Map {name} looks like a susceptibility map, and there are such maps of either sign. "
            f"Say how iron shows in it: --iron {name}=bright where iron is positive (usual), or "
            f"--iron {name}=dark."
        )
    return DARK


def _words(name: str) -> list[str]:
    """The parts of a name in lower case; ``R2*`` is ``r2star``."""
    return re.findall(r"[a-z0-9]+", name.lower().replace("*", "star"))
