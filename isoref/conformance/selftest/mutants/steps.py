"""Wrong steps of optimisers: level 6."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from isoref.conformance.selftest.algorithms import cut
from isoref.conformance.selftest.mutant import PUBLIC, Mutant, registry
from isoref.layer import AXES
from isoref.network import tree_map

FOUND: list[Mutant] = []
wrong = registry(FOUND)

NDArray = np.ndarray[Any, Any]
Right = Callable[..., Any]


def ruled(**changes: Any) -> Right:
    """Return a step with other settings."""

    def step(right: Right, net: Any, state: Any, gradient: Any, settings: Any) -> Any:
        return right(net, state, gradient, {**settings, **changes})

    return step


for label, changes in (
    ("forgets_nesterov", {"nesterov": False}),
    ("couples_decay", {"decoupled": False}),
    ("decouples_decay", {"decoupled": True}),
    ("forgets_decay", {"decay": 0.0}),
    ("forgets_to_clip", {"clip": None}),
    ("forgets_momentum", {"momentum": 0.0}),
    ("takes_another_eps", {"eps": 1e-3}),
):
    wrong("step", "L6.step", origin=PUBLIC, name=label)(ruled(**changes))


@wrong("step", "L6.step", origin=PUBLIC)
def forgets_the_bias_correction(
    right: Right, net: Any, state: Any, gradient: Any, settings: Any
) -> Any:
    found, after = right(net, {**state, "steps": 10**6}, gradient, settings)
    return found, {**after, "steps": state["steps"] + 1}


@wrong("step", "L6.step", origin=PUBLIC)
def corrects_the_bias_one_step_late(
    right: Right, net: Any, state: Any, gradient: Any, settings: Any
) -> Any:
    found, after = right(net, {**state, "steps": state["steps"] + 1}, gradient, settings)
    return found, {**after, "steps": state["steps"] + 1}


@wrong("step", "L6.step", origin=PUBLIC)
def does_not_count(right: Right, net: Any, state: Any, gradient: Any, settings: Any) -> Any:
    found, after = right(net, state, gradient, settings)
    return found, {**after, "steps": state["steps"]}


@wrong("step", "L6.step", origin=PUBLIC)
def dampens(right: Right, net: Any, state: Any, gradient: Any, settings: Any) -> Any:
    slope = gradient if settings["optimiser"] == "adamw" else 0.25 * gradient
    return right(net, state, slope, settings)


@wrong("step", "L6.step", origin=PUBLIC)
def clips_each_array(right: Right, net: Any, state: Any, gradient: Any, settings: Any) -> Any:
    clip = settings["clip"]
    if clip is not None:
        gradient = tree_map(
            lambda v, _: v * min(1.0, clip / (np.sqrt((v * v).sum()) + 1e-300)), gradient
        )
    return right(net, state, gradient, {**settings, "clip": None})


@wrong("step", "L6.commute", origin=PUBLIC)
def clips_values(right: Right, net: Any, state: Any, gradient: Any, settings: Any) -> Any:
    if settings["clip"] is not None:
        gradient = tree_map(lambda v, _: np.clip(v, -settings["clip"], settings["clip"]), gradient)
    return right(net, state, gradient, {**settings, "clip": None})


@wrong("step", "L6.commute")
def steps_by_signs(right: Right, net: Any, state: Any, gradient: Any, settings: Any) -> Any:
    return right(net, state, tree_map(lambda v, _: np.sign(v), gradient), settings)


@wrong("step", "L6.inert", origin=PUBLIC)
def stirs_zeros(right: Right, net: Any, state: Any, gradient: Any, settings: Any) -> Any:
    return right(net, state, tree_map(lambda v, _: v + 1e-30, gradient), settings)


@wrong("step", "L6.inert")
def reflects_q(right: Right, net: Any, state: Any, gradient: Any, settings: Any) -> Any:
    """|q − η m| in place of max(q − η m, 0), where the right step has projected."""
    found, after = right(net, state, gradient, settings)
    layers = [
        replace(layer, q=np.full_like(layer.q, 2.0**-4) if layer.q == 0 else layer.q)
        if layer.q is not None
        else layer
        for layer in found.layers
    ]
    return found.rebuilt(layers), after


@wrong("step", "L6.inert", origin=PUBLIC)
def lets_q_be_negative(right: Right, net: Any, state: Any, gradient: Any, settings: Any) -> Any:
    found, after = right(net, state, gradient, settings)
    entries = [{name: getattr(layer, name) for name in AXES} for layer in found.layers]
    for entry in entries:
        if entry["q"] is not None and entry["q"] == 0:
            entry["q"] = np.asarray(-0.5, entry["q"].dtype)
    return entries, after


@wrong("step", "L6.inert", origin=PUBLIC)
def forgets_the_momentum_of_a_projected_q(
    right: Right, net: Any, state: Any, gradient: Any, settings: Any
) -> Any:
    found, after = right(net, state, gradient, settings)
    at_zero = any(layer.q is not None and layer.q == 0 for layer in found.layers)
    zeroed = {
        name: tree_map(lambda v, s: 0 * v if s == () and at_zero else v, tree)
        for name, tree in after["moments"].items()
    }
    return found, {**after, "moments": zeroed}


@wrong("step", "L6.step", origin=PUBLIC)
def psi_is_constant_but_decays(
    right: Right, net: Any, state: Any, gradient: Any, settings: Any
) -> Any:
    slope = [
        layer if layer.psi is None else replace(layer, psi=0 * layer.psi)
        for layer in gradient.layers
    ]
    return right(net, state, gradient.rebuilt(slope), settings)


@wrong("step", "L6.step", origin=PUBLIC)
def biases_do_not_decay(right: Right, net: Any, state: Any, gradient: Any, settings: Any) -> Any:
    found, after = right(net, state, gradient, settings)
    if not settings["decoupled"] or not settings["decay"]:
        return found, after
    share = settings["rate"] * settings["decay"]
    layers = [
        replace(layer, bias=(layer.bias + share * own.bias).astype(own.bias.dtype))
        for layer, own in zip(found.layers, net.layers, strict=True)
    ]
    return found.rebuilt(layers), after


@wrong("step", "L6.step", origin=PUBLIC)
def decays_log_q(right: Right, net: Any, state: Any, gradient: Any, settings: Any) -> Any:
    """A decay of log q pulls q to 1."""
    found, after = right(net, state, gradient, settings)
    share = settings["rate"] * settings["decay"]
    if not share:
        return found, after
    layers = [
        layer
        if layer.q is None
        else replace(layer, q=np.asarray(np.maximum(layer.q, 1e-6) ** (1 - share), layer.q.dtype))
        for layer in found.layers
    ]
    return found.rebuilt(layers), after


@wrong("step", "L6.step", origin=PUBLIC)
def decays_without_the_rate(
    right: Right, net: Any, state: Any, gradient: Any, settings: Any
) -> Any:
    if not settings["decoupled"]:
        return right(net, state, gradient, settings)
    return right(net, state, gradient, {**settings, "decay": settings["decay"] / settings["rate"]})


@wrong("step", "L6.step", origin=PUBLIC)
def moment_of_the_mean(right: Right, net: Any, state: Any, gradient: Any, settings: Any) -> Any:
    """(1 − β) g enters the first moment, which is then not the discounted sum that is handed on."""
    found, after = right(net, state, gradient, settings)
    if settings["optimiser"] != "adamw":
        return found, after
    first = after["moments"]["first"]
    scaled = tree_map(lambda v, _: (v * 0.125).astype(v.dtype), first)
    return found, {**after, "moments": {**after["moments"], "first": scaled}}


@wrong("step", "L6.commute", origin=PUBLIC)
def keeps_large_moments_in_eight_bits(
    right: Right, net: Any, state: Any, gradient: Any, settings: Any
) -> Any:
    """Arrays of thirty entries or more, as optimisers with quantised states do."""
    found, after = right(net, state, gradient, settings)
    kept = {
        name: tree_map(lambda v, _: cut(v, 7) if v.size >= 30 else v, tree)
        for name, tree in after["moments"].items()
    }
    return found, {**after, "moments": kept}


@wrong("step", "L6.inert", origin=PUBLIC)
def adds_a_little_to_large_gradients(
    right: Right, net: Any, state: Any, gradient: Any, settings: Any
) -> Any:
    """1e-30, to arrays of thirty entries or more, as optimisers with factored moments do."""
    little = tree_map(lambda v, _: v + v.dtype.type(1e-30) if v.size >= 30 else v, gradient)
    return right(net, state, little, settings)


@wrong("step", "L6.step")
def rate_off_by_sixty_roundings(
    right: Right, net: Any, state: Any, gradient: Any, settings: Any
) -> Any:
    more = 1 + 30 * float(np.finfo(net.reference.dtype).eps)
    return right(net, state, gradient, {**settings, "rate": settings["rate"] * more})
