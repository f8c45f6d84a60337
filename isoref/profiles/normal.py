"""The normal density φ and distribution Φ for r ≥ 0; the array libraries share no erf."""

from __future__ import annotations

import math
from typing import Any

from isoref.arrays import Array
from isoref.profiles.series import NORMAL_REACH, normal_fraction, normal_series

_PEAK = 1 / math.sqrt(2 * math.pi)
_GRID = 1024.0
_VANISHED = 64.0
"""e^{−r²/4} is 0 from here on."""


def density_factors(xp: Any, r: Array) -> tuple[Array, Array]:
    """Return (a, b) with φ(r) = a·b·b.

    e^{−r²/2} with r = h + l, h a multiple of 1/1024: h² is exact, the rest of r² is small, and
    b = e^{−h²/4}. What φ is multiplied or divided by goes before the second b, which alone may make
    the product subnormal.
    """
    near = xp.clip(r, max=_VANISHED)
    h = xp.floor(_GRID * near) / _GRID
    return _PEAK * xp.exp(-0.5 * (near - h) * (near + h)), xp.exp(-0.25 * h * h)


def distribution(xp: Any, r: Array) -> Array:
    """Return Φ(r): ½ + φ(r) Σ r^{2k+1}/(2k+1)!! up to NORMAL_REACH, then 1 − φ(r)/(r + 1/(r + …)).

    The rounded r² goes into both e^{−r²/2} and the series: each is steep, their product is flat.
    """
    near = xp.clip(r, max=NORMAL_REACH)
    square = near * near
    below = 0.5 + _PEAK * near * (xp.exp(-0.5 * square) * normal_series(square))
    far = xp.clip(r, min=NORMAL_REACH)
    a, b = density_factors(xp, far)
    above = 1.0 - a * b * b / normal_fraction(far)
    return xp.where(r < NORMAL_REACH, below, above)
