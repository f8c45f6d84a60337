"""Levels 1 and 3: radii of all sizes between those of the vectors, long batches, wide spaces.

A switch from a series to a closed form can be wrong in one decade alone, and code that works in
blocks in the last rows alone. Here radii go from end to end of the range in one batch.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from math import sqrt
from typing import Any

import numpy as np

from isoref.conformance.checks import activation, derivatives
from isoref.conformance.checks.activation import Cases
from isoref.conformance.judge import Verdict, equal, judged, worst_of
from isoref.conformance.limits import of_activation
from isoref.conformance.plan import Check, Context, of_law
from isoref.perceptron import activation as state_of
from isoref.perceptron import activation_vjp
from isoref.profiles import Profile
from isoref.tolerance import FACTOR

NDArray = np.ndarray[Any, Any]

REACH = {"float64": 768, "float32": 84}
"""Vectors are as short as 2 to the minus this and as long as 2 to the plus this where q > 0. Where
q = 0 half as far: products of two radii do not underflow."""
SLOPES = {"float64": 300, "float32": 24}
"""The same for derivatives: κ of `unit` is −1/r³."""
ROWS = 160
LENGTHS = (0.0, 2.0**-41, 1.0, 2.0**20)
"""Values of q: none, one that counts for small radii alone, and two that outweigh most of them."""
STEP = 2.0**-20
"""Relative change of a radius by which its effect is measured in float64."""


def _spread(context: Context, profile: Profile, n: int, reach: int) -> NDArray:
    """Return vectors whose radii are 2 to powers between −reach and reach, half of them near 1."""
    rng = context.rng("radii", profile.name, str(n))
    power = np.concatenate([np.linspace(-reach, reach, ROWS // 2), np.linspace(-9, 9, ROWS // 2)])
    a = rng.standard_normal((ROWS, n))
    a *= (2 ** rng.permutation(power) / np.sqrt((a**2).sum(axis=1)))[:, None]
    if n > 1:  # entries of one vector that differ by orders of magnitude
        a[::5] *= 2.0 ** -rng.integers(0, reach // 4, (len(a[::5]), n))
    return a.astype(context.dtype)


def _batches(
    context: Context, profile: Profile, reach: int, plain: int
) -> Iterator[tuple[str, NDArray, float]]:
    """Yield batches for every q, `plain` being the reach where it is 0, and one of wide vectors."""
    for n, q in ((3, LENGTHS[0]), (2, LENGTHS[1]), (1, LENGTHS[2]), (3, LENGTHS[3])):
        yield f"{n}.{q:g}", _spread(context, profile, n, reach if q else plain), q
    rng = context.rng("radii", profile.name, "wide")
    yield "wide", (rng.standard_normal((2, 300)) / 16).astype(context.dtype), 0.25


def _values(context: Context, profile: Profile) -> Cases:
    reach = REACH[str(context.dtype)]
    for name, a, q in _batches(context, profile, reach, reach // 2):
        yield name, partial(_judged, context, profile, a, q)


def _judged(context: Context, profile: Profile, a: NDArray, q: float) -> Verdict:
    h, g = activation.call(context, profile, a, q)
    own = state_of(profile, a.astype(np.float64), np.asarray(q))
    e_h, e_g = of_activation(profile, a, q, context.arithmetic)
    more = activation.reference(context)
    return worst_of(
        [judged("h", h, own.h, more * e_h), judged("g", g, np.asarray(own.g), more * e_g)]
    )


def _derivatives(context: Context, profile: Profile) -> Cases:
    reach = SLOPES[str(context.dtype)]
    for name, a, q in _batches(context, profile, reach, reach):
        rng = context.rng("pull", profile.name, name)
        size = 2.0 ** rng.integers(-30, 31, (len(a), 1))
        hbar = (size * rng.standard_normal(a.shape)).astype(context.dtype)
        gbar = (size * rng.standard_normal((len(a), 1))).astype(context.dtype)
        hbar[::7], gbar[3::7] = 0, 0
        yield name, partial(_pulled, context, profile, a, q, hbar, gbar)
        if name == "wide":
            yield "alone", partial(_alone, context, profile, a[:, :3], q, hbar[:, :3], gbar)
            yield "repeat", partial(_repeat, context, profile, a[:, :3], q, hbar[:, :3], gbar)


def _pulled(
    context: Context, profile: Profile, a: NDArray, q: float, hbar: NDArray, gbar: NDArray
) -> Verdict:
    abar, qbar = derivatives.activation_vjp(context, profile, a, q, hbar, gbar)
    want_a, want_q = _exact(profile, a, q, hbar, gbar)
    e_a, e_q = _limits(context, profile, a, q, hbar, gbar)
    return worst_of([judged("abar", abar, want_a, e_a), judged("qbar", qbar, want_q, e_q)])


def _exact(
    profile: Profile, a: NDArray, q: float, hbar: NDArray, gbar: NDArray, by: float = 0.0
) -> tuple[NDArray, NDArray]:
    """Return isoref's ā and q̄ in float64, with the radius changed by a relative `by`."""
    a, hbar, gbar = (v.astype(np.float64) for v in (a, hbar, gbar))
    state = state_of(profile, a, np.asarray(q))
    if by:
        assert state.r is not None
        r = state.r * (1 + by)
        state = state._replace(r=r, g=profile.gamma(r))
    abar, qbar = activation_vjp(profile, state, hbar, gbar)
    return abar, qbar[:, 0]


