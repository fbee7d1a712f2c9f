"""The one set of settings that every front end fills in."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from math import inf
from numbers import Integral
from typing import Any

from .errors import InputError
from .iron import IRON

LABEL_STYLES = ("tissue", "rim")
PLANES = ("none", "axial", "coronal", "sagittal")
DEPTHS = ("equivolume", "equidistant")
REFERENCES = ("none", "white_matter", "csf")

MOST_RESAMPLINGS = 100_000
"""Of the bootstrap: a slip of the keys must not keep a machine busy for days."""

TISSUES = {"other_bank": "opposite bank", "gm": "gray matter", "csf": "CSF", "wm": "white matter"}
"""What the fields of :class:`Settings` that hold label values are called."""

PRIORITY = tuple(TISSUES)
"""Where segments overlap, the later in this list wins. White matter wins over all, because
cortex is often drawn as a margin grown from the white matter; CSF wins over gray matter, so
that a sulcus drawn on top of the cortex stays open."""


@dataclass(frozen=True)
class Settings:
    """How to measure. Every field has a default except which labels are which tissue.

    Attributes:
        gm: label values of the gray matter to measure.
        wm: label values of white matter (``tissue``) or of the line on the white-matter
            side (``rim``).
        csf: label values of CSF (``tissue``) or of the line on the CSF side (``rim``).
        other_bank: label values of gray matter that is not measured but whose contact is
            a pial border: the opposite bank of a sulcus with no CSF showing.
        label_style: ``tissue``, where borders run between voxels, or ``rim``, LayNii's,
            where they run through the middle of one-voxel lines.
        plane: ``none`` to measure in 3D, or the slice plane to measure within.
        max_angle: degrees between the cortex's normal and the slice plane from which on a column
            is left out of all means, where ``plane`` is not ``none``. At 30 degrees the cortex
            looks 15 % too thick in the slice, and a slice of 1.5 to 2 mm blurs it over half that
            in depth, which is the width of one layer of three.
        layers: number of equal depth bins in the layer map, 1 superficial to N deep.
        bins: number of equal depth bins of the laminar profile.
        layer_depth: ``equivolume`` or ``equidistant`` depth for layers and profiles.
        fill_holes_mm3: holes of any label enclosed by gray matter are filled up to this
            volume each, in mm3.
        drop_islands_mm3: loose pieces of gray matter are dropped up to this volume each,
            in mm3.
        reference: what map values are divided by: ``none``, ``white_matter``, ``csf``, or
            ``region:NAME`` for the median within a region.
        iron: by the name of a map whether iron is ``bright`` or ``dark`` in it, where its name
            does not tell; see :mod:`.iron`.
        confidence: level of the profile's confidence band, between 0 and 1.
        bootstrap: resamplings of columns behind the confidence band.
        column_mm: width in mm of a column, the unit that the bootstrap draws.
        seed: of the bootstrap's random generator.
    """

    gm: tuple[int, ...]
    wm: tuple[int, ...]
    csf: tuple[int, ...]
    other_bank: tuple[int, ...] = ()
    label_style: str = "tissue"
    plane: str = "none"
    max_angle: float = 30.0
    layers: int = 3
    bins: int = 20
    layer_depth: str = "equivolume"
    fill_holes_mm3: float = 1.0
    drop_islands_mm3: float = 1.0
    reference: str = "none"
    iron: Mapping[str, str] = field(default_factory=dict)
    confidence: float = 0.95
    bootstrap: int = 1000
    column_mm: float = 1.0
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("gm", "wm", "csf", "other_bank"):
            value = getattr(self, name)
            values = (value,) if isinstance(value, Integral) else tuple(int(v) for v in value)
            object.__setattr__(self, name, values)

    def problem(self) -> str | None:
        """Why these settings cannot be used, as a sentence, or None."""
        return next((text for wrong, text in self._checks() if wrong), None)

    def check(self) -> None:
        """Raises:
        InputError: the settings cannot be used; the message says which and why.
        """
        if text := self.problem():
            raise InputError(text)

    def _checks(self) -> list[tuple[bool, str]]:
        sets = {"gm": self.gm, "wm": self.wm, "csf": self.csf, "other_bank": self.other_bank}
        shared = [
            f"{value} is given to both {a} and {b}"
            for a, first in sets.items()
            for b, second in sets.items()
            for value in first
            if a < b and value in second
        ]
        known_reference = self.reference in REFERENCES or (
            self.reference.startswith("region:") and len(self.reference) > len("region:")
        )
        return [
            (not self.gm, "No gray-matter label is given. Name it with --gm."),
            (not self.wm, "No white-matter label is given. Name it with --wm."),
            (
                not self.csf and not self.other_bank,
                "No CSF or opposite-bank label is given, so there is no pial border. "
                "Name it with --csf or --other-bank.",
            ),
            (
                0 in self.gm,
                "Label 0 is the background and cannot be gray matter. Choose another with --gm.",
            ),
            (
                bool(shared),
                f"Label {', '.join(shared)}. Each label belongs to one tissue.",
            ),
            (self.label_style not in LABEL_STYLES, _one_of("label_style", LABEL_STYLES)),
            (self.plane not in PLANES, _one_of("plane", PLANES)),
            (not 0 < self.max_angle <= 90, "max_angle must be above 0 and at most 90 degrees."),
            (self.layer_depth not in DEPTHS, _one_of("layer_depth", DEPTHS)),
            (not 1 <= self.layers <= 250, "layers must be between 1 and 250."),
            (not 1 <= self.bins <= 1000, "bins must be between 1 and 1000."),
            (not self.fill_holes_mm3 >= 0, "fill_holes_mm3 must be zero or more."),
            (not self.drop_islands_mm3 >= 0, "drop_islands_mm3 must be zero or more."),
            (not 0 < self.confidence < 1, "confidence must lie between 0 and 1."),
            (
                not 0 <= self.bootstrap <= MOST_RESAMPLINGS,
                f"bootstrap must be between 0 and {MOST_RESAMPLINGS}.",
            ),
            (not 0 < self.column_mm < inf, "column_mm must be above zero and finite."),
            (self.seed < 0, "seed cannot be negative."),
            (
                not known_reference,
                "reference must be none, white_matter, csf or region:NAME.",
            ),
            (
                not set(self.iron.values()) <= set(IRON),
                "iron must be bright or dark for each map that it names.",
            ),
        ]

    def with_values(self, values: Mapping[str, Any]) -> Settings:
        """A copy with some fields changed.

        Raises:
            InputError: a name that is not a setting, or a value of the wrong type.
        """
        known = {f.name for f in fields(self)}
        if unknown := sorted(set(values) - known):
            raise InputError(
                f"Unknown setting {', '.join(unknown)}. Known are: {', '.join(sorted(known))}."
            )
        return replace(self, **{k: _typed(k, v, getattr(self, k)) for k, v in values.items()})

    def to_json(self) -> str:
        """The settings as JSON, sorted, for provenance and ``--settings``."""
        return json.dumps(asdict(self), indent=2, sort_keys=True)


def _one_of(name: str, choices: tuple[str, ...]) -> str:
    return f"{name} must be one of: {', '.join(choices)}."


def _typed(name: str, value: Any, like: Any) -> Any:
    """``value`` as the type of ``like``, or an InputError that names the setting."""
    try:
        if isinstance(like, tuple):
            values = value if isinstance(value, (list, tuple)) else [value]
            return tuple(_whole(v) for v in values)
        if isinstance(like, Mapping):
            return {str(key): str(item) for key, item in dict(value).items()}
        if isinstance(like, int):
            return _whole(value)
        if isinstance(value, (bool, list, dict)) or value is None:
            raise ValueError
        return type(like)(value)
    except (TypeError, ValueError, OverflowError):
        raise InputError(
            f"Setting {name} is {json.dumps(value, default=repr)}, but should be {_kind(like)}."
        ) from None


def _kind(like: Any) -> str:
    """What a value should be, in words."""
    if isinstance(like, tuple):
        return "a list of whole numbers"
    if isinstance(like, Mapping):
        return 'names with values, as in {"QSM": "bright"}'
    return {int: "a whole number", float: "a number"}.get(type(like), "a text")


def _whole(value: Any) -> int:
    """``value`` as an integer, or a ValueError where that would change it."""
    if isinstance(value, bool) or float(value) != int(value):
        raise ValueError
    return int(value)
