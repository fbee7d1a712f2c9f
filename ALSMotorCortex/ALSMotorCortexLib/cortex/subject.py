"""Simulated subjects: how M1, its iron and the clinical picture vary from one to the next.

From the literature
- The precentral bank of the central sulcus is 1.53 to 1.64 times as thick as the postcentral
  (Meyer et al., AJNR 1996, 17:1699). M1 is 3 to 4 mm thick; 3.4 mm is chosen.
- T2* of cortex varies with an SD of 4 % between subjects (Cohen-Adad et al., NeuroImage 2012,
  60:1006).
- Patients have a thin M1 with dark deep layers (Cosottini et al., AJNR 2016, 37:455), the more
  susceptible the worse the upper-motor-neuron signs of the limb that it moves (Costagli et al.,
  NeuroImage Clin 2016, 12:965). Motor cortex as a whole is 11 ppb more susceptible in patients
  (Schweitzer et al., AJR 2015, 204:1086), which the band of :mod:`.tissue` reaches with 30 ppb
  in its middle; 22 ppb is chosen, since their patients were chosen for upper-motor-neuron
  disease. The spreads let iron tell patients from controls with an area under the curve of
  about 0.92; the signal hypointensity-to-thickness ratio does with 0.89 at 3 T and more at 7 T
  (Donatelli et al., AJNR 2018, 39:63). So some patients have no more iron than a control.

Assumed: all other spreads, that iron and atrophy grow evenly from onset, how steeply scores
follow the iron (over many patients the upper-motor-neuron score correlates with it at about 0.55
and the rate of progression at about 0.7), and that score's scale, 0 to 4 for each limb.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from .motor_cortex import HEMISPHERES, CentralSulcus, vary

LIMBS = ("left_arm", "right_arm", "left_leg", "right_leg")

THICKNESS_MM, THICKNESS_SD, SIDE_SD = 3.4, 0.12, 0.04
BANK_RATIO, BANK_RATIO_SD = 1.58, 0.05
R2STAR_SD = 0.042
PATIENT_IRON, PATIENT_IRON_SD = 22.0, 12.0
CONTROL_IRON, CONTROL_IRON_SD = 4.0, 3.0
PATIENT_ATROPHY, PATIENT_ATROPHY_SD = 0.25, 0.15
ATROPHY_PER_IRON = 0.008
"""mm for each ppb of iron above a patient's usual: the two go together, loosely."""

THINNEST_MM = 1.5
"""Atrophy leaves this much."""

WORST_UMN, BEST_ALSFRS = 4, 48
EXAMINER_SD = 1.3
MONTH_DAYS = 30.4375
EXAM_SPAN_DAYS = 700


@dataclass(frozen=True)
class Vein:
    """A pial vein that runs along the axis of the anatomy, in the CSF of the sulcus.

    Attributes:
        along: arc length along M1 from the knob, mm.
        radius: mm; less where the sulcus is narrower.
    """

    along: float
    radius: float


@dataclass(frozen=True)
class Hemisphere:
    """One side of a subject.

    Attributes:
        anatomy: its shape, thinned by atrophy.
        involvement: how much of the subject's iron there is in M1's (foot, hand, face).
        veins: its pial veins.
    """

    anatomy: CentralSulcus
    involvement: tuple[float, float, float]
    veins: tuple[Vein, ...]


@dataclass(frozen=True)
class Clinic:
    """What a clinic would note.

    Attributes:
        onset_days: days from onset to the first exam; 0 in controls.
        rate: points of the ALSFRS-R lost each month.
        umn: upper-motor-neuron score of each limb, 0 to 4, at the first exam.
    """

    onset_days: int = 0
    rate: float = 0.0
    umn: Mapping[str, int] = field(default_factory=lambda: dict.fromkeys(LIMBS, 0))

    def alsfrs_r(self, days: int) -> int:
        """The ALSFRS-R, 48 (well) to 0, some days after the first exam."""
        lost = self.rate * (self.onset_days + days) / MONTH_DAYS
        return int(np.clip(round(BEST_ALSFRS - lost), 0, BEST_ALSFRS))


@dataclass(frozen=True)
class Subject:
    """A simulated subject at one exam.

    Attributes:
        group: ``control`` or ``patient``.
        age: years at the first exam.
        sex: ``F`` or ``M``.
        iron: susceptibility in ppb that iron adds to M1 at most, before involvement.
        atrophy: mm that M1 has lost.
        r2star_factor: the subject's R2* over the usual.
        hemispheres: by name.
        clinic: scores.
        exam: day of the first exam, counted from that of the earliest subject's.
        days: from the first exam to this one.
    """

    group: str
    age: int
    sex: str
    iron: float
    atrophy: float
    r2star_factor: float
    hemispheres: Mapping[str, Hemisphere]
    clinic: Clinic
    exam: int
    days: int


