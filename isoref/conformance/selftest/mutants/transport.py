"""Wrong transport of an optimiser's state: level 6."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from isoref.conformance.selftest.mutant import PUBLIC, Mutant, registry
from isoref.conformance.selftest.mutants.changes import kept
from isoref.gauge import acted

FOUND: list[Mutant] = []
wrong = registry(FOUND)

NDArray = np.ndarray[Any, Any]
Right = Callable[..., Any]


def carried(net: Any, state: Any, space: int, matrix: Right) -> Any:
    """Return the state with every moment turned by a matrix of its own."""
    moments = {name: acted(tree, space, matrix(name)) for name, tree in state["moments"].items()}
    return {"steps": state["steps"], "moments": moments}


@wrong("transport", "L6.transport", origin=PUBLIC)
def leaves_moments(right: Right, net: Any, state: Any, space: int, R: Any) -> Any:
    return carried(net, state, space, lambda name: np.eye(len(R), dtype=R.dtype))


@wrong("transport", "L6.transport")
def rotates_moments_back(right: Right, net: Any, state: Any, space: int, R: Any) -> Any:
    return carried(net, state, space, lambda name: R.T)


@wrong("transport", "L6.transport", origin=PUBLIC)
def rotates_squares_linearly(right: Right, net: Any, state: Any, space: int, R: Any) -> Any:
    return carried(net, state, space, lambda name: R)


@wrong("transport", "L6.refuse", origin=PUBLIC)
def approximates_unasked(right: Right, net: Any, state: Any, space: int, R: Any) -> Any:
    return carried(net, state, space, lambda name: R * R if name == "second" else R)


@wrong("transport", "L6.transport", origin=PUBLIC)
def resets_the_count(right: Right, net: Any, state: Any, space: int, R: Any) -> Any:
    return {**right(net, state, space, R), "steps": 0}


@wrong("transport", "L6.transport", origin=PUBLIC)
def leaves_the_moment_of_psi(right: Right, net: Any, state: Any, space: int, R: Any) -> Any:
    found = right(net, state, space, R)
    moments = {
        name: kept(tree, state["moments"][name], space - 1, "psi")
        for name, tree in found["moments"].items()
    }
    return {**found, "moments": moments}


@wrong("transport", "L6.refuse")
def refuses_everything(right: Right, net: Any, state: Any, space: int, R: Any) -> Any:
    raise NotImplementedError("no transport")


@wrong("transport", "L6.refuse", origin=PUBLIC)
def starts_afresh(right: Right, net: Any, state: Any, space: int, R: Any) -> Any:
    try:
        return right(net, state, space, R)
    except ValueError:
        zero = {name: 0.0 * tree for name, tree in state["moments"].items()}
        return {"steps": state["steps"], "moments": zero}


@wrong("transport", "L6.transport", origin=PUBLIC)
def transports_the_first_moment_alone(
    right: Right, net: Any, state: Any, space: int, R: Any
) -> Any:
    found = right(net, state, space, R)
    second = {k: v for k, v in state["moments"].items() if k == "second"}
    return {**found, "moments": {**found["moments"], **second}}


@wrong("transport", "L6.transport")
def transports_one_of_the_connected_spaces(
    right: Right, net: Any, state: Any, space: int, R: Any
) -> Any:
    found = right(net, state, space, R)
    moments = {}
    for name, tree in found["moments"].items():
        layers = list(tree.layers)
        for i, own in enumerate(state["moments"][name].layers):
            if net.skips and i not in (space - 1, space):
                layers[i] = own
        moments[name] = tree.rebuilt(layers)
    return {**found, "moments": moments}


@wrong("transport", "L6.refuse", origin=PUBLIC)
def takes_a_small_rotation_for_none(right: Right, net: Any, state: Any, space: int, R: Any) -> Any:
    near = np.round(R)
    close = np.abs(R - near).max() < 0.02
    return right(net, state, space, near.astype(R.dtype) if close else R)


@wrong("transport", "L6.refuse")
def asks_for_one_whole_entry(right: Right, net: Any, state: Any, space: int, R: Any) -> Any:
    if not (np.abs(R) == 1).any():
        return right(net, state, space, R)
    return carried(net, state, space, lambda name: R * R if name == "second" else R)
