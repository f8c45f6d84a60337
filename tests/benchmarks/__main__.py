"""All benchmarks, as a table of ratios: `python -m tests.benchmarks [--rounds N]`."""

from __future__ import annotations

import argparse
import subprocess
import sys
from importlib.util import find_spec
from statistics import median

from tests.benchmarks.alternate import alternate, ratios

SIZES = (("3072,500,500,10", 256), ("3072,100,100,10", 48), ("64,32,32,10", 48))


def main() -> None:
    """Run everything and print one table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    rounds = parser.parse_args().rounds
    programs = ["matmul", "isoref"] + (["torch"] if find_spec("torch") else [])
    print("| float32 | matrix products, ms | isoref, ms | ratio | PyTorch, ms | isoref/PyTorch |")
    print("|---|---|---|---|---|---|")
    for widths, batch in SIZES:
        for extra in ([], ["--backward"]):
            arguments = ["--widths", widths, "--batch", str(batch), *extra]
            found = alternate("tests.benchmarks.propagation", programs, arguments, rounds)
            name = "forward+backward" if extra else "forward"
            cells = [f"{name} {widths.replace(',', '–')}, B {batch}"]
            cells += [f"{median(found['matmul']):.3g}", f"{median(found['isoref']):.3g}"]
            cells += [f"{ratios(found, 'isoref', 'matmul'):.2f}"]
            if "torch" in found:
                cells += [
                    f"{median(found['torch']):.3g}",
                    f"{ratios(found, 'isoref', 'torch'):.2f}",
                ]
            else:
                cells += ["not installed", ""]
            print(f"| {' | '.join(cells)} |", flush=True)
    print(f"\nImport of isoref beyond NumPy's: {import_time(rounds):.0f} ms")


def import_time(rounds: int) -> float:
    """Return the median over rounds of the time to import isoref after NumPy, in milliseconds."""
    program = (
        "import numpy, time; t = time.perf_counter(); import isoref; "
        "print(1e3 * (time.perf_counter() - t))"
    )
    return median(
        float(
            subprocess.run(
                [sys.executable, "-c", program], check=True, capture_output=True, text=True
            ).stdout
        )
        for _ in range(rounds)
    )


if __name__ == "__main__":
    main()
