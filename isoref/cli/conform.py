"""`isoref conform`: is an implementation right? A verdict for every property."""

from __future__ import annotations

import argparse
import sys
import traceback
from collections.abc import Callable, Sequence
from contextlib import ExitStack, redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from isoref.conformance.expected import ExpectedFailures
    from isoref.conformance.plan import Check
    from isoref.conformance.report.summary import Report
    from isoref.conformance.vectors import Corpus


def main(arguments: Sequence[str]) -> int:
    """Test an implementation, report, and return the exit code."""
    options = _options(arguments)
    from isoref.conformance.selfcheck import CheckerError
    from isoref.conformance.vectors import CorpusError

    try:
        return _conform(options)
    except (CorpusError, CheckerError) as error:
        print(f"isoref conform: {error}", file=sys.stderr)
        return 3
    except (ValueError, TypeError, OSError):
        if options.trace:
            traceback.print_exc()
        raise


def _options(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="isoref conform",
        description="Test an implementation of isotropic networks against vectors and laws, each "
        "with a derived bound. Exit code 0: it holds; 1: it does not; 2: the usage or a file is "
        "wrong; 3: too little was tested, or the vectors are not those that they should be; 130: "
        "interrupted, and what was found is reported.",
        epilog="Example: isoref conform my_module:Adapter --level 1-3 --html report.html",
    )
    add = parser.add_argument
    add(
        "target", metavar="TARGET", nargs="?", help="package.module:Adapter or path/file.py:Adapter"
    )
    add("--exec", metavar="COMMAND", help="a program that speaks JSON lines, in place of TARGET")
    add(
        "--level",
        metavar="N|N-M",
        type=levels,
        default=range(1, 7),
        help="1 … 6, or 1-3; all if not given",
    )
    add(
        "--only",
        metavar="ID",
        nargs="+",
        action="extend",
        default=[],
        help="ids, or what they begin with",
    )
    add("--seed", type=_count, default=0, help="other networks for the laws (default: 0)")
    add(
        "--min-tests",
        metavar="N",
        type=_count,
        help="executed tests that are needed; unless given, ten for each chosen level at which the "
        "implementation has a method, and one with --only",
    )
    add("--corpus-hash", metavar="H", help="what the hash of the vectors must begin with")
    add("--vectors", metavar="DIR", help="other vectors than those that ship")
    add("--xfail", metavar="FILE", help="expected failures: lines of PATTERN  # REASON")
    add("--json", metavar="FILE", help="write JSON; - prints it in place of the table")
    add("--junit", metavar="FILE", help="write JUnit XML")
    add("--html", metavar="FILE", help="write a page")
    add(
        "--time-limit",
        metavar="S",
        type=_seconds,
        default=20.0,
        help="seconds a call may take (default: 20)",
    )
    add("--trace", action="store_true", help="print the tracebacks of exceptions too")
    options = parser.parse_args(arguments)
    if (options.target is None) == (options.exec is None):
        parser.error("give TARGET or --exec COMMAND, one of the two")
    for name in ("json", "junit", "html"):
        path = getattr(options, name)
        if path is None or path == "-":
            continue
        if not Path(path).parent.is_dir():
            parser.error(f"--{name}: there is no folder {Path(path).parent}")
        if Path(path).is_dir():
            parser.error(f"--{name}: {path} is a folder; give a file")
    return options


