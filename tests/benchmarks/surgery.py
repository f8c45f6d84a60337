"""Removing and growing neurons of one layer: a time in milliseconds on standard output.

original   the public procedure in PyTorch: for each neuron full singular value decompositions,
           two to remove and one to grow, and the product of Σ, in full, with the full Vᵀ
single     the same with one decomposition for each neuron that is removed
isoref     grow, or prune for a radius: one factorisation for all neurons
certified  prune on 64 inputs, with every part of its certificate evaluated
"""

from __future__ import annotations

import argparse
from collections.abc import Callable

import numpy as np

from tests.benchmarks.alternate import measure


def original(rows: int, columns: int, count: int, growing: bool) -> Callable[[], object]:
    """Return the action of the public procedure."""
    return _published(rows, columns, count, growing, 1 if growing else 2)


def single(rows: int, columns: int, count: int, growing: bool) -> Callable[[], object]:
    """Return the action of the public procedure without its second decomposition."""
    return _published(rows, columns, count, growing, 1)


def _published(
    rows: int, columns: int, count: int, growing: bool, decompositions: int
) -> Callable[[], object]:
    import torch

    generator = torch.Generator().manual_seed(0)
    w = torch.randn(rows, columns, generator=generator)
    b, w_next = torch.randn(rows, generator=generator), torch.randn(10, rows, generator=generator)

    def run() -> None:
        weight, bias, after = w, b, w_next
        for _ in range(count):
            for _ in range(decompositions):
                u, s, vt = torch.linalg.svd(weight, full_matrices=True)
            sigma = torch.zeros_like(weight)
            sigma[: len(s), : len(s)] = torch.diag(s)
            bias, after = u.T @ bias, after @ u
            if growing:
                weight = torch.cat([sigma, torch.zeros(1, columns)]) @ vt
                bias = torch.cat([bias, torch.zeros(1)])
                after = torch.cat([after, 1e-2 * torch.randn(10, 1)], 1)
            else:
                weight, bias, after = sigma[:-1] @ vt, bias[:-1], after[:, :-1]

    return run


def isoref(rows: int, columns: int, count: int, growing: bool) -> Callable[[], object]:
    """Return the action of isoref."""
    from isoref.network import Network
    from isoref.pruning import prune
    from isoref.topology import grow

    net = Network.random((columns, rows, 10), init="he_normal", dtype="float32", seed=0)
    if growing:
        return lambda: grow(net, 1, count, seed=0)

    return lambda: prune(net, 1, count=count, radius=1.0)


def certified(rows: int, columns: int, count: int, growing: bool) -> Callable[[], object]:
    """Return the action of prune with inputs."""
    from isoref.network import Network
    from isoref.pruning import prune

    if growing:
        return isoref(rows, columns, count, growing)
    net = Network.random((columns, rows, 10), init="he_normal", dtype="float32", seed=0)
    x = np.random.default_rng(0).standard_normal((64, columns), dtype="float32")
    return lambda: prune(net, 1, count=count, inputs=x)[1].bound


PROGRAMS = {"original": original, "single": single, "isoref": isoref, "certified": certified}


def main() -> None:
    """Print the time of one program."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--program", choices=PROGRAMS, required=True)
    parser.add_argument(
        "--shape", type=lambda text: [int(n) for n in text.split("x")], required=True
    )
    parser.add_argument("--count", type=int, required=True)
    parser.add_argument("--grow", action="store_true")
    options = parser.parse_args()
    rows, columns = options.shape
    action = PROGRAMS[options.program](rows, columns, options.count, options.grow)
    print(measure(action, calls=1 if options.program in ("original", "single") else 5))


if __name__ == "__main__":
    main()
