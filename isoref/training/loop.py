"""The training loop: mini-batches from a seed, one optimiser step each."""

from __future__ import annotations

import numpy as np

from isoref import arrays
from isoref.arrays import Array
from isoref.network import Network
from isoref.propagation import backward, trace
from isoref.training.losses import cross_entropy
from isoref.training.optimisers import Momentum


def train(
    net: Network,
    x: Array,
    labels: Array,
    *,
    optimiser: Momentum,
    epochs: int,
    batch: int,
    seed: int,
) -> Network:
    """Return `net` after `epochs` passes over (x, labels) in mini-batches of `batch` samples.

    The order of the samples is drawn anew for each epoch from `seed` alone: the same arguments on
    the same library and thread count give the same bytes.

    Raises
    ------
    ValueError
        When there are no samples, `epochs` or `batch` is not positive, a label is out of range,
        or the parameters stop being finite.

    Examples
    --------
    >>> from isoref.data import load_digits, split, standardise
    >>> parts = standardise(split(*load_digits(), seed=0))
    >>> net = Network.random((64, 16, 10), seed=0)
    >>> descent = Momentum(rate=0.1)
    >>> train(net, parts.x, parts.labels, optimiser=descent, epochs=1, batch=64, seed=0).widths
    (64, 16, 10)
    """
    if len(labels) == 0 or len(labels) != x.shape[0]:
        raise ValueError(
            f"x and labels must have the same number of samples, one or more, "
            f"got {x.shape[0]} and {len(labels)}"
        )
    if epochs < 1 or batch < 1:
        raise ValueError(f"epochs and batch must be positive, got {epochs} and {batch}")
    state = optimiser.start(net)
    rng = np.random.default_rng(seed)
    for _ in range(epochs):
        order = rng.permutation(len(labels))
        for first in range(0, len(order), batch):
            chosen = order[first : first + batch]
            run = trace(net, arrays.take(x, chosen))
            _, ybar = cross_entropy(run.y, labels[chosen])
            gradient, _ = backward(net, run, ybar)
            net, state = optimiser.step(net, state, gradient)
    return net
