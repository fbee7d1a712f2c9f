"""What there is to measure of one participant or session in BIDS datasets."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from ..cortex.errors import InputError
from .bids_dataset import BidsFile, Dataset, label_names, matching
from .bids_names import Unit
from .segmentations import read_labels

Label = int | str
"""A label map's value, or the name of a segment."""

MAPS = {
    "T2starmap": ("T2star", "ms"),
    "R2starmap": ("R2star", "1/s"),
    "Chimap": ("Chi", "ppm"),
    "S0map": ("S0", ""),
    "T1map": ("T1", "s"),
    "R1map": ("R1", "1/s"),
    "T2map": ("T2", "s"),
    "R2map": ("R2", "1/s"),
    "MTRmap": ("MTR", ""),
    "MTsat": ("MTsat", ""),
    "PDmap": ("PD", ""),
    "T1w": ("T1w", ""),
    "T2w": ("T2w", ""),
    "T2starw": ("T2starw", ""),
}
"""Map and unit by the suffix of its file. BIDS has T2* in s; it is measured in ms."""

USUAL = ("T2star", "R2star", "Chi")
"""Maps that are measured where they are found and none is named."""

TISSUE_NAMES = {
    "gm": ("gray_matter", "grey_matter", "gm", "m1"),
    "wm": ("white_matter", "wm"),
    "csf": ("csf", "cerebrospinal_fluid"),
    "other_bank": ("other_bank", "opposite_bank"),
}
"""What a tissue may be called in a ``dseg.tsv``; BIDS's own abbreviations are among them."""

_SEGMENTATIONS = {"dseg"}


@dataclass(frozen=True)
class Wanted:
    """What the user asks for, the same for all subjects.

    Attributes:
        tissues: labels of ``gm``, ``wm``, ``csf`` and ``other_bank``, by number or name; a
            tissue that is absent is looked for by its usual names.
        maps: names of the maps to measure; none means the usual ones.
        from_echoes: those of the maps that echoes can give.
        labels, regions: the label ``desc-`` of the tissue labels and of the regions.
        select: entities that tell which of several scans to take.
    """

    tissues: Mapping[str, Any] = field(default_factory=dict)
    maps: tuple[str, ...] = ()
    from_echoes: tuple[str, ...] = ()
    labels: str = "cortex"
    regions: str = "regions"
    select: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class EchoFiles:
    """The files of one multi-echo scan, echoes in order of their times.

    Attributes:
        magnitude, phase: one file each; phase may be empty.
        times_s: echo times as the sidecars state them; empty where one does not.
        thickness_mm: slice thickness, where a sidecar states it.
    """

    magnitude: tuple[Path, ...]
    phase: tuple[Path, ...]
    times_s: tuple[float, ...]
    thickness_mm: float | None


@dataclass(frozen=True)
class MapFile:
    """A map that is there already.

    Attributes:
        path: its file.
        unit: of the values that are measured.
        stated: the unit that its sidecar states for the values in the file; may be empty.
    """

    path: Path
    unit: str
    stated: str


@dataclass(frozen=True)
class CaseFiles:
    """The files to measure of one unit.

    Attributes:
        unit: participant and session.
        labels: the label map, and ``tissues`` the labels in it by tissue.
        regions: file and label of each region, by name.
        maps: maps that are there, by name.
        echoes: what the maps in ``made`` come from.
        made: names of the maps to make from the echoes.
        uris: BIDS URI of every file above and of every sidecar that was heeded.
        space: ``space-`` of the label map, for the results' names.
    """

    unit: Unit
    labels: Path
    tissues: Mapping[str, tuple[Label, ...]]
    regions: Mapping[str, tuple[Path, Label]]
    maps: Mapping[str, MapFile]
    echoes: EchoFiles | None
    made: tuple[str, ...]
    uris: Mapping[Path, str]
    space: str


def find_case(raw: Dataset, others: Sequence[Dataset], unit: Unit, wanted: Wanted) -> CaseFiles:
    """The files of one unit.

    Args:
        raw: the dataset with the images.
        others: derivative datasets with label maps, and perhaps maps, in order of precedence.
        unit: participant and session.
        wanted: what to measure.

    Raises:
        InputError: what is needed is not there, or could be several files.
    """
    search = _Search(raw, tuple(others), unit, wanted)
    labels = search.label_map()
    regions = search.regions(labels)
    tissues = search.tissues(labels)
    maps = search.maps()
    echoes, made = search.echoes(maps)
    if not maps and not made:
        raise InputError(
            f"{unit} has nothing to measure signal in: neither a map (T2starmap, R2starmap, "
            f"Chimap) nor a multi-echo scan (MEGRE) was found in {raw.root / unit.folder}/anat. "
            "Add one, or name another map with --map."
        )
    return CaseFiles(
        unit, labels.path, tissues, regions, maps, echoes, made, search.uris,
        labels.name.entities.get("space", "orig"),
    )  # fmt: skip


