"""How far thickness and depth are from the truth of phantoms."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields, replace

import numpy as np
from core import Core, measure_core
from numpy.typing import NDArray
from peers import LayNii, has_pyezzi, pyezzi_thickness
from scipy.spatial.transform import Rotation
from tables import Detail, table

from ALSMotorCortexLib.cortex.folded_sheet import FoldedSheet
from ALSMotorCortexLib.cortex.grid import Grid, Image
from ALSMotorCortexLib.cortex.phantoms import Phantom, Placement, place, sample_placed
from ALSMotorCortexLib.cortex.shapes import GM, Cylinder, Shape, Slab, Sphere

SEED = 20161
MARGIN_MM = 1.0
"""How far the field lines of interior voxels keep from cut sides."""

SHAPES: dict[str, Callable[[float], Shape]] = {
    "oblique slab": lambda mm: Slab(mm, 5.0, 5.0),
    "cylinder, radius 5 mm, gyrus": lambda mm: Cylinder(5, 5 + mm, True, 4.0),
    "cylinder, radius 5 mm, sulcus": lambda mm: Cylinder(5, 5 + mm, False, 4.0),
    "cylinder, radius 3 mm, gyrus": lambda mm: Cylinder(3, 3 + mm, True, 4.0),
    "cylinder, radius 3 mm, sulcus": lambda mm: Cylinder(3, 3 + mm, False, 4.0),
    "sphere, radius 5 mm, gyrus": lambda mm: Sphere(5, 5 + mm, True),
    "sphere, radius 5 mm, sulcus": lambda mm: Sphere(5, 5 + mm, False),
    "sphere, radius 3 mm, gyrus": lambda mm: Sphere(3, 3 + mm, True),
    "sphere, radius 3 mm, sulcus": lambda mm: Sphere(3, 3 + mm, False),
    "folded sheet": lambda mm: FoldedSheet(mm),
}
"""Shapes of a thickness in mm. The radius is the inner one. Gyrus: white matter inside. Sulcus:
CSF inside."""

THICKNESS_MM = (2.75, 3.25)
"""Each repeat draws its thickness from here. With a whole number of voxels, the staircases of
both borders would be alike wherever the surface runs along the voxels, and their errors would
cancel."""

SLAB_DEGREES = 10.0
"""How far a slab's normal keeps from the voxel axes. The labels of a plane along the voxels hold
no sub-voxel place, whoever measures."""

SPACINGS = ((0.32, 0.2, 0.2), (0.25, 0.25, 0.25), (1.5, 0.25, 0.25), (0.5, 0.5, 0.5))
"""mm along (k, j, i)."""

THICK_SLICE_MM = 1.0
"""From this spacing on a shape stands upright on the slices, and only cylinders and sheets do."""


@dataclass(frozen=True)
class Score:
    """Errors over some voxels of one phantom, or their means over phantoms.

    Attributes:
        bias: mean error of thickness, mm.
        error: mean absolute error of thickness, mm.
        equidistant, equivolume: mean absolute errors of depth.
        lost: share of the voxels that got no value.
        voxels: how many.
    """

    bias: float
    error: float
    equidistant: float
    equivolume: float
    lost: float
    voxels: float

    def misses(self, limit: Score) -> list[str]:
        """Names of the errors that reach their limit. A value that is NaN does so."""
        names = ("bias", "error", "equidistant", "equivolume")
        return [n for n in names if not abs(getattr(self, n)) < getattr(limit, n)]


def limit_at(spacing: tuple[float, float, float]) -> Score:
    """What the project asks for at a voxel size."""
    if min(spacing) < 0.4:
        return Score(0.008, 0.02, 0.006, 0.006, 0, 0)
    return Score(0.015, 0.04, 0.012, 0.012, 0, 0)


@dataclass(frozen=True)
class Case:
    """A shape at a voxel size, with the scores of each repeat.

    Attributes:
        spacing: mm along (k, j, i).
        shape: its name.
        style: of the labels.
        scores: for each program and each set of voxels, one score per repeat.
    """

    spacing: tuple[float, float, float]
    shape: str
    style: str
    scores: dict[tuple[str, str], list[Score]]

    def mean(self, program: str, voxels: str) -> Score | None:
        scores = self.scores.get((program, voxels))
        if not scores:
            return None
        names = [field.name for field in fields(Score)]
        return Score(*(float(np.mean([getattr(s, n) for s in scores])) for n in names))


def report(quick: bool, laynii: LayNii | None) -> Iterator[str]:
    """The tables, one text after the other, as they are ready."""
    cases: list[Case] = []
    for spacing in SPACINGS:
        for number, (name, shape_of) in enumerate(SHAPES.items()):
            if spacing[0] >= THICK_SLICE_MM and not name.startswith(("cylinder", "folded")):
                continue
            repeats = 1 if quick else repeats_at(spacing)
            cases += measure_case(spacing, name, shape_of, number, repeats, laynii)
    yield EXPLANATION + (QUICK if quick else FULL)
    yield "### Summary\n\n" + _summary(cases)
    for style in ("tissue", "rim"):
        for voxels in ("all", "interior"):
            yield Detail(
                f"### {style} labels, {VOXELS[voxels]}\n\n" + _details(cases, style, voxels)
            )


def repeats_at(spacing: tuple[float, float, float]) -> int:
    """Phantoms of each shape. Upright on thick slices all slices are alike: one tells less."""
    return 8 if spacing[0] >= THICK_SLICE_MM else 4


VOXELS = {"all": "all gray-matter voxels", "interior": "interior voxels"}

EXPLANATION = f"""## Accuracy

