"""The cases of the corpus, theme by theme; their order and ids are permanent."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from isoref.conformance.oracle.cases import (
    activation,
    extremes,
    forms,
    gauge,
    networks,
    optimisers,
    removals,
    states,
    topology,
)
from isoref.conformance.oracle.problem import Problem

FILES = {
    "activation": activation.problems,
    "networks": networks.problems,
    "gauge": gauge.problems,
    "topology": topology.problems,
    "optimisers": optimisers.problems,
    "extremes": extremes.problems,
    "forms": forms.problems,
    "removals": removals.problems,
    "states": states.problems,
}
"""The problems of each file. A new one comes last: numbers go on, and ids stay."""


def problems() -> Iterator[tuple[str, Problem]]:
    """Yield every problem with its id, and the file it belongs to."""
    counts: dict[str, int] = {}
    for file, found in FILES.items():
        for problem in found():
            name = f"{problem.check}.{problem.profile}"
            counts[name] = counts.get(name, 0) + 1
            yield file, replace(problem, id=f"{name}.{counts[name]:03d}")
