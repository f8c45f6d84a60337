"""Schedules: what a learning rate is multiplied by, as training goes on.

A schedule is a function of two numbers, the step and the total number of steps, and a value: its
`repr` tells it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from math import cos, pi
from typing import Protocol

from isoref.training.settings import is_integer, is_number


class Schedule(Protocol):
    """The factor of the rate at `step` of `total`, counted from 0."""

    def __call__(self, step: int, total: int) -> float:
        """Return the factor at `step` of `total`."""
        ...


@dataclass(frozen=True)
class Constant:
    """The rate as it is.

    Examples
    --------
    >>> Constant()(7, 100)
    1.0
    """

    def __call__(self, step: int, total: int) -> float:
        """Return the factor at `step` of `total`."""
        return 1.0


@dataclass(frozen=True)
class Cosine:
    """From 0 up to 1 over `warmup` steps, then down to `floor` along half a cosine.

    Examples
    --------
    >>> [round(Cosine(warmup=2)(step, 10), 3) for step in (0, 1, 2, 6, 9)]
    [0.5, 1.0, 1.0, 0.5, 0.038]
    """

    warmup: int = 0
    floor: float = 0.0

    def __post_init__(self) -> None:
        if not is_integer(self.warmup) or self.warmup < 0:
            raise ValueError(f"warmup must be a number of steps, not negative, got {self.warmup!r}")
        if not (is_number(self.floor) and 0 <= self.floor <= 1):
            raise ValueError(f"floor must be a number between 0 and 1, got {self.floor!r}")
        object.__setattr__(self, "warmup", int(self.warmup))
        object.__setattr__(self, "floor", float(self.floor))

    def __call__(self, step: int, total: int) -> float:
        """Return the factor at `step` of `total`."""
        if step < self.warmup:
            return (step + 1) / self.warmup
        progress = (step - self.warmup) / max(1, total - self.warmup)
        return self.floor + (1 - self.floor) * (1 + cos(pi * progress)) / 2


@dataclass(frozen=True)
class Steps:
    """Times `factor` at each of the given fractions of the training.

    Examples
    --------
    >>> [Steps((0.5, 0.75), factor=0.1)(step, 100) for step in (49, 50)]
    [1.0, 0.1]
    """

    fractions: tuple[float, ...]
    factor: float = 0.1

    def __post_init__(self) -> None:
        if not isinstance(self.fractions, Iterable) or not all(
            is_number(fraction) and 0 <= fraction <= 1 for fraction in self.fractions
        ):
            raise ValueError(
                "fractions must be a tuple of numbers between 0 and 1, as in (0.5, 0.75), "
                f"got {self.fractions!r}"
            )
        if not (is_number(self.factor) and 0 < self.factor <= 1):
            raise ValueError(f"factor must be a positive number, at most 1, got {self.factor!r}")
        object.__setattr__(self, "fractions", tuple(map(float, self.fractions)))
        object.__setattr__(self, "factor", float(self.factor))

    def __call__(self, step: int, total: int) -> float:
        """Return the factor at `step` of `total`."""
        return self.factor ** sum(step >= fraction * total for fraction in self.fractions)
