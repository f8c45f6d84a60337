"""Optimisers: their formulas, and the laws that their state obeys under rotate, grow and drop."""

from __future__ import annotations

from collections.abc import Callable
from math import sqrt
from typing import Any

import mpmath
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from isoref import Network, Tangent, backward, grow, haar, prune, rotate, sparsify, trace
from isoref.edits import Drop, Grow, Rotate
from isoref.network import entry_map, leaves, plain
from isoref.training import SGD, AdamW, Orthogonalised, State, TransportError, optimiser, transport
from isoref.training.optimiser import Optimiser, norm
from isoref.training.packed import Packed

NDArray = np.ndarray[Any, Any]

orthogonalised = Orthogonalised(rate=1.0).orthogonal
UNIT = {"float64": 2.0**-53, "float32": 2.0**-24}

RULES: list[Optimiser] = [
    SGD(rate=0.1),
    SGD(rate=0.1, momentum=0.0),
    SGD(rate=0.1, decay=0.01),
    SGD(rate=0.1, decay=0.01, decoupled=True),
    SGD(rate=0.1, nesterov=True),
    SGD(rate=0.1, clip=0.5),
    AdamW(rate=0.01),
    AdamW(rate=0.01, decay=0.1, clip=0.5),
    Orthogonalised(rate=0.1),
    Orthogonalised(rate=0.1, decay=0.01, nesterov=True),
]
COMMUTING = [rule for rule in RULES if rule.commutes]


def start(dtype: str = "float64", widths: tuple[int, ...] = (5, 6, 4, 3)) -> Network:
    net = Network.random(widths, q=0.3, dtype=dtype, seed=0)
    shift = entry_map(lambda v, name: abs(v) if name == "q" else v, Tangent.random(net, seed=1))
    return net + 0.3 * shift


def steps(
    rule: Optimiser, net: Network, gradients: list[Tangent], state: State | None = None
) -> tuple[Network, State]:
    state = rule.start(net) if state is None else state
    for gradient in gradients:
        net, state = rule.step(net, state, gradient)
    return net, state


def gap(a: Network | Tangent, b: Network | Tangent) -> float:
    return max(float(np.max(np.abs(x - y))) for _, _, (x, y) in leaves(plain(a), plain(b)))


def size(tree: Network | Tangent) -> float:
    return max(float(np.max(np.abs(x))) for _, _, (x,) in leaves(plain(tree)))


# The formulas


def by_definition(rule: Optimiser, net: Network, gradients: list[Tangent]) -> list[list[Any]]:
    """The entrywise rules, entry by entry in 40 digits."""
    with mpmath.workdps(40):

        def big(tree: Network | Tangent) -> list[list[Any]]:
            arrays = [array.ravel().tolist() for _, _, (array,) in leaves(tree)]
            return [[mpmath.mpf(v) for v in array] for array in arrays]

        lengths = [name == "q" for _, name, _ in leaves(net)]
        point = big(net)
        first = [[mpmath.mpf(0)] * len(array) for array in point]
        second = [[mpmath.mpf(0)] * len(array) for array in point]
        rate, decay = mpmath.mpf(rule.rate), mpmath.mpf(rule.decay)
        for t, gradient in enumerate(map(big, gradients), start=1):
            total = mpmath.sqrt(sum(v * v for array in gradient for v in array))
            scale = 1 if rule.clip is None or total <= rule.clip else rule.clip / total
            for i, array in enumerate(gradient):
                for j, g in enumerate(array):
                    g = g * scale
                    theta = point[i][j]
                    if isinstance(rule, SGD):
                        mu = mpmath.mpf(rule.momentum)
                        if not rule.decoupled:
                            g += decay * theta
                        else:
                            theta -= rate * decay * theta
                        first[i][j] = mu * first[i][j] + g
                        theta -= rate * (g + mu * first[i][j] if rule.nesterov else first[i][j])
                    else:
                        assert isinstance(rule, AdamW)
                        b1, b2 = mpmath.mpf(rule.beta1), mpmath.mpf(rule.beta2)
                        first[i][j] = b1 * first[i][j] + (1 - b1) * g
                        second[i][j] = b2 * second[i][j] + (1 - b2) * g * g
                        mean, square = first[i][j] / (1 - b1**t), second[i][j] / (1 - b2**t)
                        theta -= rate * decay * theta
                        theta -= rate * mean / (mpmath.sqrt(square) + rule.eps)
                    point[i][j] = max(theta, mpmath.mpf(0)) if lengths[i] else theta
        return [[float(v) for v in array] for array in point]


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("rule", [r for r in RULES if not isinstance(r, Orthogonalised)], ids=repr)
def test_the_steps_are_those_of_the_formulas(rule: Optimiser, dtype: str) -> None:
    net = start(dtype)
    gradients = [Tangent.random(net, seed=seed) for seed in range(5)]
    moved, _ = steps(rule, net, gradients)
    wanted = by_definition(rule, net, gradients)
    # A step rounds θ once and its push, at most 4 η times the gradient or η/|…| of Adam, in at most
    # twelve operations; the rounded settings (β, μ, η) count as twelve more of the sums.
    pushed = rule.rate * (10 * max(map(size, gradients)) if isinstance(rule, SGD) else 4)
    bound = 5 * UNIT[dtype] * (2 * size(net) + 24 * pushed)
    for (_, _, (got,)), want in zip(leaves(moved), wanted, strict=True):
        assert np.max(np.abs(got.ravel() - np.array(want))) <= bound


