"""Tables of one patient among controls, each with a JSON sidecar that explains its columns."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from .group_tables import WHICH, Column, estimate_columns, write_omissions, write_table
from .placed import Comparison, PlacedProfile
from .statistics.single_case import SingleCase

OWN = "of the measure"


def _case(prefix: str, source: str, among: str) -> tuple[Column, ...]:
    return (
        Column(f"{prefix}n", f"Controls {among}.", f"{source}.n"),
        Column(f"{prefix}expected", f"What controls {among} have on average.",
               f"{source}.expected.value", OWN),
        Column(f"{prefix}range_low", "Lower end of the range that holds one more such control in "
               "95 % of cases.", f"{source}.expected.low", OWN),
        Column(f"{prefix}range_high", "Upper end of that range.", f"{source}.expected.high", OWN),
        Column(f"{prefix}sd", "Standard deviation of controls around what is expected.",
               f"{source}.sd", OWN),
        *estimate_columns(f"{prefix}z", "The patient's distance from what is expected, in these "
                          "standard deviations.", f"{source}.z", "noncentral t"),
        Column(f"{prefix}t", "t of the test that the patient is one of them.", f"{source}.t"),
        Column(f"{prefix}df", "Its degrees of freedom.", f"{source}.df"),
        Column(f"{prefix}p", "Its two-sided p.", f"{source}.p"),
        *estimate_columns(f"{prefix}below", "Share of controls expected to have a lower value; "
                          "times 100 the percentile.", f"{source}.below", "noncentral t"),
    )  # fmt: skip


COLUMNS = (
    *WHICH,
    Column("value", "The patient's value.", "plain.value", OWN),
    Column("controls_lower", "Controls of the table whose value is lower.", "lower"),
    Column("controls_missing", "Controls without a value.", "missing"),
    *_case("", "plain", "of any age and sex (Crawford and Howell 1998)"),
    *_case("adjusted_", "adjusted", "of the patient's age and sex, by regression (Crawford and "
           "Garthwaite 2006)"),
    Column("q", "Two-sided p, the adjusted one where there is one, adjusted by "
           "Benjamini-Hochberg over all measures of this table.", "q"),
)  # fmt: skip


@dataclass(frozen=True)
class _Bin:
    """One depth of one profile."""

    row: PlacedProfile
    bin: int
    depth_from: float
    depth_to: float
    value: float
    case: SingleCase | None


PROFILE_COLUMNS = (
    Column("region", "Region of the motor cortex; ribbon is the whole.", "row.region"),
    Column("map", "Contrast map.", "row.map"),
    Column("unit", "Unit of the means.", "row.unit"),
    Column("bin", "Depth bin, 1 at the pial surface.", "bin"),
    Column("depth_from", "Its shallow end; 0 is the pial surface.", "depth_from"),
    Column("depth_to", "Its deep end; 1 is the white-matter border.", "depth_to"),
    Column("value", "The patient's mean there.", "value"),
    *_case("", "case", "with this profile"),
)


def write_placed(folder: Callable[[str], Path], found: Comparison) -> None:
    """Writes ``comparison``, ``profile_comparison`` where there are profiles, ``omissions``."""
    held = f" at equal {' and '.join(found.held)}" if found.held else ""
    about = (
        f"One patient among {len(found.controls.ids)} controls; columns named adjusted compare"
        f"{held or ' nothing, since neither age nor sex could be held equal'}."
    )
    write_table(folder, "comparison", COLUMNS, found.rows, about)
    if found.profiles:
        rows = [
            _Bin(p, i + 1, float(p.edges[i]), float(p.edges[i + 1]), float(p.values[i]), case)
            for p in found.profiles
            for i, case in enumerate(p.bins)
        ]
        about = "The patient's laminar profiles among the controls', each depth alone."
        write_table(folder, "profile_comparison", PROFILE_COLUMNS, rows, about)
    write_omissions(folder, found.controls.omissions)
