"""A profile's parameters in the dtype of the arrays that it is applied to."""

from __future__ import annotations

from dataclasses import fields, replace
from functools import lru_cache
from typing import Any, TypeVar

import numpy as np

from isoref.arrays import PRECISIONS, quiet

P = TypeVar("P")
"""A frozen dataclass whose fields are numbers."""


@lru_cache
def rounded(profile: P, dtype: str) -> P:
    """Return `profile` with every field rounded to `dtype`.

    Raises
    ------
    ValueError
        When `dtype` is not a supported one, or a field is no normal number after rounding.
    """
    if dtype not in PRECISIONS:
        raise ValueError(f"dtype must be one of {', '.join(PRECISIONS)}, got {dtype!r}")
    values = {
        field.name: _round(field.name, getattr(profile, field.name), dtype)
        for field in fields(profile)  # type: ignore[arg-type]
    }
    return replace(profile, **values) if values else profile  # type: ignore[type-var]


def _round(name: str, value: float, dtype: str) -> float:
    limits: Any = np.finfo(dtype)
    with quiet():
        result = float(limits.dtype.type(value))
    least, most = float(limits.smallest_normal), float(limits.max)
    if not least <= abs(result) <= most:
        raise ValueError(
            f"{name} must be a normal number in {dtype}, of size {least:.8g} to {most:.8g}, got "
            f"{value!r}, which rounds to {result!r}; choose another {name} or compute in float64"
        )
    return result
