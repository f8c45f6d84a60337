"""Outputs, derivatives and gradients against the definition and against each other (C05, C31)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from math import fsum
from typing import Any

import numpy as np

from isoref.arrays import precision, to_numpy
from isoref.gauge import moment
from isoref.network import Network, Tangent, leaves, tree_map
from isoref.propagation import backward, jvp, trace
from isoref.tolerance import ARITHMETIC, Bounds, Worst, bounds, compare
from isoref.verification import definition
from isoref.verification.cases import Case
from isoref.verification.check import Check, worst_of

Found = list[tuple[str, Worst | None]]

LAWS = {
    "value": "outputs equal the definition",
    "jvp": "directional derivatives equal those of the definition",
    "vjp": "every gradient entry equals the derivative of the definition",
    "adjoint": "⟨ȳ, jvp(v)⟩ = ⟨vjp(ȳ), v⟩ (C05)",
    "moment": "the gauge moment of every gradient is symmetric (C31)",
}


def checks(cases: Iterable[Case], label: str, *, entries: int) -> Iterator[Check]:
    """Yield one check per law over `cases`; of each gradient, `entries` random entries at most."""
    found: dict[str, Found] = {name: [] for name in LAWS}
    rng = np.random.default_rng(0)
    for case in cases:
        limits = bounds(case.net, case.x, case.ybar, case.net_dot, case.x_dot)
        for name, worst in _examine(case, limits, entries, rng):
            found[name].append((case.text, worst if limits.observable.all() else None))
    for name, law in LAWS.items():
        yield worst_of(f"derivatives.{name}.{label}", law, found[name])


def _examine(
    case: Case, limits: Bounds, entries: int, rng: np.random.Generator
) -> Iterator[tuple[str, Worst]]:
    net = case.net
    run = trace(net, case.x)
    gradient, xbar = backward(net, run, case.ybar)
    y, ydot = jvp(net, case.x, case.net_dot, case.x_dot)
    # Both sides are floating point: the bound of the reference is added.
    both = 1 + definition.ROUNDOFF / ARITHMETIC[precision(y)].store
    want, want_dot = definition.evaluate(net, case.x, case.net_dot, case.x_dot)
    yield "value", compare(run.y, want, both * limits.y)
    yield "jvp", compare(ydot, want_dot, both * _given(limits.ydot))
    for worst in _entries(case, gradient, xbar, limits, both, entries, rng):
        yield "vjp", worst
    yield (
        "adjoint",
        compare(
            np.array(_pairing(case, gradient, xbar, ydot)), np.array(0.0), np.array(limits.adjoint)
        ),
    )
    for s, bound in enumerate(limits.moments, start=1):
        m = _moment64(net, gradient, s)
        yield "moment", compare(m, m.T, bound)


def _entries(
    case: Case,
    gradient: Tangent,
    xbar: Any,
    limits: Bounds,
    both: float,
    count: int,
    rng: np.random.Generator,
) -> Iterator[Worst]:
    """Compare gradient entries, one direction each, with the definition."""
    zero, still = Tangent.zeros(case.net), np.zeros_like(case.x)
    places = [
        (i, name, index)
        for i, name, (array,) in leaves(case.net)
        for index in np.ndindex(array.shape)
    ]
    chosen = (
        places
        if len(places) <= count
        else [places[k] for k in rng.permutation(len(places))[:count]]
    )
    ybar = case.ybar.astype(definition.REAL)
    for i, name, index in chosen:
        direction = _unit(zero, i, name, index)
        want = (ybar * definition.evaluate(case.net, case.x, direction, still)[1]).sum()
        got = getattr(gradient.layers[i], name)[index]
        bound = getattr(_given(limits.gradient).layers[i], name)[index]
        worst = compare(np.array(got), np.array(want), both * np.array(bound))
        yield replace(worst, where=f"layers[{i}].{name}{[*index]}")
    inputs = list(np.ndindex(case.x.shape[1:]))
    every = (slice(None),)
    for index in inputs[:: -(-len(inputs) // count)]:
        column = np.zeros_like(case.x)
        column[every + index] = 1
        moved = ybar * definition.evaluate(case.net, case.x, zero, column)[1]
        want = moved.reshape(len(moved), -1).sum(axis=1)
        limit = both * _given(limits.xbar)[every + index]
        yield replace(compare(xbar[every + index], want, limit), where=f"xbar[:, {[*index]}]")


def _unit(zero: Tangent, layer: int, name: str, index: tuple[int, ...]) -> Tangent:
    array = np.zeros_like(getattr(zero.layers[layer], name))
    array[index] = 1
    layers = list(zero.layers)
    layers[layer] = replace(layers[layer], **{name: array})
    return Tangent(layers)


def _pairing(case: Case, gradient: Tangent, xbar: Any, ydot: Any) -> float:
    """⟨ȳ, ẏ⟩ − ⟨gradient, net_dot⟩ − ⟨x̄, ẋ⟩, the products in float64 and the sum exact."""
    pairs = [(case.ybar, ydot, 1), (xbar, case.x_dot, -1)]
    pairs += [(a, b, -1) for _, _, (a, b) in leaves(gradient, case.net_dot)]
    return fsum(
        sign * product
        for a, b, sign in pairs
        for product in (_float64(a) * _float64(b)).ravel().tolist()
    )


def _moment64(net: Network, gradient: Tangent, space: int) -> Any:
    wide_net = tree_map(lambda array, _: _float64(array), net)
    return moment(wide_net, tree_map(lambda array, _: _float64(array), gradient), space)


def _float64(array: Any) -> Any:
    return to_numpy(array).astype(np.float64)


def _given(array: Any) -> Any:
    assert array is not None
    return array
