"""The worst error in ulp of every profile and quantity, on this machine.

python -m tests.oracles.profile_accuracy [--count N] [--seed S] [--library numpy|torch]
"""

from __future__ import annotations

import argparse
import importlib
from functools import cache
from typing import Any

import numpy as np

from isoref.arrays import to_numpy
from isoref.profiles import named
from tests.oracles.profiles import PAIRS, QUANTITIES, expected, ulps
from tests.oracles.radii import radii

ALLOWED = {
    "float64": {"sigma": 4, "sigma_prime": 4, "gamma": 4, "delta": 6, "gamma_prime": 6, "kappa": 6},
    "float32": dict.fromkeys(QUANTITIES, 1),
}
"""The documented accuracy, in ulp."""


@cache
def reference(name: str, dtype: str, count: int, seed: int) -> tuple[Any, Any, Any]:
    """Return (radii, hi, rest), read-only: see `expected`."""
    r = radii(dtype, count, seed)
    arrays = (r, *expected(name, r))
    for array in arrays:
        array.flags.writeable = False
    return arrays


def worst(name: str, dtype: str, count: int, seed: int, library: str = "numpy") -> dict[str, float]:
    """Return the largest error in ulp of each quantity."""
    r, hi, rest = reference(name, dtype, count, seed)
    argument = r if library == "numpy" else importlib.import_module(library).asarray(r.copy())
    profile = named(name)
    got = (to_numpy(getattr(profile, quantity)(argument)) for quantity in QUANTITIES)
    errors = (float(ulps(*values).max()) for values in zip(got, hi, rest, strict=True))
    return dict(zip(QUANTITIES, errors, strict=True))


def main() -> int:
    """Print the table; return 0 if every error is allowed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--library", default="numpy")
    options = parser.parse_args()
    holds = True
    print(f"{'':20}", *(f"{quantity:>11}" for quantity in QUANTITIES))
    for dtype, allowed in ALLOWED.items():
        for name in PAIRS:
            errors = worst(name, dtype, options.count, options.seed, options.library)
            holds &= all(errors[quantity] <= allowed[quantity] for quantity in QUANTITIES)
            print(f"{name:13}{dtype:>7}", *(f"{errors[quantity]:11.2f}" for quantity in QUANTITIES))
    print("SIMD found by NumPy:", np.show_config(mode="dicts")["SIMD Extensions"].get("found", []))
    return 0 if holds else 1


if __name__ == "__main__":
    raise SystemExit(main())
