"""Running the plan: every trial in order, what depends on a failure blocked, one record each."""

from __future__ import annotations

import re
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from math import isfinite
from typing import Any

from isoref.conformance.adapter import METHODS, Offer, offer
from isoref.conformance.calls import Calls, Failure
from isoref.conformance.checks import CHECKS
from isoref.conformance.judge import Verdict
from isoref.conformance.plan import Check, Context, Trial
from isoref.conformance.precision import Precision, measured
from isoref.conformance.selfcheck import require
from isoref.conformance.status import EXECUTED, RED, UNCLAIMED, Element, Record, Status
from isoref.conformance.vectors import Corpus, load

FAILED = frozenset({Status.FAIL, Status.ERROR, Status.BLOCKED})
"""What blocks the checks that need a check."""

Show = Callable[[Check, int, int], None]
"""Called before each check, with its place and their number."""


@dataclass(frozen=True)
class Outcome:
    """What a run found.

    Attributes
    ----------
    offer : Offer
        The implementation.
    records : tuple of Record
        One for each test, in order.
    corpus : str
        The hash of the vectors.
    seed : int
        Of the laws.
    seconds : float
    precision : tuple of Precision
        What was measured of products.
    checks : tuple of Check
        Those of the levels that were chosen, in order.
    interrupted : bool
        Whether Ctrl-C ended the run: the tests that it had not reached are NOTRUN.
    """

    offer: Offer
    records: tuple[Record, ...]
    corpus: str
    seed: int
    seconds: float
    precision: tuple[Precision, ...]
    checks: tuple[Check, ...] = ()
    interrupted: bool = False

    @property
    def counts(self) -> Counter[Status]:
        """How many tests ended in which status."""
        return Counter(record.status for record in self.records)

    @property
    def executed(self) -> int:
        """Tests that were run and judged."""
        return sum(record.status in EXECUTED for record in self.records)

    @property
    def passed(self) -> int:
        """Tests that passed."""
        return self.counts[Status.PASS]

    @property
    def claimed(self) -> int:
        """All tests but what is declared as unsupported, not observable or not run."""
        return sum(record.status not in UNCLAIMED for record in self.records)

    @property
    def red(self) -> tuple[Record, ...]:
        """What makes the run fail."""
        return tuple(record for record in self.records if record.status in RED)

    @property
    def least(self) -> int:
        """Tests that must have been executed: ten for each level at which a method is offered."""
        levels = {check.level for check in self.checks}
        offered = {METHODS[name] for name in METHODS if self.offer.has(name)}
        return max(10 * len(levels & offered), 1)

    def code(self, min_tests: int = 1) -> int:
        """Return the exit code.

        0 holds, 1 does not, 3 fewer than `min_tests` were executed, 130 interrupted.
        """
        if self.interrupted:
            return 130
        if self.red:
            return 1
        return 0 if self.executed >= max(min_tests, 1) else 3


def conform(
    adapter: Any,
    *,
    levels: Sequence[int] = (1, 2, 3, 4, 5, 6),
    only: Sequence[str] = (),
    seed: int = 0,
    seconds: float = 20.0,
    corpus: Corpus | None = None,
    expected: Mapping[str, str] | None = None,
    show: Show | None = None,
    checks: Sequence[Check] = CHECKS,
) -> Outcome:
    """Test an implementation and return every verdict.

    Parameters
    ----------
    adapter : object
        As `isoref.conformance.adapter` describes; a class without arguments, or an instance.
    levels : sequence of int
        1 … 6.
    only : sequence of str
        Ids of tests, or patterns such as "L2.*"; all others are NOTRUN and leave no record. What
        the chosen ones need is not run either, so nothing is blocked.
    seed : int
        Of the networks of laws; vectors do not depend on it.
    seconds : float
        What one call may take.
    corpus : Corpus, optional
        The one that ships unless given.
    expected : mapping of str to str, optional
        Patterns of ids that must fail, with the reason of each.
    show : callable, optional
        Progress.

    Raises
    ------
    TypeError, ValueError
        When the adapter's declarations, levels or patterns are not what they should be.
    CorpusError
        When the vectors are damaged.
    CheckerError
        When the checker is wrong on exact data: it judges nobody then.

    Examples
    --------
    >>> from isoref.conformance.adapters.reference import Adapter
    >>> outcome = conform(Adapter, levels=[1], only=["L1.values.tanh.*"])
    >>> outcome.passed == outcome.executed > 0, outcome.code()
    (True, 0)
    """
    unknown = sorted(set(levels) - set(range(1, 7)))
    if unknown:
        raise ValueError(f"levels must be among 1 … 6, got {unknown}")
    start = time.perf_counter()
    runner = Runner(
        adapter, levels=levels, seed=seed, seconds=seconds, corpus=corpus, expected=expected
    )
    chosen = tuple(check for check in checks if check.level in levels)
    records: list[Record] = []
    interrupted = False
    try:
        for k, check in enumerate(chosen, 1):
            if show is not None:
                show(check, k, len(chosen))
            for trial in runner.trials(check, only):
                records.append(runner.run(check, trial))
    except KeyboardInterrupt:
        interrupted = True
        records += _left(runner, chosen, only, {record.id for record in records})
    return Outcome(
        runner.context.calls.offer,
        tuple(records),
        runner.context.corpus.hash,
        seed,
        time.perf_counter() - start,
        runner.context.precision,
        chosen,
        interrupted,
    )


