"""The problems of the tolerance study: networks, batches, cotangents and velocities from a seed."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import cycle
from math import sqrt
from typing import Any, NamedTuple

import numpy as np

from isoref import Network, Tangent, tree_map
from isoref.initial import WEIGHTS

Array = np.ndarray[Any, Any]

PROFILES = (
    *("tanh", "atan", "log1p", "softsign", "squash"),
    *("silu", "gelu", "relu(tau=0.5)", "identity", "unit"),
)
SIGNS = ("mixed", "positive inputs", "all positive")


class Problem(NamedTuple):
    """What an implementation is asked to evaluate, in one dtype."""

    net: Network
    x: Array
    ybar: Array
    velocity: tuple[Tangent, Array]


@dataclass(frozen=True)
class Case:
    """A seeded problem; `width` and `depth` say where it is reported."""

    widths: tuple[int, ...]
    profile: str = "tanh"
    q: float = 0.0
    init: str = "he_normal"
    signs: str = "mixed"
    radius: float = 1.0
    batch: int = 3
    seed: int = 0

    @property
    def width(self) -> int:
        return max(self.widths)

    @property
    def depth(self) -> int:
        return len(self.widths) - 2

    def problem(self, dtype: str) -> Problem:
        """Return the problem; biases and ψ have lengths near 1, inputs near `radius`."""
        rng = np.random.default_rng(self.seed)
        net = Network.random(
            self.widths, profile=self.profile, init=self.init, q=self.q, dtype=dtype, seed=rng
        )

        def shifted(array: Array, spaces: tuple[int, ...]) -> Array:
            if len(spaces) == 1:  # a bias or ψ, both 0 so far
                array = rng.standard_normal(array.shape) / sqrt(array.size) + array
            return (np.abs(array) if self.signs == "all positive" else array).astype(dtype)

        x = rng.standard_normal((self.batch, self.widths[0])) / sqrt(self.widths[0])
        x = self.radius * (x if self.signs == "mixed" else np.abs(x))
        ybar = rng.standard_normal((self.batch, self.widths[-1]))
        x_dot = rng.standard_normal(x.shape)
        return Problem(
            tree_map(shifted, net),
            x.astype(dtype),
            ybar.astype(dtype),
            (Tangent.random(net, seed=rng), x_dot.astype(dtype)),
        )


def _cases() -> list[Case]:
    shapes = [(n,) * (depth + 1) + (min(n, 10),) for n in (3, 8, 32) for depth in (1, 2, 4, 8)]
    shapes += [(100,) * (depth + 1) + (10,) for depth in (1, 3, 6)]
    shapes = [shape for shape in shapes for _ in PROFILES]
    shapes += [(n,) * (depth + 1) + (7,) for n in (12, 48) for depth in (3, 5, 6, 7)] * 2
    shapes += [(300, 300, 300, 10), (784, 100, 60, 10), (300, 200, 100, 50, 10), (784, 300, 10)] * 3
    shapes += [(3072, 64, 10), (12, 3072, 24, 4), (3072, 16, 3072, 16, 3072, 5)] * 2
    shapes += [(3072, 100, 100, 100, 100, 10), (16, 3072, 16, 3072, 8, 8, 8, 8, 8, 4)]
    rng = np.random.default_rng(0)
    return [
        Case(
            shape,
            profile,
            q=float(rng.choice((0.0, 0.0, 0.01, 0.5, 2.0))),
            init=str(rng.choice(list(WEIGHTS))),
            signs=str(rng.choice(("mixed", *SIGNS))),
            radius=float(rng.choice((1.0, 4.0, 30.0))),
            seed=seed,
        )
        for seed, (shape, profile) in enumerate(zip(shapes, cycle(PROFILES), strict=False))
    ]


CASES = _cases()
