"""Wrong perceptrons, one mistake each, that every check of values and derivatives must see.

`MUTANTS` names the function of `isoref.propagation` that each one replaces. Most are the shipped
function with one term changed, so that a mutant is wrong where its mistake is and nowhere else.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from isoref import Layer, perceptron

AFFINE: Any = perceptron.affine
AFFINE_VJP: Any = perceptron.affine_vjp
ACTIVATION: Any = perceptron.activation
VJP: Any = perceptron.activation_vjp
JVP: Any = perceptron.activation_jvp


def _dot(u: Any, v: Any) -> Any:
    return (u * v).sum(axis=1, keepdims=True)


def epsilon_under_the_root(profile: Any, a: Any, q: Any) -> Any:
    return ACTIVATION(profile, a, q + np.asarray(1e-8, a.dtype))


def q_is_o(profile: Any, a: Any, q: Any) -> Any:
    return ACTIVATION(profile, a, q * q)


def without_q(profile: Any, a: Any, q: Any) -> Any:
    return ACTIVATION(profile, a, 0 * q)


def linear_near_zero(profile: Any, a: Any, q: Any) -> Any:
    state = ACTIVATION(profile, a, q)
    near = state.r <= 1e-3
    gain = profile.gamma(np.where(near, np.zeros_like(state.r), state.r))
    return state._replace(h=np.where(near, gain * a, state.h), g=gain)


def norm_over_the_batch(profile: Any, a: Any, q: Any) -> Any:
    state = ACTIVATION(profile, a, q)
    r = np.resize(ACTIVATION(profile, np.ascontiguousarray(a.T), q).r, (len(a), 1))
    return state._replace(h=profile.sigma(r) * a / r, g=profile.gamma(r), r=r, u=a / r)


def gain_as_sigma(profile: Any, a: Any, q: Any) -> Any:
    state = ACTIVATION(profile, a, q)
    return state._replace(h=profile.gamma(state.r) * state.u)


def sigma_as_gain(profile: Any, a: Any, q: Any) -> Any:
    state = ACTIVATION(profile, a, q)
    return state._replace(g=profile.sigma(state.r))


def without_psi(layer: Layer, h: Any, g: Any) -> Any:
    return AFFINE(layer, h, None)


def without_bias(layer: Layer, h: Any, g: Any) -> Any:
    return AFFINE(layer, h, g) - layer.bias


def weight_transposed(layer: Layer, h: Any, g: Any) -> Any:
    w = np.asarray(layer.weight)
    return AFFINE(layer, h, g) + (h @ (w - w.T) if len(w) == len(w.T) else 0)


def psi_of_this_gain_forgotten(layer: Layer, h: Any, g: Any, abar: Any) -> Any:
    entries, hbar, gbar = AFFINE_VJP(layer, h, g, abar)
    return ({**entries, "psi": abar.sum(0)} if "psi" in entries else entries), hbar, gbar


def weight_transposed_in_vjp(layer: Layer, h: Any, g: Any, abar: Any) -> Any:
    entries, hbar, gbar = AFFINE_VJP(layer, h, g, abar)
    w = np.asarray(layer.weight)
    return entries, (abar @ w.T if len(w) == len(w.T) else hbar), gbar


def mean_over_the_batch(layer: Layer, h: Any, g: Any, abar: Any) -> Any:
    entries, hbar, gbar = AFFINE_VJP(layer, h, g, abar)
    return {**entries, "bias": entries["bias"] / len(abar)}, hbar, gbar


def without_radial_term(profile: Any, state: Any, hbar: Any, gbar: Any) -> Any:
    abar = state.g * hbar + profile.gamma_prime(state.r) * gbar * state.u
    return abar, VJP(profile, state, hbar, gbar)[1]


def sigma_prime_as_delta(profile: Any, state: Any, hbar: Any, gbar: Any) -> Any:
    abar, qbar = VJP(profile, state, hbar, gbar)
    return abar + state.g * _dot(state.u, hbar) * state.u, qbar


def gain_has_no_cotangent(profile: Any, state: Any, hbar: Any, gbar: Any) -> Any:
    return VJP(profile, state, hbar, 0 * gbar)


def sign_of_gamma_prime(profile: Any, state: Any, hbar: Any, gbar: Any) -> Any:
    abar, qbar = VJP(profile, state, hbar, gbar)
    return abar - 2 * profile.gamma_prime(state.r) * gbar * state.u, qbar


def half_missing_in_q(profile: Any, state: Any, hbar: Any, gbar: Any) -> Any:
    abar, qbar = VJP(profile, state, hbar, gbar)
    return abar, 2 * qbar


def kappa_missing_in_q(profile: Any, state: Any, hbar: Any, gbar: Any) -> Any:
    abar, _ = VJP(profile, state, hbar, gbar)
    return abar, profile.gamma_prime(state.r) * _dot(state.u, hbar) * 0.5


def kappa_times_a(profile: Any, state: Any, hbar: Any, gbar: Any) -> Any:
    a = state.r * state.u
    abar = state.g * hbar + profile.kappa(state.r) * (_dot(a, hbar) + gbar) * a
    return abar, VJP(profile, state, hbar, gbar)[1]


def kappa_times_a_in_jvp(profile: Any, state: Any, a_dot: Any, q_dot: Any) -> Any:
    a = state.r * state.u
    kappa = profile.kappa(state.r)
    h_dot = state.g * a_dot + kappa * (_dot(a, a_dot) + q_dot / 2) * a
    return h_dot, kappa * _dot(a, a_dot) + kappa * q_dot / 2


def without_radial_term_in_jvp(profile: Any, state: Any, a_dot: Any, q_dot: Any) -> Any:
    h_dot, g_dot = JVP(profile, state, a_dot, q_dot)
    return h_dot - profile.delta(state.r) * _dot(state.u, a_dot) * state.u, g_dot


def half_missing_in_jvp(profile: Any, state: Any, a_dot: Any, q_dot: Any) -> Any:
    return JVP(profile, state, a_dot, 2 * q_dot)


MUTANTS: dict[str, list[Callable[..., Any]]] = {
    "activation": [
        epsilon_under_the_root,
        q_is_o,
        without_q,
        linear_near_zero,
        norm_over_the_batch,
        gain_as_sigma,
        sigma_as_gain,
    ],
    "affine": [without_psi, without_bias, weight_transposed],
    "affine_vjp": [psi_of_this_gain_forgotten, weight_transposed_in_vjp, mean_over_the_batch],
    "activation_vjp": [
        without_radial_term,
        sigma_prime_as_delta,
        gain_has_no_cotangent,
        sign_of_gamma_prime,
        half_missing_in_q,
        kappa_missing_in_q,
        kappa_times_a,
    ],
    "activation_jvp": [kappa_times_a_in_jvp, without_radial_term_in_jvp, half_missing_in_jvp],
}
