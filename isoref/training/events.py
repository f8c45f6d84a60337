"""The protocol of adaptation while training: a rule is asked at a moment, and an event results.

    edited, report = rule.edit(net, when)        replay(net, report.edits) == edited

A rule remembers nothing: what it has done before it reads in `when.events`, so that a run that is
interrupted and resumed goes on as if it had not been.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field
from math import inf, isfinite, prod
from typing import Any, ClassVar, NamedTuple

import numpy as np

from isoref import arrays
from isoref.arrays import Array
from isoref.certificate import total
from isoref.control import Elementwise, Growth, Removal
from isoref.diagonal import Report
from isoref.edits import Drop, Edit, Grow, Impose, Inputs, Materialise, Outputs, Rotate
from isoref.network import Layered, Network
from isoref.training.certified import certify, comparable
from isoref.training.kinds import module_of


class When(NamedTuple):
    """A moment of a training run.

    Attributes
    ----------
    epoch : int
        Epochs completed.
    step : int
        Optimiser steps completed since the start of training.
    inputs : array of shape (B, n_0), or None
        On which certificates hold and changes are measured; the same throughout a run. Rules always
        get some; without them an event is neither measured nor certified.
    seed : int
        Of this moment: the same in a resumed run.
    events : tuple of Event
        All earlier ones, in their order.
    """

    epoch: int
    step: int
    inputs: Array
    seed: int
    events: tuple[Event, ...] = ()


class Later:
    """A number that is computed when it is first asked for; its sources are let go then.

    Examples
    --------
    >>> number = Later(lambda: print("computing") or 2.0)
    >>> number.value, number.value
    computing
    (2.0, 2.0)
    """

    def __init__(self, compute: Callable[[], float]) -> None:
        self._compute: Callable[[], float] | None = compute
        self._value = 0.0

    @property
    def value(self) -> float:
        """The number."""
        if self._compute is not None:
            self._value = self._compute()
            self._compute = None
        return self._value


@dataclass(frozen=True, eq=False)
class Event:
    """What a rule has done at a moment of training.

    Attributes
    ----------
    epoch, step : int
        The moment, as in `When`.
    rule : str
        The name of the rule.
    edits : tuple of Edit
        replay(before, edits) is the network after.
    before, after : tuple of int
        Widths of all spaces.
    measured : float or None
        The largest ‖Δy‖ over the inputs of the moment; None where the outputs cannot be compared,
        because inputs or outputs have come or gone.
    limit : float, Later or None
        `bound`, or what will compute it; until then the network before the edits is held.
    """

    epoch: int
    step: int
    rule: str
    edits: tuple[Edit, ...]
    before: tuple[int, ...]
    after: tuple[int, ...]
    measured: float | None
    limit: float | Later | None = field(repr=False)

    @staticmethod
    def of(rule: str, when: When, net: Layered, edited: Layered, report: Report) -> Event:
        """Return the event in which `rule` made `edited` of `net`; `report` tells how.

        Examples
        --------
        >>> from isoref import grow
        >>> net, when = Network.random((2, 3, 1), seed=0), When(4, 96, np.ones((1, 2)), seed=0)
        >>> event = Event.of("by hand", when, net, *grow(net, 1, 2, seed=1))
        >>> event.after, event.measured <= event.bound < 1e-12
        ((2, 5, 1), True)
        """
        measured, limit, inputs = None, None, when.inputs
        if inputs is not None and comparable(report.edits):
            measured = _distance(net, edited, inputs)
            limit = Later(lambda: _certified(net, edited, report, inputs))
        return Event(
            when.epoch, when.step, rule, report.edits, net.widths, edited.widths, measured, limit
        )

    @property
    def bound(self) -> float | None:
        """The sum of the certificates, at least `measured`; None where `measured` is.

        The bound on the rounding alone where the edits are exact, and infinite where rounding has
        no bound (specification, section 10). Certificates are costly, so it is computed when it is
        first asked for, and once.
        """
        return self.limit.value if isinstance(self.limit, Later) else self.limit

    def record(self) -> dict[str, Any]:
        """Return what happened without arrays, for a log; a number that is not finite as text.

        Examples
        --------
        >>> Event(1, 9, "by hand", (Drop(1, (3, 5)),), (2, 6, 1), (2, 4, 1), 0.1, 0.2).record()
        ... # doctest: +NORMALIZE_WHITESPACE
        {'epoch': 1, 'step': 9, 'rule': 'by hand', 'before': [2, 6, 1], 'after': [2, 4, 1],
         'edits': [{'kind': 'drop', 'space': 1, 'count': 2}], 'measured': 0.1, 'bound': 0.2}
        """
        return {
            "epoch": self.epoch,
            "step": self.step,
            "rule": self.rule,
            "before": list(self.before),
            "after": list(self.after),
            "edits": [_summary(edit) for edit in self.edits],
            "measured": _number(self.measured),
            "bound": _number(self.bound),
        }


class Rule(ABC):
    """A rule that edits a network while it is trained.

    Rules are frozen values: their repr tells all their settings, and what they do depends on
    nothing but the network and the moment. Their names tell the rules of a run apart.
    """

    name: ClassVar[str]
    """What events call the rule."""

    @property
    @abstractmethod
    def rotates(self) -> bool:
        """Whether it may use `Rotate`, which second moments of entries cannot follow (C32)."""

    @abstractmethod
    def edit(self, net: Network, when: When) -> tuple[Network, Report] | None:
        """Return the edited network and the report, or None if there is nothing to do."""


def _distance(net: Layered, edited: Layered, inputs: Array) -> float:
    before, after = (module_of(n).forward(n, inputs) for n in (net, edited))
    return _largest(arrays.to_numpy(after).astype(float) - arrays.to_numpy(before).astype(float))


def _certified(net: Any, edited: Any, report: Report, inputs: Array) -> float:
    if not isinstance(net, Elementwise):
        return total(list(certify(net, report, inputs)))
    parts: tuple[Any, ...] = getattr(report, "certificates", (report,))
    if all(isinstance(part, Growth | Removal) for part in parts):
        bounds = (p.bound(inputs) if isinstance(p, Growth) else p.bound for p in parts)
        return sum(inf if bound is None else bound for bound in bounds)
    return inf


def _largest(change: Any) -> float:
    """Return the largest length over the samples."""
    flat = change.reshape(len(change), prod(change.shape[1:]))
    return float(np.linalg.norm(flat, axis=1).max(initial=0.0))


def _number(value: float | None) -> float | str | None:
    return value if value is None or isfinite(value) else str(value)


def _summary(edit: Edit) -> dict[str, Any]:
    """Return kind, place and size of an edit."""
    kind: dict[str, Any] = {"kind": type(edit).__name__.lower()}
    match edit:
        case Rotate(space=space, R=R):
            return kind | {"space": space, "count": int(R.shape[0])}
        case Grow(space=space, columns=columns):
            return kind | {"space": space, "count": int(columns.shape[1])}
        case Drop(space=space, neurons=neurons):
            return kind | {"space": space, "count": len(neurons)}
        case Materialise(space=space):
            return kind | {"space": space, "count": 1}
        case Impose(layer=layer):
            return kind | {"layer": layer}
        case Inputs(removed=removed, columns=columns):
            return kind | {"removed": len(removed), "added": int(columns.shape[1])}
        case Outputs(removed=removed, bias=bias):
            return kind | {"removed": len(removed), "added": int(bias.shape[0])}
    return kind
