"""JSON ↔ dataclass, strictly; whatever is wrong is one error, to which the reader adds where it stands."""

from __future__ import annotations

import dataclasses
import functools
import json
import math
import re
import types
import typing
from collections.abc import Callable
from typing import Annotated, Any, Literal, NamedTuple, TypeVar

DEPTH_LIMIT = 16

_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")
_INTEGER_LIMIT = 2**53

T = TypeVar("T")


class InvalidJson(ValueError):
    """No strict JSON, or not what a dataclass holds: says what must hold and what was found."""


def dump(value: Any) -> str:
    """Write JSON without NaN."""
    try:
        return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    except ValueError as error:
        raise InvalidJson(f"it cannot be written as JSON ({error})") from None


def load(data: bytes) -> Any:
    """Read strict JSON.

    Raises:
        InvalidJson: for anything that strict JSON forbids.
    """
    try:
        text = data.decode("utf-8")
        value = json.loads(
            text,
            object_pairs_hook=_unique,
            parse_constant=_no_constant,
            parse_int=_integer,
            parse_float=_finite,
        )
        if _SURROGATE.search(text):
            dump(value).encode("utf-8")
    except (ValueError, RecursionError) as error:
        raise InvalidJson(f"it is not strict JSON ({type(error).__name__})") from None
    check_depth(value)
    return value


def check_depth(value: Any) -> None:
    """Look whether what JSON holds is nested as deep as a message may be, and no deeper.

    Raises:
        InvalidJson: it is.
    """
    if _depth(value) > DEPTH_LIMIT:
        raise InvalidJson("it is nested too deep")


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) != len(pairs):
        raise ValueError("a key stands twice")
    return result


def _no_constant(text: str) -> Any:
    raise ValueError(f"{text} is not allowed")


def _integer(text: str) -> int:
    value = int(text) if len(text) <= 17 else _INTEGER_LIMIT
    if abs(value) >= _INTEGER_LIMIT:
        raise ValueError("an integer is too large")
    return value


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError("a number is too large")
    return value


def _depth(value: Any) -> int:
    level, depth = [value], 0
    while level and depth <= DEPTH_LIMIT:
        inner = [v for v in level if isinstance(v, (dict, list))]
        level = [w for v in inner for w in (v.values() if isinstance(v, dict) else v)]
        depth += bool(inner)
    return depth


# ---- dataclasses to JSON and back

# In a field's metadata: fields of its dataclass that are not written.
_FLAT = "flat"


def flat(*but: str) -> dict[str, tuple[str, ...]]:
    """Metadata of a field whose own fields stand beside the others in JSON, but for those of these names."""
    return {_FLAT: but}


# In a field's metadata: what it is where it is not written.
_ABSENT = "absent"


def absent(value: Any) -> dict[str, Any]:
    """Metadata of a field that older versions did not write, and whose default is not what they did.

    Args:
        value: what JSON without that field means.
    """
    return {_ABSENT: value}


# In a field's metadata: that its default is not written.
_SPARSE = "sparse"


def sparse() -> dict[str, bool]:
    """Metadata of a field that came later: at its default it is not written, so that all stays as it was before it."""
    return {_SPARSE: True}


# What is one of several kinds can be written as one dataclass with the fields of all, its form: each kind names it by
# this attribute, and the hint is `Annotated[A | B, form]`. `form.of(value)` makes it; its `value()` gives the value
# again, or raises ValueError where JSON says several at once, which no value can.
_FORM = "JSON_FORM"

# What JSON holds as it is. Nearly all values are, so they are asked for first.
_PLAIN = (str, int, float, bool, types.NoneType)


def to_json(value: Any) -> Any:
    """Turn a dataclass of plain values into what JSON can hold."""
    kind: Any = type(value)
    if kind in _PLAIN:
        return value
    if _is_dataclass(kind):
        return _written(value)
    if isinstance(value, (tuple, list)):
        return [to_json(v) for v in value]
    if isinstance(value, dict):
        return {str(k): to_json(v) for k, v in value.items()}
    return value


def _written(value: Any) -> dict[str, Any]:
    written: dict[str, Any] = {}
    kind: Any = type(value)
    if form := getattr(kind, _FORM, None):
        return _written(form.of(value))
    for field in _fields(kind):
        inner = getattr(value, field.name)
        if field.left_out is None:
            if not field.is_sparse or inner != field.default:
                written[field.name] = to_json(inner)
        else:
            origin, args = _shape(field.hint)
            beside = to_json(args[1].of(inner) if origin is Annotated else inner)
            written |= {n: v for n, v in beside.items() if n not in field.left_out}
    return written


