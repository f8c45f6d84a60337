"""What the numbers along a pruning path say of certificates, and their figure."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import stats

from isoref.experiments import figures
from isoref.experiments.experiment import Finding, Results, Table, Verdict
from isoref.experiments.statistics import mean, together

CENTERS = ("bias", "mean")

KEPT = 0.99
"""The share of predictions that shall stay."""


def verdict(results: Results) -> Verdict:
    """Say whether bounds hold, how loose they are, and whether they order edits rightly."""
    spaces = results.names("spaces")
    rows = []
    for space in spaces:
        for center in CENTERS:
            width = results.values("spaces", space, center, "bound").shape[1]
            for count in dict.fromkeys((1, width // 4 + 1, width // 2 + 1, 3 * width // 4 + 1)):
                cells = [
                    mean(results.values("spaces", space, center, name)[:, count - 1])
                    for name in ("measured", "bound", "accuracy", "kept", "certain")
                ]
                rows.append((space, center, count, *cells))
    head = ("space", "constants", "removed", "measured ‖Δy‖", "bound", "accuracy (%)",
            "predictions kept", "certified to stay")  # fmt: skip
    length = mean(results.values("length"))
    return Verdict(
        [_holds(results), _loose(results), _order(results), _useful(results), _centers(results)],
        [Table(f"Largest change of an output, whose median length is {length}", head, rows)],
        [
            "Measured and bound are the largest over the held-out samples that the certificate "
            "was computed for. A bound for every input of the ball of their radius is larger; in "
            "the figure it stands beside. Removals here go from the trained network at once, "
            "without training in between.",
        ],
    )


def _each(results: Results) -> list[tuple[str, str]]:
    return [(space, center) for space in results.names("spaces") for center in CENTERS]


def _holds(results: Results) -> Finding:
    ratios = np.concatenate([
        (results.values("spaces", *pair, "measured")
         / results.values("spaces", *pair, "bound")).ravel()
        for pair in _each(results)
    ])  # fmt: skip
    wrong = sum(
        int((results.values("spaces", *pair, "kept")
             < results.values("spaces", *pair, "certain")).sum())
        for pair in _each(results)
    )  # fmt: skip
    holds = ratios.max() <= 1 and wrong == 0
    return Finding(
        "The certificate is never exceeded.",
        "supported" if holds else "not supported",
        f"In {ratios.size} removals the measured change is at most {ratios.max():.3g} of the "
        f"bound, and in {wrong} of them fewer predictions stayed than were certified to.",
    )


def _loose(results: Results) -> Finding:
    ratios = {
        space: mean(
            np.median(
                results.values("spaces", space, "bias", "bound")
                / results.values("spaces", space, "bias", "measured"),
                axis=1,
            )
        )
        for space in results.names("spaces")
    }
    close = [space for space, ratio in ratios.items() if ratio.mean <= 10]
    outcome = "partly supported" if close else "not supported"
    told = "; ".join(f"space {space}: {ratio}" for space, ratio in ratios.items())
    return Finding(
        "The certificate is within a factor of ten of what happens.",
        "supported" if len(close) == len(ratios) else outcome,
        f"Bound over measured change, the median along the path: {told}. Every layer between the "
        "space and the output adds the largest factor by which it can stretch.",
    )


def _order(results: Results) -> Finding:
    """Rank correlations of bounds and measured changes, within a space and over all spaces."""
    within, over = [], []
    for k in range(results.n):
        bounds, changes, ranks = [], [], []
        for space in results.names("spaces"):
            bound = results.values("spaces", space, "bias", "bound")[k]
            change = results.values("spaces", space, "bias", "measured")[k]
            ranks.append(float(stats.spearmanr(bound, change).statistic))
            bounds.append(bound)
            changes.append(change)
        within.append(np.mean(ranks))
        joint = stats.spearmanr(np.concatenate(bounds), np.concatenate(changes))
        over.append(float(joint.statistic))
    inside, across = mean(within), mean(over)
    outcome = "partly supported" if inside.mean > 0.9 else "not supported"
    return Finding(
        "The certificate orders removals as their measured changes do.",
        "supported" if across.mean > 0.9 else outcome,
        f"Rank correlation of bound and measured change: {inside} within a space, {across} over "
        "all spaces together.",
    )


def _useful(results: Results) -> Finding:
    told, shares = [], []
    for space in results.names("spaces"):
        may, can = (
            mean(_first(results.values("spaces", space, "mean", name) < KEPT))
            for name in ("certain", "kept")
        )
        width = results.values("spaces", space, "mean", "kept").shape[1] + 1
        told.append(f"space {space} of {width}: {may} certified, {can} measured")
        shares.append(may.mean / max(can.mean, 1))
    outcome = "partly supported" if max(shares) > 0.1 else "not supported"
    return Finding(
        f"A certificate alone allows useful pruning, {KEPT:.0%} of the predictions being certain "
        "to stay.",
        "supported" if min(shares) > 0.5 else outcome,
        "Neurons that may go, constants at the mean, before fewer predictions than that are "
        f"certain to stay, and before fewer do stay: {'; '.join(told)}.",
    )


def _first(fails: Any) -> Any:
    """Return how many removals come before the first that fails, for every seed."""
    return np.where(fails.any(axis=1), fails.argmax(axis=1), fails.shape[1])


def _centers(results: Results) -> Finding:
    pairs = {}
    for space in results.names("spaces"):
        first, second = (
            np.log10(results.values("spaces", space, center, "measured")).mean(axis=1)
            for center in CENTERS
        )
        pairs[space] = second, first
    found = together(pairs)
    better = [space for space, pair in found.items() if pair.clear and pair.difference < 0]
    worse = [space for space, pair in found.items() if pair.clear and pair.difference > 0]
    told = "; ".join(f"space {space}: {pair}" for space, pair in found.items())
    outcome = "not supported" if worse else "no clear difference"
    if better:
        outcome = "supported" if len(better) == len(found) else "partly supported"
    return Finding(
        "Constants at the mean of a neuron move outputs less than constants at its bias (C30: "
        "usually, not always).",
        outcome,
        f"Decimal logarithm of the largest change, mean minus bias, along the path: {told}.",
    )


def draw(results: Results) -> Any:
    """Draw bounds, measured changes and accuracies over the number of neurons removed."""
    spaces = results.names("spaces")
    figure, axes = figures.canvas(2, len(spaces), width=7.4, height=4.8, sharex="col", sharey="row")
    for column, space in enumerate(spaces):
        top, low = axes[:, column]
        kinds = (
            ("bias", "ball", "bound for the whole ball"),
            ("bias", "bound", "bound for the samples"),
            ("mean", "bound", "the same, constants at the mean"),
            ("bias", "measured", "measured"),
            ("mean", "measured", "measured, constants at the mean"),
        )
        counts = np.arange(1, results.values("spaces", space, "bias", "bound").shape[1] + 1)
        for k, (center, name, label) in enumerate(kinds):
            values = np.log10(np.maximum(results.values("spaces", space, center, name), 1e-12))
            look = figures.LOOKS[k]
            top.plot(counts, 10 ** values.mean(axis=0), label=label, color=look.color,
                     linestyle=look.linestyle, marker=look.marker, mfc=look.markerfacecolor,
                     markevery=max(1, len(counts) // 6))  # fmt: skip
        top.axhline(results.values("length").mean(), color="0.5", lw=0.8)
        top.set(yscale="log", title=f"space {space}")
        kept = 100 * results.values("spaces", space, "bias", "kept")
        certain = 100 * results.values("spaces", space, "bias", "certain")
        figures.curve(low, 0, counts, kept, "predictions that stay")
        figures.curve(low, 1, counts, certain, "certified to stay")
        low.set_xlabel("neurons removed")
    axes[0, 0].set_ylabel("largest ‖Δy‖ (logits)")
    axes[1, 0].set_ylabel("samples (%)")
    axes[1, 0].legend(loc="lower left")
    figures.below(figure, axes[0, 0], 2)
    return figure
