"""What every report shows: the outcome, a row for each check, and the line that repeats a test."""

from __future__ import annotations

import platform
import shlex
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import groupby, takewhile

import numpy as np
import scipy

from isoref import __version__
from isoref.conformance.run import Outcome
from isoref.conformance.status import UNCLAIMED, Record, Status
from isoref.conformance.suspects import Suspect

GRAVITY = (
    Status.FAIL,
    Status.ERROR,
    Status.MISSING,
    Status.XPASS,
    Status.BLOCKED,
    Status.XFAIL,
    Status.PASS,
    Status.UNOBSERVABLE,
    Status.UNSUPPORTED,
    Status.NOTRUN,
)
"""The statuses, the gravest first: a check has that of its gravest test."""


@dataclass(frozen=True)
class Row:
    """One check: its tests counted by status, and the worst ρ of those that were judged."""

    id: str
    clause: str
    law: str
    counts: Counter[Status]
    rho: float | None

    @property
    def status(self) -> Status:
        """That of the gravest test."""
        return next((status for status in GRAVITY if self.counts[status]), Status.NOTRUN)

    @property
    def passed(self) -> int:
        """Tests that passed."""
        return self.counts[Status.PASS]

    @property
    def claimed(self) -> int:
        """All tests but what is declared as unsupported, not observable or not run."""
        return sum(n for status, n in self.counts.items() if status not in UNCLAIMED)

    @property
    def others(self) -> str:
        """What neither passed nor is the status of the check, as in "3 unsupported"."""
        rest = [s for s in GRAVITY if self.counts[s] and s is not Status.PASS]
        return ", ".join(f"{self.counts[s]} {s.lower()}" for s in rest)


@dataclass(frozen=True)
class Report:
    """An outcome, and how it came about.

    Attributes
    ----------
    outcome : Outcome
    target : sequence of str
        The words that name the implementation, ("my:Adapter",) or ("--exec", "./program").
    options : sequence of str
        Further words that a repetition needs, such as ("--time-limit", "5").
    selection : sequence of str
        Those that chose the tests, ("--level", "1-3"): only the repetition of all needs them.
    suspects : sequence of Suspect
        Likely causes of what failed.
    min_tests : int
        Fewer executed is code 3.
    """

    outcome: Outcome
    target: Sequence[str]
    options: Sequence[str] = ()
    min_tests: int = 1
    selection: Sequence[str] = ()
    suspects: Sequence[Suspect] = ()

    @property
    def name(self) -> str:
        """The implementation and its version."""
        info = self.outcome.offer.info
        return " ".join(info[key] for key in ("name", "version") if key in info)

    @property
    def code(self) -> int:
        """The exit code."""
        return self.outcome.code(self.min_tests)

    @property
    def verdict(self) -> str:
        """The exit code in words."""
        red = len(self.outcome.red)
        return {
            0: "holds",
            1: f"does not hold: {red} test{' is' if red == 1 else 's are'} red",
            3: f"too little was tested: {self.outcome.executed} tests were executed, at least "
            f"{max(self.min_tests, 1)} must be",
        }.get(self.code, "interrupted")

    @property
    def versions(self) -> dict[str, str]:
        """What ran it."""
        return {
            "isoref": __version__,
            "python": platform.python_version(),
            "numpy": np.__version__,
            "scipy": scipy.__version__,
        }

    @property
    def precision(self) -> dict[str, object]:
        """What is claimed of the arithmetic, and the significant bits of products as measured."""
        claims = self.outcome.offer.numerics
        return {
            "storage": claims.storage,
            "multiply": claims.multiply,
            "accumulate": claims.accumulate or claims.storage,
            "measured": {found.product: found.bits for found in self.outcome.precision},
        }

    @cached_property
    def rows(self) -> tuple[Row, ...]:
        """A row for every check that has a test."""
        found: dict[str, list[Record]] = {}
        for record in self.outcome.records:
            found.setdefault(record.check, []).append(record)
        return tuple(
            _row(check.id, check.clause, check.law, found[check.id])
            for check in self.outcome.checks
            if check.id in found
        )

    def repeat(self, *names: str) -> str:
        """Return the line that repeats the tests of these ids, or the run."""
        only = ["--only", *names] if names else self.selection
        seed = ("--seed", str(self.outcome.seed))
        return shlex.join(["isoref", "conform", *self.target, *only, *seed, *self.options])

    def red(self) -> list[tuple[Record, int, str]]:
        """Return each red test with the line that repeats it.

        Neighbours with one sentence are one: the first of them, their number, and one line. What
        one cause blocks comes last and is one, whatever its checks.
        """
        red = sorted(self.outcome.red, key=lambda r: (r.status is Status.BLOCKED, _cause(r)))
        found = []
        for _, group in groupby(red, lambda r: (_cause(r) or r.check, r.status, r.message)):
            records = list(group)
            checks = (list(of_one) for _, of_one in groupby(records, lambda r: r.check))
            line = self.repeat(*(_shared([record.id for record in own]) for own in checks))
            found.append((records[0], len(records), line))
        return found


def _cause(record: Record) -> str:
    return record.message if record.status is Status.BLOCKED else ""


def _shared(ids: Sequence[str]) -> str:
    """Return the words that all ids begin with."""
    words = zip(*(id.split(".") for id in ids), strict=False)
    return ".".join(word for word, *_ in takewhile(lambda same: len(set(same)) == 1, words))


def _row(id: str, clause: str, law: str, records: Sequence[Record]) -> Row:
    judged = [r.rho for r in records if r.rho is not None and r.status is not Status.UNOBSERVABLE]
    return Row(id, clause, law, Counter(r.status for r in records), max(judged, default=None))
