"""What an optimiser remembers, and how edits of the network carry it along.

    transport(state, [Rotate(s, R)])    moments rotate as gradients do                 (C21)
    transport(state, [Grow(s, C)])      new entries are zero: the neuron has no history
    transport(state, [Drop(s, D)])      the entries of the neurons go with them

The first needs moments that are linear in the gradients. A second moment of single entries is not,
and no map of it does what the rotated network would have seen, unless R is a signed permutation
(C22, C32).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np

from isoref import arrays
from isoref.arrays import Array
from isoref.edits import Edit, Rotate
from isoref.gauge import acted
from isoref.network import Layered, Tangent
from isoref.structure import Structured, same_structure


class TransportError(ValueError):
    """An edit that the state of an optimiser cannot follow."""


@dataclass(frozen=True, eq=False)
class State:
    """The state of an optimiser: the steps made, and its moments.

    Attributes
    ----------
    steps : int
        Number of steps made.
    moments : mapping of str to Tangent
        One vector in the shapes of the network for each.
    squares : frozenset of str
        The names of those that sum squares of entries.
    """

    steps: int
    moments: Mapping[str, Tangent]
    squares: frozenset[str] = field(default=frozenset())

    def check_fits(self, net: Layered, moments: tuple[str, ...], squares: frozenset[str]) -> None:
        """Raise unless these are the moments, in the widths, kernels and structures of `net`.

        Raises
        ------
        TypeError
            When library or dtype are not those of `net`.
        ValueError
            When anything else differs.
        """
        if tuple(self.moments) != moments or self.squares != squares:
            raise ValueError(
                f"state must be that of the optimiser, with the moments {moments}, "
                f"got {tuple(self.moments)}; begin with optimiser.start(net)"
            )
        for name, moment in self.moments.items():
            advice = "let the state follow the edits: transport(state, report.edits)"
            check_alike(f"the moment {name!r}", moment, net, advice)


def transport(state: State, edits: Iterable[Edit], *, approximate: bool = False) -> State:
    """Return the state after `edits` of its network.

    Exact where a law exists: rotated and grown, it is what the edited network's own history would
    have given, had new neurons had zero gradients all the time. Dropped neurons take their entries
    with them, and the others stay as they are: that is not the state of a network that never had
    them, since they have taken part in the gradients of the others.

    Parameters
    ----------
    state : State
        Of any optimiser.
    edits : iterable of Edit
        Those of a report, in their order.
    approximate : bool
        Take v → (R∘R) v for second moments, which keeps them positive and their sum, and is the
        expected v if the entries of the gradients were uncorrelated. No law holds; see C22.

    Raises
    ------
    TransportError
        When a second moment meets a rotation that is no signed permutation, and `approximate` is
        False.

    Examples
    --------
    >>> from isoref import Network, grow
    >>> from isoref.training import AdamW
    >>> net = Network.random((2, 3, 1), seed=0)
    >>> grown, report = grow(net, 1, 2, seed=1)
    >>> transport(AdamW(rate=1e-3).start(net), report.edits).moments["second"].widths
    (2, 5, 1)
    """
    moments = dict(state.moments)
    for edit in edits:
        for name, moment in moments.items():
            if name in state.squares and isinstance(edit, Rotate):
                moments[name] = _mixed(moment, edit, name, approximate)
            else:
                moments[name] = edit.pad(moment)
    return State(state.steps, moments, state.squares)


def _mixed(moment: Tangent, edit: Rotate, name: str, approximate: bool) -> Tangent:
    if not approximate and not _permutes(edit.R):
        raise TransportError(
            f"the moment {name!r} sums squares of single entries, and the rotation of space "
            f"{edit.space} has no transport for it (C32). Choose: an optimiser that commutes with "
            "rotations (SGD, Orthogonalised); edits that do not rotate (basis='fixed'); a fresh "
            "state, optimiser.start(net); or approximate=True, which takes v → (R∘R) v"
        )
    return acted(moment, edit.space, edit.R * edit.R)


def check_alike(name: str, tree: Layered, net: Layered, advice: str) -> None:
    """Raise by `name` unless `tree` has all of `net` but the numbers; `advice` says how to get it.

    Library and dtype by a TypeError; widths, kernels and structures of weights by a ValueError.
    """
    if tree.widths != net.widths:
        raise ValueError(
            f"{name} must have the widths of net, {net.widths}, got {tree.widths}; {advice}"
        )
    came, wanted = ([layer.kernel for layer in each.layers] for each in (tree, net))
    if came != wanted:
        raise ValueError(f"{name} must have the kernels of net, {wanted}, got {came}; {advice}")
    arrays.check_alike(name, tree.reference, net.reference, "net")
    for i, (layer, own) in enumerate(zip(tree.layers, net.layers, strict=True)):
        if not same_structure(layer.weight, own.weight):
            other = "isoref.network.plain(…), the plain arrays"
            if isinstance(own.weight, Structured):
                other = f"Impose({i}, net.layers[{i}].weight.kind).pad(…), the part that net stores"
            raise ValueError(
                f"{name} must store layers[{i}].weight as net does, as {_kind(own.weight)}, "
                f"got {_kind(layer.weight)}; {advice}, or take {other}"
            )


def _kind(weight: Array | Structured) -> str:
    """Return what a weight is, and of a staircase where its rows start and stop."""
    if not isinstance(weight, Structured):
        return "a plain array"
    kind, *places = weight.kind.values()
    return f"a {kind}" + (f" with rows from {places[0]} to {places[1]}" if places else "")


def _permutes(R: Array) -> bool:
    """Return whether each row and column of R has one entry that is not 0, and it is 1 or −1."""
    host = np.abs(arrays.to_numpy(R))
    single = all((host.sum(axis=axis) == 1).all() for axis in (0, 1))
    return bool(single and ((host == 0) | (host == 1)).all())
