"""Equivariance of the activation and invariance of the network under rotations (C01, C06)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from math import sqrt
from typing import Any

import numpy as np

from isoref.arrays import haar, precision
from isoref.gauge import rotate, rotation_deviation
from isoref.layer import Layer
from isoref.network import Network, Tangent
from isoref.profiles import named
from isoref.propagation import forward
from isoref.tolerance import bounds, compare
from isoref.verification.cases import Case
from isoref.verification.check import Check, worst_of
from isoref.verification.definition import GAIN

NDArray = np.ndarray[Any, Any]


def equivariance(dtype: str, seed: int) -> Iterator[Check]:
    """f(R a) = R f(a) for one activation, with R, a and R a exact, every profile, width and q."""
    rng = np.random.default_rng(seed)
    found = []
    for name in GAIN:
        for n in (1, 2, 4, 16, 64):
            for q in (0.0, 0.5):
                R = exact_rotation(n, rng)
                # Entries on a coarse grid: R a has no rounding error, so only f rounds.
                a = np.round(rng.standard_normal((5, n)) * 2**8) / 2**8
                a[:, 0] = np.where(a[:, 0] == 0, 1, a[:, 0])
                net = _activation_alone(name, n, q, dtype)
                turned = (a @ R.T).astype(dtype)
                got, want = forward(net, turned), forward(net, a.astype(dtype)).astype(float) @ R.T
                limit = bounds(net, turned).y
                limit = limit + bounds(net, a.astype(dtype)).y @ np.abs(R.T)
                found.append((f"{name} n={n} q={q:g} {dtype}", compare(got, want, limit)))
    yield worst_of(f"equivariance.{dtype}", "f(R a) = R f(a), R exact (C01)", found)


def invariance(cases: Iterable[Case], label: str, seed: int) -> Iterator[Check]:
    """Rotating every hidden space changes no output: Haar rotations of all spaces at once.

    Spaces that skips connect turn together, by one rotation.
    """
    rng = np.random.default_rng(seed)
    found = []
    for case in cases:
        net, dtype = case.net, precision(case.net.reference)
        turned, deviation = net, Tangent.zeros(net)
        for space in sorted({net.label(space) for space in range(1, net.depth + 1)}):
            R = haar(net.widths[space], seed=rng).astype(dtype)
            deviation = rotation_deviation(turned, deviation, space, R)
            turned = rotate(turned, space, R)
        first = bounds(net, case.x)
        second = bounds(turned, case.x, deviation=deviation)
        worst = compare(forward(turned, case.x), forward(net, case.x), first.y + second.y)
        seen = bool((first.observable & second.observable).all())
        found.append((case.text, worst if seen else None))
    yield worst_of(f"invariance.{label}", "outputs are the same after Haar rotations (C06)", found)


def exact_rotation(n: int, rng: np.random.Generator) -> NDArray:
    """Return a rotation whose products with coarse numbers are exact.

    A signed permutation, times Hadamard's matrix where n is a power of 4 and its entries ±1/√n are
    powers of two.
    """
    R = np.eye(n)[rng.permutation(n)] * rng.choice([-1.0, 1.0], size=(n, 1))
    if n in (4, 16, 64):
        block = np.array([[1.0, 1.0], [1.0, -1.0]])
        hadamard = np.eye(1)
        while len(hadamard) < n:
            hadamard = np.kron(hadamard, block)
        R = R @ hadamard / sqrt(n)
    return np.asarray(R)


def _activation_alone(profile: str, n: int, q: float, dtype: str) -> Network:
    """The network y = f(x): identity weights around one activation."""
    eye, zero = np.eye(n, dtype=dtype), np.zeros(n, dtype)
    return Network([Layer(eye, zero, q=q), Layer(eye, zero, psi=zero)], named(profile))
