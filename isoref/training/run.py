"""A training run as a value: where it stands, and what led there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import isfinite
from typing import Any, Generic, TypeVar

import numpy as np

from isoref.network import Layered
from isoref.training.events import Event
from isoref.training.state import State

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
