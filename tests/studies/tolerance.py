"""The tolerance study: python -m tests.studies.tolerance writes docs/generated/tolerance.md.

`--check` evaluates the small sample of the page again and exits with 1 if the page is stale.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterable
from pathlib import Path

from isoref import Arithmetic
from tests.algorithms import ALGORITHMS, tensor_float32
from tests.studies.cases import CASES, Case
from tests.studies.judgement import Judged, judged, outputs_seen, plant
from tests.studies.page import Found, Run, Sampled, tolerance_page

PAGE = Path(__file__).parents[2] / "docs" / "generated" / "tolerance.md"
PRECISIONS = ("float64", "float32")
TENSOR_FLOAT32 = Arithmetic(2.0**-11, 2.0**-24, 2.0**-24, 2.0**-149)
SAMPLE = CASES[4:120:13]


def runs_of(case: Case, precision: str, problem: Judged) -> list[Run]:
    """Judge every algorithm on one problem."""
    found = []
    for name, contract in ALGORITHMS.items():
        got = problem.run(contract)
        seen = outputs_seen(problem, got, 3.0)
        rho, resolution = problem.rho(got), problem.resolution()
        found.append(Run(case, precision, name, rho, resolution, seen))
    return found


def study(cases: Iterable[Case], report: Callable[[int], None]) -> Found:
    """Measure all cases; errors are planted in every third of them."""
    found = Found([], [], [], 0)
    for count, case in enumerate(cases):
        report(count)
        for precision in PRECISIONS:
            problem = judged(case.problem(precision))
            if not problem.limit.observable.all():
                found = found._replace(unobservable=found.unobservable + 1)
                continue
            found.runs.extend(runs_of(case, precision, problem))
            if case.seed % 3 == 0:
                found.plants.extend((case, p) for p in plant(problem, seed=case.seed))
            if case.seed % 3 == 0 and precision == "float32":
                got = problem.run(tensor_float32)
                own = judged(case.problem(precision), arithmetic=TENSOR_FLOAT32)
                as_float32, as_itself = problem.rho(got), own.rho(got)
                assert own.limit.observable.all()
                found.tf32.append(
                    (as_float32["y"], max(as_float32.values()), max(as_itself.values()))
                )
    return found


def sample() -> list[Sampled]:
    """Seeded problems with E/(u·mean|y|) and the largest ρ of the algorithms."""
    rows = []
    for case in SAMPLE:
        for precision in PRECISIONS:
            runs = runs_of(case, precision, judged(case.problem(precision)))
            widths = "–".join(map(str, case.widths))
            worst = max(run.worst for run in runs)
            rows.append(Sampled(widths, case.profile, precision, runs[0].resolution, worst))
    return rows


def differences(page: str) -> list[str]:
    """Tell how the sample, evaluated now, differs from the one on the page.

    E may differ by 1 %, the rounding of the libraries; ρ, which is rounding, by a factor of 2.
    """
    found = []
    lines = page.partition("## The sample")[2].splitlines()
    printed = [
        [cell.strip() for cell in line.strip("|").split("|")] for line in lines if "–" in line
    ]
    rows = sample()
    if len(printed) != len(rows):
        return [f"the sample has {len(rows)} rows, the page has {len(printed)}"]
    for cells, row in zip(printed, rows, strict=True):
        resolution, rho = float(cells[3]), float(cells[4])
        if tuple(cells[:3]) != row[:3]:
            found.append(f"{row[:3]} expected, {tuple(cells[:3])} on the page")
        elif abs(resolution - row[3]) > 0.01 * row[3] or not rho / 2 < row[4] < rho * 2:
            found.append(f"{row[:3]}: {row[3]:.2f} and {row[4]:.3f}, on the page {cells[3:]}")
    return found


def _progress(total: int) -> Callable[[int], None]:
    def report(count: int) -> None:
        if sys.stderr.isatty():
            print(f"\r{count + 1}/{total}", end="", file=sys.stderr, flush=True)

    return report


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="compare a sample with the page")
    if parser.parse_args(arguments).check:
        stale = differences(PAGE.read_text(encoding="utf-8"))
        for line in stale:
            print(f"stale: {line}")
        return 1 if stale else 0
    PAGE.parent.mkdir(parents=True, exist_ok=True)
    found = study(CASES, _progress(len(CASES)))
    PAGE.write_text(tolerance_page(found, sample()), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
