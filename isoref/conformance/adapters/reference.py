"""isoref itself, all levels: the adapter to copy for an implementation on NumPy."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

import isoref
from isoref import perceptron
from isoref.conformance.adapter import PROFILES
from isoref.diagonal import rotation
from isoref.edits import Drop, Rotate
from isoref.factor import left_factors
from isoref.network import plain
from isoref.topology import joint
from isoref.training import SGD, AdamW, State, transport

NDArray = np.ndarray[Any, Any]


class Adapter:
    """isoref in float64."""

    info: ClassVar = {"name": "isoref", "version": isoref.__version__, "device": "cpu"}
    numerics: ClassVar = {"storage": "float64", "multiply": "auto"}
    profiles = PROFILES

    def activation(self, profile: Any, a: NDArray, q: NDArray) -> Any:
        """Return (h, g)."""
        state = perceptron.activation(profile, a, q)
        return state.h, state.g

    def forward(self, net: Any, x: NDArray) -> Any:
        """Return y."""
        return isoref.forward(net, x)

    def activation_vjp(
        self, profile: Any, a: NDArray, q: NDArray, hbar: NDArray, gbar: NDArray
    ) -> Any:
        """Return ā, and q̄ of every row."""
        rows = [
            perceptron.activation_vjp(
                profile, perceptron.activation(profile, a[[k]], q), hbar[[k]], gbar[[k]]
            )
            for k in range(len(a))
        ]
        abar = np.concatenate([row for row, _ in rows]) if rows else np.zeros_like(a)
        return abar, np.array([qbar.item() for _, qbar in rows], a.dtype)

    def jvp(self, net: Any, x: NDArray, net_dot: Any, x_dot: NDArray) -> Any:
        """Return (y, ẏ)."""
        return isoref.jvp(net, x, net_dot, x_dot)

    def backward(self, net: Any, x: NDArray, ybar: NDArray) -> Any:
        """Return (gradient, x̄)."""
        return isoref.backward(net, isoref.trace(net, x), ybar)

    def rotate(self, net: Any, space: int, R: NDArray) -> Any:
        """Return the network with a hidden space turned by R."""
        return isoref.rotate(net, space, R)

    def diagonalise(self, net: Any, layer: int, side: str) -> Any:
        """Return the network with W = UΣVᵀ of a layer as ΣVᵀ, UΣ or Σ."""
        return plain(isoref.diagonalise(net, layer, side)[0])

    def grow(self, net: Any, space: int, count: int) -> Any:
        """Return the network with scaffold neurons at the end of a space."""
        return isoref.grow(net, space, count, seed=0)[0]

    def prune(self, net: Any, space: int, count: int) -> Any:
        """Return the network without the weakest directions of a space."""
        u, _ = left_factors(joint(net, space))
        n, turned = net.widths[space], rotation(net, space, u.T).apply(net)
        return isoref.drop(turned, space, range(n - count, n))[0]

    def drop(self, net: Any, space: int, neurons: Any, values: NDArray) -> Any:
        """Return the network with neurons replaced by constants."""
        return Drop(space, tuple(neurons), values).apply(net)

    def step(self, net: Any, state: Any, gradient: Any, settings: Any) -> Any:
        """Return the next network and state."""
        rule = _rule(settings)
        own = State(state["steps"], dict(zip(rule.moments, state["moments"].values(), strict=True)))
        moved, after = rule.step(net, _squared(own), gradient)
        return moved, _said(after, state["moments"])

    def transport(self, net: Any, state: Any, space: int, R: NDArray) -> Any:
        """Return the state of the rotated network; second moments are refused."""
        own = _squared(State(state["steps"], state["moments"]))
        return _said(transport(own, [Rotate(space, R)]), state["moments"])


def _rule(settings: Any) -> Any:
    """Return the optimiser of settings."""
    shared = {name: settings[name] for name in ("rate", "decay", "clip")}
    if settings["optimiser"] == "sgd":
        own = {name: settings[name] for name in ("momentum", "nesterov", "decoupled")}
        return SGD(**shared, **own)
    beta1, beta2 = settings["betas"]
    return AdamW(**shared, beta1=beta1, beta2=beta2, eps=settings["eps"])


def _squared(state: State) -> State:
    """Return the state, which knows that "second" sums squares of entries."""
    return State(state.steps, state.moments, frozenset({"second"} & set(state.moments)))


def _said(state: State, names: Any) -> Any:
    """Return a state as a dictionary, its moments by the names that came."""
    return {"steps": state.steps, "moments": dict(zip(names, state.moments.values(), strict=True))}


class Adapter32(Adapter):
    """isoref in float32."""

    numerics: ClassVar = {"storage": "float32", "multiply": "auto"}
