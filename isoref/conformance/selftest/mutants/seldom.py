"""Wrong where few look: two settings together, one layer far behind, another τ, the fortieth call.

Tables, caches and blocks of code have such edges; a fixed set of cases does not stand on them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from isoref.conformance.selftest.mutant import PUBLIC, Mutant, registry
from isoref.profiles import relu

FOUND: list[Mutant] = []
wrong = registry(FOUND)

NDArray = np.ndarray[Any, Any]
Right = Callable[..., Any]


def off(value: Any) -> Any:
    """Return arrays, or lists and dictionaries of them, a thousandth too large."""
    if isinstance(value, dict):
        return {name: off(part) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(off(part) for part in value)
    return value * value.dtype.type(1 + 2.0**-10)


def where(found: Callable[[Any, NDArray], Any]) -> Right:
    """Return a method that is off for such networks and inputs."""

    def method(right: Right, net: Any, x: NDArray, *rest: Any) -> Any:
        answer = right(net, x, *rest)
        return off(answer) if found(net, x) else answer

    return method


def pools(net: Any) -> int:
    """Return how many layers pool."""
    return sum(layer.pool != 1 for layer in net.layers) if net.axes else 0


def lengths(net: Any) -> list[float]:
    """Return q of all hidden spaces."""
    return [float(layer.q) for layer in net.layers[:-1]]


# Settings together

CHECKS = {"forward": "L2.drawn", "backward": "L3.pulled", "jvp": "L3.pushed"}
for label, found in (
    ("two_layers_that_pool", lambda net, x: pools(net) > 1),
    ("skips_and_pools", lambda net, x: bool(net.skips) and pools(net) > 0),
    ("four_convolutions", lambda net, x: net.axes and net.depth >= 3),
    ("five_layers", lambda net, x: not net.axes and not net.skips and net.depth >= 4),
    ("kernels_of_many_taps", lambda net, x: any(np.prod(la.kernel) > 5 for la in net.layers)),
    ("more_than_64_neurons", lambda net, x: max(net.widths) > 64),
    ("q_of_0_in_some_spaces", lambda net, x: 0 in lengths(net) and any(lengths(net))),
    ("rows_that_come_twice", lambda net, x: len(x) > 1 and bool((x[0] == x[-1]).all())),
):
    for method, killer in CHECKS.items():
        wrong(method, killer, name=f"{method}_is_off_for_{label}")(where(found))


@wrong("forward", "L2.drawn", origin=PUBLIC)
def saturates_at_ten_thousand(right: Right, net: Any, x: NDArray) -> Any:
    return np.clip(right(net, x), -1e4, 1e4)


@wrong("forward", "L2.drawn", origin=PUBLIC)
def takes_small_weights_for_none(right: Right, net: Any, x: NDArray) -> Any:
    layers = [
        replace(layer, weight=np.where(np.abs(layer.weight) < 1e-6, 0 * layer.weight, layer.weight))
        for layer in net.layers
    ]
    return right(net.rebuilt(layers), x)


@wrong("product", "L2.drawn", origin=PUBLIC)
def multiplies_wide_layers_in_half_precision(right: Right, a: NDArray, b: NDArray) -> Any:
    short = a.astype(np.float16).astype(a.dtype) if len(b) > 32 else a
    return right(short, b)


@wrong("forward", "L2.fresh", origin=PUBLIC)
def leaves_out_rows_beyond_a_thousand(right: Right, net: Any, x: NDArray) -> Any:
    y = right(net, x)
    kept = np.arange(len(y)) < 1024
    return np.where(kept.reshape(-1, *(1 for _ in y.shape[1:])), y, 0 * y)


# One entry of one layer


@wrong("backward", "L3.pulled", origin=PUBLIC)
def q_of_the_fourth_space_has_no_gradient(right: Right, net: Any, x: NDArray, ybar: NDArray) -> Any:
    bars, xbar = right(net, x, ybar)
    for bar in bars[3:-1]:
        bar["q"] = 0 * bar["q"]
    return bars, xbar


@wrong("backward", "L3.pulled", origin=PUBLIC)
def psi_beyond_three_skips_has_no_gradient(
    right: Right, net: Any, x: NDArray, ybar: NDArray
) -> Any:
    bars, xbar = right(net, x, ybar)
    for bar in bars[4:]:
        bar["psi"] = 0 * bar["psi"]
    return bars, xbar


@wrong("jvp", "L3.pushed", origin=PUBLIC)
def q_of_images_does_not_move(
    right: Right, net: Any, x: NDArray, net_dot: Any, x_dot: NDArray
) -> Any:
    layers = [
        replace(dot, q=0 * dot.q) if net.axes and dot.q is not None else dot
        for dot in net_dot.layers
    ]
    return right(net, x, net_dot.rebuilt(layers), x_dot)


@wrong("jvp", "L3.pushed", origin=PUBLIC)
def small_velocities_are_flushed(
    right: Right, net: Any, x: NDArray, net_dot: Any, x_dot: NDArray
) -> Any:
    return right(net, x, net_dot, np.where(np.abs(x_dot) < 1e-4, 0 * x_dot, x_dot))


@wrong("backward", "L3.pulled", origin=PUBLIC)
def cotangents_of_outputs_are_clipped(right: Right, net: Any, x: NDArray, ybar: NDArray) -> Any:
    return right(net, x, np.clip(ybar, -50, 50))


# Radii, widths and thresholds


def between(low: float, high: float) -> Right:
    """Return a state whose values are off where radii are between these."""

    def state(right: Right, profile: Any, a: NDArray, q: Any) -> Any:
        found = right(profile, a, q)
        size = np.where((found.r > low) & (found.r < high), 1 + 2.0**-10, 1).astype(a.dtype)
        return found._replace(h=found.h * size, g=found.g * size)

    return state


def slopes_between(low: float, high: float) -> Right:
    """Return a pull whose radial parts are off where radii are between these."""

    def pull(right: Right, profile: Any, state: Any, hbar: NDArray, gbar: NDArray) -> Any:
        far = (state.r > low) & (state.r < high)
        (abar, qbar), (still, _) = (
            right(profile, state, hbar, bar) for bar in (gbar, np.zeros_like(gbar))
        )
        return np.where(far, still, abar), np.where(far, 0 * qbar, qbar)

    return pull


for part, killer, region in (
    ("state", "L1.radii", between),
    ("pull", "L3.radii", slopes_between),
):
    for low, high in ((700.0, 720.0), (3e5, 3.3e5), (1e-12, 1e-11), (1e-100, 1e-60), (1e20, 1e21)):
        wrong(part, killer, name=f"{part}_is_off_from_{low:g}_to_{high:g}")(region(low, high))


@wrong("state", "L1.radii", origin=PUBLIC)
def is_off_in_spaces_of_more_than_eight(right: Right, profile: Any, a: NDArray, q: Any) -> Any:
    found = right(profile, a, q)
    wide = 8 < a.shape[1] < 128
    return found._replace(h=off(found.h)) if wide else found


@wrong("state", "L1.radii", profiles=("relu",))
def rounds_tau_to_eighths(right: Right, profile: Any, a: NDArray, q: Any) -> Any:
    return right(relu(max(round(8 * profile.tau) / 8, 0.125)), a, q)


@wrong("pull", "L3.radii", profiles=("relu",))
def differentiates_at_known_tau(
    right: Right, profile: Any, state: Any, hbar: NDArray, gbar: NDArray
) -> Any:
    found = right(profile, state, hbar, gbar)
    return found if profile.tau in (0.25, 0.5, 1.0, 2.0) else off(found)


# Calls


class Drifting:
    """Is off from the fortieth call with the same arguments on, as what profiles and recompiles."""

    def __init__(self) -> None:
        self.last: list[bytes] = []
        self.times = 0

    def __call__(self, right: Right, *given: Any) -> Any:
        """Return the answer, or what has become of it."""
        now = [value.tobytes() for value in given if isinstance(value, np.ndarray)]
        self.times, self.last = self.times + 1 if now == self.last else 0, now
        answer = right(*given)
        return off(answer) if self.times > 40 else answer


for method, killer in {
    "activation": "L1.radii",
    "forward": "L2.fresh",
    "activation_vjp": "L3.radii",
    "backward": "L3.batches",
    "jvp": "L3.batches",
}.items():
    wrong(method, killer, name=f"{method}_drifts")(type("Drift", (Drifting,), {}))


def empties(right: Right, net: Any, x: NDArray, *rest: Any) -> Any:
    """Needs a first row."""
    if not len(x):
        raise IndexError("index 0 is out of bounds for axis 0 with size 0")
    return right(net, x, *rest)


for method, killer in {
    "activation_vjp": "L3.radii",
    "backward": "L3.batches",
    "jvp": "L3.batches",
}.items():
    wrong(method, killer, name=f"{method}_needs_a_row", origin=PUBLIC)(empties)


class Remembered:
    """Keeps answers by the inputs alone, and gives them to other networks and other q as well."""

    def __init__(self) -> None:
        self.found: dict[Any, Any] = {}

    def __call__(self, right: Right, subject: Any, x: NDArray, *rest: Any) -> Any:
        """Return what these inputs gave before."""
        key = getattr(subject, "widths", subject), x.tobytes()
        if key not in self.found:
            self.found[key] = right(subject, x, *rest)
        return self.found[key]


for method, killer in {"activation": "L1.radii", "forward": "L2.drawn", "jvp": "L3.pushed"}.items():
    own = type("Cache", (Remembered,), {})
    wrong(method, killer, name=f"{method}_is_remembered_by_inputs", origin=PUBLIC)(own)


@wrong("jvp", "L3.pushed", origin=PUBLIC)
def inputs_at_rest_move_nothing(
    right: Right, net: Any, x: NDArray, net_dot: Any, x_dot: NDArray
) -> Any:
    y, ydot = right(net, x, net_dot, x_dot)
    return y, ydot if x_dot.any() else 0 * ydot


@wrong("backward", "L3.pulled", origin=PUBLIC)
def weights_of_0_have_no_gradient(right: Right, net: Any, x: NDArray, ybar: NDArray) -> Any:
    bars, xbar = right(net, x, ybar)
    for bar, layer in zip(bars, net.layers, strict=True):
        if not layer.weight.any():
            bar["weight"] = 0 * bar["weight"]
    return bars, xbar


def gains_rest(low: float, high: float) -> Right:
    """Return a push whose gain does not move where radii are between these."""

    def push(right: Right, profile: Any, state: Any, a_dot: NDArray, q_dot: NDArray) -> Any:
        h_dot, g_dot = right(profile, state, a_dot, q_dot)
        return h_dot, np.where((state.r > low) & (state.r < high), 0 * g_dot, g_dot)

    return push


for low, high in ((1e-9, 1e-6), (1e3, 1e4), (1e7, 1e9)):
    name = f"gains_do_not_move_from_{low:g}_to_{high:g}"
    wrong("push", "L3.velocity", name=name)(gains_rest(low, high))


# Where only the vectors stand, or one law


def short(values: NDArray) -> bool:
    """Whether the entries are ordinary numbers of eight significant bits, as quantised inputs."""
    mantissas = np.frexp(values.astype(np.float64))[0] * 2.0**8
    return bool(values.all() and values.size and (mantissas % 1 == 0).all())


def apart(values: NDArray) -> bool:
    """Whether there are rows that differ, as a Jacobian needs none."""
    return len(values) > 1 and bool((values[0] != values[-1]).any())


QUANTISED = {"forward": "L2.values", "backward": "L3.backward", "jvp": "L3.jvp"}
for method, killer in QUANTISED.items():
    wrong(method, killer, name=f"{method}_is_off_for_quantised_inputs")(
        where(lambda net, x: short(x) and net.depth > 1)
    )


@wrong("activation", "L1.values", name="activation_is_off_for_large_quantised_inputs")
def off_for_short(right: Right, profile: Any, a: Any, q: Any) -> Any:
    answer = right(profile, a, q)
    return off(answer) if short(a) and np.abs(a).max() > 2.0**20 else answer


@wrong("activation_vjp", "L3.activation", name="activation_vjp_is_off_for_quantised_inputs")
def pulled_off_for_short(right: Right, profile: Any, a: Any, q: Any, *bars: Any) -> Any:
    answer = right(profile, a, q, *bars)
    return off(answer) if short(a) and apart(a) else answer


@wrong("forward", "L2.ghosts", origin=PUBLIC)
def skips_single_neurons_without_weights(right: Right, net: Any, x: Any) -> Any:
    """A row of zeros beside others is taken for a dead neuron, whatever its bias."""
    layers = list(net.layers)
    for i, layer in enumerate(layers[:-1]):
        live = layer.weight.reshape(len(layer.bias), -1).any(axis=1)
        if live.any():
            layers[i] = replace(layer, bias=np.where(live, layer.bias, 0 * layer.bias))
    return right(net.rebuilt(layers), x)


wrong("backward", "L3.sums", name="backward_is_off_for_one_row_of_three_outputs")(
    where(lambda net, x: len(x) == 1 and net.widths == (2, 6, 5, 3))
)


@wrong("rotate", "L4.rotate")
def leaves_quantised_weights(right: Right, net: Any, space: int, R: Any) -> Any:
    return net if short(net.layers[0].weight) else right(net, space, R)
