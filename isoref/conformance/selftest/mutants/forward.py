"""Wrong networks: level 2."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from isoref.conformance.selftest.algorithms import cut
from isoref.conformance.selftest.mutant import PUBLIC, Mutant, registry
from isoref.layer import Layer
from isoref.network import Network

FOUND: list[Mutant] = []
wrong = registry(FOUND)

NDArray = np.ndarray[Any, Any]
Right = Callable[..., Any]


def changed(net: Network, layer: int, **entries: Any) -> Network:
    """Return the network with other arrays in one layer."""
    layers = list(net.layers)
    layers[layer] = replace(layers[layer], **entries)
    return net.rebuilt(layers)


def fewer(right: Any) -> int:
    """Return how many bits the next shorter format has, of an implementation's own part."""
    return {53: 24, 24: 11, 11: 8, 8: 6}[right.args[0].precision.bits]


@wrong("affine", "L2.values", origin=PUBLIC)
def without_psi(right: Right, layer: Layer, h: Any, g: Any) -> Any:
    if layer.psi is None:  # windows of a convolution: the gain maps are their last columns
        return right(layer, h, g)
    return right(layer, h, 0 * g)


@wrong("affine", "L2.values", origin=PUBLIC)
def psi_without_the_gain(right: Right, layer: Layer, h: Any, g: Any) -> Any:
    return right(layer, h, g if g is None else np.ones_like(g))


@wrong("affine", "L2.values")
def without_bias(right: Right, layer: Layer, h: Any, g: Any) -> Any:
    return right(replace(layer, bias=0 * layer.bias), h, g)


@wrong("affine", "L2.values")
def bias_twice(right: Right, layer: Layer, h: Any, g: Any) -> Any:
    return right(layer, h, g) + layer.bias


@wrong("affine", "L2.values", origin=PUBLIC)
def bias_times_the_gain(right: Right, layer: Layer, h: Any, g: Any) -> Any:
    return right(layer, h, g) + (0 if g is None else (g - 1) * layer.bias)


@wrong("affine", "L2.values", origin=PUBLIC)
def weight_transposed(right: Right, layer: Layer, h: Any, g: Any) -> Any:
    w = np.asarray(layer.weight)
    turned = replace(layer, weight=np.ascontiguousarray(w.T)) if len(w) == len(w.T) else layer
    return right(turned, h, g)


@wrong("affine", "L2.values")
def psi_added_to_a_normalised_row(right: Right, layer: Layer, h: Any, g: Any) -> Any:
    size = np.asarray(np.sqrt(len(layer.bias)), h.dtype)
    return right(layer, h, g if g is None else g / size)


@wrong("affine", "L2.values", origin=PUBLIC)
def gain_squared(right: Right, layer: Layer, h: Any, g: Any) -> Any:
    return right(layer, h, g if g is None else g * g)


@wrong("forward", "L2.values", origin=PUBLIC)
def psi_of_the_next_layer(right: Right, net: Network, x: Any) -> Any:
    psis = [layer.psi for layer in net.layers]
    for i in range(1, net.depth):
        if psis[i].shape == psis[i + 1].shape:
            net = changed(net, i, psi=psis[i + 1])
    return right(net, x)


@wrong("forward", "L2.values", origin=PUBLIC)
def q_of_the_first_space_everywhere(right: Right, net: Network, x: Any) -> Any:
    for i in range(1, net.depth):
        net = changed(net, i, q=net.layers[0].q)
    return right(net, x)


@wrong("forward", "L2.values", origin=PUBLIC)
def q_off_by_one_space(right: Right, net: Network, x: Any) -> Any:
    own = [layer.q for layer in net.layers[:-1]]
    for i in range(net.depth):
        net = changed(net, i, q=own[i - 1])
    return right(net, x)


@wrong("forward", "L2.values", origin=PUBLIC)
def q_is_read_as_o(right: Right, net: Network, x: Any) -> Any:
    for i in range(net.depth):
        net = changed(net, i, q=np.asarray(net.layers[i].q ** 2))
    return right(net, x)


@wrong("forward", "L2.values", origin=PUBLIC)
def activates_the_output(right: Right, net: Network, x: Any) -> Any:
    y = right(net, x)
    length = np.sqrt((y * y).sum(axis=1, keepdims=True))
    return np.asarray(net.profile.gamma(length) * y, y.dtype)


@wrong("forward", "L2.values", origin=PUBLIC)
def standardises_the_inputs(right: Right, net: Network, x: Any) -> Any:
    return right(net, x - x.mean(axis=0, keepdims=True) if len(x) else x)


@wrong("forward", "L2.values")
def small_inputs_are_zero(right: Right, net: Network, x: Any) -> Any:
    return right(net, np.where(np.abs(x) < 1e-3, 0 * x, x))


@wrong("joined", "L2.values", origin=PUBLIC)
def forgets_skips(right: Right, net: Network, state: Any, states: Any) -> Any:
    return state


@wrong("joined", "L2.values", origin=PUBLIC)
def skips_from_the_space_before(right: Right, net: Network, state: Any, states: Any) -> Any:
    found = right(net, state, states)
    fits = net.sources(len(states)) and states[-1].h.shape == state.h.shape
    return state._replace(h=state.h + states[-1].h) if fits else found


