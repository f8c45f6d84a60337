"""Networks and tangents are values: frozen, checked when made, and tangents are a vector space."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from dataclasses import FrozenInstanceError, replace
from typing import Any

import numpy as np
import pytest

from isoref import (
    AXES,
    Layer,
    Network,
    Tangent,
    backward,
    named,
    relu,
    rotate,
    trace,
    tree_map,
)

WIDTHS = (3, 4, 2, 2)
NET = Network.random(WIDTHS, q=0.5, seed=0)
NARROW = Network.random(WIDTHS, q=0.5, dtype="float32", seed=0)
X, YBAR = np.ones((2, 3)), np.ones((2, 2))


def arrays(tree: Network | Tangent) -> list[Any]:
    found = [getattr(layer, name) for layer in tree.layers for name in AXES]
    return [array for array in found if array is not None]


def same(a: Network | Tangent, b: Network | Tangent) -> bool:
    """Equality of all bits, signs of zeros apart."""
    return all(np.array_equal(p, q) for p, q in zip(arrays(a), arrays(b), strict=True))


# Frozen


def test_nothing_can_be_assigned() -> None:
    with pytest.raises(FrozenInstanceError):
        NET.profile = named("atan")  # type: ignore[misc]
    with pytest.raises(FrozenInstanceError):
        NET.layers[0].bias = np.zeros(4)  # type: ignore[misc]


def gradient() -> Tangent:
    return backward(NET, trace(NET, X), YBAR)[0]


TREES: dict[str, Callable[[], Network | Tangent]] = {
    "random network": lambda: NET,
    "random tangent": lambda: Tangent.random(NET, seed=1),
    "zeros": lambda: Tangent.zeros(NET),
    "gradient": gradient,
    "sum": lambda: gradient() + gradient(),
    "product": lambda: 2.0 * gradient(),
    "moved": lambda: NET + gradient(),
    "rotated": lambda: rotate(NET, 2, np.eye(2)),
    "mapped": lambda: tree_map(lambda array, _: array, NET),
    "replaced": lambda: replace(NET, profile=named("atan")),
    "pickled": lambda: pickle.loads(pickle.dumps(NET)),
    "copied": lambda: copy.copy(NET),
    "copied deeply": lambda: copy.deepcopy(NET),
}


@pytest.mark.parametrize("name", TREES)
def test_no_array_can_be_written_to(name: str) -> None:
    for array in arrays(TREES[name]()):
        with pytest.raises(ValueError, match="read-only"):
            array[...] = 0.0


def test_later_writes_of_the_caller_do_not_reach_the_network() -> None:
    weight, bias, q = np.eye(2), np.zeros(2), np.zeros(())
    base = np.zeros((2, 2))
    view = base[:]
    view.flags.writeable = False
    layers = [Layer(weight, bias, q=q), Layer(view, bias, psi=bias)]
    for array in (weight, bias, q, base):
        array[...] = 7.0
    assert np.array_equal(layers[0].weight, np.eye(2))
    assert not any(np.any(a) for a in (layers[0].bias, layers[0].q, layers[1].weight))


def test_a_memory_map_is_copied(tmp_path: Any) -> None:
    np.save(tmp_path / "w.npy", np.eye(2))
    mapped = np.load(tmp_path / "w.npy", mmap_mode="r+")
    layer = Layer(mapped, np.zeros(2))
    mapped[...] = 7.0
    assert np.array_equal(layer.weight, np.eye(2))


def test_the_arrays_of_the_caller_stay_writeable() -> None:
    weight = np.eye(2)
    Layer(weight, np.zeros(2))
    weight[0, 0] = 2.0


# Values


def test_pickles_and_copies_are_equal() -> None:
    for tree in (NET, Tangent.random(NET, seed=1)):
        for other in (pickle.loads(pickle.dumps(tree)), copy.deepcopy(tree)):
            assert same(tree, other)
    assert pickle.loads(pickle.dumps(NET)).profile == NET.profile


def test_replace_checks_again() -> None:
    assert replace(NET, profile=named("atan")).profile == named("atan")
    assert replace(NET.layers[0], bias=np.ones(4)).bias.sum() == 4
    with pytest.raises(ValueError, match="bias"):
        replace(NET.layers[0], bias=np.ones(3))
    with pytest.raises(ValueError, match="layers"):
        replace(NET, layers=NET.layers[1:])


def test_profile_parameters_are_rounded_to_the_dtype() -> None:
    assert Network(NARROW.layers, relu(0.1)).profile == relu(float(np.float32(0.1)))
    assert Network(NET.layers, relu(0.1)).profile == relu(0.1)


def test_widths_depth_and_parameter_count() -> None:
    assert (NET.widths, NET.depth) == (WIDTHS, 2)
    assert NET.parameter_count == sum(array.size for array in arrays(NET)) == 12 + 8 + 4 + 8 + 4 + 2


def test_random_draws_depend_on_the_seed_alone() -> None:
    again = Network.random(WIDTHS, q=0.5, seed=0)
    assert same(NET, again)
    assert not same(NET, Network.random(WIDTHS, q=0.5, seed=1))
    assert same(NARROW, tree_map(lambda array, _: array.astype("float32"), NET))


def test_every_axis_carries_its_space() -> None:
    seen: list[tuple[int, ...]] = []

    def see(array: Any, spaces: tuple[int, ...]) -> Any:
        seen.append(spaces)
        return array

    assert same(tree_map(see, NET), NET)
    assert seen == [(1, 0), (1,), (), (2, 1), (2,), (2,), (), (3, 2), (3,), (3,)]


# The vector space


def test_tangents_are_a_vector_space() -> None:
    u, v, w = (Tangent.random(NET, seed=seed) for seed in range(3))
    # Small integers: every sum and product is exact.
    u, v, w = (tree_map(lambda array, _: np.round(4 * array), t) for t in (u, v, w))
    zero = Tangent.zeros(NET)
    assert same(u + v, v + u)
    assert same((u + v) + w, u + (v + w))
    assert same(u + zero, u)
    assert same(u - u, zero)
    assert same(u + (-v), u - v)
    assert same(2.0 * (u + v), 2.0 * u + 2.0 * v)
    assert same((2.0 + 3.0) * u, 2.0 * u + 3.0 * u)
    assert same(2.0 * (3.0 * u), 6.0 * u)
    assert same(1.0 * u, u)
    assert same(u * 2.0, 2.0 * u)
    assert u.inner(v) == v.inner(u)
    assert (u + v).inner(w) == u.inner(w) + v.inner(w)
    assert (2.0 * u).inner(v) == 2.0 * u.inner(v)
    assert u.inner(u) > 0
    assert zero.inner(zero) == 0


def test_networks_are_points() -> None:
    u, v = (0.01 * Tangent.random(NET, seed=seed) for seed in range(2))
    assert same(NET + Tangent.zeros(NET), NET)
    assert (NET + u).profile == NET.profile
    assert np.allclose((NET + u + v).layers[0].weight, (NET + (u + v)).layers[0].weight)


@pytest.mark.parametrize("factor", [2, 2.0, np.float64(2), np.float32(2), np.int64(2)])
def test_a_factor_does_not_change_the_precision(factor: Any) -> None:
    v = Tangent.random(NARROW, seed=0)
    for product in (v * factor, factor * v):
        assert isinstance(product, Tangent)
        assert product.layers[0].weight.dtype == np.float32


@pytest.mark.parametrize(
    "operation",
    [
        lambda net, v: net + net,
        lambda net, v: net + 1.0,
        lambda net, v: net - v,
        lambda net, v: 2.0 * net,
        lambda net, v: v + net,
        lambda net, v: v + 1.0,
        lambda net, v: v - 1.0,
    ],
)
def test_sums_that_mean_nothing_are_refused(operation: Callable[[Any, Any], Any]) -> None:
    with pytest.raises(TypeError, match="unsupported operand"):
        operation(NET, Tangent.zeros(NET))
