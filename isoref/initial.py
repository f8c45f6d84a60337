"""Initial weights: the usual random matrices by name."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from math import sqrt
from operator import index
from typing import Any

import numpy as np

from isoref import arrays

Draw = Callable[[int, int, np.random.Generator], np.ndarray[Any, Any]]


def orthogonal(rows: int, columns: int, rng: np.random.Generator) -> np.ndarray[Any, Any]:
    """Return a semi-orthogonal matrix (`isoref.arrays.haar`)."""
    return arrays.haar(rows, columns, seed=rng)


def glorot_normal(rows: int, columns: int, rng: np.random.Generator) -> np.ndarray[Any, Any]:
    """Return normal entries of variance 2/(rows + columns) (Glorot and Bengio, 2010)."""
    return rng.normal(0.0, sqrt(2 / (rows + columns)), (rows, columns))


def he_normal(rows: int, columns: int, rng: np.random.Generator) -> np.ndarray[Any, Any]:
    """Return normal entries of variance 2/columns (He, Zhang, Ren and Sun, 2015)."""
    return rng.normal(0.0, sqrt(2 / columns), (rows, columns))


WEIGHTS: dict[str, Draw] = {
    "orthogonal": orthogonal,
    "glorot_normal": glorot_normal,
    "he_normal": he_normal,
}


def weights(name: str) -> Draw:
    """Return the initialisation called `name`, or raise a ValueError that lists the known ones."""
    if name not in WEIGHTS:
        raise ValueError(f"init must be one of {', '.join(WEIGHTS)}, got {name!r}")
    return WEIGHTS[name]


def checked_widths(widths: Iterable[int]) -> tuple[int, ...]:
    """Return `widths` as a tuple of at least two positive integers, or raise."""
    try:
        sizes = tuple(index(width) for width in widths)
    except TypeError:
        raise TypeError(f"widths must be two or more positive integers, got {widths!r}") from None
    if len(sizes) < 2 or min(sizes) < 1:
        raise ValueError(f"widths must be two or more positive integers, got {sizes}")
    return sizes
