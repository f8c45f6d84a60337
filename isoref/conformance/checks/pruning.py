"""Level 5: the weakest directions of a hidden space absorbed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from math import prod, sqrt
from typing import Any

import numpy as np

from isoref.arrays import haar
from isoref.conformance.checks.topology import resized, summed
from isoref.conformance.edited import (
    backward_error,
    factored,
    outputs,
    returned,
    scaled,
    skew,
    still,
    turned,
    unit,
    wide,
    with_entries,
)
from isoref.conformance.judge import Verdict, equal, judged, worst_of
from isoref.conformance.numerics import limit
from isoref.conformance.plan import Check, Context, of_vectors
from isoref.conformance.subjects import Run, Subject, of_subjects
from isoref.conformance.vectors import Case
from isoref.connected import Share
from isoref.edits import taken
from isoref.gauge import rotate
from isoref.layer import AXES
from isoref.network import Network, Tangent
from isoref.norms import downstream, root_of_positions
from isoref.operator_norms import readings
from isoref.propagation import forward
from isoref.pruning import prune
from isoref.tolerance import ARITHMETIC, FLOAT64, bounds
from isoref.topology import grow, joint
from isoref.windows import extents

NDArray = np.ndarray[Any, Any]


def pruned(context: Context, net: Network, space: int, count: int) -> Network:
    """Return the pruned network of the implementation."""
    widths = resized(net, space, -count)
    return returned(context, net, widths, "prune", space, count)


def _prune(context: Context, case: Case) -> Verdict:
    """Dead and constant neurons go without a change: whatever is left of their rows is rounding."""
    net, x = case.network(context.dtype), case.array("x", context.dtype)
    space, count = int(case.settings["space"]), int(case.settings["count"])
    got = pruned(context, net, space, count)
    matrix, bias = joint(net, space), wide(net).layers[space - 1].bias
    values = _values(matrix)
    error = _error(context, net, space) * values[0]
    y, q = case.expected["y"], case.expected["q"]
    # The angle θ of the subspace is error/σ at most; it turns b, and c·c by 2‖c‖‖b‖θ + ‖b‖²θ².
    least = values[len(matrix) - count - 1]
    angle = error / least if least > error else 1.0
    length = float(np.linalg.norm(bias)) * angle
    before = float(net.layers[space - 1].q)
    turn = 2 * sqrt(max(float(q.value) - before, 0.0)) * length + length**2
    own = _error(context, net, space) * float(q.value)
    slack = limit(q.gauges, context.arithmetic) + turn + own
    verdict = judged("q", np.asarray(got.layers[space - 1].q), q.value, slack)
    change = _change(net, space, count, x, error)
    bound = limit(y.gauges, FLOAT64) + change
    same = outputs(got, x, y.value, bound, _spread(context, net, space, count))
    return worst_of([verdict, _beside(got, net, space), same])


def _live(context: Context, subject: Subject) -> Iterator[Run]:
    net = subject.net
    for space in subject.spaces:
        n = net.widths[space]
        if n > 1:
            yield f"{space}", ("psi",), partial(_weakest, context, subject, space, n // 2)
        if subject.text == "2-6-5-3":
            yield f"most.{space}", ("psi",), partial(_weakest, context, subject, space, n - 1)
        if len(net.members(space)) > 1:
            yield f"joint.{space}", ("psi",), partial(_joint, context, subject, space)


def _joint(context: Context, subject: Subject, space: int) -> Verdict:
    """Neurons that do nothing, turned into all of connected spaces, are found and go.

    The space that is named has W = 0 and ψ = 0: only the matrix of the others tells. Errors of the
    turn are those of all rows, the dead ones too, before these go.
    """
    layers, x = list(subject.net.layers), subject.x.astype(np.float64)
    below = layers[space - 1]
    layers[space - 1] = replace(below, weight=below.weight * 0, psi=below.psi * 0)
    net = grow(subject.net.rebuilt(layers), space, 2, seed=context.seed)[0]
    n, rng = net.widths[space], context.rng("joint", subject.text, str(space))
    R = haar(n, seed=rng).astype(context.dtype)
    there, own = rotate(net, space, R), ARITHMETIC[str(context.dtype)]
    got = pruned(context, there, space, 2)
    order = sum(net.layers[s - 1].weight.shape[1] + 2 for s in net.members(space))
    spread = scaled(factored(there, [space], max(order, n), context.arithmetic), sqrt(n))
    before = turned(net, still(net), space, R, own, defect=True)
    limits = np.sum([bounds(wide(net), x, deviation=off).y for off in (before, spread)], axis=0)
    kept = taken(spread, space, np.arange(n - 2))
    return outputs(got, x, forward(wide(net), x), limits, kept)


def _weakest(context: Context, subject: Subject, space: int, count: int) -> Verdict:
    net = subject.net
    got = pruned(context, net, space, count)
    rest = [_beside(got, net, space), *_optimal(context, net, got, space, count)]
    rest += _both_updates(context, net, got, space)
    return worst_of([*rest, _certified(context, subject, got, space, count)])


def _beside(got: Network, net: Network, space: int) -> Verdict:
    """Judge that nothing has changed but what writes or reads the space, and the q of a constant.

    Where a skip leaves a space the constants are 0 (S8.7), and its q stays too.
    """
    verdicts, class_ = [], net.members(space)
    for i, (layer, own) in enumerate(zip(got.layers, net.layers, strict=True)):
        names: tuple[str, ...] = tuple(AXES)
        if i + 1 in class_:
            names = ("q",) if _left(net, i + 1) else ()
        elif i in class_:
            names = ("bias", "q", "psi") if _left(net, i) else ("bias", "q")
        for name in names:
            after, before = getattr(layer, name), getattr(own, name)
            if before is not None:
                verdicts.append(equal(f"layers[{i}].{name}", after, before))
    return worst_of(verdicts)


def _left(net: Network, space: int) -> bool:
    return any(source == space for source, _ in net.skips)


def _absorbing(net: Network, space: int) -> list[int]:
    """Return the spaces of the class whose neurons become constants that need not be 0."""
    return [member for member in net.members(space) if not _left(net, member)]


def _error(context: Context, net: Network, space: int) -> float:
    """Return E of singular values and kept rows, relative to σ_max: √n columns together."""
    matrix = joint(net, space)
    return sqrt(len(matrix)) * backward_error(max(matrix.shape), context.arithmetic)


def _values(matrix: NDArray) -> NDArray:
    """Return the n_s singular values of M, structural nulls included."""
    found = np.linalg.svd(matrix, compute_uv=False)
    return np.concatenate([found, np.zeros(len(matrix) - len(found))])


def _optimal(context: Context, net: Network, got: Network, space: int, count: int) -> list[Verdict]:
    """‖m_D‖ is least (C33): what is kept has the largest singular values, and is part of M.

    Of a class, M is `joint`; where a layer leads from the class to itself, its columns turn as well
    and the certificate alone tells.
    """
    if any(m + 1 in net.members(space) for m in net.members(space)):
        return []
    matrix, kept = joint(net, space), joint(got, space)
    values, left = _values(matrix), _values(kept)
    error = _error(context, net, space) * values[0]
    lost = np.linalg.eigvalsh(matrix.T @ matrix - kept.T @ kept)[::-1]
    wanted = np.zeros(len(lost))
    tail = values[len(matrix) - count :][: len(lost)] ** 2
    wanted[: len(tail)] = tail
    return [
        judged("singular values kept", left, values[: len(kept)], error),
        judged("‖m_D‖²", lost, wanted, 2 * error * values[0] + error**2),
    ]


def _both_updates(context: Context, net: Network, got: Network, space: int) -> list[Verdict]:
    """What goes from b and W enters q and ψ: q + b·b and ψ + W b of a space do not change."""
    own, verdicts = 2 * _error(context, net, space), []
    for member in _absorbing(net, space):
        found = []
        for tree in (net, got):
            below, above = wide(tree).layers[member - 1 : member + 1]
            found.append(
                (below.q + below.bias @ below.bias, above.psi + summed(above.weight, below.bias))
            )
        verdicts.append(judged("q + b·b", found[1][0], found[0][0], own * found[0][0]))
        if member + 1 not in net.members(space):
            below, above = wide(net).layers[member - 1 : member + 1]
            length = float(np.linalg.norm(below.bias))
            size = np.abs(above.psi) + np.sqrt((above.weight**2).sum(axis=1)) * length
            verdicts.append(judged("ψ + W b", found[1][1], found[0][1], own * size))
    return verdicts


def _certified(context: Context, subject: Subject, got: Network, space: int, count: int) -> Verdict:
    """‖Δy‖ stays within the certificate of the best subspace, and rounding."""
    net, x = wide(subject.net), subject.x.astype(np.float64)
    error = _error(context, net, space) * _values(joint(net, space))[0]
    before = bounds(net, x)
    after = bounds(wide(got), x, deviation=_spread(context, net, space, count))
    limits = _lengths(before.y + after.y) + _change(net, space, count, x, error)
    limits = np.where(before.observable & after.observable, limits, np.inf)
    change = _lengths(forward(wide(got), x) - forward(net, x))
    return judged("‖Δy‖", change, np.zeros(len(change)), limits)


def _change(net: Network, space: int, count: int, x: NDArray, error: float) -> float:
    """Return what replacing the weakest directions changes at most: S5.6, with ‖m_D‖ + error.

    In a class every space adds its part, and what a skip carries on of the biases too (S8.9).
    """
    net, image = wide(net), extents(x)
    longest = float(_lengths(x.astype(np.float64)).max(initial=0.0))
    _, found = prune(net, space, count=count, radius=longest, image=image or None)
    total, where = 0.0, readings(net, image)
    for part in (Share(space, found.discarded, found.radius), *found.others):
        taps = sqrt(prod(net.layers[part.space - 1].kernel))
        beside = root_of_positions(where[part.space - 1]) * _left(net, part.space)
        discarded = part.discarded + (part.radius * taps + beside) * error
        total += downstream(net, part.space, image) * discarded
    return float(total)


def _spread(context: Context, net: Network, space: int, count: int) -> Tangent:
    """Return the deviations of the pruned parameters."""
    matrix, n = joint(net, space), net.widths[space]
    order, arithmetic = max(matrix.shape), context.arithmetic
    own = 2 * (skew(order, arithmetic) + unit(n + 1, arithmetic))
    found, parts = factored(net, [space], order, arithmetic), {}
    for member in _absorbing(net, space):
        below, above = wide(net).layers[member - 1 : member + 1]
        length = float(np.linalg.norm(below.bias))
        size = np.abs(above.psi) + np.sqrt((above.weight**2).sum(axis=1)) * length
        if member + 1 in net.members(space):  # ψ turns and loses rows as well
            size = np.broadcast_to(np.sqrt((size**2).sum(axis=0)), size.shape)
        before = found.layers[member].psi
        parts[member - 1, "q"] = own * (below.q + length**2)
        parts[member, "psi"] = np.hypot(before, own * size)
    return taken(with_entries(found, parts), space, np.arange(n - count))


def _lengths(samples: NDArray) -> NDArray:
    return np.asarray(np.linalg.norm(samples.reshape(len(samples), -1), axis=1))


CHECKS: tuple[Check, ...] = (
    of_subjects(
        "L5.prune",
        "S5.7",
        "the weakest directions of M = [W | ψ] go into (q, ψ), within the certificate (C13, C33)",
        ("prune",),
        _live,
        judge=of_vectors("L5.prune", "S5.7", "", ("prune",), _prune),
    ),
)
