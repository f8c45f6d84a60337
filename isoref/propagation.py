"""A whole network: forward, trace, backward and jvp, one perceptron after another.

The laws:

    forward(net, x) == trace(net, x).y == jvp(net, x, 0, 0)[0]
    ⟨ȳ, jvp(net, x, v, ẋ)[1]⟩ == ⟨backward(net, trace, ȳ)[0], v⟩ + ⟨backward(net, trace, ȳ)[1], ẋ⟩
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from isoref import arrays
from isoref.arrays import Array
from isoref.convolution import read, unread, written
from isoref.layer import Layer
from isoref.network import Layered, Network, Tangent
from isoref.perceptron import (
    State,
    activation,
    activation_jvp,
    activation_vjp,
    affine,
    affine_jvp,
    affine_vjp,
)
from isoref.windows import Image, extents, images_of, rows_of


@dataclass(frozen=True, eq=False)
class Trace:
    """The output y (B, n_{L+1}) and, for backward, the batch in spaces 0 … L.

    It holds the x it was made from, not a copy: x must stay as it is until backward. With images,
    the rows of a state are the positions of all samples, and `images` holds their extents.
    """

    y: Array
    states: tuple[State, ...]
    images: tuple[Image, ...] = ()


def forward(net: Network, x: Array) -> Array:
    """Return the output y of `net` for a batch x.

    Parameters
    ----------
    net : Network
    x : array of shape (B, n_0), or (B, n_0, *image) for convolutions
        Rows are samples, in the library and dtype of `net`; B = 0 is allowed.

    Returns
    -------
    array of shape (B, n_{L+1}), or (B, n_{L+1}, *image)

    Raises
    ------
    TypeError, ValueError
        When library, dtype or shape do not fit; when the profile is `unit`, q = 0 and a
        pre-activation is the zero vector.

    Examples
    --------
    >>> import numpy as np
    >>> net = Network.random((2, 3, 1), seed=0)
    >>> forward(net, np.zeros((4, 2))).shape
    (4, 1)
    """
    check_batch("x", x, net, net.widths[0])
    states, image = [State(rows_of(x))], extents(x)
    for layer in net.layers:
        a = affine(*read(layer, image, states[-1].h, states[-1].g))
        image = written(layer, image)
        if layer.q is None:
            break
        state = _joined(net, activation(net.profile, a, layer.q), states)
        states = [*states, state] if net.skips else [state]
    return images_of(a, image)


def trace(net: Network, x: Array) -> Trace:
    """Return the output of `forward` together with what `backward` needs; arguments as there."""
    check_batch("x", x, net, net.widths[0])
    states, images = [State(rows_of(x))], [extents(x)]
    for layer in net.layers:
        h, g, *_ = states[-1]
        a = affine(*read(layer, images[-1], h, g))
        images.append(written(layer, images[-1]))
        if layer.q is not None:
            states.append(_joined(net, activation(net.profile, a, layer.q), states))
    return Trace(images_of(a, images[-1]), tuple(states), tuple(images))


def backward(net: Network, trace: Trace, ybar: Array) -> tuple[Tangent, Array]:
    """Return the gradient of ⟨ȳ, y⟩: a Tangent for the parameters, and x̄ (B, n_0).

    Parameters
    ----------
    net : Network
    trace : Trace
        Of the same network, made by `trace(net, x)`.
    ybar : array of shape (B, n_{L+1})
        Cotangent of the output.

    Raises
    ------
    TypeError, ValueError
        When library, dtype or shape do not fit the network or the trace.

    Examples
    --------
    >>> import numpy as np
    >>> net = Network.random((2, 3, 1), seed=0)
    >>> gradient, xbar = backward(net, trace(net, np.ones((4, 2))), np.ones((4, 1)))
    >>> gradient.layers[0].weight.shape, xbar.shape
    ((3, 2), (4, 2))
    """
    if not isinstance(trace, Trace):
        raise TypeError(f"trace must be made by trace(net, x), got {type(trace).__name__}")
    check_cotangent(net, trace, ybar)
    xp = arrays.namespace(ybar)
    layer_bars: list[Layer] = []
    skipped: dict[int, Array] = {}
    abar, qbar = rows_of(ybar), None
    for i, layer, state, image in zip(
        range(net.depth, -1, -1),
        net.layers[::-1],
        trace.states[::-1],
        trace.images[-2::-1],
        strict=True,
    ):
        found = affine_vjp(*read(layer, image, state.h, state.g), abar)
        entries, hbar, gbar = unread(layer, image, *found)
        hbar = hbar + skipped[i] if i in skipped else hbar
        for source in net.sources(i):
            skipped[source] = skipped[source] + hbar if source in skipped else hbar
        if qbar is not None:
            entries["q"] = xp.sum(qbar)
        owned = {name: arrays.owned(entry) for name, entry in entries.items()}
        layer_bars.append(Layer(**owned, **layer.reading))
        if gbar is not None:
            abar, qbar = activation_vjp(net.profile, state, hbar, gbar)
    return Tangent(layer_bars[::-1], skips=net.skips), images_of(hbar, trace.images[0])


def jvp(net: Network, x: Array, net_dot: Tangent, x_dot: Array) -> tuple[Array, Array]:
    """Return the output y and its derivative ẏ along (net_dot, x_dot).

    Parameters
    ----------
    net : Network
    x : array of shape (B, n_0)
    net_dot : Tangent
        Velocity of the parameters, in the widths, library and dtype of `net`.
    x_dot : array of shape (B, n_0)
        Velocity of the inputs.

    Raises
    ------
    TypeError, ValueError
        As `forward`, and when `net_dot` or `x_dot` does not fit.

    Examples
    --------
    >>> import numpy as np
    >>> net = Network.random((2, 3, 1), seed=0)
    >>> y, ydot = jvp(net, np.ones((4, 2)), Tangent.zeros(net), np.zeros((4, 2)))
    >>> bool((ydot == 0).all())
    True
    """
    check_velocity(net, x, net_dot, x_dot)
    states, image = [State(rows_of(x))], extents(x)
    dots: list[tuple[Array, Array]] = [(rows_of(x_dot), None)]
    for layer, dot in zip(net.layers, net_dot.layers, strict=True):
        still = read(layer, image, states[-1].h, states[-1].g)
        moving = read(dot, image, *dots[-1])
        a, a_dot = affine(*still), affine_jvp(*still, *moving)
        image = written(layer, image)
        if layer.q is None:
            break
        state = activation(net.profile, a, layer.q)
        h_dot, g_dot = activation_jvp(net.profile, state, a_dot, dot.q)
        for source in net.sources(len(states)):
            h_dot = h_dot + dots[source][0]
        states.append(_joined(net, state, states))
        dots.append((h_dot, g_dot))
    return images_of(a, image), images_of(a_dot, image)


def _joined(net: Network, state: State, states: list[State]) -> State:
    """Return the state of the space after `states`, with the h that skips lead there."""
    h = state.h
    for source in net.sources(len(states)) if net.skips else ():
        if states[source].h.shape != h.shape:
            raise ValueError(
                f"skips must connect images of one size, got {(source, len(states))} with "
                f"{states[source].h.shape[0]} and {h.shape[0]} positions in all"
            )
        h = h + states[source].h
    return state._replace(h=h)


def check_batch(name: str, batch: Array, net: Layered, width: int) -> None:
    """Raise by `name` unless `batch` is (B, width) in the library and dtype of `net`."""
    reference = net.reference
    arrays.check_alike(name, batch, reference)
    if batch.ndim != 2 + net.axes or batch.shape[1] != width:
        image = ("", ", length", ", rows, columns")[net.axes]
        raise ValueError(
            f"{name} must have shape (B, {width}{image}) to fit widths {net.widths}, "
            f"got {tuple(batch.shape)}"
        )


def check_cotangent(net: Layered, trace: Any, ybar: Array) -> None:
    """Raise unless a trace of either kind is one of these widths, and `ybar` fits net and trace."""
    arrays.check_alike("trace", trace.y, net.reference)
    widths = tuple(int(state.h.shape[1]) for state in trace.states)
    if widths != net.widths[:-1]:
        raise ValueError(
            f"trace must be made by trace(net, x) with a network of widths {net.widths}, "
            f"got one of hidden and input widths {widths}"
        )
    check_batch("ybar", ybar, net, net.widths[-1])
    if ybar.shape[0] != trace.y.shape[0]:
        raise ValueError(
            f"ybar must have one row per sample of the trace, {trace.y.shape[0]}, "
            f"got {ybar.shape[0]}"
        )
    if tuple(ybar.shape) != tuple(trace.y.shape):
        raise ValueError(
            f"ybar must have the shape of the output of the trace, {tuple(trace.y.shape)}, "
            f"got {tuple(ybar.shape)}"
        )


def check_velocity(net: Layered, x: Array, net_dot: Tangent, x_dot: Array) -> None:
    """Raise unless the batch x and the velocity (net_dot, x_dot) fit `net` and each other."""
    check_batch("x", x, net, net.widths[0])
    check_batch("x_dot", x_dot, net, net.widths[0])
    if tuple(x_dot.shape) != tuple(x.shape):
        raise ValueError(f"x_dot must have the shape of x, {tuple(x.shape)}, got {x_dot.shape}")
    if net_dot.widths != net.widths:
        raise ValueError(f"net_dot must have the widths of net, {net.widths}, got {net_dot.widths}")
    arrays.check_alike("net_dot", net_dot.reference, net.reference)
