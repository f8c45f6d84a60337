"""The published experiments and new ones, each one command: `isoref experiment NAME`.

experiment   what an experiment is
learning     data and training as all experiments share them
rates        learning rates chosen on other seeds
runner       trials in parallel, resumable, the same numbers whatever the parallelism
progress     how many trials are done, and how long the others may take
statistics   means with their errors, paired tests, corrections
report       results, tables and the summary in prose
pages        what the documentation keeps of them
figures      figures that are legible in black and white
pictures     what happens inside a network; `wiring` how its connections are drawn
gallery      the pictures of the documentation

The others are the experiments themselves, with NAME_verdict for what the numbers of NAME say where
that is long; `EXPERIMENTS` names them and what they examine. They are imported when asked for.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

from isoref.experiments.experiment import Experiment

EXPERIMENTS = {
    "timing": "growing or removing a neuron costs little beside an epoch of training",
    "invariance": "growing and removing neurons leaves the function as it is",
    "spectra": "isotropic training separates singular values more than elementwise training",
    "tasks": "hidden spaces grow and shrink as tasks come and go",
    "abundance": "whether it helps to start with more neurons, or fewer, than at the end",
    "comparison": "isotropic tanh is on a par with elementwise tanh",
    "sparsification": "diagonalisation saves parameters without changing the function",
    "certificates": "how far the certified bound is above the measured error along a pruning path",
    "sizes": "accuracy against parameters for compress, sparsify and prune",
    "transport": "what repeated edits cost optimisers whose states can follow, or cannot",
    "saturation": "how saturated networks are at birth, and which initial weights cure it",
}
"""The experiments by name, with the statement or the question that each examines."""


def experiment(name: str) -> Experiment[Any]:
    """Return the experiment of that name.

    Examples
    --------
    >>> experiment("invariance").name
    'invariance'
    >>> experiment("magic")  # doctest: +ELLIPSIS
    Traceback (most recent call last):
        ...
    ValueError: name must be one of timing, invariance, ..., got 'magic'
    """
    if name not in EXPERIMENTS:
        raise ValueError(f"name must be one of {', '.join(EXPERIMENTS)}, got {name!r}")
    found = import_module(f"isoref.experiments.{name}").EXPERIMENT
    assert isinstance(found, Experiment)
    return found
