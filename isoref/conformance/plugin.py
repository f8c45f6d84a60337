"""The pytest plugin: pytest --isoref-adapter=my_module:Adapter tests an implementation.

Each check with one profile becomes a test, L2.values[tanh]; pytest -m isoref runs these alone. This
module imports nothing until the option is given.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from isoref.conformance.expected import ExpectedFailures
    from isoref.conformance.groups import Group


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options."""
    add = parser.getgroup("isoref", "conformance of isotropic networks").addoption
    add("--isoref-adapter", metavar="TARGET", help="my_module:Adapter or file.py:Adapter to test")
    add("--isoref-level", metavar="N|N-M", default="1-6", help="levels to test (default: 1-6)")
    add("--isoref-only", metavar="ID", action="append", default=[], help="ids or patterns")
    add("--isoref-seed", metavar="N", type=int, default=0, help="seed of the networks of laws")
    add("--isoref-xfail", metavar="FILE", help="expected failures: lines of PATTERN  # REASON")
    add("--isoref-vectors", metavar="DIR", help="other vectors than those that ship")
    add("--isoref-time-limit", metavar="S", type=float, default=20.0, help="seconds of a call")


def pytest_configure(config: pytest.Config) -> None:
    """Register the marker."""
    config.addinivalue_line("markers", "isoref: a test of --isoref-adapter")


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(
    collector: pytest.Collector,
) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """Add the tests of the adapter to what the session collects."""
    report = yield
    wanted = collector.config.getoption("--isoref-adapter")
    if wanted and isinstance(collector, pytest.Session) and report.result is not None:
        report.result.append(Conformance.from_parent(collector, name="isoref", nodeid="isoref"))
    return report


class Conformance(pytest.Collector):
    """All tests of the adapter."""

    def collect(self) -> Iterator[pytest.Item]:
        """Yield a test for each check and profile."""
        from argparse import ArgumentTypeError

        from isoref.cli.conform import levels
        from isoref.conformance.expected import read
        from isoref.conformance.groups import groups
        from isoref.conformance.vectors import load

        option = self.config.getoption
        vectors = option("--isoref-vectors")
        try:
            expected = read(option("--isoref-xfail")) if option("--isoref-xfail") else None
            chosen = levels(option("--isoref-level"))
            found = groups(
                option("--isoref-adapter"),
                levels=chosen,
                only=option("--isoref-only"),
                seed=option("--isoref-seed"),
                seconds=option("--isoref-time-limit"),
                expected=expected.reasons if expected else None,
                corpus=load(vectors) if vectors else None,
            )
        except (ValueError, TypeError, ArgumentTypeError) as error:
            raise self.CollectError(f"isoref: {error}") from error
        if not found:
            raise self.CollectError("isoref: no test has these levels and ids")
        ids = [f"{group.check.id}.{trial.case}" for group in found for trial in group.trials]
        if expected and not option("--isoref-only") and (lines := expected.unknown(ids, chosen)):
            raise self.CollectError("\n".join(f"isoref: {line}" for line in lines))
        for group in found:
            yield Test.from_parent(self, name=group.id, group=group)
        if expected:
            yield Needed.from_parent(self, name="expected failures", expected=expected, all=found)


class Told(pytest.Item):
    """A test whose failure is a sentence: a traceback of the suite tells nothing about others."""

    __test__ = False

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        """Return the sentences."""
        from isoref.conformance.groups import Nonconformance

        if isinstance(excinfo.value, Nonconformance):
            return str(excinfo.value)
        return super().repr_failure(excinfo, style)

    def reportinfo(self) -> tuple[Any, None, str]:
        """Return what heads a failure."""
        return self.path, None, f"isoref {self.name}"


class Test(Told):
    """One check with one profile."""

    def __init__(self, *, group: Group, **of_node: Any) -> None:
        super().__init__(**of_node)
        self.group = group
        self.add_marker("isoref")

    def runtest(self) -> None:
        """Run its trials."""
        self.group()


class Needed(Told):
    """The file of expected failures, after all tests: no line that no failure needs.

    Of tests that were deselected or run elsewhere it says nothing.
    """

    def __init__(self, *, expected: ExpectedFailures, all: list[Group], **of_node: Any) -> None:
        super().__init__(**of_node)
        self.expected, self.all = expected, all
        self.add_marker("isoref")

    def runtest(self) -> None:
        """Fail with the lines that nothing needs."""
        from isoref.conformance.groups import Nonconformance

        ids = [f"{group.check.id}.{trial.case}" for group in self.all for trial in group.trials]
        records = [record for group in self.all for record in group.ran]
        if lines := self.expected.needless(records, ids):
            raise Nonconformance("\n".join(lines))
