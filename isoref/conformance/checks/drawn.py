"""Levels 2 and 3: networks that no file has, in batches of one row, of many, and of none."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np

import isoref
from isoref.conformance.checks import derivatives, forward
from isoref.conformance.checks.activation import reference
from isoref.conformance.judge import UNOBSERVABLE, Verdict, equal, judged, worst_of
from isoref.conformance.plan import Check, Context
from isoref.conformance.subjects import Run, Subject, of_subjects
from isoref.network import Tangent, leaves, tree_map
from isoref.tolerance import bounds

NDArray = np.ndarray[Any, Any]

COPIES = 60
"""So often the rows of a batch come in a long one: 300 of them."""


def _outputs(context: Context, subject: Subject) -> Iterator[Run]:
    if subject.features or subject.text == "3-4-2":
        yield "y", (), partial(_right, context, subject)


def _right(context: Context, subject: Subject) -> Verdict:
    """The outputs of the definition, of one row and of many; and a batch of no rows."""
    net, x = subject.net, subject.x
    limit = forward.limit(context, net, x)
    if limit is None:
        return UNOBSERVABLE
    wide = tree_map(_wide, net)
    want, bound = isoref.forward(wide, x.astype(np.float64)), reference(context) * limit
    forward.call(context, net, x[:0])
    times = (COPIES, *(1 for _ in want.shape[1:]))
    many = forward.call(context, net, np.tile(x, times))
    return worst_of(
        [
            judged("y", forward.call(context, net, x), want, bound),
            judged("y of one row", forward.call(context, net, x[:1]), want[:1], bound[:1]),
            judged("y of many rows", many, np.tile(want, times), np.tile(bound, times)),
        ]
    )


def _batches(context: Context, subject: Subject) -> Iterator[Run]:
    if subject.features or subject.text == "3-4-2":
        yield "still", (), partial(_still, context, subject)
        yield "velocity", (), partial(_velocity, context, subject)


def _wide(array: NDArray, _: Any) -> NDArray:
    return np.asarray(array, np.float64)


def _cotangent(context: Context, subject: Subject) -> NDArray:
    shape = isoref.forward(subject.net, subject.x).shape
    rng = context.rng("batches", subject.net.profile.name, subject.text)
    return np.asarray(rng.standard_normal(shape), context.dtype)


def _still(context: Context, subject: Subject) -> Verdict:
    """Rows whose cotangent is 0 add nothing, and are left without one, before and after others."""
    net, x, ybar = subject.net, subject.x, _cotangent(context, subject)
    found = bounds(net, x, ybar, arithmetic=context.arithmetic, moments=False)
    if not found.observable.all():
        return UNOBSERVABLE
    times = (COPIES, *(1 for _ in x.shape[1:]))
    long = np.tile(ybar, times)
    long[: -len(x)] = 0
    want, _ = derivatives.backward(context, net, x, ybar)
    got, xbar = derivatives.backward(context, net, np.tile(x, times), long)
    again, _ = derivatives.backward(context, net, x, ybar)
    verdicts = []
    for i, name, (new, old, bound, later) in leaves(got, want, found.gradient, again):  # type: ignore[arg-type]
        place = f"gradient.{i}.{name}"
        verdicts.append(judged(place, new, old, 2 * bound))
        verdicts.append(equal(f"{place}, called again", later, old))
    rest = xbar[: -len(x)]
    none, unmoved = derivatives.backward(context, net, x, np.zeros_like(ybar))
    for i, name, (new,) in leaves(none):
        verdicts.append(equal(f"gradient.{i}.{name} of 0", new, np.zeros_like(new)))
    for name, zero in (("xbar", rest), ("xbar of 0", unmoved)):
        verdicts.append(equal(name, zero, np.zeros_like(zero)))
    return worst_of(verdicts)


def _velocity(context: Context, subject: Subject) -> Verdict:
    """ẏ of the definition, of some rows and of many; called again it is the same."""
    net, x = subject.net, subject.x
    rng = context.rng("velocity", net.profile.name, subject.text)
    drawn = Tangent.random(net, seed=rng)
    net_dot = tree_map(lambda v, _: np.asarray(v, context.dtype), drawn)
    x_dot = np.asarray(rng.standard_normal(x.shape), context.dtype)
    ybar = _cotangent(context, subject)
    found = bounds(net, x, ybar, net_dot, x_dot, arithmetic=context.arithmetic, moments=False)
    if not found.observable.all():
        return UNOBSERVABLE
    wide, along = tree_map(_wide, net), tree_map(_wide, net_dot)
    _, want = isoref.jvp(wide, x.astype(np.float64), along, x_dot.astype(np.float64))
    assert found.ydot is not None
    bound = reference(context) * found.ydot
    times = (COPIES, *(1 for _ in x.shape[1:]))
    _, many = derivatives.jvp(context, net, np.tile(x, times), net_dot, np.tile(x_dot, times))
    _, first = derivatives.jvp(context, net, x, net_dot, x_dot)
    _, again = derivatives.jvp(context, net, x, net_dot, x_dot)
    return worst_of(
        [
            judged("ydot", first, want, bound),
            judged("ydot of many rows", many, np.tile(want, times), np.tile(bound, times)),
            equal("ydot, called again", again, first),
        ]
    )


CHECKS: tuple[Check, ...] = (
    of_subjects(
        "L2.fresh",
        "S8.2",
        "y of networks that are drawn: of convolutions, with chains of skips; one row and many",
        ("forward",),
        _outputs,
        ("L1.values", "L2.values"),
        profiles=2,
    ),
    of_subjects(
        "L3.batches",
        "S1.2",
        "rows without a cotangent add nothing in batches of any length, and ẏ goes row by row",
        ("backward", "jvp"),
        _batches,
        ("L3.backward", "L3.jvp"),
        profiles=1,
    ),
)
