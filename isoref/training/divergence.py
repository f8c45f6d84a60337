"""Training that leaves the finite numbers: which step, and which tensor first."""

from __future__ import annotations

from typing import Any

import numpy as np

from isoref import arrays
from isoref.layer import AXES
from isoref.network import Layered
from isoref.training.kinds import module_of
from isoref.training.packed import Packed

NDArray = np.ndarray[Any, Any]


class Diverged(ArithmeticError):
    """A loss or a parameter that is not finite.

    Attributes
    ----------
    step : int
        The step, counted from 1, in which it came up.
    tensor : str
        The first tensor, in the order of the computation, that is not finite.
    """

    def __init__(self, message: str, step: int, tensor: str) -> None:
        super().__init__(message)
        self.step, self.tensor = step, tensor


def diverged(like: Layered, point: Packed, x: NDArray, step: int, what: str) -> Diverged:
    """Return the error for step `step`, whose loss, or whose new parameters, are not finite.

    Parameters that came out of the step before are the trouble of that step.
    """
    tensor = first_trouble(like, point, x)
    step -= tensor.startswith("layers[") and what.startswith("the loss")
    return error(what, step, tensor)


def error(what: str, step: int, tensor: str) -> Diverged:
    """Return the error that says what was not finite, when, and what to do."""
    return Diverged(
        f"{what}; the first tensor that is not finite is {tensor}, at step {step}. Lower the rate, "
        "clip the gradient (clip=1.0) or warm the rate up",
        step,
        tensor,
    )


def first_trouble(like: Layered, point: Packed, x: NDArray) -> str:
    """Return the name of the first tensor that is not finite: inputs, parameters, activations."""
    if not np.isfinite(x).all():
        return "x"
    if (name := packed_trouble(point)) is not None:
        return name
    with arrays.quiet():
        run = module_of(like).trace(point.tree(like), x)
    for space, state in enumerate(run.states):
        if not np.isfinite(state.h).all():
            return f"the state of space {space}"
    return "the loss" if np.isfinite(run.y).all() else "y"


def packed_trouble(tree: Packed) -> str | None:
    """Return the name of the first entry of a packed tree that is not finite, if there is one."""
    for i, entries in enumerate(tree.entries):
        for name in AXES:
            if name in entries and not np.isfinite(entries[name]).all():
                return f"layers[{i}].{name}"
    return None
