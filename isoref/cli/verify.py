"""`isoref verify`: the main job, its table and its verdict."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from time import perf_counter
from typing import Any

from isoref import __version__


def main(arguments: Sequence[str]) -> int:
    """Run every check, print one line each and a summary; 0 only if all hold."""
    parser = argparse.ArgumentParser(
        prog="isoref verify",
        description="Train an isotropic network on the embedded digits, then check profiles, "
        "symmetries and derivatives on it and on random networks. Each line gives the worst "
        "error, the bound derived for it, and their ratio; the job holds if no ratio exceeds 1.",
    )
    parser.add_argument("--seed", type=int, default=0, help="seed of the random networks")
    parser.add_argument("--json", action="store_true", help="print one JSON object instead")
    options = parser.parse_args(arguments)
    if options.seed < 0:
        parser.error(f"--seed must not be negative, got {options.seed}")

    from isoref.verification import Row, run

    start = perf_counter()
    checks = []
    if not options.json:
        print(f"{'check':<34}{'cases':>7}{'error':>11}{'bound':>11}{'ratio':>9}  law")
    tables: dict[str, list[Row]] = {}
    for check in run(options.seed, on_table=tables.__setitem__):
        checks.append(check)
        if not options.json:
            mark = "" if check.holds else f"  DOES NOT HOLD: {check.worst or 'nothing was tested'}"
            hidden = f" ({check.unobservable} unobservable)" if check.unobservable else ""
            print(
                f"{check.id:<34}{check.cases:>7}{check.error:>11.2e}{check.bound:>11.2e}"
                f"{check.ratio:>9.3f}  {check.law}{hidden}{mark}",
                flush=True,
            )
    failed = [check for check in checks if not check.holds]
    seconds = perf_counter() - start
    if options.json:
        report = {
            "isoref": __version__,
            "seed": options.seed,
            "seconds": round(seconds, 3),
            "holds": not failed,
            "checks": [check.record() for check in checks],
            "invariance": {name: [row._asdict() for row in rows] for name, rows in tables.items()},
        }
        print(json.dumps(report, indent=1))
    else:
        for name, rows in tables.items():
            print(_table(name, rows))
        cases = sum(check.cases for check in checks)
        worst = max((check.ratio for check in checks), default=0.0)
        print(
            f"\n{len(checks) - len(failed)} of {len(checks)} checks hold on {cases} cases "
            f"in {seconds:.1f} s; the largest ratio is {worst:.3f}."
        )
    if not checks:
        return 3
    if failed:
        print(f"Does not hold: {', '.join(check.id for check in failed)}", file=sys.stderr)
    return 1 if failed else 0


def _table(name: str, rows: list[Any]) -> str:
    """Return the invariance table of one trained network as text."""
    lines = [
        f"\nThe network trained on the digits, {name}, after a change of its first hidden space:",
        f"{'neurons':>8}{'accuracy':>10}{'Δacc.':>8}{'ΔΣσ':>11}{'ε_scaled %':>12}{'KL':>11}"
        f"{'max‖Δy‖':>11}{'certified':>11}",
    ]
    lines += [
        f"{row.neurons:>+8d}{row.accuracy:>10.4f}{row.delta_accuracy:>+8.4f}{row.delta_sigma:>+11.2e}"
        f"{row.epsilon_scaled:>12.2e}{row.divergence:>11.2e}{row.measured:>11.2e}{row.bound:>11.2e}"
        for row in rows
    ]
    return "\n".join(lines)
