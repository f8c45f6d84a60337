"""Statistics of experiments against SciPy, definitions and cases made by hand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from isoref.experiments.statistics import Paired, holm, mean, paired, together, told

NUMBERS = st.floats(-1e3, 1e3).map(lambda v: round(v, 3))


def test_the_mean_and_its_error_are_those_of_a_sample() -> None:
    found = mean([1.0, 2.0, 4.0, 9.0])
    assert found.mean == 4.0
    assert found.error == pytest.approx(np.sqrt((9 + 4 + 0 + 25) / 3 / 4))
    assert found.n == 4
    assert found.error == pytest.approx(stats.sem([1.0, 2.0, 4.0, 9.0]))


@pytest.mark.parametrize("values", [[], [1.0], [[1.0, 2.0]], [1.0, np.nan], [1.0, np.inf]])
def test_a_mean_needs_finite_numbers_of_two_seeds(values: list[float]) -> None:
    with pytest.raises(ValueError, match="values must be"):
        mean(values)


def test_paired_tests_are_scipys_and_look_at_differences_alone() -> None:
    rng = np.random.default_rng(0)
    b = rng.normal(size=16) * 100
    a = b + rng.normal(0.8, 1.0, 16)
    found = paired(a, b)
    assert found.t_p == pytest.approx(stats.ttest_rel(a, b).pvalue)
    assert found.wilcoxon_p == pytest.approx(stats.wilcoxon(a - b).pvalue)
    interval = stats.ttest_rel(a, b).confidence_interval(0.95)
    assert (found.low, found.high) == pytest.approx((interval.low, interval.high))
    assert found.effect == pytest.approx((a - b).mean() / (a - b).std(ddof=1))
    assert found.corrected == max(found.t_p, found.wilcoxon_p)
    assert found.clear  # and unpaired tests would see nothing
    assert stats.ttest_ind(a, b).pvalue > 0.5
    swapped = paired(b, a)
    assert (swapped.difference, swapped.t_p) == pytest.approx((-found.difference, found.t_p))


def test_equal_procedures_differ_in_nothing() -> None:
    a = np.arange(8.0)
    same = paired(a, a)
    assert (same.difference, same.corrected, same.effect, same.clear) == (0.0, 1.0, 0.0, False)
    assert same.within(0.0)
    moved = paired(a + 1, a)
    assert (moved.t_p, moved.clear, moved.effect) == (0.0, True, np.inf)
    assert moved.within(1.0)
    assert not moved.within(0.99)


def test_a_clear_difference_needs_both_tests_and_two_errors() -> None:
    a = np.zeros(16)
    a[0] = 1000.0
    assert not paired(a, np.zeros(16)).clear  # one outlier
    few = paired([1.0, 1.1, 0.9, 1.05], np.zeros(4))
    assert few.t_p < 0.001
    assert not few.clear  # four signs alone are not rare enough


def test_pairs_must_be_pairs() -> None:
    with pytest.raises(ValueError, match="must be pairs"):
        paired([1.0, 2.0], [1.0, 2.0, 3.0])


def test_ties_and_zeros_are_no_error() -> None:
    found = paired([1.0, 1.0, 2.0, 2.0, 0.0, 3.0], np.zeros(6))
    assert 0 < found.wilcoxon_p < 1


@settings(deadline=None)
@given(st.lists(st.floats(0, 1), min_size=1, max_size=12))
def test_holm_is_its_definition(values: list[float]) -> None:
    found = holm(values)
    order = np.argsort(values, kind="stable")
    for rank, k in enumerate(order):
        steps = [(len(values) - j) * values[order[j]] for j in range(rank + 1)]
        assert found[k] == min(1.0, max(steps))
    assert all(c >= p for c, p in zip(found, values, strict=True))


def test_holm_of_a_case_by_hand() -> None:
    assert holm([0.04, 0.001, 0.02]) == pytest.approx([0.04, 0.003, 0.04])


@settings(deadline=None)
@given(st.lists(st.tuples(NUMBERS, NUMBERS), min_size=3, max_size=20))
def test_together_corrects_and_changes_nothing_else(pairs: list[tuple[float, float]]) -> None:
    a, b = map(np.array, zip(*pairs, strict=True))
    alone = paired(a, b)
    found = together({"x": (a, b), "y": (a, b), "z": (b, b)})
    assert found["x"].t_p == alone.t_p
    assert alone.corrected <= found["x"].corrected <= min(1.0, 3 * alone.corrected) + 1e-15
    assert not found["z"].clear


@pytest.mark.parametrize(
    ("value", "error", "text"),
    [
        (97.1234, 0.31, "97.1 ± 0.3"),
        (0.123456, 0.0149, "0.123 ± 0.015"),
        (1234.5, 23.0, "1234 ± 23"),
        (-1.0, 0.25, "−1.0 ± 0.2"),
        (5e-7, 2e-8, "5e-07 ± 2e-08"),
        (2.0, 0.0, "2 ± 0"),
        (0.0, 0.0, "0 ± 0"),
        (30.0, 2e-16, "30 ± 0"),
        (7e-15, 6e-15, "7e-15 ± 6e-15"),
        (99.97, 0.0996, "99.97 ± 0.10"),
    ],
)
def test_errors_decide_the_digits(value: float, error: float, text: str) -> None:
    assert told(value, error) == text


def test_together_takes_the_larger_of_the_corrected_tests() -> None:
    rng = np.random.default_rng(1)
    a, b = rng.normal(0.9, 1.0, 16), rng.normal(0.0, 1.0, 16)
    found = together({"x": (a, b), "y": (b, a), "z": (a, a)})
    singles = [paired(a, b), paired(b, a), paired(a, a)]
    t_p, ranks = (holm([getattr(one, p) for one in singles]) for p in ("t_p", "wilcoxon_p"))
    for pair, *two in zip(found.values(), t_p, ranks, strict=True):
        assert pair.corrected == max(two)
    assert found["x"].corrected > singles[0].corrected


def test_within_is_about_the_interval_and_clear_about_errors_too() -> None:
    wide = paired([0.9, -0.8, 0.7, -0.9], np.zeros(4))
    assert abs(wide.difference) < 0.5 < wide.high
    assert not wide.within(0.5)
    case = Paired(1.99, 1.0, 300, 0.02, 3.96, 0.047, 0.04, 0.11, 0.047)
    assert not case.clear
    assert replace(case, difference=2.01).clear
    assert not replace(case, difference=2.01, corrected=0.051).clear
