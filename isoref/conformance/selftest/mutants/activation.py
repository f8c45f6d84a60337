"""Wrong activations: level 1."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from isoref.conformance.selftest.mutant import PUBLIC, Mutant, registry

FOUND: list[Mutant] = []
wrong = registry(FOUND)

NDArray = np.ndarray[Any, Any]
Right = Callable[..., Any]


def lengthened(right: Right, profile: Any, a: NDArray, r: NDArray) -> Any:
    """Return the state that follows from a wrong radius."""
    with np.errstate(all="ignore"):
        u = a / r
        return right(profile, a, np.zeros((), a.dtype))._replace(
            h=profile.sigma(r) * u, g=profile.gamma(r), r=r, u=u
        )


def norms(a: NDArray) -> NDArray:
    """Return the norms of rows, (B, 1)."""
    return np.asarray(np.sqrt((a * a).sum(axis=1, keepdims=True)))


@wrong("state", "L1.values", profiles=("tanh", "softsign"), origin=PUBLIC)
def epsilon_under_the_root(right: Right, profile: Any, a: Any, q: Any) -> Any:
    return right(profile, a, q + np.asarray(1e-8, a.dtype))


@wrong("state", "L1.values", profiles=("tanh", "softsign"), origin=PUBLIC)
def tiny_epsilon_under_the_root(right: Right, profile: Any, a: Any, q: Any) -> Any:
    return right(profile, a, q + np.asarray(1e-12, a.dtype))


@wrong("state", "L1.values", origin=PUBLIC)
def q_is_o(right: Right, profile: Any, a: Any, q: Any) -> Any:
    return right(profile, a, q * q)


@wrong("state", "L1.values", origin=PUBLIC)
def q_is_a_logarithm(right: Right, profile: Any, a: Any, q: Any) -> Any:
    return right(profile, a, np.exp(q))


@wrong("state", "L1.values")
def without_q(right: Right, profile: Any, a: Any, q: Any) -> Any:
    return right(profile, a, 0 * q)


@wrong("state", "L1.values")
def q_is_subtracted(right: Right, profile: Any, a: Any, q: Any) -> Any:
    return lengthened(right, profile, a, np.sqrt(np.abs((a * a).sum(1, keepdims=True) - q)))


@wrong("state", "L1.values", origin=PUBLIC)
def o_is_added_to_the_norm(right: Right, profile: Any, a: Any, q: Any) -> Any:
    return lengthened(right, profile, a, norms(a) + np.sqrt(q))


@wrong("state", "L1.values", origin=PUBLIC)
def linear_near_zero(right: Right, profile: Any, a: Any, q: Any) -> Any:
    state = right(profile, a, q)
    near = state.r <= 1e-3
    gain = profile.gamma(np.where(near, np.zeros_like(state.r), state.r))
    return state._replace(h=np.where(near, gain * a, state.h), g=gain)


@wrong("state", "L1.values", origin=PUBLIC)
def guards_the_whole_batch(right: Right, profile: Any, a: Any, q: Any) -> Any:
    state = right(profile, a, q)
    if not (state.r <= 1e-3).any():
        return state
    gain = profile.gamma(np.zeros_like(state.r))
    return state._replace(h=gain * a, g=gain)


@wrong("state", "L1.values", origin=PUBLIC)
def clamps_the_norm(right: Right, profile: Any, a: Any, q: Any) -> Any:
    state = right(profile, a, q)
    r = np.maximum(state.r, np.asarray(1e-6, a.dtype))
    return state._replace(h=profile.sigma(state.r) * (a / r), g=profile.sigma(state.r) / r)


@wrong("state", "L1.values", origin=PUBLIC)
def epsilon_in_the_denominator(right: Right, profile: Any, a: Any, q: Any) -> Any:
    state = right(profile, a, q)
    g = profile.sigma(state.r) / (state.r + a.dtype.type(1e-12))
    return state._replace(h=g * a, g=g)


@wrong("state", "L1.values", origin=PUBLIC)
def norm_over_the_batch(right: Right, profile: Any, a: Any, q: Any) -> Any:
    if not len(a):
        return right(profile, a, q)
    r = np.resize(right(profile, np.ascontiguousarray(a.T), q).r, (len(a), 1))
    return lengthened(right, profile, a, r)


@wrong("state", "L1.values", origin=PUBLIC)
def norm_of_the_whole_batch(right: Right, profile: Any, a: Any, q: Any) -> Any:
    return lengthened(right, profile, a, np.sqrt((a * a).sum() + q) * np.ones_like(a[:, :1]))


@wrong("state", "L1.values", origin=PUBLIC)
def root_mean_square(right: Right, profile: Any, a: Any, q: Any) -> Any:
    return lengthened(right, profile, a, np.sqrt((a * a).mean(1, keepdims=True) + q))


@wrong("state", "L1.values")
def sum_of_sizes(right: Right, profile: Any, a: Any, q: Any) -> Any:
    return lengthened(right, profile, a, np.sqrt(np.abs(a).sum(1, keepdims=True) ** 2 + q))


@wrong("state", "L1.values", origin=PUBLIC)
def squares_overflow(right: Right, profile: Any, a: Any, q: Any) -> Any:
    state = right(profile, a, q)
    found = lengthened(right, profile, a, np.sqrt((a * a).sum(1, keepdims=True) + q))
    plain = (state.r > 0) & (found.r > 0)
    return found._replace(h=np.where(plain, found.h, 0), g=np.where(plain, found.g, state.g))


@wrong("state", "L1.values", origin=PUBLIC)
def elementwise(right: Right, profile: Any, a: Any, q: Any) -> Any:
    return right(profile, a, q)._replace(h=np.sign(a) * profile.sigma(np.abs(a)))


@wrong("state", "L1.values")
def gain_as_sigma(right: Right, profile: Any, a: Any, q: Any) -> Any:
    state = right(profile, a, q)
    return state._replace(h=profile.gamma(state.r) * state.u)


@wrong("state", "L1.values")
def sigma_as_gain(right: Right, profile: Any, a: Any, q: Any) -> Any:
    state = right(profile, a, q)
    return state._replace(g=profile.sigma(state.r))


@wrong("state", "L1.values")
def squared_radius(right: Right, profile: Any, a: Any, q: Any) -> Any:
    state = right(profile, a, q)
    return lengthened(right, profile, a, state.r * state.r)


@wrong("state", "L1.values", origin=PUBLIC)
def zero_vectors_are_nan(right: Right, profile: Any, a: Any, q: Any) -> Any:
    state = right(profile, a, q)
    with np.errstate(invalid="ignore"):
        lost = np.where(state.r == 0, a.dtype.type(np.nan), a.dtype.type(0))
    return state._replace(h=state.h + lost)


@wrong("state", "L1.conduct", origin=PUBLIC)
def zero_vectors_have_no_gain(right: Right, profile: Any, a: Any, q: Any) -> Any:
    state = right(profile, a, q)
    return state._replace(g=np.where(state.r == 0, 0 * state.g, state.g))


@wrong("state", "L1.values", origin=PUBLIC)
def subnormal_numbers_are_flushed(right: Right, profile: Any, a: Any, q: Any) -> Any:
    least = np.finfo(a.dtype).tiny
    return right(profile, np.where(np.abs(a) < least, 0 * a, a), q)


@wrong("state", "L1.values")
def saturates_at_five(right: Right, profile: Any, a: Any, q: Any) -> Any:
    state = right(profile, a, q)
    return state._replace(h=np.where(state.r > 5, state.u, state.h))


@wrong("state", "L1.values", origin=PUBLIC)
def exponentials_cancel(right: Right, profile: Any, a: Any, q: Any) -> Any:
    state = right(profile, a, q)
    with np.errstate(all="ignore"):
        e = np.exp(2 * state.r)
        sigma = (e - 1) / (e + 1)
    near = state.r == 0
    return state._replace(
        h=np.where(near, 0, sigma * state.u),
        g=np.where(near, 1, sigma / np.where(near, 1, state.r)),
    )


@wrong("state", "L1.values", origin=PUBLIC)
def float32_inside(right: Right, profile: Any, a: Any, q: Any) -> Any:
    kind = np.float32
    with np.errstate(over="ignore"):
        found = right(profile, a.astype(kind), np.asarray(q, kind))
    return found._replace(**{k: v.astype(a.dtype) for k, v in found._asdict().items()})


@wrong("state", "L1.values", profiles=("relu",), origin=PUBLIC)
def every_threshold_is_a_half(right: Right, profile: Any, a: Any, q: Any) -> Any:
    return right(type(profile)(0.5) if profile.name != "identity" else profile, a, q)


@wrong("state", "L1.values", profiles=("relu",))
def threshold_of_the_square(right: Right, profile: Any, a: Any, q: Any) -> Any:
    state = right(profile, a, q)
    below = state.r * state.r < profile.tau
    return state._replace(h=np.where(below, 0 * state.h, state.h))


@wrong("state", "L1.values", profiles=("gelu",), origin=PUBLIC)
def gelu_by_tanh(right: Right, profile: Any, a: Any, q: Any) -> Any:
    state = right(profile, a, q)
    r = state.r.astype(np.float64)
    with np.errstate(over="ignore"):
        part = 0.5 * (1 + np.tanh(np.sqrt(2 / np.pi) * (r + 0.044715 * r**3)))
    g = part.astype(a.dtype)
    return state._replace(h=g * a, g=g)


@wrong("state", "L1.values", profiles=("squash",), origin=PUBLIC)
def squash_with_epsilon(right: Right, profile: Any, a: Any, q: Any) -> Any:
    state = right(profile, a, q)
    return state._replace(h=state.h * (state.r / (state.r + a.dtype.type(1e-8))))


@wrong("state", "L1.values", profiles=("log1p",), origin=PUBLIC)
def logarithm_of_one_plus_r(right: Right, profile: Any, a: Any, q: Any) -> Any:
    state = right(profile, a, q)
    return state._replace(h=np.log(1 + state.r) * state.u)


@wrong("state", "L1.values")
def gain_off_by_fifty_roundings(right: Right, profile: Any, a: Any, q: Any) -> Any:
    state, more = right(profile, a, q), 1 + 25 * np.finfo(a.dtype).eps
    return state._replace(h=(state.h * more).astype(a.dtype), g=(state.g * more).astype(a.dtype))


# Only what is tried beside vectors can see these


@wrong("activation", "L1.rows", origin=PUBLIC)
def squeezes_a_batch_of_one(right: Right, profile: Any, a: Any, q: Any) -> Any:
    if len(a) != 1 or a.shape[1] == 8:
        return right(profile, a, q)
    h, g = right(profile, np.ascontiguousarray(a.T), q)
    return np.ascontiguousarray(h.T), g[:1]


@wrong("activation", "L1.conduct", origin=PUBLIC, name="another_order_at_the_second_call")
class AnotherOrderAtTheSecondCall:
    """Every other call differs in the last bit, as with atomic additions."""

    def __init__(self) -> None:
        self.calls = 0

    def __call__(self, right: Right, profile: Any, a: Any, q: Any) -> Any:
        self.calls += 1
        h, g = right(profile, a, q)
        if self.calls % 2:
            return h, g
        return np.where(h == 0, h, np.nextafter(h, 0 * h)), g


@wrong("activation", "L1.equivariance", origin=PUBLIC)
def drops_the_tail_of_seven(right: Right, profile: Any, a: Any, q: Any) -> Any:
    """Vector instructions take four at a time; the last of seven is left out of the norm."""
    if a.shape[1] != 7:
        return right(profile, a, q)
    short = np.array(a)
    short[:, 6] = 0
    h, g = right(profile, short, q)
    h[:, 6:] = g * a[:, 6:]
    return h, g