def draw_subject(
    group: str,
    rng: np.random.Generator,
    iron: float | None = None,
    atrophy: float | None = None,
    days: int = 0,
) -> Subject:
    """A subject; what is drawn does not depend on what is given.

    Args:
        group: ``control`` or ``patient``.
        rng: draws.
        iron: ppb at the first exam, in place of the one drawn.
        atrophy: mm at the first exam, in place of the one drawn.
        days: after the first exam. In a patient iron and atrophy have grown since, as evenly as
            from onset to it.
    """
    patient = group == "patient"
    age = int(np.clip(round(rng.normal(61, 9)), 32, 84))
    sex = "M" if rng.random() < 0.55 else "F"
    factor = float(np.exp(rng.normal(scale=R2STAR_SD)))
    healthy_mm, ratio = THICKNESS_MM + rng.normal(scale=THICKNESS_SD), rng.normal(scale=1.0)
    own_iron, own_atrophy = _draw_disease(patient, rng)
    iron = own_iron if iron is None else iron
    atrophy = own_atrophy if atrophy is None else atrophy
    involvement = _draw_involvement(patient, rng)
    clinic = _draw_clinic(iron, involvement, rng) if patient else Clinic()
    grown = 1 + days / clinic.onset_days if clinic.onset_days else 1.0
    iron, atrophy = iron * grown, min(atrophy * grown, healthy_mm - THINNEST_MM)
    hemispheres = {}
    for side in HEMISPHERES:
        thickness = healthy_mm + rng.normal(scale=SIDE_SD) - atrophy
        anatomy = vary(CentralSulcus(), rng)
        anatomy = replace(
            anatomy,
            thickness=thickness,
            # What M1 loses, the sulcus gains: S1 stays where it was.
            gap=anatomy.gap + atrophy,
            s1_thickness=healthy_mm / (BANK_RATIO + BANK_RATIO_SD * ratio),
        )
        hemispheres[side] = Hemisphere(anatomy, involvement[side], _draw_veins(anatomy, rng))
    exam = int(rng.integers(0, EXAM_SPAN_DAYS))
    return Subject(group, age, sex, iron, atrophy, factor, hemispheres, clinic, exam, days)


def _draw_disease(patient: bool, rng: np.random.Generator) -> tuple[float, float]:
    """Iron in ppb and atrophy in mm."""
    one, other = rng.normal(size=2)
    if not patient:
        return float(max(CONTROL_IRON + CONTROL_IRON_SD * one, 0)), 0.0
    iron = max(PATIENT_IRON + PATIENT_IRON_SD * one, 0)
    atrophy = PATIENT_ATROPHY + PATIENT_ATROPHY_SD * other
    return float(iron), float(max(atrophy + ATROPHY_PER_IRON * (iron - PATIENT_IRON), 0))


def _draw_involvement(
    patient: bool, rng: np.random.Generator
) -> dict[str, tuple[float, float, float]]:
    """Each side's (foot, hand, face): a patient's disease is worse in some parts."""
    drawn = rng.uniform(0.6, 1.4, (2, 3)) if patient else np.ones((2, 3))
    drawn = drawn / drawn.mean()
    return {
        side: (float(row[0]), float(row[1]), float(row[2]))
        for side, row in zip(HEMISPHERES, drawn, strict=True)
    }


def _draw_clinic(
    iron: float, involvement: Mapping[str, tuple[float, float, float]], rng: np.random.Generator
) -> Clinic:
    """Scores of a patient, worse with more iron; each limb's with that of the other side's M1."""
    burden = iron / PATIENT_IRON
    onset = int(np.clip(rng.lognormal(np.log(18), 0.5), 4, 72) * MONTH_DAYS)
    rate = float((0.15 + 0.5 * burden) * rng.lognormal(0, 0.4))
    # No more can be lost than there is.
    rate = min(rate, 0.85 * BEST_ALSFRS / (onset / MONTH_DAYS))
    # What an examiner finds depends on more than the iron, in all limbs alike.
    found = rng.normal(scale=EXAMINER_SD)
    umn = {}
    for limb in LIMBS:
        side, part = limb.split("_")
        other = involvement["right" if side == "left" else "left"]
        local = burden * other[1 if part == "arm" else 0]
        umn[limb] = int(np.clip(round(1.8 * local + found + rng.normal(scale=0.8)), 0, WORST_UMN))
    return Clinic(onset, rate, umn)


def _draw_veins(anatomy: CentralSulcus, rng: np.random.Generator) -> tuple[Vein, ...]:
    """Some veins, where the sulcus has room for them."""
    places = np.linspace(-21, 15, 5) + rng.uniform(-2, 2, 5)
    radii = rng.uniform(0.25, 0.45, 5)
    room = 0.45 * anatomy.gap_width(places)
    return tuple(
        Vein(float(x), float(min(r, most)))
        for x, r, most in zip(places, radii, room, strict=True)
        if most > 0.2
    )
