"""Tests for pytest: the trials of a check with one profile and one set of features make one test.

@parametrize(Adapter)
def test_isotropic(check):
    check()
"""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from isoref.conformance.adapter import load_adapter
from isoref.conformance.checks import CHECKS
from isoref.conformance.plan import Check, Trial
from isoref.conformance.run import Runner
from isoref.conformance.status import EXECUTED, RED, Record, Status

Test = TypeVar("Test", bound=Callable[..., Any])

SHOWN = 5
"""So many sentences of one test are shown; all of them have the line that repeats them."""


class Nonconformance(AssertionError):
    """What is wrong, with the line that repeats it; it needs no traceback."""


@dataclass(frozen=True)
class Group:
    """The trials of one check for one profile and one set of features: a callable test.

    Attributes
    ----------
    id : str
        L2.values[tanh], or L2.values[tanh-psi].
    ran : list of Record
        What became of the trials, once it was called.
    """

    id: str
    runner: Runner
    check: Check
    trials: tuple[Trial, ...]
    target: str
    ran: list[Record] = field(default_factory=list, compare=False, repr=False)

    def __call__(self) -> None:
        """Pass, fail with the sentences, skip with the reason, or fail as expected."""
        import pytest

        __tracebackhide__ = True  # the sentences say it all
        records = [self.runner.run(self.check, trial) for trial in self.trials]
        self.ran[:] = records
        wrong = [record for record in records if record.status in RED]
        if wrong:
            raise Nonconformance(self._sentences(wrong, len(records)))
        known = [record for record in records if record.status is Status.XFAIL]
        if known:
            pytest.xfail(known[0].message)
        if not any(record.status in EXECUTED for record in records):
            reasons = dict.fromkeys(f"{r.status}: {r.message or r.status.lower()}" for r in records)
            pytest.skip("; ".join(reasons))

    def _sentences(self, wrong: Sequence[Record], tests: int) -> str:
        lines = [f"{self.check.law} ({self.check.clause}): {len(wrong)} of {tests} tests are red"]
        for record in wrong[:SHOWN]:
            lines += [f"{record.status}  {record.id}", f"    {record.message}"]
            lines += [f"    {self._repeat(record.id)}"]
        if len(wrong) > SHOWN:
            lines.append(f"and {len(wrong) - SHOWN} more: {self._repeat(self.check.id)}")
        return "\n".join(lines)

    def _repeat(self, name: str) -> str:
        seed = str(self.runner.context.seed)
        return shlex.join(["isoref", "conform", self.target, "--only", name, "--seed", seed])


def groups(
    adapter: Any,
    *,
    levels: Sequence[int] = (1, 2, 3, 4, 5, 6),
    only: Sequence[str] = (),
    seed: int = 0,
    seconds: float = 20.0,
    expected: Mapping[str, str] | None = None,
    corpus: Any = None,
    checks: Sequence[Check] = CHECKS,
) -> list[Group]:
    """Return the tests of an adapter, or of the one that a text such as "my:Adapter" names.

    The other parameters are those of `conform`.
    """
    target = adapter if isinstance(adapter, str) else _spelled(adapter)
    if isinstance(adapter, str):
        adapter = load_adapter(adapter)
    runner = Runner(
        adapter, levels=levels, seed=seed, seconds=seconds, expected=expected, corpus=corpus
    )
    return [
        Group(f"{check.id}[{name}]" if name else check.id, runner, check, trials, target)
        for check in checks
        if check.level in levels
        for name, trials in _grouped(runner.trials(check, only))
    ]


def parametrize(adapter: Any, **options: Any) -> Callable[[Test], Test]:
    """Return a decorator that makes every check of an adapter a test.

    The test has one parameter, `check`, and calls it. Options are those of `groups`: levels, only,
    seed, seconds, expected.

    Examples
    --------
    >>> from isoref.conformance.adapters.reference import Adapter
    >>> @parametrize(Adapter, levels=[1], only=["L1.conduct.tanh"])
    ... def test_isotropic(check):
    ...     check()
    >>> [mark.kwargs["ids"] for mark in test_isotropic.pytestmark]
    [['L1.conduct[tanh]']]
    """
    import pytest

    found = groups(adapter, **options)
    return pytest.mark.parametrize("check", found, ids=[group.id for group in found])


def _grouped(trials: Iterator[Trial]) -> Iterator[tuple[str, tuple[Trial, ...]]]:
    found: dict[str, list[Trial]] = {}
    for trial in trials:
        name = "-".join(filter(None, (trial.profile, *trial.features)))
        found.setdefault(name, []).append(trial)
    for name, members in found.items():
        yield name, tuple(members)


def _spelled(adapter: Any) -> str:
    kind = adapter if isinstance(adapter, type) else type(adapter)
    return f"{kind.__module__}:{kind.__qualname__}"
