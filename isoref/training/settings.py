"""What a setting of an optimiser, a schedule or a rule may be: a number, or an integer."""

from __future__ import annotations

from math import isnan
from numbers import Integral, Real
from typing import Any


def is_number(value: Any) -> bool:
    """Tell whether a setting is a real number, Python's or NumPy's; True, False and NaN are none.

    Examples
    --------
    >>> import numpy as np
    >>> [is_number(value) for value in (1, 0.5, np.float32(2), True, "1", float("nan"))]
    [True, True, True, False, False, False]
    """
    if not isinstance(value, Real) or isinstance(value, bool):
        return False
    try:
        return not isnan(value)
    except OverflowError:  # of an integer that no float holds
        return False


def is_integer(value: Any) -> bool:
    """Tell whether a setting is an integer, Python's or NumPy's; True and False are none."""
    return isinstance(value, Integral) and not isinstance(value, bool)
