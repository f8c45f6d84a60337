"""isoref itself, all levels: the adapter to copy for an implementation on NumPy."""

from typing import Any, ClassVar

import isoref
from isoref import perceptron
from isoref.conformance.adapter import PROFILES
from isoref.edits import Drop, Rotate
from isoref.network import plain
from isoref.training import SGD, AdamW, State, transport


class Adapter:
    """isoref in float64; `isoref.conformance.adapter` says what each method takes and returns."""

    info: ClassVar = {"name": "isoref", "version": isoref.__version__, "device": "cpu"}
    numerics: ClassVar = {"storage": "float64", "multiply": "auto"}
    profiles = PROFILES

    def activation(self, profile: Any, a: Any, q: Any) -> Any:
        return perceptron.activation(profile, a, q)[:2]

    def forward(self, net: Any, x: Any) -> Any:
        return isoref.forward(net, x)

    def activation_vjp(self, profile: Any, a: Any, q: Any, hbar: Any, gbar: Any) -> Any:
        state = perceptron.activation(profile, a, q)
        abar, qbar = perceptron.activation_vjp(profile, state, hbar, gbar)
        return abar, qbar[:, 0]

    def jvp(self, net: Any, x: Any, net_dot: Any, x_dot: Any) -> Any:
        return isoref.jvp(net, x, net_dot, x_dot)

    def backward(self, net: Any, x: Any, ybar: Any) -> Any:
        return isoref.backward(net, isoref.trace(net, x), ybar)

    def rotate(self, net: Any, space: int, R: Any) -> Any:
        return isoref.rotate(net, space, R)

    def diagonalise(self, net: Any, layer: int, side: str) -> Any:
        return plain(isoref.diagonalise(net, layer, side)[0])

    def grow(self, net: Any, space: int, count: int) -> Any:
        return isoref.grow(net, space, count, seed=0)[0]

    def prune(self, net: Any, space: int, count: int) -> Any:
        image = tuple(9 * k for k in net.layers[0].kernel) or None  # of the certificate alone
        return plain(isoref.prune(net, space, count=count, image=image)[0])

    def drop(self, net: Any, space: int, neurons: Any, values: Any) -> Any:
        return Drop(space, tuple(neurons), values).apply(net)

    def step(self, net: Any, state: Any, gradient: Any, settings: Any) -> Any:
        sgd = settings["optimiser"] == "sgd"
        own = ("momentum", "nesterov", "decoupled") if sgd else ("eps",)
        chosen = {name: settings[name] for name in ("rate", "decay", "clip", *own)}
        betas = {} if sgd else dict(zip(("beta1", "beta2"), settings["betas"], strict=True))
        rule = (SGD if sgd else AdamW)(**chosen, **betas)
        moved, after = rule.step(net, _state(state, rule.moments), gradient)
        return moved, _said(after, state["moments"])

    def transport(self, net: Any, state: Any, space: int, R: Any) -> Any:
        after = transport(_state(state, state["moments"]), [Rotate(space, R)])
        return _said(after, state["moments"])


def _state(said: Any, names: Any) -> State:
    """Return isoref's state, which knows that "second" sums squares of entries."""
    moments = dict(zip(names, said["moments"].values(), strict=True))
    return State(said["steps"], moments, frozenset({"second"} & set(moments)))


def _said(state: State, names: Any) -> Any:
    return {"steps": state.steps, "moments": dict(zip(names, state.moments.values(), strict=True))}


class Adapter32(Adapter):
    numerics: ClassVar = {"storage": "float32", "multiply": "auto"}
