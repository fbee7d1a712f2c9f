"""Echoes in a scene: found in volumes, sequences and multi-volumes, with their echo times.

A multi-volume is a volume node with several values per voxel, one for each echo. The module
MultiVolumeExplorer says in the node's attributes ``MultiVolume.*`` what tells them apart.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import slicer

from ..cortex.errors import InputError
from ..cortex.grid import Image
from ..cortex.result import Finding
from .inputs import all_nodes, in_scene, is_input, is_phase
from .translation import tr as _
from .volumes import read_volume

TIMES = "ALSMotorCortex.EchoTimes"
"""Attribute of a node: the echo times in ms that the user typed, empty where none, by commas."""

FOUND = "ALSMotorCortex.FoundEchoTimes"
"""Attribute of a node: echo times in ms that were found elsewhere, as a saved scene may lie apart
from the files and the database that they were found in."""

KINDS = ("vtkMRMLScalarVolumeNode", "vtkMRMLSequenceNode")
"""Classes of nodes that hold echoes; multi-volumes are of the first."""

Beside = Callable[[Path, int], Sequence["float | None"]]
"""Gives the echo times in ms that lie beside an image file of so many volumes."""

_ECHO_TIME, _IMAGE_TYPE = "0018,0081", "0008,0008"
_TIME_IN_NAME = re.compile(r"(?<![a-z])te[ _=-]*(\d+(?:[.,p]\d+)?)", re.IGNORECASE)

# As in study/echo_times.py: a time under this is in seconds, one over that no echo time.
_SECONDS_BELOW = 0.5
_LONGEST_MS = 500.0


@dataclass(frozen=True)
class Frame:
    """One echo.

    Attributes:
        node: the volume, sequence or multi-volume that it is or lies in.
        number: which of the node's echoes, from 0.
        name: to show.
        time_ms: echo time, or None where it is not known.
        source: where the time was found: ``typed``, ``sequence``, ``multi-volume``, ``node``,
            ``DICOM``, ``file``, ``kept`` (found in one of these earlier) or ``name``; empty where
            it is not known.
    """

    node: Any
    number: int
    name: str
    time_ms: float | None = None
    source: str = ""


# Finding --------------------------------------------------------------------------------


def frames_of(nodes: Iterable[Any], beside: Beside) -> list[Frame]:
    """The echoes in some nodes in the order of their times; those without a time come last.

    Args:
        nodes: volumes, sequences of volumes and multi-volumes.
        beside: looks beside the files that volumes were loaded from.
    """
    frames = [frame for node in filter(in_scene, nodes) for frame in _frames(node, beside)]
    return sorted(frames, key=lambda f: float("inf") if f.time_ms is None else f.time_ms)


def suggest(scene: Any, beside: Beside) -> list[Any]:
    """Nodes that hold the echoes of one scan, told by their echo times; empty if there are none.

    A sequence or multi-volume goes before volumes; of volumes those with the same number of
    voxels go together.
    """
    nodes = [node for kind in KINDS for node in all_nodes(scene, kind) if _may_be_echoes(node)]
    several = [node for node in nodes if _count(node) > 1 and _times_differ(node, beside)]
    if several:
        return several[:1]
    groups: dict[tuple[int, ...], dict[float, Any]] = {}
    for node in nodes:
        if _count(node) == 1 and not node.IsA("vtkMRMLSequenceNode"):
            (frame,) = _frames(node, beside)
            if frame.time_ms is not None:
                size = node.GetImageData().GetDimensions()
                groups.setdefault(size, {}).setdefault(frame.time_ms, node)
    largest = max(groups.values(), key=len, default={})
    return [largest[time] for time in sorted(largest)] if len(largest) > 1 else []


def type_time(frame: Frame, text: str) -> None:
    """Notes on a node the echo time in ms that the user typed; an empty one is forgotten.

    Raises:
        InputError: it is no echo time.
    """
    time = _number(text.replace(",", "."))
    if text.strip() and (time is None or time > _LONGEST_MS):
        words = _("{text} is no echo time. Type a number of ms, for example 12.5.")
        raise InputError(words.format(text=text))
    _note(frame, TIMES, time)


def keep_times(frames: Iterable[Frame]) -> None:
    """Notes on the nodes the times that were found in DICOM or beside files."""
    for frame in frames:
        if frame.source in ("DICOM", "file"):
            _note(frame, FOUND, frame.time_ms)


def _note(frame: Frame, attribute: str, time: float | None) -> None:
    noted = _noted(frame.node, attribute)
    noted += [None] * (_count(frame.node) - len(noted))
    noted[frame.number] = time
    parts = ["" if time is None else f"{time:g}" for time in noted]
    text = ",".join(parts) if any(parts) else None
    if text != frame.node.GetAttribute(attribute):
        frame.node.SetAttribute(attribute, text)


def _may_be_echoes(node: Any) -> bool:
    """Whether a node may hold echoes of magnitude, and is not made by this module."""
    if is_phase(node) or node.GetHideFromEditors():
        return False
    if node.IsA("vtkMRMLSequenceNode"):
        return _count(node) > 1
    if node.IsA("vtkMRMLLabelMapVolumeNode") or node.GetImageData() is None:
        return False
    phase = {"P", "PHASE"} & set(_dicom(node, _IMAGE_TYPE).upper().split("\\"))
    return is_input(node) and _proxied(node) is None and not phase


def _times_differ(node: Any, beside: Beside) -> bool:
    times = [frame.time_ms for frame in _frames(node, beside)]
    return None not in times and len(set(times)) == len(times)


def _count(node: Any) -> int:
    if node.IsA("vtkMRMLSequenceNode"):
        return int(node.GetNumberOfDataNodes())
    data = node.GetImageData()
    return int(data.GetNumberOfScalarComponents()) if data else 1


def _frames(node: Any, beside: Beside) -> list[Frame]:
    count, name = _count(node), node.GetName() or ""
    found: list[tuple[float | None, str]] = [(None, "")] * count
    for source, look in (
        ("typed", _typed),
        ("sequence", _of_sequence),
        ("multi-volume", _of_multi_volume),
        ("node", _of_parts),
        ("DICOM", lambda node: _each(node, _in_dicom)),
        ("file", lambda node: _beside_file(node, beside)),
        ("kept", _kept),
        ("name", lambda node: _each(node, _in_name)),
    ):
        if None not in [time for time, _where in found]:
            break
        times = look(node)
        if len(times) == count:
            found = [
                (time, source) if old[0] is None and time is not None else old
                for old, time in zip(found, times, strict=True)
            ]
    names = [name] if count == 1 else [f"{name} ({n + 1})" for n in range(count)]
    return [Frame(node, n, names[n], *found[n]) for n in range(count)]


# Where times are found. Each of these gives one time for each echo of a node, or nothing.


def _typed(node: Any) -> list[float | None]:
    return _noted(node, TIMES)


def _kept(node: Any) -> list[float | None]:
    return _noted(node, FOUND)


def _noted(node: Any, attribute: str) -> list[float | None]:
    text = node.GetAttribute(attribute)
    return [_number(part) for part in text.split(",")] if text else []


def _of_sequence(node: Any) -> list[float | None]:
    """The index values of a sequence over echo times."""
    if not node.IsA("vtkMRMLSequenceNode") or not _means_echo_time(node.GetIndexName()):
        return []
    values = [node.GetNthIndexValue(n) for n in range(node.GetNumberOfDataNodes())]
    return _in_ms(values, node.GetIndexUnit())


def _of_multi_volume(node: Any) -> list[float | None]:
    """The frame labels of a multi-volume over echo times."""
    if not _means_echo_time(node.GetAttribute("MultiVolume.FrameIdentifyingDICOMTagName")):
        return []
    labels = (node.GetAttribute("MultiVolume.FrameLabels") or "").split(",")
    return _in_ms(labels, node.GetAttribute("MultiVolume.FrameIdentifyingDICOMTagUnits"))


def _of_parts(node: Any) -> list[float | None]:
    """An attribute of a volume, or of each volume in a sequence, that is the echo time."""
    times: list[float | None] = []
    for part in _parts(node):
        names = [name for name in part.GetAttributeNames() if _means_echo_time(name.split(".")[-1])]
        own = [name for name in names if name != TIMES]
        times += _in_ms([part.GetAttribute(own[0])], "") if own else [None]
    return times


def _in_dicom(part: Any) -> float | None:
    return _number(_dicom(part, _ECHO_TIME))


def _in_name(part: Any) -> float | None:
    match = _TIME_IN_NAME.search(part.GetName() or "")
    return _number(re.sub("[,p]", ".", match[1])) if match else None


def _beside_file(node: Any, beside: Beside) -> Sequence[float | None]:
    storage = node.GetStorageNode()
    file = storage.GetFileName() if storage else None
    if not file:
        return []
    try:
        return beside(Path(file), _count(node))
    except InputError:  # a sidecar that cannot be read: the time can be typed
        return []


def _each(node: Any, look: Callable[[Any], float | None]) -> list[float | None]:
    return [look(part) for part in _parts(node)]


def _parts(node: Any) -> list[Any]:
    """The volumes in a sequence; else the node itself."""
    if not node.IsA("vtkMRMLSequenceNode"):
        return [node]
    return [node.GetNthDataNode(n) for n in range(node.GetNumberOfDataNodes())]


def _dicom(node: Any, tag: str) -> str:
    """An attribute of the first slice that a volume was loaded from, if the database has it."""
    uids = (node.GetAttribute("DICOM.instanceUIDs") or "").split()
    database = getattr(slicer, "dicomDatabase", None)
    return (database.instanceValue(uids[0], tag) or "") if uids and database else ""


def _means_echo_time(name: str | None) -> bool:
    return re.sub("[^a-z]", "", (name or "").lower()) in ("echotime", "echotimes", "te", "echo")


def _in_ms(values: Iterable[str], unit: str | None) -> list[float | None]:
    """Times as numbers in ms, with the unit told by their size where it is not stated."""
    times = [_number(value) for value in values]
    known = [time for time in times if time is not None]
    stated = (unit or "").lower()
    seconds = stated in ("s", "sec") or (not stated and known and max(known) < _SECONDS_BELOW)
    return [time * 1000 if seconds and time is not None else time for time in times]


def _number(text: str) -> float | None:
    try:
        number = float(text)
    except ValueError:
        return None
    return number if 0 < number < float("inf") else None


# Reading --------------------------------------------------------------------------------


def missing(frames: Sequence[Frame]) -> str:
    """What has to be chosen or typed before maps can be made; empty when nothing."""
    return next(_gaps(frames), "")


def _gaps(frames: Sequence[Frame]) -> Iterator[str]:
    if len(frames) < 2:
        yield _("Choose the magnitude images of at least two echoes.")
        return
    for frame in frames:
        if frame.time_ms is None:
            text = _("No echo time is known for {name}. Type it into the table, in ms.")
            yield text.format(name=frame.name)
    for one, other in zip(frames, frames[1:], strict=False):
        if one.time_ms == other.time_ms:
            yield _(
                "{one} and {other} have the same echo time, {time:g} ms. Choose each echo once, or "
                "correct a time in the table."
            ).format(one=one.name, other=other.name, time=one.time_ms)


def read_frames(frames: Sequence[Frame]) -> tuple[list[Image], list[Finding]]:
    """Copies of the echoes where they lie in the world, and what was done about transforms.

    Raises:
        InputError: an echo that is missing, or cannot be read.
    """
    if text := missing(frames):
        raise InputError(text)
    images, findings = [], []
    for frame in frames:
        node, component, parent = frame.node, None, None
        if node.IsA("vtkMRMLSequenceNode"):
            parent, node = _parent_of_proxy(node), node.GetNthDataNode(frame.number)
            if not node.IsA("vtkMRMLVolumeNode"):
                text = _("{name} is not a volume. Choose a sequence of volumes.")
                raise InputError(text.format(name=frame.name))
        elif _count(node) > 1:
            component = frame.number
        image, found = read_volume(node, component, parent)
        images.append(Image(image.array.copy(), image.grid, frame.name))
        findings += found
    return images, list(dict.fromkeys(findings))


def _proxied(node: Any) -> Any:
    """The sequence browser whose sequence a volume shows the chosen frame of, or None."""
    browsers = all_nodes(node.GetScene(), "vtkMRMLSequenceBrowserNode")
    return next((b for b in browsers if b.IsProxyNodeID(node.GetID())), None)


def _parent_of_proxy(sequence: Any) -> Any:
    """The transform of the node that shows a sequence, or None: its own volumes have none."""
    for browser in all_nodes(sequence.GetScene(), "vtkMRMLSequenceBrowserNode"):
        proxy = browser.GetProxyNode(sequence)
        if proxy is not None and proxy.IsA("vtkMRMLTransformableNode"):
            return proxy.GetParentTransformNode()
    return None
