"""Pictures of slices through the ribbon, each an inline SVG.

A gray picture of the slice lies below; labels, thickness, depth or layers are a picture of their
own on top, in the same voxels; borders, scale bar and letters are drawn. Voxels keep their true
shape because the picture's frame is measured in mm.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from html import escape

import numpy as np
from numpy.typing import NDArray

from ..cortex.grid import Image
from ..cortex.result import Measurement
from ..cortex.settings import Settings
from . import charts, words
from .raster import (
    BLUE,
    CIVIDIS,
    GRAYS,
    LAYERS,
    NOT_MEASURED,
    PURPLE,
    SKY,
    TRANSPARENT,
    VERMILLION,
    VIRIDIS,
    YELLOW,
    data_uri,
    gray_index,
    gray_range,
    png,
    ramp,
    rgba,
    scale_index,
    scale_palette,
)
from .slices import RibbonSlice, Window, border_lines, slice_labels, slice_values

PIAL, WHITE = "#" + SKY, "#ff7f2a"
"""Colours of the two borders; the second is vermillion made lighter, to show on dark gray."""

FINE = 20
"""Border points are written as whole twentieths of a voxel."""

ANGLE_DEG = 60
"""End of the colour scale of angles."""

TISSUES = (
    ("gm", "gray matter", YELLOW, 0.28),
    ("wm", "white matter", VERMILLION, 0.28),
    ("csf", "CSF", BLUE, 0.38),
    ("other_bank", "opposite bank", PURPLE, 0.38),
)
"""Setting, name, colour and opacity of each tissue in the label picture."""

LABEL_GRAYS = {"gm": 140, "wm": 215, "csf": 60, "other_bank": 110}
"""Gray of each tissue where there is no map to lie below."""


@dataclass(frozen=True)
class SlicePictures:
    """All pictures of one slice.

    Attributes:
        measurement, labels, maps: what to show.
        part: the slice and its ribbon voxels.
        window: which part of the slice.
        width: of each picture in CSS pixels.
    """

    measurement: Measurement
    labels: Image
    maps: Mapping[str, Image]
    part: RibbonSlice
    window: Window
    width: int

    def labelled(self) -> str:
        """Labels and measured borders on the first map. Holds the gray picture that the
        overlays of this slice refer to, so it stands first on the page."""
        palette = np.array([TRANSPARENT, *(rgba(c, a) for _, _, c, a in TISSUES)], np.uint8)
        gray = f"<g id='{self._id}'>{_image(png(self._gray(), GRAYS), self.window)}</g>"
        return self._svg(
            "Labels and measured borders",
            gray, _image(png(self._tissue, palette), self.window, "pixelated"), self._borders,
        )  # fmt: skip

    def map(self, name: str) -> str:
        """One map and the measured borders."""
        picture = _image(png(self._map_grays(name), GRAYS), self.window)
        return self._svg(f"Map {name} and measured borders", picture, self._borders)

    def map_scale(self, name: str) -> str:
        """What the grays of :meth:`map` stand for; empty where the map has but one value."""
        low, high = self._gray_range(self._values(name))
        unit = words.unit_name(self.measurement.units.get(name, ""))
        return colour_bar(("000000", "ffffff"), low, high, unit, name) if high > low else ""

    def _map_grays(self, name: str) -> NDArray[np.uint8]:
        values = self._values(name)
        return gray_index(values, self._gray_range(values))

    def _gray_range(self, values: NDArray) -> tuple[float, float]:
        """Gray and white matter fill the range of grays. CSF, often far brighter, may lie
        beyond: with it the differences within the cortex would be lost."""
        names = [name for name, *_ in TISSUES]
        tissue = self._tissue
        return gray_range(values, [tissue == 1 + names.index(name) for name in ("gm", "wm")])

    def _values(self, name: str) -> NDArray:
        """A map's values in the slice, taken once for all pictures."""
        taken = self._taken
        if name not in taken:
            part = self.part
            taken[name] = slice_values(self.maps[name], part.view, part.index, self.window)
        return taken[name]

    @cached_property
    def _taken(self) -> dict[str, NDArray]:
        return {}

    def thickness(self, low: float, high: float) -> str:
        """Thickness on a scale from low to high in mm."""
        return self._scaled("Thickness", self.measurement.thickness, low, high, VIRIDIS)

    def depth(self) -> str:
        """The depth that the layers were made of."""
        kind = self.measurement.settings.layer_depth
        values = getattr(self.measurement, f"depth_{kind}")
        return self._scaled(f"Depth, {kind}", values, 0, 1, CIVIDIS)

    def angle(self) -> str:
        """The angle between the cortex's normal and the slices, 0 to :data:`ANGLE_DEG`."""
        assert self.measurement.angle is not None
        return self._scaled("Angle to the slices", self.measurement.angle, 0, ANGLE_DEG, CIVIDIS)

    def layers(self) -> str:
        """The layers."""
        count = self.measurement.settings.layers
        palette = np.zeros((count + 2, 4), np.uint8)
        palette[1 : count + 1] = np.c_[ramp(LAYERS, count), np.full(count, 255)]
        palette[count + 1] = NOT_MEASURED
        inside = self.part.paint(np.ones(len(self.measurement.layers), bool))
        layers = self.part.paint(self.measurement.layers)
        index = np.where(inside, np.where(layers > 0, layers, count + 1), 0).astype(np.uint8)
        overlay = _image(png(self.window.cut(index), palette), self.window, "pixelated")
        return self._svg("Layers", self._below(), overlay)

    @property
    def _id(self) -> str:
        return f"slice-{self.part.index}"

    @cached_property
    def _tissue(self) -> NDArray[np.uint8]:
        """:func:`tissue_codes` of the labels in the slice."""
        labels = slice_labels(self.labels, self.part.view, self.part.index, self.window)
        return tissue_codes(labels, self.measurement.settings)

    def _gray(self) -> NDArray[np.uint8]:
        for name in self.maps:
            return self._map_grays(name)
        grays = np.array([0, *(LABEL_GRAYS[name] for name, *_ in TISSUES)], np.uint8)
        return grays[self._tissue]

    def _below(self) -> str:
        return f"<use href='#{self._id}'/>"

    def _scaled(
        self, title: str, values: NDArray, low: float, high: float, anchors: tuple[str, ...]
    ) -> str:
        inside = self.part.paint(np.ones(len(values), bool))
        index = scale_index(self.part.paint(values), inside, low, high)
        picture = png(self.window.cut(index), scale_palette(anchors))
        return self._svg(title, self._below(), _image(picture, self.window, "pixelated"))

    @cached_property
    def _borders(self) -> str:
        lines = border_lines(self.measurement, self.part)
        return "".join(
            f"<g transform='scale({1 / FINE})'><path class='{name}' d='{_segments(ends)}' "
            f"fill='none' stroke='{colour}' stroke-width='1.4' stroke-linecap='round' "
            "vector-effect='non-scaling-stroke'/></g>"
            for name, colour, ends in zip(("pial", "white"), (PIAL, WHITE), lines, strict=True)
        )

    def _svg(self, title: str, *layers: str) -> str:
        """Layers in voxel units inside a frame in mm, with letters and a scale bar."""
        top, left, rows, columns = self.window.frame
        tall, wide = np.array(self.part.view.spacing) * (rows, columns)
        width, height = self.width, self.width * tall / wide
        where = f"{self.part.view.plane} slice {self.part.index + 1}"
        return (
            f"<svg class='slice' viewBox='0 0 {width} {height:.1f}' preserveAspectRatio='xMinYMin' "
            f"role='img' aria-label='{escape(title, quote=True)}, {where}'>"
            f"<rect width='{width}' height='{height:.1f}' fill='#000'/>"
            f"<svg width='{width}' height='{height:.1f}' preserveAspectRatio='none' "
            f"viewBox='{left:.3f} {top:.3f} {columns:.3f} {rows:.3f}'>{''.join(layers)}</svg>"
            f"{_letters(self.part.view.letters(), width, height)}"
            f"{_scale_bar(wide, width, height)}</svg>"
        )


