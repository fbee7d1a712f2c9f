"""A simulated scan of the motor cortex: from parameters to echoes, labels and truth."""

from __future__ import annotations

import math
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .errors import InputError
from .folded_sheet import strip_truth
from .grid import Grid, Image
from .motor_cortex import (
    GROUPS,
    HAND_KNOB_RAS,
    HEMISPHERES,
    CentralSulcus,
    parts_along,
    place_in,
    slab,
)
from .parts import MIDLINE_GAP_MM, PARTS
from .phantoms import Placement
from .plane_table import PlaneTable
from .scanner import (
    RAMP,
    Signal,
    background_field,
    coil,
    decays,
    received,
    slice_weights,
    susceptibility_field,
    voxel_points,
)
from .shapes import CSF, GM, UNLABELLED, Floats
from .shapes import Truth as PlacesTruth
from .subject import Hemisphere, Subject, draw_subject
from .tissue import VEIN, Local, Tissues

SIDES = (*HEMISPHERES, "both")

LABELS = {1: "csf", 2: "white_matter", 3: "gray_matter", 4: "other_bank"}
"""Names of the label values; ``gray_matter`` is M1. Without a label: the midplane."""

BRIGHTNESS = 1000.0
"""Mean magnitude of gray matter at the first echo, before shading."""

IN_PLANE_SLOPE = 0.6
"""Hz/mm: SD of what is left of the background field along each axis of the slice."""

MOST_VOXELS = 100_000_000
"""Over all echoes: about 3 GB."""

_IN_M1 = ("thickness", "depth_equidistant", "depth_equivolume")
_AT_CENTRES = (*_IN_M1, "r2star", "vein")


