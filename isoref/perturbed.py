"""The definition, straightforward and in float64, with every intermediate perturbed at will.

It serves `tolerance` alone and shares nothing with `perceptron` and `propagation` but the profiles.
"""

from __future__ import annotations

from math import sqrt
from typing import Any, NamedTuple

import numpy as np

from isoref.layer import Layer
from isoref.network import Network, Tangent, leaves
from isoref.profiles import Profile
from isoref.rounding import Perturbation

NDArray = np.ndarray[Any, Any]


class Space(NamedTuple):
    """A batch in one space: h (B, n), g (B, 1) and what they came from, 0 in the input."""

    a: NDArray
    r: NDArray
    u: NDArray
    g: NDArray
    h: NDArray


class Cotangents(NamedTuple):
    """The cotangents of one layer's input (h, g) and of its pre-activation a."""

    hbar: NDArray
    gbar: NDArray
    abar: NDArray


class Results(NamedTuple):
    """What one evaluation gives, intermediates last; None for what was not asked for."""

    y: NDArray
    gradient: Tangent | None
    xbar: NDArray | None
    ydot: NDArray | None
    adjoint: NDArray | None
    moments: tuple[NDArray, ...]
    spaces: tuple[Space, ...]
    cotangents: tuple[Cotangents, ...]


def evaluate(
    net: Network,
    x: NDArray,
    ybar: NDArray | None,
    velocity: tuple[Tangent, NDArray] | None,
    noise: Perturbation,
    *,
    with_moments: bool = True,
) -> Results:
    """Evaluate forward, and backward and jvp where their arguments are given, with `noise`."""
    y, spaces = _forward(net, x, noise)
    gradient = xbar = ydot = adjoint = None
    moments: tuple[NDArray, ...] = ()
    cotangents: tuple[Cotangents, ...] = ()
    if ybar is not None:
        gradient, cotangents = _backward(net, spaces, ybar, noise)
        xbar = cotangents[0].hbar
        count = net.depth if with_moments else 0
        moments = tuple(_moment(net, gradient, s, noise) for s in range(1, count + 1))
    if velocity is not None:
        ydot = _jvp(net, spaces, *velocity, noise)
    if ybar is not None and gradient is not None and velocity is not None:
        inner = sum(np.sum(a * b) for _, _, (a, b) in leaves(gradient, velocity[0]))
        adjoint = np.sum(ybar * ydot) - inner - np.sum(xbar * velocity[1])
    return Results(y, gradient, xbar, ydot, adjoint, moments, spaces[1:], cotangents)


def _forward(net: Network, x: NDArray, noise: Perturbation) -> tuple[NDArray, tuple[Space, ...]]:
    one = np.ones((len(x), 1))
    spaces = [Space(x, 0 * one, x, 0 * one, x)]
    for layer in net.layers:
        h, g = spaces[-1].h, spaces[-1].g
        a = noise.products((h, layer.weight.T), (one, layer.bias[None]), (g, _psi(layer)))
        if layer.q is not None:
            spaces.append(_activation(net.profile, a, layer.q, noise))
    return a, tuple(spaces)


def _activation(profile: Profile, a: NDArray, q: Any, noise: Perturbation) -> Space:
    largest = np.maximum(np.max(np.abs(a), axis=1, keepdims=True), np.sqrt(q))
    scale = np.where(largest == 0, 1.0, largest)
    length = np.sqrt(np.sum((a / scale) ** 2, axis=1, keepdims=True) + (np.sqrt(q) / scale) ** 2)
    r = noise.relative(scale * length, 0.25 * sqrt(a.shape[1]) + 2.5)
    u = np.where(r == 0, 0.0, a / scale / np.where(r == 0, 1.0, r / scale))
    sigma, g = noise.relative(profile.sigma(r), 4), noise.relative(profile.gamma(r), 4)
    return Space(a, r, u, g, noise.relative(sigma * u, 1))


