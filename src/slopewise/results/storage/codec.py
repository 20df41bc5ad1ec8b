"""Values as JSON and named tensors, and back: one walk over the fields of dataclasses, checked against their types.

A float that JSON does not have is {"$float": "nan"}, a tensor {"$tensor": name}; a value whose declared type is a union
or a base class of several says which it is in "$kind". Nothing else than these types is ever built from a file.
"""

from __future__ import annotations

import dataclasses
import math
import types
from collections.abc import Mapping
from enum import Enum
from functools import cache
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

from torch import Tensor

from slopewise.results.storage.header import FLOAT, restored

T = TypeVar("T")

TENSOR, KIND = "$tensor", "$kind"

LARGEST = 2**53
"""Of a whole number where a float is wanted."""


def pack(value: Any) -> tuple[Any, dict[str, Tensor]]:
    """Return a value as JSON values, and its tensors by name; a tensor that is met twice is stored once.

    Args:
        value: of dataclasses, enums, tensors, None, booleans, numbers, text, and tuples, lists and dicts of them.

    Raises:
        TypeError: something else is in it.

    >>> pack({"a": (1.5, float("nan")), "b": Tensor([1, 2])})[0]
    {'a': [1.5, {'$float': 'nan'}], 'b': {'$tensor': 'b'}}
    """
    tensors: dict[str, Tensor] = {}
    return _pack(value, "", tensors, {}), tensors


def _pack(value: Any, path: str, tensors: dict[str, Tensor], seen: dict[int, str]) -> Any:
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else {FLOAT: str(value)}
    if isinstance(value, Tensor):
        name = seen.setdefault(id(value), path)
        tensors[name] = value
        return {TENSOR: name}
    if isinstance(value, Enum):
        return value.name
    if isinstance(value, tuple | list):
        return [_pack(item, f"{path}.{place}".strip("."), tensors, seen) for place, item in enumerate(value)]
    if isinstance(value, Mapping):
        return {str(key): _pack(item, f"{path}.{key}".strip("."), tensors, seen) for key, item in value.items()}
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        parts = {_stored_as(field): getattr(value, field.name) for field in dataclasses.fields(value)}
        packed = {name: _pack(part, f"{path}.{name}".strip("."), tensors, seen) for name, part in parts.items()}
        return {KIND: type(value).__name__, **packed}
    raise TypeError(f"{path or 'the value'} is a {type(value).__name__}, which no file holds")


def unpack(kind: Any, stored: Any, tensors: Mapping[str, Tensor], kinds: Mapping[str, type]) -> Any:
    """Return the value that `pack` took apart.

    Args:
        kind: its type, as it would be written in an annotation.
        stored: JSON values.
        tensors: by name.
        kinds: the dataclasses that may stand for a base class or in a union, by name.

    Raises:
        KeyError: a field or a tensor is missing.
        TypeError, ValueError: a value is not of its type.
    """
    return _unpack(kind, stored, tensors, kinds, "")


def _unpack(kind: Any, stored: Any, tensors: Mapping[str, Tensor], kinds: Mapping[str, type], path: str) -> Any:
    origin = get_origin(kind)
    if kind is Any or kind is object:
        return restored(stored)
    if origin in (Union, types.UnionType):
        return _one_of(get_args(kind), stored, tensors, kinds, path)
    if kind is float:
        return _float(stored, path)
    if kind in (int, str, bool) or kind is type(None):
        if type(stored) is not kind:
            raise ValueError(f"{path} is {stored!r}, not {kind.__name__}")
        return stored
    if kind is Tensor:
        if not isinstance(stored, dict) or TENSOR not in stored:
            raise ValueError(f"{path} is {stored!r}, not a tensor")
        if stored[TENSOR] not in tensors:
            raise KeyError(f"tensor {stored[TENSOR]}")
        return tensors[stored[TENSOR]]
    if origin is not None and str(origin).endswith("Literal"):
        if stored not in get_args(kind):
            raise ValueError(f"{path} is {stored!r}, not one of {', '.join(map(repr, get_args(kind)))}")
        return stored
    if origin in (tuple, list):
        return _sequence(origin, get_args(kind), stored, tensors, kinds, path)
    if origin is dict:
        if not isinstance(stored, dict):
            raise ValueError(f"{path} is {stored!r}, not a mapping")
        _, of = get_args(kind)
        return {key: _unpack(of, item, tensors, kinds, f"{path}.{key}") for key, item in stored.items()}
    if isinstance(kind, type) and issubclass(kind, Enum):
        if stored not in kind.__members__:
            raise ValueError(f"{path} is {stored!r}, not one of {', '.join(kind.__members__)}")
        return kind[stored]
    return _dataclass(kind, stored, tensors, kinds, path)


