"""The report as one page of HTML: no script, no network, legible without colours and in the dark.

Radio buttons choose a status, and the style sheet hides the others; each check opens to its tests.
"""

from __future__ import annotations

from collections.abc import Iterator
from html import escape
from pathlib import Path

from isoref.conformance.report.summary import GRAVITY, Report, Row
from isoref.conformance.report.table import figure, precision
from isoref.conformance.status import RED, Element, Record, Status

SIGNS = {
    Status.PASS: "✓",
    Status.FAIL: "✗",
    Status.ERROR: "!",
    Status.MISSING: "?",
    Status.XPASS: "‼",
    Status.BLOCKED: "⊘",
    Status.XFAIL: "×",
    Status.UNSUPPORTED: "–",
    Status.UNOBSERVABLE: "≈",
    Status.NOTRUN: "·",
}
"""A sign beside each status, for those who see no colours."""

KINDS = dict.fromkeys(RED, "red") | {Status.PASS: "green", Status.XFAIL: "amber"}


def as_html(report: Report) -> str:
    """Return the text of the page."""
    style = Path(__file__).with_name("style.css").read_text("utf-8")
    return (
        '<!doctype html>\n<html lang="en">\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{_text(report.name)}: {_text(report.verdict)}</title>\n"
        f"<style>\n{style}{''.join(_rules())}</style>\n"
        f"{''.join(_body(report))}</html>\n"
    )


def _rules() -> Iterator[str]:
    """Yield the style that hides what is not chosen."""
    for status in GRAVITY:
        yield f"body:has(#only-{status}:checked) tr.test:not(.{status}) {{ display: none }}\n"
        yield (
            f"body:has(#only-{status}:checked) details:not(:has(tr.{status})) {{ display: none }}\n"
        )


def _body(report: Report) -> Iterator[str]:
    outcome = report.outcome
    kind = {0: "green", 1: "red"}.get(report.code, "amber")
    info = ", ".join(f"{_text(k)} {_text(v)}" for k, v in outcome.offer.info.items() if k != "name")
    yield f"<header>\n<h1>{_text(outcome.offer.info['name'])} <small>{info}</small></h1>\n"
    yield f'<p class="verdict {kind}">{_text(report.verdict)}</p>\n<dl>\n'
    for name, value in _facts(report):
        yield f"<div><dt>{name}</dt><dd>{value}</dd></div>\n"
    yield "</dl>\n</header>\n"
    yield from _filter(report)
    yield "<main>\n"
    for row in report.rows:
        tests = [record for record in outcome.records if record.check == row.id]
        yield from _check(report, row, tests)
    yield "</main>\n"


def _facts(report: Report) -> Iterator[tuple[str, str]]:
    outcome = report.outcome
    yield "passed of claimed", f"<b>{outcome.passed}</b> of {outcome.claimed}"
    yield "passed of all", f"<b>{outcome.passed}</b> of {len(outcome.records)}"
    yield "precision", _text(precision(report))
    yield "profiles", _text(", ".join(outcome.offer.profiles))
    if outcome.offer.unsupported:
        reasons = (f"{name} ({reason})" for name, reason in outcome.offer.unsupported.items())
        yield "unsupported", _text("; ".join(reasons))
    yield "vectors", f"<code>{outcome.corpus}</code>"
    versions = ", ".join(f"{name} {version}" for name, version in report.versions.items())
    yield "run", _text(f"seed {outcome.seed}, {outcome.seconds:.1f} s; {versions}")
    yield "repeat", f"<code>{_text(report.repeat())}</code>"
    for one in report.suspects:
        change = f"<br>→ {_text(one.change)}" if one.change else ""
        place = f"{one.method}, {one.profile}"
        yield "likely cause", f"{_text(place)}: {_text(one.sentence)}{change}"
    if outcome.red:
        yield "begin with", f"<code>{_text(report.red()[0][2])}</code>"


def _filter(report: Report) -> Iterator[str]:
    counts = report.outcome.counts
    yield "<fieldset>\n<legend>Show</legend>\n"
    yield '<label><input type="radio" name="only" checked> all '
    yield f"<b>{len(report.outcome.records)}</b></label>\n"
    for status in GRAVITY:
        if counts[status]:
            yield f'<label><input type="radio" name="only" id="only-{status}"> '
            yield f"{SIGNS[status]} {status} <b>{counts[status]}</b></label>\n"
    yield "</fieldset>\n"


def _check(report: Report, row: Row, tests: list[Record]) -> Iterator[str]:
    opened = " open" if row.status in RED else ""
    yield f'<details{opened}>\n<summary><span class="id">{_text(row.id)}</span> '
    yield f'<span class="law">{_text(row.law)} <small>{_text(row.clause)}</small></span> '
    yield f'<span class="count">{row.passed} of {row.claimed}</span> '
    yield f'<span class="rho">ρ {figure(row.rho)}</span> {_badge(row.status)}</summary>\n'
    yield "<table>\n<tr><th>test<th>ρ<th>status<th>what it says</tr>\n"
    for record in tests:
        yield f'<tr class="test {record.status}"><td class="id">{_text(record.id)}'
        yield f"<td>{figure(record.rho)}<td>{_badge(record.status)}<td>{_text(record.message)}"
        if record.status in RED:
            yield f'<br><code class="repeat">{_text(report.repeat(record.id))}</code>'
            yield _bits(record.worst) if record.worst else ""
        yield "</tr>\n"
    yield "</table>\n</details>\n"


def _bits(worst: Element) -> str:
    got, want = (f"<code>{value.hex()}</code>" for value in (worst.got, worst.want))
    return f"<br><small>{_text(worst.where)}: got {got}, expected {want}</small>"


def _badge(status: Status) -> str:
    return f'<span class="badge {KINDS.get(status, "grey")}">{SIGNS[status]} {status}</span>'


def _text(value: str) -> str:
    return escape(str(value))
