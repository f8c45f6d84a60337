"""The table: a line for each check, every red test with its sentence, and the two numbers."""

from __future__ import annotations

from collections.abc import Iterator

from isoref.conformance.report.summary import Report, Row
from isoref.conformance.status import Status


def table(report: Report, *, trace: bool = False) -> str:
    """Return the report for a terminal; with `trace`, exceptions with their tracebacks."""
    parts = _checks(report), _red(report, trace), _suspects(report), _summary(report)
    return "\n".join(line for part in parts for line in part)


def figure(rho: float | None) -> str:
    """Return ρ for readers.

    Examples
    --------
    >>> figure(0.3127), figure(4.2e15), figure(float("inf")), figure(None)
    ('0.313', '4.2e+15', '∞', '–')
    """
    if rho is None:
        return "–"
    if rho == float("inf"):
        return "∞"
    return f"{rho:.3f}" if rho < 1000 else f"{rho:.2g}"


def _checks(report: Report) -> Iterator[str]:
    wide = max((len(row.id) for row in report.rows), default=5) + 2
    counts = max((len(_passed(row)) for row in report.rows), default=6) + 2
    head = f"{'check':<{wide}}{'clause':<8}{'passed':<{counts}}{'worst ρ':>9}  {'status':<14}law"
    yield head
    for row in report.rows:
        status = row.status
        others = "" if row.others == f"{row.counts[status]} {status.lower()}" else row.others
        yield (
            f"{row.id:<{wide}}{row.clause:<8}{_passed(row):<{counts}}{figure(row.rho):>9}  "
            f"{status:<14}{row.law}{f' ({others})' if others else ''}"
        )


def _passed(row: Row) -> str:
    return f"{row.passed} of {row.claimed}"


def _red(report: Report, trace: bool) -> Iterator[str]:
    for record, number, line in report.red():
        more = f" and {number - 1} more" if number > 1 else ""
        yield f"\n{record.status}  {record.id}{more}  ({record.clause})"
        yield f"    {record.message}"
        yield f"    {line}"
        if trace and record.trace:
            yield "".join(f"    | {text}\n" for text in record.trace.splitlines()).rstrip()


def _suspects(report: Report) -> Iterator[str]:
    for one in report.suspects:
        yield f"\nlikely cause in {one.method}, {one.profile}: {one.sentence}"
        if one.change:
            yield f"    → {one.change}"


def _summary(report: Report) -> Iterator[str]:
    outcome = report.outcome
    counts = [f"{n} {status}" for status in Status if (n := outcome.counts[status])]
    yield f"\n{report.name}: {', '.join(counts) or 'no tests'}"
    yield f"passed {outcome.passed} of {outcome.claimed} claimed"
    yield f"passed {outcome.passed} of {len(outcome.records)} in all"
    yield f"precision {precision(report)}"
    yield f"vectors {outcome.corpus}, seed {outcome.seed}, {outcome.seconds:.1f} s"
    yield report.verdict
    if outcome.red:
        yield f"begin with {report.red()[0][2]}"


def precision(report: Report) -> str:
    """Return what is claimed of the arithmetic and what was measured, in a line."""
    claims = report.outcome.offer.numerics
    found = ", ".join(f"{p.product} {p.bits} bits" for p in report.outcome.precision)
    return f"{claims.storage}, products claimed {claims.multiply}, measured {found or 'nothing'}"
