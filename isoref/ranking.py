"""Which neurons of a hidden space to remove first, and what removing them discards.

A ranking is what `prune` chooses by: a turn of the space or none, the neurons, strongest first, and
for every j a bound on ‖m_D(h, g) + b_D − c‖ for D = order[j:], the last factor of a certificate
(specification, section 5; C13, C33).

Of convolutions, m_D(h, g) is what the dropped channels get at all positions of one sample, so
lengths are taken per sample; M is unfolded and acts on the windows of (h, g).
"""

from __future__ import annotations

from math import inf, prod
from typing import Any, NamedTuple

import numpy as np

from isoref import arrays, factor
from isoref.diagonal import rotation
from isoref.edits import Drop, Edit, Rotate
from isoref.gauge import UNIT, check_alone
from isoref.network import Network
from isoref.norms import UP, length, state_radius, times
from isoref.operator_norms import layer_norm, reading_norm, readings
from isoref.topology import incoming
from isoref.windows import Geometry, Image, windows

NDArray = np.ndarray[Any, Any]
Factors = tuple[NDArray, NDArray]


Found = tuple[Rotate | None, NDArray, NDArray, NDArray | None]
"""turn, order, discards and constants of a ranking."""


class Ranking(NamedTuple):
    """The neurons of one space in the order in which to keep them.

    Attributes
    ----------
    space : int
        1 … L.
    turn : Rotate or None
        What comes first; None leaves the neurons as they stand.
    order : array of n_s integers
        The neurons after the turn, strongest first.
    discards : array of shape (n_s,)
        discards[j] bounds ‖m_D(h, g) + b_D − c‖ for D = order[j:].
    constants : array of shape (n_s,), or None
        c of every neuron after the turn; None stands for the biases.
    reach : float
        The largest ‖(h, g)‖, or ‖x‖ if s = 1, for which `discards` hold; over all positions.
    """

    space: int
    turn: Rotate | None
    order: NDArray
    discards: NDArray
    constants: NDArray | None
    reach: float

    def steps(self, net: Network, count: int) -> tuple[Edit, ...]:
        """Return the edits that remove the `count` weakest neurons."""
        weakest = np.sort(self.order[len(self.order) - count :])
        values = None
        if self.constants is not None:
            values = arrays.like(self.constants[weakest], net.reference)
        drop = Drop(self.space, tuple(int(k) for k in weakest), values)
        return (drop,) if self.turn is None else (self.turn, drop)


def ranking(
    net: Network,
    space: int,
    state: Any = None,
    *,
    radius: float | None = None,
    count: int | None = None,
    center: str = "bias",
    rotate: bool = True,
    factors: Factors | None = None,
    image: Image = (),
) -> Ranking:
    """Return the ranking that `prune` uses, whose arguments these are.

    Parameters
    ----------
    net : Network
    space : int
        1 … L.
    state : State, optional
        Of the inputs in space s − 1, as `trace(net, inputs)` holds it; instead of `radius`.
    radius : float, optional
        Largest ‖x‖ without a state; None means any.
    count : int, optional
        If only `discards[n_s − count]` is wanted: sharper, or less work.
    center : {"bias", "mean"}
    rotate : bool
        Whether the space may be turned. If not, the neurons are taken as they stand, greedily:
        each time the one with which `discards` grows least, in norm of its row without a state.
    factors : (U, σ), optional
        `factor.left_factors` of M = [W | ψ], if they are known already.
    image : tuple of int
        Extents of the input images; () for dense layers.

    Notes
    -----
    The left singular vectors of the unfolded M minimise ‖m_D‖ unfolded (C33). The norm of the
    dropped channels as a convolution is at most √taps times that, and can be less in another gauge.

    Examples
    --------
    >>> net = Network.random((2, 3, 1), seed=0)
    >>> ranking(net, 1, radius=1.0).discards.round(12).tolist()
    [1.0, 1.0, 0.0]
    """
    check_alone(net, space)
    where = readings(net, image)[space - 1]
    seen = None
    if state is not None:
        seen = windows(where, joined(state))
        reach = float(tails(joined(state), prod(where.image))[0])
    else:
        reach = state_radius(net, space - 1, inf if radius is None else radius, image)
    if not rotate:
        found = _standing(net, space, seen, where, reach, count, center)
    elif center == "mean":
        found = _principal(net, space, seen, where)
    else:
        found = _weakest(net, space, seen, where, reach, count, factors)
    return Ranking(space, *found, reach)


