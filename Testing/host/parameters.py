"""Stands in for ``slicer.parameterNodeWrapper``: typed access to a parameter node.

Values are stored in the node under the same names and in the same text as in Slicer, so that a
scene saved here opens there. What Slicer refuses is refused with the same kind of error; the kinds
of field and widget connections that the host does not have raise :class:`NotOnHost`. One thing is
stricter: Slicer lets a misspelt field be set as an ordinary attribute, which is then lost.

Checked against Slicer's own package by ``checks.py``, which runs on both.
"""

from __future__ import annotations

import enum
import logging
import pathlib
import types
import typing
import weakref
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, MutableMapping, MutableSequence
from dataclasses import dataclass
from typing import Annotated, Any

import slicer
import vtk

from .strict import NotOnHost

__all__ = [
    "Choice",
    "Decimals",
    "Default",
    "Exclude",
    "IsInstance",
    "Maximum",
    "Minimum",
    "NotNone",
    "SingleStep",
    "SlicerParameterNamePropertyName",
    "Validator",
    "WithinRange",
    "isParameterNodeWrapper",
    "parameterNodeWrapper",
    "splitAnnotations",
    "unannotatedType",
]

SlicerParameterNamePropertyName = "SlicerParameterName"


# --- what a field may be annotated with ----------------------------------------------------


class Default:
    """The value that a field starts with."""

    def __init__(self, value: Any = None, *, generator: Callable[[], Any] | None = None) -> None:
        self._value = value
        self._generator = generator

    @property
    def value(self) -> Any:
        return self._generator() if self._generator else self._value


@dataclass
class Decimals:
    """How many decimals a spin box shows; the host has none."""

    value: int


@dataclass
class SingleStep:
    """How far one step of a spin box goes; the host has none."""

    value: float


class Validator(ABC):
    """Refuses values of one field."""

    @abstractmethod
    def validate(self, value: Any) -> None:
        """Raises ValueError or TypeError."""


class NotNone(Validator):
    def validate(self, value: Any) -> None:
        if value is None:
            raise ValueError("None is not a value of this field")


class IsInstance(Validator):
    def __init__(self, classtype: Any) -> None:
        self.classtype = classtype

    def validate(self, value: Any) -> None:
        if value is not None and not isinstance(value, self.classtype):
            raise TypeError(f"{value!r} is not a {self.classtype}")


class WithinRange(Validator):
    def __init__(self, minimum: float, maximum: float) -> None:
        self.minimum, self.maximum = minimum, maximum

    def validate(self, value: Any) -> None:
        if not self.minimum <= value <= self.maximum:
            raise ValueError(f"{value!r} is not from {self.minimum} to {self.maximum}")


class Minimum(Validator):
    def __init__(self, minimum: float) -> None:
        self.minimum = minimum

    def validate(self, value: Any) -> None:
        if value < self.minimum:
            raise ValueError(f"{value!r} is below {self.minimum}")


class Maximum(Validator):
    def __init__(self, maximum: float) -> None:
        self.maximum = maximum

    def validate(self, value: Any) -> None:
        if value > self.maximum:
            raise ValueError(f"{value!r} is above {self.maximum}")


class Choice(Validator):
    def __init__(self, choices: Any) -> None:
        self.choices = choices

    def validate(self, value: Any) -> None:
        if value not in self.choices:
            raise ValueError(f"{value!r} is none of {self.choices}")


class Exclude(Validator):
    def __init__(self, excludedValues: Any) -> None:
        self.excludedValues = excludedValues

    def validate(self, value: Any) -> None:
        if value in self.excludedValues:
            raise ValueError(f"{value!r} is excluded")


def splitAnnotations(possiblyAnnotatedType: Any) -> tuple[Any, tuple[Any, ...]]:
    """The type itself, and what it is annotated with."""
    if typing.get_origin(possiblyAnnotatedType) is Annotated:
        bare, *annotations = typing.get_args(possiblyAnnotatedType)
        return bare, tuple(annotations)
    return possiblyAnnotatedType, ()


def unannotatedType(possiblyAnnotatedType: Any) -> Any:
    return splitAnnotations(possiblyAnnotatedType)[0]


# --- how each type is kept in a node ---------------------------------------------------------


