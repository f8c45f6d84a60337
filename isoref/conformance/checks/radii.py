"""Levels 1 and 3: radii of all sizes between those of the vectors, long batches, wide spaces.

A switch from a series to a closed form can be wrong in one decade alone, and code that works in
blocks in the last rows alone. Here radii go from end to end of the range in one batch.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from math import sqrt
from typing import Any

import numpy as np

from isoref.conformance.checks import activation, derivatives
from isoref.conformance.checks.activation import Cases
from isoref.conformance.judge import Verdict, equal, judged, worst_of
from isoref.conformance.limits import of_activation
from isoref.conformance.plan import Check, Context, of_law
from isoref.layer import Layer
from isoref.network import Network, Tangent
from isoref.perceptron import activation as state_of
from isoref.perceptron import activation_vjp
from isoref.profiles import Profile, relu
from isoref.tolerance import FACTOR

NDArray = np.ndarray[Any, Any]

REACH = {"float64": 1000, "float32": 120}
"""Radii lie between 2 to the minus this and 2 to the plus this."""
SLOPES = {"float64": 900, "float32": 90}
"""The same for derivatives."""
STEEP = {"float64": 300, "float32": 24}
"""The same for derivatives of `unit`: its κ is −1/r³ everywhere."""
NEAR = (64, 10)
"""Octaves on either side of 1 in which a third of the radii lie each, beside those of all sizes."""
ROWS = 1800
"""Radii of each of these kinds."""
STEP = 2.0**-20
"""Relative change of a radius by which its effect is measured in float64."""
CALLS = 64
"""So often one call is repeated."""


def _kinds(context: Context, profile: Profile) -> tuple[Profile, ...]:
    """Return the profile, and for `relu` three more, of other τ."""
    if not profile.name.startswith("relu"):
        return (profile,)
    power = context.rng("tau").uniform([-20, -5, 1], [-5, 1, 20])
    return (profile, *(relu(float(np.float32(2**p))) for p in power))


def _spread(
    rng: np.random.Generator, dtype: np.dtype[Any], n: int, low: float, high: float
) -> NDArray:
    """Return vectors of lengths from 2 to the power `low` to `high`, two thirds of them near 1.

    One power is drawn from each of many equal intervals: there is no gap that every seed leaves.
    """
    ends = [(low, high), *((max(-near, low), near) for near in NEAR)]
    cells = (np.arange(ROWS) + rng.random((len(ends), ROWS))) / ROWS
    power = np.concatenate([u + (v - u) * cell for (u, v), cell in zip(ends, cells, strict=True)])
    a = rng.standard_normal((len(power), n))
    a *= (2 ** rng.permutation(power) / np.sqrt((a**2).sum(axis=1)))[:, None]
    if n > 1:  # entries of one vector that differ by orders of magnitude
        a[::5, 1:] *= 2.0 ** -rng.integers(0, int(high) // 4, (len(a[::5]), n - 1))
    return a.astype(dtype)


def _batches(
    context: Context, profile: Profile, reach: int
) -> Iterator[tuple[str, NDArray, float]]:
    """Yield batches for four q and two of wide vectors.

    q is 0, counts for small radii alone, for those near 1, and outweighs most of them. Vectors are
    not so short beside o that a/r underflows.
    """
    rng = context.rng("radii", profile.name)
    yield "3.0", _spread(rng, context.dtype, 3, -reach, reach), 0.0
    powers = rng.uniform([-50, -2, 5], [-10, 2, 30])
    for k, (n, power) in enumerate(zip((2, 1, 3), powers, strict=True), 1):
        a = _spread(rng, context.dtype, n, max(-reach, power - 0.65 * reach), reach)
        yield f"{n}.{k}", a, float(np.float32(4**power))
    for name, n in zip(("wider", "wide"), rng.integers([5, 65], [65, 600]), strict=True):
        yield name, (rng.standard_normal((2, n)) / np.sqrt(n)).astype(context.dtype), 0.25


def _values(context: Context, profile: Profile) -> Cases:
    reach = REACH[str(context.dtype)]
    for k, kind in enumerate(_kinds(context, profile)):
        for name, a, q in _batches(context, kind, reach):
            yield f"{k}.{name}" if k else name, partial(_judged, context, kind, a, q)
    if profile is context.profiles[0]:
        yield "often", partial(_often, context, profile, a[:, :3], q)


def _often(context: Context, profile: Profile, a: NDArray, q: float) -> Verdict:
    """A call gives the same, however often it is made, and something else for another q."""
    first = activation.call(context, profile, a, q)
    for _ in range(CALLS):
        last = activation.call(context, profile, a, q)
    other = _judged(context, profile, a, 4 * q)
    pairs = zip("hg", last, first, strict=True)
    return worst_of([other, *(equal(f"{n}, called again", *v) for n, *v in pairs)])


def _judged(context: Context, profile: Profile, a: NDArray, q: float) -> Verdict:
    h, g = activation.call(context, profile, a, q)
    own = state_of(profile, a.astype(np.float64), np.asarray(q))
    e_h, e_g = of_activation(profile, a, q, context.arithmetic)
    more, least = activation.reference(context), 4 * context.arithmetic.tiny
    pairs = ("h", h, own.h, e_h), ("g", g, np.asarray(own.g), e_g)
    return worst_of(judged(name, got, want, more * e + least) for name, got, want, e in pairs)


def _derivatives(context: Context, profile: Profile) -> Cases:
    reach = (STEEP if profile.name == "unit" else SLOPES)[str(context.dtype)]
    for k, kind in enumerate(_kinds(context, profile)):
        for name, a, q in _batches(context, kind, reach):
            rng = context.rng("pull", kind.name, name)
            size = 2.0 ** rng.integers(-30, 31, (len(a), 1))
            hbar = (size * rng.standard_normal(a.shape)).astype(context.dtype)
            gbar = (size * rng.standard_normal((len(a), 1))).astype(context.dtype)
            hbar[::3], gbar[1::7] = 0, 0
            yield f"{k}.{name}" if k else name, partial(_pulled, context, kind, a, q, hbar, gbar)
    few = a[:, :3], q, hbar[:, :3], gbar
    yield "alone", partial(_alone, context, profile, *few)
    yield "repeat", partial(_repeat, context, profile, *few, 1)
    yield "empty", partial(_alone, context, profile, a[:0], q, hbar[:0], gbar[:0])
    if profile is context.profiles[0]:
        yield "often", partial(_repeat, context, profile, *few, CALLS)


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


def _velocities(context: Context, profile: Profile) -> Cases:
    reach = (STEEP if profile.name == "unit" else SLOPES)[str(context.dtype)]
    for kind in _kinds(context, profile)[-1:]:
        for name, a, q in _batches(context, kind, reach):
            rng = context.rng("push", kind.name, name)
            size = 2.0 ** rng.integers(-30, 31, (len(a), 1))
            a_dot = _short(size * rng.standard_normal(a.shape)).astype(context.dtype)
            a_dot[::3] = 0
            if name in ("3.0", "2.1"):
                yield f"{kind.name}.{name}", partial(_pushed, context, kind, _short(a), q, a_dot)


def _short(array: NDArray) -> NDArray:
    """Return numbers of eight significant bits, which every multiplier keeps."""
    fraction, exponent = np.frexp(array)
    return np.asarray(np.ldexp(np.rint(fraction * 256) / 256, exponent), array.dtype)


def _pushed(context: Context, profile: Profile, a: NDArray, q: float, a_dot: NDArray) -> Verdict:
    """ḣ and ġ of a network whose output is (h, g): the Jacobian is symmetric, so _limits holds.

    ḣ is what ā is for h̄ = ȧ and ḡ = q̇/2, and ġ is twice such a q̄.
    """
    dtype, n = context.dtype, a.shape[1]
    one, none = np.eye(n + 1, n, dtype=dtype), np.zeros(n + 1, dtype)
    last = Layer(one, none, np.eye(n + 1, dtype=dtype)[n])
    net = Network([Layer(one[:n], none[:n], q=np.asarray(q, dtype)), last], profile)
    zero = Tangent.zeros(net)
    q_dot = np.asarray(0.75, dtype)
    net_dot = zero.rebuilt((replace(zero.layers[0], q=q_dot), zero.layers[1]))
    _, ydot = derivatives.jvp(context, net, a, net_dot, a_dot)
    half = np.full((len(a), 1), q_dot / 2)
    h_dot, g_dot = _exact(profile, a, q, a_dot, half)
    e_h, e_g = _limits(context, profile, a, q, a_dot, half)
    cut = FACTOR * context.arithmetic.operand
    return worst_of(
        [
            judged("ḣ", ydot[:, :n], h_dot, e_h + cut * np.abs(h_dot)),
            judged("ġ", ydot[:, n], 2 * g_dot, 2 * e_g + 2 * cut * np.abs(g_dot)),
        ]
    )


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
    context: Context,
    profile: Profile,
    a: NDArray,
    q: float,
    hbar: NDArray,
    gbar: NDArray,
    times: int,
) -> Verdict:
    """A call gives the same, however often it is made."""
    first = derivatives.activation_vjp(context, profile, a, q, hbar, gbar)
    for _ in range(times):
        last = derivatives.activation_vjp(context, profile, a, q, hbar, gbar)
    pairs = zip(("abar", "qbar"), last, first, strict=True)
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
    of_law(
        "L3.velocity",
        "S3.1",
        "ẏ of a network whose output is (h, g), at such radii",
        ("jvp",),
        _velocities,
        ("L3.jvp",),
        ("psi",),
    ),
)
