"""The bound E and the ratio ρ (specification, section 10), each check with the mutant it kills.

rho(got, want, E) <= 1            got from any order of summation, want from more digits
E(2 u) == 2 E(u)                  E(2^k x) == 2^k E(x) for the identity
rho(got, want, c E) == rho / c    rho(want, want, 0) == 0, rho(NaN, …) == ∞
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from isoref import (
    Layer,
    Network,
    Tangent,
    bounds,
    compare,
    forward,
    haar,
    perturbed,
    relu,
    rho,
    tolerance,
    tree_map,
)
from isoref.network import leaves
from isoref.perturbed import evaluate, evaluations
from isoref.rounding import Arithmetic, Perturbation, Tally
from isoref.tolerance import ARITHMETIC, FACTOR, compare_trees, deviations
from tests.algorithms import ALGORITHMS, Evaluation, Outcome, reference, sequential, tensor_float32
from tests.studies import tolerance as study
from tests.studies.cases import CASES, Array, Case
from tests.studies.judgement import Judged, judged, outputs_seen, plant, recorded

PRECISIONS = ("float64", "float32")
SAMPLE = [*study.SAMPLE, next(case for case in CASES if case.widths == (12, 3072, 24, 4))]
FLOAT64, FLOAT32 = ARITHMETIC["float64"], ARITHMETIC["float32"]
EXACT_SUMS = FLOAT32._replace(accumulate=0.0)


@lru_cache
def judge(case: Case, precision: str) -> Judged:
    return judged(case.problem(precision))


def linear(weight: Array, bias: Array | float = 0.0) -> Network:
    """Y = W x + b, one sum per output."""
    return Network([Layer(weight, np.broadcast_to(bias, len(weight)).astype(weight.dtype))])


# Correct implementations, and how far E could move


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("case", SAMPLE, ids=str)
def test_correct_runs_pass(case: Case, precision: str) -> None:
    """Kills E/20, and with it every E that leaves out most of the rounding."""
    problem = judge(case, precision)
    assert problem.limit.observable.all()
    worst = {}
    for name, contract in ALGORITHMS.items():
        found = problem.rho(problem.run(contract))
        assert max(found.values()) <= 1, (name, found)
        worst[name] = max(found.values())
    assert 20 * max(worst.values()) > 1, worst


@given(
    seed=st.integers(0, 2**32 - 1), index=st.integers(0, 119), precision=st.sampled_from(PRECISIONS)
)
@settings(max_examples=40, deadline=None)
def test_correct_runs_of_any_seed_pass(seed: int, index: int, precision: str) -> None:
    problem = judged(replace(CASES[index], seed=seed, batch=2).problem(precision), seed=seed)
    if problem.limit.observable.all():
        found = problem.rho(problem.run(sequential))
        assert max(found.values()) <= 1, found


def _scaled(factor: float) -> Callable[[Array], Array]:
    return lambda value: value * np.float32(factor)


def _bits(count: int) -> Callable[[Array], Array]:
    def cut(value: Array) -> Array:
        fraction, exponent = np.frexp(value)
        return np.asarray(np.ldexp(np.rint(fraction * 2.0**count) / 2.0**count, exponent))

    return cut


WRONG: dict[str, tuple[str, Callable[[Array], Array]]] = {
    "gain too large by 100 u": ("g", _scaled(1 + 100 * 2.0**-24)),
    "radius too large by 100 u": ("r", _scaled(1 + 100 * 2.0**-24)),
    "h kept in 18 bits": ("h", _bits(18)),
    "cotangent of a kept in 18 bits": ("abar", _bits(18)),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_implementations_die_and_would_live_with_ten_E(name: str) -> None:
    """Kills 10 E: each of these is seen in most problems, and would be in none."""
    at, change = WRONG[name]

    def alter(place: str, layer: int, value: Array) -> Array:
        return change(value) if place == at else value

    problems = [judge(case, "float32") for case in study.SAMPLE]
    found = [max(p.rho(p.run(sequential, alter=alter)).values()) for p in problems]
    assert np.median(found) > 1, found
    assert max(found) / 10 <= 1, found


def test_tf32_is_seen_and_judged_by_its_own_arithmetic_passes() -> None:
    """Kills a bound that takes no notice of the roundoff of the operands."""
    case = SAMPLE[-1]
    got = judge(case, "float32").run(tensor_float32)
    own = judged(case.problem("float32"), arithmetic=study.TENSOR_FLOAT32)
    assert min(judge(case, "float32").rho(got)[name] for name in ("y", "gradient", "xbar")) > 1
    assert max(own.rho(got).values()) <= 1


# Planted errors


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("case", SAMPLE, ids=str)
def test_three_E_in_any_output_is_seen(case: Case, precision: str) -> None:
    problem = judge(case, precision)
    for contract in ALGORITHMS.values():
        assert outputs_seen(problem, problem.run(contract), 3.0).all()


def test_three_E_is_seen_in_an_output_beside_a_large_one() -> None:
    """Kills a tolerance that grows with the largest output."""
    net = linear(haar(2, 8, seed=0) * np.array([[1e6], [1.0]]))
    x = np.random.default_rng(1).standard_normal((1, 8))
    want, limit = reference(net, x, np.ones((1, 2))).y, bounds(net, x).y
    got = want + np.array([[0.0, 3.0]]) * limit
    assert rho(got, want, limit) > 1
    assert rho(got, want, np.broadcast_to(limit.max(), limit.shape)) < 1


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("case", [SAMPLE[4], SAMPLE[6], SAMPLE[8]], ids=str)
def test_ten_deviations_in_an_intermediate_are_seen(case: Case, precision: str) -> None:
    """At itself always; from outside in a, h and ā, the signs of the parameters being mixed."""
    for planted in plant(judge(case, precision), seed=0):
        assert planted.correct <= 1 < planted.at_itself, planted
        if planted.name in ("a", "h", "abar"):
            assert planted.accumulated > 1, planted


def test_the_rounding_of_one_operation_in_a_wide_space_is_not_seen() -> None:
    """A limit, not a merit: h alone is rounded by u, and what wrote it by √n times as much."""
    local = [p.local for p in plant(judge(SAMPLE[-1], "float32"), seed=0) if p.name == "h"]
    assert max(local) < 1


# The model


@pytest.mark.parametrize("case", SAMPLE, ids=str)
def test_what_is_perturbed_is_the_definition(case: Case) -> None:
    """Kills a term left out of outputs, gradients, velocities or identities."""
    net, x, ybar, velocity = case.problem("float64")
    found, problem = evaluate(net, x, ybar, velocity, Perturbation(FLOAT64)), judge(case, "float64")
    assert found.gradient is not None
    assert found.xbar is not None
    assert found.ydot is not None
    rhos = problem.rho(Outcome(found.y, found.gradient, found.xbar, found.ydot))
    assert max(rhos.values()) <= 1, rhos
    assert rho(found.adjoint, np.zeros(()), problem.limit.adjoint) <= 1


def test_the_deviation_of_every_operation_is_that_of_the_specification() -> None:
    """Kills n for √n, 4u for u in h, and any term left out; the formulas are written out here."""
    case = replace(SAMPLE[6], widths=(7, 5, 3))
    net, x, ybar, _ = case.problem("float32")
    (first, last), u = net.layers, 2.0**-24
    base, local = recorded(net, x, ybar)
    (a, r, direction, g, h), (hbar, gbar, _) = base.spaces[0], base.cotangents[1]
    abar = base.cotangents[0].abar
    delta, slope = net.profile.delta(r), net.profile.gamma_prime(r)
    radial = np.sum(direction * hbar, axis=1, keepdims=True)
    parts = np.abs(g * hbar) + np.abs(delta * radial * direction) + np.abs(slope * gbar * direction)
    assert first.psi is None
    assert last.psi is not None
    expected = [
        (a, (np.sqrt(9) / 2 + 1) * (np.abs(x) @ np.abs(first.weight).T + np.abs(first.bias))),
        (r, (np.sqrt(5) / 4 + 2.5) * r),
        (g, 4 * g),
        (h, np.abs(h)),
        (hbar, (np.sqrt(3) / 2 + 1) * (np.abs(ybar) @ np.abs(last.weight))),
        (gbar, (np.sqrt(3) / 2 + 1) * (np.abs(ybar) @ np.abs(last.psi)[:, None])),
        (abar, (np.sqrt(3) / 2 + 1) * parts),
    ]
    for value, deviation in expected:
        np.testing.assert_allclose(local(value), u * deviation, rtol=1e-6)


@pytest.mark.parametrize("arithmetic", [FLOAT64, FLOAT32, study.TENSOR_FLOAT32, EXACT_SUMS])
@pytest.mark.parametrize("n", [1, 30, 1000])
def test_a_sum_has_six_times_its_deviation(n: int, arithmetic: Arithmetic) -> None:
    """E² is 36 deviations² in the mean. Kills 0.3 rms for 6 rms, n for √n, and one u for three."""
    rng = np.random.default_rng(n)
    net, x = (
        linear(rng.standard_normal((200, n)), rng.standard_normal()),
        rng.standard_normal((5, n)),
    )
    terms = np.abs(x) @ np.abs(net.layers[0].weight).T + np.abs(net.layers[0].bias)
    operand, accumulate, store, _ = arithmetic
    unit = np.sqrt(n + 2) / 2 * accumulate + np.sqrt((2 * operand**2 + store**2) / 3)
    ratio = bounds(net, x, arithmetic=arithmetic).y / (6 * unit * terms)
    assert abs(np.mean(ratio**2) - 1) < 5 * math.sqrt(2 / 32 / ratio.size)


def test_psi_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Kills a bound without the ψ term: it flags a correct run whose ψ is large."""
    net = Network(
        [
            Layer(haar(4, 3, seed=0).astype("f"), np.zeros(4, "f"), q=1.0),
            Layer(haar(2, 4, seed=1).astype("f"), np.zeros(2, "f"), psi=np.array([1e4, 3e3], "f")),
        ]
    )
    x, ybar = np.array([[0.3, -0.2, 0.5]], "f"), np.ones((1, 2), "f")
    got, want = Evaluation(net, sequential)(x, ybar), reference(net, x, ybar)
    assert rho(got.y, want.y, bounds(net, x).y) <= 1
    flat = perturbed._flat
    without = lambda layer: (flat(layer)[0], 0 * flat(layer)[1])  # noqa: E731
    monkeypatch.setattr(perturbed, "_flat", without)
    assert rho(got.y, want.y, bounds(net, x).y) > 1


