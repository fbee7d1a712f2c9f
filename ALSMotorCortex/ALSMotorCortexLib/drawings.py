"""Calipers and traces saved from Slicer, as input of ``analyze``.

They are measured by the functions that the window uses, so the numbers agree with those
that the markups showed there.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from .cortex import drawn
from .cortex.caliper import Caliper
from .cortex.errors import InputError
from .cortex.grid import Image
from .cortex.result import Finding
from .cortex.trace import Trace
from .cortex.traced_ribbon import CSF, GM, WM, ribbon_labels
from .study.markups import Markup, read_curves, read_lines
from .study.outputs import OutputFolder
from .study.tables import write_rows

TISSUES = {"gm": (GM,), "wm": (WM,), "csf": (CSF,)}
"""Labels of the ribbon that traces make, as settings."""


@dataclass(frozen=True)
class Drawings:
    """Files of calipers and traces.

    Attributes:
        traces: files of curves along the cortex.
        borders: pairs of files, pial and white-matter border drawn by hand.
        calipers: files of lines across the cortex.
        map: the name of the map that they are measured on; empty for the first.
    """

    traces: tuple[Path, ...] = ()
    borders: tuple[tuple[Path, Path], ...] = ()
    calipers: tuple[Path, ...] = ()
    map: str = ""

    @property
    def files(self) -> list[Path]:
        """All that are read."""
        return [*self.traces, *(path for pair in self.borders for path in pair), *self.calipers]

    def __bool__(self) -> bool:
        return bool(self.traces or self.borders or self.calipers)


@dataclass(frozen=True)
class Drawn:
    """What was measured.

    Attributes:
        map: name of the map.
        image: the map.
        traces, calipers: results by name.
        sources: a record of each file, for the provenance.
        extra: findings about the map, where nothing else carries them.
    """

    map: str
    image: Image
    traces: Mapping[str, Trace]
    calipers: Mapping[str, Caliper]
    sources: tuple[dict[str, Any], ...]
    extra: tuple[Finding, ...] = ()

    @property
    def findings(self) -> tuple[Finding, ...]:
        """What was noticed, with the name of the markup in front."""
        both = {**self.calipers, **self.traces}
        own = (
            Finding(f.code, f"{name}: {f.message}", f.warning, f.ras)
            for name, result in both.items()
            for f in result.findings
        )
        return (*self.extra, *own)

    def labels(self) -> Image:
        """The ribbon of all traces; see :data:`TISSUES`.

        Raises:
            InputError: the traces do not fit together.
        """
        return ribbon_labels(list(self.traces.values()), self.image.grid)

    def write(self, folder: OutputFolder) -> None:
        """Writes ``markups.tsv`` and, for traces, two tables along and across the cortex."""
        both = {**self.calipers, **self.traces}
        write_rows(
            ("markup", "map", "measure", "value", "unit"),
            [(name, self.map, *row) for name, result in both.items() for row in _numbers(result)],
            folder.path("markups.tsv"),
        )
        if not self.traces:
            return
        write_rows(
            ("markup", "position", "r", "a", "s", "thickness", "pial_sd", "white_sd"),
            [(name, *row) for name, found in self.traces.items() for row in _along(found)],
            folder.path("trace_thickness.tsv"),
        )
        write_rows(
            ("markup", "map", "depth", "mean", "sd"),
            [
                (name, self.map, float(depth), float(mean), float(sd))
                for name, found in self.traces.items()
                for depth, mean, sd in zip(
                    found.profile_depth, found.profile, found.profile_sd, strict=True
                )
            ],
            folder.path("trace_profiles.tsv"),
        )


def measure_drawings(
    drawings: Drawings, maps: Mapping[str, Image], iron: Mapping[str, str] | None = None
) -> Drawn:
    """Measures calipers and traces on one of the maps.

    Args:
        maps: by name.
        iron: how iron shows in maps, where the user said so.

    Raises:
        InputError: a file that cannot be used, no such map, or a markup that cannot be
            measured; the message names it.
    """
    if not maps:
        raise InputError(
            "Calipers and traces are measured on an image. Name it with --map or --echoes."
        )
    name = drawings.map or next(iter(maps))
    if name not in maps:
        raise InputError(
            f"--drawn-on names {name}, but no map has that name. There are: {', '.join(maps)}."
        )
    image, sources = maps[name], []
    how = (iron or {}).get(name)
    calipers: dict[str, Caliper] = {}
    traces: dict[str, Trace] = {}
    for path in drawings.calipers:
        for markup in read_lines(path):
            sources.append(_source("caliper", markup))
            with _named(markup.name):
                found = drawn.caliper(
                    image, markup.points, drawn.caliper_options(markup.record), how
                )
            calipers[_unused(markup.name, calipers)] = found
    for path in drawings.traces:
        for markup in read_curves(path):
            sources.append(_source("trace", markup))
            with _named(markup.name):
                followed = drawn.trace(
                    image, markup.points, drawn.trace_options(markup.record), how
                )
            traces[_unused(markup.name, {**calipers, **traces})] = followed
    for pair in drawings.borders:
        pial, white = (_only(read_curves(path)) for path in pair)
        sources += [_source("pial border", pial), _source("white-matter border", white)]
        with _named(pial.name):
            followed = drawn.trace_borders(image, pial.points, white.points, how)
        traces[_unused(pial.name, {**calipers, **traces})] = followed
    return Drawn(name, image, traces, calipers, tuple(sources))


@contextmanager
def _named(name: str) -> Iterator[None]:
    """Puts the name of a markup in front of what is wrong with it."""
    try:
        yield
    except InputError as error:
        raise InputError(f"{name}: {error}") from None


def _only(markups: Sequence[Markup]) -> Markup:
    if len(markups) > 1:
        raise InputError(f"{markups[0].path} holds several curves. Save each border on its own.")
    return markups[0]


def _source(role: str, markup: Markup) -> dict[str, Any]:
    size = markup.path.stat().st_size
    return {
        "role": f"{role} {markup.name}",
        "path": str(markup.path),
        "bytes": size,
        "sha256": markup.sha256,
    }


def _unused(name: str, taken: Mapping[str, Any]) -> str:
    """The name, with a number where files of different folders share it."""
    number, unused = 1, name
    while unused in taken:
        number += 1
        unused = f"{name}_{number}"
    return unused


def _numbers(found: Caliper | Trace) -> list[tuple[str, float, str]]:
    """Measure, value and unit; ``map`` stands for the map's own unit."""
    rows = [(r.measure, float(r.value), r.unit) for r in drawn.readings(found)]
    rows += [(f"layer_{n}_mean", float(v), "map") for n, v in enumerate(found.layer_means, 1)]
    if isinstance(found, Caliper):
        rows += [("thickness_error", float(found.thickness_sd), "mm")]
        return [*rows, ("tilt", float(found.tilt), "deg")]
    rows += [("thickness_error", float(found.mean_thickness_sd), "mm")]
    rows += [("thickness_sd", float(np.std(found.thickness)), "mm")]
    return [*rows, ("length", float(found.positions[-1]), "mm")]


def _along(found: Trace) -> list[tuple[float, ...]]:
    columns = np.column_stack(
        [found.positions, found.curve, found.thickness, found.pial_sd, found.white_sd]
    )
    return [tuple(float(v) for v in row) for row in columns]
