"""Training that leaves the finite numbers: which step, and which tensor first."""

from __future__ import annotations

from typing import Any

import numpy as np

from isoref import arrays
from isoref.convolution import read, written
from isoref.layer import AXES
from isoref.network import Layered, Network
from isoref.perceptron import State, activation, affine
from isoref.training.packed import Packed
from isoref.windows import extents, rows_of

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
    """Return the error that names the first tensor of step `step` that is not finite."""
    tensor = first_trouble(like, point, x)
    return Diverged(
        f"{what} at step {step}; the first tensor that is not finite is {tensor}. Lower the rate, "
        "clip the gradient (clip=1.0) or warm the rate up",
        step,
        tensor,
    )


def first_trouble(like: Layered, point: Packed, x: NDArray) -> str:
    """Return the name of the first tensor that is not finite: inputs, parameters, activations."""
    if not np.isfinite(x).all():
        return "x"
    for i, entries in enumerate(point.entries):
        for name in AXES:
            if name in entries and not np.isfinite(entries[name]).all():
                return f"layers[{i}].{name}"
    if isinstance(like, Network):
        net, state, image = point.tree(like), State(rows_of(x)), extents(x)
        with arrays.quiet():
            for i, layer in enumerate(net.layers):
                a = affine(*read(layer, image, state.h, state.g))
                image = written(layer, image)
                if not np.isfinite(a).all():
                    return f"the pre-activation of layers[{i}]" if i < net.depth else "y"
                if layer.q is not None:
                    state = activation(net.profile, a, layer.q)
    return "the loss"
