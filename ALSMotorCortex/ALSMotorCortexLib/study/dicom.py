"""Multi-echo gradient echo from DICOM files: the series that holds it, and its phase."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..cortex.errors import InputError
from ..cortex.grid import Grid
from .dicom_frames import MAGNITUDE, PHASE, Frame, frames_of, label_of
from .dicom_volumes import Pixels, Volume, grid_of, volume_of

# The slices of a series by kind and echo time.
_Stacks = dict[tuple[str, float], list[Frame]]


@dataclass(frozen=True)
class DicomEchoes:
    """A multi-echo series.

    Attributes:
        magnitude, phase: volumes by ascending echo time; phase may be empty.
        thickness_mm: slice thickness, or None where it is not stated.
        series: its number and description.
        files: how many files it came from, their size in bytes, and one checksum over all.
    """

    magnitude: tuple[Volume, ...]
    phase: tuple[Volume, ...]
    thickness_mm: float | None
    series: str
    files: tuple[int, int, str]


def is_dicom(path: Path) -> bool:
    """Whether a file starts as DICOM files do."""
    if not path.is_file():  # a pipe could keep us waiting
        return False
    try:
        with open(path, "rb") as stream:
            return stream.read(132)[128:] == b"DICM"
    except OSError:
        return False


def read_dicom(paths: Iterable[Path], series: str = "") -> DicomEchoes:
    """The multi-echo magnitude, and its phase where there is one, from DICOM files.

    Args:
        paths: files; those that are not MR images are passed over.
        series: number, or part of the description, of the series to take where there are
            several.

    Raises:
        InputError: no or several multi-echo series, a missing slice, repeated images, or a
            file that is truncated or cannot be decoded.
    """
    frames = [frame for path in sorted(paths) for frame in frames_of(path)]
    if not frames:
        raise InputError(
            "No MR images in DICOM format were found there. Check the folder, or give the "
            "echoes as NIfTI files."
        )
    by_series = _by_series(frames)
    chosen = _choose(by_series, series)
    stacks = by_series[chosen]
    times = sorted(time for kind, time in stacks if kind == MAGNITUDE)
    label = label_of(next(iter(stacks.values()))[0])
    pixels = Pixels()
    magnitude = tuple(volume_of(stacks[MAGNITUDE, time], pixels) for time in times)
    found = _phase_stacks(by_series, chosen, times, magnitude[0].image.grid)
    phase = tuple(volume_of(found[time], pixels) for time in times) if found else ()
    used = [stacks[MAGNITUDE, time] for time in times] + [found[time] for time in found]
    return DicomEchoes(
        magnitude,
        phase,
        stacks[MAGNITUDE, times[0]][0].thickness,
        label,
        _digest({frame.path for stack in used for frame in stack}),
    )


def _by_series(frames: Iterable[Frame]) -> dict[str, _Stacks]:
    """Frames by series, then by kind and echo time.

    Some scanners store every echo as a series of its own: series of one echo that share their
    description and plane are put together.
    """
    series: dict[str, _Stacks] = defaultdict(lambda: defaultdict(list))
    for frame in frames:
        series[frame.series_uid][frame.kind, frame.time_ms].append(frame)
    single: dict[tuple, list[str]] = defaultdict(list)
    for uid, stacks in series.items():
        if len(stacks) == 1:
            (kind, _), (first, *_) = next(iter(stacks.items()))
            single[kind, first.description, first.orientation, first.size, first.spacing].append(
                uid
            )
    for uids in single.values():
        keys = [key for uid in uids for key in series[uid]]
        if len(uids) > 1 and len(set(keys)) == len(keys):
            for uid in uids[1:]:
                series[uids[0]].update(series.pop(uid))
    return dict(series)


def _choose(by_series: Mapping[str, _Stacks], wanted: str) -> str:
    """The one series with several magnitude echoes, or the one that is asked for."""

    def echoes(stacks: _Stacks) -> int:
        return sum(kind == MAGNITUDE for kind, _ in stacks)

    several = [uid for uid, stacks in by_series.items() if echoes(stacks) > 1]
    first = {uid: next(iter(stacks.values()))[0] for uid, stacks in by_series.items()}
    if wanted:
        matching = [
            uid
            for uid in several
            if wanted == str(first[uid].number) or wanted.lower() in first[uid].description.lower()
        ]
        if not matching:
            raise InputError(
                f"There is no multi-echo magnitude series {wanted!r}. There is: "
                f"{_listed(by_series, several or list(by_series))}."
            )
        several = matching
    if not several:
        raise InputError(
            "The DICOM files hold no series with two or more magnitude echoes, only "
            f"{_listed(by_series, list(by_series))}. T2* needs at least two echo times."
        )
    if len(several) > 1:
        raise InputError(
            f"The DICOM files hold {len(several)} multi-echo series: "
            f"{_listed(by_series, several)}. Choose one with --series NUMBER."
        )
    return several[0]


def _listed(by_series: Mapping[str, _Stacks], uids: Sequence[str]) -> str:
    """Series in words, at most eight."""
    words = []
    for uid in sorted(uids, key=lambda u: next(iter(by_series[u].values()))[0].number)[:8]:
        stacks = by_series[uid]
        kinds = sorted({kind for kind, _ in stacks})
        first = next(iter(stacks.values()))[0]
        echoes = len({time for _, time in stacks})
        words.append(
            f"{label_of(first)}, {'/'.join(kinds)}, {echoes} {'echo' if echoes == 1 else 'echoes'}"
        )
    more = len(uids) - len(words)
    return "; ".join(words) + (f"; and {more} more" if more > 0 else "")


def _phase_stacks(
    by_series: Mapping[str, _Stacks], chosen: str, times: Sequence[float], grid: Grid
) -> dict[float, list[Frame]]:
    """Phase of the same echo times and place: of the same series, else of the nearest number."""
    number = next(iter(by_series[chosen].values()))[0].number
    order = sorted(
        by_series,
        key=lambda uid: (
            uid != chosen,
            abs(next(iter(by_series[uid].values()))[0].number - number),
        ),
    )
    for uid in order:
        stacks = by_series[uid]
        found = {time: stacks[PHASE, time] for time in times if (PHASE, time) in stacks}
        if len(found) == len(times) and grid_of(found[times[0]]).same_as(grid, 0.01):
            return found
    return {}


def _digest(paths: Iterable[Path]) -> tuple[int, int, str]:
    """Number of files, their bytes, and one SHA-256 over all in order of their names."""
    total, size, ordered = hashlib.sha256(), 0, sorted(paths)
    for path in ordered:
        data = path.read_bytes()
        size += len(data)
        total.update(data)
    return len(ordered), size, total.hexdigest()
