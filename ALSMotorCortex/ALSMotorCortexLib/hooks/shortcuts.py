"""Keyboard shortcuts that work while the module is open.

Slicer's own lists, in its user guide: "Mouse & Keyboard Shortcuts" of the user interface (Ctrl
with F, O, S, W, H, B, G, V, digits and arrows, single letters in the views) and those of the
modules Markups (Ctrl+Shift with A, T, Space), Sequences (Ctrl+Shift with arrows) and Segment
Editor (single letters, digits and Space). The ones here follow the pattern of Markups and take
letters that none of them uses. On macOS Ctrl is the Command key, as everywhere in Qt.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

SHORTCUTS = {
    "measure": "Ctrl+Shift+M",
    "caliper": "Ctrl+Shift+K",
    "trace": "Ctrl+Shift+L",
    "layout": "Ctrl+Shift+Y",
    "report": "Ctrl+Shift+R",
}
"""Key of each action, as Qt reads it and as a tool tip shows it."""


def install(
    window: Any, actions: Mapping[str, Callable[[], Any]], keys: Mapping[str, str] = SHORTCUTS
) -> list[Any]:
    """Makes the keys work. A key that is held down counts once.

    Args:
        window: Slicer's main window; None, as without one, gives no shortcut.
        actions: what to call for a name of ``keys``. Names left out get no key.
        keys: the key of each action.

    Returns:
        The QShortcuts, for :func:`uninstall`.
    """
    if window is None:
        return []
    import qt

    shortcuts = []
    for name, action in actions.items():
        shortcut = qt.QShortcut(qt.QKeySequence(keys[name]), window)
        shortcut.setAutoRepeat(False)
        shortcut.connect("activated()", action)
        shortcuts.append(shortcut)
    return shortcuts


def uninstall(shortcuts: list[Any]) -> None:
    """Takes the keys back, at the module's exit."""
    for shortcut in shortcuts:
        shortcut.disconnect("activated()")
        shortcut.setParent(None)
        shortcut.deleteLater()
