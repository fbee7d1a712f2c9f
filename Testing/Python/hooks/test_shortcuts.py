"""The module's keys collide with none of Slicer's."""

from __future__ import annotations

from ALSMotorCortexLib.hooks.shortcuts import SHORTCUTS, install, uninstall

# Slicer 5.13's user guide: the tables "Mouse & Keyboard Shortcuts" of the user interface and
# "Keyboard shortcuts" of Markups, Segment Editor and Plots; and Sequences' toolbar (its source).
OF_SLICER = {
    *(f"Ctrl+{key}" for key in "BCFGHOSVWXYZ0123456`"),
    *("Ctrl+Left", "Ctrl+Right", "Shift+V"),
    *(f"Ctrl+Shift+{key}" for key in ("A", "T", "Space", "Left", "Right", "Up", "Down")),
    *(f"Shift+{key}" for key in "0123456789"),
    *"0123456789BFGIQRSTUVWYZ[]{}+-",
    *("Left", "Right", "Up", "Down", "Space", "Esc", "Del", "Home", "End", "Ins"),
}


def test_no_key_is_used_twice_or_by_slicer() -> None:
    keys = list(SHORTCUTS.values())
    assert len(set(keys)) == len(keys)
    assert not OF_SLICER & set(keys)


def test_without_a_window_there_is_nothing_to_install() -> None:
    shortcuts = install(None, {"measure": lambda: None})
    assert shortcuts == []
    uninstall(shortcuts)
