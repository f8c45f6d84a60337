"""Callbacks of `train`: what to record of the network after each epoch."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from isoref.structure import dense
from isoref.training import metrics
from isoref.training.kinds import module_of
from isoref.training.losses import accuracy
from isoref.training.run import Run

NDArray = np.ndarray[Any, Any]


def evaluated(x: NDArray, labels: NDArray) -> Callable[[Run[Any]], dict[str, Any]]:
    """Return a callback that records the accuracy on (x, labels), for example held-out samples.

    Examples
    --------
    >>> from isoref import Network
    >>> from isoref.training import SGD, train
    >>> x, labels = np.eye(2), np.array([0, 1])
    >>> run = train(
    ...     Network.random((2, 3, 2), seed=0), x, labels, optimiser=SGD(rate=0.5), epochs=20,
    ...     batch=2, seed=0, callbacks=(evaluated(x, labels),),
    ... )
    >>> run.history[-1]["accuracy"]
    1.0
    """

    def callback(run: Run[Any]) -> dict[str, Any]:
        return {"accuracy": accuracy(module_of(run.net).forward(run.net, x), labels)}

    return callback


def observed(run: Run[Any]) -> dict[str, Any]:
    """Return what the layers look like: spectra and their summaries, dead and scaffold neurons.

    A callback as it is: the records of a run then hold the spectra over time.

    Examples
    --------
    >>> from isoref import Network
    >>> from isoref.training import SGD
    >>> net = Network.random((2, 3, 2), seed=0)
    >>> sorted(observed(Run(net, SGD(rate=0.1).start(net))))
    ['dead', 'effective rank', 'participation ratio', 'scaffolds', 'spectra', 'spectrum sum']
    """
    weights = [dense(layer.weight) for layer in run.net.layers]
    return {
        "spectra": metrics.spectra(run.net),
        "spectrum sum": metrics.spectrum_sum(run.net),
        "effective rank": [metrics.effective_rank(weight) for weight in weights],
        "participation ratio": [metrics.participation_ratio(weight) for weight in weights],
        "dead": metrics.dead(run.net),
        "scaffolds": metrics.scaffolds(run.net),
    }
