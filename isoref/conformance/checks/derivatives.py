"""Level 3: derivatives of the activation and of networks."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np

import isoref
from isoref.conformance.calls import array, parts, tangent
from isoref.conformance.checks.activation import Q, reference
from isoref.conformance.judge import UNOBSERVABLE, Verdict, failed, judged, worst_of
from isoref.conformance.plan import Check, Context, of_law, of_vectors
from isoref.conformance.subjects import Run, Subject, of_subjects
from isoref.conformance.vectors import Case
from isoref.gauge import moment
from isoref.layer import AXES
from isoref.network import Network, Tangent, leaves, tree_map
from isoref.perceptron import activation
from isoref.profiles import Profile
from isoref.propagation import forward
from isoref.tolerance import bounds

NDArray = np.ndarray[Any, Any]
Cases = Iterator[tuple[str, Callable[[], Verdict]]]
Gradient = tuple[Tangent, NDArray]


def activation_vjp(
    context: Context, profile: Profile, a: NDArray, q: float, hbar: NDArray, gbar: NDArray
) -> tuple[NDArray, NDArray]:
    """Return (abar, qbar) of the implementation."""
    given = np.asarray(q, context.dtype)
    found = context.calls("activation_vjp", profile, a, given, hbar, gbar)
    abar, qbar = parts("activation_vjp", found, 2)
    return (
        array("abar", abar, a.shape, context.dtype),
        array("qbar", qbar, (len(a),), context.dtype),
    )


def backward(context: Context, net: Network, x: NDArray, ybar: NDArray) -> Gradient:
    """Return (gradient, xbar) of the implementation."""
    gradient, xbar = parts("backward", context.calls("backward", net, x, ybar), 2)
    return tangent("gradient", gradient, net), array("xbar", xbar, x.shape, context.dtype)


def jvp(
    context: Context, net: Network, x: NDArray, net_dot: Tangent, x_dot: NDArray
) -> tuple[NDArray, NDArray]:
    """Return (y, ydot) of the implementation."""
    y, ydot = parts("jvp", context.calls("jvp", net, x, net_dot, x_dot), 2)
    shape = forward(net, x).shape
    return array("y", y, shape, context.dtype), array("ydot", ydot, shape, context.dtype)


def _activation(context: Context, case: Case) -> Verdict:
    a, q, hbar, gbar = (case.array(name, context.dtype) for name in ("a", "q", "hbar", "gbar"))
    abar, qbar = activation_vjp(context, case.profile, a, float(q), hbar, gbar)
    return worst_of([context.judge(case, "abar", abar), context.judge(case, "qbar", qbar)])


def _jacobian(context: Context, case: Case) -> Verdict:
    """One row of the Jacobian for each unit cotangent; gbar = 0."""
    a, q = case.array("a", context.dtype), case.array("q", context.dtype)
    n = a.shape[1]
    unit = np.eye(n, dtype=context.dtype)
    zero = np.zeros((n, 1), context.dtype)
    rows, _ = activation_vjp(context, case.profile, np.repeat(a, n, 0), float(q), unit, zero)
    return context.judge(case, "jacobian", rows)


def _jvp(context: Context, case: Case) -> Verdict:
    net, net_dot = case.network(context.dtype), case.tangent("dot", context.dtype)
    x, x_dot = case.array("x", context.dtype), case.array("x_dot", context.dtype)
    y, ydot = jvp(context, net, x, net_dot, x_dot)
    return worst_of([context.judge(case, "y", y), context.judge(case, "y_dot", ydot)])


def _backward(context: Context, case: Case) -> Verdict:
    net, x = case.network(context.dtype), case.array("x", context.dtype)
    gradient, xbar = backward(context, net, x, case.array("ybar", context.dtype))
    verdicts = [context.judge(case, "xbar", xbar)]
    for i, layer in enumerate(gradient.layers):
        for name in AXES:
            if f"gradient.{i}.{name}" in case.expected:
                verdicts.append(context.judge(case, f"gradient.{i}.{name}", getattr(layer, name)))
    return worst_of(verdicts)


def _structure(context: Context, profile: Profile) -> Cases:
    for n in (2, 5):
        rng = context.rng("structure", profile.name, str(n))
        a = rng.standard_normal((1, n)).astype(context.dtype)
        yield f"{n}", partial(_symmetric, context, profile, a)


def _symmetric(context: Context, profile: Profile, a: NDArray) -> Verdict:
    """J = Jᵀ = γ I + δ u uᵀ, of the rows that unit cotangents give.

    Entries err by a few u of the largest.
    """
    n = a.shape[1]
    unit, zero = np.eye(n, dtype=context.dtype), np.zeros((n, 1), context.dtype)
    J, _ = activation_vjp(context, profile, np.repeat(a, n, 0), Q, unit, zero)
    if not np.isfinite(J).all():
        return failed("the Jacobian must be finite")
    r = np.sqrt((a.astype(np.float64) ** 2).sum() + Q)
    sizes = [float(f(np.array([r]))[0]) for f in (profile.gamma, profile.delta)]
    # γ and δ err by 4u, u = a/r by (¼√n + 3½)u each, δ uuᵀ by the sum; 6 deviations, two entries.
    parts_ = abs(sizes[0]) * 5 + abs(sizes[1]) * (12 + 0.5 * np.sqrt(n))
    bound = 12 * parts_ * context.arithmetic.store
    own = activation(profile, a.astype(np.float64), np.asarray(Q))
    assert own.u is not None
    want = sizes[0] * np.eye(n) + sizes[1] * own.u.T * own.u
    return worst_of(
        [
            judged("J − Jᵀ", J - J.T, np.zeros((n, n)), bound),
            judged("J", J, want, reference(context) * bound / 2),
        ]
    )


def _drawn(context: Context, profile: Profile, key: str) -> Iterator[tuple[str, Any]]:
    for text, net, x in context.networks(profile, key):
        rng = context.rng(key, "velocity", profile.name, text)
        net_dot = tree_map(partial(_in, context.dtype), Tangent.random(net, seed=rng))
        x_dot = np.asarray(rng.standard_normal(x.shape), context.dtype)
        ybar = np.asarray(rng.standard_normal(forward(net, x).shape), context.dtype)
        yield text, (net, x, ybar, net_dot, x_dot)


def _in(dtype: np.dtype[Any], array: NDArray, _: Any) -> NDArray:
    return np.asarray(array, dtype)


def _adjoint(context: Context, profile: Profile) -> Cases:
    for text, drawn in _drawn(context, profile, "adjoint"):
        yield text, partial(_paired, context, *drawn)
        if text == "3-4-2":
            yield f"{text}.far", partial(_far, context, *drawn)


def _far(
    context: Context, net: Network, x: NDArray, ybar: NDArray, net_dot: Tangent, x_dot: NDArray
) -> Verdict:
    """Radii whose cubes overflow: κ underflows there, and (κ a) (a·ȧ) is no way to δ u (u·ȧ)."""
    size = context.dtype.type(2.0**400 if context.dtype == np.float64 else 2.0**55)
    return _paired(context, net, size * x, ybar, net_dot, size * x_dot)


def _paired(
    context: Context, net: Network, x: NDArray, ybar: NDArray, net_dot: Tangent, x_dot: NDArray
) -> Verdict:
    found = bounds(net, x, ybar, net_dot, x_dot, arithmetic=context.arithmetic, moments=False)
    if not found.observable.all():
        return UNOBSERVABLE
    gradient, xbar = backward(context, net, x, ybar)
    _, ydot = jvp(context, net, x, net_dot, x_dot)
    wide = np.float64
    pulled = sum(
        float(np.sum(g.astype(wide) * v.astype(wide))) for _, _, (g, v) in leaves(gradient, net_dot)
    )
    pulled += float((xbar.astype(wide) * x_dot.astype(wide)).sum())
    pushed = float((ybar.astype(wide) * ydot.astype(wide)).sum())
    assert found.adjoint is not None
    assert found.ydot is not None
    point, along = _wide(net, net_dot)
    _, exact = isoref.jvp(point, x.astype(wide), along, x_dot.astype(wide))
    return worst_of(
        [
            judged("⟨ȳ, ẏ⟩", np.array(pushed), np.array(pulled), found.adjoint),
            judged("ẏ", ydot, exact, reference(context) * found.ydot),
        ]
    )


def _wide(*trees: Any) -> Iterator[Any]:
    for tree in trees:
        yield tree_map(lambda v, _: v.astype(np.float64), tree)


def _moments(context: Context, profile: Profile) -> Cases:
    for text, (net, x, ybar, *_) in _drawn(context, profile, "moments"):
        yield text, partial(_moment, context, net, x, ybar)


def _moment(context: Context, net: Network, x: NDArray, ybar: NDArray) -> Verdict:
    found = bounds(net, x, ybar, arithmetic=context.arithmetic)
    if not found.observable.all():
        return UNOBSERVABLE
    gradient, _ = backward(context, net, x, ybar)
    wide = [tree_map(lambda v, _: v.astype(np.float64), tree) for tree in (net, gradient)]
    verdicts = []
    for space, bound in enumerate(found.moments, 1):
        matrix = moment(wide[0], wide[1], space)  # type: ignore[arg-type]
        verdicts.append(judged(f"moment {space}", matrix - matrix.T, np.zeros_like(matrix), bound))
    return worst_of(verdicts)


def _sums(context: Context, profile: Profile) -> Cases:
    for text, (net, x, ybar, *_) in _drawn(context, profile, "sums"):
        yield text, partial(_summed, context, net, x, ybar)


def _summed(context: Context, net: Network, x: NDArray, ybar: NDArray) -> Verdict:
    """The gradient of a batch is the sum of those of its rows, and x̄ goes row by row."""
    whole = bounds(net, x, ybar, arithmetic=context.arithmetic, moments=False)
    if not whole.observable.all():
        return UNOBSERVABLE
    gradient, xbar = backward(context, net, x, ybar)
    each = [backward(context, net, x[[k]], ybar[[k]]) for k in range(len(x))]
    single = [
        bounds(net, x[[k]], ybar[[k]], arithmetic=context.arithmetic, moments=False)
        for k in range(len(x))
    ]
    assert whole.gradient is not None
    verdicts = []
    trees = (gradient, whole.gradient, *(g for g, _ in each), *(s.gradient for s in single))
    for i, name, arrays in leaves(*trees):  # type: ignore[arg-type]
        got, bound, *rest = (v.astype(np.float64) for v in arrays)
        parts_, limits = rest[: len(x)], rest[len(x) :]
        verdicts.append(judged(f"gradient.{i}.{name}", got, sum(parts_), bound + sum(limits)))
    rows = np.concatenate([v for _, v in each])
    verdicts.append(judged("xbar", xbar, rows, 2 * whole.xbar))  # type: ignore[operator]
    return worst_of(verdicts)


def _fresh(context: Context, subject: Subject) -> Iterator[Run]:
    if subject.features or subject.text == "3-4-2":
        yield "gradient", (), partial(gradient_is_right, context, subject.net, subject.x[:3])


def gradient_is_right(context: Context, net: Network, x: NDArray, size: Any = 1.0) -> Verdict:
    """Judge the gradient against isoref's in float64, for cotangents of this size."""
    rng = context.rng("fresh", net.profile.name)
    ybar = (size * rng.standard_normal(forward(net, x).shape)).astype(context.dtype)
    limit = bounds(net, x, ybar, arithmetic=context.arithmetic, moments=False)
    if not limit.observable.all():
        return UNOBSERVABLE
    gradient, xbar = backward(context, net, x, ybar)
    wide, inputs = next(_wide(net)), x.astype(np.float64)
    own, own_xbar = isoref.backward(wide, isoref.trace(wide, inputs), ybar.astype(np.float64))
    more, verdicts = reference(context), []
    for i, name, (got, want, bound) in leaves(gradient, own, limit.gradient):  # type: ignore[arg-type]
        verdicts.append(judged(f"gradient.{i}.{name}", got, want, more * bound))
    verdicts.append(judged("xbar", xbar, own_xbar, more * limit.xbar))  # type: ignore[operator]
    return worst_of(verdicts)


