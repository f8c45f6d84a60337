"""Means with their errors, paired tests, and the correction for making several of them.

The unit is the seed. Two procedures that are run on the same seeds are compared seed by seed; a
difference counts as clear only if it is beyond two standard errors and both tests, corrected for
all comparisons that were made together, reject at 5 %.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import inf, sqrt
from typing import Any, NamedTuple

import numpy as np
from scipy import stats

LEVEL = 0.05


class Mean(NamedTuple):
    """A mean, its standard error and the number of seeds; as text "97.1 ± 0.3".

    Examples
    --------
    >>> print(mean([1.0, 2.0, 3.0, 4.0]))
    2.5 ± 0.6
    """

    mean: float
    error: float
    n: int

    def __str__(self) -> str:
        return told(self.mean, self.error)


def mean(values: Any) -> Mean:
    """Return mean and standard error, s/√n with the n − 1 of a sample, of one number a seed."""
    found = np.asarray(values, dtype=float)
    if found.ndim != 1 or len(found) < 2:
        raise ValueError(f"values must be one number for each of two or more seeds, got {values!r}")
    if not np.isfinite(found).all():
        raise ValueError(f"values must be finite, got {values!r}")
    return Mean(float(found.mean()), float(found.std(ddof=1) / sqrt(len(found))), len(found))


def told(value: float, error: float, sign: str = "") -> str:
    """Return "value ± error", with the error to one digit, two if the first of them is 1.

    Examples
    --------
    >>> told(97.1234, 0.31), told(12.3456, 0.0123), told(-0.5, 0.0), told(3e-9, 2e-9, "+")
    ('97.1 ± 0.3', '12.346 ± 0.012', '−0.5 ± 0', '+3e-09 ± 2e-09')
    """
    return _told(value, error, sign).replace("-", "−").replace("e−", "e-")


def _told(value: float, error: float, sign: str) -> str:
    if error <= 1e-12 * abs(value):  # rounding alone
        return f"{value:{sign}.4g} ± 0"
    if not np.isfinite(error):
        return f"{value:{sign}.4g} ± {error:g}"
    exponent = int(f"{error:.1e}".split("e")[1])
    digits = max(0, -exponent + (f"{error:.1e}"[0] == "1"))
    if exponent < -4 or exponent > 5:
        return f"{value:{sign}.2g} ± {error:.1g}"
    return f"{value:{sign}.{digits}f} ± {error:.{digits}f}"


@dataclass(frozen=True)
class Paired:
    """A difference, seed by seed, and how clear it is.

    Attributes
    ----------
    difference, error : float
        Mean of first − second, and its standard error.
    n : int
        Pairs.
    low, high : float
        The 95 % interval of the mean difference, by Student's t.
    t_p, wilcoxon_p : float
        The p-values, two-sided, of the paired t-test and of Wilcoxon's signed-rank test.
    effect : float
        The difference in standard deviations of the differences; ∞ where these are all equal.
    corrected : float
        The larger p-value, by Holm's correction over all comparisons that were made together.
    """

    difference: float
    error: float
    n: int
    low: float
    high: float
    t_p: float
    wilcoxon_p: float
    effect: float
    corrected: float

    @property
    def clear(self) -> bool:
        """Whether the difference is beyond two standard errors and both tests reject."""
        return abs(self.difference) > 2 * self.error and self.corrected <= LEVEL

    def within(self, margin: float) -> bool:
        """Whether the whole interval is: then the two are equal for all that the margin matters."""
        return -margin <= self.low and self.high <= margin

    def __str__(self) -> str:
        return f"{told(self.difference, self.error, '+')} ({self.p})"

    @property
    def p(self) -> str:
        """The corrected p-value as text."""
        return "p < 0.001" if self.corrected < 0.001 else f"p = {self.corrected:.3f}"


def paired(first: Any, second: Any) -> Paired:
    """Compare two procedures on the same seeds.

    Examples
    --------
    >>> found = paired([3.0, 4.0, 5.0, 7.0], [2.0, 2.0, 2.0, 2.0])
    >>> round(found.difference, 3), round(found.error, 3), found.clear
    (2.75, 0.854, False)
    """
    a, b = (np.asarray(values, dtype=float) for values in (first, second))
    if a.shape != b.shape:
        raise ValueError(f"first and second must be pairs, got shapes {a.shape} and {b.shape}")
    d = a - b
    centre = mean(d)
    if centre.error <= 1e-12 * float(np.max(np.abs([a, b]), initial=0.0)):
        p, effect = (1.0, 0.0) if centre.mean == 0 else (0.0, inf)
        low = high = centre.mean
    else:
        p = float(stats.ttest_rel(a, b).pvalue)
        effect = centre.mean / (centre.error * sqrt(centre.n))
        reach = float(stats.t.ppf(1 - LEVEL / 2, centre.n - 1)) * centre.error
        low, high = centre.mean - reach, centre.mean + reach
    signed = float(stats.wilcoxon(d, method=_method(d)).pvalue) if d.any() else 1.0
    return Paired(centre.mean, centre.error, centre.n, low, high, p, signed, effect, max(p, signed))


def _method(d: np.ndarray[Any, Any]) -> str:
    """Return "exact" where there are few pairs without ties and zeros, as the test needs."""
    size = np.abs(d)
    return "exact" if len(d) <= 50 and len(np.unique(size)) == len(d) and d.all() else "approx"


def smallest_p(n: int) -> float:
    """Return the smallest p-value, two-sided, of the signed-rank test of n pairs.

    Examples
    --------
    >>> smallest_p(5), smallest_p(6)
    (0.0625, 0.03125)
    """
    return 2.0 ** (1 - n)


def holm(values: Sequence[float]) -> list[float]:
    """Return p-values corrected by Holm's method, in the order given.

    Examples
    --------
    >>> holm([0.01, 0.04, 0.03])
    [0.03, 0.06, 0.06]
    """
    order = sorted(range(len(values)), key=lambda k: values[k])
    corrected, largest = [0.0] * len(values), 0.0
    for rank, k in enumerate(order):
        largest = max(largest, min(1.0, (len(values) - rank) * values[k]))
        corrected[k] = largest
    return corrected


def together(pairs: Mapping[str, tuple[Any, Any]]) -> dict[str, Paired]:
    """Compare several pairs at once, with Holm's correction over all of them.

    Both tests are corrected on their own, and the larger of the two p-values counts.

    Examples
    --------
    >>> a = np.arange(6.0)
    >>> found = together({"up": (a + 1 + a / 10, a), "same": (a, a)})
    >>> found["up"].clear, found["same"].clear, found["up"].corrected
    (False, False, 0.0625)
    """
    found = {name: paired(*pair) for name, pair in pairs.items()}
    t_p = holm([pair.t_p for pair in found.values()])
    wilcoxon_p = holm([pair.wilcoxon_p for pair in found.values()])
    return {
        name: replace(pair, corrected=max(first, second))
        for (name, pair), first, second in zip(found.items(), t_p, wilcoxon_p, strict=True)
    }
