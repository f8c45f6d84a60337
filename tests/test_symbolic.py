"""The shipped forward, backward and jvp, executed on symbols with an undefined σ (C05, C06, C31).

Every identity is an exact zero, decided by `proofs.identities.vanishes`; every mutant is seen.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import sympy

from isoref import (
    AXES,
    Layer,
    Network,
    Tangent,
    backward,
    forward,
    jvp,
    moment,
    perceptron,
    propagation,
    rotate,
    trace,
)
from isoref.profiles import softsign
from proofs.identities import Relations, vanishes
from proofs.symbols import Symbols, Undefined, array, symbols

Tree = Network | Tangent


def layers(widths: tuple[int, ...], mark: str = "", **q: bool) -> list[Layer]:
    last = len(widths) - 2
    return [
        Layer(
            symbols(f"W{mark}{i}_", rows, columns),
            symbols(f"b{mark}{i}_", rows),
            psi=symbols(f"psi{mark}{i}_", rows) if i else None,
            q=symbols(f"q{mark}{i}", **q) if i < last else None,
        )
        for i, (columns, rows) in enumerate(pairwise(widths))
    ]


def network(*widths: int) -> Network:
    return Network(layers(widths, nonnegative=True), Undefined())


def entries(arrays: Any) -> list[Any]:
    return list(np.asarray(arrays).ravel())


def leaves(tree: Tree) -> Iterator[Any]:
    for layer in tree.layers:
        for name in AXES:
            if getattr(layer, name) is not None:
                yield from entries(getattr(layer, name))


def zero(got: Symbols, want: Symbols, relations: Relations = ()) -> bool:
    assert got.shape == want.shape
    return all(vanishes(e, relations) for e in entries(got - want))


def gradient_holds(net: Network) -> bool:
    """backward(net, trace, ȳ) is the derivative of ⟨ȳ, y⟩ by every parameter and x."""
    x, ybar = symbols("x", 1, net.widths[0]), symbols("ybar", 1, net.widths[-1])
    gradient, xbar = backward(net, trace(net, x), ybar)
    value = (ybar * forward(net, x)).sum().item()
    pairs = zip([*leaves(net), *entries(x)], [*leaves(gradient), *entries(xbar)], strict=True)
    return all(vanishes(sympy.diff(value, parameter) - bar) for parameter, bar in pairs)


def jvp_holds(net: Network) -> bool:
    """jvp(net, x, v, ẋ) is forward and its derivative along (v, ẋ)."""
    x, x_dot = symbols("x", 1, net.widths[0]), symbols("xdot", 1, net.widths[0])
    v = Tangent(layers(net.widths, mark="dot"))
    y, y_dot = jvp(net, x, v, x_dot)
    want = forward(net, x)
    points, velocities = [*leaves(net), *entries(x)], [*leaves(v), *entries(x_dot)]
    slopes = [
        sum(sympy.diff(e, p) * d for p, d in zip(points, velocities, strict=True))
        for e in entries(want)
    ]
    return zero(y, want) and zero(y_dot, array(slopes).reshape(y_dot.shape))


def invariance_holds(net: Network, mirrored: int) -> bool:
    """forward(rotate(net, 1, R), x) == forward(net, x) for R with c² + s² = 1, of either sign."""
    c, s = sympy.symbols("c s", real=True)
    entries_of_R = np.eye(net.widths[1], dtype=object)
    entries_of_R[:2, :2] = [[c, -s * mirrored], [s, c * mirrored]]
    R = array(entries_of_R)
    x = symbols("x", 1, net.widths[0])
    return zero(forward(rotate(net, 1, R), x), forward(net, x), ((s, 1 - c**2),))


def adjoint_holds(net: Network) -> bool:
    """⟨ȳ, ẏ⟩ = ⟨gradient, v⟩ + ⟨x̄, ẋ⟩."""
    x, x_dot = symbols("x", 1, net.widths[0]), symbols("xdot", 1, net.widths[0])
    v, ybar = Tangent(layers(net.widths, mark="dot")), symbols("ybar", 1, net.widths[-1])
    gradient, xbar = backward(net, trace(net, x), ybar)
    y_dot = jvp(net, x, v, x_dot)[1]
    return zero((ybar * y_dot).sum(), gradient.inner(v) + (xbar * x_dot).sum())


def moments_hold(net: Network) -> bool:
    """The moment of every hidden space is symmetric for the gradient of ⟨ȳ, y⟩."""
    x, ybar = symbols("x", 1, net.widths[0]), symbols("ybar", 1, net.widths[-1])
    gradient, _ = backward(net, trace(net, x), ybar)
    moments = [moment(net, gradient, space) for space in range(1, net.depth + 1)]
    return all(zero(m, m.T) for m in moments)


WIDTHS = [(3, 2), (2, 2, 1), (1, 3, 1), (2, 1, 2), (1, 1, 1, 1)]


@pytest.mark.parametrize("widths", WIDTHS)
def test_backward_and_jvp_are_the_derivatives_of_forward(widths: tuple[int, ...]) -> None:
    net = network(*widths)
    assert gradient_holds(net)
    assert jvp_holds(net)
    assert adjoint_holds(net)


def test_the_activation_of_three_neurons_has_the_hand_written_derivatives() -> None:
    a, a_dot = symbols("a", 1, 3), symbols("adot", 1, 3)
    hbar, gbar = symbols("hbar", 1, 3), symbols("gbar", 1, 1)
    q, q_dot = symbols("q", nonnegative=True), symbols("qdot")
    state = perceptron.activation(Undefined(), a, q)
    abar, qbar = perceptron.activation_vjp(Undefined(), state, hbar, gbar)
    h_dot, g_dot = perceptron.activation_jvp(Undefined(), state, a_dot, q_dot)
    value = ((state.h * hbar).sum() + state.g * gbar).item()
    slopes = [sympy.diff(value, p) for p in [*entries(a), *entries(q)]]
    assert all(
        vanishes(s - bar) for s, bar in zip(slopes, [*entries(abar), *entries(qbar)], strict=True)
    )
    along = sum(s * d for s, d in zip(slopes, [*entries(a_dot), *entries(q_dot)], strict=True))
    assert vanishes(((h_dot * hbar).sum() + g_dot * gbar).item() - along)


@pytest.mark.parametrize("widths", [(2, 2, 1), (1, 3, 1), (1, 2, 1, 1)])
@pytest.mark.parametrize("mirrored", [1, -1])
def test_forward_is_invariant_under_the_gauge(widths: tuple[int, ...], mirrored: int) -> None:
    assert invariance_holds(network(*widths), mirrored)


@pytest.mark.parametrize("widths", [(2, 2, 1), (1, 3, 1)])
def test_the_moments_of_the_gradient_are_symmetric(widths: tuple[int, ...]) -> None:
    assert moments_hold(network(*widths))


def test_numbers_are_computed_with_exactly() -> None:
    """The refutation of C10: ā = (7/60, −1/15) at a = (3, 4), and (1/16, 0) at a = (3, 0)."""
    for second, want in ((4, ["7/60", "-1/15"]), (0, ["1/16", "0"])):
        below = Layer(array([[1], [0]]), array([0, second]), q=array(0))
        above = Layer(array([[1, 0]]), array([0]), psi=array([0]))
        net = Network([below, above], softsign)
        gradient, _ = backward(net, trace(net, array([[3]])), array([[1]]))
        assert [str(e) for e in entries(gradient.layers[0].bias)] == want


def without_radial_term(profile: Any, state: Any, hbar: Any, gbar: Any) -> tuple[Any, Any]:
    _, qbar = VJP(profile, state, hbar, gbar)
    return state.g * hbar + profile.gamma_prime(state.r) * gbar * state.u, qbar


def without_gain(profile: Any, state: Any, hbar: Any, gbar: Any) -> tuple[Any, Any]:
    abar, qbar = VJP(profile, state, hbar, gbar)
    return abar + (1 - state.g) * hbar, qbar


def without_half_of_kappa(profile: Any, state: Any, hbar: Any, gbar: Any) -> tuple[Any, Any]:
    abar, qbar = VJP(profile, state, hbar, gbar)
    return abar, qbar + profile.kappa(state.r) * gbar / 2


def without_gain_cotangent(profile: Any, state: Any, hbar: Any, gbar: Any) -> tuple[Any, Any]:
    return VJP(profile, state, hbar, 0 * gbar)


def jvp_without_radial_term(profile: Any, state: Any, a_dot: Any, q_dot: Any) -> tuple[Any, Any]:
    h_dot, g_dot = JVP(profile, state, a_dot, q_dot)
    radial = (state.u * a_dot).sum(axis=1, keepdims=True)
    return h_dot - profile.delta(state.r) * radial * state.u, g_dot


def jvp_without_half(profile: Any, state: Any, a_dot: Any, q_dot: Any) -> tuple[Any, Any]:
    return JVP(profile, state, a_dot, 2 * q_dot)


def without_psi(layer: Layer, h: Any, g: Any) -> Any:
    return AFFINE(layer, h, None)


def with_psi_on_h(layer: Layer, h: Any, g: Any) -> Any:
    return AFFINE(layer, h, g) if g is None else AFFINE(layer, h, None) + layer.psi * h.sum()


def elementwise(profile: Any, a: Any, q: Any) -> Any:
    state = ACTIVATION(profile, a, q)
    each = ACTIVATION(profile, a.T, q)
    return state._replace(h=each.h.T)


VJP, JVP = perceptron.activation_vjp, perceptron.activation_jvp
AFFINE, ACTIVATION = perceptron.affine, perceptron.activation

MUTANTS: list[tuple[str, Callable[..., Any], Callable[[Network], bool]]] = [
    ("activation_vjp", without_radial_term, gradient_holds),
    ("activation_vjp", without_gain, moments_hold),
    ("activation_vjp", without_half_of_kappa, gradient_holds),
    ("activation_vjp", without_gain_cotangent, gradient_holds),
    ("activation_vjp", without_gain_cotangent, adjoint_holds),
    ("activation_jvp", jvp_without_radial_term, jvp_holds),
    ("activation_jvp", jvp_without_half, jvp_holds),
    ("affine", without_psi, gradient_holds),
    ("affine", with_psi_on_h, lambda net: invariance_holds(net, 1)),
    ("activation", elementwise, lambda net: invariance_holds(net, 1)),
]


@pytest.mark.parametrize(("name", "mutant", "holds"), MUTANTS)
def test_mutants_are_seen(
    name: str, mutant: Any, holds: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(propagation, name, mutant)
    assert not holds(network(2, 2, 1))
