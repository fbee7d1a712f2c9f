"""What the tests of calipers and traces share."""

from __future__ import annotations

from typing import Any

import pytest


@pytest.fixture
def scene() -> Any:
    """An empty scene that saves markups."""
    from drawn_markups import scene_with_markups

    return scene_with_markups()


@pytest.fixture
def volume(scene: Any) -> Any:
    """A cortex of known thickness in the scene."""
    from drawn_markups import add_cortex

    return add_cortex(scene)