@dataclass
class _Search:
    """Looks for the files of one unit and keeps the URIs of those that are used."""

    raw: Dataset
    others: tuple[Dataset, ...]
    unit: Unit
    wanted: Wanted
    uris: dict[Path, str] = field(default_factory=dict)

    def use(self, dataset: Dataset, paths: Iterable[Path]) -> None:
        for path in paths:
            self.uris[path] = dataset.uri(path)

    # Labels -------------------------------------------------------------------------

    def label_map(self) -> BidsFile:
        """The file of the tissue labels: that of the wanted description, or the only one."""
        for dataset in self.others:
            files = self._segmentations(dataset)
            own = [f for f in files if f.name.entities.get("desc") == self.wanted.labels]
            rest = [f for f in files if f.name.entities.get("desc") != self.wanted.regions]
            if found := own or rest:
                file = self._only(found, "label maps", "--labels-desc or --select")
                self.use(dataset, [file.path])
                self._labels_of = dataset
                return file
        folders = ", ".join(str(d.root / self.unit.folder / "anat") for d in self.others)
        raise InputError(
            f"{self.unit} has no label map: there is no file ..._dseg.nii.gz in {folders}. Draw "
            "one, or name the dataset that holds it with --segmentations."
        )

    def regions(self, labels: BidsFile) -> dict[str, tuple[Path, Label]]:
        """Every label of the region maps, by its name in the table."""
        found: dict[str, tuple[Path, Label]] = {}
        for dataset in self.others:
            for file in self._segmentations(dataset):
                if file.name.entities.get("desc") != self.wanted.regions or file == labels:
                    continue
                self.use(dataset, [file.path])
                for label, own in self._named(dataset, file).items():
                    name = own or f"region_{label}"
                    if name in found:
                        raise InputError(
                            f"{self.unit} has two regions called {name}: in "
                            f"{found[name][0].name} and {file.path.name}. Rename or remove one."
                        )
                    found[name] = (file.path, label)
            if found:
                break
        return found

    def tissues(self, labels: BidsFile) -> dict[str, tuple[Label, ...]]:
        """Labels by tissue, told by the names in the table or of the segments."""
        named = self._named(self._labels_of, labels)
        found = {tissue: self._tissue(tissue, labels, named) for tissue in TISSUE_NAMES}
        return {tissue: own for tissue, own in found.items() if own}

    def _named(self, dataset: Dataset, file: BidsFile) -> dict[Label, str]:
        """The labels that a file has, with their names: values of a label map, whose names a
        table gives, or segments of a Slicer segmentation."""
        labels = read_labels(file.path)
        if labels.segments:
            return {s.name: s.name for s in labels.segments if s.value in labels.values[s.layer]}
        names, tables = label_names(dataset, file)
        self.use(dataset, tables)
        return {value: names.get(value, "") for value in labels.values[0] if value > 0}

    def _tissue(
        self, tissue: str, labels: BidsFile, named: Mapping[Label, str]
    ) -> tuple[Label, ...]:
        given = self.wanted.tissues.get(tissue)
        known = {_plain(name): label for label, name in named.items() if name}
        if given in (None, "", [], ()):
            usual = [known[name] for name in TISSUE_NAMES[tissue] if name in known]
            return tuple(usual[:1])
        numbers: dict[str, Label] = {str(label): label for label in named}
        if any(isinstance(label, int) for label in named):
            numbers["0"] = 0  # what no label covers may be CSF
        chosen = []
        for text in _listed(given, known):
            label = known.get(_plain(text), numbers.get(text))
            if label is None:
                there = ", ".join(f"{name or 'no name'} ({key})" for key, name in named.items())
                raise InputError(
                    f"There is no label {text!r}, given with --{tissue.replace('_', '-')}, in "
                    f"{labels.path.name}. It has: {there or 'none'}."
                )
            chosen.append(label)
        return tuple(chosen)

    def _segmentations(self, dataset: Dataset) -> list[BidsFile]:
        every = [f for f in dataset.images(self.unit) if f.name.suffix in _SEGMENTATIONS]
        return matching(every, self.wanted.select)

    # Maps and echoes ----------------------------------------------------------------

    def maps(self) -> dict[str, MapFile]:
        """The wanted maps that are there already; datasets named first go first."""
        names = self.wanted.maps or USUAL
        found: dict[str, MapFile] = {}
        for dataset in (*self.others, self.raw):
            files = matching(dataset.images(self.unit), self.wanted.select)
            for suffix, (name, unit) in MAPS.items():
                own = [f for f in files if f.name.suffix == suffix]
                if name not in names or name in found or not own:
                    continue
                file = self._only(own, f"files of the map {name}", "--select")
                self.use(dataset, [file.path, *dataset.sidecars(file, ".json")])
                stated = str(dataset.metadata(file).get("Units", "")).strip()
                keeps = stated and suffix != "T2starmap"
                found[name] = MapFile(file.path, stated if keeps else unit, stated)
        return {name: found[name] for name in names if name in found}

    def echoes(self, maps: Mapping[str, MapFile]) -> tuple[EchoFiles | None, tuple[str, ...]]:
        """The multi-echo scan and what to make from it: the maps that are not there yet."""
        made = tuple(name for name in self.wanted.from_echoes if name not in maps)
        missing = [n for n in self.wanted.maps if n not in maps and n not in made]
        if missing:
            raise InputError(
                f"{self.unit} has no map {missing[0]}. Maps are files with the suffix "
                f"{', '.join(MAPS)}, or are made from a multi-echo scan: combined_snr, "
                "combined_rss, combined_mean, T2star, R2star, S0."
            )
        files = [f for f in self.raw.images(self.unit) if f.name.suffix == "MEGRE"]
        files = matching(files, self.wanted.select)
        if not files or not made:
            if made and self.wanted.maps:
                raise InputError(
                    f"{self.unit} has no multi-echo scan (MEGRE) to make {made[0]} from, and no "
                    "file of that map."
                )
            return None, ()
        return self._echo_files(files), made

    def _echo_files(self, files: Sequence[BidsFile]) -> EchoFiles:
        scans = {
            tuple(kv for kv in sorted(f.name.entities.items()) if kv[0] not in ("echo", "part"))
            for f in files
        }
        if len(scans) > 1:
            names = sorted({f.path.name for f in files if f.name.entities.get("echo") == "1"})
            raise InputError(
                f"{self.unit} has {len(scans)} multi-echo scans: {', '.join(names[:4])}. Choose "
                "one by an entity of its name, for example --select acq-hires or run-1."
            )
        by_part: dict[str, list[BidsFile]] = {}
        for file in sorted(files, key=lambda f: int(f.name.entities.get("echo", "0"), 10)):
            by_part.setdefault(file.name.entities.get("part", "mag"), []).append(file)
            self.use(self.raw, [file.path, *self.raw.sidecars(file, ".json")])
        magnitude, phase = by_part.get("mag", []), by_part.get("phase", [])
        if not magnitude:
            raise InputError(
                f"{self.unit} has no magnitude of its multi-echo scan. Name it with part-mag."
            )
        stated = [self.raw.metadata(file) for file in magnitude]
        times = [_positive(values.get("EchoTime")) for values in stated]
        thickness = [_positive(values.get("SliceThickness")) for values in stated]
        return EchoFiles(
            tuple(file.path for file in magnitude),
            tuple(file.path for file in phase),
            tuple(t for t in times if t) if all(times) else (),
            next((t for t in thickness if t), None),
        )

    def _only(self, files: Sequence[BidsFile], what: str, option: str) -> BidsFile:
        if len(files) > 1:
            names = ", ".join(file.path.name for file in files[:4])
            raise InputError(
                f"{self.unit} has {len(files)} {what}: {names}. Choose one with {option}."
            )
        return files[0]


def _plain(name: str) -> str:
    return re.sub(r"[\s_-]+", "_", name.strip().casefold())


def _listed(given: Any, known: Mapping[str, Label]) -> list[str]:
    """The labels in an option's value, which may list several."""
    if isinstance(given, str):
        return [given] if _plain(given) in known else [t.strip() for t in given.split(",")]
    return [str(item) for item in (given if isinstance(given, (list, tuple)) else [given])]


def _positive(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    return float(value) if np.isfinite(value) and value > 0 else None