def _weakest(
    net: Network,
    space: int,
    seen: NDArray | None,
    where: Geometry,
    reach: float,
    count: int | None,
    factors: Factors | None,
) -> Found:
    """Turn by the left singular vectors of M."""
    matrix = incoming(net, space)
    order = np.arange(len(matrix))
    if count is not None and arrays.precision(net.reference) == "float32":
        # Below float32's rounding the Gram eigenproblem resolves nothing, and nothing is needed.
        turn = (factors or factor.left_factors(matrix, UNIT["float32"]))[0].T
        dropped = turn[-count:] @ matrix
        if seen is not None:
            size = float(tails(seen @ dropped.T, prod(where.out))[0])
        else:
            size = times(layer_norm(dropped, where), reach)
        return rotation(net, space, turn), order, np.full(len(matrix), size), None
    u, s = factors or factor.left_factors(matrix)
    turned = rotation(net, space, u.T)
    if seen is not None:
        # a − b in the turned basis is U'M(h, g), for every input.
        return turned, order, tails(seen @ matrix.T @ u, prod(where.out)), None
    padded = np.concatenate([s, np.zeros(len(u) - len(s))])
    # The computed values are off by at most the backward error of the factorisation.
    error = max(matrix.shape) * 2.0**-53 * length(matrix)
    norms = padded + error if padded.any() else padded
    norms = norms * reading_norm(where)
    if count is not None and not where.trivial:
        # Of the channels that go, the norm as a convolution: sharper than √N σ.
        last = layer_norm(u[:, len(u) - count :].T @ matrix, where) + error * reading_norm(where)
        norms = np.minimum(norms, last)
    return turned, order, np.array([times(norm, reach) for norm in norms]), None


def _principal(net: Network, space: int, seen: Any, where: Geometry) -> Found:
    """Turn by the principal axes of the pre-activations; the constants are their means."""
    a = _activations(net, space, seen)
    mean = a.mean(axis=0)
    u, _ = factor.left_factors((a - mean).T)
    constants = _rounded(net, mean @ u)
    turned = rotation(net, space, u.T)
    return turned, np.arange(len(u)), tails(a @ u - constants, prod(where.out)), constants


def _standing(
    net: Network,
    space: int,
    seen: NDArray | None,
    where: Geometry,
    reach: float,
    count: int | None,
    center: str,
) -> Found:
    """Turn nothing."""
    matrix = incoming(net, space)
    if seen is None:
        norms = np.array([length(row) for row in matrix])
        order = np.argsort(-norms, kind="stable")
        if count is not None:
            sizes = np.full(len(order), layer_norm(matrix[order[len(order) - count :]], where))
        else:
            # Frobenius norms bound the operator norms.
            sizes = tails(norms[None, order]) * reading_norm(where) * UP
        return None, order, np.array([times(v, reach) for v in sizes]), None
    constants = None
    if center == "mean":
        a = _activations(net, space, seen)
        constants = _rounded(net, a.mean(axis=0))
        rows = a - constants
    else:
        rows = seen @ matrix.T
    order = _greedy(rows, prod(where.out))
    return None, order, tails(rows[:, order], prod(where.out)), constants


def _greedy(rows: NDArray, positions: int) -> NDArray:
    """Return the columns, the last ones chosen first: each adds least to the longest sample."""
    _, squares = _squares(rows, positions)
    left, chosen = list(range(rows.shape[1])), []
    spent = np.zeros((len(squares), 1))
    while left:
        k = left.pop(int(np.argmin((spent + squares[:, left]).max(axis=0))))
        spent = spent + squares[:, [k]]
        chosen.append(k)
    return np.array(chosen[::-1])


def tails(rows: NDArray, positions: int = 1) -> NDArray:
    """Return, for each j, the largest length over the samples of their entries from j on.

    A sample is one row, or `positions` successive ones, whose entries count together.

    Examples
    --------
    >>> tails(np.array([[0.0, 3.0], [4.0, 0.0]]), 2)
    array([5., 3.])
    >>> tails(np.array([[0.0, 3.0, 4.0], [12.0, 0.0, 4.5]]))
    array([12.81600562,  5.        ,  4.5       ])
    """
    largest, squares = _squares(rows, positions)
    squares = np.cumsum(squares[:, ::-1], axis=1)[:, ::-1]
    return np.asarray(largest * np.sqrt(squares.max(axis=0)))


def _squares(rows: NDArray, positions: int) -> tuple[float, NDArray]:
    """Return max|rows|, or 1, and per sample the squares of the rows in units of it."""
    largest = float(np.max(np.abs(rows), initial=0.0)) or 1.0
    squares = (rows / largest) ** 2
    if positions > 1:
        squares = squares.reshape(-1, positions, rows.shape[1]).sum(axis=1)
    return largest, squares


def joined(state: Any) -> NDArray:
    """Return the rows (h, g) of a state, or h alone in the input, float64 on the host."""
    h = arrays.to_numpy(state.h).astype(np.float64)
    if state.g is None:
        return h
    return np.concatenate([h, arrays.to_numpy(state.g).astype(np.float64)], axis=1)


def _activations(net: Network, space: int, seen: NDArray) -> NDArray:
    bias = arrays.to_numpy(net.layers[space - 1].bias).astype(np.float64)
    return np.asarray(seen @ incoming(net, space).T + bias)


def _rounded(net: Network, values: NDArray) -> NDArray:
    return values.astype(arrays.precision(net.reference)).astype(np.float64)
