"""One forward of a network as it is, or after sparsify: milliseconds on standard output.

dense    forward of a random network
sparse   forward of the same network in its sparsest gauge

`python -m tests.benchmarks.inference --compare` runs both in turns and prints their ratio.
"""

from __future__ import annotations

import argparse
from statistics import median

import numpy as np

from isoref import Network, forward
from isoref.sparsity import sparsify
from tests.benchmarks.alternate import alternate, measure, ratios

PROGRAMS = ("dense", "sparse")
WIDTHS = "784,1000,1000,1000,1000,1000,1000,10"


def milliseconds(program: str, widths: list[int], batch: int) -> float:
    """Return the median time of one forward, float32."""
    net = Network.random(widths, dtype="float32", seed=0)
    if program == "sparse":
        net, _ = sparsify(net)
    x = np.random.default_rng(1).standard_normal((batch, widths[0]), dtype="float32")
    return measure(lambda: forward(net, x))


def main() -> None:
    """Print the time of one program, or compare both."""
    parser = argparse.ArgumentParser(description=__doc__)
    chosen = parser.add_mutually_exclusive_group(required=True)
    chosen.add_argument("--program", choices=PROGRAMS)
    chosen.add_argument("--compare", action="store_true")
    parser.add_argument("--widths", default=WIDTHS)
    parser.add_argument("--batch", type=int, default=256)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    if options.program:
        widths = [int(n) for n in options.widths.split(",")]
        print(milliseconds(options.program, widths, options.batch))
        return
    arguments = ["--widths", options.widths, "--batch", str(options.batch)]
    found = alternate("tests.benchmarks.inference", PROGRAMS, arguments, options.rounds)
    times = ", ".join(f"{program} {median(found[program]):.3g} ms" for program in PROGRAMS)
    print(f"{times}; dense/sparse {ratios(found, 'dense', 'sparse'):.2f}")


if __name__ == "__main__":
    main()
