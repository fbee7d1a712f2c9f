"""Label maps and Slicer segmentations, and the labels that a user names in them.

A ``.seg.nrrd`` file names its segments in the NRRD header: ``Segment0_Name``,
``Segment0_LabelValue``, ``Segment0_Layer`` and so on. Segments that share no voxel share a
layer; overlapping ones lie in layers of their own, which NRRD stores as several values per
voxel (vtkMRMLSegmentationStorageNode in Slicer's sources, ReadBinaryLabelmapRepresentation
and WriteBinaryLabelmapRepresentation).
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ..cortex.errors import InputError
from ..cortex.grid import Image
from ..cortex.result import Finding
from ..cortex.settings import PRIORITY, TISSUES
from .images import ImageFile, read_layers, whole_numbers


@dataclass(frozen=True)
class Segment:
    """One segment of a ``.seg.nrrd`` file: its names, and the layer and value it is stored as."""

    id: str
    name: str
    layer: int
    value: int


@dataclass(frozen=True)
class LabelFile:
    """A label map or segmentation as it was read.

    Attributes:
        file: what was read, its layers as whole numbers.
        segments: the segments that the header names; empty for a plain label map.
        values: for each layer the labels that it holds, background 0 included.
    """

    file: ImageFile
    segments: tuple[Segment, ...]
    values: tuple[tuple[int, ...], ...]

    @property
    def image(self) -> Image:
        """The first layer."""
        return self.file.image

    def available(self) -> str:
        """The labels that can be chosen, for a message."""
        if self.segments:
            return ", ".join(f"{s.name} ({s.value})" for s in self.segments) or "none"
        return ", ".join(str(v) for v in self.values[0]) or "none"

    def find(self, wanted: str | int | Iterable[str | int], option: str) -> list[Segment]:
        """The labels that a user means.

        Args:
            wanted: label numbers or segment names; a text may list several, separated by
                commas. A name is looked up as written, then in any case, then as an id.
            option: for messages, for example ``--gm``.

        Raises:
            InputError: a label is not in the file, or could be several.
        """
        names = [s.name for s in self.segments]
        if isinstance(wanted, str):
            # A segment's name may hold a comma itself.
            wanted = [wanted] if wanted in names else _entries(wanted, option)
        elif not isinstance(wanted, (list, tuple)):
            wanted = [wanted]  # type: ignore[list-item]
        return [self._one(str(item), option) for item in wanted]

    def _one(self, text: str, option: str) -> Segment:
        for key in (
            lambda s: s.name == text,
            lambda s: s.name.casefold() == text.casefold(),
            lambda s: s.id == text,
            lambda s: str(s.value) == text,
        ):
            found = [s for s in self.segments if key(s)]
            if len(found) > 1:
                raise InputError(
                    f"{option} {text} could be {len(found)} segments of {self.file.path}: "
                    f"{', '.join(f'{s.name} (id {s.id})' for s in found)}. Give the name or id "
                    "of one."
                )
            if found:
                return self._present(found[0], option)
        if re.fullmatch(r"[+-]?\d+", text):
            for layer, values in enumerate(self.values):
                if int(text) in values:
                    return Segment(text, text, layer, int(text))
            raise InputError(
                f"Label {text}, given with {option}, is not in {self.file.path}. "
                f"The file has: {self.available()}."
            )
        if not self.segments:
            raise InputError(
                f"{option} {text!r} is not a whole number, and {self.file.path} has no segment "
                f"names. "
                f"It has the labels: {self.available()}."
            )
        raise InputError(
            f"There is no segment {text!r}, given with {option}, in {self.file.path}. "
            f"The file has: {self.available()}."
        )

    def _present(self, segment: Segment, option: str) -> Segment:
        if segment.value not in self.values[segment.layer]:
            raise InputError(
                f"The segment {segment.name}, given with {option}, is empty in {self.file.path}. "
                "Draw it or choose another."
            )
        return segment

    def tissues(
        self, wanted: Mapping[str, str | int | Iterable[str | int]]
    ) -> tuple[Image, dict[str, tuple[int, ...]], tuple[Finding, ...]]:
        """One label image and the label values of each tissue in it.

        A file with one layer is given back as it is. Otherwise the chosen segments are put
        together, and where they overlap :data:`PRIORITY` says which wins.

        Args:
            wanted: for ``gm``, ``wm``, ``csf`` and ``other_bank`` what :meth:`find` takes.

        Returns:
            the label image, the values for each name in ``wanted``, and a finding where
            segments overlap.

        Raises:
            InputError: see :meth:`find`.
        """
        chosen = {
            tissue: self.find(names, f"--{tissue.replace('_', '-')}")
            for tissue, names in wanted.items()
        }
        self._check_apart(chosen)
        if len(self.file.layers) == 1:
            values = {tissue: tuple(s.value for s in found) for tissue, found in chosen.items()}
            return self.image, values, ()
        return self._merged(chosen)

    def _check_apart(self, chosen: Mapping[str, list[Segment]]) -> None:
        used: dict[tuple[int, int], str] = {}
        for tissue, segments in chosen.items():
            for s in segments:
                other = used.setdefault((s.layer, s.value), tissue)
                if other != tissue:
                    raise InputError(
                        f"The label {s.name} is given as both {TISSUES[other]} and "
                        f"{TISSUES[tissue]}. Each label belongs to one tissue."
                    )

    def _merged(
        self, chosen: Mapping[str, list[Segment]]
    ) -> tuple[Image, dict[str, tuple[int, ...]], tuple[Finding, ...]]:
        values: dict[str, tuple[int, ...]] = {}
        array: NDArray = np.zeros(self.image.grid.shape, dtype=np.int32)
        overlap = np.zeros(array.shape, dtype=bool)
        taken: set[int] = set()
        for tissue in sorted(chosen, key=PRIORITY.index):
            own: list[int] = []
            mask = np.zeros(array.shape, dtype=bool)
            before = array != 0
            for segment in chosen[tissue]:
                value = segment.value
                while value in taken or value == 0:  # two layers may use the same value
                    value += 1
                taken.add(value)
                own.append(value)
                here = self.file.layers[segment.layer] == segment.value
                array[here] = value
                mask |= here
            overlap |= mask & before
            values[tissue] = tuple(own)
        image = whole_numbers(Image(array, self.image.grid, self.image.name))
        return image, values, self._overlap_finding(overlap)

    def _overlap_finding(self, overlap: NDArray[np.bool_]) -> tuple[Finding, ...]:
        number = int(np.count_nonzero(overlap))
        if not number:
            return ()
        first = np.array(np.unravel_index(int(np.argmax(overlap)), overlap.shape))
        r, a, s = (float(x) for x in self.image.grid.ras(first))
        order = ", then ".join(TISSUES[tissue] for tissue in reversed(PRIORITY))
        return (
            Finding(
                "segments_overlap",
                f"Segments of {self.file.path} overlap in {number} voxels, for example at "
                f"R {r:.1f}, A {a:.1f}, S {s:.1f} mm. There the first of these wins: {order}.",
                warning=True,
                ras=(r, a, s),
            ),
        )

    def region(self, wanted: str, option: str) -> Image:
        """A mask (uint8, 1 inside) of some labels, or of every label where none is named.

        Raises:
            InputError: see :meth:`find`; or there is no label at all.
        """
        layers = self.file.layers
        if wanted:
            masks = [layers[s.layer] == s.value for s in self.find(wanted, option)]
        else:
            masks = [layer != 0 for layer in layers]
        mask = np.logical_or.reduce(masks)
        if not mask.any():
            raise InputError(f"{self.file.path}, given with {option}, has no labelled voxel.")
        return Image(mask.astype(np.uint8), self.image.grid, self.image.name)


def read_labels(path: str | os.PathLike) -> LabelFile:
    """Reads a label map or a Slicer segmentation.

    Raises:
        InputError: see :func:`.images.read_image` and :func:`.images.whole_numbers`; or the
            file has several values per voxel and names no segments.
    """
    file = read_layers(path)
    layers = tuple(
        whole_numbers(Image(layer, file.image.grid, str(file.path))).array for layer in file.layers
    )
    image = Image(layers[0], file.image.grid, file.image.name)
    file = replace(file, image=image, layers=layers)
    segments = _segments(file)
    if len(layers) > 1 and not segments:
        raise InputError(
            f"{file.path} has {len(layers)} values per voxel but names no segments. Give a label "
            "map with one value per voxel, or a segmentation saved by Slicer (.seg.nrrd)."
        )
    return LabelFile(file, segments, tuple(_labels_in(layer) for layer in layers))


def split_labels(text: str) -> tuple[str, str]:
    """Splits ``FILE:LABELS``; the labels may be left out.

    File names and segment names may hold colons (``C:\\data\\a.nii.gz:1``): the longest
    beginning that is a file is the file. If none is, the last colon divides, unless it is
    that of a drive letter.
    """
    ends = [len(text)] + [m.start() for m in re.finditer(":", text)][::-1]
    for end in ends:
        if os.path.isfile(text[:end]):
            return text[:end], text[end + 1 :].strip()
    file, colon, labels = text.rpartition(":")
    if not colon or len(file) < 2 or "/" in labels or "\\" in labels:
        return text, ""
    return file, labels.strip()


def _segments(file: ImageFile) -> tuple[Segment, ...]:
    """The segments that the header names. Defaults as in Slicer: layer = index, value = 1."""
    found: list[Segment] = []
    while (id := file.metadata.get(f"Segment{len(found)}_ID")) is not None:
        index = len(found)
        get = file.metadata.get
        name = get(f"Segment{index}_Name", id)
        try:
            layer = int(get(f"Segment{index}_Layer", index))
            value = int(get(f"Segment{index}_LabelValue", 1))
        except ValueError:
            raise InputError(
                f"{file.path} has a damaged header: layer or label value of the segment {name} is "
                "no whole number. Save the segmentation again in Slicer."
            ) from None
        found.append(Segment(id, name, layer, value))
    if any(not 0 <= s.layer < len(file.layers) for s in found):
        raise InputError(
            f"{file.path} has segments in layers that it does not hold. Save the segmentation "
            "again in Slicer."
        )
    return tuple(found)


def _labels_in(array: NDArray) -> tuple[int, ...]:
    low = int(array.min())
    if int(array.max()) - low < 1 << 16:  # counting is ten times faster than sorting
        counts = np.bincount((array.astype(np.int64) - low).ravel())
        return tuple(int(v) + low for v in np.flatnonzero(counts))
    return tuple(int(v) for v in np.unique(array))


def _entries(text: str, option: str) -> list[str]:
    """The entries of a list with commas. Raises: InputError: one of them is empty."""
    entries = re.split(r"\s*,\s*", text.strip())
    if len(entries) > 1 and "" in entries:
        place = (
            "before its first comma" if not entries[0]
            else "between two commas" if "" in entries[1:-1]
            else "after its last comma"
        )  # fmt: skip
        raise InputError(
            f"{option} {text} has an empty entry {place}. Take the comma out, or write the label "
            "that is missing."
        )
    return entries