Phantoms of known truth at random sub-voxel offsets and orientations, {THICKNESS_MM[0]} to
{THICKNESS_MM[1]} mm thick at random, with a fixed seed. The radius is the inner one. Gyrus: white
matter inside the curve. Sulcus: CSF there. The slab's normal keeps {SLAB_DEGREES:g} degrees from
the voxel axes. With thick slices the shapes stand upright on them. Rim labels: one-voxel lines
through whose middle the border runs. *All* voxels are all that the labels call gray matter and
that got a value; *lost* is the share that got none. *Interior* voxels are those whose field line
keeps {MARGIN_MM:g} mm from the sides where a shape is cut, and its own length from the volume's
edge. Spheres have no cut sides.

Limits: thickness bias 0.008 mm and mean absolute error 0.02 mm, depth 0.006 at up to 0.25 mm in
plane; 0.015 mm, 0.04 mm and 0.012 at 0.5 mm. A number over its limit is in bold.

pyEzzi measures thickness, on the same tissue labels, with its default tolerances. It puts the
border at the voxel's edge, has no cut faces (unlabelled voxels count as pial, which spoils its
numbers near the sides of all shapes but the spheres) and calls its own results on anisotropic
voxels very approximate. LN2_LAYERS, where it was given, measures the rim labels of the
first repeat."""

FULL = "\n\nNumbers are means over four repeats, with thick slices eight."
QUICK = "\n\nOne repeat only (`--quick`)."


def measure_case(
    spacing: tuple[float, float, float],
    name: str,
    shape_of: Callable[[float], Shape],
    number: int,
    repeats: int,
    laynii: LayNii | None,
) -> Iterator[Case]:
    """Measure a shape at a voxel size in both label styles."""
    cases = {style: Case(spacing, name, style, {}) for style in ("tissue", "rim")}
    for repeat in range(repeats):
        rng = np.random.default_rng([SEED, SPACINGS.index(spacing), number, repeat])
        shape = shape_of(rng.uniform(*THICKNESS_MM))
        rotation = upright(rng) if spacing[0] >= THICK_SLICE_MM else oblique(rng)
        placement = place(shape, spacing, rng, rotation)
        if isinstance(shape, Slab):
            placement = with_room(placement, shape.height)
        phantom = sample_placed(placement, MARGIN_MM)
        rim = phantom.rim()
        for style, labels in (("tissue", phantom.labels), ("rim", rim)):
            core = measure_core(labels, style)
            found = [_painted(labels, core.voxels, values) for values in _three(core)]
            _add(cases[style], "ours", phantom, labels, found)
        if has_pyezzi():
            thickness = pyezzi_thickness(phantom.labels)
            nothing = np.full(thickness.shape, np.nan, np.float32)
            found = [thickness, nothing, nothing]
            _add(cases["tissue"], "pyEzzi", phantom, phantom.labels, found)
        if laynii and not repeat:
            _add(cases["rim"], "LN2_LAYERS", phantom, rim, list(laynii.measure(rim)))
    yield from cases.values()


def upright(rng: np.random.Generator) -> NDArray[np.float64]:
    """An orientation whose axis stays along k."""
    angle = rng.uniform(0, 2 * np.pi)
    c, s = np.cos(angle), np.sin(angle)
    return np.array([[1, 0, 0], [0, c, -s], [0, s, c]])


def oblique(rng: np.random.Generator) -> NDArray[np.float64]:
    """A random orientation whose ``up`` direction, a slab's normal, lies along no voxel axis."""
    while True:
        rotation = Rotation.from_quat(rng.normal(size=4)).as_matrix()
        if np.abs(rotation[1]).max() < np.cos(np.radians(SLAB_DEGREES)):
            return rotation


def with_room(placement: Placement, mm: float) -> Placement:
    """The same place on a larger grid.

    Interior voxels keep from the volume's edge. Where a slab lies along it, too close to its
    edge, none would be left.
    """
    spacing = np.array(placement.grid.spacing)
    k, j, i = np.ceil(mm / spacing).astype(int)
    shape = np.add(placement.grid.shape, (2 * k, 2 * j, 2 * i))
    grid = Grid.from_spacing(tuple(shape.tolist()), placement.grid.spacing)
    return replace(placement, grid=grid, centre=placement.centre + (k, j, i) * spacing)