def _limits(
    context: Context, profile: Profile, a: NDArray, q: float, hbar: NDArray, gbar: NDArray
) -> tuple[NDArray, NDArray]:
    """Return E of ā and q̄: that of each factor of each term, and what an error of r does to all.

    γ, δ, γ′ and κ err by 4u each, u = a/r by (¼√n + 3½)u, u·h̄ by unit(n) more, and each operation
    by u; r by (¼√n + 2½)u, whose effect is measured.
    """
    n, units = a.shape[1], context.arithmetic
    state = state_of(profile, a.astype(np.float64), np.asarray(q))
    assert state.r is not None
    assert state.u is not None
    size, radial = np.abs(state.u), np.abs(state.u * hbar).sum(axis=1, keepdims=True)
    delta, slope, kappa = (
        np.abs(f(state.r)) for f in (profile.delta, profile.gamma_prime, profile.kappa)
    )
    far, near = (_exact(profile, a, q, hbar, gbar, by) for by in (STEP, -STEP))
    turn, length = 8.5 + 0.75 * sqrt(n), 0.25 * sqrt(n) + 2.5
    own_a = 6 * np.abs(state.g * hbar) + (turn * delta * radial + 6 * slope * np.abs(gbar)) * size
    own_a += 4 * (delta * radial + slope * np.abs(gbar)) * size
    own_q = 0.5 * (turn * slope * radial + 6 * kappa * np.abs(gbar))[:, 0]
    total = activation.reference(context) * FACTOR * max(units.store, units.accumulate)
    found = []
    least = 4 * units.tiny * (1 + np.abs(hbar).sum(axis=1, keepdims=True) + np.abs(gbar))
    for own, one, other, floor in zip((own_a, own_q), far, near, (least, least[:, 0]), strict=True):
        moved = length * np.abs(one - other) / (2 * STEP)
        found.append(total * np.hypot(own, moved) + floor)
    return found[0], found[1]


def _alone(
    context: Context, profile: Profile, a: NDArray, q: float, hbar: NDArray, gbar: NDArray
) -> Verdict:
    """Each row by itself has the derivatives that it has in a batch."""
    abar, qbar = derivatives.activation_vjp(context, profile, a, q, hbar, gbar)
    e_a, e_q = _limits(context, profile, a, q, hbar, gbar)
    verdicts = []
    for k in range(len(a)):
        row = (v[[k]] for v in (hbar, gbar))
        one, other = derivatives.activation_vjp(context, profile, a[[k]], q, *row)
        verdicts.append(judged("abar", one, abar[[k]], 2 * e_a[[k]]))
        verdicts.append(judged("qbar", other, qbar[[k]], 2 * e_q[[k]]))
    return worst_of(verdicts)


def _repeat(
    context: Context, profile: Profile, a: NDArray, q: float, hbar: NDArray, gbar: NDArray
) -> Verdict:
    first, again = (
        derivatives.activation_vjp(context, profile, a, q, hbar, gbar) for _ in range(2)
    )
    pairs = zip(("abar", "qbar"), again, first, strict=True)
    return worst_of(equal(f"{name}, called again", new, old) for name, new, old in pairs)


CHECKS: tuple[Check, ...] = (
    of_law(
        "L1.radii",
        "S2.6",
        "h and g at radii from end to end of the range, in long batches and wide spaces",
        ("activation",),
        _values,
        ("L1.values",),
    ),
    of_law(
        "L3.radii",
        "S3.2",
        "ā and q̄ there too, of rows by themselves, of calls repeated, of cotangents of any size",
        ("activation_vjp",),
        _derivatives,
        ("L3.activation",),
    ),
)
