"""Correct implementations of specification, sections 2 and 3, that differ in the order of sums.

Straightforward, in float64 or float32 with every operation rounded to that dtype; of isoref only
the profiles are used. An algorithm is the function that contracts two arrays, (…, m, n) with
(…, n, p); every sum of the evaluation goes through it. `reference` has more digits than any.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import reduce
from operator import add
from typing import Any, NamedTuple

import numpy as np
from mpmath import mp

from isoref import Layer, Network, Profile, Tangent
from tests.oracles.profiles import exact

Array = np.ndarray[Any, Any]
Contract = Callable[[Array, Array], Array]
Ladder = Callable[[Profile, Array], tuple[Array, ...]]
Alter = Callable[[str, int, Array], Array]

BLOCK = 32


def _sum(a: Array, b: Array, indices: range) -> Array:
    """Add the products of the summed index one after another, in the order of `indices`."""
    return reduce(add, (a[..., :, k, None] * b[..., k, None, :] for k in indices))


def sequential(a: Array, b: Array) -> Array:
    return _sum(a, np.ascontiguousarray(b), range(b.shape[-2]))


def backwards(a: Array, b: Array) -> Array:
    return _sum(a, np.ascontiguousarray(b), range(b.shape[-2])[::-1])


def blocked(a: Array, b: Array) -> Array:
    b, every = np.ascontiguousarray(b), range(b.shape[-2])
    return reduce(add, (_sum(a, b, every[k : k + BLOCK]) for k in every[::BLOCK]))


def pairwise(a: Array, b: Array) -> Array:
    b = np.ascontiguousarray(b)

    def tree(indices: range) -> Array:
        half = len(indices) // 2
        return tree(indices[:half]) + tree(indices[half:]) if half else _sum(a, b, indices)

    return tree(range(b.shape[-2]))


def blas(a: Array, b: Array) -> Array:
    return np.asarray(a @ b)


def wide(a: Array, b: Array) -> Array:
    """Products and sums in the next wider type, rounded once."""
    wider = np.float64 if a.dtype == np.float32 else np.longdouble
    return np.asarray((a.astype(wider) @ b.astype(wider)).astype(a.dtype))


ALGORITHMS: dict[str, Contract] = {
    "sequential": sequential,
    "reversed": backwards,
    "blocked": blocked,
    "pairwise": pairwise,
    "BLAS": blas,
    "wide accumulator": wide,
}


def tensor_float32(a: Array, b: Array) -> Array:
    """Operands rounded to 11 significant bits, to nearest; float32 accumulation."""

    def cut(array: Array) -> Array:
        fraction, exponent = np.frexp(array)
        return np.asarray(np.ldexp(np.rint(fraction * 2048) / 2048, exponent), np.float32)

    return np.asarray(cut(a) @ cut(b))


class Outcome(NamedTuple):
    """What is judged; float64 where the evaluation had more digits."""

    y: Array
    gradient: Tangent
    xbar: Array
    ydot: Array


class Step(NamedTuple):
    """One space: h and g (none in the input), u, δ, γ′ and κ of the activation that wrote it."""

    h: Array
    g: Array
    u: Array
    delta: Array
    gamma_prime: Array
    kappa: Array


def shipped(profile: Profile, r: Array) -> tuple[Array, ...]:
    """Return γ, δ, γ′ and κ."""
    return profile.gamma(r), profile.delta(r), profile.gamma_prime(r), profile.kappa(r)


def unaltered(name: str, layer: int, value: Array) -> Array:
    return value


@dataclass(frozen=True)
class Evaluation:
    """Forward, jvp and backward in the dtype of their arguments.

    `alter(name, i, value)` may change the intermediates a, r, g, h that layer i writes, the
    cotangents hbar and gbar of its input, and abar of its pre-activation.
    """

    net: Network
    contract: Contract
    ladder: Ladder = shipped
    alter: Alter = unaltered

    def __call__(
        self, x: Array, ybar: Array, velocity: tuple[Tangent, Array] | None = None
    ) -> Outcome:
        y, steps = self.forward(x)
        gradient, xbar = self.backward(steps, ybar)
        ydot = 0 * y if velocity is None else self.jvp(steps, *velocity)
        return Outcome(_stored(y), gradient, _stored(xbar), _stored(ydot))

    def forward(self, x: Array) -> tuple[Array, list[Step]]:
        one, nothing = np.ones((len(x), 1), x.dtype), np.zeros((len(x), 0), x.dtype)
        steps = [Step(x, *[nothing] * 5)]
        for i, layer in enumerate(self.net.layers):
            h, g, *_ = steps[-1]
            rows = _columns(x.dtype, layer.weight, layer.bias, layer.psi)
            a = self.contract(np.hstack([h, one, g]), rows.T)
            if layer.q is None:
                break
            a = self.alter("a", i, a)
            r = np.sqrt(self._dot(a, a) + np.asarray(layer.q, x.dtype))
            r = self.alter("r", i, r)
            gamma, *ladder = self.ladder(self.net.profile, r)
            g = self.alter("g", i, gamma)
            steps.append(Step(self.alter("h", i, g * a), g, a / r, *ladder))
        return a, steps

    def jvp(self, steps: list[Step], net_dot: Tangent, x_dot: Array) -> Array:
        one, kind = np.ones((len(x_dot), 1), x_dot.dtype), x_dot.dtype
        h_dot, g_dot = x_dot, one[:, :0]
        for i, (layer, dot) in enumerate(zip(self.net.layers, net_dot.layers, strict=True)):
            h, g, *_ = steps[i]
            rows = _columns(kind, dot.weight, layer.weight, dot.bias, layer.psi, dot.psi)
            a_dot = self.contract(np.hstack([h, h_dot, one, g_dot, g]), rows.T)
            if layer.q is None:
                break
            _, g, u, delta, gamma_prime, kappa = steps[i + 1]
            radial, half = self._dot(u, a_dot), 0.5 * np.asarray(dot.q, kind)
            h_dot = g * a_dot + (delta * radial + gamma_prime * half) * u
            g_dot = gamma_prime * radial + kappa * half
        return a_dot

    def backward(self, steps: list[Step], ybar: Array) -> tuple[Tangent, Array]:
        one, layers = np.ones((len(ybar), 1), ybar.dtype), []
        abar, qbar = ybar, None
        for i in range(self.net.depth, -1, -1):
            layer, (h, g, u, delta, gamma_prime, kappa) = self.net.layers[i], steps[i]
            n = h.shape[1]
            bars = _stored(self.contract(abar.T, np.hstack([h, one, g])))
            psi = None if layer.psi is None else bars[:, n + 1]
            layers.append(Layer(bars[:, :n], bars[:, n], psi, qbar))
            hbar = self.contract(abar, np.asarray(layer.weight, ybar.dtype))
            hbar = self.alter("hbar", i, hbar)
            if layer.psi is None:
                break
            gbar = self.contract(abar, np.asarray(layer.psi, ybar.dtype)[:, None])
            gbar = self.alter("gbar", i, gbar)
            radial = self._dot(u, hbar)
            abar = g * hbar + (delta * radial + gamma_prime * gbar) * u
            abar = self.alter("abar", i - 1, abar)
            halves = 0.5 * (gamma_prime * radial + kappa * gbar)
            qbar = _stored(self.contract(one.T, halves))[0, 0]
        return Tangent(layers[::-1]), hbar

    def _dot(self, u: Array, v: Array) -> Array:
        return self.contract(u[:, None, :], v[:, :, None])[:, :, 0]


def reference(
    net: Network,
    x: Array,
    ybar: Array,
    velocity: tuple[Tangent, Array] | None = None,
    *,
    alter: Alter = unaltered,
) -> Outcome:
    """Evaluate with the digits of `longdouble`, 64 bits where the machine has them."""
    if velocity is not None:
        velocity = (velocity[0], velocity[1].astype(np.longdouble))
    run = Evaluation(net, blas, ladder=_exact, alter=alter)
    return run(x.astype(np.longdouble), ybar.astype(np.longdouble), velocity)


WIDE = np.finfo(np.longdouble).nmant >= 63
"""Whether `reference` has more digits than float64."""


def _exact(profile: Profile, r: Array) -> tuple[Array, ...]:
    """γ, δ, γ′ and κ from their definitions in mpmath."""

    def longdouble(value: Any) -> Any:
        return np.longdouble(float(value)) + np.longdouble(float(value - float(value)))

    rows = []
    for radius in r[:, 0]:
        with mp.workdps(50):
            digits = mp.mpf(float(radius)) + mp.mpf(float(radius - np.longdouble(float(radius))))
            _, _, *values = exact(profile.name, digits)
            rows.append([longdouble(value) for value in values])
    return tuple(np.array(rows, np.longdouble).reshape(-1, 4).T[:, :, None])


def _columns(kind: Any, *entries: Any) -> Array:
    """[W | b | ψ | …], without the entries that are None."""
    found = [np.asarray(entry, kind) for entry in entries if entry is not None]
    return np.hstack([entry.reshape(len(entry), -1) for entry in found])


def _stored(array: Array) -> Array:
    return array if array.dtype == np.float32 else array.astype(np.float64)
