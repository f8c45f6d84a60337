"""What every check expects: a function of the roundings, made once for each problem."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np

from isoref.conformance.oracle import edits, optimisers
from isoref.conformance.oracle.activation import Active
from isoref.conformance.oracle.network import Evaluation, Tree
from isoref.conformance.oracle.noise import Rounding
from isoref.conformance.oracle.numbers import NDArray, numbers
from isoref.conformance.oracle.problem import ENTRIES, Problem


class Outcome(NamedTuple):
    """The expected arrays by name, mpmath numbers, and the hidden spaces they came through."""

    found: dict[str, NDArray]
    spaces: tuple[Active, ...] = ()


Answer = Callable[[Rounding], Outcome]


def answer(problem: Problem) -> Answer:
    """Return the function that evaluates a problem with given roundings."""
    return ANSWERS[problem.check](problem)


def _values(problem: Problem) -> Answer:
    a, q = (numbers(problem.inputs[name]) for name in ("a", "q"))

    def run(noise: Rounding) -> Outcome:
        active = Active(problem.profile, a, q[()], noise)
        return Outcome({"h": active.h, "g": active.g}, (active,))

    return run


def _activation(problem: Problem) -> Answer:
    a, q, hbar, gbar = (numbers(problem.inputs[name]) for name in ("a", "q", "hbar", "gbar"))

    def run(noise: Rounding) -> Outcome:
        active = Active(problem.profile, a, q[()], noise)
        abar, halves = active.vjp(hbar, gbar)
        return Outcome({"abar": abar, "qbar": halves[:, 0]}, (active,))

    return run


def _jacobian(problem: Problem) -> Answer:
    a, q = (numbers(problem.inputs[name]) for name in ("a", "q"))
    n = a.shape[1]
    rows, unit = np.repeat(a, n, 0), numbers(np.eye(n))

    def run(noise: Rounding) -> Outcome:
        active = Active(problem.profile, rows, q[()], noise)
        return Outcome({"jacobian": active.vjp(unit, numbers(np.zeros((n, 1))))[0]}, (active,))

    return run


def _evaluation(problem: Problem, net: Tree, noise: Rounding) -> Evaluation:
    assert problem.how is not None
    return Evaluation(
        net,
        numbers(problem.inputs["x"]),
        profile=problem.profile,
        how=[dict(how) for how in problem.how],
        skips=problem.skips,
        noise=noise,
    )


def _forward(problem: Problem) -> Answer:
    """`L2.values`, and `L5.grow`: a network with scaffolds has the outputs of the one without."""
    net = problem.tree("net")

    def run(noise: Rounding) -> Outcome:
        evaluation = _evaluation(problem, net, noise)
        return Outcome({"y": evaluation.y}, tuple(evaluation.active))

    return run


def _jvp(problem: Problem) -> Answer:
    net, dot, x_dot = problem.tree("net"), problem.tree("dot"), numbers(problem.inputs["x_dot"])

    def run(noise: Rounding) -> Outcome:
        evaluation = _evaluation(problem, net, noise)
        found = {"y": evaluation.y, "y_dot": evaluation.jvp(dot, x_dot)}
        return Outcome(found, tuple(evaluation.active))

    return run


def _backward(problem: Problem) -> Answer:
    net, ybar = problem.tree("net"), numbers(problem.inputs["ybar"])

    def run(noise: Rounding) -> Outcome:
        evaluation = _evaluation(problem, net, noise)
        gradient, xbar = evaluation.vjp(ybar)
        found = named("gradient", gradient)
        if problem.settings.get("psi") is False:
            found = {name: v for name, v in found.items() if not name.endswith(".psi")}
        return Outcome({**found, "xbar": xbar}, tuple(evaluation.active))

    return run


def _rotate(problem: Problem) -> Answer:
    net, R, space = problem.tree("net"), numbers(problem.inputs["R"]), problem.settings["space"]

    def run(noise: Rounding) -> Outcome:
        return Outcome(named("net", edits.rotated(net, space, R, problem.skips, noise)))

    return run


def _diagonalise(problem: Problem) -> Answer:
    net, layer, side = problem.tree("net"), problem.settings["layer"], problem.settings["side"]
    found = edits.factors(edits.unfolded(net[layer]["weight"], side))
    turns = [(layer + 1, found.U.T)] if side in ("left", "full") else []
    turns += [(layer, found.V.T)] if side in ("right", "full") else []

    def run(noise: Rounding) -> Outcome:
        turned = net
        for space, R in turns:
            turned = edits.rotated(turned, space, edits.computed(R, noise), problem.skips, noise)
        evaluation = _evaluation(problem, turned, noise)
        values = edits.singular_values(found, noise)
        return Outcome({"singular_values": values, "y": evaluation.y}, tuple(evaluation.active))

    return run


def _drop(problem: Problem) -> Answer:
    net, c = problem.tree("net"), numbers(problem.inputs["values"])
    space, neurons = problem.settings["space"], list(problem.settings["neurons"])

    def run(noise: Rounding) -> Outcome:
        left = edits.dropped(net, space, neurons, c, problem.skips, noise)
        evaluation = _evaluation(problem, left, noise)
        return Outcome({**named("net", left), "y": evaluation.y}, tuple(evaluation.active))

    return run


def _prune(problem: Problem) -> Answer:
    net, space, count = problem.tree("net"), problem.settings["space"], problem.settings["count"]
    found = edits.factors(edits.joint(net, space, problem.skips))

    def run(noise: Rounding) -> Outcome:
        left = edits.pruned(net, space, count, found, problem.skips, noise)
        evaluation = _evaluation(problem, left, noise)
        return Outcome({"y": evaluation.y, "q": left[space - 1]["q"]}, tuple(evaluation.active))

    return run


def _step(problem: Problem) -> Answer:
    net, gradient = problem.tree("net"), problem.tree("gradient")
    moments = _moments(problem)

    def run(noise: Rounding) -> Outcome:
        after, state = optimisers.step(net, gradient, moments, problem.settings, noise)
        found = named("net", after)
        for name, tree in state.items():
            found |= named(f"state.{name}", tree)
        return Outcome(found)

    return run


def _transport(problem: Problem) -> Answer:
    """Moments turn as gradients do; squares follow a signed permutation without its signs."""
    R, space = numbers(problem.inputs["R"]), problem.settings["space"]
    moments = _moments(problem)

    def run(noise: Rounding) -> Outcome:
        found: dict[str, NDArray] = {}
        for name, tree in moments.items():
            own = np.abs(R) if name == "second" else R
            turned = edits.rotated(tree, space, own, problem.skips, noise)
            found |= named(f"state.{name}", turned)
        return Outcome(found)

    return run


def _moments(problem: Problem) -> dict[str, Tree]:
    names = dict.fromkeys(k.split(".")[1] for k in problem.inputs if k.startswith("state."))
    return {name: problem.tree(f"state.{name}") for name in names}


def named(prefix: str, tree: Tree) -> dict[str, NDArray]:
    """Return the arrays of a tree as <prefix>.<layer>.<name>."""
    return {
        f"{prefix}.{i}.{name}": np.asarray(layer[name], object)
        for i, layer in enumerate(tree)
        for name in ENTRIES
        if name in layer
    }


ANSWERS: Mapping[str, Callable[[Problem], Answer]] = {
    "L1.values": _values,
    "L2.values": _forward,
    "L3.activation": _activation,
    "L3.jacobian": _jacobian,
    "L3.jvp": _jvp,
    "L3.backward": _backward,
    "L4.rotate": _rotate,
    "L4.diagonalise": _diagonalise,
    "L5.grow": _forward,
    "L5.drop": _drop,
    "L5.prune": _prune,
    "L6.step": _step,
    "L6.transport": _transport,
}
