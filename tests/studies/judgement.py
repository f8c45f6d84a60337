"""What the tolerance study measures on one problem: ρ of correct runs, and of planted errors."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import numpy as np

from isoref import Bounds, Network, bounds, compare, moment, tree_map
from isoref.perturbed import Results, evaluate
from isoref.rounding import Perturbation
from isoref.tolerance import ARITHMETIC, FACTOR, compare_trees, deviations
from tests.algorithms import WIDE, Alter, Contract, Evaluation, Outcome, blas, reference
from tests.studies.cases import Array, Problem

QUANTITIES = ("y", "gradient", "xbar", "ydot", "adjoint", "moments")
INTERMEDIATES = ("a", "r", "g", "h", "hbar", "gbar", "abar")
WIDEST_MOMENT = 300


class Judged(NamedTuple):
    """A problem with its bounds, and what the results should be."""

    problem: Problem
    limit: Bounds
    want: Outcome

    def rho(self, got: Outcome) -> dict[str, float]:
        """Return ρ of every quantity."""
        net, _, ybar, (net_dot, x_dot) = self.problem
        limit, want = self.limit, self.want
        assert limit.gradient is not None
        inner = np.sum(ybar * got.ydot) - got.gradient.inner(net_dot) - np.sum(got.xbar * x_dot)
        turns = [moment(net, got.gradient, s + 1) for s in range(len(limit.moments))]
        pairs = zip(turns, limit.moments, strict=True)
        return {
            "y": compare(got.y, want.y, limit.y).rho,
            "gradient": compare_trees(got.gradient, want.gradient, limit.gradient).rho,
            "xbar": compare(got.xbar, want.xbar, limit.xbar).rho,
            "ydot": compare(got.ydot, want.ydot, limit.ydot).rho,
            "adjoint": compare(inner, np.zeros(()), limit.adjoint).rho,
            "moments": max((compare(m - m.T, 0 * m, e).rho for m, e in pairs), default=0.0),
        }

    def run(self, contract: Contract, **options: Any) -> Outcome:
        net, x, ybar, velocity = self.problem
        return Evaluation(net, contract, **options)(x, ybar, velocity)

    def resolution(self) -> float:
        """The median of E over the outputs, in units of u times mean |y|."""
        unit = ARITHMETIC[str(self.problem.x.dtype)].store
        return float(np.median(self.limit.y) / np.mean(np.abs(self.want.y)) / unit)


def judged(problem: Problem, *, seed: int = 0, **options: Any) -> Judged:
    """Return the problem with its bounds; those of the reference are added if it needs any."""
    net, x, ybar, velocity = problem
    wanted = max(net.widths[1:-1]) <= WIDEST_MOMENT
    limit = bounds(net, x, ybar, *velocity, moments=wanted, seed=seed, **options)
    if x.dtype == np.float64 and not WIDE:
        assert limit.gradient is not None
        both = {name: 2 * getattr(limit, name) for name in ("y", "xbar", "ydot", "gradient")}
        limit = replace(limit, **both)
    return Judged(problem, limit, reference(*problem))


def outputs_seen(case: Judged, got: Outcome, factor: float) -> Array:
    """Plant `factor` times E into every output in turn, both signs; tell which are seen."""
    planted = [got.y + sign * (factor * case.limit.y).astype(got.y.dtype) for sign in (1, -1)]
    return np.array([np.abs(p - case.want.y) > case.limit.y for p in planted])


@dataclass(frozen=True)
class Recorder(Perturbation):
    """Perturbs nothing, and keeps the deviation that every value would have got."""

    found: dict[int, tuple[Array, Array]] = field(default_factory=dict)

    def moved(self, value: Array, deviation: Array, operands: Array, count: int) -> Array:
        self.found[id(value)] = value, np.where(operands == 0, 0.0, deviation)
        return value


def recorded(net: Network, x: Array, ybar: Array) -> tuple[Results, Callable[[Array], Array]]:
    """The unperturbed evaluation, and what gives the deviation that rounding adds to its arrays."""
    recorder = Recorder(ARITHMETIC[str(x.dtype)])
    wide = tree_map(lambda array, _: array.astype(np.float64), net)
    base = evaluate(wide, x.astype(float), ybar.astype(float), None, recorder, with_moments=False)
    return base, lambda value: recorder.found[id(value)][1]


def intermediates(net: Network) -> Iterator[tuple[str, int]]:
    """Yield the name and the layer of every intermediate: `Evaluation.alter` knows them."""
    for i in range(net.depth):
        yield from ((name, i) for name in ("a", "r", "g", "h", "abar"))
        yield from ((name, i + 1) for name in ("hbar", "gbar"))


def _pick(results: Results, name: str, layer: int) -> Array:
    pool = results.spaces if name in ("a", "r", "g", "h") else results.cotangents
    return np.asarray(getattr(pool[layer], name))


class Planted(NamedTuple):
    """Ten deviations planted in one intermediate of a correct run: ρ by the kind of plant.

    at_itself     the rms deviation that the intermediate has in the perturbation model, from all
                  rounding up to it, in every element, with random signs; the intermediate itself
                  is compared, its E being 6 rms
    accumulated   the same plant; the outputs, the gradient and x̄ are compared
    local         the deviation that the model adds at that point alone, likewise
    one_element   the accumulated deviation in one element of one sample, likewise
    correct       nothing planted; the intermediate itself is compared
    """

    name: str
    at_itself: float
    accumulated: float
    local: float
    one_element: float
    correct: float


def plant(case: Judged, seed: int) -> Iterator[Planted]:
    """Plant into each intermediate of a correct run in turn, in every layer."""
    net, x, ybar, _ = case.problem
    rms, _ = deviations(net, x, ybar, moments=False)
    base, local = recorded(net, x, ybar)
    exact: dict[tuple[str, int], Array] = {}
    correct: dict[tuple[str, int], Array] = {}
    reference(net, x, ybar, alter=_keep(exact))
    case.run(blas, alter=_keep(correct))
    rng = np.random.default_rng(seed)
    for name, layer in intermediates(net):
        value, deviation = _pick(base, name, layer), _pick(rms, name, layer)
        signs = rng.choice((-1.0, 1.0), value.shape)
        alone = np.zeros(value.size)
        alone[rng.integers(value.size)] = 1.0
        everywhere = 10 * signs * deviation
        got, want = correct[name, layer], exact[name, layer]
        yield Planted(
            name,
            compare(got + everywhere, want, FACTOR * deviation).rho,
            _seen(case, name, layer, everywhere),
            _seen(case, name, layer, 10 * signs * local(value)),
            _seen(case, name, layer, everywhere * alone.reshape(value.shape)),
            compare(got, want, FACTOR * deviation).rho,
        )


def _keep(kept: dict[tuple[str, int], Array]) -> Alter:
    def keep(name: str, layer: int, value: Array) -> Array:
        kept[name, layer] = value.astype(np.float64)
        return value

    return keep


def _seen(case: Judged, name: str, layer: int, size: Array) -> float:
    """The largest ρ among outputs, gradient and x̄ when `size` is added to an intermediate."""

    def alter(at: str, i: int, value: Array) -> Array:
        return value + size.astype(value.dtype) if (at, i) == (name, layer) else value

    found = case.rho(case.run(blas, alter=alter))
    return max(found[quantity] for quantity in ("y", "gradient", "xbar"))
