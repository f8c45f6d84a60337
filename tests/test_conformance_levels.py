"""Levels 4, 5 and 6 of the conformance suite: what is right passes, and each mistake is caught."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

import isoref
from isoref import Network, Tangent, forward
from isoref.conformance.adapters.reference import Adapter, Adapter32
from isoref.conformance.checks import CHECKS
from isoref.conformance.run import Outcome, conform
from isoref.conformance.selftest.mutants import MUTANTS
from isoref.conformance.states import ADAMW, SGD
from isoref.conformance.status import Status
from isoref.conformance.vectors import Case, Corpus, Expected
from isoref.edits import Drop
from isoref.gauge import acted
from isoref.network import leaves, tree_map
from isoref.profiles import named

NDArray = np.ndarray[Any, Any]
Change = Callable[..., Any]

# Cases, made by hand: their gauges are four roundings of storage of the terms


def start(widths: tuple[int, ...] = (6, 4, 4, 2), seed: int = 0) -> Network:
    net = Network.random(widths, init="he_normal", q=0.25, seed=seed)
    zero, drawn = Tangent.zeros(net), 0.5 * Tangent.random(net, seed=seed + 1)
    layers = [
        replace(blank, bias=own.bias, psi=own.psi)
        for blank, own in zip(zero.layers, drawn.layers, strict=True)
    ]
    found: Network = coarse(net + zero.rebuilt(layers))
    return found


def coarse(tree: Any) -> Any:
    """Multiples of 1/32: their sums and products with each other are exact."""
    return tree_map(lambda v, _: np.round(v * 32) / 32, tree)


def arrays_of(prefix: str, tree: Any) -> dict[str, NDArray]:
    return {f"{prefix}.{i}.{name}": np.asarray(v) for i, name, (v,) in leaves(tree)}


def case(
    check: str, net: Any, settings: Mapping[str, Any], inputs: Any, values: Any, slack: float = 4.0
) -> Case:
    expected = {}
    for name, value in values.items():
        value = np.asarray(value, float)
        gauges = np.zeros((4, *value.shape))
        gauges[2] = slack * (1 + np.abs(value))
        expected[name] = Expected(value, gauges)
    blank: dict[str, int] = {}
    geometry = {"geometry": [blank for _ in net.layers], "skips": []}
    inputs = {**arrays_of("net", net), **inputs}
    profile = named("tanh")
    return Case(
        f"{check}.hand", check, profile, 24, (), (), "", settings, inputs, expected, geometry
    )


def by_formula(net: Any, moments: Any, gradient: Any, rule: Any, steps: int) -> dict[str, NDArray]:
    """The formulas of section 7, entry by entry."""
    length = np.sqrt(sum(float((g**2).sum()) for _, _, (g,) in leaves(gradient)))
    scale = 1.0 if rule["clip"] is None else min(1.0, rule["clip"] / length)
    found: dict[str, NDArray] = {}
    trees = (net.tangent(), gradient, *moments.values())
    for i, name, (p, g, *old) in leaves(*trees):
        shrink, g = 1.0, scale * g
        if rule["optimiser"] == "sgd":
            if rule["decoupled"]:
                shrink = 1 - rule["rate"] * rule["decay"]
            else:
                g = g + rule["decay"] * p
            new = [rule["momentum"] * old[0] + g]
            push = g + rule["momentum"] * new[0] if rule["nesterov"] else new[0]
        else:
            (b1, b2), s = rule["betas"], steps + 1
            shrink = 1 - rule["rate"] * rule["decay"]
            new = [b1 * old[0] + g, b2 * old[1] + g * g]
            first, second = new[0] * (1 - b1) / (1 - b1**s), new[1] * (1 - b2) / (1 - b2**s)
            push = first / (np.sqrt(second) + rule["eps"])
        after = shrink * p - rule["rate"] * push
        found[f"net.{i}.{name}"] = np.maximum(after, 0) if name == "q" else after
        for moment, value in zip(moments, new, strict=True):
            found[f"state.{moment}.{i}.{name}"] = value
    return found


def cases() -> list[Case]:
    net, x = start(), np.round(np.random.default_rng(3).standard_normal((4, 6)) * 32) / 32
    hadamard = np.kron([[1, 1], [1, -1]], [[1, 1], [1, -1]]) / 2 * [[1], [-1], [1], [1]]
    turned = acted(net, 2, hadamard)
    moments = {"velocity": coarse(Tangent.random(net, seed=5))}
    gradient = coarse(Tangent.random(net, seed=6))
    states = {**moments, "first": moments["velocity"]}
    states["second"] = tree_map(lambda v, _: v * v, states["first"])
    wider, _ = isoref.grow(net, 1, 2, columns=np.ones((4, 2)))
    layers = list(wider.layers)
    layers[0] = replace(layers[0], bias=np.concatenate([net.layers[0].bias, [0.5, -0.25]]))
    constant = wider.rebuilt(layers)
    left = Drop(1, (4, 5)).apply(constant)
    six = np.eye(6)
    six[2:, 2:] = hadamard
    hidden = acted(constant, 1, six)
    diagonal = case(
        "L4.diagonalise",
        net,
        {"layer": 1, "side": "full"},
        {"x": x},
        {
            "singular_values": np.linalg.svd(net.layers[1].weight, compute_uv=False),
            "y": forward(net, x),
        },
        64.0,
    )
    values = arrays_of("net", Drop(2, (1, 3), np.array([0.5, 2.0])).apply(net))
    found = [
        case("L4.rotate", net, {"space": 2}, {"R": hadamard}, arrays_of("net", turned)),
        diagonal,
        case("L5.grow", net, {"space": 1, "count": 2}, {"x": x}, {"y": forward(net, x)}, 64.0),
        case(
            "L5.drop",
            net,
            {"space": 2, "neurons": [1, 3]},
            {"x": x, "values": np.array([0.5, 2.0])},
            {**values, "y": forward(Drop(2, (1, 3), np.array([0.5, 2.0])).apply(net), x)},
            64.0,
        ),
        case(
            "L5.prune",
            hidden,
            {"space": 1, "count": 2},
            {"x": x},
            {"y": forward(left, x), "q": left.layers[0].q},
            64.0,
        ),
        case(
            "L6.transport",
            net,
            {"space": 2, "optimiser": "sgd"},
            {"R": hadamard, **arrays_of("state.velocity", moments["velocity"])},
            arrays_of("state.velocity", acted(moments["velocity"], 2, hadamard)),
        ),
    ]
    for k, rule in enumerate(
        (
            {**SGD, "decay": 0.25, "nesterov": True},
            {**SGD, "decay": 0.25, "decoupled": True, "clip": 0.5},
            {**ADAMW, "decay": 0.25},
        )
    ):
        names = ("velocity",) if rule["optimiser"] == "sgd" else ("first", "second")
        own = {name: states[name] for name in names}
        inputs = arrays_of("gradient", gradient)
        for name in names:
            inputs |= arrays_of(f"state.{name}", states[name])
        made = case(
            "L6.step",
            net,
            {"optimiser": rule, "steps": 3},
            inputs,
            by_formula(net, own, gradient, rule, 3),
            16.0,
        )
        found.append(replace(made, id=f"L6.step.hand.{k}"))
    return found


CORPUS = Corpus("by hand", tuple(cases()))


def tried(adapter: Any, *ids: str, corpus: Corpus = CORPUS) -> Outcome:
    chosen = [check for check in CHECKS if check.id in ids or (not ids and check.level >= 4)]
    return conform(adapter, levels=[4, 5, 6], checks=chosen, corpus=corpus)


@pytest.mark.parametrize("adapter", [Adapter, Adapter32])
def test_isoref_passes(adapter: Any) -> None:
    outcome = tried(adapter)
    assert not outcome.red, [(r.id, r.message) for r in outcome.red[:3]]
    assert outcome.counts[Status.PASS] == len(outcome.records)
    assert {record.check for record in outcome.records} == {c.id for c in CHECKS if c.level >= 4}


def test_every_check_needs_only_earlier_ones() -> None:
    ids = [check.id for check in CHECKS]
    for k, check in enumerate(CHECKS):
        assert set(check.needs) <= set(ids[:k])
    assert len(set(ids)) == len(ids)


def test_what_is_not_offered_is_not_tested() -> None:
    class Plain(Adapter):
        profiles: Any = ("tanh",)
        unsupported = {  # noqa: RUF012
            "psi": "plain networks",
            "convolution": "dense",
            "skip": "dense",
            "adamw": "sgd only",
        }

    outcome = tried(Plain)
    assert not outcome.red
    assert outcome.counts[Status.UNSUPPORTED] > 20


# Mistakes


MISTAKES = {m.name: m for m in MUTANTS if m.level >= 4}
SHIPPED = {
    "leaves_spaces_of_one_neuron",
    "absorbs_with_an_error_of_forty_roundings",
    "drops_constants_from_all_connected_spaces",
}
"""Mistakes that only the shipped vectors show."""


RAISE = {
    "grows_unequal_rows",
    "lets_q_be_negative",
    "refuses_everything",
    "refuses_the_identity",
    "clips_a_gradient_of_zero",
}
"""What raises, or comes back as no network at all, is an ERROR and no FAIL."""


@pytest.mark.parametrize("name", sorted(MISTAKES.keys() - SHIPPED))
def test_mistakes_are_caught(name: str) -> None:
    mutant = MISTAKES[name]
    outcome = tried(mutant.adapter("float64"), mutant.killer)
    assert outcome.red, f"{mutant.killer} does not see that an implementation {mutant.text}"
    expected = Status.ERROR if name in RAISE else Status.FAIL
    assert expected in {record.status for record in outcome.red}


def test_the_laws_alone_catch_most_mistakes() -> None:
    """Without vectors only what is wrong in a way that obeys every law gets through."""
    laws, groups = Corpus("none", ()), ("L4.group", "L4.diagonalise", "L5.grow", "L5.laws")
    silent = {
        mutant.name
        for mutant in MISTAKES.values()
        if mutant.killer in (*groups, "L5.prune")
        and not tried(mutant.adapter("float64"), mutant.killer, corpus=laws).red
    }
    assert not silent
