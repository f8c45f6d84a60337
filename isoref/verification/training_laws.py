"""Training commutes with rotations and with growing, and the state of an optimiser follows edits.

Warm-up steps give the state a history. From there, with real gradients,

    steps, then an edit of network and state == the edit, then steps                  (C21, C10)
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import fields, replace
from itertools import cycle
from typing import Any

import numpy as np

from isoref.arrays import haar
from isoref.edits import Drop, Edit, Grow, Rotate, replay
from isoref.layer import Layer
from isoref.network import Network, Tangent, leaves, tree_map
from isoref.tolerance import Worst, compare, compare_trees
from isoref.training import (
    SGD,
    AdamW,
    Controller,
    Orthogonalised,
    Run,
    State,
    TransportError,
    train,
    transport,
)
from isoref.training.divergence import Diverged
from isoref.training.optimiser import Optimiser
from isoref.verification import steps
from isoref.verification.cases import Case
from isoref.verification.check import Check, worst_of
from isoref.verification.surgery import Found

NDArray = np.ndarray[Any, Any]

RULES: tuple[Optimiser, ...] = (
    SGD(rate=0.1),
    SGD(rate=0.1, momentum=0.0, clip=0.01),
    Orthogonalised(rate=0.1),
    SGD(rate=0.1, nesterov=True, decay=0.01),
    Orthogonalised(rate=0.1, decay=0.01, nesterov=True),
    SGD(rate=0.1, decay=0.01, decoupled=True),
    AdamW(rate=0.01, decay=0.1),
)
TWO = RULES[2:4]
WARM, STEPS = 2, 2


def checks(
    cases: Iterable[Case], label: str, seed: int, rules: tuple[Optimiser, ...] = RULES
) -> Iterator[Check]:
    """Yield one check per law; the cases take turns at the rules, one each."""
    rng = np.random.default_rng(seed)
    rotated: Found = []
    grown: Found = []
    dropped: Found = []
    for rule, case in zip(rules, cycle(cases), strict=False):
        text = f"{_settings(rule)} on {case.text}"
        start = trained(Run(case.net, rule.start(case.net)), case, rule, WARM)
        if rule.commutes:
            rotated.append((text, _rotation(start, case, rule, rng)))
        grown.append((text, _growth(start, case, rule)))
        dropped.append((text, _undone(start, rng)))
    law = "training commutes with rotations, state and all (C21)"
    yield worst_of(f"optimisers.rotate.{label}", law, rotated)
    law = "training commutes with growing inert neurons (C10)"
    yield worst_of(f"optimisers.grow.{label}", law, grown)
    yield worst_of(f"optimisers.drop.{label}", "drop undoes grow, state and all", dropped)


def refusals(dtype: str) -> Iterator[Check]:
    """AdamW has no transport through a rotation: refused, and the figures of why (C22, C32).

    1–2–1, softsign, x = 1, W₀ = (3, 4)ᵀ, W₁ = (4, −3): ā = (2/3, −1/2). R = [[3, 4], [−4, 3]]/5.
    The step before the rotation is R sign(ā) = (−1/5, −7/5), the one after it sign(R ā) = (0, −1),
    both in the limit ε → 0. The sign of a rounded 0 is noise: ε is 2⁻¹⁰ instead.
    """
    zero, R = np.zeros(2, dtype), np.array([[3, 4], [-4, 3]], dtype) / np.dtype(dtype).type(5)
    layers = (
        Layer(np.array([[3], [4]], dtype), zero, q=0.0),
        Layer(np.array([[4, -3]], dtype), zero[:1], psi=zero[:1]),
    )
    net, one = Network(layers, "softsign"), np.ones((1, 1), dtype)
    case = Case("C22", net, one, one, Tangent.zeros(net), one)
    rule = AdamW(rate=1.0, beta1=0.0, beta2=0.0, eps=2.0**-10)
    turn = Rotate(1, R)
    start = Run(net, rule.start(net))
    late = turn.apply(trained(start, case, rule, 1).net)
    early = trained(Run(turn.apply(net), start.state), case, rule, 1).net

    def signs(v: NDArray) -> NDArray:
        return np.asarray(v / (np.abs(v) + rule.eps))

    before = np.array([[3, 4], [-4, 3]]) / 5 @ signs(np.array([2 / 3, -1 / 2]))
    after = signs(np.array([0, -5 / 6]))
    found: Found = []
    sides = ("before", late, (1, turn), before), ("after", early, (turn, 1), after)
    for text, got, course, want in sides:
        limit = steps.bounds(net, start.state, rule, course, case.x, case.ybar)
        bias = None if limit is None else limit[0].layers[0].bias
        worst = None if bias is None else compare(-got.layers[0].bias, want, bias)
        found.append((f"the step {text} R", worst))
    controller = Controller(threshold=0.5, buffer=1)
    attempts = {
        "transport": lambda: transport(start.state, (turn,)),
        "train": lambda: train(
            net,
            one,
            np.zeros(1, int),
            optimiser=rule,
            epochs=1,
            batch=1,
            seed=0,
            rules=(controller,),
        ),
    }
    found += [(name, _refused(attempt)) for name, attempt in attempts.items()]
    law = "AdamW has no transport: refused, and the figures of C22 (C22, C32)"
    yield worst_of(f"optimisers.refuse.{dtype}", law, found)


def differing(a: Network | Tangent, b: Network | Tangent) -> int:
    """Return how many arrays of two trees differ in a bit."""
    pairs = leaves(a, b)
    return sum(np.asarray(v).tobytes() != np.asarray(w).tobytes() for _, _, (v, w) in pairs)


def identical(a: tuple[Network, State], b: tuple[Network, State]) -> Worst:
    """Compare networks and states bit by bit: the error counts the arrays that differ."""
    (net, state), (other, follower) = a, b
    wrong = np.inf
    if net.widths == other.widths and [*state.moments] == [*follower.moments]:
        wrong = float(differing(net, other) + (state.steps != follower.steps))
        wrong += sum(differing(m, follower.moments[name]) for name, m in state.moments.items())
    return Worst(np.inf if wrong else 0.0, wrong, 0.0, "arrays that differ")


def trained(run: Run[Network], case: Case, rule: Optimiser, count: int) -> Run[Network]:
    """Go on for `count` steps on the whole batch; the loss is the mean of ⟨ȳ, y⟩."""

    def loss(y: NDArray, ybar: NDArray) -> tuple[Any, NDArray]:
        return (y * ybar).sum() / len(y), ybar / len(y)

    return train(
        run,
        case.x,
        case.ybar,
        optimiser=rule,
        epochs=run.epoch + count,
        batch=len(case.x),
        seed=0,
        loss=loss,
    )


def _edited(run: Run[Network], edits: tuple[Edit, ...]) -> Run[Network]:
    return replace(run, net=replay(run.net, edits), state=transport(run.state, edits))


def _rotation(
    start: Run[Network], case: Case, rule: Optimiser, rng: np.random.Generator
) -> Worst | None:
    """Compare both orders of steps and Haar rotations of all hidden spaces."""
    net, state = start.net, start.state
    dtype = net.reference.dtype
    turns = tuple(
        Rotate(space, haar(net.widths[space], seed=rng).astype(dtype))
        for space in range(1, net.depth + 1)
    )
    courses: tuple[tuple[int | Rotate, ...], ...] = (STEPS, *turns), (*turns, STEPS)

    def limits() -> Iterator[steps.Limit | None]:
        for course in courses:
            yield steps.bounds(net, state, rule, course, case.x, case.ybar)

    return _compared(start, case, rule, turns, limits)


def _growth(start: Run[Network], case: Case, rule: Optimiser) -> Worst | None:
    """Compare both orders of a step and growing two inert neurons, zero rows and zero columns.

    Zeros round nothing: both sides have the bound of the step alone, and what is new has none.
    """
    net = start.net
    edits = tuple(
        Grow(space, np.zeros((net.widths[space + 1], 2), net.reference.dtype))
        for space in range(1, net.depth + 1)
    )

    def limits() -> Iterator[steps.Limit | None]:
        limit = steps.bounds(net, start.state, rule, (1,), case.x, case.ybar)
        if limit is not None:
            limit = _padded(limit[0]), tuple(_padded(moment) for moment in limit[1])
        yield from (limit, limit)

    return _compared(start, case, rule, edits, limits, 1)


def _padded(tree: Tangent) -> Tangent:
    """Return the tree with two zeros more along every axis of a hidden space."""
    hidden = range(1, tree.depth + 1)

    def act(array: NDArray, spaces: tuple[int, ...]) -> NDArray:
        return np.pad(array, [(0, 2 * (space in hidden)) for space in spaces]) if spaces else array

    return tree_map(act, tree)


def _undone(start: Run[Network], rng: np.random.Generator) -> Worst:
    """Grow and drop each space: network and state are the same to the bit."""
    edits: list[Edit] = []
    for space, width in enumerate(start.net.widths[1:-1], 1):
        columns = rng.standard_normal((start.net.widths[space + 1], 2))
        grow = Grow(space, columns.astype(start.net.reference.dtype))
        edits += [grow, Drop(space, (width, width + 1))]
    back = _edited(start, tuple(edits))
    return identical((back.net, back.state), (start.net, start.state))


def _compared(
    start: Run[Network],
    case: Case,
    rule: Optimiser,
    edits: tuple[Edit, ...],
    limits: Callable[[], Iterable[steps.Limit | None]],
    count: int = STEPS,
) -> Worst | None:
    """Return the worst entry of network and moments over both orders, whose bounds add."""
    try:
        late = _edited(trained(start, case, rule, count), edits)
        early = trained(_edited(start, edits), case, rule, count)
    except (TransportError, Diverged) as error:
        return Worst(np.inf, np.inf, 0.0, f"({type(error).__name__})")
    first, second = limits()
    if first is None or second is None:
        return None
    worst = [
        compare_trees(Tangent(early.net.layers), Tangent(late.net.layers), first[0] + second[0])
    ]
    moments = zip(early.state.moments.items(), first[1], second[1], strict=True)
    for (name, moment), one, other in moments:
        found = compare_trees(moment, late.state.moments[name], one + other)
        worst.append(replace(found, where=f"{name}.{found.where}"))
    return max(worst, key=lambda found: found.rho)


def _settings(rule: Optimiser) -> str:
    """Return the name of a rule and the settings that are not the default ones."""
    chosen = ((field.name, getattr(rule, field.name), field.default) for field in fields(rule))
    own = (f"{name}={value}" for name, value, default in chosen if value != default)
    return f"{type(rule).__name__}({', '.join(own)})"


def _refused(attempt: Callable[[], object]) -> Worst:
    try:
        attempt()
    except TransportError:
        return Worst(0.0, 0.0, 0.0, "refused")
    return Worst(np.inf, np.inf, 0.0, "not refused")
