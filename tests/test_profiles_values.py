"""Profiles are values with a name; their methods keep shape, dtype, library and device."""

from __future__ import annotations

import dataclasses
import importlib.util
import math
import pickle
from typing import Any

import array_api_strict
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from isoref.arrays import to_numpy
from isoref.profiles import Facts, Profile, named, relu, tanh
from tests.oracles.profiles import PAIRS, QUANTITIES

DTYPES = ("float64", "float32")
SAMPLE = np.array([[0.0, 1e-310, 1e-200, 1e-9], [0.3, 0.5, 0.7, 1.5], [3.0, 40.0, 1e10, 1e300]])


@pytest.mark.parametrize("name", PAIRS)
def test_named_turns_a_name_back_into_its_profile(name: str) -> None:
    profile = named(name)
    assert profile.name == name == repr(profile)
    assert named(profile.name) == profile
    assert hash(named(profile.name)) == hash(profile)
    assert pickle.loads(pickle.dumps(profile)) == profile


@given(st.floats(2.0**-1022, allow_infinity=False))
def test_named_turns_every_threshold_back(tau: float) -> None:
    assert named(relu(tau=tau).name) == relu(tau)


def test_different_profiles_differ() -> None:
    profiles = [named(name) for name in PAIRS] + [relu(0.25)]
    assert len(set(profiles)) == len(profiles) == 11


def test_profiles_are_immutable() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        relu(0.5).tau = 1.0  # type: ignore[misc]


@pytest.mark.parametrize(
    "text", ["Tanh", "", "relu", "relu(0.5)", "relu(tau=)", "relu(tau=x)", "tanh(tau=1)", None, 3]
)
def test_an_unknown_name_is_refused_with_the_known_ones(text: Any) -> None:
    with pytest.raises(ValueError, match=r"tanh, atan, .*, unit, or relu .* 'relu\(tau=0.5\)'"):
        named(text)


@pytest.mark.parametrize("tau", [0, 0.0, -0.0, "0.0"])
def test_a_threshold_of_zero_is_the_identity(tau: Any) -> None:
    with pytest.raises(ValueError, match="identity"):
        named(f"relu(tau={tau})")


@pytest.mark.parametrize("tau", [-1.0, math.nan, math.inf, -math.inf, 2.0**-1023, "0.5", None, 1j])
def test_a_threshold_that_is_no_positive_normal_number_is_refused(tau: Any) -> None:
    with pytest.raises(ValueError, match=r"tau must be .*relu\(tau=0.5\)"):
        relu(tau)


@pytest.mark.parametrize("tau", [1e-39, 1e-60, 1e39])
def test_a_threshold_out_of_range_in_float32_is_refused_there(tau: float) -> None:
    assert relu(tau).sigma(np.ones(1)) == max(1 - tau, 0)
    with pytest.raises(ValueError, match="tau must be a normal number in float32"):
        relu(tau).sigma(np.ones(1, np.float32))
    with pytest.raises(ValueError, match="dtype must be one of float64, float32, got 'float16'"):
        relu(0.5).rounded("float16")


@pytest.mark.parametrize("method", QUANTITIES)
def test_radii_must_be_a_float_array(method: str) -> None:
    with pytest.raises(TypeError, match=r"wrap the value in numpy\.asarray"):
        getattr(tanh, method)(1.0)
    for dtype in ("int64", "float16", "complex128"):
        with pytest.raises(TypeError, match=f"r must be float64 or float32, got {dtype}"):
            getattr(tanh, method)(np.ones(2, dtype))


@pytest.mark.parametrize("name", PAIRS)
@given(
    shape=hnp.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=3),
    dtype=st.sampled_from(DTYPES),
)
def test_shape_and_dtype_are_kept(name: str, shape: tuple[int, ...], dtype: str) -> None:
    r = np.full(shape, 0.7, dtype)
    r.flags.writeable = False
    for quantity in QUANTITIES:
        values = getattr(named(name), quantity)(r)
        assert type(values) is np.ndarray
        assert (values.shape, values.dtype) == (r.shape, r.dtype)
        assert not np.shares_memory(values, r)


@pytest.mark.parametrize("name", PAIRS)
def test_values_do_not_depend_on_layout(name: str) -> None:
    for quantity in QUANTITIES:
        values = getattr(named(name), quantity)(SAMPLE)
        assert np.array_equal(getattr(named(name), quantity)(SAMPLE.T[::-1]), values.T[::-1])


@pytest.fixture
def _values_stay_on_the_device(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(self: Any) -> Any:
        raise AssertionError("the value of an array was asked for")

    for conversion in ("__bool__", "__float__", "__int__", "__index__", "__array__"):
        monkeypatch.setattr(array_api_strict._array_object.Array, conversion, refuse, raising=False)


@pytest.mark.usefixtures("_values_stay_on_the_device")
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", PAIRS)
def test_the_standard_and_another_device_are_enough(name: str, dtype: str) -> None:
    device = array_api_strict.Device("device1")
    sample = np.minimum(SAMPLE, np.finfo(dtype).max).astype(dtype)
    with array_api_strict.ArrayAPIStrictFlags(api_version="2024.12"):
        for r in (sample, sample[0, 3], sample[:0]):
            radii = array_api_strict.asarray(r, device=device)
            for quantity in QUANTITIES:
                values = getattr(named(name), quantity)(radii)
                assert values.device == device
                assert np.array_equal(to_numpy(values), getattr(named(name), quantity)(np.array(r)))


@pytest.mark.skipif(importlib.util.find_spec("torch") is None, reason="PyTorch is not installed")
@pytest.mark.parametrize("name", PAIRS)
def test_torch_tensors_stay_torch_tensors(name: str) -> None:
    torch = importlib.import_module("torch")
    for dtype in (torch.float64, torch.float32):
        for shape in ((), (0,), (2, 3)):
            r = torch.full(shape, 0.7, dtype=dtype)
            for quantity in QUANTITIES:
                values = getattr(named(name), quantity)(r)
                assert (type(values), values.dtype, values.shape) == (torch.Tensor, dtype, shape)


class _Symbols:
    exact = True
    float64 = "float64"
    float32 = "float32"


class _Symbol:
    dtype = "symbol"

    def __array_namespace__(self) -> Any:
        return _Symbols


@dataclasses.dataclass(frozen=True, repr=False)
class _Undefined(Profile):
    name = "undefined"
    facts = Facts(Lip=1.0, Lambda=1.0)

    def _sigma(self, xp: Any, r: Any) -> Any:
        return xp, r

    _sigma_prime = _gamma = _delta = _gamma_prime = _kappa = _sigma

    def _Lambda_q(self, q: float) -> float:
        return q


def test_symbols_reach_the_formulas_as_they_are() -> None:
    r = _Symbol()
    for quantity in QUANTITIES:
        assert getattr(_Undefined(), quantity)(r) == (_Symbols, r)


def test_a_profile_without_formulas_cannot_be_made() -> None:
    with pytest.raises(TypeError, match="abstract"):
        Profile()  # type: ignore[abstract]
