"""Wrong in one region only: far radii, long batches, chains of skips, settings together."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

import isoref
from isoref.conformance.selftest.mutant import Mutant, registry
from isoref.conformance.selftest.mutants.changes import changed
from isoref.edits import taken
from isoref.gauge import acted
from isoref.network import Network, Tangent, plain, tree_map

FOUND: list[Mutant] = []
wrong = registry(FOUND)

NDArray = np.ndarray[Any, Any]
Right = Callable[..., Any]

BLOCK = 64
"""Rows that code handles at a time."""


# Levels 1 to 3


@wrong("polar", "L1.radii")
def scales_by_the_vector_alone(right: Right, a: NDArray, q: NDArray) -> Any:
    """The square of o/‖a‖ overflows where ‖a‖ is tiny."""
    largest = np.max(np.abs(a), axis=1, keepdims=True, initial=0.0)
    scale = np.where(largest == 0, 1, largest).astype(a.dtype)
    part, rest = a / scale, np.sqrt(q) / scale
    length = np.sqrt((part * part).sum(axis=1, keepdims=True) + rest * rest)
    return scale * length, part / np.where(length == 0, 1, length).astype(a.dtype)


@wrong("state", "L1.radii")
def tabulates_the_gain_of_far_radii(right: Right, profile: Any, a: NDArray, q: Any) -> Any:
    found = right(profile, a, q)
    far = (found.r > 1e8) & (found.r < 1e14)
    off = np.where(far, 1 + 1e-3, 1).astype(a.dtype)
    return found._replace(g=found.g * off, h=found.h * off)


@wrong("activation", "L1.radii")
def leaves_out_the_rows_beyond_a_block(right: Right, profile: Any, a: NDArray, q: Any) -> Any:
    h, g = right(profile, a, q)
    return np.where(np.arange(len(a))[:, None] < BLOCK, h, 0), g


@wrong("polar", "L1.radii")
def sums_one_block_of_neurons(right: Right, a: NDArray, q: NDArray) -> Any:
    r, _ = right(a[:, :BLOCK], q)
    return r, (a / np.where(r == 0, 1, r)).astype(a.dtype)


@wrong("joined", "L2.fresh")
class SkipsWithoutEarlierSkips:
    """Adds σ(r) u of the source, without what skips have brought there."""

    def __init__(self) -> None:
        self.own: dict[int, NDArray] = {}

    def __call__(self, right: Right, net: Any, state: Any, states: list[Any]) -> Any:
        """Return the state with the skips of this space."""
        here, h = len(states), state.h
        self.own[here] = h
        for source in net.sources(here):
            h = h + self.own[source]
        return state._replace(h=h)


@wrong("joined", "L2.fresh")
def one_skip_for_each_target(right: Right, net: Any, state: Any, states: list[Any]) -> Any:
    """As a dictionary of sources by target keeps them."""
    found = {t: s for s, t in net.skips}
    source = found.get(len(states))
    return state if source is None else state._replace(h=state.h + states[source].h)


@wrong("forward", "L2.fresh")
def pools_images_as_if_they_were_lines(right: Right, net: Any, x: NDArray) -> Any:
    pooled = net.axes == 2 and any(layer.pool > 1 for layer in net.layers)
    return 0 * right(net, x) if pooled else right(net, x)


@wrong("pull", "L3.radii")
def slopes_vanish_at_far_radii(
    right: Right, profile: Any, state: Any, hbar: NDArray, gbar: NDArray
) -> Any:
    abar, qbar = right(profile, state, hbar, gbar)
    far = (state.r > 1e8) & (state.r < 1e14)
    return np.where(far, state.g * hbar, abar), np.where(far, 0 * qbar, qbar)


@wrong("pull", "L3.radii")
def clips_cotangents(right: Right, profile: Any, state: Any, hbar: NDArray, gbar: NDArray) -> Any:
    return right(profile, state, np.clip(hbar, -1e4, 1e4), np.clip(gbar, -1e4, 1e4))


@wrong("pull", "L3.radii")
def skips_rows_without_a_cotangent_of_h(
    right: Right, profile: Any, state: Any, hbar: NDArray, gbar: NDArray
) -> Any:
    off = hbar.any(axis=1, keepdims=True)
    return tuple(np.where(off, part, 0 * part) for part in right(profile, state, hbar, gbar))


@wrong("activation_vjp", "L3.radii")
def a_single_row_has_no_gain(
    right: Right, profile: Any, a: NDArray, q: Any, hbar: NDArray, gbar: NDArray
) -> Any:
    return right(profile, a, q, hbar, gbar if len(a) != 1 else 0 * gbar)


@wrong("activation_vjp", "L3.activation")
def q_has_no_gradient_at_huge_radii(
    right: Right, profile: Any, a: NDArray, q: Any, hbar: NDArray, gbar: NDArray
) -> Any:
    abar, qbar = right(profile, a, q, hbar, gbar)
    limit = 2.0**340 if a.dtype == np.float64 else 2.0**40
    return abar, np.where(np.abs(a).max(axis=1, initial=0) > limit, 0 * qbar, qbar)


@wrong("backward", "L3.batches")
def sums_one_block_of_rows(right: Right, net: Any, x: NDArray, ybar: NDArray) -> Any:
    gradient, _ = right(net, x[:BLOCK], ybar[:BLOCK])
    return gradient, right(net, x, ybar)[1]


@wrong("jvp", "L3.batches")
class VelocitiesAddUpWhenRepeated:
    """Keeps what the last call has left, as buffers of frameworks do."""

    def __init__(self) -> None:
        self.last: tuple[bytes, ...] = ()

    def __call__(self, right: Right, net: Any, x: NDArray, net_dot: Any, x_dot: NDArray) -> Any:
        """Return y and ẏ, the latter twice if the arguments are those of the call before."""
        now = x.tobytes(), x_dot.tobytes(), net_dot.layers[0].weight.tobytes()
        again, self.last = now == self.last, now
        y, ydot = right(net, x, net_dot, x_dot)
        return y, ydot * ydot.dtype.type(2 if again else 1)


@wrong("backward", "L3.fresh")
def cotangents_of_chains_stop(right: Right, net: Any, x: NDArray, ybar: NDArray) -> Any:
    """A space that a skip leaves passes nothing on to the skips that come to it."""
    starts = {s for s, _ in net.skips}
    ends = [(s, t) for s, t in net.skips if t not in starts]
    if len(ends) == len(net.skips):
        return right(net, x, ybar)
    return right(Network(net.layers, net.profile, skips=ends), x, ybar)


# Levels 4 to 6


def turned(tree: Any, kind: Any, spaces: set[int], R: NDArray) -> Any:
    """Return the tree with these spaces turned, whatever skips connect with them."""
    alone = tree.tangent() if kind is Tangent else tree
    alone = Tangent(alone.layers) if kind is Tangent else Network(alone.layers, tree.profile)
    for space in spaces:
        alone = acted(alone, space, R)
    return tree.rebuilt(alone.layers)


def neighbours(net: Any, space: int) -> set[int]:
    """Return the space and what one skip connects with it."""
    return {
        space,
        *(t for s, t in net.skips if s == space),
        *(s for s, t in net.skips if t == space),
    }


@wrong("rotate", "L4.group")
def rotates_direct_neighbours_alone(right: Right, net: Any, space: int, R: Any) -> Any:
    return turned(net, Network, neighbours(net, space), R)


@wrong("rotate", "L4.group")
def rotates_where_skips_lead_to(right: Right, net: Any, space: int, R: Any) -> Any:
    return turned(net, Network, {space, *(t for s, t in net.skips if s == space)}, R)


@wrong("diagonalise", "L4.diagonalise")
def decomposes_the_first_tap(right: Right, net: Any, layer: int, side: str) -> Any:
    if not net.axes:
        return right(net, layer, side)
    weight = net.layers[layer].weight
    u, _, vt = np.linalg.svd(weight.reshape(*weight.shape[:2], -1)[..., 0])
    return acted(net, layer + 1, u.T) if side == "left" else acted(net, layer, vt)


@wrong("diagonalise", "L4.diagonalise")
def turns_one_of_the_connected_spaces(right: Right, net: Any, layer: int, side: str) -> Any:
    if not net.skips:
        return right(net, layer, side)
    alone = plain(isoref.diagonalise(Network(net.layers, net.profile), layer, side)[0])
    return net.rebuilt(alone.layers)


@wrong("diagonalise", "L4.diagonalise")
def leaves_a_vector_as_it_is(right: Right, net: Any, layer: int, side: str) -> Any:
    return net if min(net.widths[layer : layer + 2]) == 1 else right(net, layer, side)


@wrong("grow", "L5.grow")
def scales_columns_by_weights_that_are_zero(right: Right, net: Any, space: int, count: int) -> Any:
    found = right(net, space, count)
    silent = not net.layers[space].weight.any()
    return changed(found, space, weight=0 * found.layers[space].weight) if silent else found


@wrong("drop", "L5.laws")
def sorts_neurons_and_not_their_constants(
    right: Right, net: Any, space: int, neurons: Any, c: Any
) -> Any:
    return right(net, space, tuple(sorted(neurons)), c)


@wrong("drop", "L5.laws")
def connected_neurons_leave_nothing(
    right: Right, net: Any, space: int, neurons: Any, c: Any
) -> Any:
    if len(net.members(space)) == 1:
        return right(net, space, neurons, c)
    return taken(net, space, np.delete(np.arange(net.widths[space]), neurons))


@wrong("drop", "L5.laws")
def absorbs_what_a_skip_carries_on(right: Right, net: Any, space: int, neurons: Any, c: Any) -> Any:
    """As if the constant went to the next layer alone: q += b·b where a skip leaves, too."""
    found = right(net, space, neurons, c)
    for source in {s for s, _ in net.skips} & set(net.members(space)):
        b = net.layers[source - 1].bias[list(neurons)]
        found = changed(found, source - 1, q=net.layers[source - 1].q + b @ b)
    return found


@wrong("prune", "L5.prune")
def prunes_by_one_of_the_connected_spaces(right: Right, net: Any, space: int, count: int) -> Any:
    if len(net.members(space)) == 1:
        return right(net, space, count)
    layer, n = net.layers[space - 1], net.widths[space]
    matrix = np.column_stack([layer.weight, layer.psi])
    u = np.linalg.svd(matrix.astype(np.float64))[0].astype(matrix.dtype)
    gone = range(n - count, n)
    return isoref.drop(acted(net, space, u.T), space, gone)[0]


@wrong("prune", "L5.prune")
def forgets_q_where_most_neurons_go(right: Right, net: Any, space: int, count: int) -> Any:
    found = right(net, space, count)
    most = 2 * count > net.widths[space]
    return changed(found, space - 1, q=net.layers[space - 1].q) if most else found


def together(*names: str) -> Callable[[Any], bool]:
    """Return whether settings have all of these."""
    return lambda settings: all(settings.get(name) for name in names)


def forgetting(when: Callable[[Any], bool], **changes: Any) -> Right:
    """Return a step that takes other settings for some."""

    def step(right: Right, net: Any, state: Any, gradient: Any, settings: Any) -> Any:
        taken_ = {**settings, **changes} if when(settings) else settings
        return right(net, state, gradient, taken_)

    return step


for label, when, changes in (
    ("nesterov_or_decoupled_decay", together("nesterov", "decoupled"), {"nesterov": False}),
    ("clips_without_nesterov_alone", together("nesterov", "clip"), {"clip": None}),
    ("clips_without_decay_alone", together("decay", "clip"), {"clip": None}),
    ("decays_with_momentum_alone", lambda s: s.get("momentum") == 0.0, {"decay": 0.0}),
    ("no_second_moment_without_a_first", lambda s: s.get("betas", [1])[0] == 0, {"eps": 2.0**20}),
):
    wrong("step", "L6.step", name=label)(forgetting(when, **changes))


@wrong("step", "L6.step")
def clips_what_decay_has_entered(
    right: Right, net: Any, state: Any, gradient: Any, settings: Any
) -> Any:
    if settings["decoupled"] or settings["clip"] is None:
        return right(net, state, gradient, settings)
    decay = gradient.reference.dtype.type(settings["decay"])
    decayed = tree_map(lambda g, p, _: g + decay * p, gradient, net.tangent())
    return right(net, state, decayed, {**settings, "decay": 0.0})


@wrong("transport", "L6.transport")
def carries_direct_neighbours_alone(right: Right, net: Any, state: Any, space: int, R: Any) -> Any:
    found, near = right(net, state, space, R), neighbours(net, space)
    moments = {
        name: turned(tree, Tangent, near, np.abs(R) if name == "second" else R)
        for name, tree in state["moments"].items()
    }
    return {**found, "moments": moments}


def accepting(looks_signed: Callable[[NDArray], bool]) -> Right:
    """Return a transport that approximates whatever looks like a signed permutation."""

    def carried(right: Right, net: Any, state: Any, space: int, R: Any) -> Any:
        if "second" not in state["moments"] or not looks_signed(R):
            return right(net, state, space, R)
        moments = {
            name: acted(tree, space, R * R if name == "second" else R)
            for name, tree in state["moments"].items()
        }
        return {"steps": state["steps"], "moments": moments}

    return carried


for label, looks_signed in (
    ("looks_at_the_first_row", lambda R: np.abs(R[0]).max() == 1),
    (
        "takes_small_angles_for_none",
        lambda R: bool(np.allclose(np.abs(R), np.rint(np.abs(R)), atol=1e-2)),
    ),
    ("takes_symmetry_for_a_permutation", lambda R: bool((R == R.T).all())),
):
    wrong("transport", "L6.refuse", name=label)(accepting(looks_signed))


@wrong("transport", "L6.refuse")
def refuses_the_identity(right: Right, net: Any, state: Any, space: int, R: Any) -> Any:
    if "second" in state["moments"] and (np.eye(len(R)) == R).all():
        raise ValueError("nothing to carry")
    return right(net, state, space, R)