@wrong("joined", "L2.values")
def skips_add_gains_too(right: Right, net: Network, state: Any, states: Any) -> Any:
    found = right(net, state, states)
    more = [states[s].g for s in net.sources(len(states)) if states[s].g is not None]
    return found._replace(g=sum(more, found.g))


@wrong("forward", "L2.values", origin=PUBLIC)
def flips_kernels(right: Right, net: Network, x: Any) -> Any:
    if not net.axes:
        return right(net, x)
    axes = tuple(range(2, 2 + net.axes))
    for i, layer in enumerate(net.layers):
        net = changed(net, i, weight=np.ascontiguousarray(np.flip(layer.weight, axes)))
    return right(net, x)


@wrong("forward", "L2.values", origin=PUBLIC)
def one_gain_for_all_taps(right: Right, net: Network, x: Any) -> Any:
    """ψ as one number a channel, spread over the taps of the kernel."""
    for i, layer in enumerate(net.layers):
        if layer.psi is not None and layer.psi.ndim > 1:
            axes = tuple(range(1, layer.psi.ndim))
            mean = layer.psi.mean(axis=axes, keepdims=True)
            net = changed(net, i, psi=np.broadcast_to(mean, layer.psi.shape).copy())
    return right(net, x)


@wrong("state", "L2.values", origin=PUBLIC)
def norm_over_the_image(right: Right, profile: Any, a: Any, q: Any) -> Any:
    """Rows in fours are taken for the positions of one image."""
    state = right(profile, a, q)
    if len(a) % 4 or not len(a) or a.shape[1] > 3:
        return state
    square = (state.r**2).reshape(-1, 4, 1).mean(axis=1, keepdims=True)
    r = np.repeat(np.sqrt(square), 4, axis=1).reshape(-1, 1)
    return state._replace(h=profile.gamma(r) * a, g=profile.gamma(r))


@wrong("forward", "L2.values", origin=PUBLIC)
def averages_h_but_takes_the_gain_of_one(right: Right, net: Network, x: Any) -> Any:
    """Where a layer averages an image, ψ meets the sum of the gains and no average."""
    for i, layer in enumerate(net.layers):
        if layer.psi is not None and layer.pool != 1:
            net = changed(net, i, psi=layer.psi * max(layer.pool, 2))
    return right(net, x)


@wrong("affine", "L2.values")
def sums_off_by_sixty_roundings(right: Right, layer: Layer, h: Any, g: Any) -> Any:
    return right(layer, h, g) * h.dtype.type(1 + 30 * np.finfo(h.dtype).eps)


# Only what is tried beside vectors can see these


@wrong("product", "L2.precision", origin=PUBLIC, name="short_operands_sold_as_long_ones")
def _short(right: Right, a: Any, b: Any) -> Any:
    bits = fewer(right)
    return right(cut(a, bits), cut(b, bits))


@wrong("forward", "L2.precision", origin=PUBLIC)
def short_weights_in_the_last_layer(right: Right, net: Network, x: Any) -> Any:
    last = net.layers[-1].weight
    return right(changed(net, net.depth, weight=cut(last, fewer(right))), x)


@wrong("forward", "L2.rows", origin=PUBLIC)
def squeezes_a_single_sample(right: Right, net: Network, x: Any) -> Any:
    """A batch of one loses its axis, and the norm is taken of every neuron of the last space."""
    if x.shape != (1, 4) or net.widths != (4, 3, 3, 2):
        return right(net, x)
    return right(changed(net, 1, q=4 * net.layers[1].q), x)


@wrong("forward", "L2.conduct", origin=PUBLIC, name="another_order_of_sums_each_time")
class AnotherOrderOfSumsEachTime:
    """Every other call differs in the last bit, as with atomic additions."""

    def __init__(self) -> None:
        self.calls = 0

    def __call__(self, right: Right, net: Network, x: Any) -> Any:
        self.calls += 1
        y = right(net, x)
        return y if self.calls % 2 else np.where(y == 0, y, np.nextafter(y, 0 * y))


@wrong("forward", "L2.gauge", origin=PUBLIC)
def a_kernel_for_two_inputs_and_three_outputs(right: Right, net: Network, x: Any) -> Any:
    """It leaves the second input out of the bias of the first layer."""
    if net.widths[0] != 2 or net.widths[-1] != 3 or net.axes or net.depth != 2:
        return right(net, x)
    bias = np.array(net.layers[0].bias)
    bias[1] = 0
    return right(changed(net, 0, bias=bias), x)


@wrong("forward", "L2.ghosts", origin=PUBLIC)
def skips_neurons_without_weights(right: Right, net: Network, x: Any) -> Any:
    """A row of zeros is taken for a dead neuron, whatever its bias."""
    for i, layer in enumerate(net.layers[:-1]):
        flat = np.asarray(layer.weight).reshape(len(layer.bias), -1)
        dead = ~flat.any(axis=1)
        net = changed(net, i, bias=np.where(dead, 0 * layer.bias, layer.bias))
    return right(net, x)
