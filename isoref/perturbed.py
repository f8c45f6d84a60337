"""The definition, straightforward and in float64, with every intermediate perturbed at will.

It serves `tolerance` alone and shares nothing with `perceptron` and `propagation` but the profiles
and the windows of images.
"""

from __future__ import annotations

from dataclasses import replace
from math import prod, sqrt
from typing import Any, NamedTuple

import numpy as np

from isoref.convolution import at
from isoref.layer import Layer
from isoref.network import Network, Tangent, leaves
from isoref.profiles import Profile
from isoref.rounding import Perturbation
from isoref.windows import Geometry, extents, folded, images_of, rows_of, windows

NDArray = np.ndarray[Any, Any]


class Space(NamedTuple):
    """A batch in one space: h (B, n), g (B, 1) and what they came from, 0 in the input.

    With images, rows are the positions of all samples.
    """

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
        gradient, cotangents = _backward(net, x, spaces, ybar, noise)
        xbar = images_of(cotangents[0].hbar, extents(x))
        count = net.depth if with_moments else 0
        moments = tuple(_moment(net, gradient, s, noise) for s in range(1, count + 1))
    if velocity is not None:
        ydot = _jvp(net, spaces, *velocity, noise)
    if ybar is not None and gradient is not None and velocity is not None:
        inner = sum(np.sum(a * b) for _, _, (a, b) in leaves(gradient, velocity[0]))
        adjoint = np.sum(ybar * ydot) - inner - np.sum(xbar * velocity[1])
    return Results(y, gradient, xbar, ydot, adjoint, moments, spaces[1:], cotangents)


def _forward(net: Network, x: NDArray, noise: Perturbation) -> tuple[NDArray, tuple[Space, ...]]:
    rows = rows_of(x)
    none = np.zeros((len(rows), 1))
    spaces = [Space(rows, none, rows, none, rows)]
    for layer, where in zip(net.layers, _readings(net, x), strict=True):
        h, g = (_windows(where, v, noise) for v in (spaces[-1].h, spaces[-1].g))
        weight, psi = _flat(layer)
        a = noise.products((h, weight.T), (_ones(h), layer.bias[None]), (g, psi.T))
        if layer.q is not None:
            space = _activation(net.profile, a, layer.q, noise)
            skipped = [spaces[source].h for source in net.sources(len(spaces))]
            if skipped:
                space = space._replace(h=noise.terms(space.h, *skipped))
            spaces.append(space)
    return images_of(a, where.out), tuple(spaces)


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
    h_dot = rows_of(x_dot)
    g_dot, dots = np.zeros((len(h_dot), 1)), [h_dot]
    for i, (layer, dot, where, space) in enumerate(
        zip(net.layers, net_dot.layers, _readings(net, x_dot), spaces, strict=True)
    ):
        h, g, h_dot, g_dot = (_windows(where, v, noise) for v in (space.h, space.g, h_dot, g_dot))
        (weight, psi), (weight_dot, psi_dot) = _flat(layer), _flat(dot)
        read = (h, weight_dot.T), (h_dot, weight.T)
        gained = (_ones(h), dot.bias[None]), (g_dot, psi.T), (g, psi_dot.T)
        a_dot = noise.products(*read, *gained)
        if layer.q is None:
            break
        _, r, u, *_ = spaces[i + 1]
        gamma, delta, gamma_prime, kappa = _ladder(net.profile, r, noise)
        radial, half = _dot(u, a_dot, noise), 0.5 * np.asarray(dot.q) * _ones(r)
        skipped = (dots[source] for source in net.sources(i + 1))
        h_dot = noise.terms(gamma * a_dot, delta * radial * u, gamma_prime * half * u, *skipped)
        dots.append(h_dot)
        g_dot = noise.terms(gamma_prime * radial, _times(kappa, half))
    return np.asarray(images_of(a_dot, where.out))


