"""Records: a JSON object and named arrays in one NumPy archive, read back whole or refused.

The entry `meta` announces every array, so that a lying file is found before an array is made:

    {"format": "isoref-edits", "version": 1, "content": {…},
     "arrays": [["edit.0.R", "float64", [3, 3]]]}

The entry `sha256` is the checksum of `meta` and of the bytes of the arrays, in the order announced:
an archive has checksums of single entries only, which entries that change names still pass.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from math import isfinite, prod
from typing import Any

import numpy as np

from isoref.files import npz
from isoref.files.archive import MOST_ENTRIES
from isoref.files.content import DTYPES, NDArray, check_names
from isoref.files.description import LARGEST_WIDTH, integers
from isoref.files.failure import FileError, shown

RECORDED = {"uint8": "|u1", "int64": "<i8", **DTYPES}
"""The dtypes of the arrays, and how files spell them."""

LONGEST = 2**22
"""Most characters of `meta`."""

_DIGEST = "sha256"
_OWN = ("meta", _DIGEST)
_MEMBERS = ("format", "version", "content", "arrays")
_NAME = re.compile(r"[A-Za-z0-9_.-]{1,200}")
_MOST_AXES = 4
_DEEPEST = 32


def encoded(
    format: str,
    version: int,
    meta: Mapping[str, Any],
    arrays: Mapping[str, NDArray],
    *,
    finite: bool = True,
) -> bytes:
    """Return the bytes of a record: the same for the same content, in whatever order it comes.

    Parameters
    ----------
    format, version : str, int
        What kind of record it is, and the version of that kind, from 1.
    meta : mapping
        JSON: texts, integers, finite floats, booleans, None, lists (tuples become lists) and
        dictionaries with texts as keys. A scalar of NumPy becomes Python's.
    arrays : mapping from str to array
        NumPy arrays of float64, float32, int64 or uint8, of at most four axes.
    finite : bool
        Whether NaN and infinity in an array are refused.

    Raises
    ------
    TypeError, ValueError
        When something of it does not fit a record.

    Examples
    --------
    >>> data = encoded("example", 1, {"rate": 0.1}, {"x": np.arange(3.0)})
    >>> meta, arrays = decoded("file.npz", data, "example", 1)
    >>> meta, arrays["x"]
    ({'rate': 0.1}, array([0., 1., 2.]))
    """
    if len(arrays) > MOST_ENTRIES - len(_OWN):
        raise ValueError(f"arrays must be at most {MOST_ENTRIES - len(_OWN)}, got {len(arrays)}")
    found = {name: _stored(name, arrays[name], finite) for name in sorted(arrays, key=str)}
    listed = [[name, array.dtype.name, list(array.shape)] for name, array in found.items()]
    content = _plain("meta", dict(meta))
    text = _text(dict(zip(_MEMBERS, (format, version, content, listed), strict=True)))
    if len(text) > LONGEST:
        raise ValueError(
            f"meta must have at most {LONGEST} characters of JSON, with the names of the arrays, "
            f"got {len(text)}; put long lists of numbers into arrays"
        )
    digest = _checksum(text, (array.reshape(-1) for array in found.values()))
    return npz.archived(text, {**found, _DIGEST: np.frombuffer(digest, np.uint8)})


def decoded(
    path: str,
    data: bytes,
    format: str,
    version: int,
    *,
    oldest: int | None = None,
    finite: bool = True,
) -> tuple[dict[str, Any], dict[str, NDArray]]:
    """Return the JSON and the arrays of a record of that format and exactly that version.

    With `oldest`, versions from there on are read too. The arrays are C-contiguous, own their
    memory and cannot be written to. `path` begins every message.

    Raises
    ------
    FileError
        When it is another kind of record, another version or damaged: an entry is missing,
        superfluous or not what `meta` announces, or a checksum is wrong.
    """
    text, found = npz.opened(path, data, LONGEST)
    least = version if oldest is None else oldest
    members = _members(f"{path}: meta", text, format, least, version)
    listed = _listed(f"{path}: meta: arrays", members["arrays"])
    entries = npz.entries(path, found, RECORDED)
    announced = {**listed, _DIGEST: ("uint8", (hashlib.sha256().digest_size,))}
    check_names(path, set(entries), set(announced))
    for name, (dtype, shape) in announced.items():
        entry = entries[name]
        if (entry.dtype, entry.shape, entry.order) != (dtype, shape, "C"):
            raise FileError(
                f"{path}: {name} must be {dtype} of shape {shape} in C order as meta announces, "
                f"got {entry.dtype} of shape {entry.shape} in {entry.order} order"
            )
    if bytes(entries[_DIGEST].buffer) != _checksum(text, (entries[n].buffer for n in listed)):
        raise FileError(
            f"{path}: {_DIGEST} must be the checksum of meta and the arrays, it is another; "
            "the file is damaged: take an older one"
        )
    arrays = {name: entries[name].array() for name in listed}
    for name, array in arrays.items():
        if finite and not _finite(array):
            raise FileError(f"{path}: {name} must be finite, got NaN or infinity")
    return members["content"], arrays


def _stored(name: Any, array: Any, finite: bool) -> NDArray:
    if not isinstance(name, str) or not _NAME.fullmatch(name) or name in _OWN:
        raise ValueError(
            "arrays must have names of 1 to 200 letters, digits and _ . -, other than "
            f"{' and '.join(_OWN)}, got {shown(name)}"
        )
    dtype = array.dtype.name if type(array) is np.ndarray else type(array).__name__
    if type(array) is not np.ndarray or dtype not in RECORDED:
        raise TypeError(
            f"arrays[{name!r}] must be a NumPy array of {' or '.join(reversed(RECORDED))}, "
            f"got {dtype}; convert it"
        )
    if array.ndim > _MOST_AXES or max(array.shape, default=0) > LARGEST_WIDTH:
        raise ValueError(
            f"arrays[{name!r}] must have at most {_MOST_AXES} axes of at most {LARGEST_WIDTH}, "
            f"got shape {array.shape}"
        )
    if finite and not _finite(array):
        raise ValueError(f"arrays[{name!r}] must be finite, got NaN or infinity")
    return np.asarray(array, array.dtype.newbyteorder("<"), order="C")


def _finite(array: NDArray) -> bool:
    return array.dtype.kind != "f" or bool(np.isfinite(array).all())


def _plain(where: str, value: Any, depth: int = 0) -> Any:
    """Return what JSON gives back for `value`, members in the order of their names."""
    if depth > _DEEPEST:
        raise ValueError(f"{where} must be nested at most {_DEEPEST} deep; make it flat")
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, dict) and all(isinstance(key, str) for key in value):
        names = sorted(_unicode(where, key) for key in value)
        return {name: _plain(f"{where}[{name!r}]", value[name], depth + 1) for name in names}
    if isinstance(value, list | tuple):
        return [_plain(f"{where}[{k}]", item, depth + 1) for k, item in enumerate(value)]
    if isinstance(value, float) and not isfinite(value):
        raise ValueError(f"{where} must be finite, got {value!r}; JSON has no such number")
    if isinstance(value, str):
        return _unicode(where, value)
    if value is None or isinstance(value, bool | int | float):
        return value
    raise TypeError(
        f"{where} must be text, integer, float, boolean, None, a list or a dictionary of names, "
        f"got {type(value).__name__}; convert it, or put it into arrays"
    )


def _unicode(where: str, value: str) -> str:
    """Return a text that JSON gives back: two halves of a character would come back as one."""
    try:
        value.encode("utf-8")
    except UnicodeEncodeError as error:
        raise ValueError(f"{where} must be Unicode text, got {shown(value)}") from error
    return value


def _text(members: Any) -> str:
    return json.dumps(members, separators=(",", ":"), allow_nan=False)


def _members(where: str, text: str, format: str, least: int, version: int) -> dict[str, Any]:
    """Return the members of `meta`."""
    try:
        members = json.loads(text)
        written = _text(members)
    except (ValueError, RecursionError) as error:
        reason = "nested too deeply" if isinstance(error, RecursionError) else str(error)
        raise FileError(f"{where} must be strict JSON: {reason}") from error
    if written != text:  # a member twice, spaces, another spelling of a number
        raise FileError(f"{where} must be JSON as isoref writes it; it was edited or is damaged")
    found = members.get("format") if isinstance(members, dict) else None
    if found != format:
        raise FileError(
            f'{where} must have "format": "{format}", got {shown(found)}; '
            "it is another kind of file, or none of isoref"
        )
    came = members.get("version")
    if type(came) is not int or not least <= came <= version:
        newer = type(came) is int and came > version
        advice = "the file is newer than this isoref: upgrade it" if newer else "write it again"
        known = version if least == version else f"{least} to {version}"
        raise FileError(f"{where}: version must be {known}, got {shown(came)}; {advice}")
    if odd := sorted(set(members) ^ set(_MEMBERS)):
        state = "missing" if odd[0] in _MEMBERS else "not expected"
        raise FileError(f"{where}: the member {shown(odd[0])} is {state}")
    if not isinstance(members["content"], dict):
        raise FileError(f"{where}: content must be an object, got {shown(members['content'])}")
    checked: dict[str, Any] = members
    return checked


def _listed(where: str, rows: Any) -> dict[str, tuple[str, tuple[int, ...]]]:
    """Return dtype and shape of the arrays that `meta` announces, by their names."""
    if not isinstance(rows, list):
        raise FileError(f"{where} must be a list, got {shown(rows)}")
    found: dict[str, tuple[str, tuple[int, ...]]] = {}
    for k, row in enumerate(rows):
        name, dtype, shape = row if isinstance(row, list) and len(row) == 3 else (None,) * 3
        if not isinstance(name, str) or not _NAME.fullmatch(name) or name in (*_OWN, *found):
            raise FileError(f"{where}[{k}] must be a new name, a dtype and a shape")
        if not isinstance(dtype, str) or dtype not in RECORDED:
            known = " or ".join(reversed(RECORDED))
            raise FileError(f"{where}[{k}]: {name} must be {known}, got {shown(dtype)}")
        sizes = integers(f"{where}[{k}]: the shape of {name}", shape, 0, LARGEST_WIDTH)
        if len(sizes) > _MOST_AXES or prod(size or 1 for size in sizes) >= 2**60:
            raise FileError(f"{where}[{k}]: {name} must have a shape of at most {_MOST_AXES} axes")
        found[name] = (dtype, sizes)
    return found


def _checksum(text: str, blocks: Iterable[Any]) -> bytes:
    digest = hashlib.sha256(text.encode("utf-8"))
    for block in blocks:
        digest.update(block)
    return digest.digest()
