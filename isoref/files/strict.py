"""Strict JSON: integers only, no member twice, of bounded length and depth."""

from __future__ import annotations

import json
from typing import Any

from isoref.files.failure import FileError, shown

LONGEST = 2**20
"""Most characters of a description."""

_DIGITS = 16


def text(members: Any) -> str:
    """Return compact JSON, ASCII only; NumPy's integers are written as integers."""
    return json.dumps(members, separators=(",", ":"), allow_nan=False, default=int)


def parsed(where: str, source: str | bytes, longest: int = LONGEST) -> Any:
    """Return the value of strict JSON: no number but integers, no member twice, not too deep.

    Raises
    ------
    FileError
        When `source` is longer than `longest` or is no such JSON.
    """
    if len(source) > longest:
        raise FileError(f"{where} must have at most {longest} characters, got {len(source)}")
    try:
        if isinstance(source, bytes):
            source = source.decode("utf-8")
        return json.loads(
            source,
            parse_int=_integer,
            parse_float=_no_number,
            parse_constant=_no_number,
            object_pairs_hook=_object,
        )
    except (ValueError, RecursionError) as error:
        reason = "nested too deeply" if isinstance(error, RecursionError) else str(error)
        raise FileError(f"{where} must be strict JSON: {reason}") from error


def _integer(digits: str) -> int:
    return int(digits) if len(digits) <= _DIGITS else _no_number(digits)


def _no_number(digits: str) -> int:
    raise ValueError(f"integers of at most {_DIGITS} digits are expected, got {shown(digits)}")


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("an object has a member twice")
    return found
