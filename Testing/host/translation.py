"""Stands in for ``slicer.i18n``. The host has no translations: every text stays as it is."""

from __future__ import annotations

import os

__all__ = ["getContext", "tr", "translate"]


def translate(context: str, text: str) -> str:
    """The text itself."""
    for argument in (context, text):
        if not isinstance(argument, str):
            raise TypeError(f"only text is translated, not {argument!r}")
    return text


def getContext(sourceFile: str) -> str:
    """What a source file's texts are filed under."""
    folder, name = os.path.split(sourceFile)
    stem = name.removesuffix(".py")
    if os.path.isfile(os.path.join(folder, "__init__.py")):
        return f"{os.path.basename(folder)}.{stem}"
    return stem


def tr(text: str) -> str:
    """The text itself; commonly imported as ``_``."""
    return translate("", text)
