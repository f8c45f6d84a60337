"""Forward, trace, backward and jvp, with the laws of `isoref.propagation` and its affine part."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import NamedTuple

from isoref import arrays
from isoref.arrays import Array
from isoref.control.network import Elementwise, check_elementwise
from isoref.layer import Layer
from isoref.network import Tangent
from isoref.perceptron import affine, affine_jvp, affine_vjp
from isoref.propagation import check_batch, check_cotangent, check_velocity


class State(NamedTuple):
    """A batch in one space: h (B, n) and, in hidden spaces, the a (B, n) that it came from."""

    h: Array
    a: Array | None = None


@dataclass(frozen=True, eq=False)
class Trace:
    """The output y (B, n_{L+1}) and, for backward, the batch in spaces 0 … L; it holds x itself."""

    y: Array
    states: tuple[State, ...]


def forward(net: Elementwise, x: Array) -> Array:
    """Return the output y (B, n_{L+1}) of `net` for a batch x (B, n_0).

    Raises
    ------
    TypeError, ValueError
        When `net` is no Elementwise, or library, dtype or shape of x do not fit.

    Examples
    --------
    >>> import numpy as np
    >>> net = Elementwise.random((2, 3, 1), function="sigmoid", seed=0)
    >>> forward(net, np.zeros((4, 2))).shape
    (4, 1)
    """
    check_elementwise(net)
    check_batch("x", x, net, net.widths[0])
    h = x
    for layer in net.layers[:-1]:
        h = net.phi.value(affine(layer, h, None))
    return affine(net.layers[-1], h, None)


def trace(net: Elementwise, x: Array) -> Trace:
    """Return the output of `forward` together with what `backward` needs; arguments as there."""
    check_elementwise(net)
    check_batch("x", x, net, net.widths[0])
    states = [State(x)]
    for layer in net.layers[:-1]:
        a = affine(layer, states[-1].h, None)
        states.append(State(net.phi.value(a), a))
    return Trace(affine(net.layers[-1], states[-1].h, None), tuple(states))


def backward(net: Elementwise, trace: Trace, ybar: Array) -> tuple[Tangent, Array]:
    """Return the gradient of ⟨ȳ, y⟩: a Tangent, its ψ and q exactly zero, and x̄ (B, n_0).

    Parameters
    ----------
    net : Elementwise
    trace : Trace
        Of the same network, made by `trace(net, x)` of this module.
    ybar : array of shape (B, n_{L+1})
        Cotangent of the output.

    Raises
    ------
    TypeError, ValueError
        When library, dtype or shape do not fit the network or the trace.

    Examples
    --------
    >>> import numpy as np
    >>> net = Elementwise.random((2, 3, 1), seed=0)
    >>> gradient, xbar = backward(net, trace(net, np.ones((4, 2))), np.ones((4, 1)))
    >>> gradient.layers[1].weight.shape, gradient.layers[1].psi, xbar.shape
    ((1, 3), array([0.]), (4, 2))
    """
    check_elementwise(net)
    if not isinstance(trace, Trace):
        raise TypeError(
            f"trace must be made by isoref.control.trace(net, x), got {type(trace).__module__}."
            f"{type(trace).__name__}"
        )
    check_cotangent(net, trace, ybar)
    layer_bars: list[Layer] = []
    abar = ybar
    for layer, state in zip(net.layers[::-1], trace.states[::-1], strict=True):
        entries, hbar, _ = affine_vjp(layer, state.h, None, abar)
        entries = {name: arrays.owned(entry) for name, entry in entries.items()}
        layer_bars.append(replace(layer, **entries))  # its ψ = 0 and q = 0 are their own gradients
        if state.a is not None:
            abar = net.phi.slope(state.a) * hbar
    return Tangent(layer_bars[::-1]), hbar


def jvp(net: Elementwise, x: Array, net_dot: Tangent, x_dot: Array) -> tuple[Array, Array]:
    """Return the output y and its derivative ẏ along (net_dot, x_dot); no y depends on ψ̇ and q̇.

    Raises
    ------
    TypeError, ValueError
        As `forward`, and when `net_dot` or `x_dot` does not fit.

    Examples
    --------
    >>> import numpy as np
    >>> net = Elementwise.random((2, 3, 1), seed=0)
    >>> y, ydot = jvp(net, np.ones((4, 2)), Tangent.zeros(net), np.zeros((4, 2)))
    >>> bool((ydot == 0).all())
    True
    """
    check_elementwise(net)
    check_velocity(net, x, net_dot, x_dot)
    h, h_dot = x, x_dot
    for layer, dot in zip(net.layers, net_dot.layers, strict=True):
        a = affine(layer, h, None)
        a_dot = affine_jvp(layer, h, None, dot, h_dot, None)
        if layer.q is None:
            break
        h, h_dot = net.phi.value(a), net.phi.slope(a) * a_dot
    return a, a_dot
