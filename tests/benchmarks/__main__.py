"""All benchmarks, as a table of ratios: `python -m tests.benchmarks [--rounds N]`."""

from __future__ import annotations

import argparse
import subprocess
import sys
from importlib.util import find_spec
from shutil import which
from statistics import median

from tests.benchmarks.alternate import alternate, ratios

SHAPES, COUNTS = ("100x3072", "100x100", "500x500", "500x3072"), (1, 10, 75)
SIZES = (("3072,500,500,10", 256), ("3072,100,100,10", 48), ("64,32,32,10", 48))
TRAINED = ("3072,100,100,10", "3072,500,500,10", "64,32,32,10")


def main() -> None:
    """Run everything and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--only", choices=SECTIONS)
    options = parser.parse_args()
    for name, section in SECTIONS.items():
        if options.only in (None, name):
            section(options.rounds)


def propagation(rounds: int) -> None:
    """Print forward and backward against the matrix products and PyTorch, and the import."""
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
    print(f"\nImport of isoref beyond NumPy's: {import_time(rounds):.0f} ms\n")


def training(rounds: int) -> None:
    """Print a training step against the matrix products and PyTorch, plain, fast and compiled."""
    programs = ["isoref", "matmul"]
    if find_spec("torch"):
        programs = ["original", "torch"] + (["compiled"] if which("c++") else []) + programs
    compared = programs[:-2]
    cells = [f"{name}, ms" for name in programs] + [f"{name}/isoref" for name in compared]
    print(f"| float32, training step | {' | '.join(cells)} |")
    print("|---" * (len(cells) + 1) + "|")
    for widths in TRAINED:
        for batch in (48, 256):
            arguments = ["--widths", widths, "--batch", str(batch)]
            found = alternate("tests.benchmarks.training", programs, arguments, rounds)
            cells = [f"{widths.replace(',', '–')}, B {batch}"]
            cells += [f"{median(found[name]):.3g}" for name in programs]
            cells += [f"{1 / ratios(found, 'isoref', name):.2f}" for name in compared]
            print(f"| {' | '.join(cells)} |", flush=True)
    print()


def convolution(rounds: int) -> None:
    """Print forward and backward of a small convolutional network against PyTorch."""
    programs = ["isoref"] + (["torch"] if find_spec("torch") else [])
    print("| float32, 64 images 32×32, 3–32–64–10 | isoref, ms | PyTorch, ms | isoref/PyTorch |")
    print("|---|---|---|---|")
    for extra in ([], ["--backward"]):
        found = alternate("tests.benchmarks.convolution", programs, extra, rounds)
        cells = ["forward+backward" if extra else "forward", f"{median(found['isoref']):.3g}"]
        if "torch" in found:
            cells += [f"{median(found['torch']):.3g}", f"{ratios(found, 'isoref', 'torch'):.2f}"]
        else:
            cells += ["not installed", ""]
        print(f"| {' | '.join(cells)} |", flush=True)
    print()


def surgery(rounds: int) -> None:
    """Print growing and removing against the public procedure; it takes minutes a round."""
    if not find_spec("torch"):
        print("Surgery is compared with a procedure in PyTorch, which is not installed.")
        return
    print("| float32, ms | original | one SVD a neuron | isoref | original/isoref | one/isoref |")
    print("|---|---|---|---|---|---|")
    for shape in SHAPES:
        for count in COUNTS:
            for extra in ([], ["--grow"]):
                arguments = ["--shape", shape, "--count", str(count), *extra]
                programs = ["original", "isoref"] + ([] if extra else ["single"])
                found = alternate("tests.benchmarks.surgery", programs, arguments, rounds)
                one = "single" if "single" in found else "original"
                cells = [f"{'grow' if extra else 'remove'} {count} at {shape.replace('x', '×')}"]
                cells += [f"{median(found[name]):.3g}" for name in ("original", one, "isoref")]
                cells += [f"{1 / ratios(found, 'isoref', name):.3g}" for name in ("original", one)]
                print(f"| {' | '.join(cells)} |", flush=True)


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


SECTIONS = {
    "propagation": propagation,
    "convolution": convolution,
    "training": training,
    "surgery": surgery,
}

if __name__ == "__main__":
    main()
