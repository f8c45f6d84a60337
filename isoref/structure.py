"""Weights whose zeros are structure: stored and multiplied is only what can be different from zero.

A zero is in the type, never in a mask or below a threshold. `Diagonal` has one entry a row,
`Staircase` one interval of columns a row: triangular weights, rows that start at a column, rows
that are empty. The functions `apply`, `pull` and `outer` serve plain arrays and both types alike.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, TypeVar

import numpy as np

from isoref import arrays
from isoref.arrays import Array

BLOCK = 64
"""Rows of a staircase that are multiplied together, padded to their common columns."""


@dataclass(frozen=True, eq=False)
class Structured(ABC):
    """A weight of a given shape (rows, columns) that stores the 1-d array `entries`."""

    entries: Array
    shape: tuple[int, int]

    ndim = 2

    def __setstate__(self, state: dict[str, Any]) -> None:
        # A pickle or deep copy of a NumPy array is writeable again.
        for name, value in state.items():
            object.__setattr__(self, name, arrays.frozen(value))

    @property
    def dtype(self) -> Any:
        """Dtype of the entries."""
        return self.entries.dtype

    @property
    @abstractmethod
    def places(self) -> np.ndarray[Any, Any]:
        """Integers (2, entries): the row and the column of each entry."""

    @property
    @abstractmethod
    def kind(self) -> dict[str, Any]:
        """What a file says of the structure: its "kind" and its integers."""

    @abstractmethod
    def apply(self, h: Array) -> Array:
        """Return h Wᵀ."""

    @abstractmethod
    def pull(self, abar: Array) -> Array:
        """Return ā W."""

    @abstractmethod
    def outer(self, abar: Array, h: Array) -> Array:
        """Return the entries of āᵀ h that are stored."""

    def dense(self) -> Array:
        """Return the plain array."""
        return _spread(self.entries, self.places, self.shape)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray[Any, Any]:
        host = arrays.to_numpy(self.dense())
        return host if dtype is None else host.astype(dtype)


@dataclass(frozen=True, eq=False)
class Diagonal(Structured):
    """A rectangular-diagonal weight: entry i stands at (i, i).

    Examples
    --------
    >>> Diagonal(np.array([3.0, 2.0]), (2, 3)).dense()
    array([[3., 0., 0.],
           [0., 2., 0.]])
    """

    def __post_init__(self) -> None:
        _check_entries(self, min(self.shape))

    @property
    def places(self) -> np.ndarray[Any, Any]:
        """Row and column of each entry."""
        return np.stack([np.arange(min(self.shape))] * 2)

    @property
    def kind(self) -> dict[str, Any]:
        """The kind alone."""
        return {"kind": "diagonal"}

    def apply(self, h: Array) -> Array:
        """Return h Wᵀ by one product a neuron."""
        return _widened(h[:, : min(self.shape)] * self.entries, self.shape[0])

    def pull(self, abar: Array) -> Array:
        """Return ā W by one product a neuron."""
        return _widened(abar[:, : min(self.shape)] * self.entries, self.shape[1])

    def outer(self, abar: Array, h: Array) -> Array:
        """Return Σ ā_i h_i over the batch."""
        k = min(self.shape)
        return arrays.namespace(abar, h).sum(abar[:, :k] * h[:, :k], axis=0)


@dataclass(frozen=True, eq=False)
class Staircase(Structured):
    """A weight whose row i is stored in columns starts[i] … stops[i] − 1 and is zero elsewhere.

    Examples
    --------
    >>> Staircase.upper(np.array([[1.0, 2.0], [0.0, 3.0], [0.0, 0.0]])).entries
    array([1., 2., 3.])
    """

    starts: tuple[int, ...]
    stops: tuple[int, ...]

    def __post_init__(self) -> None:
        rows, columns = self.shape
        pairs = list(zip(self.starts, self.stops, strict=False))
        fits = len(self.starts) == len(self.stops) == rows
        if not fits or not all(0 <= start <= stop <= columns for start, stop in pairs):
            raise ValueError(
                f"starts and stops must give an interval within {columns} columns for each of "
                f"{rows} rows, got {self.starts} and {self.stops}"
            )
        _check_entries(self, sum(stop - start for start, stop in pairs))

    @staticmethod
    def of(weight: Array, starts: tuple[int, ...], stops: tuple[int, ...]) -> Staircase:
        """Return a plain array as a staircase; it must vanish outside the intervals."""
        kind = {"kind": "staircase", "starts": starts, "stops": stops}
        packed = imposed(weight, kind)
        outside = np.count_nonzero(arrays.to_numpy(weight)) - np.count_nonzero(np.asarray(packed))
        if outside:
            raise ValueError(
                f"weight must vanish outside its structure, got {outside} other entries; "
                "keep it as a plain array"
            )
        assert isinstance(packed, Staircase)
        return packed

    @staticmethod
    def upper(weight: Array) -> Staircase:
        """Return an upper triangular (or trapezoidal) plain array as a staircase."""
        rows, columns = weight.shape
        starts = tuple(min(i, columns) for i in range(rows))
        return Staircase.of(weight, starts, (columns,) * rows)

    @property
    def places(self) -> np.ndarray[Any, Any]:
        """Row and column of each entry, row by row."""
        return self._places

    @property
    def kind(self) -> dict[str, Any]:
        """The kind and the intervals."""
        return {"kind": "staircase", "starts": list(self.starts), "stops": list(self.stops)}

    def apply(self, h: Array) -> Array:
        """Return h Wᵀ, block of rows by block of rows."""
        xp = arrays.namespace(h, self.entries)
        parts = [h[:, first:last] @ block.T for _, (first, last), block in self._blocks()]
        return xp.concat(parts, axis=1)

    def pull(self, abar: Array) -> Array:
        """Return ā W, block of rows by block of rows."""
        total = None
        for (top, bottom), (first, _), block in self._blocks():
            part = _widened(abar[:, top:bottom] @ block, self.shape[1], first)
            total = part if total is None else total + part
        return total

    def outer(self, abar: Array, h: Array) -> Array:
        """Return the stored entries of āᵀ h."""
        xp = arrays.namespace(abar, h)
        parts = []
        for (top, bottom), (first, last), chosen in self._intervals:
            product = abar[:, top:bottom].T @ h[:, first:last]
            rows, columns = self._places[:, chosen]
            flat = (rows - top) * (last - first) + columns - first
            parts.append(arrays.take(xp.reshape(product, (-1,)), flat))
        return xp.concat(parts)

    def _blocks(self) -> Any:
        for (top, bottom), (first, last), chosen in self._intervals:
            places = self._places[:, chosen] - np.array([[top], [first]])
            shape = (bottom - top, last - first)
            yield (top, bottom), (first, last), _spread(self.entries[chosen], places, shape)

    @cached_property
    def _places(self) -> np.ndarray[Any, Any]:
        lengths = np.subtract(self.stops, self.starts)
        rows = np.repeat(np.arange(len(lengths)), lengths)
        within = np.arange(lengths.sum()) - np.repeat(np.cumsum(lengths) - lengths, lengths)
        return np.stack([rows, np.repeat(self.starts, lengths) + within])

    @cached_property
    def _intervals(self) -> list[tuple[tuple[int, int], tuple[int, int], slice]]:
        """Rows, common columns and entries of each block."""
        offsets = np.concatenate([[0], np.cumsum(np.subtract(self.stops, self.starts))])
        found = []
        for top in range(0, self.shape[0], BLOCK):
            bottom = min(top + BLOCK, self.shape[0])
            filled = [i for i in range(top, bottom) if self.starts[i] < self.stops[i]]
            first = min((self.starts[i] for i in filled), default=0)
            last = max((self.stops[i] for i in filled), default=0)
            chosen = slice(int(offsets[top]), int(offsets[bottom]))
            found.append(((top, bottom), (first, last), chosen))
        return found


Weight = TypeVar("Weight", bound=Any)


def dense(weight: Array | Structured) -> Array:
    """Return a weight as a plain array."""
    return weight.dense() if isinstance(weight, Structured) else weight


def stored(weight: Array | Structured) -> Array:
    """Return the array that a weight stores."""
    return weight.entries if isinstance(weight, Structured) else weight


def refilled(weight: Weight, values: Array) -> Weight:
    """Return a weight of the same structure that stores `values`."""
    return replace(weight, entries=values) if isinstance(weight, Structured) else values


def blank(kind: dict[str, Any], shape: tuple[int, int], reference: Array) -> Structured:
    """Return the structure that `kind` describes, filled with zeros like `reference`."""
    if kind["kind"] == "diagonal":
        return Diagonal(arrays.like(np.zeros(min(shape)), reference), shape)
    starts, stops = tuple(kind["starts"]), tuple(kind["stops"])
    count = sum(stop - start for start, stop in zip(starts, stops, strict=True))
    return Staircase(arrays.like(np.zeros(count), reference), shape, starts, stops)


def imposed(weight: Array, kind: dict[str, Any]) -> Structured:
    """Return the entries of a plain array that the structure of `kind` stores; the rest is lost."""
    frame = blank(kind, (int(weight.shape[0]), int(weight.shape[1])), weight)
    rows, columns = frame.places
    flat = arrays.namespace(weight).reshape(weight, (-1,))
    return replace(frame, entries=arrays.owned(arrays.take(flat, rows * weight.shape[1] + columns)))


def same_structure(weight: Array | Structured, other: Array | Structured) -> bool:
    """Tell whether two weights of equal shape store the same places."""
    if not isinstance(weight, Structured) or not isinstance(other, Structured):
        return not isinstance(weight, Structured) and not isinstance(other, Structured)
    return weight.kind == other.kind


def apply(weight: Array | Structured, h: Array) -> Array:
    """Return h Wᵀ, shape (B, rows)."""
    return weight.apply(h) if isinstance(weight, Structured) else h @ weight.T


def pull(weight: Array | Structured, abar: Array) -> Array:
    """Return ā W, shape (B, columns)."""
    return weight.pull(abar) if isinstance(weight, Structured) else abar @ weight


def outer(weight: Array | Structured, abar: Array, h: Array) -> Array | Structured:
    """Return āᵀ h in the structure of the weight."""
    if isinstance(weight, Structured):
        return refilled(weight, arrays.owned(weight.outer(abar, h)))
    return abar.T @ h


def _check_entries(weight: Structured, count: int) -> None:
    if tuple(weight.entries.shape) != (count,):
        raise ValueError(
            f"entries must have shape ({count},) for {weight.kind['kind']} {weight.shape}, "
            f"got {tuple(weight.entries.shape)}"
        )
    object.__setattr__(weight, "entries", arrays.frozen(weight.entries))


def _spread(entries: Array, places: np.ndarray[Any, Any], shape: tuple[int, int]) -> Array:
    """Return the plain array with `entries` at `places` and zeros elsewhere."""
    xp = arrays.namespace(entries)
    source = np.full(shape, entries.shape[0])
    source[places[0], places[1]] = np.arange(entries.shape[0])
    padded = xp.concat([entries, arrays.like(np.zeros(1), entries)])
    return xp.reshape(arrays.take(padded, source.ravel()), shape)


def _widened(h: Array, width: int, before: int = 0) -> Array:
    """Return h with zero columns around it, `before` of them first, `width` columns in all."""
    after = width - before - h.shape[1]
    if before == after == 0:
        return h
    left, right = (arrays.like(np.zeros((h.shape[0], k)), h) for k in (before, after))
    return arrays.namespace(h).concat([left, h, right], axis=1)