def _dataclass(kind: type, stored: Any, tensors: Mapping[str, Tensor], kinds: Mapping[str, type], path: str) -> Any:
    if not isinstance(stored, dict):
        raise ValueError(f"{path} is {stored!r}, not a {kind.__name__}")
    named = stored.get(KIND, kind.__name__)
    own = dataclasses.is_dataclass(kind) and named == kind.__name__
    made: Any = kind if own else kinds.get(named)
    if made is None or not issubclass(made, kind):
        raise ValueError(f"{path} is a {named!r}, not a {kind.__name__}")
    hints, parts = _hints(made), {}
    unknown = sorted(set(stored) - {_stored_as(field) for field in dataclasses.fields(made)} - {KIND})
    if unknown:
        raise ValueError(f"{path} has no field {unknown[0]}")
    for field in dataclasses.fields(made):
        name = _stored_as(field)
        here = f"{path}.{name}".strip(".")
        if name in stored:
            parts[field.name] = _unpack(hints[field.name], stored[name], tensors, kinds, here)
        elif field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING:
            raise KeyError(here)
    return made(**parts)


def _stored_as(field: dataclasses.Field[Any]) -> str:
    """Return the name of a field in files: its own, or the one that it had when files were first written with it."""
    name: str = field.metadata.get("stored_as", field.name)
    return name


@cache
def _hints(kind: type) -> dict[str, Any]:
    import slopewise.results.storage.names as names

    return get_type_hints(kind, None, vars(names))


def _one_of(
    options: tuple[Any, ...], stored: Any, tensors: Mapping[str, Tensor], kinds: Mapping[str, type], path: str
) -> Any:
    if stored is None and type(None) in options:
        return None
    wrong: Exception = ValueError(f"{path} is missing")
    for option in options:
        if option is type(None):
            continue
        if isinstance(stored, dict) and KIND in stored and isinstance(option, type):
            made = kinds.get(stored[KIND])
            if stored[KIND] != option.__name__ and not (made is not None and issubclass(made, option)):
                continue
        try:
            return _unpack(option, stored, tensors, kinds, path)
        except (ValueError, TypeError) as error:
            wrong = error
    raise wrong


def _sequence(
    origin: type,
    args: tuple[Any, ...],
    stored: Any,
    tensors: Mapping[str, Tensor],
    kinds: Mapping[str, type],
    path: str,
) -> Any:
    if not isinstance(stored, list):
        raise ValueError(f"{path} is {stored!r}, not a list")
    if origin is list or (len(args) == 2 and args[1] is Ellipsis):
        return origin(_unpack(args[0], item, tensors, kinds, f"{path}.{place}") for place, item in enumerate(stored))
    if len(args) != len(stored):
        raise ValueError(f"{path} has {len(stored)} values, not {len(args)}")
    pairs = zip(args, stored, strict=True)
    return tuple(_unpack(of, item, tensors, kinds, f"{path}.{place}") for place, (of, item) in enumerate(pairs))


def _float(stored: Any, path: str) -> float:
    if isinstance(stored, dict) and set(stored) == {FLOAT} and stored[FLOAT] in ("nan", "inf", "-inf"):
        return float(stored[FLOAT])
    if isinstance(stored, bool) or not isinstance(stored, int | float):
        raise ValueError(f"{path} is {stored!r}, not a number")
    if isinstance(stored, int) and abs(stored) > LARGEST:
        raise ValueError(f"{path} is a whole number too large to be one exactly in a float")
    return stored  # a whole number stays one, so that the file written again is the same
