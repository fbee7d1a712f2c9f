"""How far the measures of simulated scans are from their truth, from files as a user has them.

Borders are the true labels, or those that the trace tool finds on the SNR-weighted mean of the
echoes, along curves through the true middle of M1. The tests hold two subjects to limits
(``test_phantom.py``).
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from tables import Detail, table

from ALSMotorCortexLib.cortex.errors import InputError
from ALSMotorCortexLib.cortex.measure import measure
from ALSMotorCortexLib.cortex.motor_cortex import GROUPS, SETTINGS, places_on_m1
from ALSMotorCortexLib.cortex.result import Measurement
from ALSMotorCortexLib.cortex.settings import Settings
from ALSMotorCortexLib.cortex.shapes import GM
from ALSMotorCortexLib.cortex.trace import trace_cortex
from ALSMotorCortexLib.cortex.traced_ribbon import ribbon_labels
from ALSMotorCortexLib.cortex.true_measures import true_measures
from ALSMotorCortexLib.maps import MapOptions, MapSet, compute_maps
from ALSMotorCortexLib.phantom import Parameters, Simulation, write
from ALSMotorCortexLib.study.images import read_image, whole_numbers

EXTENT_MM = (4.0, 34.0, 34.0)
"""Field of view along (k, j, i): the knob and what is beside it."""

REACH_MM = 9.0
"""The traces go this far along M1, to either side of the middle of the knob."""

TRACED_SLICES = (1, 3, 5)
TRACED_ON = "combined_snr"
NOT_TO_TRACE_ON = ("T2star", "R2star")
"""Maps on which cortex and white matter hardly differ."""

LAYERS = ("superficial", "middle", "deep")


@dataclass(frozen=True)
class Case:
    """A scan measured from its files with true labels, beside its truth."""

    simulation: Simulation
    maps: MapSet
    measured: Measurement
    true: Mapping[tuple[str, str, str], float]

    def pair(self, name: str, region: str, map_: str = "T2star") -> tuple[float, float]:
        """Found and true."""
        return self.measured.value(name, region, map_), self.true[region, map_, name]


@dataclass(frozen=True)
class Recovered:
    """Found and true numbers of one ribbon: mm, ms of each layer, and a share.

    ``warned``: whether a trace warned that a border is uncertain.
    """

    thickness: tuple[float, float]
    layers: tuple[tuple[float, float], ...]
    hypointensity: tuple[float, float]
    warned: bool = False


def make_case(out: Path, parameters: Parameters) -> Case:
    """Writes a scan into the dataset ``out``, reads it, fits its maps and measures it."""
    written = write(out, parameters)
    maps = compute_maps([written.folder], MapOptions())
    label = f"sub-{parameters.subject}"
    folder = out / "derivatives" / "labels" / label / "anat"
    labels = whole_numbers(read_image(folder / f"{label}_desc-cortex_dseg.nii.gz").image)
    simulation = written.simulation
    t2star = {"T2star": maps.to_measure()["T2star"]}
    measured = measure(labels, SETTINGS, t2star, simulation.regions, {"T2star": "ms"})
    true = {(m.region, m.map, m.measure): m.value for m in true_measures(simulation)}
    return Case(simulation, maps, measured, true)


def labelled(case: Case, region: str = "ribbon") -> Recovered:
    """With true labels."""
    return Recovered(
        case.pair("thickness_mean", region, ""),
        tuple(case.pair(f"layer_{layer}_mean", region) for layer in (1, 2, 3)),
        case.pair("deep_hypointensity", region),
    )


def traced(case: Case, on: str = TRACED_ON) -> Recovered:
    """Between borders traced on a map, beside the truth over the same stretch.

    The curves run through the true middle of M1, as a careful user's do.

    Raises:
        InputError: there is no cortex to trace on the map.
    """
    s = case.simulation
    along = np.linspace(-REACH_MM, REACH_MM, 8)
    traces = [
        trace_cortex(
            case.maps.images[on],
            places_on_m1(s.placements["left"], along, 0.5, k),
            np.array([0.0, 0.0, 1.0]),
        )
        for k in TRACED_SLICES
    ]
    labels = ribbon_labels(traces, s.grid)
    maps = {"T2star": case.maps.to_measure()["T2star"]}
    found = measure(labels, Settings(gm=(3,), wm=(2,), csf=(1,)), maps, units={"T2star": "ms"})
    thickness, layers = _truth_where_traced(s)
    return Recovered(
        (found.value("thickness_mean"), thickness),
        tuple(
            (found.value(f"layer_{number}_mean", map="T2star"), true)
            for number, true in enumerate(layers, 1)
        ),
        (found.value("deep_hypointensity", map="T2star"), 1 - layers[2] / layers[0]),
        any(finding.warning for trace in traces for finding in trace.findings),
    )


def _truth_where_traced(s: Simulation) -> tuple[float, list[float]]:
    """True mean thickness in mm, and T2* of each layer in ms."""
    placement = s.placements["left"]
    m1 = np.argwhere(s.labels.array == GM)
    m1 = m1[(m1[:, 0] >= TRACED_SLICES[0]) & (m1[:, 0] <= TRACED_SLICES[-1])]
    w, _, _ = placement.shape.look(placement.own(m1 * s.grid.spacing))
    here = tuple(m1[np.abs(w.real) < REACH_MM].T)
    depth, t2star = s.truth.depth_equivolume[here], s.truth.t2star[here]
    layer_of = np.minimum((3 * depth).astype(int), 2)
    layers = [float(t2star[layer_of == layer].mean()) for layer in range(3)]
    return float(s.truth.thickness[here].mean()), layers


# As tables --------------------------------------------------------------------------------


def report(quick: bool) -> Iterator[str]:
    """The table, and one on maps that are not to be traced on."""
    count = 1 if quick else 6
    columns: dict[str, list[Recovered]] = {}
    elsewhere: dict[str, list[Recovered | None]] = {}
    with tempfile.TemporaryDirectory() as folder:
        for parameters in scans(count):
            case = make_case(Path(folder), parameters)
            group = f"{parameters.group}s"
            columns.setdefault(f"{group}, true labels", []).append(labelled(case))
            columns.setdefault(f"{group}, traced", []).append(traced(case))
            for on in NOT_TO_TRACE_ON:
                elsewhere.setdefault(f"{on}, {group}", []).append(_traced_if_possible(case, on))
    yield explanation(count) + "\n\n" + recovery_table(columns)
    rows = [_elsewhere_row(name, found) for name, found in elsewhere.items()]
    head = ["traced on", "thickness, error (mm)", "subjects", "warned", "not traced"]
    yield Detail(ELSEWHERE + "\n\n" + table(head, rows))


def scans(count: int) -> list[Parameters]:
    """``count`` subjects of each group; iron and atrophy are drawn for each."""
    return [
        Parameters(subject=f"{group[0].upper()}{number}", group=group, extent=EXTENT_MM)
        for group in GROUPS
        for number in range(1, count + 1)
    ]


def recovery_table(columns: Mapping[str, Sequence[Recovered]]) -> str:
    """A row for each measure, a column for each group and kind of borders."""
    rows = [
        ["thickness, true (mm)", *(_range(r.thickness[1] for r in c) for c in columns.values())],
        ["thickness, error (mm)", *(_errors([r.thickness for r in c]) for c in columns.values())],
    ]
    for layer, name in enumerate(LAYERS):
        cells = (_percents([r.layers[layer] for r in c]) for c in columns.values())
        rows.append([f"T2*, {name} layer, error (%)", *cells])
    hypointensities = [[r.hypointensity for r in c] for c in columns.values()]
    rows += [
        ["deep hypointensity, true", *(_range(t for _, t in c) for c in hypointensities)],
        ["deep hypointensity, error", *(_errors(c, 3) for c in hypointensities)],
    ]
    return table(["", *columns], rows)


def _range(values: Iterator[float]) -> str:
    some = list(values)
    return f"{min(some):.2f} to {max(some):.2f}"


def _errors(pairs: Sequence[tuple[float, float]], digits: int = 2) -> str:
    return _mean_and_range([found - true for found, true in pairs], digits)


def _percents(pairs: Sequence[tuple[float, float]]) -> str:
    return _mean_and_range([100 * (found / true - 1) for found, true in pairs], 1)


def _mean_and_range(errors: Sequence[float], digits: int) -> str:
    mean, low, high = (f"{x:+.{digits}f}" for x in (np.mean(errors), min(errors), max(errors)))
    return f"{mean} ({low} to {high})"


def _traced_if_possible(case: Case, on: str) -> Recovered | None:
    try:
        return traced(case, on)
    except InputError:
        return None


def _elsewhere_row(name: str, found: Sequence[Recovered | None]) -> list[str]:
    known = [one for one in found if one is not None]
    error = _errors([one.thickness for one in known]) if known else ""
    warned = sum(one.warned for one in known)
    return [name, error, str(len(found)), str(warned), str(len(found) - len(known))]


def explanation(count: int) -> str:
    p = Parameters()
    voxel = " x ".join(f"{mm:g}" for mm in p.spacing[::-1])
    return f"""## Recovery from simulated scans

Scans simulated by `phantom`, of {count} subjects in each group: {p.tesla:g} T, {voxel} mm,
{len(p.times_ms)} echoes, an SNR of {p.snr:g} at the first. They are written to files, read, fitted
with the noise estimated, and measured. Errors are found less true: mean over the subjects, and in
brackets the least and the greatest. *True labels*: the ribbon of M1 as it was simulated, a voxel
belonging to the tissue at its centre. *Traced*: between borders that the trace tool found on
`{TRACED_ON}`, along curves through the middle of M1 at the knob on every other slice, beside the
truth of the same stretch."""


ELSEWHERE = """Thickness between borders that were traced on maps on which cortex and white matter
hardly differ, of the same subjects; *warned* counts those whose traces said that a border is
uncertain. Trace on a combined image instead."""