class Runner:
    """An implementation under test: runs one trial after another, and knows what is broken.

    Parameters are those of `conform`. `context` is what every trial sees.
    """

    def __init__(
        self,
        adapter: Any,
        *,
        levels: Sequence[int] = (1, 2, 3, 4, 5, 6),
        seed: int = 0,
        seconds: float = 20.0,
        corpus: Corpus | None = None,
        expected: Mapping[str, str] | None = None,
    ) -> None:
        require()
        offered = offer(adapter)
        corpus = load() if corpus is None else corpus
        calls = Calls(offered, seconds=seconds)
        found = measured(calls) if set(levels) & {2, 3} else ()
        calls.hung = 0  # what hangs is told where it is tested
        bits = min((one.bits for one in found if one.bits), default=None)
        self.context = Context(calls, offered.numerics.arithmetic(bits), corpus, seed, found)
        self.expected = expected or {}
        self.broken: dict[tuple[str, str], str] = {}

    def trials(self, check: Check, only: Sequence[str] = ()) -> Iterator[Trial]:
        """Yield the trials of a check whose ids match one of `only`, or all of them."""
        if only and not any(_may_match(pattern, check.id) for pattern in only):
            return
        for trial in check.trials(self.context):
            if not only or matches(only, f"{check.id}.{trial.case}"):
                yield trial

    def run(self, check: Check, trial: Trial) -> Record:
        """Run a trial; if it fails, remember its check and profile, and the check to mend first."""
        keys = [(need, trial.profile) for need in check.needs]
        cause = next((self.broken[key] for key in keys if key in self.broken), None)
        record = _as_expected(_tried(self.context, check, trial, cause), self.expected)
        if record.status in FAILED:
            self.broken.setdefault((check.id, trial.profile), cause or check.id)
        return record


def _left(
    runner: Runner, checks: Sequence[Check], only: Sequence[str], done: set[str]
) -> Iterator[Record]:
    """Yield a record of every trial that the run did not reach."""
    for check in checks:
        for trial in runner.trials(check, only):
            record = _blank(check, trial)
            if record.id not in done:
                yield replace(record, status=Status.NOTRUN, message="the run was interrupted")


def _blank(check: Check, trial: Trial) -> Record:
    name = f"{check.id}.{trial.case}"
    return Record(name, check.id, check.level, check.clause, trial.profile, Status.PASS)


def _tried(context: Context, check: Check, trial: Trial, cause: str | None) -> Record:
    record = _blank(check, trial)
    declared = _declared(context.calls.offer, check, trial)
    if declared is not None:
        return replace(record, status=Status.UNSUPPORTED, message=declared)
    try:
        for method in check.methods:
            context.calls.check(method)
        if cause is not None:
            text = f"{cause} fails for {trial.profile}: mend that first"
            return replace(record, status=Status.BLOCKED, message=text)
        start = time.perf_counter()
        verdict = trial.run(context)
        record = replace(record, seconds=time.perf_counter() - start)
        return _judged(record, verdict, trial.note)
    except Failure as failure:
        return replace(record, status=failure.status, message=failure.message, trace=failure.trace)
    except Exception as error:  # what came back looks like an answer, and is none
        text = f"the answer cannot be judged: {type(error).__name__}: {error}"
        return replace(record, status=Status.ERROR, message=text, trace=traceback.format_exc())


def _judged(record: Record, verdict: Verdict, note: str) -> Record:
    status = Status.PASS if verdict.holds else Status.FAIL
    if not verdict.observable:
        status = Status.UNOBSERVABLE
    message = verdict.message
    if status is Status.FAIL and not message and verdict.worst is not None:
        message = _sentence(verdict.worst, verdict.rho) + (f" ({note})" if note else "")
    return replace(record, status=status, rho=verdict.rho, worst=verdict.worst, message=message)


def _sentence(worst: Element, rho: float) -> str:
    error = abs(worst.got - worst.want)
    off = f", off by {error:.2g}" if isfinite(error) else ""
    shown = f"{rho:.3g}" if isfinite(rho) else "∞"
    return (
        f"{worst.where} is {worst.got:.9g}, expected {worst.want:.9g} ± {worst.bound:.2g}{off}: "
        f"ρ = {shown}"
    )


def _declared(offered: Offer, check: Check, trial: Trial) -> str | None:
    """Return why a trial is not offered, or None."""
    if trial.profile and trial.profile.split("(")[0] not in offered.profiles:
        return f"profiles does not have {trial.profile}"
    for name in (*check.methods, *trial.features):
        if name in offered.unsupported:
            return offered.unsupported[name]
    return None


def _as_expected(record: Record, expected: Mapping[str, str]) -> Record:
    """Turn failures that were announced into XFAIL, and announced ones that hold into XPASS."""
    reasons = [reason for name, reason in expected.items() if fnmatchcase(record.id, name)]
    if not reasons:
        return record
    if record.status in (Status.FAIL, Status.ERROR):
        return replace(record, status=Status.XFAIL, message=f"{reasons[0]} [{record.message}]")
    if record.status is Status.PASS:
        text = f"it holds, and was expected to fail ({reasons[0]}): take it off the list"
        return replace(record, status=Status.XPASS, message=text)
    return record


def _may_match(pattern: str, check: str) -> bool:
    """Whether a test of the check may have this id or fit this pattern."""
    head, whole = re.split(r"[*?[]", pattern)[0], f"{check}."
    return whole.startswith(head) or head.startswith(whole)


def matches(patterns: Sequence[str], name: str) -> bool:
    """Whether a test has one of the ids, begins with one, or fits a pattern such as "L2.*"."""
    return any(fnmatchcase(name, p) or name.startswith(f"{p}.") for p in patterns)