def test_orthogonalised_singular_values_are_the_polynomial_of_the_old_ones() -> None:
    matrix = np.random.default_rng(0).standard_normal((4, 7))
    matrix /= np.linalg.norm(matrix)
    for m in (matrix, matrix.T):
        u, s, vt = np.linalg.svd(m, full_matrices=False)
        for _ in range(5):
            s = 3.4445 * s - 4.7750 * s**3 + 2.0315 * s**5
        # Five products of three, of norm at most 10, and the polynomial's slope, below 3.5^5.
        bound = 3.5**5 * 5 * 3 * 8 * 2.0**-53 * 10
        assert np.max(np.abs(orthogonalised(m) - u * s @ vt)) <= bound


def test_orthogonalised_lifts_every_singular_value_that_counts() -> None:
    values = np.geomspace(0.01, 1, 400)
    lifted = np.array([orthogonalised(np.array([[v]]))[0, 0] for v in values])
    assert lifted.min() > 0.68
    assert lifted.max() < 1.14


def test_norm_neither_overflows_nor_underflows() -> None:
    for scale in (1e300, 1e-300, 1.0, 0.0):
        vector = scale * np.array([3.0, 4.0])
        assert abs(norm(vector) - 5 * scale) <= 8 * 2.0**-53 * 5 * scale
    assert norm(np.full(4, np.float32(1e38))) == pytest.approx(2e38, rel=8 * 2.0**-24)


def test_packing_is_a_copy_that_unpacks_to_the_same_bytes() -> None:
    for tree in (start(), sparsify(start())[0], Tangent.random(start(), seed=3)):
        packed = Packed(tree)
        assert packed.vector.size == tree.parameter_count
        back = packed.tree(tree)
        for _, _, (a, b) in leaves(plain(tree), plain(back)):
            assert np.array_equal(a, b)
        packed.vector += 1
        assert gap(back, tree) == 0


@pytest.mark.parametrize("rule", RULES, ids=repr)
def test_blocks_change_no_bit(rule: Optimiser, monkeypatch: pytest.MonkeyPatch) -> None:
    net = start()
    gradients = [Tangent.random(net, seed=seed) for seed in range(3)]
    whole, _ = steps(rule, net, gradients)
    monkeypatch.setattr(optimiser, "BLOCK", 7)
    parts, _ = steps(rule, net, gradients)
    assert gap(whole, parts) == 0


# The laws


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("rule", COMMUTING, ids=repr)
def test_training_commutes_with_rotations(rule: Optimiser, dtype: str) -> None:
    """C21: train ∘ rotate = rotate ∘ train, for network and state, over five steps."""
    net = start(dtype)
    gradients = [Tangent.random(net, seed=seed) for seed in range(5)]
    edits = [Rotate(s, haar(net.widths[s], seed=s).astype(dtype)) for s in (1, 2)]

    def turned(tree: Any) -> Any:
        for edit in edits:
            tree = rotate(tree, edit.space, edit.R)
        return tree

    after, state = steps(rule, net, gradients)
    other, moved = steps(rule, turned(net), [turned(g) for g in gradients])
    # Each rotation rounds every tree that it turns by (½√n + 1) u √n max|.|, twice, and each of the
    # five steps adds a dozen roundings; the polynomial amplifies by at most 3.5^5.
    amplified = 3.5**5 if isinstance(rule, Orthogonalised) else 1.0
    scale = size(net) + 2 * sum(map(size, gradients)) * max(rule.rate, 0.1) * 10
    bound = 6 * UNIT[dtype] * (2 * (0.5 * sqrt(6) + 1) * sqrt(6) + 12) * scale * amplified
    assert gap(turned(after), other) <= bound
    carried = transport(state, edits)
    for name, moment in moved.moments.items():
        assert gap(carried.moments[name], moment) <= 10 * bound


