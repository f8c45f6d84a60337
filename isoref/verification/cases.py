"""The networks that are checked: random ones of varied shape, and one trained on the digits."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import cycle, pairwise
from math import sqrt
from typing import Any

import numpy as np

from isoref.layer import Layer
from isoref.network import Network, Tangent
from isoref.profiles import named
from isoref.verification.definition import GAIN

NDArray = np.ndarray[Any, Any]

SHAPES = (
    (3, 6, 2),  # wider than its fan-in
    (6, 3, 2),
    (2, 1, 2),  # width 1
    (1, 3, 1),
    (4, 7, 5, 3),
    (3, 4, 6, 4, 2),
    (4, 3, 3, 3, 3, 2),
    (3, 5, 4, 3, 4, 5, 2),
    (3, 4, 3, 4, 3, 4, 3, 2),  # six hidden spaces
)


@dataclass(frozen=True)
class Case:
    """A network with inputs, a cotangent and velocities, and a text that tells which it is."""

    text: str
    net: Network
    x: NDArray
    ybar: NDArray
    net_dot: Tangent
    x_dot: NDArray


def random_cases(dtype: str, seed: int) -> Iterator[Case]:
    """Yield every profile with q = 0 and with q > 0 on three shapes each, ψ and b not zero."""
    shapes = cycle(SHAPES)
    rng = np.random.default_rng(seed)
    for name in GAIN:
        for q in (0.0, 0.7):
            for _ in range(3):
                yield case(network(next(shapes), name, q, dtype, rng), 4, rng)


def network(
    widths: tuple[int, ...], profile: str, q: float, dtype: str, rng: np.random.Generator
) -> Network:
    """Return a network with normal entries, b and ψ included, whose radii are of order one."""
    last = len(widths) - 2

    def normal(*shape: int) -> NDArray:
        return (rng.standard_normal(shape) / sqrt(shape[-1])).astype(dtype)

    layers = [
        Layer(
            normal(rows, columns),
            normal(rows, 1)[:, 0],
            normal(rows, 1)[:, 0] if i > 0 else None,
            q * float(rng.uniform(0.5, 1.5)) if i < last else None,
        )
        for i, (columns, rows) in enumerate(pairwise(widths))
    ]
    return Network(layers, named(profile))


def case(net: Network, batch: int, rng: np.random.Generator, x: NDArray | None = None) -> Case:
    """Return `net` with random inputs (or `x`), cotangents and velocities."""
    dtype = str(net.reference.dtype)
    widths = net.widths
    inputs = rng.standard_normal((batch, widths[0])).astype(dtype) if x is None else x
    q = 0.0 if net.layers[0].q is None else float(net.layers[0].q)
    return Case(
        text=f"{net.profile.name} {'-'.join(map(str, widths))} q={q:.2g} {dtype}",
        net=net,
        x=inputs,
        ybar=rng.standard_normal((len(inputs), widths[-1])).astype(dtype),
        net_dot=Tangent.random(net, seed=rng),
        x_dot=rng.standard_normal(inputs.shape).astype(dtype),
    )
