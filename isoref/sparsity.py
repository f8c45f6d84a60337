"""The sparsest gauge: rotations that make as many parameters zero as rotations can.

The laws, for (sparse, report) = sparsify(net):

    forward(sparse, x) == forward(net, x)        replay(net, report.edits) == sparse
    report.total_zeros ≥ report.optimum == attainable_zeros(net.widths)
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from isoref import arrays, factor
from isoref.diagonal import Report, rotation
from isoref.edits import Edit, Impose, replay
from isoref.gauge import check_alone, check_isotropic
from isoref.network import Network
from isoref.structure import Structured
from isoref.zeros import Step, absent, attainable_zeros, multiply_adds, plan

NDArray = np.ndarray[Any, Any]


@dataclass(frozen=True, eq=False)
class Sparsified(Report):
    """The edits, and what they have gained.

    `zeros` has the number of structural zeros in "weight", "bias" and "psi"; `optimum` is the
    largest total that gauge alone gives a generic network of these widths. Parameters are the
    entries stored: weights without their zeros, b and ψ in full. Multiply-adds are those of one
    sample's products W h and g ψ, with the padding of staircases.
    """

    zeros: dict[str, int]
    optimum: int
    parameters_before: int
    parameters_after: int
    multiply_adds_before: int
    multiply_adds_after: int

    @property
    def total_zeros(self) -> int:
        """Structural zeros of all kinds."""
        return sum(self.zeros.values())


def sparsify(net: Network) -> tuple[Network, Sparsified]:
    """Rotate every hidden space so that the most parameters vanish, and leave these zeros out.

    A generic network gets D − dim Stab zeros, more than which no gauge makes, at all widths (C16,
    C17; specification, section 4). Of the ways that make them `isoref.zeros.plan` takes the one
    with the fewest multiply-adds: layers that become diagonal by W = UΣVᵀ, as many as pay; QR, SVD
    and LQ for the rest. The zeros are structure: weights become `Diagonal` or `Staircase`, entries
    of b and ψ become exactly 0. Where they stand depends on the widths alone, no number is judged
    to be small; so zero weights, repeated singular values and missing rank are ordinary input.

    Parameters
    ----------
    net : Network
        On any library; the factorisations run on the host in float64, and each space's rotation is
        rounded once. Structure that it has is not built upon; a network whose weights leave out
        more than the optimum already is returned as it is, without edits.

    Raises
    ------
    TypeError, ValueError
        When `net` is no Network, or has kernels: the zeros that are left out are those of a matrix,
        and how many rotations of channels can make in kernels, and which to store, is not settled.

    Examples
    --------
    >>> from isoref import Network, forward
    >>> net = Network.random((6, 5, 5, 2), init="he_normal", seed=0)
    >>> sparse, report = sparsify(net)
    >>> [type(layer.weight).__name__ for layer in sparse.layers]
    ['ndarray', 'Diagonal', 'ndarray']
    >>> report.zeros, report.optimum
    ({'weight': 20, 'bias': 0, 'psi': 0}, 20)
    >>> x = np.ones((1, 6))
    >>> bool(abs(forward(sparse, x) - forward(net, x)).max() < 1e-14)
    True
    """
    check_isotropic(net)
    check_alone(net)
    if not isinstance(net, Network):
        raise TypeError(
            f"net must be a Network, got {type(net).__name__}; "
            "a gradient follows by edit.pad for each edit of the report"
        )
    if net.axes:
        raise ValueError(
            "net must be without kernels to be sparsified, got a network of convolutions: no "
            "structure stores the zeros of a kernel, and the optimum is proved for dense layers "
            "alone; compress makes it smaller"
        )
    optimum = attainable_zeros(net.widths)
    kept = {"weight": _absent(net), "bias": 0, "psi": 0}
    edits: tuple[Edit, ...] = ()
    sparse = net
    if kept["weight"] <= optimum:
        steps = plan(net.widths)
        edits = _edits(net, steps)
        sparse = replay(net, edits)
        kept = {name: sum(step.zeros[name] for step in steps) for name in kept}
    return sparse, Sparsified(
        edits,
        zeros=kept,
        optimum=optimum,
        parameters_before=net.parameter_count,
        parameters_after=sparse.parameter_count,
        multiply_adds_before=_multiply_adds(net),
        multiply_adds_after=_multiply_adds(sparse),
    )


def _edits(net: Network, steps: Sequence[Step]) -> tuple[Edit, ...]:
    """Return one rotation of each hidden space, then the zeros of each layer."""
    host = _Host(net)
    for step in steps:
        if step.diagonal:
            host.diagonalise(step)
    for step in steps:
        if not step.diagonal:
            host.reduce(step)
    for step in steps:
        host.fold(step)
    turns = [rotation(net, space, R) for space, R in sorted(host.rotations.items())]
    zeros = [Impose(step.layer, step.kind, step.psi, step.bias) for step in steps]
    return (*turns, *(edit for edit in zeros if edit.kind or edit.psi or edit.bias))


class _Host:
    """The parameters in float64, [ψ | b] as one array, and each space's rotation so far."""

    def __init__(self, net: Network) -> None:
        self.weights = [arrays.to_numpy(la.weight).astype(np.float64) for la in net.layers]
        self.sources = [
            np.column_stack(
                [arrays.to_numpy(v).astype(np.float64) for v in (la.psi, la.bias) if v is not None]
            )
            for la in net.layers
        ]
        self.rotations = {s: np.eye(net.widths[s]) for s in range(1, net.depth + 1)}

    def turn(self, space: int, R: NDArray) -> None:
        """Turn the last neurons of a space, as many as R has rows."""
        if not len(R):
            return
        below, above = self.weights[space - 1 : space + 1]
        last = slice(len(below) - len(R), None)
        for array in (below, self.sources[space - 1], self.rotations[space]):
            array[last] = R @ array[last]
        above[:, last] = above[:, last] @ R.T

    def diagonalise(self, step: Step) -> None:
        u, _, vt = factor.refined_svd(self.weights[step.layer])
        self.turn(step.layer, vt)
        self.turn(step.layer + 1, u.T)

    def reduce(self, step: Step) -> None:
        i, rows, columns = step.layer, *step.shape
        weight, top = self.weights[i], rows - step.beyond
        if step.free:
            fixed = np.column_stack([weight[:, : step.fixed], self.sources[i]])
            self.turn(i + 1, factor.triangle(fixed[rows - step.free :]))
        if step.held and step.beyond:
            u, _, vt = factor.refined_svd(weight[top:, step.fixed :])
            self.turn(i + 1, u.T)
            self.turn(i, vt)
        if step.right:
            self.turn(i, factor.triangle(weight[:top, columns - step.right :].T))

    def fold(self, step: Step) -> None:
        if step.folded:
            block = self.sources[step.layer][step.shape[0] - step.folded :]
            self.turn(step.layer + 1, factor.triangle(block))


def _absent(net: Network) -> int:
    return sum(absent(_kind(la.weight), la.weight.shape) for la in net.layers)


def _multiply_adds(net: Network) -> int:
    products = sum(multiply_adds(_kind(la.weight), la.weight.shape) for la in net.layers)
    return products + sum(net.widths[2:])


def _kind(weight: Any) -> dict[str, Any] | None:
    return weight.kind if isinstance(weight, Structured) else None
