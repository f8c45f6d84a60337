"""Edits while training: the controller settles, budgets are kept, logs repeat a run to the bit.

Every law is checked on the networks themselves: singular values are counted, outputs compared.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from math import isfinite
from typing import Any

import numpy as np

from isoref.arrays import precision
from isoref.data import load_digits, split, standardise
from isoref.edits import Edit, deviations
from isoref.gauge import UNIT
from isoref.network import Network
from isoref.propagation import forward
from isoref.pruning import prune
from isoref.tolerance import FACTOR, Worst, compare
from isoref.topology import grow, incoming
from isoref.training import (
    SGD,
    Budget,
    Controller,
    Event,
    Recorded,
    Rule,
    When,
    Widths,
    adapt,
    train,
)
from isoref.verification.cases import Case
from isoref.verification.check import Check, worst_of
from isoref.verification.surgery import Found, same_function
from isoref.verification.training_laws import identical

NDArray = np.ndarray[Any, Any]

BUFFER, SWEEPS = 2, 5


def checks(cases: Iterable[Case], label: str, seed: int) -> Iterator[Check]:
    """Yield one check per law of the controller and of the budget over `cases`."""
    found: dict[str, Found] = {name: [] for name in LAWS}
    for case in cases:
        for name, worst in (*_controlled(case, seed), *_budgeted(case, seed)):
            found[name].append((case.text, worst))
    for name, law in LAWS.items():
        yield worst_of(f"{name}.{label}", law, found[name])


def logs(dtype: str) -> Iterator[Check]:
    """Train on the digits with rules, and again with the log in their place."""
    parts = standardise(split(*load_digits(), seed=0), dtype)
    net = Network.random((64, 16, 10), dtype=dtype, seed=0)
    options: dict[str, Any] = {"optimiser": SGD(rate=0.1), "epochs": 3, "batch": 64, "seed": 0}
    found: Found = []
    for rule in RULES:
        first = train(net, parts.x, parts.labels, rules=(rule,), **options)
        again = train(net, parts.x, parts.labels, rules=(Recorded(first.events),), **options)
        worst = identical((again.net, again.state), (first.net, first.state))
        found.append((f"{rule.name}, {len(first.events)} events,", worst if first.events else None))
    yield worst_of(f"log.digits.{dtype}", "a run with its log is the run to the bit", found)


LAWS = {
    "controller.settles": "one sweep leaves each space its buffer, a second does nothing (C29)",
    "controller.nulls": "structural nulls count: what the public rule grows for ever settles (C29)",
    "controller.grow": "what the controller grows keeps the function",
    "controller.certified": "what the controller changes stays within its certificates (C13)",
    "budget.total": "the certificates of a budget add up to its total at most",
    "budget.measured": "what a budget changes stays within the sum of its certificates (C13)",
}

RULES: tuple[Rule, ...] = (
    Controller(threshold=0.9, buffer=3),
    Widths(start=(16,), target=(12,), hold=0, over=3),
    Budget(total=20.0),
)


def _controlled(case: Case, seed: int) -> Iterator[tuple[str, Worst | None]]:
    net, when = case.net, When(1, 1, case.x, seed)
    for threshold in _thresholds(net):
        edited, report = adapt(net, threshold=threshold, buffer=BUFFER, seed=seed)
        yield "controller.settles", _settled(net, edited, report.edits, threshold, seed)
    # Below the largest singular value of a space, so that live neurons go.
    largest = min(_values(matrix)[0][0] for matrix in _incoming(net))
    edited, report = adapt(net, threshold=0.9 * largest, buffer=1, seed=seed, inputs=case.x)
    if report.certificates:
        event = Event.of("controller", when, net, edited, report)
        yield "controller.certified", _within(_change(net, edited, case.x), event.bound)
    # Below every singular value but the structural nulls, and more scaffolds than those.
    least = min(_values(matrix)[1] for matrix in _incoming(net))
    more = 1 + max(len(matrix) - min(matrix.shape) for matrix in _incoming(net))
    _, report = adapt(net, threshold=least / 2, buffer=more, seed=seed)
    yield "controller.grow", same_function(net, report.edits, case.x)
    for space in range(1, net.depth + 1):
        if net.widths[space] >= net.widths[space - 1]:
            yield "controller.nulls", _nulls(net, space, seed)


def _settled(
    net: Network, edited: Network, edits: tuple[Edit, ...], threshold: float, seed: int
) -> Worst | None:
    """Count what is at or below the threshold, and the edits of a second sweep; None for a tie.

    Edits move singular values by at most the norm of what they round off M (Weyl), and the
    factorisation by max(m, n) u σ_max.
    """
    spread, unit = deviations(net, edits), UNIT[precision(net.reference)]
    wrong = 0
    for matrix, layer in zip(_incoming(edited), spread.layers, strict=False):
        values, _ = _values(matrix)
        moved = [layer.weight] if layer.psi is None else [layer.weight, layer.psi[:, None]]
        norm = np.linalg.norm(np.concatenate(moved, axis=1))
        if np.abs(values - threshold).min() <= FACTOR * norm + max(matrix.shape) * unit * values[0]:
            return None
        wrong += abs(int((values <= threshold).sum()) - BUFFER)
    _, second = adapt(edited, threshold=threshold, buffer=BUFFER, seed=seed + 1)
    return _counted(wrong + len(second.edits), "neurons and edits too many")


def _nulls(net: Network, space: int, seed: int) -> Worst | None:
    """Let the public rule, which counts min(m, n) values of W, grow a space; then settle it."""
    weight = np.asarray(net.layers[space - 1].weight, np.float64)
    threshold = float(np.linalg.svd(weight, compute_uv=False).min()) / 2
    stopped = 0
    for sweep in range(SWEEPS):
        weight = np.asarray(net.layers[space - 1].weight, np.float64)
        counted = int((np.linalg.svd(weight, compute_uv=False) <= threshold).sum())
        if counted >= BUFFER:
            stopped += 1
        else:
            net, _ = grow(net, space, BUFFER - counted, seed=seed + sweep)
    edited, report = adapt(net, threshold=threshold, buffer=BUFFER, seed=seed)
    settled = _settled(net, edited, report.edits, threshold, seed)
    return None if settled is None else _counted(stopped + int(settled.error), settled.where)


def _thresholds(net: Network) -> list[float]:
    """Return for each space a threshold in the widest gap, in ratio, of its singular values."""
    found = []
    for matrix in _incoming(net):
        values, least = _values(matrix)
        values = values[values >= least]
        if len(values) > 1:
            k = int(np.argmax(values[:-1] / values[1:]))
            found.append(float(np.sqrt(values[k] * values[k + 1])))
    return found


def _incoming(net: Network) -> list[NDArray]:
    return [incoming(net, space) for space in range(1, net.depth + 1)]


def _values(matrix: NDArray) -> tuple[NDArray, float]:
    """Return all n singular values, structural nulls included, and the least of the others."""
    found = np.linalg.svd(matrix, compute_uv=False)
    return np.append(found, np.zeros(len(matrix) - len(found))), float(found[-1])


def _budgeted(case: Case, seed: int) -> Iterator[tuple[str, Worst | None]]:
    """Spend one half of a budget, then the other; a half is twice what the first neuron costs."""
    net, x = case.net, case.x
    spaces = [space for space in range(1, net.depth + 1) if net.widths[space] > 1]
    if not spaces:
        return
    first = (prune(net, space, count=1, inputs=x)[1] for space in spaces)
    price = min(first, key=lambda certificate: certificate.exact_bound).bound
    if not isfinite(price):
        yield "budget.total", None
        yield "budget.measured", None
        return
    events: tuple[Event, ...] = ()
    now = net
    for total in (2 * price, 4 * price):
        rule, when = Budget(total=total), When(1, len(events), x, seed, events)
        if (result := rule.edit(now, when)) is not None:
            events = (*events, Event.of(rule.name, when, now, *result))
            now = result[0]
    spent = sum(event.bound or 0.0 for event in events)
    kept = _within(spent, 4 * price)
    yield "budget.total", kept if events else _counted(1, "neurons that can be paid are kept")
    yield "budget.measured", _within(_change(net, now, x), spent)


def _change(net: Network, edited: Network, x: NDArray) -> float:
    change = forward(edited, x).astype(np.float64) - forward(net, x)
    return float(np.linalg.norm(change, axis=1).max())


def _within(error: float, bound: float | None) -> Worst | None:
    if bound is None or not isfinite(bound):
        return None
    return compare(np.array(error), np.array(0.0), np.array(bound))


def _counted(wrong: int, what: str) -> Worst:
    return Worst(np.inf if wrong else 0.0, float(wrong), 0.0, what)
