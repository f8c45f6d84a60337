"""What a network file says of the network: its profile, widths and structure, as strict JSON.

    {"format": "isoref-network", "version": 1, "profile": "tanh", "widths": [3, 5, 2],
     "structure": [null, {"kind": "diagonal"}]}

`structure` has one item a layer: null for a plain weight, else `Structured.kind`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from isoref.files.failure import FileError, shown
from isoref.files.strict import LONGEST, text
from isoref.network import Network
from isoref.profiles import named
from isoref.structure import Structured

FORMAT = "isoref-network"
VERSION = 1

MOST_LAYERS = 2048
LARGEST_WIDTH = 2**31 - 1
_KINDS = {"diagonal": {"kind"}, "staircase": {"kind", "starts", "stops"}}


@dataclass(frozen=True)
class Description:
    """Profile, widths and structure of a network, and the entries that they announce."""

    profile: str
    widths: tuple[int, ...]
    structure: tuple[dict[str, Any] | None, ...]

    def shapes(self) -> Iterator[tuple[str, tuple[int, ...]]]:
        """Yield the name and the shape of every entry; a structured weight is packed."""
        last = len(self.structure) - 1
        for i, (shape, kind) in enumerate(zip(self.weights(), self.structure, strict=True)):
            yield f"layer.{i}.weight", shape if kind is None else (_stored(kind, shape),)
            yield f"layer.{i}.bias", shape[:1]
            if i > 0:
                yield f"layer.{i}.psi", shape[:1]
            if i < last:
                yield f"layer.{i}.q", ()

    def weights(self) -> Iterator[tuple[int, int]]:
        """Yield the shape (rows, columns) of every weight."""
        return ((rows, columns) for columns, rows in pairwise(self.widths))

    def members(self) -> dict[str, Any]:
        """Return the members of the JSON object."""
        return {
            "format": FORMAT,
            "version": VERSION,
            "profile": self.profile,
            "widths": list(self.widths),
            "structure": list(self.structure),
        }


def describe(net: Network) -> Description:
    """Return the description of `net`.

    Raises
    ------
    ValueError
        When its profile is none of the named ones, or there is more to say than a file may hold.
    """
    name = net.profile.name
    try:
        known = named(name) == net.profile
    except ValueError:
        known = False
    if not known:
        raise ValueError(f"net.profile must be what isoref.named({name!r}) returns; it is another")
    weights = [layer.weight for layer in net.layers]
    kinds = tuple(w.kind if isinstance(w, Structured) else None for w in weights)
    if len(kinds) > MOST_LAYERS or len(text({"structure": kinds})) > LONGEST - 2**17:
        raise ValueError(
            f"net must have at most {MOST_LAYERS} layers and about {LONGEST} characters of "
            "structure to fit a network file; make some weights plain"
        )
    return Description(name, net.widths, kinds)


def described(where: str, members: Any) -> Description:
    """Return the description in the JSON value `members`; `where` begins every message.

    Raises
    ------
    FileError
        When it is not exactly a description of version 1.
    """
    if not isinstance(members, dict) or members.get("format") != FORMAT:
        raise FileError(f'{where} must be a JSON object with "format": "{FORMAT}"')
    version = members.get("version")
    if type(version) is not int or version < 1:
        raise FileError(f"{where}: version must be {VERSION}, got {shown(version)}")
    if version > VERSION:
        raise FileError(
            f"{where}: version must be at most {VERSION}, got {version}; "
            "the file is newer than this isoref: upgrade it"
        )
    known = {"format", "version", "profile", "widths", "structure"}
    if set(members) != known:
        odd = min(known ^ set(members))
        state = "missing" if odd in known else "not expected"
        raise FileError(f"{where}: the member {shown(odd)} is {state}")
    widths = integers(f"{where}: widths", members["widths"], 1, LARGEST_WIDTH)
    if not 2 <= len(widths) <= MOST_LAYERS + 1:
        raise FileError(
            f"{where}: widths must have 2 to {MOST_LAYERS + 1} items, got {len(widths)}"
        )
    structure = members["structure"]
    if not isinstance(structure, list) or len(structure) != len(widths) - 1:
        raise FileError(
            f"{where}: structure must be a list of {len(widths) - 1} items, one a layer"
        )
    for i, (kind, (columns, rows)) in enumerate(zip(structure, pairwise(widths), strict=True)):
        if kind is not None:
            check_kind(f"{where}: structure[{i}]", kind, rows, columns)
    return Description(_profile(where, members["profile"]), widths, tuple(structure))


def check_kind(
    where: str, kind: Any, rows: int | None = None, columns: int = LARGEST_WIDTH
) -> None:
    """Raise a FileError unless `kind` is a `Structured.kind`, of `rows` rows where given."""
    name = kind.get("kind") if isinstance(kind, dict) else None
    if not isinstance(name, str) or name not in _KINDS or set(kind) != _KINDS[name]:
        raise FileError(
            f"{where} must be null or a known kind of structure, one of {', '.join(_KINDS)}, "
            "with its own members"
        )
    if name == "staircase":
        starts = integers(f"{where}.starts", kind["starts"], 0, columns)
        stops = integers(f"{where}.stops", kind["stops"], 0, columns)
        rows = len(starts) if rows is None else rows
        if len(starts) != rows or len(stops) != rows:
            raise FileError(f"{where} must have {rows} starts and stops, one a row")
        if any(start > stop for start, stop in zip(starts, stops, strict=True)):
            raise FileError(f"{where}: no start may be greater than its stop")


def integers(where: str, values: Any, least: int, most: int) -> tuple[int, ...]:
    """Return a JSON list of integers from `least` to `most`, or raise a FileError."""
    if not isinstance(values, list):
        raise FileError(f"{where} must be a list of integers, got {shown(values)}")
    for k, value in enumerate(values):
        if type(value) is not int or not least <= value <= most:
            raise FileError(
                f"{where}[{k}] must be an integer from {least} to {most}, got {shown(value)}"
            )
    return tuple(values)


def _stored(kind: dict[str, Any], shape: tuple[int, int]) -> int:
    return min(shape) if kind["kind"] == "diagonal" else sum(kind["stops"]) - sum(kind["starts"])


def _profile(where: str, name: Any) -> str:
    if not isinstance(name, str) or len(name) > 100:
        raise FileError(f"{where}: profile must be a short text, got {shown(name)}")
    try:
        return named(name).name
    except ValueError as error:
        raise FileError(f"{where}: profile: {error}") from error
