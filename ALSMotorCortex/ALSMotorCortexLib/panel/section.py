"""What all sections of the panel share."""

from __future__ import annotations

import html
import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import slicer
from slicer.i18n import tr as _

from ..cortex.errors import Cancelled, InputError

if TYPE_CHECKING:
    from .panel import Panel


class Section:
    """One collapsible part of the panel.

    Attributes:
        name: of the section; its widgets are in ``Resources/UI/Sections/Name.ui``.
        panel: that it is part of.
        ui: its widgets by name.
    """

    name = ""

    def __init__(self, panel: Panel, folder: Path) -> None:
        self.panel = panel
        self.widget = slicer.util.loadUI(str(folder / f"{self.name.capitalize()}.ui"))
        self.ui = slicer.util.childWidgetVariables(self.widget)
        self.widget.setMRMLScene(panel.scene)
        self.say("")

    @property
    def scene(self) -> Any:
        """The vtkMRMLScene."""
        return self.panel.scene

    @property
    def logic(self) -> Any:
        """The module's logic."""
        return self.panel.logic

    @property
    def parameters(self) -> Any:
        """The parameter node that the panel shows; None while a scene is closed or read."""
        return self.panel.parameters

    # For each section to say ----------------------------------------------------------------

    def setup(self) -> None:
        """Prepares and connects the widgets, once."""

    def refresh(self) -> None:
        """Brings the section up to date. There are parameters, and no scene is being read."""

    def watched(self) -> list[Any]:
        """Segmentations and markups whose changes call for a refresh."""
        return []

    def shortcuts(self) -> Mapping[str, Any]:
        """The button of each of the hooks' shortcuts that belongs here."""
        return {}

    def connected(self) -> None:
        """The panel shows another parameter node, or none."""

    def closing(self) -> None:
        """The scene is about to be closed, or the panel."""

    # For its methods ------------------------------------------------------------------------

    def open(self) -> None:
        """Unfolds the section."""
        vars(self.ui)[f"{self.name}CollapsibleButton"].collapsed = False

    def reveal(self) -> None:
        """Unfolds the section and scrolls to it, where the module panel is too short for all."""
        self.open()
        area = self.widget.parent()
        while area is not None and not area.inherits("QScrollArea"):
            area = area.parent()
        if area is not None:
            # The unfolded section takes its size first.
            slicer.app.processEvents()
            area.ensureWidgetVisible(self.widget, 0, 0)

    def say(self, text: str, problem: bool = False) -> None:
        """Shows a message in the section; an empty one goes away."""
        label = vars(self.ui)[f"{self.name}MessageLabel"]
        label.text = f"<b>⚠</b> {html.escape(text)}" if problem and text else html.escape(text)
        label.visible = bool(text)

    @contextmanager
    def message(self) -> Iterator[None]:
        """Says in the section what went wrong in the block, and never with a traceback."""
        try:
            yield
        except (InputError, Cancelled) as error:
            self.say(str(error), problem=True)
        except Exception as error:
            logging.error("ALS Motor Cortex: %s: %s", type(error).__name__, error)
            logging.debug("ALS Motor Cortex", exc_info=True)
            self.say(
                _(
                    "This did not work because of an error in the module ({error}). Nothing in "
                    "the scene was removed. Save the scene and report the error log."
                ).format(error=error),
                problem=True,
            )
