"""One code for all array libraries: each gives the results of NumPy, and nothing waits for a host.

NumPy's arrays are read-only here, those of array-api-strict, pinned to the 2024.12 standard, are on
a device that is not the host, torch's are on the CPU, and CuPy needs a device. The profile `unit`
may read the host: it asks whether a radius is 0, to refuse it.
"""

from __future__ import annotations

import ast
import inspect
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import isoref
from isoref import (
    Tangent,
    arrays,
    backward,
    bounds,
    forward,
    haar,
    jvp,
    perceptron,
    propagation,
    rho,
    rotate,
    trace,
)
from isoref.tolerance import compare_trees
from tests.libraries import MAKERS, Make, case, converted, within

PROFILES = ["tanh", "atan", "log1p", "softsign", "squash", "silu", "gelu", "relu(tau=0.5)"]
PROFILES += ["identity", "unit"]
DTYPES = ["float64", "float32"]
SYNCHRONISING = (
    "__bool__",
    "__float__",
    "__int__",
    "__index__",
    "__complex__",
    "__array__",
    "item",
)


LIBRARIES = ["numpy", "strict", "torch", "jax", pytest.param("cupy", marks=pytest.mark.gpu)]


@pytest.fixture(params=LIBRARIES)
def make(request: pytest.FixtureRequest) -> Iterator[Make]:
    if request.param != "strict":
        yield MAKERS[request.param]
        return
    strict = pytest.importorskip("array_api_strict")
    with strict.ArrayAPIStrictFlags(api_version="2024.12"):
        yield MAKERS["strict"]


def no_host(patch: pytest.MonkeyPatch, array: Any) -> None:
    """Make every way of `array` to the host raise."""

    def refuse(*_: Any, **__: Any) -> Any:
        raise AssertionError("an array was read on the host")

    patch.setattr(arrays, "to_numpy", refuse)
    if type(array).__module__.partition(".")[0] in ("torch", "array_api_strict"):
        for name in SYNCHRONISING:
            if hasattr(type(array), name):
                patch.setattr(type(array), name, refuse)


@pytest.mark.parametrize("library", ["strict", "torch"])
def test_reads_on_the_host_are_seen(library: str, monkeypatch: pytest.MonkeyPatch) -> None:
    x = MAKERS[library](np.ones(1))
    no_host(monkeypatch, x)
    for read in (bool, float, int, np.tanh, arrays.to_numpy, lambda a: a.item()):
        with pytest.raises((AssertionError, AttributeError)):
            read(x)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("profile", PROFILES)
def test_every_library_gives_the_results_of_numpy_without_a_host(
    profile: str, dtype: str, make: Make
) -> None:
    net, x, ybar, net_dot, x_dot, limit = case(profile, dtype)
    there, v = converted(net, make), converted(net_dot, make)
    given = [make(value) for value in (x, ybar, x_dot)]
    with pytest.MonkeyPatch.context() as patch:
        if profile != "unit":
            no_host(patch, given[0])
        y = forward(there, given[0])
        gradient, xbar = backward(there, trace(there, given[0]), given[1])
        ydot = jvp(there, given[0], v, given[2])[1]
        gradient.inner(2.0 * v - v)
    for array in (y, xbar, ydot, *(layer.weight for layer in gradient.layers)):
        assert type(array) is type(given[0])
        assert array.dtype == given[0].dtype
        assert array.device == given[0].device
    want, want_xbar = backward(net, trace(net, x), ybar)
    assert within(y, forward(net, x), limit.y)
    assert within(gradient, want, limit.gradient)
    assert within(xbar, want_xbar, limit.xbar)
    assert within(ydot, jvp(net, x, net_dot, x_dot)[1], limit.ydot)


def test_no_step_is_in_place_on_an_argument(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every array that one perceptron hands to the next is read-only here."""

    def frozen(value: Any) -> Any:
        if isinstance(value, perceptron.State):
            return perceptron.State(*map(frozen, value))
        if isinstance(value, np.ndarray):
            value = value.view()
            value.flags.writeable = False
        return value

    def guarded(function: Any) -> Any:
        return lambda *given: function(*map(frozen, given))

    for part in ("affine", "activation"):
        for name in (part, f"{part}_jvp", f"{part}_vjp"):
            monkeypatch.setattr(propagation, name, guarded(getattr(propagation, name)))
    monkeypatch.setattr(perceptron, "polar", guarded(perceptron.polar))
    net, x, ybar, net_dot, x_dot, _ = case("tanh", "float64")
    backward(net, trace(net, x), ybar)
    jvp(net, x, net_dot, x_dot)


@pytest.mark.parametrize("dtype", DTYPES)
def test_rotations_and_vectors_live_in_every_library(dtype: str, make: Make) -> None:
    net, x, *_, limit = case("tanh", dtype)
    there, R = converted(net, make), make(haar(5, seed=4).astype(dtype))
    turned = rotate(there, 1, R)
    assert rho(forward(turned, make(x)), forward(net, x), limit.y + bounds(turned, x).y) <= 1
    zero, v = Tangent.zeros(there), Tangent.random(there, seed=5)
    for tree in (there + zero, v + zero, v - v, -v, 0.5 * v, rotate(v, 1, R)):
        assert tree.layers[0].weight.dtype == R.dtype
        assert tree.layers[0].weight.device == R.device
    assert compare_trees(v - v, zero, zero).rho == 0
    inner = v.inner(v)
    assert type(inner) is type(R)
    assert inner.shape == ()
    assert inner.dtype == R.dtype


def names_taken() -> set[tuple[str, tuple[str, ...]]]:
    """Every name that isoref takes from a namespace called xp, and the keywords of the call."""
    found = set()
    for path in Path(isoref.__file__).parent.rglob("*.py"):
        nodes = list(ast.walk(ast.parse(path.read_text())))
        calls = {id(node.func): node for node in nodes if isinstance(node, ast.Call)}
        for node in nodes:
            name = ast.unparse(node) if isinstance(node, ast.Attribute) else ""
            if name.startswith("xp.") and name != "xp.linalg":
                call = calls.get(id(node))
                keywords = [str(k.arg) for k in call.keywords] if call else []
                found.add((name.removeprefix("xp."), tuple(keywords)))
    return found


def test_cupy_has_every_name_and_keyword() -> None:
    """Importing CuPy needs no device."""
    pytest.importorskip("cupy")
    xp = pytest.importorskip("array_api_compat.cupy")
    taken = names_taken()
    assert {name for name, _ in taken} >= {"where", "sqrt", "max", "float64"}
    for name, keywords in taken:
        value = xp
        for part in name.split("."):
            assert hasattr(value, part), name
            value = getattr(value, part)
        if keywords:
            assert set(keywords) <= set(inspect.signature(value).parameters), name