def _three(core: Core) -> tuple[NDArray, NDArray, NDArray]:
    return core.thickness, core.depth_equidistant, core.depth_equivolume


def _painted(labels: Image, voxels: NDArray[np.int64], values: NDArray) -> NDArray[np.float32]:
    array = np.full(labels.array.size, np.nan, np.float32)
    array[voxels] = values
    return array.reshape(labels.array.shape)


def _add(case: Case, program: str, phantom: Phantom, labels: Image, found: list[NDArray]) -> None:
    """Score a result over both sets of voxels."""
    gray = labels.array == GM
    for name, voxels in (("all", gray), ("interior", gray & phantom.interior)):
        case.scores.setdefault((program, name), []).append(_score(phantom, voxels, found))


def _score(phantom: Phantom, voxels: NDArray[np.bool_], found: list[NDArray]) -> Score:
    truths = (phantom.thickness, phantom.depth_equidistant, phantom.depth_equivolume)
    errors = [f[voxels] - t[voxels] for f, t in zip(found, truths, strict=True)]
    known = np.isfinite(errors[0])
    thickness, equidistant, equivolume = (np.abs(e[known]).mean() for e in errors)
    return Score(
        bias=float(errors[0][known].mean()),
        error=float(thickness),
        equidistant=float(equidistant),
        equivolume=float(equivolume),
        lost=float(1 - known.mean()),
        voxels=int(voxels.sum()),
    )


def size_of(spacing: tuple[float, float, float]) -> str:
    """A voxel size as people write it, in plane first."""
    return " x ".join(f"{s:g}" for s in spacing[::-1])


def _summary(cases: list[Case]) -> str:
    head = (
        *("voxel (mm)", "labels", "voxels", "shapes within limits", "single phantoms within"),
        *("worst bias", "worst error", "worst equidistant", "worst equivolume"),
    )
    rows = []
    for spacing in SPACINGS:
        for style in ("tissue", "rim"):
            for voxels in VOXELS:
                rows.append(_summary_row(cases, spacing, style, voxels))
    return table(head, rows)


def _summary_row(
    cases: list[Case], spacing: tuple[float, float, float], style: str, voxels: str
) -> list[object]:
    limit = limit_at(spacing)
    mine = [c for c in cases if (c.spacing, c.style) == (spacing, style)]
    means = [mean for c in mine if (mean := c.mean("ours", voxels))]
    singles = [s for c in mine for s in c.scores[("ours", voxels)]]
    good, good_singles = (sum(not s.misses(limit) for s in some) for some in (means, singles))
    worst = [
        max((abs(getattr(m, name)) for m in means), default=np.nan)
        for name in ("bias", "error", "equidistant", "equivolume")
    ]
    return [
        size_of(spacing),
        style,
        voxels,
        f"{good} of {len(means)}",
        f"{good_singles} of {len(singles)}",
        *(f"{w:.4f}" for w in worst),
    ]


def _details(cases: list[Case], style: str, voxels: str) -> str:
    peer = {"tissue": "pyEzzi", "rim": "LN2_LAYERS"}[style]
    mine = [c for c in cases if c.style == style]
    with_peer = any((peer, voxels) in c.scores for c in mine)
    head = ["voxel (mm), shape", "voxels", "lost", "bias (mm)", "error (mm)"]
    head += ["equidistant", "equivolume", "within limits"]
    if with_peer:
        head += [f"{peer} bias", "error"] + (["depths"] if style == "rim" else [])
    return table(head, (_details_row(c, voxels, peer if with_peer else None) for c in mine))


def _details_row(case: Case, voxels: str, peer: str | None) -> list[object]:
    mean = case.mean("ours", voxels)
    assert mean
    missed = mean.misses(limit_at(case.spacing))
    signed = {"bias": "+.4f"}
    numbers = [
        f"**{text}**" if name in missed else text
        for name in ("bias", "error", "equidistant", "equivolume")
        for text in [format(getattr(mean, name), signed.get(name, ".4f"))]
    ]
    row: list[object] = [
        f"{size_of(case.spacing)}, {case.shape}",
        f"{mean.voxels:,.0f}",
        f"{100 * mean.lost:.2f} %",
        *numbers,
        "no" if missed else "yes",
    ]
    if peer:
        other = case.mean(peer, voxels)
        if other is None:
            return [*row, "", ""] + ([""] if case.style == "rim" else [])
        row += [f"{other.bias:+.3f}", f"{other.error:.3f}"]
        if case.style == "rim":
            row.append(f"{other.equidistant:.3f}, {other.equivolume:.3f}")
    return row
