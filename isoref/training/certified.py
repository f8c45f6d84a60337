"""Certificates of what a rule has done: of any edits, one after another, on the network they edit.

    ‖forward(replay(net, edits), x) − forward(net, x)‖ ≤ total(certify(net, report, inputs))

for every x among the inputs (C13; certificates add, specification, section 5).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf
from typing import Any

import numpy as np

from isoref import arrays
from isoref.arrays import Array
from isoref.certificate import Certificate
from isoref.convolution import at
from isoref.diagonal import Report
from isoref.edits import Drop, Edit, Inputs, Outputs, Rotate, replay
from isoref.network import Network
from isoref.propagation import trace
from isoref.pruning import assumption
from isoref.ranking import joined, tails
from isoref.topology import incoming
from isoref.windows import windows

NDArray = np.ndarray[Any, Any]


@dataclass(frozen=True, eq=False)
class Certified(Report):
    """Edits of which some have certificates already; the others are exact but for rounding.

    Attributes
    ----------
    edits : tuple of Edit
        What was done.
    certificates : tuple of Certificate
        Of those edits that remove neurons, in their order.
    """

    certificates: tuple[Certificate, ...]


def certify(net: Network, report: Report, inputs: Array) -> tuple[Certificate, ...]:
    """Return the certificates of the edits of a report on given inputs, in their order.

    Those that the report has for these inputs are taken. A drop, together with a rotation of its
    space just before it, gets one with the ‖m_D(h, g) + b_D − c‖ of its own constants. Whatever
    lies between is exact, and gets one of zero neurons, whose bound is that of the rounding.

    Parameters
    ----------
    net : Network
        Before the edits.
    report : Report
        Of any operation on hidden spaces.
    inputs : array of shape (B, n_0)
        For which the certificates hold.

    Raises
    ------
    ValueError
        When inputs or outputs of the network come or go: its outputs cannot be compared then.

    Examples
    --------
    >>> from isoref import drop
    >>> net = Network.random((2, 3, 1), seed=0)
    >>> smaller, report = drop(net, 1, [2])
    >>> certificate, = certify(net, report, np.ones((1, 2)))
    >>> certificate.removed, bool(certificate.measured <= certificate.bound)
    (1, True)
    """
    if not comparable(report.edits):
        raise ValueError(
            "edits must leave inputs and outputs as they are for outputs to be compared, got "
            f"{[type(edit).__name__ for edit in report.edits]}; compare the outputs that stay"
        )
    own = (report,) if isinstance(report, Certificate) else getattr(report, "certificates", ())
    known = {id(one.edits[0]): one for one in own if one.inputs is inputs}
    todo = list(report.edits)
    exact: list[Edit] = []
    found: list[Certificate] = []
    while todo:
        certificate = known.get(id(todo[0]))
        if certificate is None and (steps := _removal(todo)):
            before = replay(net, exact)
            certificate = _of_drop(before, steps, inputs)
        if certificate is None:
            exact.append(todo.pop(0))
            continue
        if exact:
            found.append(_of_exact(net, tuple(exact), inputs))
            exact = []
        found.append(certificate)
        todo, net = todo[len(certificate.edits) :], certificate.after
    if exact:
        found.append(_of_exact(net, tuple(exact), inputs))
    return tuple(found)


def comparable(edits: Sequence[Edit]) -> bool:
    """Return whether the outputs before and after edits answer the same inputs, one by one."""
    return not any(isinstance(edit, Inputs | Outputs) for edit in edits)


def _removal(edits: list[Edit]) -> tuple[Edit, ...]:
    """Return the leading drop with the rotation of its space, or nothing if none leads."""
    match edits:
        case [Drop() as drop, *_]:
            return (drop,)
        case [Rotate() as turn, Drop() as drop, *_] if turn.space == drop.space:
            return (turn, drop)
    return ()


def _of_drop(net: Network, steps: tuple[Edit, ...], inputs: Array) -> Certificate:
    *turns, drop = steps
    assert isinstance(drop, Drop)
    run, layer = trace(net, inputs), net.layers[drop.space - 1]
    state, image = joined(run.states[drop.space - 1]), run.images[drop.space - 1]
    read = windows(at(layer, image), state) if layer.kernel else state
    rows = np.eye(net.widths[drop.space])
    for turn in turns:
        assert isinstance(turn, Rotate)
        rows = arrays.to_numpy(turn.R).astype(np.float64)
    rows = rows[list(drop.neurons)]
    discarded = read @ (rows @ incoming(net, drop.space)).T
    if drop.values is not None:
        bias = arrays.to_numpy(layer.bias).astype(np.float64)
        discarded = discarded + rows @ bias - arrays.to_numpy(drop.values).astype(np.float64)
    return Certificate(
        edits=steps,
        removed=len(drop.neurons),
        space=drop.space,
        before=net,
        after=replay(net, steps),
        discarded=float(tails(_samples(discarded, len(inputs)))[0]),
        radius=float(tails(_samples(state, len(inputs)))[0]),
        inputs=inputs,
        reach=inf,
        assumption=assumption(inputs, None),
    )


def _samples(rows: NDArray, batch: int) -> NDArray:
    """Return one row a sample: the rows of all positions of its image, one after another."""
    return rows if len(rows) == batch else rows.reshape(batch, -1)


def _of_exact(net: Network, edits: tuple[Edit, ...], inputs: Array) -> Certificate:
    return Certificate(
        edits=edits,
        removed=0,
        space=net.depth + 1,  # Nothing is discarded: no coefficient needs to be computed.
        before=net,
        after=replay(net, edits),
        discarded=0.0,
        radius=0.0,
        inputs=inputs,
        reach=inf,
        assumption=assumption(inputs, None),
    )
