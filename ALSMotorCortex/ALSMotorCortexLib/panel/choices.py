"""Choices with a few values: what the parameter node keeps, and what the panel shows."""

from __future__ import annotations

import enum

from slicer.i18n import tr as _


class Choice(enum.Enum):
    """A setting with a few values. Its value is what the library calls it."""

    def label(self) -> str:
        """As shown in a combo box."""
        return _LABELS[self]


class Plane(Choice):
    NONE = "none"
    AXIAL = "axial"
    CORONAL = "coronal"
    SAGITTAL = "sagittal"


class LayerDepth(Choice):
    EQUIVOLUME = "equivolume"
    EQUIDISTANT = "equidistant"


class Reference(Choice):
    NONE = "none"
    WHITE_MATTER = "white_matter"
    CSF = "csf"


class LabelStyle(Choice):
    TISSUE = "tissue"
    RIM = "rim"


class Rerun(Choice):
    UPDATE = "update"
    ADD = "add"


class Overlay(Choice):
    THICKNESS = "thickness"
    THICKNESS_CORRECTED = "thickness_corrected"
    ANGLE = "angle"
    DEPTH_EQUIVOLUME = "depth_equivolume"
    DEPTH_EQUIDISTANT = "depth_equidistant"
    NOTHING = ""


_LABELS: dict[Choice, str] = {
    Plane.NONE: _("in 3D"),
    Plane.AXIAL: _("within axial slices"),
    Plane.CORONAL: _("within coronal slices"),
    Plane.SAGITTAL: _("within sagittal slices"),
    LayerDepth.EQUIVOLUME: _("equivolume"),
    LayerDepth.EQUIDISTANT: _("equidistant"),
    Reference.NONE: _("nothing"),
    Reference.WHITE_MATTER: _("adjacent white matter"),
    Reference.CSF: _("adjacent CSF"),
    LabelStyle.TISSUE: _("tissue"),
    LabelStyle.RIM: _("border lines (rim)"),
    Rerun.UPDATE: _("updates the results"),
    Rerun.ADD: _("adds results"),
    Overlay.THICKNESS: _("thickness"),
    Overlay.THICKNESS_CORRECTED: _("thickness, corrected"),
    Overlay.ANGLE: _("angle of the slices"),
    Overlay.DEPTH_EQUIVOLUME: _("depth, equivolume"),
    Overlay.DEPTH_EQUIDISTANT: _("depth, equidistant"),
    Overlay.NOTHING: _("none"),
}

ROLE_LABELS = {
    "": _("not used"),
    "gray": _("gray matter"),
    "white": _("white matter"),
    "csf": _("CSF"),
    "other_bank": _("opposite bank"),
    "regions": _("region"),
}
"""What each of :data:`..scene.chosen.ROLES` is called."""

PIAL_END_LABELS = {
    "auto": _("told from the image"),
    "bright": _("the brighter end"),
    "dark": _("the darker end"),
    "first": _("the first point"),
    "last": _("the second point"),
}
"""Which end of a caliper lies in CSF: :data:`..cortex.caliper.ENDS` as shown."""

PIAL_SIDE_LABELS = {
    "auto": _("told from the image"),
    "bright": _("the brighter side"),
    "dark": _("the darker side"),
    "left": _("left of the trace"),
    "right": _("right of the trace"),
}
"""On which side of a trace CSF lies: :data:`..cortex.trace.SIDES` as shown."""

IRON_LABELS = {
    "": _("choose"),
    "bright": _("bright (paramagnetic is positive, usual)"),
    "dark": _("dark (paramagnetic is negative)"),
}
