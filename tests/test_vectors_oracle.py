"""The oracle of the vectors: independent, and right by definitions that it does not use."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from mpmath import mp

from isoref import Layer, Network, Tangent
from isoref.conformance.oracle import activation, edits, freeze
from isoref.conformance.oracle.answers import answer
from isoref.conformance.oracle.cases import problems
from isoref.conformance.oracle.gauges import answered
from isoref.conformance.oracle.network import Evaluation, Tree, members
from isoref.conformance.oracle.noise import Rounding
from isoref.conformance.oracle.numbers import numbers, rounded, upwards
from isoref.conformance.oracle.optimisers import step
from isoref.conformance.oracle.problem import READING, Problem
from tests.oracles.networks import evaluate

FOLDER = Path(activation.__file__).parent
ALONE = """
import sys, types
for name in ("isoref", "isoref.conformance"):
    package = types.ModuleType(name)
    package.__path__ = [sys.argv[1] + "/" + name.replace(".", "/")]
    sys.modules[name] = package
from isoref.conformance.oracle import cases, freeze, gauges
found = next(p for _, p in cases.problems() if p.check == "L3.backward")
gauges.answered(found, draws=1)
others = [m for m in sys.modules if m.startswith("isoref")]
print(*(m for m in others if not m.startswith("isoref.conformance.oracle")))
"""


@cache
def all_problems() -> dict[str, Problem]:
    return {problem.id: problem for _, problem in problems()}


def some(check: str, **wanted: Any) -> list[Problem]:
    found = [p for p in all_problems().values() if p.check == check]
    return [p for p in found if all(getattr(p, k) == v for k, v in wanted.items())]


# Independence


@pytest.mark.parametrize("path", sorted(FOLDER.rglob("*.py")), ids=lambda p: p.name)
def test_the_oracle_imports_nothing_else_of_isoref(path: Path) -> None:
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, "relative imports are not looked into"
            names = [node.module or ""]
        for name in names:
            assert not name.startswith("isoref") or name.startswith("isoref.conformance.oracle")
            assert name.split(".")[0] != "importlib"


def test_the_oracle_runs_where_the_rest_of_isoref_cannot_be_imported() -> None:
    root = str(FOLDER.parents[2])
    run = subprocess.run(
        [sys.executable, "-c", ALONE, root], capture_output=True, text=True, check=True
    )
    assert run.stdout.split() == ["isoref", "isoref.conformance"]


# Derivatives, by dual numbers and by differences


def network(problem: Problem, prefix: str = "net") -> Any:
    layers = []
    assert problem.how is not None
    for i, how in enumerate(problem.how):
        names = [n for n in ("weight", "bias", "psi", "q") if f"{prefix}.{i}.{n}" in problem.inputs]
        entries: Any = {n: problem.inputs[f"{prefix}.{i}.{n}"] for n in names}
        layers.append(Layer(**entries, **how))
    return Network(layers, problem.profile) if prefix == "net" else Tangent(layers)


def dense(problem: Problem) -> bool:
    """Whether the oracle of dual numbers has an answer: dense, without skips, and r > 0."""
    plain = not problem.skips and "convolution" not in problem.features
    return plain and not {"zero radius", "no rows"} & set(problem.flags)


def evaluation(problem: Problem, net: Tree | None = None, x: Any = None) -> Evaluation:
    assert problem.how is not None
    return Evaluation(
        problem.tree("net") if net is None else net,
        numbers(problem.inputs["x"]) if x is None else x,
        profile=problem.profile,
        how=[dict(how) for how in problem.how],
        skips=problem.skips,
        noise=Rounding(),
    )


def gap(got: Any, want: Any) -> float:
    """Return the largest difference of two object arrays, in sizes of the largest entry."""
    pairs = zip(np.ravel(got), np.ravel(want), strict=True)
    scale = max((abs(v) for v in np.ravel(want)), default=mp.mpf(1)) or mp.mpf(1)
    return max((float(abs(a - b) / scale) for a, b in pairs), default=0.0)


DUAL = 200
"""Digits for dual numbers, which cancel: in gelu's e^(−r²/2) by 50, where radii are far by 60."""
BACKWARD = [p for p in some("L3.backward") if dense(p) and p.family == 24]


