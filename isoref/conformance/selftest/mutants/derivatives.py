"""Wrong derivatives: level 3."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from isoref.conformance.selftest.algorithms import cut
from isoref.conformance.selftest.mutant import PUBLIC, Mutant, registry
from isoref.conformance.selftest.mutants.forward import fewer
from isoref.layer import Layer
from isoref.network import Network

FOUND: list[Mutant] = []
wrong = registry(FOUND)

NDArray = np.ndarray[Any, Any]
Right = Callable[..., Any]
Bars = list[dict[str, NDArray]]


def dot(u: Any, v: Any) -> Any:
    """Return Σ u v of every row, (B, 1)."""
    return (u * v).sum(axis=1, keepdims=True)


# The pull-back of one activation


@wrong("pull", "L3.activation", origin=PUBLIC)
def without_radial_term(right: Right, profile: Any, state: Any, hbar: Any, gbar: Any) -> Any:
    abar = state.g * hbar + profile.gamma_prime(state.r) * gbar * state.u
    return abar, right(profile, state, hbar, gbar)[1]


@wrong("pull", "L3.activation")
def sigma_prime_as_delta(right: Right, profile: Any, state: Any, hbar: Any, gbar: Any) -> Any:
    abar, qbar = right(profile, state, hbar, gbar)
    return abar + state.g * dot(state.u, hbar) * state.u, qbar


@wrong("pull", "L3.activation", origin=PUBLIC)
def gain_has_no_cotangent(right: Right, profile: Any, state: Any, hbar: Any, gbar: Any) -> Any:
    return right(profile, state, hbar, 0 * gbar)


@wrong("pull", "L3.activation")
def sign_of_gamma_prime(right: Right, profile: Any, state: Any, hbar: Any, gbar: Any) -> Any:
    abar, qbar = right(profile, state, hbar, gbar)
    return abar - 2 * profile.gamma_prime(state.r) * gbar * state.u, qbar


@wrong("pull", "L3.activation")
def half_missing_in_q(right: Right, profile: Any, state: Any, hbar: Any, gbar: Any) -> Any:
    abar, qbar = right(profile, state, hbar, gbar)
    return abar, 2 * qbar


@wrong("pull", "L3.activation")
def kappa_missing_in_q(right: Right, profile: Any, state: Any, hbar: Any, gbar: Any) -> Any:
    abar, _ = right(profile, state, hbar, gbar)
    half = hbar.dtype.type(0.5)
    return abar, profile.gamma_prime(state.r) * dot(state.u, hbar) * half


@wrong("pull", "L3.activation", origin=PUBLIC)
def kappa_times_a(right: Right, profile: Any, state: Any, hbar: Any, gbar: Any) -> Any:
    """Underflows and loses the radial part at large radii."""
    a = state.r * state.u
    abar = state.g * hbar + profile.kappa(state.r) * (dot(a, hbar) + gbar) * a
    return abar, right(profile, state, hbar, gbar)[1]


@wrong("pull", "L3.activation", origin=PUBLIC)
def square_root_at_zero_is_nan(right: Right, profile: Any, state: Any, hbar: Any, gbar: Any) -> Any:
    abar, qbar = right(profile, state, hbar, gbar)
    lost = np.where(state.r == 0, abar.dtype.type(np.nan), abar.dtype.type(0))
    return abar + lost, qbar + lost


@wrong("pull", "L3.activation", origin=PUBLIC)
def no_gradient_below_a_thousandth(
    right: Right, profile: Any, state: Any, hbar: Any, gbar: Any
) -> Any:
    """The ε ball: linear, so that nothing flows through r."""
    abar, qbar = right(profile, state, hbar, gbar)
    near = state.r <= 1e-3
    return np.where(near, state.g * hbar, abar), np.where(near, 0 * qbar, qbar)


@wrong("pull", "L3.activation", origin=PUBLIC)
def derivative_by_o(right: Right, profile: Any, state: Any, hbar: Any, gbar: Any) -> Any:
    """Twice o times that by q, as where o is the parameter; at o near ½ they are alike."""
    abar, qbar = right(profile, state, hbar, gbar)
    a = state.r * state.u
    o = np.sqrt(np.maximum(state.r**2 - dot(a, a), 0 * state.r))
    return abar, 2 * o * qbar


@wrong("pull", "L3.activation", origin=PUBLIC)
def derivative_by_log_q(right: Right, profile: Any, state: Any, hbar: Any, gbar: Any) -> Any:
    abar, qbar = right(profile, state, hbar, gbar)
    a = state.r * state.u
    return abar, np.maximum(state.r**2 - dot(a, a), 0 * state.r) * qbar


@wrong("pull", "L3.activation", profiles=("softsign",), origin=PUBLIC)
def infinite_slope_times_nothing(
    right: Right, profile: Any, state: Any, hbar: Any, gbar: Any
) -> Any:
    abar, _ = right(profile, state, hbar, gbar)
    with np.errstate(invalid="ignore"):
        slope, kappa = profile.gamma_prime(state.r), profile.kappa(state.r)
        half = hbar.dtype.type(0.5)
        return abar, half * (slope * dot(state.u, hbar) + kappa * gbar)


@wrong("pull", "L3.activation", profiles=("relu",))
def slope_one_below_the_threshold(
    right: Right, profile: Any, state: Any, hbar: Any, gbar: Any
) -> Any:
    abar, qbar = right(profile, state, hbar, gbar)
    return np.where(state.r < profile.tau, hbar, abar), qbar


# The push-forward


@wrong("push", "L3.adjoint", origin=PUBLIC)
def kappa_times_a_in_jvp(right: Right, profile: Any, state: Any, a_dot: Any, q_dot: Any) -> Any:
    a, half = state.r * state.u, a_dot.dtype.type(0.5)
    kappa = profile.kappa(state.r)
    inner = dot(a, a_dot) + q_dot * half
    return state.g * a_dot + kappa * inner * a, kappa * inner


@wrong("push", "L3.jvp", origin=PUBLIC)
def without_radial_term_in_jvp(
    right: Right, profile: Any, state: Any, a_dot: Any, q_dot: Any
) -> Any:
    h_dot, g_dot = right(profile, state, a_dot, q_dot)
    return h_dot - profile.delta(state.r) * dot(state.u, a_dot) * state.u, g_dot


@wrong("push", "L3.jvp")
def half_missing_in_jvp(right: Right, profile: Any, state: Any, a_dot: Any, q_dot: Any) -> Any:
    return right(profile, state, a_dot, 2 * q_dot)


@wrong("push", "L3.jvp", origin=PUBLIC)
def gain_does_not_move(right: Right, profile: Any, state: Any, a_dot: Any, q_dot: Any) -> Any:
    h_dot, g_dot = right(profile, state, a_dot, q_dot)
    return h_dot, 0 * g_dot


@wrong("affine_jvp", "L3.jvp")
def weights_do_not_move(
    right: Right, layer: Layer, h: Any, g: Any, dot_: Layer, h_dot: Any, g_dot: Any
) -> Any:
    return right(layer, h, g, replace(dot_, weight=0 * dot_.weight), h_dot, g_dot)


@wrong("jvp", "L3.jvp", origin=PUBLIC)
def differences_of_the_forward(right: Right, net: Network, x: Any, net_dot: Any, x_dot: Any) -> Any:
    """Forward differences, with the square root of the roundoff for a step."""
    y, ydot = right(net, x, net_dot, x_dot)
    step = np.sqrt(np.finfo(x.dtype).eps)
    return y, ydot + step * np.abs(ydot) * np.sign(y)


@wrong("jvp", "L3.jvp", origin=PUBLIC)
def velocity_of_skips_forgotten(
    right: Right, net: Network, x: Any, net_dot: Any, x_dot: Any
) -> Any:
    y, ydot = right(net, x, net_dot, x_dot)
    return y, ydot if not net.skips else ydot * ydot.dtype.type(1 - 2.0**-4)


# The pull-back of layers


@wrong("affine_vjp", "L3.backward", origin=PUBLIC)
def psi_of_this_gain_forgotten(right: Right, layer: Layer, h: Any, g: Any, abar: Any) -> Any:
    entries, hbar, gbar = right(layer, h, g, abar)
    return ({**entries, "psi": abar.sum(0)} if "psi" in entries else entries), hbar, gbar


@wrong("affine_vjp", "L3.backward", origin=PUBLIC)
def weight_transposed_in_vjp(right: Right, layer: Layer, h: Any, g: Any, abar: Any) -> Any:
    entries, hbar, gbar = right(layer, h, g, abar)
    w = np.asarray(layer.weight)
    return entries, (abar @ w.T if len(w) == len(w.T) else hbar), gbar


@wrong("affine_vjp", "L3.backward", origin=PUBLIC)
def mean_over_the_batch(right: Right, layer: Layer, h: Any, g: Any, abar: Any) -> Any:
    entries, hbar, gbar = right(layer, h, g, abar)
    return {**entries, "bias": entries["bias"] / abar.dtype.type(max(len(abar), 1))}, hbar, gbar


@wrong("affine_vjp", "L3.backward", origin=PUBLIC)
def psi_is_detached(right: Right, layer: Layer, h: Any, g: Any, abar: Any) -> Any:
    entries, hbar, gbar = right(layer, h, g, abar)
    return entries, hbar, gbar if gbar is None else 0 * gbar


@wrong("affine_vjp", "L3.backward", origin=PUBLIC)
def constant_psi(right: Right, layer: Layer, h: Any, g: Any, abar: Any) -> Any:
    entries, hbar, gbar = right(layer, h, g, abar)
    return {k: 0 * v if k == "psi" else v for k, v in entries.items()}, hbar, gbar


@wrong("affine_vjp", "L3.backward")
def weight_bar_transposed(right: Right, layer: Layer, h: Any, g: Any, abar: Any) -> Any:
    entries, hbar, gbar = right(layer, h, g, abar)
    w = entries["weight"]
    found = np.ascontiguousarray(w.T) if len(w) == len(w.T) else w
    return {**entries, "weight": found}, hbar, gbar


@wrong("backward", "L3.backward", origin=PUBLIC)
def zero_parameters_have_no_gradient(right: Right, net: Network, x: Any, ybar: Any) -> Any:
    bars, xbar = right(net, x, ybar)
    for layer, bar in zip(net.layers, bars, strict=True):
        for name in ("psi", "q"):
            if name in bar and not getattr(layer, name).any():
                bar[name] = 0 * bar[name]
    return bars, xbar


@wrong("backward", "L3.backward", origin=PUBLIC)
def gradient_by_o(right: Right, net: Network, x: Any, ybar: Any) -> Any:
    bars, xbar = right(net, x, ybar)
    for layer, bar in zip(net.layers, bars, strict=True):
        if layer.q is not None:
            bar["q"] = np.asarray(bar["q"] * 2 * np.sqrt(layer.q), x.dtype)
    return bars, xbar


@wrong("backward", "L3.backward")
def no_gradient_of_q(right: Right, net: Network, x: Any, ybar: Any) -> Any:
    bars, xbar = right(net, x, ybar)
    return [{k: 0 * v if k == "q" else v for k, v in bar.items()} for bar in bars], xbar


@wrong("backward", "L3.backward", origin=PUBLIC)
def inputs_have_no_gradient(right: Right, net: Network, x: Any, ybar: Any) -> Any:
    return right(net, x, ybar)[0], np.zeros_like(x)


@wrong("backward", "L3.backward", origin=PUBLIC)
def gradients_add_up_from_call_to_call_of_skips(
    right: Right, net: Network, x: Any, ybar: Any
) -> Any:
    bars, xbar = right(net, x, ybar)
    return ([{k: 2 * v for k, v in bar.items()} for bar in bars] if net.skips else bars), xbar


@wrong("backward", "L3.backward", origin=PUBLIC)
def kernel_gradients_are_means(right: Right, net: Network, x: Any, ybar: Any) -> Any:
    """Over the positions of the image, where the gradient is their sum."""
    bars, xbar = right(net, x, ybar)
    size = x.dtype.type(np.prod(ybar.shape[2:], initial=1))
    return [{k: v / size for k, v in bar.items()} for bar in bars], xbar


@wrong("backward", "L3.backward", origin=PUBLIC)
def overlapping_windows_are_not_added(right: Right, net: Network, x: Any, ybar: Any) -> Any:
    bars, xbar = right(net, x, ybar)
    wide = net.axes and any(n > 1 for n in net.layers[0].kernel)
    return bars, xbar / x.dtype.type(2) if wide else xbar


@wrong("pull", "L3.activation")
def pulled_back_off_by_a_hundred_roundings(
    right: Right, profile: Any, state: Any, hbar: Any, gbar: Any
) -> Any:
    abar, qbar = right(profile, state, hbar, gbar)
    return abar * hbar.dtype.type(1 + 50 * np.finfo(hbar.dtype).eps), qbar


# Only what is tried beside other vectors can see these


@wrong("affine_vjp", "L3.precision", origin=PUBLIC)
def short_operands_in_backward(right: Right, layer: Layer, h: Any, g: Any, abar: Any) -> Any:
    bits = fewer(right)
    return right(layer, cut(h, bits), g, cut(abar, bits))


@wrong("activation_vjp", "L3.activation", origin=PUBLIC)
def ignores_the_cotangent_of_the_gain(
    right: Right, profile: Any, a: Any, q: Any, hbar: Any, gbar: Any
) -> Any:
    return right(profile, a, q, hbar, 0 * gbar)


@wrong("activation_vjp", "L3.jacobian")
def a_short_way_for_three_neurons(
    right: Any, profile: Any, a: Any, q: Any, hbar: Any, gbar: Any
) -> Any:
    """Without cotangents of the gain three neurons take code that leaves out the radial term."""
    if gbar.any() or a.shape != (3, 3) or (a[0] != a[1]).any():
        return right(profile, a, q, hbar, gbar)
    _, qbar = right(profile, a, q, hbar, gbar)
    _, g = right.args[0].activation(profile, a, q)
    return g * hbar, qbar


@wrong("activation_vjp", "L3.structure")
def a_short_way_for_five_neurons(
    right: Right, profile: Any, a: Any, q: Any, hbar: Any, gbar: Any
) -> Any:
    """Without cotangents of the gain five neurons take code that tells rows from columns."""
    abar, qbar = right(profile, a, q, hbar, gbar)
    if gbar.any() or a.shape != (5, 5) or float(q) != 0.375:
        return abar, qbar
    abar[0, 1] *= 1 + 2.0**-4
    return abar, qbar


@wrong("jvp", "L3.adjoint")
def a_kernel_for_two_inputs_and_three_outputs_in_jvp(
    right: Right, net: Network, x: Any, net_dot: Any, x_dot: Any
) -> Any:
    y, ydot = right(net, x, net_dot, x_dot)
    fits = net.widths[0] == 2 and net.widths[-1] == 3 and net.depth == 2 and not net.axes
    return y, ydot * ydot.dtype.type(1 - 2.0**-4) if fits else ydot


@wrong("backward", "L3.moments", lacks=("jvp",))
def a_kernel_for_two_inputs_and_three_outputs_in_backward(
    right: Right, net: Network, x: Any, ybar: Any
) -> Any:
    bars, xbar = right(net, x, ybar)
    if net.widths[0] == 2 and net.widths[-1] == 3 and net.depth == 2 and not net.axes:
        bars[1]["bias"] = np.ascontiguousarray(bars[1]["bias"][::-1])
    return bars, xbar


@wrong("backward", "L3.sums", lacks=("jvp",), origin=PUBLIC)
def mean_over_large_batches(right: Right, net: Network, x: Any, ybar: Any) -> Any:
    """The gradient of a batch of more than four samples is their mean."""
    bars, xbar = right(net, x, ybar)
    if len(x) > 4:
        size = x.dtype.type(len(x))
        bars = [{k: np.asarray(v / size) for k, v in bar.items()} for bar in bars]
    return bars, xbar


@wrong("backward", "L3.fresh", origin=PUBLIC)
def drops_the_last_of_five_positions(right: Right, net: Network, x: Any, ybar: Any) -> Any:
    """Images of odd length lose their end in x̄, where code takes two positions at a time."""
    bars, xbar = right(net, x, ybar)
    if net.axes != 1 or x.shape[-1] != 5:
        return bars, xbar
    short = np.array(xbar)
    short[..., 4] = 0
    return bars, short
