"""Training: the loss and its cotangent, the optimiser's laws, determinism, bad input."""

from __future__ import annotations

import mpmath
import numpy as np
import pytest

from isoref import Layer, Network, Tangent, forward, haar, rotate
from isoref.data import Split, load_digits, split, standardise
from isoref.network import leaves
from isoref.training import Momentum, accuracy, cross_entropy, train


def small(seed: int = 0, q: float = 0.0) -> tuple[Network, Split]:
    parts = standardise(split(*load_digits(), seed=seed))
    return Network.random((64, 8, 6, 10), q=q, seed=seed), parts


def test_cross_entropy_and_its_cotangent_are_those_of_the_definition() -> None:
    rng = np.random.default_rng(0)
    y, labels = 5 * rng.standard_normal((4, 3)), np.array([0, 2, 1, 1])
    loss, ybar = cross_entropy(y, labels)
    with mpmath.workdps(40):
        rows = [[mpmath.exp(mpmath.mpf(v)) for v in row] for row in y.tolist()]
        softmax = [[e / sum(row) for e in row] for row in rows]
        want = -sum(mpmath.log(softmax[i][k]) for i, k in enumerate(labels.tolist())) / 4
        want_bar = [
            [(p - (k == j)) / 4 for j, p in enumerate(row)]
            for row, k in zip(softmax, labels, strict=True)
        ]
    u = 2.0**-53
    # Shifted outputs are off by u max|y − max y|, exponentials by one more u, sums by a few.
    scale = u * (np.ptp(y, axis=1).max() + 8)
    assert abs(float(loss) - float(want)) <= scale * max(1.0, float(want))
    assert np.abs(ybar - np.array(want_bar, float)).max() <= scale
    assert np.abs(ybar.sum(axis=1)).max() <= scale


def test_cross_entropy_does_not_overflow() -> None:
    loss, ybar = cross_entropy(np.array([[1e300, -1e300]]), np.array([0]))
    assert float(loss) == 0.0
    assert np.array_equal(ybar, np.zeros((1, 2)))


def test_same_seed_same_bytes_and_another_seed_others() -> None:
    net, parts = small()
    runs = [
        train(net, parts.x, parts.labels, optimiser=Momentum(0.1), epochs=1, batch=50, seed=seed)
        for seed in (3, 3, 4)
    ]
    same, other = (
        all(np.array_equal(a, b) for _, _, (a, b) in leaves(runs[0], run)) for run in runs[1:]
    )
    assert same
    assert not other


def test_training_changes_neither_the_network_nor_the_data_that_it_is_given() -> None:
    net, parts = small(q=0.5)
    before = [array.copy() for _, _, (array,) in leaves(net)], parts.x.copy()
    train(net, parts.x, parts.labels, optimiser=Momentum(0.1), epochs=1, batch=50, seed=0)
    assert all(np.array_equal(a, b) for a, (_, _, (b,)) in zip(before[0], leaves(net), strict=True))
    assert np.array_equal(before[1], parts.x)


def test_momentum_commutes_with_the_gauge() -> None:
    """C21, one step: rotating θ, m and ∇ and stepping is stepping and rotating."""
    net, _ = small(q=0.5)
    state, gradient = Tangent.random(net, seed=1), Tangent.random(net, seed=2)
    rule = Momentum(0.1, 0.9, 1e-3)
    R = haar(8, seed=3)
    moved, velocity = rule.step(net, state, gradient)
    turned = rule.step(rotate(net, 1, R), rotate(state, 1, R), rotate(gradient, 1, R))
    pairs = [*leaves(rotate(moved, 1, R), turned[0]), *leaves(rotate(velocity, 1, R), turned[1])]
    # Two rotations, (½√8 + 1) u Σ|terms| each, and four roundings of the step, at six deviations.
    for _, _, (x, y) in pairs:
        size = np.abs(x).max() * np.sqrt(8) + 1
        assert np.abs(x - y).max() <= 6 * (2 * (0.5 * np.sqrt(8) + 1) + 4) * 2.0**-53 * size


def test_q_is_projected() -> None:
    net, _ = small(q=0.1)
    push = Tangent(
        [
            Layer(la.weight * 0, la.bias * 0, la.psi, None if la.q is None else 1.0)
            for la in net.layers
        ]
    )
    moved, _ = Momentum(1.0, 0.0).step(net, Tangent.zeros(net), push)
    assert [layer.q for layer in moved.layers[:-1]] == [0.0, 0.0]


def test_a_network_that_learns_beats_one_that_does_not() -> None:
    net, parts = small()
    trained = train(net, parts.x, parts.labels, optimiser=Momentum(0.1), epochs=5, batch=50, seed=0)
    before, after = (accuracy(forward(n, parts.held_x), parts.held_labels) for n in (net, trained))
    assert before < 0.4
    assert after > 0.85


@pytest.mark.parametrize(
    ("labels", "error", "text"),
    [
        (np.array([0, 10]), ValueError, r"labels must lie in 0 … 9.*got 0 … 10.*more outputs"),
        (np.array([-1, 3]), ValueError, r"got -1 … 3"),
        (np.array([0.0, 1.0]), TypeError, r"labels must be 2 integers.*float64"),
        (np.array([1]), TypeError, r"labels must be 2 integers.*\(1,\)"),
    ],
)
def test_bad_labels(labels: np.ndarray, error: type[Exception], text: str) -> None:
    with pytest.raises(error, match=text):
        cross_entropy(np.zeros((2, 10)), labels)
    with pytest.raises(error, match=text):
        accuracy(np.zeros((2, 10)), labels)


def test_bad_training_arguments() -> None:
    net, parts = small()
    rule = Momentum(0.1)
    with pytest.raises(ValueError, match="same number of samples, one or more, got 0 and 0"):
        train(net, parts.x[:0], parts.labels[:0], optimiser=rule, epochs=1, batch=1, seed=0)
    with pytest.raises(ValueError, match="got 5 and 3"):
        train(net, parts.x[:5], parts.labels[:3], optimiser=rule, epochs=1, batch=1, seed=0)
    with pytest.raises(ValueError, match="epochs and batch must be positive, got 0 and 1"):
        train(net, parts.x, parts.labels, optimiser=rule, epochs=0, batch=1, seed=0)
    with pytest.raises(ValueError, match="at least one row"):
        cross_entropy(np.zeros((0, 3)), np.zeros(0, int))
    for settings, text in (((0.0,), "rate"), ((0.1, 1.0), "momentum"), ((0.1, 0.9, -1.0), "decay")):
        with pytest.raises(ValueError, match=f"{text} must"):
            Momentum(*settings)