def tissue_codes(labels: NDArray, settings: Settings) -> NDArray[np.uint8]:
    """0 for no tissue, else the tissue's place in :data:`TISSUES` from 1 on."""
    codes = np.zeros(labels.shape, np.uint8)
    for code, (name, *_) in enumerate(TISSUES, 1):
        codes[np.isin(labels, getattr(settings, name))] = code
    return codes


def label_legend(settings: Settings) -> str:
    """What the colours of the label picture mean."""
    rim = settings.label_style == "rim"
    names = {"wm": "line on the white-matter side", "csf": "line on the CSF side"} if rim else {}
    tissues = [
        (charts.box_swatch("#" + colour, 0.8), f"{names.get(key, name)} ({_values(settings, key)})")
        for key, name, colour, _ in TISSUES
        if getattr(settings, key)
    ]
    return charts.legend([
        (_on_dark(charts.line_swatch(PIAL)), "measured pial border"),
        (_on_dark(charts.line_swatch(WHITE)), "measured white-matter border"),
        *tissues,
    ])  # fmt: skip


def border_legend() -> str:
    """What the lines on a map mean."""
    return charts.legend([
        (_on_dark(charts.line_swatch(PIAL)), "measured pial border"),
        (_on_dark(charts.line_swatch(WHITE)), "measured white-matter border"),
    ])  # fmt: skip


def layer_legend(layers: int) -> str:
    """Colours of the layers, superficial first; a bar where there are many."""
    if layers > 8:
        return colour_bar(LAYERS, 1, layers, "", "layer, 1 superficial")
    colours = [f"#{bytes(c).hex()}" for c in ramp(LAYERS, layers).tolist()]
    names = [f"{k}" for k in range(1, layers + 1)]
    if layers > 1:
        names[0], names[-1] = "1 superficial", f"{layers} deep"
    if layers == 3:
        names[1] = "2 middle"
    boxes = [(charts.box_swatch(c), n) for c, n in zip(colours, names, strict=True)]
    return charts.legend(boxes)


