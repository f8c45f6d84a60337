"""Committed results of studies: a sample is computed again, so that stale pages are found."""

from __future__ import annotations

import re
from math import hypot
from statistics import mean, stdev

import pytest

from tests.studies import convolution, optimisers
from tests.studies.convolution_page import SAMPLE_EPOCHS, SAMPLE_SEEDS, SAMPLED


@pytest.mark.parametrize("candidate", ["Newton–Schulz", "SGD with momentum 0.9"])
def test_the_comparison_of_optimisers_is_not_stale(candidate: str) -> None:
    text = optimisers.PAGE.read_text("utf-8")
    row = next(line for line in text.splitlines() if f"| two hidden spaces | {candidate} |" in line)
    cell = re.search(r"\| (\S+) ± (\S+) \((\S+)\) \|", row)
    assert cell is not None
    told, error, rate = map(float, cell.groups())
    widths = optimisers.SHAPES["two hidden spaces"]
    held = [
        100 * optimisers.measured(candidate, rate, widths, optimisers.SHORT, seed)
        for seed in range(optimisers.SEEDS)
    ]
    # Other machines round differently, and training amplifies that: within two standard errors.
    assert abs(mean(held) - told) <= 2 * hypot(error, stdev(held) / optimisers.SEEDS**0.5)


@pytest.mark.parametrize("name", SAMPLED)
def test_the_comparison_of_convolutions_is_not_stale(name: str) -> None:
    _, sample = convolution.PAGE.read_text("utf-8").split("## The sample")
    cell = re.search(rf"\| {name} \| (\S+) \| (\S+) ± (\S+) \|", sample)
    assert cell is not None
    rate, told, error = map(float, cell.groups())
    held = [convolution.measured(name, rate, SAMPLE_EPOCHS, seed) for seed in range(SAMPLE_SEEDS)]
    assert abs(mean(held) - told) <= 2 * hypot(error, stdev(held) / SAMPLE_SEEDS**0.5)
