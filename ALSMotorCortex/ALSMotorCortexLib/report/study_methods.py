"""The methods paragraphs of a study's report: what was really done, with the numbers in it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from html import escape
from typing import TYPE_CHECKING

from .study_charts import p_text
from .study_words import score_name

if TYPE_CHECKING:
    from ..group import GroupStudy

SOURCES = {
    "welch": "Biometrika 1947, 34:28",
    "mann_whitney": "Ann Math Stat 1947, 18:50",
    "hedges": "Hedges, J Educ Stat 1981, 6:107; Cumming and Finch, Educ Psychol Meas 2001, 61:532",
    "cliff": "Cliff, Psychol Bull 1993, 114:494",
    "ancova": "Cochran, Biometrics 1957, 13:261",
    "delong": "DeLong et al., Biometrics 1988, 44:837",
    "youden": "Youden, Cancer 1950, 3:32",
    "wilson": "Wilson, J Am Stat Assoc 1927, 22:209",
    "out": "Lachenbruch and Mickey, Technometrics 1968, 10:1",
    "pair": "Airola et al., Comput Stat Data Anal 2011, 55:1828",
    "ridge": "le Cessie and van Houwelingen, J R Stat Soc C 1992, 41:191",
    "fisher": "Fisher, Metron 1921, 1:3",
    "bonett": "Psychometrika 2000, 65:23",
    "hochberg": "J R Stat Soc B 1995, 57:289",
    "shuffle": "Westfall and Young, Resampling-Based Multiple Testing, 1993",
    "kimura": "Kimura et al., Neurology 2006, 66:265",
}


def methods(found: GroupStudy) -> str:
    """Paragraphs, only of what was done."""
    parts = [_participants, _differences, _accuracy, _combination, _correlations, _profiles]
    paragraphs = [" ".join(part(found)) for part in parts]
    return "".join(f"<p>{escape(text)}</p>" for text in paragraphs if text)


def _participants(found: GroupStudy) -> Iterator[str]:
    who = " and ".join(f"{g.n} {g.role} ({g.name})" for g in found.groups)
    yield f"{who} were analysed."
    if found.rates_computed:
        yield (
            "Where it was not given, the disease progression rate is (48 - ALSFRS-R) / months "
            f"from onset to exam, with months of 365.25 / 12 days ({SOURCES['kimura']})."
        )
    yield (
        "Participants without a value were left out of that value's analysis only, and are "
        "counted. All intervals are 95 % intervals and all tests two-sided."
    )


def _differences(found: GroupStudy) -> Iterator[str]:
    rows = [row.difference for row in found.comparisons if row.difference]
    if not rows:
        return
    exact = sum(d.mann_whitney.exact for d in rows)
    yield (
        f"{_count(len(rows), 'measure was', 'measures were')} compared between patients and "
        f"controls by Welch’s t test ({SOURCES['welch']}) and the Mann-Whitney test "
        f"({SOURCES['mann_whitney']}; p exact for {exact} of {len(rows)}, else by the normal "
        "approximation with corrections for ties and continuity)."
    )
    yield (
        f"Effect sizes are Hedges’ g with the noncentral t interval ({SOURCES['hedges']}) and "
        f"Cliff’s delta ({SOURCES['cliff']}), whose interval is that of the area under the ROC "
        "curve."
    )
    adjusted = [d.ancova for d in rows if d.ancova]
    if adjusted:
        held = " and ".join(found.adjusted)
        yield (
            f"The difference at equal {held} comes from an analysis of covariance "
            f"({SOURCES['ancova']}), fitted to {_span([a.n for a in adjusted])} participants; an "
            "F test checks that the covariates act alike in both groups."
        )
    kinds = "Welch’s, Mann-Whitney’s" + (" and the adjusted" if adjusted else "")
    families = "three families" if adjusted else "two families"
    yield (
        "q values are p values adjusted by the procedure of Benjamini and Hochberg "
        f"({SOURCES['hochberg']}). "
        f"{kinds} p values are {families}, each of all {len(rows)} measures compared."
    )


def _accuracy(found: GroupStudy) -> Iterator[str]:
    rows = [row.diagnosis for row in found.comparisons if row.diagnosis]
    if not rows:
        return
    yield (
        "Diagnostic accuracy of each measure: area under the ROC curve with DeLong’s variance "
        f"({SOURCES['delong']}), its interval on the logit scale; the threshold is Youden’s "
        f"({SOURCES['youden']}). Whether patients have the higher or the lower values was told "
        "from the data."
    )
    yield (
        "Accuracy at a threshold chosen on the same participants (apparent) is too good, and its "
        f"Wilson intervals ({SOURCES['wilson']}) are those of a threshold fixed beforehand. So "
        "the same was cross-validated: each participant was judged with direction and threshold "
        f"from all others (leave one out; {SOURCES['out']}), and the area was computed leaving "
        f"out each pair of a patient and a control ({SOURCES['pair']}). The cross-validated "
        "intervals are widened by how much the result scatters over 200 redraws of the "
        f"participants within their groups (seed {found.options.seed}). Near chance they hold "
        "the truth more often than 95 %."
    )


def _combination(found: GroupStudy) -> Iterator[str]:
    combined = found.combined
    if combined is None:
        return
    n, cases = len(combined.patient), int(combined.patient.sum())
    yield (
        f"{len(combined.keys)} measures of {cases} patients and {n - cases} controls who have all "
        "of them were combined by logistic regression with a fixed ridge of 1 on standardised "
        f"measures and equal weight for both groups ({SOURCES['ridge']}); patients are those with "
        "a probability of at least one half. It was cross-validated like single measures; "
        "standardisation and fit never saw who was left out."
    )


def _correlations(found: GroupStudy) -> Iterator[str]:
    rows = found.correlations
    if not rows:
        return
    scores = list(dict.fromkeys(row.score for row in rows))
    yield (
        f"Within {_span([row.pearson.n for row in rows])} patients, measures were correlated with "
        f"{_listed(map(score_name, scores))}: Pearson’s r with Fisher’s z interval "
        f"({SOURCES['fisher']}) and Spearman’s rho with the variance of Bonett and Wright "
        f"({SOURCES['bonett']}; p exact up to 8 patients)."
    )
    held = [row for row in rows if row.partial]
    if held:
        names = " and ".join(max((row.held for row in held), key=len))
        yield f"Partial correlations hold {names} constant ({len(held)} of {len(rows)} pairs)."
    limbs = [s for s in scores if s.startswith("umn_score_")]
    if limbs:
        yield (
            "Scores of a limb were correlated with the opposite hemisphere only, right limbs with "
            "left M1 and left limbs with right M1; arms with hand, and legs with foot, where a "
            "region is a part of M1."
        )
    yield (
        f"q values are adjusted as above; Pearson’s, Spearman’s{' and partial' if held else ''} "
        f"p values are {'three' if held else 'two'} families, each of all {len(rows)} pairs of "
        "score and measure."
    )


def _profiles(found: GroupStudy) -> Iterator[str]:
    rows = found.profiles
    if not rows:
        return
    yield (
        "Laminar profiles are means over participants in each depth bin with Student’s t "
        "intervals for each depth alone."
    )
    if any((row.p <= 1).any() for row in rows):
        least = min(float(row.p[row.p <= 1].min()) for row in rows if (row.p <= 1).any())
        yield (
            "Depths were compared by permutation: participants’ groups were shuffled 5000 times, "
            "and a depth’s p is the share of shuffles whose largest Welch t over all depths of "
            f"the profile reaches the t there ({SOURCES['shuffle']}). This corrects for the "
            "depths of a profile and not for the number of profiles "
            f"({len(rows)}; the smallest p is {p_text(least)})."
        )


def _listed(names: Iterable[str]) -> str:
    *most, last = (name if name[1].isupper() else name[0].lower() + name[1:] for name in names)
    return f"{', '.join(most)} and {last}" if most else last


def _span(numbers: list[int]) -> str:
    low, high = min(numbers), max(numbers)
    return str(low) if low == high else f"{low} to {high}"


def _count(n: int, one: str, many: str) -> str:
    return f"{n} {one if n == 1 else many}"
