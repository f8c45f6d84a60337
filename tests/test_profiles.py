"""Every profile method is within its documented ulp of the true value, over the whole range."""

from __future__ import annotations

import importlib.util
import math
import os
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from mpmath import mp

from isoref.profiles import Profile, gelu, log1p, named, relu, silu, softsign, squash, tanh
from isoref.profiles.series import (
    ATAN_REACH,
    NORMAL_REACH,
    atan_fraction,
    normal_fraction,
)
from tests.oracles.profile_accuracy import ALLOWED, reference, worst
from tests.oracles.profiles import PAIRS, QUANTITIES, exact, expected, limits, split, ulps

RADII = 10_000

LIBRARIES = [
    "numpy",
    pytest.param(
        "torch",
        marks=pytest.mark.skipif(
            importlib.util.find_spec("torch") is None, reason="PyTorch is not installed"
        ),
    ),
]


@pytest.mark.parametrize("library", LIBRARIES)
@pytest.mark.parametrize("dtype", ALLOWED)
@pytest.mark.parametrize("name", PAIRS)
def test_error_is_within_the_documented_ulp(name: str, dtype: str, library: str) -> None:
    errors = worst(name, dtype, RADII, seed=1, library=library)
    for quantity, allowed in ALLOWED[dtype].items():
        assert errors[quantity] <= allowed, quantity


