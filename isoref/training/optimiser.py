"""What every optimiser is: one step in place on packed trees, and the laws of its state.

    step(net, state, gradient) == (point, moments) after advance(point, slope, moments)

Every rule maps a zero history to zero, so that scaffold neurons stay inert under it, and projects
q to q ≥ 0 after each step. Not q = e^p instead: weight decay then pulls p to 0, that is q to 1, and
q = 0, the plain isotropic network, is out of reach.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from math import inf, isfinite, sqrt
from typing import Any, ClassVar, TypeVar

import numpy as np

from isoref import arrays
from isoref.network import Layered, Tangent
from isoref.training.packed import Packed
from isoref.training.settings import is_number
from isoref.training.state import State, check_alike

NDArray = np.ndarray[Any, Any]

AnyTree = TypeVar("AnyTree", bound=Layered)

Condition = tuple[Callable[[float], bool], str]

FRACTION: Condition = (lambda v: 0 <= v < 1, "at least 0 and below 1")

BLOCK = 2**16
"""Entries that are updated at a time: five arrays of them fit a second-level cache."""


@dataclass(frozen=True, kw_only=True)
class Optimiser(ABC):
    """What all rules share: a rate, weight decay, clipping, and the laws of their state.

    Parameters
    ----------
    rate : float
        η > 0; a schedule multiplies it.
    decay : float
        λ ≥ 0, weight decay of every parameter; η λ < 1 where it is decoupled.
    clip : float, optional
        Scale the gradient down to this norm, of all parameters together, where it is longer.

    Raises
    ------
    ValueError
        When a setting is out of range.
    """

    rate: float
    decay: float = 0.0
    clip: float | None = None

    moments: ClassVar[tuple[str, ...]]
    """The names of the moments."""
    squares: ClassVar[frozenset[str]] = frozenset()
    """Those of them that sum squares of entries, which no rotation carries along (C32)."""
    commutes: ClassVar[bool]
    """Whether training a rotated network is rotating the trained one."""
    flags: ClassVar[tuple[str, ...]] = ()
    """The names of the settings that are True or False."""

    def __post_init__(self) -> None:
        for name, (holds, wanted) in self._conditions().items():
            value = getattr(self, name)
            if value is None and name == "clip":
                continue
            if not (is_number(value) and holds(float(value))):
                raise ValueError(f"{name} must be {wanted}, got {value!r}")
            object.__setattr__(self, name, float(value))
        for name in self.flags:
            value = getattr(self, name)
            if not isinstance(value, bool | np.bool_):
                raise ValueError(f"{name} must be True or False, got {value!r}")
            object.__setattr__(self, name, bool(value))
        self._check_decay(self.rate)

    @property
    def shrinks(self) -> bool:
        """Whether decay is decoupled: it multiplies each parameter by 1 − η λ."""
        return True

    def _check_decay(self, rate: float) -> None:
        if self.shrinks and rate * self.decay >= 1:
            raise ValueError(
                "rate · decay must be below 1, since decoupled decay multiplies each parameter by "
                f"1 − rate · decay, got rate {rate!r} and decay {self.decay!r}; lower one of them"
            )

    def _conditions(self) -> dict[str, Condition]:
        """Return what must hold for each number, and how to say it."""
        return {
            "rate": (lambda v: 0 < v < inf, "a positive number"),
            "decay": (lambda v: 0 <= v < inf, "a number that is not negative"),
            "clip": (lambda v: v > 0, "a positive number or None"),
        }

    def start(self, net: Layered) -> State:
        """Return the state before the first step: moments of zero."""
        return State(0, {name: Tangent.zeros(net) for name in self.moments}, self.squares)

    def step(self, net: AnyTree, state: State, gradient: Tangent) -> tuple[AnyTree, State]:
        """Return the next network and state; nothing is changed in place.

        Raises
        ------
        TypeError, ValueError
            When the arrays are not NumPy's, the state is another optimiser's, widths, kernels,
            structures or dtypes differ, or the step leaves the finite numbers.
        """
        state.check_fits(net, self.moments, self.squares)
        check_alike("gradient", gradient, net, "take that of backward(net, …)")
        point, slope = Packed(net), Packed(gradient)
        moments = tuple(Packed(state.moments[name]) for name in self.moments)
        self.advance(point, slope, moments, state.steps + 1)
        trees = {
            name: packed.tree(net.tangent())
            for name, packed in zip(self.moments, moments, strict=True)
        }
        return point.tree(net), State(state.steps + 1, trees, self.squares)

    def advance(
        self,
        point: Packed,
        gradient: Packed,
        moments: tuple[Packed, ...],
        steps: int,
        *,
        factor: float = 1.0,
    ) -> None:
        """Move `point` and `moments` in place by step number `steps`; `gradient` is used up.

        `factor` multiplies the rate.

        Raises
        ------
        ValueError
            When decay is decoupled and the multiplied rate times it is 1 or more.
        """
        self._check_decay(factor * self.rate)
        with arrays.quiet():
            if self.clip is not None:
                length = norm(gradient.vector)
                if length > self.clip:
                    gradient.vector *= gradient.vector.dtype.type(self.clip / length)
            self._advance(point, gradient, moments, steps, factor * self.rate)
        if point.q.size:
            np.maximum(point.q, 0, out=point.q)

    @abstractmethod
    def _advance(
        self,
        point: Packed,
        gradient: Packed,
        moments: tuple[Packed, ...],
        steps: int,
        rate: float,
    ) -> None: ...


class Entrywise(Optimiser):
    """A rule that moves every entry by itself, and so in blocks that stay in the cache.

    On one thread: after a matrix product the library's own threads still spin, and a second thread
    for the update waits for them as long as it saves.
    """

    def _advance(
        self,
        point: Packed,
        gradient: Packed,
        moments: tuple[Packed, ...],
        steps: int,
        rate: float,
    ) -> None:
        vectors = [packed.vector for packed in (point, gradient, *moments)]
        size = point.vector.size
        constants = self._constants(steps, rate, point.vector.dtype.type)
        scratch = np.empty(min(BLOCK, size), point.vector.dtype)
        for start in range(0, size, BLOCK):
            parts = [vector[start : start + BLOCK] for vector in vectors]
            self._block(scratch[: len(parts[0])], constants, *parts)

    @abstractmethod
    def _constants(self, steps: int, rate: float, dtype: Any) -> tuple[Any, ...]: ...

    @abstractmethod
    def _block(
        self,
        scratch: NDArray,
        constants: tuple[Any, ...],
        point: NDArray,
        slope: NDArray,
        *moments: NDArray,
    ) -> None: ...


def norm(vector: NDArray) -> float:
    """Return the Euclidean norm; no square overflows or underflows."""
    with arrays.quiet():
        square = float(vector @ vector)
    if isfinite(square) and square > 1e-30:
        return sqrt(square)
    largest = float(np.max(np.abs(vector), initial=0.0))
    if not (largest > 0 and isfinite(largest)):
        return largest
    return largest * float(np.linalg.norm(vector / vector.dtype.type(largest)))