@pytest.mark.parametrize("problem", BACKWARD, ids=lambda p: p.id)
def test_gradients_are_those_of_dual_numbers(problem: Problem) -> None:
    """Kills any term left out of the equations of section 3, which dual numbers do not use."""
    net, x, ybar = network(problem), problem.inputs["x"], problem.inputs["ybar"]
    if "threshold" in problem.profile or "relu" in problem.profile:
        net = Network(net.layers, "relu(tau=0.5)")
        problem = replace(problem, profile="relu(tau=0.5)")
    want = evaluate(net, x, ybar, Tangent.zeros(net), np.zeros_like(x), DUAL)
    with mp.workdps(DUAL):
        found = evaluation(problem)
        gradient, xbar = found.vjp(numbers(ybar))
        assert gap(found.y, want.y) < 1e-45
        assert gap(xbar, want.xbar) < 1e-45
        for (i, name), exact in want.gradient.items():
            assert gap(gradient[i][name], exact) < 1e-45, (i, name)


JVP = [p for p in some("L3.jvp") if "zero radius" not in p.flags and "no rows" not in p.flags]


@pytest.mark.parametrize("problem", JVP[::3], ids=lambda p: p.id)
def test_velocities_are_differences_and_gradients_their_adjoints(problem: Problem) -> None:
    """Of convolutions and skips too: (f(θ + t θ̇) − f(θ))/t, and ⟨ȳ, ẏ⟩ = ⟨θ̄, θ̇⟩ + ⟨x̄, ẋ⟩."""
    with mp.workdps(200):
        net, dot = problem.tree("net"), problem.tree("dot")
        x, x_dot = (numbers(problem.inputs[name]) for name in ("x", "x_dot"))
        t = mp.mpf(10) ** -80  # far below the least r², so that r² + t q̇ stays positive
        moved = [{k: v + t * e[k] for k, v in one.items()} for one, e in zip(net, dot, strict=True)]
        start, there = evaluation(problem), evaluation(problem, moved, x + t * x_dot)
        velocity = start.jvp(dot, x_dot)
        assert gap(velocity, (there.y - start.y) / t) < 1e-30
        ybar = numbers(np.cos(np.arange(start.y.size)).reshape(start.y.shape))
        gradient, xbar = start.vjp(ybar)
        pulled = sum(np.sum(g * dot[i][k]) for i, e in enumerate(gradient) for k, g in e.items())
        pulled += np.sum(xbar * x_dot)
        pushed = np.sum(ybar * velocity)
        assert abs(pushed - pulled) < mp.mpf(10) ** -45 * max(1, abs(pushed))