class Kept(ABC):
    """How values of one type are kept in a parameter node."""

    initial: Any = None
    checks: tuple[Validator, ...] = ()

    @classmethod
    @abstractmethod
    def takes(cls, kind: Any) -> bool:
        """Whether this is the way for a type."""

    def fits(self, value: Any) -> bool:
        """Whether a union should try this way for a value, judged by the value's type alone."""
        return self.takes(type(value))

    def check(self, value: Any) -> None:
        for validator in self.checks:
            validator.validate(value)

    def set(self, node: Any, name: str, value: Any) -> None:
        self.check(value)
        self.write(node, name, value)

    @abstractmethod
    def write(self, node: Any, name: str, value: Any) -> None: ...

    @abstractmethod
    def read(self, node: Any, name: str) -> Any: ...

    def is_in(self, node: Any, name: str) -> bool:
        return bool(node.HasParameter(name))

    def remove(self, node: Any, name: str) -> None:
        node.UnsetParameter(name)


class Text(Kept):
    """A value that is one text parameter."""

    def __init__(self, kind: Any) -> None:
        self.kind = kind
        self.initial = kind()
        self.checks = (NotNone(), IsInstance((int, float) if kind is float else kind))

    @classmethod
    def takes(cls, kind: Any) -> bool:
        return kind in (int, float, str, bool, pathlib.Path, pathlib.PurePath)

    def fits(self, value: Any) -> bool:
        numbers = (int, float)  # Python counts a bool as an int too, a union does not
        return type(value) in (numbers if self.kind in numbers else (self.kind,))

    def write(self, node: Any, name: str, value: Any) -> None:
        text = ("True" if value else "False") if self.kind is bool else str(value)
        node.SetParameter(name, text)

    def read(self, node: Any, name: str) -> Any:
        text = node.GetParameter(name)
        return text == "True" if self.kind is bool else self.kind(text)


class Named(Kept):
    """A member of an enumeration, kept by its name."""

    def __init__(self, kind: Any) -> None:
        if len(kind) == 0:
            raise ValueError("an enumeration without members cannot be kept")
        self.kind = kind
        self.initial = next(iter(kind))
        self.checks = (IsInstance(kind),)

    @classmethod
    def takes(cls, kind: Any) -> bool:
        return isinstance(kind, type) and issubclass(kind, enum.Enum)

    def write(self, node: Any, name: str, value: Any) -> None:
        node.SetParameter(name, value.name)

    def read(self, node: Any, name: str) -> Any:
        text = node.GetParameter(name)
        try:
            return self.kind[text]
        except KeyError:
            raise ValueError(f"{text!r} is not a name in {self.kind}") from None


class Linked(Kept):
    """A node, kept as a node reference; None is one of the values."""

    def __init__(self, kind: Any) -> None:
        self.checks = (IsInstance(kind),)

    @classmethod
    def takes(cls, kind: Any) -> bool:
        return isinstance(kind, type) and issubclass(kind, slicer.vtkMRMLNode)

    def write(self, node: Any, name: str, value: Any) -> None:
        node.SetParameter(name, "")  # tells "None was set" from "never set"
        node.SetNodeReferenceID(name, None if value is None else value.GetID())

    def read(self, node: Any, name: str) -> Any:
        return node.GetNodeReference(name)

    def remove(self, node: Any, name: str) -> None:
        node.UnsetParameter(name)
        node.RemoveNodeReferenceIDs(name)


class Nothing(Kept):
    """None itself, as part of a union."""

    def __init__(self, kind: Any) -> None:
        pass

    @classmethod
    def takes(cls, kind: Any) -> bool:
        return kind is type(None)

    def check(self, value: Any) -> None:
        if value is not None:
            raise ValueError("the value must be None")

    def write(self, node: Any, name: str, value: Any) -> None:
        node.SetParameter(name, "True")

    def read(self, node: Any, name: str) -> Any:
        return None


class Several(Kept):
    """A list; each element has its index behind the field's name."""

    def __init__(self, kind: Any) -> None:
        (element,) = typing.get_args(kind)
        self.element = element if isinstance(element, Kept) else kept(element)

    @property
    def initial(self) -> list[Any]:
        return []

    @classmethod
    def takes(cls, kind: Any) -> bool:
        return typing.get_origin(kind) is list

    def fits(self, value: Any) -> bool:
        return type(value) is list

    def is_in(self, node: Any, name: str) -> bool:
        return bool(node.HasParameter(f"{name}.len"))

    def _length(self, node: Any, name: str) -> int:
        return int(node.GetParameter(f"{name}.len")) if self.is_in(node, name) else 0

    def write(self, node: Any, name: str, value: Any) -> None:
        with slicer.util.NodeModify(node):
            before = list(self.read(node, name)) if self.is_in(node, name) else None
            length = self._length(node, name)
            try:
                for index, item in enumerate(value):
                    self.element.set(node, f"{name}.{index}", item)
                node.SetParameter(f"{name}.len", str(len(value)))
                for index in range(len(value), length):
                    self.element.remove(node, f"{name}.{index}")
            except Exception:  # all or nothing
                if before is None:
                    self.remove(node, name)
                else:
                    self.write(node, name, before)
                raise

    def read(self, node: Any, name: str) -> Any:
        count = self._length(node, name)
        values = [self.element.read(node, f"{name}.{index}") for index in range(count)]
        return ObservedList(self, node, name, values)

    def remove(self, node: Any, name: str) -> None:
        with slicer.util.NodeModify(node):
            for index in range(self._length(node, name)):
                self.element.remove(node, f"{name}.{index}")
            node.UnsetParameter(f"{name}.len")