@dataclass(frozen=True)
class Parameters:
    """What to simulate. The defaults are a 7 T scan of one hemisphere's hand knob.

    Attributes:
        subject, session: labels, letters and digits; no session if empty.
        group: ``control`` or ``patient``.
        seed: together with the subject's label it decides all that is drawn.
        hemisphere: ``left``, ``right`` or ``both``; both lie in one volume, closer together
            than in a head.
        days: from the first exam to this one. A patient's iron and atrophy grow on.
        iron: ppb of susceptibility that iron adds to M1 at most; None draws it for the group.
        atrophy: mm that M1 has lost; None draws it.
        snr: mean signal of gray matter at the first echo over the noise's standard deviation
            in the real part.
        tesla: field strength.
        times_ms: echo times.
        spacing: mm along (k, j, i); k runs across the slices.
        slice_thickness: mm; None is the distance of slices.
        ramp: share of the slice thickness over which its profile rises; 0 is a rectangle, as
            in a 3D acquisition.
        extent: field of view in mm along (k, j, i), of one hemisphere.
        tilt: degrees by which the cortex leans out of the slices; None draws 5 to 10.
        gradient: Hz/mm by which the background field changes across the slices.
        shading: of the coil, about the largest relative change to the edge.
    """

    subject: str = "01"
    session: str = ""
    group: str = "control"
    seed: int = 0
    hemisphere: str = "left"
    days: int = 0
    iron: float | None = None
    atrophy: float | None = None
    snr: float = 20.0
    tesla: float = 7.0
    times_ms: tuple[float, ...] = (5.0, 10.0, 15.0, 20.0, 25.0, 30.0, 35.0)
    spacing: tuple[float, float, float] = (0.5, 0.25, 0.25)
    slice_thickness: float | None = None
    ramp: float = RAMP
    extent: tuple[float, float, float] = (12.0, 50.0, 50.0)
    tilt: float | None = None
    gradient: float = 0.0
    shading: float = 0.3

    @classmethod
    def small(cls, **changes: Any) -> Parameters:
        """A case that is made and measured in about a second: fewer, larger voxels."""
        base = cls(
            snr=40.0,
            times_ms=(5.0, 12.0, 20.0, 30.0),
            spacing=(1.0, 0.4, 0.4),
            extent=(6.0, 38.0, 38.0),
        )
        return replace(base, **changes)

    @property
    def thickness_mm(self) -> float:
        """Of the slices."""
        return self.spacing[0] if self.slice_thickness is None else self.slice_thickness

    @property
    def sides(self) -> tuple[str, ...]:
        """The hemispheres to be simulated."""
        return HEMISPHERES if self.hemisphere == "both" else (self.hemisphere,)

    @property
    def shape(self) -> tuple[int, int, int]:
        """Voxels along (k, j, i) of one hemisphere."""
        k, j, i = (
            max(1, round(mm / step)) for mm, step in zip(self.extent, self.spacing, strict=True)
        )
        return k, j, i

    def check(self) -> None:
        """Raises:
        InputError: a parameter that cannot be used; the message says which and why.
        """
        if text := next((text for wrong, text in self._problems() if wrong), None):
            raise InputError(text)

    def _problems(self) -> Iterator[tuple[bool, str]]:
        for name in ("subject", "session"):
            label = getattr(self, name)
            wrong = not (label.isascii() and label.isalnum()) and (label != "" or name == "subject")
            yield (
                wrong,
                f"The {name} {label!r} must consist of letters and digits only, as in BIDS.",
            )
        for name, known in (("group", GROUPS), ("hemisphere", SIDES)):
            value = getattr(self, name)
            yield value not in known, f"{name} {value!r} must be one of: {', '.join(known)}."
        yield (
            not all(0.05 <= mm <= 5 for mm in self.spacing),
            "The spacing must lie between 0.05 and 5 mm along each axis.",
        )
        numbers = {
            "snr": (self.snr, 0.1, 1e9),
            "field strength": (self.tesla, 0.5, 20),
            "iron": (self.iron or 0.0, 0, 300),
            "atrophy": (self.atrophy or 0.0, 0, 1.5),
            "slice thickness": (self.thickness_mm, 0.05, 10),
            "ramp": (self.ramp, 0, 1),
            "tilt": (self.tilt or 0.0, -60, 60),
            "gradient": (self.gradient, -1000, 1000),
            "shading": (self.shading, 0, 2),
            "number of days": (self.days, 0, 3650),
            "seed": (self.seed, 0, 2**63),
        }
        for name, (value, low, high) in numbers.items():
            text = f"The {name} is {value:g}; it must lie between {low:g} and {high:g}."
            yield not low <= value <= high, text
        yield (
            not all(mm <= 60 for mm in self.extent) or min(self.extent[1:]) < 10,
            "The field of view must be at most 60 mm along each axis, and at least 10 mm in the "
            "slice.",
        )
        times = np.array(self.times_ms, dtype=float)
        ascending = times.size >= 2 and times[0] > 0 and (np.diff(times) > 0).all()
        yield (
            not (ascending and times[-1] <= 200),
            "Give two or more echo times in ms that ascend from above zero to at most 200.",
        )
        voxels = math.prod(self.shape) * len(self.sides) * len(self.times_ms)
        yield (
            voxels > MOST_VOXELS,
            f"That is {voxels / 1e6:.0f} million voxels over all echoes, too many. Use a smaller "
            "field of view or a larger spacing.",
        )


@dataclass(frozen=True)
class Truth:
    """What is known of every voxel, at its centre; arrays (k, j, i).

    Attributes:
        thickness: mm, NaN outside M1, as both depths.
        depth_equidistant, depth_equivolume: 0 pial to 1 white matter.
        r2star: 1/s of the tissue at the centre.
        t2star: ms, likewise.
        susceptibility: ppb, the mean over the voxel.
        field_hz: field at the voxel, in Hz.
        vein: whether the centre lies in a vein.
    """

    thickness: Floats
    depth_equidistant: Floats
    depth_equivolume: Floats
    r2star: Floats
    t2star: Floats
    susceptibility: Floats
    field_hz: Floats
    vein: NDArray[np.bool_]


@dataclass(frozen=True)
class Simulation:
    """A simulated scan.

    Attributes:
        parameters: what was asked for.
        subject: who was drawn.
        grid: of all images.
        signal: complex image (k, j, i) of each echo.
        labels: uint8, values as in :data:`LABELS`, that of each voxel's centre.
        regions: ``left_foot``, ``left_hand``, ``left_face``, ``right_foot``, ..., uint8 images
            that are 1 there.
        truth: of every voxel.
        sigma: standard deviation of the noise in the real part.
        placements: of each hemisphere, on its own half of the grid.
    """

    parameters: Parameters
    subject: Subject
    grid: Grid
    signal: tuple[Signal, ...] = field(repr=False)
    labels: Image
    regions: Mapping[str, Image]
    truth: Truth = field(repr=False)
    sigma: float
    placements: Mapping[str, Placement] = field(repr=False)

    @property
    def magnitude(self) -> tuple[Image, ...]:
        """One float32 image for each echo."""
        return self._images("magnitude", np.abs)

    @property
    def phase(self) -> tuple[Image, ...]:
        """One float32 image for each echo, in radians from -pi to pi."""
        return self._images("phase", np.angle)

    def _images(self, name: str, of: Any) -> tuple[Image, ...]:
        return tuple(
            Image(of(signal).astype(np.float32), self.grid, f"{name} of echo {n}")
            for n, signal in enumerate(self.signal, 1)
        )


