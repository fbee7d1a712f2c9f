"""A synthetic motor cortex at 7 T whose thickness, depth and relaxation are known exactly.

An axial slab through the hand knob: the precentral gyrus bulges backwards into the central
sulcus as an omega (Yousry et al., Brain 1997, 120:141). M1 is its bank in front of the
sulcus, S1 faces it across CSF, and along a stretch of the sulcus both touch with no CSF
between. The anatomy is drawn out along a line somewhat oblique to the slices, so that it
shifts from slice to slice.

M1 is a bent strip (:class:`.folded_sheet.Strip`): the truth of its thickness and depth is that
of the Laplace potential in 3D. Everything else is drawn by distance from M1 and is there to
be told apart from it, not to be measured.

What is known and what is assumed
- T2* at 7 T: cortical gray matter 33.2 ms, white matter 26.8 ms (Peters et al., Magn Reson
  Imaging 2007, 25:748); cortex 32.2 ms on average, less in sensorimotor cortex
  (Cohen-Adad et al., NeuroImage 2012, 60:1006).
- In ALS the deep layers of M1 are dark and M1 is thin (Cosottini et al., AJNR 2016, 37:455),
  where iron lies in microglia; susceptibility rises in the middle and deep layers (Costagli
  et al., NeuroImage Clin 2016, 12:965).
- The bank of M1 is about one and a half times as thick as that of S1 (1.53 to 1.64: Meyer et
  al., AJNR 1996, 17:1699). M1 is 3 to 4 mm and S1 about 2 mm thick; 3.4 mm for a control, 3.0 mm
  for a patient and 2.0 mm for S1 are chosen within that.
- Assumed: how R2* is spread over depth, how much the iron of a patient adds and in which
  depth, 120 ms for CSF, the width of CSF in the sulcus, and noise that is the same in R2*
  everywhere, as in a fit of bright echoes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from .folded_sheet import Complexes, Strip, strip_truth
from .grid import Grid, Image
from .phantoms import Phantom, Placement, sample_placed
from .plane_table import PlaneTable
from .settings import Settings
from .shapes import CSF, GM, WM, Floats, Truth

OTHER_BANK = 4
"""Label of gray matter other than M1, S1 first of all."""

SETTINGS = Settings(gm=(GM,), wm=(WM,), csf=(CSF,), other_bank=(OTHER_BANK,))
"""How the synthetic labels are to be measured."""

UNITS: Mapping[str, str] = {"T2star": "ms", "R2star": "1/s"}
GROUPS = ("control", "patient")
HEMISPHERES = ("left", "right")

# Points along (k, j, i) that a voxel's mean is taken over.
SUBSAMPLES = (2, 4, 4)

# Where a hand knob lies, RAS mm in MNI space, for the left side: only to give the volume a
# plausible place, from which its hemisphere can be told.
HAND_KNOB_RAS = (-37.0, -22.0, 58.0)


@dataclass(frozen=True)
class CentralSulcus:
    """The anatomy, a shape for :class:`.phantoms.Placement`.

    Own coordinates (axis, up, across) run to superior, posterior and lateral, mm, with the
    knob in the middle.

    Attributes:
        thickness: of M1 where it is straight, mm.
        sulcal_angle: how far the sulcus runs forward on its way to lateral, radians.
        knob_swing: how far the sulcus turns away from that direction to go round the knob,
            radians.
        knob_reach: arc length from the knob's middle to the middle of its flank, mm.
        knob_bend: arc length over which the direction changes, mm.
        sway, sway_phase: further turns of the sulcus, radians.
        thickening: relative change of thickness along M1, most in the knob.
        gap: width of CSF in the sulcus, mm.
        touch_at: arc length from the knob, to lateral, where both banks touch, mm.
        s1_thickness: mm.
    """

    thickness: float = 3.4
    sulcal_angle: float = 0.40
    knob_swing: float = 1.45
    knob_reach: float = 6.8
    knob_bend: float = 2.7
    sway: float = 0.20
    sway_phase: float = 0.5
    thickening: float = 0.06
    gap: float = 0.9
    touch_at: float = 22.0
    s1_thickness: float = 2.0

    @property
    def box(self) -> Floats:
        """(2, 3) mm, two corners of the drawn part."""
        return np.array([[-6.0, -25.0, -25.0], [6.0, 25.0, 25.0]])

    @cached_property
    def strip(self) -> Strip:
        """M1, from far medial to far lateral."""

        def log_derivative(w: Complexes) -> Complexes:
            rise, fall = (
                np.exp(-(((w + side) / self.knob_bend) ** 2) / 2)
                for side in (self.knob_reach, -self.knob_reach)
            )
            turn = self.knob_swing * (rise - fall) - self.sulcal_angle
            turn = turn + self.sway * np.sin(2 * np.pi * w / 23 + self.sway_phase)
            return 1j * turn + self.thickening * np.cos(2 * np.pi * w / 45)

        # The knob's middle lies a little behind that of the volume.
        return Strip(log_derivative, half_length=48.0, height=self.thickness, origin=3j)

    def tissue(self, points: Floats) -> NDArray[np.uint8]:
        """(n,) labels at points (n, 3) in own coordinates."""
        return self.look(points)[1]

    def sample(self, points: Floats) -> Truth:
        """The truth of M1 at points (n, 3) in own coordinates."""
        w, tissue, _ = self.look(points)
        return strip_truth(self.strip, points, w, tissue, np.inf)

    def look(self, points: Floats) -> tuple[Complexes, NDArray[np.uint8], Floats]:
        """What lies at points (n, 3) in own coordinates.

        Returns:
            The places (n,) on M1's straight strip, x from medial to lateral; the labels
            (n,); and the depth (n,) in gray matter other than M1, NaN elsewhere.
        """
        across, up = points[:, 2], points[:, 1]
        w = self.strip.inverse(across + 1j * up)
        half = self.thickness / 2
        # Behind M1 the nearest place on the strip is on its pial border, and the map's stretch
        # there turns the rest of y into mm.
        back = w.imag > half
        stretch = np.abs(self.strip.derivative(w.real[back] + 1j * half))
        beyond = (w.imag[back] - half) * stretch - self.gap_width(w.real[back])
        base = up + np.tan(self.sulcal_angle) * across
        precentral = base + 15.0 + 1.2 * np.sin(across / 4.0 + self.sway_phase)
        bulge = 4.0 * np.exp(-(((across + 1.0) / 9.0) ** 2))
        postcentral = base - 15.5 - bulge - 1.2 * np.sin(across / 5.0 - self.sway_phase)
        # Depth below the nearest pial surface, in units of the cortex there.
        depth = np.minimum(_below(precentral, 2.6), _below(postcentral, 2.0))
        depth[back] = np.minimum(depth[back], beyond / self.s1_thickness)
        m1 = np.abs(w.imag) <= half
        tissue = np.where(depth < 0, CSF, np.where(depth < 1, OTHER_BANK, WM))
        depth[m1 | (tissue != OTHER_BANK)] = np.nan
        return w, np.where(m1, GM, tissue).astype(np.uint8), depth

    def gap_width(self, x: Floats) -> Floats:
        """Width of CSF between the banks at arc length x, mm; 0 where they touch."""
        touching = np.exp(-(((x - self.touch_at) / 4.0) ** 2) / 2)
        return np.maximum(self.gap * (1 + 0.25 * np.sin(x / 4.0)) - 2.2 * touching, 0)


@dataclass(frozen=True)
class Relaxation:
    """R2* in 1/s of each tissue.

    Attributes:
        pial, white: of gray matter at the pial surface and at the white matter; between
            them it changes linearly with equivolume depth.
        white_matter, csf: of these.
        iron: what iron adds at most in M1.
        iron_depth, iron_spread: equivolume depth where it is most, and the standard
            deviation of the band.
    """

    pial: float = 26.5
    white: float = 33.7
    white_matter: float = 37.3
    csf: float = 8.3
    iron: float = 0.0
    iron_depth: float = 0.68
    iron_spread: float = 0.16

    def of_m1(self, depth: Floats) -> Floats:
        """R2* at an equivolume depth in M1."""
        band = np.exp(-(((depth - self.iron_depth) / self.iron_spread) ** 2) / 2)
        return self.of_other(depth) + self.iron * band

    def of_other(self, depth: Floats) -> Floats:
        """R2* at a depth in other gray matter."""
        return self.pial + (self.white - self.pial) * depth

    def of(self, tissue: NDArray[np.uint8], m1_depth: Floats, depth: Floats) -> Floats:
        """R2* of points (n,) from their labels and depths."""
        rate = np.where(tissue == CSF, self.csf, self.white_matter)
        rate = np.where(tissue == OTHER_BANK, self.of_other(depth), rate)
        return np.where(tissue == GM, self.of_m1(m1_depth), rate)


@dataclass(frozen=True)
class MotorCortexCase:
    """A synthetic subject's hemisphere.

    Attributes:
        group: ``control`` or ``patient``.
        hemisphere: ``left`` or ``right``.
        labels: 1 CSF, 2 white matter, 3 M1, 4 other gray matter; measured with
            :data:`SETTINGS`.
        regions: ``m1_foot``, ``m1_hand`` and ``m1_face``, uint8 images that are 1 there and
            0 elsewhere: medial of the knob, the knob, lateral of it.
        maps: ``T2star`` in ms and ``R2star`` in 1/s, float32; units in :data:`UNITS`.
        truth: thickness, depths and potential of every voxel, and its placement.
        r2star: (k, j, i) 1/s at the voxel centres, with neither noise nor partial volume.
        anatomy: the shape behind it.
        relaxation: its R2*.
    """

    group: str
    hemisphere: str
    labels: Image
    regions: Mapping[str, Image]
    maps: Mapping[str, Image]
    truth: Phantom = field(repr=False)
    r2star: Floats = field(repr=False)
    anatomy: CentralSulcus
    relaxation: Relaxation


def synthetic_motor_cortex(
    seed: int = 0,
    group: str = "patient",
    hemisphere: str = "left",
    spacing: tuple[float, float, float] = (0.5, 0.25, 0.25),
    shape: tuple[int, int, int] = (24, 200, 200),
    snr: float = 20.0,
    relaxation: Relaxation | None = None,
) -> MotorCortexCase:
    """Make a subject.

    Args:
        seed: of anatomy, place and noise; the same seed gives the same subject, whose
            anatomy is the same but for M1's thickness in both groups.
        group: ``control``, or ``patient`` with a thin M1 and iron in its deep layers.
        hemisphere: ``left`` or ``right``.
        spacing: mm along (k, j, i).
        shape: voxels along (k, j, i); RAS axes.
        snr: R2* of gray matter over the standard deviation of noise in R2*.
        relaxation: R2* of the tissues; by default with iron in a patient and without in a
            control.
    """
    if group not in GROUPS or hemisphere not in HEMISPHERES:
        raise ValueError(f"no {group!r} {hemisphere!r}: known are {GROUPS} and {HEMISPHERES}")
    rng = np.random.default_rng(seed)
    anatomy = vary(CentralSulcus(), rng)
    relaxation = relaxation or Relaxation(iron=14.0 if group == "patient" else 0.0)
    if group == "patient":
        anatomy = replace(anatomy, thickness=anatomy.thickness - 0.4)
    placement = _place(anatomy, hemisphere, spacing, shape, rng)
    truth = sample_placed(placement)
    rate = _voxel_means(placement, relaxation)
    rate += rng.normal(scale=(relaxation.pial + relaxation.white) / 2 / snr, size=shape)
    # A fit returns no negative rate; so far from that of any tissue it hardly ever acts.
    rate = np.maximum(rate, 1.0)
    maps = {"T2star": 1000 / rate, "R2star": rate}
    return MotorCortexCase(
        group,
        hemisphere,
        replace(truth.labels, name="labels"),
        _regions(truth, anatomy),
        {name: Image(a.astype(np.float32), truth.grid, name) for name, a in maps.items()},
        truth,
        relaxation.of_m1(truth.depth_equivolume),
        anatomy,
        relaxation,
    )


def _below(across: Floats, cortex: float, gap: float = 0.8) -> Floats:
    """Depth of points (n,) below the pial surfaces of a sulcus, over the cortex's thickness.

    Args:
        across: distance from the middle of the sulcus along ``up``, mm.
        cortex: thickness of its banks along ``up``, mm.
        gap: width of its CSF, mm.
    """
    return (np.abs(across) - gap / 2) / cortex


def _place(
    anatomy: CentralSulcus,
    hemisphere: str,
    spacing: tuple[float, float, float],
    shape: tuple[int, int, int],
    rng: np.random.Generator,
) -> Placement:
    """The anatomy in an axial slab where such a hand knob may lie."""
    side = -1 if hemisphere == "left" else 1
    right, anterior, superior = HAND_KNOB_RAS
    grid = slab((-side * right, anterior, superior), spacing, shape)
    return place_in(grid, anatomy, hemisphere, rng)


def vary(anatomy: CentralSulcus, rng: np.random.Generator) -> CentralSulcus:
    """The anatomy of one subject, whose shape differs from the usual as ``rng`` draws."""
    return replace(
        anatomy,
        thickness=anatomy.thickness + rng.normal(scale=0.08),
        sulcal_angle=anatomy.sulcal_angle + rng.normal(scale=0.04),
        knob_swing=anatomy.knob_swing + rng.uniform(-0.08, 0.08),
        knob_reach=anatomy.knob_reach + rng.uniform(-0.4, 0.4),
        sway_phase=anatomy.sway_phase + rng.uniform(-0.5, 0.5),
        touch_at=anatomy.touch_at + rng.uniform(-1, 1),
    )


def slab(
    centre: tuple[float, float, float],
    spacing: tuple[float, float, float],
    shape: tuple[int, int, int],
) -> Grid:
    """An axial grid, RAS axes, whose middle lies at ``centre`` (RAS, mm)."""
    middle = (np.array(shape) - 1) / 2 * spacing
    matrix = np.diag([*spacing[::-1], 1.0])
    matrix[:3, 3] = np.array(centre) - middle[::-1]
    return Grid(shape, matrix)


def place_in(
    grid: Grid,
    anatomy: CentralSulcus,
    hemisphere: str,
    rng: np.random.Generator,
    tilt: float | None = None,
) -> Placement:
    """The anatomy in an axial grid, its knob within half a voxel of the middle.

    It is drawn out along a line that leans by ``tilt`` against the normal of the slices, so
    that cortex which faces backwards leans by as much out of the slices.

    Args:
        grid: RAS axes.
        anatomy: what to place.
        hemisphere: ``left`` or ``right``.
        rng: draws the sub-voxel place, a turn within the slices, and the tilt if None.
        tilt: radians; 5 to 10 degrees if None.
    """
    side = -1 if hemisphere == "left" else 1
    drawn, turn = rng.uniform(0.09, 0.17), rng.uniform(-0.06, 0.06)
    tilt = drawn if tilt is None else tilt
    # Rows are own axes: superior, posterior, lateral; columns k, j, i are S, A, R.
    upright = np.array([[1.0, 0, 0], [0, -1, 0], [0, 0, side]])
    lean = np.array([[np.cos(tilt), np.sin(tilt), 0], [-np.sin(tilt), np.cos(tilt), 0], [0, 0, 1]])
    yaw = np.array([[1, 0, 0], [0, np.cos(turn), np.sin(turn)], [0, -np.sin(turn), np.cos(turn)]])
    spacing = np.array(grid.spacing)
    centre = (np.array(grid.shape) - 1) / 2 * spacing + rng.uniform(-0.5, 0.5, 3) * spacing
    return Placement(anatomy, grid, yaw @ lean @ upright, centre)


def places_on_m1(placement: Placement, along: Floats, depth: float, k: int) -> Floats:
    """(n, 3) RAS mm of true places in M1 on one slice.

    Args:
        placement: of a :class:`CentralSulcus`.
        along: (n,) mm along M1 from the middle of the knob, to lateral.
        depth: 0 at the pial border, 1 at white matter; beyond them outside. Even steps on the
            straight strip, which are all but even in mm.
        k: the slice.
    """
    anatomy = placement.shape
    assert isinstance(anatomy, CentralSulcus)
    plane = anatomy.strip(np.asarray(along, dtype=float) + 1j * anatomy.thickness * (0.5 - depth))
    up, across = plane.imag, plane.real
    # The anatomy is drawn out along its axis, oblique to the slices: where does it meet this one?
    rotation, spacing = placement.rotation, np.array(placement.grid.spacing)
    beside = up * rotation[1, 0] + across * rotation[2, 0]
    axis = (k * spacing[0] - placement.centre[0] - beside) / rotation[0, 0]
    mm = np.column_stack([axis, up, across]) @ rotation + placement.centre
    return placement.grid.ras(mm / spacing)


def parts_along(anatomy: CentralSulcus, along: Floats) -> dict[str, NDArray[np.bool_]]:
    """Which places (n,) are M1's ``foot``, ``hand`` and ``face``: medial of the knob, the knob,
    lateral of it. The knob ends where its flanks run out.

    Args:
        anatomy: whose M1.
        along: (n,) arc length from the knob to lateral, mm.
    """
    end = anatomy.knob_reach + 1.5 * anatomy.knob_bend
    return {"foot": along < -end, "hand": np.abs(along) <= end, "face": along > end}


def _regions(truth: Phantom, anatomy: CentralSulcus) -> dict[str, Image]:
    gray = np.flatnonzero(truth.labels.array == GM)
    index = np.stack(np.unravel_index(gray, truth.grid.shape), axis=1)
    along = anatomy.look(truth.placement.own(index * truth.grid.spacing))[0].real
    regions = {}
    for part, inside in parts_along(anatomy, along).items():
        array = np.zeros(truth.grid.shape, dtype=np.uint8)
        array.reshape(-1)[gray[inside]] = 1
        regions[f"m1_{part}"] = Image(array, truth.grid, f"m1_{part}")
    return regions


def _voxel_means(placement: Placement, relaxation: Relaxation) -> Floats:
    """(k, j, i) mean R2* in 1/s over each voxel's volume.

    The mean rate is what a fit of the mixed signal tends to at short echo times, with tissues
    of equal proton density.
    """
    spacing = np.array(placement.grid.spacing)
    offsets = (np.array(list(np.ndindex(SUBSAMPLES))) + 0.5) / SUBSAMPLES - 0.5
    table = PlaneTable.around(placement, offsets * spacing)
    anatomy = placement.shape
    assert isinstance(anatomy, CentralSulcus)
    w, tissue, depth = anatomy.look(table.points)
    truth = strip_truth(anatomy.strip, table.points, w, tissue, np.inf)
    rate = relaxation.of(tissue, truth.depth_equivolume, depth)
    return table.means(rate[:, None], offsets * spacing)[:, 0].reshape(placement.grid.shape)
