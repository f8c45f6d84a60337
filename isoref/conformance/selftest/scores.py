"""Who kills whom: every mutant before every check that its mistake can reach.

A mutant is killed where a check is red. One that survives is not observable if it changes no bit,
or if it changes less than E: its mistake alone, evaluated in float64 and judged by the bound of the
precision in question, has ρ ≤ 1. That is computed for each survivor.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from math import inf
from typing import Any

from isoref.conformance.adapter import METHODS, offer
from isoref.conformance.calls import Calls, Failure, bytes_of
from isoref.conformance.checks import CHECKS
from isoref.conformance.plan import Check, Context
from isoref.conformance.run import Runner
from isoref.conformance.selftest.algorithms import PRECISIONS
from isoref.conformance.selftest.evaluated import evaluated
from isoref.conformance.selftest.mutant import Mutant
from isoref.conformance.status import RED, Record
from isoref.conformance.vectors import Corpus

ENOUGH = 10.0
"""A check is left after a figure beyond this: it would be red with a tenfold bound too."""


@dataclass(frozen=True)
class Score:
    """What the suite says of one mutant in one precision.

    Attributes
    ----------
    name, precision : str
    rho : dict of str to float
        The largest figure of each check, ∞ where a law without a figure is broken or nothing
        comes back that could be judged; looking stops beyond 10.
    hidden : float or None
        Of a survivor: ρ of its mistake alone, 0 if it changes no bit; None if it was killed.
    """

    name: str
    precision: str
    rho: dict[str, float]
    hidden: float | None = None

    @property
    def killers(self) -> tuple[str, ...]:
        """The checks that are red."""
        return tuple(check for check, rho in self.rho.items() if rho > 1)

    @property
    def killed(self) -> bool:
        """Whether any check is red."""
        return bool(self.killers)

    @property
    def observable(self) -> bool:
        """Whether the bound lets the mistake be seen."""
        return self.killed or (self.hidden or 0.0) > 1

    @property
    def loose(self) -> bool:
        """Whether it was killed, and would live if E were ten times as large."""
        return self.killed and max(self.rho.values()) <= ENOUGH


def reached(mutant: Mutant, checks: Sequence[Check] = CHECKS) -> tuple[Check, ...]:
    """Return the checks that call what the mutant changes, without their prerequisites.

    Examples
    --------
    >>> from isoref.conformance.selftest.mutants import MUTANTS
    >>> grown = next(mutant for mutant in MUTANTS if mutant.part == "grow")
    >>> [check.id for check in reached(grown)]
    ['L5.grow']
    """
    inner = {name for name, level in METHODS.items() if level <= 3}
    parts = {mutant.part} if mutant.part in METHODS else inner
    return tuple(
        replace(check, needs=())
        for check in checks
        if parts & set(check.methods)
        and not set(mutant.lacks) & set(check.methods)
        and (not check.id.endswith("precision") or mutant.killer.endswith("precision"))
    )


def score(
    mutant: Mutant,
    precision: str,
    corpus: Corpus,
    *,
    seed: int = 0,
    checks: Sequence[Check] = CHECKS,
) -> Score:
    """Judge a mutant in a precision, by those of `checks` that its mistake can reach.

    Examples
    --------
    >>> from isoref.conformance.selftest.mutants import MUTANTS
    >>> grown = next(mutant for mutant in MUTANTS if mutant.name == "grows_zero_columns")
    >>> score(grown, "float64", Corpus("", ())).killers
    ('L5.grow',)
    """
    probed = (2,) if mutant.killer.endswith("precision") else ()
    runner = Runner(mutant.adapter(precision), levels=probed, corpus=corpus, seed=seed)
    found = {check.id: _worst(runner, check) for check in reached(mutant, checks)}
    if any(rho > 1 for rho in found.values()):
        return Score(mutant.name, precision, found)
    return Score(mutant.name, precision, found, hidden(mutant, precision, corpus, checks))


def _worst(runner: Runner, check: Check) -> float:
    worst = 0.0
    for trial in runner.trials(check):
        worst = max(worst, figure(runner.run(check, trial)))
        if worst > ENOUGH:
            break
    return worst


def figure(record: Record) -> float:
    """Return ρ of a record, ∞ if it is red for another reason."""
    if record.status in RED:
        return inf if record.rho is None or record.rho <= 1 else record.rho
    return record.rho or 0.0


def hidden(
    mutant: Mutant, precision: str, corpus: Corpus, checks: Sequence[Check] = CHECKS
) -> float:
    """Return ρ of a mistake by itself: 0 if no bit changes, else in float64 against E."""
    twin = _Twin(mutant, precision)
    runner = Runner(twin, levels=(), corpus=corpus)
    for check in reached(mutant, checks):
        for trial in runner.trials(check):
            runner.run(check, trial)
    return _shadow(mutant, precision, corpus, checks) if twin.differs else 0.0


def _shadow(mutant: Mutant, precision: str, corpus: Corpus, checks: Sequence[Check]) -> float:
    """Judge the mutant in float64 on what an implementation of this precision is asked."""
    kept = Corpus(corpus.hash, tuple(c for c in corpus.all if c.family <= 24))
    coarse = offer(evaluated("sequential", precision)).numerics.arithmetic()
    runner = Runner(mutant.adapter("float64"), levels=(), corpus=kept)
    runner.context = Context(runner.context.calls, coarse, kept)
    return max(_worst(runner, check) for check in reached(mutant, checks))


class _Twin:
    """A mutant and what it was made from, side by side; `differs` once their answers do."""

    def __init__(self, mutant: Mutant, precision: str) -> None:
        self.differs = False
        pair = [
            Calls(offer(kind))
            for kind in (mutant.adapter(precision), evaluated("sequential", precision))
        ]
        self.numerics, self.profiles = pair[0].offer.adapter.numerics, mutant.profiles
        self.unsupported = pair[0].offer.unsupported
        for name in METHODS:
            if name not in mutant.lacks:
                setattr(self, name, self._both(name, pair))

    def _both(self, name: str, pair: Sequence[Calls]) -> Any:
        def call(*given: Any) -> Any:
            answers = [_answer(calls, name, given) for calls in pair]
            self.differs |= bytes_of(answers[0]) != bytes_of(answers[1])
            return answers[1]

        return call


def _answer(calls: Calls, name: str, given: Sequence[Any]) -> Any:
    try:
        return calls(name, *given)
    except Failure as failure:
        return failure


def share(scores: Sequence[Score]) -> tuple[int, int]:
    """Return how many were killed, of how many that are observable."""
    return sum(s.killed for s in scores), sum(s.observable for s in scores)


def alone(scores: Sequence[Score]) -> dict[str, list[str]]:
    """Return the mutants that each check alone kills, in float64."""
    found: dict[str, list[str]] = {check.id: [] for check in CHECKS}
    for one in scores:
        if one.precision == "float64" and len(one.killers) == 1:
            found[one.killers[0]].append(one.name)
    return found


def every(mutants: Sequence[Mutant]) -> Iterator[tuple[Mutant, str]]:
    """Yield every mutant in every precision."""
    for precision in PRECISIONS:
        for mutant in mutants:
            yield mutant, precision
