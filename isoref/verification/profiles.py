"""The radial functions against a frozen table of values that were computed with 50 digits."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.resources import files
from typing import Any

import numpy as np

from isoref.arrays import PRECISIONS
from isoref.profiles import named
from isoref.tolerance import Worst
from isoref.verification.check import Check, worst_of

NDArray = np.ndarray[Any, Any]

LIMITS = {"sigma": 4, "sigma_prime": 4, "gamma": 4, "delta": 6, "gamma_prime": 6, "kappa": 6}
"""Units in the last place allowed in float64; in float32 it is 1 throughout."""


def checks() -> Iterator[Check]:
    """Yield one check per quantity and precision over all profiles and radii of the table.

    Errors are in units in the last place of the true value. float32 is judged at the radii that
    float32 can represent.
    """
    with (
        files("isoref.verification").joinpath("profile_table.npz").open("rb") as file,
        np.load(file, allow_pickle=False) as stored,
    ):
        table = {name: stored[name] for name in stored.files}
    names = [key.removesuffix(".sigma.hi") for key in table if key.endswith(".sigma.hi")]
    for dtype in PRECISIONS:
        with np.errstate(over="ignore", under="ignore"):
            chosen = table["radii"].astype(dtype) == table["radii"]
        r = table["radii"][chosen].astype(dtype)
        for quantity, allowed in LIMITS.items():
            limit = float(allowed if dtype == "float64" else 1)
            found: list[tuple[str, Worst | None]] = []
            for name in names:
                got = getattr(named(name), quantity)(r)
                hi, lo = (table[f"{name}.{quantity}.{part}"][chosen] for part in ("hi", "lo"))
                for radius, error in zip(r, _ulps(got, hi, lo), strict=True):
                    worst = Worst(float(error) / limit, float(error), limit, "")
                    found.append((f"{name} r={radius!r}", worst))
            law = f"{quantity} within {limit:g} ulp of its value to 50 digits"
            yield worst_of(f"profiles.{quantity}.{dtype}", law, found)


def _ulps(got: NDArray, hi: NDArray, lo: NDArray) -> NDArray:
    """Return |got − (hi + lo)| in units in the last place that hi has in the dtype of `got`."""
    limits = np.finfo(got.dtype)
    with np.errstate(all="ignore"):
        nearest = hi.astype(got.dtype)
        _, exponent = np.frexp(np.where(np.isfinite(nearest), nearest, 1).astype(np.float64))
        unit = np.ldexp(1.0, np.maximum(exponent - 1, limits.minexp) - limits.nmant)
        error = np.abs((got.astype(np.float64) - hi) - lo) / unit
    return np.where(np.isfinite(nearest), error, np.where(got == nearest, 0.0, np.inf))
