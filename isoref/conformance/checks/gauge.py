"""Level 4: rotations of hidden spaces."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np

from isoref.arrays import haar
from isoref.conformance.edited import (
    entries,
    function,
    returned,
    scaled,
    still,
    turned,
    untouched,
    wide,
)
from isoref.conformance.judge import Verdict, worst_of
from isoref.conformance.plan import Check, Context, of_vectors
from isoref.conformance.subjects import Run, Subject, of_subjects
from isoref.conformance.vectors import Case
from isoref.gauge import acted
from isoref.layer import AXES
from isoref.network import Network, tree_map
from isoref.rounding import Arithmetic
from isoref.tolerance import FACTOR, FLOAT64

NDArray = np.ndarray[Any, Any]


def call(context: Context, net: Network, space: int, R: NDArray) -> Network:
    """Return the rotated network of the implementation."""
    return returned(context, net, net.widths, "rotate", space, R.astype(context.dtype))


def drawn(context: Context, subject: Subject, space: int, *key: str) -> NDArray:
    """Return a rotation of a space, rounded to the dtype."""
    rng = context.rng("R", subject.net.profile.name, subject.text, str(space), *key)
    return haar(subject.net.widths[space], seed=rng).astype(context.dtype)


def signed(context: Context, subject: Subject, space: int) -> NDArray:
    """Return a signed permutation of a space that is neither symmetric nor of one sign."""
    n = subject.net.widths[space]
    flips = np.where(np.arange(n) % 2, 1.0, -1.0)[:, None]
    return np.asarray(np.roll(np.eye(n), 1, axis=0) * flips).astype(context.dtype)


def near(context: Context, subject: Subject, space: int) -> NDArray:
    """Return a rotation by so small an angle that it may pass for none."""
    R, angle = np.eye(subject.net.widths[space]), 256 * np.finfo(context.dtype).eps
    R[:2, :2] = [[1.0, angle], [-angle, 1.0]]  # the cosine is rounded to 1
    return R.astype(context.dtype)


def operands(arithmetic: Arithmetic) -> float:
    """Return the rounding of a product with ±1: that of its operand, where it is the coarser."""
    return arithmetic.operand if arithmetic.operand > arithmetic.store else 0.0


def _rotate(context: Context, case: Case) -> Verdict:
    net, space = case.network(context.dtype), int(case.settings["space"])
    got = call(context, net, space, case.array("R", context.dtype))
    return worst_of([parameters(context, case, got), untouched(got, net, space)])


def parameters(context: Context, case: Case, got: Network) -> Verdict:
    """Judge the parameters of a network against those that a case expects."""
    return worst_of(
        context.judge(case, f"net.{i}.{name}", getattr(layer, name))
        for i, layer in enumerate(got.layers)
        for name in AXES
        if f"net.{i}.{name}" in case.expected
    )


def _group(context: Context, subject: Subject) -> Iterator[Run]:
    for space in subject.spaces:
        yield f"signed.{space}", (), partial(_permuted, context, subject, space)
        yield f"others.{space}", (), partial(_others, context, subject, space)
        R, P = drawn(context, subject, space), signed(context, subject, space)
        yield f"product.{space}.1", (), partial(_product, context, subject, space, R, P)
        yield f"product.{space}.2", (), partial(_product, context, subject, space, P, R)
        yield f"inverse.{space}", (), partial(_inverse, context, subject, space, R)
        yield f"function.{space}", (), partial(_same, context, subject, space)
        if subject.net.widths[space] > 1:
            yield f"near.{space}", (), partial(_near, context, subject, space)
    for space in subject.others:
        yield f"signed.{space}", (), partial(_permuted, context, subject, space)
    for s, t in zip(subject.spaces, subject.spaces[1:], strict=False):
        yield f"commute.{s}.{t}", (), partial(_commute, context, subject, s, t)


def _permuted(context: Context, subject: Subject, space: int) -> Verdict:
    """A signed permutation moves entries and changes signs: nothing is rounded."""
    R = signed(context, subject, space)
    got = call(context, subject.net, space, R)
    want = acted(subject.net, space, R)
    rounding = operands(context.arithmetic)
    bound = tree_map(lambda v, _: np.abs(v) * rounding, wide(want.tangent()))
    return worst_of([entries(got, want, bound), untouched(got, subject.net, space)])


def _near(context: Context, subject: Subject, space: int) -> Verdict:
    net, R = subject.net, near(context, subject, space)
    bound = still(net)
    for arithmetic in (context.arithmetic, FLOAT64):
        bound = bound + turned(net, still(net), space, R, arithmetic)
    want = acted(wide(net), space, wide_(R))
    return entries(call(context, net, space, R), want, scaled(bound, FACTOR))


def _others(context: Context, subject: Subject, space: int) -> Verdict:
    R = drawn(context, subject, space)
    return untouched(call(context, subject.net, space, R), subject.net, space)


def _product(context: Context, subject: Subject, space: int, R: NDArray, Q: NDArray) -> Verdict:
    """One of the two is a signed permutation, so that Q R is exact."""
    net = subject.net
    twice = call(context, call(context, net, space, R), space, Q)
    once = call(context, net, space, Q @ R)
    first = turned(net, still(net), space, R, context.arithmetic)
    first = turned(acted(wide(net), space, wide_(R)), first, space, Q, context.arithmetic)
    second = turned(net, still(net), space, Q @ R, context.arithmetic)
    return entries(twice, once, scaled(first + second, FACTOR))


def _inverse(context: Context, subject: Subject, space: int, R: NDArray) -> Verdict:
    """RᵀR is I but for the rounding of R, which is known."""
    net, there = subject.net, acted(wide(subject.net), space, wide_(R))
    got = call(context, call(context, net, space, R), space, np.ascontiguousarray(R.T))
    want = acted(there, space, wide_(R.T))
    bound = still(net)
    for arithmetic in (context.arithmetic, FLOAT64):
        first = turned(net, still(net), space, R, arithmetic)
        bound = bound + turned(there, first, space, R.T, arithmetic)
    return entries(got, want, scaled(bound, FACTOR))


def _commute(context: Context, subject: Subject, s: int, t: int) -> Verdict:
    net, bound = subject.net, still(subject.net)
    turns, found = {space: drawn(context, subject, space) for space in (s, t)}, []
    for first, second in ((s, t), (t, s)):
        once = call(context, net, first, turns[first])
        found.append(call(context, once, second, turns[second]))
        moved = turned(net, still(net), first, turns[first], context.arithmetic)
        there = acted(wide(net), first, wide_(turns[first]))
        bound = bound + turned(there, moved, second, turns[second], context.arithmetic)
    return entries(found[0], found[1], scaled(bound, FACTOR))


def wide_(array: NDArray) -> NDArray:
    """Return an array in float64, contiguous."""
    return np.ascontiguousarray(array, np.float64)


def _same(context: Context, subject: Subject, space: int) -> Verdict:
    net, R = subject.net, drawn(context, subject, space)
    got = call(context, net, space, R)
    spread = turned(net, still(net), space, R, context.arithmetic, defect=True)
    return function(got, net, subject.x, spread)


CHECKS: tuple[Check, ...] = (
    of_vectors(
        "L4.rotate",
        "S4.1",
        "W, b and ψ that write the space → R ·, W that reads it → · Rᵀ, nothing else",
        ("rotate",),
        _rotate,
    ),
    of_subjects(
        "L4.group",
        "S4.3",
        "only the axes of the space move, twice is once by the product, Rᵀ undoes R, spaces "
        "commute, and the function stays (C06)",
        ("rotate",),
        _group,
        ("L4.rotate",),
        profiles=1,
    ),
)