class Pair(Kept):
    """A key and its value, as elements of a dictionary."""

    def __init__(self, kind: Any) -> None:
        self.parts = [kept(k) for k in kind]

    @classmethod
    def takes(cls, kind: Any) -> bool:
        return isinstance(kind, tuple)

    def write(self, node: Any, name: str, value: Any) -> None:
        for index, (part, item) in enumerate(zip(self.parts, value, strict=True)):
            part.set(node, f"{name}.{index}", item)

    def read(self, node: Any, name: str) -> Any:
        return tuple(part.read(node, f"{name}.{n}") for n, part in enumerate(self.parts))

    def remove(self, node: Any, name: str) -> None:
        for index, part in enumerate(self.parts):
            part.remove(node, f"{name}.{index}")


class Keyed(Kept):
    """A dictionary, kept as a list of pairs in its order."""

    def __init__(self, kind: Any) -> None:
        self.pairs = Several(list[Pair(typing.get_args(kind))])

    @property
    def initial(self) -> dict[Any, Any]:
        return {}

    @classmethod
    def takes(cls, kind: Any) -> bool:
        return typing.get_origin(kind) is dict

    def fits(self, value: Any) -> bool:
        return type(value) is dict

    def is_in(self, node: Any, name: str) -> bool:
        return self.pairs.is_in(node, name)

    def write(self, node: Any, name: str, value: Any) -> None:
        self.pairs.write(node, name, value.items())

    def read(self, node: Any, name: str) -> Any:
        return ObservedDict(self, node, name, dict(self.pairs.read(node, name)))

    def remove(self, node: Any, name: str) -> None:
        self.pairs.remove(node, name)


class OneOf(Kept):
    """A union; the way that fits the value has its index behind the field's name."""

    def __init__(self, kind: Any) -> None:
        self.ways = [kept(k) for k in typing.get_args(kind)]
        optional = len(self.ways) == 2 and isinstance(self.ways[1], Nothing)
        self.initial = None if optional else self.ways[0].initial

    @classmethod
    def takes(cls, kind: Any) -> bool:
        return typing.get_origin(kind) in (typing.Union, types.UnionType)

    def is_in(self, node: Any, name: str) -> bool:
        return any(way.is_in(node, f"{name}.{n}") for n, way in enumerate(self.ways))

    def _way(self, value: Any) -> tuple[int, Kept]:
        reason: Exception = TypeError(f"{value!r} is none of the types of this field")
        for index, way in enumerate(self.ways):
            if way.fits(value):
                try:
                    way.check(value)
                    return index, way
                except (TypeError, ValueError) as error:
                    reason = error
        raise reason

    def check(self, value: Any) -> None:
        self._way(value)

    def write(self, node: Any, name: str, value: Any) -> None:
        index, way = self._way(value)
        with slicer.util.NodeModify(node):
            self.remove(node, name)
            way.set(node, f"{name}.{index}", value)

    def read(self, node: Any, name: str) -> Any:
        for index, way in enumerate(self.ways):
            if way.is_in(node, f"{name}.{index}"):
                return way.read(node, f"{name}.{index}")
        raise KeyError(name)

    def remove(self, node: Any, name: str) -> None:
        for index, way in enumerate(self.ways):
            way.remove(node, f"{name}.{index}")


class Checked(Kept):
    """Another way with the checks that a field is annotated with."""

    def __init__(self, way: Kept, checks: list[Validator]) -> None:
        self.way, self.checks = way, tuple(checks)

    @classmethod
    def takes(cls, kind: Any) -> bool:
        return False  # it goes around another way

    @property
    def initial(self) -> Any:
        return self.way.initial

    def fits(self, value: Any) -> bool:
        return self.way.fits(value)

    def check(self, value: Any) -> None:
        self.way.check(value)
        super().check(value)

    def write(self, node: Any, name: str, value: Any) -> None:
        self.way.write(node, name, value)

    def read(self, node: Any, name: str) -> Any:
        return self.way.read(node, name)

    def is_in(self, node: Any, name: str) -> bool:
        return self.way.is_in(node, name)

    def remove(self, node: Any, name: str) -> None:
        self.way.remove(node, name)