@pytest.mark.parametrize(
    "wrong",
    [
        lambda self, hbar, gbar: (self.g * hbar, hbar[:, :1] * 0),
        lambda self, hbar, gbar: (RIGHT(self, hbar, gbar)[0], 2 * RIGHT(self, hbar, gbar)[1]),
        lambda self, hbar, gbar: RIGHT(self, hbar, 0 * gbar),
    ],
    ids=["radial term", "half", "cotangent of the gain"],
)
def test_a_wrong_pull_back_is_seen(wrong: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    problem = next(p for p in BACKWARD if p.profile == "tanh" and p.note == "q and ψ")
    monkeypatch.setattr(activation.Active, "vjp", wrong)
    with pytest.raises(AssertionError):
        test_gradients_are_those_of_dual_numbers(problem)


RIGHT: Callable[..., Any] = activation.Active.vjp


# Edits and steps


@pytest.mark.parametrize("problem", some("L5.drop")[::2], ids=lambda p: p.id)
def test_dropping_is_replacing_by_constants(
    problem: Problem, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The network with a_D replaced by c, evaluated without (q, ψ) having absorbed anything.

    In spaces that a skip leaves it is replaced by 0.
    """
    space, neurons = problem.settings["space"], problem.settings["neurons"]
    with mp.workdps(60):
        left = answer(problem)(Rounding()).found["y"]
        c, seen = numbers(problem.inputs["values"]), [0]
        make: Callable[..., None] = activation.Active.__init__

        def replaced(self: Any, profile: str, a: Any, q: Any, noise: Any) -> None:
            seen[0] += 1
            if seen[0] in members(space, problem.skips, len(problem.how or ())):
                a[:, neurons] = c if seen[0] == space else 0 * c
            make(self, profile, a, q, noise)

        monkeypatch.setattr(activation.Active, "__init__", replaced)
        whole = evaluation(problem)
        if problem.how is not None and any(how["padding"] for how in problem.how[space:]):
            return  # beyond the image the constants are 0 and g is too: nothing to compare
        assert gap(whole.y, left) < 1e-45


@pytest.mark.parametrize("check", ["L4.rotate", "L5.prune", "L4.diagonalise"])
def test_edits_leave_the_function(check: str) -> None:
    for problem in some(check)[::5]:
        with mp.workdps(60):
            found = answer(problem)(Rounding()).found
            if check == "L4.rotate":
                x = numbers(np.ones((2, problem.inputs["net.0.weight"].shape[1])))
                if problem.features.count("convolution") or problem.family == 53:
                    continue
                tree: Tree = [{} for _ in problem.how or ()]
                for name, array in found.items():
                    _, i, key = name.split(".")
                    tree[int(i)][key] = array
                got, want = evaluation(problem, tree, x).y, evaluation(problem, None, x).y
            else:
                got, want = found["y"], evaluation(problem).y
            assert gap(got, want) < 1e-45, problem.id


def test_what_is_pruned_was_dead_or_constant() -> None:
    """Kills a hiding rotation that rounds: the smallest singular values of M are 0 exactly."""
    for problem in some("L5.prune"):
        with mp.workdps(60):
            matrix = edits.joint(problem.tree("net"), problem.settings["space"], problem.skips)
            found = edits.factors(matrix)
            values = [*found.s, *[mp.mpf(0)] * (len(matrix) - len(found.s))]
            gone = values[len(matrix) - problem.settings["count"] :]
            assert max(gone) < mp.mpf(10) ** -50 * values[0]
            assert values[len(matrix) - problem.settings["count"] - 1] > 1e-2 * values[0]


def test_squares_of_turned_moments_are_turned_squares() -> None:
    """Kills a sign that squares keep, and R ∘ R for what is no signed permutation."""
    for problem in some("L6.transport"):
        if problem.settings["optimiser"] == "adamw":
            with mp.workdps(60):
                inputs = dict(problem.inputs)
                for name, array in problem.inputs.items():
                    if name.startswith("state.first"):  # few bits, so that squares are exact
                        inputs[name] = np.round(array * 16)
                        inputs[name.replace("first", "second")] = inputs[name] ** 2
                found = answer(replace(problem, inputs=inputs))(Rounding()).found
                for name, value in found.items():
                    if "second" in name:
                        turned = found[name.replace("second", "first")]
                        assert (value == turned * turned).all(), (problem.id, name)


def test_rotations_of_the_cases_are_orthogonal() -> None:
    for problem in [*some("L4.rotate"), *some("L6.transport")]:
        R = problem.inputs["R"]
        error = np.abs(R @ R.T - np.eye(len(R))).max()
        assert error <= (2e-15 if "3-4-5" in problem.flags else 0.0), problem.id


def test_steps_are_the_public_formulas_of_adam_with_sums_for_averages() -> None:
    """Adam in the usual notation, with averages m and v of the same gradients."""
    rule = {"optimiser": "adamw", "rate": 0.5, "betas": [0.75, 0.5], "eps": 0.25, "decay": 0.125}
    theta, first, second = 1.0, 0.0, 0.0
    net: Tree = [{"weight": numbers([[theta]])}]
    state: dict[str, Tree] = {k: [{"weight": numbers([[0.0]])}] for k in ("first", "second")}
    with mp.workdps(30):
        for t, slope in enumerate((2.0, -1.0, 0.5)):
            first, second = 0.75 * first + 0.25 * slope, 0.5 * second + 0.5 * slope**2
            mean, square = first / (1 - 0.75 ** (t + 1)), second / (1 - 0.5 ** (t + 1))
            theta = (1 - 0.5 * 0.125) * theta - 0.5 * mean / (square**0.5 + 0.25)
            gradient: Tree = [{"weight": numbers([[slope]])}]
            settings = {"optimiser": {**rule, "clip": None}, "steps": t}
            net, state = step(net, gradient, state, settings, Rounding())
            assert abs(float(net[0]["weight"][0, 0]) - theta) < 1e-14
            assert abs(float(state["first"][0]["weight"][0, 0]) * 0.25 - first) < 1e-14


# Gauges


def affine(n: int, m: int = 400) -> Problem:
    rng = np.random.default_rng(0)
    inputs = {
        "net.0.weight": rng.standard_normal((m, n)),
        "net.0.bias": np.zeros(m),
        "x": rng.standard_normal((1, n)),
    }
    return Problem("L2.values", "identity", 53, inputs, how=(READING,), id="affine")


@pytest.mark.parametrize("n", [2, 12])
def test_gauges_of_a_sum_are_its_deviations(n: int) -> None:
    """Kills a cause left out, a wrong share of it, or n for √n: each gauge is 6 deviations."""
    problem = affine(n)
    found = answered(problem)
    terms = np.abs(problem.inputs["x"]) @ np.abs(problem.inputs["net.0.weight"]).T
    gauges = found.gauges["y"] / np.stack([terms, terms, terms, np.ones_like(terms)])
    parts = [np.sqrt(2 / 3), np.sqrt(n + 1) / 2, np.sqrt(1 / 3), n + 1]
    for gauge, part in zip(gauges, parts, strict=True):
        assert abs(np.sqrt(np.mean(gauge**2)) / (6 * part) - 1) < 0.03


def test_values_are_rounded_once_and_gauges_upwards() -> None:
    with mp.workdps(60):
        half = mp.mpf(1) + mp.mpf(2) ** -53
        assert rounded(np.array([half, half + mp.mpf(10) ** -40], object)).tolist() == [
            1.0,
            1.0 + 2.0**-52,
        ]
    found = upwards(np.array([0.1, 3.7, 1e-320, 0.0]))
    assert (found >= [0.1, 3.7, 1e-320, 0.0]).all()
    assert (found[:2] <= np.array([0.1, 3.7]) * (1 + 2.0**-11)).all()


def test_gauges_follow_from_the_id_and_not_from_the_order() -> None:
    one, two = some("L1.values", profile="tanh", family=24)[:2]
    first = answered(one)
    answered(two)
    again, other = answered(one), answered(replace(one, id="another"))
    for name, gauges in first.gauges.items():
        assert np.array_equal(gauges, again.gauges[name])
        assert not np.array_equal(gauges[2], other.gauges[name][2])
    assert first.reach == again.reach


def test_the_same_cases_give_the_same_bytes(tmp_path: Path) -> None:
    chosen = list(problems())[::150]
    for name in ("one", "two"):
        found = freeze.answers([p for _, p in chosen], processes=2)
        freeze.written(tmp_path / name, chosen, found)
    for path in (tmp_path / "one").iterdir():
        assert path.read_bytes() == (tmp_path / "two" / path.name).read_bytes(), path.name
