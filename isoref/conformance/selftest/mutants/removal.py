"""Wrong removal of neurons: level 5."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from isoref.conformance.selftest.mutant import PUBLIC, Mutant, registry
from isoref.conformance.selftest.mutants.changes import changed
from isoref.edits import Drop

FOUND: list[Mutant] = []
wrong = registry(FOUND)

NDArray = np.ndarray[Any, Any]
Right = Callable[..., Any]


def absorbing(net: Any, space: int, neurons: Any, c: Any, q: float, psi: float) -> Any:
    """Return a drop with multiples of what q and ψ take."""
    found = Drop(space, tuple(neurons), c).apply(net)
    below, above = found.layers[space - 1].q, found.layers[space].psi
    q0, psi0 = net.layers[space - 1].q, net.layers[space].psi
    found = changed(found, space - 1, q=q0 + q * (below - q0))
    return changed(found, space, psi=psi0 + psi * (above - psi0))


@wrong("drop", "L5.laws", origin=PUBLIC)
def drops_without_psi(right: Right, net: Any, space: int, neurons: Any, c: Any) -> Any:
    return absorbing(net, space, neurons, c, 1, 0)


@wrong("drop", "L5.drop")
def drops_without_q(right: Right, net: Any, space: int, neurons: Any, c: Any) -> Any:
    return absorbing(net, space, neurons, c, 0, 1)


@wrong("drop", "L5.laws", origin=PUBLIC)
def drops_without_both(right: Right, net: Any, space: int, neurons: Any, c: Any) -> Any:
    return absorbing(net, space, neurons, c, 0, 0)


@wrong("drop", "L5.drop")
def subtracts_psi(right: Right, net: Any, space: int, neurons: Any, c: Any) -> Any:
    return absorbing(net, space, neurons, c, 1, -1)


@wrong("drop", "L5.laws", origin=PUBLIC)
def adds_lengths_instead_of_squares(
    right: Right, net: Any, space: int, neurons: Any, c: Any
) -> Any:
    o = np.sqrt(net.layers[space - 1].q) + np.abs(c).sum()
    return changed(right(net, space, neurons, c), space - 1, q=o * o)


@wrong("drop", "L5.laws", origin=PUBLIC)
def adds_o_to_q(right: Right, net: Any, space: int, neurons: Any, c: Any) -> Any:
    q = net.layers[space - 1].q + np.sqrt((c**2).sum())
    return changed(right(net, space, neurons, c), space - 1, q=q)


@wrong("drop", "L5.drop", origin=PUBLIC)
def drops_another_entry_of_psi(right: Right, net: Any, space: int, neurons: Any, c: Any) -> Any:
    found, own = right(net, space, neurons, c), net.layers[space - 1].psi
    if own is None:
        return found
    return changed(found, space - 1, psi=own[: len(own) - len(neurons)])


@wrong("drop", "L5.laws")
def takes_the_bias_of_the_first(right: Right, net: Any, space: int, neurons: Any, c: Any) -> Any:
    return right(net, space, neurons, np.full_like(c, c[0]))


@wrong("drop", "L5.drop", origin=PUBLIC)
def takes_the_bias_whatever_is_given(
    right: Right, net: Any, space: int, neurons: Any, c: Any
) -> Any:
    return right(net, space, neurons, net.layers[space - 1].bias[list(neurons)])


@wrong("drop", "L5.laws", origin=PUBLIC)
def drops_from_one_of_the_connected_spaces(
    right: Right, net: Any, space: int, neurons: Any, c: Any
) -> Any:
    if not net.skips:
        return right(net, space, neurons, c)
    return net


@wrong("drop", "L5.drop", origin=PUBLIC)
def folds_constants_into_the_bias(right: Right, net: Any, space: int, neurons: Any, c: Any) -> Any:
    """As if the gain were 1: b += W c in place of ψ += W c."""
    found, above = right(net, space, neurons, c), net.layers[space]
    more = found.layers[space].psi - above.psi
    total = more.reshape(len(more), -1).sum(axis=1)
    return changed(found, space, psi=above.psi, bias=above.bias + total)


@wrong("drop", "L5.drop")
def absorbs_with_an_error_of_forty_roundings(
    right: Right, net: Any, space: int, neurons: Any, c: Any
) -> Any:
    return right(net, space, neurons, c * c.dtype.type(1 + 20 * np.finfo(c.dtype).eps))


@wrong("drop", "L5.drop")
def drops_constants_from_all_connected_spaces(
    right: Right, net: Any, space: int, neurons: Any, c: Any
) -> Any:
    """Where a skip leaves a space, the constants are 0, because the skip carries none on."""
    found = right(net, space, neurons, c)
    for source, _ in net.skips:
        if source in net.members(space):
            found = changed(found, source - 1, q=net.layers[source - 1].q + (c * c).sum())
    return found


@wrong("drop", "L5.laws")
def keeps_what_a_skip_carries(right: Right, net: Any, space: int, neurons: Any, c: Any) -> Any:
    """Neurons of a space that a skip leaves stay, even those that were grown with zero rows."""
    if any(source == space for source, _ in net.skips):
        return net
    return right(net, space, neurons, c)
