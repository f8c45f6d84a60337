"""One forward, or forward and backward, of one program: a time in milliseconds on standard output.

matmul   the bare matrix products, those of x̄ included, into buffers made beforehand
torch    an idiomatic PyTorch module with autograd, the input requiring a gradient
isoref   trace and backward of isoref
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np

from tests.benchmarks.alternate import measure


def isoref(widths: list[int], batch: int, backwards: bool) -> Callable[[], object]:
    """Return the action on a random network."""
    from isoref import Network, backward, forward, trace

    net = Network.random(widths, dtype="float32", seed=0)
    x, ybar = _data(widths, batch)
    if not backwards:
        return lambda: forward(net, x)
    return lambda: backward(net, trace(net, x), ybar)


def matmul(widths: list[int], batch: int, backwards: bool) -> Callable[[], object]:
    """Return the action that multiplies the same matrices and does nothing else."""
    rng = np.random.default_rng(0)
    pairs = list(pairwise(widths))
    weights = [rng.standard_normal((m, n), dtype="float32") for n, m in pairs]
    inputs = [rng.standard_normal((batch, n), dtype="float32") for n, _ in pairs]
    bars = [rng.standard_normal((batch, m), dtype="float32") for _, m in pairs]
    outputs = [np.empty_like(bar) for bar in bars]
    input_bars = [np.empty_like(h) for h in inputs]
    weight_bars = [np.empty_like(w) for w in weights]

    def run() -> None:
        for w, h, out in zip(weights, inputs, outputs, strict=True):
            np.matmul(h, w.T, out=out)
        if backwards:
            for w, h, bar, h_bar, w_bar in zip(
                weights, inputs, bars, input_bars, weight_bars, strict=True
            ):
                np.matmul(bar.T, h, out=w_bar)
                np.matmul(bar, w, out=h_bar)

    return run


def torch(widths: list[int], batch: int, backwards: bool) -> Callable[[], object]:
    """Return the action of the module that a PyTorch user would write."""
    import torch as library
    from torch import nn

    class Isotropic(nn.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.linear = nn.ModuleList(nn.Linear(n, m) for n, m in pairwise(widths))

        def forward(self, h: Any) -> Any:
            for layer in self.linear[:-1]:
                a = layer(h)
                r = library.linalg.vector_norm(a, dim=1, keepdim=True)
                h = a * (library.tanh(r) / r)
            return self.linear[-1](h)

    net = Isotropic()
    x, ybar = (library.from_numpy(array) for array in _data(widths, batch))
    if not backwards:

        def run_forward() -> Any:
            with library.no_grad():
                return net(x)

        return run_forward
    x.requires_grad_()

    def run() -> None:
        net.zero_grad()
        x.grad = None
        net(x).backward(ybar)

    return run


def _data(widths: list[int], batch: int) -> tuple[Any, Any]:
    rng = np.random.default_rng(1)
    shapes = ((batch, widths[0]), (batch, widths[-1]))
    x, ybar = (rng.standard_normal(shape, dtype="float32") for shape in shapes)
    return x, ybar


PROGRAMS = {"matmul": matmul, "isoref": isoref, "torch": torch}


def main() -> None:
    """Print the time of one program."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--program", choices=PROGRAMS, required=True)
    parser.add_argument(
        "--widths", type=lambda text: [int(n) for n in text.split(",")], required=True
    )
    parser.add_argument("--batch", type=int, required=True)
    parser.add_argument("--backward", action="store_true")
    options = parser.parse_args()
    print(measure(PROGRAMS[options.program](options.widths, options.batch, options.backward)))


if __name__ == "__main__":
    main()
