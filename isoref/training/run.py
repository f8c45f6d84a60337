"""A training run as a value: where it stands, and what led there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import isfinite
from typing import Any, Generic, TypeVar

import numpy as np

from isoref.diagonal import Report
from isoref.network import Layered
from isoref.training.events import Event, When
from isoref.training.state import State, transport

Record = Mapping[str, Any]
"""What is known of one epoch: numbers and lists of numbers by name."""


N = TypeVar("N", bound=Layered)


@dataclass(frozen=True, eq=False)
class Run(Generic[N]):
    """Where a training run stands. `train` begins with a network or goes on from one of these.

    Attributes
    ----------
    net : Network or Elementwise
        The network now.
    state : State
        What the optimiser remembers; `state.steps` counts the steps since the start.
    epoch : int
        Epochs completed.
    within : int
        Steps made of the epoch after those.
    loss : float
        The sum of the losses of these steps.
    history : tuple of mapping
        One record for each epoch completed: epoch, step, mean loss, rate, widths, and what the
        callbacks returned.
    events : tuple of Event
        The edits made, in their order.
    """

    net: N
    state: State
    epoch: int = 0
    within: int = 0
    loss: float = 0.0
    history: tuple[Record, ...] = ()
    events: tuple[Event, ...] = ()

    def edited(
        self,
        net: N,
        report: Report,
        *,
        rule: str = "by hand",
        inputs: Any = None,
        approximate: bool = False,
    ) -> Run[N]:
        """Return the run after an edit of its network, between two calls of `train`.

        The optimiser's state follows, and the edit becomes an event, so that the log stays whole.

        Parameters
        ----------
        net, report
            What the operation on `self.net` returned.
        rule : str
            What the event calls the cause.
        inputs : array of shape (B, n_0), optional
            On which the change is measured and certified; without them neither is.
        approximate : bool
            As for `transport`.

        Raises
        ------
        TransportError
            When the state cannot follow.

        Examples
        --------
        >>> from isoref import Network, grow
        >>> from isoref.training import SGD
        >>> net = Network.random((2, 3, 1), seed=0)
        >>> run = Run(net, SGD(rate=0.1).start(net)).edited(*grow(net, 1, 2, seed=1))
        >>> run.net.widths, run.state.moments["momentum"].widths, run.events[0].rule
        ((2, 5, 1), (2, 5, 1), 'by hand')
        """
        state = transport(self.state, report.edits, approximate=approximate)
        when = When(self.epoch, self.state.steps, inputs, 0)
        event = Event.of(rule, when, self.net, net, report)
        return replace(self, net=net, state=state, events=(*self.events, event))


def joined(record: dict[str, Any], found: Any) -> dict[str, Any]:
    """Return a record with what a callback found, which may be None.

    Raises
    ------
    TypeError, ValueError
        When it is no mapping of plain values, or would replace an entry of the loop's own.
    """
    if found is None:
        return record
    if not isinstance(found, Mapping):
        raise TypeError(f"a callback must return a mapping or None, got {type(found).__name__}")
    if taken := sorted(record.keys() & found.keys()):
        raise ValueError(f"a callback must not replace {taken[0]!r} of the record; rename it")
    return record | dict(plain(found))


def plain(value: Any) -> Any:
    """Return a record in JSON's types, the same before and after a file: NaN and ∞ as text.

    Examples
    --------
    >>> plain({"spectra": np.array([2.0, 1.0]), "worst": np.inf})
    {'spectra': [2.0, 1.0], 'worst': 'inf'}
    """
    if isinstance(value, np.ndarray | np.generic):
        value = value.tolist()
    if isinstance(value, Mapping):
        return {str(key): plain(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [plain(entry) for entry in value]
    if isinstance(value, float) and not isfinite(value):
        return str(value)
    if value is None or isinstance(value, bool | int | float | str):
        return value
    raise TypeError(f"a record may hold numbers, texts and lists, got {type(value).__name__}")
