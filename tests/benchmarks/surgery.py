"""Removing and growing neurons of one layer: a time in milliseconds on standard output.

original   one full singular value decomposition per neuron in PyTorch, and the rotation of the
           layer and its successor by it, as the published procedure does
isoref     grow, or diagonalise and drop: one factorisation for all neurons
certified  prune on 64 inputs: the same with the certificate and its rounding bound
"""

from __future__ import annotations

import argparse
from collections.abc import Callable

import numpy as np

from tests.benchmarks.alternate import measure


def original(rows: int, columns: int, count: int, growing: bool) -> Callable[[], object]:
    """Return the action of the published procedure, one decomposition for each neuron."""
    import torch

    generator = torch.Generator().manual_seed(0)
    w = torch.randn(rows, columns, generator=generator)
    b, w_next = torch.randn(rows, generator=generator), torch.randn(10, rows, generator=generator)

    def run() -> None:
        weight, bias, after = w, b, w_next
        for _ in range(count):
            u, s, vt = torch.linalg.svd(weight, full_matrices=True)
            k = len(s)
            weight = torch.zeros_like(weight)
            weight[:k] = s[:, None] * vt[:k]
            bias, after = u.T @ bias, after @ u
            if growing:
                weight = torch.cat([weight, torch.zeros(1, columns)])
                bias, after = (
                    torch.cat([bias, torch.zeros(1)]),
                    torch.cat([after, 1e-2 * torch.randn(10, 1)], 1),
                )
            else:
                weight, bias, after = weight[:-1], bias[:-1], after[:, :-1]

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


PROGRAMS = {"original": original, "isoref": isoref, "certified": certified}


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
    print(measure(action, calls=1 if options.program == "original" else 5))


if __name__ == "__main__":
    main()
