"""The table of profile values that `isoref verify` carries along.

    python -m tests.oracles.profile_table            write isoref/verification/profile_table.npz
    python -m tests.oracles.profile_table --check    compare it with what would be written

The arrays are `radii` and, for each profile and quantity, `tanh.sigma.hi` and `tanh.sigma.lo`: the
double nearest to the true value, and the true value less that (0 where it is below 2^-1074).
"""

from __future__ import annotations

import argparse
import math
from pathlib import Path
from typing import Any

import numpy as np

from tests.oracles.profiles import PAIRS, QUANTITIES, expected, ulp

PATH = Path(__file__).parents[2] / "isoref" / "verification" / "profile_table.npz"

BRANCHES = (0.5, 1.0, 1.5, 3.0, 3.5, 700.0, 2.0**30)
"""Where a formula changes, or relu(tau=0.5) has its kink; the neighbours are in the table too."""

RADII = sorted(
    {0.0, 2.0**-1074, 2.0**-1060, 2.0**-1025, 2.0**-1022, 2.0**-512, 2.0**-43}
    | {float(f"1e{k}") for k in (-300, -250, -200, -160, -103, -50, -20, -12, -8, -4, -3, -2, -1)}
    | {0.25, 0.75, 1.25, 2.0, 5.0, 8.3, 12.0, 19.0625, 30.0, 38.5, 64.0, 355.0, 709.8, 745.1}
    | {float(f"1e{k}") for k in (3, 5, 15, 30, 77, 103, 154, 162, 200, 300, 307)}
    | {1.7976931348623157e308, *BRANCHES}
    | {math.nextafter(radius, side) for radius in BRANCHES for side in (0.0, math.inf)}
)


def table() -> dict[str, Any]:
    """Return the arrays of the table by name."""
    arrays = {"radii": np.array(RADII)}
    for name in PAIRS:
        hi, rest = expected(name, RADII)
        lo = rest * ulp(np.where(np.isinf(hi), 0.0, hi))
        for quantity, nearest, remainder in zip(QUANTITIES, hi, lo, strict=True):
            arrays[f"{name}.{quantity}.hi"] = nearest
            arrays[f"{name}.{quantity}.lo"] = remainder
    return arrays


def stale() -> list[str]:
    """Return the names of the arrays in which the file differs from `table()`."""
    fresh = table()
    with np.load(PATH, allow_pickle=False) as stored:
        names = sorted(fresh.keys() | set(stored.files))
        return [
            name
            for name in names
            if not (name in fresh and name in stored and np.array_equal(fresh[name], stored[name]))
        ]


def main() -> int:
    """Write the table, or with --check return 1 if it is stale."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true")
    if not parser.parse_args().check:
        np.savez_compressed(PATH, **table())
        return 0
    different = stale()
    print(f"stale: {', '.join(different)}" if different else "up to date")
    return 1 if different else 0


if __name__ == "__main__":
    raise SystemExit(main())
