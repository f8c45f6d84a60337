"""Experiment 5: parameters that diagonalisation saves, and what it does to the function.

Published: 500 and 1000 neurons in 2 to 6 hidden spaces on CIFAR, 25 epochs, 5 repeats; every other
layer is diagonalised in full, and parameters above 1e-4 are counted. Here zeros are structure.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from isoref import Network, diagonalise, sparsify
from isoref.diagonal import Report
from isoref.experiments import figures
from isoref.experiments.experiment import Experiment, Figure, Finding, Results, Table, Verdict
from isoref.experiments.learning import Learning, Samples, fit, held_accuracy, network, outputs
from isoref.experiments.learning import samples as read
from isoref.experiments.statistics import mean
from isoref.structure import dense, stored
from isoref.training.certified import certify
from isoref.training.metrics import divergence, epsilon_scaled

THRESHOLD = 1e-4
"""Above it the published count takes a parameter for one that is there."""

PROBE = 64
WAYS = ("alternating", "optimum")
_SMALL = (
    "With 64 inputs the first layer is a smaller part of all parameters than with 3072, and the "
    "shares are larger than the published ones.",
)


@dataclass(frozen=True, kw_only=True)
class Settings(Learning):
    """Those of training, and the widths and numbers of hidden spaces."""

    widths: tuple[int, ...] = (100,)
    depths: tuple[int, ...] = (2, 3, 4, 5, 6)


def trial(seed: int, settings: Settings) -> dict[str, Any]:
    """Train each network, and rotate it in both ways."""
    parts = read(settings, seed)
    found = {}
    for width in settings.widths:
        for depth in settings.depths:
            start = network(settings, parts, seed, hidden=(width,) * depth)
            net = fit(start, parts, settings, seed).net
            found[f"{width}^{depth}"] = {
                "accuracy": held_accuracy(net, parts),
                "weights": sum(int(np.size(dense(layer.weight))) for layer in net.layers),
                "parameters": net.parameter_count,
                "alternating": _numbers(net, *_alternating(net), parts),
                "optimum": _numbers(net, *sparsify(net), parts),
            }
    return found


def _alternating(net: Network) -> tuple[Network, Report]:
    """Diagonalise the layers 1, 3, 5, … between two hidden spaces."""
    edits: tuple[Any, ...] = ()
    for layer in range(1, net.depth, 2):
        net, report = diagonalise(net, layer, "full")
        edits += report.edits
    return net, Report(edits)


def _numbers(net: Network, other: Network, report: Report, parts: Samples) -> dict[str, Any]:
    y, z = outputs(net, parts.held_x), outputs(other, parts.held_x)
    x = parts.held_x[:PROBE]
    change = np.linalg.norm(outputs(other, x) - outputs(net, x), axis=1).max()
    bound = sum(part.bound for part in certify(net, report, x))
    flat = np.concatenate([np.ravel(dense(layer.weight)) for layer in other.layers])
    kept = sum(int(np.size(stored(layer.weight))) for layer in other.layers)
    return {
        "parameters": other.parameter_count,
        "weights": kept,
        "above": int((np.abs(flat) > THRESHOLD).sum()),
        "Δaccuracy": held_accuracy(other, parts) - held_accuracy(net, parts),
        "ε": epsilon_scaled(y, z),
        "KL": divergence(y, z),
        "measured": float(change),
        "bound": float(bound),
    }


def verdict(results: Results) -> Verdict:
    """Say whether the function stays, and how many parameters go."""
    names = results.names()
    rows = []
    for name in names:
        for way in WAYS:
            rows.append(
                (
                    _shown(name),
                    way,
                    int(results.values(name, "parameters")[0]),
                    f"{_saved(results, name, way):.2f}",
                    f"{_saved(results, name, way, 'above'):.2f}",
                    *(mean(results.values(name, way, n)) for n in ("Δaccuracy", "ε", "KL")),
                )
            )
    head = ("width × spaces", "gauge", "parameters", "saved (%)", "small weights (%)",
            "Δaccuracy (points)", "ε (%)", "KL (nats)")  # fmt: skip
    return Verdict(
        [_identical(results), _half(results), _optimal(results)],
        [
            Table(
                "Zeros that are structure, of all parameters; and weights of at most "
                f"{THRESHOLD:g}, of the weights",
                head,
                rows,
            )
        ],
        [
            "Saved parameters are counted from the structure: they depend on the widths alone, "
            "and so have no error. A threshold counts weights that training has made small too.",
            *(_SMALL if results.settings["data"] == "digits" else ()),
        ],
    )


def _saved(results: Results, name: str, way: str, count: str = "parameters") -> float:
    """Return the share that is left out, in per cent."""
    whole = results.values(name, "parameters" if count == "parameters" else "weights")
    return float(100 * np.mean(1 - results.values(name, way, count) / whole))


def _identical(results: Results) -> Finding:
    pairs = [(name, way) for name in results.names() for way in WAYS]
    ratio = max(
        float((results.values(*pair, "measured") / results.values(*pair, "bound")).max())
        for pair in pairs
    )
    moved = sum(int((results.values(*pair, "Δaccuracy") != 0).sum()) for pair in pairs)
    largest = max(float(results.values(*pair, "ε").max()) for pair in pairs)
    return Finding(
        "Sparsification by diagonalisation preserves the function identically.",
        "supported" if ratio <= 1 else "not supported",
        f"In exact arithmetic it does; in {results.settings['dtype']} the largest change of an "
        f"output is {ratio:.2g} times the bound that follows from rounding, ε is at most "
        f"{largest:.1g} %, and the held-out accuracy changes in {moved} of "
        f"{len(pairs) * results.n} cases.",
    )


def _half(results: Results) -> Finding:
    saved = {name: _saved(results, name, "alternating") for name in results.names()}
    told = "; ".join(f"{_shown(name)}: {share:.1f} %" for name, share in saved.items())
    largest = max(saved.values())
    width = max(int(name.split("^")[0]) for name in saved)
    limit = 50 * (width - 1) / (width + 1)
    above = (
        " Few spaces save more than that here, because the inputs are fewer than the neurons: the "
        "layers that become diagonal are more than their half, and part of the neurons is not "
        "needed at all (C15)."
    )
    return Finding(
        "Isotropic dense networks can reach a sparsity of 50 % asymptotically.",
        "supported" if largest >= 49 else "partly supported",
        f"Alternating diagonalisation saves, of all parameters, {told}. Odd numbers of spaces "
        "leave one of them out. For n neurons in each space the limit of many spaces, of the "
        f"weights, is (n − 1)/(2(n + 1)), {limit:.1f} % for {width} (C16)."
        + (above if largest > limit else ""),
    )


def _shown(name: str) -> str:
    return name.replace("^", " × ")


def _optimal(results: Results) -> Finding:
    gains = {
        name: _saved(results, name, "optimum") - _saved(results, name, "alternating")
        for name in results.names()
    }
    told = "; ".join(f"{_shown(name)}: {gain:+.1f}" for name, gain in gains.items())
    odd = [gain for name, gain in gains.items() if int(name.split("^")[1]) % 2]
    even = [gain for name, gain in gains.items() if not int(name.split("^")[1]) % 2]
    better = all(gain > 0.5 for gain in odd) and odd
    return Finding(
        "The best gauge has more zeros than alternating diagonalisation, for odd numbers of "
        "hidden spaces most of all.",
        "supported" if better and min(odd) > max(even, default=0.0) else "not supported",
        f"It saves, in points of all parameters, {told} more.",
    )


def draw(results: Results) -> Any:
    """Draw the share saved over the depth, for both gauges and every width."""
    figure, ((axes,),) = figures.canvas(width=5.6, height=3.2)
    widths = list(dict.fromkeys(name.split("^")[0] for name in results.names()))
    for row, width in enumerate(widths):
        names = [name for name in results.names() if name.split("^")[0] == width]
        depths = [int(name.split("^")[1]) for name in names]
        for k, way in enumerate(WAYS):
            saved = [_saved(results, name, way) for name in names]
            label = f"{way}, {width} neurons a space"
            axes.plot(depths, saved, label=label, **figures.LOOKS[2 * row + k]._asdict())
        n = int(width)
        label = f"limit for many spaces of {width}"
        axes.axhline(50 * (n - 1) / (n + 1), color="0.5", lw=0.8, ls=":", label=label)
    axes.set_xticks(depths)
    axes.set(xlabel="hidden spaces", ylabel="parameters saved (%)", ylim=(0, None))
    if len(widths) > 1:
        figures.below(figure, axes, 2)
    else:
        axes.legend(loc="lower right")
    return figure


EXPERIMENT = Experiment(
    name="sparsification",
    title="Zeros for nothing",
    question=(
        "Rotations that change no function make parameters zero. Every other layer is "
        "diagonalised, as published, or all spaces are turned to the gauge with most zeros. How "
        "many parameters go, and does the function stay?"
    ),
    studies={
        "quick": Settings(seeds=2, widths=(40,), depths=(2, 3, 4), epochs=3),
        "default": Settings(epochs=25),
        "published": Settings(seeds=5, widths=(500, 1000), epochs=25),
    },
    trial=trial,
    verdict=verdict,
    figures={
        "": Figure("Parameters that are structural zeros, of all parameters, by the depth.", draw)
    },
)
