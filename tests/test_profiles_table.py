"""The table of profile values in the package is what its command writes."""

from __future__ import annotations

import numpy as np

from tests.oracles.profile_table import PATH, RADII, stale
from tests.oracles.profiles import PAIRS, QUANTITIES


def test_the_table_is_not_stale() -> None:
    assert stale() == []


def test_the_table_is_small_and_needs_no_pickle() -> None:
    assert PATH.stat().st_size < 100_000
    with np.load(PATH, allow_pickle=False) as table:
        assert len(table.files) == 1 + 2 * len(PAIRS) * len(QUANTITIES)
        assert all(table[name].shape == (len(RADII),) for name in table.files)
