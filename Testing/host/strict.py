"""Modules that have the names that Slicer has, and refuse all others."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

HERE = Path(__file__).parent


class NotOnHost(NotImplementedError):
    """Slicer has it, the host has not."""

    def __init__(self, what: str) -> None:
        super().__init__(f"the host has no {what}; run this in Slicer itself")


FACTS: dict[str, dict[str, Any]] = {}
"""What was read so far; Testing/slicer_selftest.py puts the facts of its own Slicer here."""


def recorded(name: str) -> dict[str, Any]:
    """Facts about Slicer: ``signatures`` or ``widgets``; see record.py."""
    if name not in FACTS:
        FACTS[name] = json.loads((HERE / f"{name}.json").read_text(encoding="utf-8"))
    return FACTS[name]


def lineage(name: str) -> Iterator[dict[str, Any]]:
    """What is recorded of a Qt class, and of each of its base classes.

    Raises:
        KeyError: the class is not among the recorded ones.
    """
    at: str | None = name
    while at:
        entry = recorded("widgets")[at]
        yield entry
        at = entry.get("base")


def facts(name: str, *kinds: str) -> set[str]:
    """``signals``, ``slots``, ``properties`` or ``names`` of a class with its base classes."""
    return {text for entry in lineage(name) for kind in kinds for text in entry.get(kind, ())}


def attributes(name: str) -> set[str]:
    """Every name that Python can reach on an object of a class."""
    kinds = ("signals", "slots", "properties", "names")
    return {text.split("(")[0] for text in facts(name, *kinds)}


class StrictModule(ModuleType):
    """A module with the given contents; all other names are refused, and it is said why."""

    def __init__(self, name: str, known: set[str], contents: dict[str, Any]) -> None:
        super().__init__(name)
        self.__dict__.update(contents)
        self.__dict__["_known"] = known

    def __getattr__(self, name: str) -> Any:
        if name in self.__dict__["_known"]:
            raise AttributeError(f"the host has no {self.__name__}.{name}, though Slicer has it")
        raise AttributeError(f"Slicer has no {self.__name__}.{name}")


class Window(type):
    """The type of Qt's classes here: they can be named, but nothing can be made of them."""

    def __call__(cls, *args: Any, **kwargs: Any) -> Any:
        raise NotOnHost(f"window, so nothing can be made of {cls.__name__}")

    def __getattr__(cls, name: str) -> Any:
        if name.startswith("__") or name not in attributes(cls.__name__):
            raise AttributeError(f"Slicer has no {cls.__name__}.{name}")
        return Word(f"{cls.__name__}.{name}")


class Word:
    """A constant of Qt, good for handing on only."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __or__(self, other: Any) -> Word:
        return Word(f"{self.name} | {other}")

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        raise NotOnHost(f"window, so {self.name} cannot be called")

    def __repr__(self) -> str:
        return self.name


class WindowModule(StrictModule):
    """``qt`` or ``ctk``: every recorded class, by name only."""

    def __init__(self, name: str, contents: dict[str, Any] | None = None) -> None:
        super().__init__(name, set(recorded("widgets")["modules"][name]), contents or {})

    def __getattr__(self, name: str) -> Any:
        if name in recorded("widgets") and name in self.__dict__["_known"]:
            self.__dict__[name] = Window(name, (), {})
            return self.__dict__[name]
        return super().__getattr__(name)


class StrictObject:
    """An object of one of Slicer's Qt classes, with those of its names that the host has."""

    kind = ""
    """The class in Slicer."""

    def __getattr__(self, name: str) -> Any:
        if name in attributes(self.kind):
            raise AttributeError(f"the host has no {self.kind}.{name}, though Slicer has it")
        raise AttributeError(f"Slicer has no {self.kind}.{name}")

    def connect(self, signal: str, slot: Callable[..., Any]) -> bool:
        """Remember a connection to one of the class's signals."""
        if signal not in facts(self.kind, "signals"):
            raise ValueError(f"{self.kind} has no signal {signal}")
        if not callable(slot):
            raise TypeError(f"{slot!r} cannot be called")
        self.__dict__.setdefault("connected", []).append((signal, slot))
        return True

    def emit(self, signal: str, *args: Any) -> None:
        """Call what is connected to a signal; for the host itself."""
        for known, slot in list(self.__dict__.get("connected", [])):
            if known == signal:
                slot(*args)