def from_json(kind: type[T], data: Any) -> T:
    """Make a dataclass from JSON; unknown fields are ignored, wrong and missing ones refused.

    Raises:
        InvalidJson: naming the field, what it must be, and what came.
    """
    if not isinstance(data, dict):
        raise InvalidJson(f"{kind.__name__} must be an object")
    values = {}
    for field in _fields(typing.cast(Any, kind)):
        if field.left_out is not None:
            values[field.name] = _read(field.hint, data, field.name)
        elif field.name in data:
            values[field.name] = _read(field.hint, data[field.name], field.name)
        elif field.absent is not None:
            values[field.name] = field.absent
        elif field.needed:
            raise InvalidJson(f"the field {field.name} is missing")
    return kind(**values)


def with_texts(value: Any, change: Callable[[str], str]) -> Any:
    """A dataclass, or what one holds, with every text in it changed; keys of dictionaries stay."""
    if isinstance(value, str):
        return change(value)
    if isinstance(value, (tuple, list)):
        return type(value)(with_texts(v, change) for v in value)
    if isinstance(value, dict):
        return {k: with_texts(v, change) for k, v in value.items()}
    kind: Any = type(value)
    if not _is_dataclass(kind):
        return value
    names = [f.name for f in dataclasses.fields(value)]
    return dataclasses.replace(value, **{n: with_texts(getattr(value, n), change) for n in names})


class _Field(NamedTuple):
    """Name, type and default of a field, whether it must be there or what it is else, what is not written of it."""

    name: str
    hint: Any
    default: Any
    needed: bool
    left_out: tuple[str, ...] | None
    absent: Any
    is_sparse: bool


@functools.cache
def _fields(kind: type[Any]) -> list[_Field]:
    hints, missing = typing.get_type_hints(kind, include_extras=True), dataclasses.MISSING
    return [
        _Field(
            f.name,
            hints[f.name],
            f.default,
            f.default is missing and f.default_factory is missing,
            f.metadata.get(_FLAT),
            f.metadata.get(_ABSENT),
            f.metadata.get(_SPARSE, False),
        )
        for f in dataclasses.fields(kind)
    ]


@functools.cache
def _is_dataclass(kind: type[Any]) -> bool:
    return dataclasses.is_dataclass(kind)


@functools.cache
def _shape(hint: Any) -> tuple[Any, tuple[Any, ...]]:
    return typing.get_origin(hint), typing.get_args(hint)


def _read(hint: Any, value: Any, where: str) -> Any:
    if hint is Any or (type(value) is hint and hint in _PLAIN):
        if hint is int and abs(value) >= _INTEGER_LIMIT:
            raise InvalidJson(f"{where} must be below 2**53, got one of {len(str(value))} digits")
        return value
    origin, args = _shape(hint)
    if origin in (types.UnionType, typing.Union):
        return _read_optional(args, value, where)
    if origin is Annotated:
        return _value_of(from_json(args[1], value))
    if origin is Literal and isinstance(value, str) and value in args:
        return value
    if origin is tuple and isinstance(value, list):
        return _read_tuple(args, value, where)
    if origin is dict and isinstance(value, dict):
        return {k: _read(args[1], v, f"{where}.{k[:40]}") for k, v in value.items()}
    if isinstance(hint, type) and _is_dataclass(hint):
        return from_json(hint, value)
    if hint is float and isinstance(value, (int, float)) and not isinstance(value, bool):
        return _float(value, where)
    if isinstance(hint, type) and type(value) is hint:
        return value
    wanted = " or ".join(map(repr, args)) if origin is Literal else getattr(hint, "__name__", hint)
    raise InvalidJson(f"{where} must be {wanted}, got {str(value)[:40]!r}")


def _float(value: float, where: str) -> float:
    try:
        return float(value)
    except OverflowError:
        raise InvalidJson(f"{where} must be a number that fits into 64 bits") from None


def _value_of(form: Any) -> Any:
    try:
        return form.value()
    except ValueError as error:
        raise InvalidJson(str(error)) from None


def _read_optional(args: tuple[Any, ...], value: Any, where: str) -> Any:
    if value is None and type(None) in args:
        return None
    return _read(next(a for a in args if a is not type(None)), value, where)


def _read_tuple(args: tuple[Any, ...], value: list[Any], where: str) -> tuple[Any, ...]:
    if len(args) == 2 and args[1] is Ellipsis:
        return tuple(_read(args[0], v, f"{where}[{i}]") for i, v in enumerate(value))
    if len(args) != len(value):
        raise InvalidJson(f"{where} must have {len(args)} entries, got {len(value)}")
    return tuple(
        _read(a, v, f"{where}[{i}]") for i, (a, v) in enumerate(zip(args, value, strict=True))
    )
