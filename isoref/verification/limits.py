"""Zero vectors, tiny and huge radii: no NaN, and the values of specification, section 3."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from isoref.layer import Layer
from isoref.network import Network, Tangent
from isoref.profiles import named
from isoref.propagation import backward, forward, jvp, trace
from isoref.tolerance import ARITHMETIC, Worst, bounds, compare
from isoref.verification.check import Check, worst_of
from isoref.verification.definition import GAIN

NDArray = np.ndarray[Any, Any]

EXPONENTS = {
    "float64": (-1000, -500, -100, -10, 0, 10, 100, 500, 1000),
    "float32": (-120, -60, -20, 0, 20, 60, 120),
}
"""Radii are 5·2^k for these k."""


def zero(dtype: str) -> Iterator[Check]:
    """At the zero vector every profile but `unit`, which has no value there, is linear."""
    found = [(f"{name} {dtype}", _at_zero(name, dtype)) for name in GAIN if name != "unit"]
    yield worst_of(f"limits.zero.{dtype}", "at a zero vector J = σ′(0) I and no NaN", found)


def whole_range(dtype: str) -> Iterator[Check]:
    """Over all radii f(a) = σ(‖a‖) a/‖a‖: no square overflows or underflows."""
    found = [
        (f"{name} r=5*2^{exponent} {dtype}", _direction(name, exponent, dtype))
        for name in GAIN
        for exponent in EXPONENTS[dtype]
    ]
    yield worst_of(f"limits.range.{dtype}", "f(a) = σ(r) a/r at every radius", found)


def _alone(name: str, n: int, dtype: str) -> Network:
    eye, none = np.eye(n, dtype=dtype), np.zeros(n, dtype)
    return Network([Layer(eye, none, q=0.0), Layer(eye, none, psi=none)], named(name))


def _at_zero(name: str, dtype: str) -> Worst:
    """At x = 0: y = 0, and vjp and jvp multiply by γ(0) = σ′(0) exactly."""
    net = _alone(name, 3, dtype)
    x, v = np.zeros((1, 3), dtype), np.array([[1.0, -2.0, 3.0]], dtype)
    run = trace(net, x)
    _, xbar = backward(net, run, v)
    _, ydot = jvp(net, x, Tangent.zeros(net), v)
    want = v * named(name).gamma(np.zeros(1, dtype))
    got = np.concatenate([run.y, xbar, ydot])
    return compare(got, np.concatenate([x, want, want]), np.zeros((3, 3)))


def _direction(name: str, exponent: int, dtype: str) -> Worst:
    """For a = 2^k (3, 4), whose radius is exact, y = σ(5·2^k) (3/5, 4/5)."""
    net = _alone(name, 2, dtype)
    scale = np.ldexp(np.ones(1, dtype), exponent)
    x = (np.array([[3.0, 4.0]], dtype) * scale).astype(dtype)
    sigma = net.profile.sigma(5 * scale.astype(np.float64))
    # The reference is within 4 ulp, at most 8 roundoffs, of its value.
    limit = bounds(net, x).y + 8 * ARITHMETIC["float64"].store * sigma
    return compare(forward(net, x), sigma * np.array([[0.6, 0.8]]), limit)