CHECKS: tuple[Check, ...] = (
    of_vectors(
        "L3.activation",
        "S3.2",
        "ā and q̄ of one activation",
        ("activation_vjp",),
        _activation,
        ("L1.values",),
    ),
    of_vectors(
        "L3.jacobian", "S3.2", "γ I + (γ′/r) a aᵀ", ("activation_vjp",), _jacobian, ("L1.values",)
    ),
    of_law(
        "L3.structure",
        "S3.2",
        "the Jacobian is γ I + δ u uᵀ, symmetric (C04)",
        ("activation_vjp",),
        _structure,
        ("L3.activation", "L3.jacobian"),
    ),
    of_vectors("L3.jvp", "S3.1", "y and ẏ", ("jvp",), _jvp, ("L2.values",)),
    of_vectors(
        "L3.backward",
        "S3.2",
        "the gradient and x̄",
        ("backward",),
        _backward,
        ("L2.values", "L3.activation"),
    ),
    of_law(
        "L3.adjoint",
        "S3.3",
        "⟨ȳ, ẏ⟩ = ⟨gradient, v⟩ + ⟨x̄, ẋ⟩ (C05)",
        ("backward", "jvp"),
        _adjoint,
        ("L3.jvp", "L3.backward"),
    ),
    of_law(
        "L3.moments",
        "S4.5",
        "the gradient is orthogonal to the gauge (C31)",
        ("backward",),
        _moments,
        ("L3.backward",),
    ),
    of_law(
        "L3.sums",
        "S3.2",
        "the gradient of a batch is the sum over its rows",
        ("backward",),
        _sums,
        ("L3.backward",),
    ),
    of_subjects(
        "L3.fresh",
        "S3.2",
        "gradients of networks that are drawn: dense, of convolutions, with a skip",
        ("backward",),
        _fresh,
        ("L3.backward",),
    ),
)