def _backward(
    net: Network, x: NDArray, spaces: tuple[Space, ...], ybar: NDArray, noise: Perturbation
) -> tuple[Tangent, tuple[Cotangents, ...]]:
    layers: list[Layer] = []
    cotangents: list[Cotangents] = []
    carried: dict[int, list[NDArray]] = {}
    abar, qbar = rows_of(ybar), None
    for i, layer, where, (_, r, u, g, h) in zip(
        range(net.depth, -1, -1),
        net.layers[::-1],
        _readings(net, x)[::-1],
        spaces[::-1],
        strict=True,
    ):
        weight, psi = _flat(layer)
        weight_bar = noise.products((abar.T, _windows(where, h, noise)))
        bias = noise.products((_ones(abar).T, abar))[0]
        psi_bar = psi
        if layer.psi is not None:
            psi_bar = noise.products((abar.T, _windows(where, g, noise)))
        layers.append(_shaped(layer, weight_bar, bias, psi_bar, qbar))
        hbar = _folded(where, noise.products((abar, weight)), noise)
        if i in carried:
            hbar = noise.terms(hbar, *carried[i])
        for source in net.sources(i):
            carried.setdefault(source, []).append(hbar)
        gbar = _folded(where, noise.products((abar, psi)), noise)
        cotangents.append(Cotangents(hbar, gbar, abar))
        if layer.psi is None:
            break
        gamma, delta, gamma_prime, kappa = _ladder(net.profile, r, noise)
        radial = _dot(u, hbar, noise)
        abar = noise.terms(gamma * hbar, delta * radial * u, gamma_prime * gbar * u)
        half = _ones(r).T / 2
        halves = (half, gamma_prime * radial), (half, _times(kappa, gbar))
        qbar = noise.products(*halves)[0, 0]
    return Tangent(layers[::-1], skips=net.skips), tuple(cotangents[::-1])


def _moment(net: Network, gradient: Tangent, space: int, noise: Perturbation) -> NDArray:
    """The antisymmetric part of `gauge.moment`, zero without perturbation (C31)."""
    pairs = [pair for member in net.members(space) for pair in _terms(net, gradient, member)]
    value = noise.products(*pairs)
    return np.asarray(value - value.T)


def _terms(net: Network, gradient: Tangent, space: int) -> list[tuple[NDArray, NDArray]]:
    below, bar = net.layers[space - 1], gradient.layers[space - 1]
    above, bar_above = net.layers[space].weight, gradient.layers[space].weight
    rows = [np.reshape(v, (len(v), -1)) for v in (below.weight, bar.weight)]
    columns = [np.reshape(np.moveaxis(v, 1, 0), (v.shape[1], -1)) for v in (bar_above, above)]
    bias, (psi, psi_bar) = (
        (below.bias[:, None], bar.bias[None]),
        (_flat(la)[1] for la in (below, bar)),
    )
    return [(rows[0], rows[1].T), bias, (psi, psi_bar.T), (-columns[0], columns[1].T)]


# A layer on windows of rows


def _readings(net: Network, x: NDArray) -> list[Geometry]:
    """Return how each layer reads the images that come from x."""
    found: list[Geometry] = []
    for layer in net.layers:
        found.append(at(layer, found[-1].out if found else extents(x)))
    return found


def _flat(layer: Layer) -> tuple[NDArray, NDArray]:
    """W (n_out, taps·n_in), taps first, and ψ (n_out, taps), zeros in the first layer."""
    rows, columns, *kernel = layer.weight.shape
    weight = np.reshape(layer.weight, (rows, columns, -1)).swapaxes(1, 2).reshape(rows, -1)
    if layer.psi is None:
        return weight, np.zeros((rows, prod(kernel)))
    return weight, np.reshape(layer.psi, (rows, -1))


def _shaped(like: Layer, weight: NDArray, bias: NDArray, psi: NDArray, q: Any) -> Layer:
    rows, columns, *kernel = like.weight.shape
    flat = weight.reshape(rows, -1, columns).swapaxes(1, 2).reshape(like.weight.shape)
    gains = None if like.psi is None else psi.reshape(rows, *kernel)
    return replace(like, weight=flat, bias=bias, psi=gains, q=q)


def _windows(where: Geometry, rows: NDArray, noise: Perturbation) -> NDArray:
    """Windows copy, but for the averages of pooling."""
    found = windows(where, rows)
    block = prod(where.blocks)
    return found if block == 1 else noise.summed(found, windows(where, np.abs(rows)), block)


def _folded(where: Geometry, found: NDArray, noise: Perturbation) -> NDArray:
    """The sum over the windows that a position stands in."""
    rows = folded(where, found)
    return rows if where.trivial else noise.summed(rows, folded(where, np.abs(found)), where.taps)


def _ones(rows: NDArray) -> NDArray:
    return np.ones((len(rows), 1))


def _dot(u: NDArray, v: NDArray, noise: Perturbation) -> NDArray:
    return noise.products((u[:, None, :], v[:, :, None]))[:, :, 0]


def _times(kappa: NDArray, factor: NDArray) -> NDArray:
    return np.where(factor == 0, 0.0, np.where(factor == 0, 0.0, kappa) * factor)
