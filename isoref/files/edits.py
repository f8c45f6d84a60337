"""Edits as a file: what was done to a network, to replay on another day.

    {"edits": [{"edit": "rotate", "space": 1, "R": "edit.0.R"},
               {"edit": "drop", "space": 1, "neurons": [3, 4], "values": null}]}

An array is described by its name. One in Fortran order, a transposed one, is stored transposed and
described by {"transposed": name}: a product of the same numbers in another order of memory may
differ in the last bit, and a replay must not.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import fields
from operator import index
from typing import Any

from isoref import arrays
from isoref.control import Add, Remove
from isoref.edits import Drop, Edit, Grow, Impose, Inputs, Materialise, Outputs, Rotate
from isoref.files import records
from isoref.files.content import DTYPES, NDArray
from isoref.files.description import LARGEST_WIDTH, check_kind, integers
from isoref.files.failure import FileError, shown

FORMAT = "isoref-edits"
VERSION = 1

EDITS: dict[str, type[Edit]] = {
    "rotate": Rotate,
    "impose": Impose,
    "grow": Grow,
    "drop": Drop,
    "materialise": Materialise,
    "inputs": Inputs,
    "outputs": Outputs,
    "add": Add,
    "remove": Remove,
}
"""The edits that a file may hold, by name; their fields must have types that `_TYPES` knows."""

_OPTIONAL = " | None"

Arrays = dict[str, NDArray]


def encoded(edits: Iterable[Edit]) -> bytes:
    """Return the bytes of a file of edits."""
    descriptions, found = described(edits)
    return records.encoded(FORMAT, VERSION, {"edits": descriptions}, found)


def decoded(path: str, data: bytes) -> tuple[Edit, ...]:
    """Return the edits in a file; FileError when it is damaged or of another kind."""
    meta, found = records.decoded(path, data, FORMAT, VERSION)
    if set(meta) != {"edits"}:
        raise FileError(f"{path}: meta: content must have the one member edits")
    return edits_from(f"{path}: edits", meta["edits"], found)


def described(edits: Iterable[Edit]) -> tuple[list[dict[str, Any]], Arrays]:
    """Return the edits in JSON, and the arrays that it names edit.<i>.<field>.

    Raises
    ------
    TypeError, ValueError
        When something is no known edit, or a field cannot be described.

    Examples
    --------
    >>> import numpy as np
    >>> described([Grow(1, np.zeros((2, 1)))])
    ([{'edit': 'grow', 'space': 1, 'columns': 'edit.0.columns'}], \
{'edit.0.columns': array([[0.],
           [0.]])})
    """
    if isinstance(edits, Edit) or not isinstance(edits, Iterable):
        raise TypeError(f"edits must be a sequence of edits, got {type(edits).__name__}")
    names = {kind: name for name, kind in EDITS.items()}
    descriptions, found = [], Arrays()
    for i, edit in enumerate(edits):
        if type(edit) not in names:
            raise TypeError(
                f"edits[{i}] must be an edit, one of {', '.join(k.__name__ for k in names)}, got "
                f"{type(edit).__name__}"
            )
        told: dict[str, Any] = {"edit": names[type(edit)]}
        for name, kind, optional in _fields(type(edit)):
            value, key = getattr(edit, name), f"edit.{i}.{name}"
            where = f"edits[{i}].{name}"
            written = optional and value is None
            told[name] = None if written else _TYPES[kind][0](where, key, value, found)
        descriptions.append(told)
    try:
        edits_from("edits", descriptions, found)
    except FileError as error:  # the rules of reading, before anything is written
        raise ValueError(str(error)) from error
    return descriptions, found


def edits_from(where: str, descriptions: Any, found: Mapping[str, NDArray]) -> tuple[Edit, ...]:
    """Return the edits of descriptions and arrays from a file; `where` begins every message.

    Raises
    ------
    FileError
        When a description or an array is missing, unknown, of a wrong type or out of range.
    """
    if not isinstance(descriptions, list):
        raise FileError(f"{where} must be a list of edits, got {shown(descriptions)}")
    edits, left = [], dict(found)
    for i, told in enumerate(descriptions):
        here = f"{where}[{i}]"
        kind = told.get("edit") if isinstance(told, dict) else None
        if not isinstance(kind, str) or kind not in EDITS:
            raise FileError(
                f"{here} must be an edit, one of {', '.join(EDITS)}, got {shown(kind)}; "
                "a newer isoref may know it"
            )
        expected = {name for name, _, _ in _fields(EDITS[kind])} | {"edit"}
        if odd := sorted(expected ^ set(told)):
            state = "missing" if odd[0] in expected else "not expected"
            raise FileError(f"{here}, {kind}: the member {shown(odd[0])} is {state}")
        values = {}
        for name, type_, optional in _fields(EDITS[kind]):
            value, key = told[name], f"edit.{i}.{name}"
            absent = optional and value is None
            values[name] = None if absent else _TYPES[type_][1](f"{here}.{name}", key, value, left)
        edits.append(EDITS[kind](**values))
    if left:
        raise FileError(f"{where}: the array {shown(min(left))} is not expected; no edit names it")
    return tuple(edits)


def _fields(kind: type[Edit]) -> list[tuple[str, str, bool]]:
    """Return name, type and whether it may be None, of the fields of an edit."""
    return [
        (field.name, str(field.type).removesuffix(_OPTIONAL), str(field.type).endswith(_OPTIONAL))
        for field in fields(kind)  # type: ignore[arg-type]  # every edit is a dataclass
    ]


def _integer(where: str, key: str, value: Any, found: Arrays) -> int:
    if isinstance(value, bool):
        raise TypeError(f"{where} must be an integer, got {value}")
    try:
        return index(value)
    except TypeError:
        raise TypeError(f"{where} must be an integer, got {type(value).__name__}") from None


def _integer_from(where: str, key: str, told: Any, left: Arrays) -> int:
    if type(told) is not int or not 0 <= told <= LARGEST_WIDTH:
        raise FileError(f"{where} must be an integer from 0 to {LARGEST_WIDTH}, got {shown(told)}")
    return told


def _integers(where: str, key: str, value: Any, found: Arrays) -> list[int]:
    if isinstance(value, str) or not isinstance(value, Iterable):
        raise TypeError(f"{where} must be integers, got {type(value).__name__}")
    return [_integer(f"{where}[{k}]", key, item, found) for k, item in enumerate(value)]


def _integers_from(where: str, key: str, told: Any, left: Arrays) -> tuple[int, ...]:
    return integers(where, told, 0, LARGEST_WIDTH)


def _array(where: str, key: str, value: Any, found: Arrays) -> str | dict[str, str]:
    if arrays.precision(value, where) == "exact":
        raise TypeError(f"{where} must be float64 or float32, got symbols; put numbers there")
    host = arrays.to_numpy(value)
    transposed = host.flags.f_contiguous and not host.flags.c_contiguous
    found[key] = host.T if transposed else host
    return {"transposed": key} if transposed else key


def _array_from(where: str, key: str, told: Any, left: Arrays) -> NDArray:
    if told not in (key, {"transposed": key}):
        raise FileError(f'{where} must be the name "{key}" of an array, got {shown(told)}')
    array = left.pop(key, None)
    if array is None:
        raise FileError(f"{where}: the array {key} is missing")
    if array.dtype.name not in DTYPES:
        raise FileError(f"{where}: {key} must be float64 or float32, got {array.dtype}")
    return array if told == key else array.T


def _kind(where: str, key: str, value: Any, found: Arrays) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise TypeError(f"{where} must be a dictionary or None, got {type(value).__name__}")
    return {
        name: item if isinstance(item, str) else _integers(f"{where}[{name!r}]", key, item, found)
        for name, item in value.items()
    }


def _kind_from(where: str, key: str, told: Any, left: Arrays) -> dict[str, Any]:
    check_kind(where, told)
    return {name: item if name == "kind" else list(item) for name, item in told.items()}


_TYPES: dict[str, tuple[Callable[..., Any], Callable[..., Any]]] = {
    "int": (_integer, _integer_from),
    "tuple[int, ...]": (_integers, _integers_from),
    "Array": (_array, _array_from),
    "dict[str, Any]": (_kind, _kind_from),
}
"""How a field of each type is written and read."""
