"""What the intensity does on its way from CSF through the cortex into white matter.

A profile y(s), from the CSF side to the white-matter side, is

    y(s) = v + d_o F(s - e_o) + d_a F(s - a) + d_r R(s) + d_m F_m(s - m) + h B(s)
             + d_b F(s - b) + d_w F(s - e_w)

with F the integral of a Gaussian (a step blurred by the point spread), ``a`` the pial border
and ``b = a + t`` the white-matter border. In between lie

* R, which rises evenly from 0 at ``a`` to 1 at ``b`` and stays: myelin and iron rise with
  depth in any cortex;
* a step at ``m``: deep layers that are darker than the others down to white matter;
* B, a band: a Gaussian about ``a + c t`` of width ``w t`` that ends at ``b``. The iron of
  ALS lies in the middle and deep layers (Costagli et al., NeuroImage Clin 2016, 12:965) and
  may fade before white matter begins. Where it ends is then not the edge of the cortex.

``e_o`` before ``a`` is the far side of a narrow sulcus and ``e_w`` behind ``b`` that of a
narrow blade of white matter. The signs of all sizes are free, so that any contrast will do.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

(A, LOG_T, F, LOG_S, LOG_W, LOG_U, C, LOG_B, V, D_O, D_A, D_R, D_M, H, D_B, D_W) = range(16)
"""Order of the parameters: a, ln thickness, (m - a) / thickness, ln blur, ln width of the
sulcus, ln width of the blade of white matter, the band's depth c, ln of its width w; then the
levels: the first one, the steps at e_o and a, the ramp's rise, the step at m, the band's
height, and the steps at b and e_w."""

PARAMETERS = 16
INSIDE = (D_R, D_M, D_B)
"""The changes from the cortex's surface to white matter."""

# The change towards the deep layers is gradual: SD as a share of the thickness.
DEEP_BLUR = 0.05


def model(parameters: NDArray, positions: NDArray) -> NDArray[np.float64]:
    """Profiles of the model.

    Args:
        parameters: (batch, 16).
        positions: (n,) mm.

    Returns:
        (batch, n) values.
    """
    return (parameters[:, None, V:] @ level_columns(parameters, positions))[:, 0]


def level_columns(parameters: NDArray, positions: NDArray) -> NDArray[np.float64]:
    """What each level adds to the profile, (batch, 8, n); arguments as for :func:`model`."""
    return _Parts(parameters, positions).columns


def slopes(parameters: NDArray, positions: NDArray) -> tuple[NDArray, NDArray]:
    """Profiles (batch, n) and their derivatives (batch, 16, n) by the parameters."""
    parts = _Parts(parameters, positions)
    values = (parameters[:, None, V:] @ parts.columns)[:, 0]
    return values, parts.slopes(parameters)


class _Parts:
    """The terms of the model for parameters (batch, 16) at positions (n,)."""

    def __init__(self, parameters: NDArray, positions: NDArray) -> None:
        a, log_t, self.f, log_s, log_w, log_u, self.c, log_b = parameters.T[:V, :, None]
        self.thickness, self.blur, self.width, self.blade = (
            np.exp(x) for x in (log_t, log_s, log_w, log_u)
        )
        blur, thickness, off = self.blur, self.thickness, positions - a
        self.deep_blur = np.sqrt(blur**2 + (DEEP_BLUR * thickness) ** 2)
        self.z_a = off / blur
        self.z_o = self.z_a + self.width / blur
        self.z_m = (off - self.f * thickness) / self.deep_blur
        self.z_b = self.z_a - thickness / blur
        self.z_w = self.z_b - self.blade / blur
        f_o, self.f_a, f_m, self.f_b, f_w = (
            ndtr(z) for z in (self.z_o, self.z_a, self.z_m, self.z_b, self.z_w)
        )
        self.g_a, self.g_b = _density(self.z_a), _density(self.z_b)
        self.ramp = (self.z_a * self.f_a + self.g_a - self.z_b * self.f_b - self.g_b) * (
            blur / thickness
        )
        spread = np.exp(log_b) * thickness
        self.total = np.sqrt(spread**2 + blur**2)
        self.share = spread / self.total
        self.z_c = (off - self.c * thickness) / self.total
        self.bell = np.exp(-0.5 * self.z_c * self.z_c) * self.share
        self.band = self.bell * (1 - self.f_b)
        self.columns = np.empty((len(parameters), 8, len(positions)))
        for index, column in enumerate(
            (1.0, f_o, self.f_a, self.ramp, f_m, self.band, self.f_b, f_w)
        ):
            self.columns[:, index] = column

    def slopes(self, parameters: NDArray) -> NDArray[np.float64]:
        """(batch, 16, n) derivatives of the profile."""
        d_o, d_a, d_r, d_m, h, d_b, d_w = parameters.T[V + 1 :, :, None]
        blur, thickness = self.blur, self.thickness
        of_o = d_o * _density(self.z_o) / blur
        of_m = d_m * _density(self.z_m) / self.deep_blur
        of_a, of_w = d_a * self.g_a / blur, d_w * _density(self.z_w) / blur
        # The band ends where white matter begins, so its end moves with that step.
        of_b = (d_b - h * self.bell) * self.g_b / blur
        of_band = h * self.band * self.z_c / self.total
        of_ramp = d_r * (self.f_a - self.f_b) / thickness
        curved = h * self.band * (self.z_c**2 - 1)
        wider = self.share**2 * curved + h * self.band
        m_share = (blur / self.deep_blur) ** 2
        found = np.empty((len(parameters), PARAMETERS, self.z_a.shape[1]))
        found[:, A] = of_band - of_o - of_a - of_b - of_w - of_m - of_ramp
        found[:, LOG_T] = (
            thickness * (self.c * of_band - of_b - of_w - self.f * of_m)
            - of_m * self.deep_blur * self.z_m * (1 - m_share)
            + d_r * (self.f_b - self.ramp)
            + wider
        )
        found[:, F] = -thickness * of_m
        found[:, LOG_S] = (
            -blur * (of_o * self.z_o + of_a * self.z_a + of_b * self.z_b + of_w * self.z_w)
            - of_m * self.deep_blur * self.z_m * m_share
            + d_r * (self.g_a - self.g_b) * (blur / thickness)
            + (1 - self.share**2) * curved
        )
        found[:, LOG_W] = of_o * self.width
        found[:, LOG_U] = -of_w * self.blade
        found[:, C] = thickness * of_band
        found[:, LOG_B] = wider
        found[:, V:] = self.columns
        return found


def _density(z: NDArray) -> NDArray:
    return np.exp(-0.5 * z * z) / np.sqrt(2 * np.pi)


def border_variances(parameters: NDArray, covariance: NDArray) -> NDArray[np.float64]:
    """Variances (b, 3) in mm2 of the pial border, the white-matter border and the thickness.

    Args:
        parameters: (b, 16).
        covariance: (b, 16, 16).
    """
    thickness = np.exp(parameters[:, LOG_T])
    pial, both = covariance[:, A, A], thickness * covariance[:, A, LOG_T]
    of_thickness = thickness**2 * covariance[:, LOG_T, LOG_T]
    return np.stack([pial, pial + 2 * both + of_thickness, of_thickness], axis=1)
