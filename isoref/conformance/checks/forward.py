"""Level 2: the outputs of a network."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np

from isoref.arrays import haar
from isoref.conformance.calls import array
from isoref.conformance.checks.activation import reference
from isoref.conformance.judge import UNOBSERVABLE, Verdict, equal, failed, judged, worst_of
from isoref.conformance.plan import Check, Context, of_law, of_vectors
from isoref.conformance.vectors import Case
from isoref.gauge import rotate
from isoref.network import Network, tree_map
from isoref.profiles import Profile
from isoref.propagation import forward
from isoref.tolerance import bounds
from isoref.topology import grow, materialise

NDArray = np.ndarray[Any, Any]
Cases = Iterator[tuple[str, Callable[[], Verdict]]]


def call(context: Context, net: Network, x: NDArray) -> NDArray:
    """Return y of the implementation, in its shape and dtype."""
    return array("y", context.calls("forward", net, x), forward(net, x).shape, context.dtype)


def limit(context: Context, net: Network, x: NDArray) -> NDArray | None:
    """Return E of y for the arithmetic of the implementation; None where first order fails."""
    found = bounds(net, x, arithmetic=context.arithmetic)
    return found.y if found.observable.all() else None


def same_function(context: Context, first: Network, second: Network, x: NDArray) -> Verdict:
    """Judge that two networks in the dtype have one function, as the implementation has it.

    The parameters of the second were computed from those of the first: their rounding is moved to
    the outputs in float64, where it is known.
    """
    wide = [tree_map(lambda v, _: v.astype(np.float64), net) for net in (first, second)]
    limits = [limit(context, net, x) for net in (first, second)]
    if limits[0] is None or limits[1] is None:
        return UNOBSERVABLE
    shift = forward(wide[1], x.astype(np.float64)) - forward(wide[0], x.astype(np.float64))
    exact = sum(bounds(net, x.astype(np.float64)).y for net in wide)
    got, want = call(context, second, x), call(context, first, x)
    return judged("y", got, want + shift, limits[0] + limits[1] + exact)


def _values(context: Context, case: Case) -> Verdict:
    net, x = case.network(context.dtype), case.array("x", context.dtype)
    return context.judge(case, "y", call(context, net, x))


def _gauge(context: Context, profile: Profile) -> Cases:
    for text, net, x in context.networks(profile, "gauge"):
        for space in range(1, net.depth + 1):
            R = haar(net.widths[space], seed=context.rng("R", profile.name, text, str(space)))
            turned = rotate(net, space, R.astype(context.dtype))
            yield f"{text}.{space}", partial(_turned, context, net, turned, x)


def _turned(context: Context, net: Network, turned: Network, x: NDArray) -> Verdict:
    """Judge that the function stays, and that it is isoref's: 0 and the identity stay too."""
    e = limit(context, net, x)
    if e is None:
        return UNOBSERVABLE
    wide = tree_map(lambda v, _: v.astype(np.float64), net)
    own = forward(wide, x.astype(np.float64))
    right = judged("y", call(context, net, x), own, reference(context) * e)
    return worst_of([same_function(context, net, turned, x), right])


def _ghosts(context: Context, profile: Profile) -> Cases:
    for text, net, x in context.networks(profile, "ghosts"):
        for space in range(1, net.depth + 1):
            grown = grow(net, space, 2, seed=context.seed)[0]
            full = materialise(net, space)[0]
            for name, other in (("scaffold", grown), ("materialised", full)):
                yield f"{name}.{text}.{space}", partial(same_function, context, net, other, x)


def _rows(context: Context, profile: Profile) -> Cases:
    for text, net, x in context.networks(profile, "rows"):
        yield f"alone.{text}", partial(_alone, context, net, x)
        yield f"order.{text}", partial(_order, context, net, x)


def _alone(context: Context, net: Network, x: NDArray) -> Verdict:
    e = limit(context, net, x)
    if e is None:
        return UNOBSERVABLE
    single = np.concatenate([call(context, net, x[[k]]) for k in range(len(x))])
    return judged("y", single, call(context, net, x), 2 * e)


def _order(context: Context, net: Network, x: NDArray) -> Verdict:
    e = limit(context, net, x)
    if e is None:
        return UNOBSERVABLE
    backwards = call(context, net, np.ascontiguousarray(x[::-1]))
    return judged("y", backwards[::-1], call(context, net, x), 2 * e)


def _conduct(context: Context, profile: Profile) -> Cases:
    for text, net, x in context.networks(profile, "conduct"):
        yield f"repeat.{text}", partial(_repeat, context, net, x)
        yield f"empty.{text}", partial(_empty, context, net, x)


def _repeat(context: Context, net: Network, x: NDArray) -> Verdict:
    first, at_once = (call(context, net, x) for _ in range(2))
    call(context, net, x[:2] * 2)
    later = call(context, net, x)
    if not all(equal("y", again, first).holds for again in (at_once, later)):
        return failed("a second call with the same arguments gives another answer")
    return Verdict()


def _empty(context: Context, net: Network, x: NDArray) -> Verdict:
    call(context, net, x[:0])
    return Verdict()


def _needs(*ids: str) -> tuple[str, ...]:
    return ("L1.values", *ids)


CHECKS: tuple[Check, ...] = (
    of_vectors("L2.values", "S2.1", "y of a network", ("forward",), _values, _needs()),
    of_law("L2.rows", "S1.2", "each row by itself, in any order", ("forward",), _rows),
    of_law("L2.conduct", "S1.2", "the same answer twice; no rows", ("forward",), _conduct),
    of_law(
        "L2.gauge",
        "S4.2",
        "a rotated network has the same function (C06), which is that of the definition",
        ("forward",),
        _gauge,
        _needs("L2.values"),
    ),
    of_law(
        "L2.ghosts",
        "S5.4",
        "scaffolds are inert (C09); (q, ψ) is one constant neuron (C14)",
        ("forward",),
        _ghosts,
        _needs("L2.values"),
        ("psi",),
    ),
)
