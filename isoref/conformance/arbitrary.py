"""Networks of any kind, drawn from a seed: any depth, widths, q, windows, pools, skips and sizes.

The networks of `subjects` are few and known; these are other ones for every seed.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import combinations
from typing import Any

import numpy as np

from isoref.conformance.plan import Context
from isoref.conformance.subjects import Subject
from isoref.convolution import written
from isoref.layer import Layer
from isoref.network import Network
from isoref.profiles import Profile, relu

NDArray = np.ndarray[Any, Any]

KINDS = {"dense": (), "wide": (), "skips": (), "line": (16,), "plane": (10, 10), "pools": (16,)}
"""Names of networks and the largest extents of the images that they read."""
SIZES = 20
"""Inputs, outputs and the weights beside them are as small as 2 to the minus this, and as large."""
CONNECTED = ("skips", "pools")
"""Those that have skips."""
DEPTH = 4
"""The largest; one more with skips."""


def arbitrary(context: Context, key: str, rounds: int) -> Iterator[tuple[Profile, Subject]]:
    """Yield so many networks of every kind, each with one of the claimed profiles.

    The profile comes along as it is claimed: the network's own has another τ if it is `relu`.

    Examples
    --------
    >>> from isoref.conformance.adapter import offer
    >>> from isoref.conformance.adapters.reference import Adapter
    >>> from isoref.conformance.calls import Calls
    >>> from isoref.conformance.vectors import Corpus
    >>> from isoref.tolerance import FLOAT64
    >>> context = Context(Calls(offer(Adapter)), FLOAT64, Corpus("", ()))
    >>> [subject.text for _, subject in arbitrary(context, "x", 1)]
    ['dense.0', 'wide.0', 'skips.0', 'line.0', 'plane.0', 'pools.0']
    """
    order = context.rng(key, "profiles").permutation(len(context.profiles))
    count = 0
    for k in range(rounds):
        for kind, largest in KINDS.items():
            turn = k + int(context.rng(key, kind).integers(DEPTH + 1))
            claimed = context.profiles[order[count % len(order)]]
            rng, count = context.rng(key, kind, str(k)), count + 1
            image = tuple(int(rng.integers(extent // 2, extent + 1)) for extent in largest)
            net = _network(context, rng, _other(claimed, rng), kind, turn, image)
            net, sizes = _resized(net, rng)
            x = _inputs(rng, (int(rng.integers(1, rng.choice([7, 7, 25]))), net.widths[0], *image))
            x = (x * sizes.reshape(-1, *(1 for _ in image))).astype(context.dtype)
            features = ("convolution",) * bool(image) + ("skip",) * bool(net.skips)
            yield claimed, Subject(f"{kind}.{k}", features, net, x)


def _other(profile: Profile, rng: np.random.Generator) -> Profile:
    drawn = relu(float(np.float32(2 ** rng.uniform(-6, 0))))
    return drawn if profile.name.startswith("relu") else profile


def _inputs(rng: np.random.Generator, shape: tuple[int, ...]) -> NDArray:
    """Return inputs: with zeros of both signs, with a row of zeros or one that comes twice."""
    x = rng.standard_normal(shape)
    x[rng.random(shape) < 0.05] *= 0.0
    how = rng.integers(4)
    if how == 0:
        x[-1] = 0
    if how == 1:
        x[-1] = x[0]
    return x


def _resized(net: Network, rng: np.random.Generator) -> tuple[Network, NDArray]:
    """Return the network for inputs of other sizes, with outputs of other sizes; and the former."""
    sizes, out = (
        2.0 ** rng.integers(-SIZES, SIZES + 1, n) for n in (net.widths[0], net.widths[-1])
    )
    layers = list(net.layers)
    first = layers[0]
    per = sizes.reshape(-1, *(1 for _ in first.kernel)).astype(first.weight.dtype)
    layers[0] = replace(first, weight=first.weight / per)
    last = layers[-1]
    row = out.reshape(-1, *(1 for _ in last.kernel)).astype(last.weight.dtype)
    psi = None if last.psi is None else last.psi * row
    layers[-1] = replace(
        last, weight=last.weight * row[:, None], bias=last.bias * row.ravel(), psi=psi
    )
    return net.rebuilt(layers), sizes


def _widths(rng: np.random.Generator, kind: str, turn: int) -> list[int]:
    """Return widths of all spaces: equal ones of hidden spaces that skips may connect.

    Depths take turns, so that `DEPTH` + 1 rounds have all of them.
    """
    if kind == "wide":
        return [int(n) for n in 2 ** rng.uniform(2, 7, int(rng.integers(3, 5)))]
    connected = kind in CONNECTED
    least = 2 if connected else 0
    depth = least + turn % (DEPTH + 1 - least) + (kind == "skips")
    most = int(rng.choice([5, 5, 20]))
    hidden = [int(rng.integers(1, most))] * depth if connected else rng.integers(1, most, depth)
    return [int(rng.integers(1, 5)), *map(int, hidden), int(rng.integers(1, 4))]


def _network(
    context: Context,
    rng: np.random.Generator,
    profile: Profile,
    kind: str,
    turn: int,
    image: tuple[int, ...],
) -> Network:
    """Return a network that fits the image, with skips in any order if it is of such a kind."""
    connected = kind in CONNECTED
    while True:
        widths = _widths(rng, kind, turn)
        depth = len(widths) - 2
        layers = [_layer(context, rng, widths, i, len(image)) for i in range(depth + 1)]
        try:
            images = _images(layers, image)
        except ValueError:
            continue  # a kernel or a pool that does not fit
        if not connected:
            return Network(layers, profile)
        pairs = [(s, t) for s, t in combinations(range(1, depth + 1), 2) if images[s] == images[t]]
        chosen = [pair for pair in pairs if rng.random() < 0.6]
        pools = sum(layer.pool != 1 for layer in layers)
        if chosen and (pools or not image):
            return Network(layers, profile, skips=rng.permutation(chosen).tolist())


def _images(layers: list[Layer], image: tuple[int, ...]) -> list[tuple[int, ...]]:
    """Return the extents of the images in all spaces."""
    found = [image]
    for layer in layers:
        found.append(written(layer, found[-1]))
    return found


def _layer(
    context: Context, rng: np.random.Generator, widths: list[int], i: int, axes: int
) -> Layer:
    """Return layer i of these widths, with a kernel and a way to read images if there are any."""
    n, m = widths[i : i + 2]
    kernel = tuple(int(k) for k in rng.choice([1, 2, 3, 3, 5], axes))
    if rng.random() < 0.5:
        kernel = kernel[:1] * axes
    gained = 0.0 if "psi" in context.calls.offer.unsupported else 0.7
    entries = {
        "weight": rng.standard_normal((m, n, *kernel)) / np.sqrt(n * np.prod(kernel)),
        "bias": 0.5 * rng.standard_normal(m),
    }
    if i > 0:
        entries["psi"] = gained * rng.standard_normal((m, *kernel))
    if i < len(widths) - 2:
        entries["q"] = np.asarray(2.0 ** rng.uniform(-6, 2) * (rng.random() < 0.75))
    size = 2.0 ** rng.choice([0.0, 0.0, rng.uniform(-6, 8)])
    entries = {name: value * size ** (1 + (name == "q")) for name, value in entries.items()}
    if rng.random() < 0.08:
        entries["weight"] *= 0
    layer = Layer(**{name: value.astype(context.dtype) for name, value in entries.items()})
    if not axes:
        return layer
    return replace(
        layer,
        stride=int(rng.choice([1, 1, 2, 3])),
        padding=int(rng.integers(0, 3)),
        dilation=int(rng.choice([1, 1, 2, 3])),
        pool=int(rng.choice([1, 1, 2, 2, 3, 0] if i == len(widths) - 2 else [1, 1, 1, 2, 3, 0])),
    )
