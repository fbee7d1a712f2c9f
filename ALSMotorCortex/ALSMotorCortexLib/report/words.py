"""Numbers and names as a reader wants them."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

NOT_MEASURED = "not measured"
NARROW_SPACE = "\u202f"
DIGITS = {"mm": 2, "mm2": 0, "mm3": 0, "1": 3, "1/mm": 3, "deg": 1, "degrees": 1}
UNITS = {"mm2": "mm²", "mm3": "mm³", "1": "", "deg": "°", "degrees": "°"}


def number(value: float, unit: str = "") -> str:
    """A number with digits that fit its unit: 0.01 mm, whole mm2, four digits for a map."""
    if not math.isfinite(value):
        return NOT_MEASURED
    if unit in DIGITS and abs(value) < 1e7:
        digits = DIGITS[unit]
        if unit in ("mm2", "mm3") and abs(value) < 100:
            digits = 1
        text = f"{value:,.{digits}f}"
    elif value and not 1e-3 <= abs(value) < 1e7:
        mantissa, power = f"{value:.3e}".split("e")
        return f"{minus(mantissa)} × 10{_superscript(int(power))}"
    else:
        text = f"{value:,.{significant(value)}f}"
    return minus(re.sub(r"^-(?=[0.]*$)", "", text).replace(",", NARROW_SPACE))


def significant(value: float, digits: int = 4) -> int:
    """Decimals that show ``digits`` significant digits."""
    return 0 if not value else min(6, max(0, digits - 1 - math.floor(math.log10(abs(value)))))


def with_unit(value: float, unit: str) -> str:
    """A number and its unit."""
    shown = unit_name(unit)
    text = number(value, unit)
    return text if text == NOT_MEASURED or not shown else f"{text}\u00a0{shown}"


def unit_name(unit: str) -> str:
    """A unit as it is printed; a ratio has none."""
    return UNITS.get(unit, unit)


def count(n: int) -> str:
    """A whole number with thin spaces between thousands."""
    return f"{n:,}".replace(",", NARROW_SPACE)


def minus(text: str) -> str:
    return text.replace("-", "\u2212")


def _superscript(n: int) -> str:
    return str(n).translate(str.maketrans("0123456789-", "⁰¹²³⁴⁵⁶⁷⁸⁹⁻"))


@dataclass(frozen=True)
class Term:
    """A measure's printed name and what it means, with its formula."""

    name: str
    meaning: str


# The formulas are those of cortex/indices.py, which also names their sources.
TERMS = {
    "thickness_mean": Term(
        "Thickness, mean",
        "Mean over the region's gray-matter voxels of the length of the field line through each "
        "voxel, from the pial to the white-matter border (Jones 2000; Yezzi and Prince 2003).",
    ),
    "thickness_median": Term("Thickness, median", "Half of the voxels are thicker."),
    "thickness_sd": Term("Thickness, SD", "Standard deviation over the same voxels."),
    "thickness_p05": Term("Thickness, 5th percentile", "5 % of the voxels are thinner."),
    "thickness_p95": Term("Thickness, 95th percentile", "5 % of the voxels are thicker."),
    "thickness_per_area": Term(
        "Thickness, mean over area",
        "Each voxel weighs 1 / thickness, so that thick places, which hold more voxels, count no "
        "more than thin ones.",
    ),
    "ribbon_volume": Term("Volume", "Voxels with a thickness × volume of a voxel."),
    "mid_surface_area": Term(
        "Mid-surface area", "Area of the surface half-way between the two borders."
    ),
    "measured_share": Term(
        "Share measured", "Voxels with a thickness / all gray-matter voxels of the region."
    ),
    "angle_mean": Term(
        "Angle, mean",
        "Mean over the region's voxels of the angle between the cortex's normal and the slices. "
        "At 0 the slices cut straight across the cortex. Angles end at 70, which stands for more.",
    ),
    "angle_max": Term("Angle, greatest", "Greatest angle between the cortex's normal and slices."),
    "left_out_share": Term(
        "Share left out",
        "Measured voxels whose column the slices cut too obliquely for the means / all measured "
        "voxels of the region.",
    ),
    "mean": Term("Mean", "Mean of the map over the region's voxels with a depth and a value."),
    "deep_hypointensity": Term(
        "Deep hypointensity",
        "1 − mean of the deepest layer / mean of the most superficial layer; in maps where iron is "
        "bright (R2*, susceptibility) deep / superficial − 1. Above 0: the deep layer looks richer "
        "in iron.",
    ),
    "deep_minus_superficial": Term(
        "Deep minus superficial", "Mean of the deepest layer − mean of the most superficial layer."
    ),
    "signal_thickness_ratio": Term(
        "Signal-thickness ratio",
        "Deep hypointensity / mean thickness (after Donatelli, AJNR 2018, 39:63).",
    ),
    "profile_minimum": Term("Profile minimum", "Lowest value of the laminar profile."),
    "profile_maximum": Term(
        "Profile maximum",
        "Highest value of the laminar profile, in maps where iron is bright.",
    ),
    "profile_maximum_depth": Term(
        "Depth of the profile maximum", "0 at the pial surface, 1 at the white matter."
    ),
    "profile_minimum_depth": Term(
        "Depth of the profile minimum", "0 at the pial surface, 1 at the white matter."
    ),
    "minus_white_matter": Term(
        "Mean minus white matter",
        "Mean − median of the adjacent white matter (after Schweitzer, AJR 2015, 204:1086).",
    ),
    "minus_csf": Term("Mean minus CSF", "Mean − median of the adjacent CSF."),
}


def term(measure: str) -> Term:
    """What to call a measure; one that is not known here gets its own name in plain words."""
    if measure in TERMS:
        return TERMS[measure]
    if match := re.fullmatch(r"layer_(\d+|K)_mean", measure):
        return Term(
            f"Layer {match[1]}, mean",
            f"Mean of the map in layer {match[1]}; layer 1 is the most superficial.",
        )
    if measure.startswith("thickness_corrected_"):
        plain = TERMS[measure.replace("_corrected", "")].name
        return Term(
            f"Corrected {plain[0].lower()}{plain[1:]}",
            "The same of the thickness that is left when the angle between the cortex and the "
            "slices is allowed for: thickness in the slice × cosine of the angle, averaged along "
            "the field line.",
        )
    if measure.startswith("asymmetry_"):
        inner = term(measure.removeprefix("asymmetry_")).name
        return Term(
            f"Asymmetry of {inner[0].lower()}{inner[1:]}",
            "(left − right) / half their sum. Above 0: the left side has more.",
        )
    words = measure.replace("_", " ").strip()
    return Term(words[:1].upper() + words[1:], "")