WAYS: tuple[type[Kept], ...] = (Text, Named, Linked, Nothing, Several, Keyed, OneOf)


def kept(annotated: Any) -> Kept:
    """How a possibly annotated type is kept."""
    kind, annotations = splitAnnotations(annotated)
    way = next((w for w in WAYS if w.takes(kind)), None)
    if way is None:
        raise NotOnHost(f"a field of type {kind}")
    checks = [a for a in annotations if is_validator(a)]
    made = way(kind)
    return Checked(made, checks) if checks else made


def is_validator(thing: Any) -> bool:
    return isinstance(thing, Validator) or (
        isinstance(thing, type) and issubclass(thing, Validator)
    )


class _Observed:
    """A list or dictionary that writes itself to its node when it is changed."""

    def __init__(self, way: Kept, node: Any, name: str, values: Any) -> None:
        self._way, self._node, self._name, self._values = way, node, name, values

    def _save(self) -> None:
        try:
            self._way.set(self._node, self._name, self._values)
        finally:  # also takes back what was refused
            self._values = self._way.read(self._node, self._name)._values

    def __eq__(self, other: object) -> bool:
        return bool(self._values == getattr(other, "_values", other))

    __hash__ = None

    def __len__(self) -> int:
        return len(self._values)

    def __getitem__(self, key: Any) -> Any:
        return self._values[key]

    def __setitem__(self, key: Any, value: Any) -> None:
        self._values[key] = value
        self._save()

    def __delitem__(self, key: Any) -> None:
        del self._values[key]
        self._save()

    def clear(self) -> None:
        self._values.clear()
        self._save()

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._values})"


class ObservedList(_Observed, MutableSequence):
    """What a field of a list type gives."""

    def insert(self, index: int, item: Any) -> None:
        self._values.insert(index, item)
        self._save()

    def append(self, item: Any) -> None:
        self.insert(len(self), item)

    def extend(self, other: Any) -> None:
        self._values.extend(other)
        self._save()

    def __iadd__(self, other: Any) -> ObservedList:
        self.extend(other)
        return self

    def sort(self, *args: Any, **kwargs: Any) -> None:
        self._values.sort(*args, **kwargs)
        self._save()

    def _refuse(self, other: Any) -> Any:
        raise NotImplementedError("a list field can be changed, but not added or multiplied")

    __add__ = __radd__ = __mul__ = __rmul__ = _refuse


class ObservedDict(_Observed, MutableMapping):
    """What a field of a dictionary type gives; its ``get`` and ``pop`` take no default."""

    def __iter__(self) -> Iterator[Any]:
        return iter(self._values)

    def __contains__(self, key: object) -> bool:
        return key in self._values

    def keys(self) -> Any:
        return self._values.keys()

    def values(self) -> Any:
        return self._values.values()

    def items(self) -> Any:
        return self._values.items()

    def get(self, key: Any) -> Any:
        return self._values.get(key)

    def pop(self, key: Any) -> Any:
        value = self._values.pop(key)
        self._save()
        return value


# --- the wrapper -----------------------------------------------------------------------------


@dataclass
class Field:
    """What is known of one field of a wrapper class."""

    basename: str
    way: Kept
    default: Default
    unalteredType: Any


class Bound:
    """One field of one parameter node; the value is read again whenever the node changes."""

    def __init__(self, field: Field, node: Any, prefix: str) -> None:
        self.way, self.node, self.name = field.way, node, prefix + field.basename
        if not self.way.is_in(node, self.name):
            self.way.set(node, self.name, field.default.value)
        self.default = field.default
        self.value = self.way.read(node, self.name)
        self.writing = False
        me = weakref.ref(self)  # the observer must not keep this object alive
        self.tag = node.AddObserver(vtk.vtkCommand.ModifiedEvent, lambda *_: me().on_modified())

    def __del__(self) -> None:
        if hasattr(self, "tag"):  # else its default was refused
            self.node.RemoveObserver(self.tag)

    def on_modified(self) -> None:
        if not self.writing:
            if not self.way.is_in(self.node, self.name):
                self.way.set(self.node, self.name, self.default.value)
            self.value = self.way.read(self.node, self.name)

    def write(self, value: Any) -> None:
        self.writing = True
        try:
            with slicer.util.NodeModify(self.node):
                self.way.set(self.node, self.name, value)
                self.value = self.way.read(self.node, self.name)
        finally:
            self.writing = False


