"""Maps from the echoes in Slicer's window: by the same functions as on the command line."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from typing import Any

from .cortex.result import Finding
from .maps import UNITS, MapOptions, MapSet, fit_maps, plain
from .scene import echo_maps, echoes
from .scene.background import Background
from .scene.echoes import Frame, read_frames
from .study.echo_files import times_beside
from .study.echoes import from_images

PUBLISHED = ("combined_snr", "T2star", "R2star", "S0")
"""The maps that come into the scene, besides the residual of the fit."""

# What messages say of the command line, and what they say here instead.
_WORDS = (
    (r" Give magnitude images to --echoes, and phase to --phase\.", " Choose magnitude images."),
    (r", for example --te [\d. ]*\d\.", "."),
    (r"--register brings them together", "the option Move echoes onto the first brings them back"),
    (r"Check --noise and --mask", "Check that these are magnitude images, and the noise level"),
    (r"[Gg]ive it with --noise, in the unit of the images", "Type it into Noise"),
    (r"give it with --noise", "type it into Noise"),
    (
        r"Give the phase images with --phase, or leave --dephasing out",
        "Leave out the correction of dephasing",
    ),
    (r"Leave out --bias", "Leave out the correction of shading"),
)


def frames_of(nodes: Sequence[Any]) -> list[Frame]:
    """The echoes in some nodes; see :func:`.scene.echoes.frames_of`."""
    return echoes.frames_of(nodes, times_beside)


def suggest(scene: Any) -> list[Any]:
    """Nodes that hold the echoes of one scan; see :func:`.scene.echoes.suggest`."""
    return echoes.suggest(scene, times_beside)


class MapsRun(Background):
    """Makes maps from echoes in the scene. It touches no node once it is made."""

    def __init__(self, frames: Sequence[Frame], options: MapOptions) -> None:
        """
        Args:
            frames: the echoes, in the order of their times.
            options: how; of what concerns files, ``register`` is used.

        Raises:
            InputError: an echo without a time, or one that cannot be read.
        """
        super().__init__(
            self._make,
            in_window_words,
            "The maps were cancelled. The scene is as it was.",
            "There is not enough memory for images of this size. Crop the echoes to the motor "
            "cortex first, with Slicer's module Crop Volume.",
        )
        self._images, self._findings = read_frames(frames)
        self._times = [frame.time_ms or 0.0 for frame in frames]
        self._options = options
        self.nodes = list(dict.fromkeys(frame.node for frame in frames))

    def _make(self, progress: Callable[[str, float], None]) -> MapSet:
        moved = 0.4 if self._options.register else 0.0
        step = "moving echoes onto the first" if moved else "checking"
        progress(step, 0.0)
        read = from_images(
            self._images,
            self._times,
            register=self._options.register,
            progress=lambda done: progress(step, moved * done),
        )
        maps = fit_maps(
            read,
            self._options,
            None,
            lambda step, done: progress(step, moved + (1 - moved) * done),
        )
        told = (replace(f, message=in_window_words(f.message)) for f in maps.findings)
        return replace(maps, findings=(*self._findings, *told))

    def publish(self, scene: Any) -> tuple[dict[str, Any], tuple[Finding, ...]]:
        """Puts the maps into the scene: on the main thread only.

        Returns:
            The node of each map by name, and what the user should know.

        Raises:
            InputError: maps could not be made.
            Cancelled: it was cancelled.
        """
        maps: MapSet = self.result()
        images = maps.to_measure(PUBLISHED) | {"fit_residual": maps.images["fit_residual"]}
        record = json.dumps(plain({"settings": asdict(self._options), "maps": maps.details}))
        return echo_maps.publish(scene, images, UNITS, self.nodes, record), maps.findings


def in_window_words(message: str) -> str:
    """A message about echoes with what is in the window for command-line options."""
    for pattern, words in _WORDS:
        message = re.sub(pattern, words, message)
    return message


# By the parameter node. That is any object with the fields of ``ALSMotorCortexParameterNode``.


def start(p: Any) -> MapsRun:
    """Starts to make maps of the chosen echoes in the background.

    Raises:
        InputError: echoes that cannot be read.
    """
    options = MapOptions(
        register=p.echoRegister,
        noise=p.echoNoise or None,
        bias=p.echoBias,
        dephasing="magnitude" if p.echoDephasing else "none",
    )
    run = MapsRun(frames_of(list(p.echoes)), options)
    run.start()
    return run


def publish(scene: Any, p: Any, run: MapsRun) -> str:
    """Puts the maps of a run that is done into the scene and chooses them as inputs.

    The combined image becomes the image to draw on, unless another is chosen that is no echo.

    Returns:
        What was found, in sentences.

    Raises:
        InputError: maps could not be made.
        Cancelled: it was cancelled.
    """
    made, findings = run.publish(scene)
    if p.image is None or p.image in run.nodes:
        p.image = made["combined_snr"]
    others = [node for node in p.maps if node not in run.nodes]
    new = [made[name] for name in ("T2star", "R2star") if made[name] not in others]
    p.maps = [node for node in (*others, *new) if node is not p.image]
    warnings = [finding.message for finding in findings if finding.warning]
    notes = [f.message for f in findings if f.code in ("trusted", "echoes_left_out")]
    return " ".join(dict.fromkeys([*warnings, *notes]))
