"""Radii that reach every branch of every profile, from the smallest subnormal to the largest."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

SPECIAL = (
    *(2.0**-1074, 2.0**-1026, 2.0**-1025, 2.0**-1024, 2.219e-309, 2.0**-1022, 2.0**-512, 1.77e-103),
    *(
        2.0**-149,
        2.0**-130,
        2.0**-129,
        2.0**-128,
        2.0**-126,
        2.0**-64,
        2.0**-43,
        2.0**-60,
        2.0**-27,
    ),
    *(1e-300, 1e-160, 1e-8, 0.5, 1 / math.sqrt(3), 1.0, 1.5, math.sqrt(3), 2.0, 3.0, 3.5, 13.2),
    *(8.3, 18.7, 19.1, 36.8, 37.5, 38.5, 38.57, 40.0, 44.0, 54.6, 64.0, 87.3, 88.7, 103.97, 104.0),
    *(354.9, 355.0, 372.5, 373.0, 700.0, 708.4, 709.8, 744.44, 745.13, 750.0, 751.6),
    *(2.0**27, 2.0**30, 2.0**53, 2.0**64, 2.0**128, 2.0**341, 2.0**358, 2.0**511, 2.0**512),
    *(1e154, 1.4e154, 1e162, 2.0**537, 2.0**1021, 2.0**1022, 2.0**1023, 1.7976931348623157e308),
)
"""Where a formula changes, or a result becomes subnormal or infinite."""


def radii(dtype: str, count: int, seed: int) -> Any:
    """Return `count` sorted positive radii of `dtype`: special ones, and four kinds at random."""
    limits = np.finfo(dtype)
    least, most = float(limits.smallest_subnormal), float(limits.max)
    special = np.array([s for s in SPECIAL if least <= s < most] + [most], dtype=dtype)
    zero, largest = np.zeros_like(special), np.full_like(special, most)
    below, above = np.nextafter(special, zero), np.nextafter(special, largest)
    fixed = np.unique([special, below, above, np.nextafter(below, zero)])
    fixed = fixed[fixed > 0]
    rng = np.random.default_rng(seed)
    share = (count - fixed.size) // 4
    drawn = [
        np.exp2(rng.uniform(math.log2(least), math.log2(most), count - fixed.size - 3 * share)),
        np.exp2(rng.uniform(-20, 11, share)),
        rng.uniform(0, 40, share),
        rng.uniform(0, 4, share),
    ]
    random = np.clip(np.concatenate(drawn), least, most).astype(dtype)
    return np.sort(np.concatenate([fixed, random]))
