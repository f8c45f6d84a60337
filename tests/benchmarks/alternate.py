"""Run programs in turns, each in a process of its own, and compare their medians.

Two numerical libraries in one process slow each other, and a machine's speed drifts: so every round
runs every program once, in a fresh process, and a ratio is taken within the round.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Sequence
from statistics import median
from time import perf_counter


def measure(action: Callable[[], object], seconds: float = 1.0, calls: int = 5) -> float:
    """Return the median time of one call in milliseconds over `seconds`, or `calls` if longer.

    A warm-up comes first: three calls, or one where a single call is asked for.
    """
    for _ in range(min(3, calls)):
        action()
    times: list[float] = []
    end = perf_counter() + seconds
    while perf_counter() < end or len(times) < calls:
        start = perf_counter()
        action()
        times.append(perf_counter() - start)
    return 1e3 * median(times)


def alternate(
    module: str, programs: Sequence[str], arguments: Sequence[str], rounds: int
) -> dict[str, list[float]]:
    """Return the milliseconds of each program in each round: the output of `python -m module`."""
    found: dict[str, list[float]] = {program: [] for program in programs}
    for _ in range(rounds):
        for program in programs:
            command = [sys.executable, "-m", module, "--program", program, *arguments]
            done = subprocess.run(command, check=True, capture_output=True, text=True)
            found[program].append(float(done.stdout))
    return found


def ratios(found: dict[str, list[float]], program: str, baseline: str) -> float:
    """Return the median over rounds of time(program)/time(baseline)."""
    return median(a / b for a, b in zip(found[program], found[baseline], strict=True))
