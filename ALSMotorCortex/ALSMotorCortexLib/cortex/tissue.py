"""What the tissues of a synthetic motor cortex do to the signal of a gradient echo.

From the literature, at 7 T where nothing else is said
- T2* of cortical gray matter 33.2 ms, of white matter 26.8 ms; 66 and 53.2 ms at 3 T, so that
  R2* grows by a straight line with the field (Peters et al., Magn Reson Imaging 2007, 25:748).
  T2* of the whole cortex 32.2 ms with an SD of 1.35 ms between subjects, less in sensorimotor
  cortex (Cohen-Adad et al., NeuroImage 2012, 60:1006).
- Iron in the middle and deep layers of M1 of ALS patients raises susceptibility and lowers T2*
  (Costagli et al., NeuroImage Clin 2016, 12:965). The susceptibility of motor cortex above that
  of adjacent tissue: 46 ppb in patients, 35 ppb in controls (Schweitzer et al., AJR 2015,
  204:1086).
- Iron spread over many small sources raises R2* by ``2 pi / (9 sqrt(3)) gamma B0`` times the
  susceptibility that it adds (static dephasing: Yablonskiy and Haacke, Magn Reson Med 1994,
  32:749): 0.75 1/s per ppb.
- Venous blood is 64.7 % oxygenated and has a T2 of 20 ms at a hematocrit of 0.42 (Krishnamurthy
  et al., Magn Reson Med 2014, 71:2035). Fully deoxygenated red cells are 0.27 ppm (cgs) above
  oxygenated ones (Spees et al., Magn Reson Med 2001, 45:533).

Assumed
- The layers' borders, and how R2* and susceptibility are shared out between them around the
  means above; where in the depth the iron lies and how wide its band is; T2* of CSF and of veins;
  proton densities, with which no weighting by T1 is mixed.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from .motor_cortex import OTHER_BANK
from .shapes import CSF, GM, WM, Floats

VEIN = 5
"""A tissue of its own for the signal; in label maps veins are part of the CSF around them."""

GYROMAGNETIC = 42.577e6
"""Hz per tesla of the proton."""

R2STAR_PER_TESLA = 0.124
"""By which share of its value at 7 T R2* changes with each tesla (Peters et al. 2007)."""

IRON_DEPTH, IRON_SPREAD = 0.70, 0.15
"""Equivolume depth where the iron of patients is densest, and the SD of its band: nine tenths
of it lie in the deep half."""

PARTS_MM = (-18.0, 0.0, 18.0)
"""Arc length from the knob where the middles of foot, hand and face are taken to lie."""

_BLUR = 0.03  # of depth: layers pass into each other over about 0.1 mm


@dataclass(frozen=True)
class Layer:
    """A cortical layer.

    Attributes:
        name: after Brodmann.
        depth_to: equivolume depth of its lower border.
        r2star: 1/s at 7 T.
        susceptibility: ppb, CSF being 0.
    """

    name: str
    depth_to: float
    r2star: float
    susceptibility: float


M1_LAYERS = (
    Layer("I", 0.08, 24.5, 0.0),
    Layer("II-III", 0.40, 28.0, 3.0),
    Layer("V", 0.70, 32.0, 8.0),
    Layer("VI", 1.00, 34.5, 7.0),
)
"""Area 4, which has no layer IV; its iron and myelin grow with depth."""

OTHER_LAYERS = (
    Layer("I", 0.10, 24.5, 0.0),
    Layer("II-III", 0.42, 27.5, 2.0),
    Layer("IV", 0.58, 33.0, 6.0),
    Layer("V", 0.76, 31.0, 6.0),
    Layer("VI", 1.00, 33.5, 5.0),
)
"""S1 and its neighbours, with a myelinated layer IV."""


@dataclass(frozen=True)
class Substance:
    """A tissue that is the same throughout: R2* at 7 T in 1/s, susceptibility in ppb."""

    r2star: float
    susceptibility: float
    density: float


GRAY_DENSITY = 0.82
SUBSTANCES = {
    CSF: Substance(8.3, 0.0, 1.0),
    WM: Substance(37.3, -30.0, 0.70),
    # Susceptibility: 0.27 ppm x 4 pi x 0.42 x (1 - 0.647).
    VEIN: Substance(100.0, 503.0, 0.85),
}


@dataclass(frozen=True)
class Local:
    """What tissues do at n places.

    Attributes:
        r2star: (n,) 1/s.
        susceptibility: (n,) ppb.
        density: (n,) proton density; CSF has 1.
    """

    r2star: Floats
    susceptibility: Floats
    density: Floats


@dataclass(frozen=True)
class Tissues:
    """The tissues of one hemisphere.

    Attributes:
        iron: susceptibility in ppb that iron adds to M1 at most, in the middle of its band.
        involvement: how much of that there is in (foot, hand, face).
        r2star_factor: the subject's own R2* over the usual.
        tesla: field strength.
    """

    iron: float = 0.0
    involvement: tuple[float, float, float] = (1.0, 1.0, 1.0)
    r2star_factor: float = 1.0
    tesla: float = 7.0

    @property
    def field_factor(self) -> float:
        """R2* at this field over that at 7 T."""
        return 1 + R2STAR_PER_TESLA * (self.tesla - 7)

    def at(
        self, tissue: NDArray[np.uint8], along: Floats, m1_depth: Floats, other_depth: Floats
    ) -> Local:
        """What is at n places.

        Args:
            tissue: (n,) labels, :data:`VEIN` among them.
            along: (n,) arc length along M1 from the knob, mm.
            m1_depth: (n,) equivolume depth in M1.
            other_depth: (n,) depth in other gray matter.
        """
        r2star, susceptibility = np.zeros(len(tissue)), np.zeros(len(tissue))
        density = np.full(len(tissue), GRAY_DENSITY)
        for label, substance in SUBSTANCES.items():
            here = tissue == label
            r2star[here] = substance.r2star
            susceptibility[here] = substance.susceptibility
            density[here] = substance.density
        for label, layers, depth in (
            (GM, M1_LAYERS, m1_depth),
            (OTHER_BANK, OTHER_LAYERS, other_depth),
        ):
            here = tissue == label
            r2star[here] = _across(layers, depth[here], "r2star")
            susceptibility[here] = _across(layers, depth[here], "susceptibility")
        r2star *= self.field_factor
        r2star[tissue != CSF] *= self.r2star_factor
        m1 = tissue == GM
        added = self.iron_at(along[m1], m1_depth[m1])
        susceptibility[m1] += added
        r2star[m1] += static_dephasing(self.tesla) * added
        return Local(r2star, susceptibility, density)

    def iron_at(self, along: Floats, depth: Floats) -> Floats:
        """Susceptibility in ppb that iron adds at places in M1."""
        band = np.exp(-(((depth - IRON_DEPTH) / IRON_SPREAD) ** 2) / 2)
        return self.iron * np.interp(along, PARTS_MM, self.involvement) * band


def static_dephasing(tesla: float) -> float:
    """R2* in 1/s that a ppb of finely spread susceptibility adds (Yablonskiy and Haacke 1994)."""
    turns = 2 * np.pi * GYROMAGNETIC * tesla * 1e-9
    return float(2 * np.pi / (9 * np.sqrt(3)) * turns)


def _across(layers: tuple[Layer, ...], depth: Floats, name: str) -> Floats:
    """A property of layers at depths (n,)."""
    values = [getattr(layer, name) for layer in layers]
    result = np.full(len(depth), values[0])
    for border, before, after in zip(layers, values, values[1:], strict=False):
        result += (after - before) * ndtr((depth - border.depth_to) / _BLUR)
    return result
