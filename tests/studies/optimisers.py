"""Which optimiser that commutes with rotations? Three candidates and two baselines on the digits.

`python -m tests.studies.optimisers` prints the page docs/generated/optimisers.md; with --write it
writes it. The candidates that isoref does not ship are here, in their plainest form.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor
from dataclasses import dataclass
from math import sqrt
from pathlib import Path
from statistics import mean, stdev
from typing import Any

import numpy as np

from isoref import Network, forward
from isoref.data import load_digits, split, standardise
from isoref.training import SGD, AdamW, Cosine, Orthogonalised, accuracy, train
from isoref.training.optimiser import Optimiser
from isoref.training.packed import Packed

NDArray = np.ndarray[Any, Any]

PAGE = Path(__file__).parents[2] / "docs" / "generated" / "optimisers.md"
SHAPES = {"two hidden spaces": (64, 32, 32, 10), "six": (64, *(32,) * 6, 10)}
SEEDS = 8
SHORT, LONG = 3, 20


@dataclass(frozen=True, kw_only=True)
class PerTensor(Optimiser):
    """Adam with one second moment for each array, the mean of its squares; it is kept aside."""

    beta1: float = 0.9
    beta2: float = 0.999

    moments = ("first", "second")
    commutes = True

    def _advance(
        self,
        point: Packed,
        gradient: Packed,
        moments: tuple[Packed, ...],
        steps: int,
        rate: float,
    ) -> None:
        first, second = moments
        for theta, slope, m, v in zip(
            point.entries, gradient.entries, first.entries, second.entries, strict=True
        ):
            for name in theta:
                m[name][...] = self.beta1 * m[name] + (1 - self.beta1) * slope[name]
                square = float(np.mean(slope[name] ** 2))
                v[name][...] = self.beta2 * v[name] + (1 - self.beta2) * square
                size = np.sqrt(v[name] / (1 - self.beta2**steps)) + 1e-8
                theta[name][...] -= rate * m[name] / (1 - self.beta1**steps) / size


@dataclass(frozen=True, kw_only=True)
class Polar(Orthogonalised):
    """`Orthogonalised` with the polar factor, by singular value decomposition."""

    def orthogonal(self, matrix: NDArray) -> NDArray:
        """Return the partial isometry on the singular values that are not zero."""
        u, s, vt = np.linalg.svd(matrix, full_matrices=False)
        kept = s > max(matrix.shape) * np.finfo(matrix.dtype).eps * s[0]
        return np.asarray(u[:, kept] @ vt[kept])


CANDIDATES: dict[str, tuple[type[Optimiser], tuple[float, ...]]] = {
    "SGD with momentum 0.9": (SGD, (0.05, 0.1, 0.2, 0.4)),
    "AdamW, which does not commute": (AdamW, (3e-3, 1e-2, 3e-2, 1e-1)),
    "one second moment a tensor": (PerTensor, (3e-3, 1e-2, 3e-2, 1e-1)),
    "polar factor": (Polar, (0.01, 0.02, 0.05, 0.1)),
    "Newton–Schulz": (Orthogonalised, (0.01, 0.02, 0.05, 0.1)),
}


def measured(candidate: str, rate: float, widths: Sequence[int], epochs: int, seed: int) -> float:
    """Return the held-out accuracy of one training."""
    parts = standardise(split(*load_digits(), seed=seed), "float32")
    net = Network.random(widths, q=0.01, dtype="float32", seed=seed)
    rule = CANDIDATES[candidate][0](rate=rate)
    run = train(
        net,
        parts.x,
        parts.labels,
        optimiser=rule,
        epochs=epochs,
        batch=48,
        seed=seed,
        schedule=Cosine(),
    )
    return accuracy(forward(run.net, parts.held_x), parts.held_labels)


def rows(executor: Executor) -> Iterator[str]:
    """Yield a row of the table for each shape and candidate, at its best rate."""
    for shape, widths in SHAPES.items():
        for candidate, (_, rates) in CANDIDATES.items():
            cells = []
            for epochs in (SHORT, LONG):
                jobs = {
                    rate: [
                        executor.submit(measured, candidate, rate, widths, epochs, seed)
                        for seed in range(SEEDS)
                    ]
                    for rate in rates
                }
                found = {r: [100 * job.result() for job in some] for r, some in jobs.items()}
                best = max(found, key=lambda rate: mean(found[rate]))
                held = found[best]
                cells.append(f"{mean(held):.1f} ± {stdev(held) / sqrt(SEEDS):.1f} ({best:g})")
            yield f"| {shape} | {candidate} | {cells[0]} | {cells[1]} |"


def page() -> str:
    """Return the page with the table."""
    with ProcessPoolExecutor(2) as executor:
        table = "\n".join(rows(executor))
    return f"""# Optimisers that commute with rotations, compared

`python -m tests.studies.optimisers --write` writes this page. Held-out accuracy on the digits in
per cent, mean and standard error over {SEEDS} seeds of split, network and order, float32, batch
48, a cosine schedule, after {SHORT} and after {LONG} epochs. Each cell is at its best of four
rates, which stands in brackets; every candidate gets the same number of tries.

| network | optimiser | {SHORT} epochs | {LONG} epochs |
|---|---|---|---|
{table}

The last three commute with rotations. isoref ships `Orthogonalised`, by Newton–Schulz: it is as
good as the polar factor, which costs a singular value decomposition and jumps where a singular
value reaches zero; and its state is a momentum alone, which every edit carries along exactly. One
second moment a tensor sums over all neurons: the share of a dropped neuron cannot be taken out of
it, so that it has no exact law for `drop`; and, as a mean, it changes with the width.
"""


def main() -> None:
    """Print the page, or write it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--write", action="store_true")
    text = page()
    if parser.parse_args().write:
        PAGE.write_text(text)
    else:
        print(text)


if __name__ == "__main__":
    main()