def test_sequential_sums_of_equal_numbers_exceed_the_model() -> None:
    """A documented limit: the roundings of ten thousand equal additions have one sign."""
    net, x = linear(np.ones((1, 10_000), "f")), np.full((1, 10_000), 0.1, "f")
    limit, want = bounds(net, x).y, 10_000 * x[:, :1].astype(np.float64)
    found = {k: rho(f(x, net.layers[0].weight.T), want, limit) for k, f in ALGORITHMS.items()}
    assert found["sequential"] > 5
    assert max(found["blocked"], found["pairwise"], found["wide accumulator"]) <= 1, found


@pytest.mark.claim("C31")
def test_the_moments_of_the_unperturbed_gradient_are_symmetric() -> None:
    """Kills W_nextᵀ W̄_next for W̄_nextᵀ W_next, a deviation of what does not vanish (C31)."""
    net, x, ybar, _ = SAMPLE[6].problem("float64")
    results = evaluate(net, x, ybar, None, Perturbation(FLOAT64))
    assert results.gradient is not None
    turned = results.gradient.layers[1].weight.T @ net.layers[1].weight
    assert np.abs(results.moments[0]).max() < 1e-13 < 1e-3 < np.abs(turned - turned.T).max()


# Parameters that were rounded


def test_deviations_of_parameters_add_in_quadrature() -> None:
    """Kills a bound that ignores `deviation`, or adds it as a maximum."""
    rng = np.random.default_rng(0)
    net, x = linear(rng.standard_normal((500, 6)), 1.0), rng.standard_normal((2, 6))
    spread = tree_map(lambda array, _: np.full_like(array, 1e-15), Tangent.zeros(net))
    own = bounds(net, x).y
    both = 36e-30 * (np.sum(x**2, axis=1, keepdims=True) + 1)
    ratio = bounds(net, x, deviation=spread).y / np.sqrt(own**2 + both)
    assert abs(np.mean(ratio**2) - 1) < 0.05


