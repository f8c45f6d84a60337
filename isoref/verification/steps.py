"""The bound on trained parameters and moments: the optimisers by their formulas, perturbed at will.

As in `tolerance`: every intermediate of a few steps is moved by a deviate of the size of its own
rounding, 32 times, and E = 6 rms of what that does to the network and to its moments. The loss is
the mean of ⟨ȳ, y⟩ over the batch. A rotation adds the rounding of its products and what R lacks in
orthogonality.
"""

from __future__ import annotations

from math import sqrt
from typing import Any, NamedTuple

import numpy as np

from isoref.arrays import precision
from isoref.edits import Rotate
from isoref.network import Network, Tangent, Tree, entry_map, tree_map
from isoref.perturbed import Space, evaluate
from isoref.rounding import Perturbation
from isoref.tolerance import ARITHMETIC, FACTOR, propagated
from isoref.training import SGD, AdamW, Orthogonalised, State
from isoref.training.optimiser import Optimiser
from isoref.training.packed import Packed

NDArray = np.ndarray[Any, Any]

Limit = tuple[Tangent, tuple[Tangent, ...]]
"""E of a network and of its moments."""


class Reached(NamedTuple):
    """Where a course leads, and what tells whether first order holds on the way."""

    net: Tangent
    moments: tuple[Tangent, ...]
    y: NDArray
    spaces: tuple[Space, ...]


def bounds(
    net: Network,
    state: State,
    rule: Optimiser,
    course: tuple[int | Rotate, ...],
    x: NDArray,
    ybar: NDArray,
) -> Limit | None:
    """Return E of the network and of the moments after a course of steps and rotations.

    None where rounding hides the result.
    """
    start, history = _wide(net), [_wide(state.moments[name]) for name in rule.moments]
    origin = Tangent(start.layers)
    inputs, cotangent = x.astype(np.float64), ybar.astype(np.float64) / len(x)

    def run(noise: Perturbation) -> Reached:
        point, moments, steps = origin, history, state.steps
        y = np.zeros((len(x), 1))
        spaces: tuple[Space, ...] = ()
        for part in course:
            if isinstance(part, Rotate):
                R = _lacking(part.R, noise)
                point = _turned(point, part.space, R, noise)
                moments = [_turned(moment, part.space, R, noise) for moment in moments]
                continue
            for _ in range(part):
                steps += 1
                moved = start.trusted(point.layers)
                now = evaluate(moved, inputs, cotangent, None, noise, with_moments=False)
                point, moments = _step(rule, point, now.gradient, moments, steps, noise)
                y, spaces = now.y, (*spaces, *now.spaces)
        return Reached(point, tuple(moments), y, spaces)

    rms, observable = propagated(run, ARITHMETIC[precision(net.reference)], net.profile, 0)
    limits = [entry_map(lambda array, _: FACTOR * array, tree) for tree in (rms.net, *rms.moments)]
    return (limits[0], tuple(limits[1:])) if observable.all() else None


def _step(
    rule: Any,
    net: Tangent,
    gradient: Tangent | None,
    moments: list[Tangent],
    steps: int,
    noise: Perturbation,
) -> tuple[Tangent, list[Tangent]]:
    """One step by the formulas of the optimisers' docstrings."""
    assert gradient is not None
    point, slope, history = Packed(net), Packed(gradient), [Packed(m) for m in moments]
    g = slope.vector
    if rule.clip is not None and (length := np.linalg.norm(g)) > rule.clip:
        shorter = noise.relative(np.array(rule.clip / length), 0.25 * sqrt(g.size) + 2.5)
        g[:] = noise.relative(g * shorter, 1)
    STEPS[type(rule)](rule, point, slope, history, steps, noise)
    point.q[:] = np.maximum(point.q, 0)
    return point.tree(net), [packed.tree(gradient) for packed in history]


