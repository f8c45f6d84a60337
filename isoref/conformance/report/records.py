"""The report as JSON: one object, with every test and the line that repeats it.

    format, version    "isoref-conformance", 1
    target             the words that name the implementation on the command line
    repeat             the line that repeats the run
    info               what it says of itself
    versions           of isoref, Python, NumPy and SciPy
    profiles           that it claims
    unsupported        what it declares, with reasons
    precision          claimed: storage, multiply, accumulate; measured: bits by product
    vectors            the hash of the vectors
    seed, seconds
    code, verdict      the exit code, and what it says
    passed, claimed, all, executed, min_tests
    counts             tests by status
    suspects           likely causes: method, profile, sentence, change
    checks             id, clause, law, status, worst ρ and counts of each check
    tests              every test: id, check, level, clause, profile, status, rho, worst (where,
                       got, expected and bound, in decimal and in hex), message, seconds, repeat

Numbers that JSON lacks are the texts "inf" and "nan".
"""

from __future__ import annotations

import json
from dataclasses import asdict
from math import isfinite
from typing import Any

from isoref.conformance.report.summary import Report, Row

FORMAT, VERSION = "isoref-conformance", 1


def as_json(report: Report) -> str:
    """Return the text of the JSON object."""
    return json.dumps(facts(report), indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def facts(report: Report) -> dict[str, Any]:
    """Return the JSON object."""
    outcome = report.outcome
    return {
        "format": FORMAT,
        "version": VERSION,
        "target": list(report.target),
        "repeat": report.repeat(),
        "info": dict(outcome.offer.info),
        "versions": report.versions,
        "profiles": list(outcome.offer.profiles),
        "unsupported": dict(outcome.offer.unsupported),
        "precision": report.precision,
        "vectors": outcome.corpus,
        "seed": outcome.seed,
        "seconds": round(outcome.seconds, 3),
        "code": report.code,
        "verdict": report.verdict,
        "passed": outcome.passed,
        "claimed": outcome.claimed,
        "all": len(outcome.records),
        "executed": outcome.executed,
        "min_tests": report.min_tests,
        "counts": {str(status): n for status, n in outcome.counts.items()},
        "suspects": [asdict(suspect) for suspect in report.suspects],
        "checks": [_check(row) for row in report.rows],
        "tests": [
            {**record.record(), "repeat": report.repeat(record.id)} for record in outcome.records
        ],
    }


def _check(row: Row) -> dict[str, Any]:
    return {
        "id": row.id,
        "clause": row.clause,
        "law": row.law,
        "status": str(row.status),
        "rho": row.rho if row.rho is None or isfinite(row.rho) else str(row.rho),
        "counts": {str(status): n for status, n in row.counts.items()},
    }