@pytest.mark.parametrize("rule", [r for r in RULES if not r.commutes], ids=repr)
def test_adam_does_not_commute(rule: Optimiser) -> None:
    """C22 and C32: the same experiment, far apart, and no transport but the one by name."""
    net = start()
    gradients = [Tangent.random(net, seed=seed) for seed in range(5)]
    edit = Rotate(1, haar(6, seed=1))
    after, state = steps(rule, net, gradients)
    other, _ = steps(
        rule, rotate(net, 1, edit.R), [rotate(gradient, 1, edit.R) for gradient in gradients]
    )
    assert gap(rotate(after, 1, edit.R), other) > 1e-3
    with pytest.raises(TransportError, match=r"no transport.*C32.*SGD.*fresh.*approximate=True"):
        transport(state, [edit])


def test_adams_counterexample_of_the_ledger() -> None:
    """C22: 1–2–1, x = 1, W₀ = (3, 4)ᵀ, W₁ = (4, −3), softsign: ā = (2/3, −1/2)."""
    from isoref import Layer

    net = Network(
        [
            Layer(np.array([[3.0], [4.0]]), np.zeros(2), q=0.0),
            Layer(np.array([[4.0, -3.0]]), np.zeros(1), psi=np.zeros(1)),
        ],
        "softsign",
    )
    gradient, _ = backward(net, trace(net, np.ones((1, 1))), np.ones((1, 1)))
    assert np.max(np.abs(gradient.layers[0].bias - np.array([2 / 3, -1 / 2]))) <= 4 * 2.0**-53
    R = np.array([[3.0, 4.0], [-4.0, 3.0]]) / 5
    rule = AdamW(rate=1.0, beta1=0.0, beta2=0.0, eps=1e-30)
    turned, _ = steps(rule, rotate(net, 1, R), [rotate(gradient, 1, R)])
    first, _ = steps(rule, net, [gradient])
    # Signs: R (1, −1) = (−1/5, −7/5) against sign(R ā) = (0, −1); R ā = (0, −5/6) is exact.
    step = R @ (net.layers[0].bias - first.layers[0].bias)
    other = -turned.layers[0].bias
    assert np.max(np.abs(step - np.array([-1 / 5, -7 / 5]))) <= 1e-15
    assert abs(other[1] + 1) <= 1e-15


@pytest.mark.parametrize(
    "rule", [r for r in RULES if not (r.clip or isinstance(r, Orthogonalised))], ids=repr
)
def test_signed_permutations_commute_with_every_rule_bit_for_bit(rule: Optimiser) -> None:
    net = start()
    gradients = [Tangent.random(net, seed=seed) for seed in range(4)]
    rng = np.random.default_rng(0)
    R = np.eye(6)[rng.permutation(6)] * rng.choice([-1.0, 1.0], (6, 1))
    after, state = steps(rule, net, gradients[:2])
    ahead, state = steps(
        rule,
        rotate(after, 1, R),
        [rotate(g, 1, R) for g in gradients[2:]],
        transport(state, [Rotate(1, R)]),
    )
    whole, _ = steps(rule, net, gradients)
    assert gap(rotate(whole, 1, R), ahead) == 0


@pytest.mark.parametrize("rule", RULES, ids=repr)
def test_a_step_commutes_with_growing_inert_neurons(rule: Optimiser) -> None:
    """C10: with zero columns, grow ∘ step = step ∘ grow, on network and state."""
    rng = np.random.default_rng(0)

    def coarse(array: NDArray, name: str) -> NDArray:
        return np.asarray(abs(np.round(4 * array) / 4) if name == "q" else np.round(4 * array) / 4)

    # The identity and quarters: the gradient is exact, whatever the order of its sums.
    net = Network(entry_map(coarse, Tangent.random(start(), seed=1)).layers, "identity")
    x, ybar = (rng.integers(-3, 4, (7, n)).astype(float) for n in (5, 3))
    moments = {name: Tangent.random(net, seed=2) for name in rule.moments}
    squared = {k: entry_map(lambda v, _: v * v, m) for k, m in moments.items() if k in rule.squares}
    state = State(3, {**moments, **squared}, rule.squares)
    edit = Grow(1, np.zeros((4, 2)))

    def step(net: Network, state: State) -> tuple[Network, State]:
        return rule.step(net, state, backward(net, trace(net, x), ybar)[0])

    late, late_state = step(net, state)
    early, early_state = step(edit.apply(net), transport(state, [edit]))
    wanted, carried = edit.apply(late), transport(late_state, [edit])
    bound = 0.0
    if rule.clip is not None:  # a norm in another order: each term is off by at most n u
        bound = net.parameter_count * 2.0**-53 * 2 * size(late)
    if isinstance(rule, Orthogonalised):  # products of matrices of norm 1 in another order
        bound = 3.5**5 * 15 * 8 * 2.0**-53
    assert gap(wanted, early) <= bound
    for name, moment in early_state.moments.items():
        assert gap(carried.moments[name], moment) <= bound * size(moment)
        assert not moment.layers[0].weight[-2:].any()
    assert not early.layers[0].weight[-2:].any()
    assert not early.layers[1].weight[:, -2:].any()