def colour_bar(
    anchors: tuple[str, ...], low: float, high: float, unit: str, name: str, clipped: bool = False
) -> str:
    """A colour scale with its numbers.

    Args:
        anchors: colours.
        low, high: values at its ends.
        unit, name: what the values are.
        clipped: whether the last colour also stands for higher values.
    """
    width, left, right = 300, 16, 30
    ticks = charts.nice_ticks(low, high, 6)
    texts = charts.tick_texts(ticks)
    strip = data_uri(png(np.arange(256, dtype=np.uint8)[None], ramp(anchors, 256)))
    marks = "".join(
        f"<text x='{left + (t - low) / (high - low) * (width - left - right):.1f}' y='27' "
        f"text-anchor='middle' font-size='12' fill='{charts.QUIET}'>"
        f"{'≥' + words.NARROW_SPACE if clipped and t >= high - 1e-9 else ''}{text}</text>"
        for t, text in zip(ticks, texts, strict=True)
    )
    what = f"{name} ({unit})" if unit else name
    bar = (
        f"<svg class='bar' viewBox='0 0 {width} 32' role='img' aria-label='Colour scale'>"
        f"<image href='{strip}' x='{left}' y='0' width='{width - left - right}' height='12' "
        f"preserveAspectRatio='none'/>{marks}</svg>"
    )
    return f"<div class='scale'><span>{escape(what)}</span>{bar}</div>"


def not_measured_legend() -> str:
    """The colour of ribbon voxels without a value."""
    return charts.legend([(charts.box_swatch(f"#{PURPLE}"), words.NOT_MEASURED)])


def thickness_range(measurement: Measurement) -> tuple[float, float]:
    """Ends in mm of the colour scale: 0 to a round number above 95 % of the voxels."""
    known = measurement.thickness[np.isfinite(measurement.thickness)]
    if not len(known):
        return 0.0, 1.0
    high = float(np.quantile(known, 0.95))
    step = charts.nice_step(high / 5)
    return 0.0, float(np.ceil(high / step - 1e-9) * step) or 1.0


def scale_bar_mm(wide: float) -> float:
    """The longest of 1, 2 or 5 times a power of ten that fits a quarter of the width (mm)."""
    step = charts.nice_step(wide / 4)
    if step <= wide / 4 * (1 + 1e-9):
        return step
    leading = round(step / 10 ** np.floor(np.log10(step) + 1e-9))
    return float(step * (0.4 if leading == 5 else 0.5))


def _on_dark(swatch: str) -> str:
    return f"<rect width='26' height='12' rx='2' fill='#333'/>{swatch}"


def _values(settings: Settings, key: str) -> str:
    values = getattr(settings, key)
    shown = ", ".join(str(v) for v in values[:4])
    return f"label {shown}" + (", …" if len(values) > 4 else "")


def _image(picture: bytes, window: Window, rendering: str = "auto") -> str:
    return (
        f"<image href='{data_uri(picture)}' x='{window.left}' y='{window.top}' "
        f"width='{window.width}' height='{window.height}' preserveAspectRatio='none' "
        f"style='image-rendering:{rendering}'/>"
    )


def _segments(ends: NDArray[np.float64]) -> str:
    """Path of straight pieces (m, 4): row, column, row, column."""
    whole = np.rint(ends * FINE).astype(int)
    steps = np.c_[whole[:, 1], whole[:, 0], whole[:, 3] - whole[:, 1], whole[:, 2] - whole[:, 0]]
    return "".join([f"M{x} {y}l{dx} {dy}" for x, y, dx, dy in steps.tolist()])


def _letters(letters: Mapping[str, str], width: float, height: float) -> str:
    places = {
        "left": (6, height / 2 + 5, "start"),
        "right": (width - 6, height / 2 + 5, "end"),
        "top": (width / 2, 17, "middle"),
        "bottom": (width / 2, height - 7, "middle"),
    }
    return "".join(
        f"<text class='letter' data-side='{side}' x='{x:.1f}' y='{y:.1f}' text-anchor='{anchor}' "
        f"{_OUTLINED}>{letters[side]}</text>"
        for side, (x, y, anchor) in places.items()
    )


def _scale_bar(wide: float, width: float, height: float) -> str:
    mm = scale_bar_mm(wide)
    length = mm / wide * width
    x, y = 10, height - 10
    return (
        f"<path class='scale-bar' data-mm='{mm:g}' d='M{x} {y:.1f}h{length:.2f}' stroke='#fff' "
        f"stroke-width='3'/><text x='{x}' y='{y - 6:.1f}' {_OUTLINED}>{mm:g} mm</text>"
    )


_OUTLINED = (
    "fill='#fff' font-size='14' font-weight='600' stroke='#000' stroke-width='3' "
    "stroke-opacity='0.7' paint-order='stroke'"
)
