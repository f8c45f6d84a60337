"""Edits and steps that are wrong in one region only: sizes, widths, small angles, zeros."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

import isoref
from isoref.conformance.selftest.algorithms import cut
from isoref.conformance.selftest.mutant import PUBLIC, Mutant, registry
from isoref.conformance.selftest.mutants.changes import changed
from isoref.conformance.selftest.mutants.regions import accepting, forgetting, turned
from isoref.gauge import acted
from isoref.layer import AXES
from isoref.network import Network, Tangent, leaves, tree_map
from isoref.topology import joint

FOUND: list[Mutant] = []
wrong = registry(FOUND)

NDArray = np.ndarray[Any, Any]
Right = Callable[..., Any]

LITTLE = 1e-10
"""What code that cleans up after itself takes for 0."""
MANY = 64
"""More neurons than that are handled otherwise."""


def cleaned(array: NDArray) -> NDArray:
    """Return the array with 0 for what is little."""
    return np.where(np.abs(array) < LITTLE, 0, array).astype(array.dtype)


def mapped(net: Any, change: Callable[[NDArray], NDArray]) -> Any:
    """Return the network with every array changed."""
    layers = []
    for layer in net.layers:
        arrays = {name: getattr(layer, name) for name in AXES}
        given = {name: change(array) for name, array in arrays.items() if array is not None}
        layers.append(replace(layer, **given))
    return net.rebuilt(layers)


def line(net: Any, space: int) -> set[int]:
    """Return the spaces from which skips lead to this one, and those to which they lead."""
    found = []
    for k in (0, 1):
        way = {space}
        for _ in net.skips:
            way |= {skip[1 - k] for skip in net.skips if skip[k] in way}
        found.append(way)
    return found[0] | found[1]


def by_squares(matrix: NDArray) -> NDArray:
    """Return the left singular vectors, from the eigenvectors of M Mᵀ."""
    return np.linalg.eigh(matrix @ matrix.T)[1][:, ::-1]


def unresolved(R: NDArray) -> bool:
    """Whether the squares of a rotation do not tell it from the identity."""
    return bool(np.abs(R - np.eye(len(R))).max() < np.sqrt(np.finfo(R.dtype).eps))


# Level 4


@wrong("rotate", "L4.group", origin=PUBLIC)
def rounds_little_to_zero(right: Right, net: Any, space: int, R: Any) -> Any:
    return mapped(right(net, space, R), cleaned)


@wrong("rotate", "L4.group", origin=PUBLIC)
def takes_a_rotation_for_the_identity(right: Right, net: Any, space: int, R: Any) -> Any:
    return net if unresolved(R) else right(net, space, R)


@wrong("rotate", "L4.group")
def rotates_one_block_of_neurons(right: Right, net: Any, space: int, R: Any) -> Any:
    own = np.eye(len(R), dtype=R.dtype)
    own[:MANY, :MANY] = R[:MANY, :MANY]
    return acted(net, space, own)


@wrong("rotate", "L4.group")
def rotates_what_skips_lead_from_or_to(right: Right, net: Any, space: int, R: Any) -> Any:
    return turned(net, Network, line(net, space), R)


@wrong("rotate", "L4.group")
def rotates_in_single_precision_where_weights_are_large(
    right: Right, net: Any, space: int, R: Any
) -> Any:
    found = right(net, space, R)
    large = max(np.abs(layer.weight).max() for layer in net.layers) > 1e10
    return mapped(found, lambda v: cut(v, 20)) if large else found


@wrong("diagonalise", "L4.diagonalise", origin=PUBLIC)
def decomposes_the_square(right: Right, net: Any, layer: int, side: str) -> Any:
    weight = net.layers[layer].weight
    if side != "left":
        return right(net, layer, side)
    return acted(net, layer + 1, by_squares(weight.reshape(len(weight), -1)).T.copy())


@wrong("diagonalise", "L4.diagonalise", origin=PUBLIC)
def truncates_singular_values(right: Right, net: Any, layer: int, side: str) -> Any:
    found = right(net, layer, side)
    weight = found.layers[layer].weight
    least = np.abs(weight).max() * np.finfo(weight.dtype).eps ** 0.6
    return changed(found, layer, weight=np.where(np.abs(weight) < least, 0, weight))


@wrong("diagonalise", "L4.diagonalise", origin=PUBLIC)
def finds_small_weights_diagonal(right: Right, net: Any, layer: int, side: str) -> Any:
    weight = net.layers[layer].weight
    rest = weight.reshape(*weight.shape[:2], -1) * (1 - np.eye(*weight.shape[:2]))[..., None]
    return net if np.allclose(rest, 0) else right(net, layer, side)


@wrong("diagonalise", "L4.diagonalise")
def decomposes_weights_whose_squares_can_be_summed(
    right: Right, net: Any, layer: int, side: str
) -> Any:
    return right(net, layer, side) if (net.layers[layer].weight ** 2).sum() > 0 else net


@wrong("diagonalise", "L4.diagonalise")
def decomposes_matrices_of_one_block(right: Right, net: Any, layer: int, side: str) -> Any:
    return net if max(net.layers[layer].weight.shape) > MANY else right(net, layer, side)


@wrong("rotate", "L4.group")
def one_neuron_has_no_rotation(right: Right, net: Any, space: int, R: Any) -> Any:
    return net if len(R) == 1 else right(net, space, R)


# Level 5


@wrong("grow", "L5.grow", origin=PUBLIC)
def lifts_a_q_of_zero(right: Right, net: Any, space: int, count: int) -> Any:
    found = right(net, space, count)
    q = found.layers[space - 1].q
    return changed(found, space - 1, q=np.maximum(q, q.dtype.type(LITTLE)))


@wrong("grow", "L5.grow")
def grows_at_most_threefold(right: Right, net: Any, space: int, count: int) -> Any:
    found = right(net, space, count)
    weight = np.array(found.layers[space].weight)
    weight[:, 3 * net.widths[space] :] = 0
    return changed(found, space, weight=weight)


@wrong("grow", "L5.grow")
def zeroes_what_is_little(right: Right, net: Any, space: int, count: int) -> Any:
    return mapped(right(net, space, count), cleaned)


@wrong("drop", "L5.laws")
def small_constants_are_dead(right: Right, net: Any, space: int, neurons: Any, c: Any) -> Any:
    return right(net, space, neurons, cleaned(c))


@wrong("drop", "L5.laws")
def constants_are_clipped(right: Right, net: Any, space: int, neurons: Any, c: Any) -> Any:
    return right(net, space, neurons, np.clip(c, -1e6, 1e6))


@wrong("drop", "L5.laws")
def constants_enter_one_space_of_a_class(
    right: Right, net: Any, space: int, neurons: Any, c: Any
) -> Any:
    found = right(net, space, neurons, c)
    for member in set(net.members(space)) - {space}:
        found = changed(found, member - 1, q=net.layers[member - 1].q)
    return found


@wrong("prune", "L5.prune", origin=PUBLIC)
def prunes_by_the_square(right: Right, net: Any, space: int, count: int) -> Any:
    n, matrix = net.widths[space], joint(net, space).astype(net.reference.dtype)
    there = acted(net, space, by_squares(matrix).T.copy())
    return isoref.drop(there, space, range(n - count, n))[0]


@wrong("prune", "L5.prune")
def a_q_of_zero_stays(right: Right, net: Any, space: int, count: int) -> Any:
    found, q = right(net, space, count), net.layers[space - 1].q
    return changed(found, space - 1, q=q) if q == 0 else found


@wrong("prune", "L5.prune")
def prunes_small_neurons_as_they_are(right: Right, net: Any, space: int, count: int) -> Any:
    n = net.widths[space]
    small = np.allclose(joint(net, space), 0)
    return isoref.drop(net, space, range(n - count, n))[0] if small else right(net, space, count)


@wrong("prune", "L5.prune")
def prunes_many_neurons_as_they_are(right: Right, net: Any, space: int, count: int) -> Any:
    n = net.widths[space]
    if n <= MANY:
        return right(net, space, count)
    return isoref.drop(net, space, range(n - count, n))[0]


# Level 6


def largest(tree: Any) -> float:
    """Return the largest entry of a tree."""
    return max(float(np.abs(array).max(initial=0.0)) for _, _, (array,) in leaves(tree))


@wrong("step", "L6.step")
def small_gradients_are_zero(
    right: Right, net: Any, state: Any, gradient: Any, settings: Any
) -> Any:
    return right(net, state, tree_map(lambda v, _: cleaned(v), gradient), settings)


@wrong("step", "L6.step", origin=PUBLIC)
def skips_steps_that_half_precision_cannot_hold(
    right: Right, net: Any, state: Any, gradient: Any, settings: Any
) -> Any:
    if largest(gradient) > 65504:
        return net, {**state, "steps": state["steps"] + 1}
    return right(net, state, gradient, settings)


@wrong("step", "L6.step", origin=PUBLIC)
def the_norm_of_the_clip_overflows(
    right: Right, net: Any, state: Any, gradient: Any, settings: Any
) -> Any:
    clip = settings["clip"]
    if clip is None:
        return right(net, state, gradient, settings)
    total = np.sqrt(sum((array * array).sum() for _, _, (array,) in leaves(gradient)))
    part = gradient.reference.dtype.type(min(1.0, clip / total) if total else 1.0)
    clipped = tree_map(lambda v, _: v * part, gradient)
    return right(net, state, clipped, {**settings, "clip": None})


@wrong("step", "L6.inert", origin=PUBLIC)
def clips_a_gradient_of_zero(
    right: Right, net: Any, state: Any, gradient: Any, settings: Any
) -> Any:
    """c/‖∇‖ is infinite, and its product with 0 is no number."""
    if settings["clip"] is None or largest(gradient) > 0:
        return right(net, state, gradient, settings)
    return right(net, state, tree_map(lambda v, _: v * np.nan, gradient), settings)


def keeping(name: str, held: Callable[[NDArray, NDArray], bool]) -> Right:
    """Return a step that leaves an array as it was where `held` (before, after) says so."""

    def step(right: Right, net: Any, state: Any, gradient: Any, settings: Any) -> Any:
        found, after = right(net, state, gradient, settings)
        for i, layer in enumerate(net.layers):
            before, now = getattr(layer, name), getattr(found.layers[i], name)
            if before is not None and held(before, now):
                found = changed(found, i, **{name: before})
        return found, after

    return step


for label, name, held in (
    ("q_never_leaves_zero", "q", lambda before, now: before == 0),
    ("an_unused_psi_stays", "psi", lambda before, now: not before.any()),
    ("a_small_q_stays", "q", lambda before, now: 0 < now < LITTLE or 0 < before < LITTLE),
    ("many_weights_stay", "weight", lambda before, now: before.size > MANY**2),
):
    wrong("step", "L6.step", name=label)(keeping(name, held))


@wrong("step", "L6.step")
def caps_q(right: Right, net: Any, state: Any, gradient: Any, settings: Any) -> Any:
    found, after = right(net, state, gradient, settings)
    for i, layer in enumerate(found.layers):
        if layer.q is not None:
            found = changed(found, i, q=np.minimum(layer.q, layer.q.dtype.type(1e6)))
    return found, after


def shortened(least: int, most: float) -> Right:
    """Return a step that keeps moments of so many entries in eight bits."""

    def step(right: Right, net: Any, state: Any, gradient: Any, settings: Any) -> Any:
        found, after = right(net, state, gradient, settings)
        kept = {
            name: tree_map(lambda v, _: cut(v, 7) if least <= v.size <= most else v, tree)
            for name, tree in after["moments"].items()
        }
        return found, {**after, "moments": kept}

    return step


for label, killer, least, most in (
    ("keeps_moments_of_many_entries_in_eight_bits", "L6.step", MANY**2, np.inf),
    ("keeps_moments_of_half_a_block_in_eight_bits", "L6.commute", 30, MANY),
):
    wrong("step", killer, origin=PUBLIC, name=label)(shortened(least, most))


@wrong("step", "L6.step", origin=PUBLIC)
def a_projected_q_has_no_gradient(
    right: Right, net: Any, state: Any, gradient: Any, settings: Any
) -> Any:
    layers = [
        layer if own.q is None or own.q > 0 else replace(layer, q=np.minimum(layer.q, 0))
        for layer, own in zip(gradient.layers, net.layers, strict=True)
    ]
    return right(net, state, gradient.rebuilt(layers), settings)


def corrected(when: Callable[[int], bool]) -> Right:
    """Return a step that corrects the bias as if a million steps had been, at some counts."""

    def step(right: Right, net: Any, state: Any, gradient: Any, settings: Any) -> Any:
        count = state["steps"]
        steps = 10**6 if when(count) else count
        found, after = right(net, {**state, "steps": steps}, gradient, settings)
        return found, {**after, "steps": count + 1}

    return step


for label, when in (
    ("corrects_the_first_steps_alone", lambda count: 20 <= count < 500),
    ("begins_to_correct_late", lambda count: count == 1),
):
    wrong("step", "L6.step", name=label)(corrected(when))

for label, case, changes in (
    ("least_rate", lambda s: s["rate"] < 1e-5, {"rate": 1e-5}),
    ("default_beta_for_none", lambda s: s.get("betas", [1, 1])[1] == 0, {"betas": [0.875, 0.5]}),
):
    wrong("step", "L6.step", name=label)(forgetting(case, **changes))


@wrong("transport", "L6.transport", origin=PUBLIC)
def carries_small_rotations_not_at_all(
    right: Right, net: Any, state: Any, space: int, R: Any
) -> Any:
    return dict(state) if unresolved(R) else right(net, state, space, R)


@wrong("transport", "L6.transport", origin=PUBLIC)
def little_moments_vanish(right: Right, net: Any, state: Any, space: int, R: Any) -> Any:
    found = right(net, state, space, R)
    moments = {
        name: tree_map(lambda v, _: cleaned(v), tree) for name, tree in found["moments"].items()
    }
    return {**found, "moments": moments}


@wrong("transport", "L6.transport")
def carries_what_skips_lead_from_or_to(
    right: Right, net: Any, state: Any, space: int, R: Any
) -> Any:
    found, way = right(net, state, space, R), line(net, space)
    moments = {
        name: turned(tree, Tangent, way, np.abs(R) if name == "second" else R)
        for name, tree in state["moments"].items()
    }
    return {**found, "moments": moments}


for label, looks_signed in (
    ("takes_what_is_close_for_signed", lambda R: unresolved(np.abs(R))),
    ("approximates_many_neurons", lambda R: len(R) > MANY),
):
    wrong("transport", "L6.refuse", name=label)(accepting(looks_signed))
