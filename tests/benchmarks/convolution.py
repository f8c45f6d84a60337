"""One small convolutional network, forward or both ways: milliseconds on standard output.

torch    an idiomatic PyTorch module with autograd, the input requiring a gradient
isoref   trace and backward of isoref

3 → 32 → 64 channels with kernels of 3 × 3 and padding 1, the average of the whole image, and 10
outputs. ψ is a parameter of both, convolved with the gain map; it is not zero.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np

from tests.benchmarks.alternate import measure

CHANNELS = (3, 32, 64)
OUTPUTS = 10


def isoref(batch: int, extent: int, backwards: bool) -> Callable[[], object]:
    """Return the action of isoref."""
    from isoref import Layer, Network, backward, forward, trace

    rng = np.random.default_rng(0)
    layers = []
    for i, (n, m) in enumerate(pairwise((*CHANNELS, OUTPUTS))):
        last = m == OUTPUTS
        kernel = (1, 1) if last else (3, 3)
        weight = rng.standard_normal((m, n, *kernel), dtype="float32") / np.float32(9 * n) ** 0.5
        psi = rng.standard_normal((m, *kernel), dtype="float32") if i else None
        reading = {"pool": 0} if last else {"padding": 1}
        bias = np.zeros(m, "float32")
        layers.append(Layer(weight, bias, psi, None if last else 0.0, **reading))
    net = Network(layers)
    x, ybar = _data(batch, extent)
    if not backwards:
        return lambda: forward(net, x)
    return lambda: backward(net, trace(net, x), ybar)


def torch(batch: int, extent: int, backwards: bool) -> Callable[[], object]:
    """Return the action of the module that a PyTorch user would write."""
    import torch as library
    from torch import nn
    from torch.nn.functional import conv2d

    class Isotropic(nn.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.first = nn.Conv2d(CHANNELS[0], CHANNELS[1], 3, padding=1)
            self.second = nn.Conv2d(CHANNELS[1], CHANNELS[2], 3, padding=1)
            self.head = nn.Conv2d(CHANNELS[2], OUTPUTS, 1)
            self.psi = nn.Parameter(library.randn(CHANNELS[2], 1, 3, 3))
            self.psi_head = nn.Parameter(library.randn(OUTPUTS, 1, 1, 1))

        def forward(self, x: Any) -> Any:
            h, g = self.activation(self.first(x))
            h, g = self.activation(self.second(h) + conv2d(g, self.psi, padding=1))
            h, g = h.mean((2, 3), keepdim=True), g.mean((2, 3), keepdim=True)
            return self.head(h) + conv2d(g, self.psi_head)

        def activation(self, a: Any) -> tuple[Any, Any]:
            r = library.linalg.vector_norm(a, dim=1, keepdim=True)
            g = library.tanh(r) / r
            return a * g, g

    net = Isotropic()
    x, ybar = (library.from_numpy(array) for array in _data(batch, extent))
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


def _data(batch: int, extent: int) -> tuple[Any, Any]:
    rng = np.random.default_rng(1)
    shapes = ((batch, CHANNELS[0], extent, extent), (batch, OUTPUTS, 1, 1))
    x, ybar = (rng.standard_normal(shape, dtype="float32") for shape in shapes)
    return x, ybar


PROGRAMS = {"isoref": isoref, "torch": torch}


def main() -> None:
    """Print the time of one program."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--program", choices=PROGRAMS, required=True)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--extent", type=int, default=32)
    parser.add_argument("--backward", action="store_true")
    options = parser.parse_args()
    print(measure(PROGRAMS[options.program](options.batch, options.extent, options.backward)))


if __name__ == "__main__":
    main()