def test_error_is_within_the_documented_ulp_without_simd() -> None:
    found = np.show_config(mode="dicts")["SIMD Extensions"].get("found", [])
    run = subprocess.run(
        [sys.executable, "-m", "tests.oracles.profile_accuracy", "--count", "2000"],
        env={**os.environ, "NPY_DISABLE_CPU_FEATURES": " ".join(found)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stdout + run.stderr
    assert "SIMD found by NumPy: []" in run.stdout


@pytest.mark.parametrize("name", ["relu(tau=1e-300)", "relu(tau=0.1)", "relu(tau=1e+300)"])
def test_error_of_relu_is_within_the_documented_ulp_for_extreme_thresholds(name: str) -> None:
    profile = named(name)
    tau = profile.kinks[0]
    near = tau * (1 + np.geomspace(2.0**-52, 0.5, 200))
    r = np.unique([tau, *near, *tau * np.exp2(np.linspace(-5, 25, 500))])
    hi, rest = expected(name, r)
    for quantity, *pair in zip(QUANTITIES, hi, rest, strict=True):
        error = ulps(getattr(profile, quantity)(r), *pair)
        assert error.max() <= ALLOWED["float64"][quantity], quantity


@pytest.mark.parametrize("dtype", ALLOWED)
@pytest.mark.parametrize("name", PAIRS)
def test_values_at_zero_are_the_limits(name: str, dtype: str) -> None:
    zero = np.zeros((), dtype)
    for quantity, limit in zip(QUANTITIES, limits(name), strict=True):
        value = getattr(named(name), quantity)(zero)
        assert abs(value - dtype_value(limit, dtype)) <= np.finfo(dtype).eps or value == limit
    assert named(name).gain_differentiable_at_zero == (limits(name)[4] == 0)


def dtype_value(value: Any, dtype: str) -> Any:
    return np.float64(0 if mp.isinf(value) else value).astype(dtype)


INFINITE = [
    *((name, "kappa") for name in ("log1p", "softsign", "squash", "silu", "gelu", "unit")),
    *(("unit", quantity) for quantity in ("gamma", "delta", "gamma_prime")),
]


@pytest.mark.parametrize(("name", "quantity"), INFINITE)
def test_overflow_begins_exactly_where_the_true_value_rounds_to_infinity(
    name: str, quantity: str
) -> None:
    index = QUANTITIES.index(quantity)

    def true(bits: int) -> float:
        return split(exact(name, float(np.int64(bits).view(np.float64)))[index])[0]

    low, high = 1, int(np.float64(1.0).view(np.int64))
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if math.isinf(true(middle)) else (low, middle)
    bits = np.arange(low - 3, high + 4)
    values = getattr(named(name), quantity)(bits.view(np.float64))
    assert list(np.isinf(values)) == [math.isinf(true(int(b))) for b in bits]
    assert list(np.isinf(values)) == list(bits <= low)
    documented = {
        "log1p": 2.78e-309, "softsign": 5.56e-309, "squash": 5.56e-309, "silu": 1.39e-309,
        "gelu": 2.22e-309, "unit": {"gamma_prime": 7.46e-155, "kappa": 1.77e-103},
    }[name]  # fmt: skip
    if isinstance(documented, dict):
        documented = documented.get(quantity, 5.56e-309)
    assert float(np.int64(high).view(np.float64)) == pytest.approx(documented, rel=2e-3)


@pytest.mark.parametrize("name", PAIRS)
def test_nothing_else_is_infinite_or_nan(name: str) -> None:
    r, hi, _ = reference(name, "float64", RADII, 1)
    for quantity, values in zip(QUANTITIES, hi, strict=True):
        got = getattr(named(name), quantity)(r)
        assert not np.isnan(got).any()
        assert np.array_equal(np.isinf(got), np.isinf(values))
        assert (name, quantity) in INFINITE or not np.isinf(got).any()


@pytest.mark.parametrize("name", ["tanh", "atan", "log1p", "softsign", "squash", "silu", "gelu"])
def test_nan_is_not_hidden(name: str) -> None:
    for quantity in QUANTITIES:
        assert np.isnan(getattr(named(name), quantity)(np.array([math.nan]))).all(), quantity


radii_of_moderate_size = st.floats(1e-100, 1e75)


@pytest.mark.parametrize("name", PAIRS)
@given(radius=radii_of_moderate_size)
@example(1.0)
@example(0.5)
def test_laws(name: str, radius: float) -> None:
    """γ r = σ, δ = σ′ − γ, γ′ r = δ and κ r = γ′, each to the sum of the documented errors."""
    profile = named(name)
    values = {q: getattr(profile, q)(np.array([radius])) for q in QUANTITIES}
    error = {q: ALLOWED["float64"][q] * np.spacing(np.abs(values[q])) for q in QUANTITIES}
    for product, factor in (("sigma", "gamma"), ("delta", "gamma_prime"), ("gamma_prime", "kappa")):
        slack = error[product] + radius * error[factor] + np.spacing(np.abs(values[product]))
        assert abs(values[product] - radius * values[factor]) <= slack
    slack = error["delta"] + error["sigma_prime"] + error["gamma"] + np.spacing(values["gamma"])
    assert abs(values["delta"] - (values["sigma_prime"] - values["gamma"])) <= slack


@pytest.mark.parametrize("dtype", ALLOWED)
def test_parameters_are_rounded_to_the_dtype_first(dtype: str) -> None:
    tau = float(np.dtype(dtype).type(0.1))
    r = np.array([0.1, np.nextafter(np.dtype(dtype).type(0.1), 1), 0.3], dtype)
    hi, rest = expected(f"relu(tau={tau!r})", r)
    for quantity, *pair in zip(QUANTITIES, hi, rest, strict=True):
        assert ulps(getattr(relu(0.1), quantity)(r), *pair).max() <= ALLOWED[dtype][quantity]
    assert relu(0.1).sigma(r)[0] == 0
    assert relu(0.1).rounded(dtype) == relu(tau)


def test_the_continued_fractions_have_converged_where_they_take_over() -> None:
    with mp.workdps(40):
        z = mp.mpf(ATAN_REACH)
        gauss = z / (1 + z**2 / (3 + atan_fraction(z**2)))
        assert abs(gauss / mp.atan(z) - 1) < mp.mpf(2) ** -57
        r = mp.mpf(NORMAL_REACH)
        laplace = mp.npdf(r) / normal_fraction(r)
        assert abs(laplace - (1 - mp.ncdf(r))) < mp.mpf(2) ** -57


# Wrong formulas that the accuracy test must reject


def _no_series(r: Any) -> Any:
    return 1 / np.cosh(np.minimum(r, 300)) ** 2 - np.tanh(r) / r


def _unsplit(r: Any) -> Any:
    return r * np.exp(-0.5 * r * r) / math.sqrt(2 * math.pi)


MUTANTS: dict[str, tuple[Profile, str, str, Callable[[Any], Any]]] = {
    "δ by subtraction": (tanh, "delta", "float64", _no_series),
    "δ by subtraction in float32": (tanh, "delta", "float32", _no_series),
    "γ linear in an ε-ball": (
        tanh, "gamma", "float64", lambda r: np.where(r < 1e-3, 1.0, np.tanh(r) / r),
    ),
    "ε in the denominator": (tanh, "gamma", "float64", lambda r: np.tanh(r) / (r + 1e-12)),
    "σ′ by 1 − tanh²": (tanh, "sigma_prime", "float64", lambda r: 1 - np.tanh(r) ** 2),
    "wrong sign of κ": (tanh, "kappa", "float64", lambda r: -tanh.kappa(r)),
    "κ frozen at its limit": (
        tanh, "kappa", "float64", lambda r: np.where(r < 1e-6, -2 / 3, tanh.kappa(r)),
    ),
    "κ as γ′/r²": (softsign, "kappa", "float64", lambda r: softsign.gamma_prime(r) / r**2),
    "κ with r³": (
        named("unit"), "kappa", "float64", lambda r: -1 / (r * r * r),
    ),
    "δ = r²κ": (log1p, "delta", "float64", lambda r: r * r * log1p.kappa(r)),
    "r² overflows in σ′": (
        named("atan"), "sigma_prime", "float64", lambda r: 1 / (1 + r * r),
    ),
    "r² overflows in γ": (squash, "gamma", "float64", lambda r: r / (1 + r * r)),
    "a subnormal e^−r times r": (
        silu, "delta", "float64", lambda r: r * np.exp(-r) / (1 + np.exp(-r)) ** 2,
    ),
    "r² rounded before exp": (gelu, "delta", "float64", _unsplit),
    "1/r overflows before φ": (
        gelu, "kappa", "float64", lambda r: 1 / r * gelu.gamma_prime(r),
    ),
    "float32 in float32": (
        silu, "sigma_prime", "float32",
        lambda r: 1 / (1 + np.exp(-r)) + r * np.exp(-r) / (1 + np.exp(-r)) ** 2,
    ),
    "relu′(τ) = 1": (
        named("relu(tau=0.5)"), "sigma_prime", "float64", lambda r: np.where(r < 0.5, 0.0, 1.0),
    ),
    "δ of relu as 1 − γ": (
        named("relu(tau=0.5)"), "delta", "float64",
        lambda r: np.where(r > 0.5, 1 - (r - 0.5) / r, 0.0),
    ),
}  # fmt: skip


@pytest.mark.parametrize("mutant", MUTANTS)
def test_mutants_are_killed(mutant: str) -> None:
    profile, quantity, dtype, formula = MUTANTS[mutant]
    r, hi, rest = reference(profile.name, dtype, RADII, 1)
    index = QUANTITIES.index(quantity)
    with np.errstate(all="ignore"):
        error = ulps(formula(r).astype(dtype), hi[index], rest[index]).max()
    assert error > ALLOWED[dtype][quantity]
