"""Levels 2 and 3: networks that no file has, in batches of one row, of many, and of none.

Those of `subjects` are the same for every seed but for their entries; those of `arbitrary` are not.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np

import isoref
from isoref.conformance.arbitrary import SIZES, arbitrary
from isoref.conformance.checks import derivatives, forward
from isoref.conformance.checks.activation import reference
from isoref.conformance.judge import UNOBSERVABLE, Verdict, equal, judged, worst_of
from isoref.conformance.plan import Check, Context, Trial
from isoref.conformance.subjects import Run, Subject, of_subjects
from isoref.network import Tangent, leaves, tree_map
from isoref.tolerance import bounds

NDArray = np.ndarray[Any, Any]

COPIES = {True: 60, False: 900}
"""So often the rows of a batch come in a long one, of a network with features and without."""
CALLS = 64
"""So often one call is repeated."""
ROUNDS = 6
"""Networks of every kind that are drawn."""


def _outputs(context: Context, subject: Subject) -> Iterator[Run]:
    if subject.features or subject.text == "3-4-2":
        yield "y", (), partial(_right, context, subject)
    if subject.text == "3-4-2":
        yield "often", (), partial(_repeated, context, subject, "forward")


def _right(context: Context, subject: Subject) -> Verdict:
    """The outputs of the definition, of one row and of many; and a batch of no rows."""
    net, x = subject.net, subject.x
    limit = forward.limit(context, net, x)
    if limit is None:
        return UNOBSERVABLE
    wide = tree_map(_wide, net)
    want, bound = isoref.forward(wide, x.astype(np.float64)), reference(context) * limit
    forward.call(context, net, x[:0])
    times = (COPIES[bool(subject.features)], *(1 for _ in want.shape[1:]))
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
        yield "none", (), partial(_none, context, subject)
    if subject.text == "3-4-2":
        for method in ("backward", "jvp"):
            yield f"{method}.often", (), partial(_repeated, context, subject, method)


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
    times = (COPIES[bool(subject.features)], *(1 for _ in x.shape[1:]))
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
    times = (COPIES[bool(subject.features)], *(1 for _ in x.shape[1:]))
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


def _repeated(context: Context, subject: Subject, method: str) -> Verdict:
    net, x = subject.net, subject.x[:2]
    ybar = _cotangent(context, subject)[:2]

    def arrays() -> list[NDArray]:
        if method == "forward":
            return [forward.call(context, net, x)]
        if method == "jvp":
            return list(derivatives.jvp(context, net, x, net.tangent(), x))
        gradient, xbar = derivatives.backward(context, net, x, ybar)
        return [xbar, *(v for _, _, (v,) in leaves(gradient))]

    first = arrays()
    for _ in range(CALLS):
        last = arrays()
    pairs = zip(last, first, strict=True)
    return worst_of(equal(f"{method}, called again", new, old) for new, old in pairs)


def _none(context: Context, subject: Subject) -> Verdict:
    """A batch of no rows has a gradient of zeros, no x̄ and no ẏ."""
    net, x, ybar = subject.net, subject.x[:0], _cotangent(context, subject)[:0]
    gradient, _ = derivatives.backward(context, net, x, ybar)
    derivatives.jvp(context, net, x, net.tangent(), x)
    return worst_of(
        equal(f"gradient.{i}.{name}", got, np.zeros_like(got))
        for i, name, (got,) in leaves(gradient)
    )


def _of_arbitrary(
    id: str,
    clause: str,
    law: str,
    method: str,
    judge: Callable[[Context, Subject], Verdict],
    needs: tuple[str, ...],
) -> Check:
    """Return the check of a law on networks that are drawn."""

    def trials(context: Context) -> Iterator[Trial]:
        for profile, subject in arbitrary(context, id, ROUNDS):
            run = partial(_run, judge, subject)
            text = f"{profile.name}.{subject.text}"
            yield Trial(text, profile.name, subject.features, run)

    return Check(id, clause, law, (method,), needs, trials)


def _run(
    judge: Callable[[Context, Subject], Verdict], subject: Subject, context: Context
) -> Verdict:
    return judge(context, subject)


def _output(context: Context, subject: Subject) -> Verdict:
    net, x = subject.net, subject.x
    limit = forward.limit(context, net, x)
    if limit is None:
        return UNOBSERVABLE
    want = isoref.forward(tree_map(_wide, net), x.astype(np.float64))
    found = forward.call(context, net, x), forward.call(context, _doubled(net), x)
    bound = reference(context) * limit
    return worst_of(
        [
            judged("y", found[0], want, bound),
            judged("y of twice the last layer", found[1], 2 * want, 2 * bound),
        ]
    )


def _doubled(net: Any) -> Any:
    """Return the network or tangent with twice its last layer."""
    twice = net.tangent() + net.tangent()
    return net.rebuilt((*net.layers[:-1], twice.layers[-1]))


def _gradient(context: Context, subject: Subject) -> Verdict:
    rng = context.rng("pulled", subject.net.profile.name, subject.text)
    size = _sizes(rng, subject.x)
    return derivatives.gradient_is_right(context, subject.net, subject.x, size)


def _sizes(rng: np.random.Generator, x: NDArray) -> NDArray:
    """Return a size for each row."""
    return np.asarray(4.0 ** rng.uniform(-SIZES, SIZES, (len(x), *(1 for _ in x.shape[1:]))))


def _pushed(context: Context, subject: Subject) -> Verdict:
    net, x = subject.net, subject.x
    rng = context.rng("pushed", net.profile.name, subject.text)
    size = float(2.0 ** rng.uniform(-SIZES, SIZES))
    drawn = Tangent.random(net, seed=rng)
    net_dot = tree_map(lambda v, _: np.asarray(size * v, context.dtype), drawn)
    x_dot = np.asarray(_sizes(rng, x) * rng.standard_normal(x.shape), context.dtype)
    still = rng.integers(4)  # parameters alone move, or inputs alone
    net_dot = Tangent.zeros(net) if still == 0 else net_dot
    x_dot = np.zeros_like(x_dot) if still == 1 else x_dot
    found = bounds(net, x, None, net_dot, x_dot, arithmetic=context.arithmetic, moments=False)
    if not found.observable.all():
        return UNOBSERVABLE
    assert found.ydot is not None
    wide, along = tree_map(_wide, net), tree_map(_wide, net_dot)
    want, moved = isoref.jvp(wide, x.astype(np.float64), along, x_dot.astype(np.float64))
    y, ydot = derivatives.jvp(context, net, x, net_dot, x_dot)
    twice = derivatives.jvp(context, _doubled(net), x, _doubled(net_dot), x_dot)[1]
    more = reference(context)
    return worst_of(
        [
            judged("y", y, want, more * found.y),
            judged("ydot", ydot, moved, more * found.ydot),
            judged("ydot of twice the last layer", twice, 2 * moved, 2 * more * found.ydot),
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
    _of_arbitrary(
        "L2.drawn",
        "S8.2",
        "y of networks of any depth, with any kernels, pools and skips, others for every seed",
        "forward",
        _output,
        ("L1.values", "L2.values"),
    ),
    _of_arbitrary(
        "L3.pulled",
        "S3.2",
        "the gradient and x̄ of such networks",
        "backward",
        _gradient,
        ("L3.backward",),
    ),
    _of_arbitrary("L3.pushed", "S3.1", "y and ẏ of such networks", "jvp", _pushed, ("L3.jvp",)),
)
