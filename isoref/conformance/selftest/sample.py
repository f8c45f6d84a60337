"""Whether the page is stale: its mutants and vectors, and a sample of its figures."""

from __future__ import annotations

from math import isinf

from isoref.conformance.checks import CHECKS
from isoref.conformance.selftest.mutants import MUTANTS
from isoref.conformance.selftest.page import figure
from isoref.conformance.selftest.scores import score
from isoref.conformance.vectors import load

EVERY = 19
PRECISIONS = ("float64", "float32")


def stale(page: str) -> list[str]:
    """Return a sentence for everything on the page that is not what it is now.

    Figures depend on the last bits of a machine's libraries: they may differ by a factor of 2.
    """
    corpus = load()
    rows = [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in page.partition("## The mutants")[2].splitlines()
        if line.startswith("| ") and not line.startswith("| mutant")
    ]
    if f"`{corpus.hash}`" not in page:
        return ["the page tells of other vectors: python -m isoref.conformance.selftest --write"]
    listed = [(row[0], row[1] != "", row[2]) for row in rows]
    public = sum(m.origin == "public" for m in MUTANTS)
    counted = f"{len(MUTANTS)} wrong implementations, {public} of them" in page
    if not counted or listed != [(m.text, m.origin != "", m.killer) for m in MUTANTS]:
        return ["the page lists other mutants: python -m isoref.conformance.selftest --write"]
    found = []
    for mutant, row in list(zip(MUTANTS, rows, strict=True))[::EVERY]:
        for column, precision in enumerate(PRECISIONS, 3):
            killer = [check for check in CHECKS if check.id == mutant.killer]
            one = score(mutant, precision, corpus, checks=killer)
            now, told = one.rho.get(mutant.killer, 0.0), row[column]
            if not _alike(now, told):
                found.append(f"{mutant.text} in {precision}: ρ is {figure(now)}, told is {told}")
    return found


def _alike(now: float, told: str) -> bool:
    """Whether a figure is what the page tells; a mistake that does not show is in brackets."""
    if told.startswith("(") or " by " in told:
        return now <= 1
    if told == "∞" or isinf(now):
        return told == "∞" and isinf(now)
    return float(told) / 2 <= now <= float(told) * 2
