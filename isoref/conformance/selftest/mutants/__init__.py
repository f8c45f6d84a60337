"""Wrong implementations, one mistake each, by level."""

from __future__ import annotations

from isoref.conformance.selftest.mutant import Mutant, settled
from isoref.conformance.selftest.mutants import (
    activation,
    derivatives,
    edits_regions,
    forms,
    forward,
    growth,
    pruning,
    regions,
    removal,
    rotations,
    seldom,
    steps,
    transport,
)

MUTANTS: tuple[Mutant, ...] = settled(
    (
        activation.FOUND,
        forward.FOUND,
        derivatives.FOUND,
        rotations.FOUND,
        forms.FOUND,
        growth.FOUND,
        removal.FOUND,
        pruning.FOUND,
        steps.FOUND,
        transport.FOUND,
        regions.FOUND,
        seldom.FOUND,
        edits_regions.FOUND,
    )
)
"""All of them."""
