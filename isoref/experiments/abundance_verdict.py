"""What the numbers of the experiment on abundance say, and its figures."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from isoref.experiments import figures
from isoref.experiments.experiment import Finding, Results, Table, Verdict
from isoref.experiments.rates import edges
from isoref.experiments.statistics import Paired, mean, paired, together

NDArray = np.ndarray[Any, Any]

NAMES = ("isotropic", "elementwise")
"""The kinds of networks, as results call them."""

EVERY = 4
"""Epochs between two accuracies of a curve."""

BEFORE = 5
"""The look of the accuracy before the change, of no last width."""


def pair(start: int, end: int) -> str:
    """Return the name of a pair of widths."""
    return f"{start}→{end}"


def verdict(results: Results) -> Verdict:
    """Compare every pair with the network that has the last width from the start."""
    findings = [
        _side(results, "isotropic", 1, "Starting with more neurons than at the end helps."),
        _side(results, "isotropic", -1, "Starting with fewer neurons than at the end helps."),
        _control(
            results, 1, "Removing neurons costs isotropic networks less than elementwise ones."
        ),
        _control(
            results, -1, "Adding neurons costs isotropic networks less than elementwise ones."
        ),
    ]
    tables = [_accuracies(results, kind) for kind in NAMES] + [_comparisons(results)]
    remarks = [
        "In the last four epochs networks that shrink most still change their accuracy, isotropic "
        f"ones by {mean(_late(results, 'isotropic'))} points and elementwise ones by "
        f"{mean(_late(results, 'elementwise'))}: not all have settled.",
        "A network that changes its width has had fewer, or more, multiplications than the one it "
        "is compared with, but the same number of epochs and steps.",
        "AdamW cannot follow rotations exactly (C32); here, as in the published code, its second "
        "moments follow approximately where an isotropic network shrinks. The elementwise control "
        "is not rotated, and its moments follow exactly.",
    ]
    if results.pilots:
        rates = ", ".join(f"{kind} {rate:g}" for kind, rate in results.settings["chosen"].items())
        told = "they were chosen at one width that does not change, and serve all pairs"
        remarks += [f"Rates: {rates}; {told}.", *edges(results.settings)]
    return Verdict(findings, tables, remarks)


def advantage(results: Results, kind: str, side: int) -> NDArray:
    """Return for each seed the mean of (accuracy start→end) − (accuracy end→end).

    `side` 1: over all pairs with start > end; −1: with start < end.
    """
    gains = [
        results.values(kind, "accuracy", pair(start, end))
        - results.values(kind, "accuracy", pair(end, end))
        for start, end in _pairs(results, side)
    ]
    return np.asarray(np.mean(gains, axis=0))


def _ends(results: Results, kind: str, side: int) -> NDArray:
    """Return for each seed the mean accuracy at the end over the pairs of one side."""
    cells = [results.values(kind, "accuracy", pair(a, b)) for a, b in _pairs(results, side)]
    return np.asarray(np.mean(cells, axis=0))


def _late(results: Results, kind: str) -> NDArray:
    """Return for each seed how networks that shrink most change in the last four epochs."""
    widths = results.settings["widths"]
    curve = results.values(kind, "curve", pair(max(widths), min(widths)))
    return np.asarray(curve[:, -1] - curve[:, -2])


def _pairs(results: Results, side: int) -> Iterator[tuple[int, int]]:
    widths = results.settings["widths"]
    return ((a, b) for a in widths for b in widths if side * (a - b) > 0)


def _side(results: Results, kind: str, side: int, statement: str) -> Finding:
    gain = advantage(results, kind, side)
    found = paired(gain, np.zeros(len(gain)))
    singles = _single(results, kind, side)
    clear = [name for name, one in singles.items() if one.clear]
    word = "more" if side > 0 else "fewer"
    evidence = (
        f"Over all pairs that start with {word}, the accuracy at the end minus that of networks "
        f"with the last width throughout is {found} points. Pair by pair, "
        f"{_listed(clear, singles)}."
    )
    return Finding(statement, _outcome(found), evidence)


def _outcome(found: Paired) -> str:
    if not found.clear:
        return "no clear difference"
    return "supported" if found.difference > 0 else "not supported"


def _listed(clear: Sequence[str], singles: Mapping[str, Paired]) -> str:
    gains = [name for name in clear if singles[name].difference > 0]
    losses = [name for name in clear if singles[name].difference < 0]
    return f"clear gains: {', '.join(gains) or 'none'}; clear losses: {', '.join(losses) or 'none'}"


def _single(results: Results, kind: str, side: int) -> dict[str, Paired]:
    return together(
        {
            pair(a, b): (
                results.values(kind, "accuracy", pair(a, b)),
                results.values(kind, "accuracy", pair(b, b)),
            )
            for a, b in _pairs(results, side)
        }
    )


def _control(results: Results, side: int, statement: str) -> Finding:
    own, other = (advantage(results, kind, side) for kind in NAMES)
    found = paired(own, other)
    evidence = (
        f"Against networks that have the last width throughout, isotropic ones are at {mean(own)} "
        f"points and elementwise ones at {mean(other)}: a difference of {found}. In accuracy "
        f"itself they end, over the same pairs, at {mean(_ends(results, 'isotropic', side))} and "
        f"{mean(_ends(results, 'elementwise', side))} %."
    )
    return Finding(statement, _outcome(found), evidence)


def _accuracies(results: Results, kind: str) -> Table:
    widths = results.settings["widths"]
    rows = [
        [
            f"from {start}",
            mean(results.values(kind, "pretrained", str(start))),
            *(mean(results.values(kind, "accuracy", pair(start, end))) for end in widths),
        ]
        for start in widths
    ]
    head = ["", "pretrained", *(f"to {end}" for end in widths)]
    return Table(f"Held-out accuracy in per cent, {kind}", head, rows)


def _comparisons(results: Results) -> Table:
    rows = []
    for side in (1, -1):
        found = {kind: _single(results, kind, side) for kind in NAMES}
        for name in found["isotropic"]:
            rows.append([name, *(found[kind][name] for kind in NAMES)])
    caption = (
        "Accuracy in points above networks with the last width throughout, with the p-value, "
        "corrected over the pairs of one kind and direction"
    )
    return Table(caption, ["widths", *NAMES], rows)


def drawn_starts(results: Results) -> Any:
    """Draw the accuracy over the epochs from each start (left) and to each end (right)."""
    widths = results.settings["widths"]
    low, high = min(widths), max(widths)
    chosen: tuple[tuple[str, int | None, int | None], ...] = (
        ("from the widest", high, None),
        ("to the narrowest", None, low),
        ("from the narrowest", low, None),
        ("to the widest", None, high),
    )
    figure, grid = figures.canvas(2, 4, width=10.0, height=5.4, sharex=True, sharey=True)
    s = results.settings
    for row, kind in enumerate(NAMES):
        for axes, (title, start, end) in zip(grid[row], chosen, strict=True):
            for k, width in enumerate(widths):
                name = pair(start or width, end or width)
                epochs, curve = _course(results, kind, start or width, name)
                figures.curve(axes, k, epochs, curve, f"other width {width}")
            fixed = f"{title}, {start or end}"
            axes.set_title(f"{kind}\n{fixed}")
            axes.axvspan(s["hold"], s["hold"] + s["over"], color="0.93", zorder=0, lw=0)
        grid[row][0].set_ylabel("held-out accuracy, %")
    for axes in grid[1]:
        axes.set_xlabel("epoch")
    figures.below(figure, grid[0][0], columns=len(widths))
    return figure


def _course(results: Results, kind: str, start: int, name: str) -> tuple[NDArray, NDArray]:
    """Return the epochs, and the accuracies after them, from pretraining to the end."""
    hold = results.settings["hold"]
    early = results.values(kind, "pretraining", str(start))
    before = results.values(kind, "pretrained", str(start))[:, None]
    curve = results.values(kind, "curve", name)
    epochs = np.concatenate([
        EVERY * (1 + np.arange(early.shape[1])),
        [hold - 1],
        hold - 1 + EVERY * (1 + np.arange(curve.shape[1])),
    ])  # fmt: skip
    return epochs, np.concatenate([early, before, curve], axis=1)


def drawn_ends(results: Results) -> Any:
    """Draw the accuracy at the end against the first width, a line for each last width."""
    widths = results.settings["widths"]
    figure, grid = figures.canvas(1, 2, width=7.2, height=3.4, sharey=True)
    for axes, kind in zip(grid[0], NAMES, strict=True):
        before = np.stack([results.values(kind, "pretrained", str(w)) for w in widths], axis=1)
        for k, end in enumerate(widths):
            cells = [results.values(kind, "accuracy", pair(w, end)) for w in widths]
            look = k + (k >= BEFORE)
            figures.line(axes, look, widths, np.stack(cells, axis=1), f"to {end} neurons")
        figures.line(axes, BEFORE, widths, before, "before the change")
        axes.set_xscale("log", base=2)
        axes.set_xticks(widths, [str(w) for w in widths])
        axes.minorticks_off()
        axes.set_title(kind)
        axes.set_xlabel("neurons of each hidden space at the start")
    grid[0][0].set_ylabel("held-out accuracy, %")
    figures.below(figure, grid[0][0], columns=5)
    return figure
