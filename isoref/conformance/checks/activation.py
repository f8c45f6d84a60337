"""Level 1: the activation (h, g) of a batch of pre-activations."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np

from isoref.conformance.calls import array, parts
from isoref.conformance.judge import Verdict, equal, failed, judged, worst_of
from isoref.conformance.limits import of_activation
from isoref.conformance.plan import Check, Context, of_law, of_vectors
from isoref.conformance.vectors import Case
from isoref.perceptron import activation
from isoref.profiles import Profile
from isoref.tolerance import FLOAT64

NDArray = np.ndarray[Any, Any]
Cases = Iterator[tuple[str, Callable[[], Verdict]]]

Q = 0.375


def call(context: Context, profile: Profile, a: NDArray, q: float) -> tuple[NDArray, NDArray]:
    """Return (h, g) of the implementation, in their shapes and dtype."""
    given = np.asarray(q, context.dtype)
    h, g = parts("activation", context.calls("activation", profile, a, given), 2)
    return array("h", h, a.shape, context.dtype), array("g", g, (len(a), 1), context.dtype)


def _values(context: Context, case: Case) -> Verdict:
    a, q = case.array("a", context.dtype), case.array("q", context.dtype)
    h, g = call(context, case.profile, a, float(q))
    return worst_of([context.judge(case, "h", h), context.judge(case, "g", g)])


def turns(n: int) -> Iterator[tuple[str, NDArray]]:
    """Yield orthogonal matrices that move multiples of 5 without rounding."""
    order = np.roll(np.arange(n), 1)
    yield "permutation", np.eye(n)[order] * np.where(np.arange(n) % 2, -1.0, 1.0)[:, None]
    if n >= 4:
        hadamard = np.eye(n)
        block = np.array([[1, 1], [1, -1]])
        hadamard[:4, :4] = np.kron(block, block) / 2
        yield "hadamard", hadamard
    if n >= 2:
        turned = np.eye(n)
        turned[:2, :2] = np.array([[3, 4], [-4, 3]]) / 5
        yield "3-4-5", turned


def _batch(context: Context, profile: Profile, key: str, n: int) -> NDArray:
    """Return multiples of 5/32 of moderate size: R moves them without rounding."""
    rng = context.rng(key, profile.name, str(n))
    return (rng.integers(-24, 25, (6, n)) * 5 / 32).astype(context.dtype)


def _equivariance(context: Context, profile: Profile) -> Cases:
    for n in (1, 2, 4, 7):
        a = _batch(context, profile, "equivariance", n)
        for name, R in turns(n):
            yield f"{n}.{name}", partial(_turned, context, profile, a, R)


def _turned(context: Context, profile: Profile, a: NDArray, R: NDArray) -> Verdict:
    moved = np.rint(a.astype(np.float64) @ R.T * 64) / 64
    h, g = call(context, profile, a, Q)
    turned_h, turned_g = call(context, profile, moved.astype(context.dtype), Q)
    e_h, e_g = of_activation(profile, a, Q, context.arithmetic)
    f_h, f_g = of_activation(profile, moved, Q, context.arithmetic)
    want = h.astype(np.float64) @ R.T
    own, more = activation(profile, a.astype(np.float64), np.asarray(Q)), reference(context)
    return worst_of(
        [
            judged("h(Ra)", turned_h, want, f_h + e_h @ np.abs(R).T),
            judged("g(Ra)", turned_g, g, f_g + e_g),
            judged("h(a)", h, own.h, more * e_h),
            judged("g(a)", g, np.asarray(own.g), more * e_g),
        ]
    )


def reference(context: Context) -> float:
    """Return the factor of E that leaves room for the rounding of isoref's own float64."""
    return 1 + FLOAT64.store / context.arithmetic.store


def _rows(context: Context, profile: Profile) -> Cases:
    for n in (1, 3):
        a = _batch(context, profile, "rows", n)
        yield f"alone.{n}", partial(_alone, context, profile, a)
        yield f"order.{n}", partial(_order, context, profile, a)


def _alone(context: Context, profile: Profile, a: NDArray) -> Verdict:
    h, g = call(context, profile, a, Q)
    single = [call(context, profile, a[[k]], Q) for k in range(len(a))]
    e_h, e_g = of_activation(profile, a, Q, context.arithmetic)
    return worst_of(
        [
            judged("h", np.concatenate([v for v, _ in single]), h, 2 * e_h),
            judged("g", np.concatenate([v for _, v in single]), g, 2 * e_g),
        ]
    )


def _order(context: Context, profile: Profile, a: NDArray) -> Verdict:
    h, g = call(context, profile, a, Q)
    h2, g2 = call(context, profile, np.ascontiguousarray(a[::-1]), Q)
    e_h, e_g = of_activation(profile, a, Q, context.arithmetic)
    return worst_of([judged("h", h2[::-1], h, 2 * e_h), judged("g", g2[::-1], g, 2 * e_g)])


def _conduct(context: Context, profile: Profile) -> Cases:
    a = _batch(context, profile, "conduct", 3)
    yield "repeat", partial(_repeat, context, profile, a)
    yield "empty", partial(_empty, context, profile)
    if profile.name != "unit":
        yield "zero", partial(_zero, context, profile, a)


def _repeat(context: Context, profile: Profile, a: NDArray) -> Verdict:
    first, at_once = (call(context, profile, a, Q) for _ in range(2))
    call(context, profile, a[:2] * 2, 2 * Q)
    later = call(context, profile, a, Q)
    pairs = zip(at_once + later, first + first, strict=True)
    if not all(equal("", again, before).holds for again, before in pairs):
        return failed("a second call with the same arguments gives another answer")
    return Verdict()


def _empty(context: Context, profile: Profile) -> Verdict:
    call(context, profile, np.zeros((0, 3), context.dtype), Q)
    return Verdict()


def _zero(context: Context, profile: Profile, a: NDArray) -> Verdict:
    """At q = 0 the zero vector has h = 0 and g = γ(0) = σ′(0), beside ordinary rows."""
    mixed = np.array(a)
    mixed[[0, 3]] = 0
    h, g = call(context, profile, mixed, 0.0)
    gain = np.full((2, 1), float(profile.gamma(np.zeros(1))[0]))
    _, bound = of_activation(profile, mixed[[0, 3]], 0.0, context.arithmetic)
    return worst_of([equal("h", h[[0, 3]], np.zeros((2, 3))), judged("g", g[[0, 3]], gain, bound)])


CHECKS: tuple[Check, ...] = (
    of_vectors(
        "L1.values", "S2.2", "h = γ(r) a and g = γ(r), r = √(‖a‖² + q)", ("activation",), _values
    ),
    of_law("L1.rows", "S1.2", "each row by itself, in any order", ("activation",), _rows),
    of_law(
        "L1.conduct",
        "S2.5",
        "the same answer twice; no rows; zero vectors have h = 0 and g = σ′(0)",
        ("activation",),
        _conduct,
    ),
    of_law(
        "L1.equivariance",
        "S2.4",
        "h(Ra) = R h(a) and g(Ra) = g(a) for rotations without rounding, of the right h (C01)",
        ("activation",),
        _equivariance,
        ("L1.values",),
    ),
)