class Wrapper:
    """The methods that a wrapper class is given; also the list of names that no field may have."""

    allParameters: dict[str, Field]

    def default(self, paramName: str) -> Default:
        self._known(paramName)
        return self.allParameters[paramName].default

    def isCached(self, paramName: str) -> bool:
        self._known(paramName)
        return True

    def getValue(self, name: str) -> Any:
        self._known(name)
        return getattr(self, name)

    def setValue(self, name: str, value: Any) -> None:
        self._known(name)
        setattr(self, name, value)

    def connectGui(self, gui: Any) -> int:
        raise NotOnHost("connectGui")

    def connectParametersToGui(self, mapping: Any) -> int:
        raise NotOnHost("connectParametersToGui")

    def disconnectGui(self, guiTag: int) -> None:
        raise NotOnHost("disconnectGui")

    def StartModify(self) -> Any:
        return self.parameterNode.StartModify()

    def EndModify(self, wasModified: Any) -> Any:
        return self.parameterNode.EndModify(wasModified)

    def AddObserver(self, event: Any, callback: Any, priority: float = 0.0) -> Any:
        return self.parameterNode.AddObserver(event, callback, priority)

    def RemoveObserver(self, tag: Any) -> Any:
        return self.parameterNode.RemoveObserver(tag)

    def Modified(self) -> Any:
        return self.parameterNode.Modified()

    @classmethod
    def _known(cls, name: str) -> None:
        if name not in cls.allParameters:
            fields = ", ".join(cls.allParameters)
            raise ValueError(f"there is no field {name!r}; the fields are {fields}")


METHODS = [n for n in vars(Wrapper) if n == "_known" or not n.startswith("_")]


def parameterNodeWrapper(classtype: Any = None) -> Any:
    """Class decorator: each annotated name becomes a field that is kept in a parameter node."""
    return wrap if classtype is None else wrap(classtype)


def wrap(classtype: Any) -> Any:
    fields = {
        name: field_of(classtype, name, kind)
        for name, kind in typing.get_type_hints(classtype, include_extras=True).items()
    }
    for name in fields:
        setattr(classtype, name, property(*accessors(name)))
    given = {name: vars(Wrapper)[name] for name in METHODS}
    given["dataType"] = staticmethod(lambda name: data_type(classtype, name))
    given["allParameters"] = fields
    given["_is_parameter_node_wrapper"] = True
    for name, value in given.items():
        if hasattr(classtype, name):
            raise ValueError(f"{name!r} is a reserved name")
        setattr(classtype, name, value)
    classtype.__init__ = initialize
    classtype.__setattr__ = set_only_fields
    return classtype


def accessors(name: str) -> tuple[Callable[[Any], Any], Callable[[Any, Any], None]]:
    return lambda self: self._bound[name].value, lambda self, v: self._bound[name].write(v)


def field_of(classtype: Any, name: str, kind: Any) -> Field:
    """A field from its annotation and from the value that the class gives it."""
    _, annotations = splitAnnotations(kind)
    way = kept(kind)
    marked = [a for a in annotations if isinstance(a, Default)]
    unused = [a for a in annotations if not is_validator(a)]
    if hasattr(classtype, name):
        default = Default(getattr(classtype, name))
    elif len(marked) > 1:
        raise ValueError("a field has one default only")
    else:
        default = marked[0] if marked else Default(way.initial)
        unused = [a for a in unused if a not in marked]
    if unused:
        logging.warning("Unused annotations: %s", unused)
    return Field(name, way, default, kind)


def data_type(classtype: Any, name: str) -> Any:
    classtype._known(name)
    return classtype.allParameters[name].unalteredType


def initialize(self: Any, parameterNode: Any, prefix: str | None = None) -> None:
    """``__init__`` of every wrapper class."""
    object.__setattr__(self, "parameterNode", parameterNode)
    fields = self.allParameters.items()
    bound = {name: Bound(field, parameterNode, prefix or "") for name, field in fields}
    object.__setattr__(self, "_bound", bound)


def set_only_fields(self: Any, name: str, value: Any) -> None:
    """``__setattr__`` of every wrapper class."""
    if name not in self.allParameters:
        raise AttributeError(f"there is no field {name!r}, so the value would not be kept")
    object.__setattr__(self, name, value)


def isParameterNodeWrapper(classOrObj: Any) -> bool:
    return getattr(classOrObj, "_is_parameter_node_wrapper", False)
