"""Experiment 2: singular values and biases during training, isotropic against elementwise tanh.

Published: 3072–100–100–10 on CIFAR-10, 40 epochs, 40 repeats, at a rate of 5e-2, much above that of
the other experiments, so that the evolution is clearer. Here at both rates.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from isoref.experiments import figures
from isoref.experiments.experiment import Experiment, Figure, Finding, Results, Table, Verdict
from isoref.experiments.learning import Learning, control, fit, held_accuracy, network, samples
from isoref.experiments.statistics import mean, together
from isoref.training import Run
from isoref.training.metrics import effective_rank, spectra

KINDS = {"isotropic": network, "elementwise": control}

SHARES = (0.0, 0.1, 0.25, 0.5, 0.75, 0.9, 1.0)
"""Quantiles of the singular values of a layer that are kept of every epoch."""

MOMENTS = 21
"""At most so many epochs are kept, from the first to the last."""

WEAK = 0.1
"""A singular value below this share of the largest is weak."""


@dataclass(frozen=True, kw_only=True)
class Settings(Learning):
    """Those of training, and the rates at which it is made."""

    rates: tuple[float, ...] = (1e-3, 5e-2)


def trial(seed: int, settings: Settings) -> dict[str, Any]:
    """Train both kinds from the same weights, on the same batches, at every rate."""
    parts = samples(settings, seed)
    found: dict[str, Any] = {}
    for rate in settings.rates:
        here = replace(settings, rate=rate)
        for kind, begin in KINDS.items():
            start = begin(here, parts, seed)
            run = fit(start, parts, here, seed, callbacks=(_look,))
            first = _look(Run(start, run.state))
            records = [first, *run.history]
            moments = np.unique(np.linspace(0, settings.epochs, MOMENTS).round().astype(int))
            kept = {name: [records[epoch][name] for epoch in moments] for name in first}
            kept["epochs"] = moments.tolist()
            values = spectra(run.net)
            found.setdefault(f"{rate:g}", {})[kind] = {
                **kept,
                "accuracy": held_accuracy(run.net, parts),
                "effective rank": [effective_rank(np.diag(v)) / len(v) for v in values],
                "weak": [float(np.mean(v < WEAK * v[0])) for v in values],
                "spread": [float(np.std(np.log10(np.maximum(v / v[0], 1e-6)))) for v in values],
            }
    return found


def _look(run: Run[Any]) -> dict[str, Any]:
    """Return quantiles of each layer's spectrum, and the root mean square of its biases."""
    quantiles = [np.quantile(values, SHARES) for values in spectra(run.net)]
    biases = [np.sqrt(np.mean(np.square(layer.bias))) for layer in run.net.layers]
    return {
        "quantiles": [[_short(q) for q in layer] for layer in quantiles],
        "biases": [_short(bias) for bias in biases],
    }


def _short(value: Any) -> float:
    return float(f"{float(value):.3g}")


def verdict(results: Results) -> Verdict:
    """Compare the spectra after training, layer by layer and rate by rate."""
    findings = [_compared(results, rate) for rate in results.names()]
    findings.append(_biases(results))
    rows = []
    for rate in results.names():
        for kind in KINDS:
            found = (results.values(rate, kind, n) for n in ("effective rank", "weak"))
            cells = ["; ".join(str(mean(column)) for column in values.T) for values in found]
            rows.append((rate, kind, mean(results.values(rate, kind, "accuracy")), *cells))
    head = ("rate", "activation", "accuracy (%)", "effective rank / full, by layer",
            f"share of σ < {WEAK:g} σ_max, by layer")  # fmt: skip
    return Verdict(
        findings,
        [Table("After training", head, rows)],
        [
            "The published runs draw these spectra for both kinds, at the rate 0.05, to find a "
            "threshold for the controller; 0.001 is the published rate of all other experiments. "
            "The statements, and what they measure, are worded here.",
            "The two kinds start from the same weights and see the same batches; the rates were "
            "chosen for neither kind. Another rate may be better for one of them: `isoref "
            "experiment comparison` chooses it for each.",
        ],
    )


