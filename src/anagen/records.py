"""What every room hands to the next: estimates, flags, where a number came from, and their JSON form."""

from __future__ import annotations

import dataclasses
import enum
import types
import typing
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeVar, Union

import numpy as np

from anagen.errors import InputError

Record = TypeVar("Record")


@dataclass(frozen=True, slots=True)
class Estimate:
    """A number with what it needs to be believed.

    Parameters
    ----------
    value : float
        The point estimate, in `unit`.
    unit : str
        Unit as printed, for example ``hairs/cm2``; ``1`` for a pure number.
    ci_low, ci_high : float
        Ends of the two-sided interval of level `level`; NaN where no interval can be given.
    n : int
        How many independent things it rests on.
    method : str
        How it and its interval were found, short enough for a table.
    level : float
        Confidence level of the interval, 0.95 unless said.
    p_value : float or None
        Two-sided p-value of the stated null hypothesis, where one was tested.
    """

    value: float
    unit: str
    ci_low: float
    ci_high: float
    n: int
    method: str
    level: float = 0.95
    p_value: float | None = None


Severity = Literal["note", "warning", "refused"]


@dataclass(frozen=True, slots=True)
class Flag:
    """Something a reader of a measurement must know about it.

    Parameters
    ----------
    code : str
        Stable kebab-case name, for example ``out-of-focus``.
    severity : {"note", "warning", "refused"}
        ``refused`` means that no number is given.
    message : str
        What was found, with its number and unit.
    advice : str
        What to do about it.
    value, limit : float or None
        The number found and the limit that it passed.
    """

    code: str
    severity: Severity
    message: str
    advice: str = ""
    value: float | None = None
    limit: float | None = None

    @property
    def said(self) -> str:
        """What was found and what to do about it, as one line."""
        return f"{self.message}; {self.advice}" if self.advice else self.message


@dataclass(frozen=True, slots=True)
class Provenance:
    """Where a measurement came from; its key in the store.

    Parameters
    ----------
    input_sha256 : str
        SHA-256 of the input's bytes, hexadecimal.
    algorithm : str
        Name of the algorithm, for example ``hair-trace``.
    version : str
        Its version; it changes whenever the same input may give another number.
    parameters : mapping
        Every parameter that can change the result, JSON types only.
    """

    input_sha256: str
    algorithm: str
    version: str
    parameters: Mapping[str, Any] = field(default_factory=dict)


def to_json(record: object) -> Any:
    """Turn a record into plain JSON types.

    Dataclasses become objects by field name, arrays nested lists, NaN and infinities the strings ``"nan"``,
    ``"inf"``, ``"-inf"`` (JSON has no word for them). Floats keep every digit, so `from_json` gives back the same
    bits.

    Parameters
    ----------
    record : object
        A dataclass, array, number, string, mapping, sequence or None, nested as deep as you like.

    Returns
    -------
    object
        None, bool, int, float, str, list or dict.

    Examples
    --------
    >>> to_json(Flag("few-tracks", "warning", "12 tracks", limit=100.0))["limit"]
    100.0
    """
    if dataclasses.is_dataclass(record) and not isinstance(record, type):
        return {f.name: to_json(getattr(record, f.name)) for f in dataclasses.fields(record)}
    if isinstance(record, np.ndarray):
        return to_json(record.tolist())
    if isinstance(record, enum.Enum):
        return to_json(record.value)
    if isinstance(record, np.generic):
        return to_json(record.item())
    if isinstance(record, float):
        return record if np.isfinite(record) else str(record)
    if isinstance(record, Mapping):
        return {str(key): to_json(value) for key, value in record.items()}
    if isinstance(record, list | tuple | set | frozenset):
        return [to_json(value) for value in record]
    if record is None or isinstance(record, bool | int | str):
        return record
    raise InputError(f"cannot write a {type(record).__name__} as JSON: use dataclasses, arrays, numbers and strings")


def from_json(kind: type[Record], data: Any) -> Record:
    """Build the record of type `kind` from what `to_json` wrote.

    Parameters
    ----------
    kind : type
        A dataclass whose fields are annotated with types that `to_json` can write.
    data : object
        The parsed JSON.

    Returns
    -------
    kind
        Equal to the record that was written.

    Raises
    ------
    InputError
        When a field is missing or of the wrong shape.
    """
    return typing.cast("Record", _build(kind, data))


def _build(kind: Any, data: Any) -> Any:
    origin, args = typing.get_origin(kind), typing.get_args(kind)
    if kind is Any or kind is object:
        return data
    if dataclasses.is_dataclass(kind) and isinstance(kind, type):
        return _build_dataclass(kind, data)
    if origin in (Union, types.UnionType):
        return _build_union(args, data)
    if origin is Literal:
        return data
    if kind is np.ndarray or origin is np.ndarray:
        return np.asarray(_build_floats(data))
    if origin is tuple and len(args) == 2 and args[1] is Ellipsis:
        return tuple(_build(args[0], value) for value in data)
    if origin is tuple:
        return tuple(_build(arg, value) for arg, value in zip(args, data, strict=True))
    if origin is list:
        return [_build(args[0], value) for value in data]
    if origin is not None and isinstance(origin, type) and issubclass(origin, Mapping):
        return {key: _build(args[1], value) for key, value in data.items()}
    if kind is float:
        return float(data)
    return kind(data) if isinstance(kind, type) and not isinstance(data, kind) else data


def _build_dataclass(kind: Any, data: Any) -> Any:
    hints = typing.get_type_hints(kind)
    names = {f.name for f in dataclasses.fields(kind) if f.init}
    if not isinstance(data, Mapping) or not names.issuperset(data):
        raise InputError(f"not a {kind.__name__}: expected the fields {sorted(names)}, got {data!r:.200}")
    return kind(**{name: _build(hints[name], value) for name, value in data.items()})


def _build_union(args: tuple[Any, ...], data: Any) -> Any:
    if data is None:
        return None
    present = [arg for arg in args if arg is not type(None)]
    return _build(present[0], data)


def _build_floats(data: Any) -> Any:
    if isinstance(data, list):
        return [_build_floats(value) for value in data]
    return float(data) if isinstance(data, str) else data
