"""Markdown tables, and how a set of figures is told."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

SPREAD = ("least", "median", "95 %", "largest")


def table(head: Iterable[str], rows: Iterable[Iterable[Any]]) -> str:
    """A Markdown table."""
    lines = [list(map(str, row)) for row in rows]
    head = list(head)
    return "\n".join("| " + " | ".join(line) + " |" for line in [head, ["---"] * len(head), *lines])


def spread(values: Iterable[float], digits: str = ".3f") -> list[str]:
    """The figures of SPREAD."""
    found = np.array(list(values))
    return [format(v, digits) for v in np.quantile(found, (0, 0.5, 0.95, 1))]


def share(values: Iterable[Any]) -> str:
    """How many are true; "100 %" means all."""
    found = np.array(list(values), bool)
    return "100 %" if found.all() else f"{min(100 * found.mean(), 99.9):.1f} %"