@dataclass(frozen=True)
class _Half:
    """One hemisphere before the coil and the field act."""

    placement: Placement
    signal: Signal
    labels: NDArray[np.uint8]
    parts: Mapping[str, NDArray[np.uint8]]
    truth: dict[str, NDArray]


def simulate(parameters: Parameters) -> Simulation:
    """Simulates a scan. The same parameters give the same scan.

    Raises:
        InputError: parameters that cannot be used.
    """
    p = parameters
    p.check()
    subject = draw_subject(p.group, _random(p, "subject"), p.iron, p.atrophy, p.days)
    # Every session is placed anew, as a head is in a scanner.
    rng = _random(p, "placement", p.session)
    halves = {side: _half(p, subject, side, rng) for side in p.sides}
    grid = _whole(p)
    truth: dict[str, NDArray] = {
        name: _joined(half.truth[name] for half in halves.values())
        for name in next(iter(halves.values())).truth
    }
    vein = truth.pop("vein") > 0
    labels = _joined(half.labels for half in halves.values())
    clean = _joined(half.signal for half in halves.values())
    rng = _random(p, "scan", p.session)
    slopes = (p.gradient, *(IN_PLANE_SLOPE * rng.standard_normal(2)))
    truth["field_hz"] = susceptibility_field(truth["susceptibility"], p.spacing, p.tesla)
    truth["field_hz"] += background_field(grid.shape, p.spacing, slopes)
    sensitivity = coil(grid.shape, p.shading, rng)
    gray = float(np.abs(clean[..., 0])[labels == GM].mean())
    clean *= np.float32(BRIGHTNESS / gray)
    sigma = BRIGHTNESS / p.snr
    return Simulation(
        p,
        subject,
        grid,
        tuple(
            received(clean[..., n], truth["field_hz"], sensitivity, time, sigma, rng)
            for n, time in enumerate(p.times_ms)
        ),
        Image(labels, grid, "labels"),
        _regions(grid, halves),
        Truth(t2star=1000 / truth["r2star"], vein=vein, **truth),
        sigma,
        {side: half.placement for side, half in halves.items()},
    )


def _random(p: Parameters, *purpose: str) -> np.random.Generator:
    """A generator of its own for each subject and purpose."""
    words = (p.subject, *purpose)
    return np.random.default_rng([p.seed, *(zlib.crc32(word.encode()) for word in words)])


def _whole(p: Parameters) -> Grid:
    """The grid of all hemispheres together, side by side."""
    k, j, i = p.shape
    right, anterior, superior = HAND_KNOB_RAS
    x = {"left": right, "right": -right, "both": 0.0}[p.hemisphere]
    return slab((x, anterior, superior), p.spacing, (k, j, i * len(p.sides)))


def _half(p: Parameters, subject: Subject, side: str, rng: np.random.Generator) -> _Half:
    """One hemisphere, on its part of the grid."""
    whole, first = _whole(p), p.shape[2] * p.sides.index(side)
    matrix = whole.ijk_to_ras.copy()
    matrix[:3, 3] = whole.ras(np.array([[0, 0, first]]))[0]
    own, grid = subject.hemispheres[side], Grid(p.shape, matrix)
    tilt = None if p.tilt is None else float(np.radians(p.tilt))
    placement = place_in(grid, own.anatomy, side, rng, tilt)
    tissues = Tissues(subject.iron, own.involvement, subject.r2star_factor, p.tesla)
    signal, susceptibility = voxel_sums(p, own, tissues, placement)
    half = _Half(
        placement,
        signal.reshape(*p.shape, len(p.times_ms)),
        np.empty(p.shape, np.uint8),
        {f"{side}_{name}": np.empty(p.shape, np.uint8) for name in PARTS},
        {name: np.empty(p.shape, np.float32) for name in _AT_CENTRES},
    )
    for block, places in placement.points():
        found = _look(own, tissues, places)
        half.labels.reshape(-1)[block] = found.truth.tissue
        for name, inside in parts_along(own.anatomy, found.along).items():
            inside &= found.truth.tissue == GM
            half.parts[f"{side}_{name}"].reshape(-1)[block] = inside
        for name in _AT_CENTRES:
            source = found if name == "vein" else found.local if name == "r2star" else found.truth
            half.truth[name].reshape(-1)[block] = getattr(source, name)
    half.truth["susceptibility"] = susceptibility.reshape(p.shape)
    if p.hemisphere == "both":
        _cut_midline(grid, half)
    return half


