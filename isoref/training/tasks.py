"""Tasks of one network: each owns a block of inputs and a block of outputs, and comes and goes.

Appending a task is exact for the others, and so is removing one at the values of its inputs:

    parts(forward(append(net, …), x′))[t] == parts(forward(net, x))[t]      for every other task t

x′ is x with anything in the new inputs. Hidden spaces are left to the rules of adaptation; a run is
one phase of training for each set of tasks, and `edit.pad` carries the optimiser's state along.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from math import isfinite
from operator import index
from typing import Any

import numpy as np

from isoref import arrays
from isoref.arrays import Array
from isoref.diagonal import Report
from isoref.network import Network
from isoref.topology import add_inputs, add_outputs, remove_inputs, remove_outputs
from isoref.training.losses import cross_entropy

_ASIDE = "\0"
ABSENT = -1
"""The label of a sample that does not belong to a task."""


@dataclass(frozen=True)
class Task:
    """A task: its name, and how many inputs and outputs it owns, one or more each."""

    name: str
    inputs: int
    outputs: int

    def __post_init__(self) -> None:
        if index(self.inputs) < 1 or index(self.outputs) < 1:
            raise ValueError(
                f"inputs and outputs of task {self.name!r} must be at least 1, "
                f"got {self.inputs} and {self.outputs}"
            )


@dataclass(frozen=True)
class Tasks:
    """The tasks of a network in the order of their blocks, names distinct.

    Examples
    --------
    >>> tasks = Tasks((Task("digits", 64, 10), Task("letters", 49, 26)))
    >>> tasks.inputs("letters"), tasks.outputs("letters"), tasks.widths
    (range(64, 113), range(10, 36), (113, 36))
    """

    order: tuple[Task, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "order", tuple(self.order))
        if not self.order or len(set(self.names)) < len(self.order):
            raise ValueError(
                f"order must have one task or more with distinct names, got {list(self.names)}"
            )

    @property
    def names(self) -> tuple[str, ...]:
        """Names in the order of the blocks."""
        return tuple(task.name for task in self.order)

    @property
    def widths(self) -> tuple[int, int]:
        """Number of inputs and outputs of all tasks together."""
        return sum(task.inputs for task in self.order), sum(task.outputs for task in self.order)

    def inputs(self, name: str) -> range:
        """Return the inputs that a task owns."""
        return self._block(name, [task.inputs for task in self.order])

    def outputs(self, name: str) -> range:
        """Return the outputs that a task owns."""
        return self._block(name, [task.outputs for task in self.order])

    def check_fits(self, net: Network) -> None:
        """Raise a ValueError unless `net` has the inputs and outputs of the tasks."""
        if (net.widths[0], net.widths[-1]) != self.widths:
            raise ValueError(
                f"net must have {self.widths[0]} inputs and {self.widths[1]} outputs, those of "
                f"{list(self.names)}, got widths {net.widths}"
            )

    def _block(self, name: str, sizes: list[int]) -> range:
        if name not in self.names:
            raise ValueError(f"name must be one of {list(self.names)}, got {name!r}")
        k = self.names.index(name)
        stop = list(accumulate(sizes))[k]
        return range(stop - sizes[k], stop)


@dataclass(frozen=True, eq=False)
class Retasked(Report):
    """The edits, and the tasks that the edited network has."""

    tasks: Tasks


def append(
    net: Network,
    tasks: Tasks,
    task: Task,
    *,
    columns: Array | None = None,
    weight: Array | None = None,
    bias: Array | None = None,
    psi: Array | None = None,
) -> tuple[Network, Retasked]:
    """Append a task, whose blocks become the last ones; exact for all others.

    Parameters
    ----------
    net : Network
    tasks : Tasks
        Those of `net`.
    task : Task
        The new one.
    columns : array of shape (n_1, task.inputs), optional
        Of W_0, zero by default: whatever the new inputs are, the other outputs stand still.
    weight, bias, psi : arrays, optional
        Rows of the last layer, zero by default: the new outputs are 0 until they are trained.

    Raises
    ------
    TypeError, ValueError
        When the tasks do not fit the network, the name is taken or an array does not fit.

    Examples
    --------
    >>> net, first = Network.random((2, 3, 1), seed=0), Tasks((Task("a", 2, 1),))
    >>> wider, report = append(net, first, Task("b", 4, 2))
    >>> wider.widths, report.tasks.names
    ((6, 3, 3), ('a', 'b'))
    """
    tasks.check_fits(net)
    after = Tasks((*tasks.order, task))
    net, inputs = add_inputs(net, task.inputs, columns=columns)
    net, outputs = add_outputs(net, task.outputs, weight=weight, bias=bias, psi=psi)
    return net, Retasked((*inputs.edits, *outputs.edits), after)


def remove(
    net: Network, tasks: Tasks, name: str, *, values: Array | None = None
) -> tuple[Network, Retasked]:
    """Remove a task: its inputs stay at `values` for ever, its outputs are dropped.

    Exact for the others on inputs at which the block is `values`, which b_0 absorbs. What it should
    be is the caller's choice: 0, the default, where `assemble` has filled in the block of an absent
    task, the mean of the training data where the block was always present.

    Parameters
    ----------
    net : Network
    tasks : Tasks
        Those of `net`, two or more.
    name : str
        Of the task to remove.
    values : array of shape (task.inputs,), optional
        Zeros by default.

    Raises
    ------
    TypeError, ValueError
        When the tasks do not fit the network, there is no such task or no other, or the values do
        not fit.

    Examples
    --------
    >>> net, both = Network.random((5, 3, 3), seed=0), Tasks((Task("a", 2, 1), Task("b", 3, 2)))
    >>> smaller, report = remove(net, both, "a")
    >>> smaller.widths, report.tasks.names
    ((3, 3, 2), ('b',))
    """
    tasks.check_fits(net)
    gone, outgoing = tasks.inputs(name), tasks.outputs(name)
    if len(tasks.order) == 1:
        raise ValueError(f"tasks must have another task than {name!r} to remove it, got it alone")
    after = Tasks(tuple(task for task in tasks.order if task.name != name))
    if values is None:
        values = arrays.like(np.zeros(len(gone)), net.reference)
    net, inputs = remove_inputs(net, gone, values=values)
    net, outputs = remove_outputs(net, outgoing)
    return net, Retasked((*inputs.edits, *outputs.edits), after)


def change(
    net: Network, tasks: Tasks, name: str, *, task: Task | None = None, values: Array | None = None
) -> tuple[Network, Retasked]:
    """Begin a task anew, perhaps in other sizes: fresh zero columns and rows in the last blocks.

    change = remove ∘ append: exact for the others where the old block is `values`, and what the
    hidden spaces have learnt is kept. The order changes: its blocks become the last ones.

    Parameters
    ----------
    net : Network
    tasks : Tasks
        Those of `net`.
    name : str
        Of the task to change.
    task : Task, optional
        What takes its place; by default one of the same name and sizes.
    values : array of shape (inputs of the old task,), optional
        At which its inputs stay, as in `remove`.

    Examples
    --------
    >>> net, both = Network.random((5, 3, 3), seed=0), Tasks((Task("a", 2, 1), Task("b", 3, 2)))
    >>> changed, report = change(net, both, "a", task=Task("a", 4, 1))
    >>> changed.widths, report.tasks.names
    ((7, 3, 3), ('b', 'a'))
    """
    tasks.check_fits(net)
    tasks.inputs(name)
    old = tasks.order[tasks.names.index(name)]
    new = old if task is None else task
    # The old task steps aside under a name that no text can be equal to while both are there.
    aside = Tasks(tuple(Task(_ASIDE, t.inputs, t.outputs) if t is old else t for t in tasks.order))
    net, added = append(net, aside, new)
    net, gone = remove(net, added.tasks, _ASIDE, values=values)
    return net, Retasked((*added.edits, *gone.edits), gone.tasks)


def assemble(tasks: Tasks, blocks: Mapping[str, Array]) -> Array:
    """Return inputs x (B, n_0) from the blocks of some tasks; the other blocks are 0.

    Each block has shape (B, inputs of its task). Published training stacks such batches, one for
    each task; samples that belong to several tasks give several blocks at once.

    Examples
    --------
    >>> both = Tasks((Task("a", 2, 1), Task("b", 3, 2)))
    >>> assemble(both, {"b": np.ones((1, 3))})
    array([[0., 0., 1., 1., 1.]])
    """
    if not blocks or not set(blocks) <= set(tasks.names):
        raise ValueError(f"blocks must be of one or more of {list(tasks.names)}, got {[*blocks]}")
    first = next(iter(blocks.values()))
    batch = first.shape[0]
    for name, block in blocks.items():
        arrays.check_alike(f"block {name!r}", block, first, "the other blocks")
        if tuple(block.shape) != (batch, len(tasks.inputs(name))):
            raise ValueError(
                f"block {name!r} must have shape ({batch}, {len(tasks.inputs(name))}), "
                f"got {tuple(block.shape)}"
            )
    every = [
        blocks.get(task.name, arrays.like(np.zeros((batch, task.inputs)), first))
        for task in tasks.order
    ]
    return arrays.namespace(first).concat(every, axis=1)


def parts(tasks: Tasks, y: Array) -> dict[str, Array]:
    """Return the outputs (B, outputs) of each task, from those of the network.

    Examples
    --------
    >>> both = Tasks((Task("a", 2, 1), Task("b", 3, 2)))
    >>> parts(both, np.array([[1.0, 2.0, 3.0]]))
    {'a': array([[1.]]), 'b': array([[2., 3.]])}
    """
    if y.shape[1] != tasks.widths[1]:
        raise ValueError(f"y must have {tasks.widths[1]} columns, got {y.shape[1]}")
    blocks = {name: tasks.outputs(name) for name in tasks.names}
    return {name: y[:, block.start : block.stop] for name, block in blocks.items()}


def block_cross_entropy(
    y: Array, labels: Array, tasks: Tasks, *, weights: Sequence[float] | None = None
) -> tuple[Array, Array]:
    """Return Σ_t w_t · cross-entropy of task t, and its cotangent ȳ (B, n).

    The cross-entropy of a task is the mean over the samples that belong to it; a task without any
    in the batch adds nothing. With functools.partial(block_cross_entropy, tasks=tasks) it is a loss
    as any other. Published: w_t is one over the number of tasks that are switched on, or 0.

    Parameters
    ----------
    y : array of shape (B, n)
        Outputs of all tasks.
    labels : integer array of shape (B, number of tasks)
        Of each task, 0 … its outputs − 1, or −1 where the sample does not belong to it.
    tasks : Tasks
    weights : sequence of float, optional
        w_t, finite; 1 by default.

    Examples
    --------
    >>> both = Tasks((Task("a", 2, 2), Task("b", 3, 2)))
    >>> loss, ybar = block_cross_entropy(np.zeros((1, 4)), np.array([[1, -1]]), both)
    >>> float(loss), ybar.tolist()
    (0.6931471805599453, [[0.5, -0.5, 0.0, 0.0]])
    """
    count = len(tasks.order)
    weights = [1.0] * count if weights is None else list(weights)
    if len(weights) != count or not all(isfinite(weight) for weight in weights):
        raise ValueError(f"weights must be {count} finite numbers, one a task, got {weights}")
    if tuple(labels.shape) != (y.shape[0], count) or labels.dtype.kind not in "iu":
        raise TypeError(
            f"labels must be integers of shape ({y.shape[0]}, {count}), a column for each of "
            f"{list(tasks.names)}, got shape {tuple(labels.shape)} of {labels.dtype}"
        )
    value: Any = arrays.like(np.zeros(()), y)
    cotangents = []
    for weight, block, own in zip(weights, parts(tasks, y).values(), labels.T, strict=True):
        members = np.flatnonzero(own != ABSENT)
        if len(members) == 0 or weight == 0:
            cotangents.append(arrays.like(np.zeros(tuple(block.shape)), y))
            continue
        loss, bar = cross_entropy(arrays.take(block, members), own[members])
        value = value + weight * loss
        # Row k of the task's batch is row members[k] of the whole one.
        placed = arrays.like(np.eye(y.shape[0])[:, members], y) @ bar
        cotangents.append(weight * placed)
    return value, arrays.namespace(y).concat(cotangents, axis=1)
