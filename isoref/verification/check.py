"""One line of the report: what was checked, on how much, and how far the worst element is off."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from math import isfinite
from typing import Any

from isoref.tolerance import Worst


@dataclass(frozen=True)
class Check:
    """A law, the number of cases, and the error, bound and ratio of the worst element.

    `unobservable` counts the cases that rounding hides, which are never passes: they are not
    among `cases`.
    """

    id: str
    law: str
    cases: int
    error: float
    bound: float
    ratio: float
    worst: str
    unobservable: int = 0

    @property
    def holds(self) -> bool:
        """Whether something was tested and the ratio is at most 1."""
        return self.cases > 0 and self.ratio <= 1

    def record(self) -> dict[str, Any]:
        """Return the check as JSON-ready values; what is not finite becomes text."""
        values = asdict(self) | {"holds": self.holds}
        return {
            key: str(value) if isinstance(value, float) and not isfinite(value) else value
            for key, value in values.items()
        }


def worst_of(id: str, law: str, found: Iterable[tuple[str, Worst | None]]) -> Check:
    """Return the check whose cases are the (description, worst element) pairs of `found`.

    A case of None is one that rounding hides.
    """
    seen = list(found)
    cases = [(text, worst) for text, worst in seen if worst is not None]
    hidden = len(seen) - len(cases)
    if not cases:
        return Check(id, law, 0, 0.0, 0.0, 0.0, "", hidden)
    text, worst = max(cases, key=lambda case: case[1].rho)
    where = f"{text} {worst.where}"
    return Check(id, law, len(cases), worst.error, worst.bound, worst.rho, where, hidden)
