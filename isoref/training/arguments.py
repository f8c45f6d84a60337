"""What `train` is given: every argument is looked at before anything is computed or written."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import isfinite
from typing import Any

import numpy as np

from isoref.control import Elementwise
from isoref.network import Network
from isoref.propagation import check_batch
from isoref.training.checkpoints import Checkpoints
from isoref.training.events import Rule
from isoref.training.optimiser import Optimiser
from isoref.training.run import Run
from isoref.training.settings import is_integer, is_number
from isoref.training.state import State, TransportError

NDArray = np.ndarray[Any, Any]


def started(start: Any, optimiser: Any) -> Run[Any]:
    """Return where to begin: `start`, or a run of no steps with the network `start`."""
    if not isinstance(optimiser, Optimiser):
        raise TypeError(f"optimiser must be an Optimiser, such as SGD(rate=0.1), got {optimiser!r}")
    net = start.net if isinstance(start, Run) else start
    if not isinstance(net, Network | Elementwise):
        raise TypeError(
            f"start must be a Network, an Elementwise or a Run, got {type(net).__name__}"
        )
    if not isinstance(net.reference, np.ndarray):
        raise TypeError(
            f"start must hold NumPy arrays, got {type(net.reference).__name__}; convert the "
            "network, train it, and convert the result back"
        )
    run = start if isinstance(start, Run) else Run(net, optimiser.start(net))
    if not isinstance(run.state, State):
        raise TypeError(
            f"start.state must be a State, got {type(run.state).__name__}; begin with "
            "optimiser.start(net)"
        )
    return run


def check_data(run: Run[Any], x: Any, labels: Any, batch: int) -> None:
    """Raise unless (x, labels) are samples for the network, and the run stands in their epoch."""
    for name, array in (("x", x), ("labels", labels)):
        if not isinstance(array, np.ndarray):
            raise TypeError(
                f"{name} must be a NumPy array, got {type(array).__name__}; numpy.asarray makes one"
            )
    if labels.ndim == 0 or len(labels) == 0 or len(labels) != len(x):
        raise ValueError(
            "x and labels must have the same number of samples, one or more, "
            f"got shapes {x.shape} and {labels.shape}"
        )
    check_batch("x", x, run.net, run.net.widths[0])
    steps = -(-len(x) // batch)
    if run.within >= steps:
        raise ValueError(
            f"start stands at step {run.within} of its epoch, which has {steps} with these samples "
            "and this batch; go on with those it had, or begin an epoch: "
            "replace(run, within=0, loss=0.0)"
        )


def check_counts(counts: dict[str, Any], seed: Any, psi_decay: Any) -> None:
    """Raise unless counts are positive integers or None, and seed and ψ-decay in range."""
    for name, count in counts.items():
        if count is not None and (not is_integer(count) or count < 1):
            raise ValueError(f"{name} must be a positive integer, got {count!r}")
    if not is_integer(seed) or seed < 0:
        raise ValueError(f"seed must be an integer that is not negative, got {seed!r}")
    if not (is_number(psi_decay) and isfinite(psi_decay) and psi_decay >= 0):
        raise ValueError(f"psi_decay must be finite and not negative, got {psi_decay!r}")


def check_helpers(schedule: Any, callbacks: Any, checkpoints: Any) -> None:
    """Raise unless these are a schedule, several callbacks and `Checkpoints` or None."""
    if not callable(schedule) or isinstance(schedule, type):
        raise TypeError(
            f"schedule must be a function of step and total, such as Cosine(), got {schedule!r}"
        )
    if not isinstance(callbacks, Sequence) or not all(map(callable, callbacks)):
        raise TypeError(f"callbacks must be a tuple of functions, got {callbacks!r}")
    if not isinstance(checkpoints, Checkpoints | None):
        raise TypeError(f"checkpoints must be Checkpoints(directory) or None, got {checkpoints!r}")


def check_rules(rules: Any, net: Any, optimiser: Optimiser, approximate: bool) -> None:
    """Raise unless these are rules, each of its own name, that network and optimiser can follow."""
    if not isinstance(rules, Sequence) or not all(isinstance(rule, Rule) for rule in rules):
        raise TypeError(f"rules must be a tuple of rules, such as (Widths(…),), got {rules!r}")
    names = [rule.name for rule in rules if rule.name != "recorded"]
    if len(set(names)) < len(names):
        raise ValueError(
            f"rules must have different names, by which events and budgets are told apart, "
            f"got {names}; join their settings in one rule"
        )
    for rule in rules:
        if rule.rotates and isinstance(net, Elementwise):
            raise TypeError(f"the rule {rule.name!r} rotates{net.no_gauge}")
        if rule.rotates and optimiser.squares and not approximate:
            raise TransportError(
                f"the rule {rule.name!r} rotates, and the state of {type(optimiser).__name__} "
                "cannot follow (C32). Choose an optimiser that commutes with rotations, a rule "
                "that keeps the basis (basis='fixed'), or approximate=True"
            )


def checked_factor(schedule: Callable[[int, int], float], step: int, total: int) -> float:
    """Return the factor of the rate at a step."""
    factor = schedule(step, total)
    if not (isinstance(factor, int | float | np.floating) and factor >= 0 and isfinite(factor)):
        raise ValueError(
            f"schedule must give a finite factor that is not negative, got {factor!r} at step "
            f"{step} of {total}"
        )
    return float(factor)