def voxel_sums(
    p: Parameters, own: Hemisphere, tissues: Tissues, placement: Placement
) -> tuple[Signal, NDArray[np.float32]]:
    """Signal (voxels, echoes) and mean susceptibility (voxels,) over each voxel's volume."""
    lean = float(np.arccos(np.clip(placement.rotation[0, 0], -1, 1)))
    points = voxel_points(p.spacing, p.thickness_mm, p.ramp, lean)
    table = PlaneTable.around(placement, points.offsets)
    local = _look(own, tissues, table.points).local
    values = np.column_stack([decays(local, p.times_ms), local.susceptibility.astype(np.float32)])
    weights = np.column_stack([slice_weights(points, p.times_ms, p.gradient), points.weights])
    sums = table.means(values, points.offsets, weights)
    return sums[:, :-1].astype(np.complex64), sums[:, -1].real.astype(np.float32)


@dataclass(frozen=True)
class _Found:
    """What lies at n places: arc length along M1, M1's truth, signal properties, veins."""

    along: Floats
    truth: PlacesTruth
    local: Local
    vein: NDArray[np.bool_]


def _look(own: Hemisphere, tissues: Tissues, places: Floats) -> _Found:
    """What lies at own coordinates (n, 3)."""
    anatomy = own.anatomy
    w, tissue, other_depth = anatomy.look(places)
    truth = strip_truth(anatomy.strip, places, w, tissue, np.inf)
    vein = _in_vein(own, places) & (tissue == CSF)
    substance = np.where(vein, VEIN, tissue)
    local = tissues.at(substance, w.real, truth.depth_equivolume, other_depth)
    return _Found(w.real, truth, local, vein)


def _in_vein(own: Hemisphere, places: Floats) -> NDArray[np.bool_]:
    """Which places (n, 3) lie within a vein's radius of its middle."""
    inside = np.zeros(len(places), dtype=bool)
    for vein in own.veins:
        middle = _middle_of_sulcus(own.anatomy, vein.along)
        apart = np.hypot(places[:, 2] - middle.real, places[:, 1] - middle.imag)
        inside |= apart < vein.radius
    return inside


def _middle_of_sulcus(anatomy: CentralSulcus, along: float) -> complex:
    """Where (across + i up) the middle of the sulcus lies over a place on M1."""
    pial = np.array([along + 0.5j * anatomy.thickness])
    outward = 1j * anatomy.strip.derivative(pial)
    width = anatomy.gap_width(np.array([along]))
    return complex((anatomy.strip(pial) + outward / np.abs(outward) * width / 2)[0])


def _cut_midline(grid: Grid, half: _Half) -> None:
    """Takes labels off near the midplane, where nothing is as in a head."""
    x = grid.ijk_to_ras[0, 3] + grid.ijk_to_ras[0, 0] * np.arange(grid.shape[2])
    near = np.abs(x) <= MIDLINE_GAP_MM
    half.labels[..., near] = UNLABELLED
    for part in half.parts.values():
        part[..., near] = 0
    for name in _IN_M1:
        half.truth[name][..., near] = np.nan


def _joined(arrays: Any) -> NDArray:
    """Hemispheres side by side, from left to right."""
    some = list(arrays)
    return some[0] if len(some) == 1 else np.concatenate(some, axis=2)


def _regions(grid: Grid, halves: Mapping[str, _Half]) -> dict[str, Image]:
    """Each part of each hemisphere, on the grid of all."""
    regions = {}
    for side, half in halves.items():
        for name, part in half.parts.items():
            empty = np.zeros_like(part)
            row = [part if other == side else empty for other in halves]
            regions[name] = Image(_joined(row), grid, name)
    return regions