def _conform(options: argparse.Namespace) -> int:
    from isoref.conformance.adapter import load_adapter
    from isoref.conformance.calls import Calls
    from isoref.conformance.expected import read
    from isoref.conformance.foreign import Foreign
    from isoref.conformance.report.summary import Report
    from isoref.conformance.report.table import table
    from isoref.conformance.run import conform, matches
    from isoref.conformance.suspects import suspects

    expected = read(options.xfail) if options.xfail else None
    corpus = _corpus(options)
    with ExitStack() as stack:
        if options.json == "-":
            stack.enter_context(redirect_stdout(sys.stderr))  # what the implementation prints
        if options.exec is None:
            adapter = load_adapter(options.target)
        else:
            adapter = stack.enter_context(Foreign(options.exec, seconds=options.time_limit))
        outcome = conform(
            adapter,
            levels=options.level,
            only=options.only,
            seed=options.seed,
            seconds=options.time_limit,
            corpus=corpus,
            expected=expected.reasons if expected else None,
            show=_progress() if sys.stderr.isatty() else None,
        )
        calls = Calls(outcome.offer, seconds=options.time_limit, hangs=1)
        told = [] if outcome.interrupted else suspects(calls, outcome.records)
    if sys.stderr.isatty():
        print("\r\x1b[K", end="", file=sys.stderr)
    for pattern in options.only:
        if not outcome.interrupted and not any(matches([pattern], r.id) for r in outcome.records):
            known = ", ".join(check.id for check in outcome.checks)
            raise ValueError(
                f"--only {pattern} names no test of these levels; give an id, the words that ids "
                f"begin with, as in L1.values.tanh, or a pattern with *; the checks are {known}"
            )
    least = options.min_tests
    if least is None:
        least = 1 if options.only else outcome.least
    target = (options.target,) if options.exec is None else ("--exec", options.exec)
    words = _repeated(options), least, _selected(options)
    report = Report(outcome, target, *words, told)
    if options.json != "-":
        print(table(report, trace=options.trace))
    _write(options, report)
    return _unused(options, expected, report) or report.code


def _corpus(options: argparse.Namespace) -> Corpus:
    from isoref.conformance.vectors import FOLDER, CorpusError, load

    corpus = load(options.vectors or FOLDER)
    wanted = options.corpus_hash
    if wanted is not None and not (wanted and corpus.hash.startswith(wanted)):
        raise CorpusError(f"the vectors must have the hash {wanted!r}, got {corpus.hash}")
    return corpus


def _repeated(options: argparse.Namespace) -> list[str]:
    """Return the options that change a verdict."""
    words = ["--vectors", options.vectors] if options.vectors else []
    if options.time_limit != 20:
        words += ["--time-limit", f"{options.time_limit:g}"]
    return words


def _selected(options: argparse.Namespace) -> list[str]:
    """Return the options that chose the tests and what is expected of them."""
    first, last = options.level[0], options.level[-1]
    words = ["--level", f"{first}-{last}"] if (first, last) != (1, 6) else []
    words += ["--only", *options.only] if options.only else []
    return [*words, "--xfail", options.xfail] if options.xfail else words


def _unused(options: argparse.Namespace, expected: ExpectedFailures | None, report: Report) -> int:
    """Return 2, and say why, if lines of the expected failures are not needed."""
    if expected is None or options.only or report.outcome.interrupted:
        return 0
    lines = expected.unused(report.outcome.records, options.level)
    for line in lines:
        print(f"isoref conform: {line}", file=sys.stderr)
    return 2 if lines else 0


def _write(options: argparse.Namespace, report: Report) -> None:
    from isoref.conformance.report.html import as_html
    from isoref.conformance.report.junit import as_junit
    from isoref.conformance.report.records import as_json

    writers = {"json": as_json, "junit": as_junit, "html": as_html}
    for name, text in writers.items():
        path = getattr(options, name)
        if path == "-":
            sys.stdout.write(text(report))
        elif path is not None:
            Path(path).write_text(text(report), encoding="utf-8")


def _progress() -> Callable[[Check, int, int], None]:
    def show(check: Any, place: int, number: int) -> None:
        print(f"\r\x1b[K[{place}/{number}] {check.id}", end="", file=sys.stderr, flush=True)

    return show


def levels(text: str) -> range:
    """Return the levels that 2, or 1-3, means.

    Examples
    --------
    >>> list(levels("1-3")), list(levels("2"))
    ([1, 2, 3], [2])
    """
    first, _, last = text.partition("-")
    if not (first in set("123456") and (last or first) in set("123456")) or first > (last or first):
        raise argparse.ArgumentTypeError(f"must be a level 1 … 6, or two as in 1-3, got {text!r}")
    return range(int(first), int(last or first) + 1)


def _count(text: str) -> int:
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"must be a whole number, got {text!r}")
    return int(text)


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds < float("inf"):
        raise argparse.ArgumentTypeError(f"must be a number of seconds above 0, got {text!r}")
    return seconds
