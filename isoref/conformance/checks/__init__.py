"""The checks, level by level, in the order in which they run."""

from __future__ import annotations

from isoref.conformance.checks import (
    activation,
    derivatives,
    drawn,
    forms,
    forward,
    gauge,
    optimisers,
    precision,
    pruning,
    radii,
    topology,
    transport,
)
from isoref.conformance.plan import Check

CHECKS: tuple[Check, ...] = tuple(
    sorted(
        (
            *precision.CHECKS,
            *activation.CHECKS,
            *forward.CHECKS,
            *derivatives.CHECKS,
            *radii.CHECKS,
            *drawn.CHECKS,
            *gauge.CHECKS,
            *forms.CHECKS,
            *topology.CHECKS,
            *pruning.CHECKS,
            *optimisers.CHECKS,
            *transport.CHECKS,
        ),
        key=lambda check: check.level,
    )
)
"""All checks."""
