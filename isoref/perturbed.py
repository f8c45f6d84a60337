"""The definition, straightforward and in float64, with every intermediate perturbed at will.

It serves `tolerance` alone and shares nothing with `perceptron` and `propagation` but the profiles
and the windows of images. Arrays may have an axis of evaluations before all others: formulas count
their axes from the end, so that one and many evaluations are the same code.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod, sqrt
from typing import Any, NamedTuple

import numpy as np

from isoref.convolution import at
from isoref.layer import AXES, Layer
from isoref.network import Network, Tangent
from isoref.profiles import Profile
from isoref.rounding import Perturbation
from isoref.windows import Geometry, Image, extents, folded, images_of, rows_of, windows

NDArray = np.ndarray[Any, Any]


class Entries(NamedTuple):
    """The arrays of one layer."""

    weight: NDArray
    bias: NDArray
    psi: NDArray | None
    q: NDArray | None


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
    """What one evaluation gives, intermediates last; None for what was not asked for.

    The gradient is a Tangent, or Entries of every layer where evaluations have an axis.
    """

    y: NDArray
    gradient: Any
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
    found = _evaluated(net, _entries(net), x, ybar, velocity, noise, (), with_moments)
    if found.gradient is None:
        return found
    return found._replace(gradient=tangent(net, found.gradient))


def evaluations(
    net: Network,
    x: NDArray,
    ybar: NDArray | None,
    velocity: tuple[Tangent, NDArray] | None,
    noise: Perturbation,
    *,
    deviation: Tangent | None = None,
    with_moments: bool = True,
) -> Results:
    """Evaluate as often as `noise` has deviates, once without: the first axis of all results.

    Parameters are perturbed by their `deviation`.
    """
    entries = _entries(net)
    if deviation is not None:
        pairs = zip(entries, _entries(deviation), strict=True)
        entries = [_perturbed(own, spread, noise) for own, spread in pairs]
    return _evaluated(net, entries, x, ybar, velocity, noise, (1,), with_moments)


def tangent(like: Network, gradient: Sequence[Entries]) -> Tangent:
    """Return entries, of one evaluation, as a Tangent at `like`."""
    pairs = zip(gradient, like.layers, strict=True)
    return Tangent((Layer(*own, **layer.reading) for own, layer in pairs), skips=like.skips)


def _entries(tree: Network | Tangent) -> list[Entries]:
    return [Entries(*(getattr(layer, name) for name in AXES)) for layer in tree.layers]


def _perturbed(own: Entries, spread: Entries, noise: Perturbation) -> Entries:
    def moved(value: NDArray | None, deviation: NDArray | None) -> Any:
        if value is None or deviation is None:
            return None
        return noise.parameter(value[None], deviation)

    weight, bias, psi, q = map(moved, own, spread)
    return Entries(weight, bias, psi, None if q is None else np.abs(q))


def _evaluated(
    net: Network,
    layers: Sequence[Entries],
    x: NDArray,
    ybar: NDArray | None,
    velocity: tuple[Tangent, NDArray] | None,
    noise: Perturbation,
    lead: tuple[int, ...],
    with_moments: bool,
) -> Results:
    """Evaluate with these parameters; rows get the leading axes `lead`, of extent 1."""
    readings = _readings(net, x)
    rows = _rows(x, lead)
    out, spaces = _forward(net, layers, readings, rows, noise)
    y = _images(out, readings[-1].out)
    gradient = xbar = ydot = adjoint = None
    moments: tuple[NDArray, ...] = ()
    cotangents: tuple[Cotangents, ...] = ()
    if ybar is not None:
        bars = _rows(ybar, lead)
        gradient, cotangents = _backward(net, layers, readings, spaces, bars, noise)
        xbar = _images(cotangents[0].hbar, extents(x))
        count = net.depth if with_moments else 0
        moments = tuple(_moment(net, layers, gradient, s, noise) for s in range(1, count + 1))
    if velocity is not None:
        dots, moving = _entries(velocity[0]), _rows(velocity[1], lead)
        ydot = _images(_jvp(net, layers, dots, readings, spaces, moving, noise), readings[-1].out)
    if ybar is not None and gradient is not None and velocity is not None:
        inner = sum(
            _total(bar * dot, lead)
            for of_layer in zip(gradient, dots, strict=True)
            for bar, dot in zip(*of_layer, strict=True)
            if bar is not None
        )
        adjoint = _total(ybar * ydot, lead) - inner - _total(xbar * velocity[1], lead)
    return Results(y, gradient, xbar, ydot, adjoint, moments, spaces[1:], cotangents)


def _forward(
    net: Network,
    layers: Sequence[Entries],
    readings: Sequence[Geometry],
    rows: NDArray,
    noise: Perturbation,
) -> tuple[NDArray, tuple[Space, ...]]:
    none = np.zeros((*rows.shape[:-1], 1))
    spaces = [Space(rows, none, rows, none, rows)]
    for layer, where in zip(layers, readings, strict=True):
        h, g = (_windows(where, v, noise) for v in (spaces[-1].h, spaces[-1].g))
        weight, psi = _flat(layer)
        a = noise.products((h, weight.mT), (_ones(h), layer.bias[..., None, :]), (g, psi.mT))
        if layer.q is not None:
            space = _activation(net.profile, a, layer.q[..., None, None], noise)
            skipped = [spaces[source].h for source in net.sources(len(spaces))]
            if skipped:
                space = space._replace(h=noise.terms(space.h, *skipped))
            spaces.append(space)
    return a, tuple(spaces)


def _activation(profile: Profile, a: NDArray, q: Any, noise: Perturbation) -> Space:
    largest = np.maximum(np.max(np.abs(a), axis=-1, keepdims=True), np.sqrt(q))
    scale = np.where(largest == 0, 1.0, largest)
    length = np.sqrt(np.sum((a / scale) ** 2, axis=-1, keepdims=True) + (np.sqrt(q) / scale) ** 2)
    r = noise.relative(scale * length, 0.25 * sqrt(a.shape[-1]) + 2.5)
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
    layers: Sequence[Entries],
    dots: Sequence[Entries],
    readings: Sequence[Geometry],
    spaces: tuple[Space, ...],
    h_dot: NDArray,
    noise: Perturbation,
) -> NDArray:
    g_dot, moving = np.zeros((*h_dot.shape[:-1], 1)), [h_dot]
    for i, (layer, dot, where, space) in enumerate(
        zip(layers, dots, readings, spaces, strict=True)
    ):
        h, g, h_dot, g_dot = (_windows(where, v, noise) for v in (space.h, space.g, h_dot, g_dot))
        (weight, psi), (weight_dot, psi_dot) = _flat(layer), _flat(dot)
        read = (h, weight_dot.mT), (h_dot, weight.mT)
        gained = (_ones(h), dot.bias[..., None, :]), (g_dot, psi.mT), (g, psi_dot.mT)
        a_dot = noise.products(*read, *gained)
        if dot.q is None:
            break
        _, r, u, *_ = spaces[i + 1]
        gamma, delta, gamma_prime, kappa = _ladder(net.profile, r, noise)
        radial, half = _dot(u, a_dot, noise), 0.5 * dot.q[..., None, None] * _ones(r)
        skipped = (moving[source] for source in net.sources(i + 1))
        h_dot = noise.terms(gamma * a_dot, delta * radial * u, gamma_prime * half * u, *skipped)
        moving.append(h_dot)
        g_dot = noise.terms(gamma_prime * radial, _times(kappa, half))
    return a_dot


def _backward(
    net: Network,
    layers: Sequence[Entries],
    readings: Sequence[Geometry],
    spaces: tuple[Space, ...],
    abar: NDArray,
    noise: Perturbation,
) -> tuple[tuple[Entries, ...], tuple[Cotangents, ...]]:
    found: list[Entries] = []
    cotangents: list[Cotangents] = []
    carried: dict[int, list[NDArray]] = {}
    qbar = None
    for i, layer, where, (_, r, u, g, h) in zip(
        range(net.depth, -1, -1), layers[::-1], readings[::-1], spaces[::-1], strict=True
    ):
        weight, psi = _flat(layer)
        weight_bar = noise.products((abar.mT, _windows(where, h, noise)))
        bias = noise.products((_ones(abar).mT, abar))[..., 0, :]
        psi_bar = psi
        if layer.psi is not None:
            psi_bar = noise.products((abar.mT, _windows(where, g, noise)))
        found.append(_shaped(net.layers[i], weight_bar, bias, psi_bar, qbar))
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
        half = _ones(r).mT / 2
        halves = (half, gamma_prime * radial), (half, _times(kappa, gbar))
        qbar = noise.products(*halves)[..., 0, 0]
    return tuple(found[::-1]), tuple(cotangents[::-1])


def _moment(
    net: Network,
    layers: Sequence[Entries],
    gradient: Sequence[Entries],
    space: int,
    noise: Perturbation,
) -> NDArray:
    """The antisymmetric part of `gauge.moment`, zero without perturbation (C31)."""
    pairs = [pair for member in net.members(space) for pair in _terms(layers, gradient, member)]
    value = noise.products(*pairs)
    return np.asarray(value - value.mT)


def _terms(
    layers: Sequence[Entries], gradient: Sequence[Entries], space: int
) -> list[tuple[NDArray, NDArray]]:
    below, bar = layers[space - 1], gradient[space - 1]
    rows = [_unfolded(la.weight, la.bias, 0) for la in (below, bar)]
    bar_above, above = (
        _unfolded(tree[space].weight, tree[space].bias, 1) for tree in (gradient, layers)
    )
    (psi, psi_bar) = (_flat(la)[1] for la in (below, bar))
    bias = below.bias[..., :, None], bar.bias[..., None, :]
    return [(rows[0], rows[1].mT), bias, (psi, psi_bar.mT), (-bar_above, above.mT)]


def _unfolded(weight: NDArray, bias: NDArray, axis: int) -> NDArray:
    """One axis of a weight as rows, all others flat behind it."""
    lead = bias.ndim - 1
    moved = np.moveaxis(weight, lead + axis, lead)
    return np.reshape(moved, (*moved.shape[: lead + 1], -1))


# A layer on windows of rows


def _readings(net: Network, x: NDArray) -> list[Geometry]:
    """Return how each layer reads the images that come from x."""
    found: list[Geometry] = []
    for layer in net.layers:
        found.append(at(layer, found[-1].out if found else extents(x)))
    return found


def _flat(layer: Entries) -> tuple[NDArray, NDArray]:
    """W (n_out, taps·n_in), taps first, and ψ (n_out, taps), zeros in the first layer."""
    *lead, rows = layer.bias.shape
    columns, *kernel = layer.weight.shape[len(lead) + 1 :]
    weight = np.reshape(layer.weight, (*lead, rows, columns, -1)).mT.reshape(*lead, rows, -1)
    if layer.psi is None:
        return weight, np.zeros((*lead, rows, prod(kernel)))
    return weight, np.reshape(layer.psi, (*lead, rows, -1))


def _shaped(like: Layer, weight: NDArray, bias: NDArray, psi: NDArray, q: Any) -> Entries:
    rows, columns, *kernel = like.weight.shape
    lead = weight.shape[:-2]
    flat = weight.reshape(*lead, rows, -1, columns).mT.reshape(*lead, *like.weight.shape)
    return Entries(flat, bias, None if like.psi is None else psi.reshape(*lead, rows, *kernel), q)


def _rows(x: NDArray, lead: tuple[int, ...]) -> NDArray:
    """A batch as rows, with leading axes."""
    rows = rows_of(x)
    return np.reshape(rows, (*lead, *rows.shape)) if lead else np.asarray(rows)


def _images(rows: NDArray, image: Image) -> NDArray:
    """Rows, behind any leading axes, as images."""
    return _each(lambda flat: images_of(flat, image), rows) if image else rows


def _each(function: Callable[[NDArray], NDArray], rows: NDArray) -> NDArray:
    """Apply what treats every sample alike to rows behind leading axes."""
    *lead, _, n = rows.shape
    if not lead:
        return function(rows)
    found = function(np.reshape(rows, (-1, n)))
    return np.reshape(found, (*lead, len(found) // prod(lead), *found.shape[1:]))


def _total(terms: NDArray, lead: tuple[int, ...]) -> NDArray:
    """The sum over all but the leading axes."""
    return np.asarray(np.sum(np.reshape(terms, (*terms.shape[: len(lead)], -1)), axis=-1))


def _windows(where: Geometry, rows: NDArray, noise: Perturbation) -> NDArray:
    """Windows copy, but for the averages of pooling."""
    if where.trivial:
        return rows
    found, block = _each(lambda flat: windows(where, flat), rows), prod(where.blocks)
    if block == 1:
        return found
    return noise.summed(found, _each(lambda flat: windows(where, flat), np.abs(rows)), block)


def _folded(where: Geometry, found: NDArray, noise: Perturbation) -> NDArray:
    """The sum over the windows that a position stands in."""
    if where.trivial:
        return found
    rows, sizes = (_each(lambda flat: folded(where, flat), v) for v in (found, np.abs(found)))
    return noise.summed(rows, sizes, where.taps)


def _ones(rows: NDArray) -> NDArray:
    return np.ones((*rows.shape[:-1], 1))


def _dot(u: NDArray, v: NDArray, noise: Perturbation) -> NDArray:
    return noise.products((u[..., None, :], v[..., :, None]))[..., 0]


def _times(kappa: NDArray, factor: NDArray) -> NDArray:
    return np.where(factor == 0, 0.0, np.where(factor == 0, 0.0, kappa) * factor)
