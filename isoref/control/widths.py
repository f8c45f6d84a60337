"""grow and remove: neurons as they stand, for want of a rotation that could gather weakness."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from operator import index

import numpy as np

from isoref import arrays, topology
from isoref.arrays import Array
from isoref.control.edits import Add, Remove
from isoref.control.network import Elementwise, check_elementwise
from isoref.control.propagation import forward, trace
from isoref.control.roundoff import errors, largest, rounding, summed, wide
from isoref.diagonal import Report
from isoref.edits import Grow
from isoref.gauge import check_space
from isoref.network import Network
from isoref.norms import UP, operator_norm, times
from isoref.pruning import check_inputs


@dataclass(frozen=True, eq=False)
class Removal(Report):
    """A removal, and a bound on what it does to the outputs for the inputs given.

    The figures are computed when they are asked for; those that need inputs are None without.

    Attributes
    ----------
    edits : tuple of Edit
        The one `Remove`.
    before, after : Elementwise
        The network that was edited, and the result.
    inputs : array of shape (B, n_0), or None
        The inputs given.
    """

    edits: tuple[Remove]
    before: Elementwise
    after: Elementwise
    inputs: Array | None

    @property
    def neurons(self) -> tuple[int, ...]:
        """Those removed, ascending, in the numbers of `before`."""
        return self.edits[0].neurons

    @cached_property
    def coefficient(self) -> float:
        """∏_{i>s} Lip φ ‖W_i‖: what a change of the next pre-activation grows to at most."""
        product = 1.0
        for layer in self.before.layers[self.edits[0].space + 1 :]:
            norm = operator_norm(wide(layer.weight))
            product = times(product, times(self.before.phi.Lip, norm)) * UP
        return product

    @cached_property
    def discarded(self) -> float | None:
        """The largest ‖W_s[:, D] (h_D − c)‖ over the inputs, the rounding of h_D included."""
        if self.inputs is None:
            return None
        edit, chosen = self.edits[0], list(self.neurons)
        columns = wide(self.before.layers[edit.space].weight)[:, chosen].T
        h = wide(trace(self.before, self.inputs).states[edit.space].h)[:, chosen]
        off = errors(self.before, self.inputs, {})[edit.space][:, chosen]
        with arrays.quiet():
            gap, size = h - wide(edit.constants(self.before)), np.abs(columns)
            off = off @ size + summed(len(chosen) + 1, np.abs(gap) @ size, "float64")
            return largest(np.abs(gap @ columns) + off) * UP

    @cached_property
    def rounding(self) -> float | None:
        """Bound on what floating point adds to the change: that of both networks, by `rounding`."""
        if self.inputs is None:
            return None
        off = self.edits[0].off(self.before)
        both = rounding(self.before, self.inputs) + rounding(self.after, self.inputs, off)
        return largest(both) * UP

    @cached_property
    def measured(self) -> float | None:
        """The largest ‖Δy‖ over the inputs."""
        if self.inputs is None:
            return None
        after, before = (wide(forward(net, self.inputs)) for net in (self.after, self.before))
        return largest(after - before)

    @property
    def bound(self) -> float | None:
        """The bound on ‖Δy‖₂, coefficient × discarded + rounding; `measured` never exceeds it."""
        if self.discarded is None or self.rounding is None:
            return None
        return (times(self.coefficient, self.discarded) + self.rounding) * UP


@dataclass(frozen=True, eq=False)
class Growth(Report):
    """A growth, exact but for rounding."""

    before: Elementwise
    after: Elementwise

    def bound(self, inputs: Array) -> float:
        """Return what rounding can move an output by, the largest over the inputs."""
        (edit,) = self.edits
        assert isinstance(edit, Add)
        off = edit.off(self.before)
        both = rounding(self.before, inputs) + rounding(self.after, inputs, off)
        return float(np.linalg.norm(both, axis=1).max(initial=0.0))


def grow(
    net: Elementwise,
    space: int,
    count: int,
    *,
    columns: Array | None = None,
    seed: int | None = None,
) -> tuple[Elementwise, Growth]:
    """Add `count` neurons with zero rows at the end of a hidden space; exact for every φ (C23).

    A new neuron's output is φ(0) for every input. Where φ(0) = 0 any outgoing columns C change
    nothing, as in an isotropic network; for the sigmoid the next bias has to give C φ(0) back.
    Arguments, default columns and errors are those of `isoref.grow`.

    Examples
    --------
    >>> net = Elementwise.random((2, 3, 1), function="sigmoid", seed=0)
    >>> grown, _ = grow(net, 1, 2, columns=np.ones((1, 2)))
    >>> grown.widths, grown.layers[1].bias
    ((2, 5, 1), array([-1.]))
    """
    check_elementwise(net)
    _, report = topology.grow(Network(net.layers), space, count, columns=columns, seed=seed)
    (drawn,) = report.edits
    assert isinstance(drawn, Grow)
    edit = Add(space, drawn.columns)
    after: Elementwise = edit.apply(net)
    return after, Growth((edit,), net, after)


def remove(
    net: Elementwise,
    space: int,
    count: int | None = None,
    *,
    neurons: Iterable[int] | None = None,
    inputs: Array | None = None,
    center: str = "bias",
) -> tuple[Elementwise, Removal]:
    """Remove neurons of a hidden space as if they were constants c, b_next += W c, with a bound.

    Exact if the neurons are constant, as with zero rows. There is no rotation that could gather
    weakness in few neurons first; which neurons go is a choice. With `count` it is those of least
    ‖row of W_{s−1}‖ ‖column of W_s‖, the first of equals: times Lip φ ‖h‖ this bounds what c = φ(b)
    in place of a neuron does to the next pre-activation, for every input. The bias does not count,
    because c has it. Other choices are the row with its bias, the variance of the activation or a
    saliency of the loss: pass `neurons`.

    Parameters
    ----------
    net : Elementwise
    space : int
        1 … L.
    count : int, optional
        How many neurons to remove, 1 … n_s − 1. Give this or `neurons`.
    neurons : iterable of int, optional
        Distinct, 0 … n_s − 1, not all of them.
    inputs : array of shape (B, n_0), optional
        The report's bound holds for these inputs, and its error is measured on them.
    center : {"bias", "mean"}
        The constants: φ(b), exact where rows vanish, or the means of the neurons over `inputs`.

    Returns
    -------
    Elementwise, Removal
        The smaller network; bound, measured error and the edit.

    Raises
    ------
    TypeError, ValueError
        When the space is not hidden, or arguments are out of range, do not fit or contradict each
        other.

    Examples
    --------
    >>> net = Elementwise.random((4, 8, 3), init="he_normal", seed=0)
    >>> x = np.random.default_rng(1).standard_normal((20, 4))
    >>> smaller, removal = remove(net, 1, 2, inputs=x)
    >>> smaller.widths, removal.neurons, bool(removal.measured <= removal.bound)
    ((4, 6, 3), (4, 5), True)
    """
    check_elementwise(net)
    check_space(net.widths, space)
    width = net.widths[space]
    if (count is None) == (neurons is None):
        raise ValueError("give either count or neurons, got both or neither")
    if count is not None and index(count) not in range(1, width):
        raise ValueError(
            f"count must be at least 1 and leave a neuron of the {width} in space {space}, "
            f"got {count}"
        )
    if center not in ("bias", "mean"):
        raise ValueError(f"center must be 'bias' or 'mean', got {center!r}")
    if center == "mean" and inputs is None:
        raise ValueError("inputs must be given for center='mean', got None")
    if inputs is not None:
        check_inputs(net, inputs)  # type: ignore[arg-type]  # which needs widths alone
    chosen = _weakest(net, space, count or 0) if neurons is None else neurons
    chosen = sorted(topology.checked(chosen, "neurons", width, f"space {space}"))
    values = None
    if center == "mean":
        h = wide(trace(net, inputs).states[space].h)[:, chosen]
        values = arrays.like(h.mean(axis=0), net.reference)
    edit = Remove(space, tuple(chosen), values)
    after = edit.apply(net)
    return after, Removal((edit,), net, after, inputs)


def _weakest(net: Elementwise, space: int, count: int) -> list[int]:
    with arrays.quiet():
        rows = np.hypot.reduce(wide(net.layers[space - 1].weight), axis=1)
        columns = np.hypot.reduce(wide(net.layers[space].weight), axis=0)
    scores = [times(row, column) for row, column in zip(rows, columns, strict=True)]
    return [int(k) for k in np.argsort(scores, kind="stable")[:count]]
