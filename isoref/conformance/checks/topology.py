"""Level 5: growing and dropping neurons of hidden spaces."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from math import sqrt
from typing import Any

import numpy as np

from isoref.arrays import haar
from isoref.conformance.checks.gauge import parameters, wide_
from isoref.conformance.edited import (
    entries,
    function,
    outputs,
    returned,
    scaled,
    still,
    turned,
    unit,
    wide,
    with_entries,
)
from isoref.conformance.judge import Verdict, equal, failed, worst_of
from isoref.conformance.numerics import limit
from isoref.conformance.plan import Check, Context, of_vectors
from isoref.conformance.subjects import Run, Subject, of_subjects
from isoref.conformance.vectors import Case
from isoref.edits import Drop, taken
from isoref.gauge import acted, rotate
from isoref.network import Network, Tangent, leaves
from isoref.rounding import Arithmetic
from isoref.tolerance import ARITHMETIC, FACTOR, FLOAT64
from isoref.topology import grow, materialise

NDArray = np.ndarray[Any, Any]
Neurons = tuple[int, ...]


def resized(net: Network, space: int, change: int) -> tuple[int, ...]:
    """Return the widths after a change of one space, and of those that skips connect with it."""
    members = net.members(space)
    return tuple(n + change * (s in members) for s, n in enumerate(net.widths))


def grown(context: Context, net: Network, space: int, count: int) -> Network:
    """Return the grown network of the implementation."""
    widths = resized(net, space, count)
    return returned(context, net, widths, "grow", space, count)


def dropped(
    context: Context, net: Network, space: int, neurons: Neurons, values: NDArray
) -> Network:
    """Return the network of the implementation without these neurons, which are constants."""
    widths = resized(net, space, -len(neurons))
    given = values.astype(context.dtype)
    return returned(context, net, widths, "drop", space, neurons, given)


# Growing


def _grow(context: Context, case: Case) -> Verdict:
    net, x = case.network(context.dtype), case.array("x", context.dtype)
    space, count = int(case.settings["space"]), int(case.settings["count"])
    got, y = grown(context, net, space, count), case.expected["y"]
    same = outputs(got, x, y.value, limit(y.gauges, FLOAT64), still(got))
    return worst_of([_scaffold(got, net, space), same])


def _growing(context: Context, subject: Subject) -> Iterator[Run]:
    for space in subject.spaces:
        yield f"{space}", (), partial(_inert, context, subject, space, 3)
        if subject.text == "bare":
            more = 2 * subject.net.widths[space] + 1
            yield f"many.{space}", (), partial(_inert, context, subject, space, more)
        if subject.text == "3-4-2":
            silent = changed_weight(subject, space)
            yield f"silent.{space}", (), partial(_inert, context, silent, space, 6)


def changed_weight(subject: Subject, space: int) -> Subject:
    """Return the subject with weights of 0 in the layer that reads the space, as some begin."""
    layers = list(subject.net.layers)
    layers[space] = replace(layers[space], weight=layers[space].weight * 0)
    return subject._replace(net=subject.net.rebuilt(layers))


def _inert(context: Context, subject: Subject, space: int, count: int) -> Verdict:
    got = grown(context, subject.net, space, count)
    same = function(got, subject.net, subject.x, still(got))
    return worst_of([_scaffold(got, subject.net, space), same])


def _scaffold(got: Network, net: Network, space: int) -> Verdict:
    """Zero rows at the end, a column for each that is not zero, and the rest as it was."""
    n, verdicts = net.widths[space], []
    for i, name, (after, before) in leaves(taken(got, space, np.arange(n)), net):
        verdicts.append(equal(f"layers[{i}].{name}", after, before))
    reach = np.zeros(got.widths[space] - n)
    for member in net.members(space):
        below, above = got.layers[member - 1 : member + 1]
        for name in ("weight", "bias", "psi"):
            array = getattr(below, name)
            if array is not None:
                rows = array[n:]
                verdicts.append(equal(f"new rows of {name}", rows, np.zeros(rows.shape)))
        columns = np.moveaxis(above.weight, 1, 0)[n:]
        reach += np.abs(columns.reshape(len(columns), -1)).max(axis=1)
    if not reach.all():
        verdicts.append(failed("a new neuron with a zero column never learns (C10)"))
    return worst_of(verdicts)


# Dropping


def _drop(context: Context, case: Case) -> Verdict:
    net, x = case.network(context.dtype), case.array("x", context.dtype)
    space, neurons = int(case.settings["space"]), tuple(map(int, case.settings["neurons"]))
    got = dropped(context, net, space, neurons, case.array("values", context.dtype))
    spread = _deviations(context, case, got)
    y = case.expected["y"]
    same = outputs(got, x, y.value, limit(y.gauges, FLOAT64), spread)
    return worst_of([parameters(context, case, got), _rest(got, net, space, neurons), same])


def _deviations(context: Context, case: Case, got: Network) -> Tangent:
    """Return E/6 of every parameter that a case expects, and 0 of the others."""
    found = {
        name: limit(expected.gauges, context.arithmetic) / FACTOR
        for name, expected in case.expected.items()
    }
    places = {(i, name): f"net.{i}.{name}" for i, name, _ in leaves(got)}
    known = {place: found[name] for place, name in places.items() if name in found}
    return with_entries(still(got), known)


def _rest(got: Network, net: Network, space: int, neurons: Neurons) -> Verdict:
    """All but the q and ψ that absorb the neurons is as it was, without their entries."""
    members = net.members(space)
    kept = np.delete(np.arange(net.widths[space]), neurons)
    return worst_of(
        equal(f"layers[{i}].{name}", after, before)
        for i, name, (after, before) in leaves(got, taken(net, space, kept))
        if not (name == "q" and i + 1 in members) and not (name == "psi" and i in members)
    )


def _absorbed(
    net: Network,
    deviation: Tangent,
    space: int,
    neurons: Neurons,
    arithmetic: Arithmetic,
    *,
    biases: bool = False,
) -> Tangent:
    """Return the deviations after a drop with c = b; `biases` says that c deviates as b does.

    Of q: unit(k+1) (q + c·c) and 2 c dc. Of ψ: unit(k+1) (|ψ| + |W||c|), W dc and dW c.
    """
    chosen = list(neurons)
    kept = np.delete(np.arange(net.widths[space]), chosen)
    below, above = wide(net).layers[space - 1 : space + 1]
    off, reading = deviation.layers[space - 1], deviation.layers[space]
    c, dc = below.bias[chosen], off.bias[chosen] * biases
    columns, spread = above.weight[:, chosen], reading.weight[:, chosen]
    own = unit(len(chosen) + 1, arithmetic)
    parts = [off.q, own * (below.q + c @ c), 2 * sqrt(float((c * dc) @ (c * dc)))]
    squares = reading.psi**2 + (own * (np.abs(above.psi) + summed(np.abs(columns), np.abs(c)))) ** 2
    squares += summed(columns**2, dc**2) + summed(spread**2, c**2)
    found = {(space - 1, "q"): np.hypot.reduce(parts), (space, "psi"): np.sqrt(squares)}
    return taken(with_entries(deviation, found), space, kept)


def summed(columns: NDArray, c: NDArray) -> NDArray:
    """Return Σ_j columns[:, j, …] c_j."""
    return np.tensordot(np.moveaxis(columns, 1, 0), c, axes=(0, 0)).reshape(
        len(columns), *columns.shape[2:]
    )


def _laws(context: Context, subject: Subject) -> Iterator[Run]:
    net = subject.net
    for space in subject.spaces:
        yield f"grown.{space}", (), partial(_grown, context, subject, space)
        if subject.text == "faint":  # what it would lose underflows
            continue
        if net.widths[space] >= 3:
            yield f"order.{space}", ("psi",), partial(_order, context, subject, space)
        if len(net.members(space)) > 1 or net.widths[space] < 3:
            continue
        for law, run in (("union", _union), ("subspace", _subspace), ("ghost", _ghost)):
            if law != "ghost" or subject.net.layers[space - 1].q > 0:
                yield f"{law}.{space}", ("psi",), partial(run, context, subject, space)
    for space in subject.others:
        yield f"grown.{space}", (), partial(_grown, context, subject, space)


def _grown(context: Context, subject: Subject, space: int) -> Verdict:
    """Dropping new neurons, whose constants are 0, is exact: nothing is rounded."""
    net, n = subject.net, subject.net.widths[space]
    scaffold = _padded(context, net, space)
    got = dropped(context, scaffold, space, (n, n + 1), np.zeros(2))
    return worst_of(
        equal(f"layers[{i}].{name}", after, before) for i, name, (after, before) in leaves(got, net)
    )


def _order(context: Context, subject: Subject, space: int) -> Verdict:
    """All neurons but one go, the last first, each with its own constant.

    Of connected spaces the last is named, which no skip leaves: there c is what is given, which is
    b, as it is in others that no skip leaves; elsewhere c is 0.
    """
    net, gone = subject.net, tuple(range(subject.net.widths[space] - 1, 0, -1))
    bias = net.layers[space - 1].bias[list(gone)]
    want = Drop(space, gone, wide_(bias)).apply(wide(net))
    bound, left = still(want), {source for source, _ in net.skips}
    for member in set(net.members(space)) - left:
        for arithmetic in (context.arithmetic, FLOAT64):
            bound = bound + _absorbed(net, still(net), member, gone, arithmetic)
    return entries(dropped(context, net, space, gone, bias), want, scaled(bound, FACTOR))


def _padded(context: Context, net: Network, space: int) -> Network:
    """Return the network with two scaffold neurons and random columns."""
    return grow(net, space, 2, seed=context.seed)[0]


def _union(context: Context, subject: Subject, space: int) -> Verdict:
    """drop_D ∘ drop_E = drop_{D∪E} with c = b: neuron 0, then the last of those that are left."""
    net, n = subject.net, subject.net.widths[space]
    bias = net.layers[space - 1].bias
    first = dropped(context, net, space, (0,), bias[[0]])
    twice = dropped(context, first, space, (n - 2,), bias[[n - 1]])
    once = dropped(context, net, space, (0, n - 1), bias[[0, n - 1]])
    zero = still(net)
    bound = _absorbed(net, zero, space, (0, n - 1), context.arithmetic)
    halves = _absorbed(net, zero, space, (0,), context.arithmetic)
    halves = _absorbed(first, halves, space, (n - 2,), context.arithmetic)
    return entries(twice, once, scaled(bound + halves, FACTOR))


def _subspace(context: Context, subject: Subject, space: int) -> Verdict:
    """drop_D ∘ rotate_{diag(R,S)} = rotate_R ∘ drop_D, for c = b of the rotated network."""
    net, n = subject.net, subject.net.widths[space]
    rng = context.rng("subspace", net.profile.name, subject.text, str(space))
    R, S = (haar(m, seed=rng).astype(context.dtype) for m in (n - 2, 2))
    both = np.zeros((n, n), context.dtype)
    both[: n - 2, : n - 2], both[n - 2 :, n - 2 :] = R, S
    there, last = rotate(net, space, both), (n - 2, n - 1)
    bias = net.layers[space - 1].bias[list(last)]
    got = dropped(context, there, space, last, there.layers[space - 1].bias[list(last)])
    plain = dropped(context, net, space, last, bias)
    want = acted(wide(plain), space, wide_(R))
    own = ARITHMETIC[str(context.dtype)]
    moved = turned(net, still(net), space, both, own, defect=True)
    bound = _absorbed(there, moved, space, last, context.arithmetic, biases=True)
    first = _absorbed(net, still(net), space, last, context.arithmetic)
    second = turned(plain, first, space, R, FLOAT64)
    return entries(got, want, scaled(bound + second, FACTOR))


def _ghost(context: Context, subject: Subject, space: int) -> Verdict:
    """(q, ψ) is one constant neuron: dropping it gives (q, ψ) back.

    √q, ψ/√q and their products err by u each, before what the sums of the drop add.
    """
    net = subject.net
    full = materialise(net, space)[0]
    n, bias = net.widths[space], full.layers[space - 1].bias
    got = dropped(context, full, space, (n,), bias[[n]])
    bound = scaled(_absorbed(full, still(full), space, (n,), context.arithmetic), FACTOR)
    below, above = wide(net).layers[space - 1 : space + 1]
    three = 3 * ARITHMETIC[str(context.dtype)].store
    own = {(space - 1, "q"): three * below.q, (space, "psi"): three * np.abs(above.psi)}
    return entries(got, net, bound + with_entries(still(net), own))


CHECKS: tuple[Check, ...] = (
    of_subjects(
        "L5.grow",
        "S5.1",
        "new rows are zero, new columns are not, and nothing else changes (C09, C10)",
        ("grow",),
        _growing,
        judge=of_vectors("L5.grow", "S5.1", "", ("grow",), _grow),
    ),
    of_vectors(
        "L5.drop",
        "S5.2",
        "q + c·c and ψ + W c, both, and nothing else changes (C11, C12)",
        ("drop",),
        _drop,
    ),
    of_subjects(
        "L5.laws",
        "S5.4",
        "drops undo growth, add up, depend on the subspace alone, and give (q, ψ) back (C14, C33)",
        ("drop",),
        _laws,
        ("L5.drop",),
        profiles=1,
    ),
)