def _compared(results: Results, rate: str) -> Finding:
    """Judge whether the isotropic spectra are the more concentrated."""
    pairs = {}
    for layer in range(len(results.values(rate, "isotropic", "weak")[0])):
        for name in ("effective rank", "weak"):
            first, second = (results.values(rate, kind, name)[:, layer] for kind in KINDS)
            pairs[f"{name}, layer {layer}"] = (100 * first, 100 * second)
    found = together(pairs)
    more = [n for n, p in found.items() if p.clear and (p.difference > 0) == n.startswith("weak")]
    less = [n for n, p in found.items() if p.clear and n not in more]
    if more:
        most = len(more) > len(found) / 2
        outcome = "supported" if most and not less else "partly supported"
    elif less:
        outcome = "not supported"
    else:
        outcome = "no clear difference"
    told = "; ".join(f"{name} {pair}" for name, pair in found.items())
    return Finding(
        f"At rate {rate}, isotropic training leaves more weak singular values than elementwise "
        "training, and a lower effective rank.",
        outcome,
        f"Isotropic minus elementwise, in points of per cent: {told}. Of {len(found)} comparisons "
        f"{len(more)} are clear in this direction, and {len(less)} in the other.",
    )


def _biases(results: Results) -> Finding:
    pairs = {}
    for rate in results.names():
        last = [results.values(rate, kind, "biases")[:, -1, :-1].mean(axis=1) for kind in KINDS]
        pairs[rate] = (last[0], last[1])
    found = together(pairs)
    told = "; ".join(f"at rate {rate} {pair}" for rate, pair in found.items())
    clear = [pair.difference > 0 for pair in found.values() if pair.clear]
    if not clear:
        outcome = "no clear difference"
    elif len(clear) == len(found):
        outcome = "supported" if not any(clear) else "not supported"
    else:
        outcome = "partly supported"
    return Finding(
        "Isotropic training leaves smaller biases in the hidden layers.",
        outcome,
        f"Root mean squares, isotropic minus elementwise: {told}.",
    )


def draw(results: Results) -> Any:
    """Draw the quantiles of every layer over the epochs at the last rate."""
    rate = results.names()[-1]
    layers = len(results.values(rate, "isotropic", "weak")[0])
    figure, axes = figures.canvas(2, layers, width=7.6, height=4.6, sharex=True, sharey="col")
    for row, kind in enumerate(KINDS):
        values = results.values(rate, kind, "quantiles")
        epochs = results.values(rate, kind, "epochs")[0]
        for layer in range(layers):
            here = values[:, :, layer].mean(axis=0)
            panel = axes[row, layer]
            for k, (low, high) in enumerate(((0, 6), (1, 5), (2, 4))):
                panel.fill_between(epochs, here[:, low], here[:, high], lw=0,
                                   color=str(0.85 - 0.2 * k))  # fmt: skip
            panel.plot(epochs, here[:, 3], color="0", lw=1.4)
            panel.set_title(f"layer {layer}, {kind}")
        axes[row, 0].set_ylabel("singular values of W\n(no unit)")
    for panel in axes[-1]:
        panel.set_xlabel("epochs")
        panel.set_ylim(bottom=0)
    return figure


EXPERIMENT = Experiment(
    name="spectra",
    title="Spectra during training",
    question=(
        "The same initial weights are trained on the same batches as an isotropic network and as "
        "one of elementwise tanh, and the singular values and biases of every layer are followed. "
        "Weak singular values are directions that a removal of neurons could take. The effective "
        "rank is exp of the entropy of σ/Σσ, here over the number of singular values."
    ),
    studies={
        "quick": Settings(seeds=4, hidden=(40, 40), epochs=6),
        "default": Settings(hidden=(100, 100), epochs=40),
        "published": Settings(seeds=40, hidden=(100, 100), epochs=40),
    },
    trial=trial,
    verdict=verdict,
    figures={
        "": Figure(
            "Singular values over the epochs at the highest rate: median, and the ranges of half, "
            "of eight tenths and of all of them, from dark to light; means over the seeds.",
            draw,
        )
    },
)