@pytest.mark.parametrize("rule", RULES, ids=repr)
def test_drop_undoes_grow_on_the_state(rule: Optimiser) -> None:
    net = start()
    _, state = steps(rule, net, [Tangent.random(net, seed=4)])
    back = transport(state, [Grow(2, np.ones((3, 2))), Drop(2, (4, 5))])
    assert back.steps == state.steps
    for name, moment in state.moments.items():
        assert gap(back.moments[name], moment) == 0


@given(st.integers(0, 2**32 - 1), st.sampled_from((1, 2)))
def test_the_approximation_keeps_second_moments_positive_and_their_sum(
    seed: int, space: int
) -> None:
    net = start()
    rule = AdamW(rate=0.1)
    _, state = steps(rule, net, [Tangent.random(net, seed=seed)])
    n = net.widths[space]
    moved = transport(state, [Rotate(space, haar(n, seed=seed))], approximate=True)
    before, after = state.moments["second"], moved.moments["second"]
    for _, _, (a, b) in leaves(before, after):
        assert np.min(b) >= 0
        assert abs(np.sum(a) - np.sum(b)) <= 4 * (n + a.size) * 2.0**-53 * np.sum(a)
    assert (
        gap(moved.moments["first"], rotate(state.moments["first"], space, haar(n, seed=seed))) == 0
    )


def test_q_is_projected_and_leaves_zero_again() -> None:
    net = start()

    def push(value: float) -> Tangent:
        return entry_map(
            lambda v, name: v * 0 + (value if name == "q" else 0), Tangent.random(net, seed=0)
        )

    for rule in (SGD(rate=10.0, momentum=0.0), AdamW(rate=10.0), SGD(rate=10.0, nesterov=True)):
        moved, _ = steps(rule, net, [push(1.0)])
        assert [float(layer.q) for layer in moved.layers[:-1]] == [0.0, 0.0]
        again, _ = steps(rule, moved, [push(-1.0)])
        assert all(layer.q > 0 for layer in again.layers[:-1])


def test_edits_of_a_prune_carry_the_state_along() -> None:
    net = start()
    rule = SGD(rate=0.1)
    _, state = steps(rule, net, [Tangent.random(net, seed=4)])
    pruned, certificate = prune(net, 1, count=2, radius=1.0)
    steps(rule, pruned, [Tangent.random(pruned, seed=5)], transport(state, certificate.edits))


# Bad input

bad: Any = "fast"


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: SGD(rate=0.0), "rate must be a positive number, got 0.0"),
        (lambda: SGD(rate=float("inf")), "rate must be"),
        (lambda: SGD(rate=bad), "rate must be a positive number, got 'fast'"),
        (lambda: SGD(rate=0.1, momentum=1.0), "momentum must be at least 0 and below 1, got 1.0"),
        (lambda: SGD(rate=0.1, decay=-1.0), "decay must be a number that is not negative"),
        (lambda: SGD(rate=0.1, clip=0.0), "clip must be a positive number or None"),
        (lambda: AdamW(rate=0.1, beta1=1.0), "beta1 must be"),
        (lambda: AdamW(rate=0.1, beta2=-0.1), "beta2 must be"),
        (lambda: AdamW(rate=0.1, eps=0.0), "eps must be a positive number"),
        (lambda: Orthogonalised(rate=0.1, momentum=2.0), "momentum must be"),
    ],
)
def test_bad_settings(make: Callable[[], object], text: str) -> None:
    with pytest.raises(ValueError, match=text):
        make()


def test_bad_states() -> None:
    net = start()
    rule, gradient = SGD(rate=0.1), Tangent.random(net, seed=0)
    with pytest.raises(ValueError, match=r"moments \('momentum',\), got \('first', 'second'\)"):
        rule.step(net, AdamW(rate=0.1).start(net), gradient)
    grown, _ = grow(net, 1, 1, seed=0)
    with pytest.raises(ValueError, match=r"widths of net.*transport\(state, report.edits\)"):
        rule.step(grown, rule.start(net), Tangent.random(grown, seed=0))
    with pytest.raises(ValueError, match="gradient must have the widths of net"):
        rule.step(grown, rule.start(grown), gradient)
