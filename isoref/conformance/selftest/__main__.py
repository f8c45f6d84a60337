"""python -m isoref.conformance.selftest [--write] [--quick]: measure how good the suite is.

Without options everything is measured again and compared with the page; --quick compares a sample.
Exit code 1 if the suite is not what it must be, or the page is stale.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from isoref.conformance.selftest.page import page, score_table
from isoref.conformance.selftest.sample import stale
from isoref.conformance.selftest.scores import alone
from isoref.conformance.selftest.study import Found, study

PAGE = Path(__file__).parents[3] / "docs" / "generated" / "mutation.md"
LEAST = 0.95


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure, write or compare, and return the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m isoref.conformance.selftest",
        description="Put wrong and right implementations before the suite.",
    )
    parser.add_argument("--write", action="store_true", help="write the page")
    parser.add_argument("--quick", action="store_true", help="compare a sample with the page")
    parser.add_argument("--page", type=Path, default=PAGE, help="docs/generated/mutation.md")
    options = parser.parse_args(arguments)
    if not options.write and not options.page.is_file():
        parser.error(f"there is no page {options.page}; give --page, or write it with --write")
    if options.quick:
        return _told(stale(options.page.read_text("utf-8")))
    found = study(_show if sys.stderr.isatty() else None)
    wrong = list(faults(found))
    if options.write:
        options.page.write_text(page(found), "utf-8")
    elif score_table(found) not in options.page.read_text("utf-8"):
        wrong.append("the scores of the page are stale: run with --write")
    print(score_table(found))
    return _told(wrong)


def faults(found: Found) -> Iterator[str]:
    """Yield a sentence for everything that the suite must do and does not."""
    for one in found.scores:
        if one.observable and not one.killed and one.precision == "float64":
            yield f"{one.name} lives in float64, and is observable"
    single = [one for one in found.scores if one.precision == "float32" and one.observable]
    killed = sum(one.killed for one in single)
    if killed < LEAST * len(single):
        yield f"{killed} of {len(single)} die in float32, fewer than 95 %"
    for check, names in alone(found.scores).items():
        if not names:
            yield f"{check} is the sole killer of nothing"
    for run in found.runs:
        if run.rho is not None and run.rho > 1:
            yield f"a false alarm: {run}"
    for whole in (*found.whole, *found.seeds):
        for name in whole.red:
            yield f"a false alarm: {name} for {whole.algorithm} in {whole.precision}"
    for name, seed in found.lost:
        yield f"{name} lives with the seed {seed}"
    for name, levels in found.degenerate:
        if levels:
            yield f"{name} earns the levels {levels}"
    for name, seen in found.damage:
        if not seen:
            yield f"damage is not found: {name}"


def _told(wrong: Sequence[str]) -> int:
    for line in wrong:
        print(line, file=sys.stderr)
    return 1 if wrong else 0


def _show(done: int, total: int) -> None:
    print(f"\r{done} of {total}", end="\n" if done == total else "", file=sys.stderr, flush=True)


if __name__ == "__main__":
    raise SystemExit(main())
