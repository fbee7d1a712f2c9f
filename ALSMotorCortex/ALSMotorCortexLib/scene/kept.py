"""What a result's report needs, kept with the result in the scene.

A scene that was saved and opened again can so make its report without a new measurement. The
label map and all that was measured are kept in a text node; the maps are the scene's own volumes.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from typing import Any

from ..cortex.errors import InputError
from ..cortex.record import from_bytes, to_bytes
from ..cortex.result import Measurement
from .inputs import Collected, in_scene
from .results import put_record
from .translation import tr as _
from .volumes import read_volume

RECORD = "record"
"""What the node is among the nodes of a result."""

_ABOUT = "Data of the report. Without this node the report needs a new measurement."


def keep(scene: Any, nodes: dict[str, Any], collected: Collected, found: Measurement) -> None:
    """Keeps what was measured among the nodes of its result, in place of what was kept before.

    Args:
        nodes: of :func:`.results.add_results`; gets the entry :data:`RECORD`.
        collected: what was measured.
        found: what was found.
    """
    made_from = {"started": collected.started, "sources": [dict(s) for s in collected.sources]}
    data = base64.b64encode(to_bytes(found, collected.labels)).decode()
    text = f"{_ABOUT}\n{json.dumps(made_from)}\n{data}"
    node = nodes[RECORD] = put_record(scene, nodes, text)
    for n, name in enumerate(found.values):
        volume = collected.volumes.get(name)
        node.SetNodeReferenceID(_role(n), volume.GetID() if in_scene(volume) else None)


def is_kept(nodes: Mapping[str, Any]) -> bool:
    """Whether a result's report can be made."""
    return RECORD in nodes


def recall(nodes: Mapping[str, Any]) -> tuple[Collected, Measurement]:
    """What :func:`keep` kept; maps whose volume was deleted are left out.

    Raises:
        InputError: nothing was kept, or it cannot be read.
    """
    node = nodes.get(RECORD)
    try:
        _about, made_from, data = (node.GetText() if node else "").split("\n")
        made_from = json.loads(made_from)
        started, sources = made_from["started"], tuple(made_from["sources"])
        found, labels = from_bytes(base64.b64decode(data))
    except (ValueError, KeyError) as error:
        raise InputError(
            _("What was kept of this measurement is damaged. Measure again.")
        ) from error
    volumes = {name: node.GetNodeReference(_role(n)) for n, name in enumerate(found.values)}
    volumes = {name: volume for name, volume in volumes.items() if volume is not None}
    collected = Collected(
        labels=labels,
        maps={name: read_volume(volume)[0] for name, volume in volumes.items()},
        regions={},
        units=found.units,
        settings=found.settings,
        volumes=volumes,
        sources=sources,
        started=started,
    )
    return collected, found


def _role(number: int) -> str:
    """Role of the node reference to the volume of a map."""
    return f"ALSMotorCortex.Map{number}"