def _ladder(profile: Profile, r: NDArray, noise: Perturbation) -> tuple[NDArray, ...]:
    kappa = profile.kappa(r)
    kappa = np.where((r == 0) & np.isinf(kappa), 0.0, kappa)
    values = profile.gamma(r), profile.delta(r), profile.gamma_prime(r), kappa
    return tuple(noise.relative(value, 4) for value in values)


def _jvp(
    net: Network,
    spaces: tuple[Space, ...],
    net_dot: Tangent,
    x_dot: NDArray,
    noise: Perturbation,
) -> NDArray:
    one = np.ones((len(x_dot), 1))
    h_dot, g_dot = x_dot, 0 * one
    for i, (layer, dot, (_, _, _, g, h)) in enumerate(
        zip(net.layers, net_dot.layers, spaces, strict=True)
    ):
        read = (h, dot.weight.T), (h_dot, layer.weight.T)
        gained = (one, dot.bias[None]), (g_dot, _psi(layer)), (g, _psi(dot))
        a_dot = noise.products(*read, *gained)
        if layer.q is None:
            break
        _, r, u, *_ = spaces[i + 1]
        gamma, delta, gamma_prime, kappa = _ladder(net.profile, r, noise)
        radial, half = _dot(u, a_dot, noise), 0.5 * np.asarray(dot.q) * one
        h_dot = noise.terms(gamma * a_dot, delta * radial * u, gamma_prime * half * u)
        g_dot = noise.terms(gamma_prime * radial, _times(kappa, half))
    return a_dot


def _backward(
    net: Network, spaces: tuple[Space, ...], ybar: NDArray, noise: Perturbation
) -> tuple[Tangent, tuple[Cotangents, ...]]:
    one = np.ones((len(ybar), 1))
    layers: list[Layer] = []
    cotangents: list[Cotangents] = []
    abar, qbar = ybar, None
    for layer, (_, r, u, g, h) in zip(net.layers[::-1], spaces[::-1], strict=True):
        weight, bias = noise.products((abar.T, h)), noise.products((one.T, abar))[0]
        psi = None if layer.psi is None else noise.products((g.T, abar))[0]
        layers.append(Layer(weight, bias, psi, qbar))
        hbar = noise.products((abar, layer.weight))
        gbar = noise.products((abar, _psi(layer).T))
        cotangents.append(Cotangents(hbar, gbar, abar))
        if layer.psi is None:
            break
        gamma, delta, gamma_prime, kappa = _ladder(net.profile, r, noise)
        radial = _dot(u, hbar, noise)
        abar = noise.terms(gamma * hbar, delta * radial * u, gamma_prime * gbar * u)
        halves = (one.T / 2, gamma_prime * radial), (one.T / 2, _times(kappa, gbar))
        qbar = noise.products(*halves)[0, 0]
    return Tangent(layers[::-1]), tuple(cotangents[::-1])


def _moment(net: Network, gradient: Tangent, space: int, noise: Perturbation) -> NDArray:
    """The antisymmetric part of `gauge.moment`, zero without perturbation (C31)."""
    below, bar = net.layers[space - 1], gradient.layers[space - 1]
    above, bar_above = net.layers[space].weight, gradient.layers[space].weight
    bias, psi = (below.bias[:, None], bar.bias[None]), (_psi(below).T, _psi(bar))
    value = noise.products((below.weight, bar.weight.T), bias, psi, (-bar_above.T, above))
    return value - value.T


def _psi(layer: Layer) -> NDArray:
    """ψ as a row, zeros in the first layer."""
    return np.zeros((1, len(layer.bias))) if layer.psi is None else np.asarray(layer.psi)[None]


def _dot(u: NDArray, v: NDArray, noise: Perturbation) -> NDArray:
    return noise.products((u[:, None, :], v[:, :, None]))[:, :, 0]


def _times(kappa: NDArray, factor: NDArray) -> NDArray:
    return np.where(factor == 0, 0.0, np.where(factor == 0, 0.0, kappa) * factor)