def test_rounded_parameters_pass_only_with_their_deviation() -> None:
    net, x, ybar, _ = SAMPLE[6].problem("float64")
    stored = tree_map(lambda array, _: array.astype("f").astype(float), net)
    spread = Tangent(tree_map(lambda array, _: 2.0**-24 / math.sqrt(3) * np.abs(array), net).layers)
    got, want = reference(stored, x, ybar), reference(net, x, ybar)
    with_it, without = bounds(net, x, ybar, deviation=spread), bounds(net, x, ybar)
    assert rho(got.y, want.y, with_it.y) <= 1 < rho(got.y, want.y, without.y)
    assert with_it.gradient is not None
    assert compare_trees(got.gradient, want.gradient, with_it.gradient).rho <= 1
    still = tree_map(lambda array, _: array + 1e-3, Tangent.zeros(net))
    nothing = tree_map(lambda array, spaces: 0 * array if spaces == () else array, net)
    assert np.isfinite(bounds(nothing, x, deviation=still).y).all()  # q stays ≥ 0


# Seeds, scale and amplification


@pytest.mark.parametrize("together", [1, 5, 32])
def test_draws_that_are_evaluated_together_change_no_bit(
    together: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Kills deviates that run along the wrong axis, a draw too few, and a last part left out."""
    net, x, ybar, velocity = SAMPLE[6].problem("float64")
    spread = tree_map(lambda array, _: 1e-15 * np.abs(array), net.tangent())

    def alone(noise: Perturbation) -> Any:
        def moved(array: Array, deviation: Array, spaces: Any) -> Array:
            found = noise.parameter(array, deviation)
            return np.abs(found) if spaces == () else found

        point = tree_map(moved, net, spread)
        return evaluate(point, x, ybar, velocity, noise)

    want, seen = tolerance.propagated(alone, FLOAT64, net.profile, 7)
    size = Tally(FLOAT64)
    evaluations(net, x, ybar, velocity, size, deviation=spread)
    monkeypatch.setattr(tolerance, "CACHED", together * sum(size.sizes))
    found, observable = deviations(net, x, ybar, *velocity, deviation=spread, seed=7)
    assert np.array_equal(observable, seen)
    for name in ("y", "xbar", "ydot", "adjoint"):
        assert np.array_equal(getattr(found, name), getattr(want, name)), name
    for _, _, (one, other) in leaves(found.gradient, want.gradient):
        assert np.array_equal(one, other)
    for one, other in zip(found.moments, want.moments, strict=True):
        assert np.array_equal(one, other)


def test_bounds_follow_from_the_seed() -> None:
    net, x, ybar, velocity = SAMPLE[4].problem("float64")
    first, again, other = (bounds(net, x, ybar, *velocity, seed=s) for s in (3, 3, 4))
    for name in ("y", "xbar", "ydot", "adjoint", "observable"):
        assert np.array_equal(getattr(first, name), getattr(again, name))
    assert first.gradient is not None
    assert again.gradient is not None
    for _, _, (one, two) in leaves(first.gradient, again.gradient):
        assert np.array_equal(one, two)
    ratio = other.y / first.y
    assert (ratio != 1).all()
    assert 0.4 < ratio.min() < ratio.max() < 2.5


@pytest.mark.parametrize("case", [SAMPLE[2], SAMPLE[6]], ids=str)
def test_E_is_linear_in_the_roundoff(case: Case) -> None:
    """Kills any term with a roundoff of its own."""
    net, x, ybar, velocity = case.problem("float32")
    double = Arithmetic(*(2 * u for u in FLOAT32))
    one, two = (bounds(net, x, ybar, *velocity, arithmetic=a) for a in (FLOAT32, double))
    for name in ("y", "xbar", "ydot", "adjoint"):
        np.testing.assert_allclose(getattr(two, name), 2 * getattr(one, name), rtol=1e-4)
    assert one.gradient is not None
    assert two.gradient is not None
    for _, _, (small, large) in leaves(one.gradient, two.gradient):
        np.testing.assert_allclose(large, 2 * small, rtol=1e-4)


@given(exponent=st.integers(-960, 960))
@settings(max_examples=20, deadline=None)
def test_E_scales_with_the_inputs_of_an_affine_network(exponent: int) -> None:
    """Kills squares, which under- and overflow: E was 0 at 1e-200, and ∞ at 1e200."""
    net = Network.random((3, 4, 2), profile="identity", seed=0)
    x = np.array([[0.5, -1.0, 0.25]])
    scaled = bounds(net, np.ldexp(x, exponent))
    np.testing.assert_allclose(np.ldexp(scaled.y, -exponent), bounds(net, x).y, rtol=1e-9)
    assert scaled.observable.all()


@pytest.mark.parametrize("case", [SAMPLE[2], SAMPLE[6]], ids=str)
def test_amplification_does_not_change_E(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    """Kills a gain that is not divided out. Without amplification the evaluation's own counts."""
    net, x, ybar, velocity = case.problem("float64")
    found = {}
    for size in (2.0**-47, 2.0**-42, 0.0):
        monkeypatch.setattr(tolerance, "SIZE", size)
        found[size] = bounds(net, x, ybar, *velocity)
    for name in ("y", "xbar", "ydot", "adjoint"):
        one, more, none = (getattr(e, name) for e in found.values())
        np.testing.assert_allclose(one, more, rtol=0.05)
        np.testing.assert_allclose(one, none, rtol=0.5)


def cancelling(share: float, dtype: str, profile: str = "unit") -> tuple[Network, Array]:
    """A = (1 − (1 − share)) W x in the first sample, and 3 W x − … in the second."""
    weight, x = haar(5, 3, seed=0).astype(dtype), np.array([[0.5, -1.0, 0.25]], dtype)
    bias = -(1 - share) * (weight.astype(float) @ x[0].astype(float))
    last = Layer(haar(2, 5, seed=3).astype(dtype), np.zeros(2, dtype), psi=np.zeros(2, dtype))
    net = Network([Layer(weight, bias.astype(dtype), q=0.0), last], profile)
    return net, np.concatenate([x, 3 * x])


@pytest.mark.parametrize("share", [1e-10, 1e-12, 1e-13, 3e-14])
def test_amplified_deviations_stay_first_order(
    share: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Kills an amplification beyond first order: E was 34 times too small there."""
    net, x = cancelling(share, "float64")
    found = bounds(net, x)
    monkeypatch.setattr(tolerance, "SIZE", 0.0)
    plain = bounds(net, x)
    assert found.observable.all()
    np.testing.assert_allclose(found.y[0], plain.y[0], rtol=0.3)


# What cannot be observed


@pytest.mark.parametrize(
    ("dtype", "seen", "lost"), [("float32", 1e-4, 1e-7), ("float64", 1e-12, 1e-16)]
)
def test_a_vector_that_cancels_is_not_observable(dtype: str, seen: float, lost: float) -> None:
    """Kills `observable` that is always true; the other sample of the batch stays observable."""
    assert bounds(*cancelling(seen, dtype)).observable.tolist() == [True, True]
    assert bounds(*cancelling(lost, dtype)).observable.tolist() == [False, True]


@pytest.mark.parametrize(
    ("dtype", "shift", "seen"),
    [
        ("float32", 1e-8, False),
        ("float32", 1e-4, True),
        ("float64", 1e-8, True),
        ("float64", 1e-14, True),
        ("float64", 1e-17, False),
    ],
)
@pytest.mark.parametrize("side", [1, -1])
def test_a_radius_at_the_kink_of_relu_is_not_observable(
    dtype: str, shift: float, seen: bool, side: int
) -> None:
    """Kills a check without the kink, and one with an absolute distance."""
    weight, last = np.eye(2, dtype=dtype), np.ones((1, 2), dtype)
    layers = [
        Layer(weight, np.zeros(2, dtype), q=0.0),
        Layer(last, np.zeros(1, dtype), psi=last[0, :1]),
    ]
    net = Network(layers, relu(tau=0.5))
    found = bounds(net, np.array([[0.5 * (1 + side * shift), 0.0]], dtype))
    assert found.observable.tolist() == [seen]
    if seen and side < 0:
        assert found.y[0, 0] == 0


# Underflow


@pytest.mark.parametrize("size", [1e-36, 1e-38, 1e-40])
@pytest.mark.parametrize("profile", ["identity", "tanh", "silu", "squash", "softsign"])
def test_subnormal_results_pass(profile: str, size: float) -> None:
    net = Network.random((3, 4, 4, 2), profile=profile, dtype="float32", seed=0)
    rng = np.random.default_rng(2)
    first, second, third = net.layers
    second = replace(second, psi=(rng.standard_normal(4) * (profile == "squash")).astype("f"))
    net = Network([first, second, third], profile)
    x = (size * rng.standard_normal((4, 3))).astype("f")
    wide = tree_map(lambda array, _: array.astype(float), net)
    limit, ok = bounds(net, x), bounds(net, x).observable
    assert ok.any()
    assert rho(forward(net, x)[ok], forward(wide, x.astype(float))[ok], limit.y[ok]) <= 1


def test_products_that_underflow_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    """Kills a bound without the least number, and one that counts it once for a whole sum."""
    net, x = linear(np.full((1, 3000), 2.0**-75, "f")), np.full((1, 3000), 0.4 * 2.0**-74, "f")
    got, want = sequential(x, net.layers[0].weight.T), np.array([[1200 * 2.0**-149]])
    assert got[0, 0] == 0
    assert rho(got, want, bounds(net, x).y) <= 1
    assert rho(got, want, bounds(net, x, arithmetic=FLOAT32._replace(tiny=0.0)).y) > 1
    moved = Perturbation.moved
    monkeypatch.setattr(Perturbation, "moved", lambda self, *v: moved(self, v[0], v[1], v[2], 1))
    assert rho(got, want, bounds(net, x).y) > 1


# ρ itself


def test_zero_error_is_zero_and_nan_is_infinite() -> None:
    assert rho(np.zeros(2), np.zeros(2), np.zeros(2)) == 0
    assert rho(np.array([1.0]), np.array([0.0]), np.array([0.0])) == math.inf
    assert rho(np.array([math.nan]), np.array([math.nan]), np.array([1.0])) == math.inf
    assert rho(np.array([math.nan, 0.0]), np.zeros(2), np.ones(2)) == math.inf
    assert rho(np.array([1.0]), np.array([0.0]), np.array([math.nan])) == math.inf
    assert rho(np.array([math.inf]), np.array([math.inf]), np.array([math.nan])) == 0
    assert rho(np.array([math.inf]), np.array([0.0]), np.array([math.inf])) == math.inf
    assert rho(np.zeros((0, 2)), np.zeros((0, 2)), np.zeros((0, 2))) == 0
    with pytest.raises(ValueError, match="shape of want"):
        compare(np.zeros(2), np.zeros((2, 1)), np.zeros(2))


@given(
    errors=st.lists(st.floats(-1e3, 1e3), min_size=1, max_size=8),
    power=st.integers(-20, 20),
)
def test_rho_is_the_largest_ratio(errors: list[float], power: int) -> None:
    """rho(want + e, want, c E) == max |e| / (c E), whatever the order."""
    error, limit = np.array(errors), 1 + np.arange(len(errors), dtype=float)
    found = compare(error, 0 * error, np.ldexp(limit, power))
    assert found.rho == np.max(np.abs(error) / np.ldexp(limit, power))
    assert found.rho == rho(error[::-1], 0 * error, np.ldexp(limit, power)[::-1])
    index = int(found.where.strip("[]"))
    assert (found.error, found.bound) == (abs(error[index]), np.ldexp(limit, power)[index])


def test_exact_results_have_no_bound_and_empty_batches_none() -> None:
    net = Network.random((3, 4, 2), seed=0)
    assert (bounds(net, np.zeros((2, 3))).y == 0).all()
    empty = bounds(net, np.zeros((0, 3)), np.zeros((0, 2)))
    assert empty.y.shape == (0, 2)
    assert empty.gradient is not None
    assert all((entry == 0).all() for _, _, (entry,) in leaves(empty.gradient))
    with pytest.raises(ValueError, match="given together"):
        bounds(net, np.zeros((2, 3)), x_dot=np.zeros((2, 3)))


def test_moments_are_computed_on_demand() -> None:
    net, x, ybar, _ = SAMPLE[0].problem("float64")
    assert bounds(net, x, ybar, moments=False).moments == ()
    assert len(bounds(net, x, ybar).moments) == net.depth
    rms, _ = deviations(net, x, ybar)
    assert np.array_equal(FACTOR * rms.y, bounds(net, x, ybar).y)


# The page


def test_the_page_is_current_and_a_stale_one_is_found(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    assert study.main(["--check"]) == 0, capsys.readouterr().out
    current = study.sample()
    page = study.PAGE.read_text(encoding="utf-8")
    monkeypatch.setattr(
        study, "sample", lambda: [row._replace(resolution=0.9 * row.resolution) for row in current]
    )
    assert len(study.differences(page)) == len(current)
    monkeypatch.setattr(study, "sample", lambda: current[:-1])
    assert study.differences(page)
    monkeypatch.setattr(study, "PAGE", tmp_path / "tolerance.md")
    study.PAGE.write_text(page.partition("## The sample")[0], encoding="utf-8")
    assert study.main(["--check"]) == 1