def _sgd(
    rule: SGD, point: Packed, slope: Packed, moments: list[Packed], _: int, noise: Perturbation
) -> None:
    theta, g, m = point.vector, slope.vector, moments[0].vector
    if not rule.decoupled:
        g[:] = noise.terms(g, rule.decay * theta)
    m[:] = noise.terms(rule.momentum * m, g)
    push = noise.terms(g, rule.momentum * m) if rule.nesterov else m
    kept = 1 - rule.rate * rule.decay if rule.decoupled else 1.0
    theta[:] = noise.terms(kept * theta, -rule.rate * push)


def _orthogonalised(
    rule: Orthogonalised,
    point: Packed,
    slope: Packed,
    moments: list[Packed],
    _: int,
    noise: Perturbation,
) -> None:
    g, m = slope.vector, moments[0].vector
    m[:] = noise.terms(rule.momentum * m, g)
    g[:] = noise.terms(g, rule.momentum * m) if rule.nesterov else m
    kept = 1 - rule.rate * rule.decay
    for i, (theta, push) in enumerate(zip(point.matrices(), slope.matrices(), strict=True)):
        size = np.array(np.linalg.norm(push))
        length = noise.relative(size, 0.25 * sqrt(push.size) + 2.5) if size > 0 else size + 1
        turned = _newton_schulz(noise.relative(push / length, 1), noise)
        theta[:] = noise.terms(kept * theta, -rule.rate * turned)
        if i < len(point.q):
            point.q[i] = noise.terms(kept * point.q[i], -rule.rate * slope.q[i] / length)


def _newton_schulz(matrix: NDArray, noise: Perturbation) -> NDArray:
    a, b, c = 3.4445, -4.7750, 2.0315
    tall = matrix.shape[0] > matrix.shape[1]
    x = matrix.T if tall else matrix
    for _ in range(5):
        gram = noise.products((x, x.T))
        mixed = noise.terms(b * gram, c * noise.products((gram, gram)))
        x = noise.terms(a * x, noise.products((mixed, x)))
    return x.T if tall else x


def _adamw(
    rule: AdamW,
    point: Packed,
    slope: Packed,
    moments: list[Packed],
    steps: int,
    noise: Perturbation,
) -> None:
    theta, g, (m, v) = point.vector, slope.vector, (moment.vector for moment in moments)
    m[:] = noise.terms(rule.beta1 * m, g)
    v[:] = noise.terms(rule.beta2 * v, noise.relative(g * g, 1))
    mean = m * (1 - rule.beta1) / (1 - rule.beta1**steps)
    square = v * (1 - rule.beta2) / (1 - rule.beta2**steps)
    push = noise.relative(mean / (noise.relative(np.sqrt(square), 1) + rule.eps), 3)
    theta[:] = noise.terms((1 - rule.rate * rule.decay) * theta, -rule.rate * push)


STEPS: dict[type[Optimiser], Any] = {
    SGD: _sgd,
    Orthogonalised: _orthogonalised,
    AdamW: _adamw,
}


def _lacking(R: Any, noise: Perturbation) -> NDArray:
    """Return R with deviates of the size of |RRᵀ − I| |R|, what it lacks in orthogonality."""
    turn = R.astype(np.float64)
    lost = np.abs(turn @ turn.T - np.eye(len(turn))) @ np.abs(turn)
    return noise.moved(turn, lost, lost, 0)


def _turned(tree: Tangent, space: int, R: NDArray, noise: Perturbation) -> Tangent:
    def act(array: NDArray, spaces: tuple[int, ...]) -> NDArray:
        if spaces[:1] == (space,):
            rows = array.reshape(len(array), -1)
            array = noise.products((R, rows)).reshape(array.shape)
        if spaces[1:] == (space,):
            array = noise.products((array, R.T))
        return array

    return tree_map(act, tree)


def _wide(tree: Tree) -> Tree:
    return tree_map(lambda array, _: array.astype(np.float64), tree)
