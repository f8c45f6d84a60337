r"""What "equal" means: a bound E for every element, and the ratio ρ = |got − want| / E.

E follows from the definition and the arithmetic in use; nothing is picked by hand. Every
intermediate of the definition is perturbed by a normal deviate of the size of its own rounding,
32 times, and E = 6 rms of what that does to the result (specification, section 10). A first-order
propagation: it stays sharp with depth, where triangle inequalities on |W||h| compound until a
check cannot fail. It is statistical: the √n model of a sum holds for blocked and pairwise
summation of mixed signs, and ρ ≤ 1 passes.

    deviation of a sum of n terms    (½ √n u_accumulate + √(⅔ u_operand² + ⅓ u_store²)) Σ|terms|
    γ, γ′, δ, κ  4u relative         r  (¼ √n + 2.5) u relative         h  u relative

With equal roundoffs the first is (½ √n + 1) u Σ|terms|. Where the error of a reaches its radius,
or that of r a kink of σ, first order fails: the sample is marked as not observable.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from math import sqrt
from typing import Any

import numpy as np

from isoref import arrays
from isoref.arrays import Array
from isoref.convolution import written
from isoref.network import Network, Tangent, leaves, plain, tree_map
from isoref.perturbed import Results, evaluations, tangent
from isoref.profiles import Profile
from isoref.rounding import Arithmetic, Deviates, Perturbation, Tally
from isoref.windows import extents

NDArray = np.ndarray[Any, Any]

FLOAT64 = Arithmetic(2.0**-53, 2.0**-53, 2.0**-53, 2.0**-1074)
FLOAT32 = Arithmetic(2.0**-24, 2.0**-24, 2.0**-24, 2.0**-149)
ARITHMETIC = {"float64": FLOAT64, "float32": FLOAT32}

DRAWS = 32
FACTOR = 6.0
SIZE = 2.0**-47
"""Smaller roundoffs are amplified to this: the rounding of the evaluation itself then counts for
less than one part in a thousand of the deviation, and first order still holds."""
CACHED = 2**17
"""Deviates that are drawn at a time, for as many draws as they suffice."""


@dataclass(frozen=True, eq=False)
class Bounds:
    """The bounds E of every result, float64 on the host; None for what was not asked for.

    `adjoint` bounds |⟨ȳ, ẏ⟩ − ⟨gradient, net_dot⟩ − ⟨x̄, ẋ⟩|, `moments[s-1]` the antisymmetric part
    of `gauge.moment(net, gradient, s)`. `observable` (B,) tells for which
    samples first order holds; sums over the batch are bounded only if it is all true.
    """

    y: NDArray
    gradient: Tangent | None
    xbar: NDArray | None
    ydot: NDArray | None
    adjoint: float | None
    moments: tuple[NDArray, ...]
    observable: NDArray


def bounds(
    net: Network,
    x: Array,
    ybar: Array | None = None,
    net_dot: Tangent | None = None,
    x_dot: Array | None = None,
    *,
    arithmetic: Arithmetic | None = None,
    deviation: Tangent | None = None,
    moments: bool = True,
    seed: int = 0,
) -> Bounds:
    """Return E for forward, for backward if `ybar` is given, and for jvp if the velocities are.

    Parameters
    ----------
    net, x, ybar, net_dot, x_dot
        As for `forward`, `backward` and `jvp`; float32 values are taken as they are.
    arithmetic : Arithmetic, optional
        Unit roundoffs of the implementation that is judged; by default those of the dtype of net.
    deviation : Tangent, optional
        Standard deviation of each parameter, where the parameters were rounded too.
    moments : bool
        Whether `moments` are wanted, if `ybar` is given: n³ operations in a space of width n.
    seed : int
        Of the 32 draws.

    Examples
    --------
    >>> net = Network.random((3, 8, 2), seed=0)
    >>> e = bounds(net, np.ones((1, 3)))
    >>> bool((e.y > 0).all() and (e.y < 1e-13).all())
    True
    """
    limit, observable = deviations(
        net,
        x,
        ybar,
        net_dot,
        x_dot,
        arithmetic=arithmetic,
        deviation=deviation,
        moments=moments,
        seed=seed,
    )
    with arrays.quiet():
        limit = _each(lambda rms: FACTOR * rms, limit)
    return Bounds(
        y=limit.y,
        gradient=limit.gradient,
        xbar=limit.xbar,
        ydot=limit.ydot,
        adjoint=None if limit.adjoint is None else float(limit.adjoint),
        moments=limit.moments,
        observable=observable,
    )


def deviations(
    net: Network,
    x: Array,
    ybar: Array | None = None,
    net_dot: Tangent | None = None,
    x_dot: Array | None = None,
    *,
    arithmetic: Arithmetic | None = None,
    deviation: Tangent | None = None,
    moments: bool = True,
    seed: int = 0,
) -> tuple[Results, NDArray]:
    """Return the rms deviation of all results and intermediates, and the observable samples.

    Arguments as for `bounds`. What has not been asked for is None.
    """
    if (net_dot is None) != (x_dot is None):
        raise ValueError("net_dot and x_dot must be given together, got one of them")
    image = extents(x)
    for layer in net.layers:
        image = written(layer, image)
    for name, array, shape in (
        ("x", x, (x.shape[0], net.widths[0], *x.shape[2 : 2 + net.axes])),
        ("x_dot", x_dot, (x.shape[0], net.widths[0], *x.shape[2:])),
        ("ybar", ybar, (x.shape[0], net.widths[-1], *image)),
    ):
        if array is not None and tuple(array.shape) != shape:
            raise ValueError(
                f"{name} must have shape {shape} to fit x and widths {net.widths}, "
                f"got {tuple(array.shape)}"
            )
    arithmetic = arithmetic or ARITHMETIC[arrays.precision(net.reference, "net")]
    wide = _wide(net)
    spread = None if deviation is None else _wide(deviation)
    inputs, cotangent = _float64(x), None if ybar is None else _float64(ybar)
    velocity = None if net_dot is None or x_dot is None else (_wide(net_dot), _float64(x_dot))

    def run(noise: Perturbation) -> Results:
        return evaluations(
            wide, inputs, cotangent, velocity, noise, deviation=spread, with_moments=moments
        )

    rms, observable = propagated(run, arithmetic, net.profile, seed, together=True)
    if rms.gradient is not None:
        rms = rms._replace(gradient=tangent(net, rms.gradient))
    return rms, observable


def propagated(
    run: Callable[[Perturbation], Any],
    arithmetic: Arithmetic,
    profile: Profile,
    seed: int,
    *,
    together: bool = False,
) -> tuple[Any, NDArray]:
    """Return the rms change of everything that `run` returns, and the observable samples.

    `run(noise)` evaluates one algorithm; what it returns has the outputs `y` (B, n) and, for each
    hidden space in `spaces`, the perturbed `a` (B, n) and `r` (B, 1). With `together` it evaluates
    as often as `noise` has deviates, and all that it returns has an axis of evaluations in front.
    """
    amplified = max(1.0, SIZE / max(arithmetic.operand, arithmetic.accumulate, arithmetic.store))
    with arrays.quiet():
        tally = Tally(arithmetic)
        found = run(tally if together else Perturbation(arithmetic))
        base = _each(lambda b: b[0], found) if together else found
        for gain in dict.fromkeys((amplified, 1.0)):
            rng = np.random.default_rng(seed)
            rms = _each(np.zeros_like, base)
            if together:
                for deviates in _drawn(rng, sum(tally.sizes)):
                    rms = _each(_joined, rms, run(Perturbation(arithmetic, deviates, gain)), base)
            else:
                noise = Perturbation(arithmetic, rng, gain)
                for _ in range(DRAWS):
                    rms = _each(_longer, rms, run(noise), base)
            rms = _each(lambda d: d / sqrt(DRAWS), rms)
            observable = _observable(profile, base, rms)
            if observable.all():
                break
        return _each(lambda d: d / gain, rms), observable


def _drawn(rng: np.random.Generator, count: int) -> Iterator[Deviates]:
    """Yield the deviates of all draws, as many draws at a time as fit the cache."""
    most = max(1, CACHED // max(1, count))
    for start in range(0, DRAWS, most):
        yield Deviates(rng, min(most, DRAWS - start), count)


def _longer(length: NDArray, moved: NDArray, base: NDArray) -> NDArray:
    """Add a change to a length, without a square, which could over- or underflow."""
    return np.asarray(np.hypot(length, moved - base))


def _joined(length: NDArray, moved: NDArray, base: NDArray) -> NDArray:
    """Do as `_longer` with one change after another."""
    return np.asarray(np.hypot.reduce(np.concatenate([length[None], moved - base])))


@dataclass(frozen=True)
class Worst:
    """The element with the largest ratio ρ = error / bound of a comparison."""

    rho: float
    error: float
    bound: float
    where: str


def compare(got: Array, want: Array, bound: Array) -> Worst:
    """Return the worst element of |got − want| / bound, with 0/0 = 0 and ρ = ∞ for NaN.

    Examples
    --------
    >>> compare(np.array([1.0, 2.0]), np.array([1.0, 2.5]), np.array([0.0, 1.0]))
    Worst(rho=0.5, error=0.5, bound=1.0, where='[1]')
    """
    values = [np.asarray(arrays.to_numpy(v), np.float64) for v in (got, want, bound)]
    if values[0].shape != values[1].shape:
        raise ValueError(
            f"got must have the shape of want, {values[1].shape}, got {values[0].shape}"
        )
    if np.broadcast_shapes(values[2].shape, values[0].shape) != values[0].shape:
        raise ValueError(f"bound must fit want, {values[1].shape}, got shape {values[2].shape}")
    if (values[2] < 0).any():
        raise ValueError(f"bound must not be negative, got {values[2].min()}")
    if values[0].size == 0:
        return Worst(0.0, 0.0, 0.0, "[]")
    with arrays.quiet():
        error = np.where(values[0] == values[1], 0.0, np.abs(values[0] - values[1]))
        ratio = np.where(error == 0, 0.0, error / values[2])
    ratio = np.where(np.isnan(ratio), np.inf, ratio)
    k = np.unravel_index(np.argmax(ratio), ratio.shape)
    limit = np.broadcast_to(values[2], ratio.shape)
    return Worst(float(ratio[k]), float(error[k]), float(limit[k]), str([int(i) for i in k]))


def compare_trees(got: Tangent, want: Tangent, bound: Tangent) -> Worst:
    """Return the worst element over all entries of three tangents."""
    found = []
    for i, name, entries in leaves(got, want, bound):
        worst = compare(*entries)
        found.append(replace(worst, where=f"layers[{i}].{name}{worst.where}"))
    return max(found, key=lambda worst: worst.rho)


def rho(got: Array, want: Array, bound: Array) -> float:
    """Return ρ = max |got − want| / bound; ρ ≤ 1 passes. See `compare`."""
    return compare(got, want, bound).rho


def _observable(profile: Profile, base: Any, rms: Any) -> NDArray:
    """Samples whose error in a stays below r, and in r away from every kink, in all spaces."""
    good = np.ones(len(base.y), bool)
    for at, error in zip(base.spaces, rms.spaces, strict=True):
        share = np.where(error.a == 0, 0.0, error.a / at.r)
        seen = FACTOR * np.sqrt(np.sum(share**2, axis=1)) <= 1
        for kink in profile.kinks:
            seen &= (np.abs(at.r - kink) > FACTOR * error.r)[:, 0]
        good &= seen.reshape(len(good), len(seen) // max(1, len(good))).all(axis=1)
    return good


def _each(function: Callable[..., Any], first: Any, *others: Any) -> Any:
    """Apply `function` to every array of nested tuples and tangents, and keep None."""
    if first is None:
        return None
    if isinstance(first, Tangent):
        return tree_map(lambda *entries: function(*entries[:-1]), first, *others)
    if isinstance(first, tuple):
        items = (_each(function, *group) for group in zip(first, *others, strict=True))
        return getattr(type(first), "_make", tuple)(items)
    return function(first, *others)


def _float64(array: Array) -> NDArray:
    return np.asarray(arrays.to_numpy(array), np.float64)


def _wide(tree: Any) -> Any:
    return tree_map(lambda array, _: _float64(array), plain(tree))
